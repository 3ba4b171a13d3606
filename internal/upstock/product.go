package upstock

import (
	"context"
	"encoding/json"
	"iter"

	"github.com/shopspring/decimal"
)

// The statuses of a product.
const (
	Available    = "available"
	OutOfStock   = "outOfStock"
	Discontinued = "discontinued" // there is no other way to take a product away
)

// Product is a product of the supplier. ExternalID, SKU and Name are required.
type Product struct {
	ExternalID  string           `json:"externalId"`
	SKU         string           `json:"sku"`
	Name        string           `json:"name"`
	Description string           `json:"description"`
	Category    string           `json:"category"`
	Brand       string           `json:"brand"`
	Unit        string           `json:"unit"`
	Barcode     string           `json:"barcode"`
	Price       *decimal.Decimal `json:"price"` // the default unit price, without tax, for customers without a list
	ImageURL    string           `json:"imageUrl"`
	OwnImage    bool             `json:"-"`      // only written: Upstock's image stays, whatever ImageURL says
	Status      string           `json:"status"` // Available, OutOfStock or Discontinued
}

// MarshalJSON writes all fields, the empty ones as null; with OwnImage all but the image.
func (p Product) MarshalJSON() ([]byte, error) {
	image := new(nullable(p.ImageURL))
	if p.OwnImage {
		image = nil
	}
	return json.Marshal(struct {
		ExternalID  string    `json:"externalId"`
		SKU         string    `json:"sku"`
		Name        string    `json:"name"`
		Description nullable  `json:"description"`
		Category    nullable  `json:"category"`
		Brand       nullable  `json:"brand"`
		Unit        nullable  `json:"unit"`
		Barcode     nullable  `json:"barcode"`
		Price       amount    `json:"price"`
		ImageURL    *nullable `json:"imageUrl,omitempty"`
		Status      string    `json:"status"`
	}{p.ExternalID, p.SKU, p.Name, nullable(p.Description), nullable(p.Category), nullable(p.Brand),
		nullable(p.Unit), nullable(p.Barcode), amount{p.Price}, image, p.Status})
}

// ProductsPage reads a page of products: those after a page's Next, up to limit (at most MaxPage; 0: 50).
func (c *Client) ProductsPage(ctx context.Context, after string, limit int) (Rows[Product], error) {
	return rowsPage[Product](ctx, c, "/products", after, limit)
}

// Products reads all products, whoever made them.
func (c *Client) Products(ctx context.Context) iter.Seq2[Product, error] {
	return allRows[Product](ctx, c, "/products")
}

// PutProducts makes or updates up to MaxBatch products by externalId. A product without a result may have been written.
func (c *Client) PutProducts(ctx context.Context, products []Product) ([]BatchResult, error) {
	return c.batch(ctx, "/products/batch", "products", products,
		idsOf(products, func(p Product) string { return p.ExternalID }))
}

// idsOf are the externalIds of a batch.
func idsOf[T any](records []T, id func(T) string) []string {
	ids := make([]string, len(records))
	for i, r := range records {
		ids[i] = id(r)
	}
	return ids
}
