// Package app is the composition root: from what a process brings (a table, a sealer, queues, HTTP) to what it runs.
//
// [New] takes [Deps] and returns an [App]. Its methods are the functions' handlers, and each function of
// template.yaml is one of them:
//
//	functions/webhook      App.Webhook      what Upstock and Cin7 Core deliver by HTTP
//	functions/orders       App.Orders       the orders queue: pointers to orders
//	functions/shipments    App.Shipments    the shipments queue: tenants' parts of the other jobs
//	functions/catalog      App.Catalog      the catalog queue: tenants' parts of the jobs that read reference data
//	                                        or send alerts
//	functions/joor         App.JOOR         the joor queue: tenants' parts of the jobs between Cin7 Omni and JOOR
//	functions/deadletters  App.DeadLetters  what any queue gave up on
//	functions/schedule     App.Schedule     the sweep, and the fan-out of a job to the tenants
//	functions/console      App.Console      the pages and the JSON API
//
// A process makes one App, whichever function it is. The local runner calls all of its methods, tests make one over a
// table, a clock and simulators of their own; there is no other place where the parts are put together, and no state
// outside an App. How an event becomes a call of a handler is package cloud's to know.
//
// # What is decided here
//
// Nothing of the business, and all that is not one package's own: into which queue a message goes, how often jobs
// start (Schedules, and App.Jobs as this process has it), which budget an account's calls come out of and in which
// class (App.limiter), whose systems can be connected and how (App.vendors), and who is let in before a body is read
// (App.Admits).
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
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/alert"
	"stockbridge/internal/console"
	"stockbridge/internal/job"
	"stockbridge/internal/joorcin7"
	"stockbridge/internal/ledger"
	"stockbridge/internal/limit"
	"stockbridge/internal/mirror"
	"stockbridge/internal/signin"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/vendor"
)

// Queue names one of the queues by the function that reads it.
type Queue = job.Queue

// The queues. Each has a dead-letter queue, which functions/deadletters reads.
const (
	OrdersQueue    Queue = "orders" // pointers to orders
	CatalogQueue         = job.Catalog
	ShipmentsQueue       = job.Shipments
	JOORQueue            = joorcin7.Queue
)

// Depth is how many messages a queue holds, about.
type Depth = console.Depth

// Deps are what a process brings.
type Deps struct {
	Table  table.Table
	Sealer tenant.Sealer
	// Send puts a message into a queue; group is the tenant, so that one
	// tenant's backlog does not hold up the others (a fair queue).
	Send func(ctx context.Context, q Queue, body []byte, group string, delay time.Duration) error
	// Depth is how many messages a queue holds. nil: nobody can tell, as where there is no queue.
	Depth func(ctx context.Context, q Queue) (Depth, error)
	HTTP  http.RoundTripper // to the vendors; redirects are not followed
	// Base addresses of the vendors by system; the default is the vendor's own.
	URLs      map[tenant.System]string
	PublicURL string                   // what webhook URLs begin with, as https://hooks.example.com
	Operators tenant.Operators         // who may use the JSON API for all tenants
	OrderPage string                   // an order's page in Upstock, with {id} for its id; "" = not known
	SignIn    signin.Config            // where people sign in to the console
	Speed     float64                  // divides every configured duration; 0 = 1
	Every     map[string]time.Duration // how often jobs start, where not as Schedules says
	Unlimited bool                     // no limiter: for measuring alone
	Log       *slog.Logger

	// Vendors and pairs beside the product's own. Pairs makes them, of an App whose vendors and runner of jobs are
	// there.
	Vendors []vendor.Vendor
	Pairs   func(*App) []Pair

	// Alerts: Mailer is set in the function that sends alone; MailFrom is who e-mails come from, "" = none are sent.
	Mailer   alert.Mailer
	MailFrom string
	Guard    alert.Guard // of the addresses that tenants give
	Console  string      // the console's address, to link to; "" = nobody knows it

	OnEnd func(context.Context, Ended) // if set, hears of every run whose work has ended for now
	Now   func() time.Time             // see upstockcin7.Deps
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
	Book    *order.Book
	Vendors *vendor.Vendors
	Pair    *upstockcin7.Pair
	JOORs   *joorcin7.Pair
	Jobs    *job.Runner
	Alerts  *alert.Store

	pairs    []Pair        // all of them
	timeout  time.Duration // of one call to a vendor
	limiters limiters
}

// Pair is what every pair adds to the tables that are joined here.
type Pair interface {
	vendor.Pair
	Jobs() []job.Kind
	// What does the jobs of each queue. They are two methods, as Go links a method into whichever function calls it.
	CatalogWork() job.Work
	ShipmentsWork() job.Work
	Settings() []tenant.Section
	Hooks() map[tenant.System]http.Handler // of what its vendors deliver
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
	a := &App{
		deps: d, Tenants: tenant.NewStore(d.Table, d.Sealer), Ledger: ledger.New(d.Table),
	}
	a.limiters.of = map[limiterKey]*limiter{}
	times := upstockcin7.DefaultTimes().Divided(d.Speed)
	a.timeout = times.HTTP
	a.Book = order.NewBook(a.Ledger)
	a.Jobs = &job.Runner{
		Verdicts: &job.Verdicts{Tenants: a.Tenants, Ledger: a.Ledger, Now: d.Now, Times: times.Times},
		Every:    map[string]time.Duration{}, Send: a.sendPart,
	}
	a.Alerts = &alert.Store{Table: d.Table, Tenants: a.Tenants, Sealer: d.Sealer, Now: d.Now,
		Times: alert.DefaultTimes().Divided(d.Speed)}
	a.Vendors = a.newVendors()
	a.Pair = a.newPair(times)
	a.JOORs = a.newJOORs()
	a.pairs = []Pair{a.Pair, a.JOORs}
	if d.Pairs != nil {
		a.pairs = append(a.pairs, d.Pairs(a)...)
	}
	for _, p := range a.pairs {
		a.join(p)
	}
	a.joinKind(alert.Kind())
	if err := tenant.Distinct(a.sections()...); err != nil {
		panic(err) // a mistake in the program, as a pattern that is registered twice
	}
	return a
}

func (a *App) newVendors() *vendor.Vendors {
	return vendor.New(vendor.Deps{
		Tenants: a.Tenants, Ledger: a.Ledger, Take: a.take, Spend: a.spend,
		WebhookURL: func(sys tenant.System, token string) string {
			return strings.TrimRight(a.deps.PublicURL, "/") + "/webhooks/" + string(sys) + "/" + token
		},
	}, append(a.vendors(), a.deps.Vendors...)...)
}

func (a *App) newPair(times upstockcin7.Times) *upstockcin7.Pair {
	return upstockcin7.New(upstockcin7.Deps{
		Table: a.deps.Table, Ledger: a.Ledger, Orders: a.Book, Tenants: a.Tenants, Vendors: a.Vendors,
		Mirror: mirror.New(a.deps.Table),
		Times:  times, OnEnd: a.onEnd(), Now: a.deps.Now, Log: a.deps.Log,
		Upstock: a.upstock, Cin7Core: a.cin7core,
		Wake: func(ctx context.Context, p ledger.Pointer, delay time.Duration) error {
			return a.send(ctx, OrdersQueue, p, p.Tenant, delay)
		},
		Runner: a.Jobs,
	})
}

func (a *App) newJOORs() *joorcin7.Pair {
	return joorcin7.New(joorcin7.Deps{
		Table: a.deps.Table, Ledger: a.Ledger, Tenants: a.Tenants, Vendors: a.Vendors, Mirror: mirror.New(a.deps.Table),
		Runner: a.Jobs, Times: joorcin7.DefaultTimes().Divided(a.deps.Speed), Omni: a.cin7omni, JOOR: a.joor,
		Now: a.deps.Now, Log: a.deps.Log,
	})
}

// join adds a pair to the tables: of whoever hears of connections, and of jobs.
func (a *App) join(p Pair) {
	a.Vendors.Join(p)
	for _, k := range p.Jobs() {
		a.joinKind(k)
	}
}

func (a *App) joinKind(k job.Kind) {
	every, ok := a.deps.Every[k.Name]
	if !ok {
		every = k.Every
	}
	if every != k.Every { // a process that says itself how often a job starts has it start so often
		k.Nightly = false
	}
	a.Jobs.Kinds = append(a.Jobs.Kinds, k)
	a.Jobs.Every[k.Name] = time.Duration(float64(every) / a.deps.Speed)
}

// sections are the settings of all pairs, at their defaults.
func (a *App) sections() (all []tenant.Section) {
	for _, p := range a.pairs {
		all = append(all, p.Settings()...)
	}
	return all
}

func (a *App) send(ctx context.Context, q Queue, v any, group string, delay time.Duration) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return a.deps.Send(ctx, q, body, group, min(delay, job.MaxDelay))
}

// noteLag tells of a part of a job that begins later than its schedule's next turn.
func (a *App) noteLag(ctx context.Context, part job.Message) {
	k, _ := a.Jobs.Kind(part.Job)
	if lag := a.deps.Now().Sub(part.At); !part.At.IsZero() && k.Every > 0 && lag > k.Every {
		a.deps.Log.WarnContext(ctx, "a job is late", "job", part.Job, "tenant", part.Tenant,
			"JobLag", lag.Round(time.Second).Seconds(), "metric", "JobLag")
	}
}

// Webhook handles POST /webhooks/{system}/{token}.
func (a *App) Webhook() http.Handler { return countRefused(a.hooks(), a.deps.Log) }

func (a *App) hooks() http.Handler {
	mux := http.NewServeMux()
	for _, p := range a.pairs {
		for sys, h := range p.Hooks() {
			mux.Handle("/webhooks/"+string(sys)+"/{token}", h)
		}
	}
	return mux
}

// desk is where people sign in. It is made by who needs it: no other function carries it.
func (a *App) desk() *signin.Desk { return signin.New(a.deps.SignIn, a.deps.Table, a.deps.HTTP) }

// Console handles the pages, the JSON API and GET /healthz. Workbook makes its XLSX files; nil = it makes none. It is
// handed in because what makes them is large, and every function has this package.
func (a *App) Console(workbook console.Workbook) http.Handler {
	return console.New(console.Deps{
		Workbook: workbook,
		Tenants:  a.Tenants, Ledger: a.Ledger, Orders: a.Book, Vendors: a.Vendors, Pair: a.Pair, JOOR: a.JOORs,
		Jobs:     a.Jobs,
		Sections: a.sections, Operators: a.deps.Operators, Desk: a.desk(), OrderPage: a.deps.OrderPage,
		Log: a.deps.Log, Started: time.Now(),
		Alerts: a.Alerts, MailFrom: a.deps.MailFrom, Guard: a.deps.Guard,
		Budget: func(ctx context.Context, c tenant.Connection) (limit.State, error) {
			return a.bucket(c, true).State(ctx)
		},
		Blocked: func(ctx context.Context, most int) ([]limit.Block, bool, error) {
			return limit.Blocked(ctx, a.deps.Table, most)
		},
		Queues: []Queue{OrdersQueue, ShipmentsQueue, CatalogQueue, JOORQueue}, Depth: a.deps.Depth,
	})
}

// Orders handles messages of the orders queue and returns the ids of those
// that must come again.
func (a *App) Orders(ctx context.Context, batch []Message) (failed []string) {
	return a.each(ctx, batch, func(m Message, p ledger.Pointer) error {
		return a.Pair.Push(ctx, p, m.Receives <= 1)
	})
}

// Catalog handles messages of the catalog queue. What sends alerts is in this function and in no other.
func (a *App) Catalog(ctx context.Context, batch []Message) (failed []string) {
	teller := &alert.Teller{Store: a.Alerts, Mailer: a.deps.Mailer, Guard: a.deps.Guard, Wrong: a.wrong,
		Console: a.deps.Console, Log: a.deps.Log}
	runner := a.Jobs.With(job.Work{alert.Job: teller.Look})
	for _, p := range a.pairs {
		runner = runner.With(p.CatalogWork())
	}
	return a.jobs(ctx, batch, runner)
}

// wrong is what needs a person at a tenant's, between whichever systems.
func (a *App) wrong(ctx context.Context, b tenant.Bundle) (list []alert.Matter, unsure []string, err error) {
	for _, wrong := range []func(context.Context, tenant.Bundle) ([]alert.Matter, []string, error){
		a.Pair.Wrong, a.JOORs.Wrong,
	} {
		some, of, err := wrong(ctx, b)
		if err != nil {
			return nil, nil, err
		}
		list, unsure = append(list, some...), append(unsure, of...)
	}
	return list, unsure, nil
}

// Shipments handles messages of the shipments queue.
func (a *App) Shipments(ctx context.Context, batch []Message) (failed []string) {
	runner := a.Jobs
	for _, p := range a.pairs {
		runner = runner.With(p.ShipmentsWork())
	}
	return a.jobs(ctx, batch, runner)
}

// JOOR handles messages of the joor queue.
func (a *App) JOOR(ctx context.Context, batch []Message) (failed []string) {
	return a.jobs(ctx, batch, a.Jobs.With(a.JOORs.Work()))
}

// DeadLetters handles messages that a queue gave up, whichever it was.
func (a *App) DeadLetters(ctx context.Context, batch []Message) (failed []string) {
	var pointers []Message
	for _, m := range batch {
		part, ok := partOf(m)
		if !ok {
			pointers = append(pointers, m)
			continue
		}
		a.deps.Log.ErrorContext(ctx, "a job was given up", "job", part.Job, "tenant", part.Tenant, "message", m.ID,
			"metric", "JobsGivenUp")
		if err := a.Jobs.Dead(ctx, part); err != nil {
			failed = append(failed, m.ID)
		}
	}
	return append(failed, a.each(ctx, pointers,
		func(_ Message, p ledger.Pointer) error { return a.Pair.DeadLetter(ctx, p) })...)
}

// each does a pointer's work for every message of a batch.
func (a *App) each(ctx context.Context, batch []Message, do func(Message, ledger.Pointer) error) (failed []string) {
	for _, m := range batch {
		var p ledger.Pointer
		if err := json.Unmarshal([]byte(m.Body), &p); err != nil || p.Tenant == "" || p.ID == "" {
			a.deps.Log.ErrorContext(ctx, "a message is no pointer", "message", m.ID) // it would never be one
			continue
		}
		if p.Kind != "" && p.Kind != a.Book.Kind().Name { // of a newer version, which may take it yet
			a.deps.Log.ErrorContext(ctx, "a pointer is of a kind that nobody works on", "kind", p.Kind, "message", m.ID)
			failed = append(failed, m.ID)
			continue
		}
		if err := do(m, p); err != nil {
			a.deps.Log.ErrorContext(ctx, "order", "tenant", p.Tenant, "order", p.ID, "message", m.ID, "error", err)
			failed = append(failed, m.ID)
		}
	}
	return failed
}

func (a *App) jobs(ctx context.Context, batch []Message, runner *job.Runner) (failed []string) {
	for _, m := range batch {
		part, ok := partOf(m)
		if _, known := runner.Kind(part.Job); !ok || !known {
			a.deps.Log.ErrorContext(ctx, "a message is no job", "message", m.ID)
			continue
		}
		a.noteLag(ctx, part)
		if err := runner.Do(ctx, part); err != nil {
			a.deps.Log.ErrorContext(ctx, "job", "job", part.Job, "tenant", part.Tenant, "message", m.ID, "error", err)
			failed = append(failed, m.ID)
		}
	}
	return failed
}

// kindPart is the kind of message that is a tenant's part of a job. Pointers to orders have none, those to other runs
// that of their journal.
const kindPart = "job"

// partMessage is a part as a queue holds it.
type partMessage struct {
	Kind string `json:"kind"`
	job.Message
}

func (a *App) sendPart(ctx context.Context, to Queue, m job.Message, delay time.Duration) error {
	return a.send(ctx, to, partMessage{kindPart, m}, m.Tenant, delay)
}

// partOf reads a message that is a tenant's part of a job. Those of an earlier version do not say their kind.
func partOf(m Message) (job.Message, bool) {
	var p partMessage
	err := json.Unmarshal([]byte(m.Body), &p)
	return p.Message, err == nil && (p.Kind == kindPart || p.Kind == "") && p.Job != "" && p.Tenant != ""
}

// Schedules says how often EventBridge Scheduler starts each job, as in the template.
func Schedules() map[string]time.Duration {
	every := map[string]time.Duration{sweep: time.Minute}
	for _, k := range slices.Concat(new(upstockcin7.Pair).Jobs(), new(joorcin7.Pair).Jobs(),
		[]job.Kind{alert.Kind()}) {
		if k.Every > 0 {
			every[k.Name] = k.Every
		}
	}
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
	a.deps.Log.InfoContext(ctx, "schedule", "job", j.Job, "metric", "JobsStarted")
	switch {
	case j.Job == sweep:
		err = a.Pair.Sweep(ctx)
	case j.Job == alert.Job:
		var ids []string
		if ids, err = a.Alerts.Due(ctx); err == nil {
			err = a.Jobs.FanOutTo(ctx, j.Job, ids)
		}
	default:
		if k, ok := a.Jobs.Kind(j.Job); !ok || k.Every == 0 {
			return fmt.Errorf("schedule: there is no job %q", j.Job)
		}
		err = a.Jobs.FanOut(ctx, j.Job)
	}
	if err != nil {
		return fmt.Errorf("job %s: %w", j.Job, err)
	}
	return nil
}
