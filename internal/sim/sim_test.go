package sim_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/sim"
	"stockbridge/internal/sim/cin7core"
	"stockbridge/internal/sim/simtest"
	"stockbridge/internal/sim/upstock"
)

// bench is a simtest.Bench with all simulated vendors.
type bench struct {
	*simtest.Bench
	upstock *upstock.Vendor
	core    *cin7core.Vendor
}

func newBench(t testing.TB, o sim.Options) *bench {
	t.Helper()
	b := &bench{upstock: upstock.New(), core: cin7core.New(cin7core.Options{})}
	b.Bench = simtest.New(t, o, b.upstock, b.core)
	return b
}

// reopen makes a bench of the state that another Sim has saved.
func reopen(t testing.TB, o sim.Options) *bench {
	t.Helper()
	b := &bench{upstock: upstock.New(), core: cin7core.New(cin7core.Options{})}
	s, err := sim.New(o, b.upstock, b.core)
	if err != nil {
		t.Fatal(err)
	}
	b.Bench = &simtest.Bench{Sim: s, T: t, Account: s.Accounts()[0], HTTP: http.Client{Transport: s.Transport()}}
	return b
}

// whole returns the whole state of a Sim, as it is saved.
func whole(t testing.TB, s *sim.Sim) string {
	t.Helper()
	text, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (b *bench) cin7(method, path string, body, into any) {
	b.T.Helper()
	b.Want(http.StatusOK, method, sim.PrefixCin7Core+path, body, into)
}

func (b *bench) up(method, path string, body any, status int, into any) {
	b.T.Helper()
	b.Want(status, method, sim.PrefixUpstock+path, body, into)
}

type obj = simtest.Obj

// header returns the header of a sale to the first customer.
func (b *bench) header() obj {
	return obj{"Customer": sim.Buyers()[0].Name, "Location": sim.MainWarehouse, "SkipQuote": true,
		"ExternalID": "upstock:1:120001", "CustomerReference": "PO-1"}
}

// sell makes a sale of two teas, with an order of a status, and returns its ID.
func (b *bench) sell(status string) string {
	b.T.Helper()
	var sale struct{ ID string }
	b.cin7("POST", "/sale", b.header(), &sale)
	line := obj{"SKU": "KWK-100", "Quantity": 2, "Price": 8.90, "Tax": 2.67, "Total": 17.80, "TaxRule": "GST on Income"}
	b.cin7("POST", "/sale/order", obj{"SaleID": sale.ID, "Status": status, "Lines": []obj{line}}, nil)
	return sale.ID
}

type listRow struct{ SaleID, Status string }

func (b *bench) list(query string) []listRow {
	b.T.Helper()
	var out struct{ SaleList []listRow }
	b.cin7("GET", "/saleList?"+query, nil, &out)
	return out.SaleList
}

// register makes a webhook at Cin7 Core.
func (b *bench) register(event string) {
	b.T.Helper()
	b.cin7("POST", "/webhooks", obj{"Type": event, "IsActive": true,
		"ExternalURL": "https://stockbridge.test/webhooks/cin7core/abc", "ExternalAuthorizationType": "bearerauth",
		"ExternalBearerToken": "t0ken"}, nil)
}

// act does what a person does to a sale.
func (b *bench) act(id, do, body string) {
	b.T.Helper()
	if _, err := b.core.Sale(id, do, body); err != nil {
		b.T.Fatal(err)
	}
}

// approve places an order and approves it.
func (b *bench) approve() {
	b.T.Helper()
	o, err := b.upstock.PlaceOrder(b.Account.Upstock.Supplier, "")
	if err == nil {
		_, err = b.upstock.Approve(o.ID)
	}
	if err != nil {
		b.T.Fatal(err)
	}
}

func TestOneOrderAllTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, sim.Options{})
		o, err := b.upstock.PlaceOrder(1, "")
		if err != nil || o.Number != "880001" || o.Status != "ordered" {
			t.Fatalf("%+v %v", o, err)
		}
		if o, err = b.upstock.Approve(o.ID); err != nil || o.Status != "processing" {
			t.Fatalf("%+v %v", o, err)
		}
		id := b.sell("AUTHORISED")
		if rows := b.list("ExternalID=upstock:1:120001"); len(rows) != 1 || rows[0].SaleID != id ||
			rows[0].Status != "ORDERED" {
			t.Fatalf("%+v", rows)
		}
		if _, err := b.core.Sale(id, "ship",
			`{"trackingNumber":"NZ1","trackingUrl":"https://track.example.com/NZ1"}`); err != nil {
			t.Fatal(err)
		}
		got := b.core.Sales(b.Account.Cin7Core.AccountID)
		if len(got) != 1 || got[0].Shipping != "SHIPPED" || got[0].Total != "20.47" || got[0].Lines != 1 ||
			got[0].Number != "SO-00001" {
			t.Fatalf("%+v", got)
		}
		b.up("PUT", fmt.Sprintf("/orders/%d/external", o.ID), `{"system":"cin7core","number":"SO-00001"}`, 200, nil)
		b.up("PUT", fmt.Sprintf("/orders/%d/shipments/s1", o.ID),
			obj{"shippedAt": time.Now(), "tracking": "x", "complete": true}, 200, nil)
		if o, _ = b.upstock.Order(o.ID); o.Status != "shipped" || o.External != "SO-00001" {
			t.Errorf("%+v", o)
		}
	})
}

// TestFaults: for each fault, whether there is an answer, and whether there is a
// sale.
func TestFaults(t *testing.T) {
	for _, x := range []struct {
		f      sim.Fault
		err    error // nil = an answer
		status int
		sales  int // at once
		later  int // after an hour
		took   time.Duration
	}{
		{sim.Fault{Kind: "before"}, syscall.ECONNRESET, 0, 0, 0, 0},
		{sim.Fault{Kind: "before", How: "refused"}, syscall.ECONNREFUSED, 0, 0, 0, 0},
		{sim.Fault{Kind: "before", How: "500"}, nil, 500, 0, 0, 0},
		{sim.Fault{Kind: "before", How: "timeout"}, context.DeadlineExceeded, 0, 0, 0, 20 * time.Second},
		{sim.Fault{Kind: "after"}, syscall.ECONNRESET, 0, 1, 1, 0},
		{sim.Fault{Kind: "after", How: "timeout"}, context.DeadlineExceeded, 0, 1, 1, 20 * time.Second},
		{sim.Fault{Kind: "after", How: "502"}, nil, 502, 1, 1, 0},
		{sim.Fault{Kind: "after", How: "html"}, nil, 200, 1, 1, 0},
		{sim.Fault{Kind: "after", How: "500"}, nil, 500, 1, 1, 0},
		{sim.Fault{Kind: "late", Seconds: 90}, syscall.ECONNRESET, 0, 0, 1, 0},
		{sim.Fault{Kind: "late", How: "list", Seconds: 90}, syscall.ECONNRESET, 0, 1, 1, 0},
		{sim.Fault{Kind: "slow", Seconds: 15}, nil, 200, 1, 1, 15 * time.Second},
		{sim.Fault{Kind: "slow", Seconds: 25}, context.DeadlineExceeded, 0, 1, 1, 20 * time.Second},
		{sim.Fault{Kind: "slow", How: "arrive", Seconds: 15}, nil, 200, 1, 1, 15 * time.Second},
		{sim.Fault{Kind: "slow", How: "arrive", Seconds: 25}, context.DeadlineExceeded, 0, 0, 1, 20 * time.Second},
		{sim.Fault{Kind: "throttle"}, nil, 503, 0, 0, 0},
		{sim.Fault{Kind: "throttle", How: "429", RetryAfter: "60 Seconds"}, nil, 429, 0, 0, 0},
		{sim.Fault{Kind: "throttle", How: "400"}, nil, 400, 0, 0, 0},
		{sim.Fault{Kind: "throttle", How: "200"}, nil, 200, 0, 0, 0},
		{sim.Fault{Kind: "html"}, nil, 200, 0, 0, 0},
	} {
		t.Run(x.f.Kind+" "+x.f.How, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, sim.Options{})
				x.f.Match = "POST /sale"
				if err := b.Fault(sim.Cin7Core, x.f); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				start := time.Now()
				a, err := b.Try(ctx, "POST", sim.PrefixCin7Core+"/Sale", b.header())
				if took := time.Since(start); took != x.took {
					t.Errorf("took %v, want %v", took, x.took)
				}
				if !errors.Is(err, x.err) || err == nil && a.StatusCode != x.status {
					t.Fatalf("%v %v, want %v %d", a.Response, err, x.err, x.status)
				}
				if x.f.RetryAfter != "" && a.Header.Get("Retry-After") != x.f.RetryAfter {
					t.Error(a.Header)
				}
				if n := len(b.core.Sales(b.Account.Cin7Core.AccountID)); n != x.sales {
					t.Errorf("%d sales at once, want %d", n, x.sales)
				}
				if n := len(b.list("")); x.f.How == "list" && n != 0 {
					t.Errorf("%d sales listed early", n)
				}
				time.Sleep(time.Hour)
				if n := len(b.list("ExternalID=upstock:1:120001")); n != x.later {
					t.Errorf("%d sales later, want %d", n, x.later)
				}
				calls := b.Calls(sim.Cin7Core, b.Account.Cin7Core.AccountID)
				if c := calls[0]; c.Method != "POST" || c.Status != x.status || c.Fault != x.f.Kind {
					t.Errorf("logged %+v", c)
				}
				if b.OverLimit(sim.Cin7Core, b.Account.Cin7Core.AccountID) != 0 || len(b.Faults(sim.Cin7Core)) != 0 {
					t.Error("an injected throttle counted, or a fault is left")
				}
			})
		})
	}
}

func TestFaultsChooseTheirCalls(t *testing.T) {
	b := newBench(t, sim.Options{})
	other := b.AddAccount("Other", "AUD")
	for _, f := range []sim.Fault{
		{Match: "GET /me", Kind: "html", Account: other.Cin7Core.AccountID},
		{Match: "GET /me", Kind: "before", How: "500", Times: 2, Skip: 1},
	} {
		if err := b.Fault(sim.Cin7Core, f); err != nil {
			t.Fatal(err)
		}
	}
	var got []int
	for range 4 {
		got = append(got, b.Call("GET", sim.PrefixCin7Core+"/me", nil).StatusCode)
	}
	if fmt.Sprint(got) != "[200 500 500 200]" {
		t.Error(got)
	}
	if fs := b.Faults(sim.Cin7Core); len(fs) != 1 || fs[0].Account == "" {
		t.Errorf("%+v", fs)
	}
	b.ClearFaults(sim.Cin7Core)
	if err := b.Fault(sim.Cin7Core, sim.Fault{Kind: "odd"}); err == nil || len(b.Faults(sim.Cin7Core)) != 0 {
		t.Error("an unknown kind was taken")
	}
}

// TestHandlerOverTCP: over a real connection, a lost answer is a reset, and a slow one
// arrives.
func TestHandlerOverTCP(t *testing.T) {
	b := newBench(t, sim.Options{Speed: 100})
	srv := httptest.NewServer(b.Handler())
	defer srv.Close()
	b.HTTP.Transport = rehost{srv.Listener.Addr().String()}
	for _, f := range []sim.Fault{{Match: "GET /me", Kind: "after"}, {Match: "GET /me", Kind: "slow", Seconds: 2},
		{Match: "GET /me", Kind: "after", How: "timeout", Seconds: 5}} {
		if err := b.Fault(sim.Cin7Core, f); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Try(t.Context(), "GET", sim.PrefixCin7Core+"/me", nil); err == nil {
		t.Error("an answer in spite of a reset")
	}
	start := time.Now()
	if a := b.Call("GET", sim.PrefixCin7Core+"/me", nil); a.StatusCode != 200 ||
		time.Since(start) < 20*time.Millisecond {
		t.Errorf("%v after %v", a.Status, time.Since(start))
	}
	if _, err := b.Try(t.Context(), "GET", sim.PrefixCin7Core+"/me", nil); err == nil {
		t.Error("an answer in spite of a timeout")
	}
	if a := b.Call("GET", sim.PrefixCin7Core+"/nowhere", nil); a.StatusCode != 302 ||
		a.Header.Get("Location") != "/cin7core/PageNotFound" {
		t.Errorf("%v %v", a.Status, a.Header)
	}
	if a := b.Call("GET", "/cin7core/PageNotFound", nil); a.StatusCode != 200 ||
		!strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
		t.Errorf("%v %v", a.Status, a.Header)
	}
	if a := b.Call("GET", "/joor/v2/connection", nil); a.StatusCode != 501 ||
		!strings.Contains(string(a.Bytes), "not simulated yet") {
		t.Errorf("%v %s", a.Status, a.Bytes)
	}
}

type rehost struct{ addr string }

func (r rehost) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.URL.Host = r.addr
	tr := &http.Transport{DisableKeepAlives: true}
	return tr.RoundTrip(req)
}

func TestSeedAgrees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := newBench(t, sim.Options{Seed: "x"}), newBench(t, sim.Options{Seed: "x"})
		for _, b := range []*bench{one, two} {
			o, err := b.upstock.PlaceOrder(1, "")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.upstock.Approve(o.ID); err != nil {
				t.Fatal(err)
			}
			b.sell("DRAFT")
		}
		if whole(t, one.Sim) != whole(t, two.Sim) {
			t.Error("two Sims with one seed differ")
		}
		if three := newBench(t, sim.Options{Seed: "z"}); three.Account == one.Account {
			t.Error("another seed agrees")
		}
	})
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &simtest.Inbox{Statuses: []int{500}}
		s := newBench(t, sim.Options{Deliver: in, Seed: "x"})
		if _, err := s.upstock.RegisterWebhook(1, "https://stockbridge.test/w"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Hour)
		if len(in.Got) != 1 {
			t.Errorf("%d attempts", len(in.Got))
		}
		s.Quiet() // does not hang
		if _, err := s.upstock.RegisterWebhook(9, "https://stockbridge.test/w"); err == nil {
			t.Error("a webhook without a supplier")
		}
		if _, err := s.upstock.Approve(1); err == nil {
			t.Error("an order from nowhere")
		}
	})
}

func TestStateSurvives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		in := &simtest.Inbox{Statuses: []int{200, 500, 200}}
		b := newBench(t, sim.Options{Dir: dir, Deliver: in})
		if _, err := b.upstock.RegisterWebhook(1, "https://stockbridge.test/w"); err != nil {
			t.Fatal(err)
		}
		b.Quiet()
		id := b.sell("AUTHORISED")
		if _, err := b.core.Sale(id, "ship", `{"of":["A","B"],"boxes":["A"]}`); err != nil {
			t.Fatal(err)
		}
		b.approve() // refused once: its retry is due in a minute
		time.Sleep(2 * time.Second)
		want := whole(t, b.Sim)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		again := reopen(t, sim.Options{Dir: dir, Deliver: in})
		defer again.Close()
		if got := whole(t, again.Sim); got != want {
			t.Fatalf("state changed over a restart:\n%s\n%s", got, want)
		}
		again.Quiet()
		if ds := again.upstock.Deliveries(1); ds[1].State != "delivered" || ds[1].Attempts != 2 {
			t.Errorf("%+v", ds)
		}
		if next := again.AddAccount("", ""); next.Upstock.Supplier != 2 || next.Cin7Core == b.Account.Cin7Core {
			t.Errorf("%+v", next)
		}
	})
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		s, _ := sim.New(sim.Options{Seed: "b"}, upstock.New(), cin7core.New(cin7core.Options{}))
		s.AddAccount("", "")
		s.Close()
	}
}

// BenchmarkSale measures one order at both vendors.
func BenchmarkSale(b *testing.B) {
	h := newBench(b, sim.Options{NoLimits: true})
	for b.Loop() {
		if _, err := h.upstock.PlaceOrder(1, ""); err != nil {
			b.Fatal(err)
		}
		h.sell("DRAFT")
	}
}
