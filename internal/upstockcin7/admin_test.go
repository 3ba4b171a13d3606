package upstockcin7

import (
	"errors"
	"testing"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/order"
)

// TestRetryInto: which orders a person's retry moves, and what it asks of them.
func TestRetryInto(t *testing.T) {
	now := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	b := tenant.Bundle{Connections: map[tenant.System]tenant.Connection{
		tenant.Upstock: {Account: "7"}, tenant.Cin7Core: {Account: "here"},
	}}
	stuck := func() order.Order {
		return order.Order{Run: ledger.Run{State: ledger.Attention, Failures: 3, Why: "down"}, Account: "here"}
	}
	sold := func() order.Order {
		return order.Order{Run: ledger.Run{State: order.Sold}, SoldAt: now.Add(-time.Hour), Told: true, Account: "here"}
	}
	with := func(o order.Order, change func(*order.Order)) order.Order { change(&o); return o }
	for _, c := range []struct {
		name    string
		run     order.Order
		newSale bool
		stuck   bool // only if it is
		nothing bool // there is nothing to retry
		state   ledger.State
		next    time.Time // zero = now
		also    func(*order.Order) bool
	}{
		{name: "a stuck one", run: stuck(), state: ledger.Working,
			also: func(o *order.Order) bool { return o.Reread && o.Failures == 0 && o.Why == "" && o.Supplier == "7" }},
		{name: "a stuck one, a worker is at it", state: ledger.Working, next: now.Add(time.Minute),
			run: with(stuck(), func(o *order.Order) { o.Lease.Until = now.Add(time.Minute) })},
		{name: "a stuck one with a sale", run: with(stuck(), func(o *order.Order) { o.SaleID = "s" }),
			state: ledger.Working, also: func(o *order.Order) bool { return !o.Reread }},
		{name: "begun elsewhere", run: with(stuck(), func(o *order.Order) { o.Account = "there" }),
			state: ledger.Working, also: func(o *order.Order) bool { return o.Account == "there" && !o.NewSale }},
		{name: "begun elsewhere, a new sale is wanted", newSale: true,
			run:   with(stuck(), func(o *order.Order) { o.Account = "there" }),
			state: ledger.Working, also: func(o *order.Order) bool { return o.Account == "" && o.NewSale }},
		{name: "of a supplier", run: with(stuck(), func(o *order.Order) { o.Supplier = "9" }),
			state: ledger.Working, also: func(o *order.Order) bool { return o.Supplier == "9" }},
		{name: "its cancellation is unclear", state: ledger.Working,
			run:  with(stuck(), func(o *order.Order) { o.Cancelled, o.Unsettled = now, now.Add(-time.Hour) }),
			also: func(o *order.Order) bool { return o.Unsettled.Equal(now) && o.Ask.Equal(now) }},
		{name: "a stuck one, pressed", run: stuck(), stuck: true, state: ledger.Working},
		{name: "one that waits, pressed", stuck: true, state: ledger.Working,
			run: with(stuck(), func(o *order.Order) { o.State = ledger.Waiting })},
		{name: "pressed twice", stuck: true, nothing: true,
			run: with(stuck(), func(o *order.Order) { o.State = ledger.Working })},
		{name: "a cancelled one", nothing: true,
			run: with(stuck(), func(o *order.Order) { o.State = order.Cancelled })},

		{name: "a sold one", run: sold(), nothing: true},
		{name: "a sold one that rests untold", run: with(sold(), func(o *order.Order) { o.Told = false }),
			nothing: true},
		{name: "a sold one that waits for a key", state: order.Sold,
			run:  with(sold(), func(o *order.Order) { o.Told, o.Parked = false, true }),
			also: func(o *order.Order) bool { return !o.Parked && !o.ReadingDue() }},
		{name: "a sold one that is stuck", run: with(sold(), func(o *order.Order) {
			o.State = ledger.Attention
			o.Problems = []ledger.Problem{{Code: shipmentUndone}}
			o.Parcels = []order.Parcel{{ID: "p", Gone: true}}
		}), state: ledger.Attention, also: func(o *order.Order) bool {
			return o.ReadingDue() && len(o.Problems) == 0 && o.Parcels[0].Known && !o.Reread
		}},
		{name: "a sold one, a new sale is wanted", run: sold(), newSale: true, state: order.Sold,
			also: func(o *order.Order) bool { return o.ReadingDue() && o.NewSale }},
		{name: "a sold one of elsewhere, a new sale is wanted", newSale: true, nothing: true,
			run: with(sold(), func(o *order.Order) { o.Account = "there" })},
		{name: "a cancelled sold one, a new sale is wanted", newSale: true, nothing: true,
			run: with(sold(), func(o *order.Order) { o.Cancelled = now })},
	} {
		r := c.run
		err := RetryOptions{NewSale: c.newSale, Stuck: c.stuck}.into(&r, b, "somebody", now)
		if errors.Is(err, ErrNothingToRetry) != c.nothing || err != nil && !c.nothing {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if c.nothing {
			continue
		}
		if c.next.IsZero() {
			c.next = now
		}
		if r.State != c.state || !r.Next.Equal(c.next) || r.Wishes != 1 || len(r.Timeline) == 0 ||
			c.also != nil && !c.also(&r) {
			t.Errorf("%s: %s, next %v: %+v", c.name, r.State, r.Next, r)
		}
	}
}
