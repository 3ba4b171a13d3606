package console

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/joorcin7"
	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
)

// numericID is an id of Cin7 Omni's or JOOR's: a whole number, which may come as text.
type numericID string

// MarshalJSON implements json.Marshaler.
func (id numericID) MarshalJSON() ([]byte, error) { return orderID(id).MarshalJSON() }

// UnmarshalJSON implements json.Unmarshaler.
func (id *numericID) UnmarshalJSON(data []byte) error {
	var n json.Number
	if err := json.Unmarshal(data, &n); err != nil || isNull(data) || len(n) > 30 {
		return errors.New("an id is a number")
	}
	d, err := decimal.NewFromString(string(n))
	if err != nil || d.Exponent() > 18 || !d.IsInteger() {
		return errors.New("an id is a whole number")
	}
	*id = numericID(d.BigInt().String())
	return nil
}

// joorCustomer is a customer of Cin7 Omni in a list.
type joorCustomer struct {
	ID            numericID  `json:"id"` // Cin7 Omni's
	Company       string     `json:"company"`
	Name          string     `json:"name"` // of the person
	Email         string     `json:"email"`
	AccountNumber string     `json:"accountNumber"`
	State         string     `json:"state"`
	Why           *string    `json:"why"`
	Due           *time.Time `json:"due"` // by when JOOR decides, as it says
	Overdue       bool       `json:"overdue"`
	Code          *string    `json:"code"`
	Connection    *numericID `json:"connection"` // JOOR's id
}

func joorCustomerOf(c joorcin7.Customer) joorCustomer {
	return joorCustomer{numericID(c.ID), c.Company, c.Name, c.Email, c.AccountNumber, c.State, known(c.Why),
		when(c.Due), c.Overdue, known(c.Code), idOrNull(c.Connection)}
}

// idOrNull is null for an id that is not known.
func idOrNull(id string) *numericID {
	if id == "" {
		return nil
	}
	n := numericID(id)
	return &n
}

// joorQuery reads what a list of customers is asked for.
func joorQuery(q url.Values) (c joorcin7.Query, err error) {
	if c.After, c.Limit, err = paging(q); err != nil {
		return c, err
	}
	c.List, c.Q, c.Sort = joorcin7.List(cmp.Or(q.Get("list"), string(joorcin7.ListUpload))), q.Get("q"), q.Get("sort")
	var errs tenant.FieldErrors
	if !slices.Contains(joorcin7.Lists(), c.List) {
		errs = append(errs, tenant.FieldError{Field: "list", Message: "Use one of: upload, update, review, linked."})
	}
	if c.Sort != "" && !slices.Contains(joorcin7.Sorts(), strings.TrimPrefix(c.Sort, "-")) {
		errs = append(errs, tenant.FieldError{Field: "sort",
			Message: "Use one of: " + strings.Join(joorcin7.Sorts(), ", ") +
				", with a - before it the other way round."})
	}
	if errs != nil {
		return c, errs
	}
	return c, nil
}

// joorFault says what stands against what was asked of JOOR's customers.
func joorFault(err error, what string) error {
	if refused, ok := errors.AsType[*joorcin7.Refusal](err); ok {
		return &problem{Status: http.StatusConflict, Detail: refused.Error()}
	}
	if errors.Is(err, joorcin7.ErrAfter) {
		return unknownAfter()
	}
	return catalogFault(err, what)
}

// noContact says that there is no customer of an id.
const noContact = "Cin7 Omni has no such customer. Give the id that the list of customers has."

// joorCustomers is a page of a list. Beside the items stand how many there are, in this list and in all.
type joorCustomers struct {
	list[joorCustomer]
	Of     int            `json:"of"`
	Counts map[string]int `json:"counts"`
	Read   *time.Time     `json:"read"` // when Cin7 Omni was last read; null: it was not yet
}

func (a *api) listJOORCustomers(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	q, err := joorQuery(r.URL.Query())
	if err != nil {
		return err
	}
	p, err := a.JOOR.Customers(r.Context(), b.Tenant.ID, q)
	if err != nil {
		return joorFault(err, noContact)
	}
	items := make([]joorCustomer, len(p.Items))
	for i, c := range p.Items {
		items[i] = joorCustomerOf(c)
	}
	ans := joorCustomers{page(items, p.Next), p.Of, map[string]int{}, when(p.Read)}
	for l, n := range p.Counts {
		ans.Counts[string(l)] = n
	}
	return respond(w, r, http.StatusOK, ans)
}

// joorColumns are those of a file of customers.
var joorColumns = []string{"id", "company", "name", "email", "accountNumber", "state", "why", "due", "overdue", "code",
	"connection"}

// joorSheet is a list of customers as a file, with what is shown of it: the same filter, the same order.
func (a *api) joorSheet(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	q, err := joorQuery(r.URL.Query())
	if err != nil {
		return err
	}
	return a.joorFile(w, r, b, q)
}

func (a *api) joorFile(w http.ResponseWriter, r *http.Request, b tenant.Bundle, q joorcin7.Query) error {
	q.Limit, q.After = 0, ""
	out, err := a.newSheet(r, "Customers", nil, joorColumns...)
	if err != nil {
		return err
	}
	out.marked = true
	zone := b.Tenant.Zone()
	for c, err := range a.JOOR.EachCustomer(r.Context(), b.Tenant.ID, q) {
		if err != nil {
			return joorFault(err, noContact)
		}
		if err := out.line(joorCells(c, zone)...); err != nil {
			return err
		}
	}
	return out.send(w, r, "joor-"+string(q.List)+"-"+time.Now().In(zone).Format(time.DateOnly))
}

// joorCells are a customer's cells in those columns.
func joorCells(c joorcin7.Customer, zone *time.Location) []string {
	due, overdue := "", ""
	if !c.Due.IsZero() {
		due = c.Due.In(zone).Format(time.DateOnly)
	}
	if c.Overdue {
		overdue = "yes"
	}
	return []string{c.ID, c.Company, c.Name, c.Email, c.AccountNumber, c.State, c.Why, due, overdue, c.Code,
		c.Connection}
}

// joorField is a mapped field on both sides.
type joorField struct {
	Name    string `json:"name"`
	Omni    string `json:"cin7omni"` // as JOOR should have it
	JOOR    string `json:"joor"`     // as it has it
	Differs bool   `json:"differs"`
}

// joorView is one customer: both sides, how it was matched, and what happened.
type joorView struct {
	joorCustomer
	Active  bool         `json:"active"`
	LeftOut []string     `json:"leftOut"` // why it cannot be sent as it is
	Fields  []joorField  `json:"fields"`
	Told    *time.Time   `json:"told"` // when JOOR last had what is known that it has
	Match   *joorMatch   `json:"match"`
	History []noteAnswer `json:"history"`
}

func (a *api) joorCustomerView(r *http.Request, b tenant.Bundle) (joorcin7.CustomerView, error) {
	v, err := a.JOOR.CustomerOf(r.Context(), b.Tenant.ID, r.PathValue("id"))
	return v, joorFault(err, noContact)
}

func (a *api) getJOORCustomer(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	v, err := a.joorCustomerView(r, b)
	if err != nil {
		return err
	}
	ans := joorView{joorCustomer: joorCustomerOf(v.Customer), Active: v.Active,
		LeftOut: append([]string{}, v.Faults...),
		Fields:  []joorField{}, Told: when(v.Told), History: notesOf(v.History)}
	for _, f := range v.Fields {
		ans.Fields = append(ans.Fields, joorField{f.Name, f.Ours, f.Theirs, f.Differs})
	}
	if m := cmp.Or(v.Match, v.Proposed); m != nil {
		shown := joorMatchOf(*m)
		ans.Match = &shown
	}
	return respond(w, r, http.StatusOK, ans)
}

// joorChoice reads which customers are to be sent.
func joorChoice(w http.ResponseWriter, r *http.Request) (c joorcin7.Choice, err error) {
	var ids []numericID
	err = decode(w, r, false, map[string]any{"ids": &ids, "all": &c.All, "q": &c.Q}, func() tenant.FieldErrors {
		for _, id := range ids {
			c.IDs = append(c.IDs, string(id))
		}
		return selectionFaults(tenant.Cin7Omni, upstockcin7.Selection{IDs: c.IDs, All: c.All, Q: c.Q})
	})
	return c, err
}

// isNumber reports whether a text is an id of Cin7 Omni's or JOOR's.
func isNumber(id string) bool {
	n, err := strconv.ParseUint(id, 10, 63)
	return err == nil && n > 0
}

// sendToJOOR has customers uploaded or updated.
func (a *api) sendToJOOR(kind string) func(http.ResponseWriter, *http.Request, tenant.Bundle) error {
	return func(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
		c, err := joorChoice(w, r)
		if err != nil {
			return err
		}
		p, err := a.sendThose(r, b, kind, c)
		if err != nil {
			return err
		}
		return respondStarted(w, r, p)
	}
}

func (a *api) sendThose(r *http.Request, b tenant.Bundle, kind string, c joorcin7.Choice) (*ledger.Progress, error) {
	send := a.JOOR.Upload
	if kind == joorcin7.JobUpdate {
		send = a.JOOR.Update
	}
	p, err := send(r.Context(), b.Tenant.ID, c, ledger.ActorOf(r.Context()))
	return p, joorFault(err, noContact)
}

func (a *api) downloadContacts(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	if err := decode(w, r, true, nil); err != nil {
		return err
	}
	p, err := a.JOOR.DownloadConnections(r.Context(), b.Tenant.ID, ledger.ActorOf(r.Context()))
	if err != nil {
		return joorFault(err, noContact)
	}
	return respondStarted(w, r, p)
}

// joorConnection names a connection.
type joorConnection struct {
	ID   numericID `json:"id"`
	Code *string   `json:"code"`
	Name string    `json:"name"`
}

// joorCandidate is a connection that a customer may be.
type joorCandidate struct {
	joorConnection
	Score   float64  `json:"score"`
	Reasons []string `json:"reasons"`
}

// joorMatch is a customer and a connection that may be the same.
type joorMatch struct {
	Contact struct {
		ID      numericID `json:"id"`
		Company string    `json:"company"`
	} `json:"contact"`
	Connection *joorConnection `json:"connection"` // null: it may be any of the candidates
	Score      float64         `json:"score"`
	Sure       bool            `json:"sure"`
	Reasons    []string        `json:"reasons"`
	Candidates []joorCandidate `json:"candidates"`
	State      string          `json:"state"`
	By         *string         `json:"by"` // who decided
	At         *time.Time      `json:"at"`
}

func joorMatchOf(m joorcin7.Match) joorMatch {
	ans := joorMatch{Score: m.Score, Sure: m.Sure, Reasons: append([]string{}, m.Reasons...),
		Candidates: []joorCandidate{}, State: m.State, By: known(m.By), At: when(m.At)}
	ans.Contact.ID, ans.Contact.Company = numericID(m.Contact.ID), m.Contact.Company
	ref := func(c joorcin7.ConnectionRef) joorConnection {
		return joorConnection{numericID(c.ID), known(c.Code), c.Name}
	}
	if m.Connection != nil {
		c := ref(*m.Connection)
		ans.Connection = &c
	}
	for _, c := range m.Candidates {
		ans.Candidates = append(ans.Candidates,
			joorCandidate{ref(c.ConnectionRef), c.Score, append([]string{}, c.Reasons...)})
	}
	return ans
}

// matchStates are the states in which matches are listed; the first is meant where none is named.
var matchStates = []string{joorcin7.MatchProposed, joorcin7.MatchAccepted, joorcin7.MatchRejected}

// matchQuery reads what a list of matches is asked for.
func matchQuery(q url.Values) (m joorcin7.MatchQuery, err error) {
	if m.After, m.Limit, err = paging(q); err != nil {
		return m, err
	}
	m.State, m.Q = cmp.Or(q.Get("state"), matchStates[0]), q.Get("q")
	if !slices.Contains(matchStates, m.State) {
		return m, tenant.FieldErrors{{Field: "state", Message: "Use one of: " + strings.Join(matchStates, ", ") + "."}}
	}
	return m, nil
}

// joorMatches is a page of matches.
type joorMatches struct {
	list[joorMatch]
	Of         int            `json:"of"`
	Counts     map[string]int `json:"counts"`     // by state; sure: of the proposed ones
	Downloaded *time.Time     `json:"downloaded"` // when JOOR's connections were read; null: they were not
}

func (a *api) listJOORMatches(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	q, err := matchQuery(r.URL.Query())
	if err != nil {
		return err
	}
	p, err := a.JOOR.Matches(r.Context(), b.Tenant.ID, q)
	if err != nil {
		return joorFault(err, noContact)
	}
	items := make([]joorMatch, len(p.Items))
	for i, m := range p.Items {
		items[i] = joorMatchOf(m)
	}
	ans := joorMatches{page(items, p.Next), p.Of, map[string]int{}, when(p.Downloaded)}
	for _, name := range append([]string{"sure"}, matchStates...) {
		ans.Counts[name] = p.Counts[name]
	}
	return respond(w, r, http.StatusOK, ans)
}

// joorPair is a customer and a connection, by their ids.
type joorPair struct {
	Contact    numericID `json:"contact"`
	Connection numericID `json:"connection"`
}

// decideJOORMatches has matches found, or takes a person's word on some.
func (a *api) decideJOORMatches(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	var accept, reject []joorPair
	var finds, sures json.RawMessage // as either may be left out, and is true else
	into := map[string]any{"find": &finds, "accept": &accept, "reject": &reject, "sure": &sures}
	if err := decode(w, r, false, into, func() (errs tenant.FieldErrors) {
		errs = append(pairFaults("accept", accept), pairFaults("reject", reject)...)
		for _, said := range []struct {
			name string
			raw  json.RawMessage
		}{{"find", finds}, {"sure", sures}} {
			if said.raw != nil && string(said.raw) != "true" {
				errs = append(errs, tenant.FieldError{Field: said.name, Message: "Say true, or leave it out."})
			}
		}
		if (finds != nil) == (accept != nil || reject != nil || sures != nil) {
			errs = append(errs, tenant.FieldError{Field: "find",
				Message: "Say find, to have matches found, or say which are right and which are not."})
		}
		return errs
	}); err != nil {
		return err
	}
	actor := ledger.ActorOf(r.Context())
	if finds != nil {
		p, err := a.JOOR.FindMatches(r.Context(), b.Tenant.ID, actor)
		if err != nil {
			return joorFault(err, noContact)
		}
		return respondStarted(w, r, p)
	}
	d := joorcin7.MatchDecision{Accept: pairsOf(accept), Reject: pairsOf(reject), Sure: sures != nil}
	res, err := a.JOOR.DecideMatches(r.Context(), b.Tenant.ID, d, actor)
	if err != nil {
		return joorFault(err, noContact)
	}
	return respond(w, r, http.StatusOK, struct {
		Accepted int              `json:"accepted"`
		Rejected int              `json:"rejected"`
		Left     []ledger.LeftOut `json:"left"`
	}{res.Accepted, res.Rejected, append([]ledger.LeftOut{}, res.Left...)})
}

// mostPairs is how many matches one request names.
const mostPairs = 1000

func pairFaults(field string, pairs []joorPair) (errs tenant.FieldErrors) {
	if len(pairs) > mostPairs {
		errs = append(errs, tenant.FieldError{Field: field, Message: "These are more than 1,000. Send them in parts."})
	}
	for i, p := range pairs {
		if !isNumber(string(p.Contact)) || !isNumber(string(p.Connection)) {
			errs = append(errs, tenant.FieldError{Field: field + "." + strconv.Itoa(i),
				Message: "Give contact, Cin7 Omni's id, and connection, JOOR's."})
		}
	}
	return errs
}

func pairsOf(pairs []joorPair) (list []joorcin7.MatchPair) {
	for _, p := range pairs {
		list = append(list, joorcin7.MatchPair{Contact: string(p.Contact), Connection: string(p.Connection)})
	}
	return list
}

// deleteJOORMatch undoes a match.
func (a *api) deleteJOORMatch(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	err := a.JOOR.Unmatch(r.Context(), b.Tenant.ID, r.PathValue("contact"), ledger.ActorOf(r.Context()))
	if err != nil {
		return joorFault(err, noContact)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// onlyItem is a connection of JOOR's that no customer is linked to.
type onlyItem struct {
	joorConnection
	Email string `json:"email"`
	Buyer string `json:"buyer"`
	City  string `json:"city"`
}

func onlyItemOf(c joorcin7.Downloaded) onlyItem {
	return onlyItem{joorConnection{numericID(c.ID), known(c.Connection.Code), cmp.Or(c.Connection.Name, c.Retailer)},
		c.Connection.Email, c.Connection.Buyer, c.Connection.Shipping.City}
}

// onlyQuery reads what the list of those connections is asked for.
func onlyQuery(q url.Values) (o joorcin7.Query, err error) {
	o.After, o.Limit, err = paging(q)
	o.Q = q.Get("q")
	return o, err
}

// onlyAnswer is a page of them.
type onlyAnswer struct {
	list[onlyItem]
	Of   int        `json:"of"`
	Read *time.Time `json:"read"` // when JOOR's connections were read; null: they were not, or are forgotten
}

func (a *api) listJOOROnly(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	q, err := onlyQuery(r.URL.Query())
	if err != nil {
		return err
	}
	p, err := a.JOOR.Only(r.Context(), b.Tenant.ID, q)
	if err != nil {
		return joorFault(err, noContact)
	}
	items := make([]onlyItem, len(p.Items))
	for i, c := range p.Items {
		items[i] = onlyItemOf(c)
	}
	return respond(w, r, http.StatusOK, onlyAnswer{page(items, p.Next), p.Of, when(p.Read)})
}

// onlySheet is that list as a file.
func (a *api) onlySheet(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	q, err := onlyQuery(r.URL.Query())
	if err != nil {
		return err
	}
	q.Limit, q.After = 0, ""
	p, err := a.JOOR.Only(r.Context(), b.Tenant.ID, q)
	if err != nil {
		return joorFault(err, noContact)
	}
	out, err := a.newSheet(r, "JOOR only", nil, "id", "code", "name", "email", "buyer", "city")
	if err != nil {
		return err
	}
	out.marked = true
	for _, c := range p.Items {
		x := onlyItemOf(c)
		if err := out.line(c.ID, text(x.Code), x.Name, x.Email, x.Buyer, x.City); err != nil {
			return err
		}
	}
	return out.send(w, r, "joor-only-"+time.Now().In(b.Tenant.Zone()).Format(time.DateOnly))
}
