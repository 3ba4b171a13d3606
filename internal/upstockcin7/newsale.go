package upstockcin7

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
)

// A new sale is made beside voided ones alone. Who wants one is told first of
// each sale that stands: one of the order's own is in its way, another one with
// its reference and customer until the request names it.

// StandingError says that a new sale is not made, because of sales that stand in Cin7 Core.
type StandingError struct {
	Own    []string // numbers of those with the order's id
	Others []string // of those with its reference and customer, which the request did not name
}

func (e *StandingError) Error() string {
	if len(e.Own) > 0 {
		return fmt.Sprintf("The order's sale %s stands in Cin7 Core, so no new one is made. Void it there first, if it should not be.", strings.Join(e.Own, ", "))
	}
	pr := othersSale(e.Others)
	return pr.Message + " " + pr.Fix
}

// Sales are the numbers of the sales that stand.
func (e *StandingError) Sales() []string { return slices.Concat(e.Own, e.Others) }

const othersSaleBegins = "Cin7 Core already has a sale with this reference for this customer that is not ours: "

func othersSale(numbers []string) ledger.Problem {
	quoted, _ := json.Marshal(numbers)
	return ledger.Problem{Code: "foreignSale", Message: othersSaleBegins + strings.Join(numbers, ", ") + ".",
		Fix: "If Upstock's own Cin7 integration made it, switch that off in Upstock. If this order should be sold all the same, retry with a new sale and name what it is beside: \"newSale\": true, \"beside\": " + string(quoted) + "."}
}

// sellsAnew reports whether the order's next sale is one more than it had: what else there is of it is looked for first.
func sellsAnew(r *ledger.Run) bool { return r.NewSale || r.Anew }

// strangers are the numbers of live sales with a header's reference and customer that are no sales of ours.
func (w *work) strangers(h cin7core.SaleHeader) ([]string, error) {
	ext := w.externalID()
	var found []string
	for row, err := range w.cin7.Sales(w.calling("cin7core"), cin7core.SalesQuery{Search: h.CustomerReference}) {
		if err != nil {
			return nil, w.answered(tenant.Cin7Core, err)
		}
		if row.ExternalID != ext && row.CustomerReference == h.CustomerReference && (row.CustomerID == "" || strings.EqualFold(row.CustomerID, h.CustomerID)) && !row.Status.Is(cin7core.Voided) &&
			!strings.HasPrefix(row.ExternalID, "upstock:") {
			found = append(found, row.OrderNumber)
		}
	}
	return found, nil
}

// besides leaves out the sales that a person named.
func besides(numbers, named []string) []string {
	return slices.DeleteFunc(numbers, func(n string) bool {
		return slices.ContainsFunc(named, func(m string) bool { return strings.EqualFold(strings.TrimSpace(m), n) })
	})
}

// salesStanding looks for sales that stand in the way of a new one. nil also where
// Cin7 Core cannot be asked now: the work on the order looks again, under its lease, before it makes a sale.
func (p *Pair) salesStanding(ctx context.Context, b tenant.Bundle, order, own string, beside []string) error {
	run, body, planData, err := p.Ledger.Load(ctx, b.Tenant.ID, order)
	if err != nil {
		return err
	}
	w := &work{Pair: p, ctx: ctx, run: run, body: body, planData: planData, planNo: run.Plans, b: b, own: cmp.Or(own, b.Connections[tenant.Upstock].Account), preview: true}
	if w.connect() != nil || run.Account != "" && run.Account != w.core.Account {
		return nil
	}
	plan := new(Plan)
	if len(planData) == 0 || json.Unmarshal(planData, plan) != nil {
		raw, _ := orderOf(body)
		made, _, err := w.makePlan(raw)
		if err != nil {
			return nil
		}
		*plan = made
	}
	if plan.Header.ExternalID == "" {
		plan.Header.ExternalID = w.externalID()
	}
	run.NewSale = true // sales that do not say whose they are count as others'
	rows, err := w.rows(plan)
	if err != nil {
		return nil
	}
	found := &StandingError{}
	for _, row := range rows {
		if !row.Status.Is(cin7core.Voided) {
			found.Own = append(found.Own, row.OrderNumber)
		}
	}
	if plan.Header.CustomerReference != "" && plan.Header.CustomerID != "" {
		others, err := w.strangers(plan.Header)
		if err != nil {
			return nil
		}
		found.Others = besides(others, beside)
	}
	if len(found.Sales()) == 0 {
		return nil
	}
	return found
}

// ofPlan marks problems as the plan's own: nothing was made, and a corrected order may be sold.
func ofPlan(err error) error {
	if rej, ok := err.(*reject); ok {
		rej.ofPlan = true
	}
	return err
}

func notConfirmed(what string) error {
	return problem("notApproved", "Upstock delivered another approval of this order, but does not bear it out. "+what+".", "Look at the order in Upstock. If it should be sold, approve it there, then retry.")
}

// delivered is the order as it was delivered, where Upstock shows an earlier state of it, or none.
func (w *work) delivered() (json.RawMessage, error) {
	raw, err := orderOf(w.body)
	if o, _ := upstock.ParseOrder(raw); err == nil && w.run.Replan && o.ApprovedAt.Before(w.run.Approved) { // ours was read before the newest came
		_, body, _, lerr := w.Ledger.Load(w.ctx, w.run.Tenant, w.run.ID)
		if lerr != nil {
			return nil, lerr
		}
		w.body = body
		return orderOf(body)
	}
	return raw, err
}
