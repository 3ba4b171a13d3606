package console

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"

	"stockbridge/internal/joorcin7"
	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/upstockcin7"
)

// progressPage is how far long work is, and what came of it.
type progressPage struct {
	Path       string
	Run        runCard
	Rows       []leftRow
	Span, Next string // which of what was left out is shown, and the address of the next ones
	Back       string // address of the list that the work is about
	BackName   string
}

// leftRow is a record that could not be done.
type leftRow struct{ Name, Address, Why string }

// leftShown is how many records one page shows that were left out.
const leftShown = 50

func (a *api) progressPage(w http.ResponseWriter, r *http.Request, v visit) error {
	run, err := a.progress(r, v.Bundle)
	if err != nil {
		return err
	}
	skip, err := strconv.Atoi(cmp.Or(r.URL.Query().Get("skip"), "0"))
	if err != nil || skip < 0 {
		return notFound()
	}
	p := v.progressOf(run, skip)
	p.Path = r.URL.Path
	f := v.frame(r, cmp.Or(p.BackName, "Progress"), p)
	if slices.Contains(catalogJobs, run.Kind) {
		n, err := a.Pair.CatalogNeeds(r.Context(), v.Bundle)
		if err != nil {
			return err
		}
		f = v.catalogFrame(r, f.Title, run.Kind, n, p)
	}
	f.Heading, f.Moving = p.Run.Sentence, p.Run.Moving
	return a.show(w, r, http.StatusOK, "progress", f)
}

// progressOf is the page of a run, without the first of what was left out.
func (v visit) progressOf(run *ledger.Progress, skip int) progressPage {
	p := progressPage{Run: v.run(run)}
	record := func(string) string { return "" }
	switch id := v.Tenant.ID; run.Kind {
	case upstockcin7.JobProducts:
		p.Back, p.BackName = productsPath(id), "Products"
		record = func(of string) string { return productPath(id, of) }
	case upstockcin7.JobCustomers:
		p.Back, p.BackName = customersPath(id), "Customers"
		record = func(of string) string { return customerPath(id, of) }
	case upstockcin7.JobPrices:
		p.Back, p.BackName = pricesPath(id), "Price lists"
	case joorcin7.JobUpload, joorcin7.JobUpdate, joorcin7.JobContacts, joorcin7.JobJOOR:
		p.Back, p.BackName = joorPath(id), "JOOR"
		record = func(of string) string { return joorCustomerPath(id, of) }
	case joorcin7.JobDownload, joorcin7.JobMatches:
		p.Back, p.BackName = joorPath(id)+"/match", "Match Customers"
	}
	left := run.Left[min(skip, len(run.Left)):]
	for _, l := range left[:min(len(left), leftShown)] {
		p.Rows = append(p.Rows, leftRow{prose.Within(cmp.Or(l.Name, l.ID), mostOfName), record(l.ID),
			prose.Within(v.local(l.Why), mostOfWhy)})
	}
	if len(p.Rows) < len(run.Left) {
		p.Span = strconv.Itoa(skip+1) + " to " + strconv.Itoa(skip+len(p.Rows)) + " of " + strconv.Itoa(len(run.Left))
	}
	if len(left) > leftShown {
		p.Next = p.Run.Address + "?skip=" + strconv.Itoa(skip+leftShown)
	}
	return p
}
