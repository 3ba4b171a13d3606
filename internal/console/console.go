// Package console is how people and their programs see and steer Stockbridge: the JSON API under /api/v1, whose
// description stands in openapi.yaml beside this file and is served at /api/openapi.yaml.
//
// # How a request is answered
//
// All of it is one list of routes (api.routes), and a request goes one way. api.ServeHTTP sets the headers of every
// answer, catches a panic, and answers what no route has (404, 405). api.serve finds out who calls (api.caller), loads
// the tenant's bundle, refuses query parameters that the route does not know, and calls the route's handler. A handler
// reads its body with decode (which refuses unknown fields, and what is too long or no JSON object), asks the pair or
// a store, and answers with respond. Whatever error it returns, api.fail turns it into problem details (RFC 9457).
//
// A route is of one of three kinds. open needs no token; known needs any; of lies below /api/v1/tenants/{tenant} and
// needs the operator's token or one of that tenant, of which a viewer's only reads.
//
// A file is a resource: its routes' handlers, and the structs of its answers. An answer is never a struct of the ledger
// or the pair as it stands: a field of theirs that is renamed or added changes nothing outside.
//
// # What it promises
//
//   - A tenant's token learns nothing of other tenants, not even that they exist: both answer the same 404.
//   - What is wrong with a request is said by field, all at once (tenant.FieldErrors).
//   - An error that is nobody's fault outside is logged and not shown. No answer holds a secret, but for a token when
//     it is made, and the webhook address that a tenant pastes into Upstock.
//   - Lists end in next, which is the after of the following page; an after that no page has given is refused.
//   - What a person changed is an event that names who did it, in the same write where that can be.
//
// Every answer that a test gets is held to openapi.yaml (house.do), and every route must stand there.
package console

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	_ "embed"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"stockbridge/internal/ledger"
	"stockbridge/internal/limit"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
)

// Deps are what the console stands on.
type Deps struct {
	Tenants *tenant.Store
	Ledger  *ledger.Ledger
	Pair    *upstockcin7.Pair
	Token   tenant.Secret // the operator's bearer token; "" = there is no operator
	Log     *slog.Logger
	Started time.Time // of the process, shown by health
	// Budget is what is left of the calls that a connection's account may make.
	Budget func(context.Context, tenant.Connection) (limit.State, error)
}

//go:embed openapi.yaml
var openapi []byte

// New returns the handler of everything the console answers.
func New(d Deps) http.Handler {
	a := &api{Deps: d, operator: sha256.Sum256([]byte(d.Token)), mux: http.NewServeMux()}
	for _, rt := range a.routes() {
		path := rt.path
		if path == "/" {
			path = "/{$}"
		}
		a.mux.HandleFunc(rt.method+" "+path, func(w http.ResponseWriter, r *http.Request) {
			if err := a.serve(rt, w, r); err != nil {
				a.fail(w, r, err)
			}
		})
	}
	return a
}

type api struct {
	Deps
	operator [sha256.Size]byte // hash of the operator's token
	mux      *http.ServeMux
}

// route is one line of the list: exactly one of its handlers is set.
type route struct {
	method, path string
	query        string // the query parameters that it knows, with a space between

	open  func(http.ResponseWriter, *http.Request) error                // needs no token
	known func(http.ResponseWriter, *http.Request, caller) error        // needs any token
	of    func(http.ResponseWriter, *http.Request, tenant.Bundle) error // needs the operator's token or the tenant's own
}

func (a *api) routes() []route {
	const t = "/api/v1/tenants/{tenant}"
	return []route{
		{method: "GET", path: "/", open: a.index},
		{method: "GET", path: "/healthz", open: a.alive},
		{method: "GET", path: "/api/openapi.yaml", open: a.description},

		{method: "GET", path: "/api/v1/tenants", query: "after limit", known: a.listTenants},
		{method: "POST", path: "/api/v1/tenants", known: a.createTenant},
		{method: "POST", path: "/api/v1/restored", known: a.restored},
		{method: "GET", path: t + "/tokens", query: "after limit", of: a.listTokens},
		{method: "POST", path: t + "/tokens", of: a.createToken},
		{method: "DELETE", path: t + "/tokens/{id}", of: a.revokeToken},
		{method: "GET", path: t + "/settings", of: a.getSettings},
		{method: "PUT", path: t + "/settings", of: a.putSettings},
		{method: "PATCH", path: t + "/settings", of: a.patchSettings},
		{method: "GET", path: t + "/options", of: a.options},
		{method: "GET", path: t + "/health", of: a.health},
		{method: "GET", path: t + "/events", query: "after limit", of: a.listEvents},
		{method: "POST", path: t + "/sync/{job}", of: a.sync},

		{method: "GET", path: t + "/completeness", query: "from to", of: a.getCompleteness},
		{method: "POST", path: t + "/completeness", of: a.startCompleteness},
		{method: "GET", path: t + "/completeness.csv", query: "from to", of: a.completenessCSV},

		{method: "GET", path: t + "/connections", of: a.listConnections},
		{method: "GET", path: t + "/connections/{system}", of: a.getConnection},
		{method: "PUT", path: t + "/connections/{system}", of: a.putConnection},
		{method: "DELETE", path: t + "/connections/{system}", of: a.deleteConnection},

		{method: "GET", path: t + "/orders", query: "state q after limit", of: a.listOrders},
		{method: "GET", path: t + "/orders/counts", of: a.countOrders},
		{method: "POST", path: t + "/orders/retry", of: a.retryAll},
		{method: "POST", path: t + "/orders/preview", of: a.preview},
		{method: "GET", path: t + "/orders/{id}", of: a.getOrder},
		{method: "POST", path: t + "/orders/{id}/retry", of: a.retry},

		{method: "GET", path: t + "/links/{kind}", query: "q after limit", of: a.listLinks},
		{method: "PUT", path: t + "/links/{kind}/{from}", of: a.putLink},
		{method: "DELETE", path: t + "/links/{kind}/{from}", of: a.deleteLink},

		{method: "POST", path: t + "/backfill/preview", of: a.previewBackfill},
		{method: "GET", path: t + "/backfill", of: a.getBackfill},
		{method: "POST", path: t + "/backfill", of: a.startBackfill},
		{method: "DELETE", path: t + "/backfill", of: a.stopBackfill},
	}
}

// ServeHTTP answers what the mux would answer in plain text as problems.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	defer func() {
		v := recover()
		if v == http.ErrAbortHandler {
			panic(v)
		}
		if v != nil {
			a.Log.ErrorContext(r.Context(), "panic", "method", r.Method, "route", r.Pattern, "panic", v, "stack", string(debug.Stack()))
			a.fail(w, r, &problem{Status: http.StatusInternalServerError, Detail: "Something went wrong on our side."})
		}
	}()
	if _, pattern := a.mux.Handler(r); pattern != "" {
		a.mux.ServeHTTP(w, r)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/api/v1") {
		if _, err := a.caller(r); err != nil {
			a.fail(w, r, err)
			return
		}
	}
	var allow []string
	for _, m := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
		if _, pattern := a.mux.Handler(&http.Request{Method: m, URL: r.URL, Host: r.Host}); pattern != "" {
			allow = append(allow, m)
		}
	}
	if allow == nil {
		a.fail(w, r, notFound())
		return
	}
	h.Set("Allow", strings.Join(allow, ", "))
	a.fail(w, r, &problem{Status: http.StatusMethodNotAllowed, Detail: "This address answers " + strings.Join(allow, ", ") + "."})
}

func (a *api) serve(rt route, w http.ResponseWriter, r *http.Request) error {
	if rt.open != nil {
		return rt.open(w, r)
	}
	c, err := a.caller(r)
	if err != nil {
		return err
	}
	r = r.WithContext(ledger.WithActor(r.Context(), c.name))
	if rt.known != nil {
		if err := rt.knows(r.URL.RawQuery); err != nil {
			return err
		}
		return rt.known(w, r, c)
	}
	id := r.PathValue("tenant")
	if !c.may(id) || !fitsKey(id, 100) {
		return missing("There is no such tenant, or this token is not one of its own.")
	}
	b, err := a.Tenants.Load(r.Context(), id)
	if errors.Is(err, tenant.ErrNotFound) {
		return missing("There is no such tenant, or this token is not one of its own.")
	}
	if err != nil {
		return err
	}
	if err := rt.knows(r.URL.RawQuery); err != nil {
		return err
	}
	if c.viewer && rt.method != http.MethodGet {
		return &problem{Status: http.StatusForbidden, Detail: "This token is a viewer's: it reads, and changes nothing."}
	}
	return rt.of(w, r, b)
}

// knows refuses query parameters that the route does not have, or that are
// given twice: a misspelt filter would quietly show everything.
func (rt route) knows(query string) error {
	q, err := url.ParseQuery(query)
	if err != nil {
		return &problem{Status: http.StatusBadRequest, Detail: "The query of the address cannot be read."}
	}
	known, hint := strings.Fields(rt.query), "This address takes no parameters."
	if len(known) > 0 {
		hint = "This address takes " + strings.Join(known, ", ") + "."
	}
	var errs tenant.FieldErrors
	for _, name := range slices.Sorted(maps.Keys(q)) {
		if !slices.Contains(known, name) {
			errs = append(errs, tenant.FieldError{Field: name, Message: "There is no such parameter. " + hint})
		} else if len(q[name]) > 1 {
			errs = append(errs, tenant.FieldError{Field: name, Message: "This parameter is given more than once."})
		}
	}
	if errs != nil {
		return badQuery(errs...)
	}
	return nil
}

// caller is who holds the request's token.
type caller struct {
	operator bool
	tenant   string // of a tenant's token
	viewer   bool   // reads only
	name     string // as events name it
}

func (c caller) may(tenantID string) bool {
	return c.operator || tenantID != "" && tenantID == c.tenant
}

func (a *api) caller(r *http.Request) (caller, error) {
	refused := &problem{Status: http.StatusUnauthorized, Detail: "Send a valid token: Authorization: Bearer …"}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return caller{}, refused
	}
	sum := sha256.Sum256([]byte(token))
	if subtle.ConstantTimeCompare(sum[:], a.operator[:]) == 1 && a.Token != "" {
		return caller{operator: true, name: "the operator"}, nil
	}
	id, t, err := a.Tenants.Bearer(r.Context(), token)
	if errors.Is(err, tenant.ErrNotFound) {
		return caller{}, refused
	}
	return caller{tenant: id, viewer: t.Role != tenant.Admin, name: tokenName(t)}, err
}

// fitsKey says whether a foreign text may be part of a key of the table: the
// table would refuse others with an error that is not the caller's fault.
func fitsKey(s string, max int) bool {
	return s != "" && len(s) <= max && utf8.ValidString(s) && !strings.ContainsRune(s, '#')
}

func (a *api) index(w http.ResponseWriter, r *http.Request) error {
	const page = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Stockbridge</title></head>\n" +
		"<body><h1>Stockbridge</h1><p>The JSON API is described in <a href=\"/api/openapi.yaml\">/api/openapi.yaml</a>.</p></body></html>\n"
	write(w, r, http.StatusOK, "text/html; charset=utf-8", []byte(page))
	return nil
}

func (a *api) description(w http.ResponseWriter, r *http.Request) error {
	write(w, r, http.StatusOK, "application/yaml", openapi)
	return nil
}

func (a *api) alive(w http.ResponseWriter, r *http.Request) error {
	return respond(w, r, http.StatusOK, map[string]string{"status": "ok"})
}

// vendors are the systems that can be connected so far.
var vendors = []tenant.System{tenant.Upstock, tenant.Cin7Core}

// system reads the path's system: one that there is, and that can be connected.
func system(r *http.Request) (tenant.System, error) {
	sys := tenant.System(r.PathValue("system"))
	switch {
	case slices.Contains(vendors, sys):
		return sys, nil
	case slices.Contains(tenant.Systems(), sys):
		return "", &problem{Status: http.StatusNotImplemented, Detail: "This system cannot be connected yet; upstock and cin7core can."}
	}
	return "", notFound()
}

// wake sends a tenant's due orders to be worked on, the oldest first, and says how many.
func (a *api) wake(ctx context.Context, tenantID string) (n int, err error) {
	return a.Pair.WakeDue(ctx, tenantID, 500)
}
