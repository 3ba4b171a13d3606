package completeness

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/cin7core"
)

// TestDays: orders count on the day of their approval in the tenant's zone; those without one, and of before the
// period, on none.
func TestDays(t *testing.T) {
	zone, err := time.LoadLocation("Pacific/Auckland")
	if err != nil {
		t.Fatal(err)
	}
	at := func(s string) time.Time {
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			panic(err)
		}
		return t
	}
	shipped := verdict{class: classSold, sale: &saleRow{Shipping: cin7core.Shipped}}
	var r Report
	for approved, v := range map[string]verdict{
		"2026-11-26T10:59:59Z": {class: classSold}, // 23:59 in Auckland
		"2026-11-26T11:00:00Z": shipped,            // the next day there
		"2026-11-26T12:00:00Z": {missing: true},
		"2026-11-24T12:00:00Z": {class: classCancelled},
		"2026-11-20T00:00:00Z": {missing: true}, // before the period
	} {
		r.count(joined{o: orderRow{Approved: at(approved)}, from: at("2026-11-21T00:00:00Z"), zone: zone}, v)
	}
	r.count(joined{zone: zone}, verdict{class: classUnderWay})
	want := []Day{
		{"2026-11-25", Counts{Approved: 1, Cancelled: 1}}, {"2026-11-26", Counts{Approved: 1, Sold: 1}},
		{"2026-11-27", Counts{Approved: 2, Sold: 1, Shipped: 1, Missing: 1}},
	}
	if diff := cmp.Diff(want, r.Days); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(Counts{Approved: 5, Sold: 2, Shipped: 1, Cancelled: 1, UnderWay: 1, Missing: 2},
		r.Counts); diff != "" {
		t.Error(diff)
	}
}

// TestEarlierDays: a report has two weeks of days, of its own accounts alone, and one that came to nothing loses none.
func TestEarlierDays(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 11, n, 12, 0, 0, 0, time.UTC) }
	days := func(from, to, approved int) (list []Day) {
		for n := from; n <= to; n++ {
			list = append(list, Day{day(n).Format(time.DateOnly), Counts{Approved: approved}})
		}
		return list
	}
	own := Report{From: day(21), To: day(27), Started: day(27), Checked: day(27), Days: days(21, 25, 2),
		Accounts: "a"}
	// nothing was approved on the last two
	after := append(days(21, 25, 2), days(26, 27, 0)...)
	for name, c := range map[string]struct {
		report Report
		old    string
		want   []Day
	}{
		"earlier days stand": {own, "a", append(days(14, 20, 1), after...)},
		"other accounts":     {own, "b", after},
		"no answer":          {Report{From: day(21), To: day(27), Accounts: "a"}, "a", days(14, 27, 1)},
	} {
		r := c.report
		r.keepEarlier(Report{Days: days(1, 27, 1), Accounts: c.old}, time.UTC)
		if diff := cmp.Diff(c.want, r.Days); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
