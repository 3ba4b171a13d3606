package console

import (
	"errors"
	"net/http"

	"stockbridge/internal/signin"
	"stockbridge/internal/tenant"
)

// frontPage says what this is. SignOutAt is where who has just signed out here may sign out of the issuer too, which a
// redirect of the form's answer cannot do: the pages' policy sends forms nowhere else.
type frontPage struct{ SignOutAt string }

// signedOut is the word of the front page's address right after signing out.
const signedOut = "out"

// tenantsPage lists the tenants that a person may see.
type tenantsPage struct{ Items []tenantLink }

type tenantLink struct{ Name, Address string }

// front is the front page: signed out, what this is; signed in, the one tenant there is, or all there are.
func (a *api) front(w http.ResponseWriter, r *http.Request) error {
	p, err := a.Desk.Person(r)
	if errors.Is(err, signin.ErrSignedOut) {
		page := frontPage{}
		if r.URL.Query().Get("said") == signedOut {
			page.SignOutAt = a.Desk.SignOutAt()
		}
		return a.show(w, r, http.StatusOK, "front",
			frame{Title: "Stockbridge", Heading: "Your orders and customers, in both systems", Page: page})
	}
	if err != nil {
		return err
	}
	if p.Role == signin.Operator {
		return a.operatorFront(w, r)
	}
	list, err := a.tenantsOf(r, p)
	if err != nil {
		return err
	}
	if len(list) == 1 {
		http.Redirect(w, r, list[0].Address, http.StatusSeeOther)
		return nil
	}
	return a.showTenants(w, r, p, list)
}

// operatorFront sends an operator to the one tenant there is, or to the page of all.
func (a *api) operatorFront(w http.ResponseWriter, r *http.Request) error {
	const two = 2 * tenant.Shards // of each shard
	ids, err := a.Tenants.Some(r.Context(), two)
	if err != nil {
		return err
	}
	to := operatorPath
	if len(ids) == 1 {
		to = tenantPath(ids[0])
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

func (a *api) tenantsPage(w http.ResponseWriter, r *http.Request, p signin.Person) error {
	if p.Role == signin.Operator {
		http.Redirect(w, r, operatorPath, http.StatusSeeOther)
		return nil
	}
	list, err := a.tenantsOf(r, p)
	if err != nil {
		return err
	}
	return a.showTenants(w, r, p, list)
}

func (a *api) showTenants(w http.ResponseWriter, r *http.Request, p signin.Person, list []tenantLink) error {
	return a.show(w, r, http.StatusOK, "tenants", frame{Title: "Tenants", Person: &p, Page: tenantsPage{Items: list}})
}

// tenantsOf lists the tenants that a person may see who is no operator.
func (a *api) tenantsOf(r *http.Request, p signin.Person) (list []tenantLink, err error) {
	for _, id := range p.Tenants {
		if !fitsKey(id, 100) {
			continue
		}
		b, err := a.Tenants.Load(r.Context(), id)
		if errors.Is(err, tenant.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, tenantLink{b.Tenant.Name, tenantPath(id)})
	}
	return list, nil
}

// signOutPath is where the button that signs out sends to.
const signOutPath = "/sign-out"

func (a *api) signOut(w http.ResponseWriter, r *http.Request) error {
	if err := a.Desk.End(w, r); err != nil {
		return err
	}
	to := "/"
	if a.Desk.SignOutAt() != "" {
		to = "/?said=" + signedOut
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}
