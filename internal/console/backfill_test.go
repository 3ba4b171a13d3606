package console

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/job"
	"stockbridge/internal/sim"
	"stockbridge/internal/upstockcin7"
)

func TestBackfill(t *testing.T) {
	h := open(t)
	acc := h.sim.AddAccount("Aroha Foods", "NZD")
	id, path, token := h.tenant("Aroha Foods")
	_, theirs, _ := h.tenant("Kauri Supplies")
	path += "/backfill"
	if a := h.do("GET", path, token, nil).is(200); a.get("state") != "none" || a.get("from") != nil ||
		a.get("percent") != 0.0 {
		t.Error(a.raw)
	}
	if a := h.do("DELETE", path, token, nil).is(200); a.get("state") != "none" {
		t.Error(a.raw)
	}
	h.do("GET", theirs+"/backfill", token, nil).is(404)
	day := daysAgo(t)
	days := func(from, to int) string { return fmt.Sprintf(`{"from":%q,"to":%q}`, day(from), day(to)) }
	if a := h.do("POST", path, token, days(9, 2)).is(422); a.get("problems.0.code") != "notReady" {
		t.Error(a.raw)
	}
	if a := h.do("POST", path+"/preview", token, days(9, 2)).is(200); a.get("problems.0.code") != "notReady" {
		t.Error(a.raw)
	}
	h.do("PUT", strings.TrimSuffix(path, "/backfill")+"/connections/cin7core", token, acc.Cin7Core).is(200)
	h.do("PUT", strings.TrimSuffix(path, "/backfill")+"/connections/upstock", token,
		map[string]string{"token": acc.Upstock.Token}).is(200)

	for _, c := range []struct {
		name, body string
		want       int
		fields     []string
	}{
		{"nothing", `{}`, 422, []string{"from", "to"}},
		{"no body", ``, 400, nil},
		{"no day", `{"from":"1 November","to":"2026-02-30"}`, 422, []string{"from", "to"}},
		{"an instant", fmt.Sprintf(`{"from":"2026-01-01T00:00:00Z","to":%q}`, day(1)), 422, []string{"from"}},
		{"numbers", `{"from":1,"to":2}`, 422, []string{"from", "to"}},
		{"another field", `{"from":"2026-01-01","to":"2026-01-02","dryRun":true}`, 422, []string{"dryRun"}},
		{"backwards", days(2, 9), 422, []string{"to"}},
		{"to come", days(2, -2), 422, []string{"to"}},
		{"too long", days(366, 0), 422, []string{"to"}},
		{"a year", days(365, 0), 200, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.t = t
			for _, at := range []string{path, path + "/preview"} {
				if c.want == 200 && at == path {
					continue
				}
				if a := h.do("POST", at, token, c.body).is(c.want); cmp.Diff(c.fields, a.fields()) != "" {
					t.Error(a.raw)
				}
			}
		})
	}
	h.t = t
	if a := h.do("POST", path+"/preview", token,
		strings.TrimSuffix(days(9, 2), "}")+`,"after":"a\u0000b\ud800"}`); a.status >= 500 {
		t.Error(a.raw)
	}

	for i := range 3 {
		body := fmt.Sprintf(`{"status":%q,"approvedAt":%q}`, []string{"processing", "cancelled", "shipped"}[i],
			time.Now().AddDate(0, 0, -7+i).UTC().Format(time.RFC3339))
		if _, err := h.simUpstock.PlaceOrder(acc.Upstock.Supplier, body); err != nil {
			t.Fatal(err)
		}
	}
	if a := h.do("POST", path+"/preview", token, days(9, 2)).is(200); a.get("problems.0.code") != "notReady" ||
		len(a.get("items").([]any)) != 0 {
		t.Errorf("before the mirror is complete: %s", a.raw)
	}
	for i := 0; len(h.started) > 0 && i < 20; i++ {
		j := h.started[0]
		if h.started = h.started[1:]; j.Job == upstockcin7.JobMirror {
			if err := h.jobs.Do(t.Context(), j); err != nil {
				t.Fatal(err)
			}
		}
	}
	calls := len(h.sim.Calls(sim.Cin7Core, acc.Cin7Core.AccountID))
	a := h.do("POST", path+"/preview", token, days(9, 2)).is(200)
	if a.get("counts.sell") != 1.0 || a.get("counts.cancelled") != 1.0 || a.get("counts.shipped") != 1.0 ||
		a.get("items.0.outcome") != "sell" ||
		a.get("items.0.saleTotal") != a.get("items.0.total") || a.get("items.0.state") != nil || a.get("next") != nil {
		t.Error(a.raw)
	}
	if n := len(h.sim.Calls(sim.Cin7Core, acc.Cin7Core.AccountID)); n != calls {
		t.Errorf("a preview made %d calls to Cin7 Core", n-calls)
	}
	if err := h.sim.Fault(sim.Upstock, sim.Fault{Match: "GET /orders", Kind: "html"}); err != nil {
		t.Fatal(err)
	}
	if a := h.do("POST", path+"/preview", token, days(9, 2)).is(200); a.get("problems.0.code") != "noAnswer" {
		t.Error(a.raw)
	}

	h.started = nil
	a = h.do("POST", path, token, days(9, 2)).is(http.StatusAccepted)
	if a.get("state") != "running" || a.get("from") != day(9) || a.get("to") != day(2) ||
		a.get("timeZone") != "Pacific/Auckland" || a.get("finishedAt") != nil {
		t.Error(a.raw)
	}
	h.do("POST", path, token, days(9, 2)).is(http.StatusAccepted)
	if a := h.do("POST", path, token, days(8, 2)).is(http.StatusConflict); !strings.Contains(a.get("detail").(string),
		day(9)) {
		t.Error(a.raw)
	}
	backfill := job.Message{Job: upstockcin7.JobBackfill, Tenant: id}
	if len(h.started) != 2 || h.started[0] != backfill {
		t.Errorf("%v", h.started)
	}
	if a := h.do("DELETE", path, token, nil).is(200); a.get("state") != "stopped" || a.get("finishedAt") == nil {
		t.Error(a.raw)
	}
	h.do("POST", path, token, days(9, 2)).is(http.StatusAccepted)
	if err := h.jobs.Do(t.Context(), backfill); err != nil {
		t.Fatal(err)
	}
	a = h.do("GET", path, token, nil).is(200)
	if a.get("state") != "done" || a.get("percent") != 100.0 || a.get("taken") != 1.0 || a.get("listed") != 3.0 ||
		a.get("reached") != day(5) {
		t.Error(a.raw)
	}
	a = h.do("POST", path+"/preview", token, days(9, 2)).is(200)
	if a.get("counts.known") != 1.0 || a.get("items.0.state") != "received" || a.get("items.1.state") != "cancelled" {
		t.Error(a.raw)
	}
}
