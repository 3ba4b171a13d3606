package upstockcin7_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/ledger"
	"stockbridge/internal/sim"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/catalogue"
	"stockbridge/internal/upstockcin7/sale"
)

// checksPrices changes the setting priceCheck, as a person saves it.
func (w *world) checksPrices(check string, percent int64) {
	w.t.Helper()
	s, c := sale.DefaultSettings(), catalogue.DefaultSettings()
	c.PriceCheck, c.PriceCheckPercent = check, decimal.NewFromInt(percent)
	_, err := tenant.NewStore(w.store, w.box).ChangeSettings(context.Background(), w.tenant, "",
		func(tenant.Bundle) ([]tenant.Section, error) { return []tenant.Section{&s, &c}, nil })
	if err == nil {
		err = w.do(context.Background(), "catalog", upstockcin7.JobDrift)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.turn(4 * time.Minute)
}

// flakes is an order of flaky salt at a price; its customer has an own price of 6.00 after ownPrice.
func flakes(price string) string {
	return `{"customer":{"name":"Harbourside Grocers"},"lines":[{"sku":"SLT-FLK","quantity":"3","unitPrice":"` +
		price + `"}]}`
}

func (w *world) ownPrice(price string) {
	w.t.Helper()
	w.put("customers/"+w.cards()["Harbourside Grocers"],
		`{"Discount":0,"ProductPrices":[{"ProductSKU":"SLT-FLK","Price":`+price+`}]}`)
}

// yes is a person's, to the order's prices.
func (w *world) yes(id int) error {
	w.t.Helper()
	err := w.pair().Retry(ledger.WithActor(context.Background(), "Mary"), w.tenant, strconv.Itoa(id),
		upstockcin7.RetryOptions{OrderPrices: true})
	w.settle(id, horizon)
	return err
}

// sells approves an order and wants it sold; what is said of it.
func (w *world) sells(order string) []string {
	w.t.Helper()
	id := w.approve(order)
	w.settle(id, horizon)
	return w.sold(id).Said
}

const (
	flakesSay = "Line 1: the order has “Flaky Sea Salt 250 g” at 7.50, and the customer's price in Cin7 Core is " +
		"6.00, which is 20 % less. The customer's own price, which stands in place of the tier's: 6.00."
)

// TestPriceCheckSays: a difference is said with how the customer's price comes about, and nothing else of the plan
// changes; where there is none, or no price to compare with, nothing is said.
func TestPriceCheckSays(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.ownPrice("6.00")
		w.look()
		w.checksPrices(catalogue.CheckOff, 0)
		if said := w.sells(flakes("7.50")); len(said) > 0 {
			t.Errorf("off: %q", said)
		}
		w.checksPrices(catalogue.CheckSay, 0)
		began := time.Now()
		if said := w.sells(flakes("7.50")); !slices.Equal(said, []string{flakesSay}) {
			t.Errorf("a price typed by hand: %q", said)
		}
		if n := w.count("GET /cin7core/ExternalApi/v2/customer", began); n != 0 {
			t.Errorf("%d customers are read for it", n)
		}
		if said := w.sells(flakes("6.00")); len(said) > 0 {
			t.Errorf("the own price: %q", said)
		}
		w.put("customers/"+w.cards()["Harbourside Grocers"], `{"ProductPrices":[],"PriceTier":null}`)
		w.look()
		if said := w.sells(flakes("7.50")); len(said) > 0 {
			t.Errorf("no tier: %q", said)
		}
	})
}

// TestPriceCheckPlans: a plan is the same, whatever the check finds, but for what is said of it.
func TestPriceCheckPlans(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.ownPrice("6.00")
		w.look()
		id := w.place(flakes("7.50"))
		summary, err := w.simUpstock.Order(id)
		if err != nil {
			t.Fatal(err)
		}
		plan := func(check string, percent int64) string {
			w.checksPrices(check, percent)
			v, err := w.pair().Preview(context.Background(), w.bundle(), summary.JSON)
			if err != nil {
				t.Fatal(err)
			}
			found := fmt.Sprintf("%q %+v", v.Plan.Said, v.Problems)
			v.Plan.Said = nil
			return found + fmt.Sprintf(" %+v", v.Plan)
		}
		off := plan(catalogue.CheckOff, 0)
		rest, ok := strings.CutPrefix(off, "[] []")
		if !ok {
			t.Fatal(off)
		}
		if got := plan(catalogue.CheckSay, 0); got != fmt.Sprintf("%q []", []string{flakesSay})+rest {
			t.Errorf("say:\n%s\n%s", got, off)
		}
		held := ledger.Problem{Code: "orderPrice", Message: flakesSay, Line: 1, Fix: "Sell it at the order's " +
			"prices, or put the price right in Cin7 Core, or in Upstock, then retry the order."}
		if got := plan(catalogue.CheckHold, 20); got != fmt.Sprintf("[] %+v", []ledger.Problem{held})+rest {
			t.Errorf("hold:\n%s\n%s", got, off)
		}
		if got := plan(catalogue.CheckHold, 25); got != fmt.Sprintf("%q []", []string{flakesSay})+rest {
			t.Errorf("hold, within the percentage:\n%s\n%s", got, off)
		}
	})
}

// TestPriceCheckHolds: an order waits for a yes, which counts for the prices that it was given for.
func TestPriceCheckHolds(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.ownPrice("6.00")
		w.look()
		w.checksPrices(catalogue.CheckHold, 10)
		began := time.Now()
		id := w.approve(flakes("7.50"))
		w.settle(id, horizon)
		w.attention(id, "orderPrice", flakesSay)
		calls := w.coreCallsSince(began)
		if len(calls) != 2 || !strings.Contains(calls[0], "/customer") || !strings.Contains(calls[1], "/product") {
			t.Errorf("read live: %q", calls)
		}
		w.retryHeld(id)
		w.attention(id, "orderPrice", flakesSay)

		doc := edited(t, w.inUpstock(id, `{"reference":"PO-8"}`), "totals=null")
		w.inUpstock(id, "%s", strings.ReplaceAll(doc, "7.50", "9.00"))
		if err := w.yes(id); err != nil {
			t.Fatal(err)
		}
		w.attention(id, "orderPrice", "at 9.00")
		if err := w.yes(id); err != nil {
			t.Fatal(err)
		}
		r := w.sold(id)
		if !strings.Contains(strings.Join(r.Said, " "), "at 9.00, and the customer's price in Cin7 Core is 6.00") {
			t.Errorf("%q", r.Said)
		}
		said := strings.Join(w.eventTexts("retry"), "|")
		if !strings.Contains(said, "to be sold at the order's prices") {
			t.Errorf("events %q", said)
		}
		if !strings.Contains(timeline(r), "Mary wants it sold at the order's prices.") {
			t.Error(timeline(r))
		}
		if err := w.yes(id); err == nil {
			t.Error("a yes to a sold order")
		}
	})
}

// TestPriceCheckGoesOn: an order that was held goes on when the setting is off, or the customer's price is the order's;
// and one is not held by what the mirror had before.
func TestPriceCheckGoesOn(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.ownPrice("6.00")
		w.look()
		w.checksPrices(catalogue.CheckHold, 10)
		w.ownPrice("7.50")
		if said := w.sells(flakes("7.50")); len(said) > 0 {
			t.Errorf("the mirror is late: %q", said)
		}
		w.ownPrice("6.00")
		w.look()
		id := w.approve(flakes("7.50"))
		w.settle(id, horizon)
		w.attention(id, "orderPrice")
		w.ownPrice("7.50")
		w.look()
		w.settle(id, horizon)
		w.sold(id)

		w.ownPrice("6.00")
		w.look()
		id = w.approve(flakes("7.50"))
		w.settle(id, horizon)
		w.attention(id, "orderPrice")
		w.checksPrices(catalogue.CheckOff, 0)
		w.settle(id, horizon)
		w.sold(id)
	})
}

// TestPriceCheckLive: whatever becomes of the live reads, an order is made once, or waits.
func TestPriceCheckLive(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.ownPrice("6.00")
		w.look()
		w.checksPrices(catalogue.CheckHold, 10)
		w.fault(sim.Fault{Match: "GET /customer", Kind: "before", How: "503", Times: 1})
		w.fault(sim.Fault{Match: "GET /product", Kind: "throttle", Times: 1})
		w.instead = nonsenseOnce("/product")
		id := w.approve(flakes("7.50"))
		w.settle(id, horizon)
		w.attention(id, "orderPrice", flakesSay)
		w.instead = nil
		if err := w.yes(id); err != nil {
			t.Fatal(err)
		}
		w.sold(id)
	})
}

// nonsenseOnce answers the first call of a path with what is no answer.
func nonsenseOnce(path string) func(*http.Request, []byte) *http.Response {
	done := false
	return func(req *http.Request, _ []byte) *http.Response {
		if done || !strings.HasSuffix(req.URL.Path, path) {
			return nil
		}
		done = true
		return answerJSON(http.StatusOK, `["x"]`)
	}
}

// TestPriceCheckReads: off, the check reads nothing; on, it reads the table once more where there are no own prices.
func TestPriceCheckReads(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.turn(5 * time.Minute)
		reads := func(check string) (gets, calls int) {
			w.checksPrices(check, 100)
			began := time.Now()
			w.onGet(func(_ *process, keys []table.Key) {
				gets++
				if of := strings.Contains(fmt.Sprint(keys), catalogue.ProductKind); of && check == catalogue.CheckOff {
					t.Errorf("off, and the table is read for %v", keys)
				}
			})
			id := w.approve(groceries)
			w.settle(id, horizon)
			w.onGet(nil)
			w.sold(id)
			return gets, len(w.coreCallsSince(began))
		}
		off, offCalls := reads(catalogue.CheckOff)
		on, onCalls := reads(catalogue.CheckSay)
		if on != off+1 || onCalls != offCalls {
			t.Errorf("off: %d reads, %d calls; on: %d reads, %d calls", off, offCalls, on, onCalls)
		}
	})
}

// retryHeld retries an order without a yes.
func (w *world) retryHeld(id int) {
	w.t.Helper()
	if err := w.pair().Retry(context.Background(), w.tenant, strconv.Itoa(id), upstockcin7.RetryOptions{}); err != nil {
		w.t.Fatal(err)
	}
	w.settle(id, horizon)
}
