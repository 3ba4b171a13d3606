package mirror

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"stockbridge/internal/table"
)

// Save writes rows that are new or changed, and returns how many were.
func (s *Store) Save(ctx context.Context, tenantID string, rows []Row) (written int, err error) {
	return s.change(ctx, tenantID, rows, nil)
}

// Remove removes rows and their names, and returns how many there were.
func (s *Store) Remove(ctx context.Context, tenantID, kind string, ids []string) (removed int, err error) {
	gone := make([]Row, len(ids))
	for i, id := range ids {
		gone[i].Key = Key{kind, id}
	}
	return s.change(ctx, tenantID, gone, nil)
}

// SaveRecords writes rows as Save does. Of each record, which a row of the kind of stands for, it then removes the
// numbered rows that are not among them any more. Numbered rows stand behind the row that says how many there are, and
// are written together with it, unless they are too many for one write.
func (s *Store) SaveRecords(
	ctx context.Context, tenantID string, rows []Row, of string, numbered ...string,
) (written int, err error) {
	if written, err = s.change(ctx, tenantID, rows, numbered); err != nil {
		return written, err
	}
	_, err = s.trim(ctx, tenantID, ends(rows, of, numbered))
	return written, err
}

// end is the first numbered row that a record should not have.
type end struct {
	kind, id string
	n        int
}

func (e end) key() Key { return Numbered(e.kind, e.id, e.n) }

// ends lists, for each record among rows and each numbered kind, where its rows end.
func ends(rows []Row, of string, numbered []string) (all []end) {
	if len(numbered) == 0 {
		return nil
	}
	has := map[Key]bool{}
	for _, r := range rows {
		has[r.Key] = true
	}
	for _, r := range rows {
		if r.Kind != of {
			continue
		}
		for _, kind := range numbered {
			e := end{kind: kind, id: r.ID}
			for has[e.key()] {
				e.n++
			}
			all = append(all, e)
		}
	}
	return all
}

// trim removes the numbered rows from each end on, the last ones first: where it breaks off, no gap hides one.
func (s *Store) trim(ctx context.Context, tenantID string, from []end) (removed int, err error) {
	var beyond []Row
	for len(from) > 0 {
		keys := make([]table.Key, len(from))
		for i, e := range from {
			keys[i] = e.key().of(tenantID)
		}
		items, err := s.get(ctx, keys)
		if err != nil {
			return 0, err
		}
		there := map[table.Key]bool{}
		for _, it := range items {
			there[it.Key] = true
		}
		var next []end
		for i, e := range from {
			if there[keys[i]] {
				beyond = append(beyond, Row{Key: e.key()})
				next = append(next, end{e.kind, e.id, e.n + 1})
			}
		}
		from = next
	}
	slices.Reverse(beyond)
	return s.change(ctx, tenantID, beyond, nil)
}

// change makes rows what they should be (no Data = gone), in batches whose rows and names are read at once. Rows of the
// numbered kinds are in the batch of the row before them, if they have room there.
func (s *Store) change(
	ctx context.Context, tenantID string, rows []Row, numbered []string,
) (changed int, err error) {
	rows = distinct(rows)
	for len(rows) > 0 {
		keys, n := 0, 0
		for n < len(rows) && keys+1+len(rows[n].Names) <= table.MaxKeys {
			keys += 1 + len(rows[n].Names)
			n++
		}
		n = whole(rows, n, numbered)
		some, err := s.changeSome(ctx, tenantID, rows[:n], numbered)
		changed += some
		if err != nil {
			return changed, err
		}
		rows = rows[n:]
	}
	return changed, nil
}

// whole is how many of the first n rows there are without those of a record that goes on behind them; n where all are
// of one record.
func whole(rows []Row, n int, numbered []string) int {
	at := n
	for at > 0 && at < len(rows) && slices.Contains(numbered, rows[at].Kind) {
		at--
	}
	if at == 0 {
		return n
	}
	return at
}

// distinct returns each row once, the first of its key, with no more names than count.
func distinct(rows []Row) (list []Row) {
	seen := map[Key]bool{}
	for _, r := range rows {
		if !seen[r.Key] && r.ID != "" {
			seen[r.Key] = true
			r.Names = r.Names[:min(len(r.Names), maxNames)]
			list = append(list, r)
		}
	}
	return list
}

// changeSome makes a few changes in one write, or in two halves where they are too much for one.
func (s *Store) changeSome(
	ctx context.Context, tenantID string, rows []Row, numbered []string,
) (changed int, err error) {
	err = table.RetryOnConflict(ctx, func() error {
		p, err := s.read(ctx, tenantID, rows)
		if err != nil {
			return err
		}
		changed = p.apply(rows)
		ops, err := p.writes()
		if err != nil || len(ops) == 0 {
			return err
		}
		return s.table.Write(ctx, ops...)
	})
	switch {
	case errors.Is(err, table.ErrTooLarge) && len(rows) > 1:
		half := whole(rows, len(rows)/2, numbered)
		a, err := s.changeSome(ctx, tenantID, rows[:half], numbered)
		if err != nil {
			return a, err
		}
		b, err := s.changeSome(ctx, tenantID, rows[half:], numbered)
		return a + b, err
	case err != nil:
		return 0, fmt.Errorf("write mirror: %w", err)
	}
	return changed, nil
}

// part is the part of a mirror that a change touches.
type part struct {
	tenant  string
	items   map[table.Key]table.Item // rows and names as they were read
	entries map[table.Key]*entry     // the same as they are to be
	touched []table.Key              // in this order
}

func newPart(tenantID string) *part {
	return &part{tenant: tenantID, items: map[table.Key]table.Item{}, entries: map[table.Key]*entry{}}
}

// add adds an item as it was read.
func (p *part) add(it table.Item) (err error) {
	p.items[it.Key] = it
	p.entries[it.Key], err = entryOf(it)
	return err
}

// read reads the rows that are to change, their names, and the names that they had.
func (s *Store) read(ctx context.Context, tenantID string, rows []Row) (*part, error) {
	p := newPart(tenantID)
	asked := map[table.Key]bool{}
	var keys []table.Key
	ask := func(k Key) {
		if at := k.of(tenantID); !asked[at] {
			asked[at] = true
			keys = append(keys, at)
		}
	}
	for _, r := range rows {
		ask(r.Key)
		for _, n := range r.Names {
			ask(n.Key)
		}
	}
	if err := s.readInto(ctx, p, keys); err != nil {
		return nil, err
	}
	keys = nil
	for _, r := range rows {
		if e := p.entries[r.of(tenantID)]; e != nil {
			for _, n := range e.Names {
				ask(keyOf(n))
			}
		}
	}
	return p, s.readInto(ctx, p, keys)
}

func (s *Store) readInto(ctx context.Context, p *part, keys []table.Key) error {
	items, err := s.get(ctx, keys)
	if err != nil {
		return err
	}
	for _, it := range items {
		if err := p.add(it); err != nil {
			return err
		}
	}
	return nil
}

// apply makes rows what they should be, with their names, and returns how many were not.
func (p *part) apply(rows []Row) (changed int) {
	for _, r := range rows {
		old := p.entries[r.of(p.tenant)]
		if old != nil && old.Row != nil && r.Over != nil {
			r.Data = r.Over(old.Row)
		}
		names := make([]string, 0, len(r.Names))
		for _, n := range r.Names {
			names = append(names, n.String())
		}
		if old == nil && r.Data == nil || old != nil && bytes.Equal(old.Row, r.Data) && slices.Equal(old.Names, names) {
			continue
		}
		changed++
		if old != nil {
			p.unname(r, old.Names, names)
		}
		row := p.touch(r.Key)
		row.Row, row.Names = r.Data, names
		for _, n := range r.Names {
			p.name(r, n)
		}
	}
	return changed
}

// touch returns the entry of a row or a name to be changed, a new one if there is none.
func (p *part) touch(k Key) *entry {
	at := k.of(p.tenant)
	e := p.entries[at]
	if e == nil {
		e = new(entry)
		p.entries[at] = e
	}
	if !e.touched {
		e.touched = true
		p.touched = append(p.touched, at)
	}
	return e
}

// unname has the names that a row had and has no more lead to it no more.
func (p *part) unname(r Row, had, has []string) {
	for _, n := range had {
		if k := keyOf(n); !slices.Contains(has, n) && p.entries[k.of(p.tenant)] != nil {
			delete(p.touch(k).Members, r.ID)
		}
	}
}

// name has a name lead to a row, and keep it whole if it should and there is room.
func (p *part) name(r Row, n Name) {
	e := p.touch(n.Key)
	e.Of = r.Kind
	if e.Members == nil {
		e.Members = map[string]json.RawMessage{}
	}
	if _, ok := e.Members[r.ID]; !ok && len(e.Members) >= maxMembers {
		return
	}
	e.Members[r.ID] = nil
	if n.Whole && e.size()+len(r.Data) <= maxWhole {
		e.Members[r.ID] = r.Data
	}
}

// writes returns the writes that make the table what it is to be.
func (p *part) writes() (ops []table.Op, err error) {
	for _, k := range p.touched {
		e, old := p.entries[k], p.items[k]
		if e.empty() {
			if old.Rev != "" {
				ops = append(ops, table.Remove(old))
			}
			continue
		}
		data, err := table.Marshal(e)
		if err != nil {
			return nil, err
		}
		if old.Rev == "" || !bytes.Equal(data, old.Data) {
			ops = append(ops, table.Save(table.Item{Key: k, Rev: old.Rev, Data: data}))
		}
	}
	return ops, nil
}
