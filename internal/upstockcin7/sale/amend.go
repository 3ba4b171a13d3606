package sale

import (
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"stockbridge/internal/match"
	"stockbridge/internal/prose"
)

// expectedTotal is how Cin7 Core refuses a row whose total it reckons otherwise. Seen on purchase orders, which check
// the same field. There is nothing but the text.
var expectedTotal = prose.Pattern(`attribute 'Total' doesn't match.*Expected value is: *(-?[0-9]+(?:\.[0-9]+)?)`)

// namedRow is the row that such a refusal names, if it does: its SKU, or a charge's description.
var namedRow = prose.Pattern(`(?i)\bline "([^"]+)"`)

// Amend returns the plan with the total of one row as Cin7 Core expects it, where that is all it refused and the two
// are a cent apart at most: each rounds in its own way. nil = it is a refusal like any other: more than one sentence, a
// row that cannot be told, a plan that was amended before, or a sale that would be further from the order than is
// allowed.
func (p *Plan) Amend(messages []string, tolerance decimal.Decimal) *Plan {
	expected, row, ok := totalRefusal(messages)
	if p == nil || p.Amended || !ok {
		return nil
	}
	next := *p
	next.Amended = true
	next.Order.Lines = slices.Clone(p.Order.Lines)
	next.Order.AdditionalCharges = slices.Clone(p.Order.AdditionalCharges)
	refused := next.rowTotals(expected, row)
	if len(refused) != 1 {
		return nil
	}
	more := expected.Sub(*refused[0])
	*refused[0] = expected
	d := &next.Order
	d.TotalBeforeTax, d.Total = d.TotalBeforeTax.Add(more), d.Total.Add(more)
	next.SaleTotal = p.SaleTotal.Add(more)
	if TooFarApart(next.SaleTotal, next.OrderTotal, next.Rounding, tolerance) {
		return nil
	}
	return &next
}

// totalRefusal reads the refusal of one row's total. Row is how it names the row; "" = it does not.
func totalRefusal(messages []string) (expected decimal.Decimal, row string, ok bool) {
	blank := func(m string) bool { return strings.TrimSpace(m) == "" }
	messages = slices.Compact(slices.DeleteFunc(slices.Clone(messages), blank))
	if len(messages) != 1 {
		return expected, "", false
	}
	m := expectedTotal().FindStringSubmatch(messages[0])
	if m == nil {
		return expected, "", false
	}
	if n := namedRow().FindStringSubmatch(messages[0]); n != nil {
		row = n[1]
	}
	expected, err := decimal.NewFromString(m[1])
	return expected, row, err == nil
}

// rowTotals are the totals of the rows that a refusal may mean: those a cent apart from what it expects, and of the
// name that it gives, if it does.
func (p *Plan) rowTotals(expected decimal.Decimal, name string) []*decimal.Decimal {
	var totals []*decimal.Decimal
	add := func(total *decimal.Decimal, names ...string) {
		if !total.Equal(expected) && withinCent(*total, expected) &&
			(name == "" || slices.ContainsFunc(names, func(n string) bool { return match.Same(n, name) })) {
			totals = append(totals, total)
		}
	}
	for i := range p.Order.Lines {
		l := &p.Order.Lines[i]
		add(&l.Total, l.SKU, l.Name)
	}
	for i := range p.Order.AdditionalCharges {
		c := &p.Order.AdditionalCharges[i]
		add(&c.Total, c.Description)
	}
	return totals
}
