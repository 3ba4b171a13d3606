package console

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
)

// ordersPage is a list of orders.
type ordersPage struct {
	Path, Query string
	State       string
	Tabs        []tab
	Rows        []orderRow
	RetryAll    string // where the button goes that retries all that need a person; "" = there is none
	Choose      bool   // some of the orders can be chosen, and retried
	Next        string // address of the next page; "" = this is the last
	Empty       string // why there are none, and what to do
}

// tab is a state that a list can show alone; Count is how many orders are in it, "" = that is not counted.
type tab struct {
	Label, Address, Count string
	Here                  bool
}

type orderRow struct {
	Number, Address, Customer, Reference string
	State, Why                           string
	Total, Sale                          string
	Received                             moment
	Needs                                bool
	Choice                               string // its id, where it can be chosen; "" = it cannot
}

func (a *api) ordersPage(w http.ResponseWriter, r *http.Request, v visit) error {
	q := r.URL.Query()
	state, search := ledger.State(q.Get("state")), strings.TrimSpace(q.Get("q"))
	if state != "" && !slices.Contains(order.States(), state) {
		return notFound()
	}
	path := tenantPath(v.Tenant.ID) + "/orders"
	p := ordersPage{Path: path, Query: search, State: string(state), Tabs: tabs(path, state, search)}
	var list ledger.Listing[*order.Order]
	err := together(func() (err error) {
		list, err = a.ordersOf(r, v.Bundle, state, search, q.Get("after"), 50)
		return err
	}, func() error {
		if search != "" {
			return nil
		}
		return a.countTabs(r, v, p.Tabs)
	})
	if errors.Is(err, ledger.ErrAfter) {
		return notFound()
	}
	if err != nil {
		return err
	}
	for _, run := range list.Runs {
		row := v.row(itemOf(v.Bundle, run))
		if v.person.Changes() && upstockcin7.RetriedTogether(run) {
			row.Choice, p.Choose = run.ID, true
		}
		p.Rows = append(p.Rows, row)
	}
	if list.Next != "" {
		p.Next = listAddress(path, string(state), search, list.Next)
	}
	if state == ledger.Attention && search == "" && len(p.Rows) > 0 && v.person.Changes() {
		p.RetryAll = tenantPath(v.Tenant.ID) + "/retry"
	}
	p.Empty = emptyOrders(state, search, q.Get("after"))
	f := v.frame(r, "Orders", p)
	f.Scripted = p.Choose
	return a.show(w, r, http.StatusOK, "orders", f)
}

// row is an order as a line of a list.
func (v visit) row(o orderItem) orderRow {
	return orderRow{
		Number: numberOf(o), Address: orderPath(v.Tenant.ID, o.ID), Customer: text(o.Customer),
		Reference: text(o.Reference), State: stateName(o.State), Why: text(o.Why),
		Total: joined(" ", text(o.Total), text(o.Currency)), Sale: text(o.SaleNumber),
		Received: v.moment(o.ReceivedAt), Needs: o.State == ledger.Attention,
	}
}

func tabs(path string, state ledger.State, search string) []tab {
	list := []tab{{Label: "All", Address: listAddress(path, "", search, ""), Here: state == ""}}
	for _, s := range stateNames {
		list = append(list, tab{Label: s.Label, Address: listAddress(path, string(s.State), search, ""),
			Here: s.State == state})
	}
	return list
}

// countTabs says of the unfinished states how many orders are in each: to count the others reads more than a list
// shows.
func (a *api) countTabs(r *http.Request, v visit, tabs []tab) error {
	counts, err := a.countStates(r, v, unfinished)
	for i, s := range stateNames {
		tabs[i+1].Count = counts[s.State]
	}
	return err
}

func listAddress(path, state, search, after string) string {
	q := url.Values{}
	for name, value := range map[string]string{"state": state, "q": search, "after": after} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

func emptyOrders(state ledger.State, search, after string) string {
	switch {
	case after != "":
		return "There are no more."
	case search != "":
		return "No order has this in its number, its reference, its customer or its sale. Look for the " +
			"beginning of a word."
	case state == ledger.Attention:
		return "No order needs you."
	case state != "":
		return "No order is in this state."
	}
	return "There are no orders yet. An order comes here when it is approved in Upstock."
}

// orderPage is one order, its whole story.
type orderPage struct {
	Address  string
	State    string
	Needs    bool
	Total    string
	Why      string
	Until    moment
	Customer string
	Facts    []fact
	Stations []station
	Causes   []causeCard
	Retry    string // what the button says; "" = there is nothing to retry, or the person may not
	Prices   string // what a yes to the order's prices is to; "" = none is asked for
	Known    string // what pressing it means for an order that is sold
	Totals   []fact
	Sums     []sumRow // where they differ: what each way of reckoning comes to
	Handling *handlingCard
	Changed  *changedTable // nil = Upstock shows the order as it was sold
	Parcels  []parcelLine
	Said     []string
	Entries  []entryLine
	Earlier  string // how many of what happened are not listed; "" = none
	Sale     string // its address in Cin7 Core
	Order    string // its address in Upstock; "" = it is not known
}

type fact struct{ Name, Value string }

type sumRow struct{ Way, Total, Of string }

// changedTable is what was changed in Upstock after an order was sold.
type changedTable struct {
	Seen moment
	Rows []changedRow
	More string // how many are not shown; "" = none
}

type changedRow struct{ Line, What, AsSold, Now string }

// station is one of the five on an order's way.
type station struct {
	Name string
	At   moment
	Done bool
	Here bool // where it stands
}

type parcelLine struct {
	Label, Carrier, Tracking, Told string
	At                             moment
}

type entryLine struct {
	At     moment
	Text   string
	Detail string // of a call: method, path and status, for who knows them; "" = it is none
	Call   string // address of the page with what was sent and answered; "" = none was made, or it is kept no more
}

func (a *api) orderPage(w http.ResponseWriter, r *http.Request, v visit) error {
	run, err := a.order(r, v.Bundle, r.PathValue("id"))
	if err != nil {
		return err
	}
	exchanges, err := a.Orders.Exchanges(r.Context(), run)
	if err != nil {
		return err
	}
	o := answerOf(v.Bundle, run, exchanges, v.now)
	p := v.orderOf(o, run)
	p.Order = a.orderInUpstock(run.OrderID())
	if p.Causes, err = a.cards(r, v, causesOfOrder(v.Bundle, run), true); err != nil {
		return err
	}
	f := v.frame(r, "Order "+numberOf(o.orderItem), p)
	f.Moving = o.Handling != nil
	return a.show(w, r, http.StatusOK, "order", f)
}

// orderInUpstock is the page of an order in Upstock, by its id there. Upstock documents no address of it, so whoever
// deploys says what it is (Deps.OrderPage).
func (a *api) orderInUpstock(id string) string {
	if a.OrderPage == "" || strings.Trim(id, "0123456789") != "" {
		return ""
	}
	return strings.ReplaceAll(a.OrderPage, "{id}", id)
}

// entriesShown is how many lines of what happened a page shows.
const entriesShown = 100

// orderOf is the page of an order, run, which the API answers as o.
func (v visit) orderOf(o orderAnswer, run *order.Order) orderPage {
	p := orderPage{
		Address: orderPath(v.Tenant.ID, o.ID), State: stateName(o.State), Needs: o.State == ledger.Attention,
		Total: joined(" ", text(o.Total), text(o.Currency)), Why: v.local(text(o.Why)),
		Until:    v.momentOf(o.NextAttempt),
		Customer: text(o.Customer), Sale: text(o.SaleURL),
	}
	for _, said := range o.Said {
		p.Said = append(p.Said, v.local(said))
	}
	if v.person.Changes() {
		p.Retry, p.Known = retryOf(o)
		p.Prices = upstockcin7.HeldForPrices(run)
	}
	for _, f := range []fact{{"Reference", text(o.Reference)}, {"Upstock's id", string(o.ID)},
		{"Sale", text(o.SaleNumber)}} {
		if f.Value != "" {
			p.Facts = append(p.Facts, f)
		}
	}
	p.Stations = stations(v, o, run)
	for _, f := range []fact{{"In Upstock", text(o.Total)}, {"In Cin7 Core", text(o.SaleTotal)}} {
		if f.Value != "" {
			p.Totals = append(p.Totals, fact{f.Name, joined(" ", f.Value, text(o.Currency))})
		}
	}
	p.Handling = v.handlingCardOf(o)
	for _, sum := range o.Sums {
		p.Sums = append(p.Sums, sumRow{sum.Way, joined(" ", sum.Total, text(o.Currency)), text(sum.Of)})
	}
	if c := o.Changed; c != nil {
		p.Changed = &changedTable{Seen: v.moment(c.SeenAt)}
		for _, d := range c.Differences {
			p.Changed.Rows = append(p.Changed.Rows, changedRow{text(d.Line), d.What, text(d.AsSold), text(d.Now)})
		}
		if c.More > 0 {
			p.Changed.More = "And " + count(c.More, "other difference", "other differences") + "."
		}
	}
	for _, parcel := range o.Parcels {
		p.Parcels = append(p.Parcels, v.parcel(parcel))
	}
	list := o.Timeline[max(0, len(o.Timeline)-entriesShown):]
	for _, e := range slices.Backward(list) {
		p.Entries = append(p.Entries, v.entry(o.ID, e))
	}
	if rest := len(o.Timeline) - len(list); rest > 0 {
		p.Earlier = count(rest, "earlier line is", "earlier lines are") + " in the API's answer alone."
	}
	return p
}

// retryOf is what can be pressed for an order that waits, and what that means where it is sold already.
func retryOf(o orderAnswer) (button, known string) {
	switch {
	case o.State == ledger.Attention && o.SoldAt != nil:
		return "I know, read the sale again", "Nothing is sold again. What is said here is taken note of, and the " +
			"sale is read as it stands now; what then still needs you is said again."
	case o.State == ledger.Attention, o.State == ledger.Waiting:
		return "Retry this order", ""
	}
	return "", ""
}

// stations are an order's way, with the one at which it stands.
func stations(v visit, o orderAnswer, run *order.Order) []station {
	checked := o.SoldAt != nil
	shipped := moment{}
	if n := len(o.Parcels); n > 0 && o.State == order.Shipped {
		shipped = v.shippedOn(o.Parcels[n-1].ShippedAt)
	}
	list := []station{
		{Name: "Approved", At: v.momentOf(o.ApprovedAt), Done: true},
		{Name: "Sale made", At: v.momentOf(o.SoldAt), Done: o.SaleID != nil},
		{Name: "Checked", At: v.momentOf(o.SoldAt), Done: checked},
		{Name: "Told to Upstock", At: v.momentOf(when(run.ToldAt())), Done: checked && run.Told},
		{Name: "Shipped", At: shipped, Done: o.State == order.Shipped},
	}
	if at := slices.IndexFunc(list, func(s station) bool { return !s.Done }); at >= 0 && o.State != order.Cancelled {
		list[at].Here = true
	}
	return list
}

// local is a sentence with its instants in the tenant's zone.
func (v visit) local(sentence string) string { return order.Local(sentence, v.zone) }

// shippedOn is when something was shipped. Cin7 Core often knows the day alone, which stands at its beginning.
func (v visit) shippedOn(t time.Time) moment {
	m := v.moment(t)
	if at := t.In(v.zone); at.Hour() == 0 && at.Minute() == 0 && at.Second() == 0 {
		m.Words = strings.TrimSuffix(m.Words, " 00:00")
	}
	return m
}

func (v visit) parcel(p parcelAnswer) parcelLine {
	line := parcelLine{Label: p.Label, Carrier: text(p.Carrier), Tracking: text(p.Tracking),
		At: v.shippedOn(p.ShippedAt)}
	switch {
	case p.Gone:
		line.Told = "Shipped no more in Cin7 Core"
	case p.Refused != nil:
		line.Told = "Upstock did not take it: " + *p.Refused
	case p.Told:
		line.Told = "Upstock knows"
	default:
		line.Told = "Upstock is not told yet"
	}
	return line
}

func (v visit) entry(id orderID, e entryAnswer) entryLine {
	line := entryLine{At: v.moment(e.At), Text: v.local(e.Text)}
	if words := callSentence(e.Text); words != "" {
		line.Text, line.Detail = words, e.Text
	}
	if e.Times > 1 {
		line.Text += " (" + count(e.Times, "time", "times") + ")"
	}
	if e.Exchange != nil {
		line.Call = fmt.Sprint(orderPath(v.Tenant.ID, id), "/calls/", e.Exchange.Number)
	}
	return line
}

// callPage is a request to a vendor and its answer, secrets taken out.
type callPage struct {
	Order, Address, Line string
	At                   moment
	Outcome              string // what came of it, and how long that took
	Sent, Answer         string
	Cut                  bool // of one of them only the beginning is shown
}

// shownOfCall is how much of what was sent, and of the answer, is shown: so many characters.
const shownOfCall = 8_000

func (a *api) callPage(w http.ResponseWriter, r *http.Request, v visit) error {
	run, err := a.order(r, v.Bundle, r.PathValue("id"))
	if err != nil {
		return err
	}
	exchanges, err := a.Orders.Exchanges(r.Context(), run)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(exchanges, func(x ledger.Exchange) bool {
		return strconv.Itoa(x.Number) == r.PathValue("number")
	})
	if at < 0 {
		return notFound()
	}
	x := exchanges[at]
	p := callPage{
		Order: numberOf(itemOf(v.Bundle, run)), Address: orderPath(v.Tenant.ID, orderID(run.ID)),
		Line: x.Method + " " + x.Path, At: v.moment(x.At),
		Sent: prose.Within(x.Request, shownOfCall), Answer: prose.Within(x.Answer, shownOfCall),
	}
	p.Outcome = fmt.Sprintf("No answer after %d ms.", x.Millis)
	if x.Status != 0 {
		p.Outcome = fmt.Sprintf("Answered after %d ms with status %d.", x.Millis, x.Status)
	}
	p.Cut = p.Sent != x.Request || p.Answer != x.Answer
	return a.show(w, r, http.StatusOK, "call", v.frame(r, "A call to "+tenant.System(x.System).Title(), p))
}

// retryAllPage retries all orders that need a person, and goes back to their list.
func (a *api) retryAllPage(w http.ResponseWriter, r *http.Request, v visit) error {
	n, err := a.Pair.RetryAll(r.Context(), v.Tenant.ID, nil)
	return sayRetried(w, r, tenantPath(v.Tenant.ID)+"/orders", n, err)
}

// retryChosenPage retries the orders that were chosen in a list, and goes back to that list.
func (a *api) retryChosenPage(w http.ResponseWriter, r *http.Request, v visit) error {
	form, err := formOf(w, r)
	if err != nil {
		return err
	}
	list := tenantPath(v.Tenant.ID) + "/orders"
	if from := form.Get(pageField); strings.HasPrefix(from, list+"?") && a.shows(from) {
		list = from
	}
	var ids []orderID
	for _, id := range slices.Compact(slices.Sorted(slices.Values(form["order"]))) {
		ids = append(ids, orderID(id))
	}
	if len(ids) == 0 {
		http.Redirect(w, r, saying(list, "said", "unchosen"), http.StatusSeeOther)
		return nil
	}
	n, err := a.retryThese(r.Context(), v.Tenant.ID, ids)
	if err != nil {
		return err
	}
	http.Redirect(w, r, saying(list, "said", "fixed", "n", strconv.Itoa(n), "of", strconv.Itoa(len(ids))),
		http.StatusSeeOther)
	return nil
}

// saying is an address of ours with what its page is to say.
func saying(address string, query ...string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	q := u.Query()
	for i := 0; i < len(query); i += 2 {
		q.Set(query[i], query[i+1])
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// retryPage is the button of an order's page.
func (a *api) retryPage(w http.ResponseWriter, r *http.Request, v visit) error {
	run, err := a.order(r, v.Bundle, r.PathValue("id"))
	if err != nil {
		return err
	}
	form, err := formOf(w, r)
	if err != nil {
		return err
	}
	said := "retried"
	prices := form.Get("prices")
	err = a.Pair.Retry(r.Context(), v.Tenant.ID, run.ID,
		upstockcin7.RetryOptions{Stuck: true, OrderPrices: prices != "", Held: prices})
	if errors.Is(err, upstockcin7.ErrNothingToRetry) {
		if err = nil; run.State != ledger.Working { // else it was pressed twice
			said = "nothing"
		}
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, orderPath(v.Tenant.ID, orderID(run.ID))+"?said="+said, http.StatusSeeOther)
	return nil
}
