package cloud

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/app"
	"stockbridge/internal/ledger"
	"stockbridge/internal/table"
)

func env(m map[string]string) func(string) string { return func(k string) string { return m[k] } }

func deployed() map[string]string {
	return map[string]string{
		"TABLE": "t", "ORDERS_QUEUE_URL": "https://sqs.example.com/1/orders",
		"CATALOG_QUEUE_URL":   "https://sqs.example.com/1/catalog",
		"SHIPMENTS_QUEUE_URL": "https://sqs.example.com/1/shipments", "KMS_KEY_ID": "k",
		"AWS_REGION": "ap-southeast-2", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s",
	}
}

func TestCollectSeldom(t *testing.T) {
	percent, limit := debug.SetGCPercent(-1), debug.SetMemoryLimit(-1)
	defer func() { debug.SetGCPercent(percent); debug.SetMemoryLimit(limit) }()
	for given, want := range map[string]int64{"": limit, "x": limit, "0": limit, "-1": limit, "256": 192 << 20} {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
		collectSeldom(env(map[string]string{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": given}))
		at, wantAt := debug.SetGCPercent(percent), percent
		if want != limit {
			wantAt = GCPercent
		}
		if got := debug.SetMemoryLimit(-1); got != want || at != wantAt {
			t.Errorf("%q: %d bytes, %d %%", given, got, at)
		}
	}
}

// TestConfigFaults: all faults are listed at once, and no value is shown.
func TestConfigFaults(t *testing.T) {
	_, err := ReadConfig(env(map[string]string{"ORDERS_QUEUE_URL": "orders", "SPEED": "fast", "LOG_LEVEL": "loud",
		"CIN7CORE_URL": "ftp://secret.test", "API_TOKEN_SHA256": "secret",
		"UPSTOCK_ORDER_PAGE": "https://secret.test/orders"}), "PUBLIC_URL")
	for _, name := range []string{"TABLE", "ORDERS_QUEUE_URL", "CATALOG_QUEUE_URL", "SHIPMENTS_QUEUE_URL", "KMS_KEY_ID",
		"AWS_REGION", "SPEED", "LOG_LEVEL", "CIN7CORE_URL", "API_TOKEN_SHA256", "PUBLIC_URL",
		"UPSTOCK_ORDER_PAGE"} {
		if err == nil || !strings.Contains(err.Error(), name+" ") {
			t.Errorf("nothing is said of %s: %v", name, err)
		}
	}
	if err != nil && strings.Contains(err.Error(), "secret") {
		t.Errorf("a value is said: %v", err)
	}
	c, err := ReadConfig(env(deployed()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ReadConfig(env(deployed()), "API_TOKEN_SHA256"); err == nil ||
		!strings.Contains(err.Error(), "API_TOKEN_SHA256 is not set") {
		t.Errorf("no operator's token: %v", err)
	}
	people := deployed() // an issuer is known by its very name, and goes by the very address to sign out at
	people["OIDC_ISSUER"], people["OIDC_CLIENT_ID"] = "https://issuer.example/", "console"
	people["OIDC_SIGN_OUT_URL"] = "https://issuer.example/logout?logout_uri=https://console.example/"
	if c, err := ReadConfig(env(people)); err != nil || c.SignIn.Issuer != "https://issuer.example/" ||
		c.SignIn.SignOut != people["OIDC_SIGN_OUT_URL"] {
		t.Errorf("where people sign in and out: %+v %v", c.SignIn, err)
	}
	hashes := deployed() // two while one is replaced by the other, none of them in the clear
	hashes["API_TOKEN_SHA256"] = "9160a7ee61bd0c2d04b3cda9ee07ba93f98a5f9c25c3ee9a82c6ba28d2d8ee40," +
		"0e8a76bf6f9b3e8d09dcd8ba1d3e80e65cc4d1fdba1ae4b3a1d6d8f7f7f0c5aa"
	hashes["API_TOKEN"] = "a-token-in-the-clear" // as versions before took it
	if c, err := ReadConfig(env(hashes), "API_TOKEN_SHA256"); err != nil || len(c.Operators) != 2 ||
		c.Operators.Know("a-token-in-the-clear") {
		t.Errorf("hashes alone: %d %v", len(c.Operators), err)
	}
	old := deployed() // as the version before was deployed
	old["JOBS_QUEUE_URL"] = old["CATALOG_QUEUE_URL"]
	delete(old, "CATALOG_QUEUE_URL")
	if was, err := ReadConfig(env(old)); err != nil || was.Catalog != c.Catalog {
		t.Errorf("%q: %v", was.Catalog, err)
	}
	if deps, closer, err := Open(c); err != nil || deps.Table == nil || deps.Sealer == nil || closer.Close() != nil {
		t.Errorf("open: %v", err)
	}
	if c, err := ReadConfig(env(map[string]string{"STORE": "file:x.db",
		"UPSTOCK_URL": "http://127.0.0.1:1/upstock/v1/"})); err != nil || c.Store != "x.db" ||
		c.URLs["upstock"] != "http://127.0.0.1:1/upstock/v1" {
		t.Errorf("a file needs nothing else: %+v %v", c, err)
	}
	if _, err := ReadConfig(env(map[string]string{"STORE": "memory"})); err == nil {
		t.Error("STORE=memory is taken")
	}
}

// TestFileStore: a store in a file keeps what is written, seals secrets, and has
// no queue.
func TestFileStore(t *testing.T) {
	c := Config{Store: filepath.Join(t.TempDir(), "s.db")}
	for range 2 {
		deps, closer, err := Open(c)
		if err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		deps.Log = NewLogger(&said, slog.LevelInfo, Namespace)
		key := table.Key{PK: "p", SK: "s"}
		items, err := deps.Table.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if len(items) == 0 {
			sealed, err := deps.Sealer.Seal(t.Context(), "t", "upstock", []byte("plain"))
			if err != nil || bytes.Contains(sealed, []byte("plain")) {
				t.Fatalf("seal: %q %v", sealed, err)
			}
			if err := deps.Table.Write(t.Context(), table.Create(table.Item{Key: key, Data: sealed})); err != nil {
				t.Fatal(err)
			}
		} else if plain, err := deps.Sealer.Open(t.Context(), "t", "upstock", items[0].Data); err != nil ||
			string(plain) != "plain" {
			t.Errorf("open: %q %v", plain, err)
		}
		if err := deps.Send(t.Context(), app.OrdersQueue, []byte("{}"), "t", 0); err != nil {
			t.Error(err)
		}
		if err := closer.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRequest: the event of an API with a named stage, of a function URL, with a
// path decoded by the gateway, and without a path.
func TestRequest(t *testing.T) {
	for _, c := range []struct{ name, event, want string }{
		{"named stage", `{"rawPath":"/live/api/v1/x","requestContext":{"stage":"live","domainName":"d.example","http":{"method":"GET"}}}`, "GET d.example /api/v1/x ?"},
		{"function URL", `{"rawPath":"/a%2Fb","rawQueryString":"q=%20","headers":{"host":"h.example"},"requestContext":{"stage":"$default","http":{"method":"PUT"}},"body":"aGk=","isBase64Encoded":true}`, "PUT h.example /a%2Fb ?q=%20 hi"},
		{"decoded path", `{"rawPath":"/a b/ū","requestContext":{"stage":"$default","http":{"method":"GET"}}}`,
			"GET  /a%20b/%C5%AB ?"},
		{"no path", `{"requestContext":{"http":{"method":"GET"}}}`, "GET  / ?"},
	} {
		var got string
		_, err := HTTP(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			got = strings.TrimSpace(fmt.Sprintf("%s %s %s ?%s %s", r.Method, r.Host, r.URL.EscapedPath(),
				r.URL.RawQuery, body))
		}))(t.Context(), []byte(c.event))
		if err != nil || got != c.want {
			t.Errorf("%s: %q %v, want %q", c.name, got, err, c.want)
		}
	}
	if _, err := HTTP(http.NotFoundHandler())(t.Context(),
		[]byte(`{"body":"%","isBase64Encoded":true,"requestContext":{"http":{"method":"GET"}}}`)); err == nil {
		t.Error("a body that is not base64 is taken")
	}
}

func TestAnswer(t *testing.T) {
	do := func(h http.HandlerFunc) (a struct {
		StatusCode      int
		Headers         map[string]string
		Body            string
		IsBase64Encoded bool
		Cookies         []string
	}) {
		payload, err := HTTP(h)(t.Context(), []byte(`{"rawPath":"/","requestContext":{"http":{"method":"GET"}}}`))
		if err != nil || json.Unmarshal(payload, &a) != nil {
			t.Fatal(err, string(payload))
		}
		return a
	}
	if a := do(func(http.ResponseWriter, *http.Request) {}); a.StatusCode != 200 || a.Body != "" || a.IsBase64Encoded {
		t.Errorf("nothing written: %+v", a)
	}
	if a := do(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(404)
		w.Header().Set("X-Late", "1")
		w.WriteHeader(200)
		io.WriteString(w, "{}")
	}); a.StatusCode != 404 || a.Body != "{}" || a.Headers["x-late"] != "" ||
		a.Headers["content-type"] != "application/problem+json" {
		t.Errorf("problem: %+v", a)
	}
	if a := do(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Encoding", "gzip")
		w.Write([]byte("x"))
	}); !a.IsBase64Encoded || a.Body != "eA==" {
		t.Errorf("encoded: %+v", a)
	}
	if a := do(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		io.WriteString(w, strings.Repeat("&", 4<<20))
	}); !a.IsBase64Encoded || len(a.Body) > 6_000_000 {
		t.Errorf("4 MiB take %d bytes, base64 %t", len(a.Body), a.IsBase64Encoded)
	}
}

func TestSQSHandler(t *testing.T) {
	var got []app.Message
	h := SQS(func(_ context.Context, batch []app.Message) []string { got = batch; return []string{"2"} })
	answer, err := h(t.Context(), []byte(`{"Records":[{"messageId":"1","body":"a","attributes":{"ApproximateReceiveCount":"3","SentTimestamp":"1795140900000"}},{"messageId":"2","body":"b"}]}`))
	if err != nil || string(answer) != `{"batchItemFailures":[{"itemIdentifier":"2"}]}` {
		t.Errorf("%s %v", answer, err)
	}
	if len(got) != 2 || got[0].Receives != 3 || !got[0].Sent.Equal(time.UnixMilli(1795140900000)) ||
		got[1].Receives != 1 || got[1].Body != "b" {
		t.Errorf("%+v", got)
	}
	if answer, err := SQS(func(context.Context, []app.Message) []string { return nil })(t.Context(),
		[]byte(`{"Records":[]}`)); err != nil || string(answer) != `{"batchItemFailures":[]}` {
		t.Errorf("%s %v", answer, err)
	}
	if _, err := h(t.Context(), []byte(`[`)); err == nil {
		t.Error("an event that is not JSON is taken")
	}
}

// TestLog: a line is JSON that Lambda understands; one with a metric is also
// CloudWatch's embedded metric format.
func TestLog(t *testing.T) {
	var b bytes.Buffer
	log := NewLogger(&b, slog.LevelInfo, Namespace)
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "r-1"})
	log.With("tenant", "t").InfoContext(ctx, "order", "metric", "OrdersSold")
	var line struct {
		Timestamp                         time.Time
		Level, Message, Tenant, RequestID string
		OrdersSold                        int
		AWS                               struct {
			Timestamp         int64
			CloudWatchMetrics []struct {
				Namespace  string
				Dimensions [][]string
				Metrics    []struct{ Name, Unit string }
			}
		} `json:"_aws"`
	}
	if err := json.Unmarshal(b.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	m := line.AWS.CloudWatchMetrics
	if line.Message != "order" || line.Level != "INFO" || line.Tenant != "t" || line.RequestID != "r-1" ||
		line.OrdersSold != 1 ||
		line.Timestamp.IsZero() || len(m) != 1 || m[0].Namespace != Namespace || len(m[0].Dimensions) != 1 ||
		m[0].Metrics[0].Name != "OrdersSold" {
		t.Errorf("%s", b.String())
	}

	b.Reset()
	end := logEnd(log)
	end(ctx, app.Ended{Run: &ledger.Run{Tenant: "t", ID: "1", State: "sold"}, Result: app.Done})
	end(ctx, app.Ended{Run: &ledger.Run{Tenant: "t", ID: "1", State: "sold"}, Result: app.Later})
	end(ctx, app.Ended{Run: &ledger.Run{Tenant: "t", ID: "2", State: ledger.Attention}, Result: app.Stopped})
	unknown := []ledger.Intent{{Unknown: true}}
	waits := &ledger.Run{Tenant: "t", ID: "3", State: ledger.Waiting, Intents: unknown}
	end(ctx, app.Ended{Run: waits, Result: app.Waits})
	var metrics []string
	for text := range strings.Lines(b.String()) {
		var line struct{ Metric, RequestID string }
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}
		metrics = append(metrics, line.Metric)
		if line.RequestID != "r-1" {
			t.Errorf("whose request it was: %s", text)
		}
	}
	if got := strings.Join(metrics, " "); got != "OrdersSold OrdersAttention OrdersWaiting AnswersUnknown" {
		t.Errorf("metrics: %s", got)
	}
}

// TestMetricsAtEveryLevel: a metric is written whatever the level is, as a line that Lambda lets through at that level;
// nothing else is written below it.
func TestMetricsAtEveryLevel(t *testing.T) {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		var b bytes.Buffer
		log := NewLogger(&b, level, "Stockbridge/two")
		log.Info("nothing is counted")
		log.Info("schedule", "job", "prices", "metric", "JobsStarted")
		log.Warn("a job is late", "job", "prices", "tenant", "t", "JobLag", 90.0, "metric", "JobLag")
		log.Debug("never counted", "metric", "OrdersSold")
		type line struct {
			Level, Message      string
			JobsStarted, JobLag float64
			AWS                 struct{ CloudWatchMetrics []directive } `json:"_aws"`
		}
		var lines []line
		for text := range strings.Lines(b.String()) {
			var l line
			if err := json.Unmarshal([]byte(text), &l); err != nil {
				t.Fatal(err)
			}
			if l.Message == "schedule" || l.Message == "a job is late" {
				lines = append(lines, l)
			} else if level > slog.LevelInfo {
				t.Errorf("at %v: %s", level, text)
			}
		}
		if len(lines) != 2 || lines[0].JobsStarted != 1 || lines[1].JobLag != 90 ||
			lines[0].Level != max(level, slog.LevelInfo).String() ||
			lines[1].Level != max(level, slog.LevelWarn).String() {
			t.Fatalf("at %v: %s", level, b.String())
		}
		want := []directive{{"Stockbridge/two", [][]string{{}, {"job"}}, []definition{{"JobLag", "Seconds"}}}}
		if diff := cmp.Diff(want, lines[1].AWS.CloudWatchMetrics); diff != "" {
			t.Error(diff)
		}
	}
}

// TestInitFault: the runtime is told why a function does not start.
func TestInitFault(t *testing.T) {
	told := make(chan string, 1)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		told <- r.URL.Path + " " + string(body)
	}))
	defer api.Close()
	err := Start(env(map[string]string{"AWS_LAMBDA_RUNTIME_API": strings.TrimPrefix(api.URL, "http://")}), nil)
	if err == nil || !strings.Contains(err.Error(), "TABLE is not set") {
		t.Fatalf("start: %v", err)
	}
	if s := <-told; !strings.HasPrefix(s, "/2018-06-01/runtime/init/error ") ||
		!strings.Contains(s, "KMS_KEY_ID is not set") {
		t.Errorf("the runtime heard %s", s)
	}
}
