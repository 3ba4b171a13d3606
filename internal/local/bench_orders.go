package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"stockbridge/internal/cloud"
	"stockbridge/internal/sim"
	"stockbridge/internal/table"
)

// budgetMinute is how long Cin7 Core's budget takes to be whole again, and a
// little more. The rig runs faster, or the waiting would take minutes.
const budgetMinute = 65 * time.Second

// benchRate measures how many orders a second go from webhook to sale.
func benchRate(ctx context.Context, o benchOptions) ([]figure, error) {
	const warm, rounds, atOnce = 100, 3, 64
	if o.orders < rounds {
		return nil, fmt.Errorf("%d orders are too few", o.orders)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(cloud.GCPercent))
	r, err := openRig(ctx, rigOptions{speed: 1, unlimited: true})
	if err != nil {
		return nil, err
	}
	defer r.close()
	if _, err := r.sellMany(ctx, warm, atOnce); err != nil {
		return nil, err
	}
	if o.profile != "" {
		f, err := os.Create(o.profile)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return nil, err
		}
		defer pprof.StopCPUProfile()
	}
	perRound := o.orders / rounds
	best, cpuBefore, others := 0.0, ownTime(), watchOthers()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range rounds {
		took, err := r.sellMany(ctx, perRound, atOnce)
		if err != nil {
			return nil, err
		}
		best = max(best, float64(perRound)/took.Seconds())
	}
	sold := float64(perRound * rounds)
	cpu := (ownTime() - cpuBefore).Seconds() / sold
	runtime.ReadMemStats(&after)
	note := fmt.Sprintf("best of %d rounds of %d, GOGC=%d as the functions have it%s", rounds, perRound,
		cloud.GCPercent, others())
	if err := r.checkSales(warm + perRound*rounds); err != nil {
		return nil, err
	}
	return []figure{
		{
			what: "orders a second, webhook to sold, one process, limiter off",
			got:  best, goal: 900, unit: "/s", atLeast: true, note: note,
		},
		{
			what: "CPU of such an order", got: cpu * 1000, goal: 1.9, unit: "ms",
			note: "simulators included; more where others use the machine",
		},
		{
			what: "allocations of such an order", got: float64(after.Mallocs-before.Mallocs) / sold, goal: 4600,
			note: fmt.Sprintf("%.0f kB, simulators included", float64(after.TotalAlloc-before.TotalAlloc)/sold/1000),
		},
	}, nil
}

// checkSales fails unless that many orders have exactly one complete sale each.
func (r *rig) checkSales(orders int) error {
	complete := map[string]int{}
	for _, s := range r.simCore.Sales(r.acc.Cin7Core.AccountID) {
		if s.Lines > 0 {
			complete[s.ExternalID]++
		}
	}
	if len(complete) != orders || slices.Max(slices.Collect(maps.Values(complete))) > 1 {
		return fmt.Errorf("%d orders, %d of them sold", orders, len(complete))
	}
	return nil
}

// benchCalls counts the calls to Cin7 Core and the table's requests for an
// order, and the calls that read Cin7 Core's records.
func benchCalls(ctx context.Context, _ benchOptions) ([]figure, error) {
	const speed, books, n, lines = 20, 1000, 8, 100
	var long string
	r, err := openRig(ctx, rigOptions{speed: speed, fill: func(r *rig) (err error) {
		long, err = r.fillBooks(books, lines)
		pause(ctx, budgetMinute/speed)
		return err
	}})
	if err != nil {
		return nil, err
	}
	defer r.close()
	reading := []figure{
		{what: "calls to read 1,000 customers", got: float64(r.cin7.whole("/customer")), goal: 1},
		{what: "calls to read 1,000 products", got: float64(r.cin7.whole("/product")), goal: 1},
	}
	pause(ctx, budgetMinute/speed) // reading used some of the budget
	if err := r.sellFirst(ctx); err != nil {
		return reading, err
	}
	pause(ctx, budgetMinute/speed)
	usual, err := r.costOf(ctx, n, "")
	if err != nil {
		return reading, err
	}
	large, err := r.costOf(ctx, n/2, long)
	if err != nil {
		return reading, fmt.Errorf("order of %d lines: %w", lines, err)
	}
	settings := map[string]string{"orderStatus": "authorised", "creationMode": "autoPick"}
	if err := r.api.call(ctx, http.MethodPatch, "/api/v1/tenants/"+r.tenant+"/settings", settings, nil); err != nil {
		return reading, err
	}
	picked, err := r.costOf(ctx, n, "")
	if err != nil {
		return reading, fmt.Errorf("with Auto Pick: %w", err)
	}
	if over := r.sim.OverLimit(sim.Cin7Core, r.acc.Cin7Core.AccountID) - r.overBefore; over > 0 {
		return reading, fmt.Errorf("%d calls over the limit", over)
	}
	const ofUsual = " for an order of 1 to 3 lines"
	return append([]figure{
		{what: "Cin7 Core calls per order, good case", got: usual.calls, goal: 2},
		{what: "Cin7 Core calls per order with Auto Pick", got: picked.calls, goal: 3},
		{
			what: "storage writes per order of 100 lines, webhook and limiter included",
			got:  large.writes, goal: 9, note: short(usual.writes) + ofUsual,
		},
		{
			what: "storage reads per order of 100 lines, webhook and limiter included",
			got:  large.reads, goal: 5, note: short(usual.reads) + ofUsual,
		},
	}, reading...), nil
}

// cost is what an order costs: calls to Cin7 Core, and requests to the table.
type cost struct{ calls, reads, writes float64 }

// costOf sells n orders and returns what one costs on average.
func (r *rig) costOf(ctx context.Context, n int, body string) (cost, error) {
	calls, reads, writes := r.cin7.total(), r.table.reads.Load(), r.table.writes.Load()
	for range n {
		if err := r.sell(ctx, body); err != nil {
			return cost{}, err
		}
	}
	return cost{
		calls:  float64(r.cin7.total()-calls) / float64(n),
		reads:  float64(r.table.reads.Load()-reads) / float64(n),
		writes: float64(r.table.writes.Load()-writes) / float64(n),
	}, nil
}

// benchUnits counts the write units that DynamoDB would bill for an order, the
// webhook and the limiter included, and for a poll that finds nothing new.
func benchUnits(ctx context.Context, _ benchOptions) ([]figure, error) {
	const speed, books = 20, 110
	orders := map[int]string{} // by number of lines
	r, err := openRig(ctx, rigOptions{speed: speed, noWebhooks: true, metered: true, fill: func(r *rig) error {
		defer pause(ctx, budgetMinute/speed)
		for _, lines := range []int{3, 100} {
			order, err := r.fillBooks(books*(1+len(orders)), lines)
			if err != nil {
				return err
			}
			orders[lines] = order
		}
		return nil
	}})
	if err != nil {
		return nil, err
	}
	defer r.close()
	pause(ctx, budgetMinute/speed) // reading used some of the budget
	if err := r.sellFirst(ctx); err != nil {
		return nil, err
	}
	r.meter.Apart = func(k table.Key) bool { return strings.HasSuffix(k.PK, "#find") }
	var list []figure
	for _, c := range []struct {
		lines int
		goal  float64
	}{{3, 24}, {100, 40}} {
		pause(ctx, budgetMinute/speed)
		units, lists, err := r.unitsOf(func() error { return r.sell(ctx, orders[c.lines]) })
		if err != nil {
			return list, fmt.Errorf("order of %d lines: %w", c.lines, err)
		}
		list = append(list,
			figure{what: fmt.Sprintf("DynamoDB write units per order of %d lines, webhook included", c.lines),
				got: units, goal: c.goal, note: "the limiter among them"},
			figure{what: fmt.Sprintf("and for lists and search, of %d lines", c.lines), got: lists, goal: 10})
		if c.lines == 3 {
			list = append(list, figure{what: "storage writes of 1,000 such orders", unit: "$", goal: 0.02,
				got: 1000 * (units + lists) * prices.write, note: "by list prices of us-east-1"})
		}
	}
	pause(ctx, budgetMinute/speed)
	idle, _, err := r.unitsOf(func() error { return r.poll(ctx) })
	if err != nil {
		return list, err
	}
	return append(list, figure{what: "DynamoDB write units of a poll that finds nothing new", got: idle, goal: 3,
		note: "a grant of the limiter among them"}), nil
}

// unitsOf does something eight times and returns how many write units it takes
// on average: all but those for lists and search, and those.
func (r *rig) unitsOf(do func() error) (units, lists float64, err error) {
	const n = 8
	u, l := r.meter.Units()
	for range n {
		if err := do(); err != nil {
			return 0, 0, err
		}
	}
	u2, l2 := r.meter.Units()
	return float64(u2-u) / n, float64(l2-l) / n, nil
}

// watchOthers starts to watch how busy other processes keep the machine. What it
// returns tells their share of the CPU since then, if the system reports it.
func watchOthers() func() string {
	all, idle, ok := machineTime()
	own := ownTime()
	return func() string {
		all2, idle2, ok2 := machineTime()
		if !ok || !ok2 || all2 <= all {
			return ""
		}
		others := (all2 - all) - (idle2 - idle) - (ownTime() - own)
		share := max(0, 100*others.Seconds()/(all2-all).Seconds())
		return fmt.Sprintf("; others took %.0f %% of the CPU meanwhile", share)
	}
}

// machineTime returns how long all CPUs together have run since the machine
// started, and how much of that they were idle.
func machineTime() (all, idle time.Duration, ok bool) {
	const tick = 10 * time.Millisecond
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, false
	}
	line, _, _ := strings.Cut(string(data), "\n")
	for i, f := range strings.Fields(line)[1:] {
		n, _ := strconv.Atoi(f)
		switch {
		case i > 7: // guests' time is part of the users' already
			continue
		case i == 3 || i == 4: // idle, and waiting for a disk
			idle += time.Duration(n) * tick
		}
		all += time.Duration(n) * tick
	}
	return all, idle, true
}

// ownTime returns the CPU time that this process has used.
func ownTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
