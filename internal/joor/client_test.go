package joor_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/joor"
	"stockbridge/internal/rest"
)

// samples are the vendor's documents; tests that need them are skipped where they are not.
const samples = "../../../shared/vendors/samples/joor/"

func sample(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(samples, name))
	if os.IsNotExist(err) {
		t.Skip("the vendor's samples are not here")
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const token = "a-token-of-joor's"

// canned answers every call with one text, and keeps what was asked.
type canned struct {
	status   int
	body     string
	requests []string // method and address
	sent     []string
	headers  []http.Header
}

func (f *canned) RoundTrip(r *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(r.Body)
	f.requests = append(f.requests, r.Method+" "+r.URL.String())
	f.sent, f.headers = append(f.sent, string(body)), append(f.headers, r.Header)
	return &http.Response{StatusCode: f.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(f.body)),
		Request: r}, nil
}

func newCanned() (*canned, *joor.Client) {
	f := &canned{status: 200}
	return f, joor.New("https://joor.test/", f, nil, token)
}

// shop is a connection with all that is sent.
func shop() joor.Connection {
	at := joor.Address{Code: "101", Line1: "12 Harbour Street", Line2: "Britomart", City: "Auckland",
		Region: "Auckland", PostalCode: "1010", Country: "New Zealand", Phone: "+64 9 555 0101"}
	box := at
	box.Line1, box.Line2, box.PostalCode = "PO Box 55", "", "1140"
	return joor.Connection{Code: "101", Name: "Harbour Street Boutique", Email: "mere@harbourstreet.example",
		Buyer: "Mere Tane", SalesRep: joor.SalesRep{Code: "7"},
		PriceTypes: []joor.PriceType{{Currency: "NZD", Label: "Wholesale"}},
		Billing:    []joor.Address{box}, Shipping: []joor.Address{at}}
}

// TestRequests: what is asked, and with which credential.
func TestRequests(t *testing.T) {
	f, c := newCanned()
	ctx := t.Context()
	c.Upload(ctx, []joor.Connection{shop()})
	c.BulkJob(ctx, "4")
	c.ConnectionsPage(ctx, joor.ConnectionsQuery{})
	c.ConnectionsPage(ctx, joor.ConnectionsQuery{StartFrom: 200, Count: 1})
	c.ByCode(ctx, "A 1/2")
	c.ByID(ctx, "7366001")
	c.Update(ctx, "7366001", shop())
	c.Delete(ctx, "CU-7366")
	want := []string{
		"POST https://joor.test/v2/bulk-connection",
		"GET https://joor.test/v2/bulk-connection/4",
		"GET https://joor.test/v2/connection/?count=100&start_from=0",
		"GET https://joor.test/v2/connection/?count=1&start_from=200",
		"GET https://joor.test/v2/connection/customer_code/A%201%2F2/",
		"GET https://joor.test/v2/connection/7366001/",
		"PUT https://joor.test/v2/connection/7366001",
		"DELETE https://joor.test/v2/connection?customer_code=CU-7366",
	}
	if diff := cmp.Diff(want, f.requests); diff != "" {
		t.Error(diff)
	}
	credential := "OAuth2 " + base64.StdEncoding.EncodeToString([]byte(token))
	for i, h := range f.headers {
		if h.Get("Authorization") != credential || h.Get("Accept") != "application/json" ||
			h.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %v", f.requests[i], h)
		}
	}
	// What nobody could mean is not sent.
	for _, err := range []error{
		func() error { _, err := c.ByCode(ctx, ".."); return err }(),
		func() error { _, err := c.ByID(ctx, "customer_code"); return err }(),
		func() error { _, err := c.BulkJob(ctx, ""); return err }(),
		c.Update(ctx, "", shop()), c.Delete(ctx, ""),
		c.Do(ctx, "GET", "/orders", nil, nil, nil),
	} {
		if rest.KindOf(err) != rest.NotSent {
			t.Error(err)
		}
	}
	if len(f.requests) != len(want) {
		t.Error(f.requests[len(want):])
	}
	for base, want := range map[string]string{"https://joor.test/v2": "https://joor.test/v2/bulk-connection/4",
		"https://joor.test/x/v2/": "https://joor.test/x/v2/bulk-connection/4"} {
		f := &canned{status: 200}
		joor.New(base, f, nil, token).BulkJob(ctx, "4")
		if len(f.requests) != 1 || f.requests[0] != "GET "+want {
			t.Errorf("%s: %v", base, f.requests)
		}
	}
}

// TestAnswers: what each answer stands for.
func TestAnswers(t *testing.T) {
	f, c := newCanned()
	ctx := t.Context()
	calls := map[string]func() error{
		"upload": func() error { _, err := c.Upload(ctx, []joor.Connection{shop()}); return err },
		"job":    func() error { _, err := c.BulkJob(ctx, "4"); return err },
		"page":   func() error { _, err := c.ConnectionsPage(ctx, joor.ConnectionsQuery{}); return err },
		"one":    func() error { _, err := c.ByCode(ctx, "101"); return err },
		"update": func() error { return c.Update(ctx, "1", shop()) },
		"delete": func() error { return c.Delete(ctx, "101") },
	}
	wrap := map[string]string{"upload": "bulk_connections", "job": "bulk_connections", "page": "connections",
		"one": "connections", "update": "connections", "delete": ""}
	refusal := `{"response":{"code":7,"comment":"Price label is not known: ` + token + `","log_id":"b-12"}}`
	for name, call := range calls {
		for _, tt := range []struct {
			status  int
			body    string
			outcome rest.Outcome
			kind    rest.Kind
		}{
			{200, refusal, rest.Refused, rest.Invalid},
			{400, refusal, rest.Refused, rest.Invalid},
			{401, refusal, rest.Refused, rest.Unauthorized},
			{404, refusal, rest.Refused, rest.NotFound},
			{429, "", rest.Refused, rest.Throttled},
			{503, refusal, rest.Unknown, rest.Unavailable},
			{200, `<html>please wait</html>`, rest.Unknown, rest.Unavailable},
			{200, `{}`, rest.Unknown, rest.Unavailable},
			{200, `[]`, rest.Unknown, rest.Unavailable},
			{200, `{"response":{"comment":"no code"}}`, rest.Unknown, rest.Unavailable},
			{200, ``, rest.Unknown, rest.Unavailable},
		} {
			f.status, f.body = tt.status, tt.body
			if node := wrap[name]; node != "" && strings.HasPrefix(tt.body, `{"r`) {
				f.body = fmt.Sprintf(`{%q:%s}`, node, tt.body)
			}
			err := call()
			if rest.OutcomeOf(err) != tt.outcome || rest.KindOf(err) != tt.kind {
				t.Errorf("%s: %d %s: %v", name, tt.status, tt.body, err)
			}
			if text := fmt.Sprint(err, rest.MessagesOf(err)); strings.Contains(text, token) {
				t.Errorf("%s: the token is in %s", name, text)
			}
			if tt.body == refusal && (!strings.Contains(fmt.Sprint(err), `code 7, log id "b-12"`) ||
				fmt.Sprint(rest.MessagesOf(err)) != "[Price label is not known: [redacted]]") {
				t.Errorf("%s: %v %v", name, err, rest.MessagesOf(err))
			}
		}
	}
	// There is no such record, in three ways of saying it.
	f.status = 200
	for _, body := range []string{`{"connections":{"response":{"code":0,"log_id":"b"},"connections":[]}}`,
		`{"connections":{"response":{"code":0,"log_id":"b"}}}`,
		`{"connections":{"response":{"code":21,"comment":"Connection not found","log_id":"b"}}}`,
		`{"connections":{"response":{"code":0},"connections":[{"customer_code":"102"}]}}`} {
		f.body = body
		if err := calls["one"](); rest.KindOf(err) != rest.NotFound || rest.OutcomeOf(err) != rest.Refused {
			t.Errorf("%s: %v", body, err)
		}
	}
	// Answers that name something else than was asked for.
	for name, body := range map[string]string{
		"upload": `{"bulk_connections":{"response":{"code":0}}}`,
		"page":   `{"connections":{"response":{"code":0,"start_from":50,"next_start":100}}}`,
		"delete": `{"response":{"code":0},"connection":{"connection_deleted":{"customer_code":"102"}}}`,
	} {
		f.body = body
		if err := calls[name](); rest.OutcomeOf(err) != rest.Unknown {
			t.Errorf("%s: %s: %v", name, body, err)
		}
	}
	f.body = `{"bulk_connections":{"response":{"code":0},"bulk_connections_jobs":[{"bulk_connections_job_id":5}]}}`
	if err := calls["job"](); rest.KindOf(err) != rest.NotFound {
		t.Error(err)
	}
}

// TestNodes: the nodes of an answer are read as lists and as objects that hold one.
func TestNodes(t *testing.T) {
	f, c := newCanned()
	const one = `{"customer_account_id":7366001,"customer_code":"101","customer_alias":"Harbour Street Boutique",` +
		`"customer_contact_name":"HARBOUR STREET","sales_rep_code":7,"customer_group_code":"RET",` +
		`"warehouses":%s,"billing":{"billing_addresses":%s},"price_types":%s,"shipping":null,` +
		`"payment_methods":{"payment_method":{"name":"Net 30","code":"N30"}}}`
	const house, address, price = `{"warehouse_name":"Main","warehouse_code":"MAIN"}`,
		`{"billing_address_id":1,"billing_code":"101","address_1":"PO Box 55","state":"Auckland"}`,
		`{"price_currency":"NZD","price_label":"Wholesale"}`
	want := joor.Connection{ID: "7366001", Code: "101", Name: "Harbour Street Boutique", Retailer: "HARBOUR STREET",
		SalesRep: joor.SalesRep{Code: "7"}, Group: joor.Named{Code: "RET"},
		Warehouses:     []joor.Named{{Name: "Main", Code: "MAIN"}},
		Billing:        []joor.Address{{ID: "1", Code: "101", Line1: "PO Box 55", Region: "Auckland"}},
		PriceTypes:     []joor.PriceType{{Currency: "NZD", Label: "Wholesale"}},
		PaymentMethods: []joor.Named{{Name: "Net 30", Code: "N30"}}}
	asList := fmt.Sprintf(one, "["+house+"]", "["+address+"]", "["+price+"]")
	asNode := fmt.Sprintf(one, `{"warehouse":[`+house+`]}`, `{"billing_address":`+address+`}`, price)
	for _, all := range []string{"[" + asList + "]", `{"connection":[` + asNode + `]}`, `{"connection":` + asNode + `}`} {
		f.body = `{"connections":{"response":{"code":"0","next_start":null},"connections":` + all + `}}`
		got, err := c.ConnectionsPage(t.Context(), joor.ConnectionsQuery{})
		if diff := cmp.Diff(joor.Page{Connections: []joor.Connection{want}}, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", all, err, diff)
		}
	}
	f.body = `{"connections":{"response":{"code":0},"connections":[{"customer_code":"1"},{"customer_code":"2"}]}}`
	n := 0
	for _, err := range c.Connections(t.Context(), joor.ConnectionsQuery{Count: 2}) {
		if n++; err != nil && (rest.OutcomeOf(err) != rest.Unknown || n != 3) || n > 3 {
			t.Fatal(n, err) // the same page again, as if there were no parameters
		}
	}
}

func TestSamples(t *testing.T) {
	f, c := newCanned()
	ctx := t.Context()
	f.body = string(sample(t, "joor-v2-connection-get-PARTLY-INFERRED.json"))
	got, err := c.ByCode(ctx, "101")
	want := joor.Connection{ID: "7366001", Code: "101", Name: "Harbour Street Boutique", Retailer: "HARBOUR STREET",
		Email: "mere@harbourstreet.example", Buyer: "Mere Tane", Group: joor.Named{Name: "Retail", Code: "RET"},
		SalesRep: joor.SalesRep{Code: "7"}, Warehouses: []joor.Named{{Name: "Main", Code: "MAIN"}},
		Billing: []joor.Address{{ID: "1", Code: "101"}}, Shipping: []joor.Address{{ID: "1", Code: "101"}}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	at := time.Date(2016, 7, 15, 19, 35, 36, 0, time.UTC)
	job := joor.BulkJob{ID: "4", Status: joor.Finished, Created: at, Modified: at.Add(time.Second), Records: 142,
		Progress: 142}
	f.body = string(sample(t, "joor-v2-bulk-connection-job-finished.json"))
	if got, err := c.BulkJob(ctx, "4"); err != nil || got != job || !got.IsFinished() {
		t.Errorf("%+v, %v", got, err)
	}
	job.Status, job.Progress = joor.Queued, 0
	f.body = string(sample(t, "joor-v2-bulk-connection-accepted-INFERRED.json"))
	if got, err := c.Upload(ctx, []joor.Connection{shop()}); err != nil || got != job || got.IsFinished() {
		t.Errorf("%+v, %v", got, err)
	}
	var sent, wanted any
	err = errors.Join(json.Unmarshal([]byte(f.sent[len(f.sent)-1]), &sent),
		json.Unmarshal(sample(t, "joor-v2-bulk-connection-request-INFERRED.json"), &wanted))
	if diff := cmp.Diff(wanted, sent); diff != "" || err != nil {
		t.Error(err, diff)
	}
	f.body = string(sample(t, "joor-v2-connection-delete-response.json"))
	if err := c.Delete(ctx, "CU-7366"); err != nil {
		t.Error(err)
	}
}
