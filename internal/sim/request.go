package sim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// Request is a call to a vendor, whichever way it came in.
type Request struct {
	Vendor, Account string
	Method, Path    string // the path below the vendor's base
	Query           url.Values
	Header          http.Header
	Body            []byte
	Now             time.Time

	// What a fault makes of the vendor's lists while this call is answered.
	Stale        time.Duration // they answer as of so long ago
	Hide         time.Duration // what the call makes shows in them so much later
	Drift        string        // their rows move between pages: gone, come or any
	IgnoreFilter bool          // they ignore a filter that the vendor may not know
}

// Response is a vendor's answer.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Text answers a text as it is.
func Text(status int, contentType, body string) *Response {
	return &Response{status, http.Header{"Content-Type": {contentType}}, []byte(body)}
}

// JSON answers a value.
func JSON(status int, v any) *Response {
	b, err := json.Marshal(v)
	if err != nil {
		return Text(http.StatusInternalServerError, "text/plain", err.Error())
	}
	return &Response{status, http.Header{"Content-Type": {"application/json; charset=utf-8"}}, b}
}
