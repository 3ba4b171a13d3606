package rest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/rest"
)

// limiter grants every call, unless it denies all, and counts.
type limiter struct {
	taken     int // what all calls cost
	throttled []time.Duration
	deny      error
}

func (l *limiter) Take(_ context.Context, cost int) (time.Time, error) {
	if l.deny != nil {
		return time.Time{}, l.deny
	}
	l.taken += cost
	return time.Now(), nil
}

func (l *limiter) Throttled(_ context.Context, d time.Duration) { l.throttled = append(l.throttled, d) }

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

func base(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

type seen struct {
	Outcome rest.Outcome
	Kind    rest.Kind
	Status  int
}

func seenOf(err error) seen {
	e, _ := errors.AsType[*rest.Error](err)
	if e == nil {
		return seen{rest.OutcomeOf(err), rest.KindOf(err), 0}
	}
	return seen{e.Outcome, e.Kind, e.Status}
}

// TestOutcome makes real calls to a real server that ends each in a different way.
func TestOutcome(t *testing.T) {
	var reached atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		switch r.URL.Path {
		case "/v2/ok":
			_, _ = io.WriteString(w, `{"ID":"1"}`)
		case "/v2/empty":
		case "/v2/html":
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<html>Page not found</html>")
		case "/v2/half":
			_, _ = io.WriteString(w, `{"ID":"1"`)
		case "/v2/two":
			_, _ = io.WriteString(w, `{"ID":"1"} {"ID":"2"}`)
		case "/v2/long":
			_, _ = io.WriteString(w, `"`+strings.Repeat("x", 5000)+`"`)
		case "/v2/cut":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"ID":"1"}`)
		case "/v2/reset":
			conn, _, _ := w.(http.Hijacker).Hijack()
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
		case "/v2/slow":
			select {
			case <-r.Context().Done():
			case <-time.After(time.Minute):
			}
		case "/v2/redirect":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		default:
			w.WriteHeader(int(r.URL.Path[4]-'0')*100 + int(r.URL.Path[5]-'0')*10 + int(r.URL.Path[6]-'0'))
		}
	}))
	defer server.Close()
	dead := httptest.NewServer(nil)
	dead.Close()

	for _, tt := range []struct {
		path      string
		dead      bool
		want      seen
		throttled int
	}{
		{path: "/ok"},
		{path: "/ok", dead: true, want: seen{rest.Refused, rest.NotSent, 0}},
		{path: "/empty", want: seen{rest.Unknown, rest.Unavailable, 200}},
		{path: "/html", want: seen{rest.Unknown, rest.Unavailable, 200}},
		{path: "/half", want: seen{rest.Unknown, rest.Unavailable, 200}},
		{path: "/two", want: seen{rest.Unknown, rest.Unavailable, 200}},
		{path: "/long", want: seen{rest.Unknown, rest.Unavailable, 200}},
		{path: "/cut", want: seen{rest.Unknown, rest.Unavailable, 200}},
		{path: "/reset", want: seen{rest.Unknown, rest.Unavailable, 0}},
		{path: "/slow", want: seen{rest.Unknown, rest.Unavailable, 0}},
		{path: "/redirect", want: seen{rest.Unknown, rest.Unavailable, 302}},
		{path: "/400", want: seen{rest.Refused, rest.Invalid, 400}},
		{path: "/401", want: seen{rest.Refused, rest.Unauthorized, 401}},
		{path: "/403", want: seen{rest.Refused, rest.Unauthorized, 403}},
		{path: "/404", want: seen{rest.Refused, rest.NotFound, 404}},
		{path: "/405", want: seen{rest.Refused, rest.Invalid, 405}},
		{path: "/408", want: seen{rest.Unknown, rest.Unavailable, 408}},
		{path: "/409", want: seen{rest.Refused, rest.Conflict, 409}},
		{path: "/422", want: seen{rest.Refused, rest.Invalid, 422}},
		{path: "/429", want: seen{rest.Refused, rest.Throttled, 429}, throttled: 1},
		{path: "/500", want: seen{rest.Unknown, rest.Unavailable, 500}},
		{path: "/503", want: seen{rest.Unknown, rest.Unavailable, 503}, throttled: 1},
	} {
		limit, reachedBefore := &limiter{}, reached.Load()
		c := &rest.Client{Base: base(t, server.URL+"/v2/"), HTTP: server.Client().Transport, Limit: limit,
			MaxAnswer: 4096}
		c.Who = "acme"
		if tt.dead {
			c.Base = base(t, dead.URL)
		}
		if tt.path == "/slow" {
			c.Timeout = 2 * time.Second // the call is with the server by then
		}
		var recorded []rest.Exchange
		ctx := rest.WithRecorder(t.Context(), func(x rest.Exchange) { recorded = append(recorded, x) })
		var out struct{ ID string }
		err := c.Do(ctx, "POST", tt.path, url.Values{"a": {"b"}}, map[string]int{"n": 1}, &out)
		if got := seenOf(err); got != tt.want {
			t.Errorf("%s: %+v, want %+v (%v)", tt.path, got, tt.want, err)
		}
		if len(limit.throttled) != tt.throttled || limit.taken != 1 {
			t.Errorf("%s: limiter %+v", tt.path, limit)
		}
		if calls := reached.Load() - reachedBefore; !tt.dead && calls != 1 || tt.dead && calls != 0 {
			t.Errorf("%s: %d calls reached the server", tt.path, calls)
		}
		if len(recorded) != 1 || recorded[0].Outcome != tt.want.Outcome ||
			err != nil && recorded[0].Status != tt.want.Status ||
			recorded[0].Query != "a=b" || string(recorded[0].Request) != `{"n":1}` || recorded[0].Path != tt.path {
			t.Errorf("%s: recorded %+v", tt.path, recorded)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "POST "+tt.path+": ") {
			t.Errorf("%s: error reads %q", tt.path, err)
		}
		if e, ok := errors.AsType[*rest.Error](err); ok && e.Who != "acme" {
			t.Errorf("%s: whose answer: %q", tt.path, e.Who)
		}
	}
}

// closing is a connection that tells when its own side closes it.
type closing struct {
	net.Conn
	tell func()
}

func (c closing) Close() error {
	c.tell()
	return c.Conn.Close()
}

// TestStaleConnection: the server closes a kept connection just before it is used again.
func TestStaleConnection(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{}`)
	}))
	noticed := make(chan struct{})
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return closing{conn, sync.OnceFunc(func() { close(noticed) })}, err
	}}
	defer transport.CloseIdleConnections()
	c := &rest.Client{Base: base(t, server.URL), HTTP: transport}
	if err := c.Do(t.Context(), "POST", "/sale", nil, 1, nil); err != nil {
		t.Fatal(err)
	}
	server.CloseClientConnections()
	server.Close()
	<-noticed
	if got := seenOf(c.Do(t.Context(), "POST", "/sale", nil, 1, nil)); got != (seen{rest.Refused, rest.NotSent, 0}) {
		t.Errorf("after the server went away: %+v", got)
	}
}

func TestNeverSent(t *testing.T) {
	limit := &limiter{}
	calls := 0
	c := &rest.Client{Base: base(t, "http://vendor.test"), Limit: limit,
		HTTP: roundTrip(func(*http.Request) (*http.Response, error) {
			calls++
			return answer(200, `{}`), nil
		})}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	stop := errors.New("lease ends too soon")
	outer := rest.WithGuard(t.Context(), func() error { return stop })
	until := time.Now().Add(time.Minute)

	if got := seenOf(c.Do(over, "POST", "/sale", nil, nil, nil)); got != (seen{rest.Refused, rest.NotSent, 0}) {
		t.Errorf("context at its end: %+v", got)
	}
	err := c.Do(rest.WithGuard(outer, func() error { return nil }), "POST", "/sale", nil, nil, nil)
	if seenOf(err) != (seen{rest.Refused, rest.NotSent, 0}) || !errors.Is(err, stop) {
		t.Errorf("guard: %v", err)
	}
	if limit.taken != 1 {
		t.Errorf("the guard is asked after the limiter: %+v", limit)
	}
	limit.deny = &rest.Wait{Until: until}
	var recorded []rest.Exchange
	err = c.Do(rest.WithRecorder(t.Context(), func(x rest.Exchange) { recorded = append(recorded, x) }), "POST",
		"/sale", nil, nil, nil)
	wait, ok := errors.AsType[*rest.Wait](err)
	if seenOf(err) != (seen{rest.Refused, rest.Waiting, 0}) || !ok || !wait.Until.Equal(until) {
		t.Errorf("limiter's wait: %v", err)
	}
	if len(recorded) != 1 || recorded[0].Err == nil {
		t.Errorf("recorded %+v", recorded)
	}
	limit.deny = errors.New("table away")
	if got := seenOf(c.Do(t.Context(), "POST", "/sale", nil, nil, nil)); got != (seen{rest.Refused, rest.NotSent, 0}) {
		t.Errorf("limiter out of order: %+v", got)
	}
	if calls != 0 || len(limit.throttled) != 0 {
		t.Errorf("%d calls, limiter %+v", calls, limit)
	}
	if err := (&rest.Client{}).Do(t.Context(), "GET", "/", nil, nil,
		nil); seenOf(err) != (seen{rest.Refused, rest.NotSent, 0}) {
		t.Errorf("no base: %v", err)
	}
}

// TestInProcess uses round trippers without a connection.
func TestInProcess(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want seen
	}{
		{errors.New("broken"), seen{rest.Unknown, rest.Unavailable, 0}},
		{&net.OpError{Op: "dial", Err: errors.New("refused")}, seen{rest.Refused, rest.NotSent, 0}},
		{&net.OpError{Op: "read", Err: errors.New("reset")}, seen{rest.Unknown, rest.Unavailable, 0}},
		{&net.OpError{Op: "dial", Err: errors.New("another's")}, seen{rest.Unknown, rest.Unavailable, 0}},
	} {
		c := &rest.Client{Base: base(t, "http://vendor.test"),
			HTTP: roundTrip(func(r *http.Request) (*http.Response, error) {
				if strings.Contains(tt.err.Error(), "another's") { // a dial after the request was written
					httptrace.ContextClientTrace(r.Context()).WroteRequest(httptrace.WroteRequestInfo{})
				}
				return nil, tt.err
			})}
		if got := seenOf(c.Do(t.Context(), "POST", "/sale", nil, nil, nil)); got != tt.want {
			t.Errorf("%v: %+v, want %+v", tt.err, got, tt.want)
		}
	}
}

func TestReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := &limiter{}
		c := &rest.Client{Base: base(t, "http://vendor.test"), Limit: limit,
			HTTP: roundTrip(func(*http.Request) (*http.Response, error) {
				return answer(200, `{}`), nil
			})}
		do := func(ctx context.Context, c *rest.Client, want int) {
			t.Helper()
			if err := c.Do(ctx, "GET", "/me", nil, nil, nil); err != nil {
				t.Fatal(err)
			}
			if limit.taken != want {
				t.Errorf("%d grants taken, want %d", limit.taken, want)
			}
		}
		ctx, err := c.Reserve(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		other := *c
		do(ctx, &other, 2) // another client's
		time.Sleep(time.Second)
		do(rest.WithGuard(ctx, func() error { return nil }), c, 2)
		do(ctx, c, 3) // spent
		ctx, _ = c.Reserve(t.Context())
		time.Sleep(time.Second + time.Millisecond)
		do(ctx, c, 5) // lapsed

		c.Cost = func(method string) int { return map[string]int{"GET": 1, "PUT": 5}[method] }
		ctx, _ = c.Reserve(t.Context())
		if err := c.Do(ctx, "PUT", "/me", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		do(ctx, c, 11) // the grant of 1 was not the write's

		limit.deny = &rest.Wait{Until: time.Now().Add(3 * time.Second)}
		_, err = c.Reserve(t.Context())
		if e, ok := errors.AsType[*rest.Error](err); !ok || e.Kind != rest.Waiting || e.Outcome != rest.Refused ||
			e.RetryAfter != 3*time.Second {
			t.Errorf("reserve: %v", err)
		}
	})
}

// TestForm: values are sent as a form, and none of their exchange is recorded where the context says so.
func TestForm(t *testing.T) {
	var got, sent string
	c := &rest.Client{Base: base(t, "http://vendor.test"), HTTP: roundTrip(
		func(r *http.Request) (*http.Response, error) {
			body, _ := io.ReadAll(r.Body)
			got, sent = r.Header.Get("Content-Type"), string(body)
			return answer(200, `{"access_token":"fresh"}`), nil
		})}
	ctx := rest.WithRecorder(t.Context(), func(rest.Exchange) { t.Error("recorded") })
	var out struct {
		AccessToken string `json:"access_token"`
	}
	err := c.Do(rest.Unrecorded(ctx), "POST", "/auth/", nil, url.Values{"user name": {"a&b"}}, &out)
	if err != nil || out.AccessToken != "fresh" || got != "application/x-www-form-urlencoded" ||
		sent != "user+name=a%26b" {
		t.Errorf("%v, %+v, sent %s as %s", err, out, sent, got)
	}
}

func TestRequest(t *testing.T) {
	var got *http.Request
	c := &rest.Client{
		Base: base(t, "http://vendor.test/api/v2/"),
		Sign: func(r *http.Request) { r.Header.Set("Authorization", "Bearer s3cret") },
		HTTP: roundTrip(func(r *http.Request) (*http.Response, error) {
			got = r
			return answer(401, `{"token":"s3cret"}`), nil
		}),
		Read: func(status int, header http.Header, body []byte) *rest.Error {
			e := rest.FromStatus(status, header)
			e.Messages = append([]string{"", strings.Repeat("é", 600)},
				strings.Split(strings.Repeat("no ", 30), " ")...)
			return e
		},
	}
	err := c.Do(t.Context(), "PUT", "orders/1/shipments/a%2Fb%20c", nil, nil, nil)
	if got.URL.String() != "http://vendor.test/api/v2/orders/1/shipments/a%2Fb%20c" {
		t.Errorf("address %s", got.URL)
	}
	if got.Header.Get("Authorization") != "Bearer s3cret" || got.Header.Get("Accept") != "application/json" {
		t.Errorf("header %v", got.Header)
	}
	if strings.Contains(err.Error(), "s3cret") {
		t.Errorf("error reads %q", err)
	}
	if m := rest.MessagesOf(err); len(m) != 20 || len([]rune(m[0])) != 500 || m[1] != "no" {
		t.Errorf("messages %q", m)
	}
}

func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for value, want := range map[string]time.Duration{
			"": 0, "30": 30 * time.Second, " 30": 30 * time.Second, "60 Seconds": time.Minute, "0": 0, "-5": 0,
			"soon":                 0,
			"99999999999999999999": time.Hour, "999999999": time.Hour, "3601": time.Hour,
			"Fri, 31 Dec 9999 23:59:59 GMT": time.Hour,
			"NaN":                           0, "-99999999999999999999": 0, "0x7f": 0,
			"Mon, 01 Jan 0001 00:00:00 GMT":                                 0,
			time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat):  90 * time.Second,
			time.Now().Add(-90 * time.Second).UTC().Format(http.TimeFormat): 0,
		} {
			if got := rest.RetryAfter(value); got != want {
				t.Errorf("%q: %v, want %v", value, got, want)
			}
		}
	})
}

func TestOutcomeOf(t *testing.T) {
	if rest.OutcomeOf(nil) != rest.Done || rest.OutcomeOf(errors.New("x")) != rest.Unknown ||
		rest.KindOf(errors.New("x")) != rest.Other {
		t.Error("errors that are no *Error")
	}
	if diff := cmp.Diff([]string(nil), rest.MessagesOf(nil)); diff != "" {
		t.Error(diff)
	}
	if !bytes.Contains([]byte((&rest.Wait{}).Error()), []byte("not before")) {
		t.Error("Wait")
	}
}

// TestByteOrderMark: a byte order mark at the beginning of an answer is skipped.
func TestByteOrderMark(t *testing.T) {
	bodies := []string{"\uFEFF{\"ID\":\"7\"}", " \n\uFEFF{\"ID\":\"7\"}", "\uFEFF"}
	c := &rest.Client{Base: base(t, "http://vendor.test"), HTTP: roundTrip(func(*http.Request) (*http.Response, error) {
		body := bodies[0]
		bodies = bodies[1:]
		return answer(http.StatusOK, body), nil
	})}
	for range 2 {
		var got struct{ ID string }
		if err := c.Do(t.Context(), http.MethodGet, "/x", nil, nil, &got); err != nil || got.ID != "7" {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if err := c.Do(t.Context(), http.MethodPut, "/x", nil, nil, nil); err != nil {
		t.Error(err)
	}
}
