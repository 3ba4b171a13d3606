package console

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/issuer"
	"stockbridge/internal/ledger"
	"stockbridge/internal/signin"
	"stockbridge/internal/upstockcin7/order"
)

const consoleURL = "https://localhost"

// reception is where the house's people sign in: a desk, and the issuer that it asks.
type reception struct {
	*issuer.Issuer
	desk *signin.Desk
}

// signOutAt is where people sign out of the issuer.
const signOutAt = "https://issuer.example/logout?client_id=console&logout_uri=" + consoleURL + "/"

func newReception(h *house) *reception {
	i, err := issuer.New(issuer.Config{
		URL: consoleURL + issuer.Path, ClientID: "console", Redirect: consoleURL + signin.CallbackPath,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	d := signin.New(signin.Config{Issuer: consoleURL + issuer.Path, ClientID: "console", URL: consoleURL,
		SignOut: signOutAt}, h.deaf, direct{i.Handler()})
	return &reception{i, d}
}

// direct takes requests to a handler.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	d.ServeHTTP(w, r)
	return w.Result(), nil
}

// visitor is a person's browser.
type visitor struct {
	*house
	cookies []*http.Cookie
}

// signIn signs somebody in.
func (h *house) signIn(name string, role signin.Role, tenants ...string) *visitor {
	h.t.Helper()
	v := &visitor{house: h}
	v.signInAs(name, role, tenants...)
	return v
}

// signInAs makes a person, and signs that person in; the person's subject.
func (v *visitor) signInAs(name string, role signin.Role, tenants ...string) string {
	v.t.Helper()
	subject := v.reception.Add(issuer.Person{Name: name, Role: string(role), Tenants: tenants})
	v.signInAgain(subject, "/sign-in")
	return subject
}

// signInAgain signs a person in from an address, and returns where the browser is sent then.
func (v *visitor) signInAgain(subject, from string) string {
	v.t.Helper()
	to, err := url.Parse(v.get(from).Header().Get("Location"))
	if err != nil {
		v.t.Fatal(err)
	}
	form := to.Query()
	form.Set("person", subject)
	r := httptest.NewRequest("POST", to.String(), strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.RemoteAddr = "127.0.0.1:5000"
	w := httptest.NewRecorder()
	v.reception.Handler().ServeHTTP(w, r)
	back := v.get(strings.TrimPrefix(w.Header().Get("Location"), consoleURL))
	if back.Code != http.StatusSeeOther {
		v.t.Fatalf("signing in: %d %s", back.Code, back.Body)
	}
	return back.Header().Get("Location")
}

// forget has the browser lose a cookie.
func (v *visitor) forget(name string) {
	v.cookies = slices.DeleteFunc(v.cookies, func(c *http.Cookie) bool { return c.Name == name })
}

func (v *visitor) get(path string) *httptest.ResponseRecorder {
	return v.send("GET", path, nil, "same-origin")
}

func (v *visitor) post(path string, form url.Values) *httptest.ResponseRecorder {
	return v.send("POST", path, form, "same-origin")
}

// send sends what a browser would, from a page of the site named.
func (v *visitor) send(method, path string, form url.Values, site string) *httptest.ResponseRecorder {
	v.t.Helper()
	r := httptest.NewRequestWithContext(v.t.Context(), method, consoleURL+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", site)
	for _, c := range v.cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	v.h.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		v.cookies = slices.DeleteFunc(v.cookies, func(old *http.Cookie) bool { return old.Name == c.Name })
		if c.MaxAge >= 0 {
			v.cookies = append(v.cookies, c)
		}
	}
	if word := ourWords.FindString(readable(w)); word != "" {
		v.t.Errorf("%s %s: a person reads %q: %s", method, path, word, readable(w))
	}
	return w
}

// ourWords are words that no page says, see TestWords of package app.
var ourWords = regexp.MustCompile(`(?i)\b(errors?|invalid|fail(s|ed|ures?)?|null|sorry|oops|pointers?|mirrors?|leases?` +
	`|cursors?|rejects?|rejected)\b|<nil>|%!|map\[`)

// beside is what stands on a page and is not read: the style of what moves, attributes, and what a vendor sent.
var beside = regexp.MustCompile(`(?s)<pre.*?</pre>|<[^>]*>`)

// readable is the text of a page; "" = the answer is none.
func readable(w *httptest.ResponseRecorder) string {
	if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
		return ""
	}
	return strings.Join(strings.Fields(html.UnescapeString(beside.ReplaceAllString(w.Body.String(), " "))), " ")
}

// hostile is a text that would do harm where it is not escaped, long and with letters that turn round.
const hostile = `"><script>alert(1)</script>'&amp; <b>` + "\u202e"

// unknownProduct is an order that needs a person.
const unknownProduct = `{"reference":"PO-2","lines":` +
	`[{"sku":"TEA-999","name":"Tea","quantity":"1","unitPrice":"1.00","taxRate":"15.00"}]}`

// TestPages reads every page of a tenant: with nothing, with much, and with texts that mean harm.
func TestPages(t *testing.T) {
	h := open(t)
	_, empty, _ := h.tenant("Empty Foods")
	acc, id, path, _ := h.supplier("Aroha Foods")
	h.approve(acc, path, `{"reference":"PO-1"}`)
	h.approve(acc, path, unknownProduct)
	var bad order.Order
	bad.Tenant, bad.ID, bad.State, bad.Number, bad.Reference = id, "990001", ledger.Attention, hostile, hostile
	bad.Customer, bad.Why, bad.Currency, bad.Total = hostile, hostile, "NZD", "1.00"
	bad.Problems = []ledger.Problem{{Code: "x", Message: hostile, Fix: hostile}}
	bad.Said = []string{hostile}
	bad.Timeline = []ledger.Entry{{At: time.Now(), Text: hostile, Times: 3}}
	h.run(bad)
	if err := h.ledger.Record(t.Context(), id, ledger.Event{Kind: "x", Text: hostile, Order: "990001"}); err != nil {
		t.Fatal(err)
	}
	_, other, _ := strings.Cut(empty, "/tenants/")
	v := h.signIn("Ana "+hostile[:20], signin.Admin, id, other)

	base := "/t/" + id
	for page, want := range map[string][]string{
		"/":                              {"Aroha Foods", "Empty Foods"},
		"/tenants":                       {"Aroha Foods"},
		"/t/" + other:                    {"Upstock is not connected", "Connect Cin7 Core"},
		"/t/" + other + "/orders":        {"There are no orders yet"},
		"/t/" + other + "/activity":      {"The tenant was made"},
		"/t/" + other + "/completeness":  {"Not checked yet"},
		"/t/" + other + "/backfill":      {"Which days?"},
		base:                             {"2 orders need you", "TEA-999", "1 order:", "Connected"},
		base + "/orders":                 {"PO-1", "PO-2", "SO-0", "Needs you"},
		base + "/orders?state=attention": {"PO-2"},
		base + "/orders?state=shipped":   {"No order is in this state"},
		base + "/orders?q=po-1":          {"PO-1"},
		base + "/orders?q=" + url.QueryEscape(hostile+"%'"): {"No order has this"},
		base + "/orders/990001":                             {"Needs you", "(3 times)", "Retry this order"},
		base + "/activity":                                  {"Cin7 Core was connected"},
		base + "/activity?order=990001":                     {"alert(1)", "The whole story of this order"},
		base + "/completeness":                              {"Not checked yet"},
		base + "/backfill":                                  {"Which days?"},
	} {
		w := v.get(page)
		body := w.Body.String()
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%s: %d %s", page, w.Code, body)
			continue
		}
		for _, text := range want {
			if !strings.Contains(body, text) {
				t.Errorf("%s: no %q in\n%s", page, text, body)
			}
		}
		checkPage(t, page, w)
	}
	if body := v.get(base + "/orders?q=po-1").Body.String(); strings.Contains(body, "PO-2") {
		t.Error("the search finds another order too")
	}
	for _, page := range []string{base + "/orders?state=nonsense", base + "/orders?after=nonsense",
		base + "/activity?after=x",
		base + "/orders/1", base + "/orders/%23", "/t/%23", "/t/none", base + "/nothing", base + "?said=x&x=1"} {
		if w := v.get(page); w.Code == http.StatusInternalServerError || w.Code == http.StatusServiceUnavailable ||
			w.Code == http.StatusOK && !strings.Contains(page, "said") {
			t.Errorf("%s: %d", page, w.Code)
		}
	}
}

var (
	scripts  = regexp.MustCompile(`(?i)<script|javascript:|\son\w+=|\sstyle=|<style`)
	headings = regexp.MustCompile(`<h1[ >]`)
)

// checkPage holds a page to what all pages are.
func checkPage(t *testing.T, page string, w *httptest.ResponseRecorder) {
	t.Helper()
	body := w.Body.String()
	policy := w.Header().Get("Content-Security-Policy")
	own := strings.ReplaceAll(body, `<script src="`+pages.assets["script.js"].address+`" defer></script>`, "")
	if moves := own != body; moves != strings.Contains(policy, "script-src 'self'") {
		t.Errorf("%s: moves: %v, Content-Security-Policy: %s", page, moves, policy)
	}
	if found := scripts.FindString(own); found != "" {
		t.Errorf("%s: %q in\n%s", page, found, body)
	}
	if n := len(headings.FindAllString(body, -1)); n != 1 || !strings.Contains(body, `<html lang="en">`) {
		t.Errorf("%s: %d headings of the first size", page, n)
	}
	if len(body) > 60_000 {
		t.Errorf("%s: %d bytes", page, len(body))
	}
	for _, want := range []string{"default-src 'none'", "style-src 'self'", "form-action 'self'",
		"frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: Content-Security-Policy: %s", page, policy)
		}
	}
	if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("%s: %v", page, w.Header())
	}
}

// TestPagesAreGuarded tries every page that there is for everybody.
func TestPagesAreGuarded(t *testing.T) {
	h := open(t)
	acc, id, path, token := h.supplier("Aroha Foods")
	own := h.approve(acc, path, unknownProduct)
	orderID := own[strings.LastIndex(own, "/")+1:]
	h.do("POST", path+"/completeness", token, nil).is(202)
	h.do("PUT", path+"/alerts", token, map[string]string{"url": "https://hooks.example.com"}).is(200)
	h.work()
	at := (&shopTest{house: h, acc: acc, id: id, path: path, token: token}).fill()
	contact := h.fillJOOR(acc, id, path, token)
	_, theirs, _ := h.tenant("Kauri Supplies")
	_, other, _ := strings.Cut(theirs, "/tenants/")
	people := map[string]*visitor{
		"signed out": {house: h}, "operator": h.signIn("Olga", signin.Operator),
		"admin":  h.signIn("Ana", signin.Admin, id),
		"viewer": h.signIn("Viktor", signin.Viewer, id), "stranger": h.signIn("Sam", signin.Admin, other),
	}
	tried := 0
	for _, rt := range new(api).routes() {
		if rt.page == nil {
			continue
		}
		tried++
		parts := []string{"{flow}", "orders", "{id}", orderID, "{system}", "cin7core", "{number}", "1"}
		if strings.Contains(rt.path, "/tokens/{id}") {
			parts[3] = h.do("POST", path+"/tokens", token, nil).is(201).get("id").(string)
		}
		rt.path = at.address(strings.NewReplacer("/joor/{id}", "/joor/"+contact, "{contact}", contact).Replace(rt.path))
		address := strings.NewReplacer(append(parts, "{tenant}", id)...).Replace(rt.path)
		for who, v := range people {
			w := v.send(rt.method, address, nil, "same-origin")
			want := map[string]int{"signed out": 303, "stranger": 404, "operator": 200, "admin": 200,
				"viewer": 200}[who]
			if who == "viewer" && (rt.admins ||
				regexp.MustCompile(`/(disconnect|revoke|pause|finish|unlink|undo)$`).MatchString(rt.path)) {
				want = 403 // it is an admin's, or asks whether to
			}
			if rt.method != "GET" && want == 200 {
				want = 303
				if who == "viewer" {
					want = 403
				}
			}
			// the form has nothing in it
			empty := want == 303 && (w.Code == 400 || w.Code == 422) && who != "signed out"
			again := w.Code == 429 && strings.HasSuffix(rt.path, "/alerts/test") // one a minute
			if w.Code != want && !empty && !again {
				t.Errorf("%s %s by %s: %d, want %d", rt.method, rt.path, who, w.Code, want)
			}
			if w.Code == 303 && who == "signed out" &&
				!strings.HasPrefix(w.Header().Get("Location"), "/sign-in?return=") {
				t.Errorf("%s %s: sent to %s", rt.method, rt.path, w.Header().Get("Location"))
			}
			if rt.method != "GET" && who != "signed out" {
				for _, site := range []string{"cross-site", "same-site"} {
					if w := v.send(rt.method, address, nil, site); w.Code != http.StatusForbidden {
						t.Errorf("%s %s from another site by %s: %d", rt.method, rt.path, who, w.Code)
					}
				}
			}
		}
		unknown := strings.NewReplacer(append(parts, "{tenant}", "none")...).Replace(rt.path)
		a, b := people["stranger"].send(rt.method, address, nil, "same-origin"),
			people["stranger"].send(rt.method, unknown, nil, "same-origin")
		if !bytes.Equal(a.Body.Bytes(), b.Body.Bytes()) {
			t.Errorf("%s %s: another's tenant can be told from none", rt.method, rt.path)
		}
	}
	if tried < 5 {
		t.Errorf("only %d pages were tried", tried)
	}
	// A session is no token of the API, and a token is no session.
	if w := people["operator"].get("/api/v1/tenants"); w.Code != http.StatusUnauthorized {
		t.Errorf("the API with a session: %d", w.Code)
	}
	r := httptest.NewRequest("GET", consoleURL+"/t/"+id, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	if h.h.ServeHTTP(w, r); w.Code != http.StatusSeeOther {
		t.Errorf("a page with a token: %d", w.Code)
	}
}

// TestRetryOnPage: the button does what the API does, names the person in the event, and twice does it once.
func TestRetryOnPage(t *testing.T) {
	h := open(t)
	acc, id, path, token := h.supplier("Aroha Foods")
	api := h.approve(acc, path, unknownProduct)
	page := "/t/" + id + strings.TrimPrefix(api, path)
	v := h.signIn("Ana", signin.Admin, id)
	for range 2 {
		w := v.post(page+"/retry", nil)
		if w.Code != http.StatusSeeOther || !strings.HasPrefix(w.Header().Get("Location"), page+"?said=") {
			t.Fatalf("%d %s", w.Code, w.Header().Get("Location"))
		}
		if body := v.get(w.Header().Get("Location")).Body.String(); !strings.Contains(body, `role="status"`) {
			t.Errorf("nothing is said: %s", body)
		}
	}
	h.work()
	if o := h.do("GET", api, token, nil).is(200); o.get("state") != "attention" ||
		strings.Count(o.raw, "Retried") != 1 {
		t.Errorf("%s", o.raw)
	}
}

// TestFrontPage: who is signed out reads what this is, and finds the one way in.
func TestFrontPage(t *testing.T) {
	h := open(t)
	v := &visitor{house: h}
	w := v.get("/")
	text := readable(w)
	if w.Code != http.StatusOK || strings.Count(text, "Sign in") != 2 ||
		!strings.Contains(text, "approved in Upstock becomes a sale in Cin7 Core") {
		t.Errorf("%d %s", w.Code, text)
	}
}

// TestSignOutElsewhere: who has signed out here is shown the way to sign out of the issuer too, and no one else is.
func TestSignOutElsewhere(t *testing.T) {
	h := open(t)
	_, id, _ := h.tenant("Aroha Foods")
	ana := h.signIn("Ana", signin.Admin, id)
	to := ana.post("/sign-out", nil).Header().Get("Location")
	if body := ana.get(to).Body.String(); !strings.Contains(html.UnescapeString(body), `href="`+signOutAt+`"`) {
		t.Errorf("%s: %s", to, body)
	}
	if body := ana.get("/").Body.String(); strings.Contains(body, "issuer.example") {
		t.Errorf("a stranger: %s", body)
	}
}

// TestSignedOutMeanwhile: a form that comes after its session's end leads back to the page that had it.
func TestSignedOutMeanwhile(t *testing.T) {
	h := open(t)
	acc, id, path, _ := h.supplier("Aroha Foods")
	page := "/t/" + id + strings.TrimPrefix(h.approve(acc, path, unknownProduct), path)
	gone := &visitor{house: h}
	for form, back := range map[string]string{
		page + "/retry": page,
		"/t/" + id + "/problems/0123456789abcdef/fix":         "/t/" + id,
		"/t/" + id + "/settings/orders":                       "/t/" + id + "/settings/orders",
		"/t/" + id + "/settings/integrations/upstock":         "/t/" + id + "/settings/integrations",
		"/t/" + id + "/settings/integrations/joor/disconnect": "/t/" + id + "/settings/integrations/joor/disconnect",
	} {
		w := gone.post(form, url.Values{"x": {"y"}})
		if to := w.Header().Get("Location"); w.Code != http.StatusSeeOther ||
			to != "/sign-in?return="+url.QueryEscape(back) {
			t.Errorf("%s: %d %s", form, w.Code, to)
		}
	}
}

// TestManyCauses: hundreds of causes make no large page, and a cause that the page does not list can be mended.
func TestManyCauses(t *testing.T) {
	h := open(t)
	_, id, path, token := h.supplier("Aroha Foods")
	for n := range causesRead + 10 {
		var o order.Order
		o.Tenant, o.ID, o.State = id, strconv.Itoa(500_000+n), ledger.Attention
		o.Problems = []ledger.Problem{{Code: "unknownSku",
			Message: fmt.Sprintf("Line 1 (SKU “OLD-%d”): %s", n, hostile),
			Fix:     strings.Repeat("Pick the right product. ", 10), About: fmt.Sprintf("product/OLD-%d", n)}}
		h.run(o)
	}
	ana := h.signIn("Ana", signin.Admin, id)
	w := ana.get("/t/" + id)
	checkPage(t, "home", w)
	if body := w.Body.String(); !strings.Contains(body, "More than 500 orders need you") ||
		!strings.Contains(body, "480 other causes") {
		t.Errorf("%s", body)
	}
	oldest := "/t/" + id + "/orders/500000"
	key := regexp.MustCompile(`name="fix" value="([^"]+)"`).FindStringSubmatch(ana.get(oldest).Body.String())
	if key == nil {
		t.Fatal("the oldest order has no way to pick a product")
	}
	form := url.Values{"choice": {h.product(id, "KWK-100")}, "back": {oldest}}
	to := ana.post("/t/"+id+"/problems/"+key[1]+"/fix", form).Header().Get("Location")
	if !strings.HasPrefix(to, oldest+"?said=fixed&n=1") {
		t.Errorf("sent to %s", to)
	}
	h.do("GET", path+"/links/product", token, nil).is(200)
}

// TestLargeOrder: an order of a hundred lines has small pages too, and each of its calls one of its own.
func TestLargeOrder(t *testing.T) {
	h := open(t)
	acc, id, path, _ := h.supplier("Aroha Foods")
	lines := strings.Repeat(`{"sku":"KWK-100","quantity":"1"},`, 100)
	page := "/t/" + id + strings.TrimPrefix(h.approve(acc, path, `{"lines":[`+strings.TrimSuffix(lines, ",")+`]}`),
		path)
	ana := h.signIn("Ana", signin.Admin, id)
	w := ana.get(page)
	checkPage(t, page, w)
	calls := regexp.MustCompile(`href="([^"]+/calls/\d+)"`).FindAllStringSubmatch(w.Body.String(), -1)
	if !strings.Contains(w.Body.String(), "Sold") || len(calls) < 3 {
		t.Fatalf("%s", w.Body)
	}
	large := false
	for _, c := range calls {
		w := ana.get(c[1])
		checkPage(t, c[1], w)
		large = large || strings.Contains(w.Body.String(), "This is the beginning")
	}
	if !large {
		t.Error("no call was too large to be shown whole")
	}
	for _, address := range []string{page + "/calls/0", page + "/calls/x", page + "/calls/999"} {
		if w := ana.get(address); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", address, w.Code)
		}
	}
}

// TestHalfConnected: with one system there is no step to be in.
func TestHalfConnected(t *testing.T) {
	h := open(t)
	acc := h.sim.AddAccount("Aroha Foods", "NZD")
	id, path, token := h.tenant("Aroha Foods")
	h.do("PUT", path+"/connections/upstock", token, map[string]string{"token": acc.Upstock.Token}).is(200)
	body := h.signIn("Ana", signin.Admin, id).get("/t/" + id).Body.String()
	if strings.Contains(body, "in step") || !strings.Contains(body, "Cin7 Core is not connected") {
		t.Errorf("%s", body)
	}
}

func TestAssets(t *testing.T) {
	h := open(t)
	v := &visitor{house: h}
	link := regexp.MustCompile(`href="(/assets/[^"]+)"`).FindStringSubmatch(v.get("/").Body.String())
	if link == nil {
		t.Fatal("the front page has no style sheet")
	}
	w := v.get(link[1])
	body, _ := io.ReadAll(w.Body)
	if w.Code != 200 || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") || len(body) == 0 ||
		len(body) > 16_000 {
		t.Errorf("%d, %v, %d bytes", w.Code, w.Header(), len(body))
	}
	if w := v.get("/assets/0000000000000000-style.css"); w.Code != http.StatusNotFound {
		t.Errorf("under another hash: %d", w.Code)
	}
}

// has is a fault of the test unless a page says all of these texts.
func has(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			t.Errorf("no %q in\n%s", text, page)
		}
	}
}

// hasNot is a fault of the test if a page says any of these texts.
func hasNot(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(page, text) {
			t.Errorf("%q in\n%s", text, page)
		}
	}
}

// follow presses a button and opens the page that it leads to.
func (v *visitor) follow(path string, form url.Values) string {
	v.t.Helper()
	w := v.post(path, form)
	if w.Code != http.StatusSeeOther {
		v.t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
	return v.get(w.Header().Get("Location")).Body.String()
}

// between is what stands between two texts.
func between(s, before, after string) string {
	_, s, _ = strings.Cut(s, before)
	s, _, _ = strings.Cut(s, after)
	return s
}

// daysAgo returns what tells a supplier's day some days ago, as addresses and forms have it.
func daysAgo(t *testing.T) func(ago int) string {
	zone := zoneNamed(t, "Pacific/Auckland")
	return func(ago int) string { return time.Now().In(zone).AddDate(0, 0, -ago).Format(time.DateOnly) }
}
