package upstockcin7_test

import (
	"fmt"
	"testing"
	"time"

	"stockbridge/internal/upstockcin7"
)

// TestCatalogEndsInShortParts: where it takes most of an invocation to read what is wanted, each part of a run gets on
// all the same, from where the one before it stood, and the run ends.
func TestCatalogEndsInShortParts(t *testing.T) {
	t.Parallel()
	const more, latency = 120, 800 * time.Millisecond // an invocation has 38 s until it may make no call any more
	inShop(t, func(s *shop) {
		for i := range more {
			s.newProduct(fmt.Sprintf(`{"SKU":"DAY-%03d","Name":"Tea of the Day %[1]d","PriceTier1":%d}`, i, 8+i))
		}
		x := s.coreProducts()[0].ID
		for i := range more {
			s.newCustomer(fmt.Sprintf(`{"Name":"Corner Shop %03d","PriceTier":"Tier 1",
				"ProductPrices":[{"ProductID":"%s","Price":%d}]}`, i, x, 3+i))
		}
	}, func(s *shop) {
		s.importAll()
		s.agree()
		for _, p := range s.coreProducts() {
			s.edit("products", p.ID, `{"PriceTier1":77.5}`)
		}
		parts := map[*process]bool{}
		s.mu.Lock()
		s.afterQuery = func(p *process) {
			s.mu.Lock()
			parts[p] = true
			s.mu.Unlock()
			time.Sleep(latency)
		}
		s.mu.Unlock()
		s.sync(upstockcin7.JobPrices)
		s.rest()
		s.agree()
		if len(parts) < 5 || len(parts) > 20 {
			t.Errorf("%d invocations", len(parts))
		}
	})
}
