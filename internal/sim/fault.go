package sim

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Fault makes calls of a vendor go wrong. It applies to Times calls that match; if
// several faults match a call, the oldest applies.
//
//	before    no effect; How: reset (default) | refused (never sent) | 500 | 502 | 503 | code (the vendor's own
//	          refusal, where it has one that is a 200)
//	after     takes effect, the answer is lost; How: reset (default) | timeout | 502 | html | 500
//	late      the answer is lost at once, the effect comes Seconds later;
//	          How "list": effect at once, but in saleList only Seconds later
//	slow      effect at once, the answer Seconds later; How "arrive": the effect too
//	throttle  no effect; How: 503 (default) | 429 | 400 | 200; RetryAfter as given
//	html      no effect, an HTML page with status 200
//	stale     saleList answers as of Seconds ago
//	ignoreFilter  saleList ignores ExternalID, as Cin7 Core ignores a filter that it does not know
//	drift     the rows of saleList, /customer, /product or /v1/Contacts moved since the page before; How: gone (a row
//	          is missed, Total is one less) | come (a row is repeated, Total is one more) | moved (one is missed
//	          and one repeated, Total stays) | gone, come or neither (default)
//
// Webhooks match as "WEBHOOK order.approved" or "WEBHOOK Sale/ShipmentAuthorised":
//
//	before    not delivered, and retried
//	after     delivered, and retried all the same
//	late      delivered Seconds later
//	dup       delivered twice
//	drop      never delivered
type Fault struct {
	Match      string  `json:"match"` // "POST /sale": method and path below the vendor's base; * = any
	Kind       string  `json:"kind"`
	How        string  `json:"how,omitempty"`
	Seconds    float64 `json:"seconds,omitempty"`
	RetryAfter string  `json:"retryAfter,omitempty"`
	Times      int     `json:"times"`          // 0 = 1, negative = until cleared
	Skip       int     `json:"skip,omitempty"` // how many matching calls pass first
	Account    string  `json:"account"`        // "" = all; Upstock: the supplier
}

// The kinds of faults: of calls, and of webhooks.
var (
	callKinds = []string{"after", "before", "late", "slow", "throttle", "html", "stale", "drift", "ignoreFilter"}
	hookKinds = []string{"after", "before", "late", "dup", "drop"} // the last two are only of webhooks
)

// Fault injects f at a vendor.
func (s *Sim) Fault(vendor string, f Fault) error {
	kinds := callKinds
	if strings.HasPrefix(f.Match, "WEBHOOK ") {
		kinds = hookKinds
	}
	if !slices.Contains(kinds, f.Kind) {
		return fmt.Errorf("fault %q: unknown kind %q", f.Match, f.Kind)
	}
	if !slices.ContainsFunc(knownVendors[:], func(l knownVendor) bool { return l.name == vendor }) {
		return fmt.Errorf("fault %q: unknown vendor %q", f.Match, vendor)
	}
	if _, err := path.Match(f.Match, ""); err != nil {
		return fmt.Errorf("fault %q: %w", f.Match, err)
	}
	if f.Times == 0 {
		f.Times = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[vendor] = append(s.faults[vendor], &f)
	return nil
}

// ClearFaults removes a vendor's faults.
func (s *Sim) ClearFaults(vendor string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.faults, vendor)
}

// Faults lists a vendor's faults that still apply.
func (s *Sim) Faults(vendor string) []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Fault
	for _, f := range s.faults[vendor] {
		out = append(out, *f)
	}
	return out
}

// takeFault returns the first fault that matches a call, and counts the call. s.mu is held.
func (s *Sim) takeFault(vendor, account, call string) *Fault {
	for i, f := range s.faults[vendor] {
		if f.Account != "" && !strings.EqualFold(f.Account, account) {
			continue
		}
		if f.Match != "" && f.Match != "*" && !strings.EqualFold(f.Match, call) {
			if ok, _ := path.Match(strings.ToLower(f.Match), strings.ToLower(call)); !ok {
				continue
			}
		} else if strings.HasPrefix(call, "WEBHOOK ") && !strings.EqualFold(f.Match, call) {
			continue // "any" does not mean webhooks
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		got := *f
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				s.faults[vendor] = append(s.faults[vendor][:i:i], s.faults[vendor][i+1:]...)
			}
		}
		return &got
	}
	return nil
}

// lostAnswerError is the error of an answer that never came: a transport returns
// it, a server breaks the connection. sent reports whether the request arrived.
type lostAnswerError struct {
	net.OpError
	sent bool
}

func reset() error {
	return &lostAnswerError{net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)},
		true}
}

func refused() error {
	return &lostAnswerError{net.OpError{Op: "dial", Net: "tcp",
		Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)},
		false}
}

// sleep waits until d has passed or the caller gives up.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

const longestWait = 5 * time.Minute // how long a caller without a deadline waits for a lost answer

const htmlPage = "<!DOCTYPE html>\n" +
	"<html><head><title>Inventory</title></head><body><h1>Please wait</h1></body></html>\n"

// answer answers a call, with its fault if there is one. An error is an answer
// that never came.
func (s *Sim) answer(ctx context.Context, r *Request) (*Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r.Now = time.Now()
	s.mu.Lock()
	call := s.meter(r.Vendor, r.Account).record(r)
	f := s.takeFault(r.Vendor, r.Account, r.Method+" "+r.Path)
	var resp *Response
	var err error
	if f == nil {
		resp = s.serve(r)
		call.Status = resp.Status
		s.mu.Unlock()
		return resp, nil
	}
	call.Fault = f.Kind
	s.mu.Unlock()

	resp, err = s.applyFault(ctx, r, f)
	if resp != nil {
		s.mu.Lock()
		call.Status = resp.Status
		s.mu.Unlock()
	}
	return resp, err
}

func (s *Sim) serveLocked(r *Request) *Response {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.serve(r)
}

// serve answers a call as its vendor does. s.mu is held.
func (s *Sim) serve(r *Request) *Response {
	if v := s.vendor(r.Vendor); v != nil {
		return v.Serve(r)
	}
	return notSimulated()
}

// applyFault answers a call with a fault.
func (s *Sim) applyFault(ctx context.Context, r *Request, f *Fault) (*Response, error) {
	delay := s.seconds(f.Seconds)
	switch f.Kind {
	case "before":
		if f.How == "refused" {
			return nil, refused()
		}
		if v := s.vendor(r.Vendor); f.How == "code" && v != nil {
			if own, ok := v.Vendor.(Refuser); ok {
				return own.Refused(r), nil
			}
		}
		return s.loseAnswer(ctx, f)
	case "after":
		s.serveLocked(r)
		return s.loseAnswer(ctx, f)
	case "late":
		if f.How == "list" {
			r.Hide = delay
			s.serveLocked(r)
		} else {
			s.later(delay, r)
		}
		return s.loseAnswer(ctx, &Fault{})
	case "slow":
		if f.How == "arrive" {
			select {
			case resp := <-s.later(delay, r):
				return resp, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-s.ctx.Done():
				return nil, reset()
			}
		}
		resp := s.serveLocked(r)
		if err := sleep(ctx, delay); err != nil {
			return nil, err
		}
		return resp, nil
	case "throttle":
		return s.throttled(r.Vendor, f), nil
	case "html":
		return Text(http.StatusOK, "text/html; charset=utf-8", htmlPage), nil
	case "stale":
		r.Stale = delay
	case "drift":
		if r.Drift = f.How; r.Drift == "" {
			r.Drift = "any"
		}
	case "ignoreFilter":
		r.IgnoreFilter = true
	}
	return s.serveLocked(r), nil
}

// later serves r after a delay, even if the caller does not wait any more.
func (s *Sim) later(d time.Duration, r *Request) <-chan *Response {
	s.mu.Lock()
	s.pending++
	s.mu.Unlock()
	done := make(chan *Response, 1)
	s.after(d, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		r.Now = time.Now()
		done <- s.serve(r)
		s.endPending()
	})
	return done
}

// loseAnswer returns what the caller gets instead of the answer.
func (s *Sim) loseAnswer(ctx context.Context, f *Fault) (*Response, error) {
	switch f.How {
	case "timeout":
		d := longestWait
		if f.Seconds > 0 {
			d = s.seconds(f.Seconds)
		}
		if err := sleep(ctx, d); err != nil {
			return nil, err
		}
	case "500":
		return Text(http.StatusInternalServerError, "text/html; charset=utf-8", "<h1>Server Error</h1>"), nil
	case "502":
		return Text(http.StatusBadGateway, "text/html; charset=utf-8", "<h1>502 Bad Gateway</h1>"), nil
	case "503":
		return Text(http.StatusServiceUnavailable, "text/html; charset=utf-8", "<h1>Service Unavailable</h1>"), nil
	case "html":
		return Text(http.StatusOK, "text/html; charset=utf-8", htmlPage), nil
	}
	return nil, reset()
}

func notSimulated() *Response {
	return JSON(http.StatusNotImplemented, map[string]string{"error": "not simulated yet"})
}

// throttled is a vendor's answer to a call over the limit.
func (s *Sim) throttled(vendor string, f *Fault) *Response {
	v := s.vendor(vendor)
	if v == nil {
		return notSimulated()
	}
	resp := v.Throttled(f.How)
	if f.RetryAfter != "" {
		resp.Header.Set("Retry-After", f.RetryAfter)
	}
	return resp
}
