package customer

import (
	"slices"
	"strings"

	"stockbridge/internal/match"
	"stockbridge/internal/prose"
)

// Rules decide what a contact's connection is.
type Rules struct {
	Settings Settings
	Account  Account // what the JOOR account has
}

// Account is what a JOOR account has for its connections to name, as far as it is known.
type Account struct {
	Prices []Price `json:"prices,omitempty"`
	Reps   []Rep   `json:"reps,omitempty"`
	Groups []Named `json:"groups,omitempty"`
	Terms  []Named `json:"terms,omitempty"` // payment methods
	// Whole reports whether that is all that there is: then nothing else can be named.
	Whole bool `json:"whole,omitempty"`
}

// Named is something of the account that has a name and a code; a setting says either.
type Named struct {
	Name string `json:"name"`
	Code string `json:"code,omitempty"`
}

// Is reports whether a text names it.
func (n Named) Is(text string) bool {
	return match.Same(n.Name, text) || n.Code != "" && match.Same(n.Code, text)
}

// Term is the payment method that a text names, with its code if that is known; Group the customer group.
func (a Account) Term(text string) Named { return named(a.Terms, text) }

// Group is as Term.
func (a Account) Group(text string) Named { return named(a.Groups, text) }

func named(list []Named, text string) Named {
	if i := slices.IndexFunc(list, func(n Named) bool { return n.Is(text) }); i >= 0 && text != "" {
		return list[i]
	}
	return Named{Name: text}
}

// RepEmail is the e-mail address of a sales rep; "" = it is not known.
func (a Account) RepEmail(code string) string {
	for _, rep := range a.Reps {
		if match.Same(rep.Code, code) && rep.Email != "" {
			return rep.Email
		}
	}
	return ""
}

// Rep is a sales representative. JOOR asks that a code has one e-mail address, and an address one code.
type Rep struct {
	Code  string `json:"code"`
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
}

// Connection is what JOOR should hold of a contact, and why it cannot: with any fault it is not sent. theirs is what
// JOOR holds of it already; the zero Connection = nothing.
func (r Rules) Connection(c Contact, theirs Connection) (Connection, []string) {
	delivery, postal := c.Delivery.trimmed(), c.Postal.trimmed()
	if delivery.empty() {
		delivery = postal
	}
	if postal.empty() {
		postal = delivery
	}
	conn := Connection{
		Code: c.ID, Mark: c.ID, Name: first(strings.TrimSpace(c.Company), c.Person()), Buyer: c.Person(),
		Email: strings.TrimSpace(c.Email), Phone: first(some(c.Phone, c.Mobile)...),
		Billing: postal, Shipping: delivery,
	}
	var faults []string
	var fault string
	if conn.Price, fault = r.price(c.PriceColumn); fault != "" {
		faults = append(faults, fault)
	}
	s := r.Settings
	conn.Terms, conn.Group = s.Terms.of(c.Terms), s.Groups.of(c.Group)
	if conn.Rep = s.Reps.of(c.SalesPerson); conn.Rep != "" {
		faults = append(faults, r.repFaults(conn.Rep)...)
	}
	faults = append(faults, r.lost("payment method", conn.Terms, r.Account.Terms)...)
	faults = append(faults, r.lost("customer group", conn.Group, r.Account.Groups)...)
	conn = conn.Over(theirs)
	return conn, append(conn.faults(), faults...)
}

// price is the price type of a price column.
func (r Rules) price(column string) (Price, string) {
	column = strings.TrimSpace(column)
	if column == "" {
		return Price{}, missing("price column")
	}
	if p, ok := r.Settings.Prices.of(column); ok {
		if r.Account.Whole && !slices.ContainsFunc(r.Account.Prices, p.same) {
			return p, "JOOR has no price label " + prose.Quote(p.Label) + " in " + p.Currency +
				": choose another one for the price column " + prose.Quote(column) + " in the settings."
		}
		return p, ""
	}
	if len(r.Settings.Prices) > 0 {
		return Price{}, "Its price column " + prose.Quote(column) + " has no price label in the settings: choose one."
	}
	label := Label(column)
	var found []Price
	for _, p := range r.Account.Prices {
		if match.Same(p.Label, label) && !slices.ContainsFunc(found, p.same) {
			found = append(found, p)
		}
	}
	switch len(found) {
	case 1:
		return found[0], ""
	case 0:
		return Price{}, "JOOR is not known to have a price label " + prose.Quote(label) + ", after its price column " +
			prose.Quote(column) + ": choose the column's label in the settings."
	}
	return Price{}, "JOOR has the price label " + prose.Quote(label) + " in several currencies: choose the label of " +
		"its price column " + prose.Quote(column) + " in the settings."
}

// same reports whether two price types are one.
func (p Price) same(q Price) bool { return match.Same(p.Currency, q.Currency) && p.Label == q.Label }

// Label is the price label that a price column has if nothing else is said: Wholesale of WholesalePrice.
func Label(column string) string {
	column = strings.TrimSpace(column)
	if n := len(column) - len("price"); n > 0 && strings.EqualFold(column[n:], "price") {
		return strings.TrimSpace(column[:n])
	}
	return column
}

// repFaults are what speaks against naming a sales rep.
func (r Rules) repFaults(code string) (faults []string) {
	var emails, codes []string
	known := false
	for _, rep := range r.Account.Reps {
		if match.Same(rep.Code, code) {
			known = true
			if e := match.Fold(rep.Email); e != "" && !slices.Contains(emails, e) {
				emails = append(emails, e)
			}
		}
	}
	for _, rep := range r.Account.Reps {
		if e := match.Fold(rep.Email); slices.Contains(emails, e) && !slices.Contains(codes, match.Fold(rep.Code)) {
			codes = append(codes, match.Fold(rep.Code))
		}
	}
	switch {
	case len(emails) > 1:
		return []string{"In JOOR the sales rep " + prose.Quote(code) + " has several e-mail addresses: a code may " +
			"have one."}
	case len(codes) > 1:
		return []string{"In JOOR the e-mail address of the sales rep " + prose.Quote(code) + " has several codes: it " +
			"may have one."}
	case !known && r.Account.Whole:
		return []string{"JOOR has no sales rep " + prose.Quote(code) + ": choose another one in the settings."}
	}
	return nil
}

// lost says that JOOR has no such thing as a setting names.
func (r Rules) lost(what, name string, known []Named) []string {
	if name == "" || !r.Account.Whole || slices.ContainsFunc(known, func(k Named) bool { return k.Is(name) }) {
		return nil
	}
	return []string{"JOOR has no " + what + " " + prose.Quote(name) + ": choose another one in the settings."}
}
