package app

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstockcin7"
)

// TestFanOut: a schedule's one invocation sends each connected tenant its part
// of a job, once, spread over the interval; those not connected are left out.
func TestFanOut(t *testing.T) {
	const sending = 10 * time.Millisecond // as long as SQS takes
	many := testsize.Of(5000, 200, 200)
	dir := t.TempDir()
	store, err := table.Open(filepath.Join(dir, "s.db"), table.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	box, err := tenant.OpenBox(filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	sent, seconds, longest := map[string]int{}, map[time.Duration]int{}, time.Duration(0)
	a := New(Deps{Table: store, Sealer: box,
		Send: func(_ context.Context, q Queue, body []byte, group string, delay time.Duration) error {
			time.Sleep(sending)
			var j struct{ Job, Tenant string }
			if err := json.Unmarshal(body, &j); err != nil || q != ShipmentsQueue || j.Job != "shipments" ||
				j.Tenant != group {
				t.Errorf("queue %s, group %s: %s", q, group, body)
			}
			mu.Lock()
			defer mu.Unlock()
			sent[group]++
			seconds[delay.Truncate(time.Second)]++
			longest = max(longest, delay)
			return nil
		}})
	for i := range many + 2 {
		made, _, err := a.Tenants.Create(t.Context(), fmt.Sprint("Tenant ", i), "")
		if err != nil {
			t.Fatal(err)
		}
		for _, sys := range []tenant.System{tenant.Upstock, tenant.Cin7Core} {
			if i == many && sys == tenant.Cin7Core {
				continue // never connected
			}
			c, _, err := a.Tenants.Connect(t.Context(), made.ID, sys,
				func(c *tenant.Connection, _ *tenant.Secrets) error {
					c.Account = fmt.Sprint(i)
					return nil
				})
			if err == nil && i > many {
				_, err = a.Tenants.Broken(t.Context(), made.ID, sys, c.Generation, "the key is refused")
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	begun := time.Now()
	if err := a.Schedule(t.Context(), json.RawMessage(`{"job":"shipments"}`)); err != nil {
		t.Fatal(err)
	}
	took, busiest := time.Since(begun), 0
	for _, n := range seconds {
		busiest = max(busiest, n)
	}
	t.Logf("%d messages in %.2f s, spread over %.0f s, %d in the busiest second", len(sent), took.Seconds(),
		longest.Seconds(), busiest)
	for id, n := range sent {
		if n != 1 {
			t.Errorf("tenant %s: %d messages", id, n)
		}
	}
	spread := min(time.Duration(many)*50*time.Millisecond, 4*time.Minute)
	if len(sent) != many || longest > spread || longest < spread*9/10 || busiest > 3*max(20, many/240) {
		t.Errorf("%d of %d tenants, the last after %v, %d in one second", len(sent), many, longest, busiest)
	}
}

// TestNightlyUnlessToldOtherwise: a process that says itself how often a nightly job starts has it start so often.
func TestNightlyUnlessToldOtherwise(t *testing.T) {
	for every, want := range map[time.Duration]bool{0: true, time.Hour: true, time.Minute: false} {
		d := Deps{}
		if every > 0 {
			d.Every = map[string]time.Duration{upstockcin7.JobMirror: every}
		}
		if k, ok := New(d).Jobs.Kind(upstockcin7.JobMirror); !ok || k.Nightly != want {
			t.Errorf("every %s: nightly %t", every, k.Nightly)
		}
	}
}
