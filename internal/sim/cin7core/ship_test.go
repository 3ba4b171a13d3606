package cin7core

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"stockbridge/internal/sim"
	"stockbridge/internal/sim/simtest"
)

// sold makes an authorised sale of quantities of the first products.
func (b *bench) sold(kind string, quantities ...string) sale {
	b.T.Helper()
	var x sale
	b.core("POST", "/sale", simtest.With(header(b.books().Customers[0]), obj{"SaleType": kind}), &x)
	lines := []obj{}
	for i, q := range quantities {
		lines = append(lines, row(b.books().Products[i], q, "0", "0", "0"))
	}
	b.core("POST", "/sale/order", obj{"SaleID": x.ID, "Status": "AUTHORISED", "Lines": lines}, nil)
	return b.read(x.ID)
}

func (b *bench) read(id string) sale {
	b.T.Helper()
	var x sale
	b.core("GET", "/sale?ID="+id, nil, &x)
	return x
}

func (b *bench) act(id, do, body string) sale {
	b.T.Helper()
	raw, err := b.vendor.Sale(id, do, body)
	if err != nil {
		b.T.Fatal(err)
	}
	var x sale
	into(b.T, raw, &x)
	return x
}

func combined(x sale) string {
	return strings.Join([]string{x.Status, x.CombinedPickingStatus, x.CombinedPackingStatus, x.CombinedShippingStatus,
		x.FulFilmentStatus}, "; ")
}

const task = "/sale/fulfilment"

func TestFulfilmentByCalls(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true})
	x := b.sold("Simple", "4", "2")
	id := x.Fulfilments[0].TaskID
	if id != x.ID {
		t.Fatalf("the task of a simple sale is %s", id)
	}
	line := func(i int, quantity, box string) obj {
		return obj{"SKU": b.books().Products[i].SKU, "Quantity": quantity, "Location": sim.MainWarehouse, "Box": box}
	}
	ship := func(change obj, lines ...obj) obj {
		return simtest.With(obj{"TaskID": id, "Status": "AUTHORISED", "Lines": lines}, change)
	}
	parcel := func(box, number string, shipped bool) obj {
		return obj{"ShipmentDate": "2031-05-01T00:00:00", "Carrier": "Overnight Kiwi", "Box": box,
			"TrackingNumber": number,
			"IsShipped":      shipped}
	}
	b.refused("POST", task+"/pack", obj{"TaskID": id, "Status": "DRAFT"}, "Pick is not AUTHORISED")
	b.refused("POST", task+"/ship", ship(nil), "Pack is not AUTHORISED")
	b.refused("POST", task+"/pick", obj{"Status": "DRAFT"}, "Required attribute TaskID")
	b.refused("POST", task+"/pick", obj{"TaskID": zeroGUID, "Status": "DRAFT"}, "was not found")
	b.refused("POST", task+"/pick", obj{"TaskID": id}, "Required attribute Status")
	b.refused("POST", task+"/pick", obj{"TaskID": id, "Status": "AUTHORISED"}, "Required attribute Lines")
	b.refused("POST", task+"/pick", obj{"TaskID": id, "Status": "DRAFT", "AutoPickMode": "SOME"}, "AutoPickMode")
	for _, c := range []struct {
		change obj
		want   string
	}{
		{obj{"SKU": ""}, "Required attribute SKU"},
		{obj{"SKU": "nope"}, "was not found"},
		{obj{"SKU": "SLT-FLK"}, "is not on the order"},
		{obj{"Location": ""}, "Required attribute Location"},
		{obj{"Location": sim.SecondStore}, "is not available in location"},
		{obj{"Quantity": json.RawMessage("null")}, "Required attribute Quantity"},
		{obj{"Quantity": 0}, "Quantity"},
		{obj{"Quantity": 5}, "not as much in stock"},
	} {
		b.refused("POST", task+"/pick", obj{"TaskID": id, "Status": "DRAFT",
			"Lines": []obj{simtest.With(line(0, "1", ""), c.change)}}, c.want)
	}
	b.core("POST", task+"/pick", obj{"TaskID": id, "Status": "DRAFT", "Lines": []obj{line(0, "1", "")}}, nil)
	if got := combined(b.read(x.ID)); got != "PICKING; PICKING; NOT PACKED; NOT SHIPPED; NOT FULFILLED" {
		t.Error(got)
	}
	var p pickDoc
	b.core("POST", task+"/pick", obj{"TaskID": id, "Status": "DRAFT", "Lines": []obj{line(0, "3", "")}}, nil) // adds
	// replaces
	b.core("PUT", task+"/pick", obj{"TaskID": id, "Status": "DRAFT", "Lines": []obj{line(0, "4", "")}}, nil)
	b.core("POST", task+"/pick", obj{"TaskID": strings.ToUpper(id), "AutoPickMode": "AUTOPICK"}, &p)
	if p.Status != authorised || len(p.Lines) != 2 || p.Lines[1].Quantity.String() != "2" {
		t.Errorf("%+v", p)
	}
	b.refused("PUT", task+"/pick", obj{"TaskID": id, "Status": "DRAFT"}, "its status is AUTHORISED")
	b.refused("POST", task+"/pack", obj{"TaskID": id, "Status": "AUTHORISED", "Lines": []obj{line(1, "3", "A")}},
		"more is packed than was picked")
	b.core("POST", task+"/pack", obj{"TaskID": id, "Status": "DRAFT",
		"Lines": []obj{line(0, "3", "A"), line(0, "1", "B")}}, nil)
	if got := combined(b.read(x.ID)); got != "PACKING; PICKED; PACKING; NOT SHIPPED; NOT FULFILLED" {
		t.Error(got)
	}
	b.core("POST", task+"/pack", obj{"TaskID": id, "Status": "AUTHORISED", "Lines": []obj{line(1, "2", "C")}}, nil)

	for _, c := range []struct {
		method string
		body   obj
		want   string
	}{
		{"POST", ship(obj{"Status": ""}), "Required attribute Status"},
		{"POST", ship(obj{"Status": "VOIDED"}), "Status"},
		{"POST", ship(nil, parcel("", "", true)), "Required attribute Box"},
		// the answers' name
		{"POST", ship(nil, obj{"Boxes": "A", "ShipmentDate": "2031-05-01"}), "Required attribute Box"},
		{"POST", ship(nil, simtest.With(parcel("A", "", true), obj{"ShipmentDate": ""})),
			"Required attribute ShipmentDate"},
		{"POST", ship(nil, parcel("D", "", true)), "Box 'D' was not found"},
		{"POST", ship(nil, parcel("A, B", "", true), parcel("B", "", true)), "listed twice"},
		{"POST", ship(nil, parcel("A", "", true)), "Box 'B' is not listed"},
		{"POST", ship(nil, parcel("A,B", "", true), parcel("C", "", false)), "Box 'C' is not shipped"},
		{"PUT", ship(obj{"Status": "DRAFT"}, parcel("A", "", true)), "Box 'B' is not listed"},
		{"POST", ship(obj{"Status": "PARTIALLY AUTHORISED"}, parcel("A", "", false)), "No box is shipped"},
	} {
		b.refused(c.method, task+"/ship", c.body, c.want)
	}
	// A draft may have IsShipped; nothing has left all the same.
	b.core("POST", task+"/ship", ship(obj{"Status": "DRAFT"}, parcel("A", "T-0", true)), nil)
	if y := b.read(x.ID); combined(y) != "SHIPPING; PICKED; PACKED; SHIPPING; NOT FULFILLED" ||
		!y.Fulfilments[0].Ship.Lines[0].IsShipped {
		t.Errorf("%s %+v", combined(y), y.Fulfilments[0].Ship)
	}
	var doc shipDoc
	b.core("POST", task+"/ship", ship(obj{"Status": "PARTIALLY AUTHORISED", "RequireBy": "2031-05-02"},
		parcel("A", "T-1", true)), &doc)
	y := b.read(x.ID)
	if doc.Status != partlyAuthorised || doc.RequireBy != "2031-05-02T00:00:00" ||
		doc.Lines[0].TrackingURL != "https://track.overnightkiwi.example/parcels/T-1" ||
		combined(y) != "SHIPPING; PICKED; PACKED; PARTIALLY SHIPPED; PARTIALLY FULFILLED" ||
		y.Fulfilments[0].FulFilmentStatus != "PARTIALLY FULFILLED" {
		t.Errorf("%+v %s", doc, combined(y))
	}
	tea := b.books().stockOf(b.books().Products[0].ID, sim.MainWarehouse)
	if tea.OnHand.String() != "3997" || tea.Allocated.String() != "1" {
		t.Errorf("stock %+v", tea)
	}
	b.refused("POST", task+"/ship", ship(nil, parcel("B", "", true)), "its status is PARTIALLY AUTHORISED")
	rest := parcel("B,C", "T-2", true)
	b.refused("PUT", task+"/ship", ship(nil, parcel("A", "T-9", true), rest), "without AddTrackingNumbers")
	b.refused("PUT", task+"/ship", ship(obj{"Status": "PARTIALLY AUTHORISED"}, parcel("A", "T-1", false), rest),
		"already shipped")
	b.refused("PUT", task+"/ship", ship(obj{"Status": "DRAFT"}, parcel("A", "T-1", true), rest), "Status")
	b.core("PUT", task+"/ship", ship(obj{"Status": "PARTIALLY AUTHORISED"}, parcel("A", "T-1", true), rest), &doc)
	if y = b.read(x.ID); doc.Status != authorised || combined(y) != "INVOICING; PICKED; PACKED; SHIPPED; FULFILLED" ||
		y.CombinedTrackingNumbers != "T-1,T-2" || doc.Lines[1].Boxes != "B,C" {
		t.Errorf("%+v %s %s", doc, combined(y), y.CombinedTrackingNumbers)
	}
	b.refused("PUT", task+"/ship", ship(nil, parcel("A", "T-1", true), rest), "its status is AUTHORISED")
	b.refused("PUT", task+"/ship", ship(obj{"AddTrackingNumbers": true}, parcel("A,B", "T-1", true),
		parcel("C", "", true)), "already shipped")
	b.core("PUT", task+"/ship", ship(obj{"AddTrackingNumbers": "true"},
		simtest.With(parcel("A", "T-1a", true), obj{"Carrier": "Strait Freight", "ShipmentDate": "2032-01-01"}), rest),
		&doc)
	if l := doc.Lines[0]; l.TrackingNumber != "T-1a" ||
		l.TrackingURL != "https://straitfreight.example/track?consignment=T-1a" ||
		l.ShipmentDate != "2031-05-01T00:00:00" || tea.OnHand.String() != "3996" {
		t.Errorf("%+v %+v", l, tea)
	}
	b.refused("DELETE", task+"?TaskID="+id, nil, "Fulfilment of Simple Sale can not be undone")
	b.refused("POST", task, obj{"SaleID": b.sell("DRAFT")}, "Sale order is not AUTHORISED")
}

func TestSimpleSaleBecomesAdvanced(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true})
	x := b.sold("Simple", "4")
	b.refused("POST", task, obj{"SaleID": x.ID}, "whose pick is not AUTHORISED")
	tea := obj{"SKU": "KWK-100", "Quantity": 3, "LocationID": b.books().Locations[0].ID}
	b.core("POST", task+"/pick", obj{"TaskID": x.ID, "Status": "AUTHORISED", "Lines": []obj{tea}}, nil)
	var doc tasksDoc
	b.core("POST", task, obj{"SaleID": x.ID}, &doc)
	x = b.read(x.ID)
	if x.Type != advancedSale || len(doc.Fulfilments) != 2 || doc.Fulfilments[0].TaskID != x.ID ||
		doc.Fulfilments[1].TaskID == x.ID || doc.Fulfilments[1].FulfillmentNumber != 2 ||
		doc.Fulfilments[1].Pick.Status != draft || x.CombinedPickingStatus != "PARTIALLY PICKED" {
		t.Errorf("%s %+v", x.Type, doc)
	}
	b.refused("POST", task, obj{"SaleID": x.ID}, "whose pick is not AUTHORISED")
	second := doc.Fulfilments[1].TaskID
	b.core("POST", task+"/pick", obj{"TaskID": second, "AutoPickMode": "AUTOPICK"}, nil)
	if x = b.read(x.ID); x.Fulfilments[1].Pick.Lines[0].Quantity.String() != "1" ||
		x.CombinedPickingStatus != "PICKED" || x.Status != "ORDERED" {
		t.Errorf("%+v", x.Fulfilments[1])
	}
	x = b.act(x.ID, "ship", `{"task":2,"trackingNumber":"T-2"}`)
	if x.Fulfilments[1].Ship.Status != authorised || x.Fulfilments[0].Ship.Status != notAvailable ||
		x.CombinedShippingStatus != "PARTIALLY SHIPPED" {
		t.Errorf("%+v", x.Fulfilments)
	}
	// It is undone one stage at a time; the lines of the shipment stay.
	stock := b.books().stockOf(b.books().Products[0].ID, sim.MainWarehouse)
	for _, want := range []string{"AUTHORISED AUTHORISED NOT AVAILABLE", "AUTHORISED DRAFT NOT AVAILABLE",
		"DRAFT NOT AVAILABLE NOT AVAILABLE"} {
		b.core("DELETE", task+"?TaskID="+second, nil, &doc)
		f := doc.Fulfilments[1]
		if got := f.Pick.Status + " " + f.Pack.Status + " " + f.Ship.Status; got != want || len(f.Ship.Lines) != 1 ||
			!f.Ship.Lines[0].IsShipped {
			t.Errorf("%s, want %s: %+v", got, want, f.Ship)
		}
		if y := b.read(x.ID); y.CombinedShippingStatus != "NOT SHIPPED" || y.CombinedTrackingNumbers != "" ||
			stock.OnHand.String() != "4000" || stock.Allocated.String() != "4" {
			t.Errorf("%s %q %+v", y.CombinedShippingStatus, y.CombinedTrackingNumbers, stock)
		}
	}
	b.refused("DELETE", task+"?TaskID="+second, nil, "nothing to undo")
	b.core("DELETE", task+"?TaskID="+second+"&Void=true", nil, &doc)
	if f := doc.Fulfilments[1]; f.Pick.Status != voided || f.Ship.Status != voided || len(f.Ship.Lines) != 0 ||
		f.FulFilmentStatus != "NOT FULFILLED" {
		t.Errorf("%+v", f)
	}
	b.refused("DELETE", task+"?TaskID="+second+"&Void=true", nil, "already voided")
	b.refused("PUT", task+"/pick", obj{"TaskID": second, "Status": "DRAFT"}, "its status is VOIDED")
	x = b.act(x.ID, "complete", "{}")
	if len(x.Invoices) != 1 || len(x.Fulfilments) != 3 || x.CombinedShippingStatus != "SHIPPED" ||
		stock.OnHand.String() != "3996" || !stock.Allocated.IsZero() {
		t.Errorf("%s %+v", x.Status, stock)
	}
}

// TestBackorderArrives: what is short is picked once the stock arrives.
func TestBackorderArrives(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true})
	biscuits, tea := b.books().productSKU("BSC-OAT"), b.books().productSKU("KWK-100")
	order := func() string {
		var x struct{ ID string }
		b.core("POST", "/sale", header(b.books().Customers[0]), &x)
		b.core("POST", "/sale/order", obj{"SaleID": x.ID, "Status": "AUTHORISED", "AutoPickPackShipMode": "AUTOPICK",
			"Lines": []obj{row(tea, "2", "0", "0", "0"), row(biscuits, "3", "0", "0", "0")}}, nil)
		return x.ID
	}
	one, two := order(), order()
	b.core("POST", task+"/pick", obj{"TaskID": one, "AutoPickMode": "AUTOPICK"}, nil)
	if x := b.read(one); x.CombinedPickingStatus != "PARTIALLY PICKED" || len(x.Fulfilments[0].Pick.Lines) != 1 {
		t.Errorf("%s %+v", x.CombinedPickingStatus, x.Fulfilments)
	}
	before := b.read(two).LastModifiedOn
	put := func(n int) {
		if a := b.Call("PUT", "/sim/cin7core/products/"+biscuits.ID, obj{"OnHand": n}); a.StatusCode != 200 {
			t.Fatalf("%s", a.Bytes)
		}
	}
	var doc tasksDoc
	b.core("POST", task, obj{"SaleID": one}, &doc)
	later := doc.Fulfilments[1].TaskID
	b.refused("POST", task+"/pick", obj{"TaskID": later, "AutoPickMode": "AUTOPICK"}, "no stock to pick")
	put(4) // three for the older sale, one for the other
	if x := b.read(two); x.Status != "BACKORDERED" || x.Order.Lines[1].BackorderQuantity.String() != "2" ||
		!x.LastModifiedOn.After(before.Time) {
		t.Errorf("%s %+v", x.Status, x.Order.Lines)
	}
	var p pickDoc
	b.core("POST", task+"/pick", obj{"TaskID": later, "AutoPickMode": "AUTOPICK"}, &p)
	if x := b.read(one); x.CombinedPickingStatus != "PICKED" || p.Lines[0].Quantity.String() != "3" {
		t.Errorf("%s %+v", x.CombinedPickingStatus, p)
	}
	// A person can ship first what is in stock.
	x := b.act(two, "ship", `{"lines":[{"sku":"KWK-100"},{"sku":"BSC-OAT","quantity":1}]}`)
	if x.CombinedShippingStatus != "PARTIALLY SHIPPED" || x.Order.Lines[1].BackorderQuantity.String() != "2" ||
		x.Type != simpleSale {
		t.Errorf("%s %+v", x.CombinedShippingStatus, x.Order.Lines)
	}
	put(9)
	x = b.act(two, "ship", `{}`)
	stock := b.books().stockOf(biscuits.ID, sim.MainWarehouse)
	if x.CombinedShippingStatus != "SHIPPED" || x.Type != advancedSale || len(x.Fulfilments) != 2 ||
		stock.OnHand.String() != "7" || stock.Allocated.String() != "3" {
		t.Errorf("%+v %+v", x.Fulfilments, stock)
	}
	if a := b.Call("PUT", "/sim/cin7core/products/"+biscuits.ID,
		obj{"OnHand": 1, "Location": "Nowhere"}); a.StatusCode != 404 {
		t.Error(a.Status)
	}
	// Without lines, the stock that is missing is added, and no more.
	x = b.act(order(), "ship", `{}`)
	if x.CombinedShippingStatus != "SHIPPED" || stock.Allocated.String() != "3" ||
		x.Order.Lines[1].BackorderQuantity.Sign() != 0 {
		t.Errorf("%+v %+v", x.Fulfilments, stock)
	}
}

// TestEveryChangeShows: every change moves Updated, even within one instant, and
// gives shipment lines new IDs.
func TestEveryChangeShows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, sim.Options{NoLimits: true})
		x := b.sold("Advanced", "4", "2")
		id, last := x.ID, x.LastModifiedOn
		var ids []string
		for _, step := range []struct{ do, body, want string }{
			{"ship", `{"of":["A","B"],"boxes":["A"],"lines":[{"sku":"KWK-100"}],"carrier":"Strait Freight"}`,
				"PARTIALLY SHIPPED"},
			{"tracking", `{"box":"A","trackingNumber":"T 1"}`, "PARTIALLY SHIPPED"},
			{"ship", `{"boxes":["B"],"trackingNumber":"T2","trackingUrl":"https://t.example.com/2"}`,
				"PARTIALLY SHIPPED"},
			{"tracking", `{"task":1,"shipment":2,"trackingNumber":"T3"}`, "PARTIALLY SHIPPED"},
			{"ship", `{"trackingNumber":"T4"}`, "SHIPPED"},
			{"undo", `{"task":2}`, "PARTIALLY SHIPPED"},
			{"ship", `{"task":2,"trackingNumber":"T5"}`, "SHIPPED"},
			{"void", `{"task":1}`, "PARTIALLY SHIPPED"},
			{"undo", `{}`, "NOT AVAILABLE"},
			{"ship", `{"trackingNumber":"T6"}`, "SHIPPED"},
			{"void", `{}`, "VOIDED"},
		} {
			x = b.act(id, step.do, step.body)
			row := b.list("Search=SO-00001")[0]
			if x.CombinedShippingStatus != step.want || row.CombinedShippingStatus != step.want ||
				!row.Updated.After(last.Time) || row.CombinedTrackingNumbers != x.CombinedTrackingNumbers {
				t.Errorf("%s %s: %s, %+v", step.do, step.body, combined(x), row)
			}
			last = row.Updated
			for _, f := range x.Fulfilments {
				for _, l := range f.Ship.Lines {
					if l.ID == "" || slices.Contains(ids, l.ID) {
						t.Errorf("%s %s: the line kept its ID", step.do, step.body)
					}
					ids = append(ids, l.ID)
				}
			}
			if step.body == `{"task":1,"shipment":2,"trackingNumber":"T3"}` {
				f := x.Fulfilments[0]
				if f.Ship.Status != authorised || x.CombinedTrackingNumbers != "T 1,T3" ||
					f.Ship.Lines[0].TrackingURL != "https://straitfreight.example/track?consignment=T+1" ||
					f.Ship.Lines[1].TrackingURL != "" {
					t.Errorf("%+v", f.Ship)
				}
			}
		}
		for i := range 2 {
			if s := b.books().stockOf(b.books().Products[i].ID, sim.MainWarehouse); !s.Allocated.IsZero() ||
				s.OnHand.String() != []string{"4000", "1800"}[i] {
				t.Errorf("stock %+v", s)
			}
		}
		for _, bad := range []struct{ do, body string }{
			{"ship", `{}`}, {"undo", `{}`}, {"void", `{}`}, {"tracking", `{"box":"Z"}`}, {"ship", `{"task":9}`},
			{"undo", `{"task":9}`}, {"fly", `{}`},
		} {
			if _, err := b.vendor.Sale(id, bad.do, bad.body); err == nil {
				t.Errorf("%s %s of a voided sale", bad.do, bad.body)
			}
		}
	})
}

// TestControlShipIsAllOrNothing: a refused action changes nothing; a single unit can
// be packed into two boxes.
func TestControlShipIsAllOrNothing(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true})
	id := b.sell("DRAFT")
	for _, body := range []string{`{"boxes":["C"],"of":["A","B"]}`, `{"lines":[{"sku":"KWK-500"}]}`,
		`{"lines":[{"sku":"KWK-100","quantity":3}]}`, `{"task":3}`, `{"of":["A,B"]}`, `{"of":["A","A"]}`,
		`{"boxes":7}`} {
		if _, err := b.vendor.Sale(id, "ship", body); err == nil {
			t.Errorf("shipped %s", body)
		}
		if x := b.read(id); x.Order.Status != draft || len(x.Fulfilments) != 0 {
			t.Errorf("%s left %s %+v", body, x.Order.Status, x.Fulfilments)
		}
	}
	b.act(id, "lines", `{"lines":[{"sku":"KWK-100","quantity":1}]}`)
	x := b.act(id, "ship", `{"of":["A","B","C"],"boxes":["C"]}`)
	if x.CombinedShippingStatus != "PARTIALLY SHIPPED" {
		t.Errorf("%+v", x.Fulfilments)
	}
	x = b.act(id, "ship", `{"boxes":["A","B"]}`)
	if x.CombinedShippingStatus != "SHIPPED" || len(x.Fulfilments[0].Ship.Lines) != 2 {
		t.Errorf("%+v", x.Fulfilments)
	}
	if s := b.books().stockOf(b.books().Products[0].ID, sim.MainWarehouse); s.OnHand.String() != "3999" ||
		!s.Allocated.IsZero() {
		t.Errorf("stock %+v", s)
	}
	if _, err := b.vendor.Sale(id, "ship", `{"lines":[{"sku":"KWK-100"}]}`); err == nil {
		t.Error("shipped again")
	}
}

// TestControlPickAndPack: the control API picks, packs and ships apart, each no further than it says.
func TestControlPickAndPack(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true})
	x := b.sold("Advanced", "4", "2")
	for _, step := range []struct {
		do, body string
		status   int
		pick     string
		pack     string
		ship     string
	}{
		{"pick", `{"lines":[{"sku":"KWK-100","quantity":3},{"sku":"KWK-100","quantity":2}]}`, 409,
			"NOT PICKED", "NOT PACKED", "NOT SHIPPED"},
		{"pick", `{"lines":[{"sku":"KWK-100","quantity":3}]}`, 200, "PARTIALLY PICKED", "NOT PACKED", "NOT SHIPPED"},
		{"pick", `{}`, 409, "PARTIALLY PICKED", "NOT PACKED", "NOT SHIPPED"},
		{"pack", `{"lines":[{"sku":"KWK-100"}]}`, 409, "PARTIALLY PICKED", "NOT PACKED", "NOT SHIPPED"},
		{"pack", `{"of":["A,B"]}`, 409, "PARTIALLY PICKED", "NOT PACKED", "NOT SHIPPED"},
		{"pack", `{"of":["A","B"]}`, 200, "PARTIALLY PICKED", "PARTIALLY PACKED", "NOT SHIPPED"},
		{"pack", `{}`, 409, "PARTIALLY PICKED", "PARTIALLY PACKED", "NOT SHIPPED"},
		{"pack", `{"task":2}`, 200, "PICKED", "PACKED", "NOT SHIPPED"}, // picks what is left
		{"ship", `{"boxes":["B"]}`, 200, "PICKED", "PACKED", "PARTIALLY SHIPPED"},
		{"ship", `{}`, 200, "PICKED", "PACKED", "PARTIALLY SHIPPED"},
		{"ship", `{"task":2}`, 200, "PICKED", "PACKED", "SHIPPED"},
		{"pick", `{}`, 409, "PICKED", "PACKED", "SHIPPED"},
	} {
		if a := b.Call("POST", "/sim/cin7core/sales/"+x.ID+"/"+step.do, step.body); a.StatusCode != step.status {
			t.Errorf("%s %s: %s %s", step.do, step.body, a.Status, a.Bytes)
		}
		x = b.read(x.ID)
		if x.CombinedPickingStatus != step.pick || x.CombinedPackingStatus != step.pack ||
			x.CombinedShippingStatus != step.ship {
			t.Errorf("%s %s: %s", step.do, step.body, combined(x))
		}
	}
}

func TestSaleListOrderAndDrift(t *testing.T) {
	numbers := func(b *bench, page int) (total int, out string) {
		t.Helper()
		var list struct {
			Total    int
			SaleList []listRow
		}
		b.core("GET", fmt.Sprintf("/saleList?Limit=2&Page=%d", page), nil, &list)
		for _, r := range list.SaleList {
			out += r.OrderNumber[len(r.OrderNumber)-1:]
		}
		return list.Total, out
	}
	filled := func(o sim.Options) *bench {
		o.NoLimits = true
		b := newBench(t, o)
		for range 6 {
			b.sell("DRAFT")
		}
		return b
	}
	for order, want := range map[sim.ListOrder]string{sim.NewestFirst: "65 43 21", sim.OldestFirst: "12 34 56"} {
		b := filled(sim.Options{ListOrder: order})
		var got []string
		for p := range 3 {
			_, rows := numbers(b, p+1)
			got = append(got, rows)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%v, want %s", got, want)
		}
	}
	b := filled(sim.Options{ListOrder: sim.Shuffled})
	seen := map[string]bool{}
	for range 20 {
		_, rows := numbers(b, 1)
		seen[rows] = true
	}
	if len(seen) < 5 {
		t.Errorf("not shuffled: %v", seen)
	}
	b = filled(sim.Options{})
	for _, x := range []struct {
		how   string
		page  int
		total int
		want  string
	}{{"gone", 1, 6, "65"}, {"gone", 2, 5, "32"}, {"gone", 3, 5, "1"}, {"come", 2, 7, "54"}, {"come", 4, 7, "1"}} {
		b.ClearFaults(sim.Cin7Core)
		if err := b.Fault(sim.Cin7Core, sim.Fault{Match: "GET /saleList", Kind: "drift", How: x.how}); err != nil {
			t.Fatal(err)
		}
		if total, rows := numbers(b, x.page); total != x.total || rows != x.want {
			t.Errorf("%s, page %d: %d %s, want %d %s", x.how, x.page, total, rows, x.total, x.want)
		}
	}
	b = filled(sim.Options{ListDrift: true})
	clear(seen)
	for range 30 {
		if _, rows := numbers(b, 1); rows != "65" {
			t.Errorf("the first page drifts: %s", rows)
		}
		_, rows := numbers(b, 2)
		seen[rows] = true
	}
	if len(seen) != 3 || !seen["43"] || !seen["32"] || !seen["54"] {
		t.Errorf("%v", seen)
	}
}

// TestControlAuthorise: a person authorises a draft order, once, and only one that has lines.
func TestControlAuthorise(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true})
	id := b.sellZero()
	var empty sale
	b.core("POST", "/sale", header(b.books().Customers[0]), &empty)
	for _, step := range []struct {
		id     string
		status int
		order  string
	}{{id, 200, authorised}, {id, 409, authorised}, {empty.ID, 409, notAvailable}} {
		a := b.Call("POST", "/sim/cin7core/sales/"+step.id+"/authorise", "{}")
		if got := b.read(step.id); a.StatusCode != step.status || got.Order.Status != step.order {
			t.Errorf("%s %s: %s", a.Status, a.Bytes, got.Order.Status)
		}
	}
}
