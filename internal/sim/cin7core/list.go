package cin7core

import (
	"slices"
	"strings"
	"time"

	"stockbridge/internal/sim"
)

// listRow is a sale as GET /saleList answers it. It has no lines and no totals of
// the order.
type listRow struct {
	SaleID, OrderNumber, Status, OrderDate             string
	InvoiceDate                                        opt
	Customer, CustomerID                               string
	InvoiceNumber                                      opt
	CustomerReference                                  string
	InvoiceAmount, PaidAmount, SaleInvoicesTotalAmount number
	InvoiceDueDate, ShipBy                             opt
	BaseCurrency, CustomerCurrency                     string
	CreditNoteNumber                                   opt
	Updated                                            stamp
	QuoteStatus, OrderStatus                           string
	CombinedPickingStatus, CombinedPaymentStatus       string
	CombinedTrackingNumbers                            string
	CombinedPackingStatus, CombinedShippingStatus      string
	CombinedInvoiceStatus                              string
	CombinedPaymentTotal                               number
	CreditNoteStatus, FulFilmentStatus, Type           string
	SourceChannel, ExternalID                          opt
	OrderLocationID                                    string
}

// row returns the list's row of a sale as it is now.
func (c *company) row(r *saleRecord) listRow {
	x := &r.Sale
	row := listRow{SaleID: x.ID, OrderNumber: x.Order.SaleOrderNumber, Status: x.Status, OrderDate: x.SaleOrderDate,
		Customer: x.Customer, CustomerID: x.CustomerID, CustomerReference: x.CustomerReference, ShipBy: x.ShipBy,
		BaseCurrency: x.BaseCurrency, CustomerCurrency: x.CustomerCurrency, Updated: x.LastModifiedOn,
		QuoteStatus: x.Quote.Status, OrderStatus: x.Order.Status,
		CombinedPickingStatus: x.CombinedPickingStatus, CombinedPaymentStatus: x.CombinedPaymentStatus,
		CombinedTrackingNumbers: x.CombinedTrackingNumbers, CombinedPackingStatus: x.CombinedPackingStatus,
		CombinedShippingStatus: x.CombinedShippingStatus, CombinedInvoiceStatus: x.CombinedInvoiceStatus,
		CreditNoteStatus: notAvailable, FulFilmentStatus: x.FulFilmentStatus, Type: x.Type,
		SourceChannel: x.SourceChannel, ExternalID: x.ExternalID}
	if l := c.location(x.Location); l != nil {
		row.OrderLocationID = l.ID
	}
	for _, v := range x.Invoices {
		row.InvoiceDate, row.InvoiceDueDate, row.InvoiceNumber = opt(v.InvoiceDate), opt(v.InvoiceDueDate),
			opt(v.InvoiceNumber)
		row.InvoiceAmount, row.SaleInvoicesTotalAmount = v.Total, v.Total
		row.PaidAmount, row.CombinedPaymentTotal = v.Paid, v.Paid
	}
	return row
}

// getSaleList lists newest first, as the vendor's example does, or as the Sim's
// options say. The list may lag behind the sales, and its rows may move between
// pages.
func (c *call) getSaleList() (any, error) {
	asOf := c.sim.AsOf(c.Request)
	var times [3]time.Time
	for i, name := range []string{"CreatedSince", "UpdatedSince", "UpdatedUntil"} {
		t, err := c.since(name)
		if err != nil {
			return nil, err
		}
		times[i] = t
	}
	shipBy, err := c.since("ShipBy")
	if err != nil {
		return nil, err
	}
	rows := []*listRow{}
	for _, r := range slices.Backward(c.Sales) {
		row := r.rowAt(asOf)
		if row == nil {
			continue
		}
		switch {
		case !times[0].IsZero() && !r.Created.After(times[0]),
			!times[1].IsZero() && !row.Updated.After(times[1]),
			!times[2].IsZero() && row.Updated.After(times[2]),
			!shipBy.IsZero() && !row.dueBy(shipBy),
			!c.matches(row):
			continue
		}
		rows = append(rows, row)
	}
	sim.Arrange(c.sim, rows)
	return page(c, "SaleList", sim.Drift(c.sim, c.Request, c.positive("Page", 1), c.pageSize(), rows)), nil
}

// rowAt returns the row that the list showed at an instant; nil = none.
func (r *saleRecord) rowAt(t time.Time) *listRow {
	if t.Before(r.Listed) {
		return nil
	}
	for i := len(r.Rows) - 1; i >= 0; i-- {
		if !r.Rows[i].Since.After(t) {
			return &r.Rows[i].listRow
		}
	}
	return nil
}

func (row *listRow) dueBy(t time.Time) bool {
	d, err := parseTime(string(row.ShipBy))
	return err == nil && !d.After(t) && row.CombinedShippingStatus != "SHIPPED"
}

func (c *call) matches(row *listRow) bool {
	for _, f := range []struct{ name, value string }{
		{"QuoteStatus", row.QuoteStatus}, {"OrderStatus", row.OrderStatus},
		{"CombinedPickStatus", row.CombinedPickingStatus}, {"CombinedPackStatus", row.CombinedPackingStatus},
		{"CombinedShippingStatus", row.CombinedShippingStatus}, {"CombinedInvoiceStatus", row.CombinedInvoiceStatus},
		{"CreditNoteStatus", row.CreditNoteStatus}, {"Status", row.Status}, {"OrderLocationID", row.OrderLocationID},
	} {
		if !c.filterIs(f.name, f.value) {
			return false
		}
	}
	if v, ok := c.has("ExternalID"); ok && !c.IgnoreFilter && v != string(row.ExternalID) {
		return false
	}
	if v, ok := c.has("ReadyForShipping"); ok && (v == "1" || strings.EqualFold(v, "true")) &&
		(row.CombinedPackingStatus != "PACKED" || row.CombinedShippingStatus == "SHIPPED") {
		return false
	}
	v, ok := c.has("Search")
	if !ok {
		return true
	}
	v = strings.ToLower(v)
	return slices.ContainsFunc([]string{row.OrderNumber, row.Status, row.Customer, string(row.InvoiceNumber),
		row.CustomerReference, string(row.CreditNoteNumber)},
		func(field string) bool { return strings.Contains(strings.ToLower(field), v) })
}
