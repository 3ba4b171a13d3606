package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"stockbridge/internal/table"
)

// Which tenants have runs that need a person, among all there are, a mark says: an item of the tenant that stands in
// the sparse index. It is put down ahead of the write with which a run comes to need one, so that no such run is
// without it; a look later takes it away where nobody is needed any more. It is a hint: who lists the marks counts.

// attentionIndex lists the marks of the kind.
func (k Kind) attentionIndex() string { return strings.TrimSuffix("ATTENTION#"+k.scope(), "#") }

func (k Kind) markKey(tenantID string) table.Key {
	return docKey(tenantID, strings.TrimSuffix("attention#"+k.scope(), "#"))
}

// mark is the mark of a tenant, put down now.
func (k Kind) mark(tenantID string) table.Item {
	return table.Item{Key: k.markKey(tenantID), Data: []byte(time.Now().UTC().Format(time.RFC3339)),
		Index: k.attentionIndex(), Sort: tenantID}
}

// markedAt is when a mark was put down.
func markedAt(it table.Item) time.Time {
	at, _ := time.Parse(time.RFC3339, string(it.Data)) // what cannot be read is old
	return at
}

// marking are the writes that mark a tenant whose run, as it is to be stored, needs a person and as it is does not.
func (k Kind) marking(r *Run, it table.Item) []table.Op {
	if it.Index != k.attention(r.Tenant) || r.stand.index == it.Index {
		return nil
	}
	return []table.Op{table.Ahead(k.mark(r.Tenant))}
}

// InNeed lists the tenants that are marked, those after one ("" = from the first on), and at most so many; more = there
// are others. The index may lag.
func (j *Journal[T, P]) InNeed(ctx context.Context, after string, most int) (tenants []string, more bool, err error) {
	q := table.Query{PK: j.kind.attentionIndex(), Limit: most}
	if after != "" {
		q.From = after + "\x00"
	}
	p, err := j.ledger.table.List(ctx, q)
	if err != nil {
		return nil, false, fmt.Errorf("list tenants whose runs of %s need a person: %w", j.kind.Name, err)
	}
	for _, e := range p.Entries {
		tenants = append(tenants, e.Sort)
	}
	return tenants, p.Next != "", nil
}

// Marked reports which of these tenants are marked.
func (j *Journal[T, P]) Marked(ctx context.Context, tenants []string) (map[string]bool, error) {
	of, keys := map[table.Key]string{}, make([]table.Key, len(tenants))
	for i, id := range tenants {
		keys[i] = j.kind.markKey(id)
		of[keys[i]] = id
	}
	items, err := table.ReadAll(ctx, j.ledger.table, keys)
	if err != nil {
		return nil, fmt.Errorf("marks: %w", err)
	}
	marked := map[string]bool{}
	for _, it := range items {
		marked[of[it.Key]] = true
	}
	return marked, nil
}

// CountAttention counts a tenant's runs that need a person, up to most.
func (j *Journal[T, P]) CountAttention(ctx context.Context, tenantID string, most int) (n int, err error) {
	q := table.Query{PK: j.kind.attention(tenantID)}
	for {
		q.Limit = most - n
		p, err := j.ledger.table.List(ctx, q)
		if err != nil {
			return n, fmt.Errorf("count runs of %s that need a person: %w", j.kind.Name, err)
		}
		n += len(p.Entries)
		if q.After = p.Next; p.Next == "" || n >= most {
			return n, nil
		}
	}
}

// markFor is how long a mark stays in any case: longer than an index lags.
const markFor = time.Minute

// Look marks a tenant whose runs need a person, of which an earlier version wrote no mark, and takes the mark away
// where none does any more. It may be called at any time, by many at once.
func (j *Journal[T, P]) Look(ctx context.Context, tenantID string) error {
	it, err := table.Read(ctx, j.ledger.table, j.kind.markKey(tenantID))
	if err != nil {
		return err
	}
	n, err := j.CountAttention(ctx, tenantID, 1)
	switch {
	case err != nil:
		return err
	case n > 0 && it.Rev == "":
		err = j.ledger.table.Write(ctx, table.Create(j.kind.mark(tenantID)))
	case n == 0 && it.Rev != "" && time.Since(markedAt(it)) >= markFor:
		err = j.ledger.table.Write(ctx, table.Remove(it)) // as it was read: one that was put down since stays
	}
	if errors.Is(err, table.ErrConflict) {
		return nil
	}
	return err
}
