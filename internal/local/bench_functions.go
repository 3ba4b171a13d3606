package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// withoutStore replaces bolt.go in package table. A function that is built with
// it has no embedded store, and so shows what the store adds to its size.
const withoutStore = `package table

import (
	"errors"
	"time"
)

type Options struct {
	NoSync   bool
	IndexLag time.Duration
}

type File struct{ Table }

func Open(string, Options) (*File, error) { return nil, errors.New("no embedded store") }

func (*File) Close() error { return nil }
`

// benchSize builds the functions as make build does, and once more without the
// embedded store.
func benchSize(ctx context.Context, _ benchOptions) ([]figure, error) {
	dir, err := os.MkdirTemp("", "stockbridge-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	target := []string{"GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0"}
	binaries, err := buildFunctions(ctx, filepath.Join(dir, "whole"), target)
	if err != nil {
		return nil, err
	}
	overlay, err := overlayWithoutStore(dir)
	if err != nil {
		return nil, err
	}
	without := filepath.Join(dir, "without")
	if _, err := buildFunctions(ctx, without, target, "-overlay="+overlay); err != nil {
		return nil, err
	}
	var list []figure
	for _, path := range binaries {
		name := filepath.Base(path)
		size, err := zipMB(path)
		if err != nil {
			return nil, err
		}
		less, err := zipMB(filepath.Join(without, name))
		if err != nil {
			return nil, err
		}
		list = append(list, figure{
			what: "arm64 zip of " + name, got: size, goal: 4.2, unit: "MB", noGoal: name == "console",
			note: fmt.Sprintf("the embedded store is %.2f of it (built once more without)", size-less),
		})
	}
	return list, nil
}

// overlayWithoutStore writes the file that has go build use withoutStore.
func overlayWithoutStore(dir string) (overlay string, err error) {
	root, err := os.Getwd()
	if err != nil {
		return "", err
	}
	stub, overlay := filepath.Join(dir, "bolt.go"), filepath.Join(dir, "overlay.json")
	bolt := filepath.Join(root, "internal", "table", "bolt.go")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {bolt: stub}})
	if err != nil {
		return "", err
	}
	return overlay, errors.Join(
		os.WriteFile(stub, []byte(withoutStore), 0o600),
		os.WriteFile(overlay, replace, 0o600))
}

func zipMB(path string) (float64, error) {
	binary, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	packed, err := pack(binary)
	return float64(len(packed)) / 1e6, err
}

// buildFunctions builds all functions as make build does, into dir, and returns
// the paths of the binaries.
func buildFunctions(ctx context.Context, dir string, env []string, flags ...string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	to := []string{"-o", dir + string(filepath.Separator), "./functions/..."}
	cmd := exec.CommandContext(ctx, "go", slices.Concat(buildFlags, flags, to)...)
	cmd.Env = slices.Concat(os.Environ(), env, []string{"GOFLAGS="})
	if output, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build: %w\n%s", err, bytes.TrimSpace(output))
	}
	return filepath.Glob(filepath.Join(dir, "*"))
}

// benchStart starts each function as Lambda does and measures the time until it
// asks for its first event: with the embedded store, and with AWS's clients,
// which are made but call nothing before they are used.
func benchStart(ctx context.Context, o benchOptions) ([]figure, error) {
	dir, err := os.MkdirTemp("", "stockbridge-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	binaries, err := buildFunctions(ctx, dir, nil)
	if err != nil {
		return nil, err
	}
	api, err := listenForStarts()
	if err != nil {
		return nil, err
	}
	defer api.close()
	store := []string{"STORE=file:" + filepath.Join(dir, storeFile)}
	aws := []string{
		"TABLE=bench",
		"ORDERS_QUEUE_URL=https://sqs.example.test/orders",
		"CATALOG_QUEUE_URL=https://sqs.example.test/catalog",
		"SHIPMENTS_QUEUE_URL=https://sqs.example.test/shipments",
		"JOOR_QUEUE_URL=https://sqs.example.test/joor",
		"KMS_KEY_ID=bench",
		"AWS_REGION=ap-southeast-2", "AWS_ACCESS_KEY_ID=bench", "AWS_SECRET_ACCESS_KEY=bench",
	}
	var list []figure
	for _, path := range binaries {
		name := filepath.Base(path)
		withStore, err := api.medianStart(ctx, path, store, o.starts)
		if err != nil {
			return list, fmt.Errorf("%s: %w", name, err)
		}
		withAWS, err := api.medianStart(ctx, path, aws, o.starts)
		if err != nil {
			return list, fmt.Errorf("%s: %w", name, err)
		}
		list = append(list, figure{
			what: "start of " + name + ", from exec to GET next, p50",
			got:  max(withStore, withAWS), goal: 7, unit: "ms",
			note: fmt.Sprintf("%s with the embedded store, %s with AWS's clients; %d starts each",
				short(withStore), short(withAWS), o.starts),
		})
	}
	return list, nil
}

// startAPI is a Lambda Runtime API that has no events. It notes when a function
// asks for one.
type startAPI struct {
	*server
	asked chan time.Time
}

func listenForStarts() (startAPI, error) {
	a := startAPI{asked: make(chan time.Time, 1)}
	var err error
	a.server, err = listen("127.0.0.1:0", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/runtime/invocation/next") {
			a.asked <- time.Now()
		}
		<-r.Context().Done()
	}))
	return a, err
}

// medianStart starts a function n times, one after another, and returns the
// median of the times in milliseconds.
func (a startAPI) medianStart(ctx context.Context, path string, env []string, n int) (float64, error) {
	var times []time.Duration
	for range n {
		took, err := a.start(ctx, path, env)
		if err != nil {
			return 0, err
		}
		times = append(times, took)
	}
	slices.Sort(times)
	return float64(times[len(times)/2].Microseconds()) / 1000, nil
}

func (a startAPI) start(ctx context.Context, path string, env []string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, path)
	cmd.Env = append(slices.Clone(env),
		"AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(a.url, "http://"),
		"LOG_LEVEL=error",
		"PUBLIC_URL=https://hooks.example.test",
		"API_TOKEN_SHA256="+operatorHash("nobody's"))
	var output bytes.Buffer
	cmd.Stderr = &output
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	var took time.Duration
	var err error
	select {
	case at := <-a.asked:
		took = at.Sub(begun)
	case <-time.After(10 * time.Second):
		err = errors.New("it asks for no event within 10 s")
	}
	cmd.Process.Kill()
	cmd.Wait()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, output.String())
	}
	return took, err
}
