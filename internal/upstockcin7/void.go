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
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
)

// A void is an outside write like any other: without an answer it is in doubt
// whether the sale still stands. Until a reading shows it voided, or two
// readings after the settle time show it standing, nothing is created or
// adopted (steps, Order.Undecided).

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
		return job.Down(tenant.Cin7Core,
			errors.New("it took long to show a sale that is to be voided, which somebody may have changed since"))
	}
	answer, err := w.attempt(w.voiding(s, func(r *order.Order) error {
		if w.onCancel && !cancelStands(r) {
			return errMoved
		}
		return nil
	}, func(r *order.Order) {
		// it came so late that the sale was given up as standing, and sold: a reading tells
		if !r.SoldAt.IsZero() && r.SaleID == s.ID {
			r.Asked++
			r.DueNow(w.Now())
			return
		}
		gone(r, s.ID)
		r.Note(w.Now(), "%s", note)
	}))
	if err != nil {
		return err
	}
	if rest.OutcomeOf(answer) == rest.Unknown {
		return w.answered(answer)
	}
	return w.refusedOr(answer, "to void the sale "+number(s))
}

// voiding is the write that voids a sale, where allow agrees; done is what becomes of the order by it.
func (w *work) voiding(s cin7core.Sale, allow func(*order.Order) error, done func(*order.Order)) outsideWrite {
	return outsideWrite{
		step:  order.StepVoid,
		sale:  s.ID,
		allow: allow,
		with:  func(_ *order.Order, i *ledger.Intent, _ *ledger.Extra) { i.Label = number(s) },
		send: func(ctx context.Context) error {
			_, err := w.cin7.VoidSale(ctx, s.ID)
			return err
		},
		record: func(r *order.Order, i *ledger.Intent, _ *ledger.Extra, answer error) {
			switch {
			case i.Answer != ledger.Open:
			case rest.OutcomeOf(answer) == rest.Unknown: // it may take effect late, so it is looked after again later
				i.Unknown = true
				r.Note(w.Now(), "No believable answer to voiding the sale %s: it is read before anything else.",
					number(s))
				r.Watches = w.marks.Watches()
			case answer != nil:
				i.Answer = ledger.Refused
			default:
				i.Answer = ledger.Done
				done(r)
			}
		},
	}
}

// gone records that a sale of this order is voided by us.
func gone(r *order.Order, id string) {
	if !slices.Contains(r.Voided, id) {
		r.Voided = append(r.Voided, id)
	}
	if r.SaleID == id {
		r.SaleID, r.SaleNumber, r.Adopted = "", "", false
	}
}

// voidDoubt decides whether a void without an answer took effect.
func (w *work) voidDoubt() error {
	first := w.run.OpenVoids()[0]
	id := first.Target
	s, err := w.readSale(w.calling("cin7core"), id)
	missing := rest.KindOf(err) == rest.NotFound
	if missing && !w.run.NewSale {
		return goneInDoubt(w.run, cmp.Or(first.Label, id))
	}
	if !missing {
		if err := w.answered(err); err != nil {
			return err
		}
	}
	now := w.Now()
	settle, seen := w.openVoids(id)
	switch {
	case missing: // a person wants a new sale all the same
		return w.answerVoids(id, func(r *order.Order, i *ledger.Intent) {
			i.Settled = true
			gone(r, id)
		})
	case s.Status.Is(cin7core.Voided):
		return w.answerVoids(id, func(r *order.Order, i *ledger.Intent) {
			i.Answer = ledger.Done
			gone(r, id)
			r.Note(now, "The sale %s is voided.", number(s))
		})
	case now.Before(settle):
		return &ledger.Later{
			At: settle,
			Why: "No answer came when the sale " + number(s) +
				" was voided. It is read once more before anything else is done.",
		}
	case !seen:
		if err := w.answerVoids(id, func(_ *order.Order, i *ledger.Intent) { i.Live = now.UTC() }); err != nil {
			return err
		}
		return &ledger.Later{
			At: now.Add(w.Times.Soon),
			Why: "The sale " + number(s) +
				" still stands though it was to be voided. It is read once more before anything else is done.",
		}
	}
	return w.answerVoids(id, func(r *order.Order, i *ledger.Intent) {
		i.Settled = true
		r.Note(now, "The sale %s stands: voiding it did not take effect.", number(s))
		r.Watches = w.marks.Watches()
	})
}

// openVoids is until when voids of a sale without an answer may take effect, and whether it was seen to stand since.
func (w *work) openVoids(id string) (settle time.Time, seen bool) {
	for _, i := range w.run.OpenVoids() {
		if i.Target == id {
			settle, seen = job.Latest(settle, i.Deadline.Add(w.Times.Settle)), seen || !i.Live.IsZero()
		}
	}
	return settle, seen
}

// answerVoids changes the intents of the voids of a sale that have no answer.
func (w *work) answerVoids(id string, change func(*order.Order, *ledger.Intent)) error {
	return w.update(func(r *order.Order, _ *ledger.Extra) error {
		for k := range r.Intents {
			i := &r.Intents[k]
			if i.Step == order.StepVoid && i.Target == id && i.Answer == ledger.Open && !i.Settled {
				change(r, i)
			}
		}
		return nil
	})
}

// voidsDone puts down that the voids of a sale took effect, those without an answer.
func voidsDone(r *order.Order, saleID string) {
	for k := range r.Intents {
		if i := &r.Intents[k]; i.Step == order.StepVoid && i.Target == saleID && i.Answer == ledger.Open {
			i.Answer = ledger.Done
		}
	}
}

// goneInDoubt asks a person about a sale that was voided without an answer, and is not shown any more.
func goneInDoubt(r *order.Order, number string) error {
	fix := "Look in Cin7 Core whether it is voided. Then retry with a new sale, or cancel the order in Upstock."
	if !r.Cancelled.IsZero() {
		fix = "Look in Cin7 Core whether it is voided, and void it if it is not. Then retry with a new sale: " +
			"none is made, as the order is cancelled."
	}
	return problem(order.SaleGone, "Cin7 Core gave no believable answer when the sale "+number+
		" was voided, and does not show it any more.", fix)
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
		return w.sold(s, plan)
	case empty(s) && notOurs(w.run, s.ID):
		return problem("changedByOthers",
			fmt.Sprintf("Somebody made the sale %s in Cin7 Core with this order's id, so it was left alone when Cin7 "+
				"Core refused the order's lines.", number(s)),
			"Give it the order's lines in Cin7 Core and retry; or void it there and retry with a new sale.")
	case !empty(s), !sale.SameHeader(plan.Header, s): // a person's work stands
		return problem("changedByOthers",
			fmt.Sprintf("Somebody changed the sale %s in Cin7 Core after its lines were refused, so it was left alone.",
				number(s)),
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

// notOurs reports whether the run's sale is a person's, equal to what we sent as
// it may be (a copy): every create is accounted for by another one, which we voided. A
// person may go on with it; it is not for us to void.
func notOurs(r *order.Order, id string) bool {
	creates, voided := r.Past.Creates, map[string]bool{}
	for _, i := range r.Intents {
		switch {
		case i.Step == order.StepCreate && i.Answer == ledger.Done && i.Target == id:
			return false
		case i.Step == order.StepCreate && i.Answer != ledger.Refused:
			creates++
		case i.Step == order.StepVoid && i.Answer != ledger.Refused && !i.Settled && i.Target != id:
			voided[i.Target] = true
		}
	}
	voids := r.Past.Voids + len(voided)
	return r.SaleID == id && r.Copied || voids > 0 && voids >= creates
}

// linesDoubt is until when lines that were sent to the run's sale without an answer may take effect.
func linesDoubt(r *order.Order) (until time.Time) {
	for _, i := range r.Of(order.StepLines, ledger.Open) {
		if i.Target == r.SaleID {
			until = job.Latest(until, i.Deadline)
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
func attempts(r *order.Order, step ledger.Step) (list []ledger.Intent) {
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
func (w *work) barred(r *order.Order) error {
	if sellsAnew(r) {
		return nil
	}
	for _, i := range undone(r) {
		switch {
		case i.Seq <= r.Granted:
		case len(r.Unwanted) > 0:
			return &ledger.Reject{Problems: r.Unwanted}
		default:
			return problem(order.SaleVoided,
				fmt.Sprintf("The sale %s that was made of this order is voided, so no other one is made by itself.",
					cmp.Or(i.Label, i.Target)),
				"If it should be sold all the same, retry; else cancel the order in Upstock.")
		}
	}
	tried := attempts(r, order.StepCreate)
	n := len(tried)
	if n >= maxCreates {
		return w.tooOften(r, fmt.Sprintf("Cin7 Core gave no believable answer when its sale was created, %d times; "+
			"each time it was looked for and not found.", n))
	}
	if n > 1 {
		if at := tried[n-1].At.Add(time.Duration(n-1) * w.Times.Longest); w.Now().Before(at) {
			return &ledger.Later{
				At: at,
				Why: fmt.Sprintf("Cin7 Core gave no believable answer when the sale was created, %d times. It is "+
					"tried again later.", n),
			}
		}
	}
	return nil
}

// undone are the intents after which a person has to have asked for another
// sale, one for each sale that was made and is voided: our first void after its
// lines were last written, else its create. A wish from before that, while the
// lines were on their way, was not for another sale.
func undone(r *order.Order) (list []ledger.Intent) {
	lines, at := map[string]int{}, map[string]int{}
	for _, i := range r.Intents {
		switch {
		case i.Target == "" || i.Step == order.StepVoid && !slices.Contains(r.Voided, i.Target):
		case i.Step == order.StepLines:
			lines[i.Target] = i.Seq
		case i.Step == order.StepCreate && i.Answer == ledger.Done,
			i.Step == order.StepVoid && i.Answer != ledger.Refused:
			n, known := at[i.Target]
			switch {
			case !known:
				at[i.Target], list = len(list), append(list, i)
			case list[n].Step == order.StepCreate || list[n].Seq < lines[i.Target]:
				list[n] = i
			}
		}
	}
	return list
}

// tooOften asks a person, and names every sale that is known of the order.
func (w *work) tooOften(r *order.Order, what string) error {
	if sales := salesNamed(r); sales != "" {
		what += " Sales of this order: " + sales + "."
	} else {
		what += " No sale of this order is known."
	}
	return problem("gaveUp", what, "Look in Cin7 Core for what the attempts may have left. Retry when the "+
		"cause is gone.")
}

// salesNamed lists every sale that is known of an order, and which of them are voided.
func salesNamed(r *order.Order) string {
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
		add(i.Target, i.Label)
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
