package tenant

import (
	"context"
	"fmt"
	"strings"
	"time"

	"stockbridge/internal/table"
)

// brokenGroup lists the connections that need reconnecting, of all tenants, in the order in which their keys were
// refused.
const brokenGroup = "BROKEN"

// BrokenPlace is a connection's place among those that need reconnecting.
type BrokenPlace struct {
	Refused time.Time
	Tenant  string
	System  System
}

func (c *Connection) broken() BrokenPlace { return BrokenPlace{c.Refused, c.Tenant, c.System} }

// String is the place in the index, whose order is that of the places.
func (p BrokenPlace) String() string {
	return p.Refused.UTC().Format(time.RFC3339) + "#" + p.Tenant + "#" + string(p.System)
}

// ParseBroken reads a place as String writes it; false = it is none.
func ParseBroken(s string) (p BrokenPlace, ok bool) {
	at, rest, _ := strings.Cut(s, "#")
	id, sys, _ := strings.Cut(rest, "#")
	refused, err := time.Parse(time.RFC3339, at)
	p = BrokenPlace{refused, id, System(sys)}
	return p, err == nil && IsID(id) && p.String() == s
}

// BrokenOnes reads one page of the connections that need reconnecting, of all tenants, the first refused first: those
// after a place ("" = from the first on), and at most so many; more = there are others. The index may lag.
func (s *Store) BrokenOnes(ctx context.Context, after string, most int) (list []BrokenPlace, more bool, err error) {
	q := table.Query{PK: brokenGroup, Group: true, Limit: most}
	if after != "" {
		q.From = after + "\x00"
	}
	p, err := s.table.List(ctx, q)
	if err != nil {
		return nil, false, fmt.Errorf("list connections that need reconnecting: %w", err)
	}
	for _, e := range p.Entries {
		if one, ok := ParseBroken(e.Sort); ok {
			list = append(list, one)
		}
	}
	return list, p.Next != "", nil
}
