package upstockcin7_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/tenant"
)

// A schedule is one way in which an order's way can go wrong.
type schedule struct {
	scenario string        // plain, duplicate, two, slow
	faults   map[int]fault // by number of the effect
	settings bool          // the tenant changes settings right after the first fault
}

func (s schedule) String() string {
	text := s.scenario
	for _, n := range slices.Sorted(maps.Keys(s.faults)) {
		text += fmt.Sprintf(" %d:%s", n, s.faults[n])
	}
	if s.settings {
		text += " settings changed"
	}
	return text
}

var scenarios = []string{"plain", "duplicate", "two", "slow"}

// play runs one order through one schedule and returns the verdict, how many
// effects there were, and what they were.
func play(t testing.TB, b *base, path string, s schedule, without string) (verdict string, effects []string) {
	bubble(t, func() {
		w := newWorld(t, b, path)
		defer w.close()
		w.tenant = b.tenant
		w.without = without
		w.register()
		switch s.scenario {
		case "duplicate":
			w.copies = 2
		case "two", "slow":
			w.copies, w.skewed = 2, true
		}
		w.faults = s.faults
		if s.settings {
			w.onFault = func() {
				if err := changeSettings(w); err != nil {
					t.Error(err)
				}
			}
		}
		o, err := w.sim.PlaceOrder(w.acc.Upstock.Supplier, `{"comments":[{"text":"Leave at the back door"}]}`)
		if err != nil {
			t.Fatal(err)
		}
		w.armed = true
		if _, err := w.sim.Approve(o.ID); err != nil {
			t.Fatal(err)
		}
		w.settle(o.ID, 12*time.Hour)
		w.sim.Quiet()
		synctest.Wait()
		verdict, effects = w.verdict(o.ID), w.names
		if verdict != "" && testing.Verbose() {
			r := w.run(o.ID)
			if r != nil {
				for _, e := range r.Timeline {
					verdict += fmt.Sprintf("\n    %s %s", e.At.Format("15:04:05.000"), e.Text)
				}
			}
		}
	})
	return verdict, effects
}

// changeSettings saves settings that make another header of the same order.
func changeSettings(w *world) error {
	p := tenant.NewStore(w.store, w.box)
	s := tenant.DefaultSettings()
	s.ShipBySource, s.SaleType = tenant.NoDate, tenant.Advanced
	_, err := p.SaveSettings(context.Background(), w.tenant, s, -1)
	return err
}

// schedules lists all single faults and all pairs over the effects of the
// longest way, for every scenario. Slow means that the first fault is met by a
// process that has slept past its lease.
func schedules(singles bool, effects int, beyondLast int) []schedule {
	var list []schedule
	kinds := []fault{before, after, late, die}
	for _, sc := range scenarios {
		list = append(list, schedule{scenario: sc})
		for i := 1; i <= effects; i++ {
			first := kinds
			if sc == "slow" {
				first = []fault{stall}
			}
			for _, k := range first {
				one := schedule{scenario: sc, faults: map[int]fault{i: k}}
				list = append(list, one)
				if one.settings = true; k != stall {
					list = append(list, one)
				}
				if singles {
					continue
				}
				for j := i + 1; j <= effects+beyondLast; j++ {
					for _, k2 := range kinds {
						list = append(list, schedule{scenario: sc, faults: map[int]fault{i: k, j: k2}, settings: (i+j)%5 == 0})
					}
				}
			}
		}
	}
	return list
}

// wayEffects counts the effects of the undisturbed way.
func wayEffects(t *testing.T, b *base) int {
	verdict, effects := play(t, b, filepath.Join(t.TempDir(), "way.db"), schedule{scenario: "plain"}, "")
	if verdict != "" {
		t.Fatalf("undisturbed: %s", verdict)
	}
	for i, e := range effects {
		t.Logf("effect %d: %s", i+1, e)
	}
	return len(effects)
}

// playAll runs schedules side by side and returns the verdicts of those that failed.
func playAll(t *testing.T, b *base, list []schedule, without string, stopAtFirst bool) map[string]string {
	var next, done atomic.Int64
	var mu sync.Mutex
	failed := map[string]string{}
	t.Run("schedules", func(t *testing.T) {
		for worker := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(worker), func(t *testing.T) {
				t.Parallel()
				path := filepath.Join(t.TempDir(), "proof.db")
				for {
					i := int(next.Add(1)) - 1
					if i >= len(list) {
						return
					}
					verdict, _ := play(t, b, path, list[i], without)
					done.Add(1)
					if verdict != "" {
						mu.Lock()
						failed[list[i].String()] = verdict
						enough := stopAtFirst || len(failed) >= 20
						mu.Unlock()
						if enough {
							next.Store(int64(len(list)))
						}
					}
				}
			})
		}
	})
	t.Logf("%d runs", done.Load())
	return failed
}

// TestCrashProof is the promise: one sale per approved order, with its lines
// and total, whatever fails in between. It takes an order's whole way, lets
// every outside effect go wrong in every manner, and every two of them.
func TestCrashProof(t *testing.T) {
	b := prepare(t)
	start := time.Now()
	n := wayEffects(t, b)
	list := schedules(os.Getenv("PAIRS") == "", n, 8)
	failed := playAll(t, b, list, "", false)
	for s, verdict := range failed {
		t.Errorf("%s: %s", s, verdict)
	}
	t.Logf("crash proof: %d runs over %d effects in %s, %d failed", len(list), n, time.Since(start).Round(time.Millisecond), len(failed))
}
