package order

import (
	"context"
	"strings"
	"time"

	"stockbridge/internal/ledger"
)

// Links from what Cin7 Core names of a sale to the order's run. They are hints:
// whichever sale an order is known by in the end, a link is true of a sale that
// was its own once.
const (
	bySaleID     = "sale"
	bySaleNumber = "saleNumber" // in its account: all that the shipment of an Advanced Sale has
)

// LinkKinds are the kinds of these links.
func LinkKinds() []string { return []string{bySaleID, bySaleNumber} }

// LinkSale lets the order be found by its sale. The links ride ahead of the order's write.
func (o *Order) LinkSale(x *ledger.Extra, at time.Time) {
	to := ledger.Link{ID: o.ID, At: at.UTC(), By: "sold"}
	x.Ahead(ledger.LinkItem(o.Tenant, bySaleID, strings.ToLower(o.SaleID), to))
	if o.SaleNumber != "" {
		x.Ahead(ledger.LinkItem(o.Tenant, bySaleNumber, inAccount(o.Account, o.SaleNumber), to))
	}
}

// inAccount is a sale's number with its account: two accounts number alike.
func inAccount(account, number string) string { return strings.ToUpper(account + "|" + number) }

// OfSale is the id of the order whose sale has one of these ids, or this number
// in an account of Cin7 Core; "" = no order of the tenant has.
func OfSale(ctx context.Context, l *ledger.Ledger, tenantID, account, number string, ids ...string) (string, error) {
	type link struct{ kind, from string }
	var links []link
	for _, id := range ids {
		if id != "" {
			links = append(links, link{bySaleID, id})
		}
	}
	if number != "" { // an earlier version wrote the number alone
		links = append(links, link{bySaleNumber, inAccount(account, number)},
			link{bySaleNumber, strings.ToUpper(number)})
	}
	for _, from := range links {
		if to, err := l.Link(ctx, tenantID, from.kind, from.from); err != nil || to.ID != "" {
			return to.ID, err
		}
	}
	return "", nil
}

// OfSales are the orders that a tenant's sales are known by, by the sales' ids; those of no order are left out.
func OfSales(
	ctx context.Context, l *ledger.Ledger, book *Book, tenantID string, ids []string,
) (map[string]*Order, error) {
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = strings.ToLower(id)
	}
	links, err := l.Links(ctx, tenantID, bySaleID, keys...)
	if err != nil || len(links) == 0 {
		return nil, err
	}
	var runs []string
	for _, k := range keys { // in their order: what is done comes again as it was
		if l, ok := links[k]; ok {
			runs = append(runs, l.ID)
		}
	}
	orders, err := book.GetRuns(ctx, tenantID, runs)
	if err != nil {
		return nil, err
	}
	found := map[string]*Order{}
	for i, id := range ids {
		if o := orders[links[keys[i]].ID]; o != nil && o.SaleID == id {
			found[id] = o
		}
	}
	return found, nil
}
