package matchtest

import (
	"fmt"
	"strings"

	"stockbridge/internal/match"
)

func split(s string) []string { return strings.Fields(s) }

var (
	fronts = split(`Harbour Royal Bay Kōwhai River Hill Central Southern Northern Coastal Golden Silver Green Blue Red
		Little Grand Tōtara Rimu Mānuka Pōhutukawa Ocean Island Valley Lake Forest Stone Iron Copper Cedar Maple Willow
		Orchard Meadow Garden Market Corner Station Bridge Castle Crown Star Sun Moon Anchor Lighthouse Sailor Captain
		Pacific Tasman Alpine Summit Ridge Canyon Prairie Desert Tropic Arctic Union Liberty Heritage Colonial Village
		City Metro Urban Rustic Artisan Classic Modern Premier Elite Pioneer Settler Drover Shepherd Miller Cooper
		Saddler Fletcher Weaver Potter Tanner Mason Falcon Eagle Heron Kererū Tūī Huia Weka Pūkeko Albatross Dolphin
		Whale Marlin Salmon Lobster Oyster Coral Pebble Shell Driftwood Tide Wave Breeze Storm Thunder Rainbow Cloud
		Aurora Comet Nova Orion Apollo Atlas Titan Phoenix Dragon Lion Tiger Bear Wolf Fox Badger Otter Beaver`)
	trades = split(`Foods Bakery Café Market Wines Coffee Gifts Books Flowers Interiors Hardware Grocers Butchery Fruits
		Fuels Textiles Fashion Boutique Shoes Jewellery Toys Sports Cycles Motors Tyres Pharmacy Organics Deli Kitchen
		Catering Restaurant Hotel Lodge Motel Tavern Brewery Distillery Roasters Chocolates Confectionery Ice Dairy
		Cheese Meats Seafoods Produce Growers Nursery Landscapes Furniture Lighting Ceramics Glass Paints Timber
		Plumbing Electrical Tools Machinery Packaging Print Stationers Media Studio Gallery Framing Music Games Pets
		Vets Saddlery Farms Supplies Traders Imports Exports Distributors Wholesale Services Beauty Hair Barbers
		Optics Linen Homewares Outfitters Apparel Clothing Surf Marine Fishing Camping Travel`)
	surnames = split(`Smith Brown Wilson Taylor Williams Jones Thompson Walker White Martin Anderson Clark Robinson
		Hall Young King Wright Scott Green Baker Adams Campbell Mitchell Roberts Turner Phillips Parker Evans Edwards
		Collins Stewart Morris Rogers Reed Cook Morgan Bell Murphy Bailey Cooper Richardson Cox Howard Ward Peterson
		Gray James Watson Brooks Kelly Sanders Price Bennett Wood Barnes Ross Henderson Coleman Jenkins Perry Powell
		Long Patterson Hughes Flores Washington Butler Simmons Foster Bryant Alexander Russell Griffin Hayes Ngata
		Parata Tamihana Hohepa Rāwiri Wiremu Singh Patel Sharma Kumar Chen Wang Li Zhang Nguyen Tran Kim Park Tanaka`)
	givens = split(`John Mary James Sarah David Emma Michael Anna Robert Jane William Kate Thomas Lucy Richard Helen Mark
		Rachel Paul Laura Peter Susan Andrew Karen Simon Julie Daniel Claire Matthew Fiona Mere Hemi Aroha Tāne Wiremu
		Moana Priya Ravi Mei Wei Yuki Kenji Linh Minh Olivia Noah Amelia Jack Isla Leo Ava Max Grace Oscar`)
	towns = []string{"Auckland 1010 09", "Wellington 6011 04", "Christchurch 8011 03", "Hamilton 3204 07",
		"Tauranga 3110 07", "Dunedin 9016 03", "Napier 4110 06", "Nelson 7010 03", "Rotorua 3010 07", "Taupō 3330 07",
		"Whangārei 0110 09", "Invercargill 9810 03", "Gisborne 4010 06", "Timaru 7910 03", "Blenheim 7201 03",
		"Queenstown 9300 03", "Kerikeri 0230 09", "Masterton 5810 06", "Levin 5510 06", "Ōamaru 9400 03",
		"Greymouth 7805 03", "Thames 3500 07", "Whakatāne 3120 07", "Feilding 4702 06", "Cambridge 3434 07"}
	roads = split(`High Queen King Main Church Station Victoria George Bridge Park Mill Beach Marine Tide Quay Albert
		Devon Cuba Willis Customs Hobson Rātā Karaka Kauri Titoki Pūriri Hill Valley School College Market Union
		Elizabeth William Edward Princes Regent Cross Spring Well Grove Cedar Elm Oak Ash Birch Hazel Laurel`)
	kinds = split("Street Road Avenue Terrace Crescent Lane Place Drive Parade")
)

// Traders makes lists of shops and wholesalers, about n in each.
func Traders(seed uint64, n int) Case {
	m := newMaker(seed)
	c := Case{Name: fmt.Sprintf("traders %d", seed), Truth: map[string]string{}}
	var parties []match.Record
	for len(parties) < n*10/8 {
		p := m.trader()
		parties = append(parties, p)
		if m.chance(10) {
			parties = append(parties, m.twinOf(p))
		}
		if m.chance(2) { // a bookkeeper's e-mail
			mail := "office@" + slug(m.any(surnames)) + "books.example"
			for range 2 + m.IntN(3) {
				q := m.trader()
				q.Emails = []string{mail}
				parties = append(parties, q)
			}
		}
	}
	m.split(&c, parties, 65, m.spoilTrader)
	return c
}

// trader draws a shop.
func (m *maker) trader() (p match.Record) {
	front := m.any(fronts)
	switch m.IntN(5) {
	case 0:
		front = m.one(surnames)
	case 1:
		front = m.made(split("ka ma to wai pu hau tara rangi moa ki ne ru"), split("ra ka nui roa pai iti ha ma ta no"),
			split("ra nga wai tu kore mea roto toa"))
	case 2:
		front = m.any(fronts) + " " + m.any(fronts)
	}
	p.Company = front + " " + m.one(trades)
	switch m.IntN(10) {
	case 0:
		p.Company = m.one(surnames) + " & " + m.any([]string{"Sons", "Co", "Daughters", m.one(surnames)})
	case 1:
		p.Company = m.one(givens) + "'s " + m.one(trades)
	case 2:
		p.Company = "The " + p.Company
	case 3, 4:
		p.Company += " and " + m.one(trades)
	}
	p.Company += m.any([]string{"", "", " Ltd", " Limited", " Pty Ltd", " Group", " (NZ) Ltd"})
	p.Person = m.one(givens) + " " + m.one(surnames)
	m.settleDown(&p)
	domain := slug(p.Company)[:min(12, len(slug(p.Company)))] + m.any([]string{"", "nz", "shop"}) + ".example"
	given := strings.ToLower(plain(strings.Fields(p.Person)[0]))
	switch m.IntN(4) {
	case 0:
		domain = m.any([]string{"gmail.com", "xtra.co.nz", "outlook.com"})
		p.Emails = []string{fmt.Sprintf("%s%d@%s", slug(p.Company)[:min(9, len(slug(p.Company)))], m.IntN(90), domain)}
	case 1:
		p.Emails = []string{given + "@" + domain}
	default:
		p.Emails = []string{m.any([]string{"orders", "info", "accounts", "sales", "hello"}) + "@" + domain}
	}
	return p
}

// settleDown draws an address and a telephone number.
func (m *maker) settleDown(p *match.Record) {
	town := strings.Fields(m.one(towns))
	street := fmt.Sprintf("%d %s %s", 1+m.IntN(240), m.any(roads), m.any(kinds))
	p.Addresses = []match.Address{{Street: []string{street}, City: town[0], Postcode: town[1], Country: "New Zealand"}}
	p.Phones = []string{m.phone("+64 " + town[2][1:])}
}

// twinOf draws a party that looks like another and is none of it.
func (m *maker) twinOf(p match.Record) match.Record {
	t := clone(p)
	q := m.trader()
	switch m.IntN(4) {
	case 0: // a branch in another town
		t.Addresses, t.Phones = q.Addresses, q.Phones
		for t.Addresses[0].City == p.Addresses[0].City {
			m.settleDown(&t)
		}
		if m.chance(70) {
			box, domain, _ := strings.Cut(p.Emails[0], "@")
			t.Emails = []string{box + slug(t.Addresses[0].City) + "@" + domain}
		}
		t.Person = q.Person
		return t
	case 1: // another trade under the name, of other people
		t = q
		words := strings.Fields(p.Company)
		for i := range words {
			if i > 0 && contains(trades, words[i]) {
				words[i] = m.any(trades)
			}
		}
		t.Company = strings.Join(words, " ")
		if t.Company == p.Company {
			t.Company = m.any(fronts) + " " + p.Company
		}
		if m.chance(40) {
			t.Addresses = p.Addresses
		}
	case 2: // another firm of the same owner
		words := strings.Fields(p.Company)
		t.Company = words[0] + " " + m.any(trades)
		if m.chance(50) {
			t.Emails = q.Emails
		}
		if m.chance(50) {
			t.Phones = q.Phones
		}
		if match.Words(t.Company) == match.Words(p.Company) {
			t.Company = m.any(fronts) + " " + m.any(trades)
		}
	default: // a namesake with one more word
		t = q
		t.Company = m.any(fronts) + " " + p.Company
		if m.chance(50) {
			t.Addresses[0].City, t.Addresses[0].Postcode = p.Addresses[0].City, p.Addresses[0].Postcode
		}
	}
	return t
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// spoilTrader returns a shop as another system has it.
func (m *maker) spoilTrader(p match.Record) match.Record {
	r := clone(p)
	if m.chance(40) {
		for _, form := range []string{" Ltd", " Limited", " Pty Ltd", " (NZ) Ltd"} {
			r.Company = strings.TrimSuffix(r.Company, form)
		}
		r.Company += m.any([]string{"", " Ltd", " Limited", " LTD.", " Co. Ltd"})
	}
	if m.chance(12) {
		r.Company = m.slipWord(r.Company)
	}
	if m.chance(3) {
		words := strings.Fields(r.Company)
		words[0], words[1] = words[1], words[0]
		r.Company = strings.Join(words, " ")
	}
	if m.chance(3) {
		r.Company = m.one(surnames) + " Holdings Ltd t/a " + r.Company
	}
	if m.chance(25) {
		r.Company = shorten(plain(r.Company))
	}
	if m.chance(10) {
		r.Company = strings.ToUpper(r.Company)
	}
	if m.chance(8) {
		_, domain, _ := strings.Cut(r.Emails[0], "@")
		r.Emails = []string{m.any([]string{"admin", "shop", "team", "office"}) + "@" + domain}
	}
	if m.chance(15) {
		r.Emails = nil
	}
	if m.chance(25) {
		r.Phones = nil
	} else if m.chance(40) {
		r.Phones[0] = "0" + strings.ReplaceAll(strings.TrimPrefix(r.Phones[0], "+64 "), " ", "")
	}
	if m.chance(15) {
		r.Person = m.one(givens) + " " + m.one(surnames)
	}
	if m.chance(15) {
		r.Person = ""
	}
	a := &r.Addresses[0]
	switch {
	case m.chance(6):
		phones := r.Phones
		m.settleDown(&r)
		if m.chance(60) {
			r.Phones = phones
		}
	case m.chance(8):
		r.Addresses = nil
	default:
		if m.chance(50) {
			a.Street[0] = shorten(plain(a.Street[0]))
		}
		if m.chance(8) {
			a.Street[0] = m.slipWord(a.Street[0])
		}
		if m.chance(10) {
			a.Postcode = ""
		}
		if m.chance(3) {
			a.City = m.slip(a.City)
		}
		a.Country = m.any([]string{"NZ", "New Zealand", ""})
	}
	return r
}
