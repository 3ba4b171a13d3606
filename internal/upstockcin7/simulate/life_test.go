package simulate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/app"
	"stockbridge/internal/ledger"
)

// live lets the whole life of a seed happen: hours in which people trade and
// everything goes wrong, then calm, until nothing is left to do.
func (w *world) live() (verdict string) {
	end := w.begin.Add(time.Duration(w.profile.hours) * time.Hour)
	w.people(end)
	w.schedules(end)
	w.stage.run(end, nil)
	w.tell("calm")
	w.calm, w.spells, w.store.lag = true, nil, nil
	w.lived = w.effects
	if !w.settle() {
		return "it does not come to rest: " + w.unrest()
	}
	w.heard()   // the comparison would heal it
	w.compare() // which heals what was lost with a restored table
	w.compare()
	return w.verdict()
}

// compare has every tenant's books compared.
func (w *world) compare() {
	for _, s := range w.shops {
		w.console(func(ctx context.Context, p *process) error {
			return p.app.Pair.Completeness.Start(ctx, s.tenant, time.Time{}, time.Time{})
		})
	}
	for range 12 {
		for range 5 {
			w.minute()
		}
		running := false
		for _, s := range w.shops {
			c, err := w.reader().Completeness.Last(context.Background(), s.tenant, time.Time{}, time.Time{})
			running = running || err != nil || c.Running
		}
		if !running {
			return
		}
	}
}

// people plans what people do and when.
func (w *world) people(end time.Time) {
	span := end.Sub(w.begin) - time.Hour
	bursts := 1 + w.stage.rng.IntN(3)
	w.leaves = w.begin.Add(w.between(time.Hour, span))
	var at []time.Duration
	for range bursts {
		at = append(at, w.between(time.Minute, span))
	}
	for i := range w.profile.orders {
		s := w.shops[i%len(w.shops)]
		when := at[i%bursts] + w.between(0, 20*time.Minute)
		w.stage.at(when, func() {
			if s.away && s.account.Upstock.Supplier == w.spare.Upstock.Supplier {
				return
			}
			o := w.place(s)
			w.approve(o)
			w.fulfil(o, end)
			w.fate(o)
		})
	}
	for _, s := range w.shops {
		w.mischief(s, end)
	}
	if w.chance(w.profile.flows.early) {
		w.stage.at(w.between(time.Minute, span), func() { w.backfill(w.shops[0]) })
	}
	if w.chance(w.profile.flows.restore) {
		w.stage.at(at[0]+w.between(0, 30*time.Minute), w.restore)
	}
	for range w.profile.spells {
		w.stage.at(at[w.stage.rng.IntN(bursts)]+w.between(0, 20*time.Minute), w.bad)
	}
}

// fulfil plans what the warehouse does with an order.
func (w *world) fulfil(o *order, end time.Time) {
	if w.chance(48) {
		return
	}
	first := w.between(2*time.Minute, 90*time.Minute)
	if left := time.Until(w.leaves); w.chance(128) && left > 0 { // the truck of the day
		first = left + w.between(0, 8*time.Minute)
	}
	w.stage.at(first, func() { w.ship(o) })
	if w.chance(128) {
		w.stage.at(first+w.between(time.Minute, time.Hour), func() { w.track(o) })
	}
	w.stage.at(first+w.between(2*time.Minute, 2*time.Hour), func() { w.ship(o) })
	if w.chance(128) {
		w.stage.at(first+w.between(time.Minute, 3*time.Hour), func() { w.track(o) })
	}
}

// fate plans what else befalls an order.
func (w *world) fate(o *order) {
	f := w.profile.flows
	soon := func() time.Duration {
		if w.chance(128) {
			return w.between(time.Millisecond, 10*time.Second)
		}
		return w.between(time.Second, 3*time.Hour)
	}
	if w.chance(f.cancel) {
		w.stage.at(soon(), func() {
			revived := w.chance(f.revive)
			if revived && w.chance(128) { // and that comes later than the news of its approval
				w.spells = append(w.spells,
					spell{until: time.Now().Add(w.between(time.Minute, 90*time.Minute)), class: hookIn,
						match: cancelled, fault: failed, often: 256})
			}
			w.doubtVoids()
			w.cancel(o)
			if revived {
				w.stage.at(w.between(2*time.Second, 30*time.Minute), func() { w.revive(o) })
			}
		})
	}
	if w.chance(f.edit) {
		w.stage.at(soon(), func() { w.edit(o) })
	}
	for range 2 {
		if w.chance(f.handle) {
			w.stage.at(w.between(time.Second, 3*time.Hour), func() { w.handle(o) })
		}
	}
	for range 3 {
		if w.chance(f.retry) {
			w.stage.at(soon(), func() { w.tend(o) })
		}
	}
}

// untimely has people act on an order just while a call about it goes wrong.
func (w *world) untimely(o *order, what fault) {
	if o == nil || !w.chance(110) && (o.shipped == 0 || what != late) {
		return
	}
	f := w.profile.flows
	if what == stalls && o.shipped == 0 && w.chance(2*f.cancel) { // who goes on then must see it
		w.stage.at(w.between(time.Second, time.Minute), func() {
			w.cancel(o)
			if w.chance(2 * f.revive) {
				w.stage.at(w.between(time.Minute, 6*time.Minute), func() { w.revive(o) })
			}
		})
		return
	}
	// all that can happen to an order while its worker sleeps
	if what == pauses && f.edit+f.retry > 0 && len(o.edits) == 0 {
		w.stage.at(w.between(4*time.Minute, 8*time.Minute), func() {
			w.change(o, "void")
			for _, after := range []time.Duration{time.Minute, 3 * time.Minute, 6 * time.Minute} {
				w.stage.at(after, func() { w.tend(o) })
			}
		})
		return
	}
	soon := func(do func()) {
		w.stage.at(w.between(time.Second, pick(w, 20*time.Second, 3*time.Minute, 20*time.Minute)), do)
	}
	switch {
	// somebody writes into a header of ours, and then the order is cancelled
	case o.shipped == 0 && len(o.edits) == 0 && w.chance(2*f.edit):
		w.stage.at(w.between(time.Second, 20*time.Second), func() { w.change(o, "notes") })
		w.stage.at(w.between(20*time.Second, 3*time.Minute), func() { w.cancel(o) })
	case o.shipped > 0 && what == late: // the next call about it may come first
		w.stage.at(w.between(time.Second, 12*time.Second), func() { w.track(o) })
	case o.shipped == 0 && w.chance(f.setting):
		w.stage.at(w.between(time.Second, 20*time.Second), func() { w.settings(o.shop) })
	case o.shipped > 0:
		soon(func() { w.track(o) })
	case w.chance(f.edit):
		soon(func() { w.edit(o) })
	case w.chance(f.cancel):
		soon(func() { w.cancel(o) })
	case w.chance(4 * f.retry):
		soon(func() { w.tend(o) })
		soon(func() { w.tend(o) })
	}
}

// schedules starts the jobs on their intervals until the end, seldom where
// nothing happens.
func (w *world) schedules(end time.Time) {
	var minute func()
	minute = func() {
		if w.due() && !w.chance(4) || w.chance(6) {
			w.schedule("orders")
		}
		if next := time.Now().Truncate(time.Minute).Add(time.Minute); next.Before(end) {
			w.stage.at(time.Until(next), minute)
		}
	}
	w.stage.at(0, minute)
	for job, every := range app.Schedules() {
		if job == "orders" || !w.profile.catalogue && slices.Contains(catalogueJobs, job) {
			continue
		}
		w.jobs = append(w.jobs, job)
		_ = every
	}
	w.jobs = sorted(w.jobs)
	for _, job := range w.jobs {
		every := app.Schedules()[job]
		var again func()
		again = func() {
			if time.Now().After(end) {
				return
			}
			w.schedule(job)
			gap := every
			if w.chance(192) || job == "completeness" { // nothing much happens meanwhile
				gap += every * time.Duration(w.stage.rng.IntN(10))
			}
			w.stage.at(gap, again)
		}
		w.stage.at(w.between(time.Second, every), again)
	}
}

// due reports whether a sweep would find something.
func (w *world) due() bool {
	now := time.Now().Add(2 * time.Second).UTC().Format("2006-01-02T15:04:05.000Z")
	return w.store.indexed(func(index, first string) bool {
		return strings.HasPrefix(index, "DUE#") && first < now || index == "RESUME"
	})
}

// settle lets the world turn in calm until nothing is left, an outcome that may
// take days where something backed off far; it says whether that came about.
func (w *world) settle() bool {
	begin := time.Now()
	round := 0
	for time.Since(begin) < 12*24*time.Hour && w.effects-w.lived < 100_000 { // nothing may go round in circles
		if round == 0 || round == 20 || round%90 == 0 && round < 300 || round%720 == 0 {
			for _, job := range w.jobs {
				if job != "completeness" {
					w.schedule(job)
				}
			}
		}
		if round%40 == 39 && round < 300 {
			for _, o := range w.orders {
				if r := w.run(o); r != nil && r.State == ledger.Attention {
					w.tend(o)
				}
			}
		}
		w.minute()
		round++
		if round > 300 && round%30 == 20 && w.unrest() == "" && !w.refusedLately() {
			return true
		}
	}
	return false
}

// refusedLately has people retry what Cin7 Core refused before the calm and they heard of only now, as its header could
// not be voided; it reports whether there was something.
func (w *world) refusedLately() (some bool) {
	for _, o := range w.orders {
		if r := w.run(o); r != nil && r.State == ledger.Attention && w.is(r, "refused") && !o.retried {
			o.retried, some = true, true
			w.tend(o)
		}
	}
	return some
}

// minute is one in the calm, with a sweep where that would find something.
func (w *world) minute() {
	if w.due() {
		w.schedule("orders")
	}
	w.stage.run(time.Now().Truncate(time.Minute).Add(time.Minute), nil)
}

// unrest is what is still to come, "" if nothing is.
func (w *world) unrest() string {
	var text []string
	if w.busy > 0 || w.flying > 0 || w.lag > 0 {
		text = append(text, "work is under way")
	}
	for _, o := range w.orders {
		switch r := w.run(o); {
		case r == nil && o.supplier == w.spare.Upstock.Supplier:
		case r != nil && w.waits(o, r):
		case r == nil:
			text = append(text, fmt.Sprintf("order %d is not here", o.id))
		case !r.Finished() && r.State != ledger.Attention:
			text = append(text, "order "+r.ID+" is "+string(r.State)+" "+r.Why)
		}
	}
	return strings.Join(text, "; ")
}

// calmly runs a seed in its bubble.
func live(t *testing.T, seed uint64, story func(*world)) (w *world, verdict string) {
	p := draw(seed)
	b := prepare(t, p.shape)
	bubble(t, seed, func(t *testing.T) {
		w = newWorld(t, seed, p, b.box)
		if story != nil {
			story(w)
		}
		w.on(b)
		verdict = w.live()
		w.sim.Close()
		w.drain()
	})
	return w, verdict
}

// drain lets every goroutine end.
func (w *world) drain() {
	for _, list := range w.warm {
		for _, p := range list {
			p.dead.Store(true)
		}
	}
	w.stage.run(time.Now().Add(time.Minute), nil)
}
