package upstockcin7_test

import (
	"net/http"
	"strings"
	"testing"

	"stockbridge/internal/sim"
	"stockbridge/internal/upstockcin7"
)

// calls counts the calls so far of a method and a path that ends so, of one of the two systems.
func (s *shop) calls(of, method, path string) (n int) {
	for _, c := range s.sim.Calls(of, "") {
		if c.Method == method && strings.Contains(c.Path, path) {
			n++
		}
	}
	return n
}

// A tier that is renamed takes no price away, whichever job comes first: its customers have the new name at once.
func TestCatalogTierRenamed(t *testing.T) {
	t.Parallel()
	for _, first := range []string{upstockcin7.JobCustomers, upstockcin7.JobPrices, upstockcin7.JobProducts} {
		t.Run(first, func(t *testing.T) {
			t.Parallel()
			inShop(t, nil, func(s *shop) {
				s.importAll()
				s.agree()
				before := s.calls(sim.Upstock, http.MethodDelete, "/price-lists")
				s.control(http.MethodPut, "/sim/cin7core/tiers/1"+s.coreAt(), `{"Name":"Everybody"}`)
				s.sync(first)
				if n := s.calls(sim.Upstock, http.MethodDelete, "/price-lists") - before; n > 0 {
					t.Errorf("%d lists are taken away", n)
				}
				s.sync(upstockcin7.JobCustomers)
				s.sync(upstockcin7.JobPrices)
				s.agree()
			})
		})
	}
}
