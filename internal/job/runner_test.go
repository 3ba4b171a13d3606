package job_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/limit"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
)

// runner is a runner over a world, whose messages are kept.
type runner struct {
	*job.Runner
	w    *world
	mu   sync.Mutex
	sent []sent
	deaf bool // no queue takes a message
}

type sent struct {
	job.Message
	to    job.Queue
	delay time.Duration
}

// things is a kind of job that reads the vendor's list of things.
const things = "things"

func (w *world) runner(run func(context.Context, *job.Part) error) *runner {
	r := &runner{w: w}
	r.Runner = &job.Runner{Verdicts: w.Verdicts, Kinds: []job.Kind{{
		Name: things, Needs: []tenant.System{acme}, List: acme, Every: 5 * time.Minute, Queue: job.Shipments, Run: run,
	}}, Send: func(_ context.Context, to job.Queue, m job.Message, delay time.Duration) error {
		if r.deaf {
			return errors.New("the queue is away")
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.sent = append(r.sent, sent{m, to, delay})
		return nil
	}}
	return r
}

// message is what a person's start of the job sends.
func (w *world) message() job.Message { return job.Message{Job: things, Tenant: w.tenant} }

// do does the tenant's part, which ends well.
func (r *runner) do(m job.Message) {
	r.w.t.Helper()
	if err := r.Do(r.w.t.Context(), m); err != nil {
		r.w.t.Fatal(err)
	}
}

func (r *runner) cursor() *ledger.Cursor {
	r.w.t.Helper()
	c, err := r.Ledger.Cursor(context.Background(), r.w.tenant, things)
	if err != nil {
		r.w.t.Fatal(err)
	}
	return c
}

// TestEnd: how a part's work ends is in its cursor, and it comes back by itself where somebody knows when.
func TestEnd(t *testing.T) {
	for _, tt := range []struct {
		name    string
		err     error
		problem string
		after   time.Duration // about; 0 = no message
		fails   bool
	}{
		{name: "done"},
		{name: "another worker was faster", err: ledger.ErrBehind},
		{name: "time is short", err: job.ErrShort, after: 5 * time.Second},
		{name: "throttled", err: failed(rest.Error{Kind: rest.Throttled, RetryAfter: time.Minute}), after: time.Minute,
			problem: "JOOR says that too many calls were made. Somebody else uses the same account's budget."},
		{name: "the key is refused", err: failed(rest.Error{Kind: rest.Unauthorized}),
			problem: "JOOR refused the key."},
		{name: "no answer", err: failed(rest.Error{Kind: rest.Unavailable, Status: 502}),
			problem: "JOOR gave no usable answer (status 502)."},
		{name: "it says itself when", err: &ledger.Later{At: time.Date(2000, 1, 1, 0, 2, 0, 0, time.UTC),
			Why: "Later."},
			problem: "Later.", after: 2 * time.Minute},
		{name: "an error of our own", err: errors.New("the table is away"), fails: true},
	} {
		play(t, func(t *testing.T, w *world) {
			r := w.runner(func(_ context.Context, p *job.Part) error {
				p.Cursor.After = "7"
				return tt.err
			})
			if err := r.Do(t.Context(), w.message()); (err != nil) != tt.fails {
				t.Errorf("%s: %v", tt.name, err)
			}
			cur := r.cursor()
			if tt.problem != "" && cur.After != "7" || cur.Problem != tt.problem {
				t.Errorf("%s: at %q: %q", tt.name, cur.After, cur.Problem)
			}
			if tt.after == 0 {
				if len(r.sent) > 0 {
					t.Errorf("%s: sent %v", tt.name, r.sent)
				}
				return
			}
			if len(r.sent) != 1 || r.sent[0].delay < tt.after || r.sent[0].delay > tt.after*5/4 ||
				r.sent[0].to != job.Shipments || r.sent[0].Message != w.message() {
				t.Fatalf("%s: sent %v", tt.name, r.sent)
			}
			r.do(job.Message{Job: things, Tenant: w.tenant, At: time.Now().UTC()}) // a schedule's: one is on its way
			r.do(w.message())
			if len(r.sent) != 1 {
				t.Errorf("%s: sent %v", tt.name, r.sent)
			}
		})
	}
}

// TestPartsThatAreNotDone: a part is left alone whose tenant is not connected, or whose work a later run has done.
func TestPartsThatAreNotDone(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		runs := 0
		r := w.runner(func(ctx context.Context, p *job.Part) error {
			runs++
			return p.Close(ctx, time.Time{})
		})
		want := func(n int, why string) {
			t.Helper()
			if runs != n {
				t.Errorf("%s: %d runs, want %d", why, runs, n)
			}
		}
		scheduled := w.message()
		scheduled.At = time.Now().UTC()
		time.Sleep(time.Second)
		r.do(scheduled)
		r.do(scheduled)
		want(1, "a message that came twice")
		r.do(w.message())
		want(2, "a person's wish is not the schedule's")
		time.Sleep(time.Minute)
		if err := r.Kick(t.Context(), w.tenant, things); err != nil {
			t.Fatal(err)
		}
		r.do(scheduled)
		want(3, "asked for since")
		r.do(job.Message{Job: things, Tenant: "nobody"})
		if err := w.Tenants.Disconnect(t.Context(), w.tenant, acme); err != nil {
			t.Fatal(err)
		}
		r.do(w.message())
		want(3, "not connected")
		if err := r.Do(t.Context(), job.Message{Job: "unheard of", Tenant: w.tenant}); err == nil {
			t.Error("an unknown job was done")
		}
	})
}

// TestOtherAccount: how far one account's list was read says nothing of another's, and is known when it is back.
func TestOtherAccount(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		at := time.Now().UTC()
		var since time.Time
		r := w.runner(func(ctx context.Context, p *job.Part) error {
			since = p.Cursor.Since
			return p.Close(ctx, at.Add(5*time.Minute))
		})
		r.do(w.message())
		for _, account := range []string{"another", "account"} {
			w.connect(w.tenant, account, "key")
			r.do(w.message())
			if want := map[bool]time.Time{true: at}[account == "account"]; !since.Equal(want) {
				t.Errorf("%s: since %s, want %s", account, since, want)
			}
		}
	})
}

// TestKick: a job that was asked for is on record, whatever becomes of its message.
func TestKick(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		r := w.runner(func(ctx context.Context, p *job.Part) error { return p.Close(ctx, time.Time{}) })
		kick := func() {
			t.Helper()
			if err := r.Kick(t.Context(), w.tenant, things); err != nil {
				t.Fatal(err)
			}
		}
		r.deaf = true
		kick()
		if cur := r.cursor(); cur.Asked.IsZero() {
			t.Error("it was not noted")
		}
		r.deaf = false
		kick()
		if len(r.sent) > 0 {
			t.Errorf("sent beside one that is on its way: %v", r.sent)
		}
		time.Sleep(time.Minute)
		kick()
		r.do(w.message())
		kick()
		if len(r.sent) != 2 || r.sent[0].delay != 0 || r.sent[1].delay != 5*time.Second {
			t.Errorf("sent %v, want one at once and one that follows a run of this moment", r.sent)
		}
	})
}

// TestFanOut: each connected tenant whose turn has come is sent its part, at its own place of the interval.
func TestFanOut(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		r := w.runner(func(ctx context.Context, p *job.Part) error { return p.Close(ctx, time.Time{}) })
		ids := []string{w.tenant}
		for n := range 5 {
			made, _, err := w.Tenants.Create(t.Context(), "Wholesaler", "")
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 { // never connected
				continue
			}
			w.connect(made.ID, made.ID, "key")
			ids = append(ids, made.ID)
		}
		out := func() (to []string) {
			t.Helper()
			r.sent = nil
			if err := r.FanOut(t.Context(), things); err != nil {
				t.Fatal(err)
			}
			for _, s := range r.sent {
				if s.At.IsZero() || s.delay > 5*50*time.Millisecond {
					t.Errorf("%+v", s)
				}
				to = append(to, s.Tenant)
			}
			slices.Sort(to)
			return to
		}
		slices.Sort(ids)
		if to := out(); !slices.Equal(to, ids) {
			t.Errorf("sent to %v, want %v", to, ids)
		}
		places := map[string]time.Duration{}
		for _, s := range r.sent {
			places[s.Tenant] = s.delay
		}
		r.do(job.Message{Job: things, Tenant: ids[0], At: time.Now().UTC()})
		if to := out(); !slices.Equal(to, ids[1:]) {
			t.Errorf("delivered twice: sent to %v, want all but %s", to, ids[0])
		}
		for _, s := range r.sent {
			if places[s.Tenant] != s.delay {
				t.Errorf("%s: at %s, and at %s before", s.Tenant, s.delay, places[s.Tenant])
			}
		}
		if err := r.FanOut(t.Context(), "unheard of"); err == nil {
			t.Error("an unknown job was sent")
		}
	})
}

// TestKindsWithoutCursor keep their own place: a part of theirs ends as Run says.
func TestKindsWithoutCursor(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		away := errors.New("the table is away")
		r := w.runner(func(_ context.Context, p *job.Part) error {
			if p.Cursor != nil {
				t.Error("it has a cursor")
			}
			return away
		})
		r.Kinds[0].List = ""
		if err := r.Do(t.Context(), w.message()); err != away {
			t.Error(err)
		}
	})
}

// TestDead: who reads that a job was given up is told what starts it anew.
func TestDead(t *testing.T) {
	for want, change := range map[string]func(*job.Kind){
		"Its schedule starts it anew.":               func(*job.Kind) {},
		"It has no schedule: start it anew by hand.": func(k *job.Kind) { k.Every = 0 },
		"Ring the bell.":                             func(k *job.Kind) { k.Every, k.Anew = 0, "Ring the bell." },
	} {
		play(t, func(t *testing.T, w *world) {
			r := w.runner(nil)
			change(&r.Kinds[0])
			if err := r.Dead(t.Context(), w.message()); err != nil {
				t.Fatal(err)
			}
			list, _, err := w.Ledger.Events(t.Context(), w.tenant, "", 10)
			if err != nil || len(list) != 1 || !strings.HasSuffix(list[0].Text, " given up for now. "+want) {
				t.Errorf("%+v %v", list, err)
			}
		})
	}
}

// TestCallWaits: a part sits out short waits of the limiter's: all of them together for a quick second try's time, and
// bulk work, whose calls are spread, each of them. A longer one ends the part, which comes back by then.
func TestCallWaits(t *testing.T) {
	for name, c := range map[string]struct {
		class limit.Class
		waits []time.Duration
		calls int
		took  time.Duration // at least
	}{
		"one":                   {limit.Second, []time.Duration{2 * time.Second}, 2, 2 * time.Second},
		"many":                  {limit.Second, slices.Repeat([]time.Duration{2 * time.Second}, 9), 3, 4 * time.Second},
		"many, of bulk work":    {limit.Bulk, slices.Repeat([]time.Duration{2 * time.Second}, 9), 10, 18 * time.Second},
		"a long, of bulk work":  {limit.Bulk, []time.Duration{2 * time.Second, time.Minute}, 2, 2 * time.Second},
		"a long one":            {limit.First, []time.Duration{time.Minute}, 1, 0},
		"none":                  {limit.Bulk, nil, 1, 0},
		"time that has gone by": {limit.First, []time.Duration{-time.Second}, 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, w *world) {
				calls, begun := 0, time.Now()
				r := w.runner(func(ctx context.Context, p *job.Part) error {
					return p.Call(ctx, func(context.Context) error {
						if calls++; calls > len(c.waits) {
							return nil
						}
						return failed(rest.Error{Kind: rest.Waiting, Err: &rest.Wait{
							Until: time.Now().Add(c.waits[calls-1])}})
					})
				})
				r.Kinds[0].Class = c.class
				r.do(w.message())
				took, ended := time.Since(begun), calls > len(c.waits)
				if calls != c.calls || took < c.took || took > c.took+2*time.Second || ended == (len(r.sent) > 0) {
					t.Errorf("%d calls in %s, then %+v", calls, took, r.sent)
				}
				if !ended && r.sent[0].delay < c.waits[calls-1]-time.Second {
					t.Errorf("it comes back after %s", r.sent[0].delay)
				}
			})
		})
	}
}
