package sim

import (
	"strings"
	"time"
)

// Call is one call as the vendor saw it. Status 0 = the answer was lost.
type Call struct {
	Method string    `json:"method"`
	Path   string    `json:"path"`
	Query  string    `json:"query"`
	Status int       `json:"status"`
	At     time.Time `json:"at"`
	Fault  string    `json:"fault,omitempty"`
}

const maxCalls = 2000 // kept per vendor and account

// meter counts the calls of one account to one vendor.
type meter struct {
	calls  []*Call
	over   int
	grants []time.Time // calls within the limit's window
}

// Calls lists the latest calls of an account to a vendor, oldest first.
// account "" = all accounts, one after another.
func (s *Sim) Calls(vendor, account string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Call{}
	s.eachMeter(vendor, account, func(m *meter) {
		for _, c := range m.calls {
			out = append(out, *c)
		}
	})
	return out
}

// OverLimit counts the calls of an account that were over its limit, refused or
// not. Injected throttle answers do not count.
func (s *Sim) OverLimit(vendor, account string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	s.eachMeter(vendor, account, func(m *meter) { n += m.over })
	return n
}

func (s *Sim) eachMeter(vendor, account string, f func(*meter)) {
	if account != "" {
		f(s.meter(vendor, account))
		return
	}
	for _, a := range s.accounts {
		f(s.meter(vendor, a.id(vendor)))
	}
}

func (s *Sim) meter(vendor, account string) *meter {
	key := vendor + " " + strings.ToLower(account)
	m := s.meters[key]
	if m == nil {
		m = &meter{}
		s.meters[key] = m
	}
	return m
}

// record logs a call; the caller fills in the status. s.mu is held.
func (m *meter) record(r *Request) *Call {
	c := &Call{Method: r.Method, Path: r.Path, Query: r.Query.Encode(), At: r.Now.UTC()}
	if len(m.calls) >= maxCalls {
		m.calls = append(m.calls[:0], m.calls[maxCalls/2:]...)
	}
	m.calls = append(m.calls, c)
	return c
}

// grant takes one call of n per sliding window; if there is none, it returns how
// long until the next. s.mu is held.
func (m *meter) grant(now time.Time, n int, window time.Duration, lenient bool) (wait time.Duration) {
	keep := 0
	for keep < len(m.grants) && !m.grants[keep].After(now.Add(-window)) {
		keep++
	}
	m.grants = append(m.grants[:0], m.grants[keep:]...)
	if len(m.grants) >= n {
		m.over++
		if !lenient {
			return m.grants[0].Add(window).Sub(now)
		}
		return 0
	}
	m.grants = append(m.grants, now)
	return 0
}

// Grant takes one call of n per sliding window for the calling account; if there
// is none, it returns how long until the next. The lock is held.
func (s *Sim) Grant(r *Request, n int, window time.Duration) (wait time.Duration) {
	return s.meter(r.Vendor, r.Account).grant(r.Now, n, s.Scaled(window), s.opts.NoLimits)
}

// Left returns how many of its n calls per window an account has left, and how
// many calls were over the limit. The lock is held.
func (p *Seat) Left(n int, window time.Duration) (left, over int) {
	m := p.Sim.meter(p.vendor.name, p.Account.id(p.vendor.name))
	for _, t := range m.grants {
		if t.After(time.Now().Add(-p.Sim.Scaled(window))) {
			n--
		}
	}
	return n, m.over
}
