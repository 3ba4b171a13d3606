package cin7omni

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/sim"
)

// Control adds Cin7 Omni's part of the control API. It makes none of the API's checks.
//
//	PUT  /sim/cin7omni/accounts/{username}   {"username","key","revoked","limits":{"second","minute","day"},
//	                                         "permissions":{"contacts":["create","read","update"],"users":["read"],
//	                                         "productOptions":["read"]},"users":[…],"priceColumns":[names beside the
//	                                         standard ones]}; what is not sent stays, what is sent of a resource's
//	                                         permissions is all of them
//	GET  /sim/cin7omni/contacts?account=     all, oldest first
//	POST /sim/cin7omni/contacts?account=     makes one of a partial document, or several of an array: active customers
//	                                         unless they say otherwise; createdDate and modifiedDate are taken
//	PUT  /sim/cin7omni/contacts/{id}         merges; null and "" clear; modifiedDate is now unless it is sent
//	DELETE /sim/cin7omni/contacts/{id}       it is gone
func (v *Vendor) Control(site *sim.Site) {
	site.JSON("PUT /sim/cin7omni/accounts/{username}", v.putAccount)
	site.JSON("GET /sim/cin7omni/contacts", v.inAccount(func(a *account, _ []byte) (any, error) {
		return sim.Items(a.all()), nil
	}))
	site.JSON("POST /sim/cin7omni/contacts", v.inAccount((*account).makeContacts))
	site.JSON("PUT /sim/cin7omni/contacts/{id}", v.ofContact(func(a *account, r *record, body []byte) (any, error) {
		return &r.Contact, a.change(r, body, time.Now())
	}))
	site.JSON("DELETE /sim/cin7omni/contacts/{id}", v.ofContact(func(a *account, r *record, _ []byte) (any, error) {
		a.erase(r)
		return &r.Contact, nil
	}))
	site.Page(&sim.Page{Vendor: sim.Cin7Omni, Title: "Cin7 Omni", Link: "Contacts at Cin7 Omni",
		Call: "GET /v1/Contacts",
		Ready: []sim.ReadyFault{
			{Label: "Lose the answer to the next list of contacts",
				Fault: sim.Fault{Match: "GET /v1/Contacts", Kind: "before", How: "502"}},
			{Label: "Answer the next 5 calls with 503",
				Fault: sim.Fault{Match: "*", Kind: "before", How: "503", Times: 5}},
			{Label: "Be down until cleared", Fault: sim.Fault{Match: "*", Kind: "before", How: "refused", Times: -1}},
			{Label: "Answer the next call with a page of HTML", Fault: sim.Fault{Match: "*", Kind: "html"}},
			{Label: "Throttle the next call", Fault: sim.Fault{Match: "*", Kind: "throttle"}},
		},
		Template: pageTemplate, Show: v.page, Press: v.press})
}

// inAccount serves a call about the books of ?account=.
func (v *Vendor) inAccount(serve func(a *account, body []byte) (any, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		return v.sim.Locked(r, func(body []byte) (any, error) {
			a := v.of(r.FormValue("account"))
			if a == nil {
				return nil, sim.NotFound("Account")
			}
			return serve(a, body)
		})
	}
}

// ofContact serves a call about a contact. No two accounts have the same ids.
func (v *Vendor) ofContact(
	serve func(a *account, r *record, body []byte) (any, error),
) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		return v.sim.Locked(r, func(body []byte) (any, error) {
			id, _ := strconv.Atoi(r.PathValue("id"))
			for _, a := range v.accounts {
				if found := a.byID[id]; found != nil {
					return serve(a, found, body)
				}
			}
			return nil, sim.NotFound("Contact")
		})
	}
}

// putAccount changes an account; what is not sent stays.
func (v *Vendor) putAccount(r *http.Request) (any, error) {
	return v.sim.Locked(r, func(body []byte) (any, error) {
		a := v.of(r.PathValue("username"))
		if a == nil {
			return nil, sim.NotFound("Account")
		}
		in := struct {
			Username, Key string
			Revoked       *bool
			Permissions   permissions
			Limits        limits
			Users         []user
			PriceColumns  []string
		}{Limits: a.Limits}
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, err
		}
		keys := &a.seat.Account.Cin7Omni
		if in.Username != "" {
			keys.Username = in.Username
		}
		if in.Key != "" {
			keys.Key = in.Key
		}
		if in.Revoked != nil {
			a.Revoked = *in.Revoked
		}
		for resource, may := range in.Permissions {
			a.Permissions[strings.ToLower(resource)] = may
		}
		if a.Limits = in.Limits; in.Users != nil {
			a.Users = in.Users
		}
		if in.PriceColumns != nil {
			a.nameColumns(in.PriceColumns)
		}
		a.seat.Changed()
		return *a.seat.Account, nil
	})
}

func (a *account) all() []*contact {
	out := make([]*contact, len(a.Contacts))
	for i, r := range a.Contacts {
		out[i] = &r.Contact
	}
	return out
}

// makeContacts makes the contacts of a body.
func (a *account) makeContacts(body []byte) (any, error) {
	docs, err := sim.Documents(body)
	if err != nil {
		return nil, err
	}
	made := make([]*contact, len(docs))
	for i, doc := range docs {
		r := &record{}
		r.Contact.Type, r.Contact.IsActive = "Customer", true
		if err := a.merge(&r.Contact, withoutNull(doc)); err != nil {
			return nil, err
		}
		a.make(r, time.Now())
		made[i] = &r.Contact
	}
	return sim.Items(made), nil
}

// change merges a document into a contact, and dates it unless the document does.
func (a *account) change(r *record, doc []byte, now time.Time) error {
	to := r.Contact
	to.text = nil
	if err := a.merge(&to, withoutNull(doc)); err != nil {
		return errors.New("the contact cannot be read")
	}
	to.ID = r.Contact.ID
	dated := to.ModifiedDate != r.Contact.ModifiedDate
	a.replace(r, to)
	if !dated {
		r.Contact.ModifiedDate = stampOf(now)
	}
	a.changed(r)
	return nil
}

// withoutNull has "" for each null of a document, so that it clears.
func withoutNull(doc json.RawMessage) json.RawMessage {
	var fields map[string]json.RawMessage
	if json.Unmarshal(doc, &fields) != nil {
		return doc
	}
	for name, value := range fields {
		if string(value) == "null" && !slices.Contains([]string{"customfields", "secondarycontacts",
			"accountingintegrationid"}, strings.ToLower(name)) {
			fields[name] = json.RawMessage(`""`)
		}
	}
	out, err := json.Marshal(fields)
	if err != nil {
		return doc
	}
	return out
}
