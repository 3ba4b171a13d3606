package cloud

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	"stockbridge/internal/app"
)

// Handler is one function: it takes an event and returns an answer, both JSON.
// An error makes the invocation fail.
type Handler func(ctx context.Context, payload []byte) ([]byte, error)

// Invoke implements lambda.Handler.
func (h Handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) { return h(ctx, payload) }

// Start composes the app from the environment and serves one of its handlers
// to the Lambda runtime. It returns only if it cannot begin. Needs names the
// variables that this function needs, beside those that every function needs.
func Start(getenv func(string) string, choose func(*app.App) Handler, needs ...string) error {
	return start(getenv, choose, func(Config, *app.Deps) {}, needs...)
}

// start is Start, with what one function has beside the others.
func start(
	getenv func(string) string, choose func(*app.App) Handler, beside func(Config, *app.Deps), needs ...string,
) error {
	collectSeldom(getenv)
	api := getenv("AWS_LAMBDA_RUNTIME_API")
	h, err := prepare(getenv, choose, beside, needs...)
	if err != nil {
		reportInit(api, err)
		return err
	}
	if api == "" {
		return fmt.Errorf("AWS_LAMBDA_RUNTIME_API is not set: this is a Lambda function; to run it here, see " +
			"make invoke")
	}
	lambda.Start(h) // never returns
	return nil
}

// GCPercent is how much garbage a function lets come, in percent of what it has in use. That is a few megabytes of the
// hundreds that it is given, and at Go's own 100 an eighth of its CPU time would go into looking for garbage.
const GCPercent = 400

// collectSeldom sets the garbage collector to GCPercent, and to work harder from three quarters of the memory on that
// the function is given: AWS_LAMBDA_FUNCTION_MEMORY_SIZE, in MB. Outside of Lambda there is none.
func collectSeldom(getenv func(string) string) {
	given, err := strconv.ParseInt(getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), 10, 32)
	if err != nil || given <= 0 {
		return
	}
	debug.SetGCPercent(GCPercent)
	debug.SetMemoryLimit(given << 20 / 4 * 3)
}

func prepare(
	getenv func(string) string, choose func(*app.App) Handler, beside func(Config, *app.Deps), needs ...string,
) (Handler, error) {
	cfg, err := ReadConfig(getenv, needs...)
	if err != nil {
		return nil, err
	}
	deps, _, err := Open(cfg) // not closed while the process lives
	if err != nil {
		return nil, err
	}
	beside(cfg, &deps)
	return choose(app.New(deps)), nil
}

// reportInit tells the runtime why the function does not start, so that the
// invocation's answer says more than "exited".
func reportInit(api string, err error) {
	if api == "" {
		return
	}
	body, _ := json.Marshal(map[string]string{"errorType": "Configuration", "errorMessage": err.Error()})
	c := http.Client{Timeout: 2 * time.Second}
	if resp, err := c.Post("http://"+api+"/2018-06-01/runtime/init/error", "application/json",
		bytes.NewReader(body)); err == nil {
		resp.Body.Close()
	}
}

// Raw returns the handler of events that the app reads itself: EventBridge
// Scheduler sends a schedule's Input unchanged.
func Raw(do func(context.Context, json.RawMessage) error) Handler {
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		if err := do(ctx, payload); err != nil {
			return nil, err
		}
		return []byte("null"), nil
	}
}

// SQS returns the handler of a queue's batches. do returns the ids of the
// messages to be received again. The event source mapping must have
// ReportBatchItemFailures, or they are not.
func SQS(do func(context.Context, []app.Message) (failed []string)) Handler {
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		var ev events.SQSEvent
		if err := json.Unmarshal(payload, &ev); err != nil {
			return nil, fmt.Errorf("read SQS event: %w", err)
		}
		batch := make([]app.Message, len(ev.Records))
		for i, r := range ev.Records {
			receives, _ := strconv.Atoi(r.Attributes["ApproximateReceiveCount"])
			millis, _ := strconv.ParseInt(r.Attributes["SentTimestamp"], 10, 64)
			batch[i] = app.Message{ID: r.MessageId, Body: r.Body, Receives: max(receives, 1)}
			if millis > 0 {
				batch[i].Sent = time.UnixMilli(millis).UTC()
			}
		}
		answer := events.SQSEventResponse{BatchItemFailures: []events.SQSBatchItemFailure{}}
		for _, id := range do(ctx, batch) {
			answer.BatchItemFailures = append(answer.BatchItemFailures, events.SQSBatchItemFailure{ItemIdentifier: id})
		}
		return json.Marshal(answer)
	}
}

// HTTP returns the handler of API Gateway's HTTP APIs and of function URLs,
// which send the same event (payload format 2.0).
func HTTP(h http.Handler) Handler {
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		req, _, err := readHTTP(ctx, payload)
		if err != nil {
			return nil, err
		}
		w := &answer{header: http.Header{}}
		h.ServeHTTP(w, req)
		return json.Marshal(w.event())
	}
}

// WebhookPatience is how long a delivery is worked on before it is answered, whatever hangs: Upstock waits 5 s
// (vendors' documents), and what it gets no answer to, it counts as failed.
const WebhookPatience = 4500 * time.Millisecond

// Webhook is HTTP for what vendors deliver: each delivery has its answer within WebhookPatience after the API took it
// in, a cold start included. What goes on for longer is ended, and answered 503: the vendor sends it again.
func Webhook(h http.Handler) Handler {
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		req, ev, err := readHTTP(ctx, payload)
		if err != nil {
			return nil, err
		}
		end := patienceEnds(time.Now(), time.UnixMilli(ev.RequestContext.TimeEpoch))
		// Handlers end with their context, a moment before. What does not is left to itself.
		within, cancel := context.WithDeadline(ctx, end.Add(-lastMoment))
		defer cancel()
		answered := make(chan *answer, 1)
		go func() {
			w := &answer{header: http.Header{}}
			h.ServeHTTP(w, req.WithContext(within))
			answered <- w
		}()
		late := time.NewTimer(time.Until(end))
		defer late.Stop()
		select {
		case w := <-answered:
			return json.Marshal(w.event())
		case <-late.C:
			w := &answer{header: http.Header{"Content-Type": {"application/json"}, "Retry-After": {"5"}}}
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"detail":"Not taken in. Send it again."}`)
			return json.Marshal(w.event())
		}
	}
}

// lastMoment is what a handler has for its answer once its context has ended.
const lastMoment = 200 * time.Millisecond

// patienceEnds is when a delivery must have its answer that the API took in at a time. At least a second is left to it.
// A time that is long ago, or to come, is none: an event from a file has such.
func patienceEnds(now, taken time.Time) time.Time {
	ago := now.Sub(taken)
	if ago < 0 || ago > 2*WebhookPatience {
		ago = 0
	}
	return now.Add(max(WebhookPatience-ago, time.Second))
}

// readHTTP reads an event of an HTTP API or a function URL.
func readHTTP(ctx context.Context, payload []byte) (*http.Request, *events.APIGatewayV2HTTPRequest, error) {
	var ev events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(payload, &ev); err != nil {
		return nil, nil, fmt.Errorf("read HTTP event: %w", err)
	}
	req, err := request(ctx, &ev)
	if err != nil {
		return nil, nil, fmt.Errorf("read HTTP event: %w", err)
	}
	return req, &ev, nil
}

func request(ctx context.Context, ev *events.APIGatewayV2HTTPRequest) (*http.Request, error) {
	path := ev.RawPath
	if stage := ev.RequestContext.Stage; stage != "" && stage != "$default" {
		path = strings.TrimPrefix(path, "/"+stage) // the path begins with the name of a named stage
	}
	if path == "" {
		path = "/"
	}
	// A function URL sends the path as it came; an HTTP API sends it decoded.
	u, err := url.ParseRequestURI(path)
	if err != nil {
		u = &url.URL{Path: path}
	}
	u.RawQuery = ev.RawQueryString

	body := []byte(ev.Body)
	if ev.IsBase64Encoded {
		if body, err = base64.StdEncoding.DecodeString(ev.Body); err != nil {
			return nil, fmt.Errorf("body: %w", err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, ev.RequestContext.HTTP.Method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, value := range ev.Headers {
		req.Header.Set(name, value) // several values are already joined by commas
	}
	if len(ev.Cookies) > 0 {
		req.Header.Set("Cookie", strings.Join(ev.Cookies, "; "))
	}
	if req.Host = req.Header.Get("Host"); req.Host == "" {
		req.Host = ev.RequestContext.DomainName
	}
	req.Header.Del("Host")
	req.RemoteAddr = ev.RequestContext.HTTP.SourceIP
	req.RequestURI = u.RequestURI()
	return req, nil
}

// maxText is the longest body that is sent as a JSON string. A byte may take six
// there, of the 6 MB that an answer may have; in base64 it takes 4/3.
const maxText = 1 << 20

// answer is an http.ResponseWriter that collects the response.
type answer struct {
	header http.Header
	sent   http.Header // the header when the status was written
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status, a.sent = status, a.header.Clone()
	}
}

func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		if a.header.Get("Content-Type") == "" {
			a.header.Set("Content-Type", http.DetectContentType(p))
		}
		a.WriteHeader(http.StatusOK)
	}
	return a.body.Write(p)
}

func (a *answer) event() events.APIGatewayV2HTTPResponse {
	a.WriteHeader(http.StatusOK)
	ev := events.APIGatewayV2HTTPResponse{StatusCode: a.status, Headers: map[string]string{}}
	for name, values := range a.sent {
		if name == "Set-Cookie" { // cannot be joined
			ev.Cookies = slices.Clone(values)
			continue
		}
		ev.Headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	if text := a.body.Bytes(); len(text) <= maxText && isText(a.sent) && utf8.Valid(text) {
		ev.Body = string(text)
	} else {
		ev.Body, ev.IsBase64Encoded = base64.StdEncoding.EncodeToString(text), true
	}
	return ev
}

// isText reports whether a body with these headers is text, to be sent as a JSON string.
func isText(h http.Header) bool {
	if h.Get("Content-Encoding") != "" {
		return false
	}
	kind, _, _ := strings.Cut(strings.ToLower(h.Get("Content-Type")), ";")
	kind = strings.TrimSpace(kind)
	return kind == "" || strings.HasPrefix(kind, "text/") || strings.HasSuffix(kind, "json") ||
		strings.HasSuffix(kind, "xml") ||
		strings.HasSuffix(kind, "javascript") || strings.HasSuffix(kind, "yaml")
}
