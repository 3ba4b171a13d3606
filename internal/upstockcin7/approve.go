package upstockcin7

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/order"
)

// again meets an approval of an order that is written down already. raw is the
// order as it came with it; nil = it is read.
func (p *Pair) again(ctx context.Context, old *order.Order, o upstock.Order, raw json.RawMessage) error {
	a := order.Approval{At: o.ApprovedAt, Whole: raw != nil}
	if a.Whole && contradiction(o, nil).Code == "" {
		a.Fresh = raw
	}
	return p.marks.Approve(ctx, old, a)
}

// confirms reports whether Upstock's order, as read, bears out the newest approval that was heard of.
func confirms(o upstock.Order, approved time.Time) bool {
	return approvedNow(o) && !earlier(o.ApprovedAt, approved)
}

// reopen makes a sold order one that is to be sold again: its sale is voided, or gone.
func reopen(r *order.Order) {
	if r.SaleNumber != "" {
		r.Former = append(r.Former, r.SaleNumber)
	}
	gone(r, r.SaleID)
	r.SoldAt, r.SaleTotal, r.Told, r.ReadBack, r.AutoPick, r.Unpicked, r.Copied = time.Time{}, "", false, false, "",
		nil, false
	r.Readings, r.Seen, r.Listed, r.Stale, r.Void = r.Asked, time.Time{}, "", 0, false
	r.Looked, r.None, r.Foreign = time.Time{}, time.Time{}, false
	r.Kept, r.Edits, r.Sums = nil, nil, nil // of the sale that it has no more
	r.State, r.Problems, r.Why, r.Reread = ledger.Working, nil, "", true
}

// formerly reports whether a number is that of a sale of ours which the order has no more.
func formerly(r *order.Order, number string) bool {
	return slices.ContainsFunc(r.Former, func(n string) bool { return strings.EqualFold(n, strings.TrimSpace(number)) })
}
