package matchtest

import (
	"fmt"
	"strings"

	"stockbridge/internal/match"
)

// land is a country that firms are of.
type land struct {
	code, name   string
	forms        [][]string // ways to write one legal form
	middle, ends []string
	cities       []string
	street       string
	trades       []string
}

var lands = []land{
	{"DE", "Germany", [][]string{{"GmbH", "G.m.b.H.", "Gesellschaft mbH"}, {"AG"}, {"GmbH & Co. KG", "GmbH & Co KG"}},
		split("ber lin wal hof stein müll schön bräu grün kraft"), split("mann er feld bach burg heim horst hardt"),
		split("Berlin München Köln Hamburg Frankfurt Stuttgart Düsseldorf Leipzig Dresden Nürnberg Bremen"),
		"%[2]sstraße %[1]d", split("Handel Technik Mode Möbel Maschinenbau Textil Lebensmittel Elektro Bau Papier")},
	{"FR", "France", [][]string{{"S.A.", "SA"}, {"SARL", "S.A.R.L."}, {"SAS"}},
		split("du bel mon le ro châ fré lau cour bou"), split("mont val reau rand let nier geois ville tin"),
		split("Paris Lyon Marseille Toulouse Nice Nantes Bordeaux Lille Rennes Orléans Béziers"),
		"%[1]d rue %[2]s", split("Boulangerie Vins Mode Meubles Textiles Distribution Papeterie Fleurs Chocolats")},
	{"ES", "Spain", [][]string{{"S.L.", "SL"}, {"S.A.", "SA"}},
		split("ca ma ro san mon gar lo pe bal co"), split("rral dero guez nez tierra bosa ñate llar món"),
		split("Madrid Barcelona Valencia Sevilla Zaragoza Málaga Bilbao Córdoba"),
		"Calle %[2]s %[1]d", split("Alimentos Muebles Textil Comercial Bebidas Calzados Distribuciones")},
	{"GB", "United Kingdom", [][]string{{"Ltd", "Limited", "Ltd."}, {"PLC", "plc"}, {"LLP"}},
		split("had whit thorn black ash brad cal hart win pem"), split("ley worth ton field combe more stead row"),
		split("London Manchester Leeds Bristol Glasgow Edinburgh Cardiff Sheffield York Bath Exeter"),
		"%[1]d %[2]s Road", split("Trading Manufacturing Textiles Stores Interiors International Services Foods")},
	{"SE", "Sweden", [][]string{{"AB", "Aktiebolag"}, {"HB"}},
		split("sjö berg lind holm ek gran nord sund ås hög"), split("ström kvist gren dahl lund fors strand vall"),
		split("Stockholm Göteborg Malmö Uppsala Västerås Örebro Linköping"),
		"%[2]sgatan %[1]d", split("Handel Möbler Teknik Bygg Livsmedel Design Textil")},
}

// Firms makes lists of companies of many countries, about n in each. Some have registered numbers, many no e-mail.
func Firms(seed uint64, n int) Case {
	m := newMaker(seed ^ 0xf1)
	c := Case{Name: fmt.Sprintf("firms %d", seed), Truth: map[string]string{}}
	var parties []match.Record
	forms := map[string][]string{}
	for len(parties) < n*10/8 {
		p, form := m.firm()
		if _, known := forms[p.Company]; known {
			continue
		}
		forms[p.Company] = form
		parties = append(parties, p)
		if m.chance(8) { // a sister in the same house
			q := clone(p)
			words := strings.Fields(p.Company)
			q.Company = words[0] + " " + m.any(split("Immobilien Logistik Holding Consult Energie Marine Capital"))
			if m.chance(50) {
				q.Emails = []string{"kontakt@" + slug(q.Company) + ".example"}
			}
			q.Codes = nil
			forms[q.Company] = form
			parties = append(parties, q)
		}
	}
	m.split(&c, parties, 70, func(p match.Record) match.Record { return m.spoilFirm(p, forms[p.Company]) })
	for i := range c.Ours {
		form := forms[c.Ours[i].Company]
		c.Ours[i].Company += " " + form[0]
	}
	return c
}

func (m *maker) firm() (p match.Record, form []string) {
	l := lands[m.IntN(len(lands))]
	stem := m.made(l.middle, l.ends)
	if m.chance(60) {
		stem = m.made(l.middle, l.middle, l.ends)
	}
	p.Company = stem + " " + m.any(l.trades)
	if m.chance(25) {
		p.Company = stem + " " + m.made(l.middle, l.ends) + " " + m.any(l.trades)
	}
	at := m.IntN(len(l.cities))
	street := fmt.Sprintf(l.street, 1+m.IntN(150), m.made(l.middle, l.ends))
	p.Addresses = []match.Address{{Street: []string{street}, City: l.cities[at], Country: l.name,
		Postcode: fmt.Sprint(10000 + at*3700 + m.IntN(40))}}
	if m.chance(60) {
		p.Emails = []string{m.any(split("info contact office sales export")) + "@" + slug(p.Company) + ".example"}
	}
	if m.chance(70) {
		p.Phones = []string{m.phone("+49 30")}
	}
	if m.chance(50) {
		m.number += 3
		p.Codes = []string{fmt.Sprint(l.code, 100_000_000+m.number*7)}
	}
	if m.chance(40) {
		p.Person = m.made(split("Hans Jean Juan Karl Luc Per Ann Eva Mia Lars")) + " " + m.made(l.middle, l.ends)
	}
	return p, l.forms[m.IntN(len(l.forms))]
}

func (m *maker) spoilFirm(p match.Record, form []string) match.Record {
	r := clone(p)
	name := r.Company
	if m.chance(10) {
		name = m.slipWord(name)
	}
	if m.chance(30) {
		name = plain(name)
	}
	if m.chance(3) { // without its trade
		name = strings.Join(strings.Fields(name)[:len(strings.Fields(name))-1], " ")
	}
	if m.chance(80) {
		name += " " + m.any(form)
	}
	if m.chance(20) {
		name = strings.ToUpper(name)
	}
	r.Company = name
	if m.chance(30) {
		r.Emails = nil
	}
	if m.chance(30) {
		r.Phones = nil
	}
	if m.chance(40) {
		r.Codes = nil
	}
	if m.chance(20) {
		r.Codes = append(r.Codes, "0", "")
	}
	a := &r.Addresses[0]
	if m.chance(5) {
		a.Street[0] = fmt.Sprintf("%d %s", 1+m.IntN(99), m.made(split("alt neu ober unter"), split("markt platz weg")))
	}
	if m.chance(30) {
		a.Street[0], a.City = plain(a.Street[0]), plain(a.City)
	}
	if m.chance(10) {
		a.Street = nil
	}
	if m.chance(30) {
		a.Country = ""
	}
	return r
}
