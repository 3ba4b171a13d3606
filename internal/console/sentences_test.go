package console

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/tenant"
)

// texts are all sentences of an answer.
func texts(v any) string {
	data, _ := json.Marshal(v)
	return string(data)
}

// TestSentencesAreTrue goes through the states of a tenant's connections and
// looks at what a person then reads: what must be said, and what would be untrue.
func TestSentencesAreTrue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		acc := h.sim.AddAccount("Aroha Foods", "NZD")
		id, path, token := h.tenant("Aroha Foods")
		core := acc.Cin7Core
		var webhook string
		revoke := func(vendor, account string, revoked bool) {
			w := httptest.NewRecorder()
			h.sim.Handler().ServeHTTP(w, httptest.NewRequest("PUT", "/sim/"+vendor+"/accounts/"+account, strings.NewReader(fmt.Sprintf(`{"revoked":%t}`, revoked))))
			if w.Code != 200 {
				t.Fatal(w.Body)
			}
		}
		const (
			noContact, noPlace, noTax = "no contact named", "no default location", "no active tax rule"
			noSecret                  = "No webhook secret is saved"
			noUpstock, noCore         = "Upstock is not connected", "Cin7 Core is not connected"
			reading                   = "being read for the first time"
			upstockRefused            = "Upstock refused the key"
			coreRefused               = "Cin7 Core refused the key"
		)
		type state struct {
			name           string
			enter          func()
			health         []string // said by health
			preview        []string // said by a preview
			event          string   // among the two newest
			never, nothing []string // not said by health; by preview
		}
		for _, s := range []state{
			{"nothing is connected", func() {}, []string{noUpstock, noCore}, []string{noCore, "Connect Cin7 Core."}, "",
				[]string{noContact, noPlace, noTax, noSecret, reading, upstockRefused, coreRefused}, []string{"reconnect", "by itself"}},
			{"Cin7 Core is connected, not read", func() { h.do("PUT", path+"/connections/cin7core", token, core).is(200) },
				[]string{noUpstock, `"reading"`}, []string{noUpstock, "Connect Upstock."}, "Cin7 Core was connected",
				[]string{noContact, noPlace, noTax, noCore, noSecret, upstockRefused, coreRefused}, []string{noCore}},
			{"Upstock too, without a secret", func() {
				webhook = h.do("PUT", path+"/connections/upstock", token, map[string]string{"token": acc.Upstock.Token}).is(200).get("webhookUrl").(string)
			}, []string{noSecret, "Switch off Upstock's own", `"reading"`}, []string{reading, "health says how far"}, "Upstock was connected",
				[]string{noContact, noPlace, noTax, noUpstock, noCore}, []string{noUpstock, noCore, "key"}},
			{"the secret saved", func() {
				secret, err := h.sim.RegisterWebhook(acc.Upstock.Supplier, webhook)
				if err != nil {
					t.Fatal(err)
				}
				h.do("PUT", path+"/connections/upstock", token, map[string]string{"webhookSecret": secret}).is(200)
			}, []string{`"reading"`}, []string{reading}, "The webhook secret of Upstock was saved.",
				[]string{noContact, noPlace, noTax, noSecret}, []string{"key"}},
			{"read", func() { h.started = h.started[:1]; h.work() }, []string{`"ready"`}, []string{`"sale":{`}, "read for the first time: orders can be sent",
				[]string{noContact, noPlace, noTax, noSecret, `"reading"`}, []string{"notReady"}},
			{"Cin7 Core's key is refused", func() {
				revoke("cin7core", core.AccountID, true)
				h.do("POST", path+"/sync/shipments", token, nil).is(202)
				h.work()
			}, []string{coreRefused, "needsReconnecting", `"refused":"2`}, []string{"Cin7 Core needs reconnecting", "Save a new key of Cin7 Core."}, coreRefused,
				[]string{upstockRefused, noSecret, noCore}, []string{"Connect", noCore}},
			{"Cin7 Core's key is replaced", func() {
				revoke("cin7core", core.AccountID, false)
				h.do("PUT", path+"/connections/cin7core", token, core).is(200)
				h.work()
			}, []string{`"ready"`}, []string{`"sale":{`}, "", []string{coreRefused, "needsReconnecting"}, []string{"reconnect"}},
			{"Upstock's key is refused", func() {
				revoke("upstock", fmt.Sprint(acc.Upstock.Supplier), true)
				h.approve(acc, path, "{}") // sold, and Upstock cannot be told
			}, []string{upstockRefused, "needsReconnecting"}, nil, upstockRefused, []string{coreRefused, noSecret}, []string{noUpstock}},
			{"Upstock is taken away", func() { h.do("DELETE", path+"/connections/upstock", token, nil).is(204) },
				[]string{noUpstock}, nil, "Upstock was disconnected.", []string{noSecret, upstockRefused, noCore}, []string{noCore}},
		} {
			time.Sleep(time.Second) // an event a second, so that the newest is known
			s.enter()
			health := h.do("GET", path+"/health", token, nil).is(200)
			connections := h.do("GET", path+"/connections", token, nil).is(200)
			preview := h.do("POST", path+"/orders/preview", token, `{"order":`+previewed+`}`).is(200)
			shown := texts(map[string]any{"connections": health.get("connections"), "jobs": health.get("jobs"), "mirror": health.get("mirror"),
				"webhooks": health.get("webhooks"), "list": connections.body})
			for _, want := range s.health {
				if !strings.Contains(shown, want) {
					t.Errorf("%s: health does not say %q: %s", s.name, want, shown)
				}
			}
			for _, not := range s.never {
				if strings.Contains(shown, not) {
					t.Errorf("%s: health says %q: %s", s.name, not, shown)
				}
			}
			for _, want := range s.preview {
				if !strings.Contains(preview.raw, want) {
					t.Errorf("%s: the preview does not say %q: %s", s.name, want, preview.raw)
				}
			}
			for _, not := range s.nothing {
				if strings.Contains(preview.raw, not) {
					t.Errorf("%s: the preview says %q: %s", s.name, not, preview.raw)
				}
			}
			if events := h.do("GET", path+"/events?limit=2", token, nil).is(200); !strings.Contains(events.raw, s.event) {
				t.Errorf("%s: the newest events do not say %q: %s", s.name, s.event, events.raw)
			}
		}
		// Events stand in the order in which they happened.
		var last time.Time
		for _, e := range h.do("GET", path+"/events?limit=100", token, nil).is(200).get("items").([]any) {
			at, err := time.Parse(time.RFC3339, object(e)["at"].(string))
			if err != nil || !last.IsZero() && at.After(last) {
				t.Errorf("an event of %s stands behind one of %s", at, last)
			}
			last = at
		}
		if _, err := h.tenants.Connection(t.Context(), id, tenant.Cin7Core); err != nil {
			t.Error(err)
		}
	})
}

// previewed is an order of a customer that the simulators' accounts have.
const previewed = `{"id":77,"orderNumber":"KC-77","orderDate":"2026-03-02","status":"processing","approvedAt":"2026-03-02T09:30:00Z","currency":"NZD","customer":{"id":301,"name":"Harbourside Grocers","externalId":null},
	"lines":[{"id":1,"productExternalId":null,"sku":"KWK-100","name":"Tea","quantity":"2","unitPrice":"8.90","discountPercent":"0","taxRate":"15.00"}],"freight":null,"external":null}`

// A card's address is shown as it is there, not as its id alone.
func TestPreviewShowsTheCardsAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		_, _, path, token := h.supplier("Aroha Foods")
		a := h.do("POST", path+"/orders/preview", token, `{"order":`+previewed+`}`).is(200)
		if at := object(a.get("sale.shippingAddress")); at["id"] == nil || at["line1"] == "" || at["city"] == "" {
			t.Errorf("%v", at)
		}
	})
}
