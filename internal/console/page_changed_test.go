package console

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/signin"
	"stockbridge/internal/upstockcin7/order"
)

// TestChangedOnPages: what was changed in Upstock after an order was sold stands on its page, line by line, and home
// names the order; nothing needs anybody for it.
func TestChangedOnPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		h.opened(func(d *Deps) { d.OrderPage = "https://upstock.example.com/orders/{id}" })
		acc, id, path, token := h.supplier("Aroha Foods")
		api := h.approve(acc, path, `{"lines":[{"id":1,"sku":"KWK-100","name":"Tea","quantity":"4","unitPrice":"2.00"}]}`)
		page := "/t/" + id + strings.TrimPrefix(api, path)
		ana := h.signIn("Ana", signin.Viewer, id)
		if o := h.do("GET", api, token, nil).is(200); o.get("changedInUpstock") != nil || o.get("state") != "sold" {
			t.Fatalf("%s", o.raw)
		}
		hasNot(t, ana.get(page).Body.String()+ana.get("/t/"+id).Body.String(), "in Upstock after")

		run, err := h.orders.Get(t.Context(), id, page[strings.LastIndex(page, "/")+1:])
		if err != nil {
			t.Fatal(err)
		}
		number := strings.TrimPrefix(api, path+"/orders/")
		if _, err := h.simUpstock.Edit(int(h.do("GET", api, token, nil).get("id").(float64)),
			`{"reference":"PO `+strings.ReplaceAll(hostile, `"`, `\"`)+`","lines":[{"id":1,"sku":"KWK-100","name":"Tea",`+
				`"quantity":"5","unitPrice":"2.00"}]}`); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		h.do("POST", path+"/completeness", token, nil).is(202)
		h.work()
		body := ana.get(page).Body.String()
		has(t, body, "Changed in Upstock after it was sold", "In Upstock now", "Line 1 KWK-100 Tea", "Quantity",
			`<td data-name="As it was sold">4</td><td data-name="In Upstock now">5</td>`, "Nothing needs you",
			`href="https://upstock.example.com/orders/`+number+`"`, `href="https://inventory.dearsystems.com/Sale#`,
			"was changed in Upstock after it was sold. Nothing was sent for it.")
		checkPage(t, page, ana.get(page))
		has(t, ana.get("/t/"+id).Body.String(), "1 order was changed in Upstock after being sold", page+"#changed",
			"Everything is in step", "Nothing needs you")
		o := h.do("GET", api, token, nil).is(200)
		if o.get("changedInUpstock.differences.1.what") != "Quantity" || o.get("changedInUpstock.more") != 0.0 {
			t.Errorf("%s", o.raw)
		}
		has(t, ana.get("/t/"+id+"/activity").Body.String(), "The order was changed in Upstock after it was sold",
			`">`+o.get("orderNumber").(string)+"</a>")

		// Very many differences are a small page too.
		edits := &order.Edits{Hash: "x", At: time.Now(), More: 500}
		for range 40 {
			edits.List = append(edits.List, order.Edit{Line: hostile, What: "Comment", Was: strings.Repeat("é", 80),
				Now: strings.Repeat("<", 80)})
		}
		run.Edits, run.ID, run.Number = &order.Edits{Hash: "x", At: time.Now()}, "990002", "UP-990002"
		h.run(*run)
		w := ana.get("/t/" + id + "/orders/990002")
		checkPage(t, "unknown", w)
		has(t, w.Body.String(), "is not kept here any more, so it cannot be shown what differs")
		hasNot(t, w.Body.String(), "In Upstock now")

		run.Edits, run.ID, run.Number = edits, "990001", hostile
		h.run(*run)
		w = ana.get("/t/" + id + "/orders/990001")
		checkPage(t, "many", w)
		has(t, w.Body.String(), "And 500 other differences.")
	})
}

// TestSumsOnPage: where two totals are a cent apart, an order's page says which way of reckoning gives which.
func TestSumsOnPage(t *testing.T) {
	h := open(t)
	acc, id, path, token := h.supplier("Aroha Foods")
	line := `"lines":[{"sku":"KWK-100","quantity":"3","unitPrice":"1.00","discountPercent":"7.5","taxRate":"15.00"}],` +
		`"freight":null`
	same, apart := h.approve(acc, path, `{`+line+`}`), h.approve(acc, path, `{`+line+
		`,"totals":{"subtotal":"2.77","tax":"0.42","total":"3.19"}}`)
	ana := h.signIn("Ana", signin.Viewer, id)
	page := func(api string) string { return "/t/" + id + strings.TrimPrefix(api, path) }
	hasNot(t, ana.get(page(same)).Body.String(), "way of rounding", "Tax line by line")
	if o := h.do("GET", same, token, nil).is(200); len(o.get("sums").([]any)) != 0 {
		t.Errorf("%s", o.raw)
	}
	w := ana.get(page(apart))
	checkPage(t, "sums", w)
	has(t, w.Body.String(), "What the order comes to by each way",
		`Tax line by line, discount before tax</th><td class="number">3.20 NZD</td><td><strong>Cin7 Core</strong>`,
		`Tax line by line, discount after tax</th><td class="number">3.19 NZD</td><td><strong>Upstock</strong>`,
		"gives Cin7 Core&#39;s 3.20 NZD; tax line by line, discount after tax gives Upstock&#39;s 3.19 NZD.")
	o := h.do("GET", apart, token, nil).is(200)
	if o.get("sums.0.of") != "Cin7 Core" || o.get("sums.1.of") != nil || o.get("sums.2.total") != "3.19" {
		t.Errorf("%s", o.raw)
	}
}

// TestToldAtOnPage: an order's page says when Upstock took its sale's number.
func TestToldAtOnPage(t *testing.T) {
	h := open(t)
	acc, id, path, _ := h.supplier("Aroha Foods")
	page := "/t/" + id + strings.TrimPrefix(h.approve(acc, path, ""), path)
	_, station, _ := strings.Cut(h.signIn("Ana", signin.Viewer, id).get(page).Body.String(), "Told to Upstock")
	station, _, _ = strings.Cut(station, "</li>")
	has(t, station, "<time datetime=")
}
