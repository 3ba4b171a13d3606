package upstockcin7

import (
	"context"
	"encoding/json"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
)

// What is noted beside a connection to Cin7 Core.
const (
	LookedUp     = lookedUp
	HookProgress = hookProgress
)

// Approved takes an order in as a webhook does.
func (p *Pair) Approved(
	ctx context.Context, tenantID, eventID string, raw json.RawMessage, body []byte,
) (fresh bool, err error) {
	c, err := p.Tenants.Connection(ctx, tenantID, tenant.Upstock)
	if err != nil {
		return false, err
	}
	return p.approved(ctx, supplierAt(c), eventID, ledger.OriginWebhook, raw, body)
}
