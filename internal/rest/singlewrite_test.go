package rest_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"stockbridge/internal/rest"
)

// listener accepts connections for serve until the test ends.
func listener(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { ln.Close(); all.Wait() })
	all.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() { defer conn.Close(); serve(conn) })
		}
	})
	return ln.Addr().String()
}

// counting lets a client's calls be granted and recorded.
func counting(c *rest.Client) (*limiter, *[]rest.Exchange, func(context.Context) context.Context) {
	l, recorded := &limiter{}, &[]rest.Exchange{}
	c.Limit = l
	return l, recorded, func(ctx context.Context) context.Context {
		return rest.WithRecorder(ctx, func(x rest.Exchange) { *recorded = append(*recorded, x) })
	}
}

// TestResetConnections: a server reads a request on a kept connection and resets it, as a load balancer may. Go's
// transport would repeat a GET by itself, without a grant.
func TestResetConnections(t *testing.T) {
	for _, tt := range []struct {
		method string
		calls  int // written, of three asked for
		done   int
	}{{"GET", 5, 3}, {"POST", 3, 2}, {"PUT", 3, 2}, {"DELETE", 3, 2}} {
		var written atomic.Int64
		address := listener(t, func(conn net.Conn) {
			in := bufio.NewReader(conn)
			for n := 1; ; n++ {
				req, err := http.ReadRequest(in)
				if err != nil {
					return
				}
				body, _ := io.ReadAll(req.Body)
				if len(req.TransferEncoding) > 0 ||
					req.Method == "GET" && (len(body) > 0 || req.Header.Get("Content-Length") != "") {
					t.Errorf("%s with a body: %q %v", req.Method, body, req.Header)
				}
				if written.Add(1); n == 2 {
					_ = conn.(*net.TCPConn).SetLinger(0)
					return
				}
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
			}
		})
		transport := &http.Transport{}
		c := &rest.Client{Base: base(t, "http://"+address), HTTP: transport}
		limit, recorded, watched := counting(c)
		done := 0
		for range 3 {
			var in any
			if tt.method != "GET" && tt.method != "DELETE" {
				in = map[string]int{"n": 1}
			}
			if err := c.Do(watched(t.Context()), tt.method, "/sale", nil, in, nil); err == nil {
				done++
			} else if got := seenOf(err); got != (seen{rest.Unknown, rest.Unavailable, 0}) {
				t.Errorf("%s: %v", tt.method, err)
			}
		}
		transport.CloseIdleConnections()
		if n := int(written.Load()); n != limit.taken || n != len(*recorded) || done != tt.done || n < 3 ||
			n > tt.calls {
			t.Errorf("%s: %d requests written, %d granted, %d recorded; %d of 3 done, want %d", tt.method, n,
				limit.taken, len(*recorded), done, tt.done)
		}
	}
}

// TestResetWithoutGrant: nothing is sent again if the caller's guard refuses.
func TestResetWithoutGrant(t *testing.T) {
	var written atomic.Int64
	address := listener(t, func(conn net.Conn) {
		in := bufio.NewReader(conn)
		for n := 1; ; n++ {
			if _, err := http.ReadRequest(in); err != nil {
				return
			}
			if written.Add(1); n == 2 {
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
		}
	})
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	c := &rest.Client{Base: base(t, "http://"+address), HTTP: transport, Limit: &limiter{}}
	if err := c.Do(t.Context(), "GET", "/me", nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	asked := 0
	ctx := rest.WithGuard(t.Context(), func() error {
		if asked++; asked > 1 {
			return io.ErrClosedPipe
		}
		return nil
	})
	if got := seenOf(c.Do(ctx, "GET", "/me", nil, nil, nil)); got != (seen{rest.Refused, rest.NotSent, 0}) ||
		written.Load() != 2 || asked != 2 {
		t.Errorf("%+v after %d requests, asked %d times", got, written.Load(), asked)
	}
}

// TestRefusedStreams: an HTTP/2 server refuses a stream, or goes away before it. Go's transport would repeat such a
// request, even a POST, without a grant.
func TestRefusedStreams(t *testing.T) {
	certificate := httptest.NewTLSServer(nil)
	defer certificate.Close()
	roots := x509.NewCertPool()
	roots.AddCert(certificate.Certificate())
	for _, goAway := range []bool{false, true} {
		for _, method := range []string{"GET", "POST"} {
			var written atomic.Int64
			address := listener(t, func(raw net.Conn) {
				conn := tls.Server(raw, &tls.Config{Certificates: certificate.TLS.Certificates,
					NextProtos: []string{"h2"}})
				frame := func(kind, flags byte, stream uint32, payload ...byte) {
					head := append(make([]byte, 0, 9+len(payload)), 0, 0, byte(len(payload)), kind, flags)
					_, _ = conn.Write(append(binary.BigEndian.AppendUint32(head, stream), payload...))
				}
				if _, err := io.ReadFull(conn, make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))); err != nil {
					return
				}
				frame(4, 0, 0) // SETTINGS
				for {
					head := make([]byte, 9)
					if _, err := io.ReadFull(conn, head); err != nil {
						return
					}
					if _, err := io.CopyN(io.Discard, conn,
						int64(head[0])<<16|int64(head[1])<<8|int64(head[2])); err != nil {
						return
					}
					if head[3] != 1 { // HEADERS
						continue
					}
					if written.Add(1) > 20 {
						return
					}
					if goAway {
						frame(7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) // none of the streams was looked at
						_, _ = io.Copy(io.Discard, conn)
						return
					}
					frame(3, 0, binary.BigEndian.Uint32(head[5:]), 0, 0, 0, 7) // REFUSED_STREAM
				}
			})
			transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "example.com"},
				ForceAttemptHTTP2: true}
			c := &rest.Client{Base: base(t, "https://"+address), HTTP: transport, Timeout: 500 * time.Millisecond}
			limit, recorded, watched := counting(c)
			var in any
			if method == "POST" {
				in = map[string]int{"n": 1}
			}
			err := c.Do(watched(t.Context()), method, "/sale", nil, in, nil)
			transport.CloseIdleConnections()
			if n := int(written.Load()); n == 0 || n != limit.taken || n != len(*recorded) ||
				seenOf(err) != (seen{rest.Unknown, rest.Unavailable, 0}) {
				t.Errorf("%s, going away %v: %d requests written, %d granted, %d recorded: %v", method, goAway, n,
					limit.taken, len(*recorded), err)
			}
		}
	}
}
