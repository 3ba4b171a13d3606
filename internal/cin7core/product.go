package cin7core

import (
	"context"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/rest"
)

// Product is a product. Those of Type Service serve as additional charges, by their Name.
type Product struct {
	ID               string `rest:"guid"`
	SKU              string // unique
	Name             string
	Category         string
	Brand            string
	Type             string // Stock, Service
	DropShipMode     string // No Drop Ship, Optional Drop Ship, Always Drop Ship
	UOM              string
	Barcode          string
	TierPrices       // flat in JSON
	AverageCost      decimal.Decimal
	ShortDescription string
	Description      string
	InternalNote     string
	AttributeSet     string
	Attributes       // flat in JSON
	DiscountRule     string
	Tags             string
	Status           Status // Active, Deprecated or "Setup required"
	SaleTaxRule      string // "": that of the customer or the sale
	Sellable         *bool  // see CanSell
	LastModifiedOn   time.Time
	Attachments      []Attachment  // only with ProductsQuery.IncludeAttachments
	CustomPrices     []CustomPrice // only with ProductsQuery.IncludeCustomPrices
}

// CanSell reports whether the product is sellable, which is the default if the vendor does not say.
func (p Product) CanSell() bool { return p.Sellable == nil || *p.Sellable }

// TierPrices are a product's prices in the account's base currency; 0 where unset.
type TierPrices struct {
	PriceTier1, PriceTier2, PriceTier3, PriceTier4, PriceTier5  decimal.Decimal
	PriceTier6, PriceTier7, PriceTier8, PriceTier9, PriceTier10 decimal.Decimal
}

// Tier returns the price of tier code, 1 to 10 (PriceTier.Code); 0 for any other.
func (t TierPrices) Tier(code int) decimal.Decimal {
	if code < 1 || code > 10 {
		return decimal.Zero
	}
	return [...]decimal.Decimal{
		t.PriceTier1, t.PriceTier2, t.PriceTier3, t.PriceTier4, t.PriceTier5,
		t.PriceTier6, t.PriceTier7, t.PriceTier8, t.PriceTier9, t.PriceTier10,
	}[code-1]
}

// Attachment is a file of a product; its link expires.
type Attachment struct {
	ID          string `rest:"guid"`
	ContentType string
	FileName    string
	IsDefault   bool
	DownloadURL string `json:"DownloadUrl"`
}

// CustomPrice is one customer's price of the product, in that customer's currency.
type CustomPrice struct {
	CustomerID       string `rest:"guid"`
	CustomerName     string
	CustomerCurrency string
	Price            decimal.Decimal
}

// ProductsQuery selects products; a zero field does not narrow. Name and SKU match the beginning or any part (the
// documentation says both): compare the rows.
type ProductsQuery struct {
	Name, SKU           string
	ModifiedSince       time.Time
	IncludeDeprecated   bool
	IncludeAttachments  bool
	IncludeCustomPrices bool
	Page                int // the first to read; 0: 1
}

func (q ProductsQuery) values() params {
	return params{}.text("Name", q.Name).text("Sku", q.SKU).since("ModifiedSince", q.ModifiedSince).
		flag("IncludeDeprecated", q.IncludeDeprecated).flag("IncludeAttachments", q.IncludeAttachments).
		flag("IncludeCustomPrices", q.IncludeCustomPrices)
}

// ProductsPage reads the page q.Page.
func (c *Client) ProductsPage(ctx context.Context, q ProductsQuery) (Page[Product], error) {
	return listPage[Product](ctx, c, "/product", q.values(), q.Page)
}

// Products reads all from q.Page on. Their order is undocumented, and rows may move between pages.
func (c *Client) Products(ctx context.Context, q ProductsQuery) iter.Seq2[Product, error] {
	return rest.Pages(q.Page, func(page int) (Page[Product], error) {
		q.Page = page
		return c.ProductsPage(ctx, q)
	})
}

// Product reads a product, deprecated or not; NotFound if there is none.
func (c *Client) Product(ctx context.Context, id string) (Product, error) {
	return byID(ctx, c, "/product", id, func(row Product) string { return row.ID })
}

// ProductsBySKU reads every product that the vendor's Sku filter finds, also deprecated ones. These are not only the
// ones whose SKU equals sku.
func (c *Client) ProductsBySKU(ctx context.Context, sku string) ([]Product, error) {
	var rows []Product
	for p, err := range c.Products(ctx, ProductsQuery{SKU: sku, IncludeDeprecated: true}) {
		if err != nil {
			return nil, err
		}
		rows = append(rows, p)
	}
	return rows, nil
}

// byID reads the row of a list with an id. It compares the ids, as the vendor may ignore the filter.
func byID[T any](ctx context.Context, c *Client, path, id string, idOf func(T) string) (T, error) {
	return rowByID(ctx, c, path, params{}, id, idOf)
}

// rowByID is byID, with what is asked for beside.
func rowByID[T any](
	ctx context.Context, c *Client, path string, query params, id string, idOf func(T) string,
) (T, error) {
	query = query.text("ID", id).flag("IncludeDeprecated", true)
	page, err := listPage[T](ctx, c, path, query, 1)
	var none T
	if err != nil {
		return none, asNotFound(err)
	}
	for _, row := range page.Items {
		if strings.EqualFold(idOf(row), id) {
			return row, nil
		}
	}
	return none, &rest.Error{Who: c.Who, Outcome: rest.Refused, Kind: rest.NotFound, Method: http.MethodGet, Path: path}
}
