package match

import (
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

func TestFold(t *testing.T) {
	for _, c := range []struct{ in, fold, key, words string }{
		{"", "", "", ""},
		{"  Bay \t Bakery\n", "bay bakery", "baybakery", "bay bakery"},
		{"Tōtara Street Café", "totara street cafe", "totarastreetcafe", "totara street cafe"},
		{"To\u0304tara STREET Cafe\u0301", "totara street cafe", "totarastreetcafe", "totara street cafe"},
		{"Bluff &amp; Sons", "bluff & sons", "bluff&sons", "bluff sons"},
		{"Bluff &amp;amp; Sons", "bluff & sons", "bluff&sons", "bluff sons"},
		{"R&D &amp", "r&d &", "r&d&", "r d"},
		{"KWK-100\u200b", "kwk-100", "kwk-100", "kwk 100"},
		{"\ufeffKWK\u00ad-100\u00a0", "kwk-100", "kwk-100", "kwk 100"},
		{"ＫＷＫ－１００", "kwk-100", "kwk-100", "kwk 100"},
		{"Straße ẞ STRASSE", "strasse ss strasse", "strassessstrasse", "strasse ss strasse"},
		{"Øster Łódź Æble Þór Đà", "oster lodz aeble thor da", "osterlodzaeblethorda", "oster lodz aeble thor da"},
		{"ʻOhana O’Neill", "'ohana o'neill", "'ohanao'neill", "ohana oneill"},
		{"Unit 1 12 High Street", "unit 1 12 high street", "unit1 12highstreet", "unit 1 12 high street"},
		{"Unit 11 2 High Street", "unit 11 2 high street", "unit11 2highstreet", "unit 11 2 high street"},
		{"St. John's Rd., 12/4", "st. john's rd., 12/4", "st.john'srd.,12/4", "st johns rd 12 4"},
		{"P.O. Box 1.5", "p.o. box 1.5", "p.o.box1.5", "po box 1 5"},
		{"12–14 Quay", "12-14 quay", "12-14quay", "12 14 quay"},
		{"12½ High", "12 1/2 high", "12 1/2high", "12 1 2 high"},
		{"1'2 High", "1'2 high", "1'2high", "1 2 high"},
		{"Ὀδυσσεύς", "οδυσσευσ", "οδυσσευσ", "οδυσσευσ"},
		{"İstanbul ıs", "istanbul is", "istanbulis", "istanbul is"},
		{"각", "각", "각", "각"},
	} {
		// A letter of Hangul may come back decomposed; both ways of writing it must give the same.
		fold, key, words := norm.NFC.String(Fold(c.in)), norm.NFC.String(Key(c.in)), norm.NFC.String(Words(c.in))
		if fold != c.fold || key != c.key || words != c.words {
			t.Errorf("%q: %q, %q, %q; want %q, %q, %q", c.in, fold, key, words, c.fold, c.key, c.words)
		}
	}
	for _, c := range []struct{ in, want string }{{"SW1A 1AA", "sw1a1aa"}, {"sw1a1aa", "sw1a1aa"}, {"0624", "0624"},
		{" 33 30 ", "3330"}} {
		if got := Code(c.in); got != c.want {
			t.Errorf("Code(%q) = %q, want %q", c.in, got, c.want)
		}
	}
	for _, c := range []struct{ in, want string }{{"KWK-100", ""}, {"KWK 100", ""},
		{"KWK-100\u200b", "a zero width space, U+200B"},
		{"\ufeffA\u00a0B\ufeff", "a byte order mark, U+FEFF; a no-break space, U+00A0"}, {"\x00", "U+0000"}} {
		if got := Hidden(c.in); got != c.want {
			t.Errorf("Hidden(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func FuzzFold(f *testing.F) {
	for _, s := range []string{"", "Bay Bakery", "To\u0304tara &amp; Co", "KWK\u200b-1 1", "각각", "\xff\xfe",
		"a\u0301\u0301", "ﬁ ½ Ⅷ ẛ̣"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, fold := range map[string]func(string) string{"Fold": Fold, "Key": Key, "Words": Words, "Code": Code} {
			once := fold(s)
			if !utf8.ValidString(once) {
				t.Errorf("%s(%q) = %q", name, s, once)
			}
			if again := fold(norm.NFC.String(s)); utf8.ValidString(s) && again != once {
				t.Errorf("%s(%q): composed %q, as it was %q", name, s, again, once)
			}
		}
		Hidden(s)
	})
}
