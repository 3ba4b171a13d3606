package cin7core

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/sim"
)

const receivable = "Accounts receivable"

// Fill gives a new account a copy of the template, with ids of its own, so that
// records of two accounts are never mistaken for each other.
func (c *company) Fill(sim.Catalogue) {
	t, of := *templateBooks(), c.seat.Account
	start := t.start
	t.seat, t.NoAutomation, t.start = c.seat, c.NoAutomation, nil
	*c = t
	c.Me.Company, c.Me.Currency = of.Name, of.Currency
	c.Taxes, c.Locations, c.Terms = copies(c.Taxes), copies(c.Locations), copies(c.Terms)
	c.Contacts, c.Addresses, c.Carriers = slices.Clone(c.Contacts), slices.Clone(c.Addresses), slices.Clone(c.Carriers)
	c.Tiers = slices.Clone(c.Tiers)
	c.Products, c.Customers, c.Stock = copies(c.Products), copies(c.Customers), copies(c.Stock)
	for _, r := range c.Taxes {
		r.Components = slices.Clone(r.Components)
	}
	for _, x := range c.Customers {
		x.Addresses, x.Contacts = slices.Clone(x.Addresses), slices.Clone(x.Contacts)
		switch {
		case x.Currency == "":
			x.Currency = of.Currency
		case x.Currency == of.Currency:
			x.Currency = "USD"
		}
	}
	ids := c.newIDs()
	c.catalogue.ready()
	for _, r := range start {
		c.setPrice(&customPrice{CustomerID: ids[r.CustomerID], ProductID: ids[r.ProductID], Price: r.Price})
	}
}

// newIDs gives every record another id, and has the records refer to these. It
// returns the ids by those of the template.
func (c *company) newIDs() map[string]string {
	guid, at := c.seat.Sim.GUID, stampOf(time.Now())
	for _, r := range c.Taxes {
		r.ID = guid()
		r.Components[0].ID = guid()
	}
	c.Me.DefaultSaleTaxRuleId = c.Taxes[0].ID
	for _, l := range c.Locations {
		l.ID = guid()
	}
	for _, r := range c.Terms {
		r.ID = guid()
	}
	for i := range c.Contacts {
		c.Contacts[i].ContactID = guid()
	}
	for i := range c.Addresses {
		c.Addresses[i].AddressID = guid()
	}
	for i := range c.Carriers {
		c.Carriers[i].CarrierID = guid()
	}
	ids := make(map[string]string, len(c.Products)+len(c.Customers))
	for _, p := range c.Products {
		id := guid()
		ids[p.ID] = id
		p.ID, p.LastModifiedOn = id, at
		if len(p.Attachments) > 0 {
			p.Attachments = slices.Clone(p.Attachments)
			p.Attachments[0].ID = "a" + id[1:]
		}
	}
	for _, x := range c.Customers {
		id := guid()
		ids[x.ID] = id
		x.ID, x.LastModifiedOn = id, at
		for i := range x.Addresses {
			x.Addresses[i].ID = guid()
		}
		for i := range x.Contacts {
			x.Contacts[i].ID = guid()
		}
	}
	for _, r := range c.Stock {
		r.ProductID = ids[r.ProductID]
	}
	return ids
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

// templateBooks returns a company without ids. It is made once, as parsing its
// numbers costs more than everything else. What it points to is shared, and must
// not be written.
var templateBooks = sync.OnceValue(func() *company {
	c := &company{}
	tax := func(name, account, percent string, active, sale, purchase bool) *taxRule {
		p := num(percent)
		return &taxRule{"", name, account, active, false, p, sale, purchase,
			[]taxComponent{{"", "GST", p.StringFixed(10), account, "0", "1"}}}
	}
	c.Taxes = []*taxRule{
		tax("GST on Income", "820", "15", true, true, false),
		tax("Zero Rated Income", "820", "0", true, true, false),
		tax("GST on Expenses", "820", "15", true, false, true),
		tax("GST on Income (to 2010)", "820", "12.5", false, true, false),
	}
	c.Me = me{TimeZone: sim.ZoneName, DefaultWeightUnits: "g", DefaultDimensionsUnits: "cm",
		OpeningBalanceDate: "2021-03-31T00:00:00", TaxCalculationMethod: "Row Total",
		DefaultSaleTaxRuleName: c.Taxes[0].Name, MaximumDecimalPlacesInQuantity: "N2",
		ApplyCustomerDiscountsAfterOtherDiscounts: true, DiscountRule: "Discount",
		RoundingTable: []rounding{{num("1000000"), num("0.01"), "N", number{}}}}
	for _, p := range [][3]string{{"Aroha Tait", "Billing", "accounts"}, {"Dock Office", "Shipping", "dock"},
		{"API Sales", "Sale", "sales"}, {"Mere Parata", "Sale", "mere"}} {
		c.Contacts = append(c.Contacts, meContact{Name: p[0], Phone: "+64 9 555 0100",
			Email: p[2] + "@wholesaler.example",
			Type:  p[1], DefaultForType: p[0] != "Mere Parata"})
	}
	for _, kind := range []string{"Billing", "Shipping"} {
		c.Addresses = append(c.Addresses, meAddress{"", "44 Railway Siding", "", "Auckland", "Auckland", "1060",
			"New Zealand", kind, true})
	}
	for i := range 10 {
		name := "Tier " + strconv.Itoa(i+1)
		if i < 3 {
			name = []string{"Wholesale", "Trade", "Retail"}[i]
		}
		c.Tiers = append(c.Tiers, priceTier{i + 1, name})
	}
	for i, name := range []string{sim.MainWarehouse, sim.SecondStore, "Old Woolshed"} {
		c.Locations = append(c.Locations, &location{Name: name, IsDefault: i == 0, IsDeprecated: i == 2,
			ReferenceCount: 3 - i, AddressLine1: "44 Railway Siding", AddressCitySuburb: "Auckland",
			AddressZipPostCode: "1060", AddressCountry: "New Zealand"})
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
	for i, g := range sim.Goods() {
		c.stockProduct(i, g)
	}
	for i, b := range sim.Buyers() {
		c.Customers = append(c.Customers, card("c"+strconv.Itoa(i), b))
	}
	c.start = []customPrice{{CustomerID: c.Customers[2].ID, ProductID: c.Products[8].ID, Price: num("31.50")},
		{CustomerID: c.Customers[3].ID, ProductID: c.Products[0].ID, Price: num("8.2575")}}
	return c
})

func (c *company) stockProduct(n int, g sim.Good) {
	price := dec(g.Price)
	p := &product{ID: "p" + strconv.Itoa(n), SKU: g.SKU, Name: g.Name, Category: g.Category, Brand: opt(g.Brand),
		Type: "Stock", CostingMethod: "FIFO", DropShipMode: noDropShip, DefaultLocation: sim.MainWarehouse, UOM: "Item",
		WeightUnits: "g", DimensionsUnits: "cm",
		Barcode:    sim.Barcode(n),
		PriceTier1: number{price}, PriceTier2: number{price.Mul(dec("0.95")).Round(2)},
		PriceTier3:  number{price.Mul(dec("1.4")).Round(2)},
		AverageCost: num(g.Cost), Tags: strings.ToLower(g.Category), Status: active, Sellable: true,
		ShortDescription: g.Name, QuantityToProduce: num("1"), AssemblyCostEstimationMethod: "Average Cost"}
	if n%3 == 0 && g.Quirk != sim.Service {
		p.Attachments = []attachment{{ContentType: "image/png", IsDefault: true, FileName: g.SKU + ".png"}}
	}
	if g.SKU == "OLV-EV20" {
		p.DiscountRule = "Pallet discount"
	}
	c.Products = append(c.Products, p)
	switch g.Quirk {
	case sim.Service:
		p.Type, p.DefaultLocation = service, ""
		return
	case sim.Deprecated:
		p.Status = deprecated
	case sim.Unsellable:
		p.Sellable = false
	case sim.DropShip:
		p.DropShipMode = optionalDropShip
	}
	if g.OnHand > 0 {
		for i, l := range []string{sim.MainWarehouse, sim.SecondStore} {
			on := decimal.NewFromInt(g.OnHand / int64(1+3*i))
			c.Stock = append(c.Stock, &stockRow{ProductID: p.ID, Location: l, OnHand: number{on}})
		}
	}
}

// card returns the customer card of a buyer. A card without a currency gets the
// account's.
func card(id string, b sim.Buyer) *customer {
	x := &customer{ID: id, Name: b.Name, DisplayName: b.Name, PaymentTerm: b.Terms, Discount: num(b.Discount),
		TaxRule: "GST on Income", SalesRepresentative: opt(b.Rep), Location: opt(b.Location), AccountReceivable: "610",
		RevenueAccount: "200", PriceTier: b.Tier, Status: active, Carrier: "DEFAULT Carrier",
		Contacts: []cardContact{{Name: b.Contact, Phone: opt(b.Phone), Email: opt(b.Email), Default: true,
			MarketingConsent: 1}}}
	switch b.Quirk {
	case sim.OnHold:
		x.IsOnCreditHold = true
	case sim.Deprecated:
		x.Status = deprecated
	case sim.Foreign:
		x.TaxRule, x.Currency = "Zero Rated Income", "AUD"
	}
	for i, s := range b.Streets {
		kinds := []string{"Shipping"}
		if i == 0 {
			kinds = []string{"Billing", "Shipping"}
		}
		for _, kind := range kinds {
			x.Addresses = append(x.Addresses,
				cardAddress{"", s.Line1, s.Line2, s.City, s.State, s.Postcode, b.Country(), kind, i == 0})
		}
	}
	return x
}

// GoodID implements sim.Catalogue, as do the next methods: Cin7 Core's books keep
// the account's catalogue.
func (c *company) GoodID(n int) string  { return c.Products[n].ID }
func (c *company) BuyerID(n int) string { return c.Customers[n].ID }

func (c *company) Sells(good string) bool {
	p := c.product(good)
	return p != nil && p.Status == active && p.Sellable && p.DropShipMode == noDropShip
}

func (c *company) Buys(buyer string) bool {
	x := c.customer(buyer)
	return x != nil && x.Status == active && !x.IsOnCreditHold && x.Currency == c.seat.Account.Currency
}

func (c *company) TaxRate(buyer string) (percent decimal.Decimal, ok bool) {
	if x := c.customer(buyer); x != nil {
		if t := c.tax(x.TaxRule); t != nil {
			return t.TaxPercent.Decimal, true
		}
	}
	return percent, false
}

func (c *company) Price(buyer, good string) (price, discount decimal.Decimal, ok bool) {
	x, p := c.customer(buyer), c.product(good)
	if x == nil || p == nil {
		return price, discount, false
	}
	return c.price(x, p), x.Discount.Decimal, true
}
