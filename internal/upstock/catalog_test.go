package upstock_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"stockbridge/internal/rest"
	"stockbridge/internal/upstock"
)

// vendor is a server with one answer for each call, by its line.
type vendor struct {
	answers map[string]string
	lines   []string
	bodies  []string
}

func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	line := r.Method + " " + r.URL.RequestURI()
	v.lines, v.bodies = append(v.lines, line), append(v.bodies, string(body))
	answer, ok := v.answers[line]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		answer = `{"error":{"code":"not_found","message":"Not found","details":[]}}`
	}
	_, _ = io.WriteString(w, answer)
}

func newVendor(t *testing.T, answers map[string]string) (*vendor, *upstock.Client) {
	v := &vendor{answers: answers}
	server := httptest.NewServer(v)
	t.Cleanup(server.Close)
	return v, upstock.New(server.URL, server.Client().Transport, nil, "token")
}

func price(s string) *decimal.Decimal {
	d := decimal.RequireFromString(s)
	return &d
}

// TestCatalogLists: a list is read to its end, in the largest pages, whatever its rows lack.
func TestCatalogLists(t *testing.T) {
	v, c := newVendor(t, map[string]string{
		"GET /products?limit=100": `{"products":[{"id":501,"externalId":"p1","sku":"A","name":"Ale","price":"7.4550","brand":null,"status":"available"},` +
			`{"externalId":"p2","price":null}],"next":"7"}`,
		"GET /products?after=7&limit=100": `{"products":[{"externalId":"p3","price":12.5}],"next":null}`,
		"GET /products?after=x&limit=3":   `{"products":[],"next":""}`,
		"GET /customers?limit=100": `{"customers":[{"id":301,"externalId":null,"name":"Kea Café","active":true,"shippingAddresses":null,` +
			`"billingAddress":{"line1":"1 High St","country":"New Zealand"},"priceListExternalId":"tier:1"}]}`,
		"GET /price-lists?limit=100":                                `{"priceLists":[{"externalId":"tier:1","name":"Retail","currency":"NZD"}],"next":null}`,
		"GET /price-lists/customer:a%2Fb/prices?limit=100":          `{"prices":[{"productExternalId":"p1","price":"1.0000"}],"next":"p1"}`,
		"GET /price-lists/customer:a%2Fb/prices?after=p1&limit=100": `{"prices":[],"next":null}`,
		"GET /price-lists/loop/prices?limit=100":                    `{"prices":[],"next":"l"}`,
		"GET /price-lists/loop/prices?after=l&limit=100":            `{"prices":[],"next":"l"}`,
		"GET /price-lists/nonsense/prices?limit=100":                `{"rows":[]}`,
		"GET /price-lists/empty/prices?limit=100":                   ``,
	})
	ctx := t.Context()
	var products []upstock.Product
	for p, err := range c.Products(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		products = append(products, p)
	}
	if diff := cmp.Diff([]upstock.Product{
		{ExternalID: "p1", SKU: "A", Name: "Ale", Price: price("7.455"), Status: upstock.Available},
		{ExternalID: "p2"}, {ExternalID: "p3", Price: price("12.5")}}, products); diff != "" {
		t.Error(diff)
	}
	if page, err := c.ProductsPage(ctx, "x", 3); err != nil || page.Next != "" || len(page.Items) != 0 {
		t.Error(page, err)
	}
	for r, err := range c.Customers(ctx) {
		want := upstock.CustomerRecord{ID: 301, Name: "Kea Café", Active: true, PriceListExternalID: "tier:1",
			BillingAddress: &upstock.Address{Line1: "1 High St", Country: "New Zealand"}}
		if diff := cmp.Diff(want, r); diff != "" || err != nil {
			t.Error(diff, err)
		}
	}
	for l, err := range c.PriceLists(ctx) {
		if err != nil || l != (upstock.PriceList{ExternalID: "tier:1", Name: "Retail", Currency: "NZD"}) {
			t.Error(l, err)
		}
	}
	rows := 0
	for p, err := range c.Prices(ctx, "customer:a/b") {
		rows++
		if err != nil || p.ProductExternalID != "p1" || !p.Price.Equal(decimal.NewFromInt(1)) {
			t.Error(p, err)
		}
	}
	if rows != 1 {
		t.Error(rows, "prices")
	}
	for list, want := range map[string]rest.Kind{"loop": rest.Unavailable, "nonsense": rest.Unavailable,
		"empty": rest.Unavailable, "none": rest.NotFound} {
		for p, err := range c.Prices(ctx, list) {
			if rest.KindOf(err) != want {
				t.Error(list, p, err)
			}
		}
	}
	if len(v.lines) != 12 {
		t.Errorf("%d calls: %q", len(v.lines), v.lines)
	}
}

// TestCatalogBodies: a record is written whole, and a price as few digits as it needs.
func TestCatalogBodies(t *testing.T) {
	v, c := newVendor(t, map[string]string{
		"POST /products/batch":                      `{"results":[{"externalId":"p1","id":501,"outcome":"created","error":null}]}`,
		"POST /customers/batch":                     `{"results":[{"externalId":"c1","id":301,"outcome":"unchanged"}]}`,
		"POST /price-lists/tier:1:2.5/prices/batch": `{"results":[{"externalId":"p1","outcome":"updated"},{"externalId":"p2","outcome":"failed","error":"no such product"}]}`,
		"PUT /customers/301/link":                   `{"id":301}`,
		"PUT /price-lists/tier:1:2.5":               `{}`,
		"DELETE /price-lists/tier:1:2.5":            ``,
	})
	ctx := t.Context()
	for _, tt := range []struct {
		call func() (any, error)
		want any
		body string
	}{
		{func() (any, error) {
			return c.PutProducts(ctx, []upstock.Product{{ExternalID: "p1", SKU: "A", Name: "Ale",
				Price: price("7.4550"), Status: upstock.Available}})
		}, []upstock.BatchResult{{ExternalID: "p1", ID: 501, Outcome: upstock.Created}},
			`{"products":[{"externalId":"p1","sku":"A","name":"Ale","description":null,"category":null,"brand":null,"unit":null,` +
				`"barcode":null,"price":"7.4550","imageUrl":null,"status":"available"}]}`},
		{func() (any, error) {
			return c.PutCustomers(ctx, []upstock.CustomerRecord{{ID: 9, ExternalID: "c1", Name: "Kea",
				Email: "a@kea.test", Active: true,
				ShippingAddresses: []upstock.Address{{Line1: "1 High St", Country: "NZ"}}}})
		}, []upstock.BatchResult{{ExternalID: "c1", ID: 301, Outcome: upstock.Unchanged}},
			`{"customers":[{"externalId":"c1","name":"Kea","email":"a@kea.test","phone":null,"contact":null,"billingAddress":null,` +
				`"shippingAddresses":[{"company":"","contact":"","line1":"1 High St","line2":"","city":"","region":"","postcode":"","country":"NZ"}],` +
				`"priceListExternalId":null,"active":true}]}`},
		{func() (any, error) {
			return c.PutPrices(ctx, "tier:1:2.5", []upstock.Price{{"p1", price("12.1485")}, {"p2", price("5")},
				{"p3", nil}})
		}, []upstock.BatchResult{{ExternalID: "p1", Outcome: upstock.Updated},
			{ExternalID: "p2", Outcome: upstock.Failed, Error: "no such product"}},
			`{"prices":[{"productExternalId":"p1","price":"12.1485"},{"productExternalId":"p2","price":"5.00"},{"productExternalId":"p3","price":null}]}`},
		{func() (any, error) { return nil, c.LinkCustomer(ctx, 301, "c1") }, nil, `{"externalId":"c1"}`},
		{func() (any, error) { return nil, c.PutPriceList(ctx, "tier:1:2.5", "Retail −2.5 %", "NZD") }, nil,
			`{"name":"Retail −2.5 %","currency":"NZD"}`},
		{func() (any, error) { return nil, c.DeletePriceList(ctx, "tier:1:2.5") }, nil, ``},
	} {
		got, err := tt.call()
		line := len(v.lines) - 1
		if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", v.lines[line], err, diff)
		}
		if diff := cmp.Diff(tt.body, v.bodies[line]); diff != "" {
			t.Errorf("%s: %s", v.lines[line], diff)
		}
	}
	if err := c.DeletePriceList(ctx, "gone"); rest.KindOf(err) != rest.NotFound {
		t.Error(err)
	}
	// what was written reads as the same record
	in := upstock.CustomerRecord{ExternalID: "c", Name: "Kea", Active: true, ShippingAddresses: []upstock.Address{}}
	var out upstock.CustomerRecord
	text, _ := json.Marshal(in)
	if err := json.Unmarshal(text, &out); err != nil || !cmp.Equal(in, out) {
		t.Error(err, cmp.Diff(in, out))
	}
}

// TestBatchAnswers: a record of which an answer says nothing, two things, or nothing that the contract knows, has no
// result, whatever is said of the others.
func TestBatchAnswers(t *testing.T) {
	sent := []upstock.Price{{"a", nil}, {"b", nil}, {"c", nil}}
	for _, tt := range []struct {
		answer string
		kind   rest.Kind // Other = no error
		want   []string
	}{
		{`{"results":[{"externalId":"c","outcome":"unchanged","id":3},{"externalId":"a","outcome":"created","id":1},` +
			`{"externalId":"b","outcome":"failed","error":null}]}`, rest.Other,
			[]string{"a 1 created ", "b 0 failed Upstock refused it and did not say why.", "c 3 unchanged "}},
		{`{"results":[{"externalId":"a","outcome":"Updated","id":"1"}]}`, rest.Other, []string{"a 1 updated "}},
		{`{"results":[{"externalId":"a","outcome":"created"},{"externalId":"a","outcome":"failed"},` +
			`{"externalId":"b","outcome":"queued"},{"externalId":"d","outcome":"created"},{"externalId":"c"}]}`, rest.Other, nil},
		{`{"results":[{"externalId":"a","outcome":"created"},{"externalId":"a","outcome":"later"}]}`, rest.Other, nil},
		{`{"results":[{"externalId":"a","outcome":"created"},{"externalId":"a","outcome":"created"}]}`, rest.Other,
			[]string{"a 0 created "}},
		{`{"results":[{"externalId":"a","outcome":"updated","id":"x"},null,7,{"externalId":{}},{"externalId":"b","outcome":["created"]}]}`, rest.Other,
			[]string{"a 0 updated "}},
		{`{"results":[]}`, rest.Other, nil},
		{`{"results":null}`, rest.Other, nil},
		{`{"ok":true}`, rest.Unavailable, nil},
		{`{"results":{"a":"created"}}`, rest.Unavailable, nil},
		{``, rest.Unavailable, nil},
		{`<html>`, rest.Unavailable, nil},
	} {
		_, c := newVendor(t, map[string]string{"POST /price-lists/l/prices/batch": tt.answer})
		results, err := c.PutPrices(t.Context(), "l", sent)
		var got []string
		for _, r := range results {
			got = append(got, fmt.Sprint(r.ExternalID, " ", r.ID, " ", r.Outcome, " ", r.Refused()))
		}
		unknown := tt.kind != rest.Other
		if (err != nil) != unknown || unknown && (rest.KindOf(err) != tt.kind || rest.OutcomeOf(err) != rest.Unknown) {
			t.Errorf("%s: %v", tt.answer, err)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.answer, got, tt.want)
		}
	}
	_, c := newVendor(t, nil)
	if _, err := c.PutPrices(t.Context(), "l", sent); rest.KindOf(err) != rest.NotFound ||
		rest.OutcomeOf(err) != rest.Refused {
		t.Error(err)
	}
}

func TestPriceText(t *testing.T) {
	for in, want := range map[string]string{
		"7.4550": "7.4550", "7.455": "7.4550", "7.4500": "7.45", "12": "12.00", "0": "0.00", "0.0001": "0.0001",
		"0.00001": "0.00001", "1e3": "1000.00", "12.1485": "12.1485", "-1.5": "-1.50",
	} {
		if got := upstock.PriceText(decimal.RequireFromString(in)); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
