package ledger

import (
	"context"
	"fmt"

	"stockbridge/internal/table"
)

// Erase removes all runs of a tenant, with their parts and the words by which they are found. Broken off, it is begun
// again and does the rest.
func (j *Journal[T, P]) Erase(ctx context.Context, tenantID string) error {
	t := j.ledger.table
	err := table.Erase(ctx, t, j.kind.partition(tenantID), func(it table.Item) (bool, error) {
		f, err := j.of(it)
		if err != nil {
			return false, err
		}
		return false, table.Erase(ctx, t, j.kind.partsOf(f.Core()), nil)
	})
	if err == nil {
		err = table.Erase(ctx, t, j.kind.find(tenantID), nil)
	}
	if err != nil {
		return fmt.Errorf("erase runs of %s: %w", j.kind.Name, err)
	}
	return nil
}

// Erase removes what the ledger knows of a tenant beside its runs: links of these kinds, documents, events and
// what became of long work.
func (l *Ledger) Erase(ctx context.Context, tenantID string, links ...string) error {
	parts := []string{partition(tenantID, "doc"), partition(tenantID, "event"), partition(tenantID, "said"),
		progressPartition(tenantID)}
	for _, kind := range links {
		parts = append(parts, LinkKey(tenantID, kind, "").PK)
	}
	for _, pk := range parts {
		if err := table.Erase(ctx, l.table, pk, nil); err != nil {
			return fmt.Errorf("erase %s: %w", pk, err)
		}
	}
	return nil
}
