package upstockcin7

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/limit"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/vendor"
)

// Backfill is the taking in of Upstock's orders of a range of days, as a person
// wanted it: those approved before the connection was made, too. A tenant has
// one at a time; what is kept is the latest.
type Backfill struct {
	State   BackfillState `json:"state"`
	From    string        `json:"from"`    // first calendar day, YYYY-MM-DD
	To      string        `json:"to"`      // last one
	Zone    string        `json:"zone"`    // the tenant's time zone when it was started
	Account string        `json:"account"` // the Upstock supplier

	Listed    int `json:"listed"`    // orders of the range, so far
	Taken     int `json:"taken"`     // taken in by it, to be sold
	Known     int `json:"known"`     // that were here
	Cancelled int `json:"cancelled"` // cancelled in Upstock
	Shipped   int `json:"shipped"`   // shipped in Upstock and not here: left out
	Attention int `json:"attention"` // that a person must look at, as they make no sense

	Reached  time.Time `json:"reached,omitzero"` // approval of the latest order read
	Started  time.Time `json:"started,omitzero"`
	Updated  time.Time `json:"updated,omitzero"`
	Finished time.Time `json:"finished,omitzero"` // done, failed or stopped
	Why      string    `json:"why,omitempty"`     // running: what holds it up; failed: why

	After   string    `json:"after,omitempty"` // the next page
	Pages   []byte    `json:"pages,omitempty"` // those read, see job.Turn
	Again   time.Time `json:"again,omitzero"`  // its next message is on its way for then
	Errors  int       `json:"errors,omitempty"`
	Failing time.Time `json:"failing,omitzero"`
	Renewed bool      `json:"renewed,omitempty"` // it began anew, as Upstock did not know the page any more

	rev string
}

// BackfillState says how far a backfill is.
type BackfillState string

// The states of a backfill.
const (
	BackfillNone    BackfillState = "none"
	BackfillRunning BackfillState = "running"
	BackfillDone    BackfillState = "done"
	BackfillFailed  BackfillState = "failed" // starting it again does what is left
	BackfillStopped BackfillState = "stopped"
)

// ErrBackfillRunning says that a backfill of other days is running.
var ErrBackfillRunning = errors.New("a backfill of other days is running")

// maxDays is the longest range.
const maxDays = 366

// backfillDoc is the document's name.
const backfillDoc = "backfill"

// days is a range of calendar days in a time zone.
type days struct {
	from, to     upstock.Date
	zone         *time.Location
	since, until time.Time // until: the end of the last day
}

func daysIn(from, to upstock.Date, zone *time.Location) days {
	return days{from, to, zone, from.In(zone), time.Date(to.Year, to.Month, to.Day+1, 0, 0, 0, 0, zone)}
}

// days reads a range as a person gave it. Errors: tenant.FieldErrors.
func (p *Pair) days(t tenant.Tenant, from, to time.Time) (days, error) {
	zone, err := time.LoadLocation(t.TimeZone)
	if err != nil {
		zone = time.UTC
	}
	d := daysIn(upstock.DateOf(from), upstock.DateOf(to), zone)
	today := upstock.DateOf(p.Now().In(zone)).In(time.UTC)
	first, last := d.from.In(time.UTC), d.to.In(time.UTC)
	var errs tenant.FieldErrors
	say := func(bad bool, field, message string) {
		if bad {
			errs = append(errs, tenant.FieldError{Field: field, Message: message})
		}
	}
	say(from.IsZero(), "from", "Say the first day, as 2026-11-01.")
	say(to.IsZero(), "to", "Say the last day, as 2026-11-07.")
	if errs == nil {
		say(first.After(today), "from", "This day is still to come.")
		say(last.After(today), "to", "This day is still to come.")
		say(last.Before(first), "to", "This day is before from.")
		say(last.Sub(first) >= maxDays*24*time.Hour, "to",
			fmt.Sprintf("This is more than %d days. Take them in part by part.", maxDays))
	}
	if errs != nil {
		return days{}, errs
	}
	return d, nil
}

// span is a backfill's range.
func (b *Backfill) span() (days, error) {
	zone, err := time.LoadLocation(b.Zone)
	if err != nil {
		zone = time.UTC
	}
	var from, to upstock.Date
	err = errors.Join(from.UnmarshalText([]byte(b.From)), to.UnmarshalText([]byte(b.To)))
	return daysIn(from, to, zone), err
}

// Day is the day that is reached, in the tenant's time zone; "" = none yet.
func (b *Backfill) Day() string {
	d, err := b.span()
	if err != nil || b.Reached.IsZero() {
		return ""
	}
	return b.Reached.In(d.zone).Format(time.DateOnly)
}

// Percent is how much of the range's time is read.
func (b *Backfill) Percent() int {
	d, err := b.span()
	switch {
	case b.State == BackfillDone:
		return 100
	case err != nil || b.Reached.Before(d.since):
		return 0
	}
	end := d.until
	if b.Started.Before(end) {
		end = b.Started
	}
	if whole := end.Sub(d.since); whole > 0 {
		return min(99, int(100*b.Reached.Sub(d.since).Seconds()/whole.Seconds()))
	}
	return 0
}

// BackfillState reads a tenant's backfill; its state is none where there never was one.
func (p *Pair) BackfillState(ctx context.Context, tenantID string) (Backfill, error) {
	b := Backfill{State: BackfillNone}
	var err error
	b.rev, err = p.Ledger.Doc(ctx, tenantID, backfillDoc, &b)
	return b, err
}

func (p *Pair) saveBackfill(ctx context.Context, tenantID string, b *Backfill) error {
	b.Updated = p.Now().UTC()
	rev, err := p.Ledger.SaveDoc(ctx, tenantID, backfillDoc, b.rev, b)
	if err == nil {
		b.rev = rev
	}
	return err
}

// StartBackfill starts taking in the orders that were approved on the days from
// … to, in the tenant's time zone (of both the date counts). The same days
// again are the backfill that is running. What is here already is never taken in
// twice, so a range may be taken in as often as one likes.
// Errors: tenant.FieldErrors, ErrBackfillRunning, *vendor.ConnectError where a system is not connected.
func (p *Pair) StartBackfill(ctx context.Context, tenantID string, from, to time.Time) (Backfill, error) {
	t, err := p.Tenants.Load(ctx, tenantID)
	if err != nil {
		return Backfill{}, err
	}
	d, err := p.days(t.Tenant, from, to)
	if err != nil {
		return Backfill{}, err
	}
	if lack := t.Lack(tenant.Upstock, tenant.Cin7Core); lack != nil {
		return Backfill{}, &vendor.ConnectError{Problem: ledger.Problem{
			Code: "notReady", Message: lack.State, Fix: "Connect both systems first.",
		}}
	}
	b, err := ledger.ChangeDoc(ctx, p.Ledger, tenantID, backfillDoc, func(b *Backfill) (bool, error) {
		switch {
		case b.State != BackfillRunning:
			now := p.Now().UTC()
			*b = Backfill{State: BackfillRunning, From: d.from.String(), To: d.to.String(), Zone: d.zone.String(),
				Account: t.Connections[tenant.Upstock].Account, Started: now, Updated: now}
			return true, nil
		case b.From != d.from.String() || b.To != d.to.String():
			return false, ErrBackfillRunning
		}
		return false, nil
	})
	if err == nil {
		_ = p.Runner.Start(ctx, tenantID, JobBackfill, 0) // the job reconcile sends it again
	}
	return b, err
}

// StopBackfill ends a running backfill. Orders that it took in go on.
func (p *Pair) StopBackfill(ctx context.Context, tenantID string) error {
	_, err := ledger.ChangeDoc(ctx, p.Ledger, tenantID, backfillDoc, func(b *Backfill) (bool, error) {
		if b.State != BackfillRunning {
			return false, nil
		}
		now := p.Now().UTC()
		b.State, b.Why, b.Again, b.Finished, b.Updated = BackfillStopped, "", time.Time{}, now, now
		return true, nil
	})
	return err
}

// resumeBackfill sends a running backfill's message again where it has not
// moved for a while. Sent once too often it does no harm.
func (p *Pair) resumeBackfill(ctx context.Context, tenantID string) error {
	b, err := p.BackfillState(ctx, tenantID)
	if err != nil || b.State != BackfillRunning || p.Now().Sub(job.Latest(b.Updated, b.Again)) < p.Times.Resend {
		return err
	}
	return p.Runner.Start(ctx, tenantID, JobBackfill, 0)
}

// byBackfill begins the timeline of an order that a backfill took in.
const byBackfill = "Taken in by a backfill"

// filling is one run of a backfill.
type filling struct {
	*Pair
	ctx  context.Context
	part *job.Part
	of   supplier
	days
	*Backfill
}

// backfill reads on in the range of a tenant's backfill, and takes in what is
// missing as reconcile does. Progress is saved after each page, whose orders are
// durable then. As these orders are in nobody's hurry, the work on them begins
// one after the other, so that some of Cin7 Core's budget is left for new ones:
// each costs a look more than others, and another where it was approved before
// the connection was made, and may have been sold by other means.
func (p *Pair) backfill(ctx context.Context, part *job.Part) error {
	b, err := p.BackfillState(ctx, part.Tenant)
	if err != nil || b.State != BackfillRunning || b.Again.After(p.Now().Add(p.Times.Soon)) {
		return err
	}
	t := part.Bundle
	conn := t.Connections[tenant.Upstock]
	f := &filling{Pair: p, ctx: ctx, part: part, of: supplierAt(conn), Backfill: &b}
	if f.days, err = b.span(); err != nil {
		return f.fail("Its days cannot be read: " + err.Error() + ".")
	}
	if conn.Account != "" && conn.Account != b.Account {
		return f.fail("Another Upstock supplier is connected now.")
	}
	if why := t.Ready(tenant.Upstock, tenant.Cin7Core); why != "" { // the job reconcile wakes it once they are
		return f.wait(why, time.Time{})
	}
	sec, err := p.Vendors.Secrets(ctx, conn)
	if err != nil {
		return err
	}
	client := p.Upstock(conn, sec, part.Kind.Class == limit.First)
	for {
		if over, err := f.readOn(client); over || err != nil {
			return err
		}
	}
}

// readOn reads the next page of the range. over says that the part ends with it.
func (f *filling) readOn(client *upstock.Client) (over bool, err error) {
	if f.part.Short(f.ctx) != nil {
		return true, f.wait("", f.Now().Add(f.Times.Soon))
	}
	q := upstock.OrdersQuery{ApprovedSince: f.since, After: f.After, Limit: ordersPage}
	page, err := client.OrdersPage(f.ctx, q)
	if err != nil {
		return true, f.failed(err)
	}
	fresh, beyond, err := f.page(page)
	if err != nil {
		return true, err
	}
	f.Errors, f.Failing, f.Why = 0, time.Time{}, ""
	if page.Next == "" || beyond {
		if err := f.filled(f.ctx, f.part.Tenant, f.Account, f.since, f.until); err != nil {
			return true, err
		}
		return true, f.end(BackfillDone, "")
	}
	if f.Pages, err = job.Turn(f.Pages, page.IDs(), page.Next); err != nil {
		return true, f.fail("Upstock's list of orders could not be read on from " + cmp.Or(f.Day(), f.From) + ": " +
			err.Error() + ".")
	}
	f.After = page.Next
	if fresh > 0 {
		return true, f.wait("", f.Now().Add(time.Duration(fresh)*f.Times.Soon))
	}
	err = f.saveBackfill(f.ctx, f.part.Tenant, f.Backfill)
	return err != nil, notBehind(err)
}

// page takes in a page and counts it. beyond says that it reaches past the range.
func (f *filling) page(page upstock.Page) (fresh int, beyond bool, err error) {
	rows, err := f.listed(f.ctx, f.of, page.Orders, f.since, f.until)
	if err != nil {
		return 0, false, err
	}
	for _, r := range rows {
		f.Listed++
		if r.order.ApprovedAt.After(f.Reached) {
			f.Reached = r.order.ApprovedAt.UTC()
		}
		if r.outcome == OutcomeShipped { // of earlier days most are: nobody has to look at them
			f.Shipped++
			continue
		}
		took, err := f.takeRow(f.ctx, f.of, r, arrival{how: byBackfill, delay: time.Duration(fresh) * f.Times.Soon})
		if err != nil {
			return 0, false, err
		}
		if r.outcome == OutcomeSell && !took { // another worker's, or a webhook's, meanwhile
			here, err := f.orders(f.ctx, f.of, []string{r.id})
			if r.run = here[r.id]; err != nil || r.run == nil {
				return 0, false, cmp.Or(err, ledger.ErrNotFound)
			}
		}
		switch {
		case r.outcome == OutcomeCancelled:
			f.Cancelled++
		case r.outcome == OutcomeAttention:
			f.Attention++
		case took:
			fresh++
			f.Taken++
		case f.tookIn(r.run): // by a try whose progress was lost
			f.Taken++
		default:
			f.Known++
		}
	}
	return fresh, reaches(page, f.until), nil
}

// tookIn reports whether this backfill took the order in.
func (f *filling) tookIn(r *order.Order) bool {
	return !r.Received.Before(f.Started) && len(r.Timeline) > 0 && strings.HasPrefix(r.Timeline[0].Text, byBackfill)
}

// failed decides what becomes of a backfill whose list could not be read.
func (f *filling) failed(err error) error {
	now := f.Now().UTC()
	switch {
	case job.RefusedPage(err) && (f.After == "" || f.Renewed):
		return f.fail("Upstock refuses the list of orders: " +
			strings.Join(append(rest.MessagesOf(err), "("+rest.Reason(err)+")"), " "))
	case job.RefusedPage(err):
		old := *f.Backfill
		*f.Backfill = Backfill{State: old.State, From: old.From, To: old.To, Zone: old.Zone, Account: old.Account,
			Started: old.Started, Renewed: true, rev: old.rev}
		const anew = "Upstock did not know its next page any more: the days are read anew."
		return f.wait(anew, now.Add(f.Times.Soon))
	}
	switch out := f.part.Verdict(f.ctx, err).(type) {
	case *ledger.Later:
		return f.wait(out.Why, out.At)
	case *ledger.Park:
		return f.wait(out.Why+" Save a new key, and it goes on by itself.", time.Time{})
	case *ledger.Down:
		f.Errors++
		if f.Failing.IsZero() {
			f.Failing = now
		}
		if now.Sub(f.Failing) > f.Times.GiveUp {
			return f.fail(out.Why)
		}
		return f.wait(out.Why, now.Add(job.Backoff(f.Errors-1, f.Times.MinRetry, f.Times.Longest)))
	default:
		return out
	}
}

// wait saves the progress and comes back by itself; at zero = the job reconcile wakes it.
func (f *filling) wait(why string, at time.Time) error {
	f.Why, f.Again = why, at.UTC()
	if at.IsZero() {
		f.Again = time.Time{}
	}
	if err := f.saveBackfill(f.ctx, f.part.Tenant, f.Backfill); err != nil || at.IsZero() {
		return notBehind(err)
	}
	return f.part.Again(f.ctx, at.Sub(f.Now()))
}

func (f *filling) fail(why string) error {
	return f.end(BackfillFailed, why+" Start it again for what is left: nothing is taken in twice.")
}

func (f *filling) end(s BackfillState, why string) error {
	f.State, f.Why, f.After, f.Pages, f.Again, f.Finished = s, why, "", nil, time.Time{}, f.Now().UTC()
	if err := f.saveBackfill(f.ctx, f.part.Tenant, f.Backfill); err != nil {
		return notBehind(err)
	}
	text := fmt.Sprintf("The backfill of %s to %s is done: %d orders, of which %d were taken in and %d were here.",
		f.From, f.To, f.Listed, f.Taken, f.Known)
	if s == BackfillFailed {
		text = fmt.Sprintf("The backfill of %s to %s ended before its time. %s", f.From, f.To, f.Why)
	}
	return f.Ledger.RecordSome(f.ctx, f.part.Tenant, ledger.Event{Kind: "backfill", Text: text})
}

// notBehind: a worker that was faster goes on with the backfill, or a person stopped it.
func notBehind(err error) error {
	if errors.Is(err, ledger.ErrBehind) {
		return nil
	}
	return err
}

// BackfillPreview is what a backfill would do with one page of its orders.
type BackfillPreview struct {
	Items    []BackfillItem
	Counts   map[Outcome]int
	Problems []ledger.Problem // why there is no preview
	Next     string           // "" = the last page
}

// BackfillItem is an order and what would become of it. Totals and Said are
// known of those that would be sold.
type BackfillItem struct {
	ID         string // as the order's run has it; "!…" where Upstock gives none
	Number     string
	Reference  string
	Customer   string
	Approved   time.Time
	Outcome    Outcome
	State      ledger.State // of the order here; "" = it is not here
	OrderTotal string       // two decimals; "" = not known
	SaleTotal  string
	Problems   []ledger.Problem
	Said       []string
}

// PreviewBackfill says what would become of the orders that were approved on the
// days from … to, a page of at most limit at a time (1 to 100), with the settings
// as they are. Nothing is written anywhere. What could not be planned just now,
// as Cin7 Core's budget or the time is used up, is unknown.
// Errors: tenant.FieldErrors; ledger.ErrAfter where Upstock refuses the page after.
func (p *Pair) PreviewBackfill(
	ctx context.Context, tenantID string, from, to time.Time, after string, limit int,
) (BackfillPreview, error) {
	var v BackfillPreview
	t, err := p.Tenants.Load(ctx, tenantID)
	if err != nil {
		return v, err
	}
	d, err := p.days(t.Tenant, from, to)
	if err != nil {
		return v, err
	}
	w := &work{Pair: p, ctx: ctx, run: &order.Order{Run: ledger.Run{Tenant: tenantID}}, b: t, preview: true}
	if err := w.connect(); err != nil {
		return unplannedBackfill(err)
	}
	sec, err := p.Vendors.Secrets(ctx, w.up)
	if err != nil {
		return v, err
	}
	page, err := p.Upstock(w.up, sec, false).OrdersPage(ctx,
		upstock.OrdersQuery{ApprovedSince: d.since, After: after, Limit: min(limit, ordersPage)})
	if after != "" && job.RefusedPage(err) {
		return v, ledger.ErrAfter
	}
	if err := w.answered(err); err != nil {
		return unplannedBackfill(err)
	}
	if v, err = w.previewed(page.Orders, d); err != nil {
		return v, err
	}
	v.Next = page.Next
	if n := len(page.Orders); n > 0 {
		if last, _ := upstock.ParseOrder(page.Orders[n-1]); !last.ApprovedAt.Before(d.until) || page.Next == after {
			v.Next = ""
		}
	}
	return v, nil
}

// unplannedBackfill is the preview where an outcome of work keeps its orders from being planned; any other error is
// returned.
func unplannedBackfill(err error) (BackfillPreview, error) {
	pr, ok := notPlanned(err)
	if !ok {
		return BackfillPreview{}, err
	}
	return BackfillPreview{Problems: []ledger.Problem{pr}}, nil
}

// previewed is the preview of a page of orders.
func (w *work) previewed(orders []json.RawMessage, d days) (BackfillPreview, error) {
	v := BackfillPreview{Counts: map[Outcome]int{}}
	rows, err := w.listed(w.ctx, supplierAt(w.up), orders, d.since, d.until)
	if err != nil {
		return v, err
	}
	var stuck *ledger.Problem // why the rest cannot be planned just now
	for _, r := range rows {
		it, err := w.item(r, &stuck)
		if err != nil {
			return v, err
		}
		v.Counts[it.Outcome]++
		v.Items = append(v.Items, it)
	}
	return v, nil
}

func (w *work) item(r row, stuck **ledger.Problem) (BackfillItem, error) {
	run := &order.Order{Run: ledger.Run{Tenant: w.run.Tenant, ID: supplierAt(w.up).key(r.id)}}
	describe(run, r.order)
	if r.run != nil {
		run.ID = r.run.ID
	}
	it := BackfillItem{ID: run.ID, Number: run.Number, Reference: run.Reference, Customer: run.Customer,
		Approved: run.Approved, Outcome: r.outcome, OrderTotal: run.Total}
	if r.run != nil {
		it.State, it.SaleTotal, it.Problems = r.run.State, r.run.SaleTotal, r.run.Problems
		return it, nil
	}
	if r.outcome != OutcomeSell {
		return it, nil
	}
	if r.order.External != nil {
		it.Outcome, it.Problems = OutcomeAttention, []ledger.Problem{shownAsSold(r.order)}
		return it, nil
	}
	if *stuck == nil {
		w.run, w.doc = run, &document{body: r.raw, bare: true}
		plan, problems, err := w.checkedPlan(w.doc)
		pr, ok := notPlanned(err)
		switch {
		case err != nil && !ok:
			return it, err
		case err != nil:
			*stuck = &pr
		default:
			if it.OrderTotal = plan.OrderTotal.StringFixed(2); len(problems) > 0 {
				it.Outcome, it.Problems = OutcomeAttention, problems
				return it, nil
			}
			it.SaleTotal, it.Said = plan.SaleTotal.StringFixed(2), plan.Said
			return it, nil
		}
	}
	it.Outcome, it.Problems = OutcomeUnknown, []ledger.Problem{**stuck}
	return it, nil
}

// notPlanned says in plain words why work cannot go on just now; ok is false for an error of our own.
func notPlanned(err error) (pr ledger.Problem, ok bool) {
	pr = ledger.Problem{Code: "notReady", Fix: "Connect both systems and wait until the reference data is read."}
	switch e := err.(type) {
	case *ledger.Later:
		pr.Message, pr.Fix = e.Why, "Ask again in a minute."
	case *ledger.Park:
		pr.Message = e.Why
	case *ledger.Down:
		pr.Code, pr.Message, pr.Fix = "noAnswer", e.Why, "Ask again in a minute."
	case *ledger.Reject:
		return e.Problems[0], true
	default:
		return pr, false
	}
	return pr, true
}
