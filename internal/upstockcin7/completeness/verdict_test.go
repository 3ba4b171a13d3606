package completeness

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func before(d time.Duration) time.Time { return noon.Add(-d) }

// listed is an order that was approved two hours ago, as Upstock lists it in a status.
func listed(status string) orderRow {
	return orderRow{ID: "12", Number: "UP-12", Approved: before(2 * time.Hour), Status: status, Total: "57.50"}
}

// known is the run of that order, not sold yet.
func known() *order.Order {
	return &order.Order{Run: ledger.Run{ID: "12", State: ledger.Working, Received: before(2 * time.Hour)},
		Approved: before(2 * time.Hour), Account: "core", Total: "57.50"}
}

// sold is that run once its sale s1 was made, and looked at since.
func sold() *order.Order {
	r := known()
	r.State, r.SoldAt, r.Seen = order.Sold, before(90*time.Minute), before(time.Hour)
	r.SaleID, r.SaleNumber, r.SaleTotal = "s1", "SO-1", "57.50"
	return r
}

// with is a run that a case changes.
func with(r *order.Order, change func(r *order.Order)) *order.Order {
	change(r)
	return r
}

// in is an order's sale as Cin7 Core lists it, in a state of its shipping.
func in(shipping cin7core.Status) *saleRow {
	return &saleRow{Order: "12", ID: "s1", Number: "SO-1", Status: "ORDERED", Shipping: shipping,
		Updated: before(time.Hour)}
}

// other is another sale with the order's id.
func other(number string, status cin7core.Status) saleRow {
	return saleRow{Order: "12", ID: "of " + number, Number: number, Status: status}
}

// TestVerdict: what an order comes to, by all that is known of it.
func TestVerdict(t *testing.T) {
	const (
		processing, cancelled, shipped = upstock.StatusProcessing, upstock.StatusCancelled, upstock.StatusShipped
		not, part, whole               = cin7core.Status("NOT SHIPPED"), cin7core.PartiallyShipped, cin7core.Shipped
	)
	var (
		core = other("SO-9", "ORDERED")
		void = other("SO-8", cin7core.Voided)

		approvedAgain = func(r *order.Order) {
			r.Cancelled, r.Occurred = before(time.Hour), before(3*time.Hour) // before the approval that is listed
		}
		asking = func(r *order.Order) {
			approvedAgain(r)
			r.Unsettled, r.Ask = before(5*time.Minute), noon
		}
		unclear = func(r *order.Order) {
			approvedAgain(r)
			r.Problems = []ledger.Problem{{Code: order.CancelUnclear, Message: "It is not clear.", Fix: "Look."}}
		}
		ended = func(r *order.Order) { r.Cancelled, r.Occurred = before(time.Hour), before(time.Hour) }
		going = func(r *order.Order) {
			r.Cancelled, r.Occurred, r.Void = before(time.Minute), before(time.Minute), true
		}
		open = func(r *order.Order) {
			r.Cancelled, r.Occurred, r.Unsettled = before(time.Minute), before(time.Minute), before(time.Minute)
		}
		wrong = func(r *order.Order) {
			r.State = ledger.Attention
			r.Problems = []ledger.Problem{{Code: "x", Message: "No such SKU.", Fix: "Add it."}, {Code: "y"}}
		}
		theirs = func(r *order.Order) {
			r.State = ledger.Attention
			r.Problems = []ledger.Problem{{Code: "twoSales", Message: "Two sales.", Fix: "Void one."}}
		}
		elsewhere = func(r *order.Order) { r.Account = "elsewhere" }
		marked    = func(r *order.Order) { r.Asked = 1 }
		failed    = func(r *order.Order) { r.Failures, r.Why = 1, "Upstock is away." }
		held      = func(r *order.Order) { r.Parked, r.Awaits = true, order.ShipmentsFlow.Awaits() }
		stopped   = func(r *order.Order) {
			r.Parked, r.Awaits, r.Why = true, order.OrdersFlow.Awaits(), "Paused by Ana."
		}
		parcel  = order.Parcel{ID: "p", Hash: "h", Label: "Box A"}
		last    = order.Parcel{ID: "q", Hash: "h", Label: "Box B", Complete: true}
		refused = order.Parcel{ID: "p", Hash: "h", Label: "Box A", Refused: "It is cancelled."}
		undone  = order.Parcel{ID: "p", Hash: "h", Label: "Box A", Gone: true}
		noted   = order.Parcel{ID: "p", Hash: "h", Label: "Box A", Gone: true, Known: true}
		told    = func(p ...order.Parcel) *order.Order {
			return with(sold(), func(r *order.Order) { r.Parcels = p })
		}
		old    = orderRow{ID: "12", Approved: before(50 * time.Hour), Status: processing}
		away   = orderRow{ID: "12", Approved: before(25 * time.Hour), Status: processing}
		recent = orderRow{ID: "12", Approved: before(30 * time.Minute), Status: processing}
		fresh  = orderRow{ID: "12", Approved: before(5 * time.Minute), Status: processing}
	)
	late := in(not)
	late.Updated = before(30 * time.Minute)
	lateShipped := in(part)
	lateShipped.Updated = late.Updated
	just := in(whole)
	just.Updated = before(time.Minute)
	seen := in(whole)
	seen.Updated = before(61 * time.Minute) // a look saw more since
	gone := in("")
	gone.Gone = true
	voided := in("")
	voided.Status = cin7core.Voided
	as := func(o orderRow, status string) orderRow { o.Status = status; return o }
	withNumber := func(o orderRow, number string) orderRow { o.External = number; return o }

	for _, c := range []struct {
		name string
		j    joined
		want string // class, codes (! = missing)
		says string // what stands in a message, or the reason of what is under way
		fix  string // what stands in the advice
	}{
		// not here
		{name: "just approved", j: joined{o: fresh}, want: "underWay", says: "just now"},
		{"no webhook", joined{o: listed(processing)}, "missing!", "no webhook brought it.", "backfill its day"},
		{"no webhook, and a sale", joined{o: listed(processing), sales: []saleRow{core}}, "missing!",
			"no webhook brought it. Cin7 Core has SO-9 with its id.", "taken in within minutes"},
		{"no id", joined{o: orderRow{Approved: before(time.Hour), Status: processing}}, "missing!",
			"without a usable id.", "enter it there by hand"},
		{"no id, and sold", joined{o: withNumber(orderRow{Status: processing}, "SO-9")}, "missing!",
			"usable id. Upstock shows it as SO-9.", "Do not enter"},
		{"no time", joined{o: orderRow{ID: "12", Status: processing}}, "missing!", "readable time", "Backfill it."},
		{"no time, and sold", joined{o: orderRow{ID: "12", Status: processing}, sales: []saleRow{core, void}},
			"missing!", "not taken in. Cin7 Core has SO-9 with", "Do not enter"},
		{"before the connection", joined{o: old}, "missing!", "before Upstock was connected, and", "Backfill it if"},
		{"before it, and shipped", joined{o: as(old, shipped)}, "missing!", "is shipped",
			"Nothing, if it was sold"},
		{"before it, and sold", joined{o: withNumber(old, "SO-9")}, "missing!", "shows it as SO-9.", "Do not enter"},
		{"in a gap", joined{o: away}, "missing!", "while a connection was away, and", "entered it by hand"},
		{"in a gap, and shipped", joined{o: as(away, shipped)}, "missing!", "is shipped",
			"Nothing, if it was sold"},
		{"cancelled", joined{o: listed(cancelled)}, "cancelled", "", ""},
		{"cancelled, and a sale", joined{o: listed(cancelled), sales: []saleRow{core, void}},
			"cancelled cancelledWithSale", "stands in Cin7 Core: SO-9.", "Void the sale"},

		// not sold
		{"working", joined{o: listed(processing), r: with(known(), func(r *order.Order) {
			r.Why = "Cin7 Core is asked."
		})},
			"notSold!", "It is working: Cin7 Core is asked", "order's page"},
		{"just taken in", joined{o: fresh, r: known()}, "underWay", "being worked on", ""},
		{"half an hour old, and smooth", joined{o: recent, r: known()}, "underWay", "being worked on", ""},
		{"half an hour old, and it failed", joined{o: recent, r: with(known(), failed)}, "notSold!",
			"It is working: Upstock is away.", "order's page"},
		{"half an hour old, and parked", joined{o: recent, r: with(known(), func(r *order.Order) { r.Parked = true })},
			"notSold!", "It is working", "order's page"},
		{"a worker is at it", joined{o: listed(processing), r: with(known(), func(r *order.Order) {
			r.Why, r.Lease.Until = "Cin7 Core is asked.", noon.Add(time.Minute)
		})}, "underWay", "Cin7 Core is asked.", ""},
		{"a person's", joined{o: listed(processing), r: with(known(), wrong)}, "notSold!",
			"needs attention: No such SKU. (and 1 more)", "Add it."},
		{"a person's, and a sale", joined{o: listed(processing), r: with(known(), wrong), sales: []saleRow{core}},
			"notSold!", "No such SKU.", "Cin7 Core has SO-9. Do not enter the order again."},
		{"a person's for its sales", joined{o: listed(processing), r: with(known(), theirs), sales: []saleRow{core}},
			"notSold!", "Two sales.", "Void one."},
		{"a person's, nobody knows why", joined{o: listed(processing),
			r: with(known(), func(r *order.Order) { r.State = ledger.Attention })}, "notSold!",
			"It is attention", "order's page"},

		// cancelled and approved again
		{"approved again", joined{o: listed(processing), r: with(known(), approvedAgain)}, "notSold!",
			"approved again in Upstock, and is not sold since.", "Nothing: Upstock is asked"},
		{"approved again, and a sale", joined{o: listed(processing), r: with(known(), approvedAgain),
			sales: []saleRow{core}}, "notSold!", "not sold since. Cin7 Core has SO-9", "taken up if it is the order's"},
		{"approved again, being asked", joined{o: listed(processing), r: with(known(), asking)}, "underWay",
			"Upstock is asked whether", ""},
		{"approved again, being asked, and sold", joined{o: listed(processing), r: with(sold(), asking),
			sales: []saleRow{*in(not)}}, "sold", "", ""},
		{"approved again, and sold", joined{o: listed(shipped), r: with(sold(), approvedAgain),
			sales: []saleRow{*in(not)}}, "sold", "", ""},
		{"approved again, while orders are paused", joined{o: listed(processing),
			r: with(with(known(), asking), stopped)}, "underWay", "Paused by Ana.", ""},
		{"approved again, unclear", joined{o: listed(processing), r: with(known(), unclear)}, "notSold!",
			"needs attention: It is not clear.", "Look."},

		// cancelled
		{"ended", joined{o: listed(cancelled), r: with(known(), ended)}, "cancelled", "", ""},
		{"ended, though listed as approved", joined{o: listed(processing), r: with(known(), ended)},
			"cancelled", "", ""},
		{"ended, and a sale of ours that we voided", joined{o: listed(cancelled), sales: []saleRow{core},
			r: with(known(), func(r *order.Order) {
				ended(r)
				r.Voided = []string{"of SO-9"}
			})}, "cancelled", "", ""},
		{"its sale stands, as listed", joined{o: listed(cancelled), r: with(sold(), ended), own: in(part),
			sales: []saleRow{*in(part)}}, "cancelled cancelledWithSale", "SO-1. It is shipped, or in part.", "Void"},
		{"its sale stands, as read", joined{o: listed(cancelled), r: with(sold(), ended), own: in(not)},
			"cancelled cancelledWithSale", "Cin7 Core: SO-1.", "Void"},
		{"its sale is not listed", joined{o: listed(cancelled), r: with(sold(), ended)}, "needs sale", "", ""},
		{"its sale is gone", joined{o: listed(cancelled), r: with(sold(), ended), own: gone}, "cancelled", "", ""},
		{"its sale is in another account", joined{o: listed(cancelled),
			r: with(with(sold(), ended), elsewhere)}, "cancelled", "", ""},
		{"it is being voided", joined{o: listed(cancelled), r: with(sold(), going), own: in(not)},
			"cancelled", "", ""},
		{"whether it is to be voided is asked", joined{o: listed(cancelled), r: with(sold(), open), own: in(not),
			settings: sale.Settings{OnCancel: sale.Void}}, "cancelled", "", ""},
		{"it is told alone", joined{o: listed(cancelled), r: with(sold(), open), own: in(not)},
			"cancelled cancelledWithSale", "its sale stands", "Void"},

		// sold
		{"right", joined{o: listed(processing), r: sold(), own: in(not), sales: []saleRow{*in(not)}}, "sold", "", ""},
		{"not listed", joined{o: listed(processing), r: sold()}, "needs sale", "", ""},
		{"sold since", joined{o: listed(processing), r: with(sold(), func(r *order.Order) {
			r.SoldAt = before(2 * time.Minute)
		})},
			"sold", "", ""},
		{"in another account", joined{o: listed(processing), r: with(sold(), elsewhere)},
			"sold otherAccount", "another Cin7 Core account", "on purpose"},
		{"dearer", joined{o: listed(processing), own: in(not),
			r: with(sold(), func(r *order.Order) { r.SaleTotal = "57.60" })}, "sold totalDiffers",
			"total is 57.50, its sale SO-1 was sold with 57.60", "Compare"},
		{"dearer, as was reckoned", joined{o: listed(processing), own: in(not),
			r: with(sold(), func(r *order.Order) { r.SaleTotal, r.Rounding = "57.60", "0.10" })}, "sold", "", ""},
		{"changed since", joined{o: orderRow{ID: "12", Status: processing, Total: "60.00"}, r: sold(),
			own: in(not)}, "sold totalDiffers", "a total of 60.00 now; it was 57.50", "Compare"},
		{"gone", joined{o: listed(processing), r: sold(), own: gone}, "saleMissing!",
			"sold as SO-1, and Cin7 Core does not have that sale.", "retry it with a new sale"},
		{"gone, and another", joined{o: listed(processing), r: sold(), own: gone, sales: []saleRow{core}},
			"saleMissing!", "Beside it there is SO-9", "Do not enter the order again."},
		{"not listed, and not asked for", joined{o: listed(processing), r: sold(), own: gone, unsure: true},
			"saleMissing!", "does not list that sale.", "it may be there all the same"},
		{"not listed, not asked for, and another", joined{o: listed(processing), r: sold(), own: gone,
			unsure: true, sales: []saleRow{core}}, "saleMissing!", "does not list that sale. Beside it",
			"Do not enter"},
		{"voided", joined{o: listed(processing), r: sold(), own: voided}, "saleVoided!",
			"SO-1 of this order was voided", "retry it with a new sale"},
		{"voided, and another", joined{o: listed(processing), r: sold(), own: voided, sales: []saleRow{core}},
			"saleVoided!", "Beside it there is SO-9", "Do not enter the order again."},
		{"two", joined{o: listed(processing), r: sold(), own: in(not), sales: []saleRow{*in(not), core, void}},
			"sold twoSales", "has 2 sales of this order: SO-1, SO-9. Its own is SO-1.", "Void the ones"},

		// shipped
		{"shipped and told", joined{o: listed(shipped), r: told(parcel, last), own: in(whole)}, "sold", "", ""},
		{"shipped and told, in part", joined{o: listed(processing), r: told(parcel), own: in(part)}, "sold", "", ""},
		{"told, and not shown", joined{o: listed(processing), r: told(last), own: in(whole)}, "needs order", "", ""},
		{"told, and not shown when asked", joined{o: listed(processing), r: told(last), own: in(whole), asked: true},
			"sold notTold!", "was told, but it shows the order as processing.", "somebody may have changed it"},
		{"refused", joined{o: listed(processing), r: told(refused), own: in(whole)}, "sold notTold!",
			"does not take the shipment: It is cancelled.", "when it would take"},
		{"not told", joined{o: listed(processing), r: with(sold(), marked), own: in(whole)},
			"sold notTold!", "not told yet: this is told within minutes.", "Nothing, unless"},
		{"not told, in part", joined{o: listed(processing), r: with(sold(), marked),
			own: in(part)}, "sold notTold!", "or in part", "Nothing, unless"},
		{"not told, as it does not work", joined{o: listed(processing), own: in(whole),
			r: with(with(sold(), marked), failed)},
			"sold notTold!", "not told yet: Upstock is away.", "Nothing, unless"},
		{"not told, as shipments are paused", joined{o: listed(processing), r: with(with(sold(), marked), held),
			own: in(whole)}, "sold", "", ""},
		{"not told, as shipments are paused, and it waits for something else", joined{o: listed(processing),
			r: with(sold(), marked), own: in(whole), silent: true}, "sold", "", ""},
		{"not told, as the sale shows nothing", joined{o: listed(processing), r: sold(), own: in(whole)},
			"sold notTold!", "the sale itself shows no such shipment.", "Look at the sale's shipments"},
		{"not told, in part, as the sale shows nothing", joined{o: listed(processing), r: sold(), own: in(part)},
			"sold notTold!", "the sale itself shows no such shipment.", "Look at the sale's shipments"},
		{"told in part, and more is to be read", joined{o: listed(processing), r: with(told(parcel), marked),
			own: in(part)}, "sold notTold!", "not told yet: this is told within minutes.", "Nothing, unless"},
		{"told in part, and all is shipped", joined{o: listed(processing), r: told(parcel), own: in(whole)},
			"sold notTold!", "the sale itself shows no such shipment.", "Look at the sale's shipments"},
		{"told, and changed since", joined{o: listed(processing), r: told(parcel), own: lateShipped}, "sold", "", ""},
		{"not shipped, and changed since", joined{o: listed(processing), r: sold(), own: late}, "sold", "", ""},
		{"shipped just now", joined{o: listed(processing), r: sold(), own: just}, "sold", "", ""},
		{"the list is stale", joined{o: listed(processing), r: sold(), own: seen}, "sold", "", ""},
		{"undone", joined{o: listed(processing), r: told(undone), own: in(not)}, "sold shippedNotInCin7",
			"not shipped any more in Cin7 Core: Box A.", "Tell the customer"},
		{"undone, and taken note of", joined{o: listed(processing), r: told(noted), own: late}, "sold", "", ""},
		{"shipped in Upstock alone", joined{o: listed(shipped), r: sold(), own: in(not)},
			"sold shippedNotInCin7", "shows the order as shipped, and its sale SO-1 is not", "Ship the sale"},
		{"told, and listed as not shipped", joined{o: listed(processing), r: told(parcel), own: late},
			"sold shippedNotInCin7", "does not list it as shipped", "looked at again"},
	} {
		j := c.j
		j.key, j.account, j.now, j.fresh, j.settle = j.o.ID, "core", noon, 10*time.Minute, 2*time.Minute
		j.salesAt = before(time.Minute)
		j.settings.TotalTolerance = sale.DefaultSettings().TotalTolerance
		j.up = tenant.Connection{Begun: before(48 * time.Hour), Since: before(24 * time.Hour),
			Gaps: []tenant.Gap{{From: before(26 * time.Hour), To: before(24 * time.Hour)}}}
		v := verdictOf(j)
		got, says, fix := wordsOf(v)
		if got != c.want || !strings.Contains(says, c.says) || !strings.Contains(fix, c.fix) ||
			c.says == "" && says != "" {
			t.Errorf("%s: %s, want %s\n%s\n→ %s", c.name, got, c.want, says, fix)
		}
	}
}

// wordsOf are a verdict's class and codes, its sentences, and its advice.
func wordsOf(v verdict) (what, says, fix string) {
	switch v.needs {
	case needsSale:
		return "needs sale", "", ""
	case needsOrder:
		return "needs order", "", ""
	}
	what, says = string(v.class), v.why
	for _, d := range v.diffs {
		what += " " + d.Code
		says, fix = says+d.Message, fix+d.Fix
	}
	if v.missing {
		what += "!"
	}
	return strings.TrimSpace(what), says, fix
}

// TestLeftOut: of orders that are not here, those whose approval was taken back or that are older than the period count
// for nothing.
func TestLeftOut(t *testing.T) {
	back := listed(upstock.StatusScheduled)
	for _, c := range []struct {
		name string
		j    joined
		want bool
	}{
		{"approved", joined{o: listed(upstock.StatusProcessing), from: before(3 * time.Hour)}, false},
		{"before the period", joined{o: listed(upstock.StatusProcessing), from: before(time.Hour)}, true},
		{"before it, and here", joined{o: listed(upstock.StatusProcessing), from: before(time.Hour), r: known()},
			false},
		{"taken back", joined{o: back, from: before(3 * time.Hour)}, true},
		{"taken back, and a sale", joined{o: back, from: before(3 * time.Hour), sales: []saleRow{*in("")}}, false},
		{"no time", joined{o: orderRow{ID: "12", Status: upstock.StatusProcessing}, from: before(time.Hour)}, false},
	} {
		if got := c.j.leftOut(); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}

// TestManySales: a sentence names ten sales at most.
func TestManySales(t *testing.T) {
	var list []saleRow
	for i := range 12 {
		list = append(list, saleRow{Number: fmt.Sprintf("SO-%02d", 12-i)})
	}
	want := "SO-01, SO-02, SO-03, SO-04, SO-05, SO-06, SO-07, SO-08, SO-09, SO-10, and 2 more"
	if got := saleNames(list); got != want {
		t.Error(got)
	}
}

// TestRow: what a report's row says of an order.
func TestRow(t *testing.T) {
	r := sold()
	r.SaleTotal = "57.60"
	for _, number := range []string{"T-1", "T-2", "T-1", ""} {
		r.Parcels = append(r.Parcels, order.Parcel{Hash: "h", Tracking: number})
	}
	v := verdict{class: classSold, diffs: []Difference{{Code: "a", Message: "A."}, {Code: "a", Message: "B."}}}
	got := rowOf(joined{o: listed(upstock.StatusProcessing), r: r, key: "12"}, v)
	want := Row{Order: "12", Number: "UP-12", Approved: before(2 * time.Hour), Total: "57.50", State: order.Sold,
		SaleNumber: "SO-1", SaleTotal: "57.60", Difference: "0.10", Parcels: 4, Tracking: "T-1, T-2",
		Codes: []string{"a"}, Reason: "A. B."}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
