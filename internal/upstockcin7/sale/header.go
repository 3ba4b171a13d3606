package sale

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/match"
	"stockbridge/internal/prose"
	"stockbridge/internal/upstock"
)

// Limits of Cin7 Core's fields, in characters.
const (
	maxReference   = 256
	maxNotes       = 1024
	maxLineComment = 256
	maxCharge      = 1024
)

// checkOrder looks at what concerns the order as a whole.
func (p *planner) checkOrder() {
	p.checkCurrency()
	if p.o.ID <= 0 && !p.unreadable("id") {
		p.problem(0, "unreadable", "The order has no id.", correctOrder)
	}
	p.checkDate()
	if len(p.o.Lines) == 0 && !p.unreadable("lines") {
		p.problem(0, "noLines", "The order has no lines.", correctOrder)
	}
	if p.ref.Books.Me.AutomaticallyApplyDiscounts && p.s.OrderStatus == Authorised {
		p.say("The Cin7 Core account applies discounts by itself when an order is authorised, " +
			"so the sale's total may change then.")
	}
}

func (p *planner) checkCurrency() {
	ours, theirs := p.o.Currency, p.ref.Books.Me.Currency
	switch {
	case p.unreadable("currency"):
	case strings.TrimSpace(theirs) == "":
		p.problem(0, "currency", "Cin7 Core does not say which currency its account is kept in.",
			"Check the Cin7 Core connection", Want{Kind: WantMe})
	case !match.Same(ours, theirs):
		p.problem(0, "currency", fmt.Sprintf("The order is in %s, but the Cin7 Core account is kept in %s.",
			prose.Quote(ours), prose.Quote(theirs)),
			"Only orders in the account's own currency can be sent. Enter this one in Cin7 Core by hand, "+
				"or change its currency in Upstock", Want{Kind: WantMe})
	}
}

// checkDate chooses the sale's date: the order's, else that of its approval in the account's time zone.
func (p *planner) checkDate() {
	me := p.ref.Books.Me
	p.date = p.o.OrderDate
	if p.date.IsZero() && !p.o.ApprovedAt.IsZero() {
		zone, err := time.LoadLocation(me.TimeZone)
		if err != nil {
			zone = time.UTC
		}
		p.date = upstock.DateOf(p.o.ApprovedAt.In(zone))
		p.say("The order has no date; the sale has the day of its approval, %s.", p.date)
	}
	locked := me.LockDate()
	switch {
	case p.date.IsZero():
		p.problem(0, "orderDate", "The order has no date, and none of its approval.", correctOrder)
	case !locked.IsZero() && !dateOf(p.date).After(dateOf(upstock.DateOf(locked))):
		p.problem(0, "dateLocked", fmt.Sprintf("The order is dated %s, but the Cin7 Core account is locked up to %s.",
			p.date, upstock.DateOf(locked)),
			"Move the lock date in Cin7 Core (General settings), or change the order's date in Upstock",
			Want{Kind: WantMe})
	}
}

// header is the sale without its lines. The card is empty where the customer is not known: there is a problem then.
func (p *planner) header() cin7core.SaleHeader {
	return cin7core.SaleHeader{
		ExternalID:          ExternalID(strconv.FormatInt(p.ref.Supplier, 10), strconv.FormatInt(p.o.ID, 10)),
		CustomerID:          p.card.ID,
		CustomerReference:   p.referenceFrom(),
		SaleOrderDate:       dateOf(p.date),
		ShipBy:              p.shipByFrom(),
		ShippingNotes:       p.notesFrom(),
		ShippingAddress:     p.shippingFrom(),
		BillingAddress:      billingFrom(p.card),
		Location:            p.locationFrom(),
		SalesRepresentative: p.salesRepFrom(),
		TaxInclusive:        false,
		SkipQuote:           true,
		SaleType:            saleTypeFrom(p.s),
	}
}

// ExternalID is the mark on every sale of ours, by which it is found again.
func ExternalID(supplier, order string) string { return "upstock:" + supplier + ":" + order }

// ParseExternalID takes apart what ExternalID makes.
func ParseExternalID(ext string) (supplier, order string, ok bool) {
	rest, ours := strings.CutPrefix(ext, "upstock:")
	supplier, order, ok = strings.Cut(rest, ":")
	return supplier, order, ours && ok && supplier != "" && order != ""
}

// CustomerReference is the reference that the sale of an order has.
func CustomerReference(o upstock.Order) string {
	ref, _, _ := customerReference(o)
	return ref
}

// customerReference also reports whether it is Upstock's id, for want of anything else, and whether it was cut.
func customerReference(o upstock.Order) (ref string, isID, wasCut bool) {
	ref = cmp.Or(prose.Clean(o.Reference), prose.Clean(o.OrderNumber))
	if isID = ref == "" && o.ID > 0; isID {
		ref = strconv.FormatInt(o.ID, 10)
	}
	ref, wasCut = prose.Cut(ref, maxReference)
	return ref, isID, wasCut
}

func (p *planner) referenceFrom() string {
	ref, isID, wasCut := customerReference(p.o)
	if isID {
		p.say("The order has neither a reference nor a number; the sale has Upstock's id of it, %s.", ref)
	}
	if wasCut {
		p.say("The reference was cut at %d characters.", maxReference)
	}
	return ref
}

func (p *planner) shipByFrom() time.Time {
	if p.s.ShipBySource == NoDate {
		return time.Time{}
	}
	return dateOf(p.o.DeliveryDate)
}

func (p *planner) notesFrom() string {
	var notes []string
	if p.s.ShipBySource == NoDate && !p.o.DeliveryDate.IsZero() {
		notes = append(notes, "Expected delivery: "+dateOf(p.o.DeliveryDate).Format("2 January 2006"))
	}
	comments := 0
	for _, c := range p.o.Comments { // oldest first
		text := prose.Clean(c.Text)
		if text == "" {
			continue
		}
		if comments++; comments == 1 {
			notes = append(notes, text)
		}
	}
	switch {
	case comments == 2:
		p.say("The order has a second comment; only the first goes into the shipping notes.")
	case comments > 2:
		p.say("The order has %d more comments; only the first goes into the shipping notes.", comments-1)
	}
	text, wasCut := prose.Cut(strings.Join(notes, "\n"), maxNotes)
	if wasCut {
		p.say("The shipping notes were cut at %d characters.", maxNotes)
	}
	return text
}

// locationFrom is where the sale takes its stock from.
func (p *planner) locationFrom() string {
	places := slices.DeleteFunc(slices.Clone(p.ref.Books.Locations), cin7core.Location.IsBin)
	if name := strings.TrimSpace(p.s.Location); name != "" {
		return p.chosenLocation(places, name)
	}
	unusable := ""
	if name := strings.TrimSpace(p.card.Location); name != "" {
		if i := named(places, name, locationName); i >= 0 && !places[i].IsDeprecated {
			return places[i].Name
		}
		p.want(Want{Kind: WantLocations})
		unusable = name
	}
	i := slices.IndexFunc(places, func(l cin7core.Location) bool {
		return l.IsDefault && !l.IsDeprecated && l.Name != ""
	})
	if i < 0 {
		p.problem(0, "location", "No location can be chosen: neither the setting, nor the customer's card, "+
			"nor the Cin7 Core account's default gives one.",
			"Choose a location in the setting location, or make one the default in Cin7 Core",
			Want{Kind: WantLocations})
		return ""
	}
	if unusable != "" {
		p.say("The location %s on the customer's card is deprecated or gone; the sale has the account's default, %s.",
			prose.Quote(unusable), prose.Quote(places[i].Name))
	}
	return places[i].Name
}

// chosenLocation is the one that the setting location names.
func (p *planner) chosenLocation(places []cin7core.Location, name string) string {
	const fix = "Choose another location in the setting location"
	i := named(places, name, locationName)
	if i < 0 {
		p.problem(0, "location", "The Cin7 Core account has no location "+prose.Quote(name)+
			", which the setting location names.", fix, Want{Kind: WantLocations})
		return ""
	}
	if places[i].IsDeprecated {
		p.problem(0, "location", "The location "+prose.Quote(name)+
			" of the setting location is deprecated in Cin7 Core.", fix, Want{Kind: WantLocations})
	}
	return places[i].Name
}

func locationName(l cin7core.Location) string { return l.Name }

// salesRepFrom is the name of one of the account's own contacts of type Sale, as the documentation wants it. The
// built-in default is only a wish: it is left out where the account does not have it, without a live read, as that is
// so for every order.
func (p *planner) salesRepFrom() string {
	if rep := strings.TrimSpace(p.card.SalesRepresentative); rep != "" {
		name, ok := p.salesRep(rep)
		if !ok {
			p.problem(0, "salesRep", fmt.Sprintf("The Cin7 Core customer %s has the sales representative %s, "+
				"who is not among the account's own contacts of type Sale.",
				prose.Quote(p.card.Name), prose.Quote(rep)),
				"Choose another sales representative on the customer's card in Cin7 Core, "+
					"or add this one to the company's contacts (type Sale)",
				Want{Kind: WantContacts}, Want{Kind: WantCustomer, ID: p.card.ID})
		}
		return name
	}
	rep := strings.TrimSpace(p.s.DefaultSalesRep)
	if rep == "" || !p.known {
		return ""
	}
	name, ok := p.salesRep(rep)
	switch {
	case ok:
	case match.Same(rep, DefaultSalesRep):
		p.say("The sale has no sales representative: the customer has none, "+
			"and %s is not among the Cin7 Core account's contacts.", prose.Quote(rep))
	default:
		p.problem(0, "salesRep", fmt.Sprintf("The sales representative %s of the setting defaultSalesRep "+
			"is not among the Cin7 Core account's own contacts of type Sale.", prose.Quote(rep)),
			"Add this name to the company's contacts in Cin7 Core (type Sale), or change the setting defaultSalesRep",
			Want{Kind: WantContacts})
	}
	return name
}

// salesRep is the sales representative of that name, as the account writes it.
func (p *planner) salesRep(name string) (_ string, found bool) {
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

func saleTypeFrom(s Settings) string {
	if s.SaleType == Advanced {
		return "Advanced"
	}
	return "Simple"
}

func statusFrom(s Settings) cin7core.Status {
	if s.OrderStatus == Authorised {
		return cin7core.Authorised
	}
	return cin7core.Draft
}

// modeFrom is NOPICK for what Cin7 Core would not pick anyway, so that nobody waits for it.
func modeFrom(s Settings) cin7core.Mode {
	if s.SaleType == Advanced || s.OrderStatus != Authorised {
		return cin7core.NoPick
	}
	switch s.CreationMode {
	case AutoPick:
		return cin7core.AutoPick
	case AutoPickPack:
		return cin7core.AutoPickPack
	case AutoPickPackShip:
		return cin7core.AutoPickPackShip
	}
	return cin7core.NoPick
}

// dateOf is a calendar date as the Cin7 Core client takes it.
func dateOf(d upstock.Date) time.Time { return d.In(time.UTC) }

// named is the index of the row of that name: exactly, else in another case; -1 where there is none.
func named[T any](rows []T, name string, of func(T) string) int {
	if i := slices.IndexFunc(rows, func(row T) bool { return of(row) == name }); i >= 0 {
		return i
	}
	return slices.IndexFunc(rows, func(row T) bool { return match.Same(of(row), name) })
}
