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

	"stockbridge/internal/app"
	"stockbridge/internal/ledger"
	"stockbridge/internal/sim"
	simupstock "stockbridge/internal/sim/upstock"
	"stockbridge/internal/tenant"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
	"stockbridge/internal/vendor"
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
	o := must[simupstock.OrderSummary](w)(w.simUpstock.Order(id))
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
	if err := w.process("schedule").app.Schedule(context.Background(),
		json.RawMessage(`{"job":"`+name+`"}`)); err != nil {
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
func (w *world) is(id int, s ledger.State, tracks string) *order.Order {
	w.t.Helper()
	r := w.run(id)
	if got := w.tracks(id); r.State != s || got != tracks {
		w.t.Errorf("state %s, want %s; Upstock shows %q, want %q\n%+v\n%s", r.State, s, got, tracks, r.Problems,
			timeline(r))
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
			w.is(id, order.PartlyShipped, "T-1 processing")
			list, _ := w.shipments(id)
			if day := list[0].ShippedAt.In(auckland(t)).Format(time.DateOnly); list[0].Carrier != "Post Haste" ||
				day != time.Now().In(auckland(t)).Format(time.DateOnly) {
				t.Errorf("%+v", list)
			}
			w.person(sale, "ship", `{"boxes":["B"]}`)
			w.poll()
			w.is(id, order.Shipped, "! T-1 shipped")
			w.person(sale, "tracking", `{"box":"B","trackingNumber":"T-2"}`)
			w.poll()
			w.is(id, order.Shipped, "T-1 T-2! shipped")
			w.person(sale, "tracking", `{"box":"A","trackingUrl":"https://track.example.com/T-1"}`)
			w.poll()
			r := w.is(id, order.Shipped, "T-2! https://track.example.com/T-1 shipped")
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
			w.change(func(s *sale.Settings) { s.SaleType, s.OrderStatus = sale.Advanced, sale.Authorised })
			id, sale := w.sell(groceries)
			w.person(sale, "ship", `{"lines":[{"sku":"SLT-FLK","quantity":1}],"boxes":["1"],"of":["1"],"trackingNumber":"F1"}`)
			w.person(sale, "ship", `{"lines":[{"sku":"SLT-FLK","quantity":1}],"boxes":["1"],"of":["1"],"trackingNumber":"F2"}`)
			w.poll()
			w.is(id, order.PartlyShipped, "F1 F2 processing")
			w.person(sale, "ship", `{"boxes":["1"],"of":["1","2"],"trackingNumber":"F3"}`)
			w.person(sale, "ship", `{"trackingNumber":"F4"}`)
			w.poll()
			w.is(id, order.Shipped, "F1 F2 F3 F4! shipped")
		})
	})
	t.Run("by hand, nothing to track", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			id, sale := w.sell(groceries)
			w.person(sale, "ship", "")
			w.poll()
			w.is(id, order.Shipped, "! shipped")
		})
	})
	t.Run("a long address to track at", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			id, sale := w.sell(groceries)
			url := "https://track.example.com/" + strings.Repeat("x", 486)
			w.person(sale, "ship", `{"trackingNumber":"T-1","trackingUrl":"`+url+`"}`)
			w.poll()
			w.is(id, order.Shipped, url+"! shipped")
			w.person(sale, "tracking", `{"trackingUrl":"`+url+`y"}`)
			w.poll()
			w.is(id, order.Shipped, "T-1! shipped")
		})
	})
	t.Run("the sale was copied", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			id, sale := w.sell(groceries)
			var twin struct{ ID string }
			if err := json.Unmarshal(must[json.RawMessage](w)(w.simCore.Sale(sale, "copy", "{}")), &twin); err != nil {
				t.Fatal(err)
			}
			w.person(twin.ID, "ship", `{"trackingNumber":"NOT-OURS"}`)
			w.poll()
			w.is(id, order.Sold, "processing")
			w.person(sale, "ship", `{"trackingNumber":"OURS"}`)
			w.poll()
			w.is(id, order.Shipped, "OURS! shipped")
		})
	})
	t.Run("Auto Pick, Pack and Ship", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.change(func(s *sale.Settings) { s.OrderStatus, s.CreationMode = sale.Authorised, sale.AutoPickPackShip })
			start := time.Now()
			id := w.approve(groceries)
			w.settle(id, horizon)
			w.is(id, order.Shipped, "! shipped")
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
			if r := w.run(id); !r.SoldAt.IsZero() || r.Asked == 0 || r.ReadingDue() {
				t.Fatalf("asked %d, sold %s", r.Asked, r.SoldAt)
			}
			w.turn(10 * time.Minute)
			w.is(id, order.Shipped, "EARLY! shipped")
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
				w.is(id, order.PartlyShipped, "T-1 processing")
				w.person(sale, do, "")
				w.poll()
				w.attention(id, "shipmentUndone", "A")
				w.says(timeline(w.run(id)), "No longer shipped in Cin7 Core: A")
				w.poll()
				if n := strings.Count(timeline(w.run(id)), "Needs attention: Upstock was told"); n != 1 {
					t.Errorf("said %d times", n)
				}
				w.retry(id, false)
				if do == "void" {
					w.attention(id, "saleVoided", "was voided in Cin7 Core after it was sold")
					if n := len(w.run(id).Problems); n != 1 {
						t.Errorf("%d problems after a person took note", n)
					}
					return
				}
				w.is(id, order.Sold, "T-1 processing")
				w.person(sale, "ship", `{"boxes":["A","B"],"of":["A","B"],"trackingNumber":"T-9"}`)
				w.poll()
				r := w.run(id)
				if _, status := w.shipments(id); r.State != order.Shipped || status != "shipped" {
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
			w.is(id, ledger.Attention, "processing")
			w.attention(id, "saleVoided", "was voided in Cin7 Core after it was sold")
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
			w.says(strings.Join(w.is(id, order.Shipped, "T-1! shipped").Said, " "),
				"changed in Cin7 Core: its total is")
		})
	})
}

const basketDearer = `{"lines":[{"sku":"SLT-FLK","quantity":3,"price":7.80},{"sku":"GRN-TST","quantity":2,"price":14.20}]}`

// TestStaleSale: a sale that shows less than the list did is read again.
func TestStaleSale(t *testing.T) {
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
		h.is(id, order.Shipped, "T-1! shipped")
	})
}

// TestAutoPickLater: what Auto Pick left is followed when stock arrives and people pick.
func TestAutoPickLater(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.change(func(s *sale.Settings) { s.OrderStatus, s.CreationMode = sale.Authorised, sale.AutoPickPackShip })
		id := w.approve(`{"customer":{"name":"Harbourside Grocers"},"lines":[{"sku":"SLT-FLK","quantity":"3"},{"sku":"BSC-OAT","quantity":"2"}]}`)
		w.settle(id, horizon)
		w.says(strings.Join(w.run(id).Unpicked, "\n"), "SLT-FLK: 0 of 3 picked, 0 of 3 packed, 0 of 3 shipped.",
			"2 on back-order")
		sale := w.sale(id).ID
		w.person(sale, "ship", `{"lines":[{"sku":"SLT-FLK"}],"of":["1"],"trackingNumber":"T-1"}`)
		w.poll()
		r := w.is(id, order.PartlyShipped, "T-1 processing")
		if text := strings.Join(r.Unpicked, "\n"); strings.Contains(text, "SLT-FLK") ||
			!strings.Contains(text, "BSC-OAT: 0 of 2 picked") {
			t.Errorf("left: %s", text)
		}
		w.person(sale, "ship", `{"trackingNumber":"T-2"}`)
		w.poll()
		r = w.is(id, order.Shipped, "T-1 T-2! shipped")
		if len(r.Unpicked) > 0 {
			t.Errorf("left: %q", r.Unpicked)
		}
		w.says(timeline(r), "Everything that Auto Pick was asked for is done")
	})
}

// TestCancelledAfterSold: by setting, the sale stands or is voided, but never
// when somebody has begun to work on it.
func TestCancelledAfterSold(t *testing.T) {
	void := func(s *sale.Settings) { s.OnCancel = sale.Void }
	t.Run("told only", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			id, _ := w.sell(groceries)
			w.cancel(id)
			w.turn(10 * time.Minute)
			if r := w.sold(id); len(w.live(id)) != 1 ||
				!strings.Contains(strings.Join(r.Said, " "), "The sale stands") {
				t.Errorf("%q", r.Said)
			}
		})
	})
	for name, f := range map[string]sim.Fault{
		"voided": {}, "voided, the answer lost": {Match: "DELETE /sale", Kind: "after"},
		"voided at the second try": {Match: "DELETE /sale", Kind: "before", How: "502"},
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
				if s := w.sale(id); s.Status != "VOIDED" || r.State != order.Cancelled || !r.Finished() ||
					strings.Contains(strings.Join(r.Said, " "), "stands") {
					t.Errorf("sale %s, order %s %q\n%s", s.Status, r.State, r.Said, timeline(r))
				}
				w.poll()
				if r := w.run(id); r.State != order.Cancelled || len(r.Problems) > 0 {
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
			if r := w.run(id); w.sale(id).Status != "VOIDED" || r.State != order.Cancelled {
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
				if r := w.run(id); r.State != order.Cancelled {
					t.Errorf("after a person voided it: %s %v\n%s", r.State, r.Problems, timeline(r))
				}
			})
		})
	}
}

// jsonAnswer is a vendor's answer made up by a test.
func jsonAnswer(body string) *http.Response {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body))}
}

// job starts a scheduled job in the house's own process.
func (h *house) job(name string) {
	h.t.Helper()
	if err := h.app.Schedule(context.Background(), json.RawMessage(`{"job":"`+name+`"}`)); err != nil {
		h.t.Fatal(err)
	}
}

// isPut reports whether a request tells Upstock of a parcel.
func isPut(req *http.Request) bool {
	return req.Method == http.MethodPut && strings.Contains(req.URL.Path, "/shipments/")
}

// amend changes a run as no code of ours would.
func (w *world) amend(id int, change func(*order.Order)) {
	w.t.Helper()
	if err := order.NewBook(ledger.New(w.store)).Update(context.Background(), w.run(id),
		func(r *order.Order, _ *ledger.Extra) error { change(r); return nil }); err != nil {
		w.t.Fatal(err)
	}
}

// TestDoubtOverManyParcels: telling all parcels again takes longer than a
// lease, and goes on where it stopped.
func TestDoubtOverManyParcels(t *testing.T) {
	live(t, 1, 0, func(t *testing.T, h *house) {
		id := h.approve(groceries)
		h.idle()
		sale := h.sale(id).ID
		const boxes = 20
		for n := range boxes {
			var of []string
			for b := range boxes {
				of = append(of, fmt.Sprintf(`"B%02d"`, b))
			}
			h.person(sale, "ship", fmt.Sprintf(`{"boxes":["B%02d"],"of":[%s],"trackingNumber":"T-%d"}`, n,
				strings.Join(of, ","), n))
		}
		h.job("shipments")
		h.turn(10 * time.Minute)
		r := h.run(id)
		if r.State != order.Shipped || len(r.Parcels) != boxes {
			t.Fatalf("%s, %d parcels\n%s", r.State, len(r.Parcels), timeline(r))
		}
		notes := len(r.Timeline)
		puts := 0
		h.set(func() {
			h.answer = func(req *http.Request, _ []byte) (*http.Response, error) {
				if isPut(req) {
					puts++
					time.Sleep(5 * time.Second)
				}
				return nil, nil
			}
		})
		h.amend(id, func(r *order.Order) { r.Doubt, r.Next = time.Now().UTC(), time.Now().UTC() })
		h.turn(time.Hour)
		if r = h.run(id); !r.Finished() || !r.Next.IsZero() || puts != boxes || r.State != order.Shipped {
			t.Errorf("%s, told %d times, next %s, doubt %s\n%s", r.State, puts, r.Next, r.Doubt, timeline(r))
		}
		for _, e := range r.Timeline[notes:] {
			if e.Exchange == 0 && !strings.HasPrefix(e.Text, "Waiting") {
				t.Errorf("noted: %s", e.Text)
			}
		}
	})
}

// TestDoubtGivenUp: parcels that cannot be told again are a person's in the end.
func TestDoubtGivenUp(t *testing.T) {
	testsize.Unraced(t)
	live(t, 1, 0, func(t *testing.T, h *house) {
		id := h.approve(groceries)
		h.idle()
		sale := h.sale(id).ID
		h.person(sale, "ship", `{"boxes":["A"],"of":["A","B"],"trackingNumber":"T-1"}`)
		h.person(sale, "ship", `{"boxes":["B"],"of":["A","B"],"trackingNumber":"T-2"}`)
		h.job("shipments")
		h.turn(10 * time.Minute)
		last := h.run(id).Parcels[1].ID
		puts, broken := 0, true
		h.set(func() {
			h.answer = func(req *http.Request, _ []byte) (*http.Response, error) {
				if broken && isPut(req) {
					if puts++; strings.HasSuffix(req.URL.Path, last) {
						return &http.Response{StatusCode: http.StatusBadGateway, Header: http.Header{},
							Body: http.NoBody}, nil
					}
				}
				return nil, nil
			}
		})
		h.amend(id, func(r *order.Order) { r.Doubt, r.Next = time.Now().UTC(), time.Now().UTC() })
		for end := time.Now().Add(9 * 24 * time.Hour); time.Now().Before(end); time.Sleep(time.Hour) {
			h.app.Schedule(context.Background(), json.RawMessage(`{"job":"orders"}`))
			h.idle()
		}
		r := h.run(id)
		h.attention(id, "gaveUp", "502")
		if len(r.Said) != 1 || !r.Next.IsZero() || puts > 400 {
			t.Errorf("said %d, next %s, %d calls", len(r.Said), r.Next, puts)
		}
		// A new reading has as long again.
		h.person(sale, "tracking", `{"box":"B","trackingNumber":"T-3"}`)
		h.job("shipments")
		h.turn(time.Hour)
		if r := h.run(id); !r.ReadingDue() && r.Kept == nil {
			t.Errorf("given up at once\n%s", timeline(r))
		}
		h.set(func() { broken = false })
		h.turn(time.Hour)
		h.is(id, order.Shipped, "T-1 T-3! shipped")
	})
}

// TestCompleteComesLast: as Upstock takes no new parcel once all is shipped, a
// parcel that it refuses holds that back, until a person has put it right.
func TestCompleteComesLast(t *testing.T) {
	live(t, 1, 0, func(t *testing.T, h *house) {
		id := h.approve(groceries)
		h.idle()
		sale := h.sale(id).ID
		h.person(sale, "ship", `{"boxes":["A"],"of":["A","B"],"trackingNumber":"T-1"}`)
		h.person(sale, "ship", `{"boxes":["B"],"of":["A","B"],"trackingNumber":"T-2"}`)
		refuse := true
		h.answer = func(req *http.Request, body []byte) (*http.Response, error) {
			if refuse && isPut(req) && strings.Contains(string(body), "T-1") {
				resp := jsonAnswer(`{}`)
				resp.StatusCode = http.StatusUnprocessableEntity
				return resp, nil
			}
			return nil, nil
		}
		h.job("shipments")
		h.turn(10 * time.Minute)
		h.attention(id, "shipmentRefused", "status 422")
		if got := h.tracks(id); got != "T-2 processing" {
			t.Errorf("Upstock shows %q", got)
		}
		// A retry while the sale is being read counts for the next reading.
		h.set(func() { refuse = false })
		retried := false
		inner := h.answer
		h.set(func() {
			h.answer = func(req *http.Request, body []byte) (*http.Response, error) {
				if !retried && req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, "/sale") {
					retried = true
					go h.pair().Retry(context.Background(), h.tenant, strconv.Itoa(id), upstockcin7.RetryOptions{})
					time.Sleep(2 * time.Second)
				}
				return inner(req, body)
			}
		})
		h.amend(id, func(r *order.Order) { r.Asked, r.Next = r.Asked+1, time.Now().UTC() })
		h.turn(10 * time.Minute)
		r := h.is(id, order.Shipped, "T-1 T-2! shipped")
		h.says(timeline(r), "tracking T-1. Upstock knows.", "All is shipped. Upstock knows.")
	})
}

// TestSoldInAnotherAccount: an order that needs attention and was sold in an
// account that is not connected any more is not left without a word; connected
// again, that account's shipping is followed.
func TestSoldInAnotherAccount(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id, sale := w.sell(groceries)
		w.person(sale, "ship", `{"boxes":["A"],"of":["A","B"],"trackingNumber":"T-1"}`)
		w.poll()
		w.person(sale, "undo", "")
		w.poll()
		w.attention(id, "shipmentUndone", "A")
		w.person(sale, "ship", `{"trackingNumber":"T-9"}`)
		w.spoil("send orders", 1, before) // the poll marks it, and nobody reads yet
		w.job("shipments")
		time.Sleep(time.Second)
		synctest.Wait()
		w.connectCore(w.sim.AddAccount("Another account", ""))
		w.turn(5 * time.Minute)
		w.retry(id, false)
		w.turn(10 * time.Minute)
		r := w.run(id)
		if r.State == ledger.Attention || !r.ReadingDue() || !r.Parked {
			t.Errorf("%s with %d problems, reading due: %t\n%s", r.State, len(r.Problems), r.ReadingDue(), timeline(r))
		}
		w.says(strings.Join(r.Said, " "), "its shipping is not followed")
		w.connectCore(w.acc)
		w.turn(10 * time.Minute)
		if r := w.run(id); r.State != order.Shipped || strings.Contains(strings.Join(r.Said, " "), "not followed") {
			t.Errorf("%s %s %q\n%s", r.State, w.tracks(id), r.Said, timeline(r))
		}
	})
}

// TestAskedByAClockAhead: a job that was asked for by a process whose clock is
// ahead runs once, and can be asked for again.
func TestAskedByAClockAhead(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.poll()
		start, l := time.Now(), ledger.New(w.store)
		cur := must[*ledger.Cursor](w)(l.Cursor(t.Context(), w.tenant, upstockcin7.JobShipments))
		cur.Asked = time.Now().Add(5 * time.Minute).UTC()
		if err := l.SaveCursor(t.Context(), cur); err != nil {
			t.Fatal(err)
		}
		w.deliver(app.ShipmentsQueue, app.Message{ID: "m", Body: `{"job":"shipments","tenant":"` + w.tenant + `"}`,
			Sent: time.Now()}, 0)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if calls := w.coreCalls(start); len(calls) != 1 {
			t.Errorf("%d calls", len(calls))
		}
		if err := w.process("console").app.Jobs.Kick(t.Context(), w.tenant, upstockcin7.JobShipments); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if calls := w.coreCalls(start); len(calls) != 2 {
			t.Errorf("asked again: %d calls", len(calls))
		}
	})
}

// TestAccountReturns: what changed in a Cin7 Core account while another one was
// connected is found when it is connected again.
func TestAccountReturns(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id, sale := w.sell(groceries)
		w.poll()
		other := w.sim.AddAccount("Southern Lakes", "")
		connect := func(c vendor.Credentials) {
			t.Helper()
			if _, _, err := w.vendorTable().Connect(t.Context(), w.tenant, tenant.Cin7Core, c); err != nil {
				t.Fatal(err)
			}
			w.turn(5 * time.Minute)
		}
		own := other.Cin7Core
		typed := vendor.Credentials{Account: own.AccountID, Key: tenant.Secret(own.ApplicationKey)}
		connect(typed)
		w.person(sale, "ship", `{"trackingNumber":"T-1"}`)
		w.turn(20 * time.Minute)
		busy := w.approve(unlinked) // the other account's list goes on
		w.settle(busy, horizon)
		w.poll()
		w.is(id, order.Sold, "processing")
		connect(w.coreKey())
		w.poll()
		w.is(id, order.Shipped, "T-1! shipped")
	})
}

// TestVoidedThoughUpstockIsDown: a cancelled order's sale is voided before
// people pick it, though Upstock cannot be told anything: a read is enough.
func TestVoidedThoughUpstockIsDown(t *testing.T) {
	live(t, 1, 0, func(t *testing.T, h *house) {
		h.change(func(s *sale.Settings) { s.OnCancel = sale.Void })
		h.set(func() {
			h.answer = func(req *http.Request, _ []byte) (*http.Response, error) {
				if strings.HasPrefix(req.URL.Path, sim.PrefixUpstock) && req.Method != http.MethodGet {
					return nil, errLost
				}
				return nil, nil
			}
		})
		id := h.approve(groceries)
		h.turn(2 * time.Minute)
		h.cancel(id)
		h.turn(2 * time.Minute)
		if s := h.sale(id); s.Status != "VOIDED" || h.run(id).State != order.Cancelled {
			t.Errorf("sale %s, order %s\n%s", s.Status, h.run(id).State, timeline(h.run(id)))
		}
	})
}

// TestPassThatShowsNotAll: a list whose rows move between its pages is read until one pass has shown every sale. A pass
// that shows one sale twice and another not at all proves nothing of that one.
func TestPassThatShowsNotAll(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		_, a := w.sell(groceries)
		b, _ := w.sell(groceries)
		w.poll()
		w.poll()
		rows := func(req *http.Request) map[string]json.RawMessage {
			q := req.URL.Query()
			q.Set("Page", "1")
			as := req.Clone(req.Context())
			as.URL.RawQuery = q.Encode()
			var list struct{ SaleList []json.RawMessage }
			if err := json.NewDecoder(must[*http.Response](w)(w.sim.Transport().RoundTrip(as)).Body).Decode(
				&list); err != nil {
				t.Error(err)
			}
			byID := map[string]json.RawMessage{}
			for _, raw := range list.SaleList {
				var row struct{ SaleID string }
				if err := json.Unmarshal(raw, &row); err != nil {
					t.Error(err)
				}
				byID[row.SaleID] = raw
			}
			return byID
		}
		broken := false
		script := []string{a, w.sale(b).ID, w.sale(b).ID, w.sale(b).ID} // two passes; then the list stands still
		calls := 0
		w.instead = func(req *http.Request, _ []byte) *http.Response {
			if !strings.HasSuffix(req.URL.Path, "/saleList") || !req.URL.Query().Has("UpdatedSince") {
				return nil
			}
			shows := []string{a, w.sale(b).ID}[calls%2]
			if calls < len(script) {
				shows = script[calls]
			}
			all := rows(req)
			if calls == 1 && !broken { // the second page comes half an hour later
				broken = true
				return answerJSON(http.StatusServiceUnavailable, `{}`)
			}
			calls++
			return answerJSON(http.StatusOK,
				fmt.Sprintf(`{"Total":2,"Page":%s,"SaleList":[%s]}`, req.URL.Query().Get("Page"), all[shows]))
		}
		w.poll()
		w.person(a, "ship", `{"trackingNumber":"T-1"}`)
		time.Sleep(30 * time.Minute)
		w.person(w.sale(b).ID, "notes", `{"text":"Ring before you come."}`)
		w.poll()
		w.poll()
		if r := w.run(b - 1); r.State != order.Shipped {
			t.Errorf("%d calls: %s\n%s", calls, r.State, timeline(r))
		}
	})
}
