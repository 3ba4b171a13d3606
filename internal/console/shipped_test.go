package console

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/ledger"
	"stockbridge/internal/mirror"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/order"
)

// basket is an order that the simulators' stock can serve.
const basket = `{"customer":{"name":"Harbourside Grocers"},"lines":[{"sku":"SLT-FLK","quantity":"3","unitPrice":"6.80"},{"sku":"GRN-TST","quantity":"2","unitPrice":"14.20"}]}`

// TestShipped: an order's answer follows its shipments, and a retry takes note
// of one that was undone.
func TestShipped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		acc, _, path, token := h.supplier("Aroha Foods")
		order := h.approve(acc, path, basket)
		sync := func() answer {
			h.t.Helper()
			time.Sleep(time.Minute)
			h.do("POST", path+"/sync/shipments", token, nil).is(http.StatusAccepted)
			if j := h.do("GET", path+"/health", token, nil).is(200); j.get("jobs.0.running") != true {
				t.Errorf("asked for and not running: %s", j.raw)
			}
			h.work()
			if j := h.do("GET", path+"/health", token, nil).is(200); j.get("jobs.0.running") != false ||
				j.get("jobs.0.checked") == nil || j.get("jobs.0.rows") == 0.0 || j.get("jobs.0.marked") != 1.0 {
				t.Errorf("through: %v", j.get("jobs.0"))
			}
			return h.do("GET", order, token, nil).is(200)
		}
		a := h.do("GET", order, token, nil).is(200)
		if a.get("state") != "sold" || len(a.get("parcels").([]any)) > 0 || a.get("autoPick") != nil ||
			a.get("lookPending") != false || a.get("voidPending") != false {
			t.Fatal(a.raw)
		}

		h.person(a, "ship", `{"boxes":["Box 1"],"of":["Box 1","Box 2"],"carrier":"NZ Post","trackingNumber":"TRK-1"}`)
		a = sync()
		first := object(a.get("parcels.0"))
		if _, err := time.Parse(time.RFC3339, fmt.Sprint(first["shippedAt"])); err != nil {
			t.Error(err)
		}
		want := map[string]any{"label": "Box 1", "carrier": "NZ Post", "tracking": "TRK-1",
			"shippedAt": first["shippedAt"], "complete": false, "told": true, "refused": nil, "gone": false}
		if diff := cmp.Diff(want, first); diff != "" || a.get("state") != "partlyShipped" || a.get("shipments") != 1.0 {
			t.Error(diff, a.raw)
		}
		h.person(a, "ship", `{"trackingNumber":"TRK-2"}`)
		a = sync()
		if a.get("state") != "shipped" || a.get("parcels.0.complete") != false || a.get("parcels.1.complete") != true ||
			a.get("parcels.1.tracking") != "TRK-2" {
			t.Error(a.raw)
		}
		if list := h.do("GET", path+"/orders?state=shipped", token, nil).is(200); list.get("items.0.shipments") != 2.0 {
			t.Error(list.raw)
		}
		h.do("POST", order+"/retry", token, nil).is(http.StatusConflict)

		h.person(a, "undo", "{}")
		a = sync()
		if a.get("state") != "attention" || a.get("problems.0.code") != "shipmentUndone" ||
			a.get("parcels.0.gone") != true || a.get("parcels.1.gone") != true || a.get("shipments") != 0.0 {
			t.Fatal(a.raw)
		}
		if a := h.do("POST", order+"/retry", token, nil).is(http.StatusAccepted); len(a.get("problems").([]any)) > 0 {
			t.Error(a.raw)
		}
		if a := h.do("GET", order, token, nil).is(200); a.get("lookPending") != true {
			t.Error(a.raw)
		}
		h.work()
		a = h.do("GET", order, token, nil).is(200)
		if a.get("state") != "sold" || a.get("parcels.0.gone") != true || a.get("parcels.0.told") != true ||
			a.get("lookPending") != false {
			t.Error(a.raw)
		}
		h.do("POST", order+"/retry", token, nil).is(http.StatusConflict)

		h.person(a, "ship", `{"boxes":["Box 1"],"of":["Box 1","Box 2"],"trackingNumber":"TRK-3"}`)
		a = sync()
		gone := 0
		for _, p := range a.get("parcels").([]any) {
			if object(p)["gone"] == true {
				gone++
			}
		}
		if a.get("state") != "partlyShipped" || a.get("shipments") != 1.0 || gone == 0 {
			t.Errorf("%d gone: %s", gone, a.raw)
		}
	})
}

// TestParcelRefused: what Upstock does not take is in its words, also while a retry is under way.
func TestParcelRefused(t *testing.T) {
	h := open(t)
	id, path, token := h.tenant("Aroha Foods")
	at := time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	h.run(order.Order{Run: ledger.Run{Tenant: id, ID: "7", State: ledger.Attention}, SaleID: "5f1e", SoldAt: at,
		Told: true, Parcels: []order.Parcel{
			{ID: "a", Label: "Box 1", At: at, Hash: "1"},
			{ID: "b", Label: "Box 2", At: at, Hash: "2", Refused: "The order is cancelled. (status 409)"},
			{ID: "c", Label: "Box 3", At: at},
			{ID: "d", Label: "Box 4", At: at, Hash: "4", Gone: true},
		}})
	check := func() {
		t.Helper()
		a := h.do("GET", path+"/orders/7", token, nil).is(200)
		var told []any
		for _, p := range a.get("parcels").([]any) {
			told = append(told, object(p)["told"])
		}
		if !slices.Equal(told, []any{true, false, false, true}) ||
			a.get("parcels.1.refused") != "The order is cancelled. (status 409)" || a.get("shipments") != 1.0 {
			t.Error(a.raw)
		}
	}
	check()
	h.do("POST", path+"/orders/7/retry", token, nil).is(http.StatusAccepted)
	check()
}

// TestAutoPick: what Cin7 Core was asked to pick and did not is said line by line.
func TestAutoPick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		acc, id, path, token := h.supplier("Aroha Foods")
		h.do("PUT", path+"/settings", token, `{"orderStatus":"authorised","creationMode":"autoPickPackShip"}`).is(200)
		a := h.do("GET", h.approve(acc, path, basket), token, nil).is(200)
		if diff := cmp.Diff(map[string]any{"asked": "autoPickPackShip", "missing": []any{},
			"saleUrl": a.get("saleUrl")}, a.get("autoPick")); diff != "" || a.get("state") != "shipped" {
			t.Error(diff, a.raw)
		}
		a = h.do("GET", h.approve(acc, path, strings.Replace(basket, `"3"`, `"90000"`, 1)), token, nil).is(200)
		missing := fmt.Sprint(a.get("autoPick.missing.0"))
		if a.get("autoPick.asked") != "autoPickPackShip" || !strings.Contains(missing, "SLT-FLK: 0 of 90000 picked") ||
			!strings.HasSuffix(missing, ".") || a.get("state") != "sold" {
			t.Error(a.raw)
		}

		// What was done is to be read yet; what was asked for was not kept.
		for _, c := range []struct {
			run  order.Order
			want any
		}{
			{order.Order{AutoPick: "AUTOPICK", ReadBack: true}, map[string]any{"asked": "autoPick", "missing": nil}},
			{order.Order{Unpicked: []string{"A1: 0 of 1 picked."}},
				map[string]any{"asked": nil, "missing": []any{"A1: 0 of 1 picked."}}},
			{order.Order{Run: ledger.Run{State: order.Cancelled}, AutoPick: "AUTOPICK"}, nil},
		} {
			c.run.Tenant, c.run.ID, c.run.SaleID, c.run.SoldAt = id, "1", "5f1e", time.Now()
			if c.run.State == "" {
				c.run.State = order.Sold
			}
			ans := answerOf(tenant.Bundle{}, &c.run, nil, time.Now())
			raw, err := encode(ans.AutoPick)
			if err != nil {
				t.Fatal(err)
			}
			wanted, _ := encode(c.want)
			if got := strings.Replace(string(raw), `,"saleUrl":"`+fmt.Sprint(*ans.SaleURL)+`"`, "",
				1); got != string(wanted) {
				t.Errorf("%s, want %s", got, wanted)
			}
		}
	})
}

// TestCancelledAfterSold: a cancellation that Upstock is still asked about shows.
func TestCancelledAfterSold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		acc, _, path, token := h.supplier("Aroha Foods")
		h.do("PUT", path+"/settings", token, `{"onCancel":"void"}`).is(200)
		order := h.approve(acc, path, basket)
		id := 0
		fmt.Sscanf(order[strings.LastIndex(order, "/"):], "/%d", &id)
		if _, err := h.simUpstock.Cancel(id); err != nil {
			t.Fatal(err)
		}
		h.sim.Quiet()
		if a := h.do("GET", order, token, nil).is(200); a.get("state") != "sold" || a.get("cancelOpen") != true ||
			a.get("voidPending") != false || a.get("cancelledAt") == nil {
			t.Error(a.raw)
		}
		h.work()
		if a := h.do("GET", order, token, nil).is(200); a.get("state") != "cancelled" || a.get("cancelOpen") != false ||
			a.get("voidPending") != false || a.get("lookPending") != false {
			t.Error(a.raw)
		}
		if s := h.simCore.Sales(acc.Cin7Core.AccountID); len(s) != 1 || s[0].Status != "VOIDED" {
			t.Errorf("%+v", s)
		}
	})
}

// TestBacklog: what is to be done yet, and until when.
func TestBacklog(t *testing.T) {
	h := open(t)
	acc := h.sim.AddAccount("Aroha Foods", "NZD")
	id, path, token := h.tenant("Aroha Foods")
	h.do("PUT", path+"/connections/cin7core", token, acc.Cin7Core).is(200)
	h.do("PUT", path+"/connections/upstock", token, map[string]string{"token": acc.Upstock.Token}).is(200)
	backlog := func(orders, calls int) (end time.Duration, known bool) {
		h.t.Helper()
		a := h.do("GET", path+"/health", token, nil).is(200)
		if a.get("backlog.orders") != float64(orders) || a.get("backlog.calls") != float64(calls) {
			t.Errorf("backlog of %d orders, %d calls: %v", orders, calls, a.get("backlog"))
		}
		at, ok := a.get("backlog.expectedEnd").(string)
		when, _ := time.Parse(time.RFC3339, at)
		return time.Until(when), ok
	}
	about := func(got, want time.Duration) {
		h.t.Helper()
		if got < want*9/10 || got > want*11/10 {
			t.Errorf("the backlog ends in %s, want about %s", got, want)
		}
	}
	ready := func(at time.Time) {
		h.t.Helper()
		note(h, id, mirror.Progress, mirror.State{State: mirror.Ready, Ready: at})
	}
	ago, later := time.Now().Add(-time.Minute), time.Now().Add(8*time.Minute)
	ready(ago)
	if _, ok := backlog(0, 0); ok {
		t.Error("an end of no backlog")
	}
	// None of these is waited for.
	sold := order.Order{Run: ledger.Run{Tenant: id, State: order.Sold, Next: later}, SoldAt: ago, Told: true}
	for i, run := range []order.Order{
		{Run: ledger.Run{State: ledger.Attention}}, {Run: ledger.Run{State: ledger.Waiting, Parked: true}},
		{Run: ledger.Run{State: order.Sold, Next: later}, SoldAt: ago, Told: true, Watches: []time.Time{later}},
		{Run: ledger.Run{State: order.Cancelled, Next: later}, Watches: []time.Time{later}},
		{Run: ledger.Run{State: ledger.Attention, Next: later}, Watches: []time.Time{later}},
	} {
		run.Tenant, run.ID = id, fmt.Sprint(100+i)
		h.run(run)
	}
	if _, ok := backlog(0, 0); ok {
		t.Error("an end of no backlog")
	}
	untold := sold
	untold.ID, untold.Told, untold.Next = "200", false, ago
	h.run(untold)
	look := sold
	look.ID, look.Asked = "201", 1
	h.run(look)
	end, _ := backlog(2, 1) // the look comes when its time has come
	about(end, 8*time.Minute)

	for i := range 300 {
		h.run(order.Order{Run: ledger.Run{Tenant: id, ID: fmt.Sprint(1000 + i), State: ledger.Waiting,
			Why: "Cin7 Core gave no usable answer.", Next: ago}})
	}
	end, _ = backlog(302, 901)
	about(end, 15*time.Minute)

	for i := range 900 {
		h.run(order.Order{Run: ledger.Run{Tenant: id, ID: fmt.Sprint(2000 + i), State: ledger.Received, Next: ago}})
	}
	a := h.do("GET", path+"/health", token, nil).is(200)
	if a.get("backlog.orders") != 1000.0 || a.get("orders.due") != 1201.0 || a.get("orders.waiting") != 4.0 {
		t.Errorf("more than is counted: %v %v", a.get("backlog"), a.get("orders"))
	}

	ready(time.Time{})
	if _, ok := backlog(1000, 2997); ok {
		t.Error("an end although nothing is read yet")
	}
	ready(ago)
	c, err := h.tenants.Connection(t.Context(), id, tenant.Upstock)
	if err == nil {
		_, err = h.tenants.Broken(t.Context(), id, tenant.Upstock, c.Generation, "Upstock refused the key.")
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := backlog(1000, 2997); ok {
		t.Error("an end although Upstock needs reconnecting")
	}
}

// TestNewSaleBeside: a new sale is refused for each sale that stands, by its
// number, until the request names those that are not the order's own.
func TestNewSaleBeside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		acc, _, path, token := h.supplier("Aroha Foods")
		order := h.approve(acc, path, basket)
		standing := func(body, number string) {
			t.Helper()
			if a := h.do("POST", order+"/retry", token,
				body).is(http.StatusConflict); !strings.Contains(a.get("detail").(string), number) ||
				fmt.Sprint(a.get("sales")) != "["+number+"]" {
				t.Error(a.raw)
			}
		}
		standing(`{"newSale":true}`, "SO-00001")
		first := h.do("GET", order, token, nil).is(200)
		copied, err := h.simCore.Sale(first.get("saleId").(string), "copy", `{"externalId":""}`) // entered by hand
		if err != nil || !strings.Contains(string(copied), "SO-00002") {
			t.Fatal(err)
		}
		h.person(first, "void", "{}")
		standing(`{"newSale":true}`, "SO-00002")
		h.do("POST", order+"/retry", token, `{"beside":["SO-00002"]}`).is(422)
		h.do("POST", order+"/retry", token, `{"newSale":true,"beside":"SO-00002"}`).is(422)
		h.do("POST", order+"/retry", token, `{"newSale":true,"beside":["SO-00002"]}`).is(http.StatusAccepted)
		h.work()
		if a := h.do("GET", order, token, nil).is(200); a.get("state") != "sold" || a.get("saleNumber") != "SO-00003" {
			t.Error(a.raw)
		}
	})
}
