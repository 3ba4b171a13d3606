package cin7core_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/rest"
)

// vendor is a server that gives every call the same answer, and keeps the calls.
type vendor struct {
	*httptest.Server
	status     int
	header     map[string]string
	body       string
	reset      bool
	requests   []*http.Request
	sent       []string
	throttled  []time.Duration
	pagesTotal int // > 0: pages of rows instead of body
}

func newVendor(t *testing.T) (*vendor, *cin7core.Client) {
	v := &vendor{status: 200}
	v.Server = httptest.NewServer(v)
	t.Cleanup(v.Close)
	return v, cin7core.New(v.URL+"/ExternalApi/v2", v.Client().Transport, v, "account", "application-key")
}

func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	v.requests, v.sent = append(v.requests, r), append(v.sent, string(body))
	if v.reset {
		panic(http.ErrAbortHandler)
	}
	if v.pagesTotal > 0 {
		page, _ := strconv.Atoi(r.FormValue("Page"))
		limit, _ := strconv.Atoi(r.FormValue("Limit"))
		var rows []string
		for i := (page - 1) * limit; i < min(page*limit, v.pagesTotal); i++ {
			rows = append(rows, fmt.Sprintf(`{"SaleID":"S%d"}`, i))
		}
		_, _ = fmt.Fprintf(w, `{"Total":%d,"Page":%d,"SaleList":[%s]}`, v.pagesTotal, page, strings.Join(rows, ","))
		return
	}
	for name, value := range v.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(v.status)
	_, _ = io.WriteString(w, v.body)
}

func (v *vendor) Take(context.Context, int) (time.Time, error) { return time.Now(), nil }

func (v *vendor) Throttled(_ context.Context, d time.Duration) { v.throttled = append(v.throttled, d) }

func (v *vendor) last() *http.Request { return v.requests[len(v.requests)-1] }

const samples = "../../../shared/vendors/samples/cin7core/"

// sample reads one of the vendor's own examples, which are not in this repository.
func sample(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.FromSlash(samples + name))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("no vendor samples here")
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func d(s string) decimal.Decimal { return decimal.RequireFromString(s) }

func TestErrors(t *testing.T) {
	const id = "916ab4c0-6ccb-4c93-873d-0603859050e4"
	const limit400 = `[{"ErrorCode":400,"Exception":"You have reached 60 calls per 60 seconds API limit."}]`
	const limit = "You reached 60 calls per minute API limit"
	retry := func(v string) map[string]string { return map[string]string{"Retry-After": v} }
	for _, tt := range []struct {
		name      string
		status    int
		header    map[string]string
		body      string
		outcome   rest.Outcome
		kind      rest.Kind
		messages  []string
		throttled []time.Duration
	}{
		{"validation, array", 400, nil, `[{"ErrorCode":400,"Exception":"Required attribute X is not provided."},{"ErrorCode":400,"Exception":"Second."}]`,
			rest.Refused, rest.Invalid, []string{"Required attribute X is not provided.", "Second."}, nil},
		{"validation, object", 400, nil, `{"ErrorCode":"400","Exception":"Bad."}`, rest.Refused, rest.Invalid,
			[]string{"Bad."}, nil},
		{"validation, Message", 400, nil, `{"Message":"The request is invalid."}`, rest.Refused, rest.Invalid,
			[]string{"The request is invalid."}, nil},
		{"validation, text", 400, nil, "Bad things", rest.Refused, rest.Invalid, []string{"Bad things"}, nil},
		{"validation, JSON text", 400, nil, `"Bad things"`, rest.Refused, rest.Invalid, []string{"Bad things"}, nil},
		{"validation, in 200", 200, nil, `[{"ErrorCode":400,"Exception":"Bad."}]`, rest.Refused, rest.Invalid,
			[]string{"Bad."}, nil},
		{"validation, object in 200", 200, nil, `{"ErrorCode":422,"Exception":"Bad."}`, rest.Refused, rest.Invalid,
			[]string{"Bad."}, nil},
		{"missing reference", 404, nil, `[{"ErrorCode":404,"Exception":"Category not found."}]`, rest.Refused,
			rest.Invalid, []string{"Category not found."}, nil},
		{"server error in 200", 200, nil, `{"ErrorCode":500,"Exception":"Oops."}`, rest.Unknown, rest.Unavailable,
			[]string{"Oops."}, nil},
		{"error with a sale", 400, nil, `{"ErrorCode":400,"Exception":"Odd.","ID":"` + id + `"}`, rest.Unknown,
			rest.Unavailable, []string{"Odd."}, nil},
		{"error with a sale in 200", 200, nil, `{"ErrorCode":400,"Exception":"Odd.","ID":"` + id + `"}`, rest.Unknown,
			rest.Unavailable, []string{"Odd."}, nil},
		{"bad key", 403, nil, "Incorrect credentials!", rest.Refused, rest.Unauthorized,
			[]string{"Incorrect credentials!"}, nil},
		{"bad key as JSON in 200", 200, nil, `[{"ErrorCode":403,"Exception":"Incorrect credentials!"}]`, rest.Refused,
			rest.Unauthorized, []string{"Incorrect credentials!"}, nil},
		{"a proxy", 403, nil, "<html>Forbidden</html>", rest.Refused, rest.Unavailable, nil, nil},
		{"wrong path", 302, map[string]string{"Location": "/PageNotFound"}, "<html>", rest.Unknown, rest.Unavailable,
			nil, nil},
		{"wrong path followed", 200, nil, "<html>Page not found</html>", rest.Unknown, rest.Unavailable, nil, nil},
		{"wrong verb", 405, nil, "", rest.Refused, rest.Invalid, nil, nil},
		{"broken", 500, nil, `[{"ErrorCode":500,"Exception":"Unexpected."}]`, rest.Unknown, rest.Unavailable,
			[]string{"Unexpected."}, nil},
		{"bad gateway", 502, nil, "<html>", rest.Unknown, rest.Unavailable, nil, nil},
		{"throttle 429", 429, retry("30"), limit, rest.Refused, rest.Throttled, []string{limit},
			[]time.Duration{30 * time.Second}},
		{"throttle 429 unit", 429, retry("60 Seconds"), limit, rest.Refused, rest.Throttled, []string{limit},
			[]time.Duration{time.Minute}},
		{"throttle 429 bare", 429, nil, "", rest.Refused, rest.Throttled, nil, []time.Duration{0}},
		{"throttle 503", 503, nil, limit, rest.Refused, rest.Throttled, []string{limit}, []time.Duration{0}},
		{"503 bare", 503, nil, "", rest.Unknown, rest.Unavailable, nil, []time.Duration{0}},
		{"503 page", 503, retry("30"), "<html>Service unavailable</html>", rest.Unknown, rest.Unavailable, nil,
			[]time.Duration{30 * time.Second}},
		{"throttle 400", 400, nil, limit400, rest.Refused, rest.Throttled,
			[]string{"You have reached 60 calls per 60 seconds API limit."}, []time.Duration{0}},
		{"throttle 200", 200, nil, limit400, rest.Refused, rest.Throttled,
			[]string{"You have reached 60 calls per 60 seconds API limit."}, []time.Duration{0}},
		{"throttle 200 object", 200, nil, limit400[1 : len(limit400)-1], rest.Refused, rest.Throttled,
			[]string{"You have reached 60 calls per 60 seconds API limit."}, []time.Duration{0}},
		{"throttle 200 Message", 200, nil, `{"Message":"` + limit + `"}`, rest.Refused, rest.Throttled, []string{limit},
			[]time.Duration{0}},
		{"throttle 200 text", 200, nil, limit, rest.Refused, rest.Throttled, []string{limit}, []time.Duration{0}},
		{"throttle 200 JSON text", 200, nil, `"` + limit + `"`, rest.Refused, rest.Throttled, []string{limit},
			[]time.Duration{0}},
		{"throttle 500", 500, nil, limit400, rest.Refused, rest.Throttled,
			[]string{"You have reached 60 calls per 60 seconds API limit."}, []time.Duration{0}},
		{"throttle 400 with a sale", 400, nil, `{"ID":"` + id + `","ErrorCode":400,"Exception":"` + limit + `"}`,
			rest.Unknown, rest.Unavailable, []string{limit}, nil},
		{"throttle with no id", 400, nil,
			`{"ID":"00000000-0000-0000-0000-000000000000","ErrorCode":400,"Exception":"` + limit + `"}`, rest.Refused,
			rest.Throttled, []string{limit}, []time.Duration{0}},
		{"done, with limit text", 200, nil, `{"ID":"` + id + `","ErrorCode":400,"Exception":"` + limit + `"}`,
			rest.Done, rest.Other, nil, nil},
		{"done, the text is a note", 200, nil, `{"ID":"` + id + `","Note":"` + limit + `"}`, rest.Done, rest.Other, nil,
			nil},
		{"no sale", 200, nil, `{"Customer":"x"}`, rest.Unknown, rest.Unavailable, nil, nil},
		{"zero id", 200, nil, `{"ID":"00000000-0000-0000-0000-000000000000"}`, rest.Unknown, rest.Unavailable, nil,
			nil},
		{"empty", 200, nil, "", rest.Unknown, rest.Unavailable, nil, nil},
		{"a list", 200, nil, `[{"ID":"` + id + `"}]`, rest.Unknown, rest.Unavailable, nil, nil},
		{"cut", 200, nil, `{"ID":"` + id + `"`, rest.Unknown, rest.Unavailable, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, c := newVendor(t)
			f.status, f.header, f.body = tt.status, tt.header, tt.body
			s, err := c.CreateSale(t.Context(), cin7core.SaleHeader{})
			if rest.OutcomeOf(err) != tt.outcome || rest.KindOf(err) != tt.kind {
				t.Fatalf("%v, %v: %v", rest.OutcomeOf(err), rest.KindOf(err), err)
			}
			if (s.ID == id) != (tt.outcome == rest.Done) {
				t.Errorf("sale %q", s.ID)
			}
			if diff := cmp.Diff(tt.messages, rest.MessagesOf(err)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tt.throttled, f.throttled); diff != "" {
				t.Error(diff)
			}
			if len(f.requests) != 1 {
				t.Errorf("%d calls", len(f.requests))
			}
			if err != nil && strings.Contains(err.Error(), "application-key") {
				t.Errorf("error reads %q", err)
			}
		})
	}
}

// TestErrorSamples reads error bodies that others have received.
func TestErrorSamples(t *testing.T) {
	sample(t, "README.md")
	files, _ := filepath.Glob(samples + "error.*.json")
	for _, file := range files {
		var w struct {
			Status int             `json:"http_status"`
			First  int             `json:"first_http_status"`
			Body   json.RawMessage `json:"body"`
			Text   string          `json:"body_text"`
		}
		data, _ := os.ReadFile(file)
		if err := json.Unmarshal(data, &w); err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		want := rest.Invalid
		switch {
		case strings.Contains(name, "throttle"):
			want = rest.Throttled
		case strings.Contains(name, "credentials"):
			want = rest.Unauthorized
		case strings.Contains(name, "html"):
			want = rest.Unavailable
		}
		f, c := newVendor(t)
		f.status, f.body = max(w.Status, w.First), w.Text
		if f.status == 0 {
			f.status = 404
		}
		if w.Body != nil {
			f.body = string(w.Body)
		}
		if strings.HasPrefix(f.body, "(") {
			continue // not recorded
		}
		if _, err := c.SaveOrder(t.Context(), cin7core.OrderDocument{}); rest.KindOf(err) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLostAnswers(t *testing.T) {
	f, c := newVendor(t)
	f.reset = true
	if _, err := c.CreateSale(t.Context(), cin7core.SaleHeader{}); rest.OutcomeOf(err) != rest.Unknown {
		t.Errorf("reset after the write: %v", err)
	}
	f.Close()
	if len(f.requests) != 1 {
		t.Errorf("%d calls", len(f.requests))
	}
	if _, err := c.CreateSale(t.Context(), cin7core.SaleHeader{}); rest.OutcomeOf(err) != rest.Refused ||
		rest.KindOf(err) != rest.NotSent {
		t.Errorf("nobody there: %v", err)
	}
	if _, err := cin7core.New("nonsense", nil, nil, "a", "k").Me(t.Context()); rest.KindOf(err) != rest.NotSent {
		t.Errorf("no address: %v", err)
	}
	if s := fmt.Sprintf("%+v %#v", c, c.Client); strings.Contains(s, "application-key") {
		t.Error("the key is printed")
	}
}

func TestNotFound(t *testing.T) {
	f, c := newVendor(t)
	for _, answer := range []struct {
		status int
		body   string
	}{{404, ""}, {400, `[{"ErrorCode":400,"Exception":"Sale not found"}]`},
		{200, `[{"ErrorCode":404,"Exception":"Sale not found"}]`}} {
		f.status, f.body = answer.status, answer.body
		if _, err := c.Sale(t.Context(), "x"); rest.KindOf(err) != rest.NotFound ||
			rest.OutcomeOf(err) != rest.Refused {
			t.Errorf("%+v: %v", answer, err)
		}
	}
	f.status, f.body = 200, `{"Total":2,"Page":1,"CustomerList":[{"ID":"AA"},{"ID":"BB"}]}` // the filter was ignored
	if got, err := c.Customer(t.Context(), "bb"); err != nil || got.ID != "bb" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := c.Customer(t.Context(), "cc"); rest.KindOf(err) != rest.NotFound {
		t.Error(err)
	}
}

func TestPages(t *testing.T) {
	for _, tt := range []struct{ total, size, from, rows, calls int }{
		{1, 0, 0, 1, 1}, {1000, 0, 0, 1000, 1}, {1001, 0, 0, 1001, 2}, {2500, 0, 0, 2500, 3}, {5, 2, 0, 5, 3},
		{5, 2, 3, 1, 1}, {4, 2, 0, 4, 2},
	} {
		f, c := newVendor(t)
		f.pagesTotal, c.PageSize = tt.total, tt.size
		seen := map[string]bool{}
		for row, err := range c.Sales(t.Context(), cin7core.SalesQuery{Page: tt.from}) {
			if err != nil {
				t.Fatal(err)
			}
			seen[row.SaleID] = true
		}
		if len(seen) != tt.rows || len(f.requests) != tt.calls {
			t.Errorf("%+v: %d rows in %d calls", tt, len(seen), len(f.requests))
		}
	}

	f, c := newVendor(t)
	f.body = `{"Total":0,"Page":1,"SaleList":null}`
	since := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.FixedZone("", 13*3600))
	p, err := c.SalesPage(t.Context(), cin7core.SalesQuery{ExternalID: "upstock:1:2", UpdatedSince: since, Page: 1})
	if err != nil || len(p.Items) != 0 || p.More {
		t.Errorf("%+v, %v", p, err)
	}
	const want = "/ExternalApi/v2/saleList?" +
		"ExternalID=upstock%3A1%3A2&Limit=1000&Page=1&UpdatedSince=2026-02-28T23%3A00%3A00.123"
	if got := f.last().URL.String(); got != want {
		t.Error(got)
	}
	if f.last().Header.Get("api-auth-accountid") != "account" ||
		f.last().Header.Get("api-auth-applicationkey") != "application-key" {
		t.Error("the credential is not on")
	}
	for _, body := range []string{`{"Total":1,"Page":2,"SaleList":[]}`, `{"Total":1,"Page":1}`, `{"SaleList":{}}`,
		`{"Products":7}`} {
		f.body = body
		if _, err := c.SalesPage(t.Context(), cin7core.SalesQuery{}); rest.KindOf(err) != rest.Unavailable {
			t.Errorf("%s: %v", body, err)
		}
	}
	f.body = `{"PriceTiers":[{"Code":1,"Name":"Retail"},{"Code":"2","Name":"Wholesale"}]}`
	c.PageSize = 2
	tiers, err := c.PriceTiers(t.Context())
	if diff := cmp.Diff([]cin7core.PriceTier{{1, "Retail"}, {2, "Wholesale"}}, tiers); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

// TestWire compares what is written with the vendor's documentation.
func TestWire(t *testing.T) {
	f, c := newVendor(t)
	f.body = `{"ID":"S1"}`
	auckland := time.FixedZone("NZDT", 13*3600)
	h := cin7core.SaleHeader{
		CustomerID: "C1", BillingAddress: cin7core.AddressRef{ID: "A1", Line1: "unused"},
		ShippingAddress: cin7core.AddressRef{ID: "A2", Line1: "1 High St", Country: "New Zealand", Company: "Shop",
			ShipToOther: true},
		ShipBy: time.Date(2026, 3, 31, 0, 0, 0, 0, auckland), Location: "Main", CurrencyRate: d("1.25"),
		ExternalID: "upstock:1:2", SaleType: "Simple", SkipQuote: true,
		AdditionalAttributes: cin7core.Attributes{AdditionalAttribute2: "two"},
	}
	if _, err := c.CreateSale(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	f.body = `{"SaleID":"S1","Status":"DRAFT","Total":"11.50"}`
	o := cin7core.OrderDocument{
		SaleID: "S1", Status: cin7core.Draft, AutoPickPackShipMode: cin7core.NoPick,
		Lines: []cin7core.OrderLine{{ProductID: "P1", SKU: "BREAD", Quantity: d("1.5"), Price: d("8"), Discount: d("0"),
			Tax: d("1.50"), TaxRule: "GST", Total: d("10.00")}},
		Total: d("11.50"), Tax: d("1.50"), TotalBeforeTax: d("10"),
	}
	saved, err := c.SaveOrder(t.Context(), o)
	if err != nil || !saved.Total.Equal(d("11.5")) || !saved.Status.Is(cin7core.Authorised, cin7core.Draft) {
		t.Fatalf("%+v, %v", saved, err)
	}
	want := []string{
		`{"CustomerID":"C1","BillingAddress":{"ID":"A1"},"ShippingAddress":{"Line1":"1 High St","Country":"New Zealand","Company":"Shop","ShipToOther":true},` +
			`"TaxInclusive":false,"ShipBy":"2026-03-31T00:00:00","Location":"Main","CurrencyRate":1.25,"ExternalID":"upstock:1:2",` +
			`"AdditionalAttributes":{"AdditionalAttribute1":"","AdditionalAttribute2":"two","AdditionalAttribute3":"","AdditionalAttribute4":"","AdditionalAttribute5":"",` +
			`"AdditionalAttribute6":"","AdditionalAttribute7":"","AdditionalAttribute8":"","AdditionalAttribute9":"","AdditionalAttribute10":""},"SaleType":"Simple","SkipQuote":true}`,
		`{"SaleID":"S1","CombineAdditionalCharges":false,"Memo":"","Status":"DRAFT","AutoPickPackShipMode":"NOPICK","Lines":[{"ProductID":"P1","SKU":"BREAD",` +
			`"Quantity":1.5,"Price":8,"Discount":0,"Tax":1.5,"TaxRule":"GST","DropShip":false,"Total":10}],"AdditionalCharges":[],"TotalBeforeTax":10,"Tax":1.5,"Total":11.5}`,
	}
	if diff := cmp.Diff(want, f.sent); diff != "" {
		t.Error(diff)
	}
	for _, body := range []string{`{"Status":"DRAFT"}`, `{"SaleID":"S1"}`, `{}`} {
		f.body = body
		if _, err := c.SaveOrder(t.Context(), o); rest.OutcomeOf(err) != rest.Unknown {
			t.Errorf("%s: %v", body, err)
		}
	}
	f.body = `{"ID":"S1","Status":"VOIDED"}`
	if s, err := c.VoidSale(t.Context(), "S1"); err != nil || !s.Status.Is(cin7core.Voided) ||
		f.last().Method != "DELETE" || f.last().URL.RawQuery != "ID=S1&Void=true" {
		t.Errorf("void: %v, %s", err, f.last().URL)
	}
	if _, err := c.UndoSale(t.Context(), "S1"); err != nil || f.last().URL.RawQuery != "ID=S1&Void=false" {
		t.Errorf("undo: %v, %s", err, f.last().URL)
	}

	// A plan is stored as JSON until it is used.
	for _, v := range []any{h, o} {
		kept, _ := json.Marshal(v)
		var back cin7core.SaleHeader
		var order cin7core.OrderDocument
		if _, ok := v.(cin7core.SaleHeader); ok {
			if err := json.Unmarshal(kept, &back); err != nil || !cmp.Equal(h, back) {
				t.Error(err, cmp.Diff(h, back))
			}
		} else if err := json.Unmarshal(kept, &order); err != nil || !cmp.Equal(o, order) {
			t.Error(err, cmp.Diff(o, order))
		}
	}
}

func TestSamples(t *testing.T) {
	f, c := newVendor(t)
	serve := func(name string) { f.body = string(sample(t, name)) }

	serve("sale.get.response.json")
	s, err := c.Sale(t.Context(), "916AB4C0-6ccb-4c93-873d-0603859050e4")
	if err != nil {
		t.Fatal(err)
	}
	ship := s.Fulfilments[0].Ship.Lines[0]
	if s.ID != "916ab4c0-6ccb-4c93-873d-0603859050e4" || s.Order.SaleOrderNumber != "SO-00001" ||
		s.Order.SaleID != s.ID ||
		!s.Order.Lines[0].Price.Equal(d("8")) || s.Order.AdditionalCharges[0].Description == "" ||
		s.Type != "Advanced Sale" ||
		!ship.IsShipped || ship.ShipmentDate.Format(time.DateOnly) != "2017-11-22" ||
		cmp.Diff([]string{"Box 1"}, ship.BoxList()) != "" ||
		s.Fulfilments[0].Pack.Lines[0].Box != "Box 1" || s.ExternalID != "" ||
		!s.LastModifiedOn.Equal(time.Date(2017, 11, 22, 10, 10, 49, 750e6, time.UTC)) ||
		s.Invoices[0].InvoiceNumber != "INV-00001" || s.FulfilmentStatus != cin7core.NotAvailable ||
		s.ShippingAddress.Company == "" {
		t.Errorf("%+v", s)
	}
	for _, name := range []string{"sale.post.response.json", "sale.delete.response.json", "sale.put.response.json"} {
		serve(name)
		if _, err := c.CreateSale(t.Context(), cin7core.SaleHeader{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	serve("sale-order.post.response.json")
	if o, err := c.SaveOrder(t.Context(), cin7core.OrderDocument{SaleID: s.ID}); err != nil ||
		!o.Total.Equal(d("358")) {
		t.Errorf("%+v, %v", o, err)
	}
	const task = "CDE5FB4A-1dac-4e9a-bc33-5dfa14eedb57"
	serve("sale-fulfilment-pick.post.response.json")
	if h, err := c.AuthorisePick(t.Context(), task, nil); err != nil || !h.Lines[0].Quantity.Equal(d("1")) ||
		h.Lines[0].ExpiryDate.Format(time.DateOnly) != "2017-11-30" {
		t.Errorf("%+v, %v", h, err)
	}
	serve("sale-fulfilment-pack.post.response.json")
	if h, err := c.AuthorisePack(t.Context(), task, nil); err != nil || h.Lines[0].Box != "Box 1" {
		t.Errorf("%+v, %v", h, err)
	}
	serve("sale-fulfilment-ship.post.response.json")
	if h, err := c.AuthoriseShipment(t.Context(), task, nil); err != nil || h.Lines[0].Boxes != "Box 1" {
		t.Errorf("%+v, %v", h, err)
	}
	serve("saleList.get.response.json")
	if p, err := c.SalesPage(t.Context(), cin7core.SalesQuery{}); err != nil || p.Total != 2 || p.More ||
		p.Items[1].Status != cin7core.Backordered ||
		p.Items[0].FulfilmentStatus != "NOT FULFILLED" || p.Items[1].ShipBy.IsZero() || !p.Items[0].ShipBy.IsZero() {
		t.Errorf("%+v, %v", p, err)
	}
	serve("customer.get.response.json")
	if p, err := c.CustomersPage(t.Context(), cin7core.CustomersQuery{}); err != nil ||
		p.Items[0].Addresses[0].Type != "Billing" ||
		p.Items[1].Contacts[0].Email != "Customer@mail.ru" || p.Items[1].ProductPrices[0].Price.String() != "1.1" ||
		!p.Items[0].Status.Is("ACTIVE") {
		t.Errorf("%+v, %v", p, err)
	}
	serve("product.get.response.json")
	if p, err := c.ProductsPage(t.Context(), cin7core.ProductsQuery{}); err != nil ||
		!p.Items[0].Tier(1).Equal(d("8")) || !p.Items[0].CanSell() ||
		p.Items[0].Attachments[0].DownloadURL == "" || p.Items[0].Tier(11).IsPositive() ||
		p.Items[0].Attribute(3) != "" {
		t.Errorf("%+v, %v", p, err)
	}
	serve("me.get.response.json")
	if me, err := c.Me(t.Context()); err != nil || me.Currency != "RUB" || me.DefaultSaleTaxRuleName != "Tax Exempt" ||
		!me.LockDate().IsZero() {
		t.Errorf("%+v, %v", me, err)
	}
	serve("me-contacts.get.response.json")
	if got, err := c.Contacts(t.Context()); err != nil || len(got) != 2 || got[1].Type != "Shipping" {
		t.Errorf("%+v, %v", got, err)
	}
	serve("ref-location.get.response.json")
	if got, err := c.Locations(t.Context()); err != nil || len(got) != 4 || !got[1].IsDefault || got[2].ParentID == "" {
		t.Errorf("%+v, %v", got, err)
	}
	serve("ref-tax.get.response.json")
	if got, err := c.TaxRules(t.Context()); err != nil || len(got) != 2 || !got[0].TaxPercent.Equal(d("10")) ||
		!got[1].IsTaxForPurchase {
		t.Errorf("%+v, %v", got, err)
	}
	serve("ref-paymentterm.get.response.json")
	if got, err := c.PaymentTerms(t.Context()); err != nil || len(got) != 3 || got[1].Duration != 30 {
		t.Errorf("%+v, %v", got, err)
	}
	serve("ref-priceTier.get.response.json")
	if got, err := c.PriceTiers(t.Context()); err != nil || len(got) != 10 || got[9].Code != 10 {
		t.Errorf("%+v, %v", got, err)
	}
	serve("ref-productavailability.get.response.json")
	if p, err := c.AvailabilityPage(t.Context(), cin7core.AvailabilityQuery{}); err != nil ||
		len(p.Items) != 4 || p.More || p.Items[3].SKU != "test product 4" || !p.Items[3].Available.Equal(d("2")) {
		t.Errorf("%+v, %v", p, err)
	}
	serve("ref-carrier.get.response.json")
	if got, err := c.Carriers(t.Context()); err != nil || len(got) != 1 || got[0].Description != "DEFAULT Carrier" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestProductsBySKU(t *testing.T) {
	f, c := newVendor(t)
	f.body = `{"Total":2,"Page":1,"Products":[{"SKU":"BREAD"},{"SKU":"BREAD-2"}]}`
	got, err := c.ProductsBySKU(t.Context(), "BREAD")
	if err != nil || len(got) != 2 || f.last().URL.RawQuery != "IncludeDeprecated=true&Limit=1000&Page=1&Sku=BREAD" {
		t.Errorf("%+v, %v, %s", got, err, f.last().URL)
	}
}

// TestHandlingAnswers: only an answer that shows the document as authorised says that it is.
func TestHandlingAnswers(t *testing.T) {
	f, c := newVendor(t)
	one := []cin7core.HandlingLine{{SKU: "s", Quantity: d("1"), Location: "Main Warehouse"}}
	day := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	calls := map[string]func() error{
		"pick": func() error { _, err := c.AuthorisePick(t.Context(), "t-1", one); return err },
		"pack": func() error { _, err := c.AuthorisePack(t.Context(), "t-1", one); return err },
		"ship": func() error {
			_, err := c.AuthoriseShipment(t.Context(), "t-1", []cin7core.ShipLine{{ShipmentDate: day, Boxes: "Box 1"}})
			return err
		},
	}
	for name, call := range calls {
		for body, outcome := range map[string]rest.Outcome{
			`{"TaskID":"T-1","Status":"Authorised","Lines":[]}`: rest.Done,
			`{"TaskID":"t-1","Status":"DRAFT","Lines":[]}`:      rest.Unknown,
			`{"TaskID":"t-2","Status":"AUTHORISED"}`:            rest.Unknown,
			`{}`:                                                rest.Unknown, `[]`: rest.Unknown, `null`: rest.Unknown, `<html>`: rest.Unknown,
			`[{"ErrorCode":400,"Exception":"Pick is not AUTHORISED"}]`: rest.Refused,
			`{"ErrorCode":404,"Exception":"Task not found"}`:           rest.Refused,
		} {
			f.body = body
			if err := call(); rest.OutcomeOf(err) != outcome {
				t.Errorf("%s, answered %s: %v", name, body, err)
			}
		}
	}
	want := `{"TaskID":"t-1","Status":"AUTHORISED","Lines":[{"ShipmentDate":"2026-11-27T00:00:00","Box":"Box 1","IsShipped":true}]}`
	if calls["ship"](); f.sent[len(f.sent)-1] != want {
		t.Errorf("sent %s", f.sent[len(f.sent)-1])
	}
}
