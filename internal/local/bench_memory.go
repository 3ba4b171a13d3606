package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	simcin7core "stockbridge/internal/sim/cin7core"
)

// benchMemory starts the runner as make run does, with the demo trading, and
// sells 1,000 more orders. They are of several tenants, so that the vendors'
// limits, at the speed chosen, do not make it take long.
func benchMemory(ctx context.Context, _ benchOptions) ([]figure, error) {
	const tenants, each, speed = 8, 125, 30
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "stockbridge-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	cmd, k, err := startDemo(ctx, dir, speed)
	if err != nil {
		return nil, err
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
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
	return []figure{{
		what: "memory of the runner, the demo trading, after 1,000 more orders", got: now, goal: 50, unit: "MiB",
		note: fmt.Sprintf("resident, simulators included; at most %s MiB; %d tenants, speed %d",
			short(most), tenants, speed),
	}}, nil
}

// startDemo starts the runner with its simulators and the demo as a process of
// their own, and waits until it answers.
func startDemo(ctx context.Context, dir string, speed int) (_ *exec.Cmd, k killTest, err error) {
	exe, errExe := os.Executable()
	listen, errListen := freePort()
	simAt, errSim := freePort()
	if err := errors.Join(errExe, errListen, errSim); err != nil {
		return nil, k, err
	}
	cmd := exec.Command(exe, "-listen", listen, "-sim", simAt, "-data", dir, "-speed", fmt.Sprint(speed))
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return vendorPaths[name] != "" || name == "PUBLIC_URL"
	})
	cmd.Env = append(cmd.Env, "LOG_LEVEL=error")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, k, err
	}
	k = killTest{api: client{"http://" + listen, "dev"}, sim: client{"http://" + simAt, ""}}
	err = until(ctx, 10*time.Second, 10*time.Millisecond, "start of the runner", func() (bool, error) {
		return k.api.call(ctx, http.MethodGet, "/healthz", nil, nil) == nil, nil
	})
	if err != nil {
		cmd.Process.Kill()
		cmd.Wait()
	}
	return cmd, k, err
}

// trade makes a tenant, places its orders and waits until all are sold.
func (k *killTest) trade(ctx context.Context, orders int) error {
	acc, _, err := k.prepare(ctx)
	if err != nil {
		return err
	}
	for range orders {
		if _, err := place(ctx, k.sim, acc.Upstock.Supplier, ""); err != nil {
			return err
		}
	}
	path := "/sim/cin7core/sales?account=" + acc.Cin7Core.AccountID
	return until(ctx, 2*time.Minute, time.Second, "orders sold", func() (bool, error) {
		var sales struct{ Items []simcin7core.SaleSummary }
		if err := k.sim.call(ctx, http.MethodGet, path, nil, &sales); err != nil {
			return false, err
		}
		complete := 0
		for _, s := range sales.Items {
			if s.Lines > 0 {
				complete++
			}
		}
		return complete == orders, nil
	})
}

// statusMiB reads a size of a process, which Linux gives in kB.
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
