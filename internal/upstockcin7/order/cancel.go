package order

import (
	"context"
	"errors"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
)

// A cancellation stops creating at once, whatever else is known. Whether it
// counts is a question of Upstock's clock, not of when it came. Where nothing
// was made, and no approval is known that is later, it counts, unless a sale may
// stand that is not on record: the table was put back, or one that is not ours
// is known of. Else it is open (CancelOpen), and the work on the order asks
// Upstock.

// AskingUpstock is what an order says while it is open whether its cancellation counts.
const AskingUpstock = "Upstock is asked whether the order is cancelled. " +
	"Until it has said so twice, nothing is made and nothing voided."

// CancelUnclear is the code of an order whose cancellation Upstock neither confirms nor takes back.
const CancelUnclear = "cancelUnclear"

// CancelListed marks an order that a list of Upstock's shows as cancelled, with
// an approval (zero = none). A list may be read long before its rows are: of an
// order that was approved again since it says nothing.
func (m *Marks) CancelListed(ctx context.Context, o *Order, approved time.Time) error {
	if o.Outlived(approved) {
		return nil
	}
	return m.Cancel(ctx, o, job.Latest(approved, o.Approved))
}

// Outlived reports whether the order was approved later than a list shows it to be.
func (o *Order) Outlived(listed time.Time) bool {
	return !listed.IsZero() && o.Approved.After(listed)
}

// Cancel marks an order as cancelled in Upstock, at an instant by Upstock's
// clock; zero = not known, but after its approval.
func (m *Marks) Cancel(ctx context.Context, o *Order, occurred time.Time) error {
	now, wake := m.Now().UTC(), false
	restored := m.Restored(ctx, now)
	err := m.Book.Update(ctx, o, func(r *Order, _ *ledger.Extra) error {
		wake = false
		if !m.hearCancel(r, OccurredAt(Sensible(occurred, now), r.Approved, now), now, restored) {
			return errMarked
		}
		wake = r.CancelOpen() && r.DueNow(now)
		return nil
	})
	if errors.Is(err, errMarked) {
		return nil
	}
	if err == nil && wake {
		m.WakeSoon(ctx, o, 0)
	}
	return err
}

// OccurredAt is when an order was cancelled, as near as can be told: as the
// event says, else no earlier than its approval.
func OccurredAt(occurred, approved, heard time.Time) time.Time {
	switch {
	case !occurred.IsZero():
		return occurred.UTC()
	case !approved.IsZero():
		return approved.UTC()
	}
	return heard
}

// Sensible leaves out an instant that lies further ahead than two clocks differ: no approval would ever be later.
func Sensible(occurred, now time.Time) time.Time {
	if occurred.After(now.Add(job.FarAhead)) {
		return time.Time{}
	}
	return occurred
}

// hearCancel writes a cancellation into an order. false = it was heard of before,
// and changes nothing. restored: the table was put back, so that the order may
// have been sold in the time that it has lost.
func (m *Marks) hearCancel(r *Order, occurred, now time.Time, restored bool) bool {
	before := !r.Cancelled.IsZero()
	switch {
	case !before && !r.Dropped.IsZero() && occurred.Equal(r.Dropped):
		return false // the one that was dropped, delivered once more
	case before && !occurred.After(r.Occurred) && !(r.CancelOpen() && r.Ask.IsZero()):
		return false
	}
	r.Occurred = job.Latest(r.Occurred, occurred)
	if before && !r.CancelOpen() {
		if restored && r.SoldAt.IsZero() { // approved in between, as nothing here knows
			r.Unsettle(now)
		}
		return true
	}
	if !before {
		r.Cancelled = now
	}
	stale := r.Approved.After(r.Occurred)
	free := r.Lease.Until.IsZero() || now.After(r.Lease.Until)
	strange := r.sayStrange()
	switch {
	case r.SoldAt.IsZero() && r.NothingMade() && free && !stale && !before && !restored && !strange:
		m.endCancelled(r, now)
		return true
	case before:
		r.Note(now, "Upstock delivered a cancellation of this order once more.")
	case stale:
		r.Note(now, "Upstock delivered a cancellation of%s, from before the order's approval. It is asked "+
			"which counts.",
			On(r.Occurred))
	case !r.SoldAt.IsZero():
		r.Note(now, "Cancelled in Upstock after it was sold.")
	case r.NothingMade() && free:
		r.Note(now, "Cancelled in Upstock. A sale of it may stand that is not on record here.")
	default:
		r.Note(now, "Cancelled in Upstock while the sale was being made.")
	}
	r.Unsettle(now)
	return true
}

// endCancelled ends an order of which nothing was made. What was given up as not made may show yet.
func (m *Marks) endCancelled(r *Order, now time.Time) {
	r.State, r.Problems, r.Parked, r.Why = Cancelled, nil, false, ""
	if len(r.Of(StepCreate, ledger.Open)) > 0 {
		r.Watches = m.Watches()
	}
	r.Next = r.NextWatch()
	r.Note(now, "Cancelled in Upstock; no sale was made.")
}

// Unsettle has Upstock asked whether the order's cancellation counts. Until then nothing is made or voided.
func (o *Order) Unsettle(now time.Time) {
	now = now.UTC()
	o.GoOn(now) // whatever it was parked for may not keep Upstock from being asked
	o.Unsettled, o.Ask, o.Alive, o.Unclear, o.Void = now, now, time.Time{}, time.Time{}, false
	if o.SoldAt.IsZero() {
		o.State, o.Why, o.Problems = ledger.Waiting, AskingUpstock, nil
	}
}
