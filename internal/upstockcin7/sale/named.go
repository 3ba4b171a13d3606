package sale

import (
	"strings"

	"github.com/shopspring/decimal"

	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
)

// CheckSettings says which of the fields of s name what the account does not have, or cannot use, as a plan would. A
// tax rule's field is taxRules.<percent>. Wants are what could refute it, read live.
func CheckSettings(s Settings, ref Reference, fields []string) (faults tenant.FieldErrors, wants []Want) {
	for _, field := range fields {
		p := newPlanner(upstock.Order{}, s, ref)
		p.known = true // as of a customer whose card says nothing
		switch rate, isTax := strings.CutPrefix(field, "taxRules."); {
		case isTax:
			percent, _ := decimal.NewFromString(rate)
			if _, code, what := settingRule(ref.Books.TaxRules, s.TaxRules[rate], percent); what != "" {
				p.problem(0, code, strings.ToUpper(what[:1])+what[1:], "", Want{Kind: WantTaxRules})
			}
		case field == "location":
			p.locationFrom()
		case field == "freightProduct":
			p.freightProduct()
		case field == "defaultSalesRep":
			p.salesRepFrom()
		}
		for _, pr := range p.problems {
			faults = append(faults, tenant.FieldError{Field: field, Message: pr.Message})
		}
		wants = append(wants, p.wants...)
	}
	return faults, wants
}
