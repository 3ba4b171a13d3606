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
)

// customer finds the card of the order's customer, and says what makes it unusable. A card is never made: a doubled
// customer costs a merchant more than an order that waits.
func (p *planner) customer() {
	c, found := p.findCustomer()
	if !found {
		return
	}
	p.card, p.known, p.plan.CustomerID = c, true, c.ID
	p.checkCard()
}

// findCustomer takes the card that Upstock names, else the one that a link of ours names, made by a person or by a name
// before, else the only one of the customer's name. A person's link stands in too for an Upstock's that leads nowhere.
// An e-mail decides nothing: offices share theirs, and many have none. Where no card is certain, a person picks one.
func (p *planner) findCustomer() (none cin7core.Customer, found bool) {
	buyer, link := p.o.Customer, p.ref.Link
	p.plan.link, p.plan.buyer = link, prose.Short(buyer.Name)
	if id := match.ID(buyer.ExternalID); id != "" {
		return p.customerOfUpstock(id)
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
	if p.unreadable("customer") || p.unreadable("customer.externalId") ||
		p.unreadable("customer.name") && earlier.ID == "" {
		return none, false // there is a problem already
	}
	return p.customerOfName(earlier)
}

// customerOfUpstock is the card to which Upstock links the customer; where there is none, the one that a person chose
// here.
func (p *planner) customerOfUpstock(id string) (none cin7core.Customer, found bool) {
	if c, ok := p.customerByID(id); ok {
		return c, true
	}
	p.want(Want{Kind: WantCustomer, ID: id})
	who := prose.Quote(p.o.Customer.Name)
	if c, ok := p.customerByID(p.ref.Link.ID); ok && p.ref.Link.By == ledger.ByPerson {
		p.say("Upstock links customer %s to a Cin7 Core customer that does not exist; "+
			"the sale is for %s, as was chosen here.", who, prose.Quote(c.Name))
		return c, true
	}
	p.askCustomer("customerUnknown", fmt.Sprintf("Upstock links customer %s to the Cin7 Core customer %s, "+
		"which does not exist.", who, prose.Quote(id)), none)
	return none, false
}

// customerOfName is the one card that has the customer's name, if nothing known of both speaks against it. Earlier is
// the card that it was taken for before.
func (p *planner) customerOfName(earlier cin7core.Customer) (none cin7core.Customer, found bool) {
	buyer := p.o.Customer
	named := p.customersNamed(buyer.Name)
	if len(named) > 0 {
		p.want(Want{Kind: WantChangedCustomers, Name: strings.TrimSpace(buyer.Name)}) // another may have come since
	}
	who, before := prose.Quote(buyer.Name), prose.Quote(earlier.Name)
	ask := func(code, format string, args ...any) { p.askCustomer(code, fmt.Sprintf(format, args...), earlier) }
	switch {
	case len(named) == 1 && earlier.ID != "" && !earlier.SameAs(named[0]):
		ask("customerAmbiguous", "Customer %s was sold to as %s before, by an e-mail or a likeness, "+
			"but the Cin7 Core customer %s has the name.", who, before, prose.Quote(named[0].Name))
	case len(named) == 1 && match.Contradicts(p.buyer(), partyOf(named[0])):
		ask("customerAmbiguous", "Customer %s has the name of a Cin7 Core customer, "+
			"but another e-mail and another town.", who)
	case len(named) == 1:
		p.plan.LinkCustomer = buyer.ID > 0
		return named[0], true
	case len(named) > 1:
		var list []string
		for _, c := range named {
			list = append(list, c.Name)
		}
		ask("customerAmbiguous", "Customer %s could be any of these Cin7 Core customers: %s.", who, prose.List(list))
	case earlier.ID != "":
		ask("customerUnsure", "Customer %s was sold to as %s before, by an e-mail or a likeness, "+
			"which does not make sure of it: no Cin7 Core customer has the name.", who, before)
	default:
		ask("customerUnknown", "Customer %s is linked to no Cin7 Core customer, and none has that name.", who)
	}
	return none, false
}

// askCustomer leaves it to a person which card the customer is. Earlier is the card that it was taken for before.
func (p *planner) askCustomer(code, message string, earlier cin7core.Customer) {
	buyer := p.o.Customer
	choices := p.customerChoices(earlier)
	about := ""
	if buyer.ID > 0 {
		about = CustomerLinks + "/" + strconv.FormatInt(buyer.ID, 10)
	}
	p.problem(0, code, message+likeliest(choices), "Pick the right Cin7 Core customer, link it in Upstock "+
		"(Customers › the customer › Profile), or make one of exactly this name in Cin7 Core")
	asked := &p.problems[len(p.problems)-1]
	asked.About, asked.Choices = about, choices
	p.want(Want{Kind: WantChangedCustomers, Name: strings.TrimSpace(buyer.Name)},
		customerNamed(buyer.Name), customerMailed(buyer.Email))
	first, _, more := strings.Cut(strings.TrimSpace(buyer.Name), " ")
	if more && len(first) > 2 && len(p.customersNamed(buyer.Name)) == 0 {
		p.want(customerNamed(first)) // what begins like it may be it
	}
}

// likeliest names the first three choices in a sentence.
func likeliest(choices []ledger.Choice) string {
	var named []string
	for _, c := range choices[:min(len(choices), 3)] {
		named = append(named, fmt.Sprintf("%s (%s)", prose.Quote(c.Label), c.Why))
	}
	if len(named) == 0 {
		return ""
	}
	return " It may be " + strings.Join(named, ", or ") + "."
}

// mostChoices is how many records a person is shown to pick from.
const mostChoices = 5

// likeliestFirst sorts choices, and keeps as many as are shown.
func likeliestFirst(choices []ledger.Choice) []ledger.Choice {
	slices.SortStableFunc(choices, func(a, b ledger.Choice) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), strings.Compare(a.Label, b.Label), strings.Compare(a.ID, b.ID))
	})
	return choices[:min(len(choices), mostChoices)]
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
		choices = append(choices, ledger.Choice{
			ID: c.ID, Label: prose.Within(c.Name, 60), Score: score, Why: strings.Join(why, ", ")})
	}
	return likeliestFirst(choices)
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
		p.Towns, p.Postcodes = append(p.Towns, a.City), append(p.Postcodes, a.Postcode)
		p.Streets = append(p.Streets, a.Line1+" "+a.Line2)
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

// customersNamed are those of the name, as a reader compares it. No card bears a name that is longer than the vendor
// takes.
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
		twice := slices.ContainsFunc(active, c.SameAs) || slices.ContainsFunc(deprecated, c.SameAs)
		if c.ID == "" || twice || !fits(c) {
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
func (p *planner) checkCard() {
	c, who, live := p.card, "The Cin7 Core customer "+prose.Quote(p.card.Name), Want{Kind: WantCustomer, ID: p.card.ID}
	if c.Status.Is(cin7core.Deprecated) {
		p.problem(0, "customerDeprecated", who+" is deprecated.",
			"Make the customer active in Cin7 Core, or link another one in Upstock", live)
	}
	if c.IsOnCreditHold {
		p.problem(0, "creditHold", who+" is on credit hold.", "Take the customer off credit hold in Cin7 Core", live)
	}
	if base := strings.TrimSpace(p.ref.Books.Me.Currency); base != "" && strings.TrimSpace(c.Currency) != "" &&
		!match.Same(c.Currency, base) {
		p.problem(0, "customerCurrency", fmt.Sprintf("%s is kept in %s, but the account in %s.",
			who, prose.Quote(c.Currency), prose.Quote(base)),
			"Only customers in the account's own currency can be sold to. Link one that is, in Upstock",
			live, Want{Kind: WantMe})
	}
	p.checkTerm(who, live)
	// An account has ten price tiers always, and one carrier at least: an empty book was not read.
	books := p.ref.Books
	if tier := strings.TrimSpace(c.PriceTier); tier != "" && len(books.PriceTiers) > 0 &&
		named(books.PriceTiers, tier, func(t cin7core.PriceTier) string { return t.Name }) < 0 {
		p.problem(0, "priceTier",
			fmt.Sprintf("%s has the price tier %s, which does not exist.", who, prose.Quote(tier)),
			"Choose another price tier on the customer's card in Cin7 Core", live, Want{Kind: WantPriceTiers})
	}
	if carrier := strings.TrimSpace(c.Carrier); carrier != "" && len(books.Carriers) > 0 &&
		named(books.Carriers, carrier, func(c cin7core.Carrier) string { return c.Description }) < 0 {
		p.problem(0, "carrier", fmt.Sprintf("%s has the carrier %s, which does not exist.", who, prose.Quote(carrier)),
			"Choose another carrier on the customer's card in Cin7 Core", live, Want{Kind: WantCarriers})
	}
}

func (p *planner) checkTerm(who string, live Want) {
	const fix = "Choose another payment term on the customer's card in Cin7 Core"
	term, terms := strings.TrimSpace(p.card.PaymentTerm), p.ref.Books.PaymentTerms
	if term == "" {
		return
	}
	has := fmt.Sprintf("%s has the payment term %s", who, prose.Quote(term))
	i := named(terms, term, func(t cin7core.PaymentTerm) string { return t.Name })
	switch {
	case i < 0:
		p.problem(0, "paymentTerm", has+", which does not exist.", fix, live, Want{Kind: WantPaymentTerms})
	case !terms[i].IsActive:
		p.problem(0, "paymentTerm", has+", which is not active.", fix+", or activate this one",
			live, Want{Kind: WantPaymentTerms})
	}
}
