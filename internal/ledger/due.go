package ledger

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"stockbridge/internal/parallel"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// Work is what kind of work a run's due time is for, in a word of its kind of fact. It stands in the index of
// what is due, so that a sweep can share out an account's calls without reading
// each run.
type Work string

// due is the partition of the index that lists what is due of the kind, work by work.
func (k Kind) due(shard uint32, w Work) string {
	if w == "" {
		return fmt.Sprintf("DUE#%s%d", k.scope(), shard)
	}
	return fmt.Sprintf("DUE#%s%d#%s", k.scope(), shard, w)
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
func (j *Journal[T, P]) DueWork(ctx context.Context, shard int, w Work, now time.Time, yield func([]Ref) bool) error {
	until := now.UTC().Add(time.Millisecond).Format(timeKey)
	p := j.ledger.pages(ctx, table.Query{PK: j.kind.due(uint32(shard), w), Until: until})
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
func (j *Journal[T, P]) Due(ctx context.Context, shard int, now time.Time, yield func(Ref) bool) error {
	until := now.UTC().Add(time.Millisecond).Format(timeKey)
	lists := make([]struct {
		*pages
		head []table.Entry
	}, len(j.kind.Works))
	for i, w := range j.kind.Works {
		lists[i].pages = j.ledger.pages(ctx, table.Query{PK: j.kind.due(uint32(shard), w), Until: until})
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
		if !yield(dueRef(e.Sort, j.kind.Works[oldest])) {
			return nil
		}
	}
}

// Backlog is what of a kind of work is due, of all tenants.
type Backlog struct {
	Work   Work
	Due    int  // as far as they were counted
	More   bool // there are more than that
	Oldest Ref  // zero: nothing is due
}

// Backlogs says what is due of each kind of work. It reads so many entries of each shard of the index at most.
func (j *Journal[T, P]) Backlogs(ctx context.Context, now time.Time, most int) ([]Backlog, error) {
	list := make([]Backlog, len(j.kind.Works))
	type part struct{ at, shard int }
	var parts []part
	for at, w := range j.kind.Works {
		list[at].Work = w
		for shard := range Shards {
			parts = append(parts, part{at, shard})
		}
	}
	until := now.UTC().Add(time.Millisecond).Format(timeKey)
	var mu sync.Mutex
	err := parallel.Each(len(parts), slices.Values(parts), func(one part) error {
		w := j.kind.Works[one.at]
		p, err := j.ledger.table.List(ctx, table.Query{PK: j.kind.due(uint32(one.shard), w), Until: until, Limit: most})
		if err != nil || len(p.Entries) == 0 {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		b, first := &list[one.at], dueRef(p.Entries[0].Sort, w)
		b.Due, b.More = b.Due+len(p.Entries), b.More || p.Next != ""
		if b.Oldest.ID == "" || first.Due.Before(b.Oldest.Due) {
			b.Oldest = first
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("what of %s is due: %w", j.kind.Name, err)
	}
	return list, nil
}

// Parked lists a tenant's runs that wait for a connection to work again, but for
// those that wait for one account (see [Journal.AwaitedRuns]).
func (j *Journal[T, P]) Parked(ctx context.Context, tenantID string, yield func(Ref) bool) error {
	return j.refs(ctx, table.Query{PK: j.kind.parked(tenantID)}, tenantID, yield)
}

// ParkedFor lists a tenant's runs that wait for one system's key; "" lists those
// of which an earlier version did not write down for which.
func (j *Journal[T, P]) ParkedFor(ctx context.Context, tenantID string, sys tenant.System, yield func(Ref) bool) error {
	q := table.Query{PK: j.kind.parked(tenantID), From: string(sys) + "#", Until: string(sys) + "$"}
	if sys == "" { // these begin with their id, which no system's name does
		q.From, q.Until = "", "a"
	}
	return j.refs(ctx, q, tenantID, yield)
}

// refs lists the runs of a part of the index.
func (j *Journal[T, P]) refs(ctx context.Context, q table.Query, tenantID string, yield func(Ref) bool) error {
	for p := j.ledger.pages(ctx, q); ; {
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
func (j *Journal[T, P]) RunsOf(ctx context.Context, refs []Ref) (map[RunKey]P, error) {
	keys := make([]table.Key, len(refs))
	for i, ref := range refs {
		keys[i] = j.kind.key(ref.Tenant, ref.ID)
	}
	all, err := j.runsAt(ctx, keys)
	found := map[RunKey]P{}
	for _, f := range all {
		found[RunKey{f.Core().Tenant, f.Core().ID}] = f
	}
	return found, err
}
