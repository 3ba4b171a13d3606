package job

import (
	"context"
	"time"

	"stockbridge/internal/limit"
	"stockbridge/internal/tenant"
)

// Kind is one row of a pair's table of jobs.
type Kind struct {
	Name string // in messages, schedules and the API
	Help string // what it does, in a few words

	Needs []tenant.System // all connected, or there is nothing to do
	// Chosen is a kind that only those tenants have who chose it; its schedule is told who they are.
	Chosen bool
	// List is the system whose list the kind reads by its cursor, which is of one account. "" = it has no cursor: it
	// keeps its own place, says itself what holds it up, and comes back by itself.
	List tenant.System

	Every time.Duration // between two schedules; 0 = it starts by hand only
	// Nightly has schedules start a tenant's part in the tenant's own night alone, when its turn has come (see Night).
	// The kind itself sees to it that it is done once a night.
	Nightly bool
	Anew    string // what starts a part anew that was given up, a sentence; "" = its schedule, or nothing but a person
	Queue   Queue
	Class   limit.Class // of its calls
	Sync    bool        // a person may start it by its name

	// Run does one tenant's part. An error of a call goes back as it is: Part.End reads it. It is nil in a pair's
	// table, which every function has: else each would carry all jobs. Who does the job brings it (Work).
	Run func(context.Context, *Part) error
}

// Work is what does jobs, by their names.
type Work map[string]func(context.Context, *Part) error

// NoWork is embedded by a pair that has no jobs in one of the queues: what the pair does not write is nothing.
type NoWork struct{}

func (NoWork) CatalogWork() Work   { return nil }
func (NoWork) ShipmentsWork() Work { return nil }

// Queue names a queue by the function that reads it.
type Queue string

// The queues of jobs.
const (
	Catalog   Queue = "catalog"   // reading reference data, which takes long
	Shipments Queue = "shipments" // what is read often: changes, orders, comparisons
)

// MaxDelay is the longest that a queue holds a message back.
const MaxDelay = 15 * time.Minute

// Message is one tenant's part of a job, as a queue holds it.
type Message struct {
	Job    string `json:"job"`
	Tenant string `json:"tenant"`
	// At is when a schedule sent it: a run that began later has done its work. Zero = a person or a webhook wants it,
	// or it goes on.
	At time.Time `json:"at,omitzero"`
}

// Times are how long things take.
type Times struct {
	MinInvocation time.Duration // no call starts with less of the invocation left
	Soon          time.Duration // a quick second try
	Longest       time.Duration // of all waits
	MinRetry      time.Duration // the least pause after a failure
	Overlap       time.Duration // how much of a list is read again: its order and its delay are not documented
	Spread        time.Duration // between two tenants' parts
}

// DefaultTimes are the times that the documents name.
func DefaultTimes() Times {
	return Times{
		MinInvocation: 22 * time.Second,
		Soon:          5 * time.Second,
		Longest:       15 * time.Minute,
		MinRetry:      10 * time.Second,
		Overlap:       5 * time.Minute,
		Spread:        50 * time.Millisecond,
	}
}

// Divided returns the times with every wait divided; a list's overlap is by its vendor's clock, and stays.
func (t Times) Divided(by float64) Times {
	for _, d := range []*time.Duration{&t.MinInvocation, &t.Soon, &t.Longest, &t.MinRetry, &t.Spread} {
		*d = time.Duration(float64(*d) / by)
	}
	return t
}
