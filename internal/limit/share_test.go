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
// fifth of the calls to old looks, and a tenth to retries, while there are any;
// else they have all.
func TestShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, 0)
		l := New(s, "cin7core", "acme", sixty(), First)
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
		window(Sales, Readings, Retries, Rest) // the marks are made
		got := window(Sales, Readings, Retries, Rest)
		if got[Readings] < 11 || got[Readings] > 13 || got[Retries] < 5 || got[Retries] > 7 || got[Sales] < 41 ||
			got[Rest] > 1 {
			t.Errorf("all at once: %v", got)
		}
		got = window(Rest, Sales)
		if got = window(Rest, Sales); got[Sales] < 41 {
			t.Errorf("new orders beside the rest: %v", got)
		}
		time.Sleep(5 * time.Minute) // the others are not expected any more
		window(Sales)
		if got := window(Sales); got[Sales] != 60 {
			t.Errorf("alone again: %v", got)
		}
	})
}

// TestOneTries: an account that said to stay away for longer than an hour is asked
// once when the block ends, and so again each time it says so.
func TestOneTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, 0)
		var workers []*Limiter
		for range 40 {
			workers = append(workers, New(s, "cin7core", "acme", sixty(), First))
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
		// The answer is lost: another call tries a little later.
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

// TestEarlierBucket: a bucket that an earlier version wrote is read; and the
// earlier version, which stops after the slices, reads one with shares.
func TestEarlierBucket(t *testing.T) {
	k := bucket{stamps: []int64{5, 9}, shares: []Share{Rest, Rest}, blockedUntil: 7}
	old := k.encode()
	k.shares[1], k.askedUntil[Readings], k.trials = Readings, 11, 1
	if now := k.encode(); string(now[:len(old)]) != string(old) || len(now) == len(old) {
		t.Errorf("%v then, %v now", old, now)
	}
	if got, err := decode(old); err != nil || got.trials > 0 || len(got.shares) != 2 {
		t.Errorf("%+v %v", got, err)
	}
}

// TestBlocksGrow: an account that throttles each call and does not say for how
// long is left alone for longer each time, until it answers once.
func TestBlocksGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t, 0)
		l := New(s, "cin7core", "acme", sixty(), First)
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
		// Many throttled calls that were under way at once count as one.
		time.Sleep(time.Hour)
		l.Answered(t.Context())
		for range 20 {
			l.Throttled(t.Context(), 0)
		}
		if st, err := l.State(t.Context()); err != nil ||
			time.Until(st.BlockedUntil).Round(time.Second) != 15*time.Second {
			t.Errorf("%+v %v", st, err)
		}
	})
}
