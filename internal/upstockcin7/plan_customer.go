package upstockcin7

import (
	"fmt"
	"slices"
	"strings"

	"stockbridge/internal/cin7core"
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

func (p *planner) findCustomer() (cin7core.Customer, bool) {
	buyer := p.o.Customer
	if id := realID(buyer.ExternalID); id != "" {
		if c, ok := p.customerByID(id); ok {
			return c, true
		}
		p.problem(0, "customerUnknown", fmt.Sprintf("Upstock links customer %s to the Cin7 Core customer %s, which does not exist.", quote(buyer.Name), quote(id)),
			"Link the customer anew in Upstock (Customers › the customer › Profile)"+thenRetry, Want{Kind: WantCustomer, ID: id})
		return cin7core.Customer{}, false
	}
	if p.ref.Link != "" {
		if c, ok := p.customerByID(p.ref.Link); ok {
			return c, true
		}
		p.want(Want{Kind: WantCustomer, ID: p.ref.Link}) // a link that leads nowhere is as good as none
	}
	if p.bad("customer") || p.bad("customer.name") {
		return cin7core.Customer{}, false
	}
	wants := []Want{customerNamed(buyer.Name), customerMailed(buyer.Email)}
	names, mails := p.customersNamed(buyer.Name), p.customersMailed(buyer.Email)
	// A name is a card's own; an e-mail may be an office's that several cards share. They must not point to different cards.
	candidates := names
	if len(names) == 0 {
		candidates = mails
	} else if len(names) == 1 && len(mails) > 0 && !slices.ContainsFunc(mails, sameID(names[0])) {
		candidates = append(names, mails...)
	}
	switch len(candidates) {
	case 1:
		p.plan.LinkCustomer = true
		return candidates[0], true
	case 0:
		by := "of this name"
		if mail := strings.TrimSpace(buyer.Email); mail != "" {
			by += " or with the e-mail " + quote(mail)
		}
		p.problem(0, "customerUnknown", fmt.Sprintf("Customer %s is linked to no Cin7 Core customer, and there is none %s.", quote(buyer.Name), by),
			"Link the customer in Upstock (Customers › the customer › Profile), or make one of exactly this name in Cin7 Core"+thenRetry, wants...)
	default:
		var list []string
		for _, c := range candidates {
			list = append(list, c.Name)
		}
		p.problem(0, "customerAmbiguous", fmt.Sprintf("Customer %s could be any of these Cin7 Core customers: %s.", quote(buyer.Name), quotes(list)),
			"Link the customer to the right one in Upstock (Customers › the customer › Profile)"+thenRetry, wants...)
	}
	return cin7core.Customer{}, false
}

func (p *planner) customerByID(id string) (cin7core.Customer, bool) {
	for _, c := range p.ref.Customers {
		if c.ID != "" && sameText(c.ID, id) {
			return c, true
		}
	}
	return cin7core.Customer{}, false
}

// customersNamed are those of exactly this name, else those whose name differs in case only.
func (p *planner) customersNamed(name string) []cin7core.Customer {
	name = strings.TrimSpace(name)
	if name == "" {
		return nil
	}
	if exact := p.customers(func(c cin7core.Customer) bool { return strings.TrimSpace(c.Name) == name }); len(exact) > 0 {
		return exact
	}
	return p.customers(func(c cin7core.Customer) bool { return sameText(c.Name, name) })
}

func (p *planner) customersMailed(mail string) []cin7core.Customer {
	if strings.TrimSpace(mail) == "" {
		return nil
	}
	return p.customers(func(c cin7core.Customer) bool {
		return slices.ContainsFunc(c.Contacts, func(one cin7core.CustomerContact) bool {
			several := strings.FieldsFunc(one.Email, func(r rune) bool { return strings.ContainsRune(",; ", r) })
			return slices.ContainsFunc(several, func(m string) bool { return sameText(m, mail) })
		})
	})
}

// customers are the candidates that fit, each once; deprecated ones only where no other fits.
func (p *planner) customers(fits func(cin7core.Customer) bool) []cin7core.Customer {
	var active, deprecated []cin7core.Customer
	for _, c := range p.ref.Customers {
		if c.ID == "" || !fits(c) || slices.ContainsFunc(active, sameID(c)) || slices.ContainsFunc(deprecated, sameID(c)) {
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

func sameID(c cin7core.Customer) func(cin7core.Customer) bool {
	return func(other cin7core.Customer) bool { return strings.EqualFold(c.ID, other.ID) }
}

// checkCard looks at what Cin7 Core would refuse, or take from the card although it is no longer good.
func (p *planner) checkCard(c cin7core.Customer) {
	who := "The Cin7 Core customer " + quote(c.Name)
	live := Want{Kind: WantCustomer, ID: c.ID}
	books := p.ref.Books
	if c.Status.Is(cin7core.Deprecated) {
		p.problem(0, "customerDeprecated", who+" is deprecated.",
			"Make the customer active in Cin7 Core, or link another one in Upstock"+thenRetry, live)
	}
	if c.IsOnCreditHold {
		p.problem(0, "creditHold", who+" is on credit hold.", "Take the customer off credit hold in Cin7 Core"+thenRetry, live)
	}
	if base := strings.TrimSpace(books.Me.Currency); base != "" && strings.TrimSpace(c.Currency) != "" && !sameText(c.Currency, base) {
		p.problem(0, "customerCurrency", fmt.Sprintf("%s is kept in %s, but the account in %s.", who, quote(c.Currency), quote(base)),
			"Only customers in the account's own currency can be sold to. Link one that is, in Upstock"+thenRetry, live, Want{Kind: WantMe})
	}
	if term := strings.TrimSpace(c.PaymentTerm); term != "" {
		i := named(books.PaymentTerms, term, func(t cin7core.PaymentTerm) string { return t.Name })
		switch {
		case i < 0:
			p.problem(0, "paymentTerm", fmt.Sprintf("%s has the payment term %s, which does not exist.", who, quote(term)),
				"Choose another payment term on the customer's card in Cin7 Core"+thenRetry, live, Want{Kind: WantPaymentTerms})
		case !books.PaymentTerms[i].IsActive:
			p.problem(0, "paymentTerm", fmt.Sprintf("%s has the payment term %s, which is not active.", who, quote(term)),
				"Choose another payment term on the customer's card in Cin7 Core, or activate this one"+thenRetry, live, Want{Kind: WantPaymentTerms})
		}
	}
	// An account has ten price tiers always, and one carrier at least: an empty book was not read.
	if tier := strings.TrimSpace(c.PriceTier); tier != "" && len(books.PriceTiers) > 0 &&
		named(books.PriceTiers, tier, func(t cin7core.PriceTier) string { return t.Name }) < 0 {
		p.problem(0, "priceTier", fmt.Sprintf("%s has the price tier %s, which does not exist.", who, quote(tier)),
			"Choose another price tier on the customer's card in Cin7 Core"+thenRetry, live, Want{Kind: WantPriceTiers})
	}
	if carrier := strings.TrimSpace(c.Carrier); carrier != "" && len(books.Carriers) > 0 &&
		named(books.Carriers, carrier, func(c cin7core.Carrier) string { return c.Description }) < 0 {
		p.problem(0, "carrier", fmt.Sprintf("%s has the carrier %s, which does not exist.", who, quote(carrier)),
			"Choose another carrier on the customer's card in Cin7 Core"+thenRetry, live, Want{Kind: WantCarriers})
	}
}

// salesRepFrom is the name of one of the account's own contacts of type Sale, as the documentation wants it. The built-in default is only a wish: it is left out where the account
// does not have it, without a live read, as that is so for every order.
func (p *planner) salesRepFrom(card cin7core.Customer) string {
	contact := func(name string) (string, bool) {
		i := named(p.ref.Books.Contacts, name, func(c cin7core.Contact) string {
			if !sameText(c.Type, "Sale") {
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
			p.problem(0, "salesRep", fmt.Sprintf("The Cin7 Core customer %s has the sales representative %s, who is not among the account's own contacts of type Sale.", quote(card.Name), quote(rep)),
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
	case sameText(rep, tenant.DefaultSalesRep):
		p.say("The sale has no sales representative: the customer has none, and %s is not among the Cin7 Core account's contacts.", quote(rep))
	default:
		p.problem(0, "salesRep", fmt.Sprintf("The sales representative %s of the setting defaultSalesRep is not among the Cin7 Core account's own contacts of type Sale.", quote(rep)),
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
	return slices.IndexFunc(rows, func(row T) bool { return sameText(of(row), name) })
}
