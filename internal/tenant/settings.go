package tenant

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// Section is one pair's part of a tenant's settings. A new one holds the
// defaults, which must stand before Fields and Check.
type Section interface {
	// Fields lists the settings in the order in which people see them.
	Fields() []Field
	// Check says what is wrong beside what Fields says of single texts: an
	// amount, a key, two values that do not go together. A fault of one key of an
	// object has the field <name>.<key>.
	Check() FieldErrors
}

// Field is one setting of a section.
type Field struct {
	Name    string   // in the document
	Help    string   // what it decides, for people
	Choices []string // the texts that it may be; nil = any
	Max     int      // how many characters a text may have; 0 = any number
	// To points to the value in the section, a *string where Choices or Max say
	// something of it. It reads and writes itself as JSON. Where it is an object
	// whose keys can be written in several ways, it has SameKey(a, b string) bool.
	To any
}

// Fault says what is wrong with a text by Choices and Max; "" = nothing.
func (f Field) Fault() string {
	text, ok := f.To.(*string)
	switch {
	case !ok:
		return ""
	case f.Choices != nil && !slices.Contains(f.Choices, *text):
		return "Use one of: " + strings.Join(f.Choices, ", ") + "."
	case f.Max > 0 && utf8.RuneCountInString(*text) > f.Max:
		return fmt.Sprintf("This is longer than %d characters.", f.Max)
	}
	return ""
}

// set gives the field a value. Nothing of the one before is left, and a value
// that cannot be read changes nothing.
func (f Field) set(value json.RawMessage) error {
	fresh := reflect.New(reflect.TypeOf(f.To).Elem())
	if err := json.Unmarshal(value, fresh.Interface()); err != nil {
		return err
	}
	reflect.ValueOf(f.To).Elem().Set(fresh.Elem())
	return nil
}

// sameKey reports whether two keys of the field's value are one.
func (f Field) sameKey(a, b string) bool {
	if keys, ok := f.To.(interface{ SameKey(a, b string) bool }); ok {
		return keys.SameKey(a, b)
	}
	return a == b
}

// YesNo is a yes or no as a setting: true or false, read from these words as texts too, as a form sends them.
type YesNo bool

// UnmarshalJSON implements json.Unmarshaler.
func (y *YesNo) UnmarshalJSON(data []byte) error {
	switch string(bytes.Trim(data, `"`)) {
	case "true":
		*y = true
	case "false":
		*y = false
	default:
		return FieldError{Message: "Use true or false."}
	}
	return nil
}

// FieldError says what is wrong with one field of a document. UnmarshalJSON of a
// setting's value may return one, to say it in its own words.
type FieldError struct {
	Field   string   `json:"field"`
	Message string   `json:"message"`
	Choices []string `json:"choices,omitempty"` // what it may be instead

	// Unless names other fields that the fault comes of too. It is not said where
	// one of them is at fault itself.
	Unless []string `json:"-"`
}

func (e FieldError) Error() string { return e.Field + ": " + e.Message }

// FieldErrors are all faults of one document.
type FieldErrors []FieldError

func (e FieldErrors) Error() string {
	texts := make([]string, len(e))
	for i, f := range e {
		texts[i] = f.Error()
	}
	return strings.Join(texts, "; ")
}

// Add puts faults beside the others: one a field is enough.
func (e FieldErrors) Add(more FieldErrors) FieldErrors {
	at := func(field string) bool {
		return slices.ContainsFunc(e, func(f FieldError) bool { return f.Field == field })
	}
	known := slices.Clone(e)
	for _, f := range more {
		if !at(f.Field) && !slices.ContainsFunc(f.Unless, at) {
			known = append(known, f)
		}
	}
	return known
}

// fieldsOf are the fields of all sections by their names.
func fieldsOf(sections []Section) map[string]Field {
	fields := map[string]Field{}
	for _, s := range sections {
		for _, f := range s.Fields() {
			fields[f.Name] = f
		}
	}
	return fields
}

// Distinct is an error if two settings have the same name.
func Distinct(sections ...Section) error {
	seen := map[string]bool{}
	for _, s := range sections {
		for _, f := range s.Fields() {
			if seen[f.Name] {
				return fmt.Errorf("two settings have the name %q", f.Name)
			}
			seen[f.Name] = true
		}
	}
	return nil
}

// Check says all that is wrong with the values of sections.
func Check(sections ...Section) (errs FieldErrors) {
	for _, s := range sections {
		for _, f := range s.Fields() {
			if fault := f.Fault(); fault != "" {
				errs = append(errs, FieldError{Field: f.Name, Message: fault})
			}
		}
		errs = errs.Add(s.Check())
	}
	return errs
}

// Parse reads a whole document that a person sends into sections that hold their
// defaults, which a setting that is left out keeps. A setting that is unknown or
// has a bad value is refused by name (FieldErrors), all at once.
func Parse(doc []byte, sections ...Section) error {
	values, err := object(doc)
	if err != nil {
		return err
	}
	if errs := take(values, sections); errs != nil {
		return errs
	}
	return nil
}

// object reads a document.
func object(doc []byte) (values map[string]json.RawMessage, err error) {
	if err := json.Unmarshal(doc, &values); err != nil || values == nil {
		return nil, FieldErrors{{Message: "The settings must be one JSON object."}}
	}
	return values, nil
}

// take puts values into sections, and returns what is wrong with them.
func take(values map[string]json.RawMessage, sections []Section) (errs FieldErrors) {
	fields := fieldsOf(sections)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if f, known := fields[name]; !known {
			errs = append(errs, FieldError{Field: name, Message: "There is no such setting."})
		} else if fault := f.take(values[name]); fault != "" {
			errs = append(errs, FieldError{Field: name, Message: fault})
		}
	}
	return errs.Add(Check(sections...))
}

// take gives the field a value, or says what is wrong with it.
func (f Field) take(value json.RawMessage) (fault string) {
	if string(value) == "null" {
		return "null is not a value; leave the setting out for its default."
	}
	err := f.set(value)
	if own, ok := errors.AsType[FieldError](err); ok {
		return own.Message
	}
	if err != nil {
		return "This value has the wrong type."
	}
	return ""
}

// Read reads settings as this or another version of the program stored them,
// into sections that hold their defaults; nil = none are stored. It never fails:
// what Parse would refuse is left out, value by value, until nothing is refused.
// A value that is not allowed any more is its default, and ignored has a sentence
// about it for a person.
func Read(stored []byte, sections ...Section) (ignored []string) {
	if stored == nil {
		return nil
	}
	values, err := object(stored)
	if err != nil {
		return []string{"The saved settings cannot be read, and all have their defaults. Save them again."}
	}
	fields, defaults := fieldsOf(sections), map[string]json.RawMessage{}
	for name, f := range fields {
		defaults[name], _ = json.Marshal(f.To)
	}
	maps.DeleteFunc(values, func(name string, _ json.RawMessage) bool { return fields[name].To == nil })
	for {
		said := leaveOut(values, take(values, sections))
		if said == nil {
			return ignored
		}
		ignored = append(ignored, said...)
		for name, f := range fields {
			if values[name] == nil {
				_ = f.set(defaults[name])
			}
		}
	}
}

// leaveOut takes what is refused out of values, and says so of each; nil = none
// of it is there.
func leaveOut(values map[string]json.RawMessage, refused FieldErrors) (said []string) {
	for _, f := range refused {
		name, key, isKey := strings.Cut(f.Field, ".")
		value, instead := values[name], "its default is used"
		if value == nil { // one setting may be refused for two reasons
			continue
		}
		if isKey {
			values[name], value = withoutKey(value, key)
			instead = "it is left out"
		} else {
			delete(values, name)
		}
		said = append(said, fmt.Sprintf("The saved %s, %.60s, is not allowed any more: %s. %s",
			f.Field, value, instead, f.Message))
	}
	return said
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

// Write returns sections as one flat document, in the order of their fields.
// What is not theirs stays as it is in kept, the document stored before; nil =
// there is none.
func Write(kept []byte, sections ...Section) ([]byte, error) {
	others := map[string]json.RawMessage{}
	if kept != nil {
		_ = json.Unmarshal(kept, &others) // of what cannot be read nothing stays
	}
	var doc bytes.Buffer
	add := func(name string, value any) error {
		pair, err := json.Marshal(map[string]any{name: value})
		if err == nil {
			doc.WriteByte(',')
			doc.Write(pair[1 : len(pair)-1])
		}
		return err
	}
	for _, s := range sections {
		for _, f := range s.Fields() {
			delete(others, f.Name)
			if err := add(f.Name, f.To); err != nil {
				return nil, fmt.Errorf("setting %s: %w", f.Name, err)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(others)) {
		if err := add(name, others[name]); err != nil {
			return nil, fmt.Errorf("setting %s: %w", name, err)
		}
	}
	return fmt.Appendf(nil, "{%s}", bytes.TrimPrefix(doc.Bytes(), []byte(","))), nil
}

// Merge returns the whole document that a JSON merge patch (RFC 7396) makes of
// sections, for Parse to judge: null gives a setting its default, or takes a key
// of an object out.
func Merge(patch []byte, sections ...Section) ([]byte, error) {
	changes, err := object(patch)
	if err != nil {
		return nil, err
	}
	whole, err := Write(nil, sections...)
	if err != nil {
		return nil, err
	}
	values, err := object(whole)
	if err != nil {
		return nil, err
	}
	fields := fieldsOf(sections)
	for name, change := range changes {
		f, known := fields[name]
		if string(change) == "null" && known {
			delete(values, name)
		} else {
			values[name] = merged(values[name], change, f.sameKey)
		}
	}
	return json.Marshal(values)
}

// merged returns what a merge patch makes of a value in which keys that are the
// same count as one.
func merged(value, patch json.RawMessage, same func(a, b string) bool) json.RawMessage {
	var now, changes map[string]json.RawMessage
	if json.Unmarshal(patch, &changes) != nil || changes == nil {
		return patch
	}
	_ = json.Unmarshal(value, &now) // of what is no object nothing stays
	was := maps.Clone(now)
	for key := range changes {
		maps.DeleteFunc(now, func(k string, _ json.RawMessage) bool { return same(k, key) })
	}
	if now == nil {
		now = map[string]json.RawMessage{}
	}
	for key, change := range changes {
		if string(change) != "null" {
			now[key] = merged(was[key], change, func(a, b string) bool { return a == b })
		}
	}
	whole, _ := json.Marshal(now)
	return whole
}
