package customer

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"stockbridge/internal/match"
	"stockbridge/internal/tenant"
)

// Settings are what a tenant decides of customers in JOOR. The zero value is the default: nothing is sent.
type Settings struct {
	Upload, Update           bool // whether people may have customers sent
	UploadAlone, UpdateAlone bool // whether they go by themselves
	Prices                   Prices
	Terms, Reps, Groups      Names
}

// SettingsOf reads the settings from all that a tenant has stored.
func SettingsOf(stored []byte) (s Settings) {
	tenant.Read(stored, &s)
	return s
}

// Fields implements tenant.Section.
func (s *Settings) Fields() []tenant.Field {
	return []tenant.Field{
		{Name: "joorUpload", To: (*tenant.YesNo)(&s.Upload),
			Help: "Upload Customers to JOOR: whether customers of Cin7 Omni that are new to JOOR may be sent there."},
		{Name: "joorUpdate", To: (*tenant.YesNo)(&s.Update),
			Help: "Update Customers to JOOR: whether changes of linked customers may be sent there."},
		{Name: "joorUploadAlone", To: (*tenant.YesNo)(&s.UploadAlone),
			Help: "With joorUpload: whether new customers go to JOOR by themselves."},
		{Name: "joorUpdateAlone", To: (*tenant.YesNo)(&s.UpdateAlone),
			Help: "With joorUpdate: whether changes go to JOOR by themselves."},
		{Name: "joorPrices", To: &s.Prices,
			Help: "JOOR's price label and its currency for each price column of Cin7 Omni. Empty: a column has the " +
				"label of its own name, as WholesalePrice has Wholesale. A customer without a label is left out."},
		{Name: "joorTerms", To: &s.Terms,
			Help: "JOOR's payment method for each of Cin7 Omni's payment terms. Those that are left out are not sent."},
		{Name: "joorReps", To: &s.Reps,
			Help: "The code of JOOR's sales rep for each of Cin7 Omni's sales people, by their user id. Those that " +
				"are left out are not sent."},
		{Name: "joorGroups", To: &s.Groups,
			Help: "JOOR's customer group for each of Cin7 Omni's. Those that are left out are not sent."},
	}
}

// Most that a table of the settings has, of rows and of characters in a text.
const (
	mostRows = 200
	mostText = 250
)

// Check implements tenant.Section.
func (s *Settings) Check() (errs tenant.FieldErrors) {
	for _, column := range slices.Sorted(maps.Keys(s.Prices)) {
		field, p := "joorPrices."+column, s.Prices[column]
		switch {
		case strings.TrimSpace(column) == "":
			errs = append(errs, tenant.FieldError{Field: field, Message: "Name the price column."})
		case strings.TrimSpace(p.Label) == "":
			errs = append(errs, tenant.FieldError{Field: field, Message: "Name the price label in JOOR."})
		case !isCurrency(p.Currency):
			errs = append(errs, tenant.FieldError{Field: field, Message: "Use a currency's three letters, as NZD."})
		case tooLong(column, p.Label):
			errs = append(errs, tenant.FieldError{Field: field, Message: "A text here has at most 250 characters."})
		}
	}
	if s.Prices.twice() {
		errs = append(errs, tenant.FieldError{Field: "joorPrices", Message: "A price column stands here twice."})
	}
	if len(s.Prices) > mostRows {
		errs = append(errs, tenant.FieldError{Field: "joorPrices", Message: "There are at most 200 rows."})
	}
	for _, t := range []struct {
		field string
		names Names
	}{{"joorTerms", s.Terms}, {"joorReps", s.Reps}, {"joorGroups", s.Groups}} {
		errs = append(errs, t.names.check(t.field)...)
	}
	return errs
}

func isCurrency(s string) bool {
	return len(s) == 3 && !strings.ContainsFunc(s, func(r rune) bool { return r < 'A' || r > 'Z' })
}

func tooLong(texts ...string) bool {
	return slices.ContainsFunc(texts, func(s string) bool { return utf8.RuneCountInString(s) > mostText })
}

// Prices are price types by price columns. Keys ignore case and blanks around them.
type Prices map[string]Price

// SameKey reports whether two keys are one.
func (Prices) SameKey(a, b string) bool { return match.Same(a, b) }

// UnmarshalJSON implements json.Unmarshaler: a price label has no other fields.
func (p *Prices) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode((*map[string]Price)(p))
}

// MarshalJSON implements json.Marshaler.
func (p Prices) MarshalJSON() ([]byte, error) {
	if p == nil {
		return []byte("{}"), nil
	}
	return json.Marshal(map[string]Price(p))
}

// of is the price type of a column.
func (p Prices) of(column string) (Price, bool) {
	if price, ok := p[column]; ok {
		return price, true
	}
	for key, price := range p {
		if match.Same(key, column) {
			return price, true
		}
	}
	return Price{}, false
}

// twice reports whether a column stands there in two ways of writing it.
func (p Prices) twice() bool { return twice(slices.Collect(maps.Keys(p))) }

// Names are what something of Cin7 Omni is called in JOOR. Keys ignore case and blanks around them.
type Names map[string]string

// SameKey reports whether two keys are one.
func (Names) SameKey(a, b string) bool { return match.Same(a, b) }

// MarshalJSON implements json.Marshaler.
func (n Names) MarshalJSON() ([]byte, error) {
	if n == nil {
		return []byte("{}"), nil
	}
	return json.Marshal(map[string]string(n))
}

// of is JOOR's name; "" = none is given.
func (n Names) of(ours string) string {
	ours = strings.TrimSpace(ours)
	if ours == "" {
		return ""
	}
	if name, ok := n[ours]; ok {
		return strings.TrimSpace(name)
	}
	for key, name := range n {
		if match.Same(key, ours) {
			return strings.TrimSpace(name)
		}
	}
	return ""
}

func (n Names) check(field string) (errs tenant.FieldErrors) {
	if len(n) > mostRows {
		errs = append(errs, tenant.FieldError{Field: field, Message: "There are at most 200 rows."})
	}
	if twice(slices.Collect(maps.Keys(n))) {
		errs = append(errs, tenant.FieldError{Field: field, Message: "A name of Cin7 Omni stands here twice."})
	}
	for _, key := range slices.Sorted(maps.Keys(n)) {
		switch {
		case strings.TrimSpace(key) == "" || strings.TrimSpace(n[key]) == "":
			errs = append(errs, tenant.FieldError{Field: field + "." + key, Message: "Name both sides."})
		case tooLong(key, n[key]):
			errs = append(errs, tenant.FieldError{Field: field + "." + key,
				Message: "A text here has at most 250 characters."})
		}
	}
	return errs
}

// twice reports whether two of the keys are one.
func twice(keys []string) bool {
	seen := map[string]bool{}
	for _, key := range keys {
		k := strings.ToLower(strings.TrimSpace(key))
		if seen[k] {
			return true
		}
		seen[k] = true
	}
	return false
}
