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

// writing sees to it that one request is written once at most, and knows what became of that.
//
// The transport asks for a connection (GetConn) and is handed one (GotConn): in between, nothing was written.
type writing struct {
	asked, got, reused, answered, multiplexed atomic.Bool
}

// errAgain keeps a transport from sending again what may have been written.
var errAgain = errors.New("the connection was given up, and the request is not sent again by itself")

// once readies a request. A transport sends by itself again what it thinks is harmless: over HTTP/1 a GET whose kept
// connection was reset, over HTTP/2 whatever the far side refused or left unanswered as it went away. Each is one more call
// that nobody granted. It does so only with a body that it can have anew, so it gets none; but for a body over HTTP/1, which
// it asks for only where not a byte of the request was written.
func (w *writing) once(req *http.Request) *http.Request {
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GetConn: func(string) { w.asked.Store(true); w.got.Store(false) },
		GotConn: func(info httptrace.GotConnInfo) {
			w.got.Store(true)
			w.reused.Store(info.Reused)
			secured, _ := info.Conn.(*tls.Conn)
			w.multiplexed.Store(secured != nil && secured.ConnectionState().NegotiatedProtocol == "h2")
		},
		GotFirstResponseByte: func() { w.answered.Store(true) },
		// An in-process transport may tell no more than this.
		WroteRequest: func(httptrace.WroteRequestInfo) { w.got.Store(true) },
	}))
	anew := req.GetBody
	req.GetBody = nil
	if req.Body == nil || req.Body == http.NoBody {
		req.Body = io.NopCloser(bytes.NewReader(nil)) // not NoBody, which may be had anew any time
		return req
	}
	if anew != nil && req.Method != http.MethodGet {
		req.GetBody = func() (io.ReadCloser, error) {
			if w.multiplexed.Load() {
				return nil, errAgain
			}
			return anew()
		}
	}
	return req
}

// unsent reports whether a request that ended in err was never written.
func (w *writing) unsent(err error) bool {
	dial, ok := errors.AsType[*net.OpError](err)
	return !w.got.Load() && (w.asked.Load() || ok && dial.Op == "dial")
}

// stale reports whether the request met a kept connection that went bad before a byte of an answer.
func (w *writing) stale() bool { return w.got.Load() && w.reused.Load() && !w.answered.Load() }
