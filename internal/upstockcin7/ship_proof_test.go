package upstockcin7_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/mutant"
	"stockbridge/internal/sim"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstockcin7/order"
)

// A way is one job's way through the world, every outside effect of which may
// go wrong: it must end well, whatever fails in between.
type way struct {
	name string
	sim  sim.Options
	// ready prepares the world before anything goes wrong and answers the way's
	// steps, minute by minute, and its verdict: "" = all is well.
	ready func(w *world) (step func(minute int), verdict func() string)
	least int // minutes
}

// pollEvery is how many minutes pass between two runs of the jobs: more than a
// window's overlap, so that no second poll heals what a first one lost.
const pollEvery = 15

// tick is a minute of schedules: the jobs, and the sweep where it could matter.
func (w *world) tick(minute int, jobs ...string) {
	synctest.Wait()
	if minute%pollEvery == 0 {
		for _, job := range jobs {
			w.process("schedule").app.Schedule(context.Background(), json.RawMessage(`{"job":"`+job+`"}`))
		}
	}
	time.Sleep(time.Minute)
	if minute%pollEvery < 10 {
		w.process("sweep").app.Schedule(context.Background(), json.RawMessage(`{"job":"orders"}`))
	}
	synctest.Wait()
}

// shippingWay ships a sale in two boxes whose tracking comes and changes, among
// other sales that change too, so that the cursor moves on.
func shippingWay(order sim.ListOrder) way { return shippingWayOf(order, false) }

// shippingWayOf is shippingWay; heard says that what changes at the worst moment
// is heard of at once, as by a webhook: what was read before is not told for long.
func shippingWayOf(order sim.ListOrder, heard bool) way {
	names := map[sim.ListOrder]string{sim.NewestFirst: "newest first", sim.OldestFirst: "oldest first",
		sim.Shuffled: "shuffled"}
	return way{name: "shipments, " + names[order], least: 3*pollEvery + 4,
		sim: sim.Options{ListOrder: order, ListDrift: true, TinyPages: 3},
		ready: func(w *world) (func(int), func() string) {
			id, sale := w.sell(groceries)
			var others []string
			for n := range 3 {
				var other struct{ ID string }
				if err := json.Unmarshal(must[json.RawMessage](w)(w.simCore.Sale(sale, "copy",
					fmt.Sprintf(`{"externalId":"till:%d"}`, n))), &other); err != nil {
					w.t.Fatal(err)
				}
				others = append(others, other.ID)
			}
			var changed atomic.Int32
			w.onFault = func() { // at the worst moment
				if n := changed.Add(1); n < 3 {
					w.simCore.Sale(sale, "tracking", fmt.Sprintf(`{"box":"A","trackingNumber":"T-1-%d"}`, n))
					if heard {
						time.AfterFunc(time.Second,
							func() { w.process("console").app.Jobs.Kick(context.Background(), w.tenant, "shipments") })
					}
				}
			}
			step := func(minute int) {
				switch minute {
				case 1:
					w.person(sale, "ship", `{"boxes":["A"],"of":["A","B"],"trackingNumber":"T-1"}`)
				case 1 + pollEvery:
					w.person(sale, "ship", `{"boxes":["B"]}`)
				case 1 + 2*pollEvery:
					w.person(sale, "tracking", `{"box":"B","trackingNumber":"T-2"}`)
				}
				if minute%pollEvery == pollEvery-1 { // the cursor will move past what changed before
					w.person(others[minute/pollEvery%len(others)], "lines", "")
				}
				w.tick(minute, "shipments")
			}
			return step, func() string { return w.shippingVerdict(id) }
		}}
}

// reconcileWay approves orders whose webhooks are all lost, one so long before
// the other that the cursor moves past it in between.
func reconcileWay() way {
	return way{name: "reconcile", least: 2*pollEvery + 6, ready: func(w *world) (func(int), func() string) {
		if err := w.sim.Fault(sim.Upstock,
			sim.Fault{Match: "WEBHOOK order.approved", Kind: "drop", Times: -1}); err != nil {
			w.t.Fatal(err)
		}
		var ids []int
		return func(minute int) {
				switch minute {
				case 1, 3, pollEvery - 3, pollEvery + 1:
					ids = append(ids, w.approve(groceries))
				}
				w.tick(minute, "reconcile")
			}, func() string {
				for _, id := range ids {
					if v := w.verdict(id); v != "" {
						return fmt.Sprintf("order %d: %s", id, v)
					}
				}
				return ""
			}
	}}
}

// webhooksWay registers Cin7 Core's webhooks, and again when people have
// meddled with them.
func webhooksWay() way {
	return way{name: "webhooks", least: 2*pollEvery + 6, ready: func(w *world) (func(int), func() string) {
		return func(minute int) {
			if minute == pollEvery-1 {
				if all := w.coreHooks(); len(all) > 2 {
					w.core(http.MethodDelete, "/webhooks?ID="+all[0].ID, "")
					all[2].IsActive = false
					body, _ := json.Marshal(all[2])
					w.core(http.MethodPut, "/webhooks", string(body))
				}
			}
			w.tick(minute, "webhooks")
		}, w.hooksVerdict
	}}
}

// shippingVerdict compares what is shipped in Cin7 Core with what Upstock knows.
func (w *world) shippingVerdict(id int) string {
	return w.parcelsVerdict(id, w.sale(id).ID)
}

// parcelsVerdict is shippingVerdict where the order's sale is known.
func (w *world) parcelsVerdict(id int, sale string) string {
	var s struct {
		CombinedShippingStatus string
		Fulfilments            []struct {
			Ship struct {
				Status string
				Lines  []struct {
					TrackingNumber, TrackingURL string
					IsShipped                   bool
				}
			}
		}
	}
	if err := json.Unmarshal(must[json.RawMessage](w)(w.simCore.Sale(sale, "", "")), &s); err != nil {
		return err.Error()
	}
	var want []string
	for _, f := range s.Fulfilments {
		for _, l := range f.Ship.Lines {
			if l.IsShipped && strings.Contains(f.Ship.Status, "AUTHORISED") {
				tracking := l.TrackingURL
				if tracking == "" {
					tracking = l.TrackingNumber
				}
				want = append(want, tracking)
			}
		}
	}
	list, status := w.shipments(id)
	var got []string
	complete := 0
	for _, sh := range list {
		got = append(got, sh.Tracking)
		if sh.Complete {
			complete++
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	r := w.run(id)
	switch whole := s.CombinedShippingStatus == "SHIPPED"; {
	case !slices.Equal(got, want):
		return fmt.Sprintf("Upstock has %q, Cin7 Core %q", got, want)
	case whole && (complete != 1 || status != "shipped" || r.State != order.Shipped):
		return fmt.Sprintf("all is shipped, Upstock says %s with %d complete, the ledger %s", status, complete, r.State)
	case !whole && (complete > 0 || status == "shipped"):
		return "Upstock was told that all is shipped"
	case !r.Finished() || !r.Next.IsZero():
		return fmt.Sprintf("work is left: asked %d, read %d, next %s", r.Asked, r.Readings, r.Next)
	case w.sim.OverLimit(sim.Cin7Core, "") > 0:
		return "over the limit"
	}
	return ""
}

// walk goes one way with one schedule of faults.
func (v way) walk(t testing.TB, b *base, path string, s schedule) (verdict string, effects []string) {
	bubble(t, func() {
		w := newWorldOf(t, b, path, v.sim)
		defer w.close()
		w.register()
		step, judge := v.ready(w)
		synctest.Wait()
		switch s.scenario {
		case "duplicate":
			w.copies = 2
		case "two", "slow":
			w.copies, w.skewed = 2, true
		}
		w.effects, w.names, w.seen = 0, nil, map[string]int{}
		w.faults, w.on, w.like, w.frozen = s.faults, s.on, s.like, s.frozen
		w.armed = true
		for minute := 0; minute < 300; minute++ {
			step(minute)
			if minute < v.least {
				continue
			}
			w.mu.Lock()
			busy := w.flying > 0 || w.late > 0
			w.mu.Unlock()
			if verdict = judge(); verdict == "" && !busy {
				break
			}
		}
		effects = w.names
		if verdict != "" {
			verdict += "\n" + w.timelines()
		}
		w.mu.Lock()
		w.armed, w.faults, w.on = false, nil, nil
		w.mu.Unlock()
		time.Sleep(20 * time.Minute) // whatever is left ends
	})
	return verdict, effects
}

// timelines are those of all orders.
func (w *world) timelines() string {
	var text strings.Builder
	runs, _, _ := order.NewBook(ledger.New(w.store)).Runs(context.Background(), w.tenant, "", 5)
	for _, r := range runs {
		text.WriteString(timeline(r))
	}
	return text.String()
}

// schedulesOf lists single faults and pairs over the effects of a way.
func schedulesOf(effects, more int) []schedule {
	var list []schedule
	kinds := []fault{before, after, late, die}
	for _, sc := range []string{"plain", "duplicate", "two", "slow"} {
		for i := 1; i <= effects; i++ {
			first := kinds
			if sc == "slow" {
				first = []fault{stall, pause}
			}
			for _, k := range first {
				list = append(list, schedule{scenario: sc, faults: map[int]fault{i: k}})
				for j := i + 1; j <= min(i+more, effects+4); j++ {
					k2 := kinds[(i+j+int(k))%len(kinds)]
					list = append(list, schedule{scenario: sc, faults: map[int]fault{i: k, j: k2}})
				}
			}
		}
	}
	return list
}

// walkAll goes a way with many schedules, side by side, and returns the verdicts of those that ended badly.
func (v way) walkAll(t *testing.T, b *base, list []schedule, stopAtFirst bool) map[string]string {
	var next atomic.Int64
	var mu sync.Mutex
	failed := map[string]string{}
	t.Run("schedules", func(t *testing.T) {
		for worker := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint(worker), func(t *testing.T) {
				t.Parallel()
				path := filepath.Join(t.TempDir(), "way.db")
				for {
					i := int(next.Add(1)) - 1
					if i >= len(list) {
						return
					}
					if verdict, _ := v.walk(t, b, path, list[i]); verdict != "" {
						mu.Lock()
						failed[list[i].String()] = verdict
						if stopAtFirst || len(failed) >= 5 {
							next.Store(int64(len(list)))
						}
						mu.Unlock()
					}
				}
			})
		}
	})
	return failed
}

// sample keeps of a list what this run's size wants: the whole, or about so many, the same ones each time.
func sample(t *testing.T, list []schedule, full, short int) (some []schedule) {
	if testsize.Whole() {
		return testsize.Part(t, list)
	}
	most := testsize.Of(0, full, short)
	if testsize.Sample() {
		most = max(3, most/5)
	}
	by := max(1, len(list)/most)
	for i := by / 2; i < len(list); i += by {
		some = append(some, list[i])
	}
	return some
}

// ways are all that the proof covers beside an order's own.
func ways() []way {
	return []way{shippingWay(sim.NewestFirst), shippingWay(sim.OldestFirst), shippingWay(sim.Shuffled), reconcileWay(),
		webhooksWay()}
}

// TestCrashProofJobs lets every outside effect of the jobs' ways go wrong in
// every manner, and pairs of them.
func TestCrashProofJobs(t *testing.T) {
	b := prepare(t)
	for _, v := range ways() {
		t.Run(v.name, func(t *testing.T) {
			start := time.Now()
			verdict, effects := v.walk(t, b, filepath.Join(t.TempDir(), "way.db"), schedule{scenario: "plain"})
			if verdict != "" {
				t.Fatalf("undisturbed: %s", verdict)
			}
			list := schedulesOf(len(effects), 5)
			list = sample(t, list, 40, 3)
			for s, verdict := range v.walkAll(t, b, list, false) {
				t.Errorf("%s: %s", s, verdict)
			}
			t.Logf("crash proof of %s: %d runs over %d effects in %s", v.name, len(list), len(effects),
				time.Since(start).Round(time.Millisecond))
		})
	}
}

// TestJobsProofCanFail plays schedules over mutants without the rules of the jobs:
// they must lose a parcel, or leave Upstock with an older tracking.
func TestJobsProofCanFail(t *testing.T) {
	testsize.Large(t)
	t.Parallel()
	b := prepare(t)
	const doubtless = "a shipment in doubt is not told again"
	v := shippingWay(sim.Shuffled)
	if mutant.Compiled() == doubtless {
		v = shippingWayOf(sim.Shuffled, true)
	}
	var list []schedule
	// first what shows each rule for certain: an old tracking that arrives after the newer one
	for n := 1; n <= 3; n++ {
		list = append(list, schedule{scenario: "plain", like: map[string]map[int]fault{"/shipments/": {n: slow}}})
	}
	if mutant.Compiled() == "" {
		for _, v := range []way{v, shippingWayOf(sim.Shuffled, true)} {
			if failed := v.walkAll(t, b, list, false); len(failed) > 0 {
				t.Fatalf("with all rules on: %v", failed)
			}
		}
		mutant.Caught(t, "TestJobsProofCanFail", doubtless,
			"a window of several pages is read once", "the cursor moves before the marks")
		return
	}
	if mutant.Compiled() != doubtless {
		_, effects := v.walk(t, b, filepath.Join(t.TempDir(), "way.db"), schedule{scenario: "plain"})
		for i := range effects {
			for _, k := range []fault{die, late} {
				list = append(list, schedule{scenario: "plain", faults: map[int]fault{i + 1: k}})
			}
		}
	}
	mustFind(t, v.walkAll(t, b, list, true))
}
