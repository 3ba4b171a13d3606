package upstockcin7

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/reference"
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
	var made cin7core.Sale
	chosen := false
	answer, err := w.attempt(outsideWrite{
		step:  order.StepCreate,
		allow: w.mayCreate,
		with: func(r *order.Order, _ *ledger.Intent, x *ledger.Extra) {
			if planned != nil {
				w.freeze(r, x, plan, planned)
				w.linkCustomer(x, plan)
			}
			w.beginCreate(r)
		},
		send: func(ctx context.Context) (err error) {
			if planned != nil {
				w.bind(plan, planned)
			}
			made, err = w.cin7.CreateSale(ctx, plan.Header)
			return err
		},
		record: func(r *order.Order, i *ledger.Intent, _ *ledger.Extra, answer error) {
			chosen = created(r, i, made, answer, w.token, w.Now())
		},
	})
	switch {
	// the customer's link was made or changed meanwhile: it is planned again by that
	case errors.Is(err, ledger.ErrBeside):
		return errMoved
	case err != nil:
		return err
	case rest.OutcomeOf(answer) == rest.Unknown:
		return job.Down(tenant.Cin7Core, answer)
	case answer != nil:
		return ofPlan(w.refusedOr(answer, "the sale"))
	}
	w.progress = true
	if chosen {
		w.fresh = made.ID
		return nil
	}
	if w.run.Lease.Token != w.token {
		return errLost
	}
	return errMoved
}

// mayCreate is nil where a sale of an order may be made now.
func (w *work) mayCreate(r *order.Order) error {
	if !r.NothingMade() || !r.Cancelled.IsZero() || w.barred(r) != nil {
		return errMoved
	}
	if sellsAnew(r) { // what was tried before counts no more
		r.Granted = r.Last()
	}
	return nil
}

// beginCreate puts down what a create, which is on record, does away with.
func (w *work) beginCreate(r *order.Order) {
	r.CreatedFor = r.Approved
	r.Problems, r.OfPlan, r.Reread, r.Replan, r.Unwanted = nil, false, false, false, nil
	if r.NewSale || r.Anew { // the wish is for one sale
		r.NewSale, r.Anew, r.Beside, r.Foreign = false, false, nil, true
	}
	w.watch(r)
}

// freeze puts a new plan on record: from now on the order is bound to it.
func (w *work) freeze(r *order.Order, x *ledger.Extra, plan *sale.Plan, planned []byte) {
	x.Plan = planned
	for _, text := range plan.Said {
		r.Say(text)
	}
	r.Total, r.Account, r.Rounding = plan.OrderTotal.StringFixed(2), w.core.Account, roundingOf(plan)
	r.SoldAs, r.Edits, r.Sums = w.planOf, nil, sumsOf(plan)
}

// linkCustomer remembers which card the plan found for the order's customer.
func (w *work) linkCustomer(x *ledger.Extra, plan *sale.Plan) {
	if plan.LinkCustomer {
		customer := supplierAt(w.up).key(w.customer())
		x.Add(ledger.NewLinkOp(w.b.Tenant.ID, sale.CustomerLinks, customer, plan.Link(w.Now())))
	}
}

// bind makes the plan that was just put on record the one that this worker goes by.
func (w *work) bind(plan *sale.Plan, planned []byte) {
	w.plan, w.planData, w.planNo = plan, planned, w.run.Plans
}

// created puts down what a create answered. Whoever learns the truth may write
// it into its own intent; only the lease's holder, by its token, chooses the sale.
func created(
	r *order.Order, i *ledger.Intent, sale cin7core.Sale, answer error, token string, now time.Time,
) (chosen bool) {
	switch {
	case rest.OutcomeOf(answer) == rest.Unknown:
		i.Unknown = true
		r.Note(now, "No believable answer to the new sale: it may exist, so it is looked for before anything else.")
		return false
	case i.Answer != ledger.Open:
		return false
	case answer != nil:
		i.Answer = ledger.Refused
		return false
	}
	i.Answer, i.Target, i.Label = ledger.Done, sale.ID, number(sale)
	r.Note(now, "Cin7 Core made the sale %s.", number(sale))
	mine := r.Lease.Token == token && r.SaleID == "" && len(r.Made()) == 1 && !r.Undecided()
	if mine {
		r.SaleID, r.SaleNumber, r.Adopted = sale.ID, sale.Order.SaleOrderNumber, false
	}
	return mine
}

// refusedOr turns a refusal of one of the order's writes into problems in the vendor's words, and everything else into
// how work goes on.
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
		problems = append(problems, ledger.Problem{Code: "refused", Message: "Cin7 Core refused " + what + ": " + m,
			Fix: "Put it right in Cin7 Core, or change the order or the settings, then retry."})
	}
	if len(problems) == 0 {
		problems = append(problems, ledger.Problem{Code: "refused",
			Message: "Cin7 Core refused " + what + " (" + rest.Reason(err) + ").",
			Fix:     "See the recorded answer, then retry."})
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
func (w *work) order() (*document, error) {
	if !w.run.Reread && !w.maybeCancelled() {
		return w.doc, nil
	}
	asked := w.Now().UTC()
	shows, err := w.fromUpstock()
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
	o := shows.order()
	switch {
	case (w.run.Anew || w.run.Replan) && !w.run.NewSale && o.Status == upstock.StatusShipped:
		return nil, &ledger.Reject{Problems: []ledger.Problem{shippedAlready(o)}}
	case w.run.Anew && !w.run.NewSale && o.Status != upstock.StatusCancelled && !confirms(o, w.run.Approved):
		return nil, notConfirmed("Upstock shows the order as " + prose.Short(o.Status) + since(o.ApprovedAt))
	case w.run.Replan && o.Status != upstock.StatusCancelled && !confirms(o, w.run.Approved):
		return w.delivered() // it shows an earlier state than the approval that was delivered
	}
	w.doc, w.askedIfCancelled = shows, true
	return shows, w.update(func(r *order.Order, x *ledger.Extra) error {
		x.Fresh = shows.body
		describe(r, o)
		if notApproved(o) {
			return ofPlan(approvalTakenBack(o))
		}
		readCancelled(r, o, asked)
		return nil
	})
}

// fromUpstock reads the order as Upstock has it now.
func (w *work) fromUpstock() (*document, error) {
	id, err := strconv.ParseInt(w.run.OrderID(), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("order id: %w", err)
	}
	raw, err := w.upstock.Order(w.calling("upstock"), id)
	return &document{body: raw, bare: true}, err
}

// askIfCancelled asks Upstock, before anything is made by a plan from before, whether the
// order is cancelled, where that may not be known here.
func (w *work) askIfCancelled() error {
	if w.askedIfCancelled || !w.run.Cancelled.IsZero() || !w.maybeCancelled() {
		return nil
	}
	asked := w.Now().UTC()
	shows, err := w.fromUpstock()
	switch rest.KindOf(err) {
	case rest.NotFound, rest.Invalid: // what was approved counts
		return nil
	}
	if err := w.answered(err); err != nil {
		return err
	}
	w.askedIfCancelled = true
	o := shows.order()
	switch {
	case o.Status == upstock.StatusCancelled:
	case w.run.SaleID == "" && notApproved(o):
		return ofPlan(approvalTakenBack(o))
	default:
		return nil
	}
	if err := w.update(func(r *order.Order, _ *ledger.Extra) error {
		readCancelled(r, o, asked)
		return nil
	}); err != nil {
		return err
	}
	return errMoved
}

// notApproved reports whether Upstock shows an order as not approved yet, or not any more.
func notApproved(o upstock.Order) bool {
	return o.Status == upstock.StatusOrdered || o.Status == upstock.StatusScheduled
}

func approvalTakenBack(o upstock.Order) error {
	return problem("notApproved", "Upstock shows the order as "+o.Status+": it is not approved any more.",
		"Approve it in Upstock, then retry.")
}

// readCancelled marks an order that Upstock shows as cancelled, and that is not known to be.
func readCancelled(r *order.Order, o upstock.Order, asked time.Time) {
	if o.Status != upstock.StatusCancelled || !r.Cancelled.IsZero() {
		return
	}
	r.Cancelled, r.Occurred = asked, order.OccurredAt(time.Time{}, o.ApprovedAt, asked)
	r.Note(asked, "Upstock says that the order is cancelled.")
	saySold(r, o)
	if r.Confirmed = asked; behind(r, o) { // it may show how the order was before its newest approval
		r.Unsettle(asked)
	}
}

// describe keeps what lists show of an order.
func describe(r *order.Order, o upstock.Order) {
	r.Number, r.Reference, r.Customer, r.Currency = prose.Short(o.OrderNumber), prose.Short(o.Reference),
		prose.Short(o.Customer.Name), prose.Short(o.Currency)
	r.Approved = job.Latest(r.Approved, o.ApprovedAt) // a read may show how the order was before
	if o.Stated != nil {
		r.Total = o.Stated.Total.StringFixed(2)
	}
}

// sumsOf are a plan's sums as a run keeps them.
func sumsOf(p *sale.Plan) (sums []order.Sum) {
	for _, s := range p.Sums {
		sums = append(sums, order.Sum{Way: s.Way, Total: s.Total.StringFixed(2), Of: s.Of})
	}
	return sums
}

// roundingOf is a plan's Rounding as a run keeps it.
func roundingOf(p *sale.Plan) string {
	if p.Rounding.IsZero() {
		return ""
	}
	return p.Rounding.StringFixed(2)
}

// draft is a plan as the mirror has it, with what it was made from.
type draft struct {
	sale.Plan
	problems []ledger.Problem
	wants    []sale.Want // what Cin7 Core is asked for before the problems are believed
	ref      sale.Reference
}

// draftPlan plans an order from what the mirror has, without a call.
func (w *work) draftPlan(of *document) (d draft, err error) {
	o, faults := of.read()
	if d.ref, err = w.records(w.b).Order(w.ctx, o); err != nil {
		return d, err
	}
	d.ref.Supplier = w.supplier()
	d.Plan, d.problems, d.wants = sale.Make(o, faults, sale.SettingsOf(w.b.Settings), d.ref)
	return d, nil
}

func (w *work) makePlan(of *document) (sale.Plan, []ledger.Problem, error) {
	d, err := w.draftPlan(of)
	if err != nil {
		return sale.Plan{}, nil, err
	}
	// the customer is known by name: was that looked up since the order came?
	if _, asked := reference.WithoutChangedCustomers(d.wants); asked && len(d.problems) == 0 {
		known, err := w.customersKnown(w.records(w.b))
		if err != nil {
			return d.Plan, nil, err
		}
		if known { // by now the mirror has what was read
			if d, err = w.draftPlan(of); err != nil {
				return sale.Plan{}, nil, err
			}
			if len(d.problems) == 0 {
				d.wants, _ = reference.WithoutChangedCustomers(d.wants)
			}
		}
	}
	if len(d.wants) > 0 {
		if err := w.take(); err != nil {
			return d.Plan, nil, err
		}
		ref, err := w.live(w.calling("cin7core"), w.cin7, w.b, d.ref, d.wants)
		if err := w.answered(err); err != nil {
			return d.Plan, nil, err
		}
		o, faults := of.read()
		d.Plan, d.problems, _ = sale.Make(o, faults, sale.SettingsOf(w.b.Settings), ref)
	}
	return d.Plan, d.problems, nil
}

// customersKnown reports whether the mirror has all customers as they were
// after the order came. A person who retries has done something about them, perhaps.
func (w *work) customersKnown(records reference.Reader) (bool, error) {
	if w.preview || w.run.Reread || len(w.run.Problems) > 0 {
		return false, nil
	}
	return records.CustomersKnown(w.ctx, w.run.Received)
}

// customer is the id of the order's Upstock customer.
func (w *work) customer() string {
	return strconv.FormatInt(w.doc.order().Customer.ID, 10)
}

// firstOrders is how many orders of a new connection are looked up as somebody else's sales before they are sold.
const firstOrders = 10

// lookedUp is how many orders were, as it is noted beside the connection to Cin7 Core.
const lookedUp tenant.Progress[int] = "checked"

// foreign looks, for a connection's first orders and for those approved before
// it was made, for a sale of the same order that is not ours: Upstock's own
// integration may still be on, or was. What Upstock itself shows as sold is not
// sold again, whenever it was approved: none of our sales of it was found.
func (w *work) foreign(plan *sale.Plan) error {
	since := working(w.b)
	earlier := !w.run.Approved.IsZero() && w.run.Approved.Before(since)
	// a connection was away since: people may have sold it by hand
	if w.run.Foreign && !(earlier && w.run.Searched.Before(since)) && !sellsAnew(w.run) {
		return nil
	}
	if o := w.doc.order(); o.External != nil && !w.run.NewSale && !formerly(w.run, o.External.Number) {
		return &ledger.Reject{Problems: []ledger.Problem{shownAsSold(o)}}
	}
	if lookedUp.Of(w.core) >= firstOrders && !earlier && !sellsAnew(w.run) {
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
	if err := w.update(func(r *order.Order, _ *ledger.Extra) error {
		r.Foreign, r.Searched = true, w.Now().UTC()
		return nil
	}); err != nil {
		return err
	}
	_, err = lookedUp.Change(w.ctx, w.Tenants, w.core.Tenant, w.core.System, func(_ tenant.Connection, n *int) error {
		*n++
		return nil
	})
	return err
}

func shownAsSold(o upstock.Order) ledger.Problem {
	return ledger.Problem{Code: "foreignSale",
		Message: order.ShownAsSold + cmp.Or(prose.Short(o.External.Number), "a sale without a number") +
			", and that sale is not ours.",
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
		if err := w.update(func(r *order.Order, x *ledger.Extra) error {
			w.freeze(r, x, p, planned)
			return nil
		}); err != nil {
			return err
		}
		w.bind(p, planned)
		plan = p
	}
	r := w.run
	tried := slices.ContainsFunc(r.Intents, func(i ledger.Intent) bool {
		return i.Step == order.StepLines && i.Target == r.SaleID && i.Answer != ledger.Refused
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
	return w.writeLines(plan)
}

// writeLines gives the run's sale its lines.
func (w *work) writeLines(plan *sale.Plan) error {
	doc := plan.Order
	doc.SaleID = w.run.SaleID
	tolerance := sale.SettingsOf(w.b.Settings).TotalTolerance
	var saved cin7core.OrderDocument
	var came linesAnswer
	mine := false
	answer, err := w.attempt(outsideWrite{
		step: order.StepLines,
		sale: doc.SaleID,
		allow: func(r *order.Order) error {
			if r.SaleID != doc.SaleID || !r.Cancelled.IsZero() || len(r.OpenVoids()) > 0 || len(r.Unwanted) > 0 {
				return errMoved
			}
			return nil
		},
		send: func(ctx context.Context) (err error) {
			saved, err = w.cin7.SaveOrder(ctx, doc)
			came = linesAnswerOf(saved, err, plan, tolerance)
			return err
		},
		record: func(r *order.Order, i *ledger.Intent, x *ledger.Extra, _ error) {
			if came.record(r, i, w.token, w.Now()); came.asSent {
				mine = w.recordSold(r, x, saved, plan, nil)
			}
		},
	})
	switch {
	case err != nil:
		return err
	case came.asSent:
		return w.wasSold(mine)
	case came.done: // a GET tells what stands there now
		return nil
	case w.run.Lease.Token != w.token:
		return errLost
	case came.unknown:
		return job.Down(tenant.Cin7Core, answer)
	case came.amended != nil:
		return w.refreeze(came.amended)
	case came.refused != nil: // undo is next
		return nil
	}
	return w.answered(answer)
}

// linesAnswer is what writing an order's lines came to.
type linesAnswer struct {
	done    bool             // they were taken
	asSent  bool             // done: and stand there as they were sent
	unknown bool             // there was no believable answer
	refused []ledger.Problem // a plain refusal, in the vendor's words
	amended *sale.Plan       // refused: for a cent, which this plan has as the vendor does
}

// linesAnswerOf reads an answer. A total that it leaves out is none: the sale is read.
func linesAnswerOf(
	saved cin7core.OrderDocument, answer error, plan *sale.Plan, tolerance decimal.Decimal,
) (a linesAnswer) {
	if a.done = answer == nil; a.done {
		a.asSent = sale.SameGoods(plan.Order, saved) && saved.Total.IsZero() == plan.SaleTotal.IsZero()
		return a
	}
	if a.unknown = rest.OutcomeOf(answer) == rest.Unknown; a.unknown {
		return a
	}
	if rej := refusal(answer, "the lines"); rej != nil {
		a.refused, a.amended = rej.Problems, plan.Amend(rest.MessagesOf(answer), tolerance)
	}
	return a
}

// record puts the answer down in the intent that it answers. Lines that are
// refused for good undo the sale, if it is still the order's and the lease this worker's.
func (a linesAnswer) record(r *order.Order, i *ledger.Intent, token string, now time.Time) {
	switch {
	case a.unknown:
		i.Unknown = true
		r.Note(now, "No believable answer to the lines: the sale is read before anything else.")
	case a.done && !a.asSent:
		i.Answer = ledger.Done
	case i.Answer != ledger.Open:
	case a.done:
		i.Answer = ledger.Done
	default:
		i.Answer = ledger.Refused
	}
	final := a.refused != nil && a.amended == nil
	if final && r.Lease.Token == token && r.SaleID == i.Target && r.SoldAt.IsZero() {
		r.Unwanted = a.refused
	}
}

// newPlan makes a plan of the order and the bytes to freeze.
func (w *work) newPlan() (*sale.Plan, []byte, error) {
	wish, err := w.order()
	if err != nil {
		return nil, nil, err
	}
	if w.run.SaleID == "" && !w.run.Cancelled.IsZero() { // as the order read again says
		return nil, nil, errMoved
	}
	p, problems, err := w.checkedPlan(wish)
	if err != nil {
		return nil, nil, err
	}
	if len(problems) > 0 {
		return nil, nil, ofPlan(&ledger.Reject{Problems: problems})
	}
	w.planOf = contentsOf(wish.order()).hash()
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
			return true, w.update(func(r *order.Order, _ *ledger.Extra) error { gone(r, r.SaleID); return nil })
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
		return true, w.sold(s, plan)
	case !empty(s) && !w.run.Cancelled.IsZero():
		return true, problem("changedByOthers",
			fmt.Sprintf("The order is cancelled in Upstock, and its sale %s in Cin7 Core has other lines than the "+
				"order, so it was left alone.", number(s)),
			"Void it in Cin7 Core if it should not be delivered, then retry.")
	case !empty(s):
		return true, problem("changedByOthers",
			fmt.Sprintf("The sale %s in Cin7 Core has other lines than the order, so it was left alone.", number(s)),
			"Give it the order's lines in Cin7 Core and retry; or void it there and retry with a new sale.")
	}
	if at := linesDoubt(w.run).Add(w.Times.Settle); now.Before(at) {
		return true, &ledger.Later{
			At: at,
			Why: "No answer came when the lines were written. The sale is read once more before they are " +
				"written again.",
		}
	}
	if !w.run.Cancelled.IsZero() {
		if !sale.SameHeader(plan.Header, s) {
			return true, problem("changedByOthers",
				fmt.Sprintf("The order is cancelled in Upstock, and its sale %s in Cin7 Core is not as it would be "+
					"made now, so it was left alone.", number(s)),
				"Void it in Cin7 Core if it should not be delivered.")
		}
		if notOurs(w.run, s.ID) {
			return true, problem("changedByOthers",
				fmt.Sprintf("The order is cancelled in Upstock, and somebody made the sale %s in Cin7 Core with its "+
					"id, so it was left alone.", number(s)),
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
		return true, problem("changedByOthers",
			fmt.Sprintf("Somebody gave the sale %s in Cin7 Core to another customer before its lines were written, "+
				"so they were not.", number(s)),
			"Give it the order's customer in Cin7 Core and retry; or void it there and retry with a new sale.")
	}
	return false, nil
}

// cancelledUnplanned is the end of a cancelled order whose sale was found, and of which nothing can say what it should
// hold.
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
	return problem(cancelledButKept, fmt.Sprintf("The order is cancelled in Upstock, and its sale %s stands in Cin7 "+
		"Core. What it should hold cannot be told, so it was left alone: %s", number(s), rej.Problems[0].Message),
		"Void it in Cin7 Core if it should not be delivered, then retry.")
}

// saleGone is the end where Cin7 Core does not have the run's sale.
func (w *work) saleGone() error {
	if !w.run.Cancelled.IsZero() {
		return w.cancelledWithout(cmp.Or(w.run.SaleNumber, w.run.SaleID), "is not in Cin7 Core any more")
	}
	return problem(order.SaleGone, "Cin7 Core does not have the sale "+cmp.Or(w.run.SaleNumber, w.run.SaleID)+
		" any more.", "Retry with a new sale.")
}

// wasVoided goes on from a sale that is voided: by us, or by a person.
func (w *work) wasVoided(s cin7core.Sale) error {
	byUs := slices.Contains(w.run.Voided, s.ID) || slices.ContainsFunc(w.run.Intents, func(i ledger.Intent) bool {
		// One that was found not to have taken effect is ours no more once a person has asked for something: they may
		// have voided it.
		return i.Step == order.StepVoid && i.Target == s.ID && i.Answer != ledger.Refused &&
			(!i.Settled || i.Seq > w.run.Granted)
	})
	if !byUs && !w.run.NewSale {
		return w.voidedByOthers(s)
	}
	return w.update(func(r *order.Order, _ *ledger.Extra) error {
		for k := range r.Intents {
			if i := &r.Intents[k]; i.Step == order.StepVoid && i.Target == s.ID && i.Answer == ledger.Open {
				i.Answer = ledger.Done
			}
		}
		gone(r, s.ID)
		return nil
	})
}

// sold marks the order as sold with the sale that a reading shows.
func (w *work) sold(whole cin7core.Sale, plan *sale.Plan) error {
	mine := false
	err := w.result(func(r *order.Order, x *ledger.Extra) error {
		mine = w.recordSold(r, x, whole.Order, plan, &whole)
		return nil
	})
	if err != nil {
		return err
	}
	return w.wasSold(mine)
}

// wasSold goes on once it is on record that the sale is there; mine says that
// this worker still had the lease, so that the order is sold.
func (w *work) wasSold(mine bool) error {
	w.progress = true
	if !mine && w.run.Lease.Token != w.token {
		return errLost
	}
	return nil
}

// recordSold marks an order as sold with a verified sale: with the lines as Cin7
// Core answered them, or with the whole sale as a reading shows it. mine: it did,
// as the lease is this worker's and that sale the order's.
func (w *work) recordSold(
	r *order.Order, x *ledger.Extra, doc cin7core.OrderDocument, plan *sale.Plan, whole *cin7core.Sale,
) (mine bool) {
	now, saleID := w.Now().UTC(), doc.SaleID
	if whole != nil {
		saleID = whole.ID
	}
	if r.Lease.Token != w.token || r.SaleID != saleID || !r.SoldAt.IsZero() {
		return false
	}
	for k := range r.Intents { // what a reading showed answers them
		if i := &r.Intents[k]; i.Step == order.StepLines && i.Target == saleID && i.Answer == ledger.Open {
			i.Answer = ledger.Done
		}
	}
	r.State, r.SoldAt = order.Sold, now
	r.Problems, r.NewSale, r.Reread, r.Unwanted = nil, false, false, nil
	r.SaleNumber = cmp.Or(doc.SaleOrderNumber, r.SaleNumber)
	r.SaleTotal = doc.Total.StringFixed(2)
	r.Note(now, "Sold as %s, %s %s (order: %s).", r.SaleNumber, r.SaleTotal, r.Currency, r.Total)
	sayUnlike(r, doc, plan, whole == nil, now)
	if plan.Order.AutoPickPackShipMode != "" && plan.Order.AutoPickPackShipMode != cin7core.NoPick {
		r.AutoPick, r.ReadBack = string(plan.Order.AutoPickPackShipMode), whole == nil
		if whole != nil {
			unpicked(r, plan, *whole, now)
		}
	}
	if !r.Cancelled.IsZero() && !r.CancelOpen() { // else what Upstock says decides
		cancelSold(r, sale.SettingsOf(w.b.Settings))
	}
	r.LinkSale(x, now)
	w.toTell(r, now)
	return true
}

// toTell has Upstock told the number of the order's sale. Where an earlier sale of the order was told, that may take
// effect late, and overtake this one: so this one is told again.
func (w *work) toTell(r *order.Order, now time.Time) {
	r.Told, r.TellDoubt = false, time.Time{}
	if len(r.Former) > 0 {
		r.TellDoubt = now.Add(w.Times.Settle)
	}
	// It is on record with the news itself.
	r.Intend(order.StepTell, now, now.Add(w.Times.Soon+w.Times.HTTP), r.SaleID)
}

// sayUnlike says where a sale is not quite as its plan; written says that we have just written it.
func sayUnlike(r *order.Order, doc cin7core.OrderDocument, plan *sale.Plan, written bool, now time.Time) {
	if diff := doc.Total.Sub(plan.SaleTotal); !diff.IsZero() {
		r.Say(fmt.Sprintf("Cin7 Core's total is %s, %s was expected: something in Cin7 Core changed the sale. "+
			"Compare it with the order.", r.SaleTotal, plan.SaleTotal.StringFixed(2)))
	}
	if text := unlike(plan.Order.Status, doc.Status, written); text != "" {
		r.Say(text)
		r.Note(now, "%s", text)
	}
}

// after is what is left once the order is sold, or cancelled: none of it holds
// back the news, and what is asked of Cin7 Core does not wait for Upstock.
func (w *work) after() error {
	if err := w.pausedAfter(); err != nil {
		return err
	}
	asking := w.askCancelled() // holds back nothing else
	if errors.Is(asking, errMoved) || errors.Is(asking, errLost) {
		return asking
	}
	if !settled(w.run) { // it is to be sold again
		return errMoved
	}
	for _, step := range []func() error{w.voidSoon, w.lookForTwins, w.tellNumber} {
		if err := step(); err != nil || w.released {
			return err
		}
	}
	handling := w.handle() // what is shipped is told all the same
	if errors.Is(handling, errMoved) || errors.Is(handling, errLost) {
		return handling
	}
	if err := w.followSale(); err != nil || w.released {
		return err
	}
	return cmp.Or(asking, handling, w.untold)
}

// askCancelled asks whether the order is cancelled, once that is due.
func (w *work) askCancelled() error {
	if askDue(w.run, w.Now()) {
		return w.settleCancel()
	}
	return nil
}

// voidSoon voids the sale of a cancelled order before anything else is done: people pick meanwhile.
func (w *work) voidSoon() error {
	if w.run.Void && !w.soldElsewhere() {
		return w.readAndTell()
	}
	return nil
}

// lookForTwins looks for late twins, as often as that is due.
func (w *work) lookForTwins() error {
	for watchDue(w.run, w.Now()) {
		if err := w.watched(); err != nil {
			return err
		}
	}
	return nil
}

// tellNumber tells Upstock of the sale, unless it knows.
func (w *work) tellNumber() error {
	if w.run.TellDue(w.Now()) {
		return w.cannotTell(w.tell())
	}
	return nil
}

// followSale reads the sale and tells what became of it, until nothing new is asked for.
func (w *work) followSale() error {
	for w.run.ReadingDue() || w.run.Kept != nil || w.doubtOver() {
		if w.untold != nil && (w.run.Kept != nil || !w.run.ReadingDue()) { // it was read once, and cannot be told
			return nil
		}
		if err := w.paused(order.ShipmentsFlow); err != nil {
			w.untold = cmp.Or(w.untold, err) // the sale's number is told all the same
			return nil
		}
		if err := w.readAndTell(); err != nil || w.released {
			return err
		}
	}
	return nil
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
	sent := w.Now()
	refused, err := w.put(func(ctx context.Context) error {
		return w.upstock.PutExternal(ctx, id, upstock.External{
			System: "cin7core", Number: w.run.SaleNumber, URL: cin7core.SaleURL(w.run.SaleID),
		})
	})
	if err != nil {
		return err
	}
	w.progress = true
	// The last write of an order: the lease goes back with it.
	return w.update(func(r *order.Order, _ *ledger.Extra) error {
		for k := range r.Intents {
			if i := &r.Intents[k]; i.Step == order.StepTell && i.Answer == ledger.Open {
				i.Answer = ledger.Done
			}
		}
		if r.Told = true; !r.TellDoubt.After(sent) {
			r.TellDoubt = time.Time{}
		}
		if refused != nil {
			why := append(rest.MessagesOf(refused), rest.Reason(refused))
			r.Say("Upstock does not take the sale's number: " + strings.Join(why, " "))
		} else {
			r.NoteTold(w.Now())
		}
		if r.Finished() {
			w.release(r)
		}
		return nil
	})
}

func (w *work) release(r *order.Order) {
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
