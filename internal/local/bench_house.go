package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"stockbridge/internal/app"
	"stockbridge/internal/cloud"
	"stockbridge/internal/ledger"
	"stockbridge/internal/sim"
	simcin7core "stockbridge/internal/sim/cin7core"
	simupstock "stockbridge/internal/sim/upstock"
	"stockbridge/internal/table"
)

// house is the runner with the simulators in one process: the vendors are
// called without a socket, so that they cost little; webhooks come over
// loopback, signed.
type house struct {
	dir        string
	sim        *sim.Sim
	simUpstock *simupstock.Vendor
	simCore    *simcin7core.Vendor
	web        *server // the simulators' control API
	runner     *runner
	api        client
	acc        sim.Account
	tenant     string
	table      counter
	meter      table.Meter
	far        caller
	over       int              // calls over Cin7 Core's limit before the measuring began
	ended      chan *ledger.Run // orders whose work has ended for now
}

// caller counts the calls to Cin7 Core.
type caller struct {
	next  http.RoundTripper
	mu    sync.Mutex
	calls map[string]int // by path below the base
	all   int
}

func (c *caller) RoundTrip(req *http.Request) (*http.Response, error) {
	if path, ok := strings.CutPrefix(req.URL.Path, sim.PrefixCin7Core); ok {
		c.mu.Lock()
		c.calls[path]++
		c.all++
		c.mu.Unlock()
	}
	return c.next.RoundTrip(req)
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

// openHouse makes a house with one connected tenant, to which jobs happen as
// every says (as -every does; none that it does not name). stock may add to the
// account before its reference data is read.
func openHouse(ctx context.Context, o houseOptions) (h *house, err error) {
	h = &house{ended: make(chan *ledger.Run, 1<<16)}
	defer func() {
		if err != nil {
			h.close()
		}
	}()
	if h.dir, err = os.MkdirTemp("", "stockbridge-bench-"); err != nil {
		return h, err
	}
	h.simUpstock, h.simCore = simupstock.New(), simcin7core.New(simcin7core.Options{NoAutomation: o.noWebhooks})
	far := sim.Options{Speed: o.speed, NoLimits: true, Deliver: cloud.Transport()}
	if h.sim, err = sim.New(far, h.simUpstock, h.simCore); err != nil {
		return h, err
	}
	h.far = caller{next: h.sim.Transport(), calls: map[string]int{}}
	h.acc = h.sim.AddAccount("Kiln & Crate", "NZD")
	if o.stock != nil {
		if err := o.stock(h); err != nil {
			return h, err
		}
	}
	if h.web, err = listen("127.0.0.1:0", h.sim.Handler()); err != nil {
		return h, err
	}
	never := ""
	for job := range app.Schedules() {
		never += job + "=0,"
	}
	run := options{listen: "127.0.0.1:0", token: "dev", speed: o.speed, every: never + o.every, change: func(d *app.Deps) {
		h.meter.Table, h.table.Table = d.Table, d.Table
		if o.metered {
			h.table.Table = &h.meter
		}
		d.Table, d.HTTP, d.Unlimited = &h.table, &h.far, o.unlimited
		d.OnEnd = func(r *ledger.Run) { h.ended <- r }
	}}
	if h.runner, err = start(run, h.dir, h.web.url, func(string) string { return "" }, io.Discard); err != nil {
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

type houseOptions struct {
	speed      float64
	unlimited  bool // no limiter
	every      string
	noWebhooks bool // Cin7 Core has none to us
	metered    bool // count the table's write units
	stock      func(*house) error
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

// order places an order, approves it and waits until it is sold.
func (h *house) order(ctx context.Context, body string) error {
	o, err := h.simUpstock.PlaceOrder(h.acc.Upstock.Supplier, body)
	if err != nil {
		return err
	}
	if _, err := h.simUpstock.Approve(o.ID); err != nil {
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

// flow takes orders from their approval to sold ones, so many at once.
func (h *house) flow(ctx context.Context, orders, atOnce int) (time.Duration, error) {
	ids := make([]int, orders)
	for i := range ids {
		o, err := h.simUpstock.PlaceOrder(h.acc.Upstock.Supplier, "")
		if err != nil {
			return 0, err
		}
		ids[i] = o.ID
	}
	begun := time.Now()
	for i := range orders + atOnce {
		if i >= atOnce {
			if err := h.sold(ctx); err != nil {
				return 0, err
			}
		}
		if i < orders {
			if _, err := h.simUpstock.Approve(ids[i]); err != nil {
				return 0, err
			}
		}
	}
	return time.Since(begun), nil
}

// benchRate measures how many orders a second go from webhook to sold.
func benchRate(ctx context.Context, o benchOptions) ([]figure, error) {
	const warm, rounds, atOnce = 100, 3, 64
	if o.orders < rounds {
		return nil, fmt.Errorf("%d orders are too few", o.orders)
	}
	h, err := openHouse(ctx, houseOptions{speed: 1, unlimited: true})
	if err != nil {
		return nil, err
	}
	defer h.close()
	if _, err := h.flow(ctx, warm, atOnce); err != nil {
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
	best, used := 0.0, ownTime()
	others := watchOthers()
	for range rounds {
		took, err := h.flow(ctx, o.orders/rounds, atOnce)
		if err != nil {
			return nil, err
		}
		best = max(best, float64(o.orders/rounds)/took.Seconds())
	}
	busy := others()
	used = (ownTime() - used) / time.Duration(o.orders/rounds*rounds)
	whole := map[string]int{}
	for _, s := range h.simCore.Sales(h.acc.Cin7Core.AccountID) {
		if s.Lines > 0 {
			whole[s.ExternalID]++
		}
	}
	if got := len(whole); got != warm+o.orders/rounds*rounds || slices.Max(slices.Collect(maps.Values(whole))) > 1 {
		return nil, fmt.Errorf("%d orders, %d of them sold", warm+o.orders/rounds*rounds, got)
	}
	return []figure{{
		what: "orders a second, webhook to sold, one process, limiter off", got: best, reach: 900, unit: "/s", least: true,
		note: fmt.Sprintf("best of %d rounds of %d; %.1f ms of CPU each, simulators included%s", rounds, o.orders/rounds, used.Seconds()*1000, busy),
	}}, nil
}

// benchCalls counts what an order costs at Cin7 Core and in the table, and what
// it costs to read the reference data. Time runs faster, for the budget would
// make minutes of waiting of it; a connection's first orders, which are looked
// for as somebody else's sales too, are not counted.
func benchCalls(ctx context.Context, _ benchOptions) ([]figure, error) {
	const speed, books, first, n, lines = 20, 1000, 10, 8, 100
	const minute = 65 * time.Second / speed // of the budget
	var long string
	h, err := openHouse(ctx, houseOptions{speed: speed, stock: func(h *house) (err error) {
		long, err = h.stock(books, lines)
		pause(ctx, minute)
		return err
	}})
	if err != nil {
		return nil, err
	}
	defer h.close()
	list := []figure{
		{what: "calls to read 1,000 customers", got: float64(h.far.calls["/customer"]), reach: 1},
		{what: "calls to read 1,000 products", got: float64(h.far.calls["/product"]), reach: 1},
	}
	pause(ctx, minute) // the mirror has used some of the budget
	for range first {
		if err := h.order(ctx, ""); err != nil {
			return list, err
		}
	}
	pause(ctx, minute)
	each := func(n int, body string) (calls, reads, writes float64, err error) {
		all := h.far.all
		r, w := h.table.reads.Load(), h.table.writes.Load()
		for range n {
			if err := h.order(ctx, body); err != nil {
				return 0, 0, 0, err
			}
		}
		per := func(d int64) float64 { return float64(d) / float64(n) }
		return per(int64(h.far.all - all)), per(h.table.reads.Load() - r), per(h.table.writes.Load() - w), nil
	}
	calls, reads, writes, err := each(n, "")
	if err != nil {
		return list, err
	}
	_, manyReads, manyWrites, err := each(n/2, long)
	if err != nil {
		return list, fmt.Errorf("order of %d lines: %w", lines, err)
	}
	var settings map[string]any
	path := "/api/v1/tenants/" + h.tenant + "/settings"
	if err := h.api.call(ctx, http.MethodGet, path, nil, &settings); err != nil {
		return list, err
	}
	settings["orderStatus"], settings["creationMode"] = "authorised", "autoPick"
	if err := h.api.call(ctx, http.MethodPut, path, settings, nil); err != nil {
		return list, err
	}
	picked, _, _, err := each(n, "")
	if err != nil {
		return list, fmt.Errorf("with Auto Pick: %w", err)
	}
	if over := h.sim.OverLimit(sim.Cin7Core, h.acc.Cin7Core.AccountID) - h.over; over > 0 {
		return list, fmt.Errorf("%d calls over the limit", over)
	}
	usual := fmt.Sprintf("%s for an order of 1 to 3 lines", short(writes))
	usualReads := fmt.Sprintf("%s for an order of 1 to 3 lines", short(reads))
	return append([]figure{
		{what: "Cin7 Core calls per order, good case", got: calls, reach: 2},
		{what: "Cin7 Core calls per order with Auto Pick", got: picked, reach: 3},
		{what: "storage writes per order of 100 lines, webhook and limiter included", got: manyWrites, reach: 9, note: usual},
		{what: "storage reads per order of 100 lines, webhook and limiter included", got: manyReads, reach: 5, note: usualReads},
	}, list...), nil
}

// stock fills Cin7 Core's books up to so many customers and products, and
// returns an order of that many different ones of the new products.
func (h *house) stock(books, lines int) (order string, err error) {
	type row = map[string]any
	copied := func(from row, names ...string) row {
		to := row{}
		for _, name := range names {
			to[name] = from[name]
		}
		return to
	}
	var customers struct{ CustomerList []row }
	var products struct{ Products []row }
	if err = h.cin7(http.MethodGet, "/customer?Limit=1000&IncludeDeprecated=true", nil, &customers); err == nil {
		err = h.cin7(http.MethodGet, "/product?Limit=1000&IncludeDeprecated=true", nil, &products)
	}
	if err != nil {
		return "", err
	}
	for i := len(customers.CustomerList); i < books; i++ {
		c := copied(customers.CustomerList[0], "Currency", "PaymentTerm", "TaxRule", "AccountReceivable", "RevenueAccount", "Status", "PriceTier")
		c["Name"] = fmt.Sprintf("Corner Shop %04d", i)
		if err := h.cin7(http.MethodPost, "/customer", c, nil); err != nil {
			return "", err
		}
	}
	var list []row
	for i := len(products.Products); i < books; i++ {
		p := copied(products.Products[0], "Category", "CostingMethod", "UOM", "Status", "PriceTier1")
		p["Name"], p["SKU"] = fmt.Sprintf("Tea of the Day %04d", i), fmt.Sprintf("DAY-%04d", i)
		var made struct{ Products []struct{ ID string } }
		if err := h.cin7(http.MethodPost, "/product", p, &made); err != nil {
			return "", err
		}
		if len(list) < lines {
			list = append(list, row{"productExternalId": made.Products[0].ID, "sku": p["SKU"], "name": p["Name"], "quantity": "2", "unitPrice": "8.90"})
		}
	}
	h.over = h.sim.OverLimit(sim.Cin7Core, h.acc.Cin7Core.AccountID)
	data, err := json.Marshal(row{"lines": list})
	return string(data), err
}

// cin7 makes a call to the simulated Cin7 Core as the account's owner.
func (h *house) cin7(method, path string, in, out any) error {
	data, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(method, "http://simulators.test"+sim.PrefixCin7Core+path, bytes.NewReader(data))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("api-auth-accountid", h.acc.Cin7Core.AccountID)
	req.Header.Set("api-auth-applicationkey", h.acc.Cin7Core.ApplicationKey)
	resp, err := h.sim.Transport().RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %d: %s", method, path, resp.StatusCode, answer)
	}
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(answer, out)
}

// watchOthers watches the machine: what it returns says, where the system tells, how much of the CPU others took since.
func watchOthers() func() string {
	all, idle, ok := machineTime()
	own := ownTime()
	return func() string {
		all2, idle2, ok2 := machineTime()
		if !ok || !ok2 || all2 <= all {
			return ""
		}
		others := (all2 - all) - (idle2 - idle) - (ownTime() - own)
		return fmt.Sprintf("; others took %.0f %% of the CPU meanwhile", max(0, 100*others.Seconds()/(all2-all).Seconds()))
	}
}

// machineTime is how long all CPUs together have run, and idled, since the machine started.
func machineTime() (all, idle time.Duration, ok bool) {
	const tick = 10 * time.Millisecond
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, false
	}
	line, _, _ := strings.Cut(string(data), "\n")
	for i, f := range strings.Fields(line)[1:] {
		n, _ := strconv.Atoi(f)
		switch {
		case i > 7: // guests' time is in the users' already
			continue
		case i == 3 || i == 4: // idle, and waiting for a disk
			idle += time.Duration(n) * tick
		}
		all += time.Duration(n) * tick
	}
	return all, idle, true
}

func ownTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
