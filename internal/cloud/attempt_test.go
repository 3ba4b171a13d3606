package cloud

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"stockbridge/internal/app"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// wire is a transport whose far side is in this process.
func wire(serve func(far net.Conn)) *http.Transport {
	way := Transport()
	way.Proxy = nil
	way.DialContext = func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go serve(far)
		return near, nil
	}
	return way
}

// mute accepts all that comes, and never answers.
func mute(far net.Conn) { io.Copy(io.Discard, far) }

// hanging is the configuration of a function whose AWS is at the end of a wire.
func hanging(t *testing.T) Config {
	t.Helper()
	vars := deployed()
	vars["AWS_ENDPOINT_URL"] = "http://aws.test"
	c, err := ReadConfig(env(vars))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestSilence: a call of AWS that nobody answers is made three times, of 1.5 s each, and its error says so. One whose
// answer comes slowly, but comes, has its time.
func TestSilence(t *testing.T) {
	for name, call := range map[string]func(context.Context, app.Deps) error{
		"table": func(ctx context.Context, d app.Deps) error {
			_, err := d.Table.Get(ctx, table.Key{PK: "p", SK: "s"})
			return err
		},
		"key": func(ctx context.Context, d app.Deps) error {
			_, err := d.Sealer.Open(ctx, "acme", "upstock", []byte("sealed"))
			return err
		},
		"queue": func(ctx context.Context, d app.Deps) error {
			return d.Send(ctx, app.OrdersQueue, []byte("{}"), "acme", 0)
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			var dialled atomic.Int32
			d, _, err := open(hanging(t), wire(func(far net.Conn) { dialled.Add(1); mute(far) }))
			if err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			err = call(t.Context(), d)
			took := time.Since(begun)
			if err == nil || !strings.Contains(err.Error(), errSilent.Error()) || dialled.Load() != tries ||
				took < tries*attempt || took > tries*attempt+6*time.Second { // with pauses between
				t.Errorf("%s: %d attempts in %v: %v", name, dialled.Load(), took, err)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		way := wire(func(far net.Conn) {
			defer far.Close()
			go mute(far)
			for _, part := range []string{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "a", "b", "c"} {
				time.Sleep(attempt - 100*time.Millisecond)
				io.WriteString(far, part)
			}
		})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://aws.test/", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := impatiently(way).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(resp.Body); string(body) != "abc" || err != nil {
			t.Errorf("%q %v", body, err)
		}
		way.CloseIdleConnections()
	})
}

// delivery is an event with an order of Upstock's that the API took in at a time, signed for a tenant that is planted.
func delivery(t *testing.T, s Seed, taken time.Time) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "events", "webhook.json"))
	if err != nil {
		t.Fatal(err)
	}
	var ev map[string]any
	if err := json.Unmarshal(data, &ev); err != nil {
		t.Fatal(err)
	}
	hook, err := standardwebhooks.NewWebhook(s.SigningSecret)
	if err != nil {
		t.Fatal(err)
	}
	headers := ev["headers"].(map[string]any)
	now := time.Now()
	signature, err := hook.Sign(headers["webhook-id"].(string), now, []byte(ev["body"].(string)))
	if err != nil {
		t.Fatal(err)
	}
	headers["webhook-signature"], headers["webhook-timestamp"] = signature, strconv.FormatInt(now.Unix(), 10)
	ev["rawPath"] = "/webhooks/upstock/" + s.URLToken
	ev["requestContext"].(map[string]any)["timeEpoch"] = taken.UnixMilli()
	out, err := json.Marshal(ev)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestWebhookInTime: a delivery is answered within 4.5 s after the API took it in, whatever hangs: 202 once its order
// is written down, else 503, and Upstock sends it again.
func TestWebhookInTime(t *testing.T) {
	seed := Seed{Tenant: "acme", Name: "Acme", TimeZone: "Pacific/Auckland", Supplier: "1", UpstockToken: "token",
		URLToken:      "acmeacmeacmeacmeacmeacmeacmeacme",
		SigningSecret: "whsec_c3RvY2ticmlkZ2UgdGVzdCBzZWNyZXQsIG5vdCByZWFs",
		CoreURLToken:  "corecorecorecorecorecorecorecore", CoreBearer: "bearer"}
	for _, c := range []struct {
		hangs  string
		before time.Duration // that the function took to start
		status int
	}{
		{"", 0, 202}, {"table", 0, 503}, {"key", 0, 503}, {"queue", 0, 202}, {"handler", 0, 503},
		{"table", 2 * time.Second, 503}, {"queue", 2 * time.Second, 202}, {"handler", time.Hour, 503},
	} {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(time.Until(time.Date(2026, 11, 20, 3, 0, 0, 0, time.UTC))) // after the order
			file, err := table.Open(filepath.Join(t.TempDir(), "table.db"), table.Options{NoSync: true})
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			box, err := tenant.NewBox(make([]byte, 32))
			if err != nil {
				t.Fatal(err)
			}
			far, _, err := open(hanging(t), wire(mute))
			if err != nil {
				t.Fatal(err)
			}
			var said bytes.Buffer
			d := app.Deps{Table: file, Sealer: box, Log: NewLogger(&said, slog.LevelError, Namespace),
				Send: func(context.Context, app.Queue, []byte, string, time.Duration) error { return nil }}
			if err := seed.Plant(t.Context(), d); err != nil {
				t.Fatal(err)
			}
			switch c.hangs {
			case "table":
				d.Table = far.Table
			case "key":
				d.Sealer = far.Sealer
			case "queue":
				d.Send = far.Send
			}
			h := app.New(d).Webhook()
			stuck := make(chan struct{})
			defer close(stuck)
			if c.hangs == "handler" {
				h = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stuck })
			}
			taken := time.Now()
			ev := delivery(t, seed, taken.Add(-c.before))
			answer, err := Webhook(h)(t.Context(), ev)
			took := time.Since(taken)
			if c.before < time.Minute {
				took += c.before
			}
			var a struct{ StatusCode int }
			if err != nil || json.Unmarshal(answer, &a) != nil || a.StatusCode != c.status ||
				took > WebhookPatience || c.hangs != "" && took < WebhookPatience-lastMoment {
				t.Errorf("%q hangs: %s, %v after %v", c.hangs, answer, err, took)
			}
			if strings.Contains(said.String(), `"OrdersAccepted":1`) != (c.status == http.StatusAccepted) {
				t.Errorf("%q hangs: what is counted is %s", c.hangs, said.String())
			}
		})
	}
}
