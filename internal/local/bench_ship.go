package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/ledger"
)

// benchShipments counts the calls that it costs to learn what is shipped.
func benchShipments(ctx context.Context, _ benchOptions) ([]figure, error) {
	const sales, atOnce = 1000, 64
	h, err := openHouse(ctx, houseOptions{speed: 1, unlimited: true, noWebhooks: true})
	if err != nil {
		return nil, err
	}
	defer h.close()
	if _, err := h.flow(ctx, sales, atOnce); err != nil {
		return nil, err
	}
	for _, s := range h.simCore.Sales(h.acc.Cin7Core.AccountID) {
		if _, err := h.simCore.Sale(s.ID, "ship", `{"trackingNumber":"T-1"}`); err != nil {
			return nil, err
		}
	}
	before, begun := h.far.count(), time.Now()
	if err := h.poll(ctx); err != nil {
		return nil, err
	}
	for n := range sales {
		select {
		case r := <-h.ended:
			if r.State != ledger.Shipped {
				return nil, fmt.Errorf("order %s is %s: %s %v", r.ID, r.State, r.Why, r.Problems)
			}
		case <-time.After(time.Minute):
			return nil, fmt.Errorf("%d of %d shipments are told", n, sales)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	took, busy := time.Since(begun), h.far.count()-before
	if err := h.poll(ctx); err != nil {
		return nil, err
	}
	idle := h.far.count() - before - busy
	return []figure{
		{what: "Cin7 Core calls of a poll that finds nothing new", got: float64(idle), reach: 1, note: "with 1,000 sales in the overlap that is read again"},
		{what: "Cin7 Core calls to learn of 1,000 shipped sales", got: float64(busy), reach: sales + 1,
			note: fmt.Sprintf("the list, and each sale once; %s s, Upstock told, limiter off", short(took.Seconds()))},
	}, nil
}

// poll has the shipments function poll for the tenant, and waits for its end.
func (h *house) poll(ctx context.Context) error {
	body, err := json.Marshal(map[string]string{"job": "shipments", "tenant": h.tenant})
	if err != nil {
		return err
	}
	batch := []message{{id: uuid(), body: string(body), sent: time.Now(), receives: 1}}
	payload, err := json.Marshal(newSQSEvent("shipments", batch))
	if err != nil {
		return err
	}
	answer, err := h.runner.lambda.invoke(ctx, "ShipmentsFunction", payload)
	if err != nil {
		return err
	}
	if failed, all := failures(answer, batch); all || len(failed) > 0 {
		return errors.New("the poll failed")
	}
	return nil
}

func (c *caller) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all
}

func (c *caller) of(path string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[path]
}

// benchShown takes the time from a shipment in Cin7 Core until Upstock shows
// it, at its longest: by webhook, whose first attempt comes a minute after the
// event, and without, just after a poll. Time runs faster, and is multiplied
// back, the machine's own share with it.
func benchShown(ctx context.Context, _ benchOptions) ([]figure, error) {
	const speed, sales = 30, 5
	longest := func(o houseOptions, wait func(*house) error) (time.Duration, error) {
		h, err := openHouse(ctx, o)
		if err != nil {
			return 0, err
		}
		defer h.close()
		for range sales {
			if err := h.order(ctx, ""); err != nil {
				return 0, err
			}
		}
		if err := wait(h); err != nil {
			return 0, err
		}
		begun := map[int]time.Time{}
		for _, s := range h.simCore.Sales(h.acc.Cin7Core.AccountID) {
			if _, err := h.simCore.Sale(s.ID, "ship", `{"trackingNumber":"T-1"}`); err != nil {
				return 0, err
			}
			id, err := strconv.Atoi(s.ExternalID[strings.LastIndexByte(s.ExternalID, ':')+1:])
			if err != nil {
				return 0, err
			}
			begun[id] = time.Now()
		}
		var times []time.Duration
		err = until(ctx, 15*time.Minute/speed, time.Millisecond, "shipments in Upstock", func() (bool, error) {
			for id, at := range begun {
				o, err := h.simUpstock.Order(id)
				if err != nil {
					return false, err
				}
				if strings.Contains(string(o.JSON), `"tracking":"T-1"`) {
					times = append(times, time.Since(at))
					delete(begun, id)
				}
			}
			return len(begun) == 0, nil
		})
		if err != nil {
			return 0, err
		}
		return slices.Max(times) * speed, nil
	}
	note := fmt.Sprintf("longest of %d, taken at speed %d and multiplied back", sales, speed)
	var list []figure
	poll, err := longest(houseOptions{speed: speed, noWebhooks: true, every: "shipments=5m"}, func(h *house) error {
		before := h.far.of("/saleList")
		return until(ctx, 6*time.Minute/speed, time.Millisecond, "the first poll", func() (bool, error) { return h.far.of("/saleList") > before, nil })
	})
	if err != nil {
		return list, fmt.Errorf("by poll: %w", err)
	}
	list = append(list, figure{what: "a shipment is seen in Upstock by poll, shipped just after one", got: poll.Seconds(), reach: 600, unit: "s", note: note + "; a poll each 5 min"})
	hook, err := longest(houseOptions{speed: speed}, func(h *house) error {
		return until(ctx, 10*time.Second, 10*time.Millisecond, "registering the webhooks", func() (bool, error) {
			var c struct{ Webhooks struct{ State string } }
			err := h.api.call(ctx, http.MethodGet, "/api/v1/tenants/"+h.tenant+"/connections/cin7core", nil, &c)
			return c.Webhooks.State == "on", err
		})
	})
	if err != nil {
		return list, fmt.Errorf("by webhook: %w", err)
	}
	return append(list, figure{what: "a shipment is seen in Upstock by webhook", got: hook.Seconds(), reach: 120, unit: "s", note: note + "; Cin7 Core's first attempt after 1 min"}), nil
}

// fanOutTest sends 5,000 tenants their part of a job at its whole size.
const fanOutTest = "TestFanOut"

func benchFanOut(ctx context.Context, _ benchOptions) ([]figure, error) {
	const many = 5000
	said, err := exec.CommandContext(ctx, "go", "test", "-count=1", "-v", "-run", "^"+fanOutTest+"$", "./internal/app", "-whole").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, strings.TrimSpace(string(said)))
	}
	m := regexp.MustCompile(`(\d+) messages in ([\d.]+) s, spread over (\d+) s, (\d+) in the busiest second`).FindStringSubmatch(string(said))
	if m == nil {
		return nil, fmt.Errorf("%s says no number of messages", fanOutTest)
	}
	var got [5]float64
	for i := 1; i < len(m); i++ {
		if got[i], err = strconv.ParseFloat(m[i], 64); err != nil {
			return nil, err
		}
	}
	note := fmt.Sprintf("they start over %s s, %s in the busiest second", m[3], m[4])
	return []figure{
		{what: "one schedule reaches 5,000 tenants: messages", got: got[1], reach: many, least: true, note: note},
		{what: "one schedule reaches 5,000 tenants: how long it takes", got: got[2], reach: 30, unit: "s", note: "the embedded store, 10 ms for each send; the function has 60 s"},
	}, nil
}
