package sale

import (
	"fmt"
	"strings"

	"github.com/shopspring/decimal"

	"stockbridge/internal/prose"
)

// rounding is how far two totals may be apart that are worked out of the same amounts, where the tenant says nothing
// else.
var rounding = DefaultSettings().TotalTolerance

// TooFarApart reports whether a sale's total is further from an order's than is allowed. What was reckoned of the
// difference beforehand, because the account taxes a whole order at once, is none of it.
func TooFarApart(sale, order, reckoned, tolerance decimal.Decimal) bool {
	return sale.Sub(order).Sub(reckoned).Abs().GreaterThan(tolerance)
}

// totals predicts the sale's sums and compares them with the order's. Three totals are there: the order's own, that of
// its lines by its own rule, and the sale's. The lines may be rounded in another way in Cin7 Core, which is within the
// rounding; where the account taxes a whole order, the tax of many lines is another by itself, which is reckoned and
// taken off first. A tolerance of the tenant's own is for the plain difference of order and sale, whatever it comes of.
func (p *planner) totals() {
	if p.uncounted || p.unreadable("lines") || p.unreadable("freight") ||
		p.unreadable("totals") || p.unreadable("totals.total") {
		return // there is a problem already
	}
	d := &p.plan.Order
	d.TotalBeforeTax, d.Tax = p.taxed(p.saleRows())
	d.Total = d.TotalBeforeTax.Add(d.Tax)
	p.plan.SaleTotal = d.Total

	lines := p.o.Computed().Total
	net, tax := p.taxed(p.orderRows())
	atOnce := net.Add(tax).Sub(lines) // what taxing the whole order makes of it
	order := lines
	if p.o.Stated != nil {
		var ok bool
		if order, ok = countable(p.o.Stated.Total); !ok {
			p.plan.OrderTotal = lines
			p.problem(0, "total", "The order's total is too large to be meant.", correctOrder)
			return
		}
	}
	p.plan.OrderTotal, p.plan.Rounding = order, atOnce
	if tolerance, _ := countable(p.s.TotalTolerance); !tolerance.Equal(rounding) {
		p.plan.Rounding = decimal.Zero // it counts as any other difference
	}
	p.plan.Sums = p.sums(order)
	p.compareTotals(order, lines, atOnce, net)
}

// compareTotals says how the order's total, its lines' and the sale's differ, and whether that is too much.
func (p *planner) compareTotals(order, lines, atOnce, net decimal.Decimal) {
	tolerance, _ := countable(p.s.TotalTolerance)
	sale := p.plan.SaleTotal
	over := func(a, b decimal.Decimal) bool { return TooFarApart(a, b, decimal.Zero, tolerance) }
	if p.o.Stated != nil && over(order, lines) {
		p.say("The order's total is %s, but its lines and freight come to %s.", p.money(order), p.money(lines))
	}
	problem := func(difference decimal.Decimal, is, why string) {
		if p.o.Stated != nil && !over(order, net) && !lines.Equal(net) {
			why += " It looks as if the order's prices included the tax, or the order were free of it."
		}
		p.problem(0, "total", fmt.Sprintf("The order's total is %s, but %s: %s apart, and %s is allowed.%s",
			p.money(order), is, p.money(difference.Abs()), p.money(tolerance), why),
			"Correct the order in Upstock, or allow more in the setting totalTolerance", Want{Kind: WantMe})
	}
	byLines := tolerance.Equal(rounding)
	apart := sale.Sub(order)
	switch {
	case !byLines && over(sale, order):
		problem(apart, "the sale in Cin7 Core would be "+p.money(sale), "")
	case byLines && over(order, lines):
		problem(order.Sub(lines), fmt.Sprintf("its lines and freight come to %s, and the sale in Cin7 Core would be %s",
			p.money(lines), p.money(sale)), "")
	case byLines && (TooFarApart(sale, lines, atOnce, tolerance) || TooFarApart(sale, order, atOnce, tolerance)):
		problem(apart, "the sale in Cin7 Core would be "+p.money(sale), p.taxAtOnce(atOnce))
	case apart.IsZero():
	case atOnce.IsZero():
		p.say("The sale in Cin7 Core is %s, the order %s: %s apart, because each rounds in its own way.%s",
			p.money(sale), p.money(order), p.money(apart.Abs()), p.whose())
	default:
		p.say("The sale in Cin7 Core is %s, the order %s: %s apart.%s%s",
			p.money(sale), p.money(order), p.money(apart.Abs()), p.taxAtOnce(atOnce), p.whose())
	}
}

// taxAtOnce says what of a difference comes of the account's way of taxing.
func (p *planner) taxAtOnce(apart decimal.Decimal) string {
	if apart.IsZero() {
		return ""
	}
	more := "more"
	if apart.IsNegative() {
		more = "less"
	}
	return fmt.Sprintf(" Cin7 Core taxes the whole order at once and Upstock each line, which makes %s %s.",
		p.money(apart.Abs()), more)
}

// taxedRow is a line or charge as its tax is reckoned.
type taxedRow struct {
	rule              string
	percent, net, tax decimal.Decimal
}

// saleRows are the rows as they are sent, orderRows the same rows with the order's own amounts.
func (p *planner) saleRows() []taxedRow {
	var rows []taxedRow
	for i, l := range p.plan.Order.Lines {
		rows = append(rows, taxedRow{l.TaxRule, rateOf(p.o.Lines[i].TaxRate), l.Total, l.Tax})
	}
	for _, c := range p.plan.Order.AdditionalCharges {
		rows = append(rows, taxedRow{c.TaxRule, rateOf(p.o.Freight.TaxRate), c.Total, c.Tax})
	}
	return rows
}

func (p *planner) orderRows() []taxedRow {
	rows := p.saleRows()
	for i := range rows {
		if r := &rows[i]; i < len(p.o.Lines) {
			r.net, r.tax = p.o.Lines[i].Net(), p.o.Lines[i].Tax()
		} else {
			r.net, r.tax = p.o.Freight.Amount.Round(2), p.o.Freight.Tax()
		}
	}
	return rows
}

// taxed are a document's sums, as Cin7 Core is taken to compute them from its rows, which the account's
// TaxCalculationMethod decides: with “Row Total” the tax is the sum of the rows' taxes; with “Total” it is, for each
// tax rule, the percentage of the sum of its rows, rounded once, half away from zero. The vendor documents the two
// names only.
func (p *planner) taxed(rows []taxedRow) (net, tax decimal.Decimal) {
	byRule := map[string]taxedRow{}
	for _, r := range rows {
		net, tax = net.Add(r.net), tax.Add(r.tax)
		key := strings.ToLower(r.rule) + "|" + r.percent.String()
		sum := byRule[key]
		sum.percent, sum.net = r.percent, sum.net.Add(r.net)
		byRule[key] = sum
	}
	if !p.taxesAtOnce() {
		return net, tax
	}
	tax = decimal.Zero
	for _, r := range byRule {
		tax = tax.Add(rowTax(r.net, r.percent))
	}
	return net, tax
}

// taxesAtOnce reports whether the account taxes a whole order at once.
func (p *planner) taxesAtOnce() bool {
	return strings.EqualFold(strings.TrimSpace(p.ref.Books.Me.TaxCalculationMethod), "Total")
}

// money is exact where cents are not.
func (p *planner) money(d decimal.Decimal) string {
	text := d.StringFixed(2)
	if places(d) > 2 {
		text = figure(d)
	}
	return prose.Within(text, 40) + " " + prose.Within(p.o.Currency, 8)
}
