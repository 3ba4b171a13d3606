package console

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/signin"
	"stockbridge/internal/upstockcin7/order"
)

// TestActivity: what happened is chosen by what it is about, by order and by day; who did it stands beside it.
func TestActivity(t *testing.T) {
	h := open(t)
	acc, id, path, token := h.supplier("Aroha Foods")
	page := "/t/" + id + "/activity"
	ana, viewer := h.signIn("Ana", signin.Admin, id), h.signIn("Viktor", signin.Viewer, id)
	own := h.approve(acc, path, unknownProduct)
	number := own[strings.LastIndex(own, "/")+1:]
	ana.follow("/t/"+id+"/orders/"+number+"/retry", nil)
	h.work()
	h.do("PATCH", path+"/settings", token, `{"saleType":"advanced"}`).is(200)
	h.do("PUT", path+"/links/product/TEA-999", token,
		fmt.Sprintf(`{"id":%q}`, h.product(id, "KWK-100"))).is(200)
	if err := h.ledger.Record(t.Context(), id, ledger.Event{Kind: "webhookRefused", Text: hostile,
		Order: "990001"}); err != nil {
		t.Fatal(err)
	}

	const retried, sold = "An order was retried", "Which type of sale is made?"
	for query, want := range map[string]struct{ has, hasNot []string }{
		"":                         {has: []string{retried, "The tenant was made", "&lt;script&gt;"}},
		"about=people":             {[]string{retried, "Ana ("}, []string{"&lt;script&gt;"}},
		"about=settings":           {[]string{sold}, []string{"retried", "connected"}},
		"about=connections":        {[]string{"Cin7 Core was connected"}, []string{"retried", sold}},
		"about=fixes":              {[]string{retried, "TEA-999"}, []string{sold}},
		"about=webhooks":           {[]string{"&lt;script&gt;"}, []string{"retried"}},
		"about=access":             {[]string{"The tenant was made"}, []string{"retried"}},
		"order=" + number:          {[]string{retried, "The whole story of this"}, []string{sold}},
		"order=990001":             {[]string{"&lt;script&gt;"}, []string{"retried", "The whole story"}},
		"order=nonsense":           {[]string{"Nothing of this has happened"}, []string{"retried"}},
		"from=2020-01-01":          {has: []string{retried}},
		"to=2020-01-01":            {[]string{"Nothing of this has happened"}, []string{"retried"}},
		"order=%22%3E%3Cscript%3E": {has: []string{"Nothing of this has happened"}},
	} {
		w := viewer.get(page + "?" + query)
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d", query, w.Code)
		}
		checkPage(t, query, w)
		_, rows, _ := strings.Cut(w.Body.String(), "</form>\n") // the first is for signing out
		_, rows, _ = strings.Cut(rows, "</form>")
		has(t, rows, want.has...)
		hasNot(t, rows, want.hasNot...)
	}
	for query, code := range map[string]int{
		"about=nonsense": 404, "after=x": 400, "from=x": 422, "to=" + url.QueryEscape(hostile): 422,
		"from=2026-01-02&to=2026-01-01": 422,
	} {
		if w := ana.get(page + "?" + query); w.Code != code {
			t.Errorf("%s: %d", query, w.Code)
		}
	}

	w := viewer.get(page + ".csv?kind=webhookRefused,retry")
	lines, err := csv.NewReader(w.Body).ReadAll()
	if err != nil || len(lines) != 3 || lines[1][1] != "webhookRefused" || lines[1][3] != "990001" ||
		!strings.HasPrefix(lines[2][5], "Ana (") || !strings.Contains(lines[2][0], "+1") {
		t.Errorf("%v %q", err, lines)
	}
	if got := h.do("GET", path+"/events?by=people&order="+number, token, nil).is(200); strings.Count(got.raw,
		`"kind"`) != 1 || !strings.Contains(got.raw, "An order was retried") {
		t.Errorf("%s", got.raw)
	}
	h.do("GET", path+"/events.csv?kind=retry", token, nil).is(200)
	h.do("GET", path+"/events?by=nobody", token, nil).is(422)
	if o := h.do("GET", own, token, nil).is(200); !strings.Contains(o.raw, "Retried by Ana (") {
		t.Errorf("the order's timeline: %s", o.raw)
	}
}

// TestActivityFarBack: what is rare is found page by page, and each page reads a bounded number of events.
func TestActivityFarBack(t *testing.T) {
	h := open(t)
	id, path, token := h.tenant("Aroha Foods")
	at := time.Now().Add(time.Minute)
	const many = 1100
	for n := range many {
		if err := h.ledger.RecordOnce(t.Context(), id, at.Add(time.Duration(n)*time.Millisecond), "x",
			ledger.Event{Kind: "mirror", Text: fmt.Sprint("Read ", n)}); err != nil {
			t.Fatal(err)
		}
	}
	ana := h.signIn("Ana", signin.Admin, id)
	page := "/t/" + id + "/activity?about=access"
	for further := 0; ; further++ {
		body := ana.get(page).Body.String()
		if strings.Contains(body, "The tenant was made") {
			if further != 2 {
				t.Errorf("found after %d pages", further)
			}
			break
		}
		has(t, body, "Look further back")
		page = strings.ReplaceAll(between(body, `<a class="button" href="`, `" rel="next"`), "&amp;", "&")
		if page == "" {
			t.Fatal("there is no next page")
		}
	}
	w := ana.get("/t/" + id + "/activity.csv")
	if n := strings.Count(w.Body.String(), "\r\n"); n != many+2 {
		t.Errorf("%d lines", n)
	}
	// All are listed once.
	seen, after := map[string]bool{}, ""
	for {
		a := h.do("GET", path+"/events?kind=mirror&limit=30&after="+url.QueryEscape(after), token, nil).is(200)
		for _, e := range a.get("items").([]any) {
			seen[object(e)["text"].(string)] = true
		}
		next, more := a.get("next").(string)
		if !more {
			break
		}
		after = next
	}
	if len(seen) != many {
		t.Errorf("%d events", len(seen))
	}
	day := time.Now().UTC().AddDate(0, 0, -3).Format(time.DateOnly)
	h.do("GET", path+"/events?to="+day+"&after="+url.QueryEscape(after), token, nil).is(400)
}

// TestRetriedBy: one event tells of many orders that were retried at once.
func TestRetriedBy(t *testing.T) {
	h := open(t)
	acc, id, path, token := h.supplier("Aroha Foods")
	h.approve(acc, path, unknownProduct)
	h.approve(acc, path, unknownProduct)
	h.run(order.Order{Run: ledger.Run{Tenant: id, ID: "990001", State: order.Sold}})
	for range 2 {
		h.do("POST", path+"/orders/retry", token, nil).is(202)
	}
	got := h.do("GET", path+"/events?kind=retry", token, nil).is(200)
	if got.get("items.0.text") != "2 orders were retried." || strings.Count(got.raw, `"kind"`) != 1 ||
		got.get("items.0.actor") == nil {
		t.Errorf("%s", got.raw)
	}
}
