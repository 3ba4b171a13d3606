package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/limit"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
)

// listTenants goes through the shards one after another; its cursor is
// <shard>.<last id>. A tenant's token sees its own tenant.
func (a *api) listTenants(w http.ResponseWriter, r *http.Request, c caller) error {
	ctx := r.Context()
	if !c.operator {
		b, err := a.Tenants.Load(ctx, c.tenant)
		if err != nil {
			return err
		}
		return respond(w, r, http.StatusOK, page([]tenant.Tenant{b.Tenant}, ""))
	}
	after, _, err := paging(r.URL.Query())
	if err != nil {
		return err
	}
	at, last, _ := strings.Cut(after, ".")
	shard, err := strconv.Atoi(cmp.Or(at, "0"))
	if err != nil || shard < 0 || shard >= tenant.Shards {
		return tenant.FieldErrors{{Field: "after", Message: "Use the next of the page before."}}
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
		next = fmt.Sprintf("%d.%s", shard, last)
	}
	return respond(w, r, http.StatusOK, page(items, next))
}

func (a *api) createTenant(w http.ResponseWriter, r *http.Request, c caller) error {
	if !c.operator {
		return &problem{Status: http.StatusForbidden, Detail: "Only the operator's token makes tenants."}
	}
	var name, zone string
	if err := decode(w, r, false, map[string]any{"name": &name, "timeZone": &zone}); err != nil {
		return err
	}
	t, token, err := a.Tenants.Create(r.Context(), name, zone)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/api/v1/tenants/"+t.ID+"/settings")
	return respond(w, r, http.StatusCreated, struct {
		tenant.Tenant
		Token string `json:"token"` // shown this once; only its hash is kept
	}{t, string(token)})
}

func (a *api) createToken(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	if err := decode(w, r, true, nil); err != nil {
		return err
	}
	token, err := a.Tenants.NewToken(r.Context(), b.Tenant.ID)
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusCreated, map[string]string{"token": string(token)})
}

func etag(version int) string { return `"` + strconv.Itoa(version) + `"` }

func (a *api) getSettings(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	w.Header().Set("ETag", etag(b.Version))
	return respond(w, r, http.StatusOK, b.Settings)
}

func (a *api) putSettings(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	raw, _, err := body(w, r, false)
	if err != nil {
		return err
	}
	version := -1
	if match := r.Header.Values("If-Match"); match != nil {
		tags := strings.FieldsFunc(strings.Join(match, ","), func(c rune) bool { return c == ',' || c == ' ' })
		stale := &problem{Status: http.StatusPreconditionFailed, Detail: "The settings are at another version than If-Match says. Read them again."}
		if !slices.Contains(tags, etag(b.Version)) && !slices.Contains(tags, "*") {
			return stale
		}
		if version = b.Version; slices.Contains(tags, "*") {
			version = -1
		}
	}
	s, err := tenant.ParseSettings(raw)
	if err != nil {
		return err
	}
	saved, err := a.Tenants.SaveSettings(r.Context(), b.Tenant.ID, s, version)
	if version >= 0 && errors.Is(err, tenant.ErrChanged) {
		return &problem{Status: http.StatusPreconditionFailed, Detail: "The settings changed meanwhile. Read them again."}
	}
	if err != nil {
		return err
	}
	w.Header().Set("ETag", etag(saved))
	return respond(w, r, http.StatusOK, s)
}

type healthAnswer struct {
	Connections []connectionAnswer `json:"connections"`
	Mirror      mirrorAnswer       `json:"mirror"`
	Orders      counts             `json:"orders"`
	Budgets     []budgetAnswer     `json:"budgets"`
	NewestEvent *eventAnswer       `json:"newestEvent"`
	Started     time.Time          `json:"started"` // of this process
}

type mirrorAnswer struct {
	State    string          `json:"state"` // reading, ready
	Progress *mirrorProgress `json:"progress"`
	Started  *time.Time      `json:"started"`
	Ready    *time.Time      `json:"ready"` // end of the last complete pass
	Problem  *string         `json:"problem"`
}

type mirrorProgress struct {
	Step  string `json:"step"`
	Read  int    `json:"read"`
	Total int    `json:"total"`
}

// counts of orders, from the index: of each at most countMost are counted.
type counts struct {
	Attention int `json:"attention"` // wait for a person
	Parked    int `json:"parked"`    // wait for a connection to work again
	Due       int `json:"due"`       // their time has come
	Waiting   int `json:"waiting"`   // go on by themselves at a later time
}

const countMost = 1000

func (a *api) health(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	ctx := r.Context()
	h := healthAnswer{Connections: []connectionAnswer{}, Mirror: mirrorOf(b), Budgets: []budgetAnswer{}, Started: a.Started.UTC()}
	for _, sys := range tenant.Systems() {
		c, ok := b.Connections[sys]
		if !ok {
			continue
		}
		h.Connections = append(h.Connections, connectionOf(c))
		if !slices.Contains(vendors, sys) {
			continue
		}
		left, err := a.Budget(ctx, c)
		if err != nil {
			return fmt.Errorf("budget of %s: %w", sys, err)
		}
		h.Budgets = append(h.Budgets, budgetOf(c, left))
	}
	var err error
	if h.Orders, err = a.count(ctx, b.Tenant.ID); err != nil {
		return err
	}
	events, _, err := a.Ledger.Events(ctx, b.Tenant.ID, "", 1)
	if err != nil {
		return err
	}
	if len(events) > 0 {
		e := eventOf(events[0])
		h.NewestEvent = &e
	}
	return respond(w, r, http.StatusOK, h)
}

func mirrorOf(b tenant.Bundle) mirrorAnswer {
	c, connected := b.Connections[tenant.Cin7Core]
	m := c.Mirror
	ans := mirrorAnswer{State: tenant.MirrorReading, Started: when(m.Started), Ready: when(m.Ready), Problem: known(m.Problem)}
	if m.State == tenant.MirrorReady {
		ans.State = tenant.MirrorReady
	}
	if m.Step != "" {
		ans.Progress = &mirrorProgress{m.Step, m.Read, m.Total}
	}
	if !connected {
		ans.Problem = known("Cin7 Core is not connected.")
	}
	return ans
}

func (a *api) count(ctx context.Context, id string) (counts, error) {
	var n counts
	upTo := func(n *int) func(ledger.Ref) bool {
		return func(ledger.Ref) bool { *n++; return *n < countMost }
	}
	if err := a.Ledger.NeedAttention(ctx, id, upTo(&n.Attention)); err != nil {
		return n, err
	}
	if err := a.Ledger.Parked(ctx, id, upTo(&n.Parked)); err != nil {
		return n, err
	}
	now := time.Now()
	seen := 0 // other tenants' too: the shard is shared
	err := a.Ledger.Due(ctx, int(tenant.Shard(id, ledger.Shards)), now.AddDate(100, 0, 0), func(ref ledger.Ref) bool {
		if seen++; ref.Tenant == id {
			if ref.Due.After(now) {
				n.Waiting++
			} else {
				n.Due++
			}
		}
		return seen < 10*countMost && n.Waiting < countMost
	})
	return n, err
}

// budgetAnswer is how often an account may still be called, by whoever shares it.
type budgetAnswer struct {
	System       tenant.System `json:"system"`
	Account      string        `json:"account"`
	Left         int           `json:"left"`
	Of           int           `json:"of"`
	Seconds      float64       `json:"seconds"` // the window in which Of calls are allowed
	At           time.Time     `json:"at"`
	BlockedUntil *time.Time    `json:"blockedUntil"`
}

func budgetOf(c tenant.Connection, s limit.State) budgetAnswer {
	return budgetAnswer{c.System, c.Account, s.Left, s.Of, s.Per.Seconds(), time.Now().UTC(), when(s.BlockedUntil)}
}

type eventAnswer struct {
	At    time.Time `json:"at"`
	Kind  string    `json:"kind"`
	Order orderID   `json:"order,omitempty"`
	Text  string    `json:"text"`
	Count int       `json:"count,omitempty"`
}

func eventOf(e ledger.Event) eventAnswer {
	return eventAnswer{e.At, e.Kind, orderID(e.Order), e.Text, e.Count}
}

func (a *api) listEvents(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	after, limit, err := paging(r.URL.Query())
	if err != nil {
		return err
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

// sync starts a job by hand: orders wakes what is due, the jobs about Cin7
// Core's records read the mirror again.
func (a *api) sync(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	if err := decode(w, r, true, nil); err != nil {
		return err
	}
	job, ctx := r.PathValue("job"), r.Context()
	core, connected := b.Connections[tenant.Cin7Core]
	ans := struct {
		Job    string `json:"job"`
		Orders int    `json:"orders"` // woken
		Mirror bool   `json:"mirror"` // being read
	}{Job: job}
	switch job {
	case "orders":
		n, err := a.wake(ctx, b.Tenant.ID)
		if err != nil {
			return err
		}
		ans.Orders = n
		ans.Mirror = connected && core.Mirror.State != tenant.MirrorReady
	case "products", "customers", "prices":
		if !connected {
			return &problem{Status: http.StatusConflict, Detail: "Cin7 Core is not connected."}
		}
		ans.Mirror = true
	case "shipments", "contacts":
		return &problem{Status: http.StatusNotImplemented, Detail: "There is no such job yet. There are: orders, products, customers, prices."}
	default:
		return notFound()
	}
	if ans.Mirror {
		if err := a.Pair.Start(ctx, upstockcin7.Job{Job: upstockcin7.JobMirror, Tenant: b.Tenant.ID}, 0); err != nil {
			return err
		}
	}
	return respond(w, r, http.StatusAccepted, ans)
}
