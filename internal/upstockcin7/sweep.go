package upstockcin7

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
)

// perSweep is how many calls to one Cin7 Core account a sweep starts: what a
// minute's budget serves.
const perSweep = 60

// CallsOf is about how many calls to Cin7 Core an order needs that a sweep
// wakes: one look at a sold order's sale; else a look for a sale that may be
// there already, and the two that make one.
func CallsOf(r *ledger.Run) int {
	switch {
	case r.LookDue() || !r.Doubt.IsZero() || watchDue(r, time.Now()):
		return 1
	case settled(r):
		return 0 // Upstock is still to be told
	}
	return 3
}

// Pace is the time between two calls to one Cin7 Core account that sweeps start.
func (p *Pair) Pace() time.Duration { return p.Times.Resend / 6 / perSweep }

// sweepers is how many orders a sweep wakes at once.
const sweepers = 8

// Sweep wakes the orders that are due, oldest first, and lets those that were
// parked go on where their connection was repaired. It does not matter what
// became of their messages. It is safe to run twice at once: a due time is
// moved on conditionally, before the pointer is sent.
func (p *Pair) Sweep(ctx context.Context) error {
	var errs error
	oldest := map[string][]ledger.Ref{} // by tenant
	now := p.Now()
	for shard := range ledger.Shards {
		err := p.Ledger.Due(ctx, shard, now, func(ref ledger.Ref) bool {
			if len(oldest[ref.Tenant]) < perSweep {
				oldest[ref.Tenant] = append(oldest[ref.Tenant], ref)
			}
			return ctx.Err() == nil
		})
		errs = errors.Join(errs, err)
	}
	accounts := map[string][][]ledger.Ref{} // by Cin7 Core account: each of its tenants' oldest
	for _, id := range slices.Sorted(maps.Keys(oldest)) {
		refs := oldest[id]
		c, err := p.Tenants.Connection(ctx, id, tenant.Cin7Core)
		if err != nil && !errors.Is(err, tenant.ErrNotFound) {
			errs = errors.Join(errs, err)
		}
		account := cmp.Or(c.Account, id)
		accounts[account] = append(accounts[account], refs)
	}
	// Spread over the minute until the next sweep: a budget spent in its first
	// seconds is not back when that one comes, a few seconds early.
	type waking struct {
		ledger.Ref
		delay time.Duration
	}
	var due []waking
	for _, account := range slices.Sorted(maps.Keys(accounts)) {
		tenants := accounts[account]
		list := inTurn(tenants)
		runs, err := p.runsOf(ctx, list)
		errs = errors.Join(errs, err)
		calls := 0
		for _, ref := range list {
			n := 3 // where the run was not read now: it is read again before it is woken
			if r := runs[ref.Tenant][ref.ID]; r != nil {
				n = CallsOf(r)
			}
			if calls > 0 && calls+n > perSweep {
				break
			}
			due = append(due, waking{ref, time.Duration(calls) * p.Pace()})
			calls += n
		}
	}
	work := make(chan waking)
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range min(sweepers, len(due)) {
		wg.Go(func() {
			for w := range work {
				if err := p.wakeDue(ctx, w.Ref, now, w.delay); err != nil {
					mu.Lock()
					errs = errors.Join(errs, fmt.Errorf("wake order %s: %w", w.ID, err))
					mu.Unlock()
				}
			}
		})
	}
	for _, w := range due {
		work <- w
	}
	close(work)
	wg.Wait()
	return errors.Join(errs, p.resume(ctx)) // last: however many orders were parked, what is due goes first
}

// runsOf reads the runs of refs, by tenant and id.
func (p *Pair) runsOf(ctx context.Context, refs []ledger.Ref) (runs map[string]map[string]*ledger.Run, err error) {
	ids := map[string][]string{}
	for _, ref := range refs {
		ids[ref.Tenant] = append(ids[ref.Tenant], ref.ID)
	}
	runs = map[string]map[string]*ledger.Run{}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		of := ids[id]
		var terr error
		runs[id], terr = p.Ledger.GetRuns(ctx, id, of)
		err = errors.Join(err, terr)
	}
	return runs, err
}

// inTurn takes as many orders as one account may have, one of each tenant
// after the other: tenants who share an account share its budget.
func inTurn(tenants [][]ledger.Ref) []ledger.Ref {
	slices.SortFunc(tenants, func(a, b []ledger.Ref) int { return a[0].Due.Compare(b[0].Due) })
	var list []ledger.Ref
	for i := range perSweep {
		for _, refs := range tenants {
			if i < len(refs) && len(list) < perSweep {
				list = append(list, refs[i])
			}
		}
	}
	return list
}

// errNotDue: the index was behind, or another sweep was first.
var errNotDue = errors.New("not due")

func (p *Pair) wakeDue(ctx context.Context, ref ledger.Ref, now time.Time, delay time.Duration) error {
	r, err := p.Ledger.Get(ctx, ref.Tenant, ref.ID)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	ended := false
	err = p.Ledger.Update(ctx, r, func(r *ledger.Run, _ *ledger.Extra) error {
		if r.Parked || r.Next.IsZero() || r.Next.After(now) {
			return errNotDue
		}
		if ended = r.Finished(); ended { // its worker died at the last step
			r.Next, r.Lease = time.Time{}, ledger.Lease{}
			return nil
		}
		r.Next = now.Add(p.Times.Resend).UTC()
		return nil
	})
	if errors.Is(err, errNotDue) || err == nil && ended {
		return nil
	}
	if err != nil {
		return err
	}
	return p.Wake(ctx, ledger.Pointer{Tenant: ref.Tenant, Order: ref.ID, Origin: OriginSweep}, delay)
}

// perResume is how many parked orders of a connection a sweep makes due.
const perResume = 100

// resume makes parked orders due again, where both connections work.
func (p *Pair) resume(ctx context.Context) error {
	repaired, err := p.Tenants.Resuming(ctx)
	if err != nil {
		return err
	}
	var errs error
	seen := map[string]bool{}
	for _, c := range repaired {
		if seen[c.Tenant] {
			continue
		}
		seen[c.Tenant] = true
		b, err := p.Tenants.Load(ctx, c.Tenant)
		if err != nil {
			errs = errors.Join(errs, err)
			continue
		}
		if b.Connections[tenant.Upstock].State != tenant.Connected || b.Connections[tenant.Cin7Core].State != tenant.Connected {
			continue
		}
		var ids []string
		some := func(ref ledger.Ref) bool {
			ids = append(ids, ref.ID)
			return len(ids) < perResume
		}
		err = p.Ledger.Parked(ctx, c.Tenant, some)
		for _, sys := range []tenant.System{tenant.Upstock, tenant.Cin7Core} { // those that wait for this very account
			if err == nil && len(ids) < perResume {
				err = p.Ledger.AwaitedRuns(ctx, c.Tenant, ledger.Awaited(sys, b.Connections[sys].Account), some)
			}
		}
		errs = errors.Join(errs, err)
		var repaired time.Time
		for _, c := range b.Connections {
			if c.Changed.After(repaired) {
				repaired = c.Changed
			}
		}
		if err == nil && len(ids) == 0 && p.Now().Sub(repaired) > 2*p.Times.Lease { // nobody parks for the old key any more
			errs = errors.Join(errs, p.Tenants.Resumed(ctx, c.Tenant))
		}
		for _, id := range ids {
			errs = errors.Join(errs, p.unpark(ctx, c.Tenant, id))
		}
	}
	return errs
}

func (p *Pair) unpark(ctx context.Context, tenantID, id string) error {
	r, err := p.Ledger.Get(ctx, tenantID, id)
	if err != nil {
		return err
	}
	return p.Ledger.Update(ctx, r, func(r *ledger.Run, _ *ledger.Extra) error {
		if !r.Parked {
			return nil
		}
		r.Parked, r.Next = false, p.Now().UTC()
		r.Note(p.Now(), "The connection works again.")
		return nil
	})
}

// deadLimit is how many dead letters in a row need a person.
const deadLimit = 3

// DeadLetter counts an error on an order whose pointer died, or only says so
// where the order is through: nothing ends in a queue that nobody looks at.
func (p *Pair) DeadLetter(ctx context.Context, ptr ledger.Pointer) error {
	r, err := p.Ledger.Get(ctx, ptr.Tenant, ptr.Order)
	if errors.Is(err, ledger.ErrNotFound) {
		return p.Ledger.Record(ctx, ptr.Tenant, ledger.Event{Kind: "deadLetter", Order: ptr.Order, Text: "A message about an order that is not here was given up."})
	}
	if err != nil {
		return err
	}
	unaffected := false
	err = p.Ledger.Update(ctx, r, func(r *ledger.Run, _ *ledger.Extra) error {
		now := p.Now().UTC()
		unaffected = r.Finished() || r.State == ledger.Attention || r.Parked || !r.SoldAt.IsZero() || r.Lease.Until.After(now) // a worker is at it
		if unaffected {
			return errNotDue
		}
		r.Dead++
		r.Failures++
		if r.Failing.IsZero() {
			r.Failing = now
		}
		r.Note(now, "The work on this order broke off %d times in a row without a result.", r.Dead)
		if r.Dead < deadLimit {
			r.Next = now.Add(p.backoff(r.Failures-1, p.Times.MaxRetry))
			return nil
		}
		r.State, r.Next, r.Why = ledger.Attention, firstWatch(r), ""
		r.Problems = []ledger.Problem{{Code: "brokeOff", Message: "The work on this order broke off again and again without a result.",
			Fix: "Retry. If it breaks off again, ask the operator to look at the function's log."}}
		return nil
	})
	if unaffected {
		return p.Ledger.Record(ctx, ptr.Tenant, ledger.Event{Kind: "deadLetter", Order: ptr.Order, Text: "A message about order " + ptr.Order + " was given up; the order itself is not affected."})
	}
	return err
}
