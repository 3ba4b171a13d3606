package sim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// Request is a call to a vendor.
type Request struct {
	Vendor, Account string
	Method, Path    string // the path below the vendor's base
	Query           url.Values
	Header          http.Header
	Body            []byte
	Now             time.Time

	// What a fault does to the vendor's lists in this call.
	Stale        time.Duration // they answer as of so long ago
	Hide         time.Duration // they show what the call makes only so much later
	Drift        string        // their rows move between pages: gone, come, moved or any
	IgnoreFilter bool          // they ignore a filter that the vendor may not know
}

// Response is a vendor's answer.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Text returns a response with a text.
func Text(status int, contentType, body string) *Response {
	return &Response{status, http.Header{"Content-Type": {contentType}}, []byte(body)}
}

// JSON returns a response with a value as JSON; a json.RawMessage is it already.
func JSON(status int, v any) *Response {
	b, ready := v.(json.RawMessage)
	var err error
	if !ready {
		b, err = json.Marshal(v)
	}
	if err != nil {
		return Text(http.StatusInternalServerError, "text/plain", err.Error())
	}
	return &Response{status, http.Header{"Content-Type": {"application/json; charset=utf-8"}}, b}
}
