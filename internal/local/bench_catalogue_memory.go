package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"time"

	"stockbridge/internal/app"
	"stockbridge/internal/prose"
)

// benchCatalogueMemory measures how much memory a process takes that reads a very large catalogue whole, and one that
// imports the products of a large one. The simulators are in this process, Stockbridge in another, as the vendors'
// books would count else.
func benchCatalogueMemory(ctx context.Context, o benchOptions) ([]figure, error) {
	list, err := inMeasured(ctx, o.products, o.customers, "reading", (*rig).readTenant)
	if err != nil {
		return nil, err
	}
	// More would be read anew before they are imported: all of them have just changed in Cin7 Core.
	imported, err := inMeasured(ctx, min(o.products, 10_000), min(o.customers, 2000), "reading and importing",
		func(r *rig, ctx context.Context) error {
			if err := r.connectTenant(ctx); err != nil {
				return err
			}
			return r.long(ctx, "products/import", map[string]any{"all": true})
		})
	return append(list, imported...), err
}

// inMeasured has a process of its own do something with a catalogue of that size.
func inMeasured(
	ctx context.Context, products, customers int, what string, do func(*rig, context.Context) error,
) ([]figure, error) {
	r := &rig{}
	defer r.close()
	err := r.startVendors(rigOptions{speed: 1, noWebhooks: true, fill: func(r *rig) error {
		return r.fillCatalogue(ctx, products, customers, 20)
	}})
	if err != nil {
		return nil, err
	}
	cmd, url, err := startMeasured(ctx, r.control.url)
	if err != nil {
		return nil, err
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	r.api = client{url, "dev"}
	most, stop := watchMemory(cmd.Process.Pid)
	defer stop()
	begun := time.Now()
	if err := do(r, ctx); err != nil {
		return nil, err
	}
	took := time.Since(begun).Seconds()
	size := fmt.Sprintf("%s %s products, %s customers", what, prose.Count(products),
		prose.Count(customers))
	return []figure{
		{what: "memory, " + size, got: most(), goal: 96, unit: "MiB",
			note: "a process of its own, without its mapped files; 20 own prices a customer; limiter off"},
		{what: "time, " + size, got: took, unit: "s", noGoal: true, note: "simulators included"},
	}, nil
}

// serveMeasured is the process that startMeasured starts: the runner without limiter and schedules, until it is killed.
func serveMeasured(ctx context.Context, simURL string, out io.Writer) error {
	dir, err := os.MkdirTemp("", "stockbridge-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	never := ""
	for job := range app.Schedules() {
		never += job + "=0,"
	}
	noEnv := func(string) string { return "" }
	r, err := start(options{listen: "127.0.0.1:0", token: "dev", speed: 1, every: never,
		change: func(d *app.Deps) { d.Unlimited = true }}, dir, simURL, noEnv, io.Discard)
	if err != nil {
		return err
	}
	defer r.close()
	fmt.Fprintln(out, r.web.url)
	<-ctx.Done()
	return nil
}

// startMeasured starts Stockbridge as a process of its own, and returns its address.
func startMeasured(ctx context.Context, simURL string) (_ *exec.Cmd, url string, err error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	cmd := exec.CommandContext(ctx, exe, "bench", "-serve", simURL)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Stderr = os.Stderr
	said, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, "", err
	}
	url, err = bufio.NewReader(said).ReadString('\n')
	return cmd, strings.TrimSpace(url), err
}

// watchMemory watches the memory of a process that no file could be read into again, until stop. most is the most
// that it was, in MiB.
func watchMemory(pid int) (most func() float64, stop func()) {
	var peak atomic.Int64
	done := make(chan struct{})
	go func() {
		for {
			if mib, err := statusMiB(pid, "RssAnon:"); err == nil {
				peak.Store(max(peak.Load(), int64(mib*1024)))
			}
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() float64 { return float64(peak.Load()) / 1024 }, func() { close(done) }
}
