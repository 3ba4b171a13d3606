package upstock

import (
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"stockbridge/internal/sim"
	"stockbridge/internal/sim/simtest"
)

func TestWebhookRetriesTheSameMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &simtest.Inbox{Statuses: []int{204, 500, 0, 302, 202}} // the ping, then the order
		b := newBench(t, sim.Options{Deliver: in})
		secret, err := b.vendor.RegisterWebhook(1, "https://stockbridge.test/webhooks/upstock/abc")
		if err != nil {
			t.Fatal(err)
		}
		b.Quiet()
		o := b.approved()
		b.Quiet()
		wh, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		if len(in.Got) != 5 {
			t.Fatalf("%d requests", len(in.Got))
		}
		for i, req := range in.Got {
			if err := wh.VerifyIgnoringTimestamp([]byte(in.Bodies[i]), req.Header); err != nil {
				t.Errorf("request %d: %v", i, err)
			}
			if want := fmt.Sprint(in.At[i].Unix()); req.Header.Get("webhook-timestamp") != want {
				t.Errorf("request %d: timestamp %s, want %s", i, req.Header.Get("webhook-timestamp"), want)
			}
		}
		for i := 2; i < 5; i++ {
			if in.Bodies[i] != in.Bodies[1] ||
				in.Got[i].Header.Get("webhook-id") != in.Got[1].Header.Get("webhook-id") {
				t.Errorf("attempt %d is another message", i)
			}
		}
		if d := in.At[2].Sub(in.At[1]); d != time.Minute {
			t.Errorf("second attempt after %v", d)
		}
		if d := in.At[3].Sub(in.At[2]); d != 5*time.Second+2*time.Minute {
			t.Errorf("third attempt after %v, want the timeout and two minutes", d)
		}
		var event struct {
			ID, Type   string
			SupplierID int
			OccurredAt time.Time
			Data       struct{ Order struct{ ID int } }
		}
		if err := json.Unmarshal([]byte(in.Bodies[1]), &event); err != nil || event.Type != "order.approved" ||
			event.Data.Order.ID != o.ID || event.SupplierID != 1 || event.ID != in.Got[1].Header.Get("webhook-id") {
			t.Errorf("%+v %v", event, err)
		}
		ds := b.vendor.Deliveries(1)
		if len(ds) != 2 || ds[0].Type != "ping" || ds[1].State != "delivered" || ds[1].Attempts != 4 ||
			ds[1].Status != 202 {
			t.Errorf("%+v", ds)
		}
	})
}

func TestWebhookGivesUpAfterFourHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &simtest.Inbox{Statuses: []int{503}}
		b := newBench(t, sim.Options{Deliver: in})
		if _, err := b.vendor.RegisterWebhook(1, "https://stockbridge.test/w"); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		b.Quiet()
		if d := time.Since(start); len(in.Got) != 9 || d != 4*time.Hour {
			t.Errorf("%d attempts in %v", len(in.Got), d)
		}
		if d := b.vendor.Deliveries(1)[0]; d.State != "failed" {
			t.Errorf("%+v", d)
		}
	})
}

func TestWebhookSecretRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &simtest.Inbox{Statuses: []int{200}}
		b := newBench(t, sim.Options{Deliver: in})
		old, _ := b.vendor.RegisterWebhook(1, "https://stockbridge.test/w")
		b.Quiet()
		rotated, err := b.vendor.RotateWebhook(1)
		if err != nil || rotated == old {
			t.Fatal(rotated, err)
		}
		verify := func(secret string) bool {
			i := len(in.Got) - 1
			wh, _ := standardwebhooks.NewWebhook(secret)
			return wh.Verify([]byte(in.Bodies[i]), in.Got[i].Header) == nil
		}
		b.approved()
		b.Quiet()
		if !verify(old) || !verify(rotated) {
			t.Error("a secret does not sign during rotation")
		}
		time.Sleep(24*time.Hour + time.Second)
		b.approved()
		b.Quiet()
		if verify(old) || !verify(rotated) {
			t.Error("the old secret still signs after a day")
		}
	})
}

func TestWebhookFaults(t *testing.T) {
	for _, x := range []struct {
		f     sim.Fault
		got   int
		last  time.Duration
		tries int
	}{
		{sim.Fault{Kind: "before"}, 1, time.Minute, 2},
		{sim.Fault{Kind: "after"}, 2, time.Minute, 2},
		{sim.Fault{Kind: "late", Seconds: 30}, 1, 30 * time.Second, 1},
		{sim.Fault{Kind: "dup"}, 2, 0, 1},
	} {
		t.Run(x.f.Kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in := &simtest.Inbox{Statuses: []int{200}}
				b := newBench(t, sim.Options{Deliver: in})
				if _, err := b.vendor.RegisterWebhook(1, "https://stockbridge.test/w"); err != nil {
					t.Fatal(err)
				}
				b.Quiet()
				in.Got, in.At = nil, nil
				x.f.Match = "WEBHOOK order.approved"
				if err := b.Fault(sim.Upstock, x.f); err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				b.approved()
				b.Quiet()
				if len(in.Got) != x.got || in.At[len(in.At)-1].Sub(start) != x.last {
					t.Errorf("%d requests, last after %v", len(in.Got), in.At[len(in.At)-1].Sub(start))
				}
				if d := b.vendor.Deliveries(1)[1]; d.Attempts != x.tries || d.State != "delivered" {
					t.Errorf("%+v", d)
				}
			})
		})
	}
}

func TestDroppedWebhook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &simtest.Inbox{Statuses: []int{200}}
		b := newBench(t, sim.Options{Deliver: in})
		if _, err := b.vendor.RegisterWebhook(1, "https://stockbridge.test/w"); err != nil {
			t.Fatal(err)
		}
		b.Quiet()
		if err := b.Fault(sim.Upstock, sim.Fault{Match: "WEBHOOK order.approved", Kind: "drop"}); err != nil {
			t.Fatal(err)
		}
		b.approved()
		b.Quiet()
		if d := b.vendor.Deliveries(1)[1]; len(in.Got) != 1 || d.State != "failed" {
			t.Errorf("%d requests, %+v", len(in.Got), d)
		}
	})
}
