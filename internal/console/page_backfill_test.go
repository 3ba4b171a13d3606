package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/signin"
	"stockbridge/internal/sim"
	"stockbridge/internal/upstockcin7"
)

// TestBackfillPage: days are chosen, what would happen is shown, and then it happens.
func TestBackfillPage(t *testing.T) {
	h := open(t)
	acc, id, path, token := h.supplier("Aroha Foods")
	page := "/t/" + id + "/backfill"
	ana, viewer := h.signIn("Ana", signin.Admin, id), h.signIn("Viktor", signin.Viewer, id)
	day := daysAgo(t)
	days := url.Values{"from": {day(9)}, "to": {day(2)}}
	asked := page + "?" + days.Encode()
	has(t, ana.get(page).Body.String(), "Which days?", `value="`+day(30)+`"`, `value="`+day(0)+`"`)
	has(t, viewer.get(page).Body.String(), "No earlier orders were taken in")
	for _, address := range []string{page, asked} {
		hasNot(t, viewer.get(address).Body.String(), "Show what would happen", "Take in 2", "<h2")
	}
	has(t, ana.get(asked).Body.String(), "No order was approved on these days")

	place := func(status, more string) {
		t.Helper()
		_, err := h.simUpstock.PlaceOrder(acc.Upstock.Supplier, fmt.Sprintf(`{"status":%q,"approvedAt":%q%s}`, status,
			time.Now().AddDate(0, 0, -7).UTC().Format(time.RFC3339), more))
		if err != nil {
			t.Fatal(err)
		}
	}
	for range previewedAtOnce {
		place("processing", `,"reference":"\"><script>alert(1)</script>"`)
	}
	place("cancelled", "")
	place("shipped", "")
	place("processing", ","+strings.TrimPrefix(unknownProduct, "{")[:len(unknownProduct)-2])

	body := ana.get(asked).Body.String()
	checkPage(t, asked, ana.get(asked))
	has(t, body, "50 orders on this page: 50 are sold", "Next page", "Take in ", "&lt;script&gt;")
	next := between(body, `<a class="button" href="`, `" rel="next"`)
	second := ana.get(strings.ReplaceAll(next, "&amp;", "&"))
	checkPage(t, next, second)
	has(t, second.Body.String(), "3 orders on this page: 1 needs you, 2 are left out", "TEA-999")
	for _, bad := range []string{asked + "&after=x", asked + "&after=" + day(9) + "." + day(1) + ".x"} {
		if w := ana.get(bad); w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", bad, w.Code)
		}
	}
	if err := h.sim.Fault(sim.Upstock, sim.Fault{Match: "GET /orders", Kind: "html"}); err != nil {
		t.Fatal(err)
	}
	body = ana.get(asked).Body.String()
	has(t, body, "What would happen cannot be told just now", "Ask again in a minute")
	hasNot(t, body, "Take in "+spelt(day(9)))

	has(t, ana.follow(page, days), `id="moving"`, "are being taken in", "0 % of the days", "Stop the backfill")
	checkPage(t, page, ana.get(page))
	body = viewer.get(page).Body.String()
	has(t, body, `id="moving"`, "are being taken in")
	hasNot(t, body, "Stop the backfill")
	hasNot(t, ana.get(asked).Body.String(), "Take in "+spelt(day(9)))
	other := url.Values{"from": {day(8)}, "to": {day(2)}}
	if w := ana.post(page, other); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(),
		"are being taken in. Wait") || !strings.Contains(w.Body.String(), `href="`+page+`"`) {
		t.Errorf("other days meanwhile: %d %s", w.Code, w.Body)
	}
	has(t, ana.follow(page+"/stop", nil), "The backfill is stopped", "were stopped before their end")
	ana.follow(page, days)
	h.work()
	body = ana.get(page).Body.String()
	has(t, body, "are taken in", "Taken in, to be sold", "51", "Cancelled in Upstock")
	hasNot(t, body, `id="moving"`)
	if n := h.do("GET", path+"/backfill", token, nil).is(200); n.get("taken") != 51.0 {
		t.Errorf("%s", n.raw)
	}
	body = ana.get(asked).Body.String()
	has(t, body, "50 orders on this page: 50 are here already", "/orders/")
	checkPage(t, asked, ana.get(asked))
}

// TestBackfillDays: what is wrong with the days that were typed is said beside them.
func TestBackfillDays(t *testing.T) {
	h := open(t)
	_, id, _, _ := h.supplier("Aroha Foods")
	unconnected, _, _ := h.tenant("Kauri Supplies")
	ana := h.signIn("Ana", signin.Admin, id, unconnected)
	page := "/t/" + id + "/backfill"
	for _, bad := range []url.Values{
		{"from": {"2026-01-09"}, "to": {"2026-01-02"}}, {"from": {"2026-01-09"}}, {"from": {hostile}, "to": {hostile}},
		{"from": {"2999-01-01"}, "to": {"2999-01-02"}}, {"from": {"2001-01-01"}, "to": {"2025-01-02"}},
	} {
		asked, started := ana.get(page+"?"+bad.Encode()), ana.post(page, bad)
		for what, w := range map[string]string{"asked": asked.Body.String(), "started": started.Body.String()} {
			if asked.Code != 422 || started.Code != 422 || !strings.Contains(w, `class="fault"`) ||
				scripts.MatchString(w) {
				t.Errorf("%s %v: %d, %d, %s", what, bad, asked.Code, started.Code, w)
			}
		}
	}
	has(t, ana.get(page+"?from=2026-01-09").Body.String(), "Say the first and the last day.")
	h.do("GET", "/api/v1/tenants/"+id+"/backfill", operator, nil).is(200)
	days := url.Values{"from": {"2026-01-02"}, "to": {"2026-01-09"}}
	has(t, ana.get("/t/"+unconnected+"/backfill?"+days.Encode()).Body.String(), "Upstock is not connected")
	if w := ana.post("/t/"+unconnected+"/backfill", days); w.Code != 422 ||
		!strings.Contains(w.Body.String(), "Connect both systems first") {
		t.Errorf("not connected: %d %s", w.Code, w.Body)
	}
}

// TestBackfillWords: every state and outcome has its words.
func TestBackfillWords(t *testing.T) {
	v := visit{zone: time.UTC, now: time.Now()}
	for _, s := range []upstockcin7.BackfillState{upstockcin7.BackfillRunning, upstockcin7.BackfillDone,
		upstockcin7.BackfillStopped, upstockcin7.BackfillFailed} {
		c := v.backfill(upstockcin7.Backfill{State: s, From: "2026-11-01", To: "2026-11-07"})
		if c == nil || !strings.HasPrefix(c.Sentence, "The days 1 November 2026 to 7 November 2026 ") {
			t.Errorf("%s: %+v", s, c)
		}
	}
	for _, o := range []upstockcin7.Outcome{upstockcin7.OutcomeSell, upstockcin7.OutcomeAttention,
		upstockcin7.OutcomeKnown, upstockcin7.OutcomeCancelled, upstockcin7.OutcomeShipped,
		upstockcin7.OutcomeUnknown} {
		if outcomes[o] == "" {
			t.Errorf("%s has no words", o)
		}
	}
}
