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
)

// benchLists compares what a page of a tenant's orders costs, by state or by
// search, where the tenant has very many and where it has a thousand. Both stand
// in one embedded store, written by the ledger as webhooks write them.
func benchLists(ctx context.Context, o benchOptions) ([]figure, error) {
	const few = 1000
	store, err := table.Open("", table.Options{NoSync: true})
	if err != nil {
		return nil, err
	}
	defer store.Close()
	c := &counter{Table: store}
	l := ledger.New(c)
	for tenant, n := range map[string]int{"few": few, "many": o.listed} {
		if err := receiveMany(ctx, l, tenant, n); err != nil {
			return nil, err
		}
	}
	keep := func(*ledger.Run) bool { return true }
	note := fmt.Sprintf("%d orders against %d; p50 of 50", o.listed, few)
	var list []figure
	for _, q := range []struct {
		what string
		do   func(tenant string) error
	}{
		{"the newest orders", func(t string) error { _, _, err := l.Runs(ctx, t, "", 50); return err }},
		{"orders that need attention", func(t string) error { _, err := l.InState(ctx, t, ledger.Attention, "", 50); return err }},
		{"a search for a customer", func(t string) error { _, err := l.Find(ctx, t, "totara", "", 50, keep); return err }},
		{"a search for a reference", func(t string) error { _, err := l.Find(ctx, t, "PO-500", "", 50, keep); return err }},
		{"how many are sold, up to 10,000", func(t string) error { _, err := l.CountIn(ctx, t, ledger.Sold); return err }},
	} {
		var took [2]time.Duration
		var read [2]int64
		for i, tenant := range []string{"few", "many"} {
			before := c.reads.Load()
			var each []time.Duration
			for range 50 {
				start := time.Now()
				if err := q.do(tenant); err != nil {
					return list, err
				}
				each = append(each, time.Since(start))
			}
			slices.Sort(each)
			took[i], read[i] = each[len(each)/2], (c.reads.Load()-before)/50
		}
		list = append(list, figure{what: q.what + ": more read requests than of few", got: float64(read[1] - read[0]), reach: 0,
			note: fmt.Sprintf("%v, %v for few; %s", took[1].Round(10*time.Microsecond), took[0].Round(10*time.Microsecond), note)})
	}
	return list, nil
}

// receiveMany gives a tenant sold orders, one in a hundred of a customer to be
// searched for, and one in a thousand that needs attention.
func receiveMany(ctx context.Context, l *ledger.Ledger, tenant string, n int) error {
	const writers = 16
	now := time.Now().UTC()
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, writers)
	for range writers {
		wg.Go(func() {
			for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
				r := &ledger.Run{Tenant: tenant, ID: fmt.Sprint(i), State: ledger.Sold, Received: now, SoldAt: now, Told: true, Customer: "Bay Bakery",
					Number: fmt.Sprintf("UP-%d", i), Reference: fmt.Sprintf("PO-%d", n-i), SaleNumber: fmt.Sprintf("SO-%07d", i)}
				if i%100 == 0 {
					r.Customer = "Tōtara Street Café"
				}
				if i%1000 == 0 {
					r.State, r.SoldAt, r.Told, r.SaleNumber = ledger.Attention, time.Time{}, false, ""
				}
				if _, err := l.Receive(ctx, r, []byte("{}")); err != nil {
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
