package upstock

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/sim"
	"stockbridge/internal/sim/simtest"
)

type errorBody struct {
	Error struct {
		Code, Message string
		Details       []detail
	}
}

func TestUpstockErrors(t *testing.T) {
	b := newBench(t, sim.Options{})
	o := b.approved()
	placed, err := b.vendor.PlaceOrder(1, "")
	if err != nil {
		t.Fatal(err)
	}
	ship := func(id int) string { return fmt.Sprintf("/orders/%d/shipments/s-1", id) }
	good := obj{"shippedAt": "2031-05-01T03:04:05Z", "complete": false}
	for _, x := range []struct {
		method, path string
		body         any
		status       int
		field        string
	}{
		{"GET", "/orders/1", nil, 404, ""},
		{"GET", "/nowhere", nil, 404, ""},
		{"POST", "/orders", nil, 405, ""},
		{"GET", "/orders?limit=101", nil, 422, "limit"},
		{"GET", "/orders?approvedSince=yesterday", nil, 422, "approvedSince"},
		{"PUT", ship(o.ID), obj{"complete": true}, 422, "shippedAt"},
		{"PUT", ship(o.ID), obj{"shippedAt": "2031-05-01T03:04:05Z"}, 422, "complete"},
		{"PUT", ship(o.ID), simtest.With(obj{"tracking": strings.Repeat("x", 513)}, good), 422, "tracking"},
		{"PUT", ship(o.ID), "{", 422, ""},
		{"PUT", ship(placed.ID), good, 409, ""},
		{"PUT", fmt.Sprintf("/orders/%d/external", o.ID), obj{"system": "other", "number": "1"}, 422, "system"},
		{"PUT", "/customers/301/link", obj{"externalId": *b.books().Customers[1].ExternalID}, 409, ""},
		{"PUT", "/customers/999/link", obj{"externalId": "x"}, 404, ""},
		{"POST", "/products/batch", obj{"products": []obj{}}, 422, "products"},
	} {
		var e errorBody
		b.up(x.method, x.path, x.body, x.status, &e)
		if e.Error.Code == "" || e.Error.Message == "" || x.field != "" &&
			(len(e.Error.Details) != 1 || e.Error.Details[0].Field != x.field) {
			t.Errorf("%s %s: %+v", x.method, x.path, e)
		}
	}
	b.Account.Upstock.Token = "nope"
	b.up("GET", "/supplier", nil, 401, nil)
}

func TestUpstockLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, sim.Options{})
		for range 300 {
			b.up("GET", "/supplier", nil, 200, nil)
		}
		time.Sleep(20 * time.Second)
		a := b.Call("GET", sim.PrefixUpstock+"/supplier", nil)
		if a.StatusCode != 429 || a.Header.Get("Retry-After") != "40" {
			t.Errorf("%v %v", a.Status, a.Header)
		}
		if b.OverLimit(sim.Upstock, "1") != 1 {
			t.Error("not counted")
		}
		time.Sleep(40 * time.Second)
		b.up("GET", "/supplier", nil, 200, nil)
	})
}

func TestUpstockOrderPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, sim.Options{})
		var want []int
		var ids []int
		for range 7 {
			o, err := b.vendor.PlaceOrder(1, "")
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, o.ID)
		}
		var middle time.Time
		for i, n := range []int{4, 0, 6, 2, 3} { // approved in another order than placed
			time.Sleep(time.Minute)
			if i == 2 {
				middle = time.Now()
			}
			if _, err := b.vendor.Approve(ids[n]); err != nil {
				t.Fatal(err)
			}
			want = append(want, ids[n])
		}
		if _, err := b.vendor.Cancel(ids[6]); err != nil {
			t.Fatal(err)
		}
		read := func(query string) (got []int) {
			after := ""
			for {
				var page struct {
					Orders []struct{ ID int }
					Next   *string
				}
				b.up("GET", "/orders?limit=2&"+query+"&after="+url.QueryEscape(after), nil, 200, &page)
				for _, o := range page.Orders {
					got = append(got, o.ID)
				}
				if page.Next == nil {
					return got
				}
				after = *page.Next
			}
		}
		if got := read(""); !slices.Equal(got, append(slices.Clone(want), ids[1], ids[5])) {
			t.Errorf("%v, want %v first", got, want)
		}
		since := "approvedSince=" + middle.UTC().Format(time.RFC3339)
		if got := read(since); !slices.Equal(got, want[2:]) {
			t.Errorf("since inclusive: %v", got)
		}
		if got := read(since + "&status=processing"); !slices.Equal(got, want[3:]) {
			t.Errorf("processing: %v", got)
		}
	})
}

func TestUpstockShipments(t *testing.T) {
	b := newBench(t, sim.Options{})
	o := b.approved()
	path := fmt.Sprintf("/orders/%d/shipments/", o.ID)
	first := obj{"shippedAt": "2031-05-01T03:04:05Z", "carrier": "Overnight Kiwi", "tracking": nil, "complete": false}
	var got order
	for range 2 {
		b.up("PUT", path+"a", first, 200, &got)
	}
	if got.Status != "processing" || len(got.Shipments) != 1 {
		t.Errorf("%+v", got)
	}
	b.up("PUT", path+"b", simtest.With(obj{"tracking": "https://track.example.com/1"},
		obj{"shippedAt": "2031-05-02T03:04:05Z", "complete": true}), 200, &got)
	if got.Status != "shipped" || len(got.Shipments) != 2 ||
		*got.Shipments[1].Tracking != "https://track.example.com/1" {
		t.Errorf("%+v", got)
	}
	b.up("PUT", path+"b", simtest.With(obj{"tracking": "T"},
		obj{"shippedAt": "2031-05-02T03:04:05Z", "complete": true}), 200,
		nil)
	b.up("PUT", path+"c", first, 409, nil)
	if b.up("PUT", path+"a", first, 200, &got); got.Status != "shipped" || len(got.Shipments) != 2 {
		t.Errorf("the same again: %+v", got)
	}
	o = b.approved()
	path = fmt.Sprintf("/orders/%d/shipments/", o.ID)
	b.up("PUT", path+"a", first, 200, nil)
	if _, err := b.vendor.Cancel(o.ID); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b"} {
		var e errorBody
		if b.up("PUT", path+id, first, 409, &e); e.Error.Code != "conflict" {
			t.Errorf("%+v", e)
		}
	}
	b.up("PUT", "/orders/1/shipments/a", first, 404, nil)
	b.up("PUT", path+strings.Repeat("x", 129), first, 422, nil)
}

func TestUpstockBatches(t *testing.T) {
	b := newBench(t, sim.Options{})
	p := b.books().Products[0]
	name := *b.books().Customers[0].Phone
	var out struct{ Results []result }
	outcomes := func() (s string) {
		for _, r := range out.Results {
			s += r.Outcome + " "
		}
		return s
	}
	b.up("POST", "/products/batch", obj{"products": []obj{
		{"externalId": p.ExternalID, "sku": p.SKU, "name": p.Name},
		{"externalId": p.ExternalID, "price": "9.1"},
		{"externalId": "new", "sku": "N", "name": "New", "price": "1.00001"},
		{"externalId": "new", "sku": "N", "name": "New", "price": "1.0001"},
		{"sku": "x"},
	}}, 200, &out)
	if outcomes() != "unchanged updated failed created failed " || *b.books().Products[0].Price != "9.1" {
		t.Error(outcomes())
	}
	b.up("POST", "/customers/batch", obj{"customers": []obj{
		{"externalId": *b.books().Customers[0].ExternalID, "phone": "+64 1", "name": ""},
		{"externalId": *b.books().Customers[0].ExternalID, "phone": name},
		{"externalId": "c-new", "name": "New Face", "priceListExternalId": "tier-1"},
	}}, 200, &out)
	if outcomes() != "failed unchanged failed " {
		t.Error(outcomes())
	}
	b.up("PUT", "/price-lists/tier-1", obj{"name": "Wholesale", "currency": "NZD"}, 200, nil)
	b.up("POST", "/customers/batch", obj{"customers": []obj{
		{"externalId": "c-new", "name": "New Face", "priceListExternalId": "tier-1"}}}, 200, &out)
	if outcomes() != "created " {
		t.Error(outcomes())
	}
	b.up("POST", "/price-lists/tier-1/prices/batch", obj{"prices": []obj{{"productExternalId": p.ExternalID,
		"price": "8.00"}, {"productExternalId": p.ExternalID, "price": "8.00"},
		{"productExternalId": p.ExternalID, "price": nil}, {"productExternalId": "?", "price": "1"}}}, 200, &out)
	if outcomes() != "created unchanged updated failed " {
		t.Error(outcomes())
	}
	b.up("DELETE", "/price-lists/tier-1", nil, 409, nil)
	b.up("POST", "/customers/batch", obj{"customers": []obj{{"externalId": "c-new", "priceListExternalId": nil}}}, 200,
		nil)
	b.up("DELETE", "/price-lists/tier-1", nil, 204, nil)
	b.up("PUT", "/customers/309/link", obj{"externalId": "card-9"}, 200, nil)
	var page struct {
		Customers []customer
		Next      *string
	}
	b.up("GET", "/customers?limit=5&after=304", nil, 200, &page)
	if len(page.Customers) != 5 || page.Customers[0].ID != 305 || page.Next == nil {
		t.Errorf("%+v", page)
	}
}

// TestPlaceOrder tests the defaults of an order, and the contract's totals.
func TestPlaceOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, sim.Options{})
		time.Sleep(time.Until(time.Date(2031, 3, 31, 11, 30, 0, 0, time.UTC))) // half past midnight in Auckland
		place := func(body string) order {
			t.Helper()
			got, err := b.vendor.PlaceOrder(1, body)
			if err != nil {
				t.Fatal(err)
			}
			var o order
			if err := json.Unmarshal(got.JSON, &o); err != nil {
				t.Fatal(err)
			}
			return o
		}
		o := place("{}")
		if o.OrderDate != "2031-04-01" || *o.DeliveryDate != "2031-04-03" || o.OrderNumber != "880001" ||
			o.Reference == nil || o.DeliveryAddress == nil || o.Customer.ExternalID == nil || len(o.Lines) == 0 ||
			o.Currency != "NZD" || o.ApprovedAt != nil {
			t.Errorf("%+v", o)
		}
		up := b.books()
		o = place(`{"customer":{"name":"Southern Lakes Lodge","email":"other@example.com"},"deliveryDate":null,"deliveryAddress":{"line1":"A","country":"NZ"},
			"lines":[{"sku":"KWK-100","quantity":"3"},{"sku":"SLT-SMK","quantity":"3","discountPercent":"12.5","taxRate":"0.00"},{"name":"Odd","sku":"ODD","quantity":"1.5","unitPrice":"0.333"}],
			"freight":{"description":"Courier","amount":"12.50","taxRate":"15.00"}}`)
		if o.DeliveryDate != nil || o.DeliveryAddress.Line1 != "A" || o.DeliveryAddress.Company != nil ||
			o.Lines[0].UnitPrice != "8.2575" || *o.Customer.ExternalID != *b.books().Customers[3].ExternalID ||
			*o.Customer.Email != "other@example.com" || o.Lines[2].ProductExternalID != nil {
			t.Errorf("%+v", o)
		}
		// 24.77 + 3.72; 21.87 (8.3333 × 3 × 0.875 = 21.8749…); 0.50 + 0.08; 12.50 + 1.88
		if o.Totals.Subtotal != "59.64" || o.Totals.Tax != "5.68" || o.Totals.Total != "65.32" {
			t.Errorf("%+v", o.Totals)
		}
		if *up.Customers[3].Email == "other@example.com" {
			t.Error("an order wrote into the books")
		}
		if o = place(`{"totals":null,"customer":{"name":"Nobody We Know"}}`); o.Totals != nil ||
			o.Customer.ExternalID != nil {
			t.Errorf("%+v", o)
		}
		if _, err := b.vendor.PlaceOrder(1, `{"lines":[{"quantity":"many"}]}`); err == nil {
			t.Error("an order that does not add up")
		}
	})
}

// TestRefusedEdit: an edit with one wrong field changes none of the others either.
func TestRefusedEdit(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true})
	o, err := b.vendor.PlaceOrder(1, `{"reference":"PO-1","lines":[{"sku":"KWK-100"}],"customFields":{"Site":"Wharf"}}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{
		`{"reference":"PO-2","customer":{"email":"new@example.com"},"status":7}`,
		`{"customFields":{"Site":"Hill"},"deliveryAddress":{"line1":"1 Hill Road"},"orderDate":false}`,
		`{"lines":[{"sku":"RWR-A","quantity":"many"}]}`,
	} {
		if _, err := b.vendor.Edit(o.ID, body); err == nil {
			t.Errorf("took %s", body)
		}
		if now, err := b.vendor.Order(o.ID); err != nil || string(now.JSON) != string(o.JSON) {
			t.Errorf("%s left %s (%v)", body, now.JSON, err)
		}
	}
}

// TestAnswersKeepTheContract: every name in an order and in the catalogue is in the contract.
func TestAnswersKeepTheContract(t *testing.T) {
	spec, err := os.ReadFile("../../../../shared/vendors/upstock-openapi.yaml")
	if err != nil {
		t.Skip("the contract is not here")
	}
	b := newBench(t, sim.Options{})
	o := b.approved()
	b.up("PUT", fmt.Sprintf("/orders/%d/external", o.ID), obj{"system": "cin7core", "number": "SO-1"}, 200, nil)
	b.up("PUT", "/price-lists/tier:1", obj{"name": "Wholesale", "currency": "NZD"}, 200, nil)
	prices := obj{"prices": []obj{{"productExternalId": b.books().Products[0].ExternalID, "price": "8.90"}}}
	got := map[string][]string{}
	for _, x := range []struct {
		method, path string
		body         any
	}{
		{"GET", fmt.Sprintf("/orders/%d", o.ID), nil}, {"GET", "/products", nil}, {"GET", "/customers", nil},
		{"POST", "/price-lists/tier:1/prices/batch", prices}, {"GET", "/price-lists", nil},
		{"GET", "/price-lists/tier:1/prices", nil},
	} {
		var v any
		b.up(x.method, x.path, x.body, 200, &v)
		simtest.Shape(v, "", got)
	}
	for path := range got {
		name := strings.TrimRight(path[strings.LastIndex(path, ".")+1:], "[]")
		if name != "" && !strings.Contains(string(spec), name+":") {
			t.Errorf("%s is not in the contract", path)
		}
	}
}
