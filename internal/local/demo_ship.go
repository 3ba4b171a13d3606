package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"stockbridge/internal/sim"
)

// printShipping prints what is shipped in Cin7 Core, and how Upstock learns of it.
func (d *demo) printShipping(ctx context.Context, tenant string, acc sim.Account) error {
	d.say("\n4. An order that leaves in two boxes, the second without its tracking.")
	s, err := d.trade(ctx, tenant, acc,
		`"reference":"PO-2044","lines":[{"sku":"KWK-100","quantity":"24"},{"sku":"SLT-FLK","quantity":"12"}]`)
	if err != nil || s.order.State != "sold" {
		return err
	}
	boxes := []string{"Box 1", "Box 2"}
	in := map[string]any{"boxes": boxes[:1], "of": boxes, "carrier": "Kererū Couriers", "trackingNumber": "KC-1001"}
	if err := s.act(ctx, "ship", "Box 1 of 2 leaves with Kererū Couriers, tracking KC-1001", in); err != nil {
		return err
	}
	in = map[string]any{"boxes": boxes[1:], "carrier": "Kererū Couriers"}
	if err := s.act(ctx, "ship", "Box 2 of 2 leaves, its tracking is not known yet", in); err != nil {
		return err
	}
	if err := s.awaitUpstock(ctx, "both boxes",
		func(o shippedOrder) bool { return len(o.Shipments) == 2 }); err != nil {
		return err
	}
	in = map[string]any{"box": "Box 2", "trackingNumber": "KC-1002"}
	if err := s.act(ctx, "tracking", "Box 2 gets its tracking, KC-1002", in); err != nil {
		return err
	}
	if err := s.awaitUpstock(ctx, "the tracking", func(o shippedOrder) bool {
		return len(o.Shipments) == 2 && strings.Contains(text(o.Shipments[1].Tracking), "KC-1002")
	}); err != nil {
		return err
	}

	d.say("\n5. The same without webhooks: they need Cin7 Core's paid Automation module, which this account loses now.")
	path := "/sim/cin7core/accounts/" + acc.Cin7Core.AccountID
	if err := d.sim.call(ctx, http.MethodPut, path, map[string]bool{"automation": false}, nil); err != nil {
		return err
	}
	if s, err = d.trade(ctx, tenant, acc, `"reference":"PO-2045"`); err != nil || s.order.State != "sold" {
		return err
	}
	in = map[string]any{"carrier": "Kererū Couriers", "trackingNumber": "KC-1003"}
	if err := s.act(ctx, "ship", "all leaves in one box, tracking KC-1003", in); err != nil {
		return err
	}
	return s.awaitUpstock(ctx, "the shipment", func(o shippedOrder) bool { return len(o.Shipments) == 1 })
}

// shippedOrder is what Upstock knows about the shipping of an order.
type shippedOrder struct {
	Status    string
	Shipments []struct {
		Carrier, Tracking *string
		Complete          bool
	}
}

// act does something to the sale as a person at Cin7 Core would.
func (s *story) act(ctx context.Context, do, what string, in map[string]any) error {
	if err := s.sim.call(ctx, http.MethodPost, "/sim/cin7core/sales/"+text(s.order.SaleID)+"/"+do, in,
		nil); err != nil {
		return err
	}
	s.sayAt(time.Now(), "At Cin7 Core: %s.", what)
	return nil
}

// maxPollWait is how long the demo waits for a schedule before it starts the job by hand.
const maxPollWait = 45 * time.Second

// waitBeforePoll prints what will let Upstock know, a webhook on its way or a poll that is due soon. It returns how
// long to wait for it before the demo starts a poll itself.
func (s *story) waitBeforePoll(ctx context.Context) (time.Duration, error) {
	hooks, err := s.deliveries(ctx)
	if err != nil {
		return 0, err
	}
	switch coming := len(hooks) > 0 && hooks[len(hooks)-1].State == "pending"; {
	case coming:
		s.say("   …         Cin7 Core sends its webhook about %s after", round(s.minute))
		return s.minute * 3 / 2, nil
	case s.poll > 0 && s.poll <= maxPollWait:
		s.say("   …         no webhook is on its way: the next poll comes within %s", round(s.poll))
		return s.poll * 3 / 2, nil
	case s.poll > 0:
		s.say("   …         no webhook is on its way, and the next poll comes within %s", round(s.poll))
	}
	return 0, nil
}

// awaitUpstock waits until Upstock knows what just happened in Cin7 Core, and prints how and after how long it did.
func (s *story) awaitUpstock(ctx context.Context, what string, done func(shippedOrder) bool) error {
	begun := time.Now()
	wait, err := s.waitBeforePoll(ctx)
	if err != nil {
		return err
	}
	ask := begun.Add(wait)
	var o shippedOrder
	asked, said := false, begun
	err = until(ctx, patience, 100*time.Millisecond, "what Upstock knows", func() (bool, error) {
		if _, err := s.read(ctx); err != nil {
			return false, err
		}
		o = shippedOrder{}
		err := s.sim.call(ctx, http.MethodGet, fmt.Sprintf("/sim/upstock/orders/%d", s.id), nil, &o)
		if err != nil || done(o) {
			return err == nil, err
		}
		switch now := time.Now(); {
		case !asked && !now.Before(ask):
			asked = true
			return false, s.sync(ctx, "shipments")
		case now.Sub(said) > 15*time.Second:
			said = now
			s.say("   …         %s on", round(now.Sub(begun)))
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	took := time.Since(begun)
	if _, err := s.read(ctx); err != nil { // lines that were written after Upstock was told
		return err
	}
	cause, err := s.cause(ctx, begun)
	if err != nil {
		return err
	}
	if asked {
		cause += ", asked for by hand"
	}
	s.say("   => Upstock knows %s after %s, by %s. It shows the order as %s:", what, round(took), cause, o.Status)
	for i, p := range o.Shipments {
		s.say("      %d. %s, tracking %s", i+1, text(p.Carrier), text(p.Tracking))
	}
	return nil
}

// cause says what made us read the sale after an instant, by Cin7 Core's own
// records: its webhook or our reading of its list, whichever came last before the
// reading.
func (s *story) cause(ctx context.Context, since time.Time) (string, error) {
	var log struct{ Calls []sim.Call }
	path := "/sim/cin7core/calls?account=" + s.acc.Cin7Core.AccountID
	if err := s.sim.call(ctx, http.MethodGet, path, nil, &log); err != nil {
		return "", err
	}
	hooks, err := s.deliveries(ctx)
	if err != nil {
		return "", err
	}
	var read, poll, hook time.Time
	for _, c := range log.Calls {
		if c.Path == "/sale" && c.Method == http.MethodGet && strings.Contains(c.Query, text(s.order.SaleID)) &&
			c.At.After(since) {
			read = c.At
		}
	}
	for _, c := range log.Calls {
		if c.Path == "/saleList" && c.At.After(since) && c.At.Before(read) {
			poll = c.At
		}
	}
	for _, h := range hooks {
		if h.State == "delivered" && h.Next.After(since) && h.Next.Before(read) && h.Next.After(hook) {
			hook = h.Next
		}
	}
	if hook.After(poll) {
		return "Cin7 Core's webhook", nil
	}
	return "the poll of its sales", nil
}

// deliveries returns Cin7 Core's webhook deliveries about the order's sale.
func (s *story) deliveries(ctx context.Context) (list []sim.Delivery, err error) {
	var all struct{ Items []sim.Delivery }
	err = s.sim.call(ctx, http.MethodGet, "/sim/cin7core/deliveries?account="+s.acc.Cin7Core.AccountID, nil, &all)
	for _, d := range all.Items {
		if d.Sale == text(s.order.SaleNumber) {
			list = append(list, d)
		}
	}
	return list, err
}

func round(d time.Duration) time.Duration {
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Second)
}
