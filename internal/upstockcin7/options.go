package upstockcin7

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/match"
	"stockbridge/internal/prose"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/sale"
)

// Options are what the settings that name something in Cin7 Core may name in
// this account: locations, tax rules for sales, services and sales
// representatives, as the mirror has them.
type Options struct {
	Location        []Choice `json:"location"`
	TaxRules        []Choice `json:"taxRules"`
	FreightProduct  []Choice `json:"freightProduct"`
	DefaultSalesRep []Choice `json:"defaultSalesRep"`
	Why             *string  `json:"why"` // why there is nothing, or not everything, to choose from; null = this is all
}

// Choice is one thing that a setting may name.
type Choice struct {
	Value string `json:"value"` // what the setting is set to
	Label string `json:"label"` // the same for people
}

// mostServices bounds how many services are offered for freight: an account has few.
const mostServices = 500

// Options lists what the tenant's settings may name.
func (p *Pair) Options(ctx context.Context, b tenant.Bundle) (Options, error) {
	o := Options{Location: []Choice{}, TaxRules: []Choice{}, FreightProduct: []Choice{}, DefaultSalesRep: []Choice{}}
	if why := unread(b); why != "" {
		o.Why = &why
		return o, nil
	}
	books, err := readBooks(b.Books)
	if err != nil {
		return o, err
	}
	for _, l := range books.Locations {
		if !l.IsBin() && !l.IsDeprecated {
			o.Location = append(o.Location, Choice{l.Name, l.Name})
		}
	}
	for _, r := range books.TaxRules {
		if r.ForSales() {
			o.TaxRules = append(o.TaxRules, Choice{r.Name, fmt.Sprintf("%s (%s %%)", r.Name, r.TaxPercent)})
		}
	}
	for _, c := range books.Contacts {
		if match.Same(c.Type, "Sale") && strings.TrimSpace(c.Name) != "" {
			o.DefaultSalesRep = append(o.DefaultSalesRep, Choice{c.Name, c.Name})
		}
	}
	if o.FreightProduct, err = p.services(ctx, b.Tenant.ID); err != nil {
		return o, err
	}
	for _, list := range []*[]Choice{&o.Location, &o.TaxRules, &o.FreightProduct, &o.DefaultSalesRep} {
		slices.SortFunc(*list, func(a, b Choice) int {
			return cmp.Or(cmp.Compare(fold(a.Label), fold(b.Label)), cmp.Compare(a.Value, b.Value))
		})
		*list = slices.Compact(*list)
	}
	return o, nil
}

// unread says why nothing is known of the account yet; "" = its records are read.
func unread(b tenant.Bundle) string {
	core, known := b.Connections[tenant.Cin7Core]
	switch lack := b.Lack(tenant.Cin7Core); {
	case lack != nil && (!known || core.Mirror.Ready.IsZero()):
		return lack.State
	case core.Mirror.Ready.IsZero():
		return "Cin7 Core's records are being read for the first time."
	}
	return ""
}

// services are the account's service products that freight can be charged on.
func (p *Pair) services(ctx context.Context, tenantID string) ([]Choice, error) {
	list := []Choice{}
	keys, err := p.Mirror.Members(ctx, tenantID, serviceNames, mostServices)
	if err != nil {
		return list, err
	}
	rows, _, err := p.Mirror.Find(ctx, tenantID, keys)
	if err != nil {
		return list, err
	}
	for _, r := range rows {
		found, err := readRow([]cin7core.Product(nil), r)
		if err != nil {
			return list, err
		}
		for _, x := range found {
			switch {
			case !sale.CanCarryFreight(x):
			case strings.TrimSpace(x.SKU) != "":
				list = append(list, Choice{x.SKU, x.Name + " (" + x.SKU + ")"})
			case strings.TrimSpace(x.Name) != "":
				list = append(list, Choice{x.Name, x.Name})
			}
		}
	}
	return list, nil
}

// CheckSettings checks what s names anew in the tenant's Cin7 Core account: in
// the mirror and, before anything is refused, live. It returns one
// tenant.FieldErrors with the choices; said is what could not be checked, and
// why, a sentence each.
func (p *Pair) CheckSettings(ctx context.Context, b tenant.Bundle, s tenant.Settings) (said []string, err error) {
	changed := changedNames(b.Settings, s)
	if len(changed) == 0 {
		return nil, nil
	}
	unchecked := func(why string) []string {
		return []string{"Not checked whether Cin7 Core has what the settings name (" + strings.Join(changed, ", ") + "): " + why}
	}
	if why := unread(b); why != "" {
		return unchecked(why), nil
	}
	b.Settings = s
	ref, err := p.settingsReference(ctx, b)
	if err != nil {
		return nil, err
	}
	faults, wants := sale.CheckSettings(s, ref, changed)
	if len(faults) > 0 && len(wants) > 0 {
		core := b.Connections[tenant.Cin7Core]
		if lack := b.Lack(tenant.Cin7Core); lack != nil {
			return unchecked(lack.State), nil
		}
		secrets, err := p.secrets(ctx, core)
		if err != nil {
			return nil, err
		}
		ref, err = p.live(ctx, p.Cin7Core(core, secrets, false), b, ref, wants)
		if err != nil && rest.KindOf(err) == rest.Other {
			return nil, err
		}
		if err != nil {
			return unchecked("Cin7 Core did not say (" + rest.Reason(err) + ")."), nil
		}
		faults, _ = sale.CheckSettings(s, ref, changed)
	}
	if len(faults) == 0 {
		return nil, nil
	}
	if fresh, err := p.Tenants.Load(ctx, b.Tenant.ID); err == nil { // with what was just read
		b.Books = fresh.Books
	}
	choices, err := p.Options(ctx, b)
	if err != nil {
		return nil, err
	}
	for i := range faults {
		faults[i].Choices = choices.of(faults[i].Field)
		if n := len(faults[i].Choices); n > 0 {
			faults[i].Message += " There is: " + prose.List(faults[i].Choices[:min(n, 10)]) + "."
		}
	}
	return nil, faults
}

func (o Options) of(field string) []string {
	list := o.TaxRules
	switch field {
	case "location":
		list = o.Location
	case "freightProduct":
		list = o.FreightProduct
	case "defaultSalesRep":
		list = o.DefaultSalesRep
	}
	var values []string
	for _, c := range list {
		values = append(values, c.Value)
	}
	return values
}

// LostSettings says what the settings name that the account has no more, or that is not checked yet; as the mirror has it, without a call.
func (p *Pair) LostSettings(ctx context.Context, b tenant.Bundle) ([]string, error) {
	named := changedNames(tenant.DefaultSettings(), b.Settings)
	if len(named) == 0 {
		return nil, nil
	}
	if why := unread(b); why != "" {
		return []string{"Whether Cin7 Core has what the settings name (" + strings.Join(named, ", ") + ") is not checked yet: " + why}, nil
	}
	ref, err := p.settingsReference(ctx, b)
	if err != nil {
		return nil, err
	}
	var said []string
	faults, _ := sale.CheckSettings(b.Settings, ref, named)
	for _, f := range faults {
		said = append(said, f.Message)
	}
	return said, nil
}

// settingsReference is what the mirror has of what the settings name.
func (p *Pair) settingsReference(ctx context.Context, b tenant.Bundle) (sale.Reference, error) {
	return p.reference(ctx, b, upstock.Order{Freight: &upstock.Freight{Amount: decimal.NewFromInt(1)}}) // an order with freight needs the product for it
}

// changedNames are the settings that name something in Cin7 Core and do so
// otherwise than before. A tax rule's is taxRules.<percent>.
func changedNames(old, s tenant.Settings) []string {
	var list []string
	add := func(field, was, now string) {
		if now = strings.TrimSpace(now); now != "" && now != strings.TrimSpace(was) {
			list = append(list, field)
		}
	}
	add("location", old.Location, s.Location)
	add("freightProduct", old.FreightProduct, s.FreightProduct)
	add("defaultSalesRep", old.DefaultSalesRep, s.DefaultSalesRep)
	for _, rate := range slices.Sorted(maps.Keys(s.TaxRules)) {
		if percent, err := decimal.NewFromString(rate); err == nil {
			add("taxRules."+rate, old.TaxRule(percent), s.TaxRules[rate])
		}
	}
	return list
}
