package cloud

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"stockbridge/internal/alert"
	"stockbridge/internal/app"
)

// TestMailer: an e-mail as SES documents it, and what each of its answers means.
func TestMailer(t *testing.T) {
	status, answer := 200, `{"MessageId":"m-1"}`
	var calls atomic.Int32 // a handler whose connection breaks may not be over when Send is
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		body, _ := io.ReadAll(r.Body)
		var doc map[string]any
		if err := json.Unmarshal(body, &doc); err != nil || r.Method != "POST" ||
			r.URL.Path != "/v2/email/outbound-emails" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s %s: %v", r.Method, r.URL, body, err)
		}
		const want = `{"Content":{"Simple":{"Body":{"Text":{"Charset":"UTF-8","Data":"Kia ora\n"}},` +
			`"Subject":{"Charset":"UTF-8","Data":"Ā: 2 things"}}},"Destination":{"ToAddresses":["ana@example.com",` +
			`"ben@example.com"]},"FromEmailAddress":"alerts@example.com"}`
		if got, _ := json.Marshal(doc); string(got) != want {
			t.Errorf("%s", got)
		}
		auth := r.Header.Get("Authorization")
		if !strings.HasPrefix(auth, "AWS4-HMAC-SHA256 Credential=key/") ||
			!strings.Contains(auth, "/ap-southeast-2/ses/aws4_request, ") ||
			r.Header.Get("X-Amz-Security-Token") != "session" || strings.Contains(auth, "secret") {
			t.Errorf("signed as %s", auth)
		}
		if status == 0 {
			panic(http.ErrAbortHandler) // sent, and the answer is lost
		}
		w.WriteHeader(status)
		io.WriteString(w, answer)
	}))
	defer srv.Close()
	c, err := ReadConfig(env(map[string]string{"STORE": "", "TABLE": "t", "ORDERS_QUEUE_URL": "https://q.test/o",
		"CATALOG_QUEUE_URL": "https://q.test/c", "SHIPMENTS_QUEUE_URL": "https://q.test/s", "KMS_KEY_ID": "k",
		"AWS_REGION": "ap-southeast-2", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
		"AWS_SESSION_TOKEN": "session", "AWS_ENDPOINT_URL_SESV2": srv.URL, "ALERT_FROM": "alerts@example.com",
		"CONSOLE_URL": "https://console.example.com"}))
	if err != nil {
		t.Fatal(err)
	}
	deps := app.Deps{}
	mailing(c, &deps)
	m, _ := deps.Mailer.(*Mailer)
	if m == nil {
		t.Fatal("there is no mailer")
	}
	email := alert.Email{ID: "msg_1", To: []string{"ana@example.com", "ben@example.com"}, Subject: "Ā: 2 things",
		Text: "Kia ora\n"}
	const refused, unknown = true, false
	for _, one := range []struct {
		status  int
		answer  string
		taken   bool
		refused bool
		says    string
	}{
		{200, `{"MessageId":"m-1"}`, true, false, ""},
		{200, `{}`, false, unknown, "status 200"},
		{200, `<html>`, false, unknown, "status 200"},
		{200, ``, false, unknown, "status 200"},
		{400, `{"message":"Email address is not verified. The following identities failed the check in region ` +
			`AP-SOUTHEAST-2: arn:aws:ses:ap-southeast-2:1:identity/alerts@example.com"}`, false, refused,
			"it does not take this e-mail as it is."},
		{400, `<html>`, false, refused, "it does not take this e-mail as it is."},
		{404, `{"message":"arn:aws:ses:x:1:identity/x not found"}`, false, refused, "has not set up where"},
		{403, `{"message":"User: arn:aws:sts::1:x is not authorized"}`, false, refused, "whoever runs Stockbridge"},
		{413, `{"message":"arn:aws:ses:x:1"}`, false, refused, ""},
		{429, `{"message":"Maximum sending rate of arn:aws:x exceeded."}`, false, refused, "too many e-mails"},
		{500, `{}`, false, unknown, "status 500"},
		{503, `{"message":"busy"}`, false, unknown, "status 503"},
		{302, ``, false, unknown, "status 302"},
		{0, ``, false, unknown, "EOF"},
	} {
		status, answer = one.status, one.answer
		err := m.Send(t.Context(), email)
		no, isRefused := errors.AsType[*alert.Refused](err)
		if one.taken != (err == nil) || isRefused != one.refused {
			t.Errorf("%d %s: %v", one.status, one.answer, err)
		}
		switch said := strings.Contains(one.answer, "arn:"); {
		case isRefused && (!strings.Contains(no.Why, one.says) || (no.Why == "") != (one.says == "") ||
			strings.Contains(no.Why, "arn:") || said != strings.Contains(no.Answer, "arn:")):
			t.Errorf("%d %s: a tenant reads %q, our log %q", one.status, one.answer, no.Why, no.Answer)
		case !isRefused && err != nil && !strings.Contains(err.Error(), one.says):
			t.Errorf("%d %s: %v", one.status, one.answer, err)
		}
	}
	if n := calls.Load(); n != 14 {
		t.Errorf("%d calls: one was repeated", n)
	}
	srv.Close()
	if err := m.Send(t.Context(), email); err == nil {
		t.Error("sent to nobody")
	}
	c.MailFrom, deps = "", app.Deps{}
	if mailing(c, &deps); deps.Mailer != nil {
		t.Error("a mailer without a sender")
	}
	if deps, _, err := Open(c); err != nil || deps.Mailer != nil {
		t.Errorf("every function carries the mailer: %v", err)
	}
	if _, err := ReadConfig(env(map[string]string{"STORE": "file:x", "ALERT_FROM": "alerts"})); err == nil ||
		!strings.Contains(err.Error(), "ALERT_FROM ") {
		t.Errorf("%v", err)
	}
}
