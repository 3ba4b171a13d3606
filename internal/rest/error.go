package rest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Outcome is what became of a call at the vendor.
type Outcome int

const (
	Done    Outcome = iota
	Refused         // nothing happened
	Unknown         // written, no believable answer
)

func (o Outcome) String() string { return [...]string{"done", "refused", "unknown"}[o] }

// Kind is why a call was not done.
type Kind int

const (
	Other        Kind = iota // not an error of a call
	NotSent                  // never written: no connection, refused by a guard, or the context ended
	Waiting                  // never written: the limiter says to wait; the error wraps a *Wait
	Throttled                // the vendor says too many calls
	Unauthorized             // the credential is refused
	NotFound                 // no such thing
	Invalid                  // the vendor's validation; Messages hold its sentences
	Conflict                 // 409
	Unavailable              // 5xx, timeouts, resets, redirects, malformed answers
)

func (k Kind) String() string {
	return [...]string{"other", "not sent", "waiting", "throttled", "unauthorized", "not found", "invalid", "conflict",
		"unavailable"}[k]
}

// Error is a call that was not done. Its text names the call and the kind, never a body or a secret; Messages are the
// vendor's own sentences, for the people who must act on them.
type Error struct {
	Who          string // the vendor's system: Client.Who
	Outcome      Outcome
	Kind         Kind
	Method, Path string
	Status       int           // 0: no answer
	RetryAfter   time.Duration // 0: not said
	Messages     []string      // at most 20, each cut at 500 characters
	Err          error
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %s", e.Method, e.Path, e.Kind)
	if e.Status != 0 {
		fmt.Fprintf(&b, " (%d)", e.Status)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// OutcomeOf returns the outcome of a call from its error. An error that is not an *Error is Unknown.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return Done
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Outcome
	}
	return Unknown
}

// KindOf returns the kind of a call's error, or Other.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Other
}

// MessagesOf returns the vendor's own sentences in err, if any.
func MessagesOf(err error) []string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Messages
	}
	return nil
}

// Reason says in a few words, for people, why a call was not done.
func Reason(err error) string {
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok:
		return err.Error()
	case e.Status != 0:
		return "status " + strconv.Itoa(e.Status)
	case errors.Is(e.Err, context.DeadlineExceeded):
		return "no answer in time"
	}
	return "the connection broke"
}

// Wait is the error of a limiter that allows no call before Until.
type Wait struct{ Until time.Time }

func (w *Wait) Error() string { return "not before " + w.Until.UTC().Format(time.RFC3339Nano) }

// FromStatus returns the error that an answer's status alone stands for; nil for 2xx. A vendor's Client.Read starts
// from it. A status of 4xx means that nothing happened, except 408, a proxy's timeout.
func FromStatus(status int, header http.Header) *Error {
	e := &Error{Outcome: Refused, Status: status, RetryAfter: RetryAfter(header.Get("Retry-After"))}
	switch {
	case status/100 == 2:
		return nil
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		e.Kind = Unauthorized
	case status == http.StatusNotFound:
		e.Kind = NotFound
	case status == http.StatusConflict:
		e.Kind = Conflict
	case status == http.StatusTooManyRequests:
		e.Kind = Throttled
	case status/100 == 4 && status != http.StatusRequestTimeout:
		e.Kind = Invalid
	default:
		e.Outcome, e.Kind = Unknown, Unavailable
		if status/100 == 3 {
			e.Err = errors.New("redirected: wrong path")
		}
	}
	return e
}

// RetryAfter reads a Retry-After header: seconds, seconds followed by a unit ("60 Seconds", which a vendor has sent),
// or a date. It returns 0 for anything else and for a time that is over, and an hour at most, as vendors may say absurd
// things.
func RetryAfter(value string) time.Duration {
	value = strings.TrimSpace(value)
	digits := value[:len(value)-len(strings.TrimLeft(value, "0123456789"))]
	if digits != "" {
		n, err := strconv.Atoi(digits)
		if err != nil {
			n = 3600
		}
		return time.Duration(min(n, 3600)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(0, time.Until(at)), time.Hour)
	}
	return 0
}

// trimMessages cuts the vendor's sentences to what fits on a page.
func trimMessages(messages []string) []string {
	const most, longest = 20, 500
	var out []string
	for _, m := range messages {
		m = strings.ToValidUTF8(strings.TrimSpace(m), "�")
		if m == "" {
			continue
		}
		if r := []rune(m); len(r) > longest {
			m = string(r[:longest])
		}
		if out = append(out, m); len(out) == most {
			break
		}
	}
	return out
}
