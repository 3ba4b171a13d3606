// Package ledger remembers what has been done: for each business fact, such as an order, a [Run], which is its journal,
// with its intents, answers and timeline; beside it links between ids of two systems, how far jobs have come, and a
// flight recorder of events.
//
// The table is the record; queues only wake. Whatever a worker wants to know tomorrow it writes here, and whoever takes
// up the work, on another machine after a crash, finds all of it. A run that wants attention at a certain time says so
// in Next, and the sparse index lists it until then.
//
// # Words
//
//	Run       the journal of one business fact: its state, what is due, what was written outside, what was said of it
//	Fact      a type that embeds Run and has the words of its own kind: an order's numbers, sale, parcels
//	Journal   all runs of one kind of fact. Its Kind says what they have in common
//	Intent    an outside write, put on record before it is made (Run.Intend); its Answer says what became of it
//	Lease     one worker's right to act on a run, until a time
//	Problem   something that a person must act on: what is wrong, and what would mend it
//	Entry     a line of the timeline (Run.Note)
//	Exchange  a request and its answer, as recorded beside the run (Run.Record)
//	Pointer   what a queue carries: which run is to be looked at
//	Cursor    how far a job has come with a vendor's list
//	Link      that a record of one system is a certain record of the other
//	Event     something that happened outside any order
//	Progress  a piece of long work: how far it is, and whose turn it is to do it (see progress.go)
//	outcome   how a piece of work ended: Later, Reject, Park, Down (see outcome.go)
//
// # How it is used
//
// A pair makes a type for its kind of fact, which embeds [Run], and opens its [Journal] with [NewJournal].
// [Journal.Receive] writes a new run, once. [Journal.Load] reads one with its parts, [Journal.Get] without,
// [Journal.Update] changes one:
//
//	err := book.Update(ctx, o, func(o *order.Order, x *ledger.Extra) error {
//		seq = o.Intend(order.StepCreate, now, deadline, "")
//		o.State = ledger.Working
//		return nil
//	})
//
// Every write of a run is conditional on its revision. What others wrote meanwhile is read and the change is made again
// on top of it, so a change must look at the run that it is given, not at the one it remembers, and may be called
// several times. An error of the change is returned, and nothing is written. What rides in the same write is added to
// x.
//
// Lists and searches ([Journal.InState], [Journal.Find]) read what they show and little more, however many runs there
// are; [Journal.DueWork] lists what is due, of all tenants, by kind of work. All of them read their own kind alone.
//
// # Keys
//
//	T#<tenant>#<kind>       <id, 20 digits>   a fact with its Run. In the sparse index: DUE#<kind>#<shard>#<work>, or
//	                                          PARKED#<kind>#<tenant>[#<account awaited>] or ATTENTION#<kind>#<tenant>;
//	                                          in the second one: T#<tenant>#list#<kind>#<state>
//	T#<tenant>#<kind>#<id>  body@<hash>#<n>   the fact as received, packed, in chunks of 350 KB
//	                        fresh@<hash>#<n>  the fact as read again where it came from
//	                        plan@<hash>#<n>   the frozen plan, likewise
//	                        x#<nnnn>#<random> Exchange: one request and its answer, for 90 days
//	T#<tenant>#find#<kind>  <word>#<id>       a word that a run is found by, see list.go
//	T#<tenant>#link#<kind>  <foreign id>      Link
//	T#<tenant>#doc          <name>            a job's own document, packed: [Cursor] and others. Cursors of jobs that
//	                                          do not get on are in the sparse index: STOPPED
//	T#<tenant>#doc          attention[#<kind>]  that runs need a person, see attention.go. In the sparse index:
//	                                          ATTENTION
//	T#<tenant>#progress     kind#<kind>       Progress: the last piece of long work of a kind
//	                        id#<id>           one that ended, for 7 days
//	T#<tenant>#event        <time>#<random>   Event, for 90 days. Dead letters are in the sparse index: DEAD
//	T#<tenant>#said         <minute>#<kind>   that an event of this kind was written in this minute
//
// Orders were the only kind once: their index partitions, and that of their words, are named without a kind, as
// DUE#<shard>#<work>.
//
// The parts of a run are written ahead of it, under keys that nobody else uses, and the run's write names them: a run
// never names a part that is not there.
package ledger

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// Ledger is the journal in a table.
type Ledger struct {
	table table.Table
}

// New returns the ledger kept in t.
func New(t table.Table) *Ledger { return &Ledger{table: table.Repeating(t)} }

// Keep is how long exchanges and events are kept.
const Keep = 90 * 24 * time.Hour

const (
	dueShards = 4
	chunk     = 350_000
	// maxBlob keeps a run and its blob within one transaction of the table.
	maxBlob = 10 * chunk
	// A run is read and written often, and is an item of the table: it is held to so many bytes, packed, and lines.
	maxRun      = 90_000
	maxTimeline = 300
	timeKey     = "2006-01-02T15:04:05.000Z"
)

// ErrExists is the answer to receiving a run that is there already.
var ErrExists = errors.New("exists")

// ErrTooLarge is wrapped where an order, or its plan, is more than one write can keep.
var ErrTooLarge = table.ErrTooLarge

// ErrBeside is wrapped where a run was not written as a condition on another item did not hold.
var ErrBeside = table.ErrBeside

// ErrNotFound says that there is no such run.
var ErrNotFound = errors.New("not found")

// Problem is something that a person must act on: said in plain sentences.
type Problem struct {
	Code    string `json:"code"`           // stable, for machines: unknownSku, currency, …
	Message string `json:"message"`        // what is wrong, and where
	Fix     string `json:"fix"`            // what would put it right
	Line    int    `json:"line,omitempty"` // the order's line, from 1

	// About is what a choice is made for, as customer/9001 or product/TEA-1: the kind and the id or SKU under which the
	// choice's ID is remembered. Choices are the likeliest first.
	About   string   `json:"about,omitempty"`
	Choices []Choice `json:"choices,omitempty"`
}

// Same reports whether two problems say the same of the same.
func (p Problem) Same(other Problem) bool {
	return p.Code == other.Code && p.Message == other.Message && p.Fix == other.Fix && p.Line == other.Line &&
		p.About == other.About
}

// Cause names what several runs may wait for, one repair being for all of them: what a choice is made for, where there
// is one, for a message names the line too.
func (p Problem) Cause() string {
	what := p.Code + "\n" + p.Message
	if p.About != "" {
		what = p.Code + "\n\n" + p.About
	}
	sum := sha256.Sum256([]byte(what))
	return hex.EncodeToString(sum[:8])
}

// Headline is what the cause is in every run that waits for it. The message is that of one of them, and begins with the
// line that it stands in there, as Line 1 (SKU “A-1”): …
func (p Problem) Headline() string {
	rest, found := strings.CutPrefix(p.Message, "Line "+strconv.Itoa(p.Line)+" (")
	what, why, ends := strings.Cut(rest, "): ")
	if p.About == "" || !found || !ends {
		return p.Message
	}
	return what + ": " + why
}

// Choice is one record that may be the one that a problem is about.
type Choice struct {
	ID    string  `json:"id"`
	Label string  `json:"label"`
	Score float64 `json:"score"` // 0 to 1: how like they are
	Why   string  `json:"why"`
}

func partition(tenantID, kind string) string { return tenant.Partition(tenantID) + "#" + kind }

// Link remembers that a record of one system is a record of another.
type Link struct {
	ID string    `json:"id"` // in the other system
	At time.Time `json:"at"`
	By string    `json:"by"` // how it was found: see ByPerson
	// Name is what the record is called in its own system, when the link was made.
	Name string `json:"name,omitempty"`

	rev string
}

// LinkOp is the write that remembers a link, to ride in a run's Update.
func LinkOp(tenantID, kind, id string, to Link) table.Op {
	return table.Put(LinkItem(tenantID, kind, id, to))
}

// LinkItem is a link as it is stored.
func LinkItem(tenantID, kind, id string, to Link) table.Item {
	data, _ := json.Marshal(to)
	return table.Item{Key: LinkKey(tenantID, kind, id), Data: data}
}

// LinkKey is where a link is stored.
func LinkKey(tenantID, kind, id string) table.Key {
	return table.Key{PK: partition(tenantID, "link#"+kind), SK: id}
}

// Link reads a link; the zero Link if there is none.
func (l *Ledger) Link(ctx context.Context, tenantID, kind, id string) (Link, error) {
	it, err := table.Read(ctx, l.table, LinkKey(tenantID, kind, id))
	if err != nil || it.Rev == "" {
		return Link{}, err
	}
	return LinkOf(it)
}

// Event is one entry of a tenant's flight recorder: something that happened
// outside any order's own timeline, or that an operator should see.
type Event struct {
	At    time.Time `json:"at"`
	Kind  string    `json:"kind"` // webhookRefused, ping, connection, mirror, deadLetter, …
	Order string    `json:"order,omitempty"`
	Text  string    `json:"text"`
	Count int       `json:"count,omitempty"`
	Actor string    `json:"actor,omitempty"` // who did it, where it was a person or a person's program
}

type actorKey struct{}

// WithActor names who asks for what is done in a context: the events that it writes say so.
func WithActor(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, actorKey{}, name)
}

// ActorOf is who acts in a context; "" = the program itself.
func ActorOf(ctx context.Context) string {
	name, _ := ctx.Value(actorKey{}).(string)
	return name
}

// Record writes an event.
func (l *Ledger) Record(ctx context.Context, tenantID string, e Event) error {
	op, err := RecordOp(ctx, tenantID, e)
	if err != nil {
		return err
	}
	return l.table.Write(ctx, op)
}

// RecordOp is the write of an event, to ride in that of what it tells of: neither stands without the other.
func RecordOp(ctx context.Context, tenantID string, e Event) (table.Op, error) {
	e.Actor = ActorOf(ctx)
	e.At = time.Now().UTC()
	return eventOp(tenantID, e, e.At.Format(timeKey)+"#"+rand.Text()[:10])
}

// RecordOnce writes an event of a time and name, however often it is asked to.
func (l *Ledger) RecordOnce(ctx context.Context, tenantID string, at time.Time, name string, e Event) error {
	e.At = at.UTC()
	op, err := eventOp(tenantID, e, e.At.Format(timeKey)+"#"+name)
	if err != nil {
		return err
	}
	op.Kind, op.If = table.KindCreate, ""
	err = l.table.Write(ctx, op)
	if errors.Is(err, table.ErrConflict) {
		return nil
	}
	return err
}

// RecordSome writes an event unless one of the same kind was written in the
// same minute: for what outsiders can cause as often as they like.
func (l *Ledger) RecordSome(ctx context.Context, tenantID string, e Event) error {
	e.At = time.Now().UTC()
	// its own time, so that events stand in their order
	op, err := eventOp(tenantID, e, e.At.Format(timeKey)+"#"+e.Kind)
	if err != nil {
		return err
	}
	once := table.Create(table.Item{Key: table.Key{PK: partition(tenantID, "said"),
		SK: e.At.Truncate(time.Minute).Format(timeKey) + "#" + e.Kind},
		Data: []byte("{}"), Expires: e.At.Add(time.Hour).Truncate(time.Second)})
	err = l.table.Write(ctx, op, once)
	if errors.Is(err, table.ErrConflict) {
		return nil
	}
	return err
}

func eventOp(tenantID string, e Event, sk string) (table.Op, error) {
	data, err := json.Marshal(e)
	it := table.Item{Key: table.Key{PK: partition(tenantID, "event"), SK: sk}, Data: data,
		Expires: e.At.Add(Keep).Truncate(time.Second)}
	if e.Kind == DeadOrder || e.Kind == DeadJob {
		it.Index, it.Sort = deadIndex, sk+"#"+tenantID
	}
	return table.Put(it), err
}

// IsEventKey reports whether s could be a key that Events has returned.
func IsEventKey(s string) bool {
	at, rest, ok := strings.Cut(s, "#")
	_, err := time.Parse(timeKey, at)
	return ok && err == nil && rest != ""
}
