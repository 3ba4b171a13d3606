package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// figure is one number measured in this run, with its goal.
type figure struct {
	what      string
	got, goal float64
	unit      string
	atLeast   bool   // the goal is the least, not the most
	noGoal    bool   // the number is only shown
	skipped   bool   // there is none; the note says why
	note      string // how it was measured
}

func (f figure) reached() bool {
	return f.noGoal || f.skipped || f.atLeast && f.got >= f.goal || !f.atLeast && f.got <= f.goal
}

func (f figure) String() string {
	if f.skipped {
		return fmt.Sprintf("%-68s not measured: %s", f.what, f.note)
	}
	goal, verdict := "<= "+short(f.goal), "reached"
	if f.atLeast {
		goal = ">= " + short(f.goal)
	}
	if !f.reached() {
		verdict = "NOT REACHED"
	}
	if f.noGoal {
		goal, verdict = "", ""
	}
	line := fmt.Sprintf("%-68s %6s %-4s %-7s %-11s  %s", f.what, short(f.got), f.unit, goal, verdict, f.note)
	return strings.TrimRight(line, " ")
}

// short formats a number with three digits, or with its whole part if that is longer.
func short(v float64) string {
	digits := 0
	if v != math.Trunc(v) {
		digits = max(0, 2-int(math.Floor(math.Log10(math.Abs(v)))))
	}
	return strconv.FormatFloat(v, 'f', min(digits, 2), 64)
}

// measurement yields some of the figures. It sets up whatever it needs itself.
type measurement struct {
	name string
	do   func(context.Context, benchOptions) ([]figure, error)
}

func measurements() []measurement {
	return []measurement{
		{"calls", benchCalls},
		{"units", benchUnits},
		{"cost", benchCost},
		{"lists", benchLists},
		{"pages", benchPages},
		{"pagesDynamo", benchPagesDynamo},
		{"shipments", benchShipments},
		{"shown", benchShown},
		{"catalogue", benchCatalogue},
		{"catalogueMemory", benchCatalogueMemory},
		{"customers", benchCustomers},
		{"customersDynamo", benchCustomersDynamo},
		{"match", benchMatch},
		{"fanout", benchFanOut},
		{"budget", benchBudget},
		{"rate", benchRate},
		{"memory", benchMemory},
		{"size", benchSize},
		{"start", benchStart},
	}
}

type benchOptions struct {
	orders, starts, listed int
	products, customers    int
	profile, serve         string
	only                   []string
}

func parseBench(args []string) (o benchOptions, err error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.IntVar(&o.orders, "orders", 3000, "how many orders the rate is measured with")
	f.IntVar(&o.starts, "starts", 30, "how often each function is started")
	f.IntVar(&o.listed, "listed", 100_000, "how many orders the tenant has whose lists are measured")
	f.IntVar(&o.products, "products", 100_000, "how many products the catalogue has whose memory is measured")
	f.IntVar(&o.customers, "customers", 20_000, "and how many customers")
	f.StringVar(&o.serve, "serve", "", "be the process whose memory is measured, with the simulators at this address")
	f.StringVar(&o.profile, "profile", "", "a file for the CPU profile of the rate's measurement")
	var names []string
	for _, m := range measurements() {
		names = append(names, m.name)
	}
	only := f.String("only", "", "names of measurements, with commas: "+strings.Join(names, ", "))
	err = f.Parse(args)
	o.only = splitList(*only)
	return o, err
}

// bench measures the design's numbers and prints each with its goal. A goal that
// is not reached is no error; a number that could not be measured is one.
func bench(ctx context.Context, args []string, out io.Writer) error {
	o, err := parseBench(args)
	if err != nil {
		return err
	}
	if o.serve != "" {
		return serveMeasured(ctx, o.serve, out)
	}
	begun, missed := time.Now(), 0
	var failed []error
	for _, m := range measurements() {
		if len(o.only) > 0 && !slices.Contains(o.only, m.name) {
			continue
		}
		figures, err := m.do(ctx, o)
		for _, f := range figures {
			fmt.Fprintln(out, f)
			if !f.reached() {
				missed++
			}
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("measure %s: %w", m.name, err))
		}
	}
	fmt.Fprintf(out, "%d not reached, %d not measured, %v\n",
		missed, len(failed), time.Since(begun).Round(time.Second))
	return errors.Join(failed...)
}

// budgetTest runs 16 workers for half an hour of fake time, which only tests can
// have. It fails if one of them is throttled.
const budgetTest = "TestSixteenWorkersUseTheBudget"

func benchBudget(ctx context.Context, _ benchOptions) ([]figure, error) {
	log, err := runTest(ctx, budgetTest, "./internal/limit")
	if err != nil {
		return nil, err
	}
	const most = 30 * 60
	least := math.Inf(1)
	for _, m := range regexp.MustCompile(`(\d+) calls, \d+ reads`).FindAllStringSubmatch(log, -1) {
		n, _ := strconv.ParseFloat(m[1], 64)
		least = min(least, n)
	}
	if math.IsInf(least, 1) || least == 0 {
		return nil, fmt.Errorf("%s logs no number of calls", budgetTest)
	}
	list := []figure{{
		what: "use of the 60-a-minute budget, 16 workers, none throttled",
		got:  math.Floor(least/most*1000) / 10, goal: 95, unit: "%", atLeast: true, note: "half an hour of fake time",
	}}
	imports, err := benchImports(ctx)
	return append(list, imports...), err
}

// importTest has orders come while an import runs, and while none does.
const importTest = "TestImportLeavesOrdersAlone"

// benchImports measures what an import has of a budget, and what orders wait for it. Where ten orders come at once
// their wait has no goal: 20 calls cannot be free all the time to an account of 60 of which an import is to use 95 %.
func benchImports(ctx context.Context) (list []figure, err error) {
	log, err := runTest(ctx, importTest, "./internal/limit", "-whole")
	if err != nil {
		return nil, err
	}
	said := regexp.MustCompile(`go:\d+: (.*): ([\d.]+) % of what orders leave, p95 of orders (\d+) % \((.*)\)`)
	for _, m := range said.FindAllStringSubmatch(log, -1) {
		use, errUse := strconv.ParseFloat(m[2], 64)
		p95, errP95 := strconv.ParseFloat(m[3], 64)
		if err := errors.Join(errUse, errP95); err != nil {
			return list, err
		}
		list = append(list,
			figure{what: "budget use of an import, " + m[1], got: use, goal: 95, unit: "%",
				atLeast: true, note: "of what orders leave; fake time"},
			figure{what: "orders' p95 meanwhile, without an import 100 %", got: p95, goal: 110, unit: "%",
				noGoal: strings.Contains(m[1], "at once"), note: m[4]})
	}
	if len(list) == 0 {
		err = fmt.Errorf("%s logs no numbers", importTest)
	}
	return list, err
}

// fanOutTest sends 5,000 tenants their part of a job, at full size.
const fanOutTest = "TestFanOut"

func benchFanOut(ctx context.Context, _ benchOptions) ([]figure, error) {
	log, err := runTest(ctx, fanOutTest, "./internal/app", "-whole")
	if err != nil {
		return nil, err
	}
	m := regexp.MustCompile(`(\d+) messages in ([\d.]+) s, spread over (\d+) s, (\d+) in the busiest second`).
		FindStringSubmatch(log)
	if m == nil {
		return nil, fmt.Errorf("%s logs no number of messages", fanOutTest)
	}
	messages, errMessages := strconv.ParseFloat(m[1], 64)
	seconds, errSeconds := strconv.ParseFloat(m[2], 64)
	if err := errors.Join(errMessages, errSeconds); err != nil {
		return nil, err
	}
	return []figure{
		{
			what: "one schedule reaches 5,000 tenants: messages", got: messages, goal: 5000, atLeast: true,
			note: fmt.Sprintf("they start over %s s, %s in the busiest second", m[3], m[4]),
		},
		{
			what: "one schedule reaches 5,000 tenants: how long it takes", got: seconds, goal: 30, unit: "s",
			note: "the embedded store, 10 ms for each send; the function has 60 s",
		},
	}, nil
}

// runTest runs one test of a package and returns what it logs.
func runTest(ctx context.Context, name, pkg string, flags ...string) (string, error) {
	args := append([]string{"test", "-count=1", "-v", "-run", "^" + name + "$", pkg}, flags...)
	out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, bytes.TrimSpace(out))
	}
	return string(out), nil
}
