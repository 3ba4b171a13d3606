package console

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"stockbridge/internal/sim"
)

// shopTest is a supplier whose catalogue is to be sold in Upstock.
type shopTest struct {
	*house
	acc             sim.Account
	id, path, token string
}

// openShop makes a supplier that is connected on both sides, of which everything is read.
func openShop(t *testing.T) *shopTest {
	t.Helper()
	s := &shopTest{house: open(t)}
	s.acc, s.id, s.path, s.token = s.supplier("Aroha Foods")
	return s
}

// control asks the simulators' control API.
func (h *house) control(method, path string, body any) answer {
	h.t.Helper()
	payload, err := json.Marshal(body)
	if err != nil {
		h.t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.sim.Handler().ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(string(payload))))
	a := answer{h.t, method + " " + path, w.Code, w.Header(), w.Body.String(), nil}
	if w.Code >= 300 || json.Unmarshal(w.Body.Bytes(), &a.body) != nil {
		h.t.Fatalf("%s: %d %s", a.what, w.Code, a.raw)
	}
	return a
}

// upstock lists the records of a kind that Upstock holds.
func (s *shopTest) upstock(kind string) []any {
	s.t.Helper()
	return elements(s.control("GET", "/sim/upstock/"+kind+s.supplied(), nil).get("items"))
}

// supplied names the supplier to the control API.
func (s *shopTest) supplied() string { return "?supplier=" + strconv.Itoa(s.acc.Upstock.Supplier) }

// core lists those that Cin7 Core holds.
func (s *shopTest) core(kind string) []any {
	s.t.Helper()
	return elements(s.control("GET", "/sim/cin7core/"+kind+"?account="+s.acc.Cin7Core.AccountID, nil).get("items"))
}

// record is the one of a list of which a field is so.
func record(t *testing.T, list []any, field, value string) map[string]any {
	t.Helper()
	i := slices.IndexFunc(list, func(x any) bool { return fmt.Sprint(object(x)[field]) == value })
	if i < 0 {
		t.Fatalf("nothing has the %s %q in %v", field, value, list)
	}
	return object(list[i])
}

// ask asks the API about the tenant.
func (s *shopTest) ask(method, path string, body any) answer {
	s.t.Helper()
	return s.do(method, s.path+path, s.token, body)
}

// through starts long work, has everything done, and returns what came of it.
func (s *shopTest) through(method, path string, body any) answer {
	s.t.Helper()
	id := fmt.Sprint(s.ask(method, path, body).is(http.StatusAccepted).get("progress.id"))
	s.work()
	done := s.ask("GET", "/progress/"+id, nil).is(200)
	if done.get("state") != "done" || done.get("id") != id {
		s.t.Fatalf("%s %s: %s", method, path, done.raw)
	}
	return done
}

// importAll imports all products and customers, and has their prices told.
func (s *shopTest) importAll() {
	s.t.Helper()
	s.through("POST", "/products/import", map[string]any{"all": true})
	s.through("POST", "/customers/import", map[string]any{"all": true})
	s.through("POST", "/sync/prices", nil)
}

// stock makes products in Cin7 Core that Upstock does not have: one that can be imported for each
// SKU, one that is deprecated, one that is not sold, and a service.
func (s *shopTest) stock(skus ...string) {
	s.t.Helper()
	product := func(sku string, more map[string]any) map[string]any {
		p := map[string]any{"SKU": sku, "Name": "Fresh " + sku, "Type": "Stock", "Status": "Active", "Sellable": true,
			"PriceTier1": 7.455}
		for name, value := range more {
			p[name] = value
		}
		return p
	}
	docs := []map[string]any{product("GONE-1", map[string]any{"Status": "Deprecated"}),
		product("KEPT-1", map[string]any{"Sellable": false}), product("HELP-1", map[string]any{"Type": "Service"})}
	for _, sku := range skus {
		docs = append(docs, product(sku, nil))
	}
	s.control("POST", "/sim/cin7core/products?account="+s.acc.Cin7Core.AccountID, docs)
}

// TestProductsAPI: what can be imported is listed with what cannot and why; what is chosen is in Upstock then, and
// nothing else; a search finds by words.
func TestProductsAPI(t *testing.T) {
	s := openShop(t)
	had := len(s.upstock("products"))
	s.stock("NEW-1", "NEW-2", "NEW-3")
	s.through("POST", "/sync/products", nil)
	if got := len(s.upstock("products")); got != had {
		t.Fatalf("%d products in Upstock, before anything is imported %d", got, had)
	}
	items := elements(s.ask("GET", "/products?list=importable&limit=100&q=fresh", nil).is(200).get("items"))
	for _, x := range items {
		p := object(x)
		can := strings.HasPrefix(fmt.Sprint(p["sku"]), "NEW-")
		if p["importable"] != can || p["imported"] != false || (p["why"] == nil) != can ||
			can && p["price"] != "7.4550" {
			t.Errorf("%v", p)
		}
	}
	if len(items) != 5 {
		t.Errorf("%v", items)
	}
	id := fmt.Sprint(record(t, items, "sku", "NEW-1")["id"])
	done := s.through("POST", "/products/import", map[string]any{"ids": []string{strings.ToUpper(id)}})
	if done.get("kind") != "products" || done.get("result.new") != 1.0 {
		t.Error(done.raw)
	}
	told := s.upstock("products")
	if p := record(t, told, "externalId", id); len(told) != had+1 || p["sku"] != "NEW-1" || p["price"] != "7.4550" &&
		p["price"] != "7.455" {
		t.Errorf("%v", p)
	}
	a := s.ask("GET", "/products?q=new-1", nil).is(200)
	if len(elements(a.get("items"))) != 1 || a.get("items.0.inUpstock") != true || a.get("items.0.imported") != true ||
		a.get("items.0.at") == nil {
		t.Error(a.raw)
	}
	if a := s.ask("GET", "/products?list=importable&q=new-1", nil).is(200); a.get("items.0.importable") != false ||
		a.get("items.0.imported") != true || a.get("items.0.why") == nil {
		t.Error(a.raw)
	}
	if a := s.ask("GET", "/products/"+strings.ToUpper(id), nil).is(200); a.get("sku") != "NEW-1" ||
		len(elements(a.get("fields"))) == 0 || len(elements(a.get("history"))) == 0 {
		t.Error(a.raw)
	}
	s.through("POST", "/products/import", map[string]any{"all": true, "q": "fresh new"})
	if got := len(s.upstock("products")); got != had+3 {
		t.Errorf("%d products in Upstock, want %d", got, had+3)
	}
	for _, q := range []string{"?list=importable&q=zzz", "?q=help", "?list=importable&q=help"} {
		if a := s.ask("GET", "/products"+q, nil).is(200); len(elements(a.get("items"))) != 0 {
			t.Errorf("%s: %s", q, a.raw)
		}
	}
}

// TestCatalogAPIRefuses: what is asked for wrongly is said by name, and nothing begins.
func TestCatalogAPIRefuses(t *testing.T) {
	s := openShop(t)
	const guid = "0b9e2c1a-59a6-4f61-9f37-0d5c1d0f8a11"
	for _, c := range []struct {
		method, path, body string
		want               int
		fields             string
	}{
		{"GET", "/products?list=all", "", 422, "list"},
		{"GET", "/products?lists=importable", "", 400, "lists"},
		{"GET", "/customers?after=x", "", 400, "after"},
		{"GET", "/products?after=" + guid, "", 200, ""},
		{"GET", "/products?list=importable&after=" + guid + "0", "", 400, "after"},
		{"GET", "/customers?after=" + guid[1:], "", 400, "after"},
		{"GET", "/price-lists?after=tier:1", "", 200, ""},
		{"GET", "/price-lists?after=tier:10:2.5", "", 200, ""},
		{"GET", "/price-lists?after=customer:" + guid, "", 200, ""},
		{"GET", "/price-lists?after=none", "", 200, ""},
		{"GET", "/price-lists?after=tier:11", "", 400, "after"},
		{"GET", "/price-lists?after=tier:1:x", "", 400, "after"},
		{"GET", "/price-lists?after=customer:7", "", 400, "after"},
		{"GET", "/price-lists?after=none:1", "", 400, "after"},
		{"GET", "/price-changes?state=applied&after=2030-01-01T00:00:00.000000000%23ABCDEFGH~5", "", 200, ""},
		{"GET", "/price-changes?state=applied&after=2030-01-01T00:00:00.000000000%23ABCDEFGH~0", "", 400, "after"},
		{"GET", "/price-changes?state=applied&after=2030-01-01T00:00:00.000000000%23ABC~1", "", 400, "after"},
		{"GET", "/price-changes?state=applied&after=2030-01-01~5", "", 400, "after"},
		{"GET", "/price-changes?state=applied&after=9~-1", "", 400, "after"},
		{"GET", "/price-changes?state=applied&after=9~0", "", 400, "after"},
		{"GET", "/price-changes?state=sold", "", 422, "state"},
		{"GET", "/prices/explain?customer=" + guid, "", 400, "product"},
		{"GET", "/prices/explain", "", 400, "customer,product"},
		{"GET", "/prices/explain?customer=" + guid + "&product=" + guid, "", 404, ""},
		{"GET", "/products/" + guid, "", 404, ""},
		{"GET", "/customers/" + guid, "", 404, ""},
		{"GET", "/price-lists/none", "", 404, ""},
		{"GET", "/progress/products.none", "", 404, ""},
		{"POST", "/products/import", `{}`, 422, "ids"},
		{"POST", "/products/import", `{"ids":["` + guid + `"],"all":true}`, 422, "ids"},
		{"POST", "/products/import", `{"ids":["` + guid + `"],"q":"tea"}`, 422, "q"},
		{"POST", "/products/import", `{"all":true,"boughtSince":"2026-01-01"}`, 422, "boughtSince"},
		{"POST", "/customers/import", `{"all":true,"boughtSince":"soon"}`, 422, "boughtSince"},
		{"POST", "/customers/import", `{"ids":["Zoë"]}`, 422, "ids"},
		{"POST", "/products/import", `{"ids":["TEA-999"]}`, 422, "ids"},
		{"POST", "/customers/import", `{"all":true,"boughtSince":""}`, 422, "boughtSince"},
		{"POST", "/customers/matches", `{}`, 422, "accept"},
		{"POST", "/customers/matches", `{"accept":[{"id":"` + guid + `"}]}`, 422, "accept.0"},
		{"POST", "/customers/matches", `{"reject":[{"id":"` + guid + `","customer":1}]}`, 404, ""},
		{"DELETE", "/customers/matches/" + guid, "", 404, ""},
		{"POST", "/price-changes", `{}`, 422, "approve"},
		{"POST", "/price-changes", `{"approve":["a"],"refuse":["a"]}`, 422, "refuse"},
		{"POST", "/price-changes", `{"approve":["none"]}`, 202, ""},
	} {
		var body any
		if c.body != "" {
			body = c.body
		}
		if a := s.ask(c.method, c.path, body).is(c.want); strings.Join(a.fields(), ",") != c.fields {
			t.Errorf("%s %s: %s", c.method, c.path, a.raw)
		}
	}
	s.do("POST", s.path+"/products/import", s.viewerToken(), `{"all":true}`).is(403)
	if len(s.started) > 0 {
		t.Errorf("these began: %v", s.started)
	}
	s.ask("DELETE", "/connections/upstock", nil).is(204)
	s.work()
	s.ask("POST", "/products/import", `{"all":true}`).is(409)
	s.ask("POST", "/sync/prices", nil).is(409)
}

// viewerToken makes a token that only reads.
func (s *shopTest) viewerToken() string {
	s.t.Helper()
	return fmt.Sprint(s.ask("POST", "/tokens", map[string]string{"role": "viewer"}).is(201).get("token"))
}

// TestPricesAPI: a changed price goes to Upstock with the next sync and is explained; one that changes too much, or
// would give goods away, waits for a yes; a no is taken back.
func TestPricesAPI(t *testing.T) {
	s := openShop(t)
	s.importAll()
	lists := s.ask("GET", "/price-lists", nil).is(200)
	if n := len(elements(lists.get("items"))); n < 2 || n != len(s.upstock("price-lists")) {
		t.Fatalf("%d lists: %s", n, lists.raw)
	}
	customers := elements(s.ask("GET", "/customers?limit=100", nil).is(200).get("items"))
	at := slices.IndexFunc(customers, func(x any) bool {
		l := object(object(x)["priceList"])
		return l != nil && strings.HasPrefix(fmt.Sprint(l["id"]), "tier:")
	})
	if at < 0 {
		t.Fatalf("no customer has a tier's list: %v", customers)
	}
	customer := fmt.Sprint(object(customers[at])["id"])
	list := fmt.Sprint(object(object(customers[at])["priceList"])["id"])
	kwk := record(t, elements(s.ask("GET", "/products?limit=100", nil).is(200).get("items")), "sku", "KWK-100")
	product := fmt.Sprint(kwk["id"])
	explain := func() answer {
		t.Helper()
		q := url.Values{"customer": {customer}, "product": {product}}
		return s.ask("GET", "/prices/explain?"+q.Encode(), nil).is(200)
	}
	first := explain()
	if first.get("price") == nil || first.get("price") != first.get("upstock") || first.get("list.id") != list ||
		len(elements(first.get("steps"))) == 0 || first.get("since") == nil {
		t.Fatal(first.raw)
	}
	inUpstock := func() any {
		t.Helper()
		return object(record(t, s.upstock("price-lists"), "externalId", list)["prices"])[product]
	}
	price := func(tiers string) {
		t.Helper()
		change := map[string]any{}
		for n := range 10 {
			change["PriceTier"+strconv.Itoa(n+1)] = json.Number(tiers)
		}
		s.control("PUT", "/sim/cin7core/products/"+product, change)
	}

	price("19.95")
	if done := s.through("POST", "/sync/prices", nil); inUpstock() != explain().get("price") ||
		explain().get("upstock") != explain().get("price") || inUpstock() == first.get("price") {
		t.Errorf("%v in Upstock, %s, %s", inUpstock(), explain().raw, done.raw)
	}
	applied := s.ask("GET", "/price-changes?state=applied", nil).is(200)
	if record(t, elements(applied.get("items")), "new", fmt.Sprint(inUpstock()))["old"] != first.get("price") {
		t.Error(applied.raw)
	}
	for _, x := range []string{"1", "2"} { // a mistyped page
		after := url.QueryEscape(strings.Split(fmt.Sprint(applied.get("items.0.id")), "~")[0] + "~-" + x)
		if a := s.ask("GET", "/price-changes?state=applied&after="+after, nil).is(400); a.fields()[0] != "after" {
			t.Error(a.raw)
		}
	}

	s.ask("PATCH", "/settings", map[string]any{"priceHoldPercent": "10"}).is(200)
	was := inUpstock()
	price("39.90")
	if a := s.ask("GET", "/prices/preview", nil).is(200); a.get("partial") != false {
		t.Error(a.raw)
	}
	s.through("POST", "/sync/prices", nil)
	if inUpstock() != was {
		t.Errorf("a price that doubles was sent: %v", inUpstock())
	}
	held := elements(s.ask("GET", "/price-changes", nil).is(200).get("items"))
	var ids []string
	for _, x := range held {
		c := object(x)
		if object(c["product"])["id"] == product && c["why"] != nil && c["state"] == "held" {
			ids = append(ids, fmt.Sprint(c["id"]))
		}
	}
	if len(ids) == 0 {
		t.Fatalf("%v", held)
	}
	if explain().get("held") == nil {
		t.Errorf("nothing says that it waits: %s", explain().raw)
	}

	no := s.ask("POST", "/price-changes", map[string]any{"refuse": ids}).is(202)
	if no.get("decided") != float64(len(ids)) {
		t.Error(no.raw)
	}
	s.work()
	refused := s.ask("GET", "/price-changes?state=refused", nil).is(200)
	if n := len(elements(refused.get("items"))); n != len(ids) || inUpstock() != was {
		t.Errorf("%d refused, %v in Upstock: %s", n, inUpstock(), refused.raw)
	}
	undone := []string{fmt.Sprint(refused.get("items.0.id"))}
	if a := s.ask("POST", "/price-changes", map[string]any{"undo": undone}).is(202); a.get("decided") != 1.0 {
		t.Error(a.raw)
	}
	s.work()
	held = elements(s.ask("GET", "/price-changes", nil).is(200).get("items"))
	if len(held) == 0 {
		t.Fatal("nothing is held again")
	}
	ids = nil
	for _, x := range elements(s.ask("GET", "/price-changes?state=refused", nil).is(200).get("items")) {
		ids = append(ids, fmt.Sprint(object(x)["id"]))
	}
	if len(ids) > 0 {
		s.ask("POST", "/price-changes", map[string]any{"undo": ids}).is(202)
	}
	ids = nil
	for _, x := range elements(s.ask("GET", "/price-changes", nil).is(200).get("items")) {
		ids = append(ids, fmt.Sprint(object(x)["id"]))
	}
	s.through("POST", "/price-changes", map[string]any{"approve": ids})
	if inUpstock() != explain().get("price") || inUpstock() == was {
		t.Errorf("approved, %v is in Upstock: %s", inUpstock(), explain().raw)
	}
}

// meet makes customers in Cin7 Core, each by a name, and in Upstock, and returns the ids of the former.
func (s *shopTest) meet(inCore, inUpstock []string) (ids map[string]string) {
	s.t.Helper()
	for _, name := range inUpstock {
		s.control("POST", "/sim/upstock/customers"+s.supplied(),
			map[string]string{"name": name})
	}
	ids = map[string]string{}
	for _, name := range inCore {
		made := s.control("POST", "/sim/cin7core/customers?account="+s.acc.Cin7Core.AccountID, map[string]any{
			"Name": name, "Status": "Active", "Currency": "NZD", "PriceTier": "Trade", "PaymentTerm": "7 days"})
		ids[name] = strings.ToLower(fmt.Sprint(made.get("items.0.ID")))
	}
	return ids
}

// TestCustomersAPI: active customers are imported, one in another currency without a list; one that Upstock may have
// already waits until a person says which it is, and none is there twice.
func TestCustomersAPI(t *testing.T) {
	s := openShop(t)
	s.through("POST", "/customers/import", map[string]any{"all": true})
	core := s.core("customers")
	foreign := 0
	for _, x := range elements(s.ask("GET", "/customers?limit=100", nil).is(200).get("items")) {
		c := object(x)
		of := record(t, core, "ID", fmt.Sprint(c["id"]))
		if of["Status"] != "Active" || (c["priceList"] == nil) != (of["Currency"] != "NZD") {
			t.Errorf("%v of %v", c, of)
		}
		if of["Currency"] != "NZD" {
			foreign++
			if !strings.Contains(fmt.Sprint(c["why"]), fmt.Sprintf("orders in %s are not supported", of["Currency"])) {
				t.Errorf("%v", c)
			}
		}
	}
	if foreign == 0 {
		t.Error("no customer has another currency")
	}

	had := len(s.upstock("customers"))
	ids := s.meet([]string{"Quokka Roasters", "Tuatara Deli", "Kererū Pantry"},
		[]string{"Quokka Roaster", "Tuatara Delis", "Kererū Pantry"})
	s.through("POST", "/customers/import", map[string]any{"ids": slices.Collect(maps.Values(ids))})
	waiting := elements(s.ask("GET", "/customers?list=toLink", nil).is(200).get("items"))
	quokka, tuatara := record(t, waiting, "name", "Quokka Roasters"), record(t, waiting, "name", "Tuatara Deli")
	if len(waiting) != 2 || len(s.upstock("customers")) != had+3 {
		t.Fatalf("%v", waiting)
	}
	likeliest := func(c map[string]any) map[string]any {
		t.Helper()
		best := object(elements(c["candidates"])[0])
		if best["score"].(float64) <= 0 || len(elements(best["reasons"])) == 0 {
			t.Errorf("%v", best)
		}
		return map[string]any{"id": c["id"], "customer": best["customer"]}
	}
	yes, no := likeliest(quokka), likeliest(tuatara)
	s.do("POST", s.path+"/customers/matches", s.viewerToken(), map[string]any{"accept": []any{yes}}).is(403)
	said := s.ask("POST", "/customers/matches", map[string]any{"accept": []any{yes}, "reject": []any{no}}).is(200)
	if said.get("accepted") != 1.0 || said.get("rejected") != 1.0 {
		t.Error(said.raw)
	}
	s.work()
	s.through("POST", "/sync/customers", nil)
	now := s.upstock("customers")
	if linked := record(t, now, "externalId", ids["Quokka Roasters"]); linked["id"] != yes["customer"] {
		t.Errorf("%v", linked)
	}
	if made := record(t, now, "externalId", ids["Tuatara Deli"]); made["id"] == no["customer"] || len(now) != had+4 {
		t.Errorf("%v of %d", made, len(now))
	}
	c := s.ask("GET", "/customers/"+ids["Quokka Roasters"], nil).is(200)
	if c.get("priceList.name") != "Trade" {
		t.Errorf("%v", c.get("priceList"))
	}
	if c.get("customer") != yes["customer"] || c.get("linked") == nil || len(elements(c.get("history"))) == 0 {
		t.Error(c.raw)
	}
	s.ask("DELETE", "/customers/matches/"+ids["Quokka Roasters"], nil).is(204)
	s.ask("DELETE", "/customers/matches/"+ids["Quokka Roasters"], nil).is(404)
	s.work()
	if a := s.ask("GET", "/customers?list=toLink", nil).is(200); a.get("items.0.name") != "Quokka Roasters" {
		t.Error(a.raw)
	}
}

// shelf names records of a catalogue in which everything is that a page can show.
type shelf struct{ product, customer, list, progress string }

// fill tells Upstock of all prices, and leaves what there is to do: a product and a customer to import, a customer to
// link, one that is linked, and prices that wait for a yes. It is sparing with calls, which are limited.
func (s *shopTest) fill() (at shelf) {
	s.t.Helper()
	ids := s.meet([]string{"Quokka Roasters", "Tuatara Deli", "Weka Stores"},
		[]string{"Quokka Roaster", "Tuatara Delis"})
	at.customer = ids["Tuatara Deli"]
	s.through("POST", "/customers/import", map[string]any{"ids": []string{at.customer, ids["Quokka Roasters"]}})
	waiting := elements(s.ask("GET", "/customers?list=toLink", nil).get("items"))
	candidates := elements(record(s.t, waiting, "name", "Tuatara Deli")["candidates"])
	s.ask("POST", "/customers/matches", map[string]any{"accept": []any{
		map[string]any{"id": at.customer, "customer": object(candidates[0])["customer"]}}}).is(200)
	s.stock("NEW-1")
	s.through("POST", "/sync/prices", nil)
	s.ask("PATCH", "/settings", map[string]string{"priceHoldPercent": "10"}).is(200)
	at.product = fmt.Sprint(s.ask("GET", "/products?q=kwk", nil).get("items.0.id"))
	s.control("PUT", "/sim/cin7core/products/"+at.product, map[string]any{"PriceTier1": 99, "PriceTier2": 99})
	at.progress = fmt.Sprint(s.through("POST", "/sync/prices", nil).get("id"))
	at.list = fmt.Sprint(s.ask("GET", "/price-lists", nil).get("items.0.id"))
	return at
}

// address puts what is on the shelf into the address of a route.
func (at shelf) address(path string) string {
	return strings.NewReplacer("/products/{id}", "/products/"+at.product, "/customers/{id}", "/customers/"+at.customer,
		"/lists/{id}", "/lists/"+url.PathEscape(at.list), "/progress/{id}", "/progress/"+at.progress).Replace(path)
}
