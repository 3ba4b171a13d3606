package table

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"math/big"
	"slices"
	"time"
)

// ErrBeside is the error of a Change whose own item was as read, but whose Write was refused for another item.
var ErrBeside = errors.New("another item is not as it was read")

// Read reads one item, consistently. An item that does not exist has its Key and no Rev.
func Read(ctx context.Context, t Table, k Key) (Item, error) {
	items, err := t.Get(ctx, k)
	if err != nil || len(items) == 0 {
		return Item{Key: k}, err
	}
	return items[0], nil
}

// ReadAll reads any number of items. Those that do not exist are left out.
func ReadAll(ctx context.Context, t Table, keys []Key) (all []Item, err error) {
	for some := range slices.Chunk(keys, MaxKeys) {
		items, err := t.Get(ctx, some...)
		if err != nil {
			return nil, err
		}
		all = append(all, items...)
	}
	return all, nil
}

// QueryAll reads all items of a query, page by page. It ends with the first error, if there is one.
func QueryAll(ctx context.Context, t Table, q Query) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for {
			p, err := t.Query(ctx, q)
			if err != nil {
				yield(Item{}, err)
				return
			}
			for _, it := range p.Items {
				if !yield(it, nil) {
					return
				}
			}
			if q.After = p.Next; p.Next == "" {
				return
			}
		}
	}
}

// Save replaces the item as it was read, or creates it if it has no Rev.
func Save(it Item) Op {
	if it.Rev == "" {
		return Create(it)
	}
	return Replace(it)
}

// repeating is a Table whose writes are repeated.
type repeating struct{ Table }

// Repeating returns t with a Write that is repeated, twice at most, while it is unknown whether it took effect (see
// Lost answers in the package comment).
func Repeating(t Table) Table { return repeating{t} }

// Write implements Table.
func (r repeating) Write(ctx context.Context, ops ...Op) error {
	for try := 1; ; try++ {
		err := r.Table.Write(ctx, ops...)
		if err == nil || errors.Is(err, ErrConflict) || errors.Is(err, ErrTooLarge) || try == 3 {
			return err
		}
		if pause(ctx, 10*time.Millisecond<<try) != nil {
			return err
		}
	}
}

// Change reads, changes and writes one item. It calls change with the item as it was read, which may be a while ago,
// and makes the writes that change returns. If somebody else wrote the item meanwhile, it calls change again with what
// they wrote, and so on (see [RetryOnConflict]). So change must look at the item that it is given, not at what it
// remembers.
//
// The first of the writes must be to the item itself, on the condition that it is as it was given (Save, Replace,
// Remove, Check). The others are made in the same Write. If one of those is refused while the first is not, the error
// is [ErrBeside]. If change returns no writes, nothing is written. An error of change is returned as it is.
//
// Change returns the item as it then stands; without a Rev if there is none.
func Change(ctx context.Context, t Table, read Item, change func(Item) ([]Op, error)) (Item, error) {
	now := read
	var failed error // the error of change, which ends this
	err := RetryOnConflict(ctx, func() error {
		var ops []Op
		if ops, failed = change(now); failed != nil || len(ops) == 0 {
			return nil
		}
		err := t.Write(ctx, ops...)
		conflict, refused := errors.AsType[*Conflict](err)
		switch {
		case err == nil:
			now = after(now, ops[0])
		case refused && !slices.Contains(conflict.Failed, 0):
			return fmt.Errorf("%w: %v", ErrBeside, err)
		case refused:
			now = conflict.Current[0]
			now.Key = read.Key
		}
		return err
	})
	if failed != nil {
		return now, failed
	}
	return now, err
}

// after returns an item as an operation leaves it.
func after(now Item, o Op) Item {
	switch o.Kind {
	case KindRemove:
		return Item{Key: now.Key}
	case KindCheck:
		return now
	}
	return o.Item
}

// attempts is how often RetryOnConflict tries at most. That takes about half a second; if others are faster each time,
// it is no accident.
const attempts = 20

// RetryOnConflict calls attempt, which reads, decides and writes, until it does not end in a [*Conflict], with a short
// random wait before each new try. After the last try it returns the conflict, wrapped.
//
// [Change] does this for one item. With several, attempt must read them all each time.
func RetryOnConflict(ctx context.Context, attempt func() error) error {
	for try := 1; ; try++ {
		err := attempt()
		if !errors.Is(err, ErrConflict) {
			return err
		}
		if try == attempts {
			return fmt.Errorf("others keep changing it: %w", err)
		}
		if err := pause(ctx, random(min(time.Millisecond<<try, 64*time.Millisecond))); err != nil {
			return err
		}
	}
}

// pause waits. It returns an error if the caller's time ends first.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// random returns a duration below n, from the same source as revisions.
func random(n time.Duration) time.Duration {
	v, _ := rand.Int(rand.Reader, big.NewInt(int64(n)))
	return time.Duration(v.Int64())
}
