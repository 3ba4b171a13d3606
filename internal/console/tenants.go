package console

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/joorcin7"
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
		if shard, err = strconv.Atoi(at); err != nil || shard < 0 || shard >= tenant.Shards ||
			after != tenantsNext(shard, id) ||
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
	if err := decode(w, r, false, map[string]any{"name": &name, "timeZone": &zone},
		func() tenant.FieldErrors { return tenant.CheckTenant(name, zone) }); err != nil {
		return err
	}
	t, token, err := a.makeTenant(ledger.WithActor(r.Context(), c.name), tenant.NewID(), name, zone)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/tenants/"+t.ID+"/settings")
	return respond(w, r, http.StatusCreated, struct {
		tenant.Tenant
		Token string `json:"token"` // shown this once; only its hash is kept
	}{t, string(token)})
}

// makeTenant makes a tenant, its first token, and an event that says who made them.
func (a *api) makeTenant(ctx context.Context, id, name, zone string) (tenant.Tenant, tenant.Secret, error) {
	return a.Tenants.CreateAs(ctx, id, name, zone, func(t tenant.Tenant) (tenant.Ops, error) {
		return events(ctx, t.ID, "tenant", "The tenant was made, and its first token.")
	})
}

// syncAnswer says what a person's wish for a job has started.
type syncAnswer struct {
	Job    string   `json:"job"`
	Orders int      `json:"orders"` // woken
	Mirror bool     `json:"mirror"` // being read
	Jobs   []string `json:"jobs"`   // that begin now

	Progress *progressRef `json:"progress,omitempty"` // of those that are long work: what to follow
}

// sync starts a job by hand: orders wakes what is due and looks for orders that
// no webhook brought, mirror reads Cin7 Core's records again, products, customers
// and prices tell Upstock what changed of them, and those that compare both sides
// run at once, as their schedule has them.
func (a *api) sync(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	if err := decode(w, r, true, nil); err != nil {
		return err
	}
	ans, err := a.syncOf(r.Context(), b, r.PathValue("job"))
	if err != nil {
		return err
	}
	if err := a.start(r.Context(), b, &ans); err != nil {
		return err
	}
	return respond(w, r, http.StatusAccepted, ans)
}

// catalogJobs are those that tell Upstock of the catalogue.
var catalogJobs = []string{upstockcin7.JobProducts, upstockcin7.JobCustomers, upstockcin7.JobPrices}

// syncOf is what begins where a person starts a job; of orders, those that are due are woken.
func (a *api) syncOf(ctx context.Context, b tenant.Bundle, name string) (syncAnswer, error) {
	_, connected := b.Connections[tenant.Cin7Core]
	ans := syncAnswer{Job: name, Jobs: []string{}}
	switch name {
	case "orders":
		ans.Mirror = connected && !upstockcin7.MirrorOf(b).IsReady()
		if b.Ready(upstockcin7.Systems()...) == "" {
			ans.Jobs = append(ans.Jobs, upstockcin7.JobReconcile)
		}
		var err error
		ans.Orders, err = a.wake(ctx, b.Tenant.ID)
		return ans, err
	case upstockcin7.JobProducts, upstockcin7.JobCustomers, upstockcin7.JobPrices:
		ans.Jobs = append(ans.Jobs, name)
		return ans, catalogReady(b)
	case upstockcin7.JobMirror:
		if ans.Mirror = true; !connected {
			return ans, &problem{Status: http.StatusConflict, Detail: tenant.Cin7Core.NotConnected()}
		}
		return ans, nil
	}
	k, ok := a.Jobs.Kind(name)
	if !ok || !k.Sync {
		return ans, notFound()
	}
	if why := b.Ready(k.Needs...); why != "" {
		return ans, &problem{Status: http.StatusConflict, Detail: why}
	}
	ans.Jobs = append(ans.Jobs, name)
	return ans, nil
}

// start starts the jobs of an answer.
func (a *api) start(ctx context.Context, b tenant.Bundle, ans *syncAnswer) error {
	if ans.Mirror {
		if err := a.Jobs.Start(ctx, b.Tenant.ID, upstockcin7.JobMirror, 0); err != nil {
			return err
		}
	}
	for _, name := range ans.Jobs {
		var err error
		switch {
		case name == upstockcin7.JobCompleteness: // a kick alone checks nothing that was checked not long ago
			err = a.Pair.Completeness.Start(ctx, b.Tenant.ID, time.Time{}, time.Time{})
		case slices.Contains(catalogJobs, name):
			var p *ledger.Progress
			if p, err = a.Pair.SyncCatalog(ctx, b, name); err == nil {
				ans.Progress = &progressRef{p.ID}
			}
		case name == joorcin7.JobContacts || name == joorcin7.JobJOOR:
			var p *ledger.Progress
			if p, err = a.JOOR.Sync(ctx, b, name); err == nil {
				ans.Progress = &progressRef{p.ID}
			}
		default:
			err = a.Jobs.Kick(ctx, b.Tenant.ID, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
