package match

import (
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	bay := Party{Name: "Bay Bakery", Emails: []string{"orders@bay.example"}, Phones: []string{"+64 6 555 0199"},
		Towns: []string{"Napier"}, Streets: []string{"4 Tide Street"}, Postcodes: []string{"4110"}}
	for _, c := range []struct {
		name     string
		other    Party
		from, to float64
		why      string
		against  bool
	}{
		{"all the same", Party{"bay  BAKERY", []string{"ORDERS@bay.example"}, []string{"06 555 0199"},
			[]string{"napier"}, []string{"4 Tide Street"}, []string{"41 10"}}, 1, 1,
			"the same name, the same e-mail, the same telephone number, the same street address, the same town, the " +
				"same postcode", false},
		{"the name alone", Party{Name: "Bay Bakery"}, 0.6, 0.6, "the same name", false},
		{"a name like it", Party{Name: "Bay Bakery Ltd", Towns: []string{"Napier"}}, 0.4, 0.55,
			"a name like it, the same town", false},
		{"a shared office", Party{Name: "Harbourside Grocers", Emails: []string{"orders@bay.example"}}, 0.2, 0.3,
			"the same e-mail", false},
		{"another e-mail", Party{Name: "Bay Bakery", Emails: []string{"x@else.example"}, Towns: []string{"Napier"}},
			0.65, 0.65, "the same name, the same town", false},
		{"another town", Party{Name: "Bay Bakery", Emails: []string{"orders@bay.example"}, Towns: []string{"Bluff"}},
			0.8, 0.8, "the same name, the same e-mail", false},
		{"another e-mail and town", Party{Name: "Bay Bakery", Emails: []string{"x@else.example"},
			Towns: []string{"Bluff"}}, 0.6, 0.6, "the same name", true},
		{"no e-mail to speak of", Party{Name: "Bay Bakery", Emails: []string{"noemail@else.example", ""},
			Towns: []string{"Bluff"}}, 0.6, 0.6, "the same name", false},
		{"nobody", Party{}, 0, 0, "", false},
	} {
		score, why := Compare(bay, c.other)
		back, _ := Compare(c.other, bay)
		if score < c.from || score > c.to || back != score || strings.Join(why, ", ") != c.why ||
			Contradicts(bay, c.other) != c.against || Contradicts(c.other, bay) != c.against {
			t.Errorf("%s: %v (back %v) %q, against %v", c.name, score, back, why, Contradicts(bay, c.other))
		}
	}
	if n, _ := Compare(Party{Emails: []string{"noemail@x.example"}},
		Party{Emails: []string{"noemail@x.example"}}); n != 0 {
		t.Errorf("no e-mail is the same e-mail: %v", n)
	}
	for _, same := range [][]string{{"NZ", "nzl", "New Zealand", " new  zealand", "Aotearoa"},
		{"GB", "UK", "United Kingdom", "U.K."}, {"Bolivia, Plurinational State of", "bo"}, {"Narnia", "NARNIA "}} {
		for _, s := range same {
			if Country(s) != Country(same[0]) {
				t.Errorf("%q is %q, %q is %q", s, Country(s), same[0], Country(same[0]))
			}
		}
	}
	if Country("") != "" || Country("Austria") == Country("Australia") || Country("Guinea") == Country("GNQ") {
		t.Error("different countries are the same")
	}
}
