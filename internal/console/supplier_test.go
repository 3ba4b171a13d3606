package console

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/order"
)

// TestOrdersOfAnotherCompany: while another company is connected, an order of
// the first one is shown and counted, and a retry names who to connect. The
// other company's orders go by ids with their supplier.
func TestOrdersOfAnotherCompany(t *testing.T) {
	h := open(t)
	first, second := h.sim.AddAccount("Aroha Foods", "NZD"), h.sim.AddAccount("Southern Lakes", "NZD")
	id, path, token := h.tenant("Aroha Foods")
	h.do("PUT", path+"/connections/cin7core", token, first.Cin7Core).is(200)
	h.do("PUT", path+"/connections/upstock", token, map[string]string{"token": first.Upstock.Token}).is(200)
	h.run(order.Order{Run: ledger.Run{Tenant: id, ID: "71", State: ledger.Waiting, Parked: true,
		Awaits: ledger.Awaited(tenant.Upstock, "1"), Why: "This order waits."}, Supplier: "1"})
	h.do("DELETE", path+"/connections/upstock", token, nil).is(204)
	h.do("PUT", path+"/connections/upstock", token, map[string]string{"token": second.Upstock.Token}).is(200)

	for _, body := range []any{nil, map[string]bool{"newSale": true}} {
		a := h.do("POST", path+"/orders/71/retry", token, body).is(409)
		if text := fmt.Sprint(a.get("detail")); !strings.Contains(text,
			"connect Aroha Foods (Upstock supplier 1) again") ||
			!strings.Contains(text, "Southern Lakes (Upstock supplier 2) is connected now") {
			t.Error(text)
		}
	}
	h.do("POST", path+"/orders/preview", token, map[string]int{"orderId": 71}).is(409)
	if a := h.do("GET", path+"/orders/71", token, nil).is(200); a.get("id") != 71.0 || a.get("supplier") != "1" ||
		a.get("parked") != true {
		t.Error(a.raw)
	}
	if a := h.do("GET", path+"/health", token, nil).is(200); a.get("orders.parked") != 1.0 {
		t.Errorf("not counted: %v", a.get("orders"))
	}
	h.run(order.Order{Run: ledger.Run{Tenant: id, ID: "2:71", State: ledger.Attention,
		Problems: []ledger.Problem{{Code: "unknownSku", Message: "There is no product A1.", Fix: "Add it."}}},
		Supplier: "2"})
	if a := h.do("GET", path+"/orders/2:71", token, nil).is(200); a.get("id") != "2:71" || a.get("supplier") != "2" {
		t.Error(a.raw)
	}
	if a := h.do("POST", path+"/orders/2:71/retry", token, nil).is(202); a.get("id") != "2:71" {
		t.Error(a.raw)
	}
	if len(h.woken) != 1 || h.woken[0].ID != "2:71" {
		t.Errorf("%+v", h.woken)
	}
}

// TestGapsAreShown: a time in which nobody looked for orders is shown with the days of its backfill.
func TestGapsAreShown(t *testing.T) {
	h := open(t)
	acc := h.sim.AddAccount("Aroha Foods", "NZD")
	id, path, token := h.tenant("Aroha Foods")
	h.do("PUT", path+"/connections/cin7core", token, acc.Cin7Core).is(200)
	h.do("PUT", path+"/connections/upstock", token, map[string]string{"token": acc.Upstock.Token}).is(200)
	at := time.Date(2026, 11, 3, 12, 30, 0, 0, time.UTC) // past midnight in Auckland
	gaps := []tenant.Gap{
		{From: at, To: at.AddDate(0, 0, 6)},
		{From: at.AddDate(0, 0, 8), To: at.AddDate(0, 0, 10), Orders: 1200, Known: true},
		{From: at.AddDate(0, 0, 12), To: at.AddDate(0, 0, 13), Known: true}, // nothing was approved then
	}
	if _, err := h.tenants.Update(t.Context(), id, tenant.Upstock,
		func(c *tenant.Connection) error { c.Gaps = gaps; return nil }); err != nil {
		t.Fatal(err)
	}
	for _, at := range []struct{ path, list string }{{"/connections/upstock", "gaps"}, {"/connections", "items.0.gaps"},
		{"/health", "connections.0.gaps"}} {
		a := h.do("GET", path+at.path, token, nil).is(200)
		if list, _ := a.get(at.list).([]any); len(list) != 2 {
			t.Fatalf("%s: %v", at.path, a.get(at.list))
		}
		if a.get(at.list+".0.days.from") != "2026-11-04" || a.get(at.list+".0.days.to") != "2026-11-10" ||
			a.get(at.list+".0.orders") != nil || a.get(at.list+".1.orders") != 1200.0 ||
			!strings.HasPrefix(fmt.Sprint(a.get(at.list+".1.text")),
				"1,200 orders approved from 2026-11-12 to 2026-11-14 are not here") {
			data, _ := json.Marshal(a.get(at.list))
			t.Errorf("%s: %s", at.path, data)
		}
	}
}
