package app

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"stockbridge/internal/cin7omni"
	"stockbridge/internal/rest"
	"stockbridge/internal/sim"
	"stockbridge/internal/tenant"
)

// account changes the simulated account of Cin7 Omni.
func (k *keys) account(username, change string) {
	k.t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest("PUT", "/sim/cin7omni/accounts/"+username, strings.NewReader(change))
	k.sim.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		k.t.Fatal(w.Body)
	}
}

// TestConnectOmni: a key is tried before it is saved, whatever it may not do is said, a username keeps its letters'
// case, and the key comes back nowhere.
func TestConnectOmni(t *testing.T) {
	withKeys(t, func(k *keys) {
		acc := k.sim.AddAccount("Kauri Clothing", "").Cin7Omni
		k.account(acc.Username, `{"username":"KauriUS"}`)
		id := k.tenant("Kauri Clothing")
		put := func(body string, want int, has ...string) {
			t.Helper()
			time.Sleep(time.Second) // a trial asks no limiter
			status, got := k.api("PUT", "/tenants/"+id+"/connections/cin7omni", body)
			if status != want || strings.Contains(got, acc.Key) {
				t.Errorf("%s: %d %s", body, status, got)
			}
			for _, text := range has {
				if !strings.Contains(got, text) {
					t.Errorf("%s: no %q in %s", body, text, got)
				}
			}
		}
		good := `{"username":" KauriUS","key":"` + acc.Key + `\n"}`
		put(`{"username":"KauriUS"}`, 422, "needed to connect")
		put(`{"key":"`+acc.Key+`"}`, 422, "needed to connect")
		put(`{"username":"KauriUS","key":"a-key-of-nobody"}`, 422, "Cin7 Omni refused this key.")
		k.account("KauriUS", `{"permissions":{"contacts":["create"]}}`)
		put(good, 422, "does not let it read contacts", "let this API connection read Contacts")
		k.account("KauriUS", `{"permissions":{"contacts":["read"],"users":[],"productOptions":[]}}`)
		put(good, 200, `"account":"KauriUS"`, "read Users, so that", "read Product Options, so that")
		time.Sleep(11 * time.Minute) // trials are few
		k.account("KauriUS", `{"permissions":{"users":["read"],"productOptions":["read"]}}`)
		put(`{"key":"`+acc.Key+`"}`, 200, `"warnings":[]`)
		k.must(k.sim.Fault(sim.Cin7Omni, sim.Fault{Match: "GET /v1/Contacts", Kind: "html"}))
		put(good, 503, "so the key could not be tested")

		c, err := k.Tenants.Connection(k.ctx, id, tenant.Cin7Omni)
		k.must(err)
		s, err := k.Vendors.Secrets(k.ctx, c)
		k.must(err)
		time.Sleep(time.Second)
		if _, err := k.cin7omni(c, s, true).Users(k.ctx); err != nil {
			t.Error(err)
		}
		_, export := k.api("GET", "/tenants/"+id+"/export", "")
		_, health := k.api("GET", "/tenants/"+id+"/health", "")
		if strings.Contains(export+health, acc.Key) {
			t.Error("the key comes back")
		}
		if !strings.Contains(health, `"of":60`) || !strings.Contains(health, `"of":5000`) {
			t.Errorf("what is left of the budget is not said: %s", health)
		}
		if status, got := k.api("DELETE", "/tenants/"+id+"/connections/cin7omni", ""); status != 204 {
			t.Errorf("%d %s", status, got)
		}
	})
}

// TestOmniBudget: workers who read without end use what Cin7 Omni allows, and none is refused.
func TestOmniBudget(t *testing.T) {
	withKeys(t, func(k *keys) {
		acc := k.sim.AddAccount("Kauri Clothing", "").Cin7Omni
		c := tenant.Connection{System: tenant.Cin7Omni, Account: acc.Username}
		s := tenant.Secrets{Key: tenant.Secret(acc.Key)}
		const whole = 20 * time.Minute
		ctx, cancel := context.WithTimeout(k.ctx, whole)
		defer cancel()
		var workers sync.WaitGroup
		for i := range 8 {
			client := k.cin7omni(c, s, i == 0)
			workers.Go(func() {
				for ctx.Err() == nil {
					switch err := client.MayRead(ctx, cin7omni.ContactList); rest.KindOf(err) {
					case rest.Waiting:
						time.Sleep(max(time.Millisecond, retryAfter(err)))
					case rest.Throttled, rest.Unavailable, rest.Invalid:
						t.Errorf("worker %d: %v", i, err)
						return
					}
				}
			})
		}
		workers.Wait()
		calls, allowed := len(k.sim.Calls(sim.Cin7Omni, acc.Username)), int(whole/time.Minute)*60
		if over := k.sim.OverLimit(sim.Cin7Omni, acc.Username); over > 0 || calls < allowed*95/100 {
			t.Errorf("%d calls of %d, %d over a limit", calls, allowed, over)
		}
	})
}
