// Package cin7omni simulates what the product calls of Cin7 Omni: the contacts of an account, its users, and the
// product options that show the names of its price columns.
//
// A [Vendor] is given to sim.New. Every account has the contacts of a small fashion brand (stock.go), some of which are
// as awkward as people make them. [Vendor.Serve] serves a call: route, credentials, limits, permission, then a method
// of call, which returns a value for JSON, or an error in the vendor's words. Lists are filtered by the language of
// where.go and paged in list.go. write.go has the batches, of which each contact succeeds or fails alone. wire.go has
// the peculiarities of the vendor's JSON: null keeps and "" clears.
//
// What people do at Cin7 Omni's own pages is the control API (control.go) and the account's page (page.go): neither
// makes the checks of the API, so that a test can make contacts that are wrong.
//
// Where the documentation is silent, the comment says "decided". The tests compare the answers with the vendor's
// samples, field by field.
package cin7omni

import (
	"encoding/json"
	"errors"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/sim"
)

// Vendor is Cin7 Omni in one Sim.
type Vendor struct {
	sim      *sim.Sim
	accounts []*account
}

// New makes the vendor, to be given to sim.New.
func New() *Vendor { return &Vendor{} }

// Name implements sim.Vendor, as do the next methods.
func (v *Vendor) Name() string { return sim.Cin7Omni }

func (v *Vendor) Join(s *sim.Sim) { v.sim = s }

func (v *Vendor) Open(p *sim.Seat) sim.Books {
	a := &account{seat: p, number: len(v.accounts) + 1, Limits: limits{3, 60, 5000}, Permissions: everything()}
	a.ready()
	v.accounts = append(v.accounts, a)
	return a
}

// Caller is the username that a call comes with. Whether case matters in it is not documented: decided that it does.
func (v *Vendor) Caller(r *http.Request) string {
	user, _, _ := r.BasicAuth()
	return user
}

// Throttled is the documented answer; how 503 is that of maintenance.
func (v *Vendor) Throttled(how string) *sim.Response {
	if how == "503" {
		return refusal{503, "Service temporarily unavailable. Please try again later."}.answer()
	}
	return refusal{429, "Rate limit exceeded. Retry after some time."}.answer()
}

// account is an account's books.
type account struct {
	seat    *sim.Seat
	number  int
	byID    map[int]*record
	byEmail *sim.Index[*record]
	version int  // changes with every write
	listed  list // the last list that was asked for

	Revoked     bool        `json:"revoked"`
	Permissions permissions `json:"permissions"`
	Limits      limits      `json:"limits"`
	LastID      int         `json:"lastId"`
	Users       []user      `json:"users"`
	Options     []option    `json:"options"`
	Contacts    []*record   `json:"-"` // in the order of their ids
}

// limits are how many calls are allowed in each window.
type limits struct {
	Second int `json:"second"`
	Minute int `json:"minute"`
	Day    int `json:"day"`
}

// permissions are what the key may do, by resource in lower case: create, read, update. Removing is among update
// (decided), as the vendor's page has no switch of its own for it.
type permissions map[string][]string

func everything() permissions {
	all := []string{"create", "read", "update"}
	return permissions{"contacts": all, "users": all, "productoptions": all}
}

func (a *account) ready() {
	a.byID, a.byEmail = map[int]*record{}, sim.NewIndex[*record](nil, nil)
}

// Rows implements sim.Books, as do the next methods, with the contacts as rows.
func (a *account) Rows() iter.Seq[any] {
	return func(yield func(any) bool) {
		for _, r := range a.Contacts {
			if !yield(r) {
				return
			}
		}
	}
}

func (a *account) ReadRow(_ string, row json.RawMessage, _ bool) error {
	return sim.ReadInto(row, func(r *record) {
		if old := a.byID[r.Contact.ID]; old != nil {
			a.remove(old)
		}
		if !r.Gone {
			a.add(r)
		}
	})
}

func (a *account) Loaded() {}

// of returns the books of an account by its username; nil = there is no such account.
func (v *Vendor) of(username string) *account {
	for _, a := range v.accounts {
		if a.seat.Account.Cin7Omni.Username == username {
			return a
		}
	}
	return nil
}

// refusal is an error as the vendor writes it: a sentence as JSON.
type refusal struct {
	status int
	text   string
}

func (e refusal) Error() string { return e.text }

func (e refusal) answer() *sim.Response { return sim.JSON(e.status, e.text) }

func refuse(text string) error { return refusal{http.StatusBadRequest, text} }

// The documented sentences.
var (
	errRows      = refuse("The rows argument cannot be greater than 250.")
	errPage      = refuse("The page number is out of range; the value must be greater than or equal to 1.")
	errBatch     = refuse("Batch limit is 250.")
	errMalformed = refuse("Missing or malformed JSON data; please see the documentation for examples.")
	errNotFound  = refusal{http.StatusNotFound, "Resource not found"}
)

// call is one call while it is served; the Sim's lock is held.
type call struct {
	*sim.Request
	sim *sim.Sim
	*account
}

// route is what serves a method of a path, and what the key must be allowed for it.
type route struct {
	serve          func() (any, error)
	resource, what string
}

// Serve routes, authenticates and counts a call.
func (v *Vendor) Serve(r *sim.Request) *sim.Response {
	c := &call{Request: r, sim: v.sim, account: v.of(r.Account)}
	verbs := c.route()
	if verbs == nil {
		return errNotFound.answer()
	}
	_, key, _ := basicAuth(r.Header)
	if c.account == nil || c.Revoked || key != c.seat.Account.Cin7Omni.Key {
		return refusal{http.StatusUnauthorized, "Unauthorized access"}.answer()
	}
	if v.sim.GrantAll(r, sim.Rate{Calls: c.Limits.Second, Window: time.Second},
		sim.Rate{Calls: c.Limits.Minute, Window: time.Minute},
		sim.Rate{Calls: c.Limits.Day, Window: 24 * time.Hour}) > 0 {
		return v.Throttled("")
	}
	do, ok := verbs[r.Method]
	if !ok {
		resp := sim.JSON(http.StatusMethodNotAllowed, map[string]string{
			"Message": "The requested resource does not support http method '" + r.Method + "'."})
		resp.Header.Set("Allow", strings.Join(slices.Sorted(maps.Keys(verbs)), ", "))
		return resp
	}
	if !c.may(do.resource, do.what) {
		return refusal{http.StatusForbidden, "Access is forbidden"}.answer()
	}
	answer, err := do.serve()
	if e, ok := errors.AsType[refusal](err); ok {
		return e.answer()
	}
	if err != nil {
		return refusal{500, "An unexpected error occurred. Please try again later."}.answer()
	}
	return sim.JSON(http.StatusOK, answer)
}

// basicAuth reads the credentials of a call.
func basicAuth(h http.Header) (user, key string, ok bool) {
	return (&http.Request{Header: h}).BasicAuth()
}

// route returns what serves a path, by method; nil = there is no such path. A slash at the end is accepted.
func (c *call) route() map[string]route {
	const get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	path := strings.TrimSuffix(strings.ToLower(c.Path), "/")
	switch path {
	case "/v1/contacts":
		return map[string]route{
			get:  {c.listContacts, "contacts", "read"},
			post: {c.createContacts, "contacts", "create"},
			put:  {c.updateContacts, "contacts", "update"},
		}
	case "/v1/users":
		return map[string]route{get: {c.listUsers, "users", "read"}}
	case "/v1/productoptions":
		return map[string]route{get: {c.listOptions, "productoptions", "read"}}
	}
	if rest, ok := strings.CutPrefix(path, "/v1/contacts/"); ok {
		id, err := strconv.Atoi(rest)
		if err != nil {
			return nil
		}
		return map[string]route{
			get: {func() (any, error) { return c.getContact(id) }, "contacts", "read"},
			del: {func() (any, error) { return c.deleteContact(id) }, "contacts", "update"},
		}
	}
	return nil
}
