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

// Outcome is what became of a call over there.
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
	NotSent                  // never written: no connection, a guard's no, a context at its end
	Waiting                  // never written: the limiter says not before; the error wraps a *Wait
	Throttled                // the vendor says too many calls
	Unauthorized             // the credential is refused
	NotFound                 // no such thing
	Invalid                  // the vendor's validation; Messages hold its sentences
	Conflict                 // 409
	Unavailable              // 5xx, timeouts, resets, redirects, answers that make no sense
)

func (k Kind) String() string {
	return [...]string{"other", "not sent", "waiting", "throttled", "unauthorized", "not found", "invalid", "conflict", "unavailable"}[k]
}

// Error is a call that was not done. Its text names the call and the kind, never a body or a secret; Messages are the
// vendor's own sentences, for the people who must act on them.
type Error struct {
	Who          string // whose answer it is, or whose it would have been: Client.Who
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

// OutcomeOf reads the outcome of a call from its error; an error that is no *Error counts as Unknown.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return Done
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Outcome
	}
	return Unknown
}

// KindOf reads the kind of a call's error; Other where there is none.
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

// Reason is why a call was not done, in a few words for people.
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
	return "the connection failed"
}

// Wait is a limiter's answer that a call may not be made before Until.
type Wait struct{ Until time.Time }

func (w *Wait) Error() string { return "not before " + w.Until.UTC().Format(time.RFC3339Nano) }

// FromStatus is what an answer's status alone says of its call; nil for 2xx. A vendor's Client.Read starts from it.
// A status of 4xx says that nothing happened; 408 is a proxy's timeout.
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

// RetryAfter reads a Retry-After header: seconds, seconds with a unit behind ("60 Seconds", which Cin7 Core has sent), or a
// date. 0 where it says nothing or a time that is over, at most an hour: a vendor may say absurd things.
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

// trim holds the vendor's sentences to what fits on a page.
func trim(messages []string) []string {
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
