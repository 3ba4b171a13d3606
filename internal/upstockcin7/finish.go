package upstockcin7

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/order"
)

// finish writes down how the work ended and gives the lease back. errMoved:
// nothing was ours yet, and the order is to be read anew.
func (w *work) finish(err error) error {
	if errors.Is(err, errMoved) && !w.until.IsZero() { // again and again while it was worked on
		err = &ledger.Later{At: w.Now().Add(w.Times.Soon), Why: "The order was changed while it was worked on."}
	}
	if errors.Is(err, errLost) || errors.Is(err, errMoved) {
		if ferr := w.flush(); ferr != nil || errors.Is(err, errLost) {
			return ferr
		}
		return err
	}
	if errors.Is(err, ledger.ErrNotFound) || w.ctx.Err() != nil && !ledger.IsOutcome(err) {
		return err
	}
	if w.released && err == nil {
		w.ended()
		return nil
	}
	uerr := w.end(err)
	for try := 0; errors.Is(uerr, ledger.ErrBeside) && try < 5; try++ { // its connection was changed meanwhile
		uerr = w.end(err)
	}
	if errors.Is(uerr, errMoved) {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if uerr != nil && !errors.Is(uerr, errLost) {
		return uerr
	}
	w.ended()
	return nil
}

// end is the write of finish. A run is parked on the condition that what it waits for has not come meanwhile, see
// waitsFor: else nobody would see that it waits.
func (w *work) end(err error) error {
	var stands tenant.Ops // of a park: what it waits for is as it was read
	var needs tenant.System
	if e, ok := err.(*ledger.Park); ok {
		needs = e.Needs
		if stands, err = w.waitsFor(e); !ledger.IsOutcome(err) {
			return err
		}
	}
	return w.Orders.Update(w.ctx, w.run, func(r *order.Order, x *ledger.Extra) error {
		if err := w.hold(r); err != nil {
			return err
		}
		if _, parked := err.(*ledger.Park); parked {
			x.Add(stands...)
		}
		ending{
			Times: w.Times, bundle: w.b, now: w.Now().UTC(), moved: !w.asDecided(r), progress: w.progress,
			waits: w.run.Waits, needs: needs, connected: w.cin7 != nil,
		}.into(r, err)
		return nil
	})
}

// waitsFor is the condition that what a run is to wait for, a connection or the end of a pause, stays as it is now:
// later where the connection has a key that nobody has refused yet, or the flow goes on.
func (w *work) waitsFor(e *ledger.Park) (stands tenant.Ops, err error) {
	if f := order.PausedFlow(e.Awaits); f != "" {
		paused, check, err := w.Tenants.Paused(w.ctx, w.run.Tenant, string(f))
		switch {
		case err != nil:
			return nil, err
		case !paused:
			return nil, &ledger.Later{At: w.Now(), Why: "The pause is over."}
		}
		return tenant.Ops{check}, e
	}
	c, err := w.Tenants.Connection(w.ctx, w.run.Tenant, e.Needs)
	switch {
	case errors.Is(err, tenant.ErrNotFound): // whoever connects it anew resumes what waits
		return tenant.Ops{w.Tenants.Unchanged(tenant.Connection{Tenant: w.run.Tenant, System: e.Needs})}, e
	case err != nil:
		return nil, err
	case e.Awaits != "" && e.Awaits != ledger.Awaited(e.Needs, c.Account):
		return tenant.Ops{w.Tenants.Unchanged(c)}, e
	case c.State == tenant.Connected:
		return nil, w.Runner.Replaced()
	}
	return tenant.Ops{w.Tenants.Unchanged(c)}, e
}

func (w *work) ended() {
	if w.OnEnd != nil {
		w.OnEnd(w.ctx, w.run)
	}
}

// ending is what decides, beside an order itself, how it goes on after a turn.
type ending struct {
	Times
	bundle    tenant.Bundle // for the tenant's time zone
	now       time.Time
	moved     bool          // the order is not any more what the turn's last step was decided on
	progress  bool          // a call succeeded: failures in a row start anew
	waits     int           // how often it had waited when the turn began
	needs     tenant.System // of a park: whose connection it waits for
	connected bool          // the turn got as far as having clients
}

// into puts down in an order, whose lease is given back, how a turn ended: nil
// (all is done for now), an outcome, or an error.
func (e ending) into(r *order.Order, err error) {
	r.Lease, r.Next, r.By, r.Why, r.Dead = ledger.Lease{}, time.Time{}, time.Time{}, "", 0
	if e.progress {
		r.Failures, r.Failing, r.Waits, r.Owed = 0, time.Time{}, 0, time.Time{}
	}
	if down := (*ledger.Down)(nil); err != nil && !ledger.IsOutcome(err) || errors.As(err, &down) {
		err = e.failure(r, err)
	}
	switch out := err.(type) {
	case nil:
		e.done(r)
	case *ledger.Later:
		e.later(r, out)
	case *ledger.Park:
		e.park(r, out)
	case *ledger.Reject:
		e.reject(r, out)
	}
}

// done: nothing is left to do now.
func (e ending) done(r *order.Order) {
	r.Next, r.Waits, r.Owed = nextDue(r), 0, time.Time{}
	if e.moved && !r.Finished() {
		r.Next = e.now
	}
}

// later: it goes on at a time.
func (e ending) later(r *order.Order, out *ledger.Later) {
	r.Next, r.By, r.Why = out.At.UTC(), out.By, out.Why
	if r.Waits++; r.Owed.IsZero() {
		r.Owed = e.now
	}
	if most := e.now.Add(e.Longest); r.Next.After(most) { // whatever a vendor says: it may say otherwise by then
		r.Next, r.By = most, r.Next
	}
	if soon := e.now.Add(e.Soon); e.moved && r.Next.After(soon) { // what came meanwhile does not wait so long
		r.Next = soon
	}
	setState(r, ledger.Waiting)
	r.Note(e.now, "Waiting: %s", out.Why)
}

// park: it waits for a connection, or for the end of a pause. While it waits for a
// connection, the question whether the order is cancelled is asked for an hour all
// the same, and then handed to a person: nobody looks at how long a run is parked.
// What asks nothing of the system goes on.
func (e ending) park(r *order.Order, out *ledger.Park) {
	setState(r, ledger.Waiting)
	r.Note(e.now, "Waiting: %s", out.Why)
	if r.CancelOpen() && !r.Ask.IsZero() && order.PausedFlow(out.Awaits) == "" {
		if most := r.Unsettled.Add(e.unansweredFor()); e.now.Before(most) {
			if r.Next, r.Why = e.growing(e.waits, e.now), out.Why; r.Next.After(most) {
				r.Next = most
			}
			r.Waits++
			return
		}
		unasked(r, out, e.needs, e.now)
	}
	r.Waits, r.Owed = 0, time.Time{}
	next, free := r.NextWatch(), e.needs == tenant.Upstock && out.Awaits == "" && e.connected
	if order.PausedFlow(out.Awaits) == order.ShipmentsFlow { // what is of the orders' flow goes on
		next, free = nextOfOrders(r), true
		if most := e.now.Add(e.Longest); next.After(most) { // nobody wakes it when the pause ends, as it is not parked
			next = most
		}
	}
	if settled(r) && !next.IsZero() && free {
		r.Next, r.Why = next, out.Why
		return
	}
	r.Park(e.needs, e.now, out.Why)
	r.Awaits = out.Awaits
}

// reject: a person must act. Not where something came meanwhile, a person's wish
// or another worker's answer: it is decided again. Of a settled order what is left
// cannot be done, and that changes nothing.
func (e ending) reject(r *order.Order, out *ledger.Reject) {
	switch {
	case e.moved:
		r.Next = e.now
		return
	case settled(r):
		r.Watches = nil
		if r.Next = nextDue(r); r.Next.IsZero() && !r.Finished() {
			r.Waits++
			r.Next = e.growing(e.waits, e.now)
		}
		return
	}
	r.Problems, r.OfPlan = out.Problems, out.NothingMade
	if len(r.Unwanted) > 0 && !slices.EqualFunc(r.Unwanted, out.Problems, ledger.Problem.Same) {
		r.Problems = slices.Concat(r.Unwanted, out.Problems)
	}
	r.Reread, r.Replan, r.NewSale, r.Anew, r.None, r.Unwanted = false, false, false, false, time.Time{}, nil
	setState(r, ledger.Attention)
	r.Next = r.NextWatch()
	for _, pr := range out.Problems {
		r.Note(e.now, "Needs attention: %s", pr.Message)
	}
}

// failure counts an error and says when to try again, or that a person must look.
func (e ending) failure(r *order.Order, err error) error {
	e.failed(r, e.now)
	large := errors.Is(err, ledger.ErrTooLarge)
	over := e.now.Sub(r.Failing) > e.GiveUp
	switch {
	case large && !settled(r):
		return problem("tooLarge", "The order is too large to be worked on.",
			"Split it in Upstock, or enter it in Cin7 Core by hand.")
	case large || over && settled(r):
		e.giveUp(r, err)
		return nil
	case over:
		return problem("gaveUp", fmt.Sprintf("It has not worked since %s, in %d attempts: %s.",
			e.bundle.Tenant.Clock(r.Failing), r.Failures, err), "Retry when the cause is gone.")
	}
	if down, ok := errors.AsType[*ledger.Down](err); ok {
		return &ledger.Later{At: e.now.Add(job.Backoff(r.Failures-1, e.MinRetry, e.Longest)), Why: down.Why}
	}
	// Nobody asked to be left alone longer, so no later time is shown.
	wait := min(job.Backoff(r.Failures-1, e.MinRetry, e.MaxRetry), e.Longest)
	return &ledger.Later{At: e.now.Add(wait),
		Why: "Something on our side did not work (" + err.Error() + "). It is tried again by itself."}
}

// giveUp leaves undone what was left to do of a settled order. What was not read
// or told of its sale a person, or the next poll, asks for again.
func (e ending) giveUp(r *order.Order, err error) {
	if r.ReadingDue() || r.Kept != nil {
		r.State = ledger.Attention
		r.Problems = append(slices.DeleteFunc(r.Problems, func(p ledger.Problem) bool { return p.Code == "gaveUp" }),
			ledger.Problem{Code: "gaveUp", Fix: "Retry when the cause is gone.",
				Message: fmt.Sprintf("What became of its sale could not be read or told since %s, in %d attempts: %s.",
					e.bundle.Tenant.Clock(r.Failing), r.Failures, err)})
	}
	if r.Handling != nil {
		notHandled(r, r.Handling.Steps[0], fmt.Sprintf("It has not worked since %s, in %d attempts: %s.",
			e.bundle.Tenant.Clock(r.Failing), r.Failures, err), e.now)
	}
	r.Say(fmt.Sprintf("A last step was given up after %d attempts: %s.", r.Failures, err))
	r.Readings, r.ReadBack, r.Void, r.Doubt, r.Kept = r.Asked, false, false, time.Time{}, nil
	r.Told, r.TellDoubt, r.Watches = true, time.Time{}, nil
	r.Failures, r.Failing = 0, time.Time{} // what is asked for next has as long again
}

// failed counts one failure more. A stretch longer than the longest backoff, in
// which nothing was tried, is no failing: we stood still, or it waited for something else.
func (t Times) failed(r *order.Order, now time.Time) {
	r.Failures++
	if r.Failing.IsZero() {
		r.Failing = now
	} else if idle := now.Sub(r.Failed) - t.MaxRetry; !r.Failed.IsZero() && idle > 0 {
		r.Failing = r.Failing.Add(idle)
	}
	r.Failed = now
}

// growing is when to go on after a wait that doubles each time the work comes no
// further, up to the longest: it has waited so often.
func (t Times) growing(waits int, now time.Time) time.Time {
	wait := t.Longest
	if n := min(waits, 20); t.Soon<<n>>n == t.Soon {
		wait = min(t.Soon<<n, t.Longest)
	}
	wait = min(wait, t.Longest*4/5)
	return now.Add(job.Jitter(wait, wait/4)).UTC()
}

// nextDue is when a settled order wants attention by itself: what is of the orders' flow, and shipments in doubt.
func nextDue(r *order.Order) time.Time {
	next := nextOfOrders(r)
	if !r.Doubt.IsZero() && (next.IsZero() || r.Doubt.Before(next)) {
		next = r.Doubt
	}
	return next
}

// nextOfOrders is when the orders' flow has something to do of a settled order: its watches, the question whether it is
// cancelled, and a number that is told again.
func nextOfOrders(r *order.Order) time.Time {
	next := r.NextWatch()
	if r.Told && !r.TellDoubt.IsZero() && (next.IsZero() || r.TellDoubt.Before(next)) {
		next = r.TellDoubt
	}
	if r.CancelOpen() && !r.Ask.IsZero() && (next.IsZero() || r.Ask.Before(next)) {
		next = r.Ask
	}
	return next
}

// setState sets the state of an order that is not sold yet; a sold one stays sold whatever its later steps meet.
func setState(r *order.Order, s ledger.State) {
	if !settled(r) {
		r.State = s
	}
}

// flush writes recorded exchanges of a worker that has lost its lease.
func (w *work) flush() error {
	if !w.run.Unwritten() {
		return nil
	}
	err := w.Orders.Update(w.ctx, w.run, func(*order.Order, *ledger.Extra) error { return nil })
	if errors.Is(err, ledger.ErrNotFound) {
		return nil
	}
	return err
}
