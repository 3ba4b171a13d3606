package rest_test

import (
	"net/http"
	"net/url"
	"testing"

	"stockbridge/internal/rest"
)

// TestRoutes: no call is made that is not documented.
func TestRoutes(t *testing.T) {
	calls, limit := 0, &limiter{}
	c := &rest.Client{
		Base: base(t, "http://vendor.test"), Limit: limit,
		Routes: rest.Routes{"GET /orders": {"after"}, "GET /orders/{id}": {}, "PUT /orders/{id}/lines": {}},
		HTTP:   roundTrip(func(*http.Request) (*http.Response, error) { calls++; return answer(200, `{}`), nil }),
	}
	for _, tt := range []struct {
		method, path string
		query        url.Values
		made         bool
	}{
		{"GET", "/orders", nil, true},
		{"GET", "orders", url.Values{"after": {"x"}}, true},
		{"GET", "/orders", url.Values{"after": {"x"}, "Limit": {"1"}}, false},
		{"GET", "/orders/12", nil, true},
		{"GET", "/orders/", nil, false},
		{"GET", "/orders/12", url.Values{"after": {"x"}}, false},
		{"PUT", "/orders/12/lines", nil, true},
		{"PUT", "/orders/12/other", nil, false},
		{"POST", "/orders", nil, false},
	} {
		before := calls
		err := c.Do(t.Context(), tt.method, tt.path, tt.query, nil, nil)
		if made := calls > before; made != tt.made || made != (err == nil) ||
			!made && seenOf(err) != (seen{rest.Refused, rest.NotSent, 0}) {
			t.Errorf("%s %s %v: made %v (%v)", tt.method, tt.path, tt.query, made, err)
		}
	}
	if limit.taken != calls {
		t.Errorf("%d grants for %d calls", limit.taken, calls)
	}
}
