package limit

import "context"

// Share is the kind of work that a call is for, if the [Budget] is Shared.
//
// New orders may come by webhook as fast as an account can be called. So that
// they do not starve older work, a part of the calls is kept for each other kind
// of work, but only for a short while after one of its calls was refused: 20 % for
// readings and voids due over 2 minutes, 10 % for retries. New orders come first in
// the rest. Work that belongs to no share takes what is left.
type Share int

// The shares.
const (
	Rest     Share = iota // everything else, as readings that have not been due for long
	Sales                 // new orders
	Readings              // readings of sales, and voids, that have been due for over 2 minutes
	Retries               // orders to be sold that have failed, or may have a sale already
	shares   = 4
)

// of returns how many of the calls are kept for a share.
func (s Share) of(calls int) int {
	reads, retries := calls/5, calls/10
	return [shares]int{Sales: calls - reads - retries, Readings: reads, Retries: retries}[s]
}

type shareKey struct{}

// WithShare returns a context whose calls count as the share's.
func WithShare(ctx context.Context, s Share) context.Context {
	return context.WithValue(ctx, shareKey{}, s)
}

func shareOf(ctx context.Context) Share {
	s, _ := ctx.Value(shareKey{}).(Share)
	return s
}

type bulkKey struct{}

// WithBulk returns a context whose calls of the class Second are of Bulk.
func WithBulk(ctx context.Context) context.Context { return context.WithValue(ctx, bulkKey{}, true) }

func isBulk(ctx context.Context) bool {
	is, _ := ctx.Value(bulkKey{}).(bool)
	return is
}
