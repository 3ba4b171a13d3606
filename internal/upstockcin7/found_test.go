package upstockcin7_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/app"
	"stockbridge/internal/ledger"
	"stockbridge/internal/sim"
	"stockbridge/internal/tenant"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
)

// A header that Cin7 Core always answers with a 500: that looks go well in
// between does not make it a new beginning, and after a week a person is told.
func TestFoundPoison(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.fault(sim.Fault{Match: "POST /sale", Kind: "before", How: "500", Times: -1})
		id := w.approve(groceries)
		w.settle(id, 40*time.Minute)
		r := w.run(id)
		if r.State != ledger.Waiting && r.State != ledger.Working || r.Failures < 3 || len(r.Intents) > 5 ||
			time.Since(r.Failing) < 30*time.Minute {
			t.Fatalf("after 40 minutes: %s, %d failures since %s, %d intents\n%s", r.State, r.Failures, r.Failing,
				len(r.Intents), timeline(r))
		}
		err := order.NewBook(ledger.New(w.store)).Update(t.Context(), r, func(r *order.Order, _ *ledger.Extra) error {
			r.Failing = r.Failing.Add(-7 * 24 * time.Hour)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		w.settle(id, 2*time.Hour)
		if r = w.run(id); r.State != ledger.Attention || len(r.Problems) != 1 || r.Problems[0].Code != "gaveUp" {
			t.Errorf("after a week: %s %v", r.State, r.Problems)
		}
	})
}

// dead letters leave a lease; a cancellation then takes the order out of every index.
func TestFoundCancelAfterDead(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.spoil(postSale, 1, die)
		id := w.approve(groceries)
		synctest.Wait()
		time.Sleep(2 * time.Minute)
		body, _ := json.Marshal(ledger.Pointer{Tenant: w.tenant, ID: strconv.Itoa(id), Origin: ledger.OriginSweep})
		for range 3 {
			w.process("deadletters").app.DeadLetters(t.Context(), []app.Message{{ID: "m", Body: string(body)}})
		}
		w.turn(2 * time.Hour)
		t.Logf("before cancel: %s %v", w.run(id).State, w.run(id).Problems)
		w.cancel(id)
		synctest.Wait()
		r := w.run(id)
		t.Logf("after cancel: %s next %v parked %v lease %v", r.State, r.Next, r.Parked, r.Lease)
		w.turn(24 * time.Hour)
		r = w.run(id)
		if r.State != order.Cancelled || len(w.live(id)) != 0 {
			t.Errorf("a day later: %s next %v parked %v live %d", r.State, r.Next, r.Parked, len(w.live(id)))
		}
	})
}

// A retry while a lease still runs.
func TestFoundRetryAfterDead(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.spoil(postSale, 1, die)
		id := w.approve(groceries)
		synctest.Wait()
		body, _ := json.Marshal(ledger.Pointer{Tenant: w.tenant, ID: strconv.Itoa(id), Origin: ledger.OriginSweep})
		for range 3 {
			w.process("deadletters").app.DeadLetters(t.Context(), []app.Message{{ID: "m", Body: string(body)}})
		}
		if err := w.pair().Retry(t.Context(), w.tenant, strconv.Itoa(id), upstockcin7.RetryOptions{}); err != nil {
			t.Fatal(err)
		}
		// every message of this order is lost (retention) but those that the table causes
		r := w.run(id)
		t.Logf("after retry: %s next %v lease %v", r.State, r.Next, r.Lease.Until)
		w.turn(4 * time.Minute)
		r = w.run(id)
		t.Logf("4 min later: %s next %v parked %v live %d", r.State, r.Next, r.Parked, len(w.live(id)))
		w.turn(24 * time.Hour)
		r = w.run(id)
		t.Logf("a day later: %s next %v parked %v live %d", r.State, r.Next, r.Parked, len(w.live(id)))
		if r.SoldAt.IsZero() {
			t.Error("stuck")
		}
	})
}

// A finished order whose worker died at the last write does not stay due for ever.
func TestFoundFinishedDue(t *testing.T) {
	testsize.Unraced(t)
	t.Parallel()
	for n := 20; n <= 48; n += testsize.Of(1, 3, 3) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			sizedStory(t, func(t *testing.T, w *world) {
				w.fault(sim.Fault{Match: "POST /sale", Kind: "before", How: "502"})
				w.faults = map[int]fault{n: die}
				id := w.approve(groceries)
				synctest.Wait()
				time.Sleep(time.Second)
				w.simUpstock.Cancel(id)
				for range 4 * 60 {
					synctest.Wait()
					time.Sleep(time.Minute)
					w.sweep()
				}
				synctest.Wait()
				r := w.run(id)
				if r != nil && r.Finished() && !r.Next.IsZero() {
					t.Errorf("die at %d (%s): %s is finished and still due; %d effects", n, w.names[n-1], r.State,
						len(w.names))
				}
			})
		})
	}
}

// Disconnect, then connect another account: the old worker's 403 breaks the new connection.
func TestFoundGeneration(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		st := tenant.NewStore(w.store, w.box)
		old, _ := st.Connection(t.Context(), w.tenant, tenant.Cin7Core)
		if err := w.vendorTable().Disconnect(t.Context(), w.tenant, tenant.Cin7Core); err != nil {
			t.Fatal(err)
		}
		c, _, err := w.vendorTable().Connect(t.Context(), w.tenant, tenant.Cin7Core, w.coreKey())
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("generation before %d, after a new connection %d", old.Generation, c.Generation)
		now, err := st.Broken(t.Context(), w.tenant, tenant.Cin7Core, old.Generation, "old key")
		t.Log(now.State, err)
		if now.State != tenant.Connected {
			t.Error("the new connection is broken by a worker of the old one")
		}
	})
}

// cancel voids an adopted header that is not what we sent.
func TestFoundCancelVoidsOthers(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.fault(sim.Fault{Match: "POST /sale", Kind: "after"})
		id := w.approve(groceries)
		synctest.Wait()
		s := w.sale(id)
		// a person takes the empty header over: another reference, another note
		out := w.core("PUT", "/sale", `{"ID":"`+s.ID+`","CustomerReference":"Phone order, Jo","ShippingNotes":"mine"}`)
		t.Logf("%.200s", out)
		w.cancel(id)
		w.turn(time.Hour)
		r := w.run(id)
		t.Logf("%s %+v\n%s", r.State, w.sales(id), timeline(r))
		if len(w.live(id)) != 1 {
			t.Error("somebody's header was voided")
		}
	})
}

// watches never run while an order needs attention, and are lost with a cancel.
func TestFoundWatches(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id := w.place(groceries)
		customer, _ := w.ids(id)
		w.fault(sim.Fault{Match: "POST /sale", Kind: "late", Seconds: 480})
		w.simUpstock.Approve(id)
		synctest.Wait()
		time.Sleep(time.Second)
		w.control("PUT", "/sim/cin7core/customers/"+customer, `{"Status":"Deprecated"}`)
		w.turn(5 * time.Minute)
		r := w.run(id)
		t.Logf("%s watches %v next %v", r.State, r.Watches, r.Next)
		w.control("PUT", "/sim/cin7core/customers/"+customer, `{"Status":"Active"}`)
		w.cancel(id)
		w.turn(3 * time.Hour)
		r = w.run(id)
		t.Logf("%s watches %v next %v live %d\n%s", r.State, r.Watches, r.Next, len(w.live(id)), timeline(r))
		if len(w.live(id)) != 0 {
			t.Error("an orphan header that nobody looks for")
		}
	})
}

// a settled create binds the plan for ever.
func TestFoundSettledPlan(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id := w.place(groceries)
		customer, _ := w.ids(id)
		w.fault(sim.Fault{Match: "POST /sale", Kind: "before", How: "502"})
		if _, err := w.simUpstock.Approve(id); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		time.Sleep(time.Second)
		w.control("PUT", "/sim/cin7core/customers/"+customer, `{"Status":"Deprecated"}`)
		w.settle(id, horizon)
		r := w.run(id)
		t.Logf("%s %v", r.State, r.Problems)
		w.change(func(s *sale.Settings) { s.ShipBySource = sale.NoDate; s.SaleType = sale.Advanced })
		w.retry(id, false)
		w.settle(id, horizon)
		r = w.run(id)
		t.Logf("%s reread %v\n%s", r.State, r.Reread, timeline(r))
	})
}
