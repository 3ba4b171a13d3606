package order

import "strings"

// Flow is what a person may pause.
type Flow string

// The flows.
const (
	// OrdersFlow makes sales of orders, tells Upstock their numbers, and voids what was cancelled.
	OrdersFlow Flow = "orders"
	// ShipmentsFlow reads what became of sales, and tells Upstock of parcels.
	ShipmentsFlow Flow = "shipments"
	// CatalogueFlow tells Upstock of products, customers and prices. No order waits for it.
	CatalogueFlow Flow = "catalogue"
)

// Flows are all of them.
func Flows() []Flow { return []Flow{OrdersFlow, ShipmentsFlow, CatalogueFlow} }

// awaitsPause begins what an order awaits that is parked for a pause.
const awaitsPause = "paused:"

// Awaits is what an order awaits that is parked for a pause of the flow, see ledger.Run.
func (f Flow) Awaits() string { return awaitsPause + string(f) }

// PausedFlow is the flow of a pause that is awaited; "" = what is awaited is no end of a pause.
func PausedFlow(awaits string) Flow {
	f, paused := strings.CutPrefix(awaits, awaitsPause)
	if !paused {
		return ""
	}
	return Flow(f)
}

// HeldBack is the paused flow that the order waits for; "" = it waits for none.
func (o *Order) HeldBack() Flow {
	if !o.Parked {
		return ""
	}
	return PausedFlow(o.Awaits)
}
