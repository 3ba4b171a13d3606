package console

import (
	"context"
	"errors"
	"net/http"

	"stockbridge/internal/alert"
	"stockbridge/internal/tenant"
)

// addressPage asks who got an e-mail whether to get alerts. It is for who has the link, signed in or not.
type addressPage struct {
	Tenant, Email string
	Address       string // where the button sends; "" = it was pressed
}

// usedUp is said of a link that counts no more, whatever it was.
func usedUp() error {
	return &problem{Status: http.StatusGone, Detail: "This link counts no more: it was used, the address was " +
		"taken out, or three days have passed. Whoever set up alerts can have another sent in Settings › Alerts."}
}

// linked is the tenant of the address of a link, whose name the page shows.
func (a *api) linked(r *http.Request) (t tenant.Tenant, err error) {
	id := r.PathValue("tenant")
	if !fitsKey(id, 100) || !fitsKey(r.PathValue("token"), 100) {
		return t, usedUp()
	}
	b, err := a.Tenants.Load(r.Context(), id)
	if errors.Is(err, tenant.ErrNotFound) {
		return t, usedUp()
	}
	return b.Tenant, err
}

func (a *api) addressPage(w http.ResponseWriter, r *http.Request) error {
	return a.showAddress(w, r, "Do you want to get alerts?", r.URL.Path, a.Alerts.Asked)
}

// confirmAddressPage has an address told what is wrong from now on: a page that mail programs fetch ahead does nothing.
func (a *api) confirmAddressPage(w http.ResponseWriter, r *http.Request) error {
	return a.showAddress(w, r, "You get alerts from now on", "", func(
		ctx context.Context, tenantID, token string,
	) (string, error) {
		email, err := a.Alerts.Confirm(ctx, tenantID, token)
		if err == nil {
			a.lookSoon(ctx, tenantID)
		}
		return email, err
	})
}

func (a *api) showAddress(
	w http.ResponseWriter, r *http.Request, title, to string,
	find func(ctx context.Context, tenantID, token string) (email string, err error),
) error {
	of, err := a.linked(r)
	if err != nil {
		return err
	}
	email, err := find(r.Context(), of.ID, r.PathValue("token"))
	if errors.Is(err, alert.ErrNoLink) || errors.Is(err, tenant.ErrNotFound) {
		return usedUp()
	}
	if err != nil {
		return err
	}
	return a.show(w, r, http.StatusOK, "address", frame{Title: title, Page: addressPage{of.Name, email, to}})
}
