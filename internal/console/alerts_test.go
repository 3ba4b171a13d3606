package console

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/alert"
	"stockbridge/internal/ledger"
	"stockbridge/internal/signin"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// alerts are the house's teller, whose e-mails stay here and whose addresses nobody answers.
type alerts struct {
	*alert.Teller
	sent []alert.Email
	fail error
}

func newAlerts(h *house, t table.Table) *alerts {
	a := &alerts{}
	a.Teller = &alert.Teller{
		Store: &alert.Store{Table: t, Tenants: h.tenants, Sealer: h.box, Times: alert.DefaultTimes()}, Mailer: a,
		Wrong: h.pair.Wrong, Console: "https://console.example.com", Log: slog.New(slog.NewTextHandler(&h.log, nil)),
		Guard: alert.Guard{
			Lookup: func(context.Context, string) ([]netip.Addr, error) {
				return []netip.Addr{netip.MustParseAddr("8.8.8.8")}, nil
			},
			Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("nobody answers") },
		},
	}
	return a
}

// Send implements alert.Mailer.
func (a *alerts) Send(_ context.Context, m alert.Email) error {
	if a.fail == nil {
		a.sent = append(a.sent, m)
	}
	return a.fail
}

// confirmLink leads from an e-mail to the page that confirms its address.
var confirmLink = regexp.MustCompile(`https://console\.example\.com(/confirm/\S+)`)

// links are the ways to the pages that confirm addresses, in the order of the e-mails.
func (a *alerts) links() (paths []string) {
	for _, m := range a.sent {
		if found := confirmLink.FindStringSubmatch(m.Text); found != nil {
			paths = append(paths, found[1])
		}
	}
	return paths
}

// confirm has everybody who was asked confirm, and forgets the e-mails that asked.
func (h *house) confirm() {
	h.t.Helper()
	h.work()
	for _, path := range h.alerts.links() {
		if w := (&visitor{house: h}).post(path, nil); w.Code != http.StatusOK {
			h.t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	h.alerts.sent = slices.DeleteFunc(h.alerts.sent, func(m alert.Email) bool {
		return confirmLink.MatchString(m.Text)
	})
}

// look is a schedule of alerts.
func (h *house) look() {
	h.t.Helper()
	ids, err := h.alerts.Due(h.t.Context())
	if err == nil {
		err = h.jobs.FanOutTo(h.t.Context(), alert.Job, ids)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	h.work()
}

// TestAlertsTell: two orders of one cause are told as one thing, and once more when somebody has mended it; a refused
// key is told too.
func TestAlertsTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		acc, id, path, token := h.supplier("Aroha Foods")
		h.do("PUT", path+"/alerts", token, map[string]any{"emails": []string{"ana@example.com"}}).is(200)
		h.confirm()
		h.approve(acc, path, unknownProduct)
		h.approve(acc, path, unknownProduct)
		h.look()
		if len(h.alerts.sent) != 1 || !strings.Contains(h.alerts.sent[0].Text, "TEA-999") ||
			!strings.Contains(h.alerts.sent[0].Text, "(2 orders)") ||
			!strings.Contains(h.alerts.sent[0].Text, "https://console.example.com/t/"+id) {
			t.Fatalf("%+v", h.alerts.sent)
		}
		key := h.do("GET", path+"/problems", token, nil).get("items.0.key").(string)
		told := h.do("GET", path+"/alerts", token, nil).is(200)
		if told.get("ways.0.told.0.orders") != 2.0 || told.get("ways.0.told.0.key") != "order/"+key ||
			told.get("ways.0.log.0.taken") != true || told.get("ways.1.on") != false {
			t.Error(told.raw)
		}
		found, err := h.pair.FindRecords(t.Context(), mustLoad(h, id), "product", "tea")
		if err != nil || len(found) == 0 {
			t.Fatalf("%v %v", found, err)
		}
		h.do("POST", path+"/problems/"+key+"/fix", token, map[string]string{"choice": found[0].ID}).is(202)
		h.work()
		for range 2 {
			time.Sleep(5 * time.Minute)
			h.look()
		}
		if len(h.alerts.sent) != 2 || h.alerts.sent[1].Subject != "Aroha Foods: all is well again" {
			t.Errorf("%+v", h.alerts.sent)
		}
		c := mustLoad(h, id).Connections[tenant.Cin7Core]
		if _, err := h.tenants.Broken(t.Context(), id, tenant.Cin7Core, c.Generation,
			tenant.Cin7Core.KeyRefused()); err != nil {
			t.Fatal(err)
		}
		h.look()
		if len(h.alerts.sent) != 3 || !strings.Contains(h.alerts.sent[2].Subject, "Cin7 Core refused the key.") {
			t.Errorf("%+v", h.alerts.sent)
		}
	})
}

// TestAlertsOfWhatWasChosen: what was chosen and is not in Cin7 Core any more, and a time in which orders were not
// taken in, are told; nothing is said to be over while nobody knows.
func TestAlertsOfWhatWasChosen(t *testing.T) {
	f := openForms(t, ofOrders)
	f.do("PUT", f.path+"/alerts", operator, map[string]any{"emails": []string{"ana@example.com"}}).is(200)
	f.confirm()
	f.work()
	text := f.alerts.sent[0].Text
	for _, want := range []string{"is linked to", "Backfill these days.", "TEA-999"} {
		if strings.Count(text, want) != 1 {
			t.Errorf("%q is not told once: %s", want, text)
		}
	}
	list, unsure, err := f.pair.Wrong(t.Context(), mustLoad(f.house, f.id))
	if err != nil || len(unsure) != 0 || len(list) != 3 {
		t.Errorf("%+v, unsure of %v: %v", list, unsure, err)
	}
	f.do("DELETE", f.path+"/connections/cin7core", operator, nil)
	list, unsure, err = f.pair.Wrong(t.Context(), mustLoad(f.house, f.id))
	if err != nil || !slices.Equal(unsure, []string{"choice/"}) {
		t.Errorf("%+v, unsure of %v: %v", list, unsure, err)
	}
}

func mustLoad(h *house, id string) tenant.Bundle {
	h.t.Helper()
	b, err := h.tenants.Load(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return b
}

// TestAlertsAPI: what may be saved, by whom, and what is told of it.
func TestAlertsAPI(t *testing.T) {
	h := open(t)
	id, path, token := h.tenant("Aroha Foods")
	at := path + "/alerts"
	first := h.do("GET", at, token, nil).is(200)
	if first.get("frequency") != "atOnce" || first.get("url") != nil || first.get("changed") != nil ||
		first.get("mailFrom") != "alerts@stockbridge.example" || first.header.Get("ETag") != `"0"` {
		t.Error(first.raw)
	}
	h.do("POST", at+"/test", token, nil).is(409)
	h.do("POST", at+"/secret", token, nil).is(409)
	for body, fields := range map[string]string{
		`{"emails":["ana"]}`:                        "emails",
		`{"url":"http://example.com"}`:              "url",
		`{"url":"https://169.254.169.254/latest/"}`: "url",
		`{"url":"https://[::1]"}`:                   "url",
		`{"frequency":"weekly","url":"x"}`:          "url frequency",
		`{"emails":"ana@example.com","to":1}`:       "emails to",
		`{"emails":["a@example.com","b@example.com","c@example.com","d@example.com","e@example.com",
			"f@example.com"]}`: "emails",
	} {
		if a := h.do("PUT", at, token, body).is(422); strings.Join(a.fields(), " ") != fields {
			t.Errorf("%s: %s", body, a.raw)
		}
	}
	setup := map[string]any{"emails": []string{"ana@example.com"}, "url": "https://hooks.example.com/in?key=K1",
		"frequency": "daily"}
	saved := h.do("PUT", at, token, setup, "If-Match", `"0"`).is(200)
	secret, _ := saved.get("secret").(string)
	if !strings.HasPrefix(secret, "whsec_") || saved.get("secretMade") == nil || saved.header.Get("ETag") != `"1"` {
		t.Error(saved.raw)
	}
	if again := h.do("GET", at, token, nil).is(200); strings.Contains(again.raw, "whsec_") ||
		again.get("secret") != nil ||
		!strings.HasPrefix(again.get("by").(string), "token first (") {
		t.Error(again.raw)
	}
	h.do("PUT", at, token, setup, "If-Match", `"0"`).is(412)
	h.confirm()
	another := h.do("POST", at+"/secret", token, nil).is(200).get("secret")
	if another == secret || !strings.HasPrefix(another.(string), "whsec_") {
		t.Error(another)
	}
	h.do("POST", at+"/test", token, nil).is(202)
	if a := h.do("POST", at+"/test", token, nil).is(429); a.header.Get("Retry-After") == "" {
		t.Error("there is no Retry-After")
	}
	h.work()
	ans := h.do("GET", at, token, nil).is(200)
	if len(h.alerts.sent) != 1 || ans.get("ways.0.log.0.what") != "Test" || ans.get("ways.0.testing") != false ||
		ans.get("ways.1.log.0.answer") != "It could not be reached. Nothing was sent." {
		t.Errorf("%s %v", ans.raw, h.alerts.sent)
	}
	events := h.do("GET", path+"/events?kind=alerts", token, nil).is(200)
	for _, want := range []string{"by e-mail to ana@example.com and at hooks.example.com, once a day.",
		"A new secret for alerts at hooks.example.com was made.", "A test alert was asked for."} {
		if strings.Count(events.raw, want) != 1 {
			t.Errorf("no event %q in %s", want, events.raw)
		}
	}
	if strings.Contains(events.raw, "K1") || strings.Contains(events.raw, "whsec_") {
		t.Errorf("an event says too much: %s", events.raw)
	}
	reads := h.do("POST", path+"/tokens", token, map[string]string{"role": "viewer"}).is(201).get("token").(string)
	seen, whole := h.do("GET", at, reads, nil).is(200), h.do("GET", at, token, nil).is(200)
	if seen.get("url") != "https://hooks.example.com/…" || strings.Contains(seen.raw, "K1") ||
		whole.get("url") != setup["url"] || h.do("GET", at, operator, nil).is(200).get("url") != setup["url"] {
		t.Errorf("a viewer reads %s, an admin %s", seen.raw, whole.raw)
	}
	h.do("PUT", at, reads, setup).is(403)
	h.do("POST", at+"/test", reads, nil).is(403)
	h.do("POST", at+"/secret", reads, nil).is(403)

	// Neither stands without its event.
	h.deaf.deaf = true
	h.do("PUT", at, token, map[string]any{}).is(503)
	h.do("POST", at+"/secret", token, nil).is(503)
	h.deaf.deaf = false
	if a := h.do("GET", at, token, nil); a.get("frequency") != "daily" {
		t.Error(a.raw)
	}
	h.do("PUT", at, token, map[string]any{}).is(200)

	h.do("DELETE", path, operator, map[string]string{"name": "Aroha Foods"}).is(200)
	if left := h.written.left(t, id); len(left) != 0 {
		t.Errorf("what is left of an erased tenant: %v", left)
	}
	h.look()
}

// TestAlertsPage: a person sets alerts up, is shown the secret once, sends a test and sees what came of it; the second
// of two who save loses nothing.
func TestAlertsPage(t *testing.T) {
	h := open(t)
	_, id, path, token := h.supplier("Aroha Foods")
	page := "/t/" + id + "/settings/alerts"
	ana, viktor := h.signIn("Ana", signin.Admin, id), h.signIn("Viktor", signin.Viewer, id)
	w := ana.get(page)
	checkPage(t, page, w)
	has(t, w.Body.String(), "Nobody is told yet.", "Save alerts</button>", "At most five")
	hasNot(t, w.Body.String(), "Send a test alert", "Make a new secret")
	form := url.Values{"version": {"0"}, "emails": {"ana@example.com; ben@example.com," + hostile},
		"url": {"https://10.0.0.8/x"}, "frequency": {"hourly"}}
	w = ana.post(page, form)
	checkPage(t, page, w)
	if w.Code != http.StatusUnprocessableEntity {
		t.Errorf("%d", w.Code)
	}
	has(t, w.Body.String(), "This was not saved", "is no e-mail address.", "not an address on the internet",
		"https://10.0.0.8/x", `value="hourly" selected`)
	form.Set("emails", "ana@example.com, ben@example.com")
	form.Set("url", "https://hooks.example.com/in/K1?key=K2")
	w = ana.post(page, form)
	checkPage(t, page, w)
	if w.Code != http.StatusOK {
		t.Fatalf("%d", w.Code)
	}
	secret := between(w.Body.String(), "<code>", "</code>")
	if !strings.HasPrefix(secret, "whsec_") {
		t.Errorf("the secret: %q", secret)
	}
	has(t, w.Body.String(), "Alerts are saved.", "Send a test alert</button>", "Make a new secret</button>")
	for who, v := range map[string]*visitor{"Ana": ana, "Viktor": viktor} {
		body := v.get(page).Body.String()
		hasNot(t, body, "whsec_")
		has(t, body, "ana@example.com, ben@example.com", "hooks.example.com")
		if strings.Contains(body, "Save alerts</button>") != (v == ana) ||
			strings.Contains(body, "Send a test alert") != (v == ana) ||
			strings.Contains(body, "Make a new secret") != (v == ana) {
			t.Errorf("%s: %s", who, body)
		}
		if v == viktor {
			has(t, body, `value="https://hooks.example.com/…"`)
			hasNot(t, body, "K1", "K2")
		} else {
			has(t, body, `value="https://hooks.example.com/in/K1?key=K2"`)
		}
	}
	if w := ana.post(page, form); w.Code != http.StatusConflict {
		t.Errorf("saved over another's: %d", w.Code)
	} else {
		checkPage(t, page, w)
		has(t, w.Body.String(), "Somebody else saved this", `name="version" value="1"`)
	}
	form.Set("version", "1")
	form.Set("frequency", "atOnce")
	has(t, ana.follow(page, form), "Alerts are saved.", `value="atOnce" selected`)
	if w := ana.post(page, url.Values{}); w.Code != http.StatusBadRequest {
		t.Errorf("an empty form: %d", w.Code)
	}

	h.confirm()
	h.alerts.fail = &alert.Refused{Why: "the address is not verified " + hostile}
	if w := ana.post(page+"/test", nil); w.Code != http.StatusSeeOther {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w = ana.get(page)
	checkPage(t, page, w)
	has(t, w.Body.String(), "A test alert is on its way.", "/assets/")
	if w := ana.post(page+"/test", nil); w.Code != http.StatusTooManyRequests {
		t.Errorf("%d", w.Code)
	}
	h.work()
	w = ana.get(page)
	checkPage(t, page, w)
	has(t, w.Body.String(), "The mail service refused it: the address is not verified", "It could not be reached.")
	hasNot(t, w.Body.String(), "on its way", "script.js")
	for _, want := range []int{200, 409} { // sent twice
		w = ana.post(page+"/secret", url.Values{"number": {"1"}})
		checkPage(t, page, w)
		if shown := strings.Contains(w.Body.String(), "whsec_"); w.Code != want || shown != (want == 200) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	has(t, ana.get("/t/"+id+"/activity?about=alerts").Body.String(), "A new secret for alerts")
	hasNot(t, ana.get("/t/"+id).Body.String(), "Alerts do not arrive")

	h.do("PUT", path+"/alerts", token, map[string]any{}).is(200)
	if w := ana.post(page+"/secret", url.Values{"number": {"2"}}); w.Code != http.StatusConflict {
		t.Errorf("a secret for no address: %d", w.Code)
	}
	if w := ana.post(page+"/test", nil); w.Code != http.StatusConflict {
		t.Errorf("a test for nobody: %d", w.Code)
	}
}

// TestAddressesAreConfirmed: an address that a tenant types gets one e-mail with a link to a page, and alerts once its
// button was pressed, signed in or not. The link counts once.
func TestAddressesAreConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		acc, id, path, token := h.supplier("Aroha Foods")
		h.approve(acc, path, unknownProduct)
		ana, viktor := h.signIn("Ana", signin.Admin, id), h.signIn("Viktor", signin.Viewer, id)
		page, stranger := alertsPath(id), &visitor{house: h}
		ana.post(page, url.Values{"version": {"0"}, "emails": {"ben@example.com"}, "frequency": {"atOnce"}})
		w := ana.get(page)
		checkPage(t, page, w)
		has(t, w.Body.String(), "Is being asked", "<script src=")
		for range 4 {
			h.look()
			time.Sleep(5 * time.Minute)
		}
		if len(h.alerts.sent) != 1 || h.alerts.sent[0].Subject != "Aroha Foods: do you want to get alerts?" {
			t.Fatalf("%+v", h.alerts.sent)
		}
		w = ana.get(page)
		checkPage(t, page, w)
		has(t, w.Body.String(), "Waits for confirmation", "Send the link again</button>", "The link counts until ")
		hasNot(t, w.Body.String(), "<script", "Nobody is told yet", "Send a test alert")
		hasNot(t, viktor.get(page).Body.String(), "Send the link again")
		has(t, ana.get("/t/"+id).Body.String(), "the link that was sent to ben@example.com was not followed.")
		if p := h.do("POST", path+"/alerts/test", token, nil).is(409); !strings.Contains(p.raw, "confirmed") {
			t.Error(p.raw)
		}
		again := url.Values{"email": {"ben@example.com"}}
		if w := viktor.post(page+"/ask", again); w.Code != http.StatusForbidden {
			t.Errorf("a viewer: %d", w.Code)
		}
		for _, want := range []int{303, 429} { // pressed twice
			if w := ana.post(page+"/ask", again); w.Code != want {
				t.Errorf("%d, want %d", w.Code, want)
			}
		}
		h.look()
		has(t, ana.get(page).Body.String(), "Another can be sent ")
		h.do("POST", path+"/alerts/ask", token, map[string]string{"email": "ben@example.com"}).is(429)
		h.do("POST", path+"/alerts/ask", token, map[string]string{"email": "eve@example.com"}).is(409)
		links := h.alerts.links()
		if len(links) != 2 {
			t.Fatalf("%+v", h.alerts.sent)
		}

		for _, link := range links { // to look at it, as a mail program does, confirms nothing
			w = stranger.get(link)
			checkPage(t, "confirm", w)
			has(t, w.Body.String(), "Do you want to get alerts?", "Send alerts to ben@example.com</button>", "Aroha")
		}
		if a := h.do("GET", path+"/alerts", token, nil).is(200); a.get("recipients.0.confirmed") != nil ||
			a.get("recipients.0.email") != "ben@example.com" || a.get("recipients.0.until") == nil ||
			a.get("ways.0.on") != false {
			t.Error(a.raw)
		}
		if w := stranger.send("POST", links[1], nil, "cross-site"); w.Code != http.StatusForbidden {
			t.Errorf("from another site: %d", w.Code)
		}
		w = stranger.post(links[1], nil)
		checkPage(t, "confirmed", w)
		has(t, w.Body.String(), "You get alerts from now on", "ben@example.com")
		_, token2, _ := strings.Cut(links[0], id+"/")
		for _, gone := range []string{links[0], links[1], "/confirm/none/" + token2, "/confirm/" + id + "/%23",
			"/confirm/%23/x"} {
			for _, method := range []string{"GET", "POST"} {
				w := stranger.send(method, gone, nil, "same-origin")
				if checkPage(t, gone, w); w.Code != http.StatusGone {
					t.Errorf("%s %s: %d", method, gone, w.Code)
				}
				has(t, w.Body.String(), "This link counts no more")
			}
		}
		h.work()
		if len(h.alerts.sent) != 3 || !strings.Contains(h.alerts.sent[2].Text, "TEA-999") {
			t.Errorf("%+v", h.alerts.sent)
		}
		e := h.do("GET", path+"/events?kind=alerts", token, nil).is(200)
		if strings.Count(e.raw, "was confirmed by") != 1 {
			t.Error(e.raw)
		}
		hasNot(t, ana.get("/t/"+id).Body.String(), "was not followed")
	})
}

// TestAlertsDoNotArrive: home says so after three messages, and no more once one arrives.
func TestAlertsDoNotArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		acc, id, path, token := h.supplier("Aroha Foods")
		ana := h.signIn("Ana", signin.Admin, id)
		h.do("PUT", path+"/alerts", token, map[string]any{"emails": []string{"ana@example.com"},
			"url": "https://hooks.example.com/in"}).is(200)
		h.confirm()
		h.approve(acc, path, unknownProduct)
		h.alerts.fail = errors.New("connection reset")
		for range 12 {
			h.look()
			time.Sleep(5 * time.Minute)
		}
		body := ana.get("/t/" + id).Body.String()
		has(t, body, "Alerts do not arrive by e-mail since today ", " and at hooks.example.com since ",
			"The mail service did not answer.", "Look at alerts")
		w := ana.get("/t/" + id + "/settings/alerts")
		checkPage(t, "alerts", w)
		has(t, w.Body.String(), "Does not arrive", "It is tried again", "It could not be reached. Nothing was sent.")
		h.alerts.fail = nil
		time.Sleep(6 * time.Hour)
		h.look()
		if list, _, err := h.ledger.FindEvents(t.Context(), id, ledger.EventFilter{Kinds: []string{"alerts"}}, "",
			100); err != nil || len(list) != 5 {
			t.Errorf("%v, %v", list, err)
		}
		body = ana.get("/t/" + id).Body.String()
		has(t, body, "Alerts do not arrive at hooks.example.com since ")
		hasNot(t, body, "by e-mail")
		page := func() (mail, hook string) {
			w := ana.get("/t/" + id + "/settings/alerts")
			checkPage(t, "alerts", w)
			mail, hook, _ = strings.Cut(w.Body.String()[strings.Index(w.Body.String(), `id="way-email"`):],
				`id="way-https"`)
			return mail, hook
		}
		mail, hook := page()
		has(t, mail, `<span class="state">Handed to the mail service</span>`)
		hasNot(t, mail, "Arrives", "It is tried again")
		has(t, hook, "Does not arrive", "It is tried again")

		// It is over before any call arrived: there is nothing to try again.
		key := h.do("GET", path+"/problems", token, nil).get("items.0.key").(string)
		found, err := h.pair.FindRecords(t.Context(), mustLoad(h, id), "product", "tea")
		if err != nil || len(found) == 0 {
			t.Fatalf("%v %v", found, err)
		}
		h.do("POST", path+"/problems/"+key+"/fix", token, map[string]string{"choice": found[0].ID}).is(202)
		h.work()
		time.Sleep(7 * time.Hour)
		h.look()
		ana = h.signIn("Ana", signin.Admin, id)
		_, hook = page()
		has(t, hook, "Does not arrive", "It could not be reached. Nothing was sent.")
		hasNot(t, hook, "It is tried again")
	})
}

// TestShortened: of an address only who is called is shown to those who only read.
func TestShortened(t *testing.T) {
	for address, want := range map[string]string{
		"": "", "https://example.com": "https://example.com", "https://example.com/": "https://example.com/",
		"https://example.com:443/T0/B0/x": "https://example.com:443/…",
		"https://example.com?key=x":       "https://example.com/…",
		"https://example.com/?":           "https://example.com/…", "HTTPS://Example.com/x": "https://Example.com/…",
		"http://[::1]:9000/x": "http://[::1]:9000/…", "https://example.com/%zz": "…",
	} {
		if got := shortened(address); got != want {
			t.Errorf("%q: %q", address, got)
		}
	}
}

// TestNoMailHere: where no e-mail is sent, the page says so and none can be asked for.
func TestNoMailHere(t *testing.T) {
	h := open(t)
	id, path, token := h.tenant("Aroha Foods")
	h.opened(func(d *Deps) { d.MailFrom = "" })
	if a := h.do("GET", path+"/alerts", token, nil).is(200); a.get("mailFrom") != nil {
		t.Error(a.raw)
	}
	refused := h.do("PUT", path+"/alerts", token, map[string]any{"emails": []string{"ana@example.com"}}).is(422)
	has(t, refused.raw, "No e-mail is sent from here")
	has(t, h.signIn("Ana", signin.Admin, id).get(alertsPath(id)).Body.String(), "No e-mail is sent from here")
}
