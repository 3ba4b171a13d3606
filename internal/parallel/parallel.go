// Package parallel does one thing for many values, a bounded number of them at once.
//
// [Each] is all of it. It is for work that mostly waits, as reads of the table and calls do, where the bound is what the
// other side can bear:
//
//	err := parallel.Each(16, slices.Chunk(ids, 100), func(some []string) error {
//		…
//	})
//
// A value that fails does not keep the others from being done: a sweep that cannot wake one order wakes the next. Where
// the rest is not worth doing, as the caller's time is over, do looks at its context.
package parallel

import (
	"errors"
	"iter"
	"sync"
)

// Each calls do with each of the values, at most so many at once, and returns when all are done, with their errors
// joined. It takes one value more than there is room for, at most.
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
