package joorcin7

import (
	"log/slog"
	"time"

	"stockbridge/internal/cin7omni"
	"stockbridge/internal/job"
	"stockbridge/internal/joor"
	"stockbridge/internal/joorcin7/customer"
	"stockbridge/internal/joorcin7/list"
	"stockbridge/internal/ledger"
	"stockbridge/internal/mirror"
	"stockbridge/internal/publish"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/vendor"
)

// Pair is the business between Cin7 Omni and JOOR.
type Pair struct {
	Deps
	vendor.Quiet // neither system delivers anything
	job.NoWork   // but for that of its own queue

	table     table.Table
	publisher *publish.Publisher
	customers *list.Book[list.Customer]
	matches   *list.Book[matchRow]
}

// New returns the pair.
func New(d Deps) *Pair {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Pair{Deps: d, table: table.Repeating(d.Table), publisher: publish.New(d.Table, d.Ledger, d.Times.Publish),
		customers: list.NewBook(d.Table, list.CustomerKind()), matches: list.NewBook(d.Table, matchKind())}
}

// Deps are what the pair stands on.
type Deps struct {
	Table   table.Table
	Ledger  *ledger.Ledger
	Tenants *tenant.Store
	Vendors *vendor.Vendors
	Mirror  *mirror.Store // of Cin7 Omni's contacts
	Runner  *job.Runner
	Times   Times

	// Omni and JOOR return clients for a connection's key. First says that the calls are of the first class.
	Omni func(c tenant.Connection, s tenant.Secrets, first bool) *cin7omni.Client
	JOOR func(c tenant.Connection, s tenant.Secrets, first bool) *joor.Client

	Now func() time.Time
	Log *slog.Logger // nil = nothing is logged
}

// Times are how long things take; the local runner divides them by its speed.
type Times struct {
	job.Times
	Publish publish.Times // of what JOOR is told
	Ask     time.Duration // between two questions about a connection in review
	Day     time.Duration // of those by which JOOR says how long its review takes
	Lost    time.Duration // after which a bulk job that has not finished is not awaited any more
	Whole   time.Duration // between two readings of all contacts
	Reread  time.Duration // between two readings of JOOR's connections
}

// DefaultTimes are the times at full speed.
func DefaultTimes() Times {
	return Times{Times: job.DefaultTimes(), Publish: publish.DefaultTimes(), Ask: 4 * time.Hour,
		Day: 24 * time.Hour, Lost: 24 * time.Hour, Whole: 7 * 24 * time.Hour, Reread: 24 * time.Hour}
}

// Divided returns the times, each divided.
func (t Times) Divided(by float64) Times {
	t.Times, t.Publish = t.Times.Divided(by), t.Publish.Divided(by)
	for _, d := range []*time.Duration{&t.Ask, &t.Day, &t.Lost, &t.Whole, &t.Reread} {
		*d = time.Duration(float64(*d) / by)
	}
	return t
}

// Systems are those that the pair is between.
func Systems() []tenant.System { return []tenant.System{tenant.Cin7Omni, tenant.JOOR} }

// Settings are what a tenant decides of the pair's work, at their defaults.
func (p *Pair) Settings() []tenant.Section { return []tenant.Section{new(customer.Settings)} }

// accountOf is whose customers they are: nothing that is known of another company's counts.
func accountOf(b tenant.Bundle) string {
	return b.Connections[tenant.JOOR].Account + "/" + b.Connections[tenant.Cin7Omni].Account
}
