package completeness

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

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
	checkFor    = 24 * time.Hour // a check that broke off longer ago begins anew
	keepRows    = 48 * time.Hour // of the standing period
	partBytes   = 300_000        // of one part before it is packed
	comparing   = 500            // orders compared between two saves
)

// check is a check under way. It is saved after every page; its rows are in parts of their own, which are never
// changed: two workers at once cannot spoil each other's, and the one that saves the check first goes on.
type check struct {
	Span   span      `json:"span"`
	Asked  time.Time `json:"asked,omitzero"` // the asking that it answers; zero = the schedule's
	Report Report    `json:"result"`
	Until  time.Time `json:"until"` // end of the period, or when the check began
	// from when orders are listed, where that is before the period: see standing
	First    time.Time `json:"first,omitzero"`
	Accounts string    `json:"accounts"`
	Phase    phase     `json:"phase"` // "" = no check is under way

	After  string   `json:"after,omitempty"`  // next page of orders
	Turns  []byte   `json:"turns,omitempty"`  // those read, see job.Turn
	Orders []string `json:"orders,omitempty"` // names of the parts that hold them
	Listed int      `json:"listed,omitempty"` // orders so far

	Page    int       `json:"page,omitempty"` // next page of sales
	Passes  int       `json:"passes,omitempty"`
	Pages   int       `json:"pages,omitempty"`  // in this pass
	News    bool      `json:"fresh,omitempty"`  // this pass brought a sale of ours that was not known
	SalesAt time.Time `json:"salesAt,omitzero"` // when the first page was asked for
	Sales   []string  `json:"sales,omitempty"`  // names of the parts that hold them

	Compared int  `json:"compared,omitempty"`
	Doubts   int  `json:"doubts,omitempty"` // records read one by one
	Kicked   bool `json:"kicked,omitempty"` // lost orders are being looked for
	Failures int  `json:"failures,omitempty"`
}

type phase string

const (
	listOrders phase = "orders"
	listSales  phase = "sales"
	compare    phase = "compare"
)

func (k *check) progress() string {
	switch k.Phase {
	case listOrders:
		return prose.Count(k.Listed) + " approved orders read from Upstock."
	case listSales:
		return fmt.Sprintf("Reading page %d of the sales in Cin7 Core.", k.Page)
	}
	return prose.Count(k.Compared) + " of " + prose.Count(k.Listed) + " orders compared."
}

// checking is one invocation's work on a check.
type checking struct {
	*Checker
	check
	ctx      context.Context
	part     *job.Part
	up, core tenant.Connection
	key      tenant.Secrets // of up
	settings sale.Settings
	rev      string // of the check, as it is stored
	nonce    string // begins the names of the parts that are written
	parts    int    // that were written

	orders  []orderRow
	at      map[string]int // in orders, by id
	sales   map[string]saleRow
	ofOrder map[string][]saleRow // the sales by their orders' ids, once they are compared
	known   map[string]bool      // orders of other periods that the ledger has

	// Records read one by one that are not saved yet.
	readSales  []saleRow
	readOrders []orderRow

	// Of the running pass through the sales, if this very run began it: which there were, and how many the list says
	// there are.
	listed map[string]bool
	total  int
}

// Check brings the check under way to its end, and then those that are due: the standing period's, and the ones that
// people asked for. All its calls are of the second class.
func (c *Checker) Check(ctx context.Context, part *job.Part) error {
	up, core := part.Bundle.Connections[tenant.Upstock], part.Bundle.Connections[tenant.Cin7Core]
	key, err := c.Secrets(ctx, up)
	if err != nil {
		return err
	}
	for {
		k := &checking{
			Checker: c, ctx: ctx, part: part, up: up, core: core, key: key,
			settings: sale.SettingsOf(part.Bundle.Settings), nonce: strings.ToLower(rand.Text()[:12]),
		}
		some, err := k.open()
		if err == nil && !some {
			if err := part.Reload(ctx); err != nil {
				return err
			}
			return part.Close(ctx, time.Time{})
		}
		if err == nil {
			err = k.run()
		}
		if e, ok := errors.AsType[*broken](err); ok {
			return k.stop(e)
		}
		if err != nil {
			return err
		}
	}
}

// broken ends a part before its check ends: a call failed, or time is up.
type broken struct{ err error }

func (e *broken) Error() string { return fmt.Sprintf("call: %v", e.err) }

// stop keeps what was read. A check whose vendor gave no believable answer goes on sooner than its schedule.
func (k *checking) stop(e *broken) error {
	out := e.err
	if !errors.Is(e.err, job.ErrShort) {
		out = k.part.Verdict(k.ctx, e.err)
	}
	if down, ok := out.(*ledger.Down); ok {
		k.Failures++
		times := k.part.Times()
		wait := job.Backoff(k.Failures-1, times.MinRetry, times.Longest)
		out = &ledger.Later{At: k.Now().Add(wait), Why: down.Why, Who: down.Who, Ended: ledger.NoAnswer}
	}
	if err := k.flush(); err != nil {
		return err
	}
	if err := k.save(); err != nil {
		return err
	}
	return cmp.Or(k.part.Reload(k.ctx), out)
}

func (k *checking) save() error {
	rev, err := k.Ledger.SaveDoc(k.ctx, k.part.Tenant, docCheck, k.rev, k.check)
	if err == nil {
		k.rev = rev
	}
	return err
}

// open takes up the check under way, or begins the next one that is due.
func (k *checking) open() (bool, error) {
	var err error
	if k.rev, err = k.Ledger.Doc(k.ctx, k.part.Tenant, docCheck, &k.check); err != nil {
		return false, err
	}
	accounts := comparedAccounts(k.part.Bundle)
	if k.Phase != "" && k.Accounts == accounts && k.Now().Sub(k.Report.Started) < checkFor {
		err := k.load()
		if err == nil || !errors.Is(err, ledger.ErrNotFound) {
			return true, err
		}
	}
	next, due, err := k.next()
	if !due || err != nil {
		return false, err
	}
	var old Report
	if _, err := k.Ledger.Doc(k.ctx, k.part.Tenant, next.doc(), &old); err != nil {
		return false, err
	}
	now := k.Now().UTC()
	k.check = check{Span: next.span, Asked: next.At, Phase: listOrders, Accounts: accounts, Page: 1, Passes: 1,
		Until: now,
		// its worker's clock may have been ahead
		Report: Report{Accounts: accounts, From: next.From, To: next.To, Standing: next.standing(),
			Started: job.Latest(now, old.Started)}}
	if next.standing() {
		k.First, k.Report.From, k.Report.To = standing(k.part.Bundle, now)
	} else if next.To.Before(now) {
		k.Until = next.To
	}
	return true, k.load()
}

// next is the standing period once half its interval has passed, else what was
// asked for first. At says which asking the check will have answered; zero = none.
func (k *checking) next() (next askedSpan, due bool, err error) {
	var a asked
	if _, err := k.Ledger.Doc(k.ctx, k.part.Tenant, docAsked, &a); err != nil {
		return next, false, err
	}
	var last Report
	if _, err := k.Ledger.Doc(k.ctx, k.part.Tenant, next.doc(), &last); err != nil {
		return next, false, err
	}
	if every := k.part.Interval(); every > 0 && k.Now().Sub(last.Started) >= every/2 { // 0: only as asked for
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
	err := k.Ledger.EachPart(k.ctx, k.part.Tenant, k.Orders, func(data []byte) error {
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
	return k.Ledger.EachPart(k.ctx, k.part.Tenant, k.Sales, func(data []byte) error {
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

// addOrder adds an order, or what is known of one now. Its place stays: only how many were compared is saved, not
// which.
func (k *checking) addOrder(o orderRow) (fresh bool) {
	if i, ok := k.at[o.ID]; ok && o.ID != "" {
		o.first = k.orders[i].first
		k.orders[i] = o
		return false
	}
	o.first = o.Approved
	k.at[o.ID] = len(k.orders)
	k.orders = append(k.orders, o)
	return true
}

// write puts rows into parts and returns their names.
func write[T any](k *checking, rows []T) ([]string, error) {
	expires := k.Report.Started.Add(keepRows)
	if !k.Span.standing() {
		expires = k.Report.Started.Add(ledger.Keep)
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
		if err := k.Ledger.SavePart(k.ctx, k.part.Tenant, name, expires, part); err != nil {
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
	sales, err := write(k, k.readSales)
	if err != nil {
		return err
	}
	orders, err := write(k, k.readOrders)
	k.Sales, k.Orders = append(k.Sales, sales...), append(k.Orders, orders...)
	k.readSales, k.readOrders = nil, nil
	return err
}

// run goes on with the check until it ends. An error leaves it as it was saved last.
func (k *checking) run() error {
	for {
		var err error
		switch k.Phase {
		case listOrders:
			err = k.ordersPage()
		case listSales:
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
			return k.finish(fmt.Sprintf("The period has more than %s approved orders. Ask for a shorter one.",
				prose.Count(maxCompared)))
		}
		k.Failures = 0
		if err := k.save(); err != nil {
			return err
		}
	}
}

// askUpstock and askCore make one call of the second class, if there is time for it.
func (k *checking) askUpstock(f func(*upstock.Client) error) error {
	return k.ask(&k.Report.Counts.UpstockCalls, func() error { return f(k.Upstock(k.up, k.key, false)) })
}

func (k *checking) askCore(f func(*cin7core.Client) error) error {
	key, err := k.Secrets(k.ctx, k.core)
	if err != nil {
		return err
	}
	return k.ask(&k.Report.Counts.Cin7Calls, func() error { return f(k.Cin7Core(k.core, key, false)) })
}

func (k *checking) ask(calls *int, call func() error) error {
	if err := k.part.Short(k.ctx); err != nil {
		return &broken{err}
	}
	err := call()
	if kind := rest.KindOf(err); kind != rest.Waiting && kind != rest.NotSent {
		*calls++
	}
	if err != nil {
		return &broken{err}
	}
	return nil
}

// finish adds the strangers, writes the report and ends the check; problem is why there are no more than these words.
func (k *checking) finish(problem string) error {
	if problem == "" {
		if err := k.strangers(); err != nil {
			return err
		}
		k.Report.Checked = k.Now().UTC()
	} else {
		k.Report = Report{Accounts: k.Accounts, From: k.Report.From, To: k.Report.To, Standing: k.Report.Standing,
			Started: k.Report.Started, Problem: problem}
	}
	var old Report
	rev, err := k.Ledger.Doc(k.ctx, k.part.Tenant, k.Span.doc(), &old)
	if err != nil {
		return err
	}
	if old.Started.After(k.Report.Started) {
		return ledger.ErrBehind
	}
	if k.Report.Standing {
		k.Report.keepEarlier(old, k.part.Bundle.Tenant.Zone())
	}
	if _, err := k.Ledger.SaveDoc(k.ctx, k.part.Tenant, k.Span.doc(), rev, k.Report); err != nil {
		return err
	}
	done := askedSpan{k.Span, k.Asked}
	k.check = check{}
	if err := k.save(); err != nil {
		return err
	}
	return k.changeAsked(k.ctx, k.part.Tenant, func(a *asked) error {
		a.Spans = slices.DeleteFunc(a.Spans, func(o askedSpan) bool { return o.same(done.span) && o.At.Equal(done.At) })
		return nil
	})
}
