package match

import (
	"math"
	"slices"
	"strings"
	"unicode"
)

// Party is what is known of a customer on one side.
type Party struct {
	Name                                      string
	Emails, Phones, Towns, Streets, Postcodes []string
}

// Compare scores how likely two records are the same party, from 0 to 1 with two decimals, and says why in a few words
// each. It explains a choice to a person; it is never the reason of one made by itself.
func Compare(a, b Party) (score float64, why []string) {
	add := func(points float64, reason string) {
		score += points
		why = append(why, reason)
	}
	switch like := alike(Key(a.Name), Key(b.Name)); {
	case Key(a.Name) != "" && Key(a.Name) == Key(b.Name):
		add(0.6, "the same name")
	case like >= 0.5:
		add(0.45*like, "a name like it")
	default:
		score += 0.2 * like
	}
	if common(real(a.Emails), real(b.Emails), Key) {
		add(0.2, "the same e-mail")
	}
	if common(a.Phones, b.Phones, digits) {
		add(0.1, "the same telephone number")
	}
	if common(a.Streets, b.Streets, Words) {
		add(0.1, "the same street address")
	}
	if common(a.Towns, b.Towns, Words) {
		add(0.05, "the same town")
	}
	if common(a.Postcodes, b.Postcodes, Code) {
		add(0.05, "the same postcode")
	}
	return math.Round(100*min(score, 1)) / 100, why
}

// Contradicts reports whether what is known of both speaks against their being the same, whatever their names: neither
// an e-mail nor a town in common, where both have some. One alone may be new, or a branch's.
func Contradicts(a, b Party) bool {
	apart := func(x, y []string, fold func(string) string) bool {
		known := func(s string) bool { return fold(s) != "" }
		return slices.ContainsFunc(x, known) && slices.ContainsFunc(y, known) && !common(x, y, fold)
	}
	return apart(real(a.Emails), real(b.Emails), Key) && apart(a.Towns, b.Towns, Words)
}

// real leaves out what people write where they have no e-mail.
func real(emails []string) []string {
	var list []string
	for _, e := range emails {
		box, _, found := strings.Cut(Key(e), "@")
		switch strings.Trim(strings.NewReplacer("-", "", "_", "", ".", "").Replace(box), "0123456789") {
		case "", "noemail", "nomail", "none", "na", "no", "noreply", "unknown", "email", "mail", "test", "tbc", "null":
			continue
		}
		if found {
			list = append(list, e)
		}
	}
	return list
}

func common(a, b []string, fold func(string) string) bool {
	for _, x := range a {
		if f := fold(x); f != "" && slices.ContainsFunc(b, func(y string) bool { return fold(y) == f }) {
			return true
		}
	}
	return false
}

// digits are the last seven of a telephone number, which leave out how a country and a town are dialled; fewer than six are none.
func digits(s string) string {
	d := strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return r
		}
		return -1
	}, Fold(s))
	if len(d) < 6 {
		return ""
	}
	return d[max(0, len(d)-7):]
}

// alike is the share of pairs of letters that two words have in common (Dice's coefficient).
func alike(a, b string) float64 {
	pairs := func(s string) map[[2]rune]int {
		m := map[[2]rune]int{}
		letters := []rune(s)
		letters = letters[:min(len(letters), 256)]
		for i := 1; i < len(letters); i++ {
			m[[2]rune{letters[i-1], letters[i]}]++
		}
		return m
	}
	x, y := pairs(a), pairs(b)
	same, all := 0, 0
	for p, n := range x {
		same += min(n, y[p])
		all += n
	}
	for _, n := range y {
		all += n
	}
	if all == 0 {
		return 0
	}
	return 2 * float64(same) / float64(all)
}
