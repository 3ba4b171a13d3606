package console

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/signin"
	"stockbridge/internal/sim"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
)

// put changes a record of a simulated vendor.
func (h *house) put(path, body string) {
	h.t.Helper()
	w := httptest.NewRecorder()
	h.sim.Handler().ServeHTTP(w, httptest.NewRequest("PUT", path, strings.NewReader(body)))
	if w.Code != http.StatusOK {
		h.t.Fatal(w.Body)
	}
}

// TestDriftOnHome: a link whose customer is deprecated in Cin7 Core is said on home and in health once Cin7 Core was
// looked at, with what mends it: another customer, or forgetting it. Viewers see it, and no buttons.
func TestDriftOnHome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		acc, id, path, token := h.supplier("Aroha Foods")
		ana, viewer := h.signIn("Ana", signin.Admin, id), h.signIn("Viktor", signin.Viewer, id)
		home, card := "/t/"+id, h.card(acc, "Harbourside")
		time.Sleep(time.Hour)
		h.do("PUT", path+"/links/customer/9001", token, map[string]string{"id": card}).is(200)
		h.do("PUT", path+"/links/customer/9002", token, map[string]string{"id": card}).is(200)
		time.Sleep(time.Hour)
		h.put("/sim/cin7core/customers/"+card, `{"Status":"Deprecated"}`)
		if body := ana.get(home).Body.String(); !strings.Contains(body, "Everything is in step") ||
			strings.Contains(body, "is deprecated") {
			t.Errorf("before anybody looked: %s", body)
		}
		h.do("POST", path+"/sync/mirror", token, nil).is(http.StatusAccepted)
		h.work()
		a := h.do("GET", path+"/health", token, nil).is(200)
		if a.get("drift.0.about") != "customer" || a.get("drift.0.name") != "9001" || a.get("drift.0.since") == nil ||
			!strings.Contains(fmt.Sprint(a.get("drift.0.text")), "“Harbourside Grocers”, which is deprecated") {
			t.Errorf("health: %v", a.get("drift"))
		}
		body := ana.get(home).Body.String()
		for _, want := range []string{"Before the next order", "which is deprecated in Cin7 Core", "Seen since ",
			"Forget this link", "Customer in Cin7 Core", "Look at Cin7 Core now", "Everything is in step"} {
			if !strings.Contains(body, want) {
				t.Errorf("no %q in %s", want, body)
			}
		}
		if body := viewer.get(home).Body.String(); !strings.Contains(body, "which is deprecated") ||
			strings.Contains(body, "Forget") || strings.Contains(body, "Find customer") ||
			strings.Contains(body, "now</button>") {
			t.Errorf("a viewer sees %s", body)
		}
		// Another customer is picked for the first, and the second is forgotten, which is pressed twice.
		key := regexp.MustCompile(`id="cause-([0-9a-f]+)"`).FindStringSubmatch(body)
		body = ana.get(home + "?" + url.Values{"fix": {key[1]}, "find": {"southern"}}.Encode()).Body.String()
		radio := regexp.MustCompile(`type="radio" name="choice" value="([^"]+)"`).FindStringSubmatch(body)
		if radio == nil {
			t.Fatalf("nothing found: %s", body)
		}
		link := home + "/links/customer/9001"
		for _, c := range []struct {
			path   string
			form   url.Values
			status int
			said   string
		}{
			{link, nil, 303, "choose"}, {link, url.Values{"choice": {radio[1]}}, 303, "linked"},
			{link, url.Values{"choice": {"none"}}, 422, ""},
			{home + "/links/what/9001", url.Values{"choice": {"x"}}, 404, ""},
			{home + "/links/customer/9002/forget", nil, 303, "forgotten"},
			{home + "/links/customer/9002/forget", nil, 303, "forgotten"},
		} {
			w := ana.post(c.path, c.form)
			if w.Code != c.status || c.said != "" && !strings.HasSuffix(w.Header().Get("Location"), "said="+c.said) {
				t.Errorf("%s %v: %d %s", c.path, c.form, w.Code, w.Header().Get("Location"))
			}
		}
		if body := ana.get(home).Body.String(); strings.Contains(body, "is deprecated") ||
			!strings.Contains(body, "Nothing needs you") {
			t.Errorf("mended: %s", body)
		}
		h.do("POST", path+"/sync/mirror", token, nil).is(http.StatusAccepted)
		h.work()
		if a := h.do("GET", path+"/events?kind=drift", token, nil).is(200); len(a.get("items").([]any)) != 2 ||
			!strings.Contains(a.raw, "fits Cin7 Core again") {
			t.Errorf("events: %s", a.raw)
		}
	})
}

// core calls Cin7 Core as somebody else with the same key.
func (h *house) core(acc sim.Account, method, path, body string) string {
	h.t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, "/cin7core/ExternalApi/v2"+path, strings.NewReader(body))
	r.Header.Set("api-auth-accountid", acc.Cin7Core.AccountID)
	r.Header.Set("api-auth-applicationkey", acc.Cin7Core.ApplicationKey)
	if h.sim.Handler().ServeHTTP(w, r); w.Code != http.StatusOK {
		h.t.Fatal(w.Body)
	}
	return w.Body.String()
}

// card is the id of the customer in Cin7 Core whose name begins so.
func (h *house) card(acc sim.Account, name string) string {
	h.t.Helper()
	found := regexp.MustCompile(`"ID":"([^"]+)","Name":"` + name).FindStringSubmatch(
		h.core(acc, "GET", "/customer?Limit=100&IncludeDeprecated=true", ""))
	if found == nil {
		h.t.Fatal("there is no such customer")
	}
	return found[1]
}

// TestLookOnPage: the button has Cin7 Core's records read again, and orders that waited for what was put right there go
// on; not while it is not connected.
func TestLookOnPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		acc, id, path, token := h.supplier("Aroha Foods")
		order := h.approve(acc, path, `{"customer":{"name":"Harbourside Grocers"},
			"lines":[{"sku":"LATE-1","productExternalId":null,"quantity":"1","unitPrice":"6.80"}]}`)
		if o := h.do("GET", order, token, nil).is(200); o.get("state") != "attention" {
			t.Fatal(o.raw)
		}
		h.core(acc, "POST", "/product", `{"SKU":"LATE-1","Name":"Late","Category":"Tea","Type":"Stock",`+
			`"CostingMethod":"FIFO","UOM":"Item","Status":"Active"}`)
		ana, home := h.signIn("Ana", signin.Admin, id), "/t/"+id
		if body := ana.get(home).Body.String(); !strings.Contains(body, `action="`+home+`/look"`) {
			t.Fatalf("no button in %s", body)
		}
		if to := ana.post(home+"/look", nil).Header().Get("Location"); to != home+"?said=looking" {
			t.Errorf("to %s", to)
		}
		h.work()
		if o := h.do("GET", order, token, nil).is(200); o.get("state") != "sold" {
			t.Error(o.raw)
		}
		if a := h.do("GET", path+"/events?kind=healed", token, nil).is(200); len(a.get("items").([]any)) != 1 {
			t.Error(a.raw)
		}
		h.do("DELETE", path+"/connections/cin7core", token, nil).is(204)
		if to := ana.post(home+"/look", nil).Header().Get("Location"); to != home+"?said=cannotLook" ||
			len(h.started) != 0 {
			t.Errorf("to %s, started %v", to, h.started)
		}
	})
}

// TestSettingsHeal: orders that waited for a setting go on once chosen. A save that changes nothing starts nothing.
func TestSettingsHeal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		acc, _, path, token := h.supplier("Aroha Foods")
		order := h.approve(acc, path, `{"customer":{"name":"Harbourside Grocers"},
			"freight":{"amount":"12.00","taxRate":"15"}, "lines":[{"sku":"SLT-FLK","quantity":"1","unitPrice":"6.80"}]}`)
		o := h.do("GET", order, token, nil).is(200)
		if o.get("state") != "attention" || o.get("problems.0.code") != "freightProduct" {
			t.Fatal(o.raw)
		}
		freight := h.do("GET", path+"/options", token, nil).is(200).get("freightProduct.0.value").(string)
		h.do("PATCH", path+"/settings", token, map[string]string{"freightProduct": freight}).is(200)
		h.work()
		if o := h.do("GET", order, token, nil).is(200); o.get("state") != "sold" {
			t.Error(o.raw)
		}
		h.do("PATCH", path+"/settings", token, map[string]string{"freightProduct": freight}).is(200)
		if len(h.started) != 0 {
			t.Errorf("started %v", h.started)
		}
	})
}

// TestMirrorInHealth: health and home say when Cin7 Core's records were read, and when they are read next.
func TestMirrorInHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		_, id, path, token := h.supplier("Aroha Foods")
		b, err := h.tenants.Load(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		next := job.NextNight(b.Tenant, time.Now())
		for _, j := range h.do("GET", path+"/health", token, nil).is(200).get("jobs").([]any) {
			if j := object(j); j["job"] == upstockcin7.JobMirror && (j["every"] != 86400.0 || j["running"] != false ||
				j["checked"] == nil || j["next"] != next.Format(time.RFC3339Nano)) {
				t.Errorf("%v, next %s", j, next)
			}
		}
		body := h.signIn("Ana", signin.Admin, id).get("/t/" + id).Body.String()
		if !strings.Contains(body, "customers, products and settings, at night") {
			t.Error(body)
		}
	})
}

// TestGapsOnPages: a time in which orders were not taken in is said on home and where Upstock is connected, with the
// backfill of its days a press away. It goes once it is noted, by page or API; its orders are no more taken in than
// before.
func TestGapsOnPages(t *testing.T) {
	h := open(t)
	_, id, path, token := h.supplier("Aroha Foods")
	ana, viewer, home := h.signIn("Ana", signin.Admin, id), h.signIn("Viktor", signin.Viewer, id), "/t/"+id
	integrations := home + "/settings/integrations"
	day := func(at string) time.Time {
		parsed, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	gaps := []tenant.Gap{
		{From: day("2025-11-03T22:30:00.5Z"), To: day("2025-11-09T20:12:00Z")},
		{From: day("2025-11-12T22:30:00Z"), To: day("2025-11-14T20:12:00Z"), Orders: 1, Known: true},
	}
	if _, err := h.tenants.Update(t.Context(), id, tenant.Upstock,
		func(c *tenant.Connection) error { c.Gaps = gaps; return nil }); err != nil {
		t.Fatal(err)
	}
	const first = "Orders approved from 4 Nov 2025 11:30 to 10 Nov 2025 09:12 were not taken in, as a connection was " +
		"away."
	for _, page := range []string{home, integrations} {
		body := ana.get(page).Body.String()
		for _, want := range []string{first, "Upstock lists 1 order of that time that is not here.", "Look for them",
			`href="` + home + `/backfill?from=2025-11-04&amp;to=2025-11-10"`, "Do not show this again"} {
			if !strings.Contains(body, want) {
				t.Errorf("%s: no %q in %s", page, want, body)
			}
		}
		if body := viewer.get(page).Body.String(); !strings.Contains(body, first) ||
			strings.Contains(body, "Look for them") || strings.Contains(body, "Do not show") {
			t.Errorf("%s: a viewer sees %s", page, body)
		}
	}
	if body := ana.get(home).Body.String(); strings.Contains(body, "Everything is in step") ||
		!strings.Contains(body, "Orders of some days were not taken in") {
		t.Error(body)
	}
	if body := ana.get(home + "/backfill?from=2025-11-04&to=2025-11-10").Body.String(); !strings.Contains(body,
		"Take in 4 November 2025 to 10 November 2025") && !strings.Contains(body, "No order was approved") {
		t.Error(body)
	}
	form := func(from, back string) url.Values { return url.Values{"from": {from}, "back": {back}} }
	for _, c := range []struct {
		form url.Values
		to   string
	}{
		{form("2025-11-03T22:30:00.5Z", integrations), integrations + "?said=dismissed"},
		{form("2025-11-03T22:30:00.5Z", "https://elsewhere.example"), home + "?said=dismissed"},
		{form("soon", home), ""},
	} {
		if w := ana.post(home+"/gaps/dismiss", c.form); w.Header().Get("Location") != c.to {
			t.Errorf("%v: %d %s", c.form, w.Code, w.Header().Get("Location"))
		}
	}
	if body := ana.get(home).Body.String(); strings.Contains(body, first) ||
		!strings.Contains(body, "1 order of that") {
		t.Error(body)
	}
	h.do("DELETE", path+"/gaps/2025-11-12T22:30:00Z", token, nil).is(204)
	h.do("DELETE", path+"/gaps/2025-11-12T22:30:00Z", token, nil).is(404)
	h.do("DELETE", path+"/gaps/soon", token, nil).is(404)
	if body := ana.get(home).Body.String(); !strings.Contains(body, "Everything is in step") {
		t.Error(body)
	}
	c, err := h.tenants.Connection(t.Context(), id, tenant.Upstock)
	if err != nil || len(c.Gaps) != 2 || c.Takes(day("2025-11-13T00:00:00Z")) {
		t.Errorf("%+v %v", c.Gaps, err)
	}
	if a := h.do("GET", path+"/events?kind=missed", token, nil).is(200); len(a.get("items").([]any)) != 2 {
		t.Errorf("events: %s", a.raw)
	}
}
