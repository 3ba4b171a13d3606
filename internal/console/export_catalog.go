package console

import (
	"context"
	"strconv"

	"github.com/shopspring/decimal"

	"stockbridge/internal/upstockcin7"
)

// What of the catalogue is a tenant's own: what was chosen to be in Upstock, and how prices changed there. The records
// themselves are Cin7 Core's, which has them.

func (a *api) exportImportedProducts(ctx context.Context, e *export, after string) (string, error) {
	rows, next, err := a.Pair.Products(ctx, e.Bundle, upstockcin7.CatalogQuery{List: upstockcin7.Imported, After: after,
		Limit: maxPage})
	if err != nil {
		return "", err
	}
	l := e.list("imported-products", "id", "sku", "name", "status", "at", "why")
	for _, p := range rows {
		if err := l.add(productItemOf(p), p.ID, p.SKU, p.Name, p.Status, e.at(p.Standing.At), p.Why); err != nil {
			return "", err
		}
	}
	return next, nil
}

func (a *api) exportImportedCustomers(ctx context.Context, e *export, after string) (string, error) {
	rows, next, err := a.Pair.Customers(ctx, e.Bundle, upstockcin7.CatalogQuery{List: upstockcin7.Imported,
		After: after, Limit: maxPage})
	if err != nil {
		return "", err
	}
	l := e.list("imported-customers", "id", "name", "upstockId", "priceList", "at", "why")
	for _, c := range rows {
		theirs, list := "", ""
		if c.Theirs != 0 {
			theirs = strconv.FormatInt(c.Theirs, 10)
		}
		if c.PriceList != nil {
			list = c.PriceList.ID
		}
		if err := l.add(customerItemOf(c), c.ID, c.Name, theirs, list, e.at(c.Standing.At), c.Why); err != nil {
			return "", err
		}
	}
	return next, nil
}

func (a *api) exportPriceChanges(ctx context.Context, e *export, after string) (string, error) {
	rows, next, err := a.Pair.PriceChanges(ctx, e.Bundle, upstockcin7.ChangeApplied, after, maxPage)
	if err != nil {
		return "", err
	}
	l := e.list("price-changes", "at", "list", "productId", "sku", "old", "new")
	for i, c := range priceChangesOf(rows) {
		r := rows[i]
		if err := l.add(c, e.at(r.At), r.List.ID, r.Product.ID, r.Product.SKU, priceCell(r.Old),
			priceCell(r.New)); err != nil {
			return "", err
		}
	}
	return next, nil
}

// priceCell is a price as a cell has it; "" = none.
func priceCell(d *decimal.Decimal) string {
	if text := priceOf(d); text != nil {
		return *text
	}
	return ""
}
