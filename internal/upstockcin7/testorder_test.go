package upstockcin7_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/sim"
	simcin7core "stockbridge/internal/sim/cin7core"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/completeness"
	"stockbridge/internal/upstockcin7/order"
)

// tryOrder has a person begin a test order.
func (w *world) tryOrder() (upstockcin7.TestOrder, error) { return w.tryOrderAfter(nil) }

// tryOrderAfter is tryOrder by somebody who saw the test order that was begun at an instant.
func (w *world) tryOrderAfter(saw *time.Time) (upstockcin7.TestOrder, error) {
	p := w.process("console")
	ctx := ledger.WithActor(context.Background(), "Mere Parata")
	b, err := p.app.Tenants.Load(ctx, w.tenant)
	if err != nil {
		return upstockcin7.TestOrder{}, err
	}
	return p.app.Pair.StartTestOrder(ctx, b, saw)
}

// testOrder is the tenant's test order as it stands.
func (w *world) testOrder() upstockcin7.TestOrder {
	w.t.Helper()
	return must[upstockcin7.TestOrder](w)(w.pair().TestOrderState(context.Background(), w.tenant))
}

// tests are the sales of test orders, and how many of them are not voided.
func (w *world) tests() (list []simcin7core.SaleSummary, standing int) {
	for _, s := range w.simCore.Sales(w.acc.Cin7Core.AccountID) {
		if strings.HasPrefix(s.ExternalID, "stockbridge-test:") {
			list = append(list, s)
			if s.Status != "VOIDED" {
				standing++
			}
		}
	}
	return list, standing
}

// TestTestOrder: a draft sale is made, read back, shown and voided, and nothing counts it.
func TestTestOrder(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		for range 2 { // pressed twice
			must[upstockcin7.TestOrder](w)(w.tryOrderAfter(new(time.Time)))
		}
		w.turn(3 * time.Minute)
		got := w.testOrder()
		list, standing := w.tests()
		if got.State != upstockcin7.TestDone || !got.Voided || len(list) != 1 || standing != 0 || got.Read == nil ||
			got.Read.Status != "DRAFT" || got.Read.Customer != got.Plan.Customer || list[0].Number != got.Number ||
			!strings.Contains(got.Read.Lines, got.Plan.SKU) || got.Read.Total == "0.00" {
			t.Fatalf("%+v %+v %+v", got, got.Read, list)
		}
		w.says(strings.Join(w.eventTexts("testOrder"), "\n"), "was begun", "read back and voided")

		// It is nobody's order, and no order's sale.
		id, _ := w.sell(groceries)
		for _, job := range []string{"shipments", "reconcile", "completeness"} {
			w.job(job)
		}
		w.turn(10 * time.Minute)
		last, none := w.pair().Completeness, time.Time{}
		c := must[completeness.Report](w)(last.Last(context.Background(), w.tenant, none, none))
		if len(c.Differences) > 0 || c.Counts.Approved != 1 || w.run(id).State != order.Sold {
			t.Errorf("%+v", c)
		}
		runs, _, err := order.NewBook(ledger.New(w.store)).Runs(context.Background(), w.tenant, "", 10)
		if err != nil || len(runs) != 1 {
			t.Errorf("%d orders, %v", len(runs), err)
		}
		must[upstockcin7.TestOrder](w)(w.tryOrder()) // another one
		w.turn(3 * time.Minute)
		if list, standing := w.tests(); len(list) != 2 || standing != 0 {
			t.Errorf("%+v", list)
		}
	})
}

// TestTestOrderNot: where no test order can be made, none is, and it is said why.
func TestTestOrderNot(t *testing.T) {
	t.Run("paused", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.pause(order.OrdersFlow)
			if _, err := w.tryOrder(); err == nil || !strings.Contains(err.Error(), "Paused by Ana") {
				t.Error(err)
			}
		})
	})
	for name, c := range map[string]struct {
		path, body string
		says       string
		stands     int
	}{
		"the sale is refused": {"/sale", `[{"ErrorCode":400,"Exception":"The period is locked."}]`,
			"Cin7 Core refused the sale: The period is locked.", 0},
		"the line is refused": {"/sale/order", `[{"ErrorCode":400,"Exception":"No such product."}]`,
			"Cin7 Core refused the line: No such product.", 0},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				w.instead = func(r *http.Request, _ []byte) *http.Response {
					if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "v2"+c.path) {
						return answerJSON(400, c.body)
					}
					return nil
				}
				must[upstockcin7.TestOrder](w)(w.tryOrder())
				w.turn(5 * time.Minute)
				got := w.testOrder()
				_, standing := w.tests()
				if got.State != upstockcin7.TestFailed || got.Why != c.says || got.Stands || standing != c.stands {
					t.Errorf("%+v", got)
				}
			})
		})
	}
	// While no call arrives, a test order waits: until another account is connected, in which its sale is none of ours,
	// or for a day.
	for name, c := range map[string]struct {
		then func(w *world)
		says string
	}{
		"another account": {func(w *world) {
			must[tenant.Connection](w)(tenant.NewStore(w.store, w.box).Update(context.Background(), w.tenant,
				tenant.Cin7Core, func(c *tenant.Connection) error { c.Account = "another"; return nil }))
			w.turn(20 * time.Minute)
		}, "Another Cin7 Core account is connected now."},
		"a day": {func(w *world) { w.turnEach(25*time.Hour, 30*time.Minute) }, "It did not come to its end in a day."},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				w.instead = func(r *http.Request, _ []byte) *http.Response {
					if strings.Contains(r.URL.Path, "/sale") {
						return answerJSON(503, `{}`)
					}
					return nil
				}
				must[upstockcin7.TestOrder](w)(w.tryOrder())
				w.turn(5 * time.Minute)
				if got := w.testOrder(); got.State != upstockcin7.TestRunning {
					t.Fatalf("%+v", got)
				}
				c.then(w)
				if got := w.testOrder(); got.State != upstockcin7.TestFailed || !strings.Contains(got.Why, c.says) {
					t.Errorf("%+v", got)
				}
			})
		})
	}
	t.Run("somebody goes on with it", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.fault(sim.Fault{Match: "DELETE /sale", Kind: "before", How: "502"})
			must[upstockcin7.TestOrder](w)(w.tryOrder())
			w.turn(time.Second)
			list, _ := w.tests()
			w.person(list[0].ID, "authorise", "")
			w.turn(10 * time.Minute)
			got := w.testOrder()
			if got.State != upstockcin7.TestFailed || !got.Stands {
				t.Fatalf("%+v", got)
			}
			w.says(got.Why+" "+got.Standing(), "Somebody changed the sale "+list[0].Number, "void it there")
			w.person(list[0].ID, "undo", "") // and takes it back
			must[upstockcin7.TestOrder](w)(w.tryOrder())
			w.turn(3 * time.Minute)
			got = w.testOrder()
			if list, standing := w.tests(); len(list) != 1 || standing != 0 || got.State != upstockcin7.TestDone ||
				got.Stands || got.Standing() != "" {
				t.Errorf("%+v %+v", list, got)
			}
		})
	})
}

// testOrderWay begins a test order, until that is taken.
func testOrderWay() way {
	return way{name: "test order", least: 4, ready: func(w *world) (func(int), func() string) {
		begun := false
		return func(minute int) {
				if !begun {
					_, err := w.tryOrder()
					begun = err == nil
				}
				w.tick(minute, "webhooks")
			}, func() string {
				list, standing := w.tests()
				t, err := w.pair().TestOrderState(context.Background(), w.tenant)
				switch {
				case err != nil:
					return err.Error()
				case standing > 0:
					return fmt.Sprintf("%d sales stand; %+v", standing, t)
				case t.State == upstockcin7.TestDone && slices.ContainsFunc(list, func(s simcin7core.SaleSummary) bool {
					return s.ExternalID == t.ExternalID
				}):
					return ""
				case t.State == upstockcin7.TestFailed && !t.Stands && strings.Contains(t.Why, "it was not made"):
					return "" // the only try was lost before it came to Cin7 Core
				}
				return fmt.Sprintf("%+v", t)
			}
	}}
}

// TestCrashProofTestOrder lets every outside effect of a test order go wrong, and every two of them: no sale stays.
func TestCrashProofTestOrder(t *testing.T) {
	b, v, start := prepare(t), testOrderWay(), time.Now()
	verdict, effects := v.walk(t, b, filepath.Join(t.TempDir(), "way.db"), schedule{scenario: "plain"})
	if verdict != "" {
		t.Fatalf("undisturbed: %s", verdict)
	}
	list := schedulesOf(len(effects), 6)
	list = sample(t, list, 120, 12)
	for s, verdict := range v.walkAll(t, b, list, false) {
		t.Errorf("%s: %s", s, verdict)
	}
	t.Logf("crash proof of a test order: %d runs over %d effects in %s", len(list), len(effects),
		time.Since(start).Round(time.Millisecond))
}
