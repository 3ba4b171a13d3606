package console

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"stockbridge/internal/signin"
)

// TestProblemsByCause: one repair is for all orders that wait for the same.
func TestProblemsByCause(t *testing.T) {
	h := open(t)
	acc, id, path, token := h.supplier("Aroha Foods")
	first, second := h.approve(acc, path, unknownProduct), h.approve(acc, path, unknownProduct)
	other := h.approve(acc, path, strings.ReplaceAll(unknownProduct, "TEA-999", "TEA-998"))
	list := h.do("GET", path+"/problems", token, nil).is(200)
	if list.get("items.0.orders") != 2.0 || list.get("items.0.code") != "unknownSku" ||
		list.get("items.0.about") != "product/TEA-999" ||
		list.get("items.1.orders") != 1.0 {
		t.Fatalf("%s", list.raw)
	}
	fix := path + "/problems/" + list.get("items.0.key").(string) + "/fix"
	if got := h.do("POST", fix, token, `{}`).is(422).fields(); len(got) != 1 || got[0] != "choice" {
		t.Errorf("no choice: %v", got)
	}
	h.do("POST", fix, token, `{"choice":"00000000-0000-4000-8000-000000000000"}`).is(422)
	h.do("POST", path+"/problems/nothing/fix", token, `{"choice":"x"}`).is(404)
	if got := h.do("POST", fix, token, fmt.Sprintf(`{"choice":%q}`,
		h.product(id, "KWK-100"))).is(202); got.get("retried") != 2.0 {
		t.Errorf("%s", got.raw)
	}
	h.work()
	for order, want := range map[string]string{first: "sold", second: "sold", other: "attention"} {
		if o := h.do("GET", order, token, nil).is(200); o.get("state") != want {
			t.Errorf("%s: %s", order, o.raw)
		}
	}
	h.do("POST", fix, token, `{"choice":"x"}`).is(404)
}

// product is Cin7 Core's id of a product.
func (h *house) product(id, sku string) string {
	h.t.Helper()
	b, err := h.tenants.Load(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	found, err := h.pair.FindRecords(h.t.Context(), b, "product", sku)
	if err != nil || len(found) != 1 {
		h.t.Fatalf("%+v, %v", found, err)
	}
	return found[0].ID
}

// TestFixOnPage: a product is searched for, picked, and both orders go.
func TestFixOnPage(t *testing.T) {
	h := open(t)
	acc, id, path, token := h.supplier("Aroha Foods")
	first, second := h.approve(acc, path, unknownProduct), h.approve(acc, path, `{"lines":[`+
		`{"sku":"SLT-FLK","quantity":"1"},{"sku":"TEA-999","name":"Tea","quantity":"1","taxRate":"15.00"}]}`)
	home := "/t/" + id
	ana, viewer := h.signIn("Ana", signin.Admin, id), h.signIn("Viktor", signin.Viewer, id)
	body := ana.get(home).Body.String()
	key := regexp.MustCompile(`name="fix" value="([^"]+)"`).FindStringSubmatch(body)
	if key == nil || !strings.Contains(body, "Product in Cin7 Core") ||
		strings.Contains(body, "Use this product") && !strings.Contains(body, `type="radio"`) {
		t.Fatalf("no way to pick a product: %s", body)
	}
	// each order has it in a line of its own
	for page, what := range map[string]string{
		home:                                    "SKU “TEA-999”: Cin7 Core has no product",
		home + strings.TrimPrefix(first, path):  "Line 1 (SKU “TEA-999”)",
		home + strings.TrimPrefix(second, path): "Line 2 (SKU “TEA-999”)",
	} {
		if text := readable(ana.get(page)); !strings.Contains(text, "What needs you "+what) {
			t.Errorf("%s: no %q in %s", page, what, text)
		}
	}
	if text := readable(ana.get(home + "/orders")); !strings.Contains(text, "All Needs you 2 Received 0 Being sold 0") {
		t.Errorf("how many are in which state: %s", text)
	}
	if body := viewer.get(home).Body.String(); strings.Contains(body, "Find product") {
		t.Error("a viewer can pick")
	}
	search := func(text string) string {
		return ana.get(home + "?" + url.Values{"fix": {key[1]}, "find": {text}}.Encode()).Body.String()
	}
	if body := search("no such thing"); !strings.Contains(body, "Cin7 Core has no product") {
		t.Errorf("nothing found: %s", body)
	}
	if body := search(hostile); scripts.MatchString(body) {
		t.Errorf("hostile: %s", body)
	}
	body = search("kwk-1")
	radio := regexp.MustCompile(`type="radio" name="choice" value="([^"]+)"`).FindStringSubmatch(body)
	if radio == nil || !strings.Contains(body, "KWK-100") || !strings.Contains(body, "Use this product") {
		t.Fatalf("found: %s", body)
	}
	fix := home + "/problems/" + key[1] + "/fix"
	if w := viewer.post(fix, url.Values{"choice": {radio[1]}}); w.Code != http.StatusForbidden {
		t.Errorf("a viewer: %d", w.Code)
	}
	if w := ana.post(fix, nil); !strings.Contains(w.Header().Get("Location"), "said=choose") {
		t.Errorf("nothing picked: %d %s", w.Code, w.Header().Get("Location"))
	}
	// pressed twice
	for _, want := range []string{"2 orders are being tried again", "No order waits for this any more"} {
		w := ana.post(fix, url.Values{"choice": {radio[1]}, "back": {home}})
		if w.Code != http.StatusSeeOther {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if said := ana.get(w.Header().Get("Location")).Body.String(); !strings.Contains(said, want) {
			t.Errorf("no %q in %s", want, said)
		}
		h.work()
	}
	for _, order := range []string{first, second} {
		if o := h.do("GET", order, token, nil).is(200); o.get("state") != "sold" {
			t.Errorf("%s", o.raw)
		}
	}
	if body := ana.get(home).Body.String(); !strings.Contains(body, "Everything is in step") {
		t.Errorf("home: %s", body)
	}
}
