package publish

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"time"
	"unicode/utf8"
)

// Key names a record within a set.
type Key struct {
	Group string `json:"group,omitempty"` // what one call may hold; "" = any
	ID    string `json:"id"`
}

// Record is a record as the far side should hold it. Data is JSON; nil = it should not be there.
type Record struct {
	Key
	Data json.RawMessage
}

// Telling is a record on its way to the far side.
type Telling struct {
	Record
	// Was is what the far side holds as far as we know, or may hold; nil = nothing. What goes needs it where the far
	// side has no removal: it is marked there, under its own name.
	Was     json.RawMessage
	TheirID string // the far side's own id of it, if it said one
}

// Result is what became of one record of a call. With neither Refused nor Pending the far side has it.
type Result struct {
	ID      string
	TheirID string
	Refused string // why it was refused, as the far side says it
	Pending bool   // it is the far side's to decide
	// Due is about when a pending record is decided. Of a refused one it is when it is tried again by itself; zero =
	// not before another value is wanted, or a person asks.
	Due time.Time
	// Ask is when to ask about a pending record; zero = when it is Due.
	Ask time.Time
}

// ask is when to ask about a pending record.
func (r Result) ask() time.Time {
	if r.Ask.IsZero() {
		return r.Due
	}
	return r.Ask
}

// Answer is what the far side says to a call. It may have results of fewer records than were sent: the others have the
// ticket, or nobody knows what became of them.
type Answer struct {
	Results []Result
	Ticket  string    // the far side works on it, and will say what came of it to whoever names the ticket
	Again   time.Time // when to ask; zero = soon
}

// Side is a far side: a vendor's products, customers or price lists.
//
// A call that fails returns the client's error as it is. One that is refused as a whole for what it asks is repeated
// with fewer records, until it is known whose fault it is; one without a believable answer is in doubt (see the package
// comment). A side that has a reason to make no call returns an outcome of package ledger.
type Side interface {
	// Most is how many records one call takes.
	Most() int
	// Put tells records of one group. It must be safe to repeat: what is there under the same ID is written over, and
	// what is gone already is gone. It is one call, or so few that Times.Call is enough for them.
	Put(ctx context.Context, batch []Telling) (Answer, error)
	// Follow asks what became of records that were pending: of those of a ticket, or, with ticket "", of those whose
	// Due has come. It changes nothing over there.
	Follow(ctx context.Context, ticket string, batch []Telling) (Answer, error)
}

// Want lists what a far side should hold, in order of group and ID, from after a key on. It is read as a stream, beside
// the stream of what was told, and taken up again where a part broke off. It ends early with its error alone: what a
// whole reading does not list is taken away over there.
type Want func(ctx context.Context, after Key) iter.Seq2[Record, error]

// Set is the records of one kind that one far side should hold.
type Set struct {
	Name    string // in keys, and as the kind of progress: products
	Account string // whose far side it is. What another account was told says nothing of this one
	Title   string // what the records are, in a sentence: products
	Want    Want
	To      Side
	Of      int // how many records are wanted, where that is known; for people
	// Still is asked before each call whether the run is to go on. An error, such as an outcome of package ledger, ends
	// the part, and the next one reads anew what is wanted. nil: it always is.
	Still func(context.Context) error
	// Hold says why a change waits for a person's yes; "" = it does not. nil: none does.
	Hold func(Change) (why string)
	// Label is what people call a record, by what is wanted or was told of it. nil: its ID.
	Label func(Record) string
}

// Why is why a record differs from what was told.
type Why string

// The reasons.
const (
	Added    Why = "new"
	Changed  Why = "changed"
	Gone     Why = "gone"     // no longer wanted
	Doubt    Why = "doubt"    // nobody knows what the far side holds
	Held     Why = "held"     // waits for a person's yes
	Declined Why = "declined" // a person said no to this very value
	Refused  Why = "refused"  // the far side did, to this very value
	Pending  Why = "pending"  // the far side has not decided yet
)

// Change is a difference between what is wanted and what was told.
type Change struct {
	Record                 // as it is wanted; Data nil = it is to go
	Was    json.RawMessage // what the far side holds as far as we know; nil = nothing
	Told   bool            // it said so; else a call that is in doubt may have brought it Was, or may yet
	Why    Why
	Says   string // Held, Declined, Refused: the reason
}

// Tally counts what a run came to.
type Tally struct {
	Same    int `json:"same"`    // were told already
	New     int `json:"new"`     // told, and not there before
	Changed int `json:"changed"` // told
	Gone    int `json:"gone"`    // told that they are to go

	Refused  int `json:"refused"`
	Held     int `json:"held"`
	Declined int `json:"declined"`
	Pending  int `json:"pending"`
	Unknown  int `json:"unknown"` // in doubt
	Unsent   int `json:"unsent"`  // left for the next run, as the far side refused one after another
}

// counts are the counts that are not 0, by name, as progress has them.
func (t Tally) counts() map[string]int {
	all := map[string]int{"same": t.Same, "new": t.New, "changed": t.Changed, "gone": t.Gone, "refused": t.Refused,
		"held": t.Held, "declined": t.Declined, "pending": t.Pending, "unknown": t.Unknown, "unsent": t.Unsent}
	for name, n := range all {
		if n == 0 {
			delete(all, name)
		}
	}
	return all
}

// Limits of what is kept.
const (
	MaxData = 100_000 // bytes of one record; a larger one is left out, and said
	maxKey  = 700     // bytes of group and ID together
)

// String is a key as it is stored: keys sort as their groups and IDs do.
func (k Key) String() string { return k.Group + "\t" + k.ID }

// less reports whether a key comes before another.
func (k Key) less(than Key) bool { return k.compare(than) < 0 }

// compare orders keys by group, then by ID, which is the order of their strings: neither has a control character.
func (k Key) compare(to Key) int {
	return cmp.Or(strings.Compare(k.Group, to.Group), strings.Compare(k.ID, to.ID))
}

// check reports what is wrong with a key.
func (k Key) check() error {
	s := k.Group + k.ID
	control := strings.ContainsFunc(s, func(r rune) bool { return r < ' ' })
	if k.ID == "" || len(s) > maxKey || !utf8.ValidString(s) || control {
		return fmt.Errorf("record %.100q of group %.100q: no such key can be kept", k.ID, k.Group)
	}
	return nil
}

// canonical returns data as it is stored, so that equal data has equal bytes.
func canonical(data json.RawMessage) (json.RawMessage, error) {
	if len(data) == 0 || string(data) == "null" {
		return nil, nil
	}
	return json.Marshal(data)
}
