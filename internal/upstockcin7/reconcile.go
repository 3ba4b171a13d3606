package upstockcin7

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
)

// ordersPage is how many orders one call lists, the most that Upstock allows.
const ordersPage = 100

// farAhead is how far Upstock's clock can be ahead of ours; what is dated later still is dated wrongly.
const farAhead = time.Hour

// Reconcile reads which orders were approved since the cursor, and takes in
// those that no webhook brought: one call for each hundred. As an order taken in
// is durable, the cursor never passes undone work.
//
// An order approved a moment ago is left to its webhook, and to the next window.
// The cursor goes by Upstock's approvedAt alone, less the overlap, and never by
// one that lies ahead of our clock: however the two clocks differ, nothing is
// passed over. The list is oldest approval first, as the contract says; rows that
// a page leaves out are found by the comparison of days (CheckCompleteness).
//
// It also sets a backfill going again whose message was lost, and orders that
// are parked for nothing, and says that the table was put back to an earlier state.
func (p *Pair) Reconcile(ctx context.Context, j Job) error {
	w, err := p.begin(ctx, j, tenant.Upstock)
	if w == nil || err != nil {
		return err
	}
	return errors.Join(w.sayRestored(), w.reconcile(), p.resumeBackfill(ctx, j.Tenant), p.resumeForgotten(ctx, w.b))
}

func (w *poll) reconcile() error {
	switch err := w.reopen(); {
	case errors.Is(err, ledger.ErrBehind), errors.Is(err, tenant.ErrChanged):
		return nil // another worker goes on
	case err != nil:
		return err
	}
	var missing *ledger.Down
	if w.cur.Missed {
		err := w.lookForMissed()
		switch {
		case errors.Is(err, ledger.ErrBehind), errors.Is(err, tenant.ErrChanged):
			return nil
		case errors.Is(err, job.ErrShort):
			return w.pause(nil)
		}
		out := w.verdicts.Of(w.ctx, w.b, err)
		if down, ok := out.(*ledger.Down); ok {
			missing = down
		} else if out != nil {
			return w.pause(out)
		}
	}
	if err := w.window(); err != nil || missing == nil {
		return err
	}
	w.cur.Problem = missing.Why + " What changed while a connection was away is not known yet."
	return w.save()
}

// window reads the window of approvals on, or the next one.
func (w *poll) window() error {
	cur, client := w.cur, w.Upstock(w.conn, w.sec, false)
	if cur.Since.After(w.Now().Add(farAhead)) { // as a clock that was wrong left it
		cur.Since, cur.After = w.conn.Since, ""
	}
	if cur.After == "" {
		cur.From, cur.After, cur.Pages, cur.Newest, cur.Held, cur.Seen, cur.Tally = cur.Since, "", 0, time.Time{}, time.Time{}, nil, ledger.Tally{}
	}
	for {
		if w.short() {
			return w.pause(nil)
		}
		page, err := client.OrdersPage(w.ctx, upstock.OrdersQuery{ApprovedSince: cur.From, After: cur.After, Limit: ordersPage})
		if err != nil {
			if refusedPage(err) { // it does not know the page any more: the window begins anew
				cur.After = ""
			}
			return w.pause(err)
		}
		if err := w.bring(page.Orders); err != nil {
			return err
		}
		cur.Pages++
		if page.Next == "" {
			return w.reconciled("")
		}
		if cur.Seen, err = turned(cur.Seen, page); err != nil {
			return w.reconciled("Upstock's list of approved orders could not be read to its end: " + err.Error() + ". It is read again.")
		}
		cur.After = page.Next
		if err := w.Ledger.SaveCursor(w.ctx, cur); err != nil {
			if errors.Is(err, ledger.ErrBehind) {
				return nil
			}
			return err
		}
	}
}

// refusedPage says that the list as such was refused, not for its pace or its key.
func refusedPage(err error) bool {
	switch rest.KindOf(err) {
	case rest.Invalid, rest.NotFound, rest.Conflict:
		return true
	}
	return false
}

// bring takes in what a page lists and is not here.
func (w *poll) bring(page []json.RawMessage) error {
	cur, now := w.cur, w.Now()
	rows, err := w.listed(w.ctx, supplierAt(w.conn), page, w.conn.Beginning(), time.Time{})
	if err != nil {
		return err
	}
	cur.Tally.Rows += len(page)
	for _, row := range rows {
		at := row.order.ApprovedAt
		if row.run == nil && !at.IsZero() && !w.conn.Takes(at) { // of a gap, listed by a filter that is not exact
			continue
		}
		if row.run == nil && at.After(now.Add(-w.Times.Grace)) && at.Before(now.Add(farAhead)) {
			if cur.Held.IsZero() || at.Before(cur.Held) {
				cur.Held = at.UTC()
			}
			continue
		}
		fresh, err := w.takeRow(w.ctx, supplierAt(w.conn), row, arrival{how: "Found in Upstock's list of orders, as no webhook had brought it"})
		if err != nil {
			return err
		}
		if fresh {
			cur.Tally.Marked++
		}
		if at.After(cur.Newest) && !at.After(now) {
			cur.Newest = at.UTC()
		}
	}
	return nil
}

// reconciled closes a window: read to its end, or as far as could be.
func (w *poll) reconciled(problem string) error {
	cur := w.cur
	if n := cur.Tally.Marked; n > 0 {
		if err := w.Ledger.RecordSome(w.ctx, w.job.Tenant, ledger.Event{Kind: "missedWebhook", Count: n,
			Text: fmt.Sprintf("Orders that no webhook had brought were found in Upstock's list and taken in: %d. If this goes on, compare the webhook's address in Upstock with the one shown here.", n)}); err != nil {
			return err
		}
	}
	newest := cur.Newest
	if !cur.Held.IsZero() && cur.Held.Before(newest) {
		newest = cur.Held
	}
	cur.Held = time.Time{}
	if err := w.done(newest.Truncate(time.Second)); err != nil || problem == "" {
		return err
	}
	cur.Problem = problem
	return w.save()
}

// turned notes a page that was read, with where it goes on. An error says that
// the list goes in circles: a page or its next was there before.
func turned(seen []byte, page upstock.Page) ([]byte, error) {
	h := fnv.New64a()
	for _, raw := range page.Orders {
		if id, ok := upstock.OrderID(raw); ok {
			fmt.Fprintf(h, "%d|", id)
		} else {
			h.Write(raw)
		}
	}
	rows := h.Sum64()
	h.Reset()
	fmt.Fprintf(h, "next %s", page.Next)
	known := seenRows(seen)
	if known[rows] || known[h.Sum64()] {
		return seen, errors.New("its pages repeat themselves")
	}
	if len(known) >= maxSeen {
		return seen, errors.New("it does not end")
	}
	known[rows], known[h.Sum64()] = true, true
	return rowsSeen(known), nil
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
	number  int64       // Upstock's id; 0 = it has none that can be used
	id      string      // likewise, as text; else what stands for it
	run     *ledger.Run // nil = it is not here
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
	a.event, a.origin, a.raw, a.body = hashed(r.raw), OriginReconcile, r.raw, r.raw
	switch r.outcome {
	case OutcomeKnown:
		return false, p.again(ctx, r.run, r.order, r.raw)
	case OutcomeCancelled:
		if r.run != nil && !r.run.Cancelled.IsZero() && !r.run.CancelOpen() && !r.order.ApprovedAt.After(r.run.Occurred) {
			return false, nil
		}
		if r.run != nil {
			return false, p.markListed(ctx, r.run, r.order.ApprovedAt)
		}
		const how = "Found in Upstock's list of orders as cancelled, before anything else was heard of it. Nothing is sold for it now."
		err := p.cancelledOrder(ctx, s, r.number, time.Time{}, how, r.raw, a.body)
		if errors.Is(err, ledger.ErrTooLarge) {
			err = p.cancelledOrder(ctx, s, r.number, time.Time{}, how, r.raw, nil)
		}
		return err == nil, err
	case OutcomeShipped:
		a.problem = shippedAlready(r.order)
	case OutcomeAttention:
		a.problem = ledger.Problem{Code: approvalUnknown, Message: "Upstock lists this order as approved, but does not say when in a way that can be read.",
			Fix: "If it should be sold, retry; if it is in Cin7 Core already, leave it."}
		if r.run != nil {
			return false, nil
		}
	}
	fresh, err = p.takeIn(ctx, s, a)
	if errors.Is(err, ledger.ErrTooLarge) {
		a.problem = ledger.Problem{Code: "tooLarge", Message: "The order is too large to be kept: over 3.5 MB even when compressed.", Fix: "Split it in Upstock, or enter it in Cin7 Core by hand."}
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
	return ledger.Problem{Code: alreadyShipped, Message: "Upstock shows order " + cmp.Or(prose.Short(o.OrderNumber), strconv.FormatInt(o.ID, 10)) + " as shipped before Stockbridge heard of it, so no sale was made.",
		Fix: "Look whether Cin7 Core has it already. If it should have a sale, retry; else leave it."}
}

// hashed names an order that has no id by what it says: listed again, it is the same.
func hashed(raw json.RawMessage) string {
	return fmt.Sprintf("%x", sha256.Sum256(raw))
}
