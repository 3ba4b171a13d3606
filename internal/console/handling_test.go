package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"stockbridge/internal/signin"
	"stockbridge/internal/sim"
)

// toFinish is a house with an order whose sale nobody has begun to pick: its address in the API and its page.
func toFinish(t *testing.T) (h *house, acc sim.Account, id, token, api, page string) {
	t.Helper()
	h = open(t)
	acc, id, path, token := h.supplier("Aroha Foods")
	h.do("PATCH", path+"/settings", token, map[string]string{"orderStatus": "authorised"}).is(200)
	api = h.approve(acc, path, `{"lines":[{"sku":"KWK-100","quantity":"3"}]}`)
	return h, acc, id, token, api, "/t/" + id + strings.TrimPrefix(api, path)
}

// TestFinish: what would be done is said before, and done once, with what was asked for.
func TestFinish(t *testing.T) {
	h, acc, _, token, api, _ := toFinish(t)
	plan := h.do("GET", api+"/finish?step=ship", token, nil).is(200)
	if plan.get("why") != nil || plan.get("steps.2") != "ship" || plan.get("goods.0.sku") != "KWK-100" ||
		plan.get("goods.0.quantity") != "3" || plan.get("boxes.0") != "Box 1" {
		t.Errorf("%s", plan.raw)
	}
	for field, body := range map[string]any{
		"step":     map[string]any{"step": "deliver"},
		"carrier":  map[string]any{"step": "ship", "carrier": strings.Repeat("x", 257)},
		"tracking": map[string]any{"step": "ship", "tracking": []any{map[string]string{"box": "Box 9", "number": "T"}}},
		"boxes":    map[string]any{"step": "ship", "boxes": 1},
	} {
		if a := h.do("POST", api+"/finish", token, body).is(422); a.get("errors.0.field") != field {
			t.Errorf("%s: %s", field, a.raw)
		}
	}
	h.do("GET", api+"/finish?step=x", token, nil).is(400)
	h.do("GET", strings.TrimSuffix(api, "1")+"9999/finish?step=pick", token, nil).is(404)
	wish := map[string]any{"step": "ship", "carrier": "Strait Freight", "seen": plan.get("seen"),
		"tracking": []any{map[string]string{"box": "Box 1", "number": "SF-9"}}}
	for range 2 {
		h.do("POST", api+"/finish", token, wish).is(202)
	}
	if o := h.do("GET", api, token, nil); o.get("handling.step") != "ship" {
		t.Errorf("%s", o.raw)
	}
	h.do("POST", api+"/finish", token, map[string]any{"step": "pick"}).is(409)
	h.work()
	o := h.do("GET", api, token, nil).is(200)
	if o.get("state") != "shipped" || o.get("handling") != nil || !strings.Contains(o.raw, "SF-9") {
		t.Errorf("%s", o.raw)
	}
	n := 0
	for _, c := range h.sim.Calls(sim.Cin7Core, acc.Cin7Core.AccountID) {
		if strings.HasPrefix(c.Path, "/sale/fulfilment/") && c.Method == http.MethodPost {
			n++
		}
	}
	if n != 3 {
		t.Errorf("%d writes", n)
	}
	if a := h.do("POST", api+"/finish", token, wish).is(409); !strings.Contains(a.raw, "shipped already") {
		t.Errorf("%s", a.raw)
	}
	if a := h.do("GET", api+"/finish?step=ship", token, nil).is(200); a.get("why") != "It is shipped already." ||
		a.get("seen") != nil {
		t.Errorf("%s", a.raw)
	}
}

// TestFinishPage: the page says what happens, with which goods, and the button does that or nothing.
func TestFinishPage(t *testing.T) {
	h, _, id, token, api, page := toFinish(t)
	ana, viewer := h.signIn("Ana", signin.Admin, id), h.signIn("Viktor", signin.Viewer, id)
	has(t, ana.get(page).Body.String(), "Pick, pack or ship it from here")
	hasNot(t, viewer.get(page).Body.String(), "Pick, pack or ship")
	ask := ana.get(page + "/finish")
	checkPage(t, "finish", ask)
	body := ask.Body.String()
	has(t, body, "Pick, pack and ship the goods", "KWK-100", "Box 1", "Overnight Kiwi", "Tracking number of Box 1",
		"Leave it as it is")
	form := formsOf(body)[1].fields // the first signs out
	if form.Get("step") != "ship" || form.Get("seen") == "" {
		t.Fatalf("%v", form)
	}

	// somebody picks meanwhile
	sale := h.do("GET", api, token, nil).get("saleId").(string)
	if _, err := h.simCore.Sale(sale, "pick", "{}"); err != nil {
		t.Fatal(err)
	}
	w := ana.post(page+"/finish", form)
	checkPage(t, "finish", w)
	if w.Code != http.StatusConflict {
		t.Errorf("%d", w.Code)
	}
	has(t, w.Body.String(), "Nothing was done. The sale was changed", "Pack and ship the goods", `value="7"`)
	form = formsOf(w.Body.String())[1].fields
	form.Set("tracking-1", strings.Repeat("x", 257))
	if w := ana.post(page+"/finish", form); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("%d", w.Code)
	}
	form.Set("tracking-1", "T-77")
	w = ana.post(page+"/finish", form)
	if to := w.Header().Get("Location"); w.Code != http.StatusSeeOther || to != page+"?said=asked" {
		t.Fatalf("%d %s %s", w.Code, to, w.Body)
	}
	running := ana.get(page)
	checkPage(t, "order", running)
	has(t, running.Body.String(), "The goods are being shipped, as Ana (")
	h.work()
	has(t, ana.get(page).Body.String(), "Shipped", "T-77")
	has(t, ana.get(page+"/finish").Body.String(), "It is shipped already.")
	if w := viewer.post(page+"/finish", url.Values{"step": {"ship"}}); w.Code != http.StatusForbidden {
		t.Errorf("%d", w.Code)
	}
	for _, address := range []string{page + "/finish?step=x", "/t/" + id + "/orders/1/finish"} {
		if w := ana.get(address); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", address, w.Code)
		}
	}
}
