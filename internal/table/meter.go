package table

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
)

// unitBytes is what DynamoDB counts as one write unit, each item rounded up.
const unitBytes = 1 << 10

// Meter counts the write units that a Table's writes would cost on DynamoDB.
// It reads each item before it is written, so it is for measuring only.
type Meter struct {
	Table
	Apart       func(Key) bool // items whose writes, and those of the second index, are counted apart; nil = none
	units, more atomic.Int64
}

// Units is how many have been counted so far, and how many apart.
func (m *Meter) Units() (units, apart int64) { return m.units.Load(), m.more.Load() }

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

// count adds what a Write costs: an item by the larger of what it was and what
// it becomes, twice in a transaction; and one for each index entry that is made
// or removed. A refused write costs as much, but for the entries.
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
		m.more.Add(int64(apart))
	}
}

// moved is how many entries of an index are removed and made.
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

// place is where an item stands in an index; no index = nowhere.
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
