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

// Redacted replaces a secret.
const Redacted = "[redacted]"

const (
	// minSecret is the least length of a secret: a shorter value could be found in any text.
	minSecret = 6
	// minSecretRead is the least length of a secret that is replaced before an answer is read: a shorter one may be
	// part of a number.
	minSecretRead = 16
)

type secretsKey struct{}

// WithSecrets returns a context whose calls send these values and must not show them in errors and recorded exchanges.
// They are not replaced in what is read.
func WithSecrets(ctx context.Context, values ...string) context.Context {
	outer, _ := ctx.Value(secretsKey{}).([]string)
	return context.WithValue(ctx, secretsKey{}, append(outer[:len(outer):len(outer)], values...))
}

func secretsOf(ctx context.Context) []string {
	values, _ := ctx.Value(secretsKey{}).([]string)
	return values
}

// redactor finds secrets in what a vendor says, however they are written: plain (in any case of letters), with the
// escapes of URLs, JSON and HTML, also nested, in base64 and base64url with anything before and after (as user:key),
// and in hex. A nil redactor finds nothing.
type redactor struct {
	plain []string // in lower case
	// the part of a secret's base64url that does not depend on its neighbours, for each of the three positions in which
	// it may begin
	base64  []string
	hex     []string  // in lower case
	starts  [256]bool // the bytes with which any of these may begin
	longest int       // the greatest length of these
}

// newRedactor returns the redactor of the values that are long enough, or nil if there are none.
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
			first := (before*8 + 5) / 6       // the first letter without a bit of what comes before
			last := (before*8 + len(v)*8) / 6 // the first letter with a bit of what follows
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

// redact returns b with every secret replaced; b itself if it holds none.
func (r *redactor) redact(b []byte) []byte {
	if r == nil {
		return b
	}
	var out []byte
	done, escape := 0, -1 // escape: the index of the next one
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
			layers = depths
		}
		from, to := r.find(b, i, layers)
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

// Redact replaces the values that Hide named in a text to be shown to people, also those that are left in what is read.
func (c *Client) Redact(text string) string { return c.redactAll.text(text) }

// Redact replaces secrets in a text to be shown to people.
func Redact(text string, secrets ...string) string {
	return newRedactor(minSecret, secrets...).text(text)
}

// err returns an error whose text holds no secret; err itself if it holds none.
func (r *redactor) err(err error) error {
	if r == nil || err == nil {
		return err
	}
	before := err.Error()
	if text := r.text(before); text != before {
		return &redactedError{err, text}
	}
	return err
}

type redactedError struct {
	error
	text string
}

func (h *redactedError) Error() string { return h.text }
func (h *redactedError) Unwrap() error { return h.error }

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

// find returns the range of a secret that begins at i, read through fewer than layers layers of escapes; to is 0 if
// there is none.
func (r *redactor) find(b []byte, i, layers int) (from, to int) {
	for _, v := range r.hex {
		if hasPrefixFold(b[i:], v) {
			return i, i + len(v)
		}
	}
	var first [depths]byte // the first byte of the character at i, by depth
	for depth := range layers {
		if c, _ := readChar(b, i, depth); c != "" {
			first[depth] = c[0]
		}
	}
	if end := r.findPlain(b, i, first[:layers]); end > 0 {
		return i, end
	}
	if end := r.findBase64(b, i, first[:layers]); end > 0 {
		return widenBase64(b, i, end)
	}
	return 0, 0
}

// findPlain returns the end of a secret that begins at i as it is; 0 if there is none. first are the first bytes of
// the character there, by depth.
func (r *redactor) findPlain(b []byte, i int, first []byte) (end int) {
	for _, v := range r.plain {
		if hasPrefixFold(b[i:], v) {
			return i + len(v)
		}
		for depth := 1; depth < len(first); depth++ {
			if first[depth]|0x20 != v[0]|0x20 {
				continue
			}
			if end := endOf(b, i, v, depth); end > 0 {
				return end
			}
		}
	}
	return 0
}

// findBase64 returns the end of a secret that begins at i in base64; 0 if there is none.
func (r *redactor) findBase64(b []byte, i int, first []byte) (end int) {
	for _, v := range r.base64 {
		for depth, c := range first {
			if c != v[0] && c != '+' && c != '/' {
				continue
			}
			if end := endOfBase64(b, i, v, depth); end > 0 {
				return end
			}
		}
	}
	return 0
}

// hasPrefixFold reports whether b begins with a text in lower case, written in any case.
func hasPrefixFold(b []byte, lower string) bool {
	if len(b) < len(lower) {
		return false
	}
	for n := range len(lower) {
		if c := b[n]; c != lower[n] && !(c >= 'A' && c <= 'Z' && c|0x20 == lower[n]) {
			return false
		}
	}
	return true
}

// widenBase64 returns the range of the whole base64 text of which i to end is a part.
func widenBase64(b []byte, i, end int) (from, to int) {
	for from = i; from > 0 && isBase64(b[from-1]); from-- {
	}
	if from > 0 && b[from-1] == '\\' { // the letters of an escape do not belong to it
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

func isBase64(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '-' ||
		c == '_' || c == '='
}

const lowerLetters = "abcdefghijklmnopqrstuvwxyz"

// endOf returns where want ends if b, read through depth layers of escapes, has it at i, in any case of letters; else
// 0.
func endOf(b []byte, i int, want string, depth int) int {
	for len(want) > 0 {
		c, next := readChar(b, i, depth)
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

// endOfBase64 is endOf for base64 of either alphabet, which may be broken into lines.
func endOfBase64(b []byte, i int, want string, depth int) int {
	for at := 0; at < len(want); {
		c, next := readChar(b, i, depth)
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

// depths is how many ways there are to read a text: as it is, and through one, two or three layers of escapes.
const depths = 4

// readChar reads one character at i through depth layers of escapes, and returns it with where it ends; 0 at the end of
// the text.
func readChar(b []byte, i, depth int) (string, int) {
	if i >= len(b) {
		return "", 0
	}
	if depth == 0 {
		_, n := utf8.DecodeRune(b[i:])
		return string(b[i : i+n]), i + n
	}
	c, next := readChar(b, i, depth-1)
	switch c {
	case "%":
		if v, end := readHex(b, next, depth-1, 2); end > 0 {
			return string([]byte{byte(v)}), end
		}
	case `\`:
		if plain, end := readBackslash(b, next, depth-1); end > 0 {
			return plain, end
		}
	case "&":
		if plain, end := readEntity(b, next, depth-1); end > 0 {
			return plain, end
		}
	}
	return c, next
}

// readBackslash reads what follows the \ of a JSON escape; end is 0 if it is none.
func readBackslash(b []byte, i, depth int) (plain string, end int) {
	c, next := readChar(b, i, depth)
	if next == 0 {
		return "", 0
	}
	if c == "u" {
		v, end := readHex(b, next, depth, 4)
		return string(rune(v)), end
	}
	if at := strings.Index(`"\/bfnrt`, c); at >= 0 {
		return "\"\\/\b\f\n\r\t"[at : at+1], next
	}
	return "", 0
}

// readEntity reads what follows the & of an HTML entity; end is 0 if it is none.
func readEntity(b []byte, i, depth int) (plain string, end int) {
	entity := append(make([]byte, 0, 16), '&')
	for len(entity) < 12 {
		c, next := readChar(b, i, depth)
		if len(c) != 1 {
			break
		}
		entity, i = append(entity, c[0]), next
		if c == ";" {
			if plain := html.UnescapeString(string(entity)); plain != string(entity) {
				return plain, i
			}
			break
		}
		if l := c[0] | 0x20; c != "#" && !(l >= 'a' && l <= 'z') && !(c[0] >= '0' && c[0] <= '9') {
			break
		}
	}
	return "", 0
}

// readHex reads n hexadecimal digits, and returns where they end; 0 if they are not.
func readHex(b []byte, i, depth, n int) (v, end int) {
	for range n {
		c, next := readChar(b, i, depth)
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
