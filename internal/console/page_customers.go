package console

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
)

// matchPage is the customers that Upstock may have already: a person says which they are.
type matchPage struct {
	Path    string
	Run     *runCard
	Cards   []matchCard
	Next    string
	Further string
	Nothing *nothing
}

// matchCard is a customer, with those on the other side that it may be.
type matchCard struct {
	Name, Address, Why string
	Key                string // of its elements on the page
	Post               string // where the choice goes; "" = the person may not
	Question, Yes      string // what is asked, and what the button says
	Candidates         []candidateLine
}

type candidateLine struct {
	Theirs  string
	Name    string
	Score   string // as 92 %
	Facts   string // what is known of it
	Reasons string
	Back    string // why it is here again although a person said no
	First   bool
}

// cardsShown is how many customers one page shows with their candidates.
const cardsShown = 10

func (a *api) customersPage(w http.ResponseWriter, r *http.Request, v visit) error {
	q, err := catalogQuery(r.URL.Query(), upstockcin7.Imported, upstockcin7.ToLink, upstockcin7.Inactive)
	if err != nil {
		return err
	}
	q.Limit = catalogShown
	if q.List == upstockcin7.ToLink {
		q.Limit = cardsShown
	}
	rows, next, err := a.customersOf(r, v.Bundle, q)
	if err != nil {
		return err
	}
	n, err := a.Pair.CatalogNeeds(r.Context(), v.Bundle)
	if err != nil {
		return err
	}
	if q.List == upstockcin7.ToLink {
		p := v.toLink(rows, n, q, next)
		return a.showWithRun(w, r, "matches", v.catalogFrame(r, "Customers", upstockcin7.JobCustomers, n, p), p.Run)
	}
	p := v.customerList(rows, n, q, next)
	return a.showWithRun(w, r, "records", v.catalogFrame(r, "Customers", upstockcin7.JobCustomers, n, p), p.Run)
}

// customerList is a page of the imported customers, or of those that are inactive.
func (v visit) customerList(
	rows []upstockcin7.CustomerRow, n upstockcin7.CatalogNeeds, q upstockcin7.CatalogQuery, next string,
) recordsPage {
	p := recordsPage{
		Path: customersPath(v.Tenant.ID), Query: q.Q, Label: "Name", Find: "Search customers",
		Run: v.lastRun(n, upstockcin7.JobCustomers), Column: "Customer", Value: "Price list",
	}
	if q.List == upstockcin7.Inactive {
		p.List, p.Run = q.List, nil
	} else if v.person.Changes() && v.unready() == nil {
		p.Sync = "Sync customers"
	}
	for _, x := range rows {
		row := recordRow{Name: prose.Within(cmp.Or(x.Name, x.ID), mostOfName), Address: customerPath(v.Tenant.ID, x.ID),
			Value: "none", standing: v.standing(x.Standing, x.Why)}
		if x.PriceList != nil {
			row.Value = prose.Within(cmp.Or(x.PriceList.Name, x.PriceList.ID), mostOfName)
		}
		if !x.Active {
			row.Detail = "inactive"
		}
		p.Rows = append(p.Rows, row)
	}
	p.onward(q, next)
	if p.Nothing = v.unready(); p.Nothing == nil && len(rows) == 0 && next == "" {
		p.Nothing = v.noCustomers(q)
	}
	return p
}

func (v visit) noCustomers(q upstockcin7.CatalogQuery) *nothing {
	switch {
	case q.Q != "" || q.After != "":
		return &nothing{Why: emptyCatalog(q, "customer", "its name")}
	case q.List == upstockcin7.Inactive:
		return &nothing{Why: "No imported customer is deprecated in Cin7 Core."}
	}
	return &nothing{Why: "No customer is imported yet. Pick those of Cin7 Core's customers that order in Upstock.",
		Do: "Import customers", Address: customersPath(v.Tenant.ID) + "/import"}
}

// toLink is a page of the customers that Upstock may have already.
func (v visit) toLink(
	rows []upstockcin7.CustomerRow, n upstockcin7.CatalogNeeds, q upstockcin7.CatalogQuery, next string,
) matchPage {
	p := matchPage{Path: customersPath(v.Tenant.ID), Run: v.lastRun(n, upstockcin7.JobCustomers)}
	for i, x := range rows { // one without candidates is decided with the next run
		if card := v.matchCard(x, i+1); len(card.Candidates) > 0 || x.Why != "" {
			p.Cards = append(p.Cards, card)
		}
	}
	if next != "" {
		p.Next, p.Further = withQuery(p.Path, "list", q.List, "after", next), further(len(rows))
	}
	if p.Nothing = v.unready(); p.Nothing == nil && len(p.Cards) == 0 && next == "" {
		p.Nothing = &nothing{Why: "No customer waits to be linked. One that is imported and may be in Upstock " +
			"already comes here, so that it is not there twice."}
	}
	return p
}

// candidatesShown is how many candidates a customer is shown with.
const candidatesShown = 5

func (v visit) matchCard(x upstockcin7.CustomerRow, number int) matchCard {
	c := matchCard{
		Name: prose.Within(cmp.Or(x.Name, x.ID), mostOfName), Address: customerPath(v.Tenant.ID, x.ID),
		Why: prose.Within(x.Why, mostOfWhy), Key: strconv.Itoa(number),
		Question: "Which customer in Upstock is it?", Yes: "Link this customer",
	}
	if v.person.Changes() {
		c.Post = customerPath(v.Tenant.ID, x.ID) + "/link"
	}
	for _, o := range x.Candidates {
		if o.Rejected || len(c.Candidates) == candidatesShown {
			continue
		}
		line := candidateLine{
			Theirs:  strconv.FormatInt(o.Theirs, 10),
			Name:    prose.Within(cmp.Or(o.Name, "A customer without a name"), mostOfName),
			Score:   alikeBy(o.Score),
			Facts:   prose.Within(joined(" · ", o.Town, o.Email, o.Phone), mostOfWhy),
			Reasons: prose.Within(strings.Join(o.Reasons, ", "), mostOfWhy), Back: prose.Within(o.Back, mostOfWhy),
			First: len(c.Candidates) == 0,
		}
		if o.Linked != "" {
			line.Facts = joined(" · ", line.Facts, "linked to another customer by now")
		}
		c.Candidates = append(c.Candidates, line)
	}
	return c
}

// linkCustomerPage takes what a person says of a customer and those of Upstock's that it may be, and goes back.
func (a *api) linkCustomerPage(w http.ResponseWriter, r *http.Request, v visit) error {
	form, err := formOf(w, r)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	said := "customerLinked"
	switch form.Get("do") {
	case "link":
		said, err = a.linkOne(r, v, id, form.Get("theirs"))
	case "none":
		said, err = "customerNew", a.rejectAll(r, v, id, form["shown"])
	default:
		return notOurForm()
	}
	if p, ok := errors.AsType[*problem](err); ok && p.Status == http.StatusNotFound {
		said, err = "customerGone", nil // somebody else was faster, or it is not there any more
	}
	if errs, refused := errors.AsType[tenant.FieldErrors](err); refused {
		return &problem{Status: http.StatusConflict, Detail: errs[0].Message}
	}
	if err != nil {
		return err
	}
	back := customersPath(v.Tenant.ID) + "?list=" + upstockcin7.ToLink
	if from := form.Get(pageField); from == customerPath(v.Tenant.ID, id) {
		back = from
	}
	http.Redirect(w, r, saying(back, "said", said), http.StatusSeeOther)
	return nil
}

// linkOne links a customer to the one of Upstock's that a person chose, and returns what is said of that.
func (a *api) linkOne(r *http.Request, v visit, id, theirs string) (said string, err error) {
	if theirs == "" {
		return "choose", nil
	}
	n, err := strconv.ParseInt(theirs, 10, 64)
	if err != nil || !fitsKey(id, 100) {
		return "", notOurForm()
	}
	return "customerLinked", a.linkCustomer(r, v.Bundle, customerMatch{id, n})
}

// rejectAll notes that a customer is none of those that were shown.
func (a *api) rejectAll(r *http.Request, v visit, id string, shown []string) error {
	if len(shown) > candidatesShown || !fitsKey(id, 100) {
		return notOurForm()
	}
	for _, theirs := range shown {
		n, err := strconv.ParseInt(theirs, 10, 64)
		if err != nil {
			return notOurForm()
		}
		if err := a.rejectCustomer(r, v.Bundle, customerMatch{id, n}); err != nil {
			return err
		}
	}
	return nil
}

// askUnlink asks whether a customer is to be linked no more.
func (a *api) askUnlink(w http.ResponseWriter, r *http.Request, v visit) error {
	x, err := a.customerOf(r, v.Bundle)
	if err != nil {
		return err
	}
	if x.Linked == "" {
		return missing("This customer is not linked.")
	}
	name := prose.Within(cmp.Or(x.Name, "this customer"), mostOfName)
	return a.ask(w, r, v, "Unlink "+name, confirmPage{
		Name: v.local(x.Linked), Button: "Unlink this customer", Back: customerPath(v.Tenant.ID, x.ID),
		Keep: "Keep the link",
		Happens: []string{"Upstock is told of no change of this customer and its price list any more.",
			"It comes to the customers that are to be linked, with those of Upstock's that it may be."},
		Stays: []string{"Upstock keeps the customer, with the price list that it has there.",
			"Nothing changes in Cin7 Core."},
	})
}

func (a *api) unlinkPage(w http.ResponseWriter, r *http.Request, v visit) error {
	err := a.Pair.UnlinkCustomer(r.Context(), v.Bundle, r.PathValue("id"))
	said := "customerUnlinked"
	if err = catalogFault(err, noCustomer); err != nil {
		p, ok := errors.AsType[*problem](err)
		if !ok || p.Status != http.StatusNotFound {
			return err
		}
		said = "customerGone" // pressed twice
	}
	back := customersPath(v.Tenant.ID) + "?list=" + upstockcin7.ToLink
	http.Redirect(w, r, saying(back, "said", said), http.StatusSeeOther)
	return nil
}

func (a *api) importCustomersPage(w http.ResponseWriter, r *http.Request, v visit) error {
	return a.showImportCustomers(w, r, v, http.StatusOK, r.URL.Query(), "")
}

// showImportCustomers offers customers for import; fault is why nothing was imported just now.
func (a *api) showImportCustomers(
	w http.ResponseWriter, r *http.Request, v visit, status int, asked url.Values, fault string,
) error {
	q, err := catalogQuery(asked, upstockcin7.Importable)
	if err != nil {
		return err
	}
	q.Limit = catalogShown
	rows, next, err := a.customersOf(r, v.Bundle, q)
	if err != nil {
		return err
	}
	p := v.importableCustomers(rows, q, next)
	p.Fault = fault
	return a.showImport(w, r, v, status, upstockcin7.JobCustomers, p)
}

// importableCustomers is a page of the customers that can be imported.
func (v visit) importableCustomers(
	rows []upstockcin7.CustomerRow, q upstockcin7.CatalogQuery, next string,
) importPage {
	p := importPage{
		may:  v.person.Changes() && v.unready() == nil,
		Path: customersPath(v.Tenant.ID) + "/import", Query: q.Q, Label: "Name", Find: "Search customers",
		Column: "Customer", One: "Import 1 customer", Many: "Import # customers", Chosen: "Import the chosen customers",
		Good: "A customer that Upstock has already is linked and not doubled; where that is not sure, you are asked. " +
			"What is imported is kept up: changes in Cin7 Core arrive in Upstock by themselves.",
	}
	for _, x := range rows {
		p.add(importRow{Name: prose.Within(cmp.Or(x.Name, x.ID), mostOfName), Why: x.Why,
			Address: customerPath(v.Tenant.ID, x.ID)}, x.ID, !x.Imported && x.Active, x.Imported)
	}
	if p.end(q, next, "Import all active customers"); p.All != nil {
		p.All.Recent = true
	}
	if p.Nothing = v.unready(); p.Nothing == nil && len(rows) == 0 && next == "" {
		p.Nothing = &nothing{Why: emptyCatalog(q, "customer", "its name")}
	}
	return p
}

// importCustomersForm imports whom a person chose, or everybody whom a search finds, and goes on to the page that shows
// how far it is.
func (a *api) importCustomersForm(w http.ResponseWriter, r *http.Request, v visit) error {
	s, form, err := chosenRecords(w, r, tenant.Cin7Core)
	if err != nil {
		return err
	}
	if len(s.IDs) == 0 && !s.All {
		return unchosen(w, r)
	}
	if form.Get("who") == "recent" {
		s.BoughtSince = v.now.In(v.zone).AddDate(0, -6, 0).Format(time.DateOnly)
	}
	run, err := a.importThoseCustomers(r, v.Bundle, s)
	return a.imported(w, r, v, run, err, a.showImportCustomers)
}

// customerPage is one customer: what both systems have of it, how its prices come about, and what happened.
type customerPage struct {
	standing
	Inactive bool
	List     string
	ListAt   string // address of the price list; "" = it has none
	Facts    []fact
	Needs    *nothing   // it is not imported
	Match    *matchCard // it is to be linked
	Linked   string
	Unlink   string // address of the page that asks; "" = it is not linked, or the person may not
	Sides    bothSides
	Explain  string
	History  []historyLine
	NoList   string // why it has no price list
}

func (a *api) customerPage(w http.ResponseWriter, r *http.Request, v visit) error {
	x, err := a.customerOf(r, v.Bundle)
	if err != nil {
		return err
	}
	n, err := a.Pair.CatalogNeeds(r.Context(), v.Bundle)
	if err != nil {
		return err
	}
	f := v.catalogFrame(r, cmp.Or(prose.Within(x.Name, 100), "Customer"), upstockcin7.JobCustomers, n, v.customer(x))
	return a.show(w, r, http.StatusOK, "customer", f)
}

func (v visit) customer(x upstockcin7.CustomerView) customerPage {
	p := customerPage{
		standing: v.standing(x.Standing, ""), Inactive: !x.Active,
		Linked: prose.Within(v.local(x.Linked), mostOfField), Sides: sidesOf(x.Fields),
		History: historyOf(v, x.History),
		Explain: withQuery(pricesPath(v.Tenant.ID)+"/explain", "customer", x.ID),
	}
	if x.PriceList != nil {
		nameList(p.Sides.Fields, *x.PriceList)
		p.List, p.ListAt = prose.Within(cmp.Or(x.PriceList.Name, x.PriceList.ID), mostOfName),
			listPath(v.Tenant.ID, x.PriceList.ID)
	} else {
		p.NoList = prose.Within(x.Why, mostOfField)
	}
	p.Facts = append(p.Facts, fact{"Price tier in Cin7 Core", cmp.Or(prose.Within(x.Tier, mostOfName), "none")})
	if !x.Discount.IsZero() {
		p.Facts = append(p.Facts, fact{"Discount", x.Discount.String() + " %"})
	}
	if x.OwnPrices > 0 {
		p.Facts = append(p.Facts, fact{"Prices of its own", prose.Count(x.OwnPrices)})
	}
	if len(x.Candidates) > 0 && x.Theirs == 0 {
		if card := v.matchCard(x.CustomerRow, 1); len(card.Candidates) > 0 {
			card.Why = ""
			p.Match = &card
		}
	}
	if !x.Imported {
		p.State, p.Good, p.Bad = "Not imported", false, false
		p.Needs = &nothing{Why: "Upstock is not told of this customer.", Do: "Import customers",
			Address: withQuery(customersPath(v.Tenant.ID)+"/import", "q", x.Name)}
		if p.Match != nil {
			p.Needs = &nothing{Why: "It waits for you to say who it is."}
		}
	}
	if p.Linked != "" && v.person.Changes() {
		p.Unlink = customerPath(v.Tenant.ID, x.ID) + "/unlink"
	}
	return p
}

// nameList puts a price list's name in the place of its id.
func nameList(fields []fieldLine, list upstockcin7.CatalogRef) {
	for i, f := range fields {
		if f.Ours == list.ID {
			fields[i].Ours = list.Name
		}
		if f.Theirs == list.ID {
			fields[i].Theirs = list.Name
		}
	}
}
