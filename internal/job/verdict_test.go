package job_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/rest"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

const acme = tenant.JOOR // any system

// world is a tenant with one connection.
type world struct {
	*job.Verdicts
	t      *testing.T
	store  table.Table
	tenant string
}

func play(t *testing.T, f func(t *testing.T, w *world)) {
	path := filepath.Join(t.TempDir(), "table.db")
	synctest.Test(t, func(t *testing.T) {
		store, err := table.Open(path, table.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		box, err := tenant.NewBox(bytes.Repeat([]byte{1}, 32))
		if err != nil {
			t.Fatal(err)
		}
		w := &world{t: t, store: store, Verdicts: &job.Verdicts{
			Tenants: tenant.NewStore(store, box), Ledger: ledger.New(store), Now: time.Now,
			Times: job.DefaultTimes(),
		}}
		made, _, err := w.Tenants.Create(t.Context(), "Harbour Roasters", "")
		if err != nil {
			t.Fatal(err)
		}
		w.tenant = made.ID
		w.save("first key")
		f(t, w)
	})
}

// save saves a key.
func (w *world) save(key tenant.Secret) { w.connect(w.tenant, "account", key) }

// connect connects a tenant.
func (w *world) connect(tenantID, account string, key tenant.Secret) {
	w.t.Helper()
	_, _, err := w.Tenants.Connect(w.t.Context(), tenantID, acme, func(c *tenant.Connection, s *tenant.Secrets) error {
		c.Account, s.Key = account, key
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) bundle() tenant.Bundle {
	w.t.Helper()
	b, err := w.Tenants.Load(w.t.Context(), w.tenant)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// events counts what the tenant was told.
func (w *world) events() int {
	w.t.Helper()
	list, _, err := w.Ledger.Events(w.t.Context(), w.tenant, "", 10)
	if err != nil {
		w.t.Fatal(err)
	}
	return len(list)
}

// failed is a call of the vendor's that failed in some way.
func failed(e rest.Error) error {
	e.Who, e.Method, e.Path = string(acme), "GET", "/things"
	return fmt.Errorf("read things: %w", &e)
}

func TestWaits(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		const budget = "The budget of calls to JOOR is used up for the moment."
		const others = "JOOR says that too many calls were made. Somebody else uses the same account's budget."
		waiting := func(d time.Duration) error {
			return failed(rest.Error{Kind: rest.Waiting, Err: &rest.Wait{Until: time.Now().Add(d)}})
		}
		for _, tt := range []struct {
			name        string
			err         error
			least, most time.Duration
			by          time.Duration // at least; 0 = none
			who         tenant.System
			why         string
		}{
			{"the limiter says wait", waiting(40 * time.Second), 40 * time.Second, 41 * time.Second, 0, acme, budget},
			{"for long", waiting(time.Hour), 15 * time.Minute, 15 * time.Minute, time.Hour, acme, budget},
			{"no more", waiting(-time.Second), 0, time.Second, 0, acme, budget},
			{"throttled", failed(rest.Error{Kind: rest.Throttled}), 15 * time.Second, 19 * time.Second, 0, acme,
				others},
			{"for a minute", failed(rest.Error{Kind: rest.Throttled, RetryAfter: time.Minute}),
				time.Minute, 75 * time.Second, 0, acme, others},
			{"for an hour", failed(rest.Error{Kind: rest.Throttled, RetryAfter: time.Hour}),
				15 * time.Minute, 15 * time.Minute, time.Hour, acme, others},
			{"time is short", failed(rest.Error{Kind: rest.NotSent, Err: job.ErrShort}),
				5 * time.Second, 7 * time.Second, 0, "", "The time for this attempt ran out before the next call."},
		} {
			l, ok := w.Of(t.Context(), w.bundle(), tt.err).(*ledger.Later)
			if !ok {
				t.Errorf("%s: not later", tt.name)
				continue
			}
			if wait := time.Until(l.At); wait < tt.least || wait > tt.most {
				t.Errorf("%s: after %s", tt.name, wait)
			}
			if l.By.IsZero() != (tt.by == 0) || tt.by > 0 && time.Until(l.By) < tt.by {
				t.Errorf("%s: by %s", tt.name, l.By)
			}
			if l.Who != tt.who || l.Why != tt.why {
				t.Errorf("%s: %q waits for %q", tt.name, l.Why, l.Who)
			}
		}
	})
}

func TestDown(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		for _, tt := range []struct {
			err error
			why string
		}{
			{failed(rest.Error{Kind: rest.NotSent, Err: errors.New("dial")}),
				"JOOR gave no usable answer (the connection broke)."},
			{failed(rest.Error{Kind: rest.Unavailable, Status: 503}), "JOOR gave no usable answer (status 503)."},
			{failed(rest.Error{Kind: rest.Unavailable, Err: context.DeadlineExceeded}),
				"JOOR gave no usable answer (no answer in time)."},
			{failed(rest.Error{Kind: rest.Invalid, Status: 400, Messages: []string{"No such page.", "Sorry."}}),
				"JOOR gave no usable answer (status 400). It said: “No such page.”"},
		} {
			down, ok := w.Of(t.Context(), w.bundle(), tt.err).(*ledger.Down)
			if !ok || down.Who != acme || down.Why != tt.why || !errors.Is(down, tt.err) {
				t.Errorf("%v: %+v", tt.err, down)
			}
		}
	})
}

// TestKeyRefused: whoever meets the refused key first marks the connection, and
// the tenant is told once. A key that was saved since the call is not marked.
func TestKeyRefused(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		b, refused := w.bundle(), failed(rest.Error{Kind: rest.Unauthorized, Status: 401})
		for range 2 {
			park, ok := w.Of(t.Context(), b, refused).(*ledger.Park)
			if !ok || park.Needs != acme || park.Why != "JOOR refused the key." {
				t.Fatalf("%+v", park)
			}
		}
		if c := w.bundle().Connections[acme]; c.State != tenant.NeedsReconnecting || c.Why != "JOOR refused the key." {
			t.Errorf("%s: %s", c.State, c.Why)
		}
		if n := w.events(); n != 1 {
			t.Errorf("%d events", n)
		}
		w.save("another key")
		l, ok := w.Of(t.Context(), b, refused).(*ledger.Later)
		if !ok || l.Why != "The key has just been replaced." || time.Until(l.At) > 2*time.Second {
			t.Errorf("%+v", l)
		}
		if c := w.bundle().Connections[acme]; c.State != tenant.Connected {
			t.Errorf("%s: %s", c.State, c.Why)
		}
		if err := w.Tenants.Disconnect(t.Context(), w.tenant, acme); err != nil {
			t.Fatal(err)
		}
		if park, ok := w.Of(t.Context(), b, refused).(*ledger.Park); !ok || park.Needs != acme {
			t.Errorf("of a connection that was taken away: %+v", park)
		}
	})
}

// TestAsItIs: what is not a vendor's failure comes back as it is.
func TestAsItIs(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		over, cancel := context.WithCancel(t.Context())
		cancel()
		own, park := errors.New("the table is away"), &ledger.Park{Needs: acme}
		down := w.Of(t.Context(), w.bundle(), failed(rest.Error{Kind: rest.Unavailable}))
		cut := failed(rest.Error{Kind: rest.Unavailable, Err: context.Canceled})
		for _, tt := range []struct {
			name      string
			ctx       context.Context
			err, want error
		}{
			{"none", t.Context(), nil, nil},
			{"an error of our own", t.Context(), own, own},
			{"the invocation is over", over, cut, cut},
			{"an outcome", t.Context(), down, down},
			{"a guard's outcome", t.Context(), failed(rest.Error{Kind: rest.NotSent, Err: park}), park},
		} {
			if got := w.Of(tt.ctx, w.bundle(), tt.err); got != tt.want {
				t.Errorf("%s: %v", tt.name, got)
			}
		}
	})
}

func TestBackoff(t *testing.T) {
	for before := range 30 {
		wait := job.Backoff(before, 10*time.Second, 15*time.Minute)
		if most := min(15*time.Minute, 5*time.Second+10*time.Second<<min(before, 20)); wait < 5*time.Second ||
			wait > most {
			t.Errorf("after %d failures: %s", before, wait)
		}
	}
}

// TestWhatBecameOfACall: whether a failed call was refused for what it asks, and whether it certainly changed nothing.
func TestWhatBecameOfACall(t *testing.T) {
	for _, tt := range []struct {
		err             error
		refused, unmade bool
	}{
		{failed(rest.Error{Kind: rest.Invalid, Outcome: rest.Refused, Messages: []string{"No."}}), true, true},
		{failed(rest.Error{Kind: rest.NotFound, Outcome: rest.Refused, Messages: []string{"No."}}), true, true},
		{failed(rest.Error{Kind: rest.Conflict, Outcome: rest.Refused, Messages: []string{"No."}}), true, true},
		{failed(rest.Error{Kind: rest.Conflict, Outcome: rest.Unknown, Messages: []string{"No."}}), false, false},
		{failed(rest.Error{Kind: rest.Throttled, Outcome: rest.Refused}), false, true},
		{failed(rest.Error{Kind: rest.Unauthorized, Outcome: rest.Refused}), false, true},
		{failed(rest.Error{Kind: rest.NotSent, Outcome: rest.Refused, Err: job.ErrShort}), false, true},
		{failed(rest.Error{Kind: rest.Unavailable, Outcome: rest.Unknown, Status: 502}), false, false},
		{job.ErrShort, false, true},
		{&ledger.Later{Why: "A person has paused it."}, false, true},
		{errors.New("the table is away"), false, false},
		{context.DeadlineExceeded, false, false},
	} {
		said, refused := job.Refused(tt.err)
		if refused != tt.refused || refused != (len(said) == 1) || job.Unmade(tt.err) != tt.unmade {
			t.Errorf("%v: refused %v %q, unmade %v", tt.err, refused, said, job.Unmade(tt.err))
		}
	}
}
