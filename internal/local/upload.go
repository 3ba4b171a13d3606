package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"time"
)

// uploads bounds what requests' bodies take of time and memory: one that is
// slow to come is given up, and of large ones only a few are here at once. The
// others wait for their turn, with their bodies still on the way.
type uploads struct {
	large  chan struct{}
	within time.Duration // for a body to come, and for its turn before that
}

const (
	uploadTime  = 30 * time.Second
	smallUpload = 64 << 10 // what needs no turn
	largeAtOnce = 2
)

func newUploads() *uploads { return &uploads{make(chan struct{}, largeAtOnce), uploadTime} }

// errBusy says that a large body's turn did not come in time.
var errBusy = errors.New("too many large requests at once")

// turn waits until a request's body may come; done ends its turn, when all
// that was made of the body is forgotten.
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

// read reads a body of at most so many bytes, when its turn has come. A larger
// one is an *http.MaxBytesError. done is never nil.
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

// bounded has a handler's requests take turns, for one that reads bodies itself.
func bounded(h http.Handler) http.Handler {
	u := newUploads()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		done, err := u.turn(w, r)
		defer done()
		if err != nil {
			w.Header().Set("Connection", "close")
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		r.Body = &timely{r.Body, w}
		h.ServeHTTP(w, r)
	})
}

// timely is a body whose deadline ends with it: the answer may take longer.
type timely struct {
	io.ReadCloser
	w http.ResponseWriter
}

func (t *timely) Read(b []byte) (int, error) {
	n, err := t.ReadCloser.Read(b)
	if err == io.EOF {
		_ = http.NewResponseController(t.w).SetReadDeadline(time.Time{})
	}
	return n, err
}
