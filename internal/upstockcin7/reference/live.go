package reference

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/ledger"
	"stockbridge/internal/match"
	"stockbridge/internal/mirror"
	"stockbridge/internal/rest"
	"stockbridge/internal/upstockcin7/sale"
)

// mostAlike is how many records beside those that fit are kept for a person to choose from.
const mostAlike = 200

// mostLive is how many calls one order may spend on live reads.
const mostLive = 20

// Live reads the wants from Cin7 Core itself and writes what it learns into
// the mirror. More products than a few are first looked for among all that
// changed since the last pass, which is one call: a season's new products come
// in one order. ErrUnread: the mirror has to be read anew first.
func (r Reader) Live(
	ctx context.Context, c *cin7core.Client, ref sale.Reference, wants []sale.Want,
) (sale.Reference, error) {
	l := &liveReads{ctx: ctx, client: c, ref: ref, left: mostLive, read: map[mirror.Key]bool{}}
	l.ref.Customers, l.ref.Products = slices.Clone(ref.Customers), slices.Clone(ref.Products)
	l.ref.Goods = maps.Clone(ref.Goods)
	more, err := r.goodsOf(ctx, wants, &l.ref)
	if err != nil {
		return ref, err
	}
	began := r.Now()
	err = l.all(append(slices.Clone(wants), more...), r.state())
	if serr := l.save(r); err == nil {
		err = serr
	}
	if _, asked := WithoutChangedCustomers(wants); asked && err == nil {
		err = r.noteCustomersRead(ctx, began)
	}
	if err != nil {
		return ref, err
	}
	l.ref.Live = true
	return l.ref, nil
}

// goodsOf adds the links of products that are looked for by SKU after all, as the id that Upstock has leads nowhere,
// and wants those that they lead to.
func (r Reader) goodsOf(ctx context.Context, wants []sale.Want, ref *sale.Reference) (more []sale.Want, err error) {
	keys := map[string]string{} // of the link: match.SKU
	for _, w := range wants {
		if key := match.SKU(w.SKU); w.Kind == sale.WantProduct && key != "" && ref.Goods[key].ID == "" {
			keys[r.Key(SKULink(w.SKU))] = key
		}
	}
	froms := slices.Sorted(maps.Keys(keys))
	links, err := r.Ledger.Links(ctx, r.Bundle.Tenant.ID, sale.ProductLinks, froms...)
	if err != nil {
		return nil, err
	}
	for _, from := range froms {
		link, ok := links[from]
		if !ok {
			continue
		}
		if ref.Goods == nil {
			ref.Goods = map[string]ledger.Link{}
		}
		ref.Goods[keys[from]] = link
		more = append(more, sale.Want{Kind: sale.WantProduct, ID: link.ID})
	}
	return more, nil
}

// ErrUnread: what the mirror has of customers' names cannot be relied on, and cannot be made good with the calls that
// one order may spend.
var ErrUnread = errors.New("not all customers were read")

// liveReads is one order's live reads.
type liveReads struct {
	ctx    context.Context
	client *cin7core.Client
	ref    sale.Reference
	left   int                 // calls
	books  []func(*sale.Books) // read live
	read   map[mirror.Key]bool // read live
	rows   []mirror.Row
	gone   []mirror.Key
}

// may spends one call, if there is one left. Past the last one the mirror is believed.
func (l *liveReads) may() bool { l.left--; return l.left >= 0 }

func (l *liveReads) all(wants []sale.Want, m mirror.State) error {
	products := 0
	for _, w := range wants {
		var err error
		switch {
		case w.Kind == sale.WantProduct:
			products++
		case w.Kind == sale.WantChangedProducts:
			products = max(products, 6)
		case w.Kind == sale.WantCustomer:
			err = l.customer(w)
		case w.Kind == sale.WantChangedCustomers:
			err = l.changedCustomers(m, w.Name)
		case l.may():
			err = l.book(w.Kind)
		}
		if err != nil {
			return fmt.Errorf("read %s live: %w", w.Kind, err)
		}
	}
	if products > 5 && !m.Started.IsZero() {
		if err := l.changedSince(m); err != nil {
			return fmt.Errorf("read changed products live: %w", err)
		}
	}
	// By SKU first: the answer often holds what is wanted by id too.
	for _, byID := range []bool{false, true} {
		for _, w := range wants {
			if w.Kind != sale.WantProduct || (w.ID != "") != byID {
				continue
			}
			if err := l.product(w); err != nil {
				return fmt.Errorf("read product live: %w", err)
			}
		}
	}
	return nil
}

// book reads a book.
func (l *liveReads) book(kind string) error {
	put, err := readBook(l.ctx, l.client, kind)
	if err == nil {
		put(&l.ref.Books)
		l.books = append(l.books, put)
	}
	return err
}

// changedSince reads the products that changed since the last complete pass
// began, an hour earlier for the sake of clocks.
func (l *liveReads) changedSince(m mirror.State) error {
	since := m.Started
	if m.Step != "" { // of the running pass, which may not have come to the products yet
		since = m.Ready
	}
	const most = 5
	q := cin7core.ProductsQuery{ModifiedSince: since.Add(-time.Hour), IncludeDeprecated: true}
	for q.Page = 1; q.Page <= most && l.may(); q.Page++ {
		p, err := l.client.ProductsPage(l.ctx, q)
		if err != nil {
			return err
		}
		for _, x := range p.Items {
			l.haveProduct(x)
		}
		if !p.More {
			break
		}
	}
	return nil
}

// changedCustomers reads the customers that changed since the last complete pass began, an hour earlier for the sake
// of clocks: all of them, as each may have the name that is looked for. A mirror of an earlier version has to be read
// anew.
func (l *liveReads) changedCustomers(m mirror.State, name string) error {
	if m.Fold != foldVersion {
		return ErrUnread
	}
	since := m.Started
	if m.Step != "" { // of the running pass, which may not have come to the customers yet
		since = m.Ready
	}
	q := cin7core.CustomersQuery{ModifiedSince: since.Add(-time.Hour), IncludeDeprecated: true}
	key, _ := nameKey(customerNames, name)
	for q.Page = 1; ; q.Page++ {
		if !l.may() {
			return ErrUnread
		}
		p, err := l.client.CustomersPage(l.ctx, q)
		if err != nil {
			return err
		}
		for _, x := range p.Items {
			r := customerRow(x)
			if slices.Contains(r.Names, mirror.Name{Key: key}) || slices.ContainsFunc(l.ref.Customers, x.SameAs) {
				l.haveCustomer(x)
			} else {
				l.keep(r)
			}
		}
		if !p.More {
			return nil
		}
	}
}

func (l *liveReads) haveProduct(x cin7core.Product) {
	l.keep(productRow(x))
	l.ref.Products = replaced(l.ref.Products, x, sameID(x))
}

func sameID(x cin7core.Product) func(cin7core.Product) bool {
	return func(y cin7core.Product) bool { return strings.EqualFold(x.ID, y.ID) }
}

func (l *liveReads) haveCustomer(x cin7core.Customer) {
	l.keep(customerRow(x))
	l.ref.Customers = replaced(l.ref.Customers, x, x.SameAs)
}

func (l *liveReads) keep(r mirror.Row) {
	if r.ID != "" && !l.read[r.Key] {
		l.read[r.Key] = true
		l.rows = append(l.rows, r)
	}
}

func replaced[T any](list []T, x T, same func(T) bool) []T {
	if i := slices.IndexFunc(list, same); i >= 0 {
		list[i] = x
		return list
	}
	return append(list, x)
}

// byID reads one record; one that is not there is forgotten.
func (l *liveReads) byID(kind, id string) error {
	k := mirror.Key{Kind: kind, ID: ID(id)}
	if l.read[k] || !l.may() {
		return nil
	}
	var err error
	if kind == customerRows {
		var x cin7core.Customer
		if x, err = l.client.Customer(l.ctx, k.ID); err == nil {
			l.haveCustomer(x)
		}
	} else {
		var x cin7core.Product
		if x, err = l.client.Product(l.ctx, k.ID); err == nil {
			l.haveProduct(x)
		}
	}
	if rest.KindOf(err) != rest.NotFound {
		return err
	}
	l.read[k] = true
	l.gone = append(l.gone, k)
	if kind == customerRows {
		l.ref.Customers = slices.DeleteFunc(l.ref.Customers, func(x cin7core.Customer) bool { return ID(x.ID) == k.ID })
	} else {
		l.ref.Products = slices.DeleteFunc(l.ref.Products, func(x cin7core.Product) bool { return ID(x.ID) == k.ID })
	}
	return nil
}

// customer reads what is wanted of a customer. A card that the mirror has under
// that name and the vendor no longer lists is read by its id.
func (l *liveReads) customer(w sale.Want) error {
	if w.ID != "" {
		return l.byID(customerRows, w.ID)
	}
	q := cin7core.CustomersQuery{Name: w.Name, ContactFilter: w.Email, IncludeDeprecated: true}
	kind, text := customerNames, w.Name
	if w.Name == "" {
		kind, text = customerMails, w.Email
	}
	key, ok := nameKey(kind, text)
	if !ok || !l.may() {
		return nil
	}
	p, err := l.client.CustomersPage(l.ctx, q)
	if err != nil {
		return err
	}
	fits := func(r mirror.Row) bool { return slices.Contains(r.Names, mirror.Name{Key: key}) }
	for _, x := range p.Items {
		if fits(customerRow(x)) {
			l.haveCustomer(x)
		} else if !slices.ContainsFunc(l.ref.Customers, x.SameAs) && len(l.ref.Customers) < mostAlike {
			l.ref.Customers = append(l.ref.Customers, x) // for a person to choose from
		}
	}
	for _, x := range slices.Clone(l.ref.Customers) {
		if fits(customerRow(x)) {
			if err := l.byID(customerRows, x.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// product reads what is wanted of a product, unless it was just read.
func (l *liveReads) product(w sale.Want) error {
	if w.ID != "" {
		return l.byID(productRows, w.ID)
	}
	fits := func(x cin7core.Product) bool {
		if w.SKU != "" {
			return match.SKU(x.SKU) == match.SKU(w.SKU)
		}
		return match.Same(x.Name, w.Name)
	}
	fresh := func(x cin7core.Product) bool {
		return fits(x) && l.read[mirror.Key{Kind: productRows, ID: ID(x.ID)}]
	}
	if w.SKU+w.Name == "" || slices.ContainsFunc(l.ref.Products, fresh) {
		return nil
	}
	if err := l.findProduct(w, fits); err != nil {
		return err
	}
	for _, x := range slices.Clone(l.ref.Products) {
		if fits(x) {
			if err := l.byID(productRows, x.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// findProduct searches for a product by its SKU or name. The vendor's filters find more than what equals them, by the
// page.
func (l *liveReads) findProduct(w sale.Want, fits func(cin7core.Product) bool) error {
	const most = 3
	q := cin7core.ProductsQuery{SKU: w.SKU, Name: w.Name, IncludeDeprecated: true}
	for q.Page = 1; q.Page <= most && l.may(); q.Page++ {
		p, err := l.client.ProductsPage(l.ctx, q)
		if err != nil {
			return err
		}
		found := false
		for _, x := range p.Items {
			if fits(x) {
				found = true
				l.haveProduct(x)
			} else if w.SKU != "" {
				l.offerProduct(x)
			}
		}
		if found || !p.More {
			return nil
		}
	}
	return nil
}

// offerProduct keeps a product that is like the one wanted, for a person to choose from.
func (l *liveReads) offerProduct(x cin7core.Product) {
	if len(l.ref.Products) < mostAlike && !slices.ContainsFunc(l.ref.Products, sameID(x)) {
		l.ref.Products = append(l.ref.Products, x)
	}
}

// save writes what was learnt into the mirror.
func (l *liveReads) save(r Reader) error {
	to, tenantID := r.Mirror, r.Bundle.Tenant.ID
	if _, err := to.Save(l.ctx, tenantID, l.rows); err != nil {
		return err
	}
	for _, k := range l.gone {
		if _, err := to.Remove(l.ctx, tenantID, k.Kind, []string{k.ID}); err != nil {
			return err
		}
	}
	if len(l.books) == 0 {
		return nil
	}
	_, err := r.saveBooks(l.ctx, r.Now(), l.books...)
	return err
}
