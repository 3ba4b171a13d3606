package cloud

import (
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/app"
)

func serviceTest(transport http.RoundTripper) service {
	c := awsConfig{region: "ap-southeast-2", key: "key", secret: "hidden", session: "session"}
	return c.service("sqs", "http://aws.test", transport)
}

// TestServiceCall: a call is signed, and made again only where the same may be answered otherwise.
func TestServiceCall(t *testing.T) {
	const done, never = `{"MessageId":"1"}`, `{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"m"}`
	lost := said{}
	for _, c := range []struct {
		answers []said
		code    string // of what is refused in the end
		asked   int
	}{
		{[]said{{200, done}}, "", 1},
		{[]said{lost, {200, done}}, "", 2},
		{[]said{{503, "<html>"}, {400, `{"__type":"ThrottlingException","message":"m"}`}, {200, done}}, "", 3},
		{[]said{lost, {429, "{}"}, lost, {200, done}}, "", 3},
		{[]said{{500, `{"__type":"InternalFailure"}`}, {400, never}}, "QueueDoesNotExist", 2},
		{[]said{{400, never}, {200, done}}, "QueueDoesNotExist", 1},
		{[]said{{403, `{"Message":"no"}`}}, "", 1},
		{[]said{{200, "<html>"}, {200, "<html>"}, {200, "<html>"}}, "", 3},
	} {
		synctest.Test(t, func(t *testing.T) {
			asked := 0
			s := serviceTest(roundTrip(func(req *http.Request) (*http.Response, error) {
				auth, a := req.Header.Get("Authorization"), c.answers[asked]
				if asked++; !strings.HasPrefix(auth, "AWS4-HMAC-SHA256 Credential=key/") ||
					!strings.Contains(auth, "/ap-southeast-2/sqs/aws4_request, ") || strings.Contains(auth, "hidden") ||
					req.URL.String() != "http://aws.test/" || req.Header.Get("X-Amz-Security-Token") != "session" ||
					req.Header.Get("X-Amz-Target") != "AmazonSQS.SendMessage" ||
					req.Header.Get("Content-Type") != "application/x-amz-json-1.0" {
					t.Errorf("%s %v", req.URL, req.Header)
				}
				if body, err := io.ReadAll(req.Body); string(body) != `{"QueueUrl":"q"}` || err != nil {
					t.Errorf("asked %s, %v", body, err)
				}
				if a == lost {
					return nil, errors.New("lost")
				}
				return &http.Response{StatusCode: a.status, Body: io.NopCloser(strings.NewReader(a.body))}, nil
			}))
			var out struct{ MessageID string }
			err := s.call(t.Context(), "1.0", "AmazonSQS.SendMessage", map[string]string{"QueueUrl": "q"}, &out)
			no, isRefused := errors.AsType[*refused](err)
			last := c.answers[c.asked-1]
			if asked != c.asked || (err == nil) != (last.body == done) || (out.MessageID == "1") != (err == nil) ||
				isRefused != (last.status >= 400) || isRefused && (no.Code != c.code || no.Status != last.status) {
				t.Errorf("%v: %v after %d", c.answers, err, asked)
			}
		})
	}
	c := awsConfig{region: "ap-southeast-2"}
	if at := c.service("kms", "", nil).endpoint; at != "https://kms.ap-southeast-2.amazonaws.com" {
		t.Error(at)
	}
}

type said struct {
	status int // 0: none came
	body   string
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestQueue(t *testing.T) {
	body := []byte(`{"tenant":"acme","order":"🚚"}`)
	s := &script{answers: []string{fmt.Sprintf(`{"MessageId":"1","MD5OfMessageBody":"%x"}`, md5.Sum(body))}}
	q := newQueue(serviceTest(s), map[app.Queue]string{app.OrdersQueue: "http://aws.test/1/orders"})
	for _, c := range []struct {
		delay time.Duration
		want  any
	}{
		{0, nil}, {time.Millisecond, 1.0}, {90 * time.Second, 90.0}, {24 * time.Hour, 900.0}, {-time.Minute, nil},
	} {
		s.asked = nil
		if err := q.Send(t.Context(), app.OrdersQueue, body, "acme", c.delay); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"QueueUrl": "http://aws.test/1/orders", "MessageBody": string(body),
			"MessageGroupId": "acme"}
		if c.want != nil {
			want["DelaySeconds"] = c.want
		}
		if d := cmp.Diff([]map[string]any{want}, s.asked); d != "" {
			t.Error(d)
		}
	}
	if err := q.Send(t.Context(), app.CatalogQueue, body, "acme", 0); err == nil {
		t.Error("sent to a queue without an address")
	}
}

func TestQueueDepth(t *testing.T) {
	const known = `{"Attributes":{"ApproximateNumberOfMessages":"12","ApproximateNumberOfMessagesDelayed":"3",` +
		`"ApproximateNumberOfMessagesNotVisible":"4"}}`
	s := &script{answers: []string{known, `{"Attributes":{"ApproximateNumberOfMessages":"12"}}`,
		`OverLimit {"message":"m"}`}}
	q := newQueue(serviceTest(s), map[app.Queue]string{app.OrdersQueue: "http://aws.test/1/orders"})
	d, err := q.Depth(t.Context(), app.OrdersQueue)
	if diff := cmp.Diff(app.Depth{Ready: 12, Delayed: 3, Received: 4}, d); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if names, _ := s.asked[0]["AttributeNames"].([]any); s.asked[0]["QueueUrl"] != "http://aws.test/1/orders" ||
		len(names) != 3 {
		t.Errorf("asked %v", s.asked)
	}
	for range 2 { // half an answer, and none
		if _, err := q.Depth(t.Context(), app.OrdersQueue); err == nil {
			t.Error("a depth that SQS does not say")
		}
	}
	if _, err := q.Depth(t.Context(), app.CatalogQueue); err == nil {
		t.Error("the depth of a queue without an address")
	}
}
