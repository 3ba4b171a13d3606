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
	"stockbridge/internal/mirror"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/order"
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
	ctx      context.Context
	ptr      ledger.Pointer
	first    bool // the pointer's message is received for the first time, and nothing has come in between
	run      *order.Order
	basis    order.Order // what the step at hand was decided on
	readAt   time.Time   // when the run was read
	readRev  string      // and its revision then
	doc      *document   // the order as Upstock last said it
	planData []byte
	planNo   int // which of the run's plans planData is
	plan     *sale.Plan
	planOf   string // the hash of what the order said that a new plan was made of
	b        tenant.Bundle
	own      string // the Upstock supplier whose order it is
	up, core tenant.Connection
	upstock  *upstock.Client
	cin7     *cin7core.Client
	token    string    // of our lease
	until    time.Time // of our lease; zero = not taken yet
	sendBy   time.Time // when the intent on record must be under way; zero = none is
	// the webhook's own pointer, first received, soon after approval: nothing to doubt
	plain            bool
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
		if errors.Is(err, ledger.ErrNotFound) || errors.Is(err, errIdle) {
			return nil // there is nothing to do
		}
		if w.run == nil {
			return err
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

// connect makes the clients, or says why the work must wait.
func (w *work) connect() error {
	// An order that is here is sold without Upstock's key, and told without Cin7 Core's.
	up, secrets, err := w.opened(tenant.Upstock, true)
	if err != nil {
		return err
	}
	w.up, w.upstock = up, w.Pair.Upstock(up, secrets, true)
	core, secrets, err := w.opened(tenant.Cin7Core, settled(w.run))
	if err != nil {
		return err
	}
	w.core, w.cin7 = core, w.Pair.Cin7Core(core, secrets, true)
	for _, c := range []*rest.Client{w.upstock.Client, w.cin7.Client} {
		if c.Limit != nil {
			c.Limit = &patient{c.Limit, w.Times.Soon}
		}
	}
	if err := w.belongs(); err != nil {
		return err
	}
	if mirror.Progress.Of(w.core).Ready.IsZero() && !settled(w.run) {
		return w.awaitMirror()
	}
	return nil
}

// opened is the connection to a system, with its secrets. A park where there is none, or its key does not work and
// the work is not one that goes on without.
func (w *work) opened(sys tenant.System, without bool) (tenant.Connection, tenant.Secrets, error) {
	c, known := w.b.Connections[sys]
	if w.b.Ready(sys) != "" && !(known && without) {
		return c, tenant.Secrets{}, &ledger.Park{Needs: sys, Why: parkedWhy(w.b, sys, settled(w.run))}
	}
	s, err := w.Vendors.Secrets(w.ctx, c)
	if errors.Is(err, tenant.ErrSealed) {
		c.State, c.Why = tenant.NeedsReconnecting, w.Vendors.WhyUnsealed(sys) // as it is marked now
		w.b.Connections[sys] = c
		return c, s, &ledger.Park{Needs: sys, Why: parkedWhy(w.b, sys, settled(w.run))}
	}
	return c, s, err
}

// awaitMirror has the work wait until the account's reference data was read once.
func (w *work) awaitMirror() error {
	// its job may have been lost; a second one ends at once
	if !w.preview && w.Now().Sub(w.core.Changed) > w.Times.Settle {
		if err := w.Runner.Start(w.ctx, w.run.Tenant, JobMirror, 0); err != nil {
			return err
		}
	}
	return &ledger.Later{At: w.Now().Add(job.Jitter(w.Times.Mirror, w.Times.Mirror/2)), Why: whyReading}
}

const whyReading = "Cin7 Core's customers, products and settings are being read for the first time."

// patient sleeps through a limiter's shortest waits, as there are when many
// workers want a grant at once; the sweep would come back a minute later. A
// longer sleep would keep a worker from other tenants' orders.
type patient struct {
	rest.Limiter
	left time.Duration
}

func (p *patient) Take(ctx context.Context, cost int) (time.Time, error) {
	for {
		at, err := p.Limiter.Take(ctx, cost)
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
func (w *work) update(change func(r *order.Order, x *ledger.Extra) error) error {
	err := w.Orders.Update(w.ctx, w.run, func(r *order.Order, x *ledger.Extra) error {
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

// settled reports whether what is left to do does not change the order's state: it
// is sold, cancelled or a person's.
func settled(r *order.Order) bool {
	return !r.SoldAt.IsZero() || r.State == order.Cancelled || r.State == ledger.Attention
}

// watchDue reports whether it is time to look for a late twin.
func watchDue(r *order.Order, now time.Time) bool {
	return len(r.Watches) > 0 && !r.Watches[0].After(now)
}

func (w *work) hold(r *order.Order) error {
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
	// its worker died: a shipment may be on its way yet
	if r.Lease.Token != "" && !r.SoldAt.IsZero() && len(r.Parcels)+r.Asked > 0 {
		w.doubt(r, r.Lease.Until)
	}
	r.Lease = ledger.Lease{Token: w.token, Until: now.Add(w.Times.Lease).UTC()}
	if w.own != "" {
		r.Supplier = w.own
	}
	r.GoOn(now)
	r.State, r.Why = workingState(r), ""
	// else it is due soon enough after the lease
	if r.Next.Before(r.Lease.Until) || r.Next.After(r.Lease.Until.Add(w.Times.Grace)) {
		r.Next = r.Lease.Until
	}
	r.Attempts++
	return nil
}

func workingState(r *order.Order) ledger.State {
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
	return w.update(func(*order.Order, *ledger.Extra) error { return nil })
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
	switch out := w.Runner.Of(w.ctx, w.b, err).(type) {
	case *ledger.Later:
		// Cin7 Core's budget is waited for in turn. Nobody is held up by the other
		// waits: the longer they last, the more seldom it is tried.
		if w.run.Waits > 0 && out.Who != tenant.Cin7Core {
			out.At = job.Latest(out.At, w.Times.growing(w.run.Waits, w.Now()))
		}
		return out
	case *ledger.Park:
		return &ledger.Park{Needs: out.Needs, Awaits: out.Awaits, Why: out.Why + saveKey}
	default:
		return out
	}
}

// steps takes the order from where its journal says to the end.
func (w *work) steps() error {
	for range 12 { // each turn moves the run on, or ends it
		r := w.run
		w.basis = *r
		paused := w.paused(order.OrdersFlow)
		var err error
		switch {
		case settled(r): // after looks at the pauses itself
			if err = w.after(); err == nil {
				return nil
			}
		case paused != nil:
			err = paused
		case r.CancelOpen():
			err = w.settleCancel()
		case len(r.OpenVoids()) > 0:
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

// find gets the order its sale: the one that was made, the one that a look
// finds, or a new one.
func (w *work) find() error {
	if w.run.Undecided() || len(w.run.Made()) > 1 || !w.plain {
		if err := w.take(); err != nil {
			return err
		}
	}
	// as it is now: with the lease may have come what another worker did
	open, sales := w.run.Unanswered(), w.run.Made()
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
	// What else may keep an order waiting goes here: what is in doubt or cancelled goes on meanwhile.
	case !w.plain && w.Now().Sub(w.run.Looked) > w.Times.Settle:
		return w.look()
	}
	return w.create()
}

func (w *work) externalID() string { return sale.ExternalID(w.own, w.run.OrderID()) }

// supplier is whose order it is; of a preview, who is connected.
func (w *work) supplier() int64 {
	id, _ := strconv.ParseInt(cmp.Or(w.own, w.up.Account), 10, 64)
	return id
}

func number(s cin7core.Sale) string { return cmp.Or(s.Order.SaleOrderNumber, s.ID) }

// empty reports whether a sale has a header and nothing else: no lines, nothing authorised.
func empty(s cin7core.Sale) bool {
	return len(s.Order.Lines) == 0 && len(s.Order.AdditionalCharges) == 0 && len(s.Quote.Lines) == 0 &&
		(s.Order.Status == "" || s.Order.Status.Is(cin7core.Draft, cin7core.NotAvailable)) && len(s.Invoices) == 0
}

// frozen returns the plan that the order is bound to, or nil: a create may
// have gone out with it whose sale still counts.
func (w *work) frozen() (*sale.Plan, error) {
	if w.run.Account == "" { // of another account: a person has given it up
		return nil, nil
	}
	bound := w.run.SaleID != ""
	for _, i := range w.run.Intents {
		// looked for and not there, and a person wants the order read again
		given := i.Settled && i.Answer == ledger.Open && w.run.Reread
		if i.Step == order.StepCreate && i.Answer != ledger.Refused && !given &&
			!slices.Contains(w.run.Voided, i.Target) {
			bound = true
		}
	}
	if !bound {
		return nil, nil
	}
	if w.planNo != w.run.Plans { // another worker's, since the run was loaded
		run, _, data, err := w.Orders.Load(w.ctx, w.run.Tenant, w.run.ID)
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
