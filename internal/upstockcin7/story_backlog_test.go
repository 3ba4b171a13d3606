package upstockcin7_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"stockbridge/internal/app"
	"stockbridge/internal/console/consoletest"
	"stockbridge/internal/sim"
	"stockbridge/internal/tenant"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
)

// backlog is what the JSON API says of it.
func (h *house) backlog() (orders, calls int, end time.Time) {
	h.t.Helper()
	req := httptest.NewRequest(http.MethodGet, "/api/v1/tenants/"+h.tenant+"/health", nil)
	req.Header.Set("Authorization", "Bearer operator")
	rec := httptest.NewRecorder()
	console := app.New(app.Deps{Table: h.store, Sealer: h.box, Operators: tenant.OperatorsOf("operator")}).Console(nil)
	consoletest.Watch(h.t, console).ServeHTTP(rec, req)
	var a struct {
		Backlog struct {
			Orders, Calls int
			ExpectedEnd   time.Time
		}
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &a); err != nil || rec.Code != http.StatusOK {
		h.t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	return a.Backlog.Orders, a.Backlog.Calls, a.Backlog.ExpectedEnd
}

// TestBacklogEnds: what an outage of Cin7 Core has held up is through when
// health says, or not much later: an order that was tried is looked for first.
func TestBacklogEnds(t *testing.T) {
	testsize.Large(t)
	const many = 300
	live(t, concurrency, 1, func(t *testing.T, h *house) {
		h.answer = func(req *http.Request, _ []byte) (*http.Response, error) {
			if strings.HasPrefix(req.URL.Path, sim.PrefixCin7Core) {
				return nil, syscall.ECONNREFUSED
			}
			return nil, nil
		}
		var ids []int
		for range many {
			ids = append(ids, h.approve(groceries))
		}
		h.turn(30 * time.Minute)
		h.answer = nil
		began := time.Now()
		orders, calls, end := h.backlog()
		if wait, want := end.Sub(began),
			time.Duration(many)*3*time.Second; orders != many || calls != 3*many || wait < want ||
			wait > want+upstockcin7.DefaultTimes().Longest {
			t.Errorf("%d orders, %d calls, through in %s", orders, calls, wait)
		}
		for left := many; left > 0; left, _, _ = h.backlog() {
			if time.Since(began) > time.Hour {
				t.Fatalf("%d orders are left after an hour", left)
			}
			h.turn(time.Minute)
		}
		last := began
		for _, id := range ids {
			r := h.run(id)
			if r.State != order.Sold {
				t.Errorf("order %d is %s", id, r.State)
			}
			if r.SoldAt.After(last) {
				last = r.SoldAt
			}
		}
		t.Logf("%d orders: expected in %s, took %s", many, end.Sub(began), last.Sub(began))
		if last.Before(end.Add(-time.Minute)) || last.Sub(began) > end.Sub(began)*3/2 {
			t.Errorf("expected in %s, took %s", end.Sub(began), last.Sub(began))
		}
		if _, _, end := h.backlog(); !end.IsZero() {
			t.Errorf("an end of no backlog: %s", end)
		}
	})
}
