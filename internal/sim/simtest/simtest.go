// Package simtest helps tests to call the simulated vendors without a client of
// ours, above all the vendors' own tests.
//
//	core := cin7core.New(cin7core.Options{})
//	b := simtest.New(t, sim.Options{}, core)
//	b.Want(200, "GET", sim.PrefixCin7Core+"/me", nil, &me)
//
// A [Bench] is a Sim with one account, and an HTTP client that sends the
// credentials of Bench.Account, which a test may change. A vendor's tests embed it
// beside the vendor and add helpers of their own. An [Inbox] receives the webhooks,
// as Options.Deliver: it answers with given statuses and keeps what came. [Obj] and
// [With] make bodies. [Shape] and [Compare] compare an answer with the vendor's own
// sample: the name and type of every field, apart from listed exceptions.
//
// The package knows how each vendor's credentials are sent, and nothing else about
// the vendors. It imports none of them, so that their own tests can import it.
package simtest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"stockbridge/internal/sim"
)

// Bench is a Sim with one account.
type Bench struct {
	*sim.Sim
	T       testing.TB
	Account sim.Account // its credentials are sent
	HTTP    http.Client // follows no redirects
}

// New makes a Bench, with the seed "test" if the options have none, and closes it
// when the test ends.
func New(t testing.TB, o sim.Options, vendors ...sim.Vendor) *Bench {
	t.Helper()
	if o.Seed == "" {
		o.Seed = "test"
	}
	s, err := sim.New(o, vendors...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	b := &Bench{T: t, Sim: s, Account: s.AddAccount("Kauri Wholesale", "")}
	b.HTTP = http.Client{Transport: s.Transport(), CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	return b
}

// Obj is a JSON object.
type Obj = map[string]any

// With sets the fields of change in o, and returns o. A nil value removes a field.
func With(o, change Obj) Obj {
	for name, value := range change {
		if o[name] = value; value == nil {
			delete(o, name)
		}
	}
	return o
}

// Answer is a response whose body was read.
type Answer struct {
	*http.Response
	Bytes []byte
}

// Into reads the answer's JSON.
func (a Answer) Into(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(a.Bytes, v); err != nil {
		t.Fatalf("%s: %v", a.Bytes, err)
	}
}

// Try makes a call. A body that is not a string is sent as JSON; nil = no body.
func (b *Bench) Try(ctx context.Context, method, path string, body any) (Answer, error) {
	b.T.Helper()
	var raw []byte
	switch v := body.(type) {
	case nil:
	case string:
		raw = []byte(v)
	default:
		var err error
		if raw, err = json.Marshal(v); err != nil {
			b.T.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://sim.test"+path, bytes.NewReader(raw))
	if err != nil {
		b.T.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	switch {
	case strings.HasPrefix(path, "/upstock"):
		req.Header.Set("Authorization", "Bearer "+b.Account.Upstock.Token)
	case strings.HasPrefix(path, "/cin7core"):
		req.Header.Set("api-auth-accountid", b.Account.Cin7Core.AccountID)
		req.Header.Set("api-auth-applicationkey", b.Account.Cin7Core.ApplicationKey)
	case strings.HasPrefix(path, sim.PrefixCin7Omni):
		req.SetBasicAuth(b.Account.Cin7Omni.Username, b.Account.Cin7Omni.Key)
	case strings.HasPrefix(path, sim.PrefixJOOR):
		token := base64.StdEncoding.EncodeToString([]byte(b.Account.JOOR.Token))
		req.Header.Set("Authorization", "OAuth2 "+token)
	}
	resp, err := b.HTTP.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		b.T.Fatal(err)
	}
	return Answer{resp, got}, nil
}

// Call is Try for a call that gets an answer.
func (b *Bench) Call(method, path string, body any) Answer {
	b.T.Helper()
	a, err := b.Try(context.Background(), method, path, body)
	if err != nil {
		b.T.Fatal(err)
	}
	return a
}

// Want is Call for a call that gets a certain status; into may be nil.
func (b *Bench) Want(status int, method, path string, body, into any) {
	b.T.Helper()
	a := b.Call(method, path, body)
	if a.StatusCode != status {
		b.T.Fatalf("%s %s: %d %s, want %d", method, path, a.StatusCode, a.Bytes, status)
	}
	if into != nil {
		a.Into(b.T, into)
	}
}

// Inbox is a webhook endpoint that answers with each of its statuses in turn, and
// then always with the last one; 0 = no answer.
type Inbox struct {
	mu       sync.Mutex
	Statuses []int
	Got      []*http.Request
	Bodies   []string
	At       []time.Time
}

// RoundTrip implements http.RoundTripper.
func (in *Inbox) RoundTrip(req *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(req.Body)
	in.mu.Lock()
	in.Got, in.Bodies, in.At = append(in.Got, req), append(in.Bodies, string(body)), append(in.At, time.Now())
	status := in.Statuses[0]
	if len(in.Statuses) > 1 {
		in.Statuses = in.Statuses[1:]
	}
	in.mu.Unlock()
	if status == 0 {
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
}

// Received returns the bodies of an event that came, including those that are not JSON.
func (in *Inbox) Received(event string) (out []string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, body := range in.Bodies {
		if strings.Contains(body, `"`+event+`"`) {
			out = append(out, body)
		}
	}
	return out
}

// Shape notes the kinds of every value of a JSON document by its path; the
// elements of an array share a path.
func Shape(v any, path string, into map[string][]string) {
	kind := "null"
	switch v := v.(type) {
	case map[string]any:
		kind = "object"
		for k, x := range v {
			Shape(x, path+"."+k, into)
		}
	case []any:
		kind = "array"
		for _, x := range v {
			Shape(x, path+"[]", into)
		}
	case string:
		kind = "string"
	case float64:
		kind = "number"
	case bool:
		kind = "bool"
	}
	if !slices.Contains(into[path], kind) {
		into[path] = append(into[path], kind)
	}
}

// Compare compares the shape of an answer with the vendor's. missing and more are
// what the answer may lack or have beyond it, as prefixes of paths.
func Compare(t *testing.T, want, got map[string][]string, missing, more []string) {
	t.Helper()
	excused := func(path string, list []string) bool {
		return slices.ContainsFunc(list, func(p string) bool { return strings.HasPrefix(path, p) })
	}
	for path, kinds := range want {
		ours, ok := got[path]
		switch {
		case excused(path, missing):
		case !ok:
			t.Errorf("%s is missing", path)
		case slices.Equal(kinds, []string{"null"}):
		default:
			for _, k := range ours {
				if k != "null" && !slices.Contains(kinds, k) {
					t.Errorf("%s is %s, the vendor's %v", path, k, kinds)
				}
			}
		}
	}
	for path := range got {
		if _, ok := want[path]; !ok && !excused(path, more) {
			t.Errorf("%s is not the vendor's", path)
		}
	}
}
