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
	calls   []*Call
	over    int
	grants  []time.Time // calls within the limit's window
	credits credits     // of a vendor that counts these instead
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

// Rate allows so many calls in any window.
type Rate struct {
	Calls  int
	Window time.Duration
}

// grant takes one call of every rate; if one of them has none left, it takes
// none, and returns how long until the next. s.mu is held.
func (m *meter) grant(now time.Time, lenient bool, rates ...Rate) (wait time.Duration) {
	longest := time.Duration(0)
	for _, r := range rates {
		longest = max(longest, r.Window)
		if over := len(m.grants) - r.Calls; over >= 0 { // the oldest of the newest r.Calls must have left the window
			wait = max(wait, m.grants[over].Add(r.Window).Sub(now))
		}
	}
	if wait > 0 {
		if m.over++; lenient {
			return 0
		}
		return wait
	}
	keep := 0
	for keep < len(m.grants) && !m.grants[keep].After(now.Add(-longest)) {
		keep++
	}
	m.grants = append(m.grants[keep:], now)
	return 0
}

// Grant takes one call of n per sliding window for the calling account; if there
// is none, it returns how long until the next. The lock is held.
func (s *Sim) Grant(r *Request, n int, window time.Duration) (wait time.Duration) {
	return s.GrantAll(r, Rate{n, window})
}

// GrantAll is Grant for a vendor that limits calls in several windows at once.
func (s *Sim) GrantAll(r *Request, rates ...Rate) (wait time.Duration) {
	scaled := make([]Rate, len(rates))
	for i, rate := range rates {
		scaled[i] = Rate{rate.Calls, s.Scaled(rate.Window)}
	}
	return s.meter(r.Vendor, r.Account).grant(r.Now, s.opts.NoLimits, scaled...)
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
