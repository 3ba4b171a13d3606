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

// Fault makes calls of a vendor go wrong. It is used up by Times calls that
// match; of several that match, the oldest acts.
//
//	before    no effect; How: reset (default) | refused (never sent) | 500 | 502 | 503
//	after     takes effect, the answer is lost; How: reset (default) | timeout | 502 | html | 500
//	late      the answer is lost at once, the effect comes Seconds later;
//	          How "list": effect at once, but in saleList only Seconds later
//	slow      effect at once, the answer Seconds later; How "arrive": the effect too
//	throttle  no effect; How: 503 (default) | 429 | 400 | 200; RetryAfter as given
//	html      no effect, an HTML page with status 200
//	stale     saleList answers as of Seconds ago
//	ignoreFilter  saleList ignores ExternalID, as Cin7 Core does with a filter that it does not know
//	drift     saleList's rows moved since the page before; How: gone (a row is missed, Total is one
//	          less) | come (a row is repeated, Total is one more) | any of these or neither (default)
//
// Webhooks match as "WEBHOOK order.approved" or "WEBHOOK Sale/ShipmentAuthorised": before (not delivered, retried),
// after (delivered, retried all the same), late (Seconds later), dup (twice),
// drop (never delivered).
type Fault struct {
	Match      string  `json:"match"` // "POST /sale": method and path below the vendor's base; * = any
	Kind       string  `json:"kind"`
	How        string  `json:"how,omitempty"`
	Seconds    float64 `json:"seconds,omitempty"`
	RetryAfter string  `json:"retryAfter,omitempty"`
	Times      int     `json:"times"`          // 0 = 1, negative = until cleared
	Skip       int     `json:"skip,omitempty"` // matching calls to let pass first
	Account    string  `json:"account"`        // "" = all; Upstock: the supplier
}

// Call is one call as the vendor saw it. Status 0 = the answer was lost.
type Call struct {
	Method string    `json:"method"`
	Path   string    `json:"path"`
	Query  string    `json:"query"`
	Status int       `json:"status"`
	At     time.Time `json:"at"`
	Fault  string    `json:"fault,omitempty"`
}

const maxCalls = 2000 // kept per vendor and account

// meter is what one account called at one vendor.
type meter struct {
	calls  []*Call
	over   int
	grants []time.Time // calls within the limit's window
}

// Fault injects f at a vendor.
func (s *Sim) Fault(vendor string, f Fault) error {
	kinds := []string{"before", "after", "late", "slow", "throttle", "html", "stale", "ignoreFilter", "drift"}
	if strings.HasPrefix(f.Match, "WEBHOOK ") {
		kinds = []string{"before", "after", "late", "dup", "drop"}
	}
	if !slices.Contains(kinds, f.Kind) {
		return fmt.Errorf("fault %q: unknown kind %q", f.Match, f.Kind)
	}
	if !slices.Contains([]string{Upstock, Cin7Core, Cin7Omni, JOOR}, vendor) {
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

// ClearFaults removes what is left of a vendor's faults.
func (s *Sim) ClearFaults(vendor string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.faults, vendor)
}

// Faults lists what is left of a vendor's faults.
func (s *Sim) Faults(vendor string) []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Fault
	for _, f := range s.faults[vendor] {
		out = append(out, *f)
	}
	return out
}

// Calls lists the latest calls of an account at a vendor, oldest first.
// account "" = all accounts, one after another.
func (s *Sim) Calls(vendor, account string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Call{}
	s.eachMeter(vendor, account, func(m *meter) {
		for _, c := range m.calls {
			out = append(out, *c)
		}
	})
	return out
}

// OverLimit counts the calls of an account that were refused, or would have
// been, because its limit was spent. Injected throttles do not count.
func (s *Sim) OverLimit(vendor, account string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	s.eachMeter(vendor, account, func(m *meter) { n += m.over })
	return n
}

func (s *Sim) eachMeter(vendor, account string, f func(*meter)) {
	if account != "" {
		f(s.meter(vendor, account))
		return
	}
	for _, a := range s.state.Accounts {
		f(s.meter(vendor, a.name(vendor)))
	}
}

// name is what an account is called in calls and faults of a vendor.
func (a *account) name(vendor string) string {
	switch vendor {
	case Upstock:
		return fmt.Sprint(a.Upstock.Supplier)
	case Cin7Core:
		return a.Cin7Core.AccountID
	case Cin7Omni:
		return a.Cin7Omni.Username
	}
	return a.JOOR.Account
}

func (s *Sim) meter(vendor, account string) *meter {
	key := vendor + " " + strings.ToLower(account)
	m := s.meters[key]
	if m == nil {
		m = &meter{}
		s.meters[key] = m
	}
	return m
}

// record logs a call; the caller fills in the status. s.mu is held.
func (m *meter) record(r *request) *Call {
	c := &Call{Method: r.method, Path: r.path, Query: r.query.Encode(), At: r.now.UTC()}
	if len(m.calls) >= maxCalls {
		m.calls = append(m.calls[:0], m.calls[maxCalls/2:]...)
	}
	m.calls = append(m.calls, c)
	return c
}

// grant takes one call of n per window, sliding; a refusal says how long until
// the next is free. s.mu is held.
func (m *meter) grant(now time.Time, n int, window time.Duration, lenient bool) (wait time.Duration) {
	keep := 0
	for keep < len(m.grants) && !m.grants[keep].After(now.Add(-window)) {
		keep++
	}
	m.grants = append(m.grants[:0], m.grants[keep:]...)
	if len(m.grants) >= n {
		m.over++
		if !lenient {
			return m.grants[0].Add(window).Sub(now)
		}
		return 0
	}
	m.grants = append(m.grants, now)
	return 0
}

// take uses up one call of the first fault that matches. s.mu is held.
func (s *Sim) take(vendor, account, call string) *Fault {
	for i, f := range s.faults[vendor] {
		if f.Account != "" && !strings.EqualFold(f.Account, account) {
			continue
		}
		if f.Match != "" && f.Match != "*" && !strings.EqualFold(f.Match, call) {
			if ok, _ := path.Match(strings.ToLower(f.Match), strings.ToLower(call)); !ok {
				continue
			}
		} else if strings.HasPrefix(call, "WEBHOOK ") && !strings.EqualFold(f.Match, call) {
			continue // "any" means any call
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

// brokenError is an answer that never came; a transport returns it, a server
// breaks the connection. sent tells whether the request got through.
type brokenError struct {
	net.OpError
	sent bool
}

func reset() error {
	return &brokenError{net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, true}
}

func refused() error {
	return &brokenError{net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, false}
}

// sleep waits, or for the caller to give up.
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

const patience = 5 * time.Minute // how long a lost answer keeps a caller without a deadline

const htmlPage = "<!DOCTYPE html>\n<html><head><title>Inventory</title></head><body><h1>Please wait</h1></body></html>\n"

// answer takes a call through its fault to the vendor and back. An error is an
// answer that never came.
func (s *Sim) answer(ctx context.Context, r *request) (*response, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r.now = time.Now()
	s.mu.Lock()
	call := s.meter(r.vendor, r.account).record(r)
	f := s.take(r.vendor, r.account, r.method+" "+r.path)
	var resp *response
	var err error
	if f == nil {
		resp = s.serve(r)
		call.Status = resp.status
		s.mu.Unlock()
		return resp, nil
	}
	call.Fault = f.Kind
	s.mu.Unlock()

	resp, err = s.faulty(ctx, r, f)
	if resp != nil {
		s.mu.Lock()
		call.Status = resp.status
		s.mu.Unlock()
	}
	return resp, err
}

func (s *Sim) serveLocked(r *request) *response {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.serve(r)
}

// serve lets the vendor do its work. s.mu is held.
func (s *Sim) serve(r *request) *response {
	switch r.vendor {
	case Upstock:
		return s.serveUpstock(r)
	case Cin7Core:
		return s.serveCore(r)
	}
	return jsonResponse(http.StatusNotImplemented, map[string]string{"error": "not simulated yet"})
}

func (s *Sim) faulty(ctx context.Context, r *request, f *Fault) (*response, error) {
	delay := s.seconds(f.Seconds)
	switch f.Kind {
	case "before":
		if f.How == "refused" {
			return nil, refused()
		}
		return s.lose(ctx, f)
	case "after":
		s.serveLocked(r)
		return s.lose(ctx, f)
	case "late":
		if f.How == "list" {
			r.hide = delay
			s.serveLocked(r)
		} else {
			s.later(delay, r)
		}
		return s.lose(ctx, &Fault{})
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
		resp := throttled(r.vendor, f.How)
		if f.RetryAfter != "" {
			resp.header.Set("Retry-After", f.RetryAfter)
		}
		return resp, nil
	case "html":
		return textResponse(http.StatusOK, "text/html; charset=utf-8", htmlPage), nil
	case "stale":
		r.stale = delay
	case "drift":
		if r.drift = f.How; r.drift == "" {
			r.drift = "any"
		}
	case "ignoreFilter":
		r.query.Del("ExternalID")
	}
	return s.serveLocked(r), nil
}

// later serves r after a delay, whether or not the caller still waits.
func (s *Sim) later(d time.Duration, r *request) <-chan *response {
	s.mu.Lock()
	s.pending++
	s.mu.Unlock()
	done := make(chan *response, 1)
	s.after(d, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		r.now = time.Now()
		done <- s.serve(r)
		s.settle()
	})
	return done
}

// lose is what the caller gets instead of the answer.
func (s *Sim) lose(ctx context.Context, f *Fault) (*response, error) {
	switch f.How {
	case "timeout":
		d := patience
		if f.Seconds > 0 {
			d = s.seconds(f.Seconds)
		}
		if err := sleep(ctx, d); err != nil {
			return nil, err
		}
	case "500":
		return textResponse(http.StatusInternalServerError, "text/html; charset=utf-8", "<h1>Server Error</h1>"), nil
	case "502":
		return textResponse(http.StatusBadGateway, "text/html; charset=utf-8", "<h1>502 Bad Gateway</h1>"), nil
	case "503":
		return textResponse(http.StatusServiceUnavailable, "text/html; charset=utf-8", "<h1>Service Unavailable</h1>"), nil
	case "html":
		return textResponse(http.StatusOK, "text/html; charset=utf-8", htmlPage), nil
	}
	return nil, reset()
}

// throttled is a vendor's refusal for the calls' sake. Cin7 Core has been seen
// with all of these forms.
func throttled(vendor, how string) *response {
	if vendor == Upstock {
		return upstockError(http.StatusTooManyRequests, "rate_limited", "300 calls a minute are allowed")
	}
	const limitText = "You have reached 60 calls per 60 seconds API limit."
	switch how {
	case "400":
		return jsonResponse(http.StatusBadRequest, []coreError{{400, limitText}})
	case "200":
		return jsonResponse(http.StatusOK, []coreError{{400, limitText}})
	case "429":
		return textResponse(http.StatusTooManyRequests, "text/plain; charset=utf-8", "You reached 60 calls per minute API limit")
	}
	return textResponse(http.StatusServiceUnavailable, "text/plain; charset=utf-8", "You reached 60 calls per minute API limit")
}
