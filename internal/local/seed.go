package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"stockbridge/internal/app"
	"stockbridge/internal/cloud"
	"stockbridge/internal/sim"
	simupstock "stockbridge/internal/sim/upstock"
)

// The demo tenant of the files in events/. Its secrets are not secret: everybody
// can read them here, and they open only simulators.
const (
	seedDir           = ".local/invoke"
	demoSeed          = "demo" // of the simulators: makes their ids and tokens the same each time
	demoTenant        = "demo"
	demoName          = "Harbour Roasters"
	demoURLToken      = "demodemodemodemodemodemodemodemo"
	demoCoreURLToken  = "corecorecorecorecorecorecorecore"
	demoBearer        = "demo-bearer-of-the-demo-not-real"
	demoSigningSecret = "whsec_c3RvY2ticmlkZ2UgZGVtbyBzZWNyZXQsIG5vdCByZWFs" // "stockbridge demo secret, not real"
	demoToken         = "demo-operator-token"
	demoOrderFile     = "events/webhook-first.json"
)

// seed puts the demo tenant into a store: connected to the simulators, with its
// mirror read, and with one approved order that waits to be worked on.
func seed(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	f := flag.NewFlagSet("seed", flag.ContinueOnError)
	env := f.String("env", "events/env.json", "environment of the functions, in SAM's format; empty = none")
	data := f.String("data", seedDir, "directory of the store and the simulators' state")
	if err := f.Parse(args); err != nil {
		return err
	}
	vars, err := readEnv(*env, "ConsoleFunction")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(*data, 0o700); err != nil {
		return err
	}
	setStore(vars, *data, getenv)
	vars["API_TOKEN_SHA256"] = operatorHash(demoToken) // with which the tenant is connected below
	s, up, err := openSim(options{speed: 1, seed: demoSeed}, filepath.Join(*data, "sim"))
	if err != nil {
		return err
	}
	defer s.Close()
	acc, err := demoAccount(s, up)
	if err != nil {
		return err
	}
	cfg, err := cloud.ReadConfig(func(name string) string {
		if vendorPaths[name] != "" {
			return "http://simulators.test" + vendorPaths[name] // in this process
		}
		return vars[name]
	})
	if err != nil {
		return err
	}
	if err := plantDemo(ctx, cfg, s, acc); err != nil {
		return err
	}
	where := "table " + cfg.Table
	if cfg.Store != "" {
		where = cfg.Store
	}
	fmt.Fprintf(out, "tenant         %s (%s), in %s\nwebhook path   /webhooks/upstock/%s   /webhooks/cin7core/%s\n",
		demoTenant, demoName, where, demoURLToken, demoCoreURLToken)
	fmt.Fprintf(out, "webhook secret %s   bearer %s   (a demonstration's: known to all)\nAPI token      %s\n",
		demoSigningSecret, demoBearer, demoToken)
	return nil
}

// plantDemo writes the demo tenant, reads its mirror and delivers its first order.
func plantDemo(ctx context.Context, cfg cloud.Config, s *sim.Sim, acc sim.Account) error {
	deps, store, err := cloud.Open(cfg)
	if err != nil {
		return err
	}
	defer store.Close()
	deps.HTTP = s.Transport()
	jobs := newQueue(string(app.CatalogQueue), time.Minute, 5, nil)
	deps.Send = func(_ context.Context, q app.Queue, body []byte, group string, delay time.Duration) error {
		if q == app.CatalogQueue {
			return jobs.send(string(body), group, delay)
		}
		return nil // the order waits
	}
	err = cloud.Seed{
		Tenant: demoTenant, Name: demoName, TimeZone: "Pacific/Auckland", Supplier: fmt.Sprint(acc.Upstock.Supplier),
		UpstockToken: acc.Upstock.Token, URLToken: demoURLToken, SigningSecret: demoSigningSecret,
		CoreURLToken: demoCoreURLToken, CoreBearer: demoBearer,
	}.Plant(ctx, deps)
	if err != nil {
		return err
	}
	return connectDemo(ctx, app.New(deps), jobs, demoToken, acc)
}

// connectDemo connects the planted tenant with real keys, reads its mirror and delivers its first order.
func connectDemo(ctx context.Context, a *app.App, jobs *queue, token string, acc sim.Account) error {
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	l := &lambda{functions: functions(a), speed: 1, stop: stop, log: log}
	defer func() { cancel(); l.running.Wait() }() // what is under way needs the store
	srv, err := listen("127.0.0.1:0", l.handler())
	if err != nil {
		return err
	}
	defer srv.close()
	api, base := client{srv.url, token}, "/api/v1/tenants/"+demoTenant+"/connections/"
	in := map[string]string{"token": acc.Upstock.Token, "webhookSecret": demoSigningSecret}
	if err := api.call(ctx, http.MethodPut, base+"upstock", in, nil); err != nil {
		return err
	}
	in = map[string]string{"accountId": acc.Cin7Core.AccountID, "applicationKey": acc.Cin7Core.ApplicationKey}
	if err := api.call(ctx, http.MethodPut, base+"cin7core", in, nil); err != nil {
		return err
	}
	l.running.Go(func() { l.poll(stop, mapping{jobs, "CatalogFunction", 1, 1}) })
	if err := waitForMirror(ctx, api, demoTenant); err != nil {
		return err
	}
	ev, err := readEvent(demoOrderFile)
	if err != nil {
		return err
	}
	answer, err := l.invoke(ctx, "WebhookFunction", ev)
	if err != nil {
		return err
	}
	if !strings.Contains(string(answer), `"statusCode":2`) {
		return fmt.Errorf("webhook: %s", answer)
	}
	return nil
}

// demoAccount makes the simulated account and the orders of the event files, unless they exist.
func demoAccount(s *sim.Sim, up *simupstock.Vendor) (sim.Account, error) {
	if all := s.Accounts(); len(all) > 0 {
		return all[0], nil
	}
	acc := s.AddAccount(demoName, "NZD")
	for _, order := range demoOrders {
		o, err := up.PlaceOrder(acc.Upstock.Supplier, order)
		if err != nil {
			return acc, err
		}
		if _, err := up.Approve(o.ID); err != nil {
			return acc, err
		}
	}
	return acc, nil
}

// demoOrders are the orders of events/webhook-first.json and events/webhook.json.
var demoOrders = []string{
	`{"reference":"PO-2041","customer":{"name":"Harbourside Grocers"},` +
		`"lines":[{"sku":"KWK-100","quantity":"24"},{"sku":"SLT-FLK","quantity":"12"}]}`,
	`{"reference":"PO-2042","customer":{"name":"Kererū Organics"},` +
		`"lines":[{"sku":"HNY-MNK","quantity":"6"},{"sku":"CHC-72","quantity":"48"}],"comments":` +
		`[{"at":"2026-11-20T02:11:00Z","author":"Wiremu Hale","text":"Please leave at the side door."}]}`,
}

// waitForMirror waits until a tenant's reference data has been read.
func waitForMirror(ctx context.Context, api client, tenant string) error {
	var health struct {
		Mirror struct {
			State   string
			Problem *string
		}
	}
	err := until(ctx, 5*time.Minute, 50*time.Millisecond, "reading the reference data", func() (bool, error) {
		err := api.call(ctx, http.MethodGet, "/api/v1/tenants/"+tenant+"/health", nil, &health)
		return health.Mirror.State == "ready", err
	})
	if err != nil && health.Mirror.Problem != nil {
		return errors.Join(err, errors.New(*health.Mirror.Problem))
	}
	return err
}

// readEvent reads an event's file. A webhook event whose signature is "fresh" is
// signed with the demo's secret as of now, and its order is approved now.
func readEvent(file string) ([]byte, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var ev map[string]any
	if err := json.Unmarshal(data, &ev); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	headers, _ := ev["headers"].(map[string]any)
	if headers["webhook-signature"] != "fresh" {
		return data, nil
	}
	text, _ := ev["body"].(string)
	var body map[string]any
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&body); err != nil {
		return nil, fmt.Errorf("%s: body: %w", file, err)
	}
	now := time.Now().UTC()
	body["occurredAt"] = now.Format("2006-01-02T15:04:05.000Z")
	if d, _ := body["data"].(map[string]any); d != nil {
		if o, _ := d["order"].(map[string]any); o != nil && o["approvedAt"] != nil {
			o["approvedAt"] = body["occurredAt"]
		}
	}
	signed, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	id, _ := headers["webhook-id"].(string)
	signature, err := sign(demoSigningSecret, id, now, signed)
	if err != nil {
		return nil, err
	}
	headers["webhook-timestamp"], headers["webhook-signature"] = fmt.Sprint(now.Unix()), signature
	ev["body"] = string(signed)
	return json.MarshalIndent(ev, "", "  ")
}

// event prints an event that is signed as of now, for sam local invoke.
func event(args []string, out io.Writer) error {
	if len(args) != 1 {
		return errors.New("usage: event FILE")
	}
	ev, err := readEvent(args[0])
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n", strings.TrimRight(string(ev), "\n"))
	return err
}
