package catalogue

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/mirror"
	"stockbridge/internal/publish"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstock"
)

func TestProductOf(t *testing.T) {
	long := strings.Repeat("語", 50_001)
	x := cin7core.Product{ID: " 7C1F0000-0000-4000-8000-00000000000A ", SKU: " HON-1\r\n", Name: "Mānuka\x00 honey 🍯",
		Category: "Food", Brand: "Kererū", Type: "Stock", UOM: "Jar", Barcode: "9400", ShortDescription: "Short",
		DiscountRule: "Ten for nine", Status: "ACTIVE", LastModifiedOn: time.Date(2026, 5, 1, 2, 3, 4, 0, time.UTC),
		Attachments: []cin7core.Attachment{
			{ID: "B", ContentType: "application/pdf", DownloadURL: "https://files.example.com/b", IsDefault: true},
			{ID: "E", ContentType: "image/jpeg", DownloadURL: "https://files.example.com/e"},
			{ID: "D", ContentType: "Image/PNG", DownloadURL: "https://files.example.com/d"},
			{ID: "C", ContentType: "image/png"}}}
	x.PriceTier2 = dec("12.4600")
	p := ProductOf(x)
	want := Product{ID: "7c1f0000-0000-4000-8000-00000000000a", SKU: "HON-1", Name: "Mānuka honey 🍯",
		Description: "Short", Category: "Food", Brand: "Kererū", Unit: "Jar", Barcode: "9400", Type: "Stock",
		Status: "ACTIVE", Sellable: true, Tiers: TierPrices{1: dec("12.46")}, ImageID: "d",
		ImageURL: "https://files.example.com/d", DiscountRule: "Ten for nine", Modified: x.LastModifiedOn}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
	rows := ProductRows(x)
	again, err := ReadProduct(rows[0])
	if age := time.Since(again.ImageRead); age < 0 || age > time.Minute {
		t.Errorf("the link was read %v ago", age)
	}
	again.ImageRead = time.Time{}
	if diff := cmp.Diff(want, again); diff != "" || err != nil || len(rows) != 1 || rows[0].Kind != ProductKind {
		t.Error(err, diff)
	}
	const row = `"sellable":true,"tiers":["0","12.46"],"imageId":"d"`
	if !strings.Contains(string(rows[0].Data), row) {
		t.Errorf("%s", rows[0].Data)
	}
	x.Attachments[1].IsDefault, x.Description = true, long
	p = ProductOf(x)
	const left = "Left out: the description, which is longer than 50,000 characters."
	if p.ImageID != "e" || p.Description != "" || p.Left != left {
		t.Errorf("%+v", p)
	}
	x.Name = strings.Repeat("ﷺ", 256)
	if p := ProductOf(x); p.Name != x.Name {
		t.Errorf("%q", p.Name)
	}
	for _, id := range []string{"", " ", "00000000-0000-0000-0000-000000000000"} {
		if rows := ProductRows(cin7core.Product{ID: id}); rows != nil {
			t.Errorf("%v", rows)
		}
		if rows := CustomerRows(cin7core.Customer{ID: id}); rows != nil {
			t.Errorf("%v", rows)
		}
	}
	if data := ProductRows(cin7core.Product{ID: "A", Sellable: new(false)})[0].Data; string(data) != `{"id":"a"}` {
		t.Errorf("an empty product is %s", data)
	}
	for _, bad := range []string{`[1,2,3,4,5,6,7,8,9,10,11]`, `"x"`, `["x"]`} {
		if json.Unmarshal([]byte(bad), new(TierPrices)) == nil {
			t.Error(bad)
		}
	}
}

func TestCustomerOf(t *testing.T) {
	at := func(kind, id, line string, isDefault bool) cin7core.CustomerAddress {
		return cin7core.CustomerAddress{ID: id, Line1: line, City: "Hastings", State: "Hawke's Bay", Postcode: "4122",
			Country: "New Zealand", Type: kind, DefaultForType: isDefault}
	}
	place := func(line string) upstock.Address {
		return upstock.Address{Line1: line, City: "Hastings", Region: "Hawke's Bay", Postcode: "4122",
			Country: "New Zealand"}
	}
	second := at("Shipping", "4", "", false)
	second.Line2 = "Shed 4"
	x := cin7core.Customer{ID: "C1", Name: "Kea Café", Currency: "nzd", PriceTier: "Wholesale", Discount: dec("2.50"),
		Status: "Active", Contacts: []cin7core.CustomerContact{
			{ID: "3", Name: "Cleo", Email: "cleo@kea.test", Default: true},
			{ID: "2", Name: "Bo", Email: "bo@kea.test; shop@kea.test", MobilePhone: "021 1", Default: true},
			{ID: "1", Name: "Ana", Phone: "09 1", Default: true}, {ID: "0", Name: "Zed", Email: "zed@kea.test"}},
		Addresses: []cin7core.CustomerAddress{at("shipping", "5", "5 Quay St", false), second,
			at("Shipping", "6", "6 Quay St", true), at("Shipping", "7", "5 Quay St", false),
			{Type: "Shipping", Country: "NZ"}, at("Business", "1", "1 Main Rd", true),
			at("Billing", "3", "3 Main Rd", false), at("Billing", "2", "2 Main Rd", false)},
		ProductPrices: []cin7core.ProductPrice{{ProductID: "P2", Price: dec("3")}, {ProductID: "P1", Price: dec("1")},
			{ProductID: "p2", Price: dec("4")}, {Price: dec("5")}}}
	want := Customer{ID: "c1", Name: "Kea Café", Currency: "NZD", Tier: "Wholesale", Discount: dec("2.5"), Active: true,
		Contact: "Bo", Email: "bo@kea.test", Phone: "021 1", Billing: new(place("2 Main Rd")),
		Shipping: []upstock.Address{place("6 Quay St"), place("Shed 4"), place("5 Quay St")}, OwnPrices: 2}
	own := []OwnPrice{{"p1", dec("1")}, {"p2", dec("4")}}
	check := func(what string) {
		t.Helper()
		c, prices := CustomerOf(x)
		if diff := cmp.Diff(want, c) + cmp.Diff(own, prices); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
		rows := CustomerRows(x)
		c, err := ReadCustomer(rows[0])
		if diff := cmp.Diff(want, c); diff != "" || err != nil {
			t.Error(err, diff)
		}
		if len(own) == 0 {
			return
		}
		if prices, err = ReadOwnPrices(rows[1]); !cmp.Equal(own, prices) || err != nil || len(rows) != 2 ||
			rows[1].Key != OwnKeys(c)[0] {
			t.Error(err, prices)
		}
	}
	check("several default contacts")
	r := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		r.Shuffle(len(x.Contacts), func(i, j int) { x.Contacts[i], x.Contacts[j] = x.Contacts[j], x.Contacts[i] })
		r.Shuffle(len(x.Addresses), func(i, j int) { x.Addresses[i], x.Addresses[j] = x.Addresses[j], x.Addresses[i] })
		r.Shuffle(3, func(i, j int) { x.ProductPrices[i], x.ProductPrices[j] = x.ProductPrices[j], x.ProductPrices[i] })
		check("in another order")
	}
	for i := range x.Contacts {
		x.Contacts[i].Default = false
	}
	x.Status, x.ProductPrices = "DEPRECATED", nil
	x.Addresses = []cin7core.CustomerAddress{at("Business", "1", "1 Main Rd", false)}
	want.Contact, want.Email, want.Phone, want.Active = "Zed", "zed@kea.test", "", false
	want.Billing, want.Shipping, want.OwnPrices, own = new(place("1 Main Rd")), nil, 0, nil
	check("no default contact")
	x.Contacts, x.Addresses = nil, nil
	want.Contact, want.Email, want.Billing = "", "", nil
	check("none at all")

	for n := range 501 {
		x.Addresses = append(x.Addresses, at("Shipping", fmt.Sprint(1000+n), fmt.Sprint(n, " Quay St"), false))
	}
	c, _ := CustomerOf(x)
	if len(c.Shipping) != 500 || c.Left != "Left out: all but the first 500 of 501 delivery addresses." {
		t.Errorf("%d %q", len(c.Shipping), c.Left)
	}
}

// TestLinks: a link to an image stays as it was read while it works and the image is the same.
func TestLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		row := func(image, link string) mirror.Row {
			return ProductRows(cin7core.Product{ID: "p", Attachments: []cin7core.Attachment{
				{ID: image, ContentType: "image/png", DownloadURL: link}}})[0]
		}
		was := row("1", "a").Data
		for _, c := range []struct {
			after       time.Duration
			image, want string
		}{{time.Minute, "1", "a"}, {LinkGood - 2*time.Minute, "1", "a"}, {0, "2", "b"}, {time.Minute, "1", "b"}} {
			time.Sleep(c.after)
			p := reading[Product](t, row(c.image, "b").Over(was))
			if p.ImageURL != c.want || p.ImageID != c.image || (c.want == "b") != p.ImageRead.Equal(time.Now()) {
				t.Errorf("%+v: %+v", c, p)
			}
		}
	})
}

// TestOlderRows: an older answer that is kept late does not take the place of a newer one; one as old does, and so does
// what comes after a time that is still to come.
func TestOlderRows(t *testing.T) {
	at := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	rows := func(name string, modified time.Time) []mirror.Row {
		p := cin7core.Product{ID: "p", Name: name, LastModifiedOn: modified}
		c := cin7core.Customer{ID: "c", Name: name, LastModifiedOn: modified}
		c.ProductPrices = []cin7core.ProductPrice{{ProductID: "p", Price: decimal.NewFromInt(int64(len(name)))}}
		return append(ProductRows(p), CustomerRows(c)...)
	}
	for _, c := range []struct {
		had, read time.Time
		stays     bool
	}{
		{at, at.Add(-time.Second), true}, {at, at, false}, {at, at.Add(time.Second), false},
		{at, time.Time{}, false}, {time.Time{}, at, false}, {time.Now().AddDate(1, 0, 0), at, false},
	} {
		had, read := rows("first", c.had), rows("second one", c.read)
		for i, row := range read {
			want := row.Data
			if c.stays {
				want = had[i].Data
			}
			if now := row.Over(had[i].Data); string(now) != string(want) {
				t.Errorf("%s: %v over %v is %s", row.Kind, c.read, c.had, now)
			}
		}
		if len(read) != 3 {
			t.Errorf("%d rows", len(read))
		}
	}
}

// TestOwnPricesInRows: own prices come in as many rows as they need. Rows that are left from before do not count, and
// where some are not read yet nothing is wanted.
func TestOwnPricesInRows(t *testing.T) {
	a := small()
	a.products = nil
	a.customers = a.customers[:2]
	for n := range 2500 {
		p := cin7core.Product{ID: guid(1, n), SKU: fmt.Sprint(n), Name: "P", Status: "Active"}
		a.products = append(a.products, p)
		a.customers[0].ProductPrices = append(a.customers[0].ProductPrices,
			cin7core.ProductPrice{ProductID: p.ID, Price: dec("1")})
	}
	s := a.source()
	if got := all(t, s.WantPrices, publish.Key{}); len(got) != 2500 {
		t.Errorf("%d prices", len(got))
	}
	rows := CustomerRows(a.customers[0])
	if len(rows) != 4 || rows[3].ID != strings.ToLower(guid(2, 0))+"#002" {
		t.Errorf("%v", rows)
	}
	fewer := a.customers[0]
	fewer.ProductPrices = fewer.ProductPrices[:10]
	now := append(CustomerRows(fewer), rows[2:]...) // rows of before are there still
	s.Customers, s.OwnPrices = rowsOf(now[:1]), rowsOf(now[1:])
	if got := all(t, s.WantPrices, publish.Key{}); len(got) != 10 {
		t.Errorf("%d prices", len(got))
	}
	s.Customers, s.OwnPrices = rowsOf(rows[:1]), rowsOf(slices.Clone(rows[1:3]))
	for _, want := range []publish.Want{s.WantPrices, s.WantLists, s.WantCustomers} {
		for r, err := range want(t.Context(), publish.Key{}) {
			if !errors.Is(err, ErrUnread) {
				t.Errorf("%v %v", r, err)
			}
		}
	}
	for _, spoil := range []func(*Source){
		func(s *Source) { s.Rules.Tiers = nil },
		func(s *Source) { s.Rules.Currency = " " },
	} {
		s := a.source()
		spoil(&s)
		for _, want := range []publish.Want{s.WantProducts, s.WantPrices, s.WantLists, s.WantCustomers} {
			for r, err := range want(t.Context(), publish.Key{}) {
				if err == nil {
					t.Errorf("of an account that is not known: %v", r)
				}
			}
		}
	}
}

// TestStock: what Cin7 Core lists no stock of is out of stock, where that is asked.
func TestStock(t *testing.T) {
	a := small()
	id := func(n int) string { return strings.ToLower(guid(1, n)) }
	status := func() (said string) {
		for _, p := range toldOf(t, a.source()).products {
			said += map[string]string{upstock.Available: "a", upstock.OutOfStock: "o"}[p.Status]
		}
		return said
	}
	if got := status(); got != "aaa" {
		t.Error(got)
	}
	a.stock = map[string]bool{id(0): true, id(1): false, id(7): true}
	got := toldOf(t, a.source()).products
	if got[id(0)].Status != upstock.Available || got[id(1)].Status != upstock.OutOfStock ||
		got[id(2)].Status != upstock.OutOfStock {
		t.Errorf("%+v", got)
	}
}

// TestSeen: what Upstock was told and is read there is what is wanted.
func TestSeen(t *testing.T) {
	a := made(rand.New(rand.NewPCG(4, 4)), 30, 30)
	s := a.source()
	for _, r := range all(t, s.WantProducts, publish.Key{}) {
		p := reading[upstock.Product](t, r.Data)
		p.ExternalID = strings.ToUpper(p.ExternalID)
		if got := ProductSeen(p); string(got) != string(r.Data) {
			t.Errorf("%s, and %s is wanted", got, r.Data)
		}
		if p.Status = upstock.Discontinued; ProductSeen(p) != nil {
			t.Error("a discontinued product is there")
		}
	}
	for _, r := range all(t, s.WantCustomers, publish.Key{}) {
		c := reading[upstock.CustomerRecord](t, r.Data)
		c.ExternalID, c.ID = strings.ToUpper(c.ExternalID), 17
		if got := CustomerSeen(c); string(got) != string(r.Data) {
			t.Errorf("%s, and %s is wanted", got, r.Data)
		}
		if c.Active = false; CustomerSeen(c) != nil {
			t.Error("an inactive customer is there")
		}
	}
}

// TestDefaultPrice: a product's default price is that of the tier of the settings, or none.
func TestDefaultPrice(t *testing.T) {
	r := Rules{Currency: "NZD", Tiers: tiersOf("Retail", "Wholesale", "Twice", "Twice", "7")}
	p := Product{Tiers: TierPrices{dec("20"), dec("7.45505"), dec("3"), dec("3"), dec("-1"), dec("0"), dec("9")}}
	for tier, want := range map[string]string{"": "20.00", "1": "20.00", "2": "7.4551", "wholesale ": "7.4551",
		"Twice": "", "5": "", "6": "", "7": "9.00", "8": "", "11": "", "0": "", "Gone": ""} {
		r.Settings.DefaultPriceTier = tier
		got := ""
		if price := r.DefaultPrice(p); price != nil {
			got = upstock.PriceText(*price)
		}
		if got != want {
			t.Errorf("%q: %q, want %q", tier, got, want)
		}
	}
}

// TestNames: records are called by what people know them by, and shown field by field.
func TestNames(t *testing.T) {
	product := publish.Record{Key: publish.Key{ID: "p1"}, Data: dataOf(upstock.Product{ExternalID: "p1", SKU: "HON",
		Name: "Honey", Price: new(dec("7.455")), Status: upstock.OutOfStock, ImageURL: "image:1"})}
	customer := publish.Record{Key: publish.Key{ID: "c1"}, Data: dataOf(upstock.CustomerRecord{ExternalID: "c1",
		Name: "Kea", Active: true, ShippingAddresses: []upstock.Address{{Line1: "5 Quay St", City: "Hastings"}}})}
	none := publish.Record{Key: publish.Key{ID: "x"}, Data: json.RawMessage(`7`)}
	got := fmt.Sprint(ProductLabel(product), ", ", CustomerLabel(customer), ", ", ListLabel(customer), ", ",
		ProductLabel(none), ", ", ListLabel(none), " ", Fields(product.Data), Fields(customer.Data), Fields(none.Data))
	const want = "Honey (HON), Kea, Kea, x, x [{Name Honey} {SKU HON} {Status Out of stock} {Default price 7.4550} " +
		"{Image Yes}] [{Name Kea} {Active Yes} {Delivery address 5 Quay St, Hastings}] []"
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// TestGoodsAreSmall: what is kept in memory of the products is a fraction of their records.
func TestGoodsAreSmall(t *testing.T) {
	if !testsize.Alone(t) {
		return
	}
	many := testsize.Of(100_000, 20_000, 2_000)
	a := account{rules: Rules{Currency: "NZD", Tiers: tiersOf("Retail")}}
	for n := range many {
		p := cin7core.Product{ID: guid(1, n), SKU: fmt.Sprint(n), Name: "P", Status: "Active"}
		p.PriceTier1, p.PriceTier9 = dec("12.46"), dec("7.4550")
		a.products = append(a.products, p)
	}
	s := a.source()
	a.products = nil
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	g, err := s.goods(t.Context())
	runtime.GC()
	runtime.ReadMemStats(&after)
	if err != nil || len(g.ids) != many {
		t.Fatal(len(g.ids), err)
	}
	each := (int(after.HeapAlloc) - int(before.HeapAlloc)) / many
	t.Logf("%d bytes a product", each)
	if each > 250 {
		t.Errorf("%d bytes a product", each)
	}
	runtime.KeepAlive(s)
}
