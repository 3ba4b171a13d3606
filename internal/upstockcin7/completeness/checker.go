package completeness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/order"
)

// Job is the name of the job that checks.
const Job = "completeness"

// MaxDays is the longest period of one check.
const MaxDays = 92

const (
	standingDays = 7
	maxWaiting   = 20 // checks waiting at once
)

// Checker compares both sides.
type Checker struct{ Deps }

// New returns a checker.
func New(d Deps) *Checker { return &Checker{d} }

// Deps are what a checker stands on.
type Deps struct {
	Ledger  *ledger.Ledger
	Tenants *tenant.Store
	Marks   *order.Marks
	Runner  *job.Runner

	// Upstock and Cin7Core return clients for a connection's key, which Secrets reads. First says that the calls are of
	// the first class; a check's never are.
	Secrets  func(ctx context.Context, c tenant.Connection) (tenant.Secrets, error)
	Upstock  func(c tenant.Connection, s tenant.Secrets, first bool) *upstock.Client
	Cin7Core func(c tenant.Connection, s tenant.Secrets, first bool) *cin7core.Client

	// OrdersOf finds the runs of the orders of the supplier connected, by Upstock's ids. RunID is the id that the run
	// of such an order has, or would have.
	OrdersOf func(ctx context.Context, up tenant.Connection, ids []string) (map[string]*order.Order, error)
	RunID    func(up tenant.Connection, id string) string

	// Said is what stands for all that an order of Upstock's says, "" = it cannot be read; Differs reports whether it
	// says something else than is known of it here. Saw is told of such a one as Upstock shows it now.
	Said    func(raw json.RawMessage) string
	Differs func(r *order.Order, said, total string) bool
	Saw     func(ctx context.Context, r *order.Order, raw json.RawMessage) error

	// TakeIn has the approved orders taken in that no webhook brought.
	TakeIn func(ctx context.Context, tenantID string) error

	Fresh  time.Duration // an order may be under way so long before it counts as missing
	Settle time.Duration // what was done may show in a list so much later
	Now    func() time.Time
}

// The documents: what people asked for, the check under way, and a report each.
const (
	docAsked = "completeness#asked"
	docCheck = "completeness#check"
)

// span is a period as it is asked for; zero = the standing one.
type span struct {
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
}

func (s span) standing() bool { return s.From.IsZero() }

func (s span) same(o span) bool { return s.From.Equal(o.From) && s.To.Equal(o.To) }

func (s span) doc() string {
	if s.standing() {
		return "completeness#standing"
	}
	return fmt.Sprintf("completeness#%d#%d", s.From.Unix(), s.To.Unix())
}

// asked are the periods that people asked for and that are not checked yet.
type asked struct {
	Spans []askedSpan `json:"spans"`
}

type askedSpan struct {
	span
	At time.Time `json:"at"`
}

func (a *asked) has(s span) bool {
	return slices.ContainsFunc(a.Spans, func(o askedSpan) bool { return o.same(s) })
}

// spanOf checks a period.
func (c *Checker) spanOf(t tenant.Tenant, from, to time.Time) (span, error) {
	if from.IsZero() && to.IsZero() {
		return span{}, nil
	}
	zone := t.Zone()
	s := span{from.In(zone).Truncate(time.Second), to.In(zone).Truncate(time.Second)}
	bad := func(field, message string) (span, error) {
		return s, tenant.FieldErrors{{Field: field, Message: message}}
	}
	switch {
	case from.IsZero():
		return bad("from", "Say the first day too.")
	case to.IsZero():
		return bad("to", "Say the last day too.")
	case !s.From.Before(s.To):
		return bad("to", "The period ends before it begins.")
	case s.To.AddDate(0, 0, -MaxDays).After(s.From):
		return bad("to", fmt.Sprintf("Ask for at most %d days at once.", MaxDays))
	case !s.From.Before(c.Now()):
		return bad("from", "The period has not begun yet.")
	}
	return span{s.From.UTC(), s.To.UTC()}, nil
}

// Start asks for a check of the orders approved from one instant on until before another, at most 92 days later; zero
// times = the standing period. What is asked for already is not asked for twice.
// Errors: tenant.ErrNotFound, tenant.FieldErrors by from and to.
func (c *Checker) Start(ctx context.Context, tenantID string, from, to time.Time) error {
	b, err := c.Tenants.Load(ctx, tenantID)
	if err != nil {
		return err
	}
	s, err := c.spanOf(b.Tenant, from, to)
	if err != nil {
		return err
	}
	if err := c.changeAsked(ctx, tenantID, func(a *asked) error {
		if a.has(s) {
			return nil
		}
		if len(a.Spans) >= maxWaiting {
			return tenant.FieldErrors{{Field: "from",
				Message: fmt.Sprintf("%d checks are waiting already. Wait until one of them is done.", maxWaiting)}}
		}
		a.Spans = append(a.Spans, askedSpan{s, c.Now().UTC()})
		return nil
	}); err != nil {
		return err
	}
	return c.Runner.Kick(ctx, tenantID, Job)
}

func (c *Checker) changeAsked(ctx context.Context, tenantID string, change func(*asked) error) error {
	_, err := ledger.ChangeDoc(ctx, c.Ledger, tenantID, docAsked, func(a *asked) (bool, error) {
		n := len(a.Spans)
		err := change(a)
		return len(a.Spans) != n, err
	})
	return err
}

// Last reads the newest report on a period, as Start was given it (zero times = the standing one); Checked is zero
// where it was never checked. While a check runs the report before stands. Errors: tenant.ErrNotFound,
// tenant.FieldErrors by from and to.
func (c *Checker) Last(ctx context.Context, tenantID string, from, to time.Time) (Report, error) {
	b, err := c.Tenants.Load(ctx, tenantID)
	if err != nil {
		return Report{}, err
	}
	return c.LastOf(ctx, b, from, to)
}

// LastOf is Last of a tenant that was read already.
func (c *Checker) LastOf(ctx context.Context, b tenant.Bundle, from, to time.Time) (Report, error) {
	s, err := c.spanOf(b.Tenant, from, to)
	if err != nil {
		return Report{}, err
	}
	none := Report{From: s.From, To: s.To, Standing: s.standing()}
	if s.standing() {
		_, none.From, none.To = standing(b, c.Now())
	}
	r, now := none, underWay{}
	if _, err := c.Ledger.Docs(ctx, b.Tenant.ID, map[string]any{
		s.doc(): &r, docCheck: &now.check, docAsked: &now.asked,
	}); err != nil {
		return r, err
	}
	others := r.Accounts != "" && r.Accounts != comparedAccounts(b) // of other accounts than those connected now
	if others {
		r = none
	}
	if err := c.sayProgress(ctx, b, s, now, &r); err != nil {
		return r, err
	}
	if r.Summary = r.summary(c.Now(), b); others {
		r.Summary += " What was checked before is of other accounts than those connected now."
	}
	return r, nil
}

// underWay is the check that runs, and those that wait.
type underWay struct {
	check check
	asked asked
}

// sayProgress says of a period's report whether a check of it is under way, and what holds that up.
func (c *Checker) sayProgress(ctx context.Context, b tenant.Bundle, s span, now underWay, r *Report) error {
	k, a := now.check, now.asked
	cur, err := c.Ledger.Cursor(ctx, b.Tenant.ID, Job)
	if err != nil {
		return err
	}
	switch {
	case k.Phase != "" && k.Span.same(s):
		r.Running, r.Progress = true, k.progress()
	case a.has(s):
		r.Running, r.Progress = true, waitingCheck
	}
	if cur.Problem != "" && !job.Outdated(b, cur.Problem) && (r.Running || r.Standing) {
		r.Problem = cur.Problem
	}
	if lack := b.Lack(tenant.Upstock, tenant.Cin7Core); lack != nil {
		if r.Running || r.Standing {
			r.Problem = "Nothing is checked while " + lack.State
		}
		if r.Running {
			r.Progress = parkedCheck
		}
	}
	return nil
}

// standing is the standing period as it is at an instant: the last days, first is where they begin, and from where
// Upstock was connected if that was later. Of the time between the two only orders that are here are compared: a
// backfill brought them.
func standing(b tenant.Bundle, now time.Time) (first, from, to time.Time) {
	zone := b.Tenant.Zone()
	y, m, d := now.In(zone).Date()
	first = time.Date(y, m, d-standingDays+1, 0, 0, 0, 0, zone).UTC()
	up := b.Connections[tenant.Upstock]
	return first, job.Latest(first, up.Beginning()), now.UTC()
}

// comparedAccounts names what a check compares.
func comparedAccounts(b tenant.Bundle) string {
	return b.Connections[tenant.Upstock].Account + "|" + b.Connections[tenant.Cin7Core].Account
}

// ErrRowsGone says that a check's rows are kept no more: check again.
var ErrRowsGone = errors.New("the rows of this check are kept no more")

// Rows yields a row for each approved order of a checked period, oldest approval first, as the check left them: it
// wrote them down when it compared the order as Upstock listed it, the sales as Cin7 Core listed them and the run as
// the ledger had it then. They are kept for 2 days of the standing period and for 90 days of one that was asked for,
// then ErrRowsGone. Sales of unknown orders have no row: they are in Differences alone.
func (c *Checker) Rows(ctx context.Context, tenantID string, r Report) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		stopped := errors.New("stopped")
		err := c.Ledger.EachPart(ctx, tenantID, r.Rows, func(data []byte) error {
			var rows []Row
			if err := json.Unmarshal(data, &rows); err != nil {
				return fmt.Errorf("rows: %w", err)
			}
			for _, row := range rows {
				if !yield(row, nil) {
					return stopped
				}
			}
			return nil
		})
		if errors.Is(err, ledger.ErrNotFound) {
			err = ErrRowsGone
		}
		if err != nil && err != stopped {
			yield(Row{}, err)
		}
	}
}
