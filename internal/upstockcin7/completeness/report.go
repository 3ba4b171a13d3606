package completeness

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/order"
)

// Report is what a check of one period found; where there was none yet, what is to be said of that.
//
// The standing period is the last 7 calendar days in the tenant's time zone, today included, but nothing from before
// Upstock was connected. Any other period is checked when a person asks for it.
type Report struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"` // not of the period any more

	Standing    bool         `json:"standing,omitempty"`
	Started     time.Time    `json:"started,omitzero"` // orders approved from then on are not compared
	Checked     time.Time    `json:"checked,omitzero"` // zero = never
	Counts      Counts       `json:"counts"`
	Differences []Difference `json:"differences,omitempty"` // the first ones, at most 1,000
	Found       int          `json:"found,omitempty"`       // how many there are
	Problem     string       `json:"problem,omitempty"`     // why the last check did not come to its end

	// Days count the orders by the day of their approval, oldest first. The standing report has two weeks of days: one
	// that is not of its period any more stands as it was when it last was. A day that is not there was not compared.
	Days []Day `json:"days,omitempty"`

	Rows []string `json:"rows,omitempty"` // names of the parts that hold a row for each order

	Accounts string `json:"accounts,omitempty"` // that were compared; "" = an earlier version did not say

	Running  bool   `json:"-"`
	Progress string `json:"-"` // Running: how far it is
	Summary  string `json:"-"` // "0 missing, checked 3 min ago: …", and what that covers
}

// Counts count a period's approved orders. Each is one of sold, cancelled, under way, or missing without a sale.
type Counts struct {
	Approved      int `json:"approved"`
	Sold          int `json:"sold"`          // have their sale
	Shipped       int `json:"shipped"`       // of these, wholly shipped in Cin7 Core
	PartlyShipped int `json:"partlyShipped"` // of these, in part
	Cancelled     int `json:"cancelled"`
	UnderWay      int `json:"underWay"` // not sold yet and worked on: no difference
	Missing       int `json:"missing"`  // without their sale, or shipped and not told
	UpstockCalls  int `json:"upstockCalls"`
	Cin7Calls     int `json:"cin7Calls"` // Cin7 Core
}

// Day counts the orders that were approved on one day; it knows of no calls.
type Day struct {
	Day    string `json:"day"` // as 2026-11-27, in the tenant's time zone
	Counts Counts `json:"counts"`
}

// keepDays is how many days a standing report has.
const keepDays = 14

// on is the day of an approval.
func (r *Report) on(approved time.Time, zone *time.Location) *Day {
	day := approved.In(zone).Format(time.DateOnly)
	at, found := slices.BinarySearchFunc(r.Days, day,
		func(d Day, day string) int { return strings.Compare(d.Day, day) })
	if !found {
		r.Days = slices.Insert(r.Days, at, Day{Day: day})
	}
	return &r.Days[at]
}

// keepEarlier completes a standing report's days: by those of its period without an order, and by earlier ones as an
// older report has them.
func (r *Report) keepEarlier(old Report, zone *time.Location) {
	earlier := old.Days
	if old.Accounts != r.Accounts {
		earlier = nil
	}
	if !r.Checked.IsZero() {
		for at := r.From; at.Before(r.Started); at = at.AddDate(0, 0, 1) {
			r.on(at, zone)
		}
		r.on(r.Started, zone)
		from := r.From.In(zone).Format(time.DateOnly)
		earlier = slices.DeleteFunc(slices.Clone(earlier), func(d Day) bool { return d.Day >= from })
	}
	first := r.To.In(zone).AddDate(0, 0, 1-keepDays).Format(time.DateOnly)
	r.Days = slices.DeleteFunc(slices.Concat(earlier, r.Days), func(d Day) bool { return d.Day < first })
}

// Codes of differences.
const (
	DiffMissing           = "missing"           // not written down here
	DiffNotSold           = "notSold"           // written down, and no sale for a while
	DiffSaleMissing       = "saleMissing"       // sold, and Cin7 Core does not have the sale
	DiffSaleVoided        = "saleVoided"        // sold, and the sale is voided
	DiffTwoSales          = "twoSales"          // several live sales carry the order's id
	DiffTotalDiffers      = "totalDiffers"      // by more than the tenant's tolerance
	DiffNotTold           = "notTold"           // shipped in Cin7 Core, not in Upstock
	DiffShippedNotInCin7  = "shippedNotInCin7"  // shipped in Upstock, not in Cin7 Core
	DiffCancelledWithSale = "cancelledWithSale" // cancelled in Upstock, and its sale stands
	// a live sale with an order's id that neither Upstock's list nor the ledger has
	DiffUnknownSale = "unknownSale"
	// sold in another Cin7 Core account than the one connected now: not compared
	DiffOtherAccount = "otherAccount"
)

// Difference is one thing that does not agree, in plain words.
type Difference struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Fix     string `json:"fix"`
	Order   string `json:"order,omitempty"` // Upstock's id
	Number  string `json:"number,omitempty"`
	SaleID  string `json:"saleId,omitempty"`
	Sale    string `json:"sale,omitempty"` // numbers, with commas where there are several
}

// Row is one approved order of a period, as a check found it.
type Row struct {
	Order      string       `json:"order"` // from Upstock's list, as the next five
	Number     string       `json:"number,omitempty"`
	Reference  string       `json:"reference,omitempty"`
	Approved   time.Time    `json:"approved,omitzero"`
	Total      string       `json:"total,omitempty"` // two decimals, as the next two; "" = not known
	Currency   string       `json:"currency,omitempty"`
	State      ledger.State `json:"state,omitempty"` // from the ledger, as the next two; "" = not written down
	SaleNumber string       `json:"saleNumber,omitempty"`
	SaleTotal  string       `json:"saleTotal,omitempty"` // as read when it was sold
	Difference string       `json:"difference,omitempty"`
	Parcels    int          `json:"parcels,omitempty"`  // that Upstock was told of and took
	Tracking   string       `json:"tracking,omitempty"` // of these
	Complete   bool         `json:"complete,omitempty"` // Upstock was told that all is shipped
	Codes      []string     `json:"codes,omitempty"`    // of its differences, or "underWay"
	Reason     string       `json:"reason,omitempty"`
}

// The progress of a check that was asked for and has not begun, and of one that cannot go on.
const (
	waitingCheck = "Waiting for its turn."
	parkedCheck  = "It goes on when both systems are connected."
)

func (r *Report) summary(now time.Time, b tenant.Bundle) string {
	if r.Checked.IsZero() {
		switch {
		case r.Progress == waitingCheck:
			return "Not checked yet; a check waits for its turn."
		case r.Progress == parkedCheck:
			return "Not checked yet; a check waits until both systems are connected."
		case r.Running:
			return "Not checked yet; a check is running."
		}
		return "Not checked yet."
	}
	text := prose.Count(r.Counts.Missing) + " missing"
	switch {
	case r.Found == 1:
		text += ", 1 difference"
	case r.Found > 0:
		text += ", " + prose.Count(r.Found) + " differences"
	}
	return text + ", checked " + ago(now.Sub(r.Checked)) + ": " + r.covers(b)
}

// covers says what was looked at, and what of the time since the supplier was
// connected was not.
func (r *Report) covers(b tenant.Bundle) string {
	const form = "2 January 2006 15:04"
	zone, to := b.Tenant.Zone(), r.To
	if !r.Started.IsZero() && r.Started.Before(to) {
		to = r.Started
	}
	orders := "no order was"
	switch r.Counts.Approved {
	case 0:
	case 1:
		orders = "1 order,"
	default:
		orders = prose.Count(r.Counts.Approved) + " orders,"
	}
	text := fmt.Sprintf("%s approved from %s to %s (%s).", orders, r.From.In(zone).Format(form),
		to.In(zone).Format(form), zone)
	if r.Standing {
		for _, g := range b.Connections[tenant.Upstock].Gaps {
			if g.From.Before(r.From) && g.Open() {
				text += " " + order.GapText(b.Tenant, g)
			}
		}
	}
	return text
}

func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", d/time.Hour)
	}
	return fmt.Sprintf("%d days ago", d/(24*time.Hour))
}

// count counts an order; of one that was approved before the period, only what differs.
func (r *Report) count(j joined, v verdict) {
	r.Counts.add(v, !j.approvedBefore())
	if !j.approvedBefore() && !j.o.Approved.IsZero() {
		r.on(j.o.Approved, j.zone).Counts.add(v, true)
	}
	for _, d := range v.diffs {
		r.add(d)
	}
}

// add counts an order; one that is not of the period only where it is missing.
func (n *Counts) add(v verdict, ofPeriod bool) {
	if v.missing {
		n.Missing++
	}
	if !ofPeriod {
		return
	}
	n.Approved++
	switch v.class {
	case classSold:
		n.Sold++
		if v.sale != nil && v.sale.Shipping.Is(cin7core.Shipped) {
			n.Shipped++
		} else if v.sale != nil && v.sale.Shipping.Is(cin7core.PartiallyShipped) {
			n.PartlyShipped++
		}
	case classCancelled:
		n.Cancelled++
	case classUnderWay:
		n.UnderWay++
	}
}

const (
	maxDifferences = 1000
	diffBytes      = 200_000 // a report is one document
)

// add adds a difference, unless one was left out already.
func (r *Report) add(d Difference) {
	r.Found++
	if r.Found > len(r.Differences)+1 || len(r.Differences) >= maxDifferences {
		return
	}
	r.Differences = append(r.Differences, d)
	if len(r.Differences)%50 == 0 || len(d.Message) > 500 {
		if data, err := json.Marshal(r.Differences); err != nil || len(data) > diffBytes {
			r.Differences = r.Differences[:len(r.Differences)-1]
		}
	}
}

func rowOf(j joined, v verdict) Row {
	o := j.o
	row := Row{Order: j.key, Number: o.Number, Reference: o.Reference, Approved: o.Approved, Total: o.Total,
		Currency: o.Currency}
	var reasons []string
	if v.class == classUnderWay {
		row.Codes, reasons = []string{string(classUnderWay)}, []string{prose.Short(v.why)}
	}
	for _, d := range v.diffs {
		if !slices.Contains(row.Codes, d.Code) {
			row.Codes = append(row.Codes, d.Code)
		}
		reasons = append(reasons, d.Message)
	}
	row.Reason = strings.Join(reasons, " ")
	if r := j.r; r != nil {
		t := toldOf(r)
		row.State, row.SaleNumber, row.SaleTotal = r.State, r.SaleNumber, r.SaleTotal
		row.Parcels, row.Tracking, row.Complete = t.parcels, strings.Join(t.tracking, ", "), t.complete
		sale, err := decimal.NewFromString(r.SaleTotal)
		order, oerr := decimal.NewFromString(o.Total)
		if err == nil && oerr == nil {
			row.Difference = sale.Sub(order).StringFixed(2)
		}
	}
	return row
}
