package cin7core

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// number is a decimal that is written as a JSON number. It also reads strings, as
// Cin7 Core does.
type number struct{ decimal.Decimal }

func num(s string) number { return number{dec(s)} }

func (n number) MarshalJSON() ([]byte, error) { return []byte(n.String()), nil }

func (n *number) UnmarshalJSON(b []byte) error {
	b = bytes.Trim(b, `"`)
	if len(b) == 0 || string(b) == "null" {
		n.Decimal = decimal.Decimal{}
		return nil
	}
	d, err := decimal.NewFromString(string(b))
	if err != nil {
		return errors.New("not a number")
	}
	n.Decimal = d
	return nil
}

// opt is a string that is written as null if empty.
type opt string

func (o opt) MarshalJSON() ([]byte, error) {
	if o == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(o))
}

// stamp is an instant as Cin7 Core writes it, with as many decimals as needed.
type stamp struct{ time.Time }

func stampOf(t time.Time) stamp { return stamp{t.UTC().Truncate(time.Millisecond)} }

func (t stamp) MarshalJSON() ([]byte, error) {
	return []byte(t.UTC().Format(`"2006-01-02T15:04:05.999Z"`)), nil
}

// decoder reads JSON as the vendor does: names must match exactly (others are
// ignored), but scalars are converted ("true", "12.5"). null leaves a field alone,
// or clears it if clear is set. Nested structs are merged, slices are replaced.
type decoder struct{ clear bool }

// badValue is the error of a value that cannot be converted.
type badValue struct{ name string }

func (e badValue) Error() string { return fmt.Sprintf("Value of attribute %s is not valid.", e.name) }

var errSyntax = errors.New("malformed JSON")

func (d decoder) decode(data []byte, into any) error {
	if !json.Valid(data) {
		return errSyntax
	}
	return d.assign(data, reflect.ValueOf(into).Elem(), "body")
}

func (d decoder) assign(raw json.RawMessage, v reflect.Value, name string) error {
	raw = bytes.TrimSpace(raw)
	if string(raw) == "null" {
		if d.clear {
			v.SetZero()
		}
		return nil
	}
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		return d.assign(raw, v.Elem(), name)
	}
	if u, ok := v.Addr().Interface().(json.Unmarshaler); ok {
		if u.UnmarshalJSON(raw) != nil {
			return badValue{name}
		}
		return nil
	}
	switch v.Kind() {
	case reflect.Struct:
		var m map[string]json.RawMessage
		if json.Unmarshal(raw, &m) != nil {
			return badValue{name}
		}
		return d.fields(m, v)
	case reflect.Slice:
		var list []json.RawMessage
		if json.Unmarshal(raw, &list) != nil {
			return badValue{name}
		}
		out := reflect.MakeSlice(v.Type(), len(list), len(list))
		for i, r := range list {
			if err := d.assign(r, out.Index(i), name); err != nil {
				return err
			}
		}
		v.Set(out)
		return nil
	}
	return assignScalar(raw, v, name)
}

func assignScalar(raw json.RawMessage, v reflect.Value, name string) error {
	switch v.Kind() {
	case reflect.String:
		switch raw[0] {
		case '"':
			var s string
			if json.Unmarshal(raw, &s) != nil {
				return badValue{name}
			}
			v.SetString(s)
		case '{', '[':
			return badValue{name}
		default:
			v.SetString(string(raw))
		}
	case reflect.Bool:
		switch strings.ToLower(string(bytes.Trim(raw, `"`))) {
		case "true", "1":
			v.SetBool(true)
		case "false", "0", "":
			v.SetBool(false)
		default:
			return badValue{name}
		}
	case reflect.Int:
		n, err := strconv.Atoi(string(bytes.Trim(raw, `"`)))
		if err != nil {
			return badValue{name}
		}
		v.SetInt(int64(n))
	default:
		if json.Unmarshal(raw, v.Addr().Interface()) != nil {
			return badValue{name}
		}
	}
	return nil
}

func (d decoder) fields(m map[string]json.RawMessage, v reflect.Value) error {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous && f.Type.Kind() == reflect.Struct {
			if err := d.fields(m, v.Field(i)); err != nil {
				return err
			}
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			name = f.Name
		}
		raw, ok := m[name]
		if !ok || !f.IsExported() || name == "-" {
			continue
		}
		if err := d.assign(raw, v.Field(i), name); err != nil {
			return err
		}
	}
	return nil
}

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }
