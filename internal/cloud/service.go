package cloud

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// service is an AWS service of which we make one or two calls. Its own client would be larger than all of this package:
// it carries every operation of the service, and prepares for each of them when a function starts.
type service struct {
	name     string // as signatures have it
	endpoint string
	region   string
	keys     aws.Credentials
	http     http.RoundTripper
}

// service returns one of AWS's, at its own endpoint unless there is another.
func (c awsConfig) service(name, endpoint string, transport http.RoundTripper) service {
	return service{
		name: name, endpoint: cmp.Or(endpoint, "https://"+name+"."+c.region+".amazonaws.com"), region: c.region,
		keys: aws.Credentials{AccessKeyID: c.key, SecretAccessKey: c.secret, SessionToken: c.session},
		http: transport,
	}
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 10

// post makes one signed request, and reads its answer.
func (s service) post(ctx context.Context, path string, header http.Header, body []byte) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.endpoint+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header = header
	sum := sha256.Sum256(body)
	err = v4.NewSigner().SignHTTP(ctx, s.keys, req, hex.EncodeToString(sum[:]), s.name, s.region, time.Now())
	if err != nil {
		return 0, nil, err
	}
	resp, err := s.http.RoundTrip(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp.StatusCode, answer, err
}

// refused is an answer of a service that did not do what it was asked for.
type refused struct {
	Status        int
	Code, Message string // as DisabledException; "" where the answer says none
}

func (r *refused) Error() string { return fmt.Sprintf("status %d %s: %s", r.Status, r.Code, r.Message) }

// passes reports whether the same request may be answered otherwise a moment later.
func (r *refused) passes() bool {
	return r.Status >= 500 || r.Status == http.StatusTooManyRequests || strings.Contains(r.Code, "Throttl")
}

// tries is how often a call is made at most, as AWS's library does by default.
const tries = 3

// call makes one call in AWS's JSON protocol (https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html), and
// again where it was not answered or may be answered otherwise: what it does must bear to be done twice. It returns a
// *refused where an answer says that it was not done. operation is as AmazonSQS.SendMessage.
func (s service) call(ctx context.Context, version, operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	header := http.Header{"Content-Type": {"application/x-amz-json-" + version}, "X-Amz-Target": {operation}}
	for try := 1; ; try++ {
		err := s.once(ctx, header.Clone(), body, out)
		if no, ok := errors.AsType[*refused](err); err == nil || try == tries || ok && !no.passes() {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(rand.N(100 * time.Millisecond << try)):
		}
	}
}

func (s service) once(ctx context.Context, header http.Header, body []byte, out any) error {
	status, answer, err := s.post(ctx, "/", header, body)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		var doc struct {
			Type    string `json:"__type"` // as com.amazonaws.sqs#QueueDoesNotExist, or without what stands before the #
			Message string // in any case of letters
		}
		_ = json.Unmarshal(answer, &doc) // a proxy's answer has another shape
		_, code, found := strings.Cut(doc.Type, "#")
		if !found {
			code = doc.Type
		}
		return &refused{Status: status, Code: code, Message: doc.Message}
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return errors.New("the answer is not JSON")
	}
	return nil
}
