package sale

import (
	"regexp"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"stockbridge/internal/match"
)

// expectedTotal is how Cin7 Core refuses a row whose total it reckons
// otherwise. Seen on purchase orders, which check the same field:
// samples/cin7core/error.total-mismatch.json. There is nothing but the text.
var expectedTotal = regexp.MustCompile(`attribute 'Total' doesn't match.*Expected value is: *(-?[0-9]+(?:\.[0-9]+)?)`)

// namedRow is the row that such a refusal names, if it does: its SKU, or a charge's description.
var namedRow = regexp.MustCompile(`(?i)\bline "([^"]+)"`)

// Amend returns the plan with the total of one row as Cin7 Core expects it,
// where that is all it refused and the two are a cent apart at most: each
// rounds in its own way. nil = it is a refusal like any other: more than one
// sentence, a row that cannot be told, a plan that was amended before, or a
// sale that would be further from the order than is allowed.
func (p *Plan) Amend(messages []string, tolerance decimal.Decimal) *Plan {
	messages = slices.Compact(slices.DeleteFunc(slices.Clone(messages), func(m string) bool { return strings.TrimSpace(m) == "" }))
	if p == nil || p.Amended || len(messages) != 1 {
		return nil
	}
	m := expectedTotal.FindStringSubmatch(messages[0])
	if m == nil {
		return nil
	}
	want, err := decimal.NewFromString(m[1])
	if err != nil {
		return nil
	}
	named := ""
	if n := namedRow.FindStringSubmatch(messages[0]); n != nil {
		named = n[1]
	}
	next := *p
	next.Amended = true
	next.Order.Lines = slices.Clone(p.Order.Lines)
	next.Order.AdditionalCharges = slices.Clone(p.Order.AdditionalCharges)
	var totals []*decimal.Decimal
	for i := range next.Order.Lines {
		if l := &next.Order.Lines[i]; mayBe(l.Total, want) && (named == "" || match.Same(named, l.SKU) || match.Same(named, l.Name)) {
			totals = append(totals, &l.Total)
		}
	}
	for i := range next.Order.AdditionalCharges {
		if c := &next.Order.AdditionalCharges[i]; mayBe(c.Total, want) && (named == "" || match.Same(named, c.Description)) {
			totals = append(totals, &c.Total)
		}
	}
	if len(totals) != 1 {
		return nil
	}
	diff := want.Sub(*totals[0])
	*totals[0] = want
	d := &next.Order
	d.TotalBeforeTax, d.Total = d.TotalBeforeTax.Add(diff), d.Total.Add(diff)
	next.SaleTotal = p.SaleTotal.Add(diff)
	if TooFarApart(next.SaleTotal, next.OrderTotal, next.Rounding, tolerance) {
		return nil
	}
	return &next
}

func mayBe(sent, want decimal.Decimal) bool {
	apart := sent.Sub(want).Abs()
	return apart.IsPositive() && apart.LessThanOrEqual(decimal.New(1, -2))
}
