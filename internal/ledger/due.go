package ledger

import (
	"context"
	"fmt"
	"strings"
	"time"

	"stockbridge/internal/tenant"
)

// Work is what kind of work a run's due time is for. It stands in the index of
// what is due, so that a sweep can share out an account's calls without reading
// each run.
type Work string

// The kinds of work.
const (
	WorkSell  Work = "sell"  // to be sold, and nothing has gone wrong yet
	WorkRetry Work = "retry" // to be sold, after a failure or with a create on record
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
		if r.Failures > 0 || r.Dead > 0 {
			return WorkRetry
		}
		for _, i := range r.Intents {
			if i.Step == StepCreate && i.Answer != Refused {
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
	p := l.pages(ctx, dueIndex(uint32(shard), w), now.UTC().Add(time.Millisecond).Format(timeKey))
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
		head []Ref
	}, len(Works()))
	for i, w := range Works() {
		lists[i].pages = l.pages(ctx, dueIndex(uint32(shard), w), until)
	}
	for {
		oldest := -1
		for i, w := range Works() {
			list := &lists[i]
			if len(list.head) == 0 {
				entries, err := list.next()
				if err != nil {
					return err
				}
				for _, e := range entries {
					list.head = append(list.head, dueRef(e.Sort, w))
				}
			}
			if len(list.head) > 0 && (oldest < 0 || list.head[0].Due.Before(lists[oldest].head[0].Due)) {
				oldest = i
			}
		}
		if oldest < 0 {
			return nil
		}
		ref := lists[oldest].head[0]
		lists[oldest].head = lists[oldest].head[1:]
		if !yield(ref) {
			return nil
		}
	}
}
