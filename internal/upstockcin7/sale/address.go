package sale

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/match"
	"stockbridge/internal/prose"
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

// shippingFrom is where the order goes, and who takes it there. An address of the card is sent by its id; any other is
// written out with ShipToOther, without which Cin7 Core would add it to the card. So is one of the card's where somebody
// else takes the delivery: Cin7 Core keeps a company and a contact beside ShipToOther alone.
func (p *planner) shippingFrom(o upstock.Order, card cin7core.Customer) cin7core.AddressRef {
	if p.badUnder("deliveryAddress") {
		return cin7core.AddressRef{} // there is a problem already
	}
	given := cleanAddress(o.DeliveryAddress)
	if !p.known && !hasPlace(given) {
		return cin7core.AddressRef{}
	}
	at, place := p.destination(o, given, card)
	p.sayUnfit(place)
	switch {
	case at.ID == "" && hasPlace(given):
		return p.writtenOut(given, card)
	case !takenByOther(given, card):
		return cin7core.AddressRef{ID: at.ID}
	case at.ID == "":
		p.problem(0, "address", "The order says who takes the delivery, but not where, and the customer's card has no default delivery address.",
			"Complete the delivery address in Upstock"+thenRetry, Want{Kind: WantCustomer, ID: card.ID})
		return cin7core.AddressRef{}
	}
	return p.writtenOut(upstock.Address{Company: given.Company, Contact: given.Contact, Line1: prose.Clean(at.Line1), Line2: prose.Clean(at.Line2),
		City: prose.Clean(at.City), Region: prose.Clean(at.State), Postcode: prose.Clean(at.Postcode), Country: prose.Clean(at.Country)}, card)
}

// destination is the address of the card that the order goes to, and in words where that is: the one that the custom
// field chooses, the one that is the order's delivery address, the default. It has no ID where the delivery address is
// none of the card's, or the card has none to choose.
func (p *planner) destination(o upstock.Order, given upstock.Address, card cin7core.Customer) (at cin7core.CustomerAddress, place string) {
	if at = p.chosenAddress(o, given, card); at.ID != "" {
		return at, ""
	}
	if hasPlace(given) {
		place = "the order's delivery address, " + prose.Quote(oneLine(given.Line1, given.Line2, given.City, given.Postcode))
		if same := p.sameAddresses(given, card); len(same) > 0 {
			at = same[0]
		}
		return at, place
	}
	if at = defaultAddress(card, shippingType); at.ID != "" {
		return at, "the default delivery address of the customer's card, " + prose.Quote(oneLine(at.Line1, at.Line2, at.City, at.Postcode))
	}
	var all []cin7core.CustomerAddress
	for _, a := range card.Addresses {
		if a.ID != "" && match.Same(a.Type, shippingType) {
			all = append(all, a)
		}
	}
	switch len(all) {
	case 0:
		return at, "no address: neither the order nor the customer's card has one"
	case 1:
		return all[0], "the only delivery address of the customer's card, " + prose.Quote(oneLine(all[0].Line1, all[0].Line2, all[0].City, all[0].Postcode))
	}
	if p.unfit == "" {
		p.say("The order names no delivery address, and of the %d on the customer's card none is the default: Cin7 Core chooses one.", len(all))
	}
	return at, "the address that Cin7 Core chooses, as the customer's card has no default"
}

func oneLine(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return strings.TrimSpace(s) == "" }), ", ")
}

// sayUnfit says where the sale goes although the custom field names another place, or makes that a problem.
func (p *planner) sayUnfit(place string) {
	switch {
	case p.unfit == "":
	case p.s.OnUnknownAddress == tenant.Reject:
		p.problem(0, "address", p.unfit+".", "Correct the custom field in Upstock, add the address to the customer's card in Cin7 Core, or set onUnknownAddress to say"+thenRetry,
			Want{Kind: WantCustomer, ID: p.card.ID})
	case place == "":
		p.say("%s.", p.unfit)
	default:
		p.say("%s; the sale goes to %s.", p.unfit, place)
	}
}

// chosenAddress is the card's address that the custom field of the settings names, none where there is none or it names none.
func (p *planner) chosenAddress(o upstock.Order, given upstock.Address, card cin7core.Customer) (none cin7core.CustomerAddress) {
	key, value := strings.TrimSpace(p.s.AddressField), ""
	if key == "" || !p.known {
		return none
	}
	for _, k := range slices.Sorted(maps.Keys(o.CustomFields)) {
		if match.Same(k, key) && (value == "" || k == key) {
			value = o.CustomFields[k]
		}
	}
	if match.Words(value) == "" {
		if p.badUnder("customFields") {
			p.unfit = "The order's custom fields cannot be read, and " + prose.Quote(key) + " should choose the delivery address"
		}
		return none
	}
	found := fitting(card, value, p.s.AddressMatch)
	if len(found) == 0 {
		p.unfit = fmt.Sprintf("No address on the customer's card fits the custom field %s, which says %s", prose.Quote(key), prose.Quote(value))
		p.want(Want{Kind: WantCustomer, ID: card.ID})
		return none
	}
	for _, a := range found {
		if sameAddress(given, a) {
			return a
		}
	}
	if len(found) > 1 {
		p.unfit = fmt.Sprintf("%d addresses on the customer's card fit the custom field %s, which says %s", len(found), prose.Quote(key), prose.Quote(value))
		if p.s.OnUnknownAddress != tenant.Reject {
			p.unfit = ""
			p.say("%d addresses on the customer's card fit the custom field %s, which says %s; the sale has %s.", len(found), prose.Quote(key), prose.Quote(value),
				prose.Quote(oneLine(found[0].Line1, found[0].Line2, found[0].City)))
		} else if found[0].DefaultForType && !found[1].DefaultForType {
			p.unfit = ""
		}
	}
	return found[0]
}

// fitting are the card's addresses that a custom field's value fits, different ones only: those that it names in full
// before those that it names in part.
func fitting(card cin7core.Customer, value, by string) []cin7core.CustomerAddress {
	words, code := match.Words(value), match.Code(value)
	line1 := by == tenant.MatchLine1 || by == tenant.MatchAny || by == ""
	full := func(a cin7core.CustomerAddress) bool {
		street := match.Words(a.Line1 + " " + a.Line2)
		return line1 && street != "" && slices.Contains([]string{street, street + " " + match.Words(a.City), match.Words(a.Line1 + " " + a.Line2 + " " + a.City + " " + a.Postcode),
			match.Words(a.Line1 + " " + a.Line2 + " " + a.City + " " + a.State + " " + a.Postcode)}, words)
	}
	part := func(a cin7core.CustomerAddress) bool {
		return line1 && match.Words(a.Line1) == words || by != tenant.MatchLine1 && by != tenant.MatchPostcode && match.Words(a.City) == words ||
			by != tenant.MatchLine1 && by != tenant.MatchCity && code != "" && match.Code(a.Postcode) == code
	}
	found := matching(card, full)
	if len(found) == 0 {
		found = matching(card, part)
	}
	var different []cin7core.CustomerAddress
	for _, a := range found {
		if !slices.ContainsFunc(different, func(b cin7core.CustomerAddress) bool { return sameAddress(asGiven(b), a) }) {
			different = append(different, a)
		}
	}
	return different
}

func asGiven(a cin7core.CustomerAddress) upstock.Address {
	return upstock.Address{Line1: a.Line1, Line2: a.Line2, City: a.City, Region: a.State, Postcode: a.Postcode, Country: a.Country}
}

// sameAddresses are the card's that are the address given, letter for letter first.
func (p *planner) sameAddresses(given upstock.Address, card cin7core.Customer) []cin7core.CustomerAddress {
	same := matching(card, func(a cin7core.CustomerAddress) bool { return sameAddress(given, a) })
	slices.SortStableFunc(same, func(a, b cin7core.CustomerAddress) int {
		given.Company, given.Contact = "", ""
		return cmp.Compare(boolInt(asGiven(b) == given), boolInt(asGiven(a) == given))
	})
	return same
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// sameAddress compares part by part, each as what it is. A part that one of them lacks makes them different: a building is
// not a shop in it.
func sameAddress(given upstock.Address, a cin7core.CustomerAddress) bool {
	return match.Words(given.Line1) != "" && match.Words(given.Line1) == match.Words(a.Line1) && match.Words(given.Line2) == match.Words(a.Line2) &&
		match.Words(given.City) == match.Words(a.City) && match.Words(given.Region) == match.Words(a.State) &&
		match.Code(given.Postcode) == match.Code(a.Postcode) && match.Country(given.Country) == match.Country(a.Country)
}

// takenByOther reports whether somebody takes the delivery whom Cin7 Core would not put on a sale to the card's own address.
func takenByOther(given upstock.Address, card cin7core.Customer) bool {
	if given.Company != "" && match.Key(given.Company) != match.Key(card.Name) && (card.DisplayName == "" || match.Key(given.Company) != match.Key(card.DisplayName)) {
		return true
	}
	if given.Contact == "" {
		return false
	}
	var names []string
	for _, c := range card.Contacts {
		if c.Default || len(card.Contacts) == 1 {
			names = append(names, match.Key(c.Name))
		}
	}
	return len(names) != 1 || names[0] != match.Key(given.Contact) // of several defaults, who would stand on it is not known
}

// matching are the card's addresses that fit, shipping addresses only if any of them does; defaults first, then by id.
func matching(card cin7core.Customer, fits func(cin7core.CustomerAddress) bool) []cin7core.CustomerAddress {
	var shipping, others []cin7core.CustomerAddress
	for _, a := range card.Addresses {
		switch {
		case a.ID == "" || !fits(a):
		case match.Same(a.Type, shippingType):
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
		if a.DefaultForType && a.ID != "" && match.Same(a.Type, kind) {
			return a
		}
	}
	return cin7core.CustomerAddress{}
}

// cleanAddress has its first line first, and no part without a letter or digit, as “-”.
func cleanAddress(given *upstock.Address) upstock.Address {
	if given == nil {
		return upstock.Address{}
	}
	line := func(s string) string {
		if match.Words(s) == "" {
			return ""
		}
		return strings.Join(strings.Fields(prose.Clean(s)), " ")
	}
	a := upstock.Address{
		Company: line(given.Company), Contact: line(given.Contact), Line1: line(given.Line1), Line2: line(given.Line2),
		City: line(given.City), Region: line(given.Region), Postcode: line(given.Postcode), Country: line(given.Country),
	}
	if a.Line1 == "" {
		a.Line1, a.Line2 = a.Line2, ""
	}
	return a
}

// hasPlace reports whether an address says where: a country alone does not, nor who takes the delivery.
func hasPlace(a upstock.Address) bool { return a.Line1+a.Line2+a.City+a.Region+a.Postcode != "" }

// writtenOut is an address that stands on the sale alone.
func (p *planner) writtenOut(a upstock.Address, card cin7core.Customer) cin7core.AddressRef {
	const fix = "Complete the delivery address in Upstock" + thenRetry
	if a.Line1 == "" {
		p.problem(0, "address", "The delivery address has no street line.", fix)
	}
	country := a.Country
	if country == "" {
		if country = countryOf(card); country != "" {
			p.say("The delivery address names no country; the sale has %s, as the customer's card.", prose.Quote(country))
		} else if p.known {
			p.problem(0, "address", "The delivery address names no country, and the customer's card has none either, or several.", fix, Want{Kind: WantCustomer, ID: card.ID})
		}
	}
	short := func(what, s string, max int) string {
		s, was := prose.Cut(s, max)
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

// countryOf is the country in which all addresses of the card are.
func countryOf(card cin7core.Customer) string {
	country := ""
	for _, a := range card.Addresses {
		c := strings.TrimSpace(a.Country)
		if c != "" && country != "" && match.Country(c) != match.Country(country) {
			return ""
		}
		country = cmp.Or(country, c)
	}
	return country
}
