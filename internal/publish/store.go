package publish

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// Sizes of chunks.
const (
	mostEntries = 150     // of a chunk; one that has more is cut into pieces
	fewEntries  = 100     // of a piece
	mostBytes   = 200_000 // of a chunk, unpacked, unless it is of one entry
	readAtOnce  = 8       // chunks
)

// shelf is where the entries of one set and account of a tenant stand: in chunks, one item each, in the order of their
// keys. A chunk holds the keys from its own bound up to the next chunk's, and is never empty. So a key is always in one
// place, or has one place to go to: the last chunk whose bound is not after it, or a new one with the least bound of
// all. A chunk that grows is cut, by its own write: whoever read it as it was before writes nothing.
type shelf struct {
	table       table.Table
	pk, account string
}

func shelfOf(t table.Table, tenantID, set, account string) shelf {
	return shelf{t, tenant.Partition(tenantID) + "#told#" + set, account}
}

// bound is the sort key of the chunk that begins with a key; the least one begins with "".
func (s shelf) bound(key string) string { return "c#" + s.account + "\t" + key }

// end is the first sort key after all chunks.
func (s shelf) end() string { return "c#" + s.account + "\n" }

// noted is the index of the chunks in which there is something for people to see.
func (s shelf) noted() string { return s.pk + "#noted" }

// chunk is some entries as they are stored together.
type chunk struct {
	item    table.Item // as it was read; without Rev = it is new
	entries []Entry
	bytes   int // unpacked
}

// stored is a chunk's JSON.
type stored struct {
	Entries []Entry `json:"entries"`
}

func chunkOf(it table.Item) (*chunk, error) {
	data, err := table.Unpack(it.Data)
	if err != nil {
		return nil, fmt.Errorf("what was told %s: %w", it.SK, err)
	}
	var s stored
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("what was told %s: %w", it.SK, err)
	}
	return &chunk{item: it, entries: s.Entries, bytes: len(data)}, nil
}

// at is where the entry of a key is in the chunk, or would be.
func (c *chunk) at(k Key) (i int, found bool) {
	return slices.BinarySearchFunc(c.entries, k, func(e Entry, k Key) int { return e.compare(k) })
}

// chunks reads the chunks that hold the keys from one on, up to and with another ("" = to the end).
func (s shelf) chunks(ctx context.Context, from, to string) iter.Seq2[*chunk, error] {
	return func(yield func(*chunk, error) bool) {
		q := table.Query{PK: s.pk, From: s.bound(from), Until: s.end(), Limit: readAtOnce}
		first := table.Query{PK: s.pk, From: s.bound(""), Until: s.bound(from) + "\x00", Desc: true, Limit: 1}
		for it, err := range table.QueryAll(ctx, s.table, first) {
			if err != nil {
				yield(nil, err)
				return
			}
			q.From = it.SK
			break
		}
		if to != "" {
			q.Until = s.bound(to) + "\x00"
		}
		for it, err := range table.QueryAll(ctx, s.table, q) {
			var c *chunk
			if err == nil {
				c, err = chunkOf(it)
			}
			if !yield(c, err) || err != nil {
				return
			}
		}
	}
}

// placed is an entry with the chunk that it stands in.
type placed struct {
	Entry
	chunk *chunk
}

// entries reads the entries after a key; after the zero key, all.
func (s shelf) entries(ctx context.Context, after Key) iter.Seq2[placed, error] {
	return func(yield func(placed, error) bool) {
		from := ""
		if after != (Key{}) {
			from = after.String()
		}
		for c, err := range s.chunks(ctx, from, "") {
			if err != nil {
				yield(placed{}, err)
				return
			}
			for _, e := range c.entries {
				if from != "" && !after.less(e.Key) {
					continue
				}
				if !yield(placed{e, c}, nil) {
					return
				}
			}
		}
	}
}

// holding reads the chunk in which the entry of a key is, or would be; nil = there is none.
func (s shelf) holding(ctx context.Context, k Key) (*chunk, error) {
	page, err := s.table.Query(ctx, table.Query{PK: s.pk, From: s.bound(""), Until: s.bound(k.String()) + "\x00",
		Desc: true, Limit: 1})
	if err != nil || len(page.Items) == 0 {
		return nil, err
	}
	return chunkOf(page.Items[0])
}

// find reads the entries of keys, which are in order, as far as there are any. Keys of one chunk cost one read.
func (s shelf) find(ctx context.Context, keys []Key) (list []Entry, err error) {
	var c *chunk
	for _, k := range keys {
		if c == nil || c.entries[len(c.entries)-1].Key.less(k) {
			if c, err = s.holding(ctx, k); err != nil {
				return nil, err
			}
		}
		if c == nil { // the first chunk begins after it
			continue
		}
		if i, found := c.at(k); found {
			list = append(list, c.entries[i])
		}
	}
	return list, nil
}

// note is a change to the entry of a key. It may be made again on a newer copy, also where it was made already.
type note struct {
	Key
	change func(Entry) Entry
}

// get reads the entries of keys, which are in order. One that is not there is an entry with its key alone.
func (s shelf) get(ctx context.Context, keys []Key) ([]Entry, error) {
	list := make([]Entry, 0, len(keys))
	notes := make([]note, len(keys))
	for i, k := range keys {
		notes[i] = note{k, func(e Entry) Entry {
			list = append(list, e)
			return e
		}}
	}
	_, err := s.writes(ctx, notes)
	return list, err
}

// writes reads the chunks of notes, which are in order and of different keys, and returns the writes that make them
// what they are to be. An entry about which there is nothing to be known any more goes.
func (s shelf) writes(ctx context.Context, notes []note) (ops []table.Op, err error) {
	if len(notes) == 0 {
		return nil, nil
	}
	from, to := notes[0].String(), notes[len(notes)-1].String()
	cur := &chunk{item: table.Item{Key: table.Key{PK: s.pk, SK: s.bound("")}}}
	edit := func(until string) error { // the notes of cur, whose keys come before the next chunk's
		n := slices.IndexFunc(notes, func(n note) bool { return until != "" && s.bound(n.String()) >= until })
		if n < 0 {
			n = len(notes)
		}
		some, err := s.edited(cur, notes[:n])
		ops, notes = append(ops, some...), notes[n:]
		return err
	}
	for c, err := range s.chunks(ctx, from, to) {
		if err != nil {
			return nil, err
		}
		if err := edit(c.item.SK); err != nil {
			return nil, err
		}
		cur = c
	}
	return ops, edit("")
}

// edited returns the writes that a chunk's notes ask for.
func (s shelf) edited(c *chunk, notes []note) ([]table.Op, error) {
	if len(notes) == 0 {
		return nil, nil
	}
	entries, changed := slices.Clone(c.entries), false
	c = &chunk{item: c.item, entries: entries}
	for _, n := range notes {
		i, found := c.at(n.Key)
		was := Entry{Key: n.Key}
		if found {
			was = c.entries[i]
		}
		now := n.change(was)
		switch {
		case now.empty() && found:
			c.entries = slices.Delete(c.entries, i, i+1)
		case now.empty(), reflect.DeepEqual(was, now):
			continue
		case found:
			c.entries[i] = now
		default:
			c.entries = slices.Insert(c.entries, i, now)
		}
		changed = true
	}
	if !changed {
		return nil, nil
	}
	return s.ops(c)
}

// ops are the writes of a chunk, cut into pieces where it is too large.
func (s shelf) ops(c *chunk) (ops []table.Op, err error) {
	if len(c.entries) == 0 {
		return []table.Op{table.Remove(c.item)}, nil
	}
	for i, piece := range pieces(c.entries) {
		it := table.Item{Key: c.item.Key, Rev: c.item.Rev}
		if i > 0 {
			it = table.Item{Key: table.Key{PK: s.pk, SK: s.bound(piece[0].String())}}
		}
		if slices.ContainsFunc(piece, Entry.notable) {
			it.Index, it.Sort = s.noted(), it.SK+countsText(piece)
		}
		if it.Data, err = table.Marshal(stored{piece}); err != nil {
			return nil, err
		}
		ops = append(ops, table.Save(it))
	}
	return ops, nil
}

// countsMark begins, in the index, how many entries of a chunk are in which state. No key has it.
const countsMark = "\x01"

// countsIn counts entries by their states.
func countsIn(entries []Entry) map[State]int {
	counts := map[State]int{}
	for _, e := range entries {
		if e.State != "" {
			counts[e.State]++
		}
	}
	return counts
}

// countsText is the counts of entries as the index has them.
func countsText(entries []Entry) string {
	counts, text := countsIn(entries), countsMark
	for _, state := range slices.Sorted(maps.Keys(counts)) {
		text += fmt.Sprintf("%s %d ", state, counts[state])
	}
	return strings.TrimSuffix(text, " ")
}

// countsOf reads the counts in a place of the index; ok is false where there are none.
func countsOf(place string) (counts map[State]int, ok bool) {
	_, text, ok := strings.Cut(place, countsMark)
	counts = map[State]int{}
	for f := strings.Fields(text); len(f) >= 2; f = f[2:] {
		n, err := strconv.Atoi(f[1])
		counts[State(f[0])], ok = n, ok && err == nil
	}
	return counts, ok
}

// pieces cuts the entries of a chunk that is too large.
func pieces(entries []Entry) (list [][]Entry) {
	total := 0
	for _, e := range entries {
		total += e.bytes()
	}
	if len(entries) <= mostEntries && total <= mostBytes {
		return [][]Entry{entries}
	}
	from, size := 0, 0
	for i, e := range entries {
		if n := e.bytes(); i > from && (i-from >= fewEntries || size+n > mostBytes/2) {
			list = append(list, entries[from:i])
			from, size = i, 0
		}
		size += e.bytes()
	}
	return append(list, entries[from:])
}

// bytes is about how large an entry is.
func (e Entry) bytes() int {
	n := 200 + len(e.Group) + len(e.ID) + len(e.Told) + len(e.Sent) + len(e.Why)
	if e.Doubt != nil {
		n += 80 + len(e.Doubt.Data)
	}
	return n
}
