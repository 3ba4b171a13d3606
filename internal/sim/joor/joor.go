// Package joor simulates what JOOR's API has of a brand's retailers: connections, the bulk jobs that make and change
// them, and JOOR's own people, who look at new ones for days.
//
// A [Vendor] is given to sim.New. Every account is a brand with some retailers (stock.go), which are partly those of
// the account's other books, as people write them. [Vendor.Serve] serves a call: content type, token, credits, route,
// then a method of call, which returns a value for JSON, or a refusal. Reading and changing one connection is in
// connection.go, the bulk jobs in bulk.go. Time passes there without timers: before each call what was due is done
// (settle), so that a job that is asked for after a day is finished, and what was in review is decided.
//
// What people do at JOOR is the control API (control.go) and the account's page (page.go): they decide what is in
// review, rename price labels, and change and remove connections.
//
// JOOR's documents say little. What they say is held to the samples by the tests; the rest stands in wire.go and
// check.go, and where a comment says "decided", it is ours. An answer that is a refusal is a 200 with a code. XML is
// not simulated.
package joor

import (
	"encoding/base64"
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

// Vendor is JOOR in one Sim.
type Vendor struct {
	sim    *sim.Sim
	brands []*brand
}

// New makes the vendor, to be given to sim.New.
func New() *Vendor { return &Vendor{} }

// Name implements sim.Vendor, as do the next methods.
func (v *Vendor) Name() string { return sim.JOOR }

func (v *Vendor) Join(s *sim.Sim) { v.sim = s }

func (v *Vendor) Open(p *sim.Seat) sim.Books {
	b := &brand{sim: v.sim, seat: p, number: len(v.brands) + 1}
	b.ready()
	v.brands = append(v.brands, b)
	return b
}

// Path implements sim.Pather: calls of v2 are named as below /v2, without a slash at the end.
func (v *Vendor) Path(below string) string {
	if rest, ok := strings.CutPrefix(below, "/v2"); ok && (rest == "" || rest[0] == '/') {
		below = rest
	}
	return strings.TrimSuffix(below, "/")
}

func (v *Vendor) Caller(r *http.Request) string {
	if b := v.caller(r.Header, time.Now()); b != nil {
		return b.seat.Account.JOOR.Account
	}
	return ""
}

// caller returns the brand that a call is signed for; nil = nobody's. A static token is sent in base64.
func (v *Vendor) caller(h http.Header, now time.Time) *brand {
	scheme, credential, _ := strings.Cut(h.Get("Authorization"), " ")
	for _, b := range v.brands {
		switch {
		case scheme == "OAuth2":
			token, err := base64.StdEncoding.DecodeString(credential)
			if err == nil && credential != "" && string(token) == b.seat.Account.JOOR.Token {
				return b
			}
		case scheme == "Bearer" && now.Before(b.Bearers[credential]):
			return b
		}
	}
	return nil
}

// Throttled is a 429; how 200 = a 200 with a code (decided).
func (v *Vendor) Throttled(how string) *sim.Response {
	status := http.StatusTooManyRequests
	if how == "200" {
		status = http.StatusOK
	}
	return sim.JSON(status, map[string]any{"response": response{Code: codeThrottled,
		Comment: "Too many requests", LogID: noLog}})
}

// Refused implements sim.Refuser.
func (v *Vendor) Refused(r *sim.Request) *sim.Response {
	return sim.JSON(http.StatusOK, map[string]any{nodeOf(r.Path): map[string]any{"response": response{Code: codeInvalid,
		Comment: "The request could not be processed", LogID: noLog}}})
}

// brand returns the books of an account; nil = there is no such account.
func (v *Vendor) brand(account string) *brand {
	for _, b := range v.brands {
		if b.seat.Account.JOOR.Account == account {
			return b
		}
	}
	return nil
}

// brand is an account's books.
type brand struct {
	sim    *sim.Sim
	seat   *sim.Seat
	number int

	Revoked bool `json:"revoked"`
	Stalled bool `json:"stalled"` // bulk jobs do not go on
	// ReviewSeconds is how long a new one is in review; nil = days, by the size of its job.
	ReviewSeconds *float64             `json:"reviewSeconds"`
	LastID        int                  `json:"lastId"`
	LastJob       int                  `json:"lastJob"`
	Bearers       map[string]time.Time `json:"bearers"` // of v4, and until when they are good
	setup

	all   []*connection // that are not gone, in the order in which they came
	codes *sim.Index[*connection]
	ids   map[int]*connection // by JOOR's id
	keys  map[int]*connection // by that of the row
	jobs  []*job              // in the order of their ids
}

// setup is what is set up in the account, and may be named by connections.
type setup struct {
	PriceLabels     []label  `json:"priceLabels"`
	SalesReps       []rep    `json:"salesReps"`
	CustomerGroups  []choice `json:"customerGroups"`
	PaymentMethods  []choice `json:"paymentMethods"`
	ShippingMethods []choice `json:"shippingMethods"`
	Warehouses      []choice `json:"warehouses"`
	Companies       []choice `json:"companies"`
}

func (b *brand) ready() {
	b.codes, b.ids, b.keys = sim.NewIndex[*connection](nil, nil), map[int]*connection{}, map[int]*connection{}
}

// idsOfAccount is how many ids an account has for its own: no two accounts have the same ones.
const idsOfAccount = 1_000_000

// Rows implements sim.Books, as do the next methods, with the connections and the bulk jobs as rows.
func (b *brand) Rows() iter.Seq[any] {
	return func(yield func(any) bool) {
		for _, x := range b.all {
			if !yield(x) {
				return
			}
		}
		for _, j := range b.jobs {
			if !yield(j) {
				return
			}
		}
	}
}

func (b *brand) ReadRow(kind string, row json.RawMessage, change bool) (err error) {
	if kind == jobKind {
		b.jobs, err = sim.PutRow(b.jobs, row, change, func(j *job) string { return strconv.Itoa(j.ID) })
		return err
	}
	return sim.ReadInto(row, func(x *connection) {
		old := b.keys[x.Key]
		switch {
		case old != nil && x.Gone:
			b.remove(old)
		case old != nil:
			b.codes.Move(codeKey(string(old.CustomerCode)), codeKey(string(x.CustomerCode)), old)
			*old = *x
			b.known(old)
		case !x.Gone:
			b.add(x)
		}
	})
}

func (b *brand) Loaded() {}

// add adds a connection.
func (b *brand) add(x *connection) {
	b.all = append(b.all, x)
	b.codes.Add(codeKey(string(x.CustomerCode)), x)
	b.known(x)
}

// known finds a connection by its ids.
func (b *brand) known(x *connection) {
	b.keys[x.Key] = x
	if x.CustomerAccountID != 0 {
		b.ids[x.CustomerAccountID] = x
	}
}

// remove takes a connection away.
func (b *brand) remove(x *connection) {
	b.all = slices.DeleteFunc(b.all, func(y *connection) bool { return y == x })
	b.codes.Move(codeKey(string(x.CustomerCode)), "", x)
	delete(b.keys, x.Key)
	delete(b.ids, x.CustomerAccountID)
}

// coded returns the connection with a code, in review or not; nil = there is none. Case matters not (decided).
func (b *brand) coded(code string) *connection { return b.codes.Get(codeKey(code)) }

func codeKey(code string) string { return sim.Fold(strings.TrimSpace(code)) }

// withID returns the connection with JOOR's id; nil = there is none.
func (b *brand) withID(id string) *connection {
	n, err := strconv.Atoi(id)
	if err != nil {
		return nil
	}
	return b.ids[n]
}

// What an account may spend. [documented for v4; decided that v2 is counted too]
const (
	credits = 300
	window  = 5 * time.Minute
)

func cost(method string) int {
	if method == http.MethodGet {
		return 1
	}
	return 5
}

// The codes of refusals (decided: none is documented).
const (
	codeUnauthorized = 1
	codeInvalid      = 2
	codeNotFound     = 3
	codeThrottled    = 4
	codeBadMethod    = 5
)

// refusal is why a call was refused: a 200, or another status where HTTP has one.
type refusal struct {
	status  int
	code    int
	comment string
}

func (e refusal) Error() string { return e.comment }

func refuse(comment string) error { return refusal{http.StatusOK, codeInvalid, comment} }

func notFound(what string) error { return refusal{http.StatusOK, codeNotFound, what + " not found"} }

// response is how a call went. [documented]
type response struct {
	Code    int    `json:"code"`
	Comment string `json:"comment"`
	LogID   string `json:"log_id"`
}

const noLog = "00000000-0000-4000-8000-000000000000"

// call is one call while it is served; the Sim's lock is held.
type call struct {
	*sim.Request
	*brand
}

// Serve authenticates, counts and routes a call.
func (v *Vendor) Serve(r *sim.Request) *sim.Response {
	if r.Path == authPath {
		return v.signIn(r)
	}
	fail := func(e refusal) *sim.Response {
		return sim.JSON(e.status, map[string]any{nodeOf(r.Path): map[string]any{
			"response": response{Code: e.code, Comment: e.comment, LogID: v.sim.GUID()}}})
	}
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return fail(refusal{http.StatusUnsupportedMediaType, codeInvalid, "Content-Type is not supported"})
	}
	b := v.caller(r.Header, r.Now)
	if b == nil || b.Revoked {
		return fail(refusal{http.StatusUnauthorized, codeUnauthorized, "Invalid token"})
	}
	throttling := func(resp *sim.Response) *sim.Response {
		resp.Header.Set("X-Throttling-Account-Id", b.seat.Account.JOOR.Account)
		return resp
	}
	if v.sim.Spend(r, cost(r.Method), credits, window) > 0 {
		return throttling(v.Throttled(""))
	}
	b.settle(r.Now)
	verbs := (&call{r, b}).route()
	serve, ok := verbs[r.Method]
	if !ok {
		if verbs == nil {
			return throttling(fail(refusal{http.StatusNotFound, codeNotFound, "No such endpoint"}))
		}
		resp := fail(refusal{http.StatusMethodNotAllowed, codeBadMethod, "Method is not allowed"})
		resp.Header.Set("Allow", strings.Join(slices.Sorted(maps.Keys(verbs)), ", "))
		return throttling(resp)
	}
	answer, err := serve()
	if e, ok := errors.AsType[refusal](err); ok {
		return throttling(fail(e))
	} else if err != nil {
		return throttling(fail(refusal{http.StatusOK, codeInvalid, "The request could not be read"}))
	}
	return throttling(sim.JSON(http.StatusOK, answer))
}

// nodeOf is the node in which a call is answered.
func nodeOf(path string) string {
	if strings.HasPrefix(path, "/bulk-connection") {
		return "bulk_connections"
	}
	return "connections"
}

// route returns the functions of a path by method; nil = there is no such path.
func (c *call) route() map[string]func() (any, error) {
	const get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	type verbs = map[string]func() (any, error)
	path := strings.TrimPrefix(c.Path, "/")
	code, byCode := strings.CutPrefix(path, "connection/customer_code/")
	id, byID := strings.CutPrefix(path, "connection/")
	jobID, isJob := strings.CutPrefix(path, "bulk-connection/")
	switch {
	case path == "bulk-connection":
		return verbs{post: c.upload, put: c.upload}
	case isJob:
		return verbs{get: func() (any, error) { return c.getJob(jobID) }}
	case path == "connection":
		return verbs{get: c.list, post: c.updateByCode, put: c.updateByCode,
			del: func() (any, error) { return c.delete(c.Query.Get("customer_code")) }}
	case byCode:
		of := func() *connection { return c.coded(code) }
		return verbs{get: func() (any, error) { return c.get(of()) },
			put: func() (any, error) { return c.update(of()) }, post: func() (any, error) { return c.update(of()) }}
	case byID && !strings.Contains(id, "/"):
		of := func() *connection { return c.withID(id) }
		return verbs{get: func() (any, error) { return c.get(of()) },
			put: func() (any, error) { return c.update(of()) }, post: func() (any, error) { return c.update(of()) }}
	case path == "v4/price_types":
		return verbs{get: c.getPriceTypes}
	}
	return nil
}
