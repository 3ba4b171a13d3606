package upstockcin7

import (
	"fmt"
	"strings"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
)

var (
	one     = decimal.NewFromInt(1)
	hundred = decimal.NewFromInt(100)
	billion = decimal.New(1, 9)
)

// amount takes a number that can be counted with: the arithmetic of one with an exponent of millions would not end.
func amount(d decimal.Decimal) (decimal.Decimal, bool) {
	if d.Coefficient().BitLen() > 512 {
		return decimal.Zero, false
	}
	if d.IsZero() {
		return decimal.Zero, true
	}
	if e := d.Exponent(); e > 100 || e < -200 {
		return decimal.Zero, false
	}
	return d, true
}

// plainZero is 0 for 0e999999999, which is 0 but cannot be written out.
func plainZero(d decimal.Decimal) decimal.Decimal {
	if d.IsZero() {
		return decimal.Zero
	}
	return d
}

// places counts the decimals that mean something.
func places(d decimal.Decimal) int {
	_, fraction, _ := strings.Cut(d.String(), ".")
	return len(fraction)
}

func figure(d decimal.Decimal) string { return bare(d.String(), 24) }

// netOf takes a percentage off.
func netOf(d, percent decimal.Decimal) decimal.Decimal { return d.Mul(hundred.Sub(percent)).Shift(-2) }

// rowTotal is a row's Total as Cin7 Core checks it; its unit price is rounded before it is multiplied.
func rowTotal(price, discount, quantity decimal.Decimal) decimal.Decimal {
	return netOf(price, discount).Round(4).Mul(quantity).Round(2)
}

func rowTax(total, percent decimal.Decimal) decimal.Decimal {
	return total.Mul(percent).Shift(-2).Round(2)
}

// totals predicts the sale's sums and compares them with the order's.
func (p *planner) totals() {
	if p.uncounted || p.bad("lines") || p.bad("freight") || p.bad("totals") || p.bad("totals.total") {
		return // there is a problem already
	}
	d := &p.plan.Order
	d.TotalBeforeTax, d.Tax = p.sums(*d)
	d.Total = d.TotalBeforeTax.Add(d.Tax)
	p.plan.SaleTotal = d.Total

	tolerance, _ := amount(p.s.TotalTolerance)
	rule := p.o.Computed().Total
	p.plan.OrderTotal = rule
	if p.o.Stated != nil {
		stated, ok := amount(p.o.Stated.Total)
		if !ok {
			p.problem(0, "total", "The order's total is too large to be meant.", correctOrder+thenRetry)
			return
		}
		p.plan.OrderTotal = stated
		if rule.Sub(stated).Abs().GreaterThan(tolerance) {
			p.say("The order's total is %s, but its lines and freight come to %s.", p.money(stated), p.money(rule))
		}
	}
	switch apart := p.plan.SaleTotal.Sub(p.plan.OrderTotal).Abs(); {
	case apart.GreaterThan(tolerance):
		p.problem(0, "total", fmt.Sprintf("The order's total is %s, but the sale in Cin7 Core would be %s: %s apart, and %s is allowed.",
			p.money(p.plan.OrderTotal), p.money(p.plan.SaleTotal), p.money(apart), p.money(tolerance)),
			"Correct the order in Upstock, or allow more in the setting totalTolerance"+thenRetry, Want{Kind: WantMe})
	case !apart.IsZero():
		p.say("The sale in Cin7 Core is %s, the order %s: %s apart, because each rounds in its own way.",
			p.money(p.plan.SaleTotal), p.money(p.plan.OrderTotal), p.money(apart))
	}
}

// sums are the document's, as Cin7 Core is taken to compute them from the rows sent, which the account's
// TaxCalculationMethod decides: with “Row Total” the tax is the sum of the rows' taxes; with “Total” it is, for each tax
// rule, the percentage of the sum of its rows, rounded once, half away from zero. The vendor documents the two names only.
// Every percentage has one rule here, so that percentages stand for rules.
func (p *planner) sums(d cin7core.OrderDocument) (net, tax decimal.Decimal) {
	byRate := map[string]decimal.Decimal{}
	row := func(rate, total, rowTax decimal.Decimal) {
		net = net.Add(total)
		tax = tax.Add(rowTax)
		byRate[rate.String()] = byRate[rate.String()].Add(total)
	}
	for i, l := range d.Lines {
		row(p.o.Lines[i].TaxRate, l.Total, l.Tax)
	}
	for _, c := range d.AdditionalCharges {
		row(p.o.Freight.TaxRate, c.Total, c.Tax)
	}
	if !strings.EqualFold(strings.TrimSpace(p.ref.Books.Me.TaxCalculationMethod), "Total") {
		return net, tax
	}
	tax = decimal.Zero
	for rate, total := range byRate {
		percent, _ := decimal.NewFromString(rate)
		tax = tax.Add(rowTax(total, percent))
	}
	return net, tax
}

// money is exact where cents are not.
func (p *planner) money(d decimal.Decimal) string {
	text := d.StringFixed(2)
	if places(d) > 2 {
		text = figure(d)
	}
	return bare(text, 40) + " " + bare(p.o.Currency, 8)
}
