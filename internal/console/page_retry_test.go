package console

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/signin"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/order"
)

// TestRetryMany: all orders of a cause, or all that need somebody, are tried again by one button.
func TestRetryMany(t *testing.T) {
	h := open(t)
	acc, id, path, token := h.supplier("Aroha Foods")
	home := "/t/" + id
	first, second := h.approve(acc, path, unknownProduct), h.approve(acc, path, unknownProduct)
	other := h.approve(acc, path, strings.ReplaceAll(unknownProduct, "TEA-999", "TEA-998"))
	ana, viewer := h.signIn("Ana", signin.Admin, id), h.signIn("Viktor", signin.Viewer, id)
	buttons := regexp.MustCompile(`action="([^"]+/problems/[^"]+/retry)"><button class="quiet">([^<]+)<`).
		FindAllStringSubmatch(ana.get(home).Body.String(), -1)
	if len(buttons) != 2 || buttons[0][2] != "Retry 2 orders" || buttons[1][2] != "Retry 1 order" {
		t.Fatalf("%q", buttons)
	}
	attempts := func(path string) float64 { return h.do("GET", path, token, nil).is(200).get("attempts").(float64) }
	retried := func(path string) bool { return strings.Contains(h.do("GET", path, token, nil).raw, "Retried by Ana (") }
	has(t, ana.follow(buttons[0][1], nil), "2 orders are being tried again")
	h.work()
	if !retried(first) || !retried(second) || retried(other) || attempts(first) < 1 {
		t.Error("the cause's own orders, and no others, are tried again")
	}

	list := home + "/orders?state=attention"
	has(t, ana.get(list).Body.String(), "Retry all orders that need you")
	for _, page := range []string{home + "/orders", list + "&q=PO-2", home + "/orders?state=sold"} {
		hasNot(t, ana.get(page).Body.String(), "Retry all orders")
	}
	has(t, ana.follow(home+"/retry", nil), "3 orders are being tried again")
	has(t, ana.follow(home+"/retry", nil), "None of these can be retried together") // they are being worked on
	h.work()
	if !retried(other) {
		t.Error("all orders are tried again")
	}

	for _, page := range []string{home, list} {
		hasNot(t, viewer.get(page).Body.String(), "Retry")
	}
	for _, button := range []string{home + "/retry", buttons[0][1]} {
		if w := viewer.post(button, nil); w.Code != http.StatusForbidden {
			t.Errorf("%s by a viewer: %d", button, w.Code)
		}
	}
	has(t, ana.follow(home+"/problems/nothing/retry", nil), "No order waits for this any more")
	api := path + strings.TrimPrefix(buttons[1][1], home)
	if n := h.do("POST", api, token, nil).is(202); n.get("retried") != 1.0 {
		t.Errorf("%s", n.raw)
	}
	h.do("POST", path+"/problems/nothing/retry", token, nil).is(404)
	h.do("POST", api, token, `{"x":1}`).is(422)
}

// TestRetryAlone: what a person must decide order by order is not retried with others.
func TestRetryAlone(t *testing.T) {
	h := open(t)
	_, id, _, _ := h.supplier("Aroha Foods")
	var o order.Order
	o.Tenant, o.ID, o.State = id, "990001", ledger.Attention
	o.Problems = []ledger.Problem{{Code: "shippedAlready", Message: "It is shipped in Upstock.", Fix: "Decide."}}
	h.run(o)
	ana := h.signIn("Ana", signin.Admin, id)
	home := "/t/" + id
	body := ana.get(home).Body.String()
	has(t, body, "It is shipped in Upstock.")
	hasNot(t, body, "Retry")
	key := o.Problems[0].Cause()
	has(t, ana.follow(home+"/problems/"+key+"/retry", nil), "None of these can be retried together")
}

// TestRetryWatched: orders that need a person, and look for a twin later or wait for a key, are retried with others.
func TestRetryWatched(t *testing.T) {
	h := open(t)
	_, id, _, _ := h.supplier("Aroha Foods")
	later := time.Now().Add(time.Hour).UTC()
	for number, change := range map[string]func(*order.Order){
		"990001": func(*order.Order) {},
		"990002": func(o *order.Order) { o.Watches, o.Next = []time.Time{later}, later },
		"990003": func(o *order.Order) { o.Park(tenant.Cin7Core, time.Now(), "no key") },
	} {
		var o order.Order
		o.Tenant, o.ID, o.State = id, number, ledger.Attention
		o.Problems = []ledger.Problem{{Code: "x", Message: "It is not right.", Fix: "Put it right."}}
		change(&o)
		h.run(o)
	}
	ana := h.signIn("Ana", signin.Admin, id)
	home := "/t/" + id
	has(t, ana.get(home).Body.String(), "Retry 3 orders")
	has(t, ana.follow(home+"/retry", nil), "3 orders are being tried again")
}

// TestIKnow: what cannot be changed any more is taken note of.
func TestIKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		acc, id, path, token := h.supplier("Aroha Foods")
		api := h.approve(acc, path, basket)
		page := "/t/" + id + strings.TrimPrefix(api, path)
		for _, do := range []string{"ship", "undo"} {
			h.person(h.do("GET", api, token, nil).is(200), do, "{}")
			time.Sleep(time.Minute)
			h.do("POST", path+"/sync/shipments", token, nil).is(http.StatusAccepted)
			h.work()
		}
		ana, viewer := h.signIn("Ana", signin.Admin, id), h.signIn("Viktor", signin.Viewer, id)
		body := ana.get(page).Body.String()
		has(t, body, "Needs you", "I know, read the sale again", "Nothing is sold again")
		hasNot(t, body, "Retry this order")
		hasNot(t, viewer.get(page).Body.String(), "I know")
		ana.follow(page+"/retry", nil)
		h.work()
		body = ana.get(page).Body.String()
		has(t, body, "Nothing needs you", "Sold")
		hasNot(t, body, "I know")
	})
}

// TestRetryChosen: orders are chosen in a list one by one, and tried again; nothing else is.
func TestRetryChosen(t *testing.T) {
	h := open(t)
	acc, id, path, token := h.supplier("Aroha Foods")
	h.approve(acc, path, `{"reference":"PO-1"}`)
	var ids []string
	for range 3 {
		api := h.approve(acc, path, unknownProduct)
		ids = append(ids, strings.TrimPrefix(api, path+"/orders/"))
	}
	var waiting, alone order.Order
	waiting.Tenant, waiting.ID, waiting.State, waiting.Next = id, "990001", ledger.Waiting, time.Now().Add(time.Hour)
	h.run(waiting)
	alone.Tenant, alone.ID, alone.State = id, "990002", ledger.Attention
	alone.Problems = []ledger.Problem{{Code: "shippedAlready", Message: "Shipped.", Fix: "Decide."}}
	h.run(alone)
	list := "/t/" + id + "/orders"
	ana, viewer := h.signIn("Ana", signin.Admin, id), h.signIn("Viktor", signin.Viewer, id)

	body := ana.get(list).Body.String()
	if n := strings.Count(body, `type="checkbox"`); n != 4 {
		t.Errorf("%d orders can be chosen in\n%s", n, body)
	}
	has(t, body, `value="`+ids[0]+`"`, `value="990001"`, "Retry the chosen orders", `<script src=`)
	hasNot(t, body, `value="990002"`, `http-equiv="refresh"`)
	checkPage(t, list, ana.get(list))
	hasNot(t, ana.get(list+"?state=sold").Body.String(), "checkbox", "Retry the chosen", "<script src=")
	hasNot(t, viewer.get(list).Body.String(), "checkbox", "Retry", "<script src=")
	if w := viewer.post(list, url.Values{"order": ids[:1]}); w.Code != http.StatusForbidden {
		t.Errorf("a viewer: %d", w.Code)
	}

	retried := func(id string) bool {
		return strings.Contains(h.do("GET", path+"/orders/"+id, token, nil).is(200).raw, "Retried by Ana (")
	}
	search := list + "?q=PO-2&state=attention"
	has(t, ana.get(search).Body.String(), `name="page" value="`+strings.ReplaceAll(search, "&", "&amp;")+`"`)
	chosen := url.Values{"order": {ids[0], ids[1], ids[0], "990001", "990002", "none", "a#b", "\xff"}, "page": {search}}
	w := ana.post(list, chosen)
	if to := w.Header().Get("Location"); !strings.HasPrefix(to, list+"?") || !strings.Contains(to, "q=PO-2") {
		t.Errorf("back to %s", to)
	}
	has(t, ana.get(w.Header().Get("Location")).Body.String(), "3 orders are being tried again",
		"4 others go on already, or must be decided alone")
	for id, want := range map[string]bool{ids[0]: true, ids[1]: true, "990001": true, ids[2]: false, "990002": false} {
		if retried(id) != want {
			t.Errorf("order %s: tried again: %v", id, !want)
		}
	}
	has(t, ana.follow(list, chosen), "None of these is tried again")
	has(t, ana.follow(list, nil), "No order was chosen")
	for _, elsewhere := range []string{"https://example.com" + list + "?x", "//example.com", "/t/other/orders?q=x"} {
		w := ana.post(list, url.Values{"order": {"none"}, "page": {elsewhere}})
		if to := w.Header().Get("Location"); !strings.HasPrefix(to, list+"?") {
			t.Errorf("%s: sent to %s", elsewhere, to)
		}
	}

	retry := path + "/orders/retry"
	if n := h.do("POST", retry, token, `{"orders":[`+ids[2]+`,"none"]}`).is(202).get("retried"); n != 1.0 {
		t.Errorf("by the API: %v", n)
	}
	if n := h.do("POST", retry, token, `{"orders":[]}`).is(202).get("retried"); n != 0.0 {
		t.Errorf("none, by the API: %v", n)
	}
	h.do("POST", retry, token, `{"orders":null}`).is(422)
	h.do("POST", retry, token, `{"orders":[`+strings.Repeat(`1,`, mostChosen)+`1]}`).is(422)
}
