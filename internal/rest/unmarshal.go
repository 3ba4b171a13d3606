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

// FieldError is a field of a JSON document that cannot be read: its path, as lines[0].quantity (counted from 0), and
// what is wrong in plain words. It never quotes the document.
type FieldError struct{ Field, Message string }

func (e FieldError) Error() string {
	if e.Field == "" {
		return "the document " + e.Message
	}
	return e.Field + " " + e.Message
}

// FieldErrors are the fields that Unmarshal could not read.
type FieldErrors []FieldError

func (e FieldErrors) Error() string {
	if len(e) == 1 {
		return e[0].Error()
	}
	return fmt.Sprintf("%v, and %d more", e[0], len(e)-1)
}

// Unmarshal reads a document as forgivingly as possible without guessing: null is the zero value, numbers and booleans
// may be strings and the other way round, an empty string is no number, names are compared without case, times may lack
// zone (UTC) and fraction, unknown fields and a byte order mark are skipped. If an object is optional (a pointer to a
// struct), one without any value, even in an unknown field, is absent: {}, {"a":null} and []. Unmarshal goes on after a
// field that it cannot read, and reports all of them as FieldErrors.
//
// Fields are named by their json tag. A rest tag may add "guid" (lower-cased, for vendors whose case varies), "named"
// (its absence is reported), "required" (null and "" are reported too), "most=100" (of a list or map: more entries are
// reported and not read) and "as=Other" (another name).
func Unmarshal(data []byte, out any) error {
	data = WithoutBOM(data)
	if !json.Valid(data) {
		offset := int64(len(data))
		if bad, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(data, new(json.RawMessage))); ok {
			offset = bad.Offset
		}
		return FieldErrors{{"", fmt.Sprintf("is not JSON (offset %d)", offset)}}
	}
	r := &reader{data: data}
	to := reflect.ValueOf(out).Elem()
	if present := r.value(to, &noField); !present && to.Kind() == reflect.Struct {
		r.problem("is empty")
	}
	if len(r.problems) > 0 {
		return r.problems
	}
	return nil
}

// WithoutBOM returns a document without the byte order marks that some systems write at its beginning.
func WithoutBOM(data []byte) []byte {
	for {
		rest, found := bytes.CutPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("\xEF\xBB\xBF"))
		if !found {
			return data
		}
		data = rest
	}
}

// ParseNumber reads a decimal of at most 64 digits and an exponent of at most two: enough for any money, and small
// enough to be written out (1e999999999 would fill the memory).
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

// ParseTime reads an ISO 8601 instant with or without fraction, or a date. Without a zone it is UTC.
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

// noField is how a value is read that is no field.
var noField field

// shape is how a struct is read.
type shape struct {
	fields    map[string]*field // by name, as written and in lower case
	mandatory []*field          // named or required
}

// reader reads a document that is known to be valid, so it cuts tokens without checks.
type reader struct {
	data     []byte // what is still to be read
	path     []step
	problems FieldErrors
	empty    bool // the object or list that was just read has no value in it
}

// step is one step of the path to a value: a field's name, or an index in a list.
type step struct {
	name   string
	inList bool
	index  int
}

// shapes remembers the shape of each type, as encoding/json does: finding it costs more than reading a small document.
var shapes sync.Map // reflect.Type → shape

// mostProblems is how many problems are reported; a document of rubbish would have one for each field.
const mostProblems = 100

func (r *reader) problem(message string) {
	if len(r.problems) >= mostProblems {
		return
	}
	var path strings.Builder
	for i, p := range r.path {
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

// peek returns the first byte of the next token, after any commas and colons.
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
func (r *reader) text() string { return string(unquote(r.cutString())) }

// unquote returns what a string as written says. It may be part of what it is given.
func unquote(raw []byte) []byte {
	if inner := raw[1 : len(raw)-1]; bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return inner
	}
	var s string
	_ = json.Unmarshal(raw, &s)
	return []byte(s)
}

// cutString cuts off a string as written, with its quotes.
func (r *reader) cutString() []byte {
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

// cutLiteral cuts off a number, true, false or null.
func (r *reader) cutLiteral() []byte {
	end := 0
	for end < len(r.data) && strings.IndexByte(" \t\r\n,]}", r.data[end]) < 0 {
		end++
	}
	raw := r.data[:end]
	r.data = r.data[end:]
	return raw
}

// cutValue cuts off a whole value as written, and reports whether there is any value in it.
func (r *reader) cutValue() (value []byte, given bool) {
	first := r.peek()
	from := r.data
	switch first {
	case '"':
		given = len(bytes.TrimSpace(unquote(r.cutString()))) > 0
	case '{', '[':
		r.skipBracket()
		given = r.hasMore()
		r.skip()
	default:
		given = string(r.cutLiteral()) != "null"
	}
	return from[:len(from)-len(r.data)], given
}

// skipBracket skips an opening or closing bracket.
func (r *reader) skipBracket() { r.data = r.data[1:] }

// hasMore reports whether the container that is being read has another value.
func (r *reader) hasMore() bool {
	c := r.peek()
	return c != '}' && c != ']'
}

// skip reads to the end of the container that is being read, with its closing bracket.
func (r *reader) skip() {
	for depth := 1; depth > 0; {
		switch r.peek() {
		case '{', '[':
			depth++
			r.skipBracket()
		case '}', ']':
			depth--
			r.skipBracket()
		case '"':
			r.cutString()
		default:
			r.cutLiteral()
		}
	}
}

// value reads the next value into v and reports whether there was one (not null, not "").
func (r *reader) value(v reflect.Value, f *field) (present bool) {
	if v.Kind() == reflect.Pointer {
		elem, before := reflect.New(v.Type().Elem()), len(r.problems)
		present = r.value(elem.Elem(), f)
		if present && r.empty && elem.Elem().Kind() == reflect.Struct { // absent, so no field of it is missing
			present, r.problems = false, r.problems[:before]
		}
		if present {
			v.Set(elem)
		}
		return present
	}
	first := r.peek()
	if t := v.Type(); t != stringType && t != decimalType && t != timeType {
		if u, ok := v.Addr().Interface().(json.Unmarshaler); ok {
			raw, _ := r.cutValue()
			if first == 'n' {
				return false
			}
			if err := u.UnmarshalJSON(raw); err != nil {
				r.problem("cannot be read")
			}
			r.empty = false
			return true
		}
	}
	v.SetZero()
	r.empty = false
	switch first {
	case '{', '[':
		r.skipBracket()
		r.container(first == '{', v, f)
		return true
	case '"':
		text := r.text()
		r.scalar(v, text, f)
		return strings.TrimSpace(text) != ""
	case 'n':
		r.cutLiteral()
		return false
	default:
		r.scalar(v, string(r.cutLiteral()), f)
		return true
	}
}

// valueAt reads a value within another.
func (r *reader) valueAt(p step, v reflect.Value, f *field) (present bool) {
	r.path = append(r.path, p)
	present = r.value(v, f)
	r.path = r.path[:len(r.path)-1]
	return present
}

// container reads an object or a list, of which the opening bracket was skipped, into v.
func (r *reader) container(object bool, v reflect.Value, f *field) {
	empty := !r.hasMore()
	if !object || v.Kind() != reflect.Struct {
		defer func() { r.empty = empty }()
	}
	switch {
	case object && isRecord(v):
		r.object(v)
		return
	case object && v.Kind() == reflect.Map:
		r.entries(v, f)
	case !object && v.Kind() == reflect.Slice:
		r.list(v, f)
	case empty && v.Kind() == reflect.Map: // some write an empty map as []
	default:
		r.problem(misplaced(v))
	}
	r.skip()
}

// isRecord reports whether a value is a struct that is read field by field.
func isRecord(v reflect.Value) bool {
	return v.Kind() == reflect.Struct && v.Type() != timeType && v.Type() != decimalType
}

// misplaced says what is wrong with an object or a list that v cannot hold.
func misplaced(v reflect.Value) string {
	switch {
	case v.Kind() == reflect.Slice:
		return "is not a list"
	case v.Kind() == reflect.Map, isRecord(v) && !isTextUnmarshaler(v):
		return "is not an object"
	}
	return "is a list or an object where one value belongs"
}

// entries reads an object into a map.
func (r *reader) entries(v reflect.Value, f *field) {
	v.Set(reflect.MakeMap(v.Type()))
	for r.hasMore() && !r.full(v.Len(), f) {
		key := r.text()
		item := reflect.New(v.Type().Elem()).Elem()
		r.valueAt(step{name: key}, item, &noField)
		v.SetMapIndex(reflect.ValueOf(key), item)
	}
}

// list reads a list into a slice.
func (r *reader) list(v reflect.Value, f *field) {
	for i := 0; r.hasMore() && !r.full(i, f); i++ {
		v.Grow(1)
		v.SetLen(i + 1)
		r.valueAt(step{inList: true, index: i}, v.Index(i), &noField)
	}
}

// full reports whether a list or map holds as many as it may, which is a problem where more follow.
func (r *reader) full(n int, f *field) bool {
	if f.most == 0 || n < f.most {
		return false
	}
	r.problem(fmt.Sprintf("has more than %d entries", f.most))
	return true
}

func (r *reader) object(v reflect.Value) {
	shape := shapeOf(v.Type())
	var seen []*field // of the mandatory ones
	anything := false
	for r.hasMore() {
		name := unquote(r.cutString())
		f := shape.fields[string(name)]
		if f == nil {
			f = shape.fields[strings.ToLower(string(name))]
		}
		if f == nil {
			_, given := r.cutValue()
			anything = anything || given
			continue
		}
		before := len(r.problems)
		present := r.valueAt(step{name: f.name}, v.FieldByIndex(f.index), f)
		if f.named || f.required && (present || len(r.problems) > before) {
			seen = append(seen, f)
		}
		anything = anything || present && !r.empty || len(r.problems) > before
	}
	for _, f := range shape.mandatory {
		if !slices.Contains(seen, f) {
			r.path = append(r.path, step{name: f.name})
			r.problem("is missing")
			r.path = r.path[:len(r.path)-1]
		}
	}
	r.skipBracket()
	r.empty = !anything
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

// set sets v to a string, number or boolean, given as text.
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

func isTextUnmarshaler(v reflect.Value) bool {
	_, ok := v.Addr().Interface().(encoding.TextUnmarshaler)
	return ok
}

func shapeOf(t reflect.Type) shape {
	if known, ok := shapes.Load(t); ok {
		return known.(shape)
	}
	s := shape{fields: map[string]*field{}}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" || f.Anonymous {
			continue
		}
		if name == "" {
			name = f.Name
		}
		one := &field{index: f.Index, name: name}
		names := append(one.readTag(f.Tag.Get("rest")), name)
		for _, name := range names {
			s.fields[strings.ToLower(name)] = one
		}
		for _, name := range names {
			s.fields[name] = one
		}
		if one.named || one.required {
			s.mandatory = append(s.mandatory, one)
		}
	}
	shapes.Store(t, s)
	return s
}

// readTag reads a rest tag, and returns the other names of the field.
func (f *field) readTag(tag string) (names []string) {
	for part := range strings.SplitSeq(tag, ",") {
		name, isName := strings.CutPrefix(part, "as=")
		most, isMost := strings.CutPrefix(part, "most=")
		switch {
		case isMost:
			f.most, _ = strconv.Atoi(most)
		case isName:
			names = append(names, name)
		case part == "guid":
			f.guid = true
		case part == "named":
			f.named = true
		case part == "required":
			f.required = true
		}
	}
	return names
}
