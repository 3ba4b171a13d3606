package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/upstockcin7/order"
)

// benchShipments counts the calls that a poll makes to learn what is shipped.
func benchShipments(ctx context.Context, _ benchOptions) ([]figure, error) {
	const sales, atOnce = 1000, 64
	r, err := openRig(ctx, rigOptions{speed: 1, unlimited: true, noWebhooks: true})
	if err != nil {
		return nil, err
	}
	defer r.close()
	if _, err := r.sellMany(ctx, sales, atOnce); err != nil {
		return nil, err
	}
	if err := r.shipAll(); err != nil {
		return nil, err
	}
	before, begun := r.cin7.total(), time.Now()
	if err := r.poll(ctx); err != nil {
		return nil, err
	}
	if err := r.waitForShipments(ctx, sales); err != nil {
		return nil, err
	}
	took, busy := time.Since(begun), r.cin7.total()-before
	if err := r.poll(ctx); err != nil {
		return nil, err
	}
	idle := r.cin7.total() - before - busy
	return []figure{
		{
			what: "Cin7 Core calls of a poll that finds nothing new", got: float64(idle), goal: 1,
			note: "with 1,000 sales in the overlap that is read again",
		},
		{
			what: "Cin7 Core calls to learn of 1,000 shipped sales", got: float64(busy), goal: sales + 1,
			note: fmt.Sprintf("the list, and each sale once; %s s, Upstock told, limiter off", short(took.Seconds())),
		},
	}, nil
}

// waitForShipments waits until the work for that many orders ends. Each must be shipped then.
func (r *rig) waitForShipments(ctx context.Context, orders int) error {
	for n := range orders {
		select {
		case o := <-r.ended:
			if o.State != order.Shipped {
				return fmt.Errorf("order %s is %s: %s %v", o.ID, o.State, o.Why, o.Problems)
			}
		case <-time.After(time.Minute):
			return fmt.Errorf("shipments that Upstock knows of: %d of %d", n, orders)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// shownSpeed is how much faster benchShown runs. The times it measures are
// multiplied by it, the machine's own share too.
const shownSpeed = 30

// benchShown measures the longest time from a shipment in Cin7 Core until
// Upstock shows it: without webhooks, shipped just after a poll; and by webhook,
// whose first attempt comes a minute after the event.
func benchShown(ctx context.Context, _ benchOptions) ([]figure, error) {
	const sales = 5
	note := fmt.Sprintf("longest of %d, taken at speed %d and multiplied back", sales, shownSpeed)
	polled := rigOptions{speed: shownSpeed, noWebhooks: true, every: "shipments=5m"}
	poll, err := longestToShow(ctx, polled, sales, func(r *rig) error {
		before := r.cin7.to("/saleList")
		return until(ctx, 6*time.Minute/shownSpeed, time.Millisecond, "the first poll", func() (bool, error) {
			return r.cin7.to("/saleList") > before, nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("by poll: %w", err)
	}
	list := []figure{{
		what: "a shipment is seen in Upstock by poll, shipped just after one",
		got:  poll.Seconds(), goal: 600, unit: "s", note: note + "; a poll each 5 min",
	}}
	hook, err := longestToShow(ctx, rigOptions{speed: shownSpeed}, sales, func(r *rig) error {
		path := "/api/v1/tenants/" + r.tenant + "/connections/cin7core"
		return until(ctx, 10*time.Second, 10*time.Millisecond, "registering the webhooks", func() (bool, error) {
			var c struct{ Webhooks struct{ State string } }
			err := r.api.call(ctx, http.MethodGet, path, nil, &c)
			return c.Webhooks.State == "on", err
		})
	})
	if err != nil {
		return list, fmt.Errorf("by webhook: %w", err)
	}
	return append(list, figure{
		what: "a shipment is seen in Upstock by webhook",
		got:  hook.Seconds(), goal: 120, unit: "s", note: note + "; Cin7 Core's first attempt after 1 min",
	}), nil
}

// longestToShow sells some orders, waits until it is time to ship them, ships
// them and returns the longest time until Upstock shows a shipment.
func longestToShow(ctx context.Context, o rigOptions, sales int, wait func(*rig) error) (time.Duration, error) {
	r, err := openRig(ctx, o)
	if err != nil {
		return 0, err
	}
	defer r.close()
	for range sales {
		if err := r.sell(ctx, ""); err != nil {
			return 0, err
		}
	}
	if err := wait(r); err != nil {
		return 0, err
	}
	waiting := map[int]bool{} // ids of orders whose shipment Upstock does not show yet
	for _, s := range r.simCore.Sales(r.acc.Cin7Core.AccountID) {
		id, err := strconv.Atoi(s.ExternalID[strings.LastIndexByte(s.ExternalID, ':')+1:])
		if err != nil {
			return 0, err
		}
		waiting[id] = true
	}
	begun := time.Now()
	if err := r.shipAll(); err != nil {
		return 0, err
	}
	err = until(ctx, 15*time.Minute/shownSpeed, time.Millisecond, "shipments in Upstock", func() (bool, error) {
		for id := range waiting {
			o, err := r.simUpstock.Order(id)
			if err != nil {
				return false, err
			}
			if strings.Contains(string(o.JSON), `"tracking":"T-1"`) {
				delete(waiting, id)
			}
		}
		return len(waiting) == 0, nil
	})
	return time.Since(begun) * shownSpeed, err
}
