package upstockcin7

import (
	"context"
	"time"

	"stockbridge/internal/job"
)

const changedProducts, changedCustomers = "products", "customers"

func (p *Pair) readTiers(ctx context.Context, part *job.Part) error { return nil }
func (p *Pair) readChanges(ctx context.Context, part *job.Part, what string, asked time.Time) error {
	return nil
}
func (p *Pair) readStock(ctx context.Context, part *job.Part, asked time.Time) error { return nil }
func (p *Pair) readBuyers(ctx context.Context, part *job.Part, since time.Time) (map[string]bool, error) {
	return nil, nil
}
