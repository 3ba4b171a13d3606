package simulate

import (
	"cmp"
	"container/heap"
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"
)

// stage decides whose turn it is. Every goroutine of the simulated world parks
// before each outside effect; when all are parked or asleep, the stage gives
// each newcomer an instant drawn from the seed, and lets the one go on whose
// instant is next, alone. So the order of all work, and with it everything else,
// follows from the seed, whatever the Go scheduler does.
type stage struct {
	rng *rand.Rand

	mu    sync.Mutex
	fresh []*turn // parked since the stage last looked
	queue turns
	made  int
	poke  chan struct{}
}

// turn is something that happens at an instant: a parked goroutine goes on, or
// the stage does something itself.
type turn struct {
	at    time.Time
	seq   int
	label string // of a parked goroutine; no two with one label at an instant
	pace  pace
	wait  time.Duration // instead of a pace
	on    chan struct{}
	do    func() // must not block
}

// pace is how long something takes.
type pace struct{ least, most time.Duration }

var (
	atOnce   = pace{}
	ofTable  = pace{time.Millisecond, 9 * time.Millisecond}
	ofQueue  = pace{4 * time.Millisecond, 40 * time.Millisecond}
	toVendor = pace{20 * time.Millisecond, 300 * time.Millisecond} // a grant of its budget lives for a second
	ofVendor = pace{20 * time.Millisecond, 600 * time.Millisecond} // the way back, and the vendor's work
)

// rarely is how often, of 256 times, something takes up to thirty times as long.
const rarely = 4

func newStage(seed uint64) *stage {
	return &stage{rng: rand.New(rand.NewPCG(seed, 0x5eed)), poke: make(chan struct{}, 1)}
}

func (s *stage) took(p pace) time.Duration {
	if p.most == 0 {
		return 0
	}
	d := p.least + time.Duration(s.rng.Int64N(int64(p.most-p.least)))
	if s.rng.IntN(256) < rarely && p != toVendor {
		d += time.Duration(s.rng.Int64N(int64(30 * p.most)))
	}
	return d
}

// park ends the caller's turn; it returns when the caller is next. An error is
// that of the context, which may end first.
func (s *stage) park(ctx context.Context, label string, p pace) error {
	return s.wait(ctx, &turn{label: label, pace: p, on: make(chan struct{})})
}

// sleep is park for a given time.
func (s *stage) sleep(ctx context.Context, label string, d time.Duration) error {
	return s.wait(ctx, &turn{label: label, wait: d, on: make(chan struct{})})
}

func (s *stage) wait(ctx context.Context, t *turn) error {
	s.mu.Lock()
	s.fresh = append(s.fresh, t)
	s.mu.Unlock()
	select {
	case s.poke <- struct{}{}:
	default:
	}
	select {
	case <-t.on:
		return nil
	case <-ctx.Done():
	}
	// The context's timer let us go: wait for a turn of our own to go on with that.
	s.wait(context.Background(), &turn{label: t.label + " timeout", on: make(chan struct{})})
	return ctx.Err()
}

// at has the stage do something after a while. Only whoever has the turn calls it.
func (s *stage) at(after time.Duration, do func()) *turn {
	t := &turn{at: time.Now().Add(after), do: do}
	s.mu.Lock()
	s.push(t)
	s.mu.Unlock()
	return t
}

func (s *stage) push(t *turn) {
	s.made++
	t.seq = s.made
	heap.Push(&s.queue, t)
}

// run lets things happen until the given instant, or until done says so.
func (s *stage) run(until time.Time, done func() bool) {
	for {
		synctest.Wait()
		s.mu.Lock()
		s.admit()
		var next *turn
		if len(s.queue) > 0 {
			next = s.queue[0]
		}
		now := time.Now()
		if next != nil && !next.at.After(now) {
			heap.Pop(&s.queue)
			s.mu.Unlock()
			if next.do != nil {
				next.do()
			} else {
				close(next.on)
			}
			continue
		}
		s.mu.Unlock()
		if done != nil && done() {
			return
		}
		wake := until
		if next != nil && next.at.Before(until) {
			wake = next.at
		}
		if !wake.After(now) {
			return
		}
		timer := time.NewTimer(wake.Sub(now))
		select {
		case <-timer.C:
		case <-s.poke:
			timer.Stop()
		}
	}
}

// admit gives those who parked lately their instants, in the order of their labels.
func (s *stage) admit() {
	if len(s.fresh) > 1 {
		slices.SortStableFunc(s.fresh, func(a, b *turn) int { return strings.Compare(a.label, b.label) })
	}
	now := time.Now()
	for _, t := range s.fresh {
		d := t.wait
		if d == 0 {
			d = s.took(t.pace)
		}
		t.at = now.Add(d)
		s.push(t)
	}
	clear(s.fresh)
	s.fresh = s.fresh[:0]
}

type turns []*turn

func (q turns) Len() int { return len(q) }
func (q turns) Less(i, j int) bool {
	return cmp.Or(q[i].at.Compare(q[j].at), cmp.Compare(q[i].seq, q[j].seq)) < 0
}
func (q turns) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *turns) Push(x any)   { *q = append(*q, x.(*turn)) }
func (q *turns) Pop() any {
	old := *q
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return t
}
