package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"stockbridge/internal/signin"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
)

// TestConnectOnPage connects both systems as an office manager does, and takes one away again.
func TestConnectOnPage(t *testing.T) {
	h := open(t)
	acc := h.sim.AddAccount("Aroha Foods", "NZD")
	id, path, token := h.tenant("Aroha Foods")
	page := "/t/" + id + "/settings/integrations"
	ana, viewer := h.signIn("Ana", signin.Admin, id), h.signIn("Viktor", signin.Viewer, id)
	w := ana.get(page)
	checkPage(t, page, w)
	for _, want := range []string{"Connect Upstock", "Connect Cin7 Core", "Application key", "Not connected",
		"open Integrations"} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %q", want)
		}
	}
	core := url.Values{"accountId": {" " + acc.Cin7Core.AccountID + " "},
		"applicationKey": {"00000000-aaaa-4aaa-8aaa-000000000000"}}
	w = ana.post(page+"/cin7core", core)
	checkPage(t, page, w)
	if body := w.Body.String(); w.Code != http.StatusUnprocessableEntity || !strings.Contains(body, "refused") ||
		!strings.Contains(body, acc.Cin7Core.AccountID) || strings.Contains(body, core.Get("applicationKey")) {
		t.Errorf("a wrong key: %d %s", w.Code, w.Body)
	}
	if w := ana.post(page+"/cin7core", url.Values{"accountId": {hostile}}); w.Code != http.StatusUnprocessableEntity ||
		scripts.MatchString(w.Body.String()) {
		t.Errorf("half a form: %d %s", w.Code, w.Body)
	}
	core.Set("applicationKey", acc.Cin7Core.ApplicationKey+"\n")
	for system, form := range map[string]url.Values{"cin7core": core, "upstock": {"token": {acc.Upstock.Token}}} {
		w := ana.post(page+"/"+system, form)
		if w.Code != http.StatusSeeOther {
			t.Fatalf("%s: %d %s", system, w.Code, w.Body)
		}
		if body := ana.get(strings.Split(w.Header().Get("Location"), "#")[0]).Body.String(); !strings.Contains(body,
			"The key works and is saved") {
			t.Errorf("%s: %s", system, body)
		}
	}
	body := ana.get(page).Body.String()
	hook := h.do("GET", path+"/connections/upstock", token, nil).is(200).get("webhookUrl").(string)
	if !strings.Contains(body, hook) || !strings.Contains(body, "Aroha Foods") ||
		strings.Contains(body, acc.Upstock.Token) ||
		strings.Contains(body, acc.Cin7Core.ApplicationKey) {
		t.Errorf("connected: %s", body)
	}
	seen := viewer.get(page)
	if seen.Code != 200 || strings.Contains(seen.Body.String(), hook) ||
		strings.Contains(seen.Body.String(), "<form method=\"post\" action=\""+page) {
		t.Errorf("a viewer: %s", seen.Body)
	}
	ask := ana.get(page + "/cin7core/disconnect")
	checkPage(t, page, ask)
	if body := ask.Body.String(); !strings.Contains(body, "What stays") ||
		!strings.Contains(body, "Disconnect Cin7 Core</button>") {
		t.Errorf("before: %s", body)
	}
	for range 2 { // pressed twice
		if w := ana.post(page+"/cin7core/disconnect", nil); w.Code != http.StatusSeeOther {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	h.do("GET", path+"/connections/cin7core", token, nil).is(404)
	for _, address := range []string{page + "/nothing", page + "/abacus"} {
		if w := ana.post(address, core); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", address, w.Code)
		}
	}
}

// TestHeardOnPage: the page says what Upstock's webhook brought last, and why the newest delivery was refused; before
// anything came it says how to test it.
func TestHeardOnPage(t *testing.T) {
	h := open(t)
	silent, path, token := h.tenant("Kauri Supplies")
	h.do("PUT", path+"/connections/upstock", token,
		map[string]string{"token": h.sim.AddAccount("Kauri Supplies", "NZD").Upstock.Token}).is(200)
	page := func(id string) string {
		return readable(h.signIn("Ana", signin.Admin, id).get("/t/" + id + "/settings/integrations"))
	}
	has(t, page(silent), "Nothing was received from Upstock’s webhook lately. To test it, send a test")

	acc, id, path, token := h.supplier("Aroha Foods")
	has(t, page(id), "Last received from Upstock’s webhook: a test, whose signature fits, today")
	h.approve(acc, path, `{"reference":"PO-1"}`)
	has(t, page(id), "Last received from Upstock’s webhook: an approved order, today")
	hasNot(t, page(id), "was refused")

	hook := h.do("GET", path+"/connections/upstock", token, nil).is(200).get("webhookUrl").(string)
	r, err := http.NewRequest("POST", hook, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if w, err := (hooks{h}).RoundTrip(r); err != nil || w.StatusCode != http.StatusUnauthorized {
		t.Fatalf("a delivery without a signature: %v, %v", w, err)
	}
	has(t, page(id), "A delivery from Upstock was refused (401)", "That was today")
}

// TestOwnIntegration: that Upstock's own integration is to be switched off is said until a person says that it is. That
// is kept with who and when, can be taken back, survives a new key, and has to be said of another supplier again.
func TestOwnIntegration(t *testing.T) {
	h := open(t)
	acc, id, path, token := h.supplier("Aroha Foods")
	home, page := "/t/"+id, "/t/"+id+"/settings/integrations"
	ana, viewer := h.signIn("Ana", signin.Admin, id), h.signIn("Viktor", signin.Viewer, id)
	asked := func(want bool) {
		t.Helper()
		for _, body := range []string{readable(ana.get(home)), readable(ana.get(page)), readable(viewer.get(page)),
			h.do("GET", path+"/connections/upstock", token, nil).is(200).raw} {
			if strings.Contains(body, "Switch off Upstock's own Cin7 integration") != want {
				t.Errorf("asked for: %v; %s", !want, body)
			}
		}
	}
	asked(true)
	checkPage(t, page, ana.get(page))
	for range 2 { // pressed twice
		if w := ana.post(page+"/upstock/own", url.Values{"off": {"yes"}}); w.Code != http.StatusSeeOther {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	asked(false)
	// An earlier version stored the sentence with the connection.
	if _, err := h.tenants.Update(t.Context(), id, tenant.Upstock, func(c *tenant.Connection) error {
		c.Warnings = append(c.Warnings, strings.Replace(upstockcin7.SwitchOffOwn, "›", ">", 1))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	asked(false)
	checkPage(t, page, ana.get(page))
	has(t, readable(ana.get(page)), "own Cin7 integration is off: Ana", "said so today", "Take that back")
	hasNot(t, readable(viewer.get(page)), "Take that back")
	if n := strings.Count(readable(ana.get(home+"/activity")), "own Cin7 integration is off"); n != 1 {
		t.Errorf("%d events", n)
	}
	h.do("PUT", path+"/connections/upstock", token, map[string]string{"token": acc.Upstock.Token}).is(200)
	asked(false)
	if w := ana.post(page+"/upstock/own", url.Values{"off": {"no"}}); w.Code != http.StatusSeeOther {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	asked(true)

	own := path + "/connections/upstock/ownIntegration"
	h.do("PUT", own, token, map[string]any{"off": nil}).is(422)
	h.do("PUT", own, token, map[string]bool{"off": true}).is(200).get("ownIntegrationOff.by")
	asked(false)
	h.do("DELETE", path+"/connections/upstock", token, nil).is(204)
	h.do("PUT", own, token, map[string]bool{"off": true}).is(404)
	other := h.sim.AddAccount("Kauri Supplies", "NZD")
	h.do("PUT", path+"/connections/upstock", token, map[string]string{"token": other.Upstock.Token}).is(200)
	asked(true)
}
