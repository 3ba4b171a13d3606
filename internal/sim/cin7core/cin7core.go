// Package cin7core simulates what the product calls of Cin7 Core: a company's
// settings and reference books, customers, products, custom prices, sales with
// their quotes, orders and fulfilments, and webhooks.
//
// A [Vendor] is given to sim.New. Every account has a company, filled from the
// lists of package sim. Its books are also the account's catalogue: the other
// vendors link to them and fill orders from them. [Vendor.Serve] serves a call:
// route, credentials, limit, then a method of call, which returns a value for JSON,
// or an error in the vendor's words. The calls are grouped in files as in the
// vendor's documentation; wire.go has the peculiarities of its JSON.
//
// Two things are not calls. Every change of a sale ends in touch (sale.go), which
// stamps it, derives its statuses, keeps the row that saleList shows from then on
// and sends the webhooks. And what people do at Cin7 Core's own pages, above all
// shipping a sale, is [Vendor.Sale] (person.go), for tests, the control API and the
// account's page.
//
// Where the documentation is silent, the comment says "decided". The tests compare
// the answers with the vendor's samples, field by field.
package cin7core

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"stockbridge/internal/sim"
)

// Options of the vendor.
type Options struct {
	// NoAutomation makes accounts without the Automation module, which webhooks
	// need. The control API changes it for one account.
	NoAutomation bool
}

// Vendor is Cin7 Core in one Sim.
type Vendor struct {
	opts      Options
	sim       *sim.Sim
	companies []*company
}

// New makes the vendor, to be given to sim.New.
func New(o Options) *Vendor { return &Vendor{opts: o} }

// Name implements sim.Vendor, as do the next methods.
func (v *Vendor) Name() string { return sim.Cin7Core }

func (v *Vendor) Join(s *sim.Sim) { v.sim = s }

func (v *Vendor) Open(p *sim.Seat) sim.Books {
	c := &company{seat: p, NoAutomation: v.opts.NoAutomation}
	c.catalogue.ready()
	v.companies = append(v.companies, c)
	return c
}

func (v *Vendor) Caller(r *http.Request) string { return r.Header.Get("api-auth-accountid") }

// Throttled has all the forms that have been seen.
func (v *Vendor) Throttled(how string) *sim.Response {
	const text = "You reached 60 calls per minute API limit"
	const limitText = "You have reached 60 calls per 60 seconds API limit."
	switch how {
	case "400":
		return sim.JSON(http.StatusBadRequest, []apiError{{400, limitText}})
	case "200":
		return sim.JSON(http.StatusOK, []apiError{{400, limitText}})
	case "429":
		return sim.Text(http.StatusTooManyRequests, "text/plain; charset=utf-8", text)
	}
	return sim.Text(http.StatusServiceUnavailable, "text/plain; charset=utf-8", text)
}

// company returns the books of an account by its id; nil = there is no such account.
func (v *Vendor) company(account string) *company {
	for _, c := range v.companies {
		if strings.EqualFold(c.seat.Account.Cin7Core.AccountID, account) {
			return c
		}
	}
	return nil
}

// company is an account's books.
type company struct {
	seat *sim.Seat
	byID map[string]*saleRecord

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
	Hooks        []*hook        `json:"hooks"`
	Sales        []*saleRecord  `json:"-"` // in the order of their numbers
	catalogue
}

// Rows implements sim.Books, as do the next methods, with the sales and the
// catalogue as rows.
func (c *company) Rows() iter.Seq[any] {
	return func(yield func(any) bool) {
		for _, r := range c.Sales {
			if !yield(r) {
				return
			}
		}
		for row := range c.catalogue.rows() {
			if !yield(row) {
				return
			}
		}
	}
}

func (c *company) ReadRow(kind string, row json.RawMessage, change bool) (err error) {
	if kind != "" {
		return c.catalogue.readRow(kind, row)
	}
	c.Sales, err = sim.PutRow(c.Sales, row, change, func(r *saleRecord) string { return r.Sale.ID })
	return err
}

func (c *company) Loaded() {}

// apiError is Cin7 Core's Error Model. On the wire it is in an array.
type apiError struct {
	ErrorCode int
	Exception string
}

func (e apiError) Error() string { return e.Exception }

// refuse returns the error of a failed validation. The vendor reports only the first.
func refuse(format string, args ...any) error { return apiError{400, fmt.Sprintf(format, args...)} }

func missing(name string) error { return refuse("Required attribute %s is not provided.", name) }

func unknown(what, name string) error {
	return refuse("%s '%s' was not found in reference book", what, name)
}

const (
	limit  = 60 // calls
	window = time.Minute
	// pageNotFound is the page outside the API to which wrong paths are redirected.
	pageNotFound = "/cin7core/PageNotFound"
)

// call is one call while it is served; the Sim's lock is held.
type call struct {
	*sim.Request
	sim *sim.Sim
	*company
	q      map[string]string // parameters by lower-case name
	events []event           // to be sent once the change is stamped
}

// Serve authenticates, counts and routes a call. The path is checked before the
// credentials, as the vendor's web server does.
func (v *Vendor) Serve(r *sim.Request) *sim.Response {
	c := &call{Request: r, sim: v.sim, q: lowerNames(r.Query)}
	verbs := c.route()
	if verbs == nil {
		resp := sim.Text(http.StatusFound, "text/html; charset=utf-8", "<h2>Object moved</h2>")
		resp.Header.Set("Location", pageNotFound)
		return resp
	}
	c.company = v.company(r.Account)
	key := r.Header.Get("api-auth-applicationkey")
	if c.company == nil || c.Revoked || key != c.seat.Account.Cin7Core.ApplicationKey {
		return sim.Text(http.StatusForbidden, "text/plain; charset=utf-8", "Incorrect credentials!")
	}
	if v.sim.Grant(r, limit, window) > 0 {
		return v.Throttled("")
	}
	serve, ok := verbs[r.Method]
	if !ok {
		resp := sim.Text(http.StatusMethodNotAllowed, "application/json; charset=utf-8",
			`{"Message":"The requested resource does not support http method '`+r.Method+`'."}`)
		resp.Header.Set("Allow", strings.Join(slices.Sorted(maps.Keys(verbs)), ", "))
		return resp
	}
	answer, err := serve()
	if list, ok := answer.(envelope); ok && err == nil {
		answer, err = list.written()
	}
	if err == nil {
		if r.Method != http.MethodGet {
			c.seat.Changed()
		}
		return sim.JSON(http.StatusOK, answer)
	}
	e, ok := errors.AsType[apiError](err)
	if bad, isBad := errors.AsType[badValue](err); isBad && !ok {
		e = apiError{400, bad.Error()}
	} else if !ok {
		e = apiError{500, "Request body could not be parsed."}
	}
	return sim.JSON(e.ErrorCode, []apiError{e})
}

// route returns the functions of a path by method; nil = there is no such path.
func (c *call) route() map[string]func() (any, error) {
	const get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	type verbs = map[string]func() (any, error)
	switch strings.TrimSuffix(strings.ToLower(c.Path), "/") {
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
		return verbs{get: c.getCustomers, post: c.postCustomer, put: c.changeCustomer}
	case "/product":
		return verbs{get: c.getProducts, post: c.postProduct, put: c.changeProduct}
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

// has returns a parameter and whether it was sent. A blank one is a filter on empty.
func (c *call) has(name string) (string, bool) {
	v, ok := c.q[strings.ToLower(name)]
	return v, ok
}

func (c *call) flag(name string) bool {
	v, _ := c.has(name)
	return strings.EqualFold(v, "true") || v == "1"
}

// since reads a parameter that is an instant in UTC; zero = not sent.
func (c *call) since(name string) (time.Time, error) {
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

// dateOf returns a date as Cin7 Core writes it.
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

// written is the page as JSON. The rows are written once: as a json.Marshaler the page would be read again.
func (e envelope) written() (json.RawMessage, error) {
	rows, err := json.Marshal(e.rows)
	return fmt.Appendf(nil, `{"Total":%d,"Page":%d,%q:%s}`, e.total, e.page, e.name, rows), err
}

// page returns the page that Page and Limit ask for. A Limit above 1000 is reduced
// (decided; the vendor only says that 1000 is the most).
func page[T any](c *call, name string, rows []T) envelope {
	n, limit := c.positive("Page", 1), c.pageSize()
	from := min((n-1)*limit, len(rows))
	out := rows[from:min(from+limit, len(rows))]
	if len(out) == 0 {
		out = []T{}
	}
	return envelope{len(rows), n, name, out}
}

func (c *call) pageSize() int { return c.sim.PageSize(min(c.positive("Limit", 100), 1000)) }

// moved returns the rows of a list after one of them moved since the page before, if
// a fault says so.
func moved[T any](c *call, rows []T) []T {
	if c.Drift == "" {
		return rows
	}
	return sim.Drift(c.sim, c.Request, c.positive("Page", 1), c.pageSize(), rows)
}

func (c *call) positive(name string, otherwise int) int {
	v, _ := c.has(name)
	if n, err := strconv.Atoi(v); err == nil && n > 0 {
		return n
	}
	return otherwise
}

// filter returns the rows that match.
func filter[T any](rows []T, match func(T) bool) []T {
	out := make([]T, 0, len(rows))
	for _, r := range rows {
		if match(r) {
			out = append(out, r)
		}
	}
	return out
}

// filterIs, filterStarts and filterFlag report whether a row passes a filter of a
// list; it does if the parameter was not sent.
func (c *call) filterIs(name, value string) bool {
	v, ok := c.has(name)
	return !ok || strings.EqualFold(v, value)
}

func (c *call) filterStarts(name, value string) bool {
	v, ok := c.has(name)
	return !ok || len(value) >= len(v) && strings.EqualFold(value[:len(v)], v)
}

func (c *call) filterFlag(name string, value bool) bool {
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
