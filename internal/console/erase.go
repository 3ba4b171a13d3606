package console

import (
	"context"
	"errors"
	"net/http"
	"time"

	"stockbridge/internal/signin"
	"stockbridge/internal/tenant"
)

// eraseTime is how long one request erases. What is left then is erased by the next.
const eraseTime = 20 * time.Second

// eraseTenant erases a tenant whose name the caller gives: that it is meant. Once begun it is sent again, without a
// name, until nothing is left.
func (a *api) eraseTenant(w http.ResponseWriter, r *http.Request, c caller) error {
	if !c.operator {
		return &problem{Status: http.StatusForbidden, Detail: "Only the operator's token erases tenants."}
	}
	var name string
	if err := decode(w, r, true, map[string]any{"name": &name}); err != nil {
		return err
	}
	whole, err := a.erase(r.Context(), r.PathValue("tenant"), name)
	if errors.Is(err, tenant.ErrNotFound) {
		return missing("There is no such tenant.")
	}
	if err != nil {
		return err
	}
	status := http.StatusOK
	if !whole {
		status = http.StatusAccepted
	}
	return respond(w, r, status, map[string]bool{"erased": whole})
}

// errName is the error of erase where another name was given.
var errName = tenant.FieldErrors{{Field: "name", Message: "This is not the tenant's name. Nothing was erased."}}

// erase disconnects a tenant and erases it, and goes on with one that is half erased. whole is false where time was up
// before all was gone.
func (a *api) erase(ctx context.Context, id, name string) (whole bool, err error) {
	if !fitsKey(id, 100) {
		return false, tenant.ErrNotFound
	}
	limited, cancel := context.WithTimeout(ctx, eraseTime)
	defer cancel()
	b, err := a.Tenants.Load(limited, id)
	switch {
	case errors.Is(err, tenant.ErrNotFound): // or half erased
	case err != nil:
		return false, err
	case name != b.Tenant.Name:
		return false, errName
	default:
		for sys := range b.Connections {
			if err := a.Vendors.Disconnect(limited, id, sys); err != nil && !errors.Is(err, tenant.ErrNotFound) {
				return false, err
			}
		}
	}
	for _, part := range []func(context.Context, string) error{a.buried, a.JOOR.Erase, a.Pair.Erase, a.Alerts.Erase,
		a.Desk.Forget} {
		err := part(limited, id)
		if limited.Err() != nil && ctx.Err() == nil {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}

func (a *api) buried(ctx context.Context, id string) error {
	_, err := a.Tenants.Erase(ctx, id)
	return err
}

// askErase asks an operator whether a tenant is to be erased, or the rest of one that is half erased.
func (a *api) askErase(w http.ResponseWriter, r *http.Request, p signin.Person) error {
	id := r.PathValue("tenant")
	if p.Role != signin.Operator || !fitsKey(id, 100) {
		return notFound()
	}
	erased, err := a.Tenants.Erased(r.Context(), id)
	if err != nil {
		return err
	}
	if erased {
		return a.showRest(w, r, p)
	}
	b, err := a.Tenants.Load(r.Context(), id)
	if err != nil {
		return err
	}
	return a.showErase(w, r, p, http.StatusOK, b.Tenant.Name, "", "")
}

// showRest is the page that erases what is left of a tenant. Nobody can tell whether anything is, but by erasing it.
func (a *api) showRest(w http.ResponseWriter, r *http.Request, p signin.Person) error {
	return a.show(w, r, http.StatusOK, "confirm", frame{
		Title: "Erase the rest", Heading: "Nobody finds this tenant any more", Person: &p, Many: true,
		Said: notice(r.URL.Query()),
		Page: confirmPage{
			Address: r.URL.Path, Button: "Erase the rest", Back: operatorPath, Keep: "Later",
			Happens: []string{"Whatever is left of the tenant is erased. Of a large one that takes several presses."},
		},
	})
}

// showErase is the page that asks. typed and fault are of a name that was another.
func (a *api) showErase(
	w http.ResponseWriter, r *http.Request, p signin.Person, status int, name, typed, fault string,
) error {
	return a.show(w, r, status, "confirm", frame{
		Title: "Erase a tenant", Heading: "Erase " + name, Person: &p, Many: true,
		Page: confirmPage{
			Address: r.URL.Path, Button: "Erase this tenant", Back: operatorPath, Keep: "Keep the tenant",
			Happens: []string{
				"Every system is disconnected: the keys go, and our webhooks in Cin7 Core.",
				"Its orders, links, settings, events, tokens and the copy of Cin7 Core's records are erased, for good.",
				"Webhooks and requests that still come for it are answered as for an unknown tenant.",
			},
			Stays: []string{"Sales in Cin7 Core and orders in Upstock, as they are.", "All other tenants."},
			Ask:   "To erase it, type its name: " + name, Typed: typed, Fault: fault,
		},
	})
}

// erasePage erases a tenant, or as much of it as there is time for.
func (a *api) erasePage(w http.ResponseWriter, r *http.Request, p signin.Person) error {
	if p.Role != signin.Operator {
		return notFound()
	}
	form, err := formOf(w, r)
	if err != nil {
		return err
	}
	id, typed := r.PathValue("tenant"), form.Get("name")
	whole, err := a.erase(r.Context(), id, typed)
	if faults, wrong := errors.AsType[tenant.FieldErrors](err); wrong {
		b, err := a.Tenants.Load(r.Context(), id)
		if err != nil {
			return err
		}
		return a.showErase(w, r, p, http.StatusUnprocessableEntity, b.Tenant.Name, typed, faults[0].Message)
	}
	if err != nil {
		return err
	}
	next := operatorPath + "?said=erased"
	if !whole {
		next = r.URL.Path + "?said=rest"
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}
