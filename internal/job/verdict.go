package job

import (
	"cmp"
	"context"
	"errors"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
)

// ErrShort is a guard's no to a call: too little time is left for it, of the
// invocation or of a lease.
var ErrShort = errors.New("too little time left")

// Verdicts read failed calls.
type Verdicts struct {
	Tenants *tenant.Store
	Ledger  *ledger.Ledger
	Now     func() time.Time
	Times
}

// Of says how work goes on whose call failed with err. b holds the connections
// as they were when the call was made: a key that is refused is that one, and
// not one that was saved since. The result is nil, *ledger.Later, *ledger.Park,
// *ledger.Down, or an error. An outcome comes back as it is, also one with
// which a guard refused the call.
func (v *Verdicts) Of(ctx context.Context, b tenant.Bundle, err error) error {
	if ledger.IsOutcome(err) {
		return err
	}
	if park, ok := errors.AsType[*ledger.Park](err); ok {
		return park
	}
	e, ok := errors.AsType[*rest.Error](err)
	switch {
	case ctx.Err() != nil:
		return err
	case errors.Is(err, ErrShort):
		return v.later("", v.Soon, v.Soon/4, "The time for this attempt ran out before the next call.")
	case !ok:
		return err
	}
	who := tenant.System(e.Who)
	switch e.Kind {
	case rest.Waiting:
		wait := e.RetryAfter
		if w, ok := errors.AsType[*rest.Wait](err); ok {
			wait = max(0, w.Until.Sub(v.Now())) // by the limiter's clock, which is ours
		}
		return v.later(who, wait, v.Soon/5,
			"The budget of calls to "+who.Title()+" is used up for the moment.")
	case rest.Throttled:
		wait := cmp.Or(e.RetryAfter, 3*v.Soon)
		l := v.later(who, wait, wait/4,
			who.Title()+" says that too many calls were made. Somebody else uses the same account's budget.")
		l.Ended = ledger.Throttled
		return l
	case rest.Unauthorized:
		return v.refused(ctx, who, b.Connections[who])
	}
	return Down(who, err)
}

// later is a wait, drawn by lot from one that lasts as long as it must to one
// that lasts the spread longer.
func (v *Verdicts) later(who tenant.System, wait, spread time.Duration, why string) *ledger.Later {
	now := v.Now()
	l := &ledger.Later{Who: who, At: now.Add(Jitter(wait, spread)).UTC(), Why: why}
	if most := now.Add(v.Longest).UTC(); l.At.After(most) {
		l.At, l.By = most, l.At
	}
	return l
}

// refused marks a connection whose key the vendor refused, and tells the tenant.
func (v *Verdicts) refused(ctx context.Context, who tenant.System, c tenant.Connection) error {
	park := &ledger.Park{Needs: who, Why: who.KeyRefused()}
	now, err := v.Tenants.Broken(ctx, c.Tenant, who, c.Generation, park.Why)
	switch {
	case errors.Is(err, tenant.ErrNotFound): // it was taken away meanwhile
		return park
	case err != nil:
		return err
	case now.State == tenant.Connected:
		return v.Replaced()
	}
	err = v.Ledger.RecordOnce(ctx, c.Tenant, now.Refused, "keyRefused "+string(who), ledger.Event{
		Kind: "keyRefused",
		Text: park.Why + " Save a new key; what waits for it goes on by itself then.",
	})
	if err != nil {
		return err
	}
	return park
}

// Replaced is the verdict on a refused key that is another one by now.
func (v *Verdicts) Replaced() *ledger.Later {
	return v.later("", v.Soon/5, v.Soon/20, "The key has just been replaced.")
}

// Down is the verdict on an answer that cannot be believed, or on none. A pair
// calls it where only the pair sees that an answer makes no sense.
func Down(who tenant.System, err error) *ledger.Down {
	why := NoAnswer(who, err) + "."
	if said := rest.MessagesOf(err); len(said) > 0 {
		why += " It said: " + prose.Quote(said[0])
	}
	return &ledger.Down{Who: who, Why: why, Err: err}
}

// NoAnswer begins a sentence about a vendor that gave no believable answer.
func NoAnswer(who tenant.System, err error) string {
	return who.Title() + " gave no usable answer (" + rest.Reason(err) + ")"
}

// Outdated reports whether a job's problem was that a key was refused which has been replaced since.
func Outdated(b tenant.Bundle, problem string) bool {
	for sys, c := range b.Connections {
		if problem == sys.KeyRefused() && c.State == tenant.Connected {
			return true
		}
	}
	return false
}
