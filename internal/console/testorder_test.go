package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"stockbridge/internal/signin"
)

// TestTestOrder: asked first, a test order is made once, shown and voided; API and page say the same.
func TestTestOrder(t *testing.T) { synctest.Test(t, testTestOrder) }

func testTestOrder(t *testing.T) {
	h := open(t)
	acc, id, path, token := h.supplier("Aroha Foods")
	page := testOrderPath(id)
	ana, viewer := h.signIn("Ana", signin.Admin, id), h.signIn("Viktor", signin.Viewer, id)
	has(t, ana.get(integrationsPath(id)).Body.String(), `href="`+page+`"`)
	if a := h.do("GET", path+"/test-order", token, nil).is(200); a.get("state") != "none" {
		t.Errorf("%s", a.raw)
	}
	ask := ana.get(page)
	checkPage(t, page, ask)
	has(t, ask.Body.String(), "A draft sale is made in Cin7 Core for", "No stock moves", "Make a test order")
	hasNot(t, viewer.get(page).Body.String(), "<button>Make a test order")
	form := formsOf(ask.Body.String())[1].fields // the first signs out
	for range 2 {
		if w := ana.post(page, form); w.Code != http.StatusSeeOther || w.Header().Get("Location") != page {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	h.work()
	if w := ana.post(page, form); w.Code != http.StatusSeeOther { // once more, when it is over
		t.Errorf("%d", w.Code)
	}
	h.work()
	a := h.do("GET", path+"/test-order", token, nil).is(200)
	if a.get("state") != "done" || a.get("voided") != true || a.get("stands") != nil ||
		!strings.Contains(a.get("read.lines").(string), "1 × ") {
		t.Errorf("%s", a.raw)
	}
	done := ana.get(page)
	checkPage(t, page, done)
	has(t, done.Body.String(), "It works: the sale "+a.get("saleNumber").(string), "DRAFT", "Make a test order")
	sales := h.simCore.Sales(acc.Cin7Core.AccountID)
	if len(sales) != 1 || sales[0].Status != "VOIDED" {
		t.Errorf("%+v", sales)
	}
	if n := len(elements(h.do("GET", path+"/orders", token, nil).get("items"))); n != 0 {
		t.Errorf("%d orders", n)
	}
	h.do("POST", path+"/test-order", token, nil).is(202)
	h.work()
	h.do("DELETE", path+"/connections/cin7core", token, nil).is(204)
	if a := h.do("POST", path+"/test-order", token, nil).is(409); !strings.Contains(a.raw, "not connected") {
		t.Errorf("%s", a.raw)
	}
	has(t, ana.get(page).Body.String(), "Connect both systems first")
	hasNot(t, ana.get(integrationsPath(id)).Body.String(), page)
	if w := ana.post(page, url.Values{}); w.Code != http.StatusBadRequest {
		t.Errorf("%d", w.Code)
	}
}
