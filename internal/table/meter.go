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
	units atomic.Int64
}

// Units is how many have been counted so far.
func (m *Meter) Units() int64 { return m.units.Load() }

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
	c := (*Conflict)(nil)
	m.units.Add(int64(units(ops, before, errors.As(err, &c))))
	return err
}

// units is what a Write costs: an item by the larger of what it was and what it
// becomes, twice in a transaction; and one for each index entry that is made or
// removed. A refused write costs as much, but for the entries.
func units(ops []Op, before map[Key]Item, refused bool) (n int) {
	conditional := 0
	for _, o := range ops {
		if o.Kind != KindAhead {
			conditional++
		}
	}
	for _, o := range ops {
		old, there := before[o.Item.Key]
		now := o.Item
		bytes, stays := 1, false
		if there {
			bytes = size(old)
		}
		switch o.Kind {
		case KindCheck:
			now, stays = old, true
		case KindRemove:
			now = Item{}
		default:
			bytes = max(bytes, size(now))
		}
		each := (bytes + unitBytes - 1) / unitBytes
		if conditional > 1 && o.Kind != KindAhead {
			each *= 2
		}
		n += each
		if stays || refused && o.Kind != KindAhead {
			continue
		}
		n += moved(indexOf(&old), indexOf(&now)) + moved(groupOf(&old), groupOf(&now))
	}
	return n
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
