package console

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
)

// recordsPage is a list of imported products or customers.
type recordsPage struct {
	Path, Query string
	List        string // hidden in the search; "" = the first one
	Label       string // of the search box
	Find        string // of its button
	Sync        string // what the button says that starts a run; "" = there is none
	Run         *runCard
	Column      string // of the records
	Value       string // of what stands beside them
	Numbers     bool   // these are numbers
	Rows        []recordRow
	Next        string
	Further     string // what the button to the next page says
	Nothing     *nothing
}

// recordRow is a product or customer in a list.
type recordRow struct {
	Name, Address, Detail string
	Value                 string
	standing
}

// catalogShown is how many records one page shows.
const catalogShown = 50

func (a *api) productsPage(w http.ResponseWriter, r *http.Request, v visit) error {
	q, err := catalogQuery(r.URL.Query(), upstockcin7.Imported)
	if err != nil {
		return err
	}
	q.Limit = catalogShown
	rows, next, err := a.productsOf(r, v.Bundle, q)
	if err != nil {
		return err
	}
	n, err := a.Pair.CatalogNeeds(r.Context(), v.Bundle)
	if err != nil {
		return err
	}
	p := v.productList(rows, n, q, next)
	return a.showWithRun(w, r, "records", v.catalogFrame(r, "Products", upstockcin7.JobProducts, n, p), p.Run)
}

// productList is a page of the imported products.
func (v visit) productList(
	rows []upstockcin7.ProductRow, n upstockcin7.CatalogNeeds, q upstockcin7.CatalogQuery, next string,
) recordsPage {
	p := recordsPage{
		Path: productsPath(v.Tenant.ID), Query: q.Q, Label: "SKU or name", Find: "Search products",
		Run: v.lastRun(n, upstockcin7.JobProducts), Column: "Product", Value: v.priced("Default price"), Numbers: true,
	}
	if v.person.Changes() && v.unready() == nil {
		p.Sync = "Sync products"
	}
	for _, x := range rows {
		row := recordRow{Name: prose.Within(cmp.Or(x.Name, x.SKU, x.ID), mostOfName), Detail: prose.Within(x.SKU, 60),
			Address: productPath(v.Tenant.ID, x.ID), Value: priceText(x.Price), standing: v.standing(x.Standing, x.Why)}
		p.Rows = append(p.Rows, row)
	}
	p.onward(q, next)
	if p.Nothing = v.unready(); p.Nothing == nil && len(rows) == 0 && next == "" {
		p.Nothing = &nothing{Why: emptyCatalog(q, "product", "its SKU or its name")}
		if q.Q == "" && q.After == "" {
			p.Nothing.Why = "No product is imported yet. Pick those of Cin7 Core's products that Upstock is to sell."
			p.Nothing.Do, p.Nothing.Address = "Import products", p.Path+"/import"
		}
	}
	return p
}

// onward is the way to the next page.
func (p *recordsPage) onward(q upstockcin7.CatalogQuery, next string) {
	if next != "" {
		p.Next, p.Further = withQuery(p.Path, "list", p.List, "q", q.Q, "after", next), further(len(p.Rows))
	}
}

// further is what the button says that leads to the next page of a list.
func further(shown int) string {
	if shown == 0 {
		return "Look further"
	}
	return "Next page"
}

// emptyCatalog says why a list has no record on it.
func emptyCatalog(q upstockcin7.CatalogQuery, one, where string) string {
	switch {
	case q.After != "":
		return "There are no more."
	case q.Q != "":
		return "No " + one + " here has this in " + where + ". Look for a part of a word."
	}
	return "Cin7 Core has no " + one + " that can be imported and is not imported yet."
}

// importPage offers what can be imported.
type importPage struct {
	Path, Query string
	Label, Find string
	Fault       string // why nothing was imported just now
	All         *importAll
	Column      string
	Value       string // of the prices; "" = there are none
	Rows        []importRow
	Choose      bool // some can be chosen
	One, Many   string
	Chosen      string // what the button says
	Next        string
	Further     string
	Nothing     *nothing
	Good        string // good to know

	may bool // the person may import, and nothing stands against it
}

// importAll imports everything that is found.
type importAll struct {
	Query, Button string
	Recent        bool // customers alone: the choice of those who bought lately is offered
}

type importRow struct {
	Choice                string // "" = it cannot be chosen
	Name, Address, Detail string
	Value, State, Why     string
}

func (a *api) importProductsPage(w http.ResponseWriter, r *http.Request, v visit) error {
	return a.showImportProducts(w, r, v, http.StatusOK, r.URL.Query(), "")
}

// showImportProducts offers products for import; fault is why nothing was imported just now.
func (a *api) showImportProducts(
	w http.ResponseWriter, r *http.Request, v visit, status int, asked url.Values, fault string,
) error {
	q, err := catalogQuery(asked, upstockcin7.Importable)
	if err != nil {
		return err
	}
	q.Limit = catalogShown
	rows, next, err := a.productsOf(r, v.Bundle, q)
	if err != nil {
		return err
	}
	p := v.importable(rows, q, next)
	p.Fault = fault
	return a.showImport(w, r, v, status, upstockcin7.JobProducts, p)
}

// showImport shows a page of what can be imported.
func (a *api) showImport(
	w http.ResponseWriter, r *http.Request, v visit, status int, kind string, p importPage,
) error {
	n, err := a.Pair.CatalogNeeds(r.Context(), v.Bundle)
	if err != nil {
		return err
	}
	f := v.catalogFrame(r, "Import "+kind, kind, n, p)
	f.Scripted = p.Choose
	return a.show(w, r, status, "import", f)
}

// importable is a page of the products that can be imported.
func (v visit) importable(rows []upstockcin7.ProductRow, q upstockcin7.CatalogQuery, next string) importPage {
	p := importPage{
		may:  v.person.Changes() && v.unready() == nil,
		Path: productsPath(v.Tenant.ID) + "/import", Query: q.Q, Label: "SKU or name", Find: "Search products",
		Column: "Product", Value: v.priced("Default price"), One: "Import 1 product", Many: "Import # products",
		Chosen: "Import the chosen products",
		Good: "Services are not imported. What is imported is kept up: changes in Cin7 Core arrive in Upstock by " +
			"themselves.",
	}
	for _, x := range rows {
		p.add(importRow{Name: prose.Within(cmp.Or(x.Name, x.SKU, x.ID), mostOfName), Detail: prose.Within(x.SKU, 60),
			Value: priceText(x.Price), Why: x.Why, Address: productPath(v.Tenant.ID, x.ID)}, x.ID, x.Importable,
			x.Imported)
	}
	p.end(q, next, "Import all products")
	if p.Nothing = v.unready(); p.Nothing == nil && len(rows) == 0 && next == "" {
		p.Nothing = &nothing{Why: emptyCatalog(q, "product", "its SKU or its name")}
	}
	return p
}

// add adds a record. Its address is shown where it is imported, why it is not where it is not.
func (p *importPage) add(row importRow, id string, importable, imported bool) {
	row.State, row.Why = importState(importable, imported), prose.Within(row.Why, mostOfWhy)
	if imported {
		row.Why = ""
	} else {
		row.Address = ""
	}
	if importable && p.may {
		row.Choice, p.Choose = id, true
	}
	p.Rows = append(p.Rows, row)
}

// end offers, on the first page, to import everything that is found, and leads to the next page; all is what the button
// says.
func (p *importPage) end(q upstockcin7.CatalogQuery, next, all string) {
	if p.may && q.After == "" && (p.Choose || next != "") {
		if q.Q != "" {
			all += " that this search finds"
		}
		p.All = &importAll{Query: q.Q, Button: all}
	}
	if next != "" {
		p.Next, p.Further = withQuery(p.Path, "q", q.Q, "after", next), further(len(p.Rows))
	}
}

// importState says whether a record can be imported.
func importState(importable, imported bool) string {
	switch {
	case imported:
		return "Imported"
	case importable:
		return "Can be imported"
	}
	return "Cannot be imported"
}

// importProductsForm imports what a person chose, or everything that a search finds, and goes on to the page that shows
// how far it is.
func (a *api) importProductsForm(w http.ResponseWriter, r *http.Request, v visit) error {
	s, _, err := chosenRecords(w, r, tenant.Cin7Core)
	if err != nil {
		return err
	}
	if len(s.IDs) == 0 && !s.All {
		return unchosen(w, r)
	}
	run, err := a.importThese(r, v.Bundle, s)
	return a.imported(w, r, v, run, err, a.showImportProducts)
}

// chosenRecords reads which of a system's records a person chose to have sent.
func chosenRecords(
	w http.ResponseWriter, r *http.Request, of tenant.System,
) (s upstockcin7.Selection, form url.Values, err error) {
	if form, err = formOf(w, r); err != nil {
		return s, nil, err
	}
	if path.Base(r.URL.Path) == "all" {
		return upstockcin7.Selection{All: true, Q: trimmed(form, "q")}, form, nil
	}
	s.IDs = slices.Compact(slices.Sorted(slices.Values(form["choice"])))
	if errs := selectionFaults(of, s); len(s.IDs) > 0 && errs != nil {
		return s, nil, notOurForm()
	}
	return s, form, nil
}

// unchosen goes back to a list of which nothing was chosen.
func unchosen(w http.ResponseWriter, r *http.Request) error {
	back := r.URL.Path
	if from := r.PostForm.Get(pageField); strings.HasPrefix(from, back+"?") {
		back = from
	}
	http.Redirect(w, r, saying(back, "said", "unpicked"), http.StatusSeeOther)
	return nil
}

// imported goes on to the page of an import, or shows what is wrong with it.
func (a *api) imported(
	w http.ResponseWriter, r *http.Request, v visit, run *ledger.Progress, err error,
	again func(http.ResponseWriter, *http.Request, visit, int, url.Values, string) error,
) error {
	if errs, refused := errors.AsType[tenant.FieldErrors](err); refused {
		return again(w, r, v, http.StatusUnprocessableEntity, url.Values{"q": {r.PostForm.Get("q")}}, errs[0].Message)
	}
	if err != nil {
		return err
	}
	toRun(w, r, v, run)
	return nil
}

// productPage is one product: what both systems have of it, its prices, and what happened.
type productPage struct {
	standing
	SKU, Price, Status string
	Needs              *nothing // it is not imported
	Rule               string   // of Cin7 Core that is not imported; "" = there is none
	Sides              bothSides
	PriceColumn        string
	Prices             []pricedRow
	More               string
	Explain            string
	History            []historyLine
}

// pricedRow is a price in a list.
type pricedRow struct {
	Name, Address, Detail, Price string
	standing
}

func (a *api) productPage(w http.ResponseWriter, r *http.Request, v visit) error {
	x, err := a.productOf(r, v.Bundle)
	if err != nil {
		return err
	}
	n, err := a.Pair.CatalogNeeds(r.Context(), v.Bundle)
	if err != nil {
		return err
	}
	name := cmp.Or(prose.Within(x.Name, 100), x.SKU, "Product")
	f := v.catalogFrame(r, name, upstockcin7.JobProducts, n, v.product(x))
	return a.show(w, r, http.StatusOK, "product", f)
}

func (v visit) product(x upstockcin7.ProductView) productPage {
	p := productPage{
		standing: v.standing(x.Standing, x.Why), SKU: prose.Within(x.SKU, 100), Price: priceText(x.Price),
		Rule: prose.Within(x.DiscountRule, mostOfField), Sides: sidesOf(x.Fields), PriceColumn: v.priced("Price"),
		Explain: withQuery(pricesPath(v.Tenant.ID)+"/explain", "product", x.ID), History: historyOf(v, x.History),
	}
	if c := v.currency(); x.Price != nil && c != "" {
		p.Price += " " + c
	}
	if !strings.EqualFold(x.Status, "Active") {
		p.Status = x.Status
	}
	if x.Imported && p.Good {
		p.Why = ""
	}
	if !x.Imported {
		p.State, p.Good, p.Bad = "Not imported", false, false
		p.Needs = &nothing{Why: "Upstock does not have this product.", Do: "Import products",
			Address: withQuery(productsPath(v.Tenant.ID)+"/import", "q", x.SKU)}
	}
	for _, l := range x.Prices[:min(len(x.Prices), catalogShown)] {
		p.Prices = append(p.Prices, pricedRow{Name: prose.Within(cmp.Or(l.List.Name, l.List.ID), mostOfName),
			Address: listPath(v.Tenant.ID, l.List.ID), Price: priceText(l.Price), standing: v.standing(l.Standing, "")})
	}
	if x.More || len(x.Prices) > catalogShown {
		p.More = "It is in more price lists than are shown here."
	}
	return p
}
