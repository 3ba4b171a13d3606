package sim

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"time"
)

// Transport answers any request in process, by its path; the host is ignored.
// Bodies are buffered, and nothing runs on after RoundTrip. If a request arrived,
// a ClientTrace's WroteRequest is called, as over a connection.
func (s *Sim) Transport() http.RoundTripper { return transport{s} }

type transport struct{ s *Sim }

func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	var body []byte
	if req.Body != nil {
		var err error
		body, err = io.ReadAll(req.Body)
		req.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	r, ok := t.s.vendorRequest(req, body)
	if !ok {
		in := req.Clone(req.Context())
		in.Body = io.NopCloser(bytes.NewReader(body))
		in.RequestURI = req.URL.RequestURI()
		rec := &recorder{header: http.Header{}}
		t.s.Handler().ServeHTTP(rec, in)
		return rec.response(req), nil
	}
	resp, err := t.s.answer(req.Context(), r)
	var broken *lostAnswerError
	lost := errors.As(err, &broken)
	if tr := httptrace.ContextClientTrace(req.Context()); tr != nil && tr.WroteRequest != nil &&
		(!lost || broken.sent) {
		tr.WroteRequest(httptrace.WroteRequestInfo{})
	}
	if lost {
		return nil, &broken.OpError
	}
	if err != nil {
		return nil, err
	}
	rec := &recorder{header: resp.Header, status: resp.Status}
	rec.body.Write(resp.Body)
	return rec.response(req), nil
}

// recorder is a ResponseWriter that collects the answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}

func (r *recorder) response(req *http.Request) *http.Response {
	r.WriteHeader(http.StatusOK)
	return &http.Response{
		Status: strconv.Itoa(r.status) + " " + http.StatusText(r.status), StatusCode: r.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: r.header, ContentLength: int64(r.body.Len()), Request: req,
		Body: io.NopCloser(bytes.NewReader(r.body.Bytes())),
	}
}

// vendorRequest returns a request as a call of a vendor, if its path is below one,
// with the account by its credentials.
func (s *Sim) vendorRequest(req *http.Request, body []byte) (*Request, bool) {
	for i := range knownVendors {
		path, ok := knownVendors[i].below(req.URL.Path)
		if !ok {
			continue
		}
		r := &Request{Vendor: knownVendors[i].name, Method: req.Method, Path: path, Query: req.URL.Query(),
			Header: req.Header,
			Body:   body}
		if v := s.vendor(r.Vendor); v != nil {
			if p, ok := v.Vendor.(Pather); ok {
				r.Path = p.Path(r.Path)
			}
			s.mu.Lock()
			r.Account = v.Caller(req)
			s.mu.Unlock()
		}
		return r, true
	}
	return nil, false
}

// Handler serves the vendors, and the pages and the control API below /sim.
func (s *Sim) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, 16<<20))
		if err != nil {
			http.Error(w, "request body", http.StatusBadRequest)
			return
		}
		r, ok := s.vendorRequest(req, body)
		if !ok {
			req.Body = io.NopCloser(bytes.NewReader(body))
			s.site().ServeHTTP(w, req)
			return
		}
		resp, err := s.answer(req.Context(), r)
		if err != nil {
			hangUp(w, err)
			return
		}
		for k, v := range resp.Header {
			w.Header()[k] = v
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(resp.Body)))
		w.WriteHeader(resp.Status)
		w.Write(resp.Body)
	})
}

// hangUp breaks the connection instead of answering.
func hangUp(w http.ResponseWriter, err error) {
	if h, ok := w.(http.Hijacker); ok && !errors.Is(err, context.Canceled) {
		if conn, _, err := h.Hijack(); err == nil {
			if tcp, ok := conn.(*net.TCPConn); ok {
				tcp.SetLinger(0) // a reset, not an orderly end
			}
			conn.SetDeadline(time.Now())
			conn.Close()
			return
		}
	}
	panic(http.ErrAbortHandler)
}
