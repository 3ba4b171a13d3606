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

// Exchange is one call as it went over the wire, or did not. Headers, and with them credentials, are no part of it.
type Exchange struct {
	Method, Path, Query string
	Request, Answer     []byte
	Status              int   // 0: no answer
	Err                 error // a *Error unless nil
	At                  time.Time
	Took                time.Duration
	Date                time.Time // the answer's own; zero: it has none that can be read
	Outcome             Outcome
}

// WithGuard makes every call ask first, just before its request is written and after the limiter has let it pass; an error
// means that it is never sent (Refused, NotSent, wrapping it). Guards add up.
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

// WithRecorder has every exchange reported, those that were never sent too. Recorders add up.
func WithRecorder(ctx context.Context, record func(Exchange)) context.Context {
	if outer, ok := ctx.Value(recorderKey{}).(func(Exchange)); ok {
		inner := record
		record = func(x Exchange) { outer(x); inner(x) }
	}
	return context.WithValue(ctx, recorderKey{}, record)
}

func guardOf(ctx context.Context) error {
	if guard, ok := ctx.Value(guardKey{}).(func() error); ok {
		return guard()
	}
	return nil
}

// reservation is a grant taken ahead, for the one next call of its client.
type reservation struct {
	of    *Client
	stamp time.Time
	used  atomic.Bool
}

// grantLife is how long a grant may wait for its call: after that it no longer stands for the moment of the call.
const grantLife = time.Second

func (r *reservation) take(c *Client) bool {
	return r != nil && r.of == c && r.used.CompareAndSwap(false, true) && time.Since(r.stamp) <= cmp.Or(c.GrantLife, grantLife)
}
