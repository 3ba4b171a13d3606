package rest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"

	"stockbridge/internal/rest"
)

// A caller relies on the outcome; the kind is the reason for it.
func ExampleClient_Do() {
	answers := map[string]struct {
		status int
		body   string
	}{
		"/tea":    {http.StatusOK, `{"name": "Tea", "stock": "12"}`},
		"/coffee": {http.StatusNotFound, ""},
		"/cocoa":  {http.StatusBadGateway, "<html>"},
	}
	vendor := roundTrip(func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		w.WriteHeader(answers[r.URL.Path].status)
		w.WriteString(answers[r.URL.Path].body)
		return w.Result(), nil
	})
	c := &rest.Client{Base: &url.URL{Scheme: "https", Host: "vendor.example"}, HTTP: vendor,
		Sign: func(r *http.Request) {
			r.Header.Set("Authorization", "Bearer secret")
		}}
	c.Hide("secret") // no error and no recording shows it
	for _, path := range []string{"/tea", "/coffee", "/cocoa"} {
		var product struct {
			Name  string
			Stock int
		}
		err := c.Do(context.Background(), http.MethodPut, path, nil, map[string]int{"stock": 12}, &product)
		fmt.Println(path, rest.OutcomeOf(err), rest.KindOf(err), product)
	}
	// Output:
	// /tea done other {Tea 12}
	// /coffee refused not found { 0}
	// /cocoa unknown unavailable { 0}
}
