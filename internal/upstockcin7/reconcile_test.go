package upstockcin7_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/sim"
	simupstock "stockbridge/internal/sim/upstock"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
	"stockbridge/internal/vendor"
)

// listed places an order that Upstock shows as approved at an instant, and of
// which no webhook tells; its id.
func (w *world) listed(at time.Time, more string) int {
	w.t.Helper()
	w.mu.Lock()
	w.armed = true
	w.mu.Unlock()
	body := fmt.Sprintf(`{"status":"processing","approvedAt":%q,%s`, at.UTC().Format(time.RFC3339Nano),
		strings.TrimPrefix(groceries, "{"))
	if more != "" {
		body = strings.Replace(body, `{"status":"processing",`, "{"+more+",", 1)
	}
	return must[simupstock.OrderSummary](w)(w.simUpstock.PlaceOrder(w.acc.Upstock.Supplier, body)).ID
}

func (w *world) reconcile() error {
	return w.do(context.Background(), "reconcile", upstockcin7.JobReconcile)
}

// reconciles lets the world turn for d, with a reconciliation every ten minutes.
func (w *world) reconciles(d time.Duration) {
	w.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); w.turn(10 * time.Minute) {
		if err := w.process("schedule").app.Schedule(context.Background(),
			json.RawMessage(`{"job":"reconcile"}`)); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) cursor() *ledger.Cursor {
	w.t.Helper()
	return must[*ledger.Cursor](w)(ledger.New(w.store).Cursor(context.Background(), w.tenant, upstockcin7.JobReconcile))
}

// lists are the calls of Upstock's list of orders.
func (w *world) lists() (calls []sim.Call) {
	for _, c := range w.sim.Calls(sim.Upstock, strconv.Itoa(w.acc.Upstock.Supplier)) {
		if c.Method == http.MethodGet && c.Path == "/orders" {
			calls = append(calls, c)
		}
	}
	return calls
}

func (w *world) upstockFault(f sim.Fault) {
	w.t.Helper()
	if err := w.sim.Fault(sim.Upstock, f); err != nil {
		w.t.Fatal(err)
	}
}

// passed fails where the cursor has passed an approval of which nothing is written down.
func (w *world) passed(id int, at time.Time) {
	w.t.Helper()
	if cur := w.cursor(); w.run(id) == nil && cur.Since.After(at) {
		w.t.Fatalf("the cursor is at %s, and nothing is written down of order %d, approved %s", cur.Since, id, at)
	}
}

func (w *world) since() time.Time {
	w.t.Helper()
	return must[tenant.Connection](w)(tenant.NewStore(w.store, w.box).Connection(context.Background(), w.tenant,
		tenant.Upstock)).Since
}

// TestReconcileLostWebhooks: orders whose webhooks are lost are sold once each,
// at a look more; a check costs one call.
func TestReconcileLostWebhooks(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.upstockFault(sim.Fault{Match: "WEBHOOK order.approved", Kind: "drop", Times: -1})
		var ids []int
		for range 3 {
			ids = append(ids, w.approve(groceries))
			time.Sleep(time.Second)
		}
		time.Sleep(2 * time.Minute)
		start := time.Now()
		young := w.approve(groceries)
		if err := w.reconcile(); err != nil {
			t.Fatal(err)
		}
		if w.run(young) != nil {
			t.Error("an order approved just now is not left to its webhook")
		}
		if cur := w.cursor(); len(w.lists()) != 1 || cur.Last.Rows != 4 || cur.Last.Marked != 3 || cur.Problem != "" {
			t.Errorf("%d calls, %+v", len(w.lists()), cur)
		}
		for _, id := range ids {
			w.settle(id, horizon)
			r := w.sold(id)
			w.says(r.Timeline[0].Text, "Found in Upstock's list", "no webhook")
		}
		if calls := w.coreCalls(start); len(calls) != 9 ||
			slices.Index(calls, "POST /sale") < slices.Index(calls, "GET /saleList") {
			t.Errorf("of 3 orders: %v", calls)
		}
		w.turn(8 * time.Minute)
		w.reconciles(30 * time.Minute)
		w.sold(young)
		if n := len(w.lists()); n != 4 {
			t.Errorf("%d calls for 4 checks", n)
		}
		if cur := w.cursor(); cur.Last.Marked != 0 || cur.Last.Rows == 0 {
			t.Errorf("%+v", cur.Last)
		}
		if texts := w.eventTexts("missedWebhook"); len(texts) != 2 {
			t.Error(texts)
		}
	})
}

// TestReconcileBeside: a webhook and two checks at the same instant make one sale.
func TestReconcileBeside(t *testing.T) {
	for lag := range 3 {
		t.Run(fmt.Sprint(lag), func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				w.upstockFault(sim.Fault{Match: "WEBHOOK order.approved", Kind: "late", Seconds: 120})
				id := w.approve(groceries)
				time.Sleep(120*time.Second + time.Duration(lag-1)*time.Nanosecond)
				var wg sync.WaitGroup
				for range 2 {
					wg.Go(func() {
						if err := w.reconcile(); err != nil {
							t.Error(err)
						}
					})
				}
				wg.Wait()
				w.settle(id, horizon)
				w.sold(id)
				if n := len(w.sales(id)); n != 1 {
					t.Errorf("%d sales", n)
				}
			})
		})
	}
}

// TestReconcileCallFails: whatever becomes of the call to Upstock, the cursor
// stays, its problem is said, and the next check does the work.
func TestReconcileCallFails(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		time.Sleep(time.Hour)
		for _, f := range []sim.Fault{
			{Kind: "before"}, {Kind: "before", How: "refused"}, {Kind: "before", How: "503"},
			{Kind: "before", How: "500"}, {Kind: "after"},
			{Kind: "after", How: "502"}, {Kind: "html"}, {Kind: "throttle", RetryAfter: "30"},
			{Kind: "slow", Seconds: 30},
		} {
			id, at := w.listed(time.Now().Add(-2*time.Minute), ""), time.Now().Add(-2*time.Minute)
			f.Match = "GET /orders"
			w.upstockFault(f)
			was := w.cursor().Since
			if err := w.reconcile(); err != nil {
				t.Errorf("%+v: %v", f, err)
			}
			if cur := w.cursor(); cur.Problem == "" || cur.Since.After(was) && cur.Since.After(w.since()) ||
				cur.Checked.After(at.Add(2*time.Minute)) {
				t.Errorf("%+v: %+v", f, cur)
			}
			w.passed(id, at)
			w.reconciles(10 * time.Minute)
			w.sold(id)
			if cur := w.cursor(); cur.Problem != "" {
				t.Errorf("%+v: %s", f, cur.Problem)
			}
		}
		w.control(http.MethodPut, "/sim/upstock/accounts/"+strconv.Itoa(w.acc.Upstock.Supplier), `{"revoked":true}`)
		id := w.listed(time.Now().Add(-2*time.Minute), "")
		if err := w.reconcile(); err != nil {
			t.Fatal(err)
		}
		if c := must[tenant.Connection](w)(tenant.NewStore(w.store, w.box).Connection(context.Background(), w.tenant,
			tenant.Upstock)); c.State != tenant.NeedsReconnecting {
			t.Errorf("a refused key: %+v", c.State)
		}
		w.control(http.MethodPut, "/sim/upstock/accounts/"+strconv.Itoa(w.acc.Upstock.Supplier), `{"revoked":false}`)
		typed := vendor.Credentials{Key: tenant.Secret(w.acc.Upstock.Token)}
		must2(t)(w.vendorTable().Connect(context.Background(), w.tenant, tenant.Upstock, typed))
		w.reconciles(10 * time.Minute)
		w.sold(id)
	})
}

func must2(t *testing.T) func(any, string, error) {
	return func(_ any, _ string, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestReconcileCrashes: each write and message of a check fails before, fails
// after, or is the process's last; nothing is lost, and nothing is done twice.
func TestReconcileCrashes(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		time.Sleep(time.Hour)
		var ids []int
		hit := map[string]bool{}
		for n, c := range w.spoils(6, "event", "doc") {
			if testing.Short() && n%3 != 1 {
				continue
			}
			for _, f := range []fault{before, after, die} {
				at := time.Now().Add(-3 * time.Minute)
				// One to take in, one to take in as cancelled, one shipped, one without an id.
				id, gone, away := w.listed(at, ""), w.listed(at.Add(time.Second), `"status":"cancelled"`),
					w.listed(at.Add(2*time.Second), `"status":"shipped"`)
				ids = append(ids, id)
				w.arm(c, f, hit)
				_ = w.reconcile()
				w.disarm()
				for i, id := range []int{id, gone, away} {
					w.passed(id, at.Add(time.Duration(i)*time.Second))
				}
				w.turn(time.Minute)
				if err := w.reconcile(); err != nil {
					t.Fatalf("%+v %s: %v", c, f, err)
				}
				w.turn(9 * time.Minute)
				w.sold(id)
				if r := w.run(gone); r == nil || r.State != order.Cancelled || len(w.sales(gone)) != 0 {
					t.Fatalf("%+v %s: the cancelled order: %+v", c, f, r)
				}
				w.attention(away, "shippedAlready", "as shipped")
				if len(w.sales(away)) != 0 {
					t.Fatal("a shipped order was sold")
				}
			}
		}
		for _, id := range ids {
			if n := len(w.sales(id)); n != 1 {
				t.Errorf("order %d: %d sales", id, n)
			}
		}
		if !testing.Short() {
			wentWrong(t, hit, "#order", "doc", "event", "send orders")
		}
	})
}

// spoil is an effect that is to go wrong: the nth of all, or of those of one name.
type spoil struct {
	name string
	n    int
}

// spoils are the first effects by number, and of writes of each kind the first
// two: as orders are worked on beside a job, a later number may be anything.
func (w *world) spoils(numbers int, kinds ...string) (list []spoil) {
	for n := range numbers {
		list = append(list, spoil{"", n + 1})
	}
	for _, kind := range kinds {
		if !strings.Contains(kind, " ") {
			kind = "write T#" + w.tenant + "#" + kind
		}
		list = append(list, spoil{kind, 1}, spoil{kind, 2})
	}
	return list
}

// arm makes an effect go wrong from now on, and notes it in hit once it has.
func (w *world) arm(c spoil, f fault, hit map[string]bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.effects, w.names, w.seen, w.faults, w.on = 0, nil, map[string]int{}, nil, nil
	if c.name == "" {
		w.faults = map[int]fault{c.n: f}
	} else {
		w.on = map[string]map[int]fault{c.name: {c.n: f}}
	}
	w.onFault = func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if hit[c.name] = true; c.name == "" {
			hit[w.names[c.n-1]] = true
		}
	}
}

func (w *world) disarm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults, w.on, w.onFault = nil, nil, nil
}

// wentWrong wants every kind of effect to have gone wrong once.
func wentWrong(t *testing.T, hit map[string]bool, kinds ...string) {
	t.Helper()
	for _, kind := range kinds {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(hit)),
			func(s string) bool { return strings.Contains(s, kind) }) {
			t.Errorf("no effect %q went wrong: %v", kind, hit)
		}
	}
}

// TestReconcileClocks: Upstock's clock may be ahead or behind by minutes, or
// show nonsense: every order comes, and none is passed over.
func TestReconcileClocks(t *testing.T) {
	skews := []time.Duration{10 * time.Minute, -10 * time.Minute, 90 * time.Minute, 0}
	if testing.Short() {
		skews = skews[:1]
	}
	for _, skew := range skews {
		t.Run(skew.String(), func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				time.Sleep(4 * time.Hour)
				far := w.listed(time.Now().Add(100*365*24*time.Hour), "")
				var ids []int
				var at []time.Time
				for range 5 {
					for range 3 {
						stamp := time.Now().Add(skew)
						ids, at = append(ids, w.listed(stamp, "")), append(at, stamp)
						time.Sleep(40 * time.Second)
					}
					if err := w.reconcile(); err != nil {
						t.Fatal(err)
					}
					for i, id := range ids {
						w.passed(id, at[i])
					}
					w.turn(8 * time.Minute)
				}
				w.reconciles(40 * time.Minute)
				for _, id := range append(ids, far) {
					w.sold(id)
				}
				if cur := w.cursor(); cur.Since.After(at[len(at)-1]) || cur.Since.After(time.Now()) {
					t.Errorf("the cursor is at %s", cur.Since)
				}
			})
		})
	}
}

// TestReconcileSince: what was approved before the connection was made is left
// alone, to the second.
func TestReconcileSince(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		since := w.since()
		before, at := w.listed(since.Add(-time.Millisecond), ""), w.listed(since, "")
		time.Sleep(time.Hour)
		w.reconciles(20 * time.Minute)
		w.sold(at)
		if w.run(before) != nil || len(w.sales(before)) != 0 {
			t.Error("an order from before the connection was taken in")
		}
	})
}

// TestReconcileCancelled: a cancellation that no webhook brought is found,
// whether the order is here, sold, or neither.
func TestReconcileCancelled(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.change(func(s *sale.Settings) { s.OnCancel = sale.Void })
		sold := w.approve(groceries)
		w.settle(sold, horizon)
		w.upstockFault(sim.Fault{Match: "WEBHOOK order.*", Kind: "drop", Times: -1})
		unheard := w.approve(groceries)
		time.Sleep(2 * time.Minute)
		w.cancel(sold)
		w.cancel(unheard)
		w.reconciles(20 * time.Minute)
		if s := w.sale(sold); s.Status != "VOIDED" || w.run(sold).State != order.Cancelled {
			t.Errorf("%s %+v", w.run(sold).State, s)
		}
		if r := w.run(unheard); r == nil || r.State != order.Cancelled || len(w.sales(unheard)) != 0 {
			t.Errorf("%+v", r)
		}
	})
}

// paged gives Upstock's list of orders pages of two.
func paged(h *house, req *http.Request) (*http.Response, error) {
	r := req.Clone(req.Context())
	q := r.URL.Query()
	q.Set("limit", "2")
	r.URL.RawQuery = q.Encode()
	return h.forward(r, nil)
}

func isList(req *http.Request) bool {
	return req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, sim.PrefixUpstock+"/orders")
}

func page(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader([]byte(body)))}
}

func (h *house) reconcile(ctx context.Context) error {
	return doJob(ctx, h.app, job.Message{Job: upstockcin7.JobReconcile, Tenant: h.tenant})
}

// TestReconcilePages: a window of several pages is read on where it broke off;
// where Upstock does not know the page any more, it begins anew.
func TestReconcilePages(t *testing.T) {
	live(t, 4, 0, func(t *testing.T, h *house) {
		time.Sleep(time.Hour)
		var ids []int
		for i := range 7 {
			ids = append(ids, h.listed(time.Now().Add(time.Duration(i-600)*time.Second), ""))
		}
		time.Sleep(11 * time.Minute)
		h.listed(time.Now().Add(-10*time.Second), "") // too young
		var asked []string
		forgotten := false
		h.idle()
		h.answer = func(req *http.Request, _ []byte) (*http.Response, error) {
			if !isList(req) {
				return nil, nil
			}
			asked = append(asked, req.URL.Query().Get("after"))
			switch len(asked) {
			case 3:
				return page(500, "{}"), nil
			case 5:
				if forgotten = req.URL.Query().Get("after") != ""; forgotten {
					return page(422, `{"error":{"message":"after is unknown"}}`), nil
				}
			}
			return paged(h, req)
		}
		taken := func() (n int) {
			for _, id := range ids {
				if h.run(id) != nil {
					n++
				}
			}
			return n
		}
		if err := h.reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
		if cur := h.cursor(); taken() != 4 || cur.After == "" || cur.After != asked[2] || !cur.Checked.IsZero() ||
			cur.Since.After(h.since()) {
			t.Fatalf("%d taken in, asked %q, %+v", taken(), asked, cur)
		}
		for range 3 {
			if err := h.reconcile(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if cur := h.cursor(); taken() != 7 || !forgotten || asked[3] != asked[2] || asked[5] != "" ||
			cur.Checked.IsZero() || cur.After != "" {
			t.Fatalf("%d taken in, asked %q, %+v", taken(), asked, cur)
		}
		short, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		n := len(asked)
		if err := h.reconcile(short); err != nil || len(asked) != n {
			t.Errorf("with too little time left: %v, %d calls", err, len(asked)-n)
		}
		h.idle()
		h.answer = nil
		h.turn(10 * time.Minute)
		for _, id := range ids {
			h.sold(id)
		}
	})
}

// TestReconcileLeft: an order that was left to its webhook is not passed over,
// however long its window then takes.
func TestReconcileLeft(t *testing.T) {
	live(t, 4, 0, func(t *testing.T, h *house) {
		time.Sleep(time.Hour)
		ids := []int{h.listed(time.Now().Add(-5*time.Minute), ""), h.listed(time.Now().Add(-10*time.Second), ""),
			h.listed(time.Now(), "")}
		down := true
		h.idle()
		h.answer = func(req *http.Request, _ []byte) (*http.Response, error) {
			switch {
			case !isList(req):
				return nil, nil
			case down && req.URL.Query().Get("after") != "":
				return page(500, "{}"), nil
			}
			return paged(h, req)
		}
		if err := h.reconcile(t.Context()); err != nil || h.cursor().After == "" {
			t.Fatal(err, h.cursor())
		}
		down = false
		time.Sleep(20 * time.Minute)
		ids = append(ids, h.listed(time.Now().Add(-3*time.Minute), ""))
		for range 2 {
			if err := h.reconcile(t.Context()); err != nil {
				t.Fatal(err)
			}
			h.turn(time.Minute)
		}
		for _, id := range ids {
			h.sold(id)
		}
	})
}

// TestReconcileGoesRound: a list whose pages repeat ends the window with a
// problem, and what lies beyond is found as the cursor moves on.
func TestReconcileGoesRound(t *testing.T) {
	for name, turn := range map[string]func(h *house, req *http.Request, n int) (*http.Response, error){
		"next repeats": func(h *house, req *http.Request, n int) (*http.Response, error) {
			resp, err := paged(h, req)
			return renext(resp, "x"), err
		},
		"the first page again and again": func(h *house, req *http.Request, n int) (*http.Response, error) {
			q := req.URL.Query()
			q.Del("after")
			req.URL.RawQuery = q.Encode()
			resp, err := paged(h, req)
			return renext(resp, strconv.Itoa(n)), err
		},
		"empty pages for ever": func(h *house, req *http.Request, n int) (*http.Response, error) {
			if n%10 > 1 {
				return page(200, fmt.Sprintf(`{"orders":[],"next":"%d"}`, n)), nil
			}
			return paged(h, req)
		},
	} {
		t.Run(name, func(t *testing.T) {
			live(t, 4, 0, func(t *testing.T, h *house) {
				var ids []int
				for i := range 6 {
					ids = append(ids, h.listed(time.Now().Add(time.Duration(i)*20*time.Minute), ""))
				}
				time.Sleep(3 * time.Hour)
				n := 0
				h.idle()
				h.answer = func(req *http.Request, _ []byte) (*http.Response, error) {
					if !isList(req) {
						return nil, nil
					}
					n++
					return turn(h, req, n)
				}
				said := 0
				for range 8 {
					was := n
					if err := h.reconcile(t.Context()); err != nil {
						t.Fatal(err)
					}
					if n-was > 10 {
						t.Fatalf("%d calls", n-was)
					}
					if strings.Contains(h.cursor().Problem, "repeat") {
						said++
					}
				}
				if said == 0 {
					t.Error("the problem is not said")
				}
				if name != "empty pages for ever" && h.run(ids[5]) == nil {
					t.Errorf("what lies beyond was not found: %+v", h.cursor())
				}
				h.idle()
				h.answer = nil
				h.turn(15 * time.Minute)
				if err := h.reconcile(t.Context()); err != nil {
					t.Fatal(err)
				}
				h.turn(15 * time.Minute)
				for _, id := range ids {
					h.sold(id)
				}
			})
		})
	}
}

// renext gives a page another next.
func renext(resp *http.Response, next string) *http.Response {
	var p map[string]any
	json.NewDecoder(resp.Body).Decode(&p)
	p["next"] = next
	body, _ := json.Marshal(p)
	return page(200, string(body))
}

// TestReconcileNonsense: rows that make no sense lose nothing and stop nothing,
// and are written down once.
func TestReconcileNonsense(t *testing.T) {
	live(t, 4, 0, func(t *testing.T, h *house) {
		id := h.listed(time.Now(), "")
		undated := h.place(groceries)
		time.Sleep(10 * time.Minute)
		good := must[simupstock.OrderSummary](h.world)(h.simUpstock.Order(id)).JSON
		date := `"approvedAt":"` + time.Now().Add(-5*time.Minute).UTC().Format(time.RFC3339) + `"`
		rows := []string{`null`, `7`, `"x"`, `[]`, `{}`, `{"id":"x",` + date + `}`, `{"id":-3,"status":"cancelled"}`,
			fmt.Sprintf(`{"id":%d,"status":"processing","approvedAt":null}`, undated),
			`{"id":5000001,"status":"ordered",` + date + `}`,
			`{"id":5000002,"status":"processing","lines":"none",` + date + `}`, string(good), string(good),
			`{"id":5000003,"status":"processing","approvedAt":"soon"}`}
		for _, bad := range []string{`{}`, `{"orders":null}`, `{"orders":{}}`, `[]`, `null`, ``} {
			h.idle()
			h.answer = func(req *http.Request, _ []byte) (*http.Response, error) {
				if !isList(req) {
					return nil, nil
				}
				return page(200, bad), nil
			}
			if err := h.reconcile(t.Context()); err != nil || h.cursor().Problem == "" || !h.cursor().Checked.IsZero() {
				t.Errorf("%q: %v, %+v", bad, err, h.cursor())
			}
		}
		h.idle()
		h.answer = func(req *http.Request, _ []byte) (*http.Response, error) {
			if !isList(req) {
				return nil, nil
			}
			return page(200, `{"orders":[`+strings.Join(rows, ",")+`]}`), nil
		}
		for range 2 {
			if err := h.reconcile(t.Context()); err != nil {
				t.Fatal(err)
			}
			h.turn(10 * time.Minute)
		}
		h.sold(id)
		h.attention(undated, "approvalUnknown", "when")
		h.attention(5000003, "approvalUnknown")
		if r := h.run(5000002); r == nil || r.State != ledger.Attention {
			t.Errorf("%+v", r)
		}
		if h.run(5000001) != nil {
			t.Error("an order whose approval was taken back was taken in")
		}
		noID := 0
		runs, _, err := order.NewBook(ledger.New(h.store)).Runs(t.Context(), h.tenant, "", 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range runs {
			if strings.HasPrefix(r.ID, "!") && r.State == ledger.Attention && r.Problems[0].Code == "noOrderId" {
				noID++
			}
		}
		if noID != 7 {
			t.Errorf("%d of 7 rows without an id are written down", noID)
		}
	})
}

// TestReconcileShipped: a person decides about an order that was shipped before it was heard of.
func TestReconcileShipped(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id := w.listed(time.Now(), `"status":"shipped"`)
		time.Sleep(5 * time.Minute)
		w.reconciles(time.Hour)
		w.attention(id, "shippedAlready")
		w.retry(id, false)
		if s := w.sale(id); s.Lines == 0 || w.run(id).State != order.Sold {
			t.Errorf("%s %+v", w.run(id).State, s)
		}
	})
}
