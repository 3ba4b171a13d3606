package sim

import "time"

// credits is what an account spent in a window that began with a call.
type credits struct {
	began time.Time
	spent int
}

// left is what is left of so many credits.
func (c credits) left(now time.Time, n int, window time.Duration) int {
	if !now.Before(c.began.Add(window)) {
		return n
	}
	return n - c.spent
}

// Spend takes what a call of the calling account costs of n credits per window. A window begins with the first call
// after the one before ended. If there are not so many left, it returns how long until this one ends. The lock is held.
func (s *Sim) Spend(r *Request, cost, n int, window time.Duration) (wait time.Duration) {
	m, window := s.meter(r.Vendor, r.Account), s.Scaled(window)
	c := &m.credits
	if c.left(r.Now, n, window) < cost {
		if m.over++; !s.opts.NoLimits {
			return c.began.Add(window).Sub(r.Now)
		}
	}
	if !r.Now.Before(c.began.Add(window)) {
		*c = credits{began: r.Now}
	}
	c.spent += cost
	return 0
}

// Unspent returns how many of its n credits per window an account has left, and how many calls were more than it had.
// The lock is held.
func (p *Seat) Unspent(n int, window time.Duration) (left, over int) {
	m := p.Sim.meter(p.vendor.name, p.Account.id(p.vendor.name))
	return m.credits.left(time.Now(), n, p.Sim.Scaled(window)), m.over
}
