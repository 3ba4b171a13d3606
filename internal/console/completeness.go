package console

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/completeness"
)

// completenessAnswer is what a check of one period found.
type completenessAnswer struct {
	From             string             `json:"from"` // days in the tenant's time zone, both included
	To               string             `json:"to"`
	Standing         bool               `json:"standing"`
	Since            time.Time          `json:"since"` // the same as instants: since ≤ approved < until
	Until            time.Time          `json:"until"`
	Summary          string             `json:"summary"`
	CheckedAt        *time.Time         `json:"checkedAt"`
	Running          bool               `json:"running"`
	Progress         *string            `json:"progress"`
	Problem          *string            `json:"problem"`
	Counts           *orderCounts       `json:"counts"` // null until it is checked
	Calls            *callCounts        `json:"calls"`
	Days             []dayCounts        `json:"days"`
	Differences      []differenceAnswer `json:"differences"`
	DifferencesTotal int                `json:"differencesTotal"`
}

type orderCounts struct {
	Approved      int `json:"approved"`
	Sold          int `json:"sold"`
	Shipped       int `json:"shipped"`
	PartlyShipped int `json:"partlyShipped"`
	Cancelled     int `json:"cancelled"`
	UnderWay      int `json:"underWay"`
	Missing       int `json:"missing"`
}

// dayCounts are of the orders that were approved on one day.
type dayCounts struct {
	Day string `json:"day"`
	orderCounts
}

func countsOf(n completeness.Counts) orderCounts {
	return orderCounts{n.Approved, n.Sold, n.Shipped, n.PartlyShipped, n.Cancelled, n.UnderWay, n.Missing}
}

type callCounts struct {
	Upstock  int `json:"upstock"`
	Cin7Core int `json:"cin7core"`
}

type differenceAnswer struct {
	ledger.Problem
	OrderID     orderID `json:"orderId,omitempty"`
	OrderNumber *string `json:"orderNumber"`
	SaleID      *string `json:"saleId"`
	SaleNumber  *string `json:"saleNumber"`
	SaleURL     *string `json:"saleUrl"`
}

func completenessOf(c completeness.Report, zone *time.Location) completenessAnswer {
	ans := completenessAnswer{
		From: c.From.In(zone).Format(time.DateOnly), To: c.To.Add(-1).In(zone).Format(time.DateOnly),
		Standing: c.Standing,
		Since:    c.From.UTC(), Until: c.To.UTC(), Summary: c.Summary, CheckedAt: when(c.Checked), Running: c.Running,
		Progress: known(c.Progress), Problem: known(c.Problem), Days: []dayCounts{}, Differences: []differenceAnswer{},
		DifferencesTotal: c.Found,
	}
	if n := countsOf(c.Counts); !c.Checked.IsZero() {
		ans.Counts = &n
		ans.Calls = &callCounts{c.Counts.UpstockCalls, c.Counts.Cin7Calls}
	}
	for _, d := range c.Days {
		ans.Days = append(ans.Days, dayCounts{d.Day, countsOf(d.Counts)})
	}
	for _, d := range c.Differences {
		x := differenceAnswer{ledger.Problem{Code: d.Code, Message: d.Message, Fix: d.Fix}, orderID(d.Order),
			known(d.Number), known(d.SaleID), known(d.Sale), nil}
		if d.SaleID != "" {
			x.SaleURL = known(upstockcin7.SaleURL(d.SaleID))
		}
		ans.Differences = append(ans.Differences, x)
	}
	return ans
}

func zoneOf(b tenant.Bundle) *time.Location {
	zone, err := time.LoadLocation(b.Tenant.TimeZone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// completeness is the newest check of the period that the address names.
func (a *api) completeness(r *http.Request, b tenant.Bundle) (completeness.Report, error) {
	q := r.URL.Query()
	from, to, err := days(b, q.Get("from"), q.Get("to"))
	if err != nil {
		return completeness.Report{}, err
	}
	return a.Pair.Completeness.LastOf(r.Context(), b, from, to)
}

// check starts a check of a period; without days, of the standing one.
func (a *api) check(
	r *http.Request, b tenant.Bundle, first, last string,
) (from, to time.Time, err error) {
	if from, to, err = days(b, first, last); err != nil {
		return from, to, err
	}
	if b.Ready(upstockcin7.Systems()...) != "" {
		return from, to, &problem{Status: http.StatusConflict,
			Detail: "Connect Upstock and Cin7 Core first: a check compares the two."}
	}
	return from, to, a.Pair.Completeness.Start(r.Context(), b.Tenant.ID, from, to)
}

func (a *api) getCompleteness(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	c, err := a.completeness(r, b)
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusOK, completenessOf(c, zoneOf(b)))
}

// startCompleteness starts a check: of the standing period where the body says none.
func (a *api) startCompleteness(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	var first, last givenDay
	if err := decode(w, r, true, map[string]any{"from": &first, "to": &last}); err != nil {
		return err
	}
	from, to, err := a.check(r, b, string(first), string(last))
	if err != nil {
		return err
	}
	c, err := a.Pair.Completeness.LastOf(r.Context(), b, from, to)
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusAccepted, completenessOf(c, zoneOf(b)))
}

// comparedColumns are those of a file of a check's orders.
func comparedColumns() []string {
	return []string{"orderId", "orderNumber", "reference", "approvedAt", "orderTotal", "currency", "state",
		"saleNumber", "saleTotal", "difference", "shipments", "tracking", "toldComplete", "code", "reason"}
}

// comparedCells are an order's, in the order of comparedColumns.
func comparedCells(row completeness.Row, zone *time.Location) []string {
	return []string{row.Order, row.Number, row.Reference, fileTime(row.Approved, zone), row.Total, row.Currency,
		string(row.State), row.SaleNumber, row.SaleTotal, row.Difference, strconv.Itoa(row.Parcels), row.Tracking,
		strconv.FormatBool(row.Complete), strings.Join(row.Codes, " "), row.Reason}
}

// completenessSheet answers a line for each approved order of a checked period.
func (a *api) completenessSheet(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	c, err := a.completeness(r, b)
	if err != nil {
		return err
	}
	if c.Checked.IsZero() {
		return &problem{Status: http.StatusConflict,
			Detail: "This period is not checked yet. Start a check of it first."}
	}
	zone := zoneOf(b)
	out, err := a.newSheet(r, "Completeness", []string{"orderTotal", "saleTotal", "difference", "shipments"},
		comparedColumns()...)
	if err != nil {
		return err
	}
	for row, err := range a.Pair.Completeness.Rows(r.Context(), b.Tenant.ID, c) {
		if errors.Is(err, completeness.ErrRowsGone) {
			return &problem{Status: http.StatusConflict,
				Detail: "The lines of this check are kept no more. Start a new one."}
		}
		if err != nil {
			return err
		}
		if err := out.line(comparedCells(row, zone)...); err != nil {
			return err
		}
	}
	ans := completenessOf(c, zone)
	return out.send(w, r, "completeness-"+ans.From+"-"+ans.To)
}
