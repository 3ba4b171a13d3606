package upstockcin7_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/app"
	"stockbridge/internal/sim"
	simcin7core "stockbridge/internal/sim/cin7core"
	"stockbridge/internal/tenant"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstockcin7/completeness"
)

// schedules starts every job as the template's schedules do, until stop.
func (h *house) schedules() (stop func()) {
	done := make(chan struct{})
	go h.schedule(done)
	return func() { close(done) }
}

func (h *house) schedule(done chan struct{}) {
	for {
		if !h.isDown() {
			minute := int(time.Now().Unix() / 60)
			for _, j := range []struct {
				job   string
				every int
			}{{"orders", 1}, {"shipments", 5}, {"reconcile", 10}, {"webhooks", 30}, {"completeness", 60}} {
				if minute%j.every == 0 {
					go h.app.Schedule(context.Background(), json.RawMessage(`{"job":"`+j.job+`"}`))
				}
			}
		}
		select {
		case <-done:
			return
		case <-time.After(time.Minute):
		}
	}
}

// lossy loses 30 % of all webhooks for good, brings 20 % twice and 20 % minutes
// later, past others. What becomes of one is decided by its content, so that a
// second attempt fares as the first.
type lossy struct {
	h                   *house
	mu                  sync.Mutex
	all                 int
	lost, twice, passed int
}

func (l *lossy) post(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	again := func() *http.Request {
		r := req.Clone(context.Background())
		r.Body = io.NopCloser(bytes.NewReader(body))
		return r
	}
	sum := fnv.New32a()
	sum.Write([]byte(req.Header.Get("webhook-id")))
	sum.Write(body)
	taken := &http.Response{StatusCode: http.StatusAccepted, Body: http.NoBody, Header: http.Header{}}
	l.mu.Lock()
	l.all++
	way := (sum.Sum32() >> 8) % 10
	switch {
	case way < 3:
		l.lost++
	case way < 5:
		l.twice++
	case way < 7:
		l.passed++
	}
	l.mu.Unlock()
	switch {
	case way < 3:
		return taken, nil
	case way < 5:
		if resp, err := l.h.receive(again()); err != nil || resp.StatusCode >= 300 {
			return resp, err
		}
	case way < 7:
		wait := time.Duration(sum.Sum32()%240) * time.Second // within the signature's 5 minutes
		time.AfterFunc(wait, func() { l.h.receive(again()) })
		return taken, nil
	}
	return l.h.receive(again())
}

// shop ships what is sold, as people do in the course of a day: most in one
// box, some in two, and the tracking of some only later.
func (h *house) shop(ids []int) {
	all := h.allLive()
	for _, id := range ids {
		live := all[id]
		if len(live) == 0 || live[0].Shipping == "SHIPPED" {
			continue
		}
		sale := live[0].ID
		switch {
		case live[0].Shipping == "PARTIALLY SHIPPED":
			h.person(sale, "ship", fmt.Sprintf(`{"trackingNumber":"T-%d-B"}`, id))
		case id%3 == 0:
			h.person(sale, "ship", fmt.Sprintf(`{"boxes":["A"],"of":["A","B"],"trackingNumber":"T-%d-A"}`, id))
		case id%3 == 1:
			h.person(sale, "ship", "")
			time.AfterFunc(7*time.Minute, func() {
				h.simCore.Sale(sale, "tracking", fmt.Sprintf(`{"trackingNumber":"T-%d","carrier":"Post Haste"}`, id))
			})
		default:
			h.person(sale, "ship", fmt.Sprintf(`{"trackingNumber":"T-%d"}`, id))
		}
	}
}

// allLive are the sales that are not voided, by order.
func (w *world) allLive() map[int][]simcin7core.SaleSummary {
	all := map[int][]simcin7core.SaleSummary{}
	for _, s := range w.simCore.Sales(w.acc.Cin7Core.AccountID) {
		_, id, _ := strings.Cut(strings.TrimPrefix(s.ExternalID, "upstock:"), ":")
		if n, err := strconv.Atoi(id); err == nil && s.Status != "VOIDED" {
			all[n] = append(all[n], s)
		}
	}
	return all
}

// jobMessage is a message of one job for the house's tenant.
func (h *house) jobMessage(job string) []app.Message {
	return []app.Message{{ID: "m", Body: fmt.Sprintf(`{"job":%q,"tenant":%q}`, job, h.tenant), Receives: 1}}
}

// allIsWell compares both sides for every order.
func (h *house) allIsWell(ids []int) {
	h.t.Helper()
	bad, all := 0, h.allLive()
	for _, id := range ids {
		if n := len(all[id]); n != 1 {
			h.t.Errorf("order %d has %d sales\n%s", id, n, timeline(h.run(id)))
			bad++
		} else if v := h.parcelsVerdict(id, all[id][0].ID); v != "" {
			h.t.Errorf("order %d: %s\n%s", id, v, timeline(h.run(id)))
			bad++
		}
		if bad > 3 {
			h.t.Fatal("and so on")
		}
	}
	if n := h.sim.OverLimit(sim.Cin7Core, "") + h.sim.OverLimit(sim.Upstock, ""); n > 0 {
		h.t.Errorf("%d calls over a limit", n)
	}
}

// TestLossyWebhooks: of hundreds of orders' webhooks from both vendors, 2,000
// with -whole, 30 % are lost, 20 % come twice and others late. In the end every order has one sale,
// every parcel is in Upstock, and the completeness ledger says so itself.
func TestLossyWebhooks(t *testing.T) {
	testsize.Large(t)
	many := testsize.Of(2000, 300, 0)
	live(t, concurrency, 0, func(t *testing.T, h *house) {
		h.app.Shipments(t.Context(), h.jobMessage("webhooks"))
		synctest.Wait()
		lossy := &lossy{h: h}
		h.set(func() { h.post = lossy.post })
		begun := time.Now()
		defer h.schedules()()
		var ids []int
		for len(ids) < many {
			for range 10 {
				ids = append(ids, h.approve(groceries))
			}
			time.Sleep(time.Minute)
			if len(ids)%200 == 0 {
				h.shop(ids[:max(0, len(ids)-100)])
			}
		}
		for range 3 {
			time.Sleep(time.Hour)
			h.shop(ids)
		}
		time.Sleep(3 * time.Hour)
		h.idle()
		h.allIsWell(ids)
		t.Logf("%d webhooks, %d lost, %d twice, %d late; all through in %s", lossy.all, lossy.lost, lossy.twice,
			lossy.passed, time.Since(begun))
		if lossy.lost*100 < lossy.all*25 || lossy.lost*100 > lossy.all*35 {
			t.Errorf("%d of %d webhooks were lost", lossy.lost, lossy.all)
		}
		h.complete(many)
	})
}

// TestOutages: three hours without one vendor, or without us. Nothing is lost,
// no budget is overdrawn while catching up, and the backlog's end is shown.
func TestOutages(t *testing.T) {
	testsize.Large(t)
	t.Parallel()
	many := testsize.Of(300, 100, 0)
	refuse := func(prefix string) func(*http.Request, []byte) (*http.Response, error) {
		return func(req *http.Request, _ []byte) (*http.Response, error) {
			if strings.HasPrefix(req.URL.Path, prefix) {
				return nil, syscall.ECONNREFUSED
			}
			return nil, nil
		}
	}
	for name, c := range map[string]struct {
		begin  func(h *house)
		shown  bool // the backlog's end is known at the end of the outage
		orders bool // people can still approve
	}{
		"Cin7 Core": {begin: func(h *house) { h.answer = refuse(sim.PrefixCin7Core) }, shown: true, orders: true},
		"Upstock":   {begin: func(h *house) { h.answer = refuse(sim.PrefixUpstock) }, shown: true, orders: true},
		"us": {begin: func(h *house) {
			h.down = true
			h.post = func(*http.Request) (*http.Response, error) { return nil, syscall.ECONNREFUSED }
		}, orders: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			live(t, concurrency, 1, func(t *testing.T, h *house) {
				h.app.Shipments(t.Context(), h.jobMessage("webhooks"))
				synctest.Wait()
				defer h.schedules()()
				var ids []int
				for range many / 4 {
					ids = append(ids, h.approve(groceries))
					time.Sleep(5 * time.Second)
				}
				time.Sleep(10 * time.Minute)
				h.set(func() { c.begin(h) })
				h.shop(ids) // goods leave all the same
				for range many - len(ids) {
					ids = append(ids, h.approve(groceries))
					time.Sleep(3 * time.Hour / time.Duration(many))
				}
				time.Sleep(time.Hour)
				h.set(func() { h.answer, h.post, h.down = nil, nil, false })
				orders, calls, end := h.backlog()
				if c.shown && (orders == 0 || !end.After(time.Now())) {
					t.Errorf("after three hours: backlog of %d orders, %d calls, until %s", orders, calls, end)
				}
				back := time.Now()
				for left := 1; left > 0; {
					time.Sleep(5 * time.Minute)
					left = 0
					for _, id := range ids {
						if r := h.run(id); r == nil || r.SoldAt.IsZero() || !r.Told || r.ReadingDue() {
							left++
						}
					}
					if time.Since(back) > 4*time.Hour {
						t.Fatalf("%d orders are left after 4 hours", left)
					}
				}
				t.Logf("%s: backlog of %d orders, %d calls, expected in %s; all done in %s", name, orders, calls,
					max(0, end.Sub(back)).Round(time.Second), time.Since(back))
				h.shop(ids)
				time.Sleep(30 * time.Minute)
				h.shop(ids)
				time.Sleep(90 * time.Minute)
				h.idle()
				h.allIsWell(ids)
				h.complete(many)
			})
		})
	}
}

// complete lets the completeness ledger say that nothing is missing.
func (h *house) complete(approved int) {
	h.t.Helper()
	ctx := context.Background()
	p := h.app.Pair
	conn := must[tenant.Connection](h.world)(h.app.Tenants.Connection(ctx, h.tenant, tenant.Upstock))
	from, to := conn.Since, time.Now().Add(time.Minute)
	if err := p.Completeness.Start(ctx, h.tenant, from, to); err != nil {
		h.t.Fatal(err)
	}
	var c completeness.Report
	for range 60 {
		time.Sleep(time.Minute)
		if c = must[completeness.Report](h.world)(p.Completeness.Last(ctx, h.tenant, from, to)); !c.Checked.IsZero() &&
			!c.Running {
			break
		}
	}
	if c.Counts.Approved != approved || c.Counts.Sold != approved || c.Counts.Shipped != approved ||
		c.Counts.Missing != 0 || c.Found != 0 || !strings.HasPrefix(c.Summary, "0 missing, checked") {
		h.t.Errorf("%s: %+v %s\n%+v", c.Summary, c.Counts, c.Problem, c.Differences[:min(5, len(c.Differences))])
	}
	h.t.Logf("%s: %+v", c.Summary, c.Counts)
}
