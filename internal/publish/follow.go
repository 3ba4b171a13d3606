package publish

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/table"
)

// waiting is some records that the far side has and has not decided about: an item of the shelf, in the order of the
// time when to ask. Their entries name it.
type waiting struct {
	ID     string    `json:"id"`
	Group  string    `json:"group,omitempty"`
	Ticket string    `json:"ticket,omitempty"` // "" = they are asked for one by one
	IDs    []string  `json:"ids"`
	Since  time.Time `json:"since"`
	Ask    time.Time `json:"ask"`
	Asked  string    `json:"asked,omitempty"` // the call of AskNow after which they were asked about last

	item table.Item // as it was read
}

// due reports whether the far side is to be asked: the time has come, or it was not asked since the last AskNow.
func (w waiting) due(now time.Time, last string) bool { return !w.Ask.After(now) || w.Asked != last }

// waitKey is where a waiting stands that is asked about at a time.
func (s shelf) waitKey(ask time.Time, id string) table.Key {
	return table.Key{PK: s.pk, SK: "w#" + s.account + "\t" + ask.UTC().Format("2006-01-02T15:04:05.000Z") + "#" + id}
}

// askNowKey is where the last call of AskNow stands, as a waiting without records.
func (s shelf) askNowKey() table.Key { return table.Key{PK: s.pk, SK: "w#" + s.account + "\t"} }

// waitings reads what is waited for, and the name of the last AskNow.
func (s shelf) waitings(ctx context.Context) (list []waiting, last string, err error) {
	first := s.askNowKey()
	q := table.Query{PK: first.PK, From: first.SK, Until: "w#" + s.account + "\n"}
	for it, err := range table.QueryAll(ctx, s.table, q) {
		w := waiting{item: it}
		if err == nil {
			err = table.Unmarshal(it.Data, &w)
		}
		if err != nil {
			return nil, "", fmt.Errorf("what is waited for: %w", err)
		}
		if it.Key == first {
			last = w.ID
			continue
		}
		list = append(list, w)
	}
	return list, last, nil
}

// waits gathers the records of one answer that are pending, by what they wait for.
type waits struct {
	shelf shelf
	group string
	times job.Times
	now   time.Time
	since time.Time
	asked string
	by    map[string]*waiting
}

func (r *run) waits(group string, now time.Time) *waits {
	return &waits{shelf: r.shelf, group: group, times: r.part.Times(), now: now, since: now, asked: r.asked,
		by: map[string]*waiting{}}
}

// mostWaits is about how many waitings one answer makes: one write of the table must hold them.
const mostWaits = 20

// pending notes that a record is pending, about when it is decided, and when to ask (zero = that was not said).
func (w *waits) pending(rec Record, due, ask time.Time, ticket string, now time.Time) func(Entry) Entry {
	ask = w.ask(ask, ticket)
	what := ask.Format("2 15:04 ") + ticket // asked about together
	if len(w.by) >= mostWaits && w.by[what] == nil {
		what = ticket
	}
	one := w.by[what]
	if one == nil {
		one = &waiting{ID: rand.Text(), Group: w.group, Ticket: ticket, Since: w.since, Asked: w.asked}
		w.by[what] = one
	}
	one.IDs = append(one.IDs, rec.ID)
	one.Ask = job.Latest(one.Ask, ask)
	return func(e Entry) Entry {
		since := now
		if e.is(IsPending, rec.Data) {
			since = e.Since
		}
		was := e.Due
		e = e.in(IsPending, rec.Data, "", since)
		e.Wait, e.Missing = one.ID, 0
		if ticket == "" {
			if e.Due = due.UTC(); due.IsZero() {
				e.Due = was
			}
		}
		return e
	}
}

// longestAsk is how rarely the far side is asked about what should be decided by now.
const longestAsk = 24 * time.Hour

// ask is when to ask: when it was said, else after a while, which is longer the longer it has been waited.
func (w *waits) ask(said time.Time, ticket string) time.Time {
	if said.After(w.now) {
		return job.Latest(said, w.now.Add(time.Second))
	}
	wait := w.now.Sub(w.since) / 4
	if ticket != "" {
		return w.now.Add(min(max(wait, w.times.MinRetry), w.times.Longest))
	}
	return w.now.Add(min(max(wait, w.times.Longest), longestAsk))
}

// ops are the writes of what is waited for.
func (w *waits) ops() (ops []table.Op, err error) {
	for _, one := range w.by {
		it := table.Item{Key: w.shelf.waitKey(one.Ask, one.ID)}
		if it.Data, err = table.Marshal(one); err != nil {
			return nil, err
		}
		ops = append(ops, table.Create(it))
	}
	return ops, nil
}

// nextAsk is when the far side is asked next about what the run waits for: tickets, and what it was not asked about
// since the last AskNow. Zero = the run waits for nothing.
func (r *run) nextAsk(ctx context.Context, now time.Time) (next time.Time, err error) {
	list, last, err := r.shelf.waitings(ctx)
	for _, w := range list {
		switch {
		case w.Asked != last:
			next = earlier(next, now)
		case w.Ticket != "":
			next = earlier(next, w.Ask)
		}
	}
	return next, err
}

// follow asks what became of what is waited for, where its time has come.
func (r *run) follow(ctx context.Context) error {
	list, last, err := r.shelf.waitings(ctx)
	if err != nil {
		return err
	}
	r.asked = last // what is asked from now on is asked after it
	now := time.Now()
	for _, w := range list {
		if !w.due(now, last) {
			continue
		}
		if err := r.part.Short(ctx); err != nil {
			return err
		}
		if err := r.followOne(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// followOne asks about the records of one waiting that still wait in it.
func (r *run) followOne(ctx context.Context, w waiting) error {
	var keys []Key
	for _, id := range w.IDs {
		keys = append(keys, Key{w.Group, id})
	}
	slices.SortFunc(keys, Key.compare)
	entries, err := r.shelf.get(ctx, keys)
	if err != nil {
		return err
	}
	entries = slices.DeleteFunc(entries, func(e Entry) bool { // decided, or to be sent again
		return e.State != IsPending || e.Wait != w.ID || e.Again
	})
	if len(entries) == 0 {
		return r.save(ctx, r.shelf, nil, table.Remove(w.item))
	}
	batch := make([]Telling, len(entries))
	for i, e := range entries {
		batch[i] = Telling{Record{e.Key, e.Sent}, e.was(), e.TheirID}
	}
	ends := time.Now().Add(r.part.Times().Soon + r.publisher.times.Call)
	a, err := r.call(ctx, ends, func(ctx context.Context) (Answer, error) { return r.To.Follow(ctx, w.Ticket, batch) })
	if said, refused := job.Refused(err); refused && ctx.Err() == nil {
		why := "What became of it cannot be asked for."
		if len(said) > 0 {
			why += " The answer was: " + strings.Join(said, " ")
		}
		a, err = Answer{}, nil
		for _, e := range entries {
			a.Results = append(a.Results, Result{ID: e.ID, Refused: why})
		}
	}
	if err != nil {
		return err
	}
	r.place.Failures = 0
	return r.heard(ctx, w, entries, a)
}

// heard keeps what the far side said of pending records. Of which it says nothing, these go on waiting.
func (r *run) heard(ctx context.Context, w waiting, entries []Entry, a Answer) error {
	now := time.Now().UTC()
	results := believed(a.Results)
	heard, others := r.waits(w.Group, now), r.waits(w.Group, now)
	heard.since, others.since = w.Since, w.Since
	if slices.ContainsFunc(entries, func(e Entry) bool { _, ok := results[e.ID]; return ok }) {
		others.asked = w.Asked // it did not come to those that it says nothing of
	}
	ticket := w.Ticket
	if a.Ticket != "" {
		ticket = a.Ticket
	}
	var notes []note
	for _, e := range entries {
		var change func(Entry) Entry
		rec := Record{e.Key, e.Sent}
		switch res, ok := results[e.ID]; {
		case ok && res.Refused != "":
			change = func(e Entry) Entry { return e.refused(rec.Data, res, now) }
		case ok && res.Pending:
			change = heard.pending(rec, res.Due, res.ask(), "", now)
		case ok:
			r.count(e.kind(rec.Data))
			change = func(e Entry) Entry { return e.told(rec.Data, res.TheirID, e.Since, now) }
		default:
			change = others.pending(rec, time.Time{}, a.Again, ticket, now)
		}
		notes = append(notes, note{e.Key, func(now Entry) Entry {
			if now.State != IsPending || now.Wait != w.ID {
				return now // it was made already, or the record was sent again
			}
			return change(now)
		}})
	}
	ops := []table.Op{table.Remove(w.item)}
	for _, some := range []*waits{heard, others} {
		more, err := some.ops()
		if err != nil {
			return err
		}
		ops = append(ops, more...)
	}
	return r.save(ctx, r.shelf, notes, ops...)
}
