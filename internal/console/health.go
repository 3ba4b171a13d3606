package console

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/joorcin7"
	"stockbridge/internal/ledger"
	"stockbridge/internal/limit"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
)

type healthAnswer struct {
	Connections []connectionAnswer `json:"connections"`
	Mirror      mirrorAnswer       `json:"mirror"`
	Webhooks    *webhooksAnswer    `json:"webhooks"` // Cin7 Core's to us; null: not connected
	Jobs        []jobAnswer        `json:"jobs"`
	// what they name that Cin7 Core does not have, or that is not checked yet
	Settings     []string            `json:"settings"`
	Drift        []driftAnswer       `json:"drift"` // the same and links, without what is not checked yet
	Orders       counts              `json:"orders"`
	Backlog      backlogAnswer       `json:"backlog"`
	Completeness completenessSummary `json:"completeness"`
	Budgets      []budgetAnswer      `json:"budgets"`
	NewestEvent  *eventAnswer        `json:"newestEvent"`
	Started      time.Time           `json:"started"` // of this process
}

// completenessSummary is what the newest check of the standing period found.
type completenessSummary struct {
	Summary     string     `json:"summary"`
	Checked     *time.Time `json:"checked"` // null, as the next two: never
	Missing     *int       `json:"missing"`
	Differences *int       `json:"differences"`
}

type mirrorAnswer struct {
	State    string          `json:"state"` // reading, ready
	Progress *mirrorProgress `json:"progress"`
	Started  *time.Time      `json:"started"`
	Ready    *time.Time      `json:"ready"` // end of the last complete pass
	Problem  *string         `json:"problem"`
}

type mirrorProgress struct {
	Step  string `json:"step"`
	Read  int    `json:"read"`
	Total int    `json:"total"`
}

// counts of orders, from the tenant's own index: exact to ledger.CountMost.
type counts struct {
	Attention int      `json:"attention"` // wait for a person
	Parked    int      `json:"parked"`    // wait for a connection to work again
	Due       int      `json:"due"`       // their time has come
	Waiting   int      `json:"waiting"`   // go on by themselves at a later time
	More      []string `json:"more"`      // which of these are more than the number given
}

// backlogMost is how many orders a backlog's estimate reads.
const backlogMost = 1000

func (a *api) health(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	ctx := r.Context()
	h := healthAnswer{Connections: []connectionAnswer{}, Mirror: mirrorOf(b), Budgets: []budgetAnswer{},
		Started: a.Started.UTC()}
	var core limit.State
	for _, sys := range tenant.Systems() {
		c, ok := b.Connections[sys]
		if !ok {
			continue
		}
		shown, err := a.withNotes(r, b, c)
		if err != nil {
			return err
		}
		shown.WebhookURL = "" // health may be shown on a wall
		h.Connections = append(h.Connections, shown)
		if _, ok := a.Vendors.Of(sys); !ok {
			continue
		}
		left, err := a.Budget(ctx, c)
		if err != nil {
			return fmt.Errorf("budget of %s: %w", sys, err)
		}
		h.Budgets = append(h.Budgets, budgetOf(c, left))
		if sys == tenant.Cin7Core {
			core, h.Webhooks = left, webhooksOf(b, c)
		}
	}
	var err error
	if h.Jobs, err = a.jobs(ctx, b); err != nil {
		return err
	}
	if h.Drift, err = a.driftOf(ctx, b); err != nil {
		return err
	}
	h.Settings = a.uncounted(b, h.Drift)
	var due []ledger.Ref
	if h.Orders, due, err = a.count(ctx, b); err != nil {
		return err
	}
	if h.Backlog, err = a.backlog(ctx, b, due, core); err != nil {
		return err
	}
	c, err := a.Pair.Completeness.LastOf(ctx, b, time.Time{}, time.Time{})
	if err != nil {
		return err
	}
	h.Completeness = completenessSummary{Summary: c.Summary, Checked: when(c.Checked)}
	if h.Completeness.Checked != nil {
		h.Completeness.Missing, h.Completeness.Differences = &c.Counts.Missing, &c.Found
	}
	events, _, err := a.Ledger.Events(ctx, b.Tenant.ID, "", 1)
	if err != nil {
		return err
	}
	if len(events) > 0 {
		e := eventOf(events[0])
		h.NewestEvent = &e
	}
	return respond(w, r, http.StatusOK, h)
}

// uncounted says what of the settings does not count or is not in Cin7 Core any more, a sentence each.
func (a *api) uncounted(b tenant.Bundle, drift []driftAnswer) []string {
	_, ignored := a.stored(b)
	said := append([]string{}, ignored...)
	if why := a.Pair.Unchecked(b); why != "" {
		said = append(said, why)
	}
	for _, d := range drift {
		if d.About == upstockcin7.AboutSetting {
			said = append(said, d.Text)
		}
	}
	return said
}

// jobAnswer is how one of the jobs fares that run by themselves.
type jobAnswer struct {
	Job     string     `json:"job"`
	Every   float64    `json:"every"`   // seconds
	Started *time.Time `json:"started"` // of its last run
	Checked *time.Time `json:"checked"` // when it was last through
	Next    *time.Time `json:"next"`    // about when it runs, or is tried, again; null: see nextTry
	Problem *string    `json:"problem"` // why it does not get on
	Running bool       `json:"running"` // asked for, or begun and not through
	Rows    int        `json:"rows"`    // read, when it was last through
	Marked  int        `json:"marked"`  // orders to look at, or taken in
	Unknown int        `json:"unknown"` // rows of orders that are not here
}

// skipped begins what is said of a job whose systems cannot be called.
const skipped = "Skipped: "

func (a *api) jobs(ctx context.Context, b tenant.Bundle) ([]jobAnswer, error) {
	var list []jobAnswer
	var names []string
	for _, k := range a.Jobs.Kinds {
		names = append(names, k.Name)
	}
	cursors, err := a.Ledger.CursorsOf(ctx, b.Tenant.ID, names...)
	if err != nil {
		return nil, fmt.Errorf("jobs: %w", err)
	}
	for _, k := range a.Jobs.Kinds {
		if k.Every == 0 || k.Chosen || !concerns(b, k) { // by hand, or not every tenant's
			continue
		}
		if k.Name == upstockcin7.JobMirror { // it keeps its own place
			list = append(list, a.mirrorJob(b, k))
			continue
		}
		c := cursors[k.Name]
		j := jobAnswer{
			Job: k.Name, Every: a.Jobs.Interval(k).Seconds(), Started: when(c.Started), Checked: when(c.Checked),
			Problem: known(c.Problem),
			Running: c.Started.After(c.Checked) || c.Asked.After(c.Started), Rows: c.Last.Rows, Marked: c.Last.Marked,
			Unknown: c.Last.Unknown,
		}
		if job.Outdated(b, c.Problem) {
			j.Problem = nil
		}
		if why := b.Ready(k.Needs...); why != "" {
			j.Problem, j.Running = known(skipped+why), false
		} else {
			j.Next = when(nextTry(c, a.Jobs.Interval(k), a.Jobs.Now(), j))
		}
		list = append(list, j)
	}
	return list, nil
}

// nextTry is about when a job runs again, or is tried again as it does not get on; zero while it is running.
func nextTry(c *ledger.Cursor, every time.Duration, now time.Time, j jobAnswer) (none time.Time) {
	switch {
	case c.Started.IsZero() || j.Running && j.Problem == nil:
		return none
	case !j.Running:
		return c.Started.Add(every)
	case c.Again.After(now):
		return c.Again
	}
	return now.Add(every - now.Sub(c.Started)%every)
}

// concerns reports whether a tenant has to do with a kind of job: it has one of the systems, or none at all, when it is
// told of those of orders.
func concerns(b tenant.Bundle, k job.Kind) bool {
	if slices.ContainsFunc(joorcin7.Systems(), func(sys tenant.System) bool { return slices.Contains(k.Needs, sys) }) {
		return uses(b, k.Needs)
	}
	return uses(b, k.Needs) || !uses(b, joorcin7.Systems())
}

// mirrorJob is how the reading of the account's records fares.
func (a *api) mirrorJob(b tenant.Bundle, k job.Kind) jobAnswer {
	m := upstockcin7.MirrorOf(b)
	j := jobAnswer{
		Job: k.Name, Every: a.Jobs.Interval(k).Seconds(), Started: when(m.Started), Checked: when(m.Ready),
		Problem: known(m.Problem), Running: m.Step != "",
	}
	next := time.Now().Add(a.Jobs.Interval(k))
	if k.Nightly {
		j.Every, next = (24 * time.Hour).Seconds(), job.NextNight(b.Tenant, time.Now())
	}
	if why := b.Ready(k.Needs...); why != "" {
		j.Problem, j.Running = known(skipped+why), false
	} else if j.Every > 0 && !j.Running {
		j.Next = when(next)
	}
	return j
}

func mirrorOf(b tenant.Bundle) mirrorAnswer {
	_, connected := b.Connections[tenant.Cin7Core]
	m := upstockcin7.MirrorOf(b)
	ans := mirrorAnswer{State: "reading", Started: when(m.Started), Ready: when(m.Ready), Problem: known(m.Problem)}
	if m.IsReady() {
		ans.State = "ready"
	}
	if m.Step != "" {
		ans.Progress = &mirrorProgress{m.Step, m.Read, m.Total}
	}
	if !connected {
		ans.Problem = known(tenant.Cin7Core.NotConnected())
	}
	return ans
}

// count counts, and returns the first of the orders that are due or waiting, soonest first.
func (a *api) count(ctx context.Context, b tenant.Bundle) (n counts, due []ledger.Ref, err error) {
	id := b.Tenant.ID
	n.More = []string{}
	upTo := func(n *int) func(ledger.Ref) bool {
		return func(ledger.Ref) bool { *n++; return *n <= ledger.CountMost }
	}
	if err := a.Orders.Parked(ctx, id, upTo(&n.Parked)); err != nil {
		return n, nil, err
	}
	awaiting, err := a.Pair.Awaiting(ctx, b, max(1, ledger.CountMost+1-n.Parked))
	if err != nil {
		return n, nil, err
	}
	n.Parked += awaiting
	if _, err := a.Orders.Relist(ctx, id, relistMost); err != nil {
		return n, nil, err
	}
	// all of them: those that are parked as well, and those whose sale's twin is still looked for
	if n.Attention, err = a.Orders.CountIn(ctx, id, ledger.Attention); err != nil {
		return n, nil, err
	}
	all, err := a.Orders.DueOf(ctx, id, time.Now(), backlogMost)
	if err != nil {
		return n, nil, err
	}
	n.Due, n.Waiting = all.Due, all.Waiting
	for _, c := range []struct {
		name string
		n    *int
	}{{"attention", &n.Attention}, {"parked", &n.Parked}, {"due", &n.Due}, {"waiting", &n.Waiting}} {
		if *c.n > ledger.CountMost {
			*c.n = ledger.CountMost
			n.More = append(n.More, c.name)
		}
	}
	return n, all.First, nil
}

// backlogAnswer is what of the orders' work is still to be done, and until when.
type backlogAnswer struct {
	Orders      int        `json:"orders"`      // not sold yet, not told yet, or with a reading of their sale due
	Calls       int        `json:"calls"`       // to Cin7 Core that they need, about
	ExpectedEnd *time.Time `json:"expectedEnd"` // null: there is no backlog, or nothing moves
}

// backlog estimates how long the orders that are due or waiting take. Parked
// ones and those that need a person are not among them, nor is a sold order
// that is only watched for a twin. Each is taken at its due time, and
//
//   - no sooner than sweeps wake it: what waited is woken by them alone, and
//     what only Upstock is to be told costs no call to Cin7 Core;
//   - no sooner than the account's budget, as it stands now, has calls for it
//     and all before it. Others who share the account make it later.
//
// That is the soonest: an order is looked for again where the budget ran out
// between the look and the sale.
//
// Of a longer backlog the first backlogMost are estimated. Nothing is expected
// while a connection needs reconnecting or its records are not read yet.
func (a *api) backlog(
	ctx context.Context, b tenant.Bundle, due []ledger.Ref, core limit.State,
) (n backlogAnswer, err error) {
	const some = 100 // at once: a run may be large
	e := newEstimate(time.Now().UTC(), core, a.Pair.Pace())
	for refs := range slices.Chunk(due, some) {
		runs, err := a.Orders.RunsOf(ctx, refs)
		if err != nil {
			return n, err
		}
		for _, ref := range refs {
			if run := runs[ledger.RunKey{Tenant: ref.Tenant, ID: ref.ID}]; run != nil {
				e.add(run, ref.Due)
			}
		}
	}
	if e.Orders > 0 && b.Ready(upstockcin7.Systems()...) == "" && !upstockcin7.MirrorOf(b).Ready.IsZero() {
		e.ExpectedEnd = &e.end
	}
	return e.backlogAnswer, nil
}

// estimate is a backlog, as far as it is added up.
type estimate struct {
	backlogAnswer
	start, end time.Time
	pace       time.Duration // of sweeps: a call each
	core       limit.State
}

func newEstimate(now time.Time, core limit.State, pace time.Duration) *estimate {
	start := now
	if core.BlockedUntil.After(now) {
		start = core.BlockedUntil.UTC()
	}
	return &estimate{start: start, end: start, pace: pace, core: core}
}

// add adds a run that is due at a time.
func (e *estimate) add(run *order.Order, due time.Time) {
	calls, waits := callsOf(run)
	if !waits {
		return
	}
	e.Orders++
	e.Calls += calls
	e.end = job.Latest(e.end.Add(time.Duration(calls)*e.pace), due)
	if short := e.Calls - e.core.Left; short > 0 && e.core.Of > 0 {
		e.end = job.Latest(e.end, e.start.Add(time.Duration(short)*e.core.Per/time.Duration(e.core.Of)))
	}
}

// callsOf is about how many calls to Cin7 Core a run needs; waits says that
// there is work to wait for.
func callsOf(run *order.Order) (calls int, waits bool) {
	switch {
	case run.Parked, run.SoldAt.IsZero() && (run.State == ledger.Attention || run.State == order.Cancelled):
		return 0, false
	case run.SoldAt.IsZero():
		return upstockcin7.CallsOf(run), true
	}
	return upstockcin7.CallsOf(run), run.ReadingDue() || run.Kept != nil || !run.Told
}

// budgetAnswer is how often an account may still be called, by whoever shares it.
type budgetAnswer struct {
	System       tenant.System `json:"system"`
	Account      string        `json:"account"`
	Left         int           `json:"left"`
	Of           int           `json:"of"`
	Seconds      float64       `json:"seconds"` // the window in which Of calls are allowed
	Rates        []rateAnswer  `json:"rates"`
	At           time.Time     `json:"at"`
	BlockedUntil *time.Time    `json:"blockedUntil"`
}

// rateAnswer is what is left of one of the windows that a vendor counts in.
type rateAnswer struct {
	Left    int     `json:"left"`
	Of      int     `json:"of"`
	Seconds float64 `json:"seconds"`
}

func budgetOf(c tenant.Connection, s limit.State) budgetAnswer {
	ans := budgetAnswer{
		System: c.System, Account: c.Account, Left: s.Left, Of: s.Of, Seconds: s.Per.Seconds(), Rates: []rateAnswer{},
		At: time.Now().UTC(), BlockedUntil: when(s.BlockedUntil),
	}
	for _, r := range s.Rates {
		ans.Rates = append(ans.Rates, rateAnswer{r.Left, r.Of, r.Per.Seconds()})
	}
	return ans
}
