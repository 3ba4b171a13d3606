package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/sim"
	simcin7core "stockbridge/internal/sim/cin7core"
	simupstock "stockbridge/internal/sim/upstock"
)

// The time and the dates of the events are fixed, so that writing them again changes nothing.
var (
	eventTime = time.UnixMilli(1795140900000).UTC() // 2026-11-20T02:15:00Z
	stamps    = regexp.MustCompile(`"approvedAt":"[^"]*"`)
	days      = regexp.MustCompile(`"(orderDate|deliveryDate)":"[^"]*"`)
)

// writeEvents writes the directory events/ anew.
func writeEvents(args []string, out io.Writer) error {
	if len(args) > 0 {
		return errors.New("usage: events")
	}
	files, err := eventFiles()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		file := filepath.Join("events", name)
		if have, err := os.ReadFile(file); err == nil && bytes.Equal(have, files[name]) {
			continue
		}
		if err := os.WriteFile(file, files[name], 0o644); err != nil {
			return err
		}
		fmt.Fprintln(out, "written:", file)
	}
	return nil
}

// eventFiles makes what belongs into events/, by file name: an event or more for each function, all of them of the demo
// tenant, and the environment that SAM gives to the functions.
func eventFiles() (map[string][]byte, error) {
	docs := map[string]any{"env.json": samEnvironment()}
	if err := webhookEvents(docs); err != nil {
		return nil, err
	}
	queueEvents(docs)
	consoleEvents(docs)
	for name, job := range map[string]string{"schedule.json": "orders", "schedule-shipments.json": "shipments"} {
		docs[name] = json.RawMessage(scheduled(job, eventTime, "0e5f1c9a-demo"))
	}
	files := map[string][]byte{}
	for name, doc := range docs {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(doc); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		files[name] = b.Bytes()
	}
	return files, nil
}

// samEnvironment is what sam local gives to the functions, by their names in the template. What all of them need stands
// with each, so that a function's part can be read alone.
func samEnvironment() map[string]map[string]string {
	const emulator, simulators = "http://host.docker.internal:4566", "http://host.docker.internal:8081"
	all := map[string]map[string]string{}
	for function := range timeouts() {
		vars := map[string]string{
			"TABLE": "stockbridge", "KMS_KEY_ID": "alias/stockbridge", "AWS_ENDPOINT_URL": emulator, "STORE": "", "LOG_LEVEL": "info",
		}
		for _, queue := range []string{"orders", "jobs", "shipments"} {
			vars[strings.ToUpper(queue)+"_QUEUE_URL"] = emulator + "/" + account + "/" + queue
		}
		for name, path := range vendorPaths {
			vars[name] = simulators + path
		}
		all[function] = vars
	}
	all["ConsoleFunction"]["API_TOKEN"] = demoToken
	for _, function := range []string{"ConsoleFunction", "ShipmentsFunction"} {
		all[function]["PUBLIC_URL"] = "http://127.0.0.1:3000"
	}
	return all
}

// webhookEvents are the demo's orders as the simulators make them of its seed: else nothing in them would be known.
func webhookEvents(docs map[string]any) error {
	up := simupstock.New()
	s, err := sim.New(sim.Options{Seed: demoSeed}, up, simcin7core.New(simcin7core.Options{}))
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := demoStock(s, up); err != nil {
		return err
	}
	const happened = `"type":%q,"occurredAt":"2026-11-20T02:15:00.000Z","supplierId":1,"data":%s}`
	for i, name := range []string{"webhook-first.json", "webhook.json"} {
		o, err := up.Order(120001 + i)
		if err != nil {
			return err
		}
		order := stamps.ReplaceAllString(string(o.JSON), `"approvedAt":"2026-11-20T02:15:00.000Z"`)
		order = days.ReplaceAllString(order, `"$1":"2026-11-23"`)
		id := fmt.Sprintf("msg_demo%d", i+1)
		docs[name] = upstockPost(id, "fresh", fmt.Sprintf(`{"id":%q,`+happened, id, "order.approved", `{"order":`+order+`}`))
	}
	ping := fmt.Sprintf(`{"id":"msg_demo3",`+happened, "ping", "{}")
	docs["webhook-ping.json"] = upstockPost("msg_demo3", "fresh", ping)
	docs["webhook-forged.json"] = upstockPost("msg_demo3", "v1,bm90IGEgc2lnbmF0dXJlIGF0IGFsbCwgc29ycnkhISE=", ping)

	// What Cin7 Core sends of the first sale: nothing is signed, its bearer token is all.
	hint := fmt.Sprintf(`{"SaleTaskID":"0B1C2D3E-0000-4000-8000-000000000001","TenantID":%q,"OrderNumber":"SO-00001",`+
		`"CustomerName":"Harbourside Grocers","CustomerContactName":"Ngaire Pohatu",`+
		`"CustomerContactEmail":"orders@harbourside.example","EventType":"Sale/ShipmentAuthorised"}`,
		strings.ToUpper(s.Accounts()[0].Cin7Core.AccountID))
	bearers := map[string]string{"webhook-cin7core.json": demoBearer, "webhook-cin7core-forged.json": "somebody-elses"}
	for name, bearer := range bearers {
		docs[name] = hookPost("/webhooks/cin7core/"+demoCoreHook, hint, "", map[string]string{"authorization": "Bearer " + bearer})
	}
	return nil
}

func upstockPost(id, signature, body string) httpEvent {
	const agent = "Upstock-Webhooks/1"
	return hookPost("/webhooks/upstock/"+demoHook, body, agent, map[string]string{"user-agent": agent,
		"webhook-id": id, "webhook-timestamp": fmt.Sprint(eventTime.Unix()), "webhook-signature": signature})
}

func hookPost(path, body, agent string, headers map[string]string) httpEvent {
	ev := httpOf("POST", path, "ANY /webhooks/{proxy+}", "hooks.example.com", headers)
	ev.Headers["content-type"] = "application/json"
	ev.calledBy("demo-1", "192.0.2.10", agent)
	ev.PathParameters = map[string]string{"proxy": strings.TrimPrefix(path, "/webhooks/")}
	ev.Body = body
	return ev
}

// httpOf is a request as API Gateway hands it on.
func httpOf(method, path, route, host string, headers map[string]string) httpEvent {
	all := maps.Clone(headers)
	all["host"] = host
	return httpEvent{Version: "2.0", RouteKey: route, RawPath: path, Headers: all, RequestContext: httpContext{
		AccountID: account, APIID: "demo", DomainName: host, RouteKey: route, Stage: "$default",
		HTTP: httpCall{Method: method, Path: path, Protocol: "HTTP/1.1"},
		Time: eventTime.Format("02/Jan/2006:15:04:05 -0700"), TimeEpoch: eventTime.UnixMilli(),
	}}
}

func (ev *httpEvent) calledBy(request, address, agent string) {
	c := &ev.RequestContext
	c.RequestID, c.HTTP.SourceIP, c.HTTP.UserAgent = request, address, agent
}

// consoleEvents are an operator's request, one without a token, and the health check.
func consoleEvents(docs map[string]any) {
	const proxied = "ANY /api/{proxy+}"
	get := func(path, query, route, token string) httpEvent {
		const agent = "curl/8.5.0"
		ev := httpOf("GET", path, route, "api.example.com", map[string]string{"user-agent": agent, "accept": "*/*"})
		ev.calledBy("demo-2", "192.0.2.20", agent)
		if token != "" {
			ev.Headers["authorization"] = "Bearer " + token
		}
		if rest, ok := strings.CutPrefix(path, "/api/"); ok {
			ev.PathParameters = map[string]string{"proxy": rest}
		}
		if values, _ := url.ParseQuery(query); len(values) > 0 {
			ev.RawQueryString, ev.Query = query, map[string]string{}
			for name := range values {
				ev.Query[name] = values.Get(name)
			}
		}
		return ev
	}
	docs["console.json"] = get("/api/v1/tenants/"+demoTenant+"/orders", "limit=10", proxied, demoToken)
	docs["console-stranger.json"] = get("/api/v1/tenants", "", proxied, "")
	docs["console-health.json"] = get("/healthz", "", "GET /healthz", "")
}

// queueEvents are batches of one message, in the shape that the runner gives them.
func queueEvents(docs map[string]any) {
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
		ev := newSQSEvent(of.queue, []message{{
			id: "5d4c3b2a-0000-4000-8000-000000000001", handle: "demo-receipt", body: of.body, group: demoTenant,
			sent: eventTime, first: eventTime.Add(100 * time.Millisecond), receives: 1,
		}})
		const region = "ap-southeast-2"
		ev.Records[0].EventSourceARN, ev.Records[0].AWSRegion = "arn:aws:sqs:"+region+":"+account+":"+of.queue, region
		docs[name] = ev
	}
}
