package sale

import (
	"strings"

	"github.com/shopspring/decimal"

	"stockbridge/internal/prose"
)

var (
	one     = decimal.NewFromInt(1)
	hundred = decimal.NewFromInt(100)
	billion = decimal.New(1, 9)
	cent    = decimal.New(1, -2)
)

// read reads an amount of the order. Not sensible is what no order means, and leaves the totals uncounted; said reports
// that there is a problem of the field already.
func (p *planner) read(d decimal.Decimal, field string, args ...any) (_ decimal.Decimal, sensible, said bool) {
	if p.unreadable(field, args...) {
		p.uncounted = true
		return decimal.Zero, false, true
	}
	d, ok := countable(d)
	if !ok || d.Abs().GreaterThan(billion) {
		p.uncounted = true
		return decimal.Zero, false, false
	}
	return d, true, false
}

// countable takes a number that can be counted with: the arithmetic of one with an exponent of millions would not end.
func countable(d decimal.Decimal) (decimal.Decimal, bool) {
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

func isPercent(d decimal.Decimal) bool { return !d.IsNegative() && !d.GreaterThan(hundred) }

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

// rateOf is a rate, 0 where it is absent.
func rateOf(percent *decimal.Decimal) decimal.Decimal {
	if percent == nil {
		return decimal.Zero
	}
	return *percent
}

// places counts the decimals that mean something.
func places(d decimal.Decimal) int {
	_, fraction, _ := strings.Cut(d.String(), ".")
	return len(fraction)
}

// figure is a number in a sentence.
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
