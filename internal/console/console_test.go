package console

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/ledger"
	"stockbridge/internal/upstockcin7/order"
)

func TestTokens(t *testing.T) {
	h := open(t)
	_, mine, token := h.tenant("Aroha Foods")
	other, theirs, otherToken := h.tenant("Kauri Supplies")
	missing := h.do("GET", "/api/v1/tenants/nobody/settings", token, nil).is(404)
	for _, c := range []struct {
		name, method, path, token string
		body                      any
		want                      int
	}{
		{"no token", "GET", "/api/v1/tenants", "", nil, 401},
		{"bad token", "GET", "/api/v1/tenants", "sb_WRONG", nil, 401},
		{"no token, no such path", "GET", "/api/v1/nothing", "", nil, 401},
		{"no token, no such method", "PATCH", "/api/v1/tenants", "", nil, 401},
		{"operator", "GET", mine + "/settings", operator, nil, 200},
		{"own", "GET", mine + "/settings", token, nil, 200},
		{"other's", "GET", theirs + "/settings", token, nil, 404},
		{"other's connections", "PUT", theirs + "/connections/upstock", token, `{"token":"x"}`, 404},
		{"other's orders", "GET", theirs + "/orders", token, nil, 404},
		{"other's with its token", "GET", theirs + "/orders", otherToken, nil, 200},
		{"other's token making", "POST", theirs + "/tokens", token, nil, 404},
		{"a tenant makes no tenants", "POST", "/api/v1/tenants", token, `{"name":"More"}`, 403},
		{"part of the store's keys", "GET", "/api/v1/tenants/" + other + "%23order/settings", operator, nil, 404},
		{"not UTF-8", "GET", "/api/v1/tenants/%ff/settings", operator, nil, 404},
		{"health check", "GET", "/healthz", "", nil, 200},
		{"description", "GET", "/api/openapi.yaml", "", nil, 200},
		{"front page", "GET", "/", "", nil, 200},
		{"no such page", "GET", "/favicon.ico", "", nil, 404},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.t = t
			a := h.do(c.method, c.path, c.token, c.body).is(c.want)
			if c.want == 401 && !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("WWW-Authenticate: %q", a.header.Get("WWW-Authenticate"))
			}
			if c.want == 404 && strings.HasPrefix(c.path, "/api") && a.raw != missing.raw {
				t.Errorf("tells more than that there is nothing: %s", a.raw)
			}
			for _, name := range []string{"X-Content-Type-Options", "Content-Security-Policy", "Referrer-Policy",
				"Cache-Control"} {
				if a.header.Get(name) == "" {
					t.Errorf("no %s", name)
				}
			}
		})
	}
	h.t = t
	if got := h.do("GET", "/api/v1/tenants", token, nil).is(200); len(got.get("items").([]any)) != 1 ||
		got.get("items.0.name") != "Aroha Foods" {
		t.Errorf("a tenant's list: %s", got.raw)
	}
	if got := h.do("GET", "/api/v1/tenants", operator, nil).is(200); len(got.get("items").([]any)) != 2 {
		t.Errorf("the operator's list: %s", got.raw)
	}
	second := h.do("POST", mine+"/tokens", token, nil).is(201).get("token").(string)
	h.do("GET", mine+"/settings", second, nil).is(200)
	h.do("GET", theirs+"/settings", second, nil).is(404)
}

func TestNoOperator(t *testing.T) {
	h := open(t)
	h.h = New(Deps{Tenants: h.tenants, Ledger: h.ledger})
	h.do("GET", "/api/v1/tenants", "", nil, "Authorization", "Bearer ").is(401)
	h.do("GET", "/api/v1/tenants", operator, nil).is(401)
}

func TestMethods(t *testing.T) {
	h := open(t)
	_, path, _ := h.tenant("Aroha Foods")
	for target, want := range map[string]string{
		"/":                          "GET, HEAD",
		"/healthz":                   "GET, HEAD",
		"/api/v1/tenants":            "GET, HEAD, POST",
		path + "/settings":           "GET, HEAD, PUT, PATCH",
		path + "/connections/joor":   "GET, HEAD, PUT, DELETE",
		path + "/orders/retry/retry": "POST",
		path + "/orders/retry":       "POST", // no order's id
		path + "/orders/1":           "GET, HEAD",
	} {
		if a := h.do("REPORT", target, operator, nil).is(405); a.header.Get("Allow") != want {
			t.Errorf("%s: Allow: %s, want %s", target, a.header.Get("Allow"), want)
		}
	}
	for _, target := range []string{"/", "/healthz", path + "/settings", path + "/orders"} {
		get, head := h.do("GET", target, operator, nil).is(200), h.do("HEAD", target, operator, nil).is(200)
		if head.raw != "" || head.header.Get("Content-Length") != get.header.Get("Content-Length") {
			t.Errorf("HEAD %s: %q, %v", target, head.raw, head.header)
		}
	}
}

// TestEmptyParameters: a parameter of which an empty one says nothing is refused by name, and not passed over.
func TestEmptyParameters(t *testing.T) {
	h := open(t)
	_, path, _ := h.tenant("Aroha Foods")
	for query, fields := range map[string]string{
		"/orders?limit=": "limit", "/orders?state=&q=": "state", "/events?from=&to=&by=": "by from to",
		"/completeness?to=": "to", "/events.csv?to=": "to", "/completeness.csv?from=": "from",
		"/orders?q=": "", "/orders?after=": "", "/events?order=&kind=": "",
	} {
		status := http.StatusOK
		if fields != "" {
			status = http.StatusUnprocessableEntity
		}
		if a := h.do("GET", path+query, operator, nil).is(status); strings.Join(a.fields(), " ") != fields {
			t.Errorf("%s: %s", query, a.raw)
		}
	}
	for _, limit := range []string{"101", "99999999999999999999999"} {
		h.do("GET", path+"/orders?limit="+limit, operator, nil).is(http.StatusOK)
	}
	for _, limit := range []string{"0", "-1", "1.5", "x"} {
		h.do("GET", path+"/orders?limit="+limit, operator, nil).is(http.StatusUnprocessableEntity)
	}
}

// TestNull: null is no value of a field, but where the description says that it is one.
func TestNull(t *testing.T) {
	h := open(t)
	_, path, token := h.tenant("Aroha Foods")
	for _, c := range []struct{ method, path, body, field string }{
		{"POST", "/api/v1/tenants", `{"name":"Kea","timeZone":null}`, "timeZone"},
		{"DELETE", path, `{"name": null }`, "name"},
		{"POST", path + "/tokens", `{"role":null}`, "role"},
		{"POST", path + "/backfill/preview", `{"from":"2026-11-01","to":"2026-11-01","after":null}`, "after"},
		{"POST", path + "/completeness", `{"from":null,"to":null}`, "from"},
		{"POST", path + "/completeness", `{"to":""}`, "to"},
		{"POST", path + "/orders/retry", `{"orders":[null]}`, "orders"},
		{"POST", path + "/orders/retry", `{"orders":[1.5]}`, "orders"},
		{"PUT", path + "/flows/orders", `{"paused":null}`, "paused"},
		{"POST", path + "/orders/preview", `{"order":null,"orderId":1}`, "order"},
		{"POST", path + "/orders/1/retry", `{"beside":null}`, "beside"},
		{"PUT", path + "/connections/upstock", `{"token":null}`, "token"},
	} {
		a := h.do(c.method, c.path, operator, c.body).is(http.StatusUnprocessableEntity)
		if !slices.Contains(a.fields(), c.field) {
			t.Errorf("%s %s: %s", c.method, c.body, a.raw)
		}
	}
	h.do("POST", path+"/tokens", token, `{"expires":null}`).is(http.StatusCreated)
}

func TestBodies(t *testing.T) {
	h := open(t)
	_, path, _ := h.tenant("Aroha Foods")
	const tenants = "/api/v1/tenants"
	for _, c := range []struct {
		name, target, kind, body string
		want                     int
		fields                   []string
	}{
		{"form", tenants, "application/x-www-form-urlencoded", "name=x", 415, nil},
		{"no type", tenants, "", `{"name":"x"}`, 415, nil},
		{"with charset", tenants, "application/json; charset=utf-8", `{"name":"x"}`, 201, nil},
		{"nothing", tenants, "application/json", "", 400, nil},
		{"no object", tenants, "application/json", `[1]`, 400, nil},
		{"null", tenants, "application/json", `null`, 400, nil},
		{"cut off", tenants, "application/json", `{"name":"x"`, 400, nil},
		{"garbage after it", tenants, "application/json", `{"name":"x"} {}`, 400, nil},
		{"too large", tenants, "application/json", `{"name":"` + strings.Repeat("x", maxBody) + `"}`, 413, nil},
		{"unknown fields", tenants, "application/json", `{"name":"x","plan":1,"Name":"y"}`, 422,
			[]string{"Name", "plan"}},
		{"wrong type", tenants, "application/json", `{"name":7,"timeZone":"Pacific/Auckland"}`, 422, []string{"name"}},
		{"no name", tenants, "application/json", `{}`, 422, []string{"name"}},
		{"no such zone", tenants, "application/json", `{"name":"x","timeZone":"Pacific/Nowhere"}`, 422,
			[]string{"timeZone"}},
		{"no body is fine", path + "/tokens", "", "", 201, nil},
		{"but not any body", path + "/tokens", "application/json", `{"names":"x"}`, 422, []string{"names"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.t = t
			a := h.do("POST", c.target, operator, c.body, "Content-Type", c.kind).is(c.want)
			if diff := cmp.Diff(c.fields, a.fields()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSettings(t *testing.T) {
	h := open(t)
	_, path, token := h.tenant("Aroha Foods")
	path += "/settings"
	first := h.do("GET", path, token, nil).is(200)
	if first.header.Get("ETag") != `"0"` || first.get("orderStatus") != "draft" ||
		first.get("totalTolerance") != "0.02" || first.get("onCancel") != "tell" {
		t.Errorf("defaults: %s %s", first.header.Get("ETag"), first.raw)
	}
	again := h.do("PUT", path, token, first.raw, "If-Match", `"0"`).is(200)
	if again.header.Get("ETag") != `"1"` || again.raw != first.raw {
		t.Errorf("GET is not what PUT takes: %s %s", again.header.Get("ETag"), again.raw)
	}
	for _, c := range []struct {
		name, body, match string
		want              int
		fields            []string
	}{
		{"stale", `{}`, `"0"`, 412, nil},
		{"weak", `{}`, `W/"1"`, 412, nil},
		{"one of several", `{"taxRules":{"15.00":"GST on Income"}}`, `"0", "1"`, 200, nil},
		{"any", `{}`, `*`, 200, nil},
		{"unconditional", `{"orderStatus":"authorised","totalTolerance":"0.10"}`, "", 200, nil},
		{"by name", `{"orderstatus":"draft","colour":"red"}`, "", 422, []string{"colour", "orderstatus"}},
		{"void", `{"onCancel":"void"}`, "", 200, nil},
		{"tell", `{"onCancel":"tell"}`, "", 200, nil},
		{"no such value", `{"onCancel":"delete"}`, "", 422, []string{"onCancel"}},
		{"no value", `{"onCancel":""}`, "", 422, []string{"onCancel"}},
		{"no text", `{"onCancel":true}`, "", 422, []string{"onCancel"}},
		{"all at once", `{"orderStatus":"sent","taxRules":{"x":"y"},"totalTolerance":"-1"}`, "", 422,
			[]string{"orderStatus", "taxRules.x", "totalTolerance"}},
		{"wrong type", `{"location":null}`, "", 422, []string{"location"}},
		{"garbage after it", `{} x`, "", 400, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.t = t
			var headers []string
			if c.match != "" {
				headers = []string{"If-Match", c.match}
			}
			a := h.do("PUT", path, token, c.body, headers...).is(c.want)
			if diff := cmp.Diff(c.fields, a.fields()); diff != "" {
				t.Error(diff)
			}
			if c.want != 200 {
				return
			}
			if now := h.do("GET", path, token, nil); now.raw != a.raw ||
				now.header.Get("ETag") != a.header.Get("ETag") {
				t.Errorf("saved %s, read %s", a.raw, now.raw)
			} else if again := h.do("PUT", path, token, now.raw).is(200); again.raw != now.raw {
				t.Errorf("read %s, saved again %s", now.raw, again.raw)
			}
		})
	}
}

func TestOrders(t *testing.T) {
	h := open(t)
	id, path, token := h.tenant("Aroha Foods")
	other, _, _ := h.tenant("Kauri Supplies")
	at := time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	h.run(order.Order{Run: ledger.Run{Tenant: other, ID: "1", State: order.Sold}, Number: "THEIRS"})
	for i := range 250 {
		n := fmt.Sprint(1000 + i)
		run := order.Order{Run: ledger.Run{Tenant: id, ID: n, State: order.Sold}, Number: "UP-" + n,
			Customer: "Café Rimu", Total: "11.50", Told: true}
		if i%25 == 0 {
			run.State, run.Customer = ledger.Attention, "Tūī Bakery"
		}
		h.run(run)
	}
	h.run(order.Order{Run: ledger.Run{Tenant: id, ID: "!msg_1", State: ledger.Attention,
		Problems: []ledger.Problem{{Code: "unreadable", Message: "No order.", Fix: "Send it again."}}}})
	h.run(order.Order{Run: ledger.Run{Tenant: id, ID: "2000", State: ledger.Waiting, Why: "Cin7 Core asks to wait.",
		Next: at.AddDate(50, 0, 0), Received: at, Attempts: 2}, Number: "UP-2000", Reference: "PO 77",
		Customer: "Café Rimu", Currency: "NZD", Total: "115.00", Approved: at, SaleID: "5f1e", SaleNumber: "SO-00042",
		SaleTotal: "115.01"})

	for _, c := range []struct {
		query, first string
		want         int
	}{
		{"", "", 252}, {"state=attention", "", 11}, {"state=waiting", "2000", 1}, {"state=shipped", "", 0},
		{"q=up-11", "1199", 100}, {"q=PO+77", "2000", 1}, {"q=so-00042", "2000", 1}, {"q=T%C5%AA%C4%AA", "1225", 10},
		{"q=1003", "1003", 1}, {"q=100", "1009", 10}, {"q=rimu&state=sold", "1249", 240}, {"q=theirs", "", 0},
	} {
		for _, limit := range []int{1, 7, 100} {
			if limit == 1 && c.want > 100 {
				continue
			}
			var ids []string
			for after := ""; ; {
				a := h.do("GET", fmt.Sprintf("%s/orders?%s&limit=%d&after=%s", path, c.query, limit, after), token,
					nil).is(200)
				items := a.get("items").([]any)
				if len(items) > limit {
					t.Errorf("%s: %d items, limit %d", c.query, len(items), limit)
				}
				for _, it := range items {
					ids = append(ids, fmt.Sprint(object(it)["id"]))
				}
				next, ok := a.get("next").(string)
				if !ok {
					break
				}
				after = url.QueryEscape(next)
			}
			unique := slices.Compact(slices.Sorted(slices.Values(ids)))
			if len(ids) != c.want || len(unique) != c.want || c.first != "" && ids[0] != c.first {
				t.Errorf("?%s&limit=%d: %d orders, %d different, want %d; from %.3v", c.query, limit, len(ids),
					len(unique), c.want, ids)
			}
		}
	}

	a := h.do("GET", path+"/orders?q=UP-2000", token, nil)
	want := map[string]any{
		"id": 2000.0, "orderNumber": "UP-2000", "reference": "PO 77", "customer": "Café Rimu", "state": "waiting",
		"why":      "Cin7 Core asks to wait.",
		"currency": "NZD", "total": "115.00", "saleId": "5f1e", "saleNumber": "SO-00042", "saleTotal": "115.01",
		"problems": []any{}, "attempts": 2.0, "shipments": 0.0,
		"nextAttempt": "2076-03-02T09:30:00Z", "receivedAt": "2026-03-02T09:30:00Z",
		"approvedAt": "2026-03-02T09:30:00Z",
		"saleUrl":    a.get("items.0.saleUrl"),
	}
	if diff := cmp.Diff(want, a.get("items.0")); diff != "" {
		t.Error(diff)
	}
	if link := fmt.Sprint(want["saleUrl"]); !strings.HasPrefix(link, "https://") || !strings.Contains(link, "5f1e") {
		t.Errorf("saleUrl: %s", link)
	}
	if got := h.do("GET", path+"/orders?q=msg_1", token, nil); got.get("items.0.id") != "!msg_1" ||
		got.get("items.0.total") != nil ||
		got.get("items.0.problems.0.code") != "unreadable" {
		t.Errorf("what is no order: %s", got.raw)
	}
	for query, field := range map[string]string{"limit=0": "limit", "limit=x": "limit", "state=lost": "state"} {
		if got := h.do("GET", path+"/orders?"+query, token, nil).is(422); !slices.Equal(got.fields(), []string{field}) {
			t.Errorf("%s: %s", query, got.raw)
		}
	}
	if got := h.do("GET", path+"/orders?limit=5000", token, nil).is(200); len(got.get("items").([]any)) != 100 {
		t.Errorf("a limit above 100 is not 100")
	}

	health := h.do("GET", path+"/health", token, nil).is(200)
	if diff := cmp.Diff(map[string]any{"attention": 11.0, "parked": 0.0, "due": 0.0, "waiting": 1.0, "more": []any{}},
		health.get("orders")); diff != "" {
		t.Error(diff)
	}
}

func TestOrder(t *testing.T) {
	h := open(t)
	ctx := t.Context()
	id, path, token := h.tenant("Aroha Foods")
	_, theirs, otherToken := h.tenant("Kauri Supplies")
	at := time.Now().UTC().Truncate(time.Second)
	h.run(order.Order{Run: ledger.Run{Tenant: id, ID: "7", State: ledger.Working}})
	run, err := h.orders.Get(ctx, id, "7")
	if err != nil {
		t.Fatal(err)
	}
	run.Record(ledger.Exchange{At: at, Millis: 12, System: "cin7core", Method: "POST", Path: "/sale", Status: 200,
		Outcome: "done",
		Request: `{"Customer":"<Café>"}`, Answer: `{"ID":"5f1e"}`})
	err = h.orders.Update(ctx, run, func(r *order.Order, _ *ledger.Extra) error {
		r.Note(at, "Received.")
		r.Note(at, "Received.")
		r.Say("The freight was left out.")
		r.Intend(order.StepCreate, at, at.Add(time.Minute), "")
		r.Intent(r.Intend(order.StepLines, at, at.Add(time.Minute), "5f1e"), order.StepLines).Answer = ledger.Done
		r.Lease = ledger.Lease{Token: "leasetoken", Until: at.Add(time.Minute)}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	a := h.do("GET", path+"/orders/7", token, nil).is(200)
	stamp := at.Format(time.RFC3339)
	if diff := cmp.Diff([]any{
		map[string]any{"at": stamp, "text": "Received.", "times": 2.0},
		map[string]any{"at": stamp, "text": "POST /sale → 200 (done, 12 ms)", "exchange": map[string]any{
			"number": 1.0, "at": stamp, "millis": 12.0, "system": "cin7core", "method": "POST", "path": "/sale",
			"status": 200.0, "outcome": "done",
			"request": `{"Customer":"<Café>"}`, "answer": `{"ID":"5f1e"}`}},
	}, a.get("timeline")); diff != "" {
		t.Error(diff)
	}
	if a.get("intents.0.answer") != "open" || a.get("intents.1.answer") != "done" ||
		a.get("said.0") != "The freight was left out." || a.get("workedUntil") == nil {
		t.Error(a.raw)
	}
	if strings.Contains(a.raw, "leasetoken") {
		t.Error("the lease's token is shown")
	}
	for _, other := range []string{path + "/orders/8", path + "/orders/007", path + "/orders/7%23x",
		path + "/orders/" + strings.Repeat("7", 2000)} {
		h.do("GET", other, token, nil).is(404)
		h.do("POST", other+"/retry", token, nil).is(404)
	}
	h.do("GET", theirs+"/orders/7", otherToken, nil).is(404)
	h.do("GET", path+"/orders/7", otherToken, nil).is(404)
}

func TestEvents(t *testing.T) {
	h := open(t)
	id, path, token := h.tenant("Aroha Foods")
	time.Sleep(2 * time.Millisecond) // making it is an event too
	for i := range 5 {
		if err := h.ledger.Record(t.Context(), id,
			ledger.Event{Kind: "ping", Text: fmt.Sprint("Ping ", i), Order: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Millisecond)
	}
	var texts []any
	for after := ""; ; {
		a := h.do("GET", path+"/events?limit=2&after="+url.QueryEscape(after), token, nil).is(200)
		for _, it := range a.get("items").([]any) {
			texts = append(texts, object(it)["text"])
		}
		next, ok := a.get("next").(string)
		if !ok {
			break
		}
		after = next
	}
	if diff := cmp.Diff([]any{"Ping 4", "Ping 3", "Ping 2", "Ping 1", "Ping 0",
		"The tenant was made, and its first token."}, texts); diff != "" {
		t.Error(diff)
	}
	if a := h.do("GET", path+"/health", token, nil).is(200); a.get("newestEvent.text") != "Ping 4" ||
		a.get("mirror.state") != "reading" {
		t.Error(a.raw)
	}
}

func TestTenantPages(t *testing.T) {
	h := open(t)
	want := map[string]bool{}
	for i := range 230 {
		id, _, _ := h.tenant(fmt.Sprint("Tenant ", i))
		want[id] = true
	}
	pages := 0
	for after := ""; ; pages++ {
		a := h.do("GET", "/api/v1/tenants?after="+after, operator, nil).is(200)
		for _, it := range a.get("items").([]any) {
			delete(want, object(it)["id"].(string))
		}
		next, ok := a.get("next").(string)
		if !ok {
			break
		}
		after = next
	}
	if len(want) > 0 || pages == 0 {
		t.Errorf("%d tenants not listed, %d pages before the last", len(want), pages)
	}
	for _, after := range []string{"4.x", "-1.x", "x"} {
		h.do("GET", "/api/v1/tenants?after="+after, operator, nil).is(http.StatusBadRequest)
	}
}

// A continuation that no page can have given is refused by name, on every list
// that has pages and beside each of its filters: else it shows the first page
// again, or none.
func TestUnknownAfter(t *testing.T) {
	h := open(t)
	id, path, token := h.tenant("Aroha Foods")
	h.run(order.Order{Run: ledger.Run{Tenant: id, ID: "7", State: order.Sold}, Number: "UP-7"})
	h.do("POST", path+"/tokens", token, nil).is(201)
	// of a filter, or of a part of the path
	given := map[string]string{"q": "UP-7", "state": "sold", "kind": "customer", "by": "people", "order": "7",
		"from": "2026-11-01", "to": "2099-01-01", "list": "imported", "sort": "name"}
	others := map[string]map[string]string{ // where a route takes other values
		"/price-changes": {"state": "applied"}, "/joor/matches": {"state": "accepted"},
		"/joor/customers": {"list": "linked"},
	}
	refused := func(target, token, after string) {
		t.Helper()
		h.do("GET", target, token, nil).is(200)
		joint := "?"
		if strings.Contains(target, "?") {
			joint = "&"
		}
		a := h.do("GET", target+joint+"after="+url.QueryEscape(after), token, nil).is(400)
		if diff := cmp.Diff([]string{"after"}, a.fields()); diff != "" {
			t.Errorf("%s, after %q: %s", target, after, diff)
		}
	}
	lists := 0
	for _, rt := range new(api).routes() {
		takes := strings.Fields(rt.query)
		if !slices.Contains(takes, "after") || strings.Contains(rt.path, "/price-lists/") {
			continue
		}
		lists++
		target := strings.NewReplacer("{tenant}", id, "{kind}", given["kind"]).Replace(rt.path)
		targets := []string{target}
		for _, name := range takes {
			if name != "after" && name != "limit" {
				value := given[name]
				for path, of := range others {
					if v, ok := of[name]; ok && strings.HasSuffix(rt.path, path) {
						value = v
					}
				}
				if value == "" {
					t.Fatalf("%s: give this test a value for %s", rt.path, name)
				}
				targets = append(targets, target+"?"+name+"="+value)
			}
		}
		for _, target := range targets {
			for _, after := range []string{"nothing", "x", "0", "-1", " ", "#", "1#", "null", "undefined", "2030-01-01",
				"nothing at all, and at length"} {
				refused(target, operator, after)
				if rt.path != "/api/v1/health" { // which is the operator's
					refused(target, token, after)
				}
			}
		}
	}
	if lists < 5 {
		t.Errorf("%d lists", lists)
	}
	// what is inside those that are packed
	for _, after := range []string{"sold#0#x", "sold#1#x", "sold#0#2026-01-01T00:00:00.000Z", "0#", "0#up-7",
		"0#up-7#7", "9#"} {
		packed := base64.RawURLEncoding.EncodeToString([]byte(after))
		refused(path+"/orders?state=sold", token, packed)
		refused(path+"/orders?q=UP-7", token, packed)
	}
	refused(path+"/links/product", token, " ")
	for _, after := range []string{"0.", "1.x", "01.", "1", "1000."} {
		refused("/api/v1/tenants", operator, after)
	}
	today := time.Now().UTC().AddDate(0, 0, -2).Format(time.DateOnly)
	for _, after := range []string{"nothing", "7", "2026-01-01.2026-01-02.7", today + "." + today + "."} {
		a := h.do("POST", path+"/backfill/preview", token,
			map[string]string{"from": today, "to": today, "after": after}).is(400)
		if diff := cmp.Diff([]string{"after"}, a.fields()); diff != "" {
			t.Errorf("preview, after %q: %s", after, diff)
		}
	}
}
