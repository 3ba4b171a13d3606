package sim

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"
)

// What a fresh account sells, to whom and under which rules: enough that a
// tenant who has set nothing can sell, and one of each thing that goes wrong.

type goods struct {
	sku, name, category, brand string
	price, cost                string
	onHand                     int64
	quirk                      string
}

// Quirks of goods and buyers.
const (
	isService     = "service"
	isDeprecated  = "deprecated"
	isUnsellable  = "unsellable"
	isDropShip    = "drop ship"
	isOnHold      = "on hold"
	isForeign     = "foreign"
	isUnlinked    = "unlinked"
	mainWarehouse = "Main Warehouse"
	secondStore   = "Southern Store"
	receivable    = "Accounts receivable"
)

var shelf = []goods{
	{"KWK-100", "Kawakawa Leaf Tea 100 g", "Tea", "Tūī & Fern", "8.90", "4.10", 4000, ""},
	{"KWK-500", "Kawakawa Leaf Tea 500 g", "Tea", "Tūī & Fern", "36.50", "17.20", 1800, ""},
	{"MNK-TEA", "Mānuka Smoked Black Tea 80 g", "Tea", "Tūī & Fern", "11.25", "5.05", 2500, ""},
	{"HRP-040", "Horopito Ground Pepper 40 g", "Spice", "Bush Larder", "7.4550", "3.10", 3000, ""},
	{"HRP-1KG", "Horopito Ground Pepper 1 kg", "Spice", "Bush Larder", "118.00", "61.00", 200, ""},
	{"SLT-FLK", "Flaky Sea Salt 250 g", "Spice", "Cape Foulwind", "6.80", "2.35", 6000, ""},
	{"SLT-SMK", "Mānuka Smoked Salt 250 g", "Spice", "Cape Foulwind", "8.3333", "3.05", 5200, ""},
	{"HNY-CLV", "Clover Honey 500 g", "Honey", "Paddock Bees", "9.95", "5.60", 4200, ""},
	{"HNY-MNK", "Mānuka Honey 250 g", "Honey", "Paddock Bees", "34.00", "19.50", 900, ""},
	{"RWR-a", "Rewarewa Honey 250 g", "Honey", "Paddock Bees", "15.75", "8.00", 1500, ""},
	{"RWR-A", "Rewarewa Honey 250 g, amber jar", "Honey", "Paddock Bees", "17.25", "8.90", 1200, ""},
	{"OLV-EV5", "Extra Virgin Olive Oil 500 ml", "Oil", "Stony Terrace", "21.40", "12.15", 2100, ""},
	{"OLV-EV20", "Extra Virgin Olive Oil 20 l", "Oil", "Stony Terrace", "512.00", "330.00", 40, ""},
	{"AVO-250", "Avocado Oil 250 ml", "Oil", "Stony Terrace", "13.99", "7.70", 2600, ""},
	{"CHT-TOM", "Tamarillo Chutney 300 g", "Preserves", "Bush Larder", "7.95", "3.45", 3600, ""},
	{"CHT-FEI", "Feijoa Chutney 300 g", "Preserves", "Bush Larder", "7.95", "3.40", 3600, ""},
	{"JAM-BOY", "Boysenberry Jam 350 g", "Preserves", "Bush Larder", "6.6667", "2.95", 4100, ""},
	{"GRN-TST", "Toasted Granola 1 kg", "Breakfast", "Early Tram", "14.20", "7.10", 2000, ""},
	{"OAT-RLD", "Rolled Oats 2 kg", "Breakfast", "Early Tram", "5.35", "2.20", 8000, ""},
	{"CHC-72", "Dark Chocolate 72 % 70 g", "Chocolate", "Wharf Street", "4.15", "1.80", 9000, ""},
	{"CHC-SLT", "Salted Caramel Chocolate 70 g", "Chocolate", "Wharf Street", "4.45", "1.95", 9000, ""},
	{"BSC-OAT", "Oat Biscuits, tin of 24", "Biscuits", "Early Tram", "18.60", "9.00", 0, ""},
	{"HMP-XMS", "Midwinter Hamper", "Gifts", "Wharf Street", "96.00", "58.00", 25, isDropShip},
	{"DSP-STD", "Counter Display Stand", "Fittings", "", "0.00", "45.00", 12, isUnsellable},
	{"CHC-55", "Milk Chocolate 55 % 70 g", "Chocolate", "Wharf Street", "3.95", "1.70", 60, isDeprecated},
	{"FREIGHT", "Freight", "Services", "", "12.50", "0", 0, isService},
}

type buyer struct {
	name, contact, email, phone string
	tier, terms, location, rep  string
	discount                    string
	streets                     []string // shipping addresses: line 1|line 2|city|state|postcode
	quirk                       string
}

var buyers = []buyer{
	{"Harbourside Grocers", "Ngaire Pohatu", "orders@harbourside.example", "+64 9 555 0101", "Wholesale", "20th of the month", mainWarehouse, "", "0",
		[]string{"12 Quay Lane||Auckland|Auckland|1010", "3 Ferry Building|Shop 4|Devonport|Auckland|0624"}, ""},
	{"Tōtara Street Café", "Sina Faleolo", "sina@totarastreet.example", "+64 4 555 0112", "Wholesale", "7 days", "", "", "0",
		[]string{"88 Tōtara Street||Wellington|Wellington|6011"}, ""},
	{"Bluff & Sons Provedores", "Hamish Orr", "hamish@bluffandsons.example", "+64 3 555 0123", "Trade", "20th of the month", mainWarehouse, "Mere Parata", "5",
		[]string{"1 Foreshore Road||Bluff|Southland|9814"}, ""},
	{"Southern Lakes Lodge", "Olive Tanner", "kitchen@southernlakes.example", "+64 3 555 0134", "Wholesale", "20th of the month", secondStore, "", "0",
		[]string{"200 Lakefront Drive||Queenstown|Otago|9300", "7 Glacier Track|Back entrance|Glenorchy|Otago|9372", "41 Ardmore Road||Wānaka|Otago|9305"}, ""},
	{"Kererū Organics", "Wiremu Hale", "buyer@kereru.example", "+64 6 555 0145", "Retail", "7 days", mainWarehouse, "", "2.5",
		[]string{"59 Riverbank Road||Whanganui|Manawatū-Whanganui|4500"}, ""},
	{"Ponsonby Deli Collective", "Jude Marsh", "accounts@ponsonbydeli.example", "+64 9 555 0156", "Wholesale", "7 days", mainWarehouse, "", "0",
		[]string{"301 Ponsonby Road||Auckland|Auckland|1011"}, isOnHold},
	{"Old Mill Stores", "Pat Greer", "pat@oldmill.example", "+64 3 555 0167", "Retail", "7 days", mainWarehouse, "", "0",
		[]string{"2 Mill Race||Ōamaru|Otago|9400"}, isDeprecated},
	{"Brisbane Fine Foods", "Toni Araujo", "toni@brisbanefine.example", "+61 7 5550 0178", "Trade", "20th of the month", mainWarehouse, "", "0",
		[]string{"17 Storey Street||Brisbane|QLD|4000"}, isForeign},
	{"Waka Lane Kitchen", "Rangi Tipene", "rangi@wakalane.example", "+64 7 555 0189", "Wholesale", "7 days", "", "", "0",
		[]string{"5 Waka Lane||Rotorua|Bay of Plenty|3010"}, isUnlinked},
}

// stocked is an account without ids, made once: parsing its numbers
// costs more than all the rest. What it points to is shared and never written.
var stocked = sync.OnceValue(func() *account {
	a := &account{}
	a.stockCore()
	a.stockUpstock()
	return a
})

// stock fills a fresh account: a copy of the template with ids of its own, so
// that records of two accounts can never be taken for each other. s.mu is held.
func (s *Sim) stock(a *account) {
	t, at := stocked(), stampOf(time.Now())
	c, up := *t.Core, *t.Up
	a.Core, a.Up = &c, &up
	c.Me.Company, c.Me.Currency = a.Name, a.Currency
	c.Taxes, c.Locations, c.Terms = copies(c.Taxes), copies(c.Locations), copies(c.Terms)
	c.Contacts, c.Addresses, c.Carriers = slices.Clone(c.Contacts), slices.Clone(c.Addresses), slices.Clone(c.Carriers)
	c.Products, c.Customers, c.Stock = copies(c.Products), copies(c.Customers), copies(c.Stock)
	c.Prices = slices.Clone(c.Prices)
	up.Products, up.Customers = copies(up.Products), copies(up.Customers)
	for _, r := range c.Taxes {
		r.ID = s.guid()
		r.Components = slices.Clone(r.Components)
		r.Components[0].ID = s.guid()
	}
	c.Me.DefaultSaleTaxRuleId = c.Taxes[0].ID
	for _, l := range c.Locations {
		l.ID = s.guid()
	}
	for _, r := range c.Terms {
		r.ID = s.guid()
	}
	for i := range c.Contacts {
		c.Contacts[i].ContactID = s.guid()
	}
	for i := range c.Addresses {
		c.Addresses[i].AddressID = s.guid()
	}
	for i := range c.Carriers {
		c.Carriers[i].CarrierID = s.guid()
	}
	ids := make(map[string]string, len(c.Products)+len(c.Customers)) // template's → account's
	for _, p := range c.Products {
		id := s.guid()
		ids[p.ID] = id
		p.ID, p.LastModifiedOn = id, at
	}
	for _, x := range c.Customers {
		id := s.guid()
		ids[x.ID] = id
		x.ID, x.LastModifiedOn = id, at
		x.Addresses, x.Contacts = slices.Clone(x.Addresses), slices.Clone(x.Contacts)
		for i := range x.Addresses {
			x.Addresses[i].ID = s.guid()
		}
		for i := range x.Contacts {
			x.Contacts[i].ID = s.guid()
		}
		switch {
		case x.Currency == "":
			x.Currency = a.Currency
		case x.Currency == a.Currency:
			x.Currency = "USD"
		}
	}
	for _, r := range c.Stock {
		r.ProductID = ids[r.ProductID]
	}
	for i := range c.Prices {
		c.Prices[i].CustomerID, c.Prices[i].ProductID = ids[c.Prices[i].CustomerID], ids[c.Prices[i].ProductID]
	}
	for _, p := range up.Products {
		p.ExternalID = ids[p.ExternalID]
	}
	for _, x := range up.Customers {
		if x.ExternalID != nil {
			id := ids[*x.ExternalID]
			x.ExternalID = &id
		}
	}
}

func copies[T any](in []*T) []*T {
	flat := make([]T, len(in))
	out := make([]*T, len(in))
	for i, p := range in {
		flat[i] = *p
		out[i] = &flat[i]
	}
	return out
}

func (a *account) stockCore() {
	c := &core{}
	a.Core = c
	tax := func(name, account, percent string, active, sale, purchase bool) *taxRule {
		p := num(percent)
		return &taxRule{"", name, account, active, false, p, sale, purchase, []taxComponent{{"", "GST", p.StringFixed(10), account, "0", "1"}}}
	}
	c.Taxes = []*taxRule{
		tax("GST on Income", "820", "15", true, true, false),
		tax("Zero Rated Income", "820", "0", true, true, false),
		tax("GST on Expenses", "820", "15", true, false, true),
		tax("GST on Income (to 2010)", "820", "12.5", false, true, false),
	}
	c.Me = me{TimeZone: zoneName, DefaultWeightUnits: "g", DefaultDimensionsUnits: "cm", OpeningBalanceDate: "2021-03-31T00:00:00",
		TaxCalculationMethod: "Row Total", DefaultSaleTaxRuleName: c.Taxes[0].Name, MaximumDecimalPlacesInQuantity: "N2",
		ApplyCustomerDiscountsAfterOtherDiscounts: true, DiscountRule: "Discount", RoundingTable: []rounding{{num("1000000"), num("0.01"), "N", number{}}}}
	for _, p := range [][3]string{{"Aroha Tait", "Billing", "accounts"}, {"Dock Office", "Shipping", "dock"}, {"API Sales", "Sale", "sales"}, {"Mere Parata", "Sale", "mere"}} {
		c.Contacts = append(c.Contacts, meContact{Name: p[0], Phone: "+64 9 555 0100", Email: p[2] + "@wholesaler.example",
			Type: p[1], DefaultForType: p[0] != "Mere Parata"})
	}
	for _, kind := range []string{"Billing", "Shipping"} {
		c.Addresses = append(c.Addresses, meAddress{"", "44 Railway Siding", "", "Auckland", "Auckland", "1060", "New Zealand", kind, true})
	}
	for i := range 10 {
		name := "Tier " + strconv.Itoa(i+1)
		if i < 3 {
			name = []string{"Wholesale", "Trade", "Retail"}[i]
		}
		c.Tiers = append(c.Tiers, priceTier{i + 1, name})
	}
	for i, name := range []string{mainWarehouse, secondStore, "Old Woolshed"} {
		c.Locations = append(c.Locations, &location{Name: name, IsDefault: i == 0, IsDeprecated: i == 2, ReferenceCount: 3 - i,
			AddressLine1: "44 Railway Siding", AddressCitySuburb: "Auckland", AddressZipPostCode: "1060", AddressCountry: "New Zealand"})
	}
	c.Terms = []*paymentTerm{
		{"", "7 days", 7, "number of days", true, true},
		{"", "20th of the month", 20, "day of next month", true, false},
		{"", "Cash", 0, "number of days", false, false},
	}
	for _, name := range []string{"DEFAULT Carrier", "Overnight Kiwi", "Strait Freight"} {
		c.Carriers = append(c.Carriers, carrier{"", name})
	}
	c.Accounts = []glAccount{
		{"200", "Sales", "REVENUE", "ACTIVE", "REVENUE", ""},
		{"260", "Freight recovered", "REVENUE", "ACTIVE", "REVENUE", ""},
		{"610", receivable, "CURRENT", "ACTIVE", "ASSET", receivable},
		{"718", "Bank", "BANK", "ACTIVE", "ASSET", ""},
		{"820", "GST", "CURRLIAB", "ACTIVE", "LIABILITY", "GST"},
	}
	for i, g := range shelf {
		c.stockProduct("p"+strconv.Itoa(i), g)
	}
	for i, b := range buyers {
		c.Customers = append(c.Customers, b.card("c"+strconv.Itoa(i)))
	}
	c.Prices = []customPrice{{c.Customers[2].ID, c.Products[8].ID, num("31.50")}, {c.Customers[3].ID, c.Products[0].ID, num("8.2575")}}
}

func (c *core) stockProduct(id string, g goods) {
	price := dec(g.price)
	p := &product{ID: id, SKU: g.sku, Name: g.name, Category: g.category, Brand: opt(g.brand), Type: "Stock", CostingMethod: "FIFO",
		DropShipMode: "No Drop Ship", DefaultLocation: mainWarehouse, UOM: "Item", WeightUnits: "g", DimensionsUnits: "cm",
		Barcode:    "94" + strconv.Itoa(10000000000+len(c.Products)),
		PriceTier1: number{price}, PriceTier2: number{price.Mul(dec("0.95")).Round(2)}, PriceTier3: number{price.Mul(dec("1.4")).Round(2)},
		AverageCost: num(g.cost), Tags: strings.ToLower(g.category), Status: active, Sellable: true,
		ShortDescription: g.name, QuantityToProduce: num("1"), AssemblyCostEstimationMethod: "Average Cost"}
	c.Products = append(c.Products, p)
	switch g.quirk {
	case isService:
		p.Type, p.DefaultLocation = service, ""
		return
	case isDeprecated:
		p.Status = deprecated
	case isUnsellable:
		p.Sellable = false
	case isDropShip:
		p.DropShipMode = optionalDropShip
	}
	if g.onHand > 0 {
		for i, l := range []string{mainWarehouse, secondStore} {
			on := decimal.NewFromInt(g.onHand / int64(1+3*i))
			c.Stock = append(c.Stock, &stockRow{ProductID: p.ID, Location: l, OnHand: number{on}})
		}
	}
}

// card is a buyer as a customer; without a currency it has the account's.
func (b buyer) card(id string) *customer {
	x := &customer{ID: id, Name: b.name, DisplayName: b.name, PaymentTerm: b.terms, Discount: num(b.discount),
		TaxRule: "GST on Income", SalesRepresentative: opt(b.rep), Location: opt(b.location), AccountReceivable: "610", RevenueAccount: "200",
		PriceTier: b.tier, Status: active, Carrier: "DEFAULT Carrier",
		Contacts: []cardContact{{Name: b.contact, Phone: opt(b.phone), Email: opt(b.email), Default: true, MarketingConsent: 1}}}
	country := "New Zealand"
	switch b.quirk {
	case isOnHold:
		x.IsOnCreditHold = true
	case isDeprecated:
		x.Status = deprecated
	case isForeign:
		country, x.TaxRule, x.Currency = "Australia", "Zero Rated Income", "AUD"
	}
	for i, street := range b.streets {
		f := strings.SplitN(street, "|", 5)
		kinds := []string{"Shipping"}
		if i == 0 {
			kinds = []string{"Billing", "Shipping"}
		}
		for _, kind := range kinds {
			x.Addresses = append(x.Addresses, cardAddress{"", f[0], f[1], f[2], f[3], f[4], country, kind, i == 0})
		}
	}
	return x
}

// stockUpstock mirrors Cin7 Core's books, linked by externalId; the last
// customer is not linked yet.
func (a *account) stockUpstock() {
	up := &supplier{PriceLists: []*priceList{}}
	a.Up = up
	text := func(v string) *string {
		if v == "" {
			return nil
		}
		return &v
	}
	for i, p := range a.Core.Products {
		if p.Type == service {
			continue
		}
		status := "available"
		switch {
		case p.Status == deprecated || !p.Sellable:
			status = "discontinued"
		case a.Core.available(p.ID).Sign() <= 0:
			status = "outOfStock"
		}
		up.Products = append(up.Products, &upProduct{ID: 501 + i, ExternalID: p.ID, SKU: p.SKU, Name: p.Name, Category: text(p.Category),
			Brand: text(string(p.Brand)), Unit: text(string(p.UOM)), Barcode: text(p.Barcode), Price: text(money(p.PriceTier1.Decimal)), Status: status})
	}
	for i, x := range a.Core.Customers {
		who := x.defaultContact()
		u := &upCustomer{ID: 301 + i, ExternalID: &x.ID, Name: x.Name, Email: text(string(who.Email)), Phone: text(string(who.Phone)),
			Contact: text(who.Name), Active: x.Status == active, ShippingAddresses: []upAddress{}}
		if buyers[i].quirk == isUnlinked {
			u.ExternalID = nil
		}
		for _, d := range x.Addresses {
			to := upAddress{Company: text(x.Name), Contact: text(who.Name), Line1: d.Line1, Line2: text(d.Line2), City: text(d.City),
				Region: text(d.State), Postcode: text(d.Postcode), Country: d.Country}
			if d.Type == "Billing" {
				u.BillingAddress = &to
			} else {
				u.ShippingAddresses = append(u.ShippingAddresses, to)
			}
		}
		up.Customers = append(up.Customers, u)
	}
}

func (c *core) available(productID string) decimal.Decimal {
	var sum decimal.Decimal
	for _, r := range c.Stock {
		if r.ProductID == productID {
			sum = sum.Add(r.OnHand.Sub(r.Allocated.Decimal))
		}
	}
	return sum
}
