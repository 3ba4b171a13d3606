package cloud

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/table"
	"stockbridge/internal/table/tabletest"
)

func testClient(endpoint string, rt http.RoundTripper, again bool) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region:       "ap-southeast-2",
		Credentials:  credentials.NewStaticCredentialsProvider("test", "test", ""),
		BaseEndpoint: aws.String(endpoint),
		HTTPClient:   &http.Client{Transport: impatiently(rt)},
	}, func(o *dynamodb.Options) {
		o.Retryer = aws.NopRetryer{}
		if again {
			o.Retryer = retry.AddWithMaxBackoffDelay(retry.NewStandard(), 10*time.Millisecond)
		}
	})
}

// realTable makes an empty table at the endpoint that .ci/conformance starts.
func realTable(t *testing.T) (endpoint, name string) {
	endpoint = os.Getenv("DYNAMO_ENDPOINT")
	if endpoint == "" {
		t.Skip("DYNAMO_ENDPOINT is not set; see make conformance")
	}
	name = "conformance-" + strings.ToLower(table.Put(table.Item{}).Item.Rev)
	client := testClient(endpoint, Transport(), true)
	if err := CreateTable(t.Context(), client, name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := client.DeleteTable(context.Background(),
			&dynamodb.DeleteTableInput{TableName: &name}); err != nil {
			t.Error(err)
		}
	})
	return endpoint, name
}

func TestDynamo(t *testing.T) {
	if os.Getenv("DYNAMO_ENDPOINT") == "" {
		t.Skip("DYNAMO_ENDPOINT is not set; see make conformance")
	}
	tabletest.Run(t, func(t *testing.T) table.Table {
		endpoint, name := realTable(t)
		return NewTable(testClient(endpoint, Transport(), true), name)
	})
}

// faulty is a transport that loses some requests or answers.
type faulty struct {
	mu      sync.Mutex
	before  int    // how many requests do not arrive
	after   int    // how many of the next arrive, but their answers do not
	forget  bool   // the service has forgotten the transaction's token
	between func() // called once, after the first lost answer
	sent    int
}

var errLost = errors.New("connection reset by peer")

func (f *faulty) RoundTrip(req *http.Request) (*http.Response, error) {
	f.mu.Lock()
	before, after := f.before > 0, f.before == 0 && f.after > 0
	if before {
		f.before--
	} else if after {
		f.after--
	}
	f.sent++
	f.mu.Unlock()
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	if before {
		return nil, errLost
	}
	if f.forget {
		var m map[string]any
		if err := json.Unmarshal(body, &m); err != nil {
			return nil, err
		}
		delete(m, "ClientRequestToken")
		if body, err = json.Marshal(m); err != nil {
			return nil, err
		}
	}
	req = req.Clone(req.Context())
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp, err := Transport().RoundTrip(req)
	if err == nil && after {
		resp.Body.Close()
		if f.between != nil {
			f.between()
			f.between = nil
		}
		return nil, errLost
	}
	return resp, err
}

// TestDynamoLostAnswers: each kind of write fails both ways, not done and done
// with the answer lost, and is repeated by the SDK and by the caller.
func TestDynamoLostAnswers(t *testing.T) {
	endpoint, name := realTable(t)
	good := NewTable(testClient(endpoint, Transport(), true), name)
	n := 0
	seed := func() table.Item {
		n++
		o := table.Create(table.Item{Key: table.Key{PK: "p", SK: fmt.Sprint(n)}, Data: []byte("seed")})
		if err := good.Write(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		return o.Item
	}
	newItem := func() table.Item {
		n++
		return table.Item{Key: table.Key{PK: "p", SK: fmt.Sprint(n)}, Data: []byte("new")}
	}
	for kind, ops := range map[string]func() []table.Op{
		"create":  func() []table.Op { return []table.Op{table.Create(newItem())} },
		"replace": func() []table.Op { return []table.Op{table.Replace(seed())} },
		"remove":  func() []table.Op { return []table.Op{table.Remove(seed())} },
		"put":     func() []table.Op { return []table.Op{table.Put(newItem())} },
		"check":   func() []table.Op { return []table.Op{table.Check(seed())} },
		"several": func() []table.Op {
			return []table.Op{table.Create(newItem()), table.Replace(seed()), table.Remove(seed()),
				table.Put(newItem()),
				table.Check(seed())}
		},
	} {
		for _, f := range []*faulty{{before: 1}, {after: 1}, {before: 1, after: 1}, {after: 1, forget: true}} {
			for _, again := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/before=%d,after=%d,forget=%v,retry=%v", kind, f.before, f.after, f.forget, again),
					func(t *testing.T) {
						f := &faulty{before: f.before, after: f.after, forget: f.forget}
						losses := f.before + f.after
						d := NewTable(testClient(endpoint, f, again), name)
						ops := ops()
						for range losses {
							err := d.Write(t.Context(), ops...)
							if again {
								if err != nil {
									t.Fatal(err)
								}
								break
							}
							if err == nil || errors.Is(err, table.ErrConflict) {
								t.Fatalf("%v", err)
							}
						}
						if err := d.Write(t.Context(), ops...); err != nil { // repeated once more
							t.Fatal(err)
						}
						for _, o := range ops {
							got, err := good.Get(t.Context(), o.Item.Key)
							if err != nil {
								t.Fatal(err)
							}
							want := []table.Item{o.Item}
							if o.Kind == table.KindRemove {
								want = nil
							}
							if d := cmp.Diff(want, got); d != "" {
								t.Error(d)
							}
						}
					})
			}
		}
	}

	// If somebody else wrote between the lost answer and the SDK's retry, the
	// write is refused and theirs stands.
	it := seed()
	mine := table.Replace(it)
	theirs := table.Replace(mine.Item)
	f := &faulty{after: 1, between: func() {
		if err := good.Write(t.Context(), theirs); err != nil {
			t.Error(err)
		}
	}}
	err := NewTable(testClient(endpoint, f, true), name).Write(t.Context(), mine)
	var c *table.Conflict
	if !errors.As(err, &c) || c.Current[0].Rev != theirs.Item.Rev || f.sent != 2 {
		t.Errorf("%v after %d requests", err, f.sent)
	}
}

// script is a transport that answers each request in turn, and keeps the requests.
type script struct {
	mu      sync.Mutex
	answers []string // the last one repeats; one that begins with an error's name is a 400
	asked   []map[string]any
	targets []string
}

func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var m map[string]any
	body, err := io.ReadAll(req.Body)
	if err == nil {
		err = json.Unmarshal(body, &m)
	}
	if err != nil {
		return nil, err
	}
	s.asked = append(s.asked, m)
	s.targets = append(s.targets, req.Header.Get("X-Amz-Target"))
	a := s.answers[min(len(s.asked), len(s.answers))-1]
	status := http.StatusOK
	if !strings.HasPrefix(a, "{") {
		var kind string
		kind, a, _ = strings.Cut(a, " ")
		a = `{"__type":"com.amazonaws.dynamodb.v20120810#` + kind + `",` + strings.TrimPrefix(a, "{")
		status = http.StatusBadRequest
	}
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:  http.Header{"Content-Type": {"application/x-amz-json-1.0"}},
		Body:    io.NopCloser(strings.NewReader(a)),
		Request: req,
	}, nil
}

// TestDynamoScript tests answers that a small real endpoint hardly ever gives.
func TestDynamoScript(t *testing.T) {
	const busy = `TransactionCanceledException {"message":"m","CancellationReasons":[{"Code":"None"},{"Code":"TransactionConflict"}]}`
	const both = `TransactionCanceledException {"message":"m","CancellationReasons":[{"Code":"ConditionalCheckFailed"},{"Code":"ThrottlingError"}]}`
	const refused = `TransactionCanceledException {"message":"m","CancellationReasons":[{"Code":"None"},{"Code":"ConditionalCheckFailed","Item":{"pk":{"S":"p"},"sk":{"S":"b"},"rev":{"S":"r"}}}]}`
	const invalid = `TransactionCanceledException {"message":"m","CancellationReasons":[{"Code":"None"},{"Code":"ValidationError"}]}`
	const meets = `TransactionConflictException {"message":"m"}`
	a, b := table.Item{Key: table.Key{PK: "p", SK: "a"}}, table.Item{Key: table.Key{PK: "p", SK: "b"}}
	for _, c := range []struct {
		name    string
		answers []string
		ops     int
		want    string // done, conflict, error
		asked   int
	}{
		{"busy, then done", []string{busy, busy, both, `{}`}, 2, "done", 4},
		{"busy, then refused", []string{busy, refused}, 2, "conflict", 2},
		{"always busy", []string{busy}, 2, "error", maxTries},
		{"invalid", []string{invalid}, 2, "error", 1},
		{"one meets a transaction", []string{meets, `{}`}, 1, "done", 2},
		{"one always does", []string{meets}, 1, "error", maxTries},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{answers: c.answers}
				d := NewTable(testClient("http://dynamodb.test", s, false), "table")
				got := "error"
				var conflict *table.Conflict
				switch err := d.Write(t.Context(), []table.Op{table.Put(a), table.Create(b)}[:c.ops]...); {
				case err == nil:
					got = "done"
				case errors.As(err, &conflict):
					got = "conflict"
					if d := cmp.Diff(map[int]table.Item{1: {Key: b.Key, Rev: "r"}}, conflict.Current); d != "" {
						t.Error(d)
					}
				}
				if got != c.want || len(s.asked) != c.asked {
					t.Errorf("%s after %d requests, want %s after %d", got, len(s.asked), c.want, c.asked)
				}
				for _, m := range s.asked {
					if m["ClientRequestToken"] != s.asked[0]["ClientRequestToken"] {
						t.Error("the token changes")
					}
				}
			})
		})
	}

	t.Run("unprocessed keys", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			const none = `{"Responses":{},"UnprocessedKeys":{"table":{"ConsistentRead":true,"Keys":[{"pk":{"S":"p"},"sk":{"S":"a"}},{"pk":{"S":"p"},"sk":{"S":"b"}}]}}}`
			const first = `{"Responses":{"table":[{"pk":{"S":"p"},"sk":{"S":"b"},"rev":{"S":"2"}}]},"UnprocessedKeys":{"table":{"Keys":[{"pk":{"S":"p"},"sk":{"S":"a"}}]}}}`
			const rest = `{"Responses":{"table":[{"pk":{"S":"p"},"sk":{"S":"a"},"rev":{"S":"1"}}]},"UnprocessedKeys":{}}`
			s := &script{answers: []string{none, first, rest}}
			got, err := NewTable(testClient("http://dynamodb.test", s, false), "table").Get(t.Context(), a.Key, b.Key,
				a.Key)
			if err != nil || len(got) != 3 || got[0].Rev != "1" || got[1].Rev != "2" || got[2].Rev != "1" {
				t.Errorf("%v, %v", got, err)
			}
			s = &script{answers: []string{none}}
			if _, err := NewTable(testClient("http://dynamodb.test", s, false), "table").Get(t.Context(), a.Key,
				b.Key); err == nil || len(s.asked) != maxTries {
				t.Errorf("%v after %d requests", err, len(s.asked))
			}
		})
	})
}
