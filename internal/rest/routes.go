package rest

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Routes are the calls that a vendor documents: method and path, as "GET /orders/{id}", each with the query parameters
// that a client of ours may send. A part of a path in braces stands for any one part.
type Routes map[string][]string

// check returns an error if a call is not in the table. That is a mistake of ours, so the call is not made.
func (r Routes) check(method, path string, query url.Values) error {
	if r == nil {
		return nil
	}
	names, ok := r[method+" "+path]
	if !ok {
		for route, params := range r {
			if verb, pattern, _ := strings.Cut(route, " "); verb == method && matches(pattern, path) {
				names, ok = params, true
			}
		}
	}
	if !ok {
		return fmt.Errorf("%s %s is not documented", method, path)
	}
	for name := range query {
		if !slices.Contains(names, name) {
			return fmt.Errorf("%s %s has no parameter %s", method, path, name)
		}
	}
	return nil
}

// matches reports whether a path is one of a pattern's.
func matches(pattern, path string) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i, part := range want {
		if part != got[i] && (!strings.HasPrefix(part, "{") || got[i] == "") {
			return false
		}
	}
	return true
}
