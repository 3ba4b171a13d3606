package app

import (
	"errors"
	"net/http"
	"strings"

	"stockbridge/internal/signin"
	"stockbridge/internal/tenant"
)

// Admits reports whether a request names a token that there is: the bearer token of the API, the end of a webhook's
// address, or the session of somebody who has signed in. It reads nothing of the body, so that no body is read of
// whoever has no token. Where the table does not answer it says yes: the handler asks again.
func (a *App) Admits(r *http.Request) bool {
	if rest, ok := strings.CutPrefix(r.URL.Path, "/webhooks/"); ok {
		_, token, _ := strings.Cut(rest, "/")
		_, _, err := a.Tenants.URLTokenOwner(r.Context(), token)
		return !errors.Is(err, tenant.ErrNotFound)
	}
	if !strings.HasPrefix(r.URL.Path, "/api/") {
		_, err := a.desk().Person(r)
		return !errors.Is(err, signin.ErrSignedOut)
	}
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); token == "" {
		return false
	}
	if a.deps.Operators.Know(token) {
		return true
	}
	_, err := a.Tenants.TokenTenant(r.Context(), token)
	return !errors.Is(err, tenant.ErrNotFound)
}
