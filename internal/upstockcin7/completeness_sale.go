package upstockcin7

import (
	"slices"

	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/upstock"
)

// What is advised where an order seems to lack its sale. No advice makes a second
// one: where a sale is known that may be the order's, that one is looked at first;
// where none is, a new one is made by a retry, which looks again.
const (
	soldElsewhere = "It seems to be sold already: look at that sale in Cin7 Core. Do not enter or backfill the order if it is its own."
	takenUp       = "Do not enter the order again. Look at the sale in Cin7 Core that has its id, and retry the order: it is taken up if it is the order's."
	anotherSale   = "If the order should be sold all the same, retry it with a new sale, which looks in Cin7 Core first; else cancel it in Upstock."
)

// fixOf is a problem's own advice, but where that is another sale and one with the order's id stands.
func (x *joined) fixOf(p ledger.Problem) string {
	if len(x.live) > 0 && p.Code != "changedByOthers" && p.Code != "twoSales" {
		return "Cin7 Core has " + saleNames(x.live) + ". " + takenUp
	}
	return prose.Short(p.Fix)
}

func hasProblem(r *ledger.Run, code string) bool {
	return slices.ContainsFunc(r.Problems, func(p ledger.Problem) bool { return p.Code == code })
}

// revived reports whether Upstock lists an order as approved after its cancellation was heard of.
func (x *joined) revived() bool {
	return x.r != nil && !x.r.Cancelled.IsZero() && (x.o.Status == upstock.StatusProcessing || x.o.Status == upstock.StatusShipped) &&
		!x.o.Approved.IsZero() && x.o.Approved.After(x.r.Occurred)
}

// approvedSince says how an order stands that was approved after it was cancelled.
func (x *joined) approvedSince() {
	r := x.r
	stands := slices.ContainsFunc(x.live, func(s saleRow) bool { return s.ID == r.SaleID })
	switch {
	case r.CancelOpen() && !r.Ask.IsZero() && r.Failures == 0 && !r.Parked && x.now.Sub(r.Unsettled) < x.Times.Fresh:
		if x.class, x.why = underWay, askingUpstock; stands {
			x.class = "sold"
		}
	case stands:
		x.class = "sold"
	case hasProblem(r, cancelUnclear):
		x.say(true, DiffNotSold, r.Problems[0].Fix, "The order needs attention: %s", r.Problems[0].Message)
	case len(x.live) > 0:
		x.say(true, DiffNotSold, takenUp, "The order was cancelled and approved again in Upstock, and is not sold since. Cin7 Core has %s with its id.", saleNames(x.live))
	default:
		x.say(true, DiffNotSold, "Nothing: Upstock is asked, and the order is sold within minutes. If this stays, retry it.", "The order was cancelled and approved again in Upstock, and is not sold since.")
	}
}
