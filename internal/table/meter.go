package table

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
)

// unitBytes is what DynamoDB counts as one write unit, each item rounded up; readBytes, as one read unit of a
// consistent read. A read of an index is not consistent, and costs half.
const unitBytes, readBytes = 1 << 10, 4 << 10

// Meter counts the write units and read units that a Table's requests would cost on DynamoDB.
// It reads each item before it is written, so it is for measuring only.
type Meter struct {
	Table
	Apart        func(Key) bool // the items that are counted separately, as the second index is; nil = none
	units, apart atomic.Int64
	halves       atomic.Int64 // read units, doubled
}

// ReadUnits returns the read units counted so far.
func (m *Meter) ReadUnits() float64 { return float64(m.halves.Load()) / 2 }

// readUnits are those of so many bytes that are read at once.
func readUnits(bytes int) int64 { return int64(max(1, (bytes+readBytes-1)/readBytes)) }

// Get implements Table. Each item counts for itself, one that is not there too.
func (m *Meter) Get(ctx context.Context, keys ...Key) ([]Item, error) {
	items, err := m.Table.Get(ctx, keys...)
	units := int64(len(keys) - len(items))
	for _, it := range items {
		units += readUnits(size(it))
	}
	m.halves.Add(2 * units)
	return items, err
}

// Query implements Table.
func (m *Meter) Query(ctx context.Context, q Query) (Page, error) {
	page, err := m.Table.Query(ctx, q)
	bytes := 0
	for _, it := range page.Items {
		bytes += size(it)
	}
	m.halves.Add(2 * readUnits(bytes))
	return page, err
}

// List implements Table. An entry counts by its keys.
func (m *Meter) List(ctx context.Context, q Query) (Entries, error) {
	list, err := m.Table.List(ctx, q)
	bytes := 0
	for _, e := range list.Entries {
		bytes += size(Item{Key: e.Key, Index: q.PK, Sort: e.Sort})
	}
	m.halves.Add(readUnits(bytes))
	return list, err
}

// Units returns the units counted so far, and those counted separately.
func (m *Meter) Units() (units, apart int64) { return m.units.Load(), m.apart.Load() }

// Write implements Table.
func (m *Meter) Write(ctx context.Context, ops ...Op) error {
	before := map[Key]Item{}
	for some := range slices.Chunk(ops, MaxKeys) {
		keys := make([]Key, len(some))
		for i, o := range some {
			keys[i] = o.Item.Key
		}
		items, err := m.Table.Get(ctx, keys...)
		if err != nil {
			return err
		}
		for _, it := range items {
			before[it.Key] = it
		}
	}
	err := m.Table.Write(ctx, ops...)
	m.count(ops, before, errors.Is(err, ErrConflict))
	return err
}

// count adds what a Write costs: the larger size of each item before and after,
// twice in a transaction, and one unit for each index entry that is made or
// removed. A refused write costs the same without the index entries.
func (m *Meter) count(ops []Op, before map[Key]Item, refused bool) {
	_, rest, _ := Split(ops)
	for _, o := range ops {
		old, there := before[o.Item.Key]
		now, bytes := o.Item, 1
		if there {
			bytes = size(old)
		}
		switch o.Kind {
		case KindCheck:
			now = old
		case KindRemove:
			now = Item{}
		default:
			bytes = max(bytes, size(now))
		}
		n := (bytes + unitBytes - 1) / unitBytes
		if len(rest) > 1 && o.Kind != KindAhead {
			n *= 2
		}
		apart := 0
		if !refused || o.Kind == KindAhead {
			n += moved(indexOf(&old), indexOf(&now))
			apart = moved(groupOf(&old), groupOf(&now))
		}
		if m.Apart != nil && m.Apart(o.Item.Key) {
			n, apart = 0, n+apart
		}
		m.units.Add(int64(n))
		m.apart.Add(int64(apart))
	}
}

// moved counts the entries of an index that are removed and made.
func moved(from, to place) (n int) {
	if from == to {
		return 0
	}
	if from.index != "" {
		n++
	}
	if to.index != "" {
		n++
	}
	return n
}

// place is where an item stands in an index; the zero place is nowhere.
type place struct{ index, sort string }

func indexOf(it *Item) place {
	if it == nil || it.Index == "" {
		return place{}
	}
	return place{it.Index, it.Sort}
}

func groupOf(it *Item) place {
	if it == nil || it.Group == "" {
		return place{}
	}
	return place{it.Group, it.Order}
}
