package upstockcin7_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/sim"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstockcin7"
)

// A month of a shop, or a part of one: people edit products, customers, prices and tiers in Cin7 Core, import what is
// new, calls and writes fail, and each vendor is away for hours. Every third day is quiet, and at its end both sides
// agree.
func TestCatalogMonth(t *testing.T) {
	testsize.Large(t)
	t.Parallel()
	days := testsize.Of(60, 9, 0)
	inShop(t, nil, func(s *shop) {
		rng := rand.New(rand.NewPCG(7, 30))
		s.importAll()
		s.settings(`{"importNewProducts":true}`)
		s.sync(upstockcin7.JobProducts)
		for day := 1; day <= days; day++ {
			if day%3 > 0 {
				s.busyDay(rng)
				continue
			}
			s.quiet(day)
		}
		t.Logf("%d days, %d effects, %d products, %d customers, %d lists, %d writes", days, s.effects,
			len(s.upProducts()), len(s.upCustomers()), len(s.upLists()), s.writes())
	})
}

// quiet lets a quiet day pass, and compares both sides at its end.
func (s *shop) quiet(day int) {
	s.t.Helper()
	s.armedWith(nil)
	s.press(func() (*ledger.Progress, error) {
		return s.pair().ImportCustomers(s.ctx(), s.bundle(), upstockcin7.Selection{All: true})
	})
	for range 24 {
		time.Sleep(time.Hour)
		s.hour()
	}
	s.rest()
	if wrong := s.differences(); wrong != "" {
		s.t.Fatalf("on day %d the two sides do not agree:\n%s", day, wrong)
	}
	if n := s.sim.OverLimit(sim.Upstock, "") + s.sim.OverLimit(sim.Cin7Core, s.acc.Cin7Core.AccountID); n > 0 {
		s.t.Errorf("on day %d: %d calls over a limit", day, n)
	}
}

// armedWith has effects go wrong, by their numbers from now on; nil = none does.
func (s *shop) armedWith(faults map[int]fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed, s.faults = faults != nil, map[int]fault{}
	for n, f := range faults {
		s.faults[s.effects+n] = f
	}
}

// hour starts what schedules start in an hour.
func (s *shop) hour() {
	for _, job := range []string{"mirror", "products", "customers", "prices"} {
		s.process("schedule").app.Schedule(context.Background(), json.RawMessage(`{"job":"`+job+`"}`))
	}
}

// busyDay is a day on which people edit, and things go wrong.
func (s *shop) busyDay(rng *rand.Rand) {
	faults := map[int]fault{}
	for n := range 3000 {
		if rng.IntN(25) == 0 {
			faults[n+1] = []fault{before, after, late, die}[rng.IntN(4)]
		}
	}
	s.armedWith(faults)
	away := rng.IntN(20)
	for hour := range 24 {
		for range rng.IntN(3) {
			s.anyEdit(rng)
		}
		if hour == away {
			vendor := []string{sim.Upstock, sim.Cin7Core}[rng.IntN(2)]
			s.must(s.sim.Fault(vendor, sim.Fault{Kind: "before", How: "503", Times: -1}))
		}
		if hour == away+3 {
			s.sim.ClearFaults(sim.Upstock)
			s.sim.ClearFaults(sim.Cin7Core)
		}
		time.Sleep(time.Hour)
		s.hour()
	}
	s.sim.ClearFaults(sim.Upstock)
	s.sim.ClearFaults(sim.Cin7Core)
}

// anyEdit is something that people do in Cin7 Core.
func (s *shop) anyEdit(rng *rand.Rand) {
	products, customers := s.coreProducts(), s.coreCustomers()
	p, c := products[rng.IntN(len(products))], customers[rng.IntN(len(customers))]
	price := func() string { return fmt.Sprintf("%d.%04d", 1+rng.IntN(50), rng.IntN(10000)) }
	active := []string{"Active", "Deprecated"}[rng.IntN(2)]
	if p.Type == "Service" {
		return
	}
	switch rng.IntN(11) {
	case 0, 1:
		s.edit("products", p.ID, fmt.Sprintf(`{"PriceTier%d":%s}`, 1+rng.IntN(3), price()))
	case 2:
		s.edit("products", p.ID, fmt.Sprintf(`{"Name":"Renamed %d"}`, rng.IntN(1000)))
	case 3:
		s.edit("products", p.ID, `{"Status":"`+active+`"}`)
	case 4:
		s.newProduct(fmt.Sprintf(`{"SKU":"M-%d","Name":"Month %d","PriceTier1":%s}`, len(products), len(products), price()))
	case 5:
		s.newCustomer(fmt.Sprintf(`{"Name":"Buyer %s %d","PriceTier":%q,"Discount":%d}`,
			strings.Repeat("x", len(customers)),
			len(customers), s.tier(1+rng.IntN(3)), rng.IntN(3)*5))
	case 6:
		s.edit("customers", c.ID, fmt.Sprintf(`{"PriceTier":%q}`, s.tier(1+rng.IntN(3))))
	case 7:
		s.edit("customers", c.ID, fmt.Sprintf(`{"Discount":%d}`, rng.IntN(4)*3))
	case 8:
		s.edit("customers", c.ID, fmt.Sprintf(`{"ProductPrices":[{"ProductID":%q,"Price":%s}]}`, p.ID, price()))
	case 9:
		s.edit("customers", c.ID, `{"ProductPrices":[]}`)
	case 10:
		s.edit("customers", c.ID, `{"Status":"`+active+`"}`)
	}
}
