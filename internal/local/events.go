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

	"stockbridge/internal/app"
	"stockbridge/internal/sim"
	simcin7core "stockbridge/internal/sim/cin7core"
	simupstock "stockbridge/internal/sim/upstock"
)

// The time and the dates in the events are fixed, so that writing them again changes nothing.
var (
	eventTime = time.UnixMilli(1795140900000).UTC() // 2026-11-20T02:15:00Z
	stamps    = regexp.MustCompile(`"approvedAt":"[^"]*"`)
	days      = regexp.MustCompile(`"(orderDate|deliveryDate)":"[^"]*"`)
)

// writeEvents writes the files of the directory events/ that are not up to date.
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

// eventFiles makes the files of events/, by name: one or more events for each function, all of the demo tenant, and the
// environment that SAM gives the functions.
func eventFiles() (map[string][]byte, error) {
	docs := map[string]any{"env.json": samEnvironment()}
	if err := webhookEvents(docs); err != nil {
		return nil, err
	}
	queueEvents(docs)
	consoleEvents(docs)
	for name, job := range map[string]string{"schedule.json": "orders", "schedule-shipments.json": "shipments",
		"schedule-alerts.json": "alerts"} {
		docs[name] = json.RawMessage(scheduleEvent(job, eventTime, "0e5f1c9a-demo"))
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

// samEnvironment returns the variables that sam local gives the functions, by their names in the template. Each has all
// that it needs, so that a function's part can be read alone.
func samEnvironment() map[string]map[string]string {
	const emulator, simulators = "http://host.docker.internal:4566", "http://host.docker.internal:8081"
	all := map[string]map[string]string{}
	for function := range timeouts() {
		vars := map[string]string{
			"TABLE": "stockbridge", "KMS_KEY_ID": "alias/stockbridge", "AWS_ENDPOINT_URL": emulator, "STORE": "",
			"LOG_LEVEL": "info",
		}
		for _, queue := range []app.Queue{app.OrdersQueue, app.CatalogQueue, app.ShipmentsQueue, app.JOORQueue} {
			vars[strings.ToUpper(string(queue))+"_QUEUE_URL"] = emulator + "/" + account + "/" + string(queue)
		}
		for name, path := range vendorPaths {
			vars[name] = simulators + path
		}
		all[function] = vars
	}
	all["ConsoleFunction"]["API_TOKEN_SHA256"] = operatorHash(demoToken)
	for _, function := range []string{"ConsoleFunction", "CatalogFunction"} {
		all[function]["ALERT_FROM"] = "alerts@stockbridge.test"
		all[function]["CONSOLE_URL"] = "http://127.0.0.1:3000"
	}
	for _, function := range []string{"ConsoleFunction", "ShipmentsFunction"} {
		all[function]["PUBLIC_URL"] = "http://127.0.0.1:3000"
	}
	return all
}

// webhookEvents adds the webhooks of the demo's orders. The simulators make the orders from the demo's seed, so that
// the customers and products in them exist there.
func webhookEvents(docs map[string]any) error {
	up := simupstock.New()
	s, err := sim.New(sim.Options{Seed: demoSeed}, up, simcin7core.New(simcin7core.Options{}))
	if err != nil {
		return err
	}
	defer s.Close()
	if _, err := demoAccount(s, up); err != nil {
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
		body := fmt.Sprintf(`{"id":%q,`+happened, id, "order.approved", `{"order":`+order+`}`)
		docs[name] = upstockWebhook(id, "fresh", body)
	}
	ping := fmt.Sprintf(`{"id":"msg_demo3",`+happened, "ping", "{}")
	docs["webhook-ping.json"] = upstockWebhook("msg_demo3", "fresh", ping)
	docs["webhook-forged.json"] = upstockWebhook("msg_demo3", "v1,bm90IGEgc2lnbmF0dXJlIGF0IGFsbCwgc29ycnkhISE=", ping)

	// What Cin7 Core sends about the first sale: it is not signed, and has only a bearer token.
	hint := fmt.Sprintf(`{"SaleTaskID":"0B1C2D3E-0000-4000-8000-000000000001","TenantID":%q,"OrderNumber":"SO-00001",`+
		`"CustomerName":"Harbourside Grocers","CustomerContactName":"Ngaire Pohatu",`+
		`"CustomerContactEmail":"orders@harbourside.example","EventType":"Sale/ShipmentAuthorised"}`,
		strings.ToUpper(s.Accounts()[0].Cin7Core.AccountID))
	bearers := map[string]string{"webhook-cin7core.json": demoBearer, "webhook-cin7core-forged.json": "somebody-elses"}
	for name, bearer := range bearers {
		headers := map[string]string{"authorization": "Bearer " + bearer}
		docs[name] = webhookEvent("/webhooks/cin7core/"+demoCoreURLToken, hint, "", headers)
	}
	return nil
}

func upstockWebhook(id, signature, body string) httpEvent {
	const agent = "Upstock-Webhooks/1"
	return webhookEvent("/webhooks/upstock/"+demoURLToken, body, agent, map[string]string{"user-agent": agent,
		"webhook-id": id, "webhook-timestamp": fmt.Sprint(eventTime.Unix()), "webhook-signature": signature})
}

func webhookEvent(path, body, agent string, headers map[string]string) httpEvent {
	ev := newRequestEvent("POST", path, "ANY /webhooks/{proxy+}", "hooks.example.com", headers)
	ev.Headers["content-type"] = "application/json"
	ev.setCaller("demo-1", "192.0.2.10", agent)
	ev.PathParameters = map[string]string{"proxy": strings.TrimPrefix(path, "/webhooks/")}
	ev.Body = body
	return ev
}

// newRequestEvent returns a request as API Gateway passes it on.
func newRequestEvent(method, path, route, host string, headers map[string]string) httpEvent {
	all := maps.Clone(headers)
	all["host"] = host
	return httpEvent{Version: "2.0", RouteKey: route, RawPath: path, Headers: all, RequestContext: httpContext{
		AccountID: account, APIID: "demo", DomainName: host, RouteKey: route, Stage: "$default",
		HTTP: httpCall{Method: method, Path: path, Protocol: "HTTP/1.1"},
		Time: eventTime.Format("02/Jan/2006:15:04:05 -0700"), TimeEpoch: eventTime.UnixMilli(),
	}}
}

// setCaller sets the request's id, and the address and user agent of its caller.
func (ev *httpEvent) setCaller(request, address, agent string) {
	c := &ev.RequestContext
	c.RequestID, c.HTTP.SourceIP, c.HTTP.UserAgent = request, address, agent
}

// consoleEvents adds an operator's request, one without a token, and the health check.
func consoleEvents(docs map[string]any) {
	const proxied = "ANY /api/{proxy+}"
	get := func(path, query, route, token string) httpEvent {
		const agent = "curl/8.5.0"
		ev := newRequestEvent("GET", path, route, "api.example.com",
			map[string]string{"user-agent": agent, "accept": "*/*"})
		ev.setCaller("demo-2", "192.0.2.20", agent)
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

// queueEvents adds batches of one message each, as the runner makes them.
func queueEvents(docs map[string]any) {
	for name, of := range map[string]struct{ queue, body string }{
		"orders.json":         {"orders", `{"tenant":"demo","order":"120001","origin":"webhook"}`},
		"orders-unknown.json": {"orders", `{"tenant":"demo","order":"999999","origin":"sweep"}`},
		"catalog.json":        {"catalog", `{"kind":"job","job":"mirror","tenant":"demo"}`},
		"catalog-alerts.json": {"catalog", `{"kind":"job","job":"alerts","tenant":"demo"}`},
		"shipments.json":      {"shipments", `{"kind":"job","job":"shipments","tenant":"demo"}`},

		"joor.json":          {"joor", `{"kind":"job","job":"joor","tenant":"demo"}`},
		"joor-contacts.json": {"joor", `{"kind":"job","job":"contacts","tenant":"demo"}`},

		"catalog-products.json":  {"catalog", `{"kind":"job","job":"products","tenant":"demo"}`},
		"catalog-customers.json": {"catalog", `{"kind":"job","job":"customers","tenant":"demo"}`},
		"catalog-prices.json":    {"catalog", `{"kind":"job","job":"prices","tenant":"demo"}`},

		"shipments-reconcile.json": {"shipments", `{"job":"reconcile","tenant":"demo"}`}, // as an earlier version sent it
		"shipments-webhooks.json":  {"shipments", `{"kind":"job","job":"webhooks","tenant":"demo"}`},
		"deadletters.json":         {"orders-dead", `{"tenant":"demo","order":"120001","origin":"webhook"}`},
		"deadletters-job.json": {"shipments-dead",
			`{"kind":"job","job":"shipments","tenant":"demo","at":"2026-11-20T02:15:00Z"}`},
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
