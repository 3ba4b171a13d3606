package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/table"
	"stockbridge/internal/upstockcin7/order"
)

// benchLists compares what a page of a tenant's orders costs, by state or by
// search, for a tenant with very many orders and for one with a thousand. Both
// are in one embedded store, written by the ledger as webhooks have it written.
func benchLists(ctx context.Context, o benchOptions) ([]figure, error) {
	const few, times = 1000, 50
	store, err := table.Open("", table.Options{NoSync: true})
	if err != nil {
		return nil, err
	}
	defer store.Close()
	counted := &countingTable{Table: store}
	book := order.NewBook(ledger.New(counted))
	for tenant, n := range map[string]int{"few": few, "many": o.listed} {
		if err := receiveMany(ctx, book, tenant, n); err != nil {
			return nil, err
		}
	}
	median := func(do func(tenant string) error, tenant string) (took time.Duration, reads int64, err error) {
		before := counted.reads.Load()
		var each []time.Duration
		for range times {
			start := time.Now()
			if err := do(tenant); err != nil {
				return 0, 0, err
			}
			each = append(each, time.Since(start).Round(10*time.Microsecond))
		}
		slices.Sort(each)
		return each[times/2], (counted.reads.Load() - before) / times, nil
	}
	var list []figure
	for _, q := range listQueries(ctx, book) {
		fewTook, fewReads, err := median(q.do, "few")
		if err != nil {
			return list, err
		}
		manyTook, manyReads, err := median(q.do, "many")
		if err != nil {
			return list, err
		}
		list = append(list, figure{
			what: q.what + ": more read requests than of few", got: float64(manyReads - fewReads), goal: 0,
			note: fmt.Sprintf("%v, %v for few; %d orders against %d; p50 of %d", manyTook, fewTook, o.listed, few,
				times),
		})
	}
	return list, nil
}

type listQuery struct {
	what string
	do   func(tenant string) error
}

func listQueries(ctx context.Context, book *order.Book) []listQuery {
	all := func(*order.Order) bool { return true }
	find := func(words string) func(string) error {
		return func(t string) error { _, err := book.Find(ctx, t, words, "", 50, all); return err }
	}
	return []listQuery{
		{"the newest orders", func(t string) error { _, _, err := book.Runs(ctx, t, "", 50); return err }},
		{"orders that need attention", func(t string) error {
			_, err := book.InState(ctx, t, ledger.Attention, "", 50)
			return err
		}},
		{"a search for a customer", find("totara")},
		{"a search for a reference", find("PO-500")},
		{"how many are sold, up to 10,000",
			func(t string) error { _, err := book.CountIn(ctx, t, order.Sold); return err }},
	}
}

// receiveMany gives a tenant n orders. They are sold, but for one in a thousand,
// which needs attention; one in a hundred is of the customer searched for.
func receiveMany(ctx context.Context, book *order.Book, tenant string, n int) error {
	const writers = 16
	now := time.Now().UTC()
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, writers)
	for range writers {
		wg.Go(func() {
			for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
				o := &order.Order{
					Run:    ledger.Run{Tenant: tenant, ID: fmt.Sprint(i), State: order.Sold, Received: now},
					SoldAt: now, Told: true, Customer: "Bay Bakery", Number: fmt.Sprintf("UP-%d", i),
					Reference: fmt.Sprintf("PO-%d", n-i), SaleNumber: fmt.Sprintf("SO-%07d", i),
				}
				if i%100 == 0 {
					o.Customer = "Tōtara Street Café"
				}
				if i%1000 == 0 {
					o.State, o.SoldAt, o.Told, o.SaleNumber = ledger.Attention, time.Time{}, false, ""
					sku := fmt.Sprintf("TEA-%d", i/1000%7)
					o.Problems = []ledger.Problem{{Code: "product", Line: 1,
						Message: "Line 1: Cin7 Core has no product with the SKU " + sku + ".",
						Fix:     "Choose a product."}}
				}
				if _, err := book.Receive(ctx, o, []byte("{}")); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	return <-errs
}
