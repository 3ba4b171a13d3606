package order

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
)

// Heard is what a row of the sale list says of a sale. The zero Heard is a hint, as of a webhook, which says none of
// it.
type Heard struct {
	updated time.Time // of its last change; zero: not said, or not believed
	ahead   time.Time // its date, where that is not believed
	listed  string    // its shipping
	clock   time.Time // the list's; zero: not known
}

// Row is what a row says by the list's clock.
func Row(row cin7core.SaleRow, clock time.Time) Heard {
	h := Heard{updated: Believed(row.Updated, clock), listed: listedIn(row), clock: clock}
	if row.Updated.After(clock) {
		h.ahead = row.Updated.UTC()
	}
	return h
}

// OfCopy is what a row says of an order's sale where it is of a copy of that sale: nothing but that there is news.
func (h Heard) OfCopy() Heard {
	h.updated, h.listed = time.Time{}, ""
	return h
}

// WasRead reports whether what is dated ahead was read as it is.
func (h Heard) WasRead(o *Order) bool {
	return !h.ahead.IsZero() && o.Ahead.Equal(h.ahead) && (h.listed == "" || o.Listed == h.listed)
}

// Believed is an instant of a change, or zero where it lies beyond the vendor's
// clock: a wrong date does not say when the change was, and any other instant in
// its place would hide changes that come after.
func Believed(at, clock time.Time) time.Time {
	if at.After(clock) {
		return time.Time{}
	}
	return at.UTC()
}

// ListedAs is what tells one state of a sale's shipping from another, in a row
// of the list as in the sale itself.
func ListedAs(shipping cin7core.Status, tracking string) string {
	return strings.ToUpper(string(shipping)) + "|" + strings.TrimSpace(tracking)
}

func listedIn(row cin7core.SaleRow) string {
	return ListedAs(row.CombinedShippingStatus, row.CombinedTrackingNumbers)
}

// Concerns reports whether a row of the list is a reason to read the order's sale.
func (o *Order) Concerns(row cin7core.SaleRow) bool {
	if !row.Updated.After(o.Seen) && !(row.Updated.IsZero() && o.Listed != listedIn(row)) {
		return false
	}
	// What is left out is no "not voided", and no "not shipped".
	if row.Status == "" || row.CombinedShippingStatus == "" {
		return true
	}
	return row.CombinedShippingStatus.Is(cin7core.Shipped, cin7core.PartiallyShipped) ||
		row.Status.Is(cin7core.Voided) && !slices.Contains(o.Voided, row.SaleID) ||
		len(o.Parcels) > 0 || len(o.Unpicked) > 0
}

// SaleChanged asks for a reading of an order's sale, and wakes the work on it. An order that is not sold yet keeps
// the mark, and is read once when it is. Of webhooks there may be many at once: those that a reading to come will
// answer ask for none, and a reading waits a moment for more of them.
func (m *Marks) SaleChanged(ctx context.Context, o *Order, said Heard) error {
	wake, hint := false, said.listed == ""
	if said.clock.IsZero() {
		said.clock = m.Now().Add(job.FarAhead)
	}
	err := m.Book.Update(ctx, o, func(r *Order, _ *ledger.Extra) (err error) {
		wake, err = m.askForReading(r, said, hint)
		return err
	})
	if errors.Is(err, errMarked) {
		return nil
	}
	if err == nil && wake {
		delay := time.Duration(0)
		if hint {
			delay = m.Soon
		}
		m.WakeSoon(ctx, o, delay)
	}
	return err
}

// askForReading marks the order. wake: the work on it can begin now.
func (m *Marks) askForReading(r *Order, said Heard, hint bool) (wake bool, err error) {
	if r.Seen.After(said.clock) {
		r.Seen = time.Time{}
	}
	if !said.ahead.IsZero() {
		r.Ahead = said.ahead
	}
	if !hint {
		if !said.updated.IsZero() && !said.updated.After(r.Seen) {
			return false, nil
		}
		r.Seen, r.Listed, r.Stale = job.Latest(r.Seen, said.updated), said.listed, 0
	}
	if r.State == Cancelled { // never sold, or its sale is voided
		return false, nil
	}
	now := m.Now().UTC()
	if soon := now.Add(m.Delivery); hint && readingToCome(r) {
		if r.SoldAt.IsZero() || r.Parked || !r.Next.IsZero() && !r.Next.After(soon) {
			return false, errMarked
		}
		r.Next = soon // it waits for something else, far off
		return false, nil
	}
	r.Asked++
	switch {
	case r.SoldAt.IsZero() || r.Parked:
	case r.Lease.Until.After(now): // its worker may have read the sale already
		r.Next = r.Lease.Until
	default:
		r.Next, wake = now.Add(m.Delivery), true
	}
	return wake, nil
}

// readingToCome reports whether a reading was asked for and has not begun: it will see all that has happened by now.
// One begins under a lease, which a slow worker may outlive: only a lease that was given back says that nobody is
// reading.
func readingToCome(o *Order) bool {
	return o.Asked > o.Readings && (o.SoldAt.IsZero() || o.Lease.Token == "")
}
