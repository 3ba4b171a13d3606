package upstockcin7

import (
	"context"
	"sync/atomic"
	"time"
)

// restoreMark remembers for a moment whether the table is marked as put back to
// an earlier state: every new order asks.
type restoreMark struct{ known atomic.Pointer[markRead] }

// markRead is the mark as it was read at a time; at zero = there is none.
type markRead struct{ at, read time.Time }

// markFresh is how long an answer of the table's is remembered.
const markFresh = 5 * time.Second

// lately says that the table may have been put back to an earlier state a
// moment ago: then no pointer is beyond doubt, as an order may have been sold
// before, and nothing here knows of it. After a while (15 minutes) its orders
// are too old to be taken for new ones anyway.
func (w *work) lately(now time.Time) bool {
	m := w.restored.known.Load()
	if m == nil || now.Sub(m.read).Abs() > markFresh {
		at, err := w.Ledger.Restored(w.ctx)
		if err != nil {
			return true
		}
		m = &markRead{at, now}
		w.restored.known.Store(m)
	}
	return !m.at.IsZero() && now.Sub(m.at) < w.Times.Fresh*3/2 && !w.rules.unmarked
}

// Restored marks the table as put back to an earlier state just now, as an
// operator says. No order is taken for a new one without a look until the time
// returned.
func (p *Pair) Restored(ctx context.Context) (until time.Time, err error) {
	now := p.Now()
	if err := p.Ledger.MarkRestored(ctx, now); err != nil {
		return time.Time{}, err
	}
	p.restored.known.Store(&markRead{now, now})
	return now.Add(p.Times.Fresh * 3 / 2).UTC(), nil
}
