package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Limiter says when a call may be made.
type Limiter interface {
	// Take grants one call and returns the grant's stamp, after which it holds for a second; else a *Wait.
	Take(ctx context.Context) (time.Time, error)
	// Throttled tells that the vendor refused a call as one too many; retryAfter is 0 where it did not say for how long.
	// A Limiter that also has Answered(ctx) is told of every other answer.
	Throttled(ctx context.Context, retryAfter time.Duration)
}

// Client holds one conversation with one account of a vendor. It is safe for concurrent use once set up.
type Client struct {
	Who       string // the vendor's system, as errors name it: see Error.Who
	Base      *url.URL
	HTTP      http.RoundTripper   // nil: http.DefaultTransport
	Sign      func(*http.Request) // puts the credential on
	Limit     Limiter             // nil: no limit
	Timeout   time.Duration       // from writing to the last byte of the answer; 0: 20 s
	MaxAnswer int64               // bytes; 0: 32 MiB
	GrantLife time.Duration       // how long a reserved grant may wait for its call; 0: 1 s
	Routes    Routes              // the calls that there are; nil: any
	// Read finds a vendor's error in an answer, whatever its status; nil: none, or what FromStatus says.
	Read func(status int, header http.Header, body []byte) *Error

	hidden *[]string // see Hide; behind a pointer, so that who prints a Client does not print them
	hide   *redactor // all of them
	unread *redactor // those that are taken out before an answer is read
}

// Hide names values that must not come back: wherever an answer repeats one, however it is written, [Redacted] stands in its
// place in errors, recorded exchanges and what is read. Values below 6 characters cannot be told from other text; those
// below 16 are left in what is read, where they could stand in a number.
func (c *Client) Hide(values ...string) {
	if c.hidden != nil {
		values = slices.Concat(*c.hidden, values)
	}
	c.hidden, c.hide = &values, newRedactor(leastSecret, values...)
	c.unread = c.hide
	if slices.ContainsFunc(values, func(v string) bool { return len(strings.TrimSpace(v)) < leastRead }) {
		c.unread = newRedactor(leastRead, values...)
	}
}

// Reserve takes one grant now, for the next call made with the context that it returns; if that call comes more than a
// second later it takes a fresh one.
func (c *Client) Reserve(ctx context.Context) (context.Context, error) {
	if c.Limit == nil {
		return ctx, nil
	}
	stamp, err := c.take(ctx)
	if err != nil {
		err.Who, err.Method, err.Path = c.Who, "reserve", "a call"
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
//
// Each request that is written is granted, guarded and recorded by itself. A GET that met a kept connection which the far
// side had given up is sent once more, as a call of its own; nothing else is ever sent again.
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, in, out any) error {
	err, stale := c.once(ctx, method, path, query, in, out)
	if stale && method == http.MethodGet {
		err, _ = c.once(ctx, method, path, query, in, out)
	}
	if err == nil {
		return nil
	}
	return err
}

// once makes one call that is written once at most. stale says that it met a kept connection that had gone bad.
func (c *Client) once(ctx context.Context, method, path string, query url.Values, in, out any) (err *Error, stale bool) {
	path = "/" + strings.TrimPrefix(path, "/")
	x := Exchange{Method: method, Path: path, Query: query.Encode(), At: time.Now()}
	hide := c.hide
	if more := secretsOf(ctx); len(more) > 0 {
		if c.hidden != nil {
			more = slices.Concat(*c.hidden, more)
		}
		hide = newRedactor(leastSecret, more...)
	}
	err, stale = c.do(ctx, &x, query, in, out)
	if err != nil {
		for i, m := range err.Messages {
			err.Messages[i] = hide.text(m)
		}
		err.Who, err.Method, err.Path = c.Who, method, path
		err.Messages, err.Err = trim(err.Messages), hide.err(err.Err)
		x.Err, x.Outcome = err, err.Outcome
	}
	x.Took = time.Since(x.At)
	if record, ok := ctx.Value(recorderKey{}).(func(Exchange)); ok {
		x.Query, x.Request, x.Answer = hide.text(x.Query), hide.redact(x.Request), hide.redact(x.Answer)
		record(x)
	}
	if a, ok := c.Limit.(interface{ Answered(context.Context) }); ok && x.Status != 0 && x.Status != http.StatusServiceUnavailable && (err == nil || err.Kind != Throttled) {
		a.Answered(ctx) // the vendor took it, whatever it said
	}
	if err == nil {
		return nil, false
	}
	// Any 503 is a throttle to the limiter, even where it leaves the call itself unknown.
	if c.Limit != nil && (err.Kind == Throttled || err.Status == http.StatusServiceUnavailable) {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		c.Limit.Throttled(late, err.RetryAfter)
	}
	return err, stale
}

// Nonsense is the error of a call whose answer, of status 200, is not what the vendor's documentation says.
func (c *Client) Nonsense(method, path, why string) *Error {
	e := unknown(http.StatusOK, errors.New(why))
	e.Who, e.Method, e.Path = c.Who, method, path
	return e
}

func notSent(err error) *Error { return &Error{Outcome: Refused, Kind: NotSent, Err: err} }

func unknown(status int, err error) *Error {
	return &Error{Outcome: Unknown, Kind: Unavailable, Status: status, Err: err}
}

func (c *Client) do(ctx context.Context, x *Exchange, query url.Values, in, out any) (failed *Error, stale bool) {
	if err := c.Routes.check(x.Method, x.Path, query); err != nil {
		return notSent(err), false
	}
	req, err := c.request(x, in)
	if err != nil {
		return notSent(err), false
	}
	if err := ctx.Err(); err != nil {
		return notSent(err), false
	}
	if reserved, _ := ctx.Value(grantKey{}).(*reservation); c.Limit != nil && !reserved.take(c) {
		if _, err := c.take(ctx); err != nil {
			return err, false
		}
	}
	if err := guardOf(ctx); err != nil {
		return notSent(err), false
	}
	if err := ctx.Err(); err != nil {
		return notSent(err), false
	}

	timeout := c.Timeout
	if timeout == 0 {
		timeout = 20 * time.Second
	}
	traced, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	w := &writing{}
	req = w.once(req.WithContext(traced))
	transport := c.HTTP
	if transport == nil {
		transport = http.DefaultTransport
	}
	// RoundTrip itself rather than an http.Client: no redirect is followed (it would take the key elsewhere), no cookie kept.
	x.At = time.Now()
	answer, err := transport.RoundTrip(req)
	if err != nil {
		if w.unsent(err) {
			return notSent(err), false
		}
		return unknown(0, err), w.stale() && traced.Err() == nil
	}
	defer answer.Body.Close()
	x.Status = answer.StatusCode
	x.Date, _ = http.ParseTime(answer.Header.Get("Date"))
	most := c.MaxAnswer
	if most == 0 {
		most = 32 << 20
	}
	x.Answer, err = io.ReadAll(io.LimitReader(answer.Body, most+1))
	x.Answer = WithoutMark(x.Answer)
	if err != nil {
		return unknown(x.Status, fmt.Errorf("read answer: %w", err)), false
	}
	if int64(len(x.Answer)) > most {
		x.Answer = x.Answer[:most]
		return unknown(x.Status, fmt.Errorf("answer exceeds %d bytes", most)), false
	}
	return c.read(x, answer.Header, out), false
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
	said := c.hide.redact(x.Answer)
	if c.Read != nil {
		if e := c.Read(x.Status, c.hide.header(header), said); e != nil {
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
	if c.unread != c.hide {
		said = c.unread.redact(x.Answer)
	}
	if err := Unmarshal(said, out); err != nil {
		return unknown(x.Status, fmt.Errorf("read answer: %w", err))
	}
	return nil
}
