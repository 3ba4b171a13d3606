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

// compareNames compares two names by their words: the rarer a common word, the more it counts.
func (l *Lists) compareNames(a, b *name, sameCity bool, cities []int32) compared {
	if len(a.words) == 0 || len(b.words) == 0 {
		return compared{}
	}
	most := max(l.names.count(a.key), l.names.count(b.key)) / 2
	if a.key == b.key {
		return compared{how: equal, bits: l.rarity(l.weight(a.words), most), like: 1}
	}
	if d := spacedOtherwise(a, b); d >= 0 {
		slips := 1 + 2*float64(d)
		return compared{how: alike, bits: l.rarity(max(l.weight(a.words), l.weight(b.words))*0.8, most) - slips,
			like: 1 - 0.05*float64(d)}
	}
	var leftA, leftB [mostWords]int32
	la, lb := leftA[:0], leftB[:0]
	sum, slips, doubtful := 0.0, 0.0, false
	i, j := 0, 0
	for i < len(a.words) || j < len(b.words) {
		switch {
		case j == len(b.words) || i < len(a.words) && a.words[i] < b.words[j]:
			la = append(la, a.words[i])
			i++
		case i == len(a.words) || a.words[i] > b.words[j]:
			lb = append(lb, b.words[j])
			j++
		default:
			sum += l.words.bits(a.words[i])
			i, j = i+1, j+1
		}
	}
	common := len(a.words) - len(la)
	la, lb = l.joinWords(la, lb, &sum, &slips)
	for x := 0; x < len(la); x++ {
		for y := 0; y < len(lb); y++ {
			if cost := l.slip(la[x], lb[y], a.person && b.person); cost > 0 {
				doubtful = doubtful || cost >= doubtfulSlip
				sum += min(l.words.bits(la[x]), l.words.bits(lb[y]))
				slips += cost
				la, lb = slices.Delete(la, x, x+1), slices.Delete(lb, y, y+1)
				x, common = x-1, common+1
				break
			}
		}
	}
	if la, lb = l.tellingWords(la, lb), l.tellingWords(lb, la); len(la) == 0 || len(lb) == 0 {
		isCompany := func(w int32) bool { return l.words.text(w) == "company" }
		la, lb = slices.DeleteFunc(la, isCompany), slices.DeleteFunc(lb, isCompany)
	}
	c := compared{like: l.share(a, b, la, lb, slips), doubtful: doubtful}
	switch {
	case len(la) == 0 && len(lb) == 0:
		c.how, c.bits = alike, l.rarity(sum, most)-slips
	case common == 0:
		c.how, c.bits = other, -8
	case len(la) == 0 || len(lb) == 0:
		left := la
		if len(la) == 0 {
			left = lb
		}
		c.how, c.bits = part, l.rarity(sum, 1)-slips
		for _, w := range left {
			c.bits -= l.missing(w, sameCity, cities)
		}
	default:
		if !a.person || !b.person {
			sum /= 2 // firms of one owner have words in common; a household has less else
		}
		c.how, c.bits = twin, min(sum, l.most)-slips-8
	}
	return c
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

// tellingWords leaves out what systems add to names: legal forms within them, and the country, unless others have
// another country there.
func (l *Lists) tellingWords(words, others []int32) []int32 {
	country := func(w int32) bool { return l.words.all[w].country }
	elsewhere := slices.ContainsFunc(others, country)
	return slices.DeleteFunc(words, func(w int32) bool {
		return l.words.all[w].form || !elsewhere && country(w)
	})
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
func (l *Lists) missing(word int32, sameCity bool, cities []int32) float64 {
	switch {
	case slices.Contains(cities, word):
		if sameCity {
			return 0.5
		}
		return 6
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

// joinWords finds words that one name writes as two and the other as one.
func (l *Lists) joinWords(la, lb []int32, sum, slips *float64) ([]int32, []int32) {
	try := func(two, one []int32) ([]int32, []int32, bool) {
		for x := range two {
			for y := range two {
				if x == y {
					continue
				}
				before, after := l.words.text(two[x]), l.words.text(two[y])
				for z := range one {
					if t := l.words.text(one[z]); len(t) == len(before)+len(after) && strings.HasPrefix(t, before) &&
						strings.HasSuffix(t, after) {
						*sum += max(l.words.bits(one[z]), l.words.bits(two[x])+l.words.bits(two[y])) * 0.8
						*slips++
						first, second := two[x], two[y]
						two = slices.DeleteFunc(two, func(w int32) bool { return w == first || w == second })
						return two, slices.Delete(one, z, z+1), true
					}
				}
			}
		}
		return two, one, false
	}
	if len(la) >= 2 && len(lb) >= 1 {
		la, lb, _ = try(la, lb)
	}
	if len(lb) >= 2 && len(la) >= 1 {
		lb, la, _ = try(lb, la)
	}
	return la, lb
}

// share is how much of two names is the same, by the letters of their words.
func (l *Lists) share(a, b *name, la, lb []int32, slips float64) float64 {
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
	return max(0, 1-(size(la)+size(lb)+0.6*slips)/all)
}
