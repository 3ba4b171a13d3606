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
	_, err := ReadBooks(r.Bundle.Books) // unreadable: all of them anew
	var read []func(*sale.Books)
	whole := false // all books are read
	pass := mirror.Pass{
		Tenants: tenants, System: tenant.Cin7Core, Lease: lease, Fold: foldVersion, Rows: r.Catalog.version(),
		Anew: err != nil,
		Keep: func(ctx context.Context) error {
			books, err := r.saveBooks(ctx, r.beforePass(), read...)
			if err != nil || !whole {
				return err
			}
			return warn(ctx, tenants, conn, bookWarnings(books))
		},
		Lists: []mirror.List{
			{Name: "customers", Title: "customers", Kind: customerRows, More: r.Catalog.CustomerKinds,
				Numbered: r.Catalog.Numbered, Page: r.customersPage(c)},
			{Name: "products", Title: "products", Kind: productRows, More: r.Catalog.ProductKinds,
				Page: r.productsPage(c)},
		},
	}
	for i, b := range bookTitles {
		pass.Books = append(pass.Books, mirror.Book{Name: b[0], Title: b[1], Read: func(ctx context.Context) error {
			put, err := readBook(ctx, c, b[0])
			if err == nil {
				read = append(read, put)
			}
			whole = err == nil && i == len(bookTitles)-1
			return err
		}})
	}
	return pass
}

// beforePass is an instant that only the pass began after that is under way, or begins now.
func (r Reader) beforePass() time.Time {
	if m := r.state(); m.Step == "" {
		return m.Started
	}
	return r.state().Started.Add(-time.Second)
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

func (r Reader) customersPage(c *cin7core.Client) func(context.Context, int, int) (mirror.Page, error) {
	return func(ctx context.Context, n, parts int) (mirror.Page, error) {
		p, err := PartOf(c, parts).CustomersPage(ctx, r.Catalog.Customers(cin7core.CustomersQuery{Page: n}))
		return mirror.Page{Rows: r.customerRows(p.Items), Total: p.Total, More: p.More}, largeOr(err)
	}
}

func (r Reader) productsPage(c *cin7core.Client) func(context.Context, int, int) (mirror.Page, error) {
	return func(ctx context.Context, n, parts int) (mirror.Page, error) {
		p, err := PartOf(c, parts).ProductsPage(ctx, r.Catalog.Products(cin7core.ProductsQuery{Page: n}))
		return mirror.Page{Rows: r.productRows(p.Items), Total: p.Total, More: p.More}, largeOr(err)
	}
}
