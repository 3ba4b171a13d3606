package upstockcin7_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/match"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
)

// A customer who was made in Upstock is not linked to another one there: two of Upstock's cannot be one.
func TestCatalogNewCustomerIsNotLinked(t *testing.T) {
	t.Parallel()
	inShop(t, nil, func(s *shop) {
		fresh := s.newCustomer(`{"Name":"Zebra Pantry"}`)
		s.read()
		s.importCustomers(fresh)
		other := s.theirs(`{"name":"Zebra Pantry Two"}`)
		s.importCustomers(s.newCustomerRead(`{"Name":"Quayside Foods Ltd"}`)) // Upstock's customers are read again
		err := s.pair().LinkCustomer(s.ctx(), s.bundle(), fresh, other)
		said, ok := errors.AsType[tenant.FieldErrors](err)
		if !ok || !strings.Contains(said.Error(), "Zebra Pantry") || !strings.Contains(said.Error(), "Two") {
			t.Errorf("it said %v", err)
		}
		s.sync(upstockcin7.JobCustomers)
		if c := s.customerInUpstock(fresh); c == nil || !c.Active || s.customer(fresh).Standing.State != "" {
			t.Errorf("%+v %+v", c, s.customer(fresh).Standing)
		}
	})
}

// newCustomerRead makes a customer, and has it read.
func (s *shop) newCustomerRead(doc string) string {
	s.t.Helper()
	id := s.newCustomer(doc)
	s.read()
	return id
}

// A link that was taken back but for its last step leaves Upstock's customer as it is, and is taken back once more.
func TestCatalogUnlinkBrokenOff(t *testing.T) {
	t.Parallel()
	inShop(t, nil, func(s *shop) {
		ours := s.newCustomer(mailed)
		s.read()
		theirs := s.theirs(`{"name":"Pier 9 Provisions"}`)
		s.importCustomers(ours)
		if !s.active(theirs) || !s.customer(ours).Imported {
			t.Fatalf("it is not linked: %+v", s.customer(ours))
		}
		s.mu.Lock()
		s.armed, s.faults = true, map[int]fault{1: die}
		s.mu.Unlock()
		if err := s.pair().UnlinkCustomer(s.ctx(), s.bundle(), ours); err == nil {
			t.Fatal("it was not broken off")
		}
		s.mu.Lock()
		s.armed = false
		s.mu.Unlock()
		s.sync(upstockcin7.JobCustomers)
		s.sync(upstockcin7.JobPrices)
		if v := s.customer(ours); !s.active(theirs) || v.Imported {
			t.Fatalf("active in Upstock: %v; %+v", s.active(theirs), v.CustomerRow)
		}
		s.must(s.pair().UnlinkCustomer(s.ctx(), s.bundle(), ours))
		s.sync(upstockcin7.JobCustomers)
		if v := s.customer(ours); !s.active(theirs) || v.Standing.Has {
			t.Errorf("active in Upstock: %v; %+v", s.active(theirs), v.Standing)
		}
	})
}

// comparisons counts how often Upstock's customers were read whole, to compare ours with them.
func (s *shop) comparisons() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, times := range s.seen {
		if strings.Contains(name, "query ") && strings.Contains(name, "#upstockcustomer#") {
			n += times
		}
	}
	return n
}

// Customers of whom a person has to say which they are, are compared with Upstock's again where something of either
// side changed, and not each hour.
func TestCatalogComparesWhatChanged(t *testing.T) {
	t.Parallel()
	inShop(t, nil, func(s *shop) {
		torn := s.newCustomer(`{"Name":"Twin Peaks Deli"}`)
		s.read()
		their := s.theirs(`[{"name":"Twin Peaks Deli"},{"name":"twin peaks deli"}]`)
		s.importCustomers(torn)
		s.sync(upstockcin7.JobCustomers)
		s.reads = true
		s.armedWith(map[int]fault{})
		for _, c := range []struct {
			what       string
			change     func()
			compares   bool
			candidates int
		}{
			{"nothing changed", func() {}, false, 2},
			{"an hour later", func() { time.Sleep(time.Hour) }, false, 2},
			{"ours changed", func() {
				s.edit("customers", torn, `{"Contacts":[{"Name":"Bo","Phone":"04 555 0101","Default":true}]}`)
			}, true, 2},
			{"theirs changed", func() { s.theirs(`{"name":"Twin Peaks Deli"}`) }, true, 3},
			{"nothing since", func() {}, false, 3},
		} {
			c.change()
			before := s.comparisons()
			s.sync(upstockcin7.JobCustomers)
			if n := s.comparisons() - before; n > 0 != c.compares || len(s.customer(torn).Candidates) != c.candidates {
				t.Errorf("%s: %d comparisons, %+v", c.what, n, s.customer(torn).Candidates)
			}
		}
		s.must(s.linked(their, torn))
		s.sync(upstockcin7.JobCustomers)
		if c := s.customerInUpstock(torn); c == nil || int64(c.ID) != their {
			t.Errorf("orders of one are sold to it: %+v", c)
		}
	})
}

// linked has orders of a customer of Upstock's sold to one of Cin7 Core, as a person wants it.
func (s *shop) linked(their int64, ours string) error {
	_, err := s.pair().SetLink(s.ctx(), s.tenant, "customer", strconv.FormatInt(their, 10), ours)
	return err
}

// Price lists come in the order of their names, as a reader compares these, and so do the customers of one.
func TestCatalogListsByName(t *testing.T) {
	t.Parallel()
	inShop(t, nil, func(s *shop) {
		own := fmt.Sprintf(`"ProductPrices":[{"ProductID":%q,"Price":1.25}]`, s.coreProducts()[0].ID)
		for _, name := range []string{"zebra Pantry", "Ōtaki Stores", "alpha Foods", "Otago Grocers", "Beta Foods"} {
			s.newCustomer(fmt.Sprintf(`{"Name":%q,%s}`, name, own))
			s.newCustomer(fmt.Sprintf(`{"Name":%q,"PriceTier":%q,"Discount":3}`, name+" Annex", s.tier(1)))
		}
		s.read()
		s.importAll()
		var names []string
		for after := ""; ; {
			rows, next, err := s.pair().PriceLists(s.ctx(), s.bundle(), after, 2)
			s.must(err)
			for _, r := range rows {
				if r.Customers == 0 {
					t.Errorf("%s has no customers", r.Name)
				}
				names = append(names, match.Fold(r.Name))
			}
			if after = next; next == "" {
				break
			}
		}
		own = "otaki stores (own prices)"
		if there := len(s.upLists()); !slices.IsSorted(names) || len(names) != there || !slices.Contains(names, own) {
			t.Errorf("%d lists of %d: %q", len(names), there, names)
		}
		list, err := s.pair().PriceList(s.ctx(), s.bundle(), "tier:1:3", "", 1)
		s.must(err)
		names = nil
		for _, m := range list.Members {
			names = append(names, match.Fold(m.Name))
		}
		if !slices.IsSorted(names) || len(names) != 5 {
			t.Errorf("%q", names)
		}
	})
}
