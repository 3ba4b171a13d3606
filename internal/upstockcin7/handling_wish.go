package upstockcin7

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/ledger"
	"stockbridge/internal/match"
	"stockbridge/internal/prose"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/reference"
	"stockbridge/internal/vendor"
)

// HandlingWish is what a person wants done with the goods of an order's sale.
type HandlingWish struct {
	To       ledger.Step       // as far as this: picked, packed or shipped, with what is left to do before it
	Carrier  string            // to be shipped: by whom
	Tracking map[string]string // to be shipped: the tracking numbers, by box
	Seen     string            // HandlingPlan.Seen of what the person was shown; "" = they were shown nothing
}

// HandlingError says why nothing is done with the goods of an order's sale.
type HandlingError struct{ Why string }

func (e *HandlingError) Error() string { return e.Why }

// PlanHandling reads the sale of an order and says what Handle would do now.
func (p *Pair) PlanHandling(
	ctx context.Context, b tenant.Bundle, id string, to ledger.Step,
) (plan HandlingPlan, err error) {
	r, err := p.Orders.Get(ctx, b.Tenant.ID, id)
	if err != nil {
		return plan, err
	}
	return p.planOf(ctx, b, r, to)
}

func (p *Pair) planOf(ctx context.Context, b tenant.Bundle, r *order.Order, to ledger.Step) (HandlingPlan, error) {
	plan := HandlingPlan{Sale: r.SaleNumber}
	if err := p.OfConnected(ctx, b, r); err != nil {
		return plan, err
	}
	switch h, why := r.Handling, cannotHandle(b, r, to); {
	case h != nil:
		plan.Why = underWayAs(h)
	case why != "":
		plan.Why = why
	case b.Lack(Systems()...) != nil: // Upstock is asked whether the order is cancelled
		plan.Why = b.Lack(Systems()...).String()
	}
	if plan.Why != "" {
		return plan, nil
	}
	s, err := p.saleAsked(ctx, b, r.SaleID)
	if rest.KindOf(err) == rest.NotFound {
		plan.Why = "Cin7 Core does not have the sale any more."
		return plan, nil
	}
	if e, ok := errors.AsType[*vendor.ConnectError](err); ok {
		plan.Why = e.Problem.Message + " " + e.Problem.Fix
		return plan, nil
	}
	if err != nil {
		return plan, err
	}
	return planHandling(s, to), nil
}

// saleAsked reads a sale for a person. Errors: rest.NotFound, *vendor.ConnectError.
func (p *Pair) saleAsked(ctx context.Context, b tenant.Bundle, id string) (s cin7core.Sale, err error) {
	client, err := p.asking(ctx, b)
	if err != nil {
		return s, err
	}
	s, err = client.Sale(ctx, id)
	if err != nil && rest.KindOf(err) != rest.NotFound {
		err = p.unanswered(ctx, b, err, "it is not known what would be done")
	}
	return s, err
}

// Carriers are those of the tenant's Cin7 Core account, as the mirror has them.
func (p *Pair) Carriers(b tenant.Bundle) (list []string, err error) {
	if unread(b) != "" {
		return nil, nil
	}
	books, err := reference.ReadBooks(b.Books)
	for _, c := range books.Carriers {
		if name := strings.TrimSpace(c.Description); name != "" {
			list = append(list, name)
		}
	}
	slices.SortFunc(list, func(a, b string) int {
		return cmp.Or(cmp.Compare(match.Fold(a), match.Fold(b)), cmp.Compare(a, b))
	})
	return slices.Compact(list), err
}

// underWayAs says what is being done with the goods of an order's sale.
func underWayAs(h *order.Handling) string {
	return "The sale's goods are being " + wordsOf(h.To()).done + ", as " + h.By + " asked for."
}

// handlingEvent is the kind of the events that tell who asked for goods to be picked, packed or shipped.
const handlingEvent = "handling"

// errAsked ends a change that need not be made: the same is asked for already.
var errAsked = errors.New("asked for already")

// Handle has the goods of an order's sale picked, packed or shipped in Cin7 Core, soon after. Who wants it is in the
// context (ledger.WithActor). Asked for again while it is under way, nothing changes.
// Errors: *HandlingError, *OtherCompany, tenant.FieldErrors, ledger.ErrNotFound.
func (p *Pair) Handle(ctx context.Context, b tenant.Bundle, id string, wish HandlingWish) error {
	r, err := p.Orders.Get(ctx, b.Tenant.ID, id)
	if err != nil {
		return err
	}
	h, err := p.handling(ctx, b, r, wish)
	if err != nil {
		return asked(err)
	}
	h.By, h.At = prose.Within(cmp.Or(ledger.ActorOf(ctx), "a person"), 100), p.Now().UTC()
	err = p.Orders.Update(ctx, r, func(r *order.Order, x *ledger.Extra) error {
		if r.Handling != nil {
			return wish.again(r.Handling)
		}
		if why := cannotHandle(b, r, wish.To); why != "" {
			return &HandlingError{why}
		}
		if r.SaleID != h.Sale {
			return &HandlingError{otherSale}
		}
		startHandling(r, h)
		op, err := ledger.RecordOp(ctx, b.Tenant.ID, ledger.Event{Kind: handlingEvent, Order: id,
			Text: "The goods of the sale " + r.SaleNumber + " were asked to be " + wordsOf(wish.To).done + "."})
		x.Add(op)
		return err
	})
	if err != nil {
		return asked(err)
	}
	return p.Wake(ctx, ledger.Pointer{Tenant: b.Tenant.ID, ID: r.ID, Origin: ledger.OriginRetry}, 0)
}

// asked is an error, but where the same is asked for already.
func asked(err error) error {
	if errors.Is(err, errAsked) {
		return nil
	}
	return err
}

// handling is a wish as it is put down, with what the order's sale shows now.
func (p *Pair) handling(
	ctx context.Context, b tenant.Bundle, r *order.Order, wish HandlingWish,
) (h order.Handling, err error) {
	if r.Handling != nil {
		return h, wish.again(r.Handling)
	}
	plan, err := p.planOf(ctx, b, r, wish.To)
	if err != nil {
		return h, err
	}
	h, err = wish.of(plan, p.today(b))
	h.Sale = r.SaleID
	return h, err
}

// again is how a wish ends that finds another under way: errAsked where that is the same.
func (wish HandlingWish) again(h *order.Handling) error {
	if wish.To == h.To() && wish.Carrier == h.Carrier && maps.Equal(wish.Tracking, h.Tracking) {
		return errAsked
	}
	return &HandlingError{underWayAs(h)}
}

// of is the wish as it is put down, where a plan can be carried out.
func (wish HandlingWish) of(plan HandlingPlan, day time.Time) (h order.Handling, err error) {
	switch {
	case plan.Why != "":
		return h, &HandlingError{plan.Why}
	case wish.Seen != "" && wish.Seen != plan.Seen():
		return h, &HandlingError{"The sale was changed in Cin7 Core since it was shown. Look what would be done now."}
	}
	h = order.Handling{Steps: plan.Steps, Goods: plan.digest()}
	if wish.To != order.StepShip {
		return h, nil
	}
	for _, box := range slices.Sorted(maps.Keys(wish.Tracking)) {
		if !slices.Contains(plan.Boxes, box) {
			return h, tenant.FieldErrors{{Field: "tracking", Message: "The sale has no box " + prose.Quote(box) +
				". It has: " + strings.Join(plan.Boxes, ", ") + "."}}
		}
	}
	h.Carrier, h.Tracking, h.Day = wish.Carrier, maps.Clone(wish.Tracking), day
	return h, nil
}

// today is the date in a tenant's Cin7 Core account, as a date is written there.
func (p *Pair) today(b tenant.Bundle) time.Time {
	zone, err := time.LoadLocation(b.Connections[tenant.Cin7Core].TimeZone)
	if err != nil {
		zone = time.UTC
	}
	y, m, d := p.Now().In(zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// startHandling puts a wish down in an order, to be worked on at once, or when its lease ends.
func startHandling(r *order.Order, h order.Handling) {
	h.After = r.Last()
	r.Handling = &h
	for _, step := range order.HandlingSteps() {
		withoutProblem(r, order.NotHandled(step))
	}
	r.Note(h.At, "%s wants the goods of the sale %s to be %s in Cin7 Core.", h.By, r.SaleNumber, wordsOf(h.To()).done)
	r.Failures, r.Failing, r.Dead, r.Parked, r.Why = 0, time.Time{}, 0, false, ""
	if r.Next = r.Lease.Until; !r.Next.After(h.At) {
		r.Next = h.At
	}
}
