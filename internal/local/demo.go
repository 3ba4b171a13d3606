package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"stockbridge/internal/issuer"
	"stockbridge/internal/signin"
	"stockbridge/internal/sim"
	simcin7core "stockbridge/internal/sim/cin7core"
)

// demo trades as people do. It calls the JSON API and the simulators' control API
// over HTTP, and tells each order's story from its timeline.
type demo struct {
	api, sim client
	out      io.Writer
	minute   time.Duration // a minute at this speed: Cin7 Core sends its webhooks so long after the event
	poll     time.Duration // between two polls for shipments, at this speed; 0 = never
}

func newDemo(api, token, simURL string, o options, out io.Writer) (*demo, error) {
	every, err := jobTimes(o.every, io.Discard)
	if err != nil {
		return nil, err
	}
	scaled := func(d time.Duration) time.Duration { return time.Duration(float64(d) / o.speed) }
	return &demo{client{api, token}, client{simURL, ""}, out, scaled(time.Minute), scaled(every["shipments"])}, nil
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }

// demoOrder is the part of an order that the demo reads.
type demoOrder struct {
	ID          int64
	OrderNumber *string
	State       string
	Why         *string
	SaleID      *string
	SaleNumber  *string
	Total       *string
	SaleTotal   *string
	Currency    *string
	NextAttempt *time.Time
	Problems    []struct{ Message, Fix string }
	Timeline    []struct {
		At    time.Time
		Text  string
		Times int
	}
}

func (d *demo) run(ctx context.Context) error {
	if d.sim.base == "" {
		return errors.New("it needs the simulators: start with -sim, or with -demo=false")
	}
	acc, err := d.account(ctx, demoName)
	if err != nil {
		return err
	}
	tenant, created, err := d.tenant(ctx, acc)
	if err != nil {
		return err
	}
	defer d.say("\nLook around: %s/sim   curl -H 'Authorization: Bearer %s' %s/api/v1/tenants/%s/orders\n"+
		"Stop with Ctrl-C.", d.sim.base, d.api.token, d.api.base, tenant)
	if err := d.people(ctx, tenant); err != nil {
		return err
	}
	if !created {
		if err := d.brandPeople(ctx); err != nil {
			return err
		}
		return d.status(ctx, tenant)
	}
	place := func(title, body string) error {
		d.say("\n%s", title)
		_, err := d.trade(ctx, tenant, acc, body)
		return err
	}
	if err := place("1. An order, as most are.", `"reference":"PO-2041"`); err != nil {
		return err
	}
	fault := map[string]any{"match": "POST /sale", "kind": "after", "times": 1, "account": acc.Cin7Core.AccountID}
	if err := d.sim.call(ctx, http.MethodPost, "/sim/cin7core/faults", fault, nil); err != nil {
		return err
	}
	if err := place("2. Cin7 Core makes the sale, but its answer is lost on the way.",
		`"reference":"PO-2042"`); err != nil {
		return err
	}
	if err := place("3. An order that nobody can sell: an unknown product, and another currency.",
		`"reference":"PO-2043","currency":"AUD","lines":[{"sku":"TEA-999","name":"Tea nobody stocks","quantity":"3",`+
			`"unitPrice":"4.50","taxRate":"15.00"},{"sku":"SLT-FLK","quantity":"6"}]`); err != nil {
		return err
	}
	if err := d.printShipping(ctx, tenant, acc); err != nil {
		return err
	}
	if err := d.printCatalogue(ctx, tenant, acc); err != nil {
		return err
	}
	return d.printBrand(ctx)
}

// people adds people who can sign in to the demo tenant, if the issuer is the runner's own.
func (d *demo) people(ctx context.Context, tenant string) error {
	for _, person := range []issuer.Person{
		{Name: "Ana (office manager)", Role: string(signin.Admin), Email: "ana@example.com"},
		{Name: "Viktor (looks only)", Role: string(signin.Viewer), Email: "viktor@example.com"},
	} {
		person.Tenants = []string{tenant}
		if err := d.person(ctx, person); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) person(ctx context.Context, person issuer.Person) error {
	if u, err := url.Parse(d.api.base); err != nil || !loopback(u.Host) {
		return nil // the issuer adds people from this machine alone
	}
	if err := d.api.call(ctx, http.MethodPost, issuer.Path+"/people", person, nil); err != nil {
		return fmt.Errorf("people who can sign in: %w", err)
	}
	return nil
}

// account finds or makes a company at the simulated vendors.
func (d *demo) account(ctx context.Context, name string) (sim.Account, error) {
	var list struct{ Items []sim.Account }
	if err := d.sim.call(ctx, http.MethodGet, "/sim/accounts", nil, &list); err != nil {
		return sim.Account{}, err
	}
	for _, a := range list.Items {
		if a.Name == name {
			return a, nil
		}
	}
	var a sim.Account
	err := d.sim.call(ctx, http.MethodPost, "/sim/accounts", map[string]string{"name": name, "currency": "NZD"}, &a)
	return a, err
}

// findTenant returns the id of a tenant; "" if there is none.
func (d *demo) findTenant(ctx context.Context, name string) (id string, err error) {
	for after := ""; ; {
		var list struct {
			Items []struct{ ID, Name string }
			Next  *string
		}
		path := "/api/v1/tenants?after=" + url.QueryEscape(after)
		if err := d.api.call(ctx, http.MethodGet, path, nil, &list); err != nil {
			return "", err
		}
		for _, t := range list.Items {
			if t.Name == name {
				id = t.ID
			}
		}
		if list.Next == nil || *list.Next == "" || id != "" {
			return id, nil
		}
		after = *list.Next
	}
}

// tenant returns the demo's tenant, which it makes and connects if it is not there.
func (d *demo) tenant(ctx context.Context, acc sim.Account) (id string, created bool, err error) {
	if id, err = d.findTenant(ctx, demoName); err != nil {
		return "", false, err
	}
	if id != "" {
		var conns struct{ Items []struct{ System string } }
		if err := d.api.call(ctx, http.MethodGet, "/api/v1/tenants/"+id+"/connections", nil, &conns); err != nil {
			return "", false, err
		}
		if len(conns.Items) >= 2 { // with fewer, an earlier start broke off
			return id, false, nil
		}
	} else {
		var t struct{ ID string }
		in := map[string]string{"name": demoName, "timeZone": "Pacific/Auckland"}
		if err := d.api.call(ctx, http.MethodPost, "/api/v1/tenants", in, &t); err != nil {
			return "", false, err
		}
		id = t.ID
		d.say("Made the tenant %s.", demoName)
	}
	if err := connect(ctx, d.api, d.sim, id, acc); err != nil {
		return "", false, err
	}
	d.say("Connected Upstock (supplier %d) and Cin7 Core; reading the reference data …", acc.Upstock.Supplier)
	begun := time.Now()
	if err := waitForMirror(ctx, d.api, id); err != nil {
		return "", false, err
	}
	d.say("The mirror is ready after %v.", time.Since(begun).Round(10*time.Millisecond))
	return id, true, nil
}

// connect connects both systems, and registers the webhook as a tenant does.
func connect(ctx context.Context, api, simulators client, tenant string, acc sim.Account) error {
	base := "/api/v1/tenants/" + tenant + "/connections/"
	var up struct{ WebhookURL string }
	in := map[string]string{"token": acc.Upstock.Token}
	if err := api.call(ctx, http.MethodPut, base+"upstock", in, &up); err != nil {
		return err
	}
	var hook struct{ Secret string }
	registration := map[string]any{"supplier": acc.Upstock.Supplier, "url": up.WebhookURL}
	if err := simulators.call(ctx, http.MethodPost, "/sim/upstock/webhooks", registration, &hook); err != nil {
		return err
	}
	in = map[string]string{"webhookSecret": hook.Secret}
	if err := api.call(ctx, http.MethodPut, base+"upstock", in, nil); err != nil {
		return err
	}
	in = map[string]string{"accountId": acc.Cin7Core.AccountID, "applicationKey": acc.Cin7Core.ApplicationKey}
	return api.call(ctx, http.MethodPut, base+"cin7core", in, nil)
}

// place places an order with the supplier and approves it.
func place(ctx context.Context, simulators client, supplier int, fields string) (id int64, err error) {
	body := fmt.Sprintf(`{"supplier":%d`, supplier)
	if fields != "" {
		body += "," + fields
	}
	var o struct{ ID int64 }
	if err := simulators.call(ctx, http.MethodPost, "/sim/upstock/orders", raw(body+"}"), &o); err != nil {
		return 0, err
	}
	return o.ID, simulators.call(ctx, http.MethodPost, fmt.Sprintf("/sim/upstock/orders/%d/approve", o.ID), nil, nil)
}

// raw is JSON that is sent as it is.
type raw string

// MarshalJSON implements json.Marshaler.
func (r raw) MarshalJSON() ([]byte, error) { return []byte(r), nil }

// patience is how long the demo waits for an order before it gives up.
const patience = 5 * time.Minute

// story prints one order's timeline while it grows.
type story struct {
	*demo
	tenant string
	acc    sim.Account
	id     int64
	told   int // lines of the timeline that were printed
	order  demoOrder
}

// read reads the order and prints what is new in its timeline. There is no order
// yet while its webhook is on the way.
func (s *story) read(ctx context.Context) (there bool, err error) {
	var o demoOrder
	err = s.api.call(ctx, http.MethodGet, fmt.Sprintf("/api/v1/tenants/%s/orders/%d", s.tenant, s.id), nil, &o)
	if e := (*callError)(nil); errors.As(err, &e) && e.status == http.StatusNotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	s.order = o
	for ; s.told < len(o.Timeline); s.told++ {
		s.sayAt(o.Timeline[s.told].At, "%s", o.Timeline[s.told].Text)
	}
	return true, nil
}

// sayAt prints what happened at a time.
func (s *story) sayAt(t time.Time, format string, args ...any) {
	s.say("   "+t.Local().Format("15:04:05")+"  "+format, args...)
}

// sync starts a job by hand, as a person does.
func (s *story) sync(ctx context.Context, job string) error {
	s.say("   …         not waiting for the schedule: POST …/sync/%s", job)
	return s.api.call(ctx, http.MethodPost, "/api/v1/tenants/"+s.tenant+"/sync/"+job, nil, nil)
}

// trade places an order and tells its story until it rests.
func (d *demo) trade(ctx context.Context, tenant string, acc sim.Account, fields string) (*story, error) {
	id, err := place(ctx, d.sim, acc.Upstock.Supplier, fields)
	if err != nil {
		return nil, err
	}
	st := &story{demo: d, tenant: tenant, acc: acc, id: id}
	waiting, swept := "", time.Time{}
	err = until(ctx, patience, 100*time.Millisecond, fmt.Sprintf("order %d", id), func() (bool, error) {
		if there, err := st.read(ctx); !there || err != nil {
			return false, err
		}
		o := st.order
		if why := text(o.Why); o.State == "waiting" && why != waiting {
			waiting = why
			st.sayWaiting()
		}
		if at := o.NextAttempt; o.State == "waiting" && at != nil && time.Now().After(*at) && !swept.Equal(*at) {
			swept = *at
			return false, st.sync(ctx, "orders")
		}
		return o.State == "sold" || o.State == "attention" || o.State == "cancelled", nil
	})
	if err != nil {
		return nil, err
	}
	return st, st.sayEnd(ctx)
}

// sayWaiting tells why the order waits, and until when.
func (s *story) sayWaiting() {
	next := ""
	if s.order.NextAttempt != nil {
		next = ", goes on with the first sweep after " + s.order.NextAttempt.Local().Format("15:04:05")
	}
	s.say("   …         waits: %s%s", strings.TrimRight(text(s.order.Why), "."), next)
}

// sayEnd tells what the order became, and how many sales of it there are.
func (s *story) sayEnd(ctx context.Context) error {
	switch o := s.order; o.State {
	case "sold":
		s.say("   => sold as %s: the order says %s, the sale %s %s", text(o.SaleNumber), text(o.Total),
			text(o.SaleTotal), text(o.Currency))
		var sales struct{ Items []simcin7core.SaleSummary }
		path := "/sim/cin7core/sales?account=" + s.acc.Cin7Core.AccountID
		if err := s.sim.call(ctx, http.MethodGet, path, nil, &sales); err != nil {
			return err
		}
		want, n := fmt.Sprintf("upstock:%d:%d", s.acc.Upstock.Supplier, s.id), 0
		for _, sale := range sales.Items {
			if sale.ExternalID == want && !strings.EqualFold(sale.Status, "VOIDED") {
				n++
			}
		}
		s.say("      Cin7 Core has %d sale of it.", n)
	case "attention":
		s.say("   => needs attention, for %d reasons:", len(o.Problems))
		for _, p := range o.Problems {
			s.say("      - %s %s", p.Message, p.Fix)
		}
	}
	return nil
}

func text(s *string) string { return cmp.Or(*cmp.Or(s, new(string)), "–") }

// status briefly tells what an earlier start left.
func (d *demo) status(ctx context.Context, tenant string) error {
	var list struct{ Items []demoOrder }
	if err := d.api.call(ctx, http.MethodGet, "/api/v1/tenants/"+tenant+"/orders?limit=10", nil, &list); err != nil {
		return err
	}
	d.say("\nThe tenant %s is here from an earlier start. Its newest orders:", demoName)
	for _, o := range list.Items {
		d.say("   %s  %-9s  %s  %s %s", text(o.OrderNumber), o.State, text(o.SaleNumber), text(o.Total),
			text(o.Currency))
	}
	return nil
}
