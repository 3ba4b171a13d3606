package match

import (
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// name is one of the names of a record, made ready to be compared.
type name struct {
	words  []int32 // in the order of their numbers
	key    int32   // of all words, in any order
	joined string  // without blanks
	person bool
}

// mostWords is how many words of a name are compared.
const mostWords = 16

// companyNames are the names in a company's name: the trading one, and the legal one, if it has both.
func companyNames(company string) []string {
	folded := " " + Fold(company) + " "
	for _, sign := range tradeWords() {
		if before, after, found := strings.Cut(folded, sign); found && Words(before) != "" && Words(after) != "" {
			return []string{after, before}
		}
	}
	return []string{folded}
}

// nameWords are the words of a name that count, in order: without legal forms, with short forms spelled out.
func nameWords(s string) []string {
	words := strings.Fields(Words(strings.ReplaceAll(Fold(s), "s.p.a", " ")))
	words = strings.Fields(strings.ReplaceAll(strings.Join(joinLetters(words), " "), "new zealand", "newzealand"))
	kept := words
	for len(kept) > 1 && legalForms()[kept[len(kept)-1]] {
		kept = kept[:len(kept)-1]
	}
	var list []string
	for _, w := range kept {
		switch {
		case silentWords()[w] || alwaysForm()[w] && len(kept) > 1:
			continue
		case spelledOut()[w] != "":
			w = spelledOut()[w]
		}
		list = append(list, singular(w))
	}
	if len(list) == 0 {
		list = words
	}
	return list[:min(len(list), mostWords)]
}

// joinLetters makes one word of letters that stand alone in a row: a b c is abc.
func joinLetters(words []string) []string {
	var list []string
	run := 0
	for _, w := range words {
		single := utf8.RuneCountInString(w) == 1 && !isNumber(w)
		if single && run > 0 {
			list[len(list)-1] += w
		} else {
			list = append(list, w)
		}
		if run++; !single {
			run = 0
		}
	}
	return list
}

func isNumber(w string) bool { return strings.ContainsFunc(w, unicode.IsDigit) }

// How two names compare.
type likeness int8

const (
	unknown likeness = iota // one has none
	equal
	alike // the same words but for slips of the pen
	part  // one has all words of the other
	twin  // each has a word that the other has not
	other // no word in common
)

// compared is what came of comparing two names.
type compared struct {
	how      likeness
	bits     float64
	like     float64 // 0 to 1
	doubtful bool    // alike, if two words are one that was mistyped; but both are written by several
	as       [2]int8 // which of each record's names
}

// compareNames compares two names by their words: the rarer a common word, the more it counts. cities are the words of
// the records' towns.
func (l *Lists) compareNames(a, b *name, sameCity bool, cities []int32) compared {
	if len(a.words) == 0 || len(b.words) == 0 {
		return compared{}
	}
	several := max(l.names.count(a.key), l.names.count(b.key)) / 2
	if a.key == b.key {
		return compared{how: equal, bits: l.rarity(l.weight(a.words), several), like: 1}
	}
	if d := spacedOtherwise(a, b); d >= 0 {
		sum := 0.8 * max(l.weight(a.words), l.weight(b.words))
		return compared{how: alike, bits: l.rarity(sum, several) - 1 - 2*float64(d), like: 1 - 0.05*float64(d)}
	}
	x := aligned{a: make([]int32, 0, len(a.words)), b: make([]int32, 0, len(b.words))}
	l.align(&x, a, b)
	l.dropSilent(&x, sameCity, cities)
	c := compared{like: l.share(a, b, &x), doubtful: x.doubtful}
	switch {
	case len(x.a) == 0 && len(x.b) == 0:
		c.how, c.bits = alike, l.rarity(x.sum, several)-x.slips
	case x.common == 0:
		c.how, c.bits = other, -8
	case len(x.a) == 0 || len(x.b) == 0:
		c.how, c.bits = part, l.rarity(x.sum, 1)-x.slips
		for _, w := range append(x.a, x.b...) {
			c.bits -= l.missing(w)
		}
	default:
		if !a.person || !b.person {
			x.sum /= 2 // firms of one owner have words in common; a household has less else
		}
		c.how, c.bits = twin, min(x.sum, l.most)-x.slips-8
	}
	return c
}

// aligned are two names whose words were paired.
type aligned struct {
	a, b     []int32 // the words that found none
	common   int     // how many did
	sum      float64 // what those weigh
	slips    float64 // what it costs that some are written otherwise
	doubtful bool
}

// align pairs the words of two names: those that are equal, then those that are written as one or two, then those that
// differ by a slip.
func (l *Lists) align(x *aligned, a, b *name) {
	i, j := 0, 0
	for i < len(a.words) || j < len(b.words) {
		switch {
		case j == len(b.words) || i < len(a.words) && a.words[i] < b.words[j]:
			x.a = append(x.a, a.words[i])
			i++
		case i == len(a.words) || a.words[i] > b.words[j]:
			x.b = append(x.b, b.words[j])
			j++
		default:
			x.sum, x.common = x.sum+l.words.bits(a.words[i]), x.common+1
			i, j = i+1, j+1
		}
	}
	l.joinWords(x, &x.a, &x.b)
	l.joinWords(x, &x.b, &x.a)
	x.a = slices.DeleteFunc(x.a, func(w int32) bool {
		for at, v := range x.b {
			if cost := l.slip(w, v, a.person && b.person); cost > 0 {
				x.sum, x.slips, x.common = x.sum+min(l.words.bits(w), l.words.bits(v)), x.slips+cost, x.common+1
				x.doubtful = x.doubtful || cost >= doubtfulSlip
				x.b = slices.Delete(x.b, at, at+1)
				return true
			}
		}
		return false
	})
}

// dropSilent leaves out what systems add to names, or not: legal forms within them; the country, unless the other has
// another one there; and, if nothing else stands against it, "company" and the town they are both in.
func (l *Lists) dropSilent(x *aligned, sameCity bool, cities []int32) {
	country := func(w int32) bool { return l.words.all[w].country }
	two := slices.ContainsFunc(x.a, country) && slices.ContainsFunc(x.b, country)
	drop := func(is func(w int32) bool) {
		x.a, x.b = slices.DeleteFunc(x.a, is), slices.DeleteFunc(x.b, is)
	}
	drop(func(w int32) bool { return l.words.all[w].form || !two && country(w) })
	if len(x.a) > 0 && len(x.b) > 0 || x.common == 0 {
		return
	}
	before := len(x.a) + len(x.b)
	drop(func(w int32) bool { return sameCity && slices.Contains(cities, w) })
	x.slips += 0.5 * float64(before-len(x.a)-len(x.b))
	drop(func(w int32) bool { return l.words.text(w) == "company" })
}

// weight is that of words by themselves.
func (l *Lists) weight(words []int32) (sum float64) {
	for _, w := range words {
		sum += l.words.bits(w)
	}
	return sum
}

// spacedOtherwise returns by how many letters two names differ that are divided into words otherwise: none, or one or
// two of long names. It is -1 if they differ by more.
func spacedOtherwise(a, b *name) int {
	if a.joined == b.joined {
		return 0
	}
	if most := min(len(a.joined), len(b.joined)) / 8; most > 0 && len(a.words) != len(b.words) &&
		!isNumber(a.joined) && !isNumber(b.joined) {
		if d := within([]byte(a.joined), []byte(b.joined), min(most, 2)); d <= min(most, 2) {
			return d
		}
	}
	return -1
}

// rarity is the weight of a name's being the same, whose words would weigh sum if they were drawn by chance, and which
// several records of a list have. Names that the words make likely to meet by chance, but that nobody else has, weigh
// about as much as one record among all.
func (l *Lists) rarity(sum float64, several int) float64 {
	chance := math.Exp2(l.size - sum)                                // how many others are supposed to have it
	others := max(float64(several)/(1/chance+1), float64(several-1)) // and, having counted
	return min(l.size-math.Log2(max(others, 1e-6)), l.most)
}

// missing is what it costs that one name has a word that the other lacks.
func (l *Lists) missing(word int32) float64 {
	switch {
	case l.words.all[word].number:
		return 6
	case l.words.bits(word) < 7:
		return 2
	}
	return 4
}

// slip is what it costs to take one word for another that is written otherwise: by a slip of the pen, cut short. It is
// 0 if they are two words, and doubtfulSlip if they may well be.
func (l *Lists) slip(a, b int32, persons bool) float64 {
	x, y := l.words.text(a), l.words.text(b)
	if len(x) > len(y) {
		x, y, a, b = y, x, b, a
	}
	if len(x) == 0 || len(x) > longestWord || l.words.all[a].number || l.words.all[b].number {
		return 0
	}
	if len(x) == 1 && persons && y[0] == x[0] || len(x) >= 4 && len(y) >= len(x)+3 && strings.HasPrefix(y, x) {
		return doubtfulSlip // J. is John or Jane, and Harbourside is no short form of Harbour
	}
	most, few, many := 1, l.words.count(a), l.words.count(b)
	if few > many {
		few, many = many, few
	}
	switch {
	case len(y) < 4 || len(x) < 3:
		return 0
	case x[0] == y[0] && (len(x) >= 8 || persons && len(x) >= 5 && few == 1 && len(y) < len(x)+2):
		most = 2
	}
	d := within([]byte(x), []byte(y), most)
	if d > most {
		return 0
	}
	swapped := d == 1 && isSwap(x, y)
	if l.bothWords(few, many, len(x) == len(y), swapped) {
		if d == 1 && len(x) != len(y) && 8*few < many {
			return doubtfulSlip
		}
		return 0
	}
	if short := len(x) <= 5 && !persons; len(x) == 3 || len(x) == len(y) && !swapped && (x[0] != y[0] || short) {
		return doubtfulSlip // many short words of trades are one letter from another
	}
	return 2 + 1.5*float64(d)
}

// doubtfulSlip is what a slip costs that may be another word.
const doubtfulSlip = 8

// bothWords reports whether two words that are spelled almost alike are both words, by how many records have them: the
// fewer is not so much rarer that it looks like a slip. Neighbours are swapped in no two words, and another letter
// makes another word more often than one that is left out.
func (l *Lists) bothWords(few, many int, sameLength, swapped bool) bool {
	rarer := 100
	switch {
	case swapped:
		rarer = 10
	case sameLength:
		rarer = 300
	}
	return few > 1 && few*rarer > many
}

// isSwap reports whether two words of one length differ in two neighbours that are swapped.
func isSwap(a, b string) bool {
	for i := range len(a) - 1 {
		if a[i] != b[i] {
			return a[i] == b[i+1] && a[i+1] == b[i]
		}
	}
	return false
}

// joinWords pairs two words of one name with one of the other that is both.
func (l *Lists) joinWords(x *aligned, two, one *[]int32) {
	for _, first := range *two {
		for _, second := range *two {
			before, after := l.words.text(first), l.words.text(second)
			at := slices.IndexFunc(*one, func(w int32) bool {
				t := l.words.text(w)
				return len(t) == len(before)+len(after) && strings.HasPrefix(t, before) && strings.HasSuffix(t, after)
			})
			if at < 0 || first == second {
				continue
			}
			x.sum += 0.8 * max(l.words.bits((*one)[at]), l.words.bits(first)+l.words.bits(second))
			x.slips, x.common = x.slips+1, x.common+1
			*one = slices.Delete(*one, at, at+1)
			*two = slices.DeleteFunc(*two, func(w int32) bool { return w == first || w == second })
			return
		}
	}
}

// share is how much of two names is the same, by the letters of their words.
func (l *Lists) share(a, b *name, x *aligned) float64 {
	size := func(list []int32) (n float64) {
		for _, w := range list {
			n += float64(len(l.words.text(w)))
		}
		return n
	}
	all := size(a.words) + size(b.words)
	if all == 0 {
		return 0
	}
	return max(0, 1-(size(x.a)+size(x.b)+0.6*x.slips)/all)
}
