package upstockcin7

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strings"

	"stockbridge/internal/ledger"
	"stockbridge/internal/match"
	"stockbridge/internal/mirror"
	"stockbridge/internal/publish"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/catalogue"
	"stockbridge/internal/upstockcin7/reference"
)

// mostLooked is how many records a page of a list looks through.
const mostLooked = 5000

// listing collects a page of a list.
type listing[R any] struct {
	limit, looked int
	rows          []R
	next          string
}

func newListing[R any](q CatalogQuery) *listing[R] {
	return &listing[R]{limit: min(max(q.Limit, 1), 100)}
}

// add adds a row, if it fits. It reports whether the page has room for more.
func (l *listing[R]) add(id string, fits bool, row func() R) (more bool) {
	l.looked++
	if fits {
		l.rows = append(l.rows, row())
	}
	if len(l.rows) < l.limit && l.looked < mostLooked {
		return true
	}
	l.next = id
	return false
}

// standingAt is how a record stands, by what is kept of it.
func standingAt(e publish.Entry) Standing {
	s := Standing{Has: e.Told != nil, At: e.At, State: string(e.State), Why: e.Why, Since: e.Since}
	if e.Doubt != nil && s.State == "" {
		s.State, s.Why = "doubt", "What became of the last call is not known. It is sent again by itself."
	}
	return s
}

// entriesOf reads how records stand, by id.
func (p *Pair) entriesOf(
	ctx context.Context, b tenant.Bundle, set, group string, ids ...string,
) (map[string]publish.Entry, error) {
	keys := make([]publish.Key, len(ids))
	for i, id := range ids {
		keys[i] = publish.Key{Group: group, ID: id}
	}
	list, err := p.publisher.Entries(ctx, b.Tenant.ID, publish.Set{Name: set, Account: catalogAccount(b)}, keys...)
	by := map[string]publish.Entry{}
	for _, e := range list {
		by[e.ID] = e
	}
	return by, err
}

// rowsAt are the mirror's rows of a kind by id, as far as it has them.
func (p *Pair) rowsAt(ctx context.Context, b tenant.Bundle, kind string, ids ...string) (map[string]mirror.Row, error) {
	keys := make([]mirror.Key, len(ids))
	for i, id := range ids {
		keys[i] = mirror.Key{Kind: kind, ID: id}
	}
	rows, _, err := p.Mirror.Find(ctx, b.Tenant.ID, keys)
	by := map[string]mirror.Row{}
	for _, row := range rows {
		by[row.ID] = row
	}
	return by, err
}

// chosenPages goes through what is chosen after an id, some at a time, with the mirror's rows and how they stand.
func (p *Pair) chosenPages(
	ctx context.Context, b tenant.Bundle, kind, set, after string,
) iter.Seq2[chosenPage, error] {
	return func(yield func(chosenPage, error) bool) {
		var page chosenPage
		give := func() bool {
			ids := make([]string, len(page.chosen))
			for i, c := range page.chosen {
				ids[i] = c.ID
			}
			var err error
			shelf := p.chosenOf(b, kind)
			if page.rows, err = p.rowsAt(ctx, b, shelf.kindOf(), ids...); err == nil {
				page.entries, err = p.entriesOf(ctx, b, set, "", ids...)
			}
			more := yield(page, err) && err == nil
			page = chosenPage{}
			return more
		}
		for c, err := range p.chosenOf(b, kind).rows(ctx, after) {
			if err != nil {
				yield(page, err)
				return
			}
			if c.No {
				continue
			}
			if page.chosen = append(page.chosen, c); len(page.chosen) == 100 && !give() {
				return
			}
		}
		if len(page.chosen) > 0 {
			give()
		}
	}
}

// chosenPage is some of what is chosen.
type chosenPage struct {
	chosen  []chosenRow
	rows    map[string]mirror.Row
	entries map[string]publish.Entry
}

// Products lists products, a page in the order of ids: those that can be imported, or could but for what Why says
// (Importable; services never), or those that are to be in Upstock (Imported). A page may be short, or empty, and
// still have a next.
func (p *Pair) Products(ctx context.Context, b tenant.Bundle, q CatalogQuery) ([]ProductRow, string, error) {
	rules, err := p.sourceOf(b)
	if err != nil {
		return nil, "", err
	}
	l := newListing[ProductRow](q)
	if q.List == Imported {
		err = p.importedProducts(ctx, b, rules, q, l)
	} else {
		err = p.importableProducts(ctx, b, rules, q, l)
	}
	return l.rows, l.next, err
}

func (p *Pair) importableProducts(
	ctx context.Context, b tenant.Bundle, s catalogue.Source, q CatalogQuery, l *listing[ProductRow],
) error {
	after := reference.ID(q.After)
	next, stop := iter.Pull2(s.ChosenProducts(ctx, after))
	defer stop()
	known, kerr, there := next()
	for row, err := range s.Products(ctx, after) {
		var x catalogue.Product
		if err == nil {
			x, err = catalogue.ReadProduct(row)
		}
		for err == nil && there && kerr == nil && known < row.ID {
			known, kerr, there = next()
		}
		if err == nil {
			err = kerr
		}
		if err != nil {
			return err
		}
		fits := !x.IsService() && holds(q.Q, x.SKU, x.Name, x.Barcode)
		if !l.add(row.ID, fits, func() ProductRow { return productRow(s, x, there && known == row.ID) }) {
			break
		}
	}
	return nil
}

// ProductsOfSKU are the products of exactly a SKU, whatever its case and blanks, and however many products there are;
// services are left out.
func (p *Pair) ProductsOfSKU(ctx context.Context, b tenant.Bundle, sku string) (list []ProductRow, err error) {
	key, ok := reference.SKUKey(sku)
	if !ok {
		return nil, nil
	}
	found, _, err := p.Mirror.Find(ctx, b.Tenant.ID, []mirror.Key{key})
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, row := range found {
		ids = append(ids, row.ID)
	}
	rows, err := p.rowsAt(ctx, b, catalogue.ProductKind, ids...)
	if err != nil {
		return nil, err
	}
	s, err := p.sourceOf(b)
	for _, id := range ids {
		row, there := rows[id]
		if err != nil || !there {
			continue
		}
		var x catalogue.Product
		if x, err = catalogue.ReadProduct(row); err == nil && !x.IsService() {
			list = append(list, productRow(s, x, false))
		}
	}
	return list, err
}

// productRow is a product in a list.
func productRow(s catalogue.Source, x catalogue.Product, imported bool) ProductRow {
	r := ProductRow{ID: x.ID, SKU: x.SKU, Name: x.Name, Price: s.Rules.DefaultPrice(x), Status: x.Status,
		Imported: imported, Why: x.Unfit()}
	if r.Importable = r.Why == "" && !imported; r.Why == "" && imported {
		r.Why = "It is imported already."
	}
	return r
}

func (p *Pair) importedProducts(
	ctx context.Context, b tenant.Bundle, s catalogue.Source, q CatalogQuery, l *listing[ProductRow],
) error {
	for page, err := range p.chosenPages(ctx, b, JobProducts, setProducts, reference.ID(q.After)) {
		if err != nil {
			return err
		}
		for _, c := range page.chosen {
			r, err := importedProduct(s, c, page)
			if err != nil {
				return err
			}
			if !l.add(c.ID, r != nil && holds(q.Q, r.SKU, r.Name), func() ProductRow { return *r }) {
				return nil
			}
		}
	}
	return nil
}

// importedProduct is a product that is chosen; nil = neither Cin7 Core nor Upstock has it.
func importedProduct(s catalogue.Source, c chosenRow, page chosenPage) (*ProductRow, error) {
	row, there := page.rows[c.ID]
	e, told := page.entries[c.ID]
	if !there && !told {
		return nil, nil
	}
	x := catalogue.Product{ID: c.ID, Name: c.ID}
	if there {
		var err error
		if x, err = catalogue.ReadProduct(row); err != nil {
			return nil, err
		}
	} else {
		x.Name = catalogue.ProductLabel(publish.Record{Key: e.Key, Data: e.Told})
	}
	r := productRow(s, x, true)
	r.Standing, r.Importable = standingAt(e), false
	switch r.Why = x.Unfit(); {
	case !there:
		r.Why = "Cin7 Core does not have it any more."
	case r.Why == "" && r.Standing.State != "":
		r.Why = r.Standing.Why
	}
	return &r, nil
}

// Customers lists customers, a page in the order of ids: those that can be imported (Importable), those that are to be
// in Upstock (Imported), those of which a person has to say whether they are there already (ToLink, with candidates),
// and the imported ones that are deprecated in Cin7 Core (Inactive). A page may be short, or empty, and still have a
// next.
func (p *Pair) Customers(ctx context.Context, b tenant.Bundle, q CatalogQuery) ([]CustomerRow, string, error) {
	s, err := p.sourceOf(b)
	if err != nil {
		return nil, "", err
	}
	l := newListing[CustomerRow](q)
	if q.List == Importable {
		err = p.importableCustomers(ctx, b, s, q, l)
	} else {
		err = p.chosenCustomers(ctx, b, s, q, l)
	}
	if err == nil {
		err = p.nameLists(ctx, b, l.rows)
	}
	return l.rows, l.next, err
}

// nameLists names the price lists of customers that their records in Upstock name by their ids alone: what they are
// called is what Upstock was told of them.
func (p *Pair) nameLists(ctx context.Context, b tenant.Bundle, rows []CustomerRow) error {
	var ids []string
	for _, r := range rows {
		if r.PriceList != nil && r.PriceList.Name == r.PriceList.ID {
			ids = append(ids, r.PriceList.ID)
		}
	}
	lists, err := p.entriesOf(ctx, b, setLists, "", ids...)
	for _, r := range rows {
		if r.PriceList == nil || r.PriceList.Name != r.PriceList.ID {
			continue
		}
		if e, ok := lists[r.PriceList.ID]; ok && err == nil {
			*r.PriceList = priceListRow(e).CatalogRef
		}
	}
	return err
}

func (p *Pair) importableCustomers(
	ctx context.Context, b tenant.Bundle, s catalogue.Source, q CatalogQuery, l *listing[CustomerRow],
) error {
	after := reference.ID(q.After)
	next, stop := iter.Pull2(p.chosenOf(b, JobCustomers).rows(ctx, after))
	defer stop()
	known, kerr, there := next()
	for row, err := range s.Customers(ctx, after) {
		var c catalogue.Customer
		if err == nil {
			c, err = catalogue.ReadCustomer(row)
		}
		for err == nil && there && kerr == nil && known.ID < row.ID {
			known, kerr, there = next()
		}
		if err == nil {
			err = kerr
		}
		if err != nil {
			return err
		}
		asked := there && known.ID == row.ID
		fits := !asked && holds(q.Q, c.Name, c.Contact, c.Email)
		if !l.add(row.ID, fits, func() CustomerRow {
			return CustomerRow{ID: c.ID, Name: c.Name, Active: c.Active, Why: c.Unfit()}
		}) {
			break
		}
	}
	return nil
}

func (p *Pair) chosenCustomers(
	ctx context.Context, b tenant.Bundle, s catalogue.Source, q CatalogQuery, l *listing[CustomerRow],
) error {
	for page, err := range p.chosenPages(ctx, b, JobCustomers, setCustomers, reference.ID(q.After)) {
		if err != nil {
			return err
		}
		for _, c := range page.chosen {
			r, err := chosenCustomer(s, c, page.rows, page.entries[c.ID])
			if err != nil {
				return err
			}
			fits := r != nil && inList(q.List, c, *r) && holds(q.Q, r.Name)
			if !l.add(c.ID, fits, func() CustomerRow { return *r }) {
				return nil
			}
		}
	}
	return nil
}

// inList reports whether a customer that is chosen is in a list.
func inList(list string, c chosenRow, r CustomerRow) bool {
	switch list {
	case ToLink:
		return c.State == isUnsure && r.Active
	case Inactive:
		return !r.Active && c.State.told()
	}
	return c.State != isUnsure && r.Active
}

// chosenCustomer is a customer that is chosen; nil = neither Cin7 Core nor Upstock has it.
func chosenCustomer(
	s catalogue.Source, c chosenRow, rows map[string]mirror.Row, e publish.Entry,
) (*CustomerRow, error) {
	row, there := rows[c.ID]
	if !there && e.Key == (publish.Key{}) {
		return nil, nil
	}
	r := &CustomerRow{ID: c.ID, Imported: c.State.told(), Standing: standingAt(e), Theirs: c.Theirs}
	for _, x := range c.Candidates {
		r.Candidates = append(r.Candidates, CustomerCandidate{Theirs: x.Theirs, Name: x.Name, Email: x.Email,
			Phone: x.Phone, Town: x.Town, Score: x.Score, Reasons: x.Reasons, Back: x.Back})
	}
	if !there {
		r.Name, r.Why = catalogue.CustomerLabel(publish.Record{Key: e.Key, Data: e.Told}),
			"Cin7 Core does not have it any more."
		return r, nil
	}
	x, err := catalogue.ReadCustomer(row)
	if err != nil {
		return nil, err
	}
	r.Name, r.Active = x.Name, x.Active
	list, why := s.Rules.ListOf(x)
	if e.Told != nil { // by the list that Upstock has, as own prices count there
		list = namedList(s.Rules, x, listOf(e.Told))
	}
	if list != nil {
		r.PriceList = &CatalogRef{list.ID, list.Name}
	}
	switch {
	case c.Why != "":
		r.Why = c.Why
	case r.Standing.State != "":
		r.Why = r.Standing.Why
	case c.State == isAsked || c.State == chooseLink:
		r.Why = "It is imported with the next run."
	default:
		r.Why = why
	}
	return r, nil
}

// listOf is the price list of a customer's record; nil = none.
func listOf(customer json.RawMessage) *catalogue.List {
	var told struct {
		List string `json:"priceListExternalId"`
	}
	if json.Unmarshal(customer, &told) != nil || told.List == "" {
		return nil
	}
	return &catalogue.List{ID: told.List, Name: told.List}
}

// namedList is the list that Upstock has of a customer, with its name where it is one that the customer may have.
func namedList(rules catalogue.Rules, c catalogue.Customer, told *catalogue.List) *catalogue.List {
	for _, own := range []int{1, 0} {
		c.OwnPrices = own
		if l, _ := rules.ListOf(c); l != nil && told != nil && l.ID == told.ID {
			return l
		}
	}
	return told
}

// PriceLists lists the price lists, a page in the order of their names: those after a list, or after its id as a name
// where it is gone. What a page costs grows with how many lists there are, which are read all for their names.
func (p *Pair) PriceLists(
	ctx context.Context, b tenant.Bundle, after string, limit int,
) (rows []PriceListRow, next string, err error) {
	set := publish.Set{Name: setLists, Account: catalogAccount(b)}
	limit = min(max(limit, 1), 100)
	last := namePlace{match.Fold(after), after}
	lists := map[namePlace]PriceListRow{}
	for e, err := range p.publisher.All(ctx, b.Tenant.ID, set, publish.Key{}) {
		if err != nil {
			return nil, "", err
		}
		if e.Told == nil && e.State == "" && e.Doubt == nil {
			continue
		}
		row := priceListRow(e)
		if lists[nameOf(row.CatalogRef)] = row; e.ID == after {
			last = nameOf(row.CatalogRef)
		}
	}
	order := slices.SortedFunc(maps.Keys(lists), namePlace.compare)
	if after != "" {
		order = slices.DeleteFunc(order, func(n namePlace) bool { return n.compare(last) <= 0 })
	}
	if len(order) > limit {
		order, next = order[:limit], order[limit-1].id
	}
	for _, n := range order {
		rows = append(rows, lists[n])
	}
	members, err := p.members(ctx, b, func(list string) bool {
		return slices.ContainsFunc(rows, func(r PriceListRow) bool { return r.ID == list })
	}, 0)
	for i := range rows {
		rows[i].Customers = members[rows[i].ID].n
	}
	return rows, next, err
}

// namePlace is the place of a record among others for people: by its name, as a reader compares it, then by its id.
type namePlace struct{ name, id string }

func nameOf(r CatalogRef) namePlace { return namePlace{match.Fold(r.Name), r.ID} }

func (n namePlace) compare(other namePlace) int {
	return cmp.Or(cmp.Compare(n.name, other.name), cmp.Compare(n.id, other.id))
}

func priceListRow(e publish.Entry) PriceListRow {
	data := e.Told
	if data == nil {
		data = e.Sent
	}
	return PriceListRow{CatalogRef: CatalogRef{e.ID, catalogue.ListLabel(publish.Record{Key: e.Key, Data: data})},
		Standing: standingAt(e)}
}

// listMembers are the customers of a list, as Upstock was told.
type listMembers struct {
	n     int
	first []CatalogRef
}

// members counts the customers of lists, and names so many of each, the first by their names.
func (p *Pair) members(
	ctx context.Context, b tenant.Bundle, wanted func(list string) bool, names int,
) (map[string]listMembers, error) {
	all := map[string]listMembers{}
	set := publish.Set{Name: setCustomers, Account: catalogAccount(b)}
	for e, err := range p.publisher.All(ctx, b.Tenant.ID, set, publish.Key{}) {
		if err != nil {
			return nil, err
		}
		list := listOf(e.Told)
		if list == nil || !wanted(list.ID) {
			continue
		}
		m := all[list.ID]
		if m.n++; names > 0 {
			name := catalogue.CustomerLabel(publish.Record{Key: e.Key, Data: e.Told})
			m.first = append(m.first, CatalogRef{e.ID, name})
		}
		all[list.ID] = m
	}
	for list, m := range all {
		slices.SortFunc(m.first, func(a, b CatalogRef) int { return nameOf(a).compare(nameOf(b)) })
		m.first = m.first[:min(len(m.first), names)]
		all[list] = m
	}
	return all, nil
}

// mostMembers is how many customers of a list are named.
const mostMembers = 100

// PriceList is a page of a price list, the prices of products after an id; ledger.ErrNotFound where there is none.
func (p *Pair) PriceList(ctx context.Context, b tenant.Bundle, id, after string, limit int) (PriceListView, error) {
	lists, err := p.entriesOf(ctx, b, setLists, "", id)
	if err != nil {
		return PriceListView{}, err
	}
	e, there := lists[id]
	if !there {
		return PriceListView{}, ledger.ErrNotFound
	}
	v := PriceListView{PriceListRow: priceListRow(e)}
	members, err := p.members(ctx, b, func(list string) bool { return list == id }, mostMembers)
	if err != nil {
		return v, err
	}
	v.Customers, v.Members = members[id].n, members[id].first
	limit, after = min(max(limit, 1), 100), strings.ToLower(after)
	set := publish.Set{Name: setPrices, Account: catalogAccount(b)}
	var found []publish.Entry
	for e, err := range p.publisher.All(ctx, b.Tenant.ID, set, publish.Key{Group: id, ID: after}) {
		if err != nil {
			return v, err
		}
		if e.Group != id || len(found) == limit {
			if e.Group == id {
				v.Next = found[limit-1].ID
			}
			break
		}
		if e.ID != after && (e.Told != nil || e.State != "" || e.Doubt != nil) {
			found = append(found, e)
		}
	}
	v.Prices, err = p.listedPrices(ctx, b, found)
	return v, err
}

// listedPrices are prices with the names of their products.
func (p *Pair) listedPrices(
	ctx context.Context, b tenant.Bundle, found []publish.Entry,
) (list []ListedPrice, err error) {
	refs, err := p.productRefs(ctx, b, found)
	for _, e := range found {
		list = append(list, ListedPrice{refs[e.ID], catalogue.PriceOf(e.Told), standingAt(e)})
	}
	return list, err
}

// productRefs names the products of prices.
func (p *Pair) productRefs(ctx context.Context, b tenant.Bundle, of []publish.Entry) (map[string]ProductRef, error) {
	ids := make([]string, len(of))
	for i, e := range of {
		ids[i] = e.ID
	}
	return p.productNames(ctx, b, ids...)
}

func (p *Pair) productNames(ctx context.Context, b tenant.Bundle, ids ...string) (map[string]ProductRef, error) {
	rows, err := p.rowsAt(ctx, b, catalogue.ProductKind, ids...)
	refs := map[string]ProductRef{}
	for _, id := range ids {
		refs[id] = ProductRef{ID: id}
		if row, ok := rows[id]; ok && err == nil {
			var x catalogue.Product
			if x, err = catalogue.ReadProduct(row); err == nil {
				refs[id] = ProductRef{id, x.SKU, x.Name}
			}
		}
	}
	return refs, err
}
