package match

import (
	"slices"
	"strings"
)

// verdict is how one field of two records compares.
type verdict int8

const (
	silent  verdict = iota // one has none
	agrees                 // equal, which tells something
	shared                 // equal, but so in several records
	near                   // almost equal
	differs                // both have it, and nothing in common
)

// evidence is what two records have in common and what not, and its weight: the logarithm to base 2 of how much
// likelier it is for one party than for two.
type evidence struct {
	bits                            float64
	name, person                    compared
	code, email, domain, phone      verdict
	street, postcode, city, country verdict
	mixed                           bool // one is named by its person, though a company is known
	nameShared                      bool // several of one side have the name
	persons                         bool // neither is a company
}

// weigh compares two records. Everything else goes by it: which pairs are offered, which are sure, and the reasons.
func (l *Lists) weigh(a, b *prepared) (e evidence) {
	place := l.weighPlace(a, b, &e)
	e.name = l.bestName(a, b, e.city == agrees || e.city == near || e.postcode == agrees)
	e.bits = -l.size + place + e.name.bits + l.weighCode(a, b, &e) + l.weighEmail(a, b, &e) + l.weighPhone(a, b, &e)
	e.nameShared = e.name.how != unknown && l.sharedName(a, b, &e)
	if e.name.how != unknown {
		x, y := &a.names[e.name.as[0]], &b.names[e.name.as[1]]
		e.mixed = (x.person || y.person) && (a.company || b.company)
	}
	e.persons = !a.company && !b.company
	if a.company && b.company && len(a.person.words) > 0 && len(b.person.words) > 0 {
		e.person = l.compareNames(&a.person, &b.person, false, nil)
		switch e.person.how {
		case equal, alike:
			e.bits += min(max(e.person.bits-3, 1), 8)
		case part:
			e.bits += 1
		default:
			e.bits--
		}
	}
	return e
}

// bestName compares the names of two records: their companies, or a person with whatever the other is named by. Of a
// trading and a legal name the likelier counts; where both have both, it is the trading one.
func (l *Lists) bestName(a, b *prepared, sameCity bool) (best compared) {
	cities := a.cities
	if len(b.cities) > 0 {
		cities = append(slices.Clip(cities), b.cities...)
	}
	bothCompanies := a.company && b.company
	for i := range a.names {
		for j := range b.names {
			x, y := &a.names[i], &b.names[j]
			if bothCompanies && (x.person && y.person || !x.person && !y.person && a.trades && b.trades && i+j > 0) {
				continue
			}
			c := l.compareNames(x, y, sameCity, cities)
			c.as = [2]int8{int8(i), int8(j)}
			if x.person != y.person {
				if c.how != equal && c.how != alike {
					continue // one is known by the company, one by the person
				}
				c.bits -= 2
			}
			if best.how == unknown || c.bits > best.bits {
				best = c
			}
		}
	}
	return best
}

func (l *Lists) weighCode(a, b *prepared, e *evidence) float64 {
	for _, c := range a.codes {
		if slices.Contains(b.codes, c) {
			if !l.codes.alone(c) {
				e.code = shared
				continue
			}
			e.code = agrees
			return l.codeBits
		}
	}
	return 0
}

func (l *Lists) weighEmail(a, b *prepared, e *evidence) float64 {
	if len(a.emails) == 0 || len(b.emails) == 0 {
		return 0
	}
	e.email = differs
	for _, m := range a.emails {
		if !slices.Contains(b.emails, m) {
			continue
		}
		if l.emails.alone(m) {
			e.email = agrees
			return l.size + 2
		}
		e.email = shared
	}
	if e.email == shared {
		return 0
	}
	for _, x := range a.emails {
		for _, y := range b.emails {
			s, t := l.emails.text(x), l.emails.text(y)
			if len(s) >= 10 && l.emails.alone(x) && l.emails.alone(y) && within([]byte(s), []byte(t), 1) == 1 &&
				!differInDigit(s, t) {
				e.email = near
				return 5
			}
		}
	}
	for _, d := range a.domains {
		if slices.Contains(b.domains, d) {
			e.domain = agrees
			return min(max(l.domains.bits(d)-6, 0), 3)
		}
	}
	return -1.5
}

// differInDigit reports whether two texts have not the same digits.
func differInDigit(a, b string) bool {
	digits := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, s)
	}
	return digits(a) != digits(b)
}

func (l *Lists) weighPhone(a, b *prepared, e *evidence) float64 {
	if len(a.phones) == 0 || len(b.phones) == 0 {
		return 0
	}
	e.phone = differs
	for _, p := range a.phones {
		if slices.Contains(b.phones, p) {
			if l.phones.alone(p) {
				e.phone = agrees
				return l.size
			}
			e.phone = shared
		}
	}
	if e.phone == shared {
		return 0
	}
	return -1
}

// weighPlace compares addresses. A party may move, so that nothing in common costs less than something in common
// brings; and a town, its postcode and a street in it are not three reasons.
func (l *Lists) weighPlace(a, b *prepared, e *evidence) float64 {
	postcode := rarest(&l.postcodes, a.postcodes, b.postcodes, 8, &e.postcode)
	l.compareCities(a, b, e)
	town := 0.0
	switch e.city {
	case agrees:
		town = 0.5 + rarest(&l.cities, a.towns, b.towns, 7, &e.city)
	case near:
		town = 2
	}
	bits := max(postcode, town)
	if len(a.streetNums) > 0 && len(b.streetNums) > 0 {
		e.street = differs
		if street := rarest(&l.streets, a.streets, b.streets, l.size-1, &e.street); e.street == agrees {
			bits = min(bits/2, 3) + street
		} else if e.street = differs; e.postcode == agrees && l.slippedStreet(a, b) {
			e.street = near
			bits += 3
		}
	}
	if e.city == differs && e.street == agrees {
		e.city = near // another name of the place
	}
	rarest(&l.countries, a.countries, b.countries, 0, &e.country)
	for _, x := range []struct {
		v    verdict
		cost float64
	}{{e.street, 1}, {e.postcode, 1}, {e.city, 3}, {e.country, 6}} {
		if x.v == differs {
			bits -= x.cost
		}
	}
	return bits
}

// rarest is the weight of the rarest text that two records have in common, at most most. The verdict is whether they
// have one, if both have any.
func rarest(t *terms, a, b []int32, most float64, v *verdict) (bits float64) {
	if len(a) == 0 || len(b) == 0 {
		return 0
	}
	*v = differs
	for _, x := range a {
		if slices.Contains(b, x) {
			*v, bits = agrees, max(bits, min(t.bits(x), most))
		}
	}
	return bits
}

// slippedStreet reports whether two addresses have a number in common, and words that differ by a slip.
func (l *Lists) slippedStreet(a, b *prepared) bool {
	if !slices.ContainsFunc(a.streetNums, func(n int32) bool { return slices.Contains(b.streetNums, n) }) {
		return false
	}
	for _, x := range a.streetWords {
		for _, y := range b.streetWords {
			s, t := l.streetWords.text(x), l.streetWords.text(y)
			if most := len(s) / 4; most > 0 && within([]byte(s), []byte(t), min(most, 2)) <= min(most, 2) {
				return true
			}
		}
	}
	return false
}

func (l *Lists) compareCities(a, b *prepared, e *evidence) {
	if len(a.towns) == 0 || len(b.towns) == 0 {
		return
	}
	e.city = differs
	for _, x := range a.towns {
		for _, y := range b.towns {
			if x == y {
				e.city = agrees
				return
			}
			s, t := l.cities.text(x), l.cities.text(y)
			if len(s) > len(t) {
				s, t = t, s
			}
			switch most := min(len(s)/4, 2); {
			case strings.Contains(" "+t+" ", " "+s+" "): // a part of the town
				e.city = near
			case most > 0 && !l.bothCities(x, y) && within([]byte(s), []byte(t), most) <= most:
				e.city = near
			}
		}
	}
	if e.city == differs && e.postcode == agrees {
		e.city = near // a suburb, or the town that it belongs to
	}
}

func (l *Lists) bothCities(a, b int32) bool {
	few, many := l.cities.count(a), l.cities.count(b)
	if few > many {
		few, many = many, few
	}
	return few > 1 && few*50 > many
}

// convinces reports whether a pair of this evidence may be accepted without asking anybody, if none competes with it.
// Weight alone does not do: firms of one owner have nearly everything in common, and branches have their name.
func (e *evidence) convinces() bool {
	count := func(list ...bool) (n int) {
		for _, is := range list {
			if is {
				n++
			}
		}
		return n
	}
	person := e.person.how == equal || e.person.how == alike
	ids := count(e.email == agrees, e.phone == agrees, e.code == agrees) // each is one party's alone
	street := e.street == agrees || e.street == near
	located := street || e.postcode == agrees || e.city == agrees
	against := count(e.email == differs && e.domain != agrees, e.phone == differs,
		e.person.how == twin || e.person.how == other)
	apart := against + count(e.street == differs)
	if e.country == differs && ids < 2 {
		return false
	}
	// A branch elsewhere may have the e-mail of the head office, and a firm that moved has little else.
	elsewhere := e.city == differs
	moved := ids > 1 || ids > 0 && (person || against == 0 && !e.nameShared)
	if !located && !elsewhere && ids == 1 && !person && against > 1 {
		return false
	}
	if e.mixed && ids == 0 && !street {
		return false
	}
	switch e.name.how {
	case equal:
		switch {
		case elsewhere:
			return moved
		case apart >= 2:
			return ids > 0 || person || street
		}
		return true
	case alike:
		switch {
		case e.name.doubtful:
			return ids > 1 && (person || street) ||
				e.persons && e.street == agrees && (e.postcode == agrees || e.city == agrees)
		case elsewhere:
			return moved
		case apart >= 2:
			return ids > 0 || person || street
		}
		return ids > 0 || person || located
	case part:
		if e.persons && e.code == agrees && located {
			return true
		}
		return !elsewhere && (ids > 1 || ids > 0 && (person || street))
	case twin:
		return e.persons && e.code == agrees && located
	case other:
		return e.email == agrees && e.phone == agrees && person && street
	case unknown:
		return e.email == agrees && (e.phone == agrees || street || e.postcode == agrees)
	}
	return false
}
