// Package table is the one storage port: items under a partition key and a
// sort key, two sparse indexes over them, and writes that state their condition.
//
// It is the shape of a single DynamoDB table with two sparse global secondary
// indexes; [Open] gives the same contract over one local file (bbolt). tabletest
// holds both to the same behaviour and to the same limits.
//
// Reads by key and queries are consistent. The indexes are eventually consistent
// in both: an entry may show late or stay a while after its item has changed.
// Read the item before acting on an entry.
//
// # Use
//
// A writer reads an item ([Read], or [Table].Get of several), and writes it on the
// condition that it is still as it was read: Write with [Save], [Replace] or
// [Remove]. A refused Write is a [*Conflict], and nothing of it was written.
// [Change] does all of this for one item, and starts again with what somebody else
// wrote meanwhile; [RetryOnConflict] does so for several. Data that may be large is
// packed ([Marshal], [Pack]).
//
// # Cost
//
// DynamoDB counts each KB of an item that is written, and each index entry that
// is made or removed. A Write of several operations is a transaction, in which an
// item counts double. Operations made with [Ahead] are not part of the transaction.
//
// # Lost answers
//
// Every write gives its item a new random revision, which is the condition
// of the next write and the nonce of this one: a write that is refused by an
// item that already carries the write's own revision took effect earlier (the
// first try of a retried request), and is reported as done. Repeating an [Op]
// is therefore safe, and is the right thing to do after any error that is not
// a [Conflict]; a [Repeating] table does it. A Write of several operations counts
// as done when all its Create and Replace operations find their own revision; so
// an Op belongs to one Write, and is repeated with the others of that Write. A
// repeated Put writes again, and a repeated Remove finds nothing and is done.
//
// # Expiry
//
// An expired item may still be read, and its revision may be the condition of a
// write, for a while after Expires (days, in DynamoDB). Compare Expires where it
// matters.
package table

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// Limits of the store, as DynamoDB has them; every implementation refuses
// beyond them with [ErrTooLarge] before anything is written.
const (
	MaxItemBytes = 400_000 // keys and attributes of one item
	MaxOps       = 100     // operations of one Write
	MaxWrite     = 4 << 20 // bytes of one Write
	MaxKeys      = 100     // keys of one Get
)

// ErrTooLarge is wrapped when an item, a Write or a Get is over a limit, when
// two operations of a Write name one item, or when a key or index key is empty,
// not UTF-8 or too long (partition 2048 bytes, sort 1024). Repeating cannot help.
var ErrTooLarge = errors.New("over a limit of the table")

// Key names an item.
type Key struct{ PK, SK string }

// Item is one record. Data is opaque to the table (the packages above store JSON).
type Item struct {
	Key
	Rev     string // set by the table's writes, see the package comment
	Data    []byte
	Index   string    // partition of the sparse index; "" = not in it
	Sort    string    // sort key within Index; not empty if Index is not, and kept only with it
	Group   string    // partition of the second index, likewise; "" = not in it
	Order   string    // sort key within Group
	Expires time.Time // the store may drop the item any time after; zero = never. Whole seconds.
}

// Op is one conditional write. Make it with Create, Replace, Remove, Check, Put or Ahead.
type Op struct {
	Kind Kind
	Item Item   // as it will stand; Item.Rev is the new revision
	If   string // Replace, Remove, Check: the revision it must have now
}

// Kind of an Op.
type Kind int

// The kinds of write, each with its condition.
const (
	KindCreate  Kind = iota + 1 // the key must not exist
	KindReplace                 // the item must still have revision If
	KindRemove                  // the item must still have revision If; an item that is gone counts as removed
	KindCheck                   // writes nothing; the item must still have revision If ("" = must not exist)
	KindPut                     // no condition: last writer wins
	// like Put, but done before the rest of its Write, whether or not the rest is refused
	KindAhead
)

// Create writes an item whose key must not exist yet.
func Create(it Item) Op { return op(KindCreate, it) }

// Replace writes over the item as it was read: its Rev is the condition.
func Replace(it Item) Op { return op(KindReplace, it) }

// Remove deletes the item as it was read: its Rev is the condition.
func Remove(it Item) Op { return op(KindRemove, it) }

// Check makes the other operations of the same Write conditional on this item
// being as it was read, or on its absence if it.Rev is empty.
func Check(it Item) Op { return op(KindCheck, it) }

// Put writes without a condition: for items whose only writer does not care
// what was there (copies of a vendor's data, log entries under a unique key).
func Put(it Item) Op { return op(KindPut, it) }

// Ahead writes without a condition before the other operations of its Write are
// tried. It stands whether or not they are refused, so it is for an item that
// means nothing until one of them names it, under a key that nobody else uses.
func Ahead(it Item) Op { return op(KindAhead, it) }

func op(k Kind, it Item) Op {
	o := Op{Kind: k, Item: it, If: it.Rev}
	if k != KindCheck {
		o.Item.Rev = rand.Text()
	}
	return o
}

// Conflict is the error of a Write none of whose operations, but for those made
// with Ahead, took effect because at least one condition did not hold.
type Conflict struct {
	Failed  []int        // indexes of the operations refused
	Current map[int]Item // by index of the refused operation: the item as it is; absent if there is none
}

func (c *Conflict) Error() string { return fmt.Sprintf("condition failed (%d)", len(c.Failed)) }

// ErrConflict matches every [*Conflict] in errors.Is: somebody else wrote first.
var ErrConflict = errors.New("condition failed")

// Is makes errors.Is(err, ErrConflict) report whether err is a Conflict.
func (c *Conflict) Is(target error) bool { return target == ErrConflict }

// Done reports whether the refusals show that the Write took effect earlier:
// each of its Creates and Replaces found its own revision. Implementations call
// it before they report the Conflict.
func (c *Conflict) Done(ops []Op) bool {
	own := 0
	for i, o := range ops {
		if o.Kind != KindCreate && o.Kind != KindReplace {
			continue
		}
		if it, ok := c.Current[i]; !ok || it.Rev != o.Item.Rev {
			return false
		}
		own++
	}
	return own > 0
}

// Split separates the operations made with Ahead from the rest of a Write. at
// holds the index in ops of each of the rest, for [Conflict.Renumbered].
func Split(ops []Op) (ahead, rest []Op, at []int) {
	for i, o := range ops {
		if o.Kind == KindAhead {
			ahead = append(ahead, o)
			continue
		}
		rest, at = append(rest, o), append(at, i)
	}
	return ahead, rest, at
}

// Renumbered returns the conflict of some of a Write's operations as a conflict
// of the whole Write. at holds the index of each of them in the whole.
func (c *Conflict) Renumbered(at []int) *Conflict {
	whole := &Conflict{Current: make(map[int]Item, len(c.Current))}
	for _, i := range c.Failed {
		whole.Failed = append(whole.Failed, at[i])
		if it, ok := c.Current[i]; ok {
			whole.Current[at[i]] = it
		}
	}
	return whole
}

// Query selects items of one partition in the order of their sort keys (bytewise).
type Query struct {
	PK    string
	From  string // first sort key, inclusive; "" = from the start
	Until string // last sort key, exclusive; "" = to the end
	After string // exclusive; Page.Next of the page before (List: Entries.Next, which is opaque)
	Desc  bool   // largest first; After then means: smaller than
	Limit int    // the most items of a page; 0 = as many as it holds
	Group bool   // List: PK is a Group of the second index, and the bounds compare Order
}

// Page is one page of a Query. Next is "" on the last page; a page may be
// short, or empty, and still have a Next.
type Page struct {
	Items []Item
	Next  string
}

// Entry is one row of a sparse index.
type Entry struct {
	Key
	Sort string // in the second index: the item's Order
}

// Entries is one page of index rows.
type Entries struct {
	Entries []Entry
	Next    string
}

// Table is the storage port. All methods are safe for concurrent use. An
// error that is neither a *Conflict nor ErrTooLarge leaves open whether the
// write took effect; see the package comment.
type Table interface {
	// Get reads items by key, consistently, up to 100 keys. Items that do
	// not exist are left out; order follows the keys.
	Get(ctx context.Context, keys ...Key) ([]Item, error)
	// Query reads one page, consistently.
	Query(ctx context.Context, q Query) (Page, error)
	// List reads one page of a sparse index, eventually consistent.
	// Query.PK is the index partition, From, Until compare Entry.Sort.
	List(ctx context.Context, q Query) (Entries, error)
	// Write applies all operations or none (*Conflict), but for those made with
	// Ahead, which come first. Keys must be distinct.
	Write(ctx context.Context, ops ...Op) error
}
