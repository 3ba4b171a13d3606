package joorcin7

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/joorcin7/list"
	"stockbridge/internal/ledger"
	"stockbridge/internal/match"
	"stockbridge/internal/publish"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// The states of matches.
const (
	MatchProposed = "proposed" // nobody has said yes or no
	MatchAccepted = "accepted" // a person said yes: the contact is linked
	MatchRejected = "rejected" // a person said no; proposed again when either record changes
)

// Match is a contact and a connection that may be the same.
type Match struct {
	State      string
	Contact    Ref
	Connection *ConnectionRef // nil = which of the candidates it is, a person has to say
	Score      float64        // 0 to 1
	Sure       bool           // it would be accepted by itself
	Reasons    []string
	Candidates []Candidate // others that it may be
	By         string      // who decided
	At         time.Time   // when that was, or when it was found
}

// Ref names a contact for people.
type Ref struct {
	ID      string `json:"id"`
	Company string `json:"company"`
}

// ConnectionRef names a connection for people.
type ConnectionRef struct {
	ID   string `json:"id"`
	Code string `json:"code,omitempty"`
	Name string `json:"name,omitempty"`
}

// Candidate is a connection that a contact may be.
type Candidate struct {
	ConnectionRef
	Score   float64  `json:"score"`
	Reasons []string `json:"reasons,omitempty"`
}

// MatchQuery chooses matches. State is one of the states of matches, "" = proposed.
type MatchQuery struct {
	State string
	Q     string // every word of it stands in the company, or in the connection's code or name
	After string // Next of the page before
	Limit int    // 0 = all
}

// MatchPage is a page of matches, the likeliest first.
type MatchPage struct {
	Items      []Match
	Next       string
	Of         int
	Counts     map[string]int // by state; "sure": proposed ones that would be accepted by themselves
	Downloaded time.Time      // when JOOR's connections were read; zero = they were not, or are forgotten
}

// MatchPair is a contact and a connection, by their ids.
type MatchPair struct{ Contact, Connection string }

// MatchDecision is what a person says of matches. Sure accepts all that are sure, beside those of Accept.
type MatchDecision struct {
	Accept, Reject []MatchPair
	Sure           bool
}

// MatchResult is what came of a decision.
type MatchResult struct {
	Accepted, Rejected int
	Left               []ledger.LeftOut // what could not be accepted or rejected, and why
}

// matchRow is a match as it is kept: what is proposed and what is accepted of a contact, and each connection that was
// rejected for it.
type matchRow struct {
	State      string         `json:"state"`
	Contact    Ref            `json:"contact"`
	Connection *ConnectionRef `json:"connection,omitempty"`
	Score      float64        `json:"score"`
	Sure       bool           `json:"sure,omitempty"`
	Reasons    []string       `json:"reasons,omitempty"`
	Candidates []Candidate    `json:"candidates,omitempty"`
	By         string         `json:"by,omitempty"`
	At         time.Time      `json:"at"`
	OursWas    string         `json:"oursWas,omitempty"` // fingerprints of both records when it was rejected
	TheirsWas  string         `json:"theirsWas,omitempty"`
}

// id names a match among those of an account.
func (m matchRow) id() string {
	switch m.State {
	case MatchRejected:
		return "r" + m.Contact.ID + "/" + m.Connection.ID
	case MatchAccepted:
		return "a" + m.Contact.ID
	}
	return "p" + m.Contact.ID
}

// matchKind is how matches are kept.
func matchKind() list.Kind[matchRow] {
	return list.Kind[matchRow]{
		Name: "matches", ID: matchRow.id,
		Compare: func(a, b matchRow) int { return cmp.Compare(b.Score, a.Score) },
		Pack:    func(rows []matchRow) ([]byte, error) { return json.Marshal(rows) },
		Unpack:  func(data []byte) (rows []matchRow, err error) { return rows, json.Unmarshal(data, &rows) },
		Counts: func(m matchRow) []string {
			if m.Sure && m.State == MatchProposed {
				return []string{m.State, "sure"}
			}
			return []string{m.State}
		},
	}
}

// has reports whether every word stands in what names the match.
func (m matchRow) has(words []string) bool {
	if len(words) == 0 {
		return true
	}
	text := m.Contact.ID + " " + m.Contact.Company
	if m.Connection != nil {
		text += " " + m.Connection.Code + " " + m.Connection.Name
	}
	text = match.Fold(text)
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
}

func (m matchRow) shown() Match {
	return Match{State: m.State, Contact: m.Contact, Connection: m.Connection, Score: m.Score, Sure: m.Sure,
		Reasons: m.Reasons, Candidates: m.Candidates, By: m.By, At: m.At}
}

// Matches lists matches.
func (p *Pair) Matches(ctx context.Context, tenantID string, q MatchQuery) (page MatchPage, err error) {
	b, err := p.Tenants.Load(ctx, tenantID)
	if err != nil {
		return page, err
	}
	sheet, err := p.matches.Read(ctx, tenantID, accountOf(b))
	if err != nil {
		return page, err
	}
	page.Counts = sheet.Counts
	if page.Downloaded, _, err = p.DownloadedAt(ctx, b); err != nil {
		return page, err
	}
	begun, words := q.After == "", wordsOf(q.Q)
	for _, m := range sheet.Rows {
		if m.State != cmp.Or(q.State, MatchProposed) || !m.has(words) {
			continue
		}
		page.Of++
		switch {
		case !begun:
			begun = m.id() == q.After
		case q.Limit > 0 && len(page.Items) == q.Limit:
			page.Next = cmp.Or(page.Next, last(page.Items))
		default:
			page.Items = append(page.Items, m.shown())
		}
	}
	if !begun {
		return MatchPage{}, ErrAfter
	}
	return page, nil
}

func last(list []Match) string {
	m := list[len(list)-1]
	return matchRow{State: m.State, Contact: m.Contact, Connection: m.Connection}.id()
}

// decidedAtOnce is how many matches are accepted together.
const decidedAtOnce = 100

// DecideMatches notes what a person says of matches. What is accepted is linked, and nothing is sent by that. A
// connection is linked to one contact, and a contact to one connection.
func (p *Pair) DecideMatches(
	ctx context.Context, tenantID string, d MatchDecision, actor string,
) (res MatchResult, err error) {
	ctx = ledger.WithActor(ctx, actor)
	b, err := p.ready(ctx, tenantID)
	if err != nil {
		return res, err
	}
	sheet, err := p.matches.Read(ctx, tenantID, accountOf(b))
	if err != nil {
		return res, err
	}
	accept := slices.Clone(d.Accept)
	if d.Sure {
		for _, m := range sheet.Rows {
			if m.State == MatchProposed && m.Sure && m.Connection != nil {
				accept = append(accept, MatchPair{m.Contact.ID, m.Connection.ID})
			}
		}
	}
	deciding, err := p.deciding(ctx, b, slices.Concat(accept, d.Reject))
	if err != nil {
		return res, err
	}
	for some := range slices.Chunk(accept, decidedAtOnce) {
		if err := deciding.accept(ctx, some, &res); err != nil {
			return res, err
		}
	}
	if err := deciding.reject(ctx, d.Reject, &res); err != nil {
		return res, err
	}
	if deciding.links+res.Rejected == 0 {
		return res, nil
	}
	return res, p.Ledger.Record(ctx, tenantID, ledger.Event{Kind: "joor", Text: fmt.Sprintf(
		"Matches of customers with JOOR's connections: a yes to %d, a no to %d.", deciding.links, res.Rejected)})
}

// deciding is what a decision about matches stands on.
type deciding struct {
	*Pair
	b           tenant.Bundle
	contacts    map[string]standing
	connections map[string]Downloaded
	linked      map[string]string // JOOR's id → contact, as the lists have it
	links       int               // that this decision made: one that is made at the same time is another's
}

func (p *Pair) deciding(ctx context.Context, b tenant.Bundle, pairs []MatchPair) (*deciding, error) {
	d := &deciding{Pair: p, b: b, contacts: map[string]standing{}, connections: map[string]Downloaded{},
		linked: map[string]string{}}
	var ids []string
	wants := map[string]bool{}
	for _, pair := range pairs {
		ids = append(ids, pair.Contact)
		wants[pair.Connection] = true
	}
	all, err := p.standings(ctx, b, ids)
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		d.contacts[s.id] = s
	}
	read, err := p.downloadOf(ctx, b)
	if err != nil {
		return nil, err
	}
	for c, err := range p.downloaded(ctx, b.Tenant.ID, read) {
		if err != nil {
			return nil, err
		}
		if wants[c.ID] {
			d.connections[c.ID] = c
		}
	}
	sheet, err := p.customers.Read(ctx, b.Tenant.ID, accountOf(b))
	if err != nil {
		return nil, err
	}
	for _, c := range sheet.Rows {
		if c.Connection != "" {
			d.linked[c.Connection] = c.ID
		}
	}
	return d, nil
}

// unfit says why a pair cannot be linked; "" = it can.
func (d *deciding) unfit(pair MatchPair) string {
	s := d.contacts[pair.Contact]
	_, there := d.connections[pair.Connection]
	switch {
	case s.contact == nil:
		return "There is no such customer in Cin7 Omni."
	case !there:
		return "There is no such connection among those that were downloaded from JOOR."
	case s.linked() && s.entry.TheirID == pair.Connection:
		return ""
	case s.linked():
		return "The customer is linked to another connection."
	case s.pending() || s.entry.Doubt != nil:
		return "The customer was sent to JOOR: wait until JOOR has decided."
	case d.linked[pair.Connection] != "" && d.linked[pair.Connection] != pair.Contact:
		return "The connection is linked to another customer."
	}
	return ""
}

// accept links pairs.
func (d *deciding) accept(ctx context.Context, pairs []MatchPair, res *MatchResult) error {
	var seen []publish.Seen
	var rows []matchRow
	var ids []string
	for _, pair := range pairs {
		why := d.unfit(pair)
		if why == "" {
			var err error
			if why, err = d.claim(ctx, pair); err != nil {
				return err
			}
		}
		if why != "" {
			res.Left = append(res.Left, ledger.LeftOut{ID: pair.Contact, Name: d.name(pair.Contact), Why: why})
			continue
		}
		s, c := d.contacts[pair.Contact], d.connections[pair.Connection]
		d.linked[pair.Connection] = pair.Contact
		data, err := c.Connection.Priced(c.Connection.Prices(), s.ours.Price).Pack()
		if err != nil {
			return err
		}
		seen = append(seen, publish.Seen{TheirID: c.ID, Record: publish.Record{Key: s.entry.Key, Data: data}})
		rows = append(rows, d.decided(ctx, pair, MatchAccepted))
		ids = append(ids, pair.Contact)
	}
	if len(ids) == 0 {
		return nil
	}
	if err := d.publisher.Learn(ctx, d.b.Tenant.ID, shelfOf(d.b), seen...); err != nil {
		return err
	}
	if err := d.keep(ctx, rows); err != nil {
		return err
	}
	res.Accepted += len(ids)
	return d.restand(ctx, d.b, ids...)
}

func (d *deciding) name(contact string) string {
	if s := d.contacts[contact]; s.contact != nil {
		return s.contact.Name()
	}
	return contact
}

// decided is a match after a person's decision.
func (d *deciding) decided(ctx context.Context, pair MatchPair, state string) matchRow {
	c := d.connections[pair.Connection]
	m := matchRow{State: state, Contact: Ref{pair.Contact, d.name(pair.Contact)},
		Connection: &ConnectionRef{pair.Connection, c.Connection.Code, c.Connection.Name},
		By:         ledger.ActorOf(ctx), At: d.Now().UTC()}
	if state == MatchRejected {
		m.OursWas, m.TheirsWas = d.fingerprints(pair)
	}
	return m
}

// fingerprints change when anything changes of either record that is kept.
func (d *deciding) fingerprints(pair MatchPair) (ours, theirs string) {
	if s := d.contacts[pair.Contact]; s.contact != nil {
		ours = s.contact.Record().Fingerprint()
	}
	if c, ok := d.connections[pair.Connection]; ok {
		theirs = c.record().Fingerprint()
	}
	return ours, theirs
}

// record is the connection as it is matched. JOOR's own name of the retailer counts as well as the brand's.
func (d Downloaded) record() match.Record {
	r := d.Connection.Record(d.ID)
	if r.Company == "" {
		r.Company = d.Retailer
	}
	return r
}

// keep writes matches that were decided about. What was proposed for these contacts goes, but for what a rejected
// proposal leaves to choose from.
func (d *deciding) keep(ctx context.Context, rows []matchRow) error {
	now := map[string]matchRow{}
	var ids []string
	for _, m := range rows {
		ids = append(ids, m.id(), "p"+m.Contact.ID)
		now[m.id()] = m
	}
	return d.matches.Restand(ctx, d.b.Tenant.ID, accountOf(d.b), ids,
		func(ctx context.Context, ids []string) (made []matchRow, err error) {
			sheet, err := d.matches.Read(ctx, d.b.Tenant.ID, accountOf(d.b))
			if err != nil {
				return nil, err
			}
			for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
				if m, ok := now[id]; ok {
					if was, ok := sheet.Row("p" + m.Contact.ID); ok && was.Connection != nil &&
						was.Connection.ID == m.Connection.ID {
						m.Score, m.Sure, m.Reasons = was.Score, was.Sure, was.Reasons
					}
					made = append(made, m)
				} else if was, ok := sheet.Row(id); ok && strings.HasPrefix(id, "p") {
					if left, ok := was.without(now); ok {
						made = append(made, left)
					}
				}
			}
			return made, nil
		})
}

// without is what is left of a proposal after decisions; ok is false where nothing is.
func (m matchRow) without(decided map[string]matchRow) (matchRow, bool) {
	if _, accepted := decided["a"+m.Contact.ID]; accepted {
		return m, false
	}
	rejected := func(id string) bool {
		_, ok := decided["r"+m.Contact.ID+"/"+id]
		return ok
	}
	m.Candidates = slices.DeleteFunc(slices.Clone(m.Candidates), func(c Candidate) bool { return rejected(c.ID) })
	if m.Connection != nil && rejected(m.Connection.ID) {
		m.Connection, m.Sure, m.Reasons, m.Score = nil, false, nil, 0
		for _, c := range m.Candidates {
			m.Score = max(m.Score, c.Score)
		}
	}
	return m, m.Connection != nil || len(m.Candidates) > 0
}

// reject notes that pairs are not the same.
func (d *deciding) reject(ctx context.Context, pairs []MatchPair, res *MatchResult) error {
	for some := range slices.Chunk(pairs, decidedAtOnce) {
		var rows []matchRow
		for _, pair := range some {
			s := d.contacts[pair.Contact]
			why := ""
			switch {
			case s.contact == nil:
				why = "There is no such customer in Cin7 Omni."
			case s.linked() && s.entry.TheirID == pair.Connection:
				why = "The customer is linked to it: undo the match first."
			case pair.Connection == "":
				why = "Say which connection it is not."
			}
			if why != "" {
				res.Left = append(res.Left, ledger.LeftOut{ID: pair.Contact, Name: d.name(pair.Contact), Why: why})
				continue
			}
			rows = append(rows, d.decided(ctx, pair, MatchRejected))
		}
		if len(rows) == 0 {
			continue
		}
		if err := d.keep(ctx, rows); err != nil {
			return err
		}
		res.Rejected += len(rows)
	}
	return nil
}

// A connection that a match links is claimed for its contact, so that two people cannot link it to two.

func claimedPartition(tenantID string) string { return tenant.Partition(tenantID) + "#joor#claimed" }

func (p *Pair) claimKey(b tenant.Bundle, connection string) table.Key {
	return table.Key{PK: claimedPartition(b.Tenant.ID), SK: accountOf(b) + "\t" + connection}
}

// claim claims a connection for a contact; why says that another one has it.
func (d *deciding) claim(ctx context.Context, pair MatchPair) (why string, err error) {
	it := table.Item{Key: d.claimKey(d.b, pair.Connection), Data: []byte(pair.Contact)}
	err = d.table.Write(ctx, table.Create(it))
	conflict, taken := errors.AsType[*table.Conflict](err)
	if err == nil {
		d.links++
	}
	if !taken {
		return "", err
	}
	if was := conflict.Current[0]; string(was.Data) == pair.Contact {
		return "", nil
	} else if d.linked[pair.Connection] == string(was.Data) {
		return "The connection is linked to another customer.", nil
	} else { // of a contact that is not linked to it any more
		it.Rev = was.Rev
		if err = d.table.Write(ctx, table.Save(it)); errors.Is(err, table.ErrConflict) {
			return "Somebody else links this connection just now. Try again.", nil
		}
		if err == nil {
			d.links++
		}
		return "", err
	}
}

// Unmatch undoes a match: the contact is not linked any more, and does not go to JOOR by itself. Errors: *Refusal.
func (p *Pair) Unmatch(ctx context.Context, tenantID, contactID, actor string) error {
	ctx = ledger.WithActor(ctx, actor)
	b, err := p.Tenants.Load(ctx, tenantID)
	if err != nil {
		return err
	}
	sheet, err := p.matches.Read(ctx, tenantID, accountOf(b))
	if err != nil {
		return err
	}
	m, ok := sheet.Row("a" + contactID)
	if !ok {
		return &Refusal{"This customer is not linked by a match.", "Choose one of the accepted matches."}
	}
	all, err := p.standings(ctx, b, []string{contactID})
	if err != nil {
		return err
	}
	if s := all[0]; s.pending() || s.entry.Doubt != nil {
		return &Refusal{"Its changes are on their way to JOOR.", "Try again when JOOR has them."}
	}
	if err := p.keepBack(ctx, b, contactID, "Its match was undone."); err != nil {
		return err
	}
	if err := p.publisher.Learn(ctx, tenantID, shelfOf(b),
		publish.Seen{Record: publish.Record{Key: publish.Key{ID: contactID}}}); err != nil {
		return err
	}
	if err := p.matches.Restand(ctx, tenantID, accountOf(b), []string{m.id()},
		func(context.Context, []string) ([]matchRow, error) { return nil, nil }); err != nil {
		return err
	}
	it, err := table.Read(ctx, p.table, p.claimKey(b, m.Connection.ID))
	if err == nil && it.Rev != "" {
		err = p.table.Write(ctx, table.Remove(it))
	}
	if err != nil && !errors.Is(err, table.ErrConflict) {
		return err
	}
	if err := p.restand(ctx, b, contactID); err != nil {
		return err
	}
	return p.Ledger.Record(ctx, tenantID, ledger.Event{Kind: "joor",
		Text: "The match of " + m.Contact.Company + " with JOOR's " + m.Connection.Name + " was undone."})
}
