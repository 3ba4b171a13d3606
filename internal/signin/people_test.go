package signin_test

import (
	"strings"
	"testing"
	"time"

	"stockbridge/internal/issuer"
	"stockbridge/internal/signin"
)

// TestPeople: each tenant knows who has signed in that may see it, and when last; none hears of another, and nobody is
// known for ever.
func TestPeople(t *testing.T) {
	play(t, func(w *world) {
		w.issuer.Add(issuer.Person{Name: "Hanna", Role: "viewer", Tenants: []string{"t2", "t2", "", "a#b", "\xff",
			strings.Repeat("x", 2000)}})
		names := func(tenantID string) (all string) {
			people, err := w.desk.People(t.Context(), tenantID)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range people {
				all += p.Name + " "
				if len(p.Tenants) > 0 {
					t.Errorf("%s: it is said what else %s may see: %v", tenantID, p.Name, p.Tenants)
				}
			}
			return all
		}
		for _, name := range []string{"Ana", "Olga", "Hanna", "Nobody"} {
			b := w.browser()
			b.do("GET", b.leave(name, "/"), nil)
			time.Sleep(time.Hour)
		}
		if one, two, none := names("t1"), names("t2"), names("t3"); one != "Olga Ana " || two != "Hanna Olga Ana " ||
			none != "Olga " {
			t.Errorf("%q %q %q", one, two, none)
		}
		b := w.browser()
		b.do("GET", b.leave("Ana", "/"), nil)
		if people, err := w.desk.People(t.Context(), "t2"); err != nil || people[0].Name != "Ana" ||
			time.Since(people[0].Since) > time.Minute || people[0].Role != signin.Admin || len(people) != 3 {
			t.Errorf("signed in again: %v %v", people, err)
		}
		time.Sleep(366 * 24 * time.Hour)
		if all := names("t2"); all != "" {
			t.Errorf("a year later: %q", all)
		}
	})
}
