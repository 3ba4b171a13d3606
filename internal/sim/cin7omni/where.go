package cin7omni

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode"

	"github.com/shopspring/decimal"

	"stockbridge/internal/sim"
)

// The language of where: comparisons of a record's own fields, joined with AND and OR. AND binds more, as in SQL
// (decided, as are all the next). There are no brackets but those of IN. Texts are compared without case. An empty text
// is NULL, and a comparison with NULL is never true, but IS and IS NOT. In LIKE, % stands for any text and _ for one
// character. Booleans are 1 and 0, or true and false. An instant is quoted or not.

// where is a condition; rows are structs of the wire.
type where func(row reflect.Value) bool

var errWhere = refuse("The where argument is invalid.")

// parseWhere reads a condition on rows of a type; "" = all.
func parseWhere(s string, of reflect.Type) (where, error) {
	if strings.TrimSpace(s) == "" {
		return func(reflect.Value) bool { return true }, nil
	}
	words, err := wordsOf(s)
	if err != nil {
		return nil, errWhere
	}
	p := &parser{words: words, fields: fieldsOf(of)}
	cond, err := p.either()
	if err != nil || len(p.words) > 0 {
		return nil, errWhere
	}
	return cond, nil
}

// word is a word of a condition: a name, a value, or a sign.
type word struct {
	text   string
	quoted bool
}

const signs = "<>=!(),'"

func wordsOf(s string) (out []word, err error) {
	for {
		s = strings.TrimLeftFunc(s, unicode.IsSpace)
		switch {
		case s == "":
			return out, nil
		case s[0] == '\'':
			text, rest, ok := cutQuoted(s[1:])
			if !ok {
				return nil, errors.New("a quote without its end")
			}
			out, s = append(out, word{text, true}), rest
		case strings.ContainsRune(signs, rune(s[0])):
			n := 1
			if len(s) > 1 && (s[:2] == "<>" || s[:2] == "<=" || s[:2] == ">=") {
				n = 2
			}
			out, s = append(out, word{s[:n], false}), s[n:]
		default:
			n := strings.IndexFunc(s, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(signs, r) })
			if n < 0 {
				n = len(s)
			}
			out, s = append(out, word{s[:n], false}), s[n:]
		}
	}
}

// cutQuoted cuts a text off at its closing quote; a doubled one stands for itself.
func cutQuoted(s string) (text, rest string, ok bool) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "'")
		b.WriteString(before)
		switch {
		case !found:
			return "", "", false
		case strings.HasPrefix(after, "'"):
			b.WriteByte('\'')
			s = after[1:]
		default:
			return b.String(), after, true
		}
	}
}

type parser struct {
	words  []word
	fields map[string]reflect.StructField
}

// next takes a word.
func (p *parser) next() (word, error) {
	if len(p.words) == 0 {
		return word{}, errors.New("it ends too soon")
	}
	w := p.words[0]
	p.words = p.words[1:]
	return w, nil
}

// takes takes some words if they come next, whatever their case.
func (p *parser) takes(texts ...string) bool {
	if len(p.words) < len(texts) {
		return false
	}
	for i, t := range texts {
		if p.words[i].quoted || !strings.EqualFold(p.words[i].text, t) {
			return false
		}
	}
	p.words = p.words[len(texts):]
	return true
}

func (p *parser) either() (where, error) {
	left, err := p.both()
	for err == nil && p.takes("OR") {
		var right where
		before := left
		right, err = p.both()
		left = func(row reflect.Value) bool { return before(row) || right(row) }
	}
	return left, err
}

func (p *parser) both() (where, error) {
	left, err := p.comparison()
	for err == nil && p.takes("AND") {
		var right where
		before := left
		right, err = p.comparison()
		left = func(row reflect.Value) bool { return before(row) && right(row) }
	}
	return left, err
}

func (p *parser) comparison() (where, error) {
	name, err := p.next()
	if err != nil {
		return nil, err
	}
	field, ok := p.fields[strings.ToLower(name.text)]
	if !ok || name.quoted || !comparable(field.Type) {
		return nil, fmt.Errorf("no field %q", name.text)
	}
	at := func(row reflect.Value) any { return row.FieldByIndex(field.Index).Interface() }
	switch {
	case p.takes("IS", "NOT", "NULL"):
		return func(row reflect.Value) bool { return !isNull(at(row)) }, nil
	case p.takes("IS", "NULL"):
		return func(row reflect.Value) bool { return isNull(at(row)) }, nil
	case p.takes("NOT", "LIKE"):
		return p.like(at, false)
	case p.takes("LIKE"):
		return p.like(at, true)
	case p.takes("IN", "("):
		return p.in(at)
	}
	sign, err := p.next()
	fits, ok := orders[sign.text]
	if err != nil || !ok || sign.quoted {
		return nil, errors.New("no comparison")
	}
	compare, err := p.value(at)
	return func(row reflect.Value) bool {
		order, known := compare(row)
		return known && fits(order)
	}, err
}

// orders are the comparisons: whether a field that is so far from a value fits.
var orders = map[string]func(order int) bool{
	"=":  func(n int) bool { return n == 0 },
	"<>": func(n int) bool { return n != 0 },
	"<":  func(n int) bool { return n < 0 },
	">":  func(n int) bool { return n > 0 },
	"<=": func(n int) bool { return n <= 0 },
	">=": func(n int) bool { return n >= 0 },
}

// value takes a value to compare a field with.
func (p *parser) value(at func(reflect.Value) any) (func(reflect.Value) (order int, known bool), error) {
	w, err := p.next()
	if err != nil || !w.quoted && strings.Contains(signs, w.text) {
		return nil, errors.New("no value")
	}
	return func(row reflect.Value) (int, bool) { return compare(at(row), w.text) }, nil
}

func (p *parser) in(at func(reflect.Value) any) (where, error) {
	var any []where
	for {
		compare, err := p.value(at)
		if err != nil {
			return nil, err
		}
		any = append(any, func(row reflect.Value) bool {
			order, known := compare(row)
			return known && order == 0
		})
		if p.takes(")") {
			break
		}
		if !p.takes(",") {
			return nil, errors.New("a list without its end")
		}
	}
	return func(row reflect.Value) bool {
		for _, one := range any {
			if one(row) {
				return true
			}
		}
		return false
	}, nil
}

func (p *parser) like(at func(reflect.Value) any, want bool) (where, error) {
	w, err := p.next()
	if err != nil || !w.quoted {
		return nil, errors.New("no pattern")
	}
	pattern := []rune(sim.Fold(w.text))
	return func(row reflect.Value) bool {
		v := at(row)
		return !isNull(v) && likes([]rune(sim.Fold(fmt.Sprint(v))), pattern) == want
	}, nil
}

// likes reports whether a text is as a pattern says.
func likes(s, pattern []rune) bool {
	if len(pattern) == 0 {
		return len(s) == 0
	}
	switch pattern[0] {
	case '%':
		for i := 0; i <= len(s); i++ {
			if likes(s[i:], pattern[1:]) {
				return true
			}
		}
		return false
	case '_':
		return len(s) > 0 && likes(s[1:], pattern[1:])
	}
	return len(s) > 0 && s[0] == pattern[0] && likes(s[1:], pattern[1:])
}

func isNull(v any) bool {
	t, ok := v.(text)
	return ok && t == ""
}

// compare compares a field with a value; known is false where one is NULL, or the value is none of the field's kind.
func compare(field any, value string) (order int, known bool) {
	switch v := field.(type) {
	case text:
		return cmp.Compare(sim.Fold(string(v)), sim.Fold(value)), v != ""
	case kind:
		var k kind
		_ = k.UnmarshalJSON([]byte(`"` + strings.ReplaceAll(value, `"`, "") + `"`))
		return cmp.Compare(v, k), true
	case flag:
		var f flag
		err := f.UnmarshalJSON([]byte(value))
		return cmp.Compare(fmt.Sprint(v), fmt.Sprint(f)), err == nil
	case stamp:
		t, err := parseTime(value)
		return v.Compare(t), err == nil
	case number:
		d, err := decimal.NewFromString(value)
		return v.Cmp(d), err == nil
	case int:
		d, err := decimal.NewFromString(value)
		return decimal.NewFromInt(int64(v)).Cmp(d), err == nil
	case ref:
		return compare(int(v), value)
	}
	return 0, false
}

// comparable reports whether a where or an order may name a field of a type.
func comparable(t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[text](), reflect.TypeFor[kind](), reflect.TypeFor[flag](), reflect.TypeFor[stamp](),
		reflect.TypeFor[number](), reflect.TypeFor[int](), reflect.TypeFor[ref]():
		return true
	}
	return false
}

// fieldsOf are the fields of a struct by their names in lower case.
func fieldsOf(t reflect.Type) map[string]reflect.StructField {
	out := map[string]reflect.StructField{}
	for _, f := range reflect.VisibleFields(t) {
		out[strings.ToLower(f.Tag.Get("json"))] = f
	}
	return out
}
