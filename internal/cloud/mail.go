package cloud

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

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

// mailPatience is how long SES may be silent: an e-mail whose answer was not awaited arrives twice.
const mailPatience = 10 * time.Second

// Mailer sends e-mails by SES.
// (https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html)
type Mailer struct {
	from string
	ses  service
}

// NewMailer returns the Mailer of a configuration.
func NewMailer(c Config) *Mailer {
	ses := c.aws.service("email", c.aws.ses, impatient{Transport(), mailPatience})
	ses.name = "ses" // its signatures have another name than its address
	return &Mailer{c.MailFrom, ses}
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
	status, answer, err := m.ses.post(ctx, "/v2/email/outbound-emails",
		http.Header{"Content-Type": {"application/json"}}, body)
	if err != nil {
		return fmt.Errorf("send an e-mail: %w", err)
	}
	return sent(status, answer)
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
