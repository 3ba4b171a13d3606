package upstockcin7

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/ledger"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/sale"
)

// Links from what Cin7 Core's webhooks name to our orders.
const (
	linkSale       = "sale"       // the sale's id
	linkSaleNumber = "saleNumber" // the sale's number in its account: all that the shipment of an Advanced Sale has
)

// linkSaleTo lets a webhook find the order of a sale. Whichever sale the order
// is known by in the end: the links are hints, and true of a sale we made.
func linkSaleTo(r *ledger.Run, x *ledger.Extra, at time.Time) {
	to := ledger.Link{ID: r.ID, At: at.UTC(), By: "sold"}
	x.Ahead(ledger.LinkItem(r.Tenant, linkSale, strings.ToLower(r.SaleID), to))
	if r.SaleNumber != "" {
		x.Ahead(ledger.LinkItem(r.Tenant, linkSaleNumber, numberIn(r.Account, r.SaleNumber), to))
	}
}

// numberIn is a sale's number with its account: two accounts number alike. An
// earlier version wrote the number alone.
func numberIn(account, number string) string { return strings.ToUpper(account + "|" + number) }

// maxPasses bounds how often a window of several pages is read again.
const maxPasses = 10

// maxSeen bounds what is remembered of a window's rows; beyond it, a row counts as new in no pass but the first.
const maxSeen = 40_000

// poll is one run of a job that reads a vendor's list from a cursor on.
type poll struct {
	*Pair
	ctx  context.Context
	job  Job
	b    tenant.Bundle
	conn tenant.Connection // to the system whose list is read
	sec  tenant.Secrets
	cur  *ledger.Cursor
	most time.Time // the vendor's clock at its last answer: what is dated later is dated wrongly
}

// wrongDate is how far from our clock an answer's Date is no clock's any more, but a mistake.
const wrongDate = 24 * time.Hour

// clocksDiffer is by how much the vendor's clock is ahead of ours as a matter of course.
const clocksDiffer = 2 * time.Second

// dated notes the latest that the vendor's clock can show, by the Date of its
// answer, which leaves out the fraction of a second; where it has none, or one
// that no clock shows, by ours: what is dated later is looked at, and believed
// once its time has come.
func dated(ctx context.Context, clock *time.Time, now func() time.Time) context.Context {
	*clock = now().Add(clocksDiffer).UTC()
	return rest.WithRecorder(ctx, func(x rest.Exchange) {
		at := now()
		if *clock = at.Add(clocksDiffer).UTC(); !x.Date.IsZero() && x.Date.Sub(at).Abs() < wrongDate {
			*clock = x.Date.Add(time.Second - 1).UTC()
		}
	})
}

// notBeyond is an instant, or the clock's where that is earlier.
func notBeyond(at, clock time.Time) time.Time {
	if at.After(clock) {
		return clock.UTC()
	}
	return at.UTC()
}

// believed is an instant of a change, or zero where it lies beyond the vendor's
// clock: a wrong date does not say when the change was, and any other instant in
// its place would hide changes that come after.
func believed(at, clock time.Time) time.Time {
	if at.After(clock) {
		return time.Time{}
	}
	return at.UTC()
}

// heard is what a row of the sale list says of a sale; a webhook says none of it.
type heard struct {
	updated time.Time // of its last change; zero: not said, or not believed
	ahead   time.Time // its date, where that is not believed
	listed  string    // its shipping
	clock   time.Time // the list's; zero: not known
}

// hearRow is what a row says by the list's clock.
func hearRow(row cin7core.SaleRow, clock time.Time) heard {
	h := heard{updated: believed(row.Updated, clock), listed: listedOf(row.CombinedShippingStatus, row.CombinedTrackingNumbers), clock: clock}
	if row.Updated.After(clock) {
		h.ahead = row.Updated.UTC()
	}
	return h
}

// lookedAt says that a row which is dated ahead was looked at as it is.
func (h heard) lookedAt(r *ledger.Run) bool {
	return !h.ahead.IsZero() && r.Ahead.Equal(h.ahead) && (h.listed == "" || r.Listed == h.listed)
}

// begin loads what a job's run stands on. nil = there is nothing to do: the
// tenant is not (or no longer) connected, or a run that began after the job was
// sent has done its work.
func (p *Pair) begin(ctx context.Context, j Job, sys tenant.System) (*poll, error) {
	b, err := p.Tenants.Load(ctx, j.Tenant)
	if errors.Is(err, tenant.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if b.Ready(tenant.Upstock, tenant.Cin7Core) != "" {
		return nil, nil
	}
	w := &poll{Pair: p, ctx: ctx, job: j, b: b, conn: b.Connections[sys]}
	if w.cur, err = p.Ledger.Cursor(ctx, j.Tenant, j.Job); err != nil {
		return nil, err
	}
	if !j.At.IsZero() && w.cur.Started.After(j.At) && w.cur.Checked.After(j.At) && !w.cur.Asked.After(w.cur.Started) {
		return nil, nil
	}
	if !j.At.IsZero() && w.cur.Again.After(p.Now()) {
		return nil, nil // it goes on by itself
	}
	if w.sec, err = p.secrets(ctx, w.conn); err != nil {
		return nil, err
	}
	if w.cur.Account != w.conn.Account { // how far another account's list was read says nothing of this one's
		w.cur.Restart(w.conn.Account)
	}
	w.cur.Started = latest(p.Now().UTC(), w.cur.Asked) // this run answers it: whoever asked may have a clock that is ahead
	return w, nil
}

// short says that too little of the invocation is left for one more call.
func (w *poll) short() bool {
	d, ok := w.ctx.Deadline()
	return ok && time.Until(d) < w.Times.MinInvocation
}

// save writes the cursor. A worker that was faster has done the work, or does it.
func (w *poll) save() error {
	err := w.Ledger.SaveCursor(w.ctx, w.cur)
	if errors.Is(err, ledger.ErrBehind) {
		return nil
	}
	return err
}

// pause ends a run before its window does, as a call failed or (nil) its time is
// up: nothing is lost, the next run goes on at the same page.
func (w *poll) pause(err error) error {
	switch out := w.verdicts.Of(w.ctx, w.b, err).(type) {
	case nil:
		return w.goOn("", w.Now().Add(w.Times.Soon))
	case *ledger.Later:
		return w.goOn(out.Why, out.At)
	case *ledger.Park: // whoever saves a new key starts it
		return w.goOn(out.Why, time.Time{})
	case *ledger.Down: // the schedule tries again
		return w.goOn(out.Why, time.Time{})
	default:
		return out
	}
}

// goOn saves how far the window is and what holds it up, and comes back by
// itself; at zero = it does not. A run that is on its way already is enough.
func (w *poll) goOn(problem string, at time.Time) error {
	now := w.Now()
	comes := at.IsZero() || w.cur.Again.After(now)
	if w.cur.Problem = problem; !comes {
		w.cur.Again = at.UTC()
	}
	err := w.Ledger.SaveCursor(w.ctx, w.cur)
	if errors.Is(err, ledger.ErrBehind) {
		return nil
	}
	if err != nil || comes {
		return err
	}
	return w.Start(w.ctx, Job{Job: w.job.Job, Tenant: w.job.Tenant}, max(at.Sub(now), 0))
}

// Shipments reads which of the tenant's sales changed since the cursor, and
// marks their orders; the work on each order then reads its sale and tells
// Upstock. As a mark is durable, the cursor never passes undone work.
//
// Cin7 Core's list order is not documented, and rows move between pages while
// they are read, so a window of several pages is read again until a pass brings
// nothing new, and until as many sales were seen as the list says there are. Only then the cursor moves: to the newest change of the first
// pass less the overlap, by Cin7 Core's clock and never by ours.
func (p *Pair) Shipments(ctx context.Context, j Job) error {
	w, err := p.begin(ctx, j, tenant.Cin7Core)
	if w == nil || err != nil {
		return err
	}
	cur := w.cur
	client := p.Cin7Core(w.conn, w.sec, true)
	if cur.Since.After(p.Now().Add(farAhead)) { // an earlier version believed a row that was dated ahead
		w.again()
	}
	if cur.Since.IsZero() {
		cur.Since = w.since()
	}
	if cur.Page == 0 {
		cur.From, cur.Page, cur.Passes, cur.Pages, cur.Total, cur.Newest, cur.Fresh, cur.Seen, cur.Shown, cur.Tally = cur.Since, 1, 1, 0, 0, time.Time{}, false, nil, nil, ledger.Tally{}
	}
	seen := seenRows(cur.Seen)
	shown := seenRows(cur.Shown)
	for {
		if w.short() {
			return w.pause(nil)
		}
		page, err := client.SalesPage(dated(ctx, &w.most, p.Now), cin7core.SalesQuery{UpdatedSince: cur.From, Page: cur.Page})
		if err != nil {
			return w.pause(err)
		}
		if cur.From.After(w.most) && cur.From.After(w.since()) { // by its own clock it has nothing to say of that time
			w.again()
			cur.Since = w.since()
			return w.pause(nil)
		}
		if err := w.rows(page.Items, seen); err != nil {
			return err
		}
		for _, row := range page.Items {
			if len(shown) < maxSeen {
				shown[uint64(saleSum(row))] = true
			}
		}
		cur.Pages, cur.Total = cur.Pages+1, max(cur.Total, page.Total)
		cur.Seen, cur.Shown = rowsSeen(seen), rowsSeen(shown)
		switch {
		case page.More:
			cur.Page++
		case cur.Pages > 1 && (cur.Fresh || len(shown) < min(cur.Total, maxSeen)) && cur.Passes < maxPasses:
			// Rows move between pages: a pass that did not show every sale proves nothing.
			clear(shown)
			cur.Shown, cur.Page, cur.Pages, cur.Total, cur.Fresh, cur.Passes = nil, 1, 0, 0, false, cur.Passes+1
			cur.Tally.Rows, cur.Tally.Unknown = 0, 0
		default:
			return w.done(cur.Newest)
		}
		if err := w.Ledger.SaveCursor(ctx, cur); err != nil {
			if errors.Is(err, ledger.ErrBehind) {
				return nil
			}
			return err
		}
	}
}

// again has the list read from the start, once: its cursor was ahead of the
// vendor's clock, nobody knows since when.
func (w *poll) again() {
	w.cur.Since, w.cur.From, w.cur.Page, w.cur.Newest, w.cur.Seen, w.cur.Shown = time.Time{}, time.Time{}, 0, time.Time{}, nil, nil
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

// done closes a window that is read to its end.
func (w *poll) done(newest time.Time) error {
	cur := w.cur
	cur.Page, cur.After, cur.Passes, cur.Pages, cur.Fresh, cur.Seen, cur.Shown, cur.Problem, cur.Again = 0, "", 0, 0, false, nil, nil, "", time.Time{}
	if since := newest.Add(-w.Times.Overlap); since.After(cur.Since) {
		cur.Since = since.UTC()
	}
	cur.Checked, cur.Last, cur.Tally = w.Now().UTC(), cur.Tally, ledger.Tally{}
	again := cur.Asked.After(cur.Started)
	if err := w.save(); err != nil || !again {
		return err
	}
	return w.Start(w.ctx, Job{Job: w.job.Job, Tenant: w.job.Tenant}, w.Times.Soon)
}

// rows marks the orders of the rows that are ours and changed, and notes
// whether any row was new to the window.
func (w *poll) rows(rows []cin7core.SaleRow, seen map[uint64]bool) error {
	cur := w.cur
	changed := map[string]cin7core.SaleRow{} // newest row by sale
	blank := map[string]cin7core.SaleRow{}   // of those that do not say whose they are
	first := cur.Passes == 1
	for _, row := range rows {
		cur.Tally.Rows++
		if first && row.Updated.After(cur.Newest) && !row.Updated.After(w.most) {
			cur.Newest = row.Updated
		}
		if n := rowSum(row); !seen[n] && len(seen) < maxSeen {
			seen[n] = true
			cur.Fresh = cur.Fresh || first || !row.Updated.After(cur.Newest) // what changed after the first pass belongs to the next window
		}
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
	for i, s := range suppliers(w.b) { // the list is the account's: a change at another supplier's sale would not be listed again
		if err := w.markOf(s, i == 0, changed); err != nil {
			return err
		}
	}
	return nil
}

// markBlank marks the orders of changed sales whose rows leave out whose they
// are, by the sale's id: what is left out is no "not ours".
func (w *poll) markBlank(changed map[string]cin7core.SaleRow) error {
	for sales := range slices.Chunk(slices.Sorted(maps.Keys(changed)), 100) {
		ids := make([]string, len(sales))
		for i, sale := range sales {
			ids[i] = strings.ToLower(sale)
		}
		links, err := w.Ledger.Links(w.ctx, w.job.Tenant, linkSale, ids...)
		if err != nil || len(links) == 0 {
			if err != nil {
				return err
			}
			continue
		}
		var orders []string
		for _, l := range links {
			orders = append(orders, l.ID)
		}
		slices.Sort(orders)
		runs, err := w.Ledger.GetRuns(w.ctx, w.job.Tenant, orders)
		if err != nil {
			return err
		}
		for i, sale := range sales {
			if r := runs[links[ids[i]].ID]; r != nil && r.SaleID == sale {
				if err := w.markRows(r, []cin7core.SaleRow{changed[sale]}); err != nil {
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
				w.cur.Tally.Unknown += len(rows)
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
func (w *poll) markRows(r *ledger.Run, rows []cin7core.SaleRow) error {
	for _, row := range rows {
		said := hearRow(row, w.most)
		if r.Seen.After(w.most) { // as an earlier version noted it
			r.Seen = time.Time{}
		}
		switch {
		case r.SaleID != "" && r.SaleID != row.SaleID: // somebody's copy of the sale, which may stand for it
			if !lostItsSale(r) || row.Status.Is(cin7core.Voided) || !row.Updated.After(r.Seen) {
				continue
			}
			said.updated, said.listed = time.Time{}, ""
		case !concerns(r, row):
			continue
		}
		if said.lookedAt(r) {
			continue
		}
		w.cur.Tally.Marked++
		if err := w.markLook(w.ctx, r, said); err != nil {
			return err
		}
	}
	return nil
}

// concerns says whether a row of the list is a reason to look at the sale.
func concerns(r *ledger.Run, row cin7core.SaleRow) bool {
	if !row.Updated.After(r.Seen) && !(row.Updated.IsZero() && r.Listed != listedOf(row.CombinedShippingStatus, row.CombinedTrackingNumbers)) {
		return false
	}
	if row.Status == "" || row.CombinedShippingStatus == "" { // what is left out is no "not voided", and no "not shipped"
		return true
	}
	return row.CombinedShippingStatus.Is(cin7core.Shipped, cin7core.PartiallyShipped) || row.Status.Is(cin7core.Voided) && !slices.Contains(r.Voided, row.SaleID) ||
		len(r.Parcels) > 0 || len(r.Unpicked) > 0
}

// markLook asks for a look at an order's sale, and wakes the work on it. An
// order that is not sold yet keeps the mark, and looks once when it is. Of webhooks
// there may be many at once: those that a look to come will answer ask for none,
// and a look waits a moment for more of them.
func (p *Pair) markLook(ctx context.Context, r *ledger.Run, said heard) error {
	wake, hint := false, said.listed == ""
	if said.clock.IsZero() {
		said.clock = p.Now().Add(farAhead)
	}
	err := p.Ledger.Update(ctx, r, func(r *ledger.Run, _ *ledger.Extra) error {
		wake = false
		if r.Seen.After(said.clock) {
			r.Seen = time.Time{}
		}
		if !said.ahead.IsZero() {
			r.Ahead = said.ahead
		}
		if !hint {
			if !said.updated.IsZero() && !said.updated.After(r.Seen) {
				return nil
			}
			r.Seen, r.Listed, r.Stale = latest(r.Seen, said.updated), said.listed, 0
		}
		if r.State == ledger.Cancelled { // never sold, or its sale is voided
			return nil
		}
		now := p.Now().UTC()
		if soon := now.Add(p.Times.Delivery); hint && lookToCome(r) {
			if r.SoldAt.IsZero() || r.Parked || !r.Next.IsZero() && !r.Next.After(soon) {
				return errMarked
			}
			r.Next = soon // it waits for something else, far off
			return nil
		}
		r.Asked++
		switch {
		case r.SoldAt.IsZero() || r.Parked:
		case r.Lease.Until.After(now): // its worker may have read the sale already
			r.Next = r.Lease.Until
		default:
			r.Next, wake = now.Add(p.Times.Delivery), true
		}
		return nil
	})
	if errors.Is(err, errMarked) {
		return nil
	}
	if err == nil && wake {
		delay := time.Duration(0)
		if hint {
			delay = p.Times.Soon
		}
		_ = p.Wake(ctx, ledger.Pointer{Tenant: r.Tenant, Order: r.ID, Origin: OriginSweep}, delay) // the sweep finds it otherwise
	}
	return err
}

// rowSum stands for a row and the change it shows: 4 bytes for each.
func rowSum(row cin7core.SaleRow) uint64 {
	h := fnv.New32a()
	fmt.Fprint(h, row.SaleID, row.Updated.UnixNano())
	return uint64(saleSum(row))<<32 | uint64(h.Sum32())
}

// saleSum stands for a row's sale.
func saleSum(row cin7core.SaleRow) uint32 {
	h := fnv.New32a()
	h.Write([]byte(row.SaleID))
	return h.Sum32()
}

// errMarked: the run needs no change.
var errMarked = errors.New("marked already")

// lookToCome says that a look was asked for and has not begun: it will see all
// that has happened by now. A look begins under a lease, which a slow worker may
// outlive: only a lease that was given back says that nobody is looking.
func lookToCome(r *ledger.Run) bool {
	return r.Asked > r.Looks && (r.SoldAt.IsZero() || r.Lease.Token == "")
}

func seenRows(data []byte) map[uint64]bool {
	seen := map[uint64]bool{}
	for ; len(data) >= 8; data = data[8:] {
		seen[binary.LittleEndian.Uint64(data)] = true
	}
	return seen
}

func rowsSeen(seen map[uint64]bool) []byte {
	data := make([]byte, 0, 8*len(seen))
	for h := range seen {
		data = binary.LittleEndian.AppendUint64(data, h)
	}
	return data
}

// Kick has a tenant's job run soon: durably, so that the next schedule finds it
// where the message is lost. However often it is called, one run follows the
// other only after a moment.
func (p *Pair) Kick(ctx context.Context, tenantID, job string) error {
	var asked bool
	var delay time.Duration
	if err := p.Ledger.ChangeCursor(ctx, tenantID, job, func(cur *ledger.Cursor) bool {
		now := p.Now().UTC()
		if asked = cur.Asked.After(cur.Started) && now.Sub(cur.Asked) < 2*p.Times.Soon; asked {
			return false // it is on its way
		}
		delay = 0
		if now.Sub(cur.Started) < p.Times.Soon {
			delay = p.Times.Soon
		}
		cur.Asked = latest(now, cur.Started.Add(time.Nanosecond)) // its worker's clock may be ahead
		return true
	}); err != nil {
		return fmt.Errorf("ask for job %s: %w", job, err)
	}
	if !asked {
		_ = p.Start(ctx, Job{Job: job, Tenant: tenantID}, delay)
	}
	return nil
}
