package match_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/match"
	"stockbridge/internal/match/matchtest"
	"stockbridge/internal/testsize"
)

// at is an address in New Zealand.
func at(street, city, postcode string) []match.Address {
	return []match.Address{{Street: []string{street}, City: city, Postcode: postcode, Country: "NZ"}}
}

// among matches a pair that stands in lists of others, and alone, and returns both proposals.
func among(others matchtest.Case, ours, theirs match.Record) (proposals [2]match.Proposal) {
	ours.ID, theirs.ID = "ours", "theirs"
	for i, lists := range [2][2][]match.Record{
		{{ours}, {theirs}},
		{append(slices.Clip(others.Ours), ours), append(slices.Clip(others.Theirs), theirs)},
	} {
		for _, p := range match.Match(lists[0], lists[1], match.Known{}).Proposals {
			if p.Ours == "ours" {
				proposals[i] = p
			}
		}
	}
	return proposals
}

// What a person would accept at a glance is sure, and what needs a look is not, both in long lists and in short ones.
func TestSure(t *testing.T) {
	others := matchtest.Traders(7, 150)
	tide, quay := at("4 Tide Street", "Napier", "4110"), at("18 Quay Road", "Bluff", "9814")
	one := func(company, mail, phone, person string, at []match.Address) match.Record {
		r := match.Record{Company: company, Person: person, Addresses: at}
		if mail != "" {
			r.Emails = []string{mail}
		}
		if phone != "" {
			r.Phones = []string{phone}
		}
		return r
	}
	coded := func(r match.Record, codes ...string) match.Record { r.Codes = codes; return r }
	for _, c := range []struct {
		name         string
		ours, theirs match.Record
		sure         bool
	}{
		{"all the same", one("Zephyr Bakery Ltd", "hi@zephyr.example", "06 555 0199", "Ann Lee", tide),
			one("ZEPHYR BAKERY", "HI@zephyr.example", "+64 6 555 0199", "Ann Lee", tide), true},
		{"name and e-mail", one("Zephyr Bakery", "hi@zephyr.example", "", "", nil),
			one("Zephyr Bakery Limited", "hi@zephyr.example", "", "", nil), true},
		{"name and postcode", one("Kōwhai Traders", "", "", "", at("", "Napier", "4110")),
			one("Kowhai Traders", "", "", "", at("", "", "4110")), true},
		{"words swapped", one("Zephyr Bakery", "hi@zephyr.example", "", "", tide),
			one("Bakery Zephyr", "", "", "", tide), true},
		{"a slip, and the street", one("Zephyr Bakery", "", "", "", tide),
			one("Zephir Bakery", "", "", "", tide), true},
		{"a trading name", one("Zephyr Bakery", "hi@zephyr.example", "", "", tide),
			one("Lee Holdings Ltd t/a Zephyr Bakery", "hi@zephyr.example", "", "", nil), true},
		{"moved", one("Zephyr Bakery", "hi@zephyr.example", "06 555 0199", "Ann Lee", tide),
			one("Zephyr Bakery", "hi@zephyr.example", "", "Ann Lee", quay), true},
		{"short forms", one("Zephyr Bros Mfg Co", "", "", "", at("4 Tide Street", "Napier", "4110")),
			one("Zephyr Brothers Manufacturing Company", "", "", "", at("4 Tide St.", "Napier", "4110")), true},
		{"legal forms", one("Zéphyr S.A.", "", "", "", tide), one("Zephyr SA", "", "", "", tide), true},
		{"its own town in the name", one("Zephyr Bakery", "hi@zephyr.example", "", "", tide),
			one("Zephyr Bakery Napier", "hi@zephyr.example", "", "", at("", "Napier", "")), true},
		{"by its person", one("Zephyr Bakery", "ann@zephyr.example", "", "Ann Lee", tide),
			match.Record{Company: "Lee, Ann", Emails: []string{"ann@zephyr.example"}}, true},
		{"an initial in one house", match.Record{Person: "J. Zephyr", Addresses: tide},
			match.Record{Person: "Jane Zephyr", Addresses: tide}, true},

		{"another trade", one("Harbour Foods", "office@harbour.example", "06 555 0199", "Ann Lee", tide),
			one("Harbour Fuels", "office@harbour.example", "06 555 0199", "Ann Lee", tide), false},
		{"a trade that is spelled like it", one("Royal Bakery", "", "06 555 0199", "", tide),
			one("Royal Butchery", "", "06 555 0199", "", tide), false},
		{"company and sons", one("Smith & Co Ltd", "", "06 555 0199", "Ann Lee", tide),
			one("Smith & Sons Ltd", "", "06 555 0199", "Ann Lee", tide), false},
		{"a branch", one("Zephyr Bakery", "", "", "", tide), one("Zephyr Bakery", "", "", "", quay), false},
		{"a branch with its e-mail", one("Zephyr Bakery", "napier@zephyr.example", "06 555 0199", "Ann Lee", tide),
			one("Zephyr Bakery", "bluff@zephyr.example", "03 555 0102", "Tom Ng", quay), false},
		{"a branch with one e-mail for all", one("Zephyr Bakery", "hi@zephyr.example", "06 555 0199", "Ann Lee", tide),
			one("Zephyr Bakery", "hi@zephyr.example", "03 555 0102", "Tom Ng", quay), false},
		{"another town in the name", one("Zephyr Bakery", "", "06 555 0199", "", tide),
			one("Zephyr Bakery Bluff", "", "06 555 0199", "", nil), false},
		{"two firms of one owner", one("Zephyr Bakery", "ann@lee.example", "06 555 0199", "", tide),
			one("Quayside Motors", "ann@lee.example", "06 555 0199", "", tide), false},
		{"branches by number", one("Zephyr Store 12", "", "", "", tide),
			one("Zephyr Store 21", "", "", "", tide), false},
		{"two trading names of one firm", one("Lee Holdings t/a Zephyr Bakery", "", "06 555 0199", "", tide),
			one("Lee Holdings t/a Tide Motors", "", "06 555 0199", "", tide), false},
		{"an e-mail alone", one("Zephyr Bakery", "hi@zephyr.example", "", "", tide),
			one("Quayside Motors", "hi@zephyr.example", "", "", quay), false},
		{"a code alone", coded(one("Zephyr Bakery", "a@zephyr.example", "06 555 0199", "Ann Lee", tide), "C-4711"),
			coded(one("Quayside Motors", "b@quay.example", "03 555 0102", "Tom Ng", quay), "C-4711"), false},
		{"a code and the name, elsewhere",
			coded(one("Zephyr Bakery", "a@zephyr.example", "06 555 0199", "Ann Lee", tide), "C-4711"),
			coded(one("Zephyr Bakery", "b@quay.example", "03 555 0102", "Tom Ng", quay), "C-4711"), false},
		{"no code to speak of", coded(one("Zephyr Bakery", "", "", "", tide), "0", ""),
			coded(one("Quayside Motors", "", "", "", quay), "0", "", " "), false},
		{"two parts of a country", one("Northern Foods", "", "06 555 0199", "", tide),
			one("Southern Foods", "", "06 555 0199", "", tide), false},
		{"one letter, another word", one("Bay Foods", "", "06 555 0199", "", tide),
			one("Bay Goods", "", "06 555 0199", "", tide), false},
		{"the beginning of a word", one("Harbour Foods", "", "", "", tide),
			one("Harbourside Foods", "", "", "", tide), false},
		{"in two countries", one("Zephyr Bakery NZ", "", "06 555 0199", "Ann Lee", nil),
			one("Zephyr Bakery Australia", "", "", "Ann Lee", nil), false},
		{"a namesake of one who works there", one("Zephyr Bakery", "", "", "Ann Lee", tide),
			match.Record{Person: "Ann Lee", Addresses: at("9 Quay Road", "Napier", "4110")}, false},
		{"an initial elsewhere", match.Record{Person: "J. Zephyr", Addresses: tide},
			match.Record{Person: "Jane Zephyr", Addresses: at("9 Quay Road", "Napier", "4110")}, false},
		{"one household", match.Record{Person: "John Zephyr", Addresses: tide},
			match.Record{Person: "Jane Zephyr", Addresses: tide}, false},
		{"nothing known", match.Record{}, match.Record{}, false},
		{"no e-mail to speak of", one("", "noemail@none.example", "", "", nil),
			one("", "noemail@none.example", "", "", nil), false},
	} {
		for i, p := range among(others, c.ours, c.theirs) {
			if sure := p.Sure && p.Theirs == "theirs"; sure != c.sure {
				t.Errorf("%s, in list %d: sure is %v with %v, %v", c.name, i, sure, p.Score, p.Reasons)
			}
		}
	}
}

// Of what is sure next to nothing is wrong, and next to nothing is missed, whatever made the lists.
func TestGenerated(t *testing.T) {
	testsize.Unraced(t)
	const seeds = 10
	n := testsize.Of(5000, 500, 500)
	for _, make := range []func(uint64, int) matchtest.Case{matchtest.Traders, matchtest.Persons, matchtest.Firms} {
		sure, right, truth, offered := 0.0, 0.0, 0.0, 0.0
		var wrong []string
		for seed := range uint64(seeds) {
			c := make(seed+1, n)
			v := c.Judge(match.Match(c.Ours, c.Theirs, match.Known{}))
			all := float64(len(c.Truth))
			truth, right, offered = truth+all, right+v.Recall*all, offered+v.Offered*all
			sure += v.Recall*all + float64(len(v.Wrong))
			for _, p := range v.Wrong {
				wrong = append(wrong, fmt.Sprintf("%s: %s is not %s: %v", c.Name, p.Ours, p.Theirs, p.Reasons))
			}
			if v.Recall < 0.92 {
				t.Errorf("%s: recall %.3f", c.Name, v.Recall)
			}
		}
		name := strings.Fields(make(1, 1).Name)[0]
		t.Logf("%s: %.0f pairs, precision %.4f, recall %.4f, offered %.4f", name, truth, right/sure, right/truth,
			offered/truth)
		if right/sure < 0.995 || right/truth < 0.95 || offered/truth < 0.99 {
			t.Errorf("%s: precision %.4f, recall %.4f, offered %.4f; %q", name, right/sure, right/truth,
				offered/truth, wrong)
		}
	}
}

// The result is the same in any order, in parts, and after what was found was stored; each record is in one pair.
func TestAnyOrder(t *testing.T) {
	c := matchtest.Traders(3, 300)
	known := match.Known{Linked: []match.Pair{{Ours: c.Ours[0].ID, Theirs: c.Theirs[0].ID}}}
	want := match.Match(c.Ours, c.Theirs, known)
	draw := rand.New(rand.NewPCG(1, 1))
	swap := func(list []match.Record) func(i, j int) {
		return func(i, j int) { list[i], list[j] = list[j], list[i] }
	}
	draw.Shuffle(len(c.Ours), swap(c.Ours))
	draw.Shuffle(len(c.Theirs), swap(c.Theirs))
	var kept []match.Found
	for parts := 0; ; parts++ {
		lists := match.Prepare(c.Ours, c.Theirs, known) // as after a break
		if len(kept) >= lists.Len() {
			if diff := cmp.Diff(want, lists.Settle(kept)); diff != "" || parts < 3 {
				t.Errorf("in %d parts (-at once):\n%s", parts, diff)
			}
			break
		}
		data, err := json.Marshal(lists.Look(len(kept), len(kept)+100))
		if err != nil {
			t.Fatal(err)
		}
		var part []match.Found
		if err := json.Unmarshal(data, &part); err != nil {
			t.Fatal(err)
		}
		kept = append(kept, part...)
	}
	once := map[string]bool{}
	for i, p := range want.Proposals {
		if once[p.Ours] || p.Theirs != "" && once["theirs "+p.Theirs] {
			t.Errorf("%+v: a record is in two pairs", p)
		}
		once[p.Ours], once["theirs "+p.Theirs] = true, true
		if p.Sure != (p.Score >= match.SureScore) || p.Score < 0 || p.Score > 1 ||
			i > 0 && p.Score > want.Proposals[i-1].Score {
			t.Errorf("%+v: sure or not", p)
		}
	}
}

// What is linked is offered no more, but what it holds still counts; what was refused comes back only when a record
// has changed, and says so.
func TestKnown(t *testing.T) {
	ours := []match.Record{{ID: "1", Company: "Zephyr Bakery", Emails: []string{"hi@zephyr.example"}},
		{ID: "2", Company: "Harbour Motors", Emails: []string{"shared@books.example"}}}
	theirs := []match.Record{{ID: "a", Company: "Zephyr Bakery", Emails: []string{"hi@zephyr.example"}},
		{ID: "b", Company: "Harbour Motors", Emails: []string{"shared@books.example"}},
		{ID: "c", Company: "Tide Florists", Emails: []string{"shared@books.example"}}}
	all := match.Match(ours, theirs, match.Known{Linked: []match.Pair{{Ours: "9", Theirs: "c"}}}).Proposals
	if len(all) != 2 || !all[0].Sure || all[0].Theirs != "a" || all[1].Sure || all[1].Theirs != "b" {
		t.Fatalf("%+v", all)
	}
	isShared := func(r match.Reason) bool { return r.Fact == match.EmailShared }
	if got := all[1].Reasons; !slices.ContainsFunc(got, isShared) {
		t.Errorf("an e-mail that a linked one has too: %v", got)
	}
	linked := match.Known{Linked: []match.Pair{{Ours: "1", Theirs: "a"}}}
	if got := match.Match(ours, theirs, linked).Proposals; len(got) != 1 || got[0].Ours != "2" {
		t.Errorf("linked: %+v", got)
	}
	no := match.Refusal{Pair: match.Pair{Ours: "1", Theirs: "a"}, OursWas: ours[0].Fingerprint(),
		TheirsWas: theirs[0].Fingerprint()}
	refused := match.Known{Refused: []match.Refusal{no}}
	back := func() (facts []match.Fact) {
		for _, p := range match.Match(ours, theirs, refused).Proposals {
			if p.Ours == "1" && p.Sure {
				t.Errorf("sure although it was refused: %+v", p)
			}
			for _, r := range p.Reasons {
				if p.Ours == "1" {
					facts = append(facts, r.Fact)
				}
			}
		}
		return facts
	}
	if got := back(); got != nil {
		t.Errorf("refused: %v", got)
	}
	theirs[0].Emails = []string{"HI@zephyr.example"} // as a reader compares it, nothing changed
	if got := back(); got != nil {
		t.Errorf("refused, and written otherwise: %v", got)
	}
	theirs[0].Phones = []string{"06 555 0102"}
	if got := back(); !slices.Contains(got, match.BackTheirs) {
		t.Errorf("theirs changed: %v", got)
	}
	ours[0].Company = "Zephyr Bakery Ltd"
	if got := back(); !slices.Contains(got, match.BackOurs) {
		t.Errorf("ours changed: %v", got)
	}
	refused.Refused[0] = match.Refusal{Pair: no.Pair}
	if got := back(); got != nil {
		t.Errorf("refused for good: %v", got)
	}
}

// A code of zeros is none.
func TestNoCode(t *testing.T) {
	for _, code := range []string{"0", "", " ", "000", "00000000-0000-0000-0000-000000000000", "C-4711"} {
		list := []match.Record{{ID: "1", Company: "Zephyr Bakery", Codes: []string{code}}}
		got := fmt.Sprint(match.Match(list, list, match.Known{}).Proposals[0].Reasons)
		if strings.Contains(got, "code") != (code == "C-4711") {
			t.Errorf("%q: %s", code, got)
		}
	}
}

// Several that are equally like are all shown, and none is chosen.
func TestAmbiguous(t *testing.T) {
	ours := []match.Record{{ID: "1", Company: "Zephyr Bakery"}}
	theirs := []match.Record{{ID: "a", Company: "Zephyr Bakery", Addresses: at("4 Tide St", "Napier", "4110")},
		{ID: "b", Company: "Zephyr Bakery", Addresses: at("1 Quay Rd", "Bluff", "9814")}}
	got := match.Match(ours, theirs, match.Known{}).Proposals
	if len(got) != 1 || got[0].Theirs != "" || got[0].Sure || len(got[0].Candidates) != 2 || got[0].Score > 0.5 {
		t.Errorf("%+v", got)
	}
	for _, c := range got[0].Candidates {
		if fmt.Sprint(c.Reasons) != "[The name is the same: Zephyr Bakery. Others have this name too: Zephyr Bakery.]" {
			t.Errorf("%v", c.Reasons)
		}
	}
}

// Each fact has its sentence, and is for a pair or against it.
func TestReasons(t *testing.T) {
	for facts, against := range map[*[]match.Fact]bool{
		{match.CodeEqual, match.EmailEqual, match.EmailLike, match.DomainEqual, match.CompanyEqual, match.CompanyLike,
			match.CompanyPart, match.PersonEqual, match.PersonLike, match.PhoneEqual, match.StreetEqual,
			match.StreetLike, match.PostcodeEqual, match.CityEqual, match.CityLike}: false,
		{match.CompanyDiffers, match.PersonDiffers, match.EmailDiffers, match.PhoneDiffers, match.StreetDiffers,
			match.PostcodeDiffers, match.CityDiffers, match.CountryDiffers, match.CodeShared, match.EmailShared,
			match.PhoneShared, match.NameShared, match.OthersLike, match.BackOurs, match.BackTheirs}: true,
	} {
		for _, f := range *facts {
			r := match.Reason{Fact: f, Ours: "Zephyr", Theirs: "Quay", Like: 0.5}
			if s := r.String(); r.Against() != against || !strings.HasSuffix(s, ".") || strings.Contains(s, string(f)) {
				t.Errorf("%s: %q, against %v", f, s, r.Against())
			}
		}
	}
}

// Lists that are made to have everything in common are as quick as others: blocks of very many are left out, and named.
func TestCrowds(t *testing.T) {
	n := testsize.Of(20_000, 3000, 300)
	var ours, theirs []match.Record
	for i := range n {
		r := match.Record{ID: fmt.Sprint(i), Company: "Zephyr Bakery", Person: "Ann Lee", Codes: []string{"C-1"},
			Emails: []string{"hi@zephyr.example"}, Phones: []string{"06 555 0199"},
			Addresses: at("4 Tide St", "Napier", "4110")}
		ours, theirs = append(ours, r), append(theirs, r)
	}
	ours[7].Company, theirs[9].Company = "Quayside Motors", "Quayside Motors"
	got := match.Match(ours, theirs, match.Known{})
	if len(got.Proposals) > 10 || len(got.LeftOut) != 5 ||
		got.LeftOut[0] != (match.Crowd{Fact: match.CodeEqual, Text: "c-1", Records: n}) {
		t.Errorf("%d proposals, left out: %+v", len(got.Proposals), got.LeftOut)
	}
	found := slices.IndexFunc(got.Proposals, func(p match.Proposal) bool { return p.Ours == "7" && p.Theirs == "9" })
	if found < 0 || slices.ContainsFunc(got.Proposals, func(p match.Proposal) bool { return p.Sure && p.Ours != "7" }) {
		t.Errorf("%d proposals, the one at %d", len(got.Proposals), found)
	}
}

// Whatever a record holds, nothing breaks, and it is like itself the same way round.
func FuzzMatch(f *testing.F) {
	f.Add("Zephyr Bakery t/a Tide", "Zephyr", "a@b.example", "C-1", "1/2 High St", "Napier")
	f.Add("((", "\xff\xfe", "@", "0", "\u200b", "\u202e ")
	f.Add("ß ss ﬁ", "a", "x@", "-", strings.Repeat("1 a ", 40), strings.Repeat("long", 40))
	f.Fuzz(func(t *testing.T, company, person, mail, code, street, city string) {
		here := match.Address{Street: []string{street}, City: city, Postcode: code}
		a := match.Record{ID: "a", Company: company, Person: person, Emails: []string{mail},
			Codes: []string{code, code}, Phones: []string{code}, Addresses: []match.Address{here, {}}}
		b := match.Record{ID: "b", Company: person, Person: company, Emails: []string{mail, city},
			Codes:     []string{code},
			Addresses: []match.Address{{Street: []string{city, street}, City: street, Country: city}}}
		for _, lists := range [][2][]match.Record{{{a, b}, {a, b}}, {{a, a}, {b, b}}, {{a}, nil}, {nil, {b}}} {
			for _, p := range match.Match(lists[0], lists[1], match.Known{}).Proposals {
				if p.Score < 0 || p.Score > 1 || p.Sure && p.Theirs == "" {
					t.Errorf("%+v", p)
				}
			}
		}
	})
}
