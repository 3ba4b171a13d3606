package job

import (
	"crypto/rand"
	"math/big"
	"time"
)

// Backoff is the wait after a failure, of which there were so many before it in
// a row: the longest of it doubles each time, and any wait up to that is as
// likely, but none much shorter than the least.
func Backoff(before int, least, most time.Duration) time.Duration {
	d := min(most, least<<min(before, 20))
	return min(most, Jitter(least/2, d))
}

// Jitter is a wait drawn by lot, from base to base and spread together.
func Jitter(base, spread time.Duration) time.Duration {
	if spread <= 0 {
		return base
	}
	v, _ := rand.Int(rand.Reader, big.NewInt(int64(spread)))
	return base + time.Duration(v.Int64())
}

// Latest is the later of two instants, in UTC.
func Latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b.UTC()
	}
	return a.UTC()
}
