// Package match says which record of one system is which record of another: how texts are compared, how like each other
// two parties are and why, and which records of two whole lists belong together. It is pure: it reads nothing and
// changes nothing.
//
// # Texts
//
// Texts are compared folded. Each fold drops only what makes no difference to a reader:
//
//	Fold   drops case, accents, how a letter is composed, unseen characters, &amp; for &; any blanks become one
//	Key    Fold without blanks, except between two digits: for names, SKUs
//	Words  Fold with punctuation as blanks: for a line of an address; “Unit 1 12” still differs from “Unit 11 2”
//	Code   Key without punctuation: for a postcode, which is one word however it is set out
//
// To compare two texts, fold both and compare the results; to find one among many, keep the fold as the key:
//
//	byName[match.Key(card.Name)] = append(byName[match.Key(card.Name)], card)
//
// Some comparisons may drop less: [Same] drops case and surrounding blanks, [Visible] unseen characters, [SKU] those
// and case, [Squeeze] only white space. [ID] recognises the ways to write that there is no id.
//
// The fold of an empty text, or of one with nothing to see, is "". It equals every other such fold, so check for it
// before looking for a record by it.
//
// # One party
//
// A [Party] is what is known of a customer on one side. [Compare] scores how likely two are the same, with reasons that
// a person can read. The score only orders the choices that a person is given. A record is chosen automatically only by
// [Key]: it is the only one with the name. [Contradicts] may overrule even that.
//
// # Two lists
//
// [Match] finds out which of our [Record]s is which of theirs, in two lists of thousands. It gives a [Proposal] for
// each of ours that is like one or several of theirs, with [Reason]s. A pair that is Sure may be accepted without
// asking anybody; anything else is a person's to decide. A sure pair that is wrong costs far more than one missed.
//
// Records are not all compared with all others. Those that have something in common meet in a block (index.go): a
// code, an e-mail, a telephone number, a rare word of the name, a word and the town, and so on. Blocks of very many
// are left out, and named in [Result]: what hundreds have in common finds nobody. So the time grows with the length
// of the lists, not with its square, whatever they hold.
//
// Two records that met are weighed (weigh.go), after Fellegi and Sunter: each thing in common adds the logarithm, to
// base 2, of how much likelier it is for one party than for two, and each thing that differs takes some away. How
// likely it is for two comes from the lists themselves: a word that every tenth name has says little, one that two
// names have says nearly all. Texts that are shared decide nothing: an e-mail counts if one record of each list has
// it. To begin with there is the weight of chance, that of one record among all.
//
//	equal e-mail, nobody else's      as much as one record among all, and a little
//	equal name                       by its words, and by how many have it; at most 6 more than one among all
//	equal street, postcode, town     by how rare it is; together little more than the rarest of them
//	equal code                       by how often records with an equal code agree otherwise, in these lists
//	another e-mail, number, person   takes 1 to 1.5
//	another town, another country    takes 3, takes 6
//	another word in each name        takes 8
//
// Names are compared word by word (name.go). Words may differ by a slip of the pen, if not both are words of several
// names: Smithh is Smith, but Fuels is not Foods. Legal forms count for nothing, and usual short forms for the whole.
//
// A pair's score is its odds against those of all pairs that want one of its records: two candidates that are equally
// like have half each, and neither is sure. Weight alone makes no pair sure, as firms of one owner have nearly all in
// common, and branches have even the name: evidence.convinces has what must agree beside it (weigh.go).
//
// What people decided is given with the lists ([Known]): records that are linked are not offered, and a pair that was
// refused is offered again only when a record's [Record.Fingerprint] has changed, and then says so. Package matchtest
// makes lists whose truth is known, and measures.
package match

import (
	"fmt"
	"html"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Fold returns a text as a reader compares it: without case and accents (ō is o, ß is ss), composed or not, with & for
// HTML's &amp;, without unseen characters, and with one space for any blanks.
func Fold(s string) string {
	if isPlain(s) {
		return single(strings.ToLower(s))
	}
	for range 2 { // it may have been escaped twice
		if !strings.Contains(s, "&") {
			break
		}
		s = html.UnescapeString(s)
	}
	var b strings.Builder
	for _, r := range norm.NFKD.String(spaceNumbers(strings.ToValidUTF8(s, "\uFFFD"))) {
		switch {
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		case unicode.Is(unicode.Mn, r), Unseen(r):
		default:
			r = unicode.ToLower(r)
			if text, ok := spellings[r]; ok {
				b.WriteString(text)
			} else {
				b.WriteRune(r)
			}
		}
	}
	return single(b.String())
}

// single leaves one space of any blanks. Most texts have no others.
func single(s string) string {
	if strings.ContainsAny(s, "\t\n\r") || strings.Contains(s, "  ") || strings.Trim(s, " ") != s {
		return strings.Join(strings.Fields(s), " ")
	}
	return s
}

// spaceNumbers puts blanks around numbers that are one character, such as ½ and ², so that they do not run into their
// neighbours: 12½ is not 121/2.
func spaceNumbers(s string) string {
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

// isPlain reports whether a text has nothing to fold but case and blanks, as most texts.
func isPlain(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= 0x80 || c == '&' || c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0x7f {
			return false
		}
	}
	return true
}

// spellings has the letters that Unicode does not decompose, and how they are commonly written in others.
var spellings = map[rune]string{
	'ø': "o", 'ł': "l", 'đ': "d", 'ħ': "h", 'ŧ': "t", 'ı': "i", 'ß': "ss", 'æ': "ae", 'œ': "oe", 'þ': "th", 'ð': "d",
	'ς':      "σ",
	'\u2018': "'", '\u2019': "'", '\u02BB': "'", '\u02BC': "'", '`': "'", '\u00B4': "'", // apostrophes, and the ʻokina
	'\u201C': `"`, '\u201D': `"`,
	'\u2010': "-", '\u2011': "-", '\u2012': "-", '\u2013': "-", '\u2014': "-", '\u2212': "-",
	'\u2044': "/",
}

// Unseen reports whether a character neither shows nor separates anything: zero-width characters, marks of direction,
// byte order marks, controls, fillers.
func Unseen(r rune) bool {
	switch r {
	case '\t', '\n', '\r', '\v', '\f', '\u0085':
		return false
	case '\u115F', '\u1160', '\u3164', '\uFFA0', '\u2800', '\u034F', '\u17B4', '\u17B5':
		return true
	}
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r >= '\uFE00' && r <= '\uFE0F' || r == '\uFFFE' ||
		r == '\uFFFF'
}

// Hidden names the first three characters of a text that a reader does not see, each once: unseen characters, and
// blanks other than the plain space. It returns "" if there are none.
func Hidden(s string) string {
	var names []string
	seen := map[rune]bool{}
	for _, r := range s {
		if seen[r] || !Unseen(r) && (r == ' ' || !unicode.IsSpace(r)) {
			continue
		}
		seen[r] = true
		name := fmt.Sprintf("U+%04X", r)
		if text, ok := hiddenNames[r]; ok {
			name = text + ", " + name
		}
		names = append(names, name)
		if len(names) == 3 {
			break
		}
	}
	return strings.Join(names, "; ")
}

var hiddenNames = map[rune]string{
	'\u200B': "a zero width space", '\u200C': "a zero width non-joiner", '\u200D': "a zero width joiner",
	'\u2060': "a word joiner",
	'\uFEFF': "a byte order mark", '\u00AD': "a soft hyphen", '\u00A0': "a no-break space",
	'\u202F': "a narrow no-break space",
	'\t':     "a tab", '\n': "a line break", '\r': "a line break", '\u200E': "a left-to-right mark",
	'\u200F': "a right-to-left mark",
	'\u2009': "a thin space", '\u3000': "a wide space",
}

// Key is Fold without blanks, except between two digits, where a blank makes another number.
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

// Words is Fold with punctuation as blanks, except apostrophes and the points of abbreviations, which are dropped:
// “St. John's Rd, 12/4” is “st johns rd 12 4”.
func Words(s string) string {
	folded := Fold(s)
	isDigit := func(r rune, _ int) bool { return unicode.IsDigit(r) }
	var b strings.Builder
	b.Grow(len(folded))
	for i, r := range folded {
		switch {
		case unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.Is(unicode.Mc, r):
			b.WriteRune(r)
		case (r == '\'' || r == '.') && !(isDigit(utf8.DecodeLastRuneInString(folded[:i])) &&
			isDigit(utf8.DecodeRuneInString(folded[i+1:]))):
		default:
			b.WriteByte(' ')
		}
	}
	return single(b.String())
}

// Code returns a postcode as a post office compares it: only letters and digits.
func Code(s string) string { return strings.ReplaceAll(Words(s), " ", "") }
