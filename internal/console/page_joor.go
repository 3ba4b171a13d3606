package console

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"stockbridge/internal/joorcin7"
	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
)

// joorPage is what is known of customers in JOOR, and what can be done.
type joorPage struct {
	Run     *runCard // what is under way; nil = nothing is
	Tiles   []joorTile
	Read    moment // when Cin7 Omni was last read
	Sync    string // where the button goes that reads it now; "" = the person may not
	Ask     string // and that asks JOOR
	Nothing *nothing
}

// joorTile leads to a list.
type joorTile struct{ Label, Count, Text, Address string }

// The pages of JOOR.
func joorPath(tenantID string) string { return tenantPath(tenantID) + "/joor" }

func joorCustomerPath(tenantID, contact string) string {
	return joorPath(tenantID) + "/" + url.PathEscape(contact)
}

func joorSettingsPath(tenantID string) string { return tenantPath(tenantID) + "/settings/joor" }

// uses reports whether a tenant has one of some systems, however well it is connected.
func uses(b tenant.Bundle, systems []tenant.System) bool {
	for _, sys := range systems {
		if _, ok := b.Connections[sys]; ok {
			return true
		}
	}
	return false
}

// joorFrame begins a page of JOOR, with the ways to the others.
func (v visit) joorFrame(r *http.Request, title string, counts map[joorcin7.List]int, page any) frame {
	f := v.frame(r, title, page)
	f.SectionsOf = "JOOR"
	at := joorPath(v.Tenant.ID)
	number := func(l joorcin7.List) string {
		if counts[l] == 0 {
			return ""
		}
		return prose.Count(counts[l])
	}
	f.Sections = []menuItem{
		{Label: "Customers", Address: at},
		{Label: "Upload Customers", Address: at + "/upload", Count: number(joorcin7.ListUpload)},
		{Label: "Update Customers", Address: at + "/update", Count: number(joorcin7.ListUpdate)},
		{Label: "Match Customers", Address: at + "/match"},
		{Label: "In review", Address: at + "/review", Count: number(joorcin7.ListReview)},
		{Label: "Linked", Address: at + "/linked", Count: number(joorcin7.ListLinked)},
		{Label: "JOOR only", Address: at + "/only"},
	}
	for i := range f.Sections {
		f.Sections[i].Here = f.Sections[i].Address == r.URL.Path
	}
	return f
}

// joorCounts says how many customers each list has, and since when that is known.
func (a *api) joorCounts(r *http.Request, v visit) (joorcin7.CustomerPage, error) {
	return a.JOOR.Customers(r.Context(), v.Tenant.ID, joorcin7.Query{List: joorcin7.ListReview, Limit: 1})
}

// joorUnready says what is missing before anything of JOOR can be done; nil = nothing is.
func (v visit) joorUnready() *nothing { return v.unconnected(joorcin7.Systems()) }

// joorKinds are the kinds of long work that JOOR's pages show.
var joorKinds = []string{joorcin7.JobUpload, joorcin7.JobUpdate, joorcin7.JobDownload, joorcin7.JobMatches,
	joorcin7.JobContacts, joorcin7.JobJOOR}

// joorRun is the last run of one of some kinds, one that is under way before one that is not; nil = there is none.
func (a *api) joorRun(r *http.Request, v visit, kinds ...string) (*runCard, error) {
	var last *ledger.Progress
	for _, kind := range kinds {
		p, err := a.Ledger.LastProgress(r.Context(), v.Tenant.ID, kind)
		if errors.Is(err, ledger.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if last == nil || p.IsOpen() && !last.IsOpen() || p.IsOpen() == last.IsOpen() && p.Asked.After(last.Asked) {
			last = p
		}
	}
	if last == nil {
		return nil, nil
	}
	card := v.run(last)
	return &card, nil
}

func (a *api) joorPage(w http.ResponseWriter, r *http.Request, v visit) error {
	customers, err := a.joorCounts(r, v)
	if err != nil {
		return err
	}
	matches, err := a.JOOR.Matches(r.Context(), v.Tenant.ID, joorcin7.MatchQuery{Limit: 1})
	if err != nil {
		return err
	}
	needs, err := a.JOOR.Needs(r.Context(), v.Bundle)
	if err != nil {
		return err
	}
	p := joorPage{Read: v.moment(customers.Read), Nothing: v.joorUnready()}
	if p.Run, err = a.joorRun(r, v, joorKinds...); err != nil {
		return err
	}
	at := joorPath(v.Tenant.ID)
	if p.Nothing == nil && v.person.Changes() {
		p.Sync, p.Ask = at+"/contacts", at+"/look"
	}
	tile := func(label, page, text string, n int) {
		p.Tiles = append(p.Tiles, joorTile{label, prose.Count(n), text, at + page})
	}
	upload := "active in Cin7 Omni and not in JOOR"
	if needs.LeftOut > 0 {
		upload += "; " + count(needs.LeftOut, "cannot", "cannot") + " be sent as they are"
	}
	tile("Upload Customers", "/upload", upload, customers.Counts[joorcin7.ListUpload])
	tile("Update Customers", "/update", "changed in Cin7 Omni since JOOR had them",
		customers.Counts[joorcin7.ListUpdate])
	tile("Match Customers", "/match", "may be in JOOR already", matches.Counts[joorcin7.MatchProposed])
	review := "looked at by JOOR"
	if needs.Overdue > 0 {
		review += ", " + prose.Count(needs.Overdue) + " for longer than JOOR says"
	}
	tile("In review", "/review", review, customers.Counts[joorcin7.ListReview])
	tile("Linked", "/linked", "kept up in JOOR", customers.Counts[joorcin7.ListLinked])
	return a.showWithRun(w, r, "joor", v.joorFrame(r, "JOOR", customers.Counts, p), p.Run)
}

// joorSync starts a job of JOOR's, and goes on to its page.
func (a *api) joorSync(kind string) func(http.ResponseWriter, *http.Request, visit) error {
	return func(w http.ResponseWriter, r *http.Request, v visit) error {
		var p *ledger.Progress
		var err error
		switch actor := ledger.ActorOf(r.Context()); kind {
		case joorcin7.JobDownload:
			p, err = a.JOOR.DownloadConnections(r.Context(), v.Tenant.ID, actor)
		case joorcin7.JobMatches:
			p, err = a.JOOR.FindMatches(r.Context(), v.Tenant.ID, actor)
		default:
			if err := ready(v.Bundle, joorcin7.Systems()); err != nil {
				return err
			}
			p, err = a.JOOR.Sync(r.Context(), v.Bundle, kind)
		}
		if err != nil {
			return joorFault(err, noContact)
		}
		toRun(w, r, v, p)
		return nil
	}
}

// joorListPage is one of the lists of customers.
type joorListPage struct {
	Path, Query, Sort string
	Run               *runCard
	Good              string // what the list is
	Fault             string // why nothing was sent just now
	Off               string // that sending is switched off; "" = it is not, or nothing is sent from here
	OffAt             string
	XLSX, CSV         string // addresses of the list as a file
	Headings          []joorHeading
	Rows              []joorRow
	Choose            bool
	One, Many, Chosen string // what the buttons say
	All               string // what the button says that sends all that are found; "" = there is none
	Due               bool   // there is a column for it
	Next, Further     string
	Nothing           *nothing
}

// joorHeading is a column by which the list can be ordered.
type joorHeading struct {
	Label, Address string
	Order          string // ascending, descending; "" = it is not ordered by this
}

// joorRow is a customer in a list.
type joorRow struct {
	ID, Name, Address string
	Person, Email     string
	AccountNumber     string
	Choice            string // "" = it cannot be sent
	State, Why        string
	Good, Bad         bool
	Due               moment
	Overdue           string
	Code              string
}

// joorLists are what the pages of the lists say.
var joorLists = map[joorcin7.List]struct{ Title, Kind, Good, Empty string }{
	joorcin7.ListUpload: {"Upload Customers", joorcin7.JobUpload,
		"Customers that are active in Cin7 Omni and not in JOOR yet. JOOR’s data team looks at each new one, which " +
			"takes it some days. Match customers first if JOOR has some of them already.",
		"Every active customer of Cin7 Omni is in JOOR, or on its way there."},
	joorcin7.ListUpdate: {"Update Customers", joorcin7.JobUpdate,
		"Customers that JOOR has, and that changed in Cin7 Omni since. A change of what JOOR does not hold is not " +
			"listed.",
		"JOOR has all linked customers as they are in Cin7 Omni."},
	joorcin7.ListReview: {"In review", "",
		"Customers that were sent and that JOOR’s data team looks at. The date is by when JOOR says it is done.",
		"No customer waits for JOOR’s review."},
	joorcin7.ListLinked: {"Linked", "", "Customers that JOOR has, and that are kept up there.",
		"No customer is linked with JOOR yet. Upload some, or match those that JOOR has already."},
}

// joorStates say how a customer stands.
var joorStates = map[string]joorRow{
	joorcin7.StateNew:      {State: "Not in JOOR"},
	joorcin7.StateQueued:   {State: "Is sent soon"},
	joorcin7.StateSending:  {State: "Being sent"},
	joorcin7.StateReview:   {State: "In review"},
	joorcin7.StateLinked:   {State: "In JOOR", Good: true},
	joorcin7.StateChanged:  {State: "Changed"},
	joorcin7.StateLeftOut:  {State: "Left out", Bad: true},
	joorcin7.StateRefused:  {State: "Not taken", Bad: true},
	joorcin7.StateInactive: {State: "Inactive"},
	joorcin7.StateDeleted:  {State: "Deleted in Cin7 Omni"},
}

func (a *api) joorListPage(l joorcin7.List) func(http.ResponseWriter, *http.Request, visit) error {
	return func(w http.ResponseWriter, r *http.Request, v visit) error {
		return a.showJOORList(w, r, v, http.StatusOK, l, r.URL.Query(), "")
	}
}

// joorListFile is one of the lists as a file, with what its page shows.
func (a *api) joorListFile(l joorcin7.List) func(http.ResponseWriter, *http.Request, visit) error {
	return func(w http.ResponseWriter, r *http.Request, v visit) error {
		q, err := joorQuery(r.URL.Query())
		if err != nil {
			return err
		}
		q.List = l
		return a.joorFile(w, r, v.Bundle, q)
	}
}

// showJOORList shows one of the lists; fault is why nothing was sent just now.
func (a *api) showJOORList(
	w http.ResponseWriter, r *http.Request, v visit, status int, l joorcin7.List, asked url.Values, fault string,
) error {
	q, err := joorQuery(asked)
	if err != nil {
		return err
	}
	q.List, q.Limit = l, catalogShown
	found, err := a.JOOR.Customers(r.Context(), v.Tenant.ID, q)
	if err != nil {
		return joorFault(err, noContact)
	}
	p := v.joorList(found, q)
	p.Fault = fault
	if kind := joorLists[l].Kind; kind != "" {
		if p.Run, err = a.joorRun(r, v, kind); err != nil {
			return err
		}
		if p.Off = joorcin7.Off(v.Bundle, kind); p.Off != "" {
			p.Choose, p.All, p.OffAt = false, "", joorSettingsPath(v.Tenant.ID)
		}
	}
	f := v.joorFrame(r, joorLists[l].Title, found.Counts, p)
	f.Moving, f.Scripted = p.Run != nil && p.Run.Moving, p.Choose
	return a.show(w, r, status, "joorlist", f)
}

func (v visit) joorList(found joorcin7.CustomerPage, q joorcin7.Query) joorListPage {
	words := joorLists[q.List]
	p := joorListPage{
		Path: joorPath(v.Tenant.ID) + "/" + string(q.List), Query: q.Q, Sort: q.Sort, Good: words.Good,
		Due: q.List == joorcin7.ListReview,
	}
	p.XLSX = withQuery(p.Path+".xlsx", "q", q.Q, "sort", q.Sort)
	p.CSV = withQuery(p.Path+".csv", "q", q.Q, "sort", q.Sort)
	for _, h := range [][2]string{{"Customer", "company"}, {"Person", "name"}, {"E-mail", "email"},
		{"Account number", "accountNumber"}, {"State", "state"}, {"By", "due"}} {
		if h[1] == "due" && !p.Due {
			continue
		}
		heading := joorHeading{Label: h[0]}
		next := h[1]
		switch cmp.Or(q.Sort, "company") {
		case h[1]:
			heading.Order, next = "ascending", "-"+h[1]
		case "-" + h[1]:
			heading.Order = "descending"
		}
		heading.Address = withQuery(p.Path, "q", q.Q, "sort", next)
		p.Headings = append(p.Headings, heading)
	}
	may := v.person.Changes() && v.joorUnready() == nil && words.Kind != ""
	for _, c := range found.Items {
		row := v.joorRow(c)
		if may && c.State != joorcin7.StateQueued && c.State != joorcin7.StateLeftOut {
			row.Choice, p.Choose = c.ID, true
		}
		p.Rows = append(p.Rows, row)
	}
	verb := strings.TrimSuffix(words.Title, " Customers")
	p.One, p.Many, p.Chosen = verb+" 1 customer", verb+" # customers", verb+" the chosen customers"
	if may && (p.Choose || found.Next != "" || q.After != "") { // else nobody in the list can be sent
		p.All = verb + " all " + prose.Count(found.Of) + " that are found"
		if q.Q == "" {
			p.All = verb + " all " + prose.Count(found.Of)
		}
	}
	if found.Next != "" {
		p.Next, p.Further = withQuery(p.Path, "q", q.Q, "sort", q.Sort, "after", found.Next), further(len(p.Rows))
	}
	if p.Nothing = v.joorUnready(); p.Nothing == nil && len(p.Rows) == 0 {
		p.Nothing = v.noJOOR(found, q, words.Empty)
	}
	return p
}

// noJOOR says why a list is empty.
func (v visit) noJOOR(found joorcin7.CustomerPage, q joorcin7.Query, empty string) *nothing {
	switch {
	case q.After != "":
		return &nothing{Why: "There are no more."}
	case q.Q != "":
		return &nothing{Why: "No customer here has this in its company, name, e-mail address or account number. " +
			"Look for a part of a word."}
	case found.Read.IsZero():
		return &nothing{Why: "The customers of Cin7 Omni are being read for the first time. Look again in a moment."}
	}
	return &nothing{Why: empty}
}

func (v visit) joorRow(c joorcin7.Customer) joorRow {
	row, ok := joorStates[c.State]
	if !ok {
		row.State = c.State
	}
	row.ID, row.Address = c.ID, joorCustomerPath(v.Tenant.ID, c.ID)
	row.Name = prose.Within(cmp.Or(c.Company, c.Name, c.Email, "Customer "+c.ID), mostOfName)
	row.Person, row.Email = prose.Within(c.Name, mostOfName), prose.Within(c.Email, mostOfName)
	row.AccountNumber, row.Code = prose.Within(c.AccountNumber, 60), prose.Within(c.Code, 60)
	row.Why, row.Due = prose.Within(v.local(c.Why), mostOfField), v.moment(c.Due)
	if c.Overdue {
		row.Overdue = "overdue"
	}
	return row
}

// sendForm sends whom a person chose, or everybody whom a search finds, and goes on to the page that shows how far it
// is.
func (a *api) sendForm(l joorcin7.List) func(http.ResponseWriter, *http.Request, visit) error {
	return func(w http.ResponseWriter, r *http.Request, v visit) error {
		s, form, err := chosenRecords(w, r, tenant.Cin7Omni)
		if err != nil {
			return err
		}
		if len(s.IDs) == 0 && !s.All {
			return unchosen(w, r)
		}
		c := joorcin7.Choice{IDs: s.IDs, All: s.All, Q: s.Q}
		p, err := a.sendThose(r, v.Bundle, joorLists[l].Kind, c)
		if why, ok := errors.AsType[*problem](err); ok && why.Status == http.StatusConflict {
			return a.showJOORList(w, r, v, http.StatusConflict, l, url.Values{"q": {trimmed(form, "q")}}, why.Detail)
		}
		if err != nil {
			return err
		}
		toRun(w, r, v, p)
		return nil
	}
}

// joorOnlyPage is JOOR's connections that no customer is linked to.
type joorOnlyPage struct {
	Path, Query string
	XLSX, CSV   string
	Read        moment
	Rows        []joorRow
	Next        string
	Further     string
	Download    string // where the button goes that reads them; "" = the person may not
	Nothing     *nothing
}

func (a *api) joorOnlyPage(w http.ResponseWriter, r *http.Request, v visit) error {
	q, err := onlyQuery(r.URL.Query())
	if err != nil {
		return err
	}
	q.Limit = catalogShown
	found, err := a.JOOR.Only(r.Context(), v.Tenant.ID, q)
	if err != nil {
		return joorFault(err, noContact)
	}
	p := joorOnlyPage{Path: joorPath(v.Tenant.ID) + "/only", Query: q.Q, Read: v.moment(found.Read),
		Nothing: v.joorUnready()}
	p.XLSX, p.CSV = withQuery(p.Path+".xlsx", "q", q.Q), withQuery(p.Path+".csv", "q", q.Q)
	for _, c := range found.Items {
		x := onlyItemOf(c)
		p.Rows = append(p.Rows, joorRow{Name: prose.Within(cmp.Or(x.Name, "Connection "+c.ID), mostOfName),
			Person: prose.Within(x.Buyer, mostOfName), Email: prose.Within(x.Email, mostOfName),
			Code: prose.Within(text(x.Code), 60), State: prose.Within(x.City, mostOfName)})
	}
	if found.Next != "" {
		p.Next, p.Further = withQuery(p.Path, "q", q.Q, "after", found.Next), further(len(p.Rows))
	}
	if p.Nothing == nil && v.person.Changes() {
		p.Download = joorPath(v.Tenant.ID) + "/match/download"
	}
	if p.Nothing == nil && len(p.Rows) == 0 {
		p.Nothing = &nothing{Why: "Every connection in JOOR is a customer of Cin7 Omni."}
		switch {
		case q.Q != "":
			p.Nothing.Why = "No connection here has this in its name, code or e-mail address."
		case found.Read.IsZero():
			p.Nothing.Why = "JOOR’s connections were not read in the last 7 days. Download Contacts reads them."
		}
	}
	counts, err := a.joorCounts(r, v)
	if err != nil {
		return err
	}
	return a.show(w, r, http.StatusOK, "jooronly", v.joorFrame(r, "JOOR only", counts.Counts, p))
}

// joorCustomerPage is one customer: how it stands, its fields on both sides, and its history.
type joorCustomerPage struct {
	joorRow
	Inactive bool
	LeftOut  []string
	Sides    bothSides
	Facts    []fact
	Match    *joorMatchRow // by which it was linked
	Unmatch  string        // address of the page that asks; "" = it was not matched, or the person may not
	Proposed *matchCard
	History  []historyLine
}

func (a *api) joorCustomerPage(w http.ResponseWriter, r *http.Request, v visit) error {
	x, err := a.joorCustomerView(r, v.Bundle)
	if err != nil {
		return err
	}
	p := joorCustomerPage{joorRow: v.joorRow(x.Customer), Inactive: !x.Active, History: historyOf(v, x.History)}
	for _, f := range x.Faults {
		p.LeftOut = append(p.LeftOut, prose.Within(f, mostOfField))
	}
	p.Sides = bothSides{Ours: tenant.Cin7Omni.Title(), Theirs: tenant.JOOR.Title(), Known: v.moment(x.Told)}
	for _, f := range x.Fields {
		p.Sides.Fields = append(p.Sides.Fields, fieldLine{f.Name, prose.Within(f.Ours, mostOfField),
			prose.Within(f.Theirs, mostOfField), f.Differs})
	}
	p.Facts = []fact{{"Id in Cin7 Omni", x.ID}}
	if x.Code != "" {
		p.Facts = append(p.Facts, fact{"Customer code in JOOR", prose.Within(x.Code, 60)})
	}
	if x.Connection != "" {
		p.Facts = append(p.Facts, fact{"Connection in JOOR", x.Connection})
	}
	if x.Match != nil {
		row := v.joorMatchRow(*x.Match)
		p.Match = &row
		if v.person.Changes() {
			p.Unmatch = joorPath(v.Tenant.ID) + "/match/" + url.PathEscape(x.ID) + "/undo"
		}
	} else if x.Proposed != nil {
		card := v.joorMatchCard(*x.Proposed)
		p.Proposed = &card
	}
	counts, err := a.joorCounts(r, v)
	if err != nil {
		return err
	}
	return a.show(w, r, http.StatusOK, "joorcustomer", v.joorFrame(r, p.Name, counts.Counts, p))
}

// joorMatchPage is what may be in JOOR already.
type joorMatchPage struct {
	Path, Query string
	Run         *runCard
	Downloaded  moment
	Download    string // where the buttons go; "" = the person may not
	Find        string
	Done        string
	Tabs        []menuItem
	State       string
	Sure        string // what the button says that accepts all that are sure; "" = there are none
	Scores      []option
	Rows        []joorMatchRow
	Cards       []matchCard // those where a person has to say which one it is
	Choose      bool
	Next        string
	Further     string
	Nothing     *nothing
}

// joorMatchRow is a customer and a connection.
type joorMatchRow struct {
	ID, Name, Address string
	Theirs, Code      string // the connection
	Score, Reasons    string
	Sure              bool
	Choice            string
	By                string
	At                moment
	Undo              string // address of the page that asks
	Rejected          bool
}

const matchesShown = 50

func (a *api) joorMatchPage(w http.ResponseWriter, r *http.Request, v visit) error {
	q, err := matchQuery(r.URL.Query())
	if _, refused := errors.AsType[tenant.FieldErrors](err); refused {
		return notFound()
	}
	if err != nil {
		return err
	}
	q.Limit = matchesShown
	found, err := a.JOOR.Matches(r.Context(), v.Tenant.ID, q)
	if err != nil {
		return joorFault(err, noContact)
	}
	p := v.joorMatches(found, q)
	if p.Run, err = a.joorRun(r, v, joorcin7.JobDownload, joorcin7.JobMatches); err != nil {
		return err
	}
	counts, err := a.joorCounts(r, v)
	if err != nil {
		return err
	}
	f := v.joorFrame(r, "Match Customers", counts.Counts, p)
	f.Moving, f.Scripted = p.Run != nil && p.Run.Moving, p.Choose
	return a.show(w, r, http.StatusOK, "joormatch", f)
}

// matchTabs are the states of matches in words.
var matchTabs = [][2]string{{joorcin7.MatchProposed, "To decide"}, {joorcin7.MatchAccepted, "Accepted"},
	{joorcin7.MatchRejected, "Not the same"}}

func (v visit) joorMatches(found joorcin7.MatchPage, q joorcin7.MatchQuery) joorMatchPage {
	at := joorPath(v.Tenant.ID)
	p := joorMatchPage{Path: at + "/match", Query: q.Q, Downloaded: v.moment(found.Downloaded), State: q.State,
		Done:    at,
		Nothing: v.joorUnready()}
	may := v.person.Changes() && p.Nothing == nil
	if may {
		p.Download = p.Path + "/download"
		if !found.Downloaded.IsZero() {
			p.Find = p.Path + "/find"
		}
	}
	for _, t := range matchTabs {
		address := p.Path
		if t[0] != matchStates[0] {
			address = withQuery(p.Path, "state", t[0])
		}
		item := menuItem{Label: t[1], Address: address, Here: t[0] == q.State}
		if n := found.Counts[t[0]]; n > 0 {
			item.Count = prose.Count(n)
		}
		p.Tabs = append(p.Tabs, item)
	}
	if n := found.Counts["sure"]; may && n > 0 && q.State == joorcin7.MatchProposed {
		p.Sure = "Accept " + count(n, "sure match", "sure matches")
		for _, percent := range []string{"95", "90", "85", "80", "75"} {
			p.Scores = append(p.Scores, option{percent, percent + " %", percent == "95"})
		}
	}
	for _, m := range found.Items {
		if m.Connection == nil {
			card := v.joorMatchCard(m)
			card.Key = strconv.Itoa(len(p.Cards) + 1)
			p.Cards = append(p.Cards, card)
			continue
		}
		row := v.joorMatchRow(m)
		if may && q.State == joorcin7.MatchProposed {
			row.Choice, p.Choose = m.Contact.ID+"/"+m.Connection.ID, true
		}
		if may && q.State == joorcin7.MatchAccepted {
			row.Undo = p.Path + "/" + url.PathEscape(m.Contact.ID) + "/undo"
		}
		p.Rows = append(p.Rows, row)
	}
	if found.Next != "" {
		p.Next = withQuery(p.Path, "state", q.State, "q", q.Q, "after", found.Next)
		p.Further = further(len(found.Items))
	}
	if p.Nothing == nil && len(found.Items) == 0 {
		p.Nothing = noMatches(found, q)
	}
	return p
}

func noMatches(found joorcin7.MatchPage, q joorcin7.MatchQuery) *nothing {
	switch {
	case q.Q != "" || q.After != "":
		return &nothing{Why: "No match here has this in the customer or the connection."}
	case q.State == joorcin7.MatchAccepted:
		return &nothing{Why: "No match was accepted yet."}
	case q.State == joorcin7.MatchRejected:
		return &nothing{Why: "Nobody has said of any that they are not the same."}
	case found.Downloaded.IsZero():
		return &nothing{Why: "Press Download Contacts first: it reads JOOR’s connections and keeps them here for 7 " +
			"days. They do not become customers of Cin7 Omni."}
	}
	return &nothing{Why: "Nothing waits to be decided. Match customers looks for customers among JOOR’s connections."}
}

func (v visit) joorMatchRow(m joorcin7.Match) joorMatchRow {
	row := joorMatchRow{
		ID: m.Contact.ID, Name: prose.Within(cmp.Or(m.Contact.Company, "Customer "+m.Contact.ID), mostOfName),
		Address: joorCustomerPath(v.Tenant.ID, m.Contact.ID), Score: alikeBy(m.Score),
		Reasons: prose.Within(strings.Join(m.Reasons, " "), mostOfField), Sure: m.Sure, By: m.By, At: v.moment(m.At),
		Rejected: m.State == joorcin7.MatchRejected,
	}
	if c := m.Connection; c != nil {
		row.Theirs, row.Code = prose.Within(cmp.Or(c.Name, "Connection "+c.ID), mostOfName), prose.Within(c.Code, 60)
	}
	return row
}

func alikeBy(score float64) string { return strconv.Itoa(int(score*100+0.5)) + " %" }

// joorMatchCard is a match of which a person says which connection it is.
func (v visit) joorMatchCard(m joorcin7.Match) matchCard {
	card := matchCard{
		Name:    prose.Within(cmp.Or(m.Contact.Company, "Customer "+m.Contact.ID), mostOfName),
		Address: joorCustomerPath(v.Tenant.ID, m.Contact.ID), Key: "1",
		Question: "Which connection in JOOR is it?", Yes: "Accept",
	}
	if v.person.Changes() {
		card.Post = joorPath(v.Tenant.ID) + "/match/" + url.PathEscape(m.Contact.ID)
	}
	all := m.Candidates
	if m.Connection != nil {
		all = append([]joorcin7.Candidate{{ConnectionRef: *m.Connection, Score: m.Score, Reasons: m.Reasons}}, all...)
	}
	for _, c := range all[:min(len(all), candidatesShown)] {
		card.Candidates = append(card.Candidates, candidateLine{
			Theirs: c.ID, Name: prose.Within(cmp.Or(c.Name, "Connection "+c.ID), mostOfName), Score: alikeBy(c.Score),
			Facts: prose.Within(c.Code, 60), Reasons: prose.Within(strings.Join(c.Reasons, " "), mostOfWhy),
			First: m.Connection != nil && c.ID == m.Connection.ID,
		})
	}
	return card
}

// decideMatchesForm takes a person's yes or no to those that were chosen, or to all from a score on.
func (a *api) decideMatchesForm(w http.ResponseWriter, r *http.Request, v visit) error {
	form, err := formOf(w, r)
	if err != nil {
		return err
	}
	d, err := a.decisionOf(r, v, form)
	if err != nil {
		return err
	}
	back := joorPath(v.Tenant.ID) + "/match"
	if from := form.Get(pageField); strings.HasPrefix(from, back+"?") {
		back = from
	}
	if len(d.Accept)+len(d.Reject) == 0 && !d.Sure {
		http.Redirect(w, r, saying(back, "said", "unpicked"), http.StatusSeeOther)
		return nil
	}
	return a.decided(w, r, v, d, back)
}

// decisionOf is what a form says of matches.
func (a *api) decisionOf(r *http.Request, v visit, form url.Values) (d joorcin7.MatchDecision, err error) {
	var pairs []joorcin7.MatchPair
	for _, choice := range form["choice"] {
		contact, connection, _ := strings.Cut(choice, "/")
		if !isNumber(contact) || !isNumber(connection) || len(pairs) > mostPairs {
			return d, notOurForm()
		}
		pairs = append(pairs, joorcin7.MatchPair{Contact: contact, Connection: connection})
	}
	switch form.Get("do") {
	case "accept":
		d.Accept = pairs
	case "reject":
		d.Reject = pairs
	case "sure":
		d.Sure = true
	case "score":
		least, err := strconv.Atoi(form.Get("score"))
		if err != nil || least < 50 || least > 100 {
			return d, notOurForm()
		}
		found, err := a.JOOR.Matches(r.Context(), v.Tenant.ID, joorcin7.MatchQuery{Q: form.Get("q")})
		if err != nil {
			return d, err
		}
		for _, m := range found.Items {
			if m.Connection != nil && m.Score*100 >= float64(least) {
				d.Accept = append(d.Accept, joorcin7.MatchPair{Contact: m.Contact.ID, Connection: m.Connection.ID})
			}
		}
	default:
		return d, notOurForm()
	}
	return d, nil
}

// decided notes a decision and goes back, with what came of it.
func (a *api) decided(
	w http.ResponseWriter, r *http.Request, v visit, d joorcin7.MatchDecision, back string,
) error {
	res, err := a.JOOR.DecideMatches(r.Context(), v.Tenant.ID, d, ledger.ActorOf(r.Context()))
	if err != nil {
		return joorFault(err, noContact)
	}
	said := "matchesDecided"
	if len(res.Left) > 0 {
		if res.Accepted+res.Rejected == 0 {
			return &problem{Status: http.StatusConflict, Detail: res.Left[0].Name + ": " + res.Left[0].Why}
		}
		said = "matchesLeft"
	}
	http.Redirect(w, r, saying(back, "said", said), http.StatusSeeOther)
	return nil
}

// decideMatchForm takes what a person says of one customer and the connections that it may be.
func (a *api) decideMatchForm(w http.ResponseWriter, r *http.Request, v visit) error {
	form, err := formOf(w, r)
	if err != nil {
		return err
	}
	contact := r.PathValue("contact")
	back := joorPath(v.Tenant.ID) + "/match"
	if from := form.Get(pageField); from == joorCustomerPath(v.Tenant.ID, contact) ||
		strings.HasPrefix(from, back+"?") {
		back = from
	}
	var d joorcin7.MatchDecision
	pair := func(theirs string) joorcin7.MatchPair {
		return joorcin7.MatchPair{Contact: contact, Connection: theirs}
	}
	switch form.Get("do") {
	case "link":
		if form.Get("theirs") == "" {
			http.Redirect(w, r, saying(back, "said", "choose"), http.StatusSeeOther)
			return nil
		}
		d.Accept = append(d.Accept, pair(form.Get("theirs")))
	case "none":
		for _, theirs := range form["shown"] {
			d.Reject = append(d.Reject, pair(theirs))
		}
	}
	all := append(d.Accept, d.Reject...)
	if len(all) == 0 || len(all) > candidatesShown || !isNumber(contact) {
		return notOurForm()
	}
	for _, p := range all {
		if !isNumber(p.Connection) {
			return notOurForm()
		}
	}
	return a.decided(w, r, v, d, back)
}

// askUnmatch asks whether a match is to be undone.
func (a *api) askUnmatch(w http.ResponseWriter, r *http.Request, v visit) error {
	x, err := a.JOOR.CustomerOf(r.Context(), v.Tenant.ID, r.PathValue("contact"))
	if err != nil {
		return joorFault(err, noContact)
	}
	if x.Match == nil || x.Match.Connection == nil {
		return missing("This customer was not matched.")
	}
	row := v.joorMatchRow(*x.Match)
	return a.ask(w, r, v, "Undo the match of "+row.Name, confirmPage{
		Name: row.Name + " and " + row.Theirs, Button: "Undo this match", Back: row.Address, Keep: "Keep the match",
		Happens: []string{"Changes of this customer do not go to JOOR any more.",
			"It comes back to the customers that can be uploaded, and is not sent by itself."},
		Stays: []string{"JOOR keeps the connection as it is.", "Nothing changes in Cin7 Omni."},
	})
}

func (a *api) unmatchPage(w http.ResponseWriter, r *http.Request, v visit) error {
	contact := r.PathValue("contact")
	err := a.JOOR.Unmatch(r.Context(), v.Tenant.ID, contact, ledger.ActorOf(r.Context()))
	if _, refused := errors.AsType[*joorcin7.Refusal](err); refused {
		if x, rerr := a.JOOR.CustomerOf(r.Context(), v.Tenant.ID, contact); rerr == nil && x.Match == nil {
			err = nil // pressed twice
		}
	}
	if err != nil {
		return joorFault(err, noContact)
	}
	back := joorPath(v.Tenant.ID) + "/match?state=" + joorcin7.MatchAccepted
	http.Redirect(w, r, saying(back, "said", "unmatched"), http.StatusSeeOther)
	return nil
}

// joorCards are what of JOOR needs a person.
func (a *api) joorCards(r *http.Request, v visit) (cards []lackCard, err error) {
	if !uses(v.Bundle, joorcin7.Systems()) {
		return nil, nil
	}
	n, err := a.JOOR.Needs(r.Context(), v.Bundle)
	if err != nil {
		return nil, err
	}
	at := joorPath(v.Tenant.ID)
	add := func(n int, one, many, why, do, page string) {
		if n > 0 {
			cards = append(cards, lackCard{count(n, one, many), why, do, at + page})
		}
	}
	add(n.Overdue, "customer is in JOOR’s review for longer than it says",
		"customers are in JOOR’s review for longer than it says",
		"Ask JOOR’s support, with the customers’ codes.", "Look at the review", "/review?sort=due")
	add(n.Refused, "customer was not taken by JOOR", "customers were not taken by JOOR",
		"Each is listed with the reason. Put it right in Cin7 Omni, and send it again.", "Look at the reasons",
		"/upload?sort=state")
	add(n.Proposed, "customer may be in JOOR already", "customers may be in JOOR already",
		"Say which connection each of them is, so that none is there twice.", "Say which they are", "/match")
	return cards, nil
}
