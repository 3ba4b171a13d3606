package upstockcin7

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/sale"
)

const (
	maxCompared = 100_000        // approved orders of one check
	maxDoubts   = 100            // records read one by one in one check, where the lists leave a doubt
	clocks      = time.Hour      // by which the clocks of the two sides may differ
	checkFor    = 24 * time.Hour // a check that broke off longer ago begins anew
	keepRows    = 48 * time.Hour // of the standing period
	partBytes   = 300_000        // of one part before it is packed
	diffBytes   = 200_000        // of the differences in a result
	comparing   = 500            // orders compared between two saves
)

// check is a check under way. It is saved after every page; its rows are in
// parts of their own, which are never changed: two workers at once cannot spoil
// each other's, and the one that saves the check first goes on.
type check struct {
	Span     span         `json:"span"`
	Asked    time.Time    `json:"asked,omitzero"` // the asking that it answers; zero = the schedule's
	Result   Completeness `json:"result"`
	Until    time.Time    `json:"until"`          // end of the period, or when the check began
	First    time.Time    `json:"first,omitzero"` // from when orders are listed, where that is before the period: see standing
	Accounts string       `json:"accounts"`
	Phase    phase        `json:"phase"` // "" = no check is under way

	After  string   `json:"after,omitempty"` // next page of orders
	Turns  []byte   `json:"turns,omitempty"` // see turned
	Orders []string `json:"orders,omitempty"`
	Listed int      `json:"listed,omitempty"` // orders so far

	Page    int       `json:"page,omitempty"` // next page of sales
	Passes  int       `json:"passes,omitempty"`
	Pages   int       `json:"pages,omitempty"` // in this pass
	Fresh   bool      `json:"fresh,omitempty"` // this pass brought a sale of ours that was not known
	SalesAt time.Time `json:"salesAt,omitzero"`
	Sales   []string  `json:"sales,omitempty"`

	Compared int  `json:"compared,omitempty"`
	Doubts   int  `json:"doubts,omitempty"` // records read one by one
	Kicked   bool `json:"kicked,omitempty"` // reconcile was asked for
	Failures int  `json:"failures,omitempty"`
}

type phase string

const (
	readOrders phase = "orders"
	readSales  phase = "sales"
	compare    phase = "compare"
)

func (k *check) progress() string {
	switch k.Phase {
	case readOrders:
		return thousands(k.Listed) + " approved orders read from Upstock."
	case readSales:
		return fmt.Sprintf("Reading page %d of the sales in Cin7 Core.", k.Page)
	}
	return thousands(k.Compared) + " of " + thousands(k.Listed) + " orders compared."
}

// orderRow is an approved order as Upstock lists it.
type orderRow struct {
	ID        string    `json:"id"` // "" = it has no usable one
	Number    string    `json:"n,omitempty"`
	Reference string    `json:"r,omitempty"`
	Approved  time.Time `json:"a,omitzero"`
	Status    string    `json:"s"`
	Total     string    `json:"t"`
	Currency  string    `json:"c,omitempty"`
	External  string    `json:"e,omitempty"` // the sale's number that Upstock shows
	Checked   bool      `json:"k,omitempty"` // read by itself, after the list
}

// saleRow is a sale of an order as Cin7 Core lists it.
type saleRow struct {
	Order    string          `json:"o"` // what its ExternalID names
	ID       string          `json:"i"`
	Number   string          `json:"n,omitempty"`
	Status   cin7core.Status `json:"s,omitempty"`
	Shipping cin7core.Status `json:"h,omitempty"`
	Tracking string          `json:"t,omitempty"`
	Updated  time.Time       `json:"u,omitzero"`
	Gone     bool            `json:"g,omitempty"` // Cin7 Core says that there is none
}

func (s *saleRow) live() bool { return !s.Gone && !s.Status.Is(cin7core.Voided) }

// checking is one invocation's work on a check.
type checking struct {
	*poll
	check
	rev   string
	nonce string
	parts int

	orders []orderRow
	at     map[string]int // in orders, by id
	sales  map[string]saleRow
	known  map[string]bool // orders of other periods that the ledger has
	doubts []saleRow       // read one by one and not saved yet
	again  []orderRow      // likewise
	bySale map[string][]saleRow

	// Of the running pass through the sales, if this very run began it: which
	// there were, and how many the list says there are.
	listed map[string]bool
	total  int
}

// CheckCompleteness brings the check under way to its end, and then those that
// are due: the standing period's, and the ones that people asked for.
//
// It lists the approved orders of the period from Upstock, oldest approval
// first, and all sales made since its beginning from Cin7 Core, whose list
// neither ends at a time nor has a documented order: several pages are read
// again, unless a pass saw as many sales as the list says there are, until one
// brings no new sale of ours. Then it compares them with the
// ledger, and heals what costs no call. A call is made for a single record
// only where the lists leave a doubt. All calls are of the second class. A
// period with more than 100,000 orders is refused in words, not cut.
func (p *Pair) CheckCompleteness(ctx context.Context, j Job) error {
	w, err := p.begin(ctx, j, tenant.Upstock)
	if w == nil || err != nil {
		return err
	}
	p.relist(ctx, j.Tenant)
	for {
		k := &checking{poll: w, nonce: strings.ToLower(rand.Text()[:12])}
		some, err := k.open()
		if err == nil && !some {
			if err := w.refresh(); err != nil {
				return err
			}
			return w.done(time.Time{})
		}
		if err == nil {
			err = k.run()
		}
		switch e := (*broken)(nil); {
		case errors.Is(err, ledger.ErrBehind):
			return nil // another worker goes on
		case errors.As(err, &e):
			return k.stop(e)
		case err != nil:
			return err
		}
	}
}

// broken ends an invocation before its check ends: a call failed, or (err nil) time is up.
type broken struct{ err error }

func (e *broken) Error() string { return fmt.Sprintf("call: %v", e.err) }

// stop keeps what was read, and says when to go on: sooner than the schedule.
func (k *checking) stop(e *broken) error {
	out := k.verdicts.Of(k.ctx, k.b, e.err)
	down, isDown := out.(*ledger.Down)
	if isDown {
		k.Failures++
	}
	if err := k.flush(); err != nil {
		return stopped(err)
	}
	if err := k.save(); err != nil {
		return stopped(err)
	}
	if err := k.refresh(); err != nil {
		return err
	}
	if isDown {
		return k.goOn(down.Why, k.Now().Add(job.Backoff(k.Failures-1, k.Times.MinRetry, k.Times.MaxVendor)))
	}
	return k.pause(out)
}

// refresh reads the cursor again, which others write when they ask for a check:
// what comes of this run is to be seen all the same.
func (w *poll) refresh() error {
	started := w.cur.Started
	cur, err := w.Ledger.Cursor(w.ctx, w.job.Tenant, w.job.Job)
	if err == nil {
		w.cur = cur
		w.cur.Started = latest(cur.Started, started)
	}
	return err
}

func stopped(err error) error {
	if errors.Is(err, ledger.ErrBehind) {
		return nil
	}
	return err
}

func (k *checking) save() error {
	rev, err := k.Ledger.SaveDoc(k.ctx, k.job.Tenant, docCheck, k.rev, k.check)
	if err == nil {
		k.rev = rev
	}
	return err
}

// open takes up the check under way, or begins the next one that is due.
func (k *checking) open() (bool, error) {
	var err error
	if k.rev, err = k.Ledger.Doc(k.ctx, k.job.Tenant, docCheck, &k.check); err != nil {
		return false, err
	}
	accounts := comparedAccounts(k.b)
	if k.Phase != "" && k.Accounts == accounts && k.Now().Sub(k.Result.Started) < checkFor {
		err := k.load()
		if err == nil || !errors.Is(err, ledger.ErrNotFound) {
			return true, err
		}
	}
	next, due, err := k.next()
	if !due || err != nil {
		return false, err
	}
	var old Completeness
	if _, err := k.Ledger.Doc(k.ctx, k.job.Tenant, next.doc(), &old); err != nil {
		return false, err
	}
	now := k.Now().UTC()
	k.check = check{Span: next.span, Asked: next.At, Phase: readOrders, Accounts: accounts, Page: 1, Passes: 1, Until: now,
		Result: Completeness{Accounts: accounts, From: next.From, To: next.To, Standing: next.standing(), Started: latest(now, old.Started)}} // its worker's clock may have been ahead
	if next.standing() {
		k.First, k.Result.From, k.Result.To = k.standing(k.b)
	} else if next.To.Before(now) {
		k.Until = next.To
	}
	return true, k.load()
}

// next is the standing period once half its interval has passed, else what was
// asked for first. At says which asking the check will have answered; zero = none.
func (k *checking) next() (next askedSpan, due bool, err error) {
	var a asked
	if _, err := k.Ledger.Doc(k.ctx, k.job.Tenant, docAsked, &a); err != nil {
		return next, false, err
	}
	var last Completeness
	if _, err := k.Ledger.Doc(k.ctx, k.job.Tenant, next.doc(), &last); err != nil {
		return next, false, err
	}
	if every := k.Times.Jobs[JobCompleteness]; every > 0 && k.Now().Sub(last.Started) >= every/2 { // 0: only as asked for
		if i := slices.IndexFunc(a.Spans, func(o askedSpan) bool { return o.standing() }); i >= 0 {
			next = a.Spans[i]
		}
		return next, true, nil
	}
	if len(a.Spans) > 0 {
		return a.Spans[0], true, nil
	}
	return next, false, nil
}

// load reads what was read before.
func (k *checking) load() error {
	k.orders, k.at, k.sales, k.known = nil, map[string]int{}, map[string]saleRow{}, map[string]bool{}
	err := k.Ledger.EachPart(k.ctx, k.job.Tenant, k.Orders, func(data []byte) error {
		var rows []orderRow
		if err := json.Unmarshal(data, &rows); err != nil {
			return fmt.Errorf("orders: %w", err)
		}
		for _, o := range rows {
			k.addOrder(o)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return k.Ledger.EachPart(k.ctx, k.job.Tenant, k.Sales, func(data []byte) error {
		var rows []saleRow
		if err := json.Unmarshal(data, &rows); err != nil {
			return fmt.Errorf("sales: %w", err)
		}
		for _, s := range rows {
			k.sales[s.ID] = s
		}
		return nil
	})
}

func (k *checking) addOrder(o orderRow) (fresh bool) {
	if i, ok := k.at[o.ID]; ok && o.ID != "" {
		k.orders[i] = o
		return false
	}
	k.at[o.ID] = len(k.orders)
	k.orders = append(k.orders, o)
	return true
}

// write puts rows into parts and returns their names.
func write[T any](k *checking, rows []T) ([]string, error) {
	expires := k.Result.Started.Add(keepRows)
	if !k.Span.standing() {
		expires = k.Result.Started.Add(ledger.Keep)
	}
	var names []string
	var part []json.RawMessage
	size := 0
	put := func() error {
		if len(part) == 0 {
			return nil
		}
		name := fmt.Sprintf("%s#%d", k.nonce, k.parts)
		k.parts++
		if err := k.Ledger.SavePart(k.ctx, k.job.Tenant, name, expires, part); err != nil {
			return err
		}
		names, part, size = append(names, name), nil, 0
		return nil
	}
	for _, row := range rows {
		data, err := json.Marshal(row)
		if err != nil {
			return nil, err
		}
		if size+len(data) > partBytes {
			if err := put(); err != nil {
				return nil, err
			}
		}
		part, size = append(part, data), size+len(data)+1
	}
	return names, put()
}

// flush keeps what was read one by one.
func (k *checking) flush() error {
	sales, err := write(k, k.doubts)
	if err != nil {
		return err
	}
	orders, err := write(k, k.again)
	k.Sales, k.Orders = append(k.Sales, sales...), append(k.Orders, orders...)
	k.doubts, k.again = nil, nil
	return err
}

func (k *checking) run() error {
	for {
		var err error
		switch k.Phase {
		case readOrders:
			err = k.ordersPage()
		case readSales:
			err = k.salesPage()
		case compare:
			if k.Compared >= len(k.orders) {
				return k.finish("")
			}
			err = k.compareSome()
		default:
			return fmt.Errorf("check: no phase %q", k.Phase)
		}
		if err != nil {
			return err
		}
		if k.Listed > maxCompared {
			return k.finish(fmt.Sprintf("The period has more than %s approved orders. Ask for a shorter one.", thousands(maxCompared)))
		}
		k.Failures = 0
		if err := k.save(); err != nil {
			return err
		}
	}
}

// call makes one call, if there is time for it.
func (k *checking) call(sys tenant.System, n *int, f func(ctx context.Context, c tenant.Connection, s tenant.Secrets) error) error {
	if k.short() {
		return &broken{}
	}
	c, sec := k.b.Connections[sys], k.sec
	if sys != tenant.Upstock {
		var err error
		if sec, err = k.secrets(k.ctx, c); err != nil {
			return err
		}
	}
	err := f(k.ctx, c, sec)
	if kind := rest.KindOf(err); kind != rest.Waiting && kind != rest.NotSent {
		*n++
	}
	if err != nil {
		return &broken{err}
	}
	return nil
}

// first is from when orders are listed.
func (k *checking) first() time.Time {
	if k.First.IsZero() {
		return k.Result.From
	}
	return k.First
}

func (k *checking) ordersPage() error {
	var page upstock.Page
	var turns []byte
	if err := k.call(tenant.Upstock, &k.Result.Counts.UpstockCalls, func(ctx context.Context, c tenant.Connection, s tenant.Secrets) (err error) {
		client := k.Upstock(c, s, false)
		page, err = client.OrdersPage(ctx, upstock.OrdersQuery{ApprovedSince: k.first(), After: k.After, Limit: 100})
		if refusedPage(err) { // it does not know the page any more: the list begins anew
			k.After, k.Turns = "", nil
		}
		if err == nil && page.Next != "" {
			if turns, err = turned(k.Turns, page); err != nil {
				err = client.Nonsense(http.MethodGet, "/orders", err.Error())
			}
		}
		return err
	}); err != nil {
		return err
	}
	var rows []orderRow
	past := false
	for _, raw := range page.Orders {
		o, unreadable := orderRowOf(raw)
		switch {
		case o.Approved.IsZero() && !unreadable || !o.Approved.IsZero() && o.Approved.Before(k.first()): // the filter was ignored
		case !o.Approved.Before(k.Until):
			past = true
		default:
			if k.addOrder(o) {
				k.Listed++
			}
			rows = append(rows, o)
		}
	}
	names, err := write(k, rows)
	if err != nil {
		return err
	}
	k.Orders, k.After, k.Turns = append(k.Orders, names...), page.Next, turns
	if past || page.Next == "" {
		k.Phase, k.After, k.Turns, k.SalesAt = readSales, "", nil, k.Now().UTC()
	}
	return nil
}

// orderRowOf reads an order of the list; unreadable says that it does not tell when it was approved.
func orderRowOf(raw json.RawMessage) (row orderRow, unreadable bool) {
	o, faults := upstock.ParseOrder(raw)
	row = orderRow{Number: prose.Short(o.OrderNumber), Reference: prose.Short(o.Reference), Status: prose.Short(o.Status), Total: o.Totals().Total.StringFixed(2), Currency: prose.Short(o.Currency)}
	if id, ok := upstock.OrderID(raw); ok {
		row.ID = strconv.FormatInt(id, 10)
	}
	if !o.ApprovedAt.IsZero() {
		row.Approved = o.ApprovedAt.UTC()
	}
	if o.External != nil {
		row.External = prose.Short(o.External.Number)
	}
	return row, slices.ContainsFunc(faults, func(f upstock.FieldError) bool { return f.Field == "approvedAt" })
}

// shortPasses bounds how often a list of several pages is read again only because
// it shows fewer sales than it counts: a total may count what is never listed.
const shortPasses = 3

func (k *checking) salesPage() error {
	if k.SalesAt.IsZero() {
		k.SalesAt = k.Now().UTC()
	}
	var page cin7core.Page[cin7core.SaleRow]
	if err := k.call(tenant.Cin7Core, &k.Result.Counts.Cin7Calls, func(ctx context.Context, c tenant.Connection, s tenant.Secrets) (err error) {
		page, err = k.Cin7Core(c, s, false).SalesPage(ctx, cin7core.SalesQuery{CreatedSince: k.Result.From.Add(-clocks), Page: k.Page})
		return err
	}); err != nil {
		return err
	}
	if k.Page <= 1 {
		k.listed, k.total = map[string]bool{}, 0
	}
	if k.listed != nil {
		for _, x := range page.Items {
			k.listed[x.SaleID] = true
		}
		k.total = max(k.total, page.Total)
	}
	known := k.listed != nil && k.total > 0 // all of this pass was read here
	whole, short := known && len(k.listed) >= k.total, known && len(k.listed) < k.total
	rows, err := k.ours(page.Items)
	if err != nil {
		return err
	}
	names, err := write(k, rows)
	if err != nil {
		return err
	}
	k.Sales = append(k.Sales, names...)
	k.Pages++
	switch {
	case page.More:
		k.Page++
	case k.Pages > 1 && k.Passes < maxPasses && k.Fresh && !whole, k.Pages > 1 && k.Passes < shortPasses && short:
		k.Page, k.Pages, k.Fresh, k.Passes = 1, 0, false, k.Passes+1
	default:
		k.Phase = compare
	}
	return nil
}

// ours keeps what is new of the rows: the sales of the period's orders, and
// those that name orders that nobody here knows. Sales of orders that were
// approved before or after the period are none of its business.
func (k *checking) ours(list []cin7core.SaleRow) ([]saleRow, error) {
	prefix := sale.ExternalID(k.b.Connections[tenant.Upstock].Account, "")
	var rows []saleRow
	var others []string
	for _, x := range list {
		id, ours := strings.CutPrefix(x.ExternalID, prefix)
		if !ours || id == "" || k.known[id] {
			continue
		}
		row := saleRow{Order: prose.Short(id), ID: x.SaleID, Number: prose.Short(x.OrderNumber), Status: x.Status, Shipping: x.CombinedShippingStatus, Tracking: prose.Short(x.CombinedTrackingNumbers), Updated: x.Updated.UTC()}
		if old, ok := k.sales[row.ID]; ok && !row.Updated.After(old.Updated) {
			continue
		}
		if _, ok := k.at[id]; !ok {
			if x.OrderDate.After(k.Until.AddDate(0, 0, 2)) { // placed later, so approved later
				continue
			}
			if len(id) <= 200 {
				others = append(others, id)
			}
		}
		rows = append(rows, row)
	}
	runs, err := k.Pair.orders(k.ctx, supplierAt(k.b.Connections[tenant.Upstock]), others)
	if err != nil {
		return nil, err
	}
	for _, id := range others {
		k.known[id] = runs[id] != nil
	}
	rows = slices.DeleteFunc(rows, func(r saleRow) bool { return k.known[r.Order] })
	for _, r := range rows {
		if _, ok := k.sales[r.ID]; !ok {
			k.Fresh = true
		}
		k.sales[r.ID] = r
	}
	return rows, nil
}

// compareSome compares the next orders, oldest approval first, and writes their rows.
func (k *checking) compareSome() error {
	if k.Compared == 0 || k.bySale == nil {
		slices.SortStableFunc(k.orders, func(a, b orderRow) int {
			return cmp.Or(a.Approved.Compare(b.Approved), cmp.Compare(len(a.ID), len(b.ID)), strings.Compare(a.ID, b.ID))
		})
		for i, o := range k.orders {
			k.at[o.ID] = i
		}
		k.bySale = map[string][]saleRow{}
		for _, s := range k.sales {
			k.bySale[s.Order] = append(k.bySale[s.Order], s)
		}
		for _, list := range k.bySale {
			slices.SortFunc(list, func(a, b saleRow) int {
				return cmp.Or(cmp.Compare(len(a.Number), len(b.Number)), strings.Compare(a.Number, b.Number), strings.Compare(a.ID, b.ID))
			})
		}
	}
	if k.short() {
		return &broken{}
	}
	batch := k.orders[k.Compared:min(len(k.orders), k.Compared+comparing)]
	ids := make([]string, 0, len(batch))
	for _, o := range batch {
		if o.ID != "" {
			ids = append(ids, o.ID)
		}
	}
	runs, err := k.Pair.orders(k.ctx, supplierAt(k.b.Connections[tenant.Upstock]), ids)
	if err != nil {
		return err
	}
	whole := k.Result // as it is if a call fails in the middle
	whole.Differences = slices.Clone(k.Result.Differences)
	var rows []CompletenessRow
	for i := range batch {
		x := &joined{checking: k, o: &batch[i], r: runs[batch[i].ID], now: k.Now()}
		if status := x.o.Status; x.r == nil && (status == upstock.StatusOrdered || status == upstock.StatusScheduled) && len(k.bySale[x.o.ID]) == 0 {
			continue // its approval was taken back, and nothing came of it
		}
		if x.r == nil && x.before() {
			continue
		}
		if x.r != nil && x.o.Status == upstock.StatusCancelled && outlived(x.r, x.o.Approved) {
			if _, err := x.orderNow(); err != nil {
				return err
			}
		}
		if err := x.healCancel(); err != nil {
			return err
		}
		if err := x.compare(); err != nil {
			return err
		}
		if err := x.heal(); err != nil {
			return err
		}
		x.count(&whole)
		rows = append(rows, x.row())
	}
	names, err := write(k, rows)
	if err != nil {
		return err
	}
	whole.Rows = append(slices.Clone(whole.Rows), names...)
	whole.Counts.UpstockCalls, whole.Counts.Cin7Calls = k.Result.Counts.UpstockCalls, k.Result.Counts.Cin7Calls
	k.Result = whole
	k.Compared += len(batch)
	return k.flush()
}

func (c *Completeness) add(d Difference) {
	c.Found++
	if c.Found > len(c.Differences)+1 || len(c.Differences) >= maxDifferences { // one was left out already
		return
	}
	c.Differences = append(c.Differences, d)
	if len(c.Differences)%50 == 0 || len(d.Message) > 500 { // a result is one document
		if data, err := json.Marshal(c.Differences); err != nil || len(data) > diffBytes {
			c.Differences = c.Differences[:len(c.Differences)-1]
		}
	}
}

// finish adds the sales of unknown orders, writes the result and ends the check.
func (k *checking) finish(problem string) error {
	if problem == "" {
		if err := k.strangers(); err != nil {
			return err
		}
		k.Result.Checked = k.Now().UTC()
	} else {
		k.Result = Completeness{Accounts: k.Accounts, From: k.Result.From, To: k.Result.To, Standing: k.Result.Standing, Started: k.Result.Started, Problem: problem}
	}
	var old Completeness
	rev, err := k.Ledger.Doc(k.ctx, k.job.Tenant, k.Span.doc(), &old)
	if err != nil {
		return err
	}
	if old.Started.After(k.Result.Started) {
		return ledger.ErrBehind
	}
	if _, err := k.Ledger.SaveDoc(k.ctx, k.job.Tenant, k.Span.doc(), rev, k.Result); err != nil {
		return err
	}
	done := askedSpan{k.Span, k.Asked}
	k.check = check{}
	if err := k.save(); err != nil {
		return err
	}
	return k.changeAsked(k.ctx, k.job.Tenant, func(a *asked) error {
		a.Spans = slices.DeleteFunc(a.Spans, func(o askedSpan) bool { return o.same(done.span) && o.At.Equal(done.At) })
		return nil
	})
}

// strangers are live sales with the id of an order that is neither in the
// period nor in the ledger, even now.
func (k *checking) strangers() error {
	var list []saleRow
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(k.sales)) {
		s := k.sales[id]
		if _, ok := k.at[s.Order]; ok || !s.live() {
			continue
		}
		list = append(list, s)
		if len(s.Order) <= 200 {
			ids = append(ids, s.Order)
		}
	}
	runs, err := k.Pair.orders(k.ctx, supplierAt(k.b.Connections[tenant.Upstock]), ids)
	if err != nil {
		return err
	}
	slices.SortFunc(list, func(a, b saleRow) int {
		return cmp.Or(strings.Compare(a.Number, b.Number), strings.Compare(a.ID, b.ID))
	})
	for _, s := range list {
		if runs[s.Order] == nil {
			k.Result.add(Difference{Code: DiffUnknownSale, Order: supplierAt(k.b.Connections[tenant.Upstock]).key(s.Order), SaleID: s.ID, Sale: s.Number,
				Message: fmt.Sprintf("The sale %s in Cin7 Core carries the id of the order %s, which Upstock does not list in this period and Stockbridge does not know.", cmp.Or(s.Number, s.ID), s.Order),
				Fix:     "Look where it comes from. Void it in Cin7 Core if it should not be there; if its order was approved before, backfill that day."})
		}
	}
	return nil
}

// joined is one approved order with all that is known of it.
type joined struct {
	*checking
	o   *orderRow
	r   *ledger.Run // nil = it is not written down
	now time.Time

	diffs   []Difference
	sale    *saleRow // the one that the run chose, as listed; nil = its list is too old to have it
	live    []saleRow
	class   string // sold, cancelled, underWay
	unsure  bool   // its sale is not listed, and too many such to ask for each
	why     string // underWay
	missing bool
}

func (x *joined) say(missing bool, code, fix, format string, args ...any) {
	d := Difference{Code: code, Message: fmt.Sprintf(format, args...), Fix: fix, Order: x.key(), Number: x.o.Number}
	if x.r != nil {
		d.SaleID, d.Sale = x.r.SaleID, x.r.SaleNumber
	}
	x.diffs = append(x.diffs, d)
	x.missing = x.missing || missing
}

func (x *joined) compare() error {
	x.diffs, x.sale, x.live, x.class, x.why, x.missing = nil, nil, nil, "", "", false
	for _, s := range x.bySale[x.o.ID] {
		if s.live() && x.o.ID != "" && (x.r == nil || !slices.Contains(x.r.Voided, s.ID)) {
			x.live = append(x.live, s)
		}
	}
	cancelled := x.o.Status == upstock.StatusCancelled || x.r != nil && !x.r.Cancelled.IsZero()
	switch {
	case x.revived():
		x.approvedSince()
		return nil
	case cancelled:
		return x.cancelled()
	case x.r == nil:
		x.unknown()
		return nil
	case x.r.SoldAt.IsZero():
		x.unsold()
		return nil
	}
	return x.sold()
}

func (x *joined) unknown() {
	age := x.now.Sub(x.o.Approved)
	up := x.b.Connections[tenant.Upstock]
	before := x.o.Approved.Before(up.Beginning())
	sold := ""
	if x.o.External != "" {
		sold = " Upstock shows it as " + x.o.External + "."
	} else if len(x.live) > 0 {
		sold = " Cin7 Core has " + saleNames(x.live) + " with its id."
	}
	switch {
	case x.o.ID == "" && sold != "":
		x.say(true, DiffMissing, soldElsewhere+" Tell Upstock's support.", "Upstock lists an approved order without a usable id.%s", sold)
	case x.o.ID == "":
		x.say(true, DiffMissing, "Look in Cin7 Core whether it was sold; if not, enter it there by hand. Tell Upstock's support.", "Upstock lists an approved order without a usable id.")
	case sold != "" && (before || x.o.Approved.IsZero()):
		x.say(true, DiffMissing, soldElsewhere, "The order was not taken in.%s", sold)
	case x.o.Approved.IsZero():
		x.say(true, DiffMissing, "Backfill it.", "Upstock lists the order without a readable time of approval, and it was not taken in.%s", sold)
	case before && x.o.Status == upstock.StatusShipped:
		x.say(true, DiffMissing, "Nothing, if it was sold without Stockbridge: a backfill leaves out what is shipped.", "The order was approved before Upstock was connected, is shipped, and was not taken in.%s", sold)
	case before:
		x.say(true, DiffMissing, "Backfill it if it should be sold through Stockbridge.", "The order was approved before Upstock was connected, and was not taken in.%s", sold)
	case !up.Takes(x.o.Approved) && x.o.Status == upstock.StatusShipped:
		x.say(true, DiffMissing, "Nothing, if it was sold without Stockbridge: a backfill leaves out what is shipped.", "The order was approved while a connection was away, is shipped, and was not taken in.%s", sold)
	case !up.Takes(x.o.Approved):
		x.say(true, DiffMissing, "Look whether somebody entered it by hand; else backfill its day.", "The order was approved while a connection was away, and was not taken in.%s", sold)
	case age < x.Times.Fresh:
		x.class, x.why = underWay, "Approved in Upstock just now."
	default:
		x.say(true, DiffMissing, "Nothing: it is taken in within minutes. If this stays, backfill its day, and test the webhook in Upstock.", "The order was approved in Upstock, but no webhook brought it.%s", sold)
	}
}

// unsold: work goes on for a while before it counts as a difference.
func (x *joined) unsold() {
	r := x.r
	age := x.now.Sub(latest(r.Received, x.o.Approved))
	smooth := !r.Parked && r.Failures == 0
	switch {
	case r.State == ledger.Attention && len(r.Problems) > 0:
		more := ""
		if n := len(r.Problems) - 1; n > 0 {
			more = fmt.Sprintf(" (and %d more)", n)
		}
		x.say(true, DiffNotSold, x.fixOf(r.Problems[0]), "The order needs attention: %s%s", prose.Short(r.Problems[0].Message), more)
	case r.State != ledger.Attention && (age < x.Times.Fresh || r.Lease.Until.After(x.now) || smooth && age < 6*x.Times.Fresh):
		x.class, x.why = underWay, cmp.Or(r.Why, "It is being worked on.")
	default:
		why := ""
		if r.Why != "" {
			why = ": " + prose.Short(r.Why)
		}
		x.say(true, DiffNotSold, "Look at the order's page; retry it if nothing moves.", "The order is not sold yet. It is %s%s", r.State, why)
	}
}

func (x *joined) cancelled() error {
	x.class = "cancelled"
	if x.r != nil && !x.r.SoldAt.IsZero() && !x.otherAccount() && !slices.ContainsFunc(x.live, func(s saleRow) bool { return s.ID == x.r.SaleID }) {
		if err := x.chosen(); err != nil {
			return err
		}
		if x.sale != nil && x.sale.live() {
			x.live = append(x.live, *x.sale)
		}
	}
	if len(x.live) == 0 {
		return nil
	}
	if r := x.r; r != nil && !r.Cancelled.IsZero() && x.now.Sub(r.Cancelled) < x.Times.Fresh && (r.Void || r.CancelOpen() && x.b.Settings.OnCancel == tenant.Void || r.SoldAt.IsZero()) {
		return nil // it is being voided
	}
	shipped := ""
	if slices.ContainsFunc(x.live, func(s saleRow) bool { return s.Shipping.Is(cin7core.Shipped, cin7core.PartiallyShipped) }) {
		shipped = " It is shipped, or in part."
	}
	x.say(false, DiffCancelledWithSale, "Void the sale in Cin7 Core if it should not be delivered.", "The order is cancelled in Upstock, and its sale stands in Cin7 Core: %s.%s", saleNames(x.live), shipped)
	return nil
}

func (x *joined) otherAccount() bool {
	return x.r.Account != "" && x.r.Account != x.b.Connections[tenant.Cin7Core].Account
}

// chosen finds the run's sale. One that the list does not have was sold since,
// or is asked for by itself: the list may have missed it, or it may be older
// than the order's approval.
func (x *joined) chosen() error {
	s, ok := x.sales[x.r.SaleID]
	if ok {
		x.sale = &s
		return nil
	}
	if x.r.SoldAt.After(x.SalesAt.Add(-x.Times.Settle)) {
		return nil
	}
	s = saleRow{Order: x.o.ID, ID: x.r.SaleID, Number: x.r.SaleNumber, Gone: true}
	if x.Doubts < maxDoubts {
		if err := x.call(tenant.Cin7Core, &x.Result.Counts.Cin7Calls, func(ctx context.Context, c tenant.Connection, sec tenant.Secrets) error {
			got, err := x.Cin7Core(c, sec, false).Sale(ctx, x.r.SaleID)
			if rest.KindOf(err) == rest.NotFound {
				return nil
			}
			s.Gone = false
			s.Status, s.Shipping, s.Tracking, s.Updated = got.Status, got.CombinedShippingStatus, prose.Short(got.CombinedTrackingNumbers), got.LastModifiedOn.UTC()
			return err
		}); err != nil {
			return err
		}
		x.Doubts++
		x.doubts = append(x.doubts, s)
	} else {
		x.unsure = true
	}
	x.sales[s.ID] = s
	x.sale = &s
	return nil
}

func (x *joined) sold() error {
	r := x.r
	x.class = "sold"
	x.totals()
	if x.otherAccount() {
		x.say(false, DiffOtherAccount, "Nothing, if the account was changed on purpose.", "The order was sold as %s in another Cin7 Core account than the one connected now: its sale is not compared.", r.SaleNumber)
		return nil
	}
	if err := x.chosen(); err != nil {
		return err
	}
	if x.sale == nil {
		return nil
	}
	others := slices.DeleteFunc(slices.Clone(x.live), func(s saleRow) bool { return s.ID == r.SaleID })
	beside := ""
	if len(others) > 0 {
		beside = " Beside it there is " + saleNames(others) + " with the order's id."
	}
	switch {
	case x.sale.Gone:
		x.class = ""
		lacks, fix := "does not have that sale", anotherSale
		if x.unsure {
			lacks, fix = "does not list that sale", "Look for the sale in Cin7 Core by its number; it may be there all the same."
		}
		if len(others) > 0 {
			fix = takenUp
		}
		x.say(true, DiffSaleMissing, fix, "The order was sold as %s, and Cin7 Core %s.%s", r.SaleNumber, lacks, beside)
		return nil
	case !x.sale.live():
		x.class = ""
		fix := anotherSale
		if len(others) > 0 {
			fix = takenUp
		}
		x.say(true, DiffSaleVoided, fix, "The sale %s of this order was voided in Cin7 Core.%s", r.SaleNumber, beside)
		return nil
	case len(others) > 0:
		all := append(others, *x.sale)
		x.say(false, DiffTwoSales, "Void the ones that should not be there in Cin7 Core.", "Cin7 Core has %d sales of this order: %s. Its own is %s.", len(all), saleNames(all), r.SaleNumber)
	}
	return x.shipping()
}

func (x *joined) totals() {
	r := x.r
	sold, err := decimal.NewFromString(r.SaleTotal)
	order, oerr := decimal.NewFromString(cmp.Or(r.Total, x.o.Total))
	reckoned, _ := decimal.NewFromString(cmp.Or(r.Rounding, "0"))
	if err == nil && oerr == nil && sale.TooFarApart(sold, order, reckoned, x.b.Settings.TotalTolerance) {
		x.say(false, DiffTotalDiffers, "Compare the sale with the order.", "The order's total is %s, its sale %s was sold with %s.", order.StringFixed(2), r.SaleNumber, sold.StringFixed(2))
		return
	}
	if r.Total != "" && x.o.Total != r.Total {
		x.say(false, DiffTotalDiffers, "Compare the sale with the order.", "Upstock shows the order with a total of %s now; it was %s when it was sold.", x.o.Total, r.Total)
	}
}

// told is what of an order's shipping Upstock was told.
type told struct {
	parcels  int // that it took and that are still shipped
	complete bool
	refused  string
	gone     []string
	tracking []string
}

func toldOf(r *ledger.Run) (t told) {
	for _, p := range r.Parcels {
		switch {
		case p.Gone && !p.Known:
			t.gone = append(t.gone, p.Label)
		case p.Gone:
		case p.Refused != "":
			t.refused = p.Refused
		case p.Hash != "":
			t.parcels++
			t.complete = t.complete || p.Complete
			if p.Tracking != "" && !slices.Contains(t.tracking, p.Tracking) {
				t.tracking = append(t.tracking, p.Tracking)
			}
		}
	}
	return t
}

func (x *joined) shipping() error {
	r, t := x.r, toldOf(x.r)
	whole, part := x.sale.Shipping.Is(cin7core.Shipped), x.sale.Shipping.Is(cin7core.PartiallyShipped)
	done := x.o.Status == upstock.StatusShipped
	just := x.now.Sub(latest(x.sale.Updated, r.SoldAt)) < x.Times.Fresh
	stale := x.sale.Updated.Before(r.Seen) && !r.Seen.After(x.now.Add(farAhead)) && !r.LookDue() // the list says less than a look at the sale did
	if whole && t.complete && !done && t.refused == "" {
		fresh, err := x.orderNow()
		if err != nil {
			return err
		}
		if fresh && x.o.Status == upstock.StatusCancelled {
			return x.compare()
		}
		done = x.o.Status == upstock.StatusShipped
	}
	switch {
	case t.refused != "":
		x.say(true, DiffNotTold, "Look at the order in Upstock. Retry when it would take the shipment.", "%s is shipped in Cin7 Core, and Upstock does not take the shipment: %s", r.SaleNumber, prose.Short(t.refused))
	case whole && t.complete && !done:
		x.say(true, DiffNotTold, "Look at the order in Upstock: somebody may have changed it there.", "%s is shipped in Cin7 Core and Upstock was told, but it shows the order as %s.", r.SaleNumber, cmp.Or(x.o.Status, "unknown"))
	case (whole && !t.complete || part && (t.parcels == 0 || r.LookDue())) && !just && !stale:
		why, fix := "this is told within minutes", "Nothing, unless it stays."
		if !r.LookDue() && x.sale.Updated.Equal(r.Seen) {
			why, fix = "the sale itself shows no such shipment", "Look at the sale's shipments in Cin7 Core."
		} else if r.Parked || r.Failures > 0 {
			why = cmp.Or(strings.TrimSuffix(r.Why, "."), "it did not work so far")
		}
		x.say(true, DiffNotTold, fix, "%s is shipped in Cin7 Core, or in part, and Upstock is not told yet: %s.", r.SaleNumber, prose.Short(why))
	}
	switch {
	case len(t.gone) > 0:
		x.say(false, DiffShippedNotInCin7, "Tell the customer: Upstock cannot take a shipment back. If it is shipped again, that is told by itself.",
			"Upstock was told of a shipment of %s that is not shipped any more in Cin7 Core: %s.", r.SaleNumber, prose.Short(strings.Join(t.gone, "; ")))
	case done && !whole && !part && len(r.Parcels) == 0:
		x.say(false, DiffShippedNotInCin7, "Ship the sale in Cin7 Core, if its goods have left.", "Upstock shows the order as shipped, and its sale %s is not shipped in Cin7 Core.", r.SaleNumber)
	case t.parcels > 0 && !whole && !part && !just && x.sale.Updated.After(r.Seen):
		x.say(false, DiffShippedNotInCin7, "Nothing, unless it stays: the sale is looked at again.", "Upstock was told that %s is shipped, and Cin7 Core does not list it as shipped.", r.SaleNumber)
	}
	return nil
}

// orderNow reads the order from Upstock by itself: it may have been told since it was listed.
func (x *joined) orderNow() (fresh bool, err error) {
	id, err := strconv.ParseInt(x.o.ID, 10, 64)
	if err != nil || x.o.Checked || x.Doubts >= maxDoubts {
		return false, nil
	}
	now := *x.o
	if err := x.call(tenant.Upstock, &x.Result.Counts.UpstockCalls, func(ctx context.Context, c tenant.Connection, s tenant.Secrets) error {
		raw, err := x.Upstock(c, s, false).Order(ctx, id)
		if rest.KindOf(err) == rest.NotFound {
			now.Status = "not there"
			return nil
		}
		if err == nil {
			got, _ := orderRowOf(raw)
			now.Status, now.Total, now.Approved = got.Status, got.Total, latest(got.Approved, now.Approved)
		}
		return err
	}); err != nil {
		return false, err
	}
	x.Doubts++
	now.Checked = true
	*x.o = now
	x.again = append(x.again, now)
	return true, nil
}

// heal does what costs no call: it has lost orders looked for, and marks what
// no webhook and no poll has marked.
func (x *joined) heal() error {
	r := x.r
	if r == nil {
		if !x.Kicked && x.missing && x.o.ID != "" && x.takes() {
			x.Kicked = true
			return x.Kick(x.ctx, x.job.Tenant, JobReconcile)
		}
		return nil
	}
	if err := x.healCancel(); err != nil {
		return err
	}
	if x.revived() {
		return x.Pair.again(x.ctx, r, upstock.Order{ApprovedAt: x.o.Approved}, nil)
	}
	s, ok := x.sales[r.SaleID]
	if !ok || s.Gone || r.SoldAt.IsZero() || x.otherAccount() {
		return nil
	}
	row := cin7core.SaleRow{SaleID: s.ID, Status: s.Status, CombinedShippingStatus: s.Shipping, CombinedTrackingNumbers: s.Tracking, Updated: s.Updated}
	if !concerns(r, row) {
		return nil
	}
	said := hearRow(row, x.now)
	if said.lookedAt(r) {
		return nil
	}
	return x.markLook(x.ctx, r, said)
}

// key is the order's id as its page has it.
func (x *joined) key() string {
	switch {
	case x.r != nil:
		return x.r.ID
	case x.o.ID == "":
		return ""
	}
	return supplierAt(x.b.Connections[tenant.Upstock]).key(x.o.ID)
}

// takes reports whether the order is taken in by itself where it is found.
func (x *joined) takes() bool {
	up := x.b.Connections[tenant.Upstock]
	return up.Takes(x.o.Approved)
}

// healCancel marks what is cancelled in Upstock and no webhook said.
func (x *joined) healCancel() error {
	if x.r == nil || x.o.Status != upstock.StatusCancelled || !x.r.Cancelled.IsZero() {
		return nil
	}
	return x.markListed(x.ctx, x.r, x.o.Approved)
}

// before reports whether the order was approved before the period.
func (x *joined) before() bool {
	return !x.o.Approved.IsZero() && x.o.Approved.Before(x.Result.From)
}

// count counts an order of the period; what differs counts in any case.
func (x *joined) count(c *Completeness) {
	n := &c.Counts
	if !x.before() {
		n.Approved++
	}
	switch class := x.class; {
	case x.before():
	case class == "sold":
		n.Sold++
		if x.sale != nil && x.sale.Shipping.Is(cin7core.Shipped) {
			n.Shipped++
		} else if x.sale != nil && x.sale.Shipping.Is(cin7core.PartiallyShipped) {
			n.PartlyShipped++
		}
	case class == "cancelled":
		n.Cancelled++
	case class == underWay:
		n.UnderWay++
	}
	if x.missing {
		n.Missing++
	}
	for _, d := range x.diffs {
		c.add(d)
	}
}

func (x *joined) row() CompletenessRow {
	o := x.o
	row := CompletenessRow{Order: x.key(), Number: o.Number, Reference: o.Reference, Approved: o.Approved, Total: o.Total, Currency: o.Currency}
	var reasons []string
	if x.class == underWay {
		row.Codes, reasons = []string{underWay}, []string{prose.Short(x.why)}
	}
	for _, d := range x.diffs {
		if !slices.Contains(row.Codes, d.Code) {
			row.Codes = append(row.Codes, d.Code)
		}
		reasons = append(reasons, d.Message)
	}
	row.Reason = strings.Join(reasons, " ")
	if r := x.r; r != nil {
		t := toldOf(r)
		row.State, row.SaleNumber, row.SaleTotal = r.State, r.SaleNumber, r.SaleTotal
		row.Parcels, row.Tracking, row.Complete = t.parcels, strings.Join(t.tracking, ", "), t.complete
		sale, err := decimal.NewFromString(r.SaleTotal)
		order, oerr := decimal.NewFromString(o.Total)
		if err == nil && oerr == nil {
			row.Difference = sale.Sub(order).StringFixed(2)
		}
	}
	return row
}

// saleNames lists sales' numbers.
func saleNames(list []saleRow) string {
	var out []string
	for _, s := range list {
		out = append(out, cmp.Or(s.Number, s.ID))
	}
	if len(out) > 10 {
		out = append(out[:10], fmt.Sprintf("and %d more", len(out)-10))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
