package cin7core

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/sim"
)

type (
	customersPage struct {
		Total        int
		CustomerList []customer
	}
	productsPage struct {
		Total    int
		Products []product
	}
)

// control calls the control API about the bench's account, and expects 200.
func (b *bench) control(method, path string, body, into any) {
	b.T.Helper()
	b.Want(http.StatusOK, method, "/sim/cin7core/"+path+"?account="+b.Account.Cin7Core.AccountID, body, into)
}

// own are a customer's own prices, by SKU.
func (b *bench) own(id string) string {
	b.T.Helper()
	var page customersPage
	b.core("GET", "/customer?IncludeProductPrices=true&ID="+id, nil, &page)
	var out []string
	for _, p := range page.CustomerList[0].ProductPrices {
		out = append(out, p.ProductSKU+" "+p.Price.String())
	}
	return strings.Join(out, ", ")
}

// TestControlMakesBooks: products and customers are made of partial documents, one or many, and changed; a refused
// request changes nothing.
func TestControlMakesBooks(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true, TinyPages: 3})
	var goods struct{ Items []product }
	b.control("POST", "products", []obj{{"SKU": "NEW-1", "PriceTier2": 7.455, "OnHand": 5,
		"Attachments": []obj{{"FileName": "a b.png", "ContentType": "image/png", "IsDefault": true}}},
		{"Name": "Second", "Sellable": false, "DiscountRule": "Bulk"}}, &goods)
	first, second := goods.Items[0], goods.Items[1]
	if first.ID == "" || first.SKU != "NEW-1" || first.PriceTier2.String() != "7.455" ||
		first.Attachments[0].ID == "" ||
		second.SKU == "" || second.Name != "Second" || second.Sellable || first.Status != active {
		t.Errorf("%+v", goods)
	}
	var stock struct{ ProductAvailabilityList []availability }
	b.core("GET", "/ref/productavailability?ID="+strings.ToUpper(first.ID), nil, &stock)
	if rows := stock.ProductAvailabilityList; len(rows) != 1 || rows[0].Available.String() != "5" {
		t.Errorf("%+v", rows)
	}

	var buyers struct{ Items []customer }
	b.control("POST", "customers", obj{"Name": "Kea Café", "Contacts": []obj{{"Name": "Ana", "Default": true},
		{"Name": "Ben", "Default": true}}, "ProductPrices": []obj{{"ProductID": first.ID, "Price": 5},
		{"ProductSKU": second.SKU, "Price": 0}}}, &buyers)
	kea := buyers.Items[0]
	if kea.Currency != "NZD" || kea.PriceTier != "Wholesale" || kea.Contacts[1].ID == "" ||
		len(kea.ProductPrices) != 2 {
		t.Errorf("%+v", kea)
	}
	path := "/sim/cin7core/customers/" + strings.ToUpper(kea.ID)
	b.Want(200, "PUT", path, obj{"Discount": 2.5, "ProductPrices": []obj{{"ProductID": first.ID, "Price": 4}}}, &kea)
	if got := b.own(kea.ID); got != "NEW-1 4" || kea.Contacts[0].ID != buyers.Items[0].Contacts[0].ID {
		t.Error(got, kea.Contacts)
	}
	for _, bad := range []obj{{"Discount": 9, "ProductPrices": []obj{{"ProductSKU": "?", "Price": 4}}},
		{"Discount": "ten"}} {
		if a := b.Call("PUT", path, bad); a.StatusCode/100 != 4 {
			t.Error(a.Status)
		}
	}
	if x := b.books().customer(kea.ID); x.Discount.String() != "2.5" || b.own(kea.ID) != "NEW-1 4" {
		t.Errorf("%+v", x)
	}
	b.Want(200, "PUT", path, obj{"Comments": "x"}, nil)
	if got := b.own(kea.ID); got != "NEW-1 4" {
		t.Error(got)
	}
	b.Want(200, "PUT", path, obj{"ProductPrices": []obj{}, "PriceTier": nil}, nil)
	if x := b.books().customer(kea.ID); b.own(kea.ID) != "" || x.PriceTier != "" {
		t.Errorf("%+v", x)
	}
	all := len(b.books().Products)
	for _, bad := range []string{`[{"SKU":"A"},{"OnHand":1,"Location":"Nowhere"}]`, `[{"SKU":"A"},7]`, `[`} {
		a := b.Call("POST", "/sim/cin7core/products?account="+b.Account.Cin7Core.AccountID, bad)
		if a.StatusCode/100 != 4 {
			t.Error(a.Status)
		}
	}
	b.control("GET", "products", nil, &goods)
	b.control("GET", "customers", nil, &buyers)
	if len(goods.Items) != all || len(buyers.Items) != 10 {
		t.Error(len(goods.Items), len(buyers.Items))
	}
	b.Want(404, "GET", "/sim/cin7core/products?account=x", nil, nil)
	b.Want(200, "PUT", "/sim/cin7core/products/"+first.ID, obj{"SKU": "NEW-9"}, nil)
	if b.books().productSKU("NEW-1") != nil || b.books().productSKU("NEW-9") == nil {
		t.Error("a product is not found by its new SKU")
	}
	b.Want(200, "PUT", "/sim/cin7core/products/"+first.ID, obj{"PriceTiers": obj{"Retail": 3}}, &first)
	b.Want(200, "PUT", path, obj{"ProductPrices": []obj{{"ProductID": first.ID, "Price": 4}}}, nil)
	b.Want(200, "PUT", path, obj{"ProductPrices": nil}, nil)
	if got := b.own(kea.ID); got != "" || first.PriceTier3.String() != "3" {
		t.Error(got, first.PriceTier3)
	}
	b.Want(200, "PUT", path, obj{"ProductPrices": []obj{{"ProductID": first.ID, "Price": 4}}}, nil)
	b.Want(200, "DELETE", "/sim/cin7core/products/"+first.ID, nil, nil)
	if got := b.own(kea.ID); got != "" || b.books().product(first.ID) != nil || b.books().productSKU("NEW-9") != nil {
		t.Error("a removed product is still there", got)
	}
	b.Want(200, "DELETE", path, nil, nil)
	b.Want(404, "DELETE", path, nil, nil)
}

// TestNestedListsNeedTheirFlag: without it they are empty, not missing; and the link of a file is another in each
// answer.
func TestNestedListsNeedTheirFlag(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true})
	id := b.books().Products[0].ID
	b.Want(200, "PUT", "/sim/cin7core/products/"+id, obj{"Attachments": []obj{{"FileName": "a.png"}},
		"Suppliers": []obj{{"SupplierName": "S"}}}, nil)
	body := string(b.Call("GET", sim.PrefixCin7Core+"/product?ID="+id, nil).Bytes)
	for _, name := range []string{"Suppliers", "ReorderLevels", "BillOfMaterialsProducts", "Movements", "Attachments",
		"CustomPrices"} {
		if !strings.Contains(body, `"`+name+`":[]`) {
			t.Errorf("%s is not empty: %s", name, body)
		}
	}
	who := b.books().Customers[3].ID
	if body := string(b.Call("GET", sim.PrefixCin7Core+"/customer?ID="+who, nil).Bytes); !strings.Contains(body,
		`"ProductPrices":[]`) || b.own(who) != "KWK-100 8.2575" {
		t.Error(body)
	}
	links := map[string]bool{}
	for range 3 {
		var page productsPage
		b.core("GET", "/product?IncludeAttachments=true&IncludeCustomPrices=true&ID="+id, nil, &page)
		p := page.Products[0]
		links[p.Attachments[0].DownloadUrl] = true
		if _, err := url.Parse(p.Attachments[0].DownloadUrl); err != nil || len(p.CustomPrices) != 1 ||
			p.CustomPrices[0].CustomerName != "Southern Lakes Lodge" || len(p.Suppliers) != 0 {
			t.Errorf("%+v, %v", p, err)
		}
	}
	if len(links) != 3 {
		t.Error(links)
	}
}

// TestModifiedSince: what changes a record, or what is its own, shows in the list since then.
func TestModifiedSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, sim.Options{NoLimits: true})
		books := b.books()
		honey, lodge := books.Products[8], books.Customers[3]
		changed := func(act func()) (out []string) {
			t.Helper()
			time.Sleep(time.Second)
			since := "&ModifiedSince=" + time.Now().UTC().Format("2006-01-02T15:04:05.000")
			time.Sleep(time.Second)
			act()
			var cards customersPage
			var goods productsPage
			b.core("GET", "/customer?IncludeDeprecated=true"+since, nil, &cards)
			b.core("GET", "/product?IncludeDeprecated=true"+since, nil, &goods)
			for _, x := range cards.CustomerList {
				out = append(out, x.Name)
			}
			for _, p := range goods.Products {
				out = append(out, p.SKU)
			}
			return out
		}
		price := func(v any) func() {
			return func() {
				b.core("PUT", "/custom-prices", obj{"CustomPrices": []obj{{"CustomerID": lodge.ID,
					"ProductID": honey.ID, "Price": v}}}, nil)
			}
		}
		for _, x := range []struct {
			what string
			act  func()
			want []string
		}{
			{"nothing", func() {}, nil},
			{"own price", price(30), []string{lodge.Name, honey.SKU}},
			{"own price taken away", func() {
				b.core("DELETE", "/custom-prices?CustomerID="+lodge.ID+"&ProductID="+honey.ID, nil, nil)
			}, []string{lodge.Name, honey.SKU}},
			{"no own price taken away", func() {
				b.core("DELETE", "/custom-prices?CustomerID="+lodge.ID+"&ProductID="+honey.ID, nil, nil)
			}, nil},
			{"control", func() { b.Want(200, "PUT", "/sim/cin7core/products/"+honey.ID, obj{"PriceTier1": 9}, nil) },
				[]string{honey.SKU}},
			{"tier", func() { b.control("PUT", "tiers/2", obj{"Name": "Partner"}, nil) },
				[]string{"Bluff & Sons Provedores", "Brisbane Fine Foods"}},
		} {
			if got := changed(x.act); !slices.Equal(got, x.want) {
				t.Errorf("%s: %q, want %q", x.what, got, x.want)
			}
		}
	})
}

// TestTiers: a tier is renamed on the cards as well; where two tiers have one name, products lack the map of names.
func TestTiers(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true})
	tiers := func() (out []string) {
		var got struct{ Items []priceTier }
		b.control("GET", "tiers", nil, &got)
		for _, x := range got.Items {
			out = append(out, x.Name)
		}
		return out
	}
	product := func() string {
		return string(b.Call("GET", sim.PrefixCin7Core+"/product?ID="+b.books().Products[0].ID, nil).Bytes)
	}
	if got := tiers(); len(got) != 10 || got[1] != "Trade" || !strings.Contains(product(), `"PriceTiers":{`) {
		t.Error(got)
	}
	b.control("PUT", "tiers/2", obj{"Name": "Wholesale"}, nil)
	who := b.books().Customers[2]
	if strings.Contains(product(), "PriceTiers") || who.PriceTier != "Wholesale" || tiers()[1] != "Wholesale" {
		t.Error(product(), who.PriceTier)
	}
	b.core("PUT", "/product", obj{"ID": b.books().Products[0].ID, "PriceTier2": 3}, nil)
	b.control("PUT", "tiers/2", obj{"Name": "Trade"}, nil)
	if !strings.Contains(product(), `"Trade":3`) || who.PriceTier != "Wholesale" {
		t.Error(product(), who.PriceTier)
	}
	for path, body := range map[string]any{"tiers/11": obj{"Name": "x"}, "tiers/1": obj{}} {
		a := b.Call("PUT", "/sim/cin7core/"+path+"?account="+b.Account.Cin7Core.AccountID, body)
		if a.StatusCode/100 != 4 {
			t.Error(path, a.Status)
		}
	}
}

// TestCatalogueIsReadInPages: rows move between pages, and a page is not answered, as a fault says.
func TestCatalogueIsReadInPages(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true})
	read := func(path string) (ids []string, total int) {
		t.Helper()
		for n := 1; ; n++ {
			var page struct {
				Total                  int
				Products, CustomerList []struct{ ID string }
			}
			a := b.Call("GET", sim.PrefixCin7Core+path+"?IncludeDeprecated=true&Limit=4&Page="+strconv.Itoa(n), nil)
			if a.StatusCode != http.StatusOK {
				return ids, a.StatusCode
			}
			a.Into(t, &page)
			rows := append(page.Products, page.CustomerList...)
			for _, r := range rows {
				ids = append(ids, r.ID)
			}
			if total = page.Total; len(rows) < 4 {
				return ids, total
			}
		}
	}
	distinct := func(ids []string) int {
		slices.Sort(ids)
		return len(slices.Compact(ids))
	}
	for _, path := range []string{"/product", "/customer"} {
		all, _ := read(path)
		n := len(all)
		for _, x := range []struct {
			how                   string
			rows, distinct, total int
		}{{"gone", n - 1, n - 1, n}, {"come", n + 1, n, n}, {"moved", n, n - 1, n}} {
			if err := b.Fault(sim.Cin7Core, sim.Fault{Match: "GET " + path, Kind: "drift", How: x.how, Skip: 1,
				Times: -1}); err != nil {
				t.Fatal(err)
			}
			got, total := read(path)
			b.ClearFaults(sim.Cin7Core)
			if x.how == "moved" && (len(got) != n || distinct(got) >= n || total != n) {
				t.Errorf("%s %s: %d rows, %d of them different, Total %d of %d", path, x.how, len(got), distinct(got),
					total, n)
			}
			if x.how == "gone" && distinct(got) != n-1 || x.how == "come" && len(got) != n+1 {
				t.Errorf("%s %s: %d rows, %d of them different", path, x.how, len(got), distinct(got))
			}
		}
		if err := b.Fault(sim.Cin7Core, sim.Fault{Match: "GET " + path, Kind: "before", How: "503",
			Skip: 2}); err != nil {
			t.Fatal(err)
		}
		if got, status := read(path); len(got) != 8 || status != http.StatusServiceUnavailable {
			t.Error(path, len(got), status)
		}
		if again, _ := read(path); !slices.Equal(again, all) {
			t.Errorf("%s: %d rows, want %d", path, len(again), n)
		}
	}
}

// TestLargeBooks: thousands of records are made in one call, and found without looking at all.
func TestLargeBooks(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true})
	var goods, buyers []obj
	for i := range 10_000 {
		goods = append(goods, obj{"SKU": fmt.Sprint("S", i), "PriceTier1": "1.25", "OnHand": i % 3})
	}
	var made struct{ Items []struct{ ID, SKU string } }
	b.control("POST", "products", goods, &made)
	if len(made.Items) != 10_000 || made.Items[9_999].SKU != "S9999" || made.Items[9_999].ID == "" {
		t.Fatal(len(made.Items))
	}
	for i := range 2_000 {
		var own []obj
		for j := range 20 {
			own = append(own, obj{"ProductID": made.Items[(i*7+j)%10_000].ID, "Price": "1.1"})
		}
		buyers = append(buyers, obj{"Name": fmt.Sprint("Buyer ", i), "ProductPrices": own})
	}
	b.control("POST", "customers", buyers, nil)
	calls, prices := 0, 0
	for n := 1; ; n++ {
		var page customersPage
		b.core("GET", fmt.Sprint("/customer?Limit=1000&IncludeProductPrices=true&Page=", n), nil, &page)
		calls++
		for _, x := range page.CustomerList {
			prices += len(x.ProductPrices)
		}
		if len(page.CustomerList) < 1000 {
			break
		}
	}
	if calls != 3 || prices != 40_002 {
		t.Error(calls, "calls for", prices, "own prices")
	}
	for i := range 500 {
		var page productsPage
		b.core("GET", "/product?ID="+made.Items[i*20].ID, nil, &page)
		if len(page.Products) != 1 {
			t.Fatal(page)
		}
		b.Want(200, "PUT", "/sim/cin7core/products/"+made.Items[i*20].ID, obj{"PriceTier1": "2"}, nil)
	}
}
