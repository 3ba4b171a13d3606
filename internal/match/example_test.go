package match_test

import (
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
