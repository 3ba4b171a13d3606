package job

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/bits"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/limit"
	"stockbridge/internal/parallel"
	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
)

// Runner starts the jobs of its kinds and does tenants' parts of them.
type Runner struct {
	*Verdicts
	Kinds []Kind
	Every map[string]time.Duration // how often kinds run here, where not as their rows say
	// Send puts a message into a queue, in the group of its tenant, to be received after a delay.
	Send func(ctx context.Context, to Queue, m Message, delay time.Duration) error
}

// Kind is the kind of a name.
func (r *Runner) Kind(name string) (Kind, bool) {
	i := slices.IndexFunc(r.Kinds, func(k Kind) bool { return k.Name == name })
	if i < 0 {
		return Kind{}, false
	}
	return r.Kinds[i], true
}

// With is a runner that does this work too.
func (r *Runner) With(work Work) *Runner {
	own := *r
	own.Kinds = slices.Clone(r.Kinds)
	for i := range own.Kinds {
		if run, ok := work[own.Kinds[i].Name]; ok {
			own.Kinds[i].Run = run
		}
	}
	return &own
}

// Interval is the time between two schedules of a kind; 0 = it starts by hand only.
func (r *Runner) Interval(k Kind) time.Duration {
	if every, ok := r.Every[k.Name]; ok {
		return every
	}
	return k.Every
}

// Start sends a tenant's part of a job to the queue of its kind. What is sent twice is done once, or twice to no
// harm.
func (r *Runner) Start(ctx context.Context, tenantID, name string, delay time.Duration) error {
	return r.send(ctx, Message{Job: name, Tenant: tenantID}, delay)
}

func (r *Runner) send(ctx context.Context, m Message, delay time.Duration) error {
	k, ok := r.Kind(m.Job)
	if !ok {
		return fmt.Errorf("there is no job %q", m.Job)
	}
	return r.Send(ctx, k.Queue, m, min(max(delay, 0), MaxDelay))
}

// Kick has a tenant's part of a job done soon: durably, so that the next schedule finds it where the message is lost.
// However often it is called, one run follows the other only after a moment. The job is one with a cursor.
func (r *Runner) Kick(ctx context.Context, tenantID, name string) error {
	var coming bool
	var delay time.Duration
	if err := r.Ledger.ChangeCursor(ctx, tenantID, name, func(cur *ledger.Cursor) bool {
		now := r.Now().UTC()
		if coming = cur.Asked.After(cur.Started) && now.Sub(cur.Asked) < 2*r.Soon; coming {
			return false
		}
		delay = 0
		if now.Sub(cur.Started) < r.Soon {
			delay = r.Soon
		}
		cur.Asked = Latest(now, cur.Started.Add(time.Nanosecond)) // its worker's clock may be ahead
		return true
	}); err != nil {
		return fmt.Errorf("ask for job %s: %w", name, err)
	}
	if !coming {
		_ = r.Start(ctx, tenantID, name, delay) // else the next schedule
	}
	return nil
}

// Dead says that a tenant's part was given up.
func (r *Runner) Dead(ctx context.Context, m Message) error {
	return r.Ledger.RecordSome(ctx, m.Tenant, ledger.Event{Kind: ledger.DeadJob, Text: "The job " + prose.Quote(m.Job) +
		" broke off again and again and was given up for now. " + r.anew(m.Job)})
}

// anew says what starts a job anew that was given up.
func (r *Runner) anew(name string) string {
	k, _ := r.Kind(name)
	if k.Anew != "" {
		return k.Anew
	}
	if r.Interval(k) == 0 {
		return "It has no schedule: start it anew by hand."
	}
	return "Its schedule starts it anew."
}

// fanOuts is how many messages are sent at once.
const fanOuts = 16

// FanOut sends one message for each tenant whose turn of a job has come and whose connections are ready for it.
// Messages are spread, so that neither we nor the vendors meet all tenants at the same second; a tenant keeps its
// place, and so its interval. A tenant whose connection needs reconnecting is left out until it is repaired.
//
// Sending twice does no harm: a part of a kind with a cursor ends at once where its work was done since it was sent;
// one of a kind without sees to that itself. A tenant's messages are a group of their own in the queue, so that a slow
// one holds nobody up.
func (r *Runner) FanOut(ctx context.Context, name string) error {
	k, ok := r.Kind(name)
	if !ok {
		return fmt.Errorf("there is no job %q", name)
	}
	ids, err := r.ready(ctx, k)
	if err != nil {
		return err
	}
	return r.fanOut(ctx, k, ids)
}

// FanOutTo does so for tenants who chose the kind.
func (r *Runner) FanOutTo(ctx context.Context, name string, ids []string) error {
	k, ok := r.Kind(name)
	if !ok {
		return fmt.Errorf("there is no job %q", name)
	}
	return r.fanOut(ctx, k, ids)
}

func (r *Runner) fanOut(ctx context.Context, k Kind, ids []string) (err error) {
	cursors := map[string]*ledger.Cursor{}
	if k.List != "" {
		if cursors, err = r.Ledger.Cursors(ctx, ids, k.Name); err != nil {
			return err
		}
	}
	now := r.Now().UTC()
	spread := min(time.Duration(len(ids))*r.Spread, r.Interval(k)*4/5, MaxDelay)
	type sending struct {
		id    string
		delay time.Duration
	}
	var due []sending
	for _, id := range ids {
		delay := offset(id, spread)
		if cur := cursors[id]; cur == nil || isDue(cur, now.Add(delay), 2*r.Soon) {
			due = append(due, sending{id, delay})
		}
	}
	slices.SortFunc(due, func(a, b sending) int { return int(a.delay - b.delay) })
	return parallel.Each(fanOuts, slices.Values(due), func(s sending) error {
		return r.send(ctx, Message{Job: k.Name, Tenant: s.id, At: now}, s.delay)
	})
}

// ready lists the tenants whose turn it may be, and whose connections a kind can work with.
func (r *Runner) ready(ctx context.Context, k Kind) (ids []string, err error) {
	for t, err := range r.Tenants.All(ctx) {
		if err != nil {
			return nil, err
		}
		if r.turnNow(k, t) {
			ids = append(ids, t.ID)
		}
	}
	bundles, err := r.Tenants.ConnectionsOf(ctx, ids, k.Needs...)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(ids, func(id string) bool { return bundles[id].Ready(k.Needs...) != "" }), nil
}

// isDue reports whether a part whose message arrives at an instant has work to do. The schedule is the clock; what it
// delivers twice comes within seconds.
func isDue(c *ledger.Cursor, at time.Time, twice time.Duration) bool {
	return c.Checked.Before(c.Started) || c.Asked.After(c.Started) || at.Sub(c.Started) >= twice
}

// offset is a tenant's place in a spread, always the same.
func offset(id string, spread time.Duration) time.Duration {
	if spread <= 0 {
		return 0
	}
	h := fnv.New32a()
	h.Write([]byte(strings.ToLower(id)))
	h.Write([]byte("place"))
	of, _ := bits.Mul64(uint64(h.Sum32())<<32, uint64(spread))
	return time.Duration(of)
}

// Do does one tenant's part of a job. nil = there is nothing left to do with the message: the part is done, or is not
// to be done, or comes back by itself. An error has the queue repeat the message.
func (r *Runner) Do(ctx context.Context, m Message) error {
	k, ok := r.Kind(m.Job)
	if !ok {
		return fmt.Errorf("there is no job %q", m.Job)
	}
	if k.Run == nil {
		return fmt.Errorf("the job %q is another function's", m.Job)
	}
	p, err := r.begin(ctx, k, m)
	if p == nil || err != nil {
		return err
	}
	work := ctx
	if k.Class == limit.Bulk {
		work = limit.WithBulk(ctx)
	}
	return p.End(ctx, k.Run(work, p))
}

// begin loads what a part stands on. nil = there is nothing to do: the tenant is not (or no longer) connected, or a
// run that began after the message was sent has done its work, or goes on by itself.
func (r *Runner) begin(ctx context.Context, k Kind, m Message) (*Part, error) {
	b, err := r.Tenants.Load(ctx, m.Tenant)
	if errors.Is(err, tenant.ErrNotFound) {
		return nil, nil
	}
	if err != nil || b.Ready(k.Needs...) != "" {
		return nil, err
	}
	p := &Part{Message: m, Kind: k, Bundle: b, runner: r}
	if k.List == "" {
		return p, nil
	}
	if p.Cursor, err = r.Ledger.Cursor(ctx, m.Tenant, m.Job); err != nil {
		return nil, err
	}
	if cur := p.Cursor; !m.At.IsZero() && (answered(cur, m.At) || cur.Again.After(r.Now())) {
		return nil, nil
	}
	if account := p.Connection().Account; p.Cursor.Account != account {
		p.Cursor.Restart(account) // how far another account's list was read says nothing of this one's
	}
	// This run answers whoever asked, whose clock may be ahead.
	p.Cursor.Started = Latest(r.Now().UTC(), p.Cursor.Asked)
	return p, nil
}

// answered reports whether a run that began after an instant has done all that was asked for since.
func answered(c *ledger.Cursor, at time.Time) bool {
	return c.Started.After(at) && c.Checked.After(at) && !c.Asked.After(c.Started)
}
