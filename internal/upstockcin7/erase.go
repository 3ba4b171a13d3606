package upstockcin7

import (
	"context"

	"stockbridge/internal/upstockcin7/catalogue"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/reference"
	"stockbridge/internal/upstockcin7/sale"
)

// Erase removes all that the pair keeps of a tenant, which nobody finds any more: orders, links, events, the copy
// of Cin7 Core's records, and what Upstock was told of its catalogue. Broken off, it is begun again and does the rest.
func (p *Pair) Erase(ctx context.Context, tenantID string) error {
	if err := p.Orders.Erase(ctx, tenantID); err != nil {
		return err
	}
	kinds := append(reference.Kinds(), catalogue.ProductKind, catalogue.CustomerKind, catalogue.OwnKind,
		catalogue.StockKind)
	if err := p.Mirror.Erase(ctx, tenantID, kinds...); err != nil {
		return err
	}
	if err := p.eraseCatalog(ctx, tenantID); err != nil {
		return err
	}
	return p.Ledger.Erase(ctx, tenantID, append(order.LinkKinds(), sale.CustomerLinks, sale.ProductLinks)...)
}
