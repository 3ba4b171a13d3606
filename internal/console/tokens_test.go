package console

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/tenant"
)

// TestTokensAreListed: tokens are made with a name and a role, show in a list, end when they are revoked or their time
// is over, and none comes or goes without an event that says who did it.
func TestTokensAreListed(t *testing.T) {
	h := open(t)
	_, mine, first := h.tenant("Aroha Foods")
	_, theirs, _ := h.tenant("Kauri Supplies")
	made := h.do("POST", mine+"/tokens", first, map[string]any{"name": "night job", "role": "admin"}).is(201)
	admin, adminID := made.get("token").(string), made.get("id").(string)
	viewer := h.do("POST", mine+"/tokens", admin,
		map[string]any{"name": "wall screen", "role": "viewer", "expires": time.Now().Add(time.Hour)}).is(201)
	screen, screenID := viewer.get("token").(string), viewer.get("id").(string)
	list := h.do("GET", mine+"/tokens", screen, nil).is(200)
	if strings.Contains(list.raw, admin) || strings.Contains(list.raw, first) || len(list.get("items").([]any)) != 3 {
		t.Errorf("list: %s", list.raw)
	}
	for _, name := range []string{"first", "night job", "wall screen"} {
		if !strings.Contains(list.raw, `"name":"`+name+`"`) {
			t.Errorf("%s is not listed: %s", name, list.raw)
		}
	}

	// A viewer reads, and changes nothing.
	h.do("GET", mine+"/settings", screen, nil).is(200)
	h.do("POST", mine+"/tokens", screen, map[string]any{}).is(403)
	h.do("DELETE", mine+"/tokens/"+adminID, screen, nil).is(403)
	h.do("PUT", mine+"/settings", screen, map[string]any{}).is(403)
	h.do("PUT", mine+"/connections/upstock", screen, map[string]any{"token": "x"}).is(403)
	h.do("POST", mine+"/orders/retry", screen, nil).is(403)
	h.do("POST", "/api/v1/tenants", screen, map[string]any{"name": "More"}).is(403)

	for _, wrong := range []string{`{"role":"operator"}`, `{"expires":"2020-01-01T00:00:00Z"}`, `{"expires":"soon"}`,
		`{"name":"` + strings.Repeat("x", 101) + `"}`, `{"name":"a\nb"}`, `{"token":"sb_mine"}`} {
		h.do("POST", mine+"/tokens", first, wrong).is(422)
	}

	// Settings and connections say who changed them.
	h.do("PATCH", mine+"/settings", admin, map[string]any{"onCancel": "void"}).is(200)
	h.do("PATCH", mine+"/settings", admin, map[string]any{"onCancel": "void"}).is(200) // changes nothing
	acc := h.sim.AddAccount("Aroha Foods", "NZD")
	h.do("PUT", mine+"/connections/upstock", operator, map[string]any{"token": acc.Upstock.Token}).is(200)
	h.do("DELETE", mine+"/connections/upstock", first, nil).is(204)

	// A revoked token opens nothing; another tenant's cannot be revoked, nor one twice.
	h.do("DELETE", theirs+"/tokens/"+adminID, operator, nil).is(404)
	h.do("DELETE", mine+"/tokens/"+adminID, first, nil).is(204)
	h.do("GET", mine+"/settings", admin, nil).is(401)
	h.do("DELETE", mine+"/tokens/"+adminID, first, nil).is(404)
	h.do("DELETE", mine+"/tokens/"+screenID, operator, nil).is(204)
	h.do("GET", mine+"/settings", screen, nil).is(401)

	events := h.do("GET", mine+"/events", first, nil).is(200)
	for _, want := range []struct{ kind, text, actor string }{
		{"tenant", "first token", "the operator"},
		{"token", "made: token night job", "token first ("},
		{"token", "made: token wall screen", "token night job ("},
		{"settings", "What happens to a sale whose order", "token night job ("},
		{"connection", "was connected", "the operator"},
		{"connection", "was disconnected", "token first ("},
		{"token", "revoked: token night job", "token first ("},
		{"token", "revoked: token wall screen", "the operator"},
	} {
		found := 0
		for _, e := range events.get("items").([]any) {
			e := object(e)
			actor, _ := e["actor"].(string)
			if e["kind"] == want.kind && strings.Contains(e["text"].(string), want.text) &&
				strings.HasPrefix(actor, want.actor) {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%d events %+v: %s", found, want, events.raw)
		}
	}
}

// TestTokenEnds: a token ends with its time, and one from before tokens were listed shows once it is used.
func TestTokenEnds(t *testing.T) {
	h := open(t)
	id, mine, first := h.tenant("Aroha Foods")
	_, short, err := h.tenants.NewToken(t.Context(), id,
		tenant.Token{Name: "short", Expires: time.Now().Add(50 * time.Millisecond)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.tenants.TokenTenant(t.Context(), string(short)); err != nil {
		t.Error(err)
	}
	time.Sleep(60 * time.Millisecond)
	if a := h.do("GET", mine+"/settings", string(short), nil).is(401); !strings.Contains(a.raw, "has expired") {
		t.Error(a.raw)
	}
	if list := h.do("GET", mine+"/tokens", first, nil).is(200); !strings.Contains(list.raw, `"expired":true`) {
		t.Error(list.raw)
	}
}

// No change of settings, tokens and connections stands without its event: where
// that is not written, the change is not made, and made again it has both.
func TestNoChangeWithoutItsEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // a delivery that fails is tried again a minute later
		h := open(t)
		acc, id, path, token := h.supplier("Aroha Foods")
		kept := h.do("POST", path+"/tokens", token, map[string]string{"name": "kept"}).is(201).get("id").(string)
		order := h.approve(acc, path, `{"customer":{"id":9001,"name":"Bay Bakery","externalId":null,"email":"orders@harbourside.example"},
			"lines":[{"sku":"GRN-TST","quantity":"2","unitPrice":"14.20"}]}`)
		card := h.do("GET", order, token, nil).is(200).get("problems.0.choices.0.id").(string)
		saw := func() (events int, state string) {
			t.Helper()
			list, _, err := h.ledger.Events(t.Context(), id, "", 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, target := range []string{path + "/settings", path + "/tokens", path + "/connections",
				path + "/links/customer", path + "/flows", "/api/v1/tenants"} {
				a := h.do("GET", target, operator, nil).is(200)
				state += a.header.Get("ETag") + a.raw
			}
			return len(list), state
		}
		for _, c := range []struct {
			name, method, target string
			body                 any
			want                 int
		}{
			{"settings", "PATCH", path + "/settings", map[string]string{"onCancel": "void"}, 200},
			{"settings, whole", "PUT", path + "/settings", map[string]string{"onCancel": "tell"}, 200},
			{"a token made", "POST", path + "/tokens", map[string]string{"name": "new"}, 201},
			{"a token revoked", "DELETE", path + "/tokens/" + kept, nil, 204},
			{"a link made", "PUT", path + "/links/customer/9001", map[string]string{"id": card}, 200},
			{"a link removed", "DELETE", path + "/links/customer/9001", nil, 204},
			{"a key saved", "PUT", path + "/connections/upstock", map[string]string{"token": acc.Upstock.Token}, 200},
			{"a flow paused", "PUT", path + "/flows/orders", map[string]bool{"paused": true}, 200},
			{"a flow resumed", "PUT", path + "/flows/orders", map[string]bool{"paused": false}, 200},
			{"disconnected", "DELETE", path + "/connections/upstock", nil, 204},
			{"connected", "PUT", path + "/connections/upstock", map[string]string{"token": acc.Upstock.Token}, 200},
			{"a tenant made", "POST", "/api/v1/tenants", map[string]string{"name": "Kauri Supplies"}, 201},
		} {
			time.Sleep(time.Second) // so that a change shows by its time
			events, state := saw()
			h.deaf.deaf = true
			h.do(c.method, c.target, operator, c.body).is(503)
			h.deaf.deaf = false
			if n, now := saw(); n != events || now != state {
				t.Errorf("%s: %d events more, and now\n%s\nbefore\n%s", c.name, n-events, now, state)
			}
			h.do(c.method, c.target, operator, c.body).is(c.want)
			if n, now := saw(); c.name != "a tenant made" && n != events+1 || now == state {
				t.Errorf("%s: %d events more, and now\n%s", c.name, n-events, now)
			}
		}
	})
}

// TestTokenEndsInZone: an event says until when a token is good by the tenant's own clock.
func TestTokenEndsInZone(t *testing.T) {
	h := open(t)
	_, path, token := h.tenant("Aroha Foods")
	h.do("POST", path+"/tokens", token, map[string]any{"name": "till", "expires": "2099-12-31T12:00:00Z"}).is(201)
	has(t, h.do("GET", path+"/events?kind=token", token, nil).is(200).raw,
		"good until 1 January 2100 01:00 (Pacific/Auckland).")
}
