package joorcin7

import (
	"context"
	"maps"
	"slices"

	"stockbridge/internal/joorcin7/customer"
	"stockbridge/internal/match"
	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
)

// CheckSettings checks what a document of settings names anew, by what was last read of both accounts. What Cin7 Omni
// has is known whole: a price column or a sales person that it has not is refused, with the choices
// (tenant.FieldErrors). Of JOOR only what its connections bear is known: of a label, payment method, rep or group that
// none of them has, said has a sentence.
func (p *Pair) CheckSettings(ctx context.Context, b tenant.Bundle, doc []byte) (said []string, err error) {
	was, now := customer.SettingsOf(b.Settings), customer.SettingsOf(doc)
	kept, _, err := p.optionsOf(ctx, b)
	if err != nil {
		return nil, err
	}
	var faults tenant.FieldErrors
	var people []string
	for _, o := range kept.People {
		people = append(people, o.Value)
	}
	for _, t := range []struct {
		field, what string
		keys        []string
		known       []string
	}{
		{"joorPrices", "price column", fresh(was.Prices, now.Prices), kept.Columns},
		{"joorReps", "sales person", fresh(was.Reps, now.Reps), people},
	} {
		for _, key := range t.keys {
			if has(t.known, key) || len(t.known) == 0 {
				continue
			}
			faults = append(faults, tenant.FieldError{Field: t.field + "." + key, Choices: t.known,
				Message: "Cin7 Omni has no " + t.what + " " + prose.Quote(key) + ". There is: " +
					prose.List(t.known) + "."})
		}
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return unseenInJOOR(was, now, kept.JOOR), nil
}

// fresh are the keys of a table that are not in the one before, or are for something else there.
func fresh[V comparable](was, now map[string]V) (keys []string) {
	for _, key := range slices.Sorted(maps.Keys(now)) {
		if old, ok := was[key]; !ok || old != now[key] {
			keys = append(keys, key)
		}
	}
	return keys
}

func has(known []string, text string) bool {
	return slices.ContainsFunc(known, func(k string) bool { return match.Same(k, text) })
}

// unseenInJOOR says what the settings name anew that no connection of JOOR's bears.
func unseenInJOOR(was, now customer.Settings, account customer.Account) (said []string) {
	var names []string
	for _, key := range fresh(was.Prices, now.Prices) {
		p := now.Prices[key]
		if len(account.Prices) > 0 && !slices.ContainsFunc(account.Prices, func(q customer.Price) bool {
			return p.Label == q.Label && match.Same(p.Currency, q.Currency)
		}) {
			names = append(names, p.String())
		}
	}
	for _, t := range []struct {
		was, now customer.Names
		known    []customer.Named
	}{{was.Terms, now.Terms, account.Terms}, {was.Groups, now.Groups, account.Groups}} {
		for _, key := range fresh(t.was, t.now) {
			name := t.now[key]
			if len(t.known) > 0 && !slices.ContainsFunc(t.known, func(n customer.Named) bool { return n.Is(name) }) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []string{"No connection in JOOR has " + prose.List(names) + " yet: whether JOOR knows it shows when a " +
		"customer is sent."}
}
