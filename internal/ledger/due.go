package ledger

import (
	"context"
	"fmt"
	"strings"
	"time"

	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// Work is what kind of work a run's due time is for. It stands in the index of
// what is due, so that a sweep can share out an account's calls without reading
// each run.
type Work string

// The kinds of work.
const (
	WorkSell  Work = "sell"  // to be sold, and nothing has gone wrong yet; a sale that is begun is to be ended as soon
	WorkRetry Work = "retry" // to be sold, after a failure or with a create in doubt
	WorkLook  Work = "look"  // its sale is to be read, voided, or looked for once more
	WorkTell  Work = "tell"  // Upstock is to be told: nothing is asked of the inventory
)

// Works lists the kinds of work; the last, "", is that of entries which an
// earlier version wrote, which do not say it.
func Works() []Work { return []Work{WorkSell, WorkRetry, WorkLook, WorkTell, ""} }

// Work is what the run's due time is for.
func (r *Run) Work() Work {
	switch {
	case r.SoldAt.IsZero() && r.State != Cancelled && r.State != Attention:
		if r.Failures > 0 || r.Dead > 0 || r.Reread || r.CancelOpen() { // Upstock is to be asked first, which new orders do not wait behind
			return WorkRetry
		}
		for _, i := range r.Intents {
			if i.Step == StepCreate && i.Answer != Refused && (r.SaleID == "" || i.SaleID != r.SaleID) {
				return WorkRetry
			}
		}
		return WorkSell
	case r.LookDue() || len(r.Watches) > 0 && !r.Watches[0].After(r.Next):
		return WorkLook
	}
	return WorkTell
}

// dueIndex is the partition of the index that lists work of a kind.
func dueIndex(shard uint32, w Work) string {
	if w == "" {
		return fmt.Sprintf("DUE#%d", shard)
	}
	return fmt.Sprintf("DUE#%d#%s", shard, w)
}

// Ref names a run.
type Ref struct {
	Tenant, ID string
	Due        time.Time
	Work       Work          // of a due run; "" = the index does not say
	Needs      tenant.System // of a parked run: whose key it waits for; "" = the index does not say
}

func dueRef(sort string, w Work) Ref {
	at, rest, _ := strings.Cut(sort, "#")
	tenantID, id, _ := strings.Cut(rest, "#")
	due, _ := time.Parse(timeKey, at)
	return Ref{Tenant: tenantID, ID: id, Due: due, Work: w}
}

// Shards is how many shards Due has.
const Shards = dueShards

// DueWork lists the runs of one shard whose Next has passed and is for one kind
// of work, oldest first, a page at a time, until the loop ends. The index may
// lag: read the run before acting.
func (l *Ledger) DueWork(ctx context.Context, shard int, w Work, now time.Time, yield func([]Ref) bool) error {
	p := l.pages(ctx, table.Query{PK: dueIndex(uint32(shard), w), Until: now.UTC().Add(time.Millisecond).Format(timeKey)})
	for {
		entries, err := p.next()
		if len(entries) == 0 || err != nil {
			return err
		}
		refs := make([]Ref, len(entries))
		for i, e := range entries {
			refs[i] = dueRef(e.Sort, w)
		}
		if !yield(refs) {
			return nil
		}
	}
}

// Due lists the runs of one shard whose Next has passed, oldest first, whatever
// the work is, until the loop ends. The index may lag: read the run before acting.
func (l *Ledger) Due(ctx context.Context, shard int, now time.Time, yield func(Ref) bool) error {
	until := now.UTC().Add(time.Millisecond).Format(timeKey)
	lists := make([]struct {
		*pages
		head []table.Entry
	}, len(Works()))
	for i, w := range Works() {
		lists[i].pages = l.pages(ctx, table.Query{PK: dueIndex(uint32(shard), w), Until: until})
	}
	for {
		oldest := -1
		for i := range lists {
			list := &lists[i]
			if len(list.head) == 0 {
				var err error
				if list.head, err = list.next(); err != nil {
					return err
				}
			}
			if len(list.head) > 0 && (oldest < 0 || list.head[0].Sort < lists[oldest].head[0].Sort) {
				oldest = i
			}
		}
		if oldest < 0 {
			return nil
		}
		e := lists[oldest].head[0]
		lists[oldest].head = lists[oldest].head[1:]
		if !yield(dueRef(e.Sort, Works()[oldest])) {
			return nil
		}
	}
}

// Parked lists a tenant's runs that wait for a connection to work again, but for
// those that wait for one account (see [Ledger.AwaitedRuns]).
func (l *Ledger) Parked(ctx context.Context, tenantID string, yield func(Ref) bool) error {
	return l.parked(ctx, table.Query{PK: "PARKED#" + tenantID}, tenantID, yield)
}

// ParkedFor lists a tenant's runs that wait for one system's key; "" lists those
// of which an earlier version did not write down for which.
func (l *Ledger) ParkedFor(ctx context.Context, tenantID string, sys tenant.System, yield func(Ref) bool) error {
	q := table.Query{PK: "PARKED#" + tenantID, From: string(sys) + "#", Until: string(sys) + "$"}
	if sys == "" { // these begin with their id, which no system's name does
		q.From, q.Until = "", "a"
	}
	return l.parked(ctx, q, tenantID, yield)
}

func (l *Ledger) parked(ctx context.Context, q table.Query, tenantID string, yield func(Ref) bool) error {
	for p := l.pages(ctx, q); ; {
		entries, err := p.next()
		if len(entries) == 0 || err != nil {
			return err
		}
		for _, e := range entries {
			needs, _, said := strings.Cut(e.Sort, "#")
			if !said {
				needs = ""
			}
			if !yield(Ref{Tenant: tenantID, ID: trimID(e.SK), Needs: tenant.System(needs)}) {
				return nil
			}
		}
	}
}

// Park has the run wait for a system's key, however long.
func (r *Run) Park(sys tenant.System, now time.Time, why string) {
	r.Parked, r.Needs, r.ParkedAt, r.Next, r.Why = true, sys, now.UTC(), time.Time{}, why
}

// GoOn ends a park, if there is one. It was no failure: the time since the row
// of failures began does not count the time that it took.
func (r *Run) GoOn(now time.Time) {
	if !r.Parked {
		return
	}
	if !r.Failing.IsZero() {
		parked := now.Sub(r.ParkedAt)
		if r.ParkedAt.IsZero() { // by an earlier version, nobody knows when
			parked = now.Sub(r.Failing)
		}
		r.Failing, r.Failed = r.Failing.Add(max(0, parked)).UTC(), now.UTC()
	}
	r.Parked, r.Needs, r.ParkedAt, r.Awaits = false, "", time.Time{}, ""
}

// RunKey names a run among all tenants'.
type RunKey struct{ Tenant, ID string }

// RunsOf reads runs of many tenants at once: those that are not there are left out.
func (l *Ledger) RunsOf(ctx context.Context, refs []Ref) (map[RunKey]*Run, error) {
	found := map[RunKey]*Run{}
	asked := map[table.Key]bool{}
	var keys []table.Key
	for _, ref := range refs {
		if k := runKey(ref.Tenant, ref.ID); !asked[k] {
			asked[k] = true
			keys = append(keys, k)
		}
	}
	err := l.eachRun(ctx, keys, func(r *Run, _ table.Item) { found[RunKey{r.Tenant, r.ID}] = r })
	return found, err
}
