package cin7omni_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7omni"
	"stockbridge/internal/rest"
)

const key = "3f1c9a7e5b2d48469c0e"

// fixed answers every call alike, and keeps the calls.
type fixed struct {
	status    int
	body      string
	requests  []*http.Request
	sent      []string
	throttled []time.Duration
}

func (f *fixed) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	f.requests, f.sent = append(f.requests, r), append(f.sent, string(body))
	return &http.Response{StatusCode: f.status, Header: http.Header{}, Request: r,
		Body: io.NopCloser(strings.NewReader(f.body))}, nil
}

func (f *fixed) Take(context.Context, int) (time.Time, error) { return time.Now(), nil }

func (f *fixed) Throttled(_ context.Context, d time.Duration) { f.throttled = append(f.throttled, d) }

func answering(status int, body string) (*fixed, *cin7omni.Client) {
	f := &fixed{status: status, body: body}
	return f, cin7omni.New("https://omni.test/api", f, f, "KauriUser", key)
}

const samples = "../../../shared/vendors/samples/cin7omni/"

// sample reads one of the vendor's own examples, which are not in this repository.
func sample(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.FromSlash(samples + name))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("no vendor samples here")
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		name     string
		status   int
		body     string
		outcome  rest.Outcome
		kind     rest.Kind
		messages []string
	}{
		{"JSON text", 400, `"The rows argument cannot be greater than 250."`, rest.Refused, rest.Invalid,
			[]string{"The rows argument cannot be greater than 250."}},
		{"Message", 400, `{"Message":"The request is invalid.","ExceptionMessage":"No."}`, rest.Refused, rest.Invalid,
			[]string{"The request is invalid.", "No."}},
		{"message", 400, `{"message":"No."}`, rest.Refused, rest.Invalid, []string{"No."}},
		{"error", 400, `{"error":"No."}`, rest.Refused, rest.Invalid, []string{"No."}},
		{"list", 400, `["No.","Nor that."]`, rest.Refused, rest.Invalid, []string{"No.", "Nor that."}},
		{"plain text", 400, "No\xff.", rest.Refused, rest.Invalid, []string{"No\uFFFD."}},
		{"HTML", 400, "<html>No</html>", rest.Refused, rest.Invalid, nil},
		{"nothing", 400, "", rest.Refused, rest.Invalid, nil},
		{"bad key", 401, `"Unauthorized access"`, rest.Refused, rest.Unauthorized, []string{"Unauthorized access"}},
		{"no permission", 403, `"Access is forbidden"`, rest.Refused, rest.Invalid, []string{"Access is forbidden"}},
		{"a proxy", 403, "<html>", rest.Refused, rest.Unavailable, nil},
		{"missing", 404, `"Resource not found"`, rest.Refused, rest.NotFound, []string{"Resource not found"}},
		{"too many calls", 429, `"Rate limit exceeded. Retry after some time."`, rest.Refused, rest.Throttled,
			[]string{"Rate limit exceeded. Retry after some time."}},
		{"server error", 500, `"An unexpected error occurred. Please try again later."`, rest.Unknown, rest.Unavailable,
			[]string{"An unexpected error occurred. Please try again later."}},
		{"maintenance", 503, "<h1>Back soon</h1>", rest.Unknown, rest.Unavailable, nil},
		{"the key in an error", 400, `"No ` + key + `"`, rest.Refused, rest.Invalid, []string{"No [redacted]"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, c := answering(tt.status, tt.body)
			_, err := c.CreateContacts(t.Context(), []cin7omni.Contact{{Type: cin7omni.Customer}})
			e, ok := errors.AsType[*rest.Error](err)
			if !ok || e.Outcome != tt.outcome || e.Kind != tt.kind || !slices.Equal(e.Messages, tt.messages) ||
				e.Who != "cin7omni" {
				t.Errorf("%+v", err)
			}
			if got := errors.Is(err, cin7omni.ErrPermission); got != (tt.name == "no permission") {
				t.Errorf("lacks a permission: %v", got)
			}
			if throttled := tt.status == 429 || tt.status == 503; throttled != (len(f.throttled) > 0) {
				t.Errorf("throttled %v", f.throttled)
			}
		})
	}
}

// TestNonsense: an answer of status 200 that is not as documented is of the outcome Unknown, for every call.
func TestNonsense(t *testing.T) {
	calls := map[string]func(context.Context, *cin7omni.Client) error{
		"list": func(ctx context.Context, c *cin7omni.Client) error {
			_, err := c.ContactsPage(ctx, cin7omni.ContactsQuery{})
			return err
		},
		"get": func(ctx context.Context, c *cin7omni.Client) error { _, err := c.Contact(ctx, 7); return err },
		"create": func(ctx context.Context, c *cin7omni.Client) error {
			_, err := c.CreateContacts(ctx, []cin7omni.Contact{{Type: cin7omni.Customer}})
			return err
		},
		"update": func(ctx context.Context, c *cin7omni.Client) error {
			_, err := c.UpdateContacts(ctx, []cin7omni.Change{{ID: 7, Fields: map[string]any{"fax": ""}}})
			return err
		},
		"delete":  func(ctx context.Context, c *cin7omni.Client) error { return c.DeleteContact(ctx, 7) },
		"users":   func(ctx context.Context, c *cin7omni.Client) error { _, err := c.Users(ctx); return err },
		"columns": func(ctx context.Context, c *cin7omni.Client) error { _, err := c.PriceColumns(ctx); return err },
		"key":     func(ctx context.Context, c *cin7omni.Client) error { return c.MayRead(ctx, cin7omni.UserList) },
	}
	for _, body := range []string{"", "null", `""`, "7", "{}", `"Unauthorized access"`, "<html>Please wait</html>",
		`{"Message":"Odd."}`, "[1", `{"id":8,"modifiedDate":"2026-05-01T00:00:00Z"}`} {
		for name, call := range calls {
			_, c := answering(200, body)
			if err := call(t.Context(), c); rest.OutcomeOf(err) != rest.Unknown {
				t.Errorf("%s answered with %s: %v", name, body, err)
			}
		}
	}
	for _, body := range []string{`[{}]`, `[null]`, `[{"id":0,"modifiedDate":"2026-05-01T00:00:00Z"}]`, `[{"id":9}]`,
		`["x"]`} {
		_, c := answering(200, body)
		if err := calls["list"](t.Context(), c); rest.OutcomeOf(err) != rest.Unknown {
			t.Errorf("a list of %s: %v", body, err)
		}
	}
}

// TestResults: each contact of a batch has the outcome that the answer says of it, if that can be believed.
func TestResults(t *testing.T) {
	clear := map[string]any{"fax": ""}
	changes := []cin7omni.Change{{ID: 5, Fields: clear}, {ID: 6, Fields: clear}}
	people := []cin7omni.Contact{{Type: cin7omni.Customer}, {Type: cin7omni.Customer}}
	const first = `{"index":0,"success":true,"id":5,"code":"jo@kauri.example","errors":[]}`
	for second, want := range map[string][2]rest.Outcome{ // of an update, of a create
		`{"index":1,"success":true,"id":6,"code":null,"errors":null}`: {rest.Done, rest.Done},
		`{"index":1,"success":true,"id":7,"errors":[]}`:               {rest.Unknown, rest.Done},
		`{"index":1,"success":true,"id":0,"errors":[]}`:               {rest.Unknown, rest.Unknown},
		`{"index":1,"success":false,"id":0,"errors":["Taken."]}`:      {rest.Refused, rest.Refused},
		`{"index":1,"success":false,"id":null,"errors":["Taken."]}`:   {rest.Refused, rest.Refused},
		`{"index":1,"success":false,"id":6,"errors":["Taken."]}`:      {rest.Refused, rest.Unknown},
		`{"index":0,"success":true,"id":6,"errors":[]}`:               {rest.Unknown, rest.Unknown},
		`{"index":1,"id":6,"errors":[]}`:                              {rest.Unknown, rest.Unknown},
		`{"index":1,"success":"maybe","id":6}`:                        {rest.Unknown, rest.Unknown},
		`null`:                                                        {rest.Unknown, rest.Unknown},
		`"no"`:                                                        {rest.Unknown, rest.Unknown},
	} {
		_, c := answering(200, "["+first+","+second+"]")
		updated, err := c.UpdateContacts(t.Context(), changes)
		if err != nil {
			t.Fatal(err)
		}
		created, err := c.CreateContacts(t.Context(), people)
		if err != nil {
			t.Fatal(err)
		}
		for i, results := range [][]cin7omni.Result{updated, created} {
			if len(results) != 2 || results[0].Outcome != rest.Done || results[0].ID != 5 ||
				results[1].Outcome != want[i] || (results[1].ID > 0) != (want[i] == rest.Done) {
				t.Errorf("%s: %+v", second, results)
			}
		}
		if want[0] == rest.Refused && updated[1].Refused() != "Taken." || updated[0].Refused() != "" {
			t.Errorf("refused: %+v", updated)
		}
	}
	for _, body := range []string{"[]", "[" + first + "]", "[" + first + "," + first + "," + first + "]"} {
		_, c := answering(200, body)
		if _, err := c.UpdateContacts(t.Context(), changes); rest.OutcomeOf(err) != rest.Unknown {
			t.Errorf("two changes answered with %s: %v", body, err)
		}
	}
	if why := (cin7omni.Result{Outcome: rest.Refused}).Refused(); why == "" {
		t.Error("a refusal without a reason is none")
	}
}

// TestBatchesNotSent: what cannot be right is never sent.
func TestBatchesNotSent(t *testing.T) {
	f, c := answering(200, "[]")
	for _, ch := range []cin7omni.Change{
		{Fields: map[string]any{"fax": ""}},
		{ID: 5, Fields: map[string]any{"Fax": ""}},
		{ID: 5, Fields: map[string]any{"balanceOwing": "1"}},
		{ID: 5, Fields: map[string]any{"secondaryContacts": ""}},
		{ID: 5, Fields: map[string]any{"fax": 7}},
		{ID: 5, Fields: map[string]any{"onHold": 1}},
	} {
		_, err := c.UpdateContacts(t.Context(), []cin7omni.Change{ch})
		if rest.KindOf(err) != rest.NotSent || rest.OutcomeOf(err) != rest.Refused {
			t.Errorf("%+v: %v", ch, err)
		}
	}
	if _, err := c.CreateContacts(t.Context(), make([]cin7omni.Contact, 251)); rest.KindOf(err) != rest.NotSent {
		t.Error(err)
	}
	if results, err := c.CreateContacts(t.Context(), nil); results != nil || err != nil {
		t.Error(results, err)
	}
	if len(f.requests) > 0 {
		t.Errorf("%d calls", len(f.requests))
	}
}

// TestWritten: a batch is an array even for one record, of documented fields, with numbers as numbers; the credential
// is HTTP's basic one.
func TestWritten(t *testing.T) {
	f, c := answering(200, "[]")
	_, _ = c.CreateContacts(t.Context(), []cin7omni.Contact{{Type: cin7omni.Customer, IsActive: true,
		Company: "Kauri & Co", PercentageOff: decimal.RequireFromString("2.5"), BalanceOwing: decimal.NewFromInt(3),
		SecondaryContacts: []cin7omni.SecondaryContact{{ID: 3, FirstName: "Ari", Email: "ari@kauri.example"}}}})
	_, _ = c.UpdateContacts(t.Context(), []cin7omni.Change{{ID: 5, Fields: map[string]any{
		"fax": "", "onHold": true, "salesPersonId": int64(7), "creditLimit": decimal.NewFromInt(10), "phone": nil}}})
	want := []string{
		`[{"company":"Kauri \u0026 Co","isActive":true,"percentageOff":2.5,` +
			`"secondaryContacts":[{"email":"ari@kauri.example","firstName":"Ari"}],"type":"Customer"}]`,
		`[{"creditLimit":10,"fax":"","id":5,"onHold":true,"phone":null,"salesPersonId":7}]`,
	}
	if diff := cmp.Diff(want, f.sent); diff != "" {
		t.Error(diff)
	}
	if user, pass, ok := f.requests[0].BasicAuth(); !ok || user != "KauriUser" || pass != key {
		t.Error("no credential", user, pass)
	}
}

// TestRead: a contact that cannot be read as a whole is read as far as it can be.
func TestRead(t *testing.T) {
	_, c := answering(200, `[{"ID":"12","ModifiedDate":"2026-05-20T21:04:33","isActive":1,"type":1,"company":null,
		"creditLimit":"a lot","percentageOff":"2.50","salesPersonId":{},"customFields":{"members_1000":"x"}}]`)
	p, err := c.ContactsPage(t.Context(), cin7omni.ContactsQuery{})
	if err != nil || len(p.Items) != 1 {
		t.Fatal(p, err)
	}
	got := p.Items[0]
	if got.ID != 12 || !got.IsActive || !got.Is(cin7omni.Customer) || got.Is(cin7omni.Supplier) ||
		!got.PercentageOff.Equal(decimal.RequireFromString("2.5")) ||
		!got.ModifiedDate.Equal(time.Date(2026, 5, 20, 21, 4, 33, 0, time.UTC)) ||
		!slices.Equal(got.Unread, []string{"creditLimit", "salesPersonId"}) {
		t.Errorf("%+v", got)
	}
}

func TestPriceColumns(t *testing.T) {
	_, c := answering(200, `[{"id":1,"priceColumns":{"retailPrice":1,"costUSD":2}},{"id":2,"priceColumns":null},
		{"id":3,"priceColumns":{"CostUSD":2,"auRetail":null}},{"id":4,"priceColumns":7}]`)
	got, err := c.PriceColumns(t.Context())
	want := append(cin7omni.StandardColumns(), "AuRetail", "CostUSD")
	if err != nil || !slices.Equal(got, want) {
		t.Error(got, err)
	}
}

// documented are the parameters of each call in the vendor's specification.
var documented = map[string]string{
	"GET /v1/Contacts":         "fields where order page rows",
	"GET /v1/Contacts/{id}":    "",
	"POST /v1/Contacts":        "",
	"PUT /v1/Contacts":         "",
	"DELETE /v1/Contacts/{id}": "",
	"GET /v1/Users":            "fields where order page rows",
	"GET /v1/ProductOptions":   "fields where order page rows",
}

// TestDocumented: every call has documented parameters, and every route is called.
func TestDocumented(t *testing.T) {
	f, c := answering(200, "[]")
	ctx := t.Context()
	_, _ = c.ContactsPage(ctx, cin7omni.ContactsQuery{Since: time.Date(2026, 5, 20, 9, 4, 33, 99, time.UTC),
		Where: cin7omni.Equal("email", "o'hara@kauri.example"), Fields: []string{"company"}, Page: 3})
	_, _ = c.ContactsPage(ctx, cin7omni.ContactsQuery{Where: cin7omni.IDs(1, 2), NewestFirst: true})
	_, _ = c.Contact(ctx, 7)
	_, _ = c.CreateContacts(ctx, []cin7omni.Contact{{Type: cin7omni.Customer}})
	_, _ = c.UpdateContacts(ctx, []cin7omni.Change{{ID: 7}})
	_ = c.DeleteContact(ctx, 7)
	_, _ = c.Users(ctx)
	_, _ = c.PriceColumns(ctx)
	_ = c.MayRead(ctx, cin7omni.ContactList)
	made := map[string]bool{}
	for _, r := range f.requests {
		name := r.Method + " " + strings.Replace(strings.TrimPrefix(r.URL.Path, "/api"), "/7", "/{id}", 1)
		params, ok := documented[name]
		if made[name] = true; !ok {
			t.Errorf("%s is not documented", name)
		}
		for param := range r.URL.Query() {
			if !slices.Contains(strings.Fields(params), param) {
				t.Errorf("%s: parameter %s is not documented", name, param)
			}
		}
	}
	if !maps.EqualFunc(made, cin7omni.Routes(), func(bool, []string) bool { return true }) {
		t.Errorf("calls made %v", slices.Sorted(maps.Keys(made)))
	}
	first, second := f.requests[0].URL.Query(), f.requests[1].URL.Query()
	want := "fields=id%2CmodifiedDate%2Ccompany&order=modifiedDate+ASC&page=3&rows=250" +
		"&where=modifiedDate%3E%3D%272026-05-20T09%3A04%3A33Z%27+AND+email%3D%27o%27%27hara%40kauri.example%27"
	if got := first.Encode(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if second.Get("where") != "id IN (1,2)" || second.Get("order") != "modifiedDate DESC" || second.Get("page") != "1" {
		t.Errorf("%v", second)
	}
}

// TestSamples: the vendor's own examples are read whole, and what is written has their fields.
func TestSamples(t *testing.T) {
	_, c := answering(200, sample(t, "omni-contacts-list.json"))
	p, err := c.ContactsPage(t.Context(), cin7omni.ContactsQuery{})
	if err != nil || len(p.Items) != 1 || !p.More || p.Items[0].Unread != nil || p.Items[0].ID != 101 ||
		p.Items[0].PriceColumn != "WholesalePrice" || p.Items[0].SecondaryContacts[0].Email == "" {
		t.Errorf("%+v %v", p, err)
	}
	_, c = answering(200, sample(t, "omni-contact-get.json"))
	one, err := c.Contact(t.Context(), 101)
	if diff := cmp.Diff(p.Items[0], one); err != nil || diff != "" {
		t.Error(err, diff)
	}
	var bodies map[string]json.RawMessage
	if err := json.Unmarshal([]byte(sample(t, "omni-error-bodies.json")), &bodies); err != nil {
		t.Fatal(err)
	}
	for status, body := range bodies {
		var code int
		_, _ = fmt.Sscan(status, &code)
		_, c := answering(code, string(body))
		if _, err := c.Contact(t.Context(), 101); len(rest.MessagesOf(err)) == 0 {
			t.Errorf("%s: %v", status, err)
		}
	}
	_, c = answering(200, sample(t, "omni-batch-result.json"))
	results, err := c.CreateContacts(t.Context(), make([]cin7omni.Contact, 2))
	if err != nil || results[0].Outcome != rest.Done || results[0].ID != 102 || results[1].Outcome != rest.Refused ||
		results[1].Refused() == "" {
		t.Errorf("%+v %v", results, err)
	}
	_, c = answering(200, sample(t, "omni-delete-result.json"))
	if err := c.DeleteContact(t.Context(), 101); err != nil {
		t.Error(err)
	}
	if err := c.DeleteContact(t.Context(), 102); rest.OutcomeOf(err) != rest.Unknown {
		t.Errorf("another contact was removed: %v", err)
	}
}
