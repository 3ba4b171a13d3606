package cin7core

import (
	"context"
	"net/http"
	"strings"

	"github.com/shopspring/decimal"
)

// Location is a place that holds stock. One with a ParentID is a bin.
type Location struct {
	ID                  string `rest:"guid"`
	Name                string // a sale refers to it
	ParentID            string `rest:"guid"`
	IsDefault           bool
	IsDeprecated        bool
	FixedAssetsLocation bool
	IsShopfloor         bool
	IsStaging           bool
	IsCoMan             bool
}

// IsBin reports whether the location is a bin of another, which a sale cannot name.
func (l Location) IsBin() bool { return isID(l.ParentID) }

// Locations reads /ref/location, with bins.
func (c *Client) Locations(ctx context.Context) ([]Location, error) {
	return collect[Location](ctx, c, "/ref/location")
}

// TaxRule is a tax rule. Lines refer to it by Name.
type TaxRule struct {
	ID               string `rest:"guid"`
	Name             string
	Account          string
	IsActive         bool
	TaxInclusive     bool
	TaxPercent       decimal.Decimal // 0 to 100, the sum of its components
	IsTaxForSale     bool
	IsTaxForPurchase bool
}

// ForSales reports whether the rule can be used on sales.
func (r TaxRule) ForSales() bool {
	return r.IsActive && r.IsTaxForSale && strings.TrimSpace(r.Name) != ""
}

// TaxRules reads /ref/tax.
func (c *Client) TaxRules(ctx context.Context) ([]TaxRule, error) {
	return collect[TaxRule](ctx, c, "/ref/tax")
}

// PaymentTerm is a payment term. A sale may only use an active one.
type PaymentTerm struct {
	ID        string `rest:"guid"`
	Name      string
	Duration  int
	Method    string // number of days, day of next month, last day of next month, days since the end of the month
	IsActive  bool
	IsDefault bool
}

// PaymentTerms reads /ref/paymentterm.
func (c *Client) PaymentTerms(ctx context.Context) ([]PaymentTerm, error) {
	return collect[PaymentTerm](ctx, c, "/ref/paymentterm")
}

// PriceTier is the account's name for the price tier Code, 1 to 10 (Product.Tier).
type PriceTier struct {
	Code int
	Name string
}

// PriceTiers reads /ref/priceTier: always all ten, without pages.
func (c *Client) PriceTiers(ctx context.Context) ([]PriceTier, error) {
	var answer struct {
		PriceTiers []PriceTier `rest:"named"`
	}
	err := c.Do(ctx, http.MethodGet, "/ref/priceTier", nil, nil, &answer)
	return answer.PriceTiers, err
}

// Carrier is a carrier. A sale refers to it by Description.
type Carrier struct {
	CarrierID   string `rest:"guid"`
	Description string
}

// Carriers reads /ref/carrier.
func (c *Client) Carriers(ctx context.Context) ([]Carrier, error) {
	return collect[Carrier](ctx, c, "/ref/carrier")
}
