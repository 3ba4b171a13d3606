package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/issuer"
	"stockbridge/internal/signin"
	"stockbridge/internal/sim"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/testsize"
)

// sent is a form of a page, and what a person sends with it.
type sent struct {
	pattern, page, action string
	fields                url.Values
	seen                  []string // what its page shows of it when it is filled in, as HTML
}

// formsHouse is a house whose pages have every form that there is, and the operator who sends them.
type formsHouse struct {
	*house
	acc      sim.Account
	id       string
	path     string
	subject  string
	shelf    *shelf // what the catalogue has; nil = its forms are not looked for
	joors    *joors // likewise of JOOR
	olga     *visitor
	patterns *http.ServeMux
}

// joors are customers of Cin7 Omni.
type joors struct{ linked, proposed string }

// Whose forms a house has.
const (
	ofOrders  = iota // and all that is neither of the others'
	ofCatalog        // the catalogue's
	ofJOOR           // JOOR's
)

// openForms makes one, with the forms of one of them.
func openForms(t *testing.T, of int) *formsHouse {
	t.Helper()
	h := open(t)
	f := &formsHouse{house: h, patterns: http.NewServeMux()}
	var token string
	f.acc, f.id, f.path, token = h.supplier("Aroha Foods")
	switch of {
	case ofCatalog:
		at := (&shopTest{house: h, acc: f.acc, id: f.id, path: f.path, token: token}).fill()
		f.shelf = &at
	case ofJOOR:
		f.joors = &joors{linked: h.fillJOOR(f.acc, f.id, f.path, token)}
		h.do("POST", f.path+"/joor/matches", token, `{"find":true}`).is(202)
		h.work()
		f.joors.proposed = idText(object(object(
			h.do("GET", f.path+"/joor/matches", token, nil).is(200).get("items").([]any)[0])["contact"])["id"])
	default:
		f.trade(token)
	}
	for _, rt := range new(api).routes() {
		if rt.person != nil || rt.page != nil {
			f.patterns.Handle(rt.method+" "+rt.path, http.NotFoundHandler())
		}
	}
	f.olga = &visitor{house: h}
	f.subject = f.olga.signInAs("Olga", signin.Operator)
	return f
}

// trade has orders of which one needs somebody, and a form for all else that there is.
func (f *formsHouse) trade(token string) {
	f.t.Helper()
	f.approve(f.acc, f.path, unknownProduct)
	f.do("PATCH", f.path+"/settings", token, map[string]string{"orderStatus": "authorised"}).is(200)
	f.approve(f.acc, f.path, `{"reference":"PO-1"}`) // its goods are not picked
	f.do("PUT", f.path+"/flows/shipments", token, map[string]bool{"paused": true}).is(200)
	f.do("POST", f.path+"/tokens", token, map[string]string{"name": "One"}).is(201)
	f.drift(token)
	f.alerts.Now = func() time.Time { return time.Now().Add(-time.Hour) } // long enough ago to be asked again
	f.do("PUT", f.path+"/alerts", token, map[string]any{"url": "https://hooks.example.com",
		"emails": []string{"eve@example.com"}}).is(200)
	f.work()
	f.alerts.Now, f.alerts.sent = nil, nil
}

// catalogForm is of patterns that are the catalogue's.
var catalogForm = regexp.MustCompile(`^(POST )?/t/\{tenant\}/(products|customers|prices)`)

// joorForm is of patterns that are JOOR's.
var joorForm = regexp.MustCompile(`^(POST )?/t/\{tenant\}/joor`)

// formsLike says whose forms a pattern's form is among.
func formsLike(pattern string) int {
	switch {
	case catalogForm.MatchString(pattern):
		return ofCatalog
	case joorForm.MatchString(pattern):
		return ofJOOR
	}
	return ofOrders
}

// drift has a link lead to a customer that is deprecated, and a time in which orders were not taken in.
func (f *formsHouse) drift(token string) {
	f.t.Helper()
	f.do("PUT", f.path+"/links/customer/9001", token, map[string]string{"id": f.card(f.acc, "Old Mill")}).is(200)
	f.do("POST", f.path+"/sync/mirror", token, nil).is(202)
	f.work()
	if _, err := f.tenants.Update(f.t.Context(), f.id, tenant.Upstock, func(c *tenant.Connection) error {
		c.Gaps = []tenant.Gap{{From: c.Since.Add(-48 * time.Hour), To: c.Since.Add(-time.Hour)}}
		return nil
	}); err != nil {
		f.t.Fatal(err)
	}
}

// allForms are the forms of all pages, each as it is found first.
func allForms(t *testing.T) (list []sent) {
	t.Helper()
	for _, of := range []int{ofOrders, ofCatalog, ofJOOR} {
		openForms(t, of).each(t, func(s sent) bool { list = append(list, s); return true })
	}
	for _, rt := range new(api).routes() {
		if rt.method == "POST" && (rt.page != nil || rt.person != nil) &&
			!slices.ContainsFunc(list, func(s sent) bool { return s.pattern == "POST "+rt.path }) {
			t.Errorf("POST %s: no page has its form; have one shown in formsHouse.each", rt.path)
		}
	}
	return list
}

// find is the form that is sent to a route.
func (f *formsHouse) find(t *testing.T, pattern string) (form sent) {
	t.Helper()
	f.each(t, func(s sent) bool { form = s; return s.pattern != pattern })
	return form
}

// each goes through forms until it is told not to. What it begins on the way is what a form needs to be there.
func (f *formsHouse) each(t *testing.T, more func(sent) bool) {
	t.Helper()
	had, enough := map[string]bool{}, false
	look := func(address string) {
		if enough {
			return
		}
		w := f.olga.get(address)
		if w.Code != http.StatusOK {
			return
		}
		for _, found := range formsOf(w.Body.String()) {
			r := httptest.NewRequest("POST", found.action, nil)
			_, found.pattern = f.patterns.Handler(r)
			ours := catalogForm.MatchString(found.pattern) == (f.shelf != nil) &&
				joorForm.MatchString(found.pattern) == (f.joors != nil)
			if found.pattern != "" && ours && !had[found.pattern] && !enough {
				had[found.pattern] = true
				found.page = address
				enough = !more(found)
			}
		}
	}
	if f.joors != nil {
		for _, rt := range new(api).routes() {
			if rt.method == "GET" && rt.page != nil && joorForm.MatchString(rt.path) {
				look(strings.NewReplacer("{tenant}", f.id, "{id}", f.joors.proposed,
					"{contact}", f.joors.linked).Replace(rt.path))
			}
		}
		return
	}
	if f.shelf != nil {
		look("/t/" + f.id + "/customers?list=toLink")
		for _, rt := range new(api).routes() {
			if rt.method == "GET" && rt.page != nil && catalogForm.MatchString(rt.path) {
				look(strings.Replace(f.shelf.address(rt.path), "{tenant}", f.id, 1))
			}
		}
		return
	}
	picks := regexp.MustCompile(`name="fix" value="([^"]+)"`).FindAllStringSubmatch(
		f.olga.get("/t/"+f.id).Body.String(), -1)
	if len(picks) != 2 {
		t.Fatalf("%d of a cause and a link can be mended", len(picks))
	}
	day := daysAgo(t)
	look("/t/" + f.id) // without a search, which costs calls
	look("/t/" + f.id + "?" + url.Values{"fix": {picks[0][1]}, "find": {"KWK"}}.Encode())
	look("/t/" + f.id + "?" + url.Values{"fix": {picks[1][1]}, "find": {"Southern"}}.Encode())
	look("/t/" + f.id + "/orders?state=attention")
	look("/t/" + f.id + "/backfill?" + url.Values{"from": {day(9)}, "to": {day(2)}}.Encode())
	needy := f.do("GET", f.path+"/orders?state=attention", operator, nil).get("items.0.id")
	sold := f.do("GET", f.path+"/orders?state=sold", operator, nil).get("items.0.id")
	look(fmt.Sprintf("/t/%s/orders/%v/finish?step=pick", f.id, sold))
	one := f.do("GET", f.path+"/tokens", operator, nil).get("items.0.id")
	for _, rt := range new(api).routes() {
		if rt.method == "GET" && (rt.page != nil || rt.person != nil) {
			look(strings.NewReplacer("/tokens/{id}", fmt.Sprint("/tokens/", one), "{tenant}", f.id, "{flow}", "orders",
				"{id}", fmt.Sprint(needy), "{system}", "cin7core", "{number}", "1").Replace(rt.path))
		}
	}
	if !enough {
		f.do("POST", f.path+"/backfill", operator, map[string]string{"from": day(9), "to": day(2)}).is(202)
	}
	look("/t/" + f.id + "/backfill")
}

var (
	postForm  = regexp.MustCompile(`(?s)<form[^>]*method="post"[^>]*>.*?</form>`)
	fieldTag  = regexp.MustCompile(`(?s)<input[^>]*>|<select[^>]*>.*?</select>|<textarea[^>]*>.*?</textarea>`)
	buttonTag = regexp.MustCompile(`<button[^>]*>`)
	optionTag = regexp.MustCompile(`<option value="([^"]*)"`)
)

// formsOf are the forms of a page, with what a person types into them: something into every field, and of what can be
// chosen the last.
func formsOf(page string) (list []sent) {
	for _, form := range postForm.FindAllString(page, -1) {
		s := sent{action: html.UnescapeString(between(form, `action="`, `"`)), fields: url.Values{}}
		for _, tag := range fieldTag.FindAllString(form, -1) {
			name, value := between(tag, `name="`, `"`), html.UnescapeString(between(tag, `value="`, `"`))
			shown := ""
			switch kind := between(tag, `type="`, `"`); {
			case strings.HasPrefix(tag, "<select"):
				options := optionTag.FindAllStringSubmatch(tag, -1)
				last := options[len(options)-1][1]
				value, shown = html.UnescapeString(last), `<option value="`+last+`" selected>`
			case kind == "hidden":
			case kind == "radio":
				shown = `value="` + html.EscapeString(value) + `" required checked>`
			case kind == "checkbox":
				shown = ` checked>`
			case kind == "date":
				value, shown = "2026-01-05", `value="2026-01-05"`
			case name == "name":
				value, shown = "Aroha Foods", `value="Aroha Foods"`
			default:
				value = "7"
				if kind != "password" {
					shown = `value="7"`
				}
			}
			if kind := between(tag, `type="`, `"`); kind == "radio" {
				s.fields.Del(name)
				s.seen = slices.DeleteFunc(s.seen, func(s string) bool { return strings.HasSuffix(s, " checked>") })
			}
			s.fields.Add(name, value)
			if shown != "" {
				s.seen = append(s.seen, shown)
			}
		}
		if first := buttonTag.FindString(form); strings.Contains(first, ` name="`) { // as Enter presses it
			s.fields.Set(between(first, `name="`, `"`), between(first, `value="`, `"`))
		}
		list = append(list, s)
	}
	return list
}

// TestFormsAreKept: every form that comes after its session's end stands in its page again, as it was typed, once its
// sender has signed in, and once.
func TestFormsAreKept(t *testing.T) {
	for _, of := range []int{ofOrders, ofCatalog, ofJOOR} {
		openForms(t, of).keepsForms(t)
	}
}

func (f *formsHouse) keepsForms(t *testing.T) {
	f.each(t, func(form sent) bool {
		t.Run(form.pattern, func(t *testing.T) {
			v := f.olga
			v.signInAgain(f.subject, "/sign-in")
			v.forget("__Host-session")
			w := v.post(form.action, form.fields)
			to := w.Header().Get("Location")
			if w.Code != http.StatusSeeOther || to != "/sign-in?return="+url.QueryEscape(form.page) {
				t.Fatalf("%d, sent to %s from %s", w.Code, to, form.page)
			}
			if back := v.signInAgain(f.subject, to); back != form.page {
				t.Fatalf("comes back to %q", back)
			}
			body := v.get(form.page).Body.String()
			has(t, body, "You were signed out")
			hasNot(t, body, keptNowhere)
			mine := ""
			for _, one := range postForm.FindAllString(body, -1) {
				if html.UnescapeString(between(one, `action="`, `"`)) == form.action {
					mine = one
				}
			}
			for _, text := range form.seen {
				if !strings.Contains(mine, text) {
					t.Errorf("no %s in %s", text, mine)
				}
			}
			for name, values := range form.fields { // what pages send along without showing it is as it was
				if strings.Contains(mine, `type="hidden" name="`+name+`"`) &&
					!strings.Contains(mine, `value="`+html.EscapeString(values[0])+`"`) {
					t.Errorf("%s is not %q in %s", name, values[0], mine)
				}
			}
			hasNot(t, v.get(form.page).Body.String(), "You were signed out")
		})
		return true
	})
}

// TestKeptForms: whose form it is, how long it is kept, and what of it.
func TestKeptForms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		id, _, _ := h.tenant("Aroha Foods")
		page := "/t/" + id + "/settings/integrations"
		action := page + "/cin7core"
		typed := url.Values{"accountId": {hostile}, "applicationKey": {"the-key"}}
		ana := &visitor{house: h}
		subject := ana.signInAs("Ana", signin.Admin, id)
		signInPage := "/sign-in?return=" + url.QueryEscape(page)
		// lost sends the form with a session that is over, and signs somebody in.
		lost := func(v *visitor, who string, wait time.Duration, form url.Values) string {
			t.Helper()
			time.Sleep(13 * time.Hour)
			if w := v.post(action, form); w.Header().Get("Location") != signInPage {
				t.Fatalf("%d %v", w.Code, w.Header())
			}
			time.Sleep(wait)
			v.signInAgain(who, signInPage)
			return v.get(page).Body.String()
		}
		body := lost(ana, subject, time.Minute, typed)
		has(t, body, keptFields+" "+keptSecrets, `value="`+html.EscapeString(hostile)+`"`)
		hasNot(t, body, "the-key", "<script>alert")

		has(t, lost(ana, subject, 9*time.Minute, typed), keptFields)
		hasNot(t, lost(ana, subject, 11*time.Minute, typed), "You were signed out")

		bo := h.reception.Add(issuer.Person{Name: "Bo", Role: "admin", Tenants: []string{id}})
		hasNot(t, lost(ana, bo, time.Minute, typed), "You were signed out", "script&gt;")
		ana.signInAgain(subject, signInPage)
		hasNot(t, ana.get(page).Body.String(), "You were signed out")

		large := url.Values{"accountId": {strings.Repeat("x", maxKept)}}
		hasNot(t, lost(ana, subject, time.Minute, large), "You were signed out")
		fits := url.Values{"accountId": {strings.Repeat("x", maxKept-len("accountId="))}}
		has(t, lost(ana, subject, time.Minute, fits), keptFields)

		// Somebody of whom this browser knows nothing gets what was sent from it.
		fresh := &visitor{house: h}
		has(t, lost(fresh, subject, time.Minute, typed), keptFields)

		// The form waits for its page, and is not in another's.
		time.Sleep(13 * time.Hour)
		ana.post(action, typed)
		ana.signInAgain(subject, signInPage)
		hasNot(t, ana.get("/t/"+id).Body.String(), "You were signed out")
		has(t, ana.get(page).Body.String(), keptFields)

		// Where the table does not answer, nothing is kept, and that is no fault of the page's.
		h.deaf.refuses = "FORM#"
		time.Sleep(13 * time.Hour)
		if w := ana.post(action, typed); w.Header().Get("Location") != signInPage {
			t.Errorf("%d %v", w.Code, w.Header())
		}
		h.deaf.refuses = ""
		if ana.signInAgain(subject, signInPage); strings.Contains(ana.get(page).Body.String(), "You were signed out") {
			t.Error("a form that was not kept")
		}

		// Where it is not read, the page is shown without it, and with it later. Where it cannot be removed, it is
		// shown once all the same.
		time.Sleep(13 * time.Hour)
		ana.post(action, typed)
		ana.signInAgain(subject, signInPage)
		h.deaf.hides = "FORM#"
		if w := ana.get(page); w.Code != http.StatusOK || strings.Contains(w.Body.String(), "You were signed out") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		h.deaf.hides, h.deaf.refuses = "", "FORM#"
		has(t, ana.get(page).Body.String(), keptFields)
		hasNot(t, ana.get(page).Body.String(), "You were signed out")
		h.deaf.refuses = ""

		// However many strangers send forms, the table has room for so many.
		for range 3000 {
			v := &visitor{house: h}
			v.post(action, typed)
		}
		n := 0
		for key := range h.written.keys {
			if !strings.HasPrefix(key.PK, "FORM#") {
				continue
			}
			n++
			it, err := table.Read(t.Context(), h.written.Table, key)
			if err != nil || bytes.Contains(it.Data, []byte("accountId")) {
				t.Errorf("%v is open: %q %v", key, it.Data, err)
			}
		}
		if n > 1024 || n < 500 {
			t.Errorf("%d forms", n)
		}
	})
}

// TestKeptWhereNothingIs: a form whose place is gone is said to be nowhere.
func TestKeptWhereNothingIs(t *testing.T) {
	h := open(t)
	acc, id, path, _ := h.supplier("Aroha Foods")
	page := "/t/" + id + strings.TrimPrefix(h.approve(acc, path, unknownProduct), path)
	ana := &visitor{house: h}
	subject := ana.signInAs("Ana", signin.Admin, id)
	ana.forget("__Host-session")
	ana.post(page+"/retry", url.Values{"note": {"x"}})
	if _, err := h.pair.RetryAll(t.Context(), id, nil); err != nil {
		t.Fatal(err)
	}
	ana.signInAgain(subject, "/sign-in?return="+url.QueryEscape(page))
	has(t, ana.get(page).Body.String(), html.EscapeString(keptNowhere))
}

// TestFormsOnce: a button that is pressed twice does what it does once, pressed at the same instant too.
func TestFormsOnce(t *testing.T) {
	for _, form := range allForms(t) {
		pattern := form.pattern
		for _, atOnce := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s at once %v", pattern, atOnce), func(t *testing.T) {
				testsize.Few(t)
				f := openForms(t, formsLike(pattern))
				form := f.find(t, pattern)
				f.chooseWell(&form)
				before := f.came()
				var presses sync.WaitGroup
				for range 2 {
					presses.Go(func() {
						v := &visitor{house: f.house, cookies: slices.Clone(f.olga.cookies)}
						if w := v.post(form.action, form.fields); w.Code >= 500 || w.Code == 422 || w.Code == 400 {
							t.Errorf("%d %s", w.Code, w.Body)
						}
					})
					if !atOnce {
						presses.Wait()
					}
				}
				presses.Wait()
				came := f.came()
				if slices.Equal(before, came) {
					t.Error("nothing came of it")
				}
				f.twice(before, came, atOnce)
				f.work()
				sales := map[string]int{}
				for _, s := range f.simCore.Sales(f.acc.Cin7Core.AccountID) {
					if sales[s.ExternalID]++; s.ExternalID != "" && sales[s.ExternalID] > 1 {
						t.Errorf("two sales of %s", s.ExternalID)
					}
				}
			})
		}
	}
}

// twice is a fault of the test if something came twice. A job may be sent for again, as every job may, and a key may
// be tested again. Two who take something away at the same instant may both be told of.
func (f *formsHouse) twice(before, came []string, atOnce bool) {
	f.t.Helper()
	times := map[string]int{}
	for _, line := range came {
		times[line]++
	}
	for _, line := range before {
		times[line]--
	}
	removed := regexp.MustCompile(`was revoked|was disconnected|was linked to|was removed|was undone`)
	for line, n := range times {
		if n > 1 && !strings.HasPrefix(line, "job ") && !strings.Contains(line, "was tested again: it works") &&
			!(atOnce && removed.MatchString(line)) {
			f.t.Errorf("%d times: %s", n, line)
		}
	}
}

// chooseWell makes a form's answers such that they are taken.
func (f *formsHouse) chooseWell(s *sent) {
	for name, value := range map[string]string{
		"accountId": f.acc.Cin7Core.AccountID, "applicationKey": f.acc.Cin7Core.ApplicationKey,
		"token": f.acc.Upstock.Token, "webhookSecret": "", "totalTolerance": "0.05", "creationMode": "noPick",
		"emails": "ana@example.com", "url": "https://hooks.example.com/other",
	} {
		if s.fields.Has(name) {
			s.fields.Set(name, value)
		}
	}
	delete(s.fields, "priceColumn")
	delete(s.fields, "priceLabel")
	delete(s.fields, "percent")
	delete(s.fields, "rule")
}

// came is what became of everything, a line for each thing: what happened, orders, tokens, tenants and what is to be
// done.
func (f *formsHouse) came() (lines []string) {
	if f.do("GET", f.path+"/settings", operator, nil).status == http.StatusNotFound {
		return []string{"erased"}
	}
	f.mu.Lock()
	for _, m := range f.started {
		lines = append(lines, fmt.Sprint("job ", m.Job))
	}
	f.mu.Unlock()
	lines = append(lines, "backfill "+fmt.Sprint(f.do("GET", f.path+"/backfill", operator, nil).get("state")))
	for _, what := range []string{f.path + "/events", f.path + "/orders", f.path + "/tokens", "/api/v1/tenants"} {
		for _, it := range elements(f.do("GET", what+"?limit=100", operator, nil).is(200).get("items")) {
			for _, own := range []string{"id", "at", "created"} {
				delete(object(it), own)
			}
			line, _ := json.Marshal(it)
			lines = append(lines, what+" "+string(line))
		}
	}
	slices.Sort(lines)
	return lines
}

// TestKeptAmongAlike: of two forms with one address the one is filled that says of itself what was sent.
func TestKeptAmongAlike(t *testing.T) {
	page := []byte(`<form method="post" action="/gone"><input type="hidden" name="from" value="1"><input name="why"></form>
		<form method="post" action="/gone"><input type="hidden" name="from" value="2"><input name="why"></form>`)
	kept := signin.Form{Action: "/gone", Fields: url.Values{"from": {"2"}, "why": {"Counted"}}}
	out, found, _ := filled(page, kept)
	first, second, _ := strings.Cut(string(out), "</form>")
	if !found || strings.Contains(first, "Counted") || !strings.Contains(first, `value="1"`) ||
		!strings.Contains(second, "Counted") {
		t.Errorf("found %t: %s", found, out)
	}
	kept.Fields.Set("from", "3")
	if out, found, _ := filled(page, kept); found || string(out) != string(page) {
		t.Errorf("found %t: %s", found, out)
	}
}
