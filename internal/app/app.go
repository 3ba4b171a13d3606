// Package app is the composition root: from what a process brings (a table, a sealer, queues, HTTP) to what it runs.
//
// [New] takes [Deps] and returns an [App]. Its methods are the functions' handlers, and each function of template.yaml
// is one of them:
//
//	functions/webhook      App.Webhook      what Upstock and Cin7 Core deliver by HTTP
//	functions/orders       App.Orders       the orders queue: pointers to orders
//	functions/shipments    App.Shipments    the shipments queue: tenants' parts of the jobs that compare both sides
//	functions/catalog      App.Catalog      the jobs queue: tenants' parts of the mirror
//	functions/deadletters  App.DeadLetters  what any queue gave up on
//	functions/schedule     App.Schedule     the sweep, and the fan-out of a job to the tenants
//	functions/console      App.Console      the JSON API
//
// A process makes one App, whichever function it is. The local runner calls all of its methods, tests make one over a
// table, a clock and simulators of their own; there is no other place where the parts are put together, and no state
// outside an App. How an event becomes a call of a handler is package cloud's to know.
//
// # What is decided here
//
// Nothing of the business, and all that is not one package's own: to which queue a message goes, which method does a
// job (jobs), how often jobs start (Schedules), which budget an account's calls come out of and in which class
// (App.limiter), how many keys may be tried (App.trial), and who is let in before a body is read (App.Admits).
//
// # What it promises
//
// A handler of a queue returns the ids of the messages that must come again, one by one: a batch never fails as a
// whole. A message that nobody can read is logged and dropped, as it would never become readable; nothing is lost by
// that, since a queue only wakes and the table is the record. Every handler may be called twice with the same, and at
// once.
//
// The tests of this package hold the shape of the house: who may import whom, that each function has its resource and
// its event, that each package has an essay such as this one, and that the documents name what is there.
package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/console"
	"stockbridge/internal/ledger"
	"stockbridge/internal/limit"
	"stockbridge/internal/mirror"
	"stockbridge/internal/rest"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7"
)

// Queue names one of the queues.
type Queue string

// The queues. Each has a dead-letter queue, which functions/deadletters reads.
const (
	OrdersQueue    Queue = "orders"    // pointers to orders
	JobsQueue      Queue = "jobs"      // {"job":"mirror",…}: long reading of reference data
	ShipmentsQueue Queue = "shipments" // {"job":"shipments",…} and the other jobs that compare both sides
)

// Deps are what a process brings.
type Deps struct {
	Table  table.Table
	Sealer tenant.Sealer
	// Send puts a message into a queue; group is the tenant, so that one
	// tenant's backlog does not hold up the others (a fair queue).
	Send func(ctx context.Context, q Queue, body []byte, group string, delay time.Duration) error
	HTTP http.RoundTripper // to the vendors; redirects are not followed
	// Base addresses of the vendors by system; the default is the vendor's own.
	URLs      map[tenant.System]string
	PublicURL string                   // what webhook URLs begin with, as https://hooks.example.com
	Token     tenant.Secret            // the operator's bearer token for the JSON API
	Speed     float64                  // divides every configured duration; 0 = 1
	Every     map[string]time.Duration // how often jobs start, where not as Schedules says
	Unlimited bool                     // no limiter: for measuring alone
	Log       *slog.Logger

	OnEnd func(*ledger.Run) // see upstockcin7.Deps
	Now   func() time.Time  // see upstockcin7.Deps
}

// Message is one message of a queue as a handler sees it.
type Message struct {
	ID       string
	Body     string
	Receives int       // how often it was received, this time included
	Sent     time.Time // when it was sent
}

// App is everything composed. Its methods are the functions' handlers.
type App struct {
	deps    Deps
	Tenants *tenant.Store
	Ledger  *ledger.Ledger
	Pair    *upstockcin7.Pair

	mu       sync.Mutex
	limiters map[limiterKey]*limiter
}

// New composes an App.
func New(d Deps) *App {
	if d.Speed == 0 {
		d.Speed = 1
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	a := &App{deps: d, Tenants: tenant.NewStore(d.Table, d.Sealer), Ledger: ledger.New(d.Table), limiters: map[limiterKey]*limiter{}}
	times := upstockcin7.DefaultTimes()
	maps.Copy(times.Jobs, d.Every)
	times = times.Divided(d.Speed)
	life := limit.GrantLife(d.Speed)
	a.Pair = upstockcin7.New(upstockcin7.Deps{
		Ledger: a.Ledger, Tenants: a.Tenants, Mirror: mirror.New(d.Table), Times: times, OnEnd: d.OnEnd, Now: d.Now,
		Upstock: func(c tenant.Connection, s tenant.Secrets, first bool) *upstock.Client {
			cl := upstock.New(a.base(tenant.Upstock, upstock.BaseURL), d.HTTP, a.limiter(c, first), string(s.Key))
			cl.Timeout, cl.GrantLife = times.HTTP, life
			return cl
		},
		Cin7Core: func(c tenant.Connection, s tenant.Secrets, first bool) *cin7core.Client {
			cl := cin7core.New(a.base(tenant.Cin7Core, cin7core.BaseURL), d.HTTP, a.limiter(c, first), c.Account, string(s.Key))
			cl.Timeout, cl.GrantLife = times.HTTP, life
			return cl
		},
		Trial: a.trial, Tried: a.tried,
		Wake: func(ctx context.Context, p ledger.Pointer, delay time.Duration) error {
			return a.send(ctx, OrdersQueue, p, p.Tenant, delay)
		},
		Start: func(ctx context.Context, j upstockcin7.Job, delay time.Duration) error {
			q := ShipmentsQueue
			if j.Job == upstockcin7.JobMirror {
				q = JobsQueue
			}
			return a.send(ctx, q, j, j.Tenant, delay)
		},
		WebhookURL: func(sys tenant.System, token string) string {
			return strings.TrimRight(d.PublicURL, "/") + "/webhooks/" + string(sys) + "/" + token
		},
	})
	return a
}

func (a *App) base(sys tenant.System, own string) string {
	if u := a.deps.URLs[sys]; u != "" {
		return u
	}
	return own
}

// longestDelay is a queue's: whoever wants more comes again.
const longestDelay = 15 * time.Minute

func (a *App) send(ctx context.Context, q Queue, v any, group string, delay time.Duration) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return a.deps.Send(ctx, q, body, group, min(delay, longestDelay))
}

type limiterKey struct {
	system  tenant.System
	account string
	first   bool
}

// limiter lets package limit speak for package rest.
type limiter struct{ *limit.Limiter }

func (l *limiter) Take(ctx context.Context) (time.Time, error) {
	at, err := l.Limiter.Take(ctx)
	if w := (*limit.Wait)(nil); errors.As(err, &w) {
		return at, &rest.Wait{Until: w.Until}
	}
	return at, err
}

// limiter is one per account and class in a process: it remembers the bucket.
func (a *App) limiter(c tenant.Connection, first bool) rest.Limiter {
	if a.deps.Unlimited || c.Trial {
		return nil
	}
	return a.bucket(c, first)
}

func (a *App) bucket(c tenant.Connection, first bool) *limiter {
	key := limiterKey{c.System, c.Account, first}
	a.mu.Lock()
	defer a.mu.Unlock()
	l, ok := a.limiters[key]
	if !ok {
		budget, class := limit.Cin7Core(), limit.Second
		if c.System == tenant.Upstock {
			budget = limit.Upstock()
		}
		if first {
			class = limit.First
		}
		l = &limiter{limit.New(a.deps.Table, string(c.System), c.Account, budget, class, limit.Speed(a.deps.Speed), limit.Now(a.deps.Now))}
		a.limiters[key] = l
	}
	return l
}

// Webhook handles POST /webhooks/{upstock|cin7core}/{token}.
func (a *App) Webhook() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/webhooks/upstock/{token}", a.Pair.Webhook())
	mux.Handle("/webhooks/cin7core/{token}", a.Pair.Cin7Webhook())
	return mux
}

// Console handles the JSON API and GET /healthz.
func (a *App) Console() http.Handler {
	return console.New(console.Deps{
		Tenants: a.Tenants, Ledger: a.Ledger, Pair: a.Pair, Token: a.deps.Token, Log: a.deps.Log, Started: time.Now(),
		Budget: func(ctx context.Context, c tenant.Connection) (limit.State, error) {
			return a.bucket(c, true).State(ctx)
		},
	})
}

// Orders handles messages of the orders queue and returns the ids of those
// that must come again.
func (a *App) Orders(ctx context.Context, batch []Message) (failed []string) {
	return a.each(ctx, batch, func(m Message, p ledger.Pointer) error {
		return a.Pair.Push(ctx, p, m.Receives <= 1)
	})
}

// Catalog handles messages of the jobs queue, Shipments those of the shipments queue.
func (a *App) Catalog(ctx context.Context, batch []Message) (failed []string) {
	return a.jobs(ctx, batch)
}

// Shipments handles messages of the shipments queue.
func (a *App) Shipments(ctx context.Context, batch []Message) (failed []string) {
	return a.jobs(ctx, batch)
}

// DeadLetters handles messages that a queue gave up, whichever it was.
func (a *App) DeadLetters(ctx context.Context, batch []Message) (failed []string) {
	var pointers []Message
	for _, m := range batch {
		var j upstockcin7.Job
		if json.Unmarshal([]byte(m.Body), &j) != nil || j.Job == "" || j.Tenant == "" {
			pointers = append(pointers, m)
			continue
		}
		a.deps.Log.Error("a job was given up", "job", j.Job, "tenant", j.Tenant, "message", m.ID)
		if err := a.Pair.DeadJob(ctx, j); err != nil {
			failed = append(failed, m.ID)
		}
	}
	return append(failed, a.each(ctx, pointers, func(_ Message, p ledger.Pointer) error { return a.Pair.DeadLetter(ctx, p) })...)
}

// each does a pointer's work for every message of a batch.
func (a *App) each(ctx context.Context, batch []Message, do func(Message, ledger.Pointer) error) (failed []string) {
	for _, m := range batch {
		var p ledger.Pointer
		if err := json.Unmarshal([]byte(m.Body), &p); err != nil || p.Tenant == "" || p.Order == "" {
			a.deps.Log.Error("a message is no pointer", "message", m.ID) // it would never be one
			continue
		}
		if err := do(m, p); err != nil {
			a.deps.Log.Error("order", "tenant", p.Tenant, "order", p.Order, "message", m.ID, "error", err)
			failed = append(failed, m.ID)
		}
	}
	return failed
}

func (a *App) jobs(ctx context.Context, batch []Message) (failed []string) {
	for _, m := range batch {
		var j upstockcin7.Job
		if err := json.Unmarshal([]byte(m.Body), &j); err != nil || jobs[j.Job] == nil || j.Tenant == "" {
			a.deps.Log.Error("a message is no job", "message", m.ID)
			continue
		}
		if err := jobs[j.Job](a.Pair, ctx, j); err != nil {
			a.deps.Log.Error("job", "job", j.Job, "tenant", j.Tenant, "message", m.ID, "error", err)
			failed = append(failed, m.ID)
		}
	}
	return failed
}

// jobs is the table of what is done for one tenant at a time.
var jobs = map[string]func(*upstockcin7.Pair, context.Context, upstockcin7.Job) error{
	upstockcin7.JobMirror:       (*upstockcin7.Pair).ReadMirror,
	upstockcin7.JobShipments:    (*upstockcin7.Pair).Shipments,
	upstockcin7.JobReconcile:    (*upstockcin7.Pair).Reconcile,
	upstockcin7.JobWebhooks:     (*upstockcin7.Pair).CheckWebhooks,
	upstockcin7.JobCompleteness: (*upstockcin7.Pair).CheckCompleteness,
	upstockcin7.JobBackfill:     (*upstockcin7.Pair).Backfill,
}

// Schedules says how often EventBridge Scheduler starts each job, as in the template.
func Schedules() map[string]time.Duration {
	every := upstockcin7.Every()
	every[sweep] = time.Minute
	return every
}

// sweep is the job that wakes what is due, of all tenants together.
const sweep = "orders"

// Schedule handles what EventBridge Scheduler sends: {"job":"orders"} is the
// minute sweep; every other job is sent on as one message for each tenant that
// is due. All are idempotent.
func (a *App) Schedule(ctx context.Context, payload json.RawMessage) error {
	var j struct {
		Job string `json:"job"`
	}
	if err := json.Unmarshal(payload, &j); err != nil {
		return fmt.Errorf("schedule: %w", err)
	}
	var err error
	switch {
	case j.Job == sweep:
		err = a.Pair.Sweep(ctx)
	case upstockcin7.Every()[j.Job] > 0:
		err = a.Pair.FanOut(ctx, j.Job)
	default:
		return fmt.Errorf("schedule: there is no job %q", j.Job)
	}
	if err != nil {
		return fmt.Errorf("job %s: %w", j.Job, err)
	}
	return nil
}
