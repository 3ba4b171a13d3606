package upstockcin7_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/sim"
	simupstock "stockbridge/internal/sim/upstock"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
)

// What people do between two of our steps: they void, edit and enter sales by
// hand, and retry at any moment.

// refusedThenMended leaves an order whose lines were refused and whose header we voided; its cause is gone.
func refusedThenMended(w *world) (id int) {
	w.t.Helper()
	id, mend := unsellable(w)
	must[simupstock.OrderSummary](w)(w.simUpstock.Approve(id))
	w.settle(id, horizon)
	w.attention(id, "refused", "GRN-TST")
	mend()
	return id
}

// TestPersonVoidsWhatWeCouldNot: a sale that we tried to void in vain is voided
// by a person after their retry: that is not our doing, so no other one is made by itself.
func TestPersonVoidsWhatWeCouldNot(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id, mend := unsellable(w)
		w.fault(sim.Fault{Match: "DELETE /sale", Kind: "before", How: "502", Times: -1})
		must[simupstock.OrderSummary](w)(w.simUpstock.Approve(id))
		w.settle(id, horizon)
		w.attention(id, "gaveUp")
		w.sim.ClearFaults(sim.Cin7Core)
		mend()
		w.fault(sim.Fault{Match: "POST /sale/order", Kind: "throttle", RetryAfter: "90"})
		if err := w.pair().Retry(t.Context(), w.tenant, strconv.Itoa(id), upstockcin7.RetryOptions{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.person(w.sale(id).ID, "void", "")
		w.settle(id, horizon)
		w.attention(id, "saleVoided", w.sale(id).Number)
		w.retry(id, true)
		w.soldAnew(id, 1)
	})
}

// TestRetriedBeforeTheRefusal: a retry while the lines are on their way was no
// wish for another sale, as nobody knew yet that they would be refused.
func TestRetriedBeforeTheRefusal(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id, mend := unsellable(w)
		pressed := false
		w.around = func(_ *process, req *http.Request, do func() (*http.Response, error)) (*http.Response, error) {
			resp, err := do()
			if !pressed && req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/sale/order") {
				pressed = true
				if err := w.pair().Retry(t.Context(), w.tenant, strconv.Itoa(id),
					upstockcin7.RetryOptions{}); err != nil {
					t.Error(err)
				}
			}
			return resp, err
		}
		must[simupstock.OrderSummary](w)(w.simUpstock.Approve(id))
		w.settle(id, horizon)
		w.turn(2 * time.Hour)
		w.attention(id, "refused", "GRN-TST")
		if n := len(w.sales(id)); n != 1 {
			t.Fatalf("%d sales were made\n%s", n, timeline(w.run(id)))
		}
		mend()
		w.retry(id, false)
		w.soldAnew(id, 1)
	})
}

// TestEditedBeforeItIsVoided: somebody took a header over whose lines were refused, before it was voided: it stands.
func TestEditedBeforeItIsVoided(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id, _ := unsellable(w)
		w.fault(sim.Fault{Match: "DELETE /sale", Kind: "throttle", RetryAfter: "90"})
		must[simupstock.OrderSummary](w)(w.simUpstock.Approve(id))
		synctest.Wait()
		w.core(http.MethodPut, "/sale", fmt.Sprintf(`{"ID":%q,"ShippingNotes":"Call before you deliver"}`,
			w.sale(id).ID))
		w.settle(id, horizon)
		if s := w.sale(id); s.Status == "VOIDED" {
			t.Errorf("a person's work was voided: %+v\n%s", s, timeline(w.run(id)))
		}
		w.attention(id, "refused", "GRN-TST")
		w.attention(id, "changedByOthers", w.sale(id).Number)
	})
}

// TestEditedWhileItIsRead: what a sale showed a while before it came to us is no ground to void it.
func TestEditedWhileItIsRead(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id, _ := unsellable(w)
		w.fault(sim.Fault{Match: "GET /sale", Kind: "slow", Seconds: 12})
		must[simupstock.OrderSummary](w)(w.simUpstock.Approve(id))
		time.Sleep(5 * time.Second)
		w.person(w.sale(id).ID, "notes", `{"text":"Ring before you come."}`)
		w.settle(id, horizon)
		if s := w.sale(id); s.Status == "VOIDED" {
			t.Errorf("a person's work was voided: %+v\n%s", s, timeline(w.run(id)))
		}
		w.attention(id, "changedByOthers", w.sale(id).Number)
	})
}

// TestCopyOfAHeader: a create without an answer made a header, and a person copied
// it before it was looked for. One create accounts for one void of ours: the copy
// is theirs and stands, equal to what we sent as it is.
func TestCopyOfAHeader(t *testing.T) {
	copied := func(w *world, id int) {
		w.t.Helper()
		must[simupstock.OrderSummary](w)(w.simUpstock.Approve(id))
		synctest.Wait()
		w.person(w.sale(id).ID, "copy", "")
	}
	stands := func(w *world, id int) {
		w.t.Helper()
		sales := w.sales(id)
		if len(sales) != 2 || sales[0].Status != "VOIDED" || sales[1].Status == "VOIDED" || sales[1].Lines > 0 {
			w.t.Fatalf("%+v\n%s", sales, timeline(w.run(id)))
		}
		w.attention(id, "changedByOthers", sales[1].Number)
	}
	t.Run("cancelled", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.fault(sim.Fault{Match: "POST /sale", Kind: "after", How: "502"})
			id := w.place(groceries)
			copied(w, id)
			w.cancel(id)
			w.settle(id, horizon)
			w.turn(2 * time.Hour)
			stands(w, id)
			w.person(w.sales(id)[1].ID, "void", "")
			w.retry(id, true) // what it asks for; a cancelled order gets no sale all the same
			w.turn(time.Hour)
			if r := w.run(id); r.State != order.Cancelled || len(w.sales(id)) != 2 {
				t.Errorf("it is %s %v\n%s", r.State, r.Problems, timeline(r))
			}
		})
	})
	t.Run("its lines are refused", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.fault(sim.Fault{Match: "POST /sale", Kind: "after", How: "502"})
			id, _ := unsellable(w)
			copied(w, id)
			w.settle(id, horizon)
			w.turn(2 * time.Hour)
			stands(w, id)
		})
	})
}

// TestEnteredByHand: a sale that somebody entered by hand for the order, which
// the list does not give the order's id, is asked about wherever ours is voided.
func TestEnteredByHand(t *testing.T) {
	t.Run("before a retry", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			id := refusedThenMended(w)
			time.Sleep(time.Minute)
			w.byHand(id, "PO-4711")
			w.retry(id, false)
			w.attention(id, "unclearSales", "SO-00002")
			w.stands(id, "SO-00002")
			w.retryBeside(id, "SO-00002")
			w.soldAnew(id, 1)
		})
	})
	for _, ignored := range []bool{false, true} {
		t.Run(fmt.Sprintf("after the sold order's was voided, filter ignored %t", ignored), func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				id, sale := w.sell(groceries)
				time.Sleep(time.Minute)
				w.person(sale, "void", "")
				w.byHand(id, "PO-4711")
				if ignored {
					w.fault(sim.Fault{Match: "GET /saleList", Kind: "ignoreFilter", Times: -1})
				}
				w.poll()
				w.attention(id, "saleVoided", "SO-00001", "SO-00002")
				if r := w.run(id); r.ReadingDue() || !r.Next.IsZero() {
					t.Errorf("it is read again and again: next %s", r.Next)
				}
			})
		})
	}
}

// TestBlankBesideAVoided: a sale that the list does not say is the order's is
// found beside a voided one that it does say so of.
func TestBlankBesideAVoided(t *testing.T) {
	for _, kind := range []string{"after", "before"} {
		t.Run(kind, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				id := refusedThenMended(w)
				first := w.sale(id).ID
				w.altered = func(req *http.Request, doc map[string]any) {
					if !isSaleList(req) {
						return
					}
					var rows []any
					eachRow(doc, func(row map[string]any) {
						if row["SaleID"] != first {
							row["ExternalID"] = nil
						}
						// the filter looks at what the list shows
						if row["SaleID"] == first || !req.URL.Query().Has("ExternalID") {
							rows = append(rows, row)
						}
					})
					doc["SaleList"], doc["Total"] = rows, len(rows)
				}
				w.fault(sim.Fault{Match: "POST /sale", Kind: kind, How: "502"})
				w.retry(id, false)
				w.turn(2 * time.Hour)
				w.soldAnew(id, 1)
			})
		})
	}
}

// TestShippedButNotSaid: a sale that is answered without a word on shipping, though the list showed it shipped, is read
// again.
func TestShippedButNotSaid(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id, sale := w.sell(groceries)
		w.poll()
		w.person(sale, "ship", `{"trackingNumber":"T-1"}`)
		said := false
		w.altered = func(req *http.Request, doc map[string]any) {
			if isSale(req) && !said {
				said = true
				for _, field := range []string{"Fulfilments", "CombinedShippingStatus", "CombinedTrackingNumbers"} {
					delete(doc, field)
				}
			}
		}
		w.poll()
		w.turn(10 * time.Minute)
		w.is(id, order.Shipped, "T-1! shipped")
	})
}

// TestRetriesHoldUpNoSale: orders that people retried, and that Upstock is to be
// asked about first, keep no new one from the sweep while it takes no calls.
func TestRetriesHoldUpNoSale(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		now, l := time.Now().UTC(), order.NewBook(ledger.New(w.store))
		for n := range 400 {
			r := &order.Order{Run: ledger.Run{Tenant: w.tenant, ID: strconv.Itoa(700000 + n), State: ledger.Working,
				Received: now, Next: now.Add(time.Second)}, Supplier: strconv.Itoa(w.acc.Upstock.Supplier),
				Approved: now.Add(-time.Hour), Reread: true}
			must[*order.Order](w)(l.Receive(t.Context(), r, []byte(`{}`)))
		}
		w.upstockFault(sim.Fault{Match: "*", Kind: "throttle", RetryAfter: "60", Times: -1})
		w.turn(5 * time.Minute)
		w.fault(sim.Fault{Match: "POST /sale", Kind: "throttle"}) // its own pointer comes to nothing
		if d := w.awaitSold(w.approve(groceries), time.Hour); d > 5*time.Minute {
			t.Errorf("sold after %s", d)
		}
	})
}

// TestGivenToAnotherCustomer: the order's lines are not written into a sale that somebody made another customer's.
func TestGivenToAnotherCustomer(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		elsewhere, _ := w.ids(w.place(`{"customer":{"name":"Kererū Organics"}}`))
		id := w.place(groceries)
		customer, _ := w.ids(id)
		w.fault(sim.Fault{Match: "POST /sale", Kind: "after"})
		must[simupstock.OrderSummary](w)(w.simUpstock.Approve(id))
		synctest.Wait()
		sale := w.sale(id).ID
		w.core(http.MethodPut, "/sale", fmt.Sprintf(`{"ID":%q,"CustomerID":%q}`, sale, elsewhere))
		w.settle(id, horizon)
		w.attention(id, "changedByOthers", "SO-00001", "another customer")
		if s := w.sale(id); s.Lines > 0 || s.Status == "VOIDED" {
			t.Errorf("it was theirs: %+v", s)
		}
		w.core(http.MethodPut, "/sale", fmt.Sprintf(`{"ID":%q,"CustomerID":%q}`, sale, customer))
		w.retry(id, false)
		w.sold(id)
	})
}

// TestFoundOfAVoidedSale: what was found shipped of a sale, and could not be
// told before that sale was voided and the order sold anew, is never told.
func TestFoundOfAVoidedSale(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id, sale := w.sell(groceries)
		w.upstockFault(sim.Fault{Match: "*", Kind: "before", How: "503", Times: -1})
		w.person(sale, "ship", `{"trackingNumber":"T-1"}`)
		w.poll()
		if w.run(id).Kept == nil {
			t.Fatalf("it was told: %+v", w.run(id))
		}
		w.person(sale, "undo", "")
		w.person(sale, "void", "")
		if err := w.pair().Retry(t.Context(), w.tenant, strconv.Itoa(id), newSale()); err != nil {
			t.Fatal(err)
		}
		w.turn(5 * time.Minute)
		w.sim.ClearFaults(sim.Upstock)
		w.turn(30 * time.Minute)
		w.soldAnew(id, 1)
		w.is(id, order.Sold, "processing")
	})
}

// TestCancelledAndSoldOn: the sale of a cancelled order, which somebody gave to another customer, is not voided.
func TestCancelledAndSoldOn(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.change(void)
		elsewhere, _ := w.ids(w.place(`{"customer":{"name":"Kererū Organics"}}`))
		id, sale := w.sell(groceries)
		w.upstockFault(sim.Fault{Match: fmt.Sprintf("GET /orders/%d", id), Kind: "before", How: "503", Times: 2})
		w.cancel(id)
		synctest.Wait()
		w.core(http.MethodPut, "/sale", fmt.Sprintf(`{"ID":%q,"CustomerID":%q}`, sale, elsewhere))
		w.turn(30 * time.Minute)
		w.attention(id, "cancelledAfterWork", "SO-00001", "customer")
		if len(w.live(id)) != 1 {
			t.Errorf("it was theirs: %+v\n%s", w.sales(id), timeline(w.run(id)))
		}
	})
}
