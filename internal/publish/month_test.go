package publish_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/publish"
	"stockbridge/internal/testsize"
)

// TestMonth: thirty days of edits of what is wanted, with calls, writes and processes that fail, and people who stop
// runs, send again and change things over there. Each night nothing fails any more: then both sides agree.
func TestMonth(t *testing.T) {
	testsize.Unraced(t) // one works after the other
	for seed := range uint64(testsize.Of(60, 4, 1)) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "table.db")
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, path)
				defer w.store.close()
				month(t, w, rand.New(rand.NewPCG(seed, 7)))
			})
		})
	}
}

func month(t *testing.T, w *world, dice *rand.Rand) {
	w.far.tickets = dice.IntN(3) == 0
	if !w.far.tickets && dice.IntN(3) == 0 {
		w.far.review = time.Duration(1+dice.IntN(6)) * time.Hour
	}
	w.far.most = 1 + dice.IntN(12)
	w.left = time.Duration(30+dice.IntN(60)) * time.Second
	w.hold = func(c publish.Change) string { return map[bool]string{true: "A 13."}[text(c.Data) == "13"] }
	troubles := []trouble{before, after, late, nonsense, fewer, torn, unsent, paused, broken, dies, diesWith}
	for day := range 30 {
		often := 1 + dice.IntN(20)
		w.far.trouble = func() trouble {
			if dice.IntN(often) > 0 {
				return none
			}
			return troubles[dice.IntN(len(troubles))]
		}
		w.store.fault = func(int) (before, after error) {
			if dice.IntN(10*often) > 0 {
				return nil, nil
			}
			return [2]error{errAway, errDies}[dice.IntN(2)], [2]error{errAway, errDies}[dice.IntN(2)]
		}
		w.far.slow = time.Duration(dice.IntN(8)) * time.Second
		for range 6 {
			edit(w, dice)
			w.start()
			for range dice.IntN(4) {
				if len(w.sent) > 0 { // the day goes on while it waits
					m := w.sent[0]
					w.sent = w.sent[1:]
					time.Sleep(time.Until(m.at))
					if w.do(m.Message) {
						w.sent = append(w.sent, message{m.Message, time.Now().Add(visible)})
					}
				}
				edit(w, dice)
			}
			time.Sleep(time.Duration(dice.IntN(60)) * time.Minute)
		}
		w.far.trouble, w.store.fault, w.far.slow = nil, nil, 0
		w.sync()
		time.Sleep(12 * time.Hour) // whatever is late has come, and was decided
		w.sync()
		w.sync()
		var held []string
		for k, text := range w.want {
			if text == "13" {
				held = append(held, k.Group+"/"+k.ID)
			}
		}
		if w.agree(held...); w.tally.Held != len(held) {
			t.Errorf("%+v, and %d are held", w.tally, len(held))
		}
		if w.quiet(); t.Failed() {
			t.Fatalf("on day %d", day)
		}
	}
}

// TestManyWorkers: several workers at once, of whom any call may take so long that its worker loses the turn, tell what
// one would.
func TestManyWorkers(t *testing.T) {
	for seed := range uint64(testsize.Of(100, 8, 2)) {
		play(t, func(t *testing.T, w *world) {
			dice := rand.New(rand.NewPCG(seed, 3))
			w.far.slowly = func() time.Duration { return time.Duration(dice.IntN(130)) * time.Second }
			for range 20 {
				w.locked(func() { edit(w, dice) })
				var workers sync.WaitGroup
				for range 3 {
					var naps time.Duration
					w.locked(func() { naps = time.Duration(dice.IntN(100)) * time.Second })
					workers.Go(func() {
						time.Sleep(naps)
						w.do(job.Message{Job: goods, Tenant: w.tenant})
						w.locked(func() { edit(w, dice) })
						time.Sleep(naps)
						w.do(job.Message{Job: goods, Tenant: w.tenant})
					})
				}
				workers.Wait()
			}
			w.far.slowly = nil
			w.sync()
			w.agree()
			w.quiet()
		})
	}
}

// edit changes what is wanted.
func edit(w *world, dice *rand.Rand) {
	for range dice.IntN(10) {
		k := publish.Key{Group: fmt.Sprint(dice.IntN(3)), ID: fmt.Sprint(dice.IntN(60))}
		if dice.IntN(3) == 0 {
			delete(w.want, k)
		} else {
			w.want[k] = fmt.Sprint(dice.IntN(20))
		}
	}
	if w.store.fault != nil && dice.IntN(20) == 0 {
		fault := w.store.fault
		w.store.fault = nil
		if err := w.ledger.StopProgress(w.t.Context(), w.tenant, goods, "Stopped."); err != nil {
			w.t.Error(err)
		}
		w.store.fault = fault
	}
}
