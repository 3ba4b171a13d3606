package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// bench is a Sim with one account and a client on its Transport.
type bench struct {
	t *testing.T
	*Sim
	a    Account
	http http.Client
}

func newBench(t *testing.T, o Options) *bench {
	t.Helper()
	if o.Seed == "" {
		o.Seed = "test"
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	b := &bench{t: t, Sim: s, a: s.AddAccount("Kauri Wholesale", "")}
	b.http = http.Client{Transport: s.Transport(), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return b
}

type answer struct {
	*http.Response
	body []byte
}

func (a answer) into(t *testing.T, v any) {
	t.Helper()
	read := json.Unmarshal
	if _, ok := v.(*sale); ok {
		read = decoder{}.decode // encoding/json does not reach through an unexported embedded pointer
	}
	if err := read(a.body, v); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
}

// exception is the text of a Cin7 Core error.
func (a answer) exception(t *testing.T) string {
	t.Helper()
	var es []coreError
	a.into(t, &es)
	if len(es) != 1 {
		t.Fatalf("not an error: %s", a.body)
	}
	return es[0].Exception
}

func (b *bench) try(ctx context.Context, method, path string, body any) (answer, error) {
	b.t.Helper()
	var raw []byte
	switch v := body.(type) {
	case nil:
	case string:
		raw = []byte(v)
	default:
		var err error
		if raw, err = json.Marshal(v); err != nil {
			b.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://sim.test"+path, bytes.NewReader(raw))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	switch {
	case strings.HasPrefix(path, "/upstock"):
		req.Header.Set("Authorization", "Bearer "+b.a.Upstock.Token)
	case strings.HasPrefix(path, "/cin7core"):
		req.Header.Set("api-auth-accountid", b.a.Cin7Core.AccountID)
		req.Header.Set("api-auth-applicationkey", b.a.Cin7Core.ApplicationKey)
	}
	resp, err := b.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{resp, got}, nil
}

func (b *bench) call(method, path string, body any) answer {
	b.t.Helper()
	a, err := b.try(context.Background(), method, path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

// core calls Cin7 Core and wants 200.
func (b *bench) core(method, path string, body, into any) {
	b.t.Helper()
	a := b.call(method, PrefixCin7Core+path, body)
	if a.StatusCode != http.StatusOK {
		b.t.Fatalf("%s %s: %d %s", method, path, a.StatusCode, a.body)
	}
	if into != nil {
		a.into(b.t, into)
	}
}

// refused calls Cin7 Core and wants a validation error.
func (b *bench) refused(method, path string, body any, want string) {
	b.t.Helper()
	a := b.call(method, PrefixCin7Core+path, body)
	if a.StatusCode != http.StatusBadRequest {
		b.t.Fatalf("%s %s: %d %s", method, path, a.StatusCode, a.body)
	}
	if got := a.exception(b.t); !strings.Contains(got, want) {
		b.t.Errorf("%s %s: %q, want %q", method, path, got, want)
	}
}

func (b *bench) up(method, path string, body any, status int, into any) {
	b.t.Helper()
	a := b.call(method, PrefixUpstock+path, body)
	if a.StatusCode != status {
		b.t.Fatalf("%s %s: %d %s, want %d", method, path, a.StatusCode, a.body, status)
	}
	if into != nil {
		a.into(b.t, into)
	}
}

// books are the records of the bench's account, for names and ids.
func (b *bench) books() *core { return b.byCore[b.a.Cin7Core.AccountID].Core }

type obj = map[string]any

func header(c *customer) obj {
	return obj{"CustomerID": c.ID, "Location": mainWarehouse, "SkipQuote": true, "ExternalID": "upstock:1:120001", "CustomerReference": "PO-1"}
}

func row(p *product, quantity, price, tax, total string) obj {
	return obj{"ProductID": p.ID, "Quantity": json.Number(quantity), "Price": json.Number(price), "Discount": 0, "Tax": json.Number(tax),
		"Total": json.Number(total), "TaxRule": "GST on Income"}
}

// sell makes a sale of two teas with an order of the given status.
func (b *bench) sell(status string) string {
	b.t.Helper()
	var sale struct{ ID string }
	b.core("POST", "/sale", header(b.books().Customers[0]), &sale)
	b.core("POST", "/sale/order", obj{"SaleID": sale.ID, "Status": status, "Lines": []obj{row(b.books().Products[0], "2", "8.90", "2.67", "17.80")}}, nil)
	return sale.ID
}

func (b *bench) list(query string) []listRow {
	b.t.Helper()
	var out struct{ SaleList []listRow }
	b.core("GET", "/saleList?"+query, nil, &out)
	return out.SaleList
}

func TestOneOrderAllTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, Options{})
		o, err := b.PlaceOrder(1, "")
		if err != nil || o.Number != "880001" || o.Status != "ordered" {
			t.Fatalf("%+v %v", o, err)
		}
		if o, err = b.Approve(o.ID); err != nil || o.Status != "processing" {
			t.Fatalf("%+v %v", o, err)
		}
		id := b.sell("AUTHORISED")
		if rows := b.list("ExternalID=upstock:1:120001"); len(rows) != 1 || rows[0].SaleID != id || rows[0].Status != "ORDERED" {
			t.Fatalf("%+v", rows)
		}
		if _, err := b.Sale(id, "ship", `{"trackingNumber":"NZ1","trackingUrl":"https://track.example.com/NZ1"}`); err != nil {
			t.Fatal(err)
		}
		got := b.Sales(b.a.Cin7Core.AccountID)
		if len(got) != 1 || got[0].Shipping != "SHIPPED" || got[0].Total != "20.47" || got[0].Lines != 1 || got[0].Number != "SO-00001" {
			t.Fatalf("%+v", got)
		}
		b.up("PUT", fmt.Sprintf("/orders/%d/external", o.ID), `{"system":"cin7core","number":"SO-00001"}`, 200, nil)
		b.up("PUT", fmt.Sprintf("/orders/%d/shipments/s1", o.ID), obj{"shippedAt": time.Now(), "tracking": "x", "complete": true}, 200, nil)
		if o, _ = b.Order(o.ID); o.Status != "shipped" || o.External != "SO-00001" {
			t.Errorf("%+v", o)
		}
	})
}

// What a client may believe after each fault: whether there is an answer, and
// whether there is a sale.
func TestFaults(t *testing.T) {
	for _, x := range []struct {
		f      Fault
		err    error // nil = an answer
		status int
		sales  int // seen by the vendor at once
		later  int // after an hour
		took   time.Duration
	}{
		{Fault{Kind: "before"}, syscall.ECONNRESET, 0, 0, 0, 0},
		{Fault{Kind: "before", How: "refused"}, syscall.ECONNREFUSED, 0, 0, 0, 0},
		{Fault{Kind: "before", How: "500"}, nil, 500, 0, 0, 0},
		{Fault{Kind: "before", How: "timeout"}, context.DeadlineExceeded, 0, 0, 0, 20 * time.Second},
		{Fault{Kind: "after"}, syscall.ECONNRESET, 0, 1, 1, 0},
		{Fault{Kind: "after", How: "timeout"}, context.DeadlineExceeded, 0, 1, 1, 20 * time.Second},
		{Fault{Kind: "after", How: "502"}, nil, 502, 1, 1, 0},
		{Fault{Kind: "after", How: "html"}, nil, 200, 1, 1, 0},
		{Fault{Kind: "after", How: "500"}, nil, 500, 1, 1, 0},
		{Fault{Kind: "late", Seconds: 90}, syscall.ECONNRESET, 0, 0, 1, 0},
		{Fault{Kind: "late", How: "list", Seconds: 90}, syscall.ECONNRESET, 0, 1, 1, 0},
		{Fault{Kind: "slow", Seconds: 15}, nil, 200, 1, 1, 15 * time.Second},
		{Fault{Kind: "slow", Seconds: 25}, context.DeadlineExceeded, 0, 1, 1, 20 * time.Second},
		{Fault{Kind: "slow", How: "arrive", Seconds: 15}, nil, 200, 1, 1, 15 * time.Second},
		{Fault{Kind: "slow", How: "arrive", Seconds: 25}, context.DeadlineExceeded, 0, 0, 1, 20 * time.Second},
		{Fault{Kind: "throttle"}, nil, 503, 0, 0, 0},
		{Fault{Kind: "throttle", How: "429", RetryAfter: "60 Seconds"}, nil, 429, 0, 0, 0},
		{Fault{Kind: "throttle", How: "400"}, nil, 400, 0, 0, 0},
		{Fault{Kind: "throttle", How: "200"}, nil, 200, 0, 0, 0},
		{Fault{Kind: "html"}, nil, 200, 0, 0, 0},
	} {
		t.Run(x.f.Kind+" "+x.f.How, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, Options{})
				x.f.Match = "POST /sale"
				if err := b.Fault(Cin7Core, x.f); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				start := time.Now()
				a, err := b.try(ctx, "POST", PrefixCin7Core+"/Sale", header(b.books().Customers[0]))
				if took := time.Since(start); took != x.took {
					t.Errorf("took %v, want %v", took, x.took)
				}
				if !errors.Is(err, x.err) || err == nil && a.StatusCode != x.status {
					t.Fatalf("%v %v, want %v %d", a.Response, err, x.err, x.status)
				}
				if x.f.RetryAfter != "" && a.Header.Get("Retry-After") != x.f.RetryAfter {
					t.Error(a.Header)
				}
				if n := len(b.Sales(b.a.Cin7Core.AccountID)); n != x.sales {
					t.Errorf("%d sales at once, want %d", n, x.sales)
				}
				if n := len(b.list("")); x.f.How == "list" && n != 0 {
					t.Errorf("%d sales listed early", n)
				}
				time.Sleep(time.Hour)
				if n := len(b.list("ExternalID=upstock:1:120001")); n != x.later {
					t.Errorf("%d sales later, want %d", n, x.later)
				}
				calls := b.Calls(Cin7Core, b.a.Cin7Core.AccountID)
				if c := calls[0]; c.Method != "POST" || c.Status != x.status || c.Fault != x.f.Kind {
					t.Errorf("logged %+v", c)
				}
				if b.OverLimit(Cin7Core, b.a.Cin7Core.AccountID) != 0 || len(b.Faults(Cin7Core)) != 0 {
					t.Error("an injected throttle counted, or a fault is left")
				}
			})
		})
	}
}

func TestFaultsChooseTheirCalls(t *testing.T) {
	b := newBench(t, Options{})
	other := b.AddAccount("Other", "AUD")
	for _, f := range []Fault{
		{Match: "GET /me", Kind: "html", Account: other.Cin7Core.AccountID},
		{Match: "GET /me", Kind: "before", How: "500", Times: 2, Skip: 1},
	} {
		if err := b.Fault(Cin7Core, f); err != nil {
			t.Fatal(err)
		}
	}
	var got []int
	for range 4 {
		got = append(got, b.call("GET", PrefixCin7Core+"/me", nil).StatusCode)
	}
	if fmt.Sprint(got) != "[200 500 500 200]" {
		t.Error(got)
	}
	if fs := b.Faults(Cin7Core); len(fs) != 1 || fs[0].Account == "" {
		t.Errorf("%+v", fs)
	}
	b.ClearFaults(Cin7Core)
	if err := b.Fault(Cin7Core, Fault{Kind: "odd"}); err == nil || len(b.Faults(Cin7Core)) != 0 {
		t.Error("an unknown kind was taken")
	}
}

// Over a real connection a lost answer is a reset, and a slow one comes.
func TestHandlerOverTCP(t *testing.T) {
	b := newBench(t, Options{Speed: 100})
	srv := httptest.NewServer(b.Handler())
	defer srv.Close()
	b.http.Transport = rehost{srv.Listener.Addr().String()}
	for _, f := range []Fault{{Match: "GET /me", Kind: "after"}, {Match: "GET /me", Kind: "slow", Seconds: 2}, {Match: "GET /me", Kind: "after", How: "timeout", Seconds: 5}} {
		if err := b.Fault(Cin7Core, f); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.try(t.Context(), "GET", PrefixCin7Core+"/me", nil); err == nil {
		t.Error("an answer in spite of a reset")
	}
	start := time.Now()
	if a := b.call("GET", PrefixCin7Core+"/me", nil); a.StatusCode != 200 || time.Since(start) < 20*time.Millisecond {
		t.Errorf("%v after %v", a.Status, time.Since(start))
	}
	if _, err := b.try(t.Context(), "GET", PrefixCin7Core+"/me", nil); err == nil {
		t.Error("an answer in spite of a timeout")
	}
	if a := b.call("GET", PrefixCin7Core+"/nowhere", nil); a.StatusCode != 302 || a.Header.Get("Location") != pageNotFound {
		t.Errorf("%v %v", a.Status, a.Header)
	}
	if a := b.call("GET", pageNotFound, nil); a.StatusCode != 200 || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
		t.Errorf("%v %v", a.Status, a.Header)
	}
	if a := b.call("GET", "/joor/v2/connection", nil); a.StatusCode != 501 || !strings.Contains(string(a.body), "not simulated yet") {
		t.Errorf("%v %s", a.Status, a.body)
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
		one, two := newBench(t, Options{Seed: "x"}), newBench(t, Options{Seed: "x"})
		for _, b := range []*bench{one, two} {
			o, err := b.PlaceOrder(1, "")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.Approve(o.ID); err != nil {
				t.Fatal(err)
			}
			b.sell("DRAFT")
		}
		x, _ := json.Marshal(&one.state)
		y, _ := json.Marshal(&two.state)
		if !bytes.Equal(x, y) {
			t.Error("two Sims with one seed differ")
		}
		if three := newBench(t, Options{Seed: "z"}); three.a == one.a {
			t.Error("another seed agrees")
		}
	})
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		s, _ := New(Options{Seed: "b"})
		s.AddAccount("", "")
		s.Close()
	}
}

// BenchmarkSale is what one order costs at both vendors.
func BenchmarkSale(b *testing.B) {
	s, err := New(Options{Seed: "b", NoLimits: true})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	a := s.AddAccount("", "")
	c := s.byCore[a.Cin7Core.AccountID].Core
	call := func(path string, body any) []byte {
		raw, _ := json.Marshal(body)
		req, _ := http.NewRequest("POST", "http://sim.test"+PrefixCin7Core+path, bytes.NewReader(raw))
		req.Header.Set("api-auth-accountid", a.Cin7Core.AccountID)
		req.Header.Set("api-auth-applicationkey", a.Cin7Core.ApplicationKey)
		resp, err := s.Transport().RoundTrip(req)
		if err != nil || resp.StatusCode != 200 {
			b.Fatal(resp, err)
		}
		out, _ := io.ReadAll(resp.Body)
		return out
	}
	for b.Loop() {
		if _, err := s.PlaceOrder(1, ""); err != nil {
			b.Fatal(err)
		}
		var x struct{ ID string }
		json.Unmarshal(call("/sale", header(c.Customers[0])), &x)
		call("/sale/order", obj{"SaleID": x.ID, "Status": "DRAFT", "Lines": []obj{row(c.Products[0], "2", "8.90", "2.67", "17.80")}})
	}
}
