package limit

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/testsize"
)

// trade are orders that come while an import runs or does not: how long each takes, and how many calls were made.
type trade struct {
	orders        []time.Duration
	first, second int
}

func (t trade) p95() time.Duration {
	slices.Sort(t.orders)
	return t.orders[len(t.orders)*95/100]
}

// tradeFor has orders come to an account for a span of fake time: each makes two calls, one after the other. every is
// the mean time between two, at which so many come at once.
func tradeFor(t *testing.T, b Budget, span, every time.Duration, atOnce int, imports bool) (got trade) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, 0)
		ctx, cancel := context.WithTimeout(t.Context(), span)
		defer cancel()
		var mu sync.Mutex
		lot := func(lots *rand.Rand, most time.Duration) time.Duration {
			return time.Duration(lots.Int64N(int64(most)))
		}
		// call makes a call as soon as it may, and returns how long it waited for that. What waits comes back by lot.
		call := func(
			ctx context.Context, lots *rand.Rand, l *Limiter, n *int, back time.Duration,
		) (waited time.Duration) {
			took := 300*time.Millisecond + lot(lots, 700*time.Millisecond)
			for {
				_, err := l.Take(context.WithoutCancel(ctx))
				w := (*Wait)(nil)
				if !errors.As(err, &w) {
					break
				}
				nap := max(0, time.Until(w.Until)) + lot(lots, back)
				time.Sleep(nap)
				waited += nap
			}
			mu.Lock()
			*n++
			mu.Unlock()
			time.Sleep(took)
			return waited
		}
		var wg sync.WaitGroup
		if imports {
			for i := range 4 {
				l, lots := New(s, "vendor", "acme", b, Second), rand.New(rand.NewPCG(1, uint64(i)))
				wg.Go(func() {
					for ctx.Err() == nil {
						if call(WithBulk(ctx), lots, l, &got.second, 100*time.Millisecond) > 5*time.Second {
							// a part is over, and its message comes back
							time.Sleep(time.Second + lot(lots, time.Second))
						}
					}
				})
			}
		}
		orders := New(s, "vendor", "acme", b, First)
		arrivals := rand.New(rand.NewPCG(2, 0))
		for ctx.Err() == nil {
			time.Sleep(time.Duration(arrivals.ExpFloat64() * float64(every)))
			for range atOnce {
				lots := rand.New(rand.NewPCG(3, arrivals.Uint64()))
				wg.Go(func() {
					begun := time.Now()
					call(ctx, lots, orders, &got.first, time.Second)
					call(ctx, lots, orders, &got.first, time.Second)
					mu.Lock()
					got.orders = append(got.orders, time.Since(begun))
					mu.Unlock()
				})
			}
		}
		wg.Wait()
	})
	return got
}

// TestImportLeavesOrdersAlone: an import uses nearly all that orders leave of the budget, and they are hardly later for
// it. Only where more orders come at once than the calls that it leaves them does one wait, and then no longer than
// until calls come free, which they do one after another.
func TestImportLeavesOrdersAlone(t *testing.T) {
	testsize.Large(t)
	hours, most := testsize.Of(8, 2, 0), float64(testsize.Of(110, 125, 0)) // the fewer orders, the more it is by chance
	for _, c := range []struct {
		name   string
		budget Budget
		every  time.Duration
		atOnce int
		most   float64 // percent of what p95 is without an import
	}{
		{"60 a minute, two orders a minute", sixty(), 30 * time.Second, 1, most},
		{"60 a minute, ten at once", sixty(), 10 * time.Minute, 10, 1500}, // 20 calls, one of them a second
		{"300 a minute, six orders a minute", threeHundred(), 10 * time.Second, 1, most},
		{"300 a minute, ten at once", threeHundred(), 10 * time.Minute, 10, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			span := time.Duration(hours) * time.Hour * 60 / time.Duration(c.budget.Rates[0].Calls)
			alone, beside := tradeFor(t, c.budget, span, c.every, c.atOnce, false),
				tradeFor(t, c.budget, span, c.every, c.atOnce, true)
			r := c.budget.Rates[0]
			left := float64(r.Calls)*span.Seconds()/r.Window.Seconds() - float64(beside.first)
			use, p95 := 100*float64(beside.second)/left, 100*beside.p95().Seconds()/alone.p95().Seconds()
			t.Logf("%s: %.1f %% of what orders leave, p95 of orders %.0f %% (%v, %v without)", c.name, use, p95,
				beside.p95().Round(time.Millisecond), alone.p95().Round(time.Millisecond))
			if use < 95 || p95 > c.most {
				t.Errorf("want 95 %% at least, and %.0f %% at most", c.most)
			}
		})
	}
}
