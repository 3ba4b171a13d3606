package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"stockbridge/internal/table"
)

// benchUnits counts the write units that DynamoDB would bill for orders, the
// webhook and the limiter included, and for a job that finds nothing to do. Time
// runs faster, for the limiter would make minutes of it.
func benchUnits(ctx context.Context, _ benchOptions) ([]figure, error) {
	const speed, books, first, n = 20, 110, 10, 8
	const minute = 65 * time.Second / speed // of the budget
	orders := map[int]string{}
	h, err := openHouse(ctx, houseOptions{speed: speed, noWebhooks: true, metered: true, stock: func(h *house) error {
		defer pause(ctx, minute)
		for _, lines := range []int{3, 100} {
			order, err := h.stock(books*(1+len(orders)), lines)
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
	defer h.close()
	pause(ctx, minute) // the mirror has used some of the budget
	for range first {  // looked for as somebody else's sales too
		if err := h.order(ctx, ""); err != nil {
			return nil, err
		}
	}
	h.meter.Apart = func(k table.Key) bool { return strings.HasSuffix(k.PK, "#find") }
	each := func(do func() error) (units, apart float64, err error) {
		pause(ctx, minute)
		u, a := h.meter.Units()
		for range n {
			if err := do(); err != nil {
				return 0, 0, err
			}
		}
		u2, a2 := h.meter.Units()
		return float64(u2-u) / n, float64(a2-a) / n, nil
	}
	var list []figure
	for _, c := range []struct {
		lines int
		reach float64
	}{{3, 24}, {100, 40}} {
		got, lists, err := each(func() error { return h.order(ctx, orders[c.lines]) })
		if err != nil {
			return list, fmt.Errorf("order of %d lines: %w", c.lines, err)
		}
		list = append(list,
			figure{what: fmt.Sprintf("DynamoDB write units per order of %d lines, webhook included", c.lines), got: got, reach: c.reach, note: "the limiter among them"},
			figure{what: fmt.Sprintf("and for lists and search, of %d lines", c.lines), got: lists, reach: 10})
	}
	idle, _, err := each(func() error { return h.poll(ctx) })
	if err != nil {
		return list, err
	}
	return append(list, figure{what: "DynamoDB write units of a poll that finds nothing new", got: idle, reach: 3, note: "a grant of the limiter among them"}), nil
}
