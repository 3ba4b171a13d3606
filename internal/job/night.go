package job

import (
	"time"

	"stockbridge/internal/tenant"
)

// A nightly job is for what costs many calls and is not urgent. It runs while a tenant's people sleep, and tenants of
// one time zone have their turns one after another.
const (
	nightFrom = 1             // o'clock, when the first turns come
	nightFor  = 4 * time.Hour // over which the turns are spread
)

// Night is when a tenant's turn in its newest night came: each night at the same time, by the tenant's own clock.
func Night(t tenant.Tenant, now time.Time) time.Time {
	turn := nightOf(t, now, 0)
	if turn.After(now) {
		turn = nightOf(t, now, -1)
	}
	return turn
}

// NextNight is when a tenant's turn comes next.
func NextNight(t tenant.Tenant, now time.Time) time.Time {
	turn := nightOf(t, now, 0)
	if !turn.After(now) {
		turn = nightOf(t, now, 1)
	}
	return turn
}

// nightOf is a tenant's turn so many days after today.
func nightOf(t tenant.Tenant, now time.Time, days int) time.Time {
	year, month, day := now.In(t.Zone()).Date()
	return time.Date(year, month, day+days, nightFrom, 0, 0, 0, t.Zone()).Add(offset(t.ID, nightFor)).UTC()
}

// turnNow reports whether schedules start a tenant's part of a kind now: of a nightly one two of them do, as one may be
// lost.
func (r *Runner) turnNow(k Kind, t tenant.Tenant) bool {
	now := r.Now()
	return !k.Nightly || now.Sub(Night(t, now)) < 2*r.Interval(k)
}
