package cin7core

import (
	"slices"
	"strconv"

	"github.com/shopspring/decimal"
)

// documentBody is the body of POST /sale/quote and /sale/order. The document's
// totals are not read.
type documentBody struct {
	SaleID                   string
	CombineAdditionalCharges bool
	Memo                     *string
	Status                   string
	AutoPickPackShipMode     string
	Lines                    []lineBody
	AdditionalCharges        []chargeBody
}

type lineBody struct {
	ProductID, SKU, Name string
	Quantity, Price      *number
	Discount             number
	Tax                  *number
	AverageCost          number
	TaxRule, Comment     string
	DropShip             *bool
	Total                *number
}

type chargeBody struct {
	Description      string
	Quantity, Price  *number
	Discount         number
	Tax              *number
	TaxRule, Comment string
	Total            *number
}

// orderDoc is the answer of /sale/order.
type orderDoc struct {
	SaleID string
	order
}

type quoteDoc struct {
	SaleID string
	quote
}

func (c *call) orderDoc(r *saleRecord) orderDoc {
	x := c.render(r)
	for i := range x.Order.Lines {
		if !c.flag("IncludeProductInfo") {
			x.Order.Lines[i].productInfo = nil
		}
	}
	return orderDoc{x.ID, x.Order}
}

func (c *call) quoteDoc(r *saleRecord) quoteDoc {
	x := c.render(r)
	for i := range x.Quote.Lines {
		x.Quote.Lines[i].productInfo = nil
	}
	return quoteDoc{x.ID, x.Quote}
}

func (c *call) getOrder() (any, error) {
	r, err := c.saleParam("SaleID")
	if err != nil {
		return nil, err
	}
	return c.orderDoc(r), nil
}

func (c *call) getQuote() (any, error) {
	r, err := c.saleParam("SaleID")
	if err != nil {
		return nil, err
	}
	return c.quoteDoc(r), nil
}

// readDocument reads the body of a quote or an order and finds its sale.
func (c *call) readDocument() (*documentBody, *saleRecord, error) {
	var in documentBody
	if err := (decoder{}).decode(c.Body, &in); err != nil {
		return nil, nil, err
	}
	if in.SaleID == "" {
		return nil, nil, missing("SaleID")
	}
	r, err := c.findSale(in.SaleID)
	if err != nil {
		return nil, nil, err
	}
	switch in.Status {
	case draft, authorised:
	case "":
		return nil, nil, missing("Status")
	default:
		return nil, nil, badValue{"Status"}
	}
	if in.Memo != nil {
		if err := tooLong("Memo", *in.Memo, 1024); err != nil {
			return nil, nil, err
		}
	}
	return &in, r, nil
}

func (c *call) postQuote() (any, error) {
	in, r, err := c.readDocument()
	if err != nil {
		return nil, err
	}
	x := &r.Sale
	if x.SkipQuote {
		return nil, refuse("Sale does not have quote stage")
	}
	if x.Quote.Status != draft && x.Quote.Status != notAvailable {
		return nil, refuse("Sale quote can not be changed: its status is %s", x.Quote.Status)
	}
	lines, charges, err := c.readLines(in, x)
	if err != nil {
		return nil, err
	}
	x.Quote.Status, x.Quote.Lines, x.Quote.AdditionalCharges = in.Status, lines, charges
	if in.Memo != nil {
		x.Quote.Memo = *in.Memo
	}
	x.Quote.TotalBeforeTax, x.Quote.Tax, x.Quote.Total = c.totals(x, lines, charges)
	c.touch(r)
	return c.quoteDoc(r), nil
}

// postOrder replaces the lines of a draft order, and may authorise it.
func (c *call) postOrder() (any, error) {
	in, r, err := c.readDocument()
	if err != nil {
		return nil, err
	}
	x := &r.Sale
	if x.Type == serviceSale {
		return nil, refuse("This endpoint is not available for Service Sale")
	}
	if x.Order.Status != draft && x.Order.Status != notAvailable {
		return nil, refuse("Sale order can not be changed: its status is %s", x.Order.Status)
	}
	if !x.SkipQuote && x.Quote.Status != authorised {
		return nil, refuse("Sale quote is not AUTHORISED")
	}
	modes := map[string]int{"": 0, "NOPICK": 0, "AUTOPICK": 1, "AUTOPICKPACK": 2, "AUTOPICKPACKSHIP": 3}
	phases, ok := modes[in.AutoPickPackShipMode]
	if !ok {
		return nil, badValue{"AutoPickPackShipMode"}
	}
	lines, charges, err := c.readLines(in, x)
	if err != nil {
		return nil, err
	}
	if in.Status == authorised {
		if err := c.mayAuthorise(x, len(lines)+len(charges)); err != nil {
			return nil, err
		}
	}
	x.Order.Lines, x.Order.AdditionalCharges = lines, charges
	if in.Memo != nil {
		x.Order.Memo = *in.Memo
	}
	x.Order.Status = draft
	x.Order.TotalBeforeTax, x.Order.Tax, x.Order.Total = c.totals(x, lines, charges)
	if in.Status == authorised {
		c.authorise(r, phases)
	}
	c.touch(r)
	return c.orderDoc(r), nil
}

// mayAuthorise checks what only an authorisation needs: rows, and a customer in
// good standing (a hold does not stop a draft; decided).
func (c *call) mayAuthorise(x *sale, rows int) error {
	who := c.customer(x.CustomerID)
	switch {
	case rows == 0:
		return missing("Lines")
	case who == nil:
		return unknown("Customer", x.Customer)
	case who.Status == deprecated:
		return refuse("Customer '%s' is deprecated", who.Name)
	case who.IsOnCreditHold:
		return refuse("Customer '%s' is on credit hold", who.Name)
	}
	return nil
}

// authorise allocates stock, notes what is short, and runs the automatic phases,
// which only act on simple sales with enough stock.
func (c *call) authorise(r *saleRecord, phases int) {
	x := &r.Sale
	who := c.customer(x.CustomerID)
	if c.Me.AutomaticallyApplyDiscounts && who.Discount.Sign() > 0 {
		c.applyDiscount(x, who.Discount.Decimal)
	}
	x.Order.Status = authorised
	c.notify("Sale/OrderAuthorised", r, nil)
	short := c.allocate(x)
	if short {
		c.notify("Sale/Backordered", r, nil)
	}
	if x.Type != simpleSale {
		return
	}
	x.Fulfilments = []fulfilment{}
	f := c.addTask(x)
	if short {
		return
	}
	if phases > 0 {
		f.Pick.Lines, f.Pick.Status = c.unpicked(x, f, true), authorised
	}
	if phases > 1 {
		f.packAll([]string{"Box 1"})
	}
	if phases > 2 {
		c.shipBoxes(r, f, []string{"Box 1"}, shipLine{Carrier: x.Carrier})
	}
}

var hundred = decimal.NewFromInt(100)

// applyDiscount applies the customer's discount, as the vendor does at
// authorisation: on top of each line's discount, or off its price.
func (c *call) applyDiscount(x *sale, percent decimal.Decimal) {
	for i := range x.Order.Lines {
		l := &x.Order.Lines[i]
		if c.Me.DiscountRule == "Price" {
			l.Price = number{l.Price.Mul(hundred.Sub(percent)).Div(hundred).Round(4)}
		} else {
			l.Discount = number{hundred.Sub(hundred.Sub(l.Discount.Decimal).Mul(hundred.Sub(percent)).Div(
				hundred)).Round(2)}
		}
		l.Total = number{lineTotal(l.Price.Decimal, l.Discount.Decimal, l.Quantity.Decimal)}
		if t := c.tax(l.TaxRule); t != nil {
			l.Tax = number{taxOf(l.Total.Decimal, t.TaxPercent.Decimal, x.TaxCalculation == "Inclusive").Round(2)}
		}
	}
	x.Order.TotalBeforeTax, x.Order.Tax, x.Order.Total = c.totals(x, x.Order.Lines, x.Order.AdditionalCharges)
}

// allocate reserves stock at the sale's location, line by line. short reports
// whether there was too little.
func (c *company) allocate(x *sale) (short bool) {
	for i := range x.Order.Lines {
		l := &x.Order.Lines[i]
		l.BackorderQuantity = number{}
		if l.DropShip {
			continue
		}
		row := c.stockOf(l.ProductID, x.Location)
		got := decimal.Min(l.Quantity.Decimal, decimal.Max(row.OnHand.Sub(row.Allocated.Decimal), decimal.Decimal{}))
		row.Allocated = number{row.Allocated.Add(got)}
		if l.BackorderQuantity = (number{l.Quantity.Sub(got)}); l.BackorderQuantity.Sign() > 0 {
			short = true
		}
	}
	return short
}

// arrive gives new stock to the sales that wait for it, oldest first.
func (c *call) arrive(productID, location string) {
	row := c.stockOf(productID, location)
	for _, r := range c.Sales {
		x, changed := &r.Sale, false
		if x.Order.Status != authorised || x.Location != location {
			continue
		}
		for i := range x.Order.Lines {
			l := &x.Order.Lines[i]
			got := decimal.Min(l.BackorderQuantity.Decimal, row.OnHand.Sub(row.Allocated.Decimal))
			if l.ProductID != productID || got.Sign() <= 0 {
				continue
			}
			row.Allocated = number{row.Allocated.Add(got)}
			l.BackorderQuantity, changed = number{l.BackorderQuantity.Sub(got)}, true
		}
		if changed {
			c.touch(r)
		}
	}
}

// release returns what an authorised order has reserved, and what was shipped, to
// stock.
func (c *company) release(x *sale) {
	if x.Order.Status != authorised {
		return
	}
	gone := map[string]decimal.Decimal{}
	for _, f := range x.Fulfilments {
		if f.shipped() {
			for _, p := range f.Pack.Lines {
				if f.isShipped(p.Box) {
					gone[p.ProductID] = gone[p.ProductID].Add(p.Quantity.Decimal)
				}
			}
		}
	}
	for _, l := range x.Order.Lines {
		if l.DropShip {
			continue
		}
		row := c.stockOf(l.ProductID, x.Location)
		held := l.Quantity.Sub(l.BackorderQuantity.Decimal)
		back := decimal.Min(held, gone[l.ProductID])
		gone[l.ProductID] = gone[l.ProductID].Sub(back)
		row.OnHand = number{row.OnHand.Add(back)}
		row.Allocated = number{row.Allocated.Sub(held.Sub(back))}
	}
}

// lineTotal is the total of a line, before tax, by which the vendor validates.
func lineTotal(price, discount, quantity decimal.Decimal) decimal.Decimal {
	unit := price.Mul(hundred.Sub(discount)).Div(hundred).Round(4)
	return unit.Mul(quantity).Round(2)
}

func taxOf(total, percent decimal.Decimal, inclusive bool) decimal.Decimal {
	if inclusive {
		return total.Mul(percent).Div(hundred.Add(percent))
	}
	return total.Mul(percent).Div(hundred)
}

// readLines reads and checks lines and charges.
func (c *call) readLines(in *documentBody, x *sale) ([]line, []charge, error) {
	lines, charges := []line{}, []charge{}
	for i := range in.Lines {
		b := &in.Lines[i]
		p, err := c.lineProduct(b)
		if err != nil {
			return nil, nil, err
		}
		if in.CombineAdditionalCharges && p.Type == service {
			in.AdditionalCharges = append(in.AdditionalCharges,
				chargeBody{p.Name, b.Quantity, b.Price, b.Discount, b.Tax,
					b.TaxRule, b.Comment, b.Total})
			continue
		}
		l, err := c.readLine(b, p, x)
		if err != nil {
			return nil, nil, err
		}
		lines = append(lines, l)
	}
	for i := range in.AdditionalCharges {
		ch, err := c.readCharge(&in.AdditionalCharges[i], x)
		if err != nil {
			return nil, nil, err
		}
		charges = append(charges, ch)
	}
	return lines, charges, nil
}

func (c *call) lineProduct(b *lineBody) (*product, error) {
	var p *product
	switch {
	case b.ProductID != "":
		if p = c.product(b.ProductID); p == nil || b.SKU != "" && p.SKU != b.SKU {
			return nil, unknown("Product", b.ProductID)
		}
	case b.SKU != "":
		if p = c.productSKU(b.SKU); p == nil {
			return nil, unknown("Product", b.SKU)
		}
	default:
		return nil, missing("ProductID")
	}
	if p.Status == deprecated {
		return nil, refuse("Product '%s' is deprecated", p.SKU)
	}
	return p, nil
}

func (c *call) readLine(b *lineBody, p *product, x *sale) (line, error) {
	var none line
	if p.Type == service {
		return none, refuse("Product '%s' is a service and must be an additional charge", p.SKU)
	}
	if !p.Sellable {
		return none, refuse("Product '%s' is not sellable", p.SKU)
	}
	if err := tooLong("Name", b.Name, 1024); err != nil {
		return none, err
	}
	if err := tooLong("Comment", b.Comment, 256); err != nil {
		return none, err
	}
	total, err := c.checkAmounts(x, p.SKU, b.Quantity, b.Price, b.Discount, b.Tax, b.Total, b.TaxRule)
	if err != nil {
		return none, err
	}
	l := line{ProductID: p.ID, SKU: p.SKU, Name: b.Name, Quantity: *b.Quantity, Price: *b.Price, Discount: b.Discount,
		Tax: *b.Tax, AverageCost: p.AverageCost, TaxRule: b.TaxRule, Comment: b.Comment, Total: total,
		DropShip: p.DropShipMode == alwaysDropShip}
	if l.Name == "" {
		l.Name = p.Name
	}
	if p.DropShipMode == optionalDropShip {
		if b.DropShip == nil {
			return none, missing("DropShip")
		}
		l.DropShip = *b.DropShip
	}
	return l, nil
}

func (c *call) readCharge(b *chargeBody, x *sale) (charge, error) {
	if b.Description == "" {
		return charge{}, missing("Description")
	}
	if err := tooLong("Description", b.Description, 256); err != nil {
		return charge{}, err
	}
	if err := tooLong("Comment", b.Comment, 1024); err != nil {
		return charge{}, err
	}
	if !slices.ContainsFunc(c.Products, func(p *product) bool {
		return p.Type == service && p.Name == b.Description && p.Status != deprecated
	}) {
		return charge{}, unknown("Service product", b.Description)
	}
	total, err := c.checkAmounts(x, b.Description, b.Quantity, b.Price, b.Discount, b.Tax, b.Total, b.TaxRule)
	if err != nil {
		return charge{}, err
	}
	return charge{b.Description, *b.Price, *b.Quantity, b.Discount, *b.Tax, total, b.TaxRule, b.Comment}, nil
}

// checkAmounts checks a row's numbers by the vendor's formula: Total to half a
// cent, Tax to 5 cents (decided).
func (c *call) checkAmounts(
	x *sale, what string, quantity, price *number, discount number, tax, total *number, rule string,
) (number, error) {
	for _, f := range []struct {
		name string
		v    *number
	}{{"Quantity", quantity}, {"Price", price}, {"Tax", tax}} {
		if f.v == nil {
			return number{}, missing(f.name)
		}
		if places(f.v.Decimal) > 4 {
			return number{}, badValue{f.name}
		}
	}
	if quantity.LessThan(decimal.NewFromInt(1)) {
		return number{}, refuse("Quantity minimal value is 1")
	}
	if price.IsNegative() {
		return number{}, badValue{"Price"}
	}
	if discount.IsNegative() || discount.GreaterThan(hundred) || places(discount.Decimal) > 2 {
		return number{}, badValue{"Discount"}
	}
	if rule == "" {
		return number{}, missing("TaxRule")
	}
	t, err := c.saleTax(rule)
	if err != nil {
		return number{}, err
	}
	want := lineTotal(price.Decimal, discount.Decimal, quantity.Decimal)
	if total != nil && total.Sub(want).Abs().GreaterThan(dec("0.005")) {
		return number{}, mismatch(what, "Total", want)
	}
	wantTax := taxOf(want, t.TaxPercent.Decimal, x.TaxCalculation == "Inclusive")
	if tax.Sub(wantTax).Abs().GreaterThan(dec("0.05")) {
		return number{}, mismatch(what, "Tax", wantTax)
	}
	return number{want}, nil
}

func mismatch(what, name string, want decimal.Decimal) error {
	return refuse("Line %s: attribute '%s' doesn't match calculated value. Expected value is: %s", strconv.Quote(what),
		name, want.StringFixed(2))
}

// totals returns a document's totals: with the tax as sent in each row, or, if the
// company taxes the total, computed once for each rule.
func (c *company) totals(x *sale, lines []line, charges []charge) (before, tax, total number) {
	inclusive := x.TaxCalculation == "Inclusive"
	var sum, sent decimal.Decimal
	byRule := map[string]decimal.Decimal{}
	add := func(rule string, t, v number) {
		sum, sent = sum.Add(v.Decimal), sent.Add(t.Decimal)
		byRule[rule] = byRule[rule].Add(v.Decimal)
	}
	for _, l := range lines {
		add(l.TaxRule, l.Tax, l.Total)
	}
	for _, ch := range charges {
		add(ch.TaxRule, ch.Tax, ch.Total)
	}
	if c.Me.TaxCalculationMethod == "Total" {
		sent = decimal.Decimal{}
		for rule, v := range byRule {
			if t := c.tax(rule); t != nil {
				sent = sent.Add(taxOf(v, t.TaxPercent.Decimal, inclusive).Round(2))
			}
		}
	}
	if inclusive {
		return number{sum.Sub(sent)}, number{sent}, number{sum}
	}
	return number{sum}, number{sent}, number{sum.Add(sent)}
}
