package upstockcin7

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/sale"
)

// create makes the sale's header.
func (w *work) create() error {
	plan, planned, err := w.planned()
	if err != nil {
		return err
	}
	if err := w.askIfCancelled(); err != nil {
		return err
	}
	if err := w.foreign(plan); err != nil {
		return err
	}
	ctx, err := w.cin7.Reserve(w.calling("cin7core"))
	if err != nil {
		return w.answered(err)
	}
	seq := 0
	intend := func(r *ledger.Run, x *ledger.Extra) (err error) {
		if r.SaleID != "" || !r.Cancelled.IsZero() || len(made(r)) > 0 || undecided(r) || w.barred(r) != nil {
			return errMoved
		}
		if sellsAnew(r) { // what was tried before counts no more
			r.Granted = r.Last()
		}
		r.CreatedFor = r.Approved
		if seq, err = w.intend(r, ledger.StepCreate, ""); err != nil {
			return err
		}
		now := w.Now()
		if planned != nil {
			x.Plan = planned
			for _, text := range plan.Said {
				r.Say(text)
			}
			r.Total, r.Account, r.Rounding = plan.OrderTotal.StringFixed(2), w.core.Account, roundingOf(plan)
			if plan.LinkCustomer {
				x.Add(ledger.NewLinkOp(w.b.Tenant.ID, sale.CustomerLinks, supplierAt(w.up).key(w.customer()), plan.Link(now)))
			}
		}
		r.Problems, r.OfPlan, r.Reread, r.Replan, r.Unwanted = nil, false, false, false, nil
		if r.NewSale || r.Anew { // the wish is for one sale
			r.NewSale, r.Anew, r.Beside, r.Foreign = false, false, nil, true
		}
		w.watch(r)
		return nil
	}
	if err := w.update(intend); errors.Is(err, ledger.ErrBeside) {
		return errMoved // the customer's link was made or changed meanwhile: it is planned again by that
	} else if err != nil {
		return err
	}
	if planned != nil {
		w.plan, w.planData, w.planNo = plan, planned, w.run.Plans
	}
	sale, err := w.cin7.CreateSale(ctx, plan.Header)
	w.sendBy = time.Time{}
	return w.created(seq, sale, err, plan)
}

// created writes down what a create answered. Whoever learns the truth may
// write it into its own intent; only the lease's holder chooses the sale.
func (w *work) created(seq int, sale cin7core.Sale, err error, plan *sale.Plan) error {
	if rest.OutcomeOf(err) == rest.Unknown {
		uerr := w.result(func(r *ledger.Run) error {
			r.Intent(seq, ledger.StepCreate).Unknown = true
			r.Note(w.Now(), "No believable answer to the new sale: it may exist, so it is looked for before anything else.")
			return nil
		})
		if uerr != nil {
			return uerr
		}
		return job.Down(tenant.Cin7Core, err)
	}
	chosen := false
	uerr := w.result(func(r *ledger.Run) error {
		i := r.Intent(seq, ledger.StepCreate)
		chosen = false
		if i.Answer != ledger.Open {
			return nil
		}
		if err != nil {
			i.Answer = ledger.Refused
			return nil
		}
		i.Answer, i.SaleID, i.Number = ledger.Done, sale.ID, number(sale)
		r.Note(w.Now(), "Cin7 Core made the sale %s.", number(sale))
		mine := r.Lease.Token == w.token && r.SaleID == "" && len(made(r)) == 1 && !undecided(r)
		if mine {
			r.SaleID, r.SaleNumber, r.Adopted = sale.ID, sale.Order.SaleOrderNumber, false
			chosen = true
		}
		return nil
	})
	if uerr != nil {
		return uerr
	}
	if err != nil {
		return ofPlan(w.refusedOr(err, "the sale"))
	}
	w.progress = true
	if !chosen {
		if w.run.Lease.Token != w.token {
			return errLost
		}
		return errMoved
	}
	w.fresh = sale.ID
	return nil
}

// refusedOr turns a refusal of one of the order's writes into problems in the vendor's words, and everything else into how work goes on.
func (w *work) refusedOr(err error, what string) error {
	if rej := refusal(err, what); rej != nil {
		return rej
	}
	return w.answered(err)
}

// refusal is a plain refusal in the vendor's words; nil where the call did not end in one.
func refusal(err error, what string) *ledger.Reject {
	switch rest.KindOf(err) {
	case rest.Invalid, rest.Conflict, rest.NotFound:
	default:
		return nil
	}
	var problems []ledger.Problem
	for _, m := range rest.MessagesOf(err) {
		problems = append(problems, ledger.Problem{Code: "refused", Message: "Cin7 Core refused " + what + ": " + m, Fix: "Put it right in Cin7 Core, or change the order or the settings, then retry."})
	}
	if len(problems) == 0 {
		problems = append(problems, ledger.Problem{Code: "refused", Message: "Cin7 Core refused " + what + " (" + rest.Reason(err) + ").", Fix: "See the recorded answer, then retry."})
	}
	return &ledger.Reject{Problems: problems}
}

// planned returns the plan to create with: the frozen one, or a new one and
// the bytes to freeze.
func (w *work) planned() (*sale.Plan, []byte, error) {
	plan, err := w.frozen()
	if plan != nil || err != nil {
		return plan, nil, err
	}
	return w.newPlan()
}

// order is the order as received or, where a person asked for it or its
// cancellation may be forgotten here, as Upstock has it now.
func (w *work) order() (json.RawMessage, error) {
	if !w.run.Reread && !w.maybeCancelled() {
		return orderOf(w.body)
	}
	asked := w.Now().UTC()
	raw, err := w.fromUpstock()
	switch rest.KindOf(err) {
	case rest.NotFound, rest.Invalid:
		if w.run.Anew && !w.run.NewSale {
			return nil, notConfirmed("Upstock does not show the order any more")
		}
		return w.delivered() // Upstock does not show it any more: what was approved counts
	}
	if err := w.answered(err); err != nil {
		return nil, err
	}
	o, _ := upstock.ParseOrder(raw)
	switch {
	case (w.run.Anew || w.run.Replan) && !w.run.NewSale && o.Status == upstock.StatusShipped:
		return nil, &ledger.Reject{Problems: []ledger.Problem{shippedAlready(o)}}
	case w.run.Anew && !w.run.NewSale && o.Status != upstock.StatusCancelled && !confirms(o, w.run.Approved):
		return nil, notConfirmed("Upstock shows the order as " + prose.Short(o.Status) + since(o.ApprovedAt))
	case w.run.Replan && o.Status != upstock.StatusCancelled && !confirms(o, w.run.Approved):
		return w.delivered() // it shows an earlier state than the approval that was delivered
	}
	w.body, w.askedIfCancelled = raw, true
	return raw, w.update(func(r *ledger.Run, x *ledger.Extra) error {
		x.Fresh = raw
		describe(r, o)
		if notApproved(o) {
			return ofPlan(approvalTakenBack(o))
		}
		readCancelled(r, o, asked)
		return nil
	})
}

// fromUpstock reads the order as Upstock has it now.
func (w *work) fromUpstock() (json.RawMessage, error) {
	id, err := strconv.ParseInt(w.run.OrderID(), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("order id: %w", err)
	}
	return w.upstock.Order(w.calling("upstock"), id)
}

// askIfCancelled asks Upstock, before anything is made by a plan from before, whether the
// order is cancelled, where that may not be known here.
func (w *work) askIfCancelled() error {
	if w.askedIfCancelled || !w.run.Cancelled.IsZero() || !w.maybeCancelled() {
		return nil
	}
	asked := w.Now().UTC()
	raw, err := w.fromUpstock()
	switch rest.KindOf(err) {
	case rest.NotFound, rest.Invalid: // what was approved counts
		return nil
	}
	if err := w.answered(err); err != nil {
		return err
	}
	w.askedIfCancelled = true
	o, _ := upstock.ParseOrder(raw)
	switch {
	case o.Status == upstock.StatusCancelled:
	case w.run.SaleID == "" && notApproved(o):
		return ofPlan(approvalTakenBack(o))
	default:
		return nil
	}
	if err := w.update(func(r *ledger.Run, _ *ledger.Extra) error { readCancelled(r, o, asked); return nil }); err != nil {
		return err
	}
	return errMoved
}

// notApproved reports whether Upstock shows an order as not approved yet, or not any more.
func notApproved(o upstock.Order) bool {
	return o.Status == upstock.StatusOrdered || o.Status == upstock.StatusScheduled
}

func approvalTakenBack(o upstock.Order) error {
	return problem("notApproved", "Upstock shows the order as "+o.Status+": it is not approved any more.", "Approve it in Upstock, then retry.")
}

// readCancelled marks an order that Upstock shows as cancelled, and that is not known to be.
func readCancelled(r *ledger.Run, o upstock.Order, asked time.Time) {
	if o.Status != upstock.StatusCancelled || !r.Cancelled.IsZero() {
		return
	}
	r.Cancelled, r.Occurred = asked, occurredAt(time.Time{}, o.ApprovedAt, asked)
	r.Note(asked, "Upstock says that the order is cancelled.")
	saySold(r, o)
	if r.Confirmed = asked; behind(r, o) { // it may show how the order was before its newest approval
		unsettle(r, asked)
	}
}

// orderOf is the order in a stored body: a webhook's envelope, or the order alone.
func orderOf(body []byte) (json.RawMessage, error) {
	if e, err := upstock.ParseEvent(body); err == nil {
		return e.RawOrder, nil
	}
	return body, nil
}

// describe keeps what lists show of an order.
func describe(r *ledger.Run, o upstock.Order) {
	r.Number, r.Reference, r.Customer, r.Currency = prose.Short(o.OrderNumber), prose.Short(o.Reference), prose.Short(o.Customer.Name), prose.Short(o.Currency)
	r.Approved = latest(r.Approved, o.ApprovedAt) // a read may show how the order was before
	if o.Stated != nil {
		r.Total = o.Stated.Total.StringFixed(2)
	}
}

// roundingOf is a plan's Rounding as a run keeps it.
func roundingOf(p *sale.Plan) string {
	if p.Rounding.IsZero() {
		return ""
	}
	return p.Rounding.StringFixed(2)
}

func (w *work) makePlan(raw json.RawMessage) (sale.Plan, []ledger.Problem, error) {
	o, faults := upstock.ParseOrder(raw)
	ref, err := w.reference(w.ctx, w.b, o)
	if err != nil {
		return sale.Plan{}, nil, err
	}
	ref.Supplier = w.supplier()
	p, problems, wants := sale.Make(o, faults, w.b.Settings, ref)
	if _, asked := withoutChangedCustomers(wants); asked && len(problems) == 0 { // the customer is known by name: was that looked up since the order came?
		known, err := w.customersKnown()
		if err != nil {
			return p, nil, err
		}
		if known { // by now the mirror has what was read
			if ref, err = w.reference(w.ctx, w.b, o); err != nil {
				return p, nil, err
			}
			ref.Supplier = w.supplier()
			if p, problems, wants = sale.Make(o, faults, w.b.Settings, ref); len(problems) == 0 {
				wants, _ = withoutChangedCustomers(wants)
			}
		}
	}
	if len(wants) > 0 {
		if err := w.take(); err != nil {
			return p, nil, err
		}
		ref, err = w.live(w.calling("cin7core"), w.cin7, w.b, ref, wants)
		if err := w.answered(err); err != nil {
			return p, nil, err
		}
		p, problems, _ = sale.Make(o, faults, w.b.Settings, ref)
	}
	return p, problems, nil
}

// customer is the id of the order's Upstock customer.
func (w *work) customer() string {
	raw, _ := orderOf(w.body)
	o, _ := upstock.ParseOrder(raw)
	return strconv.FormatInt(o.Customer.ID, 10)
}

// firstOrders is how many orders of a new connection are looked up as somebody else's sales before they are sold.
const firstOrders = 10

// foreign looks, for a connection's first orders and for those approved before
// it was made, for a sale of the same order that is not ours: Upstock's own
// integration may still be on, or was. What Upstock itself shows as sold is not
// sold again, whenever it was approved: none of our sales of it was found.
func (w *work) foreign(plan *sale.Plan) error {
	since := working(w.b)
	earlier := !w.run.Approved.IsZero() && w.run.Approved.Before(since)
	if w.run.Foreign && !(earlier && w.run.Searched.Before(since)) && !sellsAnew(w.run) { // a connection was away since: people may have sold it by hand
		return nil
	}
	raw, _ := orderOf(w.body)
	if o, _ := upstock.ParseOrder(raw); o.External != nil && !w.run.NewSale && !formerly(w.run, o.External.Number) {
		return &ledger.Reject{Problems: []ledger.Problem{shownAsSold(o)}}
	}
	if w.core.Checked >= firstOrders && !earlier && !sellsAnew(w.run) {
		return nil
	}
	if err := w.take(); err != nil {
		return err
	}
	found, err := w.strangers(plan, w.run.Beside)
	if err != nil {
		return err
	}
	if len(found.Sales()) > 0 {
		return &ledger.Reject{Problems: []ledger.Problem{found.problem()}}
	}
	if err := w.update(func(r *ledger.Run, _ *ledger.Extra) error { r.Foreign, r.Searched = true, w.Now().UTC(); return nil }); err != nil {
		return err
	}
	c, err := w.Tenants.Update(w.ctx, w.core.Tenant, tenant.Cin7Core, func(c *tenant.Connection) error { c.Checked++; return nil })
	if err == nil {
		w.core.Checked = c.Checked
	}
	return err
}

const shownAsSoldBegins = "Upstock shows this order as already sold, as "

func shownAsSold(o upstock.Order) ledger.Problem {
	return ledger.Problem{Code: "foreignSale", Message: shownAsSoldBegins + cmp.Or(prose.Short(o.External.Number), "a sale without a number") + ", and that sale is not ours.",
		Fix: "Look for it in Cin7 Core. If this order should be sold all the same, retry with a new sale."}
}

// lines gives the run's sale its lines, unless it has them.
func (w *work) lines() error {
	plan, err := w.frozen()
	if err != nil {
		return err
	}
	if plan == nil { // the sale was adopted without a plan on record: a restored table, a lost journal
		p, planned, err := w.newPlan()
		if rej, ok := err.(*ledger.Reject); ok && !w.run.Cancelled.IsZero() {
			return w.cancelledUnplanned(rej)
		}
		if err != nil {
			return err
		}
		if err := w.update(func(r *ledger.Run, x *ledger.Extra) error {
			x.Plan = planned
			r.Total, r.Account, r.Rounding = p.OrderTotal.StringFixed(2), w.core.Account, roundingOf(p)
			for _, text := range p.Said {
				r.Say(text)
			}
			return nil
		}); err != nil {
			return err
		}
		plan, w.plan, w.planData, w.planNo = p, p, planned, w.run.Plans
	}
	r := w.run
	tried := slices.ContainsFunc(r.Intents, func(i ledger.Intent) bool {
		return i.Step == ledger.StepLines && i.SaleID == r.SaleID && i.Answer != ledger.Refused
	})
	if r.SaleID != w.fresh || tried || !r.Cancelled.IsZero() {
		if done, err := w.inspect(plan); done || err != nil {
			return err
		}
	}
	if err := w.askIfCancelled(); err != nil {
		return err
	}
	if err := w.take(); err != nil {
		return err
	}
	ctx, err := w.cin7.Reserve(w.calling("cin7core"))
	if err != nil {
		return w.answered(err)
	}
	seq, saleID := 0, r.SaleID
	if err := w.update(func(r *ledger.Run, _ *ledger.Extra) (err error) {
		if r.SaleID != saleID || !r.Cancelled.IsZero() || len(openVoids(r)) > 0 || len(r.Unwanted) > 0 {
			return errMoved
		}
		seq, err = w.intend(r, ledger.StepLines, r.SaleID)
		return err
	}); err != nil {
		return err
	}
	doc := plan.Order
	doc.SaleID = w.run.SaleID
	saved, err := w.cin7.SaveOrder(ctx, doc)
	w.sendBy = time.Time{}
	return w.lined(seq, saved, err, plan)
}

// newPlan makes a plan of the order and the bytes to freeze.
func (w *work) newPlan() (*sale.Plan, []byte, error) {
	raw, err := w.order()
	if err != nil {
		return nil, nil, err
	}
	if w.run.SaleID == "" && !w.run.Cancelled.IsZero() { // as the order read again says
		return nil, nil, errMoved
	}
	p, problems, err := w.makePlan(raw)
	if err != nil {
		return nil, nil, err
	}
	if len(problems) > 0 {
		return nil, nil, ofPlan(&ledger.Reject{Problems: problems})
	}
	data, err := json.Marshal(p)
	return &p, data, err
}

// inspect reads the sale before anything is written to it: other people's
// work stands. done says that this turn has moved the run.
func (w *work) inspect(plan *sale.Plan) (done bool, err error) {
	if err := w.take(); err != nil {
		return true, err
	}
	s, err := w.readSale(w.calling("cin7core"), w.run.SaleID)
	if rest.KindOf(err) == rest.NotFound {
		if w.run.NewSale {
			return true, w.update(func(r *ledger.Run, _ *ledger.Extra) error { gone(r, r.SaleID); return nil })
		}
		return true, w.saleGone()
	}
	if err := w.answered(err); err != nil {
		return true, err
	}
	now := w.Now()
	switch {
	case s.Status.Is(cin7core.Voided):
		return true, w.wasVoided(s)
	case !empty(s) && sale.SameLines(plan.Order, s.Order):
		return true, w.sold(s.Order, plan, 0, &s)
	case !empty(s) && !w.run.Cancelled.IsZero():
		return true, problem("changedByOthers", fmt.Sprintf("The order is cancelled in Upstock, and its sale %s in Cin7 Core has other lines than the order, so it was left alone.", number(s)),
			"Void it in Cin7 Core if it should not be delivered, then retry.")
	case !empty(s):
		return true, problem("changedByOthers", fmt.Sprintf("The sale %s in Cin7 Core has other lines than the order, so it was left alone.", number(s)),
			"Give it the order's lines in Cin7 Core and retry; or void it there and retry with a new sale.")
	}
	if at := linesDoubt(w.run).Add(w.Times.Settle); now.Before(at) {
		return true, &ledger.Later{
			At:  at,
			Why: "No answer came when the lines were written. The sale is read once more before they are written again.",
		}
	}
	if !w.run.Cancelled.IsZero() {
		if !sale.SameHeader(plan.Header, s) {
			return true, problem("changedByOthers", fmt.Sprintf("The order is cancelled in Upstock, and its sale %s in Cin7 Core is not as it would be made now, so it was left alone.", number(s)),
				"Void it in Cin7 Core if it should not be delivered.")
		}
		if notOurs(w.run, s.ID) {
			return true, problem("changedByOthers", fmt.Sprintf("The order is cancelled in Upstock, and somebody made the sale %s in Cin7 Core with its id, so it was left alone.", number(s)),
				"Void it in Cin7 Core if it should not be delivered.")
		}
		if err := w.sureCancelled(); err != nil {
			return true, err
		}
		w.onCancel = true
		defer func() { w.onCancel = false }()
		return true, w.void(s, fmt.Sprintf("The order is cancelled: the empty sale %s was voided.", number(s)))
	}
	if s.CustomerID != "" && !strings.EqualFold(plan.Header.CustomerID, s.CustomerID) {
		return true, problem("changedByOthers", fmt.Sprintf("Somebody gave the sale %s in Cin7 Core to another customer before its lines were written, so they were not.", number(s)),
			"Give it the order's customer in Cin7 Core and retry; or void it there and retry with a new sale.")
	}
	return false, nil
}

// cancelledUnplanned is the end of a cancelled order whose sale was found, and of which nothing can say what it should hold.
func (w *work) cancelledUnplanned(rej *ledger.Reject) error {
	s, err := w.readSale(w.calling("cin7core"), w.run.SaleID)
	if rest.KindOf(err) == rest.NotFound {
		return w.saleGone()
	}
	if err := w.answered(err); err != nil {
		return err
	}
	if s.Status.Is(cin7core.Voided) {
		return w.wasVoided(s)
	}
	return problem(cancelledButKept, fmt.Sprintf("The order is cancelled in Upstock, and its sale %s stands in Cin7 Core. What it should hold cannot be told, so it was left alone: %s", number(s), rej.Problems[0].Message),
		"Void it in Cin7 Core if it should not be delivered, then retry.")
}

// saleGone is the end where Cin7 Core does not have the run's sale.
func (w *work) saleGone() error {
	if !w.run.Cancelled.IsZero() {
		return w.cancelledWithout(cmp.Or(w.run.SaleNumber, w.run.SaleID), "is not in Cin7 Core any more")
	}
	return problem(saleGone, "Cin7 Core does not have the sale "+cmp.Or(w.run.SaleNumber, w.run.SaleID)+" any more.", "Retry with a new sale.")
}

// wasVoided goes on from a sale that is voided: by us, or by a person.
func (w *work) wasVoided(s cin7core.Sale) error {
	byUs := slices.Contains(w.run.Voided, s.ID) || slices.ContainsFunc(w.run.Intents, func(i ledger.Intent) bool {
		// One that was found not to have taken effect is ours no more once a person has asked for something: they may have voided it.
		return i.Step == ledger.StepVoid && i.SaleID == s.ID && i.Answer != ledger.Refused && (!i.Settled || i.Seq > w.run.Granted)
	})
	if !byUs && !w.run.NewSale {
		return w.voidedByOthers(s)
	}
	return w.update(func(r *ledger.Run, _ *ledger.Extra) error {
		for k := range r.Intents {
			if i := &r.Intents[k]; i.Step == ledger.StepVoid && i.SaleID == s.ID && i.Answer == ledger.Open {
				i.Answer = ledger.Done
			}
		}
		gone(r, s.ID)
		return nil
	})
}

// lined writes down what writing the lines answered.
func (w *work) lined(seq int, saved cin7core.OrderDocument, err error, plan *sale.Plan) error {
	if err == nil && sale.SameGoods(plan.Order, saved) && saved.Total.IsZero() == plan.SaleTotal.IsZero() { // a total that is missing is read
		return w.sold(saved, plan, seq, nil)
	}
	if err == nil { // taken, but not as sent: a GET tells what stands there now
		return w.result(func(r *ledger.Run) error {
			r.Intent(seq, ledger.StepLines).Answer = ledger.Done
			return nil
		})
	}
	out, rej := rest.OutcomeOf(err), refusal(err, "the lines")
	amended := plan.Amend(rest.MessagesOf(err), w.b.Settings.TotalTolerance)
	if uerr := w.result(func(r *ledger.Run) error {
		i := r.Intent(seq, ledger.StepLines)
		if out == rest.Unknown {
			i.Unknown = true
			r.Note(w.Now(), "No believable answer to the lines: the sale is read before anything else.")
			return nil
		}
		if i.Answer == ledger.Open {
			i.Answer = ledger.Refused
		}
		if rej != nil && amended == nil && r.Lease.Token == w.token && r.SaleID == i.SaleID && r.SoldAt.IsZero() {
			r.Unwanted = rej.Problems // undo is next, whenever that is
		}
		return nil
	}); uerr != nil {
		return uerr
	}
	switch {
	case w.run.Lease.Token != w.token:
		return errLost
	case out == rest.Unknown:
		return job.Down(tenant.Cin7Core, err)
	case rej != nil && amended != nil:
		return w.refreeze(amended)
	case rej != nil:
		return nil
	}
	return w.answered(err)
}

// sold records the verified sale. seq is the lines intent that it answers, 0
// where a GET told.
func (w *work) sold(doc cin7core.OrderDocument, plan *sale.Plan, seq int, whole *cin7core.Sale) error {
	saleID := doc.SaleID
	if whole != nil {
		saleID = whole.ID
	}
	chosen := false
	err := w.Ledger.Update(w.ctx, w.run, func(r *ledger.Run, x *ledger.Extra) error {
		now := w.Now().UTC()
		chosen = false
		if seq > 0 {
			if i := r.Intent(seq, ledger.StepLines); i.Answer == ledger.Open {
				i.Answer = ledger.Done
			}
		}
		if r.Lease.Token != w.token || r.SaleID != saleID || !r.SoldAt.IsZero() {
			return nil
		}
		chosen = true
		for k := range r.Intents { // what a GET showed answers them
			if i := &r.Intents[k]; i.Step == ledger.StepLines && i.SaleID == saleID && i.Answer == ledger.Open {
				i.Answer = ledger.Done
			}
		}
		r.State, r.SoldAt = ledger.Sold, now
		r.Problems, r.NewSale, r.Reread, r.Unwanted = nil, false, false, nil
		r.SaleNumber = cmp.Or(doc.SaleOrderNumber, r.SaleNumber)
		r.SaleTotal = doc.Total.StringFixed(2)
		r.Note(now, "Sold as %s, %s %s (order: %s).", r.SaleNumber, r.SaleTotal, r.Currency, r.Total)
		if diff := doc.Total.Sub(plan.SaleTotal); !diff.IsZero() {
			r.Say(fmt.Sprintf("Cin7 Core's total is %s, %s was expected: something in Cin7 Core changed the sale. Compare it with the order.", r.SaleTotal, plan.SaleTotal.StringFixed(2)))
		}
		if text := unlike(plan.Order.Status, doc.Status, seq > 0); text != "" {
			r.Say(text)
			r.Note(now, "%s", text)
		}
		if plan.Order.AutoPickPackShipMode != "" && plan.Order.AutoPickPackShipMode != cin7core.NoPick {
			r.AutoPick, r.ReadBack = string(plan.Order.AutoPickPackShipMode), whole == nil
			if whole != nil {
				unpicked(r, plan, *whole, now)
			}
		}
		if !r.Cancelled.IsZero() && !r.CancelOpen() { // else what Upstock says decides
			cancelSold(r, w.b.Settings)
		}
		linkSaleTo(r, x, now)
		// Telling Upstock is on record with the news itself.
		r.Intend(ledger.StepTell, now, now.Add(w.Times.Soon+w.Times.HTTP), saleID)
		return nil
	})
	if err != nil {
		return err
	}
	w.progress = true
	if !chosen && w.run.Lease.Token != w.token {
		return errLost
	}
	return nil
}

// after is what is left once the order is sold, or cancelled: none of it holds
// back the news, and what is asked of Cin7 Core does not wait for Upstock.
func (w *work) after() error {
	var asking error // holds back nothing else
	if askDue(w.run, w.Now()) {
		if asking = w.settleCancel(); errors.Is(asking, errMoved) || errors.Is(asking, errLost) {
			return asking
		}
	}
	if !settled(w.run) { // it is to be sold again
		return errMoved
	}
	if w.run.Void && !w.soldElsewhere() { // people pick meanwhile
		if err := w.inspectSold(); err != nil || w.released {
			return err
		}
	}
	for len(w.run.Watches) > 0 && !w.run.Watches[0].After(w.Now()) {
		if err := w.watched(); err != nil {
			return err
		}
	}
	if !w.run.SoldAt.IsZero() && !w.run.Told {
		if err := w.cannotTell(w.tell()); err != nil || w.released {
			return err
		}
	}
	for w.run.LookDue() || w.run.Kept != nil || w.doubtOver() {
		if w.untold != nil && (w.run.Kept != nil || !w.run.LookDue()) { // it was read once, and cannot be told
			break
		}
		if err := w.inspectSold(); err != nil || w.released {
			return err
		}
	}
	if asking != nil {
		return asking
	}
	return w.untold
}

// tell gives Upstock the sale's number and page.
func (w *work) tell() error {
	id, err := strconv.ParseInt(w.run.OrderID(), 10, 64)
	if err != nil {
		return fmt.Errorf("order id: %w", err)
	}
	if err := w.take(); err != nil {
		return err
	}
	ctx, err := w.upstock.Reserve(w.calling("upstock"))
	if err != nil {
		return w.answered(err)
	}
	err = w.upstock.PutExternal(ctx, id, upstock.External{System: "cin7core", Number: w.run.SaleNumber, URL: cin7core.SaleURL(w.run.SaleID)})
	failed := w.refusedByUpstock(err)
	if failed != nil {
		return failed
	}
	w.progress = true
	// The last write of an order: the lease goes back with it.
	return w.update(func(r *ledger.Run, _ *ledger.Extra) error {
		for k := range r.Intents {
			if i := &r.Intents[k]; i.Step == ledger.StepTell && i.Answer == ledger.Open {
				i.Answer = ledger.Done
			}
		}
		r.Told = true
		if err != nil {
			r.Say("Upstock does not take the sale's number: " + strings.Join(append(rest.MessagesOf(err), rest.Reason(err)), " "))
		} else {
			r.Note(w.Now(), "Upstock shows %s.", r.SaleNumber)
		}
		if r.Finished() {
			w.release(r)
		}
		return nil
	})
}

func (w *work) release(r *ledger.Run) {
	r.Lease, r.Next, r.Why, r.Dead, r.Failures, r.Failing = ledger.Lease{}, time.Time{}, "", 0, 0, time.Time{}
	r.Waits, r.Owed, r.By = 0, time.Time{}, time.Time{}
	w.released = true
}

// refusedByUpstock: a plain refusal is final, the rest is tried again.
func (w *work) refusedByUpstock(err error) error {
	switch rest.KindOf(err) {
	case rest.Invalid, rest.Conflict, rest.NotFound:
		return nil
	}
	return w.answered(err)
}

// watched looks for a twin that appeared after the settle time.
func (w *work) watched() error {
	if w.soldElsewhere() {
		return w.awaitAccount()
	}
	due, keep := w.run.Watches[0], 1
	if w.run.SaleID == "" {
		keep = 0
	}
	if err := w.take(); err != nil {
		return err
	}
	plan, err := w.frozen()
	if err != nil {
		return err
	}
	rows, err := w.rows(plan)
	if err != nil {
		return err
	}
	voided := false
	for _, row := range rows {
		voided = voided || row.SaleID == w.run.SaleID && row.Status.Is(cin7core.Voided)
		if row.SaleID == w.run.SaleID || row.Status.Is(cin7core.Voided) {
			continue
		}
		s, err := w.readSale(w.calling("cin7core"), row.SaleID)
		if err := w.answered(err); err != nil {
			return err
		}
		if s.Status.Is(cin7core.Voided) {
			continue
		}
		if err := w.voidTwin(plan, s, keep); err != nil {
			return err
		}
	}
	return w.update(func(r *ledger.Run, _ *ledger.Extra) error {
		r.Watches = slices.DeleteFunc(r.Watches, due.Equal)
		if voided && !r.SoldAt.IsZero() && !r.LookDue() { // by a void of ours that came late, or by a person: the look says so
			r.Asked++
		}
		r.Note(w.Now(), "Looked for a twin of the sale.")
		return nil
	})
}
