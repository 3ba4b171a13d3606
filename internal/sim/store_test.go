package sim_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/sim"
	"stockbridge/internal/sim/cin7core"
	"stockbridge/internal/sim/simtest"
	"stockbridge/internal/sim/upstock"
	"stockbridge/internal/testsize"
)

// reread returns the whole state that a Sim reads from a file.
func reread(t *testing.T, file []byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, sim.StateFile), file, 0o600); err != nil {
		t.Fatal(err)
	}
	b := reopen(t, sim.Options{Dir: dir, Deliver: &simtest.Inbox{Statuses: []int{200}}})
	defer b.Close()
	return whole(t, b.Sim)
}

// TestChangesAreSaved: at each moment, the snapshot and the changes in the file make the whole state; and a change that
// is not complete in the file counts as not written.
func TestChangesAreSaved(t *testing.T) {
	testsize.Unraced(t)
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		b := newBench(t, sim.Options{Dir: dir, Deliver: &simtest.Inbox{Statuses: []int{200}}, NoLimits: true})
		other := b.AddAccount("Tui Foods", "")
		if _, err := b.upstock.RegisterWebhook(b.Account.Upstock.Supplier, "http://in.test/hook"); err != nil {
			t.Fatal(err)
		}
		b.register("Sale/ShipmentAuthorised")
		place := func(supplier int) int {
			o, err := b.upstock.PlaceOrder(supplier, `{}`)
			if err != nil {
				t.Fatal(err)
			}
			return o.ID
		}
		var sales []string
		var orders []int
		steps := map[string]func(){
			"a: place":   func() { orders = append(orders, place(b.Account.Upstock.Supplier)) },
			"b: other's": func() { _, _ = b.upstock.Approve(place(other.Upstock.Supplier)) },
			"c: approve": func() { _, _ = b.upstock.Approve(orders[0]) },
			"d: sell":    func() { sales = append(sales, b.sell("AUTHORISED")) },
			"e: ship":    func() { b.act(sales[0], "ship", `{"trackingNumber":"T"}`) },
			"f: external": func() {
				b.up("PUT", fmt.Sprintf("/orders/%d/external", orders[0]), obj{"system": "cin7core", "number": "SO-1"},
					200, nil)
			},
			"g: shipment": func() {
				b.up("PUT", fmt.Sprintf("/orders/%d/shipments/x", orders[0]),
					obj{"shippedAt": "2026-03-02T00:00:00Z", "complete": true}, 200, nil)
			},
			"h: void":   func() { b.cin7("DELETE", "/sale?ID="+b.sell("DRAFT")+"&Void=true", nil, nil) },
			"i: edit":   func() { _, _ = b.upstock.Edit(orders[0], `{"reference":"changed"}`) },
			"j: cancel": func() { _, _ = b.upstock.Cancel(place(b.Account.Upstock.Supplier)) },
			"k: copy":   func() { b.act(sales[0], "copy", `{}`) },
			"l: module": func() {
				b.Call("PUT", "/sim/cin7core/accounts/"+other.Cin7Core.AccountID,
					`{"automation":false}`)
			},
			"m: rotate":   func() { _, _ = b.upstock.RotateWebhook(b.Account.Upstock.Supplier) },
			"n: account":  func() { b.AddAccount("Kea Traders", "AUD") },
			"o: messages": func() { b.Quiet() },
			"p: goods":    func() { b.catalogue() },
			"q: prices again": func() {
				b.up("DELETE", "/price-lists/own", nil, 204, nil)
				b.up("PUT", "/price-lists/own", obj{"name": "Own", "currency": "NZD"}, 200, nil)
				b.cin7("DELETE", "/custom-prices?CustomerID="+b.buyerID()+"&ProductID="+b.productID("KWK-500"), nil,
					nil)
			},
			"s: gone": func() {
				b.Want(200, "DELETE", "/sim/cin7core/products/"+b.productID("KWK-500"), nil, nil)
			},
			"r: tier": func() {
				b.Want(200, "PUT", "/sim/cin7core/tiers/1?account="+b.Account.Cin7Core.AccountID, obj{"Name": "New"},
					nil)
			},
		}
		time.Sleep(time.Second)
		var files [][]byte
		names := make([]string, 0, len(steps))
		for c := 'a'; c <= 's'; c++ {
			for name := range steps {
				if rune(name[0]) == c {
					names = append(names, name)
				}
			}
		}
		for _, name := range names {
			steps[name]()
			time.Sleep(time.Second)
			file, err := os.ReadFile(filepath.Join(dir, sim.StateFile))
			if err != nil {
				t.Fatal(err)
			}
			if files = append(files, file); reread(t, file) != whole(t, b.Sim) {
				t.Fatalf("%s: what was saved is not what there is", name)
			}
		}
		// Cut anywhere, the file has the state after one of the steps.
		cuts := 0
		for i, file := range files[:len(files)-1] {
			next := files[i+1]
			if cuts == 6 || !bytes.HasPrefix(next, file) || bytes.Count(next[len(file):], []byte(`{"changes":`)) != 1 {
				continue
			}
			for _, cut := range []int{len(file) + 1, (len(file) + len(next)) / 2, len(next) - 1} {
				if cuts++; reread(t, next[:cut]) != reread(t, file) {
					t.Errorf("after %s: cut at byte %d of %d, the file has a state in between", names[i+1],
						cut-len(file), len(next)-len(file))
				}
			}
		}
		if cuts == 0 {
			t.Error("no step was saved at once")
		}
	})
}

// buyerID is Cin7 Core's id of a customer.
func (b *bench) buyerID() string {
	b.T.Helper()
	var out struct{ CustomerList []struct{ ID string } }
	b.cin7("GET", "/customer?Name="+url.QueryEscape(sim.Buyers()[0].Name), nil, &out)
	return out.CustomerList[0].ID
}

// catalogue changes a record of each kind that the vendors keep of a catalogue.
func (b *bench) catalogue() {
	b.T.Helper()
	product, buyer := b.productID("KWK-500"), b.buyerID()
	b.cin7("PUT", "/product", obj{"ID": product, "PriceTier1": 41}, nil)
	b.cin7("PUT", "/customer", obj{"ID": buyer, "Comments": "changed"}, nil)
	own := obj{"CustomerID": buyer, "ProductID": product, "Price": 39}
	b.cin7("POST", "/custom-prices", obj{"CustomPrices": []obj{own}}, nil)
	b.Want(200, "PUT", "/sim/cin7core/products/"+product, obj{"OnHand": 7}, nil)
	b.up("POST", "/products/batch", obj{"products": []obj{{"externalId": product, "price": "41.00"},
		{"externalId": "new", "sku": "N", "name": "New"}}}, 200, nil)
	b.up("PUT", "/price-lists/own", obj{"name": "Own", "currency": "NZD"}, 200, nil)
	b.up("POST", "/price-lists/own/prices/batch", obj{"prices": []obj{{"productExternalId": product, "price": "39.00"},
		{"productExternalId": "new", "price": "1.00"}}}, 200, nil)
	b.up("POST", "/price-lists/own/prices/batch", obj{"prices": []obj{{"productExternalId": "new", "price": nil}}}, 200,
		nil)
	b.up("POST", "/customers/batch", obj{"customers": []obj{{"externalId": buyer, "phone": "+64 9 555 0199"}}}, 200,
		nil)
}

// TestSavingCostsWhatChanged: the bytes that a change writes do not grow with the state.
func TestSavingCostsWhatChanged(t *testing.T) {
	testsize.Unraced(t)
	written := func(t *testing.T, accounts, orders int) (n int64) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, sim.Options{Dir: t.TempDir(), Deliver: &simtest.Inbox{Statuses: []int{200}},
				NoLimits: true})
			for range accounts - 1 {
				b.AddAccount("", "")
			}
			for range orders {
				if _, err := b.upstock.PlaceOrder(b.Account.Upstock.Supplier, `{}`); err != nil {
					t.Fatal(err)
				}
			}
			if err := b.Save(); err != nil {
				t.Fatal(err)
			}
			for range 10 {
				o, err := b.upstock.PlaceOrder(b.Account.Upstock.Supplier, `{}`)
				if err == nil {
					_, err = b.upstock.Approve(o.ID)
				}
				if err != nil {
					t.Fatal(err)
				}
				b.sell("AUTHORISED")
				time.Sleep(time.Second)
			}
			n = b.Appended()
		})
		return n
	}
	few, many, crowd := written(t, 1, 1), written(t, 1, 3000), written(t, 128, 1)
	t.Logf("ten orders write %d bytes; beside 3,000 others %d; beside 127 other accounts %d", few, many, crowd)
	if few == 0 || many > few+few/10 || crowd > few+few/10 {
		t.Errorf("ten orders write %d bytes; beside 3,000 others %d; beside 127 other accounts %d", few, many, crowd)
	}
}

// TestSavingACatalogueCostsWhatChanged: likewise for products, customers and prices.
func TestSavingACatalogueCostsWhatChanged(t *testing.T) {
	written := func(t *testing.T, records int) (n int64) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, sim.Options{Dir: t.TempDir(), NoLimits: true})
			goods, buyers := make([]obj, records), make([]obj, records)
			for i := range records {
				goods[i] = obj{"SKU": fmt.Sprint("S", i), "OnHand": 1}
				buyers[i] = obj{"Name": fmt.Sprint("Buyer ", i),
					"ProductPrices": []obj{{"ProductSKU": "KWK-100", "Price": 1}}}
			}
			account := "?account=" + b.Account.Cin7Core.AccountID
			b.Want(200, "POST", "/sim/cin7core/products"+account, goods, nil)
			b.Want(200, "POST", "/sim/cin7core/customers"+account, buyers, nil)
			b.Want(200, "POST", "/sim/upstock/products?supplier=1", make([]obj, records), nil)
			b.Want(200, "POST", "/sim/upstock/customers?supplier=1", make([]obj, records), nil)
			if err := b.Save(); err != nil {
				t.Fatal(err)
			}
			b.catalogue()
			time.Sleep(time.Second)
			n = b.Appended()
		})
		return n
	}
	few, many := written(t, 1), written(t, 2000)
	t.Logf("a change of each kind writes %d bytes; beside 2,000 records of each %d", few, many)
	if few == 0 || many > few+few/10 {
		t.Errorf("a change of each kind writes %d bytes; beside 2,000 records of each %d", few, many)
	}
}

func unpack(t *testing.T, name string) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestEarlierStateIsRead: sim.jsonl was written when the simulators were one package. It has a snapshot, five batches
// of changes, and a pending delivery. Read by that code, it gave these answers, and it must give the same now. If an
// answer changes on purpose, write answers.txt.gz again: it is the gzipped result of everything.
func TestEarlierStateIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, sim.StateFile), unpack(t, "sim.jsonl.gz"), 0o600); err != nil {
			t.Fatal(err)
		}
		in := &simtest.Inbox{Statuses: []int{200, 500, 200, 503}}
		b := reopen(t, sim.Options{Dir: dir, Deliver: in, NoLimits: true})
		time.Sleep(5 * time.Hour)
		got, want := bytes.Split(b.everything(), []byte("\n")), bytes.Split(unpack(t, "answers.txt.gz"), []byte("\n"))
		for i := range min(len(got), len(want)) {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("line %d: after %s\n%s\nwant\n%s", i+1, got[max(0, i-1)], got[i], want[i])
			}
		}
		if len(got) != len(want) {
			t.Fatalf("%d lines, want %d", len(got), len(want))
		}
		before := whole(t, b.Sim)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		again := reopen(t, sim.Options{Dir: dir, Deliver: in, NoLimits: true})
		defer again.Close()
		if whole(t, again.Sim) != before {
			t.Error("written and read again, the state is another")
		}
	})
}

// everything returns the answers of the vendors and the control API to all kinds of calls.
func (b *bench) everything() []byte {
	var out bytes.Buffer
	ask := func(method, path string, body any) simtest.Answer {
		b.T.Helper()
		a := b.Call(method, path, body)
		fmt.Fprintf(&out, "%s %s\n%d %s\n", method, path, a.StatusCode, bytes.TrimSpace(a.Bytes))
		return a
	}
	deliveries := func(acc sim.Account) {
		ask("GET", "/sim/cin7core/deliveries?account="+acc.Cin7Core.AccountID, nil)
		ask("GET", fmt.Sprintf("/sim/upstock/deliveries?supplier=%d", acc.Upstock.Supplier), nil)
	}
	ask("GET", "/sim/accounts", nil)
	for _, acc := range b.Accounts() {
		b.Account = acc
		for _, path := range []string{"/supplier", "/orders?limit=100", "/products?limit=100", "/customers?limit=100"} {
			ask("GET", sim.PrefixUpstock+path, nil)
		}
		for _, path := range []string{"/me", "/me/contacts", "/me/addresses", "/ref/priceTier", "/ref/tax",
			"/ref/location",
			"/ref/paymentterm", "/ref/carrier", "/ref/account", "/ref/productavailability?Limit=1000",
			"/customer?IncludeProductPrices=true&IncludeDeprecated=true",
			"/product?IncludeCustomPrices=true&IncludeDeprecated=true",
			"/saleList", "/saleList?ExternalID=upstock:1:120001", "/webhooks"} {
			ask("GET", sim.PrefixCin7Core+path, nil)
		}
		for _, s := range b.core.Sales(acc.Cin7Core.AccountID) {
			ask("GET", sim.PrefixCin7Core+"/sale?ID="+s.ID, nil)
		}
		ask("GET", "/sim/cin7core/sales?account="+acc.Cin7Core.AccountID, nil)
		deliveries(acc)
		o := ask("POST", "/sim/upstock/orders", fmt.Sprintf(`{"supplier":%d}`, acc.Upstock.Supplier))
		var made struct{ ID int }
		json.Unmarshal(o.Bytes, &made)
		ask("POST", fmt.Sprintf("/sim/upstock/orders/%d/approve", made.ID), nil)
	}
	ask("POST", "/sim/accounts", `{"name":"Another"}`)
	b.Quiet()
	for _, acc := range b.Accounts() {
		deliveries(acc)
	}
	return out.Bytes()
}

// TestVendorsComeLater: accounts that were made without vendors get books when the vendors are added, all by the
// catalogue that one of them keeps.
func TestVendorsComeLater(t *testing.T) {
	dir := t.TempDir()
	s, err := sim.New(sim.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	s.AddAccount("Harbour Roasters", "")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	up := upstock.New()
	if s, err = sim.New(sim.Options{Dir: dir}, up, cin7core.New(cin7core.Options{})); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := up.PlaceOrder(1, ""); err != nil {
		t.Error(err)
	}
}

// TestUpstockAlone: without a vendor that keeps a catalogue, an account sells from the lists of package sim.
func TestUpstockAlone(t *testing.T) {
	up := upstock.New()
	s, err := sim.New(sim.Options{}, up)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.AddAccount("Harbour Roasters", "")
	if o, err := up.PlaceOrder(1, ""); err != nil || o.Total == "" {
		t.Errorf("%+v, %v", o, err)
	}
}
