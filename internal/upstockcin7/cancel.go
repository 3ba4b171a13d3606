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

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
)

// A cancellation stops creating at once, whatever else is known. Whether it
// counts is a question of Upstock's clock, not of when it came:
//
//   - where nothing was made, and no approval is known that is later, it counts,
//     unless a sale may stand that is not on record: the table was put back, or
//     one that is not ours is known of;
//   - else it is open ([order.Order.CancelOpen]), and Upstock is asked. A read that
//     shows the order cancelled confirms it. Two reads at least 2 minutes apart,
//     both after it was heard of, that show the order live and approved after it
//     was cancelled, drop it. What does neither is a person's, and so is what
//     cannot be asked for an hour as a connection does not work; that goes on by
//     itself once it does.
//
// Nothing is voided for a cancellation without a read that confirms it, a moment
// old at most.

// apart is how long after a first read that shows an order live the second one
// follows: 2 minutes, though two workers' clocks differ by seconds.
func (p *Pair) apart() time.Duration { return p.Times.Settle + p.Times.Soon }

// unansweredFor is how long Upstock is asked about a cancellation before a person is: an hour.
func (t Times) unansweredFor() time.Duration { return 30 * t.Settle }

// cancelledOrder marks a cancelled order, or writes it down as such if it is
// not here. occurred is by Upstock's clock; zero = not known.
func (p *Pair) cancelledOrder(
	ctx context.Context, s supplier, id int64, occurred time.Time, how string, raw json.RawMessage, body []byte,
) error {
	now := p.Now().UTC()
	o, _ := upstock.ParseOrder(raw)
	run := &order.Order{Run: ledger.Run{Tenant: s.tenant, ID: strconv.FormatInt(id, 10), State: order.Cancelled,
		Received: now}, Cancelled: now, Told: true}
	describe(run, o)
	occurred = order.Sensible(occurred, now)
	run.Occurred = order.OccurredAt(occurred, o.ApprovedAt, now)
	run.Note(now, "%s", how)
	unknown := p.mayBeUnknown(ctx, documentOf(body), now)
	if o.External != nil && !unknown { // by other means
		run.Say("Upstock shows this cancelled order as sold, as " +
			cmp.Or(prose.Short(o.External.Number), "a sale without a number") +
			": look in Cin7 Core whether that sale should be delivered.")
	}
	if unknown || run.Approved.After(run.Occurred) {
		run.Unsettle(now)
		run.Next = now
	}
	old, err := p.writeDown(ctx, s, run, body)
	if errors.Is(err, ledger.ErrExists) {
		return p.marks.Cancel(ctx, old, occurred)
	}
	if err == nil && run.CancelOpen() {
		p.marks.WakeSoon(ctx, run, 0)
	}
	return err
}

// standing is what a read of an order says of its cancellation.
type standing int

const (
	saysNeither   standing = iota // not approved, or approved before it was cancelled
	saysCancelled                 // cancelled
	saysLive                      // live, and approved after it was cancelled
)

// standingOf reads an order as Upstock shows it, against a cancellation of an instant by Upstock's clock.
func standingOf(o upstock.Order, occurred time.Time) standing {
	switch {
	case o.Status == upstock.StatusCancelled:
		return saysCancelled
	case approvedNow(o) && o.ApprovedAt.After(occurred):
		return saysLive
	}
	return saysNeither
}

// approvedNow reports whether Upstock shows an order as approved.
func approvedNow(o upstock.Order) bool {
	return o.Status == upstock.StatusProcessing || o.Status == upstock.StatusShipped
}

// askDue reports whether Upstock is to be asked about a cancellation now.
func askDue(r *order.Order, now time.Time) bool {
	return r.CancelOpen() && !r.Ask.IsZero() && !r.Ask.After(now)
}

// settleCancel asks Upstock whether the order's cancellation counts, when that
// is due, and does what it says.
func (w *work) settleCancel() error {
	if !askDue(w.run, w.Now()) {
		return &ledger.Later{At: w.run.Ask, Why: order.AskingUpstock}
	}
	if err := w.take(); err != nil {
		return err
	}
	if !askDue(w.run, w.Now()) { // as it is with the lease
		return errMoved
	}
	asked := w.Now().UTC() // after the run was read with its mark
	shows, err := w.fromUpstock()
	if rest.KindOf(err) == rest.NotFound {
		return w.unclear("Upstock delivered a cancellation of this order, and does not know the order.")
	}
	if out := w.answered(err); out != nil {
		if _, parked := out.(*ledger.Park); !parked && asked.Sub(w.run.Unsettled) >= w.Times.unansweredFor() {
			return w.unclear("Upstock delivered a cancellation of this order, and has not said for an hour whether " +
				"it is cancelled (" + rest.Reason(err) + ").")
		}
		return out
	}
	w.progress = true
	o := shows.order()
	switch standingOf(o, w.run.Occurred) {
	case saysCancelled:
		if behind(w.run, o) && !w.unclearBefore(asked) {
			return w.askAgain(asked, time.Time{})
		}
		return w.confirmCancel(o, asked)
	case saysLive:
		return w.seenLive(shows, asked)
	}
	if !w.unclearBefore(asked) {
		return w.askAgain(asked, time.Time{})
	}
	return w.unclear(fmt.Sprintf("Upstock delivered a cancellation of%s, and shows the order as %s%s.",
		order.On(w.run.Occurred), prose.Short(o.Status), since(o.ApprovedAt)))
}

// behind reports whether a read shows an order as it was before an approval that was heard of.
func behind(r *order.Order, o upstock.Order) bool { return earlier(o.ApprovedAt, r.Approved) }

// earlier reports whether an approval is before another, by more than what one of two documents may round away.
func earlier(a, b time.Time) bool { return b.Sub(a) >= time.Second }

// unclearBefore reports whether a read long enough ago was no answer either: what it shows is not how the order was a
// moment ago.
func (w *work) unclearBefore(asked time.Time) bool {
	return !w.run.Unclear.IsZero() && asked.Sub(w.run.Unclear) >= w.Times.Settle
}

func since(approved time.Time) string {
	if approved.IsZero() {
		return ""
	}
	return ", approved on" + order.On(approved)
}

// askAgain has Upstock asked once more, long enough after a read. alive is when one first showed the order live; zero =
// this one did not.
func (w *work) askAgain(after, alive time.Time) error {
	if err := w.update(func(r *order.Order, _ *ledger.Extra) error {
		if !r.CancelOpen() {
			return errMoved
		}
		if r.Ask = after.Add(w.apart()); r.Alive.IsZero() && !alive.IsZero() {
			r.Note(w.Now(), "Upstock shows the order as approved after it was cancelled. It is asked once more "+
				"before that counts.")
		}
		switch r.Alive = alive; {
		case !alive.IsZero():
			r.Unclear = time.Time{}
		case r.Unclear.IsZero():
			r.Unclear = after
		}
		return nil
	}); err != nil {
		return err
	}
	w.marks.WakeSoon(w.ctx, w.run, w.run.Ask.Sub(w.Now()))
	if w.run.SoldAt.IsZero() {
		return &ledger.Later{At: w.run.Ask, Why: order.AskingUpstock}
	}
	return nil
}

// confirmCancel: Upstock shows the order as cancelled.
func (w *work) confirmCancel(o upstock.Order, asked time.Time) error {
	return w.update(func(r *order.Order, _ *ledger.Extra) error {
		if !r.CancelOpen() {
			return errMoved
		}
		endQuestion(r)
		// whatever was heard of was before this
		r.Confirmed, r.Occurred = asked, job.Latest(job.Latest(r.Occurred, o.ApprovedAt), r.Approved)
		r.Note(w.Now(), "Upstock shows the order as cancelled.")
		switch {
		case r.SoldAt.IsZero():
			r.State, r.Problems = ledger.Working, nil
			saySold(r, o)
		case r.State != order.Cancelled:
			cancelSold(r, sale.SettingsOf(w.b.Settings))
			r.Asked++ // a reading while it was open left alone a sale that a person had voided
		}
		return nil
	})
}

// endQuestion: it is known whether the cancellation counts.
func endQuestion(r *order.Order) {
	r.Unsettled, r.Ask, r.Alive, r.Unclear = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	withoutProblem(r, order.CancelUnclear)
}

// withoutProblem takes a problem from an order; one that is sold then needs nobody, if it was the last.
func withoutProblem(r *order.Order, code string) {
	r.Problems = slices.DeleteFunc(r.Problems, func(p ledger.Problem) bool { return p.Code == code })
	if r.State == ledger.Attention && !r.SoldAt.IsZero() && len(r.Problems) == 0 {
		r.State = soldState(r)
	}
}

// soldState is the state of a sold order that needs nobody, by its parcels.
func soldState(r *order.Order) ledger.State {
	state := order.Sold
	for _, p := range r.Parcels {
		switch {
		case p.Gone:
		case p.Complete:
			return order.Shipped
		default:
			state = order.PartlyShipped
		}
	}
	return state
}

// seenLive: Upstock shows the order live, and approved after it was cancelled.
// Seen so twice, long enough apart, the cancellation is dropped.
func (w *work) seenLive(shows *document, asked time.Time) error {
	if alive := w.run.Alive; alive.IsZero() {
		return w.askAgain(asked, asked)
	} else if asked.Sub(alive) < w.Times.Settle {
		return w.askAgain(alive, alive)
	}
	o, was := shows.order(), w.doc.order()
	if err := w.update(func(r *order.Order, x *ledger.Extra) error {
		if !r.CancelOpen() || !o.ApprovedAt.After(r.Occurred) {
			return errMoved
		}
		x.Fresh = shows.body
		w.revive(r, o, !sameWish(was, o))
		return nil
	}); err != nil {
		return err
	}
	w.doc = shows
	return nil
}

// revive drops the cancellation of an order that was approved since. A sale that
// stands is taken up; where ours were voided, one new one is made.
func (w *work) revive(r *order.Order, o upstock.Order, changed bool) {
	now := w.Now()
	endQuestion(r)
	r.Dropped, r.Cancelled, r.Occurred, r.Confirmed, r.Void = r.Occurred, time.Time{}, time.Time{}, time.Time{}, false
	r.Approved = job.Latest(r.Approved, o.ApprovedAt)
	// since a sale was last made: a cancellation from before that takes nothing back
	wanted := o.ApprovedAt.After(r.CreatedFor)
	if wanted {
		r.Granted = r.Last() // where our only sales are voided by us, one new one is made
	}
	r.Said = slices.DeleteFunc(r.Said, func(s string) bool { return s == cancelledStands })
	r.Note(now, "The cancellation counts no more: Upstock shows the order as approved after it, on%s.",
		order.On(o.ApprovedAt))
	if !r.SoldAt.IsZero() {
		if changed {
			r.Say("The order was approved again in Upstock with other contents than it was sold with: " +
				"compare its sale " + r.SaleNumber + ".")
		}
		withoutProblem(r, cancelledButKept)
		r.TellRefused() // as the order was cancelled
		r.Told = false  // a sale that was found while it was cancelled was not shown in Upstock
		// a reading tells whether the sale stands: one while it was open left alone what a person, or we, had
		// voided
		r.Asked++
		if r.State == order.Cancelled {
			r.State = soldState(r)
		}
		return
	}
	describe(r, o)
	unsayStrange(r)
	r.Told, r.Looked, r.None = false, time.Time{}, time.Time{}
	r.Asked++ // once it is sold: what was heard of its sale while it was cancelled was passed over
	r.State, r.Why, r.Problems, r.OfPlan = ledger.Working, "", nil, false
	switch {
	case r.NothingMade() && o.Status == upstock.StatusShipped: // by other means
		r.State, r.Problems = ledger.Attention, []ledger.Problem{shippedAlready(o)}
		r.Note(now, "Needs attention: %s", r.Problems[0].Message)
		return
	case r.NothingMade():
		r.Anew = wanted && len(r.Voided) > 0
		return
	}
	if changed {
		r.State = ledger.Attention
		r.Problems = []ledger.Problem{{Code: "changedSinceApproved",
			Message: "The order was cancelled and approved again with other contents, after its sale was begun.",
			Fix: "Retry to sell it as it was approved first, and put the sale right in Cin7 Core. Or void what there " +
				"is of it in Cin7 Core, and retry with a new sale."}}
		r.Note(now, "Needs attention: %s", r.Problems[0].Message)
	}
}

// sameWish reports whether two states of an order ask for the same sale.
func sameWish(a, b upstock.Order) bool {
	wish := func(o upstock.Order) string {
		data, _ := json.Marshal([]any{o.Customer.ID, o.Customer.ExternalID, o.Currency, o.DeliveryAddress, o.Lines,
			o.Freight})
		return string(data)
	}
	return wish(a) == wish(b)
}

// unclear hands the question to a person: nothing is made, and nothing voided.
func (w *work) unclear(message string) error {
	return w.update(func(r *order.Order, _ *ledger.Extra) error {
		if !r.CancelOpen() {
			return errMoved
		}
		r.Problems = slices.DeleteFunc(r.Problems,
			func(p ledger.Problem) bool { return p.Code == order.CancelUnclear || r.SoldAt.IsZero() })
		r.Problems = append(r.Problems, ledger.Problem{Code: order.CancelUnclear, Message: message,
			Fix: "Look at the order in Upstock. If it should be sold, approve it there again; else cancel it there. " +
				"Then retry: Upstock is asked once more."})
		r.State, r.Ask, r.Alive, r.Unclear = ledger.Attention, time.Time{}, time.Time{}, time.Time{}
		r.Note(w.Now(), "Needs attention: %s", message)
		return nil
	})
}

// unasked hands the question to a person where a connection has kept it from
// being asked for an hour. The run is parked too: once the connection works, it
// is asked by itself (reask), so Ask stays.
func unasked(r *order.Order, e *ledger.Park, sys tenant.System, now time.Time) {
	pr := ledger.Problem{Code: order.CancelUnclear,
		Message: "Upstock delivered a cancellation of this order, and for an hour it could not be found out whether " +
			"it counts. " + e.Why,
		Fix: "Connect " + sys.Title() +
			" again: Upstock is asked then, by itself. Until it is, look there whether the order's goods " +
			"should go out."}
	if e.Awaits != "" {
		pr.Fix = "Connect the account that it waits for again: Upstock is asked then, by itself. Until it is, look " +
			"there whether the order's goods should go out."
	}
	known := slices.ContainsFunc(r.Problems, pr.Same)
	r.Problems = slices.DeleteFunc(r.Problems,
		func(p ledger.Problem) bool { return p.Code == order.CancelUnclear || r.SoldAt.IsZero() })
	r.Problems, r.State = append(r.Problems, pr), ledger.Attention
	if !known {
		r.Note(now, "Needs attention: %s", pr.Message)
	}
}

// reask takes the question of a parked order up again, with an hour for its answer.
func reask(r *order.Order, now time.Time) {
	if !r.CancelOpen() || r.Ask.IsZero() {
		return
	}
	now = now.UTC()
	r.Unsettled, r.Ask = now, now
	withoutProblem(r, order.CancelUnclear)
	if r.SoldAt.IsZero() {
		r.State, r.Why, r.Problems = ledger.Waiting, order.AskingUpstock, nil
	}
}

// sureCancelled makes sure, before something is voided for a cancellation, that
// Upstock showed the order as cancelled a moment ago. errMoved: it is asked first.
func (w *work) sureCancelled() error {
	if cancelStands(w.run) && w.Now().Sub(w.run.Confirmed) < w.Times.Settle {
		return nil
	}
	if err := w.update(func(r *order.Order, _ *ledger.Extra) error {
		if r.Void = false; !r.Cancelled.IsZero() && !r.CancelOpen() { // confirmed, it is to be voided again
			r.Unsettle(w.Now())
		}
		return nil
	}); err != nil {
		return err
	}
	return errMoved
}

// cancelStands reports whether an order is cancelled, and a read has said so.
func cancelStands(r *order.Order) bool {
	return !r.Cancelled.IsZero() && !r.CancelOpen() && !r.Confirmed.IsZero()
}

// voidTried reports whether we voided a sale, or may have: one that was read afterwards and stood was not voided by
// that.
func voidTried(r *order.Order, id string) bool {
	return slices.ContainsFunc(r.Intents, func(i ledger.Intent) bool {
		return i.Step == order.StepVoid && i.Target == id && i.Answer != ledger.Refused && !i.Settled
	})
}

// saySold says of a cancelled order without a sale that Upstock shows one.
func saySold(r *order.Order, o upstock.Order) {
	if o.External != nil && r.SaleID == "" && !formerly(r, o.External.Number) {
		r.Say(shownAsSold(o).Message)
	}
}

func unsayStrange(r *order.Order) { r.Said = slices.DeleteFunc(r.Said, order.TellsOfStrangeSale) }

// cancel ends an order that was cancelled before it was sold. Where a sale stands
// for it that is not ours, or is in an account that is not connected, a person is
// told once: nobody here can void it.
func (w *work) cancel() error {
	told := slices.ContainsFunc(w.run.Problems, func(p ledger.Problem) bool { return p.Code == cancelledButKept })
	if i := slices.IndexFunc(w.run.Said, order.TellsOfStrangeSale); i >= 0 && !told {
		return problem(cancelledButKept,
			"The order is cancelled in Upstock, and a sale may stand for it. "+w.run.Said[i]+
				" No sale of ours is known in "+coreName(w.b, w.core.Account)+".",
			"Look for it there"+w.formerCores()+
				". Void it if it should not be delivered. Then retry to take note of it.")
	}
	return w.update(func(r *order.Order, _ *ledger.Extra) error {
		if r.SaleID != "" || len(r.Unanswered()) > 0 {
			return errMoved
		}
		w.endUnsold(r, "Cancelled in Upstock; no sale was made.")
		return nil
	})
}

// cancelledWithout ends an order that is cancelled and whose sale is no more.
func (w *work) cancelledWithout(number, what string) error {
	return w.update(func(r *order.Order, _ *ledger.Extra) error {
		r.Said = slices.DeleteFunc(r.Said,
			func(text string) bool { return order.TellsOfStrangeSale(text) && strings.Contains(text, number) })
		w.endUnsold(r, fmt.Sprintf("The order is cancelled, and its sale %s %s.", number, what))
		return nil
	})
}

// endUnsold ends a cancelled order. What was given up as not made may show yet.
func (w *work) endUnsold(r *order.Order, how string) {
	r.State, r.Problems, r.Unwanted = order.Cancelled, nil, nil
	r.Note(w.Now(), "%s", how)
	if len(r.Of(order.StepCreate, ledger.Open)) > 0 && len(r.Watches) == 0 {
		r.Watches = w.marks.Watches()
	}
}
