package ledger

import (
	"context"
	"encoding/json"
	"fmt"

	"stockbridge/internal/table"
)

// How a link was made. Those that earlier versions made by a name or an e-mail say “match”.
const (
	ByPerson = "person"
	ByName   = "name" // of all records one alone had it, and nothing known of both spoke against it
	ByMatch  = "match"
)

// Linked is a link with what it leads from.
type Linked struct {
	From string // the foreign id, as it stands in the key
	Link
}

// NewLinkOp remembers a link where to was read, or where there was none: a link that somebody made meanwhile makes the
// whole write fail.
func NewLinkOp(tenantID, kind, id string, to Link) table.Op {
	data, _ := json.Marshal(to)
	return table.Save(table.Item{Key: LinkKey(tenantID, kind, id), Data: data, Rev: to.rev})
}

// SaveLink remembers a link, whatever was there: a person's choice. The event tells of it, and is written with it.
func (l *Ledger) SaveLink(ctx context.Context, tenantID, kind, id string, to Link, e Event) error {
	event, err := RecordOp(ctx, tenantID, e)
	if err != nil {
		return err
	}
	if err := l.table.Write(ctx, LinkOp(tenantID, kind, id, to), event); err != nil {
		return fmt.Errorf("write link of %s %s: %w", kind, id, err)
	}
	return nil
}

// RemoveLink forgets a link; ErrNotFound where there is none. The event tells of it, and is written with it.
func (l *Ledger) RemoveLink(ctx context.Context, tenantID, kind, id string, e Event) error {
	event, err := RecordOp(ctx, tenantID, e)
	if err != nil {
		return err
	}
	link, err := table.Read(ctx, l.table, LinkKey(tenantID, kind, id))
	if err == nil {
		_, err = table.Change(ctx, l.table, link, func(it table.Item) ([]table.Op, error) {
			if it.Rev == "" {
				return nil, ErrNotFound
			}
			return []table.Op{table.Remove(it), event}, nil
		})
	}
	if err != nil {
		return fmt.Errorf("remove link of %s %s: %w", kind, id, err)
	}
	return nil
}

// ListLinks lists the links of a kind by their foreign ids, those after one; next is "" on the last page.
func (l *Ledger) ListLinks(
	ctx context.Context, tenantID, kind, after string, limit int,
) (list []Linked, next string, err error) {
	p, err := l.table.Query(ctx, table.Query{PK: LinkKey(tenantID, kind, "").PK, After: after, Limit: limit})
	if err != nil {
		return nil, "", fmt.Errorf("list links of %s: %w", kind, err)
	}
	for _, it := range p.Items {
		one := Linked{From: it.SK}
		if one.Link, err = LinkOf(it); err != nil {
			return nil, "", err
		}
		list = append(list, one)
	}
	return list, p.Next, nil
}

// LinkOf reads a link as it is stored.
func LinkOf(it table.Item) (Link, error) {
	var to Link
	if err := json.Unmarshal(it.Data, &to); err != nil {
		return to, fmt.Errorf("read link %s: %w", it.SK, err)
	}
	to.rev = it.Rev
	return to, nil
}
