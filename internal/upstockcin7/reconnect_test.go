package upstockcin7_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/mirror"
	"stockbridge/internal/sim"
	simupstock "stockbridge/internal/sim/upstock"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
)

// unheard approves an order whose webhook does not come.
func (w *world) unheard(order string) int {
	w.t.Helper()
	w.upstockFault(sim.Fault{Match: "WEBHOOK order.approved", Kind: "drop", Times: 1})
	return w.approve(order)
}

// unheardCancel cancels an order, and no webhook comes.
func (w *world) unheardCancel(id int) {
	w.t.Helper()
	w.upstockFault(sim.Fault{Match: "WEBHOOK order.cancelled", Kind: "drop", Times: 1})
	w.cancel(id)
}

// jobs lets everything run that runs by itself.
func (w *world) jobs(hours int) {
	w.t.Helper()
	for range hours {
		for _, job := range []string{"reconcile", "shipments", "completeness"} {
			w.job(job)
		}
		w.turn(time.Hour)
	}
}

func (w *world) connectionTo(sys tenant.System) tenant.Connection {
	w.t.Helper()
	return must[tenant.Bundle](w)(tenant.NewStore(w.store, w.box).Load(context.Background(), w.tenant)).Connections[sys]
}

// mirrored is how far the mirror is.
func (w *world) mirrored() mirror.State {
	w.t.Helper()
	return mirror.Progress.Of(w.connectionTo(tenant.Cin7Core))
}

// note notes something beside the connection to Cin7 Core.
func note[T any](w *world, p tenant.Progress[T], v T) {
	w.t.Helper()
	set := func(_ tenant.Connection, old *T) error { *old = v; return nil }
	store := tenant.NewStore(w.store, w.box)
	must[T](w)(p.Change(context.Background(), store, w.tenant, tenant.Cin7Core, set))
}

// byHand enters a sale in Cin7 Core as a person does, for an order's reference and customer.
func (w *world) byHand(id int, reference string) {
	w.t.Helper()
	customer, _ := w.ids(id)
	w.core("POST", "/sale", fmt.Sprintf(`{"CustomerID":%q,"CustomerReference":%q,"SkipQuote":true}`, customer,
		reference))
}

// TestReconnectShortGap: what was approved in a gap of a day at most, and no
// webhook brought, is sold by itself, but for what somebody sold by hand meanwhile.
func TestReconnectShortGap(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.jobs(1)
		lost := w.unheard(groceries) // just before
		time.Sleep(10 * time.Second)
		w.disconnect(tenant.Upstock)
		time.Sleep(10 * time.Hour)
		during := w.unheard(unlinked)
		hand := w.unheard(strings.Replace(groceries, "PO-4711", "PO-1234", 1))
		w.byHand(hand, "PO-1234")
		time.Sleep(10 * time.Hour)
		w.connectUpstock(w.acc)
		w.jobs(2)
		w.sold(lost)
		w.sold(during)
		w.attention(hand, "foreignSale", "Cin7 Core already has a sale with this reference for this customer")
		if len(w.sales(hand)) > 0 {
			t.Errorf("sold beside a person's sale: %+v", w.sales(hand))
		}
		if c := w.connectionTo(tenant.Upstock); len(c.Gaps) > 0 {
			t.Errorf("%+v", c.Gaps)
		}
	})
}

// TestReconnectInterrupted: what was missed is looked for until it is found,
// whatever becomes of the calls; new orders are not kept waiting for it.
func TestReconnectInterrupted(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		old, _ := w.sell(groceries)
		w.jobs(1)
		w.disconnect(tenant.Upstock)
		time.Sleep(10 * 24 * time.Hour)
		w.unheardCancel(old)
		w.connectUpstock(w.acc)
		w.turn(2 * time.Minute)
		w.edit(old, func(r *order.Order) { // as if it had not been found yet
			r.Cancelled, r.Unsettled, r.Ask, r.Occurred, r.State, r.Said = time.Time{}, time.Time{}, time.Time{},
				time.Time{}, order.Sold, nil
		})
		w.disconnect(tenant.Upstock)
		lost := w.unheard(unlinked)
		time.Sleep(time.Minute)
		for _, f := range []sim.Fault{{How: "500"}, {How: "503"}, {Kind: "html"}} {
			if f.Match, f.Times = "GET /orders", 1; f.Kind == "" {
				f.Kind = "before"
			}
			w.upstockFault(f)
		}
		w.connectUpstock(w.acc)
		w.turn(3 * time.Minute)
		if r := w.run(old); !r.Cancelled.IsZero() {
			t.Fatal("the first call did not fail")
		}
		if cur := w.cursor(); cur.Problem == "" {
			t.Error("nothing is said")
		}
		w.jobs(4)
		w.sold(lost)
		if r := w.run(old); r.Cancelled.IsZero() {
			t.Errorf("%s\n%s", r.State, timeline(r))
		}
		if cur := w.cursor(); cur.Missed || cur.Problem != "" {
			t.Errorf("%+v", cur)
		}
	})
}

// TestReconnectLongGap: what is here is followed through a gap of weeks; what is
// not here waits for a backfill, and is shown.
func TestReconnectLongGap(t *testing.T) {
	for name, away := range map[string][]tenant.System{"Upstock": {tenant.Upstock}, "Cin7 Core": {tenant.Cin7Core},
		"both": {tenant.Upstock, tenant.Cin7Core}} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				shipped, sale := w.sell(groceries)
				gone, _ := w.sell(groceries)
				stays, _ := w.sell(groceries)
				w.jobs(1)
				w.disconnect(away...)
				time.Sleep(9 * 24 * time.Hour)
				w.person(sale, "ship", `{"trackingNumber":"T-1"}`)
				w.unheardCancel(gone)
				missed := w.unheard(unlinked)
				time.Sleep(11 * 24 * time.Hour)
				for _, sys := range away {
					if sys == tenant.Upstock {
						w.connectUpstock(w.acc)
					} else {
						w.connectCore(w.acc)
					}
				}
				w.jobs(2)

				w.is(shipped, order.Shipped, "T-1! shipped")
				if r := w.run(gone); r.Cancelled.IsZero() {
					t.Errorf("a cancellation in the gap is not known: %s\n%s", r.State, timeline(r))
				}
				w.sold(stays)
				if r := w.run(missed); r != nil {
					t.Fatalf("an order of the gap was taken in by itself: %+v", r)
				}
				gaps := w.connectionTo(tenant.Upstock).Gaps
				if len(gaps) != 1 || !gaps[0].Known || gaps[0].Orders != 1 ||
					gaps[0].To.Sub(gaps[0].From).Round(24*time.Hour) != 20*24*time.Hour {
					t.Fatalf("%+v", gaps)
				}
				c := w.completeness(time.Time{}, time.Time{})
				w.says(c.Summary, "0 missing, checked ", "approved from 15 January 2000 00:00 to 21 January 2000",
					"One order approved from 2000-01-01 to 2000-01-21 is not here", "Backfill these days.")
				w.says(strings.Join(w.eventTexts("missed"), " "), "One order approved from 2000-01-01 to 2000-01-21",
					"Cancelled in Upstock meanwhile: 1.")

				tn := must[tenant.Bundle](w)(tenant.NewStore(w.store, w.box).Load(t.Context(), w.tenant)).Tenant
				from, to := order.GapDays(tn, gaps[0])
				w.startBackfill(from, to)
				w.jobs(1)
				w.sold(missed)
				if gaps := w.connectionTo(tenant.Upstock).Gaps; len(gaps) > 0 {
					t.Errorf("the gap stays: %+v", gaps)
				}
				if c := w.compare(time.Time{}, time.Time{}); strings.Contains(c.Summary, "not here") {
					t.Error(c.Summary)
				}
			})
		})
	}
}

// TestReconnectWithinTheWeek: what was approved in a gap of the last days is
// missing, as the standing check says, and is not called a matter of minutes.
func TestReconnectWithinTheWeek(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.jobs(1)
		w.disconnect(tenant.Upstock)
		time.Sleep(36 * time.Hour)
		missed := w.unheard(groceries)
		time.Sleep(36 * time.Hour)
		w.connectUpstock(w.acc)
		w.jobs(3)
		if w.run(missed) != nil {
			t.Fatal("taken in by itself")
		}
		c := w.completeness(time.Time{}, time.Time{})
		w.says(c.Summary, "1 missing")
		if len(c.Differences) != 1 || !strings.Contains(c.Differences[0].Message, "while a connection was away") ||
			!strings.Contains(c.Differences[0].Fix, "backfill its day") {
			t.Errorf("%+v", c.Differences)
		}
	})
}

// TestDismissedGap: a gap that somebody has noted is one all the same: its orders are not taken in by themselves, also
// after another reconnection, and a backfill of a part of its days leaves the rest noted.
func TestDismissedGap(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.jobs(1)
		w.disconnect(tenant.Upstock)
		time.Sleep(100 * time.Hour)
		missed := w.unheard(groceries)
		time.Sleep(10 * time.Hour)
		w.connectUpstock(w.acc)
		w.jobs(1)
		gap := w.connectionTo(tenant.Upstock).Gaps[0]
		dismiss := func() error { return w.pair().DismissGap(t.Context(), w.tenant, gap.From) }
		if err := dismiss(); err != nil || dismiss() != ledger.ErrNotFound {
			t.Fatal(err)
		}
		noted := func(n int) {
			t.Helper()
			gaps := w.connectionTo(tenant.Upstock).Gaps
			if len(gaps) != n || slices.ContainsFunc(gaps, func(g tenant.Gap) bool { return !g.Noted }) {
				t.Errorf("%+v", gaps)
			}
		}
		w.jobs(2)
		w.disconnect(tenant.Upstock)
		time.Sleep(time.Hour)
		w.connectUpstock(w.acc)
		w.jobs(2)
		if noted(1); w.run(missed) != nil {
			t.Error("its order was taken in")
		}
		b := w.bundle()
		middle := gap.From.Add(48 * time.Hour).In(b.Tenant.Zone()).Format(time.DateOnly)
		w.startBackfill(middle, middle)
		w.jobs(1)
		if noted(2); w.run(missed) != nil {
			t.Error("its order was taken in")
		}
		from, to := order.GapDays(b.Tenant, gap)
		w.startBackfill(from, to)
		w.jobs(1)
		noted(0)
		w.sold(missed)
	})
}

// TestReconnectedOrdersAreLookedUp: the first orders after a reconnection are
// looked up as somebody else's again, and so is each that waited through it.
func TestReconnectedOrdersAreLookedUp(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		if n := upstockcin7.LookedUp.Of(w.connectionTo(tenant.Cin7Core)); n < 10 {
			t.Fatalf("%d checked", n)
		}
		w.disconnect(tenant.Cin7Core)
		// parked through the gap, and sold by hand meanwhile
		waits := w.approve(strings.Replace(groceries, "PO-4711", "PO-5555", 1))
		w.turn(time.Hour)
		w.byHand(waits, "PO-5555")
		w.connectCore(w.acc)
		w.disconnect(tenant.Upstock)
		w.connectUpstock(w.acc)
		if n := upstockcin7.LookedUp.Of(w.connectionTo(tenant.Cin7Core)); n != 0 {
			t.Errorf("%d checked", n)
		}
		w.turn(30 * time.Minute)
		w.attention(waits, "foreignSale", "SO-")
		start := time.Now()
		id := w.approve(groceries)
		w.settle(id, horizon)
		w.sold(id)
		if calls := w.coreCalls(start); len(calls) != 3 || calls[0] != "GET /saleList" {
			t.Errorf("%v", calls)
		}
	})
}

// TestKeyIsBackAfterSellingByHand: an order that waited for a new key is looked up before it is sold.
func TestKeyIsBackAfterSellingByHand(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.account(`{"revoked":true}`)
		id := w.approve(groceries)
		w.turn(3 * time.Minute)
		if r := w.run(id); !r.Parked {
			t.Fatalf("not parked: %+v", r)
		}
		time.Sleep(50 * time.Hour)
		w.account(`{"revoked":false}`)
		w.byHand(id, "PO-4711")
		w.connectCore(w.acc)
		w.turn(time.Hour)
		w.attention(id, "foreignSale", "SO-")
	})
}

// TestSuppliersInTurn: each supplier's list is read on from where it was left,
// whichever was connected between.
func TestSuppliersInTurn(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		kept, _ := w.sell(groceries)
		w.jobs(1)
		w.disconnect(tenant.Upstock)
		acc := w.sim.AddAccount("Second brand", "")
		w.connectUpstock(acc)
		w.jobs(30)
		if gaps := w.connectionTo(tenant.Upstock).Gaps; len(gaps) > 0 {
			t.Errorf("a gap of a supplier that was never here before: %+v", gaps)
		}
		missed := w.unheard(groceries)
		w.unheardCancel(kept)
		w.jobs(1)
		w.disconnect(tenant.Upstock)
		w.connectUpstock(w.acc)
		w.jobs(2)
		if gaps := w.connectionTo(tenant.Upstock).Gaps; len(gaps) != 1 || gaps[0].Orders != 1 || w.run(missed) != nil {
			t.Errorf("%+v, run %+v", gaps, w.run(missed))
		}
		if r := w.run(kept); r.Cancelled.IsZero() {
			t.Errorf("%s\n%s", r.State, timeline(r))
		}
		w.disconnect(tenant.Upstock) // for a moment: the second brand was away for three hours
		w.connectUpstock(acc)
		id := must[simupstock.OrderSummary](w)(w.simUpstock.PlaceOrder(acc.Upstock.Supplier, unlinked)).ID
		must[simupstock.OrderSummary](w)(w.simUpstock.Approve(id))
		w.jobs(2)
		if gaps := w.connectionTo(tenant.Upstock).Gaps; len(gaps) > 0 {
			t.Errorf("%+v", gaps)
		}
		if r := w.named(fmt.Sprintf("2:%d", id)); r == nil || r.State != order.Sold {
			t.Errorf("%+v", r)
		}
	})
}

// TestListIsReadOnWhereItWasLeft: what changed at an account's sales while
// another account was connected is found when it is back.
func TestListIsReadOnWhereItWasLeft(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id, sale := w.sell(groceries)
		w.poll()
		other := w.sim.AddAccount("Another account", "")
		w.connectCore(other)
		w.turn(5 * time.Minute)
		w.poll()
		w.person(sale, "ship", `{"trackingNumber":"T-1"}`)
		time.Sleep(40 * 24 * time.Hour)
		w.poll()
		w.connectCore(w.acc)
		w.turn(5 * time.Minute)
		start := time.Now()
		w.poll()
		w.is(id, order.Shipped, "T-1! shipped")
		lists := 0
		for _, call := range w.coreCalls(start) {
			if call == "GET /saleList" {
				lists++
			}
		}
		if lists != 1 {
			t.Errorf("%d lists", lists)
		}
	})
}

// TestOtherSuppliersCheck: what a check found of one company's orders is not said of another's.
func TestOtherSuppliersCheck(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.sell(groceries)
		w.says(w.compare(time.Time{}, time.Time{}).Summary, "0 missing", "1 order, approved from")
		w.disconnect(tenant.Upstock)
		w.connectUpstock(w.sim.AddAccount("Second brand", ""))
		if c := w.completeness(time.Time{}, time.Time{}); !strings.HasPrefix(c.Summary,
			"Not checked yet. What was checked before is of other accounts") {
			t.Error(c.Summary)
		}
		w.says(w.compare(time.Time{}, time.Time{}).Summary, "0 missing", "no order was approved from")
	})
}

// TestEarlierVersionReconnects: a connection of the earlier version is taken away
// and made again: its cursor tells how long nobody looked.
func TestEarlierVersionReconnects(t *testing.T) {
	upgraded(t, func(t *testing.T, w *world) {
		w.turn(time.Hour)
		w.job("reconcile")
		w.turn(10 * time.Minute)
		w.disconnect(tenant.Upstock)
		time.Sleep(20 * 24 * time.Hour)
		missed := w.unheard(groceries)
		w.unheardCancel(120001)
		time.Sleep(10 * 24 * time.Hour)
		w.connectUpstock(w.acc)
		w.jobs(2)
		if w.run(missed) != nil {
			t.Error("taken in by itself")
		}
		if gaps := w.connectionTo(tenant.Upstock).Gaps; len(gaps) != 1 || gaps[0].Orders != 1 {
			t.Errorf("%+v", gaps)
		}
		if r := w.run(120001); r.Cancelled.IsZero() {
			t.Errorf("%s\n%s", r.State, timeline(r))
		}
	})
}

// TestReconnectBeforeAnythingIsMade: an order that was cancelled, or whose approval was taken back, while Upstock was
// away is not sold once it is connected again, though no list was read yet.
func TestReconnectBeforeAnythingIsMade(t *testing.T) {
	for name, f := range map[string]sim.Fault{
		"refused so far":    {Match: "POST /sale", Kind: "throttle", How: "503", Times: -1},
		"no sale yet":       {Match: "POST /sale", Kind: "before", How: "502", Times: -1},
		"a header was made": {Match: "POST /sale/order", Kind: "throttle", How: "429", Times: -1},
	} {
		for _, now := range []string{"cancelled", "cancelled after its approval was taken back", "not approved"} {
			t.Run(name+", "+now, func(t *testing.T) {
				story(t, func(t *testing.T, w *world) {
					w.fault(f)
					id := w.approve(groceries)
					w.turn(time.Minute)
					w.disconnect(tenant.Upstock)
					if now != "cancelled" {
						w.inUpstock(id, `{"status":"ordered","approvedAt":null}`)
					}
					if now != "not approved" {
						w.unheardCancel(id)
					}
					w.sim.ClearFaults(sim.Cin7Core)
					w.connectUpstock(w.acc)
					w.turn(time.Hour)
					// its sale was begun when it was approved, and is finished
					if name == "a header was made" && now == "not approved" {
						if w.sold(id); len(w.sales(id)) != 1 {
							t.Errorf("%+v", w.sales(id))
						}
						return
					}
					if r := w.run(id); now == "not approved" && r.State != ledger.Attention ||
						now != "not approved" && r.State != order.Cancelled {
						t.Errorf("it is %s\n%s", r.State, timeline(r))
					}
					for _, s := range w.sales(id) {
						if s.Status != "VOIDED" {
							t.Errorf("the sale %s stands: %+v", s.Number, s)
						}
					}
				})
			})
		}
	}
}

// TestReconnectAndRefusedShipment: a sold order that was cancelled while Upstock was away, and that no list shows, as
// its approval was taken back before, is known to be once Upstock does not take its parcel.
func TestReconnectAndRefusedShipment(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id, sale := w.sell(groceries)
		w.jobs(25)
		w.disconnect(tenant.Upstock)
		w.inUpstock(id, `{"status":"ordered","approvedAt":null}`)
		w.unheardCancel(id)
		w.connectUpstock(w.acc)
		w.jobs(2)
		w.person(sale, "ship", `{"trackingNumber":"T-1"}`)
		w.jobs(1)
		if r := w.run(id); r.Cancelled.IsZero() {
			t.Errorf("it is %s\n%s", r.State, timeline(r))
		}
		w.attention(id, "shipmentRefused", "cancelled")
	})
}
