package mirror

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"stockbridge/internal/ledger"
	"stockbridge/internal/table"
)

// Find reads the rows that keys name, each once, and the rows that links lead to, with those links that there are. It
// takes one read of the table per 100 keys and links, and one more if a name holds ids only or there is a link.
func (s *Store) Find(
	ctx context.Context, tenantID string, keys []Key, links ...Link,
) ([]Row, map[Link]ledger.Link, error) {
	f := newFinding(tenantID)
	for _, k := range keys {
		f.ask(k)
	}
	for _, link := range links {
		f.askLink(link)
	}
	for want := f.round(); len(want) > 0; want = f.round() {
		items, err := s.get(ctx, want)
		if err != nil {
			return nil, nil, err
		}
		for _, it := range items {
			if err := f.take(it); err != nil {
				return nil, nil, err
			}
		}
	}
	return f.rows, f.links, nil
}

// get reads items, however many.
func (s *Store) get(ctx context.Context, keys []table.Key) ([]table.Item, error) {
	items, err := table.ReadAll(ctx, s.table, keys)
	if err != nil {
		return nil, fmt.Errorf("read mirror: %w", err)
	}
	return items, nil
}

// finding is what one Find has asked for and found. Names and links lead to rows, which are asked for in the next
// round.
type finding struct {
	tenant string
	asked  map[table.Key]Key  // rows and names
	linked map[table.Key]Link // links
	want   []table.Key        // of these, what is still to be read
	next   []Key              // rows that names and links lead to

	rows  []Row
	have  map[Key]bool // rows
	links map[Link]ledger.Link
}

func newFinding(tenantID string) *finding {
	return &finding{tenant: tenantID, asked: map[table.Key]Key{}, linked: map[table.Key]Link{},
		have: map[Key]bool{}, links: map[Link]ledger.Link{}}
}

// ask has a row or a name read, unless it was asked for, or its row is here already.
func (f *finding) ask(k Key) {
	at := k.of(f.tenant)
	if _, asked := f.asked[at]; asked || f.have[k] || !possible(k.ID) {
		return
	}
	f.asked[at] = k
	f.want = append(f.want, at)
}

func (f *finding) askLink(l Link) {
	at := ledger.LinkKey(f.tenant, l.Kind, l.ID)
	if _, asked := f.linked[at]; asked || !possible(l.ID) {
		return
	}
	f.linked[at] = l
	f.want = append(f.want, at)
}

// possible reports whether anything can be kept under an id or a name.
func possible(id string) bool { return id != "" && len(id) <= maxID }

// round returns the keys to read now; none = all is found.
func (f *finding) round() []table.Key {
	slices.SortFunc(f.next, func(a, b Key) int { return strings.Compare(a.ID, b.ID) })
	for _, k := range f.next {
		f.ask(k)
	}
	want := f.want
	f.want, f.next = nil, nil
	return want
}

// take takes in an item that was asked for.
func (f *finding) take(it table.Item) error {
	if link, ok := f.linked[it.Key]; ok {
		to, err := ledger.LinkOf(it)
		f.links[link] = to
		f.next = append(f.next, Key{link.Row, strings.ToLower(to.ID)})
		return err
	}
	e, err := entryOf(it)
	if err != nil {
		return err
	}
	if e.Row != nil {
		f.found(f.asked[it.Key], e.Row)
	}
	for _, id := range slices.Sorted(maps.Keys(e.Members)) {
		if k, row := (Key{e.Of, id}), e.Members[id]; isNull(row) {
			f.next = append(f.next, k)
		} else {
			f.found(k, row)
		}
	}
	return nil
}

// isNull: a null inside a map is read as the four letters.
func isNull(row json.RawMessage) bool { return len(row) == 0 || string(row) == "null" }

func (f *finding) found(k Key, data json.RawMessage) {
	if !f.have[k] {
		f.have[k] = true
		f.rows = append(f.rows, Row{Key: k, Data: data})
	}
}

// All reads all rows of a kind, without their names.
func (s *Store) All(ctx context.Context, tenantID, kind string) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for it, err := range s.items(ctx, tenantID, kind) {
			row := Row{Key: Key{kind, it.SK}}
			if err == nil {
				var e *entry
				if e, err = entryOf(it); err == nil {
					row.Data = e.Row
				}
			}
			if !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// Members lists the rows that names of a kind lead to, at most so many.
func (s *Store) Members(ctx context.Context, tenantID, names string, most int) (keys []Key, err error) {
	for it, err := range s.items(ctx, tenantID, names) {
		if err != nil {
			return nil, err
		}
		e, err := entryOf(it)
		if err != nil {
			return nil, err
		}
		for _, id := range slices.Sorted(maps.Keys(e.Members)) {
			if keys = append(keys, Key{e.Of, id}); len(keys) >= most {
				return keys, nil
			}
		}
	}
	return keys, nil
}

// items reads the items of all rows, or names, of a kind; it ends with the first error.
func (s *Store) items(ctx context.Context, tenantID, kind string) iter.Seq2[table.Item, error] {
	return func(yield func(table.Item, error) bool) {
		for shard := range uint32(shards) {
			for it, err := range table.QueryAll(ctx, s.table, table.Query{PK: partition(tenantID, kind, shard)}) {
				if err != nil {
					err = fmt.Errorf("list mirror of %s: %w", kind, err)
				}
				if !yield(it, err) || err != nil {
					return
				}
			}
		}
	}
}
