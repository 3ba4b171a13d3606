package rest

import (
	"bytes"
	"cmp"
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
	// Take grants one call, which costs so much of the budget, and returns the grant's stamp; the grant is good for a
	// second. A refusal is a *Wait.
	Take(ctx context.Context, cost int) (time.Time, error)
	// Throttled is called when the vendor refused a call as one too many, and for any 503, which may be that;
	// retryAfter is 0 if it did not say for how long. If a Limiter also has Answered(ctx), that is called for every
	// other answer.
	Throttled(ctx context.Context, retryAfter time.Duration)
}

// Client holds one conversation with one account of a vendor. It is safe for concurrent use once set up.
type Client struct {
	Who       string // the vendor's system, as errors name it: see Error.Who
	Base      *url.URL
	HTTP      http.RoundTripper       // nil: http.DefaultTransport
	Sign      func(*http.Request)     // adds the credential
	Limit     Limiter                 // nil: no limit
	Timeout   time.Duration           // from writing to the last byte of the answer; 0: 20 s
	MaxAnswer int64                   // bytes; 0: 32 MiB
	GrantLife time.Duration           // how long a reserved grant may wait for its call; 0: 1 s
	Routes    Routes                  // the documented calls; nil: any
	Cost      func(method string) int // what a call costs of the budget; nil: 1
	// Read finds a vendor's error in an answer of any status. If it is nil or returns nil, FromStatus decides.
	Read func(status int, header http.Header, body []byte) *Error

	secrets    *[]string // see Hide; a pointer, so that printing a Client does not print them
	redactAll  *redactor // of all secrets
	redactRead *redactor // of those that are replaced before an answer is read
}

// Hide names values that must not come back: wherever an answer repeats one, however it is written, [Redacted] stands
// in its place in errors, recorded exchanges and what is read. Values below 6 characters cannot be told from other
// text; those below 16 are left in what is read, where they could stand in a number.
func (c *Client) Hide(values ...string) {
	if c.secrets != nil {
		values = slices.Concat(*c.secrets, values)
	}
	c.secrets, c.redactAll = &values, newRedactor(minSecret, values...)
	c.redactRead = c.redactAll
	if slices.ContainsFunc(values, func(v string) bool { return len(strings.TrimSpace(v)) < minSecretRead }) {
		c.redactRead = newRedactor(minSecretRead, values...)
	}
}

// Reserve takes one grant now, for the next call made with the context that it returns. If that call comes more than a
// second later, or costs more than 1, it takes a new grant.
func (c *Client) Reserve(ctx context.Context) (context.Context, error) {
	if c.Limit == nil {
		return ctx, nil
	}
	stamp, err := c.take(ctx, 1)
	if err != nil {
		err.Who, err.Method, err.Path = c.Who, "reserve", "a call"
		return ctx, err
	}
	return context.WithValue(ctx, grantKey{}, &reservation{of: c, stamp: stamp}), nil
}

func (c *Client) take(ctx context.Context, cost int) (time.Time, *Error) {
	stamp, err := c.Limit.Take(ctx, cost)
	if err == nil {
		return stamp, nil
	}
	e := &Error{Outcome: Refused, Kind: NotSent, Err: err}
	if w, ok := errors.AsType[*Wait](err); ok {
		e.Kind, e.RetryAfter = Waiting, max(0, time.Until(w.Until))
	}
	return stamp, e
}

// Do makes one call. path is below Base and already escaped; in is sent as JSON unless nil, url.Values as a form; the
// answer is read into out by Unmarshal unless nil. Every error is an *Error.
//
// Each request that is written has its own grant, guard and record. A GET on a reused connection that the far side had
// closed is sent once more, as another call; nothing else is ever sent again.
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, in, out any) error {
	err, stale := c.attempt(ctx, method, path, query, in, out)
	if stale && method == http.MethodGet {
		err, _ = c.attempt(ctx, method, path, query, in, out)
	}
	if err == nil {
		return nil
	}
	return err
}

// attempt makes one call that is written once at most. stale reports whether its reused connection had gone bad.
func (c *Client) attempt(
	ctx context.Context, method, path string, query url.Values, in, out any,
) (err *Error, stale bool) {
	path = "/" + strings.TrimPrefix(path, "/")
	x := Exchange{Method: method, Path: path, Query: query.Encode(), At: time.Now()}
	hide := c.redactAll
	if more := secretsOf(ctx); len(more) > 0 {
		if c.secrets != nil {
			more = slices.Concat(*c.secrets, more)
		}
		hide = newRedactor(minSecret, more...)
	}
	err, stale = c.send(ctx, &x, query, in, out)
	if err != nil {
		for i, m := range err.Messages {
			err.Messages[i] = hide.text(m)
		}
		err.Who, err.Method, err.Path = c.Who, method, path
		err.Messages, err.Err = trimMessages(err.Messages), hide.err(err.Err)
		x.Err, x.Outcome = err, err.Outcome
	}
	x.Took = time.Since(x.At)
	if record, ok := ctx.Value(recorderKey{}).(func(Exchange)); ok {
		if hide != c.redactAll || x.clean == nil {
			x.clean = hide.redact(x.Answer)
		}
		x.Query, x.Request, x.Answer = hide.text(x.Query), hide.redact(x.Request), x.clean
		record(x)
	}
	if a, ok := c.Limit.(interface{ Answered(context.Context) }); ok && x.Status != 0 &&
		x.Status != http.StatusServiceUnavailable && (err == nil || err.Kind != Throttled) {
		a.Answered(ctx) // the vendor took the call, whatever it answered
	}
	if err == nil {
		return nil, false
	}
	// To the limiter any 503 is a throttle answer, even if the outcome of the call is unknown.
	if c.Limit != nil && (err.Kind == Throttled || err.Status == http.StatusServiceUnavailable) {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		c.Limit.Throttled(late, err.RetryAfter)
	}
	return err, stale
}

// MalformedAnswer is the error of a call whose answer, of status 200, is not as the vendor documents it.
func (c *Client) MalformedAnswer(method, path, why string) *Error {
	e := unknown(http.StatusOK, errors.New(why))
	e.Who, e.Method, e.Path = c.Who, method, path
	return e
}

func notSent(err error) *Error { return &Error{Outcome: Refused, Kind: NotSent, Err: err} }

func unknown(status int, err error) *Error {
	return &Error{Outcome: Unknown, Kind: Unavailable, Status: status, Err: err}
}

// send makes the request if all let it pass, and reads the answer.
func (c *Client) send(ctx context.Context, x *Exchange, query url.Values, in, out any) (failed *Error, stale bool) {
	if err := c.Routes.check(x.Method, x.Path, query); err != nil {
		return notSent(err), false
	}
	req, err := c.request(x, in)
	if err != nil {
		return notSent(err), false
	}
	if err := c.admit(ctx, x.Method); err != nil {
		return err, false
	}
	traced, cancel := context.WithTimeout(ctx, cmp.Or(c.Timeout, 20*time.Second))
	defer cancel()
	w := &singleWrite{}
	req = w.prepare(req.WithContext(traced))
	transport := c.HTTP
	if transport == nil {
		transport = http.DefaultTransport
	}
	// RoundTrip, not an http.Client, which would follow redirects (and send the key elsewhere) and keep cookies.
	x.At = time.Now()
	answer, err := transport.RoundTrip(req)
	if err != nil {
		if w.unsent(err) {
			return notSent(err), false
		}
		return unknown(0, err), w.stale() && traced.Err() == nil
	}
	defer answer.Body.Close()
	if err := x.receive(answer, cmp.Or(c.MaxAnswer, 32<<20)); err != nil {
		return unknown(x.Status, err), false
	}
	return c.outcome(x, answer.Header, out), false
}

// admit takes a grant, and asks the guards whether a call may be made now.
func (c *Client) admit(ctx context.Context, method string) *Error {
	if err := ctx.Err(); err != nil {
		return notSent(err)
	}
	cost := 1
	if c.Cost != nil {
		cost = c.Cost(method)
	}
	reserved, _ := ctx.Value(grantKey{}).(*reservation)
	if c.Limit != nil && (cost > 1 || !reserved.take(c)) {
		if _, err := c.take(ctx, cost); err != nil {
			return err
		}
	}
	if err := checkGuard(ctx); err != nil {
		return notSent(err)
	}
	if err := ctx.Err(); err != nil {
		return notSent(err)
	}
	return nil
}

// ErrLarge is the error of a call whose answer has more than MaxAnswer bytes.
var ErrLarge = errors.New("the answer is too large")

// receive reads an answer. It fails if that has more than most bytes.
func (x *Exchange) receive(answer *http.Response, most int64) (err error) {
	x.Status = answer.StatusCode
	x.Date, _ = http.ParseTime(answer.Header.Get("Date"))
	x.Answer, err = io.ReadAll(io.LimitReader(answer.Body, most+1))
	x.Answer = WithoutBOM(x.Answer)
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if int64(len(x.Answer)) > most {
		x.Answer = x.Answer[:most]
		return fmt.Errorf("%w: it exceeds %d bytes", ErrLarge, most)
	}
	return nil
}

func (c *Client) request(x *Exchange, in any) (*http.Request, error) {
	if c.Base == nil {
		return nil, errors.New("no base address")
	}
	form, isForm := in.(url.Values)
	switch {
	case isForm:
		x.Request = []byte(form.Encode())
	case in != nil:
		var err error
		if x.Request, err = json.Marshal(in); err != nil {
			return nil, fmt.Errorf("write request: %w", err)
		}
	}
	to := c.Base.JoinPath(x.Path)
	to.RawQuery = x.Query
	req, err := http.NewRequest(x.Method, to.String(), bytes.NewReader(x.Request))
	if err != nil {
		return nil, errors.New("no such address") // err would quote it
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json") // with GET too: a vendor's documentation does
	if isForm {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("User-Agent", "stockbridge")
	if c.Sign != nil {
		c.Sign(req)
	}
	return req, nil
}

// outcome returns the error that an answer stands for, or reads the answer into out.
func (c *Client) outcome(x *Exchange, header http.Header, out any) *Error {
	clean := c.redactAll.redact(x.Answer)
	x.clean = clean
	if c.Read != nil {
		if e := c.Read(x.Status, c.redactAll.header(header), clean); e != nil {
			if e.Outcome == Done { // an error without an outcome
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
	if c.redactRead != c.redactAll {
		clean = c.redactRead.redact(x.Answer)
	}
	if err := Unmarshal(clean, out); err != nil {
		return unknown(x.Status, fmt.Errorf("read answer: %w", err))
	}
	return nil
}
