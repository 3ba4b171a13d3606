// Package limit limits how often an account at a vendor is called.
//
// What an account has used is one item of the table, its bucket, shared by all
// workers and all tenants that use the account. [Limiter.Take] adds one grant to
// it on the condition that nobody else did meanwhile. That is usually one write and
// no read, as the bucket last seen is kept in memory, and a write that the condition
// refuses returns the current one.
//
// # Clocks
//
// Vendors count when calls arrive; we count when they are granted. A grant is
// stamped with the later of the worker's clock and the newest stamp. It must be
// used within a second of its stamp, or it lapses (it stays spent). If two
// workers' clocks differ by 2 s at most, a call arrives no more than 3 s after
// its stamp on the faster of the two, and not before it: 60 stamps in any 63 s
// are 60 calls in any 60 s. Clocks that differ by more, or somebody else who
// calls with the same credential, show as throttle answers within budget; these
// block the bucket for a while ([Limiter.Throttled]).
//
// # Fixed windows
//
// Some vendors count in windows that begin with the first call after the last window ended, and forget all when one
// ends. Of such a rate no grants are kept, only when the window may have begun, and what was spent in it. As a call
// arrives up to 3 s after its stamp, nothing is granted from 3 s before the earliest end of a window to its latest
// one: such a call might be the first of the vendor's next window, of which nobody would know when it began. All of
// this holds as long as the calls that are made are ours; where others call with the credential, throttle answers
// tell.
//
// # Classes
//
// Orders and shipments are of the [First] class. When a call of theirs is refused,
// it leaves a mark until shortly after it may come back, and the [Second] class
// leaves the budget alone until then. However much the first class wants, the
// second gets one call a minute. The first class is divided further, see [Share].
//
// Work of the second class that goes on for hours, as an import does, is [Bulk]. It would take a window's
// calls at once, again and again, and an order that comes then would wait for as long as the window is. So it leaves a
// few calls free, one in 25, and spreads its own over the window: calls that were made one after another come free one
// after another, and the few are there again within seconds. It has more than 95 % of what the others leave, and 19 of
// 20 orders do not wait for it. Where most of the window is free, it is not spread. Other work of the second class
// makes a few calls and is over: it takes what is free.
//
// A rate of a long window, as a day's, would be spent by the second class long before it ends, and the first class
// would have to wait for hours. Of such a rate some calls are kept for the first class all the time (Rate.Kept): as
// many as it needs in a whole window.
//
// # Blocks
//
// A throttle answer blocks the bucket for as long as it says, but for an hour at
// most, as a vendor may say absurd things, or change its mind. When a block ends,
// one call tries the account; the others wait for its answer, so that an account
// with a thousand orders is asked once. If it is throttled again, the next block is
// longer. The blocked accounts of all vendors are listed in the sparse index BLOCKED ([Blocked]).
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

// Rate allows Calls calls in any span of time as long as Window. Where some calls cost more than others
// ([Limiter.TakeN]), it allows as much as Calls calls that cost one.
type Rate struct {
	Calls  int
	Window time.Duration
	Fixed  bool // the window begins with a call after the one before ended, see Fixed windows above
	Kept   int  // of Calls, those that the second class leaves to the first, see Classes above

	margin time.Duration // the part of Window that is our margin; New sets it, as the next one
	brief  bool          // it is over before a person has read what is left of it
}

// Budget is what a vendor allows an account, with our margin. At most one rate
// may be of more than 1,000 calls.
type Budget struct {
	Rates  []Rate
	Unit   string        // what the rates count, of which a call may cost several; "" = calls
	Block  time.Duration // how long a throttle answer without Retry-After blocks; 0 = 15 s
	Shared bool          // parts of it are kept for some kinds of work, see Share
}

// margin is how much longer a window is than the vendor's, see Clocks above.
const margin = 3 * time.Second

// leastMargin is what is left of the margin at any Speed. On the way from a grant
// to the vendor a loaded machine may lose a tenth of a second and more, at any
// speed.
const leastMargin = 400 * time.Millisecond

// marginAt is the margin at a speed.
func marginAt(speed float64) time.Duration {
	return max(time.Duration(float64(margin)/speed), leastMargin)
}

// GrantLife is how long after its stamp a grant may be used at a speed: a third
// of the margin, a second at speed 1.
func GrantLife(speed float64) time.Duration { return marginAt(speed) / 3 }

// Minute is the window of a rate that a vendor counts by the minute.
const Minute = time.Minute + margin

// FiveMinutes is the window of a rate that a vendor counts in spans of five minutes.
const FiveMinutes = 5*time.Minute + margin

// Class of a caller.
type Class int

// The classes, see the package comment.
const (
	First  Class = iota // orders, shipments, the first mirror of a connection
	Second              // everything else
	Bulk                // of the second, what goes on for hours, as an import does
)

// Wait is the error of a refused Take: do not come back before Until.
type Wait struct{ Until time.Time }

func (w *Wait) Error() string {
	return "no call allowed before " + w.Until.UTC().Format(time.RFC3339Nano)
}

// How long things take, at speed 1.
const (
	defaultBlock      = 15 * time.Second
	longestGrownBlock = 15 * time.Minute // if the vendor does not say for how long
	longestBlock      = time.Hour        // whatever the vendor says
	grace             = 5 * time.Second  // how long the first class is expected after it may call
	turnEvery         = time.Minute      // how often the second class gets a call, even if the first waits
	keepFor           = 48 * time.Hour   // an unused bucket is dropped after it; longer than any window
	// how long a refused share is expected after it may call: a sweep comes each minute, and spreads the orders it
	// wakes over a minute
	expectFor = 2 * time.Minute
	trialFor  = 25 * time.Second // how long the others wait for the trial of a block; longer than any call
)

// mostLapses is how many grants of one Take may lapse because the table is slow.
const mostLapses = 10

// Limiter hands out the calls of one account to one class. It is safe for
// concurrent use; its callers take turns, as they would only beat each other.
type Limiter struct {
	table        table.Table
	key          table.Key
	place        string // among the blocked ones
	name         string
	budget       Budget
	class        Class
	speed        float64
	now          func() time.Time
	busy         chan struct{} // holds the token of the caller whose turn it is
	seen         table.Item    // the bucket as last seen; no Rev = none exists
	known        bool          // seen was read, and a write may be tried on it
	blockedUntil int64         // by Throttled of this Limiter, should its write be lost
	trialUntil   int64         // others wait until then for this Limiter's trial of a block
	trying       atomic.Bool   // the trial of a block is under way
}

// Option changes how a Limiter is made.
type Option func(*Limiter)

// Speed divides every duration of the Limiter, as the local runner's -speed
// does, but for the margin of a window: no less than 400 ms is left of that.
func Speed(by float64) Option { return func(l *Limiter) { l.speed = by } }

// Now sets the worker's clock, for a test of workers whose clocks differ.
func Now(now func() time.Time) Option { return func(l *Limiter) { l.now = now } }

// New makes the Limiter of an account at a vendor. The account's name is hashed
// before it is stored. The budget of one account must be the same for everybody.
func New(t table.Table, vendor, account string, b Budget, c Class, options ...Option) *Limiter {
	sum := sha256.Sum256([]byte(account))
	hash := hex.EncodeToString(sum[:])
	l := &Limiter{
		table: t,
		key:   table.Key{PK: "BUCKET#" + vendor + "#" + hash[:32], SK: "bucket"},
		place: vendor + "#" + hash,
		name:  vendor,
		class: c,
		speed: 1,
		now:   time.Now,
		busy:  make(chan struct{}, 1),
	}
	for _, o := range options {
		o(l)
	}
	l.budget.Block, l.budget.Shared, l.budget.Unit = l.scaled(b.Block), b.Shared, b.Unit
	if b.Block == 0 {
		l.budget.Block = l.scaled(defaultBlock)
	}
	for _, r := range b.Rates {
		r.margin, r.brief = marginAt(l.speed), r.Window < Minute/2
		r.Window = l.scaled(r.Window-margin) + r.margin
		l.budget.Rates = append(l.budget.Rates, r)
	}
	return l
}

func (l *Limiter) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / l.speed)
}

// Take asks for one call, and returns the stamp of the grant. The grant must be
// used within [GrantLife] of its stamp, or another must be taken. The stamp may
// lie a little in the future, which is no reason to wait. A refusal is a [*Wait].
func (l *Limiter) Take(ctx context.Context) (time.Time, error) { return l.TakeN(ctx, 1) }

// TakeN is Take for a call that costs as much as n.
func (l *Limiter) TakeN(ctx context.Context, n int) (time.Time, error) {
	if err := l.enter(ctx); err != nil {
		return time.Time{}, err
	}
	defer l.leave()
	for range mostLapses {
		at, err := l.grant(ctx, n, shareOf(ctx))
		if errors.Is(err, table.ErrConflict) {
			break // others were faster each time
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
func (l *Limiter) grant(ctx context.Context, n int, share Share) (at int64, err error) {
	var until, trial int64 // not 0: refused until then; granted as the trial of a block, for which others wait so long
	var stale bool         // refused by a block that an answer may have ended by now
	class := l.class
	if class == Second && isBulk(ctx) {
		class = Bulk
	}
	err = l.change(ctx, func(k *bucket) bool {
		now := l.now().UnixMicro()
		pulled := k.clampFuture(now)
		k.blockedUntil = max(k.blockedUntil, l.blockedUntil)
		at, until = k.take(l.budget, class, share, n, l.scaled(turnEvery).Microseconds(), now)
		trial, stale = 0, until > 0 && k.trials > 0 && k.blockedUntil > now
		if until > 0 {
			return l.mark(k, share, until) || pulled
		}
		if k.trials > 0 { // the others wait for the answer to this call
			k.blockedUntil = at + l.scaled(trialFor).Microseconds()
			trial = k.blockedUntil
		}
		return true
	})
	l.known = l.known && !stale
	switch {
	case errors.Is(err, table.ErrConflict):
		return 0, err
	case until > 0: // even if the mark could not be written
		return 0, &Wait{time.UnixMicro(until)}
	case err != nil:
		return 0, l.failed(err)
	case trial > 0:
		l.blockedUntil, l.trialUntil = trial, trial
		l.trying.Store(true)
	}
	return at, nil
}

// mark notes in the bucket who was refused and until when, and reports whether that is news.
func (l *Limiter) mark(k *bucket, share Share, until int64) (news bool) {
	if l.class == First && k.wantedUntil < until {
		news, k.wantedUntil = true, until+l.scaled(grace).Microseconds()
	}
	if l.budget.Shared && share != Rest && k.askedUntil[share] < until {
		news, k.askedUntil[share] = true, until+l.scaled(expectFor).Microseconds()
		if share == Sales { // new orders come by themselves, so no calls are kept for them for long
			k.askedUntil[share] = until + l.scaled(grace).Microseconds()
		}
	}
	return news
}

// Throttled blocks the account for everybody: the vendor refused a call for its
// limit, or answered 503. retryAfter is what its answer says, 0 = nothing.
func (l *Limiter) Throttled(ctx context.Context, retryAfter time.Duration) {
	// The caller may be out of time; others must know all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if l.enter(ctx) != nil {
		return
	}
	defer l.leave()
	tried := l.trying.Swap(false)
	if l.blockedUntil == l.trialUntil { // it was blocked only to wait for this answer
		l.blockedUntil = 0
	}
	l.block(l.blockFor(retryAfter, 1)) // should the bucket be out of reach
	_ = l.change(ctx, func(k *bucket) bool {
		trials := max(k.trials, 1)
		if tried {
			trials = k.trials + 1
		}
		l.block(l.blockFor(retryAfter, trials))
		if k.blockedUntil >= l.blockedUntil && !tried {
			return false
		}
		k.blockedUntil, k.trials = l.blockedUntil, trials
		return true
	})
}

// block lets this Limiter grant no call for a while.
func (l *Limiter) block(d time.Duration) {
	l.blockedUntil = max(l.blockedUntil, l.now().Add(d).UnixMicro())
}

// blockFor is how long a throttle answer blocks the bucket: as long as it says,
// and longer the more of them came in a row.
func (l *Limiter) blockFor(retryAfter time.Duration, trials int64) time.Duration {
	growing := min(l.budget.Block<<min(trials-1, 10), l.scaled(longestGrownBlock))
	switch {
	case retryAfter <= 0:
		return growing
	case trials == 1:
		return min(retryAfter, longestBlock)
	}
	return max(min(retryAfter, longestBlock), growing)
}

// Answered notes that the vendor took a call. If that was the trial of a block,
// everybody may call again.
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
	if l.blockedUntil == l.trialUntil {
		l.blockedUntil = 0
	}
	_ = l.change(ctx, func(k *bucket) bool {
		if k.blockedUntil != l.trialUntil { // somebody was throttled since
			return false
		}
		k.blockedUntil, k.trials = 0, 0
		// those who waited for the answer need not wait so long
		k.wantedUntil = min(k.wantedUntil, l.now().Add(l.scaled(grace)).UnixMicro())
		return true
	})
}

// Allowance is what is left of a rate.
type Allowance struct {
	Left, Of int // calls that cost one
	Per      time.Duration
}

// State is what is left of a budget, to be shown to people.
type State struct {
	Allowance                // of the rate with the least left
	Rates        []Allowance // of each, the shortest window first; if there are others, without those of some seconds
	BlockedUntil time.Time   // zero: not blocked
	WantedUntil  time.Time   // zero: the first class is not waiting
	Unit         string      // the budget's
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
	k.clampFuture(now)
	s := State{Rates: k.allowances(l.budget, now), Unit: l.budget.Unit}
	for _, a := range s.Rates {
		if s.Of == 0 || a.Left*s.Of <= s.Left*a.Of {
			s.Allowance = a
		}
	}
	if k.blockedUntil > now {
		s.BlockedUntil = time.UnixMicro(k.blockedUntil)
	}
	if k.wantedUntil > now {
		s.WantedUntil = time.UnixMicro(k.wantedUntil)
	}
	return s, nil
}

// enter waits for the caller's turn. The turn is a channel, as waiting for a mutex
// cannot end with the caller's time.
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

// change changes the bucket, unless do reports false. It begins with the bucket last seen. Others may have taken calls
// since, which the condition of the write finds out; but nobody gives calls back, so what it refuses stays refused.
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
		it.Data, it.Expires = k.encode(), l.now().Add(keepFor)
		it.Index, it.Sort = "", ""
		if k.trials > 0 {
			it.Index, it.Sort = blockedIndex, l.place
		}
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
