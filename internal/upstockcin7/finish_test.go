package upstockcin7

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/order"
)

// TestEnding: how an order goes on after a turn, by how that ended and by what the order is.
func TestEnding(t *testing.T) {
	now := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	times := DefaultTimes()
	later := &ledger.Later{At: now.Add(2 * time.Minute), Why: "so it is"}
	far := &ledger.Later{At: now.Add(2 * time.Hour), Why: "so it is"}
	park := &ledger.Park{Needs: tenant.Cin7Core, Why: "no key"}
	parkUpstock := &ledger.Park{Needs: tenant.Upstock, Why: "no key"}
	paused := &ledger.Park{Needs: tenant.Cin7Core, Awaits: order.ShipmentsFlow.Awaits(), Why: "paused"}
	pausedOrders := &ledger.Park{Needs: tenant.Cin7Core, Awaits: order.OrdersFlow.Awaits(), Why: "paused"}
	reject := problem("gone", "It is gone.", "Find it.")
	down := &ledger.Down{Who: tenant.Cin7Core, Err: errors.New("status 503"), Why: "down"}
	own := errors.New("an error of ours")
	working := func() order.Order { return order.Order{Run: ledger.Run{State: ledger.Working}} }
	sold := func() order.Order {
		return order.Order{Run: ledger.Run{State: order.Sold}, SoldAt: now.Add(-time.Hour), Told: true}
	}
	with := func(o order.Order, change func(*order.Order)) order.Order { change(&o); return o }
	asking := func(since time.Duration) order.Order {
		return with(working(), func(o *order.Order) { o.Cancelled, o.Unsettled, o.Ask = now, now.Add(-since), now })
	}
	watched := func(o *order.Order) { o.Watches = []time.Time{now.Add(time.Hour)} }
	for _, c := range []struct {
		name   string
		run    order.Order
		e      ending
		err    error
		state  ledger.State
		next   time.Duration // from now; 0 = it is not due
		spread time.Duration // by which it may be later, as it is drawn by lot
		why    string
		parked bool
		also   func(*order.Order) bool
	}{
		{name: "done", run: sold(), state: order.Sold},
		{name: "done, and something came meanwhile", run: with(sold(), func(o *order.Order) { o.Told = false }),
			e:     ending{moved: true},
			state: order.Sold, next: time.Nanosecond},
		{name: "done, with a watch and a doubt",
			run:   with(sold(), func(o *order.Order) { watched(o); o.Doubt = now.Add(time.Minute) }),
			state: order.Sold, next: time.Minute},
		{name: "done, and a cancellation is to be asked about", run: with(sold(), func(o *order.Order) {
			o.Unsettled, o.Ask = now, now.Add(time.Second)
		}), state: order.Sold, next: time.Second},

		{name: "later", run: working(), err: later, state: ledger.Waiting, next: 2 * time.Minute, why: "so it is",
			also: func(o *order.Order) bool { return o.Waits == 1 && o.Owed.Equal(now) }},
		{name: "later, and something came meanwhile", run: working(), err: later, e: ending{moved: true},
			state: ledger.Waiting,
			next:  times.Soon, why: "so it is"},
		{name: "much later", run: working(), err: far, state: ledger.Waiting, next: times.Longest, why: "so it is",
			also: func(o *order.Order) bool { return o.By.Equal(far.At) }},
		{name: "later, of a sold order", run: sold(), err: later, state: order.Sold, next: 2 * time.Minute,
			why: "so it is"},
		{name: "later, after a call that succeeded", err: later, e: ending{progress: true},
			run: with(working(),
				func(o *order.Order) { o.Failures, o.Failing, o.Waits, o.Owed = 3, now, 5, now.Add(-time.Hour) }),
			why: "so it is", state: ledger.Waiting, next: 2 * time.Minute,
			also: func(o *order.Order) bool { return o.Failures == 0 && o.Waits == 1 && o.Owed.Equal(now) }},

		{name: "parked", run: working(), err: park, e: ending{needs: tenant.Cin7Core}, state: ledger.Waiting,
			why: "no key", parked: true},
		{name: "parked, while a cancellation is to be asked about", run: asking(time.Minute), err: park,
			e:     ending{needs: tenant.Cin7Core},
			state: ledger.Waiting, next: times.Soon, spread: times.Soon / 4, why: "no key"},
		{name: "parked, while it is to be asked about for the third time", run: asking(time.Minute), err: park,
			e: ending{needs: tenant.Cin7Core, waits: 3}, state: ledger.Waiting, next: 8 * times.Soon,
			spread: 2 * times.Soon, why: "no key"},
		{name: "parked, and it could not be asked for an hour", run: asking(2 * time.Hour), err: park,
			e:     ending{needs: tenant.Cin7Core},
			state: ledger.Attention, why: "no key", parked: true,
			also: func(o *order.Order) bool {
				return len(o.Problems) == 1 &&
					o.Problems[0].Code == order.CancelUnclear
			}},
		{name: "parked for Upstock, with a watch in Cin7 Core", run: with(sold(), watched), err: parkUpstock,
			e: ending{needs: tenant.Upstock, connected: true}, state: order.Sold, next: time.Hour, why: "no key"},
		{name: "parked for Upstock, with a watch and no client", run: with(sold(), watched), err: parkUpstock,
			e: ending{needs: tenant.Upstock}, state: order.Sold, why: "no key", parked: true},
		{name: "parked for Cin7 Core, with a watch", run: with(sold(), watched), err: park,
			e: ending{needs: tenant.Cin7Core, connected: true}, state: order.Sold, why: "no key", parked: true},

		{name: "parked for a pause of shipments, with a watch and a doubt", err: paused,
			run: with(sold(), func(o *order.Order) { watched(o); o.Doubt = now.Add(-time.Minute) }),
			e:   ending{needs: tenant.Cin7Core}, state: order.Sold, next: times.Longest, why: "paused"},
		{name: "parked for a pause of shipments, while a cancellation is to be asked about", err: paused,
			run: with(sold(), func(o *order.Order) { watched(o); o.Unsettled, o.Ask = now, now.Add(2*time.Minute) }),
			e:   ending{needs: tenant.Cin7Core}, state: order.Sold, next: 2 * time.Minute, why: "paused"},
		{name: "parked for a pause of shipments, and nothing else to do", err: paused,
			run: with(sold(), func(o *order.Order) { o.Doubt = now.Add(time.Minute) }),
			e:   ending{needs: tenant.Cin7Core}, state: order.Sold, why: "paused", parked: true,
			also: func(o *order.Order) bool { return o.HeldBack() == order.ShipmentsFlow }},
		{name: "parked for a pause of orders, with a watch", run: with(sold(), watched), err: pausedOrders,
			e: ending{needs: tenant.Cin7Core}, state: order.Sold, why: "paused", parked: true},

		{name: "rejected",
			run: with(working(), func(o *order.Order) { o.NewSale, o.Reread, o.None = true, true, now }), err: reject,
			state: ledger.Attention,
			also: func(o *order.Order) bool {
				return o.Problems[0].Code == "gone" && !o.NewSale && !o.Reread && o.None.IsZero()
			}},
		{name: "rejected, with a watch", run: with(working(), watched), err: reject, state: ledger.Attention,
			next: time.Hour},
		{name: "rejected, after its lines were refused", err: reject,
			run: with(working(), func(o *order.Order) {
				o.Unwanted = []ledger.Problem{{Code: "refused",
					Message: "No."}}
			}),
			state: ledger.Attention,
			also:  func(o *order.Order) bool { return len(o.Problems) == 2 && o.Unwanted == nil }},
		{name: "rejected, and something came meanwhile", run: working(), err: reject, e: ending{moved: true},
			state: ledger.Working,
			next:  time.Nanosecond, also: func(o *order.Order) bool { return o.Problems == nil }},
		{name: "rejected, once it is sold", run: with(sold(), watched), err: reject, state: order.Sold,
			also: func(o *order.Order) bool { return o.Watches == nil && o.Problems == nil }},
		{name: "rejected, once it is sold, with more to do", run: with(sold(), func(o *order.Order) { o.Asked = 1 }),
			err:   reject,
			state: order.Sold, next: times.Soon, spread: times.Soon / 4,
			also: func(o *order.Order) bool { return o.Waits == 1 }},

		{name: "down", run: working(), err: down, state: ledger.Waiting, spread: 2 * times.MinRetry, why: "down",
			also: func(o *order.Order) bool { return o.Failures == 1 && o.Failing.Equal(now) }},
		{name: "down for long", err: down, state: ledger.Waiting, spread: times.Longest, why: "down",
			run: with(working(), func(o *order.Order) {
				o.Failures, o.Failing, o.Failed = 30, now.Add(-6*24*time.Hour), now.Add(-time.Hour)
			})},
		{name: "down for too long", err: down, state: ledger.Attention,
			run: with(working(), func(o *order.Order) {
				o.Failures, o.Failing, o.Failed = 900, now.Add(-8*24*time.Hour), now.Add(-time.Hour)
			}),
			also: func(o *order.Order) bool { return o.Problems[0].Code == "gaveUp" }},
		{name: "down again, and long left alone between", err: down, state: ledger.Waiting, spread: times.Longest,
			why: "down",
			run: with(working(), func(o *order.Order) {
				o.Failures, o.Failing, o.Failed = 9, now.Add(-8*24*time.Hour), now.Add(-7*24*time.Hour)
			})},
		{name: "down for too long, once it is sold", err: down, state: ledger.Attention,
			run: with(sold(), func(o *order.Order) {
				o.Asked, o.Failures, o.Failing, o.Failed = 1, 900, now.Add(-8*24*time.Hour), now.Add(-time.Hour)
			}),
			also: func(o *order.Order) bool { return !o.ReadingDue() && o.Told && len(o.Problems) == 1 }},
		{name: "down for too long with its number, once it is sold", err: down, state: order.Sold,
			run: with(sold(), func(o *order.Order) {
				o.Told, o.Failures, o.Failing, o.Failed = false, 900, now.Add(-8*24*time.Hour), now.Add(-time.Hour)
			}),
			also: func(o *order.Order) bool { return o.Told && len(o.Said) == 1 && o.Problems == nil }},
		{name: "an error of ours", run: working(), err: own, state: ledger.Waiting, spread: 2 * times.MinRetry,
			why: "Something on our side did not work (an error of ours). It is tried again by itself."},
		{name: "too large", run: working(), err: fmt.Errorf("write: %w", ledger.ErrTooLarge), state: ledger.Attention,
			also: func(o *order.Order) bool { return o.Problems[0].Code == "tooLarge" }},
	} {
		r, e := c.run, c.e
		r.Lease = ledger.Lease{Token: "t", Until: now.Add(time.Minute)}
		r.Next, r.By, r.Why, r.Dead = now.Add(time.Minute), now, "before", 2
		e.Times, e.now = times, now
		e.into(&r, c.err)
		is := fmt.Sprintf("%s, next in %v, because %q, parked %t, %+v", r.State, r.Next.Sub(now), r.Why, r.Parked,
			r.Problems)
		if r.Lease.Token != "" || r.Dead != 0 || r.State != c.state || r.Why != c.why || r.Parked != c.parked {
			t.Errorf("%s: %s", c.name, is)
		}
		due := c.next != 0 || c.spread != 0
		first := now.Add(c.next.Truncate(time.Microsecond)) // a nanosecond stands for now
		if due == r.Next.IsZero() || due && (r.Next.Before(first) || r.Next.After(first.Add(c.spread))) {
			t.Errorf("%s: %s", c.name, is)
		}
		if c.also != nil && !c.also(&r) {
			t.Errorf("%s: %s\n%+v", c.name, is, r)
		}
		if _, waits := c.err.(*ledger.Later); waits && !strings.Contains(fmt.Sprint(r.Timeline), "Waiting: "+c.why) {
			t.Errorf("%s: the timeline has %v", c.name, r.Timeline)
		}
	}
}
