package console

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"regexp"
	"slices"
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

// said is what a person reads, by the part of an answer that says it.
type said map[string][]string

// How a connection is, whatever is said of it.
const (
	away     = "away" // not connected
	fine     = "fine"
	refused  = "refused"  // the vendor refused its key
	unsealed = "unsealed" // its stored key cannot be opened
)

// untrue are the sentences that are false of a system in each way in which its connection can be.
func untrue(system, how string) []string {
	absent, key, reconnect, seal := system+" is not connected", system+" refused the key", system+" needs reconnecting",
		"The stored key of "+system
	return map[string][]string{
		away:     {key, reconnect, seal},
		fine:     {absent, key, reconnect, seal},
		refused:  {absent, seal},
		unsealed: {absent, key},
	}[how]
}

// hours is a time of day in a sentence; a moment that programs read ends in seconds, and an ExternalID begins with a
// name.
var hours = regexp.MustCompile(`^[^:]*\b[0-9]{1,2}:[0-9]{2}( |\.|,|$)`)

// hear reads all that a tenant reads of its connections now, by part.
func (h *house) hear(path, token string) map[string]string {
	h.t.Helper()
	health := h.do("GET", path+"/health", token, nil).is(200)
	connections := h.do("GET", path+"/connections", token, nil).is(200)
	gaps, whys := []any{}, []any{}
	for _, list := range []any{health.get("connections"), connections.get("items")} {
		for _, c := range list.([]any) {
			gaps = append(gaps, elements(object(c)["gaps"])...)
			delete(object(c), "gaps")
		}
	}
	for _, o := range h.do("GET", path+"/orders?limit=100", token, nil).is(200).get("items").([]any) {
		why := object(o)["why"]
		if one := h.do("GET", fmt.Sprint(path, "/orders/", object(o)["id"]), token,
			nil).is(200).get("why"); one != why {
			h.t.Errorf("the list says %v of order %v, and its page %v", why, object(o)["id"], one)
		}
		if why != nil {
			whys = append(whys, why)
		}
	}
	return map[string]string{
		"health": texts(map[string]any{"connections": health.get("connections"), "jobs": health.get("jobs"),
			"mirror":   health.get("mirror"),
			"webhooks": health.get("webhooks"), "list": connections.body}),
		"settings": texts(health.get("settings")),
		"completeness": texts([]any{health.get("completeness"),
			h.do("GET", path+"/completeness", token, nil).is(200).body}),
		"backlog": texts(health.get("backlog")),
		"gaps":    texts(gaps),
		"why":     texts(whys),
		"preview": h.do("POST", path+"/orders/preview", token, `{"order":`+previewed+`}`).is(200).raw,
		"event":   h.do("GET", path+"/events?limit=2", token, nil).is(200).raw,
	}
}

// TestSentencesAreTrue goes through the states of a tenant's connections and
// looks at what a person then reads: what must be said, and what would be untrue.
func TestSentencesAreTrue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		acc, other := h.sim.AddAccount("Aroha Foods", "NZD"), h.sim.AddAccount("Southern Lakes", "NZD")
		id, path, token := h.tenant("Aroha Foods")
		core, upstock := acc.Cin7Core, map[string]string{"token": acc.Upstock.Token}
		var webhook, secret, first string
		vendor := func(vendor, account, body string) {
			w := httptest.NewRecorder()
			h.sim.Handler().ServeHTTP(w,
				httptest.NewRequest("PUT", "/sim/"+vendor+"/accounts/"+account, strings.NewReader(body)))
			if w.Code != 200 {
				t.Fatal(w.Body)
			}
		}
		revoke := func(system, account string, revoked bool) {
			vendor(system, account, fmt.Sprintf(`{"revoked":%t}`, revoked))
		}
		put := func(system string, body any) answer {
			return h.do("PUT", path+"/connections/"+system, token, body).is(200)
		}
		drop := func(system string) { h.do("DELETE", path+"/connections/"+system, token, nil).is(204) }
		// look has both keys tried, by the jobs that are due anyway.
		look := func() {
			h.do("POST", path+"/sync/mirror", token, nil).is(202)
			h.do("POST", path+"/sync/orders", token, nil).is(202)
			h.work()
		}
		// earlier stores a webhook secret as an earlier version did.
		earlier := func(secret tenant.Secret) {
			if _, _, err := h.tenants.Connect(t.Context(), id, tenant.Upstock,
				func(_ *tenant.Connection, s *tenant.Secrets) error {
					s.WebhookSecret = secret
					return nil
				}); err != nil {
				t.Fatal(err)
			}
		}
		registered := func() {
			var err error
			if secret, err = h.simUpstock.RegisterWebhook(acc.Upstock.Supplier, webhook); err != nil {
				t.Fatal(err)
			}
			put("upstock", map[string]string{"webhookSecret": secret})
		}
		supplier := fmt.Sprint(acc.Upstock.Supplier)
		const (
			noContact, noPlace, noTax = "no contact named", "no default location", "no active tax rule"
			noSecret                  = "No webhook secret is saved"
			noUpstock, noCore         = "Upstock is not connected", "Cin7 Core is not connected"
			reading                   = "being read for the first time"
			upstockRefused            = "Upstock refused the key"
			coreRefused               = "Cin7 Core refused the key"
			upstockSealed             = "The stored key of Upstock cannot be opened any more"
			coreSealed                = "The stored key of Cin7 Core cannot be opened any more"
			notChecked, compared      = "Not checked yet.", "missing, checked "
			otherBooks                = "is of other accounts than those connected now"
			unchecked, lostProduct    = "is not checked yet", "“NO-SUCH”"
			nothingDue                = `"orders":0`
			goesOn                    = "the order goes on by itself"
		)
		for _, s := range []struct {
			name          string
			upstock, core string // how the two connections are
			enter         func()
			says, not     said
		}{
			{"nothing is connected", away, away, func() {
				h.do("PATCH", path+"/settings", token, `{"freightProduct":"NO-SUCH"}`).is(200)
			}, said{"health": {noUpstock, noCore}, "preview": {noCore, "Connect Cin7 Core."},
				"settings": {unchecked, noCore}, "completeness": {notChecked, "Nothing is checked while " + noUpstock},
				"backlog": {nothingDue}},
				said{"health": {noSecret, reading}, "preview": {"reconnect", "by itself"}, "settings": {reading}}},
			{"Cin7 Core is connected, not read", away, fine, func() { put("cin7core", core) },
				said{"health": {noUpstock, `"reading"`}, "preview": {noUpstock, "Connect Upstock."},
					"event": {"Cin7 Core was connected"}, "settings": {unchecked, reading},
					"completeness": {notChecked, noUpstock}},
				said{"health": {noSecret}}},
			{"Upstock too, without a secret", fine, fine,
				func() { webhook = put("upstock", upstock).get("webhookUrl").(string) },
				said{"health": {noSecret, "Switch off Upstock's own", `"reading"`},
					"preview": {reading, "health says how far"}, "event": {"Upstock was connected"},
					"settings": {unchecked, reading}, "completeness": {notChecked}},
				said{"preview": {"key"}, "completeness": {otherBooks}}},
			{"the secret saved", fine, fine, registered,
				said{"health": {`"reading"`}, "preview": {reading},
					"event": {"The webhook secret of Upstock was saved."}},
				said{"health": {noSecret}, "preview": {"key"}, "event": {"replaced"}}},
			{"an order waits for the records", fine, fine, func() {
				put("cin7core", core) // tested again: nobody thinks yet that the reading was forgotten
				h.started = nil
				first = h.approve(acc, path, basket)
			},
				said{"why": {reading}, "backlog": {`"orders":1`, `"expectedEnd":null`}},
				said{"why": {"Connect", "key"}}},
			{"read", fine, fine, func() {
				h.do("POST", path+"/sync/products", token,
					nil).is(202)
				h.work()
				time.Sleep(2 * time.Minute)
			},
				said{"health": {`"ready"`}, "preview": {`"sale":{`}, "settings": {lostProduct},
					"completeness": {notChecked}},
				said{"health": {noSecret, `"reading"`}, "preview": {"notReady"}, "settings": {unchecked, reading},
					"why": {reading}}},
			{"a check is asked for", fine, fine, func() { h.do("POST", path+"/completeness", token, nil).is(202) },
				said{"completeness": {"Not checked yet", `"running":true`}},
				said{"completeness": {"is running.", "0 missing"}}},
			{"compared", fine, fine, h.work,
				said{"completeness": {"0 missing, checked just now: 1 order, approved"}},
				said{"completeness": {notChecked}}},
			{"Cin7 Core's key is refused", fine, refused, func() {
				h.do("POST", path+"/completeness", token, nil).is(202)
				revoke("cin7core", core.AccountID, true)
				h.do("POST", path+"/sync/shipments", token, nil).is(202)
				h.work()
				h.approve(acc, path, "{}")
			}, said{"health": {"needsReconnecting", `"refused":"2`},
				"preview": {"Cin7 Core needs reconnecting", "Save a new key of Cin7 Core."}, "event": {coreRefused},
				"settings": {lostProduct}, "why": {coreRefused, "Save a new key, and " + goesOn},
				"completeness": {compared, "It goes on when both systems are connected."}, "backlog": {nothingDue}},
				said{"health": {noSecret}, "preview": {"Connect"}, "why": {"Connect"},
					"completeness": {"Reading page", "its turn"}, "settings": {unchecked}}},
			{"Cin7 Core's key is replaced", fine, fine, func() {
				revoke("cin7core", core.AccountID, false)
				put("cin7core", core)
			}, said{"health": {`"ready"`}, "preview": {`"sale":{`}},
				said{"health": {"needsReconnecting"}, "preview": {"reconnect"}, "event": {"replaced"}}},
			{"Upstock's key is replaced at the vendor", refused, fine, func() {
				upstock["token"] = "another-token-of-aroha"
				vendor("upstock", supplier, `{"token":"another-token-of-aroha"}`)
				h.approve(acc, path, "{}") // sold, and Upstock cannot be told
			}, said{"health": {"needsReconnecting"}, "event": {upstockRefused},
				"why": {upstockRefused, "Save a new key"}, "preview": {`"sale":{`}},
				said{"health": {noSecret}, "why": {"Connect"}}},
			{"both keys are refused", refused, refused, func() {
				revoke("cin7core", core.AccountID, true)
				h.approve(acc, path, "{}")
			}, said{"why": {upstockRefused, coreRefused}, "event": {coreRefused},
				"preview": {"Cin7 Core needs reconnecting"}, "backlog": {`"expectedEnd":null`}},
				said{"health": {noSecret}, "why": {"Connect"}}},
			{"Cin7 Core is taken away while its key is refused", refused, away, func() { drop("cin7core") },
				said{"why": {upstockRefused, noCore, "Connect it, and " + goesOn, "when both are connected"},
					"settings": {noCore}, "preview": {noCore, "Connect Cin7 Core."},
					"completeness": {"Not checked yet; a check waits until both systems are connected.", otherBooks}},
				said{"completeness": {compared}}},
			{"both are back", fine, fine, func() {
				revoke("cin7core", core.AccountID, false)
				put("cin7core", core)
				put("upstock", upstock)
			}, said{"event": {"The key of Upstock was replaced", "Cin7 Core was connected"}}, said{}},
			{"the secret is too short", fine, fine, func() { earlier("whsec_c2hvcnQ=") },
				said{"health": {"is too short: 5 bytes", "until then it is good"}},
				said{"health": {noSecret, "is refused"}}},
			{"the secret is empty", fine, fine,
				func() { earlier("whsec_"); time.Sleep(25 * time.Hour); h.approve(acc, path, "{}") },
				said{"health": {"is empty, so what Upstock delivers is refused"},
					"event": {"refused (401): No webhook secret is saved here"}},
				said{"event": {"the one saved here"}, "health": {noSecret, "too short", "it is good"}}},
			{"a good secret is saved", fine, fine, registered,
				said{"event": {"The webhook secret of Upstock was saved."}},
				said{"health": {noSecret, "too short", "is empty"}, "event": {"good for a day"}}},
			{"Upstock's key is refused without a secret", refused, fine, func() {
				earlier("")
				revoke("upstock", supplier, true)
				look()
			}, said{"health": {noSecret, "what Upstock delivers is refused"}},
				said{"health": {"are found in its list only"}}},
			{"the secret is there again", fine, fine, func() {
				revoke("upstock", supplier, false)
				earlier(tenant.Secret(secret))
				put("upstock", upstock)
			}, said{"event": {"it works"}}, said{"health": {noSecret}}},
			{"the sealing key is lost", unsealed, fine, func() { // nobody has tried Cin7 Core's yet
				o, err := h.simUpstock.PlaceOrder(acc.Upstock.Supplier, "{}")
				if err == nil {
					_, err = h.simUpstock.Approve(o.ID)
				}
				if err != nil {
					t.Fatal(err)
				}
				h.sim.Quiet()
				h.box.lose()
			}, said{"preview": {upstockSealed}, "health": {"Upstock needs reconnecting"}},
				said{"health": {`"state":"connected","system":"upstock"`, noSecret}}},
			{"both stored keys are lost", unsealed, unsealed, func() {
				if n, err := h.vendors.CheckSeals(t.Context()); n != 2 || err != nil {
					t.Fatal(n, err)
				}
				h.work()
			}, said{"why": {upstockSealed, coreSealed, "The order goes on by itself when both are connected."},
				"preview": {"cannot be opened any more"}},
				said{"preview": {"Save a new key"}, "why": {"Save a new key"}, "health": {noSecret, "Save a new key"}}},
			{"the same keys are saved again", fine, fine, func() {
				put("cin7core", core)
				webhook = put("upstock", upstock).get("webhookUrl").(string)
			}, said{"health": {noSecret}, "event": {"Upstock was saved again", "webhook URL"}},
				said{"event": {"replaced"}}},
			{"and the secret of the new webhook URL", fine, fine, registered,
				said{"event": {"The webhook secret of Upstock was saved."}}, said{"health": {noSecret}}},
			{"another Cin7 Core account is connected", fine, fine, func() {
				h.do("POST", path+"/sync/completeness", token, nil).is(202)
				h.work()
				h.person(h.do("GET", first, token, nil).is(200), "ship", "{}")
				h.do("POST", path+"/sync/shipments", token, nil).is(202)
				// it marks the order, which is worked on later
				if err := h.jobs.Do(t.Context(), h.started[0]); err != nil {
					t.Fatal(err)
				}
				put("cin7core", other.Cin7Core)
				h.started = nil
				h.work()
			}, said{"why": {"sold in another Cin7 Core account than the one connected now"},
				"health": {`"reading"`, "Southern Lakes"}, "settings": {unchecked, reading},
				"completeness": {notChecked, otherBooks}, "event": {"another account (Southern Lakes)"},
				"preview": {reading}},
				said{"completeness": {compared}, "event": {"waiting orders go on", "replaced"}}},
			{"its key is refused before its records are read", fine, refused, func() {
				revoke("cin7core", other.Cin7Core.AccountID, true)
				h.do("POST", path+"/sync/mirror", token, nil).is(202)
				h.work()
			}, said{"settings": {unchecked, "Cin7 Core needs reconnecting"},
				"preview": {"Cin7 Core needs reconnecting", "Save a new key of Cin7 Core."}},
				said{"settings": {reading}}},
			{"that account is taken away", fine, away, func() { drop("cin7core") },
				said{"why": {"Connect the Cin7 Core account of Aroha Foods again"}, "settings": {noCore}},
				said{"why": {"the one connected now"}}},
			{"the first Cin7 Core account is back", fine, fine, func() { put("cin7core", core); h.work() },
				said{"settings": {lostProduct}}, said{"settings": {unchecked}}},
			{"an order waits, and Upstock is taken away", away, refused, func() {
				revoke("cin7core", core.AccountID, true)
				h.approve(acc, path, "{}")
				drop("upstock")
			}, said{"why": {noUpstock, coreRefused, "when both are connected"}, "completeness": {notChecked},
				"event": {"Upstock was disconnected."}},
				said{"health": {noSecret}, "why": {"Save a new key, and", "Connect it, and"}}},
			{"Cin7 Core's key is good again", away, fine,
				func() { revoke("cin7core", core.AccountID, false); put("cin7core", core) },
				said{"why": {noUpstock, "Connect it, and " + goesOn}, "event": {"tested again"}},
				said{"why": {"both"}, "event": {"replaced"}}},
			{"another Upstock company is connected", fine, fine,
				func() { put("upstock", map[string]string{"token": other.Upstock.Token}) },
				said{"health": {"Southern Lakes", noSecret}, "event": {"Upstock was connected (Southern Lakes)"},
					"completeness": {notChecked},
					"why": {"This order is of Aroha Foods (Upstock supplier " + supplier +
						"), and Southern Lakes"}},
				said{"completeness": {compared}, "why": {"connected again"}}},
			{"and Cin7 Core's key is refused", fine, refused,
				func() { revoke("cin7core", core.AccountID, true); look() },
				said{"why": {coreRefused, "connect Aroha Foods (Upstock supplier " + supplier + ") again"}},
				said{"why": {"Save a new key, and"}}},
			{"that company is taken away", away, fine, func() {
				revoke("cin7core", core.AccountID, false)
				put("cin7core", core)
				drop("upstock")
			},
				said{"why": {"Aroha Foods (Upstock supplier " + supplier + ")"}}, said{"why": {"Southern Lakes"}}},
			{"the first company is back after two days", fine, fine, func() {
				time.Sleep(24 * time.Hour)
				h.approve(acc, path, "{}")
				time.Sleep(24 * time.Hour)
				put("upstock", upstock)
				h.work()
			}, said{"gaps": {"One order approved from 2000-01-0",
				"is not taken in by itself, as a connection was away then"}}, said{}},
			{"its key is refused with that gap", refused, fine, func() { revoke("upstock", supplier, true); look() },
				said{"gaps": {"One order approved from", "as a connection was away then"}}, said{}},
		} {
			time.Sleep(time.Minute) // the newest event is known, and the accounts have calls left
			s.enter()
			never := slices.Concat(untrue("Upstock", s.upstock), untrue("Cin7 Core", s.core),
				[]string{"revoked", noContact, noPlace, noTax})
			if s.upstock != fine || s.core != fine {
				never = append(never, "a check is running", "waits for its turn", "every few minutes")
			}
			must := map[string]string{away: "%s is not connected", refused: "%s refused the key",
				unsealed: "The stored key of %s cannot be opened any more"}
			for _, when := range []string{"", ", swept"} { // what waits has not heard of it yet, and has
				if when != "" {
					if err := h.pair.Sweep(t.Context()); err != nil {
						t.Fatal(err)
					}
					woken := h.started
					h.started = nil
					h.work()
					h.started = woken
				}
				heard := h.hear(path, token)
				for system, how := range map[string]string{"Upstock": s.upstock, "Cin7 Core": s.core} {
					if want := must[how]; want != "" && !strings.Contains(heard["health"], fmt.Sprintf(want, system)) {
						t.Errorf("%s%s: health does not say that %s is %s: %s", s.name, when, system, how,
							heard["health"])
					}
				}
				if when != "" { // other events are newer by then
					delete(heard, "event")
				}
				for part, text := range heard {
					for _, want := range s.says[part] {
						if !strings.Contains(text, want) {
							t.Errorf("%s%s: the %s does not say %q: %s", s.name, when, part, want, text)
						}
					}
					for _, not := range s.not[part] {
						if strings.Contains(text, not) {
							t.Errorf("%s%s: the %s says %q: %s", s.name, when, part, not, text)
						}
					}
					for _, not := range never {
						if part != "event" && strings.Contains(text, not) { // an event was true when it happened
							t.Errorf("%s%s: the %s says %q: %s", s.name, when, part, not, text)
						}
					}
					for sentence := range strings.SplitSeq(text, `"`) {
						if hours.MatchString(sentence) && !strings.Contains(sentence, "(Pacific/Auckland)") {
							t.Errorf("%s%s: the %s says a time without a zone: %s", s.name, when, part, sentence)
						}
					}
				}
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
