package upstockcin7_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/app"
	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/sim"
	simupstock "stockbridge/internal/sim/upstock"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
)

var update = flag.Bool("update", false, "rewrite golden files")

// TestFailedCalls holds what becomes of every kind of work when a call of a
// vendor fails in every way that we tell apart: when the work goes on, in which
// state it is meanwhile, and what a person reads. The table is
// testdata/failed.golden; run the test with -update to write it anew.
//
// Waits are drawn by lot, so each cell is played twice: with the lowest draws
// and with the highest.
func TestFailedCalls(t *testing.T) {
	testsize.Sampled(t)
	testsize.OneSize(t)
	b := prepare(t)
	var got strings.Builder
	for _, job := range failedJobs {
		fmt.Fprintf(&got, "%s\n", job.name)
		for _, f := range failures {
			shortest := playFailure(t, b, job, f, false)
			longest := playFailure(t, b, job, f, true)
			fmt.Fprintf(&got, "\t%-28s %s\n", f.name, shortest.to(longest))
		}
	}
	file := filepath.Join("testdata", "failed.golden")
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	old, now := strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")
	if len(old) != len(now) {
		t.Fatalf("%d lines, want %d", len(now), len(old))
	}
	for i := range now {
		if now[i] != old[i] {
			t.Errorf("line %d\n-%s\n+%s", i+1, old[i], now[i])
		}
	}
}

// failedJob is a kind of work whose call fails.
type failedJob struct {
	name   string
	system tenant.System // whose call it is
	begin  func(c *cell)
	do     func(c *cell, ctx context.Context) error
	end    func(c *cell) ending
}

var failedJobs = []failedJob{
	{"an order, looked for in Cin7 Core", tenant.Cin7Core, (*cell).receiveOrder, (*cell).pushOrder,
		(*cell).orderEnding},
	{"an order, told to Upstock", tenant.Upstock, func(c *cell) {
		c.pile(1, "s-1", func(r *order.Order) { r.Told, c.order = false, r.ID })
	}, (*cell).pushOrder, (*cell).orderEnding},
	tenantJob("shipments", tenant.Cin7Core, (*cell).cursorEnding),
	tenantJob("reconcile", tenant.Upstock, (*cell).cursorEnding),
	tenantJob("webhooks", tenant.Cin7Core, (*cell).cursorEnding),
	tenantJob("mirror", tenant.Cin7Core, func(c *cell) ending {
		return ending{says: c.mirrored().Problem}
	}),
	{"backfill", tenant.Upstock, func(c *cell) {
		if _, err := c.app.Pair.StartBackfill(c.t.Context(), c.tenant, time.Now(), time.Now()); err != nil {
			c.t.Fatal(err)
		}
	}, func(c *cell, ctx context.Context) error {
		return doJob(ctx, c.app, job.Message{Job: upstockcin7.JobBackfill, Tenant: c.tenant})
	}, (*cell).backfillEnding},
	tenantJob("completeness", tenant.Upstock, (*cell).cursorEnding),
}

func tenantJob(name string, sys tenant.System, end func(c *cell) ending) failedJob {
	return failedJob{name, sys, func(*cell) {}, func(c *cell, ctx context.Context) error {
		return doJob(ctx, c.app, job.Message{Job: name, Tenant: c.tenant})
	}, func(c *cell) ending {
		e := end(c)
		if e.goesOn == "" {
			e.goesOn = "with the schedule"
		}
		return e
	}}
}

// failures are the ways in which a call fails.
var failures = []struct {
	name string
	make func(c *cell)
}{
	{"own time short", func(c *cell) { c.time = 10 * time.Second }},
	{"own time short after a call", func(c *cell) {
		c.time = 25 * time.Second
		c.answers = func(*http.Request) (*http.Response, error) { time.Sleep(5 * time.Second); return nil, nil }
	}},
	{"limiter: wait 40s", func(c *cell) { c.block(40 * time.Second) }},
	{"limiter: wait 50m", func(c *cell) { c.block(50 * time.Minute) }},
	{"throttled for 60s", func(c *cell) { c.vendorFault(sim.Fault{Kind: "throttle", How: "429", RetryAfter: "60"}) }},
	{"throttled for 40m", func(c *cell) { c.vendorFault(sim.Fault{Kind: "throttle", How: "429", RetryAfter: "2400"}) }},
	{"throttled", func(c *cell) { c.vendorFault(sim.Fault{Kind: "throttle"}) }},
	{"key refused", func(c *cell) { c.account(`{"revoked":true}`); c.revokeUpstock(true) }},
	{"key refused, then replaced", func(c *cell) {
		c.answers = func(*http.Request) (*http.Response, error) {
			c.replaceKey()
			return answerJSON(http.StatusUnauthorized, `{}`), nil
		}
	}},
	{"refused: 400", func(c *cell) { c.answer(http.StatusBadRequest, "There is no such page.") }},
	{"down, not sent", func(c *cell) { c.vendorFault(sim.Fault{Kind: "before", How: "refused"}) }},
	{"down, sent", func(c *cell) { c.vendorFault(sim.Fault{Kind: "before", How: "reset"}) }},
	{"down, and says something", func(c *cell) { c.answer(http.StatusInternalServerError, "The database is away.") }},
	{"down for eight days", func(c *cell) {
		c.vendorFault(sim.Fault{Kind: "before", How: "502"})
		c.lasts = 8 * 24 * time.Hour
	}},
	{"an error of our own", func(c *cell) {
		c.answers = func(*http.Request) (*http.Response, error) { c.broken = 3; return nil, nil }
	}},
	{"the invocation is over", func(c *cell) {
		c.answers = func(req *http.Request) (*http.Response, error) {
			c.over()
			return nil,
				context.Cause(req.Context())
		}
	}},
}

// cell is a world in which one piece of work meets one failure.
type cell struct {
	*world
	failedJob
	app     *app.App
	order   string
	time    time.Duration                               // that the invocation has; 0 = a minute
	lasts   time.Duration                               // the work is done every six hours for so long
	answers func(*http.Request) (*http.Response, error) // the vendor's first answer; both nil = its own
	// operations on the tenant's items that fail; a write is tried 3 times
	broken int
	over   context.CancelFunc // ends the invocation
	sent   []time.Duration    // delays of the messages to the job
}

// ending is what came of it.
type ending struct {
	state  string
	goesOn string // "" = after the wait
	wait   time.Duration
	by     time.Duration // an order's
	says   string
}

// to puts the endings of the shortest and of the longest draws into words.
func (e ending) to(f ending) string {
	between := func(a, b time.Duration) string {
		exact := 100 * time.Millisecond
		if b-a > 20*time.Second {
			exact = 5 * time.Second
		}
		if a, b = a.Round(exact), b.Round(exact); a == b {
			return a.String()
		}
		return a.String() + "–" + b.String()
	}
	goesOn := e.goesOn
	if goesOn == "" {
		goesOn = "after " + between(e.wait, f.wait)
	}
	if e.by > 0 || f.by > 0 {
		goesOn += " (by " + between(e.by, f.by) + ")"
	}
	if f.state != e.state || f.goesOn != e.goesOn || f.says != e.says {
		return fmt.Sprintf("DIFFERS: %+v, %+v", e, f)
	}
	text := goesOn
	if e.state != "" {
		text += "; " + e.state
	}
	if e.says != "" {
		text += ": " + e.says
	}
	return text
}

func playFailure(t *testing.T, b *base, job failedJob, f struct {
	name string
	make func(c *cell)
}, longest bool) (e ending) {
	path := filepath.Join(t.TempDir(), "failed.db")
	synctest.Test(t, func(t *testing.T) {
		c := &cell{world: newWorld(t, b, path), failedJob: job, time: time.Minute}
		defer c.close()
		c.app = app.New(app.Deps{
			Table: cellTable{c}, Sealer: c.box, HTTP: c, Send: c.send, PublicURL: "https://hooks.example.test",
			URLs: map[tenant.System]string{
				tenant.Upstock:  "http://sim.test" + sim.PrefixUpstock,
				tenant.Cin7Core: "http://sim.test" + sim.PrefixCin7Core,
			},
		})
		job.begin(c)
		f.make(c)
		defer func(was io.Reader) { rand.Reader = was }(rand.Reader)
		rand.Reader = &lots{from: rand.Reader, longest: longest}
		begun := time.Now()
		for {
			var ctx context.Context
			ctx, c.over = context.WithTimeout(context.Background(), c.time)
			c.sent = nil
			err := job.do(c, ctx)
			c.over()
			c.broken = 0
			e = job.end(c)
			switch {
			case err != nil:
				e.goesOn = "with the queue"
			case len(c.sent) > 0:
				e.goesOn, e.wait = "", c.sent[len(c.sent)-1]
			}
			if len(c.sent) > 1 {
				t.Errorf("%s, %s: sent %d times: %v", job.name, f.name, len(c.sent), c.sent)
			}
			if time.Since(begun) >= c.lasts {
				break
			}
			time.Sleep(6 * time.Hour)
		}
		for _, sys := range []tenant.System{tenant.Upstock, tenant.Cin7Core} {
			if conn := c.connectionTo(sys); conn.State != tenant.Connected {
				e.state += " without the key of " + string(sys)
			}
		}
		e.state = strings.TrimSpace(e.state)
		synctest.Wait()
	})
	return e
}

// lots makes all random waits as short or as long as can be; a text that must
// be no other's, as a lease's, stays random. rand.Int reads again, into the same
// bytes, until a number is below its limit: the longest is found from above.
type lots struct {
	from    io.Reader
	longest bool
	last    *byte
	next    int
}

func (l *lots) Read(p []byte) (int, error) {
	if len(p) > 8 {
		return l.from.Read(p)
	}
	clear(p)
	if !l.longest {
		return len(p), nil
	}
	if l.last != &p[0] {
		l.last, l.next = &p[0], 1<<16
	}
	l.next--
	p[0] = byte(l.next >> 8)
	if len(p) > 1 {
		p[1] = byte(l.next)
	}
	for i := 2; i < len(p); i++ {
		p[i] = 0xFF
	}
	return len(p), nil
}

func (c *cell) RoundTrip(req *http.Request) (*http.Response, error) {
	if answers := c.answers; answers != nil {
		c.answers = nil
		if resp, err := answers(req); resp != nil || err != nil {
			return resp, err
		}
	}
	return c.trip(req)
}

func (c *cell) send(_ context.Context, _ app.Queue, body []byte, _ string, delay time.Duration) error {
	var j job.Message
	if err := json.Unmarshal(body, &j); err == nil && j.Job == c.name {
		c.sent = append(c.sent, delay)
	}
	return nil
}

// vendorFault makes all calls of the job's vendor go wrong.
func (c *cell) vendorFault(f sim.Fault) {
	f.Match, f.Times = "*", -1
	if err := c.sim.Fault(string(c.system), f); err != nil {
		c.t.Fatal(err)
	}
}

// answer has the vendor answer each call so.
func (c *cell) answer(status int, says string) {
	body := fmt.Sprintf(`[{"ErrorCode":%d,"Exception":%q}]`, status, says)
	if c.system == tenant.Upstock {
		body = fmt.Sprintf(`{"error":{"message":%q}}`, says)
	}
	c.instead = func(*http.Request, []byte) *http.Response { return answerJSON(status, body) }
}

// block has the limiter of the job's vendor say wait.
func (c *cell) block(d time.Duration) {
	conn, ctx := c.connectionTo(c.system), context.Background()
	switch c.system {
	case tenant.Upstock:
		c.app.Pair.Upstock(conn, tenant.Secrets{}, true).Limit.Throttled(ctx, d)
	default:
		c.app.Pair.Cin7Core(conn, tenant.Secrets{}, true).Limit.Throttled(ctx, d)
	}
}

func (c *cell) replaceKey() {
	another := func(_ *tenant.Connection, s *tenant.Secrets) error { s.Key += "2"; return nil }
	if _, _, err := c.app.Tenants.Connect(context.Background(), c.tenant, c.system, another); err != nil {
		c.t.Fatal(err)
	}
}

// receiveOrder takes an order in whose worker has died before it began.
func (c *cell) receiveOrder() {
	o := must[simupstock.OrderSummary](c.world)(c.simUpstock.PlaceOrder(c.acc.Upstock.Supplier, groceries))
	o = must[simupstock.OrderSummary](c.world)(c.simUpstock.Approve(o.ID))
	if _, err := c.app.Pair.Approved(context.Background(), c.tenant, "event", o.JSON, o.JSON); err != nil {
		c.t.Fatal(err)
	}
	c.order = fmt.Sprint(o.ID)
}

func (c *cell) pushOrder(ctx context.Context) error {
	return c.app.Pair.Push(ctx, ledger.Pointer{Tenant: c.tenant, ID: c.order, Origin: ledger.OriginSweep}, false)
}

func (c *cell) orderEnding() ending {
	r, err := c.app.Book.Get(context.Background(), c.tenant, c.order)
	if err != nil {
		c.t.Fatal(err)
	}
	e := ending{state: string(r.State), says: r.Why, goesOn: "never"}
	if !r.Next.IsZero() {
		e.wait, e.goesOn = time.Until(r.Next), ""
	}
	if !r.By.IsZero() {
		e.by = time.Until(r.By)
	}
	if r.Parked {
		e.state += " parked for " + string(r.Needs)
	}
	for _, p := range r.Problems {
		e.says += p.Message
	}
	if e.says == "" {
		e.says = strings.Join(r.Said, " ")
	}
	return e
}

func (c *cell) cursorEnding() ending {
	cur, err := c.app.Ledger.Cursor(context.Background(), c.tenant, c.name)
	if err != nil {
		c.t.Fatal(err)
	}
	return ending{says: cur.Problem}
}

func (c *cell) backfillEnding() ending {
	b, err := c.app.Pair.BackfillState(context.Background(), c.tenant)
	if err != nil {
		c.t.Fatal(err)
	}
	e := ending{state: string(b.State), says: b.Why, goesOn: "with reconcile"}
	if b.State != upstockcin7.BackfillRunning {
		e.goesOn = "never"
	}
	if b.Errors > 0 {
		e.state += ", counted"
	}
	return e
}

// cellTable is the world's table, which may fail once.
type cellTable struct{ c *cell }

func (t cellTable) fails(pk string) error {
	if t.c.broken == 0 || !strings.HasPrefix(pk, tenant.Partition(t.c.tenant)) { // a limiter's own is another matter
		return nil
	}
	t.c.broken--
	return errLost
}

func (t cellTable) Get(ctx context.Context, keys ...table.Key) ([]table.Item, error) {
	if err := t.fails(keys[0].PK); err != nil {
		return nil, err
	}
	return t.c.store.Get(ctx, keys...)
}

func (t cellTable) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if err := t.fails(q.PK); err != nil {
		return table.Page{}, err
	}
	return t.c.store.Query(ctx, q)
}

func (t cellTable) List(ctx context.Context, q table.Query) (table.Entries, error) {
	if err := t.fails(q.PK); err != nil {
		return table.Entries{}, err
	}
	return t.c.store.List(ctx, q)
}

func (t cellTable) Write(ctx context.Context, ops ...table.Op) error {
	if err := t.fails(ops[0].Item.PK); err != nil {
		return err
	}
	return t.c.store.Write(ctx, ops...)
}
