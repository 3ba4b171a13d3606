package console

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"stockbridge/internal/ledger"
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
	By      *string     `json:"by"`       // who made it
	Used    *time.Time  `json:"lastUsed"` // to a few minutes; null: not yet
}

func tokenOf(t tenant.Token) tokenAnswer {
	return tokenAnswer{t.ID, t.Name, t.Role, when(t.Created), when(t.Expires),
		t.Ended(time.Now()), known(t.By), when(t.Used)}
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
	if after != "" && !tenant.IsTokenID(after) {
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

func (a *api) createToken(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	name, role := "", string(tenant.Admin)
	var expires *time.Time
	if err := decode(w, r, true, map[string]any{"name": &name, "role": &role, "expires": &expires},
		func() (errs tenant.FieldErrors) {
			if role == "" { // to the store that would be an admin's
				errs = append(errs, tenant.FieldError{Field: "role", Message: "Use one of: admin, viewer."})
			}
			return errs
		}); err != nil {
		return err
	}
	wanted := tenant.Token{Name: name, Role: tenant.Role(role)}
	if expires != nil {
		wanted.Expires = *expires
	}
	t, secret, err := a.makeToken(r.Context(), b, wanted)
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusCreated, struct {
		tokenAnswer
		Token string `json:"token"` // shown this once; only its hash is kept
	}{tokenOf(t), string(secret)})
}

// makeToken makes one more token, and an event that says who made it: a token's holder makes no other unseen.
func (a *api) makeToken(
	ctx context.Context, b tenant.Bundle, wanted tenant.Token,
) (tenant.Token, tenant.Secret, error) {
	wanted.By = ledger.ActorOf(ctx)
	return a.Tenants.NewToken(ctx, b.Tenant.ID, wanted, func(t tenant.Token) (tenant.Ops, error) {
		text := "A token was made: " + tokenName(t) + ", " + string(t.Role)
		if !t.Expires.IsZero() {
			zone := zoneOf(b)
			text += ", good until " + t.Expires.In(zone).Format("2 January 2006 15:04") + " (" + zone.String() + ")"
		}
		return events(ctx, b.Tenant.ID, "token", text+".")
	})
}

// revoke ends a token of a tenant at once, and says so in an event; ErrNotFound where there is none of that id.
func (a *api) revoke(ctx context.Context, tenantID, id string) (tenant.Token, error) {
	if !tenant.IsTokenID(id) {
		return tenant.Token{}, tenant.ErrNotFound
	}
	return a.Tenants.Revoke(ctx, tenantID, id, func(t tenant.Token) (tenant.Ops, error) {
		return events(ctx, tenantID, "token", "A token was revoked: "+tokenName(t)+".")
	})
}

func (a *api) revokeToken(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	_, err := a.revoke(r.Context(), b.Tenant.ID, r.PathValue("id"))
	if errors.Is(err, tenant.ErrNotFound) {
		return missing("There is no such token.")
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
