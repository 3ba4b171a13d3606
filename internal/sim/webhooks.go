package sim

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// hook is a webhook URL that a supplier registered.
type hook struct {
	URL      string    `json:"url"`
	Secret   string    `json:"secret"`
	Old      string    `json:"old,omitempty"` // the secret before, signing too until OldUntil
	OldUntil time.Time `json:"oldUntil"`
}

// delivery is one event on its way to one URL, from Upstock, or from Cin7 Core
// where it has a Hook. Body and ID are the same on every attempt.
type delivery struct {
	ID       string    `json:"id"`
	Type     string    `json:"type"`
	Order    int       `json:"order,omitempty"`
	Hook     string    `json:"hook,omitempty"`
	Sale     string    `json:"sale,omitempty"` // its number
	URL      string    `json:"url"`
	At       time.Time `json:"at"`
	State    string    `json:"state"` // pending, delivered, failed
	Attempts int       `json:"attempts"`
	Status   int       `json:"status"` // of the last answer; 0 = none
	Problem  string    `json:"problem,omitempty"`
	Next     time.Time `json:"next"`
	Body     []byte    `json:"body"`
}

const (
	webhookTimeout = 5 * time.Second
	rotation       = 24 * time.Hour
	maxDeliveries  = 300 // kept per account and vendor
)

// retries are the waits before the second to the ninth attempt: 8 over 4 h.
var retries = [...]time.Duration{1 * time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute,
	15 * time.Minute, 30 * time.Minute, 60 * time.Minute, 120 * time.Minute}

// RegisterWebhook registers a URL for a supplier's events, as a tenant does in
// Upstock's settings, sends a ping there and answers the signing secret.
// Registering a URL again gives it a new secret at once.
func (s *Sim) RegisterWebhook(supplier int, address string) (secret string, err error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "", errors.New("register webhook: not a URL")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.bySup[supplier]
	if a == nil {
		return "", fmt.Errorf("register webhook: no supplier %d", supplier)
	}
	h := &hook{URL: address, Secret: s.secret()}
	for i, old := range a.Up.Hooks {
		if old.URL == address {
			a.Up.Hooks = append(a.Up.Hooks[:i:i], a.Up.Hooks[i+1:]...)
			break
		}
	}
	a.Up.Hooks = append(a.Up.Hooks, h)
	s.touched(a)
	s.emitTo(a, h, "ping", nil, time.Now())
	return h.Secret, nil
}

// RotateWebhook gives a supplier's webhooks a new secret; the old one signs
// too for 24 hours.
func (s *Sim) RotateWebhook(supplier int) (secret string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.bySup[supplier]
	if a == nil || len(a.Up.Hooks) == 0 {
		return "", fmt.Errorf("rotate webhook: supplier %d has none", supplier)
	}
	secret = s.secret()
	for _, h := range a.Up.Hooks {
		h.Old, h.Secret, h.OldUntil = h.Secret, secret, time.Now().Add(s.fast(rotation))
	}
	s.touched(a)
	return secret, nil
}

func (s *Sim) secret() string {
	var b [24]byte
	s.rng.Read(b[:])
	return "whsec_" + base64.StdEncoding.EncodeToString(b[:])
}

// emit sends an event to all of a supplier's URLs. s.mu is held.
func (s *Sim) emit(a *account, event string, o *upOrder, now time.Time) {
	for _, h := range a.Up.Hooks {
		s.emitTo(a, h, event, o, now)
	}
}

func (s *Sim) emitTo(a *account, h *hook, event string, o *upOrder, now time.Time) {
	id := "msg_" + s.token()
	data := map[string]any{}
	d := &delivery{ID: id, Type: event, URL: h.URL, At: now.UTC(), State: "pending", Next: now}
	if o != nil {
		data["order"], d.Order = o, o.ID
	}
	d.Body, _ = json.Marshal(map[string]any{"id": id, "type": event, "occurredAt": now.UTC().Truncate(time.Millisecond),
		"supplierId": a.Upstock.Supplier, "data": data})
	keep(&a.Up.Deliveries, d)
	s.touched(a, d)
	s.start(a, d, 0)
}

func keep(all *[]*delivery, d *delivery) {
	*all = append(*all, d)
	trim(all)
}

// trim forgets the oldest delivery where there are too many.
func trim(all *[]*delivery) {
	if len(*all) > maxDeliveries && (*all)[0].State != "pending" {
		*all = append((*all)[:0:0], (*all)[1:]...)
	}
}

func (d *delivery) vendor() string {
	if d.Hook != "" {
		return Cin7Core
	}
	return Upstock
}

// waits are those before the second attempt and all later ones.
func (d *delivery) waits() []time.Duration {
	if d.Hook != "" {
		return coreRetries[:]
	}
	return retries[:]
}

// start makes a delivery's next attempt happen. s.mu is held.
func (s *Sim) start(a *account, d *delivery, wait time.Duration) {
	s.pending++
	d.Next = time.Now().Add(wait)
	s.after(wait, func() { s.attempt(a, d, true) })
}

// attempt tries a delivery once and decides what becomes of it.
func (s *Sim) attempt(a *account, d *delivery, faults bool) {
	now := time.Now()
	s.mu.Lock()
	var f *Fault
	if faults {
		f = s.take(d.vendor(), a.name(d.vendor()), "WEBHOOK "+d.Type)
	}
	if f == nil {
		f = &Fault{}
	}
	if f.Kind == "late" {
		s.after(s.seconds(f.Seconds), func() { s.attempt(a, d, false) })
		s.mu.Unlock()
		return
	}
	address, header, problem := a.envelope(d, now)
	if f.Kind == "drop" {
		problem = "dropped"
	}
	if problem != "" {
		d.State, d.Problem = "failed", problem
		s.touched(a, d)
		s.settle()
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()

	status, err := 0, errors.New("connection reset")
	if f.Kind != "before" {
		status, err = s.send(d, address, header)
	}
	if f.Kind == "dup" {
		s.send(d, address, header)
	}
	if f.Kind == "after" {
		status, err = 0, errors.New("connection reset")
	}
	if s.ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.settle()
	d.Attempts++
	d.Status, d.Problem = status, ""
	switch {
	case err == nil && status/100 == 2:
		d.State = "delivered"
	case d.Attempts > len(d.waits()):
		d.State = "failed"
		if h := a.Core.hook(d.Hook); h != nil { // Cin7 Core gives the webhook up, too
			h.IsActive = false
		}
	default:
		s.start(a, d, s.fast(d.waits()[d.Attempts-1]))
	}
	if err != nil {
		d.Problem = err.Error()
	}
	s.touched(a, d)
}

// sign makes the webhook-signature header: one value per valid secret.
func (a *account) sign(d *delivery, now time.Time) string {
	var out []string
	for _, h := range a.Up.Hooks {
		if h.URL != d.URL {
			continue
		}
		secrets := []string{h.Secret}
		if h.Old != "" && now.Before(h.OldUntil) {
			secrets = append(secrets, h.Old)
		}
		for _, secret := range secrets {
			if wh, err := standardwebhooks.NewWebhook(secret); err == nil {
				if sig, err := wh.Sign(d.ID, now, d.Body); err == nil {
					out = append(out, sig)
				}
			}
		}
	}
	return strings.Join(out, " ")
}

// envelope is where a delivery goes now and with which headers; or why it goes
// nowhere. Upstock's bears the time and a signature, Cin7 Core's what the webhook
// says, its secrets in the clear.
func (a *account) envelope(d *delivery, now time.Time) (address string, header http.Header, problem string) {
	header = http.Header{"Content-Type": {"application/json"}}
	if d.Hook == "" {
		header.Set("User-Agent", "Upstock-Webhooks/1")
		header.Set(standardwebhooks.HeaderWebhookID, d.ID)
		header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
		header.Set(standardwebhooks.HeaderWebhookSignature, a.sign(d, now))
		return d.URL, header, ""
	}
	h := a.Core.hook(d.Hook)
	if h == nil || !h.IsActive || a.Core.NoAutomation {
		return "", nil, "the webhook is not active"
	}
	d.URL = h.ExternalURL
	for _, x := range h.ExternalHeaders {
		header.Set(x.Key, x.Value)
	}
	switch h.ExternalAuthorizationType {
	case "bearerauth":
		header.Set("Authorization", "Bearer "+h.ExternalBearerToken)
	case "basicauth":
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(h.ExternalUserName+":"+h.ExternalPassword)))
	}
	return d.URL, header, ""
}

func (s *Sim) send(d *delivery, address string, header http.Header) (int, error) {
	timeout := webhookTimeout
	if d.Hook != "" {
		timeout = coreWebhookTimeout
	}
	ctx, cancel := context.WithTimeout(s.ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(d.Body))
	if err != nil {
		return 0, err
	}
	req.Header = header.Clone()
	resp, err := s.opts.Deliver.RoundTrip(req) // no redirects
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	return resp.StatusCode, nil
}

// Delivery is how one webhook event fared.
type Delivery struct {
	ID       string    `json:"id"`
	Type     string    `json:"type"`
	Order    int       `json:"order,omitempty"` // Upstock's
	Sale     string    `json:"sale,omitempty"`  // Cin7 Core's, by number
	URL      string    `json:"url"`
	At       time.Time `json:"at"`
	State    string    `json:"state"` // pending, delivered, failed
	Attempts int       `json:"attempts"`
	Status   int       `json:"status"`
	Problem  string    `json:"problem"`
	Next     time.Time `json:"next"`
	Body     string    `json:"body,omitempty"` // Cin7 Core's: not always JSON
}

// Deliveries lists a supplier's webhook deliveries at Upstock, oldest first.
func (s *Sim) Deliveries(supplier int) []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.bySup[supplier]; a != nil {
		return reports(a.Up.Deliveries)
	}
	return []Delivery{}
}

// CoreDeliveries lists a Cin7 Core account's webhook deliveries, oldest first.
func (s *Sim) CoreDeliveries(account string) []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.byCore[strings.ToLower(account)]; a != nil {
		return reports(a.Core.Deliveries)
	}
	return []Delivery{}
}

func reports(in []*delivery) []Delivery {
	out := make([]Delivery, len(in))
	for i, d := range in {
		out[i] = Delivery{d.ID, d.Type, d.Order, d.Sale, d.URL, d.At, d.State, d.Attempts, d.Status, d.Problem, d.Next, ""}
		if d.Hook != "" {
			out[i].Body = string(d.Body)
		}
	}
	return out
}
