package list

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/match"
)

// List names one of the lists of customers.
type List string

// The lists. A customer may be in none of them, and a linked one whose fields changed is in two.
const (
	Upload List = "upload" // active, and not in JOOR as far as we know
	Update List = "update" // linked, and JOOR holds other values of mapped fields
	Review List = "review" // sent, and JOOR's data team has not looked at it yet
	Linked List = "linked" // JOOR has it
)

// Lists are all of them.
func Lists() []List { return []List{Upload, Update, Review, Linked} }

// Customer is a customer of Cin7 Omni as the lists show it.
type Customer struct {
	ID, Company, Name, Email, AccountNumber string

	In         []List
	State      string    // how it stands, a word
	Why        string    // of the state, a sentence; "" = nothing to say
	Due        time.Time // in review: by when JOOR decides, as it says
	Code       string    // of the connection
	Connection string    // JOOR's id of it; "" = none is known

	text string // folded: what it is ordered and found by
}

// Fold makes the text by which a customer is ordered and found.
func (c Customer) Fold() Customer {
	parts := []string{c.Company, c.Name, c.Email, c.AccountNumber}
	if strings.TrimSpace(c.Company) == "" {
		parts[0], parts[1] = c.Name, ""
	}
	for i, s := range parts {
		parts[i] = match.Fold(s)
	}
	c.text = strings.Join(parts, "\n")
	return c
}

// IsIn reports whether the customer is in a list.
func (c Customer) IsIn(l List) bool { return slices.Contains(c.In, l) }

// Overdue reports whether JOOR should have decided by now.
func (c Customer) Overdue(now time.Time) bool {
	return c.IsIn(Review) && !c.Due.IsZero() && now.After(c.Due)
}

// CustomerKind is the kind of customers.
func CustomerKind() Kind[Customer] {
	return Kind[Customer]{
		Name: "customers", ID: func(c Customer) string { return c.ID },
		Compare: func(a, b Customer) int { return cmp.Compare(a.text, b.text) },
		Pack:    packCustomers, Unpack: unpackCustomers,
		Counts: func(c Customer) (names []string) {
			for _, l := range c.In {
				names = append(names, string(l))
			}
			if c.State != "" {
				names = append(names, "state "+c.State)
			}
			return names
		},
	}
}

// Customers are kept as text, which is read ten times as fast as JSON: each has its fields in order, ended by a
// character that no text has.
const (
	endOfField = '\x1f'
	fields     = 12
)

func packCustomers(rows []Customer) ([]byte, error) {
	var b strings.Builder
	put := func(s string) {
		if strings.ContainsRune(s, endOfField) {
			s = strings.ReplaceAll(s, string(endOfField), " ")
		}
		b.WriteString(s)
		b.WriteByte(endOfField)
	}
	for _, c := range rows {
		due := ""
		if !c.Due.IsZero() {
			due = strconv.FormatInt(c.Due.Unix(), 36)
		}
		in := make([]string, len(c.In))
		for i, l := range c.In {
			in[i] = string(l)
		}
		for _, s := range []string{c.ID, c.Company, c.Name, c.Email, c.AccountNumber, strings.Join(in, " "), c.State,
			c.Why, due, c.Code, c.Connection, c.text} {
			put(s)
		}
	}
	return []byte(b.String()), nil
}

var errCustomers = errors.New("the rows of customers are not whole")

func unpackCustomers(data []byte) ([]Customer, error) {
	rest := string(data) // the rows' texts are parts of it
	rows := make([]Customer, 0, strings.Count(rest, string(endOfField))/fields)
	for rest != "" {
		var f [fields]string
		for i := range f {
			at := strings.IndexByte(rest, endOfField)
			if at < 0 {
				return nil, errCustomers
			}
			f[i], rest = rest[:at], rest[at+1:]
		}
		c := Customer{ID: f[0], Company: f[1], Name: f[2], Email: f[3], AccountNumber: f[4], In: listsOf(f[5]),
			State: f[6], Why: f[7], Code: f[9], Connection: f[10], text: f[11]}
		if f[8] != "" {
			n, err := strconv.ParseInt(f[8], 36, 64)
			if err != nil {
				return nil, errCustomers
			}
			c.Due = time.Unix(n, 0).UTC()
		}
		rows = append(rows, c)
	}
	return rows, nil
}

// listsOf reads what lists a customer is in. Those that occur have one slice each.
func listsOf(s string) []List {
	switch s {
	case "":
		return nil
	case string(Upload):
		return inUpload
	case string(Linked):
		return inLinked
	case string(Review):
		return inReview
	}
	var in []List
	for name := range strings.FieldsSeq(s) {
		in = append(in, List(name))
	}
	return in
}

var inUpload, inLinked, inReview = []List{Upload}, []List{Linked}, []List{Review}

// Query chooses customers of a sheet.
type Query struct {
	List  List   // "" = whichever
	Q     string // every word of it stands somewhere in the company, the name, the e-mail or the account number
	After string // the page before ended with this id
	Sort  string // one of Sorts, with a - before it the other way round; "" = company
	Limit int    // 0 = all
}

// Page are the customers of a query.
type Page struct {
	Items []Customer
	Next  string // After of the page after this one; "" = it is the last
	Of    int    // how many there are in all
}

// Sorts are what customers can be ordered by.
func Sorts() []string { return []string{byCompany, "name", "email", "accountNumber", "state", "due"} }

// ErrAfter is the error of a query that begins after a customer that there is not.
var ErrAfter = errors.New("no such customer")

// Choose are the customers of a query. A page begins where the one before ended, whatever list its last customer is in
// by now.
func Choose(s *Sheet[Customer], q Query) (Page, error) {
	words := strings.Fields(match.Fold(q.Q))
	order := orderOf(q.Sort)
	var found []keyed
	for i := range s.Rows {
		if c := &s.Rows[i]; (q.List == "" || c.IsIn(q.List)) && c.has(words) {
			found = append(found, order.of(c))
		}
	}
	if !order.asRead {
		slices.SortFunc(found, order.compare)
	}
	p := Page{Of: len(found)}
	if q.After != "" {
		last, ok := s.Row(q.After)
		if !ok {
			return Page{}, ErrAfter
		}
		at, there := slices.BinarySearchFunc(found, order.of(&last), order.compare)
		if there {
			at++
		}
		found = found[at:]
	}
	if q.Limit > 0 && len(found) > q.Limit {
		found = found[:q.Limit]
		p.Next = found[q.Limit-1].ID
	}
	p.Items = make([]Customer, len(found))
	for i, k := range found {
		p.Items[i] = *k.Customer
	}
	return p, nil
}

// order is the order of a query, in which no two customers are equal.
type order struct {
	key    func(*Customer) string
	down   bool
	asRead bool // as a sheet is
}

// keyed is a customer with what it is ordered by.
type keyed struct {
	*Customer
	key string
}

func orderOf(sort string) order {
	name, down := strings.CutPrefix(sort, "-")
	return order{sortKey(name), down, !down && (name == "" || name == byCompany)}
}

func (o order) of(c *Customer) keyed { return keyed{c, o.key(c)} }

func (o order) compare(a, b keyed) int {
	n := cmp.Compare(a.key, b.key)
	if o.down {
		n = -n
	}
	return cmp.Or(n, cmp.Compare(a.text, b.text), cmp.Compare(a.ID, b.ID))
}

func (c *Customer) has(words []string) bool {
	for _, w := range words {
		if !strings.Contains(c.text, w) {
			return false
		}
	}
	return true
}

// byCompany is how a sheet is ordered.
const byCompany = "company"

// sortKey is what customers are ordered by.
func sortKey(name string) func(*Customer) string {
	field := func(n int) func(*Customer) string {
		return func(c *Customer) string { return strings.SplitN(c.text, "\n", 4)[n] }
	}
	switch name {
	case "name":
		return func(c *Customer) string { return match.Fold(c.Name) }
	case "email":
		return field(2)
	case "accountNumber":
		return field(3)
	case "state":
		return func(c *Customer) string { return c.State }
	case "due":
		return func(c *Customer) string {
			if c.Due.IsZero() {
				return "~" // after all dates
			}
			return c.Due.UTC().Format(time.RFC3339)
		}
	}
	return func(c *Customer) string { return c.text }
}
