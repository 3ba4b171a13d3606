package console

import (
	"context"
	"net/http"
	"slices"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/order"
)

// flowAnswer is a flow that a person may pause, and how much waits for it.
type flowAnswer struct {
	Flow    order.Flow `json:"flow"`
	Paused  bool       `json:"paused"`
	By      *string    `json:"by"`      // who paused it
	Since   *time.Time `json:"since"`   // it is paused
	Waiting int        `json:"waiting"` // orders that wait for it, counted up to ledger.CountMost
	More    bool       `json:"more"`    // than that
}

// flowOf says how a flow of a tenant stands.
func (a *api) flowOf(ctx context.Context, b tenant.Bundle, f order.Flow) (flowAnswer, error) {
	n, err := a.Pair.Held(ctx, b.Tenant.ID, f, ledger.CountMost+1)
	p, paused := b.Pauses[string(f)]
	return flowAnswer{Flow: f, Paused: paused, By: known(p.By), Since: when(p.Since), Waiting: min(n, ledger.CountMost),
		More: n > ledger.CountMost}, err
}

func (a *api) listFlows(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	var items []flowAnswer
	for _, f := range order.Flows() {
		item, err := a.flowOf(r.Context(), b, f)
		if err != nil {
			return err
		}
		items = append(items, item)
	}
	return respond(w, r, http.StatusOK, page(items, ""))
}

// flow is the flow of a path.
func flow(r *http.Request) (order.Flow, error) {
	f := order.Flow(r.PathValue("flow"))
	if !slices.Contains(order.Flows(), f) {
		return f, missing("There is no such flow. There are: orders, shipments, catalogue.")
	}
	return f, nil
}

// putFlow pauses a flow, or has it go on. Asked for what is so already, nothing changes.
func (a *api) putFlow(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	f, err := flow(r)
	if err != nil {
		return err
	}
	var paused *bool
	if err := decode(w, r, false, map[string]any{"paused": &paused}, func() tenant.FieldErrors {
		if paused == nil {
			return tenant.FieldErrors{{Field: "paused", Message: "Say true or false."}}
		}
		return nil
	}); err != nil {
		return err
	}
	if err := a.setFlow(r, b.Tenant.ID, f, *paused); err != nil {
		return err
	}
	if b, err = a.Tenants.Load(r.Context(), b.Tenant.ID); err != nil {
		return err
	}
	ans, err := a.flowOf(r.Context(), b, f)
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusOK, ans)
}

func (a *api) setFlow(r *http.Request, tenantID string, f order.Flow, paused bool) error {
	if paused {
		return a.Pair.PauseFlow(r.Context(), tenantID, f)
	}
	return a.Pair.ResumeFlow(r.Context(), tenantID, f)
}
