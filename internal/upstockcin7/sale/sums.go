package sale

import (
	"strings"

	"github.com/shopspring/decimal"
)

// Sum is what an order comes to by one way of reckoning it.
type Sum struct {
	Way   string // in words, as a sentence begins
	Total decimal.Decimal
	Of    string // whose total it is, OfUpstock or OfCore; "" = nobody's
}

// Whose a sum is.
const (
	OfUpstock = "Upstock"
	OfCore    = "Cin7 Core"
)

// charge is a line, or the freight, as sums are made of it.
type charge struct{ quantity, price, discount, rate decimal.Decimal }

// gross is the amount before discount and tax, net the one before tax alone.
func (c charge) gross() decimal.Decimal { return c.quantity.Mul(c.price).Round(2) }

func (c charge) net() decimal.Decimal { return netOf(c.quantity.Mul(c.price), c.discount).Round(2) }

// waysOf are the sums of some charges by every usual way: the tax of each line is rounded, or that of all of them
// together, for each percentage; and a discount is taken off before tax or after it.
func waysOf(charges []charge) []Sum {
	discounted := false
	before, after := newTally(), newTally()
	reductions, byLine := decimal.Zero, decimal.Zero
	for _, c := range charges {
		discounted = discounted || !c.discount.IsZero()
		before.add(c.net(), c.rate)
		after.add(c.gross(), c.rate)
		whole := c.gross().Add(rowTax(c.gross(), c.rate))
		byLine = byLine.Add(netOf(whole, c.discount).Round(2))
		exact := c.quantity.Mul(c.price).Mul(hundred.Add(c.rate)).Shift(-2)
		reductions = reductions.Add(exact.Mul(c.discount).Shift(-2))
	}
	sums := []Sum{
		{Way: "Tax line by line", Total: before.net.Add(before.tax)},
		{Way: "Tax on the total", Total: before.net.Add(before.atOnce())},
	}
	if discounted {
		for i := range sums {
			sums[i].Way += ", discount before tax"
		}
		sums = append(sums, Sum{Way: "Tax line by line, discount after tax", Total: byLine},
			Sum{Way: "Tax on the total, discount after tax",
				Total: after.net.Add(after.atOnce()).Sub(reductions.Round(2))})
	}
	return sums
}

// tally adds amounts up, with their tax line by line and by percentage.
type tally struct {
	net, tax decimal.Decimal
	byRate   map[string]*[2]decimal.Decimal // percentage and amount
}

func newTally() *tally { return &tally{byRate: map[string]*[2]decimal.Decimal{}} }

func (t *tally) add(net, rate decimal.Decimal) {
	t.net, t.tax = t.net.Add(net), t.tax.Add(rowTax(net, rate))
	sum := t.byRate[rate.String()]
	if sum == nil {
		sum = &[2]decimal.Decimal{rate, decimal.Zero}
		t.byRate[rate.String()] = sum
	}
	sum[1] = sum[1].Add(net)
}

// atOnce is the tax of each percentage's amounts together.
func (t *tally) atOnce() (tax decimal.Decimal) {
	for _, sum := range t.byRate {
		tax = tax.Add(rowTax(sum[1], sum[0]))
	}
	return tax
}

// name says whose sums are the totals of the order and of the sale. onTotal: the account taxes a whole order at once.
// The sale's rows round each discounted price to 4 decimals first, which may make another sum; and of an order's own
// total it may be that no way reaches it.
func name(sums []Sum, order, sale decimal.Decimal, onTotal bool) []Sum {
	at := 0
	if onTotal {
		at = 1
	}
	core := sums[at]
	if core.Total.Equal(sale) {
		sums[at].Of = OfCore
	} else {
		sums = append(sums, Sum{Way: core.Way + ", each price after its discount rounded to 4 decimals first",
			Total: sale, Of: OfCore})
	}
	for i := range sums {
		if sums[i].Total.Equal(order) && sums[i].Of == "" {
			sums[i].Of = OfUpstock
			return sums
		}
	}
	return append([]Sum{{Way: ownTotal, Total: order, Of: OfUpstock}}, sums...)
}

// sums are those of the order, where its total and the sale's differ: they name the cent.
func (p *planner) sums(order decimal.Decimal) []Sum {
	if p.plan.SaleTotal.Equal(order) {
		return nil
	}
	var charges []charge
	for _, l := range p.o.Lines {
		charges = append(charges, charge{l.Quantity, l.UnitPrice, l.DiscountPercent, rateOf(l.TaxRate)})
	}
	if f := p.o.Freight; f != nil && p.hasFreight() {
		charges = append(charges, charge{one, f.Amount, decimal.Zero, rateOf(f.TaxRate)})
	}
	return name(waysOf(charges), order, p.plan.SaleTotal, p.taxesAtOnce())
}

// ownTotal is the way of a total that no usual way of rounding gives.
const ownTotal = "The order’s own total"

// whose says in a sentence which ways of reckoning give the two totals; "" = nothing is to be said.
func (p *planner) whose() string {
	var said []string
	for _, s := range p.plan.Sums {
		switch {
		case s.Of == "":
		case s.Way == ownTotal:
			said = append(said, "no usual way of rounding gives Upstock's "+p.money(s.Total))
		default:
			said = append(said, strings.ToLower(s.Way[:1])+s.Way[1:]+" gives "+s.Of+"'s "+p.money(s.Total))
		}
	}
	if len(said) == 0 {
		return ""
	}
	text := strings.Join(said, "; ")
	return " " + strings.ToUpper(text[:1]) + text[1:] + "."
}
