package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"stockbridge/internal/table"
)

// partsAtOnce keeps one answer of the table below DynamoDB's 16 MB.
const partsAtOnce = 25

func docPartKey(tenantID, name string) table.Key { return docKey(tenantID, "part#"+name) }

// SavePart writes rows that belong to a document but do not fit in it, as
// T#<tenant>#doc, part#<name>: at most 400 KB when packed (ErrTooLarge). It is written once, under a name that
// nobody used before, and may be forgotten any time after expires.
func (l *Ledger) SavePart(ctx context.Context, tenantID, name string, expires time.Time, v any) error {
	data, err := table.Marshal(v)
	if err != nil {
		return err
	}
	it := table.Item{Key: docPartKey(tenantID, name), Data: data, Expires: expires.Truncate(time.Second)}
	if err := l.table.Write(ctx, table.Create(it)); err != nil {
		return fmt.Errorf("part %s: %w", name, err)
	}
	return nil
}

// EachPart reads parts in the order of their names given. ErrNotFound where
// one is kept no more.
func (l *Ledger) EachPart(ctx context.Context, tenantID string, names []string, do func(data []byte) error) error {
	for some := range slices.Chunk(names, partsAtOnce) {
		keys := make([]table.Key, len(some))
		for i, name := range some {
			keys[i] = docPartKey(tenantID, name)
		}
		items, err := l.table.Get(ctx, keys...)
		if err != nil {
			return fmt.Errorf("parts: %w", err)
		}
		for _, k := range keys {
			at := slices.IndexFunc(items, func(it table.Item) bool { return it.Key == k })
			if at < 0 {
				return fmt.Errorf("%s: %w", k.SK, ErrNotFound)
			}
			data, err := table.Unpack(items[at].Data)
			if err != nil {
				return fmt.Errorf("%s: %w", k.SK, err)
			}
			if err := do(data); err != nil {
				return err
			}
		}
	}
	return nil
}
