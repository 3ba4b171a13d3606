package reference

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/ledger"
	"stockbridge/internal/match"
	"stockbridge/internal/mirror"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/sale"
)

// Reader reads the reference data of one tenant's account.
type Reader struct {
	Mirror *mirror.Store
	Ledger *ledger.Ledger
	Now    func() time.Time
	Bundle tenant.Bundle
	Key    func(id string) string // an id of Upstock's as it stands in our keys

	Catalog Catalog // what the mirror keeps beside what orders need
}

// SKULink is the id of a SKU's link, to go through a Reader's Key.
func SKULink(sku string) string { return url.QueryEscape(match.SKU(sku)) }

// Order reads what one order needs from the mirror: the books come with the
// bundle, the rest takes one read of the table per 100 lines, and one more
// where the customer is not linked in Upstock.
func (r Reader) Order(ctx context.Context, o upstock.Order) (sale.Reference, error) {
	books, err := ReadBooks(r.Bundle.Books)
	if err != nil {
		return sale.Reference{}, err
	}
	ref := sale.Reference{Books: books}
	ref.Supplier, _ = strconv.ParseInt(r.Bundle.Connections[tenant.Upstock].Account, 10, 64)
	links := r.links(o)
	rows, to, err := r.Mirror.Find(ctx, r.Bundle.Tenant.ID, r.keys(o), links.all...)
	if err != nil {
		return ref, err
	}
	ref.Link, ref.Goods = to[links.customer], map[string]ledger.Link{}
	for key, link := range links.goods {
		if to[link].ID != "" {
			ref.Goods[key] = to[link]
		}
	}
	for _, row := range rows {
		if row.Kind == customerRows {
			ref.Customers, err = readRow(ref.Customers, row)
		} else {
			ref.Products, err = readRow(ref.Products, row)
		}
		if err != nil {
			return ref, err
		}
	}
	return ref, nil
}

// state is how far the mirror is.
func (r Reader) state() mirror.State {
	return mirror.Progress.Of(r.Bundle.Connections[tenant.Cin7Core])
}

// keys lead to the rows that an order needs.
func (r Reader) keys(o upstock.Order) []mirror.Key {
	var keys []mirror.Key
	former := r.state().Fold != foldVersion
	named := func(kind, text string) {
		if k, ok := nameKey(kind, text); ok {
			keys = append(keys, k)
		}
		if k, ok := formerKey(kind, text); ok && former {
			keys = append(keys, k)
		}
	}
	for _, w := range sale.Needs(o, sale.SettingsOf(r.Bundle.Settings)) {
		switch {
		case w.Kind == sale.WantCustomer && w.ID != "":
			keys = append(keys, mirror.Key{Kind: customerRows, ID: ID(w.ID)})
		case w.Kind == sale.WantCustomer && w.Name != "":
			named(customerNames, w.Name)
		case w.Kind == sale.WantCustomer:
			named(customerMails, w.Email)
		case w.ID != "":
			keys = append(keys, mirror.Key{Kind: productRows, ID: ID(w.ID)})
		case w.SKU != "":
			named(productSKUs, w.SKU)
		default:
			named(serviceNames, w.Name)
		}
	}
	return keys
}

// orderLinks are the links that an order may go by.
type orderLinks struct {
	customer mirror.Link            // zero: the order does not say which customer of Upstock's it is for
	goods    map[string]mirror.Link // by match.SKU
	all      []mirror.Link
}

func (r Reader) links(o upstock.Order) orderLinks {
	l := orderLinks{goods: map[string]mirror.Link{}}
	if o.Customer.ID > 0 {
		id := strconv.FormatInt(o.Customer.ID, 10)
		l.customer = mirror.Link{Kind: sale.CustomerLinks, ID: r.Key(id), Row: customerRows}
	}
	l.all = []mirror.Link{l.customer}
	for _, line := range o.Lines {
		if key := match.SKU(line.SKU); key != "" && match.ID(line.ProductExternalID) == "" && l.goods[key].ID == "" {
			l.goods[key] = mirror.Link{Kind: sale.ProductLinks, ID: r.Key(SKULink(line.SKU)), Row: productRows}
			l.all = append(l.all, l.goods[key])
		}
	}
	return l
}

// Customers reads cards by their ids, as far as a tenant's mirror has them.
func Customers(ctx context.Context, m *mirror.Store, tenantID string, ids ...string) ([]cin7core.Customer, error) {
	return rowsAt[cin7core.Customer](ctx, m, tenantID, rowKeys(customerRows, ids))
}

// Products reads products by their ids, as far as a tenant's mirror has them.
func Products(ctx context.Context, m *mirror.Store, tenantID string, ids ...string) ([]cin7core.Product, error) {
	return rowsAt[cin7core.Product](ctx, m, tenantID, rowKeys(productRows, ids))
}

// Services reads service products of a tenant's mirror, so many at most.
func Services(ctx context.Context, m *mirror.Store, tenantID string, most int) ([]cin7core.Product, error) {
	keys, err := m.Members(ctx, tenantID, serviceNames, most)
	if err != nil {
		return nil, err
	}
	return rowsAt[cin7core.Product](ctx, m, tenantID, keys)
}

// EachCustomer goes through the cards of a tenant's mirror, in no order, until it is told not to.
func EachCustomer(
	ctx context.Context, m *mirror.Store, tenantID string, do func(cin7core.Customer) (more bool),
) error {
	return each(ctx, m, tenantID, customerRows, do)
}

// EachProduct goes through the products of a tenant's mirror, in no order, until it is told not to.
func EachProduct(ctx context.Context, m *mirror.Store, tenantID string, do func(cin7core.Product) (more bool)) error {
	return each(ctx, m, tenantID, productRows, do)
}

func each[T any](ctx context.Context, m *mirror.Store, tenantID, kind string, do func(T) (more bool)) error {
	for row, err := range m.All(ctx, tenantID, kind) {
		if err != nil {
			return err
		}
		list, err := readRow([]T(nil), row)
		if err != nil {
			return err
		}
		for _, x := range list {
			if !do(x) {
				return nil
			}
		}
	}
	return nil
}

func rowKeys(kind string, ids []string) []mirror.Key {
	keys := make([]mirror.Key, len(ids))
	for i, id := range ids {
		keys[i] = mirror.Key{Kind: kind, ID: ID(id)}
	}
	return keys
}

func rowsAt[T any](ctx context.Context, m *mirror.Store, tenantID string, keys []mirror.Key) ([]T, error) {
	rows, _, err := m.Find(ctx, tenantID, keys)
	if err != nil {
		return nil, err
	}
	var list []T
	for _, row := range rows {
		if list, err = readRow(list, row); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func readRow[T any](list []T, r mirror.Row) ([]T, error) {
	var x T
	if err := json.Unmarshal(r.Data, &x); err != nil {
		return list, fmt.Errorf("read %s %s of the mirror: %w", r.Kind, r.ID, err)
	}
	return append(list, x), nil
}
