package console

import (
	"net/http"
	"strconv"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
)

// customerItem is a customer of Cin7 Core in a list.
type customerItem struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	Active     bool              `json:"active"`
	Imported   bool              `json:"imported"`
	PriceList  *refAnswer        `json:"priceList"` // null = it has none
	Customer   *int64            `json:"customer"`  // Upstock's id; null = it is not there, as far as is known
	Why        *string           `json:"why"`
	Candidates []candidateAnswer `json:"candidates"` // in the list toLink and for one customer
	standingAnswer
}

// candidateAnswer is a customer of Upstock's that may be one of Cin7 Core.
type candidateAnswer struct {
	Customer int64    `json:"customer"` // Upstock's id
	Name     string   `json:"name"`
	Email    *string  `json:"email"`
	Phone    *string  `json:"phone"`
	Town     *string  `json:"town"`
	Score    float64  `json:"score"` // 0 to 1
	Reasons  []string `json:"reasons"`
	Rejected bool     `json:"rejected"` // a person said that it is another one
	Back     *string  `json:"back"`     // why it is here again although it was rejected
	Linked   *string  `json:"linked"`   // the id in Cin7 Core that it is linked to by now
}

func customerItemOf(c upstockcin7.CustomerRow) customerItem {
	item := customerItem{
		ID: c.ID, Name: c.Name, Active: c.Active, Imported: c.Imported, PriceList: refOf(c.PriceList),
		Why: known(c.Why), Candidates: []candidateAnswer{}, standingAnswer: standingOf(c.Standing),
	}
	if c.Theirs != 0 {
		item.Customer = &c.Theirs
	}
	for _, x := range c.Candidates {
		item.Candidates = append(item.Candidates, candidateAnswer{x.Theirs, x.Name, known(x.Email), known(x.Phone),
			known(x.Town), x.Score, append([]string{}, x.Reasons...), x.Rejected, known(x.Back), known(x.Linked)})
	}
	return item
}

// customerAnswer is one customer: what Upstock has of it, and how its prices come about.
type customerAnswer struct {
	customerItem
	Fields    []fieldAnswer `json:"fields"`
	Tier      *string       `json:"tier"`
	Discount  string        `json:"discount"` // percent
	OwnPrices int           `json:"ownPrices"`
	Linked    *string       `json:"linked"` // how it was linked; null = it is not
	History   []noteAnswer  `json:"history"`
}

// noCustomer says that there is none.
const noCustomer = "Cin7 Core has no such customer. Give the id that the list of customers has."

// customersOf reads a page of customers.
func (a *api) customersOf(
	r *http.Request, b tenant.Bundle, q upstockcin7.CatalogQuery,
) ([]upstockcin7.CustomerRow, string, error) {
	rows, next, err := a.Pair.Customers(r.Context(), b, q)
	return rows, next, catalogFault(err, noCustomer)
}

func (a *api) listCustomers(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	q, err := catalogQuery(r.URL.Query(), upstockcin7.Imported, upstockcin7.Importable, upstockcin7.ToLink,
		upstockcin7.Inactive)
	if err != nil {
		return err
	}
	rows, next, err := a.customersOf(r, b, q)
	if err != nil {
		return err
	}
	var items []customerItem
	for _, c := range rows {
		items = append(items, customerItemOf(c))
	}
	return respond(w, r, http.StatusOK, page(items, next))
}

// customerOf is the customer of the path's id.
func (a *api) customerOf(r *http.Request, b tenant.Bundle) (upstockcin7.CustomerView, error) {
	v, err := a.Pair.Customer(r.Context(), b, r.PathValue("id"))
	return v, catalogFault(err, noCustomer)
}

func (a *api) getCustomer(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	v, err := a.customerOf(r, b)
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusOK, customerAnswer{
		customerItem: customerItemOf(v.CustomerRow), Fields: sideFields(v.Fields), Tier: known(v.Tier),
		Discount: v.Discount.String(), OwnPrices: v.OwnPrices, Linked: known(v.Linked), History: notesOf(v.History),
	})
}

func (a *api) importCustomers(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	var since *string
	s, err := selection(w, r, map[string]any{"boughtSince": &since})
	if err == nil && since != nil {
		s.BoughtSince, err = *since, pastDay(*since)
	}
	if err != nil {
		return err
	}
	p, err := a.importThoseCustomers(r, b, s)
	if err != nil {
		return err
	}
	return respondStarted(w, r, p)
}

// pastDay says what is wrong with a day since when customers bought.
func pastDay(text string) error {
	if day, err := time.Parse(time.DateOnly, text); err != nil || day.After(time.Now()) {
		return tenant.FieldErrors{{Field: "boughtSince", Message: "Give a day that is over, as 2026-05-27."}}
	}
	return nil
}

// importThoseCustomers has customers imported.
func (a *api) importThoseCustomers(
	r *http.Request, b tenant.Bundle, s upstockcin7.Selection,
) (*ledger.Progress, error) {
	if err := catalogReady(b); err != nil {
		return nil, err
	}
	p, err := a.Pair.ImportCustomers(r.Context(), b, s)
	return p, catalogFault(err, noCustomer)
}

// customerMatch is a customer of Cin7 Core and one of Upstock's.
type customerMatch struct {
	ID       string `json:"id"`
	Customer int64  `json:"customer"`
}

// noMatch says which record of a pair there is not.
const noMatch = "Cin7 Core has no such customer, or Upstock has none with this id."

// mostMatches is how many pairs one request decides about.
const mostMatches = 100

// decideMatches takes a person's word on which customers are the same.
func (a *api) decideMatches(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	var accept, reject []customerMatch
	if err := decode(w, r, false, map[string]any{"accept": &accept, "reject": &reject},
		func() (errs tenant.FieldErrors) {
			return append(matchFaults("accept", accept), matchFaults("reject", reject)...)
		}); err != nil {
		return err
	}
	if len(accept)+len(reject) == 0 {
		return tenant.FieldErrors{{Field: "accept", Message: "Name customers that are the same, or some that are not."}}
	}
	for _, m := range accept {
		if err := a.linkCustomer(r, b, m); err != nil {
			return err
		}
	}
	for _, m := range reject {
		if err := a.rejectCustomer(r, b, m); err != nil {
			return err
		}
	}
	return respond(w, r, http.StatusOK, map[string]int{"accepted": len(accept), "rejected": len(reject)})
}

func matchFaults(field string, list []customerMatch) (errs tenant.FieldErrors) {
	if len(list) > mostMatches {
		errs = append(errs, tenant.FieldError{Field: field, Message: "These are more than 100. Send them in parts."})
	}
	for i, m := range list {
		if !fitsKey(m.ID, 100) || m.Customer < 1 {
			errs = append(errs, tenant.FieldError{Field: field + "." + strconv.Itoa(i),
				Message: "Give id, Cin7 Core's, and customer, Upstock's."})
		}
	}
	return errs
}

func (a *api) linkCustomer(r *http.Request, b tenant.Bundle, m customerMatch) error {
	return catalogFault(a.Pair.LinkCustomer(r.Context(), b, m.ID, m.Customer), noMatch)
}

func (a *api) rejectCustomer(r *http.Request, b tenant.Bundle, m customerMatch) error {
	return catalogFault(a.Pair.RejectCustomer(r.Context(), b, m.ID, m.Customer), noMatch)
}

// deleteMatch takes back that two customers are the same.
func (a *api) deleteMatch(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	err := a.Pair.UnlinkCustomer(r.Context(), b, r.PathValue("id"))
	if err = catalogFault(err, "This customer is not linked, or there is none of this id."); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
