package console

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/limit"
	"stockbridge/internal/signin"
	"stockbridge/internal/sim"
	"stockbridge/internal/upstockcin7/completeness"
	"stockbridge/internal/upstockcin7/order"
)

// TestHomeAtAGlance: home shows two weeks as a picture and as a table, today's orders, budgets and jobs.
func TestHomeAtAGlance(t *testing.T) {
	h := open(t)
	acc, id, path, token := h.supplier("Aroha Foods")
	viewer := h.signIn("Viktor", signin.Viewer, id)
	home := "/t/" + id
	body := viewer.get(home).Body.String()
	has(t, body, "in the last minute; 60 are allowed.", "Compare both sides", "not yet")
	hasNot(t, body, "<svg", "approved in the last 7 days")

	h.approve(acc, path, `{"reference":"PO-1"}`)
	h.approve(acc, path, unknownProduct)
	h.do("POST", path+"/completeness", token, nil).is(202)
	h.work()
	w := viewer.get(home)
	checkPage(t, home, w)
	body = w.Body.String()
	today := time.Now().In(zoneNamed(t, "Pacific/Auckland")).Format("Mon 2 Jan")
	has(t, body, `<svg class="chart"`, "2 orders approved in the last 7 days, 1 sold, 0 shipped.",
		"2 orders were approved today.", "<strong>1</strong> Sold", "What was compared",
		fmt.Sprintf(`<th scope="row">%s</th><td class="number">2</td><td class="number">1</td><td class="number">0</td>`,
			today))
	if n := strings.Count(body, "not compared"); n != chartDays-1 { // it was connected today
		t.Errorf("%d days were not compared", n)
	}
	days := h.do("GET", path+"/completeness", token, nil).is(200)
	if days.get("days.0.approved") != 2.0 || days.get("days.0.sold") != 1.0 {
		t.Errorf("%s", days.raw)
	}
	health := h.do("GET", path+"/health", token, nil).is(200)
	if !strings.Contains(health.raw, `"job":"completeness"`) || !strings.Contains(health.raw, `"next":"`) {
		t.Errorf("%s", health.raw)
	}
	for _, k := range h.jobs.Kinds {
		if k.Every > 0 && !k.Chosen && jobNames[k.Name] == "" {
			t.Errorf("the job %s has no words", k.Name)
		}
	}
}

// TestJobsTryAgain: home and health say of a job that does not get on what holds it up and when it is tried again,,
// and not that it is running.
func TestJobsTryAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		_, id, path, token := h.supplier("Aroha Foods")
		zone := zoneNamed(t, "Pacific/Auckland")
		says := func(says ...string) {
			t.Helper()
			time.Sleep(2 * time.Second)
			h.polls(id)
			row := between(h.signIn("Viktor", signin.Viewer, id).get("/t/"+id).Body.String(),
				"Look for what was shipped in Cin7 Core", "</tr>")
			has(t, row, says...)
			hasNot(t, row, "is running")
			health := between(h.do("GET", path+"/health", token, nil).is(200).raw, `"job":"shipments"`, "}")
			if got := between(health, `"next":`, ","); !strings.HasPrefix(got, `"20`) {
				t.Errorf("next %s in %s", got, health)
			}
		}
		says("Next: ")
		h.fault(sim.Fault{Match: "GET /saleList", Kind: "html", Times: 1})
		time.Sleep(5 * time.Minute)
		began := time.Now().Add(2 * time.Second)
		says("no usable answer", began.Add(5*time.Minute).In(zone).Format("15:04"))
	})
}

// TestTodaysOrders: home counts the orders that were approved since midnight in the tenant's zone, by the state they
// are in now. An order that says no approval counts by when it came.
func TestTodaysOrders(t *testing.T) {
	h := open(t)
	_, id, _, _ := h.supplier("Aroha Foods")
	zone := zoneNamed(t, "Pacific/Auckland")
	now := time.Now().In(zone)
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, zone)
	for n, o := range []order.Order{
		{Run: ledger.Run{State: order.Shipped}, Approved: midnight},
		{Run: ledger.Run{State: order.Sold}, Approved: now},
		{Run: ledger.Run{State: order.Sold}},
		{Run: ledger.Run{State: order.Cancelled}, Approved: midnight.Add(-time.Second)},
		{Run: ledger.Run{State: ledger.Attention}, Approved: now.AddDate(0, 0, -9)},
	} {
		o.Tenant, o.ID = id, strconv.Itoa(500_000+n)
		h.run(o)
	}
	body := h.signIn("Viktor", signin.Viewer, id).get("/t/" + id).Body.String()
	today := between(body, `<h2 id="today">`, "</section>")
	has(t, today, "3 orders were approved today.", "<strong>2</strong> Sold", "<strong>1</strong> Shipped")
	hasNot(t, today, "Cancelled", "Needs you")
	has(t, between(body, `<h2 id="unfinished">`, "</section>"), "<strong>1</strong> Needs you")
}

// TestChart: whatever the numbers, each bar stands on the ground and within the picture, and none for nothing.
func TestChart(t *testing.T) {
	v := visit{zone: zoneNamed(t, "Pacific/Auckland"), now: time.Date(2026, 11, 27, 11, 30, 0, 0, time.UTC)}
	var r completeness.Report
	if v.chart(r) != nil {
		t.Error("a picture of nothing")
	}
	r.Days = []completeness.Day{
		{Day: "2026-11-01", Counts: completeness.Counts{Approved: 9}}, // long ago
		{Day: "2026-11-15", Counts: completeness.Counts{Approved: 1}},
		{Day: "2026-11-20", Counts: completeness.Counts{Approved: 100_000, Sold: 99_999, Shipped: 1}},
		{Day: "2026-11-28", Counts: completeness.Counts{}},
	}
	c := v.chart(r)
	if len(c.Days) != chartDays || c.Days[0].Name != "Sun 15 Nov" || c.Days[chartDays-1].Label != "28" ||
		c.Most != "100000 orders" {
		t.Errorf("%+v", c)
	}
	bars := 0
	for _, d := range c.Days {
		for _, b := range d.Bars {
			bars++
			if b.Y < chartTop || b.Height < 2 || b.Y+b.Height != chartBottom || b.X < 0 || b.X+b.Width > 420 {
				t.Errorf("%s: %+v", d.Name, b)
			}
		}
		if d.Compared != (d.Label == "15" || d.Label == "20" || d.Label == "28") {
			t.Errorf("%+v", d)
		}
	}
	if bars != 4 {
		t.Errorf("%d bars", bars)
	}
}

func TestBudgetWords(t *testing.T) {
	v := visit{zone: time.UTC, now: time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)}
	for want, s := range map[string]limit.State{
		"Asked 2 times in the last minute; 60 are allowed.": {
			Rates: []limit.Allowance{{Left: 58, Of: 60, Per: limit.Minute}}},
		"Asked 3 times in the last 10 seconds; 3 are allowed. What waits goes on by itself.": {
			Rates: []limit.Allowance{{Of: 3, Per: 10 * time.Second}}},
		"Asked 1 time in the last minute; 60 are allowed. Asked 100 times in the last day; 5000 are allowed.": {
			Rates: []limit.Allowance{
				{Left: 59, Of: 60, Per: limit.Minute}, {Left: 4900, Of: 5000, Per: 24 * time.Hour}}},
		"293 credits used in the last 5 minutes; 300 are allowed. What waits goes on by itself.": {Unit: "credit",
			Rates: []limit.Allowance{{Left: 7, Of: 300, Per: limit.FiveMinutes}}},
		"It did not answer, or said that it was called too often; it is called again from today 10:05 on.": {
			BlockedUntil: v.now.Add(5 * time.Minute)},
	} {
		if got := v.budget(s); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func zoneNamed(t *testing.T, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// TestHomeConnects: home leads whoever may to where a system is connected, or its key saved anew, and says so to
// others.
func TestHomeConnects(t *testing.T) {
	h := open(t)
	id, _, _ := h.tenant("Aroha Foods")
	ana, viewer := h.signIn("Ana", signin.Admin, id), h.signIn("Viktor", signin.Viewer, id)
	body := ana.get("/t/" + id).Body.String()
	has(t, body, "Cin7 Core is not connected.", `/settings/integrations#cin7core">Connect Cin7 Core</a>`,
		`/settings/integrations#upstock">Connect Upstock</a>`)
	hasNot(t, body, "Nothing needs you", "What is done by itself")
	body = viewer.get("/t/" + id).Body.String()
	has(t, body, "Cin7 Core is not connected.")
	hasNot(t, body, "Connect Cin7 Core</a>")

	_, id, _, _ = h.supplier("Kauri Supplies")
	ana = h.signIn("Ana", signin.Admin, id)
	hasNot(t, ana.get("/t/"+id).Body.String(), "not connected", "#cin7core")
}

// TestShippedOn: a day without a time is shown as a day.
func TestShippedOn(t *testing.T) {
	zone := zoneNamed(t, "Pacific/Auckland")
	v := visit{zone: zone, now: time.Date(2026, 11, 27, 23, 6, 0, 0, zone)}
	for want, at := range map[string]time.Time{
		"today":            time.Date(2026, 11, 27, 0, 0, 0, 0, zone),
		"today 00:01":      time.Date(2026, 11, 27, 0, 1, 0, 0, zone),
		"yesterday":        time.Date(2026, 11, 26, 0, 0, 0, 0, zone),
		"Tue 24 Nov":       time.Date(2026, 11, 24, 0, 0, 0, 0, zone),
		"Tue 24 Nov 13:00": time.Date(2026, 11, 24, 13, 0, 0, 0, zone),
		"":                 {},
	} {
		if got := v.shippedOn(at).Words; got != want {
			t.Errorf("%v: %q, want %q", at, got, want)
		}
	}
}

// TestPagesReadWhatTheyShow: what a tenant's pages read does not grow with the orders that there are, and the parts of
// home ask together.
func TestPagesReadWhatTheyShow(t *testing.T) {
	h := open(t)
	c := &counting{Table: h.written.Table}
	h.written.Table = c
	_, id, path, token := h.supplier("Aroha Foods")
	ana := h.signIn("Ana", signin.Admin, id)
	requests := func() int64 {
		before := c.requests.Load()
		h.do("GET", path+"/health", token, nil).is(200)
		return c.requests.Load() - before
	}
	requests()
	plain := requests()
	freight := h.do("GET", path+"/options", token, nil).is(200).get("freightProduct.0.value")
	h.do("PATCH", path+"/settings", token, map[string]any{"freightProduct": freight}).is(200)
	if n := requests() - plain; n != 1 {
		t.Errorf("health reads what a setting names %d times", n)
	}
	for n := range 6 * todayPage {
		h.run(order.Order{Run: ledger.Run{Tenant: id, ID: strconv.Itoa(500_000 + n), State: order.Sold}})
	}
	for page, most := range map[string]struct{ read, requests int64 }{
		"":        {todayPages*todayPage + 60, 32},
		"/orders": {120, 8}, "/orders?state=sold": {180, 10}, "/orders/500001": {20, 5}, "/completeness": {20, 4},
	} {
		read, requests := c.read.Load(), c.requests.Load()
		w := ana.get("/t/" + id + page)
		if checkPage(t, page, w); w.Code != 200 {
			t.Errorf("%s: %d", page, w.Code)
		}
		if page == "" {
			has(t, w.Body.String(), fmt.Sprintf("More than %d orders were approved today", todayPages*todayPage),
				fmt.Sprintf("<strong>%d</strong> Sold", todayPages*todayPage), "<strong>0</strong> Waiting")
		}
		read, requests = c.read.Load()-read, c.requests.Load()-requests
		if read > most.read || requests > most.requests {
			t.Errorf("%q reads %d items and entries in %d requests", page, read, requests)
		}
	}
}
