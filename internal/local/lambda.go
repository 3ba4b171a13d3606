package main

import (
	"context"
	"crypto/md5"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"stockbridge/internal/app"
	"stockbridge/internal/cloud"
	"stockbridge/internal/issuer"
	"stockbridge/internal/workbook"
)

// The structs of this file are the events as AWS documents them, and not AWS's
// own types, with which the handlers read them: so a wrong name does not cancel
// out.

// functions returns the handlers by their names in the template.
func functions(a *app.App) map[string]cloud.Handler {
	return map[string]cloud.Handler{
		"WebhookFunction":     cloud.Webhook(a.Webhook()),
		"OrdersFunction":      cloud.SQS(a.Orders),
		"DeadLettersFunction": cloud.SQS(a.DeadLetters),
		"ScheduleFunction":    cloud.Raw(a.Schedule),
		"CatalogFunction":     cloud.SQS(a.Catalog),
		"ShipmentsFunction":   cloud.SQS(a.Shipments),
		"JOORFunction":        cloud.SQS(a.JOOR),
		"ConsoleFunction":     cloud.HTTP(a.Console(workbook.Write)),
	}
}

// timeouts returns the timeouts in the template. A test compares them.
func timeouts() map[string]time.Duration {
	return map[string]time.Duration{
		"WebhookFunction": 10 * time.Second, "OrdersFunction": time.Minute, "DeadLettersFunction": time.Minute,
		"ScheduleFunction": time.Minute, "CatalogFunction": time.Minute, "ShipmentsFunction": time.Minute,
		"ConsoleFunction": 30 * time.Second, "JOORFunction": time.Minute,
	}
}

// routes returns the routes in the template: method, path, function.
func routes() [][3]string {
	return [][3]string{
		{"ANY", "/webhooks/{proxy+}", "WebhookFunction"},
		{"ANY", "/{proxy+}", "ConsoleFunction"},
		{"ANY", "/", "ConsoleFunction"},
	}
}

// lambda invokes functions in this process.
type lambda struct {
	functions map[string]cloud.Handler
	speed     float64
	log       *slog.Logger
	running   sync.WaitGroup // asynchronous invocations and batches
	stop      context.Context
	token     string   // needed to invoke a function; "" = nobody may
	uploads   *uploads // bounds the bodies of requests; nil = makes its own
	// admits reports whether a request has a token that exists. If not, its body is not read, but for a small form of a
	// page, and its function refuses it without one. nil = all have.
	admits func(*http.Request) bool
	issuer http.Handler // of the people who sign in; nil = it is elsewhere
	mail   http.Handler // shows e-mails; nil = there are none
}

// maxPayload is the most bytes of a synchronous event or its answer.
const maxPayload = 6 << 20

var errNoFunction = errors.New("no such function")

// scaled returns how long a configured duration takes here.
func (l *lambda) scaled(d time.Duration) time.Duration { return time.Duration(float64(d) / l.speed) }

// invoke runs a function to its end or its timeout. A panic is an error. (On
// Lambda it also ends the process.)
func (l *lambda) invoke(ctx context.Context, name string, payload []byte) (answer []byte, err error) {
	f, ok := l.functions[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, errNoFunction)
	}
	// A caller that hangs up does not end an invocation.
	timeout := l.scaled(timeouts()[name])
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			l.log.Error("panic", "function", name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			answer, err = nil, fmt.Errorf("%s: panic: %v", name, p)
		}
	}()
	if answer, err = f(ctx, payload); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if ctx.Err() != nil { // on Lambda the process has been killed, and there is no answer
		return nil, fmt.Errorf("%s: timed out after %v", name, timeout)
	}
	if len(answer) > maxPayload {
		return nil, fmt.Errorf("%s: the answer has %d bytes, more than %d", name, len(answer), maxPayload)
	}
	return answer, nil
}

// start invokes a function asynchronously. If it fails, it is invoked again after 1 and 2 minutes, retries times at
// most.
func (l *lambda) start(name string, payload []byte, retries int) {
	l.running.Go(func() {
		for try := 0; ; try++ {
			_, err := l.invoke(l.stop, name, payload)
			if err == nil {
				return
			}
			l.log.Warn("asynchronous invocation", "function", name, "try", try+1, "error", err.Error())
			if try == retries {
				return
			}
			select {
			case <-time.After(l.scaled(time.Duration(try+1) * time.Minute)):
			case <-l.stop.Done():
				return
			}
		}
	})
}

// serveInvoke is Lambda's Invoke action, so that "aws lambda invoke" works.
func (l *lambda) serveInvoke(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if !l.mayInvoke(r.Header.Get("Authorization")) {
		w.Header().Set("Connection", "close") // the body was not read
		invokeError(w, http.StatusForbidden, "UnrecognizedClientException",
			"The security token included in the request is invalid: send the runner's -token as a bearer token, or "+
				"as AWS_ACCESS_KEY_ID.")
		return
	}
	body, done, err := l.uploads.read(w, r, maxPayload)
	defer done()
	switch {
	case errors.Is(err, errBusy):
		invokeError(w, http.StatusTooManyRequests, "TooManyRequestsException", "Too many large events at once.")
		return
	case err != nil:
		invokeError(w, http.StatusRequestEntityTooLarge, "RequestTooLargeException", "The event is larger than 6 MB.")
		return
	case l.functions[name] == nil:
		invokeError(w, http.StatusNotFound, "ResourceNotFoundException", "Function not found: "+name)
		return
	}
	if len(body) == 0 {
		body = []byte("{}")
	}
	if !json.Valid(body) {
		invokeError(w, http.StatusBadRequest, "InvalidRequestContentException",
			"Could not parse request body into json.")
		return
	}
	l.serveEvent(w, r, name, body)
}

// serveEvent invokes a function in the way that the request's invocation type names.
func (l *lambda) serveEvent(w http.ResponseWriter, r *http.Request, name string, body []byte) {
	w.Header().Set("X-Amz-Executed-Version", "$LATEST")
	switch r.Header.Get("X-Amz-Invocation-Type") {
	case "DryRun":
		w.WriteHeader(http.StatusNoContent)
	case "Event":
		if len(body) > 1<<20 {
			invokeError(w, http.StatusRequestEntityTooLarge, "RequestTooLargeException",
				"An asynchronous event is larger than 1 MB.")
			return
		}
		l.start(name, body, 2)
		w.WriteHeader(http.StatusAccepted)
	case "", "RequestResponse":
		answer, err := l.invoke(r.Context(), name, body)
		if err != nil {
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
			writeJSON(w, http.StatusOK, map[string]string{"errorType": "error", "errorMessage": err.Error()})
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(answer)
	default:
		invokeError(w, http.StatusBadRequest, "InvalidParameterValueException",
			"The invocation type is RequestResponse, Event or DryRun.")
	}
}

// invokeError answers with an error in the form of Lambda's API.
func invokeError(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("X-Amzn-ErrorType", kind)
	writeJSON(w, status, map[string]string{"Type": "User", "Message": message})
}

// mayInvoke reports whether an Authorization header holds the token: as a bearer token, or as the id of the access key
// with which the request is signed (Signature Version 4; the signature itself is not checked).
func (l *lambda) mayInvoke(header string) bool {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(header), " ")
	token := strings.TrimSpace(rest)
	if scheme == "AWS4-HMAC-SHA256" {
		_, credential, _ := strings.Cut(rest, "Credential=")
		token, _, _ = strings.Cut(credential, "/")
	} else if !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	return l.token != "" && subtle.ConstantTimeCompare([]byte(token), []byte(l.token)) == 1
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

// ---- HTTP: API Gateway's HTTP API, payload format 2.0

type httpEvent struct {
	Version         string            `json:"version"`
	RouteKey        string            `json:"routeKey"`
	RawPath         string            `json:"rawPath"`
	RawQueryString  string            `json:"rawQueryString"`
	Cookies         []string          `json:"cookies,omitempty"`
	Headers         map[string]string `json:"headers"`
	Query           map[string]string `json:"queryStringParameters,omitempty"`
	RequestContext  httpContext       `json:"requestContext"`
	PathParameters  map[string]string `json:"pathParameters,omitempty"`
	Body            string            `json:"body,omitempty"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}

type httpContext struct {
	AccountID  string   `json:"accountId"`
	APIID      string   `json:"apiId"`
	DomainName string   `json:"domainName"`
	HTTP       httpCall `json:"http"`
	RequestID  string   `json:"requestId"`
	RouteKey   string   `json:"routeKey"`
	Stage      string   `json:"stage"`
	Time       string   `json:"time"`
	TimeEpoch  int64    `json:"timeEpoch"`
}

type httpCall struct {
	Method    string `json:"method"`
	Path      string `json:"path"`
	Protocol  string `json:"protocol"`
	SourceIP  string `json:"sourceIp"`
	UserAgent string `json:"userAgent"`
}

type httpAnswer struct {
	StatusCode      int               `json:"statusCode"`
	Headers         map[string]string `json:"headers"`
	Cookies         []string          `json:"cookies"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}

// Limits of an HTTP API.
const (
	maxRequest = 10 << 20
	maxHeaders = 10_240
	maxGateway = 30 * time.Second
)

// account is used for the number of an AWS account.
const account = "000000000000"

// handler serves the template's routes, and Lambda's Invoke.
func (l *lambda) handler() http.Handler {
	if l.uploads == nil {
		l.uploads = newUploads()
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /2015-03-31/functions/{name}/invocations", l.serveInvoke)
	if l.issuer != nil {
		mux.Handle(issuer.Path+"/", l.issuer)
	}
	if l.mail != nil {
		mux.Handle("GET "+mailPath+"{$}", l.mail)
	}
	for _, route := range routes() {
		method, path, function := route[0], route[1], route[2]
		pattern := strings.ReplaceAll(path, "{proxy+}", "{proxy...}")
		if path == "/" {
			pattern = "/{$}"
		}
		if method != "ANY" {
			pattern = method + " " + pattern
		}
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			l.serveRoute(w, r, method+" "+path, function)
		})
	}
	return mux
}

// serveRoute serves a request of one route by invoking its function, within API Gateway's limits.
func (l *lambda) serveRoute(w http.ResponseWriter, r *http.Request, key, function string) {
	fail := func(status int, message string) { writeJSON(w, status, map[string]string{"message": message}) }
	body, done, err := l.body(w, r)
	defer done()
	if err != nil || len(body) > maxPayload {
		w.Header().Set("Connection", "close")
		fail(bodyError(err))
		return
	}
	ev := newHTTPEvent(r, key, body)
	size := len(r.Method) + len(r.RequestURI)
	for name, value := range ev.Headers {
		size += len(name) + len(value)
	}
	if size > maxHeaders {
		fail(http.StatusRequestHeaderFieldsTooLarge, "Request Header Fields Too Large")
		return
	}
	payload, err := json.Marshal(ev)
	if err != nil || len(payload) > maxPayload {
		fail(http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	}
	answer, err := l.invokeWithin(r.Context(), l.scaled(maxGateway), function, payload)
	if errors.Is(err, errGatewayTimeout) {
		fail(http.StatusServiceUnavailable, "Service Unavailable")
		return
	}
	if err == nil {
		err = writeAnswer(w, answer)
	}
	if err != nil {
		l.log.Error("HTTP invocation", "function", function, "error", err.Error())
		fail(http.StatusInternalServerError, "Internal Server Error")
	}
}

// body reads the body of a request that is admitted. Of any other request it reads a form of a page, and nothing else.
func (l *lambda) body(w http.ResponseWriter, r *http.Request) (body []byte, done func(), err error) {
	if l.admits == nil || l.admits(r) {
		return l.uploads.read(w, r, maxRequest)
	}
	body, ok, err := l.uploads.readForm(w, r)
	if !ok && r.ContentLength != 0 {
		w.Header().Set("Connection", "close")
	}
	return body, func() {}, err
}

// bodyError returns the answer to a request whose body is too large (nil: for an event) or did not come.
func bodyError(err error) (status int, message string) {
	tooLarge := (*http.MaxBytesError)(nil)
	switch {
	case err == nil, errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge, "Request Entity Too Large"
	case errors.Is(err, errBusy):
		return http.StatusServiceUnavailable, "The body did not come in time"
	}
	return http.StatusRequestTimeout, "The body did not come in time"
}

// errGatewayTimeout is the error of an invocation that outlasts API Gateway's patience.
var errGatewayTimeout = errors.New("no answer in the gateway's time")

// invokeWithin invokes a function, and waits for its answer only so long.
func (l *lambda) invokeWithin(
	ctx context.Context, most time.Duration, function string, payload []byte,
) ([]byte, error) {
	type result struct {
		answer []byte
		err    error
	}
	done := make(chan result, 1)
	l.running.Go(func() {
		answer, err := l.invoke(ctx, function, payload)
		done <- result{answer, err}
	})
	limit := time.NewTimer(most)
	defer limit.Stop()
	select {
	case <-limit.C:
		return nil, errGatewayTimeout
	case res := <-done:
		return res.answer, res.err
	}
}

func newHTTPEvent(r *http.Request, key string, body []byte) httpEvent {
	now := time.Now().UTC()
	source, _, _ := net.SplitHostPort(r.RemoteAddr)
	ev := httpEvent{
		Version: "2.0", RouteKey: key, RawPath: r.URL.EscapedPath(), RawQueryString: r.URL.RawQuery,
		Headers: map[string]string{"host": r.Host, "x-forwarded-for": source, "x-forwarded-proto": "http"},
		RequestContext: httpContext{
			AccountID: account, APIID: "local", DomainName: r.Host, RequestID: newUUID(), RouteKey: key,
			Stage: "$default",
			HTTP:  httpCall{r.Method, r.URL.Path, r.Proto, source, r.UserAgent()},
			Time:  now.Format("02/Jan/2006:15:04:05 -0700"), TimeEpoch: now.UnixMilli(),
		},
	}
	for name, values := range r.Header {
		if name == "Cookie" {
			for _, v := range values {
				for c := range strings.SplitSeq(v, ";") {
					ev.Cookies = append(ev.Cookies, strings.TrimSpace(c))
				}
			}
			continue
		}
		ev.Headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	for name, values := range r.URL.Query() {
		if ev.Query == nil {
			ev.Query = map[string]string{}
		}
		ev.Query[name] = strings.Join(values, ",")
	}
	if p := r.PathValue("proxy"); p != "" {
		ev.PathParameters = map[string]string{"proxy": p}
	}
	ev.setBody(r.Header, body)
	return ev
}

// setBody sets the body, as text or in base64.
func (ev *httpEvent) setBody(h http.Header, body []byte) {
	if len(body) == 0 {
		return
	}
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	text := strings.HasPrefix(kind, "text/") ||
		slices.Contains([]string{"application/json", "application/javascript", "application/xml"}, kind)
	if text && h.Get("Content-Encoding") == "" && utf8.Valid(body) {
		ev.Body = string(body)
	} else {
		ev.Body, ev.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
}

// writeAnswer writes an answer as API Gateway does: an object with a statusCode
// is a response, any other JSON is the body.
func writeAnswer(w http.ResponseWriter, payload []byte) error {
	var probe map[string]json.RawMessage
	if json.Unmarshal(payload, &probe) != nil || probe["statusCode"] == nil {
		if !json.Valid(payload) {
			return errors.New("the answer is not JSON")
		}
		w.Header().Set("Content-Type", "application/json")
		_, err := w.Write(payload)
		return err
	}
	var a httpAnswer
	if err := json.Unmarshal(payload, &a); err != nil {
		return fmt.Errorf("the answer is no response: %w", err)
	}
	if a.StatusCode < 100 || a.StatusCode > 599 {
		return fmt.Errorf("the answer has status %d", a.StatusCode)
	}
	body := []byte(a.Body)
	if a.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(a.Body); err != nil {
			return fmt.Errorf("the answer's body: %w", err)
		}
	}
	for name, value := range a.Headers {
		w.Header().Set(name, value)
	}
	for _, c := range a.Cookies {
		w.Header().Add("Set-Cookie", c)
	}
	w.WriteHeader(a.StatusCode)
	w.Write(body)
	return nil
}

// ---- SQS: batches, with partial failures

type sqsEvent struct {
	Records []sqsRecord `json:"Records"`
}

type sqsRecord struct {
	MessageID         string            `json:"messageId"`
	ReceiptHandle     string            `json:"receiptHandle"`
	Body              string            `json:"body"`
	Attributes        map[string]string `json:"attributes"`
	MessageAttributes map[string]any    `json:"messageAttributes"`
	MD5OfBody         string            `json:"md5OfBody"`
	EventSource       string            `json:"eventSource"`
	EventSourceARN    string            `json:"eventSourceARN"`
	AWSRegion         string            `json:"awsRegion"`
}

// mapping is an event source mapping: a queue and the function that receives its batches.
type mapping struct {
	queue       *queue
	function    string
	batch       int
	concurrency int
}

// poll passes batches to the function until ctx is done.
func (l *lambda) poll(ctx context.Context, m mapping) {
	slots := make(chan struct{}, m.concurrency)
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		batch := m.queue.receive(ctx, m.batch)
		if len(batch) == 0 {
			return
		}
		l.running.Go(func() {
			defer func() { <-slots }()
			l.deliver(m, batch)
		})
	}
}

func (l *lambda) deliver(m mapping, batch []message) {
	payload, err := json.Marshal(newSQSEvent(m.queue.name, batch))
	if err != nil {
		l.log.Error("SQS event", "queue", m.queue.name, "error", err.Error())
		return
	}
	answer, err := l.invoke(l.stop, m.function, payload)
	if err != nil { // the messages come back when the visibility timeout ends
		l.log.Warn("SQS batch", "queue", m.queue.name, "error", err.Error())
		return
	}
	failed, all := failures(answer, batch)
	if all {
		l.log.Warn("SQS batch: the answer is no list of failures", "queue", m.queue.name)
		return
	}
	for _, msg := range batch {
		if !failed[msg.id] {
			m.queue.delete(msg.handle)
		}
	}
}

func newSQSEvent(queue string, batch []message) sqsEvent {
	var ev sqsEvent
	for _, m := range batch {
		sum := md5.Sum([]byte(m.body))
		r := sqsRecord{
			MessageID: m.id, ReceiptHandle: m.handle, Body: m.body,
			Attributes: map[string]string{
				"ApproximateReceiveCount":          fmt.Sprint(m.receives),
				"SentTimestamp":                    fmt.Sprint(m.sent.UnixMilli()),
				"SenderId":                         "local",
				"ApproximateFirstReceiveTimestamp": fmt.Sprint(m.first.UnixMilli()),
			},
			MessageAttributes: map[string]any{}, MD5OfBody: hex.EncodeToString(sum[:]),
			EventSource: "aws:sqs", EventSourceARN: "arn:aws:sqs:local:" + account + ":" + queue, AWSRegion: "local",
		}
		if m.group != "" {
			r.Attributes["MessageGroupId"] = m.group
		}
		ev.Records = append(ev.Records, r)
	}
	return ev
}

// failures reads from an answer which messages of a batch stay in the queue. An
// answer that is not understood fails the whole batch: all.
func failures(answer []byte, batch []message) (failed map[string]bool, all bool) {
	if s := strings.TrimSpace(string(answer)); s == "" || s == "null" || s == `""` {
		return nil, false
	}
	var doc map[string]json.RawMessage
	if json.Unmarshal(answer, &doc) != nil {
		return nil, true
	}
	var list []map[string]*string
	if raw, ok := doc["batchItemFailures"]; !ok || json.Unmarshal(raw, &list) != nil {
		return nil, ok || len(doc) > 0
	}
	failed = map[string]bool{}
	for _, item := range list {
		id := item["itemIdentifier"]
		if id == nil || !slices.ContainsFunc(batch, func(m message) bool { return m.id == *id }) {
			return nil, true
		}
		failed[*id] = true
	}
	return failed, false
}
