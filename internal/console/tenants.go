package console

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
)

// listTenants goes through the shards one after another; its cursor is
// <shard>.<last id>. A tenant's token sees its own tenant.
func (a *api) listTenants(w http.ResponseWriter, r *http.Request, c caller) error {
	ctx := r.Context()
	after, _, err := paging(r.URL.Query())
	if err != nil {
		return err
	}
	if !c.operator {
		if after != "" { // there is one page
			return unknownAfter()
		}
		b, err := a.Tenants.Load(ctx, c.tenant)
		if err != nil {
			return err
		}
		return respond(w, r, http.StatusOK, page([]tenant.Tenant{b.Tenant}, ""))
	}
	shard, last := 0, ""
	if after != "" {
		at, id, _ := strings.Cut(after, ".")
		if shard, err = strconv.Atoi(at); err != nil || shard < 0 || shard >= tenant.Shards || after != tenantsNext(shard, id) ||
			id == "" && shard == 0 || id != "" && !tenant.IsListAfter(id) {
			return unknownAfter()
		}
		last = id
	}
	var items []tenant.Tenant
	for shard < tenant.Shards && len(items) < maxPage {
		some, next, err := a.Tenants.List(ctx, shard, last)
		if err != nil {
			return err
		}
		items = append(items, some...)
		if last = next; next == "" {
			shard++
		}
	}
	next := ""
	if shard < tenant.Shards {
		next = tenantsNext(shard, last)
	}
	return respond(w, r, http.StatusOK, page(items, next))
}

func tenantsNext(shard int, last string) string { return fmt.Sprintf("%d.%s", shard, last) }

// restored is an operator's word that the table was put back to an earlier state.
func (a *api) restored(w http.ResponseWriter, r *http.Request, c caller) error {
	if !c.operator {
		return &problem{Status: http.StatusForbidden, Detail: "Only the operator's token marks the table."}
	}
	until, err := a.Pair.Restored(r.Context())
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusOK, map[string]time.Time{"until": until})
}

func (a *api) createTenant(w http.ResponseWriter, r *http.Request, c caller) error {
	if !c.operator {
		return &problem{Status: http.StatusForbidden, Detail: "Only the operator's token makes tenants."}
	}
	var name, zone string
	if err := decode(w, r, false, map[string]any{"name": &name, "timeZone": &zone}, func() tenant.FieldErrors { return tenant.CheckTenant(name, zone) }); err != nil {
		return err
	}
	t, token, err := a.Tenants.Create(r.Context(), name, zone, func(t tenant.Tenant) (tenant.Ops, error) {
		return events(ledger.WithActor(r.Context(), c.name), t.ID, "tenant", "The tenant was made, and its first token.")
	})
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/tenants/"+t.ID+"/settings")
	return respond(w, r, http.StatusCreated, struct {
		tenant.Tenant
		Token string `json:"token"` // shown this once; only its hash is kept
	}{t, string(token)})
}

type eventAnswer struct {
	At    time.Time `json:"at"`
	Kind  string    `json:"kind"`
	Order orderID   `json:"order,omitempty"`
	Text  string    `json:"text"`
	Count int       `json:"count,omitempty"`
	Actor string    `json:"actor,omitempty"` // who did it: the operator, or a token by its name and id
}

func eventOf(e ledger.Event) eventAnswer {
	return eventAnswer{e.At, e.Kind, orderID(e.Order), e.Text, e.Count, e.Actor}
}

func (a *api) listEvents(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	after, limit, err := paging(r.URL.Query())
	if err != nil {
		return err
	}
	if after != "" && !ledger.IsEventKey(after) {
		return unknownAfter()
	}
	events, next, err := a.Ledger.Events(r.Context(), b.Tenant.ID, after, limit)
	if err != nil {
		return err
	}
	var items []eventAnswer
	for _, e := range events {
		items = append(items, eventOf(e))
	}
	return respond(w, r, http.StatusOK, page(items, next))
}

// syncAnswer says what a person's wish for a job has started.
type syncAnswer struct {
	Job    string   `json:"job"`
	Orders int      `json:"orders"` // woken
	Mirror bool     `json:"mirror"` // being read
	Jobs   []string `json:"jobs"`   // that begin now
}

// sync starts a job by hand: orders wakes what is due and looks for orders that
// no webhook brought, the jobs about Cin7 Core's records read the mirror again,
// and those that compare both sides run at once, as their schedule has them.
func (a *api) sync(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	if err := decode(w, r, true, nil); err != nil {
		return err
	}
	job, ctx := r.PathValue("job"), r.Context()
	core, connected := b.Connections[tenant.Cin7Core]
	ans := syncAnswer{Job: job, Jobs: []string{}}
	switch job {
	case "orders":
		n, err := a.wake(ctx, b.Tenant.ID)
		if err != nil {
			return err
		}
		ans.Orders = n
		ans.Mirror = connected && core.Mirror.State != tenant.MirrorReady
		if b.Ready(vendors...) == "" {
			ans.Jobs = append(ans.Jobs, upstockcin7.JobReconcile)
		}
	case "products", "customers", "prices":
		if !connected {
			return &problem{Status: http.StatusConflict, Detail: tenant.Cin7Core.NotConnected()}
		}
		ans.Mirror = true
	case upstockcin7.JobShipments, upstockcin7.JobWebhooks, upstockcin7.JobCompleteness:
		if why := b.Ready(vendors...); why != "" {
			return &problem{Status: http.StatusConflict, Detail: why}
		}
		ans.Jobs = append(ans.Jobs, job)
	case "contacts":
		return &problem{Status: http.StatusNotImplemented, Detail: "There is no such job yet. There are: orders, shipments, products, customers, prices, webhooks, completeness."}
	default:
		return notFound()
	}
	if ans.Mirror {
		if err := a.Pair.Start(ctx, upstockcin7.Job{Job: upstockcin7.JobMirror, Tenant: b.Tenant.ID}, 0); err != nil {
			return err
		}
	}
	for _, job := range ans.Jobs {
		var err error
		if job == upstockcin7.JobCompleteness { // a kick alone checks nothing that was checked not long ago
			err = a.Pair.StartCompleteness(ctx, b.Tenant.ID, time.Time{}, time.Time{})
		} else {
			err = a.Pair.Kick(ctx, b.Tenant.ID, job)
		}
		if err != nil {
			return err
		}
	}
	return respond(w, r, http.StatusAccepted, ans)
}
