package consoletest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"stockbridge/internal/console/consoletest"
)

const small = `
openapi: 3.1.0
paths:
  /api/v1/things:
    get:
      responses:
        "200":
          content:
            application/json:
              schema: {$ref: "#/components/schemas/Thing"}
        default: {$ref: "#/components/responses/Problem"}
components:
  responses:
    Problem:
      content:
        application/problem+json:
          schema: {type: object, required: [status], properties: {status: {type: integer}}}
  schemas:
    Thing:
      type: object
      required: [name, at]
      properties:
        name: {type: string}
        at: {type: string, format: date-time}
        in:
          type: object
          properties:
            tags: {type: array, items: {type: string}}
`

// TestFaults: what an answer can do that its description does not say, each is found, and what it says passes.
func TestFaults(t *testing.T) {
	const good = `{"name":"n","at":"2026-11-27T08:00:00Z","in":{"tags":["t"]}}`
	for _, c := range []struct {
		name, method, path, kind, body string
		status                         int
		want                           string // of the fault; "" = it passes
	}{
		{"good", "GET", "/api/v1/things", "application/json", good, 200, ""},
		{"a problem", "GET", "/api/v1/things", "application/problem+json", `{"status":404}`, 404, ""},
		{"elsewhere, a problem", "GET", "/api/v1/others", "application/problem+json", `{"status":404}`, 404, ""},
		{"elsewhere", "GET", "/api/v1/others", "application/json", good, 200, "status is not described"},
		{"not the API", "GET", "/others", "application/json", "no JSON", 200, ""},
		{"another method", "POST", "/api/v1/things", "application/json", good, 200, "status is not described"},
		{"status", "GET", "/api/v1/things", "application/json", good, 201, "status is not described"},
		{"type", "GET", "/api/v1/things", "text/plain", good, 200, "content type text/plain"},
		{"a page", "GET", "/api/v1/things", "text/html", "<p>", 200, "content type text/html"},
		{"missing", "GET", "/api/v1/things", "application/json", `{"name":"n"}`, 200, "at"},
		{"more", "GET", "/api/v1/things", "application/json", strings.Replace(good, `"name"`, `"b":1,"name"`, 1), 200,
			"b"},
		{"more inside", "GET", "/api/v1/things", "application/json", strings.Replace(good, `"tags"`, `"b":1,"tags"`, 1),
			200, "b"},
		{"another value", "GET", "/api/v1/things", "application/json", strings.Replace(good, `"t"`, `7`, 1), 200,
			"got number"},
		{"not in UTC", "GET", "/api/v1/things", "application/json", strings.Replace(good, "Z", "+13:00", 1), 200,
			"no instant in UTC"},
		{"half", "GET", "/api/v1/things", "application/json", good[:20], 200, "EOF"},
	} {
		way := &consoletest.Transport{To: answers(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/openapi.yaml" {
				w.Write([]byte(small))
				return
			}
			w.Header().Set("Content-Type", c.kind)
			w.WriteHeader(c.status)
			w.Write([]byte(c.body))
		})}
		resp, err := way.RoundTrip(httptest.NewRequest(c.method, "http://api.test"+c.path, nil))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		faults, _ := way.Faults()
		got := strings.Join(faults, "\n")
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

// TestOtherAPIs: who has no description is not held to one.
func TestOtherAPIs(t *testing.T) {
	for _, status := range []int{200, 404} {
		way := &consoletest.Transport{To: answers(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
		})}
		resp, err := way.RoundTrip(httptest.NewRequest("GET", "http://api.test/api/v1/things", nil))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if faults, checked := way.Faults(); faults != nil || checked != 0 {
			t.Errorf("%d: %v", checked, faults)
		}
	}
}

type answers http.HandlerFunc

func (a answers) RoundTrip(req *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	a(w, req)
	resp := w.Result()
	resp.ContentLength = int64(w.Body.Len())
	return resp, nil
}
