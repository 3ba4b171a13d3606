package upstockcin7

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
)

// RetryOptions are a person's wishes for a retry.
type RetryOptions struct {
	NewSale bool     `json:"newSale"` // sell anew although the sale of this order was voided
	Beside  []string `json:"beside"`  // numbers of other sales with its reference and customer, which stay
	// OrderPrices: it is sold at the order's prices, though the customer's in Cin7 Core are others.
	OrderPrices bool   `json:"orderPrices"`
	Held        string `json:"-"` // OrderPrices: HeldForPrices as the person saw it; "" = as it is
	// Stuck is for a button that only an order has that needs somebody or waits: pressed twice, it is done once.
	Stuck bool `json:"-"`

	prices string // OrderPrices: the hash of those that the order was held for
}

// ErrNothingToRetry says that an order needs no retry.
var ErrNothingToRetry = errors.New("nothing to retry")

// Retry lets an order that needs attention, or waits, go on now. While no
// sale exists and no create is unanswered, the order is read again from Upstock.
// A new sale is wished for where all the order's sales are voided, one that was sold included.
// Errors: ErrNothingToRetry, ledger.ErrNotFound, *StandingError.
func (p *Pair) Retry(ctx context.Context, tenantID, id string, o RetryOptions) error {
	text := "An order was retried."
	if o.NewSale {
		text = "An order was retried, with a new sale."
	}
	if o.OrderPrices {
		text = strings.TrimSuffix(text, ".") + ", to be sold at the order's prices."
	}
	return p.retry(ctx, tenantID, id, o, ledger.Event{Kind: retryEvent, Order: id, Text: text})
}

// retryEvent is the kind of the events that tell who retried what.
const retryEvent = "retry"

// retry is Retry. The event tells of it, and is written with it; without a text none is.
func (p *Pair) retry(ctx context.Context, tenantID, id string, o RetryOptions, e ledger.Event) error {
	r, b, err := p.retried(ctx, tenantID, id, o)
	if err != nil {
		return err
	}
	if o.OrderPrices {
		if o.prices, err = p.pricesHeld(ctx, tenantID, r.ID); err != nil {
			return err
		}
	}
	now := p.Now().UTC()
	who := prose.Within(cmp.Or(ledger.ActorOf(ctx), "a person"), 100)
	err = p.Orders.Update(ctx, r, func(r *order.Order, x *ledger.Extra) error {
		if err := o.into(r, b, who, now); err != nil || e.Text == "" {
			return err
		}
		op, err := ledger.RecordOp(ctx, tenantID, e)
		x.Add(op)
		return err
	})
	if err != nil {
		return err
	}
	return p.Wake(ctx, ledger.Pointer{Tenant: tenantID, ID: r.ID, Origin: ledger.OriginRetry}, 0)
}

// retried reads an order that a person wants to go on, and its tenant; an error says what stands against that.
func (p *Pair) retried(
	ctx context.Context, tenantID, id string, o RetryOptions,
) (r *order.Order, b tenant.Bundle, err error) {
	if r, err = p.Orders.Get(ctx, tenantID, id); err != nil {
		return nil, b, err
	}
	if _, err := strconv.ParseInt(r.OrderID(), 10, 64); err != nil {
		return nil, b, ErrNothingToRetry
	}
	if b, err = p.Tenants.Load(ctx, tenantID); err != nil {
		return nil, b, err
	}
	own, err := p.supplierOf(ctx, r)
	if err != nil {
		return nil, b, err
	}
	if other := otherCompany(b, own); other != nil {
		return nil, b, other
	}
	if o.NewSale && r.Cancelled.IsZero() {
		err = p.salesStanding(ctx, b, r.ID, own, o.Beside)
	}
	return r, b, err
}

// into puts down in an order that it is to go on now, as somebody wishes.
func (o RetryOptions) into(r *order.Order, b tenant.Bundle, who string, now time.Time) error {
	account, sold := b.Connections[tenant.Cin7Core].Account, !r.SoldAt.IsZero()
	// its sale was voided, though nobody may have looked yet
	again := o.NewSale && sold && r.Cancelled.IsZero() && r.Account == account
	stuck := r.State == ledger.Attention || r.State == ledger.Waiting
	if held := HeldForPrices(r); o.OrderPrices && (held == "" || o.Held != "" && o.Held != held) {
		return ErrNothingToRetry
	}
	if !again && nothingToRetry(r) || o.Stuck && !stuck {
		return ErrNothingToRetry
	}
	if r.CancelOpen() { // what Upstock said so far counts on
		r.Unsettled, r.Ask = now, now
	}
	if sold && (r.State == ledger.Attention || again) {
		readAnew(r, sale.SettingsOf(b.Settings))
	}
	o.note(r, account, who, now)
	if r.Supplier == "" { // nothing says whose order it is, and a person says that it is of the connected one
		r.Supplier = b.Connections[tenant.Upstock].Account
	}
	r.Without = ""
	startOver(r, now)
	return nil
}

// nothingToRetry reports whether an order is over, or goes on by itself.
func nothingToRetry(r *order.Order) bool {
	resting := r.State != ledger.Attention && r.Next.IsZero() && !r.Parked
	return r.Finished() || r.State == order.Cancelled || !r.SoldAt.IsZero() && resting
}

// note puts down in an order who wishes what. account is the one that is connected.
func (o RetryOptions) note(r *order.Order, account, who string, now time.Time) {
	if o.OrderPrices {
		r.AtPrices = o.prices
		r.Note(now, "%s wants it sold at the order's prices.", who)
	}
	if !o.NewSale {
		r.Note(now, "Retried by %s.", who)
		return
	}
	r.NewSale, r.Beside = true, o.Beside
	if r.Account != account && r.SoldAt.IsZero() { // what was begun there counts no more
		r.Account = ""
	}
	r.Note(now, "Retried by %s, who wants a new sale.", who)
}

// startOver has an order worked on at once, or when its lease ends, as if nothing had failed before.
func startOver(r *order.Order, now time.Time) {
	r.Wishes, r.Granted = r.Wishes+1, r.Last()
	r.Failures, r.Failing, r.Dead, r.Parked, r.Why = 0, time.Time{}, 0, false, ""
	r.Replan = false
	r.Reread = r.SoldAt.IsZero() && r.NothingMade()
	if r.SoldAt.IsZero() {
		r.State = ledger.Working
	}
	if r.Next = r.Lease.Until; !r.Next.After(now) {
		r.Next = now
	}
}

// readAnew takes a person's note of what a sold order needs attention for, and
// asks for a reading of how its sale stands now.
func readAnew(r *order.Order, s sale.Settings) {
	for i := range r.Parcels {
		r.Parcels[i].Known = r.Parcels[i].Gone
	}
	r.TellRefused()
	if r.Void = false; !r.Cancelled.IsZero() && !r.CancelOpen() {
		cancelSold(r, s)
	}
	r.Problems = slices.DeleteFunc(r.Problems, func(p ledger.Problem) bool {
		return !order.IsLost(p.Code) && (p.Code != order.CancelUnclear || !r.CancelOpen())
	})
	r.Asked++
}

// RetryAll retries the orders of a tenant that need attention, all or those of which, but for those that a person must
// decide to sell at all. It says how many.
func (p *Pair) RetryAll(ctx context.Context, tenantID string, which func(*order.Order) bool) (int, error) {
	ids, err := p.inAttention(ctx, tenantID)
	if err != nil {
		return 0, err
	}
	return p.retryMany(ctx, tenantID, ids, which)
}

// RetryThese retries those of some orders of a tenant that need attention or wait, but for those that a person must
// decide to sell at all. It says how many.
func (p *Pair) RetryThese(ctx context.Context, tenantID string, ids []string) (int, error) {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	return p.retryMany(ctx, tenantID, ids, nil)
}

// RetriedTogether reports whether an order may be retried with others: it needs somebody or waits, and nobody has to
// decide whether it is sold at all.
func RetriedTogether(r *order.Order) bool {
	return (r.State == ledger.Attention || r.State == ledger.Waiting) && !slices.ContainsFunc(r.Problems, DecidedAlone)
}

// retryMany retries those of some orders that are meant and can be retried together, and tells of it.
func (p *Pair) retryMany(
	ctx context.Context, tenantID string, ids []string, which func(*order.Order) bool,
) (int, error) {
	runs, err := p.Orders.GetRuns(ctx, tenantID, ids)
	if err != nil {
		return 0, err
	}
	n, err := p.retryEach(ctx, tenantID, ids, func(id string) bool {
		r := runs[id]
		return r != nil && (which == nil || which(r)) && RetriedTogether(r)
	})
	if n == 0 {
		return 0, err
	}
	text := prose.Count(n) + " orders were retried." // those before an error too
	if n == 1 {
		text = "1 order was retried."
	}
	said := p.Ledger.Record(ctx, tenantID, ledger.Event{Kind: retryEvent, Text: text})
	return n, cmp.Or(err, said)
}

// inAttention are the orders of a tenant that need attention and that nobody works on now. Those that look for a twin
// later by themselves, or are parked, are listed by their state alone.
func (p *Pair) inAttention(ctx context.Context, tenantID string) (ids []string, err error) {
	err = p.Orders.NeedAttention(ctx, tenantID, func(ref ledger.Ref) bool {
		ids = append(ids, ref.ID)
		return true
	})
	for after := ""; err == nil; {
		var list ledger.Listing[*order.Order]
		if list, err = p.Orders.InState(ctx, tenantID, ledger.Attention, after, 100); err != nil {
			break
		}
		for _, r := range list.Runs {
			if r.Parked || r.Next.After(p.Now()) && !r.Lease.Until.After(p.Now()) {
				ids = append(ids, r.ID)
			}
		}
		if after = list.Next; after == "" {
			break
		}
	}
	return ids, err
}

// retryEach retries those of the orders that are meant and that a retry is for, up to the first error. It says how
// many.
func (p *Pair) retryEach(ctx context.Context, tenantID string, ids []string, meant func(id string) bool) (int, error) {
	n := 0
	for _, id := range ids {
		if !meant(id) {
			continue
		}
		switch err := p.retry(ctx, tenantID, id, RetryOptions{Stuck: true}, ledger.Event{}); {
		case err == nil:
			n++
		case errors.As(err, new(*OtherCompany)):
		case !errors.Is(err, ErrNothingToRetry) && !errors.Is(err, ledger.ErrNotFound):
			return n, err
		}
	}
	return n, nil
}

// DecidedAlone reports whether a problem is that an order may not be for us to sell: a person decides that for each.
func DecidedAlone(p ledger.Problem) bool {
	return p.Code == alreadyShipped || p.Code == approvalUnknown
}

// Preview is what would happen to an order.
type Preview struct {
	Plan      sale.Plan        `json:"plan"`
	Problems  []ledger.Problem `json:"problems"`
	Unplanned bool             // it cannot be planned just now, for what Problems say
	// the address of the customer's card that the plan names; nil = it writes one out
	Card *cin7core.CustomerAddress
}

// Preview plans an order of a tenant with the settings that its bundle has, stored or not, or says what stands against
// it. Nothing is written to any vendor.
func (p *Pair) Preview(ctx context.Context, b tenant.Bundle, body json.RawMessage) (Preview, error) {
	tenantID := b.Tenant.ID
	w := &work{Pair: p, ctx: ctx, run: &order.Order{Run: ledger.Run{Tenant: tenantID}}, b: b}
	w.preview = true
	if err := w.connect(); err != nil {
		return Preview{Problems: []ledger.Problem{previewProblem(b, err)}, Unplanned: true}, nil
	}
	plan, problems, err := w.checkedPlan(documentOf(body))
	if err != nil && ledger.IsOutcome(err) { // a live read was refused, or must wait
		if b, lerr := p.Tenants.Load(ctx, tenantID); lerr == nil {
			return Preview{Problems: []ledger.Problem{previewProblem(b, err)}, Unplanned: true}, nil
		}
	}
	if err != nil {
		return Preview{}, err
	}
	card, err := p.cardAddress(ctx, tenantID, plan.CustomerID, plan.Header.ShippingAddress.ID)
	return Preview{Plan: plan, Problems: problems, Card: card}, err
}

// SaleURL is the page of a sale for people.
func SaleURL(id string) string {
	if id == "" {
		return ""
	}
	return cin7core.SaleURL(id)
}
