package sale

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/prose"
	"stockbridge/internal/upstock"
)

// taxRate is one percentage of the order: where it stands, and the rule that charges it.
type taxRate struct {
	percent decimal.Decimal
	lines   []int
	freight bool
	rule    string // "" where there is none: there is a problem then
}

// taxRules chooses a rule for every percentage that the order gives, once each, in the order of its lines.
func (p *planner) taxRules() {
	var rates []*taxRate
	add := func(percent decimal.Decimal) *taxRate {
		percent, ok := countable(percent)
		if !ok || !isPercent(percent) {
			return new(taxRate) // said with the line
		}
		r := p.rates[percent.String()]
		if r == nil {
			r = &taxRate{percent: percent}
			p.rates[percent.String()] = r
			rates = append(rates, r)
		}
		return r
	}
	for i, l := range p.o.Lines {
		if l.TaxRate != nil && !p.unreadable("lines[%d].taxRate", i) {
			r := add(*l.TaxRate)
			r.lines = append(r.lines, i+1)
		}
	}
	if p.hasFreight() && p.o.Freight.TaxRate != nil && !p.unreadable("freight.taxRate") {
		add(*p.o.Freight.TaxRate).freight = true
	}
	for _, r := range rates {
		r.rule = p.taxRuleFrom(r)
	}
}

// ruleOf is the rule of a percentage that countable has read.
func (p *planner) ruleOf(percent decimal.Decimal) string {
	if r := p.rates[percent.String()]; r != nil {
		return r.rule
	}
	return ""
}

func (p *planner) taxRuleFrom(r *taxRate) string {
	const fix = "Choose a sales tax rule for this percentage in the setting taxRules"
	rules := p.ref.Books.TaxRules
	if name := strings.TrimSpace(p.s.TaxRule(r.percent)); name != "" {
		rule, code, what := settingRule(rules, name, r.percent)
		switch {
		case what == "":
			return rule
		case code == "taxRuleInactive":
			p.rateProblem(r, code, what,
				"Activate the rule in Cin7 Core, or choose another one in the setting taxRules")
		default:
			p.rateProblem(r, code, what, fix)
		}
		return ""
	}
	charges := func(rule cin7core.TaxRule) bool { return rule.ForSales() && rule.TaxPercent.Equal(r.percent) }
	if i := named(rules, strings.TrimSpace(p.card.TaxRule), taxRuleName); i >= 0 && charges(rules[i]) {
		return rules[i].Name
	}
	var fit []string
	for _, rule := range rules {
		if charges(rule) {
			fit = append(fit, rule.Name)
		}
	}
	switch {
	case len(fit) == 1:
		return fit[0]
	case len(fit) == 0:
		p.rateProblem(r, "taxRuleUnknown", "the Cin7 Core account has no active sales tax rule of this percentage.",
			"Add one in Cin7 Core, or correct the order in Upstock")
	case p.known: // else the customer's may decide
		p.rateProblem(r, "taxRuleAmbiguous",
			"Cin7 Core has several sales tax rules of this percentage: "+prose.List(fit)+".", fix)
	}
	return ""
}

// rateProblem says what stands against all rows of a rate.
func (p *planner) rateProblem(r *taxRate, code, what, fix string) {
	line, where := 0, "the freight"
	if len(r.lines) > 0 {
		line, where = r.lines[0], strings.ToLower(numbers(r.lines))
		if r.freight {
			where += ", the freight"
		}
	}
	p.problem(line, code, fmt.Sprintf("Tax of %s %% (%s): %s", prose.Within(r.percent.String(), 20), where, what),
		fix, Want{Kind: WantTaxRules})
}

// settingRule is the account's rule that the setting taxRules names for a percentage, or what is wrong with it.
func settingRule(rules []cin7core.TaxRule, name string, percent decimal.Decimal) (rule, code, what string) {
	i := named(rules, strings.TrimSpace(name), taxRuleName)
	its := "the tax rule " + prose.Quote(name) + " of the setting taxRules"
	switch {
	case i < 0:
		return "", "taxRuleUnknown",
			"the Cin7 Core account has no tax rule " + prose.Quote(name) + ", which the setting taxRules names."
	case !rules[i].IsActive:
		return "", "taxRuleInactive", its + " is not active in Cin7 Core."
	case !rules[i].IsTaxForSale:
		return "", "taxRuleNotForSale", its + " is not for sales in Cin7 Core."
	case !rules[i].TaxPercent.Equal(percent):
		charges := prose.Within(rules[i].TaxPercent.String(), 20)
		return "", "taxRulePercent", its + " charges " + charges + " % in Cin7 Core."
	}
	return rules[i].Name, "", ""
}

// row is a line, or the freight, as problems and remarks name it.
type row struct {
	problem func(code, what, fix string, wants ...Want)
	say     func(what string)
}

func (p *planner) lineRow(n int, l upstock.Line) row {
	return row{
		func(code, what, fix string, wants ...Want) { p.lineProblem(n, l, code, what, fix, wants...) },
		func(what string) { p.sayLine(n, what) },
	}
}

func (p *planner) freightRow() row {
	return row{
		func(code, what, fix string, wants ...Want) { p.problem(0, code, "The freight: "+what, fix, wants...) },
		func(what string) { p.say("The freight: %s", what) },
	}
}

// absentRate is how a row is taxed to which the order gives no rate, which is not a rate of 0: by the sale tax rule of
// its product, else by the customer's. What the order's own total cannot confirm is said, or is a problem, as the
// tenant wants.
func (p *planner) absentRate(r row, product cin7core.Product) (percent decimal.Decimal, rule string) {
	const fix = "Give it a tax rate in Upstock"
	name, whose := strings.TrimSpace(product.SaleTaxRule), "its product's sale tax rule"
	live := []Want{{Kind: WantProduct, ID: product.ID}, {Kind: WantTaxRules}}
	ofCard := name == ""
	if ofCard {
		name, whose = strings.TrimSpace(p.card.TaxRule), "the customer's tax rule"
		live = append(live, Want{Kind: WantCustomer, ID: p.card.ID})
	}
	unchecked := p.o.Stated == nil
	i := named(p.ref.Books.TaxRules, name, taxRuleName)
	switch {
	case product.ID == "" || name == "" && !p.known: // there is a problem already
	case unchecked && p.s.OnMissingTaxRate == Reject:
		r.problem("taxRate", "it has no tax rate, and the order states no totals by which one could be checked.",
			fix+", or set onMissingTaxRate to useRule")
	case name == "":
		r.problem("taxRate", "it has no tax rate, and neither its product nor the customer's card has a tax rule.",
			fix+", or choose a sale tax rule for the product in Cin7 Core", live...)
	case i < 0 || !p.ref.Books.TaxRules[i].ForSales():
		what := "does not exist"
		if i >= 0 {
			what = "is not active, or not for sales"
		}
		r.problem("taxRate", fmt.Sprintf("it has no tax rate, and %s, %s, %s.", whose, prose.Quote(name), what),
			fix+", or choose another rule in Cin7 Core", live...)
	default:
		found := p.ref.Books.TaxRules[i]
		if unchecked { // then nothing but the mirror is known of the rule
			p.want(Want{Kind: WantChangedProducts}, Want{Kind: WantTaxRules})
			if ofCard {
				p.want(Want{Kind: WantCustomer, ID: p.card.ID})
			}
			r.say(fmt.Sprintf("the order gives no tax rate; the sale has %s, %s, which is %s %%.",
				whose, prose.Quote(found.Name), prose.Within(found.TaxPercent.String(), 20)))
		}
		return found.TaxPercent, found.Name
	}
	p.uncounted = true
	return decimal.Zero, ""
}

func taxRuleName(r cin7core.TaxRule) string { return r.Name }

// headerTaxFrom leaves the sale's own rule to the card, but where the card's is of no use: lines have theirs anyway.
func (p *planner) headerTaxFrom(lines []cin7core.OrderLine) string {
	name := strings.TrimSpace(p.card.TaxRule)
	i := named(p.ref.Books.TaxRules, name, taxRuleName)
	if !p.known || name != "" && i >= 0 && p.ref.Books.TaxRules[i].ForSales() {
		return ""
	}
	rule := ""
	for _, l := range slices.Backward(lines) {
		rule = cmp.Or(l.TaxRule, rule)
	}
	if name != "" && rule != "" {
		p.want(Want{Kind: WantTaxRules})
		p.say("The tax rule %s on the customer's card cannot be used for sales any more; the sale has %s.",
			prose.Quote(name), prose.Quote(rule))
	}
	return rule
}
