package upstockcin7

import (
	"context"
	"time"

	"stockbridge/internal/job"
)

// checkCompleteness compares both sides, see package completeness, and goes on with what is done a little at a time.
func (p *Pair) checkCompleteness(ctx context.Context, part *job.Part) error {
	p.relist(ctx, part.Tenant)
	_ = p.Orders.Look(ctx, part.Tenant) // what fails is done with the next check
	return p.Completeness.Check(ctx, part)
}

// relist gives some more of the orders that an earlier version wrote their place
// in lists and search. What fails is tried again with the next check; whoever
// asks for a list meanwhile goes on with it, too.
func (p *Pair) relist(ctx context.Context, tenantID string) {
	const rounds, most = 10, 200
	for range rounds {
		if d, ok := ctx.Deadline(); ok && time.Until(d) < 2*p.Times.MinInvocation {
			return
		}
		if whole, err := p.Orders.Relist(ctx, tenantID, most); whole || err != nil {
			return
		}
	}
}
