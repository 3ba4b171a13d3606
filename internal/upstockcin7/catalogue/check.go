package catalogue

import (
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"stockbridge/internal/prose"
	"stockbridge/internal/upstock"
)

// Finding is what an order's line comes to against the customer's price.
type Finding struct {
	Says string // a sentence for people; "" = there is nothing to say
	Hold bool   // the order needs a person's yes
}

// CheckLine compares a line of an order with the customer's price of its product in Cin7 Core, as the setting
// priceCheck asks. Own is the customer's own price; nil = there is none. The line's price is its unit price less its
// discount, rounded as prices are. Nothing is said of a customer who has no prices because of another currency, or is
// deprecated (the order is refused for that), nor where no tier gives the customer prices.
func (r Rules) CheckLine(c Customer, own *decimal.Decimal, p Product, line upstock.Line) (f Finding) {
	if r.Settings.PriceCheck == CheckOff || r.listless(c) != "" {
		return f
	}
	if own == nil && r.termsOf(c).code == 0 {
		return f
	}
	e := r.Price(c, own, p)
	paid := line.UnitPrice.Mul(decimal.NewFromInt(100).Sub(line.DiscountPercent)).Shift(-2).Round(Places)
	if e.Price != nil && e.Price.Equal(paid) {
		return f
	}
	f.Hold = r.Settings.PriceCheck == CheckHold && r.Settings.beyond(e.Price, paid)
	f.Says = fmt.Sprintf("The order has %s at %s, and ", prose.Quote(called(p.Name, p.SKU)), atPrice(line, paid))
	if e.Price == nil {
		f.Says += "the customer has no price of it in Cin7 Core. " + e.sentence()
	} else {
		f.Says += fmt.Sprintf("the customer's price in Cin7 Core is %s%s. %s", upstock.PriceText(*e.Price),
			by(paid, *e.Price), e.sentence())
	}
	return f
}

// beyond reports whether what was paid is further from a price than orders may be; from no price it always is.
func (s Settings) beyond(price *decimal.Decimal, paid decimal.Decimal) bool {
	return price == nil || apart(*price, paid, s.PriceCheckPercent)
}

// apart reports whether a price is more than some percent of another away from that.
func apart(from, price, percent decimal.Decimal) bool {
	return price.Sub(from).Abs().Shift(2).GreaterThan(from.Abs().Mul(percent))
}

// atPrice is a line's price in words.
func atPrice(line upstock.Line, paid decimal.Decimal) string {
	text := upstock.PriceText(line.UnitPrice)
	if !line.DiscountPercent.IsZero() {
		text += " " + inWords(line.DiscountPercent) + ", which is " + upstock.PriceText(paid)
	}
	return text
}

// sentence is how a price comes about, or why there is none, in one sentence or several.
func (e Explanation) sentence() string {
	var parts []string
	for _, s := range e.Steps {
		switch {
		case s.Value != "":
			parts = append(parts, s.Text+": "+s.Value+".")
		case e.Price == nil:
			parts = append(parts, s.Text)
		}
	}
	return strings.Join(parts, " ")
}

// OwnPriceOf is a product's price among a customer's own ones, which are in the order of products; nil = there is none.
func OwnPriceOf(own []OwnPrice, product string) *decimal.Decimal {
	i, ok := slices.BinarySearchFunc(own, idOf(product), func(o OwnPrice, id string) int {
		return strings.Compare(o.Product, id)
	})
	if !ok {
		return nil
	}
	return &own[i].Price
}
