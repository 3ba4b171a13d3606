package signin

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// How long things last.
const (
	sessionLife = 12 * time.Hour
	visitLife   = 10 * time.Minute
	issuerWait  = 10 * time.Second // for an answer of the issuer
)

// Cookies. The prefix makes a browser take them only from this very host, for all of it, over a safe connection.
const (
	sessionCookie = "__Host-session"
	visitCookie   = "__Host-visit"
)

// Addresses of the console that this package answers.
const (
	BeginPath    = "/sign-in"
	CallbackPath = "/sign-in/callback"
)

// ErrSignedOut is the error of Person where nobody is signed in.
var ErrSignedOut = errors.New("nobody is signed in")

// Refusal is why a person was not signed in, in words for that person.
type Refusal struct {
	Why string
	Err error // for the log; nil = there is no more to say
}

func (r *Refusal) Error() string {
	if r.Err != nil {
		return r.Why + " (" + r.Err.Error() + ")"
	}
	return r.Why
}

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Err }

// Config says where people sign in.
type Config struct {
	Issuer   string // its address, under which its configuration is published; "" = nobody can sign in
	ClientID string
	Secret   tenant.Secret // the client's; "" = it has none
	URL      string        // of the console; "" = the host that a request names, by HTTPS
	SignOut  string        // where people sign out of the issuer as well; "" = nowhere
}

// Desk signs people in and out.
type Desk struct {
	config Config
	table  table.Table
	http   *http.Client

	mu       sync.Mutex
	provider *oidc.Provider // nil until it was first needed
}

// New returns a Desk that keeps sessions in a table and calls the issuer over a transport.
func New(c Config, t table.Table, rt http.RoundTripper) *Desk {
	c.URL = strings.TrimRight(c.URL, "/")
	return &Desk{config: c, table: table.Repeating(t), http: &http.Client{Transport: rt, Timeout: issuerWait}}
}

// visit is one attempt to sign in.
type visit struct {
	State    string    `json:"state"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"`
	Return   string    `json:"return"`
	Until    time.Time `json:"until"`
}

// session is a person in one browser.
type session struct {
	Person
	Until time.Time `json:"until"`
}

// Begin sends a browser to the issuer. It comes back to the address that the query's return names, where that is one
// of the console.
func (d *Desk) Begin(w http.ResponseWriter, r *http.Request) error {
	client, _, err := d.client(r)
	if err != nil {
		return err
	}
	v := visit{
		State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(),
		Return: local(r.URL.Query().Get("return")), Until: time.Now().Add(visitLife).UTC(),
	}
	secret := rand.Text()
	it, err := item(visitKey(secret), v, v.Until)
	if err != nil {
		return err
	}
	if err := d.table.Write(r.Context(), table.Create(it)); err != nil {
		return fmt.Errorf("begin to sign in: %w", err)
	}
	http.SetCookie(w, cookie(visitCookie, secret, visitLife))
	to := client.AuthCodeURL(v.State, oidc.Nonce(v.Nonce), oauth2.S256ChallengeOption(v.Verifier))
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// Callback takes the browser that comes back from the issuer, and sends it where it wanted to go, signed in.
func (d *Desk) Callback(w http.ResponseWriter, r *http.Request) error {
	v, err := d.arrive(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	if code := q.Get("error"); code != "" {
		return &Refusal{Why: "The sign-in service did not sign you in.", Err: fmt.Errorf("issuer: %q", clip(code))}
	}
	p, err := d.exchange(r, v, q.Get("code"))
	if err != nil {
		return err
	}
	secret := rand.Text()
	until := time.Now().Add(sessionLife).UTC().Truncate(time.Second)
	it, err := item(sessionKey(secret), session{p, until}, until)
	if err != nil {
		return err
	}
	noted, err := notes(p)
	if err != nil {
		return err
	}
	ops := append([]table.Op{table.Create(it)}, noted...)
	if old, ok := read(r, sessionCookie); ok { // whoever signs in again leaves no session behind
		before, err := table.Read(r.Context(), d.table, sessionKey(old))
		if err != nil {
			return err
		}
		if before.Rev != "" {
			ops = append(ops, table.Remove(before))
		}
	}
	if err := d.table.Write(r.Context(), ops...); err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	http.SetCookie(w, cookie(visitCookie, "", 0))
	http.SetCookie(w, cookie(sessionCookie, secret, sessionLife))
	http.SetCookie(w, cookie(beforeCookie, personHash(p), beforeLife))
	http.Redirect(w, r, v.Return, http.StatusSeeOther)
	return nil
}

// arrive takes up the visit of a browser that comes back, once.
func (d *Desk) arrive(r *http.Request) (visit, error) {
	again := &Refusal{Why: "This sign-in was begun too long ago, in another window, or twice. Sign in again."}
	secret, ok := read(r, visitCookie)
	if !ok {
		return visit{}, again
	}
	it, err := table.Read(r.Context(), d.table, visitKey(secret))
	if err != nil {
		return visit{}, err
	}
	if it.Rev == "" {
		return visit{}, again
	}
	var v visit
	if err := json.Unmarshal(it.Data, &v); err != nil {
		return v, fmt.Errorf("visit: %w", err)
	}
	if time.Now().After(v.Until) || r.URL.Query().Get("state") != v.State {
		return v, again
	}
	gone := it // a visit that is taken up stays, marked, until it is forgotten: two at once find out who was first
	gone.Data, gone.Expires = []byte("{}"), v.Until
	err = d.table.Write(r.Context(), table.Replace(gone))
	if errors.Is(err, table.ErrConflict) {
		return v, again
	}
	return v, err
}

// exchange turns a code of the issuer into the person it stands for.
func (d *Desk) exchange(r *http.Request, v visit, code string) (Person, error) {
	ctx := oidc.ClientContext(r.Context(), d.http)
	refused := func(err error) (Person, error) {
		return Person{}, &Refusal{Why: "The sign-in service gave an answer that cannot be used. Try again in a minute.",
			Err: err}
	}
	client, provider, err := d.client(r)
	if err != nil {
		return Person{}, err
	}
	if code == "" {
		return refused(errors.New("no code"))
	}
	token, err := client.Exchange(ctx, code, oauth2.VerifierOption(v.Verifier))
	if err != nil {
		return refused(errors.New("exchange of the code was refused")) // the error quotes the answer
	}
	raw, _ := token.Extra("id_token").(string)
	verifier := provider.VerifierContext(ctx, &oidc.Config{ClientID: d.config.ClientID})
	id, err := verifier.Verify(ctx, raw)
	if err != nil {
		return refused(fmt.Errorf("ID token: %w", err))
	}
	if id.Nonce != v.Nonce {
		return refused(errors.New("ID token: another nonce"))
	}
	var c claims
	if err := id.Claims(&c); err != nil {
		return refused(fmt.Errorf("claims: %w", err))
	}
	p, ok := c.person(id.Subject, time.Now())
	if !ok {
		return p, &Refusal{
			Why: "Nobody has given you a role here. Ask whoever manages the people at the sign-in service.",
			Err: fmt.Errorf("role %q", clip(string(p.Role))),
		}
	}
	return p, nil
}

// Person is who sent a request, or ErrSignedOut.
func (d *Desk) Person(r *http.Request) (Person, error) {
	secret, ok := read(r, sessionCookie)
	if !ok {
		return Person{}, ErrSignedOut
	}
	it, err := table.Read(r.Context(), d.table, sessionKey(secret))
	if err != nil {
		return Person{}, err
	}
	if it.Rev == "" {
		return Person{}, ErrSignedOut
	}
	var s session
	if err := json.Unmarshal(it.Data, &s); err != nil {
		return Person{}, fmt.Errorf("session: %w", err)
	}
	if !time.Now().Before(s.Until) {
		return Person{}, ErrSignedOut
	}
	return s.Person, nil
}

// End ends a request's session, on the server and in the browser.
func (d *Desk) End(w http.ResponseWriter, r *http.Request) error {
	if secret, ok := read(r, sessionCookie); ok {
		it, err := table.Read(r.Context(), d.table, sessionKey(secret))
		if err == nil {
			_, err = table.Change(r.Context(), d.table, it, func(it table.Item) ([]table.Op, error) {
				if it.Rev == "" {
					return nil, nil
				}
				return []table.Op{table.Remove(it)}, nil
			})
		}
		if err != nil {
			return fmt.Errorf("sign out: %w", err)
		}
	}
	http.SetCookie(w, cookie(sessionCookie, "", 0))
	return nil
}

// client is how the console speaks with the issuer, whose configuration is read when it is first needed.
func (d *Desk) client(r *http.Request) (*oauth2.Config, *oidc.Provider, error) {
	if d.config.Issuer == "" {
		return nil, nil, &Refusal{Why: "Nobody can sign in here: no sign-in service is set up. The JSON API works " +
			"with a token."}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.provider == nil {
		p, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(r.Context()), d.http), d.config.Issuer)
		if err != nil {
			return nil, nil, &Refusal{Why: "The sign-in service cannot be reached. Try again in a minute.",
				Err: fmt.Errorf("issuer: %w", err)}
		}
		d.provider = p
	}
	endpoint := d.provider.Endpoint()
	if d.config.Secret == "" { // else the library finds out how the issuer wants it
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{
		ClientID: d.config.ClientID, ClientSecret: string(d.config.Secret), Endpoint: endpoint,
		RedirectURL: cmp.Or(d.config.URL, "https://"+r.Host) + CallbackPath,
		Scopes:      Scopes(),
	}, d.provider, nil
}

// Scopes are what the issuer is asked for: that somebody signed in, and the claims that say who that is and may do
// what.
func Scopes() []string { return []string{oidc.ScopeOpenID, "profile", "email"} }

// SignOutAt is where people sign out of the issuer as well; "" = nowhere.
func (d *Desk) SignOutAt() string { return d.config.SignOut }

// local is an address of the console, or its front page: a return to anywhere else would help who lures people.
func local(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || !strings.HasPrefix(to, "/") ||
		strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") || strings.HasPrefix(u.Path, BeginPath) {
		return "/"
	}
	return to
}

func sessionKey(secret string) table.Key {
	return table.Key{PK: "SESSION#" + hashed(secret), SK: "session"}
}

func visitKey(secret string) table.Key { return table.Key{PK: "VISIT#" + hashed(secret), SK: "visit"} }

func hashed(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

func item(k table.Key, v any, until time.Time) (table.Item, error) {
	data, err := json.Marshal(v)
	return table.Item{Key: k, Data: data, Expires: until.Add(time.Minute)}, err
}

// cookie is one that script cannot read; with no life left it is taken away.
func cookie(name, value string, life time.Duration) *http.Cookie {
	c := &http.Cookie{Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		MaxAge: int(life / time.Second)}
	if life == 0 {
		c.MaxAge = -1
	}
	return c
}

// read is the value of a cookie of ours; false = there is none that could be.
func read(r *http.Request, name string) (string, bool) {
	c, err := r.Cookie(name)
	if err != nil || c.Value == "" || len(c.Value) > 100 {
		return "", false
	}
	return c.Value, true
}

// clip bounds a foreign text in a log.
func clip(s string) string { return s[:min(len(s), 100)] }
