package upstock_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"stockbridge/internal/rest"
	"stockbridge/internal/upstock"
)

const order = `{
	"id": 42, "orderNumber": "880123", "status": "processing", "reference": null, "orderDate": "2026-03-30", "deliveryDate": "2026-04-01",
	"approvedAt": "2026-03-30T21:15:00Z", "currency": "NZD",
	"customer": {"id": 7, "name": "Kea Café", "externalId": "0365e5bb-e5ea-4a45-b98b-fdc4466bdaf1", "email": null},
	"deliveryAddress": {"line1": "1 High St", "city": "Nelson", "country": "New Zealand"},
	"customFields": {"Delivery site": "Nelson"},
	"comments": [{"at": "2026-03-30T10:00:00Z", "author": "Ana", "text": "second"}, {"at": "2026-03-29T10:00:00Z", "author": "Ana", "text": "first"}],
	"lines": [
		{"id": 1, "sku": "BREAD", "quantity": "3", "unitPrice": "1.2345", "discountPercent": "10", "taxRate": "15.00"},
		{"id": 2, "productExternalId": "p2", "quantity": "0.5", "unitPrice": "0.01", "taxRate": "15.00"}],
	"freight": {"description": "Courier", "amount": "8.50", "taxRate": "15.00"},
	"shipments": [], "somethingNew": {"a": [1]}
}`

// with returns the order with another value at a path; "" removes it.
func with(t *testing.T, path, value string) string {
	t.Helper()
	var doc any
	if err := json.Unmarshal([]byte(order), &doc); err != nil {
		t.Fatal(err)
	}
	steps := strings.Split(path, ".")
	at := doc
	for i, step := range steps {
		if list, ok := at.([]any); ok {
			at = list[int(step[0]-'0')]
			continue
		}
		object := at.(map[string]any)
		if i == len(steps)-1 {
			object[step] = json.RawMessage(value)
			if value == "" {
				delete(object, step)
			}
			break
		}
		at = object[step]
	}
	out, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestParseOrder(t *testing.T) {
	o, wrong := upstock.ParseOrder([]byte(order))
	if len(wrong) != 0 {
		t.Fatal(wrong)
	}
	if o.ID != 42 || o.DeliveryDate != (upstock.Date{Year: 2026, Month: 4, Day: 1}) || o.Reference != "" ||
		o.Customer.Name != "Kea Café" ||
		o.Comments[0].Text != "first" || o.CustomFields["Delivery site"] != "Nelson" ||
		o.DeliveryAddress.City != "Nelson" || o.Stated != nil {
		t.Errorf("%+v", o)
	}
	// 3 × 1.2345 × 0.9 = 3.33315; 0.5 × 0.01 = 0.005, half away from zero; 8.50. Tax 0.4995, 0.0015, 1.275.
	if diff := cmp.Diff([]string{"11.84", "1.78", "13.62"}, text(o.Totals())); diff != "" {
		t.Error(diff)
	}
	o, wrong = upstock.ParseOrder([]byte(with(t, "totals", `{"subtotal":"11.84","tax":1.77,"total":"13.61"}`)))
	if diff := cmp.Diff([]string{"11.84", "1.77", "13.61"}, text(o.Totals())); diff != "" || len(wrong) != 0 {
		t.Error(diff, wrong)
	}
	if diff := cmp.Diff([]string{"11.84", "1.78", "13.62"}, text(o.Computed())); diff != "" {
		t.Error(diff)
	}
	kept, _ := json.Marshal(o)
	if back, wrong := upstock.ParseOrder(kept); len(wrong) != 0 || !cmp.Equal(o, back) {
		t.Error(cmp.Diff(o, back), wrong)
	}
}

func text(t upstock.Totals) []string {
	return []string{t.Subtotal.StringFixed(2), t.Tax.StringFixed(2), t.Total.StringFixed(2)}
}

func TestParseOrderFaults(t *testing.T) {
	for _, tt := range []struct{ path, value, field, message string }{
		{"id", `"42"`, "", ""},
		{"id", `"x"`, "id", "is not a number"},
		{"id", `-1`, "id", "is not more than 0"},
		{"id", ``, "id", "is missing"},
		{"orderNumber", `880123`, "", ""},
		{"orderNumber", `{}`, "orderNumber", "is a list or an object where one value belongs"},
		{"orderDate", `"30/03/2026"`, "orderDate", "is not a date like 2026-03-31"},
		{"orderDate", `null`, "orderDate", "is missing"},
		{"deliveryDate", `"2026-04-01T11:00:00Z"`, "deliveryDate", "is not a date like 2026-03-31"},
		{"deliveryDate", `"2026-02-30"`, "deliveryDate", "is not a date like 2026-03-31"},
		{"deliveryDate", `null`, "", ""},
		{"approvedAt", `"yesterday"`, "approvedAt", "is not a date and time"},
		{"customer", `"Kea"`, "customer", "is not an object"},
		{"customer.name", `""`, "customer.name", "is missing"},
		{"customFields", `{"a":{"b":1}}`, "customFields.a", "is a list or an object where one value belongs"},
		{"customFields", `{"a":1}`, "", ""},
		{"lines", `[]`, "lines", "is empty"},
		{"lines", `null`, "lines", "is missing"},
		{"lines", `{}`, "lines", "is not a list"},
		{"lines.1.quantity", `2`, "", ""},
		{"lines.1.quantity", `"two"`, "lines[1].quantity", "is not a number"},
		{"lines.1.quantity", `"0"`, "lines[1].quantity", "is not more than 0"},
		{"lines.1.quantity", `""`, "lines[1].quantity", "is missing"},
		{"lines.1.unitPrice", ``, "lines[1].unitPrice", "is missing"},
		{"lines.1.unitPrice", `"-1"`, "lines[1].unitPrice", "is less than 0"},
		{"lines.1.unitPrice", `"1e999999999"`, "lines[1].unitPrice", "is a number too long or too large to be meant"},
		{"lines.1.unitPrice", `1e999999999`, "lines[1].unitPrice", "is a number too long or too large to be meant"},
		{"lines.1.unitPrice", `"` + strings.Repeat("1", 70) + `"`, "lines[1].unitPrice",
			"is a number too long or too large to be meant"},
		{"lines.0.discountPercent", `101`, "lines[0].discountPercent", "is not between 0 and 100"},
		{"lines.0.taxRate", `"fifteen"`, "lines[0].taxRate", "is not a number"},
		{"freight.amount", `"-3"`, "freight.amount", "is less than 0"},
		{"freight", `null`, "", ""},
		{"freight", `{"description":"Van"}`, "freight.amount", "is missing"},
		{"freight", `{"amount":"","taxRate":null}`, "", ""},
		{"external", `{"system":null}`, "", ""},
		{"lines.0.id", `null`, "", ""},
		{"lines.0.taxRate", `""`, "", ""},
		{"customer.id", `0`, "customer.id", "is not more than 0"},
		{"orderDate", `"2026-03-30T00:00:00"`, "", ""},
		{"orderDate", `"2026-03-30T12:00:00"`, "orderDate", "is not a date like 2026-03-31"},
		{"orderDate", `"2026-03-30T00:00:00Z"`, "orderDate", "is not a date like 2026-03-31"},
		{"status", `" Processing "`, "", ""},
		{"totals", `{"subtotal":"1"}`, "totals.total", "is missing"},
	} {
		o, wrong := upstock.ParseOrder([]byte(with(t, tt.path, tt.value)))
		var want []upstock.FieldError
		if tt.field != "" {
			want = []upstock.FieldError{{Field: tt.field, Message: tt.message}}
		}
		if diff := cmp.Diff(want, wrong); diff != "" {
			t.Errorf("%s = %.40s: %s", tt.path, tt.value, diff)
		}
		if o.Currency != "NZD" || o.Comments == nil {
			t.Errorf("%s = %.40s: the rest is not read", tt.path, tt.value)
		}
	}
	_, wrong := upstock.ParseOrder([]byte(`{"id":1,"lines":[{"quantity":"x"},{"unitPrice":true}]}`))
	if len(wrong) != 9 {
		t.Errorf("all at once: %v", wrong)
	}
	for _, raw := range []string{"", "null", "7", "[]", "{", `"x"`} {
		if _, wrong := upstock.ParseOrder([]byte(raw)); len(wrong) == 0 {
			t.Errorf("%q is no order", raw)
		}
	}
}

func TestOrderID(t *testing.T) {
	for raw, want := range map[string]int64{`{"id":7}`: 7, `{"id":"7","lines":9}`: 7, `{"id":7,"lines":[`: 0,
		`{"id":"x"}`: 0, `{"id":0}`: 0, `[]`: 0, ``: 0} {
		if got, ok := upstock.OrderID([]byte(raw)); got != want || ok != (want != 0) {
			t.Errorf("%s: %d, %v", raw, got, ok)
		}
	}
}

func TestPageIDs(t *testing.T) {
	page := upstock.Page{Orders: []json.RawMessage{[]byte(`{"id":"7","lines":9}`), []byte(`{"id":0}`)}}
	if got := strings.Join(page.IDs(), " "); got != `7 {"id":0}` {
		t.Error(got)
	}
}

func TestParseEvent(t *testing.T) {
	body := `{"id":"evt_1","type":"order.approved","occurredAt":"2026-03-30T21:15:00Z","supplierId":"3","data":{"order":{"id":42,"lines":"x"},"more":1},"new":[]}`
	e, err := upstock.ParseEvent([]byte(body))
	if err != nil || e.ID != "evt_1" || e.Type != upstock.OrderApproved || e.SupplierID != 3 ||
		string(e.RawOrder) != `{"id":42,"lines":"x"}` ||
		!e.OccurredAt.Equal(time.Date(2026, 3, 30, 21, 15, 0, 0, time.UTC)) {
		t.Errorf("%+v, %v", e, err)
	}
	for _, fine := range []string{
		`{"id":"1","type":"ping","supplierId":3,"data":{}}`,
		`{"id":1,"type":"ping","supplierId":3,"occurredAt":"?","data":null}`,
		`{"id":"1","type":"customer.matched","supplierId":3,"data":{"customer":{}}}`,
		`{"type":"ping","supplierId":3}`,
		`{"id":{"a":1},"type":"ping","supplierId":3,"occurredAt":[1]}`,
	} {
		if _, err := upstock.ParseEvent([]byte(fine)); err != nil {
			t.Errorf("%s: %v", fine, err)
		}
	}
	for _, bad := range []string{
		``, `""`, `null`, `[]`, `{`, `{"id":"1","supplierId":3}`, `{"id":"1","type":"ping"}`,
		`{"id":"1","type":"ping","supplierId":"x"}`,
		`{"id":"1","type":"order.approved","supplierId":3,"data":{}}`,
		`{"id":"1","type":"order.approved","supplierId":3,"data":{"order":null}}`,
		`{"id":"1","type":"order.approved","supplierId":3,"data":[]}`,
	} {
		if e, err := upstock.ParseEvent([]byte(bad)); err == nil {
			t.Errorf("%s: %+v", bad, e)
		}
	}
}

func TestDate(t *testing.T) {
	var d upstock.Date
	if err := d.UnmarshalText([]byte("2026-04-05")); err != nil || d.String() != "2026-04-05" {
		t.Error(d, err)
	}
	auckland := time.FixedZone("NZST", 12*3600)
	if got := d.In(auckland).Format(time.RFC3339); got != "2026-04-05T00:00:00+12:00" {
		t.Error(got)
	}
	if upstock.DateOf(d.In(auckland)) != d || (upstock.Date{}).String() != "" ||
		!(upstock.Date{}).In(auckland).IsZero() {
		t.Error("there and back")
	}
}

func TestCalls(t *testing.T) {
	type call struct{ Line, Body string }
	var calls []call
	answers := map[string]string{
		"GET /v1/supplier":                                      `{"id":1,"name":"Kea","currency":"NZD","timeZone":"Pacific/Auckland"}`,
		"GET /v1/orders/42":                                     `{"id":"42","lines":"broken"}`,
		"GET /v1/orders/43":                                     `{"id":42}`,
		"GET /v1/orders?limit=2&status=processing":              `{"orders":[{"id":1},{"id":"x"}],"next":"n2"}`,
		"GET /v1/orders?after=n2&limit=2&status=processing":     `{"orders":[{"id":3}],"next":null}`,
		"GET /v1/orders?after=loop":                             `{"orders":[],"next":"loop"}`,
		"GET /v1/orders?approvedSince=2026-03-30T00%3A00%3A00Z": `{"nothing":1}`,
		"PUT /v1/orders/42/external":                            `{}`,
		"PUT /v1/orders/42/shipments/a%2Fb":                     `{}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		line := r.Method + " " + r.URL.RequestURI()
		calls = append(calls, call{line, string(body)})
		answer, ok := answers[line]
		switch {
		case r.Header.Get("Authorization") != "Bearer token":
			w.WriteHeader(http.StatusUnauthorized)
		case !ok:
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(map[string]int{"/v1/orders/1": 404, "/v1/orders/2/external": 409,
				"/v1/orders/3/external": 422, "/v1/orders/4/external": 429}[r.URL.Path])
			answer = `{"error":{"code":"x","message":"That went wrong.","details":[{"field":"number","message":"too long"}]}}`
		}
		_, _ = io.WriteString(w, answer)
	}))
	defer server.Close()
	c := upstock.New(server.URL+"/v1", server.Client().Transport, nil, "token")
	ctx := t.Context()

	if s, err := c.Supplier(ctx); err != nil || s.TimeZone != "Pacific/Auckland" {
		t.Error(s, err)
	}
	if raw, err := c.Order(ctx, 42); err != nil || string(raw) != answers["GET /v1/orders/42"] {
		t.Errorf("%s, %v", raw, err)
	}
	if _, err := c.Order(ctx, 43); rest.KindOf(err) != rest.Unavailable {
		t.Error(err)
	}
	if _, err := c.Order(ctx, 1); rest.KindOf(err) != rest.NotFound ||
		cmp.Diff([]string{"That went wrong.", "number: too long"}, rest.MessagesOf(err)) != "" {
		t.Error(err, rest.MessagesOf(err))
	}
	var ids []string
	for raw, err := range c.Orders(ctx, upstock.OrdersQuery{Status: upstock.StatusProcessing, Limit: 2}) {
		ids = append(ids, fmt.Sprint(string(raw), err))
	}
	if diff := cmp.Diff([]string{`{"id":1}<nil>`, `{"id":"x"}<nil>`, `{"id":3}<nil>`}, ids); diff != "" {
		t.Error(diff)
	}
	for raw, err := range c.Orders(ctx, upstock.OrdersQuery{After: "loop"}) {
		if raw != nil || rest.KindOf(err) != rest.Unavailable {
			t.Error(raw, err)
		}
	}
	if _, err := c.OrdersPage(ctx, upstock.OrdersQuery{ApprovedSince: time.Date(2026, 3, 30, 0, 0, 0, 0,
		time.UTC)}); rest.KindOf(err) != rest.Unavailable {
		t.Error(err)
	}
	e := upstock.External{System: "cin7core", Number: "SO-00042"}
	if err := c.PutExternal(ctx, 42, e); err != nil ||
		calls[len(calls)-1].Body != `{"system":"cin7core","number":"SO-00042"}` {
		t.Error(err, calls[len(calls)-1])
	}
	for order, want := range map[int64]rest.Kind{2: rest.Conflict, 3: rest.Invalid, 4: rest.Throttled} {
		if err := c.PutExternal(ctx, order, e); rest.KindOf(err) != want || rest.OutcomeOf(err) != rest.Refused {
			t.Error(order, err)
		}
	}
	s := upstock.Shipment{ShippedAt: time.Date(2026, 4, 1, 13, 0, 0, 0, time.FixedZone("NZDT", 13*3600)),
		Tracking: "https://track.test/1", Complete: true}
	if err := c.PutShipment(ctx, 42, "a/b", s); err != nil ||
		calls[len(calls)-1].Body != `{"shippedAt":"2026-04-01T00:00:00Z","tracking":"https://track.test/1","complete":true}` {
		t.Error(err, calls[len(calls)-1])
	}
	if _, err := upstock.New(server.URL, nil, nil, "other").Supplier(ctx); rest.KindOf(err) != rest.Unauthorized {
		t.Error(err)
	}
}

func FuzzParseOrder(f *testing.F) {
	f.Add([]byte(order))
	f.Add([]byte(`{"id":"1","lines":[{"quantity":1e99,"unitPrice":"1e-99"}],"freight":{"amount":"1e999999999"},"totals":{}}`))
	f.Add([]byte(`{"lines":{"a":[]},"comments":[null]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		o, wrong := upstock.ParseOrder(raw)
		for _, w := range wrong {
			if w.Message == "" {
				t.Error("a fault without words")
			}
		}
		for _, l := range o.Lines {
			if len(wrong) == 0 && (!l.Quantity.IsPositive() || l.UnitPrice.LessThan(decimal.Zero)) {
				t.Errorf("%+v passed", l)
			}
		}
		if s := o.Totals().Total.String(); len(s) > 2000 {
			t.Errorf("a total of %d digits", len(s))
		}
		_, _ = upstock.OrderID(raw)
	})
}

func FuzzParseEvent(f *testing.F) {
	f.Add([]byte(`{"id":"evt_1","type":"order.approved","supplierId":3,"data":{"order":` + order + `}}`))
	f.Add([]byte(`{"id":"1","type":"ping","supplierId":"3"}`))
	f.Add([]byte(`""`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := upstock.ParseEvent(body)
		if err != nil {
			return
		}
		if e.Type == "" || e.RawOrder != nil && !json.Valid(e.RawOrder) || !json.Valid(body) {
			t.Errorf("%+v", e)
		}
	})
}
