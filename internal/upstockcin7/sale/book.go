package sale

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
)

// taxRate is one percentage of the order: where it stands, and the rule that charges it.
type taxRate struct {
	percent decimal.Decimal
	lines   []int
	freight bool
	rule    string // "" where there is none: there is a problem then
}

// taxRules chooses a rule for every percentage that the order gives, once each.
func (p *planner) taxRules() {
	add := func(percent decimal.Decimal, line int) {
		percent, ok := amount(percent)
		if !ok || percent.IsNegative() || percent.GreaterThan(hundred) {
			return // said with the line
		}
		key := percent.String()
		r, seen := p.rules[key]
		if !seen {
			p.rates = append(p.rates, key)
		}
		r.percent = percent
		if line > 0 {
			r.lines = append(r.lines, line)
		} else {
			r.freight = true
		}
		p.rules[key] = r
	}
	for i, l := range p.o.Lines {
		if l.TaxRate != nil && !p.bad("lines[%d].taxRate", i) {
			add(*l.TaxRate, i+1)
		}
	}
	if p.hasFreight() && p.o.Freight.TaxRate != nil && !p.bad("freight.taxRate") {
		add(*p.o.Freight.TaxRate, 0)
	}
	for _, key := range p.rates {
		r := p.rules[key]
		r.rule = p.taxRuleFrom(r)
		p.rules[key] = r
	}
}

// ruleOf is the rule of a percentage that amount has read.
func (p *planner) ruleOf(percent decimal.Decimal) string { return p.rules[percent.String()].rule }

func (p *planner) taxRuleFrom(r taxRate) string {
	rules := p.ref.Books.TaxRules
	line, where := 0, "the freight"
	if len(r.lines) > 0 {
		where = strings.ToLower(numbers(r.lines))
		if r.freight {
			where += ", the freight"
		}
		line = r.lines[0]
	}
	tax := fmt.Sprintf("Tax of %s %% (%s): ", prose.Within(r.percent.String(), 20), where)
	const fix = "Choose a sales tax rule for this percentage in the setting taxRules"
	problem := func(code, what, fix string) {
		p.problem(line, code, tax+what, fix+thenRetry, Want{Kind: WantTaxRules})
	}
	if name := strings.TrimSpace(p.s.TaxRule(r.percent)); name != "" {
		rule, code, what := settingRule(rules, name, r.percent)
		if what == "" {
			return rule
		}
		mend := fix
		if code == "taxRuleInactive" {
			mend = "Activate the rule in Cin7 Core, or choose another one in the setting taxRules"
		}
		problem(code, what, mend)
		return ""
	}
	if i := named(rules, strings.TrimSpace(p.card.TaxRule), taxName); i >= 0 && rules[i].ForSales() && rules[i].TaxPercent.Equal(r.percent) {
		return rules[i].Name
	}
	var fit []string
	for _, rule := range rules {
		if rule.ForSales() && rule.TaxPercent.Equal(r.percent) {
			fit = append(fit, rule.Name)
		}
	}
	switch {
	case len(fit) == 1:
		return fit[0]
	case len(fit) == 0:
		problem("taxRuleUnknown", "the Cin7 Core account has no active sales tax rule of this percentage.", "Add one in Cin7 Core, or correct the order in Upstock")
	case p.known: // else the customer's may decide
		problem("taxRuleAmbiguous", "Cin7 Core has several sales tax rules of this percentage: "+prose.List(fit)+".", fix)
	}
	return ""
}

// settingRule is the account's rule that the setting taxRules names for a
// percentage, or what is wrong with it.
func settingRule(rules []cin7core.TaxRule, name string, percent decimal.Decimal) (rule, code, what string) {
	i := named(rules, strings.TrimSpace(name), taxName)
	switch {
	case i < 0:
		return "", "taxRuleUnknown", "the Cin7 Core account has no tax rule " + prose.Quote(name) + ", which the setting taxRules names."
	case !rules[i].IsActive:
		return "", "taxRuleInactive", "the tax rule " + prose.Quote(name) + " of the setting taxRules is not active in Cin7 Core."
	case !rules[i].IsTaxForSale:
		return "", "taxRuleNotForSale", "the tax rule " + prose.Quote(name) + " of the setting taxRules is not for sales in Cin7 Core."
	case !rules[i].TaxPercent.Equal(percent):
		return "", "taxRulePercent", fmt.Sprintf("the tax rule %s of the setting taxRules charges %s %% in Cin7 Core.", prose.Quote(name), prose.Within(rules[i].TaxPercent.String(), 20))
	}
	return rules[i].Name, "", ""
}

// rated is a line, or the freight, that is taxed.
type rated struct {
	n     int // of the line; 0 the freight
	wrong func(code, what, fix string, wants ...Want)
	say   func(what string)
}

func (p *planner) lineRow(n int, l upstock.Line) rated {
	return rated{n, func(code, what, fix string, wants ...Want) { p.wrong(n, l, code, what, fix, wants...) }, func(what string) { p.sayLine(n, what) }}
}

func (p *planner) freightRow() rated {
	return rated{0, func(code, what, fix string, wants ...Want) {
		p.problem(0, code, "The freight: "+what, fix+thenRetry, wants...)
	},
		func(what string) { p.say("The freight: %s", what) }}
}

// absentRate is how a row is taxed to which the order gives no rate, which is not a rate of 0: by the sale tax rule of its
// product, else by the customer's. What the order's own total cannot confirm is said, or is a problem, as the tenant wants.
func (p *planner) absentRate(r rated, product cin7core.Product) (percent decimal.Decimal, rule string) {
	const fix = "Give it a tax rate in Upstock"
	name, whose := strings.TrimSpace(product.SaleTaxRule), "its product's sale tax rule"
	live := []Want{{Kind: WantProduct, ID: product.ID}, {Kind: WantTaxRules}}
	if name == "" {
		name, whose = strings.TrimSpace(p.card.TaxRule), "the customer's tax rule"
		live = append(live, Want{Kind: WantCustomer, ID: p.card.ID})
	}
	unchecked := p.o.Stated == nil
	i := named(p.ref.Books.TaxRules, name, taxName)
	switch {
	case product.ID == "" || name == "" && !p.known: // there is a problem already
	case unchecked && p.s.OnMissingTaxRate == tenant.Reject:
		r.wrong("taxRate", "it has no tax rate, and the order states no totals by which one could be checked.", fix+", or set onMissingTaxRate to useRule")
	case name == "":
		r.wrong("taxRate", "it has no tax rate, and neither its product nor the customer's card has a tax rule.", fix+", or choose a sale tax rule for the product in Cin7 Core", live...)
	case i < 0 || !p.ref.Books.TaxRules[i].ForSales():
		what := "does not exist"
		if i >= 0 {
			what = "is not active, or not for sales"
		}
		r.wrong("taxRate", fmt.Sprintf("it has no tax rate, and %s, %s, %s.", whose, prose.Quote(name), what), fix+", or choose another rule in Cin7 Core", live...)
	default:
		found := p.ref.Books.TaxRules[i]
		if unchecked { // then nothing but the mirror is known of the rule
			p.want(Want{Kind: WantChangedProducts}, Want{Kind: WantTaxRules})
			if len(live) > 2 {
				p.want(live[2])
			}
			r.say(fmt.Sprintf("the order gives no tax rate; the sale has %s, %s, which is %s %%.", whose, prose.Quote(found.Name), prose.Within(found.TaxPercent.String(), 20)))
		}
		return found.TaxPercent, found.Name
	}
	p.uncounted = true
	return decimal.Zero, ""
}

func taxName(r cin7core.TaxRule) string { return r.Name }

// headerTaxFrom leaves the sale's own rule to the card, but where the card's is of no use: lines have theirs anyway.
func (p *planner) headerTaxFrom(card cin7core.Customer) string {
	name := strings.TrimSpace(card.TaxRule)
	i := named(p.ref.Books.TaxRules, name, taxName)
	rule := ""
	for _, l := range slices.Backward(p.plan.Order.Lines) {
		rule = cmp.Or(l.TaxRule, rule)
	}
	if !p.known || name != "" && i >= 0 && p.ref.Books.TaxRules[i].ForSales() {
		return ""
	}
	if name != "" && rule != "" {
		p.want(Want{Kind: WantTaxRules})
		p.say("The tax rule %s on the customer's card cannot be used for sales any more; the sale has %s.", prose.Quote(name), prose.Quote(rule))
	}
	return rule
}

// locationFrom is where the sale takes its stock from.
func (p *planner) locationFrom(card cin7core.Customer) string {
	places := slices.DeleteFunc(slices.Clone(p.ref.Books.Locations), cin7core.Location.IsBin)
	find := func(name string) int {
		return named(places, name, func(l cin7core.Location) string { return l.Name })
	}
	live := Want{Kind: WantLocations}
	if name := strings.TrimSpace(p.s.Location); name != "" {
		const fix = "Choose another location in the setting location"
		i := find(name)
		switch {
		case i < 0:
			p.problem(0, "location", "The Cin7 Core account has no location "+prose.Quote(name)+", which the setting location names.", fix+thenRetry, live)
			return ""
		case places[i].IsDeprecated:
			p.problem(0, "location", "The location "+prose.Quote(name)+" of the setting location is deprecated in Cin7 Core.", fix+thenRetry, live)
		}
		return places[i].Name
	}
	unused := ""
	if name := strings.TrimSpace(card.Location); name != "" {
		if i := find(name); i >= 0 && !places[i].IsDeprecated {
			return places[i].Name
		}
		p.want(live)
		unused = name
	}
	for _, l := range places {
		if !l.IsDefault || l.IsDeprecated || l.Name == "" {
			continue
		}
		if unused != "" {
			p.say("The location %s on the customer's card is deprecated or gone; the sale has the account's default, %s.", prose.Quote(unused), prose.Quote(l.Name))
		}
		return l.Name
	}
	p.problem(0, "location", "No location can be chosen: neither the setting, nor the customer's card, nor the Cin7 Core account's default gives one.",
		"Choose a location in the setting location, or make one the default in Cin7 Core"+thenRetry, live)
	return ""
}
