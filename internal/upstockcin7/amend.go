package upstockcin7

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/ledger"
)

// expectedTotal is how Cin7 Core refuses a row whose total it reckons
// otherwise. Seen on purchase orders, which check the same field:
// samples/cin7core/error.total-mismatch.json. There is nothing but the text.
var expectedTotal = regexp.MustCompile(`attribute 'Total' doesn't match.*Expected value is: *(-?[0-9]+(?:\.[0-9]+)?)`)

// namedRow is the row that such a refusal names, if it does: its SKU, or a charge's description.
var namedRow = regexp.MustCompile(`(?i)\bline "([^"]+)"`)

// amend returns the plan with the total of one row as Cin7 Core expects it,
// where that is all it refused and the two are a cent apart at most: each
// rounds in its own way. nil = it is a refusal like any other: more than one
// sentence, a row that cannot be told, a plan that was amended before, or a
// sale that would be further from the order than is allowed.
func (p *Plan) amend(messages []string, tolerance decimal.Decimal) *Plan {
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
		if l := &next.Order.Lines[i]; mayBe(l.Total, want) && (named == "" || sameText(named, l.SKU) || sameText(named, l.Name)) {
			totals = append(totals, &l.Total)
		}
	}
	for i := range next.Order.AdditionalCharges {
		if c := &next.Order.AdditionalCharges[i]; mayBe(c.Total, want) && (named == "" || sameText(named, c.Description)) {
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
	if apart(next.SaleTotal, next.OrderTotal, next.Rounding, tolerance) {
		return nil
	}
	return &next
}

func mayBe(sent, want decimal.Decimal) bool {
	apart := sent.Sub(want).Abs()
	return apart.IsPositive() && apart.LessThanOrEqual(decimal.New(1, -2))
}

// refreeze makes an amended plan the one that the order is bound to, before its lines are sent again.
func (w *work) refreeze(p *Plan) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := w.update(func(r *ledger.Run, x *ledger.Extra) error {
		x.Plan = data
		r.Say(fmt.Sprintf("Cin7 Core reckons one row's total a cent otherwise, so it was sent as Cin7 Core has it: the sale is %s.", p.SaleTotal.StringFixed(2)))
		r.Note(w.Now(), "Cin7 Core refused a row's total that is a cent apart from its own. The lines are sent once more with its own.")
		return nil
	}); err != nil {
		return err
	}
	w.plan, w.planData, w.planNo = p, data, w.run.Plans
	return nil
}

// unlike says where the order that Cin7 Core answered is not in the state that was asked for. Found
// at a later reading, an order that is further on is people's work.
func unlike(asked, got cin7core.Status, ours bool) string {
	began := got.Is(cin7core.Draft, cin7core.NotAvailable, "")
	switch {
	case asked.Is(cin7core.Authorised) && began:
		return fmt.Sprintf("Cin7 Core was asked to authorise the sale's order, and left it at %s: authorise it in Cin7 Core.", quote(strings.ToLower(string(got))))
	case asked.Is(cin7core.Draft) && !began && ours:
		return fmt.Sprintf("The sale's order was sent as a draft, and Cin7 Core made it %s.", quote(strings.ToLower(string(got))))
	}
	return ""
}
