package reference

import (
	"context"
	"errors"
	"slices"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/mirror"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/sale"
)

// Pass is the reading of all that the mirror holds of the tenant's account. A worker has the turn for the time of a
// lease.
func (r Reader) Pass(c *cin7core.Client, tenants *tenant.Store, lease time.Duration) mirror.Pass {
	conn := r.Bundle.Connections[tenant.Cin7Core]
	books, err := ReadBooks(r.Bundle.Books)
	if err != nil { // unreadable: all of them anew
		books = sale.Books{}
	}
	whole := false // all books are read
	pass := mirror.Pass{
		Tenants: tenants, System: tenant.Cin7Core, Lease: lease, Fold: foldVersion, Anew: err != nil,
		Keep: func(ctx context.Context) error {
			if _, err := r.Mirror.SaveBooks(ctx, conn.Tenant, keptBooks(books)); err != nil || !whole {
				return err
			}
			return warn(ctx, tenants, conn, bookWarnings(books))
		},
		Lists: []mirror.List{
			{Name: "customers", Title: "customers", Kind: customerRows, Page: customersPage(c)},
			{Name: "products", Title: "products", Kind: productRows, Page: productsPage(c)},
		},
	}
	for i, b := range bookTitles {
		pass.Books = append(pass.Books, mirror.Book{Name: b[0], Title: b[1], Read: func(ctx context.Context) error {
			err := readBook(ctx, c, &books, b[0])
			whole = err == nil && i == len(bookTitles)-1
			return err
		}})
	}
	return pass
}

// warn notes at a connection what in its account's books a person should know of.
func warn(ctx context.Context, tenants *tenant.Store, conn tenant.Connection, warnings []string) error {
	if slices.Equal(conn.Warnings, warnings) {
		return nil
	}
	_, err := tenants.Update(ctx, conn.Tenant, conn.System, func(c *tenant.Connection) error {
		c.Warnings = warnings
		return mirror.Moved(*c, conn)
	})
	if errors.Is(err, tenant.ErrNotFound) {
		return mirror.ErrMoved
	}
	return err
}

func customersPage(c *cin7core.Client) func(context.Context, int) (mirror.Page, error) {
	return func(ctx context.Context, n int) (mirror.Page, error) {
		p, err := c.CustomersPage(ctx, cin7core.CustomersQuery{IncludeDeprecated: true, Page: n})
		return mirror.Page{Rows: rowsOf(p.Items, customerRow), Total: p.Total, More: p.More}, err
	}
}

func productsPage(c *cin7core.Client) func(context.Context, int) (mirror.Page, error) {
	return func(ctx context.Context, n int) (mirror.Page, error) {
		p, err := c.ProductsPage(ctx, cin7core.ProductsQuery{IncludeDeprecated: true, Page: n})
		return mirror.Page{Rows: rowsOf(p.Items, productRow), Total: p.Total, More: p.More}, err
	}
}
