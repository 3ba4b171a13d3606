package console

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"stockbridge/internal/upstock"
)

// TestLinks: a customer and a product that nothing makes sure of wait for a person, with choices; the one that is
// picked is remembered, and can be seen, changed and taken away.
func TestLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		acc, _, path, token := h.supplier("Aroha Foods")
		order := h.approve(acc, path, `{"customer":{"id":9001,"name":"Bay Bakery","externalId":null,"email":"orders@harbourside.example"},
			"lines":[{"sku":"KWK-OLD#1","productExternalId":null,"name":"Kawakawa Leaf Tea","quantity":"3","unitPrice":"8.90"},{"sku":"GRN-TST","quantity":"2","unitPrice":"14.20"}]}`)
		a := h.do("GET", order, token, nil).is(200)
		if a.get("state") != "attention" || a.get("problems.0.code") != "customerUnknown" ||
			a.get("problems.0.about") != "customer/9001" ||
			a.get("problems.0.choices.0.label") != "Harbourside Grocers" ||
			a.get("problems.0.choices.0.why") != "the same e-mail" ||
			a.get("problems.0.choices.0.score").(float64) >= 0.5 ||
			a.get("problems.1.code") != "unknownSku" || a.get("problems.1.about") != "product/KWK-OLD#1" {
			t.Fatal(a.raw)
		}
		card := a.get("problems.0.choices.0.id").(string)
		if a := h.do("GET", path+"/links/customer", token, nil).is(200); len(a.get("items").([]any)) != 0 ||
			a.get("next") != nil {
			t.Error(a.raw)
		}

		put := h.do("PUT", path+"/links/customer/9001", token,
			map[string]string{"id": strings.ToUpper(card) + "\n"}).is(200)
		if put.get("id") != card || put.get("from") != "9001" || put.get("label") != "Harbourside Grocers" ||
			put.get("by") != "person" {
			t.Error(put.raw)
		}
		placed, err := h.simUpstock.PlaceOrder(acc.Upstock.Supplier, `{"lines":[{"sku":"KWK-100","quantity":"1"}]}`)
		if err != nil {
			t.Fatal(err)
		}
		o, _ := upstock.ParseOrder(placed.JSON)
		tea := o.Lines[0].ProductExternalID
		if put := h.do("PUT", path+"/links/product/KWK-OLD%231", token,
			map[string]string{"id": tea}).is(200); put.get("from") != "KWK-OLD#1" ||
			!strings.HasPrefix(fmt.Sprint(put.get("label")), "KWK-100 ") {
			t.Error(put.raw)
		}
		h.do("POST", order+"/retry", token, `{}`).is(http.StatusAccepted)
		h.work()
		if a := h.do("GET", order, token, nil).is(200); a.get("state") != "sold" ||
			len(a.get("problems").([]any)) != 0 {
			t.Errorf("after the choice: %s", a.raw)
		}
		next := h.approve(acc, path, `{"customer":{"id":9001,"name":"Bay Bakery","externalId":null},"lines":[{"sku":"kwk-old#1","productExternalId":null,"quantity":"1","unitPrice":"8.90"}]}`)
		if a := h.do("GET", next, token, nil).is(200); a.get("state") != "sold" {
			t.Errorf("the choice is not remembered: %s", a.raw)
		}

		for _, c := range []struct {
			query string
			n     int
		}{{"?q=HARBOURSIDE%20grocers", 1}, {"?q=9001", 1}, {"?q=" + card[:8], 1}, {"?q=nobody", 0}, {"?limit=1", 1},
			{"?after=9001", 0}} {
			if a := h.do("GET", path+"/links/customer"+c.query, token,
				nil).is(200); len(a.get("items").([]any)) != c.n {
				t.Errorf("%s: %s", c.query, a.raw)
			}
		}
		if a := h.do("GET", path+"/links/product", token, nil).is(200); len(a.get("items").([]any)) != 1 ||
			a.get("items.0.from") != "KWK-OLD#1" || a.get("items.0.id") != tea {
			t.Error(a.raw)
		}
		if a := h.do("GET", path+"/events", token, nil).is(200); !strings.Contains(a.raw,
			"was linked to “Harbourside Grocers” in Cin7 Core") {
			t.Error(a.raw)
		}

		for _, c := range []struct {
			method, path, body string
			status             int
		}{
			{"PUT", "/links/customer/9001", `{"id":"00000000-0000-0000-0000-000000000000"}`, 422},
			{"PUT", "/links/customer/9001", `{"id":"c9c9c9c9-0000-4000-8000-000000000001"}`, 422},
			{"PUT", "/links/customer/9001", `{"id":""}`, 422},
			{"PUT", "/links/customer/9001", `{}`, 422},
			{"PUT", "/links/customer/9001", `{"id":"` + tea + `"}`, 422},
			{"PUT", "/links/customer/9001", `{"id":"` + card + `","by":"me"}`, 422},
			{"PUT", "/links/customer/nobody", `{"id":"` + card + `"}`, 404},
			{"PUT", "/links/customer/0", `{"id":"` + card + `"}`, 404},
			{"PUT", "/links/boat/1", `{"id":"` + card + `"}`, 404},
			{"DELETE", "/links/customer/9002", "", 404},
			{"DELETE", "/links/product/NO-SUCH", "", 404},
			{"DELETE", "/links/boat/1", "", 404},
			{"GET", "/links/boat", "", 404},
			{"GET", "/links/customer?after=x", "", 400},
			{"GET", "/links/customer?word=x", "", 400},
		} {
			var body any
			if c.body != "" {
				body = c.body
			}
			h.do(c.method, path+c.path, token, body).is(c.status)
		}

		h.do("DELETE", path+"/links/customer/9001", token, nil).is(http.StatusNoContent)
		h.do("DELETE", path+"/links/customer/9001", token, nil).is(http.StatusNotFound)
		h.do("DELETE", path+"/links/product/kwk-old%231", token, nil).is(http.StatusNoContent)
		last := h.approve(acc, path, `{"customer":{"id":9001,"name":"Bay Bakery","externalId":null},"lines":[{"sku":"GRN-TST","quantity":"1","unitPrice":"14.20"}]}`)
		if a := h.do("GET", last, token, nil).is(200); a.get("state") != "attention" ||
			a.get("problems.0.code") != "customerUnknown" {
			t.Errorf("after the link is gone: %s", a.raw)
		}
	})
}
