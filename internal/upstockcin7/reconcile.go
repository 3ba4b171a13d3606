package upstockcin7

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/order"
)

// ordersPage is how many orders one call lists, the most that Upstock allows.
const ordersPage = 100

// reconcile reads which orders were approved since the cursor, and takes in
// those that no webhook brought: one call for each hundred. As an order taken in
// is durable, the cursor never passes undone work.
//
// An order approved a moment ago is left to its webhook, and to the next window.
// The cursor goes by Upstock's approvedAt alone, less the overlap, and never by
// one that lies ahead of our clock: however the two clocks differ, nothing is
// passed over. The list is oldest approval first, as the contract says; rows that
// a page leaves out are found by the comparison of days (package completeness).
//
// It also sets a backfill going again whose message was lost, and orders that
// are parked for nothing, and says that the table was put back to an earlier state.
func (p *Pair) reconcile(ctx context.Context, part *job.Part) error {
	w, err := p.poll(ctx, part)
	if err != nil {
		return err
	}
	return errors.Join(w.sayRestored(), part.End(ctx, w.readApprovals()),
		p.resumeBackfill(ctx, part.Tenant), p.resumeForgotten(ctx, w.b))
}

func (w *poll) readApprovals() error {
	if err := w.reopen(); errors.Is(err, tenant.ErrChanged) {
		return nil // another worker goes on
	} else if err != nil {
		return err
	}
	var missing *ledger.Down
	if w.part.Cursor.Missed {
		err := w.lookForMissed()
		switch {
		case errors.Is(err, tenant.ErrChanged):
			return nil
		case errors.Is(err, job.ErrShort):
			return err
		}
		out := w.part.Verdict(w.ctx, err)
		if down, ok := out.(*ledger.Down); ok {
			missing = down
		} else if out != nil {
			return out
		}
	}
	err := w.part.End(w.ctx, w.approvals().Read(w.ctx, w.part))
	if err != nil || missing == nil {
		return err
	}
	w.part.Cursor.Problem = missing.Why + " What changed while a connection was away is not known yet."
	return w.part.Save(w.ctx)
}

// approval is an order of Upstock's list of approved ones.
type approval struct {
	raw json.RawMessage
	id  string
	at  time.Time // when it was approved; zero: it does not say, or that lies ahead of our clock
}

// approvals is the window of what was approved since the cursor.
func (w *poll) approvals() job.Window[approval] {
	client := w.upstock()
	return job.Window[approval]{
		Title: "Upstock's list of approved orders", Begin: w.conn.Since, Passes: 1, Whole: time.Second,
		Page: func(ctx context.Context, since time.Time, at string) (job.Page[approval], error) {
			page, err := client.OrdersPage(ctx, upstock.OrdersQuery{ApprovedSince: since, After: at, Limit: ordersPage})
			ids := page.IDs()
			rows := make([]approval, len(page.Orders))
			for i, raw := range page.Orders {
				rows[i] = approval{raw, ids[i], w.approved(raw)}
			}
			return job.Page[approval]{Rows: rows, Next: page.Next}, err
		},
		Key:    func(a approval) (string, time.Time) { return a.id, a.at },
		Keep:   func(_ context.Context, rows []approval) (time.Time, error) { return w.bring(rows) },
		Closed: w.brought,
	}
}

// approved is when an order was approved, unless that lies ahead of our clock.
func (w *poll) approved(raw json.RawMessage) time.Time {
	o, _ := upstock.ParseOrder(raw)
	if o.ApprovedAt.After(w.Now()) {
		return time.Time{}
	}
	return o.ApprovedAt
}

// bring takes in what a page lists and is not here. held is the oldest approval that is left to its webhook.
func (w *poll) bring(page []approval) (held time.Time, err error) {
	now := w.Now()
	orders := make([]json.RawMessage, len(page))
	for i, a := range page {
		orders[i] = a.raw
	}
	rows, err := w.listed(w.ctx, supplierAt(w.conn), orders, w.conn.Beginning(), time.Time{})
	if err != nil {
		return held, err
	}
	for _, row := range rows {
		at := row.order.ApprovedAt
		if row.run == nil && !at.IsZero() && !w.conn.Takes(at) { // of a gap, listed by a filter that is not exact
			continue
		}
		if row.run == nil && at.After(now.Add(-w.Times.Grace)) && at.Before(now.Add(job.FarAhead)) {
			if held.IsZero() || at.Before(held) {
				held = at
			}
			continue
		}
		fresh, err := w.takeRow(w.ctx, supplierAt(w.conn), row,
			arrival{how: "Found in Upstock's list of orders, as no webhook had brought it"})
		if err != nil {
			return held, err
		}
		if fresh {
			w.part.Cursor.Tally.Marked++
		}
	}
	return held, nil
}

// brought says what a window has brought.
func (w *poll) brought(ctx context.Context) error {
	n := w.part.Cursor.Tally.Marked
	if n == 0 {
		return nil
	}
	text := fmt.Sprintf("Orders that no webhook had brought were found in Upstock's list and taken in: %d. "+
		"If this goes on, compare the webhook's address in Upstock with the one shown here.", n)
	return w.Ledger.RecordSome(ctx, w.part.Tenant, ledger.Event{Kind: "missedWebhook", Count: n, Text: text})
}

// Outcome is what becomes of an order that Upstock lists.
type Outcome string

// The outcomes.
const (
	OutcomeKnown     Outcome = "known"     // it is here already
	OutcomeSell      Outcome = "sell"      // it is taken in and sold
	OutcomeAttention Outcome = "attention" // it is taken in, or would be, for a person to look at
	OutcomeCancelled Outcome = "cancelled" // it is cancelled in Upstock: no sale
	OutcomeShipped   Outcome = "shipped"   // it was shipped in Upstock before it was heard of: no sale
	OutcomeUnknown   Outcome = "unknown"   // a preview could not tell just now
)

// row is an order of Upstock's list, and what is here of it.
type row struct {
	raw     json.RawMessage
	order   upstock.Order
	number  int64        // Upstock's id; 0 = it has none that can be used
	id      string       // likewise, as text; else what stands for it
	run     *order.Order // nil = it is not here
	outcome Outcome
}

// listed reads a page's orders that were approved from an instant on and before
// another (zero = whenever), and says what becomes of each. What cannot be
// placed in time is among them; an order whose approval was taken back is not.
func (p *Pair) listed(ctx context.Context, s supplier, page []json.RawMessage, from, until time.Time) ([]row, error) {
	var rows []row
	var ids []string
	for _, raw := range page {
		r := row{raw: raw, id: noID(hashed(raw))}
		r.order, _ = upstock.ParseOrder(raw)
		if n, ok := upstock.OrderID(raw); ok {
			r.number, r.id = n, strconv.FormatInt(n, 10)
		}
		at, status := r.order.ApprovedAt, r.order.Status
		if status == upstock.StatusOrdered || status == upstock.StatusScheduled ||
			!at.IsZero() && (at.Before(from) || !until.IsZero() && !at.Before(until)) {
			continue
		}
		rows, ids = append(rows, r), append(ids, r.id)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	runs, err := p.orders(ctx, s, ids)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		r := &rows[i]
		r.run = runs[r.id]
		switch {
		case r.number == 0:
			r.outcome = OutcomeAttention
		case r.order.Status == upstock.StatusCancelled:
			r.outcome = OutcomeCancelled
		case r.run != nil:
			r.outcome = OutcomeKnown
		case r.order.Status == upstock.StatusShipped:
			r.outcome = OutcomeShipped
		case r.order.ApprovedAt.IsZero():
			r.outcome = OutcomeAttention
		default:
			r.outcome = OutcomeSell
		}
	}
	return rows, nil
}

// takeRow does what a row's outcome says, on the same condition as a webhook:
// an order is written down once. fresh says that it was not here.
func (p *Pair) takeRow(ctx context.Context, s supplier, r row, a arrival) (fresh bool, err error) {
	a.event, a.origin, a.raw, a.body = hashed(r.raw), ledger.OriginReconcile, r.raw, r.raw
	switch r.outcome {
	case OutcomeKnown:
		if err := p.again(ctx, r.run, r.order, r.raw); err != nil {
			return false, err
		}
		return false, p.compareSold(ctx, r.run, r.raw)
	case OutcomeCancelled:
		if r.run != nil && !r.run.Cancelled.IsZero() && !r.run.CancelOpen() &&
			!r.order.ApprovedAt.After(r.run.Occurred) {
			return false, nil
		}
		if r.run != nil {
			return false, p.marks.CancelListed(ctx, r.run, r.order.ApprovedAt)
		}
		const how = "Found in Upstock's list of orders as cancelled, before anything else was heard of it. Nothing " +
			"is sold for it now."
		err := p.cancelledOrder(ctx, s, r.number, time.Time{}, how, r.raw, a.body)
		if errors.Is(err, ledger.ErrTooLarge) {
			err = p.cancelledOrder(ctx, s, r.number, time.Time{}, how, r.raw, nil)
		}
		return err == nil, err
	case OutcomeShipped:
		a.problem = shippedAlready(r.order)
	case OutcomeAttention:
		a.problem = ledger.Problem{Code: approvalUnknown,
			Message: "Upstock lists this order as approved, but does not say when in a way that can be read.",
			Fix:     "If it should be sold, retry; if it is in Cin7 Core already, leave it."}
		if r.run != nil {
			return false, nil
		}
	}
	fresh, err = p.takeIn(ctx, s, a)
	if errors.Is(err, ledger.ErrTooLarge) {
		a.problem = ledger.Problem{Code: "tooLarge",
			Message: "The order is too large to be kept: over 3.5 MB even when compressed.",
			Fix:     "Split it in Upstock, or enter it in Cin7 Core by hand."}
		a.body = fmt.Appendf(nil, `{"id":%d}`, r.number)
		fresh, err = p.takeIn(ctx, s, a)
	}
	return fresh, err
}

// Codes of orders that are here, and that a person must decide to sell at all.
const (
	alreadyShipped  = "shippedAlready"
	approvalUnknown = "approvalUnknown"
)

func shippedAlready(o upstock.Order) ledger.Problem {
	return ledger.Problem{Code: alreadyShipped,
		Message: "Upstock shows order " + cmp.Or(prose.Short(o.OrderNumber), strconv.FormatInt(o.ID, 10)) +
			" as shipped before Stockbridge heard of it, so no sale was made.",
		Fix: "Look whether Cin7 Core has it already. If it should have a sale, retry; else leave it."}
}

// hashed names an order that has no id by what it says: listed again, it is the same.
func hashed(raw json.RawMessage) string {
	return fmt.Sprintf("%x", sha256.Sum256(raw))
}
