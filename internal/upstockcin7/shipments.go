package upstockcin7

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/job"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
)

// shipments reads which of the tenant's sales changed since the cursor, and
// marks their orders; the work on each order then reads its sale and tells
// Upstock. As a mark is durable, the cursor never passes undone work.
func (p *Pair) shipments(ctx context.Context, part *job.Part) error {
	w, err := p.poll(ctx, part)
	if err != nil {
		return err
	}
	client := w.core()
	return job.Window[cin7core.SaleRow]{
		Title: "Cin7 Core's list of sales", Begin: w.since(), Passes: job.MaxPasses,
		Page: func(ctx context.Context, since time.Time, at string) (job.Page[cin7core.SaleRow], error) {
			n := pageNumber(at)
			q := cin7core.SalesQuery{UpdatedSince: since, Page: n}
			page, err := client.SalesPage(job.WithClock(ctx, &w.most, p.Now), q)
			rows := job.Page[cin7core.SaleRow]{Rows: page.Items, Total: page.Total, At: w.most}
			if page.More {
				rows.Next = strconv.Itoa(n + 1)
			}
			return rows, err
		},
		Key: func(row cin7core.SaleRow) (string, time.Time) { return row.SaleID, row.Updated },
		Keep: func(_ context.Context, rows []cin7core.SaleRow) (held time.Time, err error) {
			return held, w.mark(rows)
		},
	}.Read(ctx, part)
}

// pageNumber is the number of a page; the first has no place.
func pageNumber(at string) int {
	n, err := strconv.Atoi(at)
	if err != nil {
		return 1
	}
	return n
}

// since is where a connection's first window begins: before, none of its sales
// can be there. The clocks of the two sides may differ by minutes.
func (w *poll) since() time.Time {
	up, core := w.b.Connections[tenant.Upstock], w.b.Connections[tenant.Cin7Core]
	since := up.Beginning()
	if at := core.Beginning(); at.Before(since) {
		since = at
	}
	return since.Add(-3 * w.Times.Overlap)
}

// mark marks the orders of the rows that are ours and changed.
func (w *poll) mark(rows []cin7core.SaleRow) error {
	changed := map[string]cin7core.SaleRow{} // newest row by sale
	blank := map[string]cin7core.SaleRow{}   // of those that do not say whose they are
	for _, row := range rows {
		to := changed
		if _, _, ours := sale.ParseExternalID(row.ExternalID); strings.TrimSpace(row.ExternalID) == "" {
			to = blank
		} else if !ours {
			continue
		}
		if old, ok := to[row.SaleID]; !ok || w.newer(row, old) {
			to[row.SaleID] = row
		}
	}
	if err := w.markBlank(blank); err != nil {
		return err
	}
	// the list is the account's: a change at another supplier's sale would not be listed again
	for i, s := range suppliers(w.b) {
		if err := w.markOf(s, i == 0, changed); err != nil {
			return err
		}
	}
	return nil
}

// markBlank marks the orders of changed sales whose rows leave out whose they
// are, by the sale's id: what is left out is no "not ours".
func (w *poll) markBlank(changed map[string]cin7core.SaleRow) error {
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(changed)), 100) {
		orders, err := order.OfSales(w.ctx, w.Ledger, w.Orders, w.part.Tenant, ids)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if r := orders[id]; r != nil {
				if err := w.markRows(r, []cin7core.SaleRow{changed[id]}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// newer reports whether a row shows a newer change than another; one that is dated ahead shows none.
func (w *poll) newer(row, old cin7core.SaleRow) bool {
	if ahead := row.Updated.After(w.most); ahead != old.Updated.After(w.most) {
		return !ahead
	}
	return row.Updated.After(old.Updated)
}

// markOf marks one supplier's orders whose sales changed.
func (w *poll) markOf(s supplier, connected bool, changed map[string]cin7core.SaleRow) error {
	byOrder := map[string][]cin7core.SaleRow{}
	for _, saleID := range slices.Sorted(maps.Keys(changed)) {
		row := changed[saleID]
		if id, order, _ := sale.ParseExternalID(row.ExternalID); id == s.id {
			byOrder[order] = append(byOrder[order], row)
		}
	}
	if len(byOrder) == 0 {
		return nil
	}
	orders := slices.Sorted(maps.Keys(byOrder))
	runs, err := w.Pair.orders(w.ctx, s, orders)
	if err != nil {
		return err
	}
	for _, order := range orders {
		r, rows := runs[order], byOrder[order]
		if r == nil {
			if connected {
				w.part.Cursor.Tally.Unknown += len(rows)
			}
			continue
		}
		if err := w.markRows(r, rows); err != nil {
			return err
		}
	}
	return nil
}

// markRows marks an order where rows of its sales show a change.
func (w *poll) markRows(r *order.Order, rows []cin7core.SaleRow) error {
	for _, row := range rows {
		said := order.Row(row, w.most)
		if r.Seen.After(w.most) { // as an earlier version noted it
			r.Seen = time.Time{}
		}
		switch {
		case r.SaleID != "" && r.SaleID != row.SaleID: // somebody's copy of the sale, which may stand for it
			if !r.LostItsSale() || row.Status.Is(cin7core.Voided) || !row.Updated.After(r.Seen) {
				continue
			}
			said = said.OfCopy()
		case !r.Concerns(row):
			continue
		}
		if said.WasRead(r) {
			continue
		}
		w.part.Cursor.Tally.Marked++
		if err := w.marks.SaleChanged(w.ctx, r, said); err != nil {
			return err
		}
	}
	return nil
}
