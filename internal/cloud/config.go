// Package cloud is AWS in Go: the table in DynamoDB, the queues in SQS, secrets sealed by KMS, Lambda's events, logs
// and metrics. No other package imports AWS.
//
// A function's main calls [Start] with the handler it serves:
//
//	cloud.Start(os.Getenv, func(a *app.App) cloud.Handler { return cloud.SQS(a.Orders) })
//
// Start reads the environment ([ReadConfig]), makes the app's dependencies ([Open]), composes the app and passes its
// handler to the Lambda runtime. A [Handler] is a plain function from event to answer. There are three kinds of events,
// and functions that make Handlers for them: [HTTP] for API Gateway and function URLs, and [Webhook] where the sender
// does not wait; [SQS] for batches, answered message by message; [Raw] for a schedule's input, unchanged. The local
// runner serves the same handlers.
//
// # What it promises
//
//   - The environment is read in one place, ReadConfig, and all its faults are listed at once. A function that cannot
//     start tells the runtime why, so that the invocation's answer shows it.
//   - [NewTable] is table.Table over DynamoDB and passes package tabletest. One operation is one conditional request,
//     several are one transaction. A write that the SDK repeats is recognised by its revision and reported as done.
//   - [Queue] sends to standard queues with the tenant as message group. A message may arrive twice, and a Send
//     that failed may have been done.
//   - [Sealer] seals with a data key that KMS opens once an hour, bound to a tenant: what was sealed for one opens for
//     no other.
//   - Of KMS, SQS and SES we make one or two calls each, ourselves: their own clients would be larger than the rest.
//   - [NewMailer] sends e-mails by SES, for the one function that begins with [StartMailing]. What was not sent is told
//     apart from what nobody knows.
//   - A call of AWS that hears nothing for 1.5 s ends and is made again, three times in all. [Webhook] answers within
//     4.5 s, whatever hangs.
//   - [NewLogger] writes a JSON object a line; a metric is an attribute of its log line and costs no call.
//
// With STORE=file:<path> everything is stored in one file, sealed with a key beside it, and no AWS client is made. That
// is how make invoke runs a function without AWS.
package cloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"stockbridge/internal/alert"
	"stockbridge/internal/app"
	"stockbridge/internal/signin"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// Config is the environment, read once.
type Config struct {
	Store     string // STORE=file:<path>: the embedded store's file; "" = AWS
	Table     string // TABLE: the DynamoDB table
	Orders    string // ORDERS_QUEUE_URL
	Catalog   string // CATALOG_QUEUE_URL
	Shipments string // SHIPMENTS_QUEUE_URL
	JOOR      string // JOOR_QUEUE_URL; "" = a version that has none is being replaced
	KMSKey    string // KMS_KEY_ID: seals the tenants' secrets

	PublicURL string           // PUBLIC_URL: the beginning of webhook URLs
	Operators tenant.Operators // API_TOKEN_SHA256: the hashes of the operator's bearer tokens
	SignIn    signin.Config    // OIDC_ISSUER, OIDC_CLIENT_ID, OIDC_CLIENT_SECRET, OIDC_SIGN_OUT_URL, CONSOLE_URL
	MailFrom  string           // ALERT_FROM: who alerts by e-mail come from; "" = none are sent
	URLs      map[tenant.System]string
	OrderPage string  // UPSTOCK_ORDER_PAGE: an order's page in Upstock, with {id} for its id; "" = not known
	Speed     float64 // SPEED: divides every configured duration; 0 = 1
	Level     slog.Level
	Namespace string // METRICS_NAMESPACE: of the metrics; each stack has its own

	aws awsConfig
}

// awsConfig is what the SDK could read itself; reading it here keeps the
// environment in one place and costs nothing at the start.
type awsConfig struct {
	region, key, secret, session string
	dynamodb, sqs, kms, ses      string // endpoints; "" = AWS's own
}

// renamed reads a variable that is not set by the name that it had up to December 2026: while a version is deployed
// over the one before, a function may have the new code and the old environment.
func renamed(getenv func(string) string) func(string) string {
	former := map[string]string{"CATALOG_QUEUE_URL": "JOBS_QUEUE_URL"}
	return func(name string) string {
		if v := getenv(name); v != "" || former[name] == "" {
			return v
		}
		return getenv(former[name])
	}
}

// ReadConfig reads the environment and lists all its faults at once. Needs
// names further variables that must be set.
func ReadConfig(getenv func(string) string, needs ...string) (Config, error) {
	getenv = renamed(getenv)
	e := &environment{getenv: getenv}
	c := Config{
		Table: getenv("TABLE"), Orders: e.address("ORDERS_QUEUE_URL"), Catalog: e.address("CATALOG_QUEUE_URL"),
		Shipments: e.address("SHIPMENTS_QUEUE_URL"), JOOR: e.address("JOOR_QUEUE_URL"), KMSKey: getenv("KMS_KEY_ID"),
		PublicURL: e.address("PUBLIC_URL"), Operators: e.operators(), URLs: map[tenant.System]string{},
		MailFrom: e.mailFrom(), Namespace: cmp.Or(getenv("METRICS_NAMESPACE"), Namespace),
		SignIn: signin.Config{
			Issuer: e.whole("OIDC_ISSUER"), ClientID: getenv("OIDC_CLIENT_ID"),
			Secret: tenant.Secret(getenv("OIDC_CLIENT_SECRET")), URL: e.address("CONSOLE_URL"),
			SignOut: e.whole("OIDC_SIGN_OUT_URL"),
		},
		aws: e.aws(),
	}
	for _, sys := range tenant.Systems() {
		if v := e.address(strings.ToUpper(string(sys)) + "_URL"); v != "" {
			c.URLs[sys] = v
		}
	}
	if c.OrderPage = e.address("UPSTOCK_ORDER_PAGE"); c.OrderPage != "" && !strings.Contains(c.OrderPage, "{id}") {
		e.fault("UPSTOCK_ORDER_PAGE", "does not have {id} in it, where an order's id belongs")
	}
	c.Store = e.store()
	if getenv("STORE") == "" {
		e.require("TABLE", "ORDERS_QUEUE_URL", "CATALOG_QUEUE_URL", "SHIPMENTS_QUEUE_URL", "KMS_KEY_ID", "AWS_REGION",
			"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
	}
	e.require(needs...)
	if c.SignIn.Issuer != "" && c.SignIn.ClientID == "" {
		e.fault("OIDC_CLIENT_ID", "is not set, and OIDC_ISSUER is")
	}
	c.Speed, c.Level = e.speed(), e.level()
	if len(e.faults) > 0 {
		return c, fmt.Errorf("environment: %w", errors.Join(e.faults...))
	}
	return c, nil
}

// environment is the environment with its faults.
type environment struct {
	getenv func(string) string
	faults []error
}

func (e *environment) fault(name, what string) {
	e.faults = append(e.faults, fmt.Errorf("%s %s", name, what))
}

// require finds fault with variables that are not set.
func (e *environment) require(names ...string) {
	for _, name := range names {
		if e.getenv(name) == "" {
			e.fault(name, "is not set")
		}
	}
}

// store reads where the embedded store is; "" = it is not used.
func (e *environment) store() string {
	v := e.getenv("STORE")
	path, ok := strings.CutPrefix(v, "file:")
	if v != "" && (!ok || path == "") {
		e.fault("STORE", "is not file:<path>")
	}
	return path
}

// mailFrom reads who e-mails come from.
func (e *environment) mailFrom() string {
	v := e.getenv("ALERT_FROM")
	if v != "" && !alert.IsEmail(v) {
		e.fault("ALERT_FROM", "is not an e-mail address alone")
	}
	return v
}

func (e *environment) speed() (speed float64) {
	v := e.getenv("SPEED")
	if v == "" {
		return 0
	}
	speed, err := strconv.ParseFloat(v, 64)
	if err != nil || !(speed > 0 && speed <= 10_000) {
		e.fault("SPEED", "is not a number above 0")
	}
	return speed
}

func (e *environment) level() (level slog.Level) {
	if v := e.getenv("LOG_LEVEL"); v != "" {
		if err := level.UnmarshalText([]byte(v)); err != nil {
			e.fault("LOG_LEVEL", "is not one of debug, info, warn, error")
		}
	}
	return level
}

// operators reads the hashes of the operator's tokens.
func (e *environment) operators() tenant.Operators {
	v := e.getenv("API_TOKEN_SHA256")
	if v == "" {
		return nil
	}
	all, err := tenant.ParseOperators(v)
	if err != nil {
		e.fault("API_TOKEN_SHA256", err.Error())
	}
	return all
}

// address reads a URL without the slash at its end.
func (e *environment) address(name string) string {
	v := strings.TrimRight(e.getenv(name), "/")
	if u, err := url.Parse(v); v != "" &&
		(err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		e.fault(name, "is not an address that begins with https:// or http://")
	}
	return v
}

// whole reads a URL as it is: a slash at its end may belong to it, as in the names of some issuers.
func (e *environment) whole(name string) string {
	e.address(name)
	return e.getenv(name)
}

func (e *environment) aws() awsConfig {
	c := awsConfig{
		region: e.getenv("AWS_REGION"), key: e.getenv("AWS_ACCESS_KEY_ID"),
		secret: e.getenv("AWS_SECRET_ACCESS_KEY"), session: e.getenv("AWS_SESSION_TOKEN"),
		dynamodb: e.address("AWS_ENDPOINT_URL_DYNAMODB"), sqs: e.address("AWS_ENDPOINT_URL_SQS"),
		kms: e.address("AWS_ENDPOINT_URL_KMS"), ses: e.address("AWS_ENDPOINT_URL_SESV2"),
	}
	all := e.address("AWS_ENDPOINT_URL")
	for _, one := range []*string{&c.dynamodb, &c.sqs, &c.kms, &c.ses} {
		if *one == "" {
			*one = all
		}
	}
	return c
}

// Open makes the app's dependencies. The Closer closes them.
func Open(c Config) (app.Deps, io.Closer, error) { return open(c, Transport()) }

// open is Open with the way to AWS.
func open(c Config, far http.RoundTripper) (app.Deps, io.Closer, error) {
	deps := app.Deps{
		HTTP: Transport(), URLs: c.URLs, PublicURL: c.PublicURL, Operators: c.Operators, SignIn: c.SignIn,
		OrderPage: c.OrderPage,
		Speed:     c.Speed,
		MailFrom:  c.MailFrom,
		Console:   c.SignIn.URL,
		Log:       NewLogger(os.Stderr, c.Level, c.Namespace),
	}
	deps.OnEnd = logEnd(deps.Log)
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
		// There is no queue beside a file. Nothing is lost: a queue only wakes, and
		// the sweep finds in the table what is due.
		deps.Send = func(ctx context.Context, q app.Queue, body []byte, group string, delay time.Duration) error {
			deps.Log.InfoContext(ctx, "not queued: there is no queue beside a file", "queue", string(q), "body",
				string(body), "group", group, "delay", delay.String())
			return nil
		}
		return deps, file, nil
	}
	transport := impatiently(far)
	base := aws.Config{
		Region:      c.aws.region,
		Credentials: credentials.NewStaticCredentialsProvider(c.aws.key, c.aws.secret, c.aws.session),
		HTTPClient:  &http.Client{Transport: transport},
	}
	deps.Table = NewTable(dynamodb.NewFromConfig(base,
		func(o *dynamodb.Options) { o.BaseEndpoint = endpoint(c.aws.dynamodb) }), c.Table)
	deps.Sealer = newSealer(c.aws.service("kms", c.aws.kms, transport), c.KMSKey, deps.Table)
	queues := newQueue(c.aws.service("sqs", c.aws.sqs, transport),
		map[app.Queue]string{app.OrdersQueue: c.Orders, app.CatalogQueue: c.Catalog, app.ShipmentsQueue: c.Shipments,
			app.JOORQueue: c.JOOR})
	deps.Send, deps.Depth = queues.Send, queues.Depth
	return deps, noCloser{}, nil
}

type noCloser struct{}

func (noCloser) Close() error { return nil }

func endpoint(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// Transport returns the transport for all calls. A RoundTripper follows no
// redirects.
func Transport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout:   5 * time.Second,
		ExpectContinueTimeout: time.Second,
		// No HTTP/2: it would repeat a request whose stream was refused, and would not
		// make so few calls faster. (With a DialContext it is off by default.)
		ForceAttemptHTTP2:   false,
		MaxIdleConnsPerHost: 32,
		// Lambda freezes a function between two events. A connection that the far
		// side closed meanwhile looks alive, and the outcome of a write on it is Unknown.
		IdleConnTimeout: 10 * time.Second,
	}
}
