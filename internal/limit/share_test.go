package limit

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestShares: new orders that come as fast as the account can be called leave a
// fifth of the calls to looks that are owed for long, and a tenth to retries, as
// long as there are any; else they have all.
func TestShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, 0)
		l := New(s, "cin7core", "acme", Cin7Core(), First)
		takes := func(share Share) bool {
			_, err := l.Take(WithShare(t.Context(), share))
			var w *Wait
			if err != nil && !errors.As(err, &w) {
				t.Fatal(err)
			}
			return err == nil
		}
		window := func(wants ...Share) (got [shares]int) {
			for range 630 {
				for _, share := range wants {
					if takes(share) {
						got[share]++
					}
				}
				time.Sleep(100 * time.Millisecond)
			}
			return got
		}
		if got := window(Sales); got[Sales] != 60 {
			t.Errorf("alone: %v", got)
		}
		window(Sales, Looks, Retries, Rest) // the marks are made
		got := window(Sales, Looks, Retries, Rest)
		if got[Looks] < 11 || got[Looks] > 13 || got[Retries] < 5 || got[Retries] > 7 || got[Sales] < 41 || got[Rest] > 1 {
			t.Errorf("all at once: %v", got)
		}
		got = window(Rest, Sales)
		if got = window(Rest, Sales); got[Sales] < 41 {
			t.Errorf("new orders beside what is in no hurry: %v", got)
		}
		time.Sleep(5 * time.Minute) // the others are not expected any more
		window(Sales)
		if got := window(Sales); got[Sales] != 60 {
			t.Errorf("alone again: %v", got)
		}
	})
}

// TestOneTries: an account that said to stay away for longer than is believed is
// asked once when the block ends, and so each time it says it again.
func TestOneTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, 0)
		var workers []*Limiter
		for range 40 {
			workers = append(workers, New(s, "cin7core", "acme", Cin7Core(), First))
		}
		workers[0].Throttled(t.Context(), 1<<62)
		asked := 0
		ask := func(answer func(*Limiter)) {
			for _, l := range workers {
				if _, err := l.Take(t.Context()); err == nil {
					asked++
					time.Sleep(time.Second)
					answer(l)
				}
			}
		}
		again := func(l *Limiter) { l.Throttled(context.Background(), time.Hour) }
		for range 3 * 60 {
			time.Sleep(time.Minute)
			ask(again)
		}
		if asked < 2 || asked > 3 {
			t.Errorf("asked %d times in 3 hours", asked)
		}
		// Nobody hears the answer: another tries a little later.
		time.Sleep(time.Hour)
		asked = 0
		for range 10 {
			ask(func(*Limiter) {})
			time.Sleep(6 * time.Second)
		}
		if asked < 2 || asked > 4 {
			t.Errorf("asked %d times in a minute", asked)
		}
		time.Sleep(time.Minute)
		asked = 0
		ask(func(l *Limiter) { l.Answered(context.Background()) })
		if asked != len(workers) {
			t.Errorf("%d calls once one was answered", asked)
		}
	})
}

// TestEarlierBucket: a bucket that an earlier version wrote is read, and one
// with shares by the earlier version, which read no further than its slices.
func TestEarlierBucket(t *testing.T) {
	k := bucket{stamps: []int64{5, 9}, shares: []Share{Rest, Rest}, blocked: 7}
	old := k.encode()
	k.shares[1], k.asked[Looks], k.trials = Looks, 11, 1
	if now := k.encode(); string(now[:len(old)]) != string(old) || len(now) == len(old) {
		t.Errorf("%v then, %v now", old, now)
	}
	if got, err := decode(old); err != nil || got.trials > 0 || len(got.shares) != 2 {
		t.Errorf("%+v %v", got, err)
	}
}

// TestBlocksGrow: an account that throttles each call and does not say for how
// long is left alone for longer each time, and is itself again with one answer.
func TestBlocksGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, 0)
		l := New(s, "cin7core", "acme", Cin7Core(), First)
		var waits []time.Duration
		throttled := func() {
			t.Helper()
			l.Throttled(t.Context(), 0)
			var w *Wait
			if _, err := l.Take(t.Context()); !errors.As(err, &w) {
				t.Fatalf("a call while blocked: %v", err)
			}
			waits = append(waits, time.Until(w.Until).Round(time.Second))
			time.Sleep(time.Until(w.Until))
			if _, err := l.Take(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for range 9 {
			throttled()
		}
		l.Answered(t.Context())
		time.Sleep(time.Minute)
		throttled()
		want := []time.Duration{15, 30, 60, 120, 240, 480, 900, 900, 900, 15}
		for i := range want {
			want[i] *= time.Second
		}
		if !slices.Equal(waits, want) {
			t.Errorf("waits of %v, want %v", waits, want)
		}
		// Many calls that were under way at once are one throttling.
		time.Sleep(time.Hour)
		l.Answered(t.Context())
		for range 20 {
			l.Throttled(t.Context(), 0)
		}
		if st, err := l.State(t.Context()); err != nil || time.Until(st.BlockedUntil).Round(time.Second) != 15*time.Second {
			t.Errorf("%+v %v", st, err)
		}
	})
}
