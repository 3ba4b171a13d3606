package upstockcin7

import (
	"context"
	"sync/atomic"
	"time"

	"stockbridge/internal/ledger"
)

// restoreMark remembers for a moment whether the table is marked as put back to
// an earlier state: every new order asks.
type restoreMark struct{ known atomic.Pointer[markRead] }

// markRead is the mark as it was read at a time; at zero = there is none.
type markRead struct{ at, read time.Time }

// markFresh is how long an answer of the table's is remembered.
const markFresh = 5 * time.Second

// restoredAt is when the table was last put back to an earlier state; zero = never.
func (p *Pair) restoredAt(ctx context.Context, now time.Time) (time.Time, error) {
	m := p.restored.known.Load()
	if m == nil || now.Sub(m.read).Abs() > markFresh {
		at, err := p.Ledger.Restored(ctx)
		if err != nil {
			return time.Time{}, err
		}
		m = &markRead{at, now}
		p.restored.known.Store(m)
	}
	return m.at, nil
}

// mayBeUnknown reports whether the table may have been put back to before it knew of
// this order: then no pointer is beyond doubt, as the order may have been sold, and
// nothing here knows of it. That is every order for a while (15 minutes), after
// which a pointer of before is too old anyway; and for good one that is dated
// before the table was put back, as it may have been cancelled since, and approved
// again just now.
func (w *work) mayBeUnknown(now time.Time) bool { return w.Pair.mayBeUnknown(w.ctx, w.doc, now) }

func (p *Pair) mayBeUnknown(ctx context.Context, o *document, now time.Time) bool {
	at, err := p.restoredAt(ctx, now)
	switch {
	case err != nil:
		return true
	case at.IsZero():
		return false
	case now.Sub(at) < p.Times.Fresh*3/2:
		return true
	}
	return !o.order().OrderDate.In(time.UTC).After(at.Add(easternmost))
}

// unlooked reports whether the order may have been sold in the time that the table
// has lost, and was not looked for just now: it does not end as one without a sale.
func (w *work) unlooked() bool {
	now := w.Now()
	return now.Sub(w.run.Looked) > w.Times.Settle && w.mayBeUnknown(now)
}

// everRestored reports whether the table may have been put back to an earlier state at some time.
func (p *Pair) everRestored(ctx context.Context, now time.Time) bool {
	at, err := p.restoredAt(ctx, now)
	return err != nil || !at.IsZero()
}

// easternmost is how far ahead of UTC the earliest calendar is.
const easternmost = 14 * time.Hour

// delivering is how long a restored table hears approvals again from before.
// Upstock delivers for four hours.
const delivering = 24 * time.Hour

// maybeCancelled reports whether the order may be cancelled without that being known here.
// It was approved before the table was put back: its cancellation may have been
// taken in, and is forgotten then, while its approval stands here or is delivered
// again; Upstock's clock may be ahead of ours. Or it was here before Upstock was
// connected anew: nothing was heard meanwhile.
func (w *work) maybeCancelled() bool {
	if w.run.Received.Before(w.up.Since) {
		return true
	}
	now := w.Now()
	at, err := w.restoredAt(w.ctx, now)
	return err != nil || !at.IsZero() && now.Sub(at) < delivering && w.run.Approved.Before(at.Add(w.Times.Overlap))
}

// sayRestored tells a tenant, once, that the table was put back: nothing that is
// left says what people did since, and only they can do it again.
func (w *poll) sayRestored() error {
	at, err := w.restoredAt(w.ctx, w.Now())
	if err != nil || !at.After(w.part.Cursor.Restored) || !at.After(w.b.Tenant.Created) {
		return err
	}
	text := "Stockbridge's records were put back to an earlier state on " + w.b.Tenant.Clock(at) +
		", and what was done here shortly before is forgotten. " +
		"Look whether keys, settings and links are as you saved them, and start backfills again that you had " +
		"started: no order is sold twice. Only if another Cin7 Core account was connected in that time, look in that " +
		"account too for sales of these orders."
	if err := w.Ledger.RecordOnce(w.ctx, w.part.Tenant, at, "restored",
		ledger.Event{Kind: "restored", Text: text}); err != nil {
		return err
	}
	w.part.Cursor.Restored = at
	return nil
}

// Restored marks the table as put back to an earlier state just now, as an
// operator says. No order is taken for a new one without a look until the time
// returned, and after that none that is dated before it.
func (p *Pair) Restored(ctx context.Context) (until time.Time, err error) {
	now := p.Now()
	if err := p.Ledger.MarkRestored(ctx, now); err != nil {
		return time.Time{}, err
	}
	p.restored.known.Store(&markRead{now, now})
	return now.Add(p.Times.Fresh * 3 / 2).UTC(), nil
}
