package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/mirror"
	"stockbridge/internal/sim"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
)

func TestConnections(t *testing.T) {
	h := open(t)
	acc, next := h.sim.AddAccount("Aroha Foods", "NZD"), h.sim.AddAccount("Kauri Supplies", "NZD")
	id, path, token := h.tenant("Aroha Foods")
	_, theirs, _ := h.tenant("Kauri Supplies")
	conns := path + "/connections"
	if a := h.do("GET", conns, token, nil).is(200); a.raw != `{"items":[],"next":null}`+"\n" {
		t.Errorf("none yet: %s", a.raw)
	}
	keys := map[string]string{"accountId": acc.Cin7Core.AccountID, "applicationKey": acc.Cin7Core.ApplicationKey}
	for _, c := range []struct {
		name, target string
		body         any
		want         int
		fields       []string
	}{
		{"nothing to connect with", conns + "/cin7core", `{}`, 422, []string{"accountId", "applicationKey"}},
		{"another system's field", conns + "/cin7core", `{"token":"x"}`, 422, []string{"token"}},
		{"a key that is refused", conns + "/cin7core",
			map[string]string{"accountId": acc.Cin7Core.AccountID, "applicationKey": "wrong"}, 422, nil},
		{"another token that is refused", conns + "/upstock", `{"token":"wrong"}`, 422, nil},
		{"a bad webhook secret", conns + "/upstock",
			map[string]string{"token": acc.Upstock.Token, "webhookSecret": "no secret"}, 422,
			[]string{"webhookSecret"}},
		{"a key that JOOR refuses", conns + "/joor", `{"account":"x","token":"y"}`, 422, nil},
		{"no such system", conns + "/abacus", `{}`, 404, nil},
		{"cin7core", conns + "/cin7core", keys, 200, nil},
		{"upstock", conns + "/upstock", map[string]string{"token": acc.Upstock.Token}, 200, nil},
		{"somebody else's supplier", theirs + "/connections/upstock", map[string]string{"token": acc.Upstock.Token},
			409, nil},
		{"their own", theirs + "/connections/upstock", map[string]string{"token": next.Upstock.Token}, 200, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.t = t
			a := h.do("PUT", c.target, operator, c.body).is(c.want)
			if diff := cmp.Diff(c.fields, a.fields()); diff != "" {
				t.Error(diff)
			}
			if c.want == 422 && c.fields == nil && a.get("problems.0.code") != "keyRefused" {
				t.Error(a.raw)
			}
			if strings.Contains(a.raw, acc.Upstock.Token) || strings.Contains(a.raw, acc.Cin7Core.ApplicationKey) {
				t.Errorf("a key is shown: %s", a.raw)
			}
		})
	}
	h.t = t
	if diff := cmp.Diff([]job.Message{{Job: upstockcin7.JobMirror, Tenant: id},
		{Job: upstockcin7.JobWebhooks, Tenant: id}, {Job: upstockcin7.JobWebhooks, Tenant: id}},
		h.started); diff != "" {
		t.Error(diff)
	}

	url := h.do("GET", conns+"/upstock", token, nil).is(200).get("webhookUrl").(string)
	if !strings.HasPrefix(url, "https://hooks.example.com/webhooks/upstock/") || len(url) < 70 {
		t.Errorf("webhookUrl: %s", url)
	}
	secret, err := h.simUpstock.RegisterWebhook(acc.Upstock.Supplier, url)
	if err != nil {
		t.Fatal(err)
	}
	a := h.do("PUT", conns+"/upstock", token, map[string]string{"webhookSecret": secret, "token": ""}).is(200)
	if a.get("webhookUrl") != url || strings.Contains(a.raw, secret) {
		t.Errorf("merged: %s", a.raw)
	}
	c, err := h.tenants.Connection(t.Context(), id, tenant.Upstock)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := h.tenants.Secrets(t.Context(), c); err != nil || string(s.WebhookSecret) != secret ||
		string(s.Key) != acc.Upstock.Token {
		t.Errorf("stored secrets: %v", err)
	}

	if err := h.sim.Fault(sim.Cin7Core, sim.Fault{Match: "GET /me", Kind: "before", Times: 1}); err != nil {
		t.Fatal(err)
	}
	if a := h.do("PUT", conns+"/cin7core", token, keys).is(503); a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	list := h.do("GET", conns, token, nil).is(200)
	if list.get("items.0.system") != "upstock" || list.get("items.0.webhookUrl") != url ||
		list.get("items.1.account") != strings.ToLower(acc.Cin7Core.AccountID) {
		t.Error(list.raw)
	}
	health := h.do("GET", path+"/health", token, nil).is(200)
	if health.get("mirror.state") != "reading" || health.get("connections.1.state") != "connected" ||
		health.get("budgets.0.left") != 300.0 || health.get("budgets.1.of") != 60.0 ||
		!slices.Contains([]any{"connection", "ping", "webhookRefused"}, health.get("newestEvent.kind")) {
		t.Error(health.raw)
	}
	if health.get("webhooks.state") != nil ||
		health.get("connections.1.webhooks.text") != health.get("webhooks.text") ||
		object(health.get("connections.0"))["webhooks"] != nil {
		t.Errorf("webhooks: %s", health.raw)
	}
	at := time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	for state, word := range map[string]string{
		upstockcin7.WebhooksOn: "at once", upstockcin7.WebhooksOff: "could not be switched on",
		upstockcin7.WebhooksUnavailable: "cannot have webhooks",
	} {
		note(h, id, "webhooks", upstockcin7.Webhooks{State: state, Why: "It is said so.", Checked: at, Heard: at})
		a := h.do("GET", conns+"/cin7core", token, nil).is(200)
		if a.get("webhooks.state") != state || !strings.Contains(a.get("webhooks.text").(string), word) ||
			a.get("webhooks.why") != "It is said so." ||
			a.get("webhooks.heard") != "2026-03-02T09:30:00Z" || a.get("webhooks.renewed") != nil {
			t.Error(a.raw)
		}
	}
	if strings.Contains(health.raw, "hooks.example.com") {
		t.Error("health shows the webhook URL")
	}
	note(h, id, mirror.Progress, mirror.State{State: mirror.Ready, Ready: time.Now()})
	if a := h.do("GET", path+"/health", token, nil); a.get("mirror.state") != "ready" {
		t.Error(a.raw)
	}

	h.do("DELETE", conns+"/upstock", token, nil).is(204)
	h.do("DELETE", conns+"/upstock", token, nil).is(404)
	h.do("GET", conns+"/upstock", token, nil).is(404)
	if strings.Contains(h.log.String(), acc.Upstock.Token) || strings.Contains(h.log.String(), secret) {
		t.Error("a secret was logged")
	}
}

func TestRetry(t *testing.T) {
	h := open(t)
	id, path, token := h.tenant("Aroha Foods")
	for i := range 3 {
		h.run(order.Order{Run: ledger.Run{Tenant: id, ID: fmt.Sprint(10 + i), State: ledger.Attention}})
	}
	h.run(order.Order{Run: ledger.Run{Tenant: id, ID: "20", State: order.Shipped}, SaleID: "5f1e", Told: true})
	a := h.do("POST", path+"/orders/10/retry", token, nil).is(http.StatusAccepted)
	if a.get("id") != 10.0 || a.get("state") == "attention" {
		t.Error(a.raw)
	}
	if len(h.woken) != 1 || h.woken[0].ID != "10" || h.woken[0].Tenant != id {
		t.Errorf("woken: %v", h.woken)
	}
	h.do("POST", path+"/orders/11/retry", token, `{"newSale":true}`).is(http.StatusAccepted)
	if run, err := h.orders.Get(t.Context(), id, "11"); err != nil || !run.NewSale {
		t.Errorf("newSale: %v", err)
	}
	h.do("POST", path+"/orders/20/retry", token, nil).is(http.StatusConflict)
	h.do("POST", path+"/orders/12/retry", token, `{"newSale":"yes"}`).is(422)
	h.do("POST", path+"/orders/99/retry", token, nil).is(404)
	if a := h.do("POST", path+"/orders/retry", token, nil).is(http.StatusAccepted); a.get("retried") != 1.0 {
		t.Error(a.raw)
	}
	if a := h.do("POST", path+"/orders/retry", token, nil).is(http.StatusAccepted); a.get("retried") != 0.0 {
		t.Error(a.raw)
	}
}

// TestJobsAreDescribed: health shows each scheduled job of all tenants, what may be started is described, and what is
// described is answered.
func TestJobsAreDescribed(t *testing.T) {
	h := open(t)
	acc, _, path, token := h.supplier("Aroha Foods")
	h.do("PUT", path+"/connections/joor", token, acc.JOOR).is(200)
	var shown, described []string
	for _, j := range h.do("GET", path+"/health", token, nil).is(200).get("jobs").([]any) {
		shown = append(shown, fmt.Sprint(object(j)["job"]))
	}
	_, schema := h.api.At("#/components/schemas/JobName")
	for _, name := range elements(schema["enum"]) {
		described = append(described, fmt.Sprint(name))
	}
	slices.Sort(shown)
	slices.Sort(described)
	var want, starts []string
	for _, k := range h.jobs.Kinds {
		if k.Every > 0 && !k.Chosen {
			want = append(want, k.Name)
		}
		if k.Sync {
			starts = append(starts, k.Name)
		}
	}
	slices.Sort(want)
	if !slices.Equal(shown, want) || !slices.Equal(described, want) {
		t.Errorf("scheduled are %v; health shows %v (api.jobs), openapi.yaml describes %v (JobName)", want, shown,
			described)
	}
	_, item := h.api.At("#/paths/~1api~1v1~1tenants~1{tenant}~1sync~1{job}")
	for _, p := range elements(item["parameters"]) {
		for _, name := range elements(object(object(p)["schema"])["enum"]) {
			if a := h.do("POST", path+"/sync/"+fmt.Sprint(name), token, nil); a.status == http.StatusNotFound {
				t.Errorf("sync/%s is described, and answers %d (api.sync)", name, a.status)
			}
			starts = slices.DeleteFunc(starts, func(start string) bool { return start == name })
		}
	}
	if len(starts) > 0 {
		t.Errorf("openapi.yaml does not say that sync may start %v", starts)
	}
}

func TestSync(t *testing.T) {
	h := open(t)
	id, path, token := h.tenant("Aroha Foods")
	for range 8 { // of which some share the shard
		other, _, _ := h.tenant("Another")
		h.run(order.Order{Run: ledger.Run{Tenant: other, ID: "1", State: ledger.Received,
			Next: time.Now().Add(-time.Minute)}})
	}
	h.run(order.Order{Run: ledger.Run{Tenant: id, ID: "1", State: ledger.Received, Next: time.Now().Add(-time.Minute)}})
	h.run(order.Order{Run: ledger.Run{Tenant: id, ID: "2", State: ledger.Waiting, Next: time.Now().Add(time.Hour)}})
	a := h.do("POST", path+"/sync/orders", token, nil).is(http.StatusAccepted)
	if a.get("orders") != 1.0 || a.get("mirror") != false || len(h.woken) != 1 || h.woken[0].Tenant != id ||
		h.woken[0].ID != "1" {
		t.Errorf("%s %v", a.raw, h.woken)
	}
	h.do("POST", path+"/sync/products", token, nil).is(http.StatusConflict)
	h.do("POST", path+"/sync/contacts", token, nil).is(http.StatusConflict)
	h.do("POST", path+"/sync/everything", token, nil).is(404)
	h.do("POST", path+"/sync/mirror", token, nil).is(http.StatusConflict)
	h.do("POST", path+"/sync/drift", token, nil).is(404)
	for _, job := range []string{"shipments", "webhooks", "completeness"} {
		if a := h.do("POST", path+"/sync/"+job, token,
			nil).is(http.StatusConflict); a.get("detail") != "Upstock is not connected. Connect it first." {
			t.Error(a.raw)
		}
	}
	if len(h.started) > 0 {
		t.Errorf("started although nothing is connected: %v", h.started)
	}

	acc := h.sim.AddAccount("Aroha Foods", "NZD")
	h.do("PUT", path+"/connections/cin7core", token, acc.Cin7Core).is(200)
	h.started = nil
	h.do("POST", path+"/sync/customers", token, nil).is(http.StatusConflict)
	if a := h.do("POST", path+"/sync/mirror", token, nil).is(http.StatusAccepted); a.get("mirror") != true ||
		len(h.started) != 1 {
		t.Errorf("%s %v", a.raw, h.started)
	}
	if a := h.do("POST", path+"/sync/orders", token, nil).is(http.StatusAccepted); a.get("mirror") != true ||
		len(h.started) != 2 {
		t.Errorf("the first pass is not kicked: %s %v", a.raw, h.started)
	}

	h.do("PUT", path+"/connections/upstock", token, map[string]string{"token": acc.Upstock.Token}).is(200)
	h.started = nil
	for name, want := range map[string]string{"orders": "reconcile", "shipments": "shipments", "webhooks": "webhooks",
		"completeness": "completeness", "products": "products", "customers": "customers", "prices": "prices"} {
		h.started = nil
		a := h.do("POST", path+"/sync/"+name, token, nil).is(http.StatusAccepted)
		if a.get("jobs.0") != want || !slices.Contains(h.started, job.Message{Job: want, Tenant: id}) {
			t.Errorf("%s: %s %v", name, a.raw, h.started)
		}
		if c, err := h.ledger.Cursor(t.Context(), id, want); err != nil || c.Asked.IsZero() {
			t.Errorf("%s is lost with its message: %v", want, err)
		}
	}
	c, err := h.tenants.Connection(t.Context(), id, tenant.Cin7Core)
	if err == nil {
		_, err = h.tenants.Broken(t.Context(), id, tenant.Cin7Core, c.Generation, "Cin7 Core refused the key.")
	}
	if err != nil {
		t.Fatal(err)
	}
	h.started = nil
	if a := h.do("POST", path+"/sync/shipments", token,
		nil).is(http.StatusConflict); a.get("detail") != "Cin7 Core needs reconnecting. Save a new key." {
		t.Error(a.raw)
	}
	if a := h.do("POST", path+"/sync/orders", token, nil).is(http.StatusAccepted); len(a.get("jobs").([]any)) > 0 {
		t.Error(a.raw)
	}
	for i, job := range []string{"shipments", "reconcile", "webhooks", "completeness"} {
		a := h.do("GET", path+"/health", token, nil).is(200)
		if j := object(a.get("jobs").([]any)[i]); j["job"] != job ||
			j["problem"] != "Skipped: Cin7 Core needs reconnecting. Save a new key." || j["running"] != false ||
			j["every"].(float64) < 300 {
			t.Errorf("%s: %v", job, j)
		}
	}
}

func TestPreview(t *testing.T) {
	h := open(t)
	id, path, token := h.tenant("Aroha Foods")
	h.run(order.Order{Run: ledger.Run{Tenant: id, ID: "7", State: ledger.Received}})
	path += "/orders/preview"
	for _, c := range []struct {
		name, body string
		want       int
		fields     []string
	}{
		{"nothing", `{}`, 422, []string{"order"}},
		{"both", `{"order":{},"orderId":7}`, 422, []string{"order"}},
		{"no order", `{"order":7}`, 422, []string{"order"}},
		{"null", `{"order":null}`, 422, []string{"order"}},
		{"unknown field", `{"order":{},"dryRun":true}`, 422, []string{"dryRun"}},
		{"bad settings", `{"order":{},"settings":{"orderStatus":"sent","colour":1}}`, 422,
			[]string{"settings.colour", "settings.orderStatus"}},
		{"no settings", `{"order":{},"settings":[]}`, 422, []string{"settings"}},
		{"no such order", `{"orderId":8}`, 422, []string{"orderId"}},
		{"of no kind", `{"orderId":true}`, 422, []string{"orderId"}},
		{"not connected", `{"orderId":7}`, 200, nil},
		{"by text", `{"orderId":"7","settings":{"orderStatus":"authorised"}}`, 200, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			h.t = t
			a := h.do("POST", path, token, c.body).is(c.want)
			if diff := cmp.Diff(c.fields, a.fields()); diff != "" {
				t.Error(diff)
			}
			if c.want == 200 && (a.get("sale") != nil || len(a.get("problems").([]any)) != 1) {
				t.Error(a.raw)
			}
		})
	}
}

func TestPreviewOfOrder(t *testing.T) {
	h := open(t)
	acc := h.sim.AddAccount("Aroha Foods", "NZD")
	_, path, token := h.tenant("Aroha Foods")
	h.do("PUT", path+"/connections/cin7core", token, acc.Cin7Core).is(200)
	h.do("PUT", path+"/connections/upstock", token, map[string]string{"token": acc.Upstock.Token}).is(200)
	order, err := h.simUpstock.PlaceOrder(acc.Upstock.Supplier, "")
	if err != nil {
		t.Fatal(err)
	}
	body := map[string]any{"order": order.JSON}
	if a := h.do("POST", path+"/orders/preview", token, body).is(200); a.get("problems.0.code") != "notReady" {
		t.Errorf("before the mirror is complete: %s", a.raw)
	}
	for i := 0; len(h.started) > 0 && i < 20; i++ {
		j := h.started[0]
		h.started = h.started[1:]
		if j.Job != upstockcin7.JobMirror {
			continue
		}
		if err := h.jobs.Do(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	if a := h.do("GET", path+"/health", token, nil).is(200); a.get("mirror.state") != "ready" {
		t.Fatal(a.raw)
	}
	calls := len(h.sim.Calls(sim.Cin7Core, acc.Cin7Core.AccountID))
	a := h.do("POST", path+"/orders/preview", token, body).is(200)
	if a.get("sale.total") != order.Total || a.get("orderTotal") != order.Total || a.get("sale.status") != "DRAFT" ||
		len(a.get("sale.lines").([]any)) == 0 {
		t.Error(a.raw)
	}
	body["settings"] = map[string]string{"orderStatus": "authorised", "location": "Nowhere"}
	if a := h.do("POST", path+"/orders/preview", token, body).is(200); a.get("sale") != nil ||
		len(a.get("problems").([]any)) == 0 {
		t.Error(a.raw)
	}
	for _, c := range h.sim.Calls(sim.Cin7Core, acc.Cin7Core.AccountID)[calls:] {
		if c.Method != "GET" {
			t.Errorf("a preview wrote: %s %s", c.Method, c.Path)
		}
	}
	if a := h.do("GET", path+"/settings", token, nil); a.header.Get("ETag") != `"0"` {
		t.Error("a preview saved its settings")
	}
}

// TestPreviewOf holds the sale of a preview to the description, without a vendor.
func TestPreviewOf(t *testing.T) {
	var p upstockcin7.Preview
	doc := `{"header":{"CustomerID":"c1","ExternalID":"upstock:1:7","ShipBy":"2026-03-04T00:00:00Z","SaleType":"Simple","ShippingAddress":{"Line1":"1 Queen St"}},
		"order":{"Status":"DRAFT","AutoPickPackShipMode":"NOPICK","TotalBeforeTax":"10.005","Tax":"1.5","Total":"11.5",
		"Lines":[{"SKU":"A1","Name":"Apples","Quantity":"2.5","Price":"4.0025","Tax":"1.5","Total":"10","TaxRule":"GST"}],
		"AdditionalCharges":[{"Description":"Freight","Price":"5","Quantity":"1","Tax":"0.75","Total":"5"}]},
		"orderTotal":"11.5","saleTotal":"11.51","customerId":"c1","said":["One cent more."]}`
	if err := json.Unmarshal([]byte(doc), &p.Plan); err != nil {
		t.Fatal(err)
	}
	d := describe(t)
	fits := func(v any) map[string]any {
		raw, err := encode(v)
		if err != nil {
			t.Fatal(err)
		}
		var back map[string]any
		json.Unmarshal(raw, &back)
		at, _ := d.Response("POST /api/v1/tenants/{tenant}/orders/preview", http.StatusOK)
		if err := d.Fits(at+"/content/application~1json/schema", back); err != nil {
			t.Error(err)
		}
		return back
	}
	got := fits(previewOf(p))
	sale := object(got["sale"])
	line := object(elements(sale["lines"])[0])
	if got["orderTotal"] != "11.50" || got["saleTotal"] != "11.51" || sale["shipBy"] != "2026-03-04" ||
		sale["totalBeforeTax"] != "10.01" || line["price"] != "4.0025" {
		t.Errorf("%v", got)
	}
	p.Problems = []ledger.Problem{{Code: "unknownSku", Message: "Line 1: there is no product A1.", Fix: "Add it."}}
	if got := fits(previewOf(p)); got["sale"] != nil || got["saleTotal"] != nil {
		t.Errorf("a sale in spite of problems: %v", got)
	}
}

// What a person wakes by hand is woken once: a second press sends no second pointer.
func TestWokenOnce(t *testing.T) {
	h := open(t)
	id, path, token := h.tenant("Aroha Foods")
	h.run(order.Order{Run: ledger.Run{Tenant: id, ID: "7", State: ledger.Received, Next: time.Now().Add(-time.Minute)}})
	h.run(order.Order{Run: ledger.Run{Tenant: id, ID: "8", State: ledger.Waiting, Next: time.Now().Add(time.Hour)}})
	for n, want := range []float64{1, 0} {
		if a := h.do("POST", path+"/sync/orders", token, nil).is(http.StatusAccepted); a.get("orders") != want {
			t.Errorf("press %d: %s", n+1, a.raw)
		}
	}
	if len(h.woken) != 1 || h.woken[0].ID != "7" {
		t.Errorf("%+v", h.woken)
	}
}
