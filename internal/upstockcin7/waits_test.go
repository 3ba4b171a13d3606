package upstockcin7_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/sim"
	simupstock "stockbridge/internal/sim/upstock"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/vendor"
)

// pile writes down many sold orders whose sale is one that was shipped, as change leaves each of them.
func (w *world) pile(many int, sale string, change func(*order.Order)) {
	w.t.Helper()
	now := time.Now().UTC()
	l := order.NewBook(ledger.New(w.store))
	for n := range many {
		r := &order.Order{Run: ledger.Run{Tenant: w.tenant, ID: strconv.Itoa(700000 + n), State: order.Sold,
			Received: now, Next: now.Add(time.Second)}, SoldAt: now, Supplier: strconv.Itoa(w.acc.Upstock.Supplier),
			SaleID: sale, SaleNumber: "SO-1", Account: w.acc.Cin7Core.AccountID, Told: true}
		change(r)
		if _, err := l.Receive(w.t.Context(), r, []byte(`{}`)); err != nil {
			w.t.Fatal(err)
		}
	}
}

// awaitSold lets the world turn until an order is sold.
func (w *world) awaitSold(id int, most time.Duration) time.Duration {
	w.t.Helper()
	start := time.Now()
	for synctest.Wait(); ; w.turn(time.Minute) {
		if r := w.run(id); r != nil && !r.SoldAt.IsZero() {
			return time.Since(start)
		}
		if time.Since(start) > most {
			w.t.Errorf("order %d is not sold after %s\n%s", id, most, timeline(w.run(id)))
			return time.Since(start)
		}
	}
}

// TestTellingHoldsUpNoSale: however many shipped and sold orders wait for an
// Upstock that answers every call with 503, a new order is sold in minutes, and
// each shipped one's sale is read once, not once a round. When Upstock answers
// again, what was read is told without another reading.
func TestTellingHoldsUpNoSale(t *testing.T) {
	testsize.Large(t)
	t.Parallel()
	for _, many := range []int{60, 200} {
		t.Run(fmt.Sprint(many), func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				_, sale := w.sell(groceries)
				w.person(sale, "ship", `{"trackingNumber":"T-1"}`)
				w.pile(many, sale, func(r *order.Order) { r.Asked = 1 })
				w.upstockFault(sim.Fault{Match: "*", Kind: "before", How: "503", Times: -1})
				begun := time.Now()
				w.turn(10 * time.Minute)
				w.fault(sim.Fault{Match: "POST /sale", Kind: "throttle"}) // its own pointer comes to nothing
				if d := w.awaitSold(w.approve(groceries), time.Hour); d > 3*time.Minute {
					t.Errorf("sold after %s", d)
				}
				w.turn(20 * time.Minute)
				read := w.calls(sim.Cin7Core, w.acc.Cin7Core.AccountID, "/sale", begun)
				if read > many+4 {
					t.Errorf("%d calls of /sale, of %d shipped orders", read, many)
				}
				if n := len(w.sim.Calls(sim.Upstock, strconv.Itoa(w.acc.Upstock.Supplier))); n > 500 {
					t.Errorf("%d calls to an Upstock that is away", n)
				}
				w.sim.ClearFaults(sim.Upstock)
				again := time.Now()
				w.turn(time.Hour)
				for n := range many {
					if r := w.run(700000 + n); r.Kept != nil || r.ReadingDue() {
						t.Fatalf("not told, next %s:\n%s", r.Next, timeline(r))
					}
				}
				if n := w.calls(sim.Cin7Core, w.acc.Cin7Core.AccountID, "/sale",
					again) - (many - min(many, read)); n > 4 {
					t.Errorf("%d sales were read again to tell what was known", n)
				}
			})
		})
	}
}

// TestSoldBesideThoseNotTold: orders that only Upstock is to be told of are in no count of Cin7 Core's calls.
func TestSoldBesideThoseNotTold(t *testing.T) {
	testsize.Unraced(t)
	story(t, func(t *testing.T, w *world) {
		w.pile(400, "s-1", func(r *order.Order) { r.Told = false })
		w.upstockFault(sim.Fault{Match: "*", Kind: "before", How: "503", Times: -1})
		w.turn(20 * time.Minute)
		w.fault(sim.Fault{Match: "POST /sale", Kind: "throttle"})
		if d := w.awaitSold(w.approve(groceries), time.Hour); d > 3*time.Minute {
			t.Errorf("sold after %s", d)
		}
	})
}

// TestChangedWhileUpstockIsAway: what changes after it was read and before it
// could be told is read again once Upstock answers, and only that is told.
func TestChangedWhileUpstockIsAway(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id, sale := w.sell(groceries)
		w.poll()
		w.upstockFault(sim.Fault{Match: "*", Kind: "before", How: "503", Times: -1})
		begun := time.Now()
		for n := range 12 {
			w.person(sale, map[bool]string{true: "ship", false: "tracking"}[n == 0],
				fmt.Sprintf(`{"trackingNumber":"T-%d"}`, n))
			w.poll()
			w.turn(10 * time.Minute)
		}
		if n := w.calls(sim.Cin7Core, w.acc.Cin7Core.AccountID, "/sale", begun); n > 12 {
			t.Errorf("%d readings for a change told by nobody", n)
		}
		if got := w.tracks(id); got != " processing" && got != "processing" {
			t.Logf("Upstock shows %q", got)
		}
		w.sim.ClearFaults(sim.Upstock)
		w.turn(30 * time.Minute)
		w.is(id, order.Shipped, "T-11! shipped")
	})
}

// revokeUpstock has Upstock refuse the key, or take it again.
func (w *world) revokeUpstock(revoked bool) {
	w.t.Helper()
	w.control(http.MethodPut, "/sim/upstock/accounts/"+strconv.Itoa(w.acc.Upstock.Supplier),
		fmt.Sprintf(`{"revoked":%t}`, revoked))
}

func (w *world) connect(sys tenant.System, cred vendor.Credentials) {
	w.t.Helper()
	if _, _, err := w.vendorTable().Connect(context.Background(), w.tenant, sys, cred); err != nil {
		w.t.Fatal(err)
	}
}

// TestSoldWithoutUpstocksKey: a refused key of Upstock's parks what reads or
// tells Upstock, and nothing else: what its webhooks bring is sold.
func TestSoldWithoutUpstocksKey(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		first := w.approve(groceries)
		w.settle(first, horizon)
		w.revokeUpstock(true)
		var ids []int
		for range 3 {
			ids = append(ids, w.approve(groceries))
			w.turn(3 * time.Minute)
		}
		for _, id := range ids {
			r := w.run(id)
			if r.State != order.Sold || r.Told || !r.Parked || r.Needs != tenant.Upstock {
				t.Errorf("order %d: %s, told %t, parked %t for %q\n%s", id, r.State, r.Told, r.Parked, r.Needs,
					timeline(r))
			}
		}
		// A key of Cin7 Core's that is saved meanwhile sets none of them going.
		attempts := w.run(ids[0]).Attempts
		w.connect(tenant.Cin7Core, w.coreKey())
		w.turn(20 * time.Minute)
		if n := w.run(ids[0]).Attempts - attempts; n > 0 {
			t.Errorf("%d attempts without Upstock's key", n)
		}
		w.revokeUpstock(false)
		w.connect(tenant.Upstock, vendor.Credentials{Key: tenant.Secret(w.acc.Upstock.Token)})
		w.turn(5 * time.Minute)
		for _, id := range append(ids, first) {
			if v := w.verdict(id); v != "" {
				t.Errorf("order %d: %s\n%s", id, v, timeline(w.run(id)))
			}
		}
	})
}

// TestToldWithoutCoresKey: a refused key of Cin7 Core's does not keep Upstock from hearing of a sale that is made.
func TestToldWithoutCoresKey(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.upstockFault(sim.Fault{Match: "*", Kind: "before", How: "503", Times: 1})
		id := w.approve(groceries)
		synctest.Wait()
		if r := w.run(id); r.SoldAt.IsZero() || r.Told {
			t.Fatalf("%+v", r)
		}
		w.account(`{"revoked":true}`)
		late := w.approve(unlinked) // meets the refused key
		w.turn(5 * time.Minute)
		if r := w.run(late); !r.Parked || r.Needs != tenant.Cin7Core {
			t.Errorf("parked %t for %q", r.Parked, r.Needs)
		}
		if r := w.run(id); !r.Told || r.Parked {
			t.Errorf("told %t, parked %t\n%s", r.Told, r.Parked, timeline(r))
		}
	})
}

// TestParkIsNoFailure: what lies between a failure before an order was parked,
// or before all of ours stood still, and one after it is no row of failures.
func TestParkIsNoFailure(t *testing.T) {
	for name, stop := range map[string]func(w *world){
		"parked": func(w *world) {
			w.account(`{"revoked":true}`)
			w.turn(5 * time.Minute)
			time.Sleep(8 * 24 * time.Hour)
			w.account(`{"revoked":false,"applicationKey":"a-new-key"}`)
			w.connect(tenant.Cin7Core, vendor.Credentials{Key: "a-new-key"})
		},
		"parked by an earlier version": func(w *world) {
			w.account(`{"revoked":true}`)
			w.turn(5 * time.Minute)
			time.Sleep(8 * 24 * time.Hour)
			w.account(`{"revoked":false,"applicationKey":"a-new-key"}`)
			runs, _, err := order.NewBook(ledger.New(w.store)).Runs(context.Background(), w.tenant, "", 10)
			if err != nil {
				w.t.Fatal(err)
			}
			for _, r := range runs {
				w.amend(must[int](w)(strconv.Atoi(r.ID)),
					func(r *order.Order) { r.ParkedAt, r.Needs, r.Failed = time.Time{}, "", time.Time{} })
			}
			w.connect(tenant.Cin7Core, vendor.Credentials{Key: "a-new-key"})
		},
		"nothing of ours ran": func(w *world) { time.Sleep(8 * 24 * time.Hour) },
		"blocked": func(w *world) {
			w.fault(sim.Fault{Match: "*", Kind: "throttle", How: "429", RetryAfter: "864000", Times: -1})
			w.turn(3 * time.Hour)
			time.Sleep(8 * 24 * time.Hour)
			w.sim.ClearFaults(sim.Cin7Core)
		},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				w.fault(sim.Fault{Match: "POST /sale", Kind: "before", How: "503"})
				id := w.approve(groceries)
				synctest.Wait()
				if r := w.run(id); r.Failures != 1 {
					t.Fatalf("%+v", r)
				}
				stop(w)
				w.fault(sim.Fault{Match: "GET /saleList", Kind: "before", How: "503"})
				w.settle(id, 24*time.Hour)
				if v := w.verdict(id); v != "" {
					t.Errorf("%s\n%s", v, timeline(w.run(id)))
				}
			})
		})
	}
}

// TestResumesHoweverLate: a key that was replaced while nothing of ours ran for
// days sets the parked orders going, those of an earlier version too, which had
// given up listing the connection.
func TestResumesHoweverLate(t *testing.T) {
	for _, earlier := range []bool{false, true} {
		t.Run(fmt.Sprintf("earlier version %t", earlier), func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				w.account(`{"revoked":true}`)
				id := w.approve(groceries)
				w.turn(3 * time.Minute)
				if r := w.run(id); !r.Parked {
					t.Fatalf("%+v", r)
				}
				w.account(`{"revoked":false,"applicationKey":"a-new-key"}`)
				w.connect(tenant.Cin7Core, vendor.Credentials{Key: "a-new-key"})
				if earlier {
					w.amend(id, func(r *order.Order) { r.ParkedAt, r.Needs = time.Time{}, "" })
					for _, sys := range []tenant.System{tenant.Upstock, tenant.Cin7Core} {
						if _, err := w.process("console").app.Tenants.Update(t.Context(), w.tenant, sys,
							func(c *tenant.Connection) error { c.Resume = time.Time{}; return nil }); err != nil {
							t.Fatal(err)
						}
					}
				}
				time.Sleep(50 * time.Hour)
				w.job("reconcile")
				w.turn(5 * time.Minute)
				if v := w.verdict(id); v != "" {
					t.Errorf("%s\n%s", v, timeline(w.run(id)))
				}
				w.turn(10 * time.Minute)
				if list, err := w.process("console").app.Tenants.Resuming(t.Context()); err != nil || len(list) > 0 {
					t.Errorf("still resuming: %+v %v", list, err)
				}
			})
		})
	}
}

// TestParksForARefusedKeyOnly: a worker that saw the old key, and is slow, parks
// nothing once another one is saved: nobody would set it going any more.
func TestParksForARefusedKeyOnly(t *testing.T) {
	for _, when := range []string{"before it looks", "before it writes"} {
		t.Run(when, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				w.account(`{"revoked":true}`)
				w.approve(groceries) // finds out that the key is refused
				w.turn(2 * time.Minute)
				var slept atomic.Bool
				if when == "before it looks" {
					w.afterQuery = func(p *process) {
						if p.name == "orders" {
							if slept.CompareAndSwap(false, true) {
								time.Sleep(30 * time.Minute)
							}
						}
					}
				} else {
					name := "write T#" + w.tenant + "#order"
					w.mu.Lock()
					n := w.seen[name]
					w.mu.Unlock()
					w.spoil(name, n+2, stall) // received, then parked
				}
				w.frozen = true
				id := w.approve(unlinked)
				time.Sleep(10 * time.Second)
				w.account(`{"revoked":false,"applicationKey":"a-new-key"}`)
				w.connect(tenant.Cin7Core, vendor.Credentials{Key: "a-new-key"})
				w.turnWhatever(time.Hour)
				w.settle(id, time.Hour)
				if v := w.verdict(id); v != "" {
					t.Errorf("%s\n%s", v, timeline(w.run(id)))
				}
			})
		})
	}
}

// TestThrottleWaits: an account that says to stay away, as absurdly as can be,
// is asked once an hour at most, whatever waits for it; no order waits longer
// than a quarter of an hour for its next attempt, and the time shown is no
// earlier than the account's.
func TestThrottleWaits(t *testing.T) {
	testsize.Large(t)
	t.Parallel()
	many := testsize.Of(20, 4, 0)
	for _, c := range []struct {
		retryAfter string
		calls      int // in 6 hours, at most
	}{
		{"86400", 12},
		{"999999999999999999999999", 12},
		{"Fri, 31 Dec 9999 23:59:59 GMT", 12},
		{"3600 Seconds", 12},
		{"-5", 40},
		{"", 40},
		{"NaN", 40},
	} {
		t.Run(c.retryAfter, func(t *testing.T) {
			sizedStory(t, func(t *testing.T, w *world) {
				w.fault(sim.Fault{Match: "*", Kind: "throttle", How: "429", RetryAfter: c.retryAfter, Times: -1})
				var ids []int
				for range many {
					ids = append(ids, w.approve(groceries))
				}
				time.Sleep(time.Minute) // those that came at once may have asked before the first answer
				start := time.Now()
				shown := 0
				for range 12 {
					w.turn(30 * time.Minute)
					for _, id := range ids {
						r := w.run(id)
						if d := time.Until(r.Next); d > 15*time.Minute {
							t.Fatalf("order %d waits %s more: %s", id, d, timeline(r))
						}
						if r.By.After(r.Next) {
							shown++
						}
					}
				}
				calls := len(w.coreCallsSince(start))
				if calls > c.calls {
					t.Errorf("%d calls in 6 hours", calls)
				}
				if c.calls == 12 && shown == 0 {
					t.Error("no order shows until when the account is left alone")
				}
				w.sim.ClearFaults(sim.Cin7Core)
				w.turn(2 * time.Hour)
				for _, id := range ids {
					if v := w.verdict(id); v != "" {
						t.Errorf("%s\n%s", v, timeline(w.run(id)))
					}
				}
				t.Logf("%d calls", calls)
			})
		})
	}
}

// TestShownAttemptIsTheNextOne: an order that an error of our own holds up is
// tried again when it says so, however long that has lasted.
func TestShownAttemptIsTheNextOne(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		o := must[simupstock.OrderSummary](w)(w.simUpstock.PlaceOrder(w.acc.Upstock.Supplier, unlinked))
		var doc struct {
			Customer struct{ ID int }
		}
		if err := json.Unmarshal(o.JSON, &doc); err != nil {
			t.Fatal(err)
		}
		link := table.Key{PK: tenant.Partition(w.tenant) + "#link#customer", SK: strconv.Itoa(doc.Customer.ID)}
		if err := w.store.Write(t.Context(), table.Put(table.Item{Key: link, Data: []byte("{")})); err != nil {
			t.Fatal(err)
		}
		if _, err := w.simUpstock.Approve(o.ID); err != nil {
			t.Fatal(err)
		}
		w.turn(2 * time.Hour)
		for range 20 {
			r := w.run(o.ID)
			if !strings.Contains(r.Why, "Something on our side") {
				t.Fatalf("%s\n%s", r.Why, timeline(r))
			}
			shown := r.Next
			if r.By.After(shown) {
				shown = r.By
			}
			w.turn(time.Until(shown))
			for end := shown.Add(2 * time.Minute); w.run(o.ID).Attempts == r.Attempts && time.Now().Before(end); {
				w.turn(time.Minute) // the wait after this attempt may be a short one
			}
			if n := w.run(o.ID).Attempts; n == r.Attempts {
				t.Fatalf("not tried until %s\n%s", shown, timeline(w.run(o.ID)))
			} else if n > r.Attempts+1 {
				t.Fatalf("tried %d times until %s\n%s", n-r.Attempts, shown, timeline(w.run(o.ID)))
			}
		}
		items := must[[]table.Item](w)(w.store.Get(t.Context(), link))
		if err := w.store.Write(t.Context(), table.Remove(items[0])); err != nil {
			t.Fatal(err)
		}
		w.settle(o.ID, time.Hour)
		w.sold(o.ID)
	})
}
