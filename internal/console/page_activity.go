package console

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/order"
)

// activityPage is what happened, the newest first.
type activityPage struct {
	Path   string
	Abouts []option
	Order  string
	Days   daysForm
	Rows   []activityRow
	Empty  string // why there are none, and what to do
	Next   string
	CSV    string
	XLSX   string // "" = none are made here
	Story  string // address of the order's own page, where one is asked for
}

type activityRow struct {
	At                  moment
	Text, Who           string
	Order, OrderAddress string
}

// about is what events can be about. An event of a kind that stands nowhere is shown among all alone.
type about struct {
	Value, Label string
	kinds        []string
	people       bool
}

var abouts = []about{
	{Value: "", Label: "Everything"},
	{Value: "people", Label: "What people changed", people: true},
	{Value: "settings", Label: "Settings", kinds: []string{"settings", "drift"}},
	{Value: "connections", Label: "Connections and keys",
		kinds: []string{"connection", "keyRefused", "unsealed", "mirror", "testOrder"}},
	{Value: "fixes", Label: "Fixes and retries", kinds: []string{"link", "retry", "healed", "handling"}},
	{Value: "pauses", Label: "Pauses", kinds: []string{"flow"}},
	{Value: "orders", Label: "Orders", kinds: []string{"backfill", "deadLetter", "missed", "missedWebhook", "noOrderId",
		"restored"}},
	{Value: "catalogue", Label: "Products, customers and prices", kinds: []string{"catalogue"}},
	{Value: "webhooks", Label: "Webhooks", kinds: []string{"ping", "webhooks", "webhookRefused", "hintRefused",
		"webhookCut"}},
	{Value: "alerts", Label: "Alerts", kinds: []string{"alerts"}},
	{Value: "access", Label: "Access", kinds: []string{"tenant", "token", "export"}},
}

// mostOfEvent is how many characters of an event are shown.
const mostOfEvent = 500

func (a *api) activityPage(w http.ResponseWriter, r *http.Request, v visit) error {
	q := r.URL.Query()
	p := activityPage{Path: tenantPath(v.Tenant.ID) + "/activity", Order: q.Get("order")}
	at := slices.IndexFunc(abouts, func(x about) bool { return x.Value == q.Get("about") })
	if at < 0 {
		return notFound()
	}
	for i, x := range abouts {
		p.Abouts = append(p.Abouts, option{x.Value, x.Label, i == at})
	}
	// the API's words for the same
	asked := url.Values{}
	for _, name := range []string{"order", "from", "to"} {
		if s := strings.TrimSpace(q.Get(name)); s != "" {
			asked.Set(name, s)
		}
	}
	if kinds := abouts[at].kinds; kinds != nil {
		asked.Set("kind", strings.Join(kinds, ","))
	}
	if abouts[at].people {
		asked.Set("by", "people")
	}
	f, err := a.eventFilter(r, v.Bundle, asked)
	errs, refused := errors.AsType[tenant.FieldErrors](err)
	if p.Days.fill(q.Get("from"), q.Get("to"), errs); refused {
		p.Empty = "These days cannot be shown."
		return a.show(w, r, http.StatusUnprocessableEntity, "activity", v.frame(r, "Activity", p))
	}
	if err != nil {
		return err
	}
	events, next, err := a.eventsOf(r, v.Bundle, f, q.Get("after"), 50)
	if err != nil {
		return err
	}
	orders, err := a.ordersTold(r, v.Tenant.ID, events)
	if err != nil {
		return err
	}
	for _, e := range events {
		p.Rows = append(p.Rows, v.happened(e, orders[e.Order]))
	}
	p.CSV = p.Path + ".csv?" + asked.Encode()
	if a.Workbook != nil {
		p.XLSX = p.Path + ".xlsx?" + asked.Encode()
	}
	if next != "" {
		q.Set("after", next)
		p.Next = p.Path + "?" + q.Encode()
	}
	p.Empty = emptyActivity(len(asked) > 0, next != "")
	if f.Order != "" {
		_, err := a.order(r, v.Bundle, f.Order)
		if err == nil {
			p.Story = orderPath(v.Tenant.ID, orderID(f.Order))
		} else if !errors.Is(err, ledger.ErrNotFound) {
			return err
		}
	}
	return a.show(w, r, http.StatusOK, "activity", v.frame(r, "Activity", p))
}

// ordersTold reads the orders of some events, by id; what is gone is left out.
func (a *api) ordersTold(r *http.Request, tenantID string, events []ledger.Event) (map[string]*order.Order, error) {
	var ids []string
	for _, e := range events {
		if e.Order != "" && !slices.Contains(ids, e.Order) {
			ids = append(ids, e.Order)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	return a.Orders.GetRuns(r.Context(), tenantID, ids)
}

// happened is an event's row. Its order, nil where it is not known, is called by the number that people know it by.
func (v visit) happened(e ledger.Event, o *order.Order) activityRow {
	row := activityRow{
		At: v.moment(e.At), Text: prose.Within(e.Text, mostOfEvent), Who: prose.Within(e.Actor, mostOfName),
		Order: prose.Within(e.Order, mostOfName),
	}
	if e.Count > 1 {
		row.Text += " (" + count(e.Count, "time", "times") + ")"
	}
	if o != nil && o.Number != "" {
		row.Order = prose.Within(o.Number, mostOfName)
	}
	if e.Order != "" {
		row.OrderAddress = orderPath(v.Tenant.ID, orderID(e.Order))
	}
	return row
}

func emptyActivity(filtered, more bool) string {
	switch {
	case more:
		return "Nothing of this among the newest that were looked through. Look further back."
	case filtered:
		return "Nothing of this has happened in the last 90 days."
	}
	return "Nothing has happened yet."
}
