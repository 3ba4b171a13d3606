// Package issuer is a small OpenID Connect issuer, for the local runner and for tests: people are picked from a page,
// without a password. It exists nowhere but on one machine.
//
// # What it speaks
//
// The authorization code flow of OpenID Connect Core 1.0 with PKCE (RFC 7636, S256 only), for one client:
//
//	GET  /issuer/.well-known/openid-configuration  where all of this is
//	GET  /issuer/authorize   a page with a button for each person
//	POST /issuer/authorize   a button was pressed: back to the client with a code
//	POST /issuer/token       the code, once and within a minute, for an ID token (ES256)
//	GET  /issuer/keys        the key that verifies it (JWKS)
//	POST /issuer/people      {"name","role","tenants","email"} adds a person
//
// Pages and people are for this machine alone: whoever opens the page may be anybody on it.
//
// The ID token has the claims that package signin reads: name, email, stockbridge_role and stockbridge_tenants.
//
// # What it promises
//
// It is strict where a real issuer is: a client, a redirect address, a response type or a challenge that is not as
// registered is refused on its own page, and nothing is sent back to an unknown address; a code works once, with the
// verifier of its challenge. So a client that works here works elsewhere. It keeps everything in memory: people are
// added at each start, and its signing key lives as long as the process.
package issuer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Path is below which an issuer answers.
const Path = "/issuer"

// codeLife is how long a code may be exchanged.
const codeLife = time.Minute

// tokenLife is how long an ID token is valid.
const tokenLife = 5 * time.Minute

// Person is somebody who can sign in.
type Person struct {
	Name    string   `json:"name"`
	Role    string   `json:"role"`    // operator, admin, viewer
	Tenants []string `json:"tenants"` // ids; an operator has all without
	Email   string   `json:"email,omitempty"`

	subject string
}

// Config is what an issuer knows of itself and its one client.
type Config struct {
	URL      string // its address, with Path
	ClientID string
	Redirect string // where the client is come back to
}

// Issuer signs people in.
type Issuer struct {
	config Config
	signer jose.Signer
	keys   jose.JSONWebKeySet

	mu     sync.Mutex
	people []Person
	codes  map[string]grant
}

// grant is what a code stands for.
type grant struct {
	person    Person
	nonce     string
	challenge string
	until     time.Time
}

// New returns an issuer with a key of its own, and people.
func New(c Config, people ...Person) (*Issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	id := rand.Text()
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: id}},
		(&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return nil, err
	}
	public := jose.JSONWebKey{Key: key.Public(), KeyID: id, Algorithm: string(jose.ES256), Use: "sig"}
	i := &Issuer{config: c, signer: signer, keys: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public}},
		codes: map[string]grant{}}
	for _, p := range people {
		i.Add(p)
	}
	return i, nil
}

// Add adds a person, and returns its subject, the id by which clients know it. Who has a name that is here already
// takes that place.
func (i *Issuer) Add(p Person) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	sum := sha256.Sum256([]byte(p.Name))
	p.subject = base64.RawURLEncoding.EncodeToString(sum[:12])
	if at := slices.IndexFunc(i.people, func(other Person) bool { return other.Name == p.Name }); at >= 0 {
		i.people[at] = p
		return p.subject
	}
	i.people = append(i.people, p)
	return p.subject
}

// Handler answers everything below Path.
func (i *Issuer) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Path+"/.well-known/openid-configuration", i.configuration)
	mux.HandleFunc("GET "+Path+"/keys", i.publishKeys)
	mux.HandleFunc("GET "+Path+"/authorize", i.ask)
	mux.HandleFunc("POST "+Path+"/authorize", i.pick)
	mux.HandleFunc("POST "+Path+"/token", i.token)
	mux.HandleFunc("POST "+Path+"/people", i.addPerson)
	return http.NewCrossOriginProtection().Handler(mux)
}

func (i *Issuer) publishKeys(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, i.keys)
}

func (i *Issuer) configuration(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{
		"issuer": i.config.URL, "authorization_endpoint": i.config.URL + "/authorize",
		"token_endpoint": i.config.URL + "/token", "jwks_uri": i.config.URL + "/keys",
		"response_types_supported": []string{"code"}, "grant_types_supported": []string{"authorization_code"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{string(jose.ES256)},
		"scopes_supported":                      []string{"openid", "profile", "email"},
		"code_challenge_methods_supported":      []string{"S256"},
		"token_endpoint_auth_methods_supported": []string{"none"},
		"claims_supported":                      []string{"sub", "name", "stockbridge_role", "stockbridge_tenants"},
	})
}

// fault is what is wrong with a request of the client; "" = nothing is.
func (i *Issuer) fault(q url.Values) string {
	switch {
	case q.Get("client_id") != i.config.ClientID:
		return "The client is not the one that is registered here."
	case q.Get("redirect_uri") != i.config.Redirect:
		return "The address to come back to is not the client's: it is " + i.config.Redirect +
			". Open the console there."
	case q.Get("response_type") != "code":
		return "The client asks for another flow than the one with a code."
	case !slices.Contains(strings.Fields(q.Get("scope")), "openid"):
		return "The client does not ask for OpenID Connect."
	case q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43:
		return "The client does not use PKCE with S256."
	case q.Get("state") == "" || q.Get("nonce") == "":
		return "The client sends no state, or no nonce."
	}
	return ""
}

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// pageStyle allows the page's own style, by its hash, and nothing else.
var pageStyle = func() string {
	_, rest, _ := strings.Cut(pageText, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}()

// show writes the page: people to pick from, or what is wrong.
func (i *Issuer) show(w http.ResponseWriter, status int, fault string, q url.Values) {
	type field struct{ Name, Value string }
	data := struct {
		Fault  string
		Fields []field
		People []Person
	}{Fault: fault}
	if fault == "" {
		for _, name := range requestFields {
			data.Fields = append(data.Fields, field{name, q.Get(name)})
		}
		i.mu.Lock()
		data.People = slices.Clone(i.people)
		i.mu.Unlock()
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src '"+pageStyle+"'; form-action 'self'; "+
		"frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	page.Execute(w, data)
}

// requestFields are the parameters of a request that the page hands on.
var requestFields = []string{"client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "code_challenge",
	"code_challenge_method"}

func (i *Issuer) ask(w http.ResponseWriter, r *http.Request) {
	if !local(r) {
		i.show(w, http.StatusForbidden, notHere, nil)
		return
	}
	q := r.URL.Query()
	fault, status := i.fault(q), http.StatusOK
	if fault != "" {
		status = http.StatusBadRequest
	}
	i.show(w, status, fault, q)
}

func (i *Issuer) pick(w http.ResponseWriter, r *http.Request) {
	if !local(r) {
		i.show(w, http.StatusForbidden, notHere, nil)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		i.show(w, http.StatusBadRequest, "The form cannot be read.", nil)
		return
	}
	q := r.PostForm
	if fault := i.fault(q); fault != "" {
		i.show(w, http.StatusBadRequest, fault, q)
		return
	}
	i.mu.Lock()
	at := slices.IndexFunc(i.people, func(p Person) bool { return p.subject == q.Get("person") })
	code := rand.Text()
	if at >= 0 {
		i.forget()
		i.codes[code] = grant{i.people[at], q.Get("nonce"), q.Get("code_challenge"), time.Now().Add(codeLife)}
	}
	i.mu.Unlock()
	if at < 0 {
		i.show(w, http.StatusBadRequest, "There is no such person. Go back and pick one.", q)
		return
	}
	back := url.Values{"code": {code}, "state": {q.Get("state")}}
	http.Redirect(w, r, i.config.Redirect+"?"+back.Encode(), http.StatusSeeOther)
}

// forget drops the codes that nobody may exchange any more.
func (i *Issuer) forget() {
	for code, g := range i.codes {
		if time.Now().After(g.until) {
			delete(i.codes, code)
		}
	}
}

// Subject is the id by which clients know a person.
func (p Person) Subject() string { return p.subject }

// What says what a person is, for the page.
func (p Person) What() string {
	switch n := len(p.Tenants); {
	case p.Role == "operator":
		return "operator, all tenants"
	case n == 1:
		return p.Role + ", 1 tenant"
	default:
		return fmt.Sprintf("%s, %d tenants", p.Role, n)
	}
}

func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	refuse := func(code string) {
		w.Header().Set("Cache-Control", "no-store")
		answer(w, http.StatusBadRequest, map[string]string{"error": code})
	}
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		refuse("invalid_request")
		return
	}
	_, _, basic := r.BasicAuth()
	i.mu.Lock()
	g, ok := i.codes[r.PostForm.Get("code")]
	delete(i.codes, r.PostForm.Get("code"))
	i.mu.Unlock()
	sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
	challenge := base64.RawURLEncoding.EncodeToString(sum[:])
	switch {
	case r.PostForm.Get("grant_type") != "authorization_code":
		refuse("unsupported_grant_type")
	case basic || r.PostForm.Get("client_id") != i.config.ClientID: // it has no secret to show
		refuse("invalid_client")
	case !ok || time.Now().After(g.until) || r.PostForm.Get("redirect_uri") != i.config.Redirect ||
		subtle.ConstantTimeCompare([]byte(challenge), []byte(g.challenge)) != 1:
		refuse("invalid_grant")
	default:
		i.issue(w, g)
	}
}

func (i *Issuer) issue(w http.ResponseWriter, g grant) {
	now := time.Now()
	id, err := jwt.Signed(i.signer).Claims(jwt.Claims{
		Issuer: i.config.URL, Subject: g.person.subject, Audience: jwt.Audience{i.config.ClientID},
		Expiry: jwt.NewNumericDate(now.Add(tokenLife)), IssuedAt: jwt.NewNumericDate(now),
	}).Claims(map[string]any{
		"nonce": g.nonce, "name": g.person.Name,
		"stockbridge_role": g.person.Role, "stockbridge_tenants": g.person.Tenants, "email": g.person.Email,
	}).Serialize()
	if err != nil {
		answer(w, http.StatusInternalServerError, map[string]string{"error": "server_error"})
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	answer(w, http.StatusOK, map[string]any{
		"access_token": rand.Text(), "token_type": "Bearer", "expires_in": int(tokenLife / time.Second), "id_token": id,
	})
}

// addPerson adds a person, for programs of this machine.
func (i *Issuer) addPerson(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, why string) { answer(w, status, map[string]string{"detail": why}) }
	if !local(r) {
		refuse(http.StatusForbidden, "People are added from this machine only.")
		return
	}
	var p Person
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		refuse(http.StatusBadRequest, `Send {"name","role":"operator|admin|viewer","tenants":[ids]}.`)
		return
	}
	if err := check(p); err != nil {
		refuse(http.StatusUnprocessableEntity, err.Error())
		return
	}
	answer(w, http.StatusCreated, map[string]string{"subject": i.Add(p)})
}

func check(p Person) error {
	switch {
	case strings.TrimSpace(p.Name) == "" || len(p.Name) > 100:
		return errors.New("name: give one of at most 100 characters")
	case !slices.Contains([]string{"operator", "admin", "viewer"}, p.Role):
		return errors.New("role: use one of operator, admin, viewer")
	}
	return nil
}

// notHere is what somebody elsewhere is told: whoever may open the page may be anybody on it.
const notHere = "People are picked here without a password, so this works on the machine that runs it alone. " +
	"Set OIDC_ISSUER and OIDC_CLIENT_ID to sign in from elsewhere."

// local reports whether a request comes from this machine, by an address of this machine.
func local(r *http.Request) bool { return here(r.RemoteAddr) && here(r.Host) }

// here reports whether an address, with or without its port, is this machine's own.
func here(address string) bool {
	host := address
	if h, _, err := net.SplitHostPort(address); err == nil {
		host = h
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}
