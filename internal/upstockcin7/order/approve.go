package order

import (
	"context"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
)

// An approval of an order that is here already changes nothing, but for one that
// is later than every other, by Upstock's clock:
//
//   - later than a cancellation too, it has Upstock asked which of them counts;
//   - where nothing was made, and whatever stands against the order is the plan's own, the order is read and
//     planned anew;
//   - where all our sales were voided by us, and a read confirms it, one new sale is made;
//   - else it is an event on the order.

// renewal is what a later approval means for an order.
type renewal int

const (
	anEvent     renewal = iota // it is said on the order
	notNew                     // it is no later than what is known
	askWhich                   // the order is cancelled: Upstock is asked
	planAnew                   // the order is read and planned again
	sellAnew                   // likewise, once a read confirms the approval: our sales were voided by us
	alreadyOpen                // Upstock is asked about its cancellation already
)

// renewalOf decides what an approval of an instant means for an order as it stands.
func renewalOf(o *Order, approved time.Time) renewal {
	switch {
	case approved.IsZero() || !o.Cancelled.IsZero() && !approved.After(o.Occurred):
		return notNew // it was cancelled after that
	case o.CancelOpen() && !o.Ask.IsZero() && approved.After(o.Approved):
		return alreadyOpen
	case !o.Cancelled.IsZero() && !(o.CancelOpen() && !o.Ask.IsZero()):
		return askWhich
	case !approved.After(o.Approved):
		return notNew
	case !o.SoldAt.IsZero() || !o.NothingMade():
		return anEvent
	case len(o.Of(StepCreate, ledger.Done)) > 0:
		if o.State == ledger.Attention && o.voidedByUs() {
			return sellAnew
		}
		return anEvent
	case o.State == ledger.Attention && !o.OfPlan:
		return anEvent
	}
	return planAnew
}

// Approval is an approval of an order that is written down already.
type Approval struct {
	At    time.Time // by Upstock's clock
	Whole bool      // the order came with it
	Fresh []byte    // Whole: the order, to be planned as it is; nil = it is read first
}

// Approve writes a later approval into an order, and wakes the work on it where there is some.
func (m *Marks) Approve(ctx context.Context, o *Order, a Approval) error {
	if renewalOf(o, a.At) == notNew {
		return nil
	}
	wake := false
	err := m.Book.Update(ctx, o, func(r *Order, x *ledger.Extra) error {
		wake = hearApproval(r, x, a, m.Now().UTC())
		return nil
	})
	if err == nil && wake {
		m.WakeSoon(ctx, o, 0)
	}
	return err
}

// hearApproval writes an approval into an order. wake: the work on it can begin now.
func hearApproval(r *Order, x *ledger.Extra, a Approval, now time.Time) (wake bool) {
	switch renewalOf(r, a.At) {
	case notNew:
		return false
	case anEvent:
		r.Note(now, "Upstock delivered another approval of this order,%s. It is not sold a second time.", OnIf(a.At))
		if !r.SoldAt.IsZero() && r.TellRefused() { // it may have been cancelled meanwhile, and took no parcels
			r.Asked++
			wake = r.DueNow(now)
		}
	case alreadyOpen:
		r.Note(now, "Upstock delivered another approval of this order,%s.", OnIf(a.At))
	case askWhich:
		r.Note(now, "Upstock delivered an approval of%s, after the order was cancelled. It is asked which counts.",
			On(a.At))
		r.Occurred = OccurredAt(r.Occurred, r.Approved, now) // written down before it was kept
		r.Unsettle(now)
		wake = r.DueNow(now)
	case planAnew:
		r.Note(now, "Upstock delivered another approval of this order,%s. It is planned anew.", OnIf(a.At))
		if a.Whole {
			r.Replan, x.Fresh = true, a.Fresh
		}
		wake = takeUp(r, now)
	case sellAnew:
		r.Note(now, "Upstock delivered another approval of this order,%s. Its sales were voided by us: "+
			"if Upstock shows it as approved, it is sold anew.", OnIf(a.At))
		r.Anew = true
		wake = takeUp(r, now)
	}
	r.Approved = job.Latest(r.Approved, a.At)
	return wake
}

// takeUp has an unsold order worked on again, and read from Upstock first. It reports whether that is due now.
func takeUp(o *Order, now time.Time) bool {
	o.Reread, o.Without = true, ""
	if o.State == ledger.Attention {
		o.State, o.Problems, o.OfPlan = ledger.Working, nil, false
	}
	o.Failures, o.Failing, o.Dead = 0, time.Time{}, 0
	return o.DueNow(now)
}
