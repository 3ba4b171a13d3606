package issuer

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

const base = "http://127.0.0.1:1"

func open(t *testing.T) *Issuer {
	t.Helper()
	i, err := New(Config{URL: base + Path, ClientID: "console", Redirect: base + "/sign-in/callback"},
		Person{Name: "Ana", Role: "admin", Tenants: []string{"t1"}})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func send(i *Issuer, method, path, kind, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, base+path, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:5000"
	r.Header.Set("Content-Type", kind)
	w := httptest.NewRecorder()
	i.Handler().ServeHTTP(w, r)
	return w
}

// right is a request as the client makes it.
func right() url.Values {
	return url.Values{
		"client_id": {"console"}, "redirect_uri": {base + "/sign-in/callback"}, "response_type": {"code"},
		"scope": {"openid profile"}, "state": {"s"}, "nonce": {"n"}, "code_challenge_method": {"S256"},
		// of the verifier in RFC 7636, appendix B
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"},
	}
}

// TestAuthorize: what a client sends otherwise than it is registered is refused, and sent nowhere.
func TestAuthorize(t *testing.T) {
	i := open(t)
	if w := send(i, "GET", Path+"/authorize?"+right().Encode(), "", ""); w.Code != 200 ||
		!strings.Contains(w.Body.String(), "Ana") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for name, value := range map[string]string{
		"client_id": "other", "redirect_uri": "https://evil.test/", "response_type": "token", "scope": "profile",
		"state": "", "nonce": "", "code_challenge_method": "plain", "code_challenge": "short",
	} {
		q := right()
		q.Set(name, value)
		for _, w := range []*httptest.ResponseRecorder{
			send(i, "GET", Path+"/authorize?"+q.Encode(), "", ""),
			send(i, "POST", Path+"/authorize", "application/x-www-form-urlencoded",
				q.Encode()+"&person="+i.people[0].subject),
		} {
			if w.Code != http.StatusBadRequest || w.Header().Get("Location") != "" ||
				strings.Contains(w.Body.String(), "Ana") {
				t.Errorf("%s=%q: %d %s", name, value, w.Code, w.Header().Get("Location"))
			}
		}
	}
	q := right()
	q.Set("person", "nobody")
	if w := send(i, "POST", Path+"/authorize", "application/x-www-form-urlencoded",
		q.Encode()); w.Code != http.StatusBadRequest {
		t.Errorf("nobody: %d", w.Code)
	}
}

// TestToken: a code is good once, for who can show the verifier.
func TestToken(t *testing.T) {
	i := open(t)
	code := func() string {
		q := right()
		q.Set("person", i.people[0].subject)
		w := send(i, "POST", Path+"/authorize", "application/x-www-form-urlencoded", q.Encode())
		to, err := url.Parse(w.Header().Get("Location"))
		if err != nil || to.Query().Get("state") != "s" {
			t.Fatalf("%d %s", w.Code, w.Header().Get("Location"))
		}
		return to.Query().Get("code")
	}
	ask := func(change func(url.Values)) int {
		form := url.Values{
			"grant_type": {"authorization_code"}, "code": {code()}, "redirect_uri": {base + "/sign-in/callback"},
			"client_id": {"console"}, "code_verifier": {"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"},
		}
		change(form)
		return send(i, "POST", Path+"/token", "application/x-www-form-urlencoded", form.Encode()).Code
	}
	used := ""
	if got := ask(func(f url.Values) { used = f.Get("code") }); got != 200 {
		t.Errorf("%d", got)
	}
	for name, change := range map[string]func(url.Values){
		"twice":            func(f url.Values) { f.Set("code", used) },
		"no verifier":      func(f url.Values) { f.Del("code_verifier") },
		"another verifier": func(f url.Values) { f.Set("code_verifier", strings.Repeat("a", 43)) },
		"another client":   func(f url.Values) { f.Set("client_id", "x") },
		"another address":  func(f url.Values) { f.Set("redirect_uri", base) },
		"another grant":    func(f url.Values) { f.Set("grant_type", "password") },
		"no code":          func(f url.Values) { f.Del("code") },
		"no client":        func(f url.Values) { f.Del("client_id") },
	} {
		if got := ask(change); got != http.StatusBadRequest {
			t.Errorf("%s: %d", name, got)
		}
	}
}

// TestTokenWithoutSecret: the client has no secret, and does not pretend to have one.
func TestTokenWithoutSecret(t *testing.T) {
	i := open(t)
	r := httptest.NewRequest("POST", base+Path+"/token", strings.NewReader("grant_type=authorization_code"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("console", "")
	w := httptest.NewRecorder()
	if i.Handler().ServeHTTP(w, r); w.Code != http.StatusBadRequest ||
		!strings.Contains(w.Body.String(), "invalid_client") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestPeople: people are added and picked on this machine alone.
func TestPeople(t *testing.T) {
	i := open(t)
	for body, want := range map[string]int{
		`{"name":"Ben","role":"viewer","tenants":["t1"]}`: 201, `{"name":"Ben","role":"boss"}`: 422,
		`{"name":" ","role":"viewer"}`: 422, `{`: 400, `{"name":"x","role":"viewer","more":1}`: 400,
	} {
		if w := send(i, "POST", Path+"/people", "application/json", body); w.Code != want {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	for remote, host := range map[string]string{
		"192.0.2.7:80": "127.0.0.1:1", "127.0.0.1:80": "console.test", "[2001:db8::1]:80": "x",
	} {
		for _, ask := range [][3]string{
			{"POST", "/people", `{"name":"Eve","role":"operator"}`},
			{"GET", "/authorize?" + right().Encode(), ""},
			{"POST", "/authorize", right().Encode() + "&person=" + i.people[0].subject},
		} {
			r := httptest.NewRequest(ask[0], base+Path+ask[1], strings.NewReader(ask[2]))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.RemoteAddr, r.Host = remote, host
			w := httptest.NewRecorder()
			i.Handler().ServeHTTP(w, r)
			if w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), "Ana") {
				t.Errorf("%s %s from %s to %s: %d", ask[0], ask[1], remote, host, w.Code)
			}
		}
	}
	r := httptest.NewRequest("POST", base+Path+"/people", strings.NewReader(`{"name":"Eve","role":"operator"}`))
	r.RemoteAddr = "127.0.0.1:5000"
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	if i.Handler().ServeHTTP(w, r); w.Code != http.StatusForbidden {
		t.Errorf("from a page of another site: %d", w.Code)
	}
}
