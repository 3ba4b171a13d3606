package upstockcin7_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/sim"
	simcin7core "stockbridge/internal/sim/cin7core"
	simupstock "stockbridge/internal/sim/upstock"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/completeness"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
	"stockbridge/internal/vendor"
)

func newSale(beside ...string) upstockcin7.RetryOptions {
	return upstockcin7.RetryOptions{NewSale: true, Beside: beside}
}

// void is the setting by which the sale of a cancelled order is voided.
func void(s *sale.Settings) { s.OnCancel = sale.Void }

// occurred makes a delivery of an event that occurred at an instant; zero = it does not say when.
func (s *sender) occurred(kind, order string, at time.Time) *http.Request {
	body := edited(s.w.t, string(s.event(kind, order)), fmt.Sprintf("occurredAt=%q", at.UTC().Format(time.RFC3339Nano)))
	if at.IsZero() {
		body = edited(s.w.t, body, "occurredAt=null")
	}
	return s.request([]byte(body))
}

// inUpstock changes an order in Upstock, of which nobody is told; the order.
func (w *world) inUpstock(id int, format string, args ...any) string {
	w.t.Helper()
	return string(must[simupstock.OrderSummary](w)(w.simUpstock.Edit(id, fmt.Sprintf(format, args...))).JSON)
}

func stamp(at time.Time) string { return strconv.Quote(at.UTC().Format(time.RFC3339Nano)) }

// asked are the reads of one order in Upstock since an instant.
func (w *world) asked(id int, since time.Time) (at []time.Time) {
	for _, c := range w.sim.Calls(sim.Upstock, strconv.Itoa(w.acc.Upstock.Supplier)) {
		if c.Method == http.MethodGet && c.Path == fmt.Sprintf("/orders/%d", id) && !c.At.Before(since) {
			at = append(at, c.At)
		}
	}
	return at
}

// within is story with a sender of webhooks, an hour after the world began.
func within(t *testing.T, f func(t *testing.T, w *world, s *sender)) {
	t.Helper()
	story(t, func(t *testing.T, w *world) {
		time.Sleep(time.Hour)
		f(t, w, senderTo(w))
	})
}

// processing has an order approved in Upstock that is not delivered yet, of a tenant who has the sales of cancelled
// orders voided. Unless it is to be sold, Cin7 Core takes no lines from now on, so that a header is all that it gets.
func (w *world) processing(sold bool) (id int, at time.Time, doc string) {
	w.t.Helper()
	w.change(void)
	if !sold {
		w.fault(sim.Fault{Match: "POST /sale/order", Kind: "throttle", How: "429", Times: -1})
	}
	id, at = w.place(groceries), time.Now()
	return id, at, w.inUpstock(id, `{"status":"processing","approvedAt":%s}`, stamp(at))
}

// TestCancelFromBeforeAVoid: a cancellation from before the approval that comes once a sale of it was made, refused and
// voided asks for no other sale: only a person, or a newer approval, does.
func TestCancelFromBeforeAVoid(t *testing.T) {
	within(t, func(t *testing.T, w *world, s *sender) {
		id, mend := unsellable(w)
		start := time.Now()
		doc := w.inUpstock(id, `{"status":"processing","approvedAt":%s}`, stamp(start))
		s.must(http.StatusAccepted, s.occurred(upstock.OrderApproved, doc, start))
		w.settle(id, horizon)
		w.attention(id, "refused", "GRN-TST")
		mend()
		s.must(http.StatusAccepted, s.occurred(upstock.OrderCancelled, edited(t, doc, `status="cancelled"`),
			start.Add(-time.Hour)))
		w.turn(30 * time.Minute)
		if r := w.run(id); r.State != ledger.Attention || len(w.sales(id)) != 1 || w.sale(id).Status != "VOIDED" {
			t.Errorf("%s, sales %+v\n%s", r.State, w.sales(id), timeline(r))
		}
		again := time.Now()
		doc = w.inUpstock(id, `{"status":"processing","approvedAt":%s}`, stamp(again))
		s.must(http.StatusAccepted, s.occurred(upstock.OrderApproved, doc, again))
		w.turn(30 * time.Minute)
		if r, sales := w.run(id), w.sales(id); r.State != order.Sold || len(sales) != 2 ||
			sales[0].Status != "VOIDED" || sales[1].Lines != 2 {
			t.Errorf("a newer approval: %s, sales %+v\n%s", r.State, sales, timeline(r))
		}
	})
}

// TestCancelFromBeforeTheApproval: a cancellation that occurred before the
// approval, and comes after it, changes nothing in the end, whenever it comes.
func TestCancelFromBeforeTheApproval(t *testing.T) {
	for name, c := range map[string]struct {
		void  bool
		fault sim.Fault // of the sale's way: the cancellation comes in the middle
		early bool      // the cancellation comes first
	}{
		"sold, to be told": {}, "sold, to be voided": {void: true},
		"before the approval's own delivery": {void: true, early: true},
		"while the lines wait": {void: true,
			fault: sim.Fault{Match: "POST /sale/order", Kind: "throttle", How: "429"}},
		"after a lost create": {void: true, fault: sim.Fault{Match: "POST /sale", Kind: "after"}},
		"after lost lines":    {void: true, fault: sim.Fault{Match: "POST /sale/order", Kind: "after"}},
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T, w *world, s *sender) {
				if c.void {
					w.change(void)
				}
				if c.fault.Match != "" {
					w.fault(c.fault)
				}
				id := w.place(groceries)
				start := time.Now()
				doc := w.inUpstock(id, `{"status":"processing","approvedAt":%s}`, stamp(start))
				approval := func() { s.must(http.StatusAccepted, s.occurred(upstock.OrderApproved, doc, start)) }
				if !c.early {
					approval()
					synctest.Wait()
				}
				time.Sleep(time.Second)
				stale := edited(t, doc, `status="cancelled"`)
				s.must(http.StatusAccepted, s.occurred(upstock.OrderCancelled, stale, start.Add(-time.Hour)))
				if c.early {
					w.turn(time.Second)
					approval()
				}
				w.turn(30 * time.Minute)
				r := w.sold(id)
				if r.State != order.Sold || len(r.Said) > 0 || len(w.sales(id)) != 1 || !r.Cancelled.IsZero() {
					t.Errorf("%s, said %q, sales %+v\n%s", r.State, r.Said, w.sales(id), timeline(r))
				}
				reads := w.asked(id, start)
				if len(reads) < 2 || reads[len(reads)-1].Sub(reads[0]) < 2*time.Minute {
					t.Errorf("Upstock was asked at %v", reads)
				}
				s.must(http.StatusAccepted, s.occurred(upstock.OrderCancelled, stale, start.Add(-time.Hour))) // again
				w.turn(10 * time.Minute)
				if w.sold(id); len(w.asked(id, start)) != len(reads) {
					t.Error("Upstock was asked again for the same delivery")
				}
			})
		})
	}
}

// TestEventsInAnyOrder: approved, cancelled and approved again, or cancelled once
// more, in quick succession; the deliveries come in any order, late and doubled.
// What Upstock shows in the end decides.
func TestEventsInAnyOrder(t *testing.T) {
	type event struct {
		kind string
		at   time.Time
		doc  string
	}
	orders := [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}
	for _, ends := range []string{"processing", "cancelled"} {
		for _, turns := range orders {
			for _, gap := range []time.Duration{time.Second, 25 * time.Minute} {
				t.Run(fmt.Sprintf("%s %v %s", ends, turns, gap), func(t *testing.T) {
					within(t, func(t *testing.T, w *world, s *sender) {
						w.change(void)
						id := w.place(groceries)
						start := time.Now()
						first := event{upstock.OrderApproved, start,
							w.inUpstock(id, `{"status":"processing","approvedAt":%s}`, stamp(start))}
						second := event{upstock.OrderCancelled, start.Add(time.Second),
							w.inUpstock(id, `{"status":"cancelled"}`)}
						third := event{upstock.OrderApproved, start.Add(2 * time.Second),
							w.inUpstock(id, `{"status":"processing","approvedAt":%s}`, stamp(start.Add(2*time.Second)))}
						events := []event{first, second, third}
						if ends == "cancelled" { // the last cancellation, whose webhook comes first or never
							w.inUpstock(id, `{"status":"cancelled"}`)
							if turns[0] == 0 {
								last := event{upstock.OrderCancelled, start.Add(3 * time.Second),
									edited(t, third.doc, `status="cancelled"`)}
								s.must(http.StatusAccepted, s.occurred(last.kind, last.doc, last.at))
							}
						}
						for _, i := range turns {
							for range 2 {
								s.must(http.StatusAccepted, s.occurred(events[i].kind, events[i].doc, events[i].at))
							}
							w.turn(gap)
						}
						w.turn(time.Hour)
						r := w.run(id)
						if ends == "processing" {
							if r = w.sold(id); r.State != order.Sold || len(w.sales(id)) != 1 {
								t.Errorf("%s, sales %+v\n%s", r.State, w.sales(id), timeline(r))
							}
							return
						}
						if len(w.live(id)) > 0 && r.State != order.Sold || r.State == ledger.Attention ||
							len(w.live(id)) > 1 {
							t.Errorf("%s %v, sales %+v\n%s", r.State, r.Problems, w.sales(id), timeline(r))
						}
						// a cancellation was heard of that Upstock confirms
						if turns[0] != 0 && turns[1] != 0 || turns[0] == 0 {
							if r.State != order.Cancelled || len(w.live(id)) > 0 {
								t.Errorf("%s %v, sales %+v\n%s", r.State, r.Problems, w.sales(id), timeline(r))
							}
						}
					})
				})
			}
		}
	}
}

// TestApprovedAgainAfterVoid: where our sale was voided for a cancellation, and
// the order is approved again, one new one is made, with what it holds now; and
// Upstock's own word for the first sale is not somebody else's.
func TestApprovedAgainAfterVoid(t *testing.T) {
	again := func(t *testing.T, w *world, s *sender, before func(id int)) int {
		w.change(void)
		id, _ := w.sell(groceries)
		w.cancel(id)
		w.turn(10 * time.Minute)
		if r := w.run(id); r.State != order.Cancelled || len(w.live(id)) > 0 {
			t.Fatalf("%s\n%s", r.State, timeline(r))
		}
		before(id)
		var o struct{ Lines []map[string]any }
		if err := json.Unmarshal(must[simupstock.OrderSummary](w)(w.simUpstock.Order(id)).JSON, &o); err != nil {
			t.Fatal(err)
		}
		o.Lines[0]["quantity"] = "5"
		now := time.Now()
		doc := w.inUpstock(id, `{"status":"processing","approvedAt":%s,"lines":%s}`, stamp(now),
			must[[]byte](w)(json.Marshal(o.Lines)))
		s.must(http.StatusAccepted, s.occurred(upstock.OrderApproved, doc, now))
		w.turn(30 * time.Minute)
		return id
	}
	t.Run("sold anew", func(t *testing.T) {
		within(t, func(t *testing.T, w *world, s *sender) {
			id := again(t, w, s, func(int) {})
			w.soldAnew(id, 1)
			s.must(http.StatusAccepted, s.occurred(upstock.OrderApproved,
				string(must[simupstock.OrderSummary](w)(w.simUpstock.Order(id)).JSON), time.Now()))
			w.turn(30 * time.Minute)
			w.soldAnew(id, 1)
		})
	})
	t.Run("somebody entered it meanwhile", func(t *testing.T) {
		within(t, func(t *testing.T, w *world, s *sender) {
			id := again(t, w, s, func(id int) {
				customer, _ := w.ids(id)
				w.core(http.MethodPost, "/sale",
					fmt.Sprintf(`{"CustomerID":%q,"CustomerReference":"PO-4711","Location":"Main Warehouse","SkipQuote":true}`, customer))
			})
			w.attention(id, "foreignSale", "SO-00002")
			w.stands(id, "SO-00002")
			w.retryBeside(id, "SO-00002")
			w.soldAnew(id, 1)
		})
	})
	t.Run("the webhook is lost", func(t *testing.T) {
		for _, job := range []string{"reconcile", "completeness"} {
			within(t, func(t *testing.T, w *world, s *sender) {
				w.change(void)
				id, _ := w.sell(groceries)
				w.cancel(id)
				w.turn(10 * time.Minute)
				w.inUpstock(id, `{"status":"processing","approvedAt":%s}`, stamp(time.Now()))
				time.Sleep(10 * time.Minute)
				if job == "completeness" {
					if c := w.compare(time.Time{}, time.Time{}); c.Counts.Missing != 1 ||
						!strings.Contains(c.Differences[0].Message, "approved again") {
						t.Errorf("%+v", c)
					}
				} else {
					w.job(job)
				}
				w.turn(30 * time.Minute)
				w.soldAnew(id, 1)
			})
		}
	})
}

// TestCancelledHeader: the empty sale of an order that was cancelled is voided
// once Upstock says so, and taken up where it shows the order as approved since.
func TestCancelledHeader(t *testing.T) {
	waiting := func(t *testing.T, w *world, s *sender) (id int, doc string) {
		w.fault(sim.Fault{Match: "POST /sale/order", Kind: "throttle", How: "429", RetryAfter: "5"})
		id = w.approve(groceries)
		synctest.Wait()
		if w.sale(id).Lines > 0 {
			t.Fatal("this is not the moment")
		}
		w.upstockFault(sim.Fault{Match: fmt.Sprintf("GET /orders/%d", id), Kind: "before", How: "503", Times: 3})
		time.Sleep(time.Second)
		doc = w.inUpstock(id, `{"status":"cancelled"}`)
		s.must(http.StatusAccepted, s.occurred(upstock.OrderCancelled, doc, time.Now()))
		synctest.Wait()
		return id, doc
	}
	t.Run("voided", func(t *testing.T) {
		within(t, func(t *testing.T, w *world, s *sender) {
			id, _ := waiting(t, w, s)
			if w.turn(time.Minute); len(w.live(id)) != 1 {
				t.Fatalf("voided before Upstock said so\n%s", timeline(w.run(id)))
			}
			w.turn(30 * time.Minute)
			if r := w.run(id); r.State != order.Cancelled || len(w.live(id)) > 0 {
				t.Errorf("%s\n%s", r.State, timeline(r))
			}
		})
	})
	for _, other := range []bool{false, true} {
		t.Run(fmt.Sprintf("approved again, other contents %t", other), func(t *testing.T) {
			within(t, func(t *testing.T, w *world, s *sender) {
				id, _ := waiting(t, w, s)
				lines := `{}`
				if other {
					lines = `{"freight":{"description":"Courier","amount":"9.00","taxRate":"15.00"}}`
				}
				w.inUpstock(id, "%s", lines)
				time.Sleep(time.Second)
				now := time.Now()
				doc := w.inUpstock(id, `{"status":"processing","approvedAt":%s}`, stamp(now))
				s.must(http.StatusAccepted, s.occurred(upstock.OrderApproved, doc, now))
				w.turn(time.Hour)
				if !other {
					w.sold(id)
				} else if w.attention(id, "changedSinceApproved", "other contents"); w.sale(id).Lines > 0 {
					t.Error("the sale has lines of before")
				}
				if len(w.sales(id)) != 1 {
					t.Errorf("sales %+v", w.sales(id))
				}
			})
		})
	}
}

// TestCancelUnclear: where Upstock neither confirms a cancellation nor shows the
// order as approved since, nothing is voided or made, and a person is asked.
func TestCancelUnclear(t *testing.T) {
	const hour = time.Hour
	for _, c := range []struct {
		name   string
		cancel time.Duration // after the approval
		fault  sim.Fault
		gone   bool          // Upstock does not know the order
		after  time.Duration // a person is asked
		says   string
	}{
		{"no answer", time.Minute, sim.Fault{Kind: "before", How: "503"}, false, hour, "has not said for an hour"},
		{"throttled", time.Minute, sim.Fault{Kind: "throttle", How: "429", RetryAfter: "300"}, false, hour,
			"has not said for an hour"},
		{"no JSON", time.Minute, sim.Fault{Kind: "html"}, false, hour, "has not said for an hour"},
		{"not known", time.Minute, sim.Fault{}, true, 0, "does not know the order"},
		{"still processing", time.Minute, sim.Fault{}, false, 2 * time.Minute,
			"shows the order as processing, approved on"},
		{"at the same instant", 0, sim.Fault{}, false, 2 * time.Minute, "shows the order as processing"},
	} {
		for _, sold := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, sold %t", c.name, sold), func(t *testing.T) {
				within(t, func(t *testing.T, w *world, s *sender) {
					id, at, doc := w.processing(sold)
					if c.gone {
						id = 4_711_000
						doc = edited(t, doc, "id=4711000")
					}
					s.must(http.StatusAccepted, s.occurred(upstock.OrderApproved, doc, at))
					synctest.Wait()
					time.Sleep(c.cancel)
					if c.fault.Kind != "" {
						c.fault.Match, c.fault.Times = fmt.Sprintf("GET /orders/%d", id), -1
						w.upstockFault(c.fault)
					}
					s.must(http.StatusAccepted,
						s.occurred(upstock.OrderCancelled, edited(t, doc, `status="cancelled"`), at.Add(c.cancel)))
					synctest.Wait()
					w.turn(c.after - time.Second)
					if c.after > 0 && w.run(id).State == ledger.Attention {
						t.Fatalf("a person is asked too soon\n%s", timeline(w.run(id)))
					}
					w.turn(30 * time.Minute)
					w.attention(id, "cancelUnclear", c.says)
					if live := w.live(id); len(live) != 1 || live[0].Lines > 0 != sold {
						t.Fatalf("sales %+v", w.sales(id))
					}
					if c.gone {
						return
					}
					// Put right, and retried.
					w.sim.ClearFaults(sim.Upstock)
					w.sim.ClearFaults(sim.Cin7Core)
					w.inUpstock(id, `{"status":"cancelled"}`)
					w.retry(id, false)
					w.turn(30 * time.Minute)
					if r := w.run(id); r.State != order.Cancelled || len(w.live(id)) > 0 || len(r.Problems) > 0 {
						t.Errorf("%s %v, sales %+v\n%s", r.State, r.Problems, w.sales(id), timeline(r))
					}
				})
			})
		}
	}
}

// TestConfirmationIsAMomentOld: a read that showed the order cancelled does not
// count for a void that could not be made until much later.
func TestConfirmationIsAMomentOld(t *testing.T) {
	within(t, func(t *testing.T, w *world, s *sender) {
		w.change(void)
		id, _ := w.sell(groceries)
		w.fault(sim.Fault{Match: "DELETE /sale", Kind: "throttle", How: "429", RetryAfter: "600", Times: -1})
		w.cancel(id)
		w.turn(time.Minute)
		if r := w.run(id); !r.Void {
			t.Fatalf("it is not to be voided\n%s", timeline(r))
		}
		w.inUpstock(id, `{"status":"processing","approvedAt":%s}`, stamp(time.Now())) // its webhook is lost
		time.Sleep(5 * time.Minute)
		w.sim.ClearFaults(sim.Cin7Core)
		w.turn(time.Hour)
		if r := w.sold(id); r.State != order.Sold || !r.Cancelled.IsZero() {
			t.Errorf("%s\n%s", r.State, timeline(r))
		}
	})
}

// TestCorrectedAndApprovedAgain: a later approval replans an order against which
// only its plan stood; any other changes nothing.
func TestCorrectedAndApprovedAgain(t *testing.T) {
	const wrong = `[{"id":1,"sku":"NO-SUCH","name":"Tea","quantity":"2","unitPrice":"8.90","discountPercent":"0","taxRate":"15.00"}]`
	// begun is an order that needs a person for its unknown SKU; and as it was delivered.
	begun := func(t *testing.T, w *world, s *sender) (id int, doc string, at time.Time) {
		id = w.place(groceries)
		at = time.Now()
		doc = w.inUpstock(id, `{"status":"processing","approvedAt":%s}`, stamp(at))
		s.must(http.StatusAccepted, s.occurred(upstock.OrderApproved, edited(t, doc, "lines="+wrong, "totals=null"),
			at))
		w.settle(id, horizon)
		w.attention(id, "unknownSku")
		time.Sleep(time.Minute)
		return id, doc, at
	}
	later := func(t *testing.T, doc string, at time.Time) string { return edited(t, doc, "approvedAt="+stamp(at)) }
	t.Run("planned anew", func(t *testing.T) {
		within(t, func(t *testing.T, w *world, s *sender) {
			id, _, _ := begun(t, w, s)
			now := time.Now()
			doc := w.inUpstock(id, `{"approvedAt":%s}`, stamp(now))
			for range 2 {
				s.must(http.StatusAccepted, s.occurred(upstock.OrderApproved, doc, now))
			}
			w.settle(id, horizon)
			w.sold(id)
		})
	})
	t.Run("Upstock still shows what was before", func(t *testing.T) {
		within(t, func(t *testing.T, w *world, s *sender) {
			id, doc, _ := begun(t, w, s)
			w.inUpstock(id, `{"status":"ordered","approvedAt":null}`)
			s.must(http.StatusAccepted, s.occurred(upstock.OrderApproved, later(t, doc, time.Now()), time.Now()))
			w.settle(id, horizon)
			w.inUpstock(id, `{"status":"processing"}`)
			w.sold(id)
		})
	})
	t.Run("the webhook is lost", func(t *testing.T) {
		within(t, func(t *testing.T, w *world, s *sender) {
			id, _, _ := begun(t, w, s)
			w.inUpstock(id, `{"approvedAt":%s}`, stamp(time.Now()))
			time.Sleep(5 * time.Minute)
			w.job("reconcile")
			w.settle(id, horizon)
			w.sold(id)
		})
	})
	t.Run("cancelled meanwhile", func(t *testing.T) {
		within(t, func(t *testing.T, w *world, s *sender) {
			id, doc, _ := begun(t, w, s)
			w.inUpstock(id, `{"status":"cancelled"}`)
			s.must(http.StatusAccepted, s.occurred(upstock.OrderApproved, later(t, doc, time.Now()), time.Now()))
			w.turn(30 * time.Minute)
			if r := w.run(id); r.State != order.Cancelled || len(w.sales(id)) > 0 {
				t.Errorf("%s\n%s", r.State, timeline(r))
			}
		})
	})
	for name, change := range map[string]func(doc string, at time.Time) string{
		"the same approval": func(doc string, at time.Time) string { return doc },
		"an earlier one":    func(doc string, at time.Time) string { return later(t, doc, at.Add(-time.Minute)) },
		"without a time":    func(doc string, at time.Time) string { return edited(t, doc, "approvedAt=null") },
	} {
		t.Run(name, func(t *testing.T) {
			within(t, func(t *testing.T, w *world, s *sender) {
				id, doc, at := begun(t, w, s)
				s.must(http.StatusAccepted, s.occurred(upstock.OrderApproved, change(doc, at), time.Now()))
				w.turn(30 * time.Minute)
				if w.attention(id, "unknownSku"); len(w.sales(id)) > 0 {
					t.Errorf("sales %+v", w.sales(id))
				}
			})
		})
	}
	t.Run("a problem that is not the plan's", func(t *testing.T) {
		within(t, func(t *testing.T, w *world, s *sender) {
			w.checked(0)
			id := w.place(groceries)
			customer, _ := w.ids(id)
			w.core(http.MethodPost, "/sale",
				fmt.Sprintf(`{"CustomerID":%q,"CustomerReference":"PO-4711","Location":"Main Warehouse","SkipQuote":true}`, customer))
			must[simupstock.OrderSummary](w)(w.simUpstock.Approve(id))
			w.settle(id, horizon)
			w.attention(id, "foreignSale")
			now := time.Now().Add(time.Minute)
			s.must(http.StatusAccepted, s.occurred(upstock.OrderApproved,
				w.inUpstock(id, `{"approvedAt":%s}`, stamp(now)), now))
			w.turn(30 * time.Minute)
			if w.attention(id, "foreignSale"); len(w.sales(id)) > 0 {
				t.Errorf("sales %+v", w.sales(id))
			}
		})
	})
	// refused is an order whose lines Cin7 Core refused for good: its header is voided by us.
	refused := func(t *testing.T, w *world) (id int, product string) {
		id = w.place(groceries)
		_, products := w.ids(id)
		w.control(http.MethodPut, "/sim/cin7core/products/"+products[1], `{"Status":"Deprecated"}`)
		must[simupstock.OrderSummary](w)(w.simUpstock.Approve(id))
		w.settle(id, horizon)
		if w.attention(id, "refused"); len(w.sales(id)) != 1 || len(w.live(id)) > 0 {
			t.Fatalf("sales %+v", w.sales(id))
		}
		w.control(http.MethodPut, "/sim/cin7core/products/"+products[1], `{"Status":"Active"}`)
		time.Sleep(time.Minute)
		return id, products[1]
	}
	t.Run("its header was voided by us", func(t *testing.T) {
		within(t, func(t *testing.T, w *world, s *sender) {
			id, _ := refused(t, w)
			now := time.Now()
			s.must(http.StatusAccepted, s.occurred(upstock.OrderApproved,
				w.inUpstock(id, `{"approvedAt":%s}`, stamp(now)), now))
			w.settle(id, horizon)
			w.soldAnew(id, 1)
		})
	})
	t.Run("its header was voided by us, and Upstock does not bear the approval out", func(t *testing.T) {
		within(t, func(t *testing.T, w *world, s *sender) {
			id, _ := refused(t, w)
			doc := string(must[simupstock.OrderSummary](w)(w.simUpstock.Order(id)).JSON)
			s.must(http.StatusAccepted, s.occurred(upstock.OrderApproved, later(t, doc, time.Now()), time.Now()))
			w.settle(id, horizon)
			if w.attention(id, "notApproved", "does not bear it out"); len(w.sales(id)) != 1 {
				t.Errorf("sales %+v", w.sales(id))
			}
		})
	})
}

// TestNewSale: a new sale is made wherever all the order's sales are voided, and
// nowhere else; another sale that stands is named first.
func TestNewSale(t *testing.T) {
	t.Run("voided by a person after it was sold", func(t *testing.T) {
		for _, looked := range []bool{false, true} {
			within(t, func(t *testing.T, w *world, s *sender) {
				id, sale := w.sell(groceries)
				w.stands(id, "SO-00001")
				w.person(sale, "void", "")
				if looked {
					w.poll()
					w.attention(id, "saleVoided", "SO-00001", "after it was sold")
					w.retry(id, false)
					w.attention(id, "saleVoided")
				}
				w.retryBeside(id)
				w.turn(10 * time.Minute)
				if w.soldAnew(id, 1); len(w.run(id).Said) > 0 {
					t.Errorf("said of the sale that was voided: %q", w.run(id).Said)
				}
				w.stands(id, "SO-00002")
			})
		}
	})
	t.Run("voided by us, its lines refused", func(t *testing.T) {
		within(t, func(t *testing.T, w *world, s *sender) {
			id := w.place(groceries)
			_, products := w.ids(id)
			w.control(http.MethodPut, "/sim/cin7core/products/"+products[1], `{"Status":"Deprecated"}`)
			must[simupstock.OrderSummary](w)(w.simUpstock.Approve(id))
			w.settle(id, horizon)
			w.control(http.MethodPut, "/sim/cin7core/products/"+products[1], `{"Status":"Active"}`)
			w.retryBeside(id)
			w.soldAnew(id, 1)
		})
	})
	t.Run("a stranger's stands", func(t *testing.T) {
		within(t, func(t *testing.T, w *world, s *sender) {
			id, sale := w.sell(groceries)
			w.person(sale, "void", "")
			w.poll()
			customer, _ := w.ids(id)
			stranger := func() {
				w.core(http.MethodPost, "/sale",
					fmt.Sprintf(`{"CustomerID":%q,"CustomerReference":"PO-4711","Location":"Main Warehouse","SkipQuote":true}`, customer))
			}
			stranger()
			w.stands(id, "SO-00002")
			stranger()
			w.stands(id, "SO-00003", "SO-00002")
			// One that comes between the request and the work is met there.
			w.upstockFault(sim.Fault{Match: fmt.Sprintf("GET /orders/%d", id), Kind: "before", How: "503"})
			if err := w.pair().Retry(t.Context(), w.tenant, strconv.Itoa(id),
				newSale("SO-00002", "SO-00003")); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			stranger()
			w.settle(id, horizon)
			if w.attention(id, "foreignSale", "SO-00004"); len(w.live(id)) > 0 {
				t.Errorf("sales %+v", w.sales(id))
			}
			w.retryBeside(id, "SO-00002", "SO-00003", "SO-00004")
			w.soldAnew(id, 1)
		})
	})
	t.Run("cancelled", func(t *testing.T) {
		within(t, func(t *testing.T, w *world, s *sender) {
			w.change(void)
			id, _ := w.sell(groceries)
			w.cancel(id)
			w.turn(10 * time.Minute)
			if err := w.pair().Retry(t.Context(), w.tenant, strconv.Itoa(id), newSale()); err == nil {
				t.Error("a cancelled order is sold anew")
			}
			w.turn(10 * time.Minute)
			if len(w.live(id)) > 0 {
				t.Errorf("sales %+v", w.sales(id))
			}
		})
	})
	t.Run("voided after a cancellation was told", func(t *testing.T) {
		within(t, func(t *testing.T, w *world, s *sender) {
			id, sale := w.sell(groceries)
			w.cancel(id)
			w.turn(10 * time.Minute)
			w.sold(id)
			w.person(sale, "void", "")
			w.poll()
			if r := w.run(id); r.State != order.Cancelled || len(r.Problems) > 0 {
				t.Errorf("%s %v\n%s", r.State, r.Problems, timeline(r))
			}
		})
	})
}

// TestCopied: a person copies the sale in Cin7 Core and voids the first.
func TestCopied(t *testing.T) {
	follow := func(w *world, id int) {
		w.t.Helper()
		r := w.run(id)
		sales := w.sales(id)
		if r.State == ledger.Attention || r.SaleID != sales[1].ID || len(sales) != 2 || sales[1].Status == "VOIDED" {
			w.t.Fatalf("%s %v, sale %s, sales %+v\n%s", r.State, r.Problems, r.SaleNumber, sales, timeline(r))
		}
	}
	for _, c := range []struct {
		name  string
		copy  string // body of the copying
		then  func(w *world, id int, first, second string)
		says  string // "" = followed
		ships bool
	}{
		{name: "as it was", ships: true},
		{name: "priced anew", then: func(w *world, id int, _, second string) {
			w.person(second, "lines", `{"lines":[{"sku":"GRN-TST","quantity":2,"price":13},{"sku":"SLT-FLK","quantity":3,"price":6.80}]}`)
		}, ships: true},
		{name: "with other goods", then: func(w *world, id int, _, second string) { w.person(second, "lines", other) },
			says: "does not hold the order's goods"},
		{name: "with another reference", then: func(w *world, id int, _, second string) {
			w.core(http.MethodPut, "/sale", `{"ID":"`+second+`","CustomerReference":"Phone order"}`)
		}, says: "has another reference"},
		{name: "twice", then: func(w *world, id int, first, _ string) { w.person(first, "copy", "") },
			says: "several others with the order's id: SO-00002, SO-00003"},
		{name: "without the order's id", copy: `{"externalId":""}`, says: "after it was sold"},
	} {
		t.Run(c.name, func(t *testing.T) {
			within(t, func(t *testing.T, w *world, s *sender) {
				id, first := w.sell(groceries)
				w.person(first, "copy", c.copy)
				all := w.simCore.Sales(w.acc.Cin7Core.AccountID)
				second := all[slices.IndexFunc(all, func(s simcin7core.SaleSummary) bool { return s.ID != first })].ID
				if c.then != nil {
					c.then(w, id, first, second)
				}
				w.person(first, "void", "")
				theirs := w.simCore.Sales(w.acc.Cin7Core.AccountID)
				w.poll()
				if !slices.Equal(w.simCore.Sales(w.acc.Cin7Core.AccountID), theirs) {
					t.Fatalf("they left %+v, now it is %+v", theirs, w.simCore.Sales(w.acc.Cin7Core.AccountID))
				}
				if c.says != "" {
					w.attention(id, "saleVoided", c.says)
					err := w.pair().Retry(t.Context(), w.tenant, strconv.Itoa(id), newSale())
					if standing, ok := errors.AsType[*upstockcin7.StandingError](err); !ok ||
						!slices.Contains(standing.Sales(), "SO-00002") || (len(standing.Own) > 0) != (c.copy == "") {
						t.Errorf("a new sale beside the copy: %v", err)
					}
					return
				}
				follow(w, id)
				if o := must[simupstock.OrderSummary](w)(w.simUpstock.Order(id)); o.External != "SO-00002" {
					t.Errorf("Upstock shows %s", o.External)
				}
				w.person(second, "ship", `{"trackingNumber":"T-1"}`)
				w.poll()
				w.is(id, order.Shipped, "T-1! shipped")
				if got := w.compare(time.Time{}, time.Time{}); got.Found != 0 &&
					(c.then == nil || got.Found > 1 || got.Differences[0].Code != completeness.DiffTotalDiffers) {
					t.Errorf("%+v", got.Differences)
				}
			})
		})
	}
	t.Run("after it was read", func(t *testing.T) {
		within(t, func(t *testing.T, w *world, s *sender) {
			id, first := w.sell(groceries)
			w.person(first, "void", "")
			w.poll()
			w.attention(id, "saleVoided")
			time.Sleep(time.Hour)
			w.person(first, "copy", "")
			w.poll()
			follow(w, id)
			calls := len(w.coreCalls(time.Time{}))
			w.poll()
			if n := len(w.coreCalls(time.Time{})) - calls; n > 1 {
				t.Errorf("%d calls of a poll that brings nothing", n)
			}
		})
	})
	t.Run("after a parcel was told", func(t *testing.T) {
		within(t, func(t *testing.T, w *world, s *sender) {
			id, first := w.sell(groceries)
			w.person(first, "ship", `{"boxes":["A"],"of":["A","B"],"trackingNumber":"T-1"}`)
			w.poll()
			w.person(first, "copy", "")
			w.person(first, "void", "")
			w.poll()
			w.attention(id, "saleVoided", "SO-00002", "Upstock was told of shipments")
			w.attention(id, "shipmentUndone")
			calls := len(w.coreCalls(time.Time{}))
			w.poll()
			w.poll()
			if n := len(w.coreCalls(time.Time{})) - calls; n > 2 {
				t.Errorf("%d calls of two polls that bring nothing", n)
			}
		})
	})
	t.Run("cancelled later", func(t *testing.T) {
		within(t, func(t *testing.T, w *world, s *sender) {
			w.change(void)
			id, first := w.sell(groceries)
			w.person(first, "copy", "")
			w.person(first, "void", "")
			w.poll()
			follow(w, id)
			w.cancel(id)
			w.turn(30 * time.Minute)
			w.attention(id, "cancelledAfterWork", "SO-00002", "a person made it")
			if len(w.live(id)) != 1 {
				t.Error("a person's copy was voided")
			}
		})
	})
	t.Run("before it had its lines", func(t *testing.T) {
		for _, lines := range []bool{true, false} {
			within(t, func(t *testing.T, w *world, s *sender) {
				w.fault(sim.Fault{Match: "POST /sale/order", Kind: "throttle", How: "429", RetryAfter: "60"})
				id := w.approve(groceries)
				synctest.Wait()
				first := w.sale(id).ID
				w.person(first, "copy", "")
				second := w.sales(id)[1].ID
				if lines {
					w.person(second, "lines", basket)
				}
				w.person(first, "void", "")
				theirs := w.sales(id)
				w.settle(id, horizon)
				if now := w.sales(id); !slices.Equal(now, theirs) {
					t.Fatalf("they left %+v, now it is %+v", theirs, now)
				}
				if lines {
					follow(w, id)
				} else {
					w.attention(id, "saleVoided", "SO-00002", "does not hold the order's goods")
				}
			})
		}
	})
}

// TestReadsBehind: a read that shows an order as it was before an approval that
// was heard of decides nothing by itself.
func TestReadsBehind(t *testing.T) {
	t.Run("cancelled before it was approved again", func(t *testing.T) {
		for _, sold := range []bool{false, true} {
			within(t, func(t *testing.T, w *world, s *sender) {
				w.change(void)
				id := w.place(groceries)
				first := time.Now()
				doc := w.inUpstock(id, `{"status":"processing","approvedAt":%s}`, stamp(first))
				if !sold {
					doc = edited(t, doc, `currency="XXX"`)
				}
				s.must(http.StatusAccepted, s.occurred(upstock.OrderApproved, doc, first))
				w.settle(id, horizon)
				time.Sleep(time.Minute)
				stale := w.inUpstock(id, `{"status":"cancelled"}`)
				time.Sleep(time.Minute)
				last := time.Now()
				now := edited(t, stale, `status="processing"`, "approvedAt="+stamp(last))
				s.must(http.StatusAccepted, s.occurred(upstock.OrderApproved, now, last)) // reads are behind
				if sold {
					s.must(http.StatusAccepted, s.occurred(upstock.OrderCancelled, stale, first.Add(time.Minute)))
				}
				w.turn(time.Minute)
				if len(w.live(id)) == 0 && sold {
					t.Fatalf("voided by what was read of before\n%s", timeline(w.run(id)))
				}
				w.inUpstock(id, `{"status":"processing","approvedAt":%s}`, stamp(last))
				w.turn(30 * time.Minute)
				if r := w.sold(id); r.State != order.Sold || len(w.sales(id)) != 1 {
					t.Errorf("%s\n%s", r.State, timeline(r))
				}
			})
		}
	})
	t.Run("a cancelled order shows no approval", func(t *testing.T) {
		within(t, func(t *testing.T, w *world, s *sender) {
			w.change(void)
			id, _ := w.sell(groceries)
			doc := w.inUpstock(id, `{"status":"cancelled","approvedAt":null}`)
			s.must(http.StatusAccepted, s.occurred(upstock.OrderCancelled, doc, time.Now()))
			w.turn(10 * time.Minute)
			if r := w.run(id); r.State != order.Cancelled || len(w.live(id)) > 0 {
				t.Errorf("%s %v\n%s", r.State, r.Problems, timeline(r))
			}
		})
	})
	t.Run("a cancellation dated far ahead", func(t *testing.T) {
		within(t, func(t *testing.T, w *world, s *sender) {
			id := w.place(groceries)
			first := time.Now()
			doc := w.inUpstock(id, `{"status":"processing","approvedAt":%s}`, stamp(first))
			s.must(http.StatusAccepted, s.occurred(upstock.OrderCancelled, edited(t, doc, `status="cancelled"`),
				first.AddDate(0, 1, 0)))
			time.Sleep(time.Minute)
			last := time.Now()
			doc = w.inUpstock(id, `{"approvedAt":%s}`, stamp(last))
			s.must(http.StatusAccepted, s.occurred(upstock.OrderApproved, doc, last))
			w.turn(30 * time.Minute)
			w.sold(id)
		})
	})
	t.Run("shipped meanwhile by other means", func(t *testing.T) {
		within(t, func(t *testing.T, w *world, s *sender) {
			id := w.place(groceries)
			doc := w.inUpstock(id, `{"status":"cancelled"}`)
			s.must(http.StatusAccepted, s.occurred(upstock.OrderCancelled, doc, time.Now()))
			time.Sleep(time.Minute)
			last := time.Now()
			doc = w.inUpstock(id, `{"status":"shipped","approvedAt":%s}`, stamp(last))
			s.must(http.StatusAccepted, s.occurred(upstock.OrderApproved, edited(t, doc, `status="processing"`), last))
			w.turn(30 * time.Minute)
			if w.attention(id, "shippedAlready"); len(w.sales(id)) > 0 {
				t.Errorf("sales %+v", w.sales(id))
			}
		})
	})
}

// TestVoidOfADroppedCancellation: a sale is not to be voided for a cancellation
// that counts no more, or of which that is not known yet: what an earlier version
// noted so is put right by one reading, and nothing is read again and again.
func TestVoidOfADroppedCancellation(t *testing.T) {
	for name, noted := range map[string]func(*order.Order){
		"dropped": func(r *order.Order) {},
		"open": func(r *order.Order) {
			now := time.Now().UTC()
			r.Cancelled, r.Occurred, r.Unsettled, r.Ask = now, r.Approved.Add(-time.Minute), now, now
		},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				id := w.approve(groceries)
				w.settle(id, time.Hour)
				start := since()
				w.edit(id, func(r *order.Order) {
					noted(r)
					r.Void, r.Asked, r.Next = true, r.Asked+1, time.Now().UTC()
				})
				w.turn(time.Hour)
				r := w.run(id)
				if r.Void || r.State != order.Sold || !r.Cancelled.IsZero() || len(w.live(id)) != 1 {
					t.Errorf("%s, to be voided: %t, cancelled: %v, %d sales", r.State, r.Void, r.Cancelled,
						len(w.live(id)))
				}
				if n := w.count("GET /sale", start); n > 4 {
					t.Errorf("the sale was read %d times", n)
				}
			})
		})
	}
}

// TestCompletenessAdvisesNoSecondSale: where a sale is known that may be the
// order's, nothing that a check advises makes another.
func TestCompletenessAdvisesNoSecondSale(t *testing.T) {
	none := func(w *world, c completeness.Report, names string) {
		w.t.Helper()
		for _, d := range c.Differences {
			text := strings.ToLower(d.Fix)
			if !strings.Contains(d.Message+d.Fix, names) || strings.Contains(text, "enter it") ||
				strings.Contains(text, "new sale") || strings.Contains(text, "backfill it") {
				w.t.Errorf("%s: %s %s", d.Code, d.Message, d.Fix)
			}
		}
		if c.Found == 0 {
			w.t.Error("no difference")
		}
	}
	t.Run("a copy that is not followed", func(t *testing.T) {
		within(t, func(t *testing.T, w *world, s *sender) {
			id, first := w.sell(groceries)
			w.person(first, "copy", "")
			w.person(w.sales(id)[1].ID, "lines", other)
			w.person(first, "void", "")
			none(w, w.compare(time.Time{}, time.Time{}), "SO-00002")
		})
	})
	t.Run("an unsold order with a copy", func(t *testing.T) {
		within(t, func(t *testing.T, w *world, s *sender) {
			w.fault(sim.Fault{Match: "POST /sale/order", Kind: "throttle", How: "429", RetryAfter: "60"})
			id := w.approve(groceries)
			synctest.Wait()
			first := w.sale(id).ID
			w.person(first, "copy", "")
			w.person(first, "void", "")
			w.settle(id, horizon)
			none(w, w.compare(time.Time{}, time.Time{}), "SO-00002")
		})
	})
	t.Run("shown as sold", func(t *testing.T) {
		within(t, func(t *testing.T, w *world, s *sender) {
			id := w.listed(time.Now().Add(-90*time.Minute), "") // before Upstock was connected
			w.putOrder(id, "external", `{"system":"cin7core","number":"SO-07777"}`)
			none(w, w.compare(time.Now().Add(-3*time.Hour), time.Now()), "SO-07777")
		})
	})
	t.Run("nothing known", func(t *testing.T) {
		within(t, func(t *testing.T, w *world, s *sender) {
			_, first := w.sell(groceries)
			w.person(first, "void", "")
			c := w.compare(time.Time{}, time.Time{})
			if c.Counts.Missing != 1 || !strings.Contains(c.Differences[0].Fix, "looks in Cin7 Core first") {
				t.Errorf("%+v", c)
			}
		})
	})
}

// TestVoidedWhileAsked: a person voids the sale of an order while Upstock is asked
// whether it is cancelled, and a reading sees that. Whatever Upstock says then, it counts.
func TestVoidedWhileAsked(t *testing.T) {
	for _, setting := range []string{sale.Tell, sale.Void} {
		for _, revived := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, revived %t", setting, revived), func(t *testing.T) {
				within(t, func(t *testing.T, w *world, s *sender) {
					w.change(func(set *sale.Settings) { set.OnCancel = setting })
					id, sale := w.sell(groceries)
					w.upstockFault(sim.Fault{Match: fmt.Sprintf("GET /orders/%d", id), Kind: "before", How: "503",
						Times: -1})
					w.cancel(id)
					synctest.Wait()
					w.person(sale, "void", "{}")
					for range 3 {
						w.poll()
					}
					r := w.run(id)
					if !r.CancelOpen() || r.ReadingDue() || r.State != order.Sold {
						t.Fatalf("%s, open %t, to be read %t\n%s", r.State, r.CancelOpen(), r.ReadingDue(), timeline(r))
					}
					w.says(strings.Join(r.Said, " "), "SO-00001 was voided")
					w.sim.ClearFaults(sim.Upstock)
					if revived {
						again := time.Now()
						doc := w.inUpstock(id, `{"status":"processing","approvedAt":%s}`, stamp(again))
						s.must(http.StatusAccepted, s.occurred(upstock.OrderApproved, doc, again))
					}
					w.turn(30 * time.Minute)
					if revived {
						w.attention(id, "saleVoided", "SO-00001")
					} else if r := w.run(id); r.State != order.Cancelled || len(r.Problems) > 0 ||
						strings.Contains(strings.Join(r.Said, " "), "sale stands") {
						t.Errorf("%s %v, said %q\n%s", r.State, r.Problems, r.Said, timeline(r))
					}
				})
			})
		}
	}
}

// TestCancelWithoutConnection: a cancellation that Upstock cannot be asked about,
// as a connection does not work, needs a person after an hour, and nobody once
// it works again.
func TestCancelWithoutConnection(t *testing.T) {
	upstockKey := func(w *world) vendor.Credentials {
		return vendor.Credentials{Key: tenant.Secret(w.acc.Upstock.Token)}
	}
	for _, c := range []struct {
		name    string
		sys     tenant.System
		off, on func(w *world, s *sender)
		says    string
		before  bool // the cancellation came before
	}{
		{"the key refused", tenant.Upstock, func(w *world, _ *sender) { w.revokeUpstock(true) },
			func(w *world, _ *sender) {
				w.revokeUpstock(false)
				w.connect(tenant.Upstock, upstockKey(w))
			}, "Upstock refused the key. Save a new key", false},
		{"not connected", tenant.Upstock, func(w *world, _ *sender) {
			if err := w.vendorTable().Disconnect(context.Background(), w.tenant, tenant.Upstock); err != nil {
				w.t.Fatal(err)
			}
		}, func(w *world, s *sender) {
			key := tenant.Secret(w.acc.Upstock.Token)
			w.connect(tenant.Upstock, vendor.Credentials{Key: key, WebhookSecret: s.secret})
		}, "Upstock is not connected. Connect it", true},
	} {
		for _, sold := range []bool{true, false} {
			for _, counts := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, sold %t, counts %t", c.name, sold, counts), func(t *testing.T) {
					within(t, func(t *testing.T, w *world, s *sender) {
						id, at, doc := w.processing(sold)
						s.must(http.StatusAccepted, s.occurred(upstock.OrderApproved, doc, at))
						synctest.Wait()
						time.Sleep(time.Minute)
						cancelled := time.Now()
						if counts {
							w.inUpstock(id, `{"status":"cancelled"}`)
						} else {
							w.inUpstock(id, `{"approvedAt":%s}`, stamp(cancelled.Add(time.Second)))
						}
						delivery := s.occurred(upstock.OrderCancelled, edited(t, doc, `status="cancelled"`), cancelled)
						if c.before { // what was heard of before it was taken away
							w.upstockFault(sim.Fault{Match: fmt.Sprintf("GET /orders/%d", id), Kind: "before",
								How: "503", Times: 1})
							s.must(http.StatusAccepted, delivery)
							synctest.Wait()
						}
						c.off(w, s)
						if !c.before {
							s.must(http.StatusAccepted, delivery)
							synctest.Wait()
						}
						w.turn(50 * time.Minute)
						if w.run(id).State == ledger.Attention {
							t.Fatalf("a person is asked too soon\n%s", timeline(w.run(id)))
						}
						w.turn(70 * time.Minute)
						w.attention(id, "cancelUnclear", "for an hour it could not be found out whether it counts",
							c.says, "by itself")
						w.says(w.run(id).Problems[0].Fix, "Connect Upstock again", "by itself")
						w.turn(30 * time.Hour) // it does not end, and is not tried again and again
						r := w.run(id)
						if live := w.live(id); r.State != ledger.Attention || !r.Parked || r.Attempts > 40 ||
							len(live) != 1 || live[0].Lines > 0 != sold {
							t.Fatalf("%s, parked %t, %d attempts, sales %+v\n%s", r.State, r.Parked, r.Attempts,
								w.sales(id), timeline(r))
						}
						w.sim.ClearFaults(sim.Cin7Core)
						c.on(w, s)
						w.turn(10 * time.Minute)
						r = w.run(id)
						want, lines := order.Cancelled, 0
						if !counts {
							want, lines = order.Sold, 1
						}
						if live := w.live(id); r.State != want || len(live) != lines || len(r.Problems) > 0 ||
							r.CancelOpen() || r.Parked {
							t.Errorf("%s %v, sales %+v\n%s", r.State, r.Problems, w.sales(id), timeline(r))
						}
					})
				})
			}
		}
	}
}

// TestCancelWhileParked: an order that waits for one system's key is asked about
// at the other when it is cancelled.
func TestCancelWhileParked(t *testing.T) {
	within(t, func(t *testing.T, w *world, s *sender) {
		w.change(void)
		id, _ := w.sell(groceries)
		w.account(`{"revoked":true}`)
		w.amend(id, func(r *order.Order) { r.Asked++; r.Next = time.Now().UTC() }) // it meets the refused key
		w.turn(10 * time.Minute)
		if r := w.run(id); !r.Parked {
			t.Fatalf("not parked\n%s", timeline(r))
		}
		doc := w.inUpstock(id, `{"status":"cancelled"}`)
		s.must(http.StatusAccepted, s.occurred(upstock.OrderCancelled, doc, time.Now()))
		w.turn(10 * time.Minute)
		if r := w.run(id); r.CancelOpen() || r.Confirmed.IsZero() || !r.Parked {
			t.Errorf("open %t, confirmed %s, parked %t\n%s", r.CancelOpen(), r.Confirmed, r.Parked, timeline(r))
		}
		w.account(`{"revoked":false}`)
		w.connect(tenant.Cin7Core, w.coreKey())
		w.turn(10 * time.Minute)
		if r := w.run(id); r.State != order.Cancelled || len(w.live(id)) > 0 {
			t.Errorf("%s, sales %+v\n%s", r.State, w.sales(id), timeline(r))
		}
	})
}
