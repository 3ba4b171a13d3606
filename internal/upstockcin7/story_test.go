package upstockcin7_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/app"
	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/limit"
	"stockbridge/internal/sim"
	simcin7core "stockbridge/internal/sim/cin7core"
	simupstock "stockbridge/internal/sim/upstock"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
	"stockbridge/internal/vendor"
)

// The stories tell what the design promises beside the crash proof, each in a
// world of its own.

// story runs f in a world whose tenant is connected and ready.
func story(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	testsize.OneSize(t)
	sizedStory(t, f)
}

// sizedStory is a story that is larger with -whole.
func sizedStory(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	storyAt(t, filepath.Join(t.TempDir(), "story.db"), f)
}

func storyAt(t *testing.T, path string, f func(t *testing.T, w *world)) {
	t.Helper()
	testsize.Sampled(t)
	alone(t)
	b := prepare(t)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, b, path)
		defer w.close()
		defer time.Sleep(10 * time.Minute) // let all work end, whatever the test came to
		w.register()
		f(t, w)
	})
}

// groceries is an order that a person can write into Cin7 Core by hand; basket is that.
const (
	groceries = `{"customer":{"name":"Harbourside Grocers"},"reference":"PO-4711",
		"lines":[{"sku":"SLT-FLK","quantity":"3","unitPrice":"6.80"},{"sku":"GRN-TST","quantity":"2","unitPrice":"14.20"}]}`
	basket = `{"lines":[{"sku":"SLT-FLK","quantity":3,"price":6.80},{"sku":"GRN-TST","quantity":2,"price":14.20}]}`
	// unlinked names its customer and product as people do.
	unlinked = `{"customer":{"name":"Harbourside Grocers","externalId":null},
		"lines":[{"sku":"SLT-FLK","productExternalId":null,"quantity":"3","unitPrice":"6.80"}]}`
	other = `{"lines":[{"sku":"KWK-100","quantity":7,"price":8.90}]}`
)

const (
	tellOrders = "send orders"
	voidSale   = "DELETE /cin7core/ExternalApi/v2/sale"
)

// must is for calls that cannot fail.
func must[T any](w *world) func(T, error) T {
	return func(v T, err error) T {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
		return v
	}
}

// turn lets the world turn for d, a sweep each minute.
func (w *world) turn(d time.Duration) { w.turnEach(d, time.Minute) }

func (w *world) turnEach(d, every time.Duration) {
	end := time.Now().Add(d)
	for time.Now().Before(end) {
		synctest.Wait()
		time.Sleep(min(every, time.Until(end)))
		if err := w.sweep(); err != nil {
			w.t.Fatal(err)
		}
	}
	synctest.Wait()
}

func (w *world) sweep() error {
	return w.process("sweep").app.Schedule(context.Background(), json.RawMessage(`{"job":"orders"}`))
}

// pair is what pages call.
func (w *world) vendorTable() *vendor.Vendors { return w.process("console").app.Vendors }

// budget is a vendor's.
func (w *world) budget(sys tenant.System) limit.Budget {
	row, _ := w.vendorTable().Of(sys)
	return row.Budget
}

func (w *world) pair() *upstockcin7.Pair { return w.process("console").app.Pair }

// do does the tenant's part of a job.
func (w *world) do(ctx context.Context, function, name string) error {
	return doJob(ctx, w.process(function).app, job.Message{Job: name, Tenant: w.tenant})
}

// doJob does a tenant's part of a job, whichever queue it is of.
func doJob(ctx context.Context, a *app.App, m job.Message) error {
	return a.Jobs.With(a.Pair.ShipmentsWork()).With(a.Pair.CatalogWork()).Do(ctx, m)
}

// retry is a person's; it fails the test where there is nothing to retry.
func (w *world) retry(id int, newSale bool) {
	w.t.Helper()
	if err := w.pair().Retry(context.Background(), w.tenant, strconv.Itoa(id),
		upstockcin7.RetryOptions{NewSale: newSale}); err != nil {
		w.t.Fatal(err)
	}
	w.settle(id, horizon)
}

// retryBeside is a person's wish for a new sale beside others that they name.
func (w *world) retryBeside(id int, beside ...string) {
	w.t.Helper()
	if err := w.pair().Retry(context.Background(), w.tenant, strconv.Itoa(id),
		upstockcin7.RetryOptions{NewSale: true, Beside: beside}); err != nil {
		w.t.Fatal(err)
	}
	w.settle(id, horizon)
}

// stands wants a new sale to be refused for one that stands.
func (w *world) stands(id int, number string, beside ...string) {
	w.t.Helper()
	err := w.pair().Retry(context.Background(), w.tenant, strconv.Itoa(id),
		upstockcin7.RetryOptions{NewSale: true, Beside: beside})
	standing, ok := errors.AsType[*upstockcin7.StandingError](err)
	if !ok || !slices.Equal(standing.Sales(), []string{number}) || !strings.Contains(err.Error(), number) {
		w.t.Fatalf("a new sale of order %d beside %v: %v", id, beside, err)
	}
}

// sales are those with the order's id, voided ones too.
func (w *world) sales(id int) []simcin7core.SaleSummary {
	ext := fmt.Sprintf("upstock:%d:%d", w.acc.Upstock.Supplier, id)
	return slices.DeleteFunc(w.simCore.Sales(w.acc.Cin7Core.AccountID),
		func(s simcin7core.SaleSummary) bool { return s.ExternalID != ext })
}

// live are those that are not voided.
func (w *world) live(id int) []simcin7core.SaleSummary {
	return slices.DeleteFunc(w.sales(id), func(s simcin7core.SaleSummary) bool { return s.Status == "VOIDED" })
}

// sale is the order's only sale.
func (w *world) sale(id int) simcin7core.SaleSummary {
	w.t.Helper()
	list := w.sales(id)
	if len(list) != 1 {
		w.t.Fatalf("order %d has %d sales: %+v", id, len(list), list)
	}
	return list[0]
}

// person does something to a sale in Cin7 Core.
func (w *world) person(sale, do, body string) {
	w.t.Helper()
	if body == "" {
		body = "{}"
	}
	if _, err := w.simCore.Sale(sale, do, body); err != nil {
		w.t.Fatal(err)
	}
}

// control uses the simulators' control API.
func (w *world) control(method, path, body string) json.RawMessage {
	w.t.Helper()
	req, err := http.NewRequest(method, "http://sim.test"+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	return w.ask(req)
}

// core calls Cin7 Core as somebody else with the same key.
func (w *world) core(method, path, body string) json.RawMessage {
	w.t.Helper()
	req, err := http.NewRequest(method, "http://sim.test"+sim.PrefixCin7Core+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("api-auth-accountid", w.acc.Cin7Core.AccountID)
	req.Header.Set("api-auth-applicationkey", w.acc.Cin7Core.ApplicationKey)
	return w.ask(req)
}

func (w *world) ask(req *http.Request) json.RawMessage {
	w.t.Helper()
	resp := must[*http.Response](w)(w.sim.Transport().RoundTrip(req))
	body := must[[]byte](w)(io.ReadAll(resp.Body))
	if resp.StatusCode != http.StatusOK {
		w.t.Fatalf("%s %s: %d %s", req.Method, req.URL.Path, resp.StatusCode, body)
	}
	return body
}

// account changes the Cin7 Core account's credentials.
func (w *world) account(body string) {
	w.t.Helper()
	w.control(http.MethodPut, "/sim/cin7core/accounts/"+w.acc.Cin7Core.AccountID, body)
}

// fault makes a call to Cin7 Core go wrong.
func (w *world) fault(f sim.Fault) {
	w.t.Helper()
	if err := w.sim.Fault(sim.Cin7Core, f); err != nil {
		w.t.Fatal(err)
	}
}

// spoil makes one effect go wrong, by its name and number.
func (w *world) spoil(name string, n int, f fault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.on == nil {
		w.on = map[string]map[int]fault{}
	}
	if w.on[name] == nil {
		w.on[name] = map[int]fault{}
	}
	w.on[name][n] = f
}

// coreCalls are those that Cin7 Core saw since an instant, as "POST /sale".
func (w *world) coreCalls(since time.Time) []string {
	var list []string
	for _, c := range w.sim.Calls(sim.Cin7Core, w.acc.Cin7Core.AccountID) {
		if !c.At.Before(since) {
			list = append(list, c.Method+" "+c.Path)
		}
	}
	return list
}

// change changes the tenant's settings.
func (w *world) change(f func(*sale.Settings)) {
	w.t.Helper()
	s := sale.DefaultSettings()
	f(&s)
	if err := saveSettings(tenant.NewStore(w.store, w.box), w.tenant, &s); err != nil {
		w.t.Fatal(err)
	}
}

// saveSettings saves settings over whatever there is.
func saveSettings(tenants *tenant.Store, id string, s *sale.Settings) error {
	_, err := tenants.ChangeSettings(context.Background(), id, "", func(tenant.Bundle) ([]tenant.Section, error) {
		return []tenant.Section{s}, nil
	})
	return err
}

// ids are the Cin7 Core ids that an order names.
func (w *world) ids(id int) (customer string, products []string) {
	w.t.Helper()
	var o struct {
		Customer struct{ ExternalID string }
		Lines    []struct{ ProductExternalID string }
	}
	if err := json.Unmarshal(must[simupstock.OrderSummary](w)(w.simUpstock.Order(id)).JSON, &o); err != nil {
		w.t.Fatal(err)
	}
	for _, l := range o.Lines {
		products = append(products, l.ProductExternalID)
	}
	return o.Customer.ExternalID, products
}

// place places an order without approving it, and arms the gate.
func (w *world) place(order string) int {
	w.t.Helper()
	id := must[simupstock.OrderSummary](w)(w.simUpstock.PlaceOrder(w.acc.Upstock.Supplier, order)).ID
	w.mu.Lock()
	w.armed = true
	w.mu.Unlock()
	return id
}

func (w *world) cancel(id int) {
	w.t.Helper()
	must[simupstock.OrderSummary](w)(w.simUpstock.Cancel(id))
}

// waits wants the order to wait for the reason that has these words.
func (w *world) waits(id int, words ...string) *order.Order {
	w.t.Helper()
	r := w.run(id)
	if r == nil || r.State != ledger.Waiting {
		w.t.Fatalf("order %d does not wait: %+v", id, r)
	}
	w.says(r.Why, words...)
	return r
}

func (w *world) says(text string, words ...string) {
	w.t.Helper()
	for _, word := range words {
		if !strings.Contains(text, word) {
			w.t.Errorf("%q does not say %q", text, word)
		}
	}
}

// attention wants the order to need a person for the reason of this code.
func (w *world) attention(id int, code string, words ...string) {
	w.t.Helper()
	r := w.run(id)
	if r == nil || r.State != ledger.Attention {
		w.t.Fatalf("order %d needs no attention: %+v", id, r)
	}
	i := slices.IndexFunc(r.Problems, func(p ledger.Problem) bool { return p.Code == code })
	if i < 0 {
		w.t.Fatalf("order %d: no problem %q among %+v", id, code, r.Problems)
	}
	p := r.Problems[i]
	w.says(p.Message, words...)
	if p.Message == "" || !strings.HasSuffix(p.Fix, ".") || strings.ContainsAny(p.Message+p.Fix, "{}") {
		w.t.Errorf("not in plain words: %+v", p)
	}
}

// sold wants one sale of the order, as the verdict has it.
func (w *world) sold(id int) *order.Order {
	w.t.Helper()
	r := w.run(id)
	if v := w.verdict(id); v != "" {
		w.t.Fatalf("order %d: %s\n%s", id, v, timeline(r))
	}
	return r
}

// soldAnew is sold beside n voided sales.
func (w *world) soldAnew(id, n int) {
	w.t.Helper()
	if v := w.verdict(id); v != twinVoided || len(w.sales(id)) != n+1 {
		w.t.Fatalf("order %d: %q, sales %+v\n%s", id, v, w.sales(id), timeline(w.run(id)))
	}
}

func timeline(r *order.Order) string {
	var b strings.Builder
	if r != nil {
		for _, e := range r.Timeline {
			fmt.Fprintf(&b, "    %s %s\n", e.At.Format("02 15:04:05.000"), e.Text)
		}
	}
	return b.String()
}

// eventTexts are the texts of the tenant's events of one kind.
func (w *world) eventTexts(kind string) []string {
	list, _, err := ledger.New(w.store).Events(context.Background(), w.tenant, "", 200)
	if err != nil {
		w.t.Fatal(err)
	}
	var texts []string
	for _, e := range list {
		if e.Kind == kind {
			texts = append(texts, e.Text)
		}
	}
	return texts
}

// TestPersonsWorkStands: what people do to a sale between two attempts is never
// overwritten nor voided; where it is in the way, the order says so.
func TestPersonsWorkStands(t *testing.T) {
	lost := map[string]string{"create": postSale, "lines": postLines}
	// begun approves an order whose create or lines take effect without an answer.
	begun := func(w *world, what string) (int, simcin7core.SaleSummary) {
		w.spoil(lost[what], 1, after)
		id := w.approve(groceries)
		synctest.Wait()
		w.waits(id, "Cin7 Core")
		return id, w.sale(id)
	}
	for _, c := range []struct {
		name, lost, do, body string
		code                 string // of the problem; "" = sold
		mend, with           string // what puts it right
		newSale              bool
	}{
		{name: "lines edited after a lost create", lost: "create", do: "lines", body: other, code: "changedByOthers",
			mend: "lines", with: basket},
		{name: "lines edited after lost lines", lost: "lines", do: "lines", body: other, code: "changedByOthers",
			mend: "lines", with: basket},
		{name: "lines taken out again", lost: "create", do: "lines", body: other, code: "changedByOthers",
			mend: "undo"},
		{name: "the same lines entered by hand", lost: "create", do: "lines", body: basket},
		{name: "shipped", lost: "lines", do: "ship"},
		{name: "completed", lost: "lines", do: "complete"},
		{name: "other lines, completed", lost: "create", do: "lines", body: other, code: "changedByOthers"},
		{name: "voided after a lost create", lost: "create", do: "void", code: "saleVoided", newSale: true},
		{name: "voided after lost lines", lost: "lines", do: "void", code: "saleVoided", newSale: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				id, s := begun(w, c.lost)
				w.person(s.ID, c.do, c.body)
				if strings.HasSuffix(c.name, "completed") && c.do == "lines" {
					w.person(s.ID, "complete", "")
				}
				theirs := w.sale(id)
				w.settle(id, horizon)
				if c.code == "" {
					w.sold(id)
				} else {
					w.attention(id, c.code, s.Number)
					w.turnEach(24*time.Hour, time.Hour)
					w.retry(id, false)
					w.attention(id, c.code, s.Number)
				}
				if now := w.sale(id); now != theirs {
					t.Fatalf("the person left %+v, now it is %+v", theirs, now)
				}
				switch {
				case c.mend != "":
					w.person(s.ID, c.mend, c.with)
					w.retry(id, false)
					w.sold(id)
				case c.newSale:
					w.retry(id, true)
					w.soldAnew(id, 1)
				}
			})
		})
	}
	t.Run("copied, empty", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			id, s := begun(w, "create")
			w.person(s.ID, "copy", "")
			w.settle(id, horizon)
			r := w.run(id)
			live := w.live(id)
			if r.State != order.Sold || len(live) != 2 || live[0].Lines == 0 || live[1].Lines != 0 {
				t.Fatalf("state %s, sales %+v", r.State, live)
			}
			w.says(strings.Join(r.Said, " "), live[1].Number, "left alone")
		})
	})
	t.Run("copied and filled", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			id, s := begun(w, "create")
			w.person(s.ID, "copy", "")
			twin := w.sales(id)[1]
			w.person(twin.ID, "lines", other)
			theirs := w.sales(id)
			w.settle(id, horizon)
			w.attention(id, "changedByOthers", twin.Number)
			if now := w.sales(id); !slices.Equal(now, theirs) {
				t.Fatalf("they left %+v, now it is %+v", theirs, now)
			}
			w.person(twin.ID, "lines", basket)
			w.retry(id, false)
			if r := w.run(id); r.State != order.Sold || r.SaleID != twin.ID {
				t.Fatalf("state %s, sale %s", r.State, r.SaleNumber)
			}
		})
	})
	t.Run("two with lines", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			id, s := begun(w, "create")
			w.person(s.ID, "lines", basket)
			w.person(s.ID, "copy", "")
			theirs := w.sales(id)
			w.settle(id, horizon)
			w.attention(id, "twoSales", theirs[0].Number, theirs[1].Number)
			if now := w.sales(id); !slices.Equal(now, theirs) {
				t.Fatalf("they left %+v, now it is %+v", theirs, now)
			}
			w.person(theirs[1].ID, "void", "")
			w.retry(id, false)
			w.soldAnew(id, 1)
		})
	})
	// A known header waits for its lines while a person works on it.
	for name, wait := range map[string]func(w *world){
		"edited while the lines wait for the budget": func(w *world) {
			w.fault(sim.Fault{Match: "POST /sale/order", Kind: "throttle", How: "429"})
		},
		"edited after the worker died": func(w *world) { w.spoil("write T#"+w.tenant+"#order", 3, die) },
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				wait(w)
				id := w.approve(groceries)
				synctest.Wait()
				s := w.sale(id)
				if s.Lines != 0 || w.run(id).SaleID != s.ID {
					t.Fatalf("this is not the moment: %+v\n%s", s, timeline(w.run(id)))
				}
				w.person(s.ID, "lines", other)
				theirs := w.sale(id)
				w.settle(id, horizon)
				w.attention(id, "changedByOthers", s.Number)
				if now := w.sale(id); now != theirs {
					t.Fatalf("the person left %+v, now it is %+v", theirs, now)
				}
				w.person(s.ID, "undo", "")
				w.retry(id, false)
				w.sold(id)
			})
		})
	}
	t.Run("a new sale is for once", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			id, s := begun(w, "create")
			w.person(s.ID, "void", "")
			w.settle(id, horizon)
			w.attention(id, "saleVoided", s.Number)
			w.spoil(postSale, 2, after)
			if err := w.pair().Retry(t.Context(), w.tenant, strconv.Itoa(id),
				upstockcin7.RetryOptions{NewSale: true}); err != nil {
				t.Fatal(err)
			}
			for len(w.sales(id)) < 2 {
				w.turn(time.Minute)
			}
			second := w.sales(id)[1]
			w.person(second.ID, "void", "")
			w.settle(id, horizon)
			w.attention(id, "saleVoided", second.Number)
			if len(w.sales(id)) != 2 {
				t.Fatalf("sales %+v", w.sales(id))
			}
		})
	})
	t.Run("nothing to retry", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			id := w.approve(groceries)
			w.settle(id, horizon)
			w.sold(id)
			for order, want := range map[string]error{strconv.Itoa(id): upstockcin7.ErrNothingToRetry,
				"4711": ledger.ErrNotFound} {
				if err := w.pair().Retry(t.Context(), w.tenant, order, upstockcin7.RetryOptions{}); !errors.Is(err,
					want) {
					t.Errorf("retry order %s: %v", order, err)
				}
			}
			w.stands(id, w.sale(id).Number)
		})
	})
}

// TestBroken: a connection without a working key for 20 days.
func TestBroken(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		const days = 20
		orders := testsize.Of(50, 50, 10)
		first := w.approve(groceries)
		w.settle(first, horizon)
		w.sold(first)
		w.account(`{"revoked":true}`)
		time.Sleep(time.Minute)
		broken := time.Now()
		var ids []int
		for range orders {
			ids = append(ids, w.approve(""))
			w.turnEach(days*24*time.Hour/time.Duration(orders), 2*time.Hour)
		}
		if calls := w.coreCalls(broken); len(calls) > 1 {
			t.Errorf("%d calls with a refused key: %v", len(calls), calls)
		}
		for _, id := range ids {
			if r := w.waits(id, "Cin7 Core", "Save a new key"); !r.Parked {
				t.Errorf("order %d is not parked", id)
			}
		}
		c := must[tenant.Connection](w)(w.process("console").app.Tenants.Connection(t.Context(), w.tenant,
			tenant.Cin7Core))
		if c.State != tenant.NeedsReconnecting || c.Why == "" {
			t.Errorf("the connection: %s %q", c.State, c.Why)
		}
		w.account(`{"revoked":false,"applicationKey":"a-new-key"}`)
		repaired := time.Now()
		typed := vendor.Credentials{Key: "a-new-key"}
		if _, _, err := w.vendorTable().Connect(t.Context(), w.tenant, tenant.Cin7Core, typed); err != nil {
			t.Fatal(err)
		}
		// For each a look for its sale, one for a sale that somebody made by hand, a header and lines, at 60 calls in
		// 63 s, and the mirror's pass.
		w.turn(8 * time.Minute)
		for _, id := range ids {
			w.sold(id)
		}
		if n := len(w.coreCalls(repaired)); n > 4*orders+30 {
			t.Errorf("%d calls for %d orders", n, orders)
		}
		w.turnEach(25*time.Hour, time.Hour)
		if n := len(w.live(ids[0])); n != 1 {
			t.Errorf("%d sales a day later", n)
		}
	})
}

// TestReconnected: orders that wait for a connection that was taken away go on with a new one.
func TestReconnected(t *testing.T) {
	for _, sys := range []tenant.System{tenant.Upstock, tenant.Cin7Core} {
		t.Run(string(sys), func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				w.spoil(tellOrders, 1, before)
				id := w.approve(groceries)
				synctest.Wait()
				if err := w.vendorTable().Disconnect(t.Context(), w.tenant, sys); err != nil {
					t.Fatal(err)
				}
				w.turn(time.Hour)
				w.waits(id, "is not connected", "goes on by itself")
				cred := w.coreKey()
				if sys == tenant.Upstock {
					cred = vendor.Credentials{Key: tenant.Secret(w.acc.Upstock.Token)}
				}
				if _, _, err := w.vendorTable().Connect(t.Context(), w.tenant, sys, cred); err != nil {
					t.Fatal(err)
				}
				w.turn(10 * time.Minute)
				w.sold(id)
			})
		})
	}
}

// restore puts the table back to what it was.
func (w *world) restore(path string, copied []byte) {
	w.t.Helper()
	w.store.Close()
	if err := os.WriteFile(path, copied, 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.store = must[*table.File](w)(table.Open(path, table.Options{NoSync: true}))
}

// TestRestored: the table is put back to what it was an hour ago.
func TestRestored(t *testing.T) {
	path := filepath.Join(t.TempDir(), "restored.db")
	storyAt(t, path, func(t *testing.T, w *world) {
		orders := map[string]int{}
		approve := func(name, order string) int {
			orders[name] = w.approve(order)
			synctest.Wait()
			return orders[name]
		}
		w.settle(approve("sold", ""), horizon)
		// One that is about to wait for a person: the hour after puts it right.
		attention := w.place(groceries)
		customer, _ := w.ids(attention)
		orders["attention"] = attention
		w.control(http.MethodPut, "/sim/cin7core/customers/"+customer, `{"Status":"Deprecated"}`)
		must[simupstock.OrderSummary](w)(w.simUpstock.Approve(attention))
		w.settle(attention, horizon)
		w.attention(attention, "refused", "deprecated")
		w.control(http.MethodPut, "/sim/cin7core/customers/"+customer, `{"Status":"Active"}`)

		elsewhere := `{"customer":{"name":"Kererū Organics"}}`
		w.fault(sim.Fault{Match: "POST /sale", Kind: "after"})
		w.waits(approve("waiting, made", elsewhere), "Cin7 Core")
		w.fault(sim.Fault{Match: "POST /sale", Kind: "before", How: "502"})
		w.waits(approve("waiting, not made", elsewhere), "Cin7 Core")
		w.fault(sim.Fault{Match: "POST /sale", Kind: "late", Seconds: 100})
		w.waits(approve("waiting, made later", elsewhere), "Cin7 Core")
		w.fault(sim.Fault{Match: "POST /sale/order", Kind: "after"})
		w.waits(approve("waiting, lines written", elsewhere), "Cin7 Core")
		w.fault(sim.Fault{Match: "POST /sale/order", Kind: "throttle", How: "400"})
		w.waits(approve("waiting for the lines", elsewhere), "too many calls")
		w.turn(20 * time.Second)
		w.spoil(tellOrders, w.seen[tellOrders]+1, before)
		if r := w.run(approve("received", elsewhere)); r.State != ledger.Received {
			t.Fatalf("received: %s", r.State)
		}
		w.spoil(postSale, w.seen[postSale]+1, stall)
		if r := w.run(approve("working on the sale", elsewhere)); r.State != ledger.Working || r.SaleID != "" {
			t.Fatalf("working on the sale: %s %s\n%s", r.State, r.SaleID, timeline(r))
		}
		w.spoil(postLines, w.seen[postLines]+1, stall)
		if r := w.run(approve("working on the lines", elsewhere)); r.State != ledger.Working || r.SaleID == "" {
			t.Fatalf("working on the lines: %s %s\n%s", r.State, r.SaleID, timeline(r))
		}

		w.fault(sim.Fault{Match: "POST /sale/order", Kind: "throttle", How: "400"})
		w.waits(approve("edited", groceries), "too many calls")

		copied := must[[]byte](w)(os.ReadFile(path))
		w.retry(attention, false)
		w.turn(time.Hour)
		for name, id := range orders {
			if v := w.verdict(id); v != "" {
				t.Fatalf("%s: before the restore: %s\n%s", name, v, timeline(w.run(id)))
			}
		}
		// A person works on in Cin7 Core.
		edited := w.sale(orders["edited"])
		w.person(edited.ID, "lines", other)
		theirs := w.sale(orders["edited"])

		w.restore(path, copied)
		w.turn(3 * time.Hour)
		for name, id := range orders {
			switch name {
			case "edited":
				w.attention(id, "changedByOthers", theirs.Number)
				if now := w.sale(id); now != theirs {
					t.Errorf("%s: they left %+v, now it is %+v", name, theirs, now)
				}
			case "attention":
				w.attention(id, "refused")
				w.retry(id, false)
				fallthrough
			default:
				if v := w.verdict(id); v != "" {
					t.Errorf("%s: %s\n%s", name, v, timeline(w.run(id)))
				}
			}
		}
	})
}

// TestCancelled: an order is cancelled before, between and after its sale's two writes.
func TestCancelled(t *testing.T) {
	// ends wants no sale of a cancelled order, but for n voided headers.
	ends := func(w *world, id, n int) {
		w.t.Helper()
		r := w.run(id)
		if r.State != order.Cancelled || len(w.live(id)) != 0 || len(w.sales(id)) != n {
			w.t.Fatalf("state %s, sales %+v\n%s", r.State, w.sales(id), timeline(r))
		}
		if !r.Next.IsZero() {
			w.t.Errorf("a cancelled order is due at %s", r.Next)
		}
	}
	t.Run("before anything", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.spoil(tellOrders, 1, before)
			id := w.approve(groceries)
			synctest.Wait()
			w.cancel(id)
			w.turn(time.Hour)
			ends(w, id, 0)
		})
	})
	t.Run("reverse order", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			if err := w.sim.Fault(sim.Upstock,
				sim.Fault{Match: "WEBHOOK order.approved", Kind: "late", Seconds: 600}); err != nil {
				t.Fatal(err)
			}
			id := w.approve(groceries)
			w.cancel(id)
			w.turn(time.Hour)
			ends(w, id, 0)
		})
	})
	t.Run("duplicates", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			for _, event := range []string{"order.approved", "order.cancelled"} {
				for _, kind := range []string{"dup", "after"} {
					if err := w.sim.Fault(sim.Upstock, sim.Fault{Match: "WEBHOOK " + event, Kind: kind}); err != nil {
						t.Fatal(err)
					}
				}
			}
			id := w.approve(groceries)
			w.settle(id, horizon)
			w.sold(id)
			two := w.approve("")
			w.settle(two, horizon)
			w.sold(two)
			w.cancel(id)
			w.turn(time.Hour)
			w.sold(id)
			w.cancel(two)
			w.turn(time.Hour)
			w.sold(two)
			if said := w.run(id).Said; len(said) != 1 {
				t.Errorf("said %q", said)
			}
		})
	})
	t.Run("a parked order", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.account(`{"revoked":true}`)
			id := w.approve(groceries)
			w.turn(10 * time.Minute)
			w.waits(id, "refused the key")
			w.cancel(id)
			w.turn(10 * time.Minute)
			ends(w, id, 0)
		})
	})
	t.Run("an order that needs attention", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			id := w.approve(`{"lines":[{"sku":"NO-SUCH","quantity":"1"}]}`)
			w.settle(id, horizon)
			if w.run(id).State != ledger.Attention {
				t.Fatal(w.run(id).State)
			}
			w.cancel(id)
			w.turn(10 * time.Minute)
			ends(w, id, 0)
		})
	})
	// between cancels while the create or the lines are on their way, at the
	// vendor's end or before it.
	for _, c := range []struct {
		name   string
		fault  sim.Fault
		voided int  // headers made and voided
		sells  bool // too late: the sale stands
	}{
		{"while the create is answered", sim.Fault{Match: "POST /sale", Kind: "slow", Seconds: 5}, 1, false},
		{"after a lost create", sim.Fault{Match: "POST /sale", Kind: "after"}, 1, false},
		{"after a create that was never made", sim.Fault{Match: "POST /sale", Kind: "before", How: "502"}, 0, false},
		{"after a create that comes later", sim.Fault{Match: "POST /sale", Kind: "late", Seconds: 100}, 1, false},
		{"after a create that comes much later", sim.Fault{Match: "POST /sale", Kind: "late", Seconds: 480}, 1, false},
		{"while the lines wait", sim.Fault{Match: "POST /sale/order", Kind: "throttle", How: "429"}, 1, false},
		{"after lines that were never written", sim.Fault{Match: "POST /sale/order", Kind: "before", How: "502"}, 1,
			false},
		{"while the lines are answered", sim.Fault{Match: "POST /sale/order", Kind: "slow", Seconds: 5}, 0, true},
		{"after lost lines", sim.Fault{Match: "POST /sale/order", Kind: "after"}, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				w.fault(c.fault)
				id := w.approve(groceries)
				synctest.Wait()
				time.Sleep(time.Second)
				w.cancel(id)
				w.turn(2 * time.Hour)
				if !c.sells {
					ends(w, id, c.voided)
					return
				}
				w.says(strings.Join(w.sold(id).Said, " "), "cancelled in Upstock", "The sale stands")
			})
		})
	}
	t.Run("after it was sold", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			id := w.approve(groceries)
			w.settle(id, horizon)
			w.cancel(id)
			w.turn(time.Hour)
			w.says(strings.Join(w.sold(id).Said, " "), "cancelled in Upstock after it was sold", "The sale stands")
		})
	})
	t.Run("a header that a person filled", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.fault(sim.Fault{Match: "POST /sale", Kind: "after"})
			id := w.approve(groceries)
			synctest.Wait()
			w.person(w.sale(id).ID, "lines", other)
			theirs := w.sale(id)
			w.cancel(id)
			w.settle(id, horizon)
			w.attention(id, "changedByOthers", theirs.Number)
			if now := w.sale(id); now != theirs {
				t.Errorf("they left %+v, now it is %+v", theirs, now)
			}
		})
	})
}

// TestApprovedAgain: a later approval of an order is said on it, and is no second sale.
func TestApprovedAgain(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id := w.approve(groceries)
		w.settle(id, horizon)
		w.sold(id)
		var o map[string]any
		if err := json.Unmarshal(must[simupstock.OrderSummary](w)(w.simUpstock.Order(id)).JSON, &o); err != nil {
			t.Fatal(err)
		}
		o["approvedAt"] = time.Now().UTC().Add(time.Hour).Format(time.RFC3339)
		raw := must[[]byte](w)(json.Marshal(o))
		if fresh, err := w.pair().Approved(t.Context(), w.tenant, "msg_again", raw, raw); fresh || err != nil {
			t.Fatal(fresh, err)
		}
		w.turn(time.Hour)
		w.says(timeline(w.sold(id)), "another approval", "not sold a second time")
	})
}

// TestRefused: the vendor refuses one of the two writes.
func TestRefused(t *testing.T) {
	t.Run("the sale", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			id := w.place(groceries)
			customer, _ := w.ids(id)
			w.control(http.MethodPut, "/sim/cin7core/customers/"+customer, `{"Status":"Deprecated"}`)
			must[simupstock.OrderSummary](w)(w.simUpstock.Approve(id))
			w.settle(id, horizon)
			w.attention(id, "refused", "Cin7 Core refused the sale", "Customer 'Harbourside Grocers' is deprecated")
			w.control(http.MethodPut, "/sim/cin7core/customers/"+customer, `{"Status":"Active"}`)
			w.retry(id, false)
			if r := w.sold(id); len(r.Problems) > 0 {
				t.Errorf("problems of a sold order: %+v", r.Problems)
			}
		})
	})
	deprecate := func(w *world, id int) (mend func()) {
		_, products := w.ids(id)
		w.control(http.MethodPut, "/sim/cin7core/products/"+products[1], `{"Status":"Deprecated"}`)
		return func() { w.control(http.MethodPut, "/sim/cin7core/products/"+products[1], `{"Status":"Active"}`) }
	}
	t.Run("the lines", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			id := w.place(groceries)
			mend := deprecate(w, id)
			must[simupstock.OrderSummary](w)(w.simUpstock.Approve(id))
			w.settle(id, horizon)
			w.attention(id, "refused", "Cin7 Core refused the lines", "Product 'GRN-TST' is deprecated")
			if s := w.sale(id); s.Status != "VOIDED" {
				t.Errorf("the empty header: %+v", s)
			}
			w.retry(id, false)
			w.attention(id, "refused", "GRN-TST")
			mend()
			w.retry(id, false)
			w.soldAnew(id, 2)
		})
	})
	t.Run("the lines of a header that a person filled", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			id := w.place(groceries)
			deprecate(w, id)
			w.fault(sim.Fault{Match: "POST /sale/order", Kind: "slow", How: "arrive", Seconds: 5})
			must[simupstock.OrderSummary](w)(w.simUpstock.Approve(id))
			synctest.Wait()
			time.Sleep(time.Second)
			w.person(w.sale(id).ID, "lines", other)
			theirs := w.sale(id)
			w.settle(id, horizon)
			w.attention(id, "refused", "GRN-TST")
			if now := w.sale(id); now != theirs {
				t.Errorf("they left %+v, now it is %+v", theirs, now)
			}
		})
	})
	t.Run("a second time, after they were written", func(t *testing.T) {
		// The lines take effect, and authorise the order, between the look and the second try.
		story(t, func(t *testing.T, w *world) {
			w.change(func(s *sale.Settings) { s.OrderStatus = sale.Authorised })
			w.spoil(postLines, 1, beyond)
			w.spoil(postLines, 2, stall)
			id := w.approve(groceries)
			w.settle(id, horizon)
			w.sold(id)
		})
	})
}

// TestThrottled: every shape of "too many calls", at either write.
func TestThrottled(t *testing.T) {
	for _, match := range []string{"POST /sale", "POST /sale/order"} {
		for _, how := range []string{"429", "503", "400", "200", "bare 503"} {
			for _, after := range []int{0, 40} {
				name := match + " " + how
				f := sim.Fault{Match: match, Kind: "throttle", How: how}
				if how == "bare 503" {
					f = sim.Fault{Match: match, Kind: "before", How: "503"}
				}
				if after > 0 {
					if f.Kind != "throttle" {
						continue
					}
					f.RetryAfter = fmt.Sprintf("%d Seconds", after) // with the unit, as Cin7 Core has sent it
					name += " Retry-After"
				}
				t.Run(name, func(t *testing.T) {
					story(t, func(t *testing.T, w *world) {
						w.fault(f)
						start := time.Now()
						id := w.approve(groceries)
						synctest.Wait()
						r := w.waits(id)
						if r.Failures > 0 && how != "bare 503" || len(r.Problems) > 0 {
							t.Errorf("a throttle is no failure: %+v", r)
						}
						if wait := r.Next.Sub(start); how != "bare 503" &&
							wait < time.Duration(max(after, 15))*time.Second || wait > 90*time.Second {
							t.Errorf("waits %s", wait)
						}
						hold := time.Duration(max(after, 15)) * time.Second
						l := limit.New(w.store, "cin7core", w.acc.Cin7Core.AccountID, w.budget(tenant.Cin7Core),
							limit.First)
						if s := must[limit.State](w)(l.State(t.Context())); s.BlockedUntil.Sub(start) != hold {
							t.Errorf("blocked for %s", s.BlockedUntil.Sub(start))
						}
						calls := len(w.coreCalls(start))
						time.Sleep(hold - time.Second)
						if err := w.sweep(); err != nil {
							t.Fatal(err)
						}
						synctest.Wait()
						if n := len(w.coreCalls(start)); n != calls {
							t.Errorf("%d calls while blocked", n-calls)
						}
						w.settle(id, horizon)
						w.sold(id)
					})
				})
			}
		}
	}
}

// TestDoubtfulLists: the list that decides ignores the filter, or lags.
func TestDoubtfulLists(t *testing.T) {
	for _, c := range []struct {
		name   string
		faults []sim.Fault
	}{
		{"filter ignored, sale made", []sim.Fault{{Match: "POST /sale", Kind: "after"},
			{Match: "GET /saleList", Kind: "ignoreFilter", Times: -1}}},
		{"filter ignored, sale not made",
			[]sim.Fault{{Match: "POST /sale", Kind: "before", How: "502"},
				{Match: "GET /saleList", Kind: "ignoreFilter", Times: -1}}},
		{"stale list", []sim.Fault{{Match: "POST /sale", Kind: "late", How: "list", Seconds: 110}}},
		{"stale answers", []sim.Fault{{Match: "POST /sale", Kind: "after"},
			{Match: "GET /saleList", Kind: "stale", Seconds: 100, Times: -1}}},
		{"stale and ignored", []sim.Fault{{Match: "POST /sale", Kind: "late", How: "list", Seconds: 110},
			{Match: "GET /saleList", Kind: "ignoreFilter", Times: -1}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				// Others' sales, one of them with the same reference.
				for _, o := range []string{groceries, groceries, `{}`} {
					id := w.approve(o)
					w.settle(id, horizon)
					w.sold(id)
				}
				for _, f := range c.faults {
					w.fault(f)
				}
				id := w.approve(groceries)
				w.settle(id, horizon)
				w.sold(id)
			})
		})
	}
	// A restored table knows nothing of the sale but the order itself.
	t.Run("filter ignored, nothing on record", func(t *testing.T) {
		forgotten(t, func(w *world) {
			later := w.approve("")
			w.settle(later, horizon)
		}, func(w *world) {
			w.fault(sim.Fault{Match: "GET /saleList", Kind: "ignoreFilter", Times: -1})
		})
	})
}

// forgotten sells an order, and puts the table back to the moment at which it had been written down and no more. It is
// sold again, as the one sale that it had. meanwhile is done before the table is put back, then after it.
func forgotten(t *testing.T, meanwhile, then func(w *world)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "forgotten.db")
	storyAt(t, path, func(t *testing.T, w *world) {
		w.spoil(tellOrders, 1, before)
		id := w.approve(groceries)
		synctest.Wait()
		copied := must[[]byte](w)(os.ReadFile(path))
		w.settle(id, horizon)
		w.sold(id)
		meanwhile(w)
		w.restore(path, copied)
		then(w)
		w.settle(id, horizon)
		w.sold(id)
	})
}

// checked sets how many orders were already looked up as somebody else's.
func (w *world) checked(n int) {
	w.t.Helper()
	note(w, upstockcin7.LookedUp, n)
}

// TestForeignSales: the first orders of a connection may have been sold by Upstock's own integration.
func TestForeignSales(t *testing.T) {
	t.Run("found", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.checked(0)
			id := w.place(groceries)
			customer, _ := w.ids(id)
			made := w.core(http.MethodPost, "/sale",
				fmt.Sprintf(`{"CustomerID":%q,"CustomerReference":"PO-4711","Location":"Main Warehouse","SkipQuote":true}`, customer))
			must[simupstock.OrderSummary](w)(w.simUpstock.Approve(id))
			w.settle(id, horizon)
			w.attention(id, "foreignSale", "SO-00001", "not ours")
			if len(w.sales(id)) > 0 {
				t.Fatal("sold all the same")
			}
			w.retry(id, false)
			w.attention(id, "foreignSale", "SO-00001")
			w.stands(id, "SO-00001")
			w.stands(id, "SO-00001", "SO-00002")
			w.retryBeside(id, "so-00001 ")
			w.sold(id)
			var foreign struct{ ID string }
			if err := json.Unmarshal(made, &foreign); err != nil {
				t.Fatal(err)
			}
			var now struct{ Status string }
			if err := json.Unmarshal(w.core(http.MethodGet, "/sale?ID="+foreign.ID, ""), &now); err != nil ||
				now.Status == "VOIDED" {
				t.Errorf("somebody else's sale is %s (%v)", now.Status, err)
			}
		})
	})
	t.Run("not found", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.checked(0)
			for n := 1; n <= 12; n++ {
				start := time.Now()
				id := w.approve("")
				w.settle(id, horizon)
				w.sold(id)
				want := []string{"POST /sale", "POST /sale/order"}
				if n <= 10 {
					want = append([]string{"GET /saleList"}, want...)
				}
				if got := w.coreCalls(start); !slices.Equal(got, want) {
					t.Errorf("order %d: %v", n, got)
				}
				time.Sleep(time.Minute)
			}
		})
	})
}

// TestSettings: what is set reaches the sale, and what Cin7 Core did not do as asked is said.
func TestSettings(t *testing.T) {
	for _, c := range []struct {
		name      string
		set       func(*sale.Settings)
		order     string
		saleType  string
		orderIs   string
		shipping  string
		calls     int
		saidWords []string
	}{
		{name: "draft, simple", set: func(*sale.Settings) {}, saleType: "Simple Sale", orderIs: "DRAFT",
			shipping: "NOT AVAILABLE", calls: 2},
		{name: "authorised", set: func(s *sale.Settings) { s.OrderStatus = sale.Authorised }, saleType: "Simple Sale",
			orderIs: "AUTHORISED", shipping: "NOT SHIPPED", calls: 2},
		{name: "advanced", set: func(s *sale.Settings) { s.SaleType, s.OrderStatus = sale.Advanced, sale.Authorised },
			saleType: "Advanced Sale", orderIs: "AUTHORISED", shipping: "NOT SHIPPED", calls: 2},
		{name: "auto pick, pack and ship", set: func(s *sale.Settings) {
			s.OrderStatus, s.CreationMode = sale.Authorised, sale.AutoPickPackShip
		}, saleType: "Simple Sale", orderIs: "AUTHORISED", shipping: "SHIPPED", calls: 3},
		{name: "auto pick with a back-order", set: func(s *sale.Settings) {
			s.OrderStatus, s.CreationMode = sale.Authorised, sale.AutoPickPack
		}, order: `{"customer":{"name":"Harbourside Grocers"},"lines":[{"sku":"SLT-FLK","quantity":"3"},{"sku":"BSC-OAT","quantity":"2"}]}`,
			saleType: "Simple Sale", orderIs: "AUTHORISED", shipping: "NOT SHIPPED", calls: 3,
			saidWords: []string{"SLT-FLK: 0 of 3 picked, 0 of 3 packed.",
				"BSC-OAT: 0 of 2 picked, 0 of 2 packed; 2 on back-order."}},
	} {
		t.Run(c.name, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				w.change(c.set)
				start := time.Now()
				order := c.order
				if order == "" {
					order = groceries
				}
				id := w.approve(order)
				w.settle(id, horizon)
				r, s := w.sold(id), w.sale(id)
				if s.Type != c.saleType || s.Order != c.orderIs || s.Shipping != c.shipping {
					t.Errorf("the sale: %+v", s)
				}
				if calls := w.coreCalls(start); len(calls) != c.calls {
					t.Errorf("calls %v", calls)
				}
				if len(c.saidWords) == 0 && len(r.Said)+len(r.Unpicked) > 0 {
					t.Errorf("said %q %q", r.Said, r.Unpicked)
				}
				w.says(strings.Join(r.Unpicked, " "), c.saidWords...)
			})
		})
	}
	t.Run("a cent apart", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			// 3 × 6.80 + 2 × 14.20 is 48.80; tax 7.32.
			body := strings.TrimSuffix(groceries, "}") + `,"totals":{"subtotal":"48.80","tax":"7.33","total":"56.13"}}`
			id := w.approve(body)
			w.settle(id, horizon)
			r := w.run(id)
			if r.State != order.Sold || r.Total != "56.13" || r.SaleTotal != "56.12" {
				t.Fatalf("%s %s %s %+v", r.State, r.Total, r.SaleTotal, r.Problems)
			}
			w.says(strings.Join(r.Said, " "), "56.12", "56.13", "0.01")

			w.change(func(s *sale.Settings) { s.TotalTolerance = decimal.Zero })
			id = w.approve(body)
			w.settle(id, horizon)
			w.attention(id, "total", "56.12", "56.13", "0.01")
			if len(w.sales(id)) > 0 {
				t.Error("sent all the same")
			}
		})
	})
	t.Run("Cin7 Core takes its own discount", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.control(http.MethodPut, "/sim/cin7core/me?account="+w.acc.Cin7Core.AccountID,
				`{"AutomaticallyApplyDiscounts":true}`)
			w.change(func(s *sale.Settings) { s.OrderStatus = sale.Authorised })
			id := w.approve(`{"customer":{"name":"Bluff & Sons Provedores"},"lines":[{"sku":"SLT-FLK","quantity":"10","unitPrice":"6.00","discountPercent":"0"}]}`)
			w.settle(id, horizon)
			r := w.run(id)
			if r.State != order.Sold || r.SaleTotal != "65.55" {
				t.Fatalf("%s %s\n%s", r.State, r.SaleTotal, timeline(r))
			}
			w.says(strings.Join(r.Said, " "), "65.55", "69.00 was expected", "changed the sale")
		})
	})
}

// TestDeadLetters: what the queue gives up on is nobody's loss.
func TestDeadLetters(t *testing.T) {
	dead := func(w *world, id int) {
		w.t.Helper()
		body := must[[]byte](w)(json.Marshal(ledger.Pointer{Tenant: w.tenant, ID: strconv.Itoa(id),
			Origin: ledger.OriginSweep}))
		if failed := w.process("deadletters").app.DeadLetters(w.t.Context(),
			[]app.Message{{ID: "m", Body: string(body)}}); len(failed) > 0 {
			w.t.Fatal("a dead letter failed")
		}
	}
	t.Run("three in a row", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.spoil(tellOrders, 1, before)
			id := w.approve(groceries)
			synctest.Wait()
			dead(w, id)
			dead(w, id)
			if r := w.run(id); r.State == ledger.Attention || r.Failures != 2 || !r.Next.After(time.Now()) {
				t.Fatalf("after two: %+v", r)
			}
			dead(w, id)
			w.attention(id, "brokeOff", "again and again")
			w.retry(id, false)
			if r := w.sold(id); r.Dead != 0 || r.Failures != 0 {
				t.Errorf("still counted: %+v", r)
			}
			dead(w, id)
			w.sold(id)
			e := w.eventTexts("deadLetter") // all of one moment, in any order
			slices.Sort(e)
			if len(e) != 4 || !strings.Contains(e[0], "not affected") || !strings.Contains(e[3], "3 in a row") {
				t.Errorf("events %q", e)
			}
		})
	})
	t.Run("not in a row", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.spoil(tellOrders, 1, before)
			w.fault(sim.Fault{Match: "POST /sale", Kind: "throttle", Times: 2})
			id := w.approve(groceries)
			synctest.Wait()
			dead(w, id)
			dead(w, id)
			for w.run(id).State != ledger.Waiting {
				w.turn(time.Minute)
			}
			dead(w, id)
			if w.run(id).State == ledger.Attention {
				t.Error("an attempt that ended well does not end the row")
			}
			w.settle(id, horizon)
			w.sold(id)
		})
	})
	t.Run("an order that is not here", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			dead(w, 4711)
			if e := w.eventTexts("deadLetter"); len(e) != 1 || !strings.Contains(e[0], "not here") {
				t.Errorf("events %q", e)
			}
		})
	})
	t.Run("a worker that dies every time", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			for n := range 100 {
				w.spoil(postSale, n+1, die)
			}
			id := w.approve(groceries)
			w.turn(24 * time.Hour)
			// Whatever it dies of, the sale was made once and is found.
			if n := len(w.sales(id)); n != 1 {
				t.Errorf("%d sales", n)
			}
			w.sold(id)
		})
	})
}

// TestLostPointer: the message that wakes an order is lost; the sweep finds it.
func TestLostPointer(t *testing.T) {
	for _, f := range []fault{before, die} {
		t.Run(f.String(), func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				w.spoil(tellOrders, 1, f)
				start := time.Now()
				id := w.approve(groceries)
				w.settle(id, horizon)
				if r := w.sold(id); r.SoldAt.Sub(start) > 3*time.Minute {
					t.Errorf("sold after %s", r.SoldAt.Sub(start))
				}
			})
		})
	}
}

// neighbour makes another tenant of this world, with an account of its own
// unless one is given.
func (w *world) neighbour(name string, acc sim.Account) *world {
	w.t.Helper()
	p := w.process("console").app
	tn, _, err := p.Tenants.Create(context.Background(), name, "")
	if err != nil {
		w.t.Fatal(err)
	}
	if acc.Name == "" {
		acc = w.sim.AddAccount(name, "")
	}
	v := &world{t: w.t, sim: w.sim, simUpstock: w.simUpstock, simCore: w.simCore, store: w.store, box: w.box, acc: acc,
		tenant: tn.ID, seen: map[string]int{}}
	if _, _, err := p.Vendors.Connect(context.Background(), tn.ID, tenant.Cin7Core, v.coreKey()); err != nil {
		w.t.Fatal(err)
	}
	typed := vendor.Credentials{Key: tenant.Secret(acc.Upstock.Token)}
	_, url, err := p.Vendors.Connect(context.Background(), tn.ID, tenant.Upstock, typed)
	if err != nil {
		w.t.Fatal(err)
	}
	secret := must[string](w)(w.simUpstock.RegisterWebhook(acc.Upstock.Supplier, url))
	typed = vendor.Credentials{WebhookSecret: tenant.Secret(secret)}
	if _, _, err := p.Vendors.Connect(context.Background(), tn.ID, tenant.Upstock, typed); err != nil {
		w.t.Fatal(err)
	}
	return v
}

// TestSweepIsFair: a sweep wakes the oldest orders, of one account no more than a minute's budget serves.
func TestSweepIsFair(t *testing.T) {
	testsize.Unraced(t)
	t.Parallel()
	for _, shared := range []bool{false, true} {
		t.Run(map[bool]string{false: "accounts of their own", true: "one account"}[shared], func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				acc := w.sim.AddAccount("Southern Lakes", "")
				placed := ""
				if shared {
					acc.Cin7Core = w.acc.Cin7Core
					placed = unlinked
				}
				v := w.neighbour("Southern Lakes", acc)
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				for n := range 100 {
					w.spoil(tellOrders, n+1, before)
				}
				var mine, theirs []int
				for range 70 {
					mine = append(mine, w.approve(""))
					time.Sleep(10 * time.Millisecond)
				}
				for range 3 {
					theirs = append(theirs, v.approve(placed))
					time.Sleep(10 * time.Millisecond)
				}
				synctest.Wait()
				time.Sleep(2 * time.Minute)
				w.mu.Lock()
				w.on = nil
				w.mu.Unlock()
				if err := w.sweep(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(59 * time.Second) // the pointers are spread over the minute
				synctest.Wait()
				tried := 0
				for i, id := range mine {
					if w.run(id).Attempts > 0 {
						if tried++; tried != i+1 {
							t.Errorf("order %d was woken before older ones", i+1)
						}
					}
				}
				if tried > 20 || tried < 17 || !shared && tried != 20 { // three calls each
					t.Errorf("%d orders of one account were woken", tried)
				}
				for _, id := range theirs {
					if v.run(id).Attempts == 0 {
						t.Error("the other tenant's order was held up")
					}
				}
				w.turn(15 * time.Minute)
				for _, id := range mine {
					w.sold(id)
				}
				for _, id := range theirs {
					if !shared {
						v.sold(id)
					} else if len(v.live(id)) != 1 || v.run(id).State != order.Sold {
						t.Errorf("order %d: %s", id, v.run(id).State)
					}
				}
			})
		})
	}
}

// TestConnecting: keys are tested before they count, and nothing is sold by mistake of accounts.
func TestConnecting(t *testing.T) {
	connectError := func(err error) *vendor.ConnectError {
		e, _ := errors.AsType[*vendor.ConnectError](err)
		return e
	}
	t.Run("a wrong key", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			for _, sys := range []tenant.System{tenant.Upstock, tenant.Cin7Core} {
				_, _, err := w.vendorTable().Connect(t.Context(), w.tenant, sys, vendor.Credentials{Key: "wrong"})
				e := connectError(err)
				if e == nil || e.Retry || e.Problem.Code != "keyRefused" || e.Problem.Fix == "" {
					t.Errorf("%s: %v", sys, err)
				}
				w.fault(sim.Fault{Match: "GET /me", Kind: "before", How: "502"})
				if err := w.sim.Fault(sim.Upstock,
					sim.Fault{Match: "GET /supplier", Kind: "before", How: "502"}); err != nil {
					t.Fatal(err)
				}
				_, _, err = w.vendorTable().Connect(t.Context(), w.tenant, sys, vendor.Credentials{Key: "who-knows"})
				if e := connectError(err); e == nil || !e.Retry || e.Problem.Code != "noAnswer" {
					t.Errorf("%s: %v", sys, err)
				}
				w.sim.ClearFaults(sim.Cin7Core)
				w.sim.ClearFaults(sim.Upstock)
				typed := vendor.Credentials{WebhookSecret: "whsec_!"}
				_, _, err = w.vendorTable().Connect(t.Context(), w.tenant, sys, typed)
				if sys == tenant.Upstock && len(fieldErrors(err)) != 1 {
					t.Errorf("%s: %v", sys, err)
				}
			}
			id := w.approve(groceries)
			w.settle(id, horizon)
			w.sold(id)
		})
	})
	t.Run("another tenant's supplier", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			tn, _, err := w.process("console").app.Tenants.Create(t.Context(), "Somebody", "")
			if err != nil {
				t.Fatal(err)
			}
			typed := vendor.Credentials{Key: tenant.Secret(w.acc.Upstock.Token)}
			_, _, err = w.vendorTable().Connect(t.Context(), tn.ID, tenant.Upstock, typed)
			if !errors.Is(err, tenant.ErrClaimed) {
				t.Errorf("connect another tenant's supplier: %v", err)
			}
			if _, err := w.process("console").app.Tenants.Connection(t.Context(), tn.ID,
				tenant.Upstock); !errors.Is(err, tenant.ErrNotFound) {
				t.Errorf("it is connected all the same: %v", err)
			}
		})
	})
	t.Run("another account", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.spoil(postSale, 1, after)
			begun := w.approve(groceries)
			synctest.Wait()
			header := w.approve("")
			w.settle(header, horizon)
			w.fault(sim.Fault{Match: "POST /sale/order", Kind: "throttle"})
			halfway := w.approve("")
			synctest.Wait()
			w.spoil(tellOrders, w.seen[tellOrders]+1, before)
			fresh := w.approve(`{"lines":[{"sku":"SLT-FLK","quantity":"1"}]}`)
			synctest.Wait()
			old := w.acc.Cin7Core
			next := w.sim.AddAccount("The new company", "").Cin7Core
			typed := vendor.Credentials{Account: next.AccountID, Key: tenant.Secret(next.ApplicationKey)}
			if _, _, err := w.vendorTable().Connect(t.Context(), w.tenant, tenant.Cin7Core, typed); err != nil {
				t.Fatal(err)
			}
			w.turn(20 * time.Minute)
			for _, id := range []int{begun, halfway} {
				w.attention(id, "accountChanged", "another Cin7 Core account")
			}
			// The customer is linked to the old account's card; its ids mean nothing here.
			if w.run(fresh).State != ledger.Attention || len(w.simCore.Sales(next.AccountID)) != 0 {
				t.Errorf("%s %+v", w.run(fresh).State, w.simCore.Sales(next.AccountID))
			}
			if w.run(header).State != order.Sold {
				t.Errorf("a sold order is %s", w.run(header).State)
			}
			before := w.simCore.Sales(old.AccountID)
			w.retry(begun, true)
			w.attention(begun, "customerUnknown")
			// Back again, the old sale is found, and who was unknown there only is known again.
			if _, _, err := w.vendorTable().Connect(t.Context(), w.tenant, tenant.Cin7Core, w.coreKey()); err != nil {
				t.Fatal(err)
			}
			w.turn(10 * time.Minute)
			w.sold(fresh)
			now := slices.DeleteFunc(w.simCore.Sales(old.AccountID), func(s simcin7core.SaleSummary) bool {
				return s.ID == w.run(fresh).SaleID
			})
			if !slices.Equal(now, before) {
				t.Errorf("the old account had %+v, now it has %+v", before, now)
			}
			w.retry(begun, false)
			w.sold(begun)
			w.retry(halfway, false)
			w.sold(halfway)
		})
	})
	t.Run("warnings", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.control(http.MethodPut, "/sim/cin7core/me?account="+w.acc.Cin7Core.AccountID,
				`{"AutomaticallyApplyDiscounts":true}`)
			if _, _, err := w.vendorTable().Connect(t.Context(), w.tenant, tenant.Cin7Core, w.coreKey()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			time.Sleep(time.Minute)
			c := must[tenant.Connection](w)(w.process("console").app.Tenants.Connection(t.Context(), w.tenant,
				tenant.Cin7Core))
			w.says(strings.Join(c.Warnings, " "), "discounts by itself")
		})
	})
	t.Run("before the first mirror is complete", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			acc := w.sim.AddAccount("Kererū Wholesale", "")
			w.fault(sim.Fault{Match: "GET /product", Kind: "before", How: "502", Times: -1,
				Account: acc.Cin7Core.AccountID})
			v := w.neighbour("Kererū Wholesale", acc)
			time.Sleep(time.Minute)
			w.mu.Lock()
			w.armed = true // the deliveries' processes are w's
			w.mu.Unlock()
			start := time.Now()
			var ids []int
			for range 5 {
				ids = append(ids, v.approve(""))
			}
			w.turn(30 * time.Minute)
			for _, id := range ids {
				v.waits(id, "read for the first time")
			}
			w.mu.Lock()
			names := slices.Clone(w.names)
			w.mu.Unlock()
			for _, name := range names {
				if strings.HasPrefix(name, "orders: write BUCKET#") {
					t.Errorf("a waiting order asked the limiter: %s", name)
				}
			}
			for _, call := range v.coreCalls(start) {
				if call != "GET /product" {
					t.Errorf("call %s", call)
				}
			}
			w.sim.ClearFaults(sim.Cin7Core)
			w.turn(30 * time.Minute)
			for _, id := range ids {
				v.sold(id)
			}
		})
	})
}

func fieldErrors(err error) tenant.FieldErrors {
	e, _ := errors.AsType[tenant.FieldErrors](err)
	return e
}

// TestIsolation: one tenant's ids, tokens and secrets are nothing to another.
func TestIsolation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "isolation.db")
	storyAt(t, path, func(t *testing.T, w *world) {
		v := w.neighbour("Southern Lakes", sim.Account{})
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		id := w.approve(groceries)
		w.settle(id, horizon)
		sold := strconv.Itoa(id)
		r := w.sold(id)
		ctx := t.Context()
		p := w.process("console").app
		l := order.NewBook(ledger.New(w.store))

		if _, err := l.Get(ctx, v.tenant, sold); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("get another tenant's order: %v", err)
		}
		if _, _, _, err := l.Load(ctx, v.tenant, sold); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("load another tenant's order: %v", err)
		}
		if list, _, err := l.Runs(ctx, v.tenant, "", 10); err != nil || len(list) > 0 {
			t.Errorf("another tenant's orders are listed: %v %v", list, err)
		}
		theirs := *r
		theirs.Tenant = v.tenant
		if list, err := l.Exchanges(ctx, &theirs); err != nil || len(list) > 0 {
			t.Errorf("another tenant's exchanges are listed: %v %v", list, err)
		}
		if err := p.Pair.Retry(ctx, v.tenant, sold, upstockcin7.RetryOptions{}); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("retry another tenant's order: %v", err)
		}
		for _, id := range []string{sold, "#order#" + sold, "../" + w.tenant + "/" + sold, "x#order"} {
			body := must[[]byte](w)(json.Marshal(ledger.Pointer{Tenant: v.tenant, ID: id, Origin: ledger.OriginRetry}))
			if failed := p.Orders(ctx, []app.Message{{ID: "m", Body: string(body)}}); len(failed) > 0 {
				t.Errorf("a pointer to %q failed", id)
			}
		}
		// A tenant's id with a separator in it opens no other partition.
		if _, err := l.Get(ctx, w.tenant+"#order", sold); err == nil {
			t.Error("a made-up tenant reads an order")
		}

		// Deliveries of one, signed with its own secret, at the other's address.
		mine := must[tenant.Connection](w)(p.Tenants.Connection(ctx, w.tenant, tenant.Upstock))
		url := p.Vendors.URL(mine.System, must[tenant.Secrets](w)(p.Tenants.Secrets(ctx, mine)))
		if _, err := w.simUpstock.RegisterWebhook(v.acc.Upstock.Supplier, url); err != nil {
			t.Fatal(err)
		}
		stray := v.approve("")
		w.turn(10 * time.Minute)
		if w.run(stray) != nil {
			t.Error("another supplier's order was taken in")
		}
		v.sold(stray)
		if texts := w.eventTexts("webhookRefused"); len(texts) == 0 {
			t.Error("nothing is said of the refused deliveries")
		}
		if now := w.run(id); now.Attempts != r.Attempts || len(now.Timeline) != len(r.Timeline) {
			t.Error("the order was touched")
		}
		for _, token := range []string{"", "nobody", w.tenant} {
			if _, _, err := p.Tenants.URLTokenOwner(ctx, token); !errors.Is(err, tenant.ErrNotFound) {
				t.Errorf("webhook token %q: %v", token, err)
			}
		}
		// Nothing of a key, a token or a secret is stored in the clear.
		data := must[[]byte](w)(os.ReadFile(path))
		sec := must[tenant.Secrets](w)(p.Tenants.Secrets(ctx, mine))
		for name, s := range map[string]string{"application key": w.acc.Cin7Core.ApplicationKey,
			"token":          w.acc.Upstock.Token,
			"webhook secret": string(sec.WebhookSecret), "URL token": string(sec.URLToken)} {
			if s == "" || bytes.Contains(data, []byte(s)) {
				t.Errorf("the %s stands in the table", name)
			}
		}
	})
}
