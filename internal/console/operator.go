package console

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/parallel"
	"stockbridge/internal/tenant"
)

// What operators see of all tenants together. However many there are, it is read from lists that hold what is wrong and
// nothing else, each kept by the very write that makes it so, and from a sample.

const (
	listedMost   = 20      // of each list
	countedMost  = 1000    // entries of a shard of what is due
	sampled      = 100     // tenants whose jobs tell how vendors answer
	deadFor      = 7 * day // dead letters that are listed
	day          = 24 * time.Hour
	atOnce       = 16 // reads
	attentionTop = 100
)

// operations is how all of it fares.
type operations struct {
	Vendors     []vendorAnswer   `json:"vendors"`
	Queues      []queueAnswer    `json:"queues"`
	Work        []workAnswer     `json:"work"`
	DeadLetters some[deadLetter] `json:"deadLetters"`
	Throttles   some[throttle]   `json:"throttles"`
	Reconnect   some[reconnect]  `json:"reconnect"`
}

// some are the first of a list; More = there are others.
type some[T any] struct {
	Items []T  `json:"items"`
	More  bool `json:"more"`
}

// vendorState is how a vendor answers.
type vendorState string

const (
	vendorUp       vendorState = "up"
	vendorDegraded vendorState = "degraded" // calls of some tenants fail
	vendorDown     vendorState = "down"     // nobody gets an answer
	vendorUnknown  vendorState = "unknown"  // nobody has called lately
)

// vendorAnswer is how a vendor answered lately the tenants that were looked at: each counts once, by its last call.
type vendorAnswer struct {
	System    tenant.System `json:"system"`
	State     vendorState   `json:"state"`
	Text      string        `json:"text"`
	Answered  int           `json:"answered"`
	NoAnswer  int           `json:"noAnswer"` // none that can be believed
	Throttled int           `json:"throttled"`
	Refused   int           `json:"keyRefused"`
	Since     *time.Time    `json:"since"` // of calls that fail, the first one's
}

// queueAnswer is how many messages a queue holds.
type queueAnswer struct {
	Queue    job.Queue `json:"queue"`
	Messages *Depth    `json:"messages"` // null: that cannot be told now
}

// workAnswer is what of a kind of work on orders is due, of all tenants: what the queue of orders is to wake.
type workAnswer struct {
	Work   string     `json:"work"`
	Due    int        `json:"due"`
	More   bool       `json:"more"`
	Oldest *time.Time `json:"oldest"` // when it was due
	Tenant *tenantRef `json:"tenant"` // whose that is
	Order  *orderID   `json:"order"`
}

type tenantRef struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// deadLetter is a message that its queue gave up.
type deadLetter struct {
	Tenant tenantRef `json:"tenant"`
	eventAnswer
}

// throttle is an account that its vendor throttled.
type throttle struct {
	System  tenant.System `json:"system"`
	Tenants []tenantRef   `json:"tenants"` // that have it connected
	Until   time.Time     `json:"until"`   // it is not called; then one call tries
	Times   int           `json:"times"`   // in a row
}

// reconnect is a connection whose key is to be renewed.
type reconnect struct {
	Tenant tenantRef     `json:"tenant"`
	System tenant.System `json:"system"`
	Why    string        `json:"why"`
	Since  *time.Time    `json:"since"`
}

// operatorHealth answers how all of it fares, and one page of the tenants in trouble.
func (a *api) operatorHealth(w http.ResponseWriter, r *http.Request, c caller) error {
	if !c.operator {
		return &problem{Status: http.StatusForbidden, Detail: "Only the operator's token sees all tenants."}
	}
	after, limit, err := paging(r.URL.Query())
	if err != nil {
		return err
	}
	var ops operations
	var troubled tenantList
	if err := together(
		func() (err error) { ops, err = a.operations(r.Context()); return err },
		func() (err error) { troubled, err = a.troubled(r.Context(), after, limit, false); return err },
	); err != nil {
		return err
	}
	items := []troubleAnswer{}
	for _, t := range troubled.items {
		items = append(items, troubleAnswer{tenantRef{t.Tenant.ID, t.Tenant.Name}, t.worst, t.sentences, t.attention})
	}
	return respond(w, r, http.StatusOK, struct {
		operations
		Tenants list[troubleAnswer] `json:"tenants"`
		Started time.Time           `json:"started"` // of this process
	}{ops, page(items, troubled.next), a.Started.UTC()})
}

// together does several things at once; the error is that of the first of them that failed.
func together(parts ...func() error) error {
	errs := make([]error, len(parts))
	var running sync.WaitGroup
	for i, do := range parts {
		running.Go(func() { errs[i] = do() })
	}
	running.Wait()
	return cmp.Or(errs...)
}

// operations reads how all of it fares.
func (a *api) operations(ctx context.Context) (o operations, err error) {
	err = together(
		func() (err error) { o.Vendors, err = a.vendorStates(ctx); return err },
		func() error { o.Queues = a.queues(ctx); return nil },
		func() (err error) { o.Work, err = a.dueWork(ctx); return err },
		func() (err error) { o.DeadLetters, err = a.deadLetters(ctx); return err },
		func() (err error) { o.Throttles, err = a.throttles(ctx); return err },
		func() (err error) { o.Reconnect, err = a.reconnects(ctx); return err },
	)
	return o, err
}

// refs names tenants: one that is erased by its id alone.
func (a *api) refs(ctx context.Context, ids []string) (map[string]tenantRef, error) {
	slices.Sort(ids)
	ids = slices.Compact(ids)
	named, err := a.Tenants.Named(ctx, ids)
	refs := map[string]tenantRef{}
	for _, id := range ids {
		refs[id] = tenantRef{id, cmp.Or(named[id].Name, id)}
	}
	return refs, err
}

// queues says what the queues hold. Where that cannot be told, the rest is: what is due stands in the table.
func (a *api) queues(ctx context.Context) []queueAnswer {
	list := make([]queueAnswer, len(a.Queues))
	for i, q := range a.Queues {
		list[i].Queue = q
	}
	if a.Depth == nil {
		return list
	}
	_ = parallel.Each(atOnce, slices.Values(a.Queues), func(q job.Queue) error {
		d, err := a.Depth(ctx, q)
		if err != nil {
			a.Log.WarnContext(ctx, "depth of a queue", "queue", string(q), "error", err)
			return nil
		}
		list[slices.Index(a.Queues, q)].Messages = &d
		return nil
	})
	return list
}

// workNames are the kinds of work on orders as the API says them.
var workNames = map[ledger.Work]string{"": "unknown"}

func (a *api) dueWork(ctx context.Context) ([]workAnswer, error) {
	due, err := a.Orders.Backlogs(ctx, a.Jobs.Now(), countedMost)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, b := range due {
		if b.Due > 0 {
			ids = append(ids, b.Oldest.Tenant)
		}
	}
	refs, err := a.refs(ctx, ids)
	if err != nil {
		return nil, err
	}
	list := []workAnswer{}
	for _, b := range due {
		if b.Work == "" && b.Due == 0 { // nobody has any of an earlier version
			continue
		}
		one := workAnswer{Work: cmp.Or(workNames[b.Work], string(b.Work)), Due: b.Due, More: b.More,
			Oldest: when(b.Oldest.Due)}
		if b.Due > 0 {
			ref, id := refs[b.Oldest.Tenant], orderID(b.Oldest.ID)
			one.Tenant, one.Order = &ref, &id
		}
		list = append(list, one)
	}
	return list, nil
}

func (a *api) deadLetters(ctx context.Context) (list some[deadLetter], err error) {
	events, more, err := a.Ledger.DeadLetters(ctx, a.Jobs.Now().Add(-deadFor), listedMost)
	if err != nil {
		return list, err
	}
	var ids []string
	for _, e := range events {
		ids = append(ids, e.Tenant)
	}
	refs, err := a.refs(ctx, ids)
	list = some[deadLetter]{[]deadLetter{}, more}
	for _, e := range events {
		list.Items = append(list.Items, deadLetter{refs[e.Tenant], eventOf(e.Event)})
	}
	return list, err
}

func (a *api) throttles(ctx context.Context) (list some[throttle], err error) {
	blocked, more, err := a.Blocked(ctx, listedMost)
	if err != nil {
		return list, err
	}
	holders, all := make([][]string, len(blocked)), []string{}
	for i, b := range blocked {
		if holders[i], err = a.Tenants.HoldersOf(ctx, tenant.System(b.Vendor), b.Account, listedMost); err != nil {
			return list, err
		}
		all = append(all, holders[i]...)
	}
	refs, err := a.refs(ctx, all)
	list = some[throttle]{[]throttle{}, more}
	for i, b := range blocked {
		one := throttle{tenant.System(b.Vendor), []tenantRef{}, b.Until.UTC(), b.Times}
		for _, id := range holders[i] {
			one.Tenants = append(one.Tenants, refs[id])
		}
		list.Items = append(list.Items, one)
	}
	return list, err
}

func (a *api) reconnects(ctx context.Context) (list some[reconnect], err error) {
	places, more, err := a.Tenants.BrokenOnes(ctx, "", listedMost)
	if err != nil {
		return list, err
	}
	var ids []string
	for _, p := range places {
		ids = append(ids, p.Tenant)
	}
	var refs map[string]tenantRef
	var bundles map[string]tenant.Bundle
	if err := together(
		func() (err error) { refs, err = a.refs(ctx, slices.Clone(ids)); return err },
		func() (err error) {
			bundles, err = a.Tenants.ConnectionsOf(ctx, ids, a.Vendors.Systems()...)
			return err
		},
	); err != nil {
		return list, err
	}
	list = some[reconnect]{[]reconnect{}, more}
	for _, p := range places {
		c, ok := bundles[p.Tenant].Connections[p.System]
		if ok && c.State == tenant.NeedsReconnecting { // else the index is behind
			list.Items = append(list.Items, reconnect{refs[p.Tenant], p.System, c.Why, when(c.Refused)})
		}
	}
	return list, nil
}
