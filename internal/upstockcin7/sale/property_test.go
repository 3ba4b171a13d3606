package sale_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/rest"
	"stockbridge/internal/sim"
	simcin7core "stockbridge/internal/sim/cin7core"
	simupstock "stockbridge/internal/sim/upstock"
	"stockbridge/internal/tenant"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/sale"
)

// far is one random account: a simulated Cin7 Core whose books were changed,
// its Upstock supplier, and all its reference data as the real client reads it.
type far struct {
	sim        *sim.Sim
	simUpstock *simupstock.Vendor
	simCore    *simcin7core.Vendor
	acc        sim.Account
	core       *cin7core.Client
	ref        sale.Reference
}

// TestProperty: for random orders, settings and reference data, Cin7 Core
// accepts what Make makes, with exactly the total that was predicted; or
// Make says what stands against the order, and what would fix it.
func TestProperty(t *testing.T) {
	testsize.Unraced(t)
	t.Parallel()
	planned, sold := 0, 0
	codes := map[string]int{}
	fresh := newFar(t) // its ids are every account's: the seed is the same
	fresh.read(t)
	rapid.Check(t, func(rt *rapid.T) {
		f := newFar(rt)
		f.ref = fresh.ref
		defer f.sim.Close()
		f.change(rt)
		f.read(rt)
		for range 6 {
			o, faults, order := f.order(rt)
			s := drawSettings(rt)
			p, problems, wants := sale.Make(o, faults, s, f.ref)
			planned++
			stale := f.ref
			stale.Live = false
			if _, same, _ := sale.Make(o, faults, s, stale); len(same) != len(problems) || len(wants) > 0 {
				rt.Fatalf("read live: %d problems and %v; else: %d", len(problems), wants, len(same))
			}
			if len(problems) > 0 {
				for _, pr := range problems {
					codes[pr.Code]++
					if pr.Code == "" || pr.Message == "" || pr.Fix == "" {
						rt.Fatalf("a problem without code, words or fix: %+v", pr)
					}
				}
				continue
			}
			sold++
			f.sell(rt, o, order, s, p)
		}
	})
	share := 100 * sold / max(1, planned)
	t.Logf("%d orders, %d %% of them sold; problems of the others: %v", planned, share, codes)
	if share < 40 {
		t.Errorf("only %d %% of the orders are sold: the property says little", share)
	}
}

// sell sends a plan and compares what Cin7 Core made of it.
func (f *far) sell(rt *rapid.T, o upstock.Order, order simupstock.OrderSummary, s sale.Settings, p sale.Plan) {
	ctx := context.Background()
	before := f.customer(rt, p.CustomerID)
	created, err := f.core.CreateSale(ctx, p.Header)
	if err != nil {
		rt.Fatalf("create sale: %v %v\n%+v", err, said(err), p.Header)
	}
	doc := p.Order
	doc.SaleID = created.ID
	saved, err := f.core.SaveOrder(ctx, doc)
	if err != nil {
		rt.Fatalf("order lines: %v %v\n%+v", err, said(err), doc)
	}
	read, err := f.core.Sale(ctx, created.ID)
	if err != nil {
		rt.Fatal(err)
	}
	discounts := f.ref.Books.Me.AutomaticallyApplyDiscounts && s.OrderStatus == sale.Authorised &&
		before.Discount.IsPositive()
	switch {
	case discounts:
		if len(p.Said) == 0 {
			rt.Fatal("nothing is said of the discounts that the account applies by itself")
		}
	case !saved.Total.Equal(p.SaleTotal) || !read.Order.Total.Equal(p.SaleTotal):
		rt.Fatalf("predicted %s, Cin7 Core says %s and %s", p.SaleTotal, saved.Total, read.Order.Total)
	case !sale.SameLines(p.Order, saved) || !sale.SameLines(p.Order, read.Order):
		rt.Fatalf("sent\n%+v\nread\n%+v", p.Order, read.Order)
	}
	if !sale.SameHeader(p.Header, read) {
		rt.Fatalf("sent\n%+v\nread\n%+v", p.Header, read)
	}
	if order.Total != "" && !decimal.RequireFromString(order.Total).Equal(p.OrderTotal) {
		rt.Fatalf("the order says %s, the plan %s", order.Total, p.OrderTotal)
	}
	if p.SaleTotal.Sub(p.OrderTotal).Sub(p.Rounding).Abs().GreaterThan(s.TotalTolerance) {
		rt.Fatalf("order %s, sale %s, tolerance %s", p.OrderTotal, p.SaleTotal, s.TotalTolerance)
	}
	for i, l := range o.Lines {
		if got := read.Order.Lines[i]; !got.Quantity.Equal(l.Quantity) ||
			got.DropShip && f.product(got.ProductID).DropShipMode != "Always Drop Ship" {
			rt.Fatalf("line %d: ordered %s, sold %s (drop ship %v)", i+1, l.Quantity, got.Quantity, got.DropShip)
		}
	}
	want := map[string]string{sale.Draft: "DRAFT", sale.Authorised: "AUTHORISED"}[s.OrderStatus]
	if string(saved.Status) != want || read.Type != map[string]string{sale.Simple: "Simple Sale",
		sale.Advanced: "Advanced Sale"}[s.SaleType] {
		rt.Fatalf("%s %s: the sale is %s, %s", s.OrderStatus, s.SaleType, saved.Status, read.Type)
	}
	if after := f.customer(rt, p.CustomerID); len(after.Addresses) != len(before.Addresses) {
		rt.Fatalf("the order left an address on the customer's card: %+v", after.Addresses)
	}
}

func said(err error) []string { return rest.MessagesOf(err) }

func newFar(rt rapid.TB) *far {
	f := &far{simUpstock: simupstock.New(), simCore: simcin7core.New(simcin7core.Options{})}
	s, err := sim.New(sim.Options{Seed: "property", NoLimits: true}, f.simUpstock, f.simCore)
	if err != nil {
		rt.Fatal(err)
	}
	f.sim, f.acc = s, s.AddAccount("Harbour Roasters", "")
	f.core = cin7core.New("http://sim.test"+sim.PrefixCin7Core, s.Transport(), nil, f.acc.Cin7Core.AccountID,
		f.acc.Cin7Core.ApplicationKey)
	return f
}

// read reads all reference data anew.
func (f *far) read(rt rapid.TB) {
	ctx := context.Background()
	b := &f.ref.Books
	var errs []error
	keep := func(err error) { errs = append(errs, err) }
	var err error
	b.Me, err = f.core.Me(ctx)
	keep(err)
	b.Locations, err = f.core.Locations(ctx)
	keep(err)
	b.TaxRules, err = f.core.TaxRules(ctx)
	keep(err)
	b.PaymentTerms, err = f.core.PaymentTerms(ctx)
	keep(err)
	b.Contacts, err = f.core.Contacts(ctx)
	keep(err)
	b.Carriers, err = f.core.Carriers(ctx)
	keep(err)
	b.PriceTiers, err = f.core.PriceTiers(ctx)
	keep(err)
	f.ref.Customers = collect(rt, f.core.Customers(ctx, cin7core.CustomersQuery{IncludeDeprecated: true}))
	f.ref.Products = collect(rt, f.core.Products(ctx, cin7core.ProductsQuery{IncludeDeprecated: true}))
	f.ref.Supplier, f.ref.Live = int64(f.acc.Upstock.Supplier), true
	for _, err := range errs {
		if err != nil {
			rt.Fatal(err)
		}
	}
}

func collect[T any](rt rapid.TB, rows iter.Seq2[T, error]) []T {
	var list []T
	for x, err := range rows {
		if err != nil {
			rt.Fatal(err)
		}
		list = append(list, x)
	}
	return list
}

func (f *far) customer(rt *rapid.T, id string) cin7core.Customer {
	x, err := f.core.Customer(context.Background(), id)
	if err != nil {
		rt.Fatal(err)
	}
	return x
}

func (f *far) product(id string) cin7core.Product {
	i := slices.IndexFunc(f.ref.Products, func(p cin7core.Product) bool { return p.ID == id })
	return f.ref.Products[i]
}

// put merges into a record of the simulated books.
func (f *far) put(rt *rapid.T, path, body string) {
	req, err := http.NewRequest(http.MethodPut, "http://sim.test/sim/cin7core/"+path, strings.NewReader(body))
	if err != nil {
		rt.Fatal(err)
	}
	resp, err := f.sim.Transport().RoundTrip(req)
	if err != nil {
		rt.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		answer, _ := io.ReadAll(resp.Body)
		rt.Fatalf("PUT %s %s: %s", path, body, answer)
	}
}

// once says yes in one of 2^n cases.
func once(rt *rapid.T, n int, what string) bool {
	for range n {
		if !rapid.Bool().Draw(rt, what) {
			return false
		}
	}
	return true
}

func oneOf[T any](rt *rapid.T, what string, from ...T) T {
	return rapid.SampledFrom(from).Draw(rt, what)
}

// change makes the account's books another's.
func (f *far) change(rt *rapid.T) {
	b := f.ref.Books
	account := "?account=" + f.acc.Cin7Core.AccountID
	f.put(rt, "me"+account, fmt.Sprintf(`{"TaxCalculationMethod":%q,"MaximumDecimalPlacesInQuantity":%q,"DiscountRule":%q}`,
		oneOf(rt, "tax method", "Row Total", "Total"), oneOf(rt, "quantity places", "N2", "N4", "N3", "N0"),
		oneOf(rt, "discount rule", "Discount", "Price")))
	if once(rt, 3, "automatic discounts") {
		f.put(rt, "me"+account, `{"AutomaticallyApplyDiscounts":true}`)
	}
	if once(rt, 2, "locked") {
		days := oneOf(rt, "locked days ago", 400, 40, 2, 1)
		layout := oneOf(rt, "lock date's form", "02/01/2006", "2006-01-02T00:00:00")
		lock := time.Now().AddDate(0, 0, -days)
		if lock.Day() <= 12 { // day and month cannot be told apart: Cin7 Core says it itself
			layout = "2006-01-02T00:00:00"
		}
		f.put(rt, "me"+account, fmt.Sprintf(`{"LockDate":%q}`, lock.Format(layout)))
	}
	if once(rt, 5, "no sales contacts") {
		f.put(rt, "contacts"+account, `[{"ContactID":"c1","Name":"Aroha Tait","Type":"Billing"}]`)
	}
	odd := once(rt, 4, "odd account")
	for _, c := range []struct {
		times      int
		path       string
		ids        []string
		fine, odds []string
	}{
		{2, "taxes/", ids(b.TaxRules, func(r cin7core.TaxRule) string { return r.ID }),
			[]string{`{"IsActive":true}`, `{"Components":[]}`,
				`{"TaxPercent":8.875,"IsTaxForSale":true,"IsActive":true}`, `{"TaxInclusive":true}`},
			[]string{`{"TaxPercent":15}`, `{"Name":"Rate O’Hara & Sön"}`, `{"IsActive":false}`,
				`{"IsTaxForSale":true}`}},
		{1, "terms/", ids(b.PaymentTerms, func(x cin7core.PaymentTerm) string { return x.ID }),
			[]string{`{"IsActive":true}`}, []string{`{"IsActive":false}`, `{"Name":"Net 7"}`}},
		{6, "customers/", ids(f.ref.Customers, func(x cin7core.Customer) string { return x.ID }), []string{
			`{"TaxRule":"Zero Rated Income"}`, `{"TaxRule":"GST on Income (to 2010)"}`, `{"TaxRule":"gst ON income"}`,
			`{"TaxRule":"Gone"}`, `{"Location":"Southern Store"}`, `{"Location":"Old Woolshed"}`,
			`{"Location":null}`, `{"SalesRepresentative":"Mere Parata"}`, `{"SalesRepresentative":"mere parata"}`,
			`{"Carrier":"Strait Freight"}`, `{"Carrier":null}`, `{"Discount":12.25}`,
			`{"PriceTier":"Tier 7"}`, `{"Contacts":[]}`,
			`{"Addresses":[{"ID":"a1","Line1":"1 Nowhere","Type":"Business","DefaultForType":true}]}`}, []string{
			`{"Addresses":[]}`, `{"PaymentTerm":"Cash"}`, `{"SalesRepresentative":"Gone Away"}`, `{"Carrier":"Gone"}`,
			`{"PriceTier":"Gone"}`, `{"IsOnCreditHold":true}`, `{"Status":"Deprecated"}`, `{"Currency":"AUD"}`}},
		{5, "products/", ids(f.ref.Products, func(x cin7core.Product) string { return x.ID }), []string{
			`{"DropShipMode":"Optional Drop Ship"}`, `{"DropShipMode":"Always Drop Ship"}`, `{"OnHand":0}`,
			`{"OnHand":1000000}`, `{"SaleTaxRule":"Zero Rated Income"}`,
			`{"Name":"Ünïcødé ☕ ` + strings.Repeat("n", 200) + `"}`, `{"Status":"ACTIVE"}`},
			[]string{`{"Status":"Setup required"}`, `{"Status":"Deprecated"}`, `{"Sellable":false}`,
				`{"Type":"Service"}`}},
		// After the products: their stock lies at a location by its name.
		{1, "locations/", ids(b.Locations, func(l cin7core.Location) string { return l.ID }),
			[]string{`{"IsDefault":true}`, `{"IsDeprecated":false}`},
			[]string{`{"Name":"Yard “B”, Ōtāhuhu"}`, `{"IsDeprecated":true}`, `{"IsDefault":false}`}},
	} {
		for range c.times {
			to := c.fine
			if odd {
				to = slices.Concat(c.odds, c.fine)
			}
			if rapid.Bool().Draw(rt, "change "+c.path) {
				f.put(rt, c.path+oneOf(rt, c.path, c.ids...), oneOf(rt, c.path+" to", to...))
			}
		}
	}
}

func ids[T any](rows []T, of func(T) string) []string {
	var list []string
	for _, r := range rows {
		list = append(list, of(r))
	}
	return list
}

// drawSettings draws settings that validate.
func drawSettings(rt *rapid.T) sale.Settings {
	doc := map[string]any{
		"orderStatus":  oneOf(rt, "order status", sale.Draft, sale.Authorised),
		"saleType":     oneOf(rt, "sale type", sale.Simple, sale.Advanced),
		"shipBySource": oneOf(rt, "ship by", sale.DeliveryDate, sale.NoDate),
		"addressMatch": oneOf(rt, "address match", sale.MatchAny, sale.MatchLine1, sale.MatchCity,
			sale.MatchPostcode),
		"addressField":   oneOf(rt, "address field", "", "Site", "site "),
		"totalTolerance": oneOf(rt, "tolerance", "5", "1000.00", "2.5", "1.5", "5", "0.02", "0.00"),
		"freightProduct": "FREIGHT", "defaultSalesRep": oneOf(rt, "sales rep", sale.DefaultSalesRep, "", "mere parata"),
		"location": "", "taxRules": map[string]string{},
	}
	if doc["orderStatus"] == sale.Authorised && doc["saleType"] == sale.Simple {
		doc["creationMode"] = oneOf(rt, "mode", sale.NoPick, sale.AutoPick, sale.AutoPickPack, sale.AutoPickPackShip)
	}
	if once(rt, 3, "set location") {
		doc["location"] = oneOf(rt, "location", "Main Warehouse", "southern store", "Southern Store", "Main Warehouse",
			"Old Woolshed", "Moon")
	}
	if once(rt, 3, "set tax rules") {
		doc["taxRules"] = map[string]string{"15": oneOf(rt, "rule of 15", "GST on Income", "gst on income",
			"GST on Income", "GST on Expenses", "Zero Rated Income"), "0.00": "Zero Rated Income"}
	}
	if once(rt, 3, "odd freight product") {
		doc["freightProduct"] = oneOf(rt, "freight product", "freight", "Freight", "KWK-100", "")
	}
	if once(rt, 5, "odd sales rep") {
		doc["defaultSalesRep"] = "Nobody"
	}
	raw, err := json.Marshal(doc)
	if err != nil {
		rt.Fatal(err)
	}
	s := sale.DefaultSettings()
	if err := tenant.Parse(raw, &s); err != nil {
		rt.Fatal(err)
	}
	return s
}

// order draws an order, which the simulated Upstock completes and adds up.
func (f *far) order(rt *rapid.T) (upstock.Order, []upstock.FieldError, simupstock.OrderSummary) {
	doc := map[string]any{}
	odd := once(rt, 3, "odd order")
	good := f.ref.Customers[:5]
	who := good[rapid.IntRange(0, len(good)-1).Draw(rt, "customer")]
	if odd && once(rt, 1, "odd customer") {
		who = oneOf(rt, "odd customer", f.ref.Customers...)
	}
	customer := map[string]any{"externalId": who.ID}
	if once(rt, 3, "customer by name") {
		customer = map[string]any{"name": who.Name, "externalId": nil, "email": nil}
		if odd {
			customer["name"], customer["email"] = oneOf(rt, "name", strings.ToUpper(who.Name), "Nobody Ltd"),
				oneOf(rt, "e-mail", "ORDERS@harbourside.example", "")
		}
	}
	doc["customer"] = customer
	if odd && once(rt, 3, "odd currency") {
		doc["currency"] = oneOf(rt, "currency", "nzd", "AUD")
	}
	if once(rt, 2, "old") {
		doc["orderDate"] = time.Now().AddDate(0, 0, -rapid.IntRange(0, 60).Draw(rt, "days ago")).Format(time.DateOnly)
	}
	if once(rt, 2, "no delivery date") {
		doc["deliveryDate"] = nil
	}
	text := drawText(rt)
	if once(rt, 1, "reference") {
		doc["reference"] = text("reference")
	}
	var comments []any
	for range rapid.IntRange(0, 3).Draw(rt, "comments") {
		comments = append(comments, map[string]any{"at": "2026-03-01T10:00:00Z", "author": "Ana",
			"text": text("comment")})
	}
	if comments != nil {
		doc["comments"] = comments
	}
	if once(rt, 2, "custom fields") {
		value := text("custom field")
		if len(who.Addresses) > 0 {
			a := oneOf(rt, "card's address", who.Addresses...)
			value = oneOf(rt, "custom field", a.Line1, strings.ToUpper(a.City), " "+a.Postcode, value)
		}
		doc["customFields"] = map[string]string{"Site": value, "Gate": text("gate")}
	}
	switch {
	case once(rt, 1, "card's address") && len(who.Addresses) > 0:
		a := oneOf(rt, "address of the card", who.Addresses...)
		doc["deliveryAddress"] = map[string]any{"line1": oneOf(rt, "case", a.Line1, strings.ToUpper(a.Line1)+" "),
			"line2": a.Line2, "city": a.City, "postcode": a.Postcode, "country": a.Country}
	case once(rt, 1, "other address"):
		a := map[string]any{"line1": "9 Hill " + text("street"), "line2": text("line 2"), "city": text("city"),
			"region": text("region"), "postcode": text("postcode"),
			"company": text("company"), "contact": text("contact"),
			"country": oneOf(rt, "country", "New Zealand", "", "NZ")}
		if odd && once(rt, 2, "no street") {
			a["line1"] = ""
		}
		doc["deliveryAddress"] = a
	case once(rt, 1, "no address"):
		doc["deliveryAddress"] = nil
	}

	var rates []string
	for _, r := range f.ref.Books.TaxRules {
		switch {
		case strings.EqualFold(r.Name, who.TaxRule) && (r.IsActive || odd):
			rates = append([]string{r.TaxPercent.StringFixed(2)}, rates...)
		case r.IsActive && r.IsTaxForSale:
			rates = append(rates, r.TaxPercent.String())
		}
	}
	if rates == nil {
		rates = []string{"15.00"}
	}
	rate := func(what string) string {
		if odd && once(rt, 6, "odd "+what) {
			return oneOf(rt, what, "7", "100", "150")
		}
		return oneOf(rt, what, rates...)
	}
	number := func(what string, low, high int64, places int32) string {
		return decimal.New(rapid.Int64Range(low, high).Draw(rt, what),
			-rapid.Int32Range(0, places).Draw(rt, what+"'s decimals")).String()
	}
	places := int32(min(4, map[string]int{"N0": 0, "N2": 2, "N3": 3}[f.ref.Books.Me.MaximumDecimalPlacesInQuantity]))
	var lines []any
	for range rapid.IntRange(1, 30).Draw(rt, "lines") {
		p := f.ref.Products[rapid.IntRange(0, 20).Draw(rt, "product")]
		if odd && once(rt, 4, "odd product") {
			p = oneOf(rt, "odd product", f.ref.Products...)
		}
		l := map[string]any{"productExternalId": p.ID, "taxRate": rate("tax rate")}
		if once(rt, 2, "by SKU") {
			l["productExternalId"], l["sku"] = nil, p.SKU
			if odd && once(rt, 2, "another case") {
				l["sku"] = strings.ToLower(p.SKU)
			}
		}
		l["quantity"] = decimal.NewFromInt(1).Add(decimal.RequireFromString(number("quantity", 0, 2000,
			places))).String()
		if odd && once(rt, 6, "odd quantity") {
			l["quantity"] = oneOf(rt, "odd quantity", "0.5", "1.00001", "1000000", "12345.6789", "0", "-3",
				"99999999999")
		}
		if once(rt, 1, "price") {
			l["unitPrice"] = number("price", 0, 900_000, 4)
		}
		if odd && once(rt, 6, "odd price") {
			l["unitPrice"] = oneOf(rt, "odd price", "0.000049", "12.3456789", "-1", "5000000000")
		}
		if once(rt, 2, "discount") {
			l["discountPercent"] = oneOf(rt, "round discount", "10", "2.5", "33.33", number("discount", 0, 100, 4),
				"100")
		}
		if once(rt, 2, "line comment") {
			l["comment"] = text("line comment")
		}
		lines = append(lines, l)
	}
	doc["lines"] = lines
	if once(rt, 1, "freight") {
		doc["freight"] = map[string]any{"description": text("freight"), "amount": number("freight", 0, 90_000, 4),
			"taxRate": rate("freight's tax rate")}
	}
	switch {
	case once(rt, 2, "no totals"):
		doc["totals"] = nil
	case odd && once(rt, 3, "other totals"):
		doc["totals"] = map[string]string{"subtotal": "1", "tax": "1", "total": "2.00"}
	}
	body := marshal(rt, doc)
	placed, err := f.simUpstock.PlaceOrder(f.acc.Upstock.Supplier, string(body))
	if err != nil {
		rt.Fatal(err)
	}
	o, faults := upstock.ParseOrder(placed.JSON)
	return o, faults, placed
}

func marshal(rt *rapid.T, v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		rt.Fatal(err)
	}
	return b.Bytes()
}

// drawText draws what people, and others, type into a field.
func drawText(rt *rapid.T) func(what string) string {
	return func(what string) string {
		if once(rt, 3, "any "+what) {
			return rapid.String().Draw(rt, what)
		}
		s := oneOf(rt, what, "PO 77", "Leave at the back door", "", "☕️👩‍👩‍👧‍👦🏴‍☠️", "\u202eשלום\u202c سلام",
			"a\r\nb\tc\x00d", "\ufffe\uffff\ufeff", "e\u0301\u0301", `"<b>&amp;'`, "𝒳")
		if once(rt, 3, "long "+what) {
			s = strings.Repeat(s, oneOf(rt, "times", 300, 2000, 17))
		}
		return s
	}
}
