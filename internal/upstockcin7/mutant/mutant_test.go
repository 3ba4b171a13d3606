package mutant

import "testing"

// TestFit: what a mutant replaces stands in the code, once.
func TestFit(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range All() {
		if seen[m.Name] {
			t.Errorf("%s: two mutants have this name", m.Name)
		}
		seen[m.Name] = true
		if _, err := m.Sources(); err != nil {
			t.Errorf("%s: %v", m.Name, err)
		}
	}
}
