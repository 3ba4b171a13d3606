package upstockcin7_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/ledger"
	"stockbridge/internal/sim"
	simupstock "stockbridge/internal/sim/upstock"
	"stockbridge/internal/table"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
)

// changesOf is what an order keeps of its changes, a line for each.
func changesOf(r *order.Order) (list []string) {
	if r.Edits == nil {
		return nil
	}
	for _, e := range r.Edits.List {
		list = append(list, fmt.Sprintf("%s|%s|%s|%s", e.Line, e.What, e.Was, e.Now))
	}
	return list
}

const (
	bothLines = `"lines":[` +
		`{"id":11,"sku":"SLT-FLK","name":"Flaky salt","quantity":"4","unitPrice":"8.90","discountPercent":"0","taxRate":"15.00"},` +
		`{"id":12,"sku":"GRN-TST","name":"Granola","quantity":"1","unitPrice":"30.00","taxRate":"15.00"}]`
	ofTwoLines = `{"customer":{"name":"Harbourside Grocers"},"reference":"PO-7","deliveryDate":"2000-02-01",` +
		`"deliveryAddress":{"company":null,"line1":"9 Hill Road","city":"Nelson","postcode":null,"country":"New Zealand"},"freight":null,` + bothLines + `}`
)

// TestEditedAfterSale: what is changed in Upstock after an order was sold is seen by whoever reads the order anyway,
// kept with the order until it agrees again, and nothing is sent, read or written for it otherwise.
func TestEditedAfterSale(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id := w.approve(ofTwoLines)
		w.settle(id, time.Hour)
		edit := func(body string) {
			t.Helper()
			if _, err := w.simUpstock.Edit(id, body); err != nil {
				t.Fatal(err)
			}
		}
		quiet := func(what string) {
			t.Helper()
			time.Sleep(2 * time.Hour) // what is still to be looked for of the sale is looked for
			w.turn(time.Minute)
			before := w.run(id)
			calls := func() int { return len(w.sim.Calls(sim.Upstock, strconv.Itoa(w.acc.Upstock.Supplier))) }
			n := calls()
			w.compare(time.Time{}, time.Time{})
			if after := w.run(id); after.Revision() != before.Revision() {
				t.Errorf("%s: the order was written: %v", what, changesOf(after))
			}
			if got := calls() - n; got != 1 {
				t.Errorf("%s: %d calls to Upstock", what, got)
			}
		}
		quiet("as it was sold")

		writes := func() (n int) {
			for _, v := range [][2]string{{sim.Upstock, strconv.Itoa(w.acc.Upstock.Supplier)},
				{sim.Cin7Core, w.acc.Cin7Core.AccountID}} {
				for _, c := range w.sim.Calls(v[0], v[1]) {
					if c.Method != http.MethodGet {
						n++
					}
				}
			}
			return n
		}
		sent, sale := writes(), w.run(id).SaleTotal
		edit(`{"lines":[{"id":11,"sku":"SLT-FLK","name":"Flaky salt","quantity":"6","unitPrice":"8.90",` +
			`"discountPercent":"5","taxRate":"15.00"},` +
			`{"id":13,"sku":"BOX-1","name":"Gift box","quantity":"2","unitPrice":"12","taxRate":"15.00"}],` +
			`"freight":{"description":"Courier","amount":"9.50","taxRate":"15.00"},"deliveryDate":"2000-02-03",` +
			`"deliveryAddress":{"company":"Tūī Bakery","line1":"1 Ponsonby Road","city":"Auckland","postcode":"1011"}}`) // the country stays
		w.compare(time.Time{}, time.Time{})
		r := w.run(id)
		want := []string{
			"|Delivery date|2000-02-01|2000-02-03",
			"|Delivery address|9 Hill Road, Nelson, New Zealand|Tūī Bakery, 1 Ponsonby Road, Auckland, 1011, " +
				"New Zealand",
			"Line 1 SLT-FLK Flaky salt|Quantity|4|6",
			"Line 1 SLT-FLK Flaky salt|Discount|0 %|5 %",
			"Line 2 BOX-1 Gift box|Added||2 × 12.00",
			"Line 2 GRN-TST Granola|Taken out|1 × 30.00|",
			"|Freight||9.50", "|Tax rate of freight||15 %", "|Total|75.44|96.87",
		}
		if d := cmp.Diff(want, changesOf(r)); d != "" {
			t.Error(d)
		}
		if writes() != sent || r.SaleTotal != sale || r.State != order.Sold || len(r.Problems) != 0 {
			t.Errorf("something was sent for it, or stands against it: %+v", r)
		}
		list, more, err := w.pair().Edited(t.Context(), w.tenant, 8)
		if err != nil || more || len(list) != 1 || list[0].ID != r.ID {
			t.Errorf("the tenant's changed orders: %v %v %v", list, more, err)
		}
		quiet("as it was seen already")

		edit(strings.TrimSuffix(ofTwoLines, "}") + `}`)
		w.compare(time.Time{}, time.Time{})
		if r := w.run(id); r.Edits != nil || !strings.Contains(timeline(r), "as it was sold again") {
			t.Errorf("as it was sold again: %v", changesOf(r))
		}
		if list, _, err := w.pair().Edited(t.Context(), w.tenant, 8); err != nil || len(list) != 0 {
			t.Errorf("%v %v", list, err)
		}
		quiet("as it was sold again")
		if writes() != sent {
			t.Error("something was sent for it")
		}

		// An order whose sale an earlier version planned is compared by its total, then by what it said.
		if err := w.pair().Orders.Update(t.Context(), w.run(id), func(o *order.Order, _ *ledger.Extra) error {
			o.SoldAs = ""
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		quiet("sold by an earlier version")
		edit(`{"reference":"PO-8"}`)
		quiet("another reference, of an earlier version")
		edit(`{"lines":[{"id":11,"sku":"SLT-FLK","name":"Flaky salt","quantity":"5","unitPrice":"8.90","taxRate":"15.00"}]}`)
		w.compare(time.Time{}, time.Time{})
		if got := strings.Join(changesOf(w.run(id)), "\n"); !strings.Contains(got, "|Quantity|4|5") ||
			!strings.Contains(got, "|Reference|PO-7|PO-8") {
			t.Errorf("of an earlier version: %s", got)
		}
	})
}

// TestEditedAndApprovedAgain: a later approval brings the order as it is now; what is delivered again, or is of before,
// does not.
func TestEditedAndApprovedAgain(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id := w.approve(ofTwoLines)
		w.settle(id, time.Hour)
		time.Sleep(10 * time.Minute)
		deliver := func(at time.Time, reference string) {
			var o map[string]any
			if err := json.Unmarshal(must[simupstock.OrderSummary](w)(w.simUpstock.Order(id)).JSON, &o); err != nil {
				t.Fatal(err)
			}
			o["approvedAt"], o["reference"] = at.UTC().Format(time.RFC3339Nano), reference
			raw := must[[]byte](w)(json.Marshal(o))
			if fresh, err := w.pair().Approved(t.Context(), w.tenant, "msg_"+reference, raw, raw); fresh || err != nil {
				t.Fatal(fresh, err)
			}
		}
		approved := w.run(id).Approved
		for _, c := range []struct {
			at        time.Time
			reference string
			want      bool
		}{
			{approved.Add(-time.Minute), "PO-OLD", false}, {approved, "PO-AGAIN", false},
			{approved.Add(time.Minute), "PO-NEW", true}, {approved.Add(time.Second), "PO-LATE", false},
		} {
			deliver(c.at, c.reference)
			w.turn(5 * time.Minute)
			got := strings.Contains(strings.Join(changesOf(w.run(id)), "\n"), "|Reference|PO-7|"+c.reference)
			if got != c.want {
				t.Errorf("%s is seen: %v, %v", c.reference, got, changesOf(w.run(id)))
			}
		}
		if n := len(w.simCore.Sales(w.acc.Cin7Core.AccountID)); n != 1 {
			t.Errorf("%d sales", n)
		}
	})
}

// TestEditedCrashes: whatever write fails, or ends the process, on the way of a change that is seen, it is seen in the
// end, once, and is on the tenant's list.
func TestEditedCrashes(t *testing.T) {
	testsize.Sampled(t)
	testsize.OneSize(t)
	seen := func(f fault, at int) (effects int) {
		t.Run(fmt.Sprint(f, " at ", at), func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				id := w.approve(ofTwoLines)
				w.settle(id, time.Hour)
				if _, err := w.simUpstock.Edit(id, `{"reference":"PO-8"}`); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Hour)
				w.mu.Lock()
				begun := w.effects
				w.faults = map[int]fault{begun + at: f}
				w.mu.Unlock()
				w.message(upstockcin7.JobCompleteness)
				w.idle(2 * time.Hour)
				w.mu.Lock()
				effects = w.effects - begun
				w.mu.Unlock()
				w.compare(time.Time{}, time.Time{})
				r := w.run(id)
				list, _, err := w.pair().Edited(t.Context(), w.tenant, 8)
				got := strings.Join(changesOf(r), "\n")
				if got != "|Reference|PO-7|PO-8" || err != nil || len(list) != 1 ||
					strings.Count(timeline(r), "was changed in Upstock") != 1 {
					t.Errorf("%v, %v, %v\n%s", got, list, err, timeline(r))
				}
			})
		})
		return effects
	}
	most := seen(none, 0)
	if most == 0 && testing.Short() {
		t.Skip("its first story is not in the sample of -short")
	}
	if most < 3 {
		t.Fatalf("only %d effects", most)
	}
	for at := 1; at <= most; at++ {
		for _, f := range []fault{before, after, die} {
			seen(f, at)
		}
	}
}

// TestEditsAreFew: of an order of thousands of lines that is turned over a few differences are kept, and how many more
// there are.
func TestEditsAreFew(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		lines := func(name string) string {
			var list []string
			for i := range 500 {
				list = append(list, fmt.Sprintf(`{"id":%d,"sku":"SLT-FLK","name":"%s","quantity":"1","unitPrice":"1.00",`+
					`"taxRate":"15.00"}`, i+1, name))
			}
			return `{"lines":[` + strings.Join(list, ",") + `]}`
		}
		id := w.approve(lines("Salt"))
		w.settle(id, time.Hour)
		if _, err := w.simUpstock.Edit(id, lines(strings.Repeat("Long ", 1000))); err != nil {
			t.Fatal(err)
		}
		w.compare(time.Time{}, time.Time{})
		r := w.run(id)
		data, _ := json.Marshal(r.Edits)
		if r.Edits.Count() != 500 || len(data) > 20_000 {
			t.Errorf("%d differences in %d bytes", r.Edits.Count(), len(data))
		}
	})
}

// TestEditedLines: lines that only stand in another order, or have other ids, are no change; a line that is changed is
// found again where its id is another.
func TestEditedLines(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		line := func(id int, sku, quantity, price string) string {
			return fmt.Sprintf(`{"id":%d,"sku":"%s","name":"%s","productExternalId":null,"quantity":"%s",`+
				`"unitPrice":"%s","discountPercent":"0","taxRate":"15.00"}`, id, sku, sku, quantity, price)
		}
		lines := func(some ...string) string { return `{"lines":[` + strings.Join(some, ",") + `]}` }
		id := w.approve(lines(line(11, "SLT-FLK", "4", "8.90"), line(12, "GRN-TST", "1", "30.00"),
			line(13, "SLT-FLK", "2", "9.90")))
		w.settle(id, time.Hour)
		w.sold(id)
		time.Sleep(time.Hour)
		for _, c := range []struct {
			name, now string
			want      []string
		}{
			{"another order", lines(line(12, "GRN-TST", "1", "30.00"), line(13, "SLT-FLK", "2", "9.90"),
				line(11, "SLT-FLK", "4", "8.90")), nil},
			{"other ids", lines(line(21, "SLT-FLK", "4", "8.90"), line(22, "GRN-TST", "1", "30.00"),
				line(23, "SLT-FLK", "2", "9.90")), nil},
			{"ids by place, behind a new line", lines(line(11, "BOX-1", "1", "1.00"), line(12, "SLT-FLK", "5", "8.90"),
				line(13, "GRN-TST", "1", "30.00"), line(14, "SLT-FLK", "3", "9.90")), []string{
				"Line 1 BOX-1 BOX-1|Added||1 × 1.00", "Line 2 SLT-FLK SLT-FLK|Quantity|4|5",
				"Line 4 SLT-FLK SLT-FLK|Quantity|2|3", "|Total|98.21|120.99"}},
			{"another product in a line", lines(line(11, "SLT-FLK", "4", "8.90"), line(12, "GRN-NEW", "1", "30.00"),
				line(13, "SLT-FLK", "2", "9.90")), []string{
				"Line 2 GRN-NEW GRN-NEW|SKU|GRN-TST|GRN-NEW", "Line 2 GRN-NEW GRN-NEW|Product|GRN-TST|GRN-NEW"}},
		} {
			if _, err := w.simUpstock.Edit(id, c.now); err != nil {
				t.Fatal(err)
			}
			w.compare(time.Time{}, time.Time{})
			if d := cmp.Diff(c.want, changesOf(w.run(id))); d != "" {
				t.Errorf("%s: %s", c.name, d)
			}
			if r := w.run(id); (r.Edits == nil) != (c.want == nil) {
				t.Errorf("%s: %+v", c.name, r.Edits)
			}
		}
	})
}

// TestEditedUnknown: where what was sold is not kept any more, it is said only that the order differs.
func TestEditedUnknown(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id := w.approve(ofTwoLines)
		w.settle(id, time.Hour)
		time.Sleep(time.Hour)
		w.edit(id, func(r *order.Order) { r.SoldAs = "2-0000" })
		if _, err := w.simUpstock.Edit(id, `{"reference":"PO-8"}`); err != nil {
			t.Fatal(err)
		}
		w.compare(time.Time{}, time.Time{})
		if r := w.run(id); r.Edits == nil || r.Edits.Count() != 0 {
			t.Errorf("%+v", r.Edits)
		}
	})
}

// TestEditedListed: orders that were changed and then cancelled or shipped hide none of the others, and go from the
// list with the next one that comes to it; what was seen weeks ago is shown no more.
func TestEditedListed(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		var ids []int
		for range 13 {
			ids = append(ids, w.approve(groceries))
		}
		w.turn(2 * time.Hour)
		change := func(some ...int) {
			t.Helper()
			for _, id := range some {
				w.sold(id)
				if _, err := w.simUpstock.Edit(id, fmt.Sprintf(`{"reference":"Anew %s"}`, time.Now())); err != nil {
					t.Fatal(err)
				}
			}
			w.compare(time.Time{}, time.Time{})
		}
		listed := func(want ...int) {
			t.Helper()
			list, more, err := w.pair().Edited(t.Context(), w.tenant, 8)
			var got []int
			for _, r := range list {
				got = append(got, must[int](w)(strconv.Atoi(r.ID)))
			}
			if d := cmp.Diff(want, got); d != "" || more || err != nil {
				t.Errorf("%s, %v, %v", d, more, err)
			}
		}
		change(ids[:12]...)
		for i, id := range ids[1:12] {
			w.edit(id, func(r *order.Order) {
				if r.State = order.Shipped; i%2 == 0 {
					r.State = order.Cancelled
				}
			})
		}
		listed(ids[0])
		change(ids[12])
		listed(ids[12], ids[0])
		var kept struct{ IDs []string }
		if _, err := w.pair().Ledger.Doc(t.Context(), w.tenant, "edited", &kept); err != nil || len(kept.IDs) != 2 {
			t.Errorf("the list keeps %q, %v", kept.IDs, err)
		}
		time.Sleep(15 * 24 * time.Hour)
		listed()
	})
}

// TestEditedReadOnce: a check reads what is written down of each order once, and of one that is changed asks Upstock
// once.
func TestEditedReadOnce(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id := w.approve(ofTwoLines)
		w.settle(id, time.Hour)
		time.Sleep(2 * time.Hour)
		w.turn(time.Minute)
		supplier := strconv.Itoa(w.acc.Upstock.Supplier)
		check := func(what string, wantReads, wantCalls int) {
			t.Helper()
			reads, since := 0, time.Now()
			w.onGet(func(_ *process, keys []table.Key) {
				for _, k := range keys {
					if k == w.item(id).Key {
						reads++
					}
				}
			})
			w.compare(time.Time{}, time.Time{})
			w.onGet(nil)
			if wantReads > 0 && reads != wantReads {
				t.Errorf("%s: the order is read %d times", what, reads)
			}
			if n := w.calls(sim.Upstock, supplier, "/orders/"+strconv.Itoa(id), since); n != wantCalls {
				t.Errorf("%s: %d calls", what, n)
			}
			time.Sleep(time.Hour)
		}
		check("as it was sold", 1, 0)
		if _, err := w.simUpstock.Edit(id, `{"reference":"PO-8"}`); err != nil {
			t.Fatal(err)
		}
		check("changed", 0, 1)
		if r := w.run(id); len(changesOf(r)) != 1 {
			t.Errorf("%q", changesOf(r))
		}
		check("as it was seen", 1, 0)
	})
}

// refusing is a table that takes some writes not.
type refusing struct {
	table.Table
	refuse func(table.Key) error
}

func (r refusing) Write(ctx context.Context, ops ...table.Op) error {
	for _, op := range ops {
		if err := r.refuse(op.Item.Key); err != nil {
			return err
		}
	}
	return r.Table.Write(ctx, ops...)
}

// TestEditedNotKept: where a change cannot be written down, orders are taken in and checked all the same, and it is
// kept as soon as that can be.
func TestEditedNotKept(t *testing.T) {
	for _, c := range []struct {
		name   string
		key    func(id int) string // of the item that cannot be written
		err    error
		hooked bool // a webhook brings the order too
	}{
		{"the order is too large", padded, ledger.ErrTooLarge, false},
		{"others write the list", func(int) string { return "edited" }, ledger.ErrBehind, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				id := w.approve(ofTwoLines)
				w.settle(id, time.Hour)
				time.Sleep(time.Hour)
				if _, err := w.simUpstock.Edit(id, `{"reference":"PO-8"}`); err != nil {
					t.Fatal(err)
				}
				lost := w.listed(time.Now(), "")
				time.Sleep(10 * time.Minute)
				w.meter.Table = refusing{w.store, func(k table.Key) error {
					if k.SK == c.key(id) && !strings.HasSuffix(k.PK, "#said") {
						return c.err
					}
					return nil
				}}
				if err := w.reconcile(); err != nil {
					t.Error(err)
				}
				if w.run(lost) == nil {
					t.Error("an order is not taken in")
				}
				if c.hooked {
					raw := must[simupstock.OrderSummary](w)(w.simUpstock.Order(id)).JSON
					var o map[string]any
					if err := json.Unmarshal(raw, &o); err != nil {
						t.Fatal(err)
					}
					o["approvedAt"] = time.Now().UTC().Format(time.RFC3339Nano)
					raw = must[[]byte](w)(json.Marshal(o))
					if _, err := w.pair().Approved(t.Context(), w.tenant, "msg_late", raw, raw); err != nil {
						t.Error(err)
					}
				}
				w.compare(time.Time{}, time.Time{})
				if w.run(id).Edits != nil {
					t.Error("kept: this tests nothing")
				}
				w.meter.Table = nil
				w.compare(time.Time{}, time.Time{})
				list, _, err := w.pair().Edited(t.Context(), w.tenant, 8)
				if w.run(id).Edits == nil || len(list) != 1 || err != nil {
					t.Errorf("%v, %v, %v", changesOf(w.run(id)), list, err)
				}
			})
		})
	}
}
