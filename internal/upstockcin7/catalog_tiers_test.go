package upstockcin7_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

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

// A tier that is renamed while a run is under way takes no price away, where another job has read the customers of it
// since the run read the tiers. A name that no tier has is asked about once.
func TestCatalogTierRenamedMeanwhile(t *testing.T) {
	t.Parallel()
	inShop(t, nil, func(s *shop) {
		s.newCustomer(`{"Name":"Odd One","PriceTier":"Tier of old"}`)
		s.importAll()
		before := map[string]int{}
		for _, c := range s.upCustomers() {
			before[listName(c)]++
		}
		renamed := false
		s.mu.Lock()
		s.around = func(p *process, req *http.Request, do func() (*http.Response, error)) (*http.Response, error) {
			resp, err := do()
			if strings.Contains(req.URL.Path, "/ref/priceTier") && !renamed {
				renamed = true
				s.control(http.MethodPut, "/sim/cin7core/tiers/1"+s.coreAt(), `{"Name":"Everybody"}`)
				for _, c := range s.coreCustomers() {
					if c.PriceTier == "Everybody" {
						s.edit("customers", c.ID, `{"Phone":"555 0100"}`)
					}
				}
				time.Sleep(3 * time.Second)
				s.must(s.do(context.Background(), "catalog", upstockcin7.JobCustomers))
			}
			now := map[string]int{}
			for _, c := range s.upCustomers() {
				now[listName(c)]++
			}
			if now["none"] > before["none"] {
				t.Errorf("%d customers have no prices after %s %s", now["none"], req.Method, req.URL.Path)
			}
			return resp, err
		}
		s.mu.Unlock()
		s.sync(upstockcin7.JobPrices)
		s.rest()
		s.agree()
		if !renamed {
			t.Error("no tier was read")
		}
	})
}

// listName is the id of a customer's list.
func listName(c upCustomer) string {
	if c.PriceListExternalID == nil {
		return ""
	}
	return *c.PriceListExternalID
}
