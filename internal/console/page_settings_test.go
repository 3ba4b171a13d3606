package console

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/signin"
	"stockbridge/internal/sim"
	"stockbridge/internal/tenant"
)

// allFields are the settings of all sections.
func allFields(sections []tenant.Section) (all []tenant.Field) {
	for _, s := range sections {
		all = append(all, s.Fields()...)
	}
	return all
}

// TestQuestions: every setting is asked for, and each of its choices has words.
func TestQuestions(t *testing.T) {
	h := open(t)
	for _, f := range allFields(h.pair.Settings()) {
		_, ofOrders := orderQuestions[f.Name]
		_, ofCatalogue := catalogQuestions[f.Name]
		q := questionOf(f.Name)
		if ofOrders == ofCatalogue || q.Title == "" {
			t.Errorf("the page of settings does not ask for %s", f.Name)
		}
		choices := f.Choices
		if _, yesNo := f.To.(*tenant.YesNo); yesNo {
			choices = []string{"true", "false"}
		}
		for _, c := range choices {
			if q.Answers[c] == "" {
				t.Errorf("%s: nothing says what %s is", f.Name, c)
			}
		}
	}
}

// answers are what a page of settings would send as it stands.
func answersOf(body string) url.Values {
	form := url.Values{}
	for _, m := range regexp.MustCompile(`<input[^>]* name="([^"]+)" value="([^"]*)"`).FindAllStringSubmatch(body, -1) {
		form.Add(m[1], m[2])
	}
	for _, m := range regexp.MustCompile(`(?s)<select[^>]* name="([^"]+)".*?</select>`).FindAllStringSubmatch(body,
		-1) {
		chosen := regexp.MustCompile(`<option value="([^"]*)" selected>`).FindStringSubmatch(m[0])
		value := ""
		if chosen != nil {
			value = chosen[1]
		}
		form.Add(m[1], value)
	}
	return form
}

func TestSettingsPage(t *testing.T) {
	h := open(t)
	_, id, path, token := h.supplier("Aroha Foods")
	page := "/t/" + id + "/settings/orders"
	ana, ben := h.signIn("Ana", signin.Admin, id), h.signIn("Ben", signin.Admin, id)
	w := ana.get(page)
	checkPage(t, page, w)
	form := answersOf(w.Body.String())
	if form.Get("orderStatus") != "draft" || form.Get("totalTolerance") != "0.02" || len(form["percent"]) != 2 ||
		!strings.Contains(w.Body.String(), "The customer&#39;s, else the account&#39;s default") {
		t.Fatalf("%v in %s", form, w.Body)
	}
	before := h.do("GET", path+"/settings", token, nil).is(200)
	if w := ana.post(page, form); w.Code != http.StatusSeeOther {
		t.Fatalf("as it stands: %d %s", w.Code, w.Body)
	}
	if after := h.do("GET", path+"/settings", token, nil).is(200); after.raw != before.raw {
		t.Errorf("saved as it stood, it changed from %s to %s", before.raw, after.raw)
	}

	// Both have the page open; the second to save loses nothing.
	mine, theirs := answersOf(ana.get(page).Body.String()), answersOf(ben.get(page).Body.String())
	mine.Set("orderStatus", "authorised")
	mine["percent"], mine["rule"] = []string{"15.00", ""}, []string{"GST on Income", ""}
	theirs.Set("defaultSalesRep", "")
	if w := ana.post(page, mine); w.Code != http.StatusSeeOther {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	w = ben.post(page, theirs)
	again := answersOf(w.Body.String())
	if w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "Somebody else saved") ||
		again.Get("orderStatus") != "draft" || again.Get("defaultSalesRep") != "" {
		t.Errorf("the second: %d %v", w.Code, again)
	}
	got := h.do("GET", path+"/settings", token, nil).is(200)
	if got.get("orderStatus") != "authorised" || !strings.Contains(got.raw, `"15.00":"GST on Income"`) {
		t.Errorf("%s", got.raw)
	}
	if w := ben.post(page, again); w.Code != http.StatusSeeOther {
		t.Errorf("and again: %d", w.Code)
	}
	events := h.do("GET", path+"/events", token, nil).is(200)
	if who := fmt.Sprint(events.get("items.0.actor"), events.get("items.1.actor")); !strings.Contains(who, "Ben (") ||
		!strings.Contains(who, "Ana (") {
		t.Errorf("done by %q", who)
	}

	// What is refused comes back with what was typed, all faults at once.
	bad := answersOf(ana.get(page).Body.String())
	bad.Set("totalTolerance", hostile)
	bad.Set("location", "Nowhere")
	bad.Set("creationMode", "autoPick")
	bad["percent"], bad["rule"] = []string{"fifteen"}, []string{"GST on Income"}
	w = ana.post(page, bad)
	checkPage(t, page, w)
	if w.Code != http.StatusUnprocessableEntity || strings.Count(w.Body.String(), `class="fault"`) < 2 ||
		!strings.Contains(w.Body.String(), `href="#totalTolerance"`) || !strings.Contains(w.Body.String(), "fifteen") ||
		!strings.Contains(w.Body.String(), "Nowhere (not in Cin7 Core)") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for _, version := range []string{"", "x", "-5", "99999999999999999999"} {
		bad.Set("version", version)
		if w := ana.post(page, bad); w.Code == http.StatusSeeOther || w.Code >= 500 {
			t.Errorf("version %q: %d", version, w.Code)
		}
	}
	if w := h.signIn("Viktor", signin.Viewer, id).get(page); w.Code != 200 ||
		strings.Contains(w.Body.String(), "Save settings") {
		t.Errorf("a viewer: %d", w.Code)
	}
}

// TestSeenFields: the custom field that chooses the address is chosen among those of the newest orders. One that none
// of them has stays as it is, and can be typed while there are none at all.
func TestSeenFields(t *testing.T) {
	h := open(t)
	acc, id, path, token := h.supplier("Aroha Foods")
	page, ana := "/t/"+id+"/settings/orders", h.signIn("Ana", signin.Admin, id)
	has(t, ana.get(page).Body.String(), `<input id="addressField"`)
	h.approve(acc, path, `{"reference":"PO-1","customFields":{"Branch":"North","Gate code":"1234"}}`)
	has(t, ana.get(page).Body.String(), `<select id="addressField"`, `<option value="Branch">Branch</option>`, "Gate code")
	if a := h.do("GET", path+"/options", token, nil).is(200); a.get("addressField.0.value") != "Branch" {
		t.Error(a.raw)
	}
	h.do("PATCH", path+"/settings", token, `{"addressField":"Depot"}`).is(200)
	has(t, ana.get(page).Body.String(), "Depot (not in the newest orders)")
}

// TestReplay: what is chosen is tried on the newest orders, and nothing is saved or sent.
func TestReplay(t *testing.T) {
	h := open(t)
	acc, id, path, token := h.supplier("Aroha Foods")
	page := "/t/" + id + "/settings/orders"
	ana := h.signIn("Ana", signin.Admin, id)
	try := func(form url.Values, want int) string {
		t.Helper()
		form.Set("replay", "1")
		w := ana.post(page, form)
		checkPage(t, page, w)
		if w.Code != want {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return w.Body.String()
	}
	form := answersOf(ana.get(page).Body.String())
	if body := try(form, 200); !strings.Contains(body, "There is no order yet") {
		t.Error(body)
	}
	for range 3 {
		h.approve(acc, path, `{"comments":[]}`)
	}
	freight := h.approve(acc, path, `{"freight":{"description":"Courier","amount":"12.50","taxRate":"15.00"}}`)
	calls := len(h.sim.Calls(sim.Cin7Core, acc.Cin7Core.AccountID))
	before := h.do("GET", path+"/settings", token, nil).is(200)
	if body := try(form, 200); !strings.Contains(body, "newest 4 orders would become the same sales") {
		t.Error(body)
	}
	form.Set("orderStatus", "authorised")
	body := try(form, 200)
	for _, want := range []string{"3 of the newest 4 orders",
		`<th scope="row">Status</th><td data-name="As it is saved">DRAFT</td>`} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is not in %s", want, body)
		}
	}
	if again := answersOf(body); again.Get("orderStatus") != "authorised" ||
		again.Get("version") != form.Get("version") {
		t.Errorf("what was chosen came back as %v", again)
	}
	service := regexp.MustCompile(`(?s)<select id="freightProduct".*?<option value="([^"]+)">`).FindStringSubmatch(body)
	if service == nil {
		t.Fatal(body)
	}
	form.Set("freightProduct", service[1])
	freight = freight[strings.LastIndex(freight, "/")+1:]
	if body := try(form, 200); !strings.Contains(body, "4 of the newest 4") ||
		!strings.Contains(body, orderPath(id, orderID(freight))) || !strings.Contains(body, `">Freight 12.50, `) {
		t.Error(body)
	}
	form.Set("location", "Nowhere")
	if body := try(form, 200); !strings.Contains(body, "What needs you") || !strings.Contains(body, "Nowhere") {
		t.Error(body)
	}
	form.Set("totalTolerance", hostile)
	if body := try(form, 422); strings.Contains(body, "Tried on") || !strings.Contains(body, `href="#totalTolerance"`) {
		t.Error(body)
	}
	for _, c := range h.sim.Calls(sim.Cin7Core, acc.Cin7Core.AccountID)[calls:] {
		if c.Method != "GET" {
			t.Errorf("trying wrote: %s %s", c.Method, c.Path)
		}
	}
	if after := h.do("GET", path+"/settings", token, nil).is(200); after.raw != before.raw {
		t.Errorf("trying saved %s", after.raw)
	}
	if w := h.signIn("Viktor", signin.Viewer, id).post(page, form); w.Code != http.StatusForbidden {
		t.Errorf("a viewer: %d", w.Code)
	}
}

// TestReplayCut: orders that cannot be planned again just now are left out, and it is said why.
func TestReplayCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		acc, id, path, token := h.supplier("Aroha Foods")
		page := "/t/" + id + "/settings/orders"
		ana := h.signIn("Ana", signin.Admin, id)
		form := answersOf(ana.get(page).Body.String())
		form.Set("orderStatus", "authorised")
		form.Set("replay", "1")
		try := func(has ...string) {
			t.Helper()
			began, w := time.Now(), ana.post(page, form)
			if took := time.Since(began); w.Code != http.StatusOK || took > replayTime+20*time.Second {
				t.Errorf("%d after %v", w.Code, took)
			}
			said := between(w.Body.String(), `<p role="status">`, "</p>")
			for _, text := range has {
				if !strings.Contains(said, text) {
					t.Errorf("no %q in %q", text, said)
				}
			}
		}
		slow := func(seconds float64) {
			h.sim.ClearFaults(sim.Cin7Core)
			f := sim.Fault{Match: "GET /product", Kind: "slow", Seconds: seconds, Times: -1}
			if err := h.sim.Fault(sim.Cin7Core, f); err != nil {
				t.Fatal(err)
			}
		}
		approve := func(bodies ...string) {
			for _, body := range bodies {
				h.approve(acc, path, body)
				time.Sleep(time.Minute)
			}
		}

		// Cin7 Core is asked for the product that it does not have, once for each plan.
		approve(unknownProduct, unknownProduct, `{"comments":[]}`, `{"comments":[]}`)
		slow(7)
		const timeUp = "The time for this attempt ran out"
		try("2 of the newest 3 orders would become another sale", "Older ones could not be tried. "+timeUp)
		approve(unknownProduct, unknownProduct)
		try("The newest order would become the same sale", "Older ones could not be tried. "+timeUp)
		slow(19)
		try("None of the newest orders could be tried", timeUp)
		h.do("DELETE", path+"/connections/cin7core", token, nil)
		try("None of the newest orders could be tried", "Cin7 Core is not connected")
	})
}

// TestReplaySentences: what is said agrees with how many orders were planned, and whether there was time for all.
func TestReplaySentences(t *testing.T) {
	for _, c := range []struct {
		planned, changed int
		cut              bool
		want             string
	}{
		{0, 0, false, "There is no order yet"},
		{0, 0, true, "None of the newest orders could be tried"},
		{1, 0, false, "The newest order would become the same sale as"},
		{1, 1, true, "The newest order would become another sale"},
		{5, 0, true, "The newest 5 orders would become the same sales"},
		{5, 1, false, "1 of the newest 5 orders would become another sale"},
	} {
		if got := replaySentence(c.planned, c.changed, c.cut); !strings.Contains(got, c.want) {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// TestSettingsVersions: who changed what when is listed, and an earlier version can be had again.
func TestSettingsVersions(t *testing.T) {
	h := open(t)
	_, id, path, token := h.supplier("Aroha Foods")
	page := "/t/" + id + "/settings/orders"
	ana := h.signIn("Ana", signin.Admin, id)
	versions := path + "/settings/versions"
	if a := h.do("GET", versions, token, nil).is(200); len(a.get("items").([]any)) != 0 {
		t.Error(a.raw)
	}
	h.do("PATCH", path+"/settings", token, `{"orderStatus":"authorised"}`).is(200)
	h.do("PATCH", path+"/settings", token, `{"totalTolerance":"0.50","onCancel":"void"}`).is(200)
	form := answersOf(ana.get(page).Body.String())
	form.Set("orderStatus", "draft")
	if w := ana.post(page, form); w.Code != http.StatusSeeOther {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	a := h.do("GET", versions+"?limit=2", token, nil).is(200)
	if got := fmt.Sprint(a.get("items.0.version"), a.get("items.0.changed"), a.get("items.1.version"),
		a.get("items.1.changed"), a.get("next")); got != "3 [orderStatus] 2 [onCancel totalTolerance]2" ||
		!strings.HasPrefix(a.get("items.0.by").(string), "Ana (") || a.get("items.0.settings.onCancel") != "void" {
		t.Errorf("%s: %s", got, a.raw)
	}
	a = h.do("GET", versions+"?after=2", token, nil).is(200)
	if got := fmt.Sprint(a.get("items.0.version"), a.get("items.0.changed"), a.get("next")); got !=
		"1 [orderStatus] <nil>" {
		t.Errorf("%s: %s", got, a.raw)
	}
	for _, after := range []string{"0", "-1", "x", "01", "99999999999999999999", hostile} {
		h.do("GET", versions+"?after="+url.QueryEscape(after), token, nil).is(400)
	}

	w := ana.get(page + "?version=2")
	checkPage(t, page, w)
	old := answersOf(w.Body.String())
	if !strings.Contains(w.Body.String(), "These are the settings of version 2") ||
		old.Get("orderStatus") != "authorised" ||
		!strings.Contains(w.Body.String(), "What happens to a sale whose order is cancelled?") {
		t.Errorf("%v in %s", old, w.Body)
	}
	const hint = "Press Save settings"
	has(t, w.Body.String(), hint)
	hasNot(t, h.signIn("Viktor", signin.Viewer, id).get(page+"?version=2").Body.String(), hint)
	if w := ana.post(page, old); w.Code != http.StatusSeeOther {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if a := h.do("GET", path+"/settings", token, nil).is(200); a.get("orderStatus") != "authorised" {
		t.Error(a.raw)
	}
	for _, number := range []string{"0", "5", "-1", "x", "99999999", "99999999999999999999", hostile} {
		if w := ana.get(page + "?version=" + url.QueryEscape(number)); w.Code != 404 {
			t.Errorf("version %q: %d", number, w.Code)
		}
	}
}

// TestFaultWords: what is wrong with an answer is said in the words of the page, and not in those of the API.
func TestFaultWords(t *testing.T) {
	h := open(t)
	_, id, _, _ := h.supplier("Aroha Foods")
	page := "/t/" + id + "/settings/orders"
	ana := h.signIn("Ana", signin.Admin, id)
	form := answersOf(ana.get(page).Body.String())
	form.Set("saleType", "advanced")
	form.Set("creationMode", "autoPick")
	form.Set("onUnknownAddress", "nonsense")
	form.Set("totalTolerance", "much")
	form["percent"], form["rule"] = []string{"1000"}, []string{"GST"}
	w := ana.post(page, form)
	if w.Code != http.StatusUnprocessableEntity {
		t.Fatal(w.Code, w.Body)
	}
	text := readable(w)
	for _, want := range []string{
		"What does Cin7 Core do by itself? This does not go together with the answers above. Automatic picking works",
		"What if the custom field fits no address? Choose one of these.",
		"How far may the sale's total be from the order's? Use an amount, as 0.02.",
		"Which tax rule belongs to which percentage? A percentage is a number from 0 to 100",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
	for _, name := range []string{"noPick", "saleType", "orderStatus", "say, reject"} {
		if strings.Contains(text, name) {
			t.Errorf("the page says %q: %s", name, text)
		}
	}
}
