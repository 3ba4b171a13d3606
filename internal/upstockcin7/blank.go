package upstockcin7

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/match"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
)

// wanted is what tells an order's sales in a list.
type wanted struct {
	externalID string
	reference  string // CustomerReference
	customerID string // "" = not known
	since      time.Time
}

// clocksApart is how far Cin7 Core's clock and ours may be from each other.
const clocksApart = 10 * time.Minute

func (w *work) wanted(p *sale.Plan) wanted {
	x := wanted{externalID: w.externalID()}
	if p != nil {
		x.externalID, x.reference, x.customerID = p.Header.ExternalID, p.Header.CustomerReference, p.Header.CustomerID
	} else { // nothing on record, as after a restore: what would be sent was
		o := w.doc.order()
		x.reference, x.customerID = sale.CustomerReference(o), match.ID(o.Customer.ExternalID)
	}
	if x.since = w.run.Approved; w.run.Past.Intents == 0 {
		if i := slices.IndexFunc(w.run.Intents,
			func(i ledger.Intent) bool { return i.Step == order.StepCreate }); i >= 0 {
			x.since = w.run.Intents[i].At
		}
	}
	if !x.since.IsZero() {
		x.since = x.since.Add(-clocksApart)
	}
	return x
}

// rows lists the sales that carry this order's ExternalID, voided ones too.
//
// Where the filter was ignored, the customer reference that we sent finds them.
// A blank is no "no": a row that does not say whose it is, and could be ours,
// is read before it is believed that there is none that stands; the reference
// finds it too where the filter would pass it over.
func (w *work) rows(p *sale.Plan) ([]cin7core.SaleRow, error) {
	want := w.wanted(p)
	ours, blank, others, err := w.search(cin7core.SalesQuery{ExternalID: want.externalID}, want)
	if err != nil {
		return nil, err
	}
	if others || len(blank) > 0 || !oneStands(ours) && want.reference != "" && w.mayBeThere() {
		more, blanks, _, err := w.search(cin7core.SalesQuery{Search: want.reference}, want)
		if err != nil {
			return nil, err
		}
		ours, blank = union(ours, more), union(blank, blanks)
	}
	if oneStands(ours) {
		return ours, nil
	}
	return w.readBlank(ours, blank, want)
}

// oneStands reports whether one of the sales is not voided.
func oneStands(rows []cin7core.SaleRow) bool {
	return slices.ContainsFunc(rows, func(r cin7core.SaleRow) bool { return !r.Status.Is(cin7core.Voided) })
}

// mayBeThere reports whether a sale of this order may be there though no row says so: a create was sent, or the table
// was put back.
func (w *work) mayBeThere() bool {
	return w.run.Past.Creates > 0 || w.mayBeUnknown(w.Now()) ||
		slices.ContainsFunc(w.run.Intents, func(i ledger.Intent) bool {
			return i.Step == order.StepCreate && i.Answer != ledger.Refused
		})
}

// search reads one list: the rows that are this order's, those that do not say
// whose they are and could be, and whether there are others.
func (w *work) search(q cin7core.SalesQuery, want wanted) (ours, blank []cin7core.SaleRow, others bool, err error) {
	for row, err := range w.cin7.Sales(w.calling("cin7core"), q) {
		if err != nil {
			return nil, nil, false, w.answered(err)
		}
		switch {
		case row.SaleID == "":
			return nil, nil, false, job.Down(tenant.Cin7Core, errNoSaleID)
		case row.ExternalID == want.externalID || w.known(row.SaleID):
			ours = union(ours, []cin7core.SaleRow{row})
		case strings.TrimSpace(row.ExternalID) == "":
			if want.couldBe(row) {
				blank = union(blank, []cin7core.SaleRow{row})
			} else if q.ExternalID != "" {
				return ours, blank, true, nil
			}
		default:
			if others = true; q.ExternalID != "" { // the filter was ignored: do not read on through everything
				return ours, blank, true, nil
			}
		}
		if len(blank) > maxBlank {
			break
		}
	}
	return ours, blank, others, nil
}

var errNoSaleID = errors.New("its sale list has a row without an id")

func union(a, b []cin7core.SaleRow) []cin7core.SaleRow {
	for _, row := range b {
		if !slices.ContainsFunc(a, func(r cin7core.SaleRow) bool { return r.SaleID == row.SaleID }) {
			a = append(a, row)
		}
	}
	return a
}

// known reports whether a sale is on record as this order's.
func (w *work) known(saleID string) bool {
	return saleID != "" && (saleID == w.run.SaleID || slices.Contains(w.run.Voided, saleID) ||
		slices.ContainsFunc(w.run.Intents, func(i ledger.Intent) bool { return i.Target == saleID }))
}

// couldBe reports whether nothing in a row without ExternalID speaks against its being ours. What else is missing does
// not either.
func (want wanted) couldBe(row cin7core.SaleRow) bool {
	return want.meets(row.CustomerReference, row.CustomerID) && want.lately(row)
}

// meets reports whether neither a reference nor a customer speaks against a sale's being the order's.
func (want wanted) meets(reference, customerID string) bool {
	return (match.Squeeze(reference) == "" || match.Squeeze(reference) == match.Squeeze(want.reference)) &&
		(customerID == "" || want.customerID == "" || strings.EqualFold(customerID, want.customerID))
}

// lately reports whether a row's sale may have been made since then: it was not changed for the last time before.
func (want wanted) lately(row cin7core.SaleRow) bool {
	return row.Updated.IsZero() || !row.Updated.Before(want.since)
}

// maxBlank is how many rows that leave out whose they are are read one by one.
const maxBlank = 10

// eachSale reads the sales of rows one by one; a zero one is not there.
func (w *work) eachSale(rows []cin7core.SaleRow, f func(cin7core.SaleRow, cin7core.Sale)) error {
	for _, row := range rows {
		s, err := w.readSale(w.calling("cin7core"), row.SaleID)
		if rest.KindOf(err) != rest.NotFound {
			if err := w.answered(err); err != nil {
				return err
			}
		}
		f(row, s)
	}
	return nil
}

// readBlank reads the sales whose rows do not say whose they are, and adds those that are this order's.
func (w *work) readBlank(ours, blank []cin7core.SaleRow, want wanted) ([]cin7core.SaleRow, error) {
	if sellsAnew(w.run) { // a person has looked; and whatever there is beside it is asked about before it is made
		return ours, nil
	}
	if len(blank) > maxBlank {
		return nil, unclear(blank, fmt.Sprintf("Cin7 Core's list has more than %d sales with this order's reference "+
			"and customer that do not say whose they are", maxBlank))
	}
	var silent []cin7core.SaleRow
	if err := w.eachSale(blank, func(row cin7core.SaleRow, s cin7core.Sale) {
		switch {
		case s.ExternalID == want.externalID:
			row.Status, row.OrderNumber, row.ExternalID = s.Status, cmp.Or(row.OrderNumber, number(s)), s.ExternalID
			ours = append(ours, row)
		case strings.TrimSpace(s.ExternalID) == "":
			silent = append(silent, row)
		}
	}); err != nil {
		return nil, err
	}
	if len(silent) > 0 {
		return nil, unclear(silent, "Cin7 Core has sales with this order's reference and customer that do not say "+
			"whose they are")
	}
	return ours, nil
}

// rowNames are the numbers of sales that are to be named, as far as they are read.
func rowNames(rows []cin7core.SaleRow) (names []string) {
	for _, row := range rows[:min(len(rows), maxBlank)] {
		names = append(names, rowName(row))
	}
	return names
}

// rowName is a sale's number; its id where the list leaves that out.
func rowName(row cin7core.SaleRow) string { return cmp.Or(row.OrderNumber, row.SaleID) }

// unclear asks a person whether one of these sales is the order's.
func unclear(rows []cin7core.SaleRow, what string) error {
	return problem("unclearSales", fmt.Sprintf("%s: %s. One of them may be this order's, so no other one was made.",
		what, strings.Join(rowNames(rows), ", ")),
		"Look at them in Cin7 Core. If none is this order's, retry with a new sale; if one is, void it first.")
}
