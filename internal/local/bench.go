package main

import (
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

// figure is one number, measured in this run, beside the one to reach.
type figure struct {
	what       string
	got, reach float64
	unit       string
	least      bool   // got must be no less than reach; else no more
	open       bool   // nothing is said about what it is to reach
	note       string // how it came about
}

func (f figure) reached() bool {
	return f.open || f.least && f.got >= f.reach || !f.least && f.got <= f.reach
}

func (f figure) String() string {
	aim, verdict := "<= "+short(f.reach), "reached"
	if f.least {
		aim = ">= " + short(f.reach)
	}
	if !f.reached() {
		verdict = "NOT REACHED"
	}
	if f.open {
		aim, verdict = "", ""
	}
	return strings.TrimRight(fmt.Sprintf("%-68s %6s %-4s %-7s %-11s  %s", f.what, short(f.got), f.unit, aim, verdict, f.note), " ")
}

// short shows three digits or all of the whole part.
func short(v float64) string {
	digits := 0
	if v != math.Trunc(v) {
		digits = max(0, 2-int(math.Floor(math.Log10(math.Abs(v)))))
	}
	return strconv.FormatFloat(v, 'f', min(digits, 2), 64)
}

// measurement is one of several; each makes what it needs.
type measurement struct {
	name string
	do   func(context.Context, benchOptions) ([]figure, error)
}

func measurements() []measurement {
	return []measurement{{"calls", benchCalls}, {"units", benchUnits}, {"lists", benchLists}, {"shipments", benchShipments}, {"shown", benchShown}, {"fanout", benchFanOut}, {"budget", benchBudget}, {"rate", benchRate}, {"memory", benchMemory}, {"size", benchSize}, {"start", benchStart}}
}

type benchOptions struct {
	orders, starts, listed int
	profile                string
}

// bench measures the design's numbers and prints each beside the one to reach.
// A number that is not reached is no error; one that could not be measured is.
func bench(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	var o benchOptions
	f.IntVar(&o.orders, "orders", 3000, "how many orders the rate is measured with")
	f.IntVar(&o.starts, "starts", 30, "how often each function is started")
	f.IntVar(&o.listed, "listed", 100_000, "how many orders the tenant has whose lists are measured")
	f.StringVar(&o.profile, "profile", "", "a file for the CPU profile of the rate's measurement")
	var measured []string
	for _, m := range measurements() {
		measured = append(measured, m.name)
	}
	only := f.String("only", "", "names of measurements, with commas: "+strings.Join(measured, ", "))
	if err := f.Parse(args); err != nil {
		return err
	}
	begun, missed := time.Now(), 0
	var failed []error
	for _, m := range measurements() {
		if list := trimmed(*only); len(list) > 0 && !slices.Contains(list, m.name) {
			continue
		}
		figures, err := m.do(ctx, o)
		for _, g := range figures {
			fmt.Fprintln(out, g)
			if !g.reached() {
				missed++
			}
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("measure %s: %w", m.name, err))
		}
	}
	fmt.Fprintf(out, "%d not reached, %d not measured, %v\n", missed, len(failed), time.Since(begun).Round(time.Second))
	return errors.Join(failed...)
}

// budgetTest plays half an hour of 16 workers under fake time, which only
// tests can have; it fails where one of them is throttled.
const budgetTest = "TestSixteenWorkersUseTheBudget"

func benchBudget(ctx context.Context, _ benchOptions) ([]figure, error) {
	said, err := exec.CommandContext(ctx, "go", "test", "-count=1", "-v", "-run", "^"+budgetTest+"$", "./internal/limit").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, strings.TrimSpace(string(said)))
	}
	const most = 30 * 60
	least := math.Inf(1)
	for _, m := range regexp.MustCompile(`(\d+) calls, \d+ reads`).FindAllStringSubmatch(string(said), -1) {
		n, _ := strconv.ParseFloat(m[1], 64)
		least = min(least, n)
	}
	if math.IsInf(least, 1) || least == 0 {
		return nil, fmt.Errorf("%s says no number of calls", budgetTest)
	}
	return []figure{{what: "use of the 60-a-minute budget, 16 workers, none throttled", got: math.Floor(least/most*1000) / 10, reach: 95, unit: "%", least: true, note: "half an hour of fake time"}}, nil
}
