package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// The mirror is a copy of a vendor's records, as far as orders need them:
//
//	T#<tenant>             books                     the small reference books, read with the tenant
//	T#<tenant>#<kind>#<s>  <id>                      a row, and the names by which it is found
//	T#<tenant>#<name>#<s>  <name>                    the ids of the rows of that name, or the rows themselves
//	T#<tenant>#mirror      seen#<kind>#<pass>#<page> what a page of a running pass held
//	                       turn#<name>               whose turn it is to read
//
// s is a hash of the sort key, one of 16. A row and its names change in one
// write on the condition that none of them has changed, so that they always
// agree, whoever writes; a row that is as it was is not written.

// MirrorKey names a row by its id, or rows by a name of theirs.
type MirrorKey struct{ Kind, ID string }

// MirrorName is a name by which a row is found.
type MirrorName struct {
	MirrorKey
	Whole bool // the rows are kept under the name too, which saves the second read
}

// MirrorRow is one record. Data is a JSON object as json.Marshal writes it.
type MirrorRow struct {
	MirrorKey
	Data  json.RawMessage
	Names []MirrorName // the first 20 count
}

// MirrorLink leads to a row of kind Row by a Link.
type MirrorLink struct{ Kind, ID, Row string }

const (
	mirrorShards = 16
	// maxNames keeps a row with its old and new names within one write; maxMembers
	// keeps a name's item small: among so many, a name tells nothing.
	maxNames   = 20
	maxMembers = 100
	// maxWhole is the largest item of a name that keeps rows; beyond it ids must do.
	maxWhole = 100_000
)

func mirrorPartition(tenantID, kind string, shard uint32) string {
	return partition(tenantID, kind) + "#" + strconv.Itoa(int(shard))
}

func (k MirrorKey) key(tenantID string) table.Key {
	return table.Key{PK: mirrorPartition(tenantID, k.Kind, tenant.Shard(k.ID, mirrorShards)), SK: k.ID}
}

// mirrored is a row or a name as it is stored.
type mirrored struct {
	Row     json.RawMessage            `json:"row,omitempty"`
	Names   []string                   `json:"names,omitempty"`   // of a row: kind and name, with a tab between
	Of      string                     `json:"of,omitempty"`      // of a name: the kind of its rows
	Members map[string]json.RawMessage `json:"members,omitempty"` // of a name: id → row, or null
}

func mirroredOf(it table.Item) (mirrored, error) {
	var m mirrored
	if err := table.Unmarshal(it.Data, &m); err != nil {
		return m, fmt.Errorf("mirror %s: %w", it.SK, err)
	}
	return m, nil
}

func (m *mirrored) item(k table.Key, rev string) (table.Item, error) {
	data, err := table.Marshal(m)
	return table.Item{Key: k, Rev: rev, Data: data}, err
}

// Mirrored reads the rows that keys name, each once, and the rows that links
// lead to, with those links that there are. It takes one read of the table per
// 100 keys and links, and one more if a name holds ids only or there is a link.
func (l *Ledger) Mirrored(ctx context.Context, tenantID string, keys []MirrorKey, links ...MirrorLink) ([]MirrorRow, map[MirrorLink]Link, error) {
	to := map[MirrorLink]Link{}
	linked := map[table.Key]MirrorLink{}
	var rows []MirrorRow
	have := map[MirrorKey]bool{}
	var want []table.Key
	asked := map[table.Key]MirrorKey{}
	ask := func(k MirrorKey) {
		tk := k.key(tenantID)
		if _, ok := asked[tk]; ok || have[k] || k.ID == "" || len(k.ID) > 1024 {
			return
		}
		asked[tk] = k
		want = append(want, tk)
	}
	add := func(k MirrorKey, data json.RawMessage) {
		if !have[k] {
			have[k] = true
			rows = append(rows, MirrorRow{MirrorKey: k, Data: data})
		}
	}
	for _, k := range keys {
		ask(k)
	}
	for _, link := range links {
		k := linkKey(tenantID, link.Kind, link.ID)
		if _, ok := linked[k]; ok || link.ID == "" || len(link.ID) > 1024 {
			continue
		}
		linked[k] = link
		want = append(want, k)
	}
	for len(want) > 0 {
		var next []MirrorKey
		for part := range slices.Chunk(want, table.MaxKeys) {
			items, err := l.table.Get(ctx, part...)
			if err != nil {
				return nil, to, fmt.Errorf("read mirror: %w", err)
			}
			for _, it := range items {
				k, ok := asked[it.Key]
				if !ok {
					link := linked[it.Key]
					if to[link], err = linkOf(it); err != nil {
						return nil, to, err
					}
					next = append(next, MirrorKey{link.Row, strings.ToLower(to[link].ID)})
					continue
				}
				m, err := mirroredOf(it)
				if err != nil {
					return nil, to, err
				}
				if m.Row != nil {
					add(k, m.Row)
				}
				for _, id := range slices.Sorted(maps.Keys(m.Members)) {
					row := m.Members[id]
					if k := (MirrorKey{m.Of, id}); isNull(row) {
						next = append(next, k)
					} else {
						add(k, row)
					}
				}
			}
		}
		want = nil
		slices.SortFunc(next, func(a, b MirrorKey) int { return strings.Compare(a.ID, b.ID) })
		for _, k := range next {
			ask(k)
		}
	}
	return rows, to, nil
}

// isNull: a null inside a map is read as the four letters.
func isNull(row json.RawMessage) bool { return len(row) == 0 || string(row) == "null" }

// EachMirrorRow reads all rows of a kind.
func (l *Ledger) EachMirrorRow(ctx context.Context, tenantID, kind string, yield func(id string, data json.RawMessage)) error {
	for shard := range uint32(mirrorShards) {
		q := table.Query{PK: mirrorPartition(tenantID, kind, shard)}
		for {
			p, err := l.table.Query(ctx, q)
			if err != nil {
				return fmt.Errorf("list mirror of %s: %w", kind, err)
			}
			for _, it := range p.Items {
				m, err := mirroredOf(it)
				if err != nil {
					return err
				}
				yield(it.SK, m.Row)
			}
			if q.After = p.Next; p.Next == "" {
				break
			}
		}
	}
	return nil
}

// MirrorMembers lists the rows that names of a kind lead to, at most so many.
func (l *Ledger) MirrorMembers(ctx context.Context, tenantID, names string, most int) ([]MirrorKey, error) {
	var keys []MirrorKey
	for shard := range uint32(mirrorShards) {
		q := table.Query{PK: mirrorPartition(tenantID, names, shard)}
		for {
			p, err := l.table.Query(ctx, q)
			if err != nil {
				return nil, fmt.Errorf("list mirror of %s: %w", names, err)
			}
			for _, it := range p.Items {
				m, err := mirroredOf(it)
				if err != nil {
					return nil, err
				}
				for _, id := range slices.Sorted(maps.Keys(m.Members)) {
					if keys = append(keys, MirrorKey{m.Of, id}); len(keys) >= most {
						return keys, nil
					}
				}
			}
			if q.After = p.Next; p.Next == "" {
				break
			}
		}
	}
	return keys, nil
}

// SaveMirror writes rows that are new or changed, and says how many were.
func (l *Ledger) SaveMirror(ctx context.Context, tenantID string, rows []MirrorRow) (written int, err error) {
	changes := make([]mirrorChange, 0, len(rows))
	for _, r := range rows {
		names := r.Names[:min(len(r.Names), maxNames)]
		changes = append(changes, mirrorChange{r.MirrorKey, r.Data, names})
	}
	return l.changeMirror(ctx, tenantID, changes)
}

// RemoveMirror removes rows and their names, and says how many there were.
func (l *Ledger) RemoveMirror(ctx context.Context, tenantID, kind string, ids []string) (removed int, err error) {
	changes := make([]mirrorChange, 0, len(ids))
	for _, id := range ids {
		changes = append(changes, mirrorChange{key: MirrorKey{kind, id}})
	}
	return l.changeMirror(ctx, tenantID, changes)
}

// mirrorChange is a row as it should be; data nil = not at all.
type mirrorChange struct {
	key   MirrorKey
	data  json.RawMessage
	names []MirrorName
}

// changeMirror works in batches whose rows and names are read at once.
func (l *Ledger) changeMirror(ctx context.Context, tenantID string, changes []mirrorChange) (done int, err error) {
	seen := map[MirrorKey]bool{}
	changes = slices.DeleteFunc(changes, func(c mirrorChange) bool {
		twice := seen[c.key] || c.key.ID == ""
		seen[c.key] = true
		return twice
	})
	for len(changes) > 0 {
		keys, n := 0, 0
		for n < len(changes) && keys+1+len(changes[n].names) <= table.MaxKeys {
			keys += 1 + len(changes[n].names)
			n++
		}
		some, err := l.changeSome(ctx, tenantID, changes[:n])
		done += some
		if err != nil {
			return done, err
		}
		changes = changes[n:]
	}
	return done, nil
}

// changeSome makes a few changes in one write, or in two halves where they are too much for one.
func (l *Ledger) changeSome(ctx context.Context, tenantID string, changes []mirrorChange) (int, error) {
	done := 0
	err := table.RetryOnConflict(ctx, func() error {
		ops, n, err := l.mirrorOps(ctx, tenantID, changes)
		if done = n; err != nil || len(ops) == 0 {
			return err
		}
		return l.table.Write(ctx, ops...)
	})
	switch {
	case errors.Is(err, table.ErrTooLarge) && len(changes) > 1:
		half := len(changes) / 2
		a, err := l.changeSome(ctx, tenantID, changes[:half])
		if err != nil {
			return a, err
		}
		b, err := l.changeSome(ctx, tenantID, changes[half:])
		return a + b, err
	case err != nil:
		return 0, fmt.Errorf("write mirror: %w", err)
	}
	return done, nil
}

// mirrorOps reads what is there and returns the writes that make it as it should be.
func (l *Ledger) mirrorOps(ctx context.Context, tenantID string, changes []mirrorChange) (ops []table.Op, done int, err error) {
	items := map[table.Key]table.Item{}
	stored := map[table.Key]*mirrored{} // what was read, changed in place
	read := func(keys []table.Key) error {
		for part := range slices.Chunk(keys, table.MaxKeys) {
			got, err := l.table.Get(ctx, part...)
			if err != nil {
				return fmt.Errorf("read mirror: %w", err)
			}
			for _, it := range got {
				m, err := mirroredOf(it)
				if err != nil {
					return err
				}
				items[it.Key], stored[it.Key] = it, &m
			}
		}
		return nil
	}
	var keys []table.Key
	asked := map[table.Key]bool{}
	ask := func(k MirrorKey) {
		if tk := k.key(tenantID); !asked[tk] {
			asked[tk] = true
			keys = append(keys, tk)
		}
	}
	for _, c := range changes {
		ask(c.key)
		for _, n := range c.names {
			ask(n.MirrorKey)
		}
	}
	if err := read(keys); err != nil {
		return nil, 0, err
	}
	keys = nil
	for _, c := range changes { // names that a row had
		if m := stored[c.key.key(tenantID)]; m != nil {
			for _, n := range m.Names {
				ask(nameOf(n))
			}
		}
	}
	if err := read(keys); err != nil {
		return nil, 0, err
	}

	dirty := []table.Key{}
	touch := func(k table.Key) *mirrored {
		if stored[k] == nil {
			stored[k] = &mirrored{}
		}
		if !slices.Contains(dirty, k) {
			dirty = append(dirty, k)
		}
		return stored[k]
	}
	for _, c := range changes {
		k := c.key.key(tenantID)
		var names []string
		for _, n := range c.names {
			names = append(names, n.Kind+"\t"+n.ID)
		}
		old := stored[k]
		if old == nil && c.data == nil || old != nil && bytes.Equal(old.Row, c.data) && slices.Equal(old.Names, names) {
			continue
		}
		done++
		if old != nil {
			for _, n := range old.Names {
				if nk := nameOf(n).key(tenantID); !slices.Contains(names, n) && stored[nk] != nil {
					delete(touch(nk).Members, c.key.ID)
				}
			}
		}
		row := touch(k)
		row.Row, row.Names = c.data, names
		for _, n := range c.names {
			name := touch(n.key(tenantID))
			name.Of = c.key.Kind
			if name.Members == nil {
				name.Members = map[string]json.RawMessage{}
			}
			if _, ok := name.Members[c.key.ID]; !ok && len(name.Members) >= maxMembers {
				continue
			}
			name.Members[c.key.ID] = nil
			if n.Whole && name.size()+len(c.data) <= maxWhole {
				name.Members[c.key.ID] = c.data
			}
		}
	}
	for _, k := range dirty {
		m, old := stored[k], items[k]
		switch {
		case m.Row == nil && len(m.Members) == 0 && old.Rev == "":
			continue
		case m.Row == nil && len(m.Members) == 0:
			ops = append(ops, table.Remove(old))
			continue
		}
		it, err := m.item(k, old.Rev)
		if err != nil {
			return nil, 0, err
		}
		switch {
		case old.Rev == "":
			ops = append(ops, table.Create(it))
		case !bytes.Equal(it.Data, old.Data):
			ops = append(ops, table.Replace(it))
		}
	}
	return ops, done, nil
}

func (m *mirrored) size() int {
	n := 0
	for _, row := range m.Members {
		n += len(row)
	}
	return n
}

func nameOf(s string) MirrorKey {
	kind, id, _ := strings.Cut(s, "\t")
	return MirrorKey{kind, id}
}

// SaveBooks writes the reference books that package tenant loads with the
// tenant, if they are not what is there. The last writer wins.
func (l *Ledger) SaveBooks(ctx context.Context, tenantID string, data []byte) (written bool, err error) {
	k := table.Key{PK: tenant.Partition(tenantID), SK: "books"}
	items, err := l.table.Get(ctx, k)
	if err != nil {
		return false, fmt.Errorf("read books: %w", err)
	}
	if len(items) == 1 && bytes.Equal(items[0].Data, data) {
		return false, nil
	}
	if err := l.table.Write(ctx, table.Put(table.Item{Key: k, Data: data})); err != nil {
		return false, fmt.Errorf("write books: %w", err)
	}
	return true, nil
}

// seenFor is how long a pass may take before what it has seen is forgotten.
const seenFor = 48 * time.Hour

func seenKey(tenantID, kind string, pass time.Time, page int) table.Key {
	return table.Key{PK: partition(tenantID, "mirror"), SK: fmt.Sprintf("seen#%s#%d#%06d", kind, pass.Unix(), page)}
}

// SaveSeen remembers what one page of a pass held, for its last page.
func (l *Ledger) SaveSeen(ctx context.Context, tenantID, kind string, pass time.Time, page int, data []byte) error {
	it := table.Item{Key: seenKey(tenantID, kind, pass, page), Data: data, Expires: pass.Add(seenFor).Truncate(time.Second)}
	if err := l.table.Write(ctx, table.Put(it)); err != nil {
		return fmt.Errorf("write what page %d of %s held: %w", page, kind, err)
	}
	return nil
}

// Seen reads what the first pages of a pass held; whole says that none is missing.
func (l *Ledger) Seen(ctx context.Context, tenantID, kind string, pass time.Time, pages int) (data [][]byte, whole bool, err error) {
	var keys []table.Key
	for page := 1; page <= pages; page++ {
		keys = append(keys, seenKey(tenantID, kind, pass, page))
	}
	for part := range slices.Chunk(keys, table.MaxKeys) {
		items, err := l.table.Get(ctx, part...)
		if err != nil {
			return nil, false, fmt.Errorf("read what pages of %s held: %w", kind, err)
		}
		for _, it := range items {
			data = append(data, it.Data)
		}
	}
	return data, len(data) == pages, nil
}

// Turn keeps mirror jobs of one connection from reading side by side, which is
// harmless but wastes calls.
type Turn struct {
	Until    time.Time `json:"until"`
	Failures int       `json:"failures,omitempty"` // in a row, to space the attempts
}

func turnKey(tenantID, name string) table.Key {
	return table.Key{PK: partition(tenantID, "mirror"), SK: "turn#" + name}
}

// TakeTurn takes the turn until a time, unless somebody else has it.
func (l *Ledger) TakeTurn(ctx context.Context, tenantID, name string, now, until time.Time) (t Turn, mine bool, err error) {
	old, err := table.Read(ctx, l.table, turnKey(tenantID, name))
	if err != nil {
		return t, false, fmt.Errorf("take turn: %w", err)
	}
	if old.Rev != "" {
		if err := json.Unmarshal(old.Data, &t); err != nil {
			return t, false, fmt.Errorf("take turn: %w", err)
		}
		if t.Until.After(now) {
			return t, false, nil
		}
	}
	t.Until = until.UTC()
	it, err := turnItem(tenantID, name, t)
	if err != nil {
		return t, false, err
	}
	it.Rev = old.Rev
	err = l.table.Write(ctx, table.Save(it))
	if errors.Is(err, table.ErrConflict) {
		return t, false, nil
	}
	if err != nil {
		return t, false, fmt.Errorf("take turn: %w", err)
	}
	return t, true, nil
}

// SaveTurn lengthens a turn, or gives it back with Until in the past.
func (l *Ledger) SaveTurn(ctx context.Context, tenantID, name string, t Turn) error {
	it, err := turnItem(tenantID, name, t)
	if err == nil {
		err = l.table.Write(ctx, table.Put(it))
	}
	if err != nil {
		return fmt.Errorf("write turn: %w", err)
	}
	return nil
}

func turnItem(tenantID, name string, t Turn) (table.Item, error) {
	data, err := json.Marshal(t)
	return table.Item{Key: turnKey(tenantID, name), Data: data, Expires: t.Until.Add(seenFor).Truncate(time.Second)}, err
}
