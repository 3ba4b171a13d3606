package upstockcin7

import (
	"cmp"
	"context"
	"slices"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
)

// A problem that the account's records decide heals by itself: a customer is taken off credit hold, a product or a tax
// rule is added. After each reading of the records, the orders that need a person for such problems alone are planned
// from them, without a call and without a write; those that nothing stands against any more go on, oldest first. They
// are work of the sweep's as any other that is tried again, and so within the share of the account's calls that is for
// it: new orders go first. What a person must decide is left alone.

// healing is how far a pass over the orders that need a person is, where its time did not suffice.
type healing struct {
	Read  time.Time `json:"read"`  // when the records were read that it stands on
	After string    `json:"after"` // the last order that was looked at
}

const healingDoc = "healing"

// healAtOnce is how many orders are looked at between two looks at the clock.
const healAtOnce = 10

// goesOn reports whether the pass goes on over the records as they are now.
func (h healing) goesOn(b tenant.Bundle) bool {
	return h.After != "" && h.Read.Equal(MirrorOf(b).Ready)
}

// heal has orders go on of which nothing needs a person any more, oldest first.
func (p *Pair) heal(ctx context.Context, part *job.Part, from healing) error {
	ids, err := p.stuck(ctx, part.Tenant, from.After)
	if err != nil {
		return err
	}
	n, after := 0, from.After
	for some := range slices.Chunk(ids, healAtOnce) {
		if part.Short(ctx) != nil {
			break
		}
		more, herr := p.healSome(ctx, part.Bundle, some, n)
		n, after, err = n+more, some[len(some)-1], herr
		if err != nil {
			break
		}
	}
	if n > 0 { // those before an error too
		text := "Orders go on by themselves, as what they needed a person for is put right: " + prose.Count(n) + "."
		err = cmp.Or(err, p.Ledger.Record(ctx, part.Tenant, ledger.Event{Kind: "healed", Text: text, Count: n}))
	}
	if err != nil {
		return err
	}
	through := len(ids) == 0 || after == ids[len(ids)-1]
	err = p.keepPlace(ctx, part, healing{MirrorOf(part.Bundle).Ready, after}, through)
	if err != nil || !through {
		return err
	}
	return p.keepPassed(ctx, part.Bundle)
}

// keepPassed writes down that a whole pass stood on the records as they are now.
func (p *Pair) keepPassed(ctx context.Context, b tenant.Bundle) error {
	ready := MirrorOf(b).Ready
	_, err := ledger.ChangeDoc(ctx, p.Ledger, b.Tenant.ID, driftDoc, func(d *drift) (bool, error) {
		changed := !d.Ready.Equal(ready)
		d.Ready = ready
		return changed, nil
	})
	return err
}

// passed reports whether a whole pass stood on the records as they are now.
func (p *Pair) passed(ctx context.Context, b tenant.Bundle) (bool, error) {
	var d drift
	_, err := p.Ledger.Doc(ctx, b.Tenant.ID, driftDoc, &d)
	return err == nil && d.Account == b.Connections[tenant.Cin7Core].Account &&
		d.Ready.Equal(MirrorOf(b).Ready), err
}

// keepPlace writes down how far a pass is that has no more time, and has it come back; of one that is through nothing
// is kept.
func (p *Pair) keepPlace(ctx context.Context, part *job.Part, at healing, through bool) error {
	if through {
		at = healing{}
	}
	if _, err := ledger.ChangeDoc(ctx, p.Ledger, part.Tenant, healingDoc, func(h *healing) (bool, error) {
		changed := *h != at
		*h = at
		return changed, nil
	}); err != nil || through {
		return err
	}
	return part.Again(ctx, part.Times().Soon)
}

// wakenAtOnce is how many orders that go on are woken before the next sweep.
const wakenAtOnce = 20

// stuck are the orders that need a person, oldest first, those after one.
func (p *Pair) stuck(ctx context.Context, tenantID, after string) (ids []string, err error) {
	older := func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }
	err = p.Orders.NeedAttention(ctx, tenantID, func(ref ledger.Ref) bool {
		if after == "" || older(ref.ID, after) > 0 {
			ids = append(ids, ref.ID)
		}
		return true
	})
	slices.SortFunc(ids, older)
	return ids, err
}

// healSome has those of some orders go on that nothing stands against any more, and says how many. The first of all are
// woken, as far apart as their calls' budget has them: so many went before. Sweeps wake the rest. What cannot be read
// or planned is passed over, and keeps nobody else: only the end of ctx is an error.
func (p *Pair) healSome(ctx context.Context, b tenant.Bundle, ids []string, before int) (healed int, err error) {
	runs, err := p.Orders.GetRuns(ctx, b.Tenant.ID, ids)
	if err != nil {
		p.Log.Warn("orders that need a person are passed over", "tenant", b.Tenant.ID, "from", ids[0],
			"error", err.Error())
		return 0, ctx.Err()
	}
	for _, id := range ids {
		r := runs[id]
		if r == nil || !mayHeal(r, b) {
			continue
		}
		went, err := p.healOne(ctx, b, r)
		if err != nil {
			p.Log.Warn("an order that needs a person is passed over", "tenant", b.Tenant.ID, "order", id,
				"error", err.Error())
		}
		if ctx.Err() != nil {
			return healed, ctx.Err()
		}
		if !went {
			continue
		}
		if n := before + healed; n < wakenAtOnce {
			p.marks.WakeSoon(ctx, r, p.Pace()*time.Duration(n*CallsOf(r)))
		}
		healed++
	}
	return healed, nil
}

// healOne has an order go on that nothing stands against any more, and reports whether it does. One that came back with
// the very problems that it went on without is left alone until something stands against it here too: Cin7 Core knows
// what its records do not show.
func (p *Pair) healOne(ctx context.Context, b tenant.Bundle, r *order.Order) (bool, error) {
	free, err := p.nothingStands(ctx, b, r.ID)
	switch {
	case err != nil || free && r.CameBack():
		return false, err
	case !free:
		return false, p.marks.StandsHere(ctx, r)
	}
	return p.marks.PutRight(ctx, r)
}

// mayHeal reports whether an order needs a person for what the account's records decide, and for nothing else.
func mayHeal(r *order.Order, b tenant.Bundle) bool {
	account := b.Connections[tenant.Cin7Core].Account
	return r.Rejected() && r.Supplier == b.Connections[tenant.Upstock].Account &&
		(r.Account == "" || r.Account == account) &&
		!slices.ContainsFunc(r.Problems, func(p ledger.Problem) bool {
			return !sale.OfRecords(p.Code) && p.Code != orderPrice
		})
}

// nothingStands plans an order from the mirror alone, and reports whether it can be sold.
func (p *Pair) nothingStands(ctx context.Context, b tenant.Bundle, id string) (bool, error) {
	r, body, _, err := p.Orders.Load(ctx, b.Tenant.ID, id)
	if err != nil {
		return false, err
	}
	w := &work{Pair: p, ctx: ctx, run: r, b: b, preview: true, own: r.Supplier}
	doc := documentOf(body)
	d, err := w.draftPlan(doc)
	if err != nil || len(d.problems) > 0 {
		return false, err
	}
	return w.pricesStand(doc, d.Plan)
}
