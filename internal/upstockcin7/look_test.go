package upstockcin7

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/ledger"
	"stockbridge/internal/upstockcin7/order"
)

// TestVerdict: what a look finds, by what Cin7 Core lists and by what is on record.
func TestVerdict(t *testing.T) {
	now := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	times := DefaultTimes()
	row := func(id string, status cin7core.Status) cin7core.SaleRow {
		return cin7core.SaleRow{SaleID: id, OrderNumber: "SO-" + id, Status: status}
	}
	stands := func(id string) cin7core.SaleRow { return row(id, "ORDERED") }
	voided := func(id string) cin7core.SaleRow { return row(id, "VOIDED") }
	// An open create whose deadline passed so long ago.
	open := func(ago time.Duration) ledger.Intent {
		return ledger.Intent{Seq: 1, Step: order.StepCreate, Deadline: now.Add(-ago)}
	}
	done := func(id string) ledger.Intent {
		return ledger.Intent{Seq: 2, Step: order.StepCreate, Answer: ledger.Done, Target: id}
	}
	long := times.Settle + time.Second
	for _, c := range []struct {
		name    string
		rows    []cin7core.SaleRow
		intents []ledger.Intent
		run     func(*order.Order)
		want    verdict
	}{
		{name: "nothing, and nothing was tried", want: verdict{finding: noSale}},
		{name: "nothing, the first time", intents: []ledger.Intent{open(long)},
			want: verdict{finding: noneYet, until: now.Add(times.Soon)}},
		{name: "nothing twice, too early", intents: []ledger.Intent{open(time.Minute)},
			run:  func(r *order.Order) { r.None = now },
			want: verdict{finding: noneYet, until: now.Add(times.Settle - time.Minute)}},
		{name: "nothing twice, the newest create too early", intents: []ledger.Intent{open(long), open(0)},
			run: func(r *order.Order) { r.None = now }, want: verdict{finding: noneYet, until: now.Add(times.Settle)}},
		{name: "nothing twice", intents: []ledger.Intent{open(long)}, run: func(r *order.Order) { r.None = now },
			want: verdict{finding: noSale}},
		{name: "one", rows: []cin7core.SaleRow{stands("a")}, intents: []ledger.Intent{open(0)},
			want: verdict{oneSale, []string{"a"}, "SO-a", time.Time{}}},
		{name: "one beside voided ones", rows: []cin7core.SaleRow{voided("b"), stands("a"), voided("c")},
			intents: []ledger.Intent{open(0)}, want: verdict{oneSale, []string{"a"}, "SO-a", time.Time{}}},
		{name: "one that is answered, and not listed yet", intents: []ledger.Intent{done("a")},
			want: verdict{oneSale, []string{"a"}, "", time.Time{}}},
		{name: "one answered, another listed", rows: []cin7core.SaleRow{stands("b")},
			intents: []ledger.Intent{done("a")},
			want:    verdict{finding: severalSales, sales: []string{"b", "a"}}},
		{name: "one that no create made", rows: []cin7core.SaleRow{voided("a"), stands("b")},
			intents: []ledger.Intent{done("a")},
			want:    verdict{somebodysSale, []string{"b"}, "SO-b", time.Time{}}},
		{name: "two", rows: []cin7core.SaleRow{stands("a"), stands("b")},
			want: verdict{finding: severalSales, sales: []string{"a", "b"}}},
		{name: "voided by us", rows: []cin7core.SaleRow{voided("a")},
			run:  func(r *order.Order) { r.Voided = []string{"a"} },
			want: verdict{finding: noSale}},
		{name: "voided by others", rows: []cin7core.SaleRow{voided("a")},
			want: verdict{voidedSale, []string{"a"}, "SO-a", time.Time{}}},
		{name: "voided by others, and a person wants a new one", rows: []cin7core.SaleRow{voided("a")},
			run: func(r *order.Order) { r.NewSale = true }, want: verdict{finding: noSale}},
		{name: "voided by others, of an order that was cancelled since", rows: []cin7core.SaleRow{voided("a")},
			run:  func(r *order.Order) { r.NewSale, r.Cancelled = true, now },
			want: verdict{voidedSale, []string{"a"}, "SO-a", time.Time{}}},
	} {
		r := &order.Order{Run: ledger.Run{Intents: c.intents}}
		if c.run != nil {
			c.run(r)
		}
		got := verdictOf(c.rows, r, times, now)
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(verdict{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// TestKept: of several sales the one with lines counts, else the one with the lowest number.
func TestKept(t *testing.T) {
	bare := func(number string) cin7core.Sale {
		return cin7core.Sale{ID: number, Order: cin7core.OrderDocument{SaleOrderNumber: number}}
	}
	full := func(number string) cin7core.Sale {
		s := bare(number)
		s.Order.Lines = []cin7core.OrderLine{{SKU: "TEA", Quantity: decimal.NewFromInt(1)}}
		return s
	}
	for _, c := range []struct {
		sales []cin7core.Sale
		kept  string
		full  []string
	}{
		{[]cin7core.Sale{bare("SO-10000"), bare("SO-9999")}, "SO-9999", nil},
		{[]cin7core.Sale{bare("SO-1"), full("SO-2"), bare("SO-3")}, "SO-2", []string{"SO-2"}},
		{[]cin7core.Sale{full("SO-2"), bare("SO-3"), full("SO-1")}, "SO-1", []string{"SO-1", "SO-2"}},
	} {
		one, all := kept(c.sales)
		var numbers []string
		for _, s := range all {
			numbers = append(numbers, s.ID)
		}
		if one.ID != c.kept || !slices.Equal(numbers, c.full) {
			t.Errorf("%v: %s is kept, and %v have lines", c.sales, one.ID, numbers)
		}
	}
}
