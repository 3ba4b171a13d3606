package sim_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"stockbridge/internal/sim"
)

// TestControlAPI tests the routes of the core, and those of Upstock beside them.
func TestControlAPI(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true})
	var made sim.Account
	a := b.Call("POST", "/sim/accounts", `{"name":"Another","currency":"aud"}`)
	a.Into(t, &made)
	if made.Upstock.Supplier != 2 || made.Currency != "AUD" || made.Cin7Core.AccountID == "" ||
		made.Cin7Omni.Key == "" || made.JOOR.Token == "" {
		t.Errorf("%s", a.Bytes)
	}
	var list struct{ Items []json.RawMessage }
	b.Call("GET", "/sim/accounts", nil).Into(t, &list)
	if len(list.Items) != 2 {
		t.Error(len(list.Items))
	}
	b.Want(200, "POST", "/sim/accounts", `{"empty":true}`, &made)
	if made.Upstock.Supplier != 3 || made.Name != "Supplier 3" {
		t.Errorf("%+v", made)
	}
	var o struct {
		ID        int
		Status    string
		Reference *string
		Lines     []struct{ ProductExternalID *string }
		Totals    *struct{}
	}
	b.Call("POST", "/sim/upstock/orders",
		`{"supplier":1,"reference":"R-1","lines":[{"sku":"RWR-A","quantity":"2"}]}`).Into(t, &o)
	if *o.Reference != "R-1" || *o.Lines[0].ProductExternalID != b.productID("RWR-A") || o.Totals == nil {
		t.Errorf("%+v", o)
	}
	path := fmt.Sprintf("/sim/upstock/orders/%d", o.ID)
	b.Call("POST", path+"/approve", nil).Into(t, &o)
	if o.Status != "processing" {
		t.Error(o.Status)
	}
	for _, x := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", path + "/approve", "", 409},
		{"POST", path + "/burn", "", 404},
		{"GET", "/sim/upstock/orders/1", "", 404},
		{"POST", path + "/cancel", "", 200},
		{"POST", "/sim/upstock/orders", `{"supplier":9}`, 400},
		{"POST", "/sim/cin7core/faults", `{"match":"POST /sale","kind":"after","times":2}`, 200},
		{"GET", "/sim/cin7core/faults", "", 200},
		{"DELETE", "/sim/cin7core/faults", "", 200},
		{"POST", "/sim/cin7core/faults", `{"kind":"?"}`, 400},
		{"GET", "/sim/upstock/calls?account=1", "", 200},
		{"GET", "/sim/upstock/deliveries?supplier=1", "", 200},
		{"PUT", "/sim/upstock/accounts/1", `{"token":"t2"}`, 200},
		{"POST", "/sim/upstock/webhooks/rotate", `{"supplier":1}`, 400},
	} {
		if got := b.Call(x.method, x.path, x.body); got.StatusCode != x.status {
			t.Errorf("%s %s: %d %s", x.method, x.path, got.StatusCode, got.Bytes)
		}
	}
	if a := b.Call("GET", sim.PrefixUpstock+"/supplier", nil); a.StatusCode != 401 {
		t.Error("the old token still works")
	}
}

// productID returns Cin7 Core's id of a product.
func (b *bench) productID(sku string) string {
	b.T.Helper()
	var out struct{ Products []struct{ ID, SKU string } }
	b.cin7("GET", "/product?Sku="+sku, nil, &out)
	for _, p := range out.Products {
		if p.SKU == sku {
			return p.ID
		}
	}
	b.T.Fatalf("no product %s", sku)
	return ""
}
