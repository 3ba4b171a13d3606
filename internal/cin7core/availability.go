package cin7core

import (
	"context"
	"iter"

	"github.com/shopspring/decimal"

	"stockbridge/internal/rest"
)

// Availability is the stock of a product in one place: a location, a bin and a batch. A product has a row for each, and
// probably none if it was never in stock.
type Availability struct {
	ID        string `rest:"guid"` // the product's
	SKU       string
	Name      string
	Location  string
	Bin       string
	Batch     string
	OnHand    decimal.Decimal
	Allocated decimal.Decimal
	Available decimal.Decimal // the sum over a product's rows is what can be sold
	OnOrder   decimal.Decimal
	InTransit decimal.Decimal
}

// AvailabilityQuery selects rows; a zero field does not narrow. There is no ModifiedSince.
type AvailabilityQuery struct {
	ID       string // a product's
	SKU      string // compare the rows
	Location string
	Page     int // the first to read; 0: 1
}

func (q AvailabilityQuery) values() params {
	return params{}.text("ID", q.ID).text("Sku", q.SKU).text("Location", q.Location)
}

// AvailabilityPage reads the page q.Page.
func (c *Client) AvailabilityPage(ctx context.Context, q AvailabilityQuery) (Page[Availability], error) {
	return listPage[Availability](ctx, c, "/ref/productavailability", q.values(), q.Page)
}

// Availability reads all from q.Page on. Their order is undocumented, and rows may move between pages.
func (c *Client) Availability(ctx context.Context, q AvailabilityQuery) iter.Seq2[Availability, error] {
	return rest.Pages(q.Page, func(page int) (Page[Availability], error) {
		q.Page = page
		return c.AvailabilityPage(ctx, q)
	})
}
