package sale

import (
	"fmt"
	"strings"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/prose"
	"stockbridge/internal/upstock"
)

// order is the sale's lines and charges. Their sums come with the totals.
func (p *planner) order() cin7core.OrderDocument {
	d := cin7core.OrderDocument{Status: statusFrom(p.s), AutoPickPackShipMode: modeFrom(p.s)}
	for i, l := range p.o.Lines {
		d.Lines = append(d.Lines, p.lineFrom(i, l))
	}
	if p.hasFreight() {
		d.AdditionalCharges = append(d.AdditionalCharges, p.chargeFrom(*p.o.Freight))
	}
	return d
}

// lineFrom reads all of a line, so that all that is wrong with it is said at once.
func (p *planner) lineFrom(i int, l upstock.Line) cin7core.OrderLine {
	if p.unreadable("lines[%d]", i) {
		p.uncounted = true
		return cin7core.OrderLine{}
	}
	product := p.productFrom(i+1, l)
	quantity := p.quantityFrom(i, l)
	price, discount := p.priceFrom(i, l)
	rate, rule := p.rateFrom(i, l, product)
	comment, wasCut := prose.Cut(prose.Clean(l.Comment), maxLineComment)
	if wasCut {
		p.sayLine(i+1, fmt.Sprintf("the comment was cut at %d characters.", maxLineComment))
	}
	total := rowTotal(price, discount, quantity)
	return cin7core.OrderLine{
		ProductID: product.ID, SKU: product.SKU, Name: product.Name,
		Quantity: quantity, Price: price, Discount: discount,
		TaxRule: rule, Tax: rowTax(total, rate),
		Comment: comment, Total: total,
		DropShip: false, // the goods are in the merchant's hands; a product with Optional Drop Ship asks
	}
}

// lineProblem says what stands against line n, which wants could refute.
func (p *planner) lineProblem(n int, l upstock.Line, code, what, fix string, wants ...Want) {
	label := fmt.Sprintf("Line %d", n)
	if sku := strings.TrimSpace(l.SKU); sku != "" {
		label += fmt.Sprintf(" (SKU %s)", prose.Quote(sku))
	} else if l.Name != "" {
		label += fmt.Sprintf(" (%s)", prose.Quote(l.Name))
	}
	p.problem(n, code, label+": "+what, fix, wants...)
}

func (p *planner) quantityFrom(i int, l upstock.Line) decimal.Decimal {
	q, sensible, said := p.read(l.Quantity, "lines[%d].quantity", i)
	what := ""
	switch {
	case said:
	case !sensible:
		what = "the quantity is too large to be meant."
	case q.LessThan(one):
		what = fmt.Sprintf("the quantity is %s; Cin7 Core takes 1 and more.", figure(q))
	case places(q) > 4: // MaximumDecimalPlacesInQuantity is about documents in print
		what = fmt.Sprintf("the quantity %s has more than the 4 decimals that Cin7 Core takes.", figure(q))
	}
	if what != "" {
		p.lineProblem(i+1, l, "quantity", what, correctOrder)
	}
	return q
}

// priceFrom is the price and discount as Cin7 Core takes them.
func (p *planner) priceFrom(i int, l upstock.Line) (price, discount decimal.Decimal) {
	price, sensible, said := p.read(l.UnitPrice, "lines[%d].unitPrice", i)
	switch {
	case said:
	case !sensible:
		p.lineProblem(i+1, l, "price", "the unit price is too large to be meant.", correctOrder)
	case price.IsNegative():
		p.lineProblem(i+1, l, "price", fmt.Sprintf("the unit price is %s, less than 0.", figure(price)), correctOrder)
	}
	discount, sensible, said = p.read(l.DiscountPercent, "lines[%d].discountPercent", i)
	if !said && (!sensible || !isPercent(discount)) {
		p.lineProblem(i+1, l, "discount", "the discount is not between 0 and 100 %.", correctOrder)
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
	if l.TaxRate == nil && !p.unreadable("lines[%d].taxRate", i) {
		rate, rule = p.absentRate(p.lineRow(i+1, l), product)
		p.o.Lines[i].TaxRate = &rate
		return rate, rule
	}
	rate, sensible, said := p.read(rateOf(l.TaxRate), "lines[%d].taxRate", i)
	if !said && (!sensible || !isPercent(rate)) {
		p.lineProblem(i+1, l, "taxRate", "the tax rate is not between 0 and 100 %.", correctOrder)
		p.uncounted = true
		return decimal.Zero, ""
	}
	return rate, p.ruleOf(rate)
}
