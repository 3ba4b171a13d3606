package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// measured is a log that keeps the metrics that its records name.
type measured struct {
	slog.Handler
	mu   sync.Mutex
	list []string
}

func (m *measured) Enabled(context.Context, slog.Level) bool { return true }

func (m *measured) Handle(_ context.Context, r slog.Record) error {
	attrs := map[string]string{}
	r.Attrs(func(a slog.Attr) bool { attrs[a.Key] = a.Value.String(); return true })
	if name := attrs["metric"]; name != "" {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.list = append(m.list, fmt.Sprint(name, " ", attrs["job"], attrs["system"], " ", attrs[name]))
	}
	return nil
}

// TestMeasures: schedules that start, jobs that are late or given up, deliveries that are refused, and what vendors
// refuse, are measured.
func TestMeasures(t *testing.T) {
	file, err := table.Open(filepath.Join(t.TempDir(), "table.db"), table.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	box, err := tenant.NewBox(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now() // the table forgets by this clock
	m := &measured{Handler: slog.DiscardHandler}
	a := New(Deps{Table: file, Sealer: box, Log: slog.New(m), Now: func() time.Time { return now },
		Send: func(context.Context, Queue, []byte, string, time.Duration) error { return nil }})
	for _, c := range []struct {
		do   func()
		want []string
	}{
		{func() { _ = a.Schedule(t.Context(), []byte(`{"job":"orders"}`)) },
			[]string{"JobsStarted orders ", "OldestDue  0"}},
		{func() { _ = a.Schedule(t.Context(), []byte(`{"job":"prices"}`)) }, []string{"JobsStarted prices "}},
		{func() {
			for _, late := range []time.Duration{4 * time.Minute, 310 * time.Second} { // it comes each five minutes
				at := now.Add(-late).UTC().Format(time.RFC3339Nano)
				a.Shipments(t.Context(), []Message{{ID: "1",
					Body: `{"kind":"job","job":"shipments","tenant":"nobody","at":"` + at + `"}`}})
			}
		}, []string{"JobLag shipments 310"}},
		{func() {
			a.DeadLetters(t.Context(), []Message{{ID: "1", Body: `{"kind":"job","job":"prices","tenant":"nobody"}`}})
		}, []string{"JobsGivenUp prices "}},
		{func() {
			for _, status := range []int{202, 401, 404, 503} {
				h := countRefused(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(status)
				}), a.deps.Log)
				h.ServeHTTP(httptest.NewRecorder(),
					httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhooks/x/y", nil))
			}
		}, []string{"WebhooksRefused  "}},
		{func() {
			c := tenant.Connection{System: tenant.Cin7Core, Account: "acme"}
			row, _ := a.Vendors.Of(tenant.Cin7Core)
			for _, first := range []bool{false, true} {
				for range row.Budget.Rates[0].Calls { // one of both is left none, of whom the first alone is counted
					if _, err := a.limiter(c, first).Take(t.Context(), 1); err != nil {
						break
					}
				}
			}
			a.limiter(c, true).Throttled(t.Context(), time.Minute)
		}, []string{"BudgetSpent cin7core ", "VendorThrottles cin7core "}},
	} {
		m.list = nil
		c.do()
		if diff := cmp.Diff(c.want, slices.Compact(m.list)); diff != "" {
			t.Errorf("(-want +got) %s", diff)
		}
	}
}
