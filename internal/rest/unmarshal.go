package rest

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

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
	data = WithoutMark(data)
	if !json.Valid(data) {
		offset := int64(len(data))
		if bad, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(data, new(json.RawMessage))); ok {
			offset = bad.Offset
		}
		return FieldErrors{{"", fmt.Sprintf("is not JSON (offset %d)", offset)}}
	}
	r := &reader{data: data}
	to := reflect.ValueOf(out).Elem()
	if present := r.value(to, &field{}); !present && to.Kind() == reflect.Struct {
		r.problem("is empty")
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

// reader reads a document that is known to be valid, so that cutting it into tokens needs no care.
type reader struct {
	data     []byte // what is still to be read
	at       []place
	problems FieldErrors
	hollow   bool // nothing was given in the object, or list, that was just read
}

// place is one step on the way to a value: a field's name, or a place in a list.
type place struct {
	name   string
	inList bool
	index  int
}

// shapes remembers the shape of each type, as encoding/json does: to work it out costs more than to read a small document.
var shapes sync.Map // reflect.Type → shape

// mostProblems is how many are worth reading; a document of rubbish would have one a field.
const mostProblems = 100

func (r *reader) problem(message string) {
	if len(r.problems) >= mostProblems {
		return
	}
	var path strings.Builder
	for i, p := range r.at {
		switch {
		case p.inList:
			fmt.Fprintf(&path, "[%d]", p.index)
		case i > 0:
			path.WriteString("." + p.name)
		default:
			path.WriteString(p.name)
		}
	}
	r.problems = append(r.problems, FieldError{path.String(), message})
}

var (
	decimalType = reflect.TypeFor[decimal.Decimal]()
	timeType    = reflect.TypeFor[time.Time]()
	stringType  = reflect.TypeFor[string]()
)

// peek is the first byte of the next token; commas and colons are passed over.
func (r *reader) peek() byte {
	for i, c := range r.data {
		switch c {
		case ' ', '\t', '\r', '\n', ',', ':':
		default:
			r.data = r.data[i:]
			return c
		}
	}
	return 0
}

// text reads a string.
func (r *reader) text() string {
	raw := r.quoted()
	if inner := raw[1 : len(raw)-1]; bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner)
	}
	var s string
	_ = json.Unmarshal(raw, &s)
	return s
}

// quoted cuts off a string as it is written.
func (r *reader) quoted() []byte {
	end := 1
	for r.data[end] != '"' {
		if r.data[end] == '\\' {
			end++
		}
		end++
	}
	raw := r.data[:end+1]
	r.data = r.data[end+1:]
	return raw
}

// literal cuts off a number, true, false or null.
func (r *reader) literal() string {
	end := 0
	for end < len(r.data) && strings.IndexByte(" \t\r\n,]}", r.data[end]) < 0 {
		end++
	}
	raw := r.data[:end]
	r.data = r.data[end:]
	return string(raw)
}

// raw cuts off a whole value as it is written, and reports whether anything is given in it.
func (r *reader) raw() (value []byte, given bool) {
	first := r.peek()
	from := r.data
	switch first {
	case '"':
		given = strings.TrimSpace(r.text()) != ""
	case '{', '[':
		r.bracket()
		given = r.more()
		r.skip()
	default:
		given = r.literal() != "null"
	}
	return from[:len(from)-len(r.data)], given
}

// bracket reads one, of either kind.
func (r *reader) bracket() { r.data = r.data[1:] }

// more reports whether there is more in the container that is being read.
func (r *reader) more() bool {
	c := r.peek()
	return c != '}' && c != ']'
}

// skip reads to the end of the container that is being read, its bracket included.
func (r *reader) skip() {
	for depth := 1; depth > 0; {
		switch r.peek() {
		case '{', '[':
			depth++
			r.bracket()
		case '}', ']':
			depth--
			r.bracket()
		case '"':
			r.quoted()
		default:
			r.literal()
		}
	}
}

// value reads the next value into v and reports whether there was one (not null, not "").
func (r *reader) value(v reflect.Value, f *field) (present bool) {
	if v.Kind() == reflect.Pointer {
		fresh, before := reflect.New(v.Type().Elem()), len(r.problems)
		present = r.value(fresh.Elem(), f)
		if present && r.hollow && fresh.Elem().Kind() == reflect.Struct { // what is missing in nothing is no problem
			present, r.problems = false, r.problems[:before]
		}
		if present {
			v.Set(fresh)
		}
		return present
	}
	first := r.peek()
	if t := v.Type(); t != stringType && t != decimalType && t != timeType {
		if u, ok := v.Addr().Interface().(json.Unmarshaler); ok {
			raw, _ := r.raw()
			if first == 'n' {
				return false
			}
			if err := u.UnmarshalJSON(raw); err != nil {
				r.problem("cannot be read")
			}
			r.hollow = false
			return true
		}
	}
	v.SetZero()
	r.hollow = false
	switch first {
	case '{', '[':
		r.bracket()
		r.container(first == '{', v, f)
		return true
	case '"':
		text := r.text()
		r.scalar(v, text, f)
		return strings.TrimSpace(text) != ""
	case 'n':
		r.literal()
		return false
	default:
		r.scalar(v, r.literal(), f)
		return true
	}
}

// part reads a value that stands in another.
func (r *reader) part(p place, v reflect.Value, f *field) (present bool) {
	r.at = append(r.at, p)
	present = r.value(v, f)
	r.at = r.at[:len(r.at)-1]
	return present
}

func (r *reader) container(object bool, v reflect.Value, f *field) {
	full := func(n int) bool {
		if f.most == 0 || n < f.most {
			return false
		}
		r.problem(fmt.Sprintf("has more than %d entries", f.most))
		return true
	}
	empty := !r.more()
	if !object || v.Kind() != reflect.Struct {
		defer func() { r.hollow = empty }()
	}
	switch {
	case object && v.Kind() == reflect.Struct && v.Type() != timeType && v.Type() != decimalType:
		r.object(v)
		return
	case object && v.Kind() == reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for r.more() && !full(v.Len()) {
			key := r.text()
			item := reflect.New(v.Type().Elem()).Elem()
			r.part(place{name: key}, item, &field{})
			v.SetMapIndex(reflect.ValueOf(key), item)
		}
	case !object && v.Kind() == reflect.Slice:
		for i := 0; r.more() && !full(i); i++ {
			v.Grow(1)
			v.SetLen(i + 1)
			r.part(place{inList: true, index: i}, v.Index(i), &field{})
		}
	case empty && v.Kind() == reflect.Map: // [] is how some write an empty one
	default:
		switch v.Kind() {
		case reflect.Slice:
			r.problem("is not a list")
		case reflect.Map:
			r.problem("is not an object")
		case reflect.Struct:
			if v.Type() != timeType && v.Type() != decimalType && !isText(v) {
				r.problem("is not an object")
				break
			}
			fallthrough
		default:
			r.problem("is a list or an object where one value belongs")
		}
	}
	r.skip()
}

func (r *reader) object(v reflect.Value) {
	shape := shapeOf(v.Type())
	var seen []*field // of those that are wanted
	anything := false
	for r.more() {
		name := r.quoted()
		f := shape.by[string(name[1:len(name)-1])]
		if f == nil {
			var plain string
			_ = json.Unmarshal(name, &plain)
			f = shape.by[strings.ToLower(plain)]
		}
		if f == nil {
			_, given := r.raw()
			anything = anything || given
			continue
		}
		before := len(r.problems)
		present := r.part(place{name: f.name}, v.FieldByIndex(f.index), f)
		if f.named || f.required && (present || len(r.problems) > before) {
			seen = append(seen, f)
		}
		anything = anything || present && !r.hollow || len(r.problems) > before
	}
	for _, f := range shape.wanted {
		if !slices.Contains(seen, f) {
			r.at = append(r.at, place{name: f.name})
			r.problem("is missing")
			r.at = r.at[:len(r.at)-1]
		}
	}
	r.bracket()
	r.hollow = !anything
}

func (r *reader) scalar(v reflect.Value, s string, f *field) {
	if v.Kind() != reflect.String && strings.TrimSpace(s) == "" {
		return
	}
	if err := set(v, s, f); err != nil {
		v.SetZero()
		r.problem(err.Error())
	}
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
