package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"stockbridge/internal/app"
)

// prices are AWS's list prices in dollars, of the region us-east-1 in 2025, for an account beyond its free tier; others
// are to be put here where they count.
var prices = struct {
	write, read    float64 // DynamoDB on demand, a unit
	invocation     float64 // Lambda
	gigabyteSecond float64 // Lambda, arm64
	message        float64 // SQS standard queue, a request
	scheduled      float64 // EventBridge Scheduler, an invocation
	keyMonth       float64 // KMS; that keys are asked for costs next to nothing
}{
	write: 0.625e-6, read: 0.125e-6, invocation: 0.20e-6, gigabyteSecond: 0.0000133334, message: 0.40e-6,
	scheduled: 1.00e-6, keyMonth: 1,
}

// What a month's bill is reckoned with beside what is measured: how long calls take there, how much memory a function
// has (template.yaml), and how often Lambda's five pollers of a queue ask SQS, which waits for 20 s each time.
const (
	month        = 30 * 24 * time.Hour
	vendorTakes  = 300 * time.Millisecond
	tableTakes   = 5 * time.Millisecond
	memory       = 0.512 // GB, of all that do jobs of tenants at most
	queues       = 4
	pollings     = 5 * 3 * 60 * 24 * 30
	partMessages = 3 // requests to SQS for a message: sent, received, deleted
)

// bill is what something costs a month, in dollars.
type bill struct{ writes, reads, lambda, sqs, schedules, kms float64 }

func (b bill) sum() float64 { return b.writes + b.reads + b.lambda + b.sqs + b.schedules + b.kms }

func (b bill) String() string {
	return fmt.Sprintf("writes %.1f, reads %.1f, Lambda %.1f, SQS %.1f, schedules %.1f, KMS %.1f", b.writes, b.reads,
		b.lambda, b.sqs, b.schedules, b.kms)
}

// benchCost reckons what AWS bills for tenants of whom nothing happens, from what is measured here of each of their
// jobs: units of DynamoDB, requests, calls and milliseconds.
func benchCost(ctx context.Context, _ benchOptions) ([]figure, error) {
	const tenants, n = 1000, 4
	r, err := openRig(ctx, rigOptions{speed: 20, noWebhooks: true, metered: true})
	if err != nil {
		return nil, err
	}
	defer r.close()
	pause(ctx, budgetMinute/20)
	total := bill{kms: prices.keyMonth}
	for _, every := range app.Schedules() {
		total.schedules += float64(month/every) * prices.scheduled
		total.lambda += float64(month/every) * prices.invocation
	}
	total.sqs = queues * pollings * prices.message
	var list []figure
	for _, name := range []string{
		"shipments", "reconcile", "webhooks", "completeness", "mirror", "products", "customers", "prices",
	} {
		every := app.Schedules()[name]
		if name == "mirror" { // of a tenant once in its night
			every = 24 * time.Hour
		}
		if err := r.part(ctx, name); err != nil { // what it finds the first time is not idle
			return list, err
		}
		pause(ctx, time.Second)
		p, err := r.costOfPart(ctx, name, n)
		if err != nil {
			return list, err
		}
		times := tenants * float64(month) / float64(every)
		b := p.bill(times)
		total.writes, total.reads = total.writes+b.writes, total.reads+b.reads
		total.lambda, total.sqs = total.lambda+b.lambda, total.sqs+b.sqs
		each := strings.TrimSuffix(every.String(), "0s")
		list = append(list, figure{
			what: fmt.Sprintf("1,000 idle tenants a month: %s, each %s", name, each),
			got:  b.sum(), unit: "$", noGoal: true, note: p.String(),
		})
	}
	return append(list, figure{
		what: "1,000 idle tenants a month, all of it", got: total.sum(), goal: 40, unit: "$", note: total.String(),
	}), nil
}

// part is what one part of a job costs.
type part struct {
	writes, reads, requests, calls float64
	took                           time.Duration // here, where no call takes long
}

func (p part) String() string {
	return fmt.Sprintf("%.1f write and %.1f read units, %.1f requests, %.1f calls, %.1f ms", p.writes, p.reads,
		p.requests, p.calls, p.took.Seconds()*1000)
}

// bill is what a part costs that is done so many times.
func (p part) bill(times float64) bill {
	took := p.took.Seconds() + p.calls*vendorTakes.Seconds() + p.requests*tableTakes.Seconds()
	return bill{writes: times * p.writes * prices.write, reads: times * p.reads * prices.read,
		lambda: times * (prices.invocation + took*memory*prices.gigabyteSecond),
		sqs:    times * partMessages * prices.message}
}

// costOfPart has a tenant's part of a job done some times, and returns what one costs.
func (r *rig) costOfPart(ctx context.Context, name string, n int) (p part, err error) {
	count := func() part {
		writes, apart := r.meter.Units()
		return part{
			writes: float64(writes + apart), reads: r.meter.ReadUnits(),
			requests: float64(r.table.reads.Load() + r.table.writes.Load()), calls: float64(r.cin7.every.Load()),
		}
	}
	before, each := count(), float64(n)
	for range n {
		begun := time.Now()
		if err := r.part(ctx, name); err != nil {
			return p, err
		}
		p.took += time.Since(begun) / time.Duration(n)
		pause(ctx, time.Second) // what comes back by itself comes back meanwhile
	}
	after := count()
	return part{(after.writes - before.writes) / each, (after.reads - before.reads) / each,
		(after.requests - before.requests) / each, (after.calls - before.calls) / each,
		p.took}, nil
}
