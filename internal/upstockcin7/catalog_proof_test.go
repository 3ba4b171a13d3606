package upstockcin7_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/sim"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstockcin7"
)

// The proof: a person imports products and customers, one of which is in Upstock already, and later a price, a tier and
// a status change. Every outside effect of that, each write and each call, fails before it takes effect, takes effect
// unheard, comes late, or is the last of its process. Whatever it was, both sides agree in the end, nothing is there
// twice, and another run sends nothing.
func TestCatalogProof(t *testing.T) {
	t.Parallel()
	effects := proofStory(t, 0, none)
	if effects < 60 {
		t.Fatalf("only %d effects", effects)
	}
	step := testsize.Of(1, 11, 41)
	for _, f := range []fault{before, after, late, die} {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			for n := 1 + int(f)%step; n <= effects; n += step {
				proofStory(t, n, f)
				if t.Failed() {
					t.Fatalf("with %s at effect %d of %d", f, n, effects)
				}
			}
		})
	}
}

// proofStory tells the story with a fault at an effect, and returns how many there were.
func proofStory(t *testing.T, at int, f fault) (effects int) {
	t.Helper()
	inShop(t, nil, func(s *shop) {
		a := s.newProduct(`{"SKU":"NEW-A","Name":"New A","PriceTier1":7.455,"PriceTier2":6}`)
		gone := s.newProduct(`{"SKU":"NEW-B","Name":"New B","PriceTier1":3,"PriceTier2":2.5}`)
		linked := s.newCustomer(`{"Name":"Pier 9 Provisions","PriceTier":"` + s.tier(2) + `"}`)
		own := s.newCustomer(`{"Name":"Zebra Pantry","Discount":2.5,"ProductPrices":[{"ProductSKU":"NEW-A","Price":12.46}]}`)
		s.theirs(`{"name":"PIER 9 provisions"}`)
		s.read()
		s.rest()
		s.mu.Lock()
		s.armed, s.faults = true, map[int]fault{at: f}
		s.mu.Unlock()
		s.press(func() (*ledger.Progress, error) {
			return s.pair().ImportProducts(s.ctx(), s.bundle(), upstockcin7.Selection{All: true})
		})
		s.press(func() (*ledger.Progress, error) {
			return s.pair().ImportCustomers(s.ctx(), s.bundle(), upstockcin7.Selection{All: true})
		})
		s.rest()
		time.Sleep(time.Minute)
		s.edit("products", a, `{"PriceTier1":8.25}`)
		s.edit("products", gone, `{"Status":"Deprecated"}`)
		s.edit("customers", own, `{"ProductPrices":[]}`)
		s.edit("customers", linked, `{"PriceTier":"`+s.tier(1)+`"}`)
		for _, kind := range []string{upstockcin7.JobProducts, upstockcin7.JobPrices} {
			s.press(func() (*ledger.Progress, error) { return s.pair().SyncCatalog(s.ctx(), s.bundle(), kind) })
			s.rest()
		}
		s.mu.Lock()
		effects, s.armed = s.effects, false
		hit := "nothing"
		if at > 0 && at <= len(s.names) {
			hit = s.names[at-1]
		}
		s.mu.Unlock()
		s.atRest(fmt.Sprintf("%s at %d, %s", f, at, hit))
	})
	return effects
}

// press has a person ask until there is an answer.
func (s *shop) press(ask func() (*ledger.Progress, error)) {
	s.t.Helper()
	for range 5 {
		if _, err := ask(); err == nil {
			return
		}
		time.Sleep(time.Minute)
	}
	s.t.Fatal("nothing can be asked for")
}

// atRest holds what is so once the jobs have come to rest and schedules have come: both sides agree, and another run
// sends nothing.
func (s *shop) atRest(when string) {
	s.t.Helper()
	s.rest()
	for range 2 * 60 {
		time.Sleep(time.Minute)
		s.tick()
	}
	s.rest()
	if wrong := s.differences(); wrong != "" {
		s.t.Errorf("%s: the two sides do not agree:\n%s", when, wrong)
		return
	}
	before := s.writes()
	for _, kind := range []string{upstockcin7.JobProducts, upstockcin7.JobCustomers, upstockcin7.JobPrices} {
		s.sync(kind)
	}
	s.rest()
	if n := s.writes() - before; n > 0 {
		s.t.Errorf("%s: another run makes %d writes: %s", when, n, s.lastWrites(n))
	}
	if n := s.sim.OverLimit(sim.Upstock, ""); n > 0 {
		s.t.Errorf("%s: %d calls over Upstock's limit", when, n)
	}
}

func (s *shop) lastWrites(n int) string {
	var list []string
	for _, c := range s.sim.Calls(sim.Upstock, "") {
		if c.Method != http.MethodGet {
			list = append(list, c.Method+" "+c.Path)
		}
	}
	return strings.Join(list[max(0, len(list)-n):], ", ")
}
