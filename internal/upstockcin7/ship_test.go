package upstockcin7_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/sim"
	"stockbridge/internal/tenant"
)

// shipment is one as Upstock has it.
type shipment struct {
	ExternalID string    `json:"externalId"`
	ShippedAt  time.Time `json:"shippedAt"`
	Carrier    string    `json:"carrier"`
	Tracking   string    `json:"tracking"`
	Complete   bool      `json:"complete"`
}

// shipments are what Upstock shows of an order, and the order's status there.
func (w *world) shipments(id int) (list []shipment, status string) {
	w.t.Helper()
	o := must[sim.OrderSummary](w)(w.sim.Order(id))
	var body struct{ Shipments []shipment }
	if err := json.Unmarshal(o.JSON, &body); err != nil {
		w.t.Fatal(err)
	}
	return body.Shipments, o.Status
}

// tracks are the shipments in short, sorted: tracking, and ! with the last one.
func (w *world) tracks(id int) string {
	w.t.Helper()
	list, status := w.shipments(id)
	var text []string
	for _, s := range list {
		t := s.Tracking
		if s.Complete {
			t += "!"
		}
		text = append(text, t)
	}
	slices.Sort(text)
	return strings.Join(append(text, status), " ")
}

// job starts a scheduled job for everybody, as EventBridge Scheduler does.
func (w *world) job(name string) {
	w.t.Helper()
	if err := w.process("schedule").app.Schedule(context.Background(), json.RawMessage(`{"job":"`+name+`"}`)); err != nil {
		w.t.Fatal(err)
	}
}

// poll polls the shipments once and lets all work end that comes of it.
func (w *world) poll() {
	w.t.Helper()
	w.job("shipments")
	w.turn(2 * time.Minute)
}

// sell approves an order, waits for its sale, and answers both.
func (w *world) sell(order string) (id int, sale string) {
	w.t.Helper()
	id = w.approve(order)
	w.settle(id, horizon)
	w.sold(id)
	return id, w.sale(id).ID
}

// is checks an order's state and what Upstock shows of it.
func (w *world) is(id int, s ledger.State, tracks string) *ledger.Run {
	w.t.Helper()
	r := w.run(id)
	if got := w.tracks(id); r.State != s || got != tracks {
		w.t.Errorf("state %s, want %s; Upstock shows %q, want %q\n%+v\n%s", r.State, s, got, tracks, r.Problems, timeline(r))
	}
	return r
}

// TestShippedByPoll: what is shipped in Cin7 Core reaches Upstock box by box.
func TestShippedByPoll(t *testing.T) {
	t.Run("two boxes, late tracking", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			id, sale := w.sell(groceries)
			w.person(sale, "ship", `{"boxes":["A"],"of":["A","B"],"trackingNumber":"T-1","carrier":"Post Haste"}`)
			w.poll()
			w.is(id, ledger.PartlyShipped, "T-1 processing")
			list, _ := w.shipments(id)
			if day := list[0].ShippedAt.In(auckland(t)).Format(time.DateOnly); list[0].Carrier != "Post Haste" || day != time.Now().In(auckland(t)).Format(time.DateOnly) {
				t.Errorf("%+v", list)
			}
			w.person(sale, "ship", `{"boxes":["B"]}`)
			w.poll()
			w.is(id, ledger.Shipped, "! T-1 shipped")
			w.person(sale, "tracking", `{"box":"B","trackingNumber":"T-2"}`)
			w.poll()
			w.is(id, ledger.Shipped, "T-1 T-2! shipped")
			w.person(sale, "tracking", `{"box":"A","trackingUrl":"https://track.example.com/T-1"}`)
			w.poll()
			r := w.is(id, ledger.Shipped, "T-2! https://track.example.com/T-1 shipped")
			if !r.Finished() {
				t.Errorf("not finished: %+v", r)
			}
			before := len(w.sim.Calls(sim.Upstock, strconv.Itoa(w.acc.Upstock.Supplier)))
			w.poll()
			w.poll()
			if n := len(w.sim.Calls(sim.Upstock, strconv.Itoa(w.acc.Upstock.Supplier))); n != before {
				t.Errorf("nothing changed, and Upstock was called %d times", n-before)
			}
		})
	})
	t.Run("advanced, several fulfilments", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.change(func(s *tenant.Settings) { s.SaleType, s.OrderStatus = tenant.Advanced, tenant.Authorised })
			id, sale := w.sell(groceries)
			w.person(sale, "ship", `{"lines":[{"sku":"SLT-FLK","quantity":1}],"boxes":["1"],"of":["1"],"trackingNumber":"F1"}`)
			w.person(sale, "ship", `{"lines":[{"sku":"SLT-FLK","quantity":1}],"boxes":["1"],"of":["1"],"trackingNumber":"F2"}`)
			w.poll()
			w.is(id, ledger.PartlyShipped, "F1 F2 processing")
			w.person(sale, "ship", `{"boxes":["1"],"of":["1","2"],"trackingNumber":"F3"}`)
			w.person(sale, "ship", `{"trackingNumber":"F4"}`)
			w.poll()
			w.is(id, ledger.Shipped, "F1 F2 F3 F4! shipped")
		})
	})
	t.Run("by hand, nothing to track", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			id, sale := w.sell(groceries)
			w.person(sale, "ship", "")
			w.poll()
			w.is(id, ledger.Shipped, "! shipped")
		})
	})
	t.Run("the sale was copied", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			id, sale := w.sell(groceries)
			var twin struct{ ID string }
			if err := json.Unmarshal(must[json.RawMessage](w)(w.sim.Sale(sale, "copy", "{}")), &twin); err != nil {
				t.Fatal(err)
			}
			w.person(twin.ID, "ship", `{"trackingNumber":"NOT-OURS"}`)
			w.poll()
			w.is(id, ledger.Sold, "processing")
			w.person(sale, "ship", `{"trackingNumber":"OURS"}`)
			w.poll()
			w.is(id, ledger.Shipped, "OURS! shipped")
		})
	})
	t.Run("Auto Pick, Pack and Ship", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.change(func(s *tenant.Settings) { s.OrderStatus, s.CreationMode = tenant.Authorised, tenant.AutoPickPackShip })
			start := time.Now()
			id := w.approve(groceries)
			w.settle(id, horizon)
			w.is(id, ledger.Shipped, "! shipped")
			w.poll()
			if calls := w.coreCalls(start); len(calls) != 4 || calls[3] != "GET /saleList" {
				t.Errorf("%v", calls)
			}
		})
	})
	t.Run("shipped before it was known as sold", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.fault(sim.Fault{Match: "POST /sale/order", Kind: "after"})
			id := w.approve(groceries)
			time.Sleep(time.Second)
			synctest.Wait()
			sale := w.sale(id).ID
			w.person(sale, "ship", `{"trackingNumber":"EARLY"}`)
			w.job("shipments")
			time.Sleep(time.Second)
			synctest.Wait()
			if r := w.run(id); !r.SoldAt.IsZero() || r.Asked == 0 || r.LookDue() {
				t.Fatalf("asked %d, sold %s", r.Asked, r.SoldAt)
			}
			w.turn(10 * time.Minute)
			w.is(id, ledger.Shipped, "EARLY! shipped")
		})
	})
}

func auckland(t *testing.T) *time.Location {
	loc, err := time.LoadLocation("Pacific/Auckland")
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// TestShippingUndone: what Upstock cannot take back is said, and a person's
// note of it is taken.
func TestShippingUndone(t *testing.T) {
	for _, do := range []string{"undo", "void"} {
		t.Run(do, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				id, sale := w.sell(groceries)
				w.person(sale, "ship", `{"boxes":["A"],"of":["A","B"],"trackingNumber":"T-1"}`)
				w.poll()
				w.is(id, ledger.PartlyShipped, "T-1 processing")
				w.person(sale, do, "")
				w.poll()
				w.attention(id, "shipmentUndone", "A")
				w.says(timeline(w.run(id)), "No longer shipped in Cin7 Core: A")
				w.poll()
				if n := strings.Count(timeline(w.run(id)), "Needs attention"); n != 1 {
					t.Errorf("said %d times", n)
				}
				w.retry(id, false)
				w.is(id, ledger.Sold, "T-1 processing")
				if do == "void" {
					w.says(strings.Join(w.run(id).Said, " "), "was voided in Cin7 Core after it was sold")
					return
				}
				w.person(sale, "ship", `{"boxes":["A","B"],"of":["A","B"],"trackingNumber":"T-9"}`)
				w.poll()
				r := w.run(id)
				if _, status := w.shipments(id); r.State != ledger.Shipped || status != "shipped" {
					t.Errorf("%s %s\n%s", r.State, w.tracks(id), timeline(r))
				}
			})
		})
	}
	t.Run("voided before it was shipped", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			id, sale := w.sell(groceries)
			w.person(sale, "void", "")
			w.poll()
			w.says(strings.Join(w.is(id, ledger.Sold, "processing").Said, " "), "was voided in Cin7 Core after it was sold")
		})
	})
	t.Run("cancelled in Upstock, shipped all the same", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			id, sale := w.sell(groceries)
			w.cancel(id)
			w.turn(time.Minute)
			w.person(sale, "ship", `{"trackingNumber":"T-1"}`)
			start := len(w.sim.Calls(sim.Upstock, strconv.Itoa(w.acc.Upstock.Supplier)))
			w.poll()
			w.attention(id, "shipmentRefused", "cancelled")
			w.poll()
			if n := len(w.sim.Calls(sim.Upstock, strconv.Itoa(w.acc.Upstock.Supplier))) - start; n != 1 {
				t.Errorf("%d calls: a refusal is not tried again", n)
			}
		})
	})
	t.Run("the total was changed", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			id, sale := w.sell(groceries)
			w.person(sale, "lines", basketDearer)
			w.person(sale, "ship", `{"trackingNumber":"T-1"}`)
			w.poll()
			w.says(strings.Join(w.is(id, ledger.Shipped, "T-1! shipped").Said, " "), "changed in Cin7 Core: its total is")
		})
	})
}

const basketDearer = `{"lines":[{"sku":"SLT-FLK","quantity":3,"price":7.80},{"sku":"GRN-TST","quantity":2,"price":14.20}]}`

// TestStaleSale: a sale that shows less than the list did is read again.
func TestStaleSale(t *testing.T) {
	t.Parallel()
	live(t, 1, 0, func(t *testing.T, h *house) {
		id := h.approve(groceries)
		h.idle()
		sale := h.sale(id).ID
		old := h.core(http.MethodGet, "/sale?ID="+sale, "")
		time.Sleep(time.Second)
		h.person(sale, "ship", `{"trackingNumber":"T-1"}`)
		stale := 2
		h.answer = func(req *http.Request, _ []byte) (*http.Response, error) {
			if req.Method != http.MethodGet || !strings.HasSuffix(req.URL.Path, "/sale") || stale == 0 {
				return nil, nil
			}
			stale--
			return jsonAnswer(string(old)), nil
		}
		h.job("shipments")
		h.turn(10 * time.Minute)
		if stale != 0 {
			t.Errorf("%d stale answers are left", stale)
		}
		h.is(id, ledger.Shipped, "T-1! shipped")
	})
}

// TestAutoPickLater: what Auto Pick left is followed when stock arrives and people pick.
func TestAutoPickLater(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.change(func(s *tenant.Settings) { s.OrderStatus, s.CreationMode = tenant.Authorised, tenant.AutoPickPackShip })
		id := w.approve(`{"customer":{"name":"Harbourside Grocers"},"lines":[{"sku":"SLT-FLK","quantity":"3"},{"sku":"BSC-OAT","quantity":"2"}]}`)
		w.settle(id, horizon)
		w.says(strings.Join(w.run(id).Unpicked, "\n"), "SLT-FLK: 0 of 3 picked, 0 of 3 packed, 0 of 3 shipped.", "2 on back-order")
		sale := w.sale(id).ID
		w.person(sale, "ship", `{"lines":[{"sku":"SLT-FLK"}],"of":["1"],"trackingNumber":"T-1"}`)
		w.poll()
		r := w.is(id, ledger.PartlyShipped, "T-1 processing")
		if text := strings.Join(r.Unpicked, "\n"); strings.Contains(text, "SLT-FLK") || !strings.Contains(text, "BSC-OAT: 0 of 2 picked") {
			t.Errorf("left: %s", text)
		}
		w.person(sale, "ship", `{"trackingNumber":"T-2"}`)
		w.poll()
		r = w.is(id, ledger.Shipped, "T-1 T-2! shipped")
		if len(r.Unpicked) > 0 {
			t.Errorf("left: %q", r.Unpicked)
		}
		w.says(timeline(r), "Everything that Auto Pick was asked for is done")
	})
}

// TestCancelledAfterSold: by setting, the sale stands or is voided, but never
// when somebody has begun to work on it.
func TestCancelledAfterSold(t *testing.T) {
	void := func(s *tenant.Settings) { s.OnCancel = tenant.Void }
	t.Run("told only", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			id, _ := w.sell(groceries)
			w.cancel(id)
			w.turn(10 * time.Minute)
			if r := w.sold(id); len(w.live(id)) != 1 || !strings.Contains(strings.Join(r.Said, " "), "The sale stands") {
				t.Errorf("%q", r.Said)
			}
		})
	})
	for name, f := range map[string]sim.Fault{
		"voided": {}, "voided, the answer lost": {Match: "DELETE /sale", Kind: "after"}, "voided at the second try": {Match: "DELETE /sale", Kind: "before", How: "502"},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				w.change(void)
				id, _ := w.sell(groceries)
				if f.Match != "" {
					w.fault(f)
				}
				w.cancel(id)
				w.turn(30 * time.Minute)
				r := w.run(id)
				if s := w.sale(id); s.Status != "VOIDED" || r.State != ledger.Cancelled || !r.Finished() || strings.Contains(strings.Join(r.Said, " "), "stands") {
					t.Errorf("sale %s, order %s %q\n%s", s.Status, r.State, r.Said, timeline(r))
				}
				w.poll()
				if r := w.run(id); r.State != ledger.Cancelled || len(r.Problems) > 0 {
					t.Errorf("after the next poll: %s %v", r.State, r.Problems)
				}
			})
		})
	}
	t.Run("while it was being sold", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.change(void)
			w.fault(sim.Fault{Match: "POST /sale/order", Kind: "after"})
			id := w.approve(groceries)
			time.Sleep(time.Second)
			w.cancel(id)
			w.turn(30 * time.Minute)
			if r := w.run(id); w.sale(id).Status != "VOIDED" || r.State != ledger.Cancelled {
				t.Errorf("sale %s, order %s\n%s", w.sale(id).Status, r.State, timeline(r))
			}
		})
	})
	for name, c := range map[string]struct{ do, body, word string }{
		"picked":       {"ship", `{"boxes":["A"],"of":["A","B"]}`, "shipped, or in part"},
		"lines edited": {"lines", other, "changed its lines"},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				w.change(void)
				id, sale := w.sell(groceries)
				w.person(sale, c.do, c.body)
				w.cancel(id)
				w.turn(10 * time.Minute)
				w.says(fmt.Sprint(w.run(id).Problems), "cancelledAfterWork", c.word)
				if len(w.live(id)) != 1 {
					t.Error("the sale was voided")
				}
				w.person(sale, "void", "")
				w.retry(id, false)
				if r := w.run(id); r.State != ledger.Cancelled {
					t.Errorf("after a person voided it: %s %v\n%s", r.State, r.Problems, timeline(r))
				}
			})
		})
	}
}

// jsonAnswer is a vendor's answer made up by a test.
func jsonAnswer(body string) *http.Response {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body))}
}

// job starts a scheduled job in the house's own process.
func (h *house) job(name string) {
	h.t.Helper()
	if err := h.app.Schedule(context.Background(), json.RawMessage(`{"job":"`+name+`"}`)); err != nil {
		h.t.Fatal(err)
	}
}
