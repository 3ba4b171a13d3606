package upstockcin7_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/app"
	"stockbridge/internal/ledger"
	"stockbridge/internal/sim"
	simupstock "stockbridge/internal/sim/upstock"
	"stockbridge/internal/table"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
)

// unsellable places an order one of whose lines Cin7 Core refuses, until mended.
func unsellable(w *world) (id int, mend func()) {
	id = w.place(groceries)
	_, products := w.ids(id)
	set := func(status string) {
		w.control(http.MethodPut, "/sim/cin7core/products/"+products[1], `{"Status":"`+status+`"}`)
	}
	set("Deprecated")
	return id, func() { set("Active") }
}

// TestVoidInDoubt: a void without an answer is doubt. Nothing is made or taken
// up before it is known what became of it, and a sale that we voided is not
// followed by another one unless a person wants it.
func TestVoidInDoubt(t *testing.T) {
	for name, f := range map[string]sim.Fault{
		"takes effect, the answer is lost":      {Kind: "after"},
		"takes effect, the answer is no JSON":   {Kind: "after", How: "html"},
		"takes effect, the answer is a 500":     {Kind: "after", How: "500"},
		"takes effect later":                    {Kind: "late", Seconds: 100},
		"does not take effect":                  {Kind: "before", How: "502"},
		"takes effect, after the time for that": {Kind: "late", Seconds: 300},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				id, mend := unsellable(w)
				f.Match, f.Times = "DELETE /sale", -1
				w.fault(f)
				must[simupstock.OrderSummary](w)(w.simUpstock.Approve(id))
				w.settle(id, horizon)
				w.turn(2 * time.Hour) // late looks
				if n := len(w.sales(id)); n != 1 {
					t.Fatalf("%d sales of one order\n%s", n, timeline(w.run(id)))
				}
				sale := w.sale(id)
				w.attention(id, "refused", "GRN-TST")
				if f.Kind != "before" && sale.Status != "VOIDED" {
					t.Errorf("it stands: %+v", sale)
				}
				if f.Kind == "before" {
					w.attention(id, "gaveUp", sale.Number) // it names what stands
				}
				w.sim.ClearFaults(sim.Cin7Core)
				mend()
				w.retry(id, false)
				if sale.Status == "VOIDED" {
					w.soldAnew(id, 1)
				} else {
					w.sold(id)
				}
			})
		})
	}
}

// TestFoundAndVoided: a sale that was found, as its create was never answered, and
// was voided as Cin7 Core refused its lines, is not followed by another one either.
func TestFoundAndVoided(t *testing.T) {
	for _, void := range []string{"answered", "after"} {
		t.Run(void, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				id, mend := unsellable(w)
				w.fault(sim.Fault{Match: "POST /sale", Kind: "after", How: "502"})
				if void != "answered" {
					w.fault(sim.Fault{Match: "DELETE /sale", Kind: void})
				}
				must[simupstock.OrderSummary](w)(w.simUpstock.Approve(id))
				w.settle(id, horizon)
				w.turn(2 * time.Hour)
				if n := len(w.sales(id)); n != 1 || w.sale(id).Status != "VOIDED" {
					t.Fatalf("%d sales of one order\n%s", n, timeline(w.run(id)))
				}
				w.attention(id, "refused", "GRN-TST")
				mend()
				w.retry(id, false)
				w.soldAnew(id, 1)
			})
		})
	}
}

// TestRetriedDuringVoid: a person's retry while a void is in doubt waits for what became of it.
func TestRetriedDuringVoid(t *testing.T) {
	for _, kind := range []string{"late", "before"} {
		t.Run(kind, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				id, mend := unsellable(w)
				w.fault(sim.Fault{Match: "DELETE /sale", Kind: kind, Seconds: 100})
				must[simupstock.OrderSummary](w)(w.simUpstock.Approve(id))
				synctest.Wait()
				w.waits(id)
				mend()
				w.retry(id, false)
				w.turn(2 * time.Hour)
				w.soldAnew(id, 1)
			})
		})
	}
}

// TestRetriedLongBeforeTheVoid: a person's retry once a void was sent is for one more
// sale, and for no second one, however long it takes until the void takes effect.
func TestRetriedLongBeforeTheVoid(t *testing.T) {
	for _, mended := range []bool{true, false} {
		t.Run(fmt.Sprintf("mended %t", mended), func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				id, mend := unsellable(w)
				w.fault(sim.Fault{Match: "DELETE /sale", Kind: "before", How: "502"})
				must[simupstock.OrderSummary](w)(w.simUpstock.Approve(id))
				synctest.Wait()
				w.waits(id)
				w.fault(sim.Fault{Match: "GET /sale", Kind: "before", How: "503", Times: -1})
				if mended {
					mend()
				}
				if err := w.pair().Retry(t.Context(), w.tenant, strconv.Itoa(id),
					upstockcin7.RetryOptions{}); err != nil {
					t.Fatal(err)
				}
				w.turn(90 * time.Minute)
				if sale := w.sale(id); sale.Status == "VOIDED" {
					t.Fatalf("it is voided already: %+v\n%s", sale, timeline(w.run(id)))
				}
				w.sim.ClearFaults(sim.Cin7Core)
				w.turn(3 * time.Hour)
				if mended {
					w.soldAnew(id, 1)
					return
				}
				w.attention(id, "refused", "GRN-TST")
				if n := len(w.sales(id)); n != 2 {
					t.Errorf("%d sales were made\n%s", n, timeline(w.run(id)))
				}
				for _, sale := range w.sales(id) {
					if sale.Status != "VOIDED" {
						t.Errorf("it stands: %+v", sale)
					}
				}
			})
		})
	}
}

// TestRefusedLinesWithoutBudget: a header whose lines were refused is voided
// first, though the budget, the worker or the vendor gives out in between.
func TestRefusedLinesWithoutBudget(t *testing.T) {
	for name, spoil := range map[string]func(w *world){
		"throttled while it is read": func(w *world) {
			w.fault(sim.Fault{Match: "GET /sale", Kind: "throttle",
				RetryAfter: "90"})
		},
		"throttled while it is voided": func(w *world) {
			w.fault(sim.Fault{Match: "DELETE /sale", Kind: "throttle",
				RetryAfter: "90"})
		},
		"down": func(w *world) {
			w.fault(sim.Fault{Match: "GET /sale", Kind: "before",
				How: "502", Times: 3})
		},
		"the worker dies": func(w *world) { w.spoil(voidSale, 1, die) },
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				id, mend := unsellable(w)
				spoil(w)
				must[simupstock.OrderSummary](w)(w.simUpstock.Approve(id))
				synctest.Wait()
				mend() // were the lines written again, they would be taken
				w.settle(id, horizon)
				w.attention(id, "refused", "GRN-TST")
				if s := w.sale(id); s.Status != "VOIDED" {
					t.Errorf("%+v\n%s", s, timeline(w.run(id)))
				}
			})
		})
	}
}

// TestFewCreates: a create that is never answered, and never makes a sale, is
// tried a few times, further and further apart; then a person is asked.
func TestFewCreates(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.fault(sim.Fault{Match: "POST /sale", Kind: "before", How: "500", Times: -1})
		start := time.Now()
		id := w.approve(groceries)
		w.settle(id, horizon)
		w.attention(id, "gaveUp", "5 times", "No sale of this order is known")
		r := w.run(id)
		if last, watches := r.Intents[len(r.Intents)-1],
			r.Watches; len(watches) == 0 || watches[len(watches)-1].Before(last.At.Add(time.Hour)) {
			t.Errorf("created last at %s, looked for until %s", last.At, watches)
		}
		if took := time.Since(start); took < time.Hour {
			t.Errorf("given up after %s", took)
		}
		if calls := strings.Count(strings.Join(w.coreCalls(start), "\n"), "POST /sale"); calls != 5 {
			t.Errorf("%d creates", calls)
		}
		w.sim.ClearFaults(sim.Cin7Core)
		w.retry(id, false)
		w.sold(id)
	})
}

// TestRunStaysSmall: a run that is retried very often stays an item of the
// table that is cheap to write, and what was tried is still counted. A thousand
// retries have their test in package ledger.
func TestRunStaysSmall(t *testing.T) {
	testsize.Unraced(t)
	sizedStory(t, func(t *testing.T, w *world) {
		rounds := testsize.Of(150, 40, 40)
		id, _ := unsellable(w)
		must[simupstock.OrderSummary](w)(w.simUpstock.Approve(id))
		w.settle(id, horizon)
		largest := 0
		for n := range rounds {
			w.retry(id, false)
			w.attention(id, "refused")
			r := w.run(id)
			if total := len(r.Intents) + r.Past.Intents; total != 3*(n+2) {
				t.Fatalf("round %d: %d intents are counted", n, total)
			}
			items, err := w.store.Get(t.Context(),
				table.Key{PK: "T#" + w.tenant + "#order", SK: fmt.Sprintf("%020d", id)})
			if err != nil || len(items) != 1 {
				t.Fatal(items, err)
			}
			largest = max(largest, len(items[0].Data))
		}
		if largest > 100_000 {
			t.Errorf("the run grew to %d bytes", largest)
		}
		t.Logf("%d retries, %d sales, %d bytes at most, %d intents kept", rounds, len(w.sales(id)), largest,
			len(w.run(id).Intents))
		if s := len(w.live(id)); s != 0 {
			t.Errorf("%d sales stand", s)
		}
	})
}

// TestManyUnansweredLines: lines that are never answered are tried a bounded
// number of times, and the sale that stands without them is named.
func TestManyUnansweredLines(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.fault(sim.Fault{Match: "POST /sale/order", Kind: "before", How: "500", Times: -1})
		start := time.Now()
		id := w.approve(groceries)
		for range 2 {
			w.settle(id, 2*24*time.Hour)
			w.attention(id, "gaveUp", "20 attempts", w.sale(id).Number)
			if err := w.pair().Retry(t.Context(), w.tenant, strconv.Itoa(id), upstockcin7.RetryOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if calls := strings.Count(strings.Join(w.coreCalls(start), "\n"), "POST /sale/order"); calls < 20 ||
			calls > 41 {
			t.Errorf("%d tries", calls)
		}
		w.sim.ClearFaults(sim.Cin7Core)
		w.settle(id, horizon)
		w.sold(id)
	})
}

// TestDeadLettersMidWork: letters that die while a worker is at the order are no reason to stop it.
func TestDeadLettersMidWork(t *testing.T) {
	for _, match := range []string{"/sale", "/sale/order"} {
		t.Run(match, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				id := w.place(groceries)
				letters := 0
				w.instead = func(req *http.Request, _ []byte) *http.Response {
					for ; letters < 3 && req.Method == http.MethodPost &&
						strings.HasSuffix(req.URL.Path, match); letters++ {
						body := fmt.Sprintf(`{"tenant":%q,"order":"%d","origin":"sweep"}`, w.tenant, id)
						w.process("deadletters").app.DeadLetters(t.Context(), []app.Message{{ID: "m", Body: body}})
					}
					return nil
				}
				must[simupstock.OrderSummary](w)(w.simUpstock.Approve(id))
				w.settle(id, horizon)
				if r := w.sold(id); letters != 3 || r.Dead != 0 {
					t.Errorf("%d letters, %d counted", letters, r.Dead)
				}
				if n := len(w.eventTexts("deadLetter")); n != 3 {
					t.Errorf("%d events", n)
				}
			})
		})
	}
}

// TestWatchedAfterVoid: a void that comes so late that its sale has been sold
// is noticed, and a person asked; no other sale is made.
func TestWatchedAfterVoid(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id, mend := unsellable(w)
		w.fault(sim.Fault{Match: "DELETE /sale", Kind: "before", How: "502", Times: 1})
		w.fault(sim.Fault{Match: "DELETE /sale", Kind: "late", Seconds: 480, Times: 1})
		w.fault(sim.Fault{Match: "DELETE /sale", Kind: "before", How: "502", Times: -1})
		must[simupstock.OrderSummary](w)(w.simUpstock.Approve(id))
		start := time.Now()
		for (w.run(id) == nil || w.run(id).State != ledger.Attention) && time.Since(start) < 7*time.Minute {
			w.turn(20 * time.Second)
		}
		mend()
		w.turn(3 * time.Hour)
		if n := len(w.sales(id)); n != 1 {
			t.Errorf("%d sales\n%s", n, timeline(w.run(id)))
		}
		if r := w.run(id); r.State != ledger.Attention {
			t.Errorf("%s\n%s", r.State, timeline(r))
		}
	})
}

// TestVoidFromTheIce: a worker that was frozen while it voided a cancelled
// order's sale comes back when the order was approved again and its sale taken
// up. What it did shows in a reading: the order has one sale, or a person is asked.
func TestVoidFromTheIce(t *testing.T) {
	for _, sold := range []bool{false, true} {
		t.Run(fmt.Sprint("sold ", sold), func(t *testing.T) {
			within(t, func(t *testing.T, w *world, s *sender) {
				w.change(void)
				var id int
				if sold {
					id, _ = w.sell(groceries)
				} else {
					id = headerMade(w)
				}
				w.mu.Lock()
				w.frozen = true
				w.mu.Unlock()
				w.spoil(voidSale, w.seen[voidSale]+1, freeze)
				w.cancel(id)
				w.turn(20 * time.Second)
				now := time.Now()
				doc := w.inUpstock(id, `{"status":"processing","approvedAt":%s}`, stamp(now))
				s.must(http.StatusAccepted, s.occurred(upstock.OrderApproved, doc, now))
				w.turn(7 * time.Minute)
				if r := w.run(id); r.SoldAt.IsZero() || !r.Cancelled.IsZero() || len(w.live(id)) != 1 {
					t.Fatalf("it is not taken up: %s, cancelled %s, %+v\n%s", r.State, r.Cancelled, w.sales(id),
						timeline(r))
				}
				w.turn(3 * time.Hour)
				r := w.run(id)
				switch live := w.live(id); {
				case len(w.sales(id))-len(live) == 0:
					t.Fatalf("nothing was voided: this test says nothing\n%s", timeline(r))
				case len(live) == 1 && r.State == order.Sold && r.SaleID == live[0].ID:
				case len(live) == 0 && r.State == ledger.Attention && len(r.Problems) > 0:
				default:
					t.Errorf("%s %q of %+v: %+v\n%s", r.State, r.SaleNumber, w.sales(id), r.Problems, timeline(r))
				}
			})
		})
	}
}
