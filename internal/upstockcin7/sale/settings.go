package sale

import (
	"strings"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
)

// CheckSettings says which of the fields of s name what the account does not have, or cannot use: it asks as a plan does.
// Wants are what could refute it, read live. A tax rule's field is taxRules.<percent>.
func CheckSettings(s tenant.Settings, ref Reference, fields []string) (faults tenant.FieldErrors, wants []Want) {
	for _, field := range fields {
		p := newPlanner(upstock.Order{}, s, ref)
		p.known = true
		switch rate, isTax := strings.CutPrefix(field, "taxRules."); {
		case isTax:
			percent, _ := decimal.NewFromString(rate)
			if _, _, what := settingRule(ref.Books.TaxRules, s.TaxRules[rate], percent); what != "" {
				p.problem(0, "taxRules", strings.ToUpper(what[:1])+what[1:], "", Want{Kind: WantTaxRules})
			}
		case field == "location":
			p.locationFrom(cin7core.Customer{})
		case field == "freightProduct":
			p.freightProduct()
		case field == "defaultSalesRep":
			p.salesRepFrom(cin7core.Customer{})
		}
		for _, pr := range p.problems {
			faults = append(faults, tenant.FieldError{Field: field, Message: pr.Message})
		}
		wants = append(wants, p.wants...)
	}
	return faults, wants
}
