package sale

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/upstock"
)

// Plan is what an order becomes in Cin7 Core, whole, before anything is sent. It is kept as JSON.
type Plan struct {
	Header cin7core.SaleHeader    `json:"header"`
	Order  cin7core.OrderDocument `json:"order"` // SaleID is set once the sale exists

	OrderTotal decimal.Decimal `json:"orderTotal"`        // what Upstock says, tax included
	SaleTotal  decimal.Decimal `json:"saleTotal"`         // what Cin7 Core will say, predicted
	Rounding   decimal.Decimal `json:"rounding,omitzero"` // what of their difference comes of taxing it at once

	CustomerID   string   `json:"customerId"`             // Cin7 Core's
	LinkCustomer bool     `json:"linkCustomer,omitempty"` // it was found by its name: Link should be remembered
	Said         []string `json:"said,omitempty"`         // in sentences: cuts, small differences, what was left out
	Amended      bool     `json:"amended,omitempty"`      // one row's total is as Cin7 Core expects it, see Amend

	Sums []Sum `json:"-"` // where the two totals differ: what the order comes to by each way of reckoning

	link  ledger.Link // of the customer, as it was when the plan was made
	buyer string      // the customer's name in Upstock
}

// Link is the link that the only card of the customer's name makes. A plan that was read back has none.
func (p *Plan) Link(now time.Time) ledger.Link {
	to := p.link
	to.ID, to.At, to.By, to.Name = p.CustomerID, now.UTC(), ledger.ByName, p.buyer
	return to
}

// Make turns an order into a sale, or says every problem that stands against it. Faults are the order's unreadable
// fields. Wants are what should be read live before the answer is believed, because a problem, or a choice of second
// best, rests on nothing but the mirror: read those once and call again with Reference.Live set. A plan beside problems
// is not to be sent.
//
//	Upstock                     Cin7 Core              rule
//	supplier, id                ExternalID             upstock:<supplier>:<id>
//	customer                    CustomerID             linked id; the link we remember; the one card of that name;
//	                                                   never created
//	reference, orderNumber, id  CustomerReference      the first that is given; cut at 256 and said
//	orderDate                   SaleOrderDate          a calendar date, else that of the approval; after the account's
//	                                                   lock date
//	deliveryDate                ShipBy                 setting shipBySource; none: first line of ShippingNotes instead
//	comments                    ShippingNotes          the first with text; cut at 1,024 and said
//	deliveryAddress,            ShippingAddress        the card's address that the custom field chooses; else the
//	  customFields                                     card's own that equals it; else written out with ShipToOther,
//	                                                   so that the card stays as it is; none: the card's default;
//	                                                   written out too where its company or contact is not the card's
//	–                           BillingAddress         the card's default
//	–                           Location               setting; the card's; the account's default
//	–                           SalesRepresentative    the card's; setting (the built-in default is left out where it
//	                                                   is missing)
//	–                           TaxRule                the card's (not sent); where that is unusable, the first line's
//	–                           TaxInclusive,          false, true
//	                              SkipQuote
//	–                           Terms, PriceTier,      the card's (not sent), which must be usable
//	                              Carrier
//	–                           SaleType, Status,      settings
//	                              AutoPickPackShipMode
//	line product                ProductID, SKU, Name   by id; exact SKU; SKU in another case if only one
//	line quantity               Quantity               1 to 1e9, 4 decimals
//	line unitPrice              Price                  4 decimals; finer is rounded and said
//	line discountPercent        Discount               2 decimals; finer goes into Price, and Discount is 0
//	line taxRate                TaxRule, Tax           setting taxRules; the card's rule; the only sales rule of that
//	                                                   percentage; not given: the product's sale tax rule, else the
//	                                                   card's
//	line comment                Comment                cut at 256 and said
//	–                           DropShip               false
//	–                           line Total             round2(round4(Price × (100 − Discount)/100) × Quantity),
//	                                                   tax excluded
//	freight                     an additional charge   on the service product of setting freightProduct, by its name;
//	                                                   none if 0
//	totals                      –                      compared with what Cin7 Core will compute (see taxed)
func Make(
	o upstock.Order, faults []upstock.FieldError, s Settings, ref Reference,
) (Plan, []ledger.Problem, []Want) {
	p := newPlanner(o, s, ref)
	if whole := p.faults(faults); whole {
		return p.finish()
	}
	p.checkOrder()
	p.customer()
	p.taxRules()
	p.plan.Header = p.header()
	p.plan.Order = p.order()
	p.plan.Header.TaxRule = p.headerTaxFrom(p.plan.Order.Lines)
	p.totals()
	return p.finish()
}

// planner is one Make.
type planner struct {
	o    upstock.Order
	s    Settings
	ref  Reference
	plan Plan

	faulty    map[string]bool     // the order's fields that cannot be read; all of them are said
	date      upstock.Date        // the order's, else that of its approval
	card      cin7core.Customer   // of the order's customer
	known     bool                // the card was found
	rates     map[string]*taxRate // by percentage
	products  productIndex
	uncounted bool // some amount cannot be counted with: totals mean nothing

	problems []ledger.Problem
	wants    []Want
	wanted   map[Want]bool
	lines    map[string][]int // by what Said says: the lines that it is said of
}

func newPlanner(o upstock.Order, s Settings, ref Reference) *planner {
	o.Lines = slices.Clone(o.Lines)
	for i := range o.Lines {
		l := &o.Lines[i]
		l.Quantity, l.UnitPrice = plainZero(l.Quantity), plainZero(l.UnitPrice)
		l.DiscountPercent, l.TaxRate = plainZero(l.DiscountPercent), plainRate(l.TaxRate)
	}
	if f := o.Freight; f != nil {
		o.Freight = &upstock.Freight{Description: f.Description, Amount: plainZero(f.Amount)}
		if !f.Amount.IsZero() { // else nobody looks at it
			o.Freight.TaxRate = plainRate(f.TaxRate)
		}
	}
	return &planner{
		o: o, s: s, ref: ref, products: indexProducts(ref.Products),
		faulty: map[string]bool{}, rates: map[string]*taxRate{}, wanted: map[Want]bool{}, lines: map[string][]int{},
	}
}

const (
	correctOrder = "Correct the order in Upstock"
	thenRetry    = ", then retry the order."
)

// problem says what stands against the order, and against which of its lines; 0 is none of them. The wants are the
// records that could refute it, read live.
func (p *planner) problem(line int, code, message, fix string, wants ...Want) {
	p.problems = append(p.problems, ledger.Problem{Code: code, Message: message, Fix: fix + thenRetry, Line: line})
	p.want(wants...)
}

// say says something of the order that does not stand against it.
func (p *planner) say(format string, args ...any) {
	p.plan.Said = append(p.plan.Said, fmt.Sprintf(format, args...))
}

// sayLine says the same sentence once of all lines that it is said of.
func (p *planner) sayLine(line int, what string) {
	if p.lines[what] == nil {
		p.plan.Said = append(p.plan.Said, what)
	}
	p.lines[what] = append(p.lines[what], line)
}

// maxAsked is longer than any key of the vendor's: nothing has such a one, and the question would be no address.
const maxAsked = 512

// want asks for records, each once, and for none that nothing tells.
func (p *planner) want(wants ...Want) {
	for _, w := range wants {
		_, long := prose.Cut(w.ID+w.SKU+w.Name+w.Email, maxAsked)
		if long || w.empty() || p.ref.Live || p.wanted[w] {
			continue
		}
		p.wanted[w] = true
		p.wants = append(p.wants, w)
	}
}

// mostProblems and mostSaid are how many a person can use at once; an order of thousands of lines would otherwise be
// more than its record can hold.
const mostProblems, mostSaid = 250, 100

func (p *planner) finish() (Plan, []ledger.Problem, []Want) {
	for i, s := range p.plan.Said {
		if lines := p.lines[s]; lines != nil {
			p.plan.Said[i] = numbers(lines) + ": " + s
		}
	}
	if more := len(p.plan.Said) - mostSaid; more > 0 {
		p.plan.Said = append(p.plan.Said[:mostSaid], fmt.Sprintf("There are %d more remarks like these.", more))
	}
	if more := len(p.problems) - mostProblems; more > 0 {
		p.problems = p.problems[:mostProblems]
		p.problem(0, "more", fmt.Sprintf("There are %d more problems like these.", more),
			"Put the ones above right first")
	}
	return p.plan, p.problems, p.wants
}

// numbers says line numbers as a person would: “Line 3”, “Lines 1, 2 and 7”.
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
