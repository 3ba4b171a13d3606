package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// Kinds of events that tell of a message that a queue gave up.
const (
	DeadOrder = "deadLetter" // a pointer to an order
	DeadJob   = "deadJob"    // a tenant's part of a job
)

// deadIndex lists them, of all tenants.
const deadIndex = "DEAD"

// TenantEvent is an event of one of all tenants.
type TenantEvent struct {
	Tenant string
	Event
}

// DeadLetters lists the newest events of messages that were given up since an instant, of all tenants, at most so many;
// more = there are others. The index may lag.
func (l *Ledger) DeadLetters(
	ctx context.Context, since time.Time, most int,
) (list []TenantEvent, more bool, err error) {
	p, err := l.table.List(ctx, table.Query{PK: deadIndex, From: since.UTC().Format(timeKey), Desc: true, Limit: most})
	if err != nil {
		return nil, false, fmt.Errorf("list dead letters: %w", err)
	}
	items, err := table.ReadAll(ctx, l.table, keysOf(p.Entries))
	if err != nil {
		return nil, false, fmt.Errorf("dead letters: %w", err)
	}
	for _, it := range items {
		var e Event
		if err := json.Unmarshal(it.Data, &e); err != nil {
			return nil, false, fmt.Errorf("read event: %w", err)
		}
		tenantID, _, _ := strings.Cut(strings.TrimPrefix(it.PK, tenant.Partition("")), "#")
		list = append(list, TenantEvent{tenantID, e})
	}
	return list, p.Next != "", nil
}

// EventFilter chooses events; what is zero chooses all.
type EventFilter struct {
	Kinds       []string
	Order       string    // its run's id
	People      bool      // only what a person did, or a person's program
	From, Until time.Time // From is included, Until is not
}

// takes reports whether the filter chooses an event, its time apart.
func (f EventFilter) takes(e Event) bool {
	return (len(f.Kinds) == 0 || slices.Contains(f.Kinds, e.Kind)) && (f.Order == "" || f.Order == e.Order) &&
		(!f.People || e.Actor != "")
}

// add adds the event of an item, if the filter chooses it.
func (f EventFilter) add(list []Event, it table.Item) ([]Event, error) {
	var e Event
	if err := json.Unmarshal(it.Data, &e); err != nil {
		return nil, fmt.Errorf("read event: %w", err)
	}
	if f.takes(e) {
		list = append(list, e)
	}
	return list, nil
}

// all reports whether the filter chooses every event of its time.
func (f EventFilter) all() bool { return len(f.Kinds) == 0 && f.Order == "" && !f.People }

// query is that of the events of the filter's time, by pages from which a list of so many is filled.
func (f EventFilter) query(tenantID string, limit int) table.Query {
	q := table.Query{PK: partition(tenantID, "event"), Desc: true, Limit: limit}
	if !f.From.IsZero() {
		q.From = f.From.UTC().Format(timeKey)
	}
	if !f.Until.IsZero() {
		q.Until = f.Until.UTC().Format(timeKey)
	}
	if !f.all() {
		q.Limit = max(limit, 100)
	}
	return q
}

// maxEventLook is how many events one page looks at.
const maxEventLook = 500

// Events reads one page of a tenant's events, newest first.
func (l *Ledger) Events(ctx context.Context, tenantID, after string, limit int) (list []Event, next string, err error) {
	return l.FindEvents(ctx, tenantID, EventFilter{}, after, limit)
}

// FindEvents reads one page of the events that a filter chooses, newest first, of which it reads those of the filter's
// time alone. By kind, order or people it goes through maxEventLook events at most: a page may be short, or empty, and
// still have a next.
// Errors: ErrAfter where after is not of the filter's time.
func (l *Ledger) FindEvents(
	ctx context.Context, tenantID string, f EventFilter, after string, limit int,
) (list []Event, next string, err error) {
	q := f.query(tenantID, limit)
	if after != "" && (after < q.From || q.Until != "" && after >= q.Until) {
		return nil, "", ErrAfter
	}
	q.After = after
	for looked := 0; ; {
		p, err := l.table.Query(ctx, q)
		if err != nil {
			return nil, "", fmt.Errorf("list events: %w", err)
		}
		for i, it := range p.Items {
			if list, err = f.add(list, it); err != nil {
				return nil, "", err
			}
			if last := i == len(p.Items)-1; len(list) == limit && !(last && p.Next == "") {
				return list, it.SK, nil
			}
		}
		looked += len(p.Items)
		if q.After = p.Next; p.Next == "" || looked >= maxEventLook {
			return list, p.Next, nil
		}
	}
}
