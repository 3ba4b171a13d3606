package reference

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/match"
	"stockbridge/internal/mirror"
	"stockbridge/internal/prose"
	"stockbridge/internal/upstockcin7/sale"
)

// bookTitles are the books, in the order in which they are read, and what they hold.
var bookTitles = [][2]string{
	{sale.WantMe, "settings"}, {sale.WantLocations, "locations"}, {sale.WantTaxRules, "tax rules"},
	{sale.WantPaymentTerms, "payment terms"}, {sale.WantContacts, "contacts"}, {sale.WantCarriers, "carriers"},
	{sale.WantPriceTiers, "price tiers"},
}

// readBook reads one reference book, and returns what puts it among the others.
func readBook(ctx context.Context, c *cin7core.Client, kind string) (func(*sale.Books), error) {
	switch kind {
	case sale.WantMe:
		v, err := c.Me(ctx)
		return func(b *sale.Books) { b.Me = v }, err
	case sale.WantLocations:
		v, err := c.Locations(ctx)
		return func(b *sale.Books) { b.Locations = v }, err
	case sale.WantTaxRules:
		v, err := c.TaxRules(ctx)
		return func(b *sale.Books) { b.TaxRules = v }, err
	case sale.WantPaymentTerms:
		v, err := c.PaymentTerms(ctx)
		return func(b *sale.Books) { b.PaymentTerms = v }, err
	case sale.WantContacts:
		v, err := c.Contacts(ctx)
		return func(b *sale.Books) { b.Contacts = v }, err
	case sale.WantCarriers:
		v, err := c.Carriers(ctx)
		return func(b *sale.Books) { b.Carriers = v }, err
	case sale.WantPriceTiers:
		v, err := c.PriceTiers(ctx)
		return func(b *sale.Books) { b.PriceTiers = v }, err
	}
	return nil, fmt.Errorf("no reference book %q", kind)
}

// saveBooks puts books that were read among a tenant's others, and returns them all. Who reads other books at the same
// time does not undo it. Where a price tier has another name by that, it is noted first that all records have to be
// read anew, by a pass that began after an instant: customers have tiers by name.
func (r Reader) saveBooks(ctx context.Context, after time.Time, read ...func(*sale.Books)) (sale.Books, error) {
	was, err := ReadBooks(r.Bundle.Books)
	if err == nil && len(was.PriceTiers) > 0 {
		now := was
		for _, put := range read {
			put(&now)
		}
		if !slices.Equal(byCode(was.PriceTiers), byCode(now.PriceTiers)) {
			if err := r.AskAnew(ctx, after); err != nil {
				return was, err
			}
		}
	}
	return mirror.ChangeBooks(ctx, r.Mirror, r.Bundle.Tenant.ID, func(b *sale.Books) {
		for _, put := range read {
			put(b)
		}
		*b = keptBooks(*b)
	})
}

// keptBooks are books without bins, of which there may be thousands and which no
// sale can name, and without how to reach people.
func keptBooks(b sale.Books) sale.Books {
	b.Locations = slices.DeleteFunc(slices.Clone(b.Locations), cin7core.Location.IsBin)
	b.Contacts = slices.Clone(b.Contacts)
	for i := range b.Contacts {
		c := &b.Contacts[i]
		c.ContactID, c.Email, c.Phone = "", "", ""
	}
	return b
}

// ReadBooks reads the books that a tenant's bundle brings.
func ReadBooks(data []byte) (b sale.Books, err error) {
	if err = mirror.ReadBooks(data, &b); err != nil {
		err = fmt.Errorf("read books: %w", err)
	}
	return b, err
}

// bookWarnings say what in the account's books would change orders behind our
// back, or stop them.
func bookWarnings(b sale.Books) []string {
	said := Warnings(b.Me)
	isRep := func(c cin7core.Contact) bool { return match.Same(c.Name, sale.DefaultSalesRep) }
	if !slices.ContainsFunc(b.Contacts, isRep) {
		said = append(said, "Cin7 Core has no contact named "+sale.DefaultSalesRep+": sales to customers without a "+
			"sales representative have none, unless the setting defaultSalesRep names another.")
	}
	isDefault := func(l cin7core.Location) bool { return l.IsDefault && !l.IsDeprecated && !l.IsBin() }
	if !slices.ContainsFunc(b.Locations, isDefault) {
		said = append(said, "Cin7 Core has no default location: choose one in the setting location, "+
			"or orders of customers without one cannot be sent.")
	}
	if !slices.ContainsFunc(b.TaxRules, cin7core.TaxRule.ForSales) {
		said = append(said, "Cin7 Core has no active tax rule for sales: no order can be sent.")
	}
	return said
}

// Warnings say what in the account's own settings would change orders behind our back, or stop them.
func Warnings(me cin7core.Me) []string {
	var said []string
	if me.AutomaticallyApplyDiscounts {
		said = append(said, "Cin7 Core applies discounts by itself when an order is authorised, which may change a "+
			"sale's total afterwards. Switch that off in Cin7 Core, or keep the setting orderStatus at draft.")
	}
	if lock := lockWarning(me); lock != "" {
		said = append(said, lock)
	}
	method := strings.TrimSpace(me.TaxCalculationMethod)
	if !match.Same(method, "Row Total") && !match.Same(method, "Total") {
		said = append(said, "Cin7 Core's way of computing tax, "+prose.Quote(method)+
			", is not known here: totals may differ by cents.")
	}
	if strings.TrimSpace(me.Currency) == "" {
		said = append(said, "Cin7 Core does not say which currency its account is kept in: no order can be sent.")
	}
	return said
}

// lockWarning says up to when the books are locked, if they are.
func lockWarning(me cin7core.Me) string {
	const date = "2 January 2006"
	now, lock := time.Now(), me.LockDate()
	day, month := me.LockDates()
	switch {
	case !day.Equal(month) && (day.After(now) || month.After(now)):
		return fmt.Sprintf("Cin7 Core's books are locked until %s or %s: its lock date %s can be read both ways. "+
			"Cin7 Core itself refuses what is too old.",
			day.Format(date), month.Format(date), prose.Quote(me.LockDateText))
	case lock.After(now):
		return fmt.Sprintf("Cin7 Core's books are locked until %s: orders dated up to then cannot be sent.",
			lock.Format(date))
	case lock.IsZero() && strings.TrimSpace(me.LockDateText) != "":
		return "Cin7 Core's lock date " + prose.Quote(me.LockDateText) +
			" cannot be read, so it is not known which orders are too old to be sent."
	}
	return ""
}
