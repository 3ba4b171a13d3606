package console

import (
	"net/http"
	"strings"
	"testing"

	"stockbridge/internal/signin"
)

// TestFlows pauses orders on the page and has them go on by the API, and the other way round: both say the same, and
// whoever did it.
func TestFlows(t *testing.T) {
	h := open(t)
	acc, id, path, token := h.supplier("Aroha " + hostile[:20])
	page, flows := "/t/"+id, path+"/flows"
	ana, viktor := h.signIn("Ana "+hostile[:20], signin.Admin, id), h.signIn("Viktor", signin.Viewer, id)
	ask := ana.get(page + "/flows/orders/pause")
	checkPage(t, "pause", ask)
	if body := ask.Body.String(); !strings.Contains(body, "What stays") ||
		!strings.Contains(body, "Pause orders</button>") {
		t.Errorf("%s", body)
	}
	for range 2 { // pressed twice
		if w := ana.post(page+"/flows/orders/pause", nil); w.Code != http.StatusSeeOther {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	order := h.approve(acc, path, `{"reference":"PO-1"}`)
	o := h.do("GET", order, token, nil).is(200)
	if why, _ := o.get("why").(string); o.get("state") != "waiting" || o.get("nextAttempt") != nil ||
		!strings.HasPrefix(why, "Paused by Ana ") || o.get("saleId") != nil {
		t.Errorf("%s", o.raw)
	}
	list := h.do("GET", flows, token, nil).is(200)
	if list.get("items.0.flow") != "orders" || list.get("items.0.paused") != true ||
		list.get("items.0.waiting") != 1.0 ||
		list.get("items.1.paused") != false || list.get("items.1.by") != nil {
		t.Errorf("%s", list.raw)
	}
	for who, v := range map[string]*visitor{"an admin": ana, "a viewer": viktor} {
		for _, at := range []string{page, page + "/settings/integrations"} {
			w := v.get(at)
			checkPage(t, at, w)
			body := w.Body.String()
			if !strings.Contains(body, "Paused by Ana ") || !strings.Contains(body, "1 order waits for it") ||
				strings.Contains(body, "Resume orders") != (v == ana) || strings.Contains(body, "in step") {
				t.Errorf("%s for %s: %s", at, who, body)
			}
		}
	}
	if body := ana.get(page).Body.String(); !strings.Contains(body, "Orders are paused") {
		t.Errorf("home: %s", body)
	}
	if w := ana.post(page+"/flows/orders/resume", nil); w.Code != http.StatusSeeOther {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	h.work()
	if o := h.do("GET", order, token, nil).is(200); o.get("state") != "sold" {
		t.Errorf("%s", o.raw)
	}
	if body := ana.get(page).Body.String(); !strings.Contains(body, "Everything is in step") {
		t.Errorf("home: %s", body)
	}

	for _, f := range []string{"orders", "shipments"} {
		for _, paused := range []bool{true, true, false, false} {
			a := h.do("PUT", flows+"/"+f, token, map[string]bool{"paused": paused}).is(200)
			if by, _ := a.get("by").(string); a.get("paused") != paused ||
				strings.HasPrefix(by, "token first (") != paused {
				t.Errorf("%s", a.raw)
			}
		}
	}
	if events := h.do("GET", path+"/events", token, nil).is(200); strings.Count(events.raw, `"kind":"flow"`) != 6 {
		t.Errorf("%s", events.raw)
	}
	h.do("PUT", flows+"/joor", token, map[string]bool{"paused": true}).is(404)
	for _, bad := range []string{`{}`, `{"paused":null}`, `{"paused":"yes"}`, `{"paused":true,"by":"x"}`} {
		h.do("PUT", flows+"/orders", token, bad).is(422)
	}
	reads := h.do("POST", path+"/tokens", token, map[string]string{"role": "viewer"}).is(201).get("token").(string)
	h.do("PUT", flows+"/orders", reads, map[string]bool{"paused": true}).is(403)
	h.do("GET", flows, reads, nil).is(200)
	if body := ana.get(page + "/activity?about=pauses").Body.String(); !strings.Contains(body, "orders was paused") ||
		strings.Contains(body, "The tenant was made") {
		t.Errorf("the activity: %s", body)
	}
	if w := ana.get(page + "/flows/joor/pause"); w.Code != http.StatusNotFound {
		t.Errorf("%d", w.Code)
	}
}
