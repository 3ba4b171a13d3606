package upstockcin7

import (
	"context"
	"encoding/json"

	"stockbridge/internal/tenant"
)

// Without switches one rule of the protocol off, for the proof that the proof
// can fail.
func (p *Pair) Without(rule string) {
	switch rule {
	case "intent":
		p.rules.noIntent = true
	case "lease":
		p.rules.noLease = true
	case "look":
		p.rules.noLook = true
	case "settle time":
		p.rules.noSettle = true
	case "frozen plan":
		p.rules.thawed = true
	case "sale chosen once":
		p.rules.rechosen = true
	case "windows read again":
		p.rules.noReread = true
	case "marks before the cursor":
		p.rules.hasty = true
	case "a blank is no no":
		p.rules.blankIsNo = true
	case "restored":
		p.rules.unmarked = true
	case "decided again":
		p.rules.hindsight = true
	case "doubt":
		p.rules.noDoubt = true
	}
}

// Approved takes an order in as a webhook does.
func (p *Pair) Approved(ctx context.Context, tenantID, eventID string, raw json.RawMessage, body []byte) (fresh bool, err error) {
	c, err := p.Tenants.Connection(ctx, tenantID, tenant.Upstock)
	if err != nil {
		return false, err
	}
	return p.approved(ctx, supplierAt(c), eventID, OriginWebhook, raw, body)
}
