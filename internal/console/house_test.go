package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"stockbridge/internal/alert"
	"stockbridge/internal/cin7core"
	"stockbridge/internal/cin7omni"
	"stockbridge/internal/console/consoletest"
	"stockbridge/internal/job"
	"stockbridge/internal/joor"
	"stockbridge/internal/joorcin7"
	"stockbridge/internal/ledger"
	"stockbridge/internal/limit"
	"stockbridge/internal/mirror"
	"stockbridge/internal/sim"
	simcin7core "stockbridge/internal/sim/cin7core"
	simomni "stockbridge/internal/sim/cin7omni"
	simjoor "stockbridge/internal/sim/joor"
	simupstock "stockbridge/internal/sim/upstock"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/vendor"
	"stockbridge/internal/workbook"
)

const operator = "operators-token"

// house is the console over the real store and pair, and simulated vendors.
type house struct {
	t          *testing.T
	h          http.Handler
	api        *consoletest.Description
	tenants    *tenant.Store
	ledger     *ledger.Ledger
	orders     *order.Book
	written    *written
	deaf       *deafTable
	box        *lostBox
	vendors    *vendor.Vendors
	pair       *upstockcin7.Pair
	joor       *joorcin7.Pair
	jobs       *job.Runner
	reception  *reception
	alerts     *alerts
	hooks      sync.Mutex // held while nothing may be delivered
	sim        *sim.Sim
	simUpstock *simupstock.Vendor
	simCore    *simcin7core.Vendor
	simJOOR    *simjoor.Vendor
	later      bool // what is sent to be received later is not started before
	log        bytes.Buffer
	mu         sync.Mutex
	woken      []ledger.Pointer
	started    []job.Message
}

func open(t *testing.T) *house {
	t.Helper()
	testsize.Sampled(t)
	h := &house{t: t, api: describe(t)}
	tab, err := table.Open("", table.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tab.Close() })
	box, err := tenant.NewBox(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	h.box = &lostBox{box}
	h.simUpstock, h.simCore = simupstock.New(), simcin7core.New(simcin7core.Options{})
	h.simJOOR = simjoor.New()
	if h.sim, err = sim.New(sim.Options{Seed: "console", Deliver: hooks{h}}, h.simUpstock, h.simCore, simomni.New(),
		h.simJOOR); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.sim.Close() })
	h.written = &written{Table: tab, keys: map[table.Key]bool{}}
	h.deaf = &deafTable{Table: h.written}
	h.tenants, h.ledger = tenant.NewStore(h.deaf, h.box), ledger.New(h.deaf)
	h.orders = order.NewBook(h.ledger)
	const base = "http://vendors.test"
	up := func(_ tenant.Connection, s tenant.Secrets, _ bool) *upstock.Client {
		return upstock.New(base+sim.PrefixUpstock, h.sim.Transport(), nil, string(s.Key))
	}
	core := func(c tenant.Connection, s tenant.Secrets, _ bool) *cin7core.Client {
		return cin7core.New(base+sim.PrefixCin7Core, h.sim.Transport(), nil, c.Account, string(s.Key))
	}
	omni := func(c tenant.Connection, s tenant.Secrets, _ bool) *cin7omni.Client {
		return cin7omni.New(base+sim.PrefixCin7Omni, h.sim.Transport(), nil, c.Account, string(s.Key))
	}
	dealer := func(c tenant.Connection, s tenant.Secrets, _ bool) *joor.Client {
		return joor.New(base+sim.PrefixJOOR, h.sim.Transport(), nil, string(s.Key))
	}
	h.vendors = vendor.New(vendor.Deps{
		Tenants: h.tenants, Ledger: h.ledger,
		WebhookURL: func(sys tenant.System, token string) string {
			return "https://hooks.example.com/webhooks/" + string(sys) + "/" + token
		},
	}, vendor.Vendor{
		System: tenant.Upstock, CallsUs: true, Exclusive: true, Paste: "Settings › Webhooks",
		Budget: limit.Budget{Rates: []limit.Rate{{Calls: 300, Window: limit.Minute}}},
		Fields: []vendor.Field{
			{Name: "token", Title: "API token", Is: vendor.Key},
			{Name: "webhookSecret", Title: "Webhook secret", Is: vendor.WebhookSecret, Optional: true,
				Check: upstockcin7.WebhookSecretFault, Works: upstockcin7.WebhookSecretWorks},
		},
		Try: func(ctx context.Context, c tenant.Connection, s tenant.Secrets) (vendor.Account, error) {
			return upstockcin7.UpstockAccount(ctx, up(c, s, true), c.Account)
		},
	}, vendor.Vendor{
		System: tenant.Cin7Core, CallsUs: true,
		Budget: limit.Budget{Rates: []limit.Rate{{Calls: 60, Window: limit.Minute}}, Shared: true},
		Fields: []vendor.Field{
			{Name: "accountId", Title: "Account id", Is: vendor.AccountID},
			{Name: "applicationKey", Title: "Application key", Is: vendor.Key},
		},
		Steps: []string{"In Cin7 Core, open Integrations › API."},
		Try: func(ctx context.Context, c tenant.Connection, s tenant.Secrets) (vendor.Account, error) {
			return upstockcin7.CoreAccount(ctx, core(c, s, true))
		},
	}, vendor.Vendor{
		System: tenant.Cin7Omni, Budget: limit.Budget{Rates: []limit.Rate{{Calls: 60, Window: limit.Minute}}},
		Fields: []vendor.Field{{Name: "username", Title: "API username", Is: vendor.AccountID, Cased: true},
			{Name: "key", Title: "API key", Is: vendor.Key}},
		Try: func(ctx context.Context, c tenant.Connection, s tenant.Secrets) (a vendor.Account, err error) {
			return a, omni(c, s, true).MayRead(ctx, cin7omni.ContactList)
		},
	}, vendor.Vendor{
		System: tenant.JOOR,
		Budget: limit.Budget{Rates: []limit.Rate{{Calls: 300, Window: limit.FiveMinutes, Fixed: true}}},
		Fields: []vendor.Field{{Name: "account", Title: "Account id", Is: vendor.AccountID},
			{Name: "token", Title: "API token", Is: vendor.Key}},
		Try: func(ctx context.Context, c tenant.Connection, s tenant.Secrets) (a vendor.Account, err error) {
			_, err = dealer(c, s, true).ConnectionsPage(ctx, joor.ConnectionsQuery{Count: 1})
			return a, err
		},
	})
	times := upstockcin7.DefaultTimes()
	h.jobs = &job.Runner{
		Verdicts: &job.Verdicts{Tenants: h.tenants, Ledger: h.ledger, Now: time.Now, Times: times.Times},
		Send: func(_ context.Context, _ job.Queue, m job.Message, delay time.Duration) error {
			if h.later && delay > 0 {
				time.AfterFunc(delay, func() {
					h.mu.Lock()
					defer h.mu.Unlock()
					h.started = append(h.started, m)
				})
				return nil
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			h.started = append(h.started, m)
			return nil
		},
	}
	h.pair = upstockcin7.New(upstockcin7.Deps{
		Table: h.deaf, Ledger: h.ledger, Orders: h.orders, Tenants: h.tenants, Vendors: h.vendors,
		Mirror: mirror.New(h.deaf),
		Times:  times, Upstock: up, Cin7Core: core,
		Wake: func(_ context.Context, p ledger.Pointer, _ time.Duration) error {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.woken = append(h.woken, p)
			return nil
		},
		Runner: h.jobs,
	})
	h.alerts = newAlerts(h, h.deaf)
	looks := alert.Kind()
	looks.Run = h.alerts.Look
	h.joor = joorcin7.New(joorcin7.Deps{Table: h.deaf, Ledger: h.ledger, Tenants: h.tenants, Vendors: h.vendors,
		Mirror: mirror.New(h.deaf), Runner: h.jobs, Times: joorcin7.DefaultTimes(), Omni: omni, JOOR: dealer})
	h.jobs.Kinds = slices.Concat(h.pair.Jobs(), h.joor.Jobs(), []job.Kind{looks})
	h.jobs.Kinds = h.jobs.With(h.pair.CatalogWork()).With(h.pair.ShipmentsWork()).With(h.joor.Work()).Kinds
	h.vendors.Join(h.pair, h.joor)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(h.log.String())
		}
	})
	h.reception = newReception(h)
	h.opened(func(*Deps) {})
	return h
}

// sections are the settings of both pairs.
func (h *house) sections() []tenant.Section {
	return slices.Concat(h.pair.Settings(), h.joor.Settings())
}

// opened makes the console anew, with what change makes of what it stands on.
func (h *house) opened(change func(*Deps)) {
	d := Deps{
		Workbook: workbook.Write, Desk: h.reception.desk,
		Tenants: h.tenants, Ledger: h.ledger, Orders: h.orders, Vendors: h.vendors,
		Pair: h.pair, JOOR: h.joor, Jobs: h.jobs, Operators: tenant.OperatorsOf(operator),
		Sections: h.sections,
		Alerts:   h.alerts.Store, MailFrom: "alerts@stockbridge.example", Guard: h.alerts.Guard,
		Log: slog.New(slog.NewTextHandler(&h.log, nil)), Started: time.Now(),
		Budget: func(ctx context.Context, c tenant.Connection) (limit.State, error) {
			row, _ := h.vendors.Of(c.System)
			return limit.New(h.deaf.Table, string(c.System), c.Account, row.Budget, limit.First).State(ctx)
		},
		Blocked: func(ctx context.Context, most int) ([]limit.Block, bool, error) {
			return limit.Blocked(ctx, h.deaf.Table, most)
		},
		Queues: []job.Queue{"orders", job.Shipments, job.Catalog},
		Depth: func(_ context.Context, q job.Queue) (Depth, error) {
			if q == job.Catalog {
				return Depth{}, errors.New("the queue does not answer")
			}
			return Depth{Ready: len(h.woken)}, nil
		},
	}
	change(&d)
	h.h = New(d)
}

// note notes something beside a tenant's connection to Cin7 Core.
func note[T any](h *house, id string, p tenant.Progress[T], v T) {
	h.t.Helper()
	if _, err := p.Change(h.t.Context(), h.tenants, id, tenant.Cin7Core, func(_ tenant.Connection, old *T) error {
		*old = v
		return nil
	}); err != nil {
		h.t.Fatal(err)
	}
}

// deafTable takes no write with an event in it, while it is deaf.
type deafTable struct {
	table.Table
	deaf    bool
	refuses string // what the partition keys begin with that it takes no writes under; "" = it takes all
	hides   string // likewise, that it reads nothing under
	writes  atomic.Int64
}

func (d *deafTable) Get(ctx context.Context, keys ...table.Key) ([]table.Item, error) {
	if d.hides != "" && slices.ContainsFunc(keys, func(k table.Key) bool { return strings.HasPrefix(k.PK, d.hides) }) {
		return nil, errors.New("the table shows none of these")
	}
	return d.Table.Get(ctx, keys...)
}

func (d *deafTable) Write(ctx context.Context, ops ...table.Op) error {
	if d.deaf && slices.ContainsFunc(ops, func(o table.Op) bool { return strings.HasSuffix(o.Item.PK, "#event") }) {
		return errors.New("the table takes no events")
	}
	if d.refuses != "" && slices.ContainsFunc(ops, func(o table.Op) bool {
		return strings.HasPrefix(o.Item.PK, d.refuses)
	}) {
		return errors.New("the table takes none of these")
	}
	d.writes.Add(1)
	return d.Table.Write(ctx, ops...)
}

// lostBox is a sealer whose key can get lost.
type lostBox struct{ tenant.Sealer }

// lose puts another key in its place.
func (b *lostBox) lose() {
	box, err := tenant.NewBox(bytes.Repeat([]byte{9}, 32))
	if err != nil {
		panic(err)
	}
	b.Sealer = box
}

// hooks takes Upstock's deliveries to the pair.
type hooks struct{ h *house }

func (d hooks) RoundTrip(req *http.Request) (*http.Response, error) {
	d.h.hooks.Lock()
	defer d.h.hooks.Unlock()
	w, mux := httptest.NewRecorder(), http.NewServeMux()
	mux.Handle("/webhooks/upstock/{token}", d.h.pair.Webhook())
	mux.ServeHTTP(w, req)
	return w.Result(), nil
}

// supplier makes a tenant that is connected on both sides and has read Cin7
// Core's records.
func (h *house) supplier(name string) (acc sim.Account, id, path, token string) {
	h.t.Helper()
	acc = h.sim.AddAccount(name, "NZD")
	id, path, token = h.tenant(name)
	h.do("PUT", path+"/connections/cin7core", token, acc.Cin7Core).is(200)
	url := h.do("PUT", path+"/connections/upstock", token,
		map[string]string{"token": acc.Upstock.Token}).is(200).get("webhookUrl").(string)
	h.hooks.Lock() // a delivery that comes before the secret is known is refused, and comes again a minute later
	secret, err := h.simUpstock.RegisterWebhook(acc.Upstock.Supplier, url)
	if err != nil {
		h.t.Fatal(err)
	}
	h.do("PUT", path+"/connections/upstock", token, map[string]string{"webhookSecret": secret}).is(200)
	h.hooks.Unlock()
	h.work()
	return acc, id, path, token
}

// work does what is waiting: jobs, and pointers to orders.
func (h *house) work() {
	h.t.Helper()
	h.sim.Quiet()
	for n := 0; ; n++ {
		if n > 1000 {
			h.t.Fatal("the work does not end")
		}
		h.mu.Lock()
		started, woken := h.started, h.woken
		h.started, h.woken = nil, nil
		h.mu.Unlock()
		if len(started)+len(woken) == 0 {
			return
		}
		for _, j := range started {
			if err := h.jobs.Do(h.t.Context(), j); err != nil {
				h.t.Fatal(err)
			}
		}
		for _, p := range woken {
			if err := h.pair.Push(h.t.Context(), p, true); err != nil {
				h.t.Fatal(err)
			}
		}
	}
}

// approve places and approves an order in Upstock, and works on it; its path.
func (h *house) approve(acc sim.Account, path, order string) string {
	h.t.Helper()
	o, err := h.simUpstock.PlaceOrder(acc.Upstock.Supplier, order)
	if err == nil {
		_, err = h.simUpstock.Approve(o.ID)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	h.work()
	return fmt.Sprint(path, "/orders/", o.ID)
}

// person does something to an order's sale in Cin7 Core, a minute later.
func (h *house) person(order answer, do, body string) {
	h.t.Helper()
	time.Sleep(time.Minute)
	if _, err := h.simCore.Sale(order.get("saleId").(string), do, body); err != nil {
		h.t.Fatal(err)
	}
}

// tenant makes a tenant and returns its path and token.
func (h *house) tenant(name string) (id, path, token string) {
	h.t.Helper()
	a := h.do("POST", "/api/v1/tenants", operator, map[string]string{"name": name})
	a.is(http.StatusCreated)
	id = a.get("id").(string)
	return id, "/api/v1/tenants/" + id, a.get("token").(string)
}

// run writes an order down as the given run has it.
func (h *house) run(run order.Order) {
	h.t.Helper()
	if run.Received.IsZero() {
		run.Received = time.Now().UTC()
	}
	if _, err := h.orders.Receive(h.t.Context(), &run, fmt.Appendf(nil, `{"id":%q}`, run.ID)); err != nil {
		h.t.Fatal(err)
	}
}

type answer struct {
	t      *testing.T
	what   string
	status int
	header http.Header
	raw    string
	body   any
}

// do asks the console as a program would, and holds what it answers to the
// API's description. A body that is no string is sent as JSON.
func (h *house) do(method, target, token string, body any, headers ...string) answer {
	h.t.Helper()
	var payload []byte
	if s, ok := body.(string); ok {
		payload = []byte(s)
	} else if body != nil {
		payload, _ = json.Marshal(body)
	}
	r := httptest.NewRequestWithContext(h.t.Context(), method, target, bytes.NewReader(payload))
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.h.ServeHTTP(w, r)
	a := answer{h.t, method + " " + target, w.Code, w.Header(), w.Body.String(), nil}
	if kind := w.Header().Get("Content-Type"); method != "HEAD" &&
		(kind == "application/json" || kind == "application/problem+json") {
		if err := json.Unmarshal(w.Body.Bytes(), &a.body); err != nil {
			h.t.Errorf("%s: answer: %v", a.what, err)
		}
	}
	if err := h.api.Check(method, r.URL.Path, w.Code, w.Header(), w.Body.Bytes()); err != nil {
		h.t.Errorf("%s: %d: not as described: %v\n%s", a.what, a.status, err, a.raw)
	}
	if strings.Contains(h.log.String(), operator) || token != "" && strings.Contains(h.log.String(), token) {
		h.t.Errorf("%s: a token was logged", a.what)
	}
	return a
}

func (a answer) is(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: %d, want %d: %s", a.what, a.status, status, a.raw)
	}
	return a
}

// get follows a path of names and indexes, as items.0.id.
func (a answer) get(path string) any {
	a.t.Helper()
	v := a.body
	for part := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			in, ok := x[part]
			if !ok {
				a.t.Fatalf("%s: no %s in %s", a.what, path, a.raw)
			}
			v = in
		case []any:
			var i int
			if _, err := fmt.Sscan(part, &i); err != nil || i >= len(x) {
				a.t.Fatalf("%s: no %s in %s", a.what, path, a.raw)
			}
			v = x[i]
		default:
			a.t.Fatalf("%s: no %s in %s", a.what, path, a.raw)
		}
	}
	return v
}

// fields lists which fields an answer refuses.
func (a answer) fields() (names []string) {
	p, _ := a.body.(map[string]any)
	errs, _ := p["errors"].([]any)
	for _, e := range errs {
		names = append(names, fmt.Sprint(e.(map[string]any)["field"]))
	}
	return names
}
