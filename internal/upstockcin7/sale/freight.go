package sale

import (
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/match"
	"stockbridge/internal/prose"
	"stockbridge/internal/upstock"
)

func (p *planner) hasFreight() bool {
	return p.o.Freight != nil && (!p.o.Freight.Amount.IsZero() || p.unreadable("freight.amount"))
}

func (p *planner) chargeFrom(f upstock.Freight) cin7core.Charge {
	product := p.freightProduct()
	price := p.freightPriceFrom(f)
	rate, rule := p.freightRateFrom(f, product)
	comment, wasCut := prose.Cut(prose.Clean(f.Description), maxCharge)
	if wasCut {
		p.say("The freight's description was cut at %d characters.", maxCharge)
	}
	total := rowTotal(price, decimal.Zero, one)
	return cin7core.Charge{
		Description: product.Name, Price: price, Quantity: one, Discount: decimal.Zero,
		TaxRule: rule, Tax: rowTax(total, rate), Total: total, Comment: comment,
	}
}

func (p *planner) freightPriceFrom(f upstock.Freight) decimal.Decimal {
	price, sensible, said := p.read(f.Amount, "freight.amount")
	switch {
	case said:
	case !sensible:
		p.problem(0, "freight", "The freight is too large to be meant.", correctOrder)
	case price.IsNegative():
		p.problem(0, "freight", fmt.Sprintf("The freight is %s, less than 0.", figure(price)), correctOrder)
	case places(price) > 4:
		p.say("The freight is finer than the 4 decimals that Cin7 Core takes, and was rounded.")
	}
	return price.Round(4)
}

// freightRateFrom is rateFrom of the freight.
func (p *planner) freightRateFrom(f upstock.Freight, product cin7core.Product) (rate decimal.Decimal, rule string) {
	if f.TaxRate == nil && !p.unreadable("freight.taxRate") {
		rate, rule = p.absentRate(p.freightRow(), product)
		p.o.Freight.TaxRate = &rate
		return rate, rule
	}
	rate, sensible, said := p.read(rateOf(f.TaxRate), "freight.taxRate")
	if !said && (!sensible || !isPercent(rate)) {
		p.problem(0, "freight", "The freight's tax rate is not between 0 and 100 %.", correctOrder)
		p.uncounted = true
		rate = decimal.Zero
	}
	return rate, p.ruleOf(rate)
}

// freightProduct is the service product that freight is charged on, by its name; which of an account's services that
// is, only a person can say.
func (p *planner) freightProduct() (none cin7core.Product) {
	const choose = "Choose a service product of Cin7 Core in the setting freightProduct"
	setting := strings.TrimSpace(p.s.FreightProduct)
	if setting == "" {
		p.problem(0, "freightProduct", "The order has freight, but no product for freight is chosen.", choose)
		return none
	}
	found := p.freightProducts(setting)
	for _, c := range found {
		if CanCarryFreight(c) {
			return c
		}
	}
	asked := []Want{productSKU(setting), productNamed(setting)}
	if len(found) == 0 {
		p.problem(0, "freightProduct", "The Cin7 Core account has no product "+prose.Quote(setting)+
			", which the setting freightProduct names.", choose, asked...)
		return none
	}
	asked = append([]Want{{Kind: WantProduct, ID: found[0].ID}}, asked...)
	p.problem(0, "freightProduct", fmt.Sprintf("The product %s of the setting freightProduct %s.",
		prose.Quote(setting), noCharge(found[0])), choose, asked...)
	return found[0]
}

// freightProducts are those that the setting freightProduct may mean: by SKU before name, as they are written before
// another case.
func (p *planner) freightProducts(setting string) []cin7core.Product {
	found := slices.Clone(p.products.sku[setting])
	for _, means := range []func(cin7core.Product) bool{
		func(c cin7core.Product) bool { return strings.TrimSpace(c.Name) == setting },
		func(c cin7core.Product) bool { return match.Same(c.SKU, setting) },
		func(c cin7core.Product) bool { return match.Same(c.Name, setting) },
	} {
		for _, c := range p.ref.Products {
			if means(c) {
				found = append(found, c)
			}
		}
	}
	return found
}

// CanCarryFreight reports whether freight can be charged on a product.
func CanCarryFreight(c cin7core.Product) bool { return noCharge(c) == "" }

// noCharge says why freight cannot be charged on a product, as the end of a sentence.
func noCharge(c cin7core.Product) string {
	switch {
	case !match.Same(c.Type, "Service"):
		return "is not a service in Cin7 Core"
	case c.Status.Is(cin7core.Deprecated):
		return "is deprecated in Cin7 Core"
	case c.Status.Is(setupRequired):
		return "is not set up yet in Cin7 Core"
	case !c.CanSell():
		return "is not for sale in Cin7 Core"
	}
	return ""
}
