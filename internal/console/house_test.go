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
	"testing"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/ledger"
	"stockbridge/internal/limit"
	"stockbridge/internal/mirror"
	"stockbridge/internal/sim"
	simcin7core "stockbridge/internal/sim/cin7core"
	simupstock "stockbridge/internal/sim/upstock"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7"
)

const operator = "operators-token"

// house is the console over the real store and pair, and simulated vendors.
type house struct {
	t          *testing.T
	h          http.Handler
	api        description
	tenants    *tenant.Store
	ledger     *ledger.Ledger
	deaf       *deafTable
	box        *lostBox
	pair       *upstockcin7.Pair
	sim        *sim.Sim
	simUpstock *simupstock.Vendor
	simCore    *simcin7core.Vendor
	log        bytes.Buffer
	mu         sync.Mutex
	woken      []ledger.Pointer
	started    []upstockcin7.Job
}

func open(t *testing.T) *house {
	t.Helper()
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
	if h.sim, err = sim.New(sim.Options{Seed: "console", Deliver: hooks{h}}, h.simUpstock, h.simCore); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.sim.Close() })
	h.deaf = &deafTable{Table: tab}
	h.tenants, h.ledger = tenant.NewStore(h.deaf, h.box), ledger.New(h.deaf)
	const base = "http://vendors.test"
	h.pair = upstockcin7.New(upstockcin7.Deps{
		Ledger: h.ledger, Tenants: h.tenants, Mirror: mirror.New(h.deaf), Times: upstockcin7.DefaultTimes(),
		Upstock: func(c tenant.Connection, s tenant.Secrets, first bool) *upstock.Client {
			return upstock.New(base+sim.PrefixUpstock, h.sim.Transport(), nil, string(s.Key))
		},
		Cin7Core: func(c tenant.Connection, s tenant.Secrets, first bool) *cin7core.Client {
			return cin7core.New(base+sim.PrefixCin7Core, h.sim.Transport(), nil, c.Account, string(s.Key))
		},
		Wake: func(_ context.Context, p ledger.Pointer, _ time.Duration) error {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.woken = append(h.woken, p)
			return nil
		},
		Start: func(_ context.Context, j upstockcin7.Job, _ time.Duration) error {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.started = append(h.started, j)
			return nil
		},
		WebhookURL: func(sys tenant.System, token string) string {
			return "https://hooks.example.com/webhooks/" + string(sys) + "/" + token
		},
	})
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(h.log.String())
		}
	})
	h.h = New(Deps{Tenants: h.tenants, Ledger: h.ledger, Pair: h.pair, Token: operator,
		Log: slog.New(slog.NewTextHandler(&h.log, nil)), Started: time.Now(),
		Budget: func(ctx context.Context, c tenant.Connection) (limit.State, error) {
			budget := limit.Upstock()
			if c.System == tenant.Cin7Core {
				budget = limit.Cin7Core()
			}
			return limit.New(tab, string(c.System), c.Account, budget, limit.First).State(ctx)
		}})
	return h
}

// deafTable takes no write with an event in it, while it is deaf.
type deafTable struct {
	table.Table
	deaf bool
}

func (d *deafTable) Write(ctx context.Context, ops ...table.Op) error {
	if d.deaf && slices.ContainsFunc(ops, func(o table.Op) bool { return strings.HasSuffix(o.Item.PK, "#event") }) {
		return errors.New("the table takes no events")
	}
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
	url := h.do("PUT", path+"/connections/upstock", token, map[string]string{"token": acc.Upstock.Token}).is(200).get("webhookUrl").(string)
	secret, err := h.simUpstock.RegisterWebhook(acc.Upstock.Supplier, url)
	if err != nil {
		h.t.Fatal(err)
	}
	h.do("PUT", path+"/connections/upstock", token, map[string]string{"webhookSecret": secret}).is(200)
	h.work()
	return acc, id, path, token
}

// work does what is waiting: jobs, and pointers to orders.
func (h *house) work() {
	h.t.Helper()
	h.sim.Quiet()
	for n := 0; len(h.started)+len(h.woken) > 0; n++ {
		if n > 1000 {
			h.t.Fatal("the work does not end")
		}
		started, woken := h.started, h.woken
		h.started, h.woken = nil, nil
		for _, j := range started {
			do := map[string]func(context.Context, upstockcin7.Job) error{
				upstockcin7.JobMirror: h.pair.ReadMirror, upstockcin7.JobShipments: h.pair.Shipments, upstockcin7.JobReconcile: h.pair.Reconcile,
				upstockcin7.JobWebhooks: h.pair.CheckWebhooks, upstockcin7.JobCompleteness: h.pair.CheckCompleteness}[j.Job]
			if err := do(h.t.Context(), j); err != nil {
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
func (h *house) run(run ledger.Run) {
	h.t.Helper()
	if run.Received.IsZero() {
		run.Received = time.Now().UTC()
	}
	if _, err := h.ledger.Receive(h.t.Context(), &run, fmt.Appendf(nil, `{"id":%q}`, run.ID)); err != nil {
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
	if kind := w.Header().Get("Content-Type"); method != "HEAD" && (kind == "application/json" || kind == "application/problem+json") {
		if err := json.Unmarshal(w.Body.Bytes(), &a.body); err != nil {
			h.t.Errorf("%s: answer: %v", a.what, err)
		}
	}
	if err := h.api.check(method, r.URL.Path, w, a.body); err != nil {
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
