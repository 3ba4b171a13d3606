package catalogue

import (
	"cmp"
	"flag"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/publish"
	"stockbridge/internal/upstock"
)

var update = flag.Bool("update", false, "rewrite golden files")

// TestPricesGolden shows a customer's price, list and reasons for every combination of tier, discount and own price.
func TestPricesGolden(t *testing.T) {
	rules := Rules{Currency: "NZD", Tiers: tiersOf("Retail", "Wholesale", "Twice", " twice ", "", "Export")}
	rules.Tiers[3].Name = "Twice"
	var b strings.Builder
	for _, tier := range []string{"Wholesale", "WHOLESALE ", "Twice", "Gone", ""} {
		for _, discount := range []string{"0", "2.5", "33.3333", "100", "-10", "120"} {
			for _, own := range []string{"", "12.46", "0", "-1"} {
				if tier != "Wholesale" && discount != "0" && discount != "2.5" {
					continue
				}
				c := Customer{ID: "c1", Name: "Kea Café", Currency: "nzd", Tier: tier, Discount: dec(discount),
					Active: true}
				for _, price := range []string{"12.46", "7.4550", "0", "-3"} {
					if own != "" && price != "12.46" {
						continue
					}
					p := Product{ID: "p1", SKU: "HON", Name: "Mānuka honey", Sellable: true, Status: "Active"}
					p.Tiers[0], p.Tiers[1] = dec("99"), dec(price)
					show(&b, rules, c, own, p)
				}
			}
		}
	}
	good := Customer{ID: "c1", Name: "Kea Café", Currency: "NZD", Tier: "Wholesale", Active: true}
	goods := Product{ID: "p1", SKU: "HON", Name: "Mānuka honey", Sellable: true, Tiers: TierPrices{1: dec("12.46")}}
	for _, change := range []func(c *Customer, p *Product){
		func(c *Customer, _ *Product) { c.Currency = "EUR" },
		func(c *Customer, _ *Product) { c.Active = false },
		func(c *Customer, _ *Product) { c.Discount = dec("1001") },
		func(c *Customer, _ *Product) { c.Discount = dec("2.00005") },
		func(_ *Customer, p *Product) { p.DiscountRule = "Ten for nine" },
		func(_ *Customer, p *Product) { p.Status = "deprecated" },
		func(_ *Customer, p *Product) { p.Sellable = false },
		func(_ *Customer, p *Product) { p.Type = "Service" },
		func(_ *Customer, p *Product) { p.SKU = "\u200b" },
		func(_ *Customer, p *Product) { p.Tiers[1] = dec("1e12") },
		func(_ *Customer, p *Product) { p.Tiers[1] = dec("12.46005") },
		func(_ *Customer, p *Product) { p.Tiers[1] = dec("0.00004") },
		func(_ *Customer, p *Product) { p.Tiers[1] = dec("0.00005") },
	} {
		c, p := good, goods
		change(&c, &p)
		show(&b, rules, c, "", p)
	}
	const file = "testdata/prices.golden"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || string(want) != b.String() {
		t.Errorf("%v: prices are not as in %s: run with -update and look at what changed", err, file)
	}
}

// show writes a price with all that is said of it.
func show(b *strings.Builder, r Rules, c Customer, own string, p Product) {
	var ownPrice *decimal.Decimal
	if own != "" {
		ownPrice = new(dec(own))
	}
	e := r.Price(c, ownPrice, p)
	fmt.Fprintf(b, "tier %q %s, discount %s, own price %s", c.Tier, p.Tiers[1], c.Discount, cmp.Or(own, "none"))
	price, list := "none", "no list"
	if e.Price != nil {
		price = upstock.PriceText(*e.Price)
	}
	if e.List != nil {
		list = e.List.ID + " " + e.List.Name
	}
	fmt.Fprintf(b, " = %s in %s\n", price, list)
	for _, s := range e.Steps {
		fmt.Fprintf(b, "    %-10s %s\n", s.Value, s.Text)
	}
	if e.Held != "" {
		fmt.Fprintf(b, "    held: %s\n", e.Held)
	}
}

// rat and rounded are another way to reckon: in fractions.
func rat(d decimal.Decimal) *big.Rat { return d.Rat() }

// rounded is half away from zero, to four decimals.
func rounded(r *big.Rat) *big.Rat {
	n := new(big.Rat).Mul(r, big.NewRat(10_000, 1))
	half := big.NewRat(int64(n.Sign()), 2)
	n.Add(n, half)
	whole := new(big.Int).Quo(n.Num(), n.Denom()) // towards zero
	return new(big.Rat).SetFrac(whole, big.NewInt(10_000))
}

// expected is a customer's price of a product of a Cin7 Core account, as the issue has it in words; nil = none.
func (a account) expected(c cin7core.Customer, p cin7core.Product) *big.Rat {
	if p.Type == "Service" || p.Status == "Deprecated" || !p.CanSell() || p.SKU == "" || c.Status == "Deprecated" ||
		c.Currency != a.rules.Currency || !a.is(p.ID) || !a.is(c.ID) {
		return nil
	}
	var base *big.Rat
	for _, own := range c.ProductPrices {
		if strings.EqualFold(own.ProductID, p.ID) {
			if base = rat(own.Price); base.Sign() < 0 {
				return nil
			}
		}
	}
	if base == nil {
		code := 0
		for _, t := range a.rules.Tiers {
			if t.Name == c.PriceTier && c.PriceTier != "" {
				if code != 0 {
					return nil // two of that name
				}
				code = t.Code
			}
		}
		if code == 0 || p.Tier(code).Sign() <= 0 {
			return nil
		}
		base = rat(p.Tier(code))
	}
	share := new(big.Rat).Sub(big.NewRat(1, 1), new(big.Rat).Quo(rat(c.Discount), big.NewRat(100, 1)))
	return rounded(share.Mul(share, base))
}

func (a account) is(id string) bool { return a.chosen == nil || a.chosen(strings.ToLower(id)) }

// made is an account with all sorts of prices.
func made(r *rand.Rand, customers, products int) account {
	a := account{rules: Rules{Currency: "NZD",
		Tiers: tiersOf("Retail", "Wholesale", "Café", "Twice", "Twice", "Export", "Staff", "", "Online", "Outlet")}}
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	money := func() decimal.Decimal {
		switch r.IntN(12) {
		case 0:
			return decimal.Zero
		case 1:
			return dec(pick("-1", "-0.01", "7.4550", "12.46", "0.00004", "0.00005", "99999999.9999", "0.0001"))
		}
		return decimal.New(r.Int64N(5_000_000), -r.Int32N(5))
	}
	sold := []*bool{nil, nil, nil, new(true), new(false)}
	for n := range products {
		p := cin7core.Product{ID: guid(1, n), SKU: fmt.Sprint("SKU-", n), Name: fmt.Sprint("Product ", n),
			Type: pick("Stock", "Stock", "Stock", "Stock", "Service"), Sellable: sold[r.IntN(len(sold))],
			Status: cin7core.Status(pick("Active", "Active", "Active", "Active", "Deprecated"))}
		if r.IntN(50) == 0 {
			p.SKU = ""
		}
		for _, to := range []*decimal.Decimal{&p.PriceTier1, &p.PriceTier2, &p.PriceTier3, &p.PriceTier4, &p.PriceTier5,
			&p.PriceTier6, &p.PriceTier7, &p.PriceTier8, &p.PriceTier9, &p.PriceTier10} {
			*to = money()
		}
		a.products = append(a.products, p)
	}
	for n := range customers {
		c := cin7core.Customer{ID: guid(2, n), Name: fmt.Sprint("Customer ", n),
			Currency:  pick("NZD", "NZD", "NZD", "NZD", "EUR"),
			PriceTier: pick("Retail", "Wholesale", "Café", "Twice", "Export", "Staff", "", "Gone", "Online"),
			Discount:  dec(pick("0", "0", "0", "2.5", "2.50", "10", "33.33", "12.345", "100", "150", "-5")),
			Status:    cin7core.Status(pick("Active", "Active", "Active", "Active", "Deprecated"))}
		if r.IntN(4) == 0 {
			for range r.IntN(min(40, products)) {
				id := a.products[r.IntN(len(a.products))].ID
				has := func(x cin7core.ProductPrice) bool { return x.ProductID == id }
				if !slices.ContainsFunc(c.ProductPrices, has) {
					c.ProductPrices = append(c.ProductPrices, cin7core.ProductPrice{ProductID: id, Price: money()})
				}
			}
		}
		a.customers = append(a.customers, c)
	}
	a.chosen = func(id string) bool { return id[len(id)-1] != '5' }
	return a
}

// compare holds what Upstock is told to what every customer's price of every product should be, and returns how many
// pairs have a price.
func (a account) compare(t testing.TB, w told) (priced int) {
	t.Helper()
	needed := map[string]bool{}
	for _, c := range a.customers {
		id := strings.ToLower(c.ID)
		got, there := w.customers[id]
		if there != (a.is(id) && c.Status != "Deprecated") {
			t.Fatalf("%s is there: %v", c.Name, there)
		}
		if there && (got.PriceListExternalID == "") != (c.Currency != a.rules.Currency) {
			t.Fatalf("%s in %s has the list %q", c.Name, c.Currency, got.PriceListExternalID)
		}
		if got.PriceListExternalID != "" {
			needed[got.PriceListExternalID] = true
		}
		for _, p := range a.products {
			pid := strings.ToLower(p.ID)
			text, has := w.prices[got.PriceListExternalID][pid]
			want := a.expected(c, p)
			if has != (want != nil) || has && rat(dec(text)).Cmp(want) != 0 {
				t.Fatalf("%s pays %q for %s, and should pay %v", c.Name, text, p.Name, want)
			}
			if has {
				priced++
			}
		}
	}
	for id := range w.lists {
		if !needed[id] {
			t.Errorf("nobody has the list %s", id)
		}
	}
	return priced
}

// fewest is in how many lists the prices fit: a list for each tier and discount, one for each customer who has an own
// price of what is listed, and one without prices.
func (a account) fewest() int {
	lists := map[string]bool{}
	for _, c := range a.customers {
		if !a.is(c.ID) || c.Status == "Deprecated" || c.Currency != a.rules.Currency {
			continue
		}
		key := "none"
		if n := len(slices.DeleteFunc(slices.Clone(a.rules.Tiers), func(t cin7core.PriceTier) bool {
			return t.Name != c.PriceTier
		})); n == 1 && c.PriceTier != "" {
			key = c.PriceTier + rat(c.Discount).String()
		}
		for _, own := range c.ProductPrices {
			for _, p := range a.products {
				if p.ID == own.ProductID && a.is(p.ID) && p.Type == "Stock" && p.Status == "Active" && p.CanSell() &&
					p.SKU != "" {
					key = c.ID
				}
			}
		}
		lists[key] = true
	}
	return len(lists)
}

// TestPrices: for 500 customers and 2,000 products every price in the list that Upstock gives the customer is the one
// that is reckoned for that customer and product alone, in as few lists as will do.
func TestPrices(t *testing.T) {
	t.Parallel()
	a := made(rand.New(rand.NewPCG(1, 2)), 500, 2000)
	w := toldOf(t, a.source())
	priced := a.compare(t, w)
	if most := a.fewest(); len(w.lists) != most {
		t.Errorf("%d lists, and %d would do", len(w.lists), most)
	}
	if priced < 100_000 {
		t.Errorf("%d prices were compared", priced)
	}
	t.Logf("%d prices of %d customers and %d products agree, in %d lists", priced, len(w.customers), len(w.products),
		len(w.lists))
}

// TestPricesProperty: the same of small accounts of all sorts, and a want that is taken up after any of its keys goes
// on with the next.
func TestPricesProperty(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 3))
		a := made(r, rapid.IntRange(0, 12).Draw(rt, "customers"), rapid.IntRange(1, 12).Draw(rt, "products"))
		s := a.source()
		w := toldOf(t, s)
		a.compare(t, w)
		if most := a.fewest(); len(w.lists) != most {
			rt.Errorf("%d lists, and %d would do", len(w.lists), most)
		}
		for _, want := range []publish.Want{s.WantProducts, s.WantCustomers, s.WantLists, s.WantPrices} {
			whole := all(t, want, publish.Key{})
			if len(whole) == 0 {
				continue
			}
			i := rapid.IntRange(0, len(whole)-1).Draw(rt, "after")
			rest := all(t, want, whole[i].Key)
			if !slices.EqualFunc(rest, whole[i+1:], func(a, b publish.Record) bool {
				return a.Key == b.Key && string(a.Data) == string(b.Data)
			}) {
				rt.Errorf("after %v: %v, and not %v", whole[i].Key, rest, whole[i+1:])
			}
		}
		a.explain(rt, w)
	})
}

// explain holds the lists to what the rules say of each customer and product.
func (a account) explain(t *rapid.T, w told) {
	for _, card := range a.customers {
		c, owns := CustomerOf(card)
		rec, there := w.customers[c.ID]
		if !there {
			continue
		}
		c.OwnPrices = 0
		for _, o := range owns {
			if _, listed := w.products[o.Product]; listed {
				c.OwnPrices++
			}
		}
		for _, x := range a.products {
			p := ProductOf(x)
			if _, listed := w.products[p.ID]; !listed {
				continue
			}
			var own *decimal.Decimal
			for _, o := range owns {
				if o.Product == p.ID {
					own = &o.Price
				}
			}
			e := a.rules.Price(c, own, p)
			list := ""
			if e.List != nil {
				list = e.List.ID
			}
			text, has := w.prices[rec.PriceListExternalID][p.ID]
			if list != rec.PriceListExternalID || has != (e.Price != nil) ||
				has && upstock.PriceText(*e.Price) != text {
				t.Errorf("%s, %s: explained as %v in %q; it is %q in %q", c.Name, p.Name, e.Price, list, text,
					rec.PriceListExternalID)
			}
			held := Settings{}.Hold(publish.Change{Record: publish.Record{Data: priceDataOf(e.Price)}})
			if held != e.Held {
				t.Errorf("%s, %s: held as %q, explained as %q", c.Name, p.Name, held, e.Held)
			}
		}
	}
}

func priceDataOf(price *decimal.Decimal) []byte {
	if price == nil {
		return nil
	}
	return priceData(upstock.PriceText(*price))
}
