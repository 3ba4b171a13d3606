package upstockcin7_test

import (
	"errors"
	"strings"
	"testing"

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
