package console

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/completeness"
)

// completenessPage says of one period whether anything is missing.
type completenessPage struct {
	Path     string
	Good     bool
	Open     bool   // there is no answer yet
	Sentence string // the answer
	Summary  string // what it stands on
	Problem  string // why a check does not get on
	Progress string // how far the check is that runs; "" = none does
	Again    string // address of this page
	Facts    []fact
	Rows     []differenceRow
	Span     string // which of the differences are shown, where not all are
	Next     string // address of the next ones
	CSV      string // address of a line for each order; "" = not checked
	XLSX     string // likewise; "" = none are made here
	Standing string // address of the standing period's page; "" = this is it
	Check    *checkForm
	Days     daysForm
}

// checkForm starts a check of the period that is shown.
type checkForm struct{ From, To, Button string }

// differenceRow is one thing that does not agree.
type differenceRow struct {
	Message, Fix        string
	Order, OrderAddress string // "" = it is not here
	Sale, SaleAddress   string
	Backfill            string // address of the page that takes it in
}

// differencesShown is how many differences one page shows.
const differencesShown = 40

// download makes a page's handler of one that answers a file.
func download(
	file func(http.ResponseWriter, *http.Request, tenant.Bundle) error,
) func(http.ResponseWriter, *http.Request, visit) error {
	return func(w http.ResponseWriter, r *http.Request, v visit) error { return file(w, r, v.Bundle) }
}

func (a *api) completenessPage(w http.ResponseWriter, r *http.Request, v visit) error {
	q := r.URL.Query()
	c, err := a.completeness(r, v.Bundle)
	if errs, refused := errors.AsType[tenant.FieldErrors](err); refused {
		return a.refuseDays(w, r, v, q, errs)
	}
	if err != nil {
		return err
	}
	skip, err := strconv.Atoi(q.Get("skip"))
	if q.Get("skip") != "" && (err != nil || skip < 0) {
		return notFound()
	}
	p := v.completenessOf(c, skip)
	if a.Workbook != nil && p.CSV != "" {
		p.XLSX = strings.Replace(p.CSV, ".csv", ".xlsx", 1)
	}
	f := v.frame(r, "Completeness", p)
	f.Moving = p.Progress != ""
	return a.show(w, r, http.StatusOK, "completeness", f)
}

// refuseDays says what is wrong with the days that were typed.
func (a *api) refuseDays(
	w http.ResponseWriter, r *http.Request, v visit, typed url.Values, errs tenant.FieldErrors,
) error {
	path := tenantPath(v.Tenant.ID) + "/completeness"
	p := completenessPage{Path: path, Standing: path, Sentence: "These days cannot be compared"}
	p.Days.fill(typed.Get("from"), typed.Get("to"), errs)
	return a.show(w, r, http.StatusUnprocessableEntity, "completeness", v.frame(r, "Completeness", p))
}

// checkPage starts a check, and goes on to the page that shows how far it is.
func (a *api) checkPage(w http.ResponseWriter, r *http.Request, v visit) error {
	form, err := formOf(w, r)
	if err != nil {
		return err
	}
	first, last := form.Get("from"), form.Get("to")
	_, _, err = a.check(r, v.Bundle, first, last)
	if errs, refused := errors.AsType[tenant.FieldErrors](err); refused {
		return a.refuseDays(w, r, v, form, errs)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, daysAddress(r.URL.Path, first, last, 0), http.StatusSeeOther)
	return nil
}

// completenessOf is the page of a period, without the first differences.
func (v visit) completenessOf(c completeness.Report, skip int) completenessPage {
	path := tenantPath(v.Tenant.ID) + "/completeness"
	p := completenessPage{Path: path, Summary: c.Summary, Problem: c.Problem}
	if c.Running {
		p.Progress = c.Progress
	}
	// An address without days is the standing period's.
	var from, to, which string
	if c.Standing {
		which = "the last 7 days"
		p.Days = daysForm{From: v.day(v.now.AddDate(0, 0, -30)), To: v.day(v.now.AddDate(0, 0, -1))}
	} else {
		from, to, which = v.day(c.From), v.day(c.To.Add(-1)), "these days"
		p.Days, p.Standing = daysForm{From: from, To: to}, path
	}
	p.Again = daysAddress(path, from, to, 0)
	if v.person.Changes() && !c.Running && v.Ready(upstockcin7.Systems()...) == "" {
		p.Check = &checkForm{from, to, "Check " + which + " now"}
	}
	if c.Checked.IsZero() {
		p.Open, p.Sentence, p.Summary = true, strings.TrimSuffix(c.Summary, "."), ""
		if c.Running { // the rest stands where it moves
			p.Sentence = "Not checked yet"
		}
		return p
	}
	p.Good, p.Sentence = c.Found == 0 && c.Counts.Missing == 0, verdict(c)
	p.CSV = daysAddress(path+".csv", from, to, 0)
	p.Facts = totals(c.Counts)
	list := c.Differences[min(skip, len(c.Differences)):]
	for _, d := range list[:min(len(list), differencesShown)] {
		p.Rows = append(p.Rows, v.difference(d))
	}
	if c.Found > len(p.Rows) && len(p.Rows) > 0 {
		p.Span = fmt.Sprintf("%d to %d of %d.", skip+1, skip+len(p.Rows), c.Found)
		if c.Found > len(c.Differences) {
			p.Span += fmt.Sprintf(" The first %d are listed here; the file has a line for each order.",
				len(c.Differences))
		}
	}
	if len(list) > differencesShown {
		p.Next = daysAddress(path, from, to, skip+differencesShown)
	}
	return p
}

// verdict is the answer that a check gives.
func verdict(c completeness.Report) string {
	missing := count(c.Counts.Missing, "order is missing", "orders are missing")
	switch {
	case c.Found == 0 && c.Counts.Missing == 0:
		return "Nothing is missing"
	case c.Counts.Missing == 0:
		return "Nothing is missing, and " + count(c.Found, "thing does not agree", "things do not agree")
	case c.Found <= c.Counts.Missing:
		return missing
	}
	return missing + ", and " + count(c.Found-c.Counts.Missing, "other thing does", "other things do") + " not agree"
}

// totals are the counts of a check in words.
func totals(n completeness.Counts) []fact {
	return tallied(
		tally{"Approved in Upstock", n.Approved}, tally{"With their sale in Cin7 Core", n.Sold},
		tally{"Of these, shipped", n.Shipped}, tally{"Of these, shipped in part", n.PartlyShipped},
		tally{"Cancelled", n.Cancelled}, tally{"Being worked on", n.UnderWay}, tally{"Missing", n.Missing},
	)
}

// tally is a number of things that are called so.
type tally struct {
	name string
	n    int
}

// tallied leaves out what there is none of, but for the first two: they tell what the others are of.
func tallied(list ...tally) (facts []fact) {
	for i, t := range list {
		if t.n > 0 || i < 2 {
			facts = append(facts, fact{t.name, strconv.Itoa(t.n)})
		}
	}
	return facts
}

// mostOfDifference is how many characters of a sentence about a difference are shown.
const mostOfDifference = 300

func (v visit) difference(d completeness.Difference) differenceRow {
	row := differenceRow{
		Message: prose.Within(d.Message, mostOfDifference), Fix: prose.Within(d.Fix, mostOfDifference),
		Order: prose.Within(d.Number, 60), Sale: prose.Within(d.Sale, 60),
	}
	switch d.Code {
	case completeness.DiffMissing:
		row.Backfill = tenantPath(v.Tenant.ID) + "/backfill"
	case completeness.DiffUnknownSale:
	default:
		row.OrderAddress = orderPath(v.Tenant.ID, orderID(d.Order))
		if row.Order == "" {
			row.Order = d.Order
		}
	}
	if d.SaleID != "" {
		row.SaleAddress = upstockcin7.SaleURL(d.SaleID)
	}
	return row
}
