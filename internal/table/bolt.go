package table

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"
)

// Options of the embedded store.
type Options struct {
	// NoSync leaves flushing to the operating system: a killed process loses
	// nothing, a power cut may lose the file. For tests.
	NoSync bool
	// IndexLag is how long List does not show a write yet, so that tests meet
	// an eventually consistent index.
	IndexLag time.Duration
}

// File is the embedded Table: one file, one process.
//
//	items  len(pk) pk sk                        → the item
//	index  len(index) index sort' len(pk) pk sk → since, until: when a lagging index shows it
//	groups the same for the second index
//	due    time, key of items or an index       → nothing: what to drop then
//
// Lengths are two bytes; sort' is Sort escaped so that composite keys sort as
// their parts do. Each write drops a few expired items.
type File struct {
	db   *bbolt.DB
	lag  time.Duration
	temp string // removed at Close

	mu      sync.Mutex
	leading bool
	queue   []*write // waiting for the leader's commit to end
}

var (
	itemsBucket = []byte("items")
	indexBucket = []byte("index")
	groupBucket = []byte("groups")
	dueBucket   = []byte("due")
)

// pageBytes is DynamoDB's page: 1 MB of items, whatever the Limit.
const pageBytes = 1 << 20

// Open opens or creates the file. Path "" is a temporary file, removed at Close.
func Open(path string, o Options) (*File, error) {
	f := &File{lag: o.IndexLag}
	if path == "" {
		tmp, err := os.CreateTemp("", "table-*.db")
		if err != nil {
			return nil, fmt.Errorf("open table: %w", err)
		}
		path, f.temp = tmp.Name(), tmp.Name()
		tmp.Close()
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:        time.Second, // another process has it
		NoSync:         o.NoSync,
		NoGrowSync:     o.NoSync,
		NoFreelistSync: true,
		FreelistType:   bbolt.FreelistMapType,
		NoStatistics:   true,
	})
	if err != nil {
		f.remove()
		return nil, fmt.Errorf("open table: %w", err)
	}
	f.db = db
	if err := f.prepare(); err != nil {
		f.Close()
		return nil, fmt.Errorf("open table: %w", err)
	}
	return f, nil
}

func (f *File) prepare() error {
	made := false
	f.db.View(func(tx *bbolt.Tx) error {
		made = tx.Bucket(groupBucket) != nil // the bucket that was added last
		return nil
	})
	if made {
		return nil
	}
	return f.db.Update(func(tx *bbolt.Tx) error {
		for _, b := range [][]byte{itemsBucket, indexBucket, dueBucket, groupBucket} {
			if _, err := tx.CreateBucketIfNotExists(b); err != nil {
				return err
			}
		}
		return nil
	})
}

// Close waits for running reads and writes. The file can then be copied.
func (f *File) Close() error {
	err := f.db.Close()
	f.remove()
	return err
}

func (f *File) remove() {
	if f.temp != "" {
		os.Remove(f.temp)
	}
}

// Get implements Table.
func (f *File) Get(ctx context.Context, keys ...Key) ([]Item, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := ValidKeys(keys...); err != nil {
		return nil, err
	}
	var items []Item
	err := f.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(itemsBucket)
		for _, k := range keys {
			it, ok, err := load(b, k)
			if err != nil {
				return err
			}
			if ok {
				items = append(items, it)
			}
		}
		return nil
	})
	return items, err
}

// Query implements Table.
func (f *File) Query(ctx context.Context, q Query) (Page, error) {
	if err := ctx.Err(); err != nil {
		return Page{}, err
	}
	if !validString(q.PK, 2048) {
		return Page{}, fmt.Errorf("partition key of %d bytes: %w", len(q.PK), ErrTooLarge)
	}
	s := newSpan(q.PK, q.From, q.Until, q.After, q.Desc)
	var p Page
	err := f.db.View(func(tx *bbolt.Tx) error {
		bytes := 0
		return s.each(tx.Bucket(itemsBucket), func(k, v []byte) (bool, error) {
			it, err := decode(Key{q.PK, string(k[len(s.prefix):])}, v)
			if err != nil {
				return false, err
			}
			p.Items = append(p.Items, it)
			bytes += size(it)
			if len(p.Items) == q.Limit || bytes >= pageBytes {
				p.Next = it.SK // even if it is the last, as DynamoDB does
				return false, nil
			}
			return true, nil
		})
	})
	return p, err
}

// List implements Table.
func (f *File) List(ctx context.Context, q Query) (Entries, error) {
	if err := ctx.Err(); err != nil {
		return Entries{}, err
	}
	if !validString(q.PK, 2048) {
		return Entries{}, fmt.Errorf("index of %d bytes: %w", len(q.PK), ErrTooLarge)
	}
	after, err := base64.RawURLEncoding.DecodeString(q.After)
	if err != nil {
		return Entries{}, fmt.Errorf("list: not a continuation: %w", err)
	}
	s := newSpan(q.PK, escaped(q.From), escaped(q.Until), string(after), q.Desc)
	now := time.Now().UnixNano()
	var es Entries
	bytes := 0
	bucket := indexBucket
	if q.Group {
		bucket = groupBucket
	}
	err = f.db.View(func(tx *bbolt.Tx) error {
		return s.each(tx.Bucket(bucket), func(k, v []byte) (bool, error) {
			since, until := decodePeriod(v)
			if now < since || until != 0 && now >= until {
				return true, nil
			}
			e, err := decodeEntry(k[len(s.prefix):])
			if err != nil {
				return false, err
			}
			es.Entries = append(es.Entries, e)
			bytes += len(k)
			if len(es.Entries) == q.Limit || bytes >= pageBytes {
				es.Next = base64.RawURLEncoding.EncodeToString(k[len(s.prefix):])
				return false, nil
			}
			return true, nil
		})
	})
	return es, err
}

// span is a range of keys with a common prefix; nil bounds are open.
type span struct {
	prefix, from, until, after []byte
	desc                       bool
}

// newSpan makes the span of a partition; empty bounds are open.
func newSpan(partition, from, until, after string, desc bool) span {
	prefix := sized(nil, partition)
	bound := func(key string) []byte {
		if key == "" {
			return nil
		}
		return slices.Concat(prefix, []byte(key))
	}
	return span{prefix, bound(from), bound(until), bound(after), desc}
}

// each calls do with the keys of the span, in order, until it wants no more.
func (s span) each(b *bbolt.Bucket, do func(k, v []byte) (more bool, err error)) error {
	c := b.Cursor()
	var k, v []byte
	step := c.Next
	if s.desc {
		step = c.Prev
		k, v = s.last(c)
	} else {
		start := s.prefix
		if bytes.Compare(s.from, start) > 0 {
			start = s.from
		}
		if bytes.Compare(s.after, start) > 0 {
			start = s.after
		}
		if k, v = c.Seek(start); k != nil && bytes.Equal(k, s.after) {
			k, v = c.Next()
		}
	}
	for ; k != nil && bytes.HasPrefix(k, s.prefix); k, v = step() {
		if s.desc && bytes.Compare(k, s.from) < 0 || !s.desc && s.until != nil && bytes.Compare(k, s.until) >= 0 {
			break
		}
		if more, err := do(k, v); err != nil || !more {
			return err
		}
	}
	return nil
}

// last finds the greatest key below the end of the span.
func (s span) last(c *bbolt.Cursor) (k, v []byte) {
	end := s.until
	if s.after != nil && (end == nil || bytes.Compare(s.after, end) < 0) {
		end = s.after
	}
	if end == nil {
		end = successor(s.prefix)
	}
	if end != nil {
		k, _ = c.Seek(end)
	}
	if k == nil {
		return c.Last()
	}
	return c.Prev()
}

// successor is the least key greater than every key with the prefix.
func successor(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] < 0xff {
			end := bytes.Clone(prefix[:i+1])
			end[i]++
			return end
		}
	}
	return nil
}

// write is one Write on its way to disk.
type write struct {
	ops      []Op
	conflict *Conflict
	err      error
	wake     chan bool // true: done; false: lead the next commit
}

// Write implements Table.
func (f *File) Write(ctx context.Context, ops ...Op) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := Valid(ops...); err != nil {
		return err
	}
	if len(ops) == 0 {
		return nil
	}
	w := &write{ops: ops}
	if f.db.NoSync {
		f.commit(w)
	} else {
		f.join(w)
	}
	if w.err != nil {
		return w.err
	}
	if w.conflict != nil {
		return w.conflict
	}
	return nil
}

// join shares the flush to disk, which is what a commit costs. A write that
// finds no commit under way leads one; those that come meanwhile go together
// in the next, led by the first of them.
func (f *File) join(w *write) {
	w.wake = make(chan bool, 1)
	f.mu.Lock()
	f.queue = append(f.queue, w)
	lead := !f.leading
	f.leading = true
	f.mu.Unlock()
	if !lead && <-w.wake {
		return
	}
	f.mu.Lock()
	batch := f.queue
	f.queue = nil
	f.mu.Unlock()

	f.commit(batch...)

	f.mu.Lock()
	if len(f.queue) > 0 {
		f.queue[0].wake <- false
	} else {
		f.leading = false
	}
	f.mu.Unlock()
	for _, b := range batch {
		b.wake <- true
	}
}

// commit applies each write, or finds its conflict, in one transaction.
func (f *File) commit(batch ...*write) {
	err := f.db.Update(func(tx *bbolt.Tx) error {
		now := time.Now()
		t := &transaction{
			items: tx.Bucket(itemsBucket),
			index: tx.Bucket(indexBucket),
			group: tx.Bucket(groupBucket),
			due:   tx.Bucket(dueBucket),
			now:   now,
			lag:   f.lag,
		}
		drop := 1
		for _, w := range batch {
			if err := t.apply(w); err != nil {
				return err
			}
			drop += len(w.ops)
		}
		return t.sweep(drop)
	})
	if err != nil {
		for _, w := range batch {
			w.conflict, w.err = nil, fmt.Errorf("write table: %w", err)
		}
	}
}

// transaction is a bbolt transaction that is under way.
type transaction struct {
	items, index, group, due *bbolt.Bucket
	now                      time.Time
	lag                      time.Duration
}

// apply makes a write, or notes its conflict in it.
func (t *transaction) apply(w *write) error {
	old := make([]*Item, len(w.ops))
	for i, o := range w.ops {
		it, ok, err := load(t.items, o.Item.Key)
		if err != nil {
			return err
		}
		if ok {
			old[i] = &it
		}
		if o.Kind == KindAhead { // stands even if the others are refused
			it := settled(o.Item)
			if err := t.set(old[i], &it); err != nil {
				return err
			}
		}
	}
	if c := conflictOf(w.ops, old); len(c.Failed) > 0 {
		if !c.Done(w.ops) {
			w.conflict = c
		}
		return nil
	}
	for i, o := range w.ops {
		var err error
		switch o.Kind {
		case KindCreate, KindReplace, KindPut:
			it := settled(o.Item)
			err = t.set(old[i], &it)
		case KindRemove:
			err = t.set(old[i], nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// conflictOf returns the operations whose conditions do not hold for the items as they are (nil: absent).
func conflictOf(ops []Op, current []*Item) *Conflict {
	c := &Conflict{Current: map[int]Item{}}
	for i, o := range ops {
		if holds(o, current[i]) {
			continue
		}
		c.Failed = append(c.Failed, i)
		if current[i] != nil {
			c.Current[i] = *current[i]
		}
	}
	return c
}

// holds reports whether the condition of an operation holds for the item as it is (nil: absent).
func holds(o Op, cur *Item) bool {
	switch o.Kind {
	case KindCreate:
		return cur == nil
	case KindReplace:
		return cur != nil && cur.Rev == o.If
	case KindRemove:
		return cur == nil || cur.Rev == o.If
	case KindCheck:
		if o.If == "" {
			return cur == nil
		}
		return cur != nil && cur.Rev == o.If
	}
	return true
}

// set turns old (nil: absent) into it (nil: removed), with index and expiry.
func (t *transaction) set(old, it *Item) error {
	if old != nil {
		k := itemKey(old.Key)
		if err := t.unindex(old, it); err != nil {
			return err
		}
		if !old.Expires.IsZero() && (it == nil || !it.Expires.Equal(old.Expires)) {
			if err := t.due.Delete(dueKey(old.Expires.UnixNano(), 'i', k)); err != nil {
				return err
			}
		}
		if it == nil {
			return t.items.Delete(k)
		}
	}
	if it == nil {
		return nil
	}
	k := itemKey(it.Key)
	if err := t.items.Put(k, encode(*it)); err != nil {
		return err
	}
	if !it.Expires.IsZero() && (old == nil || !it.Expires.Equal(old.Expires)) {
		if err := t.due.Put(dueKey(it.Expires.UnixNano(), 'i', k), nil); err != nil {
			return err
		}
	}
	return errors.Join(t.enter('x', it.Index, it.Sort, indexOf(old), it.Key),
		t.enter('g', it.Group, it.Order, groupOf(old), it.Key))
}

// entriesOf returns the bucket of an index: 'x' the first, 'g' the second.
func (t *transaction) entriesOf(index byte) *bbolt.Bucket {
	if index == 'g' {
		return t.group
	}
	return t.index
}

// enter makes the index entry of an item that was elsewhere in the index, or not in it.
func (t *transaction) enter(which byte, index, sort string, old place, k Key) error {
	if index == "" || old == (place{index, sort}) {
		return nil
	}
	ik, b := indexKey(index, sort, k), t.entriesOf(which)
	since := t.now.Add(t.lag).UnixNano()
	if v := b.Get(ik); v != nil { // the item left this place and is back before the lag was over
		since, _ = decodePeriod(v)
	}
	return b.Put(ik, encodePeriod(since, 0))
}

func (t *transaction) unindex(old, it *Item) error {
	return errors.Join(t.leave('x', indexOf(old), indexOf(it), old.Key),
		t.leave('g', groupOf(old), groupOf(it), old.Key))
}

// leave removes the index entry of an item that goes elsewhere, or shows it only until the lag is over.
func (t *transaction) leave(which byte, old, now place, k Key) error {
	if old.index == "" || old == now {
		return nil
	}
	ik, b := indexKey(old.index, old.sort, k), t.entriesOf(which)
	if t.lag == 0 {
		return b.Delete(ik)
	}
	v := b.Get(ik)
	if v == nil {
		return nil
	}
	since, _ := decodePeriod(v)
	until := t.now.Add(t.lag).UnixNano()
	if err := b.Put(ik, encodePeriod(since, until)); err != nil {
		return err
	}
	return t.due.Put(dueKey(until, which, ik), nil)
}

// sweep drops at most n expired items and index entries.
func (t *transaction) sweep(n int) error {
	for ; n > 0; n-- {
		k, _ := t.due.Cursor().First()
		if k == nil || int64(binary.BigEndian.Uint64(k)) > t.now.UnixNano() {
			return nil
		}
		k = bytes.Clone(k)
		if err := t.due.Delete(k); err != nil {
			return err
		}
		if err := t.drop(k[8], k[9:]); err != nil {
			return err
		}
	}
	return nil
}

// drop drops an index entry that is shown no more, or an expired item.
func (t *transaction) drop(what byte, key []byte) error {
	if what == 'x' || what == 'g' {
		return t.dropEntry(t.entriesOf(what), key)
	}
	pk, sk, err := split(key)
	if err != nil {
		return err
	}
	it, ok, err := load(t.items, Key{pk, sk})
	if err != nil || !ok {
		return err
	}
	return t.set(&it, nil)
}

// dropEntry drops an index entry, unless it was put there again.
func (t *transaction) dropEntry(b *bbolt.Bucket, key []byte) error {
	v := b.Get(key)
	if v == nil {
		return nil
	}
	if _, until := decodePeriod(v); until == 0 || until > t.now.UnixNano() {
		return nil
	}
	return b.Delete(key)
}

func load(b *bbolt.Bucket, k Key) (Item, bool, error) {
	v := b.Get(itemKey(k))
	if v == nil {
		return Item{}, false, nil
	}
	it, err := decode(k, v)
	return it, err == nil, err
}

// errFormat is the error of a file of another format, or of a broken one.
var errFormat = errors.New("not a record of this table")

// encode returns an item's value: rev, index, sort, group, order (each after its
// length), expiry in Unix seconds (0 = never; all varints), data. The 0 in front
// tells it from the older form, without group and order, which begins with the
// length of a revision.
func encode(it Item) []byte {
	v := make([]byte, 1, 24+len(it.Rev)+len(it.Index)+len(it.Sort)+len(it.Group)+len(it.Order)+len(it.Data))
	for _, s := range []string{it.Rev, it.Index, it.Sort, it.Group, it.Order} {
		v = binary.AppendUvarint(v, uint64(len(s)))
		v = append(v, s...)
	}
	var exp int64
	if !it.Expires.IsZero() {
		exp = it.Expires.Unix()
	}
	return append(binary.AppendVarint(v, exp), it.Data...)
}

func decode(k Key, v []byte) (Item, error) {
	it := Item{Key: k}
	fields := []*string{&it.Rev, &it.Index, &it.Sort}
	if len(v) > 0 && v[0] == 0 {
		v, fields = v[1:], append(fields, &it.Group, &it.Order)
	}
	for _, s := range fields {
		n, w := binary.Uvarint(v)
		if w <= 0 || uint64(len(v)-w) < n {
			return Item{}, errFormat
		}
		*s = string(v[w : w+int(n)])
		v = v[w+int(n):]
	}
	exp, w := binary.Varint(v)
	if w <= 0 {
		return Item{}, errFormat
	}
	if exp != 0 {
		it.Expires = time.Unix(exp, 0).UTC()
	}
	it.Data = bytes.Clone(v[w:]) // v is the file's memory
	return it, nil
}

func itemKey(k Key) []byte { return appendKey(make([]byte, 0, 2+len(k.PK)+len(k.SK)), k) }

func appendKey(to []byte, k Key) []byte { return append(sized(to, k.PK), k.SK...) }

func indexKey(index, sort string, k Key) []byte {
	sort = escaped(sort)
	ik := make([]byte, 0, 4+len(index)+len(sort)+len(terminator)+len(k.PK)+len(k.SK))
	ik = append(append(sized(ik, index), sort...), terminator...)
	return appendKey(ik, k)
}

func dueKey(at int64, what byte, key []byte) []byte {
	k := binary.BigEndian.AppendUint64(make([]byte, 0, 9+len(key)), uint64(max(at, 0)))
	return append(append(k, what), key...)
}

// terminator ends an escaped string, and sorts below whatever continues it.
const terminator = "\x00\x01"

func escaped(s string) string { return strings.ReplaceAll(s, "\x00", "\x00\xff") }

// decodeEntry reads an index key from after the index's name.
func decodeEntry(k []byte) (Entry, error) {
	s, rest, ok := strings.Cut(string(k), terminator)
	if !ok {
		return Entry{}, errFormat
	}
	pk, sk, err := split([]byte(rest))
	return Entry{Key: Key{pk, sk}, Sort: strings.ReplaceAll(s, "\x00\xff", "\x00")}, err
}

// encodePeriod is the value of an index entry: it shows since and until then (0: open).
func encodePeriod(since, until int64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(since)), uint64(until))
}

func decodePeriod(v []byte) (since, until int64) {
	return int64(binary.BigEndian.Uint64(v)), int64(binary.BigEndian.Uint64(v[8:]))
}

// sized appends a string after its length.
func sized(k []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(k, uint16(len(s))), s...)
}

// split reads an item key: sized pk, then sk.
func split(k []byte) (pk, sk string, err error) {
	if len(k) < 2 {
		return "", "", errFormat
	}
	n := int(binary.BigEndian.Uint16(k))
	if len(k) < 2+n {
		return "", "", errFormat
	}
	return string(k[2 : 2+n]), string(k[2+n:]), nil
}
