package catalogue

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"stockbridge/internal/mirror"
)

// Rows reads rows of one kind in the order of their ids, those after an id; "" = all.
type Rows func(ctx context.Context, after string) iter.Seq2[mirror.Row, error]

// IDs reads ids in their order, those after one; "" = all.
type IDs func(ctx context.Context, after string) iter.Seq2[string, error]

// Source is what the wants of an account are read from.
type Source struct {
	Rules Rules

	Products, Customers, OwnPrices Rows // of ProductKind, CustomerKind and OwnKind
	Stock                          Rows // of StockKind; nil = it is not asked what is available
	// StockProved reports whether all of Stock was ever read: what it does not list has none then. nil = it was.
	StockProved     func(context.Context) (bool, error)
	ChosenProducts  IDs
	ChosenCustomers IDs

	// Unknown is asked about a price tier on a customer's card that the account does not have; an error ends the want:
	// the tiers may be older than the card. nil: no tier has that name.
	Unknown func(tier string) error

	// Passing is told of each list as WantPrices comes to it, before its first price; nil = nobody asks. What is not
	// passed before the price of a later list is none that a customer has.
	Passing func(list string)
}

// ErrUnread is the error of a want where a customer's own prices are not in the mirror as the customer's row says: they
// are just being read, or have to be.
var ErrUnread = errors.New("the own prices of a customer are not read yet")

// ErrTiers is the error of a want where a customer's card names a price tier that the account did not have when its
// tiers were read.
var ErrTiers = errors.New("a customer has a price tier that is not known")

// AsksStock reports whether it counts what is available, and is known.
func (s Source) AsksStock(ctx context.Context) (bool, error) {
	if s.Stock == nil || s.StockProved == nil {
		return s.Stock != nil, nil
	}
	return s.StockProved(ctx)
}

// check is an error where the account is not known well enough: without its tiers every price would be taken away.
func (s Source) check() error {
	switch {
	case len(s.Rules.Tiers) == 0:
		return errors.New("the price tiers of the account are not known")
	case strings.TrimSpace(s.Rules.Currency) == "":
		return errors.New("the currency of the account is not known")
	}
	return nil
}

// products are the chosen products, in the order of their ids.
func (s Source) products(ctx context.Context, after string) iter.Seq2[Product, error] {
	return chosen(s.Products(ctx, after), s.ChosenProducts(ctx, after), ReadProduct)
}

// chosen are the records of rows whose ids are chosen. Both are in order.
func chosen[T any](
	rows iter.Seq2[mirror.Row, error], ids iter.Seq2[string, error], read func(mirror.Row) (T, error),
) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		id := pull(ids)
		defer id.stop()
		for row, err := range rows {
			if err == nil {
				err = id.skip(func(id string) bool { return id < row.ID })
			}
			if err != nil {
				yield(none, err)
				return
			}
			if !id.there {
				return
			}
			if id.now != row.ID {
				continue
			}
			v, err := read(row)
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// pulled is a sequence that is read step by step, beside another.
type pulled[T any] struct {
	next  func() (T, error, bool)
	stop  func()
	now   T
	there bool // false = it has ended
	begun bool
}

func pull[T any](seq iter.Seq2[T, error]) *pulled[T] {
	p := new(pulled[T])
	p.next, p.stop = iter.Pull2(seq)
	return p
}

// skip passes what passes says; after it now is the first that is left.
func (p *pulled[T]) skip(passes func(T) bool) (err error) {
	for !p.begun || p.there && passes(p.now) {
		p.begun = true
		if p.now, err, p.there = p.next(); err != nil {
			return err
		}
	}
	return nil
}

// buyer is a chosen customer, with the own prices that count.
type buyer struct {
	Customer // OwnPrices = how many there are in own
	own      []OwnPrice
}

// buyers are the chosen customers who can be in Upstock, in the order of their ids, with their own prices of listed
// products.
func (s Source) buyers(ctx context.Context, g *goods, after string) iter.Seq2[buyer, error] {
	return func(yield func(buyer, error) bool) {
		own := pull(s.OwnPrices(ctx, after))
		defer own.stop()
		for c, err := range chosen(s.Customers(ctx, after), s.ChosenCustomers(ctx, after), ReadCustomer) {
			b := buyer{Customer: c}
			if err == nil && c.OwnPrices > 0 {
				b.own, err = ownOf(c, own)
				b.own = slices.DeleteFunc(b.own, func(o OwnPrice) bool { return g.find(o.Product) < 0 })
				b.OwnPrices = len(b.own)
			}
			if err == nil && c.Unfit() != "" {
				continue
			}
			if err == nil && s.Unknown != nil && !s.Rules.HasTier(c.Tier) {
				err = s.Unknown(c.Tier)
			}
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
}

// ownOf reads a customer's own prices from rows that are read in the order of customers.
func ownOf(c Customer, rows *pulled[mirror.Row]) (list []OwnPrice, err error) {
	for _, key := range OwnKeys(c) {
		if err := rows.skip(func(row mirror.Row) bool { return row.ID < key.ID }); err != nil {
			return nil, err
		}
		if !rows.there || rows.now.ID != key.ID {
			break
		}
		some, err := ReadOwnPrices(rows.now)
		if err != nil {
			return nil, err
		}
		list = append(list, some...)
	}
	if len(list) != c.OwnPrices {
		return nil, fmt.Errorf("customer %s has %d of %d: %w", c.ID, len(list), c.OwnPrices, ErrUnread)
	}
	return list, nil
}

// goods are the listed products with their tier prices, in little memory: 100,000 of them take 20 MB.
type goods struct {
	ids   []string // sorted
	tiers [len(TierPrices{})][]int64
	odd   map[oddAt]decimal.Decimal // prices that do not fit into units
}

type oddAt struct{ product, tier int }

// units are a price in the smallest amount that a price is written in. isOdd stands for one that is finer or larger.
const isOdd = -1 << 63

func unitsOf(d decimal.Decimal) int64 {
	if d.IsZero() {
		return 0
	}
	if !d.Equal(d.Truncate(Places)) || d.Abs().GreaterThan(mostPrice) {
		return isOdd
	}
	return d.Shift(Places).IntPart()
}

// goods reads the listed products.
func (s Source) goods(ctx context.Context) (*goods, error) {
	g := &goods{odd: map[oddAt]decimal.Decimal{}}
	if err := s.check(); err != nil {
		return nil, err
	}
	for p, err := range s.products(ctx, "") {
		if err != nil {
			return nil, err
		}
		if p.Unfit() != "" {
			continue
		}
		if n := len(g.ids); n > 0 && g.ids[n-1] >= p.ID {
			return nil, fmt.Errorf("products are not in order: %s after %s", p.ID, g.ids[n-1])
		}
		for i, price := range p.Tiers {
			units := unitsOf(price)
			if units == isOdd {
				g.odd[oddAt{len(g.ids), i}] = price
			}
			g.tiers[i] = append(g.tiers[i], units)
		}
		g.ids = append(g.ids, strings.Clone(p.ID))
	}
	return g, nil
}

// find is where a product is; -1 = it is not listed.
func (g *goods) find(id string) int {
	if i, ok := slices.BinarySearch(g.ids, id); ok {
		return i
	}
	return -1
}

// base is the ith product's price in a tier.
func (g *goods) base(i, code int) decimal.Decimal {
	if units := g.tiers[code-1][i]; units != isOdd {
		return decimal.New(units, -Places)
	}
	return g.odd[oddAt{i, code - 1}]
}
