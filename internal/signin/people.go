package signin

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"stockbridge/internal/table"
)

// rememberedFor is how long it is known that somebody signed in.
const rememberedFor = 365 * 24 * time.Hour

// notedMost is with how many tenants it is noted that a person signed in: a write has room for no more.
const notedMost = 90

func peoplePartition(tenantID string) string { return "PEOPLE#" + tenantID }

// notes are the writes that note with a person's tenants that it has signed in. No note names another tenant.
func notes(p Person) (ops []table.Op, err error) {
	tenants := []string{""}
	if p.Role != Operator {
		tenants = slices.DeleteFunc(slices.Clone(p.Tenants), func(id string) bool {
			return id == "" || len(id) > 100 || !utf8.ValidString(id) || strings.Contains(id, "#")
		})
		slices.Sort(tenants)
		tenants = slices.Compact(tenants)
	}
	p.Tenants = nil
	for _, id := range tenants[:min(len(tenants), notedMost)] {
		it, err := item(table.Key{PK: peoplePartition(id), SK: hashed(p.Subject)}, p, p.Since.Add(rememberedFor))
		if err != nil {
			return nil, err
		}
		ops = append(ops, table.Put(it))
	}
	return ops, nil
}

// Forget removes what is noted of people with a tenant.
func (d *Desk) Forget(ctx context.Context, tenantID string) error {
	if err := table.Erase(ctx, d.table, peoplePartition(tenantID), nil); err != nil {
		return fmt.Errorf("forget people: %w", err)
	}
	return nil
}

// People lists who has signed in within a year that may see a tenant, or might then, who did last first. Each one's
// role is that of the last time.
func (d *Desk) People(ctx context.Context, tenantID string) (list []Person, err error) {
	for _, id := range []string{tenantID, ""} {
		for it, err := range table.QueryAll(ctx, d.table, table.Query{PK: peoplePartition(id)}) {
			if err != nil {
				return nil, fmt.Errorf("list people: %w", err)
			}
			var p Person
			if err := json.Unmarshal(it.Data, &p); err != nil {
				return nil, fmt.Errorf("person: %w", err)
			}
			if time.Now().Before(it.Expires) {
				list = append(list, p)
			}
		}
	}
	slices.SortFunc(list, func(x, y Person) int {
		return cmp.Or(y.Since.Compare(x.Since), strings.Compare(x.Name, y.Name))
	})
	return list, nil
}
