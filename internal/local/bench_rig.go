package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"stockbridge/internal/app"
	"stockbridge/internal/cloud"
	"stockbridge/internal/sim"
	simcin7core "stockbridge/internal/sim/cin7core"
	simomni "stockbridge/internal/sim/cin7omni"
	simjoor "stockbridge/internal/sim/joor"
	simupstock "stockbridge/internal/sim/upstock"
	"stockbridge/internal/table"
	"stockbridge/internal/upstockcin7/order"
)

// rig is what the measurements run on: the runner and the simulators in one
// process, with one connected tenant. Calls to the vendors use no socket, so
// that they cost little; webhooks are signed and come over loopback.
type rig struct {
	dir        string
	sim        *sim.Sim
	simUpstock *simupstock.Vendor
	simCore    *simcin7core.Vendor
	control    *server // the simulators' control API
	runner     *runner
	api        client
	acc        sim.Account
	tenant     string
	table      countingTable
	meter      table.Meter
	cin7       callCounter
	overBefore int            // calls over Cin7 Core's limit that fillBooks made
	ended      chan app.Ended // orders whose work has ended for now
}

// callCounter counts the calls to Cin7 Core, and those to Upstock that are no readings.
type callCounter struct {
	next    http.RoundTripper
	mu      sync.Mutex
	byPath  map[string]int // below the base
	changes map[string]int // of these, those that read only what changed
	all     int
	writes  int
	every   atomic.Int64 // calls to vendors
}

func (c *callCounter) RoundTrip(req *http.Request) (*http.Response, error) {
	c.every.Add(1)
	if path, ok := strings.CutPrefix(req.URL.Path, sim.PrefixCin7Core); ok {
		c.mu.Lock()
		c.byPath[path]++
		if req.URL.Query().Has("ModifiedSince") {
			c.changes[path]++
		}
		c.all++
		c.mu.Unlock()
	} else if strings.HasPrefix(req.URL.Path, sim.PrefixUpstock) && req.Method != http.MethodGet {
		c.mu.Lock()
		c.writes++
		c.mu.Unlock()
	}
	if strings.HasPrefix(req.URL.Path, "/issuer/") { // the runner's own, which is no vendor's
		return http.DefaultTransport.RoundTrip(req)
	}
	return c.next.RoundTrip(req)
}

func (c *callCounter) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all
}

func (c *callCounter) to(path string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byPath[path]
}

// whole is how often a list was read other than for what changed in it.
func (c *callCounter) whole(path string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.byPath[path] - c.changes[path]
}

// told is how many calls told Upstock something.
func (c *callCounter) told() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writes
}

// countingTable counts the requests to a table, and what comes of those that read.
type countingTable struct {
	table.Table
	reads, writes  atomic.Int64
	items, entries atomic.Int64 // that were read, and those of indexes
	bytes          atomic.Int64 // of the items' data
}

func (c *countingTable) Get(ctx context.Context, keys ...table.Key) ([]table.Item, error) {
	c.reads.Add(1)
	items, err := c.Table.Get(ctx, keys...)
	c.came(items)
	return items, err
}

func (c *countingTable) Query(ctx context.Context, q table.Query) (table.Page, error) {
	c.reads.Add(1)
	page, err := c.Table.Query(ctx, q)
	c.came(page.Items)
	return page, err
}

func (c *countingTable) List(ctx context.Context, q table.Query) (table.Entries, error) {
	c.reads.Add(1)
	list, err := c.Table.List(ctx, q)
	c.entries.Add(int64(len(list.Entries)))
	return list, err
}

func (c *countingTable) came(items []table.Item) {
	c.items.Add(int64(len(items)))
	for _, it := range items {
		c.bytes.Add(int64(len(it.Data)))
	}
}

func (c *countingTable) Write(ctx context.Context, ops ...table.Op) error {
	c.writes.Add(1)
	return c.Table.Write(ctx, ops...)
}

type rigOptions struct {
	speed      float64
	unlimited  bool             // no limiter
	every      string           // as the flag -every; a job that it does not name never runs
	noWebhooks bool             // Cin7 Core sends none
	metered    bool             // count the table's write units
	table      table.Table      // that is used instead of the embedded store; nil = none
	fill       func(*rig) error // adds records to the account before they are first read
	brand      bool             // the tenant has Cin7 Omni and JOOR
}

func openRig(ctx context.Context, o rigOptions) (_ *rig, err error) {
	r := &rig{ended: make(chan app.Ended, 1<<16)}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	if r.dir, err = os.MkdirTemp("", "stockbridge-bench-"); err != nil {
		return nil, err
	}
	if err := r.startVendors(o); err != nil {
		return nil, err
	}
	if err := r.startRunner(o); err != nil {
		return nil, err
	}
	if o.brand {
		return r, r.connectBrand(ctx)
	}
	return r, r.connectTenant(ctx)
}

func (r *rig) startVendors(o rigOptions) (err error) {
	r.simUpstock = simupstock.New()
	r.simCore = simcin7core.New(simcin7core.Options{NoAutomation: o.noWebhooks})
	options := sim.Options{Speed: o.speed, NoLimits: true, Deliver: cloud.Transport()}
	vendors := []sim.Vendor{r.simUpstock, r.simCore}
	if o.brand {
		vendors = []sim.Vendor{simomni.New(), simjoor.New()}
	}
	if r.sim, err = sim.New(options, vendors...); err != nil {
		return err
	}
	r.cin7 = callCounter{next: r.sim.Transport(), byPath: map[string]int{}, changes: map[string]int{}}
	if r.acc = r.sim.AddAccount("Kiln & Crate", "NZD"); o.brand {
		r.acc = r.sim.AddEmptyAccount(brandName, "NZD")
	}
	if r.control, err = listen("127.0.0.1:0", r.sim.Handler()); err == nil && o.fill != nil {
		err = o.fill(r)
	}
	return err
}

func (r *rig) startRunner(o rigOptions) (err error) {
	never := ""
	for job := range app.Schedules() {
		never += job + "=0,"
	}
	change := func(d *app.Deps) {
		if o.table != nil {
			d.Table = o.table
		}
		r.meter.Table, r.table.Table = d.Table, d.Table
		if o.metered {
			r.table.Table = &r.meter
		}
		d.Table, d.HTTP, d.Unlimited = &r.table, &r.cin7, o.unlimited
		d.OnEnd = func(_ context.Context, ended app.Ended) { r.ended <- ended }
	}
	run := options{listen: "127.0.0.1:0", token: "dev", speed: o.speed, every: never + o.every, change: change}
	noEnv := func(string) string { return "" }
	if r.runner, err = start(run, r.dir, r.control.url, noEnv, io.Discard); err != nil {
		return err
	}
	r.api = client{r.runner.web.url, "dev"}
	return nil
}

// connectTenant makes the tenant, connects it and waits until Cin7 Core's
// records are read, and what Upstock has of them.
func (r *rig) connectTenant(ctx context.Context) error {
	if err := r.readTenant(ctx); err != nil {
		return err
	}
	return r.syncCatalogue(ctx)
}

// readTenant makes the tenant, connects it and waits until Cin7 Core's records
// are read.
func (r *rig) readTenant(ctx context.Context) error {
	var t struct{ ID string }
	in := map[string]string{"name": r.acc.Name}
	if err := r.api.call(ctx, http.MethodPost, "/api/v1/tenants", in, &t); err != nil {
		return err
	}
	r.tenant = t.ID
	if err := connect(ctx, r.api, client{r.control.url, ""}, t.ID, r.acc); err != nil {
		return err
	}
	return waitForMirror(ctx, r.api, t.ID)
}

func (r *rig) close() {
	if r.runner != nil {
		r.runner.close()
	}
	if r.control != nil {
		r.control.close()
	}
	if r.sim != nil {
		r.sim.Close()
	}
	os.RemoveAll(r.dir)
}

// sell places and approves an order and waits until it is sold.
func (r *rig) sell(ctx context.Context, body string) error {
	o, err := r.simUpstock.PlaceOrder(r.acc.Upstock.Supplier, body)
	if err != nil {
		return err
	}
	if _, err := r.simUpstock.Approve(o.ID); err != nil {
		return err
	}
	return r.waitForSale(ctx)
}

// sellFirst sells the orders that are not measured: for a connection's first ten
// orders, Cin7 Core is also searched for a sale that somebody else made.
func (r *rig) sellFirst(ctx context.Context) error {
	for range 10 {
		if err := r.sell(ctx, ""); err != nil {
			return err
		}
	}
	return nil
}

// waitForSale waits until the work for any order ends. The order must be sold then.
func (r *rig) waitForSale(ctx context.Context) error {
	select {
	case o := <-r.ended:
		if !o.Finished || o.State != order.Sold {
			return fmt.Errorf("order %s is %s: %s %v", o.ID, o.State, o.Why, o.Problems)
		}
		return nil
	case <-time.After(time.Minute):
		return errors.New("no order ended within a minute")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sellMany sells orders, atOnce of them at a time, and returns how long that
// takes from the first approval.
func (r *rig) sellMany(ctx context.Context, orders, atOnce int) (time.Duration, error) {
	ids := make([]int, orders)
	for i := range ids {
		o, err := r.simUpstock.PlaceOrder(r.acc.Upstock.Supplier, "")
		if err != nil {
			return 0, err
		}
		ids[i] = o.ID
	}
	begun := time.Now()
	for i := range orders + atOnce {
		if i >= atOnce {
			if err := r.waitForSale(ctx); err != nil {
				return 0, err
			}
		}
		if i < orders {
			if _, err := r.simUpstock.Approve(ids[i]); err != nil {
				return 0, err
			}
		}
	}
	return time.Since(begun), nil
}

// shipAll ships every sale in Cin7 Core, with the tracking number T-1.
func (r *rig) shipAll() error {
	for _, s := range r.simCore.Sales(r.acc.Cin7Core.AccountID) {
		if _, err := r.simCore.Sale(s.ID, "ship", `{"trackingNumber":"T-1"}`); err != nil {
			return err
		}
	}
	return nil
}

// poll has the shipments function poll for the tenant.
func (r *rig) poll(ctx context.Context) error { return r.part(ctx, "shipments") }

// part has the function of its queue do the tenant's part of a job.
func (r *rig) part(ctx context.Context, name string) error {
	queue, function := "shipments", "ShipmentsFunction"
	if slices.Contains([]string{"mirror", "products", "customers", "prices"}, name) {
		queue, function = "catalog", "CatalogFunction"
	}
	body, err := json.Marshal(map[string]string{"job": name, "tenant": r.tenant})
	if err != nil {
		return err
	}
	batch := []message{{id: newUUID(), body: string(body), sent: time.Now(), receives: 1}}
	payload, err := json.Marshal(newSQSEvent(queue, batch))
	if err != nil {
		return err
	}
	answer, err := r.runner.lambda.invoke(ctx, function, payload)
	if err != nil {
		return err
	}
	if failed, all := failures(answer, batch); all || len(failed) > 0 {
		return errors.New("a part of " + name + " failed")
	}
	return nil
}

// fillBooks adds customers and products to Cin7 Core until it has the given
// number of each. It returns an order with the given number of lines, each for
// another one of the new products.
func (r *rig) fillBooks(books, lines int) (order string, err error) {
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
	if err = r.callCin7(http.MethodGet, "/customer?Limit=1000&IncludeDeprecated=true", nil, &customers); err == nil {
		err = r.callCin7(http.MethodGet, "/product?Limit=1000&IncludeDeprecated=true", nil, &products)
	}
	if err != nil {
		return "", err
	}
	for i := len(customers.CustomerList); i < books; i++ {
		c := copied(customers.CustomerList[0],
			"Currency", "PaymentTerm", "TaxRule", "AccountReceivable", "RevenueAccount", "Status", "PriceTier")
		c["Name"] = fmt.Sprintf("Corner Shop %04d", i)
		if err := r.callCin7(http.MethodPost, "/customer", c, nil); err != nil {
			return "", err
		}
	}
	var list []row
	for i := len(products.Products); i < books; i++ {
		p := copied(products.Products[0], "Category", "CostingMethod", "UOM", "Status", "PriceTier1")
		p["Name"], p["SKU"] = fmt.Sprintf("Tea of the Day %04d", i), fmt.Sprintf("DAY-%04d", i)
		var made struct{ Products []struct{ ID string } }
		if err := r.callCin7(http.MethodPost, "/product", p, &made); err != nil {
			return "", err
		}
		if len(list) < lines {
			list = append(list, row{"productExternalId": made.Products[0].ID, "sku": p["SKU"], "name": p["Name"],
				"quantity": "2", "unitPrice": "8.90"})
		}
	}
	r.overBefore = r.sim.OverLimit(sim.Cin7Core, r.acc.Cin7Core.AccountID)
	data, err := json.Marshal(row{"lines": list})
	return string(data), err
}

// callCin7 calls the simulated Cin7 Core as the account's owner. It is not counted.
func (r *rig) callCin7(method, path string, in, out any) error {
	data, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(method, "http://simulators.test"+sim.PrefixCin7Core+path, bytes.NewReader(data))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("api-auth-accountid", r.acc.Cin7Core.AccountID)
	req.Header.Set("api-auth-applicationkey", r.acc.Cin7Core.ApplicationKey)
	resp, err := r.sim.Transport().RoundTrip(req)
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
