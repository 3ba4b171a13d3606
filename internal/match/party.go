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

// Compare scores how likely two records are the same party, from 0 to 1 with two decimals, and gives the reasons in a
// few words each. It helps a person to choose; nothing is chosen by it automatically.
func Compare(a, b Party) (score float64, why []string) {
	add := func(points float64, reason string) {
		score += points
		why = append(why, reason)
	}
	switch like := similarity(Key(a.Name), Key(b.Name)); {
	case Key(a.Name) != "" && Key(a.Name) == Key(b.Name):
		add(0.6, "the same name")
	case like >= 0.5:
		add(0.45*like, "a name like it")
	default:
		score += 0.2 * like
	}
	if haveCommon(realEmails(a.Emails), realEmails(b.Emails), Key) {
		add(0.2, "the same e-mail")
	}
	if haveCommon(a.Phones, b.Phones, lastDigits) {
		add(0.1, "the same telephone number")
	}
	if haveCommon(a.Streets, b.Streets, Words) {
		add(0.1, "the same street address")
	}
	if haveCommon(a.Towns, b.Towns, Words) {
		add(0.05, "the same town")
	}
	if haveCommon(a.Postcodes, b.Postcodes, Code) {
		add(0.05, "the same postcode")
	}
	return math.Round(100*min(score, 1)) / 100, why
}

// Contradicts reports whether two records are unlikely to be the same party, whatever their names: both have e-mails
// and towns, and neither an e-mail nor a town in common. One difference alone may be a new e-mail, or a branch.
func Contradicts(a, b Party) bool {
	apart := func(x, y []string, fold func(string) string) bool {
		known := func(s string) bool { return fold(s) != "" }
		return slices.ContainsFunc(x, known) && slices.ContainsFunc(y, known) && !haveCommon(x, y, fold)
	}
	return apart(realEmails(a.Emails), realEmails(b.Emails), Key) && apart(a.Towns, b.Towns, Words)
}

// realEmails leaves out what people write when they have no e-mail.
func realEmails(emails []string) []string {
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

// haveCommon reports whether a text of one list equals one of the other, both folded.
func haveCommon(a, b []string, fold func(string) string) bool {
	for _, x := range a {
		if f := fold(x); f != "" && slices.ContainsFunc(b, func(y string) bool { return fold(y) == f }) {
			return true
		}
	}
	return false
}

// lastDigits returns the last seven digits of a telephone number, without the codes of country and town; none if there
// are fewer than six.
func lastDigits(s string) string {
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

// similarity is the share of letter pairs that two words have in common (Dice's coefficient).
func similarity(a, b string) float64 {
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
