// Package matchtest makes pairs of lists, as two systems keep the same parties, with the truth about which record is
// which, and measures what package match makes of them. It is for tests and for the bench.
//
// There are three makers of lists, of different character, each of a seed and a size:
//
//	Traders   shops and wholesalers: few words make most names, with chains, twins, shared e-mails, trading names
//	Persons   private customers: a name and an address alone, often mistyped
//	Firms     companies of many countries: rare names, legal forms, accents, registered numbers
//
// Of the parties most are in both lists, the others in one of them. What a list holds of a party is spoiled by what
// people do: they slip, leave out, shorten, move, change their e-mail. Near twins are different parties that look like
// slips of each other. All draws are from the seed, so a list can be made again.
//
// [Case.Judge] compares a result with the truth.
package matchtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"stockbridge/internal/match"
)

// Case is a pair of lists, with the truth.
type Case struct {
	Name         string
	Ours, Theirs []match.Record
	Truth        map[string]string // the ids of theirs, by ours
}

// Verdict is how well a result meets the truth.
type Verdict struct {
	Precision float64 // of the sure pairs, the share that is right
	Recall    float64 // of the pairs in truth, the share that is sure
	Offered   float64 // of the pairs in truth, the share that is proposed or a candidate
	Wrong     []match.Proposal
	Missed    []match.Pair // in truth, but not sure
}

// Judge compares a result with the truth.
func (c Case) Judge(r match.Result) (v Verdict) {
	sure, right, offered := 0, 0, 0
	got := map[string]bool{}
	for _, p := range r.Proposals {
		want := c.Truth[p.Ours]
		if p.Sure {
			sure++
			if p.Theirs == want {
				right++
				got[p.Ours] = true
			} else {
				v.Wrong = append(v.Wrong, p)
			}
		}
		is := func(x match.Candidate) bool { return x.Theirs == want }
		if want != "" && (p.Theirs == want || slices.ContainsFunc(p.Candidates, is)) {
			offered++
		}
	}
	for _, a := range c.Ours {
		if want := c.Truth[a.ID]; want != "" && !got[a.ID] {
			v.Missed = append(v.Missed, match.Pair{Ours: a.ID, Theirs: want})
		}
	}
	v.Precision, v.Recall, v.Offered = 1, 1, 1
	if sure > 0 {
		v.Precision = float64(right) / float64(sure)
	}
	if n := len(c.Truth); n > 0 {
		v.Recall, v.Offered = float64(right)/float64(n), float64(offered)/float64(n)
	}
	return v
}

// maker draws.
type maker struct {
	*rand.Rand
	number int // of telephones
}

func newMaker(seed uint64) *maker {
	return &maker{Rand: rand.New(rand.NewPCG(seed, 20)), number: 1_000_000}
}

// chance reports true in one of 100/percent draws.
func (m *maker) chance(percent float64) bool { return m.Float64()*100 < percent }

// one draws from a list, the first most often.
func (m *maker) one(list []string) string {
	at := m.Float64()
	return list[int(at*at*float64(len(list)))]
}

// any draws from a list, each as often.
func (m *maker) any(list []string) string { return list[m.IntN(len(list))] }

// slip mistypes one letter of a text, not the first one.
func (m *maker) slip(s string) string {
	letters := []rune(s)
	if len(letters) < 4 {
		return s
	}
	at := 1 + m.IntN(len(letters)-2)
	switch m.IntN(4) {
	case 0: // left out
		letters = slices.Delete(letters, at, at+1)
	case 1: // doubled, or one too many
		letters = slices.Insert(letters, at, rune('a'+m.IntN(26)))
	case 2: // another
		letters[at] = rune('a' + m.IntN(26))
	default: // swapped
		letters[at], letters[at+1] = letters[at+1], letters[at]
	}
	return string(letters)
}

// slipWord mistypes a word of a text.
func (m *maker) slipWord(s string) string {
	words := strings.Fields(s)
	if len(words) == 0 {
		return s
	}
	at := m.IntN(len(words))
	for range len(words) {
		if len(words[at]) >= 4 {
			break
		}
		at = (at + 1) % len(words)
	}
	words[at] = m.slip(words[at])
	return strings.Join(words, " ")
}

// made is a name by syllables.
func (m *maker) made(syllables ...[]string) string {
	var b strings.Builder
	for _, list := range syllables {
		b.WriteString(m.any(list))
	}
	first, size := utf8.DecodeRuneInString(b.String())
	return string(unicode.ToUpper(first)) + b.String()[size:]
}

func (m *maker) phone(code string) string {
	m.number += 1 + m.IntN(7)
	return fmt.Sprintf("%s %d %04d", code, m.number/10000, m.number%10000)
}

// split deals parties out to two lists: to both, or to one. spoil returns a record as it stands in theirs.
func (m *maker) split(c *Case, parties []match.Record, both float64, spoil func(match.Record) match.Record) {
	order := m.Perm(len(parties))
	for _, i := range order {
		ours := parties[i]
		ours.ID = fmt.Sprint("A", 10_000+i)
		theirs := fmt.Sprint("B", 50_000+(i*7919)%len(parties)*3)
		switch {
		case m.chance(both):
			c.Truth[ours.ID] = theirs
			c.Ours = append(c.Ours, ours)
			x := spoil(parties[i])
			x.ID = theirs
			c.Theirs = append(c.Theirs, x)
		case m.chance(50):
			c.Ours = append(c.Ours, ours)
		default:
			x := spoil(parties[i])
			x.ID = theirs
			c.Theirs = append(c.Theirs, x)
		}
	}
}

func clone(r match.Record) match.Record {
	r.Codes, r.Emails, r.Phones = slices.Clone(r.Codes), slices.Clone(r.Emails), slices.Clone(r.Phones)
	r.Addresses = slices.Clone(r.Addresses)
	for i := range r.Addresses {
		r.Addresses[i].Street = slices.Clone(r.Addresses[i].Street)
	}
	return r
}

// shorten writes words short that often are.
func shorten(s string) string {
	return strings.NewReplacer("Street", "St", "Road", "Rd", "Avenue", "Ave", "Terrace", "Tce", "Crescent", "Cres",
		"Company", "Co", "Brothers", "Bros", "International", "Intl", "Centre", "Ctr", "Manufacturing", "Mfg",
		"Saint", "St", " and ", " & ", "Services", "Svcs").Replace(s)
}

// plain takes accents away.
func plain(s string) string {
	return strings.NewReplacer("ā", "a", "ē", "e", "ī", "i", "ō", "o", "ū", "u", "Ō", "O", "Ā", "A", "é", "e", "è", "e",
		"ü", "u", "ö", "o", "ä", "a", "ñ", "n", "ç", "c", "ø", "o", "å", "a", "ß", "ss").Replace(s)
}

func slug(s string) string {
	return strings.ReplaceAll(match.Words(s), " ", "")
}
