package upstockcin7

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/match"
	"stockbridge/internal/mirror"
	"stockbridge/internal/prose"
	"stockbridge/internal/publish"
	"stockbridge/internal/table"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/catalogue"
	"stockbridge/internal/upstockcin7/reference"
)

// readProducts reads what changed of the account's products, and what is in stock where that counts.
func (r *catalogRun) readProducts(ctx context.Context) error {
	if err := r.readChanges(ctx, r.Part, changedProducts, r.Progress.Begun); err != nil {
		return err
	}
	if r.Part.Kind.Name != JobProducts || !r.settings.OutOfStock {
		return nil
	}
	return r.readStock(ctx, r.Part, r.Progress.Begun)
}

// nameTiers reads how the account's price tiers are called by now.
func (r *catalogRun) nameTiers(ctx context.Context) error {
	if err := r.readTiers(ctx, r.Part); err != nil {
		return err
	}
	return r.reload(ctx)
}

// reload has the part stand on the tenant as it is now: what was read is written there.
func (r *catalogRun) reload(ctx context.Context) error {
	b, err := r.Tenants.Load(ctx, r.Part.Tenant)
	if err != nil {
		return err
	}
	r.Part.Bundle.Books = b.Books
	return nil
}

// learned is what was read of Upstock's own catalogue, as it was before us, and when.
type learned struct {
	Account   string    `json:"account"`
	Products  time.Time `json:"products,omitzero"`
	Customers time.Time `json:"customers,omitzero"`

	Theirs time.Time `json:"theirs,omitzero"` // when something of Upstock's customers was last found to be another
	Basis  string    `json:"basis,omitempty"` // what those were last compared by of whom it is not sure which they are
}

// learnedDoc is where that is noted.
const learnedDoc = "catalogLearned"

// learned is what was read of the account's.
func (r *catalogRun) learned(ctx context.Context) (l learned, err error) {
	if _, err = r.Ledger.Doc(ctx, r.Part.Tenant, learnedDoc, &l); l.Account != r.account {
		l = learned{Account: r.account}
	}
	return l, err
}

// noteLearned notes that Upstock's catalogue was read.
func (r *catalogRun) noteLearned(ctx context.Context, note func(*learned)) error {
	_, err := ledger.ChangeDoc(ctx, r.Ledger, r.Part.Tenant, learnedDoc, func(l *learned) (bool, error) {
		if l.Account != r.account {
			*l = learned{Account: r.account}
		}
		note(l)
		return true, nil
	})
	return err
}

// learnProducts reads once what Upstock has of the account's products: these count as imported.
func (r *catalogRun) learnProducts(ctx context.Context) error {
	l, err := r.learned(ctx)
	if err != nil || !l.Products.IsZero() {
		return err
	}
	for more := true; more; {
		var page upstock.Rows[upstock.Product]
		if err := r.Part.Call(ctx, func(ctx context.Context) (err error) {
			page, err = r.upstock.ProductsPage(ctx, r.place.After, upstock.MaxPage)
			return err
		}); err != nil {
			return r.pageGone(err)
		}
		if err := r.knowProducts(ctx, page.Items); err != nil {
			return err
		}
		if more = page.Next != ""; more {
			r.place.After = page.Next
			if err := r.Save(ctx); err != nil {
				return err
			}
		}
	}
	return r.noteLearned(ctx, func(l *learned) { l.Products = time.Now().UTC() })
}

// knowProducts notes products that Upstock has already, those of the account.
func (r *catalogRun) knowProducts(ctx context.Context, page []upstock.Product) error {
	byID := map[string]upstock.Product{}
	for _, x := range page {
		if id := reference.ID(x.ExternalID); match.ID(id) != "" {
			byID[id] = x
		}
	}
	rows, err := rowsOf(ctx, r, catalogue.ProductKind, byID)
	if err != nil {
		return err
	}
	var seen []publish.Seen
	var ids []string
	for _, row := range rows {
		data := catalogue.ProductSeen(byID[row.ID])
		seen = append(seen, publish.Seen{Record: publish.Record{Key: publish.Key{ID: row.ID}, Data: data}})
		ids = append(ids, row.ID)
	}
	set := publish.Set{Name: setProducts, Account: r.account}
	if err := r.publisher.Learn(ctx, r.Part.Tenant, set, seen...); err != nil {
		return err
	}
	added, err := r.chosenOf(r.Part.Bundle, JobProducts).add(ctx, func(string) chosen { return r.asItWas() }, ids...)
	r.Count("chosen", added)
	return err
}

// asItWas is what is known of what was in Upstock before.
func (r *catalogRun) asItWas() chosen {
	now := time.Now().UTC().Truncate(time.Second)
	return chosen{At: now, Was: true}.noted(now, "", "Found in Upstock, and taken for imported.")
}

// rowsOf are the mirror's rows of ids, as far as it has them.
func rowsOf[T any](ctx context.Context, r *catalogRun, kind string, ids map[string]T) ([]mirror.Row, error) {
	var keys []mirror.Key
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		keys = append(keys, mirror.Key{Kind: kind, ID: id})
	}
	rows, _, err := r.Mirror.Find(ctx, r.Part.Tenant, keys)
	return rows, err
}

// chooseProducts works off what people asked to have imported.
func (r *catalogRun) chooseProducts(ctx context.Context) error {
	return r.workOff(ctx, JobProducts, importableProduct)
}

// importableProduct says of a product's row how it can be imported.
func importableProduct(row mirror.Row) (importing, error) {
	x, err := catalogue.ReadProduct(row)
	return importing{name: productName(x), texts: []string{x.SKU, x.Name, x.Barcode}, unfit: x.Unfit()}, err
}

func productName(x catalogue.Product) string { return prose.Short(x.SKU + " " + x.Name) }

// importing is a record that may be imported.
type importing struct {
	name  string
	texts []string // in which words are looked for
	unfit string   // why it cannot be; "" = it can
}

// workOff chooses what people asked for, wish by wish. How far it is of a wish that names no ids stands in the place.
func (r *catalogRun) workOff(ctx context.Context, kind string, look func(mirror.Row) (importing, error)) error {
	shelf := r.chosenOf(r.Part.Bundle, kind)
	for {
		w, err := shelf.nextWish(ctx)
		if w == nil || err != nil {
			return err
		}
		if r.place.Wish != w.item.SK {
			r.place.Wish, r.place.After = w.item.SK, ""
		}
		if w.All {
			err = r.chooseAll(ctx, shelf, w, look)
		} else {
			err = r.chooseThese(ctx, shelf, w, look)
		}
		if err != nil {
			return err
		}
		if err := r.doneWith(ctx, w); err != nil {
			return err
		}
	}
}

// doneWith forgets a wish, together with how far the run is.
func (r *catalogRun) doneWith(ctx context.Context, w *wish) error {
	r.place.Wish, r.place.After = "", ""
	return r.Save(ctx, table.Remove(w.item))
}

func (w *wish) chosen(kind string) func(string) chosen {
	c := chosen{At: w.At.Truncate(time.Second), By: w.By}
	if kind == JobCustomers {
		c.State = isAsked
	}
	c = c.noted(w.At, w.By, "Chosen to be in Upstock.")
	return func(string) chosen { return c }
}

// kindOf is the mirror's kind of rows of what is chosen.
func (s shelfOfChosen) kindOf() string {
	if s.kind == JobCustomers {
		return catalogue.CustomerKind
	}
	return catalogue.ProductKind
}

// chooseThese chooses the ids of a wish. Those that cannot be imported are left out, and said.
func (r *catalogRun) chooseThese(
	ctx context.Context, shelf shelfOfChosen, w *wish, look func(mirror.Row) (importing, error),
) error {
	for ids := range slices.Chunk(w.IDs, 100) {
		keys := make([]mirror.Key, len(ids))
		for i, id := range ids {
			keys[i] = mirror.Key{Kind: shelf.kindOf(), ID: id}
		}
		rows, _, err := r.Mirror.Find(ctx, r.Part.Tenant, keys)
		if err != nil {
			return err
		}
		why := map[string]importing{}
		var fit []string
		for _, row := range rows {
			x, err := look(row)
			if err != nil {
				return err
			}
			if why[row.ID] = x; x.unfit == "" {
				fit = append(fit, row.ID)
			}
		}
		for _, id := range ids {
			if x, known := why[id]; !known {
				r.leave(id, id, "Cin7 Core has none of this id.")
			} else if x.unfit != "" {
				r.leave(id, x.name, x.unfit)
			}
		}
		added, err := shelf.add(ctx, w.chosen(shelf.kind), fit...)
		if err != nil {
			return err
		}
		r.Count("chosen", added)
	}
	return nil
}

func (r *catalogRun) leave(id, name, why string) {
	r.Count("left", 1)
	r.Progress.Leave(ledger.LeftOut{ID: id, Name: name, Why: why})
}

// chooseAll chooses all that can be imported and has the words of a wish.
func (r *catalogRun) chooseAll(
	ctx context.Context, shelf shelfOfChosen, w *wish, look func(mirror.Row) (importing, error),
) error {
	var buyers map[string]bool
	if w.BoughtSince != "" {
		var err error
		if buyers, err = r.buyers(ctx, w); err != nil {
			return err
		}
	}
	return r.chooseRows(ctx, shelf, w.chosen(shelf.kind), func(row mirror.Row) (bool, error) {
		x, err := look(row)
		return x.unfit == "" && (buyers == nil || buyers[row.ID]) && holds(w.Q, x.texts...), err
	})
}

// How many rows are looked at before what was met is written.
const chooseAtOnce, chooseLooked = 500, 5000

// chooseRows chooses the mirror's rows that fit, from the place on.
func (r *catalogRun) chooseRows(
	ctx context.Context, shelf shelfOfChosen, as func(string) chosen, fits func(mirror.Row) (bool, error),
) error {
	var some []string
	add := func() error {
		added, err := shelf.add(ctx, as, some...)
		if some = nil; !as("").No {
			r.Count("chosen", added)
		}
		return err
	}
	seen := 0
	for row, err := range r.Mirror.Ordered(ctx, r.Part.Tenant, shelf.kindOf(), r.place.After) {
		if err != nil {
			return err
		}
		fit, err := fits(row)
		if err != nil {
			return err
		}
		if fit {
			some = append(some, row.ID)
		}
		if seen++; len(some) < chooseAtOnce && seen%chooseLooked > 0 {
			continue
		}
		if err := add(); err != nil {
			return err
		}
		r.place.After = row.ID
		if err := cmp.Or(r.Save(ctx), r.Part.Short(ctx)); err != nil {
			return err
		}
	}
	return add()
}

// newProducts is since when new products are imported by themselves, in this account.
type newProducts struct {
	Account string    `json:"account"`
	Since   time.Time `json:"since"`
}

const newProductsDoc = "catalogNew"

// chooseNew chooses products that are new in Cin7 Core, where the setting says so. Those that were there when it was
// first met are noted as not wanted: they are not new.
func (r *catalogRun) chooseNew(ctx context.Context) error {
	var since newProducts
	if _, err := r.Ledger.Doc(ctx, r.Part.Tenant, newProductsDoc, &since); err != nil {
		return err
	}
	if !r.settings.ImportNewProducts {
		if since.Account == "" {
			return nil
		}
		_, err := ledger.ChangeDoc(ctx, r.Ledger, r.Part.Tenant, newProductsDoc, func(d *newProducts) (bool, error) {
			*d = newProducts{}
			return true, nil
		})
		return err
	}
	now := time.Now().UTC().Truncate(time.Second)
	fresh := chosen{At: now}.noted(now, "", "New in Cin7 Core, and imported by itself, as the settings say.")
	first := since.Account != r.account
	if first {
		fresh = chosen{At: now, No: true}
	}
	if err := r.chooseUnknown(ctx, fresh, first); err != nil || !first {
		return err
	}
	_, err := ledger.ChangeDoc(ctx, r.Ledger, r.Part.Tenant, newProductsDoc, func(d *newProducts) (bool, error) {
		*d = newProducts{r.account, now}
		return true, nil
	})
	return err
}

// chooseUnknown chooses products of which nothing is known: all of them, or those that can be imported.
func (r *catalogRun) chooseUnknown(ctx context.Context, as chosen, all bool) error {
	shelf := r.chosenOf(r.Part.Bundle, JobProducts)
	next, stop := iter.Pull2(shelf.rows(ctx, r.place.After))
	defer stop()
	known, err, there := next()
	return r.chooseRows(ctx, shelf, func(string) chosen { return as }, func(row mirror.Row) (bool, error) {
		for there && err == nil && known.ID < row.ID {
			known, err, there = next()
		}
		if err != nil || there && known.ID == row.ID {
			return false, err
		}
		x, err := catalogue.ReadProduct(row)
		return !x.IsService() && (all || x.Unfit() == ""), err
	})
}
