package matchtest

import (
	"fmt"
	"strings"

	"stockbridge/internal/match"
)

// Persons makes lists of private customers, about n in each: a name, an address and for some a telephone number.
func Persons(seed uint64, n int) Case {
	m := newMaker(seed ^ 0x5eed)
	c := Case{Name: fmt.Sprintf("persons %d", seed), Truth: map[string]string{}}
	var parties []match.Record
	for len(parties) < n*10/8 {
		p := m.somebody()
		parties = append(parties, p)
		if m.chance(12) { // one more of the household
			q := clone(p)
			for q.Person == p.Person {
				q.Person = m.one(givens) + " " + strings.Fields(p.Person)[1]
			}
			parties = append(parties, q)
		}
		if m.chance(6) { // a namesake elsewhere
			q := m.somebody()
			q.Person = p.Person
			parties = append(parties, q)
		}
	}
	m.split(&c, parties, 65, m.spoilPerson)
	return c
}

func (m *maker) somebody() (p match.Record) {
	family := m.any(surnames)
	if m.chance(60) {
		family = m.made(split("bar hol wes ken mar nor lin gar dal tho fen rad pel cor hux win bran ash"),
			split("ing ber ton le ma den ri ven ka lo"), split("ton ley man son by field ford ham wick well worth er"))
	}
	given := m.one(givens)
	if m.chance(40) {
		given = m.made(split("a e ka jo ma li so ni te ro da be"), split("li ra na di mi va lo ri sha bel"),
			split("a e n s na us el ine ah ette"))
	}
	p.Person = given + " " + family
	town := m.made(split("ash wood stone glen fair north south kings black white green"),
		split("field ford wick ton dale bury ham port mouth hill"))
	postcode := 2000 + (int(town[0])*131+int(town[1])*17+len(town)*7)%5000
	street := fmt.Sprintf("%d %s %s", 1+m.IntN(300), m.made(split("mac el bar ril har can den mil wat"),
		split("ling mont ley bur ton field wood"), split("s er y a o")), m.any(kinds))
	p.Addresses = []match.Address{{Street: []string{street}, City: town, Postcode: fmt.Sprint(postcode), Country: "AU",
		Region: m.any(split("NSW VIC QLD SA WA"))}}
	if m.chance(40) {
		p.Phones = []string{m.phone("04")}
	}
	return p
}

// spoilPerson returns a person as another system has it: up to three things are spoiled.
func (m *maker) spoilPerson(p match.Record) match.Record {
	r := clone(p)
	a := &r.Addresses[0]
	words := strings.Fields(r.Person)
	for range m.IntN(4) {
		switch m.IntN(10) {
		case 0:
			words[0] = m.slip(words[0])
		case 1:
			words[1] = m.slip(words[1])
		case 2, 3:
			a.Street[0] = m.slipWord(a.Street[0])
		case 4:
			a.City = m.slip(a.City)
		case 5:
			digits := []byte(a.Postcode)
			if len(digits) == 4 {
				digits[1+m.IntN(3)] = byte('0' + m.IntN(10))
				a.Postcode = string(digits)
			}
		case 6:
			a.Postcode = ""
		case 7:
			r.Phones = nil
		case 8:
			if m.chance(30) {
				words[0], words[1] = words[1], words[0]
			}
		case 9:
			if m.chance(30) {
				words[0] = words[0][:1] + "."
			} else {
				a.Street[0] = shorten(a.Street[0])
			}
		}
	}
	r.Person = strings.Join(words, " ")
	return r
}
