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
// endpoint that speaks the Lambda Runtime API, gives it one event and prints
// its answer. Where STORE names no other, it has a store of its own with the
// demo tenant in it, and simulators to call.
func invoke(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	f := flag.NewFlagSet("invoke", flag.ContinueOnError)
	fn := f.String("fn", "", "the function, as its directory below functions/ is called")
	file := f.String("event", "", "the event's file; a webhook's is signed afresh")
	env := f.String("env", "events/env.json", "environment of the functions, in SAM's format; empty = none")
	data := f.String("data", seedDir, "directory of the store and the simulators' state")
	if err := f.Parse(args); err != nil {
		return err
	}
	name, ok := resource(*fn)
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
	storeIn(vars, *data, getenv)
	if path, ok := strings.CutPrefix(vars["STORE"], "file:"); ok {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			if err := seed(ctx, []string{"-data", *data, "-env", *env}, getenv, os.Stderr); err != nil {
				return fmt.Errorf("seed: %w", err)
			}
		}
	}
	if getenv("UPSTOCK_URL") == "" {
		s, _, err := openSim(options{speed: 1, seed: demoSeed}, filepath.Join(*data, "sim"))
		if err != nil {
			return err
		}
		defer s.Close()
		srv, err := listen("127.0.0.1:0", s.Handler())
		if err != nil {
			return err
		}
		defer srv.close()
		for key, path := range vendorPaths {
			vars[key] = srv.url + path
		}
	}
	for _, key := range slices.Concat([]string{"LOG_LEVEL"}, slices.Collect(maps.Keys(vendorPaths))) {
		if v := getenv(key); v != "" {
			vars[key] = v
		}
	}

	tmp, err := os.MkdirTemp("", "stockbridge-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	bootstrap := filepath.Join(tmp, "bootstrap")
	cmd := exec.CommandContext(ctx, "go", append(buildFlags, "-o", bootstrap, "./functions/"+*fn)...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build %s: %w", *fn, err)
	}
	limit := timeouts()[name]
	res, err := invokeBinary(ctx, bootstrap, vars, name, payload, limit)
	if err != nil {
		return err
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, res.body, "", "  ") != nil {
		pretty.Reset()
		pretty.Write(res.body)
	}
	fmt.Fprintln(out, pretty.String())
	fmt.Fprintf(os.Stderr, "%s: %d ms to the first event, %d ms for it\n", name, res.start.Milliseconds(), res.took.Milliseconds())
	if res.failed {
		return fmt.Errorf("%s answered with an error", name)
	}
	return nil
}

// storeIn settles where a function keeps things: STORE=aws is what the
// environment file names, with this process's credentials; else a file.
func storeIn(vars map[string]string, data string, getenv func(string) string) {
	store := cmp.Or(getenv("STORE"), vars["STORE"], "file:"+filepath.Join(data, storeFile))
	if store != "aws" {
		vars["STORE"] = store
		return
	}
	vars["STORE"] = ""
	for _, key := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION"} {
		vars[key] = cmp.Or(getenv(key), vars[key])
	}
	for key, v := range vars { // the file is written for containers
		vars[key] = strings.ReplaceAll(v, "://host.docker.internal:", "://127.0.0.1:")
	}
}

// resource is what the template calls a function.
func resource(fn string) (string, bool) {
	for name := range timeouts() {
		if strings.EqualFold(name, fn+"Function") {
			return name, fn != ""
		}
	}
	return "", false
}

// readEnv reads a function's part of SAM's environment file.
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

// result is one invocation's.
type result struct {
	body   []byte
	failed bool
	start  time.Duration // from exec to the first GET next
	took   time.Duration // from there to the answer

	asked, done time.Time
}

// invokeBinary runs a function's binary for one event.
func invokeBinary(ctx context.Context, bootstrap string, vars map[string]string, function string, payload []byte, limit time.Duration) (result, error) {
	api := newRuntimeAPI(function, payload, limit)
	srv, err := listen("127.0.0.1:0", api)
	if err != nil {
		return result{}, err
	}
	defer srv.close()
	defer close(api.stop)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // kills the process, as Lambda does in the end
	cmd := exec.CommandContext(ctx, bootstrap)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.Env = []string{"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(srv.url, "http://"), "AWS_LAMBDA_FUNCTION_NAME=" + function,
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
		case res = <-api.answered: // it answered, or said why it could not start, and left
			err = nil
		default:
			return res, fmt.Errorf("%s ended before it answered: %w", function, cmp.Or(err, errors.New("exit status 0")))
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
	mux      *http.ServeMux
	answered chan result
	stop     chan struct{}
}

func newRuntimeAPI(function string, payload []byte, limit time.Duration) *runtimeAPI {
	const base = "/2018-06-01/runtime"
	a := &runtimeAPI{mux: http.NewServeMux(), answered: make(chan result, 1), stop: make(chan struct{})}
	id, once, asked := uuid(), make(chan struct{}, 1), make(chan time.Time, 1)
	once <- struct{}{}
	a.mux.HandleFunc("GET "+base+"/invocation/next", func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-once:
		case <-a.stop: // there is no second event
			return
		case <-r.Context().Done():
			return
		}
		asked <- time.Now()
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Lambda-Runtime-Aws-Request-Id", id)
		h.Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(limit).UnixMilli()))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:local:"+account+":function:"+function)
		h.Set("Lambda-Runtime-Trace-Id", "Root=1-00000000-000000000000000000000000;Sampled=0")
		w.Write(payload)
	})
	end := func(failed bool) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if given := r.PathValue("id"); given != "" && given != id {
				writeJSON(w, http.StatusBadRequest, map[string]string{"errorType": "InvalidRequestID", "errorMessage": "no such invocation"})
				return
			}
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPayload))
			if err != nil {
				body, failed = []byte(`{"errorType":"Function.ResponseSizeTooLarge"}`), true
			}
			res := result{body: body, failed: failed, done: time.Now()}
			select {
			case res.asked = <-asked:
			default: // it never came so far
			}
			writeJSON(w, http.StatusAccepted, map[string]string{"status": "OK"})
			select {
			case a.answered <- res:
			default:
			}
		}
	}
	a.mux.HandleFunc("POST "+base+"/invocation/{id}/response", end(false))
	a.mux.HandleFunc("POST "+base+"/invocation/{id}/error", end(true))
	a.mux.HandleFunc("POST "+base+"/init/error", end(true))
	return a
}

func (a *runtimeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }
