package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// core is one Cin7 Core company.
type core struct {
	Revoked bool `json:"revoked"`
	// NoAutomation: the Automation module is not paid for.
	NoAutomation bool           `json:"noAutomation"`
	Me           me             `json:"me"`
	Contacts     []meContact    `json:"contacts"`
	Addresses    []meAddress    `json:"addresses"`
	Tiers        []priceTier    `json:"tiers"`
	Taxes        []*taxRule     `json:"taxes"`
	Locations    []*location    `json:"locations"`
	Terms        []*paymentTerm `json:"terms"`
	Carriers     []carrier      `json:"carriers"`
	Accounts     []glAccount    `json:"accounts"`
	Customers    []*customer    `json:"customers"`
	Products     []*product     `json:"products"`
	Prices       []customPrice  `json:"prices"`
	Stock        []*stockRow    `json:"stock"`
	Sales        []*saleRecord  `json:"sales"` // in the order of their numbers
	Hooks        []*coreHook    `json:"hooks"`
	Deliveries   []*delivery    `json:"deliveries"`

	byID map[string]*saleRecord
}

// coreError is Cin7 Core's Error Model; on the wire it stands in an array.
type coreError struct {
	ErrorCode int
	Exception string
}

func (e coreError) Error() string { return e.Exception }

// refuse is a failed validation. The vendor reports only the first one it meets.
func refuse(format string, args ...any) error { return coreError{400, fmt.Sprintf(format, args...)} }

func missing(name string) error { return refuse("Required attribute %s is not provided.", name) }

func unknown(what, name string) error {
	return refuse("%s '%s' was not found in reference book", what, name)
}

const (
	coreLimit  = 60
	coreWindow = time.Minute
	// pageNotFound is where wrong paths are redirected to, outside the API.
	pageNotFound = "/cin7core/PageNotFound"
)

// coreCall is one call to Cin7 Core while it is served; Sim.mu is held.
type coreCall struct {
	*request
	s *Sim
	a *account
	*core
	q      map[string]string // parameters by lower-case name
	events []coreEvent       // to be sent once the change is stamped
}

// serveCore authenticates, counts and routes a call. A wrong path is found out
// before the credentials are looked at: the vendor's web server does it.
func (s *Sim) serveCore(r *request) *response {
	c := &coreCall{request: r, s: s, q: lowerNames(r.query)}
	verbs := c.route()
	if verbs == nil {
		resp := textResponse(http.StatusFound, "text/html; charset=utf-8", "<h2>Object moved</h2>")
		resp.header.Set("Location", pageNotFound)
		return resp
	}
	a := s.byCore[strings.ToLower(r.account)]
	if a == nil || a.Core.Revoked || r.header.Get("api-auth-applicationkey") != a.Cin7Core.ApplicationKey {
		return textResponse(http.StatusForbidden, "text/plain; charset=utf-8", "Incorrect credentials!")
	}
	if s.meter(Cin7Core, r.account).grant(r.now, coreLimit, s.fast(coreWindow), s.opts.NoLimits) > 0 {
		return throttled(Cin7Core, "503")
	}
	c.a, c.core = a, a.Core
	serve, ok := verbs[r.method]
	if !ok {
		resp := textResponse(http.StatusMethodNotAllowed, "application/json; charset=utf-8",
			`{"Message":"The requested resource does not support http method '`+r.method+`'."}`)
		resp.header.Set("Allow", strings.Join(slices.Sorted(maps.Keys(verbs)), ", "))
		return resp
	}
	v, err := serve()
	if err == nil {
		if r.method != http.MethodGet {
			s.touched(a)
		}
		return jsonResponse(http.StatusOK, v)
	}
	var e coreError
	var bad badValue
	switch {
	case errors.As(err, &e):
	case errors.As(err, &bad):
		e = coreError{400, bad.Error()}
	default:
		e = coreError{500, "Request body could not be parsed."}
	}
	return jsonResponse(e.ErrorCode, []coreError{e})
}

func (c *coreCall) route() map[string]func() (any, error) {
	const get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	type verbs = map[string]func() (any, error)
	switch strings.TrimSuffix(strings.ToLower(c.path), "/") {
	case "/me":
		return verbs{get: func() (any, error) { return c.Me, nil }}
	case "/me/contacts":
		return verbs{get: func() (any, error) { return page(c, "MeContactsList", c.Contacts), nil }}
	case "/me/addresses":
		return verbs{get: func() (any, error) { return page(c, "MeAddressesList", c.Addresses), nil }}
	case "/ref/pricetier":
		return verbs{get: func() (any, error) { return map[string]any{"PriceTiers": c.Tiers}, nil }}
	case "/ref/tax":
		return verbs{get: c.getTaxes}
	case "/ref/location":
		return verbs{get: c.getLocations}
	case "/ref/paymentterm":
		return verbs{get: c.getTerms}
	case "/ref/carrier":
		return verbs{get: c.getCarriers}
	case "/ref/account":
		return verbs{get: c.getAccounts}
	case "/ref/productavailability":
		return verbs{get: c.getAvailability}
	case "/customer":
		return verbs{get: c.getCustomers, post: c.postCustomer, put: c.putCustomer}
	case "/product":
		return verbs{get: c.getProducts, post: c.postProduct, put: c.putProduct}
	case "/custom-prices":
		return verbs{post: c.putPrices, put: c.putPrices, del: c.deletePrice}
	case "/salelist":
		return verbs{get: c.getSaleList}
	case "/sale":
		return verbs{get: c.getSale, post: c.postSale, put: c.putSale, del: c.deleteSale}
	case "/sale/quote":
		return verbs{get: c.getQuote, post: c.postQuote}
	case "/sale/order":
		return verbs{get: c.getOrder, post: c.postOrder}
	case "/sale/fulfilment":
		return verbs{get: c.getFulfilments, post: c.postFulfilment, del: c.deleteFulfilment}
	case "/sale/fulfilment/pick":
		return verbs{get: c.getPick, post: c.writePick, put: c.writePick}
	case "/sale/fulfilment/pack":
		return verbs{get: c.getPack, post: c.writePack, put: c.writePack}
	case "/sale/fulfilment/ship":
		return verbs{get: c.getShip, post: c.writeShip, put: c.writeShip}
	case "/webhooks":
		return verbs{get: c.getHooks, post: c.postHook, put: c.putHook, del: c.deleteHook}
	}
	return nil
}

func lowerNames(q url.Values) map[string]string {
	out := make(map[string]string, len(q))
	for name, values := range q {
		out[strings.ToLower(name)] = values[0]
	}
	return out
}

// has reports whether a parameter was sent. A blank one is a filter on empty.
func (c *coreCall) has(name string) (string, bool) {
	v, ok := c.q[strings.ToLower(name)]
	return v, ok
}

func (c *coreCall) flag(name string) bool {
	v, _ := c.has(name)
	return strings.EqualFold(v, "true") || v == "1"
}

// since reads a parameter that is an instant in UTC; zero = not sent.
func (c *coreCall) since(name string) (time.Time, error) {
	v, _ := c.has(name)
	if v == "" {
		return time.Time{}, nil
	}
	t, err := parseTime(v)
	if err != nil {
		return time.Time{}, refuse("Value of parameter %s is not valid.", name)
	}
	return t, nil
}

// parseTime reads the vendor's ISO 8601 UTC, with or without time, fraction
// and zone; a zone other than Z moves it to UTC.
func parseTime(v string) (time.Time, error) {
	v = strings.ReplaceAll(v, "/", "-")
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02", time.RFC3339} {
		if t, err := time.Parse(layout, v); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, errors.New("not a date")
}

// dateOf is a date as Cin7 Core answers it.
func dateOf(v string) (string, error) {
	t, err := parseTime(v)
	return t.Format("2006-01-02T00:00:00"), err
}

// envelope is a page of a list.
type envelope struct {
	total, page int
	name        string
	rows        any
}

func (e envelope) MarshalJSON() ([]byte, error) {
	rows, err := json.Marshal(e.rows)
	return fmt.Appendf(nil, `{"Total":%d,"Page":%d,%q:%s}`, e.total, e.page, e.name, rows), err
}

// page cuts the page that Page and Limit ask for. Above 1000 rows is clamped
// (decided; the vendor only says that 1000 is the most).
func page[T any](c *coreCall, name string, rows []T) envelope {
	n := c.positive("Page", 1)
	limit := min(c.positive("Limit", 100), 1000)
	if c.s.opts.TinyPages > 0 {
		limit = min(limit, c.s.opts.TinyPages)
	}
	from := min((n-1)*limit, len(rows))
	out := rows[from:min(from+limit, len(rows))]
	if len(out) == 0 {
		out = []T{}
	}
	return envelope{len(rows), n, name, out}
}

func (c *coreCall) positive(name string, otherwise int) int {
	v, _ := c.has(name)
	if n, err := strconv.Atoi(v); err == nil && n > 0 {
		return n
	}
	return otherwise
}

// where keeps the rows that match.
func where[T any](rows []T, match func(T) bool) []T {
	out := make([]T, 0, len(rows))
	for _, r := range rows {
		if match(r) {
			out = append(out, r)
		}
	}
	return out
}

// is, starts and flagged are filters of lists: true where the parameter was
// not sent.
func (c *coreCall) is(name, value string) bool {
	v, ok := c.has(name)
	return !ok || strings.EqualFold(v, value)
}

func (c *coreCall) starts(name, value string) bool {
	v, ok := c.has(name)
	return !ok || len(value) >= len(v) && strings.EqualFold(value[:len(v)], v)
}

func (c *coreCall) flagged(name string, value bool) bool {
	_, ok := c.has(name)
	return !ok || c.flag(name) == value
}

// tooLong checks a length as the vendor's platform counts it.
func tooLong(name, v string, most int) error {
	if len(v) > most && len(utf16.Encode([]rune(v))) > most {
		return refuse("Length of attribute %s exceeds %d characters.", name, most)
	}
	return nil
}
