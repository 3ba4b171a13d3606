package upstockcin7

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/sale"
)

var (
	// errLost: another worker has the lease now.
	errLost = errors.New("the lease is lost")
	// errMoved: the run is not what the step was decided on; decide again.
	errMoved = errors.New("the order has moved on")
	// errIdle: there is nothing to do on the order now.
	errIdle = errors.New("nothing to do")
)

func problem(code, message, fix string) error {
	return &ledger.Reject{Problems: []ledger.Problem{{Code: code, Message: message, Fix: fix}}}
}

// work is one worker's hold on one order.
type work struct {
	*Pair
	ctx              context.Context
	ptr              ledger.Pointer
	first            bool // the pointer's message is received for the first time, and nothing has come in between
	run              *ledger.Run
	basis            ledger.Run // what the step at hand was decided on
	readAt           time.Time  // when the run was read
	readRev          string     // and its revision then
	body             []byte
	planData         []byte
	planNo           int // which of the run's plans planData is
	plan             *sale.Plan
	b                tenant.Bundle
	own              string // the Upstock supplier whose order it is
	up, core         tenant.Connection
	upstock          *upstock.Client
	cin7             *cin7core.Client
	token            string               // of our lease
	until            time.Time            // of our lease; zero = not taken yet
	sendBy           time.Time            // when the intent on record must be under way; zero = none is
	plain            bool                 // the webhook's own pointer, first received, soon after approval: nothing to doubt
	progress         bool                 // a call succeeded: failures in a row start anew
	preview          bool                 // plan only: no lease, no write
	released         bool                 // the lease went back with the last step's own write
	onCancel         bool                 // a void is for a cancellation: one that counts no more stops it
	fresh            string               // the sale that this very worker made: nobody else knows it yet
	shown            map[string]time.Time // when this worker read sales, by their ids
	askedIfCancelled bool                 // this worker has read the order in Upstock: a cancellation is known
	untold           error                // Upstock takes no calls at this attempt: what could not be told is kept
}

// Push works on one order until it is done or must wait. first says that the
// pointer's message was received for the first time. An error means that the
// state could not be written down; everything else is in the ledger.
func (p *Pair) Push(ctx context.Context, ptr ledger.Pointer, first bool) error {
	w := &work{Pair: p, ctx: ctx, ptr: ptr, first: first, token: rand.Text()}
	for range 5 {
		err := w.begin()
		if errors.Is(err, ledger.ErrNotFound) || errors.Is(err, errIdle) || w.run == nil {
			return w.nothing(err)
		}
		if err == nil {
			err = w.steps()
		}
		if err = w.finish(err); !errors.Is(err, errMoved) {
			return err
		}
		w.first = false // others are at this order too
	}
	return nil // it is due as they left it
}

// nothing ends work that found nothing to do.
func (w *work) nothing(err error) error {
	if errors.Is(err, ledger.ErrNotFound) || errors.Is(err, errIdle) {
		return nil
	}
	return err
}

// Origins of a pointer.
const (
	OriginWebhook   = "webhook"
	OriginSweep     = "sweep"
	OriginRetry     = "retry"
	OriginReconcile = "reconcile" // found in Upstock's list
)

// connect makes the clients, or says why the work must wait.
func (w *work) connect() error {
	for _, sys := range []tenant.System{tenant.Upstock, tenant.Cin7Core} {
		c, known := w.b.Connections[sys]
		// An order that is here is sold without Upstock's key, and told without Cin7 Core's.
		without := known && (sys == tenant.Upstock || settled(w.run))
		if w.b.Ready(sys) != "" && !without {
			return &ledger.Park{Needs: sys, Why: parkedWhy(w.b, sys, settled(w.run))}
		}
		s, err := w.secrets(w.ctx, c)
		if errors.Is(err, tenant.ErrSealed) {
			c.State, c.Why = tenant.NeedsReconnecting, whyUnsealed(sys) // as it is marked now
			w.b.Connections[sys] = c
			return &ledger.Park{Needs: sys, Why: parkedWhy(w.b, sys, settled(w.run))}
		}
		if err != nil {
			return err
		}
		if sys == tenant.Upstock {
			w.up, w.upstock = c, w.Pair.Upstock(c, s, true)
		} else {
			w.core, w.cin7 = c, w.Pair.Cin7Core(c, s, true)
		}
	}
	for _, c := range []*rest.Client{w.upstock.Client, w.cin7.Client} {
		if c.Limit != nil {
			c.Limit = &patient{c.Limit, w.Times.Soon}
		}
	}
	if err := w.belongs(); err != nil {
		return err
	}
	if w.core.Mirror.Ready.IsZero() && !settled(w.run) {
		if !w.preview && w.Now().Sub(w.core.Changed) > w.Times.Settle { // its job may have been lost; a second one ends at once
			if err := w.Start(w.ctx, Job{Job: JobMirror, Tenant: w.run.Tenant}, 0); err != nil {
				return err
			}
		}
		return &ledger.Later{At: w.Now().Add(job.Jitter(w.Times.Mirror, w.Times.Mirror/2)), Why: whyReading}
	}
	return nil
}

const whyReading = "Cin7 Core's customers, products and settings are being read for the first time."

// patient sleeps through a limiter's shortest waits, as there are when many
// workers want a grant at once; the sweep would come back a minute later. A
// longer sleep would keep a worker from other tenants' orders.
type patient struct {
	rest.Limiter
	left time.Duration
}

func (p *patient) Take(ctx context.Context) (time.Time, error) {
	for {
		at, err := p.Limiter.Take(ctx)
		wait, ok := errors.AsType[*rest.Wait](err)
		if !ok {
			return at, err
		}
		nap := max(time.Until(wait.Until), 0) + job.Jitter(0, 50*time.Millisecond)
		if nap > 300*time.Millisecond || nap > p.left {
			return at, err
		}
		p.left -= nap
		select {
		case <-time.After(nap):
		case <-ctx.Done():
			return at, err
		}
	}
}

// Answered is the limiter's, which [rest.Limiter] does not promise.
func (p *patient) Answered(ctx context.Context) {
	if a, ok := p.Limiter.(interface{ Answered(context.Context) }); ok {
		a.Answered(ctx)
	}
}

// update changes the run while our lease holds, taking the lease with the first
// change, and only if the run is as the change was decided on (errMoved).
func (w *work) update(change func(r *ledger.Run, x *ledger.Extra) error) error {
	err := w.Ledger.Update(w.ctx, w.run, func(r *ledger.Run, x *ledger.Extra) error {
		w.released = false // it was not, if somebody else wrote meanwhile
		if err := w.hold(r); err != nil {
			return err
		}
		if !w.asDecided(r) {
			return errMoved
		}
		return change(r, x)
	})
	if err == nil {
		w.until, w.basis = w.run.Lease.Until, *w.run
	}
	return err
}

// settled says that what is left to do does not change the order's state: it
// is sold, cancelled or a person's.
func settled(r *ledger.Run) bool {
	return !r.SoldAt.IsZero() || r.State == ledger.Cancelled || r.State == ledger.Attention
}

func watchDue(r *ledger.Run, now time.Time) bool {
	return len(r.Watches) > 0 && !r.Watches[0].After(now)
}

func (w *work) hold(r *ledger.Run) error {
	now := w.Now()
	switch {
	case r.Lease.Token == w.token:
		return nil
	case !w.until.IsZero(): // we had it
		return errLost
	case r.Lease.Until.After(now):
		return errLost
	case !w.asRead(r):
		return errMoved
	}
	if r.Lease.Token != "" && !r.SoldAt.IsZero() && len(r.Parcels)+r.Asked > 0 { // its worker died: a shipment may be on its way yet
		w.doubt(r, r.Lease.Until)
	}
	r.Lease = ledger.Lease{Token: w.token, Until: now.Add(w.Times.Lease).UTC()}
	if w.own != "" {
		r.Supplier = w.own
	}
	r.GoOn(now)
	r.State, r.Why = workingState(r), ""
	if r.Next.Before(r.Lease.Until) || r.Next.After(r.Lease.Until.Add(w.Times.Grace)) { // else it is due soon enough after the lease
		r.Next = r.Lease.Until
	}
	r.Attempts++
	return nil
}

func workingState(r *ledger.Run) ledger.State {
	if settled(r) {
		return r.State
	}
	return ledger.Working
}

// take takes the lease by itself, where no intent would bring it.
func (w *work) take() error {
	if !w.until.IsZero() || w.preview {
		return nil
	}
	return w.update(func(*ledger.Run, *ledger.Extra) error { return nil })
}

// calling returns the context for a call: bounded by lease and invocation,
// asked by wall clock just before sending, and recorded.
func (w *work) calling(system string) context.Context {
	ctx := rest.WithGuard(w.ctx, func() error {
		now := w.Now()
		if lack := w.b.Lack(tenant.System(system)); lack != nil {
			return &ledger.Park{Needs: lack.System, Why: lack.String()}
		}
		if !w.until.IsZero() && w.until.Sub(now) < w.Times.MinLease {
			return job.ErrShort
		}
		if !w.sendBy.IsZero() && now.After(w.sendBy) {
			return job.ErrShort // the intent's deadline would not be kept
		}
		if d, ok := w.ctx.Deadline(); ok && time.Until(d) < w.Times.MinInvocation {
			return job.ErrShort
		}
		return nil
	})
	return rest.WithRecorder(ctx, func(x rest.Exchange) { w.run.Record(recorded(system, x)) })
}

// intend puts an outside write on record. It must be under way soon after, or
// it is not sent: by its deadline it has been answered or given up. After very
// many without a believable answer a person is asked instead.
func (w *work) intend(r *ledger.Run, step ledger.Step, saleID string) (seq int, err error) {
	if n := len(attempts(r, step)); n >= maxAttempts {
		return 0, w.tooOften(r, fmt.Sprintf("Cin7 Core gave no believable answer in %d attempts (%s).", n, step))
	}
	now := w.Now()
	w.sendBy = now.Add(w.Times.Soon)
	return r.Intend(step, now, w.sendBy.Add(w.Times.HTTP), saleID), nil
}

// maxRecorded is how much of a body the flight recorder keeps.
const maxRecorded = 64 << 10

func recorded(system string, x rest.Exchange) ledger.Exchange {
	e := ledger.Exchange{At: x.At.UTC(), Millis: x.Took.Milliseconds(), System: system, Method: x.Method, Path: x.Path,
		Status: x.Status, Outcome: x.Outcome.String(), Request: keep(x.Request), Answer: keep(x.Answer)}
	if x.Query != "" {
		e.Path += "?" + x.Query
	}
	if x.Err != nil {
		e.Error = x.Err.Error()
	}
	return e
}

// keep redacts what no reader of a timeline needs to know of people, and
// holds bodies to their size.
func keep(body []byte) string {
	if len(body) > maxRecorded {
		return fmt.Sprintf("%d bytes, SHA-256 %x", len(body), sha256.Sum256(body))
	}
	return strings.ToValidUTF8(string(redactPeople(body)), "�")
}

// answered turns the error of a call that is not one of the order's two
// writes into how the work goes on. nil stays nil.
func (w *work) answered(err error) error {
	switch out := w.verdicts.Of(w.ctx, w.b, err).(type) {
	case *ledger.Later:
		// Cin7 Core's budget is waited for in turn. Nobody is held up by the other
		// waits: the longer they last, the more seldom it is tried.
		if w.run.Waits > 0 && out.Who != tenant.Cin7Core {
			out.At = latest(out.At, w.growing(w.Times.Soon))
		}
		return out
	case *ledger.Park:
		return &ledger.Park{Needs: out.Needs, Awaits: out.Awaits, Why: out.Why + saveKey}
	default:
		return out
	}
}

// growing is when to go on after a wait that doubles each time the work comes
// no further, up to the longest.
func (w *work) growing(wait time.Duration) time.Time {
	wait = min(wait, w.Times.MaxVendor)
	if n := min(w.run.Waits, 20); wait<<n>>n == wait {
		wait <<= n
	} else {
		wait = w.Times.MaxVendor
	}
	wait = min(wait, w.Times.MaxVendor*4/5)
	return w.Now().Add(job.Jitter(wait, wait/4)).UTC()
}

// finish writes down how the work ended and gives the lease back. errMoved:
// nothing was ours yet, and the order is to be read anew.
func (w *work) finish(err error) error {
	if errors.Is(err, errMoved) && !w.until.IsZero() { // again and again while it was worked on
		err = &ledger.Later{At: w.Now().Add(w.Times.Soon), Why: "The order was changed while it was worked on."}
	}
	if errors.Is(err, errLost) || errors.Is(err, errMoved) {
		if ferr := w.flush(); ferr != nil || errors.Is(err, errLost) {
			return ferr
		}
		return err
	}
	if errors.Is(err, ledger.ErrNotFound) || w.ctx.Err() != nil && !ledger.IsOutcome(err) {
		return err
	}
	if w.released && err == nil {
		w.ended()
		return nil
	}
	uerr := w.ending(err)
	for try := 0; errors.Is(uerr, ledger.ErrBeside) && try < 5; try++ { // the connection was changed while it was parked for it
		uerr = w.ending(err)
	}
	if errors.Is(uerr, errMoved) {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if uerr != nil && !errors.Is(uerr, errLost) {
		return uerr
	}
	w.ended()
	return nil
}

// ending is the write of finish. A run is parked on the condition that its
// connection is still without a key that works: else nobody would see that it waits.
func (w *work) ending(err error) error {
	still := tenant.Connection{}
	if e, ok := err.(*ledger.Park); ok {
		if still, err = w.waitsFor(e); !ledger.IsOutcome(err) {
			return err
		}
	}
	return w.Ledger.Update(w.ctx, w.run, func(r *ledger.Run, x *ledger.Extra) error {
		if err := w.hold(r); err != nil {
			return err
		}
		moved := !w.asDecided(r)
		now := w.Now().UTC()
		r.Lease, r.Next, r.Why, r.Dead = ledger.Lease{}, time.Time{}, "", 0
		if w.progress {
			r.Failures, r.Failing, r.Waits, r.Owed = 0, time.Time{}, 0, time.Time{}
		}
		r.By = time.Time{}
		out := err
		var down *ledger.Down
		if out != nil && !ledger.IsOutcome(out) || errors.As(out, &down) {
			out = w.failure(r, out, now)
		}
		switch e := out.(type) {
		case nil:
			r.Next, r.Waits, r.Owed = nextDue(r), 0, time.Time{}
			if moved && !r.Finished() {
				r.Next = now
			}
		case *ledger.Later:
			r.Next, r.By, r.Why = e.At.UTC(), e.By, e.Why
			if r.Waits++; r.Owed.IsZero() {
				r.Owed = now
			}
			if most := now.Add(w.Times.MaxVendor); r.Next.After(most) { // whatever a vendor says: it may say otherwise by then
				r.Next, r.By = most, r.Next
			}
			if soon := now.Add(w.Times.Soon); moved && r.Next.After(soon) { // what came meanwhile does not wait so long
				r.Next = soon
			}
			w.state(r, ledger.Waiting)
			r.Note(now, "Waiting: %s", e.Why)
		case *ledger.Park:
			x.Add(w.Tenants.Unchanged(still))
			w.state(r, ledger.Waiting)
			r.Note(now, "Waiting: %s", e.Why)
			if r.CancelOpen() && !r.Ask.IsZero() { // nobody looks at a park's hours, so the first is waited out
				if most := r.Unsettled.Add(w.unansweredFor()); now.Before(most) {
					if r.Next, r.Why = w.growing(w.Times.Soon), e.Why; r.Next.After(most) {
						r.Next = most
					}
					r.Waits++
					return nil
				}
				w.unasked(r, e, still.System)
			}
			r.Waits, r.Owed = 0, time.Time{}
			if watch := firstWatch(r); settled(r) && !watch.IsZero() && still.System == tenant.Upstock && e.Awaits == "" && w.cin7 != nil {
				r.Next, r.Why = watch, e.Why // what asks nothing of Upstock goes on
				return nil
			}
			r.Park(still.System, now, e.Why)
			r.Awaits = e.Awaits
		case *ledger.Reject:
			if moved { // a person wished for more meanwhile, or another worker's answer came: it is decided again
				r.Next = now
				return nil
			}
			if settled(r) { // what is left cannot be done, and changes nothing
				if r.Watches, r.Next = nil, nextDue(r); r.Next.IsZero() && !r.Finished() {
					r.Waits++
					r.Next = w.growing(w.Times.Soon)
				}
				return nil
			}
			r.Problems, r.OfPlan = e.Problems, e.NothingMade
			if len(r.Unwanted) > 0 && !slices.EqualFunc(r.Unwanted, e.Problems, ledger.Problem.Same) {
				r.Problems = slices.Concat(r.Unwanted, e.Problems)
			}
			r.Reread, r.Replan, r.NewSale, r.Anew, r.None, r.Unwanted = false, false, false, false, time.Time{}, nil
			w.state(r, ledger.Attention)
			r.Next = firstWatch(r)
			for _, pr := range e.Problems {
				r.Note(now, "Needs attention: %s", pr.Message)
			}
		}
		return nil
	})
}

// waitsFor is the connection that a run is to wait for, as it is now: later
// where it has a key that nobody has refused yet.
func (w *work) waitsFor(e *ledger.Park) (tenant.Connection, error) {
	c, err := w.Tenants.Connection(w.ctx, w.run.Tenant, e.Needs)
	switch {
	case errors.Is(err, tenant.ErrNotFound): // whoever connects it anew resumes what waits
		return tenant.Connection{Tenant: w.run.Tenant, System: e.Needs}, e
	case err != nil:
		return c, err
	case e.Awaits != "" && e.Awaits != ledger.Awaited(e.Needs, c.Account):
		return c, e
	case c.State == tenant.Connected:
		return c, w.verdicts.Replaced()
	}
	return c, e
}

func (w *work) ended() {
	if w.OnEnd != nil {
		w.OnEnd(w.run)
	}
}

// nextDue is when a settled order wants attention by itself: for its watches and for shipments in doubt.
func nextDue(r *ledger.Run) time.Time {
	next := firstWatch(r)
	if !r.Doubt.IsZero() && (next.IsZero() || r.Doubt.Before(next)) {
		next = r.Doubt
	}
	if r.CancelOpen() && !r.Ask.IsZero() && (next.IsZero() || r.Ask.Before(next)) {
		next = r.Ask
	}
	return next
}

func firstWatch(r *ledger.Run) time.Time {
	if len(r.Watches) == 0 {
		return time.Time{}
	}
	return r.Watches[0]
}

// state sets the state of an order that is not sold yet; a sold one stays sold whatever its later steps meet.
func (w *work) state(r *ledger.Run, s ledger.State) {
	if !settled(r) {
		r.State = s
	}
}

// failed counts one failure more. A stretch longer than the longest backoff, in
// which nothing was tried, is no failing: we stood still, or it waited for something else.
func (p *Pair) failed(r *ledger.Run, now time.Time) {
	r.Failures++
	if r.Failing.IsZero() {
		r.Failing = now
	} else if idle := now.Sub(r.Failed) - p.Times.MaxRetry; !r.Failed.IsZero() && idle > 0 {
		r.Failing = r.Failing.Add(idle)
	}
	r.Failed = now
}

// failure counts an error and says when to try again, or that a person must look.
func (w *work) failure(r *ledger.Run, err error, now time.Time) error {
	w.failed(r, now)
	large := errors.Is(err, ledger.ErrTooLarge)
	over := now.Sub(r.Failing) > w.Times.GiveUp
	switch {
	case large && !settled(r):
		return problem("tooLarge", "The order is too large to be worked on.", "Split it in Upstock, or enter it in Cin7 Core by hand.")
	case !large && !over:
	case settled(r):
		if r.LookDue() || r.Kept != nil { // the next poll, or a person, asks again
			r.State = ledger.Attention
			r.Problems = append(slices.DeleteFunc(r.Problems, func(p ledger.Problem) bool { return p.Code == "gaveUp" }),
				ledger.Problem{Code: "gaveUp", Message: fmt.Sprintf("What became of its sale could not be read or told since %s, in %d attempts: %s.", clockText(w.b, r.Failing), r.Failures, err),
					Fix: "Retry when the cause is gone."})
		}
		r.Say(fmt.Sprintf("A last step was given up after %d attempts: %s.", r.Failures, err))
		r.Looks, r.ReadBack, r.Void, r.Doubt, r.Kept = r.Asked, false, false, time.Time{}, nil
		r.Told, r.Watches = true, nil
		r.Failures, r.Failing = 0, time.Time{} // what is asked for next has as long again
		return nil
	default:
		return problem("gaveUp", fmt.Sprintf("It has not worked since %s, in %d attempts: %s.", clockText(w.b, r.Failing), r.Failures, err),
			"Retry when the cause is gone.")
	}
	if down, ok := errors.AsType[*ledger.Down](err); ok {
		return &ledger.Later{At: now.Add(job.Backoff(r.Failures-1, w.Times.MinRetry, w.Times.MaxVendor)), Why: down.Why}
	}
	// Nobody asked to be left alone longer, so no later time is shown.
	wait := min(job.Backoff(r.Failures-1, w.Times.MinRetry, w.Times.MaxRetry), w.Times.MaxVendor)
	return &ledger.Later{At: now.Add(wait), Why: "An error of our own: " + err.Error() + ". Trying again."}
}

// flush writes recorded exchanges of a worker that has lost its lease.
func (w *work) flush() error {
	if !w.run.Unwritten() {
		return nil
	}
	err := w.Ledger.Update(w.ctx, w.run, func(*ledger.Run, *ledger.Extra) error { return nil })
	if errors.Is(err, ledger.ErrNotFound) {
		return nil
	}
	return err
}

// steps takes the order from where its journal says to the end.
func (w *work) steps() error {
	for range 12 { // each turn moves the run on, or ends it
		r := w.run
		w.basis = *r
		var err error
		switch {
		case settled(r):
			if err = w.after(); err == nil {
				return nil
			}
		case r.CancelOpen():
			err = w.settleCancel()
		case len(openVoids(r)) > 0:
			err = w.voidDoubt()
		case r.SaleID == "":
			err = w.find()
		case len(r.Unwanted) > 0:
			err = w.undo()
		default:
			err = w.lines()
		}
		if err != nil && !errors.Is(err, errMoved) {
			return err
		}
		if err != nil && w.until.IsZero() {
			return err // nothing is ours yet: all is read anew
		}
	}
	return errMoved
}

// unanswered returns the creates of which it is not known whether they made a sale.
func unanswered(r *ledger.Run) []ledger.Intent {
	return slices.DeleteFunc(r.Of(ledger.StepCreate, ledger.Open), func(i ledger.Intent) bool { return i.Settled })
}

// made returns the sales that creates are known to have made and that we, or a person's decision, have not done away with.
func made(r *ledger.Run) []string {
	var ids []string
	for _, i := range r.Of(ledger.StepCreate, ledger.Done) {
		if !slices.Contains(r.Voided, i.SaleID) && !slices.Contains(ids, i.SaleID) {
			ids = append(ids, i.SaleID)
		}
	}
	return ids
}

// find gets the order its sale: the one that was made, the one that a look
// finds, or a new one.
func (w *work) find() error {
	if undecided(w.run) || len(made(w.run)) > 1 || !w.plain {
		if err := w.take(); err != nil {
			return err
		}
	}
	open, sales := unanswered(w.run), made(w.run) // as it is now: with the lease may have come what another worker did
	cancelled := !w.run.Cancelled.IsZero()
	switch {
	case len(open) == 0 && len(sales) == 1:
		return w.adopt(sales[0], "")
	case len(open) > 0 || len(sales) > 1:
		return w.look()
	case cancelled && w.unlooked():
		return w.look()
	case cancelled:
		return w.cancel()
	case w.barred(w.run) != nil:
		return w.barred(w.run)
	case !w.plain && w.Now().Sub(w.run.Looked) > w.Times.Settle:
		return w.look()
	}
	if cancelled {
		return w.cancel()
	}
	return w.create()
}

func (w *work) adopt(id, number string) error {
	return w.update(func(r *ledger.Run, _ *ledger.Extra) error {
		if r.SaleID != "" {
			return errMoved
		}
		r.SaleID, r.SaleNumber, r.Adopted, r.Copied = id, number, true, somebodysCopy(r, id)
		unsayStrange(r)
		r.None = time.Time{}
		r.Note(w.Now(), "The sale is %s.", cmp.Or(number, id))
		w.watch(r)
		return nil
	})
}

// watch looks again later where more than one create may have made a sale.
func (w *work) watch(r *ledger.Run) {
	n := r.Past.Creates
	for _, i := range r.Intents {
		if i.Step == ledger.StepCreate && i.Answer != ledger.Refused {
			n++
		}
	}
	if n > 1 {
		r.Watches = w.watches() // of the newest: a later look sees what earlier ones would
	}
}

// watches are the times to look for a twin, from now.
func (p *Pair) watches() []time.Time {
	var list []time.Time
	for _, d := range p.Times.Watch {
		list = append(list, p.Now().Add(d).UTC())
	}
	return list
}

func (w *work) externalID() string { return sale.ExternalID(w.own, w.run.OrderID()) }

// supplier is whose order it is; of a preview, who is connected.
func (w *work) supplier() int64 {
	id, _ := strconv.ParseInt(cmp.Or(w.own, w.up.Account), 10, 64)
	return id
}

// look decides a doubt: which sales of this order are there?
func (w *work) look() error {
	plan, err := w.frozen()
	if err != nil {
		return err
	}
	rows, err := w.rows(plan)
	if err != nil {
		return err
	}
	var live []string
	numbers := map[string]string{}
	voidedByOthers := ""
	for _, row := range rows {
		numbers[row.SaleID] = row.OrderNumber
		switch {
		case !row.Status.Is(cin7core.Voided):
			live = append(live, row.SaleID)
		case !slices.Contains(w.run.Voided, row.SaleID):
			voidedByOthers = row.SaleID
		}
	}
	for _, id := range made(w.run) { // answered, but not listed yet
		if _, listed := numbers[id]; !listed {
			live = append(live, id)
		}
	}
	switch {
	case len(live) == 1 && somebodysCopy(w.run, live[0]):
		return w.takeCopy(plan, live[0], numbers[live[0]])
	case len(live) == 1:
		return w.adopt(live[0], numbers[live[0]])
	case len(live) > 1:
		return w.several(plan, live)
	case voidedByOthers != "" && !w.run.Cancelled.IsZero():
		return w.cancelledWithout(cmp.Or(numbers[voidedByOthers], voidedByOthers), "is voided")
	case voidedByOthers != "" && !w.run.NewSale:
		return w.voided(voidedByOthers, numbers[voidedByOthers])
	}
	// None.
	open := unanswered(w.run)
	now := w.Now()
	var settled time.Time
	for _, i := range open {
		if at := i.Deadline.Add(w.Times.Settle); at.After(settled) {
			settled = at
		}
	}
	agree := !w.run.None.IsZero()
	if len(open) > 0 && (!agree || now.Before(settled)) {
		at := settled
		if soon := now.Add(w.Times.Soon); at.Before(soon) {
			at = soon
		}
		if err := w.update(func(r *ledger.Run, _ *ledger.Extra) error {
			if r.None.IsZero() {
				r.None = now.UTC()
			}
			return nil
		}); err != nil {
			return err
		}
		return &ledger.Later{
			At:  at,
			Why: "No answer came when the sale was created. It is looked for once more before another one is made.",
		}
	}
	known := len(w.run.Of(ledger.StepCreate, ledger.Done))
	return w.update(func(r *ledger.Run, _ *ledger.Extra) error {
		if r.SaleID != "" || len(r.Of(ledger.StepCreate, ledger.Done)) > known {
			return errMoved
		}
		for _, i := range open {
			if i := r.Intent(i.Seq, ledger.StepCreate); i.Answer == ledger.Open {
				i.Settled = true
			}
		}
		r.Looked, r.None = now.UTC(), time.Time{}
		for _, row := range rows { // voided ones, that a person chose to pass over
			if !slices.Contains(r.Voided, row.SaleID) {
				r.Voided = append(r.Voided, row.SaleID)
			}
		}
		r.Note(now, "Cin7 Core has no sale of this order.")
		return nil
	})
}

// voided is the end where a person voided the sale.
func (w *work) voided(id, number string) error {
	return &ledger.Reject{Problems: []ledger.Problem{w.lostProblem(saleVoided, fmt.Sprintf("The sale %s of this order was voided in Cin7 Core.", cmp.Or(number, id)), "")}}
}

// several sales carry this order's ExternalID: keep one, void what is surely ours and empty, leave the rest to people.
func (w *work) several(plan *sale.Plan, ids []string) error {
	var sales []cin7core.Sale
	for _, id := range ids {
		s, err := w.readSale(w.calling("cin7core"), id)
		if err := w.answered(err); err != nil {
			return err
		}
		if !s.Status.Is(cin7core.Voided) {
			sales = append(sales, s)
		}
	}
	slices.SortFunc(sales, func(a, b cin7core.Sale) int { // SO-9999 before SO-10000
		return cmp.Or(cmp.Compare(len(number(a)), len(number(b))), strings.Compare(number(a), number(b)))
	})
	var full []cin7core.Sale
	for _, s := range sales {
		if !empty(s) {
			full = append(full, s)
		}
	}
	if len(full) > 1 {
		return w.twoSales(full)
	}
	if len(sales) == 0 {
		return &ledger.Later{At: w.Now().Add(w.Times.Soon), Why: "The sales of this order have just been voided."}
	}
	kept := sales[0]
	if len(full) == 1 {
		kept = full[0]
	}
	for _, s := range sales {
		if s.ID != kept.ID {
			if err := w.voidTwin(plan, s, 1); err != nil {
				return err
			}
		}
	}
	if w.run.SaleID != "" {
		return nil
	}
	return w.adopt(kept.ID, number(kept))
}

func (w *work) twoSales(full []cin7core.Sale) error {
	var names []string
	for _, s := range full {
		names = append(names, number(s))
	}
	return problem("twoSales", fmt.Sprintf("Cin7 Core has %d sales with lines for this order: %s.", len(full), strings.Join(names, ", ")),
		"Void the ones that should not be there in Cin7 Core, then retry.")
}

func number(s cin7core.Sale) string { return cmp.Or(s.Order.SaleOrderNumber, s.ID) }

// empty says that a sale has a header and nothing else: no lines, nothing authorised.
func empty(s cin7core.Sale) bool {
	return len(s.Order.Lines) == 0 && len(s.Order.AdditionalCharges) == 0 && len(s.Quote.Lines) == 0 &&
		(s.Order.Status == "" || s.Order.Status.Is(cin7core.Draft, cin7core.NotAvailable)) && len(s.Invoices) == 0
}

// voidTwin voids a sale beside the ones that count (keep: one, or none), if it is empty, equal to what we sent, and there are creates of ours to account for it.
func (w *work) voidTwin(plan *sale.Plan, s cin7core.Sale, keep int) error {
	creates, voids := w.run.Past.Creates, w.run.Past.Voids
	for _, i := range w.run.Intents {
		switch {
		case i.Step == ledger.StepCreate && i.Answer != ledger.Refused:
			creates++
		case i.Step == ledger.StepVoid && i.Answer != ledger.Refused && !i.Settled && i.SaleID != s.ID:
			voids++
		}
	}
	if plan == nil || !empty(s) || !sale.SameHeader(plan.Header, s) || voids >= creates-keep {
		return w.leave(s, "It may be somebody's work")
	}
	err := w.void(s, fmt.Sprintf("The empty twin %s was voided.", number(s)))
	if _, refused := err.(*ledger.Reject); refused {
		return w.leave(s, "Cin7 Core does not void it")
	}
	return err
}

// leave says that a sale beside the order's own stays where it is.
func (w *work) leave(s cin7core.Sale, why string) error {
	return w.update(func(r *ledger.Run, _ *ledger.Extra) error {
		text := fmt.Sprintf("Cin7 Core also has the sale %s with this order's id. %s, so it was left alone: void it there if it should not be.", number(s), why)
		r.Say(text)
		r.Note(w.Now(), "%s", text)
		return nil
	})
}

// frozen returns the plan that the order is bound to, or nil: a create may
// have gone out with it whose sale still counts.
func (w *work) frozen() (*sale.Plan, error) {
	if w.run.Account == "" { // of another account: a person has given it up
		return nil, nil
	}
	bound := w.run.SaleID != ""
	for _, i := range w.run.Intents {
		given := i.Settled && i.Answer == ledger.Open && w.run.Reread // looked for and not there, and a person wants the order read again
		if i.Step == ledger.StepCreate && i.Answer != ledger.Refused && !given && !slices.Contains(w.run.Voided, i.SaleID) {
			bound = true
		}
	}
	if !bound {
		return nil, nil
	}
	if w.planNo != w.run.Plans { // another worker's, since the run was loaded
		run, _, data, err := w.Ledger.Load(w.ctx, w.run.Tenant, w.run.ID)
		if err != nil {
			return nil, err
		}
		w.plan, w.planData, w.planNo = nil, data, run.Plans
	}
	if len(w.planData) == 0 {
		return nil, nil
	}
	if w.plan == nil {
		w.plan = new(sale.Plan)
		if err := json.Unmarshal(w.planData, w.plan); err != nil {
			return nil, fmt.Errorf("read plan: %w", err)
		}
	}
	return w.plan, nil
}
