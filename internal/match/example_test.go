package match_test

import (
	"cmp"
	"fmt"

	"stockbridge/internal/match"
)

// Two texts are the same to a reader if their folds are equal.
func ExampleKey() {
	fmt.Println(match.Key("Kōwhai  Café &amp; Co") == match.Key("KOWHAI CAFE & CO"))
	fmt.Println(match.Key("Pack 1 12") == match.Key("Pack 11 2")) // blanks between digits count
	fmt.Printf("%q\n", match.Key("\u200b "))                      // nothing to see, so nothing to look for
	// Output:
	// true
	// false
	// ""
}

// A score orders the cards from which a person chooses.
func ExampleCompare() {
	order := match.Party{Name: "Kowhai Cafe", Emails: []string{"orders@kowhai.example"}, Towns: []string{"Taupō"}}
	for _, card := range []match.Party{
		{Name: "Kōwhai Café", Emails: []string{"Orders@Kowhai.example"}, Towns: []string{"Auckland"}},
		{Name: "Kowhai Catering", Towns: []string{"TAUPO"}},
		{Name: "Harbour Roasters"},
	} {
		score, why := match.Compare(order, card)
		fmt.Println(card.Name, score > 0.5, why)
	}
	// Output:
	// Kōwhai Café true [the same name the same e-mail]
	// Kowhai Catering false [a name like it the same town]
	// Harbour Roasters false []
}

// Two lists are matched at once. What is not sure is a person's to decide.
func ExampleMatch() {
	at := func(city, postcode string) []match.Address { return []match.Address{{City: city, Postcode: postcode}} }
	ours := []match.Record{
		{ID: "1", Company: "Kōwhai Café", Emails: []string{"orders@kowhai.example"}, Addresses: at("Taupō", "3330")},
		{ID: "2", Company: "Harbour Foods", Phones: []string{"06 5550199"}, Addresses: at("Napier", "4110")},
	}
	theirs := []match.Record{
		{ID: "a", Company: "KOWHAI CAFE", Emails: []string{"Orders@kowhai.example"}, Addresses: at("Auckland", "1010")},
		{ID: "b", Company: "Harbour Fuels", Phones: []string{"+6465550199"}, Addresses: at("Napier", "4110")},
	}
	for _, p := range match.Match(ours, theirs, match.Known{}).Proposals {
		fmt.Println(p.Ours, cmp.Or(p.Theirs, "one of several"), p.Sure)
		for _, r := range p.Reasons {
			fmt.Println(" ", r)
		}
	}
	// Output:
	// 1 a true
	//   The e-mail is the same, and nobody else has it: orders@kowhai.example.
	//   The name is the same: Kōwhai Café.
	//   The postcodes differ: “3330” and “1010”.
	//   The towns differ: “Taupō” and “Auckland”.
	// 2 b false
	//   The telephone number is the same, and nobody else has it: 06 5550199.
	//   The postcode is the same: 4110.
	//   The town is the same: Napier.
	//   The names differ (0.64): “Harbour Foods” and “Harbour Fuels”.
}
