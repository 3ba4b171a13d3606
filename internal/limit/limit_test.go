package limit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/table"
	"stockbridge/internal/testsize"
)

// store is an embedded table that is as slow as one far away.
type store struct {
	table.Table
	latency time.Duration
	mu      sync.Mutex
	reads   int
	writes  int
	fail    error // the answer to writes, which are not made
	lose    error // the answer to writes, which are made
}

func newStore(t *testing.T, latency time.Duration) *store {
	f, err := table.Open("", table.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &store{Table: f, latency: latency}
}

func (s *store) wait() {
	if s.latency > 0 {
		time.Sleep(rand.N(s.latency))
	}
}

func (s *store) Get(ctx context.Context, keys ...table.Key) ([]table.Item, error) {
	s.wait()
	defer s.wait()
	s.mu.Lock()
	s.reads++
	s.mu.Unlock()
	return s.Table.Get(ctx, keys...)
}

func (s *store) Write(ctx context.Context, ops ...table.Op) error {
	s.wait()
	defer s.wait()
	s.mu.Lock()
	s.writes++
	fail, lose := s.fail, s.lose
	s.mu.Unlock()
	if fail != nil {
		return fail
	}
	if err := s.Table.Write(ctx, ops...); err != nil {
		return err
	}
	return lose
}

// vendor counts what arrives in a sliding window, without any of our arithmetic.
type vendor struct {
	mu        sync.Mutex
	calls     []time.Time
	throttled int
	most      int
	window    time.Duration
}

func (v *vendor) call() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	i := len(v.calls)
	for i > 0 && now.Sub(v.calls[i-1]) < v.window {
		i--
	}
	if len(v.calls)-i >= v.most {
		v.throttled++
		return false
	}
	v.calls = append(v.calls, now)
	return true
}

// work calls as often as it may until the end.
func work(t *testing.T, ctx context.Context, l *Limiter, call func() bool) (calls int) {
	for ctx.Err() == nil {
		at, err := l.Take(ctx)
		var w *Wait
		switch {
		case errors.As(err, &w):
			d := w.Until.Sub(l.now())
			if d > 0 {
				time.Sleep(d)
			}
			continue
		case ctx.Err() != nil:
			return calls
		case err != nil:
			t.Error(err)
			return calls
		}
		time.Sleep(rand.N(1100 * time.Millisecond)) // getting ready to send
		if l.now().Sub(at) > time.Second {
			continue // lapsed
		}
		if !call() {
			l.Throttled(ctx, 0)
			continue
		}
		calls++
		time.Sleep(rand.N(2 * time.Second)) // the answer
	}
	return calls
}

// TestSixteenWorkersUseTheBudget uses each grant at once: what is missing of the budget is what the limiter costs.
func TestSixteenWorkersUseTheBudget(t *testing.T) {
	for _, latency := range []time.Duration{0, 15 * time.Millisecond} {
		t.Run(latency.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStore(t, latency)
				v := &vendor{window: time.Minute, most: 60}
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
				defer cancel()
				var wg sync.WaitGroup
				for i := range 16 {
					offset := time.Duration(i-8) * time.Second / 8
					l := New(s, "cin7core", "acme", sixty(), First,
						Now(func() time.Time { return time.Now().Add(offset) }))
					wg.Go(func() {
						for ctx.Err() == nil {
							_, err := l.Take(ctx)
							if w := (*Wait)(nil); errors.As(err, &w) {
								time.Sleep(max(time.Millisecond, w.Until.Sub(l.now())))
								continue
							}
							if err == nil {
								v.call()
								time.Sleep(rand.N(2 * time.Second))
							}
						}
					})
				}
				wg.Wait()
				t.Logf("%d calls, %d reads, %d writes", len(v.calls), s.reads, s.writes)
				if v.throttled > 0 || len(v.calls) < 30*60*95/100 {
					t.Errorf("%d calls of %d, %d throttled", len(v.calls), 30*60, v.throttled)
				}
			})
		})
	}
}

// TestLateUse: grants used as late as they may be, or too late, never make more calls than allowed.
func TestLateUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, 15*time.Millisecond)
		v := &vendor{window: time.Minute, most: 60}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		for range 16 {
			offset := rand.N(2*time.Second) - time.Second
			l := New(s, "cin7core", "acme", sixty(), First, Now(func() time.Time { return time.Now().Add(offset) }))
			wg.Go(func() { work(t, ctx, l, v.call) })
		}
		wg.Wait()
		if v.throttled > 0 || len(v.calls) < 30*60*3/4 {
			t.Errorf("%d calls, %d throttled", len(v.calls), v.throttled)
		}
	})
}

func TestSecondYieldsAndDoesNotStarve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, 5*time.Millisecond)
		v := &vendor{window: time.Minute, most: 60}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		var second int
		for range 16 {
			l := New(s, "cin7core", "acme", sixty(), First)
			wg.Go(func() { work(t, ctx, l, v.call) })
		}
		var mu sync.Mutex
		for range 4 {
			l := New(s, "cin7core", "acme", sixty(), Second)
			wg.Go(func() {
				n := work(t, ctx, l, v.call)
				mu.Lock()
				second += n
				mu.Unlock()
			})
		}
		wg.Wait()
		// A call a minute, less those that lapse or meet a full bucket, and now
		// and then one where the first class left something.
		if second < 15 || second > 120 || v.throttled > 0 {
			t.Errorf("%d calls of the second class, %d of all, %d throttled", second, len(v.calls), v.throttled)
		}
	})
}

func TestSecondAloneHasAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, 0)
		l := New(s, "upstock", "7", threeHundred(), Second)
		for range 300 {
			if _, err := l.Take(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		var w *Wait
		if _, err := l.Take(t.Context()); !errors.As(err, &w) || time.Until(w.Until) != 63*time.Second {
			t.Errorf("the 301st: %v", err)
		}
		if s.reads != 1 || s.writes != 300 {
			t.Errorf("%d reads, %d writes", s.reads, s.writes)
		}
	})
}

// TestAccountsShare: two tenants whose connections name one account share its budget; another account has its own.
func TestAccountsShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, 0)
		a, b := New(s, "cin7core", "acme", sixty(), First), New(s, "cin7core", "acme", sixty(), First)
		other := New(s, "cin7core", "zenith", sixty(), First)
		for i := range 60 {
			if _, err := []*Limiter{a, b}[i%2].Take(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for _, l := range []*Limiter{a, b} {
			if _, err := l.Take(t.Context()); err == nil {
				t.Error("a 61st call")
			}
		}
		if _, err := other.Take(t.Context()); err != nil {
			t.Error(err)
		}
		if strings.Contains(a.key.PK, "acme") {
			t.Error("the account's name is in the key")
		}
	})
}

func TestThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, 0)
		a, b := New(s, "cin7core", "acme", sixty(), First), New(s, "cin7core", "acme", sixty(), Second)
		for _, c := range []struct{ retryAfter, want time.Duration }{
			{0, 15 * time.Second},
			{30 * time.Second, 30 * time.Second},
			{1000 * time.Hour, time.Hour},
		} {
			start := time.Now()
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // the caller's time is over
			a.Throttled(ctx, c.retryAfter)
			a.Throttled(t.Context(), time.Second) // does not shorten it
			var w *Wait
			if _, err := b.Take(t.Context()); !errors.As(err, &w) ||
				w.Until.Sub(start).Round(time.Millisecond) != c.want {
				// b may still have an old bucket: then it learns of the block by its condition
				t.Errorf("after %v: %v", c.retryAfter, err)
			}
			if st, err := a.State(t.Context()); err != nil ||
				st.BlockedUntil.Sub(start).Round(time.Millisecond) != c.want {
				t.Errorf("state %v, %v", st, err)
			}
			time.Sleep(c.want)
			if _, err := b.Take(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := a.Take(t.Context()); err == nil {
				t.Errorf("a second call while the first tries whether the block of %v is over", c.want)
			}
			b.Answered(t.Context())
			if _, err := a.Take(t.Context()); err != nil {
				t.Errorf("after an answer: %v", err)
			}
			time.Sleep(grace) // the mark of the one that had to wait ends
		}
		// A block that could not be written still blocks this Limiter.
		s.fail = errors.New("away")
		a.Throttled(t.Context(), 0)
		s.fail = nil
		if _, err := a.Take(t.Context()); err == nil {
			t.Error("a call while blocked")
		}
	})
}

func TestMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, 0)
		first, second := New(s, "cin7core", "acme", sixty(), First), New(s, "cin7core", "acme", sixty(), Second)
		second.Take(t.Context())
		time.Sleep(20 * time.Second)
		for range 59 {
			if _, err := first.Take(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		writes := s.writes
		for range 10 {
			if _, err := first.Take(t.Context()); err == nil {
				t.Fatal("a 61st call")
			}
		}
		if s.writes != writes+1 {
			t.Errorf("%d marks", s.writes-writes)
		}
		time.Sleep(43 * time.Second) // one is free again, and not for the second class … but it has waited a minute
		if st, _ := first.State(t.Context()); st.Left != 1 || st.WantedUntil.IsZero() {
			t.Errorf("state %+v", st)
		}
		if _, err := second.Take(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := first.Take(t.Context()); err == nil {
			t.Fatal("more than there are")
		}
		time.Sleep(20 * time.Second)
		var w *Wait
		if _, err := second.Take(t.Context()); !errors.As(err, &w) || time.Until(w.Until) > 6*time.Second {
			t.Errorf("does not yield: %v", err)
		}
		if _, err := first.Take(t.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(6 * time.Second) // nobody came for the rest
		if _, err := second.Take(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, 0)
		l := New(s, "cin7core", "acme", sixty(), First)
		away := errors.New("away")
		s.fail = away
		if _, err := l.Take(t.Context()); !errors.Is(err, away) {
			t.Error(err)
		}
		s.fail, s.lose = nil, away // made, and the answer is lost: the grant is spent
		if _, err := l.Take(t.Context()); !errors.Is(err, away) {
			t.Error(err)
		}
		s.lose = nil
		if _, err := l.Take(t.Context()); err != nil {
			t.Error(err)
		}
		if st, err := l.State(t.Context()); err != nil || st.Left != 58 || st.Of != 60 {
			t.Errorf("%+v, %v", st, err)
		}
		// A bucket that vanished starts empty.
		it, _ := s.Table.Get(t.Context(), l.key)
		s.Table.Write(t.Context(), table.Remove(it[0]))
		if _, err := l.Take(t.Context()); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := l.Take(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		// A write that took too long has lapsed, and another is taken.
		s.latency = 3 * time.Second
		for range 5 {
			before := l.now()
			at, err := l.Take(t.Context())
			if w := (*Wait)(nil); err == nil && l.now().Sub(at) > time.Second || err != nil && !errors.As(err, &w) {
				t.Errorf("from %v: %v, %v", before, at, err)
			}
		}
	})
}

// TestWrongClock: a worker whose clock was an hour ahead does not stop the account.
func TestWrongClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, 0)
		for i, class := range []Class{First, Second} {
			account := []string{"acme", "zenith"}[i]
			wrong := New(s, "cin7core", account, sixty(), First,
				Now(func() time.Time { return time.Now().Add(time.Hour) }))
			for range 60 {
				if _, err := wrong.Take(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			var w *Wait
			if _, err := New(s, "cin7core", account, sixty(), class).Take(t.Context()); !errors.As(err, &w) ||
				time.Until(w.Until) > 2*time.Minute {
				t.Fatalf("%v", err)
			}
			time.Sleep(time.Until(w.Until))
			if _, err := New(s, "cin7core", account, sixty(), class).Take(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestSpeed: the vendor's window is divided by the speed, and our margin stays
// enough for a call that arrives late on a busy machine.
func TestSpeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, 0)
		for speed, want := range map[float64]time.Duration{1: 63 * time.Second, 6: 10500 * time.Millisecond,
			30: 2400 * time.Millisecond, 60: 1400 * time.Millisecond} {
			l := New(s, "cin7core", fmt.Sprint(speed), sixty(), First, Speed(speed))
			for range 60 {
				l.Take(t.Context())
			}
			var w *Wait
			if _, err := l.Take(t.Context()); !errors.As(err, &w) || time.Until(w.Until) != want {
				t.Errorf("speed %g: %v, want %v", speed, err, want)
			}
			vendors := time.Duration(float64(time.Minute) / speed)
			if late := want - vendors - GrantLife(speed); late < 250*time.Millisecond {
				t.Errorf("speed %g: a grant used at its last moment may be %v on its way", speed, late)
			}
		}
	})
}

// TestThreeRates: workers that are never out of work use what is kept for nobody of a second's, a minute's and a day's
// rate, and the vendor, which counts for itself, refuses none. Meanwhile the first class calls every quarter of an
// hour, and is never told to wait for long.
func TestThreeRates(t *testing.T) {
	testsize.Unraced(t) // others have as many workers
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, 0)
		vendors := []*vendor{{most: 3, window: time.Second}, {most: 60, window: time.Minute},
			{most: 5000, window: 24 * time.Hour}}
		call := func() {
			for _, v := range vendors {
				if !v.call() {
					t.Errorf("more than %d calls in %v", v.most, v.window)
				}
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
		defer cancel()
		start, quarter := time.Now(), 0
		var done sync.WaitGroup
		for range 4 {
			done.Go(func() {
				l := New(s, "vendor", "acme", threeRates(), Second)
				for ctx.Err() == nil {
					_, err := l.Take(ctx)
					if w := (*Wait)(nil); errors.As(err, &w) {
						time.Sleep(time.Until(w.Until))
					} else if err == nil {
						call()
					}
				}
			})
		}
		done.Go(func() {
			l := New(s, "vendor", "acme", threeRates(), First)
			for ctx.Err() == nil {
				asked := time.Now()
				_, err := l.Take(ctx)
				for w := (*Wait)(nil); errors.As(err, &w) && ctx.Err() == nil; _, err = l.Take(ctx) {
					time.Sleep(time.Until(w.Until))
				}
				if waited := time.Since(asked); waited > 75*time.Second {
					t.Errorf("the first class waited for %v", waited)
				}
				if err == nil {
					call()
				}
				time.Sleep(15 * time.Minute)
			}
		})
		time.Sleep(12 * time.Hour)
		st, err := New(s, "vendor", "acme", threeRates(), First).State(t.Context())
		if err != nil || len(st.Rates) != 2 || st.Rates[0].Of != 60 || st.Rates[1].Of != 5000 || st.Of != 5000 ||
			st.Left < 90 || st.Left > 150 {
			t.Errorf("after half a day: %+v %v", st, err)
		}
		done.Wait()
		day := vendors[2].calls
		for _, at := range day {
			if at.Sub(start) < 15*time.Minute {
				quarter++
			}
		}
		if quarter < 15*60*95/100 || len(day) < 5000*95/100 {
			t.Errorf("%d calls in the first quarter of an hour, %d in the first day", quarter, len(day))
		}
	})
}

// TestKept: the second class leaves to the first what is kept of a rate, whatever it is kept in.
func TestKept(t *testing.T) {
	for name, r := range map[string]Rate{
		"exact":  {Calls: 10, Window: Minute, Kept: 4},
		"slices": {Calls: 2000, Window: Minute, Kept: 800},
		"fixed":  {Calls: 10, Window: Minute, Kept: 4, Fixed: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newStore(t, 0)
			take := func(c Class) (n int) {
				l := New(s, "vendor", "acme", Budget{Rates: []Rate{r}}, c)
				for {
					if _, err := l.TakeN(t.Context(), r.Calls/10); err != nil {
						return n
					}
					n++
				}
			}
			if second, first := take(Second), take(First); second != 6 || first != 4 {
				t.Errorf("%s: %d for the second class, %d for the first", name, second, first)
			}
		})
	}
}
