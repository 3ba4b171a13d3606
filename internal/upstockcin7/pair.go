package upstockcin7

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/mirror"
	"stockbridge/internal/publish"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/catalogue"
	"stockbridge/internal/upstockcin7/completeness"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
	"stockbridge/internal/vendor"
)

// Pair is the business between Upstock and Cin7 Core.
type Pair struct {
	Deps
	Completeness *completeness.Checker // compares both sides

	restored  *restoreMark
	marks     *order.Marks
	table     table.Table        // what is chosen of the catalogue
	publisher *publish.Publisher // tells Upstock of it
}

// New returns the pair.
func New(d Deps) *Pair {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	p := &Pair{Deps: d, restored: new(restoreMark), table: table.Repeating(d.Table),
		publisher: publish.New(d.Table, d.Ledger, d.Times.Publish)}
	p.marks = &order.Marks{
		Book: d.Orders, Wake: d.Wake, Now: d.Now, Restored: p.everRestored,
		Soon: d.Times.Soon, Delivery: d.Times.Delivery, Watch: d.Times.Watch,
	}
	p.Completeness = completeness.New(completeness.Deps{
		Ledger: d.Ledger, Tenants: d.Tenants, Marks: p.marks, Runner: d.Runner, Secrets: d.Vendors.Secrets,
		Upstock: d.Upstock, Cin7Core: d.Cin7Core, Fresh: d.Times.Fresh, Settle: d.Times.Settle, Now: d.Now,
		OrdersOf: func(ctx context.Context, up tenant.Connection, ids []string) (map[string]*order.Order, error) {
			return p.orders(ctx, supplierAt(up), ids)
		},
		RunID: func(up tenant.Connection, id string) string { return supplierAt(up).key(id) },
		Said:  said, Differs: p.differs, Saw: p.compareSold,
		TakeIn: func(ctx context.Context, tenantID string) error {
			return d.Runner.Kick(ctx, tenantID, JobReconcile)
		},
	})
	return p
}

// Systems are those that the pair is between.
func Systems() []tenant.System { return []tenant.System{tenant.Upstock, tenant.Cin7Core} }

// Settings are what a tenant decides of the pair's work, at their defaults.
func (p *Pair) Settings() []tenant.Section {
	orders, goods := sale.DefaultSettings(), catalogue.DefaultSettings()
	return []tenant.Section{&orders, &goods}
}

// Deps are what the pair stands on.
type Deps struct {
	Table   table.Table
	Ledger  *ledger.Ledger
	Orders  *order.Book
	Tenants *tenant.Store
	Vendors *vendor.Vendors
	Mirror  *mirror.Store // of Cin7 Core's reference data
	Times   Times

	// Upstock and Cin7Core return clients for a connection's key. First says
	// that the calls are of the first class: orders and shipments.
	Upstock  func(c tenant.Connection, s tenant.Secrets, first bool) *upstock.Client
	Cin7Core func(c tenant.Connection, s tenant.Secrets, first bool) *cin7core.Client

	// Wake sends a pointer to the orders queue. Runner starts the jobs, and reads failed calls.
	Wake   func(ctx context.Context, p ledger.Pointer, delay time.Duration) error
	Runner *job.Runner

	// OnEnd, if set, hears of every order whose work has ended for now: for metrics and the runner's story.
	OnEnd func(context.Context, *order.Order)

	// Now is the worker's clock: time.Now, but for tests of workers whose clocks differ.
	Now func() time.Time

	Log *slog.Logger // nil = nothing is logged
}

// Times are the protocol's numbers (see docs/architecture.md); the local runner divides them by its speed.
type Times struct {
	job.Times
	HTTP     time.Duration // one call
	Lease    time.Duration
	MinLease time.Duration // no call starts with less of the lease left
	Settle   time.Duration // S: after an intent's deadline plus this, what does not show was not done
	Fresh    time.Duration // a webhook's first pointer is beyond doubt so long after approval
	Watch    []time.Duration
	Grace    time.Duration // the sweep leaves a new order to its own pointer so long
	Mirror   time.Duration // between two looks whether the first mirror is complete
	Resend   time.Duration // the sweep moves a due time on by this
	MaxRetry time.Duration // the longest pause after errors of our own
	GiveUp   time.Duration // errors in a row for so long need a person
	Delivery time.Duration // a marked order is left to its own pointer so long
	Publish  publish.Times // of what Upstock is told of the catalogue
}

// DefaultTimes are the numbers of the design.
func DefaultTimes() Times {
	return Times{
		Times: job.DefaultTimes(),
		HTTP:  20 * time.Second, Lease: 75 * time.Second, MinLease: 25 * time.Second,
		Settle: 2 * time.Minute, Fresh: 10 * time.Minute, Watch: []time.Duration{10 * time.Minute, time.Hour},
		Grace: 90 * time.Second, Mirror: 30 * time.Second, Resend: 6 * time.Minute, MaxRetry: 12 * time.Hour,
		GiveUp: 7 * 24 * time.Hour, Delivery: 30 * time.Second, Publish: publish.DefaultTimes(),
	}
}

// Divided returns the times with every duration divided that is not by a vendor's clock.
func (t Times) Divided(by float64) Times {
	t.Times, t.Watch, t.Publish = t.Times.Divided(by), slices.Clone(t.Watch), t.Publish.Divided(by)
	all := []*time.Duration{&t.HTTP, &t.Lease, &t.MinLease, &t.Settle, &t.Fresh, &t.Grace, &t.Mirror, &t.Resend,
		&t.MaxRetry, &t.GiveUp, &t.Delivery}
	for i := range t.Watch {
		all = append(all, &t.Watch[i])
	}
	for _, d := range all {
		*d = time.Duration(float64(*d) / by)
	}
	return t
}
