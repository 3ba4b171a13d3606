package match

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// prepared is a record, folded and numbered.
type prepared struct {
	*Record
	out                     bool // it is linked already
	company                 bool // it has a company's name
	trades                  bool // and a trading name
	names                   []name
	person                  name
	codes, emails, domains  []int32
	phones                  []int32
	places                  []place
	cities, towns           []int32 // words of its cities, as words of names; cities
	postcodes, streets      []int32
	countries               []int32
	streetWords, streetNums []int32
}

type place struct{ city, postcode int32 }

// mostOf is how many e-mails, addresses and so on of a record are compared.
const mostOf = 20

// Prepare makes two lists ready. Of several records with one id the first counts, in the order of what they hold.
func Prepare(ours, theirs []Record, known Known) *Lists {
	l := &Lists{refused: map[Pair][]Refusal{}}
	records := [2][]*Record{sorted(ours), sorted(theirs)}
	size := [2]int{len(records[0]), len(records[1])}
	for _, t := range l.tables() {
		t.size = size
	}
	l.size = math.Log2(float64(max(size[0], size[1]) + unseen/2))
	l.most = l.size + 6
	linked := [2]map[string]bool{{}, {}}
	for _, p := range known.Linked {
		linked[0][p.Ours], linked[1][p.Theirs] = true, true
	}
	for _, no := range known.Refused {
		l.refused[no.Pair] = append(l.refused[no.Pair], no)
	}
	for side, list := range records {
		l.all[side] = make([]prepared, len(list))
		for i, r := range list {
			l.prepare(&l.all[side][i], r, side, i)
			l.all[side][i].out = linked[side][r.ID]
		}
	}
	for side := range l.all {
		l.at[side] = make(map[string]int32, len(l.all[side]))
		for i := range l.all[side] {
			r := &l.all[side][i]
			l.at[side][r.ID] = int32(i)
			for _, city := range r.towns {
				for w := range strings.FieldsSeq(l.cities.text(city)) {
					if id, ok := l.words.ids[singular(w)]; ok {
						r.cities = append(r.cities, id)
					}
				}
			}
		}
	}
	for i := range l.all[0] {
		if !l.all[0][i].out {
			l.open = append(l.open, int32(i))
		}
	}
	l.index = l.newIndex()
	l.codeBits = l.weighCodes()
	return l
}

// sorted returns records in the order of their ids, each id once.
func sorted(list []Record) []*Record {
	all := make([]*Record, len(list))
	ids := map[string]int{}
	for i := range list {
		all[i] = &list[i]
		ids[list[i].ID]++
	}
	prints := map[*Record]string{}
	for _, r := range all {
		if ids[r.ID] > 1 {
			prints[r] = r.Fingerprint()
		}
	}
	slices.SortStableFunc(all, func(a, b *Record) int {
		return cmp.Or(strings.Compare(a.ID, b.ID), strings.Compare(prints[a], prints[b]))
	})
	return slices.CompactFunc(all, func(a, b *Record) bool { return a.ID == b.ID })
}

func (l *Lists) tables() []*terms {
	return []*terms{&l.words, &l.names, &l.codes, &l.emails, &l.domains, &l.phones, &l.cities, &l.postcodes, &l.streets,
		&l.streetWords, &l.countries}
}

// prepare folds and numbers what a record of a list has.
func (l *Lists) prepare(p *prepared, r *Record, side, at int) {
	p.Record = r
	companies := companyNames(r.Company)
	p.trades = len(companies) > 1
	for _, s := range companies {
		if n := l.newName(s, side, at); len(n.words) > 0 {
			p.names, p.company = append(p.names, n), true
		}
	}
	if p.person = l.newName(r.Person, side, at); len(p.person.words) > 0 {
		p.person.person = true
		p.names = append(p.names, p.person)
	}
	put := func(list *[]int32, t *terms, text string) {
		if id := t.add(text, side, at); id != nobody && !slices.Contains(*list, id) {
			*list = append(*list, id)
		}
	}
	for _, s := range r.Codes[:min(len(r.Codes), mostOf)] {
		put(&p.codes, &l.codes, realCode(s))
	}
	for _, s := range realEmails(r.Emails[:min(len(r.Emails), mostOf)]) {
		mail := Key(s)
		put(&p.emails, &l.emails, mail)
		if _, domain, _ := strings.Cut(mail, "@"); !freeMail()[domain] {
			put(&p.domains, &l.domains, domain)
		}
	}
	for _, s := range r.Phones[:min(len(r.Phones), mostOf)] {
		put(&p.phones, &l.phones, lastDigits(s))
	}
	for _, a := range r.Addresses[:min(len(r.Addresses), mostOf)] {
		l.prepareAddress(p, a, side, at, put)
	}
}

func (l *Lists) prepareAddress(p *prepared, a Address, side, at int, put func(*[]int32, *terms, string)) {
	city, postcode := Words(a.City), Code(a.Postcode)
	p.places = append(p.places, place{l.cities.add(city, side, at), l.postcodes.add(postcode, side, at)})
	put(&p.towns, &l.cities, city)
	put(&p.postcodes, &l.postcodes, postcode)
	if a.Country != "" {
		put(&p.countries, &l.countries, Country(a.Country))
	}
	numbers, words := streetParts(strings.Join(a.Street, " "))
	for _, n := range numbers {
		put(&p.streetNums, &l.streetWords, n)
		for _, w := range words {
			put(&p.streets, &l.streets, n+" "+w)
		}
	}
	for _, w := range words {
		put(&p.streetWords, &l.streetWords, w)
	}
}

func (l *Lists) newName(s string, side, at int) (n name) {
	words := nameWords(s)
	if len(words) == 0 {
		return n
	}
	for _, w := range words {
		n.words = append(n.words, l.words.add(w, side, at))
	}
	n.joined = strings.Join(words, "")
	n.key = l.names.add(strings.Join(slices.Sorted(slices.Values(words)), " "), side, at)
	slices.Sort(n.words)
	return n
}

// realCode is a code as it is compared. An empty one and a number that is zero are none.
func realCode(s string) string {
	code := Key(s)
	if strings.Trim(code, "0-{}. ") == "" {
		return ""
	}
	return code
}

// streetParts are the numbers and the words of a street address, short forms as streetShort has them, at most four of
// each. What stands in every other address, such as "street", is left out.
func streetParts(s string) (numbers, words []string) {
	for w := range strings.FieldsSeq(Words(s)) {
		if short := streetShort()[w]; short != "" {
			w = short
		}
		switch {
		case w[0] >= '0' && w[0] <= '9':
			if n := strings.TrimLeft(w, "0"); n != "" && len(numbers) < 4 && !isOrdinal(w) {
				numbers = append(numbers, n)
			} else if isOrdinal(w) {
				words = append(words, w)
			}
		case streetKinds()[w] || len(w) == 1:
		case len(words) < 4:
			words = append(words, w)
		}
	}
	return numbers, words
}

func isOrdinal(w string) bool {
	return strings.HasSuffix(w, "st") || strings.HasSuffix(w, "nd") || strings.HasSuffix(w, "rd") ||
		strings.HasSuffix(w, "th")
}

func singular(w string) string {
	if len(w) > 3 && strings.HasSuffix(w, "s") && !strings.HasSuffix(w, "ss") {
		return w[:len(w)-1]
	}
	return w
}

// weighCodes is the weight of an equal code, by how often the two records agree otherwise that have one: a number that
// counts up in both systems says little.
func (l *Lists) weighCodes() float64 {
	holder := map[int32]int32{}
	for i := range l.all[1] {
		for _, c := range l.all[1][i].codes {
			if l.codes.alone(c) {
				holder[c] = int32(i)
			}
		}
	}
	good, bad := 2.0, 1.0
	for i := range l.all[0] {
		a := &l.all[0][i]
		for _, c := range a.codes {
			at, ok := holder[c]
			if !ok {
				continue
			}
			e := l.weigh(a, &l.all[1][at])
			switch {
			case e.name.how == equal || e.name.how == alike || e.email == agrees || e.phone == agrees:
				good++
			case e.name.how == other || e.name.how == twin:
				bad++
			}
		}
	}
	return min(max(0, math.Log2(good/bad)+l.size/2), l.size+3)
}
