package upstockcin7

import (
	"context"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/mirror"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
)

// Pair is the business between Upstock and Cin7 Core.
type Pair struct {
	Deps
	restored *restoreMark
	verdicts *job.Verdicts
}

// New returns the pair.
func New(d Deps) *Pair {
	if d.Now == nil {
		d.Now = time.Now
	}
	return &Pair{Deps: d, restored: new(restoreMark), verdicts: &job.Verdicts{
		Tenants: d.Tenants, Ledger: d.Ledger, Now: d.Now, Soon: d.Times.Soon, Longest: d.Times.MaxVendor,
	}}
}

// Deps are what the pair stands on.
type Deps struct {
	Ledger  *ledger.Ledger
	Tenants *tenant.Store
	Mirror  *mirror.Store // of Cin7 Core's reference data
	Times   Times

	// Upstock and Cin7Core return clients for a connection's key. First says
	// that the calls are of the first class: orders and shipments.
	Upstock  func(c tenant.Connection, s tenant.Secrets, first bool) *upstock.Client
	Cin7Core func(c tenant.Connection, s tenant.Secrets, first bool) *cin7core.Client

	// Trial takes one trial of a key, for an account that the tenant is a stranger to or not: *rest.Wait where no more may be
	// tried for now. Tried counts one that succeeded among the calls of its account. nil: nothing is bounded.
	Trial func(ctx context.Context, tenantID string, sys tenant.System, account string, stranger bool) error
	Tried func(ctx context.Context, c tenant.Connection)

	// Wake sends a pointer to the orders queue; Start sends one tenant's part of a job to the queue of its kind.
	Wake  func(ctx context.Context, p ledger.Pointer, delay time.Duration) error
	Start func(ctx context.Context, j Job, delay time.Duration) error

	// WebhookURL is the address of a system's webhooks whose last part is the token; a tenant pastes Upstock's there.
	WebhookURL func(sys tenant.System, token string) string

	// OnEnd, if set, hears of every order whose work has ended for now: for metrics and the runner's story.
	OnEnd func(*ledger.Run)

	// Now is the worker's clock: time.Now, but for tests of workers whose clocks differ.
	Now func() time.Time
}

// Times are the protocol's numbers (see docs/architecture.md); the local runner divides them by its speed.
type Times struct {
	HTTP               time.Duration // one call
	Lease              time.Duration
	MinLease           time.Duration // no call starts with less of the lease left
	MinInvocation      time.Duration // no call starts with less of the invocation left
	Settle             time.Duration // S: after an intent's deadline plus this, what does not show was not done
	Fresh              time.Duration // a webhook's first pointer is beyond doubt so long after approval
	Watch              []time.Duration
	Grace              time.Duration            // the sweep leaves a new order to its own pointer so long
	Mirror             time.Duration            // between two looks whether the first mirror is complete
	Resend             time.Duration            // the sweep moves a due time on by this
	MinRetry, MaxRetry time.Duration            // backoff of errors
	MaxVendor          time.Duration            // longest wait for a vendor that does not answer
	GiveUp             time.Duration            // errors in a row for so long need a person
	Soon               time.Duration            // a quick second try
	Overlap            time.Duration            // how much of a list is read again, as its order and its delay are not documented
	Delivery           time.Duration            // a marked order is left to its own pointer so long
	Spread             time.Duration            // between two tenants' parts of a job
	Jobs               map[string]time.Duration // see Every
}

// DefaultTimes are the numbers of the design.
func DefaultTimes() Times {
	return Times{
		HTTP: 20 * time.Second, Lease: 75 * time.Second, MinLease: 25 * time.Second, MinInvocation: 22 * time.Second,
		Settle: 2 * time.Minute, Fresh: 10 * time.Minute, Watch: []time.Duration{10 * time.Minute, time.Hour},
		Grace: 90 * time.Second, Mirror: 30 * time.Second, Resend: 6 * time.Minute, MinRetry: 10 * time.Second, MaxRetry: 12 * time.Hour, MaxVendor: 15 * time.Minute,
		GiveUp: 7 * 24 * time.Hour, Soon: 5 * time.Second, Overlap: 5 * time.Minute, Delivery: 30 * time.Second, Spread: 50 * time.Millisecond, Jobs: Every(),
	}
}

// Job is one tenant's part of a job, as a message says it.
type Job struct {
	Job    string    `json:"job"`
	Tenant string    `json:"tenant"`
	At     time.Time `json:"at,omitzero"` // when the schedule sent it: a run that began later has done its work; zero = a person or a webhook wants it
}

// The jobs that have a part for each tenant.
const (
	JobMirror       = "mirror"       // Cin7 Core's reference data into the mirror
	JobShipments    = "shipments"    // what changed at the sales in Cin7 Core
	JobReconcile    = "reconcile"    // approved orders that no webhook brought
	JobWebhooks     = "webhooks"     // whether Cin7 Core's webhooks to us are registered and active
	JobCompleteness = "completeness" // orders, sales and shipments of the last days, compared
	JobBackfill     = "backfill"     // a date range of earlier orders, as a person wants
)

// Every is how often each scheduled job runs for a tenant; the template's
// schedules say the same.
func Every() map[string]time.Duration {
	return map[string]time.Duration{
		JobShipments: 5 * time.Minute, JobReconcile: 10 * time.Minute, JobWebhooks: 30 * time.Minute, JobCompleteness: time.Hour,
	}
}

// Divided returns the times with every duration divided.
func (t Times) Divided(by float64) Times {
	d := func(v time.Duration) time.Duration { return time.Duration(float64(v) / by) }
	watch := make([]time.Duration, len(t.Watch))
	for i, v := range t.Watch {
		watch[i] = d(v)
	}
	jobs := map[string]time.Duration{}
	for name, v := range t.Jobs {
		jobs[name] = d(v)
	}
	return Times{d(t.HTTP), d(t.Lease), d(t.MinLease), d(t.MinInvocation), d(t.Settle), d(t.Fresh), watch, d(t.Grace), d(t.Mirror), d(t.Resend),
		d(t.MinRetry), d(t.MaxRetry), d(t.MaxVendor), d(t.GiveUp), d(t.Soon), t.Overlap, d(t.Delivery), d(t.Spread), jobs}
}
