package upstockcin7

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
)

const (
	shippingType, billingType = "Shipping", "Billing"
	maxAddress                = 256 // a line, city, region, country
	maxPostcode               = 20
	maxCompany                = 128
	maxContact                = 512
)

func billingFrom(card cin7core.Customer) cin7core.AddressRef {
	return cin7core.AddressRef{ID: defaultAddress(card, billingType).ID}
}

// shippingFrom is where the order goes. An address of the card is sent by its id; any other is written out with
// ShipToOther, without which Cin7 Core would add it to the card.
func (p *planner) shippingFrom(o upstock.Order, card cin7core.Customer) cin7core.AddressRef {
	if id := p.chosenAddress(o, card); id != "" {
		return cin7core.AddressRef{ID: id}
	}
	a := cleanAddress(o.DeliveryAddress)
	if a == (upstock.Address{}) {
		return cin7core.AddressRef{ID: defaultAddress(card, shippingType).ID}
	}
	same := matching(card, func(c cin7core.CustomerAddress) bool {
		return fold(a.Line1) != "" && fold(c.Line1) == fold(a.Line1) && fold(c.City) == fold(a.City) && fold(c.Postcode) == fold(a.Postcode) &&
			(fold(c.Line2) == fold(a.Line2) || fold(c.Line2) == "" || fold(a.Line2) == "")
	})
	if len(same) > 0 {
		return cin7core.AddressRef{ID: same[0].ID}
	}
	return p.addressFrom(a, card)
}

// chosenAddress is the card's address that the custom field of the settings names, "" where there is none.
func (p *planner) chosenAddress(o upstock.Order, card cin7core.Customer) string {
	key, value := strings.TrimSpace(p.s.AddressField), ""
	if key == "" || !p.known {
		return ""
	}
	for _, k := range slices.Sorted(maps.Keys(o.CustomFields)) {
		if sameText(k, key) && (value == "" || k == key) {
			value = o.CustomFields[k]
		}
	}
	wanted := fold(value)
	if wanted == "" {
		return ""
	}
	found := matching(card, func(c cin7core.CustomerAddress) bool {
		switch p.s.AddressMatch {
		case tenant.MatchLine1:
			return fold(c.Line1) == wanted
		case tenant.MatchCity:
			return fold(c.City) == wanted
		case tenant.MatchPostcode:
			return fold(c.Postcode) == wanted
		}
		return fold(c.Line1) == wanted || fold(c.City) == wanted || fold(c.Postcode) == wanted
	})
	if len(found) == 0 {
		p.say("No address on the customer's card fits the custom field %s, which says %s.", quote(key), quote(value))
		p.want(Want{Kind: WantCustomer, ID: card.ID})
		return ""
	}
	if len(found) > 1 && !found[0].DefaultForType {
		p.say("%d addresses on the customer's card fit the custom field %s, which says %s; the sale has %s.", len(found), quote(key), quote(value), quote(found[0].Line1))
	}
	return found[0].ID
}

// matching are the card's addresses that fit, shipping addresses only if any of them does; defaults first, then by id.
func matching(card cin7core.Customer, fits func(cin7core.CustomerAddress) bool) []cin7core.CustomerAddress {
	var shipping, others []cin7core.CustomerAddress
	for _, a := range card.Addresses {
		switch {
		case a.ID == "" || !fits(a):
		case sameText(a.Type, shippingType):
			shipping = append(shipping, a)
		default:
			others = append(others, a)
		}
	}
	if len(shipping) == 0 {
		shipping = others
	}
	slices.SortStableFunc(shipping, func(a, b cin7core.CustomerAddress) int {
		if a.DefaultForType != b.DefaultForType {
			if a.DefaultForType {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.ID, b.ID)
	})
	return shipping
}

func defaultAddress(card cin7core.Customer, kind string) cin7core.CustomerAddress {
	for _, a := range card.Addresses {
		if a.DefaultForType && a.ID != "" && sameText(a.Type, kind) {
			return a
		}
	}
	return cin7core.CustomerAddress{}
}

// cleanAddress has its first line first, and the country alone is no address.
func cleanAddress(given *upstock.Address) upstock.Address {
	if given == nil {
		return upstock.Address{}
	}
	line := func(s string) string { return strings.Join(strings.Fields(clean(s)), " ") }
	a := upstock.Address{
		Company: line(given.Company), Contact: line(given.Contact), Line1: line(given.Line1), Line2: line(given.Line2),
		City: line(given.City), Region: line(given.Region), Postcode: line(given.Postcode), Country: line(given.Country),
	}
	if a.Line1 == "" {
		a.Line1, a.Line2 = a.Line2, ""
	}
	if a == (upstock.Address{Country: a.Country}) {
		return upstock.Address{}
	}
	return a
}

// addressFrom writes an address out.
func (p *planner) addressFrom(a upstock.Address, card cin7core.Customer) cin7core.AddressRef {
	const fix = "Complete the delivery address in Upstock" + thenRetry
	if a.Line1 == "" {
		p.problem(0, "address", "The delivery address has no street line.", fix)
	}
	country := a.Country
	if country == "" {
		if country = countryOf(card); country != "" {
			p.say("The delivery address names no country; the sale has %s, as the customer's card.", quote(country))
		} else if p.known {
			p.problem(0, "address", "The delivery address names no country, and the customer's card has none either.", fix, Want{Kind: WantCustomer, ID: card.ID})
		}
	}
	short := func(what, s string, max int) string {
		s, was := cut(s, max)
		if was {
			p.say("The delivery address's %s was cut at %d characters.", what, max)
		}
		return s
	}
	return cin7core.AddressRef{
		Company:     short("company", a.Company, maxCompany),
		Contact:     short("contact", a.Contact, maxContact),
		Line1:       short("first line", a.Line1, maxAddress),
		Line2:       short("second line", a.Line2, maxAddress),
		City:        short("city", a.City, maxAddress),
		State:       short("region", a.Region, maxAddress),
		Postcode:    short("postcode", a.Postcode, maxPostcode),
		Country:     short("country", country, maxAddress),
		ShipToOther: true,
	}
}

func countryOf(card cin7core.Customer) string {
	for _, a := range []cin7core.CustomerAddress{defaultAddress(card, shippingType), defaultAddress(card, billingType)} {
		if c := strings.TrimSpace(a.Country); c != "" {
			return c
		}
	}
	for _, a := range card.Addresses {
		if c := strings.TrimSpace(a.Country); c != "" {
			return c
		}
	}
	return ""
}
