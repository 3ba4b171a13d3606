package upstockcin7

import (
	"errors"
	"slices"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/limit"
	"stockbridge/internal/upstockcin7/order"
)

// What a step was decided on is decided again under the lease. Two conditions
// see to it, whatever the step:
//
//   - The lease is only ever taken over the run as it was read, whole, a moment
//     ago (hold): before any step, or, in the good case, by the first write.
//     Whoever meets another run than he read reads everything anew.
//   - A write under the lease goes through only while the facts of the run are
//     those that the step was decided on (update). Others may write meanwhile
//     (a cancellation, a person's retry, a late answer of another worker); then
//     the step is not done, and decided again.
//
// A result of an outside write needs neither: whoever learns the truth writes
// it into its own intent (result).

// begin reads all that the work is decided on, and takes the lease unless this
// is the good case, whose first write brings it. errIdle: there is nothing to do.
func (w *work) begin() error {
	for range 5 {
		if err := w.read(); err != nil {
			return err
		}
		if err := w.connect(); err != nil {
			return err
		}
		if w.plain {
			return nil
		}
		if err := w.take(); !errors.Is(err, errMoved) {
			return err
		}
	}
	return errMoved
}

// read reads the run with its parts, and the tenant's settings and connections.
func (w *work) read() error {
	run, body, plan, err := w.Orders.Load(w.ctx, w.ptr.Tenant, w.ptr.ID, w.ptr.Body)
	if err != nil {
		return err
	}
	now := w.Now()
	if w.idle(run, now) {
		return errIdle
	}
	w.run, w.doc = run, documentOf(body)
	w.planData, w.planNo, w.plan = plan, run.Plans, nil
	w.ctx, w.untold = limit.WithShare(w.ctx, w.shareOf(run, w.ptr.Due)), nil
	w.basis, w.readAt, w.readRev = *run, now, run.Revision()
	w.plain = w.ptr.Origin == ledger.OriginWebhook && w.first && !run.Approved.IsZero() &&
		now.Sub(run.Approved) < w.Times.Fresh &&
		len(run.Intents) == 0 && run.SaleID == "" && !w.mayBeUnknown(now)
	w.b, err = w.Tenants.Load(w.ctx, w.ptr.Tenant)
	return err
}

// idle reports whether a pointer finds nothing to do: the order is through, parked,
// a person's, or being worked on (it is due at the lease's end).
func (w *work) idle(r *order.Order, now time.Time) bool {
	switch {
	case r.Finished(), r.Parked && w.ptr.Origin != ledger.OriginRetry, r.Lease.Until.After(now):
		return true
	case r.State == ledger.Attention:
		return !watchDue(r, now) && !r.ReadingDue() && r.Kept == nil && r.Handling == nil && !askDue(r, now) &&
			!r.TellAgain(now) && (r.Doubt.IsZero() || r.Doubt.After(now))
	}
	return false
}

// asRead reports whether the run is still the one that was read, and not long ago.
func (w *work) asRead(r *order.Order) bool {
	return r.Revision() == w.readRev && w.Now().Sub(w.readAt) < w.Times.MinLease
}

// asDecided reports whether the run's facts are still those that this step was decided on.
func (w *work) asDecided(r *order.Order) bool {
	return sameFacts(&w.basis, r)
}

// sameFacts compares all of a run that steps are decided on.
func sameFacts(a, b *order.Order) bool {
	return a.SaleID == b.SaleID && a.Supplier == b.Supplier && a.Account == b.Account && a.Plans == b.Plans &&
		settled(a) == settled(b) &&
		a.SoldAt.Equal(b.SoldAt) && a.Cancelled.Equal(b.Cancelled) && a.Approved.Equal(b.Approved) &&
		a.CancelOpen() == b.CancelOpen() && a.Occurred.Equal(b.Occurred) && a.Anew == b.Anew &&
		a.NewSale == b.NewSale && a.Reread == b.Reread && a.Void == b.Void && a.Wishes == b.Wishes &&
		a.Granted == b.Granted && a.Handling.Same(b.Handling) &&
		slices.Equal(a.Voided, b.Voided) && slices.EqualFunc(a.Intents, b.Intents, sameIntent)
}

func sameIntent(a, b ledger.Intent) bool {
	return a.Seq == b.Seq && a.Step == b.Step && a.Answer == b.Answer && a.Unknown == b.Unknown &&
		a.Target == b.Target && a.Settled == b.Settled
}

// result writes down what an outside write of ours came to, whoever holds the
// lease by now. What others wrote meanwhile is no part of what was decided.
func (w *work) result(change func(r *order.Order, x *ledger.Extra) error) error {
	same := false
	err := w.Orders.Update(w.ctx, w.run, func(r *order.Order, x *ledger.Extra) error {
		same = w.asDecided(r)
		return change(r, x)
	})
	if err == nil && same {
		w.basis = *w.run
	}
	return err
}
