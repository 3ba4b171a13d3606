package upstockcin7

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
)

// A run belongs to its supplier, and once a sale was begun to its Cin7 Core
// account: a tenant may take a connection away and connect another company's.
// What is asked of the far sides for a run goes by the run's own supplier, and
// work goes on only while that one is connected.

// supplier is one Upstock supplier of a tenant.
type supplier struct {
	tenant string
	id     string // Upstock's
	first  string // whose orders go by Upstock's ids alone; "" = it is not known whose those of earlier versions are
	// since: runs without a supplier that were taken in later are this one's;
	// zero = that has to be read from each.
	since time.Time
}

// supplierAt is the supplier of a connection. One that was made before suppliers
// were noted goes on with Upstock's ids alone, as it has done.
func supplierAt(c tenant.Connection) supplier {
	s := supplier{tenant: c.Tenant, id: c.Account, first: c.First}
	if c.First == "" {
		s.first, s.since = c.Account, c.Since.Add(job.FarAhead)
	}
	return s
}

// key is an id of the supplier's in Upstock as it stands in our keys, an order's
// or a customer's: the ids of two suppliers may be equal.
func (s supplier) key(id string) string { return order.RunID(s.id, s.first, id) }

// noFirst is in the place of a tenant's first supplier where its orders do not say who that was.
const noFirst = "unknown"

// ownSupplier is the supplier whose order a run is; "" = nothing of it says so.
// plan and body are as Load gave them.
func (p *Pair) ownSupplier(ctx context.Context, r *order.Order, plan, body []byte) (string, error) {
	if r.Supplier != "" {
		return r.Supplier, nil
	}
	var frozen struct {
		Header struct{ ExternalID string } `json:"header"`
	}
	if json.Unmarshal(plan, &frozen) == nil {
		if id, order, ok := sale.ParseExternalID(frozen.Header.ExternalID); ok && order == r.OrderID() {
			return id, nil
		}
	}
	if r.Has("fresh") { // what Upstock was asked for has no envelope
		var err error
		if body, err = p.Orders.Received(ctx, r); err != nil {
			return "", err
		}
	}
	if e, err := upstock.ParseEvent(body); err == nil && e.SupplierID > 0 {
		return strconv.FormatInt(e.SupplierID, 10), nil
	}
	return "", nil
}

// owns reports whether a run, found under Upstock's id alone, may be one of the
// supplier's orders. It is read whole, once, where it does not say whose it is;
// a run of which nobody can say is taken for every supplier's, so that there is
// no second one beside it.
func (p *Pair) owns(ctx context.Context, s supplier, r *order.Order) (bool, error) {
	if r.Supplier == "" && !s.since.IsZero() && r.Received.After(s.since) {
		return true, nil
	}
	own, err := p.supplierOf(ctx, r)
	return own == "" || own == s.id, err
}

// supplierOf is the supplier whose order a run is, and notes it in the run; "" =
// nobody can say.
func (p *Pair) supplierOf(ctx context.Context, r *order.Order) (string, error) {
	if r.Supplier != "" {
		return r.Supplier, nil
	}
	whole, body, plan, err := p.Orders.Load(ctx, r.Tenant, r.ID)
	if err != nil {
		return "", err
	}
	own, err := p.ownSupplier(ctx, whole, plan, body)
	if own == "" || err != nil {
		return "", err
	}
	err = p.Orders.Update(ctx, r, func(r *order.Order, _ *ledger.Extra) error { r.Supplier = own; return nil })
	return own, err
}

// orders finds the runs of a supplier's orders, by Upstock's ids.
func (p *Pair) orders(ctx context.Context, s supplier, ids []string) (map[string]*order.Order, error) {
	found := map[string]*order.Order{}
	alone, err := p.Orders.GetRuns(ctx, s.tenant, ids)
	if err != nil {
		return nil, err
	}
	var rest, keys []string
	for _, id := range ids {
		if r := alone[id]; r != nil {
			ours, err := p.owns(ctx, s, r)
			if err != nil {
				return nil, err
			}
			if ours {
				found[id] = r
				continue
			}
		} else if s.id == s.first {
			continue
		}
		rest, keys = append(rest, id), append(keys, s.id+":"+id)
	}
	named, err := p.Orders.GetRuns(ctx, s.tenant, keys)
	if err != nil {
		return nil, err
	}
	for i, id := range rest {
		if r := named[keys[i]]; r != nil {
			found[id] = r
		}
	}
	return found, nil
}

// writeDown writes a new run of a supplier's order down, with the order as it
// came. ledger.ErrExists, and the run that is there, where it is here already.
func (p *Pair) writeDown(ctx context.Context, s supplier, r *order.Order, body []byte) (*order.Order, error) {
	order := r.ID
	r.Supplier = s.id
	if r.ID = s.key(order); r.ID != order { // an earlier version may have written it under Upstock's id alone
		found, err := p.orders(ctx, s, []string{order})
		if err != nil {
			return nil, err
		}
		if old := found[order]; old != nil {
			return old, ledger.ErrExists
		}
		return p.Orders.Receive(ctx, r, body)
	}
	old, err := p.Orders.Receive(ctx, r, body)
	if !errors.Is(err, ledger.ErrExists) {
		return old, err
	}
	ours, oerr := p.owns(ctx, s, old)
	switch {
	case oerr != nil:
		return nil, oerr
	case ours:
		return old, err
	}
	r.ID = s.id + ":" + order // of another supplier, and the same id
	return p.Orders.Receive(ctx, r, body)
}

// firstRuns is how many of a tenant's runs are asked at most who its first supplier was.
const firstRuns = 200

// firstSupplier is the supplier whose orders go by Upstock's ids alone, as it is
// to be noted with a connection to one: the one that is noted, else the one that
// the runs of an earlier version are of, else this one.
func (p *Pair) firstSupplier(ctx context.Context, b tenant.Bundle, connecting string) (string, error) {
	if first := b.First[tenant.Upstock]; first != "" {
		return first, nil
	}
	var first *order.Order
	runs, after := 0, ""
	for runs < firstRuns {
		list, next, err := p.Orders.Runs(ctx, b.Tenant.ID, after, 100)
		if err != nil {
			return "", err
		}
		for _, r := range list {
			if runs++; first != nil && !r.Received.Before(first.Received) {
				continue
			}
			own, err := p.supplierOf(ctx, r)
			if err != nil {
				return "", err
			}
			if own != "" {
				first = r
			}
		}
		if after = next; next == "" {
			break
		}
	}
	switch {
	case first != nil:
		return first.Supplier, nil
	case runs > 0:
		return noFirst, nil
	}
	return connecting, nil
}

// companyName is how people know a supplier that is or was connected.
func companyName(b tenant.Bundle, supplier string) string {
	name := accountName(b, tenant.Upstock, supplier)
	if name == "" {
		return "the Upstock supplier " + supplier
	}
	return name + " (Upstock supplier " + supplier + ")"
}

// accountName is the name of an account that is or was connected; "" = not known.
func accountName(b tenant.Bundle, sys tenant.System, account string) (name string) {
	if c := b.Connections[sys]; c.Account == account {
		name = c.Name
	}
	for _, f := range b.Former {
		if f.System == sys && f.Account == account {
			name = cmp.Or(name, f.Name)
		}
	}
	return name
}

// coreName is how people know a Cin7 Core account that is or was connected.
func coreName(b tenant.Bundle, account string) string {
	if name := accountName(b, tenant.Cin7Core, account); name != "" {
		return "the Cin7 Core account of " + name
	}
	return "the Cin7 Core account " + account
}

// formerCores names the Cin7 Core accounts that were connected before; "" = none.
func (w *work) formerCores() string {
	var names []string
	for _, f := range w.b.Former {
		if f.System == tenant.Cin7Core && f.Account != w.core.Account {
			names = append(names, coreName(w.b, f.Account))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return ", and in what was connected before: " + strings.Join(names, ", ")
}

// begunThere names what is known of a sale that was begun.
func begunThere(r *order.Order) string {
	if sales := salesNamed(r); sales != "" {
		return " Its sale is " + sales + "."
	}
	return ""
}

// suppliers are all that the tenant has or had connected, the connected one first.
func suppliers(b tenant.Bundle) []supplier {
	c := b.Connections[tenant.Upstock]
	list := []supplier{supplierAt(c)}
	add := func(id string) {
		if id != "" && id != noFirst && !slices.ContainsFunc(list, func(s supplier) bool { return s.id == id }) {
			first := cmp.Or(c.First, b.First[tenant.Upstock], c.Account)
			list = append(list, supplier{tenant: b.Tenant.ID, id: id, first: first})
		}
	}
	add(b.First[tenant.Upstock])
	for _, f := range b.Former {
		if f.System == tenant.Upstock {
			add(f.Account)
		}
	}
	return list
}

// Awaiting counts the orders, at most so many, that wait for their own account to
// be connected again.
func (p *Pair) Awaiting(ctx context.Context, b tenant.Bundle, most int) (n int, err error) {
	var accounts []string
	for _, s := range suppliers(b) {
		accounts = append(accounts, ledger.Awaited(tenant.Upstock, s.id))
	}
	for _, f := range b.Former {
		if f.System == tenant.Cin7Core {
			accounts = append(accounts, ledger.Awaited(f.System, f.Account))
		}
	}
	for _, account := range accounts {
		if err := p.Orders.AwaitedRuns(ctx, b.Tenant.ID, account,
			func(ledger.Ref) bool { n++; return n < most }); n >= most || err != nil {
			return n, err
		}
	}
	return n, nil
}

// OtherCompany says that an order is of another company than the one connected.
type OtherCompany struct {
	Own, Connected string // as people know them
}

func (e *OtherCompany) Error() string {
	return "This order is of " + e.Own + ", and " + e.Connected +
		" is connected now. Nothing is done with it meanwhile: connect " + e.Own + " again, and it goes on."
}

// otherCompany is the error where a run's supplier is not the connected one; nil
// where it is, or where none is connected.
func otherCompany(b tenant.Bundle, own string) *OtherCompany {
	c, ok := b.Connections[tenant.Upstock]
	if !ok || own == "" || own == c.Account {
		return nil
	}
	return &OtherCompany{companyName(b, own), companyName(b, c.Account)}
}

// OfConnected makes sure that a run is not of another company than the one
// connected (*OtherCompany).
func (p *Pair) OfConnected(ctx context.Context, b tenant.Bundle, r *order.Order) error {
	own, err := p.supplierOf(ctx, r)
	if err != nil {
		return err
	}
	if other := otherCompany(b, own); other != nil {
		return other
	}
	return nil
}

// belongs makes sure that the order's own supplier is the connected one, and that
// its sale was begun in no other Cin7 Core account, where it may stand. Another
// company's order waits, however long, and is never sold into this one's books.
func (w *work) belongs() error {
	if w.preview {
		return nil
	}
	var err error
	if w.own, err = w.ownSupplier(w.ctx, w.run, w.planData, w.doc.body); err != nil {
		return err
	}
	if w.own == "" && settled(w.run) {
		w.own = w.up.Account
	}
	if other := otherCompany(w.b, w.own); other != nil {
		return &ledger.Park{Needs: tenant.Upstock, Why: other.Error(), Awaits: ledger.Awaited(tenant.Upstock, w.own)}
	}
	if w.own == "" {
		return problem("supplierUnknown",
			"It is not on record of which Upstock supplier this order is: it was taken in before that was noted, and "+
				"nothing was sold yet.",
			"Look whether it is one of "+companyName(w.b, w.up.Account)+
				". If it is, retry; else enter it in the right Cin7 Core account by hand.")
	}
	if !w.soldElsewhere() || !w.run.SoldAt.IsZero() {
		return nil
	}
	if w.run.State == order.Cancelled { // what is left is to look for a twin
		return w.awaitAccount()
	}
	if !w.run.Cancelled.IsZero() {
		return problem("accountChanged",
			fmt.Sprintf("Upstock delivered a cancellation of this order, which was started in another Cin7 Core "+
				"account than the one connected now: %s.%s", coreName(w.b, w.run.Account), begunThere(w.run)),
			"Look for its sale there, and void it if it should not be delivered. Or connect that account "+
				"again and retry.")
	}
	return problem("accountChanged", "The order was started in another Cin7 Core account than the one connected now.",
		"Look for its sale in the old account. Then connect that account again and retry, or retry with a new sale.")
}
