package sim_test

import (
	"errors"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/sim"
	"stockbridge/internal/sim/simtest"
)

// TestPages shows every page, empty and full, and presses every button.
func TestPages(t *testing.T) { synctest.Test(t, testPages) }

func testPages(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true, Deliver: &simtest.Inbox{Statuses: []int{200}}})
	get := func(path string, want ...string) string {
		t.Helper()
		a := b.Call("GET", path, nil)
		if a.StatusCode != 200 {
			t.Fatalf("%s: %v %s", path, a.Status, a.Bytes)
		}
		if csp := a.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
			t.Errorf("%s: policy %q", path, csp)
		}
		for _, w := range append(want, "</html>") {
			if !strings.Contains(string(a.Bytes), w) {
				t.Errorf("%s lacks %q", path, w)
			}
		}
		for _, w := range []string{"<script", "style=", "ZgotmplZ", "&lt;nil&gt;", "%!"} {
			if strings.Contains(string(a.Bytes), w) {
				t.Errorf("%s has %q", path, w)
			}
		}
		return string(a.Bytes)
	}
	press := b.press
	refuse := func(path string, form url.Values, problem string) {
		t.Helper()
		if to := press(path, form); !strings.Contains(to, problem) {
			t.Errorf("%s %v leads to %s, not to %q", path, form, to, problem)
		}
	}
	get("/sim", b.Account.Upstock.Token, b.Account.Cin7Core.ApplicationKey, "Kauri Wholesale")
	const up, core = "/sim/pages/1/upstock", "/sim/pages/1/cin7core"
	get(up, "There is no order yet")
	get(core, "There is no sale yet")
	if a := b.Call("GET", "/sim/pages/9/upstock", nil); a.StatusCode != 404 {
		t.Error(a.Status)
	}

	press(up+"/new/register", url.Values{"url": {"https://stockbridge.test/w"}})
	press(up+"/new/place", url.Values{"customer": {"Southern Lakes Lodge"}, "reference": {"<b>PO</b>"},
		"delivery": {"2031-05-01"}, "freight": {"12.50"}, "comment": {"Ring the bell"}, "sku": {"KWK-100", "", "RWR-a"},
		"quantity": {"2", "", ""}, "approve": {"1"}})
	b.Quiet()
	page := get(up, "880001", "processing", "&lt;b&gt;PO", "Kawakawa Leaf Tea 100 g", "https://stockbridge.test/w",
		"order.approved", "delivered")
	if strings.Contains(page, "Approve</button>") {
		t.Error("an approved order can be approved")
	}
	press(up+"/new/place", url.Values{})
	get(up, "/sim/pages/1/upstock/120002/approve")
	press(up+"/120002/approve", nil)
	press(up+"/120002/cancel", nil)
	get(up, "cancelled")
	to := press(up+"/120002/approve", nil)
	if !strings.Contains(to, "problem=") {
		t.Error(to)
	}
	get(to, "The order is cancelled")

	id := b.sell("AUTHORISED")
	get(core, "SO-00001", "2 × KWK-100 at 8.9 = 17.80", "upstock:1:120001")
	press(core+"/"+id+"/copy", nil)
	press(core+"/"+id+"/ship", url.Values{"tracking": {"NZ-7"}})
	press(core+"/"+id+"/complete", nil)
	get(core, "SO-00002", "NZ-7", "COMPLETED", "Fulfilment 1: pick AUTHORISED, pack AUTHORISED, ship AUTHORISED")
	boxed := b.sell("AUTHORISED")
	press(core+"/"+boxed+"/ship", url.Values{"tracking": {"NZ-8"}, "carrier": {"Overnight Kiwi"}, "boxes": {"A"},
		"of": {"A, B"}})
	get(core, `href="https://track.overnightkiwi.example/parcels/NZ-8"`, "ship PARTIALLY AUTHORISED")
	press(core+"/"+boxed+"/tracking", url.Values{"tracking": {"NZ-9"}, "box": {"A"}})
	get(core, "parcels/NZ-9")
	b.register("Sale/Undo")
	press(core+"/"+boxed+"/undo", nil)
	get(core, "Sale/Undo", "https://stockbridge.test/webhooks/cin7core/abc", "pending, next")
	if page := get(core); strings.Contains(page, "t0ken") {
		t.Error("a webhook's token is shown")
	}
	b.Quiet()
	press(core+"/new/automation", nil)
	get(core, "has no Automation module")
	press(core+"/new/automation", url.Values{"on": {"1"}})
	get(core, "has the Automation module")
	b.up("PUT", "/orders/120001/shipments/a", obj{"shippedAt": "2031-05-01T00:00:00Z", "carrier": "Overnight Kiwi",
		"tracking": "https://track.example.com/7", "complete": false}, 200, nil)
	b.up("PUT", "/orders/120001/shipments/b",
		obj{"shippedAt": "2031-05-01T20:00:00Z", "tracking": "javascript:alert(1)",
			"complete": true}, 200, nil)
	get(up, `Shipped 2031-05-01: Overnight Kiwi, <a href="https://track.example.com/7"`,
		"Shipped 2031-05-02: javascript:alert(1) (the last)")
	twin := b.core.Sales(b.Account.Cin7Core.AccountID)[1].ID
	for _, do := range []string{"undo", "void"} {
		if to := press(core+"/"+twin+"/"+do, nil); strings.Contains(to, "problem") {
			t.Errorf("%s: %s", do, to)
		}
	}
	get(core, "SO-00002", "VOIDED")
	picked := b.sell("AUTHORISED")
	press(core+"/"+picked+"/pick", nil)
	get(core, "pick AUTHORISED, pack NOT AVAILABLE")
	refuse(core+"/"+picked+"/pick", nil, "is+picked")
	press(core+"/"+picked+"/pack", nil)
	get(core, "pick AUTHORISED, pack AUTHORISED, ship NOT AVAILABLE")
	refuse(core+"/"+picked+"/pack", nil, "is+packed")
	press(core+"/"+picked+"/notes", url.Values{"text": {"By the <back> door"}})
	get(core, "By the &lt;back&gt; door")
	for _, id := range []string{"upstock:1:7", ""} {
		press(core+"/"+picked+"/copy", url.Values{"externalId": {id}})
		if all := b.core.Sales(b.Account.Cin7Core.AccountID); all[len(all)-1].ExternalID != id {
			t.Errorf("the copy is %q, not %q", all[len(all)-1].ExternalID, id)
		}
	}
	written := b.sell("DRAFT")
	press(core+"/"+b.sell("DRAFT")+"/authorise", nil)
	get(core, "order AUTHORISED", "/authorise\"><button>Authorise")
	get(core, `&#34;sku&#34;: &#34;KWK-100&#34;`)
	press(core+"/"+written+"/lines", url.Values{
		"lines": {`[{"sku":"KWK-100","quantity":7,"price":"2.50","discount":10}]`}})
	get(core, "7 × KWK-100 at 2.5", " = 15.75")
	// Saved as the page shows them, the lines stay as they are.
	_, shown, _ := strings.Cut(get(core), `name="lines" rows="6" spellcheck="false">`)
	shown, _, _ = strings.Cut(shown, "<")
	press(core+"/"+written+"/lines", url.Values{"lines": {html.UnescapeString(shown)}})
	get(core, "7 × KWK-100 at 2.5", " = 15.75")
	for _, wrong := range []string{"", "no JSON", "null", `[]},"x":{`, `[{"sku":"NONE","quantity":1}]`} {
		refuse(core+"/"+written+"/lines", url.Values{"lines": {wrong}}, "problem=")
	}
	press(up+"/new/place", url.Values{"fields": {`{"customFields":{"Site":"Wharf"},"comments":[]}`},
		"comment": {"Ring the bell"}})
	get(up, "&#34;Site&#34;: &#34;Wharf&#34;")
	refuse(up+"/new/place", url.Values{"fields": {"Wharf"}}, "not+a+JSON+object")
	press(up+"/120003/edit", url.Values{"fields": {`{"reference":"PO-EDITED","status":"ordered"}`}})
	get(up, "PO-EDITED")
	refuse(up+"/120003/edit", url.Values{"fields": {"[1]"}}, "problem=")
	press(core+"/0/ready", nil)
	get(core, "<code>POST /sale</code> after", "Lose the answer to the next new sale")
	press(up+"/0/ready", nil)
	get(up, "<code>WEBHOOK order.approved</code> drop")
	for _, no := range []string{"/99/ready", "/-1/ready", "/x/ready"} {
		refuse(core+no, nil, "problem=")
	}
	press(core+"/new/clear", nil)
	press(core+"/new/fault", url.Values{"vendor": {"cin7core"}, "match": {"POST /sale"}, "kind": {"late"},
		"seconds": {"5"}, "times": {"2"}})
	get(core, "2 left", "POST /sale/order")
	press(core+"/new/clear", nil)
	if len(b.Faults(sim.Cin7Core)) != 0 {
		t.Error("not cleared")
	}
	press("/sim/pages/accounts", url.Values{"name": {"Nīkau Foods"}, "currency": {"aud"}})
	get("/sim", "Nīkau Foods", "AUD")
	if a := b.Call("GET", "/sim/style.css", nil); !strings.HasPrefix(a.Header.Get("Content-Type"), "text/css") {
		t.Error(a.Header)
	}
	req := b.Call("POST", core+"/new/clear", nil)
	if req.StatusCode != 303 {
		t.Error(req.Status)
	}
}

// TestCataloguePages: prices are changed at the simulated Cin7 Core by a button, and the catalogue that Upstock was
// told is looked at and searched.
func TestCataloguePages(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true})
	const up, core = "/sim/pages/1/upstock/catalogue", "/sim/pages/1/cin7core/catalogue"
	has := func(page string, want []string, not ...string) {
		t.Helper()
		a := b.Call("GET", page, nil)
		for _, w := range append(want, "</html>") {
			if a.StatusCode != 200 || !strings.Contains(string(a.Bytes), w) {
				t.Errorf("%s lacks %q (%v)", page, w, a.Status)
			}
		}
		for _, w := range append(not, "<script", "style=", "ZgotmplZ", "&lt;nil&gt;", "%!") {
			if strings.Contains(string(a.Bytes), w) {
				t.Errorf("%s has %q", page, w)
			}
		}
	}
	refuse := func(path string, form url.Values, problem string) {
		t.Helper()
		if to := b.press(path, form); !strings.Contains(to, problem) {
			t.Errorf("%s %v leads to %s, not to %q", path, form, to, problem)
		}
	}
	tea, lodge := b.productID("KWK-100"), b.buyerID()
	has(core, []string{"26 in all", "Wholesale: 8.9", "No own prices", "KWK-100 Kawakawa Leaf Tea 100 g: 8.2575"})
	has(core+"?q=kawakawa", []string{"2 found", "KWK-500"}, "Clover Honey")
	if to := b.press(core+"/"+tea+"/price", url.Values{"tier": {"2"}, "price": {"7.455"}, "q": {"KWK-100"}}); to !=
		core+"?q=KWK-100" {
		t.Error(to)
	}
	has(core+"?q=KWK-100", []string{"1 found", "Trade: 7.455"})
	b.press(core+"/"+tea+"/status", nil)
	b.press(core+"/"+tea+"/selling", nil)
	has(core+"?q=KWK-100", []string{"Deprecated", "not sellable", "Restore KWK-100", "Sell KWK-100"})
	b.press(core+"/"+lodge+"/own", url.Values{"sku": {"KWK-100"}, "price": {"4.5"}})
	b.press(core+"/"+lodge+"/card", url.Values{"tier": {"Retail"}, "discount": {"2.5"}, "status": {"Active"}})
	has(core+"?q=Harbourside", []string{"KWK-100 Kawakawa Leaf Tea 100 g: 4.5", "Retail · 2.5 % discount"})
	b.press(core+"/"+lodge+"/own", url.Values{"sku": {"KWK-100"}, "price": {""}})
	b.press(core+"/3/rename", url.Values{"name": {"Shop"}})
	has(core+"?q=Harbourside", []string{"No own prices", "Shop · 2.5 % discount"})
	refuse(core+"/"+tea+"/price", url.Values{"tier": {"1"}, "price": {"much"}}, "problem=")
	refuse(core+"/"+tea+"/price", url.Values{"tier": {"11"}, "price": {"1"}}, "problem=Tier")
	refuse(core+"/"+lodge+"/own", url.Values{"sku": {"NONE"}, "price": {"1"}}, "problem=")
	refuse(core+"/"+lodge+"/own", url.Values{"sku": {"KWK-100"}, "price": {"1,5"}}, "problem=")
	for _, path := range []string{"/x/price", "/x/own", "/0/rename", "/x/burn"} {
		refuse(core+path, nil, "problem=")
	}

	b.up("PUT", "/price-lists/tier:1", obj{"name": "Wholesale prices", "currency": "NZD"}, 200, nil)
	b.up("POST", "/price-lists/tier:1/prices/batch", obj{"prices": []obj{{"productExternalId": tea, "price": "8.90"}}},
		200, nil)
	b.up("POST", "/customers/batch", obj{"customers": []obj{{"externalId": lodge,
		"priceListExternalId": "tier:1"}}}, 200, nil)
	has(up, []string{"25 in all", "9 in all", "Wholesale prices", "customers: 1 · prices: 1", "<td>8.90</td>"})
	has(up+"?q=harbourside", []string{"0 found", "1 found", "Harbourside Grocers", "Wholesale prices"}, "Tōtara")
	b.press(up+"/new/refuse", url.Values{"records": {"products"}, "externalId": {tea}, "error": {"No <b>"},
		"times": {"2"}})
	has(up, []string{"No &lt;b&gt;", "2 left"})
	b.press(up+"/new/accept", nil)
	has(up, nil, "2 left")
	refuse(up+"/new/burn", nil, "problem=")
	for _, page := range []string{"/sim/pages/9/upstock/catalogue", "/sim/pages/9/cin7core/catalogue"} {
		if a := b.Call("GET", page, nil); a.StatusCode != 404 {
			t.Error(page, a.Status)
		}
	}
	has("/sim", []string{`href="/sim/pages/1/cin7core/catalogue">Catalogue at Cin7 Core`})
}

// press presses a button of a page, and returns where it leads.
func (b *bench) press(path string, form url.Values) string {
	b.T.Helper()
	resp, err := b.HTTP.PostForm("http://sim.test"+path, form)
	if err != nil {
		b.T.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusSeeOther {
		b.T.Fatalf("%s: %v", path, resp.Status)
	}
	return resp.Header.Get("Location")
}

// readyFaults are the buttons of a page that lay faults: by label, where each leads.
func (b *bench) readyFaults(page string) map[string]string {
	b.T.Helper()
	ready := map[string]string{}
	for _, m := range regexp.MustCompile(`action="([^"]*/ready)"><button>([^<]*)<`).
		FindAllSubmatch(b.Call("GET", page, nil).Bytes, -1) {
		ready[string(m[2])] = string(m[1])
	}
	return ready
}

// TestReadyFaults presses each button that lays a fault, and sees what its label says.
func TestReadyFaults(t *testing.T) { synctest.Test(t, testReadyFaults) }

func testReadyFaults(t *testing.T) {
	in := &simtest.Inbox{Statuses: []int{200}}
	b := newBench(t, sim.Options{NoLimits: true, Deliver: in})
	const up, core = "/sim/pages/1/upstock", "/sim/pages/1/cin7core"
	left := map[string]map[string]string{up: b.readyFaults(up), core: b.readyFaults(core)}
	lay := func(page, label string) {
		t.Helper()
		path := left[page][label]
		if path == "" {
			t.Fatalf("%s has no button %q", page, label)
		}
		if delete(left[page], label); b.press(path, nil) != page {
			t.Errorf("%s: %q is a problem", page, label)
		}
	}
	// answers are the statuses of calls, 0 for one that is never sent.
	answers := func(path string, calls int) (statuses []int) {
		t.Helper()
		for range calls {
			switch a, err := b.Try(t.Context(), "GET", path, nil); {
			case err == nil:
				statuses = append(statuses, a.StatusCode)
			case errors.Is(err, syscall.ECONNREFUSED):
				statuses = append(statuses, 0)
			default:
				t.Fatal(err)
			}
		}
		return statuses
	}
	for page, path := range map[string]string{up: sim.PrefixUpstock + "/supplier", core: sim.PrefixCin7Core + "/me"} {
		lay(page, "Answer the next 5 calls with 503")
		if got := answers(path, 6); !slices.Equal(got, []int{503, 503, 503, 503, 503, 200}) {
			t.Errorf("%s: %v", path, got)
		}
		lay(page, "Be down until cleared")
		if got := answers(path, 6); !slices.Equal(got, make([]int, 6)) {
			t.Errorf("%s: %v", path, got)
		}
		b.press(page+"/new/clear", nil)
		if got := answers(path, 1); got[0] != 200 {
			t.Errorf("%s: %v", path, got)
		}
	}

	lose := func(listed ...int) {
		t.Helper()
		_, err := b.Try(t.Context(), "POST", sim.PrefixCin7Core+"/sale", b.header())
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the answer is not lost: %v", err)
		}
		now := len(b.list(""))
		if time.Sleep(61 * time.Second); now != listed[0] || len(b.list("")) != listed[1] {
			t.Errorf("listed %d, then %d, not %v", now, len(b.list("")), listed)
		}
	}
	lay(core, "Lose the answer to the next new sale")
	lose(1, 1)
	lay(core, "Lose the answer to the next new sale, and hide it from the list for 60 seconds")
	lose(1, 2)
	lay(core, "Answer the next call with a page of HTML")
	a := b.Call("GET", sim.PrefixCin7Core+"/me", nil)
	if a.StatusCode != 200 || !strings.Contains(string(a.Bytes), "<html>") {
		t.Errorf("%s %s", a.Status, a.Bytes)
	}

	b.register("Sale/ShipmentAuthorised")
	lay(core, "Drop the next webhook of a shipment")
	for come := range 2 {
		b.act(b.sell("AUTHORISED"), "ship", "{}")
		b.Quiet()
		if got := len(in.Received("Sale/ShipmentAuthorised")); got != come {
			t.Errorf("%d webhooks of %d shipments", got, come+1)
		}
	}
	if _, err := b.upstock.RegisterWebhook(b.Account.Upstock.Supplier, "https://stockbridge.test/w"); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		label      string
		soon, at61 int
	}{
		{"Drop the next webhook of an approval", 0, 0},
		{"Deliver the next webhook of an approval twice", 2, 2},
		{"Deliver the next webhook of an approval 60 seconds late", 0, 1},
	} {
		lay(up, x.label)
		before := len(in.Received("order.approved"))
		b.approve()
		time.Sleep(30 * time.Second)
		soon := len(in.Received("order.approved")) - before
		time.Sleep(31 * time.Second)
		if at61 := len(in.Received("order.approved")) - before; soon != x.soon || at61 != x.at61 {
			t.Errorf("%s: %d came soon, %d after 61 s", x.label, soon, at61)
		}
	}
	if len(left[up])+len(left[core]) > 0 {
		t.Errorf("not pressed: %v", left)
	}
}
