package simulate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"stockbridge/internal/table"
	"stockbridge/internal/table/tabletest"
)

// memory is a table in memory, held to the contract by the same suite as the
// others. Items are never changed once they are in, so that a copy of the whole
// (for a restore to an earlier minute) is a copy of maps.
type memory struct {
	lag func() time.Duration // how long the index goes on as before a write; nil = not at all

	mu    sync.Mutex
	moves int // writes and restores
	parts map[string]*part
	index map[place][]shown
}

// place is a partition of one of the two indexes.
type place struct {
	group bool
	name  string
}

// part is one partition: its items by the order of their sort keys.
type part struct {
	keys  []string
	items map[string]table.Item
}

// shown is one row of the index, and from when until when it shows.
type shown struct {
	table.Entry
	since, until time.Time // zero until: it shows
}

func newMemory() *memory {
	return &memory{parts: map[string]*part{}, index: map[place][]shown{}}
}

// clone is the table as it stands.
func (m *memory) clone() *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &memory{lag: m.lag, parts: make(map[string]*part, len(m.parts)), index: make(map[place][]shown, len(m.index))}
	for pk, p := range m.parts {
		c.parts[pk] = &part{slices.Clone(p.keys), maps.Clone(p.items)}
	}
	for ix, rows := range m.index {
		c.index[ix] = slices.Clone(rows)
	}
	return c
}

// restore makes the table what it was when it was cloned; its index as well.
func (m *memory) restore(c *memory) {
	c = c.clone()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.parts, m.index = c.parts, c.index
	m.moves++
}

func (m *memory) item(k table.Key) (table.Item, bool) {
	p := m.parts[k.PK]
	if p == nil {
		return table.Item{}, false
	}
	it, ok := p.items[k.SK]
	return it, ok
}

func (m *memory) Get(ctx context.Context, keys ...table.Key) ([]table.Item, error) {
	if err := errors.Join(ctx.Err(), table.ValidKeys(keys...)); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []table.Item
	for _, k := range keys {
		if it, ok := m.item(k); ok {
			list = append(list, own(it))
		}
	}
	return list, nil
}

// own is an item whose data the caller may write into.
func own(it table.Item) table.Item {
	it.Data = slices.Clone(it.Data)
	return it
}

const pageBytes = 1 << 20

func weight(it table.Item) int {
	return len(it.PK) + len(it.SK) + len(it.Data) + len(it.Index) + len(it.Sort) + len(it.Group) + len(it.Order) + 40
}

func (m *memory) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if err := errors.Join(ctx.Err(), table.ValidKeys(table.Key{PK: q.PK, SK: "-"})); err != nil {
		return table.Page{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var page table.Page
	p := m.parts[q.PK]
	if p == nil {
		return page, nil
	}
	bytes := 0
	each(p.keys, q, func(sk string) bool {
		it := own(p.items[sk])
		page.Items = append(page.Items, it)
		if bytes += weight(it); len(page.Items) == q.Limit || bytes >= pageBytes {
			page.Next = sk
			return false
		}
		return true
	})
	return page, nil
}

// each yields what of sorted keys a query selects, in its order.
func each(keys []string, q table.Query, yield func(string) bool) {
	lo, hi, after := 0, len(keys), q.After
	at := func(s string) int { i, _ := slices.BinarySearch(keys, s); return i }
	if q.From != "" {
		lo = at(q.From)
	}
	if q.Until != "" {
		hi = at(q.Until)
	}
	if after != "" {
		if q.Desc {
			hi = min(hi, at(after))
		} else {
			lo = max(lo, at(after+"\x00"))
		}
	}
	for i := lo; i < hi; i++ {
		k := keys[i]
		if q.Desc {
			k = keys[hi-1-(i-lo)]
		}
		if !yield(k) {
			return
		}
	}
}

func (m *memory) List(ctx context.Context, q table.Query) (table.Entries, error) {
	if err := errors.Join(ctx.Err(), table.ValidKeys(table.Key{PK: q.PK, SK: "-"})); err != nil {
		return table.Entries{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	var es table.Entries
	bytes := 0
	rows := m.index[place{q.Group, q.PK}]
	lo, hi := 0, len(rows)
	at := func(r shown) int {
		i, _ := slices.BinarySearchFunc(rows, r, compareRows)
		return i
	}
	if q.From != "" {
		lo = at(shown{Entry: table.Entry{Sort: q.From}})
	}
	if q.Until != "" {
		hi = at(shown{Entry: table.Entry{Sort: q.Until}})
	}
	if q.After != "" {
		var r shown
		if err := json.Unmarshal([]byte(q.After), &r.Entry); err != nil {
			return es, fmt.Errorf("list: not a continuation: %w", err)
		}
		if q.Desc {
			hi = min(hi, at(r))
		} else {
			r.SK += "\x00"
			lo = max(lo, at(r))
		}
	}
	for i := lo; i < hi; i++ {
		r := rows[i]
		if q.Desc {
			r = rows[hi-1-(i-lo)]
		}
		if r.since.After(now) || !r.until.IsZero() && !now.Before(r.until) {
			continue
		}
		es.Entries = append(es.Entries, r.Entry)
		if bytes += len(r.Sort) + len(r.PK) + len(r.SK); len(es.Entries) == q.Limit || bytes >= pageBytes {
			next, _ := json.Marshal(r.Entry)
			es.Next = string(next)
			break
		}
	}
	return es, nil
}

func (m *memory) Write(ctx context.Context, ops ...table.Op) error {
	if err := errors.Join(ctx.Err(), table.Valid(ops...)); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.moves++
	now := time.Now()
	for _, o := range ops {
		if o.Kind == table.KindAhead {
			m.set(own(o.Item), now)
		}
	}
	c := &table.Conflict{Current: map[int]table.Item{}}
	for i, o := range ops {
		it, ok := m.item(o.Item.Key)
		if !holds(o, it, ok) {
			c.Failed = append(c.Failed, i)
			if ok {
				c.Current[i] = own(it)
			}
		}
	}
	if len(c.Failed) > 0 {
		if c.Done(ops) {
			return nil
		}
		return c
	}
	for _, o := range ops {
		switch o.Kind {
		case table.KindCreate, table.KindReplace, table.KindPut:
			m.set(own(o.Item), now)
		case table.KindRemove:
			m.remove(o.Item.Key, now)
		}
	}
	return nil
}

func holds(o table.Op, it table.Item, there bool) bool {
	switch o.Kind {
	case table.KindCreate:
		return !there
	case table.KindReplace:
		return there && it.Rev == o.If
	case table.KindRemove:
		return !there || it.Rev == o.If
	case table.KindCheck:
		return !there && o.If == "" || there && it.Rev == o.If
	}
	return true
}

func (m *memory) set(it table.Item, now time.Time) {
	if it.Index == "" {
		it.Sort = ""
	}
	if it.Group == "" {
		it.Order = ""
	}
	if !it.Expires.IsZero() {
		it.Expires = time.Unix(it.Expires.Unix(), 0).UTC()
	}
	p := m.parts[it.PK]
	if p == nil {
		p = &part{items: map[string]table.Item{}}
		m.parts[it.PK] = p
	}
	old, there := p.items[it.SK]
	if !there {
		i, _ := slices.BinarySearch(p.keys, it.SK)
		p.keys = slices.Insert(p.keys, i, it.SK)
	}
	p.items[it.SK] = it
	m.move(place{false, old.Index}, old.Sort, place{false, it.Index}, it.Sort, it.Key, now)
	m.move(place{true, old.Group}, old.Order, place{true, it.Group}, it.Order, it.Key, now)
}

// move takes an item's row from one place in an index to another.
func (m *memory) move(from place, old string, to place, sort string, k table.Key, now time.Time) {
	if from == to && old == sort {
		return
	}
	if from.name != "" {
		m.leave(from, shown{Entry: table.Entry{Key: k, Sort: old}}, now)
	}
	if to.name != "" {
		m.enter(to, shown{Entry: table.Entry{Key: k, Sort: sort}, since: m.behind(now)})
	}
}

func (m *memory) remove(k table.Key, now time.Time) {
	p := m.parts[k.PK]
	if p == nil {
		return
	}
	old, there := p.items[k.SK]
	if !there {
		return
	}
	delete(p.items, k.SK)
	i, _ := slices.BinarySearch(p.keys, k.SK)
	p.keys = slices.Delete(p.keys, i, i+1)
	m.move(place{false, old.Index}, old.Sort, place{}, "", k, now)
	m.move(place{true, old.Group}, old.Order, place{true, ""}, "", k, now)
}

func (m *memory) behind(now time.Time) time.Time {
	if m.lag == nil {
		return now
	}
	return now.Add(m.lag())
}

func compareRows(a, b shown) int {
	return cmp.Or(strings.Compare(a.Sort, b.Sort), strings.Compare(a.PK, b.PK), strings.Compare(a.SK, b.SK))
}

func (m *memory) enter(to place, row shown) {
	rows := m.index[to]
	i, there := slices.BinarySearchFunc(rows, row, compareRows)
	if there { // still showing from before
		row.since = rows[i].since
		rows[i] = row
		return
	}
	m.index[to] = slices.Insert(rows, i, row)
}

func (m *memory) leave(from place, row shown, now time.Time) {
	rows := slices.DeleteFunc(m.index[from], func(r shown) bool { return !r.until.IsZero() && !now.Before(r.until) })
	if i, there := slices.BinarySearchFunc(rows, row, compareRows); there {
		if rows[i].until = m.behind(now); !rows[i].until.After(now) {
			rows = slices.Delete(rows, i, i+1)
		}
	}
	m.index[from] = rows
}

// indexed asks of each index, by its first row that is no longer to come, whether it is the one.
func (m *memory) indexed(is func(index, first string) bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for ix, rows := range m.index {
		for _, r := range rows {
			if r.until.IsZero() {
				if !ix.group && is(ix.name, r.Sort) {
					return true
				}
				break
			}
		}
	}
	return false
}

func TestMemoryTable(t *testing.T) {
	tabletest.Run(t, func(*testing.T) table.Table { return newMemory() })
}

// TestMemoryIndexLags shows that List is behind its writes by the lag, and that a
// restored table is as it was.
func TestMemoryIndexLags(t *testing.T) {
	m := newMemory()
	ctx := t.Context()
	put := func(sk, index string) {
		if err := m.Write(ctx, table.Put(table.Item{Key: table.Key{PK: "p", SK: sk}, Data: []byte("{}"), Index: index,
			Sort: sk})); err != nil {
			t.Fatal(err)
		}
	}
	list := func() string {
		es, err := m.List(ctx, table.Query{PK: "due"})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(len(es.Entries))
	}
	put("a", "due")
	before := m.clone()
	m.lag = func() time.Duration { return time.Hour }
	put("a", "")
	put("b", "due")
	if got := list(); got != "1" {
		t.Errorf("within the lag %s rows show", got)
	}
	m.restore(before)
	if it, err := m.Get(ctx, table.Key{PK: "p", SK: "b"}); err != nil || len(it) != 0 {
		t.Errorf("after the restore: %v %v", it, err)
	}
}
