package publish_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/publish"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// board is a far side that prints what it is told.
type board struct{}

func (board) Most() int { return 100 }

func (board) Put(_ context.Context, batch []publish.Telling) (a publish.Answer, err error) {
	for _, t := range batch {
		fmt.Printf("%s is %s (was %s)\n", t.ID, t.Data, t.Was)
		a.Results = append(a.Results, publish.Result{ID: t.ID})
	}
	return a, nil
}

func (board) Follow(context.Context, string, []publish.Telling) (a publish.Answer, err error) {
	return a, nil
}

// A job publishes a set. What changed since the last run is told, and nothing else.
func ExamplePublisher_Sync() {
	ctx := context.Background()
	t, err := table.Open("", table.Options{NoSync: true})
	if err != nil {
		log.Fatal(err)
	}
	defer t.Close()
	box, err := tenant.NewBox(make([]byte, 32))
	if err != nil {
		log.Fatal(err)
	}
	tenants, journal := tenant.NewStore(t, box), ledger.New(t)
	publisher := publish.New(t, journal, publish.DefaultTimes())

	prices := map[string]string{"tea": `"7.4550"`}
	set := publish.Set{Name: "prices", Account: "7", Title: "prices", To: board{},
		Want: func(_ context.Context, after publish.Key) iter.Seq2[publish.Record, error] {
			return func(yield func(publish.Record, error) bool) {
				for _, id := range []string{"coffee", "tea"} {
					r := publish.Record{Key: publish.Key{ID: id}, Data: json.RawMessage(prices[id])}
					if prices[id] != "" && id > after.ID && !yield(r, nil) {
						return
					}
				}
			}
		}}
	runner := &job.Runner{
		Verdicts: &job.Verdicts{Tenants: tenants, Ledger: journal, Now: time.Now, Times: job.DefaultTimes()},
	}
	tell := func(ctx context.Context, p *job.Part) error {
		tally, err := publisher.Sync(ctx, p, set)
		fmt.Printf("%d the same, %d new, %d changed, %d gone\n", tally.Same, tally.New, tally.Changed, tally.Gone)
		return err
	}
	runner.Kinds = []job.Kind{{Name: "prices", List: tenant.Systems()[0], Run: tell}}
	made, _, err := tenants.Create(ctx, "Harbour Roasters", "")
	if err != nil {
		log.Fatal(err)
	}
	run := func() {
		if err := runner.Do(ctx, job.Message{Job: "prices", Tenant: made.ID}); err != nil {
			log.Fatal(err)
		}
	}
	run()
	run()
	prices["tea"], prices["coffee"] = `"7.5"`, `"12.1485"`
	run()
	delete(prices, "tea")
	run()
	// Output:
	// tea is "7.4550" (was )
	// 0 the same, 1 new, 0 changed, 0 gone
	// 1 the same, 0 new, 0 changed, 0 gone
	// coffee is "12.1485" (was )
	// tea is "7.5" (was "7.4550")
	// 0 the same, 1 new, 1 changed, 0 gone
	// tea is  (was "7.5")
	// 1 the same, 0 new, 0 changed, 1 gone
}
