package upstockcin7_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/sim"
	simupstock "stockbridge/internal/sim/upstock"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
)

// TestForgottenSaleOfCancelled: an order was sold and cancelled in the time that a
// restored table has lost. However its cancellation comes in again, its sale is
// found, and treated as that of any order that was cancelled after it was sold.
func TestForgottenSaleOfCancelled(t *testing.T) {
	for _, known := range []bool{false, true} { // the restored table has the order, not sold yet
		for _, how := range []string{"reconcile", "webhook"} {
			for name, c := range map[string]struct {
				void   bool
				header bool
				people string // what they did to the sale before the restore
				state  ledger.State
				stands bool
				code   string
			}{
				"told":   {state: order.Sold, stands: true},
				"voided": {void: true, state: order.Cancelled},
				"header": {header: true, state: order.Cancelled},
				"begun": {void: true, people: "ship", state: ledger.Attention, stands: true,
					code: "cancelledAfterWork"},
				"voided by them":  {people: "void", state: order.Cancelled},
				"header, by them": {header: true, people: "void", state: order.Cancelled},
			} {
				t.Run(fmt.Sprintf("%s, %s, known %t", name, how, known), func(t *testing.T) {
					path := filepath.Join(t.TempDir(), "forgotten.db")
					storyAt(t, path, func(t *testing.T, w *world) {
						s := senderTo(w)
						if c.void {
							w.change(void)
						}
						w.sell("") // the table has seen work
						var copied []byte
						var id int
						if known {
							w.fault(sim.Fault{Match: "*", Kind: "throttle", How: "429", Times: -1})
							id = w.approve(groceries)
							w.turn(time.Minute)
							w.sim.ClearFaults(sim.Cin7Core)
							copied = must[[]byte](w)(os.ReadFile(path))
							if r := w.run(id); len(w.sales(id)) > 0 || r.State == ledger.Attention {
								t.Fatalf("%s\n%s", r.State, timeline(r))
							}
						} else {
							copied = must[[]byte](w)(os.ReadFile(path))
						}
						if c.header {
							w.fault(sim.Fault{Match: "POST /sale/order", Kind: "throttle", How: "429", Times: -1})
						}
						if !known {
							id = w.approve(groceries)
						}
						w.turn(10 * time.Minute)
						sale := w.sale(id)
						if (sale.Lines == 0) != c.header {
							t.Fatalf("this is not the moment: %+v", sale)
						}
						w.upstockFault(sim.Fault{Match: "WEBHOOK order.cancelled", Kind: "before", Times: -1})
						doc := w.inUpstock(id, `{"status":"cancelled"}`)
						if c.people != "" {
							w.person(sale.ID, c.people, "{}")
						}
						w.restore(path, copied)
						w.sim.ClearFaults(sim.Cin7Core)
						must[time.Time](w)(w.pair().Restored(t.Context()))
						if how == "webhook" {
							s.must(http.StatusAccepted, s.occurred(upstock.OrderCancelled, doc, time.Now()))
						}
						w.jobs(2)
						w.turn(30 * time.Minute)
						r := w.run(id)
						if r.State != c.state || len(w.sales(id)) != 1 || len(w.live(id)) == 1 != c.stands {
							t.Fatalf("%s %v, sales %+v\n%s", r.State, r.Problems, w.sales(id), timeline(r))
						}
						if c.code != "" {
							w.attention(id, c.code, sale.Number)
						} else if len(r.Problems) > 0 || strings.Contains(strings.Join(r.Said, " "), "not ours") {
							t.Errorf("%v %q", r.Problems, r.Said)
						}
						if c.state == order.Sold {
							w.says(strings.Join(r.Said, " "), "The sale stands")
						}
					})
				})
			}
		}
	}
}

// TestForgottenSecondCancellation: an order that was cancelled unsold before the
// point that the table was put back to was approved again, sold and cancelled
// again in the time that is lost.
func TestForgottenSecondCancellation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "again.db")
	storyAt(t, path, func(t *testing.T, w *world) {
		s := senderTo(w)
		w.sell("") // the table has seen work
		w.fault(sim.Fault{Match: "*", Kind: "throttle", How: "429", Times: -1})
		id := w.approve(groceries)
		w.turn(time.Minute)
		w.cancel(id)
		w.turn(10 * time.Minute)
		w.sim.ClearFaults(sim.Cin7Core)
		copied := must[[]byte](w)(os.ReadFile(path))
		if r := w.run(id); r.State != order.Cancelled {
			t.Fatalf("%s\n%s", r.State, timeline(r))
		}
		now := time.Now()
		doc := w.inUpstock(id, `{"status":"processing","approvedAt":%s}`, stamp(now))
		s.must(http.StatusAccepted, s.occurred(upstock.OrderApproved, doc, now))
		w.turn(30 * time.Minute)
		w.sold(id)
		w.unheardCancel(id)
		w.restore(path, copied)
		must[time.Time](w)(w.pair().Restored(t.Context()))
		w.jobs(2)
		r := w.run(id)
		if r.State != order.Sold || r.SaleID != w.sale(id).ID || w.sale(id).Status == "VOIDED" {
			t.Fatalf("%s %v, sales %+v\n%s", r.State, r.Problems, w.sales(id), timeline(r))
		}
		w.says(strings.Join(r.Said, " "), "The sale stands")
	})
}

// TestCancelledWithSaleElsewhere: an order that Upstock shows as sold, as a sale
// that is not ours or is in another account, is cancelled: a person is told, once.
func TestCancelledWithSaleElsewhere(t *testing.T) {
	for _, how := range []string{"webhook", "reconcile"} {
		t.Run(how, func(t *testing.T) {
			within(t, func(t *testing.T, w *world, s *sender) {
				id := w.place(groceries)
				w.inUpstock(id, `{"external":{"system":"cin7core","number":"SO-00077"}}`)
				must[simupstock.OrderSummary](w)(w.simUpstock.Approve(id))
				w.turn(10 * time.Minute)
				w.attention(id, "foreignSale", "SO-00077")
				w.disconnect(tenant.Cin7Core)
				w.connectCore(w.sim.AddAccount("Second brand", ""))
				w.turn(30 * time.Minute)
				doc := w.inUpstock(id, `{"status":"cancelled"}`)
				if how == "webhook" {
					s.must(http.StatusAccepted, s.occurred(upstock.OrderCancelled, doc, time.Now()))
				} else {
					w.jobs(1)
				}
				w.turn(10 * time.Minute)
				w.attention(id, "cancelledAfterWork", "SO-00077", "cancelled in Upstock", "Second brand")
				w.says(w.run(id).Problems[0].Fix, "connected before", w.acc.Name)
				w.retry(id, false)
				w.turn(10 * time.Minute)
				r := w.run(id)
				if r.State != order.Cancelled || len(r.Problems) > 0 {
					t.Errorf("%s %v\n%s", r.State, r.Problems, timeline(r))
				}
				w.says(strings.Join(r.Said, " "), "SO-00077")
			})
		})
	}
	t.Run("a sale with its reference", func(t *testing.T) {
		within(t, func(t *testing.T, w *world, s *sender) {
			w.checked(0)
			id := w.place(groceries)
			w.byHand(id, "PO-4711")
			must[simupstock.OrderSummary](w)(w.simUpstock.Approve(id))
			w.settle(id, horizon)
			w.attention(id, "foreignSale", "SO-00001")
			w.cancel(id)
			w.turn(10 * time.Minute)
			w.attention(id, "cancelledAfterWork", "SO-00001", "cancelled in Upstock")
		})
	})
	t.Run("begun in the account before", func(t *testing.T) {
		within(t, func(t *testing.T, w *world, s *sender) {
			w.fault(sim.Fault{Match: "POST /sale/order", Kind: "throttle", How: "429", Times: -1})
			id := w.approve(groceries)
			w.turn(time.Minute)
			number := w.sale(id).Number
			w.disconnect(tenant.Cin7Core)
			w.connectCore(w.sim.AddAccount("Second brand", ""))
			w.turn(30 * time.Minute)
			w.attention(id, "accountChanged")
			w.cancel(id)
			w.turn(30 * time.Minute)
			w.attention(id, "accountChanged", "cancellation", w.acc.Name, number)
		})
	})
	t.Run("sold in the account before", func(t *testing.T) {
		within(t, func(t *testing.T, w *world, s *sender) {
			w.change(void)
			id, _ := w.sell(groceries)
			w.disconnect(tenant.Cin7Core)
			w.connectCore(w.sim.AddAccount("Second brand", ""))
			w.turn(30 * time.Minute)
			w.cancel(id)
			w.turn(30 * time.Minute)
			w.says(strings.Join(w.run(id).Said, " "), "cancelled in Upstock after it was sold",
				"another Cin7 Core account")
			w.disconnect(tenant.Cin7Core)
			w.connectCore(w.acc)
			w.turn(time.Hour)
			if r := w.run(id); r.State != order.Cancelled || len(w.live(id)) > 0 ||
				strings.Contains(strings.Join(r.Said, " "), "sale stands") {
				t.Errorf("%s %q\n%s", r.State, r.Said, timeline(r))
			}
		})
	})
}

// TestCancelledUnsoldVoidedByPeople: the sale of a cancelled order, which people
// voided before it had its lines, asks nothing of anybody.
func TestCancelledUnsoldVoidedByPeople(t *testing.T) {
	for _, looked := range []bool{false, true} { // the sale is not known, and is looked for
		t.Run(fmt.Sprint("looked ", looked), func(t *testing.T) {
			within(t, func(t *testing.T, w *world, s *sender) {
				if looked {
					w.fault(sim.Fault{Match: "POST /sale", Kind: "after"})
				} else {
					w.fault(sim.Fault{Match: "POST /sale/order", Kind: "throttle", How: "429", RetryAfter: "60"})
				}
				id := w.approve(groceries)
				synctest.Wait()
				w.person(w.sale(id).ID, "void", "{}")
				w.cancel(id)
				w.turn(30 * time.Minute)
				r := w.run(id)
				if r.State != order.Cancelled || len(r.Problems) > 0 || len(w.sales(id)) != 1 {
					t.Errorf("%s %+v\n%s", r.State, r.Problems, timeline(r))
				}
			})
		})
	}
}

// TestShippedWhileCancelledHere: after a restore an order stands as cancelled that
// was approved again and sold since. Its sale is shipped, and the poll passes that
// over; approved once more, the order has its sale again, and its parcels are told.
func TestShippedWhileCancelledHere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cancelled.db")
	storyAt(t, path, func(t *testing.T, w *world) {
		again := func(id int) {
			w.inUpstock(id, `{"status":"ordered","approvedAt":null}`)
			must[simupstock.OrderSummary](w)(w.simUpstock.Approve(id))
		}
		w.fault(sim.Fault{Match: "POST /sale", Kind: "throttle", How: "429", Times: -1})
		id := w.approve(groceries)
		w.turn(time.Minute)
		w.cancel(id)
		w.turn(30 * time.Minute)
		if r := w.run(id); r.State != order.Cancelled {
			t.Fatal(timeline(r))
		}
		copied := must[[]byte](w)(os.ReadFile(path))
		w.sim.ClearFaults(sim.Cin7Core)
		again(id)
		w.settle(id, horizon)
		sale := w.sold(id).SaleID
		w.restore(path, copied)
		must[time.Time](w)(w.pair().Restored(t.Context()))
		w.person(sale, "ship", "")
		for range 4 {
			w.poll()
			w.turn(10 * time.Minute)
		}
		if r := w.run(id); r.State != order.Cancelled {
			t.Fatal(timeline(r))
		}
		again(id)
		w.turn(2 * time.Hour)
		if r := w.run(id); r.SaleID != sale || r.State != order.Shipped || len(w.sales(id)) != 1 {
			t.Errorf("%s, sale %s\n%s", r.State, r.SaleNumber, timeline(r))
		}
	})
}

// TestShippedWhileCancelledThere: a parcel that Upstock refused, as the order was cancelled there when it left, is told
// once the order is approved again, and then that all is shipped.
func TestShippedWhileCancelledThere(t *testing.T) {
	for _, c := range []struct {
		name                string
		unheard, late, lost bool // no cancellation comes; it comes after the approval; a shipment stays unanswered
	}{{name: "heard"}, {name: "never heard", unheard: true}, {name: "heard late", late: true},
		{name: "told in doubt", unheard: true, lost: true}} {
		t.Run(c.name, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				id, sale := w.sell(groceries)
				if c.unheard {
					w.upstockFault(sim.Fault{Match: "WEBHOOK order.cancelled", Kind: "before", Times: -1})
				} else if c.late {
					w.upstockFault(sim.Fault{Match: "WEBHOOK order.cancelled", Kind: "before", Times: 3})
				}
				if c.lost {
					w.upstockFault(sim.Fault{Match: "WEBHOOK order.approved", Kind: "before", Times: -1})
				}
				w.cancel(id)
				w.person(sale, "ship", `{"of":["A","B"],"boxes":["A"],"carrier":"Parcel Post","trackingNumber":"T-1"}`)
				w.poll()
				w.turn(time.Minute)
				w.inUpstock(id, `{"status":"ordered","approvedAt":null}`)
				must[simupstock.OrderSummary](w)(w.simUpstock.Approve(id))
				w.turn(time.Minute)
				if c.lost {
					w.upstockFault(sim.Fault{Match: "PUT /orders/*/shipments/*", Kind: "after", Times: 1})
				}
				w.person(sale, "ship", `{"carrier":"Parcel Post","trackingNumber":"T-2"}`)
				w.poll()
				w.turn(3 * time.Hour)
				up := must[simupstock.OrderSummary](w)(w.simUpstock.Order(id))
				if r := w.run(id); r.State != order.Shipped || up.Status != "shipped" {
					t.Errorf("%s, and in Upstock %s\n%s", r.State, up.JSON, timeline(r))
				}
			})
		})
	}
}

// TestNumberToldLate: a sale's number that reaches Upstock late, when the order has another sale, does not stay there.
func TestNumberToldLate(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.change(func(s *sale.Settings) { s.OnCancel = sale.Void })
		id, _ := w.sell(groceries)
		first := w.run(id).SaleNumber
		w.cancel(id)
		w.turn(2 * time.Minute)
		// Once it is approved again its first sale is told again, as it was when the order was cancelled; that takes
		// effect when the second one was told.
		w.upstockFault(sim.Fault{Match: "PUT /orders/*/external", Kind: "late", Seconds: 110})
		w.inUpstock(id, `{"status":"ordered","approvedAt":null}`)
		must[simupstock.OrderSummary](w)(w.simUpstock.Approve(id))
		shown := func() string { return must[simupstock.OrderSummary](w)(w.simUpstock.Order(id)).External }
		overtaken := false
		for range 60 {
			w.turn(10 * time.Second)
			overtaken = overtaken || !w.run(id).SoldAt.IsZero() && w.run(id).Told && shown() == first
		}
		if r := w.run(id); !overtaken || r.SaleNumber == first || shown() != r.SaleNumber || !r.TellDoubt.IsZero() {
			t.Errorf("overtaken %t, Upstock shows %q\n%s", overtaken, shown(), timeline(r))
		}
	})
}

// TestNumberToldAgainOfAnAttention: an order that needs a person meanwhile is told again too, and then rests.
func TestNumberToldAgainOfAnAttention(t *testing.T) {
	live(t, 1, 0, func(t *testing.T, h *house) {
		id := h.approve(groceries)
		h.turn(2 * time.Minute)
		if r := h.run(id); !r.Told {
			t.Fatal(timeline(r))
		}
		h.amend(id, func(r *order.Order) {
			r.State = ledger.Attention
			r.Problems = []ledger.Problem{{Code: order.SaleVoided, Message: "It was voided."}}
			r.TellDoubt = time.Now().Add(time.Minute).UTC()
			r.Next = r.TellDoubt
		})
		h.turn(time.Hour)
		if r := h.run(id); r.State != ledger.Attention || !r.TellDoubt.IsZero() || !r.Next.IsZero() {
			t.Errorf("%s, told again at %s, next %s\n%s", r.State, r.TellDoubt, r.Next, timeline(r))
		}
	})
}

// TestFoundWhileCancelledHere: a sale that is found while its order is cancelled is shown in Upstock once the order is
// approved again.
func TestFoundWhileCancelledHere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "found.db")
	storyAt(t, path, func(t *testing.T, w *world) {
		w.sell("") // the table has seen work
		copied := must[[]byte](w)(os.ReadFile(path))
		w.upstockFault(sim.Fault{Match: "PUT /orders/*/external", Kind: "before", How: "503", Times: -1})
		id := w.approve(groceries)
		w.turn(time.Second)
		w.restore(path, copied)
		must[time.Time](w)(w.pair().Restored(t.Context()))
		w.sim.ClearFaults(sim.Upstock)
		w.cancel(id)
		w.turn(time.Hour)
		if r := w.run(id); r.Cancelled.IsZero() || r.SaleID == "" {
			t.Fatal(timeline(r))
		}
		w.inUpstock(id, `{"status":"ordered","approvedAt":null}`)
		must[simupstock.OrderSummary](w)(w.simUpstock.Approve(id))
		w.turn(time.Hour)
		up := must[simupstock.OrderSummary](w)(w.simUpstock.Order(id))
		if r := w.run(id); up.External == "" || up.External != r.SaleNumber {
			t.Errorf("Upstock shows %q\n%s", up.External, timeline(r))
		}
	})
}
