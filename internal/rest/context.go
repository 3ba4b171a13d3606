package rest

import (
	"cmp"
	"context"
	"sync/atomic"
	"time"
)

type (
	guardKey    struct{}
	recorderKey struct{}
	grantKey    struct{}
)

// Exchange is one call as it went over the wire, or did not. It has no headers, as they hold credentials.
type Exchange struct {
	Method, Path, Query string
	Request, Answer     []byte
	Status              int   // 0: no answer
	Err                 error // a *Error unless nil
	At                  time.Time
	Took                time.Duration
	Date                time.Time // from the answer's header; zero: none, or not readable
	Outcome             Outcome

	clean []byte // Answer without secrets, where it was read
}

// WithGuard returns a context in which every call asks guard just before its request is written, after the limiter let
// it pass. If guard returns an error, the request is never sent (Refused, NotSent, wrapping the error). Guards add up.
func WithGuard(ctx context.Context, guard func() error) context.Context {
	if outer, ok := ctx.Value(guardKey{}).(func() error); ok {
		inner := guard
		guard = func() error {
			if err := outer(); err != nil {
				return err
			}
			return inner()
		}
	}
	return context.WithValue(ctx, guardKey{}, guard)
}

// WithRecorder returns a context in which record is called with every exchange, also with those that were never sent.
// Recorders add up.
func WithRecorder(ctx context.Context, record func(Exchange)) context.Context {
	if outer, ok := ctx.Value(recorderKey{}).(func(Exchange)); ok {
		inner := record
		record = func(x Exchange) { outer(x); inner(x) }
	}
	return context.WithValue(ctx, recorderKey{}, record)
}

// Unrecorded returns a context in which no exchange is recorded: of calls whose answers are secrets.
func Unrecorded(ctx context.Context) context.Context {
	return context.WithValue(ctx, recorderKey{}, nil)
}

func checkGuard(ctx context.Context) error {
	if guard, ok := ctx.Value(guardKey{}).(func() error); ok {
		return guard()
	}
	return nil
}

// reservation is a grant taken beforehand, for the next call of its client.
type reservation struct {
	of    *Client
	stamp time.Time
	used  atomic.Bool
}

// grantLife is how long a grant may wait for its call. The limiter counts on it.
const grantLife = time.Second

// take uses the grant, and reports whether it was there for this client and still good.
func (r *reservation) take(c *Client) bool {
	return r != nil && r.of == c && r.used.CompareAndSwap(false, true) &&
		time.Since(r.stamp) <= cmp.Or(c.GrantLife, grantLife)
}
