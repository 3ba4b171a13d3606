// Package sale says what an order becomes in Cin7 Core: the whole sale before anything is sent, or everything that
// stands against it. It is pure: it reads no clock, calls nobody and writes nothing.
//
// # Words
//
//	Plan       the sale, header and lines, with its total predicted to the cent, and what is to be said of it
//	Reference  what of the tenant's Cin7 Core account one order needs: its books, and the candidates among its cards
//	Books      the small reference books of an account: locations, tax rules, terms, …
//	Problem    why there is no plan, as ledger.Problem: what is wrong and what would mend it. There may be many
//	Want       a record or book that should be read live before a problem is believed
//
// # How it is used
//
//	needs := sale.Needs(order, settings)               // what to look up in the mirror
//	plan, problems, wants := sale.Make(order, faults, settings, ref)
//	if len(wants) > 0 {                                // read them live, once, into ref; set ref.Live
//		plan, problems, _ = sale.Make(order, faults, settings, ref)
//	}
//
// Beside Make stand the comparisons of what was sent with what is there ([SameHeader], [SameLines], [SameGoods],
// [TooFarApart]), so that what is mapped and what is compared are read together; and [CheckSettings], which asks of the
// settings alone what Make would ask with an order.
//
// # What it promises
//
// The same input gives the same plan, byte by byte (a golden file holds it). Either there is a plan, whose total
// differs from the order's by no more than the tenant's tolerance, or there are problems, all of them at once. What is
// cut, left out, chosen as second best or off by a cent is said in the plan's Said. Numbers and texts of any size and
// kind end in a plan or a problem, never in a panic or without end.
//
// A field is one line of a …From function with its row in the table above [Make]; a test holds each field of the header
// and of a line to its row, and to its place in the comparisons.
package sale

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/ledger"
	"stockbridge/internal/match"
	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
)

// Plan is what an order becomes in Cin7 Core, whole, before anything is sent.
type Plan struct {
	Header       cin7core.SaleHeader    `json:"header"`
	Order        cin7core.OrderDocument `json:"order"`                  // SaleID is set once the sale exists
	OrderTotal   decimal.Decimal        `json:"orderTotal"`             // what Upstock says, tax included
	SaleTotal    decimal.Decimal        `json:"saleTotal"`              // what Cin7 Core will say, predicted
	Rounding     decimal.Decimal        `json:"rounding,omitzero"`      // what of their difference comes of taxing the whole order at once
	CustomerID   string                 `json:"customerId"`             // Cin7 Core
	LinkCustomer bool                   `json:"linkCustomer,omitempty"` // matched by name: remember the link
	Said         []string               `json:"said,omitempty"`         // in plain sentences: cuts, small differences, what was left out
	Amended      bool                   `json:"amended,omitempty"`      // one row's total is as Cin7 Core expects it, see amend

	link  ledger.Link // of the customer as it was when the plan was made
	buyer string      // the customer's name
}

// Link is the link that the only card of the customer's name makes.
func (p *Plan) Link(now time.Time) ledger.Link {
	to := p.link
	to.ID, to.At, to.By, to.Name = p.CustomerID, now.UTC(), ledger.ByName, p.buyer
	return to
}

// Reference is what the tenant's Cin7 Core account holds, as far as one order needs it.
type Reference struct {
	Supplier  int64 // Upstock's id of the tenant, for the sale's ExternalID
	Books     Books
	Customers []cin7core.Customer    // every candidate: by linked id, stored link, name, e-mail
	Products  []cin7core.Product     // every candidate: by id, by SKU whatever its case; the freight product
	Link      ledger.Link            // of the order's customer
	Goods     map[string]ledger.Link // that a person made for products that Upstock does not link, by skuKey
	Live      bool                   // already read live: nothing more is wanted
}

// Books are the small reference books of a Cin7 Core account.
type Books struct {
	Me           cin7core.Me
	Locations    []cin7core.Location
	TaxRules     []cin7core.TaxRule
	PaymentTerms []cin7core.PaymentTerm
	Contacts     []cin7core.Contact // sales representatives are among them
	Carriers     []cin7core.Carrier
	PriceTiers   []cin7core.PriceTier
}

// Limits of Cin7 Core's fields, in characters.
const (
	maxReference   = 256
	maxNotes       = 1024
	maxLineComment = 256
	maxCharge      = 1024
)

// Make turns an order into a sale, or says every problem that stands against it. It is pure. Faults are the order's
// unreadable fields. Wants lists what should be read live before the answer is believed, because a problem, or a choice of
// second best, rests on nothing but the mirror: read those once and call again with Reference.Live set.
//
//	Upstock                     Cin7 Core                 rule
//	supplier, id                ExternalID                upstock:<supplier>:<id>
//	customer                    CustomerID                linked id; the link we remember; the one card of that name; never created
//	reference, orderNumber, id  CustomerReference         the first that is given; cut at 256 and said
//	orderDate                   SaleOrderDate             a calendar date, else that of the approval; after the account's lock date
//	deliveryDate                ShipBy                    setting shipBySource; none: first line of ShippingNotes instead
//	comments                    ShippingNotes             the first with text; cut at 1,024 and said
//	deliveryAddress,            ShippingAddress           the card's address that the custom field chooses; else the card's own that equals it;
//	  customFields                                        else written out with ShipToOther, so that the card stays as it is; none: the card's default;
//	                                                      written out too where its company or contact is not the card's
//	–                           BillingAddress            the card's default
//	–                           Location                  setting; the card's; the account's default
//	–                           SalesRepresentative       the card's; setting (the built-in default is left out where it is missing)
//	–                           TaxRule                   the card's (not sent); where that is unusable, the first line's
//	–                           TaxInclusive, SkipQuote   false, true
//	–                           Terms, PriceTier,         the card's (not sent), which must be usable
//	                              Carrier
//	–                           SaleType, Status,         settings
//	                              AutoPickPackShipMode
//	line product                ProductID, SKU, Name      by id; exact SKU; SKU in another case if only one
//	line quantity               Quantity                  1 to 1e9, 4 decimals
//	line unitPrice              Price                     4 decimals; finer is rounded and said
//	line discountPercent        Discount                  2 decimals; finer goes into Price, and Discount is 0
//	line taxRate                TaxRule, Tax              setting taxRules; the card's rule; the only sales rule of that percentage;
//	                                                      not given: the product's sale tax rule, else the card's
//	line comment                Comment                   cut at 256 and said
//	–                           DropShip                  false
//	–                           line Total                round2(round4(Price × (100 − Discount)/100) × Quantity), tax excluded
//	freight                     an additional charge      on the service product of setting freightProduct, by its name; none if 0
//	totals                      –                         compared with what Cin7 Core will compute (see sums)
func Make(o upstock.Order, faults []upstock.FieldError, s tenant.Settings, ref Reference) (Plan, []ledger.Problem, []Want) {
	p := newPlanner(o, s, ref)
	if whole := p.faults(faults); whole {
		return p.finish()
	}
	p.checkOrder()
	p.customer()
	p.taxRules()
	p.plan.Header = p.headerFrom(p.o, p.card)
	p.plan.Order = p.orderFrom(p.o)
	p.plan.Header.TaxRule = p.headerTaxFrom(p.card)
	p.totals()
	return p.finish()
}

// planner is one Make.
type planner struct {
	o         upstock.Order
	s         tenant.Settings
	ref       Reference
	plan      Plan
	faulty    map[string]bool    // the order's fields of which a problem is already said
	card      cin7core.Customer  // of the order's customer
	known     bool               // the card was found
	rules     map[string]taxRate // by percentage
	rates     []string           // the keys of rules in the order of their lines
	products  productIndex
	uncounted bool         // some amount cannot be read: totals mean nothing
	date      upstock.Date // the order's, else that of its approval
	unfit     string       // why the custom field chooses no delivery address

	problems []ledger.Problem
	wants    []Want
	wanted   map[Want]bool
	said     map[string][]int // what is said of several lines
}

func newPlanner(o upstock.Order, s tenant.Settings, ref Reference) *planner {
	o.Lines = slices.Clone(o.Lines)
	for i := range o.Lines {
		l := &o.Lines[i]
		l.Quantity, l.UnitPrice = plainZero(l.Quantity), plainZero(l.UnitPrice)
		l.DiscountPercent, l.TaxRate = plainZero(l.DiscountPercent), plainRate(l.TaxRate)
	}
	if f := o.Freight; f != nil {
		o.Freight = &upstock.Freight{Description: f.Description, Amount: plainZero(f.Amount), TaxRate: plainRate(f.TaxRate)}
		if f.Amount.IsZero() { // nobody looks at it then
			o.Freight.TaxRate = nil
		}
	}
	return &planner{
		o: o, s: s, ref: ref, faulty: map[string]bool{}, rules: map[string]taxRate{}, products: indexProducts(ref.Products),
		wanted: map[Want]bool{}, said: map[string][]int{},
	}
}

const thenRetry = ", then retry the order."

// problem says what stands against the order. The wants are the records that could refute it, read live.
func (p *planner) problem(line int, code, message, fix string, wants ...Want) {
	p.problems = append(p.problems, ledger.Problem{Code: code, Message: message, Fix: fix, Line: line})
	p.want(wants...)
}

// maxAsked is longer than any key of the vendor's: nothing has such a one, and the question would be no address.
const maxAsked = 512

func (p *planner) want(wants ...Want) {
	for _, w := range wants {
		if _, long := prose.Cut(w.ID+w.SKU+w.Name+w.Email, maxAsked); long {
			continue
		}
		if p.ref.Live || p.wanted[w] || w == (Want{Kind: w.Kind}) && (w.Kind == WantCustomer || w.Kind == WantProduct) {
			continue
		}
		p.wanted[w] = true
		p.wants = append(p.wants, w)
	}
}

func (p *planner) say(format string, args ...any) {
	p.plan.Said = append(p.plan.Said, fmt.Sprintf(format, args...))
}

// sayLine says the same sentence once of all lines that it is said of.
func (p *planner) sayLine(line int, what string) {
	if p.said[what] == nil {
		p.plan.Said = append(p.plan.Said, what)
	}
	p.said[what] = append(p.said[what], line)
}

// mostProblems and mostSaid are how many a person can use at once; an order of
// thousands of lines would otherwise be more than its record can hold.
const mostProblems, mostSaid = 250, 100

func (p *planner) finish() (Plan, []ledger.Problem, []Want) {
	for i, s := range p.plan.Said {
		if lines := p.said[s]; lines != nil {
			p.plan.Said[i] = numbers(lines) + ": " + s
		}
	}
	if more := len(p.plan.Said) - mostSaid; more > 0 {
		p.plan.Said = append(p.plan.Said[:mostSaid], fmt.Sprintf("There are %d more remarks like these.", more))
	}
	if more := len(p.problems) - mostProblems; more > 0 {
		p.problems = append(p.problems[:mostProblems], ledger.Problem{Code: "more",
			Message: fmt.Sprintf("There are %d more problems like these.", more), Fix: "Put the ones above right first" + thenRetry})
	}
	return p.plan, p.problems, p.wants
}

// faults turns unreadable fields into problems; whole says that the order as such cannot be read.
func (p *planner) faults(faults []upstock.FieldError) (whole bool) {
	const fix = "Correct the order in Upstock" + thenRetry
	for _, f := range faults {
		if f.Field == "" {
			p.problem(0, "unreadable", "The order "+prose.Within(f.Message, 100)+".", fix)
			return true
		}
		var line int
		var field string
		n, _ := fmt.Sscanf(f.Field, "lines[%d].%s", &line, &field)
		if p.faulty[f.Field] || n > 0 && p.bad("lines[%d]", line) {
			continue
		}
		p.faulty[f.Field] = true
		if n == 2 && !neededOfLine(field) {
			p.sayLine(line+1, fmt.Sprintf("the %s %s, and was left out.", prose.Within(field, 60), prose.Within(f.Message, 100)))
			continue
		}
		if n == 0 && !p.needed(f.Field) {
			p.say("The order's field %s %s, and was left out.", prose.Within(f.Field, 80), prose.Within(f.Message, 100))
			continue
		}
		if n == 1 {
			p.problem(line+1, "unreadable", fmt.Sprintf("Line %d %s.", line+1, prose.Within(f.Message, 100)), fix)
			continue
		}
		if n == 2 {
			code, name := "unreadable", field
			switch field {
			case "quantity":
				code = "quantity"
			case "unitPrice":
				code, name = "price", "unit price"
			case "discountPercent":
				code, name = "discount", "discount"
			case "taxRate":
				code, name = "taxRate", "tax rate"
			}
			p.problem(line+1, code, fmt.Sprintf("Line %d: the %s %s.", line+1, prose.Within(name, 60), prose.Within(f.Message, 100)), fix)
			continue
		}
		code, name := "unreadable", f.Field
		switch f.Field {
		case "lines":
			if code, name = "noLines", "list of lines"; len(p.o.Lines) > 0 {
				code = "tooLarge"
			}
		case "freight.amount", "freight.taxRate":
			code = "freight"
		}
		p.problem(0, code, fmt.Sprintf("The order's %s %s.", prose.Within(name, 80), prose.Within(f.Message, 100)), fix)
	}
	return false
}

// needed reports whether a sale could not be made rightly without a field of the order.
func (p *planner) needed(field string) bool {
	top, below, _ := strings.Cut(field, ".")
	top, _, _ = strings.Cut(top, "[")
	switch top {
	case "orderNumber", "reference", "orderDate", "deliveryDate", "customFields", "comments", "shipments":
		return false
	case "customer": // a linked one's id and name too: with them unreadable, the link may be another customer's
		return below != "email" && below != "phone"
	case "deliveryAddress":
		return below != "company" && below != "contact"
	case "freight":
		return below != "description"
	case "totals":
		return below != "subtotal" && below != "tax"
	}
	return true
}

// neededOfLine is needed, of a line. Of its product either the id or the SKU is enough, and that neither is there is said where it is looked for.
func neededOfLine(field string) bool {
	switch field {
	case "id", "name", "comment", "productExternalId", "sku":
		return false
	}
	return true
}

// badUnder reports whether a field, or one below it that is needed, cannot be read.
func (p *planner) badUnder(field string) bool {
	for f := range p.faulty {
		if f == field || (strings.HasPrefix(f, field+".") || strings.HasPrefix(f, field+"[")) && (p.needed(f) || field == "customFields") {
			return true
		}
	}
	return false
}

func (p *planner) bad(format string, args ...any) bool {
	return len(p.faulty) > 0 && p.faulty[fmt.Sprintf(format, args...)]
}

// checkOrder looks at what concerns the order as a whole.
func (p *planner) checkOrder() {
	o, me := p.o, p.ref.Books.Me
	switch {
	case p.bad("currency"):
	case strings.TrimSpace(me.Currency) == "":
		p.problem(0, "currency", "Cin7 Core does not say which currency its account is kept in.",
			"Check the Cin7 Core connection"+thenRetry, Want{Kind: WantMe})
	case !match.Same(o.Currency, me.Currency):
		p.problem(0, "currency", fmt.Sprintf("The order is in %s, but the Cin7 Core account is kept in %s.", prose.Quote(o.Currency), prose.Quote(me.Currency)),
			"Only orders in the account's own currency can be sent. Enter this one in Cin7 Core by hand, or change its currency in Upstock"+thenRetry, Want{Kind: WantMe})
	}
	const correct = "Correct the order in Upstock" + thenRetry
	if o.ID <= 0 && !p.bad("id") {
		p.problem(0, "unreadable", "The order has no id.", correct)
	}
	p.date = o.OrderDate
	if p.date.IsZero() && !o.ApprovedAt.IsZero() {
		zone, err := time.LoadLocation(me.TimeZone)
		if err != nil {
			zone = time.UTC
		}
		p.date = upstock.DateOf(o.ApprovedAt.In(zone))
		p.say("The order has no date; the sale has the day of its approval, %s.", p.date)
	}
	locked := me.LockDate()
	switch {
	case p.date.IsZero():
		p.problem(0, "orderDate", "The order has no date, and none of its approval.", correct)
	case !locked.IsZero() && !dateOf(p.date).After(dateOf(upstock.DateOf(locked))):
		p.problem(0, "dateLocked", fmt.Sprintf("The order is dated %s, but the Cin7 Core account is locked up to %s.", p.date, upstock.DateOf(locked)),
			"Move the lock date in Cin7 Core (General settings), or change the order's date in Upstock"+thenRetry, Want{Kind: WantMe})
	}
	if len(o.Lines) == 0 && !p.bad("lines") {
		p.problem(0, "noLines", "The order has no lines.", correct)
	}
	if me.AutomaticallyApplyDiscounts && p.s.OrderStatus == tenant.Authorised {
		p.say("The Cin7 Core account applies discounts by itself when an order is authorised, so the sale's total may change then.")
	}
}

// headerFrom is the sale without its lines. The card is empty where the customer is not known: there is a problem then.
func (p *planner) headerFrom(o upstock.Order, card cin7core.Customer) cin7core.SaleHeader {
	return cin7core.SaleHeader{
		ExternalID:          ExternalID(strconv.FormatInt(p.ref.Supplier, 10), strconv.FormatInt(o.ID, 10)),
		CustomerID:          card.ID,
		CustomerReference:   p.referenceFrom(o),
		SaleOrderDate:       dateOf(p.date),
		ShipBy:              p.shipByFrom(o),
		ShippingNotes:       p.notesFrom(o),
		ShippingAddress:     p.shippingFrom(o, card),
		BillingAddress:      billingFrom(card),
		Location:            p.locationFrom(card),
		SalesRepresentative: p.salesRepFrom(card),
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
	ref, _ := prose.Cut(wholeReference(o), maxReference)
	return ref
}

func wholeReference(o upstock.Order) string {
	given := cmp.Or(prose.Clean(o.Reference), prose.Clean(o.OrderNumber))
	if given == "" && o.ID > 0 {
		return strconv.FormatInt(o.ID, 10)
	}
	return given
}

func (p *planner) referenceFrom(o upstock.Order) string {
	whole, ref := wholeReference(o), CustomerReference(o)
	if whole != "" && prose.Clean(o.Reference)+prose.Clean(o.OrderNumber) == "" {
		p.say("The order has neither a reference nor a number; the sale has Upstock's id of it, %s.", whole)
	}
	if ref != whole {
		p.say("The reference was cut at %d characters.", maxReference)
	}
	return ref
}

func (p *planner) shipByFrom(o upstock.Order) time.Time {
	if p.s.ShipBySource == tenant.NoDate {
		return time.Time{}
	}
	return dateOf(o.DeliveryDate)
}

func (p *planner) notesFrom(o upstock.Order) string {
	var notes []string
	if p.s.ShipBySource == tenant.NoDate && !o.DeliveryDate.IsZero() {
		notes = append(notes, "Expected delivery: "+dateOf(o.DeliveryDate).Format("2 January 2006"))
	}
	texts := 0
	for _, c := range o.Comments { // oldest first
		text := prose.Clean(c.Text)
		if text == "" {
			continue
		}
		if texts++; texts == 1 {
			notes = append(notes, text)
		}
	}
	switch {
	case texts == 2:
		p.say("The order has a second comment; only the first goes into the shipping notes.")
	case texts > 2:
		p.say("The order has %d more comments; only the first goes into the shipping notes.", texts-1)
	}
	text, was := prose.Cut(strings.Join(notes, "\n"), maxNotes)
	if was {
		p.say("The shipping notes were cut at %d characters.", maxNotes)
	}
	return text
}

func saleTypeFrom(s tenant.Settings) string {
	if s.SaleType == tenant.Advanced {
		return "Advanced"
	}
	return "Simple"
}

func statusFrom(s tenant.Settings) cin7core.Status {
	if s.OrderStatus == tenant.Authorised {
		return cin7core.Authorised
	}
	return cin7core.Draft
}

// modeFrom is NOPICK for what Cin7 Core would not pick anyway, so that nobody waits for it.
func modeFrom(s tenant.Settings) cin7core.Mode {
	if s.SaleType == tenant.Advanced || s.OrderStatus != tenant.Authorised {
		return cin7core.NoPick
	}
	switch s.CreationMode {
	case tenant.AutoPick:
		return cin7core.AutoPick
	case tenant.AutoPickPack:
		return cin7core.AutoPickPack
	case tenant.AutoPickPackShip:
		return cin7core.AutoPickPackShip
	}
	return cin7core.NoPick
}

// dateOf is a calendar date as the Cin7 Core client takes it.
func dateOf(d upstock.Date) time.Time { return d.In(time.UTC) }

// numbers says line numbers as a person would: "Line 3", "Lines 1, 2 and 7".
func numbers(lines []int) string {
	lines = slices.Compact(slices.Sorted(slices.Values(lines)))
	if len(lines) == 1 {
		return fmt.Sprintf("Line %d", lines[0])
	}
	const most = 8
	more := len(lines) - most
	if more > 0 {
		lines = lines[:most]
	}
	var b strings.Builder
	b.WriteString("Lines ")
	for i, n := range lines {
		switch {
		case i == 0:
		case i == len(lines)-1 && more <= 0:
			b.WriteString(" and ")
		default:
			b.WriteString(", ")
		}
		fmt.Fprint(&b, n)
	}
	if more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}
