package alert

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"stockbridge/internal/tenant"
)

// hook sends a message to the tenant's address, signed.
func (t *Teller) hook(ctx context.Context, b tenant.Bundle, a Alerts, m Message) Outcome {
	if fault := t.Guard.fault(a.URL); fault != "" {
		return Outcome{Text: fault + " Nothing was sent."}
	}
	secrets, err := t.Secrets(ctx, b.Tenant.ID, a)
	if errors.Is(err, tenant.ErrSealed) {
		return Outcome{Text: "The secret that signs it cannot be opened any more. Make a new one."}
	}
	var req *http.Request
	if err == nil {
		req, err = t.request(ctx, b, a, m, secrets)
	}
	if err != nil {
		t.Log.WarnContext(ctx, "an alert was not sent", "tenant", b.Tenant.ID, "way", string(Hook), "error", err)
		return Outcome{Text: "It could not be signed just now. Nothing was sent."}
	}
	return t.call(req)
}

// request is a message as it is sent, signed with every secret that counts.
func (t *Teller) request(ctx context.Context, b tenant.Bundle, a Alerts, m Message, s Secrets) (*http.Request, error) {
	body, err := m.body(b.Tenant, t.link(b.Tenant))
	if err != nil {
		return nil, err
	}
	now, secrets := t.now(), []tenant.Secret{s.Current}
	for _, o := range s.Old {
		if now.Before(o.Until) {
			secrets = append(secrets, o.Secret)
		}
	}
	var signatures []string
	for _, secret := range secrets {
		wh, err := standardwebhooks.NewWebhook(string(secret))
		if err != nil {
			return nil, errors.New("a secret is none") // the error of the library quotes it
		}
		signed, err := wh.Sign(m.ID, now, body)
		if err != nil {
			return nil, err
		}
		signatures = append(signatures, signed)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	h := req.Header
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "Stockbridge-Alerts/1")
	h.Set(standardwebhooks.HeaderWebhookID, m.ID)
	h.Set(standardwebhooks.HeaderWebhookTimestamp, fmt.Sprint(now.Unix()))
	h.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	return req, nil
}

// call makes the call. Of its answer the status alone is read.
func (t *Teller) call(req *http.Request) Outcome {
	var written atomic.Bool
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		WroteHeaders: func() { written.Store(true) },
	}))
	transport := t.Guard.transport()
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req) // which follows no redirect
	if err != nil {
		return Outcome{Unknown: written.Load(), Text: unanswered(req.Context(), err, written.Load())}
	}
	resp.Body.Close()
	switch status := resp.StatusCode; {
	case status < 200: // 101, which was not asked for
		return Outcome{Unknown: true, Text: fmt.Sprintf("It answered %d, which is no answer to a message.", status)}
	case status < 300:
		return Outcome{Taken: true, Text: fmt.Sprintf("It answered %d.", status)}
	case status < 400:
		return Outcome{Text: fmt.Sprintf("It answered %d, which leads elsewhere. That is not followed.", status)}
	default:
		return Outcome{Unknown: status >= 500, Text: fmt.Sprintf("It answered %d.", status)}
	}
}

// unanswered is what a tenant reads of a call without an answer: what the tenant can do something about, and nothing of
// what is inside our network.
func unanswered(ctx context.Context, err error, written bool) string {
	inside, isInside := errors.AsType[*notPublic](err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case isInside:
		return strings.ToUpper(inside.Error()[:1]) + inside.Error()[1:] + ". Nothing was sent."
	case errors.Is(err, errNoName):
		return "Its name is not known. Nothing was sent."
	case untrusted:
		return "Its certificate is not one that is trusted for this name. Nothing was sent."
	case ctx.Err() != nil && written:
		return "It did not answer in time."
	case written:
		return "It gave no answer that could be read."
	}
	return "It could not be reached. Nothing was sent."
}
