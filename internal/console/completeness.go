package console

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
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

func completenessOf(c upstockcin7.Completeness, zone *time.Location) completenessAnswer {
	ans := completenessAnswer{
		From: c.From.In(zone).Format(time.DateOnly), To: c.To.Add(-1).In(zone).Format(time.DateOnly), Standing: c.Standing,
		Since: c.From.UTC(), Until: c.To.UTC(), Summary: c.Summary, CheckedAt: when(c.Checked), Running: c.Running,
		Progress: known(c.Progress), Problem: known(c.Problem), Differences: []differenceAnswer{}, DifferencesTotal: c.Found,
	}
	if n := c.Counts; !c.Checked.IsZero() {
		ans.Counts = &orderCounts{n.Approved, n.Sold, n.Shipped, n.PartlyShipped, n.Cancelled, n.UnderWay, n.Missing}
		ans.Calls = &callCounts{n.UpstockCalls, n.Cin7Calls}
	}
	for _, d := range c.Differences {
		x := differenceAnswer{ledger.Problem{Code: d.Code, Message: d.Message, Fix: d.Fix}, orderID(d.Order), known(d.Number), known(d.SaleID), known(d.Sale), nil}
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

// days reads a period's first and last day in the tenant's time zone; none = the standing period.
func days(b tenant.Bundle, first, last string) (from, to time.Time, err error) {
	if first == "" && last == "" {
		return from, to, nil
	}
	var errs tenant.FieldErrors
	zone := zoneOf(b)
	day := func(field, s string) time.Time {
		t, err := time.ParseInLocation(time.DateOnly, s, zone)
		if err != nil || t.Year() < 2000 {
			errs = append(errs, tenant.FieldError{Field: field, Message: "Use a day, as 2026-11-01. Say the first and the last day, or neither."})
		}
		return t
	}
	from, to = day("from", first), day("to", last)
	if errs != nil {
		return from, to, errs
	}
	return from, to.AddDate(0, 0, 1), nil
}

func (a *api) completeness(r *http.Request, b tenant.Bundle) (upstockcin7.Completeness, error) {
	q := r.URL.Query()
	from, to, err := days(b, q.Get("from"), q.Get("to"))
	if err != nil {
		return upstockcin7.Completeness{}, err
	}
	return a.Pair.Completeness(r.Context(), b.Tenant.ID, from, to)
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
	var first, last string
	if err := decode(w, r, true, map[string]any{"from": &first, "to": &last}); err != nil {
		return err
	}
	from, to, err := days(b, first, last)
	if err != nil {
		return err
	}
	if b.Ready(vendors...) != "" {
		return &problem{Status: http.StatusConflict, Detail: "Connect Upstock and Cin7 Core first: a check compares the two."}
	}
	if err := a.Pair.StartCompleteness(r.Context(), b.Tenant.ID, from, to); err != nil {
		return err
	}
	c, err := a.Pair.Completeness(r.Context(), b.Tenant.ID, from, to)
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusAccepted, completenessOf(c, zoneOf(b)))
}

// maxCSV is what an answer of a Lambda function can carry, with room for its
// envelope: 6 MB, as JSON.
const maxCSV = 4 << 20

// completenessCSV answers a line for each approved order of a checked period.
func (a *api) completenessCSV(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	c, err := a.completeness(r, b)
	if err != nil {
		return err
	}
	if c.Checked.IsZero() {
		return &problem{Status: http.StatusConflict, Detail: "This period is not checked yet. POST to …/completeness starts a check."}
	}
	zone := zoneOf(b)
	var out bytes.Buffer
	lines := csv.NewWriter(&out)
	lines.UseCRLF = true
	line := func(cells ...string) error {
		for i := range cells {
			cells[i] = cell(cells[i])
		}
		return lines.Write(cells)
	}
	if err := line("orderId", "orderNumber", "reference", "approvedAt", "orderTotal", "currency", "state", "saleNumber", "saleTotal", "difference",
		"shipments", "tracking", "toldComplete", "code", "reason"); err != nil {
		return err
	}
	for row, err := range a.Pair.CompletenessRows(r.Context(), b.Tenant.ID, c) {
		if errors.Is(err, upstockcin7.ErrRowsGone) {
			return &problem{Status: http.StatusConflict, Detail: "The lines of this check are kept no more. POST to …/completeness starts a new one."}
		}
		if err != nil {
			return err
		}
		approved := ""
		if !row.Approved.IsZero() {
			approved = row.Approved.In(zone).Format(time.RFC3339)
		}
		if err := line(row.Order, row.Number, row.Reference, approved, row.Total, row.Currency, string(row.State), row.SaleNumber, row.SaleTotal, row.Difference,
			strconv.Itoa(row.Parcels), row.Tracking, strconv.FormatBool(row.Complete), strings.Join(row.Codes, " "), row.Reason); err != nil {
			return err
		}
		if lines.Flush(); out.Len() > maxCSV {
			return &problem{Status: http.StatusUnprocessableEntity, Detail: "The lines of this period are more than 4 MiB. Check and ask for a shorter one."}
		}
	}
	lines.Flush()
	ans := completenessOf(c, zone)
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", "completeness-"+ans.From+"-"+ans.To+".csv"))
	write(w, r, http.StatusOK, "text/csv; charset=utf-8", out.Bytes())
	return nil
}

// cell keeps a spreadsheet from reading a text as a formula.
func cell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(s)[0]) {
		return "'" + s
	}
	return s
}
