package sale

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/ledger"
	"stockbridge/internal/match"
	"stockbridge/internal/prose"
	"stockbridge/internal/upstock"
)

func (p *planner) orderFrom(o upstock.Order) cin7core.OrderDocument {
	d := cin7core.OrderDocument{Status: statusFrom(p.s), AutoPickPackShipMode: modeFrom(p.s)}
	for i, l := range o.Lines {
		d.Lines = append(d.Lines, p.lineFrom(i, l))
	}
	if p.hasFreight() {
		d.AdditionalCharges = append(d.AdditionalCharges, p.chargeFrom(*o.Freight))
	}
	return d
}

// lineFrom reads all of a line, so that all that is wrong with it is said at once.
func (p *planner) lineFrom(i int, l upstock.Line) cin7core.OrderLine {
	if p.bad("lines[%d]", i) {
		p.uncounted = true
		return cin7core.OrderLine{}
	}
	product := p.productFrom(i+1, l)
	quantity := p.quantityFrom(i, l)
	price, discount := p.priceFrom(i, l)
	rate, rule := p.rateFrom(i, l, product)
	comment, was := prose.Cut(prose.Clean(l.Comment), maxLineComment)
	if was {
		p.sayLine(i+1, fmt.Sprintf("the comment was cut at %d characters.", maxLineComment))
	}
	total := rowTotal(price, discount, quantity)
	return cin7core.OrderLine{
		ProductID: product.ID, SKU: product.SKU, Name: product.Name,
		Quantity: quantity, Price: price, Discount: discount,
		TaxRule: rule, Tax: rowTax(total, rate),
		Comment: comment, DropShip: false, // the goods are in the merchant's hands; a product with Optional Drop Ship asks
		Total: total,
	}
}

// wrong says what stands against line n, which wants could refute.
func (p *planner) wrong(n int, l upstock.Line, code, what, fix string, wants ...Want) {
	label := fmt.Sprintf("Line %d", n)
	if sku := strings.TrimSpace(l.SKU); sku != "" {
		label += fmt.Sprintf(" (SKU %s)", prose.Quote(sku))
	} else if l.Name != "" {
		label += fmt.Sprintf(" (%s)", prose.Quote(l.Name))
	}
	p.problem(n, code, label+": "+what, fix+thenRetry, wants...)
}

// count reads an amount. Not sensible is what no order means, and it leaves the totals uncounted; said is that there is a
// problem of the field already.
func (p *planner) count(d decimal.Decimal, field string, args ...any) (_ decimal.Decimal, sensible, said bool) {
	if p.bad(field, args...) {
		p.uncounted = true
		return decimal.Zero, false, true
	}
	d, ok := amount(d)
	if !ok || d.Abs().GreaterThan(billion) {
		p.uncounted = true
		return decimal.Zero, false, false
	}
	return d, true, false
}

const correctOrder = "Correct the order in Upstock"

func (p *planner) quantityFrom(i int, l upstock.Line) decimal.Decimal {
	q, sensible, said := p.count(l.Quantity, "lines[%d].quantity", i)
	switch {
	case said:
	case !sensible:
		p.wrong(i+1, l, "quantity", "the quantity is too large to be meant.", correctOrder)
	case q.LessThan(one):
		p.wrong(i+1, l, "quantity", fmt.Sprintf("the quantity is %s; Cin7 Core takes 1 and more.", figure(q)), correctOrder)
	case places(q) > 4: // MaximumDecimalPlacesInQuantity is about documents in print
		p.wrong(i+1, l, "quantity", fmt.Sprintf("the quantity %s has more than the 4 decimals that Cin7 Core takes.", figure(q)), correctOrder)
	}
	return q
}

// priceFrom is the price and discount as Cin7 Core takes them.
func (p *planner) priceFrom(i int, l upstock.Line) (price, discount decimal.Decimal) {
	price, sensible, said := p.count(l.UnitPrice, "lines[%d].unitPrice", i)
	switch {
	case said:
	case !sensible:
		p.wrong(i+1, l, "price", "the unit price is too large to be meant.", correctOrder)
	case price.IsNegative():
		p.wrong(i+1, l, "price", fmt.Sprintf("the unit price is %s, less than 0.", figure(price)), correctOrder)
	}
	discount, sensible, said = p.count(l.DiscountPercent, "lines[%d].discountPercent", i)
	if !said && (!sensible || discount.IsNegative() || discount.GreaterThan(hundred)) {
		p.wrong(i+1, l, "discount", "the discount is not between 0 and 100 %.", correctOrder)
		p.uncounted = true
		return price, decimal.Zero
	}
	switch {
	case places(discount) > 2:
		p.sayLine(i+1, "the discount is finer than the 2 decimals that Cin7 Core takes, so it went into the price.")
		return netOf(price, discount).Round(4), decimal.Zero
	case places(price) > 4:
		p.sayLine(i+1, "the unit price is finer than the 4 decimals that Cin7 Core takes, and was rounded.")
	}
	return price.Round(4), discount
}

// rateFrom is the tax percentage, 0 where it makes no sense, and the rule that charges it.
func (p *planner) rateFrom(i int, l upstock.Line, product cin7core.Product) (rate decimal.Decimal, rule string) {
	if l.TaxRate == nil && !p.bad("lines[%d].taxRate", i) {
		rate, rule = p.absentRate(p.lineRow(i+1, l), product)
		p.o.Lines[i].TaxRate = &rate
		return rate, rule
	}
	rate, sensible, said := p.count(rateOf(l.TaxRate), "lines[%d].taxRate", i)
	if !said && (!sensible || rate.IsNegative() || rate.GreaterThan(hundred)) {
		p.wrong(i+1, l, "taxRate", "the tax rate is not between 0 and 100 %.", correctOrder)
		p.uncounted = true
		return decimal.Zero, ""
	}
	return rate, p.ruleOf(rate)
}

// productIndex finds the candidates of thousands of lines.
type productIndex struct{ id, sku, folded, seen map[string][]cin7core.Product }

func indexProducts(products []cin7core.Product) productIndex {
	x := productIndex{map[string][]cin7core.Product{}, map[string][]cin7core.Product{}, map[string][]cin7core.Product{}, map[string][]cin7core.Product{}}
	for _, p := range products {
		id, sku := strings.ToLower(strings.TrimSpace(p.ID)), strings.TrimSpace(p.SKU)
		if id == "" || len(x.id[id]) > 0 {
			continue
		}
		x.id[id] = append(x.id[id], p)
		x.sku[sku] = append(x.sku[sku], p)
		x.folded[strings.ToLower(sku)] = append(x.folded[strings.ToLower(sku)], p)
		x.seen[match.SKU(sku)] = append(x.seen[match.SKU(sku)], p)
	}
	return x
}

// productFrom is the product of line n, by id, else by SKU; the id of a product made anew leads nowhere, its SKU still does.
func (p *planner) productFrom(n int, l upstock.Line) cin7core.Product {
	id, sku := match.ID(l.ProductExternalID), strings.TrimSpace(l.SKU)
	if id == "" && sku == "" {
		p.wrong(n, l, "unknownSku", "it names no product: it has neither a Cin7 Core id nor a SKU.", "Link the product in Upstock, or give it the SKU that it has in Cin7 Core")
		return cin7core.Product{}
	}
	var wants []Want
	if id != "" {
		if found := p.products.id[strings.ToLower(id)]; len(found) > 0 {
			if sku != "" && !match.Same(sku, found[0].SKU) {
				p.sayLine(n, fmt.Sprintf("the SKU %s is %s in Cin7 Core; the product goes by its id.", prose.Quote(sku), prose.Quote(found[0].SKU)))
			}
			return p.usable(n, l, found[0])
		}
		wants = append(wants, Want{Kind: WantProduct, ID: id})
	}
	if link := p.ref.Goods[match.SKU(sku)]; sku != "" && link.ID != "" {
		if found := p.products.id[strings.ToLower(link.ID)]; len(found) > 0 {
			return p.usable(n, l, found[0])
		}
		wants = append(wants, Want{Kind: WantProduct, ID: link.ID}) // a link that leads nowhere is as good as none
	}
	found := p.products.sku[sku]
	if len(found) == 0 {
		found = p.products.folded[strings.ToLower(sku)]
	}
	if len(found) == 0 && match.Visible(sku) != "" {
		found = p.products.seen[match.SKU(sku)]
	}
	if sku == "" {
		found = nil
	}
	found = current(found)
	wants = append(wants, productSKU(sku))
	hidden := ""
	if h := match.Hidden(sku); h != "" {
		hidden = " The SKU has " + h + ", in it, which nobody sees."
		wants = append(wants, productSKU(match.Visible(sku)))
	}
	switch {
	case len(found) == 1:
		if strings.TrimSpace(found[0].SKU) != sku && !match.Same(found[0].SKU, sku) {
			p.want(wants...)
			p.sayLine(n, fmt.Sprintf("the product %s was taken, whose SKU looks the same.%s", prose.Quote(found[0].SKU), hidden))
		}
		if id != "" {
			p.want(wants...)
			p.sayLine(n, "Cin7 Core has no product of the id that Upstock knows; the one with its SKU was taken.")
		}
		return p.usable(n, l, found[0])
	case len(found) > 1:
		var skus []string
		for _, f := range found {
			skus = append(skus, f.SKU)
		}
		p.wrong(n, l, "skuAmbiguous", "Cin7 Core has several products with this SKU: "+prose.List(skus)+"."+hidden, "Pick the right product, link it in Upstock, or give it the SKU exactly as in Cin7 Core", wants...)
		p.offerProducts(l, found)
	case sku == "":
		p.wrong(n, l, "unknownSku", "Cin7 Core has no product of the id "+prose.Quote(id)+", to which Upstock links it.", "Link the product anew in Upstock", wants...)
	default:
		p.wrong(n, l, "unknownSku", "Cin7 Core has no product with this SKU."+hidden, "Pick the right product, add it in Cin7 Core, or correct its SKU in Upstock", wants...)
		p.offerProducts(l, p.ref.Products)
	}
	return cin7core.Product{}
}

// current are the products that are not deprecated; where all are, all.
func current(found []cin7core.Product) []cin7core.Product {
	kept := slices.DeleteFunc(slices.Clone(found), func(c cin7core.Product) bool { return c.Status.Is(cin7core.Deprecated) })
	if len(kept) == 0 {
		return found
	}
	return kept
}

// offerProducts adds to the problem just said of a line the products that a person may choose for its SKU. An order of
// hundreds of unknown products would be more than its record holds.
func (p *planner) offerProducts(l upstock.Line, of []cin7core.Product) {
	const most = 20
	if len(p.problems) == 0 || len(p.problems) > most {
		return
	}
	problem := &p.problems[len(p.problems)-1]
	problem.About = ProductLinks + "/" + prose.Within(l.SKU, 100)
	for _, c := range of {
		if c.ID == "" || match.Same(c.Type, "Service") || c.Status.Is(cin7core.Deprecated) || !c.CanSell() {
			continue
		}
		bySKU, _ := match.Compare(match.Party{Name: l.SKU}, match.Party{Name: c.SKU})
		byName, _ := match.Compare(match.Party{Name: l.Name}, match.Party{Name: c.Name})
		score, why := bySKU/0.6, "a SKU like it"
		if byName > bySKU {
			score, why = byName/0.6, "a name like it"
		}
		if score < 0.4 {
			continue
		}
		problem.Choices = append(problem.Choices, ledger.Choice{ID: c.ID, Label: prose.Within(c.SKU+" "+c.Name, 80), Score: math.Round(100*score) / 100, Why: why})
	}
	slices.SortStableFunc(problem.Choices, func(a, b ledger.Choice) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), strings.Compare(a.Label, b.Label), strings.Compare(a.ID, b.ID))
	})
	problem.Choices = problem.Choices[:min(len(problem.Choices), mostChoices)]
}

// setupRequired is a status that the client has no name for, as nothing else asks.
const setupRequired cin7core.Status = "Setup required"

func (p *planner) usable(n int, l upstock.Line, product cin7core.Product) cin7core.Product {
	live := Want{Kind: WantProduct, ID: product.ID}
	what := "the Cin7 Core product " + prose.Quote(product.SKU)
	if match.Same(product.Type, "Service") {
		p.wrong(n, l, "productService", what+" is a service, and services are no order lines.", "Take the line off the order in Upstock and enter it as freight, or link a stock product", live)
	}
	switch {
	case product.Status.Is(cin7core.Deprecated):
		p.wrong(n, l, "productDeprecated", what+" is deprecated.", "Make the product active in Cin7 Core, or take it off the order in Upstock", live)
	case product.Status.Is(setupRequired):
		p.wrong(n, l, "productSetup", what+" is not set up yet (its status is “Setup required”).", "Finish the product in Cin7 Core", live)
	}
	if !product.CanSell() {
		p.wrong(n, l, "productNotSellable", what+" is not for sale.", "Make the product sellable in Cin7 Core, or take it off the order in Upstock", live)
	}
	return product
}

func (p *planner) hasFreight() bool {
	return p.o.Freight != nil && (!p.o.Freight.Amount.IsZero() || p.bad("freight.amount"))
}

func (p *planner) chargeFrom(f upstock.Freight) cin7core.Charge {
	product := p.freightProduct()
	price, sensible, said := p.count(f.Amount, "freight.amount")
	switch {
	case said:
	case !sensible:
		p.problem(0, "freight", "The freight is too large to be meant.", correctOrder+thenRetry)
	case price.IsNegative():
		p.problem(0, "freight", fmt.Sprintf("The freight is %s, less than 0.", figure(price)), correctOrder+thenRetry)
	case places(price) > 4:
		p.say("The freight is finer than the 4 decimals that Cin7 Core takes, and was rounded.")
	}
	var rate decimal.Decimal
	var rule string
	if f.TaxRate == nil && !p.bad("freight.taxRate") {
		rate, rule = p.absentRate(p.freightRow(), product)
		p.o.Freight.TaxRate = &rate
	} else {
		rate, sensible, said = p.count(rateOf(f.TaxRate), "freight.taxRate")
		if !said && (!sensible || rate.IsNegative() || rate.GreaterThan(hundred)) {
			p.problem(0, "freight", "The freight's tax rate is not between 0 and 100 %.", correctOrder+thenRetry)
			p.uncounted = true
			rate = decimal.Zero
		}
		rule = p.ruleOf(rate)
	}
	comment, was := prose.Cut(prose.Clean(f.Description), maxCharge)
	if was {
		p.say("The freight's description was cut at %d characters.", maxCharge)
	}
	price = price.Round(4)
	total := rowTotal(price, decimal.Zero, one)
	return cin7core.Charge{
		Description: product.Name, Price: price, Quantity: one, Discount: decimal.Zero,
		TaxRule: rule, Tax: rowTax(total, rate), Total: total, Comment: comment,
	}
}

// freightProduct is the service product that freight is charged on, by its name; which of an account's services that is,
// only a person can say.
func (p *planner) freightProduct() (none cin7core.Product) {
	setting := strings.TrimSpace(p.s.FreightProduct)
	const choose = "Choose a service product of Cin7 Core in the setting freightProduct"
	if setting == "" {
		p.problem(0, "freightProduct", "The order has freight, but no product for freight is chosen.", choose+thenRetry)
		return none
	}
	found := p.products.sku[setting]
	for _, by := range []func(cin7core.Product) bool{
		func(c cin7core.Product) bool { return strings.TrimSpace(c.Name) == setting },
		func(c cin7core.Product) bool { return match.Same(c.SKU, setting) },
		func(c cin7core.Product) bool { return match.Same(c.Name, setting) },
	} {
		for _, c := range p.ref.Products {
			if by(c) {
				found = append(found, c)
			}
		}
	}
	for _, c := range found {
		if chargeable(c) == "" {
			return c
		}
	}
	if len(found) == 0 {
		p.problem(0, "freightProduct", "The Cin7 Core account has no product "+prose.Quote(setting)+", which the setting freightProduct names.",
			choose+thenRetry, productSKU(setting), productNamed(setting))
		return none
	}
	p.problem(0, "freightProduct", fmt.Sprintf("The product %s of the setting freightProduct %s.", prose.Quote(setting), chargeable(found[0])),
		choose+thenRetry, Want{Kind: WantProduct, ID: found[0].ID}, productSKU(setting), productNamed(setting))
	return found[0]
}

// CanCarryFreight reports whether freight can be charged on a product.
func CanCarryFreight(c cin7core.Product) bool { return chargeable(c) == "" }

// chargeable says what stands against charging freight on a product.
func chargeable(c cin7core.Product) string {
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
