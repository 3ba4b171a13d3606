package catalogue

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/match"
	"stockbridge/internal/prose"
	"stockbridge/internal/upstock"
)

// Rules are what an account's prices go by.
type Rules struct {
	Currency string               // the account's: of tier prices, and the only one of price lists
	Tiers    []cin7core.PriceTier // all ten
	Settings Settings
}

// List is a price list. See the package comment for its IDs.
type List struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// noList has no prices: it is for customers whose tier gives none, who would else pay default prices.
var noList = List{ID: "none", Name: "No prices"}

// Explanation is one customer's price of one product, and how it comes about.
type Explanation struct {
	Price *decimal.Decimal // without tax, in the account's currency, up to four decimals; nil = no price
	List  *List            // where it stands; nil = the customer has no list
	Steps []Step
	Held  string // why it waits for a person's yes whatever was told before; "" = it does not
}

// Step is one reason for a price.
type Step struct {
	Text  string `json:"text"`
	Value string `json:"value,omitempty"` // what the price is after it; "" = it says nothing of the price
}

// Places is how many decimals a price has at most.
const Places = 4

// mostPrice and mostDiscount are beyond what is meant as a price, and as a percentage that is taken off or put on.
var mostPrice, mostDiscount = decimal.New(1, 12), decimal.NewFromInt(1000)

// terms are what a customer's prices go by, beside own prices.
type terms struct {
	code     int             // of the tier; 0 = none gives a price
	why      string          // why none does
	discount decimal.Decimal // percent
	absurd   string          // why not even an own price counts; "" = it does
}

func (r Rules) termsOf(c Customer) terms {
	t := terms{discount: c.Discount}
	t.code, t.why = r.tier(c.Tier)
	if c.Discount.Abs().GreaterThan(mostDiscount) || !c.Discount.Equal(c.Discount.Round(Places)) {
		t.absurd = "Its discount, " + prose.Within(c.Discount.String(), 40) + " %, cannot be meant: it has no prices."
		t.code, t.why = 0, t.absurd
	}
	return t
}

// tier is the code of the tier that a card names, or why there is none.
func (r Rules) tier(name string) (code int, why string) {
	if match.Visible(name) == "" {
		return 0, "Its card in Cin7 Core names no price tier: it has no prices but its own."
	}
	var exact, alike []int
	for _, t := range r.Tiers {
		switch {
		case t.Code < 1 || t.Code > len(TierPrices{}):
		case strings.TrimSpace(t.Name) == strings.TrimSpace(name):
			exact = append(exact, t.Code)
		case match.Same(t.Name, name):
			alike = append(alike, t.Code)
		}
	}
	if len(exact) == 0 {
		exact = alike
	}
	switch len(exact) {
	case 0:
		return 0, fmt.Sprintf("Its card names the price tier %s, which Cin7 Core does not have: it has no prices but "+
			"its own.", prose.Quote(name))
	case 1:
		return exact[0], ""
	}
	return 0, fmt.Sprintf("%d price tiers in Cin7 Core are called %s, which its card names: it has no prices but its "+
		"own until each has a name for itself.", len(exact), prose.Quote(name))
}

// HasTier reports whether a card names no price tier, or one or more that there are.
func (r Rules) HasTier(name string) bool {
	return match.Visible(name) == "" || slices.ContainsFunc(r.Tiers, func(t cin7core.PriceTier) bool {
		return strings.TrimSpace(t.Name) == strings.TrimSpace(name) || match.Same(t.Name, name)
	})
}

// tierName is what a tier is called.
func (r Rules) tierName(code int) string {
	for _, t := range r.Tiers {
		if name := match.Visible(t.Name); t.Code == code && name != "" {
			return name
		}
	}
	return "Tier " + strconv.Itoa(code)
}

// ListOf is the list of a customer of whose own prices c.OwnPrices count; nil = none. Why says what its page has to say
// of that: why there is no list, or no price from a tier.
func (r Rules) ListOf(c Customer) (l *List, why string) {
	if why = r.listless(c); why != "" {
		return nil, why
	}
	t := r.termsOf(c)
	switch {
	case t.absurd != "":
		l = &noList
	case c.OwnPrices > 0:
		l = ownList(c)
	case t.code == 0:
		l = &noList
	default:
		l = r.tierList(t.code, t.discount)
	}
	return l, t.why
}

// mostName is how long a name of Upstock's may be. A customer's own name may be that long too.
const mostName = 256

// ownPrefix begins the ID of a customer's own list.
const ownPrefix = "customer:"

// ownList is the list of a customer with own prices.
func ownList(c Customer) *List {
	name := called(c.Name, c.ID)
	if with := name + " (own prices)"; utf8.RuneCountInString(with) <= mostName {
		name = with
	}
	return &List{ID: ownPrefix + c.ID, Name: name}
}

// listless says why a customer has no list at all; "" = it has one.
func (r Rules) listless(c Customer) string {
	currency := strings.TrimSpace(c.Currency)
	switch {
	case !c.Active:
		return "It is deprecated in Cin7 Core."
	case currency != "" && !match.Same(currency, r.Currency):
		return fmt.Sprintf("Its currency is %s, and orders in %[1]s are not supported.", prose.Within(currency, 40))
	}
	return ""
}

// tierList is the list of a tier for customers with a discount.
func (r Rules) tierList(code int, discount decimal.Decimal) *List {
	l := &List{ID: "tier:" + strconv.Itoa(code), Name: r.tierName(code)}
	if !discount.IsZero() {
		l.ID += ":" + discount.String()
		l.Name += " " + inWords(discount)
	}
	return l
}

// inWords is a discount in words: less 2.5 %.
func inWords(discount decimal.Decimal) string {
	if discount.IsNegative() {
		return "plus " + discount.Neg().String() + " %"
	}
	return "less " + discount.String() + " %"
}

// called is what a record is called; its id where it has no name.
func called(name, id string) string {
	if name = match.Visible(name); name != "" {
		return name
	}
	return id
}

// less is a price less a discount in percent, rounded; ok is false where it is too large to be a price. It is the one
// place where a price is reckoned. That the discount comes off an own price too is inferred from Cin7 Core's help: own
// prices stand in place of the regular ones, and the discount is of all products.
func less(base, discount decimal.Decimal) (price decimal.Decimal, ok bool) {
	price = base.Mul(decimal.NewFromInt(100).Sub(discount)).Shift(-2).Round(Places)
	return price, price.Abs().LessThan(mostPrice)
}

// ofTier is the price that a tier's price gives.
func ofTier(base, discount decimal.Decimal) (price decimal.Decimal, ok bool) {
	if !base.IsPositive() {
		return price, false
	}
	return less(base, discount)
}

// ofOwn is the price that an own price gives.
func ofOwn(base, discount decimal.Decimal) (price decimal.Decimal, ok bool) {
	if base.IsNegative() {
		return price, false
	}
	return less(base, discount)
}

// Price is a customer's price of a product, of which own is the customer's own price; nil = there is none. It is what
// the customer has if the product is in Upstock: whether it was chosen the rules do not know.
func (r Rules) Price(c Customer, own *decimal.Decimal, p Product) (e Explanation) {
	if own != nil {
		c.OwnPrices = max(1, c.OwnPrices)
	}
	if why := r.listless(c); why != "" {
		e.say("", "%s", why)
		return e
	}
	e.List, _ = r.ListOf(c)
	t := r.termsOf(c)
	switch unfit := p.Unfit(); {
	case unfit != "":
		e.say("", "The product is in no price list. %s", unfit)
		return e
	case t.absurd != "":
		e.say("", "%s", t.absurd)
		return e
	case own != nil:
		e.say(upstock.PriceText(*own), "The customer's own price, which stands in place of the tier's")
		e.reckon(*own, t.discount, ofOwn)
	case t.code == 0:
		e.say("", "%s", t.why)
		return e
	default:
		base := p.Tiers[t.code-1]
		e.say(upstock.PriceText(base), "The price in %s (price tier %d), which the customer's card names",
			prose.Quote(r.tierName(t.code)), t.code)
		e.reckon(base, t.discount, ofTier)
	}
	if e.Price != nil {
		e.say("", "It stands in the price list %s.", prose.Quote(e.List.Name))
	}
	if p.DiscountRule != "" {
		e.say("", "The product has the discount rule %s in Cin7 Core. Discounts of products are not imported.",
			prose.Quote(p.DiscountRule))
	}
	return e
}

// say adds a step.
func (e *Explanation) say(value, format string, args ...any) {
	e.Steps = append(e.Steps, Step{Text: fmt.Sprintf(format, args...), Value: value})
}

// reckon explains what price makes of a tier's price or an own one.
func (e *Explanation) reckon(
	base, discount decimal.Decimal, price func(base, discount decimal.Decimal) (decimal.Decimal, bool),
) {
	got, ok := price(base, discount)
	switch {
	case !ok && base.IsNegative():
		e.say("", "A price below 0 is no price, and no other one stands in its place.")
		return
	case !ok && base.IsZero():
		e.say("", "This tier has no price for the product, and no other one stands in its place.")
		return
	case !ok:
		e.say("", "A price as large as that cannot be meant: it is no price.")
		return
	case !discount.IsZero():
		words := inWords(discount)
		e.say(upstock.PriceText(got), "%s, the customer's discount", strings.ToUpper(words[:1])+words[1:])
	case !got.Equal(base):
		e.say(upstock.PriceText(got), "Rounded to %d decimals", Places)
	}
	e.Price, e.Held = &got, givenAway(got)
}

// givenAway says why a price is held whatever was told before; "" = it is not.
func givenAway(price decimal.Decimal) string {
	if price.IsPositive() {
		return ""
	}
	return "The price would be " + upstock.PriceText(price) + ": that would give the product away."
}

// DefaultPrice is a product's price for whoever has no price list: that of the tier that the settings name. nil = none.
func (r Rules) DefaultPrice(p Product) *decimal.Decimal {
	code := 1
	if name := strings.TrimSpace(r.Settings.DefaultPriceTier); name != "" {
		var err error
		if code, err = strconv.Atoi(name); err != nil || code < 1 || code > len(p.Tiers) {
			code, _ = r.tier(name)
		}
	}
	if code == 0 {
		return nil
	}
	price, ok := ofTier(p.Tiers[code-1], decimal.Zero)
	if !ok || !price.IsPositive() {
		return nil
	}
	return &price
}
