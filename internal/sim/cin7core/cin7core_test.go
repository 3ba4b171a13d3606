package cin7core

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/sim"
	"stockbridge/internal/sim/simtest"
)

func TestCoreCredentials(t *testing.T) {
	b := newBench(t, sim.Options{})
	wrong := func() {
		t.Helper()
		a := b.Call("GET", sim.PrefixCin7Core+"/me", nil)
		if a.StatusCode != 403 || string(a.Bytes) != "Incorrect credentials!" ||
			strings.Contains(a.Header.Get("Content-Type"), "json") {
			t.Errorf("%v %s", a.Status, a.Bytes)
		}
	}
	key := b.Account.Cin7Core.ApplicationKey
	b.Account.Cin7Core.ApplicationKey = "nope"
	wrong()
	b.Account.Cin7Core.ApplicationKey = key
	path := "/sim/cin7core/accounts/" + b.Account.Cin7Core.AccountID
	b.Call("PUT", path, `{"revoked":true}`)
	wrong()
	b.Call("PUT", path, `{"revoked":false,"applicationKey":"new"}`)
	wrong()
	b.Account.Cin7Core.ApplicationKey = "new"
	b.core("GET", "/me", nil, nil)
	b.Account.Cin7Core.AccountID = ""
	wrong()
}

func TestCorePathsAndVerbs(t *testing.T) {
	b := newBench(t, sim.Options{})
	b.core("GET", "/ME", nil, nil)
	var out struct{ Products []product }
	b.core("GET", "/Product?SKU=kwk-100&typo=x", nil, &out)
	if len(out.Products) != 1 || out.Products[0].SKU != "KWK-100" {
		t.Errorf("%+v", out)
	}
	if a := b.Call("GET", "/cin7core/externalapi/v2/me", nil); a.StatusCode != 200 {
		t.Error(a.Status)
	}
	if a := b.Call("PUT", sim.PrefixCin7Core+"/sale/order", "{}"); a.StatusCode != 405 {
		t.Error(a.Status)
	}
	if a := b.Call("GET", sim.PrefixCin7Core+"/sales", nil); a.StatusCode != 302 ||
		a.Header.Get("Location") != pageNotFound {
		t.Error(a.Status, a.Header)
	}
	if a := b.Call("POST", sim.PrefixCin7Core+"/sale", "{"); a.StatusCode != 500 {
		t.Error(a.Status)
	}
}

func TestCoreLimitSlides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, sim.Options{})
		get := func() int { return b.Call("GET", sim.PrefixCin7Core+"/me", nil).StatusCode }
		for i := range 60 {
			if s := get(); s != 200 {
				t.Fatalf("call %d: %d", i, s)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if s := get(); s != 503 {
			t.Errorf("call 61: %d", s)
		}
		time.Sleep(54 * time.Second) // the first call is a minute old
		if s := get(); s != 200 {
			t.Errorf("after a minute: %d", s)
		}
		if s := get(); s != 503 {
			t.Errorf("and again: %d", s)
		}
		if n := b.OverLimit(sim.Cin7Core, b.Account.Cin7Core.AccountID); n != 2 {
			t.Errorf("%d over the limit", n)
		}
		other := b.AddAccount("Other", "")
		b.Account = other
		if s := get(); s != 200 {
			t.Errorf("another account: %d", s)
		}
	})
}

func TestCoreLists(t *testing.T) {
	b := newBench(t, sim.Options{TinyPages: 3})
	var seen []string
	for n := 1; ; n++ {
		var out struct {
			Total, Page int
			Products    []product
		}
		b.core("GET", fmt.Sprintf("/product?Page=%d&Limit=1000", n), nil, &out)
		if out.Total != len(sim.Goods())-1 || out.Page != n {
			t.Fatalf("%+v", out)
		}
		if len(out.Products) == 0 {
			break
		}
		for _, p := range out.Products {
			seen = append(seen, p.SKU)
		}
	}
	if len(seen) != len(sim.Goods())-1 {
		t.Errorf("%d products without the deprecated one", len(seen))
	}
	books := b.books()
	count := func(query string) int {
		t.Helper()
		var out struct{ Total int }
		b.core("GET", query, nil, &out)
		return out.Total
	}
	since := func(s stamp, d time.Duration) string { return s.Add(d).Format("2006-01-02T15:04:05.000") }
	changed := books.Customers[0].LastModifiedOn
	for query, want := range map[string]int{
		"/customer":                                                    8,
		"/customer?IncludeDeprecated=true":                             9,
		"/customer?ID=" + books.Customers[2].ID:                        1,
		"/customer?Name=bluff":                                         1,
		"/customer?Name=sons":                                          0,
		"/customer?ContactFilter=sina":                                 1,
		"/customer?ContactFilter=sina@totarastreet.example":            1,
		"/customer?ModifiedSince=" + since(changed, 0):                 0,
		"/customer?ModifiedSince=" + since(changed, -time.Millisecond): 8,
		"/product?Sku=rwr-a":                                           2,
		"/product?Name=honey":                                          4,
		"/ref/tax?IsTaxForSale=true&IsActive=true":                     2,
		"/ref/tax?Name=GST":                                            3,
		"/ref/location?Deprecated=false":                               2,
		"/ref/paymentterm?IsActive=true":                               2,
		"/ref/productavailability?Sku=KWK-100&Location=Main+Warehouse": 1,
	} {
		if got := count(query); got != want {
			t.Errorf("%s: %d, want %d", query, got, want)
		}
	}
	b.refused("GET", "/ref/account?Code=nope", nil, "Account with specified ID not found")
	var out struct{ CustomerList []customer }
	b.core("GET", "/customer?IncludeProductPrices=true&Name=Bluff", nil, &out)
	if ps := out.CustomerList[0].ProductPrices; len(ps) != 1 || ps[0].ProductSKU != "HNY-MNK" ||
		ps[0].Price.String() != "31.5" {
		t.Errorf("%+v", ps)
	}
}

func TestCoreSaleIsChecked(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true})
	books := b.books()
	with := func(change obj) obj { return simtest.With(header(books.Customers[0]), change) }
	long := strings.Repeat("é", 257)
	for _, x := range []struct {
		change obj
		want   string
	}{
		{obj{"CustomerID": nil}, "Required attribute Customer is not provided."},
		{obj{"CustomerID": zeroGUID}, "was not found"},
		{obj{"CustomerID": nil, "Customer": "Nobody"}, "Customer 'Nobody' was not found"},
		{obj{"CustomerID": books.Customers[6].ID}, "deprecated"},
		{obj{"CustomerID": books.Customers[1].ID, "Location": nil}, "Required attribute Location is not provided."},
		{obj{"Location": "Old Woolshed"}, "Location 'Old Woolshed' was not found"},
		{obj{"Location": "Nowhere"}, "Location 'Nowhere' was not found"},
		{obj{"Terms": "cash"}, "Active payment term with name cash was not found in Payment Terms reference book"},
		{obj{"Terms": "Cash"}, "Active payment term with name Cash was not found in Payment Terms reference book"},
		{obj{"TaxRule": "GST on Expenses"}, "Tax rule"},
		{obj{"TaxRule": "GST on Income (to 2010)"}, "Tax rule"},
		{obj{"PriceTier": "Tier 99"}, "Price tier"},
		{obj{"SalesRepresentative": "Aroha Tait"}, "was not found in Company Contacts reference book"},
		{obj{"Carrier": "Pigeon"}, "Carrier 'Pigeon'"},
		{obj{"CustomerID": books.Customers[7].ID}, "Required attribute CurrencyRate is not provided."},
		{obj{"CustomerReference": long}, "CustomerReference exceeds 256"},
		{obj{"ShippingAddress": obj{"Line1": "x"}}, "Required attribute Country is not provided."},
		{obj{"ShippingAddress": obj{"Country": "x"}}, "Required attribute Line1 is not provided."},
		{obj{"ShippingAddress": obj{"ID": books.Customers[1].Addresses[0].ID}}, "was not found for customer"},
		{obj{"ShippingAddress": obj{"Line1": "x", "Country": "y", "Postcode": strings.Repeat("1", 21),
			"ShipToOther": true}}, "Postcode exceeds 20"},
		{obj{"SaleType": "Odd"}, "SaleType"},
		{obj{"ShipBy": "soon"}, "ShipBy"},
		{obj{"SkipQuote": "maybe"}, "SkipQuote"},
	} {
		b.refused("POST", "/sale", with(x.change), x.want)
	}
	for _, change := range []obj{
		{"CustomerID": nil, "Customer": books.Customers[3].Name, "Location": nil},
		{"CustomerID": books.Customers[7].ID, "CurrencyRate": "1.08123"},
		{"CustomerReference": strings.Repeat("é", 256)},
		{"ExternalID": "upstock:1:120001"},    // need not be unique
		{"CustomerID": books.Customers[5].ID}, // on hold, which stops only authorisation
		{"ShipBy": "2031-02-03T11:30:00+13:00"},
	} {
		b.core("POST", "/sale", with(change), nil)
	}
	rows := b.list("")
	if rows[0].ShipBy != "2031-02-02T00:00:00" {
		t.Errorf("ShipBy %s: a time with a zone is not converted to UTC", rows[0].ShipBy)
	}
	for _, lock := range []string{"31/03/2040", "2040-03-31T00:00:00"} {
		b.Call("PUT", "/sim/cin7core/me?account="+b.Account.Cin7Core.AccountID, obj{"LockDate": lock})
		b.refused("POST", "/sale", with(obj{"SaleOrderDate": "2040-03-30"}), "lock date")
		b.core("POST", "/sale", with(obj{"SaleOrderDate": "2040-03-31"}), nil)
	}
}

func TestCoreSaleDefaultsAndAddresses(t *testing.T) {
	b := newBench(t, sim.Options{})
	books := b.books()
	lodge := books.Customers[3]
	var x sale
	b.core("POST", "/sale", obj{"CustomerID": lodge.ID}, &x)
	if x.Location != sim.SecondStore || x.Terms != "20th of the month" || x.PriceTier != "Wholesale" ||
		x.TaxRule != "GST on Income" || x.Contact != "Olive Tanner" || x.Email != "kitchen@southernlakes.example" ||
		x.BillingAddress.Line1 != "200 Lakefront Drive" ||
		x.ShippingAddress.ID != lodge.Addresses[1].ID || x.CurrencyRate.String() != "1" || x.Status != "DRAFT" ||
		x.SkipQuote {
		t.Errorf("%+v", x)
	}
	n := len(lodge.Addresses)
	to := obj{"Line1": "9 Jetty Lane", "City": "Queenstown", "Country": "New Zealand", "ShipToOther": true,
		"Company": "Lodge", "ID": "ignored"}
	b.core("POST", "/sale", obj{"CustomerID": lodge.ID, "ShippingAddress": to}, &x)
	if len(lodge.Addresses) != n || x.ShippingAddress.DisplayAddressLine2 != "Queenstown New Zealand" ||
		!x.ShippingAddress.ShipToOther {
		t.Errorf("%+v", x.ShippingAddress)
	}
	delete(to, "ID")
	to["ShipToOther"] = false
	b.core("POST", "/sale", obj{"CustomerID": lodge.ID, "ShippingAddress": to}, &x)
	b.core("POST", "/sale", obj{"CustomerID": lodge.ID, "ShippingAddress": to}, &x)
	if len(lodge.Addresses) != n+1 || lodge.Addresses[n].Line1 != "9 Jetty Lane" {
		t.Errorf("an unknown address makes one of the card: %+v", lodge.Addresses[n:])
	}
	b.core("PUT", "/sale", obj{"ID": x.ID, "Note": "by the shed"}, &x)
	if x.Note != "by the shed" || x.ShippingAddress.Line1 != "9 Jetty Lane" || x.Terms == "" {
		t.Errorf("%+v", x)
	}
}

func TestCoreOrderIsChecked(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true})
	books := b.books()
	by := func(sku string) *product { return books.productSKU(sku) }
	var x sale
	b.core("POST", "/sale", header(books.Customers[0]), &x)
	good := func() obj { return row(by("KWK-100"), "3", "8.90", "4.01", "26.70") }
	with := func(change obj) obj { return simtest.With(good(), change) }
	for _, c := range []struct {
		line obj
		want string
	}{
		{with(obj{"ProductID": nil}), "Required attribute ProductID is not provided."},
		{with(obj{"ProductID": zeroGUID}), "was not found"},
		{with(obj{"ProductID": nil, "SKU": "kwk-100"}), "Product 'kwk-100' was not found"},
		{with(obj{"SKU": "KWK-500"}), "was not found"},
		{with(obj{"ProductID": by("CHC-55").ID}), "deprecated"},
		{with(obj{"ProductID": by("DSP-STD").ID}), "not sellable"},
		{with(obj{"ProductID": by("FREIGHT").ID}), "service"},
		{with(obj{"ProductID": by("HMP-XMS").ID}), "Required attribute DropShip is not provided."},
		{with(obj{"Quantity": 0.5}), "Quantity minimal value is 1"},
		{with(obj{"Price": nil}), "Required attribute Price is not provided."},
		{with(obj{"Price": 8.90001}), "Price"},
		{with(obj{"Discount": 10.001}), "Discount"},
		{with(obj{"Discount": 101}), "Discount"},
		{with(obj{"Tax": nil}), "Required attribute Tax is not provided."},
		{with(obj{"TaxRule": nil}), "Required attribute TaxRule is not provided."},
		{with(obj{"TaxRule": "GST"}), "Tax rule 'GST' was not found"},
		{with(obj{"Comment": strings.Repeat("x", 257)}), "Comment exceeds 256"},
		{with(obj{"Total": 26.71}), "attribute 'Total' doesn't match calculated value. Expected value is: 26.70"},
		{with(obj{"Total": 30.71}), "Expected value is: 26.70"}, // tax included
		{with(obj{"Tax": 15}), "attribute 'Tax' doesn't match"},
	} {
		b.refused("POST", "/sale/order", obj{"SaleID": x.ID, "Status": "DRAFT", "Lines": []obj{good(), c.line}}, c.want)
	}
	for _, c := range []struct {
		body obj
		want string
	}{
		{obj{"Status": "DRAFT"}, "Required attribute SaleID is not provided."},
		{obj{"SaleID": zeroGUID, "Status": "DRAFT"}, "was not found"},
		{obj{"SaleID": x.ID}, "Required attribute Status is not provided."},
		{obj{"SaleID": x.ID, "Status": "VOIDED"}, "Status"},
		{obj{"SaleID": x.ID, "Status": "AUTHORISED"}, "Required attribute Lines is not provided."},
		{obj{"SaleID": x.ID, "Status": "DRAFT", "AutoPickPackShipMode": "ALL"}, "AutoPickPackShipMode"},
		{obj{"SaleID": x.ID, "Status": "DRAFT", "AdditionalCharges": []obj{{"Description": "Postage", "Price": 1,
			"Quantity": 1, "Tax": 0.15, "TaxRule": "GST on Income"}}}, "Service product 'Postage'"},
	} {
		b.refused("POST", "/sale/order", c.body, c.want)
	}
	if s := b.vendor.Sales(b.Account.Cin7Core.AccountID)[0]; s.Lines != 0 || s.Status != "ESTIMATED" {
		t.Errorf("a refused order left something: %+v", s)
	}
	// Half a cent, a discount rounded in the unit price, a SKU alone, a total left out.
	lines := []obj{good(), with(obj{"Discount": 33.33, "Total": 17.801, "Tax": 2.67}),
		with(obj{"ProductID": nil, "SKU": "RWR-a", "Total": nil}),
		with(obj{"ProductID": by("HMP-XMS").ID, "DropShip": "true"})}
	charge := obj{"Description": "Freight", "Price": 12.5, "Quantity": 1, "Tax": 1.88, "TaxRule": "GST on Income"}
	var doc orderDoc
	b.core("POST", "/sale/order", obj{"SaleID": x.ID, "Status": "DRAFT", "Lines": lines,
		"AdditionalCharges": []obj{charge}}, &doc)
	if doc.TotalBeforeTax.String() != "110.4" || doc.Tax.String() != "16.58" || doc.Total.String() != "126.98" ||
		doc.SaleOrderNumber != "SO-00001" {
		t.Errorf("%v %v %v", doc.TotalBeforeTax, doc.Tax, doc.Total)
	}
	b.core("POST", "/sale/order", obj{"SaleID": x.ID, "Status": "AUTHORISED", "Lines": []obj{good()}},
		nil) // replaces a draft
	b.refused("POST", "/sale/order", obj{"SaleID": x.ID, "Status": "AUTHORISED", "Lines": []obj{good()}}, "AUTHORISED")
	b.core("POST", "/sale", header(books.Customers[5]), &x)
	b.core("POST", "/sale/order", obj{"SaleID": x.ID, "Status": "DRAFT", "Lines": []obj{good()}}, nil)
	b.refused("POST", "/sale/order", obj{"SaleID": x.ID, "Status": "AUTHORISED", "Lines": []obj{good()}}, "credit hold")
	b.core("POST", "/sale", simtest.With(header(books.Customers[0]), obj{"SkipQuote": false}), &x)
	b.refused("POST", "/sale/order", obj{"SaleID": x.ID, "Status": "DRAFT", "Lines": []obj{good()}},
		"quote is not AUTHORISED")
	b.core("POST", "/sale/quote", obj{"SaleID": x.ID, "Status": "AUTHORISED", "Lines": []obj{good()}}, nil)
	b.core("POST", "/sale/order", obj{"SaleID": x.ID, "Status": "DRAFT", "Lines": []obj{good()}}, nil)
}

func TestCoreTaxOnTheTotal(t *testing.T) {
	b := newBench(t, sim.Options{})
	p := b.books().Products[0]
	line := row(p, "1", "0.10", "0.02", "0.10") // 15 % of 0.10 is 0.015
	for _, x := range []struct {
		method, tax string
		body        obj
		total       string
	}{
		{"Row Total", "0.06", obj{}, "0.36"},
		{"Total", "0.05", obj{}, "0.35"},
	} {
		b.Call("PUT", "/sim/cin7core/me?account="+b.Account.Cin7Core.AccountID, obj{"TaxCalculationMethod": x.method})
		var s sale
		b.core("POST", "/sale", header(b.books().Customers[0]), &s)
		var doc orderDoc
		b.core("POST", "/sale/order", obj{"SaleID": s.ID, "Status": "DRAFT", "Lines": []obj{line, line, line}}, &doc)
		if doc.Tax.String() != x.tax || doc.Total.String() != x.total {
			t.Errorf("%s: %v %v", x.method, doc.Tax, doc.Total)
		}
	}
	var s sale
	b.core("POST", "/sale", simtest.With(header(b.books().Customers[0]), obj{"TaxInclusive": true}), &s)
	var doc orderDoc
	b.core("POST", "/sale/order", obj{"SaleID": s.ID, "Status": "DRAFT",
		"Lines": []obj{row(p, "1", "11.50", "1.50", "11.50")}}, &doc)
	if doc.TotalBeforeTax.String() != "10" || doc.Tax.String() != "1.5" || doc.Total.String() != "11.5" {
		t.Errorf("%v %v %v", doc.TotalBeforeTax, doc.Tax, doc.Total)
	}
}

func TestCoreAuthorisation(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true})
	books := b.books()
	tea, short := books.productSKU("KWK-100"), books.productSKU("BSC-OAT")
	place := func(customer *customer, saleType, mode string, lines ...obj) sale {
		t.Helper()
		var x sale
		b.core("POST", "/sale", simtest.With(header(customer), obj{"SaleType": saleType}), &x)
		b.core("POST", "/sale/order", obj{"SaleID": x.ID, "Status": "AUTHORISED", "AutoPickPackShipMode": mode,
			"Lines": lines}, nil)
		x = sale{}
		b.core("GET", "/sale?ID="+strings.ToUpper(b.list("")[0].SaleID), nil, &x)
		return x
	}
	line := row(tea, "2", "8.90", "2.67", "17.80")
	for _, c := range []struct{ kind, mode, status, pick, pack, ship string }{
		{"Simple", "NOPICK", "ORDERED", "NOT PICKED", "NOT PACKED", "NOT SHIPPED"},
		{"Simple", "AUTOPICK", "PICKED", "PICKED", "NOT PACKED", "NOT SHIPPED"},
		{"Simple", "AUTOPICKPACK", "PACKED", "PICKED", "PACKED", "NOT SHIPPED"},
		{"Simple", "AUTOPICKPACKSHIP", "INVOICING", "PICKED", "PACKED", "SHIPPED"},
		{"Advanced", "AUTOPICKPACKSHIP", "ORDERED", "NOT PICKED", "NOT PACKED", "NOT SHIPPED"},
	} {
		x := place(books.Customers[0], c.kind, c.mode, line)
		if x.Status != c.status || x.CombinedPickingStatus != c.pick || x.CombinedPackingStatus != c.pack ||
			x.CombinedShippingStatus != c.ship {
			t.Errorf("%+v: %s %s %s %s", c, x.Status, x.CombinedPickingStatus, x.CombinedPackingStatus,
				x.CombinedShippingStatus)
		}
		if c.kind == "Simple" && (len(x.Fulfilments) != 1 || x.Fulfilments[0].TaskID != x.ID) {
			t.Errorf("%+v", x.Fulfilments)
		}
	}
	if row := books.stockOf(tea.ID, sim.MainWarehouse); row.OnHand.String() != "3998" || row.Allocated.String() != "8" {
		t.Errorf("stock %+v", row)
	}
	x := place(books.Customers[0], "Simple", "AUTOPICKPACKSHIP", line, row(short, "3", "18.60", "8.37", "55.80"))
	if x.Status != "BACKORDERED" || x.Order.Lines[1].BackorderQuantity.String() != "3" ||
		x.CombinedPickingStatus != "NOT PICKED" {
		t.Errorf("%s %+v", x.Status, x.Order.Lines)
	}
	var undone sale
	b.core("DELETE", "/sale?ID="+x.ID, nil, &undone)
	if undone.Status != "ORDERING" || undone.Order.Status != "DRAFT" || len(undone.Order.Lines) != 2 {
		t.Errorf("%s %+v", undone.Status, undone.Order)
	}
	b.core("DELETE", "/sale?ID="+x.ID+"&Void=true", nil, &undone)
	if undone.Status != "VOIDED" || b.list("")[0].Status != "VOIDED" {
		t.Errorf("%s", undone.Status)
	}
	b.refused("DELETE", "/sale?ID="+x.ID+"&Void=true", nil, "already voided")
	if row := books.stockOf(tea.ID, sim.MainWarehouse); row.Allocated.String() != "8" {
		t.Errorf("stock %+v", row)
	}

	b.Call("PUT", "/sim/cin7core/me?account="+b.Account.Cin7Core.AccountID, obj{"AutomaticallyApplyDiscounts": true})
	x = place(books.Customers[2], "Simple", "", line) // has 5 %
	if l := x.Order.Lines[0]; l.Discount.String() != "5" || l.Total.String() != "16.91" ||
		x.Order.Total.String() != "19.45" {
		t.Errorf("%+v %v", l, x.Order.Total)
	}
}

func TestSaleListFilters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, sim.Options{NoLimits: true})
		made := time.Now()
		one := b.sell("DRAFT")
		time.Sleep(time.Hour)
		two := b.sell("AUTHORISED")
		time.Sleep(time.Hour)
		if _, err := b.vendor.Sale(one, "void", "{}"); err != nil {
			t.Fatal(err)
		}
		at := func(d time.Duration) string { return made.Add(d).UTC().Format("2006-01-02T15:04:05.000") }
		for query, want := range map[string]string{
			"":                                  two + " " + one,
			"ExternalID=upstock:1:120001":       two + " " + one,
			"ExternalID=upstock:1:12000":        "",
			"ExternalID=":                       "",
			"externalid=UPSTOCK:1:120001":       "",
			"Search=po-1":                       two + " " + one,
			"Search=SO-00002":                   two,
			"Status=VOIDED":                     one,
			"OrderStatus=AUTHORISED":            two,
			"CombinedPickStatus=NOT+PICKED":     two,
			"CombinedPickingStatus=NOT+PICKED":  two + " " + one, // not a parameter
			"UpdatedSince=" + at(time.Hour+1e6): one,             // two was written twice in one instant
			"UpdatedSince=" + at(time.Hour):     two + " " + one,
			"UpdatedUntil=" + at(time.Hour+1e6): two,
			"CreatedSince=" + at(0):             two,
			"CreatedSince=" + at(time.Hour):     "",
			"Limit=1&Page=2":                    one,
		} {
			var got []string
			for _, row := range b.list(query) {
				got = append(got, row.SaleID)
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%q: %v, want %v", query, got, want)
			}
		}
		if err := b.Fault(sim.Cin7Core, sim.Fault{Match: "GET /saleList", Kind: "stale",
			Seconds: 90 * 60}); err != nil {
			t.Fatal(err)
		}
		if rows := b.list(""); len(rows) != 1 || rows[0].Status != "ORDERING" {
			t.Errorf("an hour and a half ago: %+v", rows)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, sim.Options{UpdatedLag: 90 * time.Second})
		b.sell("DRAFT")
		if len(b.list("")) != 0 {
			t.Error("listed without lag")
		}
		time.Sleep(90 * time.Second)
		if len(b.list("")) != 1 {
			t.Error("not listed after the lag")
		}
	})
}

func TestCustomerAndProductWrites(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true})
	books := b.books()
	make := func(change obj) obj {
		return simtest.With(obj{"Name": "Moana Stores", "Currency": "NZD", "PaymentTerm": "7 days",
			"TaxRule":           "GST on Income",
			"AccountReceivable": "610", "RevenueAccount": "200", "Status": "Active", "PriceTier": "Retail",
			"Contacts": []obj{{"Name": "Tia", "Default": true}}}, change)
	}
	b.refused("POST", "/customer", make(obj{"Currency": ""}), "Required attribute Currency is not provided.")
	b.refused("POST", "/customer", make(obj{"PaymentTerm": "cash"}),
		"Active payment term with name cash was not found in Payment Terms reference book")
	b.refused("POST", "/customer", make(obj{"AccountReceivable": "200"}), "Account with specified ID not found")
	b.refused("POST", "/customer", make(obj{"Name": "harbourside GROCERS"}), "already exists")
	var out struct{ CustomerList []customer }
	b.core("POST", "/customer", make(nil), &out)
	x := out.CustomerList[0]
	if x.ID == "" || x.Contacts[0].ID == "" {
		t.Errorf("%+v", x)
	}
	b.core("PUT", "/customer", obj{"ID": x.ID, "Comments": "nice",
		"Contacts": []obj{{"ID": x.Contacts[0].ID, "Name": "Tia R"}, {"Name": "Ben"}}}, &out)
	if y := out.CustomerList[0]; y.Comments != "nice" || len(y.Contacts) != 2 || y.Contacts[0].Name != "Tia R" ||
		y.PriceTier != "Retail" {
		t.Errorf("%+v", y)
	}
	b.refused("PUT", "/product", obj{"ID": books.Products[0].ID, "SKU": "KWK-500"}, `SKU "KWK-500" already exists`)
	var prod struct{ Products []product }
	b.core("PUT", "/product", obj{"ID": books.Products[0].ID, "PriceTier2": "9.5555", "PriceTiers": obj{"Retail": 20}},
		&prod)
	if p := prod.Products[0]; p.PriceTier2.String() != "9.5555" || p.PriceTier3.String() != "20" ||
		p.PriceTiers["Trade"].String() != "9.5555" || p.SKU != "KWK-100" {
		t.Errorf("%+v", p)
	}
	var errs struct{ Errors []string }
	b.core("POST", "/custom-prices", obj{"CustomPrices": []obj{{"CustomerID": x.ID, "ProductSKU": "KWK-100",
		"Price": 7},
		{"CustomerID": x.ID, "ProductSKU": "?", "Price": 7}}}, &errs)
	if len(errs.Errors) != 1 || books.price(books.customer(x.ID), books.Products[0]).String() != "7" {
		t.Errorf("%+v", errs)
	}
	b.core("DELETE", "/custom-prices?CustomerID="+x.ID+"&ProductID="+books.Products[0].ID, nil, nil)
	if books.price(books.customer(x.ID), books.Products[0]).String() != "20" {
		t.Error("the custom price is still there")
	}
}

// TestSaleActions tests what people do at Cin7 Core.
func TestSaleActions(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true})
	act := func(id, do, body string) sale {
		t.Helper()
		raw, err := b.vendor.Sale(id, do, body)
		if err != nil {
			t.Fatal(err)
		}
		var x sale
		into(t, raw, &x)
		return x
	}
	id := b.sell("DRAFT")
	x := act(id, "ship", `{"of":["A","B"],"boxes":["A"],"trackingNumber":"T1","carrier":"Overnight Kiwi"}`)
	f := x.Fulfilments[0]
	if x.CombinedShippingStatus != "PARTIALLY SHIPPED" || f.Ship.Status != partlyAuthorised ||
		f.Ship.Lines[0].Boxes != "A" ||
		len(f.Pack.Lines) != 2 || x.Status != "SHIPPING" {
		t.Errorf("%s %+v", x.CombinedShippingStatus, f)
	}
	x = act(id, "ship", `{"trackingNumber":"T2"}`)
	if x.CombinedShippingStatus != "SHIPPED" || x.CombinedTrackingNumbers != "T1,T2" ||
		len(x.Fulfilments[0].Ship.Lines) != 2 || x.FulFilmentStatus != "FULFILLED" {
		t.Errorf("%+v", x)
	}
	if x = act(id, "tracking", `{"trackingNumber":"T9","shipment":1}`); x.CombinedTrackingNumbers != "T9,T2" {
		t.Error(x.CombinedTrackingNumbers)
	}
	if _, err := b.vendor.Sale(id, "ship", "{}"); err == nil {
		t.Error("shipped twice")
	}
	if x = act(id, "complete", "{}"); x.Status != "COMPLETED" || x.CombinedInvoiceStatus != "INVOICED" ||
		x.CombinedPaymentStatus != "PAID" {
		t.Errorf("%s %s %s", x.Status, x.CombinedInvoiceStatus, x.CombinedPaymentStatus)
	}
	twin := act(id, "copy", "{}")
	if twin.ID == id || twin.ExternalID != x.ExternalID || twin.Order.SaleOrderNumber != "SO-00002" ||
		twin.Status != "ORDERING" {
		t.Errorf("%+v", twin)
	}
	if twin = act(twin.ID, "lines", "{}"); twin.Order.Lines[0].Quantity.String() != "3" ||
		twin.Order.Total.String() != "30.71" {
		t.Errorf("%+v", twin.Order)
	}
	if twin = act(twin.ID, "lines", `{"lines":[{"sku":"KWK-500","quantity":1}]}`); len(twin.Order.Lines) != 1 ||
		twin.Order.Lines[0].SKU != "KWK-500" {
		t.Errorf("%+v", twin.Order)
	}
	if twin = act(twin.ID, "undo", "{}"); twin.Status != "ESTIMATED" || len(twin.Order.Lines) != 0 {
		t.Errorf("%+v", twin.Order)
	}
	if twin = act(twin.ID, "void", "{}"); twin.Status != "VOIDED" {
		t.Error(twin.Status)
	}
	// An advanced sale is shipped in parts.
	var adv sale
	b.core("POST", "/sale", simtest.With(header(b.books().Customers[0]), obj{"SaleType": "Advanced"}), &adv)
	b.core("POST", "/sale/order", obj{"SaleID": adv.ID, "Status": "AUTHORISED",
		"Lines": []obj{row(b.books().Products[0], "4", "1", "0.60", "4"),
			row(b.books().Products[1], "1", "1", "0.15", "1")}}, nil)
	adv = act(adv.ID, "ship", `{"lines":[{"sku":"KWK-100","quantity":3}]}`)
	adv = act(adv.ID, "ship", `{}`)
	if len(adv.Fulfilments) != 2 || adv.Fulfilments[0].TaskID == adv.ID || adv.CombinedShippingStatus != "SHIPPED" ||
		len(adv.Fulfilments[1].Pick.Lines) != 2 {
		t.Errorf("%+v", adv.Fulfilments)
	}
	if row := b.books().stockOf(b.books().Products[0].ID, sim.MainWarehouse); row.OnHand.String() != "3994" ||
		!row.Allocated.IsZero() {
		t.Errorf("stock %+v", row)
	}
}

func TestControlBooks(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true})
	if a := b.Call("PUT", "/sim/cin7core/customers/"+zeroGUID, "{}"); a.StatusCode != http.StatusNotFound {
		t.Error(a.Status)
	}
	books := b.books()
	b.Call("PUT", "/sim/cin7core/customers/"+books.Customers[2].ID,
		`{"SalesRepresentative":null,"IsOnCreditHold":true}`)
	if x := books.Customers[2]; x.SalesRepresentative != "" || !x.IsOnCreditHold || x.Name == "" {
		t.Errorf("%+v", x)
	}
	b.Call("PUT", "/sim/cin7core/products/"+books.Products[0].ID, `{"OnHand":1,"PriceTier1":1.5}`)
	if books.stockOf(books.Products[0].ID, sim.MainWarehouse).OnHand.String() != "1" ||
		books.Products[0].PriceTier1.String() != "1.5" {
		t.Error("not merged")
	}
	b.Call("PUT", "/sim/cin7core/taxes/"+books.Taxes[0].ID, `{"IsActive":false}`)
	b.Call("PUT", "/sim/cin7core/contacts?account="+b.Account.Cin7Core.AccountID, `[]`)
	if books.Taxes[0].IsActive || len(books.Contacts) != 0 {
		t.Error("not merged")
	}
	id := b.sellZero()
	var sums struct{ Items []SaleSummary }
	b.Call("GET", "/sim/cin7core/sales?account="+b.Account.Cin7Core.AccountID, nil).Into(t, &sums)
	if len(sums.Items) != 1 || sums.Items[0].ID != id || sums.Items[0].Total != "17.80" {
		t.Errorf("%+v", sums)
	}
	if a := b.Call("POST", "/sim/cin7core/sales/"+id+"/ship", nil); a.StatusCode != http.StatusOK {
		t.Errorf("%s", a.Bytes)
	}
	if a := b.Call("GET", "/sim/cin7core/sales/"+id, nil); !strings.Contains(string(a.Bytes),
		`"CombinedShippingStatus":"SHIPPED"`) {
		t.Errorf("%s", a.Bytes)
	}
}

// sellZero is sell with zero-rated tax.
func (b *bench) sellZero() string {
	b.T.Helper()
	var x sale
	b.core("POST", "/sale", simtest.With(header(b.books().Customers[0]), obj{"TaxRule": "Zero Rated Income"}), &x)
	l := simtest.With(row(b.books().Products[0], "2", "8.90", "0", "17.80"), obj{"TaxRule": "Zero Rated Income"})
	b.core("POST", "/sale/order", obj{"SaleID": x.ID, "Status": "DRAFT", "Lines": []obj{l}}, nil)
	return x.ID
}
