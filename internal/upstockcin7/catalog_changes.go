package upstockcin7

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/ledger"
	"stockbridge/internal/publish"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/catalogue"
	"stockbridge/internal/upstockcin7/reference"
)

// ExplainPrice says what a customer pays for a product by what Cin7 Core has now, and how that comes about.
// ledger.ErrNotFound where Cin7 Core has no such customer or product.
func (p *Pair) ExplainPrice(ctx context.Context, b tenant.Bundle, customer, product string) (PriceExplained, error) {
	c, err := p.customerOf(ctx, b.Tenant.ID, reference.ID(customer))
	if err != nil || c == nil {
		return PriceExplained{}, cmp.Or(err, ledger.ErrNotFound)
	}
	x, err := p.productOf(ctx, b.Tenant.ID, reference.ID(product))
	if err != nil || x == nil {
		return PriceExplained{}, cmp.Or(err, ledger.ErrNotFound)
	}
	s, err := p.sourceOf(b)
	if err != nil {
		return PriceExplained{}, err
	}
	own, err := p.ownPrices(ctx, b, *c)
	if err != nil {
		return PriceExplained{}, err
	}
	c.OwnPrices = len(own)
	why := s.Rules.Price(*c, ownOf(own, x.ID), *x)
	e := PriceExplained{Customer: CatalogRef{c.ID, c.Name}, Product: ProductRef{x.ID, x.SKU, x.Name},
		Price: why.Price, Held: why.Held}
	for _, step := range why.Steps {
		e.Steps = append(e.Steps, PriceStep(step))
	}
	if why.List == nil {
		return e, nil
	}
	e.List = &CatalogRef{why.List.ID, why.List.Name}
	told, err := p.entriesOf(ctx, b, setPrices, why.List.ID, x.ID)
	if at := told[x.ID]; err == nil && at.Told != nil {
		e.Upstock, e.Since = catalogue.PriceOf(at.Told), at.At
	}
	if err == nil {
		err = p.explainState(ctx, b, &e, told[x.ID])
	}
	return e, err
}

// explainState adds to an explanation what keeps its price from being sent, as far as that is about this price.
func (p *Pair) explainState(ctx context.Context, b tenant.Bundle, e *PriceExplained, at publish.Entry) error {
	if samePrice(e.Price, e.Upstock) && at.Told != nil {
		e.Held = "" // Upstock has it
		return nil
	}
	sent := at.Sent
	if at.Doubt != nil && at.State == "" {
		sent = at.Doubt.Data
	}
	if s := standingAt(at); s.State != "" && samePrice(e.Price, catalogue.PriceOf(sent)) {
		e.State, e.Why = s.State, s.Why
	}
	switch publish.State(e.State) {
	case publish.IsHeld:
		e.Held = cmp.Or(e.Held, at.Why)
	case publish.IsApproved, publish.IsDeclined:
		e.Held = ""
		one := []PriceChange{{List: CatalogRef{ID: at.Group}, Product: ProductRef{ID: at.ID}, At: at.Since}}
		err := p.whoDecided(ctx, b, one)
		e.By = one[0].By
		return err
	}
	return nil
}

// samePrice reports whether two prices are one, or both are none.
func samePrice(a, b *decimal.Decimal) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}

// PriceChanges lists changes of prices in one state, a page: held ones and refused ones in the order of lists and
// products, applied ones of the last 90 days newest first.
func (p *Pair) PriceChanges(
	ctx context.Context, b tenant.Bundle, state, after string, limit int,
) (rows []PriceChange, next string, err error) {
	limit = min(max(limit, 1), 100)
	if state == ChangeApplied {
		rows, next, err = p.appliedPrices(ctx, b, after, limit)
	} else {
		rows, next, err = p.openPrices(ctx, b, state, after, limit)
	}
	if err == nil {
		err = p.nameChanges(ctx, b, rows)
	}
	return rows, next, err
}

// openPrices lists changes that are held, or were refused.
func (p *Pair) openPrices(
	ctx context.Context, b tenant.Bundle, state, after string, limit int,
) (rows []PriceChange, next string, err error) {
	var from publish.Key
	if after != "" {
		c, ok := changeOf(after)
		if from = c.Key; !ok {
			return nil, "", ledger.ErrAfter
		}
	}
	set := publish.Set{Name: setPrices, Account: catalogAccount(b)}
	for e, err := range p.publisher.Notable(ctx, b.Tenant.ID, set, from) {
		if err != nil {
			return nil, "", err
		}
		if stateOf(e) != state {
			continue
		}
		if len(rows) == limit {
			next = rows[limit-1].ID
			break
		}
		rows = append(rows, PriceChange{ID: changeID(e), List: CatalogRef{ID: e.Group}, Product: ProductRef{ID: e.ID},
			Old: catalogue.PriceOf(e.Told), New: catalogue.PriceOf(e.Sent), State: state, Why: whyOpen(e), At: e.Since,
			Approved: e.State == publish.IsApproved})
	}
	return rows, next, p.whoDecided(ctx, b, rows)
}

// whyOpen says why a change is not sent, or that it is soon.
func whyOpen(e publish.Entry) string {
	switch e.State {
	case publish.IsApproved:
		return "It is sent soon."
	case publish.IsRefused:
		return "Upstock did not take it: " + e.Why
	}
	return e.Why
}

// stateOf is the state of a change that is not simply told; "" = it is none.
func stateOf(e publish.Entry) string {
	switch e.State {
	case publish.IsHeld, publish.IsApproved:
		return ChangeHeld
	case publish.IsDeclined, publish.IsRefused:
		return ChangeRefused
	}
	return ""
}

// whoDecided adds who said yes or no to changes.
func (p *Pair) whoDecided(ctx context.Context, b tenant.Bundle, rows []PriceChange) error {
	keys := make([]publish.Key, len(rows))
	for i, r := range rows {
		keys[i] = publish.Key{Group: r.List.ID, ID: r.Product.ID}
	}
	by, err := p.decisions(ctx, b.Tenant.ID, catalogAccount(b), keys)
	for i := range rows {
		if d, ok := by[keys[i]]; ok && !d.At.Before(rows[i].At.Add(-time.Minute)) {
			rows[i].By = d.By
		}
	}
	return err
}

// decisions are what people last said of prices.
func (p *Pair) decisions(
	ctx context.Context, tenantID, account string, prices []publish.Key,
) (map[publish.Key]decided, error) {
	keys, of := make([]table.Key, len(prices)), map[table.Key]publish.Key{}
	for i, k := range prices {
		keys[i] = decidedKey(tenantID, account, k)
		of[keys[i]] = k
	}
	items, err := table.ReadAll(ctx, p.table, keys)
	by := map[publish.Key]decided{}
	for _, it := range items {
		var d decided
		if err := table.Unmarshal(it.Data, &d); err != nil {
			return nil, err
		}
		by[of[it.Key]] = d
	}
	return by, err
}

// appliedPrices lists changes that Upstock took, the newest first.
func (p *Pair) appliedPrices(
	ctx context.Context, b tenant.Bundle, after string, limit int,
) (rows []PriceChange, next string, err error) {
	prefix := "a#" + catalogAccount(b) + "\t"
	q := table.Query{PK: pricePartition(b.Tenant.ID), From: prefix, Until: prefix[:len(prefix)-1] + "\n", Desc: true}
	skip := 0
	if after != "" {
		sk, n, ok := appliedAfter(after)
		if !ok {
			return nil, "", ledger.ErrAfter
		}
		skip, q.Until = n, prefix+sk+"\x00" // that item once more, from the change on
	}
	for it, err := range table.QueryAll(ctx, p.table, q) {
		if err != nil {
			return nil, "", err
		}
		var changes []appliedPrice
		if err := table.Unmarshal(it.Data, &changes); err != nil {
			return nil, "", err
		}
		sk := strings.TrimPrefix(it.SK, prefix)
		at, _, _ := strings.Cut(sk, "#")
		when, _ := time.Parse(priceTime, at)
		for i, c := range changes[min(skip, len(changes)):] {
			if len(rows) == limit {
				return rows, rows[limit-1].ID, nil
			}
			rows = append(rows, PriceChange{ID: fmt.Sprintf("%s~%d", sk, skip+i+1), List: CatalogRef{ID: c.List},
				Product: ProductRef{ID: c.Product}, Old: catalogue.PriceOf(c.Old), New: catalogue.PriceOf(c.New),
				State: ChangeApplied, At: when, By: c.By})
		}
		skip = 0
	}
	return rows, "", nil
}

// appliedAfter reads the id of a change that Upstock took: the key of its item, and how manieth it is there, from 1 on.
// ok is false where it is none.
func appliedAfter(id string) (sk string, n int, ok bool) {
	sk, at, _ := strings.Cut(id, "~")
	n, err := strconv.Atoi(at)
	when, mark, _ := strings.Cut(sk, "#")
	_, terr := time.Parse(priceTime, when)
	return sk, n, err == nil && terr == nil && n >= 1 && len(mark) == priceMark
}

// ownListPrefix begins the id of a customer's own list.
const ownListPrefix = "customer:"

// nameChanges adds the names of what changes are about.
func (p *Pair) nameChanges(ctx context.Context, b tenant.Bundle, rows []PriceChange) error {
	var products, lists, customers []string
	for _, r := range rows {
		products, lists = append(products, r.Product.ID), append(lists, r.List.ID)
		if id, own := strings.CutPrefix(r.List.ID, ownListPrefix); own {
			customers = append(customers, id)
		}
	}
	names, err := p.productNames(ctx, b, products...)
	if err != nil {
		return err
	}
	told, err := p.entriesOf(ctx, b, setLists, "", lists...)
	if err != nil {
		return err
	}
	cards, err := p.rowsAt(ctx, b, catalogue.CustomerKind, customers...)
	if err != nil {
		return err
	}
	for i := range rows {
		r := &rows[i]
		r.Product, r.List.Name = names[r.Product.ID], r.List.ID
		if e, ok := told[r.List.ID]; ok {
			r.List = priceListRow(e).CatalogRef
		}
		if id, own := strings.CutPrefix(r.List.ID, ownListPrefix); own {
			r.Customer = &CatalogRef{ID: id, Name: r.List.Name}
			if row, ok := cards[id]; ok {
				c, err := catalogue.ReadCustomer(row)
				if err != nil {
					return err
				}
				r.Customer.Name = c.Name
			}
		}
	}
	return nil
}

// DecidePrices notes a person's yes or no to changes that are held, or takes one back, and returns about how many it
// could: one whose value is another one by now is left alone. A yes is sent at once, in the run that is returned, and
// what Upstock refused is once more where that is taken back; nil = nothing is to be sent.
func (p *Pair) DecidePrices(
	ctx context.Context, b tenant.Bundle, d PriceDecision,
) (decided int, run *ledger.Progress, err error) {
	again, undo, err := p.refusedThere(ctx, b, d.Undo)
	if err != nil {
		return 0, nil, err
	}
	sent := 0
	for _, one := range []struct {
		what publish.Decision
		ids  []string
		said string
	}{
		{publish.Undecide, undo, "taken back"}, {publish.Decline, d.Refuse, "refused"},
		{publish.SendAgain, again, "asked for again"}, {publish.Approve, d.Approve, "approved"},
	} {
		n, err := p.decidePrices(ctx, b, one.what, one.ids)
		if decided += n; err == nil && n > 0 {
			text := fmt.Sprintf("%d changes of prices were %s.", n, one.said)
			if n == 1 {
				text = "A change of a price was " + one.said + "."
			}
			err = p.Ledger.Record(ctx, b.Tenant.ID, ledger.Event{Kind: catalogEvent, Text: text, Count: n})
		}
		if err != nil {
			return decided, nil, err
		}
		if one.what == publish.SendAgain || one.what == publish.Approve {
			sent += n
		}
	}
	if sent == 0 {
		return decided, nil, nil
	}
	run, err = p.SyncCatalog(ctx, b, JobPrices)
	return decided, run, err
}

// refusedThere tells changes that Upstock refused, as they stand, from others.
func (p *Pair) refusedThere(ctx context.Context, b tenant.Bundle, ids []string) (refused, others []string, err error) {
	keys := make([]publish.Key, 0, len(ids))
	for _, id := range ids {
		if c, ok := changeOf(id); ok {
			keys = append(keys, c.Key)
		}
	}
	entries, err := p.publisher.Entries(ctx, b.Tenant.ID,
		publish.Set{Name: setPrices, Account: catalogAccount(b)}, keys...)
	there := map[string]bool{}
	for _, e := range entries {
		there[changeID(e)] = e.State == publish.IsRefused
	}
	for _, id := range ids {
		if there[id] {
			refused = append(refused, id)
		} else {
			others = append(others, id)
		}
	}
	return refused, others, err
}

// decidePrices decides about changes. Each was shown with a value: another one is left alone.
func (p *Pair) decidePrices(
	ctx context.Context, b tenant.Bundle, what publish.Decision, ids []string,
) (n int, err error) {
	set := publish.Set{Name: setPrices, Account: catalogAccount(b)}
	shown := map[publish.Key]shownChange{}
	for _, id := range ids {
		if c, ok := changeOf(id); ok {
			shown[c.Key] = c
		}
	}
	stands := func(e publish.Entry) bool { return shown[e.Key].is(e) }
	entries, err := p.publisher.Entries(ctx, b.Tenant.ID, set, slices.Collect(maps.Keys(shown))...)
	if err != nil {
		return 0, err
	}
	entries = slices.DeleteFunc(entries, func(e publish.Entry) bool { return !stands(e) })
	if what == publish.Approve || what == publish.Decline {
		if err := p.noteDecided(ctx, b, what, entries); err != nil {
			return 0, err
		}
	}
	keys := make([]publish.Key, len(entries))
	for i, e := range entries {
		keys[i] = e.Key
	}
	return p.publisher.Decide(ctx, b.Tenant.ID, set, what, stands, keys...)
}

// noteDecided keeps who said yes or no to changes, as they stand. A yes is to the value that was asked about.
func (p *Pair) noteDecided(
	ctx context.Context, b tenant.Bundle, what publish.Decision, changes []publish.Entry,
) error {
	now := p.Now().UTC()
	var ops []table.Op
	for _, e := range changes {
		d := decided{By: ledger.ActorOf(ctx), At: now}
		if what == publish.Approve {
			d.Yes = e.Sent
		}
		data, err := table.Marshal(d)
		if err != nil {
			return err
		}
		ops = append(ops, table.Put(table.Item{Key: decidedKey(b.Tenant.ID, catalogAccount(b), e.Key), Data: data,
			Expires: now.Add(keepPriceChanges).Truncate(time.Second)}))
	}
	for some := range slices.Chunk(ops, addedAtOnce) {
		if err := p.table.Write(ctx, some...); err != nil {
			return err
		}
	}
	return nil
}

// previewFor is how long a preview may take, and previewed how many changes it shows.
const previewFor, previewed = 10 * time.Second, 200

// PreviewPrices says what a sync of prices would change now, by what was last read of Cin7 Core.
func (p *Pair) PreviewPrices(ctx context.Context, b tenant.Bundle) (PricePreview, error) {
	v := PricePreview{Counts: map[string]int{}}
	set, err := p.setOf(ctx, b, setPrices)
	if err != nil {
		return v, err
	}
	until := time.Now().Add(previewFor)
	for c, err := range p.publisher.Differences(ctx, b.Tenant.ID, set) {
		if err != nil {
			return v, err
		}
		v.Counts[string(c.Why)]++
		if v.More = len(v.Changes) == previewed; !v.More {
			v.Changes = append(v.Changes, PriceChange{List: CatalogRef{ID: c.Group}, Product: ProductRef{ID: c.ID},
				Old: catalogue.PriceOf(c.Was), New: catalogue.PriceOf(c.Data), State: string(c.Why), Why: c.Says})
		}
		if v.Partial = time.Now().After(until); v.Partial {
			break
		}
	}
	if err := p.nameChanges(ctx, b, v.Changes); err != nil {
		return v, err
	}
	return v, p.whoDeclined(ctx, b, v.Changes)
}

// whoDeclined adds who said no to changes that are not sent for that.
func (p *Pair) whoDeclined(ctx context.Context, b tenant.Bundle, changes []PriceChange) error {
	var no []PriceChange
	for _, c := range changes {
		if c.State == string(publish.Declined) {
			no = append(no, c)
		}
	}
	err := p.whoDecided(ctx, b, no)
	for i := range changes {
		if err == nil && changes[i].State == string(publish.Declined) {
			changes[i].By, no = no[0].By, no[1:]
		}
	}
	return err
}

// ownOf is the own price of a product; nil = there is none.
func ownOf(list []catalogue.OwnPrice, product string) *decimal.Decimal {
	for _, own := range list {
		if own.Product == product {
			return &own.Price
		}
	}
	return nil
}
