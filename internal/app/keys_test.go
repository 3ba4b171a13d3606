package app

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/console/consoletest"
	"stockbridge/internal/sim"
	simcin7core "stockbridge/internal/sim/cin7core"
	simcin7omni "stockbridge/internal/sim/cin7omni"
	simjoor "stockbridge/internal/sim/joor"
	simupstock "stockbridge/internal/sim/upstock"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/vendor"
)

type answering func(*http.Request) (*http.Response, error)

func (f answering) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// keys is an app before simulated vendors, under fake time.
type keys struct {
	*App
	t     *testing.T
	ctx   context.Context
	sim   *sim.Sim
	store table.Table
	far   func(*http.Request) (*http.Response, error) // instead of the simulators, where set
	calls atomic.Int64
}

func withKeys(t *testing.T, test func(k *keys)) {
	synctest.Test(t, func(t *testing.T) {
		store, err := table.Open(filepath.Join(t.TempDir(), "s.db"), table.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		s, err := sim.New(sim.Options{Seed: "keys"}, simupstock.New(), simcin7core.New(simcin7core.Options{}),
			simcin7omni.New(), simjoor.New())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		k := &keys{t: t, ctx: context.Background(), sim: s, store: store}
		k.open(bytes.Repeat([]byte{1}, 32))
		test(k)
	})
}

// open is a start of the process, with a sealing key.
func (k *keys) open(key []byte) {
	k.t.Helper()
	box, err := tenant.NewBox(key)
	if err != nil {
		k.t.Fatal(err)
	}
	far := k.sim.Transport()
	k.App = New(Deps{
		Table: k.store, Sealer: box, PublicURL: "https://hooks.example.com",
		Operators: tenant.OperatorsOf("operators-token"),
		URLs: map[tenant.System]string{tenant.Upstock: "http://v.test" + sim.PrefixUpstock,
			tenant.Cin7Core: "http://v.test" + sim.PrefixCin7Core,
			tenant.Cin7Omni: "http://v.test" + sim.PrefixCin7Omni, tenant.JOOR: "http://v.test" + sim.PrefixJOOR},
		Send: func(context.Context, Queue, []byte, string, time.Duration) error { return nil },
		HTTP: answering(func(r *http.Request) (*http.Response, error) {
			k.calls.Add(1)
			if k.far != nil {
				return k.far(r)
			}
			return far.RoundTrip(r)
		}),
	})
}

func (k *keys) tenant(name string) string {
	k.t.Helper()
	tn, _, err := k.Tenants.Create(k.ctx, name, "Pacific/Auckland")
	if err != nil {
		k.t.Fatal(err)
	}
	return tn.ID
}

func (k *keys) connect(id string, sys tenant.System, c vendor.Credentials) error {
	_, _, err := k.Vendors.Connect(k.ctx, id, sys, c)
	return err
}

func (k *keys) must(err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatal(err)
	}
}

// api makes a call to the console as the operator.
func (k *keys) api(method, path, body string) (int, string) {
	req := httptest.NewRequest(method, "http://console.test/api/v1"+path, strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer operators-token")
	req.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	consoletest.Watch(k.t, k.Console(nil)).ServeHTTP(rec, req)
	return rec.Code, rec.Body.String()
}

func codeOf(err error) string {
	refused, ok := errors.AsType[*vendor.ConnectError](err)
	if !ok {
		return fmt.Sprint(err)
	}
	return refused.Problem.Code
}

// TestKeyTrials: who tries keys is bounded, and nobody is by what others try.
func TestKeyTrials(t *testing.T) {
	withKeys(t, func(k *keys) {
		acc, other := k.sim.AddAccount("Kea Traders", ""), k.sim.AddAccount("Tui Foods", "")
		right := vendor.Credentials{Account: acc.Cin7Core.AccountID, Key: tenant.Secret(acc.Cin7Core.ApplicationKey)}
		guess := func(account string) vendor.Credentials {
			return vendor.Credentials{Account: account, Key: "5f1c7a10-0d5b-4a51-9c2e-8b0f3f6a77d1"}
		}
		holder, stranger, second := k.tenant("holder"), k.tenant("stranger"), k.tenant("second")
		k.must(k.connect(holder, tenant.Cin7Core, right))
		c, err := k.Tenants.Connection(k.ctx, holder, tenant.Cin7Core)
		k.must(err)
		left := func() int {
			s, err := k.bucket(c, true).State(k.ctx)
			k.must(err)
			return s.Left
		}
		if left() != 59 {
			t.Errorf("the trial that succeeded left %d of 60 calls", left())
		}

		// A stranger has three an hour for the account, in any case of letters; a second stranger has its own.
		for _, who := range []string{stranger, second} {
			for n := range 5 {
				before := k.calls.Load()
				got := codeOf(k.connect(who, tenant.Cin7Core, guess(strings.ToUpper(acc.Cin7Core.AccountID))))
				if want := map[bool]string{true: "keyRefused", false: "tooManyTrials"}[n < 3]; got != want ||
					(k.calls.Load() > before) != (n < 3) {
					t.Errorf("a stranger's trial %d: %s after %d calls", n+1, got, k.calls.Load()-before)
				}
			}
		}
		status, body := k.api("PUT", "/tenants/"+stranger+"/connections/cin7core",
			`{"accountId":"`+acc.Cin7Core.AccountID+`","applicationKey":"0d5b5f1c-7a10-4a51-9c2e-8b0f3f6a77d1"}`)
		if status != http.StatusTooManyRequests || !strings.Contains(body, "Pacific/Auckland") ||
			strings.Contains(body, "another") {
			t.Errorf("%d %s", status, body)
		}
		if left() != 59 {
			t.Errorf("refused trials left %d of 60 calls", left())
		}
		// The holder is not limited by them, nor is the stranger with an account of its own.
		k.must(k.connect(holder, tenant.Cin7Core, right))
		own := other.Cin7Core
		typed := vendor.Credentials{Account: own.AccountID, Key: tenant.Secret(own.ApplicationKey)}
		if err := k.connect(stranger, tenant.Cin7Core, typed); err != nil {
			t.Error(err)
		}
		time.Sleep(61 * time.Minute)
		if got := codeOf(k.connect(stranger, tenant.Cin7Core, guess(acc.Cin7Core.AccountID))); got != "keyRefused" {
			t.Errorf("an hour later: %s", got)
		}
		// With the right key a stranger becomes a holder.
		k.must(k.connect(second, tenant.Cin7Core, right))
		for range 5 {
			k.must(k.connect(second, tenant.Cin7Core, right))
		}
		// Whoever has left the account is none any more.
		k.must(k.Vendors.Disconnect(k.ctx, second, tenant.Cin7Core))
		for range 3 {
			_ = k.connect(second, tenant.Cin7Core, guess(acc.Cin7Core.AccountID))
		}
		if got := codeOf(k.connect(second, tenant.Cin7Core, right)); got != "tooManyTrials" {
			t.Errorf("a former holder's fourth trial: %s", got)
		}

		// One tenant has ten in ten minutes, whatever the account and the system.
		busy := k.tenant("busy")
		for n := range 12 {
			typed := vendor.Credentials{Key: tenant.Secret(fmt.Sprint("guessed-token-", n))}
			got := codeOf(k.connect(busy, tenant.Upstock, typed))
			if want := map[bool]string{true: "keyRefused", false: "tooManyTrials"}[n < 10]; got != want {
				t.Errorf("a tenant's trial %d: %s", n+1, got)
			}
		}
		k.must(k.connect(holder, tenant.Upstock, vendor.Credentials{Key: tenant.Secret(acc.Upstock.Token)}))

		// All together slow each other down, and stop nobody.
		begun := time.Now()
		for n := range 70 {
			typed := vendor.Credentials{Key: "guessed-token"}
			if got := codeOf(k.connect(k.tenant(fmt.Sprint("crowd ", n)), tenant.Upstock, typed)); got != "keyRefused" {
				t.Errorf("trial %d of the crowd: %s", n, got)
			}
		}
		if took := time.Since(begun); took < 3*time.Second || took > 3*time.Minute {
			t.Errorf("70 tenants' trials took %v", took)
		}
	})
}

// TestTrialNeedsAnAccount: a key is not tested by an answer that is none of an account.
func TestTrialNeedsAnAccount(t *testing.T) {
	withKeys(t, func(k *keys) {
		id := k.tenant("tenant")
		for _, body := range []string{`{}`, `[]`, `""`, `{"ID":"1"}`, `{"Company":"","Currency":"NZD"}`,
			`{"company":"Kea","currency":null}`, `<html></html>`, `{"id":7}`, `{"id":0,"name":"Kea","currency":"NZD"}`,
			``} {
			k.far = func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: 200, Header: http.Header{},
					Body: io.NopCloser(strings.NewReader(body))}, nil
			}
			core := vendor.Credentials{Account: "5f1c7a10-0d5b-4a51-9c2e-8b0f3f6a77d1", Key: "some-key"}
			for sys, cred := range map[tenant.System]vendor.Credentials{
				tenant.Cin7Core: core, tenant.Upstock: {Key: "some-token"},
			} {
				if got := codeOf(k.connect(id, sys, cred)); got != "noAnswer" {
					t.Errorf("%s answers %s: %s", sys, body, got)
				}
				if _, err := k.Tenants.Connection(k.ctx, id, sys); !errors.Is(err, tenant.ErrNotFound) {
					t.Errorf("%s answers %s: saved (%v)", sys, body, err)
				}
			}
			time.Sleep(10 * time.Minute)
		}
	})
}

// TestKeysStayAway: a vendor that repeats a key, in an error or as a name, has it stored and shown nowhere.
func TestKeysStayAway(t *testing.T) {
	withKeys(t, func(k *keys) {
		for _, key := range []string{"s3cr3t", "5f1c7a10-0d5b-4a51-9c2e-8b0f3f6a77d1"} {
			id := k.tenant("tenant")
			again := base64.StdEncoding.EncodeToString([]byte("me:" + key))
			answer := func(status int, body string) {
				k.far = func(*http.Request) (*http.Response, error) {
					return &http.Response{StatusCode: status, Header: http.Header{},
						Body: io.NopCloser(strings.NewReader(body))}, nil
				}
			}
			put := func(sys, body string, status int) {
				got, text := k.api("PUT", "/tenants/"+id+"/connections/"+sys, body)
				for _, p := range []string{"/health", "/connections", "/events"} {
					_, more := k.api("GET", "/tenants/"+id+p, "")
					text += more
				}
				if got != status || strings.Contains(text, key) || strings.Contains(text, again) ||
					strings.Contains(text, strings.ToUpper(key)) {
					t.Errorf("%s %s: %d %s", sys, key, got, text)
				}
			}
			core := `{"accountId":"0d5b5f1c-7a10-4a51-9c2e-8b0f3f6a77d1","applicationKey":"` + key + `"}`
			answer(400, `[{"ErrorCode":400,"Exception":"Key '`+key+`' (`+again+`) has no such company"}]`)
			put("cin7core", core, 422)
			answer(200, `{"Company":"Kea `+strings.ToUpper(key)+` `+again+`","Currency":"NZD","TimeZone":"`+key+`"}`)
			put("cin7core", core, 200)
			answer(422, `{"error":{"code":"x","message":"Bearer `+key+`","details":[{"field":"`+key+`","message":"`+
				again+`"}]}}`)
			put("upstock", `{"token":"`+key+`"}`, 422)
			answer(200, `{"id":`+fmt.Sprint(len(key))+`,"name":"`+key+
				`","currency":"NZD","timeZone":"Pacific/Auckland"}`)
			put("upstock", `{"token":"`+key+`"}`, 200)
			k.far = nil
		}
	})
}

func webhookSecret(bytes int) tenant.Secret {
	return tenant.Secret("whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", bytes))))
}

// url is the address of a connection's webhooks.
func (k *keys) url(c tenant.Connection) string {
	s, err := k.Tenants.Secrets(k.ctx, c)
	k.must(err)
	return k.Vendors.URL(c.System, s)
}

// ping delivers a ping to a webhook URL, signed with a key.
func (k *keys) ping(url string, supplier int, key []byte) int {
	body := fmt.Sprintf(`{"id":"evt_%d","type":"ping","supplierId":%d,"data":{}}`, k.calls.Load(), supplier)
	at := fmt.Sprint(time.Now().Unix())
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("msg_1." + at + "." + body))
	req := httptest.NewRequest("POST", url, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("webhook-id", "msg_1")
	req.Header.Set("webhook-timestamp", at)
	req.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	rec := httptest.NewRecorder()
	k.Webhook().ServeHTTP(rec, req)
	return rec.Code
}

// TestWebhookSecrets: 24 to 64 bytes are taken; what was saved before goes on, but for an empty one.
func TestWebhookSecrets(t *testing.T) {
	withKeys(t, func(k *keys) {
		acc := k.sim.AddAccount("Kea Traders", "")
		id := k.tenant("tenant")
		k.must(k.connect(id, tenant.Upstock, vendor.Credentials{Key: tenant.Secret(acc.Upstock.Token)}))
		for secret, fine := range map[tenant.Secret]bool{
			"whsec_": false, "whsec_====": false, "whsec_not base64!": false, webhookSecret(1): false,
			webhookSecret(23): false, webhookSecret(24): true, webhookSecret(64): true,
			webhookSecret(65): false,
		} {
			err := k.connect(id, tenant.Upstock, vendor.Credentials{WebhookSecret: secret})
			wrong, ok := err.(tenant.FieldErrors)
			if fine && err != nil || !fine && (!ok || wrong[0].Field != "webhookSecret") {
				t.Errorf("%s: %v", string(secret), err)
			}
		}
		for secret, want := range map[tenant.Secret]struct {
			status int
			note   string
		}{webhookSecret(10): {202, "too short"}, "whsec_": {401, "is empty"}, "whsec_====": {401, "is empty"},
			webhookSecret(24): {202, ""}} {
			c, _, err := k.Tenants.Connect(k.ctx, id, tenant.Upstock,
				func(_ *tenant.Connection, s *tenant.Secrets) error {
					s.WebhookSecret, s.Replaced = secret, nil
					return nil
				})
			k.must(err)
			// Only the present one is asked about here: those before it are good for a day more.
			time.Sleep(25 * time.Hour)
			key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(string(secret), "whsec_"))
			url := k.url(c)
			if got := k.ping(url, acc.Upstock.Supplier, key); got != want.status {
				t.Errorf("%s: a delivery signed with it is answered %d", string(secret), got)
			}
			_, body := k.api("GET", "/tenants/"+id+"/health", "")
			if want.note != "" && !strings.Contains(body, want.note) ||
				want.note == "" && (strings.Contains(body, "too short") || strings.Contains(body, "is empty")) {
				t.Errorf("%s: health says %s", string(secret), body)
			}
			// Another field of the connection can be saved all the same.
			typed := vendor.Credentials{Key: tenant.Secret(acc.Upstock.Token)}
			if err := k.connect(id, tenant.Upstock, typed); err != nil {
				t.Errorf("%s: %v", string(secret), err)
			}
		}
	})
}

// TestLostSealingKey: it says so at once, and saving new keys is all that it takes.
func TestLostSealingKey(t *testing.T) {
	withKeys(t, func(k *keys) {
		acc := k.sim.AddAccount("Kea Traders", "")
		up := vendor.Credentials{Key: tenant.Secret(acc.Upstock.Token), WebhookSecret: webhookSecret(32)}
		core := vendor.Credentials{Account: acc.Cin7Core.AccountID, Key: tenant.Secret(acc.Cin7Core.ApplicationKey)}
		id, path := k.tenant("tenant"), ""
		path = "/tenants/" + id
		k.must(k.connect(id, tenant.Upstock, up))
		k.must(k.connect(id, tenant.Cin7Core, core))
		c, err := k.Tenants.Connection(k.ctx, id, tenant.Upstock)
		k.must(err)
		url := k.url(c)
		if lost, err := k.Vendors.CheckSeals(k.ctx); lost != 0 || err != nil {
			t.Errorf("a good key: %d %v", lost, err)
		}

		k.open(bytes.Repeat([]byte{2}, 32))
		if got := k.ping(url, acc.Upstock.Supplier,
			bytes.Repeat([]byte("k"), 32)); got != http.StatusServiceUnavailable {
			t.Errorf("a delivery is answered %d", got)
		}
		if lost, err := k.Vendors.CheckSeals(k.ctx); lost != 2 || err != nil {
			t.Errorf("a lost key: %d %v", lost, err)
		}
		for _, p := range []string{"/health", "/connections", "/connections/upstock"} {
			status, body := k.api("GET", path+p, "")
			if status != 200 || !strings.Contains(body, `"needsReconnecting"`) ||
				!strings.Contains(body, "sealed with is lost or disabled") {
				t.Errorf("%s: %d %s", p, status, body)
			}
		}
		if _, body := k.api("GET", path+"/events", ""); strings.Count(body, `"unsealed"`) != 2 {
			t.Errorf("events: %s", body)
		}

		// The old key back: all goes on as it was.
		k.open(bytes.Repeat([]byte{1}, 32))
		if lost, err := k.Vendors.CheckSeals(k.ctx); lost != 0 || err != nil {
			t.Errorf("the key is back: %d %v", lost, err)
		}
		if _, body := k.api("GET", path+"/connections", ""); strings.Contains(body, "needsReconnecting") ||
			!strings.Contains(body, url) {
			t.Errorf("the key is back: %s", body)
		}

		// Lost for good: new keys are saved, nothing else.
		k.open(bytes.Repeat([]byte{3}, 32))
		if status, body := k.api("PUT", path+"/connections/upstock",
			`{"webhookSecret":"`+string(up.WebhookSecret)+`"}`); status != 422 || !strings.Contains(body, `"token"`) {
			t.Errorf("a part of the keys: %d %s", status, body)
		}
		status, body := k.api("PUT", path+"/connections/upstock",
			`{"token":"`+acc.Upstock.Token+`","webhookSecret":"`+string(up.WebhookSecret)+`"}`)
		if status != 200 || strings.Contains(body, url) ||
			!strings.Contains(body, "https://hooks.example.com/webhooks/upstock/") {
			t.Errorf("new keys: %d %s", status, body)
		}
		k.must(k.connect(id, tenant.Cin7Core, core))
		if lost, err := k.Vendors.CheckSeals(k.ctx); lost != 0 || err != nil {
			t.Errorf("new keys: %d %v", lost, err)
		}
		c, err = k.Tenants.Connection(k.ctx, id, tenant.Upstock)
		k.must(err)
		renewed := k.url(c)
		if got := k.ping(url, acc.Upstock.Supplier, bytes.Repeat([]byte("k"), 32)); got != http.StatusNotFound {
			t.Errorf("a delivery to the old address is answered %d", got)
		}
		if got := k.ping(renewed, acc.Upstock.Supplier, bytes.Repeat([]byte("k"), 32)); got != http.StatusAccepted {
			t.Errorf("a delivery to the new address is answered %d", got)
		}

		// And a connection whose key is lost can be taken away.
		k.open(bytes.Repeat([]byte{4}, 32))
		for _, sys := range []tenant.System{tenant.Upstock, tenant.Cin7Core} {
			if err := k.Vendors.Disconnect(k.ctx, id, sys); err != nil {
				t.Errorf("disconnect %s: %v", sys, err)
			}
		}
	})
}

// TestKeyFile: a sealing key is its owner's alone.
func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db.key")
	if _, err := tenant.OpenBox(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("a new key file: %v %v", info.Mode(), err)
	}
	for mode, fine := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: false, 0o604: false, 0o644: false,
		0o666: false} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := tenant.OpenBox(path)
		if (err == nil) != fine || err != nil && !strings.Contains(err.Error(), path) {
			t.Errorf("%v: %v", mode, err)
		}
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	_ = os.Chmod(path, 0o600)
	if _, err := tenant.OpenBox(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a broken key file: %v", err)
	}
}
