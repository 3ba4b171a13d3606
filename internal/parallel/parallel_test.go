package parallel_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/parallel"
)

// TestEach: never more at once than allowed, and all of them, whichever fail.
func TestEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, most = 100, 8
		values := make([]int, n)
		for i := range values {
			values[i] = i
		}
		errOdd := errors.New("odd")
		var mu sync.Mutex
		done, running, peak := 0, 0, 0
		count := func(by int) {
			mu.Lock()
			defer mu.Unlock()
			if running += by; by < 0 {
				done++
			}
			peak = max(peak, running)
		}
		start := time.Now()
		err := parallel.Each(most, slices.Values(values), func(i int) error {
			count(1)
			defer count(-1)
			time.Sleep(time.Second)
			if i%2 == 1 {
				return fmt.Errorf("%d: %w", i, errOdd)
			}
			return nil
		})
		joined, ok := err.(interface{ Unwrap() []error })
		if done != n || peak != most || time.Since(start) != 13*time.Second {
			t.Errorf("%d done, %d at once, in %v", done, peak, time.Since(start))
		}
		if !ok || len(joined.Unwrap()) != n/2 || !errors.Is(err, errOdd) {
			t.Errorf("%v", err)
		}
		if err := parallel.Each(most, slices.Values([]int{}), func(int) error { return errOdd }); err != nil {
			t.Errorf("of nothing: %v", err)
		}
	})
}
