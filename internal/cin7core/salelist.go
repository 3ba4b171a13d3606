package cin7core

import (
	"context"
	"iter"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/rest"
)

// SaleRow is a row of the sale list. It has no lines, and no totals but those of its invoices.
type SaleRow struct {
	SaleID                  string `rest:"guid"`
	OrderNumber             string
	Status                  Status // never Shipped: see CombinedShippingStatus
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
	CombinedTrackingNumbers string // may be cut: read the ship lines
	SourceChannel           string
	ExternalID              string
	OrderLocationID         string `rest:"guid"`
}

// SalesQuery selects sales; a zero field does not narrow.
type SalesQuery struct {
	ExternalID string // exact, if the filter is not ignored: compare the rows
	// part of order number, status, customer, invoice number, CustomerReference or credit note number
	Search                 string
	CreatedSince           time.Time
	UpdatedSince           time.Time // undocumented whether inclusive
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

// SalesPage reads the page q.Page.
func (c *Client) SalesPage(ctx context.Context, q SalesQuery) (Page[SaleRow], error) {
	return listPage[SaleRow](ctx, c, "/saleList", q.values(), q.Page)
}

// Sales reads all from q.Page on. Their order is undocumented, and rows may move between pages.
func (c *Client) Sales(ctx context.Context, q SalesQuery) iter.Seq2[SaleRow, error] {
	return rest.Pages(q.Page, func(page int) (Page[SaleRow], error) {
		q.Page = page
		return c.SalesPage(ctx, q)
	})
}
