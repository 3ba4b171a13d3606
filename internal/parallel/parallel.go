// Package parallel does one thing for many values, a bounded number of them at once.
//
// [Each] is all of it. It is for work that mostly waits, such as reads of the table and calls; the bound is what the
// other side can take:
//
//	err := parallel.Each(16, slices.Chunk(ids, 100), func(some []string) error {
//		…
//	})
//
// A value that fails does not stop the others: a sweep that cannot wake one order wakes the next. To stop when the
// caller's time is over, do looks at its context.
package parallel

import (
	"errors"
	"iter"
	"sync"
)

// Each calls do with each of the values, no more than most of them at once. It returns when all are done, with their
// errors joined. While all are busy, it has taken at most one value more from values.
func Each[T any](most int, values iter.Seq[T], do func(T) error) error {
	var running sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	room := make(chan struct{}, most)
	for v := range values {
		room <- struct{}{}
		running.Go(func() {
			defer func() { <-room }()
			if err := do(v); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}
