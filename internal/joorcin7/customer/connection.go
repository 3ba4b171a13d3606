package customer

import (
	"encoding/json"
	"strings"
)

// Connection is JOOR's record of a retailer, as far as it is mapped. Names in JSON are short: five hundred of them go
// in one call, which is on record before it is made.
type Connection struct {
	Code     string  `json:"code,omitempty"` // the brand's own id of it: customer_code
	Name     string  `json:"name,omitempty"`
	Email    string  `json:"mail,omitempty"`
	Buyer    string  `json:"buyer,omitempty"`
	Phone    string  `json:"tel,omitempty"`
	Billing  Address `json:"bill,omitzero"` // none = as Shipping
	Shipping Address `json:"ship,omitzero"`
	Mark     string  `json:"mark,omitempty"` // of both addresses: the contact's id
	Price    Price   `json:"price,omitzero"`
	Others   []Price `json:"others,omitempty"` // price types that JOOR's people added
	Terms    string  `json:"terms,omitempty"`
	Rep      string  `json:"rep,omitempty"` // code
	Group    string  `json:"group,omitempty"`
}

// Price is a price type of JOOR's: a label in a currency.
type Price struct {
	Currency string `json:"currency"`
	Label    string `json:"label"`
}

// String is a price type for people.
func (p Price) String() string { return joined(p.Label, p.Currency) }

// Pack is the connection as it is published.
func (c Connection) Pack() (json.RawMessage, error) {
	if c.Billing == c.Shipping {
		c.Billing = Address{}
	}
	return json.Marshal(c)
}

// ReadConnection reads what Pack wrote.
func ReadConnection(data json.RawMessage) (c Connection, err error) {
	if err = json.Unmarshal(data, &c); err == nil && c.Billing == (Address{}) {
		c.Billing = c.Shipping
	}
	return c, err
}

// Field is a mapped field as both sides hold it, as text; "" = nothing.
type Field struct {
	Name    string // for people
	Ours    string // as JOOR should have it, from Cin7 Omni
	Theirs  string // as JOOR has it, as far as we know
	Differs bool
}

// Compare are all mapped fields of a connection as it should be and as JOOR has it.
func Compare(ours, theirs Connection) []Field {
	mine, other := ours.texts(), theirs.texts()
	list := make([]Field, len(mine))
	for i, f := range mine {
		list[i] = Field{Name: f.name, Ours: f.text, Theirs: other[i].text, Differs: f.text != other[i].text}
	}
	return list
}

type namedText struct{ name, text string }

func (c Connection) texts() []namedText {
	var prices []string
	for _, p := range c.Prices() {
		prices = append(prices, p.String())
	}
	list := []namedText{
		{"Customer code", c.Code}, {"Name", c.Name}, {"E-mail", c.Email}, {"Buyer", c.Buyer}, {"Phone", c.Phone},
		{"Price type", strings.Join(prices, ", ")}, {"Payment terms", c.Terms}, {"Sales rep", c.Rep},
		{"Group", c.Group},
	}
	list = append(list, c.Shipping.texts("Delivery")...)
	list = append(list, c.Billing.texts("Billing")...)
	return append(list, namedText{"Shipping code", c.Mark})
}

func (a Address) texts(of string) []namedText {
	return []namedText{
		{of + " address 1", a.Line1}, {of + " address 2", a.Line2}, {of + " city", a.City}, {of + " state", a.State},
		{of + " postcode", a.Postcode}, {of + " country", a.Country},
	}
}

// Over is the connection as JOOR is to hold it where it holds another: what is not mapped of it, or empty in Cin7 Omni,
// stays.
func (c Connection) Over(theirs Connection) Connection {
	c.Others = without(theirs.Others, c.Price)
	if theirs.Code != "" {
		c.Code = theirs.Code
	}
	for _, f := range []struct{ to, from *string }{
		{&c.Terms, &theirs.Terms}, {&c.Rep, &theirs.Rep}, {&c.Group, &theirs.Group}, {&c.Phone, &theirs.Phone},
		{&c.Buyer, &theirs.Buyer},
	} {
		if *f.to == "" {
			*f.to = *f.from
		}
	}
	return c
}

// without is a list without a price type.
func without(list []Price, p Price) (rest []Price) {
	for _, q := range list {
		if !q.same(p) {
			rest = append(rest, q)
		}
	}
	return rest
}

// Priced is the connection with the price types that JOOR has of it, of which the one that is mapped counts if it is
// among them, else the first.
func (c Connection) Priced(all []Price, mapped Price) Connection {
	c.Price = Price{}
	for _, p := range all {
		if p.same(mapped) {
			c.Price = p
		}
	}
	if c.Price == (Price{}) && len(all) > 0 {
		c.Price = all[0]
	}
	c.Others = without(all, c.Price)
	return c
}

// Known is the connection with what was told of it where JOOR says nothing: whether it has none, or does not say it, is
// not known.
func (c Connection) Known(told Connection) Connection {
	for _, f := range []struct{ to, from *string }{
		{&c.Code, &told.Code}, {&c.Name, &told.Name}, {&c.Email, &told.Email}, {&c.Buyer, &told.Buyer},
		{&c.Phone, &told.Phone}, {&c.Mark, &told.Mark}, {&c.Terms, &told.Terms}, {&c.Rep, &told.Rep},
		{&c.Group, &told.Group},
	} {
		if *f.to == "" {
			*f.to = *f.from
		}
	}
	for _, a := range []struct{ to, from *Address }{{&c.Billing, &told.Billing}, {&c.Shipping, &told.Shipping}} {
		if *a.to == (Address{}) {
			*a.to = *a.from
		}
	}
	if c.Price == (Price{}) {
		c.Price, c.Others = told.Price, told.Others
	}
	return c
}

// Prices are all price types of the connection.
func (c Connection) Prices() (all []Price) {
	for _, p := range append([]Price{c.Price}, c.Others...) {
		if p != (Price{}) {
			all = append(all, p)
		}
	}
	return all
}
