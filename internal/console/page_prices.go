package console

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"

	"stockbridge/internal/prose"
	"stockbridge/internal/upstockcin7"
)

// pricesPage is the price lists that are kept up in Upstock.
type pricesPage struct {
	Path    string
	Sync    string // what the button says; "" = there is none
	Preview string // address of what a sync would change
	Held    string // how many changes wait for a yes; "" = none
	Changes string // their address
	Applied string // address of what changed
	Run     *runCard
	Rows    []recordRow
	Next    string
	Further string
	Nothing *nothing
}

func (a *api) pricesPage(w http.ResponseWriter, r *http.Request, v visit) error {
	after, _, err := listPaging(r.URL.Query())
	if err != nil {
		return err
	}
	rows, next, err := a.Pair.PriceLists(r.Context(), v.Bundle, after, catalogShown)
	if err != nil {
		return catalogFault(err, noList)
	}
	n, err := a.Pair.CatalogNeeds(r.Context(), v.Bundle)
	if err != nil {
		return err
	}
	p := v.priceLists(rows, n, after, next)
	return a.showWithRun(w, r, "prices", v.catalogFrame(r, "Price lists", upstockcin7.JobPrices, n, p), p.Run)
}

func (v visit) priceLists(
	rows []upstockcin7.PriceListRow, n upstockcin7.CatalogNeeds, after, next string,
) pricesPage {
	path := pricesPath(v.Tenant.ID)
	p := pricesPage{Path: path, Changes: path + "/changes", Run: v.lastRun(n, upstockcin7.JobPrices),
		Applied: path + "/changes?state=" + upstockcin7.ChangeApplied}
	ready := v.unready() == nil
	if ready {
		p.Preview = path + "/preview"
	}
	if ready && v.person.Changes() {
		p.Sync = "Sync prices"
	}
	if n.Held > 0 {
		p.Held = heldSentence(n.Held)
	}
	for _, l := range rows {
		p.Rows = append(p.Rows, recordRow{Name: prose.Within(cmp.Or(l.Name, l.ID), mostOfName),
			Address: listPath(v.Tenant.ID, l.ID), Value: prose.Count(l.Customers),
			standing: v.standing(l.Standing, "")})
	}
	if next != "" {
		p.Next, p.Further = withQuery(path, "after", next), further(len(rows))
	}
	p.Nothing = v.unready()
	switch {
	case p.Nothing != nil || len(rows) > 0 || next != "":
	case after != "":
		p.Nothing = &nothing{Why: "There are no more."}
	default:
		p.Nothing = &nothing{Why: "There is no price list yet. The customers that you import bring theirs.",
			Do: "Import customers", Address: customersPath(v.Tenant.ID) + "/import"}
	}
	return p
}

// heldSentence says how many changes of prices wait for a yes.
func heldSentence(n int) string {
	if n >= mostNeeds {
		return "100 price changes or more need you"
	}
	return count(n, "price change needs", "price changes need") + " you"
}

// priceListPage is one price list: its customers, and a page of its prices.
type priceListPage struct {
	standing
	Count   string // how many customers have it
	Members []recordRow
	Others  string // how many are not named; "" = none
	Column  string
	Rows    []pricedRow
	Next    string
	Further string
	Empty   string
}

// membersShown is how many customers of a price list are named.
const membersShown = 20

func (a *api) priceListPage(w http.ResponseWriter, r *http.Request, v visit) error {
	after, _, err := recordPaging(r.URL.Query())
	if err != nil {
		return err
	}
	l, err := a.priceListOf(r, v.Bundle, after, catalogShown)
	if err != nil {
		return err
	}
	n, err := a.Pair.CatalogNeeds(r.Context(), v.Bundle)
	if err != nil {
		return err
	}
	title := prose.Within(cmp.Or(l.Name, l.ID), 100)
	f := v.catalogFrame(r, title, upstockcin7.JobPrices, n, v.priceList(l, after))
	return a.show(w, r, http.StatusOK, "pricelist", f)
}

func (v visit) priceList(l upstockcin7.PriceListView, after string) priceListPage {
	p := priceListPage{standing: v.standing(l.Standing, ""), Column: v.priced("Price"),
		Count: count(l.Customers, "customer has", "customers have") + " this price list."}
	for _, m := range l.Members[:min(len(l.Members), membersShown)] {
		p.Members = append(p.Members, recordRow{Name: prose.Within(cmp.Or(m.Name, m.ID), mostOfName),
			Address: customerPath(v.Tenant.ID, m.ID)})
	}
	if rest := l.Customers - len(p.Members); rest > 0 && len(p.Members) > 0 {
		p.Others = "and " + prose.Count(rest) + " more"
	}
	for _, x := range l.Prices {
		p.Rows = append(p.Rows, pricedRow{Name: productName(x.Product), Address: productPath(v.Tenant.ID, x.Product.ID),
			Detail: prose.Within(x.Product.SKU, 60), Price: priceText(x.Price), standing: v.standing(x.Standing, "")})
	}
	if l.Next != "" {
		p.Next, p.Further = withQuery(listPath(v.Tenant.ID, l.ID), "after", l.Next), further(len(l.Prices))
	}
	switch {
	case len(l.Prices) > 0 || l.Next != "":
	case after != "":
		p.Empty = "There are no more."
	default:
		p.Empty = "This list has no price: a customer who has it can buy nothing in Upstock. Look at the customer's " +
			"page for the reason."
	}
	return p
}

// changesPage is the changes of prices in one state.
type changesPage struct {
	Path    string
	Tabs    []tab
	Old     string // of the columns
	New     string
	Rows    []changeRow
	Choose  bool
	Buttons []actButton
	Next    string
	Further string
	Nothing *nothing
}

// actButton does one thing to what is chosen.
type actButton struct{ Do, Label, One, Many string }

type changeRow struct {
	Choice                   string
	Product, Address, Detail string
	List, ListAt             string
	Old, New, Percent        string
	Why                      string
	At                       moment
}

// changeTabs are the states of price changes in words.
var changeTabs = []struct{ State, Label string }{
	{upstockcin7.ChangeHeld, "To approve"}, {upstockcin7.ChangeApplied, "Applied"},
	{upstockcin7.ChangeRefused, "Refused"},
}

// changesShown is how many changes one page shows.
const changesShown = 25

func (a *api) changesPage(w http.ResponseWriter, r *http.Request, v visit) error {
	rows, state, next, err := a.priceChangesIn(r, v.Bundle, changesShown)
	if err != nil {
		return err
	}
	n, err := a.Pair.CatalogNeeds(r.Context(), v.Bundle)
	if err != nil {
		return err
	}
	p := v.changes(rows, state, r.URL.Query().Get("after"), next)
	f := v.catalogFrame(r, "Price changes", upstockcin7.JobPrices, n, p)
	f.Scripted = p.Choose
	return a.show(w, r, http.StatusOK, "changes", f)
}

func (v visit) changes(rows []upstockcin7.PriceChange, state, after, next string) changesPage {
	p := changesPage{Path: pricesPath(v.Tenant.ID) + "/changes", Old: v.priced("Before"), New: v.priced("After")}
	for _, t := range changeTabs {
		p.Tabs = append(p.Tabs, tab{Label: t.Label, Address: p.Path + "?state=" + t.State, Here: t.State == state})
	}
	if v.person.Changes() {
		p.Buttons = changeButtons[state]
	}
	for _, c := range rows {
		row := v.change(c)
		if len(p.Buttons) > 0 && !c.Approved {
			row.Choice, p.Choose = c.ID, true
		}
		p.Rows = append(p.Rows, row)
	}
	if next != "" {
		p.Next, p.Further = withQuery(p.Path, "state", state, "after", next), further(len(rows))
	}
	if len(rows) == 0 && next == "" {
		p.Nothing = v.noChanges(state, after)
	}
	return p
}

// changeButtons are what can be done to changes in a state.
var changeButtons = map[string][]actButton{
	upstockcin7.ChangeHeld: {
		{"approve", "Approve the chosen prices", "Approve 1 price", "Approve # prices"},
		{"refuse", "Refuse the chosen prices", "Refuse 1 price", "Refuse # prices"},
	},
	upstockcin7.ChangeRefused: {
		{"undo", "Ask again about the chosen prices", "Ask again about 1 price", "Ask again about # prices"},
	},
}

func (v visit) change(c upstockcin7.PriceChange) changeRow {
	row := changeRow{
		Product: productName(c.Product),
		Detail:  prose.Within(c.Product.SKU, 60), Address: productPath(v.Tenant.ID, c.Product.ID),
		List: prose.Within(cmp.Or(c.List.Name, c.List.ID), mostOfName), ListAt: listPath(v.Tenant.ID, c.List.ID),
		Old: priceText(c.Old), New: priceText(c.New), Percent: percentOf(c), At: v.moment(c.At),
		Why: prose.Within(joined(" ", v.local(c.Why), decidedBy(c.By)), mostOfWhy),
	}
	if c.Customer != nil {
		row.List = prose.Within(c.Customer.Name, mostOfName) + " (own prices)"
	}
	return row
}

// decidedBy says who decided; "" = nobody had to.
func decidedBy(by string) string {
	if by == "" {
		return ""
	}
	return "Decided by " + by + "."
}

// productName is what people call a product.
func productName(p upstockcin7.ProductRef) string {
	return prose.Within(cmp.Or(p.Name, p.SKU, p.ID), mostOfName)
}

// percentOf is by how much a change moves a price; "" = that cannot be said.
func percentOf(c upstockcin7.PriceChange) string {
	if c.Old == nil || c.New == nil || c.Old.Sign() <= 0 {
		return ""
	}
	p := c.New.Sub(*c.Old).Shift(2).DivRound(*c.Old, 1)
	if p.Sign() > 0 {
		return "+" + p.String() + " %"
	}
	return p.String() + " %"
}

func (v visit) noChanges(state, after string) *nothing {
	switch {
	case after != "":
		return &nothing{Why: "There are no more."}
	case state == upstockcin7.ChangeHeld:
		return &nothing{Why: "No price change waits for your yes. What would give goods away always waits here; from " +
			"which change on others do, you say in the settings.", Do: "Look at the settings",
			Address: catalogSettingsPath(v.Tenant.ID)}
	case state == upstockcin7.ChangeRefused:
		return &nothing{Why: "Nobody said no to a price change, and Upstock took all."}
	}
	return &nothing{Why: "No price was changed in the last 90 days."}
}

// decisions are the sentences that the page says after a person decided about prices, by the word of the button.
var decisions = map[string]func(n int) string{
	"approve": func(n int) string {
		return decidedSentence(n, count(n, "price is", "prices are")+" approved, and sent to Upstock now.")
	},
	"refuse": func(n int) string {
		return decidedSentence(n, count(n, "price is", "prices are")+" refused. Upstock keeps what it has.")
	},
	"undo": func(n int) string {
		return decidedSentence(n, count(n, "price waits", "prices wait")+" for your yes again.")
	},
	"again": func(n int) string {
		return decidedSentence(n, count(n, "price is", "prices are")+" asked about again: what Upstock did not take "+
			"is sent now, what somebody said no to waits for your yes.")
	},
}

func decidedSentence(n int, said string) string {
	if n == 0 {
		return "Nothing was decided: these prices are others by now, or somebody else decided."
	}
	return said
}

// decideChangesPage takes what a person says to the chosen changes, and goes back to their list.
func (a *api) decideChangesPage(w http.ResponseWriter, r *http.Request, v visit) error {
	form, err := formOf(w, r)
	if err != nil {
		return err
	}
	ids := form["choice"]
	var d upstockcin7.PriceDecision
	state := upstockcin7.ChangeHeld
	switch form.Get("do") {
	case "approve":
		d.Approve = ids
	case "refuse":
		d.Refuse = ids
	case "undo":
		d.Undo, state = ids, upstockcin7.ChangeRefused
	default:
		return notOurForm()
	}
	back := withQuery(pricesPath(v.Tenant.ID)+"/changes", "state", state)
	if len(ids) == 0 {
		http.Redirect(w, r, saying(back, "said", "unpicked"), http.StatusSeeOther)
		return nil
	}
	if decisionFaults(d) != nil {
		return notOurForm()
	}
	n, run, err := a.Pair.DecidePrices(r.Context(), v.Bundle, d)
	if err != nil {
		return err
	}
	said := form.Get("do")
	if said == "undo" && run != nil { // Upstock had refused some
		said = "again"
	}
	http.Redirect(w, r, saying(back, "said", said, "n", strconv.Itoa(n)), http.StatusSeeOther)
	return nil
}

// previewPage is what a sync of prices would change now.
type previewPage struct {
	Path     string
	Sentence string
	Facts    []fact
	Old, New string
	Rows     []changeRow
	More     string
	Choose   bool // nothing can be chosen
	Sync     string
	Nothing  *nothing
}

// previewShown is how many changes the page shows.
const previewShown = 35

func (a *api) previewPage(w http.ResponseWriter, r *http.Request, v visit) error {
	n, err := a.Pair.CatalogNeeds(r.Context(), v.Bundle)
	if err != nil {
		return err
	}
	p := previewPage{Path: pricesPath(v.Tenant.ID), Nothing: v.unready()}
	if p.Nothing == nil {
		x, err := a.Pair.PreviewPrices(r.Context(), v.Bundle)
		if err != nil {
			return catalogFault(err, noList)
		}
		p = v.pricePreview(x)
	}
	return a.show(w, r, http.StatusOK, "preview", v.catalogFrame(r, "What a sync would change", upstockcin7.JobPrices,
		n, p))
}

// previewWords say what would become of prices, in the order in which it is shown.
var previewWords = []struct{ Key, Label string }{
	{"new", "New prices"}, {"changed", "Changed prices"}, {"gone", "Prices that go"},
	{"held", "Waiting for your yes"}, {"declined", "Not sent, as somebody said no"},
	{"refused", "Not taken by Upstock before"}, {"doubt", "Being looked after"},
}

// firstKept is the first of previewWords whose prices a sync leaves as they are.
const firstKept = 3

// keptPrices says how many prices differ that a sync would leave as they are.
func keptPrices(counts map[string]int) (said []string) {
	for _, w := range []struct{ key, one, many string }{
		{"held", "waits for your yes", "wait for your yes"},
		{"declined", "is not sent, as somebody said no", "are not sent, as somebody said no"},
		{"refused", "was not taken by Upstock", "were not taken by Upstock"},
		{"doubt", "is being looked after", "are being looked after"},
	} {
		if n := counts[w.key]; n > 0 {
			said = append(said, count(n, w.one, w.many))
		}
	}
	return said
}

func (v visit) pricePreview(x upstockcin7.PricePreview) previewPage {
	p := previewPage{Path: pricesPath(v.Tenant.ID), Old: v.priced("Before"), New: v.priced("After")}
	moves := x.Counts["new"] + x.Counts["changed"] + x.Counts["gone"]
	kept := keptPrices(x.Counts)
	switch {
	case x.Partial:
		p.Sentence = "There are more prices than can be compared while you wait. So far " +
			count(moves, "price would change.", "prices would change.")
	case moves == 0 && len(kept) == 0:
		p.Sentence = "Nothing would change: Upstock has the prices that Cin7 Core had when it was last read."
	default:
		p.Sentence = count(moves, "price would change", "prices would change") +
			" in Upstock, by what was last read of Cin7 Core. A sync reads it again first."
	}
	if len(kept) > 0 {
		p.Sentence += " Besides, " + strings.Join(kept, ", ") + "."
	}
	for _, w := range previewWords {
		if n := x.Counts[w.Key]; n > 0 {
			p.Facts = append(p.Facts, fact{w.Label, prose.Count(n)})
		}
	}
	for _, c := range x.Changes[:min(len(x.Changes), previewShown)] {
		row := v.change(c)
		for _, w := range previewWords[firstKept:] {
			if w.Key == c.State {
				row.Why = prose.Within(joined(" ", w.Label+".", row.Why), mostOfWhy)
			}
		}
		p.Rows = append(p.Rows, row)
	}
	if x.More || len(x.Changes) > previewShown {
		p.More = "These are the first. The API shows the first 200 under prices/preview."
	}
	if v.person.Changes() {
		p.Sync = "Sync prices"
	}
	return p
}
