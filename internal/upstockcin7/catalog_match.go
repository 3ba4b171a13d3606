package upstockcin7

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"stockbridge/internal/ledger"
	"stockbridge/internal/match"
	"stockbridge/internal/mirror"
	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/catalogue"
	"stockbridge/internal/upstockcin7/sale"
)

// Which of Upstock's customers a customer is, is known by Upstock's own link, then by the link that orders go by, then
// if one alone has the name, and nothing known of both speaks against it. What else is alike a person decides about,
// and what is like none is made anew. An e-mail alone never decides.

// theirs is a customer of Upstock's, as far as it is compared.
type theirs struct {
	Of         string            `json:"of"` // the supplier
	ID         int64             `json:"id"`
	ExternalID string            `json:"externalId,omitempty"` // in lower case
	Name       string            `json:"name,omitempty"`
	Email      string            `json:"email,omitempty"`
	Phone      string            `json:"phone,omitempty"`
	At         []upstock.Address `json:"at,omitempty"`
}

// theirKind is the kind of their rows in the mirror.
const theirKind = "upstockcustomer"

// mostAddresses is how many addresses of a customer are compared.
const mostAddresses = 20

func theirsOf(supplier string, x upstock.CustomerRecord) theirs {
	t := theirs{Of: supplier, ID: x.ID, ExternalID: strings.ToLower(match.ID(x.ExternalID)),
		Name: prose.Within(x.Name, 256), Email: prose.Within(x.Email, 256), Phone: prose.Within(x.Phone, 100)}
	if x.BillingAddress != nil {
		t.At = append(t.At, *x.BillingAddress)
	}
	t.At = append(t.At, x.ShippingAddresses[:min(len(x.ShippingAddresses), mostAddresses)]...)
	return t
}

func theirKey(id int64) mirror.Key { return mirror.Key{Kind: theirKind, ID: strconv.FormatInt(id, 10)} }

func (t theirs) row() (mirror.Row, error) {
	data, err := json.Marshal(t)
	return mirror.Row{Key: theirKey(t.ID), Data: data}, err
}

func (t theirs) party() match.Party {
	p := match.Party{Name: t.Name, Emails: []string{t.Email}, Phones: []string{t.Phone}}
	return withAddresses(p, t.At)
}

func partyOfCustomer(c catalogue.Customer) match.Party {
	p := match.Party{Name: c.Name, Emails: []string{c.Email}, Phones: []string{c.Phone}}
	if c.Billing != nil {
		p = withAddresses(p, []upstock.Address{*c.Billing})
	}
	return withAddresses(p, c.Shipping[:min(len(c.Shipping), mostAddresses)])
}

func withAddresses(p match.Party, all []upstock.Address) match.Party {
	for _, a := range all {
		p.Towns, p.Postcodes = append(p.Towns, a.City), append(p.Postcodes, a.Postcode)
		p.Streets = append(p.Streets, a.Line1+" "+a.Line2)
	}
	return p
}

// fingerprint changes when what is compared of a party does.
func fingerprint(p match.Party) string {
	data, err := json.Marshal(p)
	if err != nil {
		panic(err) // texts alone
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// candidate is a customer of Upstock's that a customer may be.
type candidate struct {
	Theirs  int64    `json:"theirs"`
	Name    string   `json:"name"`
	Email   string   `json:"email,omitempty"`
	Phone   string   `json:"phone,omitempty"`
	Town    string   `json:"town,omitempty"`
	Score   float64  `json:"score"`
	Reasons []string `json:"reasons,omitempty"`
	Back    string   `json:"back,omitempty"` // why it is here again although it was rejected
}

// rejection is a person's no to a pair, and what both were like then.
type rejection struct {
	Theirs int64     `json:"theirs"`
	Name   string    `json:"name"`
	By     string    `json:"by,omitempty"`
	At     time.Time `json:"at"`
	Ours   string    `json:"ours"` // fingerprints
	Other  string    `json:"other"`
}

// back says why a pair is offered again that was rejected; "" = it is not.
func (no rejection) back(ours, other match.Party) string {
	who := cmp.Or(no.By, "somebody")
	said := "since " + who + " said on " + no.At.Format("2 January 2006") + " that it is another one."
	switch {
	case fingerprint(ours) != no.Ours:
		return "The customer's name, contact or addresses were changed in Cin7 Core " + said
	case fingerprint(other) != no.Other:
		return "The customer's name, contact or addresses were changed in Upstock " + said
	}
	return ""
}

// matcher knows Upstock's customers.
type matcher struct {
	byID   map[int64]theirs
	byOurs map[string]int64   // by our ids: Upstock's customer that is linked to it there
	index  map[string][]int64 // by name, words of it, and e-mail
	linked map[string][]int64 // by our ids: Upstock's customers whose orders are sold to it
	soldTo map[int64]string   // the other way round
	names  map[string]int     // how many active customers of Cin7 Core have a name
}

// mostOfWord is how many customers may have a word in their names for it to lead to any.
const mostOfWord = 100

// nameWords are those of a name that lead to others like it.
func nameWords(name string) (list []string) {
	for word := range strings.FieldsSeq(match.Words(name)) {
		if len([]rune(word)) >= 4 && !slices.Contains(list, word) {
			list = append(list, word)
		}
	}
	return list
}

// keysOf are under what a party is found.
func keysOf(p match.Party) (keys []string) {
	if key := match.Key(p.Name); key != "" {
		keys = append(keys, "n:"+key)
	}
	for _, word := range nameWords(p.Name) {
		keys = append(keys, "w:"+word)
	}
	for _, mail := range p.Emails {
		if key := match.Key(mail); key != "" {
			keys = append(keys, "e:"+key)
		}
	}
	return keys
}

// newMatcher reads Upstock's customers, as they were last read, and the links of orders.
func (r *catalogRun) newMatcher(ctx context.Context) (*matcher, error) {
	m := &matcher{byID: map[int64]theirs{}, byOurs: map[string]int64{}, index: map[string][]int64{},
		linked: map[string][]int64{}, soldTo: map[int64]string{}, names: map[string]int{}}
	for row, err := range r.Mirror.All(ctx, r.Part.Tenant, theirKind) {
		var t theirs
		if err == nil {
			err = json.Unmarshal(row.Data, &t)
		}
		if err != nil {
			return nil, err
		}
		if t.Of != r.Part.Bundle.Connections[tenant.Upstock].Account {
			continue
		}
		m.byID[t.ID] = t
		if t.ExternalID != "" {
			m.byOurs[t.ExternalID] = t.ID
		}
		for _, key := range keysOf(t.party()) {
			m.index[key] = append(m.index[key], t.ID)
		}
	}
	for row, err := range r.Mirror.All(ctx, r.Part.Tenant, catalogue.CustomerKind) {
		var c catalogue.Customer
		if err == nil {
			c, err = catalogue.ReadCustomer(row)
		}
		if err != nil {
			return nil, err
		}
		if c.Active {
			m.names[match.Key(c.Name)]++
		}
	}
	return m, r.readLinks(ctx, m)
}

// readLinks reads which customers of Cin7 Core orders of Upstock's are sold to.
func (r *catalogRun) readLinks(ctx context.Context, m *matcher) error {
	for l, err := range r.customerLinks(ctx) {
		if err != nil {
			return err
		}
		m.linked[l.ours], m.soldTo[l.theirs] = append(m.linked[l.ours], l.theirs), l.ours
	}
	return nil
}

// soldTo is a link that orders go by.
type soldTo struct {
	ours   string
	theirs int64
}

// customerLinks are the links of customers. Those that an e-mail made in earlier versions decide nothing.
func (r *catalogRun) customerLinks(ctx context.Context) iter.Seq2[soldTo, error] {
	who := supplierAt(r.Part.Bundle.Connections[tenant.Upstock])
	return func(yield func(soldTo, error) bool) {
		for after, more := "", true; more; more = after != "" {
			links, next, err := r.Ledger.ListLinks(ctx, r.Part.Tenant, sale.CustomerLinks, after, 1000)
			if err != nil {
				yield(soldTo{}, err)
				return
			}
			for _, l := range links {
				id, err := strconv.ParseInt(linkFrom(sale.CustomerLinks, l), 10, 64)
				if err == nil && who.owns(l.From) && l.By != ledger.ByMatch &&
					!yield(soldTo{strings.ToLower(l.ID), id}, nil) {
					return
				}
			}
			after = next
		}
	}
}

// matchBasis stands for all that customers are compared by: it is another one as soon as anything of that may be.
func (r *catalogRun) matchBasis(ctx context.Context) (string, error) {
	read, err := r.Ledger.Cursor(ctx, r.Part.Tenant, changedCustomers)
	if err != nil {
		return "", err
	}
	l, err := r.learned(ctx)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	fmt.Fprintln(sum, read.Since.UnixNano(), MirrorOf(r.Part.Bundle).Ready.UnixNano(), l.Theirs.UnixNano())
	for l, err := range r.customerLinks(ctx) {
		if err != nil {
			return "", err
		}
		fmt.Fprintln(sum, l.ours, l.theirs)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8]), nil
}

// decide says which of Upstock's customers a customer is.
func (m *matcher) decide(c catalogue.Customer, was chosen) chosen {
	now := was
	now.Theirs, now.How, now.Why, now.Candidates, now.Anew = 0, "", "", nil, false
	ours := partyOfCustomer(c)
	if id, ok := m.byOurs[c.ID]; ok {
		t := m.byID[id]
		if was.rejection(id) >= 0 { // it may have been changed by us alone
			now.State, now.Why = isUnsure, stillLinked(t)
			return now
		}
		now.State, now.Theirs, now.How = isLinked, id, "It is linked in Upstock."
		return now
	}
	if t, ok := m.byLink(c, was); ok {
		now.State, now.Theirs, now.How = chooseLink, t.ID, "Orders of Upstock's customer "+prose.Quote(t.Name)+
			" are sold to it."
		return now
	}
	found := m.candidates(c, was, ours)
	if t, ok := m.sure(c, ours, found); ok {
		now.State, now.Theirs = chooseLink, t.Theirs
		now.How = "Upstock's customer " + prose.Quote(t.Name) + " alone has its name (" + prose.List(t.Reasons) + ")."
		return now
	}
	if len(found) == 0 {
		now.State = isNew
		return now
	}
	now.State, now.Candidates = isUnsure, found[:min(len(found), mostCandidates)]
	return now
}

func stillLinked(t theirs) string {
	return "Upstock's customer " + prose.Quote(t.Name) + " is linked to it still, although it is another one. Link " +
		"that one otherwise in Upstock (Customers › the customer › Profile)."
}

// mostCandidates is how many candidates a person is shown.
const mostCandidates = 5

// rejects reports whether a person said no to a pair, and both are as they were.
func (c chosen) rejects(their int64, ours, other match.Party) bool {
	i := c.rejection(their)
	return i >= 0 && c.Rejected[i].back(ours, other) == ""
}

func (c chosen) rejection(their int64) int {
	return slices.IndexFunc(c.Rejected, func(no rejection) bool { return no.Theirs == their })
}

// byLink is the only customer of Upstock's whose orders are sold to one of Cin7 Core.
func (m *matcher) byLink(c catalogue.Customer, was chosen) (theirs, bool) {
	list := m.linked[c.ID]
	if len(list) != 1 {
		return theirs{}, false
	}
	t, ok := m.byID[list[0]]
	return t, ok && t.ExternalID == "" && was.rejection(t.ID) < 0
}

// candidates are the customers of Upstock's that may be the customer, the likeliest first.
func (m *matcher) candidates(c catalogue.Customer, was chosen, ours match.Party) (list []candidate) {
	seen := map[int64]bool{}
	linked := m.linked[c.ID]
	look := func(id int64) {
		t, ok := m.byID[id]
		if !ok || seen[id] || t.ExternalID != "" {
			return
		}
		seen[id] = true
		other := t.party()
		x, like := compared(t, ours, other)
		if slices.Contains(linked, id) {
			x.Reasons, like = append(x.Reasons, "orders of it are sold to this customer"), true
		}
		if i := was.rejection(id); i >= 0 {
			if x.Back = was.Rejected[i].back(ours, other); x.Back == "" {
				return
			}
		}
		if like {
			list = append(list, x)
		}
	}
	for _, id := range linked {
		look(id)
	}
	for _, key := range keysOf(ours) {
		if ids := m.index[key]; len(ids) <= mostOfWord || !strings.HasPrefix(key, "w:") {
			for _, id := range ids[:min(len(ids), mostOfWord)] {
				look(id)
			}
		}
	}
	slices.SortFunc(list, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Theirs, b.Theirs))
	})
	return list
}

// What a likeness is worth: with another reason beside a name like it, or with the name alone. Customers whose names
// differ by a number are two.
const leastScore, leastByName = 0.2, 0.38

// compared compares a customer with one of Upstock's. like reports whether a person should decide about them.
func compared(t theirs, ours, other match.Party) (x candidate, like bool) {
	score, why := match.Compare(ours, other)
	x = candidate{Theirs: t.ID, Name: prose.Within(t.Name, 60), Email: prose.Within(t.Email, 60),
		Phone: prose.Within(t.Phone, 40), Score: score, Reasons: why}
	if len(t.At) > 0 {
		x.Town = prose.Within(t.At[0].City, 40)
	}
	if match.Contradicts(ours, other) {
		x.Reasons = append(x.Reasons, "another e-mail and another town")
	}
	switch {
	case len(why) == 0 || score < leastScore:
		return x, false
	case len(why) == 1 && match.Key(ours.Name) != match.Key(other.Name) && !sharesMail(ours, other):
		return x, score >= leastByName && numbers(ours.Name) == numbers(other.Name)
	}
	return x, true
}

func sharesMail(a, b match.Party) bool {
	return slices.ContainsFunc(a.Emails, func(x string) bool {
		same := func(y string) bool { return match.Key(x) == match.Key(y) }
		return match.Key(x) != "" && slices.ContainsFunc(b.Emails, same)
	})
}

// numbers are the digits of a name.
func numbers(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return r
		}
		return -1
	}, match.Fold(name))
}

// sure is the one candidate that alone has the customer's name, if no other customer has it and nothing known of both
// speaks against it, nor a person did.
func (m *matcher) sure(c catalogue.Customer, ours match.Party, found []candidate) (candidate, bool) {
	key := match.Key(c.Name)
	var named []candidate
	for _, x := range found {
		if match.Key(m.byID[x.Theirs].Name) == key {
			named = append(named, x)
		}
	}
	if len(named) != 1 || key == "" || named[0].Back != "" || m.names[key] > 1 {
		return candidate{}, false
	}
	t := m.byID[named[0].Theirs]
	elsewhere := m.soldTo[t.ID] != "" && m.soldTo[t.ID] != c.ID
	return named[0], !elsewhere && !match.Contradicts(ours, t.party())
}
