package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/table"
)

// Times are how long things take.
type Times struct {
	Turn   time.Duration // for which a worker has the turn of a set, unless it asks for more
	Call   time.Duration // in which a call ends, whatever becomes of it; less than Turn by far
	Settle time.Duration // after a call's end, in which it takes effect or never does
}

// DefaultTimes are the times at full speed.
func DefaultTimes() Times {
	return Times{Turn: 75 * time.Second, Call: 25 * time.Second, Settle: 2 * time.Minute}
}

// Divided returns the times, each divided.
func (t Times) Divided(by float64) Times {
	for _, d := range []*time.Duration{&t.Turn, &t.Call, &t.Settle} {
		*d = time.Duration(float64(*d) / by)
	}
	return t
}

// Publisher tells far sides what they should hold.
type Publisher struct {
	table  table.Table
	ledger *ledger.Ledger
	times  Times
}

// New returns a publisher that keeps what it tells in t.
func New(t table.Table, l *ledger.Ledger, times Times) *Publisher {
	return &Publisher{table.Repeating(t), l, times}
}

// Ask asks for a run of a set, and returns the one that is under way, or else a new one, for people to follow. The
// caller starts the job of it. A run that is under way is not done before all is told that was wanted now.
func (p *Publisher) Ask(ctx context.Context, tenantID, set string) (*ledger.Progress, error) {
	return p.ledger.AskProgress(ctx, tenantID, set)
}

// Differences lists how what is wanted differs from what was told, in the order of keys, and changes nothing: it is
// what a run would do now, and what it would leave alone. What is no longer wanted is listed as it is met.
func (p *Publisher) Differences(ctx context.Context, tenantID string, set Set) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		for m, err := range p.merge(ctx, tenantID, set, Key{}) {
			if err != nil {
				yield(Change{}, err)
				return
			}
			c, _ := set.judge(m, time.Now())
			if c.Why != "" && !yield(c, nil) {
				return
			}
		}
	}
}

// Keeping is what a set wants, and beside it what was told and is wanted no more, where keep says so: that stays as it
// is at the far side. It is for a set that others depend on, which are told first.
func (p *Publisher) Keeping(tenantID string, set Set, keep func(Entry) bool) Want {
	return func(ctx context.Context, after Key) iter.Seq2[Record, error] {
		return func(yield func(Record, error) bool) {
			for m, err := range p.merge(ctx, tenantID, set, after) {
				r, e := Record{m.Key, m.want}, m.entry
				if going := e.Doubt != nil && e.Doubt.Goes; r.Data == nil && err == nil && !going && keep(e) {
					r.Data = e.was()
				}
				if (err != nil || r.Data != nil) && !yield(r, err) {
					return
				}
			}
		}
	}
}

// judge says what is to become of a record: its change, with Why "" where there is none, and whether it is sent now.
func (set Set) judge(m meeting, now time.Time) (c Change, send bool) {
	c = Change{Record: Record{m.Key, m.want}, Was: m.entry.was(), Told: m.entry.Told != nil}
	c.Why, send = m.entry.difference(m.want, now)
	if send && set.Hold != nil && m.entry.needsYes(m.want) {
		if c.Says = set.Hold(c); c.Says != "" {
			c.Why = Held
			return c, false
		}
	}
	switch c.Why {
	case Refused, Declined, Held:
		c.Says = m.entry.Why
	}
	return c, send
}

// label is what people call a record.
func (set Set) label(c Change) string {
	r := c.Record
	if r.Data == nil {
		r.Data = c.Was
	}
	if set.Label == nil || r.Data == nil {
		return r.ID
	}
	return set.Label(r)
}

// meeting is what is wanted and what was told of one key.
type meeting struct {
	Key
	want  json.RawMessage
	entry Entry // with its key alone where nothing was told
	chunk *chunk
}

// merge reads what is wanted and what was told side by side, after a key.
func (p *Publisher) merge(ctx context.Context, tenantID string, set Set, after Key) iter.Seq2[meeting, error] {
	return func(yield func(meeting, error) bool) {
		want, stopWant := pull(set.wanted(ctx, after))
		defer stopWant()
		told, stopTold := pull(shelfOf(p.table, tenantID, set.Name, set.Account).entries(ctx, after))
		defer stopTold()
		for want.there || told.there {
			if err := errors.Join(want.err, told.err); err != nil {
				yield(meeting{}, fmt.Errorf("publish %s: %w", set.Name, err))
				return
			}
			m, wanted, known := nextMeeting(want, told)
			if !yield(m, nil) {
				return
			}
			if wanted {
				want.step()
			}
			if known {
				told.step()
			}
		}
	}
}

// nextMeeting is the meeting of the least key that is not read yet; it reports whether something is wanted of it, and
// whether something was told.
func nextMeeting(want *pulled[Record], told *pulled[placed]) (m meeting, wanted, known bool) {
	wanted = want.there && (!told.there || !told.now.Key.less(want.now.Key))
	known = told.there && (!want.there || !want.now.Key.less(told.now.Key))
	m.chunk = told.now.chunk
	if wanted {
		m.Key, m.want, m.entry = want.now.Key, want.now.Data, Entry{Key: want.now.Key}
	}
	if known {
		m.Key, m.entry = told.now.Key, told.now.Entry
	}
	return m, wanted, known
}

// pulled is what is read of a sequence step by step.
type pulled[T any] struct {
	next  func() (T, error, bool)
	now   T // once the sequence has ended, the last of it
	err   error
	there bool // false = the sequence has ended
}

// pull begins to read a sequence, with its first at hand. Whoever pulls stops in the end.
func pull[T any](seq iter.Seq2[T, error]) (p *pulled[T], stop func()) {
	p = &pulled[T]{}
	p.next, stop = iter.Pull2(seq)
	p.step()
	return p, stop
}

func (p *pulled[T]) step() {
	var v T
	if v, p.err, p.there = p.next(); p.there {
		p.now = v
	}
}

// errOrder is a fault of a Want.
var errOrder = errors.New("what is wanted is not in order")

// wanted is what is wanted after a key, looked through: in order, each key once, with data as it is stored.
func (set Set) wanted(ctx context.Context, after Key) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		last := after
		for r, err := range set.Want(ctx, after) {
			if err == nil {
				err = r.check()
			}
			if err == nil && last != (Key{}) && !last.less(r.Key) {
				if r.Key == after {
					continue // from a key on, not after it
				}
				err = fmt.Errorf("%w: %q after %q", errOrder, r.ID, last.ID)
			}
			if err == nil {
				r.Data, err = canonical(r.Data)
			}
			if !yield(r, err) || err != nil {
				return
			}
			last = r.Key
		}
	}
}
