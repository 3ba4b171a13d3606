package publish

import (
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"slices"
	"time"

	"stockbridge/internal/parallel"
	"stockbridge/internal/table"
)

// Decision is what a person says about records.
type Decision string

// The decisions.
const (
	Approve   Decision = "approve"   // what is held goes with the next run
	Decline   Decision = "decline"   // it does not, before another value is wanted
	Undecide  Decision = "undecide"  // it is held again; what was sent meanwhile stays sent
	SendAgain Decision = "sendAgain" // the value that is wanted is sent again with the next run, whatever was told
)

// decidedAtOnce is how many records one write decides about.
const decidedAtOnce = 20

// Decide notes what a person decided about records of a set, of which Name and Account count, and returns about how
// many it could. shown reports whether an entry stands as the person was shown it: others are left alone. nil = any
// does. The caller starts a run.
func (p *Publisher) Decide(
	ctx context.Context, tenantID string, set Set, d Decision, shown func(Entry) bool, keys ...Key,
) (decided int, err error) {
	s := shelfOf(p.table, tenantID, set.Name, set.Account)
	for some := range slices.Chunk(inOrder(keys), decidedAtOnce) {
		n := 0
		err := table.RetryOnConflict(ctx, func() error {
			n = 0
			var notes []note
			for _, k := range some {
				notes = append(notes, note{k, func(e Entry) Entry {
					if shown != nil && !shown(e) {
						return e
					}
					now, ok := e.decided(d, time.Now())
					if ok {
						n++
					}
					return now
				}})
			}
			return s.write(ctx, notes)
		})
		if err != nil {
			return decided, fmt.Errorf("decide about %s: %w", set.Name, err)
		}
		decided += n
	}
	return decided, nil
}

// inOrder are keys in order, each once.
func inOrder(keys []Key) []Key {
	keys = slices.Clone(keys)
	slices.SortFunc(keys, Key.compare)
	return slices.Compact(slices.DeleteFunc(keys, func(k Key) bool { return k.check() != nil }))
}

// write makes changes of entries alone.
func (s shelf) write(ctx context.Context, notes []note) error {
	ops, err := s.writes(ctx, notes)
	if err != nil || len(ops) == 0 {
		return err
	}
	return s.table.Write(ctx, ops...)
}

// decided returns the entry after a person's decision; ok is false where there is nothing to decide.
func (e Entry) decided(d Decision, now time.Time) (_ Entry, ok bool) {
	var from []State
	var to State
	switch d {
	case Approve:
		from, to = []State{IsHeld, IsDeclined}, IsApproved
	case Decline:
		from, to = []State{IsHeld, IsApproved}, IsDeclined
	case Undecide:
		from, to = []State{IsApproved, IsDeclined}, IsHeld
	case SendAgain:
		if ok = !e.empty() && !slices.Contains([]State{IsHeld, IsApproved, IsDeclined}, e.State); ok {
			e.Again = true
		}
		return e, ok
	}
	if !slices.Contains(from, e.State) {
		return e, false
	}
	return e.in(to, e.Sent, e.Why, now), true
}

// AskNow has the far side asked what became of everything that is pending in a set, of which Name and Account count,
// though its time has not come: no run that is asked for from now on is done before. The caller asks for one. What a
// run has asked already, and has not heard yet, is asked again.
func (p *Publisher) AskNow(ctx context.Context, tenantID string, set Set) (err error) {
	s := shelfOf(p.table, tenantID, set.Name, set.Account)
	it := table.Item{Key: s.askNowKey()}
	if it.Data, err = table.Marshal(waiting{ID: rand.Text()}); err == nil {
		err = s.table.Write(ctx, table.Put(it))
	}
	if err != nil {
		return fmt.Errorf("ask about %s: %w", set.Name, err)
	}
	return nil
}

// Seen is a record as the far side was found to hold it.
type Seen struct {
	Record         // Data nil = it is not there
	TheirID string // of the far side
}

// Learn notes what the far side was found to hold, when it was read for another reason: a record that was there before
// us, that somebody else changed or took away. The next run tells what differs from that.
func (p *Publisher) Learn(ctx context.Context, tenantID string, set Set, records ...Seen) error {
	s := shelfOf(p.table, tenantID, set.Name, set.Account)
	for some := range slices.Chunk(seenOnce(records), fewEntries) {
		notes, err := notesOf(some, time.Now().UTC())
		if err == nil {
			err = table.RetryOnConflict(ctx, func() error { return s.write(ctx, notes) })
		}
		if err != nil {
			return fmt.Errorf("learn about %s: %w", set.Name, err)
		}
	}
	return nil
}

// seenOnce are records in the order of their keys, of each key the first.
func seenOnce(records []Seen) []Seen {
	records = slices.Clone(records)
	slices.SortStableFunc(records, func(a, b Seen) int { return a.compare(b.Key) })
	return slices.CompactFunc(records, func(a, b Seen) bool { return a.Key == b.Key })
}

// notesOf are the changes that note records as they were seen.
func notesOf(records []Seen, now time.Time) (notes []note, err error) {
	for _, r := range records {
		if r.Data, err = canonical(r.Data); err != nil {
			return nil, err
		}
		if err = r.check(); err != nil {
			return nil, err
		}
		notes = append(notes, note{r.Key, func(e Entry) Entry { return e.learned(r, now) }})
	}
	return notes, nil
}

// learned returns the entry after its record was seen at the far side, with data as it is stored.
func (e Entry) learned(r Seen, now time.Time) Entry {
	if string(e.Told) == string(r.Data) && (r.TheirID == "" || r.TheirID == e.TheirID) {
		return e
	}
	e.Told, e.At = r.Data, now
	if r.TheirID != "" {
		e.TheirID = r.TheirID
	}
	return e
}

// Entries reads what is kept of records of a set, of which Name and Account count, in the order of their keys; those of
// which nothing is are left out.
func (p *Publisher) Entries(ctx context.Context, tenantID string, set Set, keys ...Key) ([]Entry, error) {
	s := shelfOf(p.table, tenantID, set.Name, set.Account)
	keys = inOrder(keys)
	found := make([][]Entry, (len(keys)+foundAtOnce-1)/foundAtOnce)
	err := parallel.Each(readAtOnce, parts(keys), func(of part) (err error) {
		found[of.n], err = s.find(ctx, of.keys)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", set.Name, err)
	}
	return slices.DeleteFunc(slices.Concat(found...), Entry.empty), nil
}

// foundAtOnce is how many keys are looked for one after another, beside others.
const foundAtOnce = 25

// part is some of the keys that are looked for.
type part struct {
	n    int
	keys []Key
}

func parts(keys []Key) iter.Seq[part] {
	return func(yield func(part) bool) {
		n := 0
		for some := range slices.Chunk(keys, foundAtOnce) {
			if !yield(part{n, some}) {
				return
			}
			n++
		}
	}
}

// All reads what is kept of a set after a key, in the order of keys.
func (p *Publisher) All(ctx context.Context, tenantID string, set Set, after Key) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for e, err := range shelfOf(p.table, tenantID, set.Name, set.Account).entries(ctx, after) {
			if err != nil {
				err = fmt.Errorf("read %s: %w", set.Name, err)
			}
			if !yield(e.Entry, err) || err != nil {
				return
			}
		}
	}
}

// Notable reads what is not simply told of a set after a key: what is held, was decided by a person, is refused,
// pending or in doubt. It reads no more than there is of that. A list may show late what has just changed.
func (p *Publisher) Notable(ctx context.Context, tenantID string, set Set, after Key) iter.Seq2[Entry, error] {
	s := shelfOf(p.table, tenantID, set.Name, set.Account)
	return func(yield func(Entry, error) bool) {
		for c, err := range s.notedChunks(ctx, after) {
			if err != nil {
				yield(Entry{}, fmt.Errorf("read %s: %w", set.Name, err))
				return
			}
			for _, e := range c.entries {
				if e.notable() && after.less(e.Key) && !yield(e, nil) {
					return
				}
			}
		}
	}
}

// Count counts the records of a set that are in each state but none, up to most each. It reads how many there are of a
// hundred or so at a time, and not the records. The counts may be late.
func (p *Publisher) Count(ctx context.Context, tenantID string, set Set, most int) (map[State]int, error) {
	s, all := shelfOf(p.table, tenantID, set.Name, set.Account), map[State]int{}
	q := table.Query{PK: s.noted(), From: s.bound(""), Until: s.end()}
	for {
		page, err := s.table.List(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("count %s: %w", set.Name, err)
		}
		for _, e := range page.Entries {
			counts, err := s.countsAt(ctx, e)
			if err != nil {
				return nil, fmt.Errorf("count %s: %w", set.Name, err)
			}
			for state, n := range counts {
				all[state] = min(all[state]+n, most)
			}
		}
		if q.After = page.Next; page.Next == "" {
			return all, nil
		}
	}
}

// countsAt are the counts of a chunk in the index. One that an earlier version wrote is read for them.
func (s shelf) countsAt(ctx context.Context, e table.Entry) (map[State]int, error) {
	if counts, ok := countsOf(e.Sort); ok {
		return counts, nil
	}
	it, err := table.Read(ctx, s.table, e.Key)
	if err != nil || it.Rev == "" {
		return nil, err
	}
	c, err := chunkOf(it)
	if err != nil {
		return nil, err
	}
	return countsIn(c.entries), nil
}

// notedChunks reads the chunks in which there is something for people to see, but for those before a key.
func (s shelf) notedChunks(ctx context.Context, after Key) iter.Seq2[*chunk, error] {
	return func(yield func(*chunk, error) bool) {
		for keys, err := range s.notedKeys(ctx, after) {
			var items []table.Item
			if err == nil {
				items, err = s.table.Get(ctx, keys...)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for _, it := range items {
				c, err := chunkOf(it)
				if !yield(c, err) || err != nil {
					return
				}
			}
		}
	}
}

// notedKeys reads where those chunks stand, as many at a time as are read at once.
func (s shelf) notedKeys(ctx context.Context, after Key) iter.Seq2[[]table.Key, error] {
	return func(yield func([]table.Key, error) bool) {
		q := table.Query{PK: s.noted(), From: s.bound(""), Until: s.end()}
		for {
			page, err := s.table.List(ctx, q)
			if err != nil {
				yield(nil, err)
				return
			}
			for keys := range slices.Chunk(s.reaching(page.Entries, after), readAtOnce) {
				if !yield(keys, nil) {
					return
				}
			}
			if q.After = page.Next; page.Next == "" {
				return
			}
		}
	}
}

// reaching are the chunks of a page that may hold something after a key. One does not if another begins no later than
// that key.
func (s shelf) reaching(page []table.Entry, after Key) (keys []table.Key) {
	last := s.bound(after.String())
	for i, e := range page {
		if i+1 == len(page) || page[i+1].Sort > last {
			keys = append(keys, e.Key)
		}
	}
	return keys
}

// Erase removes all that is kept of sets of a tenant, of all accounts. Broken off, it is begun again and does the rest.
func (p *Publisher) Erase(ctx context.Context, tenantID string, sets ...string) error {
	for _, set := range sets {
		if err := table.Erase(ctx, p.table, shelfOf(p.table, tenantID, set, "").pk, nil); err != nil {
			return fmt.Errorf("erase %s: %w", set, err)
		}
	}
	return nil
}
