package cin7core

import (
	"bytes"
	"errors"
	"net/http"
	"slices"
	"strings"

	"stockbridge/internal/prose"
	"stockbridge/internal/rest"
)

// limitText is the only sign of a throttle answer from some endpoints, with 400 or 200: "You have reached 60 calls per
// 60 seconds API limit." (samples/cin7core/error.throttle-400.json; 429 and 503 say "You reached 60 calls per minute
// API limit").
var limitText = prose.Pattern(`(?i)reached 60 calls per`)

// saysLimit reports whether an answer contains the limit's text. Most contain no 60, which is found faster.
func saysLimit(b []byte) bool { return bytes.Contains(b, []byte("60 ")) && limitText().Match(b) }

// fault is an error as the vendor writes it, in an array or alone, with any status.
type fault struct {
	ErrorCode int
	Exception string
	Message   string
	ID        string // of a sale: then the answer is not simply a refusal
	SaleID    string
}

// readError finds the vendor's error in an answer. A throttle answer known only by its text is a refusal only if it
// names no sale. If a sale is named, the outcome of a failed answer is Unknown, and one of 2xx is left to the method.
func readError(status int, header http.Header, body []byte) *rest.Error {
	e := rest.FromStatus(status, header)
	fine := e == nil
	faults := faultsOf(body, fine)
	if fine && len(faults) == 0 {
		return nil
	}
	if fine {
		e = &rest.Error{Outcome: rest.Refused, Kind: rest.Invalid,
			RetryAfter: rest.RetryAfter(header.Get("Retry-After"))}
		if code := rest.FromStatus(faults[0].ErrorCode, nil); faults[0].ErrorCode/100 == 4 ||
			faults[0].ErrorCode/100 == 5 {
			e.Outcome, e.Kind = code.Outcome, code.Kind
		}
	}
	named, limited := false, false
	for _, f := range faults {
		named = named || isID(f.ID) || isID(f.SaleID)
		limited = limited || limitText().MatchString(f.Exception+f.Message)
		e.Messages = append(e.Messages, f.Exception, f.Message)
	}
	switch {
	case named && limited && fine:
		return nil
	case named:
		e.Outcome, e.Kind = rest.Unknown, rest.Unavailable
	case limited:
		e.Outcome, e.Kind = rest.Refused, rest.Throttled
	case status == http.StatusForbidden && isMarkup(body):
		e.Kind = rest.Unavailable // a proxy's: the vendor's own is plain text, "Incorrect credentials!"
	}
	return e
}

// faultsOf reads the errors in a body: an array of them, one alone, or a sentence, as JSON or plain text. In a 2xx
// answer only what is certainly an error counts.
func faultsOf(body []byte, fine bool) []fault {
	// Few answers are errors, and a page of products is long, so this looks before it reads.
	if fine && !bytes.Contains(body, []byte(`"ErrorCode"`)) && !bytes.Contains(body, []byte(`"Exception"`)) &&
		!saysLimit(head(body)) {
		return nil
	}
	body = bytes.TrimSpace(body)
	var faults []fault
	switch {
	case bytes.HasPrefix(body, []byte("[")):
		_ = rest.Unmarshal(body, &faults) // fields that cannot be read stay empty
	case bytes.HasPrefix(body, []byte("{")):
		faults = make([]fault, 1)
		_ = rest.Unmarshal(body, &faults[0])
	default:
		var text string
		if rest.Unmarshal(body, &text) != nil && (saysLimit(head(body)) || !isMarkup(body)) {
			text = string(head(body))
		}
		if !fine || limitText().MatchString(text) {
			faults = []fault{{Exception: text}}
		}
	}
	if fine && !slices.ContainsFunc(faults, func(f fault) bool {
		return f.ErrorCode != 0 || f.Exception != "" || limitText().MatchString(f.Message)
	}) {
		return nil
	}
	return faults
}

// head returns the part of a body in which an error would be.
func head(body []byte) []byte { return body[:min(len(body), 16<<10)] }

func isMarkup(body []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) }

// isID reports whether there is an id; the vendor may write zeros for none.
func isID(id string) bool { return strings.Trim(id, "0-") != "" }

// asNotFound turns a refused GET by id into NotFound: for an unknown id the vendor may answer 400.
func asNotFound(err error) error {
	if e, ok := errors.AsType[*rest.Error](err); ok && e.Kind == rest.Invalid && e.Outcome == rest.Refused {
		e.Kind = rest.NotFound
	}
	return err
}

// asInvalid turns the NotFound of a write into Invalid: a name in the body was not found (ErrorCode 404,
// samples/cin7core/error.404-in-body-category.json).
func asInvalid(err error) error {
	if e, ok := errors.AsType[*rest.Error](err); ok && e.Kind == rest.NotFound && len(e.Messages) > 0 &&
		e.Method == http.MethodPost {
		e.Kind = rest.Invalid
	}
	return err
}
