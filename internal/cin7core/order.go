package cin7core

import (
	"context"
	"net/http"
	"strings"

	"github.com/shopspring/decimal"
)

// OrderDocument is a sale's order: its lines and charges. Prices are in the customer's currency, and exclude tax unless
// the sale is TaxInclusive.
type OrderDocument struct {
	SaleID          string `rest:"guid"`
	SaleOrderNumber string // given by the vendor, as SO-00001
	Memo            string
	Status          Status // to write: Draft or Authorised
	// only written; takes effect when a Simple Sale without backorder is authorised, and is ignored otherwise
	AutoPickPackShipMode       Mode
	Lines                      []OrderLine
	AdditionalCharges          []Charge
	TotalBeforeTax, Tax, Total decimal.Decimal // Total includes tax
}

// Mode is how far the vendor automatically takes an order.
type Mode string

const (
	NoPick           Mode = "NOPICK"
	AutoPick         Mode = "AUTOPICK"
	AutoPickPack     Mode = "AUTOPICKPACK"
	AutoPickPackShip Mode = "AUTOPICKPACKSHIP"
)

// OrderLine is a line of an order. The vendor checks Total: round2(round4(Price × (100 − Discount)/100) × Quantity),
// without Tax.
type OrderLine struct {
	ProductID         string `rest:"guid"`
	SKU, Name         string
	Quantity          decimal.Decimal
	Price             decimal.Decimal // up to 4 decimals
	Discount          decimal.Decimal // percent, up to 2 decimals
	Tax               decimal.Decimal // an amount
	TaxRule           string          // a name
	Comment           string          // up to 256 characters
	DropShip          bool            // has an effect only on products with Optional Drop Ship
	BackorderQuantity decimal.Decimal // read only: what was not in stock
	Total             decimal.Decimal
}

// Charge is an additional charge, such as freight. Its Description must be the name of a Service product.
type Charge struct {
	Description string
	Price       decimal.Decimal
	Quantity    decimal.Decimal
	Discount    decimal.Decimal
	Tax         decimal.Decimal
	Total       decimal.Decimal
	TaxRule     string
	Comment     string
}

// SaveOrder writes a sale's order, replacing its lines and charges. It is refused once the order is authorised. Until
// then, repeating it changes nothing.
func (c *Client) SaveOrder(ctx context.Context, d OrderDocument) (OrderDocument, error) {
	var saved OrderDocument
	if err := c.Do(ctx, http.MethodPost, "/sale/order", nil, d.wire(), &saved); err != nil {
		return OrderDocument{}, asInvalid(err)
	}
	if !isID(saved.SaleID) || saved.Status == "" || !strings.EqualFold(saved.SaleID, d.SaleID) {
		return OrderDocument{}, c.MalformedAnswer(http.MethodPost, "/sale/order", "the answer is no order")
	}
	return saved, nil
}

type wireOrder struct {
	SaleID                     string
	CombineAdditionalCharges   bool
	Memo                       string // documented as required
	Status                     Status
	AutoPickPackShipMode       Mode `json:",omitempty"`
	Lines                      []wireLine
	AdditionalCharges          []wireCharge
	TotalBeforeTax, Tax, Total number
}

type wireLine struct {
	ProductID string `json:",omitempty"`
	SKU       string `json:",omitempty"`
	Name      string `json:",omitempty"`
	Quantity  number
	Price     number
	Discount  number
	Tax       number
	TaxRule   string `json:",omitempty"`
	Comment   string `json:",omitempty"`
	DropShip  bool
	Total     number
}

type wireCharge struct {
	Description string
	Price       number
	Quantity    number
	Discount    number
	Tax         number
	Total       number
	TaxRule     string `json:",omitempty"`
	Comment     string `json:",omitempty"`
}

func (d OrderDocument) wire() wireOrder {
	w := wireOrder{SaleID: d.SaleID, Memo: d.Memo, Status: d.Status, AutoPickPackShipMode: d.AutoPickPackShipMode,
		Lines: []wireLine{}, AdditionalCharges: []wireCharge{},
		TotalBeforeTax: number(d.TotalBeforeTax), Tax: number(d.Tax), Total: number(d.Total)}
	for _, l := range d.Lines {
		w.Lines = append(w.Lines, wireLine{l.ProductID, l.SKU, l.Name, number(l.Quantity), number(l.Price),
			number(l.Discount),
			number(l.Tax), l.TaxRule, l.Comment, l.DropShip, number(l.Total)})
	}
	for _, a := range d.AdditionalCharges {
		w.AdditionalCharges = append(w.AdditionalCharges, wireCharge{a.Description, number(a.Price), number(a.Quantity),
			number(a.Discount), number(a.Tax), number(a.Total), a.TaxRule, a.Comment})
	}
	return w
}
