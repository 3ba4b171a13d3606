package alert

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// rig is a teller over the real store, a mailer that notes, and a receiver behind TLS. Its clock is moved by hand.
type rig struct {
	t      *testing.T
	table  *counting
	runner *job.Runner
	*Teller
	of     tenant.Tenant
	clock  time.Time
	wrong  []Matter
	unsure []string
	mails  *outbox
	hooks  *receiver
	queue  []job.Message
	logged strings.Builder
}

// receiverURL is where the receiver is: the certificate of httptest's servers is for this name.
const receiverURL = "https://example.com/alerts"

// publicAddress is one of the public internet. Nothing dials it: the receiver answers in its place.
var publicAddress = netip.MustParseAddr("8.8.8.8")

func newRig(t *testing.T) *rig {
	t.Helper()
	tab, err := table.Open("", table.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tab.Close() })
	box, err := tenant.NewBox(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, table: &counting{Table: tab}, mails: &outbox{},
		clock: time.Date(2026, 11, 26, 20, 0, 0, 0, time.UTC)} // 9:00 in Auckland
	r.hooks = newReceiver(t)
	tenants := tenant.NewStore(r.table, box)
	store := &Store{Table: r.table, Tenants: tenants, Sealer: box, Times: DefaultTimes(),
		Now: func() time.Time { return r.clock }}
	r.Teller = &Teller{
		Store: store, Mailer: r.mails, Guard: r.hooks.guard(), Console: "https://console.example.com",
		Log: slog.New(slog.NewTextHandler(&r.logged, nil)),
		Wrong: func(context.Context, tenant.Bundle) ([]Matter, []string, error) {
			return slices.Clone(r.wrong), r.unsure, nil
		},
	}
	kind := Kind()
	kind.Every = 0 // no spreading
	r.runner = (&job.Runner{
		Verdicts: &job.Verdicts{Tenants: tenants, Ledger: ledger.New(r.table), Now: store.Now,
			Times: job.DefaultTimes()},
		Kinds: []job.Kind{kind},
		Send: func(_ context.Context, q job.Queue, m job.Message, _ time.Duration) error {
			if q != job.Catalog {
				t.Errorf("sent to %s", q)
			}
			r.queue = append(r.queue, m)
			return nil
		},
	}).With(job.Work{Job: r.Look})
	if r.of, _, err = tenants.Create(t.Context(), "Aroha Foods", "Pacific/Auckland"); err != nil {
		t.Fatal(err)
	}
	return r
}

// setUp saves whom to tell, who confirm at once.
func (r *rig) setUp(s Setup) tenant.Secret {
	r.t.Helper()
	secret := r.save(s)
	if _, err := r.change(r.t.Context(), r.of.ID, func(a *Alerts) (tenant.Ops, error) {
		for i := range a.Recipients {
			if one := &a.Recipients[i]; one.Confirmed.IsZero() {
				*one = Recipient{Email: one.Email, Confirmed: r.clock}
			}
		}
		return nil, nil
	}); err != nil {
		r.t.Fatal(err)
	}
	return secret
}

// save saves whom to tell.
func (r *rig) save(s Setup) tenant.Secret {
	r.t.Helper()
	_, secret, err := r.Save(r.t.Context(), r.of, s, -1, r.Guard)
	if err != nil {
		r.t.Fatal(err)
	}
	if secret != "" {
		r.hooks.secrets = append(r.hooks.secrets, secret)
	}
	return secret
}

// both tells by e-mail and at the receiver's address.
var both = Setup{Emails: []string{"ana@example.com"}, URL: receiverURL, Frequency: AtOnce}

// tick is a schedule, some time later: it starts what is due, and the queue is worked on.
func (r *rig) tick(later time.Duration) {
	r.t.Helper()
	r.clock = r.clock.Add(later)
	ids, err := r.Due(r.t.Context())
	if err == nil {
		err = r.runner.FanOutTo(r.t.Context(), Job, ids)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	queue := r.queue
	r.queue = nil
	for _, m := range queue {
		if err := r.runner.Do(r.t.Context(), m); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *rig) stored() Alerts {
	r.t.Helper()
	a, err := r.Get(r.t.Context(), r.of.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

func (r *rig) events() (texts []string) {
	r.t.Helper()
	list, _, err := r.runner.Ledger.Events(r.t.Context(), r.of.ID, "", 100)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range list {
		texts = append(texts, e.Text)
	}
	return texts
}

// matter is one that orders wait for.
func matter(key string, orders int) Matter {
	return Matter{Key: "order/" + key, Text: "Cin7 Core has no product with the SKU " + key + ".",
		Fix: "Map it to a product.", Orders: orders}
}

// counting counts what goes to the table, and can lose answers of writes.
type counting struct {
	table.Table
	reads, writes int
}

func (c *counting) Get(ctx context.Context, keys ...table.Key) ([]table.Item, error) {
	c.reads++
	return c.Table.Get(ctx, keys...)
}

func (c *counting) Query(ctx context.Context, q table.Query) (table.Page, error) {
	c.reads++
	return c.Table.Query(ctx, q)
}

func (c *counting) List(ctx context.Context, q table.Query) (table.Entries, error) {
	c.reads++
	return c.Table.List(ctx, q)
}

func (c *counting) Write(ctx context.Context, ops ...table.Op) error {
	c.writes++
	return c.Table.Write(ctx, ops...)
}

// outbox is a mailer that notes.
type outbox struct {
	sent []Email
	fail string // before: refused; lost: sent, and the answer is lost
	on   func() // before each
}

func (o *outbox) Send(_ context.Context, m Email) error {
	if o.on != nil {
		o.on()
	}
	if o.fail == "before" {
		return &Refused{"the address is not verified.", "arn:aws:ses:x:1:identity/alerts@example.com said so"}
	}
	o.sent = append(o.sent, m)
	if o.fail == "lost" {
		return errors.New("connection reset")
	}
	return nil
}

// receiver is a tenant's program that takes alerts.
type receiver struct {
	t       *testing.T
	server  *httptest.Server
	secrets []tenant.Secret

	mu     sync.Mutex
	got    []received
	dialed []string
	fail   string
	on     func()
}

type received struct {
	ID, Type, Body string
	New, Healed    []string
}

func newReceiver(t *testing.T) *receiver {
	rc := &receiver{t: t}
	rc.server = httptest.NewUnstartedServer(http.HandlerFunc(rc.take))
	rc.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	rc.server.StartTLS()
	t.Cleanup(rc.server.CloseClientConnections)
	t.Cleanup(rc.server.Close)
	return rc
}

// guard is one whose names all lead to a public address, where the receiver answers.
func (rc *receiver) guard() Guard {
	roots := x509.NewCertPool()
	roots.AddCert(rc.server.Certificate())
	return Guard{
		Roots:  roots,
		Lookup: func(context.Context, string) ([]netip.Addr, error) { return []netip.Addr{publicAddress}, nil },
		Dial:   rc.dial,
	}
}

func (rc *receiver) dial(ctx context.Context, network, address string) (net.Conn, error) {
	rc.mu.Lock()
	rc.dialed = append(rc.dialed, address)
	fail := rc.fail
	rc.mu.Unlock()
	if fail == "before" {
		return nil, errors.New("connection refused")
	}
	return new(net.Dialer).DialContext(ctx, network, rc.server.Listener.Addr().String())
}

func (rc *receiver) take(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	rc.mu.Lock()
	defer rc.mu.Unlock()
	if rc.on != nil {
		rc.on()
	}
	switch rc.fail {
	case "hang":
		rc.mu.Unlock()
		<-req.Context().Done()
		rc.mu.Lock()
		panic(http.ErrAbortHandler) // else it would answer now, and somebody slow might still read that
	case "nonsense":
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			io.WriteString(conn, "220 mail.example.com ESMTP\r\n")
			conn.Close()
		}
		rc.note(req, body)
		return
	case "slow body":
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		rc.note(req, body)
		rc.mu.Unlock()
		<-req.Context().Done()
		rc.mu.Lock()
		return
	case "huge body":
		rc.note(req, body)
		for range 1 << 16 {
			if _, err := w.Write(make([]byte, 1<<10)); err != nil {
				return
			}
		}
		return
	case "huge header":
		w.Header().Set("X-Huge", strings.Repeat("a", 1<<20))
		return
	case "redirect":
		http.Redirect(w, req, "https://169.254.169.254/latest/meta-data/", http.StatusTemporaryRedirect)
		return
	}
	var status int
	if _, err := fmt.Sscanf(rc.fail, "status %d", &status); err == nil {
		w.WriteHeader(status)
		return
	}
	rc.note(req, body)
	if rc.fail == "lost" {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(http.StatusNoContent)
}

// note keeps a message, if every secret that should be good has signed it.
func (rc *receiver) note(req *http.Request, body []byte) {
	for _, s := range rc.secrets {
		wh, err := standardwebhooks.NewWebhook(string(s))
		if err == nil {
			err = wh.VerifyIgnoringTimestamp(body, req.Header) // the rig's clock is not the real one
		}
		if err != nil {
			rc.t.Errorf("the signature: %v", err)
		}
	}
	one, err := readBody(body)
	if err != nil || req.Method != "POST" || req.Header.Get("Content-Type") != "application/json" {
		rc.t.Errorf("%s %q: %v", req.Method, body, err)
	}
	one.ID = req.Header.Get("webhook-id")
	rc.got = append(rc.got, one)
}

// set changes how the receiver fails.
func (rc *receiver) set(fail string) {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	rc.fail = fail
}

func (rc *receiver) all() []received {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	return slices.Clone(rc.got)
}
