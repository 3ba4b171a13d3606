package limit

import "context"

// Share is the part of an account's calls that a caller's work stands for,
// where the [Budget] is Shared.
//
// New orders may come by webhook as fast as an account can be called. So that
// they do not starve what is owed longer, a part of the calls is kept for each
// other kind of work, but only while somebody of it was refused a short while
// ago: 20 % for looks and voids due over 2 minutes, 10 % for retries. In the
// rest new orders come first. What belongs to no share takes what is left.
type Share int

// The shares.
const (
	Rest    Share = iota // looks that are not owed for long, and everything else
	Sales                // new orders
	Looks                // looks at sales, and voids, that have been due for over 2 minutes
	Retries              // orders to be sold that have failed, or may have a sale already
	shares  = 4
)

// of is what of so many calls is kept for a share.
func (s Share) of(calls int) int {
	looks, retries := calls/5, calls/10
	return [shares]int{Sales: calls - looks - retries, Looks: looks, Retries: retries}[s]
}

type shareKey struct{}

// WithShare has every call that is made with the context count as a share's.
func WithShare(ctx context.Context, s Share) context.Context {
	return context.WithValue(ctx, shareKey{}, s)
}

func shareOf(ctx context.Context) Share {
	s, _ := ctx.Value(shareKey{}).(Share)
	return s
}
