package upstockcin7_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/mutant"
	simcin7core "stockbridge/internal/sim/cin7core"
	"stockbridge/internal/tenant"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
)

// A schedule is one way in which an order's way can go wrong.
type schedule struct {
	scenario string                   // plain, duplicate, two, slow
	faults   map[int]fault            // by number of the effect
	settings bool                     // the tenant changes settings right after each fault
	on       map[string]map[int]fault // by name of the effect and its number among those
	like     map[string]map[int]fault // by a part of the name
	frozen   bool                     // invocations have no deadline
	reads    bool                     // what is read counts as an effect, and may fail
	// what a person does at the moment of the fault: cancel, retry, void; "" = nothing
	person string
}

func (s schedule) String() string {
	text := s.scenario
	for _, n := range slices.Sorted(maps.Keys(s.faults)) {
		text += fmt.Sprintf(" %d:%s", n, s.faults[n])
	}
	for _, name := range slices.Sorted(maps.Keys(s.on)) {
		for _, n := range slices.Sorted(maps.Keys(s.on[name])) {
			text += fmt.Sprintf(" %s %d:%s", name, n, s.on[name][n])
		}
	}
	for part, of := range s.like {
		text += fmt.Sprint(" ", part, of)
	}
	if s.settings {
		text += " settings changed"
	}
	if s.reads {
		text += " reads too"
	}
	if s.person != "" {
		text += ", a person's " + s.person
	}
	return text
}

// beyond reports whether the schedule has an effect that comes later than the
// protocol assumes: then a twin may have to be voided, and nothing worse.
func (s schedule) beyond() bool {
	for _, of := range s.on {
		for _, f := range of {
			if f == beyond || f == freeze {
				return true
			}
		}
	}
	return false
}

// horizon is how long a world may turn until it counts as stuck.
const horizon = 12 * time.Hour

var scenarios = []string{"plain", "duplicate", "two", "slow", "stale"}

// play runs one order through one schedule and returns the verdict, how many
// effects there were, and what they were.
func play(t testing.TB, b *base, path string, s schedule, most time.Duration) (verdict string, effects []string) {
	bubble(t, func() {
		w := newWorld(t, b, path)
		defer w.close()
		w.register()
		switch s.scenario {
		case "duplicate":
			w.copies = 2
		case "two", "slow":
			w.copies, w.skewed = 2, true
		case "stale":
			w.copies, w.skewed = 2, true
			w.afterQuery = staleReader()
		}
		w.faults, w.on, w.like, w.frozen, w.reads = s.faults, s.on, s.like, s.frozen, s.reads
		if s.settings {
			w.onFault = func() {
				if err := changeSettings(w); err != nil {
					t.Error(err)
				}
			}
		}
		var id int
		if s.person != "" {
			var acted atomic.Bool
			w.onFault = func() {
				if acted.CompareAndSwap(false, true) {
					w.acts(id, s.person)
				}
			}
		}
		o, err := w.simUpstock.PlaceOrder(w.acc.Upstock.Supplier, `{"comments":[{"text":"Leave at the back door"}]}`)
		if err != nil {
			t.Fatal(err)
		}
		w.mu.Lock()
		w.armed, id = true, o.ID
		w.mu.Unlock()
		if _, err := w.simUpstock.Approve(id); err != nil {
			t.Fatal(err)
		}
		w.settle(id, most)
		w.sim.Quiet()
		w.idle(time.Hour) // a bubble that ends while a worker waits in it is a deadlock
		verdict, effects = w.verdictAfter(id, s.person), w.names
		if verdict != "" && testing.Verbose() {
			r := w.run(id)
			if r != nil {
				for _, e := range r.Timeline {
					verdict += fmt.Sprintf("\n    %s %s", e.At.Format("15:04:05.000"), e.Text)
				}
			}
		}
	})
	return verdict, effects
}

// acts is a person's doing in the middle of it all.
func (w *world) acts(id int, what string) {
	switch what {
	case "cancel":
		_, _ = w.simUpstock.Cancel(id)
	case "retry":
		_ = w.process("console").app.Pair.Retry(context.Background(), w.tenant, strconv.Itoa(id),
			upstockcin7.RetryOptions{})
	case "void":
		for _, s := range w.live(id) {
			_, _ = w.simCore.Sale(s.ID, "void", "")
		}
	}
}

// verdictAfter is verdict where a person did something meanwhile: a cancelled
// order may end without a sale, and one whose sale was voided with a person;
// but never with two sales, an orphan or nobody's.
func (w *world) verdictAfter(id int, person string) string {
	v := w.verdict(id)
	if person == "" || person == "retry" || v == "" || w.run(id) == nil {
		return v
	}
	r, live := w.run(id), w.live(id)
	full := slices.ContainsFunc(live, func(s simcin7core.SaleSummary) bool { return s.Lines > 0 })
	switch {
	case len(live) > 1, len(live) == 1 && !full, !r.Finished() && r.State != ledger.Attention:
		return v
	case len(live) == 1 && !r.SoldAt.IsZero() && r.SaleID == live[0].ID:
		return ""
	case len(live) == 0 && person == "cancel" && r.State == order.Cancelled:
		return ""
	case len(live) == 0 && person == "void" && r.State == ledger.Attention:
		return ""
	}
	return v
}

// changeSettings saves settings that make another header of the same order.
func changeSettings(w *world) error {
	p := tenant.NewStore(w.store, w.box)
	s := sale.DefaultSettings()
	s.ShipBySource, s.SaleType = sale.NoDate, sale.Advanced
	err := saveSettings(p, w.tenant, &s)
	if errors.Is(err, tenant.ErrChanged) {
		return nil // another process met a fault at the same moment, and saved the same
	}
	return err
}

// schedules lists all single faults and all pairs over the effects of the
// order's way, the second one up to more effects later, for every scenario.
// Slow means that the process which meets the first fault sleeps past its lease.
func schedules(effects, more int) []schedule {
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
				one := map[int]fault{i: k}
				list = append(list, schedule{scenario: sc, faults: one},
					schedule{scenario: sc, faults: one, settings: true})
				for j := i + 1; j <= effects+more; j++ {
					if sc == "stale" && (i+j)%3 > 0 {
						continue
					}
					for _, k2 := range kinds {
						list = append(list,
							schedule{scenario: sc, faults: map[int]fault{i: k, j: k2}, settings: (i+j)%5 == 0})
					}
				}
			}
		}
	}
	return list
}

// wayEffects counts the effects of the undisturbed way.
func wayEffects(t *testing.T, b *base) int {
	verdict, effects := play(t, b, filepath.Join(t.TempDir(), "way.db"), schedule{scenario: "plain"}, horizon)
	if verdict != "" {
		t.Fatalf("undisturbed: %s", verdict)
	}
	for i, e := range effects {
		t.Logf("effect %d: %s", i+1, e)
	}
	return len(effects)
}

// playAll runs schedules side by side and returns the verdicts of those that failed.
func playAll(t *testing.T, b *base, list []schedule, stopAtFirst bool, most time.Duration) map[string]string {
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
					verdict, _ := play(t, b, path, list[i], most)
					if strings.HasPrefix(verdict, twinVoided) && list[i].beyond() {
						verdict = ""
					}
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
	list := schedules(n, 8)
	list = sample(t, list, 500, 60)
	failed := playAll(t, b, list, false, horizon)
	for s, verdict := range failed {
		t.Errorf("%s: %s", s, verdict)
	}
	t.Logf("crash proof: %d runs over %d effects in %s, %d failed", len(list), n,
		time.Since(start).Round(time.Millisecond), len(failed))
}

// TestCrashProofReads lets everything that is read fail too, alone, for a
// while, and together with a write that goes wrong.
func TestCrashProofReads(t *testing.T) {
	b := prepare(t)
	start := time.Now()
	verdict, effects := play(t, b, filepath.Join(t.TempDir(), "reads.db"), schedule{scenario: "plain", reads: true},
		horizon)
	if verdict != "" {
		t.Fatal(verdict)
	}
	var list []schedule
	isRead := func(i int) bool {
		_, what, _ := strings.Cut(effects[i-1], ": ")
		verb, _, _ := strings.Cut(what, " ")
		return slices.Contains([]string{"GET", "get", "query", "list"}, verb)
	}
	for i := 1; i <= len(effects); i++ {
		for _, sc := range []string{"plain", "duplicate"} {
			list = append(list, schedule{scenario: sc, reads: true, faults: map[int]fault{i: spell}})
			if !isRead(i) {
				continue
			}
			for _, k := range []fault{before, die} {
				list = append(list, schedule{scenario: sc, reads: true, faults: map[int]fault{i: k}})
				for j := max(1, i-10); j <= i+10; j++ {
					if j <= len(effects) && !isRead(j) {
						for _, k2 := range []fault{after, late, spell} {
							list = append(list, schedule{scenario: sc, reads: true, faults: map[int]fault{i: k, j: k2}})
						}
					}
				}
			}
		}
	}
	list = sample(t, list, 100, 12)
	failed := playAll(t, b, list, false, horizon)
	for s, verdict := range failed {
		t.Errorf("%s: %s", s, verdict)
	}
	t.Logf("crash proof of reads: %d runs over %d effects in %s, %d failed", len(list), len(effects),
		time.Since(start).Round(time.Millisecond), len(failed))
}

// TestCrashProofPeople lets a person cancel, retry or void at the moment at
// which something goes wrong, and something else go wrong after it.
func TestCrashProofPeople(t *testing.T) {
	b := prepare(t)
	start := time.Now()
	n := wayEffects(t, b)
	var list []schedule
	for _, sc := range []string{"plain", "duplicate", "two"} {
		for _, person := range []string{"cancel", "retry", "void"} {
			for i := 1; i <= n; i++ {
				for _, k := range []fault{before, after, late, die, spell} {
					list = append(list, schedule{scenario: sc, person: person, faults: map[int]fault{i: k}})
					for j := i + 1; j <= n+8; j++ {
						list = append(list,
							schedule{scenario: sc, person: person,
								faults: map[int]fault{i: k, j: []fault{before, after, late, die}[(i+j)%4]}})
					}
				}
			}
		}
	}
	list = sample(t, list, 100, 12)
	failed := playAll(t, b, list, false, horizon)
	for s, verdict := range failed {
		t.Errorf("%s: %s", s, verdict)
	}
	t.Logf("crash proof with people: %d runs over %d effects in %s, %d failed", len(list), n,
		time.Since(start).Round(time.Millisecond), len(failed))
}

const (
	postSale  = "POST /cin7core/ExternalApi/v2/sale"
	postLines = "POST /cin7core/ExternalApi/v2/sale/order"
)

// TestLateTwin lets the create take effect long after the settle time, past
// what the protocol assumes: the second sale is found, voided and said.
func TestLateTwin(t *testing.T) {
	b := prepare(t)
	for _, sc := range []string{"plain", "duplicate", "two"} {
		t.Run(sc, func(t *testing.T) {
			bubble(t, func() {
				w := newWorld(t, b, filepath.Join(t.TempDir(), "twin.db"))
				defer w.close()
				w.register()
				if sc != "plain" {
					w.copies = 2
				}
				w.on = map[string]map[int]fault{postSale: {1: beyond}}
				id := w.approve("")
				w.settle(id, horizon)
				if v := w.verdict(id); v != twinVoided {
					t.Errorf("verdict %q", v)
				}
				if !slices.ContainsFunc(w.run(id).Timeline, func(e ledger.Entry) bool {
					return strings.Contains(e.Text, "twin") && strings.Contains(e.Text, "was voided")
				}) {
					t.Error("nothing is said of the twin")
				}
			})
		})
	}
}

// staleReader lets every other worker act on what it read 20 seconds ago.
func staleReader() func(*process) {
	var n atomic.Int64
	return func(p *process) {
		if p.name == "orders" && n.Add(1)%2 == 1 {
			time.Sleep(20 * time.Second)
		}
	}
}

// TestStaleReader: a worker that read the run before another one met a lost
// answer, and takes the lease after that one gave it back, decides on what it
// finds with the lease.
func TestStaleReader(t *testing.T) {
	b := prepare(t)
	bubble(t, func() {
		w := newWorld(t, b, filepath.Join(t.TempDir(), "stale.db"))
		defer w.close()
		w.register()
		w.copies = 2
		w.faults = map[int]fault{1: die} // no pointer: both workers come from the sweep
		w.on = map[string]map[int]fault{postSale: {1: late}}
		w.afterQuery = staleReader()
		id := w.approve("")
		w.settle(id, horizon)
		if v := w.verdict(id); v != "" {
			t.Error(v)
		}
	})
}

// TestProofCanFail plays schedules over mutants without the rules of the protocol:
// they must end in two sales, a lost order, an orphan, a twin or an
// attention that nobody caused.
func TestProofCanFail(t *testing.T) {
	testsize.Large(t)
	t.Parallel()
	b := prepare(t)
	write := "write T#" + b.tenant + "#order"
	var list []schedule
	for _, sc := range scenarios {
		for _, k := range []fault{after, late, die, beyond, freeze} {
			for _, settings := range []bool{false, true} {
				for _, k2 := range []fault{none, after, die, beyond} {
					list = append(list, schedule{scenario: sc, settings: settings, frozen: true,
						on: map[string]map[int]fault{postSale: {1: k, 2: k2}}},
						schedule{scenario: sc, settings: settings, frozen: true,
							on: map[string]map[int]fault{postSale: {1: k}, postLines: {1: k2}}})
				}
			}
		}
		for n := 1; n < 8; n++ { // a worker that wakes after all is over
			list = append(list, schedule{scenario: sc, frozen: true, on: map[string]map[int]fault{write: {n: pause}}},
				schedule{scenario: sc, frozen: true, on: map[string]map[int]fault{write: {n: stall}}})
		}
	}
	const most = 3 * time.Hour
	if mutant.Compiled() != "" {
		mustFind(t, playAll(t, b, list, true, most))
		return
	}
	if !testsize.Whole() {
		list = sample(t, list, 12, 12)
	}
	if failed := playAll(t, b, list, false, most); len(failed) > 0 {
		t.Fatalf("with all rules on: %v", failed)
	}
	mutant.Caught(t, "TestProofCanFail",
		"a doubtful create is made again without a look", "a create is sent without being on record",
		"workers do not keep out of each other's way",
		"one look decides, however early", "every attempt plans anew", "any answered create becomes the run's sale")
}

// mustFind fails with what a mutant's schedules found wrong, as is asked of it.
func mustFind(t *testing.T, failed map[string]string) {
	for s, verdict := range failed {
		verdict, _, _ = strings.Cut(verdict, "\n")
		t.Errorf("%s: %s", s, verdict)
	}
}
