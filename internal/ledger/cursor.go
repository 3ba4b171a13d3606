package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"stockbridge/internal/table"
)

// Cursor is how far a poll of one tenant has come, under
// T#<tenant>#cursor / <name>. Times are the vendor's clock, never ours, but
// for Started and Checked.
type Cursor struct {
	Since   time.Time `json:"since,omitzero"`   // everything up to here is taken in
	From    time.Time `json:"from,omitzero"`    // of the window being read
	Page    int       `json:"page,omitempty"`   // next page of the window; 0 = a new window
	After   string    `json:"after,omitempty"`  // likewise, where the vendor pages by a token
	Newest  time.Time `json:"newest,omitzero"`  // greatest change seen in the window
	Pages   int       `json:"pages,omitempty"`  // of the pass so far
	Fresh   bool      `json:"fresh,omitempty"`  // the pass brought something new
	Seen    []byte    `json:"seen,omitempty"`   // 8 bytes a row of the window
	Started time.Time `json:"started,omitzero"` // of the last run of the job
	Checked time.Time `json:"checked,omitzero"` // when a window was last read to its end
	Problem string    `json:"problem,omitempty"`

	tenant, name, rev string
}

func cursorKey(tenantID, name string) table.Key {
	return table.Key{PK: partition(tenantID, "cursor"), SK: name}
}

// Cursor reads a poll's cursor; a new one has only zeros.
func (l *Ledger) Cursor(ctx context.Context, tenantID, name string) (*Cursor, error) {
	c := &Cursor{tenant: tenantID, name: name}
	items, err := l.table.Get(ctx, cursorKey(tenantID, name))
	if err != nil {
		return nil, fmt.Errorf("cursor %s: %w", name, err)
	}
	if len(items) == 0 {
		return c, nil
	}
	c.rev = items[0].Rev
	data, err := unzip(items[0].Data)
	if err == nil {
		err = json.Unmarshal(data, c)
	}
	if err != nil {
		return nil, fmt.Errorf("cursor %s: %w", name, err)
	}
	return c, nil
}

// ErrBehind says that another run of the same job has moved the cursor.
var ErrBehind = errors.New("another run of the job is ahead")

// SaveCursor writes a cursor as it was read and changed since; ErrBehind if
// somebody else has.
func (l *Ledger) SaveCursor(ctx context.Context, c *Cursor) error {
	data, err := json.Marshal(c)
	if err == nil {
		data, err = zip(data)
	}
	if err != nil {
		return err
	}
	it := table.Item{Key: cursorKey(c.tenant, c.name), Rev: c.rev, Data: data}
	op := table.Create(it)
	if c.rev != "" {
		op = table.Replace(it)
	}
	err = l.repeat(ctx, op)
	if conflict := (*table.Conflict)(nil); errors.As(err, &conflict) {
		return ErrBehind
	}
	if err == nil {
		c.rev = op.Item.Rev
	}
	return err
}

// GetRuns reads several runs, at most 100; those that are not there are left out.
func (l *Ledger) GetRuns(ctx context.Context, tenantID string, ids []string) (map[string]*Run, error) {
	keys := make([]table.Key, len(ids))
	for i, id := range ids {
		keys[i] = runKey(tenantID, id)
	}
	if len(keys) == 0 {
		return nil, nil
	}
	items, err := l.table.Get(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("orders: %w", err)
	}
	runs := make(map[string]*Run, len(items))
	for _, it := range items {
		r, err := runOf(it)
		if err != nil {
			return nil, err
		}
		runs[r.ID] = r
	}
	return runs, nil
}
