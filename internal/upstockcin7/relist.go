package upstockcin7

import (
	"context"
	"time"
)

// relist gives some more of the orders that an earlier version wrote their place
// in lists and search. What fails is tried again with the next check; whoever
// asks for a list meanwhile goes on with it, too.
func (p *Pair) relist(ctx context.Context, tenantID string) {
	const rounds, most = 10, 200
	for range rounds {
		if d, ok := ctx.Deadline(); ok && time.Until(d) < 2*p.Times.MinInvocation {
			return
		}
		if whole, err := p.Ledger.Relist(ctx, tenantID, most); whole || err != nil {
			return
		}
	}
}
