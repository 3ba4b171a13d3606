package upstockcin7_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"stockbridge/internal/app"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/testsize"
)

// crowd is thousands of tenants before vendors that only answer how long they
// take, and a fair queue with as many workers as the template lets run.
type crowd struct {
	t     *testing.T
	app   *app.App
	slow  map[string]bool // by account: no answer until the client gives up
	mu    sync.Mutex
	polls map[string][]time.Time // by account
	calls int
	sent  []string // tenants, as their messages were sent

	busy   int
	groups []string
	queue  map[string][]app.Message
	most   int // messages that waited at once
}

// RoundTrip answers an idle poll.
func (c *crowd) RoundTrip(req *http.Request) (*http.Response, error) {
	account := req.Header.Get("api-auth-accountid")
	c.mu.Lock()
	c.calls++
	c.polls[account] = append(c.polls[account], time.Now())
	c.mu.Unlock()
	if c.slow[account] {
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	time.Sleep(450 * time.Millisecond)
	return jsonAnswer(`{"Total":0,"Page":1,"SaleList":[]}`), nil
}

func (c *crowd) send(_ context.Context, q app.Queue, body []byte, group string, delay time.Duration) error {
	if q != app.ShipmentsQueue {
		return nil
	}
	c.mu.Lock()
	c.sent = append(c.sent, group)
	c.mu.Unlock()
	time.AfterFunc(delay, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.queue[group]) == 0 {
			c.groups = append(c.groups, group)
		}
		c.queue[group] = append(c.queue[group], app.Message{ID: "m", Body: string(body), Sent: time.Now()})
		c.most = max(c.most, len(c.groups))
		c.next()
	})
	return nil
}

// next is house.next for the jobs. c.mu is held.
func (c *crowd) next() {
	for c.busy < concurrency && len(c.groups) > 0 {
		group := c.groups[0]
		m := c.queue[group][0]
		c.queue[group] = c.queue[group][1:]
		if c.groups = c.groups[1:]; len(c.queue[group]) > 0 {
			c.groups = append(c.groups, group)
		}
		c.busy++
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			m.Receives++
			if failed := c.app.Shipments(ctx, []app.Message{m}); len(failed) > 0 {
				c.t.Errorf("%s failed", m.Body)
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			c.busy--
			c.next()
		}()
	}
}

// TestFanOut: 1,000 tenants, 5,000 with -whole, some of whose vendor does not answer. Every other
// one is polled on time, none twice, and those that need reconnecting not at all.
func TestFanOut(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 7) // a tenant's place follows from its id: the same crowd each time
	many := testsize.Of(5000, 1000, 120)
	slow, broken, halves := many/50, many/100, many/100
	synctest.Test(t, func(t *testing.T) {
		store, err := table.Open("", table.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		box, err := tenant.NewBox(make([]byte, 32))
		if err != nil {
			t.Fatal(err)
		}
		c := &crowd{t: t, slow: map[string]bool{}, polls: map[string][]time.Time{}, queue: map[string][]app.Message{}}
		c.app = app.New(app.Deps{Table: store, Sealer: box, HTTP: c, Send: c.send,
			PublicURL: "https://hooks.example.test",
			URLs: map[tenant.System]string{tenant.Upstock: "http://vendors.test/upstock",
				tenant.Cin7Core: "http://vendors.test/cin7core"}})
		ctx := t.Context()
		ids := map[string]string{} // account by tenant
		for n := range many {
			tn, _, err := c.app.Tenants.Create(ctx, fmt.Sprintf("Wholesaler %d", n), "")
			if err != nil {
				t.Fatal(err)
			}
			account := fmt.Sprintf("account-%d", n)
			for _, sys := range []tenant.System{tenant.Cin7Core, tenant.Upstock} {
				if n < halves && sys == tenant.Upstock {
					continue
				}
				conn, _, err := c.app.Tenants.Connect(ctx, tn.ID, sys,
					func(conn *tenant.Connection, s *tenant.Secrets) error {
						s.Key = "key"
						if conn.Account = account; sys == tenant.Upstock {
							conn.Account = fmt.Sprint(1000 + n)
						}
						return nil
					})
				if err != nil {
					t.Fatal(err)
				}
				if n >= halves && n < halves+broken && sys == tenant.Cin7Core {
					if _, err := c.app.Tenants.Broken(ctx, tn.ID, sys, conn.Generation,
						"Cin7 Core refused the key."); err != nil {
						t.Fatal(err)
					}
				}
			}
			if n < halves+broken {
				continue
			}
			ids[tn.ID] = account
			c.slow[account] = n < halves+broken+slow
		}
		const rounds = 4
		begun := time.Now()
		for round := range rounds {
			for range 1 + round%2 { // Scheduler delivers at least once
				if err := c.app.Schedule(ctx, json.RawMessage(`{"job":"shipments"}`)); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
			}
			time.Sleep(5*time.Minute - time.Duration(1+round%2)*time.Second)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		var longest time.Duration
		early, late, twice := 0, 0, 0
		for id, account := range ids {
			polls := c.polls[account]
			if c.slow[account] {
				continue
			}
			if len(polls) < rounds {
				t.Fatalf("tenant %s was polled %d times in %d rounds: %v", id, len(polls), rounds, polls)
			}
			twice += len(polls) - rounds // its first poll was under way when the schedule came again
			for i := 1; i < len(polls); i++ {
				longest = max(longest, polls[i].Sub(polls[i-1]))
			}
			if first := polls[0].Sub(begun); first < time.Minute {
				early++
			} else if first > 4*time.Minute+10*time.Second {
				late++
			}
		}
		if longest > 5*time.Minute+15*time.Second || late > 0 || many == 5000 && (twice > many/100 || early > many/3) {
			t.Errorf("longest time between two polls %s; in the first minute %d, late %d, twice %d", longest, early,
				late, twice)
		}
		if n := len(c.polls); n != many-halves-broken {
			t.Errorf("%d accounts were called, %d are connected", n, many-halves-broken)
		}
		t.Logf("%d tenants, %d of them slow: longest time between two polls %s; %d messages, %d waited at once",
			len(ids), slow, longest, len(c.sent), c.most)
	})
}
