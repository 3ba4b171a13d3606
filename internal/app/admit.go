package app

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"

	"stockbridge/internal/tenant"
)

// Admits reports whether a request names a token that there is: the bearer token of the API, or the end of a webhook's
// address. It reads nothing of the body, so that who has no token has none read. Where the table does not answer it says yes:
// the handler asks again.
func (a *App) Admits(r *http.Request) bool {
	if rest, ok := strings.CutPrefix(r.URL.Path, "/webhooks/"); ok {
		_, token, _ := strings.Cut(rest, "/")
		_, _, err := a.Tenants.Hook(r.Context(), token)
		return !errors.Is(err, tenant.ErrNotFound)
	}
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); token == "" {
		return false
	}
	if a.deps.Token != "" && subtle.ConstantTimeCompare([]byte(token), []byte(a.deps.Token)) == 1 {
		return true
	}
	_, err := a.Tenants.TokenTenant(r.Context(), token)
	return !errors.Is(err, tenant.ErrNotFound)
}
