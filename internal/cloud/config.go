// Package cloud is AWS in Go: the table in DynamoDB, the queues in SQS, secrets sealed by KMS, Lambda's events, logs
// and metrics. No other package imports AWS.
//
// A function's main calls [Start] with the handler it serves:
//
//	cloud.Start(os.Getenv, func(a *app.App) cloud.Handler { return cloud.SQS(a.Orders) })
//
// Start reads the environment ([ReadConfig]), makes what the app stands on ([Open]), composes the app and hands its
// handler to the Lambda runtime. A [Handler] is a plain function from event to answer. There are three kinds of events,
// and a function that makes a Handler for each: [HTTP] (API Gateway and function URLs), [SQS] (batches, answered
// message by message) and [Raw] (a schedule's input as it stands). The local runner serves the very same handlers.
//
// # What it promises
//
//   - The environment is read in one place, ReadConfig, and all its faults are listed at once. A function that cannot
//     start says why to the runtime, so that the invocation's answer shows it.
//   - [NewTable] is table.Table over DynamoDB and passes package tabletest: each operation is one conditional
//     request, several are one transaction, and a write that an SDK's retry repeats is known by its revision and
//     reported as done.
//   - [NewQueue] sends to standard queues with the tenant as message group. A message may arrive twice, and a Send
//     that failed may have been done.
//   - [NewSealer] seals with KMS, the tenant as encryption context: what was sealed for one tenant opens for no
//     other.
//   - [NewLogger] writes a JSON object a line; a metric is an attribute of its log line and costs no call.
//
// With STORE=file:<path> everything is kept in one file, sealed by a key beside it, and no AWS client is made: that is
// how make invoke runs a function without AWS.
package cloud

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"stockbridge/internal/app"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// Config is the environment, read once.
type Config struct {
	Store     string // STORE=file:<path>: the embedded store's file; "" = AWS
	Table     string // TABLE: the DynamoDB table
	Orders    string // ORDERS_QUEUE_URL
	Jobs      string // JOBS_QUEUE_URL
	Shipments string // SHIPMENTS_QUEUE_URL
	KMSKey    string // KMS_KEY_ID: seals the tenants' secrets

	PublicURL string        // PUBLIC_URL: what webhook URLs begin with
	Token     tenant.Secret // API_TOKEN: the operator's bearer token
	URLs      map[tenant.System]string
	Speed     float64 // SPEED: divides every configured duration; 0 = 1
	Level     slog.Level

	aws awsConfig
}

// awsConfig is what the SDK would read by itself; reading it here costs a
// start nothing and keeps the environment in one place.
type awsConfig struct {
	region, key, secret, session string
	dynamodb, sqs, kms           string // endpoints; "" = AWS's own
}

// ReadConfig reads the environment and lists all its faults at once. Needs
// names further variables that must be set.
func ReadConfig(getenv func(string) string, needs ...string) (Config, error) {
	var faults []error
	fault := func(name, format string, args ...any) {
		faults = append(faults, fmt.Errorf("%s %s", name, fmt.Sprintf(format, args...)))
	}
	address := func(name string) string {
		v := strings.TrimRight(getenv(name), "/")
		if u, err := url.Parse(v); v != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
			fault(name, "is not an address that begins with https:// or http://")
		}
		return v
	}
	c := Config{
		Table: getenv("TABLE"), Orders: address("ORDERS_QUEUE_URL"), Jobs: address("JOBS_QUEUE_URL"), Shipments: address("SHIPMENTS_QUEUE_URL"), KMSKey: getenv("KMS_KEY_ID"),
		PublicURL: address("PUBLIC_URL"), Token: tenant.Secret(getenv("API_TOKEN")), URLs: map[tenant.System]string{},
		aws: awsConfig{
			region: getenv("AWS_REGION"), key: getenv("AWS_ACCESS_KEY_ID"), secret: getenv("AWS_SECRET_ACCESS_KEY"), session: getenv("AWS_SESSION_TOKEN"),
			dynamodb: address("AWS_ENDPOINT_URL_DYNAMODB"), sqs: address("AWS_ENDPOINT_URL_SQS"), kms: address("AWS_ENDPOINT_URL_KMS"),
		},
	}
	for _, sys := range tenant.Systems() {
		if v := address(strings.ToUpper(string(sys)) + "_URL"); v != "" {
			c.URLs[sys] = v
		}
	}
	if all := address("AWS_ENDPOINT_URL"); all != "" {
		for _, e := range []*string{&c.aws.dynamodb, &c.aws.sqs, &c.aws.kms} {
			if *e == "" {
				*e = all
			}
		}
	}
	if v := getenv("STORE"); v != "" {
		path, ok := strings.CutPrefix(v, "file:")
		if !ok || path == "" {
			fault("STORE", "is not file:<path>")
		}
		c.Store = path
	} else {
		needs = slices.Concat([]string{"TABLE", "ORDERS_QUEUE_URL", "JOBS_QUEUE_URL", "SHIPMENTS_QUEUE_URL", "KMS_KEY_ID", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}, needs)
	}
	for _, name := range needs {
		if getenv(name) == "" {
			fault(name, "is not set")
		}
	}
	if v := getenv("API_TOKEN"); v != "" && len(v) < 16 && c.Store == "" {
		fault("API_TOKEN", "is shorter than 16 characters")
	}
	if v := getenv("SPEED"); v != "" {
		var err error
		if c.Speed, err = strconv.ParseFloat(v, 64); err != nil || !(c.Speed > 0 && c.Speed <= 10_000) {
			fault("SPEED", "is not a number above 0")
		}
	}
	if v := getenv("LOG_LEVEL"); v != "" {
		if err := c.Level.UnmarshalText([]byte(v)); err != nil {
			fault("LOG_LEVEL", "is not one of debug, info, warn, error")
		}
	}
	if len(faults) > 0 {
		return c, fmt.Errorf("environment: %w", errors.Join(faults...))
	}
	return c, nil
}

// Open makes what the app stands on. The Closer closes it.
func Open(c Config) (app.Deps, io.Closer, error) {
	deps := app.Deps{
		HTTP: Transport(), URLs: c.URLs, PublicURL: c.PublicURL, Token: c.Token, Speed: c.Speed,
		Log: NewLogger(os.Stderr, c.Level),
	}
	deps.OnEnd = counted(deps.Log)
	if c.Store != "" {
		file, err := table.Open(c.Store, table.Options{})
		if err != nil {
			return deps, nil, err
		}
		box, err := tenant.OpenBox(c.Store + ".key")
		if err != nil {
			file.Close()
			return deps, nil, err
		}
		deps.Table, deps.Sealer = file, box
		// There is no queue beside a file. Nothing is lost by that: a queue only
		// wakes, and what is due stands in the table, where the sweep finds it.
		deps.Send = func(ctx context.Context, q app.Queue, body []byte, group string, delay time.Duration) error {
			deps.Log.InfoContext(ctx, "not queued: there is no queue beside a file", "queue", string(q), "body", string(body), "group", group, "delay", delay.String())
			return nil
		}
		return deps, file, nil
	}
	base := aws.Config{
		Region:      c.aws.region,
		Credentials: credentials.NewStaticCredentialsProvider(c.aws.key, c.aws.secret, c.aws.session),
		HTTPClient:  whole{&http.Client{Transport: Transport()}},
	}
	deps.Table = NewTable(dynamodb.NewFromConfig(base, func(o *dynamodb.Options) { o.BaseEndpoint = endpoint(c.aws.dynamodb) }), c.Table)
	deps.Sealer = NewSealer(kms.NewFromConfig(base, func(o *kms.Options) { o.BaseEndpoint = endpoint(c.aws.kms) }), c.KMSKey)
	queues := NewQueue(sqs.NewFromConfig(base, func(o *sqs.Options) { o.BaseEndpoint = endpoint(c.aws.sqs) }), map[app.Queue]string{app.OrdersQueue: c.Orders, app.JobsQueue: c.Jobs, app.ShipmentsQueue: c.Shipments})
	deps.Send = queues.Send
	return deps, nothing{}, nil
}

type nothing struct{}

func (nothing) Close() error { return nil }

func endpoint(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// Transport is how a process calls out. Redirects are followed nowhere, since
// a RoundTripper does not.
func Transport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout:   5 * time.Second,
		ExpectContinueTimeout: time.Second,
		// No HTTP/2: it would send a request again whose stream was refused, and so
		// few calls gain nothing by it. (A dial of our own leaves it off.)
		ForceAttemptHTTP2:   false,
		MaxIdleConnsPerHost: 32,
		// Lambda freezes a function between two events; a connection that the far
		// side closed meanwhile looks alive, and a write on it ends unknown.
		IdleConnTimeout: 10 * time.Second,
	}
}

// whole reads an answer to its end before the SDK sees it: the SDK closes the
// request's body as soon as Do returns, and on loopback that races with the
// rest of an answer above some 4 KB, which it then cuts short and asks for again.
type whole struct{ client *http.Client }

func (w whole) Do(req *http.Request) (*http.Response, error) {
	resp, err := w.client.Do(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}
