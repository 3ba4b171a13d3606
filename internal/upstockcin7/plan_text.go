package upstockcin7

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"

	"golang.org/x/text/unicode/norm"

	"stockbridge/internal/match"
)

// clean makes a text fit to be sent: valid UTF-8, lines ended by \n, no other
// control characters, no space around it.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s))
}

// cut shortens a clean text to max characters, counted as the vendor's platform does: those beyond the basic plane, as
// emoji, are two.
func cut(s string, max int) (short string, was bool) {
	n := 0
	for i, r := range s {
		if n += utf16.RuneLen(r); n > max {
			return s[:i], true
		}
	}
	return s, false
}

// quote makes somebody else's text fit to stand in a sentence of ours: short,
// on one line, without characters that hide or reorder what follows.
func quote(s string) string { return "“" + bare(s, 60) + "”" }

func bare(s string, max int) string {
	if len(s) > 4096 { // what comes after is cut anyway
		s = s[:4096]
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.Join(strings.Fields(s), " ")
	if short, was := cut(s, max); was {
		return short + "…"
	}
	return s
}

// quotes lists names, the first few of them.
func quotes(names []string) string {
	const most = 3
	var b strings.Builder
	for i, n := range names {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(names)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("“" + bare(n, 40) + "”")
	}
	return b.String()
}

// numbers says line numbers as a person would: "Line 3", "Lines 1, 2 and 7".
func numbers(lines []int) string {
	lines = slices.Compact(slices.Sorted(slices.Values(lines)))
	if len(lines) == 1 {
		return fmt.Sprintf("Line %d", lines[0])
	}
	const most = 8
	more := len(lines) - most
	if more > 0 {
		lines = lines[:most]
	}
	var b strings.Builder
	b.WriteString("Lines ")
	for i, n := range lines {
		switch {
		case i == 0:
		case i == len(lines)-1 && more <= 0:
			b.WriteString(" and ")
		default:
			b.WriteString(", ")
		}
		fmt.Fprint(&b, n)
	}
	if more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}

// fold is how names were folded in mirrors that earlier versions wrote: no case, no spaces, no diacritics.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Mn, r) || unicode.IsControl(r) {
			return -1
		}
		r = unicode.ToLower(r)
		if plain, ok := plainLetter[r]; ok {
			return plain
		}
		return r
	}, s)
}

// seen is a text as a reader sees it: without characters that are not seen, composed, with plain blanks.
func seen(s string) string {
	s = strings.Map(func(r rune) rune {
		if match.Unseen(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return norm.NFC.String(strings.Join(strings.Fields(s), " "))
}

// skuKey is a SKU as it is compared where nothing is to be missed: as it is seen, without case.
func skuKey(sku string) string { return strings.ToLower(seen(sku)) }

// realID is an id, none where some systems write an absent one: blanks, or zeros.
func realID(id string) string {
	id = strings.TrimSpace(id)
	if strings.Trim(id, "0-{}") == "" {
		return ""
	}
	return id
}

// plainLetter takes the marks off Latin letters: Māori macrons, and what
// European names have.
var plainLetter = func() map[rune]rune {
	m := map[rune]rune{}
	for _, row := range []string{
		"aàáâãäåāăąǎ", "cçćĉċč", "dďđ", "eèéêëēĕėęěẽ", "gĝğġģ", "hĥħ", "iìíîïĩīĭįıǐ", "jĵ", "kķ", "lĺļľł", "nñńņňŉ",
		"oòóôõöøōŏőǒ", "rŕŗř", "sśŝşšș", "tţťŧț", "uùúûüũūŭůűųǔ", "wŵẁẃẅ", "yýÿŷỳ", "zźżž",
	} {
		letters := []rune(row)
		for _, r := range letters[1:] {
			m[r] = letters[0]
		}
	}
	return m
}()

// squeeze drops all white space: the vendors do not keep it as it was sent.
func squeeze(s string) string { return strings.Join(strings.Fields(s), "") }
