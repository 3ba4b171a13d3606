package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"stockbridge/internal/alert"
)

// TestMailbox: e-mails are files that are shown to this machine alone, and what is sent again is there once.
func TestMailbox(t *testing.T) {
	m := &mailbox{dir: filepath.Join(t.TempDir(), "mail")}
	show := func(remote, host string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "http://"+host+mailPath, nil)
		r.RemoteAddr = remote
		w := httptest.NewRecorder()
		m.ServeHTTP(w, r)
		return w
	}
	const here = "127.0.0.1:8080"
	if w := show(here, here); w.Code != 200 || !strings.Contains(w.Body.String(), "There are none yet.") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for range 2 {
		if err := m.Send(t.Context(), alert.Email{ID: "msg_1", To: []string{"ana@example.com"},
			Subject: `Āroha <script>alert(1)</script>`, Text: "First\n\n.\n<b>second</b>\n"}); err != nil {
			t.Fatal(err)
		}
	}
	if files, _ := os.ReadDir(m.dir); len(files) != 1 {
		t.Errorf("%d files", len(files))
	}
	body := show(here, "localhost").Body.String()
	if strings.Count(body, "<article>") != 1 || strings.Contains(body, "<script>") || strings.Contains(body, "<b>") ||
		!strings.Contains(body, "Āroha &lt;script&gt;") || !strings.Contains(body, "\n.\n&lt;b&gt;second") {
		t.Error(body)
	}
	for _, from := range [][2]string{
		{"192.0.2.1:5000", here}, {here, "rebound.example.com"}, {here, "rebound.example.com:8080"},
	} {
		if w := show(from[0], from[1]); w.Code != http.StatusForbidden {
			t.Errorf("shown to %v: %d", from, w.Code)
		}
	}
}

// TestAlertsHere: in the runner an alert comes into the folder; an address of this machine is refused, unless the flag
// admits it, and then its signature is good.
func TestAlertsHere(t *testing.T) {
	for _, flag := range []string{"-alerts-loopback=false", "-alerts-loopback"} {
		got := make(chan http.Header, 1)
		var secret string
		receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			wh, werr := standardwebhooks.NewWebhook(secret)
			if err != nil || werr != nil || wh.Verify(body, r.Header) != nil {
				t.Errorf("%s: %v", body, err)
			}
			got <- r.Header
		}))
		defer receiver.Close()
		dir := t.TempDir()
		o, err := parse([]string{"-listen", "127.0.0.1:0", "-data", dir, "-demo=false", "-every", "alerts=1h", flag},
			os.Stderr)
		if err != nil {
			t.Fatal(err)
		}
		r, err := start(o, dir, "", func(string) string { return "" }, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		c := client{base: r.web.url, token: o.token}
		var made struct{ ID string }
		aroha := map[string]string{"name": "Aroha"}
		if err := c.call(t.Context(), "POST", "/api/v1/tenants", aroha, &made); err != nil {
			t.Fatal(err)
		}
		var saved struct{ Secret string }
		err = c.call(t.Context(), "PUT", "/api/v1/tenants/"+made.ID+"/alerts", map[string]any{
			"emails": []string{"ana@example.com"}, "url": receiver.URL}, &saved)
		if secret = saved.Secret; (err == nil) != o.alertsHere {
			t.Fatalf("%s: %v", flag, err)
		}
		if !o.alertsHere {
			r.close()
			continue
		}
		confirmAll(t, r.web.url, dir)
		if err := c.call(t.Context(), "POST", "/api/v1/tenants/"+made.ID+"/alerts/test", nil, nil); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), longest)
		defer cancel()
		select {
		case h := <-got:
			if h.Get("webhook-id") == "" {
				t.Errorf("%v", h)
			}
		case <-ctx.Done():
			t.Error("nothing came")
		}
		r.close()
		resp, err := filepath.Glob(filepath.Join(dir, "mail", "*.eml"))
		if err != nil || len(resp) != 2 { // the link, and the test
			t.Errorf("e-mails: %v %v", resp, err)
		}
	}
}

// confirmAll waits for the e-mail with the link, and follows it.
func confirmAll(t *testing.T, base, dir string) {
	t.Helper()
	for end := time.Now().Add(longest); time.Now().Before(end); {
		files, err := filepath.Glob(filepath.Join(dir, "mail", "ask_*.eml"))
		if err != nil {
			t.Fatal(err)
		}
		if len(files) == 0 {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		data, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.Post(base+confirmLink.FindString(string(data)), "", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("confirmed: %d", resp.StatusCode)
		}
		return
	}
	t.Fatal("no e-mail asks for confirmation")
}
