package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"stockbridge/internal/app"
	"stockbridge/internal/sim"
)

var update = flag.Bool("update", false, "write the events anew")

const root = "../.."

// The dates of the events are fixed, so that writing them again changes nothing else.
var (
	stamps = regexp.MustCompile(`"approvedAt":"[^"]*"`)
	days   = regexp.MustCompile(`"(orderDate|deliveryDate)":"[^"]*"`)
)

// TestWebhookEvents holds the orders in the webhook events to what the
// simulators make of the demo's seed: else nothing in them would be known.
func TestWebhookEvents(t *testing.T) {
	s, err := sim.New(sim.Options{Seed: demoSeed})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := demoStock(s); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"webhook-first.json", "webhook.json"} {
		o, err := s.Order(120001 + i)
		if err != nil {
			t.Fatal(err)
		}
		order := stamps.ReplaceAllString(string(o.JSON), `"approvedAt":"2026-11-20T02:15:00.000Z"`)
		order = days.ReplaceAllString(order, `"$1":"2026-11-23"`)
		body := fmt.Sprintf(`{"id":"msg_demo%d","type":"order.approved","occurredAt":"2026-11-20T02:15:00.000Z","supplierId":1,"data":{"order":%s}}`, i+1, order)
		eventFile(t, name, httpPost("/webhooks/upstock/"+demoHook, fmt.Sprintf("msg_demo%d", i+1), "fresh", body))
	}
	ping := `{"id":"msg_demo3","type":"ping","occurredAt":"2026-11-20T02:15:00.000Z","supplierId":1,"data":{}}`
	eventFile(t, "webhook-ping.json", httpPost("/webhooks/upstock/"+demoHook, "msg_demo3", "fresh", ping))
	eventFile(t, "webhook-forged.json", httpPost("/webhooks/upstock/"+demoHook, "msg_demo3", "v1,bm90IGEgc2lnbmF0dXJlIGF0IGFsbCwgc29ycnkhISE=", ping))

	// What Cin7 Core sends of the first sale: nothing is signed, its bearer token is all.
	hint := fmt.Sprintf(`{"SaleTaskID":"0B1C2D3E-0000-4000-8000-000000000001","TenantID":%q,"OrderNumber":"SO-00001","CustomerName":"Harbourside Grocers","CustomerContactName":"Ngaire Pohatu","CustomerContactEmail":"orders@harbourside.example","EventType":"Sale/ShipmentAuthorised"}`,
		strings.ToUpper(s.Accounts()[0].Cin7Core.AccountID))
	for name, bearer := range map[string]string{"webhook-cin7core.json": demoBearer, "webhook-cin7core-forged.json": "somebody-elses"} {
		ev := httpPost("/webhooks/cin7core/"+demoCoreHook, "", "", hint)
		ev.Headers = map[string]string{"content-type": "application/json", "host": "hooks.example.com", "authorization": "Bearer " + bearer}
		ev.RequestContext.HTTP.UserAgent = ""
		eventFile(t, name, ev)
	}
}

// TestQueueEvents holds the files of queues' events to the shape that the runner gives them.
func TestQueueEvents(t *testing.T) {
	for name, of := range map[string]struct{ queue, body string }{
		"orders.json":              {"orders", `{"tenant":"demo","order":"120001","origin":"webhook"}`},
		"orders-unknown.json":      {"orders", `{"tenant":"demo","order":"999999","origin":"sweep"}`},
		"catalog.json":             {"jobs", `{"job":"mirror","tenant":"demo"}`},
		"shipments.json":           {"shipments", `{"job":"shipments","tenant":"demo"}`},
		"shipments-reconcile.json": {"shipments", `{"job":"reconcile","tenant":"demo"}`},
		"shipments-webhooks.json":  {"shipments", `{"job":"webhooks","tenant":"demo"}`},
		"deadletters.json":         {"orders-dead", `{"tenant":"demo","order":"120001","origin":"webhook"}`},
		"deadletters-job.json":     {"shipments-dead", `{"job":"shipments","tenant":"demo","at":"2026-11-20T02:15:00Z"}`},
	} {
		at := time.UnixMilli(1795140900000)
		ev := newSQSEvent(of.queue, []message{{id: "5d4c3b2a-0000-4000-8000-000000000001", handle: "demo-receipt", body: of.body, group: demoTenant, sent: at, first: at.Add(100 * time.Millisecond), receives: 1}})
		ev.Records[0].EventSourceARN, ev.Records[0].AWSRegion = "arn:aws:sqs:ap-southeast-2:"+account+":"+of.queue, "ap-southeast-2"
		eventFile(t, name, ev)
	}
}

func httpPost(path, id, signature, body string) httpEvent {
	return httpEvent{
		Version: "2.0", RouteKey: "ANY /webhooks/{proxy+}", RawPath: path,
		Headers: map[string]string{"content-type": "application/json", "host": "hooks.example.com", "user-agent": "Upstock-Webhooks/1",
			"webhook-id": id, "webhook-timestamp": "1795140900", "webhook-signature": signature},
		RequestContext: httpContext{AccountID: account, APIID: "demo", DomainName: "hooks.example.com", RequestID: "demo-1", RouteKey: "ANY /webhooks/{proxy+}", Stage: "$default",
			HTTP: httpCall{"POST", path, "HTTP/1.1", "192.0.2.10", "Upstock-Webhooks/1"}, Time: "20/Nov/2026:02:15:00 +0000", TimeEpoch: 1795140900000},
		PathParameters: map[string]string{"proxy": strings.TrimPrefix(path, "/webhooks/")}, Body: body,
	}
}

func eventFile(t *testing.T, name string, ev any) {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(ev); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(root, "events", name)
	if *update {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(file); err != nil || !bytes.Equal(have, b.Bytes()) {
		t.Errorf("%s is not what the simulators make of the seed (%v): run this test with -update", name, err)
	}
}

// TestReadEvent: a fresh event is signed as of now, for the secret that seed
// stores; others are left alone.
func TestReadEvent(t *testing.T) {
	data, err := readEvent(filepath.Join(root, "events/webhook.json"))
	if err != nil {
		t.Fatal(err)
	}
	var ev httpEvent
	if err := json.Unmarshal(data, &ev); err != nil {
		t.Fatal(err)
	}
	var secs int64
	fmt.Sscan(ev.Headers["webhook-timestamp"], &secs)
	want, err := sign(demoSecret, ev.Headers["webhook-id"], time.Unix(secs, 0), []byte(ev.Body))
	if err != nil || ev.Headers["webhook-signature"] != want || time.Since(time.Unix(secs, 0)) > time.Minute {
		t.Errorf("signature %q at %d, want %q (%v)", ev.Headers["webhook-signature"], secs, want, err)
	}
	if !strings.Contains(ev.Body, `"approvedAt":"`+time.Now().UTC().Format("2006-01-02")) {
		t.Errorf("the order is not approved today")
	}
	if !strings.Contains(ev.Body, "Kererū") {
		t.Errorf("the order's text did not survive: %s", ev.Body)
	}
	forged, err := readEvent(filepath.Join(root, "events/webhook-forged.json"))
	onDisk, _ := os.ReadFile(filepath.Join(root, "events/webhook-forged.json"))
	if err != nil || !bytes.Equal(forged, onDisk) {
		t.Errorf("a signature that is not to be made fresh was changed (%v)", err)
	}
}

// TestSign: the example of the Standard Webhooks specification.
func TestSign(t *testing.T) {
	got, err := sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; err != nil || got != want {
		t.Errorf("%s %v, want %s", got, err, want)
	}
}

// template is what the tests read of template.yaml.
type template struct {
	Globals struct {
		Function struct {
			Environment struct{ Variables map[string]any }
		}
	}
	Resources map[string]struct {
		Type       string
		Properties struct {
			CodeURI     string
			Timeout     int
			Environment struct{ Variables map[string]any }
			Events      map[string]struct {
				Type       string
				Properties struct {
					Method, Path, ScheduleExpression, Input string
					BatchSize                               int
					FunctionResponseTypes                   []string
				}
			}
			VisibilityTimeout int
			RedrivePolicy     struct {
				MaxReceiveCount int
			}
		}
	}
}

func readTemplate(t *testing.T) template {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var tree any // through JSON, which does not mind the case of names
	if err := yaml.Unmarshal(data, &tree); err != nil {
		t.Fatal(err)
	}
	if data, err = json.Marshal(tree); err != nil {
		t.Fatal(err)
	}
	var doc template
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestTemplate holds the runner to the template: the same functions, routes,
// timeouts, schedules and queues.
func TestTemplate(t *testing.T) {
	doc := readTemplate(t)
	limits, jobs := map[string]time.Duration{}, map[string]time.Duration{}
	var ways []string
	for name, r := range doc.Resources {
		p := r.Properties
		switch r.Type {
		case "AWS::Serverless::Function":
			limits[name] = time.Duration(p.Timeout) * time.Second
			if dir := strings.TrimSuffix(strings.TrimPrefix(p.CodeURI, "functions/"), "/"); !strings.EqualFold(dir+"Function", name) {
				t.Errorf("%s is in %s", name, p.CodeURI)
			}
		case "AWS::SQS::Queue":
			if !strings.HasSuffix(name, "DeadLetters") && (p.VisibilityTimeout != 360 || p.RedrivePolicy.MaxReceiveCount != 5) {
				t.Errorf("%s: visibility %d, receives %d", name, p.VisibilityTimeout, p.RedrivePolicy.MaxReceiveCount)
			}
		}
		for _, e := range p.Events {
			switch e.Type {
			case "HttpApi":
				ways = append(ways, e.Properties.Method+" "+e.Properties.Path+" "+name)
			case "SQS":
				if !slices.Equal(e.Properties.FunctionResponseTypes, []string{"ReportBatchItemFailures"}) {
					t.Errorf("%s: failed items are not reported", name)
				}
				if p.Timeout*6 > 360 {
					t.Errorf("%s: the timeout is over a sixth of the visibility timeout", name)
				}
			case "ScheduleV2":
				var n int
				var unit string
				fmt.Sscanf(e.Properties.ScheduleExpression, "rate(%d %s", &n, &unit)
				var input map[string]string
				if err := json.Unmarshal([]byte(e.Properties.Input), &input); err != nil {
					t.Errorf("%s: %v", e.Properties.Input, err)
				}
				if have := scheduled(input["job"], time.Now()); !sameKeys(have, input) {
					t.Errorf("the runner sends %s, the template %v", have, input)
				}
				jobs[input["job"]] = time.Duration(n) * map[string]time.Duration{"minute)": time.Minute, "minutes)": time.Minute, "hour)": time.Hour, "hours)": time.Hour}[unit]
			}
		}
	}
	var mine []string
	for _, r := range routes() {
		mine = append(mine, strings.Join(r[:], " "))
	}
	slices.Sort(ways)
	slices.Sort(mine)
	if !slices.Equal(ways, mine) {
		t.Errorf("routes: the template has %v, the runner %v", ways, mine)
	}
	if !maps.Equal(limits, timeouts()) {
		t.Errorf("timeouts: the template has %v, the runner %v", limits, timeouts())
	}
	if !maps.Equal(jobs, app.Schedules()) {
		t.Errorf("schedules: the template has %v, the runner %v", jobs, app.Schedules())
	}
}

func sameKeys(doc []byte, m map[string]string) bool {
	var have map[string]string
	return json.Unmarshal(doc, &have) == nil && slices.Equal(slices.Sorted(maps.Keys(have)), slices.Sorted(maps.Keys(m)))
}

// TestEnvironmentFile: SAM hands on only variables that the template names.
func TestEnvironmentFile(t *testing.T) {
	doc := readTemplate(t)
	data, err := os.ReadFile(filepath.Join(root, "events/env.json"))
	if err != nil {
		t.Fatal(err)
	}
	var env map[string]map[string]string
	if err := json.Unmarshal(data, &env); err != nil {
		t.Fatal(err)
	}
	for name := range timeouts() {
		if env[name] == nil {
			t.Errorf("env.json has nothing for %s", name)
		}
	}
	for name, vars := range env {
		for v := range vars {
			_, global := doc.Globals.Function.Environment.Variables[v]
			if _, own := doc.Resources[name].Properties.Environment.Variables[v]; !global && !own {
				t.Errorf("env.json: %s of %s is not in the template", v, name)
			}
		}
	}
}
