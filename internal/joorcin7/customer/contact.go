package customer

import (
	"encoding/json"
	"strings"
)

// Contact is a customer record of Cin7 Omni, without what is neither mapped nor matched by: a change of anything else
// does not change it.
type Contact struct {
	ID            string  `json:"id"` // a decimal number
	Active        bool    `json:"active,omitempty"`
	Company       string  `json:"company,omitempty"`
	First         string  `json:"first,omitempty"`
	Last          string  `json:"last,omitempty"`
	Email         string  `json:"email,omitempty"`
	Phone         string  `json:"phone,omitempty"`
	Mobile        string  `json:"mobile,omitempty"`
	AccountNumber string  `json:"accountNumber,omitempty"`
	Delivery      Address `json:"delivery,omitzero"` // Omni's address
	Postal        Address `json:"postal,omitzero"`
	PriceColumn   string  `json:"priceColumn,omitempty"`
	Terms         string  `json:"terms,omitempty"`
	SalesPerson   string  `json:"salesPerson,omitempty"` // a user's id; "" = none
	Group         string  `json:"group,omitempty"`
}

// Address is an address on either side.
type Address struct {
	Line1    string `json:"1,omitempty"`
	Line2    string `json:"2,omitempty"`
	City     string `json:"c,omitempty"`
	State    string `json:"s,omitempty"`
	Postcode string `json:"p,omitempty"`
	Country  string `json:"y,omitempty"`
}

// ReadContact reads a contact as Row wrote it.
func ReadContact(data json.RawMessage) (c Contact, err error) {
	return c, json.Unmarshal(data, &c)
}

// Row is the contact as it is kept.
func (c Contact) Row() (json.RawMessage, error) { return json.Marshal(c) }

// Person is the first and last name.
func (c Contact) Person() string { return joined(c.First, c.Last) }

// Name is what people call the contact: the company, else the person, else the e-mail, else the id.
func (c Contact) Name() string {
	return first(strings.TrimSpace(c.Company), c.Person(), strings.TrimSpace(c.Email), c.ID)
}

// empty reports whether nothing of the address is known that a letter needs: a country alone is no address.
func (a Address) empty() bool {
	return strings.TrimSpace(a.Line1+a.Line2+a.City+a.State+a.Postcode) == ""
}

// trimmed is the address without blanks around its texts.
func (a Address) trimmed() Address {
	for _, s := range []*string{&a.Line1, &a.Line2, &a.City, &a.State, &a.Postcode, &a.Country} {
		*s = strings.TrimSpace(*s)
	}
	if a.Line1 == "" { // JOOR asks for the first line
		a.Line1, a.Line2 = a.Line2, ""
	}
	return a
}

// joined joins texts with a blank between, leaving out those that are empty.
func joined(texts ...string) string { return strings.Join(some(texts...), " ") }

// some are the texts that are not empty, without blanks around them.
func some(texts ...string) (list []string) {
	for _, s := range texts {
		if s = strings.TrimSpace(s); s != "" {
			list = append(list, s)
		}
	}
	return list
}

// first is the first text that is not empty.
func first(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}
