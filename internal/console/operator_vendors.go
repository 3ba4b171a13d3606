package console

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/parallel"
	"stockbridge/internal/tenant"
)

// vendorStates tells from a sample of tenants how each vendor answers: by how the last calls of their jobs ended, as
// their cursors have it.
func (a *api) vendorStates(ctx context.Context) ([]vendorAnswer, error) {
	ids, err := a.Tenants.Some(ctx, sampled)
	if err != nil {
		return nil, err
	}
	kinds := a.telling()
	calls := callsSeen{}
	var mu sync.Mutex
	if err := parallel.Each(atOnce, maps.Values(kinds), func(k job.Kind) error {
		cursors, err := a.Ledger.Cursors(ctx, ids, k.Name)
		mu.Lock()
		defer mu.Unlock()
		for id, c := range cursors {
			calls.see(id, k.List, c)
		}
		return err
	}); err != nil {
		return nil, err
	}
	list, now := []vendorAnswer{}, a.Jobs.Now()
	for _, sys := range a.Vendors.Systems() {
		every := a.Jobs.Interval(kinds[sys])
		list = append(list, calls.of(sys, now.Add(-2*every), now.Add(-2*a.Jobs.Longest)))
	}
	return list, nil
}

// telling are the jobs that tell how the vendors answer: of each vendor the one that reads a list of it most often.
func (a *api) telling() map[tenant.System]job.Kind {
	often := map[tenant.System]job.Kind{}
	for _, k := range a.polled() {
		before, ok := often[k.List]
		if d := a.Jobs.Interval(k); d > 0 && (!ok || d < a.Jobs.Interval(before)) {
			often[k.List] = k
		}
	}
	return often
}

// polled are the jobs that read a vendor's list again and again.
func (a *api) polled() (kinds []job.Kind) {
	for _, k := range a.Jobs.Kinds {
		if k.Every > 0 && k.List != "" {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// polledJobs are their names.
func (a *api) polledJobs() (names []string) {
	for _, k := range a.polled() {
		names = append(names, k.Name)
	}
	return names
}

// callsSeen are the last calls of tenants to vendors, as jobs noted how they ended.
type callsSeen map[callsTo]callSeen

type callsTo struct {
	tenant string
	system tenant.System
}

type callSeen struct {
	at, since time.Time
	how       ledger.Ending // "" = it was answered
}

// see adds what a job's cursor tells.
func (s callsSeen) see(id string, of tenant.System, c *ledger.Cursor) {
	newest := func(to callsTo, seen callSeen) {
		if seen.at.After(s[to].at) {
			s[to] = seen
		}
	}
	newest(callsTo{id, of}, callSeen{at: c.Checked})
	if c.Stopped.How != "" {
		newest(callsTo{id, c.Stopped.By}, callSeen{c.Stopped.At, c.Stopped.Since, c.Stopped.How})
	}
}

// of says how a vendor answers. Answers count since an instant, calls that failed since an earlier one: an account that
// was throttled is left alone for a while.
func (s callsSeen) of(sys tenant.System, answered, failed time.Time) vendorAnswer {
	v := vendorAnswer{System: sys}
	var since time.Time
	for to, seen := range s {
		if to.system != sys || seen.how == "" && seen.at.Before(answered) || seen.at.Before(failed) {
			continue
		}
		switch seen.how {
		case ledger.NoAnswer:
			v.NoAnswer++
		case ledger.Throttled:
			v.Throttled++
		case ledger.KeyRefused:
			v.Refused++
		default:
			v.Answered++
		}
		fails := seen.how == ledger.NoAnswer || seen.how == ledger.Throttled
		if fails && (since.IsZero() || seen.since.Before(since)) {
			since = seen.since
		}
	}
	v.Since = when(since)
	v.say()
	return v
}

// degradedFrom is the share of tenants, one of so many, whose calls fail from which a vendor counts as degraded.
const degradedFrom = 10

// say says what the numbers mean.
func (v *vendorAnswer) say() {
	all := v.Answered + v.NoAnswer + v.Throttled + v.Refused
	called := fmt.Sprintf(" %s that called it lately", count(all, "tenant", "tenants"))
	switch failing := v.NoAnswer + v.Throttled; {
	case all == 0:
		v.State, v.Text = vendorUnknown, "Nobody has called it lately."
	case v.Answered == 0 && v.NoAnswer > 0:
		v.State, v.Text = vendorDown, "It does not answer the"+called+"."
	case failing*degradedFrom >= all && failing > 0:
		v.State, v.Text = vendorDegraded, fmt.Sprintf("Calls of %d of the%s do not get through.", failing, called)
	case v.Answered == all:
		v.State, v.Text = vendorUp, "It answers the"+called+"."
	default:
		v.State, v.Text = vendorUp, fmt.Sprintf("It answers %d of the%s.", v.Answered, called)
	}
	if v.Refused > 0 {
		v.Text += " It refuses the key of " + count(v.Refused, "tenant", "tenants") + "."
	}
}
