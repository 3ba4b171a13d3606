package cloud

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"stockbridge/internal/alert"
	"stockbridge/internal/app"
)

// StartMailing is Start for the function that sends e-mails. No other carries what does.
func StartMailing(getenv func(string) string, choose func(*app.App) Handler, needs ...string) error {
	return start(getenv, choose, mailing, needs...)
}

// mailing gives an app its mailer, where there is a sender's address and AWS.
func mailing(c Config, d *app.Deps) {
	if c.MailFrom != "" && c.Store == "" {
		d.Mailer = NewMailer(c)
	}
}

// Mailer sends e-mails by SES. It makes its one call itself: SES's own client would be a quarter of a megabyte more.
// (https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html)
type Mailer struct {
	from, endpoint, region string
	credentials            aws.Credentials
	http                   http.RoundTripper
}

// NewMailer returns the Mailer of a configuration.
func NewMailer(c Config) *Mailer {
	return &Mailer{
		from: c.MailFrom, region: c.aws.region,
		endpoint: cmp.Or(c.aws.ses, "https://email."+c.aws.region+".amazonaws.com"),
		credentials: aws.Credentials{
			AccessKeyID: c.aws.key, SecretAccessKey: c.aws.secret, SessionToken: c.aws.session,
		},
		http: Transport(),
	}
}

// sesText is a text of SES's API.
type sesText struct{ Data, Charset string }

// sesEmail is the body of SendEmail.
type sesEmail struct {
	FromEmailAddress string
	Destination      struct{ ToAddresses []string }
	Content          struct {
		Simple struct {
			Subject sesText
			Body    struct{ Text sesText }
		}
	}
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 10

// Send implements alert.Mailer. SES knows no idempotency: what is sent again arrives twice.
func (m *Mailer) Send(ctx context.Context, e alert.Email) error {
	doc := sesEmail{FromEmailAddress: m.from}
	doc.Destination.ToAddresses = e.To
	doc.Content.Simple.Subject = sesText{e.Subject, "UTF-8"}
	doc.Content.Simple.Body.Text = sesText{e.Text, "UTF-8"}
	body, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	req, err := m.signed(ctx, body)
	if err != nil {
		return err
	}
	resp, err := m.http.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("send an e-mail: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("send an e-mail: %w", err)
	}
	return sent(resp.StatusCode, answer)
}

// signed is the request, with its signature.
func (m *Mailer) signed(ctx context.Context, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.endpoint+"/v2/email/outbound-emails",
		bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	sum := sha256.Sum256(body)
	err = v4.NewSigner().SignHTTP(ctx, m.credentials, req, hex.EncodeToString(sum[:]), "ses", m.region, time.Now())
	return req, err
}

// refusal is what a tenant reads of a refusal; "" = nothing that is for tenants. What SES says itself names our own
// account and sender, and is for our log alone.
func refusal(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "it does not take this e-mail as it is. Check the addresses, and ask whoever runs Stockbridge."
	case http.StatusForbidden:
		return "whoever runs Stockbridge has not allowed it to send e-mails."
	case http.StatusNotFound:
		return "whoever runs Stockbridge has not set up where e-mails come from."
	case http.StatusTooManyRequests:
		return "too many e-mails at once."
	}
	return ""
}

// sent reads what SES answers: an *alert.Refused says that nothing was sent.
func sent(status int, answer []byte) error {
	var doc struct {
		MessageID string `json:"MessageId"`
		Message   string `json:"message"`
	}
	err := json.Unmarshal(answer, &doc)
	switch {
	case status == http.StatusOK && err == nil && doc.MessageID != "":
		return nil
	case status >= 400 && status < 500:
		return &alert.Refused{Why: refusal(status), Answer: fmt.Sprintf("status %d %s", status, doc.Message)}
	}
	return fmt.Errorf("send an e-mail: not an answer of SES, status %d", status)
}
