package testsize

import "testing"

// TestParts: the parts of a list are all of it, each value in one of them, and about as large as each other.
func TestParts(t *testing.T) {
	all := make([]int, 6000)
	for i := range all {
		all[i] = i
	}
	for _, parts := range [][]string{{"1/1"}, {"1/2", "2/2"}, {"1/3", "2/3", "3/3"}} {
		seen := map[int]int{}
		for _, part := range parts {
			some, err := partOf(part, all)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range some {
				seen[v]++
			}
			if share := len(all) / len(parts); len(some) < share*95/100 || len(some) > share*105/100 {
				t.Errorf("%s has %d of %d", part, len(some), len(all))
			}
		}
		for _, v := range all {
			if seen[v] != 1 {
				t.Fatalf("%d is in %d of %v", v, seen[v], parts)
			}
		}
	}
	for _, part := range []string{"", "2", "0/3", "4/3", "1/0", "one"} {
		if some, err := partOf(part, all); err == nil {
			t.Errorf("%q is taken for a part, of %d", part, len(some))
		}
	}
}
