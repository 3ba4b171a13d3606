package sim_test

import (
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"stockbridge/internal/sim"
	"stockbridge/internal/sim/simtest"
)

// Every page is shown empty and full, and every button pressed.
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
	press := func(path string, form url.Values) string {
		t.Helper()
		resp, err := b.HTTP.PostForm("http://sim.test"+path, form)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 303 {
			t.Fatalf("%s: %v", path, resp.Status)
		}
		return resp.Header.Get("Location")
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
	b.up("PUT", "/orders/120001/shipments/b", obj{"shippedAt": "2031-05-01T20:00:00Z", "tracking": "javascript:alert(1)",
		"complete": true}, 200, nil)
	get(up, `Shipped 2031-05-01: Overnight Kiwi, <a href="https://track.example.com/7"`,
		"Shipped 2031-05-02: javascript:alert(1) (the last)")
	twin := b.core.Sales(b.Account.Cin7Core.AccountID)[1].ID
	for _, do := range []string{"lines", "undo", "void"} {
		if to := press(core+"/"+twin+"/"+do, nil); strings.Contains(to, "problem") {
			t.Errorf("%s: %s", do, to)
		}
	}
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
