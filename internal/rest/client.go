package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// Limiter says when a call may be made.
type Limiter interface {
	// Take grants one call and returns the grant's stamp, after which it holds for a second; else a *Wait.
	Take(ctx context.Context) (time.Time, error)
	// Throttled tells that the vendor refused a call as one too many; retryAfter is 0 where it did not say for how long.
	Throttled(ctx context.Context, retryAfter time.Duration)
}

// Client holds one conversation with one account of a vendor. It is safe for concurrent use once set up.
type Client struct {
	Base      *url.URL
	HTTP      http.RoundTripper   // nil: http.DefaultTransport
	Sign      func(*http.Request) // puts the credential on
	Limit     Limiter             // nil: no limit
	Timeout   time.Duration       // from writing to the last byte of the answer; 0: 20 s
	MaxAnswer int64               // bytes; 0: 32 MiB
	GrantLife time.Duration       // how long a reserved grant may wait for its call; 0: 1 s
	// Read finds a vendor's error in an answer, whatever its status; nil: none, or what FromStatus says.
	Read func(status int, header http.Header, body []byte) *Error
}

// Reserve takes one grant now, for the next call made with the context that it returns; if that call comes more than a
// second later it takes a fresh one.
func (c *Client) Reserve(ctx context.Context) (context.Context, error) {
	if c.Limit == nil {
		return ctx, nil
	}
	stamp, err := c.take(ctx)
	if err != nil {
		err.Method, err.Path = "reserve", "a call"
		return ctx, err
	}
	return context.WithValue(ctx, grantKey{}, &reservation{of: c, stamp: stamp}), nil
}

func (c *Client) take(ctx context.Context) (time.Time, *Error) {
	stamp, err := c.Limit.Take(ctx)
	if err == nil {
		return stamp, nil
	}
	e := &Error{Outcome: Refused, Kind: NotSent, Err: err}
	if w, ok := errors.AsType[*Wait](err); ok {
		e.Kind, e.RetryAfter = Waiting, max(0, time.Until(w.Until))
	}
	return stamp, e
}

// Do makes one call: path is below Base and already escaped, in is sent as JSON unless nil, and the answer is read into out
// (by Unmarshal, as forgiving as the vendors are uneven) unless nil. Every error is an *Error.
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, in, out any) error {
	path = "/" + strings.TrimPrefix(path, "/")
	x := Exchange{Method: method, Path: path, Query: query.Encode(), At: time.Now()}
	err := c.do(ctx, &x, in, out)
	if err != nil {
		err.Method, err.Path, err.Messages = method, path, trim(err.Messages)
		x.Err, x.Outcome = err, err.Outcome
	}
	x.Took = time.Since(x.At)
	if record, ok := ctx.Value(recorderKey{}).(func(Exchange)); ok {
		record(x)
	}
	if err == nil {
		return nil
	}
	// Any 503 is a throttle to the limiter, even where it leaves the call itself unknown.
	if c.Limit != nil && (err.Kind == Throttled || err.Status == http.StatusServiceUnavailable) {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		c.Limit.Throttled(late, err.RetryAfter)
	}
	return err
}

func notSent(err error) *Error { return &Error{Outcome: Refused, Kind: NotSent, Err: err} }

func unknown(status int, err error) *Error {
	return &Error{Outcome: Unknown, Kind: Unavailable, Status: status, Err: err}
}

func (c *Client) do(ctx context.Context, x *Exchange, in, out any) *Error {
	req, err := c.request(x, in)
	if err != nil {
		return notSent(err)
	}
	if err := ctx.Err(); err != nil {
		return notSent(err)
	}
	if reserved, _ := ctx.Value(grantKey{}).(*reservation); c.Limit != nil && !reserved.take(c) {
		if _, err := c.take(ctx); err != nil {
			return err
		}
	}
	if err := guardOf(ctx); err != nil {
		return notSent(err)
	}
	if err := ctx.Err(); err != nil {
		return notSent(err)
	}

	timeout := c.Timeout
	if timeout == 0 {
		timeout = 20 * time.Second
	}
	// The transport asks for a connection (GetConn) and is handed one (GotConn): in between, nothing was written. It asks
	// again only after a connection that took none of the request.
	var asked, got atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { asked.Store(true); got.Store(false) },
		GotConn: func(httptrace.GotConnInfo) { got.Store(true) },
		// An in-process transport may tell no more than this.
		WroteRequest: func(httptrace.WroteRequestInfo) { got.Store(true) },
	})
	traced, cancel := context.WithTimeout(traced, timeout)
	defer cancel()
	transport := c.HTTP
	if transport == nil {
		transport = http.DefaultTransport
	}
	// RoundTrip itself rather than an http.Client: no redirect is followed (it would take the key elsewhere), no cookie kept.
	x.At = time.Now()
	answer, err := transport.RoundTrip(req.WithContext(traced))
	if err != nil {
		dial, ok := errors.AsType[*net.OpError](err)
		if !got.Load() && (asked.Load() || ok && dial.Op == "dial") {
			return notSent(err)
		}
		return unknown(0, err)
	}
	defer answer.Body.Close()
	x.Status = answer.StatusCode
	most := c.MaxAnswer
	if most == 0 {
		most = 32 << 20
	}
	x.Answer, err = io.ReadAll(io.LimitReader(answer.Body, most+1))
	x.Answer = WithoutMark(x.Answer)
	if err != nil {
		return unknown(x.Status, fmt.Errorf("read answer: %w", err))
	}
	if int64(len(x.Answer)) > most {
		x.Answer = x.Answer[:most]
		return unknown(x.Status, fmt.Errorf("answer exceeds %d bytes", most))
	}
	return c.read(x, answer.Header, out)
}

func (c *Client) request(x *Exchange, in any) (*http.Request, error) {
	if c.Base == nil {
		return nil, errors.New("no base address")
	}
	if in != nil {
		var err error
		if x.Request, err = json.Marshal(in); err != nil {
			return nil, fmt.Errorf("write request: %w", err)
		}
	}
	to := c.Base.JoinPath(x.Path)
	to.RawQuery = x.Query
	req, err := http.NewRequest(x.Method, to.String(), bytes.NewReader(x.Request))
	if err != nil {
		return nil, errors.New("no such address") // the error itself would quote it
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json") // Cin7 Core's documentation sends it with GET too
	req.Header.Set("User-Agent", "stockbridge")
	if c.Sign != nil {
		c.Sign(req)
	}
	return req, nil
}

func (c *Client) read(x *Exchange, header http.Header, out any) *Error {
	if c.Read != nil {
		if e := c.Read(x.Status, header, x.Answer); e != nil {
			if e.Outcome == Done { // an error is never done; a vendor's reading that forgot to say is in doubt
				e.Outcome = Unknown
			}
			e.Status = x.Status
			return e
		}
	}
	if e := FromStatus(x.Status, header); e != nil {
		return e
	}
	switch body := bytes.TrimSpace(x.Answer); {
	case out == nil && (len(body) == 0 || json.Valid(body)):
		return nil
	case out == nil:
		return unknown(x.Status, errors.New("the answer is not JSON"))
	case len(body) == 0:
		return unknown(x.Status, errors.New("the answer is empty"))
	}
	if err := Unmarshal(x.Answer, out); err != nil {
		return unknown(x.Status, fmt.Errorf("read answer: %w", err))
	}
	return nil
}
