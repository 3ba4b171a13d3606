package upstockcin7

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/match"
	"stockbridge/internal/rest"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
)

// People copy a sale in Cin7 Core, to change what cannot be changed any more, and
// void the first. The copy bears the order's ExternalID too. It is followed as the
// order's sale where nothing speaks against it (followCopy); we never void it.

// lostSale meets the sale of a sold order that is voided, or gone. true: this turn has moved the run.
func (w *work) lostSale(s cin7core.Sale, plan *sale.Plan, missing bool, asked int) (moved bool, err error) {
	lost := missing || s.Status.Is(cin7core.Voided)
	switch {
	case !lost && w.run.NewSale:
		return false, w.update(func(r *order.Order, _ *ledger.Extra) error {
			saleStands(r, w.Now())
			return nil
		})
	case !lost || w.run.CancelOpen() || w.run.State == order.Cancelled:
		return false, nil
	case !w.run.Cancelled.IsZero(): // cancelled, and now it has no sale that stands
		return true, w.update(func(r *order.Order, _ *ledger.Extra) error {
			endCancelled(r)
			r.Note(w.Now(), "The order is cancelled, and its sale %s is voided.", r.SaleNumber)
			return nil
		})
	// as a person wants, or a newer approval
	case w.run.NewSale || !missing && voidTried(w.run, s.ID) && !w.run.Dropped.IsZero():
		err := w.update(func(r *order.Order, _ *ledger.Extra) error { return sellAnew(r, s.ID, missing, w.Now()) })
		return true, cmp.Or(err, errMoved)
	}
	return w.soldWithout(s, plan, missing, asked)
}

// saleStands notes that no new sale is needed, as somebody wished.
func saleStands(r *order.Order, now time.Time) {
	if r.NewSale = false; r.LostItsSale() {
		withoutProblem(r, order.SaleVoided)
		withoutProblem(r, order.SaleGone)
	}
	r.Note(now, "Its sale %s stands in Cin7 Core: no new one is made.", r.SaleNumber)
}

// sellAnew has an order sold anew whose sale is voided, or missing.
func sellAnew(r *order.Order, saleID string, missing bool, now time.Time) error {
	if r.SaleID != saleID && !missing || !r.Cancelled.IsZero() {
		return errMoved
	}
	if !missing {
		voidsDone(r, saleID)
	}
	r.Note(now, "The sale %s is voided in Cin7 Core: the order is sold anew.", r.SaleNumber)
	r.Anew = !r.NewSale
	reopen(r)
	return nil
}

// soldWithout: a person voided the sold order's sale. Its copy is followed, or a person says what becomes of the order.
func (w *work) soldWithout(s cin7core.Sale, plan *sale.Plan, missing bool, asked int) (moved bool, err error) {
	old := w.run.SaleID
	copied, why, err := w.copyOf(old, plan)
	if err != nil {
		return true, err
	}
	if missing && why == "" && copied != nil {
		why = "its first sale was not voided, it is gone"
	}
	if copied != nil && why == "" {
		return true, w.update(func(r *order.Order, x *ledger.Extra) error {
			if r.SaleID != old || len(r.Parcels) > 0 || r.CancelOpen() {
				return errMoved
			}
			followCopy(r, *copied)
			now := w.Now()
			r.Note(now, "The sale %s was voided in Cin7 Core, and its copy %s is the order's sale now.",
				r.Former[len(r.Former)-1], r.SaleNumber)
			r.Seen, r.Listed, r.Stale = job.Latest(order.Believed(s.LastModifiedOn, now),
				order.Believed(copied.LastModifiedOn, now)), "", 0
			r.Readings = max(r.Readings, asked)
			r.Asked = r.Readings + 1 // what became of the copy
			r.State = soldState(r)
			r.LinkSale(x, now)
			w.toTell(r, now.UTC())
			return nil
		})
	}
	code, what := order.SaleVoided, "was voided in Cin7 Core after it was sold."
	if missing {
		code, what = order.SaleGone, "is not in Cin7 Core any more."
	}
	pr := w.lostProblem(code, "The sale "+cmp.Or(w.run.SaleNumber, old)+" of this order "+what, why)
	// the reading goes on: parcels that were told are gone
	return false, w.update(func(r *order.Order, _ *ledger.Extra) error {
		if r.SaleID != old || r.CancelOpen() {
			return errMoved
		}
		known := slices.ContainsFunc(r.Problems, pr.Same)
		r.Problems = append(slices.DeleteFunc(r.Problems, func(p ledger.Problem) bool { return order.IsLost(p.Code) }),
			pr)
		if r.State = ledger.Attention; copied != nil {
			r.Seen, r.Listed = job.Latest(r.Seen, order.Believed(copied.LastModifiedOn, w.Now())), ""
		}
		if !known {
			r.Note(w.Now(), "Needs attention: %s", pr.Message)
		}
		return nil
	})
}

// lostProblem is what a person is asked whose order has lost its sale. why says what speaks against its copy.
func (w *work) lostProblem(code, message, why string) ledger.Problem {
	if !w.run.Cancelled.IsZero() {
		return ledger.Problem{Code: cancelledButKept,
			Message: "The order is cancelled in Upstock. " + message + " " + why,
			Fix:     "Void in Cin7 Core what should not be delivered, then retry."}
	}
	if why != "" {
		return ledger.Problem{Code: code, Message: message + " " + why,
			Fix: "Leave in Cin7 Core the one sale that is the order's, as it was ordered, and retry: if it bears the " +
				"order's id it is followed. If none of them is, void them and retry with a new sale; or cancel the " +
				"order in Upstock."}
	}
	return ledger.Problem{Code: code, Message: message,
		Fix: "If it should be sold all the same, retry with a new sale; else cancel the order in Upstock."}
}

// copyOf looks for live sales that bear the order's id beside the one that is
// lost. why says, in a sentence that names them, what keeps the only one, or
// them, from being followed. nil and "" = there is none.
func (w *work) copyOf(lost string, plan *sale.Plan) (only *cin7core.Sale, why string, err error) {
	rows, err := w.rows(plan)
	if rej, ok := err.(*ledger.Reject); ok { // which of them is the order's is a person's question, as the lost one is
		return nil, rej.Problems[0].Message, nil
	}
	if err != nil {
		return nil, "", err
	}
	var names []string
	var id string
	for _, row := range rows {
		if row.SaleID != lost && !row.Status.Is(cin7core.Voided) && !slices.Contains(w.run.Voided, row.SaleID) {
			names, id = append(names, cmp.Or(row.OrderNumber, row.SaleID)), row.SaleID
		}
	}
	if len(names) != 1 {
		if slices.Sort(names); len(names) > 1 {
			why = "Cin7 Core has several others with the order's id: " + strings.Join(names, ", ") + "."
		}
		return nil, why, nil
	}
	s, err := w.readSale(w.calling("cin7core"), id)
	if rest.KindOf(err) == rest.NotFound {
		return nil, "", nil
	}
	if err := w.answered(err); err != nil {
		return nil, "", err
	}
	if s.Status.Is(cin7core.Voided) {
		return nil, "", nil
	}
	if differs := w.unlikeOurs(s, plan); differs != "" {
		why = fmt.Sprintf("The sale %s bears the order's id, but %s.", number(s), differs)
	}
	return &s, why, nil
}

// unlikeOurs says what speaks against following a sale as the order's: "" = nothing.
func (w *work) unlikeOurs(s cin7core.Sale, plan *sale.Plan) string {
	switch {
	case plan == nil:
		return "what was sold is not on record"
	case s.ExternalID != plan.Header.ExternalID:
		return "not in the sale itself"
	case !strings.EqualFold(s.CustomerID, plan.Header.CustomerID):
		return "is another customer's"
	case match.Squeeze(s.CustomerReference) != match.Squeeze(plan.Header.CustomerReference):
		return "has another reference"
	case !holdsGoods(plan.Order.Lines, s.Order.Lines):
		return "does not hold the order's goods"
	case len(w.run.Parcels) > 0:
		return "Upstock was told of shipments of the first"
	}
	return ""
}

// holdsGoods reports whether two orders have the same products in the same quantities, in whatever order.
func holdsGoods(a, b []cin7core.OrderLine) bool {
	left := map[string]decimal.Decimal{}
	for _, l := range a {
		id := strings.ToLower(l.ProductID)
		left[id] = left[id].Add(l.Quantity)
	}
	for _, l := range b {
		id := strings.ToLower(l.ProductID)
		if _, ok := left[id]; !ok {
			return false
		}
		left[id] = left[id].Sub(l.Quantity)
	}
	for _, n := range left {
		if !n.IsZero() {
			return false
		}
	}
	return true
}

// followCopy makes a person's copy the order's sale.
func followCopy(r *order.Order, s cin7core.Sale) {
	r.Former = append(r.Former, r.SaleNumber)
	r.SaleID, r.SaleNumber, r.Adopted, r.Copied = s.ID, s.Order.SaleOrderNumber, true, true
	if total := s.Order.Total.StringFixed(2); r.SaleTotal != "" && total != r.SaleTotal {
		r.Say(fmt.Sprintf("The copy %s has a total of %s, the first sale had %s: compare it with the order.",
			r.SaleNumber, total, r.SaleTotal))
		r.SaleTotal = total
	}
	r.Problems = slices.DeleteFunc(r.Problems, func(p ledger.Problem) bool { return order.IsLost(p.Code) })
}

// voidedByOthers meets a sale that a person voided before it had its lines: its copy is taken up, or a person asked.
func (w *work) voidedByOthers(s cin7core.Sale) error {
	plan, err := w.frozen()
	if err != nil {
		return err
	}
	copied, why, err := w.copyOf(s.ID, plan)
	if err != nil {
		return err
	}
	message := fmt.Sprintf("The sale %s of this order was voided in Cin7 Core.", number(s))
	if copied == nil && why == "" && !w.run.Cancelled.IsZero() {
		return w.cancelledWithout(number(s), "is voided")
	}
	if copied == nil || why != "" {
		return &ledger.Reject{Problems: []ledger.Problem{w.lostProblem(order.SaleVoided, message, why)}}
	}
	return w.update(func(r *order.Order, _ *ledger.Extra) error {
		if r.SaleID != s.ID {
			return errMoved
		}
		followCopy(r, *copied)
		r.Note(w.Now(), "The sale %s was voided in Cin7 Core, and its copy %s is the order's sale now.", number(s),
			r.SaleNumber)
		return nil
	})
}

// somebodysCopy reports whether a sale with the order's id cannot be one that we
// made: every create was answered, and named another.
func somebodysCopy(r *order.Order, id string) bool {
	known := false
	if r.Past.Creates > 0 { // one that is on record no more may have made it
		return false
	}
	for _, i := range r.Intents {
		switch {
		case i.Step != order.StepCreate || i.Answer == ledger.Refused:
		case i.Answer == ledger.Open || i.Target == id:
			return false
		default:
			known = true
		}
	}
	return known
}

// takeCopy adopts the only live sale with the order's id, which somebody else made, if nothing speaks against it.
func (w *work) takeCopy(plan *sale.Plan, id, number string) error {
	if plan == nil && len(w.planData) > 0 { // bound to it no more, but that is what its sale was
		plan = new(sale.Plan)
		if err := json.Unmarshal(w.planData, plan); err != nil {
			return fmt.Errorf("read plan: %w", err)
		}
	}
	copied, why, err := w.copyOf("", plan)
	if err != nil {
		return err
	}
	if copied == nil && why == "" {
		return &ledger.Later{At: w.Now().Add(w.Times.Soon), Why: "The sales of this order have just been voided."}
	}
	if why != "" {
		return &ledger.Reject{Problems: []ledger.Problem{w.lostProblem(order.SaleVoided,
			"The sale that was made for this order is voided in Cin7 Core.", why)}}
	}
	return w.adopt(id, number)
}
