package main

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
)

// uploads bounds the time and memory of requests' bodies: a body that is slow to
// come is given up, and only a few large ones are read at once. The others wait
// for their turn before they are read.
type uploads struct {
	large  chan struct{}
	within time.Duration // for a body to come, and for its turn before that
	forms  chan struct{}
}

const (
	uploadTime  = 30 * time.Second
	smallUpload = 64 << 10 // a body that is not larger needs no turn
	largeAtOnce = 2
	// A form of somebody whose session is over is read too, so that what was typed comes back after signing in.
	mostOfForm  = 16 << 10
	formsAtOnce = 32
)

func newUploads() *uploads {
	return &uploads{make(chan struct{}, largeAtOnce), uploadTime, make(chan struct{}, formsAtOnce)}
}

// errBusy is the error of a large body whose turn did not come in time.
var errBusy = errors.New("too many large requests at once")

// turn waits until a request's body may be read. done ends its turn, when nothing
// made of the body is in use any more.
func (u *uploads) turn(w http.ResponseWriter, r *http.Request) (done func(), err error) {
	done = func() {}
	if r.ContentLength < 0 || r.ContentLength > smallUpload {
		wait := time.NewTimer(u.within)
		defer wait.Stop()
		select {
		case u.large <- struct{}{}:
			done = func() { <-u.large }
		case <-wait.C:
			return done, errBusy
		case <-r.Context().Done():
			return done, r.Context().Err()
		}
	}
	if r.ContentLength != 0 {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(u.within)) // a recorder in a test has none
	}
	return done, nil
}

// read waits for the turn of a body and reads it. A body of more than most bytes
// is an *http.MaxBytesError. done is never nil.
func (u *uploads) read(w http.ResponseWriter, r *http.Request, most int64) (body []byte, done func(), err error) {
	if r.ContentLength > most {
		return nil, func() {}, &http.MaxBytesError{Limit: most}
	}
	if done, err = u.turn(w, r); err != nil {
		return nil, done, err
	}
	var b bytes.Buffer
	if r.ContentLength > 0 {
		b.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	_, err = io.Copy(&b, http.MaxBytesReader(w, r.Body, most))
	if err == nil && r.ContentLength != 0 {
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	}
	return b.Bytes(), done, err
}

// readForm reads the body of somebody who is signed out, if it may be a form of a page. ok is false where it is not
// read: it is none, it is too large or of a size that is not said, or too many come at once.
func (u *uploads) readForm(w http.ResponseWriter, r *http.Request) (body []byte, ok bool, err error) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Method != http.MethodPost || strings.HasPrefix(r.URL.Path, "/api/") ||
		strings.HasPrefix(r.URL.Path, "/webhooks/") || kind != "application/x-www-form-urlencoded" ||
		r.ContentLength <= 0 || r.ContentLength > mostOfForm {
		return nil, false, nil
	}
	select {
	case u.forms <- struct{}{}:
		defer func() { <-u.forms }()
	default:
		return nil, false, nil
	}
	body, done, err := u.read(w, r, mostOfForm)
	done()
	return body, true, err
}

// withUploadLimits makes the requests of a handler that reads bodies itself take turns.
func withUploadLimits(h http.Handler) http.Handler {
	u := newUploads()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		done, err := u.turn(w, r)
		defer done()
		if err != nil {
			w.Header().Set("Connection", "close")
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		r.Body = &timedBody{r.Body, w}
		h.ServeHTTP(w, r)
	})
}

// timedBody is a body with a deadline that ends with the body: the answer may take longer.
type timedBody struct {
	io.ReadCloser
	w http.ResponseWriter
}

func (t *timedBody) Read(b []byte) (int, error) {
	n, err := t.ReadCloser.Read(b)
	if err == io.EOF {
		_ = http.NewResponseController(t.w).SetReadDeadline(time.Time{})
	}
	return n, err
}
