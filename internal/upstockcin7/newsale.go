package upstockcin7

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/match"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
)

// A new sale is made beside voided ones alone. Who wants one is told first of
// each sale that stands: one of the order's own is in its way, another one with
// its reference and customer until the request names it.

// StandingError says that a new sale is not made, because of sales that stand in Cin7 Core.
type StandingError struct {
	Own     []string // numbers of those with the order's id
	Others  []string // of those with its reference and customer, which the request did not name
	Unclear []string // of those that do not say what theirs are, likewise
	many    bool     // so many of them that none was read
}

func (e *StandingError) Error() string {
	pr := e.problem()
	return pr.Message + " " + pr.Fix
}

// problem is what a person is told of them.
func (e *StandingError) problem() ledger.Problem {
	switch {
	case len(e.Own) > 0:
		return ledger.Problem{Code: "unclearSales",
			Message: order.OwnSale + strings.Join(e.Own, ", ") + " stands in Cin7 Core, so no new one is made.",
			Fix:     "Void it there first, if it should not be."}
	case len(e.Others) > 0:
		return othersSale(e.Others)
	}
	which := strings.Join(e.Unclear, ", ")
	if e.many {
		which = fmt.Sprintf("one of more than %d sales, such as %s", maxBlank, which)
	}
	return ledger.Problem{Code: "unclearSales",
		Message: order.MaybeSale + which +
			": what does not say its reference and its customer may be this order's, so no new sale is made.",
		Fix: "Look in Cin7 Core. If one is this order's, void it first. If none is, retry with a new sale and name " +
			"what it is beside: " + asBeside(e.Unclear) + "."}
}

// Sales are the numbers of the sales that stand.
func (e *StandingError) Sales() []string { return slices.Concat(e.Own, e.Others, e.Unclear) }

func othersSale(numbers []string) ledger.Problem {
	return ledger.Problem{Code: "foreignSale", Message: order.OthersSale + strings.Join(numbers, ", ") + ".",
		Fix: "If Upstock's own Cin7 integration made it, switch that off in Upstock. If this order should be sold " +
			"all the same, retry with a new sale and name what it is beside: " + asBeside(numbers) + "."}
}

// asBeside is how a request names the sales that a new one is beside.
func asBeside(numbers []string) string {
	quoted, _ := json.Marshal(numbers)
	return `"newSale": true, "beside": ` + string(quoted)
}

// sellsAnew reports whether the order's next sale is one more than it had: what else there is of it is looked for
// first.
func sellsAnew(r *order.Order) bool { return r.NewSale || r.Anew }

// strangers looks for live sales with a plan's reference and customer that are no sales of ours, but for those that a
// person named.
//
// A blank is no "no" here either: a row that leaves out its reference, or its
// customer, and could be a sale of this order is read before it is believed that there is none.
func (w *work) strangers(plan *sale.Plan, named []string) (*StandingError, error) {
	want, found := w.wanted(plan), &StandingError{}
	// approved anew, it may have been sold by hand since it was approved first
	if at := w.run.Received.Add(-clocksApart); at.Before(want.since) {
		want.since = at
	}
	var blank []cin7core.SaleRow
	for row, err := range w.cin7.Sales(w.calling("cin7core"), cin7core.SalesQuery{Search: want.reference}) {
		if err != nil {
			return nil, w.answered(err)
		}
		switch {
		case !found.sorts(w, want, row, named):
		case match.Squeeze(row.CustomerReference) != "" && row.CustomerID != "":
			found.Others = append(found.Others, rowName(row))
		case row.SaleID == "":
			return nil, job.Down(tenant.Cin7Core, errNoSaleID)
		case match.Squeeze(row.CustomerReference) != "" || want.lately(row):
			blank = union(blank, []cin7core.SaleRow{row})
		}
		if len(blank) > maxBlank {
			break
		}
	}
	switch {
	case len(found.Sales()) > 0: // they are asked about first
		return found, nil
	case len(blank) > maxBlank:
		found.Unclear, found.many = rowNames(blank), true
		return found, nil
	}
	return found, w.eachSale(blank, func(row cin7core.SaleRow, s cin7core.Sale) {
		if s.ID != "" {
			row.Status, row.ExternalID, row.OrderNumber = s.Status, cmp.Or(s.ExternalID, row.ExternalID),
				cmp.Or(row.OrderNumber, number(s))
			row.CustomerReference, row.CustomerID = cmp.Or(s.CustomerReference, row.CustomerReference),
				cmp.Or(s.CustomerID, row.CustomerID)
		}
		switch {
		case !found.sorts(w, want, row, named):
		case match.Squeeze(row.CustomerReference) == "" || row.CustomerID == "":
			found.Unclear = append(found.Unclear, rowName(row))
		default:
			found.Others = append(found.Others, rowName(row))
		}
	})
}

// sorts reports whether a sale may be a stranger's of this order that nobody named. One of the order's own is noted.
func (e *StandingError) sorts(w *work, want wanted, row cin7core.SaleRow, named []string) bool {
	switch {
	case row.Status.Is(cin7core.Voided) || slices.Contains(w.run.Voided, row.SaleID):
		return false
	case row.ExternalID == want.externalID || w.known(row.SaleID):
		e.Own = append(e.Own, rowName(row))
		return false
	case strings.HasPrefix(row.ExternalID, "upstock:"):
		return false
	}
	return want.meets(row.CustomerReference, row.CustomerID) && !slices.ContainsFunc(named, func(n string) bool {
		n = strings.TrimSpace(n)
		return n != "" && (strings.EqualFold(n, row.OrderNumber) || strings.EqualFold(n, row.SaleID))
	})
}

// salesStanding looks for sales that stand in the way of a new one. nil also where
// Cin7 Core cannot be asked now: the work on the order looks again, under its lease, before it makes a sale.
func (p *Pair) salesStanding(ctx context.Context, b tenant.Bundle, order, own string, beside []string) error {
	run, body, planData, err := p.Orders.Load(ctx, b.Tenant.ID, order)
	if err != nil {
		return err
	}
	w := &work{Pair: p, ctx: ctx, run: run, doc: documentOf(body), planData: planData, planNo: run.Plans, b: b,
		own: cmp.Or(own, b.Connections[tenant.Upstock].Account), preview: true}
	if w.connect() != nil || run.Account != "" && run.Account != w.core.Account {
		return nil
	}
	plan := new(sale.Plan)
	if len(planData) == 0 || json.Unmarshal(planData, plan) != nil {
		made, _, err := w.makePlan(w.doc)
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
	if plan.Header.CustomerReference != "" && plan.Header.CustomerID != "" {
		if found, err = w.strangers(plan, beside); err != nil {
			return nil
		}
	}
	for _, row := range rows {
		if name := rowName(row); !row.Status.Is(cin7core.Voided) && !slices.Contains(found.Own, name) {
			found.Own = append(found.Own, name)
		}
	}
	if len(found.Sales()) == 0 {
		return nil
	}
	return found
}

// ofPlan marks problems as the plan's own: nothing was made, and a corrected order may be sold.
func ofPlan(err error) error {
	if rej, ok := err.(*ledger.Reject); ok {
		rej.NothingMade = true
	}
	return err
}

func notConfirmed(what string) error {
	return problem("notApproved", "Upstock delivered another approval of this order, but does not bear it out. "+what+
		".", "Look at the order in Upstock. If it should be sold, approve it there, then retry.")
}

// delivered is the order as it was delivered, where Upstock shows an earlier state of it, or none.
func (w *work) delivered() (*document, error) {
	if w.run.Replan && w.doc.order().ApprovedAt.Before(w.run.Approved) { // ours was read before the newest came
		_, body, _, err := w.Orders.Load(w.ctx, w.run.Tenant, w.run.ID)
		if err != nil {
			return nil, err
		}
		w.doc = documentOf(body)
	}
	return w.doc, nil
}
