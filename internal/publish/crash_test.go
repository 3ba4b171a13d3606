package publish_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/testsize"
)

// The crash proof: every write of the table and every call of a run fails before it takes effect, fails after, or is
// the last thing that its process does. At rest nothing was told twice but what was in doubt, nothing was missed, and
// another run sends nothing.

// way is how an effect goes wrong.
type way struct {
	name   string
	times  int // a write that fails once is repeated at once
	before error
	after  error
	call   trouble // of a call
}

var errAway = errors.New("the table is away")

var ways = []way{
	{"fails before", 3, errAway, nil, before},
	{"fails after, once", 1, nil, errAway, after},
	{"fails after", 3, nil, errAway, late},
	{"dies before", 1, errDies, nil, dies},
	{"dies after", 1, nil, errDies, diesWith},
	{"is answered by nonsense", 0, nil, nil, nonsense},
	{"is answered of fewer", 0, nil, nil, fewer},
}

// sides are the ways of the far side, and what is done between two stages.
var sides = map[string]func(w *world){
	"at once": func(*world) {},
	"tickets": func(w *world) { w.far.tickets = true },
	"review":  func(w *world) { w.far.review = 72 * time.Hour },
}

// effects counts the outside effects of a world, and has the nth of them go wrong.
type effects struct {
	n, bad int
	way    way
	left   int // of the times
	hit    string
}

func (e *effects) next(what string) bool {
	n := e.n
	e.n++
	if n == e.bad {
		e.hit, e.left = what, e.way.times
	}
	return n == e.bad
}

// watch has the effects of a world counted.
func (e *effects) watch(w *world) {
	w.store.fault = func(int) (error, error) {
		if e.next("write") || e.hit == "write" && e.left > 0 {
			e.left--
			return e.way.before, e.way.after
		}
		return nil, nil
	}
	w.far.trouble = func() trouble {
		if e.next("call") {
			return e.way.call
		}
		return none
	}
}

// story is a run that tells everything new, and one that changes, adds and takes away.
func story(w *world) {
	w.wants("a/1=x a/2=x a/3=x a/4=x b/1=x b/2=x")
	told := func() {
		if w.sync(); w.far.review == 0 {
			w.agree() // a run is not at rest before
		}
		time.Sleep(100 * time.Hour)
		w.sync()
	}
	told()
	w.wants("a/1=x a/2=y a/4=y a/5=y b/2=x c/1=y")
	told()
}

func TestCrashProof(t *testing.T) {
	schedules := 0
	for name, side := range sides {
		total := 0
		for _, way := range ways {
			for bad := -1; bad < max(total, 1); bad++ {
				if (bad < 0) != (total == 0) { // the first story counts, and goes well
					continue
				}
				if testing.Short() && bad > 0 && bad%12 != len(way.name)%12 {
					continue
				}
				e := &effects{bad: bad, way: way}
				crash(t, fmt.Sprintf("%s, effect %d %s", name, bad, way.name), side, e)
				if schedules++; total == 0 {
					total, bad = e.n, -1
				}
			}
		}
		if total < 20 {
			t.Errorf("%s: %d effects", name, total)
		}
	}
	if least := testsize.Of(800, 800, 50); schedules < least {
		t.Errorf("%d schedules", schedules)
	}
	t.Logf("%d schedules", schedules)
}

// crash plays the story with an effect that goes wrong.
func crash(t *testing.T, name string, side func(*world), e *effects) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "table.db")
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, path)
		defer w.store.close()
		side(w)
		e.watch(w)
		story(w)
		w.store.fault, w.far.trouble = nil, nil
		w.rest()
		time.Sleep(100 * time.Hour)
		w.sync()
		w.agree()
		w.quiet()
		versions := map[string]int{"a/1": 1, "a/2": 2, "a/3": 2, "a/4": 2, "a/5": 1, "b/1": 2, "b/2": 1, "c/1": 1}
		for k, n := range versions {
			if told := w.far.told[key(k)]; told < n || told > n+1 || e.bad < 0 && told != n {
				t.Errorf("%s was told %d times, and had %d values", k, told, n)
			}
		}
		if p := w.progress(); p.State != ledger.ProgressDone || w.notable() != "" {
			t.Errorf("%+v, notable %s", p, w.notable())
		}
		if t.Failed() {
			t.Fatalf("%s (%s): told %v", name, e.hit, w.far.calls)
		}
	})
}
