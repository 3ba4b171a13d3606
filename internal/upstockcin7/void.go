package upstockcin7

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/sale"
)

// A void is an outside write like any other: without an answer it is in doubt
// whether the sale still stands. Until a reading shows it voided, or two
// readings after the settle time show it standing, nothing is created or
// adopted (steps, undecided).

// openVoids are the voids of which it is not known whether they took effect.
func openVoids(r *ledger.Run) []ledger.Intent {
	return slices.DeleteFunc(r.Of(ledger.StepVoid, ledger.Open), func(i ledger.Intent) bool { return i.Settled })
}

// aMoment is how old what a sale showed may be when it is voided: somebody may be working on it.
const aMoment = 10 * time.Second

// readSale reads a sale, and notes when, for a void.
func (w *work) readSale(ctx context.Context, id string) (cin7core.Sale, error) {
	at := w.Now()
	s, err := w.cin7.Sale(ctx, id)
	if err == nil {
		if w.shown == nil {
			w.shown = map[string]time.Time{}
		}
		w.shown[s.ID] = at
	}
	return s, err
}

// void voids a header of ours that was just read as empty. A reject: Cin7 Core refused.
func (w *work) void(s cin7core.Sale, note string) error {
	if w.Now().Sub(w.shown[s.ID]) > aMoment {
		return job.Down(tenant.Cin7Core, errors.New("it took long to show a sale that is to be voided, which somebody may have changed since"))
	}
	ctx, err := w.cin7.Reserve(w.calling("cin7core"))
	if err != nil {
		return w.answered(err)
	}
	seq := 0
	if err := w.update(func(r *ledger.Run, _ *ledger.Extra) (err error) {
		if w.onCancel && !cancelStands(r) {
			return errMoved
		}
		seq, err = w.intendVoid(r, s)
		return err
	}); err != nil {
		return err
	}
	_, err = w.cin7.VoidSale(ctx, s.ID)
	w.sendBy = time.Time{}
	if rest.OutcomeOf(err) == rest.Unknown {
		if uerr := w.result(func(r *ledger.Run) error { w.voidUnknown(r, seq); return nil }); uerr != nil {
			return uerr
		}
		return w.answered(err)
	}
	if uerr := w.result(func(r *ledger.Run) error {
		i := r.Intent(seq, ledger.StepVoid)
		if i.Answer != ledger.Open {
			return nil
		}
		if i.Answer = ledger.Refused; err != nil {
			return nil
		}
		i.Answer = ledger.Done
		if !r.SoldAt.IsZero() && r.SaleID == s.ID { // it came so late that the sale was given up as standing, and sold: a look tells
			r.Asked++
			dueNow(r, w.Now())
			return nil
		}
		gone(r, s.ID)
		r.Note(w.Now(), "%s", note)
		return nil
	}); uerr != nil {
		return uerr
	}
	if rej := refusal(err, "to void the sale "+number(s)); rej != nil {
		return rej
	}
	return w.answered(err)
}

func (w *work) intendVoid(r *ledger.Run, s cin7core.Sale) (int, error) {
	seq, err := w.intend(r, ledger.StepVoid, s.ID)
	if err == nil {
		r.Intent(seq, ledger.StepVoid).Number = number(s)
	}
	return seq, err
}

// voidUnknown leaves a void in doubt. It is looked after again later, as it may take effect late.
func (w *work) voidUnknown(r *ledger.Run, seq int) {
	i := r.Intent(seq, ledger.StepVoid)
	if i.Answer != ledger.Open {
		return
	}
	i.Unknown = true
	r.Note(w.Now(), "No believable answer to voiding the sale %s: it is read before anything else.", cmp.Or(i.Number, i.SaleID))
	r.Watches = w.watches()
}

// gone records that a sale of this order is voided by us.
func gone(r *ledger.Run, id string) {
	if !slices.Contains(r.Voided, id) {
		r.Voided = append(r.Voided, id)
	}
	if r.SaleID == id {
		r.SaleID, r.SaleNumber, r.Adopted = "", "", false
	}
}

// voidDoubt decides whether a void without an answer took effect.
func (w *work) voidDoubt() error {
	open := openVoids(w.run)
	id, settle, seen := open[0].SaleID, time.Time{}, false
	for _, i := range open {
		if i.SaleID == id {
			settle, seen = latest(settle, i.Deadline.Add(w.Times.Settle)), seen || !i.Live.IsZero()
		}
	}
	s, err := w.readSale(w.calling("cin7core"), id)
	missing := rest.KindOf(err) == rest.NotFound
	if missing && !w.run.NewSale {
		fix := "Look in Cin7 Core whether it is voided. Then retry with a new sale, or cancel the order in Upstock."
		if !w.run.Cancelled.IsZero() {
			fix = "Look in Cin7 Core whether it is voided, and void it if it is not. Then retry with a new sale: none is made, as the order is cancelled."
		}
		return problem(saleGone, "Cin7 Core gave no believable answer when the sale "+cmp.Or(open[0].Number, id)+" was voided, and does not show it any more.",
			fix)
	}
	if !missing {
		if err := w.answered(err); err != nil {
			return err
		}
	}
	now := w.Now()
	each := func(change func(r *ledger.Run, i *ledger.Intent)) error {
		return w.update(func(r *ledger.Run, _ *ledger.Extra) error {
			for k := range r.Intents {
				if i := &r.Intents[k]; i.Step == ledger.StepVoid && i.SaleID == id && i.Answer == ledger.Open && !i.Settled {
					change(r, i)
				}
			}
			return nil
		})
	}
	switch {
	case missing: // a person wants a new sale all the same
		return each(func(r *ledger.Run, i *ledger.Intent) {
			i.Settled = true
			gone(r, id)
		})
	case s.Status.Is(cin7core.Voided):
		return each(func(r *ledger.Run, i *ledger.Intent) {
			i.Answer = ledger.Done
			gone(r, id)
			r.Note(now, "The sale %s is voided.", number(s))
		})
	case now.Before(settle):
		return &ledger.Later{
			At:  settle,
			Why: "No answer came when the sale " + number(s) + " was voided. It is read once more before anything else is done.",
		}
	case !seen:
		if err := each(func(_ *ledger.Run, i *ledger.Intent) { i.Live = now.UTC() }); err != nil {
			return err
		}
		return &ledger.Later{
			At:  now.Add(w.Times.Soon),
			Why: "The sale " + number(s) + " still stands though it was to be voided. It is read once more before anything else is done.",
		}
	}
	return each(func(r *ledger.Run, i *ledger.Intent) {
		i.Settled = true
		r.Note(now, "The sale %s stands: voiding it did not take effect.", number(s))
		r.Watches = w.watches()
	})
}

// undo does away with the sale whose lines Cin7 Core refused for good, before
// anything else is tried. What it refused then needs a person.
func (w *work) undo() error {
	plan, err := w.frozen()
	if err != nil {
		return err
	}
	refused := &ledger.Reject{Problems: w.run.Unwanted}
	s, err := w.readSale(w.calling("cin7core"), w.run.SaleID)
	if rest.KindOf(err) == rest.NotFound {
		return w.saleGone()
	}
	if err := w.answered(err); err != nil {
		return err
	}
	switch {
	case s.Status.Is(cin7core.Voided):
		return w.wasVoided(s)
	case plan == nil: // nothing says what it should be
		return refused
	case !empty(s) && sale.SameLines(plan.Order, s.Order): // a write without an answer had come before
		return w.sold(s.Order, plan, 0, &s)
	case empty(s) && notOurs(w.run, s.ID):
		return problem("changedByOthers", fmt.Sprintf("Somebody made the sale %s in Cin7 Core with this order's id, so it was left alone when Cin7 Core refused the order's lines.", number(s)),
			"Give it the order's lines in Cin7 Core and retry; or void it there and retry with a new sale.")
	case !empty(s), !sale.SameHeader(plan.Header, s): // a person's work stands
		return problem("changedByOthers", fmt.Sprintf("Somebody changed the sale %s in Cin7 Core after its lines were refused, so it was left alone.", number(s)),
			"Give it the order's lines in Cin7 Core and retry; or void it there and retry with a new sale.")
	}
	if at := linesDoubt(w.run).Add(w.Times.Settle); w.Now().Before(at) {
		return &ledger.Later{
			At:  at,
			Why: "Lines were sent without an answer. The sale is read once more before it is voided.",
		}
	}
	return w.void(s, fmt.Sprintf("The lines were refused: the empty sale %s was voided.", number(s)))
}

// notOurs says that the run's sale is a person's, equal to what we sent as it may
// be (a copy): every create is accounted for by another one, which we voided. A
// person may go on with it; it is not for us to void.
func notOurs(r *ledger.Run, id string) bool {
	creates, voided := r.Past.Creates, map[string]bool{}
	for _, i := range r.Intents {
		switch {
		case i.Step == ledger.StepCreate && i.Answer == ledger.Done && i.SaleID == id:
			return false
		case i.Step == ledger.StepCreate && i.Answer != ledger.Refused:
			creates++
		case i.Step == ledger.StepVoid && i.Answer != ledger.Refused && !i.Settled && i.SaleID != id:
			voided[i.SaleID] = true
		}
	}
	voids := r.Past.Voids + len(voided)
	return r.SaleID == id && r.Copied || voids > 0 && voids >= creates
}

// linesDoubt is until when lines that were sent to the run's sale without an answer may take effect.
func linesDoubt(r *ledger.Run) (until time.Time) {
	for _, i := range r.Of(ledger.StepLines, ledger.Open) {
		if i.SaleID == r.SaleID {
			until = latest(until, i.Deadline)
		}
	}
	return until
}

// maxCreates is how often a sale of an order is created by itself; maxAttempts
// how often anything else is tried without a believable answer. Then a person is asked.
const (
	maxCreates  = 5
	maxAttempts = 20
)

// attempts are the intents of a step that may have taken effect, since a person last asked for something.
func attempts(r *ledger.Run, step ledger.Step) (list []ledger.Intent) {
	for _, i := range r.Intents {
		if i.Step == step && i.Answer != ledger.Refused && i.Seq > r.Granted {
			list = append(list, i)
		}
	}
	return list
}

// barred says why no other sale of the order is made by itself: every earlier
// create must be refused, or looked for and not there, and they are few. Where
// one made a sale that was voided, only a person, or a newer approval, makes
// another (both move Granted on). nil = there may be one.
func (w *work) barred(r *ledger.Run) error {
	if sellsAnew(r) {
		return nil
	}
	for _, i := range undone(r) {
		switch {
		case i.Seq <= r.Granted:
		case len(r.Unwanted) > 0:
			return &ledger.Reject{Problems: r.Unwanted}
		default:
			return problem(saleVoided, fmt.Sprintf("The sale %s that was made of this order is voided, so no other one is made by itself.", cmp.Or(i.Number, i.SaleID)),
				"If it should be sold all the same, retry; else cancel the order in Upstock.")
		}
	}
	tried := attempts(r, ledger.StepCreate)
	n := len(tried)
	if n >= maxCreates {
		return w.tooOften(r, fmt.Sprintf("Cin7 Core gave no believable answer when its sale was created, %d times; each time it was looked for and not found.", n))
	}
	if n > 1 {
		if at := tried[n-1].At.Add(time.Duration(n-1) * w.Times.MaxVendor); w.Now().Before(at) {
			return &ledger.Later{
				At:  at,
				Why: fmt.Sprintf("Cin7 Core gave no believable answer when the sale was created, %d times. It is tried again later.", n),
			}
		}
	}
	return nil
}

// undone are the intents after which a person has to have asked for another
// sale, one for each sale that was made and is voided: our first void after its
// lines were last written, else its create. A wish from before that, while the
// lines were on their way, was not for another sale.
func undone(r *ledger.Run) (list []ledger.Intent) {
	lines, at := map[string]int{}, map[string]int{}
	for _, i := range r.Intents {
		switch {
		case i.SaleID == "" || i.Step == ledger.StepVoid && !slices.Contains(r.Voided, i.SaleID):
		case i.Step == ledger.StepLines:
			lines[i.SaleID] = i.Seq
		case i.Step == ledger.StepCreate && i.Answer == ledger.Done, i.Step == ledger.StepVoid && i.Answer != ledger.Refused:
			n, known := at[i.SaleID]
			switch {
			case !known:
				at[i.SaleID], list = len(list), append(list, i)
			case list[n].Step == ledger.StepCreate || list[n].Seq < lines[i.SaleID]:
				list[n] = i
			}
		}
	}
	return list
}

// tooOften asks a person, and names every sale that is known of the order.
func (w *work) tooOften(r *ledger.Run, what string) error {
	if sales := salesNamed(r); sales != "" {
		what += " Sales of this order: " + sales + "."
	} else {
		what += " No sale of this order is known."
	}
	return problem("gaveUp", what, "Look in Cin7 Core for what the attempts may have left. Retry when the cause is gone.")
}

// salesNamed lists every sale that is known of an order, and which of them are voided.
func salesNamed(r *ledger.Run) string {
	numbers := map[string]string{}
	var ids []string
	add := func(id, number string) {
		if _, known := numbers[id]; !known && id != "" {
			ids = append(ids, id)
		}
		if id != "" {
			numbers[id] = cmp.Or(number, numbers[id], id)
		}
	}
	for _, i := range r.Intents {
		add(i.SaleID, i.Number)
	}
	for _, id := range r.Voided {
		add(id, "")
	}
	add(r.SaleID, r.SaleNumber)
	for n, id := range ids {
		name := numbers[id]
		if slices.Contains(r.Voided, id) {
			name += " (voided)"
		}
		ids[n] = name
	}
	return strings.Join(ids, ", ")
}
