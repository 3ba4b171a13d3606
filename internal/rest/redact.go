package rest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"html"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// Redacted stands where a secret stood.
const Redacted = "[redacted]"

const (
	// leastSecret is the shortest value that is looked for: less would be found in any text.
	leastSecret = 6
	// leastRead is the shortest that is taken out of answers before they are read: what is shorter may stand in a number.
	leastRead = 16
)

type secretsKey struct{}

// WithSecrets names values that one call sends and that must not come back from it in errors and recorded exchanges. What
// the call reads into its result it reads as it was answered.
func WithSecrets(ctx context.Context, values ...string) context.Context {
	outer, _ := ctx.Value(secretsKey{}).([]string)
	return context.WithValue(ctx, secretsKey{}, append(outer[:len(outer):len(outer)], values...))
}

func secretsOf(ctx context.Context) []string {
	values, _ := ctx.Value(secretsKey{}).([]string)
	return values
}

// redactor finds secrets in what a vendor says, however they are written: plain (in any case of letters), with the escapes of
// URLs, JSON and HTML, these within each other too, in base64 and base64url with anything before and behind (as user:key), and
// in hex. A nil redactor finds nothing.
type redactor struct {
	plain   []string  // in lower case
	base64  []string  // what of a secret's base64url does not depend on its neighbours, for each of the three places it may begin at
	hex     []string  // in lower case
	starts  [256]bool // whether a secret may begin with this byte
	longest int       // of all these
}

// newRedactor returns nil where there is nothing to look for.
func newRedactor(least int, values ...string) *redactor {
	var r *redactor
	for _, v := range values {
		if v = strings.TrimSpace(v); len(v) < least {
			continue
		}
		if r == nil {
			r = &redactor{}
			r.starts['\\'], r.starts['%'], r.starts['&'] = true, true, true
		}
		r.add(v)
	}
	return r
}

func (r *redactor) add(v string) {
	lower, upper := strings.ToLower(v), strings.ToUpper(v)
	r.plain = append(r.plain, lower)
	spellings := []string{v, lower, upper}
	slices.Sort(spellings)
	for _, v := range slices.Compact(spellings) {
		r.hex = append(r.hex, hex.EncodeToString([]byte(v)))
		for before := range 3 {
			whole := base64.RawURLEncoding.EncodeToString(append(make([]byte, before), v...))
			first := (before*8 + 5) / 6       // the first letter that holds nothing of what stands before
			last := (before*8 + len(v)*8) / 6 // the first that holds something of what follows
			r.base64 = append(r.base64, whole[first:last])
		}
	}
	for _, begins := range slices.Concat(r.plain, r.hex, r.base64) {
		r.longest = max(r.longest, len(begins))
		c := begins[0]
		r.starts[c] = true
		if c >= 'a' && c <= 'z' {
			r.starts[c-'a'+'A'] = true
		}
		if at := strings.IndexByte("-_", c); at >= 0 {
			r.starts["+/"[at]] = true
		}
	}
}

// redact returns b with every secret replaced; b itself where it holds none.
func (r *redactor) redact(b []byte) []byte {
	if r == nil {
		return b
	}
	var out []byte
	done, escape := 0, -1 // escape: where the next one stands
	for i := 0; i < len(b); i++ {
		if !r.starts[b[i]] {
			continue
		}
		if escape < i {
			if escape = i; b[i] != '\\' && b[i] != '%' && b[i] != '&' {
				if n := bytes.IndexAny(b[i:], `\%&`); n >= 0 {
					escape = i + n
				} else {
					escape = len(b)
				}
			}
		}
		layers := 1
		if escape < i+r.longest {
			layers = deepest
		}
		from, to := r.at(b, i, layers)
		if from = max(from, done); to <= from {
			continue
		}
		out = append(append(out, b[done:from]...), Redacted...)
		done, i = to, to-1
	}
	if done == 0 {
		return b
	}
	return append(out, b[done:]...)
}

func (r *redactor) text(s string) string {
	if r == nil {
		return s
	}
	return string(r.redact([]byte(s)))
}

// Redact takes the values that Hide named out of a text, those too that are left in what is read: for a name or the like that
// is shown to people.
func (c *Client) Redact(text string) string { return c.hide.text(text) }

// err is an error whose text holds no secret; err itself where it held none.
func (r *redactor) err(err error) error {
	if r == nil || err == nil {
		return err
	}
	before := err.Error()
	if text := r.text(before); text != before {
		return &hushed{err, text}
	}
	return err
}

type hushed struct {
	error
	text string
}

func (h *hushed) Error() string { return h.text }
func (h *hushed) Unwrap() error { return h.error }

func (r *redactor) header(h http.Header) http.Header {
	if r == nil {
		return h
	}
	clean := h.Clone()
	for _, values := range clean {
		for i, v := range values {
			values[i] = r.text(v)
		}
	}
	return clean
}

// at returns where a secret that begins at i stands, read as so many layers of escapes; to is 0 where none does.
func (r *redactor) at(b []byte, i, layers int) (from, to int) {
	same := func(v string) bool { // letters of either case
		if len(b)-i < len(v) {
			return false
		}
		for n := range len(v) {
			if c := b[i+n]; c != v[n] && !(c >= 'A' && c <= 'Z' && c|0x20 == v[n]) {
				return false
			}
		}
		return true
	}
	for _, v := range r.hex {
		if same(v) {
			return i, i + len(v)
		}
	}
	var first [deepest]byte // of what stands at i, by depth
	for depth := range layers {
		if c, _ := unit(b, i, depth); c != "" {
			first[depth] = c[0]
		}
	}
	for _, v := range r.plain {
		if same(v) {
			return i, i + len(v)
		}
		for depth := 1; depth < layers; depth++ {
			if first[depth]|0x20 != v[0]|0x20 {
				continue
			}
			if end := spelt(b, i, v, depth); end > 0 {
				return i, end
			}
		}
	}
	for _, v := range r.base64 {
		for depth := range layers {
			if c := first[depth]; c != v[0] && c != '+' && c != '/' {
				continue
			}
			end := speltBase64(b, i, v, depth)
			if end == 0 {
				continue
			}
			for from = i; from > 0 && isBase64(b[from-1]); from-- { // what stands before and behind in the same text
			}
			if from > 0 && b[from-1] == '\\' { // an escape's letters are none of it
				if b[from] == 'u' {
					from += 4
				}
				from = min(from+1, i)
			}
			for end < len(b) && isBase64(b[end]) {
				end++
			}
			return from, end
		}
	}
	return 0, 0
}

func isBase64(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '-' || c == '_' || c == '='
}

const lowerLetters = "abcdefghijklmnopqrstuvwxyz"

// spelt returns where want ends if it stands at i, in any case of letters; 0 where it does not. b is read through depth
// layers of escapes.
func spelt(b []byte, i int, want string, depth int) int {
	for len(want) > 0 {
		c, next := unit(b, i, depth)
		if next == 0 {
			return 0
		}
		if len(c) == 1 && c[0] >= 'A' && c[0] <= 'Z' {
			c = lowerLetters[c[0]-'A' : c[0]-'A'+1]
		}
		switch {
		case strings.HasPrefix(want, c):
			want = want[len(c):]
		case c == "+" && want[0] == ' ':
			want = want[1:]
		default:
			return 0
		}
		i = next
	}
	return i
}

// speltBase64 is spelt for base64 of either alphabet, over lines too.
func speltBase64(b []byte, i int, want string, depth int) int {
	for at := 0; at < len(want); {
		c, next := unit(b, i, depth)
		if next == 0 {
			return 0
		}
		i = next
		switch w := want[at]; {
		case len(c) == 1 && (c[0] == w || w == '-' && c[0] == '+' || w == '_' && c[0] == '/'):
			at++
		case at == 0 || c != "\r" && c != "\n":
			return 0
		}
	}
	return i
}

// deepest is how many readings of a text there are: as it stands, and through one to three layers of escapes.
const deepest = 4

// unit reads one character at i through depth layers of escapes, and where it ends; 0 at the end of the text.
func unit(b []byte, i, depth int) (string, int) {
	if i >= len(b) {
		return "", 0
	}
	if depth == 0 {
		_, n := utf8.DecodeRune(b[i:])
		return string(b[i : i+n]), i + n
	}
	c, next := unit(b, i, depth-1)
	switch c {
	case "%":
		if v, end := digits(b, next, depth-1, 2); end > 0 {
			return string([]byte{byte(v)}), end
		}
	case `\`:
		e, end := unit(b, next, depth-1)
		if end == 0 {
			break
		}
		if e == "u" {
			if v, end := digits(b, end, depth-1, 4); end > 0 {
				return string(rune(v)), end
			}
			break
		}
		if at := strings.Index(`"\/bfnrt`, e); at >= 0 {
			return "\"\\/\b\f\n\r\t"[at : at+1], end
		}
	case "&":
		entity := append(make([]byte, 0, 16), '&')
		for end := next; len(entity) < 12; {
			e, after := unit(b, end, depth-1)
			if len(e) != 1 {
				break
			}
			entity, end = append(entity, e[0]), after
			if e == ";" {
				if plain := html.UnescapeString(string(entity)); plain != string(entity) {
					return plain, end
				}
				break
			}
			if l := e[0] | 0x20; e != "#" && !(l >= 'a' && l <= 'z') && !(e[0] >= '0' && e[0] <= '9') {
				break
			}
		}
	}
	return c, next
}

// digits reads n hexadecimal digits.
func digits(b []byte, i, depth, n int) (v, end int) {
	for range n {
		c, next := unit(b, i, depth)
		if next == 0 || len(c) != 1 {
			return 0, 0
		}
		d := strings.IndexByte("0123456789abcdef", c[0]|0x20)
		if d < 0 || c[0] < '0' {
			return 0, 0
		}
		v, i = v<<4|d, next
	}
	return v, i
}
