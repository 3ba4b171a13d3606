// Package joor is JOOR's API in Go, as far as it concerns a brand's retailers: a file per resource, and nothing of
// ours.
//
// A [Client] serves one account over the API v2, in JSON. What JOOR calls a connection is a brand's record of one of
// its retailers ([Connection]). The brand's name for it is the customer code, JOOR's is the connection id.
//
// Connections are made and changed in bulk: [Client.Upload] gives JOOR a list and is answered with a [BulkJob], which
// JOOR works on in the background ([Client.BulkJob] says how far it is). It is an upsert by customer code, so a list
// may be sent again. A retailer that is new to the account is not there when the job is finished: JOOR's own people
// look for it among all retailers first, which takes them days, and only then it is found by [Client.ByCode]. The job
// says nothing of single records. [Client.Update] changes one connection by its id, [Client.Delete] takes one away from
// the brand. [Client.Connections] reads all of them, [Choices] is what they name: JOOR has no call that lists the price
// types, sales representatives, payment methods and customer groups of an account.
//
// JOOR counts credits, see [Cost].
//
// # How sure this is
//
// The vendor's pages could be read in part. In the comments, [C] is documented, [L] was seen in another's client, and
// [I] is inferred. All that is inferred about what goes over the wire is in wire.go, to be changed there once a real
// answer was seen; what is inferred is never needed to read what is documented.
//
// A 200 whose response has another code than 0 is a refusal, with JOOR's comment as message and a [*Refusal] in the
// error. What the codes mean is not documented. An answer without a code is no answer: its outcome is Unknown.
//
// [V4] is the API v4, which has a credential of its own and no customers. Only price types are read from it.
//
// Reference: https://api-docs.jooraccess.com/v2.0/reference/introduction-4
package joor

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"stockbridge/internal/rest"
)

// BaseURL is the address of the API in production; v2 and v4 are below it. [C]
const BaseURL = "https://api.jooraccess.com"

// System is the vendor, as errors name it.
const System = "joor"

// What JOOR allows an account: 300 credits in each window of five minutes that begins with a call. [C for v4; whether
// v2 is counted too is not documented]
const (
	Credits = 300
	Window  = 5 * time.Minute
)

// Cost is how many credits a call costs: 1 to read, 5 to write. A bulk call is one write. [C]
func Cost(method string) int {
	if method == http.MethodGet {
		return 1
	}
	return 5
}

// routes are the calls of this client. Those by code and id end in a slash as documented [C]; the address of the list,
// its parameters and that of an update by id are [I].
var routes = rest.Routes{
	"POST /bulk-connection":                          {},
	"GET /bulk-connection/{job_id}":                  {},
	"GET /connection/":                               {"start_from", "count"},
	"GET /connection/customer_code/{customer_code}/": {},
	"GET /connection/{connection_id}/":               {},
	"PUT /connection/{connection_id}":                {},
	"DELETE /connection":                             {"customer_code"},
}

// Client holds the conversation with one account. Timeout may be set before the first call.
type Client struct {
	*rest.Client
	account *atomic.Pointer[string]
}

// AccountID is the id of the account that the token is of, as JOOR's last answer said; "" = none did. Answers that
// count credits have it in a header [C], perhaps not those of v2.
func (c *Client) AccountID() string {
	if id := c.account.Load(); id != nil {
		return *id
	}
	return ""
}

// New returns a client of the account that a token is of. base is BaseURL or the like, with or without /v2. A nil rt is
// the default transport; a nil limit is no limit.
func New(base string, rt http.RoundTripper, limit rest.Limiter, token string) *Client {
	c := newClient(base, "/v2", rt, limit)
	c.Routes = routes
	credential := "OAuth2 " + base64.StdEncoding.EncodeToString([]byte(token)) // [C]
	c.Sign = func(r *http.Request) { r.Header.Set("Authorization", credential) }
	c.Hide(token)
	account := new(atomic.Pointer[string])
	c.Read = func(status int, header http.Header, body []byte) *rest.Error {
		if id := strings.TrimSpace(header.Get("X-Throttling-Account-Id")); id != "" {
			account.Store(&id)
		}
		return readError(status, header, body)
	}
	return &Client{c, account}
}

// newClient returns a client of one version of the API, which nothing signs yet.
func newClient(base, version string, rt http.RoundTripper, limit rest.Limiter) *rest.Client {
	c := &rest.Client{Who: System, HTTP: rt, Limit: limit, Cost: Cost, Read: readError}
	base = strings.TrimRight(base, "/")
	base = strings.TrimSuffix(strings.TrimSuffix(base, "/v2"), "/v4")
	if u, err := url.Parse(base); err == nil && u.Host != "" {
		c.Base = u.JoinPath(version) // without one every call returns an error
	}
	return c
}
