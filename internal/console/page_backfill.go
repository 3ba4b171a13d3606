package console

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
)

// backfillPage takes in the orders of earlier days.
type backfillPage struct {
	Path    string
	Latest  *backfillCard // nil = there never was one
	Change  bool          // the person may
	Days    daysForm
	Preview *previewTable // nil = no days are chosen
}

// backfillCard is the latest backfill: how far it is, or what came of it.
type backfillCard struct {
	Sentence string
	Running  bool
	Percent  int
	Reached  string // the day that is read up to
	Why      string // what holds it up, or why it ended
	At       moment // when it ended
	Facts    []fact
	Stop     bool
}

// previewTable is what would become of a page of orders.
type previewTable struct {
	Sentence string
	Problems []string // why nothing can be told
	Rows     []previewRow
	Next     string
	From, To string
	Start    string // what the button says; "" = it cannot be pressed now
}

type previewRow struct {
	Number, Address, Reference, Customer string
	Approved                             moment
	Outcome, Why                         string
	Needs                                bool
	Total, SaleTotal                     string
}

// previewedAtOnce is how many orders one page of a preview shows.
const previewedAtOnce = 50

func (a *api) backfillPage(w http.ResponseWriter, r *http.Request, v visit) error {
	q := r.URL.Query()
	if !v.person.Changes() || q.Get("from") == "" && q.Get("to") == "" {
		return a.showBackfill(w, r, v, http.StatusOK, v.earlierDays(), nil)
	}
	typed := daysForm{From: q.Get("from"), To: q.Get("to")}
	from, to, err := calendarDays(time.UTC, typed.From, typed.To)
	var p upstockcin7.BackfillPreview
	if err == nil {
		p, err = a.previewDays(r, v.Bundle, from, to, q.Get("after"), previewedAtOnce)
	}
	if errs, refused := errors.AsType[tenant.FieldErrors](err); refused {
		typed.fill(typed.From, typed.To, errs)
		return a.showBackfill(w, r, v, http.StatusUnprocessableEntity, typed, nil)
	}
	if err != nil {
		return err
	}
	return a.showBackfill(w, r, v, http.StatusOK, typed, v.preview(p, typed))
}

// earlierDays are the days that are likeliest wanted: those before Upstock was connected.
func (v visit) earlierDays() daysForm {
	last := v.now
	if up, ok := v.Connections[tenant.Upstock]; ok {
		last = up.Beginning()
	}
	return daysForm{From: v.day(last.AddDate(0, 0, -30)), To: v.day(last)}
}

func (a *api) showBackfill(
	w http.ResponseWriter, r *http.Request, v visit, status int, days daysForm, preview *previewTable,
) error {
	latest, err := a.Pair.BackfillState(r.Context(), v.Tenant.ID)
	if err != nil {
		return err
	}
	p := backfillPage{
		Path: tenantPath(v.Tenant.ID) + "/backfill", Latest: v.backfill(latest), Change: v.person.Changes(),
		Days: days, Preview: preview,
	}
	f := v.frame(r, "Backfill", p)
	f.Heading = "Take in earlier orders"
	if f.Moving = p.Latest != nil && p.Latest.Running; f.Moving && preview != nil {
		preview.Start = "" // one at a time
	}
	return a.show(w, r, status, "backfill", f)
}

func (v visit) backfill(b upstockcin7.Backfill) *backfillCard {
	days := "The days " + spelt(b.From) + " to " + spelt(b.To)
	c := &backfillCard{Why: b.Why, Percent: b.Percent(), Reached: spelt(b.Day()), At: v.moment(b.Finished)}
	switch b.State {
	case upstockcin7.BackfillRunning:
		c.Sentence, c.Running, c.Stop = days+" are being taken in", true, v.person.Changes()
	case upstockcin7.BackfillDone:
		c.Sentence = days + " are taken in"
	case upstockcin7.BackfillStopped:
		c.Sentence = days + " were stopped before their end"
	case upstockcin7.BackfillFailed:
		c.Sentence = days + " could not be taken in to their end"
	default:
		return nil
	}
	c.Facts = tallied(
		tally{"Orders read", b.Listed}, tally{"Taken in, to be sold", b.Taken}, tally{"Here already", b.Known},
		tally{"Cancelled in Upstock", b.Cancelled}, tally{"Shipped in Upstock, left out", b.Shipped},
		tally{"Need you", b.Attention},
	)
	return c
}

// spelt is a calendar day as people write it.
func spelt(day string) string {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return day
	}
	return t.Format("2 January 2006")
}

// preview is a page of orders, with what would become of each.
func (v visit) preview(p upstockcin7.BackfillPreview, days daysForm) *previewTable {
	t := &previewTable{From: days.From, To: days.To, Sentence: expected(p)}
	for _, problem := range p.Problems {
		t.Problems = append(t.Problems, joined(" ", problem.Message, problem.Fix))
	}
	if len(p.Problems) == 0 {
		t.Start = "Take in " + spelt(days.From) + " to " + spelt(days.To)
	}
	for _, it := range p.Items {
		t.Rows = append(t.Rows, v.previewed(it))
	}
	if p.Next != "" {
		t.Next = tenantPath(v.Tenant.ID) + "/backfill?" +
			url.Values{"from": {days.From}, "to": {days.To}, "after": {p.Next}}.Encode()
	}
	return t
}

// outcomes say what would become of an order.
var outcomes = map[upstockcin7.Outcome]string{
	upstockcin7.OutcomeSell:      "Is sold",
	upstockcin7.OutcomeAttention: "Needs you",
	upstockcin7.OutcomeKnown:     "Is here already",
	upstockcin7.OutcomeCancelled: "Is cancelled in Upstock: left out",
	upstockcin7.OutcomeShipped:   "Is shipped in Upstock: left out",
	upstockcin7.OutcomeUnknown:   "Cannot be told just now",
}

// expected says what would become of a page of orders, in a sentence.
func expected(p upstockcin7.BackfillPreview) string {
	if len(p.Problems) > 0 {
		return "What would happen cannot be told just now"
	}
	if len(p.Items) == 0 {
		return "No order was approved on these days"
	}
	n := p.Counts
	says := []string{}
	for _, c := range []struct {
		n         int
		one, many string
	}{
		{n[upstockcin7.OutcomeSell], "is sold", "are sold"},
		{n[upstockcin7.OutcomeAttention], "needs you", "need you"},
		{n[upstockcin7.OutcomeKnown], "is here already", "are here already"},
		{n[upstockcin7.OutcomeCancelled] + n[upstockcin7.OutcomeShipped], "is left out", "are left out"},
		{n[upstockcin7.OutcomeUnknown], "cannot be told just now", "cannot be told just now"},
	} {
		if c.n > 0 {
			says = append(says, count(c.n, c.one, c.many))
		}
	}
	return count(len(p.Items), "order", "orders") + " on this page: " + joined(", ", says...)
}

// How many characters of a text stand in a table's row.
const (
	mostOfName = 60
	mostOfWhy  = 160
)

func (v visit) previewed(it upstockcin7.BackfillItem) previewRow {
	row := previewRow{
		Number: prose.Within(cmp.Or(it.Number, it.ID), mostOfName), Reference: prose.Within(it.Reference, mostOfName),
		Customer: prose.Within(it.Customer, mostOfName), Approved: v.moment(it.Approved),
		Outcome: outcomes[it.Outcome], Needs: it.Outcome == upstockcin7.OutcomeAttention,
		Total: it.OrderTotal, SaleTotal: it.SaleTotal,
	}
	switch {
	case it.State != "":
		row.Address = orderPath(v.Tenant.ID, orderID(it.ID))
		row.Why = stateName(it.State)
	case len(it.Problems) > 0:
		row.Why = prose.Within(it.Problems[0].Message, mostOfWhy)
		if rest := len(it.Problems) - 1; rest > 0 {
			row.Why += fmt.Sprintf(" And %d more.", rest)
		}
	case len(it.Said) > 0:
		row.Why = prose.Within(it.Said[0], mostOfWhy)
	}
	return row
}

// takeInPage starts a backfill, and goes on to the page that shows how far it is.
func (a *api) takeInPage(w http.ResponseWriter, r *http.Request, v visit) error {
	form, err := formOf(w, r)
	if err != nil {
		return err
	}
	days := daysForm{From: form.Get("from"), To: form.Get("to")}
	from, to, err := calendarDays(time.UTC, days.From, days.To)
	if err == nil {
		_, err = a.takeIn(r, v.Bundle, from, to)
	}
	if errs, refused := errors.AsType[tenant.FieldErrors](err); refused {
		days.fill(days.From, days.To, errs)
		return a.showBackfill(w, r, v, http.StatusUnprocessableEntity, days, nil)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, r.URL.Path, http.StatusSeeOther)
	return nil
}

func (a *api) stopBackfillPage(w http.ResponseWriter, r *http.Request, v visit) error {
	if err := a.Pair.StopBackfill(r.Context(), v.Tenant.ID); err != nil {
		return err
	}
	http.Redirect(w, r, tenantPath(v.Tenant.ID)+"/backfill?said=stopped", http.StatusSeeOther)
	return nil
}
