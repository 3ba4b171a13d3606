package rest

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"
)

// FieldError is a field of a JSON document that cannot be read: where, as lines[0].quantity (counted from 0), and what is
// wrong in plain words. It never quotes the document.
type FieldError struct{ Field, Message string }

func (e FieldError) Error() string {
	if e.Field == "" {
		return "the document " + e.Message
	}
	return e.Field + " " + e.Message
}

// FieldErrors is what Unmarshal could not read.
type FieldErrors []FieldError

func (e FieldErrors) Error() string {
	if len(e) == 1 {
		return e[0].Error()
	}
	return fmt.Sprintf("%v, and %d more", e[0], len(e)-1)
}

// Unmarshal reads a document as forgivingly as can be done without guessing: null is the zero value, numbers and booleans
// may be strings and the other way round, a string without anything in it is no number, names are compared without case, times
// may lack zone (UTC) and fraction, unknown fields are skipped, as is a byte order mark in front. Where an object may be absent (a
// pointer to a struct), one in which nothing is given, not even in a field that is not known, is absent: {}, {"a":null} and [].
// What it cannot read it reports as FieldErrors, and reads on.
//
// Fields are named by their json tag; a rest tag may add "guid" (lower-cased, for vendors whose case varies), "named" (its
// absence is reported), "required" (null and "" too), "most=100" (of a list or map: what is beyond so many entries is
// reported and not read) and "as=Other" (one more name).
func Unmarshal(data []byte, out any) error {
	dec := json.NewDecoder(bytes.NewReader(WithoutMark(data)))
	dec.UseNumber()
	r := &reader{dec: dec}
	to := reflect.ValueOf(out).Elem()
	present, err := r.value("", to, &field{})
	if err == nil {
		if !present && to.Kind() == reflect.Struct {
			r.problem("", "is empty")
		}
		if _, err = dec.Token(); err == io.EOF {
			err = nil
		} else if err == nil {
			err = errors.New("trailing data")
		}
	}
	if err != nil {
		r.problem("", fmt.Sprintf("is not JSON (offset %d)", dec.InputOffset()))
	}
	if len(r.problems) > 0 {
		return r.problems
	}
	return nil
}

// WithoutMark is a document without the byte order mark that some systems write in front of it.
func WithoutMark(data []byte) []byte {
	for {
		rest, found := bytes.CutPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("\xEF\xBB\xBF"))
		if !found {
			return data
		}
		data = rest
	}
}

// ParseNumber reads a decimal of at most 64 digits and an exponent of two digits at most: enough for any money, and small
// enough to be written out without harm (1e999999999 would fill the memory).
func ParseNumber(s string) (decimal.Decimal, error) {
	s = strings.TrimSpace(s)
	mantissa, exponent, has := strings.Cut(strings.ToLower(s), "e")
	exponent = strings.TrimLeft(exponent, "+-")
	switch {
	case len(mantissa) > 66 || has && len(strings.TrimLeft(exponent, "0")) > 2:
		return decimal.Zero, errors.New("is a number too long or too large to be meant")
	case has && exponent == "" || strings.Trim(mantissa, "+-.0123456789") != "":
		return decimal.Zero, errors.New("is not a number")
	}
	d, err := decimal.NewFromString(s)
	if err != nil {
		return decimal.Zero, errors.New("is not a number")
	}
	return d, nil
}

// ParseTime reads an ISO 8601 instant with or without fraction, or a date; what names no zone is UTC.
func ParseTime(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateOnly, time.DateTime} {
		if t, err := time.Parse(layout, strings.TrimSpace(s)); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, errors.New("is not a date and time")
}

type field struct {
	index                 []int
	name                  string
	guid, named, required bool
	most                  int // 0: any number
}

// shape is how a struct is read: by is keyed by the names as written and in lower case.
type shape struct {
	by     map[string]*field
	wanted []*field
}

type reader struct {
	dec      *json.Decoder
	problems FieldErrors
	hollow   bool // nothing was given in the object, or list, that was just read
}

// shapes remembers the shape of each type, as encoding/json does: to work it out costs more than to read a small document.
var shapes sync.Map // reflect.Type → shape

// mostProblems is how many are worth reading; a document of rubbish would have one a field.
const mostProblems = 100

func (r *reader) problem(path, message string) {
	if len(r.problems) < mostProblems {
		r.problems = append(r.problems, FieldError{path, message})
	}
}

var (
	decimalType = reflect.TypeFor[decimal.Decimal]()
	timeType    = reflect.TypeFor[time.Time]()
)

// value reads the next value into v and says whether there was one (not null, not ""). Its error is the end of all reading.
func (r *reader) value(path string, v reflect.Value, f *field) (present bool, err error) {
	if v.Kind() == reflect.Pointer {
		fresh, before := reflect.New(v.Type().Elem()), len(r.problems)
		present, err = r.value(path, fresh.Elem(), f)
		if present && r.hollow && fresh.Elem().Kind() == reflect.Struct { // what is missing in nothing is no problem
			present, r.problems = false, r.problems[:before]
		}
		if present {
			v.Set(fresh)
		}
		return present, err
	}
	if u, ok := v.Addr().Interface().(json.Unmarshaler); ok && v.Type() != decimalType && v.Type() != timeType {
		var raw json.RawMessage
		if err := r.dec.Decode(&raw); err != nil {
			return false, err
		}
		if string(raw) == "null" {
			return false, nil
		}
		if err := u.UnmarshalJSON(raw); err != nil {
			r.problem(path, "cannot be read")
		}
		r.hollow = false
		return true, nil
	}
	token, err := r.dec.Token()
	if err != nil {
		return false, err
	}
	v.SetZero()
	r.hollow = false
	switch t := token.(type) {
	case nil:
		return false, nil
	case json.Delim:
		return true, r.container(t, path, v, f)
	case string:
		return strings.TrimSpace(t) != "", r.scalar(path, v, t, f)
	case bool:
		return true, r.scalar(path, v, strconv.FormatBool(t), f)
	default:
		return true, r.scalar(path, v, string(t.(json.Number)), f)
	}
}

func (r *reader) container(open json.Delim, path string, v reflect.Value, f *field) error {
	full := func(n int) bool {
		if f.most == 0 || n < f.most {
			return false
		}
		r.problem(path, fmt.Sprintf("has more than %d entries", f.most))
		return true
	}
	object, empty := open == '{', !r.dec.More()
	defer func() {
		if !object || v.Kind() != reflect.Struct {
			r.hollow = empty
		}
	}()
	switch {
	case object && v.Kind() == reflect.Struct && v.Type() != timeType && v.Type() != decimalType:
		return r.object(path, v)
	case object && v.Kind() == reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for r.dec.More() {
			if full(v.Len()) {
				return r.skip()
			}
			key, err := r.dec.Token()
			if err != nil {
				return err
			}
			item := reflect.New(v.Type().Elem()).Elem()
			if _, err := r.value(join(path, key.(string)), item, &field{}); err != nil {
				return err
			}
			v.SetMapIndex(reflect.ValueOf(key), item)
		}
	case !object && v.Kind() == reflect.Slice:
		for i := 0; r.dec.More(); i++ {
			if full(i) {
				return r.skip()
			}
			item := reflect.New(v.Type().Elem()).Elem()
			if _, err := r.value(fmt.Sprintf("%s[%d]", path, i), item, &field{}); err != nil {
				return err
			}
			v.Set(reflect.Append(v, item))
		}
	case empty && v.Kind() == reflect.Map: // [] is how some write an empty one
	default:
		switch v.Kind() {
		case reflect.Slice:
			r.problem(path, "is not a list")
		case reflect.Map:
			r.problem(path, "is not an object")
		case reflect.Struct:
			if v.Type() != timeType && v.Type() != decimalType && !isText(v) {
				r.problem(path, "is not an object")
				break
			}
			fallthrough
		default:
			r.problem(path, "is a list or an object where one value belongs")
		}
		return r.skip()
	}
	_, err := r.dec.Token() // the closing bracket
	return err
}

func (r *reader) object(path string, v reflect.Value) error {
	shape := shapeOf(v.Type())
	var seen []*field
	anything := false
	for r.dec.More() {
		token, err := r.dec.Token()
		if err != nil {
			return err
		}
		f := shape.by[token.(string)]
		if f == nil {
			f = shape.by[strings.ToLower(token.(string))]
		}
		if f == nil {
			token, err := r.dec.Token()
			text, isText := token.(string)
			given := token != nil && !(isText && strings.TrimSpace(text) == "")
			if err == nil && (token == json.Delim('{') || token == json.Delim('[')) {
				given = r.dec.More()
				err = r.skip()
			}
			if err != nil {
				return err
			}
			anything = anything || given
			continue
		}
		before := len(r.problems)
		present, err := r.value(join(path, f.name), v.FieldByIndex(f.index), f)
		if err != nil {
			return err
		}
		if present || len(r.problems) > before || f.named {
			seen = append(seen, f)
		}
		anything = anything || present && !r.hollow || len(r.problems) > before
	}
	for _, f := range shape.wanted {
		if !slices.Contains(seen, f) {
			r.problem(join(path, f.name), "is missing")
		}
	}
	_, err := r.dec.Token()
	r.hollow = !anything
	return err
}

// skip reads to the end of the container just opened.
func (r *reader) skip() error {
	for depth := 1; depth > 0; {
		token, err := r.dec.Token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
	}
	return nil
}

func (r *reader) scalar(path string, v reflect.Value, s string, f *field) error {
	if v.Kind() != reflect.String && strings.TrimSpace(s) == "" {
		return nil
	}
	if err := set(v, s, f); err != nil {
		v.SetZero()
		r.problem(path, err.Error())
	}
	return nil
}

func set(v reflect.Value, s string, f *field) error {
	switch v.Type() {
	case decimalType:
		d, err := ParseNumber(s)
		v.Set(reflect.ValueOf(d))
		return err
	case timeType:
		t, err := ParseTime(s)
		v.Set(reflect.ValueOf(t))
		return err
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(s))
	}
	switch v.Kind() {
	case reflect.String:
		if f.guid {
			s = strings.ToLower(s)
		}
		v.SetString(s)
	case reflect.Bool:
		switch strings.ToLower(s) {
		case "true", "1":
			v.SetBool(true)
		case "false", "0":
		default:
			return errors.New("is neither true nor false")
		}
	case reflect.Int, reflect.Int64:
		d, err := ParseNumber(s)
		if err != nil {
			return err
		}
		if !d.IsInteger() || d.Abs().GreaterThan(decimal.NewFromInt(math.MaxInt64)) {
			return errors.New("is not a whole number")
		}
		v.SetInt(d.IntPart())
	case reflect.Struct:
		return errors.New("is not an object")
	case reflect.Slice:
		return errors.New("is not a list")
	default:
		return errors.New("is not an object")
	}
	return nil
}

func isText(v reflect.Value) bool {
	_, ok := v.Addr().Interface().(encoding.TextUnmarshaler)
	return ok
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func shapeOf(t reflect.Type) shape {
	if known, ok := shapes.Load(t); ok {
		return known.(shape)
	}
	s := shape{by: map[string]*field{}}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" || f.Anonymous {
			continue
		}
		if name == "" {
			name = f.Name
		}
		one := &field{index: f.Index, name: name}
		names := []string{name}
		for tag := range strings.SplitSeq(f.Tag.Get("rest"), ",") {
			other, isName := strings.CutPrefix(tag, "as=")
			most, isMost := strings.CutPrefix(tag, "most=")
			switch {
			case isMost:
				one.most, _ = strconv.Atoi(most)
			case isName:
				names = append(names, other)
			case tag == "guid":
				one.guid = true
			case tag == "named":
				one.named = true
			case tag == "required":
				one.required = true
			}
		}
		for _, name := range names {
			s.by[strings.ToLower(name)] = one
		}
		for _, name := range names {
			s.by[name] = one
		}
		if one.named || one.required {
			s.wanted = append(s.wanted, one)
		}
	}
	shapes.Store(t, s)
	return s
}
