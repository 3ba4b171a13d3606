package catalogue

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/shopspring/decimal"

	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
)

// Settings are what a tenant decides of the catalogue. The zero value is not valid: start from DefaultSettings.
type Settings struct {
	ImportNewProducts bool
	OutOfStock        bool
	ProductImages     bool
	DefaultPriceTier  string              // a tier's code or name; "" = tier 1
	PriceHoldPercent  decimal.NullDecimal // not valid = no change is held for its size
	PriceCheck        string
	PriceCheckPercent decimal.Decimal
}

// Values of priceCheck.
const (
	CheckOff  = "off"
	CheckSay  = "say"
	CheckHold = "hold"
)

// DefaultSettings import what is chosen with its images, and hold nothing but what would be given away.
func DefaultSettings() Settings { return Settings{ProductImages: true, PriceCheck: CheckOff} }

// SettingsOf reads the settings from all that a tenant has stored.
func SettingsOf(stored []byte) Settings {
	s := DefaultSettings()
	tenant.Read(stored, &s)
	return s
}

// Fields implements tenant.Section.
func (s *Settings) Fields() []tenant.Field {
	return []tenant.Field{
		{Name: "importNewProducts", To: (*tenant.YesNo)(&s.ImportNewProducts),
			Help: "Whether a product that is new in Cin7 Core is imported by itself."},
		{Name: "outOfStock", To: (*tenant.YesNo)(&s.OutOfStock),
			Help: "Whether a product of which nothing is available in Cin7 Core is out of stock in Upstock."},
		{Name: "productImages", To: (*tenant.YesNo)(&s.ProductImages),
			Help: "Whether products are imported with their default image."},
		{Name: "defaultPriceTier", To: &s.DefaultPriceTier, Max: 256,
			Help: "The code, 1 to 10, or the name of the Cin7 Core price tier that is a product's default price; " +
				"empty = the first."},
		{Name: "priceHoldPercent", To: (*optional)(&s.PriceHoldPercent),
			Help: "Price changes of more than this percentage wait for a yes; empty = none does. What would be " +
				"given away always waits. It looks at prices that change within a price list: a customer who moves " +
				"to another list, by another tier, discount or a first own price, is not held."},
		{Name: "priceCheck", To: &s.PriceCheck, Choices: []string{CheckOff, CheckSay, CheckHold},
			Help: "What becomes of an order whose price is not the customer's price in Cin7 Core. say: it is said. " +
				"hold: it is said, and beyond priceCheckPercent the order needs attention."},
		{Name: "priceCheckPercent", To: (*percent)(&s.PriceCheckPercent),
			Help: "With priceCheck hold: how far a price may be from the customer's price in Cin7 Core, in percent " +
				"of that."},
	}
}

// mostPercent is the largest percentage that a setting may be.
const mostPercent = 1000

// Check implements tenant.Section.
func (s *Settings) Check() (errs tenant.FieldErrors) {
	check := func(field string, d decimal.Decimal) {
		if d.IsNegative() || d.GreaterThan(decimal.NewFromInt(mostPercent)) || !d.Equal(d.Round(2)) {
			errs = append(errs, tenant.FieldError{Field: field,
				Message: "Use a percentage from 0 to " + strconv.Itoa(mostPercent) + " with at most two decimals."})
		}
	}
	if s.PriceHoldPercent.Valid {
		check("priceHoldPercent", s.PriceHoldPercent.Decimal)
	}
	check("priceCheckPercent", s.PriceCheckPercent)
	return errs
}

// percent is a percentage as a setting: a text, read from a number too.
type percent decimal.Decimal

// MarshalJSON implements json.Marshaler.
func (p percent) MarshalJSON() ([]byte, error) { return json.Marshal(decimal.Decimal(p).String()) }

// UnmarshalJSON implements json.Unmarshaler.
func (p *percent) UnmarshalJSON(data []byte) error {
	d, err := rest.ParseNumber(string(bytes.Trim(data, `"`)))
	if err != nil {
		return tenant.FieldError{Message: "Use a percentage, as 20."}
	}
	*p = percent(d)
	return nil
}

// optional is a percentage, or none as an empty text.
type optional decimal.NullDecimal

// MarshalJSON implements json.Marshaler.
func (o optional) MarshalJSON() ([]byte, error) {
	if !o.Valid {
		return []byte(`""`), nil
	}
	return percent(o.Decimal).MarshalJSON()
}

// UnmarshalJSON implements json.Unmarshaler.
func (o *optional) UnmarshalJSON(data []byte) error {
	if string(data) == `""` {
		*o = optional{}
		return nil
	}
	o.Valid = true
	return (*percent)(&o.Decimal).UnmarshalJSON(data)
}
