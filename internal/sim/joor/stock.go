package joor

import (
	"stockbridge/internal/sim"
)

// Fill implements sim.Books: a brand's set-up, and retailers. Most of these are customers of the same brand in its
// other books, written as people write them; some are only here, and some are like others without being them.
func (b *brand) Fill(sim.Catalogue) {
	currency := b.seat.Account.Currency
	b.setup = setup{
		PriceLabels: []label{{currency, "Wholesale"}, {currency, "Retail"}, {currency, "VIP"},
			{"AUD", "WholesaleAUD"}, {"USD", "WholesaleUSD"}},
		SalesReps: []rep{{"Mere Parata", "7", "mere@kauri.example"},
			{"Tomasi Vaka", "8", "tomasi@kauri.example"}},
		CustomerGroups:  []choice{{"Retail", "RET"}, {"Department", "DEP"}},
		PaymentMethods:  []choice{{"20th of month following", "20TH"}, {"30 days", "NET30"}, {"7 days", "NET7"}},
		ShippingMethods: []choice{{"Courier", "COURIER"}},
		Warehouses:      []choice{{"Main", "MAIN"}},
		Companies:       []choice{{"Kauri Group", "KG"}},
	}
	if b.seat.Empty() {
		return
	}
	for _, x := range []struct {
		code, name, email, buyer string
		street                   street
		price                    label
	}{
		{"K1002", "Kauri and Co", "hello@kaurico.example", "Jo Reed", street{Address1: "10 Faleolo Street",
			City: "Wellington", Region: "Wellington", PostalCode: "6011", Country: "New Zealand"}, b.PriceLabels[0]},
		{"", "Totara Lane", "hello@totaralane.example", "Sina Faleolo", street{Address1: "17 Toni Street",
			City: "Christchurch", Region: "Canterbury", PostalCode: "8011", Country: "New Zealand"}, b.PriceLabels[0]},
		{"CU-7366", "Fern Room, The", "orders@thefernroom.example", "Aroha Ngata", street{Address1: "24 Olive St",
			City: "Whangarei", Region: "Northland", PostalCode: "0110", Country: "New Zealand"}, b.PriceLabels[0]},
		{"CU-7401", "Little Tui Pty Ltd", "hello@littletui.example", "H. Orr", street{Address1: "31 Rang Street",
			City: "Sydney", Region: "NSW", PostalCode: "2000", Country: "Australia"}, b.PriceLabels[3]},
		{"", "Salt & Selvedge", "hello@saltandselvedge.example", "", street{Address1: "38 Pat Street",
			City: "Melbourne", Region: "VIC", PostalCode: "3000", Country: "Australia"}, b.PriceLabels[3]},
		{"NQ-1", "Northquay Clothing", "sales@northquay.example", "Rangi Tipene", street{Address1: "52 Mere Street",
			City: "London", PostalCode: "W1F 9TA", Country: "United Kingdom"}, b.PriceLabels[0]},
		{"", "Harbour Street Menswear", "hello@harbourstreetmenswear.example", "", street{Address1: "192 Mere Street",
			City: "Auckland", Region: "Auckland", PostalCode: "1010", Country: "New Zealand"}, b.PriceLabels[0]},
		{"CU-7500", "Harbour Street Bakery", "orders@harbourstreetbakery.example", "Lee Marsh",
			street{Address1: "14 Harbour Street", City: "Auckland", Region: "Auckland", PostalCode: "1010",
				Country: "New Zealand"}, b.PriceLabels[1]},
		{"CU-7505", "Twin Stores", "shared@twins.example", "", street{Address1: "1 Cuba Street", City: "Wellington",
			Region: "Wellington", PostalCode: "6011", Country: "New Zealand"}, b.PriceLabels[0]},
		{"", "Lyttelton Loft", "studio@lytteltonloft.example", "Noa Brandt", street{Address1: "4 London Street",
			City: "Lyttelton", Region: "Canterbury", PostalCode: "8082", Country: "New Zealand"}, b.PriceLabels[0]},
		{"CU-7512", "Galleria Ponte", "acquisti@galleriaponte.example", "Livia Conti",
			street{Address1: "Via delle Ombre 8", City: "Milano", PostalCode: "20121", Country: "Italy"},
			b.PriceLabels[0]},
		{"CU-7520", "Maison Fougère", "bonjour@maisonfougere.example", "", street{Address1: "3 rue du Ruisseau",
			City: "Lyon", PostalCode: "69001", Country: "France"}, b.PriceLabels[0]},
		{"0", "Old Town Apparel", "hi@oldtownapparel.example", "Sam Quill", street{Address1: "77 Pine Street",
			City: "Portland", Region: "OR", PostalCode: "97204", Country: "United States"}, b.PriceLabels[4]},
	} {
		b.made(document{CustomerCode: opt(x.code), CustomerAlias: x.name, CustomerContactEmail: opt(x.email),
			CustomerBuyerName: opt(x.buyer),
			Billing:           billing{[]billingAddress{{BillingCode: x.code, street: x.street}}},
			Shipping:          shipping{[]shippingAddress{{ShippingCode: x.code, street: x.street}}},
			PriceTypes:        []priceType{{x.price.Currency, x.price.Label}},
		}, nil)
	}
}
