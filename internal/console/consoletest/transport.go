package consoletest

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// Transport is a way to the API that holds each answer to the API's own description. Requests to anything else pass.
type Transport struct {
	To http.RoundTripper

	mu      sync.Mutex
	of      map[string]*Description // by scheme and host
	checked int
	faults  []string
}

// Watch is the API of a test: an answer that is not as described is an error of the test.
func Watch(t testing.TB, h http.Handler) http.Handler {
	way := &Transport{To: inProcess{h}}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		t.Helper()
		resp, err := way.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		maps.Copy(w.Header(), resp.Header)
		w.WriteHeader(resp.StatusCode)
		if _, err := io.Copy(w, resp.Body); err != nil {
			t.Fatal(err)
		}
		faults, _ := way.Faults()
		for _, fault := range faults {
			t.Error(fault)
		}
	})
}

type inProcess struct{ h http.Handler }

func (p inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	p.h.ServeHTTP(w, req)
	return w.Result(), nil
}

// isAPI reports whether a path is described.
func isAPI(path string) bool { return path == "/healthz" || strings.HasPrefix(path, "/api/v1/") }

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.To.RoundTrip(req)
	if err != nil || !isAPI(req.URL.Path) {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	t.note(req, resp, body)
	return resp, nil
}

// note holds an answer to the description, which is read when it is first needed. A host that has none is not the API.
func (t *Transport) note(req *http.Request, resp *http.Response, body []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	host := req.URL.Scheme + "://" + req.URL.Host
	d, known := t.of[host]
	if !known {
		var err error
		if d, err = t.read(req); err != nil {
			t.faults = append(t.faults, fmt.Sprintf("%s: %v", host, err))
		}
		if t.of == nil {
			t.of = map[string]*Description{}
		}
		t.of[host] = d
	}
	if d == nil {
		return
	}
	t.checked++
	header := resp.Header.Clone()
	if resp.ContentLength >= 0 && header.Get("Content-Length") == "" {
		header.Set("Content-Length", fmt.Sprint(resp.ContentLength))
	}
	if err := d.Check(req.Method, req.URL.Path, resp.StatusCode, header, body); err != nil {
		t.faults = append(t.faults,
			fmt.Sprintf("%s %s: %d: not as described: %v\n%s", req.Method, req.URL.Path, resp.StatusCode, err, body))
	}
}

// read asks the API that a request went to for its description; nil = it has none, and is another.
func (t *Transport) read(of *http.Request) (*Description, error) {
	req := of.Clone(of.Context())
	req.Method, req.Body, req.ContentLength = http.MethodGet, http.NoBody, 0
	req.URL.Path, req.URL.RawPath, req.URL.RawQuery, req.RequestURI = "/api/openapi.yaml", "", "", ""
	resp, err := t.To.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		return nil, nil
	}
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	d, err := Read(data)
	if err == nil && d.Doc["openapi"] == nil {
		return nil, nil // whatever that was
	}
	return d, err
}

// Faults are the answers that were not as described, since it was last asked, and how many were looked at in all.
func (t *Transport) Faults() (faults []string, checked int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	faults, t.faults = t.faults, nil
	return faults, t.checked
}
