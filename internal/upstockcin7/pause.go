package upstockcin7

import (
	"context"
	"errors"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/order"
)

// A flow that a person has paused takes in everything and makes nothing outside. An order whose next act is of that
// flow is parked, as one that waits for a key is, and comes back by itself when the flow goes on: the first at once, a
// hundred more with each sweep. Whoever is at work on an order when its flow is paused ends that turn.

// FlowPaused says of a tenant's flow that it is paused, by whom and since when; "" = it is not.
func FlowPaused(b tenant.Bundle, f order.Flow) string {
	p, paused := b.Pauses[string(f)]
	if !paused {
		return ""
	}
	return pausedBy + p.By + " since " + b.Tenant.Clock(p.Since) + "."
}

// pausedBy begins what is said of a paused flow.
const pausedBy = "Paused by "

// paused parks the order if a flow is paused; nil = it is not.
func (w *work) paused(f order.Flow) error {
	if why := FlowPaused(w.b, f); why != "" && !w.preview {
		return &ledger.Park{Needs: tenant.Cin7Core, Awaits: f.Awaits(), Why: why}
	}
	return nil
}

// pausedAfter parks a settled order if what is to be done of it now is of a paused flow. What is to be done of its sale
// for the orders' flow comes first, and holds back its shipments too.
func (w *work) pausedAfter() error {
	r := w.run
	if askDue(r, w.Now()) || r.Void || watchDue(r, w.Now()) || r.TellDue(w.Now()) {
		return w.paused(order.OrdersFlow)
	}
	return nil
}

// PauseFlow pauses a flow of a tenant. Who does it is in the context (ledger.WithActor).
func (p *Pair) PauseFlow(ctx context.Context, tenantID string, f order.Flow) error {
	return p.Tenants.Pause(ctx, tenantID, tenant.Pause{Flow: string(f), By: ledger.ActorOf(ctx)},
		flowEvent(ctx, tenantID, "The flow of "+string(f)+" was paused."))
}

// ResumeFlow has a paused flow go on, and wakes the first orders that waited for it; sweeps wake the rest.
func (p *Pair) ResumeFlow(ctx context.Context, tenantID string, f order.Flow) error {
	// Sweeps look for what waits while a connection is listed as repaired. That comes first: were it lost after the
	// pause had ended, nobody would look.
	for _, sys := range Systems() {
		if err := p.Tenants.Resume(ctx, tenantID, sys); err != nil && !errors.Is(err, tenant.ErrNotFound) {
			return err
		}
	}
	err := p.Tenants.Unpause(ctx, tenantID, string(f), flowEvent(ctx, tenantID, "The flow of "+string(f)+" goes on."))
	if err != nil {
		return err
	}
	if f == order.CatalogueFlow {
		return p.kickCatalog(ctx, tenantID)
	}
	return p.wakePaused(ctx, tenantID, f)
}

func flowEvent(ctx context.Context, tenantID, text string) tenant.With[tenant.Pause] {
	return func(tenant.Pause) (tenant.Ops, error) {
		op, err := ledger.RecordOp(ctx, tenantID, ledger.Event{Kind: "flow", Text: text})
		return tenant.Ops{op}, err
	}
}

// wakePaused wakes the first orders that were parked for a flow's pause, as far apart as their calls' budget has them.
func (p *Pair) wakePaused(ctx context.Context, tenantID string, f order.Flow) error {
	refs, err := p.held(ctx, tenantID, f, perResume)
	if err != nil {
		return err
	}
	runs, err := p.Orders.RunsOf(ctx, refs)
	if err != nil {
		return err
	}
	s, calls := &sweep{Pair: p, ctx: ctx, now: p.Now()}, 0
	for _, ref := range refs {
		r := runs[ledger.RunKey{Tenant: ref.Tenant, ID: ref.ID}]
		if r == nil || !r.Parked {
			continue
		}
		w := waking{Ref: ref, run: r, parked: true}
		w.delay, w.Due = p.Pace()*time.Duration(calls), s.now
		calls += CallsOf(r)
		if err := s.wake(w); err != nil {
			return err
		}
	}
	return nil
}

// held lists orders that are parked for a flow's pause, at most so many.
func (p *Pair) held(ctx context.Context, tenantID string, f order.Flow, most int) (refs []ledger.Ref, err error) {
	err = p.Orders.AwaitedRuns(ctx, tenantID, f.Awaits(), func(ref ledger.Ref) bool {
		refs = append(refs, ref)
		return len(refs) < most
	})
	return refs, err
}

// Held is how many orders wait for a flow that is paused, counted up to most.
func (p *Pair) Held(ctx context.Context, tenantID string, f order.Flow, most int) (int, error) {
	refs, err := p.held(ctx, tenantID, f, most)
	return len(refs), err
}
