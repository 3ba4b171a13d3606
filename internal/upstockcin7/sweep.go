package upstockcin7

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/limit"
	"stockbridge/internal/parallel"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/order"
)

// perSweep is how many calls to one Cin7 Core account a sweep starts, and
// tellsPerSweep how many orders it wakes for one tenant that cost none: what a
// minute's budgets serve.
const (
	perSweep      = 60
	tellsPerSweep = 240
)

// overdue is how long a reading waits before a part of the budget is kept for it.
const overdue = 2 * time.Minute

// callsOf is about how many calls to Cin7 Core a kind of work needs: a look for
// a sale that may be there already, and the two that make one; one reading of a
// sold order's sale; none where Upstock is to be told.
func callsOf(w ledger.Work) int {
	switch w {
	case order.WorkRead:
		return 1
	case order.WorkTell:
		return 0
	}
	return 3
}

// CallsOf is about how many calls to Cin7 Core an order needs that a sweep wakes.
func CallsOf(r *order.Order) int { return callsOf(r.Work()) }

// shareOf is the share of the account's calls that an order's work stands for,
// where it has been due since an instant, as far as is known.
func (p *Pair) shareOf(r *order.Order, due time.Time) limit.Share {
	if due.IsZero() || !r.Owed.IsZero() && r.Owed.Before(due) {
		due = r.Owed
	}
	switch now := p.Now(); {
	case !settled(r) && r.Work() == order.WorkRetry:
		return limit.Retries
	case !settled(r):
		return limit.Sales
	case !due.IsZero() && now.Sub(due) > overdue:
		return limit.Readings
	}
	return limit.Rest
}

// Pace is the time between two calls to one Cin7 Core account that sweeps start.
func (p *Pair) Pace() time.Duration { return p.Times.Resend / 6 / perSweep }

// How many requests to the table a sweep has under way at once, and how many
// orders it wakes at once.
const (
	readers  = 16
	sweepers = 48
)

// Sweep wakes the orders that are due, oldest first, and lets those that were
// parked go on where their connection was repaired. It does not matter what
// became of their messages. It is safe to run twice at once: a due time is
// moved on conditionally, before the pointer is sent.
//
// What is due is read page by page, of all kinds of work at once, and woken
// meanwhile: each page at least in part, and what is left of an account's calls
// goes at the end to what found no room, in turn to the tenants who share it.
// So a sweep that is cut off has woken what it read; reading ends in time for it. The log says for how long the oldest
// has been due: minutes, where nothing is wrong.
func (p *Pair) Sweep(ctx context.Context) error {
	s := &sweep{Pair: p, ctx: ctx, now: p.Now(), accounts: map[string]*allotment{}, account: map[string]string{},
		listed: map[ledger.RunKey]bool{}, work: make(chan waking, 10*sweepers), turn: make(chan struct{}, 1)}
	var wakers sync.WaitGroup
	wakers.Go(func() {
		_ = parallel.Each(sweepers, received(s.work), func(w waking) error {
			if ctx.Err() == nil {
				s.failed(s.wake(w))
			}
			return nil
		})
	})
	s.read()
	for _, account := range slices.Sorted(maps.Keys(s.accounts)) {
		s.send(s.accounts[account].rest(s.now))
	}
	s.failed(s.resume()) // last: however many orders were parked, what is due goes first
	close(s.work)
	wakers.Wait()
	p.Log.InfoContext(ctx, "swept", "OldestDue", s.oldest.Round(time.Second).Seconds(), "metric", "OldestDue")
	return errors.Join(s.errs, ctx.Err())
}

// received are the values sent to a channel, until it is closed.
func received[T any](c <-chan T) iter.Seq[T] {
	return func(yield func(T) bool) {
		for v := range c {
			if !yield(v) {
				return
			}
		}
	}
}

// sweep is one sweep under way.
type sweep struct {
	*Pair
	ctx  context.Context
	now  time.Time
	work chan waking   // to be woken
	turn chan struct{} // whoever finds out about accounts puts one in: no mutex is held across a call

	mu       sync.Mutex // guards what follows
	accounts map[string]*allotment
	account  map[string]string      // by tenant: whose allotment it shares
	listed   map[ledger.RunKey]bool // what is due, as far as it was read
	oldest   time.Duration          // for how long something was due
	errs     error
	many     int // errors
}

// waking is an order to be woken, its pointer to arrive after a delay.
type waking struct {
	ledger.Ref
	run    *order.Order
	delay  time.Duration
	parked bool // and to go on; with a delay below 0 it is only made due
}

// maxErrors is how many errors a sweep reports.
const maxErrors = 20

func (s *sweep) failed(err error) {
	if err == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.many++; s.many <= maxErrors {
		s.errs = errors.Join(s.errs, err)
	}
}

// read reads what is due, and wakes of each page what is sure to have room.
func (s *sweep) read() {
	ctx := s.ctx
	if end, ok := ctx.Deadline(); ok { // what was read is still to be woken
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, s.now.Add(end.Sub(s.now)/2))
		defer cancel()
	}
	type list struct {
		shard int
		work  ledger.Work
	}
	var lists []list
	for shard := range ledger.Shards {
		for _, work := range order.Works() {
			lists = append(lists, list{shard, work})
		}
	}
	_ = parallel.Each(len(lists), slices.Values(lists), func(l list) error {
		s.failed(s.Orders.DueWork(ctx, l.shard, l.work, s.now, func(refs []ledger.Ref) bool {
			s.failed(s.page(refs))
			return ctx.Err() == nil
		}))
		return nil
	})
}

// page takes one page of what is due.
func (s *sweep) page(refs []ledger.Ref) error {
	refs, err := s.known(refs)
	s.failed(s.learn(refs))
	s.mu.Lock()
	var now []granted
	for _, ref := range refs {
		k := ledger.RunKey{Tenant: ref.Tenant, ID: ref.ID}
		if s.listed[k] { // in two places: the index is behind
			continue
		}
		s.listed[k] = true
		s.oldest = max(s.oldest, s.now.Sub(ref.Due))
		if g, ok := s.allotment(ref.Tenant).take(ref, s.now); ok {
			now = append(now, g)
		}
	}
	s.mu.Unlock()
	s.send(now)
	return err
}

// known finds out what the work is of entries that an earlier version wrote.
func (s *sweep) known(refs []ledger.Ref) ([]ledger.Ref, error) {
	if len(refs) == 0 || refs[0].Work != "" {
		return refs, nil
	}
	runs, err := s.runs(refs)
	list := refs[:0]
	for _, ref := range refs {
		if r := runs[ledger.RunKey{Tenant: ref.Tenant, ID: ref.ID}]; r != nil {
			ref.Work = r.Work()
			list = append(list, ref)
		}
	}
	return list, err
}

// runs reads runs, several batches at once.
func (s *sweep) runs(refs []ledger.Ref) (map[ledger.RunKey]*order.Order, error) {
	all := map[ledger.RunKey]*order.Order{}
	var mu sync.Mutex
	err := inBatches(refs, func(some []ledger.Ref) error {
		found, err := s.Orders.RunsOf(s.ctx, some)
		mu.Lock()
		defer mu.Unlock()
		for k, r := range found {
			all[k] = r
		}
		return err
	})
	return all, err
}

// learn finds out which accounts the tenants of refs use.
func (s *sweep) learn(refs []ledger.Ref) error {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	s.mu.Lock()
	var ids []string
	for _, ref := range refs {
		if _, known := s.account[ref.Tenant]; !known {
			s.account[ref.Tenant] = ref.Tenant // where it cannot be found out, or there is none
			ids = append(ids, ref.Tenant)
		}
	}
	s.mu.Unlock()
	return inBatches(ids, func(some []string) error {
		conns, err := s.Tenants.Connections(s.ctx, some, tenant.Cin7Core)
		s.mu.Lock()
		defer s.mu.Unlock()
		for id, c := range conns {
			s.account[id] = cmp.Or(c.Account, id)
		}
		return err
	})
}

// inBatches does something for a hundred at a time, some of them at once.
func inBatches[T any](list []T, do func([]T) error) error {
	return parallel.Each(readers, slices.Chunk(list, 100), do)
}

// allotment is a tenant's account's; s.mu is held.
func (s *sweep) allotment(tenantID string) *allotment {
	account := s.account[tenantID]
	a := s.accounts[account]
	if a == nil {
		a = newAllotment()
		s.accounts[account] = a
	}
	return a
}

// send reads the runs of what is to be woken, and hands them to the wakers.
func (s *sweep) send(list []granted) {
	s.failed(inBatches(list, func(some []granted) error {
		refs := make([]ledger.Ref, len(some))
		for i, g := range some {
			refs[i] = g.Ref
		}
		runs, err := s.Orders.RunsOf(s.ctx, refs)
		for _, g := range some {
			if r := runs[ledger.RunKey{Tenant: g.Tenant, ID: g.ID}]; r != nil {
				s.work <- waking{Ref: g.Ref, run: r, delay: s.delay(g)}
			}
		}
		return err
	}))
}

// delay spreads an account's calls over the minute until the next sweep: a
// budget spent in its first seconds is not back when that one comes, a few
// seconds early.
func (s *sweep) delay(g granted) time.Duration {
	if g.Work == order.WorkTell {
		return time.Duration(g.before) * s.Pace() * perSweep / tellsPerSweep
	}
	return time.Duration(g.before) * s.Pace()
}

// WakeDue wakes a tenant's orders whose time has come, at most so many, as a
// sweep does: one whose pointer is under way already is left alone.
func (p *Pair) WakeDue(ctx context.Context, tenantID string, most int) (woken int, err error) {
	s := &sweep{Pair: p, ctx: ctx, now: p.Now()}
	due, err := p.Orders.DueOf(ctx, tenantID, s.now, most)
	if err != nil {
		return 0, err
	}
	for some := range slices.Chunk(due.First, 100) {
		runs, err := p.Orders.RunsOf(ctx, some)
		if err != nil {
			return woken, err
		}
		for _, ref := range some {
			r := runs[ledger.RunKey{Tenant: ref.Tenant, ID: ref.ID}]
			if r == nil || r.Next.IsZero() || r.Next.After(s.now) {
				continue
			}
			if err := s.wake(waking{Ref: ref, run: r}); err != nil {
				return woken, err
			}
			woken++
		}
	}
	return woken, nil
}

// errNotDue: the index was behind, or another sweep was first.
var errNotDue = errors.New("not due")

// wake moves an order's due time on, and sends its pointer.
func (s *sweep) wake(w waking) error {
	ended := false
	err := s.Orders.Update(s.ctx, w.run, func(r *order.Order, _ *ledger.Extra) error {
		switch {
		case w.parked && !r.Parked:
			return errNotDue
		case w.parked:
			why := "The connection works again."
			if r.HeldBack() != "" {
				why = "The pause is over."
			}
			r.GoOn(s.now)
			reask(r, s.now)
			r.Note(s.now, "%s", why)
		case r.Parked || r.Next.IsZero() || r.Next.After(s.now):
			return errNotDue
		}
		if ended = r.Finished() && !w.parked; ended { // its worker died at the last step
			r.Next, r.Lease = time.Time{}, ledger.Lease{}
			return nil
		}
		r.Next = s.now.Add(max(0, w.delay) + s.Times.Resend).UTC()
		if w.delay < 0 { // it is due: the next sweeps find room for it
			r.Next = s.now.UTC()
		}
		return nil
	})
	if errors.Is(err, errNotDue) || errors.Is(err, ledger.ErrNotFound) || err == nil && (ended || w.delay < 0) {
		return nil
	}
	if err == nil {
		err = s.Wake(s.ctx, ledger.Pointer{Tenant: w.Tenant, ID: w.ID, Origin: ledger.OriginSweep, Due: w.Due}, w.delay)
	}
	if err != nil {
		return fmt.Errorf("wake order %s: %w", w.ID, err)
	}
	return nil
}

// perResume is how many parked orders of a connection a sweep lets go on.
const perResume = 100

// resume lets orders go on that were parked for a connection which works again.
// It is over when a sweep finds none two leases after the change: by then nobody
// works with the old key any more, and with a new one nobody parks.
func (s *sweep) resume() error {
	repaired, err := s.Tenants.Resuming(s.ctx)
	if err != nil {
		return err
	}
	of := map[string][]tenant.Connection{} // by tenant
	for _, c := range repaired {
		of[c.Tenant] = append(of[c.Tenant], c)
	}
	all, err := s.resuming(slices.Sorted(maps.Keys(of)))
	_ = parallel.Each(readers, slices.Values(all), func(r resuming) error {
		conns := of[r.tenant]
		for i, c := range conns { // one after the other: both may find the same orders
			pauses := i == len(conns)-1 // once a tenant is enough
			s.failed(s.resumeConnection(c, r.both, pauses))
		}
		return nil
	})
	return err
}

// resuming is a tenant whose parked orders go on.
type resuming struct {
	tenant string
	both   bool // of its connections work
}

// resuming reads how the connections of tenants are, and notes which accounts of Cin7 Core they use.
func (s *sweep) resuming(tenants []string) (all []resuming, err error) {
	err = inBatches(tenants, func(ids []string) error {
		bundles, err := s.Tenants.ConnectionsOf(s.ctx, ids, tenant.Upstock, tenant.Cin7Core)
		if err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, id := range ids {
			if c, ok := bundles[id].Connections[tenant.Cin7Core]; ok {
				s.account[id] = cmp.Or(c.Account, id)
			}
			all = append(all, resuming{id, bundles[id].Ready(tenant.Upstock, tenant.Cin7Core) == ""})
		}
		return nil
	})
	return all, err
}

// resumeConnection lets what was parked for one connection go on. With both, as
// the tenant's other one works as well, what an earlier version parked goes on too,
// which did not say for which. With pauses, what a pause held back that is over.
func (s *sweep) resumeConnection(c tenant.Connection, both, pauses bool) error {
	if c.State != tenant.Connected { // its repair lists it anew
		return s.Tenants.Resumed(s.ctx, c)
	}
	var refs []ledger.Ref
	add := func(ref ledger.Ref) bool {
		refs = append(refs, ref)
		return len(refs) < perResume
	}
	err := s.Orders.ParkedFor(s.ctx, c.Tenant, c.System, add)
	if both && err == nil && len(refs) < perResume {
		err = s.Orders.ParkedFor(s.ctx, c.Tenant, "", add)
	}
	if err == nil && len(refs) < perResume { // those that wait for this very account
		err = s.Orders.AwaitedRuns(s.ctx, c.Tenant, ledger.Awaited(c.System, c.Account), add)
	}
	if err == nil && pauses {
		refs, err = s.pausesOver(c.Tenant, refs)
	}
	if err != nil {
		return err
	}
	if len(refs) == 0 {
		since := job.Latest(c.Changed, c.Resume)
		if since.After(s.now.Add(time.Hour)) { // an earlier version wrote here until when it is listed
			since = c.Changed
		}
		if s.now.Sub(since) > 2*s.Times.Lease {
			return s.Tenants.Resumed(s.ctx, c)
		}
		return nil
	}
	runs, err := s.Orders.RunsOf(s.ctx, refs)
	for _, ref := range refs {
		r := runs[ledger.RunKey{Tenant: ref.Tenant, ID: ref.ID}]
		if r == nil || !r.Parked {
			continue
		}
		ref.Due, ref.Work = s.now, r.Work()
		s.mu.Lock()
		g, ok := s.allotment(ref.Tenant).last(ref)
		s.mu.Unlock()
		w := waking{Ref: ref, run: r, parked: true, delay: -1}
		if ok {
			w.delay = s.delay(g)
		}
		s.work <- w
	}
	return err
}

// pausesOver adds the orders of flows that are paused no more, up to perResume of all.
func (s *sweep) pausesOver(tenantID string, refs []ledger.Ref) ([]ledger.Ref, error) {
	for _, f := range order.Flows() {
		if len(refs) >= perResume {
			break
		}
		held, err := s.held(s.ctx, tenantID, f, perResume-len(refs))
		if err != nil {
			return refs, err
		}
		if len(held) == 0 {
			continue
		}
		paused, _, err := s.Tenants.Paused(s.ctx, tenantID, string(f))
		if err != nil {
			return refs, err
		}
		if !paused {
			refs = append(refs, held...)
		}
	}
	return refs, nil
}

// resumeForgotten lists a tenant's connections as repaired where orders are
// parked although both work: nothing else would let them go on.
func (p *Pair) resumeForgotten(ctx context.Context, b tenant.Bundle) error {
	up, core := b.Connections[tenant.Upstock], b.Connections[tenant.Cin7Core]
	if b.Ready(tenant.Upstock, tenant.Cin7Core) != "" || !up.Resume.IsZero() || !core.Resume.IsZero() {
		return nil
	}
	some := false
	err := p.Orders.Parked(ctx, b.Tenant.ID, func(ledger.Ref) bool { some = true; return false })
	if err != nil || !some {
		return err
	}
	return errors.Join(p.Tenants.Resume(ctx, b.Tenant.ID, tenant.Upstock),
		p.Tenants.Resume(ctx, b.Tenant.ID, tenant.Cin7Core))
}

// deadLimit is how many dead letters in a row need a person.
const deadLimit = 3

// DeadLetter counts an error on an order whose pointer died, or only says so
// where the order is through: nothing ends in a queue that nobody looks at.
func (p *Pair) DeadLetter(ctx context.Context, ptr ledger.Pointer) error {
	r, err := p.Orders.Get(ctx, ptr.Tenant, ptr.ID)
	if errors.Is(err, ledger.ErrNotFound) {
		return p.Ledger.Record(ctx, ptr.Tenant,
			ledger.Event{Kind: ledger.DeadOrder, Order: ptr.ID,
				Text: "A message about an order that is not here was given up."})
	}
	if err != nil {
		return err
	}
	unaffected := false
	err = p.Orders.Update(ctx, r, func(r *order.Order, x *ledger.Extra) error {
		now := p.Now().UTC()
		unaffected = r.Finished() || r.State == ledger.Attention || r.Parked || !r.SoldAt.IsZero() ||
			r.Lease.Until.After(now) // a worker is at it
		if unaffected {
			return errNotDue
		}
		r.Dead++
		told, err := ledger.RecordOp(ctx, ptr.Tenant, ledger.Event{Kind: ledger.DeadOrder, Order: ptr.ID,
			Text: fmt.Sprintf("The work on order %s broke off without a result, %d in a row.", ptr.ID, r.Dead)})
		if err != nil {
			return err
		}
		x.Add(told)
		p.Times.failed(r, now)
		r.Note(now, "The work on this order broke off %d times in a row without a result.", r.Dead)
		if r.Dead < deadLimit {
			r.Next = now.Add(job.Backoff(r.Failures-1, p.Times.MinRetry, p.Times.MaxRetry))
			return nil
		}
		r.State, r.Next, r.Why = ledger.Attention, r.NextWatch(), ""
		r.Problems = []ledger.Problem{{Code: "brokeOff",
			Message: "The work on this order broke off again and again without a result.",
			Fix:     "Retry. If it breaks off again, ask the operator to look at the function's log."}}
		return nil
	})
	if unaffected {
		return p.Ledger.Record(ctx, ptr.Tenant,
			ledger.Event{Kind: ledger.DeadOrder, Order: ptr.ID,
				Text: "A message about order " + ptr.ID + " was given up; the order itself is not affected."})
	}
	return err
}
