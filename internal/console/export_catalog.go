package console

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/shopspring/decimal"

	"stockbridge/internal/joorcin7"
	"stockbridge/internal/tenant"
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

// Of JOOR's customers it is how each stands there, and what was decided about matches. Those that only could be
// uploaded are left out.

func (a *api) exportJOORCustomers(ctx context.Context, e *export, after string) (string, error) {
	if e.Connections[tenant.JOOR].Account == "" {
		return "", nil
	}
	page, err := a.JOOR.Customers(ctx, e.Tenant.ID, joorcin7.Query{})
	if err != nil {
		return "", err
	}
	rows := slices.DeleteFunc(page.Items, func(c joorcin7.Customer) bool {
		return c.State == joorcin7.StateNew && c.Why == ""
	})
	l := e.list("joor-customers", joorColumns...)
	rows, next := rowsAfter(rows, func(c joorcin7.Customer) string { return c.ID }, after)
	for _, c := range rows {
		if err := l.add(joorCustomerOf(c), joorCells(c, e.zone)...); err != nil {
			return "", err
		}
	}
	return next, nil
}

func (a *api) exportJOORMatches(ctx context.Context, e *export, after string) (string, error) {
	if e.Connections[tenant.JOOR].Account == "" {
		return "", nil
	}
	var all []joorcin7.Match
	for _, state := range matchStates {
		page, err := a.JOOR.Matches(ctx, e.Tenant.ID, joorcin7.MatchQuery{State: state})
		if err != nil {
			return "", err
		}
		all = append(all, page.Items...)
	}
	l := e.list("joor-matches", "state", "id", "company", "connection", "name", "score", "by", "at")
	rows, next := rowsAfter(all, func(m joorcin7.Match) string {
		return m.State + " " + m.Contact.ID + " " + connectionOfMatch(m).ID
	}, after)
	for _, m := range rows {
		c := connectionOfMatch(m)
		if err := l.add(joorMatchOf(m), m.State, m.Contact.ID, m.Contact.Company, c.ID, c.Name,
			strconv.FormatFloat(m.Score, 'f', 2, 64), m.By, e.at(m.At)); err != nil {
			return "", err
		}
	}
	return next, nil
}

// connectionOfMatch is the connection of a match; where it may be one of several, none.
func connectionOfMatch(m joorcin7.Match) (c joorcin7.ConnectionRef) {
	if m.Connection != nil {
		c = *m.Connection
	}
	return c
}

// exportedRows is how many rows are added at once of what is read whole.
const exportedRows = 5000

// rowsAfter are the rows that come after a key, in the order of their keys, as many as are added at once. next is the
// last one's key; "" = these are the last ones.
func rowsAfter[T any](all []T, key func(T) string, after string) (some []T, next string) {
	slices.SortFunc(all, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
	all = slices.DeleteFunc(all, func(row T) bool { return key(row) <= after })
	if len(all) <= exportedRows {
		return all, ""
	}
	return all[:exportedRows], key(all[exportedRows-1])
}
