package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/ledger"
	"stockbridge/internal/signin"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/vendor"
)

// problem is an error as the caller sees it: problem details of RFC 9457.
type problem struct {
	Type     string              `json:"type"`
	Title    string              `json:"title"`
	Status   int                 `json:"status"`
	Detail   string              `json:"detail"`
	Errors   []tenant.FieldError `json:"errors,omitempty"`   // what is wrong with which field of the request
	Problems []ledger.Problem    `json:"problems,omitempty"` // what a person must act on elsewhere
	Sales    []string            `json:"sales,omitempty"`    // numbers of sales that stand in the way

	after time.Duration // when to try again, at the earliest; 0 = that is not known
}

func (p *problem) Error() string { return p.Detail }

func notFound() error { return missing("There is nothing at this address.") }

// missing says what there is not.
func missing(what string) error { return &problem{Status: http.StatusNotFound, Detail: what} }

// badQuery refuses parameters of the query.
func badQuery(errs ...tenant.FieldError) error {
	return &problem{Status: http.StatusBadRequest, Detail: tenant.FieldErrors(errs).Error(), Errors: errs}
}

// unknownAfter refuses an after that no page has given.
func unknownAfter() error {
	return badQuery(tenant.FieldError{Field: "after",
		Message: "No page has this as its next. Use the next of the page before."})
}

// fail answers an error as problem details.
func (a *api) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := a.problemOf(w, r, err)
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="stockbridge"`)
	}
	p.Type, p.Title = "about:blank", http.StatusText(p.Status)
	body, err := encode(p)
	if err != nil {
		body = []byte("{}")
	}
	write(w, r, p.Status, "application/problem+json", body)
}

// problemOf turns an error into what its caller is told, and sets the headers that go with it. What is nobody's fault
// outside is logged.
func (a *api) problemOf(w http.ResponseWriter, r *http.Request, err error) *problem {
	p := (*problem)(nil)
	var fields tenant.FieldErrors
	var refused *vendor.ConnectError
	var other *upstockcin7.OtherCompany
	var standing *upstockcin7.StandingError
	var unhandled *upstockcin7.HandlingError
	var untried *upstockcin7.TestOrderError
	var unsigned *signin.Refusal
	switch {
	case errors.As(err, &unsigned):
		a.Log.WarnContext(r.Context(), "sign in", "error", err)
		p = &problem{Status: http.StatusForbidden, Detail: unsigned.Why}
	case errors.As(err, &p):
		if p.after > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(p.after/time.Second)+1))
		}
	case errors.As(err, &fields):
		p = &problem{Status: http.StatusUnprocessableEntity, Detail: fields.Error(), Errors: fields}
	case errors.As(err, &refused):
		p = &problem{Status: http.StatusUnprocessableEntity,
			Detail:   strings.TrimSpace(refused.Problem.Message + " " + refused.Problem.Fix),
			Problems: []ledger.Problem{refused.Problem}}
		if refused.After > 0 {
			p.Status = http.StatusTooManyRequests
			w.Header().Set("Retry-After", strconv.Itoa(int(refused.After/time.Second)+1))
		}
		if refused.Retry {
			p.Status = http.StatusServiceUnavailable
			w.Header().Set("Retry-After", "60")
		}
	case errors.As(err, &untried):
		p = &problem{Status: http.StatusConflict, Detail: untried.Error()}
	case errors.As(err, &unhandled):
		p = &problem{Status: http.StatusConflict, Detail: unhandled.Error()}
	case errors.As(err, &standing):
		p = &problem{Status: http.StatusConflict, Detail: standing.Error(), Sales: standing.Sales()}
	case errors.Is(err, ledger.ErrNotFound):
		p = &problem{Status: http.StatusNotFound,
			Detail: "There is no such order here. An order comes here when it is approved in Upstock."}
	case errors.Is(err, tenant.ErrNotFound):
		errors.As(notFound(), &p)
	case errors.Is(err, tenant.ErrClaimed):
		p = &problem{Status: http.StatusConflict,
			Detail: "This account is connected by another tenant. Disconnect it there first."}
	case errors.Is(err, tenant.ErrChanged):
		p = &problem{Status: http.StatusConflict,
			Detail: "Somebody else changed this at the same time. Read it again and repeat."}
	case errors.As(err, &other):
		p = &problem{Status: http.StatusConflict, Detail: other.Error()}
	case errors.Is(err, upstockcin7.ErrNothingToRetry):
		p = &problem{Status: http.StatusConflict, Detail: "This order has nothing to retry."}
	default:
		a.Log.ErrorContext(r.Context(), "request", "method", r.Method, "route", r.Pattern, "error", err)
		p = &problem{Status: http.StatusServiceUnavailable,
			Detail: "This did not work just now. Try again in a moment."}
		w.Header().Set("Retry-After", "10")
	}
	return p
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}

func respond(w http.ResponseWriter, r *http.Request, status int, v any) error {
	body, err := encode(v)
	if err == nil {
		write(w, r, status, "application/json", body)
	}
	return err
}

// write sends an answer. Not every server below us drops the body of HEAD.
func write(w http.ResponseWriter, r *http.Request, status int, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write(body)
	}
}

// list is one page of a list. Next is null on the last one.
type list[T any] struct {
	Items []T     `json:"items"`
	Next  *string `json:"next"`
}

func page[T any](items []T, next string) list[T] {
	if items == nil {
		items = []T{}
	}
	return list[T]{items, known(next)}
}

// maxBody bounds a request: the largest holds an order.
const maxBody = 5 << 20

// body reads a request's body, one JSON object; none where empty may be.
func body(
	w http.ResponseWriter, r *http.Request, empty bool,
) (raw []byte, fields map[string]json.RawMessage, err error) {
	raw, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, nil, &problem{Status: http.StatusRequestEntityTooLarge, Detail: "The body is larger than 5 MiB."}
	}
	if err != nil {
		return nil, nil, &problem{Status: http.StatusBadRequest, Detail: "The body could not be read whole."}
	}
	raw = bytes.TrimPrefix(raw, []byte("\uFEFF")) // as some programs write in front of it
	if empty && len(raw) == 0 {
		return raw, nil, nil
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" &&
		!(r.Method == http.MethodPatch && kind == "application/merge-patch+json") {
		return nil, nil, &problem{Status: http.StatusUnsupportedMediaType,
			Detail: "Send JSON, with Content-Type: application/json."}
	}
	if err := json.Unmarshal(raw, &fields); err != nil || fields == nil { // Unmarshal refuses what follows the object
		return nil, nil, &problem{Status: http.StatusBadRequest, Detail: "The body must be exactly one JSON object."}
	}
	return raw, fields, nil
}

// decode reads a request's body into the fields that it may have; all others,
// and values of another type, are refused by name, together with what the
// checks say of the rest.
func decode(
	w http.ResponseWriter, r *http.Request, empty bool, into map[string]any, checks ...func() tenant.FieldErrors,
) error {
	_, fields, err := body(w, r, empty)
	if err != nil {
		return err
	}
	var errs tenant.FieldErrors
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if p, ok := into[name]; !ok {
			errs = append(errs, tenant.FieldError{Field: name, Message: "There is no such field."})
		} else if isNull(fields[name]) && !mayBeNull(p) || json.Unmarshal(fields[name], p) != nil {
			errs = append(errs, tenant.FieldError{Field: name, Message: "This value has the wrong type."})
		}
	}
	for _, check := range checks {
		errs = errs.Add(check())
	}
	if errs != nil {
		return errs
	}
	return nil
}

func isNull(value json.RawMessage) bool { return string(bytes.TrimSpace(value)) == "null" }

// mayBeNull reports whether null is a value of what a field is read into, which is a pointer to a pointer then. Into
// anything else null is read as if the field were not there.
func mayBeNull(into any) bool {
	t := reflect.TypeOf(into)
	return t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Pointer
}

// maxPage is the most items of one page.
const maxPage = 100

// paging reads after= and limit=. A larger limit means the largest.
func paging(q url.Values) (after string, limit int, err error) {
	limit = 50
	if s := q.Get("limit"); s != "" {
		limit, err = strconv.Atoi(s)
		if err != nil && strings.Trim(s, "0123456789") == "" {
			limit, err = maxPage, nil // more than an int holds
		}
		if err != nil || limit < 1 {
			return "", 0, tenant.FieldErrors{{Field: "limit", Message: "Use a number from 1 to 100."}}
		}
		limit = min(limit, maxPage)
	}
	after = q.Get("after")
	if after != "" && !cursor(after) {
		return "", 0, unknownAfter()
	}
	return after, limit, nil
}

func cursor(s string) bool { return fitsKey(strings.ReplaceAll(s, "#", ""), 1000) }

// orderID is an order's id: a number, as Upstock's are, but for what never was an order.
type orderID string

// MarshalJSON implements json.Marshaler.
func (id orderID) MarshalJSON() ([]byte, error) {
	if n, err := strconv.ParseInt(string(id), 10, 64); err == nil && fmt.Sprint(n) == string(id) {
		return []byte(id), nil
	}
	return json.Marshal(string(id))
}

// UnmarshalJSON takes a whole number or a string.
func (id *orderID) UnmarshalJSON(data []byte) error {
	var n json.Number // takes a string of digits too
	switch {
	case isNull(data):
		return errors.New("null is no order's id")
	case json.Unmarshal(data, &n) != nil:
		return json.Unmarshal(data, (*string)(id))
	case strings.ContainsAny(string(n), ".eE"):
		return errors.New("an order's id is a whole number")
	}
	*id = orderID(n)
	return nil
}

// known is null for a text that is not known.
func known(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// when is null for an instant that is not known.
func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// money has two decimals.
func money(d decimal.Decimal) string { return d.StringFixed(2) }

// price has two decimals, or as many more as a unit price needs.
func price(d decimal.Decimal) string {
	if d.Equal(d.Round(2)) {
		return money(d)
	}
	return d.String()
}
