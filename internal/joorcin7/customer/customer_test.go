package customer

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/tenant"
)

func harbour() Contact {
	return Contact{
		ID: "1041", Active: true, Company: " Harbourside Grocers ", First: "Ngaire", Last: "Pohatu",
		Email: "orders@harbourside.example", Phone: "+64 9 555 0101", AccountNumber: "0624",
		Delivery:    Address{Line1: "12 Quay Street", City: "Auckland", Postcode: "1010", Country: "New Zealand"},
		PriceColumn: "WholesalePrice", Terms: "20th of month", SalesPerson: "7", Group: "Grocers",
	}
}

func rules() Rules {
	return Rules{Account: Account{Prices: []Price{{"NZD", "Wholesale"}, {"NZD", "Retail"}, {"AUD", "Retail"}}}}
}

// TestMapped: each field of a contact becomes the field of its connection; what has no rule is not sent.
func TestMapped(t *testing.T) {
	got, faults := rules().Connection(harbour(), Connection{})
	want := Connection{
		Code: "1041", Mark: "1041", Name: "Harbourside Grocers", Email: "orders@harbourside.example",
		Buyer: "Ngaire Pohatu", Phone: "+64 9 555 0101", Price: Price{"NZD", "Wholesale"},
		Billing:  Address{Line1: "12 Quay Street", City: "Auckland", Postcode: "1010", Country: "New Zealand"},
		Shipping: Address{Line1: "12 Quay Street", City: "Auckland", Postcode: "1010", Country: "New Zealand"},
	}
	if diff := cmp.Diff(want, got); diff != "" || faults != nil {
		t.Errorf("%q (-want +got):\n%s", faults, diff)
	}
	r := rules()
	r.Settings = Settings{
		Prices: Prices{" wholesaleprice": {"USD", "Landed"}}, Terms: Names{"20TH OF MONTH": "Net 20"},
		Reps: Names{"7": "REP7"}, Groups: Names{"grocers": "Food"},
	}
	c := harbour()
	c.Company, c.Phone, c.Mobile = "", "", "021 555 0102"
	c.Postal = Address{Line2: "PO Box 9", City: "Wellington", Postcode: "6011", Country: "NZ"}
	got, faults = r.Connection(c, Connection{Code: "OLD-7", Name: "Harbour", Phone: "1", Terms: "Net 5"})
	want = Connection{
		Code: "OLD-7", Mark: "1041", Name: "Ngaire Pohatu", Email: want.Email, Buyer: want.Buyer,
		Phone: "021 555 0102", Price: Price{"USD", "Landed"}, Terms: "Net 20", Rep: "REP7", Group: "Food",
		Billing:  Address{Line1: "PO Box 9", City: "Wellington", Postcode: "6011", Country: "NZ"},
		Shipping: want.Shipping,
	}
	if diff := cmp.Diff(want, got); diff != "" || faults != nil {
		t.Errorf("%q (-want +got):\n%s", faults, diff)
	}
	data, err := got.Pack()
	if err != nil {
		t.Fatal(err)
	}
	back, err := ReadConnection(data)
	if diff := cmp.Diff(got, back); diff != "" || err != nil {
		t.Errorf("read back: %v\n%s", err, diff)
	}
	var differ []string
	for _, f := range Compare(got, Connection{Code: "OLD-7", Name: "Ngaire Pohatu"}) {
		if f.Differs {
			differ = append(differ, f.Name)
		}
	}
	if slices.Contains(differ, "Customer code") || slices.Contains(differ, "Name") || len(differ) < 10 {
		t.Errorf("differ: %q", differ)
	}
}

// TestFaults: whatever JOOR asks for and a contact has not, or has too long, is said at once, and nothing is cut.
func TestFaults(t *testing.T) {
	far := strings.Repeat("é", 300)
	for _, test := range []struct {
		name   string
		change func(*Contact)
		want   string // parts of what is said, with | between; "" = nothing is
	}{
		{"as it is", func(*Contact) {}, ""},
		{"no company, but a name", func(c *Contact) { c.Company = "" }, ""},
		{"no company and no name", func(c *Contact) { c.Company, c.First, c.Last = " ", "", "" },
			"It has no company and no name"},
		{"no e-mail", func(c *Contact) { c.Email = "" }, "It has no e-mail address"},
		{"half an e-mail", func(c *Contact) { c.Email = "@harbourside.example" }, "is none"},
		{"300 characters", func(c *Contact) { c.Company, c.First, c.Email = far, far, "a@"+far },
			"name is 300 characters long, and JOOR holds 100|e-mail address is 302|first and last name is 307"},
		{"no address", func(c *Contact) { c.Delivery = Address{} }, "It has no address"},
		{"a country alone", func(c *Contact) { c.Delivery = Address{Country: "New Zealand"} }, "It has no address"},
		{"no city, no country", func(c *Contact) { c.Delivery.City, c.Delivery.Country = "", "" }, "city|country"},
		{"no state in Australia", func(c *Contact) { c.Delivery.Country = "australia" }, "asks for in Australia"},
		{"no state in the USA", func(c *Contact) { c.Delivery.Country = "U.S.A." }, "asks for in the United States"},
		{"a state", func(c *Contact) { c.Delivery.Country, c.Delivery.State = "AU", "NSW" }, ""},
		{"formulas", func(c *Contact) { c.Company, c.First = "=1+1", "@SUM(A1)" }, ""},
		{"a control character", func(c *Contact) { c.Company = "Harbour\x07side" }, "cannot be seen (U+0007)"},
		{"a zero width space", func(c *Contact) { c.Delivery.City = "Auck\u200bland" }, "a zero width space"},
		{"no price column", func(c *Contact) { c.PriceColumn = "" }, "It has no price column"},
		{"a column without a label", func(c *Contact) { c.PriceColumn = "VipPrice" },
			"not known to have a price label “Vip”"},
		{"a label in two currencies", func(c *Contact) { c.PriceColumn = "RetailPrice" }, "several currencies"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := harbour()
			test.change(&c)
			_, faults := rules().Connection(c, Connection{})
			said := strings.Join(faults, " ")
			for _, part := range strings.Split(test.want, "|") {
				if !strings.Contains(said, part) || (test.want == "") != (said == "") {
					t.Errorf("%q, want %q", said, test.want)
				}
			}
			if n := strings.Count(test.want, "|") + 1; test.want != "" && len(faults) != n {
				t.Errorf("%d faults, want %d: %q", len(faults), n, faults)
			}
		})
	}
}

// TestAccountRules: what a rule names and JOOR has not, and a rep whose code and e-mail are not one to one.
func TestAccountRules(t *testing.T) {
	account := Account{Whole: true, Prices: []Price{{"NZD", "Wholesale"}}, Terms: []Named{{"Net 20", "N20"}},
		Reps: []Rep{{"R1", "Ana", "ana@example.com"}, {"R2", "Ben", "ben@example.com"}, {"R2", "Ben", "b@example.com"},
			{"R3", "Cy", "cy@example.com"}, {"R4", "Cy", "CY@example.com"}}}
	for _, test := range []struct {
		name     string
		settings Settings
		want     string
	}{
		{"all there", Settings{Terms: Names{"20th of month": "net 20"}, Reps: Names{"7": "R1"}}, ""},
		{"no such terms", Settings{Terms: Names{"20th of month": "Net 60"}}, "no payment method “Net 60”"},
		{"no such group", Settings{Groups: Names{"Grocers": "Food"}}, "no customer group “Food”"},
		{"no such rep", Settings{Reps: Names{"7": "R9"}}, "no sales rep “R9”"},
		{"two addresses", Settings{Reps: Names{"7": "R2"}}, "several e-mail addresses"},
		{"two codes", Settings{Reps: Names{"7": "R3"}}, "has several codes"},
		{"a label that was renamed", Settings{Prices: Prices{"WholesalePrice": {"NZD", "Trade"}}},
			"no price label “Trade” in NZD"},
		{"another column", Settings{Prices: Prices{"VipPrice": {"NZD", "Wholesale"}}},
			"has no price label in the settings"},
	} {
		_, faults := Rules{test.settings, account}.Connection(harbour(), Connection{})
		if said := strings.Join(faults, " "); !strings.Contains(said, test.want) || (test.want == "") != (said == "") {
			t.Errorf("%s: %q, want %q", test.name, said, test.want)
		}
	}
}

// TestSettings: keys ignore case, a table has two sides, and what is wrong is said by its key.
func TestSettings(t *testing.T) {
	read := func(doc string) (s Settings, err error) { return s, tenant.Parse([]byte(doc), &s) }
	s, err := read(`{"joorUpload":true,"joorUpdate":"true","joorPrices":{"WholesalePrice":{"currency":"NZD",
		"label":"Wholesale"}},"joorTerms":{"30 days":"Net 30"}}`)
	if err != nil || !s.Upload || !s.Update || s.UploadAlone || s.Terms.of(" 30 DAYS ") != "Net 30" {
		t.Errorf("%+v, %v", s, err)
	}
	for doc, want := range map[string]string{
		`{"joorUpload":"maybe"}`:                                                                  "joorUpload",
		`{"joorPrices":{"A":{"currency":"nz","label":"x"}}}`:                                      "joorPrices.A",
		`{"joorPrices":{"A":{"currency":"NZD","label":" "}}}`:                                     "joorPrices.A",
		`{"joorPrices":{"A":{"currency":"NZD","label":"x"},"a ":{"currency":"NZD","label":"y"}}}`: "joorPrices",
		`{"joorReps":{"7":""}}`:                                                                   "joorReps.7",
		`{"joorGroups":{"a":"x","A":"y"}}`:                                                        "joorGroups",
		`{"joorTerms":{"a":"` + strings.Repeat("x", 251) + `"}}`:                                  "joorTerms.a",
		`{"joorTerms":[]}`:                                                                        "joorTerms",
	} {
		_, err := read(doc)
		errs, ok := err.(tenant.FieldErrors)
		if !ok || len(errs) != 1 || errs[0].Field != want {
			t.Errorf("%s: %v, want a fault of %s", doc, err, want)
		}
	}
	var fresh Settings
	doc, err := tenant.Write(nil, &fresh)
	if err != nil || strings.Contains(string(doc), "null") {
		t.Errorf("%s, %v", doc, err)
	}
	merged, err := tenant.Merge([]byte(`{"joorPrices":{"WHOLESALEPRICE":null}}`), &s)
	if err != nil || !strings.Contains(string(merged), `"joorPrices":{}`) {
		t.Errorf("%s, %v", merged, err)
	}
	var doc2 map[string]json.RawMessage
	if err := json.Unmarshal(merged, &doc2); err != nil || len(doc2) != len(s.Fields()) {
		t.Errorf("%d settings, %v", len(doc2), err)
	}
}

// TestDue: JOOR's business days, by how many are sent together.
func TestDue(t *testing.T) {
	friday := time.Date(2026, 11, 27, 18, 0, 0, 0, time.UTC)
	for together, want := range map[int]string{1: "Tue 1", 100: "Tue 1", 101: "Wed 2", 500: "Wed 2", 1000: "Thu 3",
		5000: "Fri 4"} {
		if got := Due(together, friday).Format("Mon 2"); got != want {
			t.Errorf("%d: %s, want %s", together, got, want)
		}
	}
}
