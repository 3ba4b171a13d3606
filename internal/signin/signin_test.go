package signin_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"stockbridge/internal/issuer"
	"stockbridge/internal/signin"
	"stockbridge/internal/table"
)

const home = "https://localhost" // of this machine: the issuer is for nobody else

// world is a console with nothing but sign-in, its issuer, and browsers.
type world struct {
	t      *testing.T
	desk   *signin.Desk
	issuer *issuer.Issuer
	table  *failing
	spoil  func(*http.Request, *http.Response) *http.Response // what the console gets of the issuer
	// of the last request that the console did not answer itself
	err error
}

// failing is a table that may fail.
type failing struct {
	table.Table
	reads, writes bool
}

var errTable = errors.New("the table does not answer")

func (f *failing) Get(ctx context.Context, keys ...table.Key) ([]table.Item, error) {
	if f.reads {
		return nil, errTable
	}
	return f.Table.Get(ctx, keys...)
}

func (f *failing) Write(ctx context.Context, ops ...table.Op) error {
	if f.writes {
		return errTable
	}
	return f.Table.Write(ctx, ops...)
}

func play(t *testing.T, f func(w *world)) {
	path := filepath.Join(t.TempDir(), "table.db")
	synctest.Test(t, func(t *testing.T) {
		store, err := table.Open(path, table.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		w := &world{t: t, table: &failing{Table: store}}
		w.issuer, err = issuer.New(issuer.Config{
			URL: home + issuer.Path, ClientID: "console", Redirect: home + signin.CallbackPath,
		}, issuer.Person{Name: "Ana", Role: "admin", Tenants: []string{"t1", "t2"}},
			issuer.Person{Name: "Olga", Role: "operator"}, issuer.Person{Name: "Nobody", Role: "guest"})
		if err != nil {
			t.Fatal(err)
		}
		w.start()
		f(w)
	})
}

// start starts the console, as a new process.
func (w *world) start() {
	w.desk = signin.New(signin.Config{Issuer: home + issuer.Path, ClientID: "console", URL: home}, w.table,
		roundTrip(func(r *http.Request) (*http.Response, error) {
			resp := w.serve(r)
			if w.spoil != nil {
				resp = w.spoil(r, resp)
			}
			if resp == nil {
				return nil, errors.New("connection refused")
			}
			return resp, nil
		}))
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// serve answers what a browser, or the console, asks.
func (w *world) serve(r *http.Request) *http.Response {
	rec := httptest.NewRecorder()
	r.RemoteAddr = "127.0.0.1:5000"
	if r.Body == nil {
		r.Body = http.NoBody
	}
	mux := http.NewServeMux()
	mux.Handle(issuer.Path+"/", w.issuer.Handler())
	handle := func(pattern string, f func(http.ResponseWriter, *http.Request) error) {
		mux.HandleFunc(pattern, func(rw http.ResponseWriter, r *http.Request) {
			if w.err = f(rw, r); w.err != nil {
				rw.WriteHeader(http.StatusTeapot)
			}
		})
	}
	handle("GET "+signin.BeginPath, w.desk.Begin)
	handle("GET "+signin.CallbackPath, w.desk.Callback)
	handle("POST /sign-out", w.desk.End)
	mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) {})
	mux.ServeHTTP(rec, r)
	resp := rec.Result()
	resp.Request = r
	return resp
}

// browser keeps cookies, and follows redirects one by one.
type browser struct {
	*world
	cookies map[string]*http.Cookie
}

func (w *world) browser() *browser { return &browser{w, map[string]*http.Cookie{}} }

func (b *browser) do(method, address string, form url.Values) *http.Response {
	if strings.HasPrefix(address, "/") {
		address = home + address
	}
	r := httptest.NewRequest(method, address, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	resp := b.serve(r)
	for _, c := range resp.Cookies() {
		if !strings.HasPrefix(c.Name, "__Host-") || !c.HttpOnly || !c.Secure || c.Path != "/" || c.Domain != "" ||
			c.SameSite != http.SameSiteLaxMode {
			b.t.Errorf("cookie %v", c)
		}
		if b.cookies[c.Name] = c; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return resp
}

// leave begins to sign in, and picks a person; it returns where the issuer sends the browser back to.
func (b *browser) leave(name, back string) string {
	b.t.Helper()
	resp := b.do("GET", signin.BeginPath+"?return="+url.QueryEscape(back), nil)
	to, err := resp.Location()
	if err != nil {
		b.t.Fatalf("nothing is redirected: %d %v", resp.StatusCode, b.err)
	}
	resp = b.do("GET", to.String(), nil)
	page, _ := io.ReadAll(resp.Body)
	button := regexp.MustCompile(`name="person" value="([^"]+)">` + name).FindSubmatch(page)
	if resp.StatusCode != http.StatusOK || button == nil {
		b.t.Fatalf("no button for %s: %d %s", name, resp.StatusCode, page)
	}
	form := to.Query()
	form.Set("person", string(button[1]))
	resp = b.do("POST", to.Scheme+"://"+to.Host+to.Path, form)
	return resp.Header.Get("Location")
}

// person is who sends the browser's requests.
func (b *browser) person() (signin.Person, error) {
	r := httptest.NewRequest("GET", home+"/", nil)
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	return b.desk.Person(r)
}

// refused reports whether the console refused the last request, in words with this among them.
func (w *world) refused(why string) bool {
	r, ok := errors.AsType[*signin.Refusal](w.err)
	return ok && strings.Contains(r.Why, why)
}

func TestSignIn(t *testing.T) {
	play(t, func(w *world) {
		b := w.browser()
		if _, err := b.person(); !errors.Is(err, signin.ErrSignedOut) {
			t.Errorf("before: %v", err)
		}
		resp := b.do("GET", b.leave("Ana", "/t/t1/orders?state=attention"), nil)
		if to := resp.Header.Get("Location"); to != "/t/t1/orders?state=attention" {
			t.Errorf("comes back to %q, %v", to, w.err)
		}
		p, err := b.person()
		want := signin.Person{Name: "Ana", Role: signin.Admin, Tenants: []string{"t1", "t2"}}
		if d := cmp.Diff(want, p, cmpopts.IgnoreFields(signin.Person{}, "Subject", "Since")); d != "" || err != nil {
			t.Error(err, d)
		}
		if !p.May("t1") || p.May("t3") || p.May("") || !p.Changes() || time.Since(p.Since) > time.Minute {
			t.Errorf("%+v", p)
		}
		if b.cookies["__Host-visit"] != nil {
			t.Errorf("the visit's cookie stays: %v", b.cookies)
		}

		w.start()
		if _, err := b.person(); err != nil {
			t.Errorf("another process: %v", err)
		}
		before := *b.cookies["__Host-session"]
		b.do("POST", "/sign-out", nil)
		if _, err := b.person(); !errors.Is(err, signin.ErrSignedOut) || b.cookies["__Host-session"] != nil {
			t.Errorf("signed out: %v, %v", err, b.cookies)
		}
		b.cookies[before.Name] = &before
		if _, err := b.person(); !errors.Is(err, signin.ErrSignedOut) {
			t.Errorf("the old cookie opens: %v", err)
		}
		if b.do("POST", "/sign-out", nil); w.err != nil {
			t.Errorf("signed out twice: %v", w.err)
		}
	})
}

func TestRoles(t *testing.T) {
	play(t, func(w *world) {
		b := w.browser()
		b.do("GET", b.leave("Olga", "/"), nil)
		if p, err := b.person(); err != nil || p.Role != signin.Operator || !p.May("any") || p.Tenants != nil {
			t.Errorf("%+v, %v", p, err)
		}
		first := b.cookies["__Host-session"]
		b.do("GET", b.leave("Ana", "/"), nil)
		if p, _ := b.person(); p.Name != "Ana" {
			t.Errorf("signed in over another: %+v", p)
		}
		b.cookies["__Host-session"] = first
		if _, err := b.person(); !errors.Is(err, signin.ErrSignedOut) {
			t.Errorf("the session before stays: %v", err)
		}
		stranger := w.browser()
		if stranger.do("GET", stranger.leave("Nobody", "/"), nil); !w.refused("given you a role") {
			t.Errorf("no role: %v", w.err)
		}
		if _, err := stranger.person(); !errors.Is(err, signin.ErrSignedOut) {
			t.Errorf("no role: %v", err)
		}
	})
}

func TestSessionEnds(t *testing.T) {
	play(t, func(w *world) {
		b := w.browser()
		b.do("GET", b.leave("Ana", "/"), nil)
		time.Sleep(12*time.Hour - time.Minute)
		if _, err := b.person(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		if _, err := b.person(); !errors.Is(err, signin.ErrSignedOut) {
			t.Errorf("after twelve hours: %v", err)
		}
	})
}

// TestVisitIsOnesOwn: a link to the callback signs in nobody but who left for the issuer, once, soon after.
func TestVisitIsOnesOwn(t *testing.T) {
	play(t, func(w *world) {
		const again = "begun too long ago"
		b := w.browser()
		link := b.leave("Ana", "/")
		other := w.browser()
		if other.do("GET", link, nil); !w.refused(again) {
			t.Errorf("in another browser, without a visit: %v", w.err)
		}
		other.leave("Olga", "/")
		if other.do("GET", link, nil); !w.refused(again) {
			t.Errorf("in another browser, with a visit of its own: %v", w.err)
		}
		visit := b.cookies["__Host-visit"]
		b.do("GET", link, nil)
		if _, err := b.person(); err != nil {
			t.Error(err, w.err)
		}
		b.cookies["__Host-visit"] = visit
		if b.do("GET", link, nil); !w.refused(again) {
			t.Errorf("twice: %v", w.err)
		}
		late := b.leave("Ana", "/")
		time.Sleep(10*time.Minute + time.Second)
		if b.do("GET", late, nil); !w.refused(again) {
			t.Errorf("late: %v", w.err)
		}
		for name, change := range map[string]func(url.Values){
			"another state": func(q url.Values) { q.Set("state", "x") },
			"no state":      func(q url.Values) { q.Del("state") },
		} {
			u, _ := url.Parse(b.leave("Ana", "/"))
			q := u.Query()
			change(q)
			u.RawQuery = q.Encode()
			if b.do("GET", u.String(), nil); !w.refused(again) {
				t.Errorf("%s: %v", name, w.err)
			}
		}
	})
}

func TestReturn(t *testing.T) {
	play(t, func(w *world) {
		for back, want := range map[string]string{
			"": "/", "/t/t1?q=%22a%22&x=1": "/t/t1?q=%22a%22&x=1", "/?a#b": "/?a#b",
			"https://evil.test/": "/", "//evil.test/": "/", `/\evil.test`: "/", `\/evil.test`: "/",
			"/\t/evil.test":       "/",
			"javascript:alert(1)": "/", "t/t1": "/", "/%zz": "/", "https:evil.test": "/", "/sign-in?return=/": "/",
			"///evil.test": "/", "/x\r\nSet-Cookie: a=b": "/",
		} {
			b := w.browser()
			if to := b.do("GET", b.leave("Ana", back), nil).Header.Get("Location"); to != want {
				t.Errorf("return %q: %q", back, to)
			}
		}
	})
}

// TestIssuerFails: whatever the issuer answers, nobody is signed in by it, and the person is told what to do.
func TestIssuerFails(t *testing.T) {
	body := func(status int, kind, text string) func(*http.Request, *http.Response) *http.Response {
		return func(r *http.Request, _ *http.Response) *http.Response {
			return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {kind}}, Request: r,
				Body: io.NopCloser(strings.NewReader(text))}
		}
	}
	for name, spoil := range map[string]func(*http.Request, *http.Response) *http.Response{
		"no connection": func(*http.Request, *http.Response) *http.Response { return nil },
		"server error":  body(500, "text/plain", "oops"),
		"a page":        body(200, "text/html", "<h1>Maintenance</h1>"),
		"nothing":       body(200, "application/json", "{}"),
		"no token":      body(200, "application/json", `{"access_token":"a","token_type":"Bearer"}`),
		"no real token": body(200, "application/json",
			`{"access_token":"a","token_type":"Bearer","id_token":"a.b.c"}`),
		"a list": body(200, "application/json", `[]`),
		"an unsigned one": body(200, "application/json",
			`{"access_token":"a","token_type":"Bearer","id_token":"eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."}`),
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(w *world) {
				w.spoil = spoil
				b := w.browser()
				if b.do("GET", signin.BeginPath, nil); !w.refused("cannot be reached") {
					t.Errorf("begin: %v", w.err)
				}
				w.spoil = nil
				back := b.leave("Ana", "/")
				w.spoil = spoil
				if b.do("GET", back, nil); !w.refused("cannot be used") {
					t.Errorf("callback: %v", w.err)
				}
				if strings.Contains(w.err.Error(), "Maintenance") || strings.Contains(w.err.Error(), "oops") {
					t.Errorf("the answer is quoted: %v", w.err)
				}
				if _, err := b.person(); !errors.Is(err, signin.ErrSignedOut) {
					t.Errorf("signed in: %v", err)
				}
				w.spoil = nil
				if b.do("GET", b.leave("Ana", "/"), nil); w.err != nil {
					t.Errorf("once the issuer is back: %v", w.err)
				}
			})
		})
	}
	play(t, func(w *world) {
		b := w.browser()
		u, _ := url.Parse(b.leave("Ana", "/"))
		q := u.Query()
		q.Del("code")
		q.Set("error", "access_denied")
		if b.do("GET", signin.CallbackPath+"?"+q.Encode(), nil); !w.refused("did not sign you in") {
			t.Errorf("denied: %v", w.err)
		}
	})
}

// TestTokenOfAnother: an ID token that is genuine, but not the answer to this visit, signs in nobody.
func TestTokenOfAnother(t *testing.T) {
	play(t, func(w *world) {
		var stolen []byte
		w.spoil = func(r *http.Request, resp *http.Response) *http.Response {
			if strings.HasSuffix(r.URL.Path, "/token") {
				data, _ := io.ReadAll(resp.Body)
				if stolen == nil {
					stolen = data
				}
				resp.Body = io.NopCloser(strings.NewReader(string(stolen)))
			}
			return resp
		}
		a, b := w.browser(), w.browser()
		if a.do("GET", a.leave("Olga", "/"), nil); w.err != nil {
			t.Fatal(w.err)
		}
		if b.do("GET", b.leave("Ana", "/"), nil); !w.refused("cannot be used") ||
			!strings.Contains(w.err.Error(), "nonce") {
			t.Errorf("a token of another visit: %v", w.err)
		}
		stolen = nil
		back := b.leave("Ana", "/")
		w.spoil = func(r *http.Request, resp *http.Response) *http.Response {
			if strings.HasSuffix(r.URL.Path, "/token") {
				time.Sleep(6 * time.Minute) // past its time
			}
			return resp
		}
		if b.do("GET", back, nil); !w.refused("cannot be used") {
			t.Errorf("a token past its time: %v", w.err)
		}
	})
}

// TestTableFails: a table that does not answer signs nobody out, and nobody in.
func TestTableFails(t *testing.T) {
	play(t, func(w *world) {
		b := w.browser()
		b.do("GET", b.leave("Ana", "/"), nil)
		w.table.reads = true
		if _, err := b.person(); !errors.Is(err, errTable) {
			t.Errorf("%v", err)
		}
		if b.do("POST", "/sign-out", nil); !errors.Is(w.err, errTable) || b.cookies["__Host-session"] == nil {
			t.Errorf("signed out: %v, %v", w.err, b.cookies)
		}
		w.table.reads, w.table.writes = false, true
		if b.do("GET", signin.BeginPath, nil); !errors.Is(w.err, errTable) {
			t.Errorf("begin: %v", w.err)
		}
		if b.do("POST", "/sign-out", nil); !errors.Is(w.err, errTable) || b.cookies["__Host-session"] == nil {
			t.Errorf("signed out: %v, %v", w.err, b.cookies)
		}
		w.table.writes = false
		c := w.browser()
		back := c.leave("Ana", "/")
		w.table.writes = true
		if c.do("GET", back, nil); !errors.Is(w.err, errTable) {
			t.Errorf("callback: %v", w.err)
		}
		w.table.writes = false
		if _, err := c.person(); !errors.Is(err, signin.ErrSignedOut) {
			t.Errorf("callback: %v", err)
		}
		for _, value := range []string{"x", strings.Repeat("a", 5000), "#", "é"} {
			c.cookies["__Host-session"] = &http.Cookie{Name: "__Host-session", Value: value}
			if _, err := c.person(); !errors.Is(err, signin.ErrSignedOut) {
				t.Errorf("cookie %.10q: %v", value, err)
			}
		}
	})
}

// TestAddressOfRequest: where the console does not know its address, people come back to the host they asked.
func TestAddressOfRequest(t *testing.T) {
	play(t, func(w *world) {
		w.desk = signin.New(signin.Config{Issuer: home + issuer.Path, ClientID: "console"}, w.table,
			roundTrip(func(r *http.Request) (*http.Response, error) { return w.serve(r), nil }))
		b := w.browser()
		if b.do("GET", b.leave("Ana", "/"), nil); w.err != nil {
			t.Error(w.err)
		}
		to, err := b.do("GET", "https://other.example"+signin.BeginPath, nil).Location()
		if err != nil || to.Query().Get("redirect_uri") != "https://other.example"+signin.CallbackPath {
			t.Errorf("%v, %v", to, err)
		}
	})
}

func TestNobodyCanSignIn(t *testing.T) {
	play(t, func(w *world) {
		w.desk = signin.New(signin.Config{URL: home}, w.table, http.DefaultTransport)
		b := w.browser()
		if b.do("GET", signin.BeginPath, nil); !w.refused("no sign-in service is set up") {
			t.Errorf("%v", w.err)
		}
		if b.do("GET", signin.CallbackPath+"?code=x&state=y", nil); w.err == nil {
			t.Error("a callback without a visit")
		}
	})
}
