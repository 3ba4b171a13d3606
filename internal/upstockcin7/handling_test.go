package upstockcin7_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/mutant"
	"stockbridge/internal/sim"
	simcin7core "stockbridge/internal/sim/cin7core"
	"stockbridge/internal/tenant"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
)

// press has a person want the goods of an order's sale picked, packed or shipped.
func (w *world) press(id int, wish upstockcin7.HandlingWish) error {
	ctx := ledger.WithActor(context.Background(), "Mere Parata")
	p := w.process("console")
	b, err := p.app.Tenants.Load(ctx, w.tenant)
	if err != nil {
		return err
	}
	err = p.app.Pair.Handle(ctx, b, strconv.Itoa(id), wish)
	if p.dead.Load() {
		return errDead
	}
	return err
}

// mustPress is press of what can be done, and the work on it.
func (w *world) mustPress(id int, to ledger.Step) {
	w.t.Helper()
	if err := w.press(id, upstockcin7.HandlingWish{To: to}); err != nil {
		w.t.Fatal(err)
	}
	w.turn(5 * time.Minute)
}

// plan is what a person is shown before they press.
func (w *world) plan(id int, to ledger.Step) upstockcin7.HandlingPlan {
	w.t.Helper()
	p := w.process("console")
	b := must[tenant.Bundle](w)(p.app.Tenants.Load(context.Background(), w.tenant))
	return must[upstockcin7.HandlingPlan](w)(p.app.Pair.PlanHandling(context.Background(), b, strconv.Itoa(id), to))
}

// handled counts the writes that picked, packed or shipped something.
func (w *world) handled() map[string]int {
	n := map[string]int{}
	for _, c := range w.sim.Calls(sim.Cin7Core, w.acc.Cin7Core.AccountID) {
		if step, ok := strings.CutPrefix(c.Path, "/sale/fulfilment/"); ok && c.Method == http.MethodPost &&
			c.Status == http.StatusOK {
			n[step]++
		}
	}
	return n
}

// authorisedSale sells an order whose sale nobody has begun to pick.
func (w *world) authorisedSale() (id int, saleID string) {
	w.t.Helper()
	w.change(func(s *sale.Settings) { s.OrderStatus = sale.Authorised })
	return w.sell(groceries)
}

// TestHandle: what a person presses is done, step by step or in one press, and what is shipped is told.
func TestHandle(t *testing.T) {
	t.Run("step by step", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			id, _ := w.authorisedSale()
			plan := w.plan(id, order.StepPick)
			if fmt.Sprint(plan.Why, plan.Goods) !=
				"[{SLT-FLK Flaky Sea Salt 250 g 3 } {GRN-TST Toasted Granola 1 kg 2 }]" {
				t.Errorf("%+v", plan)
			}
			for n, step := range order.HandlingSteps() {
				w.mustPress(id, step)
				if got := w.handled(); len(got) != n+1 {
					t.Fatalf("after %s: %v\n%s", step, got, timeline(w.run(id)))
				}
			}
			r := w.is(id, order.Shipped, "! shipped")
			w.says(timeline(r), "Mere Parata wants the goods", "are picked in Cin7 Core", "are packed", "are shipped")
			if !r.Finished() || r.Handling != nil || !r.Next.IsZero() {
				t.Errorf("%+v", r)
			}
			if got := w.eventTexts("handling"); len(got) != 3 {
				t.Errorf("%q", got)
			}
		})
	})
	t.Run("in one press, with tracking", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			id, _ := w.authorisedSale()
			plan := w.plan(id, order.StepShip)
			if len(plan.Steps) != 3 || !slices.Equal(plan.Boxes, []string{"Box 1"}) || len(plan.Left) > 0 {
				t.Errorf("%+v", plan)
			}
			before := len(w.coreCalls(time.Time{}))
			wish := upstockcin7.HandlingWish{To: order.StepShip, Seen: plan.Seen(), Carrier: "Overnight Kiwi",
				Tracking: map[string]string{"Box 1": "OK-77"}}
			if err := w.press(id, wish); err != nil {
				t.Fatal(err)
			}
			w.turn(5 * time.Minute)
			w.is(id, order.Shipped, "https://track.overnightkiwi.example/parcels/OK-77! shipped")
			if got := w.handled(); fmt.Sprint(got) != "map[pack:1 pick:1 ship:1]" {
				t.Errorf("%v", got)
			}
			// the plan, three steps with a reading before each and one after them, and that which tells
			if n := len(w.coreCalls(time.Time{})) - before; n > 9 {
				t.Errorf("%d calls", n)
			}
			list, _ := w.shipments(id)
			if day := list[0].ShippedAt.In(auckland(t)).Format(time.DateOnly); list[0].Carrier != "Overnight Kiwi" ||
				day != time.Now().In(auckland(t)).Format(time.DateOnly) {
				t.Errorf("%+v", list)
			}
			if err := w.press(id, wish); !isWhy(err, "shipped already") {
				t.Errorf("once more: %v", err)
			}
		})
	})
	t.Run("pressed twice", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			id, _ := w.authorisedSale()
			wish := upstockcin7.HandlingWish{To: order.StepShip, Seen: w.plan(id, order.StepShip).Seen()}
			if err := w.press(id, wish); err != nil {
				t.Fatal(err)
			}
			// The work on the first press may be going on by now, or done, which is said then.
			if err := w.press(id, wish); err != nil && !isWhy(err, "") {
				t.Error(err)
			}
			w.turn(5 * time.Minute)
			if got := w.handled(); fmt.Sprint(got) != "map[pack:1 pick:1 ship:1]" || !w.run(id).Finished() {
				t.Errorf("%v", got)
			}
		})
	})
	t.Run("what Auto Pick left open, once there is stock", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.change(func(s *sale.Settings) { s.OrderStatus, s.CreationMode = sale.Authorised, sale.AutoPickPack })
			id := w.approve(`{"customer":{"name":"Harbourside Grocers"},"lines":[{"sku":"SLT-FLK","quantity":"3"},{"sku":"BSC-OAT","quantity":"2"}]}`)
			w.settle(id, horizon)
			if err := w.press(id, upstockcin7.HandlingWish{To: order.StepPack}); !isWhy(err,
				"not enough in stock: 2 of 2 BSC-OAT on back-order") {
				t.Errorf("%v", err)
			}
			w.arrive(id, 10)
			w.mustPress(id, order.StepPack)
			r := w.is(id, order.Sold, "processing")
			if len(r.Unpicked) > 0 {
				t.Errorf("left: %q\n%s", r.Unpicked, timeline(r))
			}
			w.says(timeline(r), "Everything that Auto Pick was asked for is done")
		})
	})
}

// isWhy reports whether nothing was done, for a reason with these words.
func isWhy(err error, words string) bool {
	var e *upstockcin7.HandlingError
	return errors.As(err, &e) && strings.Contains(e.Why, words)
}

// arrive brings goods of an order's second line into stock.
func (w *world) arrive(id, n int) {
	w.t.Helper()
	_, products := w.ids(id)
	w.control(http.MethodPut, "/sim/cin7core/products/"+products[1], fmt.Sprintf(`{"OnHand":%d}`, n))
}

// TestHandleNot: where something stands in the way, nothing is done, and it is said.
func TestHandleNot(t *testing.T) {
	for name, c := range map[string]struct {
		do  func(w *world, id int, sale string)
		why string
	}{
		"a draft": {func(w *world, id int, sale string) { w.person(sale, "undo", "") }, "a draft"},
		"voided":  {func(w *world, id int, sale string) { w.person(sale, "void", "") }, "voided"},
		"begun": {func(w *world, id int, sale string) {
			w.core(http.MethodPost, "/sale/fulfilment/pick", fmt.Sprintf(`{"TaskID":%q,"Status":"DRAFT","Lines":[
				{"SKU":"SLT-FLK","Location":"Main Warehouse","Quantity":1}]}`, sale))
		}, "begun to pick"},
		"several fulfilments": {func(w *world, id int, sale string) {
			w.person(sale, "pick", `{"lines":[{"sku":"SLT-FLK"}]}`)
			w.person(sale, "pick", `{"task":2}`)
		}, "2 fulfilments"},
		"an Advanced sale without a fulfilment": {func(w *world, id int, sale string) {
			w.altered = func(r *http.Request, doc map[string]any) {
				if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/sale") {
					doc["Type"], doc["Fulfilments"] = "Advanced Sale", []any{}
				}
			}
		}, "no fulfilment of the sale yet, as an Advanced sale may have none. Open the sale there and add one"},
		"shipped": {func(w *world, id int, sale string) { w.person(sale, "ship", "") }, "shipped already"},
		"some boxes are": {func(w *world, id int, sale string) {
			w.person(sale, "ship", `{"boxes":["A"],"of":["A","B"]}`)
		}, "begun to ship"},
		"cancelled": {func(w *world, id int, sale string) { w.cancel(id); w.turn(10 * time.Minute) }, "cancelled"},
		"paused": {func(w *world, id int, sale string) { w.pause(order.OrdersFlow) },
			"orders is paused"},
		"shipments paused": {func(w *world, id int, sale string) { w.pause(order.ShipmentsFlow) },
			"shipments is paused"},
		"a key that Cin7 Core refuses": {func(w *world, id int, sale string) {
			w.instead = func(r *http.Request, _ []byte) *http.Response {
				if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/sale") {
					return answerJSON(403, `[{"ErrorCode":403,"Exception":"Incorrect credentials!"}]`)
				}
				return nil
			}
		}, "Save a new key"},
		"a sale that is not answered": {func(w *world, id int, sale string) {
			w.fault(sim.Fault{Match: "GET /sale", Kind: "before", How: "502"})
		}, "it is not known what would be done. Try again in a minute"},
		"changed since it was shown": {func(w *world, id int, sale string) { w.person(sale, "pick", "") },
			"changed in Cin7 Core since"},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				id, sale := w.authorisedSale()
				seen := w.plan(id, order.StepShip).Seen()
				c.do(w, id, sale)
				before := w.handled()
				err := w.press(id, upstockcin7.HandlingWish{To: order.StepShip, Seen: seen})
				w.turn(5 * time.Minute)
				if !isWhy(err, c.why) || fmt.Sprint(w.handled()) != fmt.Sprint(before) || w.run(id).Handling != nil {
					t.Errorf("%v, %v", err, w.handled())
				}
			})
		})
	}
	t.Run("a box that there is not", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			id, _ := w.authorisedSale()
			err := w.press(id, upstockcin7.HandlingWish{To: order.StepShip, Tracking: map[string]string{"Box 9": "T"}})
			if !errors.As(err, new(tenant.FieldErrors)) || !strings.Contains(err.Error(), "Box 1") {
				t.Error(err)
			}
		})
	})
}

// TestHandleAgain: pressed again nothing changes, and another tracking number is not taken for the one that is under
// way.
func TestHandleAgain(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id, _ := w.authorisedSale()
		w.spoil("send orders", w.sent("send orders")+1, before) // nobody is woken yet
		ship := func(tracking string) error {
			return w.press(id, upstockcin7.HandlingWish{To: order.StepShip, Carrier: "Parcel Post",
				Tracking: map[string]string{"Box 1": tracking}})
		}
		ship("T-1")
		if err := ship("T-1"); err != nil {
			t.Errorf("the same again: %v", err)
		}
		if err := ship("T-2"); !isWhy(err, "are being shipped") {
			t.Errorf("another number: %v", err)
		}
		w.turn(30 * time.Minute)
		w.is(id, order.Shipped, "T-1! shipped")
	})
}

// TestHandleMeanwhile: what happens between the press and the work on it stops that, and is said.
func TestHandleMeanwhile(t *testing.T) {
	for name, c := range map[string]struct {
		do    func(w *world, id int, sale string)
		says  string
		needs bool // somebody
		did   int  // writes of ours
	}{
		"somebody picked": {do: func(w *world, id int, sale string) { w.person(sale, "pick", "") },
			says: "were not. Somebody has picked it in Cin7 Core meanwhile", needs: true},
		"somebody shipped": {do: func(w *world, id int, sale string) { w.person(sale, "ship", "") },
			says: "were not. Somebody has picked it", needs: false},
		"somebody began": {do: func(w *world, id int, sale string) {
			w.core(http.MethodPost, "/sale/fulfilment/pick", fmt.Sprintf(`{"TaskID":%q,"Status":"DRAFT","Lines":[
				{"SKU":"SLT-FLK","Location":"Main Warehouse","Quantity":1}]}`, sale))
		}, says: "Somebody has begun to pick it", needs: true},
		"the goods are others": {do: func(w *world, id int, sale string) {
			w.person(sale, "undo", "")
			w.person(sale, "lines", other)
			w.core(http.MethodPost, "/sale/order", fmt.Sprintf(`{"SaleID":%q,"Status":"AUTHORISED","Memo":"",
				"Lines":[{"SKU":"SLT-FLK","Quantity":1,"Price":6.80,"Tax":1.02,"TaxRule":"GST on Income","Total":6.80}]}`,
				sale))
		}, says: "is not any more as it was shown", needs: true},
		"it was voided": {do: func(w *world, id int, sale string) { w.person(sale, "void", "") },
			says: "The sale is voided in Cin7 Core", needs: true},
		"it was cancelled": {do: func(w *world, id int, sale string) { w.cancel(id) },
			says: "The order is cancelled in Upstock."},
		"it was cancelled, and nobody told us": {do: func(w *world, id int, sale string) {
			if err := w.sim.Fault(sim.Upstock,
				sim.Fault{Match: "WEBHOOK order.cancelled", Kind: "drop", Times: -1}); err != nil {
				w.t.Fatal(err)
			}
			w.cancel(id)
		}, says: "The order is cancelled in Upstock."},
		"it was paused": {do: func(w *world, id int, sale string) { w.pause(order.OrdersFlow) },
			says: "The flow of orders is paused", needs: true},
		"it has another sale": {do: func(w *world, id int, sale string) {
			w.person(sale, "copy", "")
			all := w.simCore.Sales(w.acc.Cin7Core.AccountID)
			w.amend(id, func(r *order.Order) {
				r.SaleID = all[slices.IndexFunc(all, func(s simcin7core.SaleSummary) bool { return s.ID != sale })].ID
			})
		}, says: "The order has another sale now", needs: true},
		"it was asked for long ago": {do: func(w *world, id int, sale string) {
			w.amend(id, func(r *order.Order) {
				old := *r.Handling
				old.At = old.At.Add(-3 * time.Hour)
				r.Handling = &old
			})
		}, says: "It was asked for too long ago", needs: true},
		"Upstock has no such order": {do: func(w *world, id int, sale string) {
			w.instead = func(r *http.Request, _ []byte) *http.Response {
				if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/orders/"+strconv.Itoa(id)) {
					return answerJSON(404, `{"code":"notFound","message":"There is no such order."}`)
				}
				return nil
			}
		}, says: "Upstock does not have the order any more", needs: true},
		"Cin7 Core refuses": {do: func(w *world, id int, sale string) {
			w.instead = func(r *http.Request, _ []byte) *http.Response {
				if strings.HasSuffix(r.URL.Path, "/pack") {
					return answerJSON(400, `[{"ErrorCode":400,"Exception":"The period is locked."}]`)
				}
				return nil
			}
		}, says: "Cin7 Core refused to pack the goods: The period is locked.", needs: true, did: 1},
		"somebody took it back": {do: func(w *world, id int, sale string) {
			undone := false
			w.instead = func(r *http.Request, _ []byte) *http.Response {
				if !strings.HasSuffix(r.URL.Path, "/pack") {
					return nil
				}
				if !undone {
					undone = true
					w.person(sale, "undo", "")
					w.person(sale, "authorise", "")
				}
				return answerJSON(503, `{}`)
			}
		}, says: "and Cin7 Core does not show it: somebody took it back.", needs: true, did: 1},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				id, sale := w.authorisedSale()
				w.spoil("send orders", w.sent("send orders")+1, before) // nobody is woken yet
				if err := w.press(id, upstockcin7.HandlingWish{To: order.StepShip}); err == nil {
					t.Fatal("it was woken")
				}
				if w.run(id).Handling == nil {
					t.Fatal("it is not on record")
				}
				c.do(w, id, sale)
				w.turn(30 * time.Minute)
				r := w.run(id)
				w.says(timeline(r), c.says)
				n := 0
				for _, some := range w.handled() {
					n += some
				}
				ours := n - strings.Count(name, "began")
				if r.Handling != nil || ours != c.did || (r.State == ledger.Attention) != c.needs {
					t.Errorf("%d writes, %s %+v\n%s", n, r.State, r.Problems, timeline(r))
				}
			})
		})
	}
}

// TestCancelledWhileHandled: an order is cancelled while nobody knows whether its goods were picked from here. Its sale
// is not voided, which is said; once Cin7 Core must have said how far that came, a person's retry has it voided.
func TestCancelledWhileHandled(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id, _ := w.authorisedSale()
		w.change(void)
		w.fault(sim.Fault{Match: "POST /sale/fulfilment/pick", Kind: "before", How: "502", Times: -1})
		if err := w.press(id, upstockcin7.HandlingWish{To: order.StepPick}); err != nil {
			t.Fatal(err)
		}
		w.turn(10 * time.Second)
		w.cancel(id)
		w.turn(time.Minute)
		w.attention(id, "cancelledAfterWork", "SO-00001 was not voided: its goods were being handled from here, and "+
			"Cin7 Core has not said how far that came.")
		if len(w.live(id)) != 1 {
			t.Error("the sale was voided")
		}
		w.turn(10 * time.Minute)
		w.retry(id, false)
		w.turn(30 * time.Minute)
		if r := w.run(id); w.sale(id).Status != "VOIDED" || r.State != order.Cancelled {
			t.Errorf("sale %s, order %s %+v\n%s", w.sale(id).Status, r.State, r.Problems, timeline(r))
		}
	})
}

// sent is how many effects of a name there were.
func (w *world) sent(name string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen[name]
}

// TestHandleNonsense: an answer that is no answer is a doubt, which a reading ends, whether it was done or not.
func TestHandleNonsense(t *testing.T) {
	for _, step := range []string{"pick", "pack", "ship"} {
		for name, answer := range map[string]func(w *world){
			"nothing was done": func(w *world) {
				asked := false
				w.instead = func(r *http.Request, _ []byte) *http.Response {
					if asked || !strings.HasSuffix(r.URL.Path, "/"+step) {
						return nil
					}
					asked = true
					return answerJSON(200, `{"Status":"AUTHORISED"}`)
				}
			},
			"a page": func(w *world) {
				w.fault(sim.Fault{Match: "POST /sale/fulfilment/" + step, Kind: "html"})
			},
			"it was done": func(w *world) {
				w.altered = func(r *http.Request, doc map[string]any) {
					if strings.HasSuffix(r.URL.Path, "/"+step) {
						doc["Status"] = "DRAFT"
					}
				}
			},
			"it was done, and 500": func(w *world) {
				w.fault(sim.Fault{Match: "POST /sale/fulfilment/" + step, Kind: "after"})
			},
		} {
			t.Run(step+", "+name, func(t *testing.T) {
				story(t, func(t *testing.T, w *world) {
					id, _ := w.authorisedSale()
					answer(w)
					w.mustPress(id, order.StepShip)
					w.turn(20 * time.Minute)
					r := w.is(id, order.Shipped, "! shipped")
					n := w.handled()
					if n["pick"] > 2 || n["pack"] > 2 || n["ship"] > 2 || !r.Finished() {
						t.Errorf("%v\n%s", n, timeline(r))
					}
					w.says(timeline(r), "No believable answer to "+step)
				})
			})
		}
	}
}

// handlingWay has a person press until that is taken, and ship all goods of a sale.
func handlingWay() way {
	return way{name: "handling", least: 8, ready: func(w *world) (func(int), func() string) {
		id, sale := w.authorisedSale()
		pressed := false
		wish := upstockcin7.HandlingWish{To: order.StepShip, Tracking: map[string]string{"Box 1": "T-1"}}
		return func(minute int) {
				if minute > 0 && !pressed {
					err := w.press(id, wish)
					pressed = err == nil || isWhy(err, "shipped already")
				}
				w.tick(minute, "shipments")
			}, func() string {
				r, n := w.run(id), w.handled()
				switch {
				case fmt.Sprint(n) != "map[pack:1 pick:1 ship:1]":
					return fmt.Sprintf("done so often: %v", n)
				case r.Handling != nil || len(r.Problems) > 0 || len(r.Said) > 0:
					return fmt.Sprintf("needs somebody: %+v %q", r.Problems, r.Said)
				case r.State != order.Shipped:
					return "the ledger says " + string(r.State)
				}
				return w.parcelsVerdict(id, sale)
			}
	}}
}

// TestCrashProofHandling lets every outside effect go wrong from a press to the parcel that Upstock knows, and every
// two of them.
func TestCrashProofHandling(t *testing.T) {
	b, v, start := prepare(t), handlingWay(), time.Now()
	verdict, effects := v.walk(t, b, filepath.Join(t.TempDir(), "way.db"), schedule{scenario: "plain"})
	if verdict != "" {
		t.Fatalf("undisturbed: %s", verdict)
	}
	for i, e := range effects {
		t.Logf("effect %d: %s", i+1, e)
	}
	list := schedulesOf(len(effects), 6)
	list = sample(t, list, 160, 12)
	for s, verdict := range v.walkAll(t, b, list, false) {
		t.Errorf("%s: %s", s, verdict)
	}
	t.Logf("crash proof of handling: %d runs over %d effects in %s", len(list), len(effects),
		time.Since(start).Round(time.Millisecond))
}

// TestHandlingProofCanFail plays schedules over mutants without the rules of handling: somebody is told of work that is
// our own.
func TestHandlingProofCanFail(t *testing.T) {
	testsize.Large(t)
	t.Parallel()
	b, v := prepare(t), handlingWay()
	var list []schedule
	for _, step := range []string{"pick", "pack", "ship"} {
		for _, k := range []fault{after, late, die} {
			list = append(list, schedule{scenario: "plain",
				like: map[string]map[int]fault{"/fulfilment/" + step: {1: k}}})
		}
	}
	if mutant.Compiled() != "" {
		mustFind(t, v.walkAll(t, b, list, true))
		return
	}
	if failed := v.walkAll(t, b, list, false); len(failed) > 0 {
		t.Fatalf("with all rules on: %v", failed)
	}
	mutant.Caught(t, "TestHandlingProofCanFail", "goods that were handled without an answer are somebody else's work")
}
