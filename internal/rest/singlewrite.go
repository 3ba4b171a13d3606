package rest

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// singleWrite lets one request be written once at most, and tells whether it was written.
//
// The transport asks for a connection (GetConn) and gets one (GotConn). In between, nothing was written.
type singleWrite struct {
	asked, got, reused, answered, multiplexed atomic.Bool
}

// errNotResent keeps a transport from repeating a request that may have been written.
var errNotResent = errors.New("the connection was given up, and the request is not sent again by itself")

// prepare keeps the transport from repeating a request. A transport repeats what it thinks is harmless: over HTTP/1 a
// GET whose reused connection was reset, over HTTP/2 whatever the far side refused or left unanswered when it went
// away. Each of these would be one more call without a grant. A transport repeats a request only if GetBody gives it
// the body again, so there is no GetBody; except for a body over HTTP/1, where it is called only if not a byte was
// written.
func (w *singleWrite) prepare(req *http.Request) *http.Request {
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GetConn: func(string) { w.asked.Store(true); w.got.Store(false) },
		GotConn: func(info httptrace.GotConnInfo) {
			w.got.Store(true)
			w.reused.Store(info.Reused)
			secured, _ := info.Conn.(*tls.Conn)
			w.multiplexed.Store(secured != nil && secured.ConnectionState().NegotiatedProtocol == "h2")
		},
		GotFirstResponseByte: func() { w.answered.Store(true) },
		// An in-process transport may call only this.
		WroteRequest: func(httptrace.WroteRequestInfo) { w.got.Store(true) },
	}))
	getBody := req.GetBody
	req.GetBody = nil
	if req.Body == nil || req.Body == http.NoBody {
		req.Body = io.NopCloser(bytes.NewReader(nil)) // not NoBody, which needs no GetBody
		return req
	}
	if getBody != nil && req.Method != http.MethodGet {
		req.GetBody = func() (io.ReadCloser, error) {
			if w.multiplexed.Load() {
				return nil, errNotResent
			}
			return getBody()
		}
	}
	return req
}

// unsent reports whether a request that ended in err was never written.
func (w *singleWrite) unsent(err error) bool {
	dial, ok := errors.AsType[*net.OpError](err)
	return !w.got.Load() && (w.asked.Load() || ok && dial.Op == "dial")
}

// stale reports whether the request's connection was reused and went bad before a byte of an answer.
func (w *singleWrite) stale() bool { return w.got.Load() && w.reused.Load() && !w.answered.Load() }
