package catalogue

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/mirror"
	"stockbridge/internal/publish"
	"stockbridge/internal/upstock"
)

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }

// guid is an id as Cin7 Core writes one.
func guid(kind, n int) string { return fmt.Sprintf("%08X-0000-4000-8000-%012X", kind, n*7919) }

// account is a Cin7 Core account, and what of it was chosen; nil = all.
type account struct {
	rules     Rules
	products  []cin7core.Product
	customers []cin7core.Customer
	stock     map[string]bool // nil = it is not asked
	chosen    func(id string) bool
}

// tiersOf are an account's tiers, by their names.
func tiersOf(names ...string) (tiers []cin7core.PriceTier) {
	for i, name := range names {
		tiers = append(tiers, cin7core.PriceTier{Code: i + 1, Name: name})
	}
	return tiers
}

// rowsOf reads rows from a slice, in the order of ids.
func rowsOf(rows []mirror.Row) Rows {
	slices.SortFunc(rows, func(a, b mirror.Row) int { return strings.Compare(a.ID, b.ID) })
	return func(_ context.Context, after string) iter.Seq2[mirror.Row, error] {
		return func(yield func(mirror.Row, error) bool) {
			for _, row := range rows {
				if row.ID > after && !yield(row, nil) {
					return
				}
			}
		}
	}
}

// source is the account as it is in the mirror.
func (a account) source() Source {
	s := Source{Rules: a.rules}
	byKind := map[string][]mirror.Row{}
	add := func(rows []mirror.Row) {
		for _, row := range rows {
			byKind[row.Kind] = append(byKind[row.Kind], row)
		}
	}
	for _, p := range a.products {
		add(ProductRows(p))
	}
	for _, c := range a.customers {
		add(CustomerRows(c))
	}
	for id, there := range a.stock {
		add([]mirror.Row{StockRow(id, there)})
	}
	s.Products, s.Customers = rowsOf(byKind[ProductKind]), rowsOf(byKind[CustomerKind])
	s.OwnPrices = rowsOf(byKind[OwnKind])
	if a.stock != nil {
		s.Stock = rowsOf(byKind[StockKind])
	}
	ids := func(rows Rows) IDs {
		return func(ctx context.Context, after string) iter.Seq2[string, error] {
			return func(yield func(string, error) bool) {
				for row := range rows(ctx, after) {
					if (a.chosen == nil || a.chosen(row.ID)) && !yield(row.ID, nil) {
						return
					}
				}
			}
		}
	}
	s.ChosenProducts, s.ChosenCustomers = ids(s.Products), ids(s.Customers)
	return s
}

// all are the records of a want after a key. They are in order, or the test fails.
func all(t testing.TB, want publish.Want, after publish.Key) (list []publish.Record) {
	t.Helper()
	last := after
	for r, err := range want(t.Context(), after) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Group < last.Group || r.Group == last.Group && r.ID <= last.ID {
			t.Fatalf("%v after %v", r.Key, last)
		}
		if last = r.Key; !json.Valid(r.Data) {
			t.Fatalf("%v is %s", r.Key, r.Data)
		}
		list = append(list, r)
	}
	return list
}

// told is what Upstock holds when all that is wanted was told.
type told struct {
	products  map[string]upstock.Product
	customers map[string]upstock.CustomerRecord
	lists     map[string]upstock.PriceList
	prices    map[string]map[string]string // by list and product
}

func toldOf(t testing.TB, s Source) told {
	t.Helper()
	w := told{products: map[string]upstock.Product{}, customers: map[string]upstock.CustomerRecord{},
		lists: map[string]upstock.PriceList{}, prices: map[string]map[string]string{}}
	for _, r := range all(t, s.WantProducts, publish.Key{}) {
		w.products[r.ID] = reading[upstock.Product](t, r.Data)
	}
	for _, r := range all(t, s.WantCustomers, publish.Key{}) {
		w.customers[r.ID] = reading[upstock.CustomerRecord](t, r.Data)
	}
	for _, r := range all(t, s.WantLists, publish.Key{}) {
		w.lists[r.ID] = reading[upstock.PriceList](t, r.Data)
		w.prices[r.ID] = map[string]string{}
	}
	for _, r := range all(t, s.WantPrices, publish.Key{}) {
		if w.prices[r.Group] == nil {
			t.Fatalf("a price of the list %s, which is not there", r.Group)
		}
		w.prices[r.Group][r.ID] = reading[string](t, r.Data)
	}
	return w
}

func reading[T any](t testing.TB, data []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return v
}
