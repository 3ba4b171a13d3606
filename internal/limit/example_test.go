package limit_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"stockbridge/internal/limit"
	"stockbridge/internal/table"
)

// A worker takes a grant before each call. A refusal says when to come back.
func ExampleLimiter_Take() {
	ctx := context.Background()
	t, err := table.Open("", table.Options{NoSync: true})
	if err != nil {
		log.Fatal(err)
	}
	defer t.Close()
	now := time.Now()
	clock := limit.Now(func() time.Time { return now })
	twice := limit.Budget{Rates: []limit.Rate{{Calls: 2, Window: time.Minute}}}

	// Two workers, or two tenants, who use the same account share its budget.
	one := limit.New(t, "vendor", "account", twice, limit.First, clock)
	other := limit.New(t, "vendor", "account", twice, limit.First, clock)
	for _, l := range []*limit.Limiter{one, other, one} {
		_, err := l.Take(ctx)
		if wait, ok := errors.AsType[*limit.Wait](err); ok {
			fmt.Println("come back after", wait.Until.Sub(now).Round(time.Second))
			continue
		}
		fmt.Println("call", err)
	}
	// Output:
	// call <nil>
	// call <nil>
	// come back after 1m0s
}
