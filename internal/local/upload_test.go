package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"stockbridge/internal/cloud"
	"stockbridge/internal/testsize"
)

// TestListenBeyond: with the default token, which everybody knows, the runner cannot be reached from other machines.
func TestListenBeyond(t *testing.T) {
	for _, at := range []string{"0.0.0.0:8080", ":8080", "[::]:8080", "192.0.2.7:8080", "example.test:8080"} {
		if _, err := parse([]string{"-listen", at}, io.Discard); err == nil ||
			!strings.Contains(err.Error(), "-token") {
			t.Errorf("-listen %s: %v", at, err)
		}
		if _, err := parse([]string{"-listen", at, "-token", "one-of-my-own"}, io.Discard); err != nil {
			t.Errorf("-listen %s with a token: %v", at, err)
		}
	}
	for _, at := range []string{"127.0.0.1:8080", "[::1]:0", "localhost:8080", "127.8.9.1:1"} {
		if _, err := parse([]string{"-listen", at}, io.Discard); err != nil {
			t.Errorf("-listen %s: %v", at, err)
		}
	}
}

// TestSecondInstance: a second instance on the same directory, which would overwrite the state, does not start.
func TestSecondInstance(t *testing.T) {
	dir := t.TempDir()
	o, err := parse([]string{"-listen", "127.0.0.1:0", "-sim", "127.0.0.1:0", "-data", dir, "-demo=false"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	up, ended := make(chan struct{}), make(chan error, 1)
	out := &watched{want: "webhooks  ", seen: sync.OnceFunc(func() { close(up) })}
	go func() { ended <- run(ctx, o, func(string) string { return "" }, out) }()
	select {
	case <-up:
	case err := <-ended:
		t.Fatal(err)
	}
	soon, giveUp := context.WithTimeout(ctx, longest)
	defer giveUp()
	if err := run(soon, o, func(string) string { return "" }, io.Discard); err == nil ||
		!strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("a second instance: %v", err)
	}
	only := o
	only.only = "sim"
	if err := run(soon, only, func(string) string { return "" }, io.Discard); err == nil ||
		!strings.Contains(err.Error(), "in use") {
		t.Errorf("simulators alone beside it: %v", err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if text := out.String(); !strings.Contains(text, filepath.Join(dir, storeFile)+".key") {
		t.Errorf("it does not say where the sealing key is: %s", text)
	}

	// A key file that others can read is refused.
	key := filepath.Join(dir, storeFile) + ".key"
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), o, func(string) string { return "" }, io.Discard); err == nil ||
		!strings.Contains(err.Error(), key) {
		t.Errorf("a key file for all: %v", err)
	}
}

// TestBodiesAfterToken: without a valid token, no byte of a body is read.
func TestBodiesAfterToken(t *testing.T) {
	var got atomic.Int64
	l := testLambda(t, map[string]cloud.Handler{"ConsoleFunction": cloud.HTTP(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			got.Add(int64(len(body)))
			if r.Header.Get("Authorization") == "" {
				w.WriteHeader(http.StatusUnauthorized)
			}
		}))})
	l.token = "runners-token"
	l.admits = func(r *http.Request) bool { return r.Header.Get("Authorization") != "" }
	srv, err := listen("127.0.0.1:0", l.handler())
	if err != nil {
		t.Fatal(err)
	}
	defer srv.close()
	for _, path := range []string{"/api/v1/tenants", "/2015-03-31/functions/ConsoleFunction/invocations"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(srv.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		// The body never comes: the answer does not wait for it.
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "+
			"5000000\r\n\r\n", path)
		_ = conn.SetReadDeadline(time.Now().Add(longest))
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusForbidden ||
			got.Load() != 0 {
			t.Errorf("%s: %+v %v, %d bytes read", path, resp, err, got.Load())
		}
	}
}

// TestFormsOfStrangers: of somebody who is signed out a small form of a page is read, a few at once, and nothing else.
func TestFormsOfStrangers(t *testing.T) {
	l, url := strangersServer(t, uploadTime)
	const form = "application/x-www-form-urlencoded"
	send := func(method, path, kind string, body io.Reader) string {
		t.Helper()
		r, err := http.NewRequest(method, url+path, body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", kind)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		read, _ := io.ReadAll(resp.Body)
		return string(read)
	}
	for _, c := range []struct {
		method, path, kind string
		size               int
		want               string
	}{
		{"POST", "/t/x/settings/orders", form, mostOfForm, "16384"},
		{"POST", "/t/x/settings/orders", form + "; charset=utf-8", 5, "5"},
		{"POST", "/t/x/settings/orders", form, mostOfForm + 1, "0"},
		{"POST", "/t/x/settings/orders", "multipart/form-data; boundary=x", 5, "0"},
		{"POST", "/t/x/settings/orders", "", 5, "0"},
		{"PUT", "/t/x/settings/orders", form, 5, "0"},
		{"POST", "/api/v1/tenants", form, 5, "0"},
	} {
		if got := send(c.method, c.path, c.kind, strings.NewReader(strings.Repeat("x", c.size))); got != c.want {
			t.Errorf("%s %s %s, %d bytes: %q, want %s", c.method, c.path, c.kind, c.size, got, c.want)
		}
	}
	if got := send("POST", "/t/x", form, struct{ io.Reader }{strings.NewReader("a=b")}); got != "0" {
		t.Errorf("of a size that is not said: %q", got)
	}

	// Strangers whose forms do not come take all places for a while: meanwhile no form is read, and nobody waits.
	var all []net.Conn
	for range formsAtOnce {
		all = append(all, openForm(t, url))
	}
	for len(l.uploads.forms) < formsAtOnce {
		time.Sleep(time.Millisecond)
	}
	if got := send("POST", "/t/x", form, strings.NewReader("a=b")); got != "0" {
		t.Errorf("with no place left: %q", got)
	}
	for _, conn := range all {
		conn.Close()
	}
	for len(l.uploads.forms) > 0 {
		time.Sleep(time.Millisecond)
	}
	if got := send("POST", "/t/x", form, strings.NewReader("a=b")); got != "3" {
		t.Errorf("after them: %q", got)
	}
}

// TestFormNeverComes: a place that a stranger holds is free again when the form's time is over.
func TestFormNeverComes(t *testing.T) {
	l, url := strangersServer(t, 50*time.Millisecond)
	conn := openForm(t, url)
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(longest))
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || answer.StatusCode != http.StatusRequestTimeout || len(l.uploads.forms) > 0 {
		t.Errorf("%+v %v, %d places taken", answer, err, len(l.uploads.forms))
	}
}

// strangersServer is a console that tells how long a body is, for people who are not signed in.
func strangersServer(t *testing.T, within time.Duration) (l *lambda, url string) {
	l = testLambda(t, map[string]cloud.Handler{"ConsoleFunction": cloud.HTTP(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			fmt.Fprint(w, len(body))
		}))})
	l.admits, l.uploads = func(*http.Request) bool { return false }, newUploads()
	l.uploads.within = within
	srv, err := listen("127.0.0.1:0", l.handler())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.close)
	return l, srv.url
}

// openForm sends the beginning of a form.
func openForm(t *testing.T, url string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "POST /t/x HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"+
		"Content-Length: 900\r\n\r\na=")
	return conn
}

// TestSlowBodies: a body that does not come is given up, and delays nobody after that.
func TestSlowBodies(t *testing.T) {
	l := testLambda(t, map[string]cloud.Handler{"ConsoleFunction": cloud.HTTP(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))})
	l.token, l.uploads = "runners-token", newUploads()
	l.uploads.within = 300 * time.Millisecond
	srv, err := listen("127.0.0.1:0", l.handler())
	if err != nil {
		t.Fatal(err)
	}
	defer srv.close()
	var all sync.WaitGroup
	for range largeAtOnce + 1 {
		for _, path := range []string{"/api/v1/tenants", "/2015-03-31/functions/ConsoleFunction/invocations"} {
			all.Go(func() {
				conn, err := net.Dial("tcp", strings.TrimPrefix(srv.url, "http://"))
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+
					"runners-token\r\nContent-Length: 900000\r\n\r\nsome", path)
				_ = conn.SetReadDeadline(time.Now().Add(longest))
				if resp, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil && resp.StatusCode/100 == 2 {
					t.Errorf("%s: %+v", path, resp)
				} else if err != nil {
					t.Errorf("%s: %v", path, err)
				}
			})
		}
	}
	all.Wait()
	l.uploads.within = longest
	resp, err := http.Post(srv.url+"/api/v1/x", "text/plain", strings.NewReader(strings.Repeat("x", 100_000)))
	if err != nil || resp.StatusCode != 200 {
		t.Errorf("after them: %+v %v", resp, err)
	}
}

// TestUploadsAtOnce: forty large uploads take turns, and all of them succeed.
func TestUploadsAtOnce(t *testing.T) {
	if !testsize.Alone(t) {
		return
	}
	const size, count = 1 << 20, 40
	var now, most, done atomic.Int64
	var peak atomic.Uint64
	l := testLambda(t, map[string]cloud.Handler{"ConsoleFunction": cloud.HTTP(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			n := now.Add(1)
			defer now.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			if body, _ := io.ReadAll(r.Body); len(body) == size {
				done.Add(1)
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			for p := peak.Load(); m.HeapInuse > p && !peak.CompareAndSwap(p, m.HeapInuse); p = peak.Load() {
			}
		}))})
	srv, err := listen("127.0.0.1:0", l.handler())
	if err != nil {
		t.Fatal(err)
	}
	defer srv.close()
	body := bytes.Repeat([]byte("x"), size)
	var all sync.WaitGroup
	for range count {
		all.Go(func() {
			resp, err := http.Post(srv.url+"/api/v1/x", "text/plain", bytes.NewReader(body))
			if err != nil || resp.StatusCode != 200 {
				t.Errorf("%+v %v", resp, err)
				return
			}
			resp.Body.Close()
		})
	}
	all.Wait()
	t.Logf("%d of %d through, %d at once at most, heap %d MiB", done.Load(), count, most.Load(), peak.Load()>>20)
	if done.Load() != count || most.Load() > largeAtOnce || peak.Load() > 200<<20 {
		t.Errorf("%d of %d through, %d at once at most, heap %d MiB", done.Load(), count, most.Load(), peak.Load()>>20)
	}
}
