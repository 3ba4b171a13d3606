package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"stockbridge/internal/alert"
	"stockbridge/internal/app"
	"stockbridge/internal/cloud"
	"stockbridge/internal/issuer"
	"stockbridge/internal/signin"
	"stockbridge/internal/sim"
	simcin7core "stockbridge/internal/sim/cin7core"
	simcin7omni "stockbridge/internal/sim/cin7omni"
	simjoor "stockbridge/internal/sim/joor"
	simupstock "stockbridge/internal/sim/upstock"
)

// gcPercent is how much garbage the runner lets come, in percent of what it has in use: it works for one person, beside
// whatever else that person has open.
const gcPercent = 25

// options are the runner's flags.
type options struct {
	listen, sim, data, token, only, every string
	speed                                 float64
	demo                                  bool
	alertsHere                            bool // alerts may go to addresses of this machine

	seed   string          // makes the simulators' ids and tokens the same each time
	change func(*app.Deps) // changes the app's dependencies, to measure them
	// apart gives a function dependencies and an App of its own, as each has on Lambda; nil = all share one App.
	apart func(function string, shared app.Deps) app.Deps
}

func parse(args []string, usage io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("local", flag.ContinueOnError)
	f.SetOutput(usage)
	f.StringVar(&o.listen, "listen", "127.0.0.1:8080", "console, JSON API, webhooks and Lambda's Invoke")
	f.StringVar(&o.sim, "sim", "127.0.0.1:8081",
		"the simulated vendors; empty = none here, then UPSTOCK_URL and the like say where the vendors are")
	f.StringVar(&o.data, "data", ".local", "the directory of the store and the simulators' state; empty = temporary")
	f.StringVar(&o.token, "token", defaultToken, "the operator's bearer token for the JSON API")
	f.StringVar(&o.every, "every", "",
		"how often each job starts, as orders=60s,shipments=10s; 0 = never; there are "+jobNames())
	f.Float64Var(&o.speed, "speed", 1, "divides every configured duration")
	f.BoolVar(&o.demo, "demo", true, "a demo tenant trades, and its orders' stories are told")
	f.BoolVar(&o.alertsHere, "alerts-loopback", false,
		"alerts may be sent to addresses of this machine, over http:// too: where you know every tenant")
	f.StringVar(&o.only, "only", "", "sim = run the simulators and nothing else")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("unknown command %q", f.Arg(0))
	case !(o.speed > 0):
		return o, errors.New("-speed must be above 0")
	case o.only != "" && o.only != "sim":
		return o, fmt.Errorf("-only %s: there is only sim", o.only)
	case o.only == "sim" && o.sim == "":
		return o, errors.New("-only sim needs an address in -sim")
	case o.only == "" && o.token == defaultToken && !loopback(o.listen):
		return o, fmt.Errorf("-listen %s can be reached from other machines, and -token is the default that everybody "+
			"knows: give a -token of your own", o.listen)
	}
	return o, nil
}

// defaultToken is no secret: everybody can read it here.
const defaultToken = "dev"

// operatorHash is what the functions know of an operator's token.
func operatorHash(token string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(token))) }

// loopback reports whether an address can be reached only from this machine.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return true // not an address: listening on it will fail
	}
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// run runs until ctx is done.
func run(ctx context.Context, o options, getenv func(string) string, out io.Writer) error {
	debug.SetGCPercent(gcPercent)
	data := o.data
	if data == "" {
		dir, err := os.MkdirTemp("", "stockbridge-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		data = dir
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	if o.only != "sim" {
		locked, err := lock(data)
		if err != nil {
			return err
		}
		defer locked.Close()
	}
	simURL := ""
	if o.sim != "" {
		url, stop, err := serveSim(o, filepath.Join(data, "sim"))
		if err != nil {
			return err
		}
		defer stop()
		simURL = url
		fmt.Fprintln(out, "simulators   ", simURL+"/sim")
	}
	if o.only == "sim" {
		<-ctx.Done()
		return nil
	}
	r, err := start(o, data, simURL, getenv, out)
	if err != nil {
		return err
	}
	defer r.close()
	fmt.Fprintf(out, "console       %s   (sign in: pick a person)\nJSON API      %s/api/v1   (Authorization: "+
		"Bearer %s)\n"+
		"webhooks      %s/webhooks/\ne-mails       %s%s   (files in %s)\n", r.web.url, r.web.url, o.token, r.web.url,
		r.web.url, mailPath, mailDir(data))
	if o.demo {
		runDemo(ctx, r.web.url, simURL, o, out)
	}
	<-ctx.Done()
	return nil
}

// runDemo runs the demo until ctx is done. An error ends the demo, not the runner.
func runDemo(ctx context.Context, url, simURL string, o options, out io.Writer) {
	d, err := newDemo(url, o.token, simURL, o, out)
	if err == nil {
		err = d.run(ctx)
	}
	if err != nil && ctx.Err() == nil {
		fmt.Fprintln(out, "demo:", err)
	}
}

// serveSim serves the simulated vendors, with their state in dir, until stop.
func serveSim(o options, dir string) (url string, stop func(), err error) {
	var closers []func()
	closeAll := func() {
		for _, c := range slices.Backward(closers) {
			c()
		}
	}
	defer func() {
		if err != nil {
			closeAll()
		}
	}()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, err
	}
	locked, err := lock(dir)
	if err != nil {
		return "", nil, err
	}
	closers = append(closers, func() { locked.Close() })
	s, _, err := openSim(o, dir)
	if err != nil {
		return "", nil, err
	}
	closers = append(closers, func() { s.Close() })
	srv, err := listen(o.sim, withUploadLimits(s.Handler()))
	if err != nil {
		return "", nil, err
	}
	closers = append(closers, srv.close)
	return srv.url, closeAll, nil
}

// openSim opens the simulated vendors, with their state in dir.
func openSim(o options, dir string) (*sim.Sim, *simupstock.Vendor, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	up := simupstock.New()
	s, err := sim.New(sim.Options{Speed: o.speed, Dir: dir, Seed: o.seed, Deliver: cloud.Transport()},
		up, simcin7core.New(simcin7core.Options{}), simcin7omni.New(), simjoor.New())
	return s, up, err
}

// runner is all that runs in one process, except the simulators.
type runner struct {
	lambda *lambda
	web    *server
	queues map[app.Queue]*queue
	store  io.Closer
	cancel context.CancelFunc
	loops  sync.WaitGroup
}

// vendorPaths are the paths of the vendors at the simulators, by the variable with a vendor's address.
var vendorPaths = map[string]string{
	"UPSTOCK_URL": sim.PrefixUpstock, "CIN7CORE_URL": sim.PrefixCin7Core, "CIN7OMNI_URL": sim.PrefixCin7Omni,
	"JOOR_URL": sim.PrefixJOOR,
}

// clientID is the console's at the runner's own issuer.
const clientID = "console"

// storeFile is the name of the embedded store's file.
const storeFile = "stockbridge.db"

// environment returns the process's environment, overridden by set, with the
// simulators' addresses for the vendors that have none.
func environment(getenv func(string) string, simURL string, set map[string]string) func(string) string {
	return func(name string) string {
		if v, ok := set[name]; ok {
			return v
		}
		if path := vendorPaths[name]; path != "" && simURL != "" {
			return cmp.Or(getenv(name), simURL+path)
		}
		return getenv(name)
	}
}

// start composes the app as the functions do, from the same configuration, and
// adds queues, routes and schedules.
func start(o options, data, simURL string, getenv func(string) string, out io.Writer) (r *runner, err error) {
	every, err := jobTimes(o.every, out)
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", o.listen)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			ln.Close()
		}
	}()
	people, err := issuer.New(issuer.Config{
		URL: address(ln) + issuer.Path, ClientID: clientID, Redirect: address(ln) + signin.CallbackPath,
	}, issuer.Person{Name: "Olivia (operator)", Role: string(signin.Operator), Email: "olivia@example.com"})
	if err != nil {
		return nil, err
	}
	deps, store, err := openDeps(environment(getenv, simURL, map[string]string{
		"STORE":            "file:" + filepath.Join(data, storeFile),
		"PUBLIC_URL":       cmp.Or(getenv("PUBLIC_URL"), address(ln)),
		"CONSOLE_URL":      cmp.Or(getenv("CONSOLE_URL"), address(ln)),
		"OIDC_ISSUER":      cmp.Or(getenv("OIDC_ISSUER"), address(ln)+issuer.Path),
		"OIDC_CLIENT_ID":   cmp.Or(getenv("OIDC_CLIENT_ID"), clientID),
		"API_TOKEN_SHA256": operatorHash(o.token),
		"SPEED":            fmt.Sprint(o.speed),
		"LOG_LEVEL":        cmp.Or(getenv("LOG_LEVEL"), "warn"),
	}))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &lambda{speed: o.speed, log: deps.Log, stop: ctx}
	r = &runner{lambda: l, store: store, cancel: cancel, queues: map[app.Queue]*queue{}}
	mappings := r.makeQueues()
	deps.Send = func(_ context.Context, q app.Queue, body []byte, group string, delay time.Duration) error {
		if r.queues[q] == nil {
			return fmt.Errorf("send to %s: no such queue", q)
		}
		return r.queues[q].send(string(body), group, delay)
	}
	deps.Depth = func(_ context.Context, q app.Queue) (d app.Depth, err error) {
		if r.queues[q] == nil {
			return d, fmt.Errorf("depth of %s: no such queue", q)
		}
		d.Ready, d.Delayed, d.Received = r.queues[q].depth()
		return d, nil
	}
	deps.Every = every
	post := &mailbox{dir: mailDir(data)}
	if o.demo {
		post.log = out
	}
	deps.Mailer, deps.MailFrom, deps.Guard = post, mailFrom, alert.Guard{Loopback: o.alertsHere}
	if o.change != nil {
		o.change(&deps)
	}
	a := app.New(deps)
	l.functions, l.token, l.admits, l.issuer = functions(a), o.token, a.Admits, people.Handler()
	if o.apart != nil {
		for name := range l.functions {
			l.functions[name] = functions(app.New(o.apart(name, deps)))[name]
		}
	}
	l.mail = post
	if err := checkSealingKey(ctx, a, filepath.Join(data, storeFile)+".key", out); err != nil {
		cancel()
		store.Close()
		return nil, err
	}
	r.startLoops(ctx, mappings, every)
	r.web = serve(ln, l.handler())
	return r, nil
}

// mailDir is the folder of e-mails.
func mailDir(data string) string { return filepath.Join(data, "mail") }

// startLoops starts the receiving from the queues and the schedules.
func (r *runner) startLoops(ctx context.Context, mappings []mapping, every map[string]time.Duration) {
	for _, m := range mappings {
		r.loops.Go(func() { r.lambda.poll(ctx, m) })
	}
	for name, d := range every {
		if d > 0 {
			r.loops.Go(func() { r.lambda.tick(ctx, name, r.lambda.scaled(d)) })
		}
	}
}

// openDeps opens what the functions have, but logs text and counts no metrics,
// which are for CloudWatch.
func openDeps(getenv func(string) string) (deps app.Deps, store io.Closer, err error) {
	cfg, err := cloud.ReadConfig(getenv)
	if err != nil {
		return deps, nil, err
	}
	if deps, store, err = cloud.Open(cfg); err != nil {
		return deps, nil, err
	}
	deps.OnEnd = nil
	deps.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: cfg.Level}))
	return deps, store, nil
}

// makeQueues makes the template's queues, and returns which function receives from which.
func (r *runner) makeQueues() []mapping {
	var mappings []mapping
	visibility := r.lambda.scaled(6 * time.Minute)
	for _, m := range []struct {
		queue       app.Queue
		function    string
		concurrency int
	}{
		{app.OrdersQueue, "OrdersFunction", 16}, {app.CatalogQueue, "CatalogFunction", 4},
		{app.ShipmentsQueue, "ShipmentsFunction", 8}, {app.JOORQueue, "JOORFunction", 4},
	} {
		dead := newQueue(string(m.queue)+"-dead", visibility, 0, nil)
		r.queues[m.queue] = newQueue(string(m.queue), visibility, 5, dead)
		mappings = append(mappings, mapping{r.queues[m.queue], m.function, 1, m.concurrency},
			mapping{dead, "DeadLettersFunction", 10, 1})
	}
	return mappings
}

// checkSealingKey warns if the key does not open what is stored.
func checkSealingKey(ctx context.Context, a *app.App, key string, out io.Writer) error {
	fmt.Fprintln(out, "sealing key  ", key,
		" (opens all stored keys: keep it with each copy of the store, and to yourself)")
	lost, err := a.Vendors.CheckSeals(ctx)
	if err != nil {
		return fmt.Errorf("sealing key: %w", err)
	}
	if lost > 0 {
		fmt.Fprintf(out, "warning: the sealing key %s does not open the stored keys of %d connections: it was lost or "+
			"is another. Put the right file back and start again; or save the keys of these connections again.\n",
			key, lost)
	}
	return nil
}

// grace is how long running invocations may go on after a stop. Their leases and
// intents are on record, so the next start continues what they leave.
const grace = 5 * time.Second

func (r *runner) close() {
	r.web.close()
	r.cancel()
	done := make(chan struct{})
	go func() {
		r.loops.Wait()
		r.lambda.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		r.store.Close()
	case <-time.After(grace): // the end of the process closes the store, which is in use
	}
}

// server is an HTTP server on its own listener.
type server struct {
	url  string
	http *http.Server
	done chan struct{}
}

func listen(addr string, h http.Handler) (*server, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	return serve(ln, h), nil
}

func serve(ln net.Listener, h http.Handler) *server {
	s := &server{url: address(ln), done: make(chan struct{}), http: &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		// the simulators break connections on purpose
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}}
	go func() {
		defer close(s.done)
		s.http.Serve(ln)
	}()
	return s
}

// address returns the URL at which a browser reaches a listener.
func address(ln net.Listener) string {
	host, port, _ := net.SplitHostPort(ln.Addr().String())
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

func (s *server) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		s.http.Close()
	}
	<-s.done
}

// splitList splits a list at commas, without blanks and empty parts.
func splitList(list string) []string {
	var out []string
	for s := range strings.SplitSeq(list, ",") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}
