package tenant

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

// Settings are a tenant's options, as the JSON API reads and writes them.
// The zero value is not valid; start from DefaultSettings.
type Settings struct {
	OrderStatus     string            `json:"orderStatus"`     // draft | authorised: the sale's status in Cin7 Core
	SaleType        string            `json:"saleType"`        // simple | advanced
	CreationMode    string            `json:"creationMode"`    // noPick | autoPick | autoPickPack | autoPickPackShip
	ShipBySource    string            `json:"shipBySource"`    // deliveryDate | none (the date goes into the shipping notes)
	Location        string            `json:"location"`        // Cin7 Core location; "" = the customer's, else the account's default
	FreightProduct  string            `json:"freightProduct"`  // Cin7 Core service product for freight; "" = orders with freight need attention
	TaxRules        map[string]string `json:"taxRules"`        // percent → Cin7 Core tax rule; percents compare as decimals
	DefaultSalesRep string            `json:"defaultSalesRep"` // where the customer has none
	AddressField    string            `json:"addressField"`    // the Upstock custom field that chooses the delivery address; "" = none
	AddressMatch    string            `json:"addressMatch"`    // line1 | city | postcode | any: what of the customer's address the field's value equals
	TotalTolerance  decimal.Decimal   `json:"totalTolerance"`  // how far the sale's total may be from the order's
	OnCancel        string            `json:"onCancel"`        // tell | void: what becomes of the sale when the order is cancelled after it was sold

	OnUnknownAddress string `json:"onUnknownAddress"` // say | reject: where the custom field's value fits no address of the customer's card
	OnMissingTaxRate string `json:"onMissingTaxRate"` // useRule | reject: where the order gives a line no tax rate, and no totals to check Cin7 Core's rule by
}

// Values of the enumerated settings.
const (
	Draft, Authorised                                = "draft", "authorised"
	Simple, Advanced                                 = "simple", "advanced"
	NoPick, AutoPick, AutoPickPack, AutoPickPackShip = "noPick", "autoPick", "autoPickPack", "autoPickPackShip"
	DeliveryDate, NoDate                             = "deliveryDate", "none"
	Tell, Void                                       = "tell", "void"
	MatchLine1, MatchCity, MatchPostcode, MatchAny   = "line1", "city", "postcode", "any"
	Say, UseRule, Reject                             = "say", "useRule", "reject"
)

// DefaultSalesRep is the name that Upstock's own integration uses.
const DefaultSalesRep = "API Sales"

// DefaultSettings can sell: draft, simple, no pick.
func DefaultSettings() Settings {
	return Settings{
		OrderStatus: Draft, SaleType: Simple, CreationMode: NoPick, ShipBySource: DeliveryDate,
		TaxRules: map[string]string{}, DefaultSalesRep: DefaultSalesRep, AddressMatch: MatchAny,
		TotalTolerance: decimal.New(2, -2), OnCancel: Tell, OnUnknownAddress: Say, OnMissingTaxRate: UseRule,
	}
}

// MarshalJSON writes money with two decimals.
func (s Settings) MarshalJSON() ([]byte, error) {
	type plain Settings
	return json.Marshal(struct {
		plain
		TotalTolerance string `json:"totalTolerance"`
	}{plain(s), s.TotalTolerance.StringFixed(2)})
}

// with is s as it is stored, with what this version does not know.
func (s Settings) with(unknown map[string]json.RawMessage) (json.RawMessage, error) {
	raw, err := json.Marshal(s)
	if err != nil || len(unknown) == 0 {
		return raw, err
	}
	all := maps.Clone(unknown)
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, err
	}
	return json.Marshal(all)
}

// FieldError says what is wrong with one field of a document.
type FieldError struct {
	Field   string   `json:"field"`
	Message string   `json:"message"`
	Choices []string `json:"choices,omitempty"` // what it may be instead
}

// FieldErrors are all faults of one document.
type FieldErrors []FieldError

func (e FieldErrors) Error() string {
	var b strings.Builder
	for i, f := range e {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s: %s", f.Field, f.Message)
	}
	return b.String()
}

// Add puts faults beside the others: one a field is enough. A fault of a pair of
// settings is left out where one of the two is at fault itself.
func (e FieldErrors) Add(more FieldErrors) FieldErrors {
	at := func(field string) bool {
		return slices.ContainsFunc(e, func(f FieldError) bool { return f.Field == field })
	}
	known := slices.Clone(e)
	for _, f := range more {
		if at(f.Field) || f.Field == "creationMode" && (at("saleType") || at("orderStatus")) {
			continue
		}
		known = append(known, f)
	}
	return known
}

// ParseSettings reads a whole settings document over the defaults. A field
// that is unknown or has a bad value is refused by name (FieldErrors), all at once.
func ParseSettings(doc []byte) (Settings, error) {
	s := DefaultSettings()
	var fields map[string]json.RawMessage
	dec := json.NewDecoder(bytes.NewReader(doc))
	if err := dec.Decode(&fields); err != nil || fields == nil || dec.More() {
		return s, FieldErrors{{Field: "", Message: "The settings must be one JSON object."}}
	}
	var errs FieldErrors
	into := s.fields()
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		p, ok := into[name]
		if !ok {
			errs = append(errs, FieldError{Field: name, Message: "There is no such setting."})
			continue
		}
		if string(fields[name]) == "null" {
			errs = append(errs, FieldError{Field: name, Message: "null is not a value; leave the setting out for its default."})
			continue
		}
		if name == "totalTolerance" && len(fields[name]) > 20 {
			errs = append(errs, FieldError{Field: name, Message: "This is not an amount."})
			continue
		}
		if err := json.Unmarshal(fields[name], p); err != nil {
			errs = append(errs, FieldError{Field: name, Message: "This value has the wrong type."})
		}
	}
	if errs = errs.Add(s.validate()); len(errs) > 0 {
		return s, errs
	}
	return s, nil
}

// fields are all settings by their names in JSON; each pointer leads into s.
func (s *Settings) fields() map[string]any {
	return map[string]any{
		"orderStatus": &s.OrderStatus, "saleType": &s.SaleType, "creationMode": &s.CreationMode,
		"shipBySource": &s.ShipBySource, "location": &s.Location, "freightProduct": &s.FreightProduct,
		"taxRules": &s.TaxRules, "defaultSalesRep": &s.DefaultSalesRep, "addressField": &s.AddressField,
		"addressMatch": &s.AddressMatch, "totalTolerance": &s.TotalTolerance,
		"onCancel": &s.OnCancel, "onUnknownAddress": &s.OnUnknownAddress, "onMissingTaxRate": &s.OnMissingTaxRate,
	}
}

// readSettings reads settings as this or another version of the program stored them. It never fails: what ParseSettings
// refuses is left out, field by field, until nothing is refused. A setting that this version does not know is unknown, to
// be stored again with whatever is saved next. A value that is not allowed any more is its default, and said has a
// sentence about it for a person.
func readSettings(stored []byte) (s Settings, unknown map[string]json.RawMessage, said []string) {
	unknown = map[string]json.RawMessage{}
	var doc map[string]json.RawMessage
	if json.Unmarshal(stored, &doc) != nil || doc == nil {
		return DefaultSettings(), nil, []string{"The saved settings cannot be read, and all have their defaults. Save them again."}
	}
	for {
		s, err := ParseSettings(stored)
		var refused FieldErrors
		if !errors.As(err, &refused) {
			return s, unknown, said
		}
		for _, f := range refused {
			name, rate, isRate := strings.Cut(f.Field, ".")
			if _, known := s.fields()[name]; !known || isRate && doc[f.Field] != nil {
				unknown[f.Field] = doc[f.Field]
				delete(doc, f.Field)
				continue
			}
			value, instead := doc[name], "its default is used"
			if isRate {
				doc[name], value = withoutKey(value, rate)
				instead = "it is left out"
			} else {
				delete(doc, name)
			}
			if value != nil { // one setting may be refused for two reasons
				said = append(said, fmt.Sprintf("The saved %s, %.60s, is not allowed any more: %s. %s", f.Field, value, instead, f.Message))
			}
		}
		stored, _ = json.Marshal(doc)
	}
}

// withoutKey takes a key and its value out of an object.
func withoutKey(object json.RawMessage, key string) (rest, value json.RawMessage) {
	var all map[string]json.RawMessage
	_ = json.Unmarshal(object, &all)
	value = all[key]
	delete(all, key)
	rest, _ = json.Marshal(all)
	return rest, value
}

// PatchSettings changes settings by a JSON merge patch (RFC 7396): what the
// patch names; null gives a setting its default, or takes a tax rule out. Faults
// are those of ParseSettings.
func PatchSettings(s Settings, patch []byte) (Settings, error) {
	var changes, doc map[string]json.RawMessage
	dec := json.NewDecoder(bytes.NewReader(patch))
	if err := dec.Decode(&changes); err != nil || changes == nil || dec.More() {
		return s, FieldErrors{{Field: "", Message: "The settings must be one JSON object."}}
	}
	whole, err := json.Marshal(s)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(whole, &doc); err != nil {
		return s, err
	}
	for name, value := range changes {
		_, known := doc[name]
		switch {
		case string(value) == "null" && known:
			delete(doc, name)
		case name == "taxRules":
			doc[name] = patchRules(s.TaxRules, value)
		default:
			doc[name] = value
		}
	}
	if whole, err = json.Marshal(doc); err != nil {
		return s, err
	}
	return ParseSettings(whole)
}

// patchRules merges tax rules, whose percentages compare as decimals: 15 is 15.00.
func patchRules(rules map[string]string, patch json.RawMessage) json.RawMessage {
	var changes map[string]json.RawMessage
	if json.Unmarshal(patch, &changes) != nil {
		return patch // no object: refused as such
	}
	doc := map[string]json.RawMessage{}
	for rate, rule := range rules {
		doc[rate], _ = json.Marshal(rule)
	}
	for rate, value := range changes {
		percent, err := decimal.NewFromString(rate)
		for old := range rules {
			if was, oerr := decimal.NewFromString(old); err == nil && oerr == nil && was.Equal(percent) {
				delete(doc, old)
			}
		}
		if string(value) != "null" {
			doc[rate] = value
		}
	}
	whole, _ := json.Marshal(doc)
	return whole
}

func (s *Settings) validate() FieldErrors {
	var errs FieldErrors
	oneOf := func(field, v string, allowed ...string) {
		if !slices.Contains(allowed, v) {
			errs = append(errs, FieldError{Field: field, Message: "Use one of: " + strings.Join(allowed, ", ") + "."})
		}
	}
	oneOf("orderStatus", s.OrderStatus, Draft, Authorised)
	oneOf("saleType", s.SaleType, Simple, Advanced)
	oneOf("creationMode", s.CreationMode, NoPick, AutoPick, AutoPickPack, AutoPickPackShip)
	oneOf("shipBySource", s.ShipBySource, DeliveryDate, NoDate)
	oneOf("onCancel", s.OnCancel, Tell, Void)
	oneOf("addressMatch", s.AddressMatch, MatchLine1, MatchCity, MatchPostcode, MatchAny)
	oneOf("onUnknownAddress", s.OnUnknownAddress, Say, Reject)
	oneOf("onMissingTaxRate", s.OnMissingTaxRate, UseRule, Reject)
	if s.CreationMode != NoPick && (s.SaleType != Simple || s.OrderStatus != Authorised) {
		errs = append(errs, FieldError{Field: "creationMode", Message: "Automatic picking works only with saleType simple and orderStatus authorised: Cin7 Core ignores it otherwise. Use noPick, or change those two."})
	}
	long := func(field, v string, max int) {
		if len([]rune(v)) > max {
			errs = append(errs, FieldError{Field: field, Message: fmt.Sprintf("This is longer than %d characters.", max)})
		}
	}
	long("location", s.Location, 256)
	long("freightProduct", s.FreightProduct, 256)
	long("defaultSalesRep", s.DefaultSalesRep, 256)
	long("addressField", s.AddressField, 256)
	seen := map[string]bool{}
	for _, rate := range slices.Sorted(maps.Keys(s.TaxRules)) {
		field := "taxRules." + rate
		d, err := decimal.NewFromString(rate)
		if len(rate) > 12 || err != nil || d.IsNegative() || d.GreaterThan(decimal.New(100, 0)) {
			errs = append(errs, FieldError{Field: field, Message: "The key must be a percentage from 0 to 100, as 15.00."})
			continue
		}
		if seen[d.String()] {
			errs = append(errs, FieldError{Field: field, Message: "This percentage is there twice."})
		}
		seen[d.String()] = true
		if s.TaxRules[rate] == "" {
			errs = append(errs, FieldError{Field: field, Message: "Name a Cin7 Core tax rule."})
		}
		long(field, s.TaxRules[rate], 50)
	}
	if s.TotalTolerance.IsNegative() || s.TotalTolerance.GreaterThan(decimal.New(1000, 0)) || s.TotalTolerance.Exponent() < -2 {
		errs = append(errs, FieldError{Field: "totalTolerance", Message: "Use an amount from 0.00 to 1000.00 with at most two decimals."})
	}
	return errs
}

// TaxRule is the rule that the tenant names for a percentage, or "".
func (s *Settings) TaxRule(percent decimal.Decimal) string {
	for rate, rule := range s.TaxRules {
		if d, err := decimal.NewFromString(rate); err == nil && d.Equal(percent) {
			return rule
		}
	}
	return ""
}
