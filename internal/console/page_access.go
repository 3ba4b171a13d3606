package console

import (
	"cmp"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/signin"
	"stockbridge/internal/tenant"
)

// accessPage shows who has signed in, and the tokens of the API.
type accessPage struct {
	People []personRow
	Tokens []tokenRow
	More   string // where not all tokens are listed
	Made   *madeToken
	New    *tokenForm // nil: the person may make none
	Export string     // address of the export; "" = the person may have none
}

type personRow struct {
	Name, Email, Role string
	Signed            moment
}

type tokenRow struct {
	ID, Name, Role, By string
	Made, Used         moment
	Never              bool // it was not used yet
	Ends               moment
	Ended              bool
	Revoke             string // address of the page that asks; "" = the person may not
}

// madeToken is a token as it is shown, this once.
type madeToken struct{ Name, Token string }

// tokenForm asks for what a token needs.
type tokenForm struct {
	Address, ID, Name string
	Roles, Lives      []option
	Fault             string // of the name
	Note              string // why none was made
}

// roleNames are roles as people know them.
var roleNames = map[signin.Role]string{
	signin.Operator: "Operator: all tenants", signin.Admin: "Admin: may change everything here",
	signin.Viewer: "Viewer: may look at everything here",
}

// tokenRoles are the roles of tokens, the one that is chosen first in front.
var tokenRoles = []option{
	{Value: string(tenant.Viewer), Label: "Viewer: it reads, and changes nothing"},
	{Value: string(tenant.Admin), Label: "Admin: it may change everything here"},
}

// tokenLives are the days that a token may be good for; 0 = for ever.
var tokenLives = []option{
	{Value: "90", Label: "90 days"}, {Value: "30", Label: "30 days"}, {Value: "365", Label: "A year"},
	{Value: "0", Label: "Until it is revoked"},
}

// tokensShown is how many tokens the page lists.
const tokensShown = 100

func accessPath(tenantID string) string { return tenantPath(tenantID) + "/settings/access" }

func (a *api) accessPage(w http.ResponseWriter, r *http.Request, v visit) error {
	return a.showAccess(w, r, v, http.StatusOK, nil, tokenForm{ID: tenant.NewTokenID()})
}

// showAccess shows the page with a token that was just made, if one was, and a form for another.
func (a *api) showAccess(
	w http.ResponseWriter, r *http.Request, v visit, status int, made *madeToken, form tokenForm,
) error {
	p := accessPage{Made: made}
	people, err := a.Desk.People(r.Context(), v.Tenant.ID)
	if err != nil {
		return err
	}
	for _, one := range people {
		if v.person.Role != signin.Operator {
			one = withoutOperator(one)
		}
		p.People = append(p.People, personRow{one.Name, one.Email, roleNames[one.Role], v.moment(one.Since)})
	}
	tokens, next, err := a.Tenants.Tokens(r.Context(), v.Tenant.ID, "", tokensShown)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		p.Tokens = append(p.Tokens, v.tokenRow(t))
	}
	if next != "" {
		p.More = "These are " + strconv.Itoa(tokensShown) + " of them. The JSON API lists all."
	}
	if v.person.Changes() {
		form.Address = accessPath(v.Tenant.ID) + "/tokens"
		form.Roles, form.Lives = chosen(tokenRoles, form.Roles), chosen(tokenLives, form.Lives)
		p.New, p.Export = &form, exportPath(v.Tenant.ID)
	}
	f := v.frame(r, "Access", p)
	f.Sections = v.settingsMenu(accessPath(v.Tenant.ID))
	return a.show(w, r, status, "access", f)
}

// withoutOperator is a person as a tenant's people know them. Who operates Stockbridge is none of theirs, and is not
// named.
func withoutOperator(p signin.Person) signin.Person {
	if p.Role == signin.Operator {
		p.Name, p.Email = "An operator", ""
	}
	return p
}

// chosen are options of which the one that was is chosen; was is empty, or has that one alone.
func chosen(list, was []option) []option {
	all := make([]option, len(list))
	for i, o := range list {
		all[i] = o
		all[i].Chosen = len(was) > 0 && was[0].Value == o.Value
	}
	return all
}

func (v visit) tokenRow(t tenant.Token) tokenRow {
	row := tokenRow{
		ID: t.ID, Name: cmp.Or(t.Name, "Without a name"), Role: "Viewer", By: t.By,
		Made: v.moment(t.Created), Used: v.moment(t.Used), Never: t.Used.IsZero(), Ends: v.moment(t.Expires),
		Ended: t.Ended(v.now),
	}
	if t.Role == tenant.Admin {
		row.Role = "Admin"
	}
	if v.person.Changes() {
		row.Revoke = accessPath(v.Tenant.ID) + "/tokens/" + t.ID + "/revoke"
	}
	return row
}

// makeTokenPage makes the token that was asked for, and shows it in its answer and never again.
func (a *api) makeTokenPage(w http.ResponseWriter, r *http.Request, v visit) error {
	form, err := formOf(w, r)
	if err != nil {
		return err
	}
	asked := tokenForm{
		ID: form.Get("id"), Name: strings.TrimSpace(form.Get("name")),
		Roles: []option{{Value: form.Get("role")}}, Lives: []option{{Value: form.Get("days")}},
	}
	days, err := strconv.Atoi(form.Get("days"))
	if err != nil || days < 0 || days > 3650 || !tenant.IsTokenID(asked.ID) {
		return notOurForm()
	}
	if asked.Name == "" {
		asked.Fault = "Give the token a name that says what uses it."
		return a.showAccess(w, r, v, http.StatusUnprocessableEntity, nil, asked)
	}
	wanted := tenant.Token{ID: asked.ID, Name: asked.Name, Role: tenant.Role(form.Get("role"))}
	if days > 0 {
		wanted.Expires = v.now.AddDate(0, 0, days).Truncate(time.Second)
	}
	t, secret, err := a.makeToken(r.Context(), v.Bundle, wanted)
	if errs, refused := errors.AsType[tenant.FieldErrors](err); refused {
		asked.Fault = errs.Error()
		return a.showAccess(w, r, v, http.StatusUnprocessableEntity, nil, asked)
	}
	if errors.Is(err, tenant.ErrMade) {
		return a.showAccess(w, r, v, http.StatusConflict, nil, tokenForm{ID: tenant.NewTokenID(),
			Note: "This form was sent before. It made one token, which was shown once. If you did not copy it, " +
				"revoke it and make another."})
	}
	if err != nil {
		return err
	}
	return a.showAccess(w, r, v, http.StatusOK, &madeToken{t.Name, string(secret)},
		tokenForm{ID: tenant.NewTokenID()})
}

// askRevoke asks whether a token is to be revoked.
func (a *api) askRevoke(w http.ResponseWriter, r *http.Request, v visit) error {
	id := r.PathValue("id")
	if !tenant.IsTokenID(id) {
		return notFound()
	}
	t, err := a.Tenants.TokenNamed(r.Context(), v.Tenant.ID, id)
	if err != nil {
		return err
	}
	name := cmp.Or(t.Name, "without a name")
	return a.ask(w, r, v, "Revoke the token "+name, confirmPage{
		Button: "Revoke this token", Back: accessPath(v.Tenant.ID), Keep: "Keep the token",
		Happens: []string{"Whatever sends this token is refused from that moment on.",
			"The token cannot be brought back. Another one can be made."},
		Stays: []string{"Everything that was done with it, and what Activity says of it.", "All other tokens."},
	})
}

func (a *api) revokePage(w http.ResponseWriter, r *http.Request, v visit) error {
	_, err := a.revoke(r.Context(), v.Tenant.ID, r.PathValue("id"))
	if err != nil && !errors.Is(err, tenant.ErrNotFound) { // pressed twice
		return err
	}
	http.Redirect(w, r, accessPath(v.Tenant.ID)+"?said=revoked", http.StatusSeeOther)
	return nil
}

// personAnswer is somebody who has signed in.
type personAnswer struct {
	Name   string      `json:"name"`
	Email  *string     `json:"email"`
	Role   signin.Role `json:"role"` // when signing in last
	Signed time.Time   `json:"signedIn"`
}

func (a *api) listPeople(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	people, err := a.Desk.People(r.Context(), b.Tenant.ID)
	if err != nil {
		return err
	}
	var items []personAnswer
	for _, p := range people {
		p = withoutOperator(p)
		items = append(items, personAnswer{p.Name, known(p.Email), p.Role, p.Since.UTC()})
	}
	return respond(w, r, http.StatusOK, page(items, ""))
}
