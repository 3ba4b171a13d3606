package order

import (
	"context"
	"errors"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
)

// Marks writes down in an order what was heard of it: that its sale changed
// (SaleChanged), that it was cancelled (Cancel), that it was approved again (Approve).
// A mark is durable before whoever brought the news goes on. The work on the
// order, which is woken, does the rest.
type Marks struct {
	Book *Book
	Wake func(ctx context.Context, p ledger.Pointer, delay time.Duration) error // sends a pointer
	Now  func() time.Time

	// Restored reports whether the table was ever put back to an earlier state:
	// an order may have been sold in the time that it has lost.
	Restored func(ctx context.Context, now time.Time) bool

	Soon     time.Duration   // a reading that a hint asks for waits so long for more of them
	Delivery time.Duration   // a marked order is left to its own pointer so long
	Watch    []time.Duration // after which times a twin is looked for
}

// errMarked ends a change that need not be made.
var errMarked = errors.New("marked already")

// WakeSoon sends a pointer, best effort: the sweep finds the order otherwise.
func (m *Marks) WakeSoon(ctx context.Context, o *Order, delay time.Duration) {
	_ = m.Wake(ctx, ledger.Pointer{Tenant: o.Tenant, ID: o.ID, Origin: ledger.OriginSweep}, max(delay, 0))
}

// Watches are the times to look for a twin, from now.
func (m *Marks) Watches() []time.Time {
	var list []time.Time
	for _, d := range m.Watch {
		list = append(list, m.Now().Add(d).UTC())
	}
	return list
}

// DueNow makes an order due as soon as nobody works on it, and reports whether that is now.
func (o *Order) DueNow(now time.Time) bool {
	if o.Parked {
		return false
	}
	if o.Next = o.Lease.Until; o.Next.After(now) {
		return false
	}
	o.Next = now.UTC()
	return true
}

// On is an instant in a sentence, with the space before it.
func On(t time.Time) string { return " " + t.UTC().Format(onLayout) }

const onLayout = "2 January 2006 15:04:05 UTC"

// instant finds what On writes.
var instant = prose.Pattern(`[0-9]{1,2} [A-Z][a-z]+ [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} UTC`)

// Local is a sentence with its instants in a zone, which it names.
func Local(sentence string, zone *time.Location) string {
	return instant().ReplaceAllStringFunc(sentence, func(s string) string {
		t, err := time.Parse(onLayout, s)
		if err != nil {
			return s
		}
		return t.In(zone).Format("2 January 2006 15:04:05") + " (" + zone.String() + ")"
	})
}

// OnIf is On, but nothing where the instant is not known.
func OnIf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return On(t)
}
