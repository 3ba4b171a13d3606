package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"stockbridge/internal/joorcin7"
	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
)

// What the pages of the catalogue have in common: the runs of its jobs, how a record stands, and the ways between the
// pages.

// runCard is how far a run of one of the catalogue's jobs is, or what came of it.
type runCard struct {
	Sentence    string
	Moving      bool
	Value, Most int    // of its bar; Most 0 = it has none
	Far         string // how far it is, in words
	Why         string // what it waits for, or why it ended
	At          moment // when it ended
	Facts       []fact
	Summary     string // the same in a line
	Address     string // of its own page
}

// runWords are what is said of a run, by its kind: waiting, running, done, stopped.
var runWords = map[string]map[ledger.ProgressState]string{
	upstockcin7.JobProducts: {
		ledger.ProgressWaiting: "Products are to be sent to Upstock",
		ledger.ProgressRunning: "Products are being sent to Upstock",
		ledger.ProgressDone:    "Upstock has the products",
		ledger.ProgressStopped: "Sending products to Upstock has stopped",
	},
	upstockcin7.JobCustomers: {
		ledger.ProgressWaiting: "Customers are to be sent to Upstock",
		ledger.ProgressRunning: "Customers are being sent to Upstock",
		ledger.ProgressDone:    "Upstock has the customers",
		ledger.ProgressStopped: "Sending customers to Upstock has stopped",
	},
	upstockcin7.JobPrices: {
		ledger.ProgressWaiting: "Prices are to be sent to Upstock",
		ledger.ProgressRunning: "Prices are being sent to Upstock",
		ledger.ProgressDone:    "Upstock has the prices",
		ledger.ProgressStopped: "Sending prices to Upstock has stopped",
	},
	joorcin7.JobUpload: joorWords("Customers are to be uploaded to JOOR", "Customers are being uploaded to JOOR",
		"JOOR has the customers, and looks at them", "Uploading customers has stopped"),
	joorcin7.JobUpdate: joorWords("Customers are to be updated in JOOR", "Customers are being updated in JOOR",
		"JOOR has the customers as they are", "Updating customers has stopped"),
	joorcin7.JobDownload: joorWords("JOOR’s connections are to be read", "JOOR’s connections are being read",
		"JOOR’s connections were read", "Reading JOOR’s connections has stopped"),
	joorcin7.JobMatches: joorWords("Matches are to be looked for", "Matches are being looked for",
		"Matches were looked for", "Looking for matches has stopped"),
	joorcin7.JobContacts: joorWords("Cin7 Omni’s customers are to be read", "Cin7 Omni’s customers are being read",
		"Cin7 Omni’s customers were read", "Reading Cin7 Omni’s customers has stopped"),
	joorcin7.JobJOOR: joorWords("JOOR is to be asked what became of customers",
		"JOOR is being asked what became of customers",
		"JOOR was asked what became of customers", "Asking JOOR has stopped"),
}

// joorWords are what is said of a run of JOOR's jobs.
func joorWords(waiting, running, done, stopped string) map[ledger.ProgressState]string {
	return map[ledger.ProgressState]string{ledger.ProgressWaiting: waiting, ledger.ProgressRunning: running,
		ledger.ProgressDone: done, ledger.ProgressStopped: stopped}
}

// otherRun are the words of a run of a kind that has none of its own.
var otherRun = map[ledger.ProgressState]string{
	ledger.ProgressWaiting: "It is to be done", ledger.ProgressRunning: "It is being done",
	ledger.ProgressDone: "It is done", ledger.ProgressStopped: "It has stopped",
}

type resultWord struct{ Key, Label string }

// resultWords say what a run counts, in the order in which it is shown. What is not among them is for programs.
var resultWords = []resultWord{
	{"chosen", "Chosen"}, {"new", "New in Upstock"}, {"changed", "Changed in Upstock"},
	{"gone", "Taken out of Upstock"}, {"linked", "Linked to one that was there"}, {"toLink", "To be linked by you"},
	{"held", "Waiting for your yes"}, {"declined", "Not sent, as you said no"}, {"refused", "Not taken by Upstock"},
	{"pending", "To be decided by Upstock"}, {"doubt", "Being looked after"}, {"left", "Left out"},
}

// joorResults say what a run of JOOR's jobs counts.
var joorResults = []resultWord{
	{"changed", "Changed in Cin7 Omni"}, {"deleted", "Deleted in Cin7 Omni"}, {"uploaded", "In JOOR"},
	{"updated", "Changed in JOOR"}, {"inReview", "In JOOR’s review"}, {"sending", "Being sent"},
	{"refused", "Not taken by JOOR"}, {"leftOut", "Left out"}, {"connections", "Connections in JOOR"},
	{"changedThere", "Changed by people in JOOR"}, {"removedThere", "Taken out by people in JOOR"},
	{"proposed", "To be decided by you"}, {"sure", "Of these, sure"},
}

// resultsOf are the words for a kind of run.
func resultsOf(kind string) []resultWord {
	if slices.Contains(joorKinds, kind) {
		return joorResults
	}
	return resultWords
}

// run is a run as a page shows it.
func (v visit) run(p *ledger.Progress) runCard {
	words, ok := runWords[p.Kind]
	if !ok {
		words = otherRun
	}
	c := runCard{
		Sentence: words[p.State], Moving: p.IsOpen(), Why: v.local(p.Problem), At: v.moment(p.Ended),
		Address: tenantPath(v.Tenant.ID) + "/progress/" + url.PathEscape(p.ID),
	}
	switch {
	case c.Moving && p.Of > 0:
		c.Value, c.Most = min(p.Done, p.Of), p.Of
		c.Far = prose.Count(p.Done) + " of " + prose.Count(p.Of) + " are done."
	case c.Moving && p.Done > 0:
		c.Far = prose.Count(p.Done) + " are done so far."
	}
	var counts []string
	for _, w := range resultsOf(p.Kind) {
		if n := p.Result[w.Key]; n > 0 {
			c.Facts = append(c.Facts, fact{w.Label, prose.Count(n)})
			counts = append(counts, prose.Count(n)+" "+strings.ToLower(w.Label[:1])+w.Label[1:])
		}
	}
	c.Summary = strings.Join(counts, " · ")
	if p.State == ledger.ProgressDone && (len(p.Left) > 0 || p.Result["refused"] > 0) {
		c.Sentence += ", but for some"
	}
	return c
}

// lastRun is the last run of a kind; nil = there was none.
func (v visit) lastRun(n upstockcin7.CatalogNeeds, kind string) *runCard {
	for _, p := range n.Runs {
		if p.Kind == kind {
			c := v.run(p)
			return &c
		}
	}
	return nil
}

// showWithRun shows a page of the catalogue with the last run on top, and has it look again while that goes on.
func (a *api) showWithRun(w http.ResponseWriter, r *http.Request, name string, f frame, run *runCard) error {
	f.Moving = run != nil && run.Moving
	return a.show(w, r, http.StatusOK, name, f)
}

// standing is how a record stands with Upstock, in a word.
type standing struct {
	State     string
	Good, Bad bool
	Why       string
	At        moment // when Upstock last said that it has it
}

// standingWords are the states of records, but for those that are as they should be.
var standingWords = map[string]standing{
	"held":     {State: "Waits for your yes", Bad: true},
	"approved": {State: "Is sent soon"},
	"declined": {State: "Not sent, as you said no"},
	"refused":  {State: "Not taken", Bad: true},
	"pending":  {State: "Upstock decides"},
	"doubt":    {State: "Being looked after"},
}

func (v visit) standing(s upstockcin7.Standing, why string) standing {
	w, ok := standingWords[s.State]
	switch {
	case ok:
	case s.Has:
		w = standing{State: "In Upstock", Good: true}
	default:
		w = standing{State: "Not sent yet"}
	}
	w.Why, w.At = prose.Within(v.local(cmp.Or(s.Why, why)), mostOfWhy), v.moment(s.At)
	return w
}

// priceText is a price as a page says it.
func priceText(d *decimal.Decimal) string {
	if d == nil {
		return "no price"
	}
	return listPriceText(*d)
}

// currency is the account's, in which all prices are; "" = it is not known.
func (v visit) currency() string { return v.Connections[tenant.Cin7Core].Currency }

// priced is a column's name with the currency of what stands in it.
func (v visit) priced(name string) string {
	if c := v.currency(); c != "" {
		return name + " (" + c + ")"
	}
	return name
}

// withQuery is an address with those parameters that are not empty.
func withQuery(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// nothing says why a list is empty, and what to do.
type nothing struct{ Why, Do, Address string }

// unready says what is missing before anything of the catalogue can be done; nil = nothing is.
func (v visit) unready() *nothing { return v.unconnected(upstockcin7.Systems()) }

// unconnected says which of some systems is missing, and where it is connected; nil = none is.
func (v visit) unconnected(systems []tenant.System) *nothing {
	why := v.Ready(systems...)
	if why == "" {
		return nil
	}
	n := &nothing{Why: why}
	if v.person.Changes() {
		n.Do, n.Address = "Go to Integrations", integrationsPath(v.Tenant.ID)
	}
	return n
}

// The pages of the catalogue.
func productsPath(tenantID string) string  { return tenantPath(tenantID) + "/products" }
func customersPath(tenantID string) string { return tenantPath(tenantID) + "/customers" }
func pricesPath(tenantID string) string    { return tenantPath(tenantID) + "/prices" }

func productPath(tenantID, id string) string {
	return productsPath(tenantID) + "/" + url.PathEscape(id)
}

func customerPath(tenantID, id string) string {
	return customersPath(tenantID) + "/" + url.PathEscape(id)
}

func listPath(tenantID, id string) string {
	return pricesPath(tenantID) + "/lists/" + url.PathEscape(id)
}

// catalogFrame begins a page of one part of the catalogue, with the ways to the part's other pages.
func (v visit) catalogFrame(r *http.Request, title, kind string, n upstockcin7.CatalogNeeds, page any) frame {
	f := v.frame(r, title, page)
	base := tenantPath(v.Tenant.ID)
	switch kind {
	case upstockcin7.JobProducts:
		f.SectionsOf = "Products"
		f.Sections = []menuItem{{Label: "Imported", Address: base + "/products"},
			{Label: "Import products", Address: base + "/products/import"}}
	case upstockcin7.JobCustomers:
		f.SectionsOf = "Customers"
		f.Sections = []menuItem{{Label: "Imported", Address: base + "/customers"},
			{Label: "To be linked", Address: base + "/customers?list=" + upstockcin7.ToLink, Count: upTo(n.ToLink)},
			{Label: "Inactive", Address: base + "/customers?list=" + upstockcin7.Inactive},
			{Label: "Import customers", Address: base + "/customers/import"}}
	case upstockcin7.JobPrices:
		f.SectionsOf = "Prices"
		f.Sections = []menuItem{{Label: "Price lists", Address: base + "/prices"},
			{Label: "Price changes", Address: base + "/prices/changes", Count: upTo(n.Held)},
			{Label: "Explain a price", Address: base + "/prices/explain"}}
	}
	here := r.URL.Path
	if list := r.URL.Query().Get("list"); here == base+"/customers" && list != "" && list != upstockcin7.Imported {
		here += "?list=" + list
	}
	for i := range f.Sections {
		f.Sections[i].Here = f.Sections[i].Address == here
	}
	return f
}

// mostNeeds is up to where the pair counts what needs a person.
const mostNeeds = 100

// upTo is a number that is counted up to a most; "" = none.
func upTo(n int) string {
	switch {
	case n == 0:
		return ""
	case n >= mostNeeds:
		return "100 or more"
	}
	return prose.Count(n)
}

// catalogCards are what of the catalogue needs a person.
func (a *api) catalogCards(r *http.Request, v visit) (cards []lackCard, err error) {
	if !v.usesCatalog() {
		return nil, nil
	}
	n, err := a.Pair.CatalogNeeds(r.Context(), v.Bundle)
	if err != nil {
		return nil, err
	}
	return v.catalogNeeds(n), nil
}

func (v visit) catalogNeeds(n upstockcin7.CatalogNeeds) (cards []lackCard) {
	if n.Held > 0 {
		cards = append(cards, lackCard{heldSentence(n.Held), "They go to Upstock when somebody says yes.",
			"Look at the price changes", pricesPath(v.Tenant.ID) + "/changes"})
	}
	if n.ToLink > 0 {
		cards = append(cards, lackCard{linkSentence(n.ToLink), "They are sent when it is known which they are.",
			"Say which they are", customersPath(v.Tenant.ID) + "?list=" + upstockcin7.ToLink})
	}
	return append(cards, v.refusedCards(n)...)
}

// refusedCards say what Upstock did not take, each with the way to the reasons.
func (v visit) refusedCards(n upstockcin7.CatalogNeeds) (cards []lackCard) {
	for _, of := range []struct{ kind, one, many, page string }{
		{upstockcin7.JobProducts, "product was", "products were", productsPath(v.Tenant.ID)},
		{upstockcin7.JobCustomers, "customer was", "customers were", customersPath(v.Tenant.ID)},
		{upstockcin7.JobPrices, "price was", "prices were",
			pricesPath(v.Tenant.ID) + "/changes?state=" + upstockcin7.ChangeRefused},
	} {
		lacks := n.RefusedOf[of.kind]
		if lacks == 0 {
			continue
		}
		said := count(lacks, of.one, of.many)
		if lacks >= mostNeeds {
			said = "100 or more " + of.many
		}
		card := lackCard{said + " not taken by Upstock",
			"Each is listed with the reason. Put it right in Cin7 Core: it is sent again by itself.",
			"Look at the reasons", of.page}
		if run := v.lastRun(n, of.kind); run != nil && of.kind != upstockcin7.JobPrices {
			card.Address = run.Address
		}
		cards = append(cards, card)
	}
	return cards
}

// linkSentence says how many customers Upstock may have already.
func linkSentence(n int) string {
	if n >= mostNeeds {
		return "100 customers or more may be in Upstock already"
	}
	return count(n, "customer", "customers") + " may be in Upstock already"
}

// syncPage starts a run of the catalogue's jobs, or joins the one that is under way, and goes on to its page.
func (a *api) syncPage(kind string) func(http.ResponseWriter, *http.Request, visit) error {
	return func(w http.ResponseWriter, r *http.Request, v visit) error {
		if err := catalogReady(v.Bundle); err != nil {
			return err
		}
		p, err := a.Pair.SyncCatalog(r.Context(), v.Bundle, kind)
		if err != nil {
			return err
		}
		toRun(w, r, v, p)
		return nil
	}
}

// toRun goes on to the page of a run.
func toRun(w http.ResponseWriter, r *http.Request, v visit, p *ledger.Progress) {
	http.Redirect(w, r, v.run(p).Address, http.StatusSeeOther)
}

// historyLine is something that happened to a record.
type historyLine struct {
	At       moment
	Text, By string
}

// historyOf is a record's history, of either pair's notes.
func historyOf[N noted](v visit, notes []N) (lines []historyLine) {
	for _, n := range notes[:min(len(notes), entriesShown)] {
		n := upstockcin7.CatalogNote(n)
		lines = append(lines, historyLine{v.moment(n.At), prose.Within(v.local(n.Text), mostOfEvent), n.By})
	}
	return lines
}

// bothSides is a record as it should be over there, and as it is.
type bothSides struct {
	Ours, Theirs string // the systems
	Fields       []fieldLine
	Known        moment // since when theirs is known; zero = nothing is said of it
}

type fieldLine struct {
	Name, Ours, Theirs string
	Differs            bool
}

// mostOfField is how many characters of a field are shown.
const mostOfField = 300

func sidesOf(fields []upstockcin7.CatalogField) bothSides {
	s := bothSides{Ours: tenant.Cin7Core.Title(), Theirs: tenant.Upstock.Title()}
	for _, f := range fields {
		s.Fields = append(s.Fields, fieldLine{f.Name, prose.Within(f.Cin7Core, mostOfField),
			prose.Within(f.Upstock, mostOfField), f.Cin7Core != f.Upstock})
	}
	return s
}

// trimmed is a person's text without blanks around it.
func trimmed(q url.Values, name string) string { return strings.TrimSpace(q.Get(name)) }
