package upstockcin7_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/app"
	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/sim"
	"stockbridge/internal/tenant"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/completeness"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
)

// vendors replaces the simulated vendors by ones with other ways.
func (w *world) vendors(o sim.Options) {
	w.t.Helper()
	w.sim.Close()
	o.Seed, o.Deliver = "proof", deliverer{w}
	w.open(o)
	w.register()
}

// job sends a tenant's job to its queue, as the schedule or a person does.
func (w *world) message(name string) {
	body := must[[]byte](w)(json.Marshal(job.Message{Job: name, Tenant: w.tenant}))
	w.deliver(app.ShipmentsQueue, app.Message{ID: "m", Body: string(body), Sent: time.Now()}, 0)
}

func (w *world) idle(most time.Duration) {
	w.t.Helper()
	for end := time.Now().Add(most); ; time.Sleep(time.Second) {
		synctest.Wait()
		w.mu.Lock()
		busy := w.flying > 0 || w.late > 0
		w.mu.Unlock()
		if !busy {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("still busy after %s", most)
		}
	}
}

// compare asks for a check of a period, zero times = the standing one, and waits for its result.
func (w *world) compare(from, to time.Time) completeness.Report {
	w.t.Helper()
	began := time.Now()
	if from.IsZero() {
		time.Sleep(31 * time.Minute) // the standing period is checked anew after half an hour
		began = time.Now()
		w.message(upstockcin7.JobCompleteness)
	} else if err := w.pair().Completeness.Start(context.Background(), w.tenant, from, to); err != nil {
		w.t.Fatal(err)
	}
	w.idle(2 * time.Hour)
	c := w.completeness(from, to)
	if c.Checked.Before(began) || c.Running || c.Problem != "" {
		w.t.Fatalf("not checked: %+v", c)
	}
	return c
}

func (w *world) completeness(from, to time.Time) completeness.Report {
	w.t.Helper()
	return must[completeness.Report](w)(w.pair().Completeness.Last(context.Background(), w.tenant, from, to))
}

func (w *world) rows(c completeness.Report) (rows []completeness.Row) {
	w.t.Helper()
	for row, err := range w.pair().Completeness.Rows(context.Background(), w.tenant, c) {
		if err != nil {
			w.t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

// found are the differences as "code order", sorted.
func found(c completeness.Report) (list []string) {
	for _, d := range c.Differences {
		if d.Message == "" || d.Fix == "" {
			list = append(list, "no words: "+d.Code)
		}
		list = append(list, strings.TrimSpace(d.Code+" "+d.Order))
	}
	slices.Sort(list)
	return list
}

// written are n orders that are sold, as if each had gone its way: in Upstock,
// in Cin7 Core and in the ledger. They are copies of one that went it.
func (w *world) written(n int) (ids []int) {
	w.t.Helper()
	first := w.approve(groceries)
	w.settle(first, time.Hour)
	model := w.run(first)
	ids = append(ids, first)
	books := order.NewBook(ledger.New(w.store))
	for len(ids) < n {
		at := time.Now().UTC().Truncate(time.Millisecond)
		o, err := w.simUpstock.PlaceOrder(w.acc.Upstock.Supplier,
			strings.TrimSuffix(groceries, "}")+
				fmt.Sprintf(`,"status":"processing","approvedAt":%q}`, at.Format(time.RFC3339Nano)))
		if err != nil {
			w.t.Fatal(err)
		}
		var sale struct {
			ID    string
			Order struct{ SaleOrderNumber string }
		}
		raw, err := w.simCore.Sale(model.SaleID, "copy",
			fmt.Sprintf(`{"externalId":"upstock:%d:%d"}`, w.acc.Upstock.Supplier, o.ID))
		if err == nil {
			err = json.Unmarshal(raw, &sale)
		}
		if err != nil {
			w.t.Fatal(err)
		}
		run := &order.Order{Run: ledger.Run{Tenant: w.tenant, ID: strconv.Itoa(o.ID), State: order.Sold, Received: at},
			Number: o.Number, Currency: "NZD", Total: o.Total, SaleTotal: model.SaleTotal, Approved: at,
			Account: model.Account, SaleID: sale.ID, SaleNumber: sale.Order.SaleOrderNumber, SoldAt: at, Told: true}
		if _, err := books.Receive(context.Background(), run, o.JSON); err != nil {
			w.t.Fatal(err)
		}
		ids = append(ids, o.ID)
		time.Sleep(time.Second)
	}
	return ids
}

func (w *world) edit(id int, f func(r *order.Order)) {
	w.t.Helper()
	if err := order.NewBook(ledger.New(w.store)).Update(context.Background(), w.run(id),
		func(r *order.Order, _ *ledger.Extra) error { f(r); return nil }); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) calls(vendor, account, path string, since time.Time) (n int) {
	for _, c := range w.sim.Calls(vendor, account) {
		if c.Path == path && !c.At.Before(since) {
			n++
		}
	}
	return n
}

func counts(approved, sold, upstock, core int) completeness.Counts {
	return completeness.Counts{Approved: approved, Sold: sold, UpstockCalls: upstock, Cin7Calls: core}
}

// TestCompletenessAllRight: 250 orders cost 3 calls to Upstock and 1 to Cin7 Core.
func TestCompletenessAllRight(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		if c := w.completeness(time.Time{}, time.Time{}); c.Summary != "Not checked yet." || !c.Standing {
			t.Errorf("%+v", c)
		}
		ids := w.written(250)
		time.Sleep(time.Hour)
		since := time.Now()
		c := w.compare(time.Time{}, time.Time{})
		if diff := cmp.Diff(counts(250, 250, 3, 1), c.Counts); diff != "" || c.Found != 0 {
			t.Errorf("%s%v", diff, found(c))
		}
		up, core := strconv.Itoa(w.acc.Upstock.Supplier), w.acc.Cin7Core.AccountID
		if n, m := w.calls(sim.Upstock, up, "/orders", since),
			w.calls(sim.Cin7Core, core, "/saleList", since); n != 3 || m != 1 || len(w.coreCallsSince(since)) != 1 {
			t.Errorf("%d calls to Upstock, %d to Cin7 Core", n, m)
		}
		if !strings.HasPrefix(c.Summary,
			"0 missing, checked just now: 250 orders, approved from 1 January 2000 13:00 to 1 January 2000 14:") {
			t.Error(c.Summary)
		}
		time.Sleep(3 * time.Minute)
		if c := w.completeness(time.Time{}, time.Time{}); !strings.HasPrefix(c.Summary,
			"0 missing, checked 3 min ago: 250 orders, ") {
			t.Error(c.Summary)
		}
		rows := w.rows(c)
		if len(rows) != 250 {
			t.Fatalf("%d rows", len(rows))
		}
		for i, row := range rows {
			if row.Order != strconv.Itoa(ids[i]) || row.Total != row.SaleTotal || row.Difference != "0.00" ||
				row.SaleNumber == "" || row.State != order.Sold || row.Codes != nil || row.Currency != "NZD" {
				t.Fatalf("row %d: %+v", i, row)
			}
		}
		w.message(upstockcin7.JobCompleteness)
		w.idle(time.Hour)
		if n := w.calls(sim.Upstock, up, "/orders", since); n != 3 {
			t.Errorf("checked again too soon: %d calls", n)
		}
		// Nothing is read past the end of a period.
		from := rows[0].Approved
		if c := w.compare(from, from.Add(30*time.Second)); c.Counts.UpstockCalls != 1 || c.Counts.Cin7Calls != 1 ||
			c.Counts.Approved < 25 || c.Counts.Approved > 31 || c.Found != 0 {
			t.Errorf("%+v", c)
		}
	})
}

func (w *world) coreCallsSince(since time.Time) (list []string) {
	for _, c := range w.sim.Calls(sim.Cin7Core, w.acc.Cin7Core.AccountID) {
		if !c.At.Before(since) {
			list = append(list, c.Method+" "+c.Path)
		}
	}
	return list
}

// putShipped marks an order as shipped in Upstock as somebody else with the same token.
func (w *world) putShipped(id int) {
	w.t.Helper()
	w.putOrder(id, "shipments/hand", `{"shippedAt":"2000-01-01T00:00:00Z","complete":true}`)
}

func (w *world) putOrder(id int, path, body string) {
	w.t.Helper()
	req := must[*http.Request](w)(http.NewRequest(http.MethodPut,
		"http://sim.test"+sim.PrefixUpstock+fmt.Sprintf("/orders/%d/%s", id, path), strings.NewReader(body)))
	req.Header.Set("Authorization", "Bearer "+w.acc.Upstock.Token)
	w.ask(req)
}

// TestCompletenessDifferences makes every difference by hand: each is found
// with its reason, and nothing else is.
func TestCompletenessDifferences(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		sell := func() int {
			id := w.approve(groceries)
			w.settle(id, time.Hour)
			if r := w.run(id); r == nil || r.State != order.Sold {
				t.Fatalf("order %d is not sold: %+v", id, r)
			}
			return id
		}
		shipments := func() { w.message(upstockcin7.JobShipments); w.turn(5 * time.Minute) }
		drop := func(event string) {
			if err := w.sim.Fault(sim.Upstock, sim.Fault{Match: "WEBHOOK " + event, Kind: "drop"}); err != nil {
				t.Fatal(err)
			}
		}
		want := map[string]string{} // "code order" → part of its reason
		say := func(code string, id int, part string) int {
			want[fmt.Sprintf("%s %d", code, id)] = part
			return id
		}
		right := sell()
		drop("order.approved")
		lost := say("missing", w.approve(groceries), "no webhook brought it")
		time.Sleep(time.Second)
		typo := say("notSold", w.approve(`{"lines":[{"sku":"KWK-999","quantity":"4","unitPrice":"8.90"}]}`), "KWK-999")
		w.settle(typo, time.Hour)

		w.person(w.sale(say("saleVoided", sell(), "voided in Cin7 Core")).ID, "void", "")
		twice := say("twoSales", sell(), "2 sales of this order: SO-")
		w.person(w.sale(twice).ID, "copy", "")
		w.edit(say("totalDiffers", sell(), "its sale"), func(r *order.Order) { r.SaleTotal = "60.12" })
		// Somebody writes other lines into the sale before we can.
		w.fault(sim.Fault{Match: "POST /sale/order", Kind: "before"})
		changed := say("notSold", w.approve(groceries), "other lines than the order")
		time.Sleep(2 * time.Second)
		w.person(w.sale(changed).ID, "lines", other)
		w.settle(changed, time.Hour)
		w.edit(say("saleMissing", sell(), "does not have that sale"),
			func(r *order.Order) { r.SaleID = "3f0c9a50-8a5e-4b6e-9a47-0d1f6c8e2b11" })
		w.edit(say("otherAccount", sell(), "another Cin7 Core account"),
			func(r *order.Order) { r.Account = "elsewhere" })

		// Told and undone.
		undone := say("shippedNotInCin7", sell(), "not shipped any more")
		w.person(w.sale(undone).ID, "ship", `{"trackingNumber":"NZP1","carrier":"NZ Post"}`)
		whole := sell()
		w.person(w.sale(whole).ID, "ship", `{"trackingNumber":"NZP2","carrier":"NZ Post"}`)
		part := sell()
		w.person(w.sale(part).ID, "ship", `{"trackingNumber":"NZP3","boxes":["A"],"of":["A","B"]}`)
		shipments()
		w.person(w.sale(undone).ID, "undo", "")
		// Refused, as Upstock has the order shipped already.
		refused := say("notTold", sell(), "does not take the shipment")
		w.putShipped(refused)
		w.person(w.sale(refused).ID, "ship", "")
		shipments()
		w.putShipped(say("shippedNotInCin7", sell(), "is not shipped in Cin7 Core"))
		// Shipped while nobody looks, and told as the ledger has it, but not as Upstock has it.
		late := say("notTold", sell(), "is not told yet")
		w.person(w.sale(late).ID, "ship", "")
		forgot := say("notTold", sell(), "Upstock was told, but it shows the order as processing")
		w.person(w.sale(forgot).ID, "ship", "")
		w.edit(forgot, func(r *order.Order) {
			r.Parcels, r.Seen, r.State = []order.Parcel{{ID: "p", Hash: "h", Label: "Box 1", At: time.Now().UTC(),
				Complete: true}}, time.Now().UTC(), order.Shipped
		})

		cancelled := say("cancelledWithSale", sell(), "its sale stands")
		if _, err := w.simUpstock.Cancel(cancelled); err != nil {
			t.Fatal(err)
		}
		quiet := say("cancelledWithSale", sell(), "its sale stands")
		drop("order.cancelled")
		if _, err := w.simUpstock.Cancel(quiet); err != nil {
			t.Fatal(err)
		}
		w.person(w.sale(right).ID, "copy", fmt.Sprintf(`{"externalId":"upstock:%d:999999"}`, w.acc.Upstock.Supplier))
		say("unknownSale", 999999, "does not know")
		w.person(w.sale(right).ID, "copy", `{"externalId":"somebody's own"}`)
		w.turn(31 * time.Minute)
		drop("order.approved")
		soon := w.approve(groceries)
		time.Sleep(time.Minute)

		w.message(upstockcin7.JobCompleteness)
		w.idle(time.Hour)
		c := w.completeness(time.Time{}, time.Time{})
		var missing []string
		for k := range want {
			missing = append(missing, k)
		}
		slices.Sort(missing)
		if diff := cmp.Diff(missing, found(c)); diff != "" {
			t.Errorf("differences: wanted (-), found (+):\n%s", diff)
		}
		for _, d := range c.Differences {
			if part := want[strings.TrimSpace(d.Code+" "+d.Order)]; !strings.Contains(d.Message, part) {
				t.Errorf("%s %s: %q does not say %q", d.Code, d.Order, d.Message, part)
			}
		}
		n := c.Counts
		n.UpstockCalls, n.Cin7Calls = 0, 0
		if diff := cmp.Diff(completeness.Counts{Approved: 19, Sold: 11, Shipped: 4, PartlyShipped: 1,
			Cancelled: 2, UnderWay: 1, Missing: 8}, n); diff != "" {
			t.Error(diff)
		}
		byDay := 0
		for _, d := range c.Days {
			byDay += d.Counts.Approved
		}
		if byDay != n.Approved {
			t.Errorf("%d orders by day: %+v", byDay, c.Days)
		}
		if !strings.HasPrefix(c.Summary, "8 missing, 16 differences, checked just now: 19 orders, approved from ") ||
			c.Found != 16 {
			t.Error(c.Summary, c.Found)
		}
		// The lists, and one call for each of what they leave open: the sale that is not listed, and the order that
		// does not show what it was told.
		if c.Counts.Cin7Calls != 2 || c.Counts.UpstockCalls != 2 {
			t.Errorf("%+v", c.Counts)
		}
		for _, row := range w.rows(c) {
			id, _ := strconv.Atoi(row.Order)
			switch id {
			case whole:
				if row.Parcels != 1 || !strings.Contains(row.Tracking, "NZP2") || !row.Complete {
					t.Errorf("%+v", row)
				}
			case part:
				if row.Parcels != 1 || row.Complete || row.Codes != nil {
					t.Errorf("%+v", row)
				}
			case soon:
				if !slices.Equal(row.Codes, []string{"underWay"}) {
					t.Errorf("%+v", row)
				}
			case lost:
				if row.State != "" || !slices.Equal(row.Codes, []string{"missing"}) || row.Reason == "" {
					t.Errorf("%+v", row)
				}
			}
		}
		// What is cheap is healed.
		if cur := must[*ledger.Cursor](w)(ledger.New(w.store).Cursor(t.Context(), w.tenant,
			upstockcin7.JobReconcile)); cur.Asked.IsZero() {
			t.Error("nobody looks for the lost order")
		}
		if r := w.run(quiet); r.Cancelled.IsZero() {
			t.Error("the cancellation is not marked")
		}
		w.turn(20 * time.Minute)
		if r := w.run(late); r.State != order.Shipped {
			t.Errorf("the shipment is not told: %s", r.State)
		}
		if got := found(w.compare(time.Time{}, time.Time{})); slices.Contains(got, fmt.Sprintf("notTold %d", late)) ||
			!slices.Contains(got, fmt.Sprintf("missing %d", soon)) {
			t.Errorf("afterwards: %v", got)
		}
	})
}

// TestCompletenessVoidsCancelled: a lost cancellation is acted on as a heard one is.
func TestCompletenessVoidsCancelled(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		p := w.pair()
		b := must[tenant.Bundle](w)(p.Tenants.Load(t.Context(), w.tenant))
		s := sale.SettingsOf(b.Settings)
		s.OnCancel = sale.Void
		if err := saveSettings(p.Tenants, w.tenant, &s); err != nil {
			t.Fatal(err)
		}
		id := w.approve(groceries)
		w.settle(id, time.Hour)
		if err := w.sim.Fault(sim.Upstock, sim.Fault{Match: "WEBHOOK order.cancelled", Kind: "drop"}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.simUpstock.Cancel(id); err != nil {
			t.Fatal(err)
		}
		if c := w.compare(time.Time{}, time.Time{}); c.Found != 0 || c.Counts.Cancelled != 1 {
			t.Errorf("while it is being voided: %+v", c)
		}
		w.turn(10 * time.Minute)
		if len(w.live(id)) != 0 {
			t.Error("the sale is not voided")
		}
		if c := w.compare(time.Time{}, time.Time{}); c.Found != 0 || c.Counts.Cancelled != 1 || c.Counts.Approved != 1 {
			t.Errorf("%+v", c)
		}
	})
}

// TestCompletenessOfBackfilled: of the days before Upstock was connected, those
// orders are compared that a backfill brought; the others are nobody's loss, and
// no sentence says that these days were looked at.
func TestCompletenessOfBackfilled(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id := w.listed(time.Now().Add(-40*time.Hour), "")
		w.startBackfill("1999-12-29", "1999-12-31")
		w.turn(30 * time.Minute)
		w.listed(time.Now().Add(-30*time.Hour), "")
		w.sold(id)
		before := w.compare(time.Time{}, time.Time{})
		if before.Counts.Approved != 0 || before.Found != 0 || strings.Contains(before.Summary, "December 1999") {
			t.Errorf("%+v", before)
		}
		w.upstockFault(sim.Fault{Match: "WEBHOOK order.cancelled", Kind: "drop"})
		if _, err := w.simUpstock.Cancel(id); err != nil {
			t.Fatal(err)
		}
		c := w.compare(time.Time{}, time.Time{})
		if w.run(id).Cancelled.IsZero() || c.Counts.Approved != 0 {
			t.Errorf("a lost cancellation: %s %+v", w.run(id).State, c)
		}
	})
}

// TestCompletenessOldRow: a check reads the list, and is held up for an hour. An
// order that the list shows as cancelled, and that was approved again since, is
// read by itself, and not marked as cancelled.
func TestCompletenessOldRow(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id := w.approve(groceries)
		w.settle(id, time.Hour)
		w.cancel(id)
		w.turn(10 * time.Minute)
		if err := w.sim.Fault(sim.Cin7Core,
			sim.Fault{Match: "GET /saleList", Kind: "before", How: "500", Times: -1}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(31 * time.Minute)
		w.message(upstockcin7.JobCompleteness)
		w.turn(2 * time.Minute)
		w.inUpstock(id, `{"status":"ordered","approvedAt":null}`)
		if _, err := w.simUpstock.Approve(id); err != nil {
			t.Fatal(err)
		}
		w.turn(10 * time.Minute)
		if r := w.run(id); !r.Cancelled.IsZero() || r.State != order.Sold {
			t.Fatalf("approved again: %+v", r)
		}
		w.sim.ClearFaults(sim.Cin7Core)
		w.turn(time.Hour)
		c := w.completeness(time.Time{}, time.Time{})
		if r := w.run(id); c.Running || c.Found != 0 || c.Counts.Sold != 1 || !r.Cancelled.IsZero() ||
			r.State != order.Sold {
			t.Errorf("%s %v\n%+v", r.State, r.Problems, c)
		}
	})
}

// TestCompletenessPeriods: what belongs to a period is its approved orders,
// whenever their sales were made.
func TestCompletenessPeriods(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		start := time.Now()
		ctx := t.Context()
		before := w.approve(groceries) // sold in the period, approved before it
		w.fault(sim.Fault{Match: "POST /sale", Kind: "before", How: "refused", Times: 1000})
		w.turn(30 * time.Minute)
		from := time.Now()
		slow := w.approve(groceries) // sold after the period
		w.turn(30 * time.Minute)
		to := time.Now()
		after := w.approve(groceries)
		w.sim.ClearFaults(sim.Cin7Core)
		w.turn(40 * time.Minute)
		for _, id := range []int{before, slow, after} {
			if w.run(id).State != order.Sold {
				t.Fatalf("order %d: %s", id, w.run(id).State)
			}
		}
		if c := w.compare(from, to); c.Counts.Approved != 1 || c.Counts.Sold != 1 || c.Found != 0 ||
			len(w.rows(c)) != 1 {
			t.Errorf("%+v", c)
		}
		if c := w.compare(start, from); c.Counts.Approved != 1 || c.Found != 0 {
			t.Errorf("%+v", c)
		}
		// An order from before the connection is nobody's loss, unless it is asked for.
		old := start.Add(-26 * time.Hour)
		o, err := w.simUpstock.PlaceOrder(w.acc.Upstock.Supplier,
			strings.TrimSuffix(groceries, "}")+
				fmt.Sprintf(`,"status":"processing","approvedAt":%q}`, old.UTC().Format(time.RFC3339)))
		if err != nil {
			t.Fatal(err)
		}
		if c := w.compare(time.Time{}, time.Time{}); c.Counts.Approved != 3 || c.Found != 0 ||
			c.From.Before(start.Add(-time.Minute)) {
			t.Errorf("%+v", c)
		}
		c := w.compare(old, old.Add(time.Hour))
		if diff := cmp.Diff([]string{fmt.Sprintf("missing %d", o.ID)}, found(c)); diff != "" || c.Counts.Missing != 1 ||
			!strings.Contains(c.Differences[0].Fix, "Backfill") {
			t.Errorf("%s%+v", diff, c)
		}
		// The standing period is seven days long, by the tenant's calendar.
		time.Sleep(6*24*time.Hour + 12*time.Hour)
		late := w.approve(groceries)
		w.settle(late, time.Hour)
		zone := must[*time.Location](w)(time.LoadLocation("Pacific/Auckland"))
		now := time.Now().In(zone)
		if c := w.compare(time.Time{}, time.Time{}); !c.From.Equal(time.Date(now.Year(), now.Month(), now.Day()-6, 0, 0,
			0, 0, zone)) || c.Counts.Approved != 1 || c.Found != 0 {
			t.Errorf("%+v", c)
		}
		for _, bad := range []struct {
			from, to time.Time
			field    string
		}{
			{time.Time{}, to, "from"}, {from, time.Time{}, "to"}, {to, from, "to"}, {from, from, "to"},
			{from.AddDate(0, 0, -93), from, "to"}, {time.Now().Add(time.Hour), time.Now().Add(2 * time.Hour), "from"},
		} {
			err := w.pair().Completeness.Start(ctx, w.tenant, bad.from, bad.to)
			var fields tenant.FieldErrors
			if !errors.As(err, &fields) || fields[0].Field != bad.field {
				t.Errorf("%s to %s: %v", bad.from, bad.to, err)
			}
			if _, err := w.pair().Completeness.Last(ctx, w.tenant, bad.from, bad.to); !errors.As(err, &fields) {
				t.Errorf("read %s to %s: %v", bad.from, bad.to, err)
			}
		}
		if err := w.pair().Completeness.Start(ctx, "nobody", time.Time{}, time.Time{}); !errors.Is(err,
			tenant.ErrNotFound) {
			t.Error(err)
		}
		if _, err := w.pair().Completeness.Last(ctx, "nobody", time.Time{}, time.Time{}); !errors.Is(err,
			tenant.ErrNotFound) {
			t.Error(err)
		}
	})
}

// TestCompletenessFaults: whatever becomes of a call, the check comes to the
// same end, and says meanwhile what is wrong.
func TestCompletenessFaults(t *testing.T) {
	testsize.Unraced(t)
	type way struct{ vendor, match, kind, how string }
	var ways []way
	for _, call := range [][2]string{{sim.Upstock, "GET /orders"}, {sim.Cin7Core, "GET /saleList"},
		{sim.Cin7Core, "GET /sale"}, {sim.Upstock, "GET /orders/*"}} {
		for _, kind := range [][2]string{{"before", ""}, {"after", "timeout"}, {"html", ""}, {"throttle", ""},
			{"before", "refused"}, {"before", "500"}} {
			ways = append(ways, way{call[0], call[1], kind[0], kind[1]})
		}
	}
	story(t, func(t *testing.T, w *world) {
		ids := w.written(5)
		w.edit(ids[1], func(r *order.Order) { r.SaleID = "3f0c9a50-8a5e-4b6e-9a47-0d1f6c8e2b11" })
		w.person(w.sale(ids[2]).ID, "ship", "")
		w.edit(ids[2], func(r *order.Order) {
			r.Parcels, r.Seen, r.State = []order.Parcel{{ID: "p", Hash: "h", Label: "Box 1", At: time.Now().UTC(),
				Complete: true}}, time.Now().UTC(), order.Shipped
		})
		want := []string{fmt.Sprintf("notTold %d", ids[2]), fmt.Sprintf("saleMissing %d", ids[1])}
		time.Sleep(time.Hour)
		for _, f := range ways {
			if err := w.sim.Fault(f.vendor,
				sim.Fault{Match: f.match, Kind: f.kind, How: f.how, Times: -1}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(31 * time.Minute)
			w.message(upstockcin7.JobCompleteness)
			time.Sleep(90 * time.Second)
			synctest.Wait()
			if c := w.completeness(time.Time{}, time.Time{}); !c.Running || c.Problem == "" || c.Progress == "" {
				t.Errorf("%v: meanwhile: %+v", f, c)
			}
			w.sim.ClearFaults(f.vendor)
			w.idle(time.Hour)
			c := w.completeness(time.Time{}, time.Time{})
			if diff := cmp.Diff(want, found(c)); diff != "" || c.Running || c.Problem != "" || c.Counts.Approved != 5 {
				t.Errorf("%v: %s%+v", f, diff, c)
			}
		}
		// A key that is refused parks the check; a new one lets it go on.
		w.account(`{"revoked":true}`)
		time.Sleep(31 * time.Minute)
		w.message(upstockcin7.JobCompleteness)
		w.idle(time.Hour)
		if c := w.completeness(time.Time{}, time.Time{}); !c.Running || !strings.Contains(c.Problem, "Cin7 Core") {
			t.Errorf("%+v", c)
		}
		w.account(`{"revoked":false}`)
		if _, _, err := w.vendorTable().Connect(t.Context(), w.tenant, tenant.Cin7Core, w.coreKey()); err != nil {
			t.Fatal(err)
		}
		if got := found(w.compare(time.Time{}, time.Time{})); !slices.Equal(got, want) {
			t.Error(got)
		}
	})
}

// TestCompletenessCrashes: a process may end, or lose an answer, at each of its
// writes; the next one goes on from there.
func TestCompletenessCrashes(t *testing.T) {
	for _, f := range []fault{die, before, after, pause} {
		t.Run(f.String(), func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				w.vendors(sim.Options{TinyPages: 4})
				w.written(10)
				id := w.approve(`{"lines":[{"sku":"KWK-999","quantity":"4","unitPrice":"8.90"}]}`)
				w.settle(id, time.Hour)
				time.Sleep(time.Hour)
				want := completeness.Counts{Approved: 11, Sold: 10, Missing: 1}
				step := testsize.Of(1, 1, 6)
				for n := 1; ; n += step {
					w.mu.Lock()
					w.armed, w.effects, w.faults = true, 0, map[int]fault{n: f}
					w.mu.Unlock()
					time.Sleep(31 * time.Minute)
					since := time.Now()
					w.message(upstockcin7.JobCompleteness)
					w.idle(2 * time.Hour)
					w.mu.Lock()
					reached := w.effects >= n
					w.mu.Unlock()
					c := w.completeness(time.Time{}, time.Time{})
					got := c.Counts
					got.UpstockCalls, got.Cin7Calls = 0, 0
					if diff := cmp.Diff(want, got); diff != "" || c.Checked.Before(since) || c.Found != 1 ||
						len(w.rows(c)) != 11 {
						t.Fatalf("%s at write %d: %s%+v", f, n, diff, c)
					}
					// 3 pages of orders, and 4 of sales, the last one empty. After a crash among these they are read
					// once more, and at most one call is made again.
					calls := w.calls(sim.Upstock, strconv.Itoa(w.acc.Upstock.Supplier), "/orders", since) +
						len(w.coreCallsSince(since))
					if !reached {
						if n <= 20 || calls != 7 {
							t.Errorf("%d writes, %d calls", n-1, calls)
						}
						return
					}
					if calls > 12 && f != pause {
						t.Errorf("%s at write %d: %d calls", f, n, calls)
					}
				}
			})
		})
	}
}

// TestCompletenessLists: in whatever order Cin7 Core lists, and whatever moves meanwhile.
func TestCompletenessLists(t *testing.T) {
	for name, o := range map[string]sim.Options{
		"newest first": {TinyPages: 7}, "oldest first": {TinyPages: 7, ListOrder: sim.OldestFirst},
		"shuffled":            {TinyPages: 7, ListOrder: sim.Shuffled},
		"newest first, drift": {TinyPages: 7, ListDrift: true},
		"oldest first, drift": {TinyPages: 7, ListOrder: sim.OldestFirst, ListDrift: true},
		"shuffled, drift":     {TinyPages: 7, ListOrder: sim.Shuffled, ListDrift: true},
		"lag":                 {TinyPages: 7, UpdatedLag: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				w.vendors(o)
				many, rounds := testsize.Of(40, 40, 25), testsize.Of(3, 3, 1)
				ids := w.written(many)
				w.person(w.sale(ids[3]).ID, "void", "")
				time.Sleep(time.Hour)
				for range rounds {
					c := w.compare(time.Time{}, time.Time{})
					if diff := cmp.Diff([]string{fmt.Sprintf("saleVoided %d", ids[3])}, found(c)); diff != "" ||
						c.Counts.Approved != many || c.Counts.Sold != many-1 {
						t.Errorf("%s%+v", diff, c.Counts)
					}
				}
			})
		})
	}
}

// TestCompletenessMany: thousands of orders stay within the table's limits, and
// the list of differences within its own, with the true count.
func TestCompletenessMany(t *testing.T) {
	testsize.Large(t)
	story(t, func(t *testing.T, w *world) {
		many, wrong := 2100, 1050
		ids := w.written(many)
		time.Sleep(time.Hour)
		began := time.Now()
		c := w.compare(time.Time{}, time.Time{})
		if diff := cmp.Diff(counts(many, many, many/100, (many+999)/1000), c.Counts); diff != "" || c.Found != 0 ||
			len(w.rows(c)) != many {
			t.Errorf("%s%d", diff, c.Found)
		}
		t.Logf("%d orders in %s", many, time.Since(began)-31*time.Minute)
		for _, id := range ids[:wrong] {
			w.edit(id, func(r *order.Order) { r.Total = strings.Repeat("9", 3) + ".00" })
		}
		c = w.compare(time.Time{}, time.Time{})
		if c.Found != wrong || len(c.Differences) > 1000 || len(c.Differences) < min(wrong, 400) ||
			wrong == 1050 && !strings.Contains(c.Summary, "0 missing, 1,050 differences") {
			t.Errorf("%d of %d: %s", len(c.Differences), c.Found, c.Summary)
		}
		n := 0
		for _, row := range w.rows(c) {
			if slices.Equal(row.Codes, []string{"totalDiffers"}) {
				n++
			}
		}
		if n != wrong {
			t.Errorf("%d rows say why", n)
		}
	})
}

// TestCompletenessDoubts: where the lists leave hundreds of doubts, only so
// many are asked for one by one, within the budget of calls, and the others are
// said in other words.
func TestCompletenessDoubts(t *testing.T) {
	testsize.Unraced(t)
	story(t, func(t *testing.T, w *world) {
		for _, id := range w.written(130) {
			w.edit(id, func(r *order.Order) { r.SaleID = fmt.Sprintf("3f0c9a50-8a5e-4b6e-9a47-%012d", id) })
		}
		time.Sleep(time.Hour)
		c := w.compare(time.Time{}, time.Time{})
		sure := 0
		for _, d := range c.Differences {
			if strings.Contains(d.Message, "does not have that sale") {
				sure++
			}
		}
		if c.Found != 130 || c.Counts.Missing != 130 || c.Counts.Sold != 0 || sure != 100 || c.Counts.Cin7Calls != 101 {
			t.Errorf("%d found, %d for certain, %+v", c.Found, sure, c.Counts)
		}
		if n := w.sim.OverLimit(sim.Cin7Core, ""); n > 0 {
			t.Errorf("%d calls over the limit", n)
		}
	})
}

// TestCompletenessTooMany: a period that is too large is refused in words.
func TestCompletenessTooMany(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.written(2)
		ctx, books := t.Context(), ledger.New(w.store)
		time.Sleep(31 * time.Minute)
		now := time.Now().UTC()
		doc := map[string]any{"phase": "orders",
			"accounts": fmt.Sprintf("%d|%s", w.acc.Upstock.Supplier, strings.ToLower(w.acc.Cin7Core.AccountID)),
			"listed":   99_999, "page": 1, "passes": 1, "until": now,
			"result": map[string]any{"from": now.Add(-time.Hour), "to": now, "standing": true, "started": now}}
		if _, err := books.SaveDoc(ctx, w.tenant, "completeness#check", "", doc); err != nil {
			t.Fatal(err)
		}
		w.message(upstockcin7.JobCompleteness)
		w.idle(time.Hour)
		c := w.completeness(time.Time{}, time.Time{})
		if !strings.Contains(c.Problem, "more than 100,000") || !c.Checked.IsZero() {
			t.Errorf("%+v", c)
		}
	})
}

// TestCompletenessAtOnce: two workers at once come to one right result.
func TestCompletenessAtOnce(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.vendors(sim.Options{TinyPages: 5})
		w.written(20)
		time.Sleep(time.Hour)
		for _, f := range []sim.Fault{{Match: "GET /orders", Kind: "slow", Seconds: 1, Times: -1}} {
			if err := w.sim.Fault(sim.Upstock, f); err != nil {
				t.Fatal(err)
			}
		}
		since := time.Now()
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				if err := w.do(t.Context(), "shipments", upstockcin7.JobCompleteness); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		w.idle(time.Hour)
		c := w.completeness(time.Time{}, time.Time{})
		n := c.Counts
		n.UpstockCalls, n.Cin7Calls = 0, 0
		if diff := cmp.Diff(counts(20, 20, 0, 0), n); diff != "" || c.Found != 0 || len(w.rows(c)) != 20 {
			t.Errorf("%s%+v", diff, c)
		}
		if n := w.calls(sim.Upstock, strconv.Itoa(w.acc.Upstock.Supplier), "/orders", since); n > 6 {
			t.Errorf("%d calls", n)
		}
		// A period asked for twice is checked once; too many at once are refused.
		start := time.Now()
		for i := range 2 * 25 {
			day := start.AddDate(0, 0, -i/2-1)
			err := w.pair().Completeness.Start(t.Context(), w.tenant, day, day.AddDate(0, 0, 1))
			if refused := i/2 >= 20; refused != (err != nil) {
				t.Errorf("%d: %v", i/2, err)
			}
		}
		w.idle(6 * time.Hour)
		for i := range 20 {
			day := start.AddDate(0, 0, -i-1)
			if c := w.completeness(day, day.AddDate(0, 0, 1)); c.Checked.IsZero() || c.Running || c.Found != 0 {
				t.Errorf("%d: %+v", i, c)
			}
		}
	})
}

// TestCompletenessClocks: whoever asks, or checked before, may have a clock that is minutes ahead.
func TestCompletenessClocks(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		from := time.Now()
		w.written(3)
		to := time.Now()
		time.Sleep(time.Hour)
		w.compare(time.Time{}, time.Time{})
		time.Sleep(time.Second)
		since := time.Now()
		ahead := w.process("console").app.Pair
		ahead.Now = func() time.Time { return time.Now().Add(5 * time.Minute) }
		for _, span := range [][2]time.Time{{from, to}, {}} {
			if err := ahead.Completeness.Start(t.Context(), w.tenant, span[0], span[1]); err != nil {
				t.Fatal(err)
			}
			w.idle(time.Hour)
		}
		if n := w.calls(sim.Upstock, strconv.Itoa(w.acc.Upstock.Supplier), "/orders", since); n != 2 {
			t.Errorf("%d calls for two checks", n)
		}
		books, name := ledger.New(w.store), fmt.Sprintf("completeness#%d#%d", from.Unix(), to.Unix())
		doc := map[string]any{}
		rev := must[string](w)(books.Doc(t.Context(), w.tenant, name, &doc))
		doc["started"] = time.Now().Add(5 * time.Minute)
		if _, err := books.SaveDoc(t.Context(), w.tenant, name, rev, doc); err != nil {
			t.Fatal(err)
		}
		if c := w.compare(from, to); c.Counts.Approved == 0 || c.Found != 0 {
			t.Errorf("%+v", c)
		}
	})
}

// TestCompletenessNever: where the job has no schedule, a check still ends once it is done.
func TestCompletenessNever(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.written(3)
		p := w.process("shipments").app
		p.Jobs.Every = map[string]time.Duration{upstockcin7.JobCompleteness: 0}
		since := time.Now()
		calls := func() int { return w.calls(sim.Upstock, strconv.Itoa(w.acc.Upstock.Supplier), "/orders", since) }
		for n := range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			err := doJob(ctx, p, job.Message{Job: upstockcin7.JobCompleteness, Tenant: w.tenant})
			cancel()
			if err != nil || calls() != n {
				t.Errorf("%d calls, %v", calls(), err)
			}
			if n == 0 {
				doc := map[string]any{"spans": []map[string]any{{"at": time.Now()}}}
				if _, err := ledger.New(w.store).SaveDoc(t.Context(), w.tenant, "completeness#asked", "",
					doc); err != nil {
					t.Fatal(err)
				}
			}
		}
		if c := w.completeness(time.Time{}, time.Time{}); c.Counts.Approved != 3 {
			t.Errorf("%+v", c)
		}
	})
}

// TestCompletenessTakenBack: an order whose approval was taken back is nobody's
// loss, unless it was taken in before.
func TestCompletenessTakenBack(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		place := func(status string, at time.Time) int {
			o, err := w.simUpstock.PlaceOrder(w.acc.Upstock.Supplier,
				strings.TrimSuffix(groceries, "}")+
					fmt.Sprintf(`,"status":%q,"approvedAt":%q}`, status, at.UTC().Format(time.RFC3339)))
			if err != nil {
				t.Fatal(err)
			}
			return o.ID
		}
		old := time.Now().Add(-26 * time.Hour)
		shipped := place("shipped", old)
		place("ordered", time.Now())
		time.Sleep(time.Hour)
		if c := w.compare(time.Time{}, time.Time{}); c.Counts.Approved != 0 || c.Found != 0 || len(w.rows(c)) != 0 {
			t.Errorf("%+v", c)
		}
		// One that was shipped before the connection is not for a backfill, which leaves it out.
		c := w.compare(old, old.Add(time.Hour))
		if diff := cmp.Diff([]string{fmt.Sprintf("missing %d", shipped)}, found(c)); diff != "" ||
			strings.Contains(c.Differences[0].Fix, "Backfill it") {
			t.Errorf("%s%+v", diff, c)
		}
	})
}

// TestCompletenessPages: Upstock's list begins anew where a page is not known
// any more; one that goes in circles ends in words and not in calls.
func TestCompletenessPages(t *testing.T) {
	live(t, 4, 0, func(t *testing.T, h *house) {
		for i := range 7 {
			h.listed(time.Now().Add(time.Duration(i)*time.Second), "")
		}
		time.Sleep(time.Hour)
		h.idle()
		lost, circle := true, false
		var calls atomic.Int32 // a check may go on while the test reads it
		h.set(func() {
			h.answer = func(req *http.Request, _ []byte) (*http.Response, error) {
				if !isList(req) {
					return nil, nil
				}
				calls.Add(1)
				switch {
				case circle && strings.Contains(req.URL.RawQuery, "after=b"):
					return page(200, `{"orders":[{"id":2,"status":"processing","approvedAt":"2000-01-01T00:00:02Z"}],"next":"c"}`), nil
				case circle:
					return page(200, `{"orders":[{"id":1,"status":"processing","approvedAt":"2000-01-01T00:00:01Z"}],"next":"b"}`), nil
				case lost && req.URL.Query().Get("after") != "":
					lost = false
					return page(400, `{"code":"invalid","message":"unknown page"}`), nil
				}
				return paged(h, req)
			}
		})
		run := func() completeness.Report {
			t.Helper()
			calls.Store(0)
			time.Sleep(31 * time.Minute)
			h.job(upstockcin7.JobCompleteness)
			time.Sleep(10 * time.Minute)
			h.idle()
			c, err := h.app.Pair.Completeness.Last(t.Context(), h.tenant, time.Time{}, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		if c := run(); c.Counts.Approved != 7 || c.Running || lost || c.Counts.UpstockCalls != 6 {
			t.Errorf("%d calls: %+v", calls.Load(), c)
		}
		h.set(func() { circle = true })
		if c := run(); !c.Running || !strings.Contains(c.Problem, "Upstock gave no usable answer") ||
			calls.Load() > 15 {
			t.Errorf("%d calls: %+v", calls.Load(), c)
		}
	})
}

// TestCompletenessShortList: a list that shows fewer sales than it counts is
// read a third time, though the second brought nothing new, and not for ever.
func TestCompletenessShortList(t *testing.T) {
	for name, c := range map[string]struct{ drifts, pages int }{"whole": {0, 3}, "short twice": {6, 9},
		"always short": {-1, 9}} {
		t.Run(name, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				w.vendors(sim.Options{TinyPages: 7})
				w.written(10)
				time.Sleep(time.Hour)
				if c.drifts != 0 {
					w.fault(sim.Fault{Match: "GET /saleList", Kind: "drift", How: "gone", Times: c.drifts})
				}
				start := since()
				w.compare(time.Time{}, time.Time{})
				if n := w.count("GET /saleList", start); n != c.pages {
					t.Errorf("%d pages were read, want %d", n, c.pages)
				}
			})
		})
	}
}
