package table

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// ErrBeside is the error of a Change whose item is as it was read, while another operation of the same Write was
// refused.
var ErrBeside = errors.New("another item is not as it was read")

// Read reads one item, consistently. One that does not exist has its Key and no Rev.
func Read(ctx context.Context, t Table, k Key) (Item, error) {
	items, err := t.Get(ctx, k)
	if err != nil || len(items) == 0 {
		return Item{Key: k}, err
	}
	return items[0], nil
}

// ReadAll reads items, however many; those that do not exist are left out.
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

// Save writes over the item as it was read, or creates it if it has no Rev: there must be none then.
func Save(it Item) Op {
	if it.Rev == "" {
		return Create(it)
	}
	return Replace(it)
}

// repeating is a Table whose writes are repeated.
type repeating struct{ Table }

// Repeating returns t with a Write that is made again, twice at most, while it is open whether it took effect (see Lost
// answers in the package comment).
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
// and makes the writes that change returns; if somebody else wrote the item meanwhile, it calls change again with what
// they wrote, and so on (see [RetryOnConflict]). So change must look at the item that it is given, not at what it
// remembers.
//
// The first of the writes is the item's own, on the condition that the item is as it was given (Save, Replace, Remove,
// Check); others ride along, and stand or fall with it. If one of those is refused while the item's own is not, the
// error is [ErrBeside]. With no writes, nothing is written; an error of change is returned as it is.
//
// Change returns the item as it stands then; no Rev = there is none.
func Change(ctx context.Context, t Table, read Item, change func(Item) ([]Op, error)) (Item, error) {
	now := read
	var failed error // of change: whatever it is, it ends this
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

// after is an item as an operation leaves it.
func after(now Item, o Op) Item {
	switch o.Kind {
	case KindRemove:
		return Item{Key: now.Key}
	case KindCheck:
		return now
	}
	return o.Item
}

// attempts bounds how often RetryOnConflict starts. After so many, which take about half a second, others do not just
// happen to be faster.
const attempts = 20

// RetryOnConflict calls attempt, which reads, decides and writes, again and again while it ends in a [*Conflict], with
// a short random wait before each new start. If it never ends otherwise, the last conflict is returned, wrapped.
//
// [Change] does so for one item. For more than one, attempt reads them all anew.
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

// pause waits; an error = the caller's time is over.
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

// random is a duration below n, from the same source as revisions.
func random(n time.Duration) time.Duration {
	v, _ := rand.Int(rand.Reader, big.NewInt(int64(n)))
	return time.Duration(v.Int64())
}
