package cin7core

import (
	"context"
	"iter"
	"time"

	"github.com/shopspring/decimal"
)

// SaleRow is a row of the sale list. It has no totals of the order, only of its invoices, and no lines.
type SaleRow struct {
	SaleID                  string `rest:"guid"`
	OrderNumber             string
	Status                  Status // never says "shipped": see CombinedShippingStatus
	OrderDate               time.Time
	Customer                string
	CustomerID              string `rest:"guid"`
	CustomerReference       string
	InvoiceNumber           string
	InvoiceAmount           decimal.Decimal
	ShipBy                  time.Time
	BaseCurrency            string
	CustomerCurrency        string
	Updated                 time.Time
	QuoteStatus             Status
	OrderStatus             Status
	CombinedPickingStatus   Status
	CombinedPackingStatus   Status
	CombinedShippingStatus  Status
	CombinedInvoiceStatus   Status
	CombinedPaymentStatus   Status
	FulfilmentStatus        Status `json:"FulFilmentStatus"`
	CreditNoteStatus        Status
	Type                    string // Simple Sale, Advanced Sale, Service Sale
	CombinedTrackingNumbers string // may be cut: the ship lines are the truth
	SourceChannel           string
	ExternalID              string
	OrderLocationID         string `rest:"guid"`
}

// SalesQuery narrows the list; what is zero does not.
type SalesQuery struct {
	ExternalID             string // exact, where the filter is honoured: compare the rows
	Search                 string // within order number, status, customer, invoice number, CustomerReference, credit note number
	CreatedSince           time.Time
	UpdatedSince           time.Time // whether inclusive is undocumented
	UpdatedUntil           time.Time
	Status                 Status
	OrderStatus            Status
	CombinedShippingStatus Status
	Page                   int // the first to read; 0: 1
}

func (q SalesQuery) values() params {
	return params{}.text("ExternalID", q.ExternalID).text("Search", q.Search).since("CreatedSince", q.CreatedSince).
		since("UpdatedSince", q.UpdatedSince).since("UpdatedUntil", q.UpdatedUntil).text("Status", string(q.Status)).
		text("OrderStatus", string(q.OrderStatus)).text("CombinedShippingStatus", string(q.CombinedShippingStatus))
}

// SalesPage reads one page, q.Page.
func (c *Client) SalesPage(ctx context.Context, q SalesQuery) (Page[SaleRow], error) {
	return list[SaleRow](ctx, c, "/saleList", q.values(), q.Page)
}

// Sales reads all from q.Page on. Order is undocumented and rows may move between pages.
func (c *Client) Sales(ctx context.Context, q SalesQuery) iter.Seq2[SaleRow, error] {
	return all(q.Page, func(page int) (Page[SaleRow], error) {
		q.Page = page
		return c.SalesPage(ctx, q)
	})
}
