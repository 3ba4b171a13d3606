package upstockcin7_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/app"
	"stockbridge/internal/ledger"
	"stockbridge/internal/mirror"
	"stockbridge/internal/sim"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
	"stockbridge/internal/vendor"
)

const (
	getSale = "GET /sale"
	saleSix = "6f9619ff-8b86-d011-b42d-00cf4fc964ff" // a sale that is nobody's
)

// coreHook is a webhook as Cin7 Core lists it.
type coreHook struct {
	ID, Type                  string
	IsActive                  bool
	ExternalURL               string
	ExternalAuthorizationType string
	ExternalBearerToken       string
}

// checkHooks runs the check as its queue does, and lets all end that comes of it.
func (w *world) checkHooks() {
	w.t.Helper()
	if err := w.do(context.Background(), "console", upstockcin7.JobWebhooks); err != nil {
		w.t.Fatal(err)
	}
	w.turn(time.Minute)
}

func (w *world) coreHooks() []coreHook {
	w.t.Helper()
	var doc struct{ Webhooks []coreHook }
	if err := json.Unmarshal(w.core(http.MethodGet, "/webhooks", ""), &doc); err != nil {
		w.t.Fatal(err)
	}
	return doc.Webhooks
}

// bearer is the header with which a delivery bears a connection's secret.
func bearer(s tenant.Secrets) string { return "Bearer " + string(s.WebhookSecret) }

// connection is the tenant's to Cin7 Core, its secrets and its webhooks' address.
func (w *world) connection() (tenant.Connection, tenant.Secrets, string) {
	w.t.Helper()
	c := w.connectionTo(tenant.Cin7Core)
	s := must[tenant.Secrets](w)(tenant.NewStore(w.store, w.box).Secrets(context.Background(), c))
	return c, s, "https://hooks.example.test/webhooks/cin7core/" + string(s.URLToken)
}

// hooksOf is how far a connection's webhooks are, as it is noted.
func hooksOf(c tenant.Connection) upstockcin7.Webhooks { return upstockcin7.WebhooksOf(c) }

var ourTypes = []string{"Sale/Backordered", "Sale/ShipmentAuthorised", "Sale/ShipmentTrackingNumberChanged",
	"Sale/Undo", "Sale/Voided"}

// hookedUp wants exactly one active webhook of each type, with the secret of now.
func (w *world) hookedUp() {
	w.t.Helper()
	if v := w.hooksVerdict(); v != "" {
		w.t.Error(v)
	}
}

// hooksVerdict is "" where exactly one active webhook of each type has our
// address and the secret of now, and the connection says so.
func (w *world) hooksVerdict() string {
	c, s, address := w.connection()
	var types []string
	for _, h := range w.coreHooks() {
		if h.ExternalURL != address {
			continue
		}
		if types = append(types, h.Type); !h.IsActive || h.ExternalAuthorizationType != "bearerauth" ||
			h.ExternalBearerToken != string(s.WebhookSecret) {
			return fmt.Sprintf("%s: active %t, %s, with the secret of now: %t", h.Type, h.IsActive,
				h.ExternalAuthorizationType, h.ExternalBearerToken == string(s.WebhookSecret))
		}
	}
	switch slices.Sort(types); {
	case !slices.Equal(types, ourTypes):
		return fmt.Sprintf("webhooks to us: %v", types)
	case hooksOf(c).State != upstockcin7.WebhooksOn || hooksOf(c).Why != "" ||
		time.Since(hooksOf(c).Checked) > 35*time.Minute:
		return fmt.Sprintf("the connection says %+v", hooksOf(c))
	case w.sim.OverLimit(sim.Cin7Core, w.acc.Cin7Core.AccountID) > 0:
		return "over the limit"
	}
	return ""
}

// hook delivers a body as Cin7 Core does; its answer.
func (w *world) hook(address, secret, body string) *http.Response {
	req := httptest.NewRequest(http.MethodPost, address, strings.NewReader(body))
	if secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	return must[*http.Response](w)(deliverer{w}.RoundTrip(req))
}

// count counts calls to Cin7 Core since an instant.
func (w *world) count(call string, since time.Time) (n int) {
	for _, c := range w.coreCalls(since) {
		if c == call {
			n++
		}
	}
	return n
}

// since is a new instant: nothing that was called before is called after it.
func since() time.Time {
	time.Sleep(time.Second)
	return time.Now()
}

// until lets the world turn, second by second, until Upstock shows this; how long it took.
func (w *world) until(id int, tracks string, most time.Duration) time.Duration {
	w.t.Helper()
	for start := time.Now(); ; time.Sleep(time.Second) {
		synctest.Wait()
		if w.tracks(id) == tracks {
			return time.Since(start)
		}
		if time.Since(start) > most {
			w.t.Fatalf("after %s Upstock shows %q, want %q\n%s", most, w.tracks(id), tracks, timeline(w.run(id)))
		}
	}
}

// TestShippedByWebhook: what happens to a sale reaches Upstock within two
// minutes, without any poll.
func TestShippedByWebhook(t *testing.T) {
	const most = 2*time.Minute - time.Second
	t.Run("simple", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.checkHooks()
			w.hookedUp()
			id, sale := w.sell(groceries)
			start := since()
			w.person(sale, "ship", `{"trackingNumber":"T-1"}`)
			took := w.until(id, "T-1! shipped", most)
			w.person(sale, "tracking", `{"trackingNumber":"T-2"}`)
			took = max(took, w.until(id, "T-2! shipped", most))
			t.Logf("%s at most", took)
			w.turn(10 * time.Minute)
			w.person(sale, "undo", "")
			w.turnEach(most, time.Minute)
			w.attention(id, "shipmentUndone")
			if w.count("GET /saleList", start) > 0 {
				t.Errorf("polled: %v", w.coreCalls(start))
			}
			if c, _, _ := w.connection(); hooksOf(c).Heard.IsZero() || time.Since(hooksOf(c).Heard) > 30*time.Minute {
				t.Errorf("heard %s", hooksOf(c).Heard)
			}
			for _, d := range w.simCore.Deliveries(w.acc.Cin7Core.AccountID) {
				if d.Status != http.StatusAccepted || d.Attempts != 1 {
					t.Errorf("%s: %d in attempt %d", d.Type, d.Status, d.Attempts)
				}
			}
		})
	})
	t.Run("advanced", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.change(func(s *sale.Settings) { s.SaleType, s.OrderStatus = sale.Advanced, sale.Authorised })
			w.checkHooks()
			id, sale := w.sell(groceries)
			w.person(sale, "ship", `{"lines":[{"sku":"SLT-FLK","quantity":1}],"trackingNumber":"F1"}`)
			w.until(id, "F1 processing", most)
			w.person(sale, "ship", `{"lines":[{"sku":"SLT-FLK","quantity":1}],"trackingNumber":"F2"}`)
			w.person(sale, "ship", `{"trackingNumber":"F3"}`)
			w.until(id, "F1 F2 F3! shipped", most)
			var tasks int
			for _, d := range w.simCore.Deliveries(w.acc.Cin7Core.AccountID) {
				if strings.Contains(d.Body, "SaleTaskID") &&
					!strings.Contains(strings.ToLower(d.Body), strings.ToLower(sale)) {
					tasks++
				}
			}
			if tasks == 0 {
				t.Error("no delivery names a task alone: the number was not needed")
			}
		})
	})
	t.Run("voided, a body that is no JSON", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.checkHooks()
			id, sale := w.sell(groceries)
			start := since()
			w.person(sale, "void", "")
			w.turnEach(most, time.Second*20)
			w.attention(id, "saleVoided", "was voided in Cin7 Core")
			// The lists are for a copy that stands for it, by the order's id and by its reference.
			if d := w.simCore.Deliveries(w.acc.Cin7Core.AccountID); json.Valid([]byte(d[len(d)-1].Body)) ||
				w.count("GET /saleList", start) > 2 {
				t.Errorf("%+v", d)
			}
		})
	})
	t.Run("voided by us", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.change(func(s *sale.Settings) { s.OnCancel = sale.Void })
			w.checkHooks()
			id, _ := w.sell(groceries)
			w.cancel(id)
			w.turn(5 * time.Minute)
			if r := w.run(id); r.State != order.Cancelled || !r.Finished() || len(r.Said) > 0 {
				t.Errorf("%s %v\n%s", r.State, r.Said, timeline(r))
			}
		})
	})
	t.Run("back-ordered, then unknown to the ledger", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.change(func(s *sale.Settings) { s.OrderStatus = sale.Authorised })
			w.checkHooks()
			id, sale := w.sell(`{"customer":{"name":"Harbourside Grocers"},"lines":[{"sku":"SLT-FLK","quantity":"99999","unitPrice":"6.80"}]}`)
			w.turn(2 * time.Minute)
			w.person(sale, "ship", `{"trackingNumber":"T"}`)
			w.until(id, "T! shipped", most)
			if d := w.simCore.Deliveries(w.acc.Cin7Core.AccountID); !strings.Contains(d[0].Body, "Sale/Backordered") {
				t.Errorf("%+v", d)
			}
		})
	})
}

// TestWebhookBodies: a body is a hint, in whatever shape it comes.
func TestWebhookBodies(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id, sale := w.sell(groceries)
		r := w.run(id)
		number, upper := r.SaleNumber, strings.ToUpper(sale)
		_, s, address := w.connection()
		for _, c := range []struct{ name, body, want string }{
			{"sale", `{"SaleID":"` + sale + `","EventType":"Sale/Undo"}`, "read"},
			{"upper case, braces", `{"saleid":"{` + upper + `}"}`, "read"},
			{"task of a simple sale", `{"SaleTaskID":"` + upper + `","EventType":"Sale/ShipmentAuthorised"}`, "read"},
			{"number alone", `{"SaleOrderNumber":"` + strings.ToLower(number) + `"}`, "read"},
			{"task of an advanced sale", `{"SaleTaskID":"` + saleSix + `","OrderNumber":" ` + number + ` "}`, "read"},
			{"unknown event", `{"SaleID":"` + sale + `","EventType":"Sale/Abducted"}`, "read"},
			{"a comma too many", `{"SaleID":"` + upper + `","SaleOrderNumber":"` + number + `",}`, "read"},
			{"ends early", `{"SaleID":"` + upper + `","SaleOrd`, "read"},
			{"byte order mark", "\ufeff" + `{"SaleID":"` + upper + `"}`, "read"},
			{"invalid UTF-8", `{"CustomerName":"` + "\xff\xfe" + `","SaleID":"` + sale + `"}`, "read"},
			{"other sale", `{"SaleID":"` + saleSix + `","SaleOrderNumber":"SO-99999","EventType":"Sale/Voided"}`,
				"nothing"},
			{"other sale, no number", `{"SaleID":"` + saleSix + `"}`, "nothing"},
			{"number of 5000 runes", `{"OrderNumber":"` + strings.Repeat("é", 5000) + `"}`, "poll"},
			{"task alone", `{"SaleTaskID":"` + saleSix + `"}`, "poll"},
			{"empty", "", "poll"},
			{"no JSON", "<xml/>", "poll"},
			{"null", "null", "poll"},
			{"array", `[{"ID":"` + sale + `"}]`, "poll"},
			{"wrong types", `{"SaleID":7,"SaleOrderNumber":["` + number + `"],"EventType":{}}`, "poll"},
			{"deep", strings.Repeat("[", 20_000), "poll"},
			{"noise", string([]byte{0, 1, 0xfe, 0xff, '"', '{'}), "poll"},
			{"over 1 MiB", `{"SaleID":"` + sale + `","x":"` + strings.Repeat("x", 1<<20) + `"}`, "read"},
			{"over 1 MiB of nothing", strings.Repeat(" ", 1<<20+1), "poll"},
		} {
			start := since()
			resp := w.hook(address, string(s.WebhookSecret), c.body)
			if resp.StatusCode != http.StatusAccepted {
				t.Errorf("%s: %d", c.name, resp.StatusCode)
			}
			w.turn(2 * time.Minute)
			got := "nothing"
			switch reads, polls := w.count(getSale, start), w.count("GET /saleList", start); {
			case reads == 1 && polls == 0:
				got = "read"
			case reads == 0 && polls == 1:
				got = "poll"
			case reads+polls > 0:
				got = fmt.Sprint(w.coreCalls(start))
			}
			if got != c.want {
				t.Errorf("%s: %s, want %s", c.name, got, c.want)
			}
		}
		if n := len(w.eventTexts("webhookCut")); n != 2 {
			t.Errorf("%d events of long bodies", n)
		}
		events, _, err := ledger.New(w.store).Events(t.Context(), w.tenant, "", 200)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if strings.Contains(e.Text, "SO-99999") || strings.Contains(e.Text, saleSix) {
				t.Errorf("an event of somebody else's sale: %s", e.Text)
			}
		}
	})
}

// TestWebhookRefused: who does not bear the secret of now, or of a day ago, changes nothing.
func TestWebhookRefused(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		_, sale := w.sell(groceries)
		c, s, address := w.connection()
		start, body := since(), `{"SaleID":"`+sale+`"}`
		up := must[tenant.Secrets](w)(tenant.NewStore(w.store, w.box).Secrets(t.Context(),
			must[tenant.Connection](w)(tenant.NewStore(w.store, w.box).Connection(t.Context(), w.tenant,
				tenant.Upstock))))
		base := strings.TrimSuffix(address, string(s.URLToken))
		for _, c := range []struct {
			name, method, address, auth string
			want                        int
		}{
			{"unknown token", http.MethodPost, base + strings.Repeat("a", 32), bearer(s), 404},
			{"Upstock's token", http.MethodPost, base + string(up.URLToken), bearer(up), 404},
			{"no secret", http.MethodPost, address, "", 401},
			{"wrong secret", http.MethodPost, address, "Bearer wrong", 401},
			{"empty secret", http.MethodPost, address, "Bearer ", 401},
			{"part of it", http.MethodPost, address, "Bearer " + string(s.WebhookSecret[1:]), 401},
			{"basic", http.MethodPost, address, "Basic " + string(s.WebhookSecret), 401},
			{"Upstock's secret", http.MethodPost, address, bearer(up), 401},
			{"GET", http.MethodGet, address, bearer(s), 405},
			{"PUT", http.MethodPut, address, bearer(s), 405},
		} {
			req := httptest.NewRequest(c.method, c.address, strings.NewReader(body))
			if c.auth != "" {
				req.Header.Set("Authorization", c.auth)
			}
			resp := must[*http.Response](w)(deliverer{w}.RoundTrip(req))
			answer := must[[]byte](w)(io.ReadAll(resp.Body))
			if resp.StatusCode != c.want || c.want == 405 && resp.Header.Get("Allow") != http.MethodPost ||
				bytes.Contains(answer, []byte(s.WebhookSecret)) || bytes.Contains(answer, []byte(s.URLToken)) {
				t.Errorf("%s: %d %s", c.name, resp.StatusCode, answer)
			}
		}
		if n := len(w.eventTexts("hintRefused")); n != 1 {
			t.Errorf("%d events", n)
		}
		w.turn(time.Minute)
		if calls := w.coreCalls(start); len(calls) > 0 {
			t.Errorf("%v", calls)
		}
		if now, _, _ := w.connection(); !hooksOf(now).Heard.Equal(hooksOf(c).Heard) {
			t.Error("noted as heard")
		}
		// While the secret rotates, two are valid: for a day.
		w.account(`{"applicationKey":"a-new-key"}`)
		typed := vendor.Credentials{Key: "a-new-key"}
		if _, _, err := w.vendorTable().Connect(t.Context(), w.tenant, tenant.Cin7Core, typed); err != nil {
			t.Fatal(err)
		}
		_, now, _ := w.connection()
		for _, c := range []struct {
			after  time.Duration
			secret tenant.Secret
			want   int
		}{
			{0, now.WebhookSecret, 202}, {0, s.WebhookSecret, 202}, {23 * time.Hour, s.WebhookSecret, 202},
			{time.Hour, s.WebhookSecret, 401}, {0, now.WebhookSecret, 202},
		} {
			if time.Sleep(c.after); w.hook(address, string(c.secret), body).StatusCode != c.want {
				t.Errorf("after %s: want %d", c.after, c.want)
			}
		}
	})
}

// TestWebhookOfAnotherTenant: a tenant's webhooks lead to its own orders only.
func TestWebhookOfAnotherTenant(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id, sale := w.sell(groceries)
		r := w.run(id)
		store := tenant.NewStore(w.store, w.box)
		tn, _, err := store.Create(t.Context(), "Next door", "")
		if err != nil {
			t.Fatal(err)
		}
		_, s, err := store.Connect(t.Context(), tn.ID, tenant.Cin7Core,
			func(c *tenant.Connection, s *tenant.Secrets) error {
				c.Account, s.Key, s.WebhookSecret = "next-door", "key", "theirs"
				s.GiveURLToken()
				return nil
			})
		if err != nil {
			t.Fatal(err)
		}
		start := since()
		address := "https://hooks.example.test/webhooks/cin7core/" + string(s.URLToken)
		for _, body := range []string{`{"SaleID":"` + sale + `"}`, `{"SaleTaskID":"` + sale + `"}`,
			`{"SaleOrderNumber":"` + r.SaleNumber + `"}`} {
			if resp := w.hook(address, "theirs", body); resp.StatusCode != http.StatusAccepted {
				t.Errorf("%d", resp.StatusCode)
			}
		}
		if resp := w.hook(address, string(secretsOfThree(w.connection()).WebhookSecret),
			"{}"); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("with the neighbour's secret: %d", resp.StatusCode)
		}
		w.turn(2 * time.Minute)
		if now := w.run(id); now.Asked != r.Asked || len(w.coreCalls(start)) > 0 {
			t.Errorf("asked %d, was %d; %v", now.Asked, r.Asked, w.coreCalls(start))
		}
	})
}

func secretsOfThree(_ tenant.Connection, s tenant.Secrets, _ string) tenant.Secrets { return s }

// TestWebhookStorm: many hints for one order are a few readings, and the last hint is never lost.
func TestWebhookStorm(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id, sale := w.sell(groceries)
		w.person(sale, "ship", `{"trackingNumber":"T-1"}`)
		_, s, address := w.connection()
		start, body := since(), `{"SaleID":"`+sale+`"}`
		for range 100 {
			w.hook(address, string(s.WebhookSecret), body)
		}
		w.turn(2 * time.Minute)
		w.is(id, order.Shipped, "T-1! shipped")
		if n := w.count(getSale, start); n != 1 {
			t.Errorf("%d readings at once", n)
		}
		start = time.Now() // so that some meet the very moment of a reading
		for range 120 {
			w.hook(address, string(s.WebhookSecret), body)
			time.Sleep(time.Second / 2)
		}
		w.person(sale, "tracking", `{"trackingNumber":"T-2"}`)
		w.hook(address, string(s.WebhookSecret), body)
		w.until(id, "T-2! shipped", time.Minute)
		if n := w.count(getSale, start); n > 24 { // one in five seconds, each followed by one at most
			t.Errorf("%d readings in a minute", n)
		}
		if r := w.run(id); r.Asked > 30 {
			t.Errorf("asked %d times", r.Asked)
		}
		// While Cin7 Core is down, no more than the sweep brings.
		w.turn(time.Minute)
		start = since()
		w.fault(sim.Fault{Match: getSale, Kind: "before", How: "500", Times: -1})
		for range 300 {
			w.hook(address, string(s.WebhookSecret), body)
			time.Sleep(time.Second)
		}
		w.turn(time.Minute)
		if n := w.count(getSale, start); n > 12 {
			t.Errorf("%d readings in five minutes at a vendor that is down", n)
		}
		w.sim.ClearFaults(sim.Cin7Core)
		w.turn(20 * time.Minute)
		if r := w.run(id); r.ReadingDue() || !r.Finished() {
			t.Errorf("a reading is left: %+v", r)
		}
		// Hints of sales that are not ours, and of nothing, are no burden either.
		start = since()
		for range 600 {
			w.hook(address, string(s.WebhookSecret), `{"SaleID":"`+saleSix+`"}`)
			w.hook(address, string(s.WebhookSecret), "")
			time.Sleep(100 * time.Millisecond)
		}
		w.turn(2 * time.Minute)
		if n := w.count("GET /saleList", start); n != len(w.coreCalls(start)) || n < 10 || n > 14 {
			t.Errorf("%v", w.coreCalls(start))
		}
	})
}

// TestHintDuringReading: a hint that comes while the sale is being read is followed by another reading.
func TestHintDuringReading(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id, sale := w.sell(groceries)
		w.person(sale, "ship", `{"trackingNumber":"T-1"}`)
		_, s, address := w.connection()
		start, body := since(), `{"SaleID":"`+sale+`"}`
		w.fault(sim.Fault{Match: getSale, Kind: "slow", Seconds: 10}) // what it answers is as of now
		w.hook(address, string(s.WebhookSecret), body)
		time.Sleep(8 * time.Second)
		synctest.Wait()
		if w.count(getSale, start) != 1 {
			t.Fatal("it is not being read")
		}
		w.person(sale, "tracking", `{"trackingNumber":"T-2"}`)
		w.hook(address, string(s.WebhookSecret), body)
		w.until(id, "T-2! shipped", 30*time.Second)
		if n := w.count(getSale, start); n != 2 {
			t.Errorf("%d readings", n)
		}
	})
}

// deaf is a store that is not there.
type deaf struct{}

var errDeaf = errors.New("the store is down")

func (deaf) Get(context.Context, ...table.Key) ([]table.Item, error) { return nil, errDeaf }
func (deaf) Query(context.Context, table.Query) (table.Page, error)  { return table.Page{}, errDeaf }
func (deaf) List(context.Context, table.Query) (table.Entries, error) {
	return table.Entries{}, errDeaf
}
func (deaf) Write(context.Context, ...table.Op) error { return errDeaf }

// TestWebhookStoreDown: what cannot be written down is not taken in, and Cin7 Core comes again.
func TestWebhookStoreDown(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.checkHooks()
		id, sale := w.sell(groceries)
		name := "write T#" + w.tenant + "#order"
		w.mu.Lock()
		n := w.seen[name]
		w.mu.Unlock()
		for i := range 3 { // as often as one delivery tries
			w.spoil(name, n+1+i, before)
		}
		w.person(sale, "ship", `{"trackingNumber":"T-1"}`)
		w.until(id, "T-1! shipped", 8*time.Minute)
		if d := w.simCore.Deliveries(w.acc.Cin7Core.AccountID); len(d) != 1 || d[0].Attempts != 2 ||
			d[0].Status != http.StatusAccepted {
			t.Errorf("%+v", d)
		}
		_, s, address := w.connection()
		rec := httptest.NewRecorder()
		req := httptest.NewRequest(http.MethodPost, address, nil)
		req.Header.Set("Authorization", "Bearer "+string(s.WebhookSecret))
		app.New(app.Deps{Table: deaf{}, Sealer: w.box}).Webhook().ServeHTTP(rec, req)
		if rec.Code != http.StatusServiceUnavailable {
			t.Errorf("%d", rec.Code)
		}
	})
}

// TestWebhooksGivenUp: six failures in a row deactivate a webhook; the check finds it, and says so.
func TestWebhooksGivenUp(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.checkHooks()
		id, sale := w.sell(groceries)
		w.fault(sim.Fault{Match: "WEBHOOK Sale/ShipmentAuthorised", Kind: "before", Times: 6})
		w.person(sale, "ship", `{"trackingNumber":"T-1"}`)
		w.turnEach(80*time.Minute, time.Minute)
		if !slices.ContainsFunc(w.coreHooks(), func(h coreHook) bool { return !h.IsActive }) {
			t.Fatal("none was given up")
		}
		w.job("webhooks")
		w.turn(time.Minute)
		w.hookedUp()
		if c, _, _ := w.connection(); time.Since(hooksOf(c).Renewed) > time.Minute+time.Second {
			t.Errorf("%+v", hooksOf(c))
		}
		w.says(strings.Join(w.eventTexts("webhooks"), " "), "given them up", "Sale/ShipmentAuthorised")
		w.person(sale, "tracking", `{"trackingNumber":"T-2"}`)
		w.until(id, "T-2! shipped", 2*time.Minute)
		// All is well: one call, and nothing to write down.
		time.Sleep(31 * time.Minute)
		start := since()
		w.job("webhooks")
		w.turn(time.Minute)
		if calls := w.coreCalls(start); !slices.Equal(calls, []string{"GET /webhooks"}) {
			t.Errorf("%v", calls)
		}
		w.hookedUp()
		if n := len(w.eventTexts("webhooks")); n != 2 {
			t.Errorf("%q", w.eventTexts("webhooks"))
		}
	})
}

// TestWebhooksMessedWith: whatever people do to the webhooks, the check puts ours right and leaves theirs.
func TestWebhooksMessedWith(t *testing.T) {
	put := func(h coreHook, change func(*coreHook)) string {
		change(&h)
		data, _ := json.Marshal(h)
		return string(data)
	}
	for _, c := range []struct {
		name string
		do   func(w *world, all []coreHook)
	}{
		{"deleted", func(w *world, all []coreHook) { w.core(http.MethodDelete, "/webhooks?ID="+all[1].ID, "") }},
		{"all deleted", func(w *world, all []coreHook) {
			for _, h := range all {
				w.core(http.MethodDelete, "/webhooks?ID="+h.ID, "")
			}
		}},
		{"switched off", func(w *world, all []coreHook) {
			w.core(http.MethodPut, "/webhooks", put(all[2], func(h *coreHook) { h.IsActive = false }))
		}},
		{"another token", func(w *world, all []coreHook) {
			w.core(http.MethodPut, "/webhooks", put(all[0], func(h *coreHook) { h.ExternalBearerToken = "theirs" }))
		}},
		{"no auth", func(w *world, all []coreHook) {
			w.core(http.MethodPut, "/webhooks",
				put(all[0], func(h *coreHook) { h.ExternalAuthorizationType = "noauth" }))
		}},
		{"another type", func(w *world, all []coreHook) {
			w.core(http.MethodPut, "/webhooks", put(all[0], func(h *coreHook) { h.Type = "Sale/Undo" }))
		}},
		{"a type that says nothing of sales", func(w *world, all []coreHook) {
			w.core(http.MethodPut, "/webhooks", put(all[0], func(h *coreHook) { h.Type = "Customer/Updated" }))
		}},
		{"copied, one inactive", func(w *world, all []coreHook) {
			for _, h := range all {
				w.core(http.MethodPost, "/webhooks", put(h, func(h *coreHook) { h.ID = "" }))
				w.core(http.MethodPost, "/webhooks", put(h, func(h *coreHook) { h.ID, h.IsActive = "", false }))
			}
			w.core(http.MethodPut, "/webhooks", put(all[3], func(h *coreHook) { h.IsActive = false }))
		}},
		{"at our old address", func(w *world, all []coreHook) {
			w.core(http.MethodPut, "/webhooks",
				put(all[3], func(h *coreHook) { h.ExternalURL = strings.Replace(h.ExternalURL, "hooks.", "old.", 1) }))
		}},
		{"of a connection that is gone", func(w *world, all []coreHook) {
			for range 4 {
				w.core(http.MethodPost, "/webhooks", put(all[0], func(h *coreHook) {
					h.ID, h.ExternalURL = "",
						strings.TrimRight(h.ExternalURL, "abcdefghijklmnopqrstuvwxyz234567")+strings.Repeat("a", 32)
				}))
			}
			w.core(http.MethodDelete, "/webhooks?ID="+all[0].ID, "")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				w.checkHooks()
				for _, kind := range []string{"Sale/Voided", "Sale/Undo", "Customer/Updated"} {
					w.core(http.MethodPost, "/webhooks",
						`{"Type":"`+kind+
							`","IsActive":false,"ExternalURL":"https://other.example.com/in","ExternalAuthorizationType":"basicauth","ExternalUserName":"them","ExternalPassword":"theirs"}`)
				}
				theirs := func() (list []coreHook) {
					for _, h := range w.coreHooks() {
						if strings.HasPrefix(h.ExternalURL, "https://other.example.com") {
							list = append(list, h)
						}
					}
					return list
				}
				before, all := theirs(), w.coreHooks()
				c.do(w, all[:5])
				start := since()
				w.checkHooks()
				if strings.HasPrefix(c.name, "copied") && w.count("PUT /webhooks", start) > 0 {
					t.Error("an active one was there to be kept")
				}
				w.hookedUp()
				if len(before) != 3 || !slices.Equal(before, theirs()) {
					t.Errorf("they had %+v, now %+v", before, theirs())
				}
				if n := len(w.coreHooks()); n != 8 {
					t.Errorf("%d webhooks in all", n)
				}
			})
		})
	}
}

// TestWebhooksRefused: where the webhooks cannot be had, the connection says why, in plain words, and nothing else
// suffers.
func TestWebhooksRefused(t *testing.T) {
	t.Run("no Automation", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.account(`{"automation":false}`)
			w.checkHooks()
			c, _, _ := w.connection()
			if hooksOf(c).State != upstockcin7.WebhooksUnavailable || c.State != tenant.Connected {
				t.Fatalf("%+v", hooksOf(c))
			}
			w.says(hooksOf(c).Why, "Automation", "every 5 minutes")
			id, sale := w.sell(groceries)
			w.person(sale, "ship", `{"trackingNumber":"T-1"}`)
			w.poll()
			w.is(id, order.Shipped, "T-1! shipped")
			w.account(`{"automation":true}`)
			w.checkHooks()
			w.hookedUp()
		})
	})
	t.Run("five others of a type", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			id := ""
			for i := range 5 {
				var doc struct{ Webhooks []coreHook }
				body := w.core(http.MethodPost, "/webhooks",
					fmt.Sprintf(`{"Type":"Sale/Undo","IsActive":true,"ExternalURL":"https://other.example.com/%d","ExternalAuthorizationType":"noauth"}`, i))
				if err := json.Unmarshal(body, &doc); err != nil {
					t.Fatal(err)
				}
				id = doc.Webhooks[0].ID
			}
			start := since()
			w.checkHooks()
			c, _, _ := w.connection()
			if hooksOf(c).State != upstockcin7.WebhooksOff || len(w.coreHooks()) != 9 ||
				w.count("POST /webhooks", start) != 5 {
				t.Fatalf("%+v, %d webhooks, %v", hooksOf(c), len(w.coreHooks()), w.coreCalls(start))
			}
			w.says(hooksOf(c).Why, "5 webhooks of the type Sale/Undo", "delete one", "every 5 minutes")
			if strings.Contains(hooksOf(c).Why, "Sale/Voided") {
				t.Error(hooksOf(c).Why)
			}
			w.core(http.MethodDelete, "/webhooks?ID="+id, "")
			w.checkHooks()
			w.hookedUp()
		})
	})
	t.Run("the key is refused", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.account(`{"revoked":true}`)
			w.checkHooks()
			if c, _, _ := w.connection(); c.State != tenant.NeedsReconnecting {
				t.Fatalf("%+v", c)
			}
			w.account(`{"revoked":false}`)
			if _, _, err := w.vendorTable().Connect(t.Context(), w.tenant, tenant.Cin7Core, w.coreKey()); err != nil {
				t.Fatal(err)
			}
			w.turn(time.Minute)
			w.hookedUp()
		})
	})
	t.Run("throttled", func(t *testing.T) {
		for _, how := range []string{"503", "429", "400", "200"} {
			story(t, func(t *testing.T, w *world) {
				w.fault(sim.Fault{Match: "GET /webhooks", Kind: "throttle", How: how})
				w.fault(sim.Fault{Match: "POST /webhooks", Kind: "throttle", How: how, Skip: 2})
				w.checkHooks()
				c, _, _ := w.connection()
				if hooksOf(c).State == upstockcin7.WebhooksUnavailable || c.State != tenant.Connected {
					t.Errorf("%s: %+v", how, hooksOf(c))
				}
				for range 3 {
					time.Sleep(31 * time.Minute)
					w.job("webhooks")
					w.turn(time.Minute)
				}
				w.hookedUp()
			})
		}
	})
}

// TestWebhookCallsFail: whichever call fails, before or after it took effect or with nonsense, and however late it
// comes, checks again come to one active webhook of each type.
func TestWebhookCallsFail(t *testing.T) {
	messy := func(w *world) { // something to create, to update and to delete
		w.checkHooks()
		all := w.coreHooks()
		w.core(http.MethodDelete, "/webhooks?ID="+all[0].ID, "")
		all[1].ExternalBearerToken = "theirs"
		data, _ := json.Marshal(all[1])
		w.core(http.MethodPut, "/webhooks", string(data))
		all[2].ID = ""
		data, _ = json.Marshal(all[2])
		w.core(http.MethodPost, "/webhooks", string(data))
	}
	var faults []sim.Fault
	for _, call := range []string{"GET /webhooks", "POST /webhooks", "PUT /webhooks", "DELETE /webhooks"} {
		for _, f := range []sim.Fault{{Kind: "before"}, {Kind: "before", How: "refused"}, {Kind: "before", How: "500"},
			{Kind: "after"}, {Kind: "after", How: "timeout"}, {Kind: "after", How: "html"},
			{Kind: "html"}, {Kind: "late", Seconds: 100}, {Kind: "slow", Seconds: 30}, {Kind: "throttle"}} {
			f.Match = call
			faults = append(faults, f)
		}
	}
	run := func(t *testing.T, prepare func(w *world), skips int) {
		story(t, func(t *testing.T, w *world) {
			w.mu.Lock()
			w.armed = false
			w.mu.Unlock()
			for _, f := range faults {
				for skip := range skips {
					for _, times := range []int{1, 3} {
						if testing.Short() && skip+times > 1 {
							continue // enough of the same
						}
						for _, h := range w.coreHooks() {
							w.core(http.MethodDelete, "/webhooks?ID="+h.ID, "")
						}
						prepare(w)
						f.Skip, f.Times = skip, times
						w.fault(f)
						w.checkHooks()
						w.turn(2 * time.Minute)
						w.sim.ClearFaults(sim.Cin7Core)
						w.checkHooks()
						w.hookedUp()
						if t.Failed() {
							t.Fatalf("%+v", f)
						}
					}
				}
			}
		})
	}
	t.Run("none yet", func(t *testing.T) { run(t, func(*world) {}, 3) })
	t.Run("in disorder", func(t *testing.T) { run(t, messy, 1) })
}

// TestWebhookChecksAtOnce: two checks at the same time, in any order of their calls, leave one of each.
func TestWebhookChecksAtOnce(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		for _, slow := range []sim.Fault{{Match: "nothing", Kind: "slow"},
			{Match: "GET /webhooks", Kind: "slow", Seconds: 3},
			{Match: "POST /webhooks", Kind: "slow", Seconds: 2, Times: 3},
			{Match: "POST /webhooks", Kind: "slow", How: "arrive", Seconds: 2, Times: 2},
			{Match: "* /webhooks", Kind: "slow", Seconds: 1, Skip: 1, Times: 9},
			{Match: "DELETE /webhooks", Kind: "slow", Seconds: 2, Times: 4}} {
			for _, h := range w.coreHooks() {
				w.core(http.MethodDelete, "/webhooks?ID="+h.ID, "")
			}
			w.fault(slow)
			for range 3 {
				go w.do(context.Background(), "console", upstockcin7.JobWebhooks)
			}
			w.turn(5 * time.Minute)
			w.sim.ClearFaults(sim.Cin7Core)
			w.hookedUp()
			if t.Failed() {
				t.Fatalf("%+v", slow)
			}
		}
	})
}

// TestWebhookSecretRotates: a new key brings a new secret, end to end; what is on its way meanwhile arrives.
func TestWebhookSecretRotates(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.checkHooks()
		id, sale := w.sell(groceries)
		_, old, _ := w.connection()
		connect := func(key string) tenant.Secrets {
			w.account(`{"applicationKey":"` + key + `"}`)
			typed := vendor.Credentials{Key: tenant.Secret(key)}
			if _, _, err := w.vendorTable().Connect(t.Context(), w.tenant, tenant.Cin7Core, typed); err != nil {
				t.Fatal(err)
			}
			w.acc.Cin7Core.ApplicationKey = key
			_, s, _ := w.connection()
			return s
		}
		same := connect(w.acc.Cin7Core.ApplicationKey)
		if same.WebhookSecret != old.WebhookSecret || same.URLToken != old.URLToken {
			t.Error("the same key, another secret")
		}
		w.person(sale, "ship", `{"trackingNumber":"T-1"}`)
		w.fault(sim.Fault{Match: "PUT /webhooks", Kind: "before", How: "500", Times: 7})
		s := connect("key-2")
		if s.WebhookSecret == old.WebhookSecret || s.WebhookSecret == "" || s.URLToken != old.URLToken ||
			!slices.Contains(s.WebhookSecrets(time.Now()), old.WebhookSecret) {
			t.Error("a new key, not a new secret")
		}
		w.until(id, "T-1! shipped", 2*time.Minute) // with the old secret
		w.sim.ClearFaults(sim.Cin7Core)
		w.checkHooks()
		w.hookedUp()
		w.person(sale, "tracking", `{"trackingNumber":"T-2"}`)
		w.until(id, "T-2! shipped", 2*time.Minute)
		for _, d := range w.simCore.Deliveries(w.acc.Cin7Core.AccountID) {
			if d.Attempts != 1 {
				t.Errorf("%+v", d)
			}
		}
		// A secret replaced while a check with the old one is under way.
		for _, h := range w.coreHooks() {
			w.core(http.MethodDelete, "/webhooks?ID="+h.ID, "")
		}
		check := func() {
			w.do(context.Background(), "console", upstockcin7.JobWebhooks)
		}
		w.fault(sim.Fault{Match: "GET /webhooks", Kind: "slow", Seconds: 15})
		go check()
		time.Sleep(5 * time.Second)
		if _, _, err := tenant.NewStore(w.store, w.box).Connect(t.Context(), w.tenant, tenant.Cin7Core,
			func(_ *tenant.Connection, s *tenant.Secrets) error {
				s.WebhookSecret = "the-newest"
				return nil
			}); err != nil {
			t.Fatal(err)
		}
		go check()
		w.turn(3 * time.Minute)
		w.hookedUp()
	})
}

// TestWebhooksOfConnections: webhooks come with a connection, and go with it.
func TestWebhooksOfConnections(t *testing.T) {
	t.Run("connected before there were any", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			store := tenant.NewStore(w.store, w.box)
			unhook := func(_ *tenant.Connection, s *tenant.Secrets) error {
				s.WebhookSecret, s.Replaced = "", nil
				return nil
			}
			if _, _, err := store.Connect(t.Context(), w.tenant, tenant.Cin7Core, unhook); err != nil {
				t.Fatal(err)
			}
			note(w, upstockcin7.HookProgress, upstockcin7.Webhooks{})
			w.checkHooks()
			w.hookedUp()
			id, sale := w.sell(groceries)
			w.person(sale, "ship", `{"trackingNumber":"T-1"}`)
			w.until(id, "T-1! shipped", 2*time.Minute)
		})
	})
	t.Run("Cin7 Core first, then Upstock", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			ctx, token := t.Context(), tenant.Secret(w.acc.Upstock.Token)
			for _, sys := range []tenant.System{tenant.Cin7Core, tenant.Upstock} {
				if err := w.vendorTable().Disconnect(ctx, w.tenant, sys); err != nil {
					t.Fatal(err)
				}
			}
			if _, _, err := w.vendorTable().Connect(ctx, w.tenant, tenant.Cin7Core, w.coreKey()); err != nil {
				t.Fatal(err)
			}
			w.turn(time.Minute)
			if n := len(w.coreHooks()); n != 0 {
				t.Errorf("%d for nothing", n)
			}
			typed := vendor.Credentials{Key: token}
			if _, _, err := w.vendorTable().Connect(ctx, w.tenant, tenant.Upstock, typed); err != nil {
				t.Fatal(err)
			}
			w.turn(time.Minute)
			w.hookedUp()
		})
	})
	t.Run("disconnected", func(t *testing.T) {
		for _, fault := range []sim.Fault{{Match: "nothing", Kind: "before"},
			{Match: "GET /webhooks", Kind: "after", How: "timeout", Times: -1},
			{Match: "DELETE /webhooks", Kind: "before", How: "500", Times: -1}} {
			story(t, func(t *testing.T, w *world) {
				w.checkHooks()
				w.core(http.MethodPost, "/webhooks",
					`{"Type":"Sale/Undo","IsActive":true,"ExternalURL":"https://other.example.com/in","ExternalAuthorizationType":"noauth"}`)
				_, s, address := w.connection()
				w.fault(fault)
				start := time.Now()
				if err := w.vendorTable().Disconnect(t.Context(), w.tenant, tenant.Cin7Core); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took > 10*time.Second {
					t.Errorf("it took %s", took)
				}
				if resp := w.hook(address, string(s.WebhookSecret), "{}"); resp.StatusCode != http.StatusNotFound {
					t.Errorf("%d", resp.StatusCode)
				}
				w.sim.ClearFaults(sim.Cin7Core)
				if n := len(w.coreHooks()); fault.Match == "nothing" && n != 1 {
					t.Errorf("%d webhooks are left", n)
				}
				if err := w.do(t.Context(), "console", upstockcin7.JobWebhooks); err != nil {
					t.Error(err)
				}
				_, _, err := w.vendorTable().Connect(t.Context(), w.tenant, tenant.Cin7Core, w.coreKey())
				if err != nil {
					t.Fatal(err)
				}
				w.turn(time.Minute)
				w.hookedUp()
				if n := len(w.coreHooks()); n != 6 {
					t.Errorf("%d webhooks in all", n)
				}
			})
		}
	})
	t.Run("another account", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.checkHooks()
			_, old, _ := w.connection()
			next := w.sim.AddAccount("Next", "").Cin7Core
			time.Sleep(time.Second)
			connected := time.Now()
			typed := vendor.Credentials{Account: next.AccountID, Key: tenant.Secret(next.ApplicationKey)}
			if _, _, err := w.vendorTable().Connect(t.Context(), w.tenant, tenant.Cin7Core, typed); err != nil {
				t.Fatal(err)
			}
			c, _, _ := w.connection()
			looked := !hooksOf(c).Checked.Before(connected) // at the new one's, already
			if hooksOf(c) != (upstockcin7.Webhooks{}) && !looked {
				t.Errorf("the old account's: %+v", hooksOf(c))
			}
			if n := len(w.coreHooks()); n != 0 {
				t.Errorf("%d are left in the old account", n)
			}
			w.turn(time.Minute)
			w.acc.Cin7Core = next
			w.hookedUp()
			if _, s, _ := w.connection(); s.WebhookSecret == old.WebhookSecret {
				t.Error("the same secret in another account")
			}
		})
	})
	t.Run("another account, and the process dies", func(t *testing.T) {
		story(t, func(t *testing.T, w *world) {
			w.checkHooks()
			next, name := w.sim.AddAccount("Next", "").Cin7Core, "write T#"+w.tenant
			w.mu.Lock()
			w.armed = true
			n := w.seen[name]
			w.mu.Unlock()
			w.spoil(name, n+1, die)
			typed := vendor.Credentials{Account: next.AccountID, Key: tenant.Secret(next.ApplicationKey)}
			if _, _, err := w.vendorTable().Connect(t.Context(), w.tenant, tenant.Cin7Core, typed); err == nil {
				t.Fatal("it did not die")
			}
			c, _, _ := w.connection()
			if c.Account != strings.ToLower(next.AccountID) || !w.mirrored().Ready.IsZero() ||
				upstockcin7.LookedUp.Of(c) != 0 || hooksOf(c) != (upstockcin7.Webhooks{}) {
				t.Errorf("known of the old account: %+v", c)
			}
			id := w.approve(groceries) // its customer is of the old account
			w.turn(20 * time.Minute)
			if m := w.mirrored(); m.State != mirror.Ready || w.run(id).State != ledger.Attention {
				t.Errorf("mirror %+v, order %s", m, w.run(id).State)
			}
		})
	})
}

// TestWebhookSecretsAreSilent: no token is in what is kept in the clear, nor in what people see.
func TestWebhookSecretsAreSilent(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.fault(sim.Fault{Match: "POST /webhooks", Kind: "after", How: "html"})
		w.fault(sim.Fault{Match: "PUT /webhooks", Kind: "before", How: "500"})
		w.checkHooks()
		id, sale := w.sell(groceries)
		w.person(sale, "ship", `{"trackingNumber":"T-1"}`)
		w.turn(3 * time.Minute)
		_, s, address := w.connection()
		w.hook(address, "wrong", "{}")
		w.hook(address, string(s.WebhookSecret), `{"SaleID":"`+saleSix+`","OrderNumber":"`+string(s.WebhookSecret[:4])+`"}`)
		l := ledger.New(w.store)
		ctx := t.Context()
		var doc any
		rev, err := l.Doc(ctx, w.tenant, "cursor#webhooks", &doc)
		if err != nil || rev == "" {
			t.Fatal(err)
		}
		events, _, err := l.Events(ctx, w.tenant, "", 200)
		if err != nil {
			t.Fatal(err)
		}
		exchanges, err := order.NewBook(l).Exchanges(ctx, w.run(id))
		if err != nil || len(exchanges) == 0 {
			t.Fatal(err)
		}
		b := must[tenant.Bundle](w)(tenant.NewStore(w.store, w.box).Load(ctx, w.tenant))
		all := must[[]byte](w)(json.Marshal([]any{doc, events, exchanges, w.run(id), b}))
		for _, secret := range []tenant.Secret{s.WebhookSecret, s.URLToken} {
			if bytes.Contains(all, []byte(secret)) {
				t.Error("a token is kept in the clear")
			}
		}
		if bytes.Contains(all, []byte("/webhooks")) {
			t.Error("a call about webhooks is recorded")
		}
	})
}

// FuzzCin7Webhook delivers any body under the right secret, and under a wrong
// one. The first is always taken in, the second never; nothing panics.
func FuzzCin7Webhook(f *testing.F) {
	for _, body := range []string{"", "{", "null", "[]", `{"SaleID":"` + saleSix + `","EventType":"Sale/Undo"}`,
		`{"SaleTaskID":"{6F9619FF-8B86-D011-B42D-00CF4FC964FF}","OrderNumber":"SO-1",}`,
		"\ufeff{\"OrderNumber\":\"\ufffd\"}", "\xff\xfe", `{"OrderNumber":"` + strings.Repeat("ŉ", 128) + `"}`,
		`{"SaleOrderNumber":" \u0000 "}`, strings.Repeat(`{"a":`, 5000)} {
		f.Add([]byte(body), "")
	}
	f.Add([]byte("{}"), "bearer the secret")
	f.Add([]byte("{}"), "Bearer")
	in, err := newIntake(f.TempDir())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { in.store.Close() })
	_, s, err := in.app.Tenants.Connect(context.Background(), in.tenant, tenant.Cin7Core,
		func(c *tenant.Connection, s *tenant.Secrets) error {
			c.Account, s.Key, s.WebhookSecret = "a", "key", "the-secret"
			s.GiveURLToken()
			return nil
		})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte, auth string) {
		for _, header := range []string{"Bearer the-secret", auth} {
			address := "https://hooks.example.test/webhooks/cin7core/" + string(s.URLToken)
			req := httptest.NewRequest(http.MethodPost, address, bytes.NewReader(body))
			req.Header.Set("Authorization", header)
			rec := httptest.NewRecorder()
			in.app.Webhook().ServeHTTP(rec, req)
			want := http.StatusUnauthorized
			if scheme, token, _ := strings.Cut(strings.TrimSpace(header), " "); strings.EqualFold(scheme, "bearer") &&
				strings.TrimSpace(token) == "the-secret" {
				want = http.StatusAccepted
			}
			if rec.Code != want {
				t.Fatalf("%q under %q: %d %s", body, header, rec.Code, rec.Body)
			}
		}
	})
}
