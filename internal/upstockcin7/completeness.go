package upstockcin7

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
)

// Completeness proves for one period and tenant that nothing is missing: the
// orders that Upstock lists as approved, the sales that Cin7 Core lists, and
// what the ledger knows of both, compared by CheckCompleteness.
//
// The standing period is the last 7 calendar days in the tenant's time zone,
// today included, but nothing from before Upstock was connected. Any other
// period is checked when a person asks for it.
type Completeness struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"` // not of the period any more

	Standing    bool               `json:"standing,omitempty"`
	Started     time.Time          `json:"started,omitzero"` // orders approved from then on are not compared
	Checked     time.Time          `json:"checked,omitzero"` // zero = never
	Counts      CompletenessCounts `json:"counts"`
	Differences []Difference       `json:"differences,omitempty"` // the first ones, at most 1,000
	Found       int                `json:"found,omitempty"`       // how many there are
	Problem     string             `json:"problem,omitempty"`     // why the last check did not come to its end

	Rows []string `json:"rows,omitempty"` // names of the parts that hold a row for each order

	Accounts string `json:"accounts,omitempty"` // that were compared; "" = an earlier version did not say

	Running  bool   `json:"-"`
	Progress string `json:"-"` // Running: how far it is
	Summary  string `json:"-"` // "0 missing, checked 3 min ago: …", and what that covers
}

// CompletenessCounts count a period's approved orders. Each is one of sold,
// cancelled, under way, or missing without a sale.
type CompletenessCounts struct {
	Approved      int `json:"approved"`
	Sold          int `json:"sold"`          // have their sale
	Shipped       int `json:"shipped"`       // of these, wholly shipped in Cin7 Core
	PartlyShipped int `json:"partlyShipped"` // of these, in part
	Cancelled     int `json:"cancelled"`
	UnderWay      int `json:"underWay"` // not sold yet and worked on: no difference
	Missing       int `json:"missing"`  // without their sale, or shipped and not told
	UpstockCalls  int `json:"upstockCalls"`
	Cin7Calls     int `json:"cin7Calls"` // Cin7 Core
}

// Codes of differences.
const (
	DiffMissing           = "missing"           // not written down here
	DiffNotSold           = "notSold"           // written down, and no sale for a while
	DiffSaleMissing       = "saleMissing"       // sold, and Cin7 Core does not have the sale
	DiffSaleVoided        = "saleVoided"        // sold, and the sale is voided
	DiffTwoSales          = "twoSales"          // several live sales carry the order's id
	DiffTotalDiffers      = "totalDiffers"      // by more than the tenant's tolerance
	DiffNotTold           = "notTold"           // shipped in Cin7 Core, not in Upstock
	DiffShippedNotInCin7  = "shippedNotInCin7"  // shipped in Upstock, not in Cin7 Core
	DiffCancelledWithSale = "cancelledWithSale" // cancelled in Upstock, and its sale stands
	DiffUnknownSale       = "unknownSale"       // a live sale with an order's id that neither Upstock's list nor the ledger has
	DiffOtherAccount      = "otherAccount"      // sold in another Cin7 Core account than the one connected now: not compared
	underWay              = "underWay"          // in rows alone: no difference
)

// Difference is one thing that does not agree, in plain words.
type Difference struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Fix     string `json:"fix"`
	Order   string `json:"order,omitempty"` // Upstock's id
	Number  string `json:"number,omitempty"`
	SaleID  string `json:"saleId,omitempty"`
	Sale    string `json:"sale,omitempty"` // numbers, with commas where there are several
}

// CompletenessRow is one approved order of a period, as a check found it.
type CompletenessRow struct {
	Order      string       `json:"order"` // from Upstock's list, as the next five
	Number     string       `json:"number,omitempty"`
	Reference  string       `json:"reference,omitempty"`
	Approved   time.Time    `json:"approved,omitzero"`
	Total      string       `json:"total,omitempty"` // two decimals, as the next two; "" = not known
	Currency   string       `json:"currency,omitempty"`
	State      ledger.State `json:"state,omitempty"` // from the ledger, as the next two; "" = not written down
	SaleNumber string       `json:"saleNumber,omitempty"`
	SaleTotal  string       `json:"saleTotal,omitempty"` // as read when it was sold
	Difference string       `json:"difference,omitempty"`
	Parcels    int          `json:"parcels,omitempty"`  // that Upstock was told of and took
	Tracking   string       `json:"tracking,omitempty"` // of these
	Complete   bool         `json:"complete,omitempty"` // Upstock was told that all is shipped
	Codes      []string     `json:"codes,omitempty"`    // of its differences, or underWay
	Reason     string       `json:"reason,omitempty"`
}

// MaxCompletenessDays is the longest period of one check.
const MaxCompletenessDays = 92

const (
	standingDays   = 7
	maxDifferences = 1000
	maxWaiting     = 20 // checks waiting at once
)

// The documents: what people asked for, the check under way, and a result each.
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

func zoneOf(t tenant.Tenant) *time.Location {
	zone, err := time.LoadLocation(t.TimeZone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// spanOf checks a period.
func (p *Pair) spanOf(t tenant.Tenant, from, to time.Time) (span, error) {
	if from.IsZero() && to.IsZero() {
		return span{}, nil
	}
	zone := zoneOf(t)
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
	case s.To.AddDate(0, 0, -MaxCompletenessDays).After(s.From):
		return bad("to", fmt.Sprintf("Ask for at most %d days at once.", MaxCompletenessDays))
	case !s.From.Before(p.Now()):
		return bad("from", "The period has not begun yet.")
	}
	return span{s.From.UTC(), s.To.UTC()}, nil
}

// StartCompleteness asks for a check of the orders approved from one instant on
// until before another, at most 92 days later; zero times = the standing
// period. What is asked for already is not asked for twice.
// Errors: tenant.ErrNotFound, tenant.FieldErrors by from and to.
func (p *Pair) StartCompleteness(ctx context.Context, tenantID string, from, to time.Time) error {
	b, err := p.Tenants.Load(ctx, tenantID)
	if err != nil {
		return err
	}
	s, err := p.spanOf(b.Tenant, from, to)
	if err != nil {
		return err
	}
	if err := p.changeAsked(ctx, tenantID, func(a *asked) error {
		if slices.ContainsFunc(a.Spans, func(o askedSpan) bool { return o.same(s) }) {
			return nil
		}
		if len(a.Spans) >= maxWaiting {
			return tenant.FieldErrors{{Field: "from", Message: fmt.Sprintf("%d checks are waiting already. Wait until one of them is done.", maxWaiting)}}
		}
		a.Spans = append(a.Spans, askedSpan{s, p.Now().UTC()})
		return nil
	}); err != nil {
		return err
	}
	return p.Kick(ctx, tenantID, JobCompleteness)
}

func (p *Pair) changeAsked(ctx context.Context, tenantID string, change func(*asked) error) error {
	_, err := ledger.ChangeDoc(ctx, p.Ledger, tenantID, docAsked, func(a *asked) (bool, error) {
		n := len(a.Spans)
		err := change(a)
		return len(a.Spans) != n, err
	})
	return err
}

// Completeness reads the newest result for a period, as StartCompleteness was
// given it (zero times = the standing one); Checked is zero where it was never
// checked. While a check runs the result before stands.
// Errors: tenant.ErrNotFound, tenant.FieldErrors by from and to.
func (p *Pair) Completeness(ctx context.Context, tenantID string, from, to time.Time) (Completeness, error) {
	b, err := p.Tenants.Load(ctx, tenantID)
	if err != nil {
		return Completeness{}, err
	}
	s, err := p.spanOf(b.Tenant, from, to)
	if err != nil {
		return Completeness{}, err
	}
	c := Completeness{From: s.From, To: s.To, Standing: s.standing()}
	if s.standing() {
		_, c.From, c.To = p.standing(b)
	}
	empty := c
	if _, err := p.Ledger.Doc(ctx, tenantID, s.doc(), &c); err != nil {
		return c, err
	}
	others := c.Accounts != "" && c.Accounts != comparedAccounts(b) // of other accounts than those connected now
	if others {
		c = empty
	}
	var k check
	if _, err := p.Ledger.Doc(ctx, tenantID, docCheck, &k); err != nil {
		return c, err
	}
	var a asked
	if _, err := p.Ledger.Doc(ctx, tenantID, docAsked, &a); err != nil {
		return c, err
	}
	cur, err := p.Ledger.Cursor(ctx, tenantID, JobCompleteness)
	if err != nil {
		return c, err
	}
	waiting := slices.ContainsFunc(a.Spans, func(o askedSpan) bool { return o.same(s) })
	switch {
	case k.Phase != "" && k.Span.same(s):
		c.Running, c.Progress = true, k.progress()
	case waiting:
		c.Running, c.Progress = true, waitingCheck
	}
	if cur.Problem != "" && !Outdated(b, cur.Problem) && (c.Running || c.Standing) {
		c.Problem = cur.Problem
	}
	if lack := b.Lack(tenant.Upstock, tenant.Cin7Core); lack != nil {
		if c.Running || c.Standing {
			c.Problem = "Nothing is checked while " + lack.State
		}
		if c.Running {
			c.Progress = parkedCheck
		}
	}
	if c.Summary = c.summary(p.Now(), b); others {
		c.Summary += " What was checked before is of other accounts than those connected now."
	}
	return c, nil
}

// The progress of a check that was asked for and has not begun, and of one that cannot go on.
const (
	waitingCheck = "Waiting for its turn."
	parkedCheck  = "It goes on when both systems are connected."
)

// standing is the standing period as it is now: the last days, first is where
// they begin, and from where Upstock was connected if that was later. Of the time
// between the two only orders that are here are compared: a backfill brought them.
func (p *Pair) standing(b tenant.Bundle) (first, from, to time.Time) {
	now := p.Now().UTC()
	y, m, d := now.In(zoneOf(b.Tenant)).Date()
	first = time.Date(y, m, d-standingDays+1, 0, 0, 0, 0, zoneOf(b.Tenant)).UTC()
	up := b.Connections[tenant.Upstock]
	return first, latest(first, up.Beginning()).UTC(), now
}

// comparedAccounts names what a check compares.
func comparedAccounts(b tenant.Bundle) string {
	return b.Connections[tenant.Upstock].Account + "|" + b.Connections[tenant.Cin7Core].Account
}

func (c *Completeness) summary(now time.Time, b tenant.Bundle) string {
	if c.Checked.IsZero() {
		switch {
		case c.Progress == waitingCheck:
			return "Not checked yet; a check waits for its turn."
		case c.Progress == parkedCheck:
			return "Not checked yet; a check waits until both systems are connected."
		case c.Running:
			return "Not checked yet; a check is running."
		}
		return "Not checked yet."
	}
	text := thousands(c.Counts.Missing) + " missing"
	switch {
	case c.Found == 1:
		text += ", 1 difference"
	case c.Found > 0:
		text += ", " + thousands(c.Found) + " differences"
	}
	return text + ", checked " + ago(now.Sub(c.Checked)) + ": " + c.covers(b)
}

// covers says what was looked at, and what of the time since the supplier was
// connected was not.
func (c *Completeness) covers(b tenant.Bundle) string {
	const form = "2 January 2006 15:04"
	zone, to := zoneOf(b.Tenant), c.To
	if !c.Started.IsZero() && c.Started.Before(to) {
		to = c.Started
	}
	orders := "no order was"
	switch c.Counts.Approved {
	case 0:
	case 1:
		orders = "1 order,"
	default:
		orders = thousands(c.Counts.Approved) + " orders,"
	}
	text := fmt.Sprintf("%s approved from %s to %s (%s).", orders, c.From.In(zone).Format(form), to.In(zone).Format(form), zone)
	if up := b.Connections[tenant.Upstock]; c.Standing {
		for _, g := range up.Gaps {
			if g.From.Before(c.From) && !(g.Known && g.Orders == 0) {
				text += " " + GapText(b.Tenant, g)
			}
		}
	}
	return text
}

func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", d/time.Hour)
	}
	return fmt.Sprintf("%d days ago", d/(24*time.Hour))
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}

// ErrRowsGone says that a check's rows are kept no more: check again.
var ErrRowsGone = errors.New("the rows of this check are kept no more")

// CompletenessRows yields a row for each approved order of a checked period,
// oldest approval first, as the check left them: it wrote them down when it
// compared the order as Upstock listed it, the sales as Cin7 Core listed them
// and the run as the ledger had it then. They are kept for 2 days of the
// standing period and for 90 days of one that was asked for, then ErrRowsGone.
// Sales of unknown orders have no row: they are in Differences alone.
func (p *Pair) CompletenessRows(ctx context.Context, tenantID string, c Completeness) iter.Seq2[CompletenessRow, error] {
	return func(yield func(CompletenessRow, error) bool) {
		stopped := errors.New("stopped")
		err := p.Ledger.EachPart(ctx, tenantID, c.Rows, func(data []byte) error {
			var rows []CompletenessRow
			if err := json.Unmarshal(data, &rows); err != nil {
				return fmt.Errorf("rows: %w", err)
			}
			for _, r := range rows {
				if !yield(r, nil) {
					return stopped
				}
			}
			return nil
		})
		if errors.Is(err, ledger.ErrNotFound) {
			err = ErrRowsGone
		}
		if err != nil && err != stopped {
			yield(CompletenessRow{}, err)
		}
	}
}
