package sale

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/ledger"
	"stockbridge/internal/match"
	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
)

// customer finds the card of the order's customer, and says what makes it unusable. A card is never made: a doubled
// customer costs a merchant more than an order that waits.
func (p *planner) customer() {
	c, found := p.findCustomer()
	if !found {
		return
	}
	p.card, p.known, p.plan.CustomerID = c, true, c.ID
	p.checkCard(c)
}

// findCustomer takes the card that Upstock names, else the one that is remembered, else the only one of the customer's name.
// An e-mail decides nothing: offices share theirs, and many have none. Where no card is certain, a person picks one.
func (p *planner) findCustomer() (none cin7core.Customer, found bool) {
	buyer, link := p.o.Customer, p.ref.Link
	p.plan.link, p.plan.buyer = link, prose.Short(buyer.Name)
	if id := match.ID(buyer.ExternalID); id != "" {
		if c, ok := p.customerByID(id); ok {
			return c, true
		}
		p.want(Want{Kind: WantCustomer, ID: id})
		if c, ok := p.customerByID(link.ID); ok && link.By == ledger.ByPerson {
			p.say("Upstock links customer %s to a Cin7 Core customer that does not exist; the sale is for %s, as was chosen here.", prose.Quote(buyer.Name), prose.Quote(c.Name))
			return c, true
		}
		p.askCustomer("customerUnknown", fmt.Sprintf("Upstock links customer %s to the Cin7 Core customer %s, which does not exist.", prose.Quote(buyer.Name), prose.Quote(id)), none)
		return none, false
	}
	var earlier cin7core.Customer
	if link.ID != "" {
		c, ok := p.customerByID(link.ID)
		switch {
		case !ok:
			p.want(Want{Kind: WantCustomer, ID: link.ID}) // a link that leads nowhere is as good as none
		case link.By != ledger.ByMatch:
			return c, true
		default:
			earlier = c // chosen by a rule that took an e-mail for enough
		}
	}
	if p.bad("customer") || p.bad("customer.externalId") || p.bad("customer.name") && earlier.ID == "" {
		return none, false // there is a problem already
	}
	return p.byName(earlier)
}

// byName is the one card that has the customer's name, if nothing known of both speaks against it.
func (p *planner) byName(earlier cin7core.Customer) (none cin7core.Customer, found bool) {
	buyer := p.o.Customer
	who := prose.Quote(buyer.Name)
	named := p.customersNamed(buyer.Name)
	if len(named) > 0 {
		p.want(Want{Kind: WantChangedCustomers, Name: strings.TrimSpace(buyer.Name)}) // another may have come since
	}
	switch {
	case len(named) == 1 && earlier.ID != "" && !earlier.SameAs(named[0]):
		p.askCustomer("customerAmbiguous", fmt.Sprintf("Customer %s was sold to as %s before, by an e-mail or a likeness, but the Cin7 Core customer %s has the name.", who, prose.Quote(earlier.Name), prose.Quote(named[0].Name)), earlier)
	case len(named) == 1 && match.Contradicts(p.buyer(), partyOf(named[0])):
		p.askCustomer("customerAmbiguous", fmt.Sprintf("Customer %s has the name of a Cin7 Core customer, but another e-mail and another town.", who), earlier)
	case len(named) == 1:
		p.plan.LinkCustomer = buyer.ID > 0
		return named[0], true
	case len(named) > 1:
		var list []string
		for _, c := range named {
			list = append(list, c.Name)
		}
		p.askCustomer("customerAmbiguous", fmt.Sprintf("Customer %s could be any of these Cin7 Core customers: %s.", who, prose.List(list)), earlier)
	case earlier.ID != "":
		p.askCustomer("customerUnsure", fmt.Sprintf("Customer %s was sold to as %s before, by an e-mail or a likeness, which does not make sure of it: no Cin7 Core customer has the name.", who, prose.Quote(earlier.Name)), earlier)
	default:
		p.askCustomer("customerUnknown", fmt.Sprintf("Customer %s is linked to no Cin7 Core customer, and none has that name.", who), earlier)
	}
	return none, false
}

// mostChoices is how many records a person is shown to pick from.
const mostChoices = 5

// askCustomer leaves it to a person which card the customer is. Earlier is the card that it was taken for before.
func (p *planner) askCustomer(code, message string, earlier cin7core.Customer) {
	buyer := p.o.Customer
	choices := p.customerChoices(earlier)
	for i, c := range choices {
		switch {
		case i > 2:
		case i == 0:
			message += fmt.Sprintf(" It may be %s (%s)", prose.Quote(c.Label), c.Why)
		default:
			message += fmt.Sprintf(", or %s (%s)", prose.Quote(c.Label), c.Why)
		}
		if i == min(2, len(choices)-1) {
			message += "."
		}
	}
	about := ""
	if buyer.ID > 0 {
		about = CustomerLinks + "/" + strconv.FormatInt(buyer.ID, 10)
	}
	p.problems = append(p.problems, ledger.Problem{Code: code, Message: message, About: about, Choices: choices,
		Fix: "Pick the right Cin7 Core customer, link it in Upstock (Customers › the customer › Profile), or make one of exactly this name in Cin7 Core" + thenRetry})
	p.want(Want{Kind: WantChangedCustomers, Name: strings.TrimSpace(buyer.Name)}, customerNamed(buyer.Name), customerMailed(buyer.Email))
	if first, _, more := strings.Cut(strings.TrimSpace(buyer.Name), " "); more && len(first) > 2 && len(p.customersNamed(buyer.Name)) == 0 {
		p.want(customerNamed(first)) // what begins like it may be it
	}
}

func (p *planner) customerChoices(earlier cin7core.Customer) []ledger.Choice {
	var choices []ledger.Choice
	for _, c := range p.customers(func(cin7core.Customer) bool { return true }) {
		score, why := match.Compare(p.buyer(), partyOf(c))
		if earlier.SameAs(c) {
			why = append(why, "earlier orders were sold to it")
		}
		if score < 0.2 && !earlier.SameAs(c) || len(why) == 0 {
			continue
		}
		choices = append(choices, ledger.Choice{ID: c.ID, Label: prose.Within(c.Name, 60), Score: score, Why: strings.Join(why, ", ")})
	}
	slices.SortStableFunc(choices, func(a, b ledger.Choice) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), strings.Compare(a.Label, b.Label), strings.Compare(a.ID, b.ID))
	})
	return choices[:min(len(choices), mostChoices)]
}

// buyer is what the order says of its customer, partyOf what a card says.
func (p *planner) buyer() match.Party {
	c := p.o.Customer
	b := match.Party{Name: c.Name, Emails: []string{c.Email}, Phones: []string{c.Phone}}
	if at := p.o.DeliveryAddress; at != nil {
		b.Towns, b.Streets, b.Postcodes = []string{at.City}, []string{at.Line1 + " " + at.Line2}, []string{at.Postcode}
	}
	return b
}

func partyOf(c cin7core.Customer) match.Party {
	p := match.Party{Name: c.Name}
	for _, one := range c.Contacts {
		p.Emails = append(p.Emails, one.Emails()...)
		p.Phones = append(p.Phones, one.Phone, one.MobilePhone)
	}
	for _, a := range c.Addresses {
		p.Towns, p.Streets, p.Postcodes = append(p.Towns, a.City), append(p.Streets, a.Line1+" "+a.Line2), append(p.Postcodes, a.Postcode)
	}
	return p
}

func (p *planner) customerByID(id string) (cin7core.Customer, bool) {
	for _, c := range p.ref.Customers {
		if c.ID != "" && match.Same(c.ID, id) {
			return c, true
		}
	}
	return cin7core.Customer{}, false
}

// customersNamed are those of the name, as a reader compares it. No card bears a name that is longer than the vendor takes.
func (p *planner) customersNamed(name string) []cin7core.Customer {
	key := match.Key(name)
	if _, long := prose.Cut(name, maxAsked); long || key == "" {
		return nil
	}
	return p.customers(func(c cin7core.Customer) bool { return match.Key(c.Name) == key })
}

// customers are the candidates that fit, each once; deprecated ones only where no other fits.
func (p *planner) customers(fits func(cin7core.Customer) bool) []cin7core.Customer {
	var active, deprecated []cin7core.Customer
	for _, c := range p.ref.Customers {
		if c.ID == "" || !fits(c) || slices.ContainsFunc(active, c.SameAs) || slices.ContainsFunc(deprecated, c.SameAs) {
			continue
		}
		if c.Status.Is(cin7core.Deprecated) {
			deprecated = append(deprecated, c)
		} else {
			active = append(active, c)
		}
	}
	if len(active) > 0 {
		return active
	}
	return deprecated
}

// checkCard looks at what Cin7 Core would refuse, or take from the card although it is no longer good.
func (p *planner) checkCard(c cin7core.Customer) {
	who := "The Cin7 Core customer " + prose.Quote(c.Name)
	live := Want{Kind: WantCustomer, ID: c.ID}
	books := p.ref.Books
	if c.Status.Is(cin7core.Deprecated) {
		p.problem(0, "customerDeprecated", who+" is deprecated.",
			"Make the customer active in Cin7 Core, or link another one in Upstock"+thenRetry, live)
	}
	if c.IsOnCreditHold {
		p.problem(0, "creditHold", who+" is on credit hold.", "Take the customer off credit hold in Cin7 Core"+thenRetry, live)
	}
	if base := strings.TrimSpace(books.Me.Currency); base != "" && strings.TrimSpace(c.Currency) != "" && !match.Same(c.Currency, base) {
		p.problem(0, "customerCurrency", fmt.Sprintf("%s is kept in %s, but the account in %s.", who, prose.Quote(c.Currency), prose.Quote(base)),
			"Only customers in the account's own currency can be sold to. Link one that is, in Upstock"+thenRetry, live, Want{Kind: WantMe})
	}
	if term := strings.TrimSpace(c.PaymentTerm); term != "" {
		i := named(books.PaymentTerms, term, func(t cin7core.PaymentTerm) string { return t.Name })
		switch {
		case i < 0:
			p.problem(0, "paymentTerm", fmt.Sprintf("%s has the payment term %s, which does not exist.", who, prose.Quote(term)),
				"Choose another payment term on the customer's card in Cin7 Core"+thenRetry, live, Want{Kind: WantPaymentTerms})
		case !books.PaymentTerms[i].IsActive:
			p.problem(0, "paymentTerm", fmt.Sprintf("%s has the payment term %s, which is not active.", who, prose.Quote(term)),
				"Choose another payment term on the customer's card in Cin7 Core, or activate this one"+thenRetry, live, Want{Kind: WantPaymentTerms})
		}
	}
	// An account has ten price tiers always, and one carrier at least: an empty book was not read.
	if tier := strings.TrimSpace(c.PriceTier); tier != "" && len(books.PriceTiers) > 0 &&
		named(books.PriceTiers, tier, func(t cin7core.PriceTier) string { return t.Name }) < 0 {
		p.problem(0, "priceTier", fmt.Sprintf("%s has the price tier %s, which does not exist.", who, prose.Quote(tier)),
			"Choose another price tier on the customer's card in Cin7 Core"+thenRetry, live, Want{Kind: WantPriceTiers})
	}
	if carrier := strings.TrimSpace(c.Carrier); carrier != "" && len(books.Carriers) > 0 &&
		named(books.Carriers, carrier, func(c cin7core.Carrier) string { return c.Description }) < 0 {
		p.problem(0, "carrier", fmt.Sprintf("%s has the carrier %s, which does not exist.", who, prose.Quote(carrier)),
			"Choose another carrier on the customer's card in Cin7 Core"+thenRetry, live, Want{Kind: WantCarriers})
	}
}

// salesRepFrom is the name of one of the account's own contacts of type Sale, as the documentation wants it. The built-in default is only a wish: it is left out where the account
// does not have it, without a live read, as that is so for every order.
func (p *planner) salesRepFrom(card cin7core.Customer) string {
	contact := func(name string) (string, bool) {
		i := named(p.ref.Books.Contacts, name, func(c cin7core.Contact) string {
			if !match.Same(c.Type, "Sale") {
				return ""
			}
			return c.Name
		})
		if i < 0 {
			return "", false
		}
		return p.ref.Books.Contacts[i].Name, true
	}
	if rep := strings.TrimSpace(card.SalesRepresentative); rep != "" {
		name, ok := contact(rep)
		if !ok {
			p.problem(0, "salesRep", fmt.Sprintf("The Cin7 Core customer %s has the sales representative %s, who is not among the account's own contacts of type Sale.", prose.Quote(card.Name), prose.Quote(rep)),
				"Choose another sales representative on the customer's card in Cin7 Core, or add this one to the company's contacts (type Sale)"+thenRetry,
				Want{Kind: WantContacts}, Want{Kind: WantCustomer, ID: card.ID})
		}
		return name
	}
	rep := strings.TrimSpace(p.s.DefaultSalesRep)
	if rep == "" || !p.known {
		return ""
	}
	name, ok := contact(rep)
	switch {
	case ok:
	case match.Same(rep, tenant.DefaultSalesRep):
		p.say("The sale has no sales representative: the customer has none, and %s is not among the Cin7 Core account's contacts.", prose.Quote(rep))
	default:
		p.problem(0, "salesRep", fmt.Sprintf("The sales representative %s of the setting defaultSalesRep is not among the Cin7 Core account's own contacts of type Sale.", prose.Quote(rep)),
			"Add this name to the company's contacts in Cin7 Core (type Sale), or change the setting defaultSalesRep"+thenRetry, Want{Kind: WantContacts})
	}
	return name
}

// named is the index of the row of that name: exactly, else in another case; -1 where there is none.
func named[T any](rows []T, name string, of func(T) string) int {
	exact := func(row T) bool { return of(row) == name }
	if i := slices.IndexFunc(rows, exact); i >= 0 {
		return i
	}
	return slices.IndexFunc(rows, func(row T) bool { return match.Same(of(row), name) })
}
