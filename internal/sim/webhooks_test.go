package sim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// inbox is a webhook endpoint that answers with the next of its statuses, then
// with the last one for ever; 0 = never.
type inbox struct {
	mu       sync.Mutex
	statuses []int
	got      []*http.Request
	bodies   []string
	at       []time.Time
}

func (in *inbox) RoundTrip(req *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(req.Body)
	in.mu.Lock()
	in.got, in.bodies, in.at = append(in.got, req), append(in.bodies, string(body)), append(in.at, time.Now())
	status := in.statuses[0]
	if len(in.statuses) > 1 {
		in.statuses = in.statuses[1:]
	}
	in.mu.Unlock()
	if status == 0 {
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: req}, nil
}

func (b *bench) approved() OrderSummary {
	b.t.Helper()
	o, err := b.PlaceOrder(b.a.Upstock.Supplier, "")
	if err == nil {
		o, err = b.Approve(o.ID)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return o
}

func TestWebhookRetriesTheSameMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &inbox{statuses: []int{204, 500, 0, 302, 202}} // the ping, then the order
		b := newBench(t, Options{Deliver: in})
		secret, err := b.RegisterWebhook(1, "https://stockbridge.test/webhooks/upstock/abc")
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
		if len(in.got) != 5 {
			t.Fatalf("%d requests", len(in.got))
		}
		for i, req := range in.got {
			if err := wh.VerifyIgnoringTimestamp([]byte(in.bodies[i]), req.Header); err != nil {
				t.Errorf("request %d: %v", i, err)
			}
			if want := fmt.Sprint(in.at[i].Unix()); req.Header.Get("webhook-timestamp") != want {
				t.Errorf("request %d: timestamp %s, want %s", i, req.Header.Get("webhook-timestamp"), want)
			}
		}
		for i := 2; i < 5; i++ {
			if in.bodies[i] != in.bodies[1] || in.got[i].Header.Get("webhook-id") != in.got[1].Header.Get("webhook-id") {
				t.Errorf("attempt %d is another message", i)
			}
		}
		if d := in.at[2].Sub(in.at[1]); d != time.Minute {
			t.Errorf("second attempt after %v", d)
		}
		if d := in.at[3].Sub(in.at[2]); d != 5*time.Second+2*time.Minute {
			t.Errorf("third attempt after %v, want the timeout and two minutes", d)
		}
		var event struct {
			ID, Type   string
			SupplierID int
			OccurredAt time.Time
			Data       struct{ Order struct{ ID int } }
		}
		if err := json.Unmarshal([]byte(in.bodies[1]), &event); err != nil || event.Type != "order.approved" || event.Data.Order.ID != o.ID ||
			event.SupplierID != 1 || event.ID != in.got[1].Header.Get("webhook-id") {
			t.Errorf("%+v %v", event, err)
		}
		ds := b.Deliveries(1)
		if len(ds) != 2 || ds[0].Type != "ping" || ds[1].State != "delivered" || ds[1].Attempts != 4 || ds[1].Status != 202 {
			t.Errorf("%+v", ds)
		}
	})
}

func TestWebhookGivesUpAfterFourHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &inbox{statuses: []int{503}}
		b := newBench(t, Options{Deliver: in})
		if _, err := b.RegisterWebhook(1, "https://stockbridge.test/w"); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		b.Quiet()
		if d := time.Since(start); len(in.got) != 9 || d != 4*time.Hour {
			t.Errorf("%d attempts in %v", len(in.got), d)
		}
		if d := b.Deliveries(1)[0]; d.State != "failed" {
			t.Errorf("%+v", d)
		}
	})
}

func TestWebhookSecretRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &inbox{statuses: []int{200}}
		b := newBench(t, Options{Deliver: in})
		old, _ := b.RegisterWebhook(1, "https://stockbridge.test/w")
		b.Quiet()
		fresh, err := b.RotateWebhook(1)
		if err != nil || fresh == old {
			t.Fatal(fresh, err)
		}
		verify := func(secret string) bool {
			i := len(in.got) - 1
			wh, _ := standardwebhooks.NewWebhook(secret)
			return wh.Verify([]byte(in.bodies[i]), in.got[i].Header) == nil
		}
		b.approved()
		b.Quiet()
		if !verify(old) || !verify(fresh) {
			t.Error("a secret does not sign during rotation")
		}
		time.Sleep(24*time.Hour + time.Second)
		b.approved()
		b.Quiet()
		if verify(old) || !verify(fresh) {
			t.Error("the old secret still signs after a day")
		}
	})
}

func TestWebhookFaults(t *testing.T) {
	for _, x := range []struct {
		f     Fault
		got   int
		last  time.Duration
		tries int
	}{
		{Fault{Kind: "before"}, 1, time.Minute, 2},
		{Fault{Kind: "after"}, 2, time.Minute, 2},
		{Fault{Kind: "late", Seconds: 30}, 1, 30 * time.Second, 1},
		{Fault{Kind: "dup"}, 2, 0, 1},
	} {
		t.Run(x.f.Kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in := &inbox{statuses: []int{200}}
				b := newBench(t, Options{Deliver: in})
				if _, err := b.RegisterWebhook(1, "https://stockbridge.test/w"); err != nil {
					t.Fatal(err)
				}
				b.Quiet()
				in.got, in.at = nil, nil
				x.f.Match = "WEBHOOK order.approved"
				if err := b.Fault(Upstock, x.f); err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				b.approved()
				b.Quiet()
				if len(in.got) != x.got || in.at[len(in.at)-1].Sub(start) != x.last {
					t.Errorf("%d requests, last after %v", len(in.got), in.at[len(in.at)-1].Sub(start))
				}
				if d := b.Deliveries(1)[1]; d.Attempts != x.tries || d.State != "delivered" {
					t.Errorf("%+v", d)
				}
			})
		})
	}
}

func TestDroppedWebhook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &inbox{statuses: []int{200}}
		b := newBench(t, Options{Deliver: in})
		if _, err := b.RegisterWebhook(1, "https://stockbridge.test/w"); err != nil {
			t.Fatal(err)
		}
		b.Quiet()
		if err := b.Fault(Upstock, Fault{Match: "WEBHOOK order.approved", Kind: "drop"}); err != nil {
			t.Fatal(err)
		}
		b.approved()
		b.Quiet()
		if d := b.Deliveries(1)[1]; len(in.got) != 1 || d.State != "failed" {
			t.Errorf("%d requests, %+v", len(in.got), d)
		}
	})
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &inbox{statuses: []int{500}}
		s, err := New(Options{Deliver: in, Seed: "x"})
		if err != nil {
			t.Fatal(err)
		}
		s.AddAccount("", "")
		if _, err := s.RegisterWebhook(1, "https://stockbridge.test/w"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Hour)
		if len(in.got) != 1 {
			t.Errorf("%d attempts", len(in.got))
		}
		s.Quiet() // does not hang
		if _, err := s.RegisterWebhook(9, "https://stockbridge.test/w"); err == nil {
			t.Error("a webhook without a supplier")
		}
		if _, err := s.Approve(1); err == nil {
			t.Error("an order from nowhere")
		}
	})
}

func TestStateSurvives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		in := &inbox{statuses: []int{200, 500, 200}}
		b := newBench(t, Options{Dir: dir, Deliver: in})
		if _, err := b.RegisterWebhook(1, "https://stockbridge.test/w"); err != nil {
			t.Fatal(err)
		}
		b.Quiet()
		id := b.sell("AUTHORISED")
		if _, err := b.Sale(id, "ship", `{"of":["A","B"],"boxes":["A"]}`); err != nil {
			t.Fatal(err)
		}
		b.approved() // refused once: its retry is due in a minute
		time.Sleep(2 * time.Second)
		want, err := json.Marshal(&b.state)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		again, err := New(Options{Dir: dir, Deliver: in})
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		again.mu.Lock()
		got, err := json.Marshal(&again.state)
		again.mu.Unlock()
		if err != nil || string(got) != string(want) {
			t.Fatalf("state changed over a restart: %v\n%s\n%s", err, got, want)
		}
		again.Quiet()
		if ds := again.Deliveries(1); ds[1].State != "delivered" || ds[1].Attempts != 2 {
			t.Errorf("%+v", ds)
		}
		if next := again.AddAccount("", ""); next.Upstock.Supplier != 2 || next.Cin7Core == b.a.Cin7Core {
			t.Errorf("%+v", next)
		}
	})
}
