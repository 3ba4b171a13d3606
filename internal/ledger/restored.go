package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"stockbridge/internal/table"
)

// restoredKey is the mark that an operator leaves in a table that was put back
// to an earlier state (docs/operations.md, Restoring the table): its data is
// {"at": when}.
var restoredKey = table.Key{PK: "RESTORED", SK: "table"}

type restored struct {
	At time.Time `json:"at"`
}

// Restored is when the table was last put back to an earlier state, as an
// operator has marked it; zero = never.
func (l *Ledger) Restored(ctx context.Context) (time.Time, error) {
	it, err := table.Read(ctx, l.table, restoredKey)
	if err != nil || it.Rev == "" {
		return time.Time{}, err
	}
	var m restored
	if err := json.Unmarshal(it.Data, &m); err != nil {
		return time.Time{}, fmt.Errorf("the mark of a restore: %w", err)
	}
	return m.At, nil
}

// MarkRestored marks the table as put back to an earlier state.
func (l *Ledger) MarkRestored(ctx context.Context, at time.Time) error {
	data, err := json.Marshal(restored{at.UTC()})
	if err != nil {
		return err
	}
	return l.table.Write(ctx, table.Put(table.Item{Key: restoredKey, Data: data}))
}
