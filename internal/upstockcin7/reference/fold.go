package reference

import (
	"strings"
	"unicode"
)

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
