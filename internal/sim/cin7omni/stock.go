package cin7omni

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/sim"
)

// idsOfAccount is how many ids an account has for its own: no two accounts have the same ones.
const idsOfAccount = 1_000_000

// stocked is when a new account's contacts were last changed, before those that tests make.
var stocked = time.Date(2026, 3, 2, 2, 15, 0, 0, time.UTC)

// Fill implements sim.Books.
func (a *account) Fill(sim.Catalogue) {
	a.LastID = a.number * idsOfAccount
	a.Users = []user{
		{7, true, "Mere", "Parata", "Sales", "mere@kauri.example"},
		{8, true, "Tomasi", "Vaka", "Sales", "tomasi@kauri.example"},
		{9, false, "Nell", "Ashdown", "Sales", "nell@kauri.example"},
		{10, true, "Ines", "Moreau", "Accounts", ""},
	}
	for i, code := range []string{"COAT-FERN-S", "COAT-FERN-M", "KNIT-TUSSOCK-M", "DRESS-TIDE-10"} {
		price := func(cents int64) number { return number{decimal.New(cents, -2)} }
		a.Options = append(a.Options, option{ID: 400 + i, CreatedDate: stampOf(stocked), ModifiedDate: stampOf(stocked),
			ProductID: 300 + i/2, Code: text(code), Option1: "Green",
			Option2:     text(code[strings.LastIndex(code, "-")+1:]),
			RetailPrice: price(39900), Wholesale: price(18500), VIP: price(35900)})
	}
	a.nameColumns([]string{"wholesaleAUD", "wholesaleUSD"})
	if a.seat.Empty() {
		return
	}
	for i, x := range slices.Concat(shops(), awkward()) {
		r := &record{Contact: x}
		at := stampOf(stocked.Add(time.Duration(i) * 7 * time.Minute))
		r.Contact.CreatedDate, r.Contact.ModifiedDate = at, at
		r.Contact.CustomFields = map[string]any{}
		r.Contact.SecondaryContacts = []person{}
		if x.AccountsFirstName != "" {
			a.LastID++
			r.Contact.SecondaryContacts = []person{{ID: a.LastID, Company: x.Company, FirstName: x.AccountsFirstName,
				LastName: x.AccountsLastName, JobTitle: "Accounts", Email: x.BillingEmail, Phone: x.AccountsPhone}}
		}
		a.make(r, stocked)
	}
}

// nameColumns gives every product option a price in the account's own columns, and in no other but the standard ones.
func (a *account) nameColumns(own []string) {
	for i := range a.Options {
		o := &a.Options[i]
		o.PriceColumns = map[string]number{"retailPrice": o.RetailPrice, "wholesalePrice": o.Wholesale,
			"vipPrice": o.VIP, "specialPrice": o.Special}
		for _, name := range own {
			o.PriceColumns[name] = o.Wholesale
		}
	}
}

// shops are the brand's customers, and a supplier. The names, streets and people are made up.
func shops() (out []contact) {
	type town struct{ city, state, postcode, country, dial string }
	towns := []town{
		{"Auckland", "Auckland", "1010", "New Zealand", "+64 9 555 01"},
		{"Wellington", "Wellington", "6011", "New Zealand", "+64 4 555 01"},
		{"Christchurch", "Canterbury", "8011", "New Zealand", "+64 3 555 01"},
		{"Whangārei", "Northland", "0110", "New Zealand", "+64 9 555 02"},
		{"Sydney", "NSW", "2000", "Australia", "+61 2 5550 01"},
		{"Melbourne", "VIC", "3000", "Australia", "+61 3 5550 01"},
		{"New York", "NY", "10012", "United States", "+1 212 555 01"},
		{"London", "", "W1F 9TA", "United Kingdom", "+44 20 7946 00"},
		{"Kyōto", "Kyoto", "604-8005", "Japan", "+81 75 555 01"},
	}
	columns := map[string]text{"New Zealand": "WholesalePrice", "Australia": "WholesaleAUD",
		"United States": "WholesaleUSD", "United Kingdom": "WholesalePrice", "Japan": "RetailPrice"}
	people := []string{"Mere Tane", "Jo Reed", "Sina Faleolo", "Aroha Ngata", "Hamish Orr", "Toni Araujo",
		"Olive Tanner", "Rangi Tipene", "Pat Greer", "Ngaire Pohatu"}
	for i, name := range []string{
		"Harbour Street Boutique", "Kauri & Co", "Tōtara Lane", "The Fern Room", "Little Tūī", "Salt and Selvedge",
		"Ponga Studio", "North Quay Clothing", "Rimu Wardrobe", "Paper Lantern Dress Shop", "Tide Line", "Merino House",
		"Old Post Office Store", "Wattle & Weave", "Jacaranda Row", "Laneway Outfitters", "Bluegum Dry Goods",
		"Kowhai Kids", "Spring Street Edit", "Mercer & Daughter", "Hudson Loom", "Brooklet Mercantile",
		"Cobble Hill Coats", "Marylebone Thread", "Fenchurch Tailors", "Camellia Court", "Hozu River Select",
		"Harbour Street Menswear",
		"Wanaka Wool Traders", "Dusky Sound Supply", "Raglan Surf & Linen", "Ōpunake Outpost", "Harbourside Fashion",
		"Harbour Side Fashions", "Kererū Collective", "Ākau Concept Store",
	} {
		t := towns[i%len(towns)]
		first, last, _ := strings.Cut(people[i%len(people)], " ")
		slug := strings.ToLower(strings.Map(plainLetter, name))
		phone := text(fmt.Sprintf("%s%02d", t.dial, i))
		x := contact{
			IsActive: i != 12, Type: "Customer", Company: text(name), FirstName: text(first), LastName: text(last),
			JobTitle: "Buyer", Email: text("hello@" + slug + ".example"), Website: text("https://" + slug + ".example"),
			Phone: phone, Address1: text(fmt.Sprintf("%d %s Street", 3+7*i, people[(i+3)%len(people)][:4])),
			City: text(t.city), State: text(t.state), PostCode: text(t.postcode), Country: text(t.country),
			AccountNumber: text(fmt.Sprintf("K%04d", 1001+i)), PriceColumn: columns[t.country],
			PaymentTerms: []text{"20th of month following", "30 days", "7 days"}[i%3],
			Group:        []text{"Retail", "Department", ""}[i%3], SalesPersonID: ref(7 + i%3),
		}
		if i%4 == 0 {
			x.PostalAddress1, x.PostalCity, x.PostalPostCode = text(fmt.Sprintf("PO Box %d", 55+i)), x.City, x.PostCode
			x.PostalState, x.PostalCountry = x.State, x.Country
			x.AccountsFirstName, x.AccountsLastName = "Ari", "Whitlock"
			x.BillingEmail, x.AccountsPhone = text("accounts@"+slug+".example"), phone
		}
		if i%9 == 5 {
			x.PercentageOff, x.CreditLimit = number{decimal.New(25, -1)}, number{decimal.NewFromInt(5000)}
		}
		out = append(out, x)
	}
	return append(out, contact{IsActive: true, Type: "Supplier", Company: "Southern Mills", FirstName: "Della",
		LastName: "Pryce", Email: "orders@southernmills.example", Country: "New Zealand"})
}

// plainLetter keeps what may stand in a domain's name.
func plainLetter(r rune) rune {
	if plain, ok := map[rune]rune{'ā': 'a', 'Ā': 'a', 'ē': 'e', 'ī': 'i', 'ō': 'o', 'Ō': 'o', 'ū': 'u'}[r]; ok {
		return plain
	}
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
		return r
	}
	return -1
}

// awkward are contacts as people and imports make them: much of what goes wrong with them, one each.
func awkward() []contact {
	base := func(change func(*contact)) contact {
		x := contact{IsActive: true, Type: "Customer", Company: "Awkward", FirstName: "Robin", LastName: "Case",
			Phone: "+64 9 555 0300", Address1: "1 Cuba Street", City: "Wellington", State: "Wellington",
			PostCode: "6011", Country: "New Zealand", PriceColumn: "WholesalePrice", PaymentTerms: "30 days"}
		change(&x)
		return x
	}
	return []contact{
		base(func(x *contact) { x.Company, x.Email = "", "robin@nocompany.example" }),
		base(func(x *contact) { x.Company, x.FirstName, x.LastName, x.Email = "", "", "", "nobody@noname.example" }),
		base(func(x *contact) { x.Company = "No E-mail Limited" }),
		base(func(x *contact) { x.Company, x.Email = "Twin Stores North", "shared@twins.example" }),
		base(func(x *contact) { x.Company, x.Email = "Twin Stores South", "Shared@Twins.example" }),
		base(func(x *contact) {
			x.Company, x.Email = text(strings.Repeat("Very Long Name ", 20)), "long@longname.example"
			x.Address1, x.City = text(strings.Repeat("Street ", 43)), text(strings.Repeat("City", 75))
			x.Notes = text(strings.Repeat("x", 300))
		}),
		base(func(x *contact) {
			x.Company, x.Email = `=HYPERLINK("https://evil.example","Click")`, "formula@formula.example"
			x.FirstName, x.LastName, x.AccountNumber, x.Notes = "+1+1", "@SUM(A1)", "-2+3", "\t=1+1"
		}),
		base(func(x *contact) {
			x.Company, x.Email = "Con\x00trol\x1b[31m\r\nStore", "control@control.example"
			x.Address2, x.Notes = "Line\u2028two", "bell\a"
		}),
		base(func(x *contact) { x.Company, x.Email = "Whānau Kākahu Ōtepoti", "kia.ora@whanau.example" }),
		base(func(x *contact) { x.Company, x.Email = "شركة الأزياء", "arabic@azya.example" }),
		base(func(x *contact) { x.Company, x.Email, x.PostCode = "Leading Zero Ltd", "zero@zero.example", "0624" }),
		base(func(x *contact) { x.Company, x.Email = "Bad E-mail Ltd", "not an address" }),
		base(func(x *contact) { x.Company, x.Email = "Two E-mails Ltd", "one@two.example; two@two.example" }),
		base(func(x *contact) { x.Company, x.Email, x.Country = "No Country Ltd", "nocountry@none.example", "" }),
		base(func(x *contact) {
			x.Company, x.Email, x.Country, x.State = "No State Pty", "nostate@none.example", "Australia", ""
		}),
		base(func(x *contact) { x.Company, x.Email, x.PriceColumn = "No Price Ltd", "noprice@none.example", "" }),
		base(func(x *contact) {
			x.Company, x.Email, x.PriceColumn = "Gone Price Ltd", "goneprice@none.example", "SampleSale2019"
		}),
		base(func(x *contact) { x.Company, x.Email, x.IsActive = "Closed Down Ltd", "closed@closed.example", false }),
		base(func(x *contact) { x.Company, x.Email, x.OnHold = "On Hold Ltd", "hold@hold.example", true }),
		base(func(x *contact) {
			x.Company, x.Email, x.SalesPersonID = "Left Alone Ltd", "rep@left.example", 99
		}),
		base(func(x *contact) { x.Company, x.Email = "  Blanks  Around  ", " blanks@around.example " }),
		base(func(x *contact) { x.Company, x.Email = "<script>alert(1)</script>", "script@markup.example" }),
	}
}
