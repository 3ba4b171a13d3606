package upstock

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"

	"github.com/shopspring/decimal"
)

// PriceList is a price list. A customer to whom one is assigned (CustomerRecord.PriceListExternalID) buys only what the
// list prices.
type PriceList struct {
	ExternalID string `json:"externalId"`
	Name       string `json:"name"`
	Currency   string `json:"currency"` // ISO 4217
}

// Price is the price of a product in a list.
type Price struct {
	ProductExternalID string           `json:"productExternalId"`
	Price             *decimal.Decimal `json:"price"` // without tax, up to 4 decimals; nil = the list does not price it
}

// MarshalJSON writes a price that is nil as null, which removes it.
func (p Price) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		ProductExternalID string `json:"productExternalId"`
		Price             amount `json:"price"`
	}{p.ProductExternalID, amount{p.Price}})
}

func pathOf(list string) string { return "/price-lists/" + url.PathEscape(list) }

// PriceListsPage reads a page of price lists: those after a page's Next, up to limit (at most MaxPage; 0: 50).
func (c *Client) PriceListsPage(ctx context.Context, after string, limit int) (Rows[PriceList], error) {
	return rowsPage[PriceList](ctx, c, "/price-lists", after, limit)
}

// PriceLists reads all price lists, whoever made them.
func (c *Client) PriceLists(ctx context.Context) iter.Seq2[PriceList, error] {
	return allRows[PriceList](ctx, c, "/price-lists")
}

// PutPriceList makes or updates a list. Repeating it changes nothing. The externalId has at most 128 characters.
func (c *Client) PutPriceList(ctx context.Context, externalID, name, currency string) error {
	in := struct {
		Name     string `json:"name"`
		Currency string `json:"currency"`
	}{name, currency}
	return c.Do(ctx, http.MethodPut, pathOf(externalID), nil, in, nil)
}

// DeletePriceList removes a list with its prices. rest.NotFound: there is none, or none any more; rest.Conflict: a
// customer is assigned to it.
func (c *Client) DeletePriceList(ctx context.Context, externalID string) error {
	return c.Do(ctx, http.MethodDelete, pathOf(externalID), nil, nil, nil)
}

// PricesPage reads a page of a list's prices: those after a page's Next, up to limit (at most MaxPage; 0: 50).
// rest.NotFound: there is no such list.
func (c *Client) PricesPage(ctx context.Context, list, after string, limit int) (Rows[Price], error) {
	return rowsPage[Price](ctx, c, pathOf(list)+"/prices", after, limit)
}

// Prices reads all prices of a list.
func (c *Client) Prices(ctx context.Context, list string) iter.Seq2[Price, error] {
	return allRows[Price](ctx, c, pathOf(list)+"/prices")
}

// PutPrices sets up to MaxPrices prices of a list, and removes those that are nil. The results go by the product's
// externalId; a price without a result may have been written. rest.NotFound: there is no such list.
func (c *Client) PutPrices(ctx context.Context, list string, prices []Price) ([]BatchResult, error) {
	return c.batch(ctx, pathOf(list)+"/prices/batch", "prices", prices,
		idsOf(prices, func(p Price) string { return p.ProductExternalID }))
}
