package upstockcin7_test

import (
	"testing"

	"stockbridge/internal/upstockcin7"
)

// A yes is for the price that was shown: not for another one that is held by now, nor for one that another person has
// said no to meanwhile.
func TestCatalogDecisionOfAnOldPage(t *testing.T) {
	t.Parallel()
	inShop(t, nil, func(s *shop) {
		a := s.newProduct(`{"SKU":"NEW-A","Name":"New A","PriceTier1":10}`)
		s.read()
		s.importAll()
		s.settings(`{"priceHoldPercent":"20"}`)
		list := "tier:1"
		held := func(price string) string {
			t.Helper()
			s.edit("products", a, `{"PriceTier1":`+price+`}`)
			s.sync(upstockcin7.JobPrices)
			x := s.heldOf(list)
			if x.New == nil || x.New.String() != price {
				t.Fatalf("%s is not held: %+v", price, x)
			}
			return x.ID
		}
		decide := func(want int, d upstockcin7.PriceDecision) {
			t.Helper()
			n, run, err := s.pair().DecidePrices(s.ctx(), s.bundle(), d)
			s.must(err)
			if run != nil {
				s.until(run)
			}
			if n != want {
				t.Errorf("decided about %d, want %d", n, want)
			}
		}
		old := held("7.5")
		now := held("0.01")
		decide(0, upstockcin7.PriceDecision{Approve: []string{old}})
		decide(1, upstockcin7.PriceDecision{Refuse: []string{now}})
		decide(0, upstockcin7.PriceDecision{Approve: []string{old}})
		if n := s.listsWith(a, "0.01"); n > 0 || s.listsWith(a, "10") == 0 {
			t.Errorf("a price that somebody said no to is in %d lists", n)
		}
		decide(1, upstockcin7.PriceDecision{Approve: []string{now}}) // somebody else thinks better of it
		if s.listsWith(a, "0.01") == 0 {
			t.Error("it was approved, and is in no list")
		}
	})
}
