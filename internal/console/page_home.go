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
	"sync"
	"time"

	"stockbridge/internal/joorcin7"
	"stockbridge/internal/ledger"
	"stockbridge/internal/limit"
	"stockbridge/internal/parallel"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/completeness"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
)

// homePage answers whether all is in step, and lists what needs a person.
type homePage struct {
	InStep      bool
	Paused      []flowCard // flows that are paused
	Sentence    string
	Causes      []causeCard
	More        string         // of the causes, where not all orders were read; "" = all were
	Lacks       []lackCard     // what keeps the systems from being called
	Gaps        []gapCard      // times in which orders were not taken in
	Catalogue   []lackCard     // what of the catalogue needs a person
	JOOR        []lackCard     // and of JOOR
	HasOrders   bool           // the tenant has to do with orders
	Drift       driftView      // what was chosen here and Cin7 Core does not have any more
	Look        string         // where the button goes that has Cin7 Core looked at now; "" = there is none
	Changed     *changedOrders // nil = none was changed in Upstock after it was sold
	Silent      string         // that alerts do not arrive; "" = they do, or there are none
	Alerts      string         // address of their page
	Week        string         // what of the last days is sold and shipped
	Checked     string         // address of what that stands on
	Chart       *chart         // nil = nothing is compared yet
	Today       todaysOrders
	States      []stateLink // of the orders that are not finished, of whatever day
	Connections []connectionLine
	Jobs        []jobLine
}

// changedOrders are those that were changed in Upstock after they were sold: worth to know, and no more.
type changedOrders struct {
	Sentence string
	List     []orderLink
	Rest     string // that there are more
}

// causeCard is what one or more orders wait for, with what repairs it.
type causeCard struct {
	Key, Message, Fix string
	Orders            string // "2 orders"
	List              []orderLink
	Rest              string // how many are not listed; "" = none
	Picker            *picker
	Retry, RetryAt    string // what the button that retries all of them says, and where it goes; "" = there is none
}

// picker lets a person pick a record of Cin7 Core. It stands in the page at Path; what is picked goes to Post.
type picker struct {
	Key, Path, Post  string
	Label, Find, Use string // of the search box and the two buttons
	Query            string
	Choices          []choice
	Empty            string // why a search found nothing
}

type choice struct {
	ID, Label, Why string
	First          bool
}

type orderLink struct{ Number, Address string }

type stateLink struct {
	Label, Count, Address string
}

// todaysOrders are the orders that were approved today, by the state they are in now.
type todaysOrders struct {
	Sentence string
	States   []stateLink // of those in which any is
}

type connectionLine struct {
	Title, Name, State, Why string
	Good                    bool
	Warnings                []string
	Own, OwnAt              string // that Upstock's own integration is to be switched off, and where to say that it is
	Budget                  string // how much of what it may be asked was used
}

// jobLine is what is done by itself, again and again.
type jobLine struct {
	Name, Problem string
	Last, Next    moment
	Soon          string // in place of Next
}

// home is a tenant's first page. Its parts are read side by side: each waits for the table, and none for another.
func (a *api) home(w http.ResponseWriter, r *http.Request, v visit) error {
	h := homePage{HasOrders: v.usesOrders(), Lacks: v.lackCards(), Gaps: v.gapCards(r.URL.Path),
		Alerts: alertsPath(v.Tenant.ID), Checked: tenantPath(v.Tenant.ID) + "/completeness"}
	var need needs
	if err := together(
		func() (err error) { need, err = a.needs(r, v); return err },
		func() (err error) { h.States, err = a.stateLinks(r, v); return err },
		func() (err error) { h.Today, err = a.today(r, v); return err },
		func() (err error) { h.Connections, err = a.connectionLines(r, v); return err },
		func() (err error) { h.Jobs, err = a.jobLines(r, v); return err },
		func() (err error) { h.Week, h.Chart, err = a.weeks(r, v); return err },
		func() (err error) { h.Drift, err = a.drift(r, v); return err },
		func() (err error) { h.Catalogue, err = a.catalogCards(r, v); return err },
		func() (err error) { h.JOOR, err = a.joorCards(r, v); return err },
		func() (err error) { h.Changed, err = a.changedOrders(r, v); return err },
		func() (err error) { h.Paused, err = a.flowCards(r, v, true); return err },
		func() (err error) { h.Silent, err = a.silent(r, v); return err },
	); err != nil {
		return err
	}
	h.Causes, h.More = need.cards, need.rest
	if v.person.Changes() && len(h.Causes)+len(h.Drift.Settings)+len(h.Drift.Links) > 0 {
		h.Look = tenantPath(v.Tenant.ID) + "/look"
	}
	h.InStep, h.Sentence = inStep(need.orders, need.more,
		lackOf(v.Ready(v.systems()...), h.Drift, h.Gaps, slices.Concat(h.Catalogue, h.JOOR), h.Paused))
	return a.show(w, r, http.StatusOK, "home", v.frame(r, "Home", h))
}

// needs are the causes of what needs a person. orders is how many orders they have; more = others were not read.
type needs struct {
	cards  []causeCard
	rest   string // what is said of those that are not shown
	orders int
	more   bool
}

func (a *api) needs(r *http.Request, v visit) (n needs, err error) {
	var list []*cause
	if list, n.orders, n.more, err = a.causesOf(r, v.Bundle, causesRead); err != nil {
		return n, err
	}
	if n.cards, err = a.cards(r, v, list[:min(len(list), causesShown)], false); err != nil {
		return n, err
	}
	if v.person.Changes() {
		offerRetries(v, n.cards, list, n.more)
	}
	if n.more {
		n.rest = fmt.Sprintf("These are the causes of the newest %d orders that need you.", n.orders)
	}
	if rest := len(list) - len(n.cards); rest > 0 {
		n.rest = joined(" ", "And "+count(rest, "other cause", "other causes")+": mend these first.", n.rest)
	}
	return n, nil
}

// weeks are what the last check found, in words and as a chart.
func (a *api) weeks(r *http.Request, v visit) (string, *chart, error) {
	c, err := a.Pair.Completeness.LastOf(r.Context(), v.Bundle, time.Time{}, time.Time{})
	return weekOf(c), v.chart(c), err
}

// lackCard is a system that is not connected, or whose key is to be saved anew.
type lackCard struct {
	State, Why  string
	Do, Address string // what the link says, and where that is done; "" = others do it
}

// systems are those that the tenant has to do with.
func (v visit) systems() (all []tenant.System) {
	if v.usesOrders() {
		all = append(all, upstockcin7.Systems()...)
	}
	if uses(v.Bundle, joorcin7.Systems()) {
		all = append(all, joorcin7.Systems()...)
	}
	return all
}

// lackCards are what keeps the systems from being called.
func (v visit) lackCards() (cards []lackCard) {
	for _, l := range v.Lacks(v.systems()...) {
		card := lackCard{State: l.State, Why: l.Why}
		if v.person.Changes() {
			card.Do, card.Address = strings.TrimSuffix(l.Fix, "."), integrationsPath(v.Tenant.ID)+"#"+string(l.System)
		}
		cards = append(cards, card)
	}
	return cards
}

// changedOrders says which orders Upstock shows otherwise than they were sold.
func (a *api) changedOrders(r *http.Request, v visit) (*changedOrders, error) {
	list, more, err := a.Pair.Edited(r.Context(), v.Tenant.ID, listedOfCause)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	c := &changedOrders{Sentence: count(len(list), "order was", "orders were")}
	if more {
		c.Sentence, c.Rest = fmt.Sprintf("More than %d orders were", len(list)), "and more"
	}
	c.Sentence += " changed in Upstock after being sold. Nothing was sent for it"
	for _, run := range list {
		o := itemOf(v.Bundle, run)
		c.List = append(c.List, orderLink{numberOf(o), orderPath(v.Tenant.ID, o.ID)})
	}
	return c, nil
}

// causesShown is how many causes home shows: a page stays small, and nobody mends more in one sitting.
const causesShown = 20

// inStep is the sentence on top. lack is what keeps the two systems from being in step, "" = nothing.
func inStep(need int, more bool, lack string) (bool, string) {
	switch {
	case need > 0 && more:
		return false, fmt.Sprintf("More than %d orders need you", need)
	case need > 0:
		return false, count(need, "order needs", "orders need") + " you"
	case lack != "":
		return false, lack
	}
	return true, "Everything is in step"
}

// offerRetries has each cause retried whole, as it may have been repaired elsewhere. more = there are other orders of
// it than those that were read.
func offerRetries(v visit, cards []causeCard, list []*cause, more bool) {
	for i := range cards {
		if upstockcin7.DecidedAlone(list[i].Problem) {
			continue
		}
		cards[i].Retry = "Retry " + count(len(list[i].orders), "order", "orders")
		if more {
			cards[i].Retry = "Retry all of these orders"
		}
		cards[i].RetryAt = tenantPath(v.Tenant.ID) + "/problems/" + list[i].key + "/retry"
	}
}

// listedOfCause is how many orders of a cause are named.
const listedOfCause = 8

// cards are causes as a page shows them; ofOne = on the page of the one order that they are of.
func (a *api) cards(r *http.Request, v visit, list []*cause, ofOne bool) (cards []causeCard, err error) {
	for _, c := range list {
		card := causeCard{Key: c.key, Message: v.local(c.Message), Fix: c.Fix}
		if !ofOne {
			card.list(v, c)
		}
		if card.Picker, err = a.picker(r, v, c); err != nil {
			return nil, err
		}
		cards = append(cards, card)
	}
	return cards, nil
}

// list names the orders of a cause. Each of them may have it in another line.
func (card *causeCard) list(v visit, c *cause) {
	card.Message = v.local(c.Headline())
	card.Orders = count(len(c.orders), "order", "orders")
	for _, o := range c.orders[:min(len(c.orders), listedOfCause)] {
		card.List = append(card.List, orderLink{numberOf(o), orderPath(v.Tenant.ID, o.ID)})
	}
	if rest := len(c.orders) - len(card.List); rest > 0 {
		card.Rest = fmt.Sprintf("and %d more", rest)
	}
}

// picker is the way to repair a cause by picking a record of Cin7 Core; nil where that repairs nothing, or where the
// person changes nothing.
func (a *api) picker(r *http.Request, v visit, c *cause) (*picker, error) {
	kind, from := c.about()
	if kind == "" || !v.person.Changes() {
		return nil, nil
	}
	p := pickable{key: c.key, kind: kind, found: c.Choices,
		post: tenantPath(v.Tenant.ID) + "/problems/" + c.key + "/fix"}
	if kind != sale.CustomerLinks {
		p.query = from
	}
	return a.pick(r, v, p)
}

// pickable is what a person picks a record of Cin7 Core for.
type pickable struct {
	key   string // of the form
	kind  string // of the record, and of its link
	query string // what is searched for at first
	post  string // where the choice goes
	found []ledger.Choice
}

// pick is the form of a pickable, with what the person has searched for.
func (a *api) pick(r *http.Request, v visit, of pickable) (*picker, error) {
	p := &picker{
		Key: of.key, Path: r.URL.Path, Post: of.post, Label: "Product in Cin7 Core", Find: "Find product",
		Use: "Use this product", Query: of.query,
	}
	if of.kind == sale.CustomerLinks {
		p.Label, p.Find, p.Use = "Customer in Cin7 Core", "Find customer", "Use this customer"
	}
	if q := r.URL.Query(); q.Get("fix") == of.key {
		p.Query = q.Get("find")
		var err error
		if of.found, err = a.Pair.FindRecords(r.Context(), v.Bundle, of.kind, p.Query); err != nil {
			return nil, err
		}
		if len(of.found) == 0 {
			p.Empty = "Cin7 Core has no " + of.kind + " with this. Look for a part of its name."
		}
	}
	for i, x := range of.found {
		p.Choices = append(p.Choices, choice{x.ID, x.Label, x.Why, i == 0 && len(of.found) == 1})
	}
	return p, nil
}

// numberOf is what people call an order.
func numberOf(o orderItem) string { return cmp.Or(text(o.OrderNumber), string(o.ID)) }

func orderPath(tenantID string, id orderID) string {
	return tenantPath(tenantID) + "/orders/" + url.PathEscape(string(id))
}

// stateNames are the states of an order in words, in the order in which lists show them.
var stateNames = []struct {
	State ledger.State
	Label string
}{
	{ledger.Attention, "Needs you"}, {ledger.Received, "Received"}, {ledger.Working, "Being sold"},
	{ledger.Waiting, "Waiting"}, {order.Sold, "Sold"}, {order.PartlyShipped, "Partly shipped"},
	{order.Shipped, "Shipped"}, {order.Cancelled, "Cancelled"},
}

func stateName(s ledger.State) string {
	for _, n := range stateNames {
		if n.State == s {
			return n.Label
		}
	}
	return string(s)
}

func (a *api) stateLinks(r *http.Request, v visit) (list []stateLink, err error) {
	counts, err := a.countStates(r, v, unfinished)
	for _, s := range stateNames {
		if slices.Contains(unfinished, s.State) {
			list = append(list, v.stateLink(s.State, counts[s.State]))
		}
	}
	return list, err
}

// stateLink leads to the list of the orders in a state.
func (v visit) stateLink(s ledger.State, count string) stateLink {
	return stateLink{stateName(s), count, tenantPath(v.Tenant.ID) + "/orders?state=" + string(s)}
}

// Today's orders are among the newest: so many are read at a time, until none of them is of today, and so often.
const (
	todayPage  = 50
	todayPages = 2
)

// today reads the orders that were approved today in the tenant's time zone.
func (a *api) today(r *http.Request, v visit) (todaysOrders, error) {
	if !v.usesOrders() {
		return todaysOrders{}, nil
	}
	counts, today, more := map[ledger.State]int{}, 0, true
	after := ""
	for page := 0; page < todayPages && more; page++ {
		list, next, err := a.Orders.Runs(r.Context(), v.Tenant.ID, after, todayPage)
		if err != nil {
			return todaysOrders{}, err
		}
		some := false
		for _, run := range list {
			if v.isToday(cmp.Or(run.Approved, run.Received)) {
				counts[run.State]++
				today, some = today+1, true
			}
		}
		after, more = next, some && next != ""
	}
	t := todaysOrders{Sentence: "No order was approved today."}
	if today > 0 {
		t.Sentence = count(today, "order was", "orders were") + " approved today."
	}
	if more { // as far as was looked, there were orders of today
		t.Sentence = fmt.Sprintf("More than %d orders were approved today. Of the newest of them:", today)
	}
	for _, s := range stateNames {
		if n := counts[s.State]; n > 0 {
			t.States = append(t.States, v.stateLink(s.State, strconv.Itoa(n)))
		}
	}
	return t, nil
}

// isToday reports whether an instant is of the present day in the tenant's time zone.
func (v visit) isToday(at time.Time) bool { return v.day(at) == v.day(v.now) }

// countedOrders is how far pages count the orders in a state. To count is to read an entry for each.
const countedOrders = 1000

// unfinished are the states in which something is still to be done.
var unfinished = []ledger.State{ledger.Attention, ledger.Received, ledger.Working, ledger.Waiting}

// countStates counts a tenant's orders in each of some states, in words.
func (a *api) countStates(r *http.Request, v visit, states []ledger.State) (map[ledger.State]string, error) {
	var mu sync.Mutex
	counts := map[ledger.State]string{}
	err := parallel.Each(len(states), slices.Values(states), func(s ledger.State) error {
		n, err := a.Orders.CountTo(r.Context(), v.Tenant.ID, s, countedOrders)
		words := strconv.Itoa(n)
		if n > countedOrders {
			words = fmt.Sprintf("more than %d", countedOrders)
		}
		mu.Lock()
		defer mu.Unlock()
		counts[s] = words
		return err
	})
	return counts, err
}

func (a *api) connectionLines(r *http.Request, v visit) (list []connectionLine, err error) {
	for _, sys := range tenant.Systems() {
		c, ok := v.Connections[sys]
		if !ok {
			continue
		}
		line := connectionLine{Title: sys.Title(), Name: cmp.Or(c.Name, c.Account), State: "Connected",
			Why: c.Why, Good: c.State == tenant.Connected,
			Warnings: upstockcin7.CurrentWarnings(c.Warnings)}
		if !line.Good {
			line.State = "Needs reconnecting"
		}
		if sys == tenant.Upstock && upstockcin7.OwnIntegration(c).At.IsZero() {
			line.Own, line.OwnAt = upstockcin7.SwitchOffOwn, integrationsPath(v.Tenant.ID)+"#upstock"
		}
		if _, ok := a.Vendors.Of(sys); ok {
			left, err := a.Budget(r.Context(), c)
			if err != nil {
				return nil, fmt.Errorf("budget of %s: %w", sys, err)
			}
			line.Budget = v.budget(left)
		}
		list = append(list, line)
	}
	return list, nil
}

// budget says how much of what an account may be asked was used, and that what waits goes on where little is left.
func (v visit) budget(s limit.State) string {
	if s.BlockedUntil.After(v.now) {
		return "It did not answer, or said that it was called too often; it is called again from " +
			v.moment(s.BlockedUntil).Words + " on."
	}
	var said []string
	scarce := false
	for _, r := range s.Rates {
		used := "Asked " + count(r.Of-r.Left, "time", "times")
		if s.Unit != "" {
			used = count(r.Of-r.Left, s.Unit, s.Unit+"s") + " used"
		}
		said = append(said, fmt.Sprintf("%s in the last %s; %d are allowed.", used, window(r.Per), r.Of))
		scarce = scarce || r.Left*10 < r.Of
	}
	if scarce {
		said = append(said, "What waits goes on by itself.")
	}
	return strings.Join(said, " ")
}

// window is how long a window is by the vendor's words, without the seconds that are our margin.
func window(per time.Duration) string {
	minutes := per.Truncate(time.Minute)
	switch {
	case minutes == 0 || per-minutes > limit.Minute-time.Minute:
		return fmt.Sprintf("%.0f seconds", per.Seconds())
	case minutes == time.Minute:
		return "minute"
	case minutes == 24*time.Hour:
		return "day"
	}
	return fmt.Sprintf("%.0f minutes", minutes.Minutes())
}

// jobNames say what each job does.
var jobNames = map[string]string{
	upstockcin7.JobShipments:    "Look for what was shipped in Cin7 Core",
	upstockcin7.JobReconcile:    "Look for approved orders that no webhook brought",
	upstockcin7.JobWebhooks:     "Keep Cin7 Core’s webhooks active",
	upstockcin7.JobCompleteness: "Compare both sides",
	upstockcin7.JobProducts:     "Tell Upstock of products",
	upstockcin7.JobCustomers:    "Tell Upstock of customers",
	upstockcin7.JobPrices:       "Tell Upstock of prices",
	upstockcin7.JobMirror:       "Look at Cin7 Core’s customers, products and settings, at night",
	joorcin7.JobContacts:        "Look for what changed of customers in Cin7 Omni",
	joorcin7.JobJOOR:            "Ask JOOR what became of customers",
}

func (a *api) jobLines(r *http.Request, v visit) (list []jobLine, err error) {
	jobs, err := a.jobs(r.Context(), v.Bundle)
	if err != nil {
		return nil, err
	}
	for _, j := range jobs {
		if !a.mayRun(v.Bundle, j.Job) {
			continue
		}
		line := jobLine{Name: cmp.Or(jobNames[j.Job], j.Job), Last: v.momentOf(j.Started), Problem: text(j.Problem)}
		if strings.HasPrefix(line.Problem, skipped) { // what is not connected is said above, once
			line.Problem, line.Soon = "", "when it is connected"
		}
		switch {
		case j.Running && j.Next == nil && j.Problem == nil:
			line.Soon = "is running"
		case j.Next != nil && j.Next.After(v.now):
			line.Next = v.moment(*j.Next)
		case j.Next != nil:
			line.Soon = "any moment"
		}
		list = append(list, line)
	}
	return list, nil
}

// mayRun reports whether any system of a job is connected: else it is of a pair that the tenant does not use.
func (a *api) mayRun(b tenant.Bundle, name string) bool {
	k, _ := a.Jobs.Kind(name)
	return len(k.Needs) == 0 || slices.ContainsFunc(k.Needs, func(sys tenant.System) bool {
		_, ok := b.Connections[sys]
		return ok
	})
}

// weekOf says what became of the orders of the last days, as a check found them; "" = there was none.
func weekOf(c completeness.Report) string {
	n := c.Counts
	switch {
	case c.Checked.IsZero():
		return ""
	case n.Approved == 0:
		return "No order was approved in the last 7 days."
	}
	return fmt.Sprintf("%s approved in the last 7 days, %d sold, %d shipped.",
		count(n.Approved, "order", "orders"), n.Sold, n.Shipped)
}

// fixPage takes what a person picked, and goes back to where that was.
func (a *api) fixPage(w http.ResponseWriter, r *http.Request, v visit) error {
	form, err := formOf(w, r)
	if err != nil {
		return err
	}
	back := tenantPath(v.Tenant.ID)
	if to := form.Get("back"); strings.HasPrefix(to, back+"/orders/") && !strings.ContainsAny(to, "?#\\") {
		back = to
	}
	choice := form.Get("choice")
	if choice == "" {
		http.Redirect(w, r, back+"?said=choose", http.StatusSeeOther)
		return nil
	}
	n, err := a.mend(r, v.Bundle, r.PathValue("key"), choice)
	return sayRetried(w, r, back, n, err)
}

// retryCausePage retries all orders of a cause, and goes back to home.
func (a *api) retryCausePage(w http.ResponseWriter, r *http.Request, v visit) error {
	n, err := a.retryCause(r, v.Bundle, r.PathValue("key"))
	return sayRetried(w, r, tenantPath(v.Tenant.ID), n, err)
}

// sayRetried goes to a page that says how many orders are being tried again, or that none waits any more.
func sayRetried(w http.ResponseWriter, r *http.Request, page string, n int, err error) error {
	said := fmt.Sprintf("?said=fixed&n=%d", n)
	if n == 0 {
		said = "?said=none"
	}
	if p, ok := errors.AsType[*problem](err); ok && p.Status == http.StatusNotFound {
		said, err = "?said=mended", nil
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, page+said, http.StatusSeeOther)
	return nil
}

// joined puts texts that are there side by side.
func joined(between string, texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(s string) bool { return s == "" }), between)
}
