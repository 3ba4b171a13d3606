package upstock

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/rest"
)

// The statuses of an order. Approval takes it from ordered to processing.
const (
	StatusScheduled  = "scheduled"
	StatusOrdered    = "ordered"
	StatusProcessing = "processing"
	StatusShipped    = "shipped"
	StatusCancelled  = "cancelled"
)

// Order is a customer's order. Prices exclude tax and are in Currency.
type Order struct {
	ID           int64     `json:"id" rest:"required"`
	OrderNumber  string    `json:"orderNumber" rest:"required"`
	Status       string    `json:"status" rest:"required"`
	Reference    string    `json:"reference"` // the buyer's purchase order number
	OrderDate    Date      `json:"orderDate" rest:"required"`
	DeliveryDate Date      `json:"deliveryDate"`
	ApprovedAt   time.Time `json:"approvedAt"`
	Currency     string    `json:"currency" rest:"required"`
	Customer     Customer  `json:"customer" rest:"required"`
	// nil if no part of it is given; so are Freight, Stated and External
	DeliveryAddress *Address          `json:"deliveryAddress"`
	CustomFields    map[string]string `json:"customFields" rest:"most=1000"`
	Comments        []Comment         `json:"comments" rest:"most=1000"` // oldest first
	Lines           []Line            `json:"lines" rest:"required,most=20000"`
	Freight         *Freight          `json:"freight"`
	Stated          *Totals           `json:"totals"` // absent on old orders
	External        *External         `json:"external"`
}

// Customer is the buyer.
type Customer struct {
	ID         int64  `json:"id" rest:"required"`
	Name       string `json:"name" rest:"required"`
	ExternalID string `json:"externalId"` // the linked Cin7 Core customer
	Email      string `json:"email"`
	Phone      string `json:"phone"`
}

// Address is the delivery address of an order.
type Address struct {
	Company  string `json:"company"`
	Contact  string `json:"contact"`
	Line1    string `json:"line1"`
	Line2    string `json:"line2"`
	City     string `json:"city"`
	Region   string `json:"region"`
	Postcode string `json:"postcode"`
	Country  string `json:"country"`
}

// Comment is a remark on an order.
type Comment struct {
	At     time.Time `json:"at"`
	Author string    `json:"author"`
	Text   string    `json:"text"`
}

// Line is one product ordered.
type Line struct {
	ID                int64            `json:"id"`
	ProductExternalID string           `json:"productExternalId"`
	SKU               string           `json:"sku"`
	Name              string           `json:"name"`
	Quantity          decimal.Decimal  `json:"quantity" rest:"required"`
	UnitPrice         decimal.Decimal  `json:"unitPrice" rest:"required"`
	DiscountPercent   decimal.Decimal  `json:"discountPercent"` // 0 if it is not given
	TaxRate           *decimal.Decimal `json:"taxRate"`         // percent; nil if it is not given, which is not 0
	Comment           string           `json:"comment"`
}

// Freight is the order's freight charge.
type Freight struct {
	Description string           `json:"description"`
	Amount      decimal.Decimal  `json:"amount" rest:"required"`
	TaxRate     *decimal.Decimal `json:"taxRate"` // percent; nil if it is not given, which is not 0
}

// Totals are an order's sums.
type Totals struct {
	Subtotal decimal.Decimal `json:"subtotal"`
	Tax      decimal.Decimal `json:"tax"`
	Total    decimal.Decimal `json:"total" rest:"required"`
}

// External is what an order became in the inventory system.
type External struct {
	System string `json:"system"` // cin7core
	Number string `json:"number"`
	URL    string `json:"url,omitempty"`
}

// FieldError is a faulty field of an order: its path, as lines[0].quantity (counted from 0), and what is wrong in plain
// words, as "is not a number".
type FieldError = rest.FieldError

// ParseOrder reads what can be read of an order, and reports each field that cannot be read or that the contract rules
// out.
func ParseOrder(raw json.RawMessage) (Order, []FieldError) {
	var o Order
	var wrong []FieldError
	if err := rest.Unmarshal(raw, &o); err != nil {
		wrong, _ = errors.AsType[rest.FieldErrors](err)
	}
	o.Status = strings.ToLower(strings.TrimSpace(o.Status))
	if !slices.ContainsFunc(o.Comments, func(c Comment) bool { return c.At.IsZero() }) {
		slices.SortStableFunc(o.Comments, func(a, b Comment) int { return a.At.Compare(b.At) })
	}
	return o, append(wrong, o.check(wrong)...)
}

// check reports the fields that the contract rules out, apart from those already known to be faulty.
func (o *Order) check(known []FieldError) []FieldError {
	var wrong []FieldError
	report := func(bad bool, message, field string, args ...any) {
		if !bad {
			return
		}
		field = fmt.Sprintf(field, args...)
		if !slices.ContainsFunc(known, func(e FieldError) bool { return e.Field == field }) {
			wrong = append(wrong, FieldError{Field: field, Message: message})
		}
	}
	hundred := decimal.NewFromInt(100)
	badPercent := func(d decimal.Decimal) bool { return d.IsNegative() || d.GreaterThan(hundred) }
	badRate := func(d *decimal.Decimal) bool { return d != nil && badPercent(*d) }
	report(o.ID <= 0, "is not more than 0", "id")
	if !slices.ContainsFunc(known, func(e FieldError) bool { return e.Field == "customer" }) {
		report(o.Customer.ID <= 0, "is not more than 0", "customer.id")
	}
	report(len(o.Lines) == 0, "is empty", "lines")
	for i, l := range o.Lines {
		report(!l.Quantity.IsPositive(), "is not more than 0", "lines[%d].quantity", i)
		report(l.UnitPrice.IsNegative(), "is less than 0", "lines[%d].unitPrice", i)
		report(badPercent(l.DiscountPercent), "is not between 0 and 100", "lines[%d].discountPercent", i)
		report(badRate(l.TaxRate), "is not between 0 and 100", "lines[%d].taxRate", i)
	}
	if o.Freight != nil {
		report(o.Freight.Amount.IsNegative(), "is less than 0", "freight.amount")
		report(badRate(o.Freight.TaxRate), "is not between 0 and 100", "freight.taxRate")
	}
	return wrong
}

// OrderID reads only the id, a number or a string, even from an order that is otherwise broken.
func OrderID(raw json.RawMessage) (int64, bool) {
	var o struct {
		ID int64 `json:"id"`
	}
	_ = rest.Unmarshal(raw, &o)
	return o.ID, o.ID > 0
}

// Net is quantity × unit price less discount, in cents.
func (l Line) Net() decimal.Decimal {
	return l.Quantity.Mul(l.UnitPrice).Mul(decimal.NewFromInt(100).Sub(l.DiscountPercent)).Shift(-2).Round(2)
}

// Tax is the tax on Net, in cents; 0 if no rate is given.
func (l Line) Tax() decimal.Decimal { return tax(l.Net(), l.TaxRate) }

// Tax is the tax on Amount, in cents; 0 if no rate is given.
func (f Freight) Tax() decimal.Decimal { return tax(f.Amount.Round(2), f.TaxRate) }

func tax(net decimal.Decimal, percent *decimal.Decimal) decimal.Decimal {
	if percent == nil {
		return decimal.Zero
	}
	return net.Mul(*percent).Shift(-2).Round(2)
}

// Totals returns the totals stated in the order, or else the computed ones.
func (o Order) Totals() Totals {
	if o.Stated != nil {
		return *o.Stated
	}
	return o.Computed()
}

// Computed returns the totals by the contract's rule: each line's net and tax are rounded half away from zero to cents,
// then summed.
func (o Order) Computed() Totals {
	var t Totals
	for _, l := range o.Lines {
		t.Subtotal = t.Subtotal.Add(l.Net())
		t.Tax = t.Tax.Add(l.Tax())
	}
	if o.Freight != nil {
		t.Subtotal = t.Subtotal.Add(o.Freight.Amount.Round(2))
		t.Tax = t.Tax.Add(o.Freight.Tax())
	}
	t.Total = t.Subtotal.Add(t.Tax)
	return t
}
