package limit

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// credits are 300 in each window of five minutes that begins with a call; a call may cost several.
func credits() Budget { return Budget{Rates: []Rate{{Calls: 300, Window: FiveMinutes, Fixed: true}}} }

// spending is a call as a vendor sees it.
type spending struct{ at, cost int64 }

// mostInWindow counts what a vendor counts, without any of our arithmetic: the most that was spent in a window that
// began with the first call after the one before.
func mostInWindow(calls []spending, length int64) (most int64) {
	slices.SortFunc(calls, func(a, b spending) int { return cmp.Compare(a.at, b.at) })
	began, used := int64(0), int64(0)
	for i, c := range calls {
		if i == 0 || c.at >= began+length {
			began, used = c.at, 0
		}
		used += c.cost
		most = max(most, used)
	}
	return most
}

// TestCosts: what a call costs is taken of every kind of rate.
func TestCosts(t *testing.T) {
	const s = int64(time.Second / time.Microsecond)
	ten := func(r Rate) Budget { r.margin = time.Second; return Budget{Rates: []Rate{r}} }
	for name, b := range map[string]Budget{
		"exact":  ten(Rate{Calls: 10, Window: 96 * time.Second}),
		"slices": ten(Rate{Calls: 10000, Window: 96 * time.Second}),
		"fixed":  ten(Rate{Calls: 10, Window: 96 * time.Second, Fixed: true}),
	} {
		unit := b.Rates[0].Calls / 10
		k, now := bucket{}, 1000*s
		take := func(n int) (until int64) {
			_, until = k.take(b, First, Rest, n*unit, 60*s, now)
			return until
		}
		if u := take(4); u != 0 {
			t.Errorf("%s: the first waits until %d", name, u)
		}
		now += 10 * s
		if u := take(5); u != 0 {
			t.Errorf("%s: the second waits until %d", name, u)
		}
		// One is left, so that four come free with the first call's; a slice is a second long.
		want := 1096 * s
		if name == "slices" {
			want = 1097 * s
		}
		if u := take(5); u != want {
			t.Errorf("%s: the third waits until %d, not %d", name, u, want)
		}
		if u := take(1); u != 0 {
			t.Errorf("%s: the small one waits until %d", name, u)
		}
		now = want
		if u := take(11); name != "fixed" && u == 0 || name == "fixed" && u != 0 {
			t.Errorf("%s: more than there ever are waits until %d", name, u)
		}
	}
}

// TestNeverMoreThanAFixedWindowAllows: calls that are made within a second of their stamp never cost more than 300 in
// one of the vendor's windows, whoever makes them and whenever, while clocks differ by 2 s at most.
func TestNeverMoreThanAFixedWindowAllows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const s = int64(time.Second / time.Microsecond)
		b := credits()
		b.Rates[0].margin = margin
		offsets := rapid.SliceOfN(rapid.SampledFrom([]int64{-s, s, 0, s / 3}), 1, 5).Draw(t, "offsets")
		var k bucket
		var calls []spending
		real, next := 1_000_000*s, int64(0)
		for range rapid.IntRange(2, 12).Draw(t, "bursts") {
			offset := rapid.SampledFrom(offsets).Draw(t, "worker")
			if rapid.SampledFrom([]bool{true, true, false}).Draw(t, "as told") {
				real = max(real, next-offset)
			} else {
				passed := rapid.SampledFrom([]int64{1, 150, 290, 296, 299, 302, 310})
				real += passed.Draw(t, "pass") * s
			}
			cost := rapid.SampledFrom([]int{1, 5, 5}).Draw(t, "cost")
			for range rapid.SampledFrom([]int{301, 61, 20, 1}).Draw(t, "calls") {
				at, until := k.take(b, First, Rest, cost, 60*s, real+offset)
				if until > 0 {
					next = until
					break
				}
				latest := max(0, at+s-(real+offset))
				late := rapid.SampledFrom([]int64{0, latest}).Draw(t, "after")
				calls = append(calls, spending{real + late, int64(cost)})
			}
		}
		if most := mostInWindow(calls, 300*s); most > 300 {
			t.Fatalf("%d in a window", most)
		}
	})
}

// TestSixteenWorkersUseTheCredits: of what a vendor allows in fixed windows, reads and writes use all but what the
// margin costs, and none is refused.
func TestSixteenWorkersUseTheCredits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, 15*time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
		defer cancel()
		var (
			mu     sync.Mutex
			calls  []spending
			spent  int64
			writes int
			wg     sync.WaitGroup
		)
		for i := range 16 {
			offset := time.Duration(i-8) * time.Second / 8
			l := New(s, "acme", "zenith", credits(), Class(i%2),
				Now(func() time.Time { return time.Now().Add(offset) }))
			cost := []int{1, 5}[i%2]
			wg.Go(func() {
				for ctx.Err() == nil {
					_, err := l.TakeN(ctx, cost)
					if w := (*Wait)(nil); errors.As(err, &w) {
						time.Sleep(max(time.Millisecond, w.Until.Sub(l.now())))
						continue
					}
					if err == nil {
						mu.Lock()
						calls = append(calls, spending{time.Now().UnixMicro(), int64(cost)})
						spent += int64(cost)
						writes += cost / 5
						mu.Unlock()
						time.Sleep(rand.N(2 * time.Second))
					}
				}
			})
		}
		wg.Wait()
		const whole = 3 * 3600 // a credit a second
		t.Logf("%d credits of %d, %d of them by writes, %d writes to the table", spent, whole, 5*writes, s.writes)
		if most := mostInWindow(calls, int64(5*time.Minute/time.Microsecond)); most > 300 || spent < whole*95/100 ||
			writes < whole/5/10 {
			t.Errorf("%d credits of %d in %d calls, %d in one window", spent, whole, len(calls), most)
		}
	})
}

// TestFixedWindow: a window's credits come back all at once, for everybody, also after a call that was made without a
// grant, and the state says what is left.
func TestFixedWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, 0)
		a, b := New(s, "acme", "zenith", credits(), First), New(s, "acme", "zenith", credits(), Second)
		if st, err := a.State(t.Context()); err != nil || st.Left != 300 || st.Of != 300 {
			t.Fatalf("%+v, %v", st, err)
		}
		start := time.Now()
		for range 59 {
			if _, err := a.TakeN(t.Context(), 5); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		if _, err := b.Take(t.Context()); err != nil {
			t.Fatal(err)
		}
		var w *Wait
		if _, err := a.TakeN(t.Context(), 5); !errors.As(err, &w) || w.Until.Sub(start) != FiveMinutes {
			t.Errorf("%v", err)
		}
		if st, err := b.State(t.Context()); err != nil || st.Left != 4 || st.Per != FiveMinutes {
			t.Errorf("%+v, %v", st, err)
		}
		time.Sleep(time.Until(start.Add(298 * time.Second))) // it might begin the vendor's next window
		if _, err := a.Take(t.Context()); !errors.As(err, &w) || w.Until.Sub(start) != FiveMinutes {
			t.Errorf("at the window's end: %v", err)
		}
		time.Sleep(time.Until(w.Until))
		a.Note(t.Context()) // of a call that was made up to 25 s before
		if st, err := b.State(t.Context()); err != nil || st.Left != 299 {
			t.Errorf("%+v, %v", st, err)
		}
		start = time.Now()
		time.Sleep(271 * time.Second)
		if _, err := a.Take(t.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Second)
		if _, err := a.Take(t.Context()); !errors.As(err, &w) || w.Until.Sub(start) != FiveMinutes {
			t.Errorf("after a call without a grant: %v", err)
		}
		if it, _ := s.Table.Get(t.Context(), a.key); len(it) != 1 || len(it[0].Data) > 80 {
			t.Errorf("the bucket takes %d bytes", len(it[0].Data))
		}
	})
}
