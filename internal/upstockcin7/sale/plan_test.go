package sale

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/ledger"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
)

var updatePlans = flag.Bool("update", false, "rewrite golden files")

// baseCase is an order that becomes a sale without a word; cases change one
// thing or two of it.
const baseCase = `{
"order": {
  "id": 4711, "orderNumber": "880123", "status": "processing", "reference": "PO-77", "orderDate": "2026-03-10", "deliveryDate": "2026-03-12",
  "approvedAt": "2026-03-10T02:00:00Z", "currency": "NZD",
  "customer": {"id": 5, "name": "Kōwhai Café", "externalId": "C0000000-0000-4000-8000-000000000001", "email": "orders@kowhai.example.com"},
  "deliveryAddress": null, "customFields": {}, "comments": [],
  "lines": [
    {"id": 1, "productExternalId": "A0000000-0000-4000-8000-000000000001", "sku": "TEA-1", "name": "Tea", "quantity": "3", "unitPrice": "12.5000", "discountPercent": "10", "taxRate": "15.00", "comment": null},
    {"id": 2, "productExternalId": null, "sku": "CUP-1", "name": "Cup", "quantity": "2.5", "unitPrice": "4.20", "taxRate": "0", "comment": "blue"}
  ],
  "freight": null, "totals": null
},
"settings": {},
"ref": {
  "Supplier": 42, "Live": false, "Link": "",
  "Books": {
    "Me": {"Currency": "NZD", "TaxCalculationMethod": "Row Total", "LockDate": null, "MaximumDecimalPlacesInQuantity": "N2"},
    "Locations": [
      {"ID": "10000000-0000-4000-8000-000000000001", "Name": "Main Warehouse", "IsDefault": true},
      {"ID": "10000000-0000-4000-8000-000000000002", "Name": "Back Shed", "IsDefault": false},
      {"ID": "10000000-0000-4000-8000-000000000003", "Name": "Old Barn", "IsDeprecated": true},
      {"ID": "10000000-0000-4000-8000-000000000004", "Name": "Bin 7", "ParentID": "10000000-0000-4000-8000-000000000001"}],
    "TaxRules": [
      {"Name": "GST on Income", "IsActive": true, "TaxPercent": 15, "IsTaxForSale": true},
      {"Name": "Zero Rated", "IsActive": true, "TaxPercent": 0, "IsTaxForSale": true},
      {"Name": "GST on Expenses", "IsActive": true, "TaxPercent": 15, "IsTaxForSale": false},
      {"Name": "Old GST", "IsActive": false, "TaxPercent": 12.5, "IsTaxForSale": true}],
    "PaymentTerms": [{"Name": "20th of next month", "IsActive": true}, {"Name": "7 days", "IsActive": false}],
    "Contacts": [{"Name": "API Sales", "Type": "Sale"}, {"Name": "Hana Whaanga", "Type": "Sale"}, {"Name": "Bill Ing", "Type": "Billing"}],
    "Carriers": [{"Description": "Fast Freight"}],
    "PriceTiers": [{"Code": 1, "Name": "Wholesale"}]
  },
  "Customers": [
    {"ID": "c0000000-0000-4000-8000-000000000001", "Name": "Kōwhai Café", "Currency": "NZD", "PaymentTerm": "20th of next month", "TaxRule": "GST on Income",
     "Carrier": "Fast Freight", "PriceTier": "Wholesale", "SalesRepresentative": "Hana Whaanga", "Location": null, "Status": "Active",
     "Contacts": [{"Name": "Rua", "Email": "Orders@Kowhai.example.com"}],
     "Addresses": [
       {"ID": "d0000000-0000-4000-8000-000000000001", "Line1": "1 Tui Street", "City": "Taupō", "Postcode": "3330", "Country": "New Zealand", "Type": "Billing", "DefaultForType": true},
       {"ID": "d0000000-0000-4000-8000-000000000002", "Line1": "2 Quay Street", "City": "Auckland", "Postcode": "1010", "Country": "New Zealand", "Type": "Shipping", "DefaultForType": true},
       {"ID": "d0000000-0000-4000-8000-000000000003", "Line1": "3 Lake Road", "Line2": "Unit 4", "City": "Taupō", "Postcode": "3330", "Country": "New Zealand", "Type": "Shipping"},
       {"ID": "d0000000-0000-4000-8000-000000000004", "Line1": "4 Lake Road", "City": "Taupō", "Postcode": "3332", "Country": "New Zealand", "Type": "Shipping"}]}
  ],
  "Products": [
    {"ID": "a0000000-0000-4000-8000-000000000001", "SKU": "TEA-1", "Name": "Tea", "Type": "Stock", "Status": "Active", "Sellable": true},
    {"ID": "a0000000-0000-4000-8000-000000000002", "SKU": "CUP-1", "Name": "Cup", "Type": "Stock", "Status": "Active", "Sellable": true},
    {"ID": "a0000000-0000-4000-8000-000000000009", "SKU": "FRT", "Name": "Freight out", "Type": "Service", "Status": "ACTIVE", "Sellable": true}
  ]
}}`

const (
	card      = "c0000000-0000-4000-8000-000000000001"
	tea       = "a0000000-0000-4000-8000-000000000001"
	otherCard = `{"ID":"c0000000-0000-4000-8000-000000000002","Name":"%s","Currency":"NZD","Status":"%s","Contacts":[{"Email":"%s"}]}`
)

// given reads the base case with changes: each a path, = and JSON; + as the
// last step of a path appends.
func given(t testing.TB, changes ...string) (upstock.Order, []upstock.FieldError, Settings, Reference) {
	t.Helper()
	var doc any
	if err := json.Unmarshal([]byte(baseCase), &doc); err != nil {
		t.Fatal(err)
	}
	for _, change := range changes {
		path, text, _ := strings.Cut(change, "=")
		var value any
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			t.Fatalf("%s: %v", change, err)
		}
		doc = put(doc, strings.Split(path, "."), value)
	}
	part := func(name string) []byte {
		b, err := json.Marshal(doc.(map[string]any)[name])
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	o, faults := upstock.ParseOrder(part("order"))
	s := DefaultSettings()
	if err := tenant.Parse(part("settings"), &s); err != nil {
		t.Fatal(err)
	}
	var ref Reference
	if err := rest.Unmarshal(part("ref"), &ref); err != nil {
		t.Fatal(err)
	}
	return o, faults, s, ref
}

func put(doc any, path []string, value any) any {
	if len(path) == 0 {
		return value
	}
	switch d := doc.(type) {
	case []any:
		if path[0] == "+" {
			return append(d, value)
		}
		i, _ := strconv.Atoi(path[0])
		d[i] = put(d[i], path[1:], value)
		return d
	case map[string]any:
		d[path[0]] = put(d[path[0]], path[1:], value)
		return d
	}
	return put(map[string]any{}, path, value)
}

// look finds a value in a plan's JSON.
func look(doc any, path string) string {
	for step := range strings.SplitSeq(path, ".") {
		switch d := doc.(type) {
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(d) {
				return "none"
			}
			doc = d[i]
		case map[string]any:
			doc = d[step]
		default:
			return "none"
		}
	}
	b, _ := json.Marshal(doc)
	return strings.Trim(string(b), `"`)
}

func codes(problems []ledger.Problem) []string {
	var c []string
	for _, p := range problems {
		code := p.Code
		if p.Line > 0 {
			code += fmt.Sprintf("@%d", p.Line)
		}
		c = append(c, code)
	}
	return c
}

func names(wants []Want) []string {
	var n []string
	for _, w := range wants {
		n = append(n, strings.TrimSuffix(w.Kind+":"+w.ID+w.SKU+w.Name+w.Email, ":"))
	}
	return n
}

var planCases = []struct {
	name     string
	given    []string
	problems []string // codes, @ and their line
	wants    []string // kind:key
	says     []string // what Said holds, or problems' messages
	plan     []string // path=value
}{
	{name: "plain", plan: []string{
		"header.ExternalID=upstock:42:4711", "header.CustomerID=" + card, "customerId=" + card, "linkCustomer=null",
		"header.CustomerReference=PO-77",
		"header.SaleOrderDate=2026-03-10T00:00:00Z", "header.ShipBy=2026-03-12T00:00:00Z", "header.ShippingNotes=",
		"header.Location=Main Warehouse",
		"header.SalesRepresentative=Hana Whaanga", "header.SkipQuote=true", "header.TaxInclusive=false",
		"header.SaleType=Simple", "header.TaxRule=",
		"header.ShippingAddress.ID=d0000000-0000-4000-8000-000000000002",
		"header.BillingAddress.ID=d0000000-0000-4000-8000-000000000001",
		"order.Status=DRAFT", "order.AutoPickPackShipMode=NOPICK", "order.Lines.0.ProductID=" + tea,
		"order.Lines.0.Total=33.75", "order.Lines.0.Tax=5.06",
		"order.Lines.0.TaxRule=GST on Income", "order.Lines.0.DropShip=false", "order.Lines.1.SKU=CUP-1",
		"order.Lines.1.TaxRule=Zero Rated",
		"order.Lines.1.Comment=blue", "order.AdditionalCharges=null", "orderTotal=49.31", "saleTotal=49.31",
		"order.Total=49.31", "said=null"}},

	// header
	{name: "no reference", given: []string{`order.reference=" "`}, plan: []string{"header.CustomerReference=880123"}},
	{name: "long reference", given: []string{`order.reference="` + strings.Repeat("é", 300) + `"`},
		says: []string{"reference was cut at 256"},
		plan: []string{"header.CustomerReference=" + strings.Repeat("é", 256)}},
	{name: "long number", given: []string{`order.orderNumber="` + strings.Repeat("9", 300) + `"`},
		plan: []string{"header.CustomerReference=PO-77", "said=null"}},
	{name: "long number for a reference",
		given: []string{`order.reference=null`, `order.orderNumber="` + strings.Repeat("9", 300) + `"`},
		plan:  []string{"header.CustomerReference=" + strings.Repeat("9", 256)}, says: []string{"reference was cut"}},
	{name: "no ship-by", given: []string{`settings.shipBySource="none"`, `order.comments=[{"text":"Ring first"}]`},
		plan: []string{"header.ShipBy=0001-01-01T00:00:00Z",
			`header.ShippingNotes=Expected delivery: 12 March 2026\nRing first`}},
	{name: "no delivery date", given: []string{`settings.shipBySource="none"`, `order.deliveryDate=null`},
		plan: []string{"header.ShippingNotes="}},
	{name: "first comment only", given: []string{`order.comments=[{"text":"  "},{"text":"one\r\n\u0000two"},{"text":"x"},{"text":"y"}]`},
		plan: []string{`header.ShippingNotes=one\ntwo`}, says: []string{"2 more comments"}},
	{name: "second comment", given: []string{`order.comments=[{"text":"one"},{"text":"two"}]`},
		says: []string{"a second comment"}},
	{name: "long comment", given: []string{`settings.shipBySource="none"`,
		`order.comments=[{"text":"` + strings.Repeat("ā", 1100) + `"}]`},
		says: []string{"notes were cut at 1024"},
		plan: []string{`header.ShippingNotes=Expected delivery: 12 March 2026\n` + strings.Repeat("ā", 1024-33)}},
	{name: "authorised", given: []string{`settings={"orderStatus":"authorised","creationMode":"autoPickPackShip"}`},
		plan: []string{"order.Status=AUTHORISED", "order.AutoPickPackShipMode=AUTOPICKPACKSHIP"}},
	{name: "auto pick", given: []string{`settings={"orderStatus":"authorised","creationMode":"autoPick"}`},
		plan: []string{"order.AutoPickPackShipMode=AUTOPICK"}},
	{name: "auto pick and pack", given: []string{`settings={"orderStatus":"authorised","creationMode":"autoPickPack"}`},
		plan: []string{"order.AutoPickPackShipMode=AUTOPICKPACK"}},
	{name: "advanced", given: []string{`settings={"orderStatus":"authorised","saleType":"advanced"}`},
		plan: []string{"header.SaleType=Advanced", "order.AutoPickPackShipMode=NOPICK"}},
	{name: "account discounts", given: []string{`settings.orderStatus="authorised"`,
		`ref.Books.Me.AutomaticallyApplyDiscounts=true`}, says: []string{"applies discounts by itself"}},
	{name: "account discounts, draft", given: []string{`ref.Books.Me.AutomaticallyApplyDiscounts=true`},
		plan: []string{"said=null"}},
	{name: "locked", given: []string{`ref.Books.Me.LockDate="10/03/2026"`}, problems: []string{"dateLocked"},
		wants: []string{"me"}, says: []string{"dated 2026-03-10", "up to 2026-03-10"}},
	{name: "locked, read either way", given: []string{`ref.Books.Me.LockDate="03/10/2026"`},
		problems: []string{"dateLocked"}, wants: []string{"me"}, says: []string{"up to 2026-03-10"}},
	{name: "locked, read one way", given: []string{`ref.Books.Me.LockDate="09/03/2026"`}},
	{name: "locked, read the other way", given: []string{`ref.Books.Me.LockDate="03/09/2026"`}},
	{name: "after the lock", given: []string{`ref.Books.Me.LockDate="2026-03-09T00:00:00"`}},
	{name: "other currency", given: []string{`order.currency="AUD"`}, problems: []string{"currency"},
		wants: []string{"me"}},
	{name: "account without currency", given: []string{`ref.Books.Me.Currency=""`}, problems: []string{"currency"},
		wants: []string{"me"}},

	// unreadable
	{name: "unreadable", given: []string{`order.orderDate="10.3.26"`, `order.lines.0.quantity="many"`,
		`order.lines.1.unitPrice="-1"`, `order.lines.1.id=null`},
		problems: []string{"quantity@1", "price@2"},
		says: []string{"Line 1: the quantity is not a number.",
			"The order's field orderDate is not a date like 2026-03-31, and was left out.",
			"the day of its approval, 2026-03-10"}},
	{name: "unreadable, and not needed",
		given: []string{`order.orderNumber={}`, `order.deliveryDate="soon"`, `order.customFields=7`,
			`order.comments="Ring"`, `order.customer.phone=[1]`, `order.lines.0.id="x"`, `order.lines.0.name={}`,
			`order.lines.1.comment=[1]`, `order.lines.0.sku={"a":1}`,
			`order.totals={"subtotal":"x","tax":[1],"total":"49.31"}`},
		plan: []string{"header.ShipBy=0001-01-01T00:00:00Z", "header.ShippingNotes=", "order.Lines.1.Comment=",
			"saleTotal=49.31"}, says: []string{"orderNumber is a list", "deliveryDate is not a date",
			"customFields is not an object", "comments is not a list",
			"customer.phone is a list", "Line 1: the id is not a number", "Line 1: the name is a list",
			"Line 2: the comment is a list", "Line 1: the sku is a list", "totals.subtotal is not a number"}},
	{name: "unreadable, and needed", given: []string{`order.approvedAt="soon"`, `order.external="SO-1"`,
		`order.customer.externalId={}`, `order.currency=[1]`, `order.totals={"subtotal":"1"}`,
		`order.freight={"description":"Van"}`, `order.lines.0.taxRate="GST"`,
		`order.lines.1.discountPercent=true`, `order.deliveryAddress="9 Hill, Rotorua"`, `order.status=null`},
		problems: []string{"unreadable", "unreadable", "unreadable", "unreadable", "unreadable", "freight", "taxRate@1",
			"discount@2", "unreadable", "unreadable", "freightProduct"}},
	{name: "no number, no reference", given: []string{`order.orderNumber=null`, `order.reference=null`},
		plan: []string{"header.CustomerReference=4711"},
		says: []string{"orderNumber is missing", "Upstock's id of it, 4711"}},
	{name: "dated by its approval", given: []string{`order.orderDate=null`, `order.approvedAt="2026-03-10T12:00:00Z"`,
		`ref.Books.Me.TimeZone="Pacific/Auckland"`}, plan: []string{"header.SaleOrderDate=2026-03-11T00:00:00Z"}},
	{name: "no date at all", given: []string{`order.orderDate=null`, `order.approvedAt=null`},
		problems: []string{"orderDate"}},
	{name: "a date at midnight", given: []string{`order.orderDate="2026-03-10T00:00:00"`},
		plan: []string{"header.SaleOrderDate=2026-03-10T00:00:00Z", "said=null"}},
	{name: "ids of zeros are none", given: []string{`order.lines.0.productExternalId="00000000-0000-0000-0000-000000000000"`, `order.lines.1.productExternalId="0"`}, plan: []string{"order.Lines.0.ProductID=" + tea, "said=null"}},
	{name: "objects of nothing", given: []string{`order.freight={"amount":null,"taxRate":null,"description":""}`,
		`order.totals={"total":null}`, `order.deliveryAddress={"line1":null,"country":""}`, `order.customFields=[]`,
		`order.external={}`},
		plan: []string{"order.AdditionalCharges=null", "header.ShippingAddress.ID=d0000000-0000-4000-8000-000000000002",
			"said=null"}},
	{name: "unreadable line", given: []string{`order.lines.0="x"`}, problems: []string{"unreadable@1"},
		says: []string{"Line 1 is not an object."}},
	{name: "no document", given: []string{`order=[]`}, problems: []string{"unreadable"}},
	{name: "no lines", given: []string{`order.lines=[]`}, problems: []string{"noLines"}},
	{name: "no customer", given: []string{`order.customer=null`}, problems: []string{"unreadable"}},

	// customer
	{name: "remembered link", given: []string{`order.customer.externalId=null`, `order.customer.name="Nobody"`,
		`ref.Link={"id":"` + strings.ToUpper(card) + `","by":"person"}`},
		plan: []string{"customerId=" + card, "linkCustomer=null"}},
	{name: "dangling remembered link", given: []string{`order.customer.externalId=null`,
		`ref.Link={"id":"c9","by":"name"}`}, wants: []string{"customer:c9", "changedCustomers:Kōwhai Café"},
		plan: []string{"customerId=" + card, "linkCustomer=true"}},
	{name: "by name", given: []string{`order.customer.externalId=""`, `order.customer.email=null`},
		wants: []string{"changedCustomers:Kōwhai Café"}, plan: []string{"customerId=" + card, "linkCustomer=true"}},
	{name: "by name, zeros for an id", given: []string{`order.customer.externalId="00000000-0000-0000-0000-000000000000"`, `ref.Live=true`}, plan: []string{"customerId=" + card, "linkCustomer=true"}},
	{name: "by name as a reader sees it",
		given: []string{`order.customer.externalId=""`, `order.customer.name="  KO\u0304WHAI\u200b cafe "`,
			`ref.Live=true`}, plan: []string{"customerId=" + card}},
	{name: "by name, &amp;", given: []string{`order.customer.externalId=""`, `order.customer.name="Rata &amp; Sons"`,
		`ref.Customers.0.Name="Rata & Sons"`, `ref.Live=true`}, plan: []string{"customerId=" + card}},
	{name: "by name without its blank", given: []string{`order.customer.externalId=""`,
		`order.customer.name="KōwhaiCafé"`, `ref.Live=true`}, plan: []string{"customerId=" + card}},
	{name: "a blank between numbers counts",
		given: []string{`order.customer.externalId=""`, `order.customer.name="Shop 1 12"`,
			`ref.Customers.0.Name="Shop 11 2"`, `ref.Live=true`}, problems: []string{"customerUnknown"}},
	{name: "two cards of the name", given: []string{`order.customer.externalId=""`,
		`ref.Customers.+=` + fmt.Sprintf(otherCard, "KowhaiCafe", "Active", ""), `ref.Live=true`},
		problems: []string{"customerAmbiguous"}, says: []string{"“Kōwhai Café”, “KowhaiCafe”"}},
	{name: "an e-mail decides nothing", given: []string{`order.customer.externalId=""`,
		`order.customer.name="Another name"`}, problems: []string{"customerUnknown"},
		wants: []string{"changedCustomers:Another name", "customer:Another name", "customer:orders@kowhai.example.com",
			"customer:Another"},
		says: []string{"It may be “Kōwhai Café” (the same e-mail)."}},
	{name: "an e-mail of nobody", given: []string{`order.customer.externalId=""`, `order.customer.name="Another name"`,
		`order.customer.email="noemail@kowhai.example.com"`,
		`ref.Customers.0.Contacts.0.Email="noemail@kowhai.example.com"`, `ref.Live=true`},
		problems: []string{"customerUnknown"}, says: []string{"none has that name."}},
	{name: "name among shared e-mails", given: []string{`order.customer.externalId=""`, `ref.Live=true`,
		`ref.Customers.+=` + fmt.Sprintf(otherCard, "Office", "Active", "orders@kowhai.example.com")},
		plan: []string{"customerId=" + card}},
	{name: "the e-mail is another card's",
		given: []string{`order.customer.externalId=""`, `order.customer.name="Office"`, `ref.Live=true`,
			`ref.Customers.+=` + fmt.Sprintf(otherCard, "Office", "Active", "")},
		plan: []string{"customerId=c0000000-0000-4000-8000-000000000002"}},
	{name: "another e-mail", given: []string{`order.customer.externalId=""`,
		`order.customer.email="new@kowhai.example.com"`, `ref.Live=true`}, plan: []string{"customerId=" + card}},
	{name: "another e-mail, the same town",
		given: []string{`order.customer.externalId=""`, `order.customer.email="new@kowhai.example.com"`,
			`order.deliveryAddress={"line1":"9 Hill","city":"Taupo","country":"NZ"}`, `ref.Live=true`},
		plan: []string{"customerId=" + card}},
	{name: "another e-mail and another town",
		given: []string{`order.customer.externalId=""`, `order.customer.email="new@kowhai.example.com"`,
			`order.deliveryAddress={"line1":"9 Hill","city":"Bluff","country":"NZ"}`, `ref.Live=true`},
		problems: []string{"customerAmbiguous"},
		says:     []string{"another e-mail and another town", "It may be “Kōwhai Café” (the same name)."}},
	{name: "another town", given: []string{`order.customer.externalId=""`,
		`order.deliveryAddress={"line1":"9 Hill","city":"Bluff","country":"NZ"}`, `ref.Live=true`},
		plan: []string{"customerId=" + card}},
	{name: "a card of the name that is deprecated",
		given: []string{`order.customer.externalId=""`, `ref.Live=true`,
			`ref.Customers.+=` + fmt.Sprintf(otherCard, "KOWHAI CAFE", "Deprecated", "")},
		plan: []string{"customerId=" + card}},
	{name: "unknown customer", given: []string{`order.customer.externalId=""`, `order.customer.name="X"`,
		`order.customer.email="x@example.com"`},
		problems: []string{"customerUnknown"},
		wants:    []string{"changedCustomers:X", "customer:X", "customer:x@example.com"},
		says:     []string{"“X” is linked to no Cin7 Core customer"}},
	{name: "dangling link", given: []string{`order.customer.externalId="c9"`}, problems: []string{"customerUnknown"},
		wants: []string{"customer:c9", "changedCustomers:Kōwhai Café", "customer:Kōwhai Café",
			"customer:orders@kowhai.example.com"}, says: []string{"does not exist. It may be “Kōwhai Café”"}},
	{name: "dangling link, and a person's choice",
		given: []string{`order.customer.externalId="c9"`, `ref.Link={"id":"` + card + `","by":"person"}`},
		wants: []string{"customer:c9"}, plan: []string{"customerId=" + card, "linkCustomer=null"},
		says: []string{"as was chosen here"}},
	{name: "dangling link, and a name once",
		given: []string{`order.customer.externalId="c9"`, `ref.Link={"id":"` + card + `","by":"name"}`,
			`ref.Live=true`}, problems: []string{"customerUnknown"}},
	{name: "a match of before, by the name",
		given: []string{`order.customer.externalId=""`, `ref.Link={"id":"` + card + `","by":"match"}`, `ref.Live=true`},
		plan:  []string{"customerId=" + card, "linkCustomer=true"}},
	{name: "a match of before, by an e-mail",
		given: []string{`order.customer.externalId=""`, `order.customer.name="Another name"`,
			`ref.Link={"id":"` + card + `","by":"match"}`, `ref.Live=true`}, problems: []string{"customerUnsure"},
		says: []string{"was sold to as “Kōwhai Café” before", "earlier orders were sold to it"}},
	{name: "a match of before, and a card of the name",
		given: []string{`order.customer.externalId=""`, `order.customer.name="Office"`,
			`ref.Link={"id":"` + card + `","by":"match"}`,
			`ref.Customers.+=` + fmt.Sprintf(otherCard, "Office", "Active", ""), `ref.Live=true`},
		problems: []string{"customerAmbiguous"}},
	{name: "a match by the name stands",
		given: []string{`order.customer.externalId=""`, `order.customer.name="Another name"`,
			`ref.Link={"id":"` + card + `","by":"name"}`}, plan: []string{"customerId=" + card, "linkCustomer=null"}},
	{name: "a customer without an id", given: []string{`order.customer.externalId=""`, `order.customer.id=0`,
		`ref.Live=true`}, problems: []string{"unreadable"}, plan: []string{"linkCustomer=null"}},
	{name: "linked, without an e-mail or phone that can be read",
		given: []string{`order.customer.email={}`, `order.customer.phone={}`}, plan: []string{"customerId=" + card},
		says: []string{"customer.email is", "customer.phone is"}},
	{name: "linked, without a name", given: []string{`order.customer.name=null`}, problems: []string{"unreadable"},
		says: []string{"customer.name is missing"}},
	{name: "linked, and the name cannot be read", given: []string{`order.customer.name={}`},
		problems: []string{"unreadable"}, says: []string{"customer.name is a list"}},
	{name: "linked, and the id cannot be read", given: []string{`order.customer.id="x"`},
		problems: []string{"unreadable"}, says: []string{"customer.id is not a number"}},
	{name: "linked, without an id", given: []string{`order.customer.id=null`}, problems: []string{"unreadable"},
		says: []string{"customer.id is missing"}},
	{name: "deprecated customer", given: []string{`ref.Customers.0.Status="DEPRECATED"`},
		problems: []string{"customerDeprecated"}, wants: []string{"customer:" + card}},
	{name: "credit hold", given: []string{`ref.Customers.0.IsOnCreditHold=true`}, problems: []string{"creditHold"},
		wants: []string{"customer:" + card}},
	{name: "customer's currency", given: []string{`ref.Customers.0.Currency="AUD"`, `order.currency="AUD"`},
		problems: []string{"currency", "customerCurrency"}, wants: []string{"me", "customer:" + card}},
	{name: "inactive term", given: []string{`ref.Customers.0.PaymentTerm="7 days"`}, problems: []string{"paymentTerm"},
		wants: []string{"customer:" + card, "paymentTerms"}},
	{name: "missing term", given: []string{`ref.Customers.0.PaymentTerm="never"`}, problems: []string{"paymentTerm"},
		wants: []string{"customer:" + card, "paymentTerms"}},
	{name: "missing tier", given: []string{`ref.Customers.0.PriceTier="Retail"`}, problems: []string{"priceTier"},
		wants: []string{"customer:" + card, "priceTiers"}},
	{name: "missing carrier", given: []string{`ref.Customers.0.Carrier="Donkey"`}, problems: []string{"carrier"},
		wants: []string{"customer:" + card, "carriers"}},
	{name: "missing rep", given: []string{`ref.Customers.0.SalesRepresentative="Bill Ing"`},
		problems: []string{"salesRep"}, wants: []string{"contacts", "customer:" + card}},
	{name: "default rep", given: []string{`ref.Customers.0.SalesRepresentative=null`},
		plan: []string{"header.SalesRepresentative=API Sales"}},
	{name: "default rep missing", given: []string{`ref.Customers.0.SalesRepresentative=null`, `ref.Books.Contacts=[]`},
		plan: []string{"header.SalesRepresentative="}, says: []string{"no sales representative"}},
	{name: "named rep missing", given: []string{`ref.Customers.0.SalesRepresentative=null`,
		`settings.defaultSalesRep="Ana"`}, problems: []string{"salesRep"}, wants: []string{"contacts"}},
	{name: "no default rep", given: []string{`ref.Customers.0.SalesRepresentative=null`, `settings.defaultSalesRep=""`},
		plan: []string{"header.SalesRepresentative=", "said=null"}},

	// location
	{name: "named location", given: []string{`settings.location="back shed"`},
		plan: []string{"header.Location=Back Shed"}},
	{name: "named location missing", given: []string{`settings.location="Moon"`}, problems: []string{"location"},
		wants: []string{"locations"}},
	{name: "named location deprecated", given: []string{`settings.location="Old Barn"`}, problems: []string{"location"},
		wants: []string{"locations"}},
	{name: "a bin is no location", given: []string{`settings.location="Bin 7"`}, problems: []string{"location"},
		wants: []string{"locations"}},
	{name: "customer's location", given: []string{`ref.Customers.0.Location="Back Shed"`},
		plan: []string{"header.Location=Back Shed"}},
	{name: "customer's location deprecated", given: []string{`ref.Customers.0.Location="Old Barn"`},
		wants: []string{"locations"}, plan: []string{"header.Location=Main Warehouse"}, says: []string{"“Old Barn”"}},
	{name: "no default location", given: []string{`ref.Books.Locations.0.IsDefault=false`},
		problems: []string{"location"}, wants: []string{"locations"}},

	// tax
	{name: "tax rule of the settings", given: []string{`settings.taxRules={"15":"GST 15","0.00":"Zero Rated"}`,
		`ref.Books.TaxRules.+={"Name":"GST 15","IsActive":true,"IsTaxForSale":true,"TaxPercent":"15.0"}`},
		plan: []string{"order.Lines.0.TaxRule=GST 15"}},
	{name: "tax rule of the settings missing", given: []string{`settings.taxRules={"15":"GST 15"}`},
		problems: []string{"taxRuleUnknown@1"}, wants: []string{"taxRules"}},
	{name: "tax rule of the settings inactive", given: []string{`settings.taxRules={"15":"Old GST"}`},
		problems: []string{"taxRuleInactive@1"}, wants: []string{"taxRules"}},
	{name: "tax rule of the settings for purchases", given: []string{`settings.taxRules={"15":"GST on Expenses"}`},
		problems: []string{"taxRuleNotForSale@1"}, wants: []string{"taxRules"}},
	{name: "tax rule of the settings of another rate", given: []string{`settings.taxRules={"15":"Zero Rated"}`},
		problems: []string{"taxRulePercent@1"}, wants: []string{"taxRules"}},
	{name: "several rules, the customer's fits",
		given: []string{`ref.Books.TaxRules.+={"Name":"GST 15","IsActive":true,"IsTaxForSale":true,"TaxPercent":15}`},
		plan:  []string{"order.Lines.0.TaxRule=GST on Income"}},
	{name: "several rules", given: []string{`ref.Customers.0.TaxRule="Zero Rated"`,
		`ref.Books.TaxRules.+={"Name":"GST 15","IsActive":true,"IsTaxForSale":true,"TaxPercent":15}`},
		problems: []string{"taxRuleAmbiguous@1"}, wants: []string{"taxRules"},
		says: []string{"“GST on Income”, “GST 15”"}},
	{name: "no rule", given: []string{`order.lines.0.taxRate="12.5"`, `order.lines.1.taxRate="12.50"`},
		problems: []string{"taxRuleUnknown@1"}, wants: []string{"taxRules"},
		says: []string{"Tax of 12.5 % (lines 1 and 2)"}},
	{name: "card's rule inactive", given: []string{`ref.Customers.0.TaxRule="Old GST"`}, wants: []string{"taxRules"},
		plan: []string{"header.TaxRule=GST on Income"}, says: []string{"“Old GST”"}},
	{name: "card without rule", given: []string{`ref.Customers.0.TaxRule=null`},
		plan: []string{"header.TaxRule=GST on Income", "said=null"}},
	{name: "tax rate absurd", given: []string{`order.lines.0.taxRate="101"`}, problems: []string{"taxRate@1"}},

	// lines
	{name: "by SKU", given: []string{`order.lines.0.productExternalId=""`},
		plan: []string{"order.Lines.0.ProductID=" + tea}},
	{name: "by SKU in another case", given: []string{`order.lines.0.productExternalId=""`, `order.lines.0.sku="tea-1"`},
		plan: []string{"order.Lines.0.SKU=TEA-1"}},
	{name: "exact SKU before case", given: []string{`order.lines.0.productExternalId=""`,
		`ref.Products.+={"ID":"a3","SKU":"tea-1","Sellable":true}`}, plan: []string{"order.Lines.0.ProductID=" + tea}},
	{name: "ambiguous SKU", given: []string{`order.lines.0.productExternalId=""`, `order.lines.0.sku="Tea-1"`,
		`ref.Products.+={"ID":"a3","SKU":"tea-1","Sellable":true}`}, problems: []string{"skuAmbiguous@1"},
		wants: []string{"product:Tea-1"}},
	{name: "SKU renamed", given: []string{`order.lines.0.sku="TEA-OLD"`}, plan: []string{"order.Lines.0.SKU=TEA-1"},
		says: []string{"Line 1: the SKU “TEA-OLD” is “TEA-1”"}},
	{name: "id gone, SKU there", given: []string{`order.lines.0.productExternalId="a77"`},
		wants: []string{"product:a77", "product:TEA-1"}, plan: []string{"order.Lines.0.ProductID=" + tea},
		says: []string{"Line 1: Cin7 Core has no product of the id"}},
	{name: "unknown product", given: []string{`order.lines.0.productExternalId=null`, `order.lines.0.sku="NO"`,
		`order.lines.1.sku="NONE"`}, problems: []string{"unknownSku@1", "unknownSku@2"},
		wants: []string{"product:NO", "product:NONE"},
		says:  []string{"Line 2 (SKU “NONE”): Cin7 Core has no product with this SKU."}},
	{name: "a SKU with what nobody sees",
		given: []string{`order.lines.0.productExternalId=null`, `order.lines.0.sku="\u200bTEA-1\ufeff"`},
		wants: []string{"product:\u200bTEA-1\ufeff", "product:TEA-1"}, plan: []string{"order.Lines.0.ProductID=" + tea},
		says: []string{"a zero width space, U+200B; a byte order mark, U+FEFF"}},
	{name: "an unknown SKU with what nobody sees",
		given:    []string{`order.lines.0.productExternalId=null`, `order.lines.0.sku="NO\u00ad-1"`, `ref.Live=true`},
		problems: []string{"unknownSku@1"}, says: []string{"The SKU has a soft hyphen, U+00AD, in it"}},
	{name: "two SKUs that look the same",
		given: []string{`order.lines.0.productExternalId=null`, `order.lines.0.sku="TEA-1\u200b"`,
			`ref.Products.+={"ID":"a3","SKU":"TEA\u2060-1","Sellable":true}`, `ref.Live=true`},
		problems: []string{"skuAmbiguous@1"}},
	{name: "a product chosen by a person",
		given: []string{`order.lines.0.productExternalId=null`, `order.lines.0.sku="Old Tea"`,
			`ref.Goods={"old tea":{"id":"` + tea + `","by":"person"}}`},
		plan: []string{"order.Lines.0.ProductID=" + tea, "said=null"}},
	{name: "a product chosen that is gone",
		given: []string{`order.lines.0.productExternalId=null`, `order.lines.0.sku="Old Tea"`,
			`ref.Goods={"old tea":{"id":"a77","by":"person"}}`}, problems: []string{"unknownSku@1"},
		wants: []string{"product:a77", "product:Old Tea"}},
	{name: "a deprecated product of the same SKU",
		given: []string{`order.lines.0.productExternalId=null`,
			`ref.Products.+={"ID":"a3","SKU":"TEA-1","Status":"Deprecated","Sellable":true}`},
		plan: []string{"order.Lines.0.ProductID=" + tea}},
	{name: "two products of one SKU", given: []string{`order.lines.0.productExternalId=null`,
		`ref.Products.+={"ID":"a3","SKU":"TEA-1","Status":"Active","Sellable":true}`},
		problems: []string{"skuAmbiguous@1"}, wants: []string{"product:TEA-1"}},
	{name: "a blank is no hyphen", given: []string{`order.lines.0.productExternalId=null`, `order.lines.0.sku="TEA 1"`,
		`ref.Live=true`}, problems: []string{"unknownSku@1"}},
	{name: "unknown id", given: []string{`order.lines.0.productExternalId="a77"`, `order.lines.0.sku=null`},
		problems: []string{"unknownSku@1"}, wants: []string{"product:a77"}},
	{name: "no product", given: []string{`order.lines.0.productExternalId=null`, `order.lines.0.sku=null`},
		problems: []string{"unknownSku@1"}},
	{name: "service", given: []string{`ref.Products.0.Type="Service"`}, problems: []string{"productService@1"},
		wants: []string{"product:" + tea}},
	{name: "deprecated product", given: []string{`ref.Products.0.Status="DEPRECATED"`, `ref.Products.0.Sellable=false`},
		problems: []string{"productDeprecated@1", "productNotSellable@1"}, wants: []string{"product:" + tea}},
	{name: "setup required", given: []string{`ref.Products.0.Status="Setup Required"`},
		problems: []string{"productSetup@1"}, wants: []string{"product:" + tea}},
	{name: "drop ship", given: []string{`ref.Products.0.DropShipMode="Optional Drop Ship"`},
		plan: []string{"order.Lines.0.DropShip=false"}},
	{name: "quantity under 1", given: []string{`order.lines.0.quantity="0.5"`}, problems: []string{"quantity@1"}},
	{name: "quantity absurd", given: []string{`order.lines.0.quantity="1e10"`}, problems: []string{"quantity@1"}},
	{name: "quantity too fine", given: []string{`order.lines.0.quantity="1.00001"`}, problems: []string{"quantity@1"}},
	{name: "quantity finer than in print",
		given: []string{`order.lines.0.quantity="1.2345"`, `ref.Books.Me.MaximumDecimalPlacesInQuantity="N0"`},
		plan:  []string{"order.Lines.0.Quantity=1.2345", "said=null"}},
	{name: "price absurd", given: []string{`order.lines.0.unitPrice="1000000000.01"`}, problems: []string{"price@1"}},
	{name: "free", given: []string{`order.lines.0.unitPrice="0"`, `order.lines.1.discountPercent="100"`},
		plan: []string{"saleTotal=0"}},
	{name: "discount absurd", given: []string{`order.lines.0.discountPercent="100.5"`},
		problems: []string{"discount@1"}},
	{name: "fine discount", given: []string{`order.lines.0.discountPercent="33.333"`},
		plan: []string{"order.Lines.0.Price=8.3334", "order.Lines.0.Discount=0", "order.Lines.0.Total=25"},
		says: []string{"Line 1: the discount is finer"}},
	{name: "trailing zeros are not fine", given: []string{`order.lines.0.discountPercent="10.0000"`},
		plan: []string{"order.Lines.0.Discount=10", "said=null"}},
	{name: "fine price", given: []string{`order.lines.0.unitPrice="12.50004"`},
		plan: []string{"order.Lines.0.Price=12.5"}, says: []string{"Line 1: the unit price is finer"}},
	{name: "line comments", given: []string{`order.lines.0.comment="` + strings.Repeat("x", 300) + `"`,
		`order.lines.1.comment="` + strings.Repeat("y", 257) + `"`},
		plan: []string{"order.Lines.0.Comment=" + strings.Repeat("x", 256)},
		says: []string{"Lines 1 and 2: the comment was cut at 256"}},

	// a tax rate that is not given
	{name: "no tax rate", given: []string{`order.lines.0.taxRate=null`},
		wants: []string{"changedProducts", "taxRules", "customer:" + card},
		plan: []string{"order.Lines.0.TaxRule=GST on Income", "order.Lines.0.Tax=5.06", "orderTotal=49.31",
			"saleTotal=49.31"},
		says: []string{"Line 1: the order gives no tax rate; the sale has the customer's tax rule, “GST on Income”, " +
			"which is 15 %."}},
	{name: "no tax rate, the product's rule",
		given: []string{`order.lines.0.taxRate=""`, `order.lines.1.taxRate=" "`,
			`ref.Products.0.SaleTaxRule="zero rated"`, `ref.Products.1.SaleTaxRule="zero rated"`},
		wants: []string{"changedProducts", "taxRules"},
		plan:  []string{"order.Lines.0.TaxRule=Zero Rated", "order.Lines.1.TaxRule=Zero Rated", "saleTotal=44.25"},
		says: []string{"Lines 1 and 2: the order gives no tax rate; the sale has its product's sale tax rule, “Zero " +
			"Rated”, which is 0 %."}},
	{name: "no tax rate, but totals", given: []string{`order.lines.0.taxRate=null`, `order.totals={"total":"49.31"}`},
		plan: []string{"order.Lines.0.TaxRule=GST on Income", "said=null"}},
	{name: "no tax rate, and totals that deny the rule",
		given: []string{`order.lines.0.taxRate=null`, `order.totals={"total":"44.25"}`}, problems: []string{"total"},
		wants: []string{"me"}, says: []string{"come to 49.31", "prices included the tax"}},
	{name: "no tax rate, and no rule", given: []string{`order.lines.0.taxRate=null`, `ref.Customers.0.TaxRule=null`},
		problems: []string{"taxRate@1"}, wants: []string{"product:" + tea, "taxRules", "customer:" + card},
		says: []string{"neither its product nor the customer's card"}},
	{name: "no tax rate, the product's rule gone",
		given: []string{`order.lines.0.taxRate=null`, `ref.Products.0.SaleTaxRule="Old GST"`,
			`order.lines.1.taxRate=null`, `ref.Products.1.SaleTaxRule="Moon Tax"`},
		problems: []string{"taxRate@1", "taxRate@2"},
		wants:    []string{"product:" + tea, "taxRules", "product:a0000000-0000-4000-8000-000000000002"},
		says:     []string{"“Old GST”, is not active", "“Moon Tax”, does not exist"}},
	{name: "no tax rate, and none wanted",
		given:    []string{`order.lines.0.taxRate=null`, `settings.onMissingTaxRate="reject"`},
		problems: []string{"taxRate@1"}, says: []string{"no totals by which"}},
	{name: "no tax rate, none wanted, but totals",
		given: []string{`order.lines.0.taxRate=null`, `settings.onMissingTaxRate="reject"`,
			`order.totals={"total":"49.31"}`}, plan: []string{"order.Lines.0.Tax=5.06"}},
	{name: "no tax rate of a product that is not there",
		given: []string{`order.lines.0.taxRate=null`, `order.lines.0.productExternalId=null`,
			`order.lines.0.sku="NO"`},
		problems: []string{"unknownSku@1"}, wants: []string{"product:NO"}},
	{name: "freight without a rate", given: []string{`order.freight={"amount":"10"}`, `settings.freightProduct="FRT"`,
		`ref.Products.2.SaleTaxRule="GST on Income"`}, wants: []string{"changedProducts", "taxRules"},
		plan: []string{"order.AdditionalCharges.0.TaxRule=GST on Income", "order.AdditionalCharges.0.Tax=1.5",
			"saleTotal=60.81", "orderTotal=60.81"}, says: []string{"The freight: the order gives no tax rate"}},
	{name: "a rule of the same percentage",
		given: []string{`order.lines.0.taxRate=null`, `ref.Products.0.SaleTaxRule="GST 15"`,
			`order.lines.1.taxRate="15"`,
			`ref.Books.TaxRules.+={"Name":"GST 15","IsActive":true,"IsTaxForSale":true,"TaxPercent":15}`,
			`ref.Live=true`},
		plan: []string{"order.Lines.0.TaxRule=GST 15", "order.Lines.1.TaxRule=GST on Income"}},

	// freight
	{name: "freight by SKU", given: []string{`order.freight={"description":"Courier","amount":"12.50","taxRate":"15"}`,
		`settings.freightProduct="FRT"`},
		plan: []string{"order.AdditionalCharges.0.Description=Freight out", "order.AdditionalCharges.0.Price=12.5",
			"order.AdditionalCharges.0.Quantity=1", "order.AdditionalCharges.0.Tax=1.88",
			"order.AdditionalCharges.0.TaxRule=GST on Income", "order.AdditionalCharges.0.Comment=Courier",
			"saleTotal=63.69"}},
	{name: "freight by name", given: []string{`order.freight={"amount":"12.50","taxRate":"0"}`,
		`settings.freightProduct="freight OUT"`},
		plan: []string{"order.AdditionalCharges.0.Description=Freight out",
			"order.AdditionalCharges.0.TaxRule=Zero Rated"}},
	{name: "no freight", given: []string{`order.freight={"amount":"0.00"}`},
		plan: []string{"order.AdditionalCharges=null"}},
	{name: "freight without product", given: []string{`order.freight={"amount":"5"}`},
		problems: []string{"freightProduct"}},
	{name: "freight product missing", given: []string{`order.freight={"amount":"5","taxRate":"15"}`,
		`settings.freightProduct="Post"`}, problems: []string{"freightProduct"},
		wants: []string{"product:Post", "product:Post"}},
	{name: "freight product is stock", given: []string{`order.freight={"amount":"5","taxRate":"15"}`,
		`settings.freightProduct="TEA-1"`}, problems: []string{"freightProduct"},
		wants: []string{"product:" + tea, "product:TEA-1", "product:TEA-1"}, says: []string{"is not a service"}},
	{name: "freight product deprecated",
		given: []string{`order.freight={"amount":"5"}`, `settings.freightProduct="FRT"`,
			`ref.Products.2.Status="Deprecated"`, `ref.Live=true`}, problems: []string{"freightProduct"}},
	{name: "negative freight", given: []string{`order.freight={"amount":"-5","taxRate":"0"}`,
		`settings.freightProduct="FRT"`}, problems: []string{"freight"}},
	{name: "freight absurd", given: []string{`order.freight={"amount":"1e10","taxRate":"1e3"}`,
		`settings.freightProduct="FRT"`}, problems: []string{"freight", "freight"}},

	// address
	{name: "custom field", given: []string{`settings={"addressField":"Site","addressMatch":"line1"}`,
		`order.customFields={"site":" 3 LAKE  road"}`},
		plan: []string{"header.ShippingAddress.ID=d0000000-0000-4000-8000-000000000003"}},
	{name: "custom field, diacritics", given: []string{`settings={"addressField":"Site","addressMatch":"city"}`,
		`order.customFields={"Site":"TAUPO"}`},
		plan: []string{"header.ShippingAddress.ID=d0000000-0000-4000-8000-000000000003"},
		says: []string{"2 addresses"}},
	{name: "custom field, several with the default",
		given: []string{`settings={"addressField":"Site"}`, `order.customFields={"Site":"taupō"}`,
			`ref.Customers.0.Addresses.3.DefaultForType=true`},
		plan: []string{"header.ShippingAddress.ID=d0000000-0000-4000-8000-000000000004"},
		says: []string{"2 addresses"}},
	{name: "custom field, several and the order's own among them",
		given: []string{`settings={"addressField":"Site"}`, `order.customFields={"Site":"taupō"}`,
			`order.deliveryAddress={"line1":"4 Lake Road","city":"Taupo","postcode":"3332","country":"NZ"}`},
		plan: []string{"header.ShippingAddress.ID=d0000000-0000-4000-8000-000000000004", "said=null"}},
	{name: "custom field, several, and none is to be guessed",
		given: []string{`settings={"addressField":"Site","onUnknownAddress":"reject"}`,
			`order.customFields={"Site":"taupō"}`}, problems: []string{"address"}, wants: []string{"customer:" + card},
		says: []string{"2 addresses"}},
	{name: "custom field, the whole street before a part",
		given: []string{`settings={"addressField":"Site"}`, `order.customFields={"Site":"3 Lake Road, Unit 4"}`,
			`ref.Customers.0.Addresses.+={"ID":"d5","Line1":"3 Lake Road","City":"Taupō","Country":"NZ","Type":"Shipping","DefaultForType":true}`},
		plan: []string{"header.ShippingAddress.ID=d0000000-0000-4000-8000-000000000003", "said=null"}},
	{name: "custom field, a building before a shop in it",
		given: []string{`settings={"addressField":"Site","addressMatch":"line1"}`,
			`order.customFields={"Site":"3 lake road"}`,
			`ref.Customers.0.Addresses.+={"ID":"d5","Line1":"3 Lake Road","City":"Taupō","Country":"NZ","Type":"Shipping"}`},
		plan: []string{"header.ShippingAddress.ID=d5", "said=null"}},
	{name: "custom field, unit 1 12 is not unit 11 2",
		given: []string{`settings={"addressField":"Site","addressMatch":"line1"}`,
			`order.customFields={"Site":"Unit 1 12 High Street"}`,
			`ref.Customers.0.Addresses.1.Line1="Unit 11 2 High Street"`}, wants: []string{"customer:" + card},
		plan: []string{"header.ShippingAddress.ID=d0000000-0000-4000-8000-000000000002"},
		says: []string{"the sale goes to the default delivery address of the customer's card, “Unit 11 2 High " +
			"Street, Auckland, 1010”"}},
	{name: "custom field, no match and an address of the order's",
		given: []string{`settings={"addressField":"Site"}`, `order.customFields={"Site":"Mars"}`,
			`order.deliveryAddress={"line1":"9 Hill","city":"Rotorua","country":"NZ"}`},
		wants: []string{"customer:" + card},
		plan:  []string{"header.ShippingAddress.Line1=9 Hill"},
		says:  []string{"“Mars”; the sale goes to the order's delivery address, “9 Hill, Rotorua”"}},
	{name: "custom field, no match is a problem",
		given: []string{`settings={"addressField":"Site","onUnknownAddress":"reject"}`,
			`order.customFields={"Site":"Mars"}`}, problems: []string{"address"}, wants: []string{"customer:" + card},
		says: []string{"“Mars”"}},
	{name: "custom fields that cannot be read",
		given: []string{`settings={"addressField":"Site","onUnknownAddress":"reject"}`,
			`order.customFields={"Site":["Mars"]}`}, problems: []string{"address"}, wants: []string{"customer:" + card},
		says: []string{"cannot be read"}},
	{name: "custom field, and who takes it",
		given: []string{`settings={"addressField":"Site"}`, `order.customFields={"Site":"3 Lake Road"}`,
			`order.deliveryAddress={"contact":"Night dock"}`},
		plan: []string{"header.ShippingAddress.ID=", "header.ShippingAddress.Line1=3 Lake Road",
			"header.ShippingAddress.Line2=Unit 4", "header.ShippingAddress.Contact=Night dock",
			"header.ShippingAddress.ShipToOther=true"}},
	{name: "custom field, other type", given: []string{`settings={"addressField":"Site"}`,
		`order.customFields={"Site":"1 Tui Street"}`},
		plan: []string{"header.ShippingAddress.ID=d0000000-0000-4000-8000-000000000001"}},
	{name: "custom field, no match", given: []string{`settings={"addressField":"Site","addressMatch":"postcode"}`,
		`order.customFields={"Site":"9999"}`}, wants: []string{"customer:" + card},
		plan: []string{"header.ShippingAddress.ID=d0000000-0000-4000-8000-000000000002"}, says: []string{"“9999”"}},
	{name: "custom field absent", given: []string{`settings={"addressField":"Site"}`},
		plan: []string{"header.ShippingAddress.ID=d0000000-0000-4000-8000-000000000002", "said=null"}},
	{name: "known delivery address", given: []string{`order.deliveryAddress={"line1":"3 lake ROAD","line2":"Unit 4","city":"Taupo","postcode":"33 30","country":"NZ"}`}, plan: []string{"header.ShippingAddress.ID=d0000000-0000-4000-8000-000000000003"}},
	{name: "another unit is another address",
		given: []string{`order.deliveryAddress={"line1":"3 Lake Road","line2":"Unit 5","city":"Taupō","postcode":"3330","country":"New Zealand"}`}, plan: []string{"header.ShippingAddress.ID=", "header.ShippingAddress.Line2=Unit 5", "header.ShippingAddress.ShipToOther=true"}},
	{name: "a shop is not its building",
		given: []string{`order.deliveryAddress={"line1":"2 Quay Street","line2":"Shop 9","city":"Auckland","postcode":"1010","country":"New Zealand"}`}, plan: []string{"header.ShippingAddress.ID=", "header.ShippingAddress.Line2=Shop 9", "header.ShippingAddress.ShipToOther=true"}},
	{name: "a building is not a shop in it",
		given: []string{`order.deliveryAddress={"line1":"3 Lake Road","city":"Taupō","postcode":"3330","country":"New Zealand"}`}, plan: []string{"header.ShippingAddress.ID=", "header.ShippingAddress.Line1=3 Lake Road", "header.ShippingAddress.Line2="}},
	{name: "the shop itself before the default",
		given: []string{`order.deliveryAddress={"line1":"2 Quay Street","line2":"Shop 9","city":"Auckland","postcode":"1010","country":"New Zealand"}`, `ref.Customers.0.Addresses.+={"ID":"d5","Line1":"2 Quay Street","Line2":"SHOP 9","City":"Auckland","Postcode":"1010","Country":"NZL","Type":"Shipping"}`}, plan: []string{"header.ShippingAddress.ID=d5"}},
	{name: "letter for letter before the default",
		given: []string{`order.deliveryAddress={"line1":"2 Quay Street","city":"Auckland","postcode":"1010","country":"New Zealand"}`, `ref.Customers.0.Addresses.1.Line1="2 QUAY STREET."`, `ref.Customers.0.Addresses.+={"ID":"d5","Line1":"2 Quay Street","City":"Auckland","Postcode":"1010","Country":"New Zealand","Type":"Shipping"}`}, plan: []string{"header.ShippingAddress.ID=d5"}},
	{name: "digits keep their blanks", given: []string{`order.deliveryAddress={"line1":"Unit 1 12 High Street","city":"Auckland","postcode":"1010","country":"New Zealand"}`, `ref.Customers.0.Addresses.1.Line1="Unit 11 2 High Street"`}, plan: []string{"header.ShippingAddress.Line1=Unit 1 12 High Street"}},
	{name: "letters and digits keep their blanks",
		given: []string{`order.deliveryAddress={"line1":"1B 2 High Street","city":"Auckland","postcode":"1010","country":"New Zealand"}`, `ref.Customers.0.Addresses.1.Line1="1 B2 High Street"`}, plan: []string{"header.ShippingAddress.Line1=1B 2 High Street"}},
	{name: "St is not Street", given: []string{`order.deliveryAddress={"line1":"2 Quay St","city":"Auckland","postcode":"1010","country":"New Zealand"}`}, plan: []string{"header.ShippingAddress.Line1=2 Quay St"}},
	{name: "punctuation is nothing", given: []string{`order.deliveryAddress={"line1":"2, Quay Street.","city":"AUCKLAND","postcode":" 1010","country":"nz"}`}, plan: []string{"header.ShippingAddress.ID=d0000000-0000-4000-8000-000000000002", "said=null"}},
	{name: "another region", given: []string{`order.deliveryAddress={"line1":"2 Quay Street","city":"Auckland","region":"Auckland","postcode":"1010","country":"New Zealand"}`}, plan: []string{"header.ShippingAddress.ID=", "header.ShippingAddress.State=Auckland"}},
	{name: "another postcode", given: []string{`order.deliveryAddress={"line1":"2 Quay Street","city":"Auckland","postcode":"1011","country":"New Zealand"}`}, plan: []string{"header.ShippingAddress.Postcode=1011"}},
	{name: "another country", given: []string{`order.deliveryAddress={"line1":"2 Quay Street","city":"Auckland","postcode":"1010","country":"Australia"}`}, plan: []string{"header.ShippingAddress.Country=Australia"}},
	{name: "somebody else takes it", given: []string{`order.deliveryAddress={"company":"Kōwhai (Bar)","contact":"Night dock, Moana","line1":"2 Quay Street","city":"Auckland","postcode":"1010","country":"New Zealand"}`},
		plan: []string{"header.ShippingAddress.ID=", "header.ShippingAddress.Line1=2 Quay Street",
			"header.ShippingAddress.Company=Kōwhai (Bar)", "header.ShippingAddress.Contact=Night dock, Moana",
			"header.ShippingAddress.ShipToOther=true"}},
	{name: "the card's own take it", given: []string{`order.deliveryAddress={"company":"KOWHAI cafe","contact":"rua","line1":"2 Quay Street","city":"Auckland","postcode":"1010","country":"New Zealand"}`}, plan: []string{"header.ShippingAddress.ID=d0000000-0000-4000-8000-000000000002", "said=null"}},
	{name: "one of several contacts takes it",
		given: []string{`ref.Customers.0.Contacts=[{"Name":"Rua","Default":true},{"Name":"Moana"}]`,
			`order.deliveryAddress={"contact":"Moana","line1":"2 Quay Street","city":"Auckland","postcode":"1010","country":"New Zealand"}`}, plan: []string{"header.ShippingAddress.Contact=Moana", "header.ShippingAddress.ShipToOther=true"}},
	{name: "who takes it, and no place", given: []string{`order.deliveryAddress={"company":"Kōwhai (Bar)"}`},
		plan: []string{"header.ShippingAddress.Line1=2 Quay Street", "header.ShippingAddress.Company=Kōwhai (Bar)",
			"header.ShippingAddress.ShipToOther=true"}},
	{name: "who takes it, and no place anywhere",
		given:    []string{`order.deliveryAddress={"company":"Kōwhai (Bar)"}`, `ref.Customers.0.Addresses=[]`},
		problems: []string{"address"}, wants: []string{"customer:" + card}},
	{name: "dashes for what is not there",
		given: []string{`order.deliveryAddress={"company":"-","line1":"2 Quay Street","line2":" - ","city":"Auckland","region":"--","postcode":"1010","country":"New Zealand"}`}, plan: []string{"header.ShippingAddress.ID=d0000000-0000-4000-8000-000000000002"}},
	{name: "cards in several countries",
		given: []string{`order.deliveryAddress={"line1":"9 Hill","city":"Rotorua"}`,
			`ref.Customers.0.Addresses.3.Country="AU"`}, problems: []string{"address"},
		wants: []string{"customer:" + card}},
	{name: "no default address", given: []string{`ref.Customers.0.Addresses.1.DefaultForType=false`},
		plan: []string{"header.ShippingAddress.ID="}, says: []string{"none is the default"}},
	{name: "the only address", given: []string{`ref.Customers.0.Addresses=[{"ID":"d5","Line1":"2 Quay Street","Country":"NZ","Type":"Shipping"}]`}, plan: []string{"header.ShippingAddress.ID=d5", "said=null"}},
	{name: "one-off address", given: []string{`order.deliveryAddress={"company":"` + strings.Repeat("C", 130) +
		`","contact":"Rua","line1":"9 Hill","region":"Waikato","postcode":"` + strings.Repeat("1", 21) + `"}`},
		plan: []string{"header.ShippingAddress.Company=" + strings.Repeat("C", 128),
			"header.ShippingAddress.Contact=Rua", "header.ShippingAddress.State=Waikato",
			"header.ShippingAddress.Country=New Zealand", "header.ShippingAddress.ShipToOther=true"},
		says: []string{"company was cut at 128", "postcode was cut at 20", "names no country"}},
	{name: "no country anywhere", given: []string{`order.deliveryAddress={"line1":"9 Hill"}`,
		`ref.Customers.0.Addresses=[]`}, problems: []string{"address"}, wants: []string{"customer:" + card}},
	{name: "no street", given: []string{`order.deliveryAddress={"city":"Taupō","country":"New Zealand"}`},
		problems: []string{"address"}},
	{name: "second line only", given: []string{`order.deliveryAddress={"line2":"9 Hill","country":"New Zealand"}`},
		plan: []string{"header.ShippingAddress.Line1=9 Hill"}},
	{name: "empty address", given: []string{`order.deliveryAddress={"country":"New Zealand"}`},
		plan: []string{"header.ShippingAddress.ID=d0000000-0000-4000-8000-000000000002"}},
	{name: "no address at all", given: []string{`ref.Customers.0.Addresses=[]`},
		plan: []string{"header.ShippingAddress.ID=", "header.BillingAddress.ID="}},

	// totals
	{name: "stated total", given: []string{`order.totals={"subtotal":"44.25","tax":"5.06","total":"49.31"}`},
		plan: []string{"orderTotal=49.31", "said=null"}},
	{name: "a cent apart", given: []string{`order.totals={"total":"49.32"}`},
		plan: []string{"orderTotal=49.32", "saleTotal=49.31"},
		says: []string{"49.31 NZD, the order 49.32 NZD: 0.01 NZD apart",
			"Tax line by line, discount before tax gives Cin7 Core's 49.31 NZD; tax line by line, discount after tax " +
				"gives Upstock's 49.32 NZD."}},
	{name: "too far apart", given: []string{`order.totals={"total":"49.34"}`}, problems: []string{"total"},
		wants: []string{"me"}, says: []string{"is 49.34 NZD", "would be 49.31 NZD", "come to 49.31"}},
	{name: "tolerated", given: []string{`order.totals={"total":"49.34"}`, `settings.totalTolerance="0.03"`},
		says: []string{"0.03 NZD apart", "No usual way of rounding gives Upstock's 49.34 NZD"}},
	{name: "rounding of a unit", given: []string{`order.lines.0.unitPrice="1.11"`,
		`order.lines.0.discountPercent="33.33"`, `order.lines.0.quantity="1000"`}, problems: []string{"total"},
		wants: []string{"me"}},
	{name: "tax on the total", given: []string{`ref.Books.Me.TaxCalculationMethod="Total"`,
		`order.lines.0.quantity="1"`, `order.lines.0.unitPrice="0.10"`, `order.lines.0.discountPercent=null`,
		`order.lines.1.quantity="1"`,
		`order.lines.1.unitPrice="0.10"`, `order.lines.1.taxRate="15"`},
		plan: []string{"orderTotal=0.24", "saleTotal=0.23", "order.Lines.0.Tax=0.02"},
		says: []string{"0.01 NZD apart",
			"Tax line by line gives Upstock's 0.24 NZD; tax on the total gives Cin7 Core's 0.23 NZD."}},

	{name: "tax on the total of many lines",
		given: append([]string{`ref.Books.Me.TaxCalculationMethod="Total"`, `order.lines.0.quantity="1"`,
			`order.lines.0.unitPrice="0.10"`, `order.lines.0.discountPercent=null`, `order.lines.1.taxRate="15"`,
			`order.lines.1.quantity="1"`, `order.lines.1.unitPrice="0.10"`},
			slices.Repeat([]string{`order.lines.+={"id":3,"sku":"CUP-1","quantity":"1","unitPrice":"0.10","taxRate":"15"}`},
				10)...), plan: []string{"orderTotal=1.44", "saleTotal=1.38"},
		says: []string{"0.06 NZD apart",
			"taxes the whole order at once and Upstock each line, which makes 0.06 NZD less"}},
	{name: "tax on the total, and a total of the order's own",
		given: append([]string{`ref.Books.Me.TaxCalculationMethod="Total"`, `order.totals={"total":"1.41"}`,
			`order.lines.0.quantity="1"`, `order.lines.0.unitPrice="0.10"`, `order.lines.0.discountPercent=null`,
			`order.lines.1.taxRate="15"`, `order.lines.1.quantity="1"`, `order.lines.1.unitPrice="0.10"`},
			slices.Repeat([]string{`order.lines.+={"id":3,"sku":"CUP-1","quantity":"1","unitPrice":"0.10","taxRate":"15"}`},
				10)...), problems: []string{"total"}, wants: []string{"me"},
		says: []string{"lines and freight come to 1.44"}},
	{name: "tax on the total, and a tolerance of the tenant's own",
		given: append([]string{`settings.totalTolerance="0.05"`, `ref.Books.Me.TaxCalculationMethod="Total"`,
			`order.lines.0.quantity="1"`, `order.lines.0.unitPrice="0.10"`, `order.lines.0.discountPercent=null`,
			`order.lines.1.taxRate="15"`, `order.lines.1.quantity="1"`, `order.lines.1.unitPrice="0.10"`},
			slices.Repeat([]string{`order.lines.+={"id":3,"sku":"CUP-1","quantity":"1","unitPrice":"0.10","taxRate":"15"}`},
				10)...), problems: []string{"total"}, wants: []string{"me"},
		says: []string{"0.06 NZD apart, and 0.05 NZD is allowed"}},
	{name: "no cent allowed", given: []string{`settings.totalTolerance="0.00"`, `order.totals={"total":"49.32"}`},
		problems: []string{"total"}, wants: []string{"me"}},
	{name: "prices that include the tax", given: []string{`order.totals={"total":"44.25"}`},
		problems: []string{"total"}, wants: []string{"me"}, says: []string{"prices included the tax"}},

	// all at once
	{name: "everything wrong", given: []string{`order.currency="AUD"`, `order.lines.0.quantity="0"`,
		`order.lines.0.sku="NO"`, `order.lines.0.productExternalId=null`, `order.lines.1.taxRate="7"`,
		`ref.Customers.0.IsOnCreditHold=true`,
		`settings.location="Moon"`, `order.freight={"amount":"5"}`, `ref.Live=true`},
		problems: []string{"quantity@1", "currency", "creditHold", "taxRuleUnknown@2", "location", "unknownSku@1",
			"freightProduct"}},
}

func TestMake(t *testing.T) {
	for _, c := range planCases {
		t.Run(c.name, func(t *testing.T) {
			o, faults, s, ref := given(t, c.given...)
			p, problems, wants := Make(o, faults, s, ref)
			if diff := cmp.Diff(c.problems, codes(problems)); diff != "" {
				t.Errorf("problems (-want +got):\n%s%+v", diff, problems)
			}
			if diff := cmp.Diff(c.wants, names(wants)); diff != "" {
				t.Errorf("wants (-want +got):\n%s", diff)
			}
			all := strings.Join(p.Said, "\n")
			for _, pr := range problems {
				all += "\n" + pr.Message
			}
			for _, says := range c.says {
				if !strings.Contains(all, says) {
					t.Errorf("nothing says %q in:\n%s", says, all)
				}
			}
			b, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			var doc any
			if err := json.Unmarshal(b, &doc); err != nil {
				t.Fatal(err)
			}
			for _, line := range c.plan {
				path, want, _ := strings.Cut(line, "=")
				if got := look(doc, path); got != want {
					t.Errorf("%s is %s, want %s", path, got, want)
				}
			}
			ref.Live = true
			live, stay, none := Make(o, faults, s, ref)
			if len(none) > 0 || len(stay) != len(problems) {
				t.Errorf("live: %v, wants %v", stay, none)
			}
			sound(t, live, stay, none)
			sound(t, p, problems, wants)
		})
	}
}

// sound checks what holds for every plan.
func sound(t testing.TB, p Plan, problems []ledger.Problem, wants []Want) {
	t.Helper()
	sentence := func(s string) {
		if s == "" || len([]rune(s)) > 520 ||
			strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
			t.Errorf("not a sentence to show: %q", s)
		}
	}
	for _, pr := range problems {
		if pr.Code == "" {
			t.Errorf("no code: %+v", pr)
		}
		sentence(pr.Message)
		sentence(pr.Fix)
	}
	for _, s := range p.Said {
		sentence(s)
	}
	seen := map[Want]bool{}
	for _, w := range wants {
		keys := 0
		for _, k := range []string{w.ID, w.SKU, w.Name, w.Email} {
			if k != "" {
				keys++
			}
		}
		if w.Kind != WantChangedCustomers && (w.Kind == WantCustomer || w.Kind == WantProduct) != (keys == 1) ||
			keys > 1 || seen[w] {
			t.Errorf("want %+v", w)
		}
		seen[w] = true
	}
	if len(problems) > 0 {
		return
	}
	h := p.Header
	for _, f := range []struct {
		text string
		max  int
	}{{h.ShippingNotes, 1024}, {h.CustomerReference, 256}, {h.ShippingAddress.Postcode, 20},
		{h.ShippingAddress.Line1, 256}, {h.ShippingAddress.Company, 128}, {h.ExternalID, 256}} {
		if len([]rune(f.text)) > f.max {
			t.Errorf("longer than %d: %q", f.max, f.text)
		}
	}
	if h.CustomerID == "" || h.Location == "" || h.SaleOrderDate.IsZero() || !h.SkipQuote || h.TaxInclusive ||
		h.ShippingAddress.ID == "" && h.ShippingAddress != (cin7core.AddressRef{}) && !h.ShippingAddress.ShipToOther {
		t.Errorf("header %+v", h)
	}
	for _, l := range p.Order.Lines {
		if l.ProductID == "" || l.TaxRule == "" || places(l.Price) > 4 || places(l.Discount) > 2 ||
			l.Quantity.LessThan(one) || len([]rune(l.Comment)) > 256 {
			t.Errorf("line %+v", l)
		}
	}
	for _, c := range p.Order.AdditionalCharges {
		if c.Description == "" || c.TaxRule == "" || places(c.Price) > 4 || len([]rune(c.Comment)) > 1024 {
			t.Errorf("charge %+v", c)
		}
	}
}

func TestPlanGolden(t *testing.T) {
	o, faults, s, ref := given(t,
		`settings={"orderStatus":"authorised","creationMode":"autoPick","shipBySource":"none","freightProduct":"FRT","addressField":"Site"}`,
		`order.comments=[{"at":"2026-03-10T01:00:00Z","author":"Rua","text":"Leave at the back door"},{"text":"Thanks!"}]`,
		`order.customFields={"SITE":"nowhere"}`,
		`order.deliveryAddress={"company":"Kōwhai Pop-up","contact":"Rua","line1":"Stall 9","city":"Rotorua","postcode":"3010","country":"New Zealand"}`,
		`order.lines.1.discountPercent="12.345"`,
		`order.freight={"description":"Courier","amount":"12.50","taxRate":"15"}`)
	p, problems, wants := Make(o, faults, s, ref)
	got, err := json.MarshalIndent(struct {
		Plan     Plan
		Problems []ledger.Problem
		Wants    []Want
	}{p, problems, wants}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	file := filepath.Join("testdata", "plan.golden.json")
	if *updatePlans {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var again Plan // the ledger keeps it as JSON
	if b, err := json.Marshal(p); err != nil || json.Unmarshal(b, &again) != nil || !SameLines(p.Order, again.Order) ||
		!reflect.DeepEqual(p.Said, again.Said) {
		t.Errorf("not the same after the ledger: %+v", again)
	}
}

func TestNeeds(t *testing.T) {
	o, _, s, _ := given(t, `order.freight={"amount":"5"}`, `settings.freightProduct="FRT"`,
		`order.lines.+={"id":3,"sku":" CUP-1","quantity":"1","unitPrice":"1"}`)
	if diff := cmp.Diff([]string{"customer:C0000000-0000-4000-8000-000000000001",
		"product:A0000000-0000-4000-8000-000000000001", "product:CUP-1", "product:FRT", "product:FRT"},
		names(Needs(o, s))); diff != "" {
		t.Error(diff)
	}
	o.Customer.ExternalID, o.Freight, o.Lines = "", nil, nil
	if diff := cmp.Diff([]string{"customer:Kōwhai Café", "customer:orders@kowhai.example.com"},
		names(Needs(o, s))); diff != "" {
		t.Error(diff)
	}
	if n := Needs(upstock.Order{}, Settings{}); n != nil {
		t.Error(n)
	}
}

func TestManyProblems(t *testing.T) {
	o, faults, s, ref := given(t)
	for i := range 6000 {
		o.Lines = append(o.Lines, upstock.Line{ID: int64(i), SKU: fmt.Sprint("NO-", i), Quantity: one, UnitPrice: one})
	}
	_, problems, wants := Make(o, faults, s, ref)
	if len(problems) != mostProblems+1 || problems[mostProblems].Code != "more" || len(wants) != 6000 {
		t.Errorf("%d problems, %d wants", len(problems), len(wants))
	}
}

// TestManyRemarks: of hundreds of remarks the first hundred are kept, and counted are the others.
func TestManyRemarks(t *testing.T) {
	o, faults, s, ref := given(t)
	for i := range 120 {
		faults = append(faults, upstock.FieldError{Field: fmt.Sprint("customFields.k", i), Message: "is no text"})
	}
	p, problems, _ := Make(o, faults, s, ref)
	if len(problems) > 0 || len(p.Said) != 101 || p.Said[100] != "There are 20 more remarks like these." {
		t.Errorf("%v, %d remarks, the last %q", problems, len(p.Said), p.Said[len(p.Said)-1])
	}
}

// TestManyChoices: of hundreds of unknown products the first few lines offer what they may be.
func TestManyChoices(t *testing.T) {
	o, faults, s, ref := given(t)
	o.Lines = nil
	for i := range 40 {
		o.Lines = append(o.Lines, upstock.Line{ID: int64(i), SKU: ref.Products[0].SKU + "X", Name: ref.Products[0].Name,
			Quantity: one, UnitPrice: one})
	}
	ref.Live = true
	_, problems, _ := Make(o, faults, s, ref)
	var offered int
	for _, p := range problems {
		if len(p.Choices) > 0 {
			offered++
		}
	}
	if len(problems) < 40 || offered == 0 || offered > 20 {
		t.Errorf("%d of %d problems offer products", offered, len(problems))
	}
}

func TestSame(t *testing.T) {
	o, faults, s, ref := given(t, `order.freight={"description":"By  van","amount":"5"}`,
		`settings.freightProduct="FRT"`, `order.comments=[{"text":"one\ntwo"}]`)
	p, problems, _ := Make(o, faults, s, ref)
	if problems != nil {
		t.Fatal(problems)
	}
	read := func() cin7core.Sale {
		h := p.Header
		sale := cin7core.Sale{ExternalID: h.ExternalID, CustomerID: strings.ToUpper(h.CustomerID),
			CustomerReference: h.CustomerReference, SaleOrderDate: h.SaleOrderDate,
			ShipBy: h.ShipBy, Location: h.Location, ShippingNotes: "one two "}
		sale.Order.Lines, sale.Order.AdditionalCharges = slices.Clone(p.Order.Lines),
			slices.Clone(p.Order.AdditionalCharges)
		l := &sale.Order.Lines[0]
		l.ProductID, l.Price, l.Tax, l.Comment = strings.ToUpper(l.ProductID), decimal.RequireFromString("12.5000"),
			l.Tax.Add(decimal.New(1, -2)), " "
		return sale
	}
	if got := read(); !SameLines(p.Order, got.Order) || !SameHeader(p.Header, got) {
		t.Error("the same is not the same")
	}
	cent, cents := decimal.New(1, -2), decimal.New(2, -2)
	line := func(s *cin7core.Sale) *cin7core.OrderLine { return &s.Order.Lines[1] }
	charge := func(s *cin7core.Sale) *cin7core.Charge { return &s.Order.AdditionalCharges[0] }
	for name, change := range map[string]func(*cin7core.Sale){
		"a line's product":  func(s *cin7core.Sale) { line(s).ProductID = "a9" },
		"a line's quantity": func(s *cin7core.Sale) { line(s).Quantity = line(s).Quantity.Add(cent) },
		"a line's price":    func(s *cin7core.Sale) { line(s).Price = line(s).Price.Add(cent) },
		"a line's discount": func(s *cin7core.Sale) { line(s).Discount = line(s).Discount.Add(cent) },
		"a line's comment":  func(s *cin7core.Sale) { line(s).Comment = "red" },
		"a line's tax rule": func(s *cin7core.Sale) { line(s).TaxRule = "GST on Income" },
		"a line's tax":      func(s *cin7core.Sale) { line(s).Tax = line(s).Tax.Add(cents) },
		"a line left out":   func(s *cin7core.Sale) { s.Order.Lines = s.Order.Lines[1:] },
		"totals of two lines": func(s *cin7core.Sale) {
			l := s.Order.Lines
			l[0].Total, l[1].Total = l[1].Total,
				l[0].Total
		},

		"a charge's description": func(s *cin7core.Sale) { charge(s).Description = "By air" },
		"a charge's quantity":    func(s *cin7core.Sale) { charge(s).Quantity = charge(s).Quantity.Add(cent) },
		"a charge's price":       func(s *cin7core.Sale) { charge(s).Price = charge(s).Price.Add(cent) },
		"a charge's discount":    func(s *cin7core.Sale) { charge(s).Discount = charge(s).Discount.Add(cent) },
		"a charge's total":       func(s *cin7core.Sale) { charge(s).Total = charge(s).Total.Add(cent) },
		"a charge's tax rule":    func(s *cin7core.Sale) { charge(s).TaxRule = "Another" },
		"a charge's tax":         func(s *cin7core.Sale) { charge(s).Tax = charge(s).Tax.Add(cents) },
		"a charge's comment":     func(s *cin7core.Sale) { charge(s).Comment = "red" },
		"no charges":             func(s *cin7core.Sale) { s.Order.AdditionalCharges = nil },
	} {
		got := read()
		if change(&got); SameLines(p.Order, got.Order) || !SameHeader(p.Header, got) {
			t.Errorf("%s is not seen, or seen in the header", name)
		}
	}
	for name, change := range map[string]func(*cin7core.Sale){
		"external id": func(s *cin7core.Sale) { s.ExternalID += "0" },
		"customer":    func(s *cin7core.Sale) { s.CustomerID = "c9" },
		"reference":   func(s *cin7core.Sale) { s.CustomerReference = "PO-78" },
		"order date":  func(s *cin7core.Sale) { s.SaleOrderDate = s.SaleOrderDate.AddDate(0, 0, 1) },
		"ship by":     func(s *cin7core.Sale) { s.ShipBy = s.ShipBy.AddDate(0, 0, 1) },
		"location":    func(s *cin7core.Sale) { s.Location = "Moon" },
		"notes":       func(s *cin7core.Sale) { s.ShippingNotes = "" },
	} {
		got := read()
		if change(&got); !SameLines(p.Order, got.Order) || SameHeader(p.Header, got) {
			t.Errorf("the header's %s is not seen, or seen in the lines", name)
		}
	}
	got := read().Order
	if !SameGoods(p.Order, got) {
		t.Error("the same goods are others")
	}
	if got.Lines[1].Quantity = got.Lines[1].Quantity.Add(cent); SameGoods(p.Order, got) {
		t.Error("another quantity is the same goods")
	}
}

func TestNumbers(t *testing.T) {
	for lines, want := range map[string]string{"3": "Line 3", "2,1,2": "Lines 1 and 2", "1,2,3": "Lines 1, 2 and 3",
		"1,2,3,4,5,6,7,8,9,10": "Lines 1, 2, 3, 4, 5, 6, 7, 8 and 2 more"} {
		var n []int
		for s := range strings.SplitSeq(lines, ",") {
			i, _ := strconv.Atoi(s)
			n = append(n, i)
		}
		if got := numbers(n); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
