package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"stockbridge/internal/alert"
	"stockbridge/internal/app"
	"stockbridge/internal/cloud"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// A trace is what the functions ask of AWS while the runner works: each has the clients that it would have there, and
// what these send comes to one endpoint, which knows by the access key whose it is. The endpoint keeps nothing: what is
// read, written and sent is read, written and sent by the runner's own parts too, whose answers count.
type trace struct {
	t        *testing.T
	endpoint *httptest.Server
	mu       sync.Mutex
	calls    map[call]bool
	asked    map[string]bool
	said     map[string]string // all that is written anywhere, and where
}

// call is one kind of call: which function makes it, and of what.
type call struct{ Function, Action, Resource, Leading string }

func newTrace(t *testing.T) *trace {
	tr := &trace{t: t, calls: map[call]bool{}, asked: map[string]bool{},
		said: map[string]string{}}
	tr.endpoint = httptest.NewServer(tr)
	t.Cleanup(tr.endpoint.Close)
	return tr
}

// apart gives a function its clients, see options.apart.
func (tr *trace) apart(function string, d app.Deps) app.Deps {
	vars := map[string]string{"TABLE": "traced-table", "KMS_KEY_ID": "traced-key", "AWS_REGION": "ap-southeast-2",
		"AWS_ACCESS_KEY_ID": function, "AWS_SECRET_ACCESS_KEY": "none", "AWS_ENDPOINT_URL": tr.endpoint.URL,
		"ALERT_FROM": "alerts@example.com"}
	for _, q := range []app.Queue{app.OrdersQueue, app.CatalogQueue, app.ShipmentsQueue, app.JOORQueue} {
		vars[strings.ToUpper(string(q))+"_QUEUE_URL"] = tr.endpoint.URL + "/" + account + "/" + string(q)
	}
	cfg, err := cloud.ReadConfig(func(name string) string { return vars[name] })
	if err != nil {
		tr.t.Fatal(err)
	}
	far, _, err := cloud.Open(cfg)
	if err != nil {
		tr.t.Fatal(err)
	}
	d.Log = slog.New(slog.NewJSONHandler(sayer{tr, "the log of " + function},
		&slog.HandlerOptions{Level: slog.LevelDebug}))
	d.Table = tracedTable{tr, function, d.Table, far.Table}
	d.Sealer = tracedSealer{tr, function, d.Sealer, far.Sealer}
	send, depth, mailer := d.Send, d.Depth, d.Mailer
	d.Send = func(ctx context.Context, q app.Queue, body []byte, group string, delay time.Duration) error {
		tr.says("a message of "+string(q), string(body))
		tr.also(ctx, function+" send "+string(q), func(ctx context.Context) error {
			return far.Send(ctx, q, body, group, delay)
		})
		return send(ctx, q, body, group, delay)
	}
	d.Depth = func(ctx context.Context, q app.Queue) (app.Depth, error) {
		tr.also(ctx, function+" depth "+string(q), func(ctx context.Context) error {
			_, err := far.Depth(ctx, q)
			return err
		})
		return depth(ctx, q)
	}
	d.Mailer = tracedMailer{tr, function, mailer, cloud.NewMailer(cfg)}
	return d
}

// also makes a call of AWS too, once for each shape that calls have.
func (tr *trace) also(ctx context.Context, shape string, do func(context.Context) error) {
	tr.mu.Lock()
	again := tr.asked[shape]
	tr.asked[shape] = true
	tr.mu.Unlock()
	if again {
		return
	}
	if err := do(context.WithoutCancel(ctx)); err != nil {
		tr.t.Errorf("%s: %v", shape, err)
	}
}

// says notes what is written somewhere.
func (tr *trace) says(where, what string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.said[what] = where
}

// sayer notes what is written to it.
type sayer struct {
	tr    *trace
	where string
}

func (s sayer) Write(p []byte) (int, error) {
	s.tr.says(s.where, string(p))
	return len(p), nil
}

// overheard is a way on which what is answered is noted, but for the simulated vendors, who tell their keys.
type overheard struct {
	tr *trace
	to http.RoundTripper
}

func (o overheard) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := o.to.RoundTrip(r)
	if err != nil || strings.HasPrefix(r.URL.Path, "/sim/") {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))
	o.tr.says("the answer to "+r.Method+" "+r.URL.Path, string(body)+fmt.Sprint(resp.Header))
	return resp, err
}

// leaks are where a secret was written.
func (tr *trace) leaks(secret string) (where []string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for what, at := range tr.said {
		if strings.Contains(what, secret) ||
			strings.Contains(what, base64.StdEncoding.EncodeToString([]byte(secret))) {
			where = append(where, at)
		}
	}
	return where
}

var (
	credential = regexp.MustCompile(`Credential=(\w+)/`)
	leading    = regexp.MustCompile(`^[A-Za-z]+`)
)

// kindOf is what a partition key begins with, which says what its items are.
func kindOf(pk string) string { return leading.FindString(pk) }

// ServeHTTP answers as AWS would where there is nothing, and notes what was asked.
func (tr *trace) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	who := credential.FindStringSubmatch(r.Header.Get("Authorization"))
	if len(who) != 2 {
		tr.t.Errorf("a request that nobody signed: %s", r.URL)
		return
	}
	service, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(body, &doc); err != nil {
		tr.t.Errorf("%s: %v", operation, err)
	}
	note := func(action, resource, leading string) {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		tr.calls[call{who[1], action, resource, leading}] = true
	}
	switch {
	case strings.HasPrefix(service, "DynamoDB"):
		for action, keys := range actions(operation, doc) {
			resource := "table"
			if index := textOf(doc["IndexName"]); index != "" {
				resource = "index/" + index
			}
			for _, pk := range keys {
				note("dynamodb:"+action, resource, kindOf(pk))
			}
		}
		fmt.Fprint(w, "{}")
	case service == "TrentService":
		note("kms:"+operation, "key", "")
		fmt.Fprintf(w, `{"CiphertextBlob":"c2VhbGVk","Plaintext":%q}`, base64.StdEncoding.EncodeToString(make([]byte, 32)))
	case service == "AmazonSQS":
		url := textOf(doc["QueueUrl"])
		note("sqs:"+operation, url[strings.LastIndex(url, "/")+1:], "")
		fmt.Fprint(w, `{"MessageId":"1","Attributes":{"ApproximateNumberOfMessages":"0",`+
			`"ApproximateNumberOfMessagesDelayed":"0","ApproximateNumberOfMessagesNotVisible":"0"}}`)
	case r.URL.Path == "/v2/email/outbound-emails":
		note("ses:SendEmail", "identity", "")
		fmt.Fprint(w, `{"MessageId":"1"}`)
	default:
		tr.t.Errorf("nobody knows the call %s %s", r.URL, r.Header.Get("X-Amz-Target"))
	}
}

func textOf(raw json.RawMessage) (s string) {
	_ = json.Unmarshal(raw, &s)
	return s
}

// actions are those that DynamoDB asks IAM about for an operation, each with the partition keys it is asked for. A
// transaction needs the actions of its parts alone.
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html)
func actions(operation string, doc map[string]json.RawMessage) map[string][]string {
	list := map[string][]string{}
	key := func(action string, raw json.RawMessage) {
		var attributes struct{ PK struct{ S string } }
		_ = json.Unmarshal(raw, &attributes)
		list[action] = append(list[action], attributes.PK.S)
	}
	switch operation {
	case "GetItem", "DeleteItem":
		key(operation, doc["Key"])
	case "PutItem":
		key(operation, doc["Item"])
	case "Query":
		var values struct {
			H struct{ S string } `json:":h"`
		}
		_ = json.Unmarshal(doc["ExpressionAttributeValues"], &values)
		list[operation] = append(list[operation], values.H.S)
	case "BatchGetItem":
		var tables map[string]struct{ Keys []json.RawMessage }
		_ = json.Unmarshal(doc["RequestItems"], &tables)
		for _, k := range tables["traced-table"].Keys {
			key(operation, k)
		}
	case "BatchWriteItem":
		var tables map[string][]struct {
			PutRequest struct{ Item json.RawMessage }
		}
		_ = json.Unmarshal(doc["RequestItems"], &tables)
		for _, put := range tables["traced-table"] {
			key(operation, put.PutRequest.Item)
		}
	case "TransactWriteItems":
		var items []struct {
			Put            *struct{ Item json.RawMessage }
			Delete         *struct{ Key json.RawMessage }
			ConditionCheck *struct{ Key json.RawMessage }
		}
		_ = json.Unmarshal(doc["TransactItems"], &items)
		for _, it := range items {
			switch {
			case it.Put != nil:
				key("PutItem", it.Put.Item)
			case it.Delete != nil:
				key("DeleteItem", it.Delete.Key)
			case it.ConditionCheck != nil:
				key("ConditionCheckItem", it.ConditionCheck.Key)
			}
		}
	default:
		list[operation] = []string{""}
	}
	return list
}

type tracedTable struct {
	tr       *trace
	function string
	own, far table.Table
}

func (t tracedTable) shape(kind string, keys ...string) string {
	for i, k := range keys {
		keys[i] = kindOf(k)
	}
	return t.function + " " + kind + " " + strings.Join(keys, " ")
}

func (t tracedTable) Get(ctx context.Context, keys ...table.Key) ([]table.Item, error) {
	kinds := make([]string, len(keys))
	for i, k := range keys {
		kinds[i] = k.PK
	}
	t.tr.also(ctx, t.shape("get", kinds...), func(ctx context.Context) error {
		_, err := t.far.Get(ctx, keys...)
		return err
	})
	return t.own.Get(ctx, keys...)
}

func (t tracedTable) Query(ctx context.Context, q table.Query) (table.Page, error) {
	t.tr.also(ctx, t.shape("query", q.PK), func(ctx context.Context) error {
		_, err := t.far.Query(ctx, table.Query{PK: q.PK})
		return err
	})
	return t.own.Query(ctx, q)
}

func (t tracedTable) List(ctx context.Context, q table.Query) (table.Entries, error) {
	t.tr.also(ctx, t.shape(fmt.Sprint("list ", q.Group), q.PK), func(ctx context.Context) error {
		_, err := t.far.List(ctx, table.Query{PK: q.PK, Group: q.Group})
		return err
	})
	return t.own.List(ctx, q)
}

func (t tracedTable) Write(ctx context.Context, ops ...table.Op) error {
	kinds := make([]string, len(ops))
	what := "write"
	for i, o := range ops {
		kinds[i] = o.Item.PK
		what += fmt.Sprint(" ", o.Kind)
	}
	for _, o := range ops {
		data, err := table.Unpack(o.Item.Data)
		if err != nil {
			t.tr.t.Errorf("%v: %v", o.Item.Key, err)
		}
		t.tr.says("the item "+o.Item.PK+" "+o.Item.SK, o.Item.PK+" "+o.Item.SK+" "+string(data))
	}
	err := t.own.Write(ctx, ops...)
	if table.Valid(ops...) == nil {
		t.tr.also(ctx, t.shape(what, kinds...), func(ctx context.Context) error { return t.far.Write(ctx, ops...) })
	}
	return err
}

type tracedSealer struct {
	tr       *trace
	function string
	own, far tenant.Sealer
}

func (s tracedSealer) Seal(ctx context.Context, tenant, what string, plain []byte) ([]byte, error) {
	s.tr.also(ctx, s.function+" seal", func(ctx context.Context) error {
		_, err := s.far.Seal(ctx, tenant, what, plain)
		return err
	})
	return s.own.Seal(ctx, tenant, what, plain)
}

func (s tracedSealer) Open(ctx context.Context, tenant, what string, sealed []byte) ([]byte, error) {
	s.tr.also(ctx, s.function+" open", func(ctx context.Context) error {
		_, err := s.far.Open(ctx, tenant, what, sealed)
		return err
	})
	return s.own.Open(ctx, tenant, what, sealed)
}

type tracedMailer struct {
	tr       *trace
	function string
	own, far alert.Mailer
}

func (m tracedMailer) Send(ctx context.Context, e alert.Email) error {
	m.tr.also(ctx, m.function+" mail", func(ctx context.Context) error { return m.far.Send(ctx, e) })
	m.tr.says("an e-mail", e.Subject+e.Text)
	return m.own.Send(ctx, e)
}
