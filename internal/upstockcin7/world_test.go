package upstockcin7_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/app"
	"stockbridge/internal/ledger"
	"stockbridge/internal/mirror"
	"stockbridge/internal/sim"
	simcin7core "stockbridge/internal/sim/cin7core"
	simupstock "stockbridge/internal/sim/upstock"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/vendor"
)

// A world is a whole Stockbridge in a synctest bubble: simulated vendors, one
// table, a queue with SQS's ways, a sweep each minute, and a process of its
// own for every invocation. Every outside effect of every process passes
// through one gate, which counts it and can make it go wrong.
type world struct {
	t          testing.TB
	sim        *sim.Sim
	simUpstock *simupstock.Vendor
	simCore    *simcin7core.Vendor
	store      *table.File
	meter      table.Meter // counts what the processes write, where its Table is set
	box        *tenant.Box
	acc        sim.Account
	tenant     string
	copies     int  // pointers delivered for each one sent
	skewed     bool // processes' clocks differ by up to ±2 s

	mu      sync.Mutex
	armed   bool
	effects int
	names   []string
	seen    map[string]int           // effects by name
	faults  map[int]fault            // by number of the effect
	on      map[string]map[int]fault // by name and number of the effect with that name
	like    map[string]map[int]fault // by a part of the name, and number among those that have it
	reads   bool                     // what is read counts as an effect too
	down    map[string]time.Time     // effects of these names fail until then
	frozen  bool                     // an invocation has no deadline: its process may be frozen and thawed
	onFault func()
	// what a vendor answers without doing anything; nil = it does
	instead func(*http.Request, []byte) *http.Response
	// changes an object that a vendor answers
	altered func(*http.Request, map[string]any)
	// between what a process reads and what it does
	afterQuery func(*process)
	afterGet   func(*process, []table.Key)
	// what happens before and after a call
	around func(*process, *http.Request, func() (*http.Response, error)) (*http.Response, error)
	// messages under way, waiting or being worked on
	flying int
	// effects still to come
	late      int
	processes int
	ended     []string // orders that reached an end, in order
}

// fault is what happens to one effect.
type fault int

const (
	none   fault = iota
	before       // it fails and does nothing
	after        // it takes effect and the answer is lost
	late         // the answer is lost at once, the effect comes later, within the settle time
	die          // it takes effect, and the process ends before the answer
	stall        // the process sleeps past its lease, then does it
	pause        // it takes effect, and the process goes on long after its lease
	beyond       // the answer is lost at once, the effect comes long after the settle time
	freeze       // the process is frozen while sending, long past the settle time
	slow         // the answer is lost at once, the effect comes last thing within the settle time
	spell        // it fails and does nothing, and so do all of its name for a while
)

// lateBy is how late a late effect is: after the first look, within the settle time.
const (
	lateBy   = 100 * time.Second
	beyondBy = 8 * time.Minute
	slowBy   = 135 * time.Second
	spellFor = 10 * time.Minute
)

func (f fault) String() string {
	return [...]string{"none", "before", "after", "late", "die", "stall", "pause", "beyond", "freeze", "slow",
		"spell"}[f]
}

// process is one invocation of one function.
type process struct {
	w    *world
	app  *app.App
	name string
	dead atomic.Bool
}

var (
	errDead   = errors.New("the process is dead")
	errThawed = errors.New("done after a freeze") // no error: the answer counts, however late
	errLost   = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
)

func (w *world) process(name string) *process {
	w.mu.Lock()
	w.processes++
	n, box := w.processes, w.box
	w.mu.Unlock()
	p := &process{w: w, name: name}
	deps := app.Deps{
		Table: gateTable{p}, Sealer: box, HTTP: gateHTTP{p}, Send: p.send, PublicURL: "https://hooks.example.test",
		Operators: tenant.OperatorsOf("operator"),
		URLs: map[tenant.System]string{
			tenant.Upstock:  "http://sim.test" + sim.PrefixUpstock,
			tenant.Cin7Core: "http://sim.test" + sim.PrefixCin7Core,
		},
		OnEnd: func(_ context.Context, r app.Ended) { w.mu.Lock(); w.ended = append(w.ended, r.ID); w.mu.Unlock() },
	}
	if w.skewed {
		skew := []time.Duration{2 * time.Second, -2 * time.Second, 0}[n%3]
		deps.Now = func() time.Time { return time.Now().Add(skew) }
	}
	p.app = app.New(deps)
	return p
}

// effect lets one outside effect pass, or go wrong.
func (p *process) effect(name string, do func() error) error {
	if p.dead.Load() {
		return errDead
	}
	w := p.w
	w.mu.Lock()
	f := none
	if w.armed {
		w.effects++
		w.names = append(w.names, p.name+": "+name)
		w.seen[name]++
		if f = w.faults[w.effects]; f == none {
			f = w.on[name][w.seen[name]]
		}
		for part, of := range w.like {
			if strings.Contains(name, part) {
				w.seen["like "+part]++
				f = cmp.Or(f, of[w.seen["like "+part]])
			}
		}
		if f == spell {
			if w.down == nil {
				w.down = map[string]time.Time{}
			}
			w.down[name] = time.Now().Add(spellFor)
		}
		if time.Now().Before(w.down[name]) {
			f = before
		}
		if f != none && w.onFault != nil {
			defer w.onFault()
		}
	}
	w.mu.Unlock()
	afterwards := func(d time.Duration) {
		w.mu.Lock()
		w.late++
		w.mu.Unlock()
		time.AfterFunc(d, func() {
			do()
			w.mu.Lock()
			w.late--
			w.mu.Unlock()
		})
	}
	switch f {
	case before:
		return errLost
	case after:
		do()
		return errLost
	case late:
		afterwards(lateBy)
		return errLost
	case slow:
		afterwards(slowBy)
		return errLost
	case beyond:
		afterwards(beyondBy)
		return errLost
	case die:
		do()
		p.dead.Store(true)
		return errDead
	case stall:
		time.Sleep(lateBy)
	case pause:
		err := do()
		time.Sleep(beyondBy)
		return err
	case freeze:
		time.Sleep(beyondBy)
		if err := do(); err != nil {
			return err
		}
		return errThawed
	}
	return do()
}

// read lets something be read, which may fail where the world has reads fail.
func (p *process) read(name string, do func() error) error {
	if p.w.reads {
		return p.effect(name, do)
	}
	if p.dead.Load() {
		return errDead
	}
	return do()
}

type gateHTTP struct{ p *process }

func (g gateHTTP) RoundTrip(req *http.Request) (*http.Response, error) {
	if around := g.p.w.around; around != nil {
		return around(g.p, req, func() (*http.Response, error) { return g.call(req) })
	}
	return g.call(req)
}

func (g gateHTTP) call(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodGet {
		var answer *http.Response
		err := g.p.read(req.Method+" "+req.URL.Path, func() (err error) {
			answer, err = g.p.w.trip(req)
			return err
		})
		if err != nil {
			return nil, err
		}
		return answer, nil
	}
	body, _ := io.ReadAll(req.Body)
	req.Body.Close()
	var answer *http.Response
	err := g.p.effect(req.Method+" "+req.URL.Path, func() error {
		r := req.Clone(context.WithoutCancel(req.Context()))
		r.Body = io.NopCloser(bytes.NewReader(body))
		var err error
		answer, err = g.p.w.trip(r)
		return err
	})
	if err == errThawed {
		return answer, nil
	}
	if err == nil && req.Context().Err() != nil {
		return nil, req.Context().Err()
	}
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// unaltered lets the vendors' answers come as they are again.
func (w *world) unaltered() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.altered = nil
}

// trip takes a call to the vendors, unless a test answers in their place.
func (w *world) trip(req *http.Request) (*http.Response, error) {
	w.mu.Lock() // what a test sets before its next step is seen
	instead, altered := w.instead, w.altered
	w.mu.Unlock()
	if instead != nil && req.Body != nil {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		if resp := instead(req, body); resp != nil {
			return resp, nil
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	resp, err := w.sim.Transport().RoundTrip(req)
	if err != nil || altered == nil {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	var doc map[string]any
	if json.Unmarshal(body, &doc) == nil {
		altered(req, doc)
		if body, err = json.Marshal(doc); err != nil {
			return nil, err
		}
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return resp, nil
}

// answerJSON is an answer in a vendor's place.
func answerJSON(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
}

// onGet has something done after each read of items; nil = nothing any more.
func (w *world) onGet(do func(p *process, keys []table.Key)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.afterGet = do
}

type gateTable struct{ p *process }

func (g gateTable) Get(ctx context.Context, keys ...table.Key) (items []table.Item, err error) {
	err = g.p.read("get "+keys[0].PK, func() (err error) {
		items, err = g.p.w.store.Get(ctx, keys...)
		return err
	})
	g.p.w.mu.Lock()
	after := g.p.w.afterGet
	g.p.w.mu.Unlock()
	if err != errDead && after != nil {
		after(g.p, keys)
	}
	return items, err
}

func (g gateTable) Query(ctx context.Context, q table.Query) (page table.Page, err error) {
	err = g.p.read("query "+q.PK, func() (err error) {
		page, err = g.p.w.store.Query(ctx, q)
		return err
	})
	if err == errDead {
		return page, err
	}
	if g.p.w.afterQuery != nil {
		g.p.w.afterQuery(g.p)
	}
	return page, err
}

func (g gateTable) List(ctx context.Context, q table.Query) (entries table.Entries, err error) {
	err = g.p.read("list "+q.PK, func() (err error) {
		entries, err = g.p.w.store.List(ctx, q)
		return err
	})
	return entries, err
}

// Write makes two effects of what is written ahead and the rest, as DynamoDB does.
func (g gateTable) Write(ctx context.Context, ops ...table.Op) error {
	store := table.Table(g.p.w.store)
	if g.p.w.meter.Table != nil {
		store = &g.p.w.meter
	}
	write := func(name string, ops []table.Op) error {
		return g.p.effect(name+ops[0].Item.PK, func() error { return store.Write(context.WithoutCancel(ctx), ops...) })
	}
	ahead, rest, at := table.Split(ops)
	if len(ahead) > 0 {
		if err := write("write ahead ", ahead); err != nil || len(rest) == 0 {
			return err
		}
	}
	err := write("write ", rest)
	if c := (*table.Conflict)(nil); errors.As(err, &c) {
		return c.Renumbered(at)
	}
	return err
}

// alone has a test whose world is its own run beside the other tests.
func alone(t *testing.T) {
	if !strings.Contains(t.Name(), "/") { // else it is a part of one, whose parts may share what is around them
		t.Parallel()
	}
}

// visibility is how long a message stays away when its work failed.
const visibility = 6 * time.Minute

func (p *process) send(_ context.Context, q app.Queue, body []byte, _ string, delay time.Duration) error {
	return p.effect("send "+string(q), func() error {
		copies := 1
		if q != app.CatalogQueue {
			copies = max(1, p.w.copies)
		}
		for range copies {
			p.w.deliver(q, app.Message{ID: "m", Body: string(body), Sent: time.Now()}, delay)
		}
		return nil
	})
}

func (w *world) deliver(q app.Queue, m app.Message, delay time.Duration) {
	w.mu.Lock()
	w.flying++
	w.mu.Unlock()
	time.AfterFunc(delay, func() {
		defer func() { w.mu.Lock(); w.flying--; w.mu.Unlock() }()
		m.Receives++
		p := w.process(string(q))
		ctx, cancel := context.WithCancel(context.Background())
		if !w.frozen {
			ctx, cancel = context.WithTimeout(ctx, time.Minute)
		}
		defer cancel()
		var failed []string
		switch {
		case m.Receives > 5:
			p.app.DeadLetters(ctx, []app.Message{m})
			return
		case q == app.CatalogQueue:
			failed = p.app.Catalog(ctx, []app.Message{m})
		case q == app.ShipmentsQueue:
			failed = p.app.Shipments(ctx, []app.Message{m})
		default:
			failed = p.app.Orders(ctx, []app.Message{m})
		}
		if p.dead.Load() || len(failed) > 0 {
			w.deliver(q, m, visibility)
		}
	})
}

// deliverer takes webhooks from the simulated Upstock to a process of ours.
type deliverer struct{ w *world }

func (d deliverer) RoundTrip(req *http.Request) (*http.Response, error) {
	p := d.w.process("webhook")
	rec := httptest.NewRecorder()
	p.app.Webhook().ServeHTTP(rec, req)
	if p.dead.Load() {
		return nil, errLost
	}
	return rec.Result(), nil
}

// base is a table with one connected tenant whose mirror is ready, made once.
type base struct {
	file   string
	tenant string
	box    *tenant.Box
}

var makeBase = sync.OnceValues(func() (*base, error) {
	dir, err := os.MkdirTemp("", "stockbridge-proof")
	if err != nil {
		return nil, err
	}
	box, err := tenant.NewBox(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		return nil, err
	}
	return &base{file: filepath.Join(dir, "base.db"), box: box}, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if b, err := makeBase(); err == nil {
		os.RemoveAll(filepath.Dir(b.file))
	}
	os.Exit(code)
}

var baseOnce sync.Mutex

// newWorld opens a world on a copy of the base. Call it inside a bubble.
func newWorld(t testing.TB, b *base, path string) *world {
	return newWorldOf(t, b, path, sim.Options{})
}

// newWorldOf is newWorld with vendors of some kind.
func newWorldOf(t testing.TB, b *base, path string, o sim.Options) *world {
	w := &world{t: t, box: b.box, tenant: b.tenant, seen: map[string]int{}}
	o.Seed, o.Deliver = "proof", deliverer{w}
	w.open(o)
	data, err := os.ReadFile(b.file)
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err == nil {
		w.store, err = table.Open(path, table.Options{NoSync: true})
	}
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// open opens simulated vendors, with one account.
func (w *world) open(o sim.Options) {
	w.t.Helper()
	w.simUpstock, w.simCore = simupstock.New(), simcin7core.New(simcin7core.Options{})
	var err error
	if w.sim, err = sim.New(o, w.simUpstock, w.simCore); err != nil {
		w.t.Fatal(err)
	}
	w.acc = w.sim.AddAccount("Harbour Roasters", "")
}

func (w *world) close() {
	w.sim.Close()
	w.store.Close()
}

// prepare makes the base: a tenant, connected, its mirror read.
func prepare(t testing.TB) *base {
	t.Helper()
	b, err := makeBase()
	if err != nil {
		t.Fatal(err)
	}
	baseOnce.Lock()
	defer baseOnce.Unlock()
	if b.tenant != "" {
		return b
	}
	bubble(t, func() {
		w := &world{t: t, box: b.box, seen: map[string]int{}}
		w.open(sim.Options{Seed: "proof", Deliver: deliverer{w}})
		if w.store, err = table.Open(b.file, table.Options{NoSync: true}); err != nil {
			t.Fatal(err)
		}
		defer w.close()
		p := w.process("console")
		ctx := context.Background()
		tn, _, err := p.app.Tenants.Create(ctx, "Harbour Roasters", "Pacific/Auckland")
		if err != nil {
			t.Fatal(err)
		}
		w.tenant = tn.ID
		typed := vendor.Credentials{Key: tenant.Secret(w.acc.Upstock.Token)}
		_, url, err := p.app.Vendors.Connect(ctx, tn.ID, tenant.Upstock, typed)
		if err != nil {
			t.Fatal(err)
		}
		secret, err := w.simUpstock.RegisterWebhook(w.acc.Upstock.Supplier, url)
		if err != nil {
			t.Fatal(err)
		}
		typed = vendor.Credentials{WebhookSecret: tenant.Secret(secret)}
		if _, _, err = p.app.Vendors.Connect(ctx, tn.ID, tenant.Upstock, typed); err != nil {
			t.Fatal(err)
		}
		if _, _, err := p.app.Vendors.Connect(ctx, tn.ID, tenant.Cin7Core, w.coreKey()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		if m := w.mirrored(); m.State != mirror.Ready {
			t.Fatalf("the mirror is not ready: %+v", m)
		}
		note(w, upstockcin7.LookedUp, 10) // the first ten orders' look for other people's sales has its own test
		b.tenant = tn.ID
	})
	return b
}

func (w *world) coreKey() vendor.Credentials {
	return vendor.Credentials{Account: w.acc.Cin7Core.AccountID, Key: tenant.Secret(w.acc.Cin7Core.ApplicationKey)}
}

// bubble runs f under fake time.
func bubble(t testing.TB, f func()) {
	t.Helper()
	tt, ok := t.(*testing.T)
	if !ok {
		t.Fatal("bubbles need a *testing.T")
	}
	synctest.Test(tt, func(*testing.T) { f() })
}

// register points the simulated Upstock at the tenant's webhook address again,
// as it is in the base (the simulators start anew in every world).
func (w *world) register() {
	ctx := context.Background()
	p := w.process("console")
	c, err := p.app.Tenants.Connection(ctx, w.tenant, tenant.Upstock)
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := p.app.Tenants.Secrets(ctx, c)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.simUpstock.RegisterWebhook(w.acc.Upstock.Supplier, p.app.Vendors.URL(c.System, s)); err != nil {
		w.t.Fatal(err)
	}
	w.sim.Quiet()
}

// approve places an order, arms the gate and approves it; its id.
func (w *world) approve(order string) int {
	o, err := w.simUpstock.PlaceOrder(w.acc.Upstock.Supplier, order)
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	w.armed = true
	w.mu.Unlock()
	if _, err := w.simUpstock.Approve(o.ID); err != nil {
		w.t.Fatal(err)
	}
	return o.ID
}

// run is the order's run as it stands, nil if there is none.
func (w *world) run(id int) *order.Order {
	r, err := order.NewBook(ledger.New(w.store)).Get(context.Background(), w.tenant, strconv.Itoa(id))
	if errors.Is(err, ledger.ErrNotFound) {
		return nil
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// settle lets the world turn, a sweep each minute where one could matter,
// until the order has come to an end and nothing is under way.
func (w *world) settle(id int, most time.Duration) {
	start := time.Now()
	for time.Since(start) < most {
		synctest.Wait()
		w.mu.Lock()
		busy := w.flying > 0 || w.late > 0
		w.mu.Unlock()
		r := w.run(id)
		if r != nil && !busy && (r.Finished() || r.State == ledger.Attention) {
			return
		}
		now := time.Now()
		wake := now.Truncate(time.Minute).Add(time.Minute)
		if r != nil && !busy && r.Next.After(wake) {
			wake = r.Next.Truncate(time.Minute).Add(time.Minute)
		}
		time.Sleep(wake.Sub(now))
		w.process("sweep").app.Schedule(context.Background(), json.RawMessage(`{"job":"orders"}`))
	}
}

// twinVoided is the verdict where all is well in the end, but a second sale had
// to be voided: what happens where an effect comes later than the protocol assumes.
const twinVoided = "a twin to void"

// verdict compares both sides: "" if the order has exactly one sale with its
// lines and total, no orphan, and the ledger and Upstock agree.
func (w *world) verdict(id int) string {
	r := w.run(id)
	if r == nil {
		return "lost order: nothing is written down"
	}
	ext := fmt.Sprintf("upstock:%d:%d", w.acc.Upstock.Supplier, id)
	var live []simcin7core.SaleSummary
	voided := 0
	for _, s := range w.simCore.Sales(w.acc.Cin7Core.AccountID) {
		switch {
		case s.ExternalID != ext:
		case s.Status == "VOIDED":
			voided++
		default:
			live = append(live, s)
		}
	}
	full := 0
	for _, s := range live {
		if s.Lines > 0 {
			full++
		}
	}
	o, err := w.simUpstock.Order(id)
	if err != nil {
		return err.Error()
	}
	switch {
	case full > 1:
		return fmt.Sprintf("two sales: %d with lines", full)
	case full == 0 && r.State == ledger.Attention:
		return "an attention that nobody caused: " + fmt.Sprint(r.Problems)
	case full == 0:
		return "lost order: no sale, state " + string(r.State) + " " + r.Why
	case len(live) > 1:
		return fmt.Sprintf("orphan: %d headers beside the sale", len(live)-1)
	case r.State == ledger.Attention:
		return "an attention that nobody caused: " + fmt.Sprint(r.Problems)
	case r.State != order.Sold && r.State != order.Shipped && r.State != order.PartlyShipped ||
		r.SaleID != live[0].ID || r.SaleNumber != live[0].Number:
		return fmt.Sprintf("the ledger says %s %s, Cin7 Core says %s", r.State, r.SaleNumber, live[0].Number)
	case live[0].Total != o.Total || r.SaleTotal != o.Total:
		return fmt.Sprintf("totals: order %s, sale %s, ledger %s", o.Total, live[0].Total, r.SaleTotal)
	case o.External != r.SaleNumber:
		return "Upstock was not told: it shows " + o.External
	case w.sim.OverLimit(sim.Cin7Core, w.acc.Cin7Core.AccountID) > 0:
		return "over the limit"
	case voided > 0:
		return twinVoided
	}
	return ""
}
