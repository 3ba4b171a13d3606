package upstockcin7

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
)

// Where a sale of an order may be that is not on record, its sales are looked
// for before one is made: by the ExternalID that they bear (blank.go has what a
// list can leave out). One is adopted. Of several the one that counts is kept,
// and empty twins of ours are voided. That there is none is believed once no
// create can show any more, and two looks agree. Later looks find a twin that
// showed late all the same (watch).

// finding is what a look finds of an order's sales.
type finding int

const (
	noSale        finding = iota // none, for certain
	noneYet                      // none, but a create without an answer may show yet
	oneSale                      // one that stands: it is the order's
	somebodysSale                // one that stands, and that none of our creates made: a copy
	severalSales                 // several that stand
	voidedSale                   // none that stands, and one that somebody else voided
)

// verdict is what a look comes to.
type verdict struct {
	finding
	sales  []string  // the ids of those that it is of
	number string    // of the first of them; "" = not known
	until  time.Time // noneYet: when they are looked for once more
}

// verdictOf judges the sales that Cin7 Core lists of an order.
func verdictOf(rows []cin7core.SaleRow, r *order.Order, t Times, now time.Time) verdict {
	numbers, voided := map[string]string{}, ""
	var live []string
	for _, row := range rows {
		numbers[row.SaleID] = row.OrderNumber
		switch {
		case !row.Status.Is(cin7core.Voided):
			live = append(live, row.SaleID)
		case !slices.Contains(r.Voided, row.SaleID):
			voided = row.SaleID
		}
	}
	for _, id := range r.Made() { // answered, but not listed yet
		if _, listed := numbers[id]; !listed {
			live = append(live, id)
		}
	}
	switch {
	case len(live) == 1 && somebodysCopy(r, live[0]):
		return verdict{finding: somebodysSale, sales: live, number: numbers[live[0]]}
	case len(live) == 1:
		return verdict{finding: oneSale, sales: live, number: numbers[live[0]]}
	case len(live) > 1:
		return verdict{finding: severalSales, sales: live}
	case voided != "" && (!r.Cancelled.IsZero() || !r.NewSale):
		return verdict{finding: voidedSale, sales: []string{voided}, number: numbers[voided]}
	}
	open, settled := r.Unanswered(), time.Time{}
	for _, i := range open {
		settled = job.Latest(settled, i.Deadline.Add(t.Settle))
	}
	agree := !r.None.IsZero()
	if len(open) > 0 && (!agree || now.Before(settled)) {
		return verdict{finding: noneYet, until: job.Latest(settled, now.Add(t.Soon))}
	}
	return verdict{finding: noSale}
}

// look decides a doubt: which sales of this order are there?
func (w *work) look() error {
	plan, err := w.frozen()
	if err != nil {
		return err
	}
	rows, err := w.rows(plan)
	if err != nil {
		return err
	}
	now := w.Now()
	switch f := verdictOf(rows, w.run, w.Times, now); f.finding {
	case oneSale:
		return w.adopt(f.sales[0], f.number)
	case somebodysSale:
		return w.takeCopy(plan, f.sales[0], f.number)
	case severalSales:
		return w.several(plan, f.sales)
	case voidedSale:
		return w.voided(f.sales[0], f.number)
	case noneYet:
		return w.noneYet(f.until, now)
	}
	return w.none(rows, now)
}

// adopt makes a sale that was found the order's own.
func (w *work) adopt(id, number string) error {
	return w.update(func(r *order.Order, _ *ledger.Extra) error {
		if r.SaleID != "" {
			return errMoved
		}
		r.SaleID, r.SaleNumber, r.Adopted, r.Copied = id, number, true, somebodysCopy(r, id)
		unsayStrange(r)
		r.None = time.Time{}
		r.Note(w.Now(), "The sale is %s.", cmp.Or(number, id))
		w.watch(r)
		return nil
	})
}

// watch looks again later where more than one create may have made a sale.
func (w *work) watch(r *order.Order) {
	n := r.Past.Creates
	for _, i := range r.Intents {
		if i.Step == order.StepCreate && i.Answer != ledger.Refused {
			n++
		}
	}
	if n > 1 {
		r.Watches = w.marks.Watches() // of the newest: a later look sees what earlier ones would
	}
}

// voided is the end where somebody else voided the sale.
func (w *work) voided(id, number string) error {
	if number = cmp.Or(number, id); !w.run.Cancelled.IsZero() {
		return w.cancelledWithout(number, "is voided")
	}
	message := fmt.Sprintf("The sale %s of this order was voided in Cin7 Core.", number)
	return &ledger.Reject{Problems: []ledger.Problem{w.lostProblem(order.SaleVoided, message, "")}}
}

// noneYet waits for what a create without an answer may show yet.
func (w *work) noneYet(until, now time.Time) error {
	if err := w.update(func(r *order.Order, _ *ledger.Extra) error {
		if r.None.IsZero() {
			r.None = now.UTC()
		}
		return nil
	}); err != nil {
		return err
	}
	return &ledger.Later{
		At:  until,
		Why: "No answer came when the sale was created. It is looked for once more before another one is made.",
	}
}

// none puts down that the order has no sale: what has no answer made none.
// Voided ones are passed over from now on, as a person wishes.
func (w *work) none(rows []cin7core.SaleRow, now time.Time) error {
	open, known := w.run.Unanswered(), len(w.run.Of(order.StepCreate, ledger.Done))
	return w.update(func(r *order.Order, _ *ledger.Extra) error {
		if r.SaleID != "" || len(r.Of(order.StepCreate, ledger.Done)) > known {
			return errMoved
		}
		for _, i := range open {
			if i := r.Intent(i.Seq, order.StepCreate); i.Answer == ledger.Open {
				i.Settled = true
			}
		}
		r.Looked, r.None = now.UTC(), time.Time{}
		for _, row := range rows {
			if !slices.Contains(r.Voided, row.SaleID) {
				r.Voided = append(r.Voided, row.SaleID)
			}
		}
		r.Note(now, "Cin7 Core has no sale of this order.")
		return nil
	})
}

// several decides which of several sales is the order's: what is surely ours and
// empty is voided, the rest left to people.
func (w *work) several(plan *sale.Plan, ids []string) error {
	var sales []cin7core.Sale
	for _, id := range ids {
		s, err := w.readSale(w.calling("cin7core"), id)
		if err := w.answered(err); err != nil {
			return err
		}
		if !s.Status.Is(cin7core.Voided) {
			sales = append(sales, s)
		}
	}
	if len(sales) == 0 {
		return &ledger.Later{At: w.Now().Add(w.Times.Soon), Why: "The sales of this order have just been voided."}
	}
	kept, full := kept(sales)
	if len(full) > 1 {
		return w.twoSales(full)
	}
	for _, s := range sales {
		if s.ID != kept.ID {
			if err := w.voidTwin(plan, s, 1); err != nil {
				return err
			}
		}
	}
	if w.run.SaleID != "" {
		return nil
	}
	return w.adopt(kept.ID, number(kept))
}

// kept is the sale that counts of several: the one with lines, else the one with
// the lowest number. full are all that have lines, in order of their numbers.
func kept(sales []cin7core.Sale) (kept cin7core.Sale, full []cin7core.Sale) {
	sales = slices.SortedFunc(slices.Values(sales), func(a, b cin7core.Sale) int { // SO-9999 before SO-10000
		return cmp.Or(cmp.Compare(len(number(a)), len(number(b))), strings.Compare(number(a), number(b)))
	})
	for _, s := range sales {
		if !empty(s) {
			full = append(full, s)
		}
	}
	if len(full) == 1 {
		return full[0], full
	}
	return sales[0], full
}

func (w *work) twoSales(full []cin7core.Sale) error {
	var names []string
	for _, s := range full {
		names = append(names, number(s))
	}
	what := fmt.Sprintf("Cin7 Core has %d sales with lines for this order: %s.", len(full), strings.Join(names, ", "))
	return problem("twoSales", what,
		"Void the ones that should not be there in Cin7 Core, then retry.")
}

// voidTwin voids a sale beside the ones that count (keep: one, or none), if it is
// empty, equal to what we sent, and there are creates of ours to account for it.
func (w *work) voidTwin(plan *sale.Plan, s cin7core.Sale, keep int) error {
	creates, voids := w.run.Past.Creates, w.run.Past.Voids
	for _, i := range w.run.Intents {
		switch {
		case i.Step == order.StepCreate && i.Answer != ledger.Refused:
			creates++
		case i.Step == order.StepVoid && i.Answer != ledger.Refused && !i.Settled && i.Target != s.ID:
			voids++
		}
	}
	if plan == nil || !empty(s) || !sale.SameHeader(plan.Header, s) || voids >= creates-keep {
		return w.leave(s, "It may be somebody's work")
	}
	err := w.void(s, fmt.Sprintf("The empty twin %s was voided.", number(s)))
	if _, refused := err.(*ledger.Reject); refused {
		return w.leave(s, "Cin7 Core does not void it")
	}
	return err
}

// leave says that a sale beside the order's own stays where it is.
func (w *work) leave(s cin7core.Sale, why string) error {
	return w.update(func(r *order.Order, _ *ledger.Extra) error {
		text := fmt.Sprintf("Cin7 Core also has the sale %s with this order's id. %s, so it was left alone: "+
			"void it there if it should not be.", number(s), why)
		r.Say(text)
		r.Note(w.Now(), "%s", text)
		return nil
	})
}

// watched looks for a twin that appeared after the settle time.
func (w *work) watched() error {
	if w.soldElsewhere() {
		return w.awaitAccount()
	}
	due, keep := w.run.Watches[0], 1
	if w.run.SaleID == "" {
		keep = 0
	}
	if err := w.take(); err != nil {
		return err
	}
	plan, err := w.frozen()
	if err != nil {
		return err
	}
	rows, err := w.rows(plan)
	if err != nil {
		return err
	}
	voided := false
	for _, row := range rows {
		voided = voided || row.SaleID == w.run.SaleID && row.Status.Is(cin7core.Voided)
		if row.SaleID == w.run.SaleID || row.Status.Is(cin7core.Voided) {
			continue
		}
		s, err := w.readSale(w.calling("cin7core"), row.SaleID)
		if err := w.answered(err); err != nil {
			return err
		}
		if s.Status.Is(cin7core.Voided) {
			continue
		}
		if err := w.voidTwin(plan, s, keep); err != nil {
			return err
		}
	}
	return w.update(func(r *order.Order, _ *ledger.Extra) error {
		r.Watches = slices.DeleteFunc(r.Watches, due.Equal)
		if voided && !r.SoldAt.IsZero() && !r.ReadingDue() { // by a late void of ours, or a person: a reading says so
			r.Asked++
		}
		r.Note(w.Now(), "Looked for a twin of the sale.")
		return nil
	})
}
