package job_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/tenant"
	"stockbridge/internal/testsize"
)

// TestNight: a tenant's turn comes once a day, in the night of its own clock, and at the same time each night; tenants
// have different ones. Where clocks are put forward or back, it still comes once.
func TestNight(t *testing.T) {
	testsize.Unraced(t) // it reckons
	hours := map[int]int{}
	for n := range 6 {
		for _, zone := range []string{"Pacific/Auckland", "America/New_York", "Asia/Kathmandu", "no zone"} {
			tn := tenant.Tenant{ID: fmt.Sprint("tenant", n), TimeZone: zone}
			turns, in := map[time.Time]bool{}, tn.Zone()
			start := time.Date(2026, 9, 20, 12, 0, 0, 0, time.UTC) // clocks change in the weeks that follow
			for at := start; at.Before(start.AddDate(0, 0, 50)); at = at.Add(time.Hour) {
				last, next := job.Night(tn, at), job.NextNight(tn, at)
				apart := next.Sub(last)
				if last.After(at) || !next.After(at) || apart < 22*time.Hour || apart > 26*time.Hour ||
					!job.Night(tn, next).Equal(next) {
					t.Fatalf("%s: at %s the turn was %s and comes %s", zone, at, last, next)
				}
				turns[last] = true
				if hour := last.In(in).Hour(); hour < 0 || hour > 5 {
					t.Errorf("%s: a turn at %s", zone, last.In(in))
				} else {
					hours[hour]++
				}
			}
			if len(turns) != 51 {
				t.Errorf("%s: %d turns in 50 days", zone, len(turns))
			}
		}
	}
	if len(hours) < 4 {
		t.Errorf("turns come in the hours %v", hours)
	}
}

// TestNightly: schedules start a nightly kind for a tenant twice after its turn has come, for one of them may be lost,
// and at no other time.
func TestNightly(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		r := w.runner(func(context.Context, *job.Part) error { return nil })
		r.Kinds[0].Nightly, r.Kinds[0].List, r.Kinds[0].Every = true, "", time.Hour
		b, err := w.Tenants.Load(t.Context(), w.tenant)
		if err != nil {
			t.Fatal(err)
		}
		for day := range 3 {
			turn := job.NextNight(b.Tenant, time.Now())
			for range 24 {
				time.Sleep(time.Hour)
				r.sent = nil
				if err := r.FanOut(t.Context(), things); err != nil {
					t.Fatal(err)
				}
				since := time.Since(turn)
				if due := since >= 0 && since < 2*time.Hour; due != (len(r.sent) == 1) {
					t.Errorf("day %d, %s after the turn: sent %v", day, since, r.sent)
				}
			}
		}
	})
}
