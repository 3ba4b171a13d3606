package match

import (
	"cmp"
	"slices"
)

// An index finds the records of theirs that have something in common with one of ours: blocks of them, by what they
// hold. Only records that meet in a block are ever compared.
type index struct {
	keys []uint64 // sorted
	at   []int32  // the record of each key
	left []Crowd
}

// largestBlock is how many records of theirs a block has at most. Larger ones are left out: what so many have in
// common finds nobody among them.
const largestBlock = 60

// mostCompared is how many records of theirs one of ours is compared with.
const mostCompared = 24

// A kind of block.
const (
	byCode uint64 = iota + 1
	byEmail
	byDomain
	byPhone
	byName
	byWord
	bySound
	byWords
	byWordAt
	byStreet
	byNumberAt
	byCut
)

// mix is the key of a block: FNV-1a over its kind and the numbers of its terms.
func mix(kind uint64, parts ...int32) uint64 {
	h := uint64(14695981039346656037)
	for _, p := range append([]int32{int32(kind)}, parts...) {
		for range 4 {
			h = (h ^ uint64(uint32(p)&0xff)) * 1099511628211
			p >>= 8
		}
	}
	return h
}

// mostBlocks is how many blocks a record is in at most, and of how many of its addresses and of a name's words.
const mostBlocks, mostAt, mostWordsAt = 160, 4, 8

// keysOf calls add with each block that a record is in, those first that lead to fewest.
func (l *Lists) keysOf(p *prepared, add func(key uint64)) {
	n := 0
	put := func(key uint64) {
		if n++; n <= mostBlocks {
			add(key)
		}
	}
	for _, c := range p.codes {
		put(mix(byCode, c))
	}
	for _, m := range p.emails {
		put(mix(byEmail, m))
	}
	for _, n := range p.phones {
		put(mix(byPhone, n))
	}
	for i := range p.names {
		put(mix(byName, p.names[i].key))
		put(hashText(byCut, p.names[i].joined))
	}
	for _, s := range p.streets[:min(len(p.streets), 4*mostAt)] {
		put(mix(byStreet, s))
	}
	for _, d := range p.domains {
		put(mix(byDomain, d))
	}
	places := p.places[:min(len(p.places), mostAt)]
	for _, place := range places {
		if place.postcode == nobody {
			continue
		}
		for _, n := range p.streetNums[:min(len(p.streetNums), mostAt)] {
			put(mix(byNumberAt, n, place.postcode))
		}
	}
	for i := range p.names {
		words := p.names[i].words[:min(len(p.names[i].words), mostWordsAt)]
		for x, w := range words {
			put(mix(byWord, w))
			for _, v := range words[x+1:] {
				put(mix(byWords, w, v))
			}
			for _, place := range places {
				if place.city != nobody {
					put(mix(byWordAt, w, place.city, 0))
				}
				if place.postcode != nobody {
					put(mix(byWordAt, w, place.postcode, 1))
				}
			}
		}
		for _, w := range words {
			l.slipKeys(w, put)
		}
	}
}

// slipKeys are blocks in which words meet that differ by a slip: of their consonants, and, of rare words, of what is
// left if any one letter is cut.
func (l *Lists) slipKeys(word int32, add func(uint64)) {
	text := l.words.text(word)
	if len(text) < 4 || len(text) > longestWord || l.words.all[word].number {
		return
	}
	add(hashText(bySound, consonants(text)))
	if l.words.count(word) > 8 || len(text) > 14 {
		return
	}
	add(hashText(byCut, text))
	for i := range len(text) {
		if i == 0 || text[i] != text[i-1] {
			add(hashText(byCut, text[:i]+text[i+1:]))
		}
	}
}

func hashText(kind uint64, s string) uint64 {
	h := mix(kind)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// consonants are the first letter of a word and its consonants, each run of one once.
func consonants(s string) string {
	list := []byte{s[0]}
	for _, c := range []byte(s[1:]) {
		switch {
		case c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u' || c == 'y' || c == 'h' || c == 'w':
		case c == list[len(list)-1]:
		default:
			list = append(list, c)
		}
	}
	return string(list)
}

type posting struct {
	key uint64
	at  int32
}

func (l *Lists) newIndex() index {
	var all []posting
	for i := range l.all[1] {
		if p := &l.all[1][i]; !p.out {
			l.keysOf(p, func(key uint64) { all = append(all, posting{key, int32(i)}) })
		}
	}
	slices.SortFunc(all, func(a, b posting) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.at, b.at)) })
	all = slices.Compact(all)
	var x index
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j].key == all[i].key {
			j++
		}
		if j-i <= largestBlock {
			for _, p := range all[i:j] {
				x.keys, x.at = append(x.keys, p.key), append(x.at, p.at)
			}
		}
		i = j
	}
	for _, one := range []struct {
		fact Fact
		of   *terms
	}{{EmailEqual, &l.emails}, {PhoneEqual, &l.phones}, {CompanyEqual, &l.names}, {CodeEqual, &l.codes}} {
		for _, t := range one.of.all {
			if t.in[1] > largestBlock && t.in[0] > 0 {
				x.left = append(x.left, Crowd{one.fact, t.text, int(t.in[1])})
			}
		}
	}
	slices.SortFunc(x.left, func(a, b Crowd) int {
		return cmp.Or(cmp.Compare(a.Fact, b.Fact), cmp.Compare(a.Text, b.Text))
	})
	return x
}

// search collects the records that are worth comparing with one.
type search struct {
	worth []float32
	found []int32
}

// near are the records of theirs that share most with one of ours, at most mostCompared.
func (l *Lists) near(p *prepared, s *search) []int32 {
	if len(s.worth) < len(l.all[1]) {
		s.worth = make([]float32, len(l.all[1]))
	}
	s.found = s.found[:0]
	l.keysOf(p, func(key uint64) {
		i, _ := slices.BinarySearch(l.index.keys, key)
		j := i
		for j < len(l.index.keys) && l.index.keys[j] == key {
			j++
		}
		worth := 1 / float32(2+j-i)
		for _, at := range l.index.at[i:j] {
			if s.worth[at] == 0 {
				s.found = append(s.found, at)
			}
			s.worth[at] += worth
		}
	})
	slices.SortFunc(s.found, func(a, b int32) int {
		return cmp.Or(cmp.Compare(s.worth[b], s.worth[a]), cmp.Compare(a, b))
	})
	for _, at := range s.found {
		s.worth[at] = 0
	}
	return s.found[:min(len(s.found), mostCompared)]
}
