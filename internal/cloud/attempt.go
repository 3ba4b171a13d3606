package cloud

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// attempt is how long AWS may be silent: an answer begins within it, and goes on within it after each part. Most of
// AWS's answers take milliseconds, and a call that is made again soon meets another machine.
const attempt = 1500 * time.Millisecond

// impatient makes requests that end when nothing is heard for a while. An endpoint that accepts and never answers would
// otherwise take the whole invocation.
//
// It reads an answer to its end before anybody sees it. The SDK closes the request's body as soon as Do returns. On
// loopback that may cut short an answer above some 4 KB, which the SDK then asks for again.
type impatient struct {
	to      http.RoundTripper
	silence time.Duration // after which a request ends
}

// impatiently is the way to an AWS endpoint.
func impatiently(to http.RoundTripper) impatient { return impatient{to, attempt} }

func (i impatient) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	defer cancel(nil)
	silent := time.AfterFunc(i.silence, func() { cancel(errSilent) })
	defer silent.Stop()
	resp, err := i.to.RoundTrip(req.WithContext(ctx))
	if err == nil {
		silent.Reset(i.silence)
		var body []byte
		body, err = io.ReadAll(heard{resp.Body, silent, i.silence})
		resp.Body.Close()
		resp.Body = io.NopCloser(bytes.NewReader(body))
	}
	if err != nil && context.Cause(ctx) == errSilent {
		err = errSilent
	}
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// heard is a body that puts the end off with each part of it that comes.
type heard struct {
	io.Reader
	silent  *time.Timer
	silence time.Duration
}

func (h heard) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	if n > 0 {
		h.silent.Reset(h.silence)
	}
	return n, err
}

// errSilent is the error of a request that ended since nothing was heard. The SDK makes it again, as it does whatever
// says that it is a timeout.
var errSilent error = silence{errors.New("no answer in time")}

type silence struct{ error }

func (silence) Timeout() bool { return true }
