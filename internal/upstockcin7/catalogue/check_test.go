package catalogue

import (
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"stockbridge/internal/upstock"
)

// TestCheckLine: a line's price is compared with the customer's, and a difference is said with how that comes about.
func TestCheckLine(t *testing.T) {
	const (
		tier = " The price in “Wholesale” (price tier 2), which the customer's card names: 12.46. Less 2.5 %, the " +
			"customer's discount: 12.1485."
		own = " The customer's own price, which stands in place of the tier's: 12.46. Less 2.5 %, the customer's " +
			"discount: 12.1485."
		price = "The order has “Mānuka honey” at "
	)
	for _, c := range []struct {
		check, percent, unit, discount, own string
		change                              func(c *Customer, p *Product)
		want                                string
		hold                                bool
	}{
		{check: CheckOff, unit: "99", change: nil},
		{check: CheckSay, unit: "12.1485"},
		{check: CheckHold, unit: "12.46", discount: "2.5"},
		{check: CheckHold, unit: "24.297", discount: "50"},
		{check: CheckSay, unit: "13.00",
			want: price + "13.00, and the customer's price in Cin7 Core is 12.1485, which is 6.6 % less." + tier},
		{check: CheckHold, percent: "0", unit: "13.00", hold: true,
			want: price + "13.00, and the customer's price in Cin7 Core is 12.1485, which is 6.6 % less." + tier},
		{check: CheckHold, percent: "10", unit: "13.00",
			want: price + "13.00, and the customer's price in Cin7 Core is 12.1485, which is 6.6 % less." + tier},
		{check: CheckHold, percent: "10", unit: "12.46", discount: "20", own: "12.46", hold: true,
			want: price + "12.46 less 20 %, which is 9.9680, and the customer's price in Cin7 Core is 12.1485, " +
				"which is 21.9 % more." + own},
		{check: CheckHold, percent: "1000", unit: "1.00", hold: true,
			change: func(_ *Customer, p *Product) { p.Tiers = TierPrices{dec("9")} },
			want: price + "1.00, and the customer has no price of it in Cin7 Core. The price in “Wholesale” " +
				"(price tier 2), which the customer's card names: 0.00. This tier has no price for the product, and " +
				"no other one stands in its place."},
		{check: CheckHold, unit: "1.00", change: func(c *Customer, _ *Product) { c.Tier = "Gone" }},
		{check: CheckHold, unit: "0.00", change: func(c *Customer, _ *Product) { c.Discount = dec("100") }},
		{check: CheckHold, percent: "50", unit: "1.00", hold: true,
			change: func(c *Customer, _ *Product) { c.Discount = dec("100") },
			want: price + "1.00, and the customer's price in Cin7 Core is 0.00, which is 100 % less. The price in " +
				"“Wholesale” (price tier 2), which the customer's card names: 12.46. Less 100 %, the customer's " +
				"discount: 0.00."},
		{check: CheckHold, unit: "1.00", change: func(c *Customer, _ *Product) { c.Currency = "EUR" }},
		{check: CheckHold, unit: "1.00", change: func(c *Customer, _ *Product) { c.Active = false }},
	} {
		r := Rules{Currency: "NZD", Tiers: tiersOf("Retail", "Wholesale"), Settings: DefaultSettings()}
		r.Settings.PriceCheck = c.check
		line := upstock.Line{UnitPrice: dec(c.unit)}
		for to, text := range map[*decimal.Decimal]string{&r.Settings.PriceCheckPercent: c.percent,
			&line.DiscountPercent: c.discount} {
			if text != "" {
				*to = dec(text)
			}
		}
		customer := Customer{ID: "c1", Name: "Kea", Currency: "NZD", Tier: "Wholesale", Discount: dec("2.5"),
			Active: true}
		product := Product{ID: "p1", SKU: "HON", Name: "Mānuka honey", Sellable: true,
			Tiers: TierPrices{1: dec("12.46")}}
		if c.change != nil {
			c.change(&customer, &product)
		}
		var own *decimal.Decimal
		if c.own != "" {
			own = new(dec(c.own))
		}
		if got := r.CheckLine(customer, own, product, line); got != (Finding{c.want, c.hold}) {
			t.Errorf("%+v:\n%+v\nwant\n%s %v", c, got, c.want, c.hold)
		}
	}
}

// TestCheckLineProperty: nothing is said of a line that has the price which Upstock was told, and something is of any
// other.
func TestCheckLineProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		money := func(what string) decimal.Decimal {
			places := rapid.Int32Range(0, 4).Draw(t, what+"'s places")
			return decimal.New(rapid.Int64Range(1, 9_999_999).Draw(t, what), -places)
		}
		r := Rules{Currency: "NZD", Tiers: tiersOf("Retail"), Settings: DefaultSettings()}
		r.Settings.PriceCheck = CheckHold
		c := Customer{ID: "c1", Tier: "Retail", Active: true,
			Discount: decimal.New(rapid.Int64Range(0, 10_000).Draw(t, "discount"), -2)}
		p := Product{ID: "p1", SKU: "A", Name: "A", Sellable: true, Tiers: TierPrices{money("price")}}
		price := *r.Price(c, nil, p).Price
		if got := r.CheckLine(c, nil, p, upstock.Line{UnitPrice: price}); got != (Finding{}) {
			t.Errorf("%s: %+v", price, got)
		}
		other := price.Add(money("more"))
		got := r.CheckLine(c, nil, p, upstock.Line{UnitPrice: other})
		if !got.Hold || !strings.Contains(got.Says, upstock.PriceText(price)) ||
			!strings.Contains(got.Says, upstock.PriceText(other)) {
			t.Errorf("%s for %s: %+v", other, price, got)
		}
	})
}

func TestOwnPriceOf(t *testing.T) {
	own := []OwnPrice{{"a", dec("1")}, {"c", dec("3")}}
	for id, want := range map[string]string{"a": "1", "A": "1", " C ": "3", "b": "", "": ""} {
		got := ""
		if price := OwnPriceOf(own, id); price != nil {
			got = price.String()
		}
		if got != want {
			t.Errorf("%q: %q", id, got)
		}
	}
}
