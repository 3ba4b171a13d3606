package upstock

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"stockbridge/internal/sim"
)

// outcomes are the outcomes of a batch, and what failed items say.
func (b *bench) outcomes(path string, body any) (out []string) {
	b.T.Helper()
	var answer struct{ Results []result }
	b.up("POST", path, body, 200, &answer)
	for _, r := range answer.Results {
		if out = append(out, r.Outcome); r.Error != nil {
			out[len(out)-1] += ": " + *r.Error
		}
	}
	return out
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// prices reads the prices of a list, page by page.
func (b *bench) prices(list string) (out []string) {
	b.T.Helper()
	for after := ""; ; {
		var page struct {
			Prices []listedPrice
			Next   *string
		}
		b.up("GET", "/price-lists/"+list+"/prices?limit=2&after="+url.QueryEscape(after), nil, 200, &page)
		for _, p := range page.Prices {
			out = append(out, p.Product[:4]+" "+*p.Price)
		}
		if page.Next == nil {
			return out
		}
		after = *page.Next
	}
}

// TestPriceLists: a list and its prices are told, listed, read page by page, and removed once nobody has it.
func TestPriceLists(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true})
	var ids []string
	for _, p := range b.books().Products[:5] {
		ids = append(ids, p.ExternalID)
	}
	slices.Sort(ids)
	list := "tier:1:2.5"
	for _, body := range []obj{{"name": "Trade", "currency": "NZD"}, {"name": "Trade − 2.5 %", "currency": "NZD"}} {
		b.up("PUT", "/price-lists/"+list, body, 200, nil)
	}
	b.up("PUT", "/price-lists/none", obj{"name": "No price", "currency": "NZD"}, 200, nil)
	for _, bad := range []obj{{"name": "", "currency": "NZD"}, {"name": "x", "currency": "Dollar"},
		{"name": strings.Repeat("ā", 257), "currency": "NZD"}} {
		b.up("PUT", "/price-lists/x", bad, 422, nil)
	}
	b.up("PUT", "/price-lists/"+strings.Repeat("x", 129), obj{"name": "x", "currency": "NZD"}, 422, nil)

	var lists struct {
		PriceLists []priceList
		Next       *string
	}
	b.up("GET", "/price-lists?limit=1", nil, 200, &lists)
	if len(lists.PriceLists) != 1 || lists.PriceLists[0].Name != "Trade − 2.5 %" || lists.Next == nil {
		t.Errorf("%+v", lists)
	}
	b.up("GET", "/price-lists?limit=1&after="+*lists.Next, nil, 200, &lists)
	if lists.PriceLists[0].ExternalID != "none" || lists.Next != nil {
		t.Errorf("%+v", lists)
	}

	price := func(id string, v any) obj { return obj{"productExternalId": id, "price": v} }
	same(t, b.outcomes("/price-lists/"+list+"/prices/batch", obj{"prices": []obj{price(ids[2], "12.1485"),
		price(ids[0], "7.4550"), price(ids[1], "1.00001"), price(ids[1], 5), price(ids[1], "-1"), price("?", "1"),
		price(ids[4], "1"), price(ids[4], nil), price(ids[4], nil), price(ids[0], "7.4550"), {"price": "1"}}}),
		"created", "created", "failed: price is not a decimal", "failed: price is not a decimal",
		"failed: price is not a decimal", "failed: no such product", "created", "updated", "unchanged", "unchanged",
		"failed: productExternalId is required")
	b.outcomes("/price-lists/"+list+"/prices/batch", obj{"prices": []obj{price(ids[3], "0")}})
	same(t, b.prices(list), ids[0][:4]+" 7.4550", ids[2][:4]+" 12.1485", ids[3][:4]+" 0")
	if got := b.prices("none"); got != nil {
		t.Error(got)
	}
	b.up("GET", "/price-lists/nobody/prices", nil, 404, nil)
	b.up("POST", "/price-lists/nobody/prices/batch", obj{"prices": []obj{price(ids[0], "1")}}, 404, nil)
	b.up("POST", "/price-lists/"+list+"/prices/batch", obj{"prices": make([]obj, 501)}, 422, nil)

	who := *b.books().Customers[0].ExternalID
	assign := func(list any) string {
		x := obj{"externalId": who, "priceListExternalId": list}
		return b.outcomes("/customers/batch", obj{"customers": []obj{x}})[0]
	}
	if got := assign("nobody"); got != "failed: priceListExternalId is of no price list" {
		t.Error(got)
	}
	assign(list)
	b.up("DELETE", "/price-lists/"+list, nil, 409, nil)
	assign(nil)
	b.up("DELETE", "/price-lists/"+list, nil, 204, nil)
	b.up("DELETE", "/price-lists/"+list, nil, 404, nil)
	b.up("PUT", "/price-lists/"+list, obj{"name": "Anew", "currency": "NZD"}, 200, nil)
	if got := b.prices(list); got != nil {
		t.Errorf("a list that was made anew has %q", got)
	}
}

// TestRecordsAreChecked: an item of a batch that does not fit fails alone.
func TestRecordsAreChecked(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true})
	long := strings.Repeat("ū", 257)
	product := func(change obj) obj {
		out := obj{"externalId": "p", "sku": "P", "name": "P"}
		for k, v := range change {
			out[k] = v
		}
		return out
	}
	same(t, b.outcomes("/products/batch", obj{"products": []any{product(obj{"name": long}),
		product(obj{"name": long[:512]}), product(obj{"status": "sold"}), product(obj{"imageUrl": "a picture"}),
		product(obj{"sku": ""}), product(obj{"price": "1.23456"}), product(obj{"name": 7}),
		product(obj{"description": long + long, "imageUrl": "https://files.test/a.png", "price": nil}), "x"}}),
		"failed: name is longer than 256", "created", "failed: status is unknown",
		"failed: imageUrl is not a URL", "failed: sku and name are required", "failed: price is not a decimal",
		"failed: the item has a field of the wrong type", "updated", "failed: externalId is required")
	same(t, b.outcomes("/customers/batch", obj{"customers": []obj{{"externalId": "c", "name": ""},
		{"externalId": strings.Repeat("c", 129), "name": "C"}, {"externalId": "c", "name": "C", "email": long},
		{"externalId": "c", "name": "C", "billingAddress": obj{"line1": long}},
		{"externalId": "c", "name": "C", "active": false, "billingAddress": obj{"line1": "1 High St"}}}}),
		"failed: name is required", "failed: externalId is longer than 128",
		"failed: email is longer than 256", "failed: line1 is longer than 256", "created")
	b.up("POST", "/products/batch", obj{"products": make([]obj, 101)}, 422, nil)
	b.up("POST", "/products/batch", obj{"products": "x"}, 422, nil)
}

// TestRefusedItems: single items fail as the control API says, until it takes that back or they failed often enough.
func TestRefusedItems(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true})
	p, q := b.books().Products[0].ExternalID, b.books().Products[1].ExternalID
	b.up("PUT", "/price-lists/a", obj{"name": "A", "currency": "NZD"}, 200, nil)
	b.up("PUT", "/price-lists/b", obj{"name": "B", "currency": "NZD"}, 200, nil)
	send := func() []string {
		got := b.outcomes("/products/batch", obj{"products": []obj{{"externalId": p}, {"externalId": q}}})
		for _, list := range []string{"a", "b"} {
			got = append(got, b.outcomes("/price-lists/"+list+"/prices/batch",
				obj{"prices": []obj{{"productExternalId": p, "price": nil}}})...)
		}
		return got
	}
	refuse := func(items ...obj) { b.Want(200, "PUT", "/sim/upstock/refuse?supplier=1", obj{"items": items}, nil) }
	refuse(obj{"records": "products", "externalId": p, "error": "The name is not allowed.", "times": 1},
		obj{"records": "prices", "list": "b"})
	const never = "failed: This record cannot be saved"
	same(t, send(), "failed: The name is not allowed.", "unchanged", "unchanged", never)
	same(t, send(), "unchanged", "unchanged", "unchanged", never)
	refuse()
	same(t, send(), "unchanged", "unchanged", "unchanged", "unchanged")
	refuse(obj{"externalId": q, "silent": true}) // it takes effect, and nothing is said of it
	same(t, b.outcomes("/products/batch", obj{"products": []obj{{"externalId": p}, {"externalId": q, "price": "1"}}}),
		"unchanged")
	refuse()
	same(t, b.outcomes("/products/batch", obj{"products": []obj{{"externalId": q, "price": "1"}}}), "unchanged")
	b.Want(400, "PUT", "/sim/upstock/refuse?supplier=1", obj{"items": []obj{{"records": "orders"}}}, nil)
	b.Want(404, "PUT", "/sim/upstock/refuse?supplier=9", obj{}, nil)
}

// TestControlCatalogue: what a supplier had before it was connected is made and changed without the API's checks, and
// everything is shown in one answer.
func TestControlCatalogue(t *testing.T) {
	b := newBench(t, sim.Options{TinyPages: 2, NoLimits: true})
	var made struct{ Items []customer }
	b.Want(200, "POST", "/sim/upstock/customers?supplier=1", []obj{{"name": "Kea Café", "email": "a@kea.test"}, {}},
		&made)
	if len(made.Items) != 2 || made.Items[0].ID != 310 || made.Items[0].ExternalID != nil ||
		made.Items[1].Name != "Customer 311" {
		t.Errorf("%+v", made)
	}
	var one customer
	b.Want(200, "PUT", "/sim/upstock/customers/310?supplier=1", obj{"email": nil, "externalId": "c-1"}, &one)
	if one.Email != nil || one.Name != "Kea Café" {
		t.Errorf("%+v", one)
	}
	b.up("PUT", "/customers/311/link", obj{"externalId": "c-1"}, 409, nil)
	var all struct{ Items []obj }
	b.Want(200, "GET", "/sim/upstock/customers?supplier=1", nil, &all)
	if len(all.Items) != 11 {
		t.Error(len(all.Items))
	}
	b.Want(200, "POST", "/sim/upstock/products?supplier=1", obj{"sku": "OWN", "price": "1.00"}, nil)
	b.Want(200, "GET", "/sim/upstock/products?supplier=1", nil, &all)
	if n := len(all.Items); all.Items[n-1]["sku"] != "OWN" || n != 26 {
		t.Error(all.Items[n-1], n)
	}
	b.up("PUT", "/price-lists/a", obj{"name": "A", "currency": "NZD"}, 200, nil)
	id := b.books().Products[0].ExternalID
	b.outcomes("/price-lists/a/prices/batch", obj{"prices": []obj{{"productExternalId": id, "price": "8.5"}}})
	all.Items = nil
	b.Want(200, "GET", "/sim/upstock/price-lists?supplier=1", nil, &all)
	if got := fmt.Sprint(all.Items); got != "[map[currency:NZD externalId:a name:A prices:map["+id+":8.5]]]" {
		t.Error(got)
	}
	for path, status := range map[string]int{"/sim/upstock/products?supplier=2": 404, "/sim/upstock/orders": 405} {
		b.Want(status, "GET", path, nil, nil)
	}
	b.Want(404, "PUT", "/sim/upstock/products/9999?supplier=1", obj{}, nil)
	b.Want(400, "POST", "/sim/upstock/products?supplier=1", "[{}, 7]", nil)
	b.Want(200, "GET", "/sim/upstock/products?supplier=1", nil, &all)
	if len(all.Items) != 26 {
		t.Error("a refused list left something behind")
	}
}

// TestLargeCatalogue: the cost of a call does not grow with the catalogue, so a large one is told in seconds.
func TestLargeCatalogue(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true})
	const products, customers, lists = 20_000, 5_000, 2_000
	batches := func(path, name string, n, of int, item func(i int) obj) {
		t.Helper()
		for i := 0; i < n; i += of {
			var items []obj
			for j := i; j < min(i+of, n); j++ {
				items = append(items, item(j))
			}
			for _, o := range b.outcomes(path, obj{name: items}) {
				if o != "created" {
					t.Fatal(path, i, o)
				}
			}
		}
	}
	batches("/products/batch", "products", products, 100, func(i int) obj {
		return obj{"externalId": fmt.Sprint("p", i), "sku": fmt.Sprint("S", i), "name": fmt.Sprint("Product ", i),
			"price": "1.25"}
	})
	for i := range lists {
		b.up("PUT", fmt.Sprint("/price-lists/l", i), obj{"name": fmt.Sprint("List ", i), "currency": "NZD"}, 200, nil)
	}
	batches("/customers/batch", "customers", customers, 100, func(i int) obj {
		return obj{"externalId": fmt.Sprint("c", i), "name": fmt.Sprint("Customer ", i),
			"priceListExternalId": fmt.Sprint("l", i%lists)}
	})
	batches("/price-lists/l0/prices/batch", "prices", products, 500, func(i int) obj {
		return obj{"productExternalId": fmt.Sprint("p", i), "price": "1.1"}
	})
	seen := 0
	for after := ""; ; {
		var page struct {
			Prices []listedPrice
			Next   string
		}
		b.up("GET", "/price-lists/l0/prices?limit=100&after="+after, nil, 200, &page)
		if seen += len(page.Prices); page.Next == "" {
			break
		}
		after = page.Next
	}
	if seen != products {
		t.Error(seen, "prices")
	}
	b.up("DELETE", "/price-lists/l1999", nil, 409, nil)
	for range 100 {
		if _, err := b.vendor.PlaceOrder(1, `{"customer":{"name":"Customer 7"}}`); err != nil {
			t.Fatal(err)
		}
	}
}
