package upstockcin7_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/app"
	"stockbridge/internal/ledger"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstockcin7/order"
)

// slowTable is a table each of whose requests takes a while, once it is told to.
type slowTable struct {
	*table.File
	takes time.Duration
}

func (s *slowTable) wait(ctx context.Context) error {
	if s.takes == 0 {
		return nil
	}
	select {
	case <-time.After(s.takes):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *slowTable) Get(ctx context.Context, keys ...table.Key) ([]table.Item, error) {
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	return s.File.Get(ctx, keys...)
}

func (s *slowTable) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if err := s.wait(ctx); err != nil {
		return table.Page{}, err
	}
	return s.File.Query(ctx, q)
}

func (s *slowTable) List(ctx context.Context, q table.Query) (table.Entries, error) {
	if err := s.wait(ctx); err != nil {
		return table.Entries{}, err
	}
	return s.File.List(ctx, q)
}

func (s *slowTable) Write(ctx context.Context, ops ...table.Op) error {
	if err := s.wait(ctx); err != nil {
		return err
	}
	return s.File.Write(ctx, ops...)
}

// fleet is what a sweep of very many tenants sends, whose queue nobody reads.
type fleet struct {
	table *slowTable
	app   *app.App
	mu    sync.Mutex
	sent  map[string]int // by tenant and order
	last  time.Time
}

func newFleet(t *testing.T) *fleet {
	store, err := table.Open("", table.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	box, err := tenant.NewBox(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{table: &slowTable{File: store}, sent: map[string]int{}}
	f.app = app.New(app.Deps{Table: f.table, Sealer: box,
		Send: func(_ context.Context, q app.Queue, body []byte, _ string, _ time.Duration) error {
			var p ledger.Pointer
			if err := json.Unmarshal(body, &p); err != nil || q != app.OrdersQueue {
				return err
			}
			time.Sleep(f.table.takes)
			f.mu.Lock()
			defer f.mu.Unlock()
			f.sent[p.Tenant+" "+p.ID]++
			f.last = time.Now()
			return nil
		}})
	return f
}

func (f *fleet) run(t *testing.T, tenantID string, n int, change func(*order.Order)) {
	t.Helper()
	r := &order.Order{Run: ledger.Run{Tenant: tenantID, ID: fmt.Sprint(1000 + n), State: ledger.Waiting,
		Received: time.Now().UTC(), Next: time.Now().Add(time.Second).UTC()}}
	change(r)
	if _, err := order.NewBook(ledger.New(f.table.File)).Receive(t.Context(), r, []byte("{}")); err != nil {
		t.Fatal(err)
	}
}

// sweep sweeps as the schedule has it, within a function's time.
func (f *fleet) sweep(most time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	return f.app.Schedule(ctx, json.RawMessage(`{"job":"orders"}`))
}

// twice are pointers that were sent more than once.
func (f *fleet) twice() (n int) {
	for _, sent := range f.sent {
		if sent > 1 {
			n++
		}
	}
	return n
}

// TestSweepOfThousands: ten thousand tenants with a due order each are woken
// within 45 seconds, before a table that takes 8 ms for each request; none of
// them twice by the sweeps that follow.
func TestSweepOfThousands(t *testing.T) {
	testsize.Large(t)
	t.Parallel()
	const many = 10_000
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		for n := range many {
			f.run(t, fmt.Sprintf("tenant%05d", n), 0, func(r *order.Order) {
				if n%3 == 0 {
					r.Failures = 1
				}
			})
		}
		time.Sleep(time.Minute)
		f.table.takes = 8 * time.Millisecond
		begun := time.Now()
		if err := f.sweep(time.Minute); err != nil {
			t.Error(err)
		}
		took := f.last.Sub(begun)
		if len(f.sent) != many || took > 45*time.Second {
			t.Errorf("%d of %d woken in %s", len(f.sent), many, took)
		}
		for range 3 {
			time.Sleep(time.Minute)
			if err := f.sweep(time.Minute); err != nil {
				t.Error(err)
			}
		}
		if n := f.twice(); n > 0 {
			t.Errorf("%d sent again while the first was in the queue", n)
		}
		t.Logf("%d woken in %s", len(f.sent), took)
	})
}

// TestSweepCutOff: a sweep whose table is so slow that its time runs out has
// woken what it read, and the next ones wake the rest.
func TestSweepCutOff(t *testing.T) {
	t.Parallel()
	many := testsize.Of(400, 400, 80)
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		for n := range many {
			f.run(t, fmt.Sprintf("tenant%05d", n), 0, func(*order.Order) {})
		}
		time.Sleep(time.Minute)
		f.table.takes = 3 * time.Second
		f.sweep(25 * time.Second)
		if len(f.sent) == 0 {
			t.Error("nobody was woken")
		}
		for range 20 {
			time.Sleep(time.Minute)
			f.sweep(25 * time.Second)
		}
		if len(f.sent) != many {
			t.Errorf("%d of %d woken", len(f.sent), many)
		}
	})
}

// TestResumeOfThousands: two thousand tenants whose key was replaced, with ten
// parked orders each, go on within 45 seconds of the first sweep.
func TestResumeOfThousands(t *testing.T) {
	testsize.Unraced(t)
	t.Parallel()
	many, each := testsize.Of(2000, 300, 300), 10
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		ctx := t.Context()
		for n := range many {
			id := fmt.Sprintf("tenant%05d", n)
			for _, sys := range []tenant.System{tenant.Upstock, tenant.Cin7Core} {
				if _, _, err := f.app.Tenants.Connect(ctx, id, sys,
					func(c *tenant.Connection, s *tenant.Secrets) error {
						c.Account, s.Key = fmt.Sprint(sys, n), "key"
						return nil
					}); err != nil {
					t.Fatal(err)
				}
			}
			for k := range each {
				f.run(t, id, k, func(r *order.Order) {
					// as an earlier version did
					if r.Park(tenant.Cin7Core, time.Now(), "Cin7 Core needs reconnecting."); k%5 == 0 {
						r.Needs, r.ParkedAt = "", time.Time{}
					}
				})
			}
		}
		f.table.takes = 8 * time.Millisecond
		begun := time.Now()
		if err := f.sweep(time.Minute); err != nil {
			t.Error(err)
		}
		took := f.last.Sub(begun)
		if len(f.sent) != many*each || took > 45*time.Second {
			t.Errorf("%d of %d go on in %s", len(f.sent), many*each, took)
		}
		for range 5 {
			time.Sleep(time.Minute)
			if err := f.sweep(time.Minute); err != nil {
				t.Error(err)
			}
		}
		if list, err := f.app.Tenants.Resuming(ctx); err != nil || len(list) > 0 || f.twice() > 0 {
			t.Errorf("%d still resuming, %d woken twice: %v", len(list), f.twice(), err)
		}
		t.Logf("%d go on in %s", len(f.sent), took)
	})
}
