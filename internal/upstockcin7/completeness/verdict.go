package completeness

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
)

// joined is one approved order with all that is known of it.
type joined struct {
	o     orderRow
	r     *order.Order // nil = it is not written down
	key   string       // its id, as its page has it; "" = it has no usable one
	sales []saleRow    // that carry its id
	own   *saleRow     // the one that the run chose, as listed or read; nil = neither

	unsure bool // own is not listed, and there are too many such to read each
	asked  bool // the order was read by itself, or can not be
	silent bool // Upstock is told of no shipments now, as a person has paused them

	// What holds for all orders of a check.
	up       tenant.Connection
	account  string // of Cin7 Core
	settings sale.Settings
	from     time.Time      // the beginning of the period
	salesAt  time.Time      // when the first page of the sales was asked for
	fresh    time.Duration  // an order may be under way so long before it counts as missing
	settle   time.Duration  // a sale may show in the list so much later
	zone     *time.Location // in which days are counted
	now      time.Time
}

// verdict is what an order comes to.
type verdict struct {
	needs   needs // a record that must be read first: then nothing else of it counts
	class   class
	why     string   // classUnderWay
	sale    *saleRow // classSold: the sale that the run chose, where it is known
	diffs   []Difference
	missing bool // without its sale, or shipped and not told
}

type needs int

const (
	needsNothing needs = iota
	needsSale          // the one that the run chose
	needsOrder         // as Upstock has it now
)

// class is what an approved order counts as; "" = nothing of these.
type class string

const (
	classSold      class = "sold"
	classCancelled class = "cancelled"
	classUnderWay  class = "underWay" // not sold yet and worked on: no difference
)

// verdictOf decides what an order comes to, from what is known of it and nothing else.
func verdictOf(j joined) verdict {
	x := judging{joined: j}
	for _, s := range j.sales {
		if s.live() && (j.r == nil || !slices.Contains(j.r.Voided, s.ID)) {
			x.live = append(x.live, s)
		}
	}
	switch {
	case j.revived():
		x.approvedSince()
	case j.o.Status == upstock.StatusCancelled, j.r != nil && !j.r.Cancelled.IsZero():
		x.cancelled()
	case j.r == nil:
		x.unknown()
	case j.r.SoldAt.IsZero():
		x.unsold()
	default:
		x.sold()
	}
	return x.verdict
}

// leftOut reports whether an order that is not here is none of a check's business: its approval was taken back and
// nothing came of it, or it was approved before the period.
func (j *joined) leftOut() bool {
	if j.r != nil {
		return false
	}
	takenBack := j.o.Status == upstock.StatusOrdered || j.o.Status == upstock.StatusScheduled
	return takenBack && len(j.sales) == 0 || j.approvedBefore()
}

// approvedBefore reports whether the order was approved before the period.
func (j *joined) approvedBefore() bool { return !j.o.Approved.IsZero() && j.o.Approved.Before(j.from) }

// otherAccount reports whether the order was sold in another Cin7 Core account than the one connected.
func (j *joined) otherAccount() bool { return j.r.Account != "" && j.r.Account != j.account }

// revived reports whether Upstock lists an order as approved after its cancellation was heard of.
func (j *joined) revived() bool {
	return j.r != nil && !j.r.Cancelled.IsZero() &&
		(j.o.Status == upstock.StatusProcessing || j.o.Status == upstock.StatusShipped) &&
		!j.o.Approved.IsZero() && j.o.Approved.After(j.r.Occurred)
}

// judging is a verdict in the making.
type judging struct {
	joined
	verdict
	live []saleRow // the sales that stand, but for those that we voided
}

// say adds a difference.
func (x *judging) say(missing bool, code, fix, format string, args ...any) {
	d := Difference{Code: code, Message: fmt.Sprintf(format, args...), Fix: fix, Order: x.key, Number: x.o.Number}
	if x.r != nil {
		d.SaleID, d.Sale = x.r.SaleID, x.r.SaleNumber
	}
	x.diffs = append(x.diffs, d)
	x.missing = x.missing || missing
}

// What is advised where an order seems to lack its sale. No advice makes a second one: where a sale is known that may
// be the order's, that one is looked at first; where none is, a new one is made by a retry, which looks again.
const (
	soldElsewhere = "It seems to be sold already: look at that sale in Cin7 Core. Do not enter or backfill the order " +
		"if it is its own."
	takenUp = "Do not enter the order again. Look at the sale in Cin7 Core that has its id, and retry the " +
		"order: it is taken up if it is the order's."
	anotherSale = "If the order should be sold all the same, retry it with a new sale, which looks in Cin7 Core " +
		"first; else cancel it in Upstock."
)

// fixOf is a problem's own advice, but where that is another sale and one with the order's id stands.
func (x *judging) fixOf(p ledger.Problem) string {
	if len(x.live) > 0 && p.Code != "changedByOthers" && p.Code != "twoSales" {
		return "Cin7 Core has " + saleNames(x.live) + ". " + takenUp
	}
	return prose.Short(p.Fix)
}

func hasProblem(r *order.Order, code string) bool {
	return slices.ContainsFunc(r.Problems, func(p ledger.Problem) bool { return p.Code == code })
}

// approvedSince says how an order stands that was approved after it was cancelled.
func (x *judging) approvedSince() {
	r := x.r
	switch {
	case x.lives(r.SaleID):
		x.class = classSold
	case r.CancelOpen() && !r.Ask.IsZero() && r.Failures == 0 && !r.Parked && x.now.Sub(r.Unsettled) < x.fresh:
		x.class, x.why = classUnderWay, order.AskingUpstock
	case r.HeldBack() == order.OrdersFlow: // a person wants it so
		x.class, x.why = classUnderWay, r.Why
	case hasProblem(r, order.CancelUnclear):
		x.say(true, DiffNotSold, r.Problems[0].Fix, "The order needs attention: %s", r.Problems[0].Message)
	case len(x.live) > 0:
		x.say(true, DiffNotSold, takenUp,
			"The order was cancelled and approved again in Upstock, and is not sold since. Cin7 Core has %s "+
				"with its id.", saleNames(x.live))
	default:
		x.say(true, DiffNotSold, "Nothing: Upstock is asked, and the order is sold within minutes. If this "+
			"stays, retry it.", "The order was cancelled and approved again in Upstock, and is not sold since.")
	}
}

// unknown: the order is not written down here.
func (x *judging) unknown() {
	before := x.o.Approved.Before(x.up.Beginning())
	sold := ""
	if x.o.External != "" {
		sold = " Upstock shows it as " + x.o.External + "."
	} else if len(x.live) > 0 {
		sold = " Cin7 Core has " + saleNames(x.live) + " with its id."
	}
	switch {
	case x.o.ID == "" && sold != "":
		x.say(true, DiffMissing, soldElsewhere+" Tell Upstock's support.",
			"Upstock lists an approved order without a usable id.%s", sold)
	case x.o.ID == "":
		x.say(true, DiffMissing, "Look in Cin7 Core whether it was sold; if not, enter it there by hand. Tell "+
			"Upstock's support.", "Upstock lists an approved order without a usable id.")
	case sold != "" && (before || x.o.Approved.IsZero()):
		x.say(true, DiffMissing, soldElsewhere, "The order was not taken in.%s", sold)
	case x.o.Approved.IsZero():
		x.say(true, DiffMissing, "Backfill it.",
			"Upstock lists the order without a readable time of approval, and it was not taken in.%s", sold)
	case before && x.o.Status == upstock.StatusShipped:
		x.say(true, DiffMissing, "Nothing, if it was sold without Stockbridge: a backfill leaves out what is shipped.",
			"The order was approved before Upstock was connected, is shipped, and was not taken in.%s", sold)
	case before:
		x.say(true, DiffMissing, "Backfill it if it should be sold through Stockbridge.",
			"The order was approved before Upstock was connected, and was not taken in.%s", sold)
	case !x.up.Takes(x.o.Approved) && x.o.Status == upstock.StatusShipped:
		x.say(true, DiffMissing, "Nothing, if it was sold without Stockbridge: a backfill leaves out what is shipped.",
			"The order was approved while a connection was away, is shipped, and was not taken in.%s", sold)
	case !x.up.Takes(x.o.Approved):
		x.say(true, DiffMissing, "Look whether somebody entered it by hand; else backfill its day.",
			"The order was approved while a connection was away, and was not taken in.%s", sold)
	case x.now.Sub(x.o.Approved) < x.fresh:
		x.class, x.why = classUnderWay, "Approved in Upstock just now."
	default:
		x.say(true, DiffMissing, "Nothing: it is taken in within minutes. If this stays, backfill its day, and test "+
			"the webhook in Upstock.", "The order was approved in Upstock, but no webhook brought it.%s", sold)
	}
}

// unsold: work goes on for a while before it counts as a difference.
func (x *judging) unsold() {
	r := x.r
	age := x.now.Sub(job.Latest(r.Received, x.o.Approved))
	smooth := !r.Parked && r.Failures == 0
	switch {
	case r.State == ledger.Attention && len(r.Problems) > 0:
		more := ""
		if n := len(r.Problems) - 1; n > 0 {
			more = fmt.Sprintf(" (and %d more)", n)
		}
		x.say(true, DiffNotSold, x.fixOf(r.Problems[0]), "The order needs attention: %s%s",
			prose.Short(r.Problems[0].Message), more)
	case r.HeldBack() != "": // a person wants it so
		x.class, x.why = classUnderWay, r.Why
	case r.State != ledger.Attention && (age < x.fresh || r.Lease.Until.After(x.now) ||
		smooth && age < 6*x.fresh):
		x.class, x.why = classUnderWay, cmp.Or(r.Why, "It is being worked on.")
	default:
		why := ""
		if r.Why != "" {
			why = ": " + prose.Short(r.Why)
		}
		x.say(true, DiffNotSold, "Look at the order's page; retry it if nothing moves.",
			"The order is not sold yet. It is %s%s", r.State, why)
	}
}

// cancelled: in Upstock, or so it was heard.
func (x *judging) cancelled() {
	r := x.r
	x.class = classCancelled
	if r != nil && !r.SoldAt.IsZero() && !x.otherAccount() && !x.lives(r.SaleID) {
		if x.lacksSale() {
			return
		}
		if x.own != nil && x.own.live() {
			x.live = append(x.live, *x.own)
		}
	}
	if len(x.live) == 0 || x.beingVoided() {
		return
	}
	shipped := ""
	if slices.ContainsFunc(x.live, func(s saleRow) bool {
		return s.Shipping.Is(cin7core.Shipped, cin7core.PartiallyShipped)
	}) {
		shipped = " It is shipped, or in part."
	}
	x.say(false, DiffCancelledWithSale, "Void the sale in Cin7 Core if it should not be delivered.",
		"The order is cancelled in Upstock, and its sale stands in Cin7 Core: %s.%s", saleNames(x.live), shipped)
}

// lives reports whether a sale is among those that stand.
func (x *judging) lives(id string) bool {
	return slices.ContainsFunc(x.live, func(s saleRow) bool { return s.ID == id })
}

// beingVoided reports whether the sale of a cancelled order is about to go by itself.
func (x *judging) beingVoided() bool {
	r := x.r
	return r != nil && !r.Cancelled.IsZero() && x.now.Sub(r.Cancelled) < x.fresh &&
		(r.Void || r.CancelOpen() && x.settings.OnCancel == sale.Void || r.SoldAt.IsZero())
}

// lacksSale reports whether the sale that the run chose has to be read first. The list may have missed it, or it may be
// older than the order's approval. Where it was sold when the list was being read, it is taken to be there.
func (x *judging) lacksSale() bool {
	if x.own == nil && !x.r.SoldAt.After(x.salesAt.Add(-x.settle)) {
		x.needs = needsSale
		return true
	}
	return false
}

// sold: the order has its sale, as far as the ledger knows.
func (x *judging) sold() {
	r := x.r
	x.class = classSold
	x.totals()
	if x.otherAccount() {
		x.say(false, DiffOtherAccount, "Nothing, if the account was changed on purpose.",
			"The order was sold as %s in another Cin7 Core account than the one connected now: its sale is "+
				"not compared.", r.SaleNumber)
		return
	}
	if x.lacksSale() || x.own == nil {
		return
	}
	x.sale = x.own
	others := slices.DeleteFunc(slices.Clone(x.live), func(s saleRow) bool { return s.ID == r.SaleID })
	if !x.sale.live() {
		x.lost(others)
		return
	}
	if len(others) > 0 {
		all := append(others, *x.sale)
		x.say(false, DiffTwoSales, "Void the ones that should not be there in Cin7 Core.",
			"Cin7 Core has %d sales of this order: %s. Its own is %s.", len(all), saleNames(all), r.SaleNumber)
	}
	x.shipping()
}

// lost: the order's sale is gone, or voided; others with its id may stand.
func (x *judging) lost(others []saleRow) {
	x.class = ""
	fix, beside, number := anotherSale, "", x.r.SaleNumber
	if len(others) > 0 {
		fix, beside = takenUp, " Beside it there is "+saleNames(others)+" with the order's id."
	}
	switch {
	case !x.sale.Gone:
		x.say(true, DiffSaleVoided, fix, "The sale %s of this order was voided in Cin7 Core.%s", number, beside)
	case !x.unsure:
		x.say(true, DiffSaleMissing, fix, "The order was sold as %s, and Cin7 Core does not have that sale.%s", number,
			beside)
	default:
		if len(others) == 0 {
			fix = "Look for the sale in Cin7 Core by its number; it may be there all the same."
		}
		x.say(true, DiffSaleMissing, fix, "The order was sold as %s, and Cin7 Core does not list that sale.%s", number,
			beside)
	}
}

// totals compares what the order costs with what its sale does.
func (x *judging) totals() {
	r := x.r
	sold, err := decimal.NewFromString(r.SaleTotal)
	order, oerr := decimal.NewFromString(cmp.Or(r.Total, x.o.Total))
	reckoned, _ := decimal.NewFromString(cmp.Or(r.Rounding, "0"))
	if err == nil && oerr == nil && sale.TooFarApart(sold, order, reckoned, x.settings.TotalTolerance) {
		x.say(false, DiffTotalDiffers, "Compare the sale with the order.",
			"The order's total is %s, its sale %s was sold with %s.", order.StringFixed(2), r.SaleNumber,
			sold.StringFixed(2))
		return
	}
	if r.Total != "" && x.o.Total != r.Total {
		x.say(false, DiffTotalDiffers, "Compare the sale with the order.",
			"Upstock shows the order with a total of %s now; it was %s when it was sold.", x.o.Total, r.Total)
	}
}

// told is what of an order's shipping Upstock was told.
type told struct {
	parcels  int // that it took and that are still shipped
	complete bool
	refused  string
	gone     []string
	tracking []string
}

func toldOf(r *order.Order) (t told) {
	for _, p := range r.Parcels {
		switch {
		case p.Gone && !p.Known:
			t.gone = append(t.gone, p.Label)
		case p.Gone:
		case p.Refused != "":
			t.refused = p.Refused
		case p.Hash != "":
			t.parcels++
			t.complete = t.complete || p.Complete
			if p.Tracking != "" && !slices.Contains(t.tracking, p.Tracking) {
				t.tracking = append(t.tracking, p.Tracking)
			}
		}
	}
	return t
}

// shipping compares what is shipped with what Upstock was told, and shows.
func (x *judging) shipping() {
	t := toldOf(x.r)
	if x.whole() && t.complete && t.refused == "" && !x.done() && !x.asked {
		x.needs = needsOrder
		return
	}
	x.untold(t)
	x.unshipped(t)
}

// whole and shipped report whether the sale is shipped, as a whole or at least in part.
func (x *judging) whole() bool   { return x.sale.Shipping.Is(cin7core.Shipped) }
func (x *judging) shipped() bool { return x.whole() || x.sale.Shipping.Is(cin7core.PartiallyShipped) }

// done reports whether Upstock shows the order as shipped.
func (x *judging) done() bool { return x.o.Status == upstock.StatusShipped }

// just reports whether the sale changed a moment ago.
func (x *judging) just() bool { return x.now.Sub(job.Latest(x.sale.Updated, x.r.SoldAt)) < x.fresh }

// untold: shipped in Cin7 Core, and not in Upstock.
func (x *judging) untold(t told) {
	r := x.r
	switch {
	case t.refused != "":
		x.say(true, DiffNotTold, "Look at the order in Upstock. Retry when it would take the shipment.",
			"%s is shipped in Cin7 Core, and Upstock does not take the shipment: %s", r.SaleNumber,
			prose.Short(t.refused))
	case x.whole() && t.complete && !x.done():
		x.say(true, DiffNotTold, "Look at the order in Upstock: somebody may have changed it there.",
			"%s is shipped in Cin7 Core and Upstock was told, but it shows the order as %s.", r.SaleNumber,
			cmp.Or(x.o.Status, "unknown"))
	case x.overdue(t):
		why, fix := "this is told within minutes", "Nothing, unless it stays."
		if !r.ReadingDue() && x.sale.Updated.Equal(r.Seen) {
			why, fix = "the sale itself shows no such shipment", "Look at the sale's shipments in Cin7 Core."
		} else if r.Parked || r.Failures > 0 {
			why = cmp.Or(strings.TrimSuffix(r.Why, "."), "it did not work so far")
		}
		x.say(true, DiffNotTold, fix, "%s is shipped in Cin7 Core, or in part, and Upstock is not told yet: %s.",
			r.SaleNumber, prose.Short(why))
	}
}

// overdue reports whether Upstock should have been told by now.
func (x *judging) overdue(t told) bool {
	r := x.r
	// the list says less than a reading of the sale did
	stale := x.sale.Updated.Before(r.Seen) && !r.Seen.After(x.now.Add(job.FarAhead)) && !r.ReadingDue()
	paused := x.silent || r.HeldBack() != "" // a person wants it so
	if !x.shipped() || stale || x.just() || paused {
		return false
	}
	if x.whole() {
		return !t.complete
	}
	return t.parcels == 0 || r.ReadingDue()
}

// unshipped: shipped in Upstock, and not in Cin7 Core.
func (x *judging) unshipped(t told) {
	r := x.r
	switch {
	case len(t.gone) > 0:
		x.say(false, DiffShippedNotInCin7,
			"Tell the customer: Upstock cannot take a shipment back. If it is shipped again, that is told by itself.",
			"Upstock was told of a shipment of %s that is not shipped any more in Cin7 Core: %s.", r.SaleNumber,
			prose.Short(strings.Join(t.gone, "; ")))
	case x.done() && !x.shipped() && len(r.Parcels) == 0:
		x.say(false, DiffShippedNotInCin7, "Ship the sale in Cin7 Core, if its goods have left.",
			"Upstock shows the order as shipped, and its sale %s is not shipped in Cin7 Core.", r.SaleNumber)
	case t.parcels > 0 && !x.shipped() && !x.just() && x.sale.Updated.After(r.Seen):
		x.say(false, DiffShippedNotInCin7, "Nothing, unless it stays: the sale is looked at again.",
			"Upstock was told that %s is shipped, and Cin7 Core does not list it as shipped.", r.SaleNumber)
	}
}

// saleNames lists sales' numbers.
func saleNames(list []saleRow) string {
	var out []string
	for _, s := range list {
		out = append(out, cmp.Or(s.Number, s.ID))
	}
	slices.Sort(out)
	if len(out) > 10 {
		out = append(out[:10], fmt.Sprintf("and %d more", len(out)-10))
	}
	return strings.Join(out, ", ")
}
