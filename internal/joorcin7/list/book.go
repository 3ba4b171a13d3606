package list

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"stockbridge/internal/parallel"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// Kind says how the rows of a book are kept.
type Kind[R any] struct {
	Name    string // in keys
	ID      func(R) string
	Compare func(a, b R) int // the order of a sheet
	Pack    func([]R) ([]byte, error)
	Unpack  func([]byte) ([]R, error)
	Counts  func(R) []string // what a row counts as
}

// Book keeps the lists of one kind, of all tenants.
type Book[R any] struct {
	kind  Kind[R]
	table table.Table

	most int // bytes of a shard, packed

	mu    sync.Mutex
	known map[string]*read[R] // by tenant, as they were read last
	used  []string            // the tenants of known, the last one used at the end
}

// NewBook returns the book of a kind that is kept in t.
func NewBook[R any](t table.Table, kind Kind[R]) *Book[R] {
	return &Book[R]{kind: kind, table: table.Repeating(t), most: mostBytes, known: map[string]*read[R]{}}
}

// Sheet is a book as it was read. It is not changed.
type Sheet[R any] struct {
	Rows   []R // in order
	Counts map[string]int
	At     time.Time // of the last change; zero = there is nothing yet

	byID func() map[string]int
}

// Row is the row of an id.
func (s *Sheet[R]) Row(id string) (row R, ok bool) {
	if s.byID == nil {
		return row, false
	}
	i, ok := s.byID()[id]
	if ok {
		row = s.Rows[i]
	}
	return row, ok
}

// Sizes.
const (
	fewestShards = 32
	mostShards   = 1024
	rowsAShard   = 1500    // at most, where the number of shards is chosen
	mostBytes    = 350_000 // of a shard, packed
	mostWritten  = 2_000_000
	mostTogether = 40      // shards of one write
	keptRows     = 400_000 // in memory, of all tenants together

	unpackedAtOnce = 4 // shards
)

// head says what shards there are.
type head struct {
	Account    string      `json:"account"`
	Generation string      `json:"generation"`
	Shards     []shardHead `json:"shards"`
	At         time.Time   `json:"at"`
}

type shardHead struct {
	Rev    string         `json:"rev,omitempty"` // of its item; "" = it has none
	Counts map[string]int `json:"counts,omitempty"`
}

// read is a book as it was read: its head, and the rows of each shard.
type read[R any] struct {
	item   table.Item // of the head
	head   head
	shards []shard[R]

	once  sync.Once
	sheet *Sheet[R]
}

type shard[R any] struct {
	rev  string
	rows []R
}

func (b *Book[R]) partition(tenantID string) string {
	return tenant.Partition(tenantID) + "#joor#" + b.kind.Name
}

func (b *Book[R]) headKey(tenantID string) table.Key {
	return table.Key{PK: b.partition(tenantID), SK: "head"}
}

func (b *Book[R]) shardKey(tenantID, generation string, n int) table.Key {
	return table.Key{PK: b.partition(tenantID), SK: fmt.Sprintf("s#%s#%04d", generation, n)}
}

// of is the shard of an id, among so many.
func of(id string, shards int) int {
	h := fnv.New32a()
	h.Write([]byte(id))
	return int(h.Sum32() % uint32(shards))
}

// Read is the sheet of a tenant's list of an account; of another account there is nothing in it.
func (b *Book[R]) Read(ctx context.Context, tenantID, account string) (*Sheet[R], error) {
	r, err := b.read(ctx, tenantID)
	if err != nil {
		return nil, err
	}
	if r.head.Account != account {
		return &Sheet[R]{Counts: map[string]int{}}, nil
	}
	r.once.Do(func() { r.sheet = b.sheetOf(r) })
	return r.sheet, nil
}

func (b *Book[R]) sheetOf(r *read[R]) *Sheet[R] {
	s := &Sheet[R]{Counts: map[string]int{}, At: r.head.At}
	lists := make([][]R, len(r.shards))
	for i, sh := range r.shards {
		lists[i] = sh.rows
		for name, n := range r.head.Shards[i].Counts {
			s.Counts[name] += n
		}
	}
	s.Rows = merged(lists, b.compare)
	s.byID = sync.OnceValue(func() map[string]int {
		by := make(map[string]int, len(s.Rows))
		for i, row := range s.Rows {
			by[b.kind.ID(row)] = i
		}
		return by
	})
	return s
}

// compare is the order of rows, in a shard and in a sheet.
func (b *Book[R]) compare(x, y R) int {
	return cmp.Or(b.kind.Compare(x, y), cmp.Compare(b.kind.ID(x), b.kind.ID(y)))
}

// merged is one list of several that are in order, each two of which are merged until one is left.
func merged[R any](lists [][]R, compare func(a, b R) int) []R {
	switch len(lists) {
	case 0:
		return nil
	case 1:
		return lists[0]
	}
	a, b := merged(lists[:len(lists)/2], compare), merged(lists[len(lists)/2:], compare)
	all := make([]R, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if compare(a[0], b[0]) <= 0 {
			all, a = append(all, a[0]), a[1:]
		} else {
			all, b = append(all, b[0]), b[1:]
		}
	}
	return append(append(all, a...), b...)
}

// tries is how often a book is read anew whose shards changed while they were read.
const tries = 5

// read reads a book: its head, and the shards that this process does not know in that version.
func (b *Book[R]) read(ctx context.Context, tenantID string) (*read[R], error) {
	for try := 1; ; try++ {
		known := b.recall(tenantID)
		item, err := table.Read(ctx, b.table, b.headKey(tenantID))
		if err != nil {
			return nil, fmt.Errorf("read the list of %s: %w", b.kind.Name, err)
		}
		if known != nil && known.item.Rev == item.Rev {
			return known, nil
		}
		r := &read[R]{item: item}
		if item.Rev != "" {
			if err := table.Unmarshal(item.Data, &r.head); err != nil {
				return nil, fmt.Errorf("read the list of %s: %w", b.kind.Name, err)
			}
		}
		whole, err := b.readShards(ctx, tenantID, r, known)
		if err != nil {
			return nil, fmt.Errorf("read the list of %s: %w", b.kind.Name, err)
		}
		if whole {
			b.keep(tenantID, r)
			return r, nil
		}
		if try == tries { // a shard without its head: what it has is newer
			return r, nil
		}
	}
}

// readShards reads the shards of a head. whole is false where one is of another version than the head says.
func (b *Book[R]) readShards(ctx context.Context, tenantID string, r, known *read[R]) (whole bool, err error) {
	r.shards = make([]shard[R], len(r.head.Shards))
	var keys []table.Key
	at := map[string]int{}
	for i, sh := range r.head.Shards {
		switch {
		case sh.Rev == "":
		case known != nil && known.head.Generation == r.head.Generation && known.shards[i].rev == sh.Rev:
			r.shards[i] = known.shards[i]
		default:
			key := b.shardKey(tenantID, r.head.Generation, i)
			keys, at[key.SK] = append(keys, key), i
		}
	}
	items, err := table.ReadAll(ctx, b.table, keys)
	if err != nil {
		return false, err
	}
	err = parallel.Each(unpackedAtOnce, slices.Values(items), func(it table.Item) error {
		data, err := table.Unpack(it.Data)
		if err != nil {
			return err
		}
		rows, err := b.kind.Unpack(data)
		r.shards[at[it.SK]] = shard[R]{it.Rev, rows}
		return err
	})
	whole = len(items) == len(keys)
	for _, it := range items {
		whole = whole && it.Rev == r.head.Shards[at[it.SK]].Rev
	}
	return whole, err
}

// recall is a tenant's book as this process read it last; nil = it did not, or has forgotten.
func (b *Book[R]) recall(tenantID string) *read[R] {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.known[tenantID]
}

// keep keeps a book that was read, and forgets those that were used longest ago where there are too many rows.
func (b *Book[R]) keep(tenantID string, r *read[R]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.known[tenantID] = r
	b.used = append(slices.DeleteFunc(b.used, func(id string) bool { return id == tenantID }), tenantID)
	rows := 0
	for i := len(b.used) - 1; i >= 0; i-- {
		for _, sh := range b.known[b.used[i]].shards {
			rows += len(sh.rows)
		}
		if rows > keptRows && i < len(b.used)-1 {
			for _, id := range b.used[:i+1] {
				delete(b.known, id)
			}
			b.used = slices.Clone(b.used[i+1:])
			return
		}
	}
}

// Make makes the rows that there are of some ids, from what they are made of as that is now.
type Make[R any] func(ctx context.Context, ids []string) ([]R, error)

// errGrow: a shard is larger than an item may be.
var errGrow = errors.New("a shard is full")

// Restand makes the rows of some ids anew. An id of which there is no row has none any more.
func (b *Book[R]) Restand(ctx context.Context, tenantID, account string, ids []string, make Make[R]) error {
	if len(ids) == 0 {
		return nil
	}
	err := table.RetryOnConflict(ctx, func() error {
		r, err := b.read(ctx, tenantID)
		if err != nil {
			return err
		}
		if r.head.Account == account && len(r.head.Shards) > 0 {
			return b.restand(ctx, tenantID, r, ids, make)
		}
		rows, err := make(ctx, ids)
		if err != nil {
			return err
		}
		return b.renew(ctx, tenantID, account, r, rows, fewestShards)
	})
	if errors.Is(err, errGrow) {
		err = b.grow(ctx, tenantID, account)
		if err == nil {
			return b.Restand(ctx, tenantID, account, ids, make)
		}
	}
	if err != nil {
		return fmt.Errorf("write the list of %s: %w", b.kind.Name, err)
	}
	return nil
}

func newGeneration() string { return strings.ToLower(rand.Text()[:10]) }

// restand makes rows anew in a book as it was read.
func (b *Book[R]) restand(ctx context.Context, tenantID string, r *read[R], ids []string, make Make[R]) error {
	made, err := make(ctx, ids)
	if err != nil {
		return err
	}
	now := map[int]map[string]*R{} // by shard and id; nil = there is none
	put := func(id string, row *R) {
		n := of(id, len(r.shards))
		if now[n] == nil {
			now[n] = map[string]*R{}
		}
		now[n][id] = row
	}
	for _, id := range ids {
		put(id, nil)
	}
	for _, row := range made {
		put(b.kind.ID(row), &row)
	}
	fresh := map[int][]R{}
	for n, changes := range now {
		rows := slices.DeleteFunc(slices.Clone(r.shards[n].rows), func(row R) bool {
			_, ok := changes[b.kind.ID(row)]
			return ok
		})
		for _, row := range changes {
			if row != nil {
				rows = append(rows, *row)
			}
		}
		fresh[n] = rows
	}
	_, err = b.write(ctx, tenantID, r, fresh)
	return err
}

// write writes shards of a book that was read, some of them with the head, until all are written. It returns the book
// as it is then. What is as it was is not written.
func (b *Book[R]) write(ctx context.Context, tenantID string, r *read[R], fresh map[int][]R) (*read[R], error) {
	now := &read[R]{item: r.item, head: r.head, shards: slices.Clone(r.shards)}
	now.head.Shards = slices.Clone(r.head.Shards)
	var ops []table.Op
	size := 0
	flush := func() error {
		if len(ops) == 0 {
			return nil
		}
		now.head.At = time.Now().UTC()
		item := table.Item{Key: b.headKey(tenantID), Rev: now.item.Rev}
		var err error
		if item.Data, err = table.Marshal(now.head); err != nil {
			return err
		}
		op := table.Save(item)
		if err := b.table.Write(ctx, append(ops, op)...); err != nil {
			return err
		}
		now.item.Rev, ops, size = op.Item.Rev, nil, 0
		return nil
	}
	for _, n := range slices.Sorted(maps.Keys(fresh)) {
		rows := fresh[n]
		slices.SortFunc(rows, b.compare)
		data, err := b.kind.Pack(rows)
		if err != nil {
			return nil, err
		}
		was, err := b.kind.Pack(r.shards[n].rows)
		if err != nil {
			return nil, err
		}
		if bytes.Equal(data, was) {
			continue
		}
		key, rev := b.shardKey(tenantID, r.head.Generation, n), r.head.Shards[n].Rev
		packed := table.Pack(data)
		if len(packed) > b.most {
			return nil, errGrow
		}
		op := table.Save(table.Item{Key: key, Rev: rev, Data: packed})
		if len(rows) == 0 {
			op = table.Remove(table.Item{Key: key, Rev: rev})
			now.shards[n], now.head.Shards[n] = shard[R]{}, shardHead{}
		} else {
			now.shards[n] = shard[R]{op.Item.Rev, rows}
			now.head.Shards[n] = shardHead{op.Item.Rev, b.countsOf(rows)}
		}
		if ops, size = append(ops, op), size+len(packed); len(ops) >= mostTogether || size >= mostWritten {
			if err := flush(); err != nil {
				return nil, err
			}
		}
	}
	if err := flush(); err != nil {
		return nil, err
	}
	return now, nil
}

func (b *Book[R]) countsOf(rows []R) map[string]int {
	counts := map[string]int{}
	for _, row := range rows {
		for _, name := range b.kind.Counts(row) {
			counts[name]++
		}
	}
	return counts
}

// Rebuild makes all rows anew. all is called after the book was read; where somebody else writes meanwhile, it is
// called again.
func (b *Book[R]) Rebuild(
	ctx context.Context, tenantID, account string, all func(context.Context) ([]R, error),
) error {
	err := table.RetryOnConflict(ctx, func() error {
		r, err := b.read(ctx, tenantID)
		if err != nil {
			return err
		}
		rows, err := all(ctx)
		if err != nil {
			return err
		}
		shards := max(len(r.head.Shards), fewestShards)
		for shards*rowsAShard < len(rows) && shards < mostShards {
			shards *= 2
		}
		if r.head.Account == account && shards == len(r.head.Shards) {
			err = b.rewrite(ctx, tenantID, r, rows)
			if !errors.Is(err, errGrow) || shards >= mostShards {
				return err
			}
			shards *= 2
		}
		return b.renew(ctx, tenantID, account, r, rows, shards)
	})
	if err != nil {
		return fmt.Errorf("write the list of %s: %w", b.kind.Name, err)
	}
	return nil
}

// rewrite writes all rows into the shards that there are.
func (b *Book[R]) rewrite(ctx context.Context, tenantID string, r *read[R], rows []R) error {
	_, err := b.write(ctx, tenantID, r, b.divided(rows, len(r.shards)))
	return err
}

func (b *Book[R]) divided(rows []R, shards int) map[int][]R {
	fresh := map[int][]R{}
	for n := range shards {
		fresh[n] = nil
	}
	for _, row := range rows {
		n := of(b.kind.ID(row), shards)
		fresh[n] = append(fresh[n], row)
	}
	return fresh
}

// renew writes all rows into new shards, and then has the head name these.
func (b *Book[R]) renew(
	ctx context.Context, tenantID, account string, r *read[R], rows []R, shards int,
) error {
	for ; ; shards *= 2 {
		h := head{Account: account, Generation: newGeneration(), At: time.Now().UTC(),
			Shards: make([]shardHead, shards)}
		err := b.writeNew(ctx, tenantID, &h, rows)
		if errors.Is(err, errGrow) && shards < mostShards {
			continue
		}
		if err != nil {
			return err
		}
		item := table.Item{Key: b.headKey(tenantID), Rev: r.item.Rev}
		if item.Data, err = table.Marshal(h); err != nil {
			return err
		}
		if err := b.table.Write(ctx, table.Save(item)); err != nil {
			return err
		}
		return b.sweep(ctx, tenantID, h.Generation)
	}
}

// writeNew writes rows into shards that nobody knows yet.
func (b *Book[R]) writeNew(ctx context.Context, tenantID string, h *head, rows []R) error {
	var ops []table.Op
	size := 0
	flush := func() error {
		if len(ops) == 0 {
			return nil
		}
		err := b.table.Write(ctx, ops...)
		ops, size = nil, 0
		return err
	}
	fresh := b.divided(rows, len(h.Shards))
	for n := range h.Shards {
		if len(fresh[n]) == 0 {
			continue
		}
		slices.SortFunc(fresh[n], b.compare)
		data, err := b.kind.Pack(fresh[n])
		if err != nil {
			return err
		}
		packed := table.Pack(data)
		if len(packed) > b.most {
			return errGrow
		}
		op := table.Create(table.Item{Key: b.shardKey(tenantID, h.Generation, n), Data: packed})
		h.Shards[n] = shardHead{op.Item.Rev, b.countsOf(fresh[n])}
		if ops, size = append(ops, op), size+len(packed); len(ops) >= mostTogether || size >= mostWritten {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// grow gives a book whose shards are full more of them.
func (b *Book[R]) grow(ctx context.Context, tenantID, account string) error {
	return table.RetryOnConflict(ctx, func() error {
		r, err := b.read(ctx, tenantID)
		if err != nil || r.head.Account != account {
			return err
		}
		var rows []R
		for _, sh := range r.shards {
			rows = append(rows, sh.rows...)
		}
		return b.renew(ctx, tenantID, account, r, rows, min(2*max(len(r.shards), fewestShards/2), mostShards))
	})
}

// sweep removes the shards of other generations, which no head names any more.
func (b *Book[R]) sweep(ctx context.Context, tenantID, generation string) error {
	q := table.Query{PK: b.partition(tenantID), From: "s#", Until: "s$", Limit: 10}
	var ops []table.Op
	for it, err := range table.QueryAll(ctx, b.table, q) {
		if err != nil {
			return err
		}
		if !strings.HasPrefix(it.SK, "s#"+generation+"#") {
			ops = append(ops, table.Remove(table.Item{Key: it.Key, Rev: it.Rev}))
		}
	}
	for some := range slices.Chunk(ops, mostTogether) {
		if err := b.table.Write(ctx, some...); err != nil && !errors.Is(err, table.ErrConflict) {
			return err
		}
	}
	return nil
}

// Erase removes a tenant's list.
func (b *Book[R]) Erase(ctx context.Context, tenantID string) error {
	if err := table.Erase(ctx, b.table, b.partition(tenantID), nil); err != nil {
		return fmt.Errorf("erase the list of %s: %w", b.kind.Name, err)
	}
	return nil
}
