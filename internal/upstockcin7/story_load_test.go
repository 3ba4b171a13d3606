package upstockcin7_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/app"
	"stockbridge/internal/ledger"
	"stockbridge/internal/sim"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
)

// A house is Stockbridge in one warm process: storage and vendors take their
// time, and messages wait in a fair queue for a few workers, as SQS and the
// function's concurrency have it.
type house struct {
	*world
	app     *app.App
	table   *metered
	workers int // orders worked on at once
	pace    time.Duration
	answer  func(req *http.Request, body []byte) (*http.Response, error) // instead of the vendor; nil, nil = ask it
	// takes webhooks on their way to us; nil = as they come
	post func(req *http.Request) (*http.Response, error)
	down bool // nothing of ours runs

	mu     sync.Mutex
	busy   int
	groups []string // in turn
	queue  map[string][]app.Message
}

// How long things take where a house has a pace, and how many orders the
// template lets the function work on at once.
const (
	concurrency = 32
	tableTime   = 10 * time.Millisecond
	vendorTime  = 450 * time.Millisecond
)

// metered counts what is asked of the table.
type metered struct {
	h             *house
	reads, writes atomic.Int64
}

func (m *metered) read() *table.File {
	m.reads.Add(1)
	time.Sleep(m.h.pace * tableTime)
	return m.h.store
}

func (m *metered) Get(ctx context.Context, keys ...table.Key) ([]table.Item, error) {
	return m.read().Get(ctx, keys...)
}

func (m *metered) Query(ctx context.Context, q table.Query) (table.Page, error) {
	return m.read().Query(ctx, q)
}

func (m *metered) List(ctx context.Context, q table.Query) (table.Entries, error) {
	return m.read().List(ctx, q)
}

func (m *metered) Write(ctx context.Context, ops ...table.Op) error {
	m.writes.Add(1)
	time.Sleep(m.h.pace * tableTime)
	return m.h.store.Write(ctx, ops...)
}

// RoundTrip takes the process's calls to the vendors.
func (h *house) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	time.Sleep(h.pace * vendorTime)
	h.mu.Lock()
	answer := h.answer
	h.mu.Unlock()
	if answer != nil {
		if resp, err := answer(req, body); resp != nil || err != nil {
			return resp, err
		}
	}
	return h.forward(req, body)
}

func (h *house) forward(req *http.Request, body []byte) (*http.Response, error) {
	r := req.Clone(req.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	return h.sim.Transport().RoundTrip(r)
}

// webhooks takes Upstock's deliveries to the process.
type webhooks struct{ h *house }

func (d webhooks) RoundTrip(req *http.Request) (*http.Response, error) {
	d.h.mu.Lock()
	post := d.h.post
	d.h.mu.Unlock()
	if post != nil {
		return post(req)
	}
	return d.h.receive(req)
}

// set changes how the house's world is while it works.
func (h *house) set(change func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
}

func (h *house) isDown() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.down
}

// receive takes one delivery to the process.
func (h *house) receive(req *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	h.app.Webhook().ServeHTTP(rec, req)
	return rec.Result(), nil
}

func (h *house) send(_ context.Context, q app.Queue, body []byte, group string, delay time.Duration) error {
	m := app.Message{ID: "m", Body: string(body), Sent: time.Now()}
	if q != app.OrdersQueue {
		time.AfterFunc(delay, func() {
			if h.isDown() {
				return
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if q == app.CatalogQueue {
				h.app.Catalog(ctx, []app.Message{m})
			} else {
				h.app.Shipments(ctx, []app.Message{m})
			}
		})
		return nil
	}
	time.AfterFunc(delay, func() { h.push(group, m) })
	return nil
}

func (h *house) push(group string, m app.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.queue[group]) == 0 {
		h.groups = append(h.groups, group)
	}
	h.queue[group] = append(h.queue[group], m)
	h.next()
}

// next gives idle workers a message of each group in turn. h.mu is held.
func (h *house) next() {
	for h.busy < h.workers && len(h.groups) > 0 {
		group := h.groups[0]
		m := h.queue[group][0]
		h.queue[group] = h.queue[group][1:]
		if h.groups = h.groups[1:]; len(h.queue[group]) > 0 {
			h.groups = append(h.groups, group)
		}
		h.busy++
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			m.Receives++
			if failed := h.app.Orders(ctx, []app.Message{m}); len(failed) > 0 {
				time.AfterFunc(visibility, func() { h.push(group, m) })
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			h.busy--
			h.next()
		}()
	}
}

// idle waits until the queue is empty and nothing is worked on.
func (h *house) idle() {
	for {
		synctest.Wait()
		h.mu.Lock()
		busy := h.busy > 0 || len(h.groups) > 0
		h.mu.Unlock()
		if !busy {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// turn lets the house work on for d.
func (h *house) turn(d time.Duration) {
	h.sweeps(d)
	h.idle()
}

// sweeps sweeps each minute, beside the work.
func (h *house) sweeps(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(min(time.Minute, time.Until(end))) {
		go h.app.Schedule(context.Background(), json.RawMessage(`{"job":"orders"}`))
	}
}

// live runs f in a house whose tenant is connected and ready. pace 1 = as
// slow as in life, 0 = nothing takes time.
func live(t *testing.T, workers int, pace time.Duration, f func(t *testing.T, h *house)) {
	t.Helper()
	if workers == 1 {
		testsize.Sampled(t)
	}
	alone(t)
	b := prepare(t)
	path := filepath.Join(t.TempDir(), "house.db")
	synctest.Test(t, func(t *testing.T) {
		h := &house{workers: workers, queue: map[string][]app.Message{}}
		h.world = newWorld(t, b, path)
		h.sim.Close()
		h.open(sim.Options{Seed: "proof", Deliver: webhooks{h}})
		defer h.close()
		defer time.Sleep(10 * time.Minute)
		h.table = &metered{h: h}
		h.app = app.New(app.Deps{
			Table: h.table, Sealer: h.box, HTTP: h, Send: h.send, PublicURL: "https://hooks.example.test",
			URLs: map[tenant.System]string{
				tenant.Upstock:  "http://sim.test" + sim.PrefixUpstock,
				tenant.Cin7Core: "http://sim.test" + sim.PrefixCin7Core,
			},
		})
		h.register()
		h.idle()
		h.pace = pace
		f(t, h)
	})
}

// TestCost: an order costs two calls to Cin7 Core, one to Upstock, and few
// requests to the table, its webhook's included.
func TestCost(t *testing.T) {
	cost := func(h *house, order string, core int) {
		h.t.Helper()
		time.Sleep(time.Second)
		start := time.Now()
		reads, writes := h.table.reads.Load(), h.table.writes.Load()
		id := h.approve(order)
		h.idle()
		h.sold(id)
		reads, writes = h.table.reads.Load()-reads, h.table.writes.Load()-writes
		told := 0
		for _, c := range h.sim.Calls(sim.Upstock, strconv.Itoa(h.acc.Upstock.Supplier)) {
			if !c.At.Before(start) {
				told++
			}
		}
		calls := h.coreCalls(start)
		if len(calls) != core || told != 1 {
			h.t.Errorf("calls to Cin7 Core: %v; to Upstock: %d", calls, told)
		}
		if core == 2 && (reads > 5 || writes > 9) {
			h.t.Errorf("%d reads, %d writes", reads, writes)
		}
		h.t.Logf("%d lines: %d calls, %d reads, %d writes", h.sale(id).Lines, len(calls), reads, writes)
	}
	t.Run("a few lines", func(t *testing.T) {
		live(t, 1, 0, func(t *testing.T, h *house) {
			h.approve("") // the process is warm afterwards
			h.idle()
			cost(h, groceries, 2)
			cost(h, unlinked, 3) // whether another card has come to the name since
			cost(h, unlinked, 2) // it is remembered
			h.change(func(s *sale.Settings) { s.OrderStatus, s.CreationMode = sale.Authorised, sale.AutoPick })
			cost(h, groceries, 3)
		})
	})
	t.Run("a hundred lines", func(t *testing.T) {
		live(t, 1, 0, func(t *testing.T, h *house) {
			var lines []string
			for n := range 100 {
				var made struct{ Products []struct{ ID string } }
				body := h.core(http.MethodPost, "/product",
					fmt.Sprintf(`{"SKU":"NEW-%d","Name":"New product %d","Category":"Tea","Type":"Stock","CostingMethod":"FIFO","UOM":"Item","Status":"Active","DropShipMode":"No Drop Ship"}`, n, n))
				if err := json.Unmarshal(body, &made); err != nil || len(made.Products) != 1 {
					t.Fatalf("%v %s", err, body)
				}
				lines = append(lines, fmt.Sprintf(`{"productExternalId":%q,"quantity":"2","unitPrice":"3.10"}`,
					made.Products[0].ID))
				time.Sleep(2 * time.Second)
			}
			if _, _, err := h.app.Vendors.Connect(t.Context(), h.tenant, tenant.Cin7Core, h.coreKey()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Minute)
			h.approve("")
			h.idle()
			cost(h, `{"customer":{"name":"Harbourside Grocers"},"lines":[`+strings.Join(lines, ",")+`]}`, 2)
		})
	})
}

// TestWhichOrderCounts: a retry reads the order again from Upstock as long as
// nothing can have come of it, else the frozen plan counts.
func TestWhichOrderCounts(t *testing.T) {
	retry := func(h *house, id int) {
		h.t.Helper()
		if err := h.app.Pair.Retry(h.t.Context(), h.tenant, strconv.Itoa(id), upstockcin7.RetryOptions{}); err != nil {
			h.t.Fatal(err)
		}
		h.turn(10 * time.Minute)
	}
	// corrected has Upstock show an order's JSON with a change from now on.
	corrected := func(h *house, id int, old, mended string) (asked *int) {
		asked = new(int)
		path := sim.PrefixUpstock + "/orders/" + strconv.Itoa(id)
		h.answer = func(req *http.Request, _ []byte) (*http.Response, error) {
			if req.Method != http.MethodGet || req.URL.Path != path {
				return nil, nil
			}
			*asked++
			o, err := h.simUpstock.Order(id)
			text := strings.Replace(string(o.JSON), old, mended, 1)
			if err != nil || text == string(o.JSON) {
				return nil, fmt.Errorf("nothing to correct: %s %v", text, err)
			}
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
				Body: io.NopCloser(strings.NewReader(text))}, nil
		}
		return asked
	}
	const typo = `{"customer":{"name":"Harbourside Grocers"},"lines":[{"sku":"KWK-999","quantity":"4","unitPrice":"8.90"}]}`
	t.Run("corrected in Upstock", func(t *testing.T) {
		live(t, 1, 0, func(t *testing.T, h *house) {
			id := h.approve(typo)
			h.idle()
			h.attention(id, "unknownSku", "KWK-999")
			asked := corrected(h, id, `"sku":"KWK-999"`, `"sku":"KWK-100"`)
			retry(h, id)
			if h.sold(id); *asked != 1 {
				t.Errorf("asked %d times", *asked)
			}
		})
	})
	t.Run("cancelled in Upstock", func(t *testing.T) {
		live(t, 1, 0, func(t *testing.T, h *house) {
			id := h.approve(typo)
			h.idle()
			h.attention(id, "unknownSku")
			corrected(h, id, `"status":"processing"`, `"status":"cancelled"`)
			retry(h, id)
			if r := h.run(id); r.State != order.Cancelled || len(h.sales(id)) > 0 {
				t.Errorf("%s\n%s", r.State, timeline(r))
			}
		})
	})
	t.Run("settings changed, no sale yet", func(t *testing.T) {
		live(t, 1, 0, func(t *testing.T, h *house) {
			id := h.approve(strings.TrimSuffix(groceries, "}") +
				`,"freight":{"description":"Freight","amount":"12.50","taxRate":"15.00"}}`)
			h.idle()
			h.attention(id, "freightProduct")
			h.change(func(s *sale.Settings) { s.FreightProduct, s.SaleType = "Freight", sale.Advanced })
			retry(h, id)
			h.sold(id)
			if s := h.sale(id); s.Charges != 1 || s.Type != "Advanced Sale" {
				t.Errorf("%+v", s)
			}
		})
	})
	for name, how := range map[string]string{"made": "after", "not made": "before"} {
		t.Run("a create is unanswered, "+name, func(t *testing.T) {
			live(t, 1, 0, func(t *testing.T, h *house) {
				h.fault(sim.Fault{Match: "POST /sale", Kind: how})
				id := h.approve(groceries)
				h.idle()
				h.waits(id, "Cin7 Core")
				asked := corrected(h, id, `"quantity":"3"`, `"quantity":"5"`)
				h.change(func(s *sale.Settings) { s.SaleType = sale.Advanced })
				retry(h, id)
				h.sold(id)
				if s := h.sale(id); *asked != 0 || s.Type != "Simple Sale" || s.Total != "56.12" {
					t.Errorf("asked %d times, %+v", *asked, s)
				}
			})
		})
	}
	t.Run("refused after an unknown", func(t *testing.T) {
		// The first lines arrive, and authorise the order, just before the second ones.
		live(t, 1, 0, func(t *testing.T, h *house) {
			h.change(func(s *sale.Settings) { s.OrderStatus = sale.Authorised })
			n := 0
			var lost []byte
			h.answer = func(req *http.Request, body []byte) (*http.Response, error) {
				if req.Method+" "+req.URL.Path != postLines {
					return nil, nil
				}
				if n++; n == 1 {
					lost = body
					return nil, errLost
				}
				if n == 2 {
					if _, err := h.forward(req, lost); err != nil {
						return nil, err
					}
				}
				return nil, nil
			}
			id := h.approve(groceries)
			h.turn(10 * time.Minute)
			r := h.sold(id)
			refused := slices.ContainsFunc(r.Intents,
				func(i ledger.Intent) bool { return i.Step == order.StepLines && i.Answer == ledger.Refused })
			if n != 2 || !refused {
				t.Errorf("%d lines sent, refused: %t\n%s", n, refused, timeline(r))
			}
		})
	})
}

// latencies of a tenant's orders, from approval to the verified sale, sorted.
func (w *world) latencies(ids []int) []time.Duration {
	w.t.Helper()
	var list []time.Duration
	for _, id := range ids {
		r := w.run(id)
		if r == nil || r.SoldAt.IsZero() {
			w.t.Fatalf("order %d is not sold\n%s", id, timeline(r))
		}
		list = append(list, r.SoldAt.Sub(r.Approved))
	}
	slices.Sort(list)
	return list
}

// TestNeighbours: thousands of one tenant's orders, and then its refused key,
// do not slow another tenant.
func TestNeighbours(t *testing.T) {
	testsize.Large(t)
	t.Parallel()
	many := testsize.Of(5000, 1200, 0)
	p95 := map[bool]time.Duration{}
	for _, crowded := range []bool{false, true} {
		t.Run(fmt.Sprintf("crowded %t", crowded), func(t *testing.T) {
			live(t, concurrency, 1, func(t *testing.T, h *house) {
				v := h.neighbour("Southern Lakes", sim.Account{})
				time.Sleep(10 * time.Minute)
				v.checked(10)
				h.idle()
				go h.sweeps(8 * time.Minute)
				var ids []int
				for round := range 4 { // each as long as v's budget lasts
					if crowded {
						if round == 2 {
							h.account(`{"revoked":true}`)
						}
						for range many / 4 {
							h.approve(groceries)
						}
					}
					for range 25 {
						time.Sleep(time.Second)
						ids = append(ids, v.approve(groceries))
					}
					time.Sleep(time.Minute)
				}
				h.idle()
				list := v.latencies(ids)
				p95[crowded] = list[len(list)*95/100]
				t.Logf("crowded %t: median %s, p95 %s, longest %s; the others' sales: %d", crowded, list[len(list)/2],
					p95[crowded], list[len(list)-1], len(h.simCore.Sales(h.acc.Cin7Core.AccountID)))
				if n := h.sim.OverLimit(sim.Cin7Core, ""); n > 0 {
					t.Errorf("%d calls over the limit", n)
				}
				if !crowded {
					return
				}
				c := must[tenant.Connection](h.world)(h.app.Tenants.Connection(t.Context(), h.tenant, tenant.Cin7Core))
				if c.State != tenant.NeedsReconnecting {
					t.Errorf("the other tenant is %s", c.State)
				}
			})
		})
	}
	if p95[true] > p95[false]*110/100 {
		t.Errorf("p95 alone %s, beside the other tenant %s", p95[false], p95[true])
	}
}

// TestSharedAccount: two tenants with one Cin7 Core account keep to its limit
// together, and neither waits for the other's backlog.
func TestSharedAccount(t *testing.T) {
	testsize.Large(t)
	live(t, concurrency, 1, func(t *testing.T, h *house) {
		acc := h.sim.AddAccount("Southern Lakes", "")
		acc.Cin7Core = h.acc.Cin7Core
		v := h.neighbour("Southern Lakes", acc)
		time.Sleep(10 * time.Minute)
		v.checked(10)
		h.idle()
		var mine, theirs []int
		for range 300 {
			mine = append(mine, h.approve(groceries))
		}
		h.turn(2 * time.Minute)
		for range 20 {
			theirs = append(theirs, v.approve(unlinked))
		}
		h.turn(5 * time.Minute)
		for _, id := range theirs {
			if v.run(id).State != order.Sold {
				t.Errorf("order %d is %s after 5 minutes: %s", id, v.run(id).State, v.run(id).Why)
			}
		}
		sold := 0
		for _, id := range mine {
			if h.run(id).State == order.Sold {
				sold++
			}
		}
		if sold < 60 || sold > 250 {
			t.Errorf("%d of %d sold after 7 minutes", sold, len(mine))
		}
		backlog := time.Now()
		h.turn(5 * time.Minute)
		if n := len(h.coreCalls(backlog)); n < 5*57*9/10 {
			t.Errorf("%d calls in 5 minutes: the budget is not used", n)
		}
		h.turn(15 * time.Minute)
		for _, id := range append(mine, theirs...) {
			w := h.world
			if slices.Contains(theirs, id) {
				w = v
			}
			if n := len(w.live(id)); n != 1 || w.run(id).State != order.Sold {
				t.Errorf("order %d: %d sales, %s", id, n, w.run(id).State)
			}
		}
		if n := h.sim.OverLimit(sim.Cin7Core, ""); n > 0 {
			t.Errorf("%d calls over the limit", n)
		}
	})
}
