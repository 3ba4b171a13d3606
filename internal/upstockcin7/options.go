package upstockcin7

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"stockbridge/internal/ledger"
	"stockbridge/internal/match"
	"stockbridge/internal/mirror"
	"stockbridge/internal/parallel"
	"stockbridge/internal/prose"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/reference"
	"stockbridge/internal/upstockcin7/sale"
)

// Options are what the settings that name something in Cin7 Core may name in
// this account: locations, tax rules for sales, services, sales
// representatives and price tiers, as the mirror has them.
type Options struct {
	Location        []Choice `json:"location"`
	TaxRules        []Choice `json:"taxRules"`
	FreightProduct  []Choice `json:"freightProduct"`
	DefaultSalesRep []Choice `json:"defaultSalesRep"`
	DefaultTier     []Choice `json:"defaultPriceTier"`
	Why             *string  `json:"why"` // why there is nothing, or not everything, to choose from; null = this is all
}

// Choice is one thing that a setting may name.
type Choice struct {
	Value string `json:"value"` // what the setting is set to
	Label string `json:"label"` // the same for people
}

// mostServices bounds how many services are offered for freight: an account has few.
const mostServices = 500

// Custom fields are looked for in so many of the newest orders; a setting takes no longer name than that.
const seenIn, longestName = 10, 256

// SeenFields are the custom fields of Upstock's that the tenant's newest orders have, by name.
func (p *Pair) SeenFields(ctx context.Context, tenantID string) (list []Choice, err error) {
	runs, _, err := p.Orders.Runs(ctx, tenantID, "", seenIn)
	if err != nil {
		return nil, err
	}
	seen, mu := map[string]bool{}, sync.Mutex{}
	err = parallel.Each(seenIn, slices.Values(runs), func(r *order.Order) error {
		_, body, _, err := p.Orders.Load(ctx, tenantID, r.ID, r.Body())
		if errors.Is(err, ledger.ErrNotFound) {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		for name := range documentOf(body).order().CustomFields {
			if name = strings.TrimSpace(name); name != "" && utf8.RuneCountInString(name) <= longestName {
				seen[name] = true
			}
		}
		return err
	})
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		list = append(list, Choice{name, name})
	}
	return list, err
}

// Options lists what the tenant's settings may name.
func (p *Pair) Options(ctx context.Context, b tenant.Bundle) (Options, error) {
	o := Options{Location: []Choice{}, TaxRules: []Choice{}, FreightProduct: []Choice{}, DefaultSalesRep: []Choice{},
		DefaultTier: []Choice{}}
	if why := unread(b); why != "" {
		o.Why = &why
		return o, nil
	}
	books, err := reference.ReadBooks(b.Books)
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
	for _, t := range books.PriceTiers {
		if name := strings.TrimSpace(t.Name); name != "" {
			label := fmt.Sprintf("%s (tier %d)", name, t.Code)
			o.DefaultTier = append(o.DefaultTier, Choice{strconv.Itoa(t.Code), label})
		}
	}
	if o.FreightProduct, err = p.services(ctx, b.Tenant.ID); err != nil {
		return o, err
	}
	for _, list := range []*[]Choice{&o.Location, &o.TaxRules, &o.FreightProduct, &o.DefaultSalesRep} {
		slices.SortFunc(*list, func(a, b Choice) int {
			return cmp.Or(cmp.Compare(match.Fold(a.Label), match.Fold(b.Label)), cmp.Compare(a.Value, b.Value))
		})
		*list = slices.Compact(*list)
	}
	return o, nil
}

// unread says why nothing is known of the account yet; "" = its records are read.
func unread(b tenant.Bundle) string {
	read := !mirror.Progress.Of(b.Connections[tenant.Cin7Core]).Ready.IsZero()
	switch lack := b.Lack(tenant.Cin7Core); {
	case lack != nil && !read:
		return lack.State
	case !read:
		return "Cin7 Core's records are being read for the first time."
	}
	return ""
}

// services are the account's service products that freight can be charged on.
func (p *Pair) services(ctx context.Context, tenantID string) ([]Choice, error) {
	list := []Choice{}
	found, err := reference.Services(ctx, p.Mirror, tenantID, mostServices)
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
	return list, nil
}

// CheckSettings checks what a document of settings names anew in the tenant's
// Cin7 Core account: in the mirror and, before anything is refused, live. It returns one
// tenant.FieldErrors with the choices; said is what could not be checked, and
// why, a sentence each.
func (p *Pair) CheckSettings(ctx context.Context, b tenant.Bundle, doc []byte) (said []string, err error) {
	s := sale.SettingsOf(doc)
	changed := changedNames(sale.SettingsOf(b.Settings), s)
	if len(changed) == 0 {
		return nil, nil
	}
	unchecked := func(why string) []string {
		return []string{"Not checked whether Cin7 Core has what the settings name (" + strings.Join(changed, ", ") +
			"): " + why}
	}
	if why := unread(b); why != "" {
		return unchecked(why), nil
	}
	b.Settings = doc
	ref, err := p.settingsReference(ctx, b)
	if err != nil {
		return nil, err
	}
	faults, wants := sale.CheckSettings(s, ref, changed)
	if len(faults) > 0 && len(wants) > 0 {
		live, why, err := p.liveReference(ctx, b, ref, wants)
		if err != nil {
			return nil, err
		}
		if why != "" {
			return unchecked(why), nil
		}
		faults, _ = sale.CheckSettings(s, live, changed)
	}
	if len(faults) == 0 {
		return nil, nil
	}
	return nil, p.withChoices(ctx, b, faults)
}

// liveReference is the reference with what is wanted read in Cin7 Core now; why = it could not be read.
func (p *Pair) liveReference(
	ctx context.Context, b tenant.Bundle, ref sale.Reference, wants []sale.Want,
) (live sale.Reference, why string, err error) {
	if lack := b.Lack(tenant.Cin7Core); lack != nil {
		return ref, lack.State, nil
	}
	core := b.Connections[tenant.Cin7Core]
	secrets, err := p.Vendors.Secrets(ctx, core)
	if err != nil {
		return ref, "", err
	}
	live, err = p.live(ctx, p.Cin7Core(core, secrets, false), b, ref, wants)
	if err != nil && rest.KindOf(err) != rest.Other {
		return ref, "Cin7 Core did not say (" + rest.Reason(err) + ").", nil
	}
	return live, "", err
}

// withChoices returns the faults with what there is to choose from; any other error instead.
func (p *Pair) withChoices(ctx context.Context, b tenant.Bundle, faults tenant.FieldErrors) error {
	if fresh, err := p.Tenants.Load(ctx, b.Tenant.ID); err == nil { // with what was just read
		b.Books = fresh.Books
	}
	choices, err := p.Options(ctx, b)
	if err != nil {
		return err
	}
	for i := range faults {
		faults[i].Choices = choices.of(faults[i].Field)
		if n := len(faults[i].Choices); n > 0 {
			faults[i].Message += " There is: " + prose.List(faults[i].Choices[:min(n, 10)]) + "."
		}
	}
	return faults
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
	case "defaultPriceTier":
		list = o.DefaultTier
	}
	var values []string
	for _, c := range list {
		values = append(values, c.Value)
	}
	return values
}

// Unchecked says that nobody knows yet whether Cin7 Core has what the settings name; "" = Drift does, or they name
// nothing.
func (p *Pair) Unchecked(b tenant.Bundle) string {
	why, named := unread(b), changedNames(sale.DefaultSettings(), sale.SettingsOf(b.Settings))
	if why == "" || len(named) == 0 {
		return ""
	}
	return "Whether Cin7 Core has what the settings name (" + strings.Join(named, ", ") + ") is not checked yet: " + why
}

// lostSettings are the settings that name what the account has no more, as the mirror has it.
func (p *Pair) lostSettings(ctx context.Context, b tenant.Bundle) (tenant.FieldErrors, error) {
	s := sale.SettingsOf(b.Settings)
	named := changedNames(sale.DefaultSettings(), s)
	if len(named) == 0 {
		return nil, nil
	}
	ref, err := p.settingsReference(ctx, b)
	if err != nil {
		return nil, err
	}
	faults, _ := sale.CheckSettings(s, ref, named)
	return faults, nil
}

// settingsReference is what the mirror has of what the settings name.
func (p *Pair) settingsReference(ctx context.Context, b tenant.Bundle) (sale.Reference, error) {
	// an order with freight needs the product for it
	return p.records(b).Order(ctx, upstock.Order{Freight: &upstock.Freight{Amount: decimal.NewFromInt(1)}})
}

// changedNames are the settings that name something in Cin7 Core and do so
// otherwise than before. A tax rule's is taxRules.<percent>.
func changedNames(old, s sale.Settings) []string {
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
