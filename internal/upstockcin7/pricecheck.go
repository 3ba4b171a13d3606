package upstockcin7

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"stockbridge/internal/ledger"
	"stockbridge/internal/mirror"
	"stockbridge/internal/prose"
	"stockbridge/internal/rest"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/catalogue"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/reference"
	"stockbridge/internal/upstockcin7/sale"
)

// The price check: before anything is made of an order, its prices are compared with what the customer's prices in
// Cin7 Core are now, as the setting priceCheck asks; off costs nothing. A catalogue that is late, or a price typed by
// hand in Upstock, else shows as a credit note weeks later. A difference is said beside the plan, which stays as it is,
// or it is a problem: then the order goes on when the difference is gone, or when a person says that it is sold at its
// own prices. That yes is kept as the hash of those prices, so that other ones are asked about anew. What is not in the
// mirror's rows of the catalogue is not compared.

// orderPrice is the code of the problem that an order's price is too far from the customer's.
const orderPrice = "orderPrice"

const fixOrderPrice = "Sell it at the order's prices, or put the price right in Cin7 Core, or in Upstock, then retry " +
	"the order."

// priceCheck is one comparison.
type priceCheck struct {
	rules    catalogue.Rules
	lines    []checkedLine // that have a product, and no problem of their own
	customer string        // Cin7 Core's id
	agreed   bool          // a person has said yes to these prices
}

// checkedLine is a line of an order as it is compared.
type checkedLine struct {
	catalogue.Finding
	number  int
	said    upstock.Line
	product string // Cin7 Core's id, as the mirror has it
}

// pricesKnown are what a customer's prices of some products come from.
type pricesKnown struct {
	customer *catalogue.Customer // nil = it was never read
	own      []catalogue.OwnPrice
	products map[string]catalogue.Product // by id
}

// checkedPlan is makePlan, with the prices checked of an order that has no sale. Before one is held for its prices,
// they are read live.
func (w *work) checkedPlan(of *document) (sale.Plan, []ledger.Problem, error) {
	plan, problems, err := w.makePlan(of)
	if err != nil || w.run.SaleID != "" {
		return plan, problems, err
	}
	c, known, err := w.checkPrices(of, plan, problems)
	if err != nil {
		return plan, problems, err
	}
	if held := c.held(); len(held) > 0 {
		if err := w.take(); err != nil {
			return plan, problems, err
		}
		if err := w.answered(w.livePrices(known, c.customer, held)); err != nil {
			return plan, problems, err
		}
		c.compare(known)
	}
	return c.into(plan, problems)
}

// checkPrices compares an order's prices with those in the mirror. nil: there is nothing to compare.
func (w *work) checkPrices(
	of *document, plan sale.Plan, problems []ledger.Problem,
) (c *priceCheck, known *pricesKnown, err error) {
	settings := catalogue.SettingsOf(w.b.Settings)
	if settings.PriceCheck == catalogue.CheckOff || plan.CustomerID == "" {
		return nil, nil, nil
	}
	books, err := reference.ReadBooks(w.b.Books)
	if err != nil || books.Me.Currency == "" || len(books.PriceTiers) == 0 {
		return nil, nil, err
	}
	o := of.order()
	c = &priceCheck{customer: reference.ID(plan.CustomerID), agreed: w.run.AtPrices == pricesOf(o),
		rules: catalogue.Rules{Currency: books.Me.Currency, Tiers: books.PriceTiers, Settings: settings}}
	for i, l := range o.Lines {
		faulty := slices.ContainsFunc(problems, func(p ledger.Problem) bool { return p.Line == i+1 })
		if !faulty && i < len(plan.Order.Lines) && plan.Order.Lines[i].ProductID != "" {
			c.lines = append(c.lines,
				checkedLine{number: i + 1, said: l, product: reference.ID(plan.Order.Lines[i].ProductID)})
		}
	}
	known, err = w.knownPrices(c)
	if err != nil {
		return nil, nil, err
	}
	c.compare(known)
	return c, known, nil
}

// knownPrices reads what the mirror has: one read of the table per 100 products, and one more where the customer has
// own prices.
func (w *work) knownPrices(c *priceCheck) (*pricesKnown, error) {
	known := &pricesKnown{products: map[string]catalogue.Product{}}
	keys := []mirror.Key{{Kind: catalogue.CustomerKind, ID: c.customer}}
	for _, l := range c.lines {
		keys = append(keys, mirror.Key{Kind: catalogue.ProductKind, ID: l.product})
	}
	rows, _, err := w.Mirror.Find(w.ctx, w.b.Tenant.ID, keys)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if row.Kind == catalogue.CustomerKind {
			x, err := catalogue.ReadCustomer(row)
			if err != nil {
				return nil, err
			}
			known.customer = &x
			continue
		}
		x, err := catalogue.ReadProduct(row)
		if err != nil {
			return nil, err
		}
		known.products[row.ID] = x
	}
	if known.customer == nil || known.customer.OwnPrices == 0 {
		return known, nil
	}
	return known, known.readOwn(w.ctx, w.Mirror, w.b.Tenant.ID)
}

// readOwn reads the customer's own prices. While they are not all there, no price of the customer is known.
func (k *pricesKnown) readOwn(ctx context.Context, m *mirror.Store, tenantID string) error {
	rows, _, err := m.Find(ctx, tenantID, catalogue.OwnKeys(*k.customer))
	if err != nil {
		return err
	}
	for _, row := range rows {
		some, err := catalogue.ReadOwnPrices(row)
		if err != nil {
			return err
		}
		k.own = append(k.own, some...)
	}
	if len(k.own) != k.customer.OwnPrices {
		k.customer = nil
	}
	slices.SortFunc(k.own, func(a, b catalogue.OwnPrice) int { return strings.Compare(a.Product, b.Product) })
	return nil
}

// mostPricesLive is how many products of one order are read live for their prices. Past them the mirror is believed.
const mostPricesLive = 19

// livePrices reads a customer with its own prices, and products, from Cin7 Core itself. What is gone there is left as
// it is known: a sale with it is refused.
func (w *work) livePrices(known *pricesKnown, customer string, products []string) error {
	ctx := w.calling("cin7core")
	x, err := w.cin7.CustomerWithPrices(ctx, customer)
	if err != nil && rest.KindOf(err) != rest.NotFound {
		return err
	}
	if err == nil {
		c, own := catalogue.CustomerOf(x)
		known.customer, known.own = &c, own
	}
	for _, id := range products[:min(len(products), mostPricesLive)] {
		x, err := w.cin7.Product(ctx, id)
		if err != nil && rest.KindOf(err) != rest.NotFound {
			return err
		}
		if err == nil {
			known.products[id] = catalogue.ProductOf(x)
		}
	}
	return nil
}

// compare finds what there is to say of each line.
func (c *priceCheck) compare(known *pricesKnown) {
	for i := range c.lines {
		l := &c.lines[i]
		l.Finding = catalogue.Finding{}
		if product, ok := known.products[l.product]; ok && known.customer != nil {
			own := catalogue.OwnPriceOf(known.own, l.product)
			l.Finding = c.rules.CheckLine(*known.customer, own, product, l.said)
		}
	}
}

// held are the products, each once, of the lines that need a yes which nobody has given.
func (c *priceCheck) held() (products []string) {
	if c == nil || c.agreed {
		return nil
	}
	for _, l := range c.lines {
		if l.Hold && !slices.Contains(products, l.product) {
			products = append(products, l.product)
		}
	}
	return products
}

// mostPriceFindings is how many lines are told of for their prices: a person reads no more, and a record holds no more.
const mostPriceFindings = 50

// into adds what was found to a plan and its problems.
func (c *priceCheck) into(plan sale.Plan, problems []ledger.Problem) (sale.Plan, []ledger.Problem, error) {
	if c == nil {
		return plan, problems, nil
	}
	told := 0
	for _, l := range c.lines {
		if l.Says == "" {
			continue
		}
		hold := l.Hold && !c.agreed
		if told++; told > mostPriceFindings && !(hold && len(problems) == 0) {
			continue
		}
		text := fmt.Sprintf("Line %d: the%s", l.number, strings.TrimPrefix(l.Says, "The"))
		if hold {
			problems = append(problems,
				ledger.Problem{Code: orderPrice, Message: text, Fix: fixOrderPrice, Line: l.number})
		} else {
			plan.Said = append(plan.Said, text)
		}
	}
	if more := told - mostPriceFindings; more > 0 {
		plan.Said = append(plan.Said, "The prices of more lines differ from the customer's: "+prose.Count(more)+".")
	}
	return plan, problems, nil
}

// pricesStand reports whether an order that was planned from the mirror alone needs no yes to its prices.
func (w *work) pricesStand(of *document, plan sale.Plan) (bool, error) {
	c, _, err := w.checkPrices(of, plan, nil)
	return err == nil && len(c.held()) == 0, err
}

// pricesOf stands for the prices of an order: who pays what for what.
func pricesOf(o upstock.Order) string {
	h := sha256.New()
	fmt.Fprintf(h, "%d %q\n", o.Customer.ID, o.Customer.ExternalID)
	for _, l := range o.Lines {
		fmt.Fprintf(h, "%q %q %s %s\n",
			l.ProductExternalID, l.SKU, plainText(l.UnitPrice), plainText(l.DiscountPercent))
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// plainText is a number as a text: equal numbers are equal texts.
func plainText(d decimal.Decimal) string {
	if d.Exponent() < -100 || d.Exponent() > 100 { // cannot be meant, and would be a long text
		return fmt.Sprintf("%se%d", d.Coefficient(), d.Exponent())
	}
	return d.String()
}

// HeldForPrices stands for what an order that waits for a yes to its prices says of them; "" = it waits for none.
func HeldForPrices(r *order.Order) string {
	h, held := sha256.New(), false
	for _, p := range r.Problems {
		if p.Code == orderPrice {
			held = true
			fmt.Fprintf(h, "%q\n", p.Message)
		}
	}
	if !held || !r.Rejected() {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// pricesHeld stands for the prices of an order as it was planned last.
func (p *Pair) pricesHeld(ctx context.Context, tenantID, id string) (string, error) {
	_, body, _, err := p.Orders.Load(ctx, tenantID, id)
	if err != nil {
		return "", err
	}
	return pricesOf(documentOf(body).order()), nil
}
