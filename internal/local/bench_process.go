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
	"strconv"
	"strings"
	"sync"
	"time"

	simcin7core "stockbridge/internal/sim/cin7core"
)

// benchMemory runs the runner as make run does, with the demo trading, and lets
// other tenants trade beside it, so many that the vendors' limits, at the speed
// chosen, do not make it long.
func benchMemory(ctx context.Context, _ benchOptions) (_ []figure, err error) {
	const tenants, each, speed = 8, 125, 30
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "stockbridge-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	at, err := freePort()
	if err != nil {
		return nil, err
	}
	simAt, err := freePort()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe, "-listen", at, "-sim", simAt, "-data", dir, "-speed", fmt.Sprint(speed))
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return vendorPaths[name] != "" || name == "PUBLIC_URL"
	})
	cmd.Env = append(cmd.Env, "LOG_LEVEL=error")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	k := killer{api: client{"http://" + at, "dev"}, sim: client{"http://" + simAt, ""}}
	if err := until(ctx, 10*time.Second, 10*time.Millisecond, "start of the runner", func() (bool, error) {
		return k.api.call(ctx, http.MethodGet, "/healthz", nil, nil) == nil, nil
	}); err != nil {
		return nil, err
	}
	errs := make([]error, tenants)
	var wg sync.WaitGroup
	for i := range tenants {
		wg.Go(func() { errs[i] = k.trade(ctx, each) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	now, err := statusMiB(cmd.Process.Pid, "VmRSS:")
	if err != nil {
		return nil, err
	}
	most, err := statusMiB(cmd.Process.Pid, "VmHWM:")
	if err != nil {
		return nil, err
	}
	return []figure{{what: "memory of the runner, the demo trading, after 1,000 more orders", got: now, reach: 50, unit: "MiB",
		note: fmt.Sprintf("resident, simulators included; at most %s MiB; %d tenants, speed %d", short(most), tenants, speed)}}, nil
}

// trade makes a tenant and takes so many orders to their sales.
func (k *killer) trade(ctx context.Context, orders int) error {
	acc, _, err := k.prepare(ctx)
	if err != nil {
		return err
	}
	for range orders {
		if _, err := place(ctx, k.sim, acc.Upstock.Supplier, ""); err != nil {
			return err
		}
	}
	return until(ctx, 2*time.Minute, time.Second, "orders sold", func() (bool, error) {
		var sales struct{ Items []simcin7core.SaleSummary }
		if err := k.sim.call(ctx, http.MethodGet, "/sim/cin7core/sales?account="+acc.Cin7Core.AccountID, nil, &sales); err != nil {
			return false, err
		}
		whole := 0
		for _, s := range sales.Items {
			if s.Lines > 0 {
				whole++
			}
		}
		return whole == orders, nil
	})
}

// statusMiB reads a size of a process, which Linux tells in kB.
func statusMiB(pid int, name string) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.SplitSeq(string(data), "\n") {
		if v, ok := strings.CutPrefix(line, name); ok {
			kb, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 64)
			return kb / 1024, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status has no %s", pid, name)
}

// withoutStore is package table without its embedded store: built with it in
// the place of bolt.go, a function shows what the store adds.
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

// benchSize builds the functions as make build does, and once more without the embedded store.
func benchSize(ctx context.Context, _ benchOptions) ([]figure, error) {
	dir, err := os.MkdirTemp("", "stockbridge-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	target := []string{"GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0"}
	whole, err := built(ctx, filepath.Join(dir, "whole"), target)
	if err != nil {
		return nil, err
	}
	here, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	stub, overlay := filepath.Join(dir, "bolt.go"), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(here, "internal", "table", "bolt.go"): stub}})
	if err == nil {
		err = errors.Join(os.WriteFile(stub, []byte(withoutStore), 0o600), os.WriteFile(overlay, replace, 0o600))
	}
	if err != nil {
		return nil, err
	}
	bare, err := built(ctx, filepath.Join(dir, "bare"), target, "-overlay="+overlay)
	if err != nil {
		return nil, err
	}
	var list []figure
	for _, path := range whole {
		name := filepath.Base(path)
		size, err := zipMB(path)
		if err != nil {
			return nil, err
		}
		less, err := zipMB(bare[slices.IndexFunc(bare, func(p string) bool { return filepath.Base(p) == name })])
		if err != nil {
			return nil, err
		}
		list = append(list, figure{what: "arm64 zip of " + name, got: size, reach: 4.2, unit: "MB", open: name == "console",
			note: fmt.Sprintf("the embedded store is %.2f of it (built once more without)", size-less)})
	}
	return list, nil
}

func zipMB(path string) (float64, error) {
	binary, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	packed, err := pack(binary)
	return float64(len(packed)) / 1e6, err
}

// built builds all functions as make build does, and returns the binaries.
func built(ctx context.Context, dir string, env []string, flags ...string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "go", slices.Concat(buildFlags, flags, []string{"-o", dir + string(filepath.Separator), "./functions/..."})...)
	cmd.Env = slices.Concat(os.Environ(), env, []string{"GOFLAGS="})
	if said, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build: %w\n%s", err, bytes.TrimSpace(said))
	}
	return filepath.Glob(filepath.Join(dir, "*"))
}

// benchStart starts each function as Lambda does, and takes the time until it
// asks for its first event: with the embedded store, and with AWS's clients
// made, which ask nothing of AWS before they are used.
func benchStart(ctx context.Context, o benchOptions) ([]figure, error) {
	dir, err := os.MkdirTemp("", "stockbridge-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	binaries, err := built(ctx, dir, nil)
	if err != nil {
		return nil, err
	}
	store := []string{"STORE=file:" + filepath.Join(dir, storeFile)}
	aws := []string{"TABLE=bench", "ORDERS_QUEUE_URL=https://sqs.example.test/orders", "JOBS_QUEUE_URL=https://sqs.example.test/jobs", "SHIPMENTS_QUEUE_URL=https://sqs.example.test/shipments", "KMS_KEY_ID=bench",
		"AWS_REGION=ap-southeast-2", "AWS_ACCESS_KEY_ID=bench", "AWS_SECRET_ACCESS_KEY=bench"}
	asked := make(chan time.Time, 1)
	srv, err := listen("127.0.0.1:0", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/runtime/invocation/next") {
			asked <- time.Now()
		}
		<-r.Context().Done() // there is no event
	}))
	if err != nil {
		return nil, err
	}
	defer srv.close()
	median := func(path string, vars []string) (time.Duration, error) {
		var times []time.Duration
		for range o.starts {
			cmd := exec.CommandContext(ctx, path)
			cmd.Env = slices.Concat(vars, []string{"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(srv.url, "http://"), "LOG_LEVEL=error",
				"PUBLIC_URL=https://hooks.example.test", "API_TOKEN=not-a-secret-of-anybody"})
			var said bytes.Buffer
			cmd.Stderr = &said
			begun := time.Now()
			if err := cmd.Start(); err != nil {
				return 0, err
			}
			var err error
			select {
			case at := <-asked:
				times = append(times, at.Sub(begun))
			case <-time.After(10 * time.Second):
				err = errors.New("it does not ask for an event")
			}
			cmd.Process.Kill()
			cmd.Wait()
			if err != nil {
				return 0, fmt.Errorf("%w: %s", err, said.String())
			}
		}
		slices.Sort(times)
		return times[len(times)/2], nil
	}
	var list []figure
	for _, path := range binaries {
		name := filepath.Base(path)
		file, err := median(path, store)
		if err != nil {
			return list, fmt.Errorf("%s: %w", name, err)
		}
		cloud, err := median(path, aws)
		if err != nil {
			return list, fmt.Errorf("%s: %w", name, err)
		}
		millis := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
		list = append(list, figure{what: "start of " + name + ", from exec to GET next, p50", got: max(millis(file), millis(cloud)), reach: 7, unit: "ms",
			note: fmt.Sprintf("%s with the embedded store, %s with AWS's clients; %d starts each", short(millis(file)), short(millis(cloud)), o.starts)})
	}
	return list, nil
}
