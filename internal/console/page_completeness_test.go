package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/signin"
	"stockbridge/internal/upstockcin7/order"
)

// TestCompletenessPage: a check is started, seen to run, and its differences lead to their orders.
func TestCompletenessPage(t *testing.T) {
	h := open(t)
	acc, id, path, _ := h.supplier("Aroha Foods")
	page := "/t/" + id + "/completeness"
	ana, viewer := h.signIn("Ana", signin.Admin, id), h.signIn("Viktor", signin.Viewer, id)
	has(t, ana.get(page).Body.String(), "Not checked yet", "Check the last 7 days now")
	hasNot(t, viewer.get(page).Body.String(), "Check the last")
	if w := ana.get(page + ".csv"); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(),
		"Start a check of it first") {
		t.Errorf("the file of what is not checked: %d %s", w.Code, w.Body)
	}

	h.approve(acc, path, `{"reference":"PO-1"}`)
	ten := time.Now().Add(-10 * time.Minute)
	const stuck = differencesShown + 10
	for n := range stuck {
		o, err := h.simUpstock.PlaceOrder(acc.Upstock.Supplier, fmt.Sprintf(
			`{"status":"processing","approvedAt":%q}`, ten.UTC().Format(time.RFC3339)))
		if err != nil {
			t.Fatal(err)
		}
		h.run(order.Order{Run: ledger.Run{
			Tenant: id, ID: fmt.Sprint(o.ID), State: ledger.Attention, Received: ten.Add(-2 * time.Hour),
			Problems: []ledger.Problem{{Code: "x", Message: hostile + strconv.Itoa(n),
				Fix: strings.Repeat(hostile, 20)}},
		}})
	}
	w := ana.get(page)
	checkPage(t, page, w)
	body := ana.follow(page, nil)
	has(t, body, `id="moving"`, "Waiting for its turn", "<noscript><meta http-equiv=\"refresh\"", "Look again")
	hasNot(t, body, "now</button>")
	checkPage(t, page, ana.get(page))
	h.work()

	body = ana.get(page).Body.String()
	has(t, body, "50 orders are missing", "Approved in Upstock", "1 to 40 of 50", "/orders/", "Next page",
		"Download a line for each order")
	hasNot(t, body, `id="moving"`, "http-equiv=\"refresh\"")
	checkPage(t, page, ana.get(page))
	checkPage(t, page, ana.get(page+"?skip=40"))
	has(t, ana.get(page+"?skip=40").Body.String(), "41 to 50 of 50")
	hasNot(t, ana.get(page+"?skip=40").Body.String(), "Next page")
	hasNot(t, ana.get(page+"?skip=9999").Body.String(), "What does not agree")
	for _, v := range []*visitor{ana, viewer} {
		if w := v.get(page + ".csv"); w.Code != http.StatusOK || strings.Count(w.Body.String(), "\r\n") != stuck+2 ||
			!strings.Contains(w.Header().Get("Content-Disposition"), "completeness-") {
			t.Errorf("the file: %d %v\n%s", w.Code, w.Header(), w.Body)
		}
	}
	if w := ana.get(page + "?skip=x"); w.Code != http.StatusNotFound {
		t.Errorf("skip: %d", w.Code)
	}
}

// TestCompletenessDays: any days can be checked, and what is wrong with those typed is said beside them.
func TestCompletenessDays(t *testing.T) {
	h := open(t)
	_, id, _, _ := h.supplier("Aroha Foods")
	page := "/t/" + id + "/completeness"
	ana := h.signIn("Ana", signin.Admin, id)
	day := daysAgo(t)
	days := url.Values{"from": {day(40)}, "to": {day(20)}}
	has(t, ana.get(page+"?"+days.Encode()).Body.String(), "Not checked yet", "Check these days now",
		`name="from" value="`+day(40)+`"`, "The last 7 days")
	has(t, ana.follow(page, days), `id="moving"`, `value="`+day(40)+`"`)
	h.work()
	has(t, ana.get(page+"?"+days.Encode()).Body.String(), "Nothing is missing", "no order was approved")
	for _, bad := range []url.Values{
		{"from": {day(20)}, "to": {day(40)}}, {"from": {day(200)}, "to": {day(40)}}, {"from": {day(20)}},
		{"from": {hostile}, "to": {hostile}},
	} {
		for what, w := range map[string]func() (int, string){
			"asked":   func() (int, string) { w := ana.get(page + "?" + bad.Encode()); return w.Code, w.Body.String() },
			"started": func() (int, string) { w := ana.post(page, bad); return w.Code, w.Body.String() },
		} {
			code, body := w()
			if code != http.StatusUnprocessableEntity || !strings.Contains(body, `class="fault"`) ||
				scripts.MatchString(body) {
				t.Errorf("%s %v: %d %s", what, bad, code, body)
			}
		}
	}
}

// TestCompletenessUnconnected: where there is nothing to compare, that is said, and nothing can be pressed.
func TestCompletenessUnconnected(t *testing.T) {
	h := open(t)
	id, _, _ := h.tenant("Aroha Foods")
	ana := h.signIn("Ana", signin.Admin, id)
	page := "/t/" + id + "/completeness"
	body := ana.get(page).Body.String()
	has(t, body, "Not checked yet", "Nothing is checked while")
	hasNot(t, body, "now</button>")
	if w := ana.post(page, nil); w.Code != http.StatusConflict ||
		!strings.Contains(w.Body.String(), "Connect Upstock") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
