package upstockcin7

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/upstock"
)

// An approval of an order that is here already changes nothing, but for one that
// is later than every other, by Upstock's clock:
//
//   - later than a cancellation too, it has Upstock asked which of them counts (settleCancel);
//   - where nothing was made, and whatever stands against the order is the plan's own, the order is read and planned anew;
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
func renewalOf(r *ledger.Run, approved time.Time) renewal {
	switch {
	case approved.IsZero() || !r.Cancelled.IsZero() && !approved.After(r.Occurred):
		return notNew // it was cancelled after that
	case r.CancelOpen() && !r.Ask.IsZero() && approved.After(r.Approved):
		return alreadyOpen
	case !r.Cancelled.IsZero() && !(r.CancelOpen() && !r.Ask.IsZero()):
		return askWhich
	case !approved.After(r.Approved):
		return notNew
	case !r.SoldAt.IsZero() || !nothingMade(r):
		return anEvent
	case len(r.Of(ledger.StepCreate, ledger.Done)) > 0:
		if r.State == ledger.Attention && voidedByUs(r) {
			return sellAnew
		}
		return anEvent
	case r.State == ledger.Attention && !r.OfPlan:
		return anEvent
	}
	return planAnew
}

// voidedByUs reports whether every sale that a create made was voided by us.
func voidedByUs(r *ledger.Run) bool {
	return !slices.ContainsFunc(r.Of(ledger.StepCreate, ledger.Done), func(i ledger.Intent) bool {
		return !slices.ContainsFunc(r.Of(ledger.StepVoid, ledger.Done), func(v ledger.Intent) bool { return v.SaleID == i.SaleID })
	})
}

// again meets an approval of an order that is written down already. raw is the
// order as it came with it; nil = it is read.
func (p *Pair) again(ctx context.Context, old *ledger.Run, o upstock.Order, raw json.RawMessage) error {
	if renewalOf(old, o.ApprovedAt) == notNew {
		return nil
	}
	wake := false
	err := p.Ledger.Update(ctx, old, func(r *ledger.Run, x *ledger.Extra) error {
		now := p.Now().UTC()
		wake = false
		switch renewalOf(r, o.ApprovedAt) {
		case notNew:
			return nil
		case anEvent:
			r.Note(now, "Upstock delivered another approval of this order,%s. It is not sold a second time.", approvedAt(o.ApprovedAt))
			if !r.SoldAt.IsZero() && tellRefused(r) { // it may have been cancelled meanwhile, and took no parcels
				r.Asked++
				wake = dueNow(r, now)
			}
		case alreadyOpen:
			r.Note(now, "Upstock delivered another approval of this order,%s.", approvedAt(o.ApprovedAt))
		case askWhich:
			r.Note(now, "Upstock delivered an approval of%s, after the order was cancelled. It is asked which counts.", instant(o.ApprovedAt))
			r.Occurred = occurredAt(r.Occurred, r.Approved, now) // written down before it was kept
			unsettle(r, now)
			wake = dueNow(r, now)
		case planAnew:
			r.Note(now, "Upstock delivered another approval of this order,%s. It is planned anew.", approvedAt(o.ApprovedAt))
			if raw != nil {
				r.Replan = true
				if contradiction(o, nil).Code == "" {
					x.Fresh = raw
				}
			}
			wake = takeUp(r, now)
		case sellAnew:
			r.Note(now, "Upstock delivered another approval of this order,%s. Its sales were voided by us: if Upstock shows it as approved, it is sold anew.", approvedAt(o.ApprovedAt))
			r.Anew = true
			wake = takeUp(r, now)
		}
		r.Approved = latest(r.Approved, o.ApprovedAt)
		return nil
	})
	if err == nil && wake {
		p.wakeSoon(ctx, old, 0)
	}
	return err
}

// takeUp has an unsold order worked on again, and read from Upstock first. It reports whether that is due now.
func takeUp(r *ledger.Run, now time.Time) bool {
	r.Reread = true
	if r.State == ledger.Attention {
		r.State, r.Problems, r.OfPlan = ledger.Working, nil, false
	}
	r.Failures, r.Failing, r.Dead = 0, time.Time{}, 0
	return dueNow(r, now)
}

// confirms reports whether Upstock's order, as read, bears out the newest approval that was heard of.
func confirms(o upstock.Order, approved time.Time) bool {
	return approvedNow(o) && !earlier(o.ApprovedAt, approved)
}

// reopen makes a sold order one that is to be sold again: its sale is voided, or gone.
func reopen(r *ledger.Run) {
	if r.SaleNumber != "" {
		r.Former = append(r.Former, r.SaleNumber)
	}
	gone(r, r.SaleID)
	r.SoldAt, r.SaleTotal, r.Told, r.ReadBack, r.AutoPick, r.Unpicked, r.Copied = time.Time{}, "", false, false, "", nil, false
	r.Looks, r.Seen, r.Listed, r.Stale, r.Void = r.Asked, time.Time{}, "", 0, false
	r.Looked, r.None, r.Foreign = time.Time{}, time.Time{}, false
	r.Kept = nil // of the sale that it has no more
	r.State, r.Problems, r.Why, r.Reread = ledger.Working, nil, "", true
}

// formerly reports whether a number is that of a sale of ours which the order has no more.
func formerly(r *ledger.Run, number string) bool {
	return slices.ContainsFunc(r.Former, func(n string) bool { return strings.EqualFold(n, strings.TrimSpace(number)) })
}
