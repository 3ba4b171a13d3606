// Package match says which record of one system is which record of another: how names and addresses are compared, and
// how like each other two parties are, with the reasons in words. It is pure: it reads nothing and decides nothing.
//
// # Texts
//
// Texts are compared folded, and each fold drops only what cannot make a difference to a reader:
//
//	Fold   case, accents, how a letter is composed, what is not seen, &amp; for &; blanks become one
//	Key    Fold without its blanks, but for those between two digits: names, SKUs
//	Words  Fold with punctuation as blanks: a line of an address; “Unit 1 12” stays another than “Unit 11 2”
//	Code   Key without punctuation: a postcode, which is one word however it is set out
//
// To compare two texts, fold both and compare the results; to find one among many, keep the fold as the key:
//
//	byName[match.Key(card.Name)] = append(byName[match.Key(card.Name)], card)
//
// Where less may be dropped: [Same] drops case and the blanks around, [Visible] what is not seen, [SKU] that and case,
// [Squeeze] white space alone; [ID] tells an id from the ways to write that there is none.
//
// A fold of an empty text, or of one that nobody can see, is "". It equals every other such fold, so whoever looks for
// a record by it asks first whether there is anything to look for.
//
// # Parties
//
// A [Party] is what is known of a customer on one side. [Compare] scores how likely two are the same, with reasons that
// a person can read, and only to order the choices that a person is given: nothing is ever chosen by a score. What is
// chosen by itself is chosen by [Key] alone, one name that one record has; [Contradicts] may take that back.
package match

import (
	"fmt"
	"html"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Fold is a text as a reader compares it: without case and accents (ō is o, ß is ss), composed or not, HTML's &amp;
// as &, without characters that are not seen, and with one space where there were blanks.
func Fold(s string) string {
	if plain(s) {
		return strings.Join(strings.Fields(strings.ToLower(s)), " ")
	}
	for range 2 { // somebody may have escaped what was escaped already
		if !strings.Contains(s, "&") {
			break
		}
		s = html.UnescapeString(s)
	}
	var b strings.Builder
	for _, r := range norm.NFKD.String(apart(strings.ToValidUTF8(s, "\uFFFD"))) {
		switch {
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		case unicode.Is(unicode.Mn, r), Unseen(r):
		default:
			r = unicode.ToLower(r)
			if text, ok := spelt[r]; ok {
				b.WriteString(text)
			} else {
				b.WriteRune(r)
			}
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// apart puts blanks around numbers that are one character, as ½ and ², or they would run into their neighbours: 12½ is not 121/2.
func apart(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.No, r) }) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unicode.Is(unicode.No, r) {
			b.WriteString(" " + string(r) + " ")
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// plain says that a text has nothing to fold but case and blanks, as most have.
func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 0x80 || c == '&' || c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0x7f {
			return false
		}
	}
	return true
}

// spelt are the letters that are no letter with a mark, as the standard has it, and that are commonly written in others.
var spelt = map[rune]string{
	'ø': "o", 'ł': "l", 'đ': "d", 'ħ': "h", 'ŧ': "t", 'ı': "i", 'ß': "ss", 'æ': "ae", 'œ': "oe", 'þ': "th", 'ð': "d", 'ς': "σ",
	'\u2018': "'", '\u2019': "'", '\u02BB': "'", '\u02BC': "'", '`': "'", '\u00B4': "'", // apostrophes, and the ʻokina
	'\u201C': `"`, '\u201D': `"`,
	'\u2010': "-", '\u2011': "-", '\u2012': "-", '\u2013': "-", '\u2014': "-", '\u2212': "-",
	'\u2044': "/",
}

// Unseen reports whether a character shows nothing and parts nothing: zero-width ones, marks of direction, byte order
// marks, controls, fillers.
func Unseen(r rune) bool {
	switch r {
	case '\t', '\n', '\r', '\v', '\f', '\u0085':
		return false
	case '\u115F', '\u1160', '\u3164', '\uFFA0', '\u2800', '\u034F', '\u17B4', '\u17B5':
		return true
	}
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r >= '\uFE00' && r <= '\uFE0F' || r == '\uFFFE' || r == '\uFFFF'
}

// Hidden names the characters of a text that a reader does not see, each once, in their order: unseen ones, and blanks
// other than the plain space. “” is none.
func Hidden(s string) string {
	var names []string
	seen := map[rune]bool{}
	for _, r := range s {
		if seen[r] || !Unseen(r) && (r == ' ' || !unicode.IsSpace(r)) {
			continue
		}
		seen[r] = true
		name := fmt.Sprintf("U+%04X", r)
		if text, ok := hidden[r]; ok {
			name = text + ", " + name
		}
		names = append(names, name)
		if len(names) == 3 {
			break
		}
	}
	return strings.Join(names, "; ")
}

var hidden = map[rune]string{
	'\u200B': "a zero width space", '\u200C': "a zero width non-joiner", '\u200D': "a zero width joiner", '\u2060': "a word joiner",
	'\uFEFF': "a byte order mark", '\u00AD': "a soft hyphen", '\u00A0': "a no-break space", '\u202F': "a narrow no-break space",
	'\t': "a tab", '\n': "a line break", '\r': "a line break", '\u200E': "a left-to-right mark", '\u200F': "a right-to-left mark",
	'\u2009': "a thin space", '\u3000': "a wide space",
}

// Key is Fold without blanks, but for those between two digits, where a blank makes another number.
func Key(s string) string {
	folded := Fold(s)
	if !strings.Contains(folded, " ") {
		return folded
	}
	var b strings.Builder
	letters := []rune(folded)
	for i, r := range letters {
		if r == ' ' && !(unicode.IsDigit(letters[i-1]) && unicode.IsDigit(letters[i+1])) {
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Words is Fold with punctuation as blanks, but for apostrophes and the points of abbreviations, which part nothing:
// “St. John's Rd, 12/4” is “st johns rd 12 4”.
func Words(s string) string {
	letters := []rune(Fold(s))
	var b strings.Builder
	for i, r := range letters {
		digit := func(at int) bool { return at >= 0 && at < len(letters) && unicode.IsDigit(letters[at]) }
		switch {
		case unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.Is(unicode.Mc, r):
			b.WriteRune(r)
		case (r == '\'' || r == '.') && !(digit(i-1) && digit(i+1)):
		default:
			b.WriteByte(' ')
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// Code is a postcode as a post office compares it: letters and digits alone.
func Code(s string) string { return strings.ReplaceAll(Words(s), " ", "") }
