package sale

import (
	"fmt"
	"strings"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
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

// plainRate is plainZero of a rate that may be absent.
func plainRate(d *decimal.Decimal) *decimal.Decimal {
	if d == nil {
		return nil
	}
	rate := plainZero(*d)
	return &rate
}

// places counts the decimals that mean something.
func places(d decimal.Decimal) int {
	_, fraction, _ := strings.Cut(d.String(), ".")
	return len(fraction)
}

func figure(d decimal.Decimal) string { return prose.Within(d.String(), 24) }

// netOf takes a percentage off.
func netOf(d, percent decimal.Decimal) decimal.Decimal { return d.Mul(hundred.Sub(percent)).Shift(-2) }

// rowTotal is a row's Total as Cin7 Core checks it; its unit price is rounded before it is multiplied.
func rowTotal(price, discount, quantity decimal.Decimal) decimal.Decimal {
	return netOf(price, discount).Round(4).Mul(quantity).Round(2)
}

func rowTax(total, percent decimal.Decimal) decimal.Decimal {
	return total.Mul(percent).Shift(-2).Round(2)
}

// rounding is how far two totals may be apart that are worked out of the same amounts, where the tenant says nothing else.
var rounding = tenant.DefaultSettings().TotalTolerance

// TooFarApart reports whether a sale's total is further from an order's than is allowed. What was reckoned of the difference
// beforehand, because the account taxes a whole order at once, is none of it.
func TooFarApart(sale, order, reckoned, tolerance decimal.Decimal) bool {
	return sale.Sub(order).Sub(reckoned).Abs().GreaterThan(tolerance)
}

// totals predicts the sale's sums and compares them with the order's. Three totals are there: the order's own, that of its
// lines by its own rule, and the sale's. The lines may be rounded in another way in Cin7 Core, which is within the rounding;
// where the account taxes a whole order, the tax of many lines is another by itself, which is reckoned and taken off first.
// A tolerance of the tenant's own is for the plain difference of order and sale, whatever it comes of.
func (p *planner) totals() {
	if p.uncounted || p.bad("lines") || p.bad("freight") || p.bad("totals") || p.bad("totals.total") {
		return // there is a problem already
	}
	d := &p.plan.Order
	d.TotalBeforeTax, d.Tax = p.taxed(p.saleRows(*d))
	d.Total = d.TotalBeforeTax.Add(d.Tax)
	p.plan.SaleTotal = d.Total

	own := p.orderRows(*d)
	lines := p.o.Computed().Total
	net, tax := p.taxed(own)
	atOnce := net.Add(tax).Sub(lines) // what taxing the whole order makes of it
	order := lines
	if p.o.Stated != nil {
		var ok bool
		if order, ok = amount(p.o.Stated.Total); !ok {
			p.plan.OrderTotal = lines
			p.problem(0, "total", "The order's total is too large to be meant.", correctOrder+thenRetry)
			return
		}
	}
	p.plan.OrderTotal, p.plan.Rounding = order, atOnce
	if tolerance, _ := amount(p.s.TotalTolerance); !tolerance.Equal(rounding) {
		p.plan.Rounding = decimal.Zero // it counts as any other difference
	}
	p.compareTotals(order, lines, atOnce, net)
}

// compareTotals says how the order's total, its lines' and the sale's differ, and whether that is too much.
func (p *planner) compareTotals(order, lines, atOnce, net decimal.Decimal) {
	tolerance, _ := amount(p.s.TotalTolerance)
	sale := p.plan.SaleTotal
	over := func(a, b decimal.Decimal) bool { return TooFarApart(a, b, decimal.Zero, tolerance) }
	fix := "Correct the order in Upstock, or allow more in the setting totalTolerance" + thenRetry
	hint := ""
	if p.o.Stated != nil && !over(order, net) && !lines.Equal(net) {
		hint = " It looks as if the order's prices included the tax, or the order were free of it."
	}
	if p.o.Stated != nil && over(order, lines) {
		p.say("The order's total is %s, but its lines and freight come to %s.", p.money(order), p.money(lines))
	}
	byLines := tolerance.Equal(rounding)
	switch {
	case !byLines && over(sale, order):
		p.problem(0, "total", fmt.Sprintf("The order's total is %s, but the sale in Cin7 Core would be %s: %s apart, and %s is allowed.%s",
			p.money(order), p.money(sale), p.money(sale.Sub(order).Abs()), p.money(tolerance), hint), fix, Want{Kind: WantMe})
	case byLines && over(order, lines):
		p.problem(0, "total", fmt.Sprintf("The order's total is %s, but its lines and freight come to %s, and the sale in Cin7 Core would be %s: %s apart, and %s is allowed.%s",
			p.money(order), p.money(lines), p.money(sale), p.money(order.Sub(lines).Abs()), p.money(tolerance), hint), fix, Want{Kind: WantMe})
	case byLines && (TooFarApart(sale, lines, atOnce, tolerance) || TooFarApart(sale, order, atOnce, tolerance)):
		p.problem(0, "total", fmt.Sprintf("The order's total is %s, but the sale in Cin7 Core would be %s: %s apart, and %s is allowed.%s%s",
			p.money(order), p.money(sale), p.money(sale.Sub(order).Abs()), p.money(tolerance), p.taxAtOnce(atOnce), hint), fix, Want{Kind: WantMe})
	case sale.Equal(order):
	case atOnce.IsZero():
		p.say("The sale in Cin7 Core is %s, the order %s: %s apart, because each rounds in its own way.", p.money(sale), p.money(order), p.money(sale.Sub(order).Abs()))
	default:
		p.say("The sale in Cin7 Core is %s, the order %s: %s apart.%s", p.money(sale), p.money(order), p.money(sale.Sub(order).Abs()), p.taxAtOnce(atOnce))
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
	return fmt.Sprintf(" Cin7 Core taxes the whole order at once and Upstock each line, which makes %s %s.", p.money(apart.Abs()), more)
}

// taxedRow is a line or charge as its tax is reckoned.
type taxedRow struct {
	rule              string
	percent, net, tax decimal.Decimal
}

// saleRows are the rows as they are sent, orderRows the same rows with the order's own amounts.
func (p *planner) saleRows(d cin7core.OrderDocument) []taxedRow {
	var rows []taxedRow
	for i, l := range d.Lines {
		rows = append(rows, taxedRow{l.TaxRule, rateOf(p.o.Lines[i].TaxRate), l.Total, l.Tax})
	}
	for _, c := range d.AdditionalCharges {
		rows = append(rows, taxedRow{c.TaxRule, rateOf(p.o.Freight.TaxRate), c.Total, c.Tax})
	}
	return rows
}

func (p *planner) orderRows(d cin7core.OrderDocument) []taxedRow {
	rows := p.saleRows(d)
	for i := range rows {
		if r := &rows[i]; i < len(p.o.Lines) {
			r.net, r.tax = p.o.Lines[i].Net(), p.o.Lines[i].Tax()
		} else {
			r.net, r.tax = p.o.Freight.Amount.Round(2), p.o.Freight.Tax()
		}
	}
	return rows
}

func rateOf(percent *decimal.Decimal) decimal.Decimal {
	if percent == nil {
		return decimal.Zero
	}
	return *percent
}

// taxed are a document's sums, as Cin7 Core is taken to compute them from its rows, which the account's
// TaxCalculationMethod decides: with “Row Total” the tax is the sum of the rows' taxes; with “Total” it is, for each tax
// rule, the percentage of the sum of its rows, rounded once, half away from zero. The vendor documents the two names only.
func (p *planner) taxed(rows []taxedRow) (net, tax decimal.Decimal) {
	byRule := map[string]taxedRow{}
	for _, r := range rows {
		net, tax = net.Add(r.net), tax.Add(r.tax)
		key := strings.ToLower(r.rule) + "|" + r.percent.String()
		sum := byRule[key]
		sum.percent, sum.net = r.percent, sum.net.Add(r.net)
		byRule[key] = sum
	}
	if !strings.EqualFold(strings.TrimSpace(p.ref.Books.Me.TaxCalculationMethod), "Total") {
		return net, tax
	}
	tax = decimal.Zero
	for _, r := range byRule {
		tax = tax.Add(rowTax(r.net, r.percent))
	}
	return net, tax
}

// money is exact where cents are not.
func (p *planner) money(d decimal.Decimal) string {
	text := d.StringFixed(2)
	if places(d) > 2 {
		text = figure(d)
	}
	return prose.Within(text, 40) + " " + prose.Within(p.o.Currency, 8)
}
