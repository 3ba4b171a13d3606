package console

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/joorcin7"
	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/signin"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
)

// operatorPage is all tenants, what is wrong first. What else operators see stands on its first page alone.
type operatorPage struct {
	Path, Query string
	Good        bool
	Sentence    string
	First       bool       // nothing is searched for, and it is no later page
	Parts       []menuItem // of the page, to go to
	Vendors     []vendorCard
	Rows        []tenantRow
	Empty, Next string
	Reconnect   []operatorRow
	Work        []workRow
	Queues      []queueRow
	Throttles   []operatorRow
	Dead        []operatorRow
	More        moreOf
	Made        *madeTenant
	New         tenantForm
}

// moreOf says of which lists there is more than is shown.
type moreOf struct{ Reconnect, Throttles, Dead string }

type vendorCard struct {
	Title, State, Text string
	Good, Bad          bool
	Since              moment
}

type tenantRow struct {
	Name, ID, Address, State string
	Good, Bad                bool
	Why                      []string
	Connected                string
	Export, Erase            string
}

// operatorRow is a line of a list that leads to tenants.
type operatorRow struct {
	Tenants []tenantLink
	What    string
	At      moment
}

type workRow struct {
	What, Count   string
	Oldest        moment
	Tenant, Order string
	TenantAddress string
	OrderAddress  string
}

type queueRow struct {
	Name, What               string
	Known                    bool
	Ready, Delayed, Received int
}

// madeTenant is a tenant with its first token, which is shown this once.
type madeTenant struct{ Name, Token, Address, Connect string }

// tenantForm asks for what a tenant needs.
type tenantForm struct {
	Address, ID, Name    string
	Zones                []option
	NameFault, ZoneFault string
	Note                 string // why none was made
}

const operatorPath = "/operator"

// operatorsOnly refuses who is no operator.
func operatorsOnly() error {
	return &problem{Status: http.StatusForbidden, Detail: "This is for operators, who see all tenants."}
}

func (a *api) operatorPage(w http.ResponseWriter, r *http.Request, p signin.Person) error {
	if p.Role != signin.Operator {
		return operatorsOnly()
	}
	return a.showOperator(w, r, p, http.StatusOK, nil, tenantForm{ID: tenant.NewID()})
}

// So many tenants are on a page; fewer on the first, which shows all the rest as well.
const (
	operatorTenants = 50
	operatorFirst   = 20
)

// showOperator shows the page with a tenant that was just made, if one was, and a form for another.
func (a *api) showOperator(
	w http.ResponseWriter, r *http.Request, p signin.Person, status int, made *madeTenant, form tenantForm,
) error {
	q := url.Values{}
	if safe(r.Method) { // a form's fields are no search
		q = r.URL.Query()
	}
	query, after := strings.TrimSpace(q.Get("q")), q.Get("after")
	page := operatorPage{Path: operatorPath, Query: query, First: query == "" && after == "", Made: made, New: form}
	page.New.Address = operatorPath + "/tenants"
	page.New.Zones = zoneOptions(cmp.Or(chosenZone(form.Zones), "Pacific/Auckland"))
	v := visit{person: p, zone: time.UTC, now: time.Now()}
	var tenants tenantList
	var ops operations
	err := together(func() (err error) {
		if query != "" {
			tenants, err = a.searchTenants(r.Context(), query, after, operatorTenants)
		} else {
			most := operatorTenants
			if page.First {
				most = operatorFirst
			}
			tenants, err = a.troubled(r.Context(), after, most, true)
		}
		return err
	}, func() (err error) {
		if page.First {
			ops, err = a.operations(r.Context())
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, t := range tenants.items {
		page.Rows = append(page.Rows, rowOf(t))
	}
	if tenants.next != "" {
		page.Next = operatorPath + "?" + url.Values{"q": {query}, "after": {tenants.next}}.Encode()
		if query == "" {
			page.Next = operatorPath + "?" + url.Values{"after": {tenants.next}}.Encode()
		}
	}
	page.Empty = emptyTenants(query, tenants.next != "")
	if page.First {
		page.say(ops, tenants)
		page.fill(v, ops)
	}
	return a.show(w, r, status, "operator", frame{
		Title: "Operator", Heading: "All tenants", Person: &p, Said: notice(q), Page: page,
	})
}

func emptyTenants(query string, more bool) string {
	switch {
	case more:
		return "None of those that were looked through. Look further."
	case query != "":
		return "No tenant has this in its name. A search finds words by their beginning, or an id."
	}
	return "There are no tenants yet. Make the first one below."
}

// troubleNames are troubles in words.
var troubleNames = map[trouble]string{
	troubleKey: "Needs a key", troubleAttention: "Needs a person", troubleJobs: "Does not get on", noTrouble: "Well",
}

func rowOf(t *tenantState) tenantRow {
	row := tenantRow{
		Name: t.Tenant.Name, ID: t.Tenant.ID, Address: tenantPath(t.Tenant.ID), State: troubleNames[t.worst],
		Good: t.worst == noTrouble, Bad: t.worst != noTrouble, Export: exportPath(t.Tenant.ID),
		Erase: operatorPath + "/tenants/" + url.PathEscape(t.Tenant.ID) + "/erase",
	}
	for _, why := range t.sentences {
		row.Why = append(row.Why, prose.Within(why, mostOfEvent))
	}
	var connected []string
	for _, sys := range tenant.Systems() {
		if _, ok := t.Connections[sys]; ok {
			connected = append(connected, sys.Title())
		}
	}
	if row.Connected = strings.Join(connected, ", "); len(connected) == 0 {
		row.Connected = "Nothing yet"
	}
	if row.Good && t.Ready(upstockcin7.Systems()...) != "" && t.Ready(joorcin7.Systems()...) != "" {
		row.Good, row.State = false, "Not set up"
	}
	return row
}

// say says on top what is wrong with all of it.
func (p *operatorPage) say(ops operations, tenants tenantList) {
	var parts []string
	for _, v := range ops.Vendors {
		switch v.State {
		case vendorDown:
			parts = append(parts, v.System.Title()+" is down")
		case vendorDegraded:
			parts = append(parts, v.System.Title()+" is degraded")
		}
	}
	n := 0
	for _, t := range tenants.items {
		if t.worst != noTrouble {
			n++
		}
	}
	switch {
	case n == len(tenants.items) && tenants.next != "":
		parts = append(parts, fmt.Sprintf("%d tenants or more need somebody", n))
	case n > 0:
		parts = append(parts, count(n, "tenant needs", "tenants need")+" somebody")
	}
	p.Good, p.Sentence = len(parts) == 0, "Vendors answer, and no tenant needs anybody"
	if slices.ContainsFunc(ops.Vendors, func(v vendorAnswer) bool { return v.State == vendorUnknown }) {
		p.Sentence = "No tenant needs anybody. Whether vendors answer is not known: see below"
	}
	if !p.Good {
		p.Sentence = strings.Join(parts, "; ")
	}
}

// vendorNames are the states of vendors in words.
var vendorNames = map[vendorState]string{
	vendorUp: "Up", vendorDegraded: "Degraded", vendorDown: "Down", vendorUnknown: "Not called",
}

// workWords say what is to be done of orders that are due.
var workWords = map[string]string{
	string(order.WorkSell): "To be sold", string(order.WorkRetry): "To be sold, after a try that did not end well",
	string(order.WorkRead): "Their sale is to be read or voided", string(order.WorkTell): "Upstock is to be told",
	"unknown": "From an earlier version",
}

// queueWords say what queues hold.
var queueWords = map[string]string{
	"orders": "Orders to be worked on", "shipments": "Tenants’ polls, comparisons and backfills",
	"catalog": "Tenants’ readings of Cin7 Core’s records", "joor": "Tenants’ customers between Cin7 Omni and JOOR",
}

// fill shows what the first page has besides the tenants.
func (p *operatorPage) fill(v visit, ops operations) {
	for _, x := range ops.Vendors {
		p.Vendors = append(p.Vendors, vendorCard{Title: x.System.Title(), State: vendorNames[x.State], Text: x.Text,
			Good: x.State == vendorUp, Bad: x.State == vendorDown || x.State == vendorDegraded,
			Since: v.momentOf(x.Since)})
	}
	for _, x := range ops.Work {
		row := workRow{What: cmp.Or(workWords[x.Work], x.Work), Count: strconv.Itoa(x.Due),
			Oldest: v.momentOf(x.Oldest)}
		if x.More {
			row.Count = "more than " + row.Count
		}
		if x.Tenant != nil {
			row.Tenant, row.TenantAddress = x.Tenant.Name, tenantPath(x.Tenant.ID)
			row.Order, row.OrderAddress = string(*x.Order), orderPath(x.Tenant.ID, *x.Order)
		}
		p.Work = append(p.Work, row)
	}
	for _, x := range ops.Queues {
		row := queueRow{Name: string(x.Queue), What: queueWords[string(x.Queue)], Known: x.Messages != nil}
		if row.Known {
			row.Ready, row.Delayed, row.Received = x.Messages.Ready, x.Messages.Delayed, x.Messages.Received
		}
		p.Queues = append(p.Queues, row)
	}
	for _, x := range ops.Reconnect.Items {
		p.Reconnect = append(p.Reconnect, operatorRow{links(integrationsPath, x.Tenant),
			x.System.Title() + ": " + x.Why, v.momentOf(x.Since)})
	}
	for _, x := range ops.Throttles.Items {
		what := x.System.Title() + ", throttled " + count(x.Times, "time", "times") + " in a row; not called until"
		if !x.Until.After(v.now) {
			what = x.System.Title() + ", throttled " + count(x.Times, "time", "times") +
				" in a row; the next call tries. It was not called until"
		}
		p.Throttles = append(p.Throttles, operatorRow{links(tenantPath, x.Tenants...), what, v.moment(x.Until)})
	}
	for _, x := range ops.DeadLetters.Items {
		p.Dead = append(p.Dead, operatorRow{links(tenantPath, x.Tenant), prose.Within(x.Text, mostOfEvent),
			v.moment(x.At)})
	}
	p.Parts = parts(ops)
	more := func(yes bool, what string) string {
		if !yes {
			return ""
		}
		return fmt.Sprintf("These are %d; there are more.%s", listedMost, what)
	}
	p.More = moreOf{more(ops.Reconnect.More, " The list of tenants begins with all of them."),
		more(ops.Throttles.More, ""), more(ops.DeadLetters.More, " Activity of each tenant has its own.")}
}

// parts lead to what stands below the tenants, with how much there is of it.
func parts(ops operations) (list []menuItem) {
	due, more := 0, false
	for _, w := range ops.Work {
		due, more = due+w.Due, more || w.More
	}
	for _, x := range []struct {
		label, at string
		n         int
		more      bool
	}{
		{"Connections to be renewed", "keys", len(ops.Reconnect.Items), ops.Reconnect.More},
		{"Orders that are due", "work", due, more},
		{"Throttled accounts", "throttles", len(ops.Throttles.Items), ops.Throttles.More},
		{"Dead letters", "dead", len(ops.DeadLetters.Items), ops.DeadLetters.More},
	} {
		label := fmt.Sprintf("%s: %d", x.label, x.n)
		if x.more {
			label += " or more"
		}
		list = append(list, menuItem{Label: label, Address: "#" + x.at})
	}
	return append(list, menuItem{Label: "Queues", Address: "#queues"},
		menuItem{Label: "Make a tenant", Address: "#new"})
}

// links lead to tenants' pages.
func links(to func(string) string, tenants ...tenantRef) (list []tenantLink) {
	for _, t := range tenants {
		list = append(list, tenantLink{Name: t.Name, Address: to(t.ID)})
	}
	return list
}

// zones are time zones to choose from, those of the most tenants first. The API takes any.
var zones = []string{
	"Pacific/Auckland", "Pacific/Chatham", "Australia/Sydney", "Australia/Melbourne", "Australia/Brisbane",
	"Australia/Adelaide", "Australia/Darwin", "Australia/Perth", "Australia/Hobart", "Pacific/Fiji", "Pacific/Apia",
	"Pacific/Tongatapu", "Pacific/Rarotonga", "Pacific/Noumea", "Pacific/Port_Moresby", "Asia/Singapore",
	"Asia/Hong_Kong", "Asia/Tokyo", "Asia/Kolkata", "Asia/Dubai", "Africa/Johannesburg", "Europe/London",
	"Europe/Dublin", "Europe/Amsterdam", "Europe/Berlin", "Europe/Paris", "Europe/Madrid", "Europe/Stockholm",
	"America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Vancouver",
	"America/Toronto", "Pacific/Honolulu", "Etc/UTC",
}

func zoneOptions(chosen string) (list []option) {
	for _, z := range zones {
		list = append(list, option{Value: z, Label: z, Chosen: z == chosen})
	}
	return list
}

func chosenZone(list []option) string {
	if len(list) == 0 {
		return ""
	}
	return list[0].Value
}

// makeTenantPage makes the tenant that was asked for, and shows its first token in its answer and never again.
func (a *api) makeTenantPage(w http.ResponseWriter, r *http.Request, p signin.Person) error {
	if p.Role != signin.Operator {
		return operatorsOnly()
	}
	form, err := formOf(w, r)
	if err != nil {
		return err
	}
	asked := tenantForm{ID: form.Get("id"), Name: strings.TrimSpace(form.Get("name")),
		Zones: []option{{Value: form.Get("timeZone")}}}
	if !tenant.IsID(asked.ID) {
		return notOurForm()
	}
	ctx := ledger.WithActor(r.Context(), actorOf(p))
	t, token, err := a.makeTenant(ctx, asked.ID, asked.Name, form.Get("timeZone"))
	if faults, refused := errors.AsType[tenant.FieldErrors](err); refused {
		for _, f := range faults {
			if f.Field == "name" {
				asked.NameFault = f.Message
			} else {
				asked.ZoneFault = f.Message
			}
		}
		return a.showOperator(w, r, p, http.StatusUnprocessableEntity, nil, asked)
	}
	if errors.Is(err, tenant.ErrMade) {
		return a.showOperator(w, r, p, http.StatusConflict, nil, tenantForm{ID: tenant.NewID(),
			Note: "This form was sent before. It made one tenant, whose token was shown once. If you did not " +
				"copy it, make another under the tenant’s Settings › Access."})
	}
	if err != nil {
		return err
	}
	return a.showOperator(w, r, p, http.StatusOK, &madeTenant{t.Name, string(token), tenantPath(t.ID),
		integrationsPath(t.ID)}, tenantForm{ID: tenant.NewID()})
}
