package upstockcin7

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"stockbridge/internal/mirror"
	"stockbridge/internal/publish"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/catalogue"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/reference"
)

// The sets that Upstock is told, by their names: each is the kind of a progress of its own too.
const (
	setProducts  = "upstockProducts"
	setCustomers = "upstockCustomers"
	setLists     = "upstockLists"
	setPrices    = "upstockPrices"
)

// catalogSets are all of them.
func catalogSets() []string { return []string{setProducts, setCustomers, setLists, setPrices} }

// sourceOf is what the sets are made of: the account's rules, the copy of its records, and what is chosen.
func (p *Pair) sourceOf(b tenant.Bundle) (catalogue.Source, error) {
	books, err := reference.ReadBooks(b.Books)
	if err != nil {
		return catalogue.Source{}, err
	}
	rows := func(kind string) catalogue.Rows {
		return func(ctx context.Context, after string) iter.Seq2[mirror.Row, error] {
			return p.Mirror.Ordered(ctx, b.Tenant.ID, kind, after)
		}
	}
	s := catalogue.Source{
		Rules: catalogue.Rules{Currency: books.Me.Currency, Tiers: books.PriceTiers,
			Settings: catalogue.SettingsOf(b.Settings)},
		Products: rows(catalogue.ProductKind), Customers: rows(catalogue.CustomerKind),
		OwnPrices:       rows(catalogue.OwnKind),
		ChosenProducts:  p.chosenOf(b, JobProducts).ids,
		ChosenCustomers: p.chosenOf(b, JobCustomers).ids,
	}
	if s.Rules.Settings.OutOfStock {
		s.Stock = rows(catalogue.StockKind)
		s.StockProved = func(ctx context.Context) (bool, error) { return p.stockProved(ctx, b) }
	}
	return s, nil
}

// inUpstock are the products that Upstock has: lists hold these alone, as it knows no price of others.
func (p *Pair) inUpstock(b tenant.Bundle) catalogue.IDs {
	set := publish.Set{Name: setProducts, Account: catalogAccount(b)}
	return func(ctx context.Context, after string) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			for e, err := range p.publisher.All(ctx, b.Tenant.ID, set, publish.Key{ID: after}) {
				there := err == nil && e.Told != nil && e.ID != after
				if (there || err != nil) && !yield(e.ID, err) || err != nil {
					return
				}
			}
		}
	}
}

// setOf is a set without its far side, which no reading of it needs. Its label reads with ctx.
func (p *Pair) setOf(ctx context.Context, b tenant.Bundle, name string) (publish.Set, error) {
	s, err := p.sourceOf(b)
	return p.setFrom(ctx, b, s, name), err
}

func (p *Pair) setFrom(ctx context.Context, b tenant.Bundle, s catalogue.Source, name string) publish.Set {
	if name != setProducts {
		s.ChosenProducts = p.inUpstock(b)
	}
	set := publish.Set{Name: name, Account: catalogAccount(b)}
	switch name {
	case setProducts:
		set.Title, set.Want, set.Label = "products", s.WantProducts, catalogue.ProductLabel
	case setCustomers:
		set.Title, set.Want, set.Label = "customers", s.WantCustomers, catalogue.CustomerLabel
	case setLists:
		set.Title, set.Want, set.Label = "price lists", s.WantLists, catalogue.ListLabel
	case setPrices:
		set.Title, set.Want, set.Hold = "prices", s.WantPrices, s.Rules.Settings.Hold
		set.Label = p.priceLabel(ctx, b)
	}
	return set
}

// priceLabel names a price for people, by its product and its list.
func (p *Pair) priceLabel(ctx context.Context, b tenant.Bundle) func(publish.Record) string {
	return func(r publish.Record) string {
		x, err := p.productOf(ctx, b.Tenant.ID, r.ID)
		if err != nil || x == nil {
			return r.ID
		}
		lists, err := p.entriesOf(ctx, b, setLists, "", r.Group)
		if l, ok := lists[r.Group]; ok && err == nil {
			return productName(*x) + ", in " + priceListRow(l).Name
		}
		return productName(*x)
	}
}

// productOf is one of the mirror's products; nil = it has none of that id.
func (p *Pair) productOf(ctx context.Context, tenantID, id string) (*catalogue.Product, error) {
	rows, _, err := p.Mirror.Find(ctx, tenantID, []mirror.Key{{Kind: catalogue.ProductKind, ID: id}})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	x, err := catalogue.ReadProduct(rows[0])
	return &x, err
}

// source is what the sets are made of. A customer's card may be newer than the tiers, as another job reads customers
// meanwhile: a tier that is not known ends what is made of it, unless the tiers were read anew for that.
func (r *catalogRun) source() (catalogue.Source, error) {
	s, err := r.sourceOf(r.Part.Bundle)
	s.Unknown = func(tier string) error {
		if slices.Contains(r.place.Odd, tier) {
			return nil
		}
		return fmt.Errorf("%w: %.100q", catalogue.ErrTiers, tier)
	}
	return s, err
}

// oddTiers has the tiers read anew, and notes which of the names on customers' cards are not known by now: those that
// are not after that are of no tier.
func (r *catalogRun) oddTiers(ctx context.Context) error {
	s, err := r.sourceOf(r.Part.Bundle)
	if err != nil {
		return err
	}
	odd := map[string]bool{}
	for row, err := range r.Mirror.All(ctx, r.Part.Tenant, catalogue.CustomerKind) {
		var c catalogue.Customer
		if err == nil {
			c, err = catalogue.ReadCustomer(row)
		}
		if err != nil {
			return err
		}
		if !s.Rules.HasTier(c.Tier) && len(odd) < mostOdd {
			odd[c.Tier] = true
		}
	}
	r.place.Odd = slices.Sorted(maps.Keys(odd))
	r.GoTo("tiers")
	return r.Part.Soon()
}

// mostOdd is how many names are kept that no tier has.
const mostOdd = 500

// set is a set with Upstock as its far side.
func (r *catalogRun) set(ctx context.Context, name string) (publish.Set, error) {
	source, err := r.source()
	set := r.setFrom(ctx, r.Part.Bundle, source, name)
	set.Still = r.still
	if set.Of = r.place.Wanted[name]; name == ownSet(r.Part.Kind.Name) {
		set.Of += r.place.Counts["chosen"]
	}
	switch name {
	case setProducts:
		set.To = catalogue.ProductSide{Client: r.upstock, Images: r.images}
	case setCustomers:
		set.To = catalogue.CustomerSide{Client: r.upstock}
	case setLists:
		set.To = catalogue.ListSide{Client: r.upstock}
	case setPrices:
		set.To = recordedPrices{catalogue.PriceSide{Client: r.upstock, Missing: r.listGone}, r}
	}
	return set, err
}

// still ends a part whose tenant is not as it was when the part began: what it would tell may be of an account that is
// not connected any more, or a person has paused it. The next part finds how it is.
func (r *catalogRun) still(ctx context.Context) error {
	for _, sys := range []tenant.System{tenant.Upstock, tenant.Cin7Core} {
		now, err := r.Tenants.Connection(ctx, r.Part.Tenant, sys)
		if errors.Is(err, tenant.ErrNotFound) {
			return r.Part.Soon()
		}
		if err != nil {
			return err
		}
		if mirror.Moved(now, r.Part.Bundle.Connections[sys]) != nil {
			return r.Part.Soon()
		}
	}
	paused, _, err := r.Tenants.Paused(ctx, r.Part.Tenant, string(order.CatalogueFlow))
	if err == nil && paused {
		err = r.Part.Soon()
	}
	return err
}

// tellProducts tells Upstock of the products that are chosen.
func (r *catalogRun) tellProducts(ctx context.Context) error {
	set, err := r.set(ctx, setProducts)
	if err == nil {
		err = r.awaitImages(ctx, set)
	}
	if err != nil {
		return err
	}
	return r.tell(ctx, set)
}

// tellCustomers tells Upstock of the customers that are chosen, with the lists that they have now. One of whom it is
// not known for a while which of Upstock's it is stays as it was told.
func (r *catalogRun) tellCustomers(ctx context.Context) error {
	set, err := r.set(ctx, setCustomers)
	if err != nil {
		return err
	}
	keep := func(e publish.Entry) bool { return r.keepsCustomer(ctx, e) }
	return r.tellOfLists(ctx, set, keep, func(c publish.Record) string {
		if l := listOf(c.Data); l != nil {
			return l.ID
		}
		return ""
	})
}

// keepsCustomer reports whether a customer of Upstock's stays as it is although it is not among those that are wanted,
// as they were read a moment ago: it does unless its customer can be none there by what is known now. What cannot be
// read stays too.
func (r *catalogRun) keepsCustomer(ctx context.Context, e publish.Entry) bool {
	if e.Told == nil && e.Doubt == nil {
		return false
	}
	known, err := r.chosenOf(r.Part.Bundle, JobCustomers).get(ctx, e.ID)
	if row, there := known[e.ID]; err != nil || there && !row.State.told() {
		return true
	}
	c, err := r.customer(ctx, e.ID)
	return err != nil || c != nil && c.Unfit() == ""
}

// tellOfLists tells a set whose records name lists, after these. A record whose list was not told, as it came to be
// wanted since, stays as it is, and the run tells lists once more. What is not wanted stays where keep says so.
func (r *catalogRun) tellOfLists(
	ctx context.Context, set publish.Set, keep func(publish.Entry) bool, list func(publish.Record) string,
) error {
	told := map[string]bool{"": true}
	for l, err := range r.publisher.All(ctx, r.Part.Tenant, r.shelfOf(setLists), publish.Key{}) {
		if err != nil {
			return err
		}
		told[l.ID] = l.Told != nil
	}
	want, early := set.Want, map[string]bool{} // by group, else by id
	set.Want = func(ctx context.Context, after publish.Key) iter.Seq2[publish.Record, error] {
		return func(yield func(publish.Record, error) bool) {
			for x, err := range want(ctx, after) {
				if err == nil && !told[list(x)] {
					early[cmp.Or(x.Group, x.ID)] = true
					continue
				}
				if !yield(x, err) || err != nil {
					return
				}
			}
		}
	}
	set.Want = r.publisher.Keeping(r.Part.Tenant, set, func(e publish.Entry) bool {
		return early[cmp.Or(e.Group, e.ID)] || keep != nil && keep(e)
	})
	err := r.tell(ctx, set)
	r.place.Early = r.place.Early || len(early) > 0
	return err
}

// tellLists tells Upstock of the price lists. Those that are not wanted any more stay: customers have them still.
func (r *catalogRun) tellLists(ctx context.Context) error {
	set, err := r.set(ctx, setLists)
	if err != nil {
		return err
	}
	set.Want = r.publisher.Keeping(r.Part.Tenant, set, func(publish.Entry) bool { return true })
	return r.tell(ctx, set)
}

// tellPrices tells Upstock of the prices. Those of lists that are not wanted any more stay as they are, until no
// customer has these lists.
func (r *catalogRun) tellPrices(ctx context.Context) error {
	set, err := r.set(ctx, setPrices)
	if err != nil {
		return err
	}
	source, err := r.source()
	if err != nil {
		return err
	}
	passed := map[string]bool{} // lists that are wanted, as far as they come before what is compared
	source.ChosenProducts = r.inUpstock(r.Part.Bundle)
	source.Passing = func(list string) { passed[list] = true }
	set.Want = func(ctx context.Context, after publish.Key) iter.Seq2[publish.Record, error] {
		clear(passed)
		return source.WantPrices(ctx, after)
	}
	return r.tellOfLists(ctx, set, func(e publish.Entry) bool { return !passed[e.Group] },
		func(price publish.Record) string { return price.Group })
}

// removeLists tells Upstock that lists go which nobody has any more.
func (r *catalogRun) removeLists(ctx context.Context) error {
	set, err := r.set(ctx, setLists)
	if err != nil {
		return err
	}
	return r.tell(ctx, set)
}

// forgetPrices forgets what was told of prices whose lists have gone.
func (r *catalogRun) forgetPrices(ctx context.Context) error {
	if !r.place.Gone {
		return nil
	}
	there := map[string]bool{}
	for l, err := range r.publisher.All(ctx, r.Part.Tenant, r.shelfOf(setLists), publish.Key{}) {
		if err != nil {
			return err
		}
		there[l.ID] = true
	}
	prices := r.shelfOf(setPrices)
	var gone []publish.Seen
	for e, err := range r.publisher.All(ctx, r.Part.Tenant, prices, publish.Key{}) {
		if err != nil {
			return err
		}
		if there[e.Group] {
			continue
		}
		if gone = append(gone, publish.Seen{Record: publish.Record{Key: e.Key}}); len(gone) < forgottenAtOnce {
			continue
		}
		if err := r.publisher.Learn(ctx, r.Part.Tenant, prices, gone...); err != nil {
			return err
		}
		gone = nil
	}
	return r.publisher.Learn(ctx, r.Part.Tenant, prices, gone...)
}

// listGone forgets a list that somebody removed in Upstock, with its prices: the next run tells them anew.
func (r *catalogRun) listGone(ctx context.Context, list string) error {
	prices := r.shelfOf(setPrices)
	var gone []publish.Seen
	for e, err := range r.publisher.All(ctx, r.Part.Tenant, prices, publish.Key{Group: list}) {
		if err != nil {
			return err
		}
		if e.Group != list {
			break
		}
		gone = append(gone, publish.Seen{Record: publish.Record{Key: e.Key}})
	}
	if err := r.publisher.Learn(ctx, r.Part.Tenant, prices, gone...); err != nil {
		return err
	}
	return r.publisher.Learn(ctx, r.Part.Tenant, r.shelfOf(setLists),
		publish.Seen{Record: publish.Record{Key: publish.Key{ID: list}}})
}

// forgottenAtOnce is how many prices are forgotten at once.
const forgottenAtOnce = 2000

// shelfOf is a set by which what was told is found.
func (r *catalogRun) shelfOf(set string) publish.Set {
	return publish.Set{Name: set, Account: r.account}
}
