package upstockcin7

import (
	"context"
	"hash/fnv"
	"math/bits"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/parallel"
	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
)

// fanOuts is how many tenants' messages are sent at once.
const fanOuts = 16

// maxDelay is SQS's longest.
const maxDelay = 15 * time.Minute

// FanOut sends one message for each connected tenant whose turn of a job has
// come. Messages are spread, so that neither we nor the vendors meet all
// tenants at the same second; a tenant keeps its place, and so its interval. A
// tenant whose connection needs reconnecting is left out until it is repaired.
//
// Sending twice does no harm: a job whose work was done since it was sent ends
// at once. A tenant's messages are a group of their own in the queue, so that a
// slow one holds nobody up.
func (p *Pair) FanOut(ctx context.Context, job string) error {
	var ids []string
	for shard := range tenant.Shards {
		for after := ""; ; {
			list, next, err := p.Tenants.List(ctx, shard, after)
			if err != nil {
				return err
			}
			for _, t := range list {
				ids = append(ids, t.ID)
			}
			if after = next; next == "" {
				break
			}
		}
	}
	bundles, err := p.Tenants.ConnectionsOf(ctx, ids, tenant.Upstock, tenant.Cin7Core)
	if err != nil {
		return err
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return bundles[id].Ready(tenant.Upstock, tenant.Cin7Core) != "" })
	cursors, err := p.Ledger.Cursors(ctx, ids, job)
	if err != nil {
		return err
	}
	now, spread := p.Now().UTC(), min(time.Duration(len(ids))*p.Times.Spread, p.Times.Jobs[job]*4/5, maxDelay)
	type sending struct {
		id    string
		delay time.Duration
	}
	var due []sending
	for _, id := range ids {
		delay := place(id, spread)
		if cur := cursors[id]; cur == nil || isDue(cur, now.Add(delay), 2*p.Times.Soon) {
			due = append(due, sending{id, delay})
		}
	}
	slices.SortFunc(due, func(a, b sending) int { return int(a.delay - b.delay) })
	return parallel.Each(fanOuts, slices.Values(due), func(s sending) error {
		return p.Start(ctx, Job{Job: job, Tenant: s.id, At: now}, s.delay)
	})
}

// isDue says that a job whose message arrives at an instant has work to do. The
// schedule is the clock; what it delivers twice comes within seconds.
func isDue(c *ledger.Cursor, at time.Time, twice time.Duration) bool {
	return c.Checked.Before(c.Started) || c.Asked.After(c.Started) || at.Sub(c.Started) >= twice
}

// place is a tenant's place in a spread, always the same.
func place(id string, spread time.Duration) time.Duration {
	if spread <= 0 {
		return 0
	}
	h := fnv.New32a()
	h.Write([]byte(strings.ToLower(id)))
	h.Write([]byte("place"))
	of, _ := bits.Mul64(uint64(h.Sum32())<<32, uint64(spread))
	return time.Duration(of)
}

// DeadJob says that a tenant's job was given up: its next schedule starts it anew.
func (p *Pair) DeadJob(ctx context.Context, j Job) error {
	return p.Ledger.RecordSome(ctx, j.Tenant, ledger.Event{Kind: "deadJob", Text: "The job " + prose.Quote(j.Job) + " broke off again and again and was given up for now. Its schedule starts it anew."})
}
