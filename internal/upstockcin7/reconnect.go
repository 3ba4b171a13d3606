package upstockcin7

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/order"
)

// A connection that was taken away and made again has missed something: approvals,
// cancellations, what became of sales. What is here is followed through a gap of
// any length. What is not here is taken in by itself only after a short one, each
// order after a search for a sale that somebody made of it meanwhile (see
// work.foreign); a longer gap is put on record, shown with its days, and offered
// as a backfill. The sale list of Cin7 Core is read on from where it was left.

// shortGap is how long a gap may be for its orders to be taken in by themselves.
const shortGap = 24 * time.Hour

// opened is since when both systems are connected.
func opened(b tenant.Bundle) time.Time {
	return job.Latest(b.Connections[tenant.Upstock].Since, b.Connections[tenant.Cin7Core].Since)
}

// working is since when orders could be sold: connected, and no key refused.
func working(b tenant.Bundle) time.Time {
	return job.Latest(opened(b), job.Latest(b.Connections[tenant.Upstock].Back, b.Connections[tenant.Cin7Core].Back))
}

// reopen decides, once after both systems are connected, from where on approved
// orders are taken in.
func (w *poll) reopen() error {
	cur, at := w.part.Cursor, opened(w.b)
	if cur.Opened.Equal(at) {
		return nil
	}
	// An approval is stamped by Upstock's clock, and one of a moment before the last check was left to its webhook.
	left, checked := job.Latest(cur.Since, cur.Checked.Add(-job.FarAhead)), job.Latest(cur.Since, cur.Checked)
	if checked.IsZero() {
		left, checked = w.conn.Begun, w.conn.Begun // connected before, and its list was never read
	}
	cur.Opened = at
	switch {
	case checked.IsZero(): // connected for the first time
		cur.Since = w.conn.Since
		return nil
	case !checked.Before(at): // read since, by an earlier version
		return nil
	}
	m := missed{Opened: at, Phase: missedScan}
	cur.From, cur.After, cur.Missed = time.Time{}, "", true
	switch {
	case at.Sub(checked) > shortGap:
		// what is approved from now on may bear an earlier time
		m.From, m.To = left.UTC(), at.Add(-w.Times.Overlap).UTC()
		if err := w.noteGap(tenant.Gap{From: m.From, To: m.To}); err != nil {
			return err
		}
		cur.Since = m.To
	case cur.Since.IsZero():
		cur.Since = left
	}
	if err := w.saveMissed(&m, true); err != nil {
		return err
	}
	return w.part.Save(w.ctx)
}

// noteGap puts a gap on record, or what is known of it now.
func (w *poll) noteGap(g tenant.Gap) error {
	c, err := w.Tenants.Update(w.ctx, w.part.Tenant, tenant.Upstock, func(c *tenant.Connection) error {
		if c.Account != w.conn.Account {
			return tenant.ErrChanged
		}
		same := func(o tenant.Gap) bool { return o.From.Equal(g.From) && !o.To.After(g.To) }
		now := g
		now.Noted = g.Noted || slices.ContainsFunc(c.Gaps, func(o tenant.Gap) bool { // meanwhile
			return same(o) && o.Noted && o.To.Equal(g.To)
		})
		c.Gaps = append(slices.DeleteFunc(slices.Clone(c.Gaps), same), now)
		return nil
	})
	if err == nil {
		w.conn, w.b.Connections[tenant.Upstock] = c, c
	}
	return err
}

// missed is the search for what was missed of the orders that are here.
type missed struct {
	Opened time.Time   `json:"opened"`
	Phase  missedPhase `json:"phase"`
	From   time.Time   `json:"from,omitzero"` // the gap whose orders are not taken in; zero = there is none
	To     time.Time   `json:"to,omitzero"`

	Scan   string    `json:"scan,omitempty"`  // next page of runs
	Oldest time.Time `json:"oldest,omitzero"` // approval of the oldest order that is still open

	After     string `json:"after,omitempty"` // next page of Upstock's list
	Turns     []byte `json:"turns,omitempty"` // see job.Turn
	Cancelled int    `json:"cancelled,omitempty"`
	Orders    int    `json:"orders,omitempty"` // approved in the gap and not here

	rev string
}

type missedPhase string

const (
	missedScan      missedPhase = "scan"      // which order is the oldest that is open
	missedCancelled missedPhase = "cancelled" // those that are cancelled, from then on
	missedGap       missedPhase = "gap"       // those approved in the gap: here, or counted
	missedDone      missedPhase = "done"
)

const docMissed = "missed"

func (w *poll) saveMissed(m *missed, anew bool) error {
	if anew {
		var old missed
		rev, err := w.Ledger.Doc(w.ctx, w.part.Tenant, docMissed, &old)
		if err != nil {
			return err
		}
		m.rev = rev
	}
	rev, err := w.Ledger.SaveDoc(w.ctx, w.part.Tenant, docMissed, m.rev, m)
	if err == nil {
		m.rev = rev
	}
	return err
}

// lookForMissed goes on with the search. It ends with an error where a call
// fails, with job.ErrShort where time is up, and clears the cursor's mark when done.
func (w *poll) lookForMissed() error {
	var m missed
	var err error
	if m.rev, err = w.Ledger.Doc(w.ctx, w.part.Tenant, docMissed, &m); err != nil {
		return err
	}
	if !m.Opened.Equal(w.part.Cursor.Opened) {
		m = missed{Opened: w.part.Cursor.Opened, Phase: missedScan, rev: m.rev}
	}
	for m.Phase != missedDone {
		if err := w.part.Short(w.ctx); err != nil {
			return err
		}
		switch m.Phase {
		case missedScan:
			err = w.scanOpen(&m)
		case missedCancelled:
			err = w.missedPage(&m, upstock.OrdersQuery{Status: upstock.StatusCancelled, ApprovedSince: m.Oldest})
		default:
			err = w.missedPage(&m, upstock.OrdersQuery{ApprovedSince: m.From})
		}
		if err == nil {
			err = w.saveMissed(&m, false)
		}
		if err != nil {
			return err
		}
	}
	w.part.Cursor.Missed = false
	return nil
}

// next goes to the next phase that has something to read.
func (m *missed) next() {
	m.After, m.Turns = "", nil
	switch {
	case m.Phase == missedScan && !m.Oldest.IsZero():
		m.Phase = missedCancelled
	case m.Phase != missedGap && !m.From.IsZero():
		m.Phase = missedGap
	default:
		m.Phase = missedDone
	}
}

// scanOpen reads a page of runs for the oldest approval of one that is open: a
// cancellation would still change something.
func (w *poll) scanOpen(m *missed) error {
	runs, next, err := w.Orders.Runs(w.ctx, w.part.Tenant, m.Scan, 100)
	if err != nil {
		return err
	}
	for _, r := range runs {
		at := r.Approved
		if at.IsZero() {
			at = r.Received
		}
		if !r.Cancelled.IsZero() || r.State == order.Cancelled || r.State == order.Shipped ||
			!m.Oldest.IsZero() && !at.Before(m.Oldest) {
			continue
		}
		own, err := w.supplierOf(w.ctx, r)
		if err != nil {
			return err
		}
		if own == w.conn.Account || own == "" {
			m.Oldest = at.UTC()
		}
	}
	if m.Scan = next; next == "" {
		m.next()
	}
	return nil
}

// missedPage reads a page of Upstock's list and does what it says to the orders that are here.
func (w *poll) missedPage(m *missed, q upstock.OrdersQuery) error {
	q.After, q.Limit = m.After, ordersPage
	page, err := w.upstock().OrdersPage(w.ctx, q)
	switch {
	case job.RefusedPage(err) && m.After != "": // it does not know the page any more: the list begins anew
		m.After, m.Turns = "", nil
		if serr := w.saveMissed(m, false); serr != nil {
			return serr
		}
		return err
	case job.RefusedPage(err):
		return w.unread(m, "Upstock refuses the list. "+
			strings.Join(append(rest.MessagesOf(err), "("+rest.Reason(err)+")"), " "))
	case err != nil:
		return err
	}
	s := supplierAt(w.conn)
	rows, err := w.listed(w.ctx, s, page.Orders, time.Time{}, m.until())
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := w.missedRow(m, s, row); err != nil {
			return err
		}
	}
	past := m.Phase == missedGap && reaches(page, m.To)
	if m.After = page.Next; m.After != "" && !past {
		if m.Turns, err = job.Turn(m.Turns, page.IDs(), page.Next); err != nil {
			return w.unread(m, "Upstock's list could not be read to its end: "+err.Error()+".")
		}
		return nil
	}
	if m.Phase == missedGap || m.From.IsZero() {
		if err := w.sayMissed(m); err != nil {
			return err
		}
	}
	m.next()
	return nil
}

// missedRow does what a row says to an order that is here, and counts the others.
func (w *poll) missedRow(m *missed, s supplier, row row) error {
	if row.run == nil {
		if m.Phase == missedGap && row.outcome == OutcomeSell {
			m.Orders++
		}
		return nil
	}
	if row.outcome == OutcomeCancelled && row.run.Cancelled.IsZero() {
		m.Cancelled++
	}
	_, err := w.takeRow(w.ctx, s, row, arrival{})
	return err
}

// reaches reports whether a page of Upstock's list goes as far as an instant of approval.
func reaches(page upstock.Page, until time.Time) bool {
	n := len(page.Orders)
	if n == 0 {
		return false
	}
	last, _ := upstock.ParseOrder(page.Orders[n-1])
	return !last.ApprovedAt.Before(until)
}

// unread gives a list up, and says so.
func (w *poll) unread(m *missed, why string) error {
	m.next()
	return w.Ledger.RecordSome(w.ctx, w.part.Tenant,
		ledger.Event{Kind: "missed", Text: "What changed at orders while a connection was away is not known in full. " +
			why})
}

// until is the end of what is listed; zero = there is none.
func (m *missed) until() time.Time {
	if m.Phase == missedGap {
		return m.To
	}
	return time.Time{}
}

// sayMissed tells the tenant what was found.
func (w *poll) sayMissed(m *missed) error {
	text := "Both systems are connected again, and what changed meanwhile at the orders that are here was read."
	if m.Cancelled > 0 {
		text += fmt.Sprintf(" Cancelled in Upstock meanwhile: %d.", m.Cancelled)
	}
	if !m.From.IsZero() {
		g := tenant.Gap{From: m.From, To: m.To, Orders: m.Orders, Known: true}
		if err := w.noteGap(g); err != nil {
			return err
		}
		text += " " + order.GapText(w.b.Tenant, g)
	}
	return w.Ledger.RecordOnce(w.ctx, w.part.Tenant, m.Opened, "missed",
		ledger.Event{Kind: "missed", Text: text, Count: m.Cancelled + m.Orders})
}

// errUnchanged ends a change that need not be made.
var errUnchanged = errors.New("nothing is to be changed")

// uncheck has a connection's first orders looked up anew, see firstOrders.
func (p *Pair) uncheck(ctx context.Context, tenantID string) error {
	_, err := lookedUp.Change(ctx, p.Tenants, tenantID, tenant.Cin7Core, func(_ tenant.Connection, n *int) error {
		if *n == 0 {
			return errUnchanged
		}
		*n = 0
		return nil
	})
	if errors.Is(err, errUnchanged) || errors.Is(err, tenant.ErrNotFound) {
		return nil
	}
	return err
}

// filled takes the days that a backfill has read to their end out of the gaps.
func (p *Pair) filled(ctx context.Context, tenantID, account string, since, until time.Time) error {
	_, err := p.Tenants.Update(ctx, tenantID, tenant.Upstock, func(c *tenant.Connection) error {
		gaps := cutGaps(c.Gaps, since, until)
		if c.Account != account || slices.Equal(gaps, c.Gaps) {
			return errUnchanged
		}
		c.Gaps = gaps
		return nil
	})
	if errors.Is(err, errUnchanged) || errors.Is(err, tenant.ErrNotFound) {
		return nil
	}
	return err
}

// DismissGap takes note of the gap that begins at an instant: it is shown no more. Its orders are taken in no more than
// before. Errors: ledger.ErrNotFound where there is none, or it is noted already.
func (p *Pair) DismissGap(ctx context.Context, tenantID string, from time.Time) error {
	c, err := p.Tenants.Update(ctx, tenantID, tenant.Upstock, func(c *tenant.Connection) error {
		i := slices.IndexFunc(c.Gaps, func(g tenant.Gap) bool { return g.From.Equal(from) && !g.Noted })
		if i < 0 {
			return ledger.ErrNotFound
		}
		c.Gaps = slices.Clone(c.Gaps)
		c.Gaps[i].Noted = true
		return nil
	})
	if errors.Is(err, tenant.ErrNotFound) {
		return ledger.ErrNotFound
	}
	if err != nil {
		return err
	}
	b, err := p.Tenants.Load(ctx, tenantID)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(c.Gaps, func(g tenant.Gap) bool { return g.From.Equal(from) })
	first, last := order.GapDays(b.Tenant, c.Gaps[i])
	return p.Ledger.Record(ctx, tenantID, ledger.Event{Kind: "missed", Text: "It was noted that orders approved from " +
		first + " to " + last + " were not taken in, as a connection was away then."})
}

// cutGaps is what is left of gaps without a time; how many orders a rest has is not known.
func cutGaps(gaps []tenant.Gap, since, until time.Time) []tenant.Gap {
	var left []tenant.Gap
	for _, g := range gaps {
		if !g.From.Before(until) || !g.To.After(since) {
			left = append(left, g)
			continue
		}
		if g.From.Before(since) {
			left = append(left, tenant.Gap{From: g.From, To: since.UTC(), Noted: g.Noted})
		}
		if g.To.After(until) {
			left = append(left, tenant.Gap{From: until.UTC(), To: g.To, Noted: g.Noted})
		}
	}
	return left
}
