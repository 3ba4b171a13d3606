package upstockcin7_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/app"
	"stockbridge/internal/ledger"
	"stockbridge/internal/sim"
	simupstock "stockbridge/internal/sim/upstock"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
)

// wake sends an order's pointer as the sweep does.
func (w *world) wake(id int) {
	w.t.Helper()
	body := must[[]byte](w)(json.Marshal(ledger.Pointer{Tenant: w.tenant, ID: strconv.Itoa(id),
		Origin: ledger.OriginSweep}))
	w.deliver(app.OrdersQueue, app.Message{ID: "m", Body: string(body), Sent: time.Now()}, 0)
}

// stallOne lets the next worker at an order sleep between what it reads and
// what it does.
func (w *world) stallOne(d time.Duration) {
	var stalled atomic.Bool
	w.afterQuery = func(p *process) {
		if p.name == "orders" && stalled.CompareAndSwap(false, true) {
			time.Sleep(d)
		}
	}
}

// headerMade leaves an order with a sale that waits for its lines.
func headerMade(w *world) (id int) {
	id = w.place(groceries)
	w.fault(sim.Fault{Match: "POST /sale/order", Kind: "throttle", RetryAfter: "1"})
	must[simupstock.OrderSummary](w)(w.simUpstock.Approve(id))
	synctest.Wait()
	if r := w.run(id); r.SaleID == "" || r.Lease.Token != "" {
		w.t.Fatalf("this is not the moment: %+v\n%s", r, timeline(r))
	}
	time.Sleep(2 * time.Second)
	return id
}

// TestDecidedAgain: a worker that read the run, and is slow, decides on what it
// finds once the lease is its own, however much others did meanwhile.
func TestDecidedAgain(t *testing.T) {
	for _, stall := range []time.Duration{10 * time.Second, 30 * time.Second, 50 * time.Second} {
		t.Run("the order is cancelled meanwhile, "+stall.String(), func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				w.fault(sim.Fault{Match: "POST /sale/order", Kind: "throttle", RetryAfter: "1"})
				w.fault(sim.Fault{Match: "POST /sale", Kind: "after"})
				id := w.approve(groceries)
				synctest.Wait()
				time.Sleep(20 * time.Second)
				w.wake(id) // finds the sale, and meets the throttle
				synctest.Wait()
				time.Sleep(2 * time.Second)
				w.stallOne(stall)
				w.wake(id)
				time.Sleep(time.Second)
				w.cancel(id)
				w.settle(id, horizon)
				if r := w.run(id); r.State != order.Cancelled || len(w.live(id)) != 0 || len(r.Problems) > 0 {
					t.Errorf("%s %+v %+v\n%s", r.State, r.Problems, w.sales(id), timeline(r))
				}
			})
		})
		t.Run("the order is replanned meanwhile, "+stall.String(), func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				id := headerMade(w)
				_, products := w.ids(id)
				w.stallOne(stall)
				w.wake(id)
				time.Sleep(time.Second)
				// Another worker's lines are refused; a person changes the settings and retries.
				w.control(http.MethodPut, "/sim/cin7core/products/"+products[1], `{"Status":"Deprecated"}`)
				w.wake(id)
				synctest.Wait()
				w.attention(id, "refused")
				w.control(http.MethodPut, "/sim/cin7core/products/"+products[1], `{"Status":"Active"}`)
				w.change(func(s *sale.Settings) { s.OrderStatus = sale.Authorised })
				w.fault(sim.Fault{Match: "POST /sale/order", Kind: "throttle", RetryAfter: "1"})
				if err := w.pair().Retry(t.Context(), w.tenant, strconv.Itoa(id),
					upstockcin7.RetryOptions{}); err != nil {
					t.Fatal(err)
				}
				w.settle(id, horizon)
				w.soldAnew(id, 1)
				if s := w.live(id)[0]; s.Order != "AUTHORISED" {
					t.Errorf("the lines of an older plan were written: %+v", s)
				}
			})
		})
	}
}

// TestRejectDecidedAgain: what stood against an order while it was worked on is
// not said of one that a person has retried, or put right, since.
func TestRejectDecidedAgain(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id := headerMade(w)
		sale := w.sale(id)
		w.person(sale.ID, "lines", other)
		w.fault(sim.Fault{Match: "GET /sale", Kind: "slow", Seconds: 10}) // it is read with the other lines
		w.wake(id)
		time.Sleep(3 * time.Second)
		w.person(sale.ID, "lines", basket)
		if err := w.pair().Retry(t.Context(), w.tenant, strconv.Itoa(id), upstockcin7.RetryOptions{}); err != nil {
			t.Fatal(err)
		}
		w.settle(id, horizon)
		w.sold(id)
	})
}
