package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// invoke builds a function's main for this machine, starts it against an
// endpoint of the Lambda Runtime API, gives it one event and prints its answer.
// Unless STORE names another store, the function has a store with the demo
// tenant in it, and simulators to call.
func invoke(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	f := flag.NewFlagSet("invoke", flag.ContinueOnError)
	fn := f.String("fn", "", "the function: the name of its directory below functions/")
	file := f.String("event", "", "the event's file; a webhook event is signed as of now")
	env := f.String("env", "events/env.json", "environment of the functions, in SAM's format; empty = none")
	data := f.String("data", seedDir, "directory of the store and the simulators' state")
	if err := f.Parse(args); err != nil {
		return err
	}
	name, ok := functionName(*fn)
	if !ok {
		return fmt.Errorf("-fn %q: there is no such function", *fn)
	}
	payload, err := readEvent(*file)
	if err != nil {
		return err
	}
	vars, err := readEnv(*env, name)
	if err != nil {
		return err
	}
	setStore(vars, *data, getenv)
	if path, ok := strings.CutPrefix(vars["STORE"], "file:"); ok {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			if err := seed(ctx, []string{"-data", *data, "-env", *env}, getenv, os.Stderr); err != nil {
				return fmt.Errorf("seed: %w", err)
			}
		}
	}
	if getenv("UPSTOCK_URL") == "" {
		url, stop, err := serveDemoSim(filepath.Join(*data, "sim"))
		if err != nil {
			return err
		}
		defer stop()
		for key, path := range vendorPaths {
			vars[key] = url + path
		}
	}
	for _, key := range slices.Concat([]string{"LOG_LEVEL"}, slices.Collect(maps.Keys(vendorPaths))) {
		if v := getenv(key); v != "" {
			vars[key] = v
		}
	}
	res, err := buildAndInvoke(ctx, *fn, name, vars, payload)
	if err != nil {
		return err
	}
	return res.print(name, out)
}

// serveDemoSim serves the demo's simulators until stop.
func serveDemoSim(dir string) (url string, stop func(), err error) {
	s, _, err := openSim(options{speed: 1, seed: demoSeed}, dir)
	if err != nil {
		return "", nil, err
	}
	srv, err := listen("127.0.0.1:0", s.Handler())
	if err != nil {
		s.Close()
		return "", nil, err
	}
	return srv.url, func() { srv.close(); s.Close() }, nil
}

// buildAndInvoke builds the function in functions/<dir>, whose name in the
// template is name, and runs it for one event.
func buildAndInvoke(
	ctx context.Context, dir, name string, vars map[string]string, payload []byte,
) (res result, err error) {
	tmp, err := os.MkdirTemp("", "stockbridge-")
	if err != nil {
		return res, err
	}
	defer os.RemoveAll(tmp)
	bootstrap := filepath.Join(tmp, "bootstrap")
	cmd := exec.CommandContext(ctx, "go", append(buildFlags, "-o", bootstrap, "./functions/"+dir)...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return res, fmt.Errorf("build %s: %w", dir, err)
	}
	return invokeBinary(ctx, bootstrap, vars, name, payload, timeouts()[name])
}

// print prints the answer, and the times to stderr.
func (r result) print(function string, out io.Writer) error {
	var pretty bytes.Buffer
	if json.Indent(&pretty, r.body, "", "  ") != nil {
		pretty.Reset()
		pretty.Write(r.body)
	}
	fmt.Fprintln(out, pretty.String())
	fmt.Fprintf(os.Stderr, "%s: %d ms to the first event, %d ms for it\n", function, r.start.Milliseconds(),
		r.took.Milliseconds())
	if r.failed {
		return fmt.Errorf("%s answered with an error", function)
	}
	return nil
}

// setStore sets where a function stores things: with STORE=aws, in what the
// environment file names, with this process's credentials; else in a file.
func setStore(vars map[string]string, data string, getenv func(string) string) {
	store := cmp.Or(getenv("STORE"), vars["STORE"], "file:"+filepath.Join(data, storeFile))
	if store != "aws" {
		vars["STORE"] = store
		return
	}
	vars["STORE"] = ""
	for _, key := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"} {
		vars[key] = cmp.Or(getenv(key), vars[key])
	}
	for key, v := range vars { // the environment file is for containers
		vars[key] = strings.ReplaceAll(v, "://host.docker.internal:", "://127.0.0.1:")
	}
}

// functionName returns a function's name in the template.
func functionName(fn string) (string, bool) {
	for name := range timeouts() {
		if strings.EqualFold(name, fn+"Function") {
			return name, fn != ""
		}
	}
	return "", false
}

// readEnv reads a function's variables from an environment file of SAM.
func readEnv(file, function string) (map[string]string, error) {
	vars := map[string]string{}
	if file == "" {
		return vars, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var all map[string]map[string]string
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for _, part := range []string{"Parameters", function} {
		for k, v := range all[part] {
			vars[k] = v
		}
	}
	return vars, nil
}

// result is the result of one invocation.
type result struct {
	body   []byte
	failed bool
	start  time.Duration // from exec to the first GET next
	took   time.Duration // from there to the answer

	asked, done time.Time
}

// invokeBinary runs a function's binary for one event.
func invokeBinary(ctx context.Context, bootstrap string, vars map[string]string, function string, payload []byte,
	limit time.Duration) (result, error) {
	api := newRuntimeAPI(function, payload, limit)
	srv, err := listen("127.0.0.1:0", api)
	if err != nil {
		return result{}, err
	}
	defer srv.close()
	defer close(api.stop)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // kills the process, as Lambda does sooner or later
	cmd := exec.CommandContext(ctx, bootstrap)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.Env = []string{"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(srv.url, "http://"),
		"AWS_LAMBDA_FUNCTION_NAME=" + function,
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	for k, v := range vars {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return result{}, err
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	timer := time.NewTimer(limit + 10*time.Second) // Lambda's limit for a start is 10 s
	defer timer.Stop()
	var res result
	select {
	case res = <-api.answered:
		cancel()
		<-exited
	case err = <-exited:
		select {
		case res = <-api.answered: // it answered, or reported why it could not start, and ended
			err = nil
		default:
			return res, fmt.Errorf("%s ended before it answered: %w", function,
				cmp.Or(err, errors.New("exit status 0")))
		}
	case <-timer.C:
		cancel()
		<-exited
		return res, fmt.Errorf("%s: no answer within %v", function, limit)
	}
	if !res.asked.IsZero() {
		res.start, res.took = res.asked.Sub(begun), res.done.Sub(res.asked)
	}
	return res, err
}

// runtimeAPI is the Lambda Runtime API for one event.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
type runtimeAPI struct {
	*http.ServeMux
	function string
	payload  []byte
	limit    time.Duration
	id       string         // of the invocation
	event    chan struct{}  // holds one value until the event is given out
	asked    chan time.Time // when the function asked for the event
	answered chan result
	stop     chan struct{}
}

func newRuntimeAPI(function string, payload []byte, limit time.Duration) *runtimeAPI {
	const base = "/2018-06-01/runtime"
	a := &runtimeAPI{
		ServeMux: http.NewServeMux(), function: function, payload: payload, limit: limit, id: newUUID(),
		event: make(chan struct{}, 1), asked: make(chan time.Time, 1), answered: make(chan result, 1),
		stop: make(chan struct{}),
	}
	a.event <- struct{}{}
	a.HandleFunc("GET "+base+"/invocation/next", a.serveNext)
	a.HandleFunc("POST "+base+"/invocation/{id}/response", a.serveEnd(false))
	a.HandleFunc("POST "+base+"/invocation/{id}/error", a.serveEnd(true))
	a.HandleFunc("POST "+base+"/init/error", a.serveEnd(true))
	return a
}

// serveNext gives out the one event. A second request for one waits until the stop.
func (a *runtimeAPI) serveNext(w http.ResponseWriter, r *http.Request) {
	select {
	case <-a.event:
	case <-a.stop:
		return
	case <-r.Context().Done():
		return
	}
	a.asked <- time.Now()
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Lambda-Runtime-Aws-Request-Id", a.id)
	h.Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(a.limit).UnixMilli()))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:local:"+account+":function:"+a.function)
	h.Set("Lambda-Runtime-Trace-Id", "Root=1-00000000-000000000000000000000000;Sampled=0")
	w.Write(a.payload)
}

// serveEnd takes the function's answer or its error.
func (a *runtimeAPI) serveEnd(failed bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if id := r.PathValue("id"); id != "" && id != a.id {
			writeJSON(w, http.StatusBadRequest,
				map[string]string{"errorType": "InvalidRequestID", "errorMessage": "no such invocation"})
			return
		}
		res := result{failed: failed}
		var err error
		if res.body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxPayload)); err != nil {
			res.body, res.failed = []byte(`{"errorType":"Function.ResponseSizeTooLarge"}`), true
		}
		res.done = time.Now()
		select {
		case res.asked = <-a.asked:
		default: // it never asked for the event
		}
		writeJSON(w, http.StatusAccepted, map[string]string{"status": "OK"})
		select {
		case a.answered <- res:
		default:
		}
	}
}
