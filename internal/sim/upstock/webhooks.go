package upstock

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"stockbridge/internal/sim"
)

// hook is a webhook URL that a supplier registered.
type hook struct {
	URL      string    `json:"url"`
	Secret   string    `json:"secret"`
	Old      string    `json:"old,omitempty"` // the secret before, which also signs until OldUntil
	OldUntil time.Time `json:"oldUntil"`
}

const (
	patience = 5 * time.Second
	rotation = 24 * time.Hour
)

// retries are the waits before the second to the ninth attempt: 8 over 4 h.
var retries = []time.Duration{1 * time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute,
	15 * time.Minute, 30 * time.Minute, 60 * time.Minute, 120 * time.Minute}

// RegisterWebhook registers a URL for a supplier's events, as a tenant does in
// Upstock's settings, sends a ping to it and returns the signing secret. Registering
// a URL again gives it a new secret at once.
func (v *Vendor) RegisterWebhook(supplier int, address string) (secret string, err error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "", errors.New("register webhook: not a URL")
	}
	v.sim.Lock()
	defer v.sim.Unlock()
	p := v.supplier(supplier)
	if p == nil {
		return "", fmt.Errorf("register webhook: no supplier %d", supplier)
	}
	h := &hook{URL: address, Secret: v.secret()}
	for i, old := range p.Hooks {
		if old.URL == address {
			p.Hooks = append(p.Hooks[:i:i], p.Hooks[i+1:]...)
			break
		}
	}
	p.Hooks = append(p.Hooks, h)
	p.seat.Changed()
	p.emitTo(h, "ping", nil, time.Now())
	return h.Secret, nil
}

// RotateWebhook gives a supplier's webhooks a new signing secret. The old one also
// signs for 24 hours.
func (v *Vendor) RotateWebhook(supplier int) (secret string, err error) {
	v.sim.Lock()
	defer v.sim.Unlock()
	p := v.supplier(supplier)
	if p == nil || len(p.Hooks) == 0 {
		return "", fmt.Errorf("rotate webhook: supplier %d has none", supplier)
	}
	secret = v.secret()
	for _, h := range p.Hooks {
		h.Old, h.Secret, h.OldUntil = h.Secret, secret, time.Now().Add(v.sim.Scaled(rotation))
	}
	p.seat.Changed()
	return secret, nil
}

func (v *Vendor) secret() string {
	b := v.sim.Random()
	return "whsec_" + base64.StdEncoding.EncodeToString(b[:])
}

// emit sends an event to all of a supplier's URLs.
func (p *supplier) emit(event string, o *order, now time.Time) {
	for _, h := range p.Hooks {
		p.emitTo(h, event, o, now)
	}
}

func (p *supplier) emitTo(h *hook, event string, o *order, now time.Time) {
	e := sim.Event{ID: "msg_" + p.vendor.sim.Token(), Type: event, URL: h.URL, At: now.UTC()}
	data := map[string]any{}
	if o != nil {
		data["order"], e.Order = o, o.ID
	}
	e.Body, _ = json.Marshal(map[string]any{"id": e.ID, "type": event,
		"occurredAt": now.UTC().Truncate(time.Millisecond),
		"supplierId": p.seat.Account.Upstock.Supplier, "data": data})
	p.seat.Send(e, 0)
}

// Timing implements sim.Sender, as do the next methods.
func (p *supplier) Timing() (time.Duration, []time.Duration) { return patience, retries }

// Envelope has the time and a signature.
func (p *supplier) Envelope(e *sim.Event, now time.Time) (header http.Header, problem string) {
	header = http.Header{"Content-Type": {"application/json"}, "User-Agent": {"Upstock-Webhooks/1"}}
	header.Set(standardwebhooks.HeaderWebhookID, e.ID)
	header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	header.Set(standardwebhooks.HeaderWebhookSignature, p.sign(e, now))
	return header, ""
}

func (p *supplier) GivenUp(*sim.Event) {}

// sign makes the webhook-signature header: one value per valid secret.
func (p *supplier) sign(e *sim.Event, now time.Time) string {
	var out []string
	for _, h := range p.Hooks {
		if h.URL != e.URL {
			continue
		}
		secrets := []string{h.Secret}
		if h.Old != "" && now.Before(h.OldUntil) {
			secrets = append(secrets, h.Old)
		}
		for _, secret := range secrets {
			if wh, err := standardwebhooks.NewWebhook(secret); err == nil {
				if sig, err := wh.Sign(e.ID, now, e.Body); err == nil {
					out = append(out, sig)
				}
			}
		}
	}
	return strings.Join(out, " ")
}

// Deliveries lists a supplier's webhook deliveries, oldest first.
func (v *Vendor) Deliveries(supplier int) []sim.Delivery {
	v.sim.Lock()
	defer v.sim.Unlock()
	if p := v.supplier(supplier); p != nil {
		return p.seat.Deliveries()
	}
	return []sim.Delivery{}
}
