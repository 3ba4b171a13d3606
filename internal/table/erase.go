package table

import (
	"context"
	"errors"
)

// erasedAtOnce is how many items one write of Erase removes.
const erasedAtOnce = 50

// Erase removes the items of a partition, page by page, whoever else writes there meanwhile. keep, unless it is nil, is
// asked of each before it goes: it may do away with what the item leads to, and have it stay. Broken off, it is begun
// again and does the rest.
func Erase(ctx context.Context, t Table, pk string, keep func(Item) (bool, error)) error {
	q := Query{PK: pk, Limit: erasedAtOnce}
	for {
		page, err := t.Query(ctx, q)
		if err != nil {
			return err
		}
		ops, err := removals(page.Items, keep)
		if err != nil {
			return err
		}
		if len(ops) > 0 {
			err = t.Write(ctx, ops...)
		}
		switch {
		case errors.Is(err, ErrConflict) && ctx.Err() == nil: // one was written meanwhile: the page is read again
			continue
		case err != nil:
			return err
		}
		if q.After = page.Next; page.Next == "" {
			return nil
		}
	}
}

// removals remove the items that are not kept.
func removals(items []Item, keep func(Item) (bool, error)) (ops []Op, err error) {
	for _, it := range items {
		stays := false
		if keep != nil {
			if stays, err = keep(it); err != nil {
				return nil, err
			}
		}
		if !stays {
			ops = append(ops, Remove(it))
		}
	}
	return ops, nil
}
