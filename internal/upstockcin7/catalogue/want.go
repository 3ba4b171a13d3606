package catalogue

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"stockbridge/internal/mirror"
	"stockbridge/internal/publish"
	"stockbridge/internal/upstock"
)

// WantProducts is a publish.Want: the chosen products that can be bought.
func (s Source) WantProducts(ctx context.Context, after publish.Key) iter.Seq2[publish.Record, error] {
	return func(yield func(publish.Record, error) bool) {
		asks, err := s.AsksStock(ctx)
		if err = cmp.Or(s.check(), err); err != nil {
			yield(publish.Record{}, err)
			return
		}
		var stock *pulled[mirror.Row]
		if asks {
			stock = pull(s.Stock(ctx, after.ID))
			defer stock.stop()
		}
		for p, err := range s.products(ctx, after.ID) {
			var there *bool
			if err == nil && stock != nil {
				there, err = available(p.ID, stock)
			}
			if err == nil && p.Unfit() != "" {
				continue
			}
			if !yield(record("", p.ID, s.Rules.UpstockProduct(p, there)), err) || err != nil {
				return
			}
		}
	}
}

// available reports whether anything of a product is available: nothing is where Cin7 Core lists no stock of it.
func available(product string, rows *pulled[mirror.Row]) (*bool, error) {
	if err := rows.skip(func(row mirror.Row) bool { return row.ID < product }); err != nil {
		return nil, err
	}
	there := false
	if rows.there && rows.now.ID == product {
		stock, err := ReadStock(rows.now)
		if err != nil {
			return nil, err
		}
		there = stock
	}
	return &there, nil
}

func record(group, id string, v any) publish.Record {
	return publish.Record{Key: publish.Key{Group: group, ID: id}, Data: dataOf(v)}
}

// WantCustomers is a publish.Want: the chosen customers who are active, each with the list of WantLists.
func (s Source) WantCustomers(ctx context.Context, after publish.Key) iter.Seq2[publish.Record, error] {
	return func(yield func(publish.Record, error) bool) {
		g, err := s.goods(ctx)
		if err != nil {
			yield(publish.Record{}, err)
			return
		}
		for b, err := range s.buyers(ctx, g, after.ID) {
			if !yield(record("", b.ID, s.Rules.UpstockCustomer(b.Customer)), err) || err != nil {
				return
			}
		}
	}
}

// WantLists is a publish.Want: the lists that a customer of WantCustomers has.
func (s Source) WantLists(ctx context.Context, after publish.Key) iter.Seq2[publish.Record, error] {
	return func(yield func(publish.Record, error) bool) {
		g, err := s.goods(ctx)
		if err != nil {
			yield(publish.Record{}, err)
			return
		}
		for l, err := range s.lists(ctx, g, after.ID) {
			if err == nil && l.ID <= after.ID {
				continue
			}
			want := upstock.PriceList{ExternalID: l.ID, Name: l.Name, Currency: s.Rules.currency()}
			if !yield(record("", l.ID, want), err) || err != nil {
				return
			}
		}
	}
}

// currency is the account's as Upstock has it.
func (r Rules) currency() string { return strings.ToUpper(strings.TrimSpace(r.Currency)) }

// WantPrices is a publish.Want: the prices of the lists of WantLists.
func (s Source) WantPrices(ctx context.Context, after publish.Key) iter.Seq2[publish.Record, error] {
	return func(yield func(publish.Record, error) bool) {
		g, err := s.goods(ctx)
		if err != nil {
			yield(publish.Record{}, err)
			return
		}
		shelf := columns{goods: g}
		for l, err := range s.lists(ctx, g, after.Group) {
			if err != nil {
				yield(publish.Record{}, err)
				return
			}
			if l.ID < after.Group {
				continue
			}
			if s.Passing != nil {
				s.Passing(l.ID)
			}
			first := 0
			if l.ID == after.Group {
				first, _ = slices.BinarySearch(g.ids, after.ID+"\x00")
			}
			if !shelf.prices(l, first, yield) {
				return
			}
		}
	}
}

// priced is a list with what its prices go by.
type priced struct {
	List
	terms
	own []OwnPrice
}

// lists are the lists that customers have, in the order of their ids, from one on, or from a little before it; "" = all
// of them. Customers whose own lists come before are read after the others: which tiers are in use, all of them say.
func (s Source) lists(ctx context.Context, g *goods, from string) iter.Seq2[priced, error] {
	return func(yield func(priced, error) bool) {
		shared := map[string]priced{}
		first := before(from)
		for b, err := range s.buyers(ctx, g, first) {
			if err != nil {
				yield(priced{}, err)
				return
			}
			if l, own := s.listOf(b); own && !yield(l, nil) {
				return
			} else if !own {
				keep(shared, l)
			}
		}
		for b, err := range s.buyers(ctx, g, "") {
			if err != nil {
				yield(priced{}, err)
				return
			}
			if b.ID > first {
				break
			}
			if l, own := s.listOf(b); !own {
				keep(shared, l)
			}
		}
		for _, id := range slices.Sorted(maps.Keys(shared)) { // none, tier:…: all after customer:…
			if !yield(shared[id], nil) {
				return
			}
		}
	}
}

// before is a customer before whom no own list comes that is not before a list; "" = there is none.
func before(list string) string {
	id, own := strings.CutPrefix(list, ownPrefix)
	if !own || id == "" {
		return ""
	}
	return id[:len(id)-1]
}

// listOf is the list of a customer; without an ID it has none. own reports whether it is the customer's alone.
func (s Source) listOf(b buyer) (l priced, own bool) {
	list, _ := s.Rules.ListOf(b.Customer)
	switch {
	case list == nil:
		return l, false
	case b.OwnPrices > 0 && *list != noList:
		return priced{*list, s.Rules.termsOf(b.Customer), b.own}, true
	}
	return priced{*list, s.Rules.termsOf(b.Customer), nil}, false
}

// keep keeps a list of several customers, if it is one that is not known yet.
func keep(shared map[string]priced, l priced) {
	if _, known := shared[l.ID]; !known && l.ID != "" {
		shared[l.ID] = l
	}
}

// columns are the prices that listed products have by tier and discount. The last few are kept: customers with own
// prices share them.
type columns struct {
	*goods
	kept []column
}

const mostColumns = 4

type column struct {
	code     int
	discount string
	texts    []string // by product; "" = no price
}

// of returns the prices of all products by tier and discount; nil = none has one.
func (c *columns) of(t terms) []string {
	if t.code == 0 {
		return nil
	}
	discount := t.discount.String()
	for i, k := range c.kept {
		if k.code == t.code && k.discount == discount {
			c.kept = append(slices.Delete(c.kept, i, i+1), k)
			return k.texts
		}
	}
	texts := make([]string, len(c.ids))
	for i := range c.ids {
		if price, ok := ofTier(c.base(i, t.code), t.discount); ok {
			texts[i] = upstock.PriceText(price)
		}
	}
	if len(c.kept) >= mostColumns {
		c.kept = slices.Delete(c.kept, 0, 1)
	}
	c.kept = append(c.kept, column{t.code, discount, texts})
	return texts
}

// prices yields the prices of a list from the first product on, and reports whether more are asked for.
func (c *columns) prices(l priced, first int, yield func(publish.Record, error) bool) bool {
	texts, own := c.of(l.terms), l.own
	for i := first; i < len(c.ids); i++ {
		text := ""
		if texts != nil {
			text = texts[i]
		}
		for len(own) > 0 && own[0].Product < c.ids[i] {
			own = own[1:]
		}
		if len(own) > 0 && own[0].Product == c.ids[i] {
			text = ownText(own[0].Price, l.discount)
		}
		if text == "" {
			continue
		}
		r := publish.Record{Key: publish.Key{Group: l.ID, ID: c.ids[i]}, Data: priceData(text)}
		if !yield(r, nil) {
			return false
		}
	}
	return true
}

func ownText(base, discount decimal.Decimal) string {
	price, ok := ofOwn(base, discount)
	if !ok {
		return ""
	}
	return upstock.PriceText(price)
}
