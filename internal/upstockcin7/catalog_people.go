package upstockcin7

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/match"
	"stockbridge/internal/prose"
	"stockbridge/internal/publish"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/catalogue"
	"stockbridge/internal/upstockcin7/reference"
	"stockbridge/internal/vendor"
)

// SyncCatalog asks for a run of JobProducts, JobCustomers or JobPrices, or joins the one that is under way, and starts
// it. Errors: ledger.ErrNotFound for another kind, *vendor.ConnectError where a system is not connected.
func (p *Pair) SyncCatalog(ctx context.Context, b tenant.Bundle, kind string) (*ledger.Progress, error) {
	if !slices.Contains(catalogJobs(), kind) {
		return nil, ledger.ErrNotFound
	}
	if lack := b.Lack(tenant.Upstock, tenant.Cin7Core); lack != nil {
		return nil, &vendor.ConnectError{Problem: ledger.Problem{Code: "notConnected", Message: lack.String(),
			Fix: lack.Fix}}
	}
	asked, err := p.Ledger.AskProgress(ctx, b.Tenant.ID, kind)
	if err != nil {
		return nil, err
	}
	return asked, p.Runner.Kick(ctx, b.Tenant.ID, kind)
}

// CatalogProgress is a run of the catalogue's jobs as it is now, with what the set has done that is being told;
// ledger.ErrNotFound where there is none of that id.
func (p *Pair) CatalogProgress(ctx context.Context, b tenant.Bundle, id string) (*ledger.Progress, error) {
	run, err := p.Ledger.Progress(ctx, b.Tenant.ID, id)
	if err != nil || !run.IsOpen() {
		return run, err
	}
	if lack := b.Lack(tenant.Upstock, tenant.Cin7Core); lack != nil {
		run.Problem = lack.String()
	}
	own := ownSet(run.Kind)
	if own == "" {
		return run, nil
	}
	set, err := p.Ledger.LastProgress(ctx, b.Tenant.ID, own)
	if errors.Is(err, ledger.ErrNotFound) || err == nil && (!set.IsOpen() || set.Begun.Before(run.Begun)) {
		return run, nil
	}
	if err != nil {
		return nil, err
	}
	run.Done, run.Of, run.Result = set.Done, max(set.Of, set.Done), maps.Clone(run.Result)
	for name, n := range set.Result {
		if run.Result == nil {
			run.Result = map[string]int{}
		}
		run.Result[name] = n
	}
	for _, l := range set.Left {
		run.Leave(l)
	}
	run.Problem = cmp.Or(run.Problem, set.Problem)
	return run, nil
}

// ImportProducts has products imported, and starts that. What cannot be imported is left out, and said in the
// progress. Errors: tenant.FieldErrors for a selection that says nothing, and as SyncCatalog's.
func (p *Pair) ImportProducts(ctx context.Context, b tenant.Bundle, s Selection) (*ledger.Progress, error) {
	return p.importCatalog(ctx, b, JobProducts, s)
}

// ImportCustomers has customers imported, and starts that. All are the active ones. What cannot be imported is left
// out, and said in the progress. Errors as ImportProducts'.
func (p *Pair) ImportCustomers(ctx context.Context, b tenant.Bundle, s Selection) (*ledger.Progress, error) {
	return p.importCatalog(ctx, b, JobCustomers, s)
}

func (p *Pair) importCatalog(
	ctx context.Context, b tenant.Bundle, kind string, s Selection,
) (*ledger.Progress, error) {
	var ids []string
	for _, id := range s.IDs {
		if id = reference.ID(id); match.ID(id) != "" && len(id) <= 100 {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	s.IDs = slices.Compact(ids)
	if !s.All && len(ids) == 0 {
		return nil, tenant.FieldErrors{{Field: "ids", Message: "Choose what is to be imported, or all."}}
	}
	if _, err := time.Parse(time.DateOnly, s.BoughtSince); s.BoughtSince != "" && err != nil {
		return nil, tenant.FieldErrors{{Field: "boughtSince", Message: "Use a day, as 2026-05-27."}}
	}
	if lack := b.Lack(tenant.Upstock, tenant.Cin7Core); lack != nil {
		return p.SyncCatalog(ctx, b, kind)
	}
	if err := p.chosenOf(b, kind).wish(ctx, s, p.Now()); err != nil {
		return nil, err
	}
	return p.SyncCatalog(ctx, b, kind)
}

// Product is a product's page; ledger.ErrNotFound where Cin7 Core has none of that id.
func (p *Pair) Product(ctx context.Context, b tenant.Bundle, id string) (ProductView, error) {
	id = reference.ID(id)
	x, err := p.productOf(ctx, b.Tenant.ID, id)
	if err != nil || x == nil || x.IsService() {
		return ProductView{}, cmp.Or(err, ledger.ErrNotFound)
	}
	s, err := p.sourceOf(b)
	if err != nil {
		return ProductView{}, err
	}
	known, err := p.chosenOf(b, JobProducts).get(ctx, id)
	if err != nil {
		return ProductView{}, err
	}
	entries, err := p.entriesOf(ctx, b, setProducts, "", id)
	if err != nil {
		return ProductView{}, err
	}
	c, there := known[id]
	e := entries[id]
	v := ProductView{ProductRow: productRow(s, *x, there && !c.No), DiscountRule: x.DiscountRule}
	v.Standing = standingAt(e)
	var want json.RawMessage
	if v.Imported {
		if want, err = p.wantedProduct(ctx, b, s, *x); err != nil {
			return v, err
		}
	}
	v.Fields, v.History = bothSides(want, e), historyOf(c.chosen, e)
	v.Prices, v.More, err = p.pricesOf(ctx, b, id)
	return v, err
}

// wantedProduct is a product as Upstock should have it; nil = it should not.
func (p *Pair) wantedProduct(
	ctx context.Context, b tenant.Bundle, s catalogue.Source, x catalogue.Product,
) (json.RawMessage, error) {
	if x.Unfit() != "" {
		return nil, nil
	}
	var stock *bool
	asks, err := s.AsksStock(ctx)
	if err != nil {
		return nil, err
	}
	if asks {
		rows, err := p.rowsAt(ctx, b, catalogue.StockKind, x.ID)
		if err != nil {
			return nil, err
		}
		there := false
		if row, ok := rows[x.ID]; ok {
			if there, err = catalogue.ReadStock(row); err != nil {
				return nil, err
			}
		}
		stock = &there
	}
	return json.Marshal(s.Rules.UpstockProduct(x, stock))
}

// ownPrices are a customer's own prices that count: those of products that price lists hold.
func (p *Pair) ownPrices(
	ctx context.Context, b tenant.Bundle, c catalogue.Customer,
) (list []catalogue.OwnPrice, err error) {
	rows, _, err := p.Mirror.Find(ctx, b.Tenant.ID, catalogue.OwnKeys(c))
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, row := range rows {
		some, err := catalogue.ReadOwnPrices(row)
		if err != nil {
			return nil, err
		}
		for _, own := range some {
			list, ids = append(list, own), append(ids, own.Product)
		}
	}
	listed, err := p.listedProducts(ctx, b, ids...)
	return slices.DeleteFunc(list, func(own catalogue.OwnPrice) bool { return !listed[own.Product] }), err
}

// listedProducts are those of some products that price lists hold: Upstock has them, and they can be bought.
func (p *Pair) listedProducts(ctx context.Context, b tenant.Bundle, ids ...string) (map[string]bool, error) {
	told, err := p.entriesOf(ctx, b, setProducts, "", ids...)
	if err != nil {
		return nil, err
	}
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return told[id].Told == nil })
	rows, err := p.rowsAt(ctx, b, catalogue.ProductKind, ids...)
	if err != nil {
		return nil, err
	}
	listed := map[string]bool{}
	for id, row := range rows {
		x, err := catalogue.ReadProduct(row)
		if err != nil {
			return nil, err
		}
		listed[id] = x.Unfit() == ""
	}
	return listed, nil
}

// bothSides are the fields of a record in Cin7 Core and in Upstock.
func bothSides(want json.RawMessage, e publish.Entry) (list []CatalogField) {
	for _, f := range catalogue.Fields(want) {
		list = append(list, CatalogField{Name: f.Name, Cin7Core: f.Value})
	}
	used := map[int]bool{}
	for _, f := range catalogue.Fields(e.Told) {
		i := slices.IndexFunc(list, func(x CatalogField) bool { return x.Name == f.Name && x.Upstock == "" })
		if i < 0 || used[i] {
			list = append(list, CatalogField{Name: f.Name, Upstock: f.Value})
			continue
		}
		used[i], list[i].Upstock = true, f.Value
	}
	return list
}

// historyOf is what became of a record, newest first.
func historyOf(c chosen, e publish.Entry) (list []CatalogNote) {
	for _, n := range c.Notes {
		list = append(list, CatalogNote(n))
	}
	if !e.At.IsZero() {
		list = append(list, CatalogNote{At: e.At, Text: "Upstock has it as it was sent."})
	}
	if e.State != "" {
		list = append(list, CatalogNote{At: e.Since, Text: cmp.Or(e.Why, "It waits.")})
	}
	slices.SortStableFunc(list, func(a, b CatalogNote) int { return b.At.Compare(a.At) })
	return list
}

// mostLists is how many lists a product's page shows.
const mostLists = 100

// listsOfSeveral is a key between the lists of one customer and those of several, in the order of ids.
const listsOfSeveral = ownListPrefix + "~"

// pricesOf are the prices of a product, in the first lists: those of several customers come first.
func (p *Pair) pricesOf(ctx context.Context, b tenant.Bundle, id string) (list []ListPrice, more bool, err error) {
	var keys []publish.Key
	lists := map[string]CatalogRef{}
	account := catalogAccount(b)
	set := publish.Set{Name: setLists, Account: account}
	// lists of several come first: those of customers alone may be thousands
	for _, from := range []publish.Key{{ID: listsOfSeveral}, {}} {
		for e, err := range p.publisher.All(ctx, b.Tenant.ID, set, from) {
			if err != nil {
				return nil, false, err
			}
			if _, had := lists[e.ID]; had {
				break // from here on they are those that came first
			}
			if more = len(keys) == mostLists; more {
				break
			}
			keys = append(keys, publish.Key{Group: e.ID, ID: id})
			lists[e.ID] = priceListRow(e).CatalogRef
		}
	}
	prices, err := p.publisher.Entries(ctx, b.Tenant.ID, publish.Set{Name: setPrices, Account: account}, keys...)
	for _, e := range prices {
		list = append(list, ListPrice{lists[e.Group], catalogue.PriceOf(e.Told), standingAt(e)})
	}
	return list, more, err
}

// Customer is a customer's page; ledger.ErrNotFound where Cin7 Core has none of that id.
func (p *Pair) Customer(ctx context.Context, b tenant.Bundle, id string) (CustomerView, error) {
	id = reference.ID(id)
	rows, err := p.rowsAt(ctx, b, catalogue.CustomerKind, id)
	if err != nil || len(rows) == 0 {
		return CustomerView{}, cmp.Or(err, ledger.ErrNotFound)
	}
	x, err := catalogue.ReadCustomer(rows[id])
	if err != nil {
		return CustomerView{}, err
	}
	s, err := p.sourceOf(b)
	if err != nil {
		return CustomerView{}, err
	}
	known, err := p.chosenOf(b, JobCustomers).get(ctx, id)
	if err != nil {
		return CustomerView{}, err
	}
	entries, err := p.entriesOf(ctx, b, setCustomers, "", id)
	if err != nil {
		return CustomerView{}, err
	}
	c, there := known[id]
	c.ID = id
	row, err := chosenCustomer(s, c, rows, entries[id])
	if err != nil {
		return CustomerView{}, err
	}
	if !there {
		row.Why = cmp.Or(x.Unfit(), row.Why)
	}
	if err := p.nameLists(ctx, b, []CustomerRow{*row}); err != nil {
		return CustomerView{}, err
	}
	v := CustomerView{CustomerRow: *row, Tier: x.Tier, Discount: x.Discount, OwnPrices: x.OwnPrices, Linked: c.How,
		History: historyOf(c.chosen, entries[id])}
	own, err := p.ownPrices(ctx, b, x)
	if err != nil {
		return v, err
	}
	x.OwnPrices = len(own)
	var want json.RawMessage
	if c.State.told() && x.Unfit() == "" {
		if want, err = json.Marshal(s.Rules.UpstockCustomer(x)); err != nil {
			return v, err
		}
	}
	if list, why := s.Rules.ListOf(x); v.PriceList == nil && list != nil {
		v.PriceList, v.Why = &CatalogRef{list.ID, list.Name}, cmp.Or(v.Why, why)
	}
	v.Fields = bothSides(want, entries[id])
	return v, nil
}

// LinkCustomer says that a customer of Cin7 Core is one of Upstock's: it is linked there and told with the next run of
// JobCustomers, which it starts. Errors: ledger.ErrNotFound where one of the two is not known, tenant.FieldErrors
// where one of them is another one in Upstock already.
func (p *Pair) LinkCustomer(ctx context.Context, b tenant.Bundle, id string, their int64) error {
	c, t, err := p.bothCustomers(ctx, b, id, their)
	if err != nil {
		return err
	}
	if t.ExternalID != "" && t.ExternalID != c.ID {
		return tenant.FieldErrors{{Field: "customer", Message: "Upstock's customer " + prose.Quote(t.Name) +
			" is linked to another customer of Cin7 Core."}}
	}
	own, err := p.isTold(ctx, b, c.ID)
	if err != nil {
		return err
	}
	by := ledger.ActorOf(ctx)
	text := fmt.Sprintf("Cin7 Core's customer %s was linked to Upstock's customer %s.", prose.Quote(c.Name),
		prose.Quote(t.Name))
	err = p.chosenOf(b, JobCustomers).change(ctx, c.ID, func(r *chosenRow) (bool, []ledger.Event, error) {
		if r.Theirs == their && (r.State == chooseLink || r.State == isLinked) { // pressed twice
			return false, nil, nil
		}
		if r.State == isLinked || r.State == chooseLink && r.Theirs != their {
			return false, nil, tenant.FieldErrors{{Field: "id", Message: prose.Quote(c.Name) +
				" is linked to another customer of Upstock's. Take that back first."}}
		}
		if r.State == isNew && own {
			return false, nil, tenant.FieldErrors{{Field: "id", Message: prose.Quote(c.Name) + " was made in Upstock " +
				"as a customer of its own. Go on with that one there, and make Upstock's other customer " +
				prose.Quote(t.Name) + " inactive (Customers › the customer › Profile)."}}
		}
		now := r.chosen
		if r.rev == "" {
			now = chosen{At: p.Now().UTC(), By: by}
		}
		now.State, now.Theirs, now.Why, now.Candidates = chooseLink, their, "", nil
		now.How = "Upstock's customer " + prose.Quote(t.Name) + ", as " + cmp.Or(by, "somebody") + " said."
		now.Rejected = now.rejectedBut(their)
		r.chosen = now.noted(p.Now(), by, "Linked to Upstock's customer "+prose.Quote(t.Name)+".")
		return true, []ledger.Event{{Kind: catalogEvent, Text: text}}, nil
	})
	if err != nil {
		return err
	}
	_, err = p.SyncCatalog(ctx, b, JobCustomers)
	return err
}

// catalogEvent is the kind of events of the catalogue.
const catalogEvent = "catalogue"

// bothCustomers are a customer of Cin7 Core and one of Upstock's; ledger.ErrNotFound where one is not known.
func (p *Pair) bothCustomers(
	ctx context.Context, b tenant.Bundle, id string, their int64,
) (*catalogue.Customer, *theirs, error) {
	c, err := p.customerOf(ctx, b.Tenant.ID, reference.ID(id))
	if err != nil || c == nil {
		return nil, nil, cmp.Or(err, ledger.ErrNotFound)
	}
	t, err := p.theirsAt(ctx, b, their)
	if err != nil || t == nil {
		return nil, nil, cmp.Or(err, ledger.ErrNotFound)
	}
	return c, t, nil
}

// RejectCustomer says that a customer of Cin7 Core is not that one of Upstock's. The pair is not offered again before
// one of the two records changes; with the next run of JobCustomers, which it starts, the customer is told as a new
// one if it may be no other. Errors: ledger.ErrNotFound where one of the two is not known.
func (p *Pair) RejectCustomer(ctx context.Context, b tenant.Bundle, id string, their int64) error {
	c, t, err := p.bothCustomers(ctx, b, id, their)
	if err != nil {
		return err
	}
	by := ledger.ActorOf(ctx)
	err = p.chosenOf(b, JobCustomers).change(ctx, c.ID, func(r *chosenRow) (bool, []ledger.Event, error) {
		if r.rejects(their, partyOfCustomer(*c), t.party()) { // pressed twice
			return false, nil, nil
		}
		if r.State == isLinked && r.Theirs == their {
			return false, nil, tenant.FieldErrors{{Field: "id",
				Message: "It is linked to this customer of Upstock's. Take that back first."}}
		}
		if r.rev == "" {
			r.chosen = chosen{At: p.Now().UTC(), By: by, State: isAsked}
		}
		r.chosen = r.reject(*c, *t, by, p.Now())
		return true, []ledger.Event{{Kind: catalogEvent, Text: fmt.Sprintf(
			"Cin7 Core's customer %s is not Upstock's customer %s.", prose.Quote(c.Name), prose.Quote(t.Name))}}, nil
	})
	if err != nil {
		return err
	}
	_, err = p.SyncCatalog(ctx, b, JobCustomers)
	return err
}

// mostRejected bounds how many rejections are kept of a customer.
const mostRejected = 50

// reject notes a person's no.
func (c chosen) reject(ours catalogue.Customer, t theirs, by string, now time.Time) chosen {
	no := rejection{Theirs: t.ID, Name: prose.Within(t.Name, 60), By: by, At: now.UTC().Truncate(time.Second),
		Ours: fingerprint(partyOfCustomer(ours)), Other: fingerprint(t.party())}
	kept := c.rejectedBut(t.ID)
	c.Rejected, c.Anew = append(kept[max(0, len(kept)-mostRejected+1):], no), true
	c.Candidates = slices.DeleteFunc(slices.Clone(c.Candidates), func(x candidate) bool { return x.Theirs == t.ID })
	if c.State == chooseLink && c.Theirs == t.ID {
		c.State, c.Theirs, c.How = isAsked, 0, ""
	}
	return c.noted(now, by, "It is not Upstock's customer "+prose.Quote(t.Name)+".")
}

// rejectedBut are the rejections of others than one of Upstock's customers.
func (c chosen) rejectedBut(their int64) []rejection {
	return slices.DeleteFunc(slices.Clone(c.Rejected), func(no rejection) bool { return no.Theirs == their })
}

// UnlinkCustomer takes back that a customer of Cin7 Core is one of Upstock's: it is not told any more, and offered
// anew. Upstock keeps the customer, and the id by which it was linked there, until it is linked otherwise. Errors:
// ledger.ErrNotFound where it is not linked.
func (p *Pair) UnlinkCustomer(ctx context.Context, b tenant.Bundle, id string) error {
	id = reference.ID(id)
	c, err := p.customerOf(ctx, b.Tenant.ID, id)
	if err != nil || c == nil {
		return cmp.Or(err, ledger.ErrNotFound)
	}
	told, err := p.isTold(ctx, b, id)
	if err != nil {
		return err
	}
	by := ledger.ActorOf(ctx)
	err = p.chosenOf(b, JobCustomers).change(ctx, id, func(r *chosenRow) (bool, []ledger.Event, error) {
		if r.State == isUnsure && len(r.Rejected) > 0 && told { // taken back, but for what is done below
			return false, nil, nil
		}
		if r.State != isLinked && r.State != chooseLink {
			return false, nil, ledger.ErrNotFound
		}
		t, err := p.theirsTold(ctx, b, id, r.Theirs)
		if err != nil {
			return false, nil, err
		}
		linked := r.State == isLinked
		now := r.chosen.reject(*c, *t, by, p.Now())
		now.State, now.Theirs, now.How, now.Candidates = isAsked, 0, "", nil
		if linked {
			now.State, now.Why = isUnsure, stillLinked(*t)
		}
		r.chosen = now
		return true, []ledger.Event{{Kind: catalogEvent, Text: fmt.Sprintf(
			"The link of Cin7 Core's customer %s to Upstock's customer %s was taken back.", prose.Quote(c.Name),
			prose.Quote(t.Name))}}, nil
	})
	if err != nil {
		return err
	}
	// nothing is told of it any more, not even that it is gone
	return p.publisher.Learn(ctx, b.Tenant.ID, publish.Set{Name: setCustomers, Account: catalogAccount(b)},
		publish.Seen{Record: publish.Record{Key: publish.Key{ID: id}}})
}

// isTold reports whether Upstock has a customer as we told it, or may have.
func (p *Pair) isTold(ctx context.Context, b tenant.Bundle, id string) (bool, error) {
	told, err := p.entriesOf(ctx, b, setCustomers, "", id)
	return told[id].Told != nil || told[id].Doubt != nil, err
}

// theirsTold is a customer of Upstock's as it was told to be, else as it was last read.
func (p *Pair) theirsTold(ctx context.Context, b tenant.Bundle, id string, their int64) (*theirs, error) {
	told, err := p.entriesOf(ctx, b, setCustomers, "", id)
	if err != nil {
		return nil, err
	}
	var x upstock.CustomerRecord
	if data := told[id].Told; data != nil && json.Unmarshal(data, &x) == nil {
		x.ID = their
		t := theirsOf(b.Connections[tenant.Upstock].Account, x)
		return &t, nil
	}
	t, err := p.theirsAt(ctx, b, their)
	if t == nil {
		t = &theirs{ID: their}
	}
	return t, err
}

// CatalogNeeds says what of the catalogue needs a person, and how its last runs went.
func (p *Pair) CatalogNeeds(ctx context.Context, b tenant.Bundle) (n CatalogNeeds, err error) {
	if n.ToLink, err = p.chosenOf(b, JobCustomers).waiting(ctx, mostNeeds); err != nil {
		return n, err
	}
	n.RefusedOf = map[string]int{}
	for _, name := range catalogSets() {
		if err := p.addNeeds(ctx, b, name, &n); err != nil {
			return n, err
		}
	}
	n.Held, n.Refused = min(n.Held, mostNeeds), min(n.Refused, mostNeeds)
	for _, kind := range catalogJobs() {
		last, err := p.Ledger.LastProgress(ctx, b.Tenant.ID, kind)
		if errors.Is(err, ledger.ErrNotFound) {
			continue
		}
		if err != nil {
			return n, err
		}
		n.Runs = append(n.Runs, last)
	}
	return n, nil
}

// mostNeeds is up to where what needs a person is counted: many thousands may wait, and pages ask for this.
const mostNeeds = 100

// addNeeds adds what of a set needs a person.
func (p *Pair) addNeeds(ctx context.Context, b tenant.Bundle, name string, n *CatalogNeeds) error {
	of := JobPrices
	for _, kind := range []string{JobProducts, JobCustomers} {
		if ownSet(kind) == name {
			of = kind
		}
	}
	set := publish.Set{Name: name, Account: catalogAccount(b)}
	counts, err := p.publisher.Count(ctx, b.Tenant.ID, set, mostNeeds)
	refused := counts[publish.IsRefused]
	if n.Held, n.Refused = n.Held+counts[publish.IsHeld], n.Refused+refused; refused > 0 {
		n.RefusedOf[of] = min(n.RefusedOf[of]+refused, mostNeeds)
	}
	return err
}
