package upstockcin7_test

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/sim"
	simupstock "stockbridge/internal/sim/upstock"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
)

const (
	ordersFlow    = order.OrdersFlow
	shipmentsFlow = order.ShipmentsFlow
)

func (w *world) pause(f order.Flow) {
	w.t.Helper()
	if err := w.pair().PauseFlow(ledger.WithActor(w.t.Context(), "Ana"), w.tenant, f); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) resume(f order.Flow) {
	w.t.Helper()
	if err := w.pair().ResumeFlow(ledger.WithActor(w.t.Context(), "Ben"), w.tenant, f); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) held(f order.Flow) int {
	w.t.Helper()
	return must[int](w)(w.pair().Held(context.Background(), w.tenant, f, 1000))
}

// outside lists the calls since an instant that change something at a vendor.
func (w *world) outside(since time.Time) (list []string) {
	up := strconv.Itoa(w.acc.Upstock.Supplier)
	for _, c := range append(w.sim.Calls(sim.Cin7Core, w.acc.Cin7Core.AccountID), w.sim.Calls(sim.Upstock, up)...) {
		if !c.At.Before(since) && c.Method != "GET" {
			list = append(list, c.Method+" "+c.Path)
		}
	}
	return list
}

// TestPausedOrders: while its orders are paused, a tenant's orders are taken in and none is made, half-made ones
// included; nobody is called for them. Resumed, each is sold once, and at once.
func TestPausedOrders(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.fault(sim.Fault{Match: "POST /sale/order", Kind: "before", Times: 1})
		half := w.approve(groceries)
		w.turnEach(2*time.Second, time.Second)
		if r := w.run(half); r.SaleID == "" || !r.SoldAt.IsZero() {
			t.Fatalf("not half-made: %+v", r)
		}
		w.pause(ordersFlow)
		w.turn(3 * time.Minute)
		since := time.Now()
		ids := []int{half}
		for range 3 {
			ids = append(ids, w.approve(unlinked))
		}
		gone := w.approve(groceries)
		w.turn(5 * time.Minute)
		w.cancel(gone)
		if err := w.pair().Retry(t.Context(), w.tenant, strconv.Itoa(ids[1]), upstockcin7.RetryOptions{}); err != nil {
			t.Error(err)
		}
		for range 3 {
			w.jobs(1)
		}
		if calls := w.outside(since); calls != nil {
			t.Errorf("while it was paused: %v", calls)
		}
		for _, c := range w.coreCallsSince(since) {
			if !strings.HasSuffix(c, "/saleList") && !strings.HasSuffix(c, "/webhooks") { // the jobs' own
				t.Errorf("while it was paused: %s", c)
			}
		}
		for _, id := range ids {
			r := w.waits(id, "Paused by Ana since ", "(Pacific/Auckland)")
			if !r.Next.IsZero() || !strings.HasPrefix(upstockcin7.WhyNow(w.bundle(), r), "Paused by Ana") {
				t.Errorf("%d goes on at %s", id, r.Next)
			}
		}
		if n := w.held(ordersFlow); n != 4 {
			t.Errorf("%d orders wait", n)
		}
		if c := w.compare(time.Time{}, time.Time{}); c.Found != 0 {
			t.Errorf("they count as missing: %v", found(c))
		}
		if r := w.run(gone); r.State != order.Cancelled { // that needs nobody
			t.Errorf("cancelled meanwhile: %s", r.State)
		}
		w.resume(ordersFlow)
		w.turn(2 * time.Minute)
		for _, id := range ids {
			w.sold(id)
		}
		if r := w.run(gone); r.State != order.Cancelled || len(w.sales(gone)) > 0 {
			t.Errorf("cancelled meanwhile: %s %v\n%s", r.State, w.sales(gone), timeline(r))
		}
		if w.turn(time.Hour); w.held(ordersFlow) != 0 {
			t.Error("some still wait")
		}
		said := strings.Join(w.eventTexts("flow"), "|")
		if !strings.Contains(said, "orders was paused") || !strings.Contains(said, "orders goes on") {
			t.Errorf("the events: %s", said)
		}
	})
}

func (w *world) bundle() tenant.Bundle {
	w.t.Helper()
	return must[tenant.Bundle](w)(tenant.NewStore(w.store, w.box).Load(context.Background(), w.tenant))
}

// TestPausedShipments: while shipments are paused, Upstock hears of none, and orders are sold; resumed, each parcel is
// told once.
func TestPausedShipments(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id, first := w.sell(groceries)
		w.pause(shipmentsFlow)
		since := time.Now()
		w.person(first, "ship", `{"boxes":["A"],"of":["A","B"],"trackingNumber":"T-1","carrier":"Post Haste"}`)
		w.poll()
		if calls := w.coreCallsSince(since); slices.Contains(calls, "GET /sale") {
			t.Errorf("what is not told was read: %v", calls)
		}
		w.sell(unlinked)
		w.jobs(2)
		up := strconv.Itoa(w.acc.Upstock.Supplier)
		told := func() (n int) {
			for _, c := range w.sim.Calls(sim.Upstock, up) {
				if !c.At.Before(since) && c.Method == "PUT" && strings.Contains(c.Path, "/shipments/") {
					n++
				}
			}
			return n
		}
		if r := w.is(id, order.Sold, "processing"); told() != 0 || !strings.HasPrefix(r.Why, "Paused by Ana") {
			t.Errorf("told %d times, and says %q", told(), r.Why)
		}
		if w.held(shipmentsFlow) != 1 || w.held(ordersFlow) != 0 {
			t.Errorf("%d wait", w.held(shipmentsFlow))
		}
		w.resume(shipmentsFlow)
		w.turn(2 * time.Minute)
		if w.is(id, order.PartlyShipped, "T-1 processing"); told() != 1 {
			t.Errorf("told %d times", told())
		}
		w.person(first, "ship", `{"boxes":["B"]}`)
		w.poll()
		w.is(id, order.Shipped, "! T-1 shipped")
	})
}

// TestPausedShipmentsAlone: while shipments are paused, Upstock is told a sale's number all the same, however often
// that fails first, and also of an order that has a shipment to be told.
func TestPausedShipmentsAlone(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.pause(shipmentsFlow)
		w.upstockFault(sim.Fault{Match: "PUT /orders/*/external", Kind: "before", How: "503", Times: -1})
		id := w.approve(groceries)
		w.turn(time.Minute)
		w.person(w.sale(id).ID, "ship", `{"boxes":["A"],"of":["A","B"],"trackingNumber":"T-1","carrier":"Post Haste"}`)
		w.poll()
		if r := w.run(id); r.Told || r.Asked == 0 {
			t.Fatalf("told %t, %d readings asked for\n%s", r.Told, r.Asked, timeline(r))
		}
		w.sim.ClearFaults(sim.Upstock)
		w.turn(time.Hour)
		up := must[simupstock.OrderSummary](w)(w.simUpstock.Order(id))
		r := w.is(id, order.Sold, "processing")
		if up.External != r.SaleNumber || r.HeldBack() != shipmentsFlow {
			t.Errorf("Upstock shows %q\n%s", up.External, timeline(r))
		}
		w.resume(shipmentsFlow)
		w.turn(2 * time.Minute)
		w.is(id, order.PartlyShipped, "T-1 processing")
	})
}

// TestPausedCancellation: a sale whose order is cancelled while orders are paused is voided only afterwards, and
// nobody is asked to decide what is only paused.
func TestPausedCancellation(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.change(void)
		id, sale := w.sell(groceries)
		w.pause(ordersFlow)
		w.cancel(id)
		w.turn(3 * time.Hour)
		if r := w.run(id); len(w.live(id)) != 1 || r.State == ledger.Attention {
			t.Errorf("%s %v\n%s", r.State, w.sales(id), timeline(r))
		}
		w.resume(ordersFlow)
		w.turn(10 * time.Minute)
		if r := w.run(id); r.State != order.Cancelled || len(w.live(id)) != 0 {
			t.Errorf("%s: %s %v\n%s", sale, r.State, w.sales(id), timeline(r))
		}
	})
}

// TestPauseEndsMeanwhile: nothing is left behind where a pause ends before an order is parked for it or meanwhile,
// where the process that ends it dies before it wakes anybody, and where Cin7 Core was away by then; more wait than are
// woken at once. What waits for another pause stays.
func TestPauseEndsMeanwhile(t *testing.T) {
	for name, at := range map[string]func(w *world, once func(*process)){
		"before it is parked": func(w *world, once func(*process)) { w.afterQuery = once },
		"while it is parked": func(w *world, once func(*process)) {
			w.onGet(func(p *process, keys []table.Key) {
				if strings.HasPrefix(keys[0].SK, "pause#") {
					once(p)
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				w.pause(ordersFlow)
				ended := false
				at(w, func(p *process) {
					if p.name == "orders" && !ended {
						ended = true
						w.resume(ordersFlow)
					}
				})
				id := w.approve(groceries)
				synctest.Wait()
				if r := w.run(id); !ended || r.Parked {
					t.Errorf("ended %t, parked %t: nobody would see that it waits\n%s", ended, r.Parked, timeline(r))
				}
				w.settle(id, horizon)
				w.sold(id)
			})
		})
	}
	t.Run("and nobody is woken", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.pause(ordersFlow)
			id := w.approve(groceries)
			w.turn(time.Hour)
			s := tenant.NewStore(w.store, w.box)
			if err := s.Resume(t.Context(), w.tenant, tenant.Cin7Core); err != nil {
				t.Fatal(err)
			}
			if err := s.Unpause(t.Context(), w.tenant, string(ordersFlow)); err != nil {
				t.Fatal(err)
			}
			w.turn(3 * time.Minute)
			w.sold(id)
		})
	})
	t.Run("and that of another flow does not", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.pause(ordersFlow)
			w.pause(shipmentsFlow)
			id := w.approve(groceries)
			w.turn(time.Hour)
			w.resume(shipmentsFlow)
			w.turn(3 * time.Minute)
			if r := w.run(id); r.HeldBack() != ordersFlow || strings.Contains(timeline(r), "The pause is over") {
				t.Errorf("waits for %q\n%s", r.HeldBack(), timeline(r))
			}
		})
	})
	t.Run("without Cin7 Core", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.pause(ordersFlow)
			id := w.approve(groceries)
			w.turn(time.Hour)
			w.disconnect(tenant.Cin7Core)
			w.resume(ordersFlow)
			w.turn(time.Hour)
			w.waits(id, "Cin7 Core is not connected")
			if _, _, err := w.vendorTable().Connect(t.Context(), w.tenant, tenant.Cin7Core, w.coreKey()); err != nil {
				t.Fatal(err)
			}
			w.turn(time.Hour)
			w.sold(id)
		})
	})
	t.Run("many", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.pause(ordersFlow)
			var ids []int
			for range 105 {
				ids = append(ids, w.approve(unlinked))
			}
			w.turn(time.Minute)
			if n := w.held(ordersFlow); n != len(ids) {
				t.Errorf("%d wait", n)
			}
			w.resume(ordersFlow)
			w.resume(ordersFlow) // pressed twice
			w.turn(30 * time.Minute)
			for _, id := range ids {
				w.sold(id)
			}
		})
	})
}

// TestPausedShipmentsAskedAbout: while shipments are paused, a sold order of which a reading waits is asked about until
// it is known whether it is cancelled, and its sale is voided.
func TestPausedShipmentsAskedAbout(t *testing.T) {
	within(t, func(t *testing.T, w *world, s *sender) {
		w.change(void)
		id, first := w.sell(groceries)
		w.pause(shipmentsFlow)
		w.person(first, "ship", `{}`)
		w.poll()
		if r := w.run(id); r.HeldBack() != shipmentsFlow {
			t.Fatalf("waits for %q\n%s", r.HeldBack(), timeline(r))
		}
		w.person(first, "undo", `{}`)
		// Upstock delivers the cancellation, and shows it a moment later.
		s.must(http.StatusAccepted, s.occurred(upstock.OrderCancelled, w.inUpstock(id, `{}`), time.Now()))
		w.turn(time.Minute)
		r := w.run(id)
		if why := upstockcin7.WhyNow(w.bundle(), r); !r.CancelOpen() || r.Parked || !strings.HasPrefix(why, "Paused") {
			t.Fatalf("open %t, parked %t, %s\n%s", r.CancelOpen(), r.Parked, why, timeline(r))
		}
		w.inUpstock(id, `{"status":"cancelled"}`)
		w.turn(10 * time.Minute)
		if r := w.run(id); r.State != order.Cancelled || len(w.live(id)) != 0 {
			t.Errorf("%s %v\n%s", r.State, w.sales(id), timeline(r))
		}
	})
}

// TestPausedInACheck: what a person has paused is under way in a check, and not missing: an order that was cancelled
// and approved again, while orders are paused; and the shipment of an order that looks for a twin meanwhile.
func TestPausedInACheck(t *testing.T) {
	t.Run("approved again", func(t *testing.T) {
		within(t, func(t *testing.T, w *world, s *sender) {
			w.change(void)
			id, _ := w.sell(groceries)
			w.cancel(id)
			w.turn(10 * time.Minute)
			w.pause(ordersFlow)
			doc := w.inUpstock(id, `{"status":"processing","approvedAt":%s}`, stamp(time.Now()))
			s.must(http.StatusAccepted, s.occurred(upstock.OrderApproved, doc, time.Now()))
			w.turn(30 * time.Minute)
			if c := w.compare(time.Time{}, time.Time{}); c.Found != 0 || c.Counts.UnderWay != 1 {
				t.Errorf("%+v\n%s", c, timeline(w.run(id)))
			}
			w.resume(ordersFlow)
			w.turn(10 * time.Minute)
			w.soldAnew(id, 1)
		})
	})
	t.Run("looking for a twin", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.fault(sim.Fault{Match: "POST /sale", Kind: "before", Times: 1})
			id := w.approve(groceries)
			w.turn(8 * time.Minute)
			w.pause(shipmentsFlow)
			w.person(w.sale(id).ID, "ship", `{}`)
			w.poll()
			w.turn(20 * time.Minute)
			if r := w.run(id); len(r.Watches) == 0 || r.Parked || r.Asked == 0 {
				t.Fatalf("watches %v, parked %t\n%s", r.Watches, r.Parked, timeline(r))
			}
			if c := w.compare(time.Time{}, time.Time{}); c.Found != 0 || c.Counts.Sold != 1 {
				t.Errorf("%+v", c)
			}
			w.resume(shipmentsFlow)
			w.turn(time.Hour)
			w.is(id, order.Shipped, "! shipped")
		})
	})
}

// TestPausedShipmentsOfAWatched: an order that looks for a twin has its shipment told soon after shipments are resumed,
// and not when it is looked for next.
func TestPausedShipmentsOfAWatched(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.fault(sim.Fault{Match: "POST /sale", Kind: "before", Times: 1})
		id := w.approve(groceries)
		w.turn(8 * time.Minute)
		w.pause(shipmentsFlow)
		w.person(w.sale(id).ID, "ship", `{}`)
		w.poll()
		w.turn(10 * time.Minute)
		r := w.is(id, order.Sold, "processing")
		if len(r.Watches) != 1 || time.Until(r.Watches[0]) < 30*time.Minute {
			t.Fatalf("watches %v at %s", r.Watches, time.Now())
		}
		since := time.Now()
		w.resume(shipmentsFlow)
		w.turn(17 * time.Minute)
		w.is(id, order.Shipped, "! shipped")
		if calls := w.coreCallsSince(since); len(calls) != 1 {
			t.Errorf("called %v", calls)
		}
	})
}
