package console

import (
	"cmp"
	"errors"
	"net/http"
	"time"

	"stockbridge/internal/tenant"
)

// tokenAnswer is a token without itself.
type tokenAnswer struct {
	ID      string      `json:"id"`
	Name    string      `json:"name"`
	Role    tenant.Role `json:"role"`
	Created *time.Time  `json:"created"` // null: before tokens were listed
	Expires *time.Time  `json:"expires"` // null: never
	Expired bool        `json:"expired"`
	By      *string     `json:"by"` // who made it
}

func tokenOf(t tenant.Token) tokenAnswer {
	return tokenAnswer{t.ID, t.Name, t.Role, when(t.Created), when(t.Expires), !t.Expires.IsZero() && !time.Now().Before(t.Expires), known(t.By)}
}

// tokenName is a token as events name it.
func tokenName(t tenant.Token) string {
	return "token " + cmp.Or(t.Name, "without a name") + " (" + t.ID + ")"
}

func (a *api) listTokens(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	after, limit, err := paging(r.URL.Query())
	if err != nil {
		return err
	}
	if after != "" && !tenant.IsTokensAfter(after) {
		return unknownAfter()
	}
	tokens, next, err := a.Tenants.Tokens(r.Context(), b.Tenant.ID, after, limit)
	if err != nil {
		return err
	}
	var items []tokenAnswer
	for _, t := range tokens {
		items = append(items, tokenOf(t))
	}
	return respond(w, r, http.StatusOK, page(items, next))
}

// createToken makes one more token, and an event that says who made it: a token's holder makes no other unseen.
func (a *api) createToken(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	var name, role string
	var expires *time.Time
	if err := decode(w, r, true, map[string]any{"name": &name, "role": &role, "expires": &expires}); err != nil {
		return err
	}
	c, err := a.caller(r)
	if err != nil {
		return err
	}
	wanted := tenant.Token{Name: name, Role: tenant.Role(role), By: c.name}
	if expires != nil {
		wanted.Expires = *expires
	}
	t, secret, err := a.Tenants.NewToken(r.Context(), b.Tenant.ID, wanted, func(t tenant.Token) (tenant.Ops, error) {
		text := "A token was made: " + tokenName(t) + ", " + string(t.Role)
		if !t.Expires.IsZero() {
			text += ", good until " + t.Expires.Format(time.RFC3339)
		}
		return events(r.Context(), b.Tenant.ID, "token", text+".")
	})
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusCreated, struct {
		tokenAnswer
		Token string `json:"token"` // shown this once; only its hash is kept
	}{tokenOf(t), string(secret)})
}

func (a *api) revokeToken(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	none := missing("There is no such token.")
	id := r.PathValue("id")
	if !fitsKey(id, 100) {
		return none
	}
	_, err := a.Tenants.Revoke(r.Context(), b.Tenant.ID, id, func(t tenant.Token) (tenant.Ops, error) {
		return events(r.Context(), b.Tenant.ID, "token", "A token was revoked: "+tokenName(t)+".")
	})
	if errors.Is(err, tenant.ErrNotFound) {
		return none
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
