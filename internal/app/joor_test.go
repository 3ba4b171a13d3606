package app

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"stockbridge/internal/joor"
	"stockbridge/internal/rest"
	"stockbridge/internal/sim"
	"stockbridge/internal/tenant"
)

// TestConnectJOOR: a token is tried before it is saved, the account is the one that JOOR says, what was tried counts
// among its credits, and the token comes back nowhere.
func TestConnectJOOR(t *testing.T) {
	withKeys(t, func(k *keys) {
		acc, other := k.sim.AddAccount("Kauri & Fern", "").JOOR, k.sim.AddAccount("Rimu Knits", "").JOOR
		id := k.tenant("Kauri & Fern")
		at := "/tenants/" + id + "/connections/joor"
		put := func(body string, want int, has ...string) {
			t.Helper()
			status, got := k.api("PUT", at, body)
			if status != want || strings.Contains(got, acc.Token) || strings.Contains(got, other.Token) {
				t.Errorf("%s: %d %s", body, status, got)
			}
			for _, text := range has {
				if !strings.Contains(got, text) {
					t.Errorf("%s: no %q in %s", body, text, got)
				}
			}
		}
		put(`{"account":"`+acc.Account+`"}`, 422, "needed to connect")
		put(`{"token":"`+acc.Token+`"}`, 422, "needed to connect")
		put(`{"account":"`+acc.Account+`","token":"a-token-of-nobody"}`, 422, "JOOR refused this key.")
		k.far = func(r *http.Request) (*http.Response, error) {
			if r.Method != "GET" || r.URL.Path != "/joor/v2/connection/" || r.URL.RawQuery != "count=1&start_from=0" {
				t.Errorf("tried by %s %s", r.Method, r.URL)
			}
			return k.sim.Transport().RoundTrip(r)
		}
		put(`{"account":" `+acc.Account+` ","token":"`+acc.Token+`\n"}`, 200, `"Account `+acc.Account+`"`,
			`"warnings":[]`)
		k.far = nil
		c, err := k.Tenants.Connection(k.ctx, id, tenant.JOOR)
		k.must(err)
		if st, err := k.bucket(c, true).State(k.ctx); err != nil || st.Left != 299 || st.Of != 300 ||
			st.Unit != "credit" {
			t.Errorf("%+v, %v", st, err)
		}
		// Somebody else's account id does not make the token spend its credits.
		stranger := k.tenant("Rimu Knits")
		status, got := k.api("PUT", "/tenants/"+stranger+"/connections/joor",
			`{"account":"`+acc.Account+`","token":"`+other.Token+`"}`)
		const says = "JOOR says that this token is of the account "
		if status != 200 || !strings.Contains(got, says+other.Account+", not ") {
			t.Errorf("%d %s", status, got)
		}
		theirs, err := k.Tenants.Connection(k.ctx, stranger, tenant.JOOR)
		k.must(err)
		if theirs.Account != other.Account {
			t.Errorf("%+v", theirs)
		}
		k.must(k.sim.Fault(sim.JOOR, sim.Fault{Match: "GET /connection", Kind: "html"}))
		put(`{"token":"`+acc.Token+`"}`, 503, "so the key could not be tested")
		_, export := k.api("GET", "/tenants/"+id+"/export", "")
		if _, health := k.api("GET", "/tenants/"+id+"/health", ""); strings.Contains(export+health, acc.Token) {
			t.Error("the token comes back")
		}
	})
}

// TestJOORCredits: workers who read and write use what JOOR allows, and none is refused.
func TestJOORCredits(t *testing.T) {
	withKeys(t, func(k *keys) {
		acc := k.sim.AddAccount("Kauri & Fern", "").JOOR
		c := tenant.Connection{System: tenant.JOOR, Account: acc.Account}
		s := tenant.Secrets{Key: tenant.Secret(acc.Token)}
		const whole = 20 * time.Minute
		ctx, cancel := context.WithTimeout(k.ctx, whole)
		defer cancel()
		var (
			mu      sync.Mutex
			credits int
			workers sync.WaitGroup
		)
		spent := func(ctx context.Context) context.Context {
			return rest.WithRecorder(ctx, func(x rest.Exchange) {
				mu.Lock()
				defer mu.Unlock()
				if x.Status != 0 {
					credits += joor.Cost(x.Method)
				}
			})
		}
		for i := range 8 {
			client := k.joor(c, s, i%2 == 0)
			workers.Go(func() {
				for n := i; ctx.Err() == nil; n++ {
					var err error
					switch n % 3 {
					case 0:
						err = client.Delete(spent(ctx), "none")
					case 1:
						_, err = client.ConnectionsPage(spent(ctx), joor.ConnectionsQuery{})
					default:
						_, err = client.ByCode(spent(ctx), "K1002")
					}
					switch rest.KindOf(err) {
					case rest.Waiting:
						time.Sleep(max(time.Millisecond, retryAfter(err)))
					case rest.Throttled, rest.Unavailable:
						t.Errorf("worker %d: %v", i, err)
						return
					default:
						time.Sleep(200 * time.Millisecond)
					}
				}
			})
		}
		workers.Wait()
		allowed := int(whole / joor.Window * joor.Credits)
		if over := k.sim.OverLimit(sim.JOOR, acc.Account); over > 0 || credits < allowed*95/100 {
			t.Errorf("%d credits of %d, %d calls over the limit", credits, allowed, over)
		}
		t.Logf("%d credits of %d", credits, allowed)
	})
}

func retryAfter(err error) time.Duration {
	e, _ := errors.AsType[*rest.Error](err)
	return e.RetryAfter
}
