package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// Cursor is how far a tenant's job has read a vendor's list that grows while
// it is read. A window is what changed since Since; how far its reading came
// is kept page by page.
type Cursor struct {
	Account string `json:"account,omitempty"` // whose list it is

	Since time.Time `json:"since,omitzero"` // what changed before needs no reading, by the vendor's clock

	// The window being read; From zero = none is.
	From   time.Time `json:"from,omitzero"`
	Page   int       `json:"page,omitempty"`  // the next, as an earlier version wrote it
	After  string    `json:"after,omitempty"` // the next page, as its list names it
	Newest time.Time `json:"newest,omitzero"` // greatest change seen in the first pass
	Held   time.Time `json:"held,omitzero"`   // oldest change that was left alone for now
	Passes int       `json:"passes,omitempty"`
	Pages  int       `json:"pages,omitempty"` // read in this pass
	Fresh  bool      `json:"fresh,omitempty"` // this pass brought something new
	Total  int       `json:"total,omitempty"` // rows that there are, as this pass's pages say
	Seen   []byte    `json:"seen,omitempty"`  // 8 bytes for each row of the window
	Shown  []byte    `json:"shown,omitempty"` // 8 bytes for each record of this pass
	Tally  Tally     `json:"tally,omitzero"`  // of this window so far

	Asked   time.Time `json:"asked,omitzero"`   // somebody wants the job to run
	Started time.Time `json:"started,omitzero"` // of its last run, our clock
	Checked time.Time `json:"checked,omitzero"` // of its last complete window, our clock
	Again   time.Time `json:"again,omitzero"`   // it broke off, and its next message is on its way for then
	Problem string    `json:"problem,omitempty"`
	Stopped Stopped   `json:"stopped,omitzero"` // the call that it did not get past; zero = it gets on
	Last    Tally     `json:"last,omitzero"`    // of the last complete window

	// Reconcile alone.

	// since when both are connected, as far as what was missed before is known
	Opened time.Time `json:"opened,omitzero"`
	Missed bool      `json:"missed,omitempty"` // what was missed before is being looked for

	// the table was put back to an earlier state then, and the tenant was told
	Restored time.Time `json:"restored,omitzero"`

	Elsewhere map[string]Left `json:"elsewhere,omitempty"` // how far the lists of other accounts were read

	tenant, name, rev string
}

// Stopped is the call that a job did not get past, however often it tried.
type Stopped struct {
	By    tenant.System `json:"by,omitempty"` // whose it was
	How   Ending        `json:"how,omitempty"`
	Since time.Time     `json:"since,omitzero"` // the first try that failed
	At    time.Time     `json:"at,omitzero"`    // the last one
	Why   string        `json:"why,omitempty"`  // what was said of that one
}

// stoppedIndex lists the cursors of jobs that do not get on, of all tenants.
const stoppedIndex = "STOPPED"

// item is the cursor as it is stored.
func (c *Cursor) item(tenantID, name, rev string) (table.Item, error) {
	data, err := table.Marshal(c)
	it := table.Item{Key: docKey(tenantID, name), Rev: rev, Data: data}
	if c.Stopped.How != "" {
		it.Index, it.Sort = stoppedIndex, tenantID+"#"+name
	}
	return it, err
}

// Job names a tenant's part of a job.
type Job struct{ Tenant, Name string }

// StoppedJobs lists the jobs of all tenants that do not get on, tenant by tenant, those after one (the zero Job: from
// the first on), and at most so many; more = there are others. The index may lag.
func (l *Ledger) StoppedJobs(ctx context.Context, after Job, most int) (list []Job, more bool, err error) {
	q := table.Query{PK: stoppedIndex, Limit: most}
	if after.Tenant != "" {
		q.From = after.Tenant + "#" + cursorDoc(after.Name) + "\x00"
	}
	p, err := l.table.List(ctx, q)
	if err != nil {
		return nil, false, fmt.Errorf("list stopped jobs: %w", err)
	}
	for _, e := range p.Entries {
		tenantID, name, _ := strings.Cut(e.Sort, "#")
		list = append(list, Job{tenantID, strings.TrimPrefix(name, cursorDoc(""))})
	}
	return list, p.Next != "", nil
}

func cursorDoc(job string) string { return "cursor#" + job }

// Left is how far one account's list was read when another one was connected.
type Left struct {
	Since   time.Time `json:"since,omitzero"`
	Checked time.Time `json:"checked,omitzero"`
}

// Restart goes on with another account's list: where it was left, or at its beginning.
func (c *Cursor) Restart(account string) {
	next := Cursor{Account: account, Asked: c.Asked, Started: c.Started, Again: c.Again, Last: c.Last,
		Elsewhere: c.Elsewhere, Restored: c.Restored, tenant: c.tenant, name: c.name, rev: c.rev}
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
	c := &Cursor{tenant: tenantID, name: cursorDoc(job)}
	var err error
	c.rev, err = l.Doc(ctx, tenantID, c.name, c)
	return c, err
}

// SaveCursor writes a cursor as it was read and changed since; ErrBehind where
// another worker wrote it first.
func (l *Ledger) SaveCursor(ctx context.Context, c *Cursor) error {
	it, err := c.item(c.tenant, c.name, c.rev)
	if err != nil {
		return err
	}
	rev, err := l.saveDoc(ctx, it)
	if err == nil {
		c.rev = rev
	}
	return err
}

// ChangeCursor changes a job's cursor, as [ChangeDoc] does.
func (l *Ledger) ChangeCursor(ctx context.Context, tenantID, job string, change func(*Cursor) (write bool)) error {
	_, err := ChangeDoc(ctx, l, tenantID, cursorDoc(job), func(c *Cursor) (bool, error) { return change(c), nil })
	return err
}

// Cursors reads one job's cursors of many tenants, by tenant; a tenant without
// one is left out.
func (l *Ledger) Cursors(ctx context.Context, tenants []string, job string) (map[string]*Cursor, error) {
	all, err := l.CursorsOfAll(ctx, tenants, job)
	found := map[string]*Cursor{}
	for _, c := range all {
		found[c.Job.Tenant] = c.Cursor
	}
	return found, err
}

// JobCursor is the cursor of a tenant's job.
type JobCursor struct {
	Job    Job
	Cursor *Cursor
}

// CursorsOfAll reads the cursors of several jobs of many tenants, as many at once as the table takes; a job without one
// is left out.
func (l *Ledger) CursorsOfAll(ctx context.Context, tenants []string, jobs ...string) (found []JobCursor, err error) {
	byKey := map[table.Key]Job{}
	var keys []table.Key
	for _, t := range tenants {
		for _, job := range jobs {
			k := docKey(t, cursorDoc(job))
			keys, byKey[k] = append(keys, k), Job{t, job}
		}
	}
	items, err := table.ReadAll(ctx, l.table, keys)
	if err != nil {
		return nil, fmt.Errorf("cursors of %s: %w", strings.Join(jobs, ", "), err)
	}
	for _, it := range items {
		job := byKey[it.Key]
		c := &Cursor{tenant: job.Tenant, name: cursorDoc(job.Name), rev: it.Rev}
		if err := readDoc(it, c); err != nil {
			return nil, err
		}
		found = append(found, JobCursor{job, c})
	}
	return found, nil
}

// CursorsOf reads the cursors of several of a tenant's jobs at once, by job; a new one where there is none.
func (l *Ledger) CursorsOf(ctx context.Context, tenantID string, jobs ...string) (map[string]*Cursor, error) {
	found, docs := map[string]*Cursor{}, map[string]any{}
	for _, job := range jobs {
		found[job] = &Cursor{tenant: tenantID, name: cursorDoc(job)}
		docs[cursorDoc(job)] = found[job]
	}
	revs, err := l.Docs(ctx, tenantID, docs)
	for _, c := range found {
		c.rev = revs[c.name]
	}
	return found, err
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

// Docs is Doc of several of a tenant's documents at once, by name: each is read into its value. It returns their
// revisions.
func (l *Ledger) Docs(ctx context.Context, tenantID string, into map[string]any) (revs map[string]string, err error) {
	var keys []table.Key
	for _, name := range slices.Sorted(maps.Keys(into)) {
		keys = append(keys, docKey(tenantID, name))
	}
	items, err := table.ReadAll(ctx, l.table, keys)
	if err != nil {
		return nil, fmt.Errorf("documents of tenant %s: %w", tenantID, err)
	}
	revs = map[string]string{}
	for _, it := range items {
		if err := readDoc(it, into[it.SK]); err != nil {
			return nil, err
		}
		revs[it.SK] = it.Rev
	}
	return revs, nil
}

// SaveDoc writes a document, at most 400 KB when packed (ErrTooLarge), if it
// still has the given revision ("" = is not there): else ErrBehind.
func (l *Ledger) SaveDoc(ctx context.Context, tenantID, name, rev string, v any) (string, error) {
	data, err := table.Marshal(v)
	if err != nil {
		return "", err
	}
	return l.saveDoc(ctx, table.Item{Key: docKey(tenantID, name), Rev: rev, Data: data})
}

func (l *Ledger) saveDoc(ctx context.Context, it table.Item) (rev string, err error) {
	op := table.Save(it)
	err = l.table.Write(ctx, op)
	if errors.Is(err, table.ErrConflict) {
		return "", fmt.Errorf("document %s: %w", it.SK, ErrBehind)
	}
	return op.Item.Rev, err
}

// ChangeDoc changes a tenant's document. It calls change with what the document holds (the zero T if there is none),
// and again if others write it meanwhile; change reports whether what it made of it is to be written. ChangeDoc returns
// what the document holds then, or what change left with its error; ErrBehind where others are faster again and again.
func ChangeDoc[T any](
	ctx context.Context, l *Ledger, tenantID, name string, change func(*T) (write bool, err error),
) (v T, err error) {
	return ChangeDocSaying(ctx, l, tenantID, name, func(v *T) (bool, []Event, error) {
		write, err := change(v)
		return write, nil, err
	})
}

// ChangeDocSaying is ChangeDoc with the events that tell of the change: they are written with it.
func ChangeDocSaying[T any](
	ctx context.Context, l *Ledger, tenantID, name string, change func(*T) (write bool, says []Event, err error),
) (v T, err error) {
	read, err := table.Read(ctx, l.table, docKey(tenantID, name))
	if err != nil {
		return v, err
	}
	_, err = table.Change(ctx, l.table, read, func(it table.Item) (ops []table.Op, err error) {
		v = *new(T)
		if it.Rev != "" {
			if err := readDoc(it, &v); err != nil {
				return nil, err
			}
		}
		write, says, err := change(&v)
		if err != nil || !write {
			return nil, err
		}
		if it.Data, err = table.Marshal(v); err != nil {
			return nil, err
		}
		ops = append(ops, table.Save(it))
		for _, e := range says {
			op, err := RecordOp(ctx, tenantID, e)
			if err != nil {
				return nil, err
			}
			ops = append(ops, op)
		}
		return ops, nil
	})
	if errors.Is(err, table.ErrConflict) {
		err = fmt.Errorf("document %s: %w", name, ErrBehind)
	}
	return v, err
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
