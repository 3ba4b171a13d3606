package cin7core

import "strings"

// Status is any of the vendor's statuses. They are an open set, in upper case by the documentation but not always.
type Status string

// Is reports whether the status is one of several, whatever its case.
func (s Status) Is(any ...Status) bool {
	for _, other := range any {
		if strings.EqualFold(strings.TrimSpace(string(s)), string(other)) {
			return true
		}
	}
	return false
}

const (
	NotAvailable        Status = "NOT AVAILABLE"
	Draft               Status = "DRAFT"
	Authorised          Status = "AUTHORISED"
	PartiallyAuthorised Status = "PARTIALLY AUTHORISED"
	AuthNoAlloc         Status = "AUTH_NO_ALLOC" // an order authorised without allocation
	Fulfilled           Status = "FULFILLED"
	Closed              Status = "CLOSED"
	Voided              Status = "VOIDED"
	Estimating          Status = "ESTIMATING"
	Estimated           Status = "ESTIMATED"
	Ordering            Status = "ORDERING"
	Ordered             Status = "ORDERED"
	Backordered         Status = "BACKORDERED"
	Picked              Status = "PICKED"
	Packed              Status = "PACKED"
	Shipped             Status = "SHIPPED"
	Shipping            Status = "SHIPPING"
	PartiallyShipped    Status = "PARTIALLY SHIPPED"
	NotShipped          Status = "NOT SHIPPED"
	Completed           Status = "COMPLETED"

	// Of customers and products.
	Active     Status = "Active"
	Deprecated Status = "Deprecated"
)
