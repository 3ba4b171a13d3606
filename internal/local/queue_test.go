package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func bodies(batch []message) (list []string) {
	for _, m := range batch {
		list = append(list, m.body)
	}
	return list
}

func mustSend(t *testing.T, q *queue, body, group string, delay time.Duration) {
	t.Helper()
	if err := q.send(body, group, delay); err != nil {
		t.Fatal(err)
	}
}

func TestQueueLimits(t *testing.T) {
	q := newQueue("q", time.Minute, 5, nil)
	for _, c := range []struct {
		name, body, group string
		delay             time.Duration
		ok                bool
	}{
		{"plain", `{"a":1}`, "tenant", 0, true},
		{"longest", strings.Repeat("x", maxBody), "", 0, true},
		{"too long", strings.Repeat("x", maxBody+1), "", 0, false},
		{"counts bytes", strings.Repeat("ū", maxBody/2+1), "", 0, false},
		{"empty", "", "", 0, false},
		{"allowed controls", "a\tb\r\nc", "", 0, true},
		{"NUL", "a\x00b", "", 0, false},
		{"escape", "a\x1bb", "", 0, false},
		{"U+FFFE", "a\ufffeb", "", 0, false},
		{"not UTF-8", "a\xffb", "", 0, false},
		{"astral", "a🚚b", "", 0, true},
		{"longest delay", "a", "", 15 * time.Minute, true},
		{"too long a delay", "a", "", 15*time.Minute + 1, false},
		{"negative delay", "a", "", -1, false},
		{"longest group", "a", strings.Repeat("g", 128), 0, true},
		{"too long a group", "a", strings.Repeat("g", 129), 0, false},
		{"space in the group", "a", "a b", 0, false},
	} {
		if err := q.send(c.body, c.group, c.delay); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestQueueComesBack: a message that is not deleted can be received again after
// the visibility timeout, and is counted; after the last receive it is a dead
// letter.
func TestQueueComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dead := newQueue("dead", time.Minute, 0, nil)
		q := newQueue("q", time.Minute, 3, dead)
		mustSend(t, q, "a", "g", 0)
		begun := time.Now()
		var handles []string
		for want := 1; want <= 3; want++ {
			got := q.receive(t.Context(), 10)
			if len(got) != 1 || got[0].receives != want {
				t.Fatalf("receive %d: %+v", want, got)
			}
			if at := time.Since(begun); at != time.Duration(want-1)*time.Minute {
				t.Fatalf("receive %d after %v", want, at)
			}
			handles = append(handles, got[0].handle)
		}
		q.delete(handles[0]) // its visibility timeout is over
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if got := q.receive(ctx, 10); got != nil {
			t.Errorf("received a fourth time: %+v", got)
		}
		got := dead.receive(t.Context(), 1)
		if len(got) != 1 || got[0].body != "a" || got[0].receives != 1 || !got[0].sent.Equal(begun) {
			t.Errorf("dead letter: %+v", got)
		}
		dead.delete(got[0].handle)
		if v, d, f := dead.depth(); v+d+f != 0 {
			t.Errorf("left: %d %d %d", v, d, f)
		}
	})
}

func TestQueueDelayAndDelete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("q", time.Minute, 5, nil)
		mustSend(t, q, "later", "", 90*time.Second)
		mustSend(t, q, "now", "", 0)
		if v, d, _ := q.depth(); v != 1 || d != 1 {
			t.Errorf("depth: %d visible, %d delayed", v, d)
		}
		begun := time.Now()
		got := q.receive(t.Context(), 10)
		if fmt.Sprint(bodies(got)) != "[now]" {
			t.Fatalf("received %v", bodies(got))
		}
		q.delete(got[0].handle)
		got = q.receive(t.Context(), 10)
		if fmt.Sprint(bodies(got)) != "[later]" || time.Since(begun) != 90*time.Second {
			t.Fatalf("received %v after %v", bodies(got), time.Since(begun))
		}
	})
}

// TestQueueFair: a tenant's backlog does not delay another tenant.
func TestQueueFair(t *testing.T) {
	q := newQueue("q", time.Minute, 5, nil)
	for i := range 100 {
		mustSend(t, q, fmt.Sprint("big", i), "big", 0)
	}
	mustSend(t, q, "small0", "small", 0)
	mustSend(t, q, "small1", "small", 0)
	got := bodies(q.receive(t.Context(), 5))
	if want := []string{"big0", "small0", "big1", "small1", "big2"}; !slices.Equal(got, want) {
		t.Errorf("received %v, want %v", got, want)
	}
}

// TestQueueWakes: a waiting receiver gets a message at once, and ends at once.
func TestQueueWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("q", time.Minute, 5, nil)
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan []message)
		go func() {
			got <- q.receive(ctx, 1)
			got <- q.receive(ctx, 1)
		}()
		time.Sleep(time.Hour)
		begun := time.Now()
		mustSend(t, q, "a", "", 0)
		if batch := <-got; len(batch) != 1 || !time.Now().Equal(begun) {
			t.Errorf("received %v after %v", batch, time.Since(begun))
		}
		cancel()
		if batch := <-got; batch != nil {
			t.Errorf("received %v after the stop", batch)
		}
	})
}
