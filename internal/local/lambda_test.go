package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/app"
	"stockbridge/internal/cloud"
)

func testLambda(t *testing.T, handlers map[string]cloud.Handler) *lambda {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &lambda{functions: handlers, speed: 1, stop: ctx, log: slog.New(slog.DiscardHandler)}
	t.Cleanup(func() { cancel(); l.running.Wait() })
	return l
}

// TestHTTP: a request reaches a handler as it was sent, written with our own
// types and read with AWS's, and so does the answer in the other direction.
func TestHTTP(t *testing.T) {
	var got *http.Request
	var body []byte
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/api/binary":
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Write([]byte{0, 255, 1})
		case "/api/cookies":
			w.Header().Add("Set-Cookie", "a=1; Path=/")
			w.Header().Add("Set-Cookie", "b=2")
			w.WriteHeader(http.StatusNoContent)
		case "/api/panic":
			panic("no")
		default:
			w.Header().Set("X-Many", "1")
			w.Header().Add("X-Many", "2")
			fmt.Fprint(w, "<p>Kererū</p>")
		}
	})
	l := testLambda(t, map[string]cloud.Handler{"WebhookFunction": cloud.HTTP(handler),
		"ConsoleFunction": cloud.HTTP(handler)})
	h := l.handler()
	do := func(r *http.Request) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}

	req := httptest.NewRequest("POST", "/webhooks/up%20stock/a%2Fb?q=1&q=2&x=%20y", strings.NewReader(`{"n":"ū"}`))
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Add("X-Twice", "one")
	req.Header.Add("X-Twice", "two")
	req.Header.Set("Cookie", "a=1; b=2")
	w := do(req)
	if got.Method != "POST" || got.URL.EscapedPath() != "/webhooks/up%20stock/a%2Fb" ||
		got.URL.RawQuery != "q=1&q=2&x=%20y" || got.Host != "example.com" {
		t.Errorf("request: %s %s?%s at %s", got.Method, got.URL.EscapedPath(), got.URL.RawQuery, got.Host)
	}
	if got.Header.Get("X-Twice") != "one,two" || got.Header.Get("Cookie") != "a=1; b=2" ||
		string(body) != `{"n":"ū"}` || got.RemoteAddr != "192.0.2.1" {
		t.Errorf("headers %v, body %q, from %s", got.Header, body, got.RemoteAddr)
	}
	if c, err := got.Cookie("b"); err != nil || c.Value != "2" {
		t.Errorf("cookie b: %v %v", c, err)
	}
	if w.Code != 200 || w.Body.String() != "<p>Kererū</p>" || w.Header().Get("X-Many") != "1, 2" ||
		!strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
		t.Errorf("answer: %d %v %q", w.Code, w.Header(), w.Body)
	}

	req = httptest.NewRequest("PUT", "/api/binary", strings.NewReader("\x1f\x8b\x00\xff"))
	req.Header.Set("Content-Type", "application/gzip")
	if w := do(req); string(body) != "\x1f\x8b\x00\xff" || !slices.Equal(w.Body.Bytes(), []byte{0, 255, 1}) {
		t.Errorf("binary: %q in, %q out", body, w.Body)
	}
	if w := do(httptest.NewRequest("GET", "/api/cookies", nil)); w.Code != 204 || len(w.Header()["Set-Cookie"]) != 2 {
		t.Errorf("cookies: %d %v", w.Code, w.Header())
	}
	if w := do(httptest.NewRequest("GET", "/api/panic", nil)); w.Code != 500 ||
		strings.TrimSpace(w.Body.String()) != `{"message":"Internal Server Error"}` {
		t.Errorf("panic: %d %s", w.Code, w.Body)
	}
	if w := do(httptest.NewRequest("GET", "/elsewhere", nil)); w.Code != 200 {
		t.Errorf("a path of the console's: %d", w.Code)
	}
	req = httptest.NewRequest("GET", "/api/x", nil)
	req.Header.Set("X-Long", strings.Repeat("x", maxHeaders))
	if w := do(req); w.Code != 431 {
		t.Errorf("long headers: %d", w.Code)
	}
	if w := do(httptest.NewRequest("POST", "/api/x", strings.NewReader(strings.Repeat("\xff", 5<<20)))); w.Code != 413 {
		t.Errorf("5 MB of binary, 6.7 MB as base64: %d", w.Code)
	}
}

// TestEventShape: an event is as API Gateway documents it.
func TestEventShape(t *testing.T) {
	r := httptest.NewRequest("POST", "/api/v1/tenants?a=1&a=2", nil)
	r.Header.Set("Content-Type", "image/png")
	data, err := json.Marshal(newHTTPEvent(r, "ANY /api/{proxy+}", []byte{1, 2}))
	if err != nil {
		t.Fatal(err)
	}
	var ev map[string]any
	if err := json.Unmarshal(data, &ev); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]any{
		"version": "2.0", "routeKey": "ANY /api/{proxy+}", "rawPath": "/api/v1/tenants", "rawQueryString": "a=1&a=2",
		"isBase64Encoded": true,
		"body":            base64.StdEncoding.EncodeToString([]byte{1, 2}), "queryStringParameters.a": "1,2",
		"headers.content-type":       "image/png",
		"requestContext.http.method": "POST", "requestContext.http.path": "/api/v1/tenants",
		"requestContext.stage": "$default",
	} {
		var v any = ev
		for name := range strings.SplitSeq(path, ".") {
			v = v.(map[string]any)[name]
		}
		if v != want {
			t.Errorf("%s is %v, want %v", path, v, want)
		}
	}
}

// TestHangingUp: a caller that hangs up does not end the invocation; its timeout does.
func TestHangingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ended atomic.Bool
		l := testLambda(t, map[string]cloud.Handler{"ConsoleFunction": func(ctx context.Context, _ []byte) ([]byte,
			error) {
			<-ctx.Done()
			ended.Store(true)
			return nil, ctx.Err()
		}})
		w := httptest.NewRecorder()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		l.handler().ServeHTTP(w, httptest.NewRequest("GET", "/api/x", nil).WithContext(ctx))
		if w.Code != 503 && w.Code != 500 {
			t.Errorf("answer: %d %s", w.Code, w.Body)
		}
		synctest.Wait()
		if !ended.Load() {
			t.Error("the function did not run to its limit")
		}
	})
}

// TestBatches: the messages that the function reports stay in the queue, and the
// others are deleted; an answer that is not understood keeps all.
func TestBatches(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		err          error
		left         string // the bodies that come back
	}{
		{"null", `null`, nil, "[]"},
		{"empty object", `{}`, nil, "[]"},
		{"null list", `{"batchItemFailures":null}`, nil, "[]"},
		{"empty list", `{"batchItemFailures":[]}`, nil, "[]"},
		{"one failed", `{"batchItemFailures":[{"itemIdentifier":"ID1"}]}`, nil, "[b]"},
		{"two failed", `{"batchItemFailures":[{"itemIdentifier":"ID0"},{"itemIdentifier":"ID2"}]}`, nil, "[a c]"},
		{"unknown id", `{"batchItemFailures":[{"itemIdentifier":"other"}]}`, nil, "[a b c]"},
		{"empty id", `{"batchItemFailures":[{"itemIdentifier":""}]}`, nil, "[a b c]"},
		{"null id", `{"batchItemFailures":[{"itemIdentifier":null}]}`, nil, "[a b c]"},
		{"wrong key", `{"batchItemFailures":[{"id":"ID1"}]}`, nil, "[a b c]"},
		{"not JSON", `oops`, nil, "[a b c]"},
		{"error", ``, errors.New("no"), "[a b c]"},
	} {
		synctest.Test(t, func(t *testing.T) {
			q := newQueue("q", 6*time.Minute, 5, nil)
			for _, b := range []string{"a", "b", "c"} {
				mustSend(t, q, b, "", 0)
			}
			l := testLambda(t, map[string]cloud.Handler{"OrdersFunction": func(_ context.Context,
				payload []byte) ([]byte, error) {
				var ev sqsEvent
				if err := json.Unmarshal(payload, &ev); err != nil || len(ev.Records) != 3 {
					t.Fatalf("%s: %v %s", c.name, err, payload)
				}
				answer := c.answer
				for i, r := range ev.Records {
					answer = strings.ReplaceAll(answer, fmt.Sprint("ID", i), r.MessageID)
				}
				return []byte(answer), c.err
			}})
			l.deliver(mapping{q, "OrdersFunction", 10, 1}, q.receive(t.Context(), 10))
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			again := bodies(q.receive(ctx, 10))
			slices.Sort(again)
			if fmt.Sprint(again) != c.left {
				t.Errorf("%s: %v came back, want %s", c.name, again, c.left)
			}
		})
	}
}

// TestPoll: batches reach the app's handler with their receive counts, a failed
// one comes back, and no more run at once than are allowed.
func TestPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue("q", 6*time.Minute, 5, nil)
		var running, most, calls atomic.Int32
		l := testLambda(t, nil)
		l.functions = map[string]cloud.Handler{"OrdersFunction": cloud.SQS(func(_ context.Context,
			batch []app.Message) (failed []string) {
			calls.Add(1)
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			time.Sleep(time.Second)
			if m := batch[0]; m.Body == "b" && m.Receives == 1 || m.Sent.IsZero() {
				return []string{m.ID}
			}
			return nil
		})}
		for _, b := range strings.Split("abcdef", "") {
			mustSend(t, q, b, b, 0)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { l.poll(ctx, mapping{q, "OrdersFunction", 1, 2}); close(done) }()
		time.Sleep(10 * time.Minute)
		if v, d, f := q.depth(); v+d+f != 0 || calls.Load() != 7 || most.Load() != 2 {
			t.Errorf("left %d, calls %d, at once %d", v+d+f, calls.Load(), most.Load())
		}
		cancel()
		<-done
	})
}

func TestInvokeAction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries atomic.Int32
		l := testLambda(t, map[string]cloud.Handler{
			"CatalogFunction": cloud.Raw(func(context.Context, json.RawMessage) error { return nil }),
			"ScheduleFunction": func(context.Context, []byte) ([]byte, error) {
				tries.Add(1)
				return nil, errors.New("broken")
			},
		})
		l.token = "runners-token"
		h := l.handler()
		authorization := "Bearer runners-token"
		do := func(name, kind, body string) *httptest.ResponseRecorder {
			r := httptest.NewRequest("POST", "/2015-03-31/functions/"+name+"/invocations", strings.NewReader(body))
			r.Header.Set("Authorization", authorization)
			if kind != "" {
				r.Header.Set("X-Amz-Invocation-Type", kind)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w
		}
		if w := do("ScheduleFunction", "", `{}`); w.Code != 200 ||
			w.Header().Get("X-Amz-Function-Error") != "Unhandled" || !strings.Contains(w.Body.String(), "broken") {
			t.Errorf("function error: %d %v %s", w.Code, w.Header(), w.Body)
		}
		if w := do("CatalogFunction", "RequestResponse", ``); w.Code != 200 || w.Body.String() != "null" ||
			w.Header().Get("X-Amz-Function-Error") != "" {
			t.Errorf("good: %d %v %s", w.Code, w.Header(), w.Body)
		}
		for header, want := range map[string]int{
			"": 403, "Bearer": 403, "Bearer wrong": 403, "Basic cnVubmVycy10b2tlbg==": 403, "bearer runners-token": 200,
			"AWS4-HMAC-SHA256 Credential=runners-token/20260302/ap-southeast-2/lambda/aws4_request, " +
				"SignedHeaders=host;x-amz-date, Signature=0123": 200,
			"AWS4-HMAC-SHA256 SignedHeaders=host, " +
				"Credential=runners-token/20260302/ap-southeast-2/lambda/aws4_request, Signature=0123": 200,
			"AWS4-HMAC-SHA256 Credential=runners-toke/20260302/ap-southeast-2/lambda/aws4_request, " +
				"SignedHeaders=host, Signature=0123": 403,
			"AWS4-HMAC-SHA256 Credential=/20260302/ap-southeast-2/lambda/aws4_request": 403, "AWS4-HMAC-SHA256": 403,
		} {
			authorization = header
			if w := do("CatalogFunction", "", ``); w.Code != want {
				t.Errorf("Authorization %q: %d %s", header, w.Code, w.Body)
			}
		}
		l.token, authorization = "", "Bearer "
		if w := do("CatalogFunction", "", ``); w.Code != 403 {
			t.Errorf("a runner without a token: %d", w.Code)
		}
		l.token, authorization = "runners-token", "Bearer runners-token"
		if w := do("NoFunction", "", `{}`); w.Code != 404 ||
			w.Header().Get("X-Amzn-ErrorType") != "ResourceNotFoundException" {
			t.Errorf("no function: %d %v", w.Code, w.Header())
		}
		if w := do("ScheduleFunction", "", `{`); w.Code != 400 {
			t.Errorf("not JSON: %d", w.Code)
		}
		if w := do("ScheduleFunction", "DryRun", `{}`); w.Code != 204 {
			t.Errorf("dry run: %d", w.Code)
		}
		tries.Store(0)
		if w := do("ScheduleFunction", "Event", `{}`); w.Code != 202 {
			t.Errorf("event: %d", w.Code)
		}
		synctest.Wait()
		for i, wait := range []time.Duration{0, time.Minute, 2 * time.Minute, time.Hour} {
			time.Sleep(wait)
			synctest.Wait()
			if want := min(int32(i+1), 3); tries.Load() != want {
				t.Errorf("%v on: %d tries, want %d", wait, tries.Load(), want)
			}
		}
	})
}

func TestJobTimes(t *testing.T) {
	var warnings strings.Builder
	times, err := jobTimes("orders=5s, teleport=1s", &warnings)
	if err != nil || times["orders"] != 5*time.Second || times["shipments"] != 5*time.Minute || len(times) != 12 ||
		strings.Count(warnings.String(), "\n") != 1 ||
		!strings.Contains(warnings.String(), "teleport=1s: there is no such job; there are alerts, completeness, "+
			"contacts, customers, joor, mirror, orders, prices, products, reconcile, shipments, webhooks") {
		t.Errorf("%v %v %q", times, err, warnings.String())
	}
	if times, err := jobTimes("orders=0", io.Discard); err != nil || times["orders"] != 0 || len(times) != 12 {
		t.Errorf("0 = never: %v %v", times, err)
	}
	if _, err := jobTimes("orders=soon", io.Discard); err == nil {
		t.Error("a bad duration is taken")
	}
}

// TestTick: the payload is as in the template; the sweep starts at once, then every so often.
func TestTick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		begun := time.Now()
		l := testLambda(t, map[string]cloud.Handler{"ScheduleFunction": cloud.Raw(func(_ context.Context,
			payload json.RawMessage) error {
			var in struct{ Job, At, ID string }
			if err := json.Unmarshal(payload, &in); err != nil || in.Job != "orders" || in.At == "" || in.ID == "" {
				t.Errorf("%s %v", payload, err)
			}
			at = append(at, time.Since(begun))
			return nil
		})})
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Second)
		defer cancel()
		l.tick(ctx, "orders", time.Minute)
		if want := []time.Duration{0, time.Minute, 2 * time.Minute}; !slices.Equal(at, want) {
			t.Errorf("started at %v, want %v", at, want)
		}
	})
}
