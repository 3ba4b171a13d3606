// Package limit says how often an account at a vendor may be called.
//
// What an account has used is one item of the table, its bucket, shared by all
// workers and all tenants that use the account. [Limiter.Take] adds one grant to
// it under the condition that nobody else did meanwhile: usually one write and no
// read, as the bucket last seen is kept in memory, and whoever is refused by the
// condition is told the current one.
//
// # Clocks
//
// Vendors count when calls arrive; we count when they are granted. A grant is
// stamped with the later of the worker's clock and the newest stamp, and is to be
// used within a second of its stamp, or it lapses (it stays spent). Where two
// workers' clocks differ by 2 s at most, a call arrives no more than 3 s after
// its stamp on the faster of the two, and not before it: 60 stamps in any 63 s
// are 60 calls in any 60 s. Clocks that differ by more, or somebody else who
// calls with the same credential, show as throttle answers within budget; they
// block the bucket for a while ([Limiter.Throttled]).
//
// # Classes
//
// Orders and shipments are of the [First] class. When one of them is refused, it
// leaves a mark until shortly after it may come back, and the [Second] class
// leaves the budget alone that long; but however much the first class wants, the
// second gets its turn at one call a minute. What the first class does is
// divided further, see [Share].
//
// # Blocks
//
// A throttle answer blocks the bucket for as long as it says, an hour at most:
// a vendor may say absurd things, and may think better of it. When a block ends,
// one call tries whether it is over; the others wait for its answer, so that an
// account with a thousand orders is asked once. While it is not, blocks grow.
package limit

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"sync/atomic"
	"time"

	"stockbridge/internal/table"
)

// Rate allows so many calls in any span of time as long as Window.
type Rate struct {
	Calls  int
	Window time.Duration
}

// Budget is what a vendor allows an account, with our margin. At most one rate
// may be of more than 1,000 calls.
type Budget struct {
	Rates  []Rate
	Hold   time.Duration // how long a throttle answer without Retry-After blocks; 0 = 15 s
	Shared bool          // parts of it are kept for kinds of work, see Share
}

// margin is what a window is longer than the vendor's, see Clocks above.
const margin = 3 * time.Second

// leastMargin is what is left of the margin whatever the Speed: on the way from
// a grant to the vendor a loaded machine may lose a tenth of a second and more,
// and that it loses at any speed.
const leastMargin = 400 * time.Millisecond

// marginAt is the margin at a speed.
func marginAt(speed float64) time.Duration {
	return max(time.Duration(float64(margin)/speed), leastMargin)
}

// GrantLife is how long after its stamp a grant may be used at a speed: a third
// of the margin, a second at speed 1.
func GrantLife(speed float64) time.Duration { return marginAt(speed) / 3 }

// Cin7Core allows 60 calls in 60 s for each API application.
func Cin7Core() Budget {
	return Budget{Rates: []Rate{{60, time.Minute + margin}}, Shared: true}
}

// Upstock allows 300 calls a minute.
func Upstock() Budget {
	return Budget{Rates: []Rate{{300, time.Minute + margin}}}
}

// Cin7Omni allows 3 calls a second, 60 a minute and 5,000 a day for each API
// connection. A second is less than clocks differ; 3 in 3 s is no slower than
// 60 a minute, and nearly as safe as 1 a second.
func Cin7Omni() Budget {
	return Budget{Rates: []Rate{{3, 3 * time.Second}, {60, time.Minute + margin}, {5000, 24 * time.Hour}}}
}

// Class of a caller.
type Class int

// The classes, see the package comment.
const (
	First  Class = iota // orders, shipments, the first mirror of a connection
	Second              // everything else
)

// Wait is the error of a Take that was refused: come back then.
type Wait struct{ Until time.Time }

func (w *Wait) Error() string {
	return "no call allowed before " + w.Until.UTC().Format(time.RFC3339Nano)
}

// How long things take, at speed 1.
const (
	defaultHold  = 15 * time.Second
	longestGrown = 15 * time.Minute // a block where the vendor does not say for how long
	longestHold  = time.Hour        // whatever a vendor says: look again each hour
	grace        = 5 * time.Second  // how long after it may call the first class is still expected
	turn         = time.Minute      // the second class gets a call as often, whoever waits
	kept         = 48 * time.Hour   // a bucket nobody used so long is dropped; longer than any window
	expected     = 2 * time.Minute  // how long after it may call a refused share is still expected: sweeps come each minute, and spread what they wake over one
	trialFor     = 25 * time.Second // how long one call may try whether a block is over; longer than any call
)

// lapses bounds how many grants of one Take may lapse, as the table takes its time.
const lapses = 10

// Limiter hands out the calls of one account to one class. It is safe for
// concurrent use; its callers take turns, as they would only beat each other.
type Limiter struct {
	table   table.Table
	key     table.Key
	name    string
	budget  Budget
	class   Class
	speed   float64
	now     func() time.Time
	busy    chan struct{} // holds the token of the caller whose turn it is
	seen    table.Item    // as last seen; no Rev = none exists
	known   bool          // seen was read, and is worth a try
	blocked int64         // by Throttled of this Limiter, should its write be lost
	tried   int64         // until when a call of this Limiter keeps the others waiting that tries whether a block is over
	trying  atomic.Bool   // one of its callers tries whether a block is over
}

// Option changes how a Limiter is made.
type Option func(*Limiter)

// Speed divides every duration of the Limiter, as the local runner's -speed
// does, but for the margin of a window: no less than 400 ms is left of that.
func Speed(by float64) Option { return func(l *Limiter) { l.speed = by } }

// Now is the worker's clock, where it is not the machine's: several workers in
// one test with clocks that differ.
func Now(now func() time.Time) Option { return func(l *Limiter) { l.now = now } }

// New makes the Limiter of an account at a vendor. The account's name is hashed
// before it is stored. The budget of one account must be the same for everybody.
func New(t table.Table, vendor, account string, b Budget, c Class, options ...Option) *Limiter {
	sum := sha256.Sum256([]byte(account))
	l := &Limiter{
		table: t,
		key:   table.Key{PK: "BUCKET#" + vendor + "#" + hex.EncodeToString(sum[:16]), SK: "bucket"},
		name:  vendor,
		class: c,
		speed: 1,
		now:   time.Now,
		busy:  make(chan struct{}, 1),
	}
	for _, o := range options {
		o(l)
	}
	l.budget.Hold, l.budget.Shared = l.scaled(b.Hold), b.Shared
	if b.Hold == 0 {
		l.budget.Hold = l.scaled(defaultHold)
	}
	for _, r := range b.Rates {
		l.budget.Rates = append(l.budget.Rates, Rate{r.Calls, l.scaled(r.Window-margin) + marginAt(l.speed)})
	}
	return l
}

func (l *Limiter) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / l.speed)
}

// Take asks for one call. The grant is to be used within [GrantLife] of its
// stamp, else another must be taken. The stamp may lie a little in
// the future, which is no reason to wait. A refusal is a [*Wait].
func (l *Limiter) Take(ctx context.Context) (time.Time, error) {
	if err := l.enter(ctx); err != nil {
		return time.Time{}, err
	}
	defer l.leave()
	for range lapses {
		at, err := l.grant(ctx, shareOf(ctx))
		if errors.Is(err, table.ErrConflict) {
			break // others are faster, again and again
		}
		if err != nil {
			return time.Time{}, err
		}
		if l.now().UnixMicro() <= at+GrantLife(l.speed).Microseconds() {
			return time.UnixMicro(at), nil
		}
	}
	soon, _ := rand.Int(rand.Reader, big.NewInt(int64(200*time.Millisecond)))
	return time.Time{}, &Wait{l.now().Add(l.scaled(50*time.Millisecond + time.Duration(soon.Int64())))}
}

// grant takes one call from the bucket, and returns its stamp.
func (l *Limiter) grant(ctx context.Context, share Share) (at int64, err error) {
	var until, trial int64 // not 0: refused until then; granted as the one call that tries whether a block is over
	var stale bool         // an answer takes the block away: what is remembered of it may be over
	err = l.change(ctx, func(k *bucket) bool {
		now := l.now().UnixMicro()
		pulled := k.believe(now)
		k.blocked = max(k.blocked, l.blocked)
		at, until = k.take(l.budget, l.class, share, l.scaled(turn).Microseconds(), now)
		trial, stale = 0, until > 0 && k.trials > 0 && k.blocked > now
		if until > 0 {
			return l.mark(k, share, until) || pulled
		}
		if k.trials > 0 { // the others wait for what this one call brings
			k.blocked = at + l.scaled(trialFor).Microseconds()
			trial = k.blocked
		}
		return true
	})
	l.known = l.known && !stale
	switch {
	case errors.Is(err, table.ErrConflict):
		return 0, err
	case until > 0: // without the mark it is refused all the same
		return 0, &Wait{time.UnixMicro(until)}
	case err != nil:
		return 0, l.failed(err)
	case trial > 0:
		l.blocked, l.tried = trial, trial
		l.trying.Store(true)
	}
	return at, nil
}

// mark notes in the bucket who was refused until an instant, and reports whether that is news.
func (l *Limiter) mark(k *bucket, share Share, until int64) (news bool) {
	if l.class == First && k.wanted < until {
		news, k.wanted = true, until+l.scaled(grace).Microseconds()
	}
	if l.budget.Shared && share != Rest && k.asked[share] < until {
		news, k.asked[share] = true, until+l.scaled(expected).Microseconds()
		if share == Sales { // they come by themselves: no call is kept idle for them
			k.asked[share] = until + l.scaled(grace).Microseconds()
		}
	}
	return news
}

// Throttled tells everybody to leave the account alone: the vendor refused a
// call for its limit. retryAfter is what its answer says, 0 = nothing.
func (l *Limiter) Throttled(ctx context.Context, retryAfter time.Duration) {
	// The caller may be out of time; others should know all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if l.enter(ctx) != nil {
		return
	}
	defer l.leave()
	tried := l.trying.Swap(false)
	if l.blocked == l.tried { // that was to wait for this answer
		l.blocked = 0
	}
	l.holdFor(l.hold(retryAfter, 1)) // here at least, should the bucket be out of reach
	_ = l.change(ctx, func(k *bucket) bool {
		trials := max(k.trials, 1)
		if tried {
			trials = k.trials + 1
		}
		l.holdFor(l.hold(retryAfter, trials))
		if k.blocked >= l.blocked && !tried {
			return false
		}
		k.blocked, k.trials = l.blocked, trials
		return true
	})
}

// holdFor has this Limiter grant no call for a while.
func (l *Limiter) holdFor(d time.Duration) { l.blocked = max(l.blocked, l.now().Add(d).UnixMicro()) }

// hold is how long a throttle answer blocks the bucket: as long as it says, and
// the longer the more of them came in a row.
func (l *Limiter) hold(retryAfter time.Duration, trials int64) time.Duration {
	growing := min(l.budget.Hold<<min(trials-1, 10), l.scaled(longestGrown))
	switch {
	case retryAfter <= 0:
		return growing
	case trials == 1:
		return min(retryAfter, longestHold)
	}
	return max(min(retryAfter, longestHold), growing)
}

// Answered tells that the vendor took a call. Where that one tried whether a
// block is over, everybody may call again.
func (l *Limiter) Answered(ctx context.Context) {
	if !l.trying.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if l.enter(ctx) != nil {
		return
	}
	defer l.leave()
	if !l.trying.Swap(false) {
		return
	}
	if l.blocked == l.tried {
		l.blocked = 0
	}
	_ = l.change(ctx, func(k *bucket) bool {
		if k.blocked != l.tried { // somebody was throttled since
			return false
		}
		k.blocked, k.trials = 0, 0
		k.wanted = min(k.wanted, l.now().Add(l.scaled(grace)).UnixMicro()) // who waited for the answer need not wait so long
		return true
	})
}

// State is what is left of a budget, for people to see.
type State struct {
	Left, Of     int // calls, of the rate with the least left
	Per          time.Duration
	BlockedUntil time.Time // zero: not blocked
	WantedUntil  time.Time // zero: the first class is not waiting
}

// State reads the bucket.
func (l *Limiter) State(ctx context.Context) (State, error) {
	var k bucket
	it, err := table.Read(ctx, l.table, l.key)
	if err == nil {
		k, err = bucketOf(it)
	}
	if err != nil {
		return State{}, l.failed(err)
	}
	now := l.now().UnixMicro()
	k.believe(now)
	var s State
	for _, r := range l.budget.Rates {
		left := max(0, r.Calls-int(k.used(r, now)))
		if s.Of == 0 || left*s.Of <= s.Left*r.Calls {
			s.Left, s.Of, s.Per = left, r.Calls, r.Window
		}
	}
	if k.blocked > now {
		s.BlockedUntil = time.UnixMicro(k.blocked)
	}
	if k.wanted > now {
		s.WantedUntil = time.UnixMicro(k.wanted)
	}
	return s, nil
}

// enter waits for the caller's turn; a channel, as a mutex cannot be left when
// the caller's time is over.
func (l *Limiter) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return l.failed(err)
	}
	select {
	case l.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return l.failed(ctx.Err())
	}
}

func (l *Limiter) leave() { <-l.busy }

func (l *Limiter) failed(err error) error { return fmt.Errorf("budget of %s: %w", l.name, err) }

// change changes the bucket, unless do reports false. It begins with the one last seen. Others may have taken from it
// since, which the condition of the write finds out; but nobody puts back, so what it refuses stays refused.
func (l *Limiter) change(ctx context.Context, do func(*bucket) bool) error {
	if !l.known {
		var err error
		if l.seen, err = table.Read(ctx, l.table, l.key); err != nil {
			return err
		}
	}
	var err error
	l.seen, err = table.Change(ctx, l.table, l.seen, func(it table.Item) ([]table.Op, error) {
		k, err := bucketOf(it)
		if err != nil || !do(&k) {
			return nil, err
		}
		it.Data, it.Expires = k.encode(), l.now().Add(kept)
		return []table.Op{table.Save(it)}, nil
	})
	l.known = err == nil || errors.Is(err, table.ErrConflict)
	return err
}

// bucketOf reads a bucket; an account that never called has none.
func bucketOf(it table.Item) (bucket, error) {
	if it.Rev == "" {
		return bucket{}, nil
	}
	return decode(it.Data)
}
