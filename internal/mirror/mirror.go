// Package mirror keeps copies of a vendor's records, as far as orders need them, so that an order is planned with a
// read or two of the table and without a call.
//
// # Words
//
//	row    one record: its kind, its id, and what is kept of it, as JSON. Where more is kept of a record than one row
//	       should hold, it has rows of several kinds, and some of them are numbered (Numbered)
//	name   a text by which rows of a kind are found: a SKU, a customer's name, an e-mail address. A name is of a kind
//	       of its own, leads to the rows that have it, and is spelt as the caller folds it
//	books  small lists that every order needs whole: one item, read with the tenant
//	pass   one reading of a vendor's whole list, page by page
//	turn   the right to read for a connection, which one worker at a time has
//
// # How it is used
//
// [Store.Save] writes rows with their names, [Store.Remove] takes rows away. [Store.Find] reads the rows that ids and
// names lead to, and those that a person has linked:
//
//	rows, links, err := m.Find(ctx, tenantID,
//		[]mirror.Key{{Kind: "product", ID: "7c1f…"}, {Kind: "productsku", ID: "tea-1"}},
//		mirror.Link{Kind: "customer", ID: "9001", Row: "customer"})
//
// [Store.Ordered] goes through all rows of a kind in the order of their ids, from any id on, and [Store.SaveRecords]
// writes all rows that a record has.
//
// [Store.Read] does a part of a [Pass]: it reads the books and the lists that the pass names, saves what each page
// holds and how far it is, and removes at the end of a list what no page held. It is the work of a job, and comes
// back by itself until the pass is whole:
//
//	result, err := m.Read(ctx, part, mirror.Pass{
//		Tenants: tenants, System: acme, Lease: 75 * time.Second,
//		Books: []mirror.Book{{Name: "terms", Title: "payment terms", Read: …}}, Keep: …,
//		Lists: []mirror.List{{Name: "contacts", Title: "contacts", Kind: "contact", Page: …}},
//	})
//
// # What it promises
//
// A row and its names change in one write, on the condition that none of them has changed since they were read: they
// always agree, whoever writes. A row that is as it was is not written, so a pass over a list that has not changed
// costs reads alone. A copy may be old: what would stop an order is read from the vendor first, by the caller.
//
// # Keys
//
//	T#<tenant>             books                     the books
//	T#<tenant>#<kind>#<s>  <id>                      a row, and the names by which it is found
//	T#<tenant>#<name>#<s>  <name>                    the ids of the rows of that name, or the rows themselves
//	T#<tenant>#mirror      seen#<kind>#<pass>#<page> what a page of a running pass held
//	                       turn#<name>               whose turn it is to read
//
// s is a hash of the sort key, one of 16.
package mirror

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// Store keeps mirrors in the table.
type Store struct{ table table.Table }

// New returns the store over t.
func New(t table.Table) *Store { return &Store{table.Repeating(t)} }

// Key names a row by its id, or rows by a name of theirs.
type Key struct{ Kind, ID string }

// Name is a name by which a row is found.
type Name struct {
	Key
	Whole bool // the rows are kept under the name too, which saves the second read
}

// Row is one record, or a part of what is kept of one. Data is a JSON object as json.Marshal writes it.
type Row struct {
	Key
	Data  json.RawMessage
	Names []Name // the first 20 count
	// Over returns what is kept where the row is there already, as was: was itself leaves it. nil: Data is kept.
	Over func(was json.RawMessage) json.RawMessage
}

// Numbered is the key of a record's nth row of a kind, of which it may have any number: they are numbered from 0 on
// without a gap. In the order of their ids, a record's rows come one after another.
func Numbered(kind, id string, n int) Key { return Key{kind, fmt.Sprintf("%s#%03d", id, n)} }

// Link leads to a row of kind Row by a link of package ledger, of a kind and from an id.
type Link struct{ Kind, ID, Row string }

const (
	shards = 16
	// maxNames keeps a row with its old and new names within one write; maxMembers
	// keeps a name's item small: among so many, a name tells nothing.
	maxNames   = 20
	maxMembers = 100
	// maxWhole is the largest item of a name that keeps rows; beyond it ids must do.
	maxWhole = 100_000
	// maxID is the longest id or name; there are none beyond it.
	maxID = 1024
)

func partition(tenantID, kind string, shard uint32) string {
	return tenant.Partition(tenantID) + "#" + kind + "#" + strconv.Itoa(int(shard))
}

func (k Key) of(tenantID string) table.Key {
	return table.Key{PK: partition(tenantID, k.Kind, tenant.Shard(k.ID, shards)), SK: k.ID}
}

// entry is a row or a name as it is stored.
type entry struct {
	Row     json.RawMessage            `json:"row,omitempty"`
	Names   []string                   `json:"names,omitempty"`   // of a row: kind and name, with a tab between
	Of      string                     `json:"of,omitempty"`      // of a name: the kind of its rows
	Members map[string]json.RawMessage `json:"members,omitempty"` // of a name: id → row, or null

	touched bool // it is to be written, if it is not what it was
}

func entryOf(it table.Item) (*entry, error) {
	e := new(entry)
	if err := table.Unmarshal(it.Data, e); err != nil {
		return nil, fmt.Errorf("mirror %s: %w", it.SK, err)
	}
	return e, nil
}

// empty reports whether nothing is left of a row, or of a name.
func (e *entry) empty() bool { return e.Row == nil && len(e.Members) == 0 }

// size is how many bytes of rows a name keeps.
func (e *entry) size() (n int) {
	for _, row := range e.Members {
		n += len(row)
	}
	return n
}

// String is a name as its rows store it.
func (n Name) String() string { return n.Kind + "\t" + n.ID }

func keyOf(name string) Key {
	kind, id, _ := strings.Cut(name, "\t")
	return Key{kind, id}
}
