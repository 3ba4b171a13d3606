package job

import (
	"context"
	"errors"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/limit"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
)

// Part is one tenant's part of a job while it is done.
type Part struct {
	Message
	Kind   Kind
	Bundle tenant.Bundle  // the tenant, and its connections as they were when the part began
	Cursor *ledger.Cursor // nil for a kind without one

	runner *Runner
	napped time.Duration // see Call
	turn   bool          // it has the turn of a run
}

// Connection is the one to the system whose list the kind reads.
func (p *Part) Connection() tenant.Connection { return p.Bundle.Connections[p.Kind.List] }

// Interval is the time between two schedules of the kind; 0 = it starts by hand only.
func (p *Part) Interval() time.Duration { return p.runner.Interval(p.Kind) }

// Short is ErrShort where too little of the invocation is left for one more call.
func (p *Part) Short(ctx context.Context) error {
	if d, ok := ctx.Deadline(); ok && time.Until(d) < p.runner.MinInvocation {
		return ErrShort
	}
	return nil
}

// Now is the worker's clock.
func (p *Part) Now() time.Time { return p.runner.Now() }

// Times are how long things take.
func (p *Part) Times() Times { return p.runner.Times }

// Call makes a call, unless too little time is left for it by the time that it may be sent (ErrShort). Where the
// limiter lets nobody pass for a moment, it waits: of a long reading nobody is kept waiting by that, and a message
// costs more. All calls of a part together wait for Times.Soon at most; of Bulk, whose calls are spread, each does.
func (p *Part) Call(ctx context.Context, f func(context.Context) error) error {
	guarded := rest.WithGuard(ctx, func() error { return p.Short(ctx) })
	for {
		if err := p.Short(ctx); err != nil {
			return err
		}
		err := f(guarded)
		wait, ok := errors.AsType[*rest.Wait](err)
		if !ok {
			return err
		}
		nap := max(0, wait.Until.Sub(p.Now())) + Jitter(10*time.Millisecond, 100*time.Millisecond)
		if p.Kind.Class != limit.Bulk {
			p.napped += nap
		}
		if max(p.napped, nap) > p.runner.Soon {
			return err
		}
		select {
		case <-time.After(nap):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Soon ends a part that comes back in a moment, and has nothing to say of that.
func (p *Part) Soon() error {
	return &ledger.Later{At: p.Now().Add(p.runner.Soon)}
}

// Beside has another list of the same system read, by a cursor of its own under a name: read does it as a part of its
// own, whose cursor a Window moves. What ends it early is for the part itself to return: End tells of it, and has the
// part come back. Where another worker reads the same list, the part comes back in a moment.
func (p *Part) Beside(ctx context.Context, name string, read func(context.Context, *Part) error) error {
	cur, err := p.runner.Ledger.Cursor(ctx, p.Tenant, name)
	if err != nil {
		return err
	}
	if account := p.Connection().Account; cur.Account != account {
		cur.Restart(account)
	}
	beside := &Part{Message: p.Message, Kind: p.Kind, Bundle: p.Bundle, Cursor: cur, runner: p.runner}
	if err = read(ctx, beside); err != nil && !errors.Is(err, ledger.ErrBehind) {
		if serr := beside.Save(ctx); serr != nil { // the cursor is as far as the reading came
			err = serr
		}
	}
	if errors.Is(err, ledger.ErrBehind) {
		return p.Soon()
	}
	if p.Cursor != nil && err == nil && p.Cursor.Stopped.By == p.Kind.List {
		p.Cursor.Stopped = ledger.Stopped{} // the vendor answers
	}
	return err
}

// Skip has the list read on at an instant, by the vendor's clock: what changed before is read otherwise.
func (p *Part) Skip(to time.Time) {
	leave(p.Cursor)
	p.Cursor.Since = to.UTC()
}

// Verdict reads a failed call of the part's, as Verdicts.Of does.
func (p *Part) Verdict(ctx context.Context, err error) error {
	return p.runner.Of(ctx, p.Bundle, err)
}

// Again sends the part's message anew.
func (p *Part) Again(ctx context.Context, delay time.Duration) error {
	return p.runner.Start(ctx, p.Tenant, p.Job, delay)
}

// Save writes the cursor. ledger.ErrBehind ends the part: a worker that was faster has done the work, or does it.
func (p *Part) Save(ctx context.Context) error { return p.runner.Ledger.SaveCursor(ctx, p.Cursor) }

// Reload reads the cursor again, which others write when they ask for the job. Only what began with this part is
// kept: a kind that saves its work elsewhere can say what came of it all the same.
func (p *Part) Reload(ctx context.Context) error {
	cur, err := p.runner.Ledger.Cursor(ctx, p.Tenant, p.Job)
	if err != nil {
		return err
	}
	cur.Started = Latest(cur.Started, p.Cursor.Started)
	p.Cursor = cur
	return nil
}

// Close ends a window that is read to its end: the cursor moves to the newest change that was seen, less the overlap.
// Zero leaves it where it is.
func (p *Part) Close(ctx context.Context, newest time.Time) error {
	return p.close(ctx, newest, time.Time{})
}

// close is Close of work that answers whoever asked until then.
func (p *Part) close(ctx context.Context, newest, answered time.Time) error {
	asked := false
	err := p.keep(ctx, func(cur *ledger.Cursor) {
		leave(cur)
		if since := newest.Add(-p.runner.Overlap); since.After(cur.Since) {
			cur.Since = since.UTC()
		}
		if !cur.Asked.After(answered) {
			cur.Started = Latest(cur.Started, cur.Asked)
		}
		cur.Problem, cur.Stopped, cur.Again = "", ledger.Stopped{}, time.Time{}
		cur.Checked, cur.Last, cur.Tally = p.Now().UTC(), cur.Tally, ledger.Tally{}
		asked = cur.Asked.After(cur.Started)
	})
	if err != nil || !asked {
		return err
	}
	return p.Again(ctx, p.runner.Soon)
}

// keep changes the cursor and saves it. While a part has the turn of a run, others write the cursor only to ask for the
// job (Runner.Kick), and their message finds the turn taken: nobody else would go on, so the change is made beside what
// they wrote. Without a turn, ledger.ErrBehind says that another worker was faster.
func (p *Part) keep(ctx context.Context, change func(*ledger.Cursor)) error {
	for {
		change(p.Cursor)
		err := p.Save(ctx)
		if !p.turn || !errors.Is(err, ledger.ErrBehind) {
			return err
		}
		if err := p.Reload(ctx); err != nil {
			return err
		}
	}
}

// End reads how a part's work ended. For a kind with a cursor it is the one place that does: the cursor, as it is, is
// saved with what holds the work up, and the part comes back by itself if anybody knows when. Where a vendor gave no
// believable answer, the schedule tries again; after a refused key, whoever saves a new one. Of a kind without a
// cursor an error is one of our own. Runner.Do calls End with what Run returns; called twice, it does the same as
// once.
func (p *Part) End(ctx context.Context, err error) error {
	switch {
	case err == nil, errors.Is(err, ledger.ErrBehind):
		return nil
	case p.Cursor == nil:
		return err
	case errors.Is(err, ErrShort): // every long piece of work comes to this: nothing is said of it
		err = p.Soon()
	}
	switch out := p.Verdict(ctx, err).(type) {
	case *ledger.Later:
		p.stopped(out.Who, out.Ended, out.Why)
		return p.goOn(ctx, out.Why, out.At)
	case *ledger.Park:
		p.stopped(out.Needs, ledger.KeyRefused, out.Why)
		return p.goOn(ctx, out.Why, time.Time{})
	case *ledger.Down:
		p.stopped(out.Who, ledger.NoAnswer, out.Why)
		return p.goOn(ctx, out.Why, time.Time{})
	default:
		return out
	}
}

// stopped notes in the cursor the call that the part did not get past. Where none was made, as the account is blocked,
// what is noted stays: nothing is known of the vendor that was not known before.
func (p *Part) stopped(by tenant.System, how ledger.Ending, why string) {
	if how == "" {
		return
	}
	now, was := p.Now().UTC().Truncate(time.Second), p.Cursor.Stopped
	p.Cursor.Stopped = ledger.Stopped{By: by, How: how, Since: now, At: now, Why: why}
	if was.By == by && !was.Since.IsZero() {
		p.Cursor.Stopped.Since = was.Since
	}
}

// goOn saves how far the part is and what holds it up, and has it come back; at zero = somebody else sees to that.
// One message on its way is enough.
func (p *Part) goOn(ctx context.Context, problem string, at time.Time) error {
	now, stopped, comes := p.Now(), p.Cursor.Stopped, false
	err := p.keep(ctx, func(cur *ledger.Cursor) {
		comes = at.IsZero() || cur.Again.After(now)
		if cur.Problem, cur.Stopped = problem, stopped; !comes {
			cur.Again = at.UTC()
		}
	})
	if errors.Is(err, ledger.ErrBehind) {
		return nil
	}
	if err != nil || comes {
		return err
	}
	return p.Again(ctx, at.Sub(now))
}
