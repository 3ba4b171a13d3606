package main

import (
	"cmp"
	"context"
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
	"strings"
	"sync"
	"time"

	"stockbridge/internal/app"
	"stockbridge/internal/cloud"
	"stockbridge/internal/sim"
	simcin7core "stockbridge/internal/sim/cin7core"
	simupstock "stockbridge/internal/sim/upstock"
)

// memoryLimit is what the garbage collector keeps to before it works harder.
const memoryLimit = 36 << 20

// options are the runner's flags.
type options struct {
	listen, sim, data, token, only, every string
	speed                                 float64
	demo                                  bool

	seed   string          // makes the simulators' ids and tokens the same each time
	change func(*app.Deps) // what the app stands on, changed for measuring
}

func parse(args []string, usage io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("local", flag.ContinueOnError)
	f.SetOutput(usage)
	f.StringVar(&o.listen, "listen", "127.0.0.1:8080", "JSON API, webhooks and Lambda's Invoke")
	f.StringVar(&o.sim, "sim", "127.0.0.1:8081", "the simulated vendors; empty = none here, then UPSTOCK_URL and the like say where the vendors are")
	f.StringVar(&o.data, "data", ".local", "the directory of the store and the simulators' state; empty = temporary")
	f.StringVar(&o.token, "token", defaultToken, "the operator's bearer token for the JSON API")
	f.StringVar(&o.every, "every", "", "how often each job starts, as orders=60s,shipments=10s; 0 = never; there are "+jobNames())
	f.Float64Var(&o.speed, "speed", 1, "divides every configured duration")
	f.BoolVar(&o.demo, "demo", true, "a demo tenant trades, and its orders' stories are told")
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
		return o, fmt.Errorf("-listen %s can be reached from other machines, and -token is the default that everybody knows: give a -token of your own", o.listen)
	}
	return o, nil
}

// defaultToken is known to all who read this.
const defaultToken = "dev"

// loopback reports whether an address is reached from this machine alone.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return true // no address: listening says so
	}
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// run runs until ctx is done.
func run(ctx context.Context, o options, getenv func(string) string, out io.Writer) error {
	debug.SetMemoryLimit(memoryLimit)
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
		mine, err := lock(data)
		if err != nil {
			return err
		}
		defer mine.Close()
	}
	simURL := ""
	if o.sim != "" {
		dir := filepath.Join(data, "sim")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		mine, err := lock(dir)
		if err != nil {
			return err
		}
		defer mine.Close()
		s, _, err := openSim(o, dir)
		if err != nil {
			return err
		}
		defer s.Close()
		srv, err := listen(o.sim, bounded(s.Handler()))
		if err != nil {
			return err
		}
		defer srv.close()
		simURL = srv.url
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
	fmt.Fprintf(out, "JSON API      %s/api/v1   (Authorization: Bearer %s)\nwebhooks      %s/webhooks/\n", r.web.url, o.token, r.web.url)
	if o.demo {
		d, err := newDemo(r.web.url, o.token, simURL, o, out)
		if err == nil {
			err = d.run(ctx)
		}
		if err != nil && ctx.Err() == nil {
			fmt.Fprintln(out, "demo:", err)
		}
	}
	<-ctx.Done()
	return nil
}

// openSim opens the simulated vendors, with the state that dir holds.
func openSim(o options, dir string) (*sim.Sim, *simupstock.Vendor, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	up := simupstock.New()
	s, err := sim.New(sim.Options{Speed: o.speed, Dir: dir, Seed: o.seed, Deliver: cloud.Transport()},
		up, simcin7core.New(simcin7core.Options{}))
	return s, up, err
}

// runner is everything of one process but the simulators.
type runner struct {
	lambda *lambda
	web    *server
	queues map[app.Queue]*queue
	store  io.Closer
	cancel context.CancelFunc
	loops  sync.WaitGroup
}

// vendorPaths are the simulators' base addresses below their own.
var vendorPaths = map[string]string{
	"UPSTOCK_URL": sim.PrefixUpstock, "CIN7CORE_URL": sim.PrefixCin7Core, "CIN7OMNI_URL": sim.PrefixCin7Omni, "JOOR_URL": sim.PrefixJOOR,
}

// storeFile is the embedded store in its directory.
const storeFile = "stockbridge.db"

// environment is the process's own, with what is set over it and the
// simulators where no vendor's address is given.
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

// start composes the app as the functions do, from the same configuration,
// and puts queues, routes and schedules around it.
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
	cfg, err := cloud.ReadConfig(environment(getenv, simURL, map[string]string{
		"STORE": "file:" + filepath.Join(data, storeFile), "PUBLIC_URL": cmp.Or(getenv("PUBLIC_URL"), address(ln)),
		"API_TOKEN": o.token, "SPEED": fmt.Sprint(o.speed), "LOG_LEVEL": cmp.Or(getenv("LOG_LEVEL"), "warn"),
	}))
	if err != nil {
		return nil, err
	}
	deps, store, err := cloud.Open(cfg)
	if err != nil {
		return nil, err
	}
	deps.OnEnd = nil // metrics are for CloudWatch
	deps.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: cfg.Level}))

	ctx, cancel := context.WithCancel(context.Background())
	l := &lambda{speed: o.speed, log: deps.Log, stop: ctx}
	r = &runner{lambda: l, store: store, cancel: cancel, queues: map[app.Queue]*queue{}}
	var mappings []mapping
	hide := l.fast(6 * time.Minute)
	for _, m := range []struct {
		queue       app.Queue
		function    string
		concurrency int
	}{{app.OrdersQueue, "OrdersFunction", 16}, {app.JobsQueue, "CatalogFunction", 4}, {app.ShipmentsQueue, "ShipmentsFunction", 8}} {
		dead := newQueue(string(m.queue)+"-dead", hide, 0, nil)
		r.queues[m.queue] = newQueue(string(m.queue), hide, 5, dead)
		mappings = append(mappings, mapping{r.queues[m.queue], m.function, 1, m.concurrency}, mapping{dead, "DeadLettersFunction", 10, 1})
	}
	deps.Send = func(_ context.Context, q app.Queue, body []byte, group string, delay time.Duration) error {
		if r.queues[q] == nil {
			return fmt.Errorf("send to %s: no such queue", q)
		}
		return r.queues[q].send(string(body), group, delay)
	}
	deps.Every = every
	if o.change != nil {
		o.change(&deps)
	}
	a := app.New(deps)
	l.functions, l.token, l.admits = functions(a), o.token, a.Admits
	key := filepath.Join(data, storeFile) + ".key"
	fmt.Fprintln(out, "sealing key  ", key, " (opens all stored keys: keep it with each copy of the store, and to yourself)")
	lost, err := a.Pair.CheckSeals(ctx)
	if err != nil {
		cancel()
		store.Close()
		return nil, fmt.Errorf("sealing key: %w", err)
	}
	if lost > 0 {
		fmt.Fprintf(out, "warning: the sealing key %s does not open the stored keys of %d connections: it was lost or is another. Put the right file back and start again; or save the keys of these connections again.\n", key, lost)
	}
	for _, m := range mappings {
		r.loops.Go(func() { l.poll(ctx, m) })
	}
	for name, d := range every {
		if d > 0 {
			r.loops.Go(func() { l.tick(ctx, name, l.fast(d)) })
		}
	}

	r.web = serve(ln, l.handler())
	return r, nil
}

// grace is how long running invocations may go on after a stop: their leases
// and intents are on record, so the next start takes up what they leave.
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
	case <-time.After(grace): // a store in use is closed by the process's end
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
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // a broken connection is the simulators' daily bread
	}}
	go func() {
		defer close(s.done)
		s.http.Serve(ln)
	}()
	return s
}

// address is where a browser finds a listener.
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

// trimmed splits a list at commas.
func trimmed(list string) []string {
	var out []string
	for s := range strings.SplitSeq(list, ",") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}
