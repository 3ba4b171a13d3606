package console

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/signin"
	"stockbridge/internal/tenant"
)

var shownToken = regexp.MustCompile(`sb_[A-Z2-7]{26}`)

// TestAccessPage makes a token as an office manager does, uses it, and revokes it; a viewer only looks.
func TestAccessPage(t *testing.T) {
	h := open(t)
	id, path, first := h.tenant("Aroha Foods")
	otherID, _, _ := h.tenant("Kauri Supplies")
	page := "/t/" + id + "/settings/access"
	olga := h.signIn("Olga", signin.Operator)
	h.signIn("Sam", signin.Admin, otherID)
	viktor := h.signIn("Viktor "+hostile[:20], signin.Viewer, id, otherID)
	ana := h.signIn("Ana", signin.Admin, id)
	w := ana.get(page)
	checkPage(t, page, w)
	body := w.Body.String()
	for _, want := range []string{"Ana", "Viktor ", "An operator", "Operator: all tenants", "not here", "first",
		"Not yet"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in %s", want, body)
		}
	}
	if strings.Contains(body, "Olga") || !strings.Contains(readable(olga.get(page)), "Olga Operator: all tenants") {
		t.Errorf("operators are named to operators alone: %s", body)
	}
	if strings.Contains(body, "Sam") || strings.Contains(body, otherID) || shownToken.MatchString(body) {
		t.Errorf("it shows what it should not: %s", body)
	}

	form := answersOf(body)
	form.Set("name", hostile)
	form.Set("role", "admin")
	form.Set("days", "30")
	w = ana.post(page+"/tokens", form)
	checkPage(t, page, w)
	secret := shownToken.FindString(w.Body.String())
	if w.Code != http.StatusOK || secret == "" || !strings.Contains(w.Body.String(), "cannot be shown again") {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	h.do("PATCH", path+"/settings", secret, map[string]any{"onCancel": "void"}).is(200)
	if w := ana.post(page+"/tokens", form); w.Code != http.StatusConflict || shownToken.MatchString(w.Body.String()) ||
		!strings.Contains(w.Body.String(), "sent before") {
		t.Errorf("the form a second time: %d %s", w.Code, w.Body)
	}
	list := h.do("GET", path+"/tokens", first, nil).is(200)
	if items := list.get("items").([]any); len(items) != 2 {
		t.Errorf("%d tokens: %s", len(items), list.raw)
	}
	made := h.do("GET", path+"/events", first, nil).is(200)
	if !strings.Contains(made.raw, `"actor":"Ana (`) || !strings.Contains(made.raw, `"kind":"settings"`) ||
		!strings.Contains(fmt.Sprint(made.get("items")), "actor:token "+hostile) { // two at once have no order
		t.Errorf("the events do not say who: %s", made.raw)
	}
	if body := ana.get(page).Body.String(); shownToken.MatchString(body) || strings.Contains(body, "<script") ||
		strings.Count(body, "Not yet") != 0 {
		t.Errorf("later: %s", body)
	}

	// What is wrong comes back with what was typed; what no form of ours sends is refused.
	bad := answersOf(ana.get(page).Body.String())
	bad.Set("days", "365")
	for _, name := range []string{"", "  ", strings.Repeat("x", 101), "a\nb"} {
		bad.Set("name", name)
		if w := ana.post(page+"/tokens", bad); w.Code != http.StatusUnprocessableEntity ||
			!strings.Contains(w.Body.String(), `value="365" selected`) || !strings.Contains(w.Body.String(), "fault-name") {
			t.Errorf("name %q: %d %s", name, w.Code, w.Body)
		}
	}
	bad.Set("name", "x")
	for field, value := range map[string]string{"days": "-1", "id": "../../x", "role": "operator"} {
		wrong := url.Values{"id": {tenant.NewTokenID()}, "name": {"x"}, "days": {"30"}, "role": {"admin"}}
		wrong.Set(field, value)
		if w := ana.post(page+"/tokens", wrong); w.Code != 400 && w.Code != 422 {
			t.Errorf("%s=%s: %d", field, value, w.Code)
		}
	}

	seen := viktor.get(page)
	checkPage(t, page, seen)
	if body := seen.Body.String(); strings.Contains(body, "Revoke") || strings.Contains(body, "Make a token") ||
		!strings.Contains(body, "first") {
		t.Errorf("a viewer: %s", body)
	}
	mine := form.Get("id")
	ask := page + "/tokens/" + mine + "/revoke"
	checkPage(t, ask, olga.get(ask))
	if w := olga.get("/t/" + otherID + "/settings/access/tokens/" + mine + "/revoke"); w.Code != http.StatusNotFound {
		t.Errorf("the token of another tenant: %d", w.Code)
	}
	for range 2 { // pressed twice
		if w := olga.post(ask, nil); w.Code != http.StatusSeeOther {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	if a := h.do("GET", path+"/settings", secret, nil).is(401); !strings.Contains(a.raw, "was revoked") {
		t.Errorf("%s", a.raw)
	}
	if w := ana.get(ask); w.Code != http.StatusNotFound {
		t.Errorf("to ask again: %d", w.Code)
	}
	people := h.do("GET", path+"/people", first, nil).is(200)
	if strings.Contains(people.raw, "Sam") || people.get("items.0.name") != "Ana" ||
		!strings.Contains(people.raw, `"role":"operator"`) {
		t.Errorf("%s", people.raw)
	}
}

// TestTokenUse: when a token was used is known to some minutes, and costs no write with each request.
func TestTokenUse(t *testing.T) {
	h := open(t)
	_, path, token := h.tenant("Aroha Foods")
	writes := h.deaf.writes.Load
	h.do("GET", path+"/tokens", token, nil).is(200)
	before := writes()
	for range 20 {
		h.do("GET", path+"/settings", token, nil).is(200)
	}
	if n := writes() - before; n != 0 {
		t.Errorf("%d writes", n)
	}
	used, err := time.Parse(time.RFC3339, h.do("GET", path+"/tokens", token, nil).get("items.0.lastUsed").(string))
	if err != nil || time.Since(used) > time.Minute {
		t.Errorf("used at %s: %v", used, err)
	}
}

// TestGuesses: who tries many tokens is slowed, and nobody else is: not who is at another address, not a token that was
// right before, not the operator's, not a program that sends one old token all the time.
func TestGuesses(t *testing.T) {
	h := open(t)
	_, path, token := h.tenant("Aroha Foods")
	_, theirs, revoked := h.tenant("Kauri Supplies")
	second := h.do("POST", path+"/tokens", token, nil).is(201).get("token").(string)
	mine := h.do("GET", theirs+"/tokens", revoked, nil).is(200).get("items.0.id").(string)
	h.do("DELETE", theirs+"/tokens/"+mine, operator, nil).is(204)
	from := func(address, token string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", path+"/settings", nil)
		r.RemoteAddr = address
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		h.h.ServeHTTP(w, r)
		return w
	}
	for range 3 * guessesMost {
		if w := from("192.0.2.1:99", "sb_OLD"); w.Code != 401 {
			t.Fatalf("one wrong token again and again: %d", w.Code)
		}
		if w := from("192.0.2.1:99", revoked); w.Code != 401 || !strings.Contains(w.Body.String(), "was revoked") {
			t.Fatalf("a revoked token again and again: %d", w.Code)
		}
	}
	n := 0
	for ; n < 2*guessesMost; n++ {
		if w := from(fmt.Sprint("192.0.2.1:", n+1), fmt.Sprint("guess", n)); w.Code == http.StatusTooManyRequests {
			if w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "Too many tokens") {
				t.Errorf("%v %s", w.Header(), w.Body)
			}
			break
		}
	}
	if n >= guessesMost {
		t.Errorf("slowed after %d guesses", n)
	}
	for _, c := range []struct {
		address, token string
		want           int
	}{
		{"192.0.2.1:1", second, 429}, {"192.0.2.1", "guess", 429}, {"192.0.2.1:1", token, 200},
		{"192.0.2.1:1", operator, 200}, {"192.0.2.2:1", second, 200}, {"192.0.2.1:1", second, 200},
		{"192.0.2.2:1", "guess", 401},
	} {
		if w := from(c.address, c.token); w.Code != c.want {
			t.Errorf("from %s, %.6s…: %d, want %d", c.address, c.token, w.Code, c.want)
		}
	}
	var g guesses
	now := time.Now()
	for i := range guessesMost {
		g.wrong(fmt.Sprintf("[2001:db8::%x]:1", i), fmt.Sprint(i), now)
	}
	if g.wait("[2001:db8::ffff:1]:9", "x", now) == 0 || g.wait("[2001:db8:0:1::1]:9", "x", now) != 0 ||
		g.wait("[2001:db8::1]:9", "x", now.Add(guessesFor)) != 0 {
		t.Error("addresses of one household, of another, and a minute later")
	}
	for i := range 3 * guessesPlace {
		g.wrong(fmt.Sprintf("198.51.%d.%d:1", i/256, i%256), "x", now)
		g.right(fmt.Sprint(i))
	}
	if len(g.from) > guessesPlace || len(g.known) > guessesPlace {
		t.Errorf("%d addresses and %d tokens are remembered", len(g.from), len(g.known))
	}
}
