package customer

import "stockbridge/internal/match"

// Record is the contact as it is matched.
func (c Contact) Record() match.Record {
	r := match.Record{ID: c.ID, Codes: some(c.ID, c.AccountNumber), Emails: some(c.Email),
		Phones: some(c.Phone, c.Mobile), Company: c.Company, Person: c.Person()}
	for _, a := range []Address{c.Delivery, c.Postal} {
		r.Addresses = a.add(r.Addresses)
	}
	return r
}

// add adds an address to those that are matched by, unless it is empty.
func (a Address) add(list []match.Address) []match.Address {
	if a.empty() {
		return list
	}
	return append(list, match.Address{Street: some(a.Line1, a.Line2), City: a.City, Region: a.State,
		Postcode: a.Postcode, Country: a.Country})
}

// Record is the connection as it is matched, by JOOR's id.
func (c Connection) Record(id string) match.Record {
	r := match.Record{ID: id, Codes: some(c.Code, c.Mark), Emails: some(c.Email), Phones: some(c.Phone),
		Company: c.Name, Person: c.Buyer}
	r.Addresses = c.Shipping.add(r.Addresses)
	if c.Billing != c.Shipping {
		r.Addresses = c.Billing.add(r.Addresses)
	}
	return r
}
