// Package ledger remembers what has been done: for each order a [Run], the journal of one business fact, with its
// intents, answers and timeline; beside it links between ids of two systems, how far jobs have come, and a flight
// recorder of events.
//
// The table is the record; queues only wake. Whatever a worker wants to know tomorrow it writes here, and whoever takes
// up the work, on another machine after a crash, finds all of it. A run that wants attention at a certain time says so
// in Next, and the sparse index lists it until then.
//
// # Words
//
//	Run       the journal of one order: its state, what is due, what was written outside, what is to be told of it
//	Intent    an outside write, put on record before it is made (Run.Intend); its Answer says what became of it
//	Lease     one worker's right to act on a run, until a time
//	Problem   something that a person must act on: what is wrong, and what would mend it
//	Entry     a line of the timeline (Run.Note)
//	Exchange  a request and its answer, as recorded beside the run (Run.Record)
//	Pointer   what a queue carries: which run is to be looked at
//	Cursor    how far a job has come with a vendor's list
//	Link      that a record of one system is a certain record of the other
//	Event     something that happened outside any order
//	outcome   how a piece of work ended: Later, Reject, Park, Down (see outcome.go)
//
// # How it is used
//
// [Ledger.Receive] writes a new run, once. [Ledger.Load] reads one with its parts, [Ledger.Get] without,
// [Ledger.Update] changes one:
//
//	err := l.Update(ctx, run, func(r *ledger.Run, x *ledger.Extra) error {
//		seq = r.Intend(ledger.StepCreate, now, deadline, "")
//		r.State = ledger.Working
//		return nil
//	})
//
// Every write of a run is conditional on its revision. What others wrote meanwhile is read and the change is made again
// on top of it, so a change must look at the run that it is given, not at the one it remembers, and may be called
// several times. An error of the change is returned, and nothing is written. What rides in the same write is added to
// x.
//
// Lists and searches ([Ledger.InState], [Ledger.Find]) read what they show and little more, however many runs there
// are; [Ledger.DueWork] lists what is due, of all tenants, by kind of work.
//
// # Keys
//
//	T#<tenant>#order        <id, 20 digits>   Run, see RunID. In the sparse index: DUE#<shard>#<work>, or
//	                                          PARKED#<tenant>[#<account awaited>], or ATTENTION#<tenant>;
//	                                          in the second one: T#<tenant>#list#<state>
//	T#<tenant>#order#<id>   body@<hash>#<n>   the order as received, packed, in chunks of 350 KB
//	                        fresh@<hash>#<n>  the order as read again from Upstock
//	                        plan@<hash>#<n>   the frozen plan, likewise
//	                        x#<nnnn>#<random> Exchange: one request and its answer, for 90 days
//	T#<tenant>#find         <word>#<id>       a word that a run is found by, see list.go
//	T#<tenant>#link#<kind>  <foreign id>      Link
//	T#<tenant>#doc          <name>            a job's own document, packed: [Cursor] and others
//	T#<tenant>#event        <time>#<random>   Event, for 90 days
//	T#<tenant>#said         <minute>#<kind>   that an event of this kind was written in this minute
//
// The parts of a run are written ahead of it, under keys that nobody else uses, and the run's write names them: a run
// never names a part that is not there.
package ledger

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// Ledger is the journal in a table.
type Ledger struct {
	table table.Table
	whole sync.Map // tenants of whom Relist has nothing left to do
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

	// About is what a choice is made for, as customer/9001 or product/TEA-1: the kind and Upstock's id or SKU, under which
	// the choice's ID is remembered. Choices are the likeliest first.
	About   string   `json:"about,omitempty"`
	Choices []Choice `json:"choices,omitempty"`
}

// Same reports whether two problems say the same of the same.
func (p Problem) Same(other Problem) bool {
	return p.Code == other.Code && p.Message == other.Message && p.Fix == other.Fix && p.Line == other.Line && p.About == other.About
}

// Choice is one record that may be the one that a problem is about.
type Choice struct {
	ID    string  `json:"id"`
	Label string  `json:"label"`
	Score float64 `json:"score"` // 0 to 1: how like they are
	Why   string  `json:"why"`
}

func partition(tenantID, kind string) string { return tenant.Partition(tenantID) + "#" + kind }

func runKey(tenantID, id string) table.Key {
	return table.Key{PK: partition(tenantID, "order"), SK: fmt.Sprintf("%020s", id)}
}

func partKey(tenantID, id, part string) table.Key {
	return table.Key{PK: partition(tenantID, "order#"+id), SK: part}
}

func (r *Run) item() (table.Item, error) {
	if !r.Parked {
		r.Needs, r.ParkedAt = "", time.Time{}
	}
	if r.Next.IsZero() && !r.Parked && !r.Finished() && (r.State != Attention || r.LookDue() || r.Kept != nil) {
		r.Next = r.Received // no run is ever out of sight: an unfinished one is due, or parked, or a person's alone
	}
	data, err := table.Marshal(r)
	if err != nil {
		return table.Item{}, err
	}
	it := table.Item{Key: runKey(r.Tenant, r.ID), Rev: r.rev, Data: data}
	if r.stays() {
		it.Index, it.Sort, it.Group, it.Order = r.stand.index, r.stand.sort, r.stand.group, r.stand.order
		return it, nil
	}
	switch {
	case r.Parked && r.Awaits != "":
		it.Index, it.Sort = awaitedIndex(r.Tenant, r.Awaits), it.SK
	case r.Parked:
		it.Index, it.Sort = "PARKED#"+r.Tenant, it.SK
		if r.Needs != "" {
			it.Sort = string(r.Needs) + "#" + it.SK
		}
	case !r.Next.IsZero():
		it.Index = dueIndex(tenant.Shard(r.Tenant, dueShards), r.Work())
		it.Sort = r.Next.UTC().Format(timeKey) + "#" + r.Tenant + "#" + r.ID
	case r.State == Attention:
		it.Index, it.Sort = "ATTENTION#"+r.Tenant, it.SK
	}
	it.Group, it.Order = r.listed()
	return it, nil
}

func runOf(it table.Item) (*Run, error) {
	r := new(Run)
	if err := table.Unmarshal(it.Data, r); err != nil {
		return nil, fmt.Errorf("run %s: %w", it.SK, err)
	}
	r.Tenant, _, _ = strings.Cut(strings.TrimPrefix(it.PK, "T#"), "#")
	r.wrote(it)
	return r, nil
}

// wrote notes how the run stands in the table.
func (r *Run) wrote(it table.Item) {
	r.rev = it.Rev
	r.stand = stand{it.Index, it.Sort, it.Group, it.Order, r.Next}
}

// Receive writes a new run with the order's body as it came, on the condition
// that there is none yet (ErrExists, and the run as it stands).
func (l *Ledger) Receive(ctx context.Context, r *Run, body []byte) (*Run, error) {
	parts, err := r.blob("body", body) // notes its chunks in the run
	if err != nil {
		return nil, err
	}
	words := r.newWords(nil)
	r.Found = listVersion
	it, err := r.item()
	if err != nil {
		return nil, err
	}
	run := table.Create(it)
	err = l.table.Write(ctx, slices.Concat([]table.Op{run}, parts, words)...)
	if c, ok := errors.AsType[*table.Conflict](err); ok {
		if cur, ok := c.Current[0]; ok {
			old, err := runOf(cur)
			if err != nil {
				return nil, err
			}
			l.forget(ctx, old, r, parts)
			return old, ErrExists
		}
	}
	if err != nil {
		return nil, fmt.Errorf("receive order %s: %w", r.ID, err)
	}
	r.wrote(run.Item)
	return r, nil
}

// forget removes, best effort, the body that was written ahead of a run that was
// there already, unless that run has the very same.
func (l *Ledger) forget(ctx context.Context, old, refused *Run, parts []table.Op) {
	name, _ := refused.part("body")
	if _, same := old.Parts[name]; same {
		return
	}
	for _, o := range parts {
		_ = l.table.Write(ctx, table.Remove(o.Item)) // only as this very write left it
	}
}

// Load reads a run with the parts that work on it needs: the body as
// received or as read again, and the frozen plan. Where its pointer says under
// which name the body is kept, it is read with the run.
func (l *Ledger) Load(ctx context.Context, tenantID, id string, body ...string) (r *Run, order, plan []byte, err error) {
	keys := []table.Key{runKey(tenantID, id)}
	for _, name := range body {
		if name != "" {
			keys = append(keys, partKey(tenantID, id, name+"#0"))
		}
	}
	items, err := l.table.Get(ctx, keys...)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("load order %s: %w", id, err)
	}
	if len(items) == 0 || items[0].Key != keys[0] {
		return nil, nil, nil, fmt.Errorf("order %q: %w", id, ErrNotFound)
	}
	if r, err = runOf(items[0]); err != nil {
		return nil, nil, nil, err
	}
	part := "body"
	if r.Has("fresh") {
		part = "fresh"
	}
	parts, err := l.blobs(ctx, r, items[1:], part, "plan")
	if err != nil {
		return nil, nil, nil, err
	}
	return r, parts[0], parts[1], nil
}

// Received reads the order of a run as it came first.
func (l *Ledger) Received(ctx context.Context, r *Run) ([]byte, error) {
	parts, err := l.blobs(ctx, r, nil, "body")
	if err != nil {
		return nil, err
	}
	return parts[0], nil
}

// Get reads a run alone.
func (l *Ledger) Get(ctx context.Context, tenantID, id string) (*Run, error) {
	it, err := table.Read(ctx, l.table, runKey(tenantID, id))
	if err != nil {
		return nil, fmt.Errorf("order %s: %w", id, err)
	}
	if it.Rev == "" {
		return nil, fmt.Errorf("order %q: %w", id, ErrNotFound)
	}
	return runOf(it)
}

// Extra is what a change writes beside the run.
type Extra struct {
	Plan  []byte // the plan to freeze
	Fresh []byte // the order as read again
	ops   []table.Op
}

// Add lets other items ride in the same write. A refusal of theirs is an
// error of Update, not a reason to start again.
func (x *Extra) Add(ops ...table.Op) { x.ops = append(x.ops, ops...) }

// Ahead lets other items be written before the run. They stand even if its write
// is refused, so they must be true in any case.
func (x *Extra) Ahead(items ...table.Item) {
	for _, it := range items {
		x.ops = append(x.ops, table.Ahead(it))
	}
}

// Update changes a run: change is called with the run as r has it and, when
// somebody else wrote meanwhile, again with theirs; r then holds what was
// written. An error of change is returned and nothing is written. Exchanges
// recorded in the run ride along.
func (l *Ledger) Update(ctx context.Context, r *Run, change func(*Run, *Extra) error) error {
	var next *Run
	var failed error // of the change, or of reading what others wrote
	read := table.Item{Key: runKey(r.Tenant, r.ID), Rev: r.rev}
	_, err := table.Change(ctx, l.table, read, func(it table.Item) (ops []table.Op, err error) {
		defer func() { failed = err }()
		if it.Rev != r.rev { // somebody else wrote meanwhile
			if err := r.reread(it); err != nil {
				return nil, err
			}
		}
		var x Extra
		next = r.clone()
		if err := change(next, &x); err != nil {
			return nil, err
		}
		x.ops = append(x.ops, next.newWords(r)...)
		next.Found = listVersion
		ops, err = next.write(&x)
		if err == nil {
			next.wrote(ops[0].Item)
		}
		return ops, err
	})
	switch {
	case failed != nil:
		return failed
	case err != nil:
		return fmt.Errorf("write order %s: %w", r.ID, err)
	}
	next.exchanges = nil
	*r = *next
	return nil
}

// reread makes the run what its item holds now, but for the exchanges that are still to be written; ErrNotFound where
// it is gone.
func (r *Run) reread(it table.Item) error {
	if it.Rev == "" {
		return fmt.Errorf("write order %s: %w", r.ID, ErrNotFound)
	}
	newer, err := runOf(it)
	if err != nil {
		return err
	}
	newer.exchanges = r.exchanges
	*r = *newer
	return nil
}

func (r *Run) clone() *Run {
	c := *r
	c.Intents = slices.Clone(r.Intents)
	c.Timeline = slices.Clone(r.Timeline)
	c.Problems = slices.Clone(r.Problems)
	c.Said = slices.Clone(r.Said)
	c.Watches = slices.Clone(r.Watches)
	c.Voided = slices.Clone(r.Voided)
	c.Parcels = slices.Clone(r.Parcels)
	c.Unpicked = slices.Clone(r.Unpicked)
	c.Beside, c.Former = slices.Clone(r.Beside), slices.Clone(r.Former)
	c.Parts = maps.Clone(r.Parts)
	return &c
}

func (r *Run) write(x *Extra) ([]table.Op, error) {
	var ops []table.Op
	if x.Plan != nil {
		r.Plans++
	}
	for _, b := range []struct {
		part string
		data []byte
	}{{"plan", x.Plan}, {"fresh", x.Fresh}} {
		if b.data == nil {
			continue
		}
		parts, err := r.blob(b.part, b.data)
		if err != nil {
			return nil, err
		}
		ops = append(ops, parts...)
	}
	recordings, err := r.recordings()
	if err != nil {
		return nil, err
	}
	ops = append(ops, recordings...)
	it, err := r.item()
	if err != nil {
		return nil, err
	}
	for (len(it.Data) > maxRun || len(r.Timeline) > maxTimeline) && len(r.Timeline) > 20 { // the oldest lines go first, but for how it came
		r.Timeline = slices.Concat(r.Timeline[:1], r.Timeline[len(r.Timeline)/2:])
		if it, err = r.item(); err != nil {
			return nil, err
		}
	}
	return append(append([]table.Op{table.Replace(it)}, ops...), x.ops...), nil
}

// Runs reads one page of a tenant's runs, newest id first. Next continues it.
func (l *Ledger) Runs(ctx context.Context, tenantID, after string, limit int) (list []*Run, next string, err error) {
	p, err := l.table.Query(ctx, table.Query{PK: partition(tenantID, "order"), After: after, Desc: true, Limit: limit})
	if err != nil {
		return nil, "", fmt.Errorf("list orders: %w", err)
	}
	for _, it := range p.Items {
		r, err := runOf(it)
		if err != nil {
			return nil, "", err
		}
		list = append(list, r)
	}
	return list, p.Next, nil
}

// AwaitedRuns lists a tenant's runs that are parked until one account (see
// Awaited) is connected again. Parked leaves them out, or those of an account
// that never comes back would be tried with each other one.
func (l *Ledger) AwaitedRuns(ctx context.Context, tenantID, awaited string, yield func(Ref) bool) error {
	return l.index(ctx, awaitedIndex(tenantID, awaited), "", func(e table.Entry) bool {
		return yield(Ref{Tenant: tenantID, ID: trimID(e.SK)})
	})
}

func awaitedIndex(tenantID, awaited string) string { return "PARKED#" + tenantID + "#" + awaited }

// NeedAttention lists a tenant's runs that wait for a person.
func (l *Ledger) NeedAttention(ctx context.Context, tenantID string, yield func(Ref) bool) error {
	return l.index(ctx, "ATTENTION#"+tenantID, "", func(e table.Entry) bool {
		return yield(Ref{Tenant: tenantID, ID: trimID(e.SK)})
	})
}

func trimID(sk string) string {
	if id := strings.TrimLeft(sk, "0"); id != "" {
		return id
	}
	return "0"
}

func (l *Ledger) index(ctx context.Context, index, until string, yield func(table.Entry) bool) error {
	p := l.pages(ctx, table.Query{PK: index, Until: until})
	for {
		entries, err := p.next()
		if len(entries) == 0 || err != nil {
			return err
		}
		for _, e := range entries {
			if !yield(e) {
				return nil
			}
		}
	}
}

// pages reads one partition of the index page by page.
type pages struct {
	l   *Ledger
	ctx context.Context
	q   table.Query
	end bool
}

func (l *Ledger) pages(ctx context.Context, q table.Query) *pages {
	return &pages{l: l, ctx: ctx, q: q}
}

// next reads the next entries; none = there are no more.
func (p *pages) next() ([]table.Entry, error) {
	for !p.end {
		page, err := p.l.table.List(p.ctx, p.q)
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", p.q.PK, err)
		}
		p.q.After, p.end = page.Next, page.Next == ""
		if len(page.Entries) > 0 {
			return page.Entries, nil
		}
	}
	return nil, nil
}

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
	e.Actor, _ = ctx.Value(actorKey{}).(string)
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
	op, err := eventOp(tenantID, e, e.At.Format(timeKey)+"#"+e.Kind) // its own time, so that events stand in their order
	if err != nil {
		return err
	}
	once := table.Create(table.Item{Key: table.Key{PK: partition(tenantID, "said"), SK: e.At.Truncate(time.Minute).Format(timeKey) + "#" + e.Kind},
		Data: []byte("{}"), Expires: e.At.Add(time.Hour).Truncate(time.Second)})
	err = l.table.Write(ctx, op, once)
	if errors.Is(err, table.ErrConflict) {
		return nil
	}
	return err
}

func eventOp(tenantID string, e Event, sk string) (table.Op, error) {
	data, err := json.Marshal(e)
	return table.Put(table.Item{Key: table.Key{PK: partition(tenantID, "event"), SK: sk}, Data: data, Expires: e.At.Add(Keep).Truncate(time.Second)}), err
}

// IsEventKey reports whether s could be a key that Events has returned.
func IsEventKey(s string) bool {
	at, rest, ok := strings.Cut(s, "#")
	_, err := time.Parse(timeKey, at)
	return ok && err == nil && rest != ""
}

// Events reads one page of a tenant's events, newest first.
func (l *Ledger) Events(ctx context.Context, tenantID, after string, limit int) (list []Event, next string, err error) {
	p, err := l.table.Query(ctx, table.Query{PK: partition(tenantID, "event"), After: after, Desc: true, Limit: limit})
	if err != nil {
		return nil, "", fmt.Errorf("list events: %w", err)
	}
	for _, it := range p.Items {
		var e Event
		if err := json.Unmarshal(it.Data, &e); err != nil {
			return nil, "", err
		}
		list = append(list, e)
	}
	return list, p.Next, nil
}
