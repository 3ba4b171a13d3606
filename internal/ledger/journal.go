package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// Kind is a kind of business fact: what the runs of all of them have in common.
type Kind struct {
	Name string // in the keys and the indexes, and in the errors

	States []State // that a run of it can be in

	// Works are what a due time of it can be for, see [Work]. "" among them stands for entries of a version that did
	// not say it.
	Works []Work

	// IsID reports whether a run of it can have this id. Where a list goes on is an id that somebody sends us.
	IsID func(id string) bool
}

// firstKind is the kind that there was alone once. So the index partitions that are named without a kind are its.
const firstKind = "order"

// scope is what stands before whatever an index partition of the kind lists.
func (k Kind) scope() string {
	if k.Name == firstKind {
		return ""
	}
	return k.Name + "#"
}

// Fact is what the journal must know of a business fact. Its type embeds [Run], which brings Core, and is stored as the
// JSON of all of its fields. So no type that stands in it may have a MarshalJSON of its own without a name: it would be
// that of the whole.
type Fact[T any] interface {
	*T

	// Core is the run in the fact.
	Core() *Run

	// Copy returns a copy that shares nothing which a change may write to, but for the run in it, which the journal
	// copies: a change is made again on a newer copy where somebody else was faster.
	Copy() *T

	// Resting reports whether the run needs no due time to stay in sight: nothing is left to do, or a person must act.
	Resting() bool

	// Work is what the run's due time is for.
	Work() Work

	// Names are what people call it, and search for.
	Names() Names
}

// Journal keeps the runs of one kind of business fact. Counts, lists and sweeps of it read nothing of another kind.
type Journal[T any, P Fact[T]] struct {
	ledger *Ledger
	kind   Kind
	whole  sync.Map // tenants of whom Relist has nothing left to do
}

// NewJournal returns the journal of a kind in a ledger. A kind's name is a word that stands in no other key of the
// ledger, and there is one journal of it.
func NewJournal[T any, P Fact[T]](l *Ledger, kind Kind) *Journal[T, P] {
	return &Journal[T, P]{ledger: l, kind: kind}
}

// Kind is what all of the journal's runs have in common.
func (j *Journal[T, P]) Kind() Kind { return j.kind }

func (k Kind) partition(tenantID string) string { return partition(tenantID, k.Name) }

func (k Kind) key(tenantID, id string) table.Key {
	return table.Key{PK: k.partition(tenantID), SK: fmt.Sprintf("%020s", id)}
}

func (k Kind) partsOf(r *Run) string { return partition(r.Tenant, k.Name+"#"+r.ID) }

func (k Kind) partKey(r *Run, part string) table.Key { return table.Key{PK: k.partsOf(r), SK: part} }

func (j *Journal[T, P]) item(f P) (table.Item, error) {
	r := f.Core()
	if !r.Parked {
		r.Needs, r.ParkedAt = "", time.Time{}
	}
	if r.Next.IsZero() && !r.Parked && !f.Resting() {
		r.Next = r.Received // no run is ever out of sight: an unfinished one is due, or parked, or a person's alone
	}
	data, err := table.Marshal(f)
	if err != nil {
		return table.Item{}, err
	}
	it := table.Item{Key: j.kind.key(r.Tenant, r.ID), Rev: r.rev, Data: data}
	if r.stays() {
		it.Index, it.Sort, it.Group, it.Order = r.stand.index, r.stand.sort, r.stand.group, r.stand.order
		return it, nil
	}
	switch {
	case r.Parked && r.Awaits != "":
		it.Index, it.Sort = j.kind.awaited(r.Tenant, r.Awaits), it.SK
	case r.Parked:
		it.Index, it.Sort = j.kind.parked(r.Tenant), it.SK
		if r.Needs != "" {
			it.Sort = string(r.Needs) + "#" + it.SK
		}
	case !r.Next.IsZero():
		it.Index = j.kind.due(tenant.Shard(r.Tenant, dueShards), f.Work())
		it.Sort = r.Next.UTC().Format(timeKey) + "#" + r.Tenant + "#" + r.ID
	case r.State == Attention:
		it.Index, it.Sort = j.kind.attention(r.Tenant), it.SK
	}
	it.Group, it.Order = j.kind.listed(r)
	return it, nil
}

// of is the run that an item holds.
func (j *Journal[T, P]) of(it table.Item) (P, error) {
	f := P(new(T))
	if err := table.Unmarshal(it.Data, f); err != nil {
		return nil, fmt.Errorf("%s %s: %w", j.kind.Name, it.SK, err)
	}
	r := f.Core()
	r.Tenant, _, _ = strings.Cut(strings.TrimPrefix(it.PK, "T#"), "#")
	r.wrote(it)
	return f, nil
}

// wrote notes how the run stands in the table.
func (r *Run) wrote(it table.Item) {
	r.rev = it.Rev
	r.stand = stand{it.Index, it.Sort, it.Group, it.Order, r.Next}
}

// Receive writes a new run with its body as it came, on the condition that there is none yet (ErrExists, and the run as
// it stands).
func (j *Journal[T, P]) Receive(ctx context.Context, f P, body []byte) (P, error) {
	r := f.Core()
	parts, err := j.kind.blob(r, "body", body) // notes its chunks in the run
	if err != nil {
		return nil, err
	}
	words := j.newWords(f, nil)
	r.Found = listVersion
	it, err := j.item(f)
	if err != nil {
		return nil, err
	}
	run := table.Create(it)
	err = j.ledger.table.Write(ctx, slices.Concat([]table.Op{run}, parts, words, j.kind.marking(r, it))...)
	if c, ok := errors.AsType[*table.Conflict](err); ok {
		if cur, ok := c.Current[0]; ok {
			old, err := j.of(cur)
			if err != nil {
				return nil, err
			}
			j.ledger.forget(ctx, old.Core(), r, parts)
			return old, ErrExists
		}
	}
	if err != nil {
		return nil, fmt.Errorf("receive %s %s: %w", j.kind.Name, r.ID, err)
	}
	r.wrote(run.Item)
	return f, nil
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
func (j *Journal[T, P]) Load(
	ctx context.Context, tenantID, id string, body ...string,
) (f P, data, plan []byte, err error) {
	keys := []table.Key{j.kind.key(tenantID, id)}
	for _, name := range body {
		if name != "" {
			keys = append(keys, j.kind.partKey(&Run{Tenant: tenantID, ID: id}, name+"#0"))
		}
	}
	items, err := j.ledger.table.Get(ctx, keys...)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("load %s %s: %w", j.kind.Name, id, err)
	}
	if len(items) == 0 || items[0].Key != keys[0] {
		return nil, nil, nil, j.missing(id)
	}
	if f, err = j.of(items[0]); err != nil {
		return nil, nil, nil, err
	}
	part := "body"
	if f.Core().Has("fresh") {
		part = "fresh"
	}
	parts, err := j.blobs(ctx, f.Core(), items[1:], part, "plan")
	if err != nil {
		return nil, nil, nil, err
	}
	return f, parts[0], parts[1], nil
}

func (j *Journal[T, P]) missing(id string) error {
	return fmt.Errorf("%s %q: %w", j.kind.Name, id, ErrNotFound)
}

// Received reads the body of a run as it came first.
func (j *Journal[T, P]) Received(ctx context.Context, f P) ([]byte, error) {
	parts, err := j.blobs(ctx, f.Core(), nil, "body")
	if err != nil {
		return nil, err
	}
	return parts[0], nil
}

// Get reads a run alone.
func (j *Journal[T, P]) Get(ctx context.Context, tenantID, id string) (P, error) {
	it, err := table.Read(ctx, j.ledger.table, j.kind.key(tenantID, id))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", j.kind.Name, id, err)
	}
	if it.Rev == "" {
		return nil, j.missing(id)
	}
	return j.of(it)
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

// Update changes a run: change is called with the run as f has it and, when
// somebody else wrote meanwhile, again with theirs; f then holds what was
// written. An error of change is returned and nothing is written. Exchanges
// recorded in the run ride along.
func (j *Journal[T, P]) Update(ctx context.Context, f P, change func(P, *Extra) error) error {
	r := f.Core()
	var next P
	var failed error // of the change, or of reading what others wrote
	read := table.Item{Key: j.kind.key(r.Tenant, r.ID), Rev: r.rev}
	_, err := table.Change(ctx, j.ledger.table, read, func(it table.Item) (ops []table.Op, err error) {
		defer func() { failed = err }()
		if it.Rev != r.rev { // somebody else wrote meanwhile
			if err := j.reread(f, it); err != nil {
				return nil, err
			}
		}
		var x Extra
		next = f.Copy()
		*next.Core() = r.clone()
		if err := change(next, &x); err != nil {
			return nil, err
		}
		x.ops = append(x.ops, j.newWords(next, f)...)
		next.Core().Found = listVersion
		ops, err = j.write(next, &x)
		if err == nil {
			next.Core().wrote(ops[0].Item)
		}
		return ops, err
	})
	switch {
	case failed != nil:
		return failed
	case err != nil:
		return fmt.Errorf("write %s %s: %w", j.kind.Name, r.ID, err)
	}
	next.Core().exchanges = nil
	*f = *next
	return nil
}

// reread makes the run what its item holds now, but for the exchanges that are still to be written; ErrNotFound where
// it is gone.
func (j *Journal[T, P]) reread(f P, it table.Item) error {
	if it.Rev == "" {
		return fmt.Errorf("write %s %s: %w", j.kind.Name, f.Core().ID, ErrNotFound)
	}
	newer, err := j.of(it)
	if err != nil {
		return err
	}
	newer.Core().exchanges = f.Core().exchanges
	*f = *newer
	return nil
}

func (j *Journal[T, P]) write(f P, x *Extra) ([]table.Op, error) {
	r := f.Core()
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
		parts, err := j.kind.blob(r, b.part, b.data)
		if err != nil {
			return nil, err
		}
		ops = append(ops, parts...)
	}
	recordings, err := j.kind.recordings(r)
	if err != nil {
		return nil, err
	}
	ops = append(ops, recordings...)
	it, err := j.item(f)
	if err != nil {
		return nil, err
	}
	// The oldest lines go first, but for how it came.
	for (len(it.Data) > maxRun || len(r.Timeline) > maxTimeline) && len(r.Timeline) > 20 {
		r.Timeline = slices.Concat(r.Timeline[:1], r.Timeline[len(r.Timeline)/2:])
		if it, err = j.item(f); err != nil {
			return nil, err
		}
	}
	return slices.Concat([]table.Op{table.Replace(it)}, ops, j.kind.marking(r, it), x.ops), nil
}

// Runs reads one page of a tenant's runs, newest id first. Next continues it.
func (j *Journal[T, P]) Runs(
	ctx context.Context, tenantID, after string, limit int,
) (list []P, next string, err error) {
	q := table.Query{PK: j.kind.partition(tenantID), After: after, Desc: true, Limit: limit}
	p, err := j.ledger.table.Query(ctx, q)
	if err != nil {
		return nil, "", fmt.Errorf("list runs of %s: %w", j.kind.Name, err)
	}
	for _, it := range p.Items {
		r, err := j.of(it)
		if err != nil {
			return nil, "", err
		}
		list = append(list, r)
	}
	return list, p.Next, nil
}

// runsAt reads the runs at keys, each once, as many at once as the table takes; those that are not there are left out.
func (j *Journal[T, P]) runsAt(ctx context.Context, keys []table.Key) (map[table.Key]P, error) {
	asked := map[table.Key]bool{}
	var once []table.Key
	for _, k := range keys {
		if !asked[k] {
			asked[k] = true
			once = append(once, k)
		}
	}
	items, err := table.ReadAll(ctx, j.ledger.table, once)
	if err != nil {
		return nil, fmt.Errorf("read runs of %s: %w", j.kind.Name, err)
	}
	found := make(map[table.Key]P, len(items))
	for _, it := range items {
		f, err := j.of(it)
		if err != nil {
			return found, err
		}
		found[it.Key] = f
	}
	return found, nil
}

// GetRuns reads runs by id; those that are not there are left out.
func (j *Journal[T, P]) GetRuns(ctx context.Context, tenantID string, ids []string) (map[string]P, error) {
	keys := make([]table.Key, len(ids))
	for i, id := range ids {
		keys[i] = j.kind.key(tenantID, id)
	}
	all, err := j.runsAt(ctx, keys)
	found := map[string]P{}
	for _, f := range all {
		found[f.Core().ID] = f
	}
	return found, err
}

// AwaitedRuns lists a tenant's runs that are parked until what they await comes,
// as an account (see Awaited) that is connected again. Parked leaves them out, or
// those of an account that never comes back would be tried with each other one.
func (j *Journal[T, P]) AwaitedRuns(ctx context.Context, tenantID, awaited string, yield func(Ref) bool) error {
	return j.refs(ctx, table.Query{PK: j.kind.awaited(tenantID, awaited)}, tenantID, yield)
}

func (k Kind) parked(tenantID string) string { return "PARKED#" + k.scope() + tenantID }

func (k Kind) awaited(tenantID, awaited string) string { return k.parked(tenantID) + "#" + awaited }

func (k Kind) attention(tenantID string) string { return "ATTENTION#" + k.scope() + tenantID }

// NeedAttention lists a tenant's runs that wait for a person.
func (j *Journal[T, P]) NeedAttention(ctx context.Context, tenantID string, yield func(Ref) bool) error {
	return j.refs(ctx, table.Query{PK: j.kind.attention(tenantID)}, tenantID, yield)
}

func trimID(sk string) string {
	if id := strings.TrimLeft(sk, "0"); id != "" {
		return id
	}
	return "0"
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
