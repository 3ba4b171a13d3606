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
// written out with ShipToOther, without which Cin7 Core would add it to the card. So is one of the card's where
// somebody else takes the delivery: Cin7 Core keeps a company and a contact beside ShipToOther alone.
func (p *planner) shippingFrom() cin7core.AddressRef {
	if p.unreadableBelow("deliveryAddress") {
		return cin7core.AddressRef{} // there is a problem already
	}
	given := cleanAddress(p.o.DeliveryAddress)
	if !p.known && !hasPlace(given) {
		return cin7core.AddressRef{}
	}
	at, unfit := p.chosenAddress(given)
	place := ""
	if at.ID == "" {
		at, place = p.destination(given, unfit != "")
	}
	p.sayUnfit(unfit, place)
	switch {
	case at.ID == "" && hasPlace(given):
		return p.writtenOut(given)
	case !takenByOther(given, p.card):
		return cin7core.AddressRef{ID: at.ID}
	case at.ID == "":
		p.problem(0, "address", "The order says who takes the delivery, but not where, "+
			"and the customer's card has no default delivery address.",
			"Complete the delivery address in Upstock", Want{Kind: WantCustomer, ID: p.card.ID})
		return cin7core.AddressRef{}
	}
	there := ofCard(at)
	for _, part := range parts(&there) {
		*part = prose.Clean(*part)
	}
	there.Company, there.Contact = given.Company, given.Contact
	return p.writtenOut(there)
}

// chosenAddress is the card's address that the custom field of the settings names, without an ID where there is none or
// it names none. Unfit is why the field cannot be followed as it stands.
func (p *planner) chosenAddress(given upstock.Address) (at cin7core.CustomerAddress, unfit string) {
	key := strings.TrimSpace(p.s.AddressField)
	if key == "" || !p.known {
		return at, ""
	}
	value := p.customField(key)
	if match.Words(value) == "" {
		if p.unreadableBelow("customFields") {
			unfit = "The order's custom fields cannot be read, and " + prose.Quote(key) +
				" should choose the delivery address"
		}
		return at, unfit
	}
	says := fmt.Sprintf("the custom field %s, which says %s", prose.Quote(key), prose.Quote(value))
	found := fitting(p.card, value, p.s.AddressMatch)
	if len(found) == 0 {
		p.want(Want{Kind: WantCustomer, ID: p.card.ID})
		return at, "No address on the customer's card fits " + says
	}
	if i := slices.IndexFunc(found, func(a cin7core.CustomerAddress) bool { return sameAddress(given, a) }); i >= 0 {
		return found[i], ""
	}
	first := found[0]
	if len(found) == 1 {
		return first, ""
	}
	several := fmt.Sprintf("%d addresses on the customer's card fit %s", len(found), says)
	switch {
	case p.s.OnUnknownAddress != Reject:
		p.say("%s; the sale has %s.", several, prose.Quote(oneLine(first.Line1, first.Line2, first.City)))
	case !first.DefaultForType || found[1].DefaultForType:
		return first, several
	}
	return first, ""
}

// customField is the order's custom field of that name: exactly, else in another case.
func (p *planner) customField(name string) string {
	value := ""
	for _, k := range slices.Sorted(maps.Keys(p.o.CustomFields)) {
		if match.Same(k, name) && (value == "" || k == name) {
			value = p.o.CustomFields[k]
		}
	}
	return value
}

// destination is the address of the card that the order goes to where no custom field chooses one, and in words where
// that is: the one that is the order's delivery address, the default, the only one. It has no ID where the delivery
// address is none of the card's, or the card has none to choose. Explained reports that where it goes is said in any
// case.
func (p *planner) destination(given upstock.Address, explained bool) (at cin7core.CustomerAddress, place string) {
	if hasPlace(given) {
		if same := sameAddresses(given, p.card); len(same) > 0 {
			at = same[0]
		}
		return at, "the order's delivery address, " + inWords(given)
	}
	if at = defaultAddress(p.card, shippingType); at.ID != "" {
		return at, "the default delivery address of the customer's card, " + inWords(ofCard(at))
	}
	var all []cin7core.CustomerAddress
	for _, a := range p.card.Addresses {
		if a.ID != "" && match.Same(a.Type, shippingType) {
			all = append(all, a)
		}
	}
	switch len(all) {
	case 0:
		return at, "no address: neither the order nor the customer's card has one"
	case 1:
		return all[0], "the only delivery address of the customer's card, " + inWords(ofCard(all[0]))
	}
	if !explained {
		p.say("The order names no delivery address, and of the %d on the customer's card none is the default: "+
			"Cin7 Core chooses one.", len(all))
	}
	return at, "the address that Cin7 Core chooses, as the customer's card has no default"
}

// sayUnfit says where the sale goes although the custom field names another place, or makes that a problem.
func (p *planner) sayUnfit(unfit, place string) {
	switch {
	case unfit == "":
	case p.s.OnUnknownAddress == Reject:
		p.problem(0, "address", unfit+".", "Correct the custom field in Upstock, "+
			"add the address to the customer's card in Cin7 Core, or set onUnknownAddress to say",
			Want{Kind: WantCustomer, ID: p.card.ID})
	case place == "":
		p.say("%s.", unfit)
	default:
		p.say("%s; the sale goes to %s.", unfit, place)
	}
}

// inWords is an address in a sentence.
func inWords(a upstock.Address) string {
	return prose.Quote(oneLine(a.Line1, a.Line2, a.City, a.Postcode))
}

func oneLine(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return strings.TrimSpace(s) == "" }), ", ")
}

// fitting are the card's addresses that a custom field's value fits, different ones only: those that it names in full
// before those that it names in part. By is the setting addressMatch.
func fitting(card cin7core.Customer, value, by string) []cin7core.CustomerAddress {
	words, code := match.Words(value), match.Code(value)
	byStreet := by == MatchLine1 || by == MatchAny || by == ""
	byCity := by != MatchLine1 && by != MatchPostcode
	byPostcode := by != MatchLine1 && by != MatchCity && code != ""
	found := matching(card, func(a cin7core.CustomerAddress) bool {
		return byStreet && slices.Contains(inFull(a), words)
	})
	if len(found) == 0 {
		found = matching(card, func(a cin7core.CustomerAddress) bool {
			return byStreet && match.Words(a.Line1) == words || byCity && match.Words(a.City) == words ||
				byPostcode && match.Code(a.Postcode) == code
		})
	}
	var different []cin7core.CustomerAddress
	for _, a := range found {
		same := func(b cin7core.CustomerAddress) bool { return sameAddress(ofCard(b), a) }
		if !slices.ContainsFunc(different, same) {
			different = append(different, a)
		}
	}
	return different
}

// inFull are the ways to name all of an address, as Words has them; none without a street.
func inFull(a cin7core.CustomerAddress) []string {
	street := a.Line1 + " " + a.Line2
	if match.Words(street) == "" {
		return nil
	}
	return []string{
		match.Words(street),
		match.Words(street) + " " + match.Words(a.City),
		match.Words(street + " " + a.City + " " + a.Postcode),
		match.Words(street + " " + a.City + " " + a.State + " " + a.Postcode),
	}
}

// ofCard is an address of the card as an order gives one.
func ofCard(a cin7core.CustomerAddress) upstock.Address {
	return upstock.Address{
		Line1: a.Line1, Line2: a.Line2, City: a.City, Region: a.State, Postcode: a.Postcode, Country: a.Country,
	}
}

// sameAddresses are the card's that are the address given, letter for letter first.
func sameAddresses(given upstock.Address, card cin7core.Customer) []cin7core.CustomerAddress {
	same := matching(card, func(a cin7core.CustomerAddress) bool { return sameAddress(given, a) })
	given.Company, given.Contact = "", ""
	slices.SortStableFunc(same, func(a, b cin7core.CustomerAddress) int {
		return trueFirst(ofCard(a) == given, ofCard(b) == given)
	})
	return same
}

// sameAddress compares part by part, each as what it is. A part that one of them lacks makes them different: a building
// is not a shop in it.
func sameAddress(given upstock.Address, a cin7core.CustomerAddress) bool {
	return match.Words(given.Line1) != "" && match.Words(given.Line1) == match.Words(a.Line1) &&
		match.Words(given.Line2) == match.Words(a.Line2) && match.Words(given.City) == match.Words(a.City) &&
		match.Words(given.Region) == match.Words(a.State) && match.Code(given.Postcode) == match.Code(a.Postcode) &&
		match.Country(given.Country) == match.Country(a.Country)
}

// takenByOther reports whether somebody takes the delivery whom Cin7 Core would not put on a sale to the card's own
// address.
func takenByOther(given upstock.Address, card cin7core.Customer) bool {
	company := match.Key(given.Company)
	if given.Company != "" && company != match.Key(card.Name) &&
		(card.DisplayName == "" || company != match.Key(card.DisplayName)) {
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
	// Of several defaults, who would stand on it is not known.
	return len(names) != 1 || names[0] != match.Key(given.Contact)
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
		return cmp.Or(trueFirst(a.DefaultForType, b.DefaultForType), cmp.Compare(a.ID, b.ID))
	})
	return shipping
}

// trueFirst compares for a sort.
func trueFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
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
	a := *given
	for _, part := range parts(&a) {
		if match.Words(*part) == "" {
			*part = ""
		}
		*part = strings.Join(strings.Fields(prose.Clean(*part)), " ")
	}
	if a.Line1 == "" {
		a.Line1, a.Line2 = a.Line2, ""
	}
	return a
}

func parts(a *upstock.Address) []*string {
	return []*string{&a.Company, &a.Contact, &a.Line1, &a.Line2, &a.City, &a.Region, &a.Postcode, &a.Country}
}

// hasPlace reports whether an address says where: a country alone does not, nor who takes the delivery.
func hasPlace(a upstock.Address) bool { return a.Line1+a.Line2+a.City+a.Region+a.Postcode != "" }

// writtenOut is an address that stands on the sale alone.
func (p *planner) writtenOut(a upstock.Address) cin7core.AddressRef {
	const fix = "Complete the delivery address in Upstock"
	if a.Line1 == "" {
		p.problem(0, "address", "The delivery address has no street line.", fix)
	}
	if a.Country == "" {
		if a.Country = countryOf(p.card); a.Country != "" {
			p.say("The delivery address names no country; the sale has %s, as the customer's card.",
				prose.Quote(a.Country))
		} else if p.known {
			p.problem(0, "address", "The delivery address names no country, "+
				"and the customer's card has none either, or several.", fix, Want{Kind: WantCustomer, ID: p.card.ID})
		}
	}
	within := func(what, s string, max int) string {
		s, wasCut := prose.Cut(s, max)
		if wasCut {
			p.say("The delivery address's %s was cut at %d characters.", what, max)
		}
		return s
	}
	return cin7core.AddressRef{
		Company:     within("company", a.Company, maxCompany),
		Contact:     within("contact", a.Contact, maxContact),
		Line1:       within("first line", a.Line1, maxAddress),
		Line2:       within("second line", a.Line2, maxAddress),
		City:        within("city", a.City, maxAddress),
		State:       within("region", a.Region, maxAddress),
		Postcode:    within("postcode", a.Postcode, maxPostcode),
		Country:     within("country", a.Country, maxAddress),
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
