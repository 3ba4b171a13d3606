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
)

// What a person wants done with the goods of a sold order's sale, to have them
// picked, packed or shipped, is a wish on the order (order.Handling, see
// handling_wish.go), and work on it like any other. Each step is one write:
//
//  1. The sale is read, and what it shows compared with what the person was shown.
//     If it is not the same any more, nothing more is done, and the order says why:
//     other people's work stands.
//  2. Upstock is asked whether the order is cancelled.
//  3. The write goes the way of all (work.attempt). Without an answer it is in
//     doubt until a reading shows what it was to bring about, or two readings
//     after the settle time do not.
//  4. The sale is read again, for the next step. At the end the reading of a sold
//     order tells Upstock of what was shipped.
//
// Cin7 Core refuses to authorise a document twice, so that a step that was
// thought not to be done, and was, is not done again: its refusal is believed
// only after one more reading.

// handle does what a person wishes with the goods of the order's sale.
func (w *work) handle() error {
	if w.run.Handling == nil {
		return nil
	}
	if err := w.take(); err != nil {
		return err
	}
	refused := ""
	for range 8 {
		if w.run.Handling == nil {
			return nil
		}
		var err error
		if refused, err = w.goOnHandling(refused); err != nil {
			return err
		}
	}
	return &ledger.Later{At: w.Now().Add(w.Times.Soon), Why: "The goods of the sale are being handled."}
}

// goOnHandling reads how far the wish is and sends what is next, or ends the wish. before is why Cin7 Core refused the
// last write, refused why it refuses this one; "" = it did not.
func (w *work) goOnHandling(before string) (refused string, err error) {
	h := w.run.Handling
	why := cannotHandle(w.b, w.run, h.To())
	if why == "" && h.Sale != w.run.SaleID {
		why = otherSale
	}
	if why != "" {
		return "", w.stopHandling(h.Steps[0], why)
	}
	turn, err := w.readHandled()
	if err != nil || turn.next == "" {
		return before, err
	}
	if why = before; why == "" {
		why, err = w.tooLate(h)
	}
	if err != nil {
		return "", err
	}
	if why != "" {
		return "", w.stopHandling(turn.next, why)
	}
	return w.handleNext(turn)
}

// tooLate says why a wish is not to be carried out any more: it is old, or Upstock does not have the order. That it is
// cancelled there is an error, which begins the work anew.
func (w *work) tooLate(h *order.Handling) (why string, err error) {
	if h.TooOld(w.Now()) {
		return "It was asked for too long ago to be done now.", nil
	}
	gone, err := w.whetherCancelled()
	if err != nil || !gone {
		return "", err
	}
	return "Upstock does not have the order any more.", nil
}

// otherSale is said where an order got another sale after somebody was shown what would be done with the goods of one.
const otherSale = "The order has another sale now than when this was asked for."

// cannotHandle says why nothing may be done now with the goods of an order's sale; "" = it may.
func cannotHandle(b tenant.Bundle, r *order.Order, to ledger.Step) string {
	core := b.Connections[tenant.Cin7Core]
	switch {
	case r.CancelOpen():
		return "A cancellation of the order was heard of, and Upstock is asked whether it counts."
	case !r.Cancelled.IsZero():
		return "The order is cancelled in Upstock."
	case r.LostItsSale():
		return "The order's sale is voided, or gone."
	case r.SoldAt.IsZero() || r.SaleID == "":
		return "The order is not sold yet."
	case r.Account != "" && core.Account != "" && r.Account != core.Account:
		return "The order was sold in another Cin7 Core account than the one connected now."
	}
	flows := []order.Flow{order.OrdersFlow}
	if to == order.StepShip {
		flows = append(flows, order.ShipmentsFlow)
	}
	for _, f := range flows {
		if why := FlowPaused(b, f); why != "" {
			return "The flow of " + string(f) + " is paused. " + why
		}
	}
	return ""
}

// readHandled reads the sale and puts down what it says of the wish. Its next is what is to be sent; "" = nothing: the
// wish is over. An error says how the work goes on otherwise.
func (w *work) readHandled() (turn handlingTurn, err error) {
	s, err := w.readSale(w.calling("cin7core"), w.run.SaleID)
	if rest.KindOf(err) == rest.NotFound {
		return turn, w.stopHandling(w.run.Handling.Steps[0], "Cin7 Core does not have the sale any more.")
	}
	if err := w.answered(err); err != nil {
		return turn, err
	}
	turn = handlingOf(w.run, s, w.Times, w.Now())
	if h := w.run.Handling; turn.silent && h.TooOld(w.Now()) {
		return turn, w.stopHandling(h.Steps[0], "Cin7 Core does not say how far it is.")
	}
	if turn.silent {
		return turn, job.Down(tenant.Cin7Core, errors.New("the sale is answered without saying how far it is handled"))
	}
	if turn.changes() {
		err = w.update(func(r *order.Order, _ *ledger.Extra) error {
			if !r.Handling.Same(w.run.Handling) {
				return errMoved
			}
			turn.into(r, w.Now())
			return nil
		})
	}
	if err == nil && turn.later != nil {
		return turn, turn.later
	}
	return turn, err
}

// stopHandling ends a wish of which the rest, from a step on, is not done.
func (w *work) stopHandling(step ledger.Step, why string) error {
	return w.update(func(r *order.Order, _ *ledger.Extra) error {
		if r.Handling == nil {
			return errMoved
		}
		notHandled(r, step, why, w.Now())
		return nil
	})
}

// handlingTurn is what a reading of a sale says of a wish for its goods.
type handlingTurn struct {
	silent bool                         // it does not say how far the sale is
	says   map[int]func(*ledger.Intent) // of writes, by their numbers
	later  *ledger.Later                // it is to be read once more
	over   bool                         // nothing is left to do here
	others ledger.Step                  // over: the last step, which somebody else did
	not    ledger.Step                  // over: from this step on it was not done
	why    string                       // not: why
	next   ledger.Step                  // is to be sent
	plan   HandlingPlan                 // of it
	sale   cin7core.Sale
}

func (t handlingTurn) changes() bool { return len(t.says) > 0 || t.over }

// stop: nothing more is done, from a step on.
func (t handlingTurn) stop(step ledger.Step, why string) handlingTurn {
	t.over, t.not, t.why = true, step, why
	return t
}

// into puts down in an order what the reading says.
func (t handlingTurn) into(r *order.Order, now time.Time) {
	for k := range r.Intents {
		if say := t.says[r.Intents[k].Seq]; say != nil {
			say(&r.Intents[k])
		}
	}
	switch {
	case !t.over:
	case t.not != "":
		notHandled(r, t.not, t.why, now)
	default:
		if t.others != "" {
			r.Note(now, "Somebody %s the sale %s in Cin7 Core meanwhile: nothing was done here.",
				wordsOf(t.others).done, r.SaleNumber)
		}
		r.Handling = nil
		r.Asked++
	}
}

// handlingOf compares a sale, as it was just read, with the wish of its order.
func handlingOf(r *order.Order, s cin7core.Sale, times Times, now time.Time) (t handlingTurn) {
	h := r.Handling
	t.sale, t.says = s, map[int]func(*ledger.Intent){}
	f, why := onlyFulfilment(s)
	if why != "" {
		return t.stop(h.Steps[0], why)
	}
	for n, step := range h.Steps {
		writes := handlingWrites(r, step)
		switch stageOf(f, step) {
		case unsaid:
			t.silent = true
			return t
		case underWay:
			return t.stop(step, "Somebody has begun to "+wordsOf(step).verb+" it in Cin7 Core.")
		case untouched:
			return t.untouched(r, writes, h.Steps[n:], times, now)
		}
		ours, as := t.done(writes, sentIn(f, step))
		switch {
		case !ours && step == h.To():
			t.over, t.others = true, step
			return t
		case !ours:
			return t.stop(h.Steps[n+1], "Somebody has "+wordsOf(step).done+" it in Cin7 Core meanwhile.")
		case !as && step != h.To():
			return t.stop(h.Steps[n+1], "Cin7 Core shows it "+wordsOf(step).done+" otherwise than it was to be.")
		}
	}
	t.over = true
	return t
}

// handlingWrites are the writes of a step that the wish made, and those from before it that have no answer.
func handlingWrites(r *order.Order, step ledger.Step) (list []ledger.Intent) {
	for _, i := range r.Intents {
		if i.Step == step && i.Target == r.SaleID && i.Answer != ledger.Refused &&
			(i.Seq > r.Handling.After || i.Answer == ledger.Open) {
			list = append(list, i)
		}
	}
	return list
}

// done: a step is done. ours reports whether a write of ours did it, as whether it is as that one said.
func (t handlingTurn) done(writes []ledger.Intent, shown string) (ours, as bool) {
	for _, i := range writes {
		switch {
		case i.Answer == ledger.Done:
			ours, as = true, as || i.Sent == shown
		case i.Sent == shown:
			ours, as = true, true
			t.says[i.Seq] = func(i *ledger.Intent) { i.Answer, i.Settled = ledger.Done, false }
		case !i.Settled:
			t.says[i.Seq] = func(i *ledger.Intent) { i.Settled = true }
		}
	}
	return ours, as
}

// untouched: the first of the steps that are left is not done, as the sale was read.
func (t handlingTurn) untouched(
	r *order.Order, writes []ledger.Intent, left []ledger.Step, times Times, now time.Time,
) handlingTurn {
	step, words := left[0], wordsOf(left[0])
	var settle time.Time
	seen := false
	for _, i := range writes {
		over := i.Deadline.Add(times.Settle)
		switch {
		case i.Answer == ledger.Done && now.Before(over):
			t.later = &ledger.Later{At: now.Add(times.Soon),
				Why: "Cin7 Core has answered that the sale is " + words.done + ", and does not show it yet."}
			return t
		case i.Answer == ledger.Done:
			return t.stop(step, "It was "+words.done+", and Cin7 Core does not show it: somebody took it back.")
		case !i.Settled:
			settle, seen = job.Latest(settle, over), seen || !i.Live.IsZero()
		}
	}
	if settle.After(now) {
		t.later = &ledger.Later{At: settle, Why: "No answer came when the sale was to be " + words.done +
			". It is read once more before that is sent again."}
		return t
	}
	for _, i := range writes {
		switch {
		case i.Settled:
		case seen:
			t.says[i.Seq] = func(i *ledger.Intent) { i.Settled = true }
		default:
			t.says[i.Seq] = func(i *ledger.Intent) { i.Live = now.UTC() }
			t.later = &ledger.Later{At: now.Add(times.Soon), Why: "The sale is not " + words.done +
				" though that was sent. It is read once more before it is sent again."}
		}
	}
	if t.later != nil {
		return t
	}
	t.plan = planHandling(t.sale, r.Handling.To())
	switch {
	case t.plan.Why != "":
		return t.stop(step, t.plan.Why)
	case t.plan.digest() != r.Handling.Goods || !slices.Equal(t.plan.Steps, left):
		return t.stop(step, "The sale is not any more as it was shown when this was asked for.")
	}
	t.next = step
	return t
}

// notHandled ends a wish of which the rest, from a step on, is not done: a person is told. Of a cancelled order its
// page says enough.
func notHandled(r *order.Order, step ledger.Step, why string, now time.Time) {
	h := r.Handling
	r.Handling = nil
	r.Asked++
	p := ledger.Problem{Code: order.NotHandled(step),
		Message: fmt.Sprintf("The goods of the sale %s were to be %s in Cin7 Core, and were not. %s", r.SaleNumber,
			wordsOf(h.To()).done, why),
		Fix: "Look at the sale as it stands now. Do the rest in Cin7 Core, or ask for it here again."}
	r.Note(now, "%s", p.Message)
	if r.SoldAt.IsZero() || !r.Cancelled.IsZero() {
		r.Say(p.Message)
		return
	}
	r.Problems = append(slices.DeleteFunc(r.Problems, func(p ledger.Problem) bool {
		return order.IsNotHandled(p.Code)
	}), p)
	r.State = ledger.Attention
}

// dropHandled takes from an order what needed somebody and is done by now, as its sale shows.
func dropHandled(r *order.Order, s cin7core.Sale) {
	whole := s.CombinedShippingStatus.Is(cin7core.Shipped)
	f, why := onlyFulfilment(s)
	for _, step := range order.HandlingSteps() {
		if whole || why == "" && stageOf(f, step) == authorised {
			r.Problems = slices.DeleteFunc(r.Problems, func(p ledger.Problem) bool {
				return p.Code == order.NotHandled(step)
			})
		}
	}
}

// handleNext sends the next step. refused says why Cin7 Core did not do it.
func (w *work) handleNext(t handlingTurn) (refused string, err error) {
	answer, err := w.attempt(w.handlingWrite(t))
	switch {
	case err != nil:
		if tooOften, ok := err.(*ledger.Reject); ok {
			return "", w.stopHandling(t.next, tooOften.Problems[0].Message)
		}
		return "", err
	case answer == nil:
		w.progress = true
		return "", nil
	case rest.OutcomeOf(answer) == rest.Unknown:
		return "", job.Down(tenant.Cin7Core, answer)
	}
	if r := refusal(answer, "to "+wordsOf(t.next).verb+" the goods"); r != nil {
		return r.Problems[0].Message, nil
	}
	return "", w.answered(answer)
}

// handlingWrite is the write of a step.
func (w *work) handlingWrite(t handlingTurn) outsideWrite {
	h, words := w.run.Handling, wordsOf(t.next)
	send, sent := w.sending(t, h)
	return outsideWrite{
		step: t.next,
		sale: t.sale.ID,
		allow: func(r *order.Order) error {
			stale := w.Now().Sub(w.shown[t.sale.ID]) > aMoment // somebody may be at it
			if stale || !r.Handling.Same(h) || r.SaleID != t.sale.ID || cannotHandle(w.b, r, h.To()) != "" ||
				len(r.OpenHandling(t.sale.ID, t.next)) > 0 {
				return errMoved
			}
			return nil
		},
		with: func(_ *order.Order, i *ledger.Intent, _ *ledger.Extra) { i.Label, i.Sent = t.plan.Sale, sent },
		send: send,
		record: func(r *order.Order, i *ledger.Intent, _ *ledger.Extra, answer error) {
			switch {
			case i.Answer != ledger.Open:
			case rest.OutcomeOf(answer) == rest.Unknown:
				i.Unknown = true
				r.Note(w.Now(), "No believable answer to %s the goods: the sale is read before anything else.",
					words.doing)
			case answer != nil:
				i.Answer = ledger.Refused
			default:
				i.Answer = ledger.Done
				r.Note(w.Now(), "The goods of the sale %s are %s in Cin7 Core.", t.plan.Sale, words.done)
				if r.Asked++; r.Lease.Token != w.token {
					r.DueNow(w.Now())
				}
			}
		},
	}
}

// sending is the call of a step, and what a reading shows once it has taken effect.
func (w *work) sending(t handlingTurn, h *order.Handling) (send func(context.Context) error, sent string) {
	task, lines := t.plan.task, t.plan.lines
	switch t.next {
	case order.StepPick:
		lines = withoutBoxes(lines)
		return func(ctx context.Context) error {
			_, err := w.cin7.AuthorisePick(ctx, task, lines)
			return err
		}, digest(goodsOf(lines))
	case order.StepPack:
		return func(ctx context.Context) error {
			_, err := w.cin7.AuthorisePack(ctx, task, lines)
			return err
		}, digest(goodsOf(lines))
	}
	var parcels []cin7core.ShipLine
	for _, box := range t.plan.Boxes {
		parcels = append(parcels, cin7core.ShipLine{ShipmentDate: h.Day, Carrier: h.Carrier, Boxes: box,
			TrackingNumber: h.Tracking[box]})
	}
	return func(ctx context.Context) error {
		_, err := w.cin7.AuthoriseShipment(ctx, task, parcels)
		return err
	}, digest(parcelsSent(parcels))
}

// sentIn is what a write of a step would have had to say for a fulfilment to be as it is.
func sentIn(f cin7core.Fulfilment, step ledger.Step) string {
	switch step {
	case order.StepPick:
		return digest(goodsOf(withoutBoxes(f.Pick.Lines)))
	case order.StepPack:
		return digest(goodsOf(f.Pack.Lines))
	}
	return digest(parcelsSent(f.Ship.Lines))
}

func withoutBoxes(lines []cin7core.HandlingLine) []cin7core.HandlingLine {
	lines = slices.Clone(lines)
	for i := range lines {
		lines[i].Box = ""
	}
	return lines
}

// parcelsSent says which boxes go with which tracking number. Of the carrier Cin7 Core may have an opinion of its own.
func parcelsSent(lines []cin7core.ShipLine) string {
	var text []string
	for _, l := range lines {
		boxes := l.BoxList()
		slices.Sort(boxes)
		text = append(text, strings.Join(boxes, ",")+" "+cmp.Or(strings.TrimSpace(l.TrackingNumber), "untracked"))
	}
	slices.Sort(text)
	return strings.Join(text, "\n")
}
