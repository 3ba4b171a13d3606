package cin7core

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/sim"
	"stockbridge/internal/sim/simtest"
	"stockbridge/internal/sim/upstock"
)

func hookFor(event string, change obj) obj {
	return simtest.With(obj{"Type": event, "IsActive": true,
		"ExternalURL":               "https://stockbridge.test/webhooks/cin7core/abc",
		"ExternalAuthorizationType": "bearerauth", "ExternalBearerToken": "t0ken"}, change)
}

// register makes a webhook and returns its ID.
func (b *bench) register(event string, change obj) string {
	b.T.Helper()
	var doc hooksDoc
	b.core("POST", "/webhooks", hookFor(event, change), &doc)
	return doc.Webhooks[0].ID
}

func TestWebhooksEndpoint(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true})
	for _, c := range []struct {
		change obj
		want   string
	}{
		{obj{"Type": ""}, "Required attribute Type"},
		{obj{"Type": "Sale/ShipmentAuthorized"}, "Type"},
		{obj{"IsActive": json.RawMessage("null")}, "Required attribute IsActive"},
		{obj{"ExternalURL": ""}, "Required attribute ExternalURL"},
		{obj{"ExternalURL": "nowhere"}, "ExternalURL"},
		{obj{"ExternalAuthorizationType": "oauth"}, "ExternalAuthorizationType"},
		{obj{"ExternalBearerToken": ""}, "Required attribute ExternalBearerToken"},
		{obj{"ExternalAuthorizationType": "basicauth"}, "Required attribute ExternalUserName"},
	} {
		b.refused("POST", "/webhooks", hookFor("Sale/Voided", c.change), c.want)
	}
	id := b.register("Sale/ShipmentAuthorised", nil)
	var doc hooksDoc
	b.core("PUT", "/webhooks", hookFor("Sale/ShipmentAuthorised",
		obj{"ID": strings.ToUpper(id), "IsActive": "false", "ExternalHeaders": []hookHeader{{"K", "V"}}}), &doc)
	if h := doc.Webhooks[0]; h.ID != id || h.IsActive || h.ExternalBearerToken != "t0ken" ||
		h.Name != "Sale shipment has been authorised" || len(h.ExternalHeaders) != 1 {
		t.Errorf("%+v", h)
	}
	for range hooksPerType - 1 {
		b.register("Sale/ShipmentAuthorised", nil)
	}
	b.refused("POST", "/webhooks", hookFor("Sale/ShipmentAuthorised", nil), "Only 5 webhooks")
	b.refused("PUT", "/webhooks", hookFor("Sale/Voided", nil), "Required attribute ID")
	b.refused("PUT", "/webhooks", hookFor("Sale/Voided", obj{"ID": zeroGUID}), "was not found")
	b.refused("DELETE", "/webhooks", nil, "Required attribute ID")
	b.refused("DELETE", "/webhooks?ID="+zeroGUID, nil, "was not found")
	b.core("DELETE", "/webhooks?id="+id, nil, &doc)
	if len(doc.Webhooks) != hooksPerType-1 {
		t.Errorf("%d left", len(doc.Webhooks))
	}
	path := "/sim/cin7core/accounts/" + b.Account.Cin7Core.AccountID
	b.Call("PUT", path, `{"automation":false}`)
	for _, method := range []string{"GET", "POST", "PUT", "DELETE"} {
		a := b.Call(method, sim.PrefixCin7Core+"/webhooks?ID="+id, hookFor("Sale/Voided", nil))
		if a.StatusCode != 403 || !strings.Contains(exception(t, a), "Automation") {
			t.Errorf("%s: %v %s", method, a.Status, a.Bytes)
		}
	}
	b.core("GET", "/me", nil, nil)
	b.Call("PUT", path, `{"automation":true}`)
	b.core("GET", "/webhooks", nil, &doc)
	if len(doc.Webhooks) != hooksPerType-1 {
		t.Errorf("%d after all", len(doc.Webhooks))
	}
	poor := newBenchOf(t, sim.Options{}, Options{NoAutomation: true})
	if a := poor.Call("GET", sim.PrefixCin7Core+"/webhooks", nil); a.StatusCode != 403 {
		t.Error(a.Status)
	}
}

var shipEvents = []string{"Sale/ShipmentAuthorised", "Sale/ShipmentTrackingNumberChanged", "Sale/Voided", "Sale/Undo",
	"Sale/Backordered"}

func TestCoreWebhooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &simtest.Inbox{Statuses: []int{200}}
		b := newBench(t, sim.Options{NoLimits: true, Deliver: in})
		for _, event := range shipEvents {
			b.register(event, nil)
		}
		b.register("Sale/Undo", obj{"IsActive": false})
		start := time.Now()
		x := b.sold("Advanced", "2", "5000")
		id := x.ID
		then := func(do, body string) sale {
			time.Sleep(time.Second)
			return b.act(id, do, body)
		}
		then("ship", `{"lines":[{"sku":"KWK-100"}],"trackingNumber":"T1"}`)
		then("tracking", `{"trackingNumber":"T2"}`)
		then("tracking", `{"trackingNumber":"T2"}`) // no change, no event
		x = then("ship", `{"of":["A","B"],"boxes":["B"]}`)
		then("undo", `{"task":2}`)
		then("void", `{}`)
		b.Quiet()
		if len(in.At) != 7 || in.At[0].Sub(start) != time.Minute {
			t.Fatalf("%d deliveries: %v", len(in.At), in.Bodies)
		}
		for i, req := range in.Got {
			if req.Header.Get("Authorization") != "Bearer t0ken" ||
				req.Header.Get("Content-Type") != "application/json" ||
				req.Method != "POST" {
				t.Errorf("request %d: %v", i, req.Header)
			}
		}
		read := func(body string) map[string]any {
			t.Helper()
			var v map[string]any
			if err := json.Unmarshal([]byte(body), &v); err != nil {
				t.Fatalf("%v: %s", err, body)
			}
			return v
		}
		shipped := in.Received("Sale/ShipmentAuthorised")
		if len(shipped) != 2 {
			t.Fatal(shipped)
		}
		for i, body := range shipped {
			v := read(body)
			if v["SaleTaskID"] != strings.ToUpper(x.Fulfilments[i].TaskID) ||
				v["TenantID"] != strings.ToUpper(b.Account.Cin7Core.AccountID) || v["OrderNumber"] != "SO-00001" ||
				v["SaleID"] != nil || v["CustomerContactName"] != "Ngaire Pohatu" {
				t.Errorf("%s", body)
			}
		}
		tracking := in.Received("Sale/ShipmentTrackingNumberChanged")
		if len(tracking) != 1 {
			t.Fatal(tracking)
		}
		v := read(tracking[0])
		parcel := v["Shipments"].([]any)[0].(map[string]any)
		if v["SaleID"] != id || v["TaskID"] != x.Fulfilments[0].TaskID ||
			v["SaleOrderDate"] != start.In(sim.Zone()).Format("02/01/2006") || parcel["TrackingNumber"] != "T2" ||
			parcel["ShipmentDate"] != start.In(sim.Zone()).Format("02/01/2006") {
			t.Errorf("%s", tracking[0])
		}
		if got := in.Received("Sale/Backordered"); len(got) != 1 || read(got[0])["SaleID"] != strings.ToUpper(id) {
			t.Error(got)
		}
		if got := in.Received("Sale/Undo"); len(got) != 2 { // the second task, and the sale before it is voided
			t.Error(got)
		}
		if got := in.Received("Sale/Voided"); len(got) != 1 || json.Valid([]byte(got[0])) ||
			!strings.Contains(got[0], strings.ToUpper(id)) {
			t.Error(got)
		}
		var list struct{ Items []sim.Delivery }
		b.Call("GET", "/sim/cin7core/deliveries?account="+b.Account.Cin7Core.AccountID, nil).Into(t, &list)
		if len(list.Items) != 7 || list.Items[0].Sale != "SO-00001" || list.Items[0].State != "delivered" ||
			list.Items[0].Body != in.Bodies[0] {
			t.Errorf("%+v", list.Items)
		}
		if len(b.vendor.Deliveries("nobody")) != 0 || len(b.upstock.Deliveries(1)) != 0 {
			t.Error("deliveries of others")
		}
		in.Bodies = nil
		b.Call("PUT", "/sim/cin7core/accounts/"+b.Account.Cin7Core.AccountID, `{"automation":false}`)
		b.act(b.sell("AUTHORISED"), "ship", "{}")
		b.Quiet()
		if len(in.Bodies) != 0 {
			t.Errorf("sent without the module: %v", in.Bodies)
		}
	})
}

func TestCoreWebhookRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := &simtest.Inbox{Statuses: []int{500, 302, 0, 404, 500, 503}}
		b := newBench(t, sim.Options{NoLimits: true, Deliver: in})
		id := b.register("Sale/ShipmentAuthorised",
			obj{"ExternalAuthorizationType": "basicauth", "ExternalUserName": "u",
				"ExternalPassword": "p", "ExternalHeaders": []hookHeader{{"X-Key", "k"}}})
		start := time.Now()
		b.act(b.sell("AUTHORISED"), "ship", "{}")
		b.Quiet()
		var waits []time.Duration
		for _, at := range in.At {
			waits = append(waits, at.Sub(start).Round(time.Minute)/time.Minute)
		}
		if want := []time.Duration{1, 6, 16, 31, 51, 76}; !slices.Equal(waits, want) {
			t.Errorf("attempts after %v minutes, want %v", waits, want)
		}
		user, password, _ := in.Got[0].BasicAuth()
		if user != "u" || password != "p" || in.Got[0].Header.Get("X-Key") != "k" {
			t.Errorf("%v", in.Got[0].Header)
		}
		if d := b.vendor.Deliveries(b.Account.Cin7Core.AccountID)[0]; d.State != "failed" || d.Attempts != 6 ||
			b.books().hook(id).IsActive {
			t.Errorf("%+v", d)
		}
		n := len(in.At)
		b.act(b.sell("AUTHORISED"), "ship", "{}") // no webhook is called
		b.Quiet()
		if len(in.At) != n {
			t.Error("an inactive webhook was called")
		}
		in.Statuses = []int{204}
		b.core("PUT", "/webhooks", hookFor("Sale/ShipmentAuthorised",
			obj{"ID": id, "ExternalURL": "https://stockbridge.test/new"}), nil)
		b.act(b.sell("AUTHORISED"), "ship", "{}")
		b.Quiet()
		if got := in.Got[len(in.Got)-1]; len(in.Got) != n+1 || got.URL.Path != "/new" ||
			got.Header.Get("Authorization") != "Bearer t0ken" {
			t.Errorf("%v", got)
		}
		b.act(b.sell("AUTHORISED"), "ship", "{}")
		b.core("DELETE", "/webhooks?ID="+id, nil, nil)
		b.Quiet()
		if len(in.Got) != n+1 {
			t.Error("a deleted webhook was called")
		}
	})
}

func TestCoreWebhookFaults(t *testing.T) {
	for _, x := range []struct {
		f     sim.Fault
		got   int
		last  time.Duration
		tries int
		state string
	}{
		{sim.Fault{Kind: "before"}, 1, 6 * time.Minute, 2, "delivered"},
		{sim.Fault{Kind: "after"}, 2, 6 * time.Minute, 2, "delivered"},
		{sim.Fault{Kind: "late", Seconds: 30}, 1, 90 * time.Second, 1, "delivered"},
		{sim.Fault{Kind: "dup"}, 2, time.Minute, 1, "delivered"},
		{sim.Fault{Kind: "drop"}, 0, 0, 0, "failed"},
	} {
		t.Run(x.f.Kind, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in := &simtest.Inbox{Statuses: []int{200}}
				b := newBench(t, sim.Options{Deliver: in})
				b.register("Sale/ShipmentAuthorised", nil)
				x.f.Match, x.f.Account = "WEBHOOK Sale/ShipmentAuthorised", b.Account.Cin7Core.AccountID
				if err := b.Fault(sim.Cin7Core, x.f); err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				b.act(b.sell("AUTHORISED"), "ship", "{}")
				b.Quiet()
				if len(in.At) != x.got || x.got > 0 && in.At[x.got-1].Sub(start) != x.last {
					t.Errorf("%d requests %v", len(in.At), in.At)
				}
				if d := b.vendor.Deliveries(b.Account.Cin7Core.AccountID)[0]; d.Attempts != x.tries ||
					d.State != x.state {
					t.Errorf("%+v", d)
				}
			})
		})
	}
}

// TestCoreWebhookSurvives: a pending delivery survives a restart.
func TestCoreWebhookSurvives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, in := t.TempDir(), &simtest.Inbox{Statuses: []int{200}}
		b := newBench(t, sim.Options{Dir: dir, Deliver: in})
		b.register("Sale/ShipmentAuthorised", nil)
		b.act(b.sell("AUTHORISED"), "ship", "{}")
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		vendor := New(Options{})
		again, err := sim.New(sim.Options{Dir: dir, Deliver: in}, upstock.New(), vendor)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		again.Quiet()
		if ds := vendor.Deliveries(b.Account.Cin7Core.AccountID); len(in.Got) != 1 || ds[0].State != "delivered" {
			t.Errorf("%d requests, %+v", len(in.Got), ds)
		}
	})
}

// TestCorePayloadsLikeTheSamples: the webhooks' bodies have the names and types of the vendor's examples.
func TestCorePayloadsLikeTheSamples(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true})
	x := b.act(b.sell("AUTHORISED"), "ship", `{"trackingNumber":"T"}`)
	c := b.books()
	for _, name := range append(shipEvents, "Sale/OrderAuthorised") {
		t.Run(name, func(t *testing.T) {
			want, got := map[string][]string{}, map[string][]string{}
			simtest.Shape(readSample(t, "webhook."+strings.Replace(name, "/", "-", 1)+".json"), "", want)
			body := string(c.payload(&x, event{name, x.Fulfilments[0].TaskID}))
			if name == "Sale/Voided" {
				body = strings.Replace(body, ",\n}", "}", 1)
			}
			var v any
			if err := json.Unmarshal([]byte(body), &v); err != nil {
				t.Fatal(err)
			}
			simtest.Shape(v, "", got)
			simtest.Compare(t, want, got, nil, nil)
		})
	}
}
