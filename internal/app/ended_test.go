package app

import (
	"testing"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/upstockcin7/order"
)

// TestOrderEnded: an order counts as done once, and as what it is before that.
func TestOrderEnded(t *testing.T) {
	now := time.Now()
	in := func(s ledger.State, soldAt time.Time) *order.Order {
		return &order.Order{Run: ledger.Run{State: s}, SoldAt: soldAt, SaleNumber: "SO-1"}
	}
	for _, c := range []struct {
		name string
		o    *order.Order
		want Result
	}{
		{"sold", in(order.Sold, now), Done},
		{"told of it an hour later", in(order.Sold, now.Add(-time.Hour)), Later},
		{"shipped", in(order.Shipped, now.Add(-time.Hour)), Later},
		{"cancelled, never sold", in(order.Cancelled, time.Time{}), Later},
		{"waits", in(ledger.Waiting, time.Time{}), Waits},
		{"received", in(ledger.Received, time.Time{}), Waits},
		{"a person's", in(ledger.Attention, time.Time{}), Stopped},
		{"a person's, after it was sold", in(ledger.Attention, now), Stopped},
	} {
		if e := orderEnded(c.o, now); e.Result != c.want || e.Made != "SO-1" || e.Run != &c.o.Run {
			t.Errorf("%s: %+v", c.name, e)
		}
	}
}
