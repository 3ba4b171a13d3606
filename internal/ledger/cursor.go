package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"stockbridge/internal/table"
)

// Cursor is how far a tenant's job has read a vendor's list that grows while
// it is read. A window is what changed since Since; how far its reading came
// is kept page by page.
type Cursor struct {
	Account string `json:"account,omitempty"` // whose list it is

	Since time.Time `json:"since,omitzero"` // what changed before needs no reading, by the vendor's clock

	// The window being read; Page and After zero = none is.
	From   time.Time `json:"from,omitzero"`
	Page   int       `json:"page,omitempty"`  // the next, of a list whose pages are numbered
	After  string    `json:"after,omitempty"` // the next, of a list that says where to go on
	Newest time.Time `json:"newest,omitzero"` // greatest change seen in the first pass
	Held   time.Time `json:"held,omitzero"`   // oldest change that was left alone for now
	Passes int       `json:"passes,omitempty"`
	Pages  int       `json:"pages,omitempty"` // read in this pass
	Fresh  bool      `json:"fresh,omitempty"` // this pass brought something new
	Total  int       `json:"total,omitempty"` // rows that there are, as this pass's pages say
	Seen   []byte    `json:"seen,omitempty"`  // 8 bytes for each row of the window
	Shown  []byte    `json:"shown,omitempty"` // 8 bytes for each sale of this pass
	Tally  Tally     `json:"tally,omitzero"`  // of this window so far

	Asked   time.Time `json:"asked,omitzero"`   // somebody wants the job to run
	Started time.Time `json:"started,omitzero"` // of its last run, our clock
	Checked time.Time `json:"checked,omitzero"` // of its last complete window, our clock
	Again   time.Time `json:"again,omitzero"`   // it broke off, and its next message is on its way for then
	Problem string    `json:"problem,omitempty"`
	Last    Tally     `json:"last,omitzero"` // of the last complete window

	// Reconcile alone.
	Opened time.Time `json:"opened,omitzero"`  // since when both are connected, as far as what was missed before is known
	Missed bool      `json:"missed,omitempty"` // what was missed before is being looked for

	Restored time.Time `json:"restored,omitzero"` // the table was put back to an earlier state then, and the tenant was told

	Elsewhere map[string]Left `json:"elsewhere,omitempty"` // how far the lists of other accounts were read

	tenant, name, rev string
}

// Left is how far one account's list was read when another one was connected.
type Left struct {
	Since   time.Time `json:"since,omitzero"`
	Checked time.Time `json:"checked,omitzero"`
}

// Restart goes on with another account's list: where it was left, or at its beginning.
func (c *Cursor) Restart(account string) {
	next := Cursor{Account: account, Asked: c.Asked, Started: c.Started, Again: c.Again, Last: c.Last, Elsewhere: c.Elsewhere, Restored: c.Restored, tenant: c.tenant, name: c.name, rev: c.rev}
	if c.Account != "" {
		next.Elsewhere = maps.Clone(c.Elsewhere)
		if next.Elsewhere == nil {
			next.Elsewhere = map[string]Left{}
		}
		next.Elsewhere[c.Account] = Left{c.Since, c.Checked}
	}
	left := next.Elsewhere[account]
	next.Since, next.Checked = left.Since, left.Checked
	*c = next
}

// Tally counts what a window brought.
type Tally struct {
	Rows    int `json:"rows,omitempty"`    // read
	Marked  int `json:"marked,omitempty"`  // orders to look at, or taken in
	Unknown int `json:"unknown,omitempty"` // of orders that are not here
}

// ErrBehind says that another worker wrote the document meanwhile.
var ErrBehind = errors.New("another worker was faster")

// Cursor reads a job's cursor, a new one if there is none.
func (l *Ledger) Cursor(ctx context.Context, tenantID, job string) (*Cursor, error) {
	c := &Cursor{tenant: tenantID, name: "cursor#" + job}
	var err error
	c.rev, err = l.Doc(ctx, tenantID, c.name, c)
	return c, err
}

// SaveCursor writes a cursor as it was read and changed since; ErrBehind where
// another worker wrote it first.
func (l *Ledger) SaveCursor(ctx context.Context, c *Cursor) error {
	rev, err := l.SaveDoc(ctx, c.tenant, c.name, c.rev, c)
	if err == nil {
		c.rev = rev
	}
	return err
}

// ChangeCursor changes a job's cursor, as [ChangeDoc] does.
func (l *Ledger) ChangeCursor(ctx context.Context, tenantID, job string, change func(*Cursor) (write bool)) error {
	_, err := ChangeDoc(ctx, l, tenantID, "cursor#"+job, func(c *Cursor) (bool, error) { return change(c), nil })
	return err
}

// Cursors reads one job's cursors of many tenants, by tenant; a tenant without
// one is left out.
func (l *Ledger) Cursors(ctx context.Context, tenants []string, job string) (map[string]*Cursor, error) {
	found := map[string]*Cursor{}
	keys := make([]table.Key, len(tenants))
	byKey := map[table.Key]string{}
	for i, t := range tenants {
		keys[i] = docKey(t, "cursor#"+job)
		byKey[keys[i]] = t
	}
	items, err := table.ReadAll(ctx, l.table, keys)
	if err != nil {
		return nil, fmt.Errorf("cursors of %s: %w", job, err)
	}
	for _, it := range items {
		c := &Cursor{tenant: byKey[it.Key], name: "cursor#" + job, rev: it.Rev}
		if err := readDoc(it, c); err != nil {
			return nil, err
		}
		found[c.tenant] = c
	}
	return found, nil
}

func docKey(tenantID, name string) table.Key {
	return table.Key{PK: partition(tenantID, "doc"), SK: name}
}

func readDoc(it table.Item, v any) error {
	if err := table.Unmarshal(it.Data, v); err != nil {
		return fmt.Errorf("document %s: %w", it.SK, err)
	}
	return nil
}

// Doc reads a tenant's document into v, which stays as it is where there is
// none. The revision is for SaveDoc; "" = there is none.
func (l *Ledger) Doc(ctx context.Context, tenantID, name string, v any) (rev string, err error) {
	it, err := table.Read(ctx, l.table, docKey(tenantID, name))
	if err != nil || it.Rev == "" {
		return "", err
	}
	return it.Rev, readDoc(it, v)
}

// SaveDoc writes a document, at most 400 KB when packed (ErrTooLarge), if it
// still has the given revision ("" = is not there): else ErrBehind.
func (l *Ledger) SaveDoc(ctx context.Context, tenantID, name, rev string, v any) (string, error) {
	data, err := table.Marshal(v)
	if err != nil {
		return "", err
	}
	op := table.Save(table.Item{Key: docKey(tenantID, name), Rev: rev, Data: data})
	err = l.table.Write(ctx, op)
	if errors.Is(err, table.ErrConflict) {
		return "", fmt.Errorf("document %s: %w", name, ErrBehind)
	}
	return op.Item.Rev, err
}

// ChangeDoc changes a tenant's document. It calls change with what the document holds (the zero T if there is none),
// and again if others write it meanwhile; change reports whether what it made of it is to be written. ChangeDoc returns
// what the document holds then, or what change left with its error; ErrBehind where others are faster again and again.
func ChangeDoc[T any](
	ctx context.Context, l *Ledger, tenantID, name string, change func(*T) (write bool, err error),
) (v T, err error) {
	read, err := table.Read(ctx, l.table, docKey(tenantID, name))
	if err != nil {
		return v, err
	}
	_, err = table.Change(ctx, l.table, read, func(it table.Item) ([]table.Op, error) {
		v = *new(T)
		if it.Rev != "" {
			if err := readDoc(it, &v); err != nil {
				return nil, err
			}
		}
		write, err := change(&v)
		if err != nil || !write {
			return nil, err
		}
		it.Data, err = table.Marshal(v)
		return []table.Op{table.Save(it)}, err
	})
	if errors.Is(err, table.ErrConflict) {
		err = fmt.Errorf("document %s: %w", name, ErrBehind)
	}
	return v, err
}

// eachRun reads the runs at keys, as many at once as the table takes; those that are not there are left out.
func (l *Ledger) eachRun(ctx context.Context, keys []table.Key, yield func(*Run, table.Item)) error {
	for some := range slices.Chunk(keys, table.MaxKeys) {
		items, err := l.table.Get(ctx, some...)
		if err != nil {
			return fmt.Errorf("read orders: %w", err)
		}
		for _, it := range items {
			r, err := runOf(it)
			if err != nil {
				return err
			}
			yield(r, it)
		}
	}
	return nil
}

// GetRuns reads runs by id; those that are not there are left out.
func (l *Ledger) GetRuns(ctx context.Context, tenantID string, ids []string) (map[string]*Run, error) {
	found := map[string]*Run{}
	keys := map[table.Key]bool{}
	all := make([]table.Key, 0, len(ids))
	for _, id := range ids {
		if k := runKey(tenantID, id); !keys[k] {
			keys[k] = true
			all = append(all, k)
		}
	}
	err := l.eachRun(ctx, all, func(r *Run, _ table.Item) { found[r.ID] = r })
	return found, err
}

// Links reads links by foreign id; those that are not there are left out.
func (l *Ledger) Links(ctx context.Context, tenantID, kind string, ids ...string) (map[string]Link, error) {
	found := map[string]Link{}
	var keys []table.Key
	for _, id := range ids {
		keys = append(keys, LinkKey(tenantID, kind, id))
	}
	items, err := table.ReadAll(ctx, l.table, keys)
	if err != nil {
		return nil, fmt.Errorf("links of %s: %w", kind, err)
	}
	for _, it := range items {
		if found[it.SK], err = LinkOf(it); err != nil {
			return nil, err
		}
	}
	return found, nil
}
