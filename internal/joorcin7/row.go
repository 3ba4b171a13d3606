package joorcin7

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/joorcin7/customer"
	"stockbridge/internal/joorcin7/list"
	"stockbridge/internal/ledger"
	"stockbridge/internal/mirror"
	"stockbridge/internal/publish"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// How a customer stands.
const (
	StateNew      = "new"      // it can be uploaded
	StateQueued   = "queued"   // somebody wants it sent, and it goes
	StateSending  = "sending"  // it was sent, and JOOR works on it
	StateReview   = "review"   // JOOR's data team looks at it
	StateLinked   = "linked"   // JOOR has it as it is
	StateChanged  = "changed"  // JOOR has other values
	StateLeftOut  = "leftOut"  // it cannot be sent as it is
	StateRefused  = "refused"  // JOOR refused it
	StateInactive = "inactive" // it is linked, and inactive in Cin7 Omni
	StateDeleted  = "deleted"  // it is linked, and is not in Cin7 Omni any more
)

// standing is all that a customer's row is made of, as it was read.
type standing struct {
	id      string
	contact *customer.Contact // nil = Cin7 Omni has none, or it is no customer
	entry   publish.Entry     // what JOOR was told
	theirs  customer.Connection
	ours    customer.Connection // as JOOR should have it
	faults  []string
	kept    *kept
	wanted  string // the kind of the wish; "" = nobody wants it sent
}

// view is what all customers of a tenant are looked at with.
type view struct {
	rules  customer.Rules
	kept   map[string]kept
	wanted wanted
}

func (p *Pair) view(ctx context.Context, b tenant.Bundle) (v view, err error) {
	if v.rules, err = p.rulesOf(ctx, b); err != nil {
		return v, err
	}
	if v.kept, err = p.keptBack(ctx, b); err != nil {
		return v, err
	}
	wishes, err := p.wished(ctx, b)
	v.wanted = wantedOf(wishes)
	return v, err
}

// stand puts together what is known of a customer.
func (v view) stand(id string, contact *customer.Contact, entry publish.Entry) (s standing, err error) {
	s = standing{id: id, contact: contact, entry: entry}
	if entry.Told != nil {
		if s.theirs, err = customer.ReadConnection(entry.Told); err != nil {
			return s, fmt.Errorf("what JOOR was told of %s: %w", id, err)
		}
	}
	if contact != nil {
		s.ours, s.faults = v.rules.Connection(*contact, s.theirs)
	}
	if k, ok := v.kept[id]; ok {
		s.kept = &k
	}
	for _, kind := range []string{JobUpload, JobUpdate} {
		if v.wanted[kind][id] {
			s.wanted = kind
		}
	}
	return s, nil
}

// linked reports whether JOOR is known to have it.
func (s standing) linked() bool { return s.entry.Told != nil }

// pending reports whether it was sent and JOOR has not said what became of it.
func (s standing) pending() bool { return s.entry.State == publish.IsPending }

// sending reports whether it is pending and JOOR's job works on it; its data team has it not yet.
func (s standing) sending() bool { return s.pending() && s.entry.Due.IsZero() }

// last is what JOOR was sent last, if it has not answered, else what it has; nil = nothing.
func (s standing) last() json.RawMessage {
	switch d := s.entry.Doubt; {
	case s.pending():
		return s.entry.Sent
	case d != nil && !d.Goes:
		return d.Data
	}
	return s.entry.Told
}

// differs reports whether JOOR holds other values of mapped fields.
func (s standing) differs() bool {
	data, err := s.ours.Pack()
	return err == nil && string(data) != string(s.entry.Told)
}

// fit reports whether it could be sent as it is.
func (s standing) fit() bool { return s.contact != nil && s.contact.Active && len(s.faults) == 0 }

// row is how the lists show the customer; ok is false where none of them does.
func (s standing) row() (c list.Customer, ok bool) {
	c = list.Customer{ID: s.id, Code: s.theirs.Code, Connection: s.entry.TheirID}
	if s.contact != nil {
		c.Company, c.Name = strings.TrimSpace(s.contact.Company), s.contact.Person()
		c.Email, c.AccountNumber = strings.TrimSpace(s.contact.Email), s.contact.AccountNumber
	} else {
		c.Company, c.Name, c.Email = s.theirs.Name, s.theirs.Buyer, s.theirs.Email
	}
	switch {
	case s.linked():
		s.rowLinked(&c)
	case s.sending():
		c.In, c.State, c.Why = []list.List{list.Review}, StateSending, "JOOR works on it."
	case s.pending():
		c.In, c.State, c.Due = []list.List{list.Review}, StateReview, s.entry.Due
	case s.entry.Doubt != nil:
		c.In, c.State = []list.List{list.Review}, StateSending
		c.Why = "JOOR gave no believable answer to it. It is sent again by itself when that is safe."
	case s.contact == nil, !s.contact.Active:
		return c, false
	default:
		s.rowNew(&c)
	}
	if c.Code == "" && s.pending() {
		c.Code = s.id
	}
	return c.Fold(), true
}

// rowNew is the row of a customer that JOOR has not.
func (s standing) rowNew(c *list.Customer) {
	c.In, c.State = []list.List{list.Upload}, StateNew
	switch {
	case len(s.faults) > 0:
		c.State, c.Why = StateLeftOut, strings.Join(s.faults, " ")
	case s.wanted == JobUpload:
		c.State, c.Why = StateQueued, "It is being sent."
	case s.entry.State == publish.IsRefused && s.isSent(s.entry):
		c.State, c.Why = StateRefused, "JOOR refused it: "+s.entry.Why
	case s.kept != nil:
		c.Why = s.kept.Why
	}
}

// isSent reports whether a state is about the very value that should be sent.
func (s standing) isSent(e publish.Entry) bool {
	data, err := s.ours.Pack()
	return err == nil && string(data) == string(e.Sent)
}

// rowLinked is the row of a customer that JOOR has.
func (s standing) rowLinked(c *list.Customer) {
	c.In, c.State = []list.List{list.Linked}, StateLinked
	changed := func(state, why string) {
		c.In, c.State, c.Why = []list.List{list.Linked, list.Update}, state, why
	}
	switch {
	case s.contact == nil:
		c.State, c.Why = StateDeleted, "It was deleted in Cin7 Omni. JOOR keeps it."
	case !s.contact.Active:
		c.State, c.Why = StateInactive, "It is inactive in Cin7 Omni: changes are not sent."
	case s.sending():
		c.State, c.Why = StateSending, "JOOR works on its changes."
	case s.pending():
		c.In, c.State, c.Due = []list.List{list.Review}, StateReview, s.entry.Due
	case s.entry.Doubt != nil:
		c.State = StateSending
		c.Why = "JOOR gave no believable answer to its changes. They are sent again by themselves when that is safe."
	case !s.differs():
	case len(s.faults) > 0:
		changed(StateLeftOut, strings.Join(s.faults, " "))
	case s.wanted == JobUpdate:
		changed(StateQueued, "It is being sent.")
	case s.entry.State == publish.IsRefused && s.isSent(s.entry):
		changed(StateRefused, "JOOR refused its changes: "+s.entry.Why)
	default:
		changed(StateChanged, "")
	}
}

// setName names the set of what JOOR should hold.
const setName = "joorConnections"

// shelfOf is the set by which what JOOR was told is found.
func shelfOf(b tenant.Bundle) publish.Set { return publish.Set{Name: setName, Account: accountOf(b)} }

// fewEntries is how many entries are read one by one; more are read with all others.
const fewEntries = 10

// entriesOf reads what JOOR was told of contacts, by id.
func (p *Pair) entriesOf(ctx context.Context, b tenant.Bundle, ids []string) (map[string]publish.Entry, error) {
	found := map[string]publish.Entry{}
	if len(ids) <= fewEntries {
		keys := make([]publish.Key, len(ids))
		for i, id := range ids {
			keys[i] = publish.Key{ID: id}
		}
		list, err := p.publisher.Entries(ctx, b.Tenant.ID, shelfOf(b), keys...)
		for _, e := range list {
			found[e.ID] = e
		}
		return found, err
	}
	wants := map[string]bool{}
	for _, id := range ids {
		wants[id] = true
	}
	last := slices.Max(ids)
	for e, err := range p.publisher.All(ctx, b.Tenant.ID, shelfOf(b), publish.Key{}) {
		if err != nil {
			return nil, err
		}
		if wants[e.ID] {
			found[e.ID] = e
		}
		if e.ID >= last {
			break
		}
	}
	return found, nil
}

// contactsOf reads contacts, by id; those that there are.
func (p *Pair) contactsOf(ctx context.Context, tenantID string, ids []string) (map[string]*customer.Contact, error) {
	keys := make([]mirror.Key, len(ids))
	for i, id := range ids {
		keys[i] = mirror.Key{Kind: contactRows, ID: id}
	}
	rows, _, err := p.Mirror.Find(ctx, tenantID, keys)
	if err != nil {
		return nil, err
	}
	found := map[string]*customer.Contact{}
	for _, row := range rows {
		c, err := customer.ReadContact(row.Data)
		if err != nil {
			return nil, fmt.Errorf("contact %s: %w", row.ID, err)
		}
		found[row.ID] = &c
	}
	return found, nil
}

// standings reads how contacts stand, in the order of ids.
func (p *Pair) standings(ctx context.Context, b tenant.Bundle, ids []string) (all []standing, err error) {
	v, err := p.view(ctx, b)
	if err != nil {
		return nil, err
	}
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	contacts, err := p.contactsOf(ctx, b.Tenant.ID, ids)
	if err != nil {
		return nil, err
	}
	entries, err := p.entriesOf(ctx, b, ids)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		e, ok := entries[id]
		if !ok {
			e.ID = id
		}
		s, err := v.stand(id, contacts[id], e)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// everyStanding reads how all customers stand, in the order of their ids, after one.
func (p *Pair) everyStanding(ctx context.Context, b tenant.Bundle, v view, after string) iter.Seq2[standing, error] {
	return func(yield func(standing, error) bool) {
		rows, stopRows := iter.Pull2(p.Mirror.Ordered(ctx, b.Tenant.ID, contactRows, after))
		defer stopRows()
		entries, stopEntries := iter.Pull2(p.publisher.All(ctx, b.Tenant.ID, shelfOf(b), publish.Key{ID: after}))
		defer stopEntries()
		row, err, more := rows()
		entry, eerr, told := entries()
		for more || told {
			if err := cmp.Or(err, eerr); err != nil {
				yield(standing{}, err)
				return
			}
			id := row.ID
			if !more || told && entry.ID < id {
				id = entry.ID
			}
			var contact *customer.Contact
			e := publish.Entry{Key: publish.Key{ID: id}}
			if more && row.ID == id {
				c, cerr := customer.ReadContact(row.Data)
				if cerr != nil {
					yield(standing{}, fmt.Errorf("contact %s: %w", id, cerr))
					return
				}
				contact = &c
				row, err, more = rows()
			}
			if told && entry.ID == id {
				e = entry
				entry, eerr, told = entries()
			}
			if id == after {
				continue
			}
			s, serr := v.stand(id, contact, e)
			if !yield(s, serr) || serr != nil {
				return
			}
		}
		if err := cmp.Or(err, eerr); err != nil {
			yield(standing{}, err)
		}
	}
}

// restand makes the rows of contacts anew.
func (p *Pair) restand(ctx context.Context, b tenant.Bundle, ids ...string) error {
	return p.customers.Restand(ctx, b.Tenant.ID, accountOf(b), ids,
		func(ctx context.Context, ids []string) (rows []list.Customer, err error) {
			all, err := p.standings(ctx, b, ids)
			for _, s := range all {
				if row, ok := s.row(); ok {
					rows = append(rows, row)
				}
			}
			return rows, err
		})
}

// rebuild makes all rows anew.
func (p *Pair) rebuild(ctx context.Context, b tenant.Bundle) error {
	return p.customers.Rebuild(ctx, b.Tenant.ID, accountOf(b),
		func(ctx context.Context) (rows []list.Customer, err error) {
			v, err := p.view(ctx, b)
			if err != nil {
				return nil, err
			}
			for s, err := range p.everyStanding(ctx, b, v, "") {
				if err != nil {
					return nil, err
				}
				if row, ok := s.row(); ok {
					rows = append(rows, row)
				}
			}
			return rows, nil
		})
}

// Whoever writes what rows are made of notes first that they may be behind, and forgets that when they are not. A note
// that is found later is of somebody who died in between: all rows are made anew then.

func unsurePartition(tenantID string) string { return tenant.Partition(tenantID) + "#joor#unsure" }

// noteKept is how long such a note is kept.
const noteKept = 30 * 24 * time.Hour

// unsure notes that the rows may be behind what the run writes.
func (r *run) unsure(ctx context.Context) error {
	if r.noted != (table.Key{}) {
		return nil
	}
	key := table.Key{PK: unsurePartition(r.Part.Tenant), SK: strings.ToLower(rand.Text())}
	until := r.Now().Add(noteKept).Truncate(time.Second)
	if err := r.table.Write(ctx, table.Put(table.Item{Key: key, Data: []byte("{}"), Expires: until})); err != nil {
		return err
	}
	r.noted = key
	return nil
}

// touch has the rows of contacts made anew at the end of the part, and touchAll all rows.
func (r *run) touch(ids ...string) {
	for _, id := range ids {
		r.touched[id] = true
	}
}

func (r *run) touchAll() { r.touchedAll = true }

// restandTouched has the lists show what the part changed.
func (r *run) restandTouched(ctx context.Context) error {
	switch {
	case r.touchedAll:
		if err := r.rebuild(ctx, r.b); err != nil {
			return err
		}
	case len(r.touched) > 0:
		ids := slices.Collect(maps.Keys(r.touched))
		if err := r.restand(ctx, r.b, ids...); err != nil {
			return err
		}
	}
	r.touched, r.touchedAll = map[string]bool{}, false
	if r.noted == (table.Key{}) {
		return nil
	}
	it, err := table.Read(ctx, r.table, r.noted)
	if err == nil && it.Rev != "" {
		err = r.table.Write(ctx, table.Remove(it))
	}
	r.noted = table.Key{}
	return err
}

// listedDoc names the note of the rules that the rows were made by.
const listedDoc = "joorListed"

// listed is by what the rows were made.
type listed struct {
	Account string `json:"account"`
	Rules   string `json:"rules"` // a sum of them
}

// followRules has all rows made anew where the rules are others than they were made by: settings changed, or what the
// JOOR account has.
func (r *run) followRules(ctx context.Context) error {
	rules, err := json.Marshal(r.rules)
	if err != nil {
		return err
	}
	now := listed{r.account, fmt.Sprintf("%x", sha256.Sum256(rules))}
	var was listed
	rev, err := r.Ledger.Doc(ctx, r.Part.Tenant, listedDoc, &was)
	if err != nil || was == now {
		return err
	}
	if err := r.rebuild(ctx, r.b); err != nil {
		return err
	}
	_, err = r.Ledger.SaveDoc(ctx, r.Part.Tenant, listedDoc, rev, now)
	if errors.Is(err, ledger.ErrBehind) {
		return r.Part.Soon()
	}
	return err
}

// stand makes all rows anew where they were made by other rules, or somebody died who was writing what they are made
// of.
func (r *run) stand(ctx context.Context) error {
	if err := cmp.Or(r.restandTouched(ctx), r.followRules(ctx)); err != nil {
		return err
	}
	var left []table.Item
	for it, err := range table.QueryAll(ctx, r.table, table.Query{PK: unsurePartition(r.Part.Tenant)}) {
		if err != nil {
			return err
		}
		if begun := it.Expires.Add(-noteKept); r.Now().Sub(begun) > 2*r.Turn { // else somebody is at it
			left = append(left, it)
		}
	}
	if len(left) == 0 {
		return nil
	}
	if err := r.rebuild(ctx, r.b); err != nil {
		return err
	}
	for _, it := range left {
		if err := r.table.Write(ctx, table.Remove(it)); err != nil {
			return err
		}
	}
	return nil
}
