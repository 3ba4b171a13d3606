package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"stockbridge/internal/sim"
)

// bench measures how many orders a second one process takes from their
// webhooks to sold sales, without limiter, simulators in the same process.
func bench(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	orders := f.Int("orders", 3000, "how many orders")
	if err := f.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "stockbridge-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := sim.New(sim.Options{NoLimits: true})
	if err != nil {
		return err
	}
	defer s.Close()
	srv, err := listen("127.0.0.1:0", s.Handler())
	if err != nil {
		return err
	}
	defer srv.close()
	r, err := start(options{listen: "127.0.0.1:0", token: "dev", speed: 1, unlimited: true}, dir, srv.url, getenv, out)
	if err != nil {
		return err
	}
	defer r.close()
	k := killer{api: client{r.web.url, "dev"}, sim: client{srv.url, ""}}
	acc, tenant, err := k.prepare(ctx)
	if err != nil {
		return err
	}
	ids := make([]int64, *orders)
	for i := range ids {
		o, err := s.PlaceOrder(acc.Upstock.Supplier, "")
		if err != nil {
			return err
		}
		ids[i] = int64(o.ID)
	}
	begun := time.Now()
	var wg sync.WaitGroup
	next := make(chan int64)
	for range 16 {
		wg.Go(func() {
			for id := range next {
				s.Approve(int(id))
			}
		})
	}
	for _, id := range ids {
		next <- id
	}
	close(next)
	wg.Wait()
	last := fmt.Sprintf("/api/v1/tenants/%s/orders?state=sold&limit=1", tenant)
	err = until(ctx, 5*time.Minute, 100*time.Millisecond, "all orders", func() (bool, error) {
		visible, delayed, inFlight := r.orders.depth()
		if visible+delayed+inFlight > 0 {
			return false, nil
		}
		n := 0
		for _, sale := range s.Sales(acc.Cin7Core.AccountID) {
			if sale.Lines > 0 {
				n++
			}
		}
		return n >= len(ids), k.api.call(ctx, http.MethodGet, last, nil, nil)
	})
	if err != nil {
		return err
	}
	took := time.Since(begun)
	fmt.Fprintf(out, "%d orders in %.1f s: %.0f orders/s from webhook to sold\n", len(ids), took.Seconds(), float64(len(ids))/took.Seconds())
	fmt.Fprintf(out, "memory of this process, simulators included: %s\n", memory())
	for _, t := range k.settle(ctx, tenant, acc, ids) {
		return fmt.Errorf("not all is well: %s", t)
	}
	return nil
}

// memory is the process's resident set, where the system tells it.
func memory() string {
	data, _ := os.ReadFile("/proc/self/status")
	for line := range strings.SplitSeq(string(data), "\n") {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strings.TrimSpace(v)
		}
	}
	return "not known here"
}
