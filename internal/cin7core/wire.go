package cin7core

import (
	"time"

	"github.com/shopspring/decimal"
)

// number writes a decimal as a JSON number.
type number decimal.Decimal

func (n number) MarshalJSON() ([]byte, error) { return []byte(decimal.Decimal(n).String()), nil }

// date writes a calendar date as the vendor does: the year, month and day in the time's own zone.
type date time.Time

func (d date) IsZero() bool { return time.Time(d).IsZero() }

func (d date) MarshalJSON() ([]byte, error) {
	return []byte(time.Time(d).Format(`"2006-01-02T00:00:00"`)), nil
}

func (h SaleHeader) wire() wireHeader {
	w := wireHeader{
		CustomerID: h.CustomerID, Customer: h.Customer, Contact: h.Contact, Phone: h.Phone, Email: h.Email,
		BillingAddress: h.BillingAddress.wire(false), ShippingAddress: h.ShippingAddress.wire(true),
		ShippingNotes: h.ShippingNotes,
		TaxRule:       h.TaxRule, TaxInclusive: h.TaxInclusive, Terms: h.Terms, PriceTier: h.PriceTier,
		ShipBy: date(h.ShipBy), SaleOrderDate: date(h.SaleOrderDate), Location: h.Location, Note: h.Note,
		CustomerReference: h.CustomerReference, SalesRepresentative: h.SalesRepresentative, Carrier: h.Carrier,
		ExternalID: h.ExternalID, SaleType: h.SaleType, SkipQuote: h.SkipQuote,
	}
	if !h.CurrencyRate.IsZero() {
		rate := number(h.CurrencyRate)
		w.CurrencyRate = &rate
	}
	if h.AdditionalAttributes != (Attributes{}) {
		w.AdditionalAttributes = &h.AdditionalAttributes
	}
	return w
}

func (a AddressRef) wire(shipping bool) *wireAddress {
	if a == (AddressRef{}) {
		return nil
	}
	if a.ID != "" && !a.ShipToOther { // the vendor ignores the ID of a one-off address
		return &wireAddress{ID: a.ID}
	}
	w := &wireAddress{Line1: a.Line1, Line2: a.Line2, City: a.City, State: a.State, Postcode: a.Postcode,
		Country: a.Country}
	if shipping {
		w.Company, w.Contact, w.ShipToOther = a.Company, a.Contact, &a.ShipToOther
	}
	return w
}
