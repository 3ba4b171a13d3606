package console

import (
	"net/url"
	"strings"
	"testing"

	"stockbridge/internal/signin"
	"stockbridge/internal/upstockcin7"
)

// TestSellAtOrderPrices: an order that is held for its prices is sold by a yes, by the API or the button of its page;
// a yes to what the page showed before is none.
func TestSellAtOrderPrices(t *testing.T) {
	h := open(t)
	acc, id, path, token := h.supplier("Aroha Foods")
	ana, viewer := h.signIn("Ana", signin.Admin, id), h.signIn("Viktor", signin.Viewer, id)
	h.do("PATCH", path+"/settings", token, `{"priceCheck":"hold","priceCheckPercent":"10"}`).is(200)
	const dear = `{"lines":[{"sku":"KWK-100","quantity":"1","unitPrice":"999.00"}]}`
	is := func(order, state string) {
		t.Helper()
		if a := h.do("GET", order, token, nil).is(200); a.get("state") != state {
			t.Errorf("%s", a.raw)
		}
	}

	first := h.approve(acc, path, dear)
	a := h.do("GET", first, token, nil).is(200)
	if a.get("state") != "attention" || a.get("problems.0.code") != "orderPrice" {
		t.Fatal(a.raw)
	}
	h.do("POST", first+"/retry", token, `{"orderPrices":true}`).is(202)
	h.work()
	is(first, "sold")
	h.do("POST", first+"/retry", token, `{"orderPrices":true}`).is(409)

	second := h.approve(acc, path, dear)
	number := second[strings.LastIndex(second, "/")+1:]
	page := "/t/" + id + "/orders/" + number
	if !strings.Contains(ana.get(page).Body.String(), "Sell at the order") {
		t.Error("no button")
	}
	if strings.Contains(viewer.get(page).Body.String(), "Sell at the order") {
		t.Error("a viewer has the button")
	}
	ana.follow(page+"/retry", url.Values{"prices": {"another"}})
	h.work()
	is(second, "attention")
	run, err := h.orders.Get(t.Context(), id, number)
	if err != nil {
		t.Fatal(err)
	}
	ana.follow(page+"/retry", url.Values{"prices": {upstockcin7.HeldForPrices(run)}})
	h.work()
	is(second, "sold")
	if a := h.do("GET", path+"/events", token, nil).is(200); !strings.Contains(a.raw, "at the order's prices") {
		t.Errorf("%s", a.raw)
	}
}
