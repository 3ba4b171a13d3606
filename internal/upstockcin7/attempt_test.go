package upstockcin7

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/ledger"
	"stockbridge/internal/rest"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
)

const ours = "our lease"

// answers are what a call can come to, but for one that is done.
var (
	unbelievable = &rest.Error{Kind: rest.Unavailable, Outcome: rest.Unknown, Err: errors.New("no answer")}
	invalid      = &rest.Error{Kind: rest.Invalid, Outcome: rest.Refused, Status: 400,
		Messages: []string{"No such customer."}}
	throttled = &rest.Error{Kind: rest.Throttled, Outcome: rest.Refused, Status: 429}
)

// attempted is an order with an open intent of a step, number 1, after which others are.
func attempted(step ledger.Step, saleID string, others ...ledger.Intent) *order.Order {
	r := &order.Order{Run: ledger.Run{Lease: ledger.Lease{Token: ours}}}
	r.Intents = append([]ledger.Intent{{Seq: 1, Step: step, Target: saleID}}, others...)
	return r
}

// TestCreated: what a create answered is in its own intent, and the sale is chosen by the lease's holder alone, where
// nothing speaks against it.
func TestCreated(t *testing.T) {
	open := func(seq int) ledger.Intent { return ledger.Intent{Seq: seq, Step: order.StepCreate} }
	made := func(seq int, id string) ledger.Intent {
		return ledger.Intent{Seq: seq, Step: order.StepCreate, Answer: ledger.Done, Target: id}
	}
	for _, c := range []struct {
		name   string
		answer error
		run    func(*order.Order) // what others have written since
		others []ledger.Intent
		want   ledger.Intent
		mine   bool
	}{
		{name: "done", want: made(1, "a"), mine: true},
		{name: "no believable answer", answer: unbelievable, want: ledger.Intent{Unknown: true}},
		{name: "refused", answer: invalid, want: ledger.Intent{Answer: ledger.Refused}},
		{name: "throttled", answer: throttled, want: ledger.Intent{Answer: ledger.Refused}},
		{name: "another has the lease", run: func(r *order.Order) { r.Lease.Token = "another" }, want: made(1, "a")},
		{name: "the order has its sale", run: func(r *order.Order) { r.SaleID = "b" }, want: made(1, "a")},
		{name: "another create made one", others: []ledger.Intent{made(2, "b")}, want: made(1, "a")},
		{name: "another create has no answer", others: []ledger.Intent{open(2)}, want: made(1, "a")},
		{name: "that one is voided", others: []ledger.Intent{made(2, "b")},
			run:  func(r *order.Order) { r.Voided = []string{"b"} },
			want: made(1, "a"), mine: true},
		{name: "a void has no answer", others: []ledger.Intent{{Seq: 2, Step: order.StepVoid, Target: "b"}},
			want: made(1, "a")},
		{name: "it was answered before", run: func(r *order.Order) { r.Intents[0].Answer = ledger.Refused },
			want: ledger.Intent{Answer: ledger.Refused}},
	} {
		r := attempted(order.StepCreate, "", c.others...)
		if c.run != nil {
			c.run(r)
		}
		s := cin7core.Sale{ID: "a", Order: cin7core.OrderDocument{SaleOrderNumber: "SO-1"}}
		was := r.SaleID
		mine := created(r, r.Intent(1, order.StepCreate), s, c.answer, ours, time.Now())
		if c.want.Seq, c.want.Step = 1, order.StepCreate; c.want.Target != "" {
			c.want.Label = "SO-1"
		}
		if diff := cmp.Diff(c.want, r.Intents[0]); diff != "" || mine != c.mine {
			t.Errorf("%s: chosen is %t, the intent (-want +got):\n%s", c.name, mine, diff)
		}
		if now := r.SaleID; mine && now != "a" || !mine && now != was {
			t.Errorf("%s: the order's sale is %q", c.name, now)
		}
	}
}

// TestLinesAnswered: what writing the lines answered is in its own intent. A refusal for good undoes the sale, if it is
// the order's and the lease ours.
func TestLinesAnswered(t *testing.T) {
	line := cin7core.OrderLine{SKU: "TEA", Name: "Tea", ProductID: "p", Quantity: decimal.NewFromInt(1),
		Price: decimal.NewFromInt(3),
		Total: decimal.NewFromInt(3), TaxRule: "GST"}
	plan := &sale.Plan{Order: cin7core.OrderDocument{Lines: []cin7core.OrderLine{line}},
		SaleTotal: decimal.NewFromInt(3)}
	saved := cin7core.OrderDocument{Lines: []cin7core.OrderLine{line}, Total: decimal.NewFromInt(3)}
	without := saved
	without.Lines = nil
	for _, c := range []struct {
		name     string
		saved    cin7core.OrderDocument
		answer   error
		run      func(*order.Order)
		want     ledger.Intent
		asSent   bool
		unwanted bool
	}{
		{name: "done", saved: saved, want: ledger.Intent{Answer: ledger.Done}, asSent: true},
		{name: "other lines", saved: without, want: ledger.Intent{Answer: ledger.Done}},
		{name: "no total", saved: cin7core.OrderDocument{Lines: saved.Lines}, want: ledger.Intent{Answer: ledger.Done}},
		{name: "no believable answer", answer: unbelievable, want: ledger.Intent{Unknown: true}},
		{name: "throttled", answer: throttled, want: ledger.Intent{Answer: ledger.Refused}},
		{name: "refused", answer: invalid, want: ledger.Intent{Answer: ledger.Refused}, unwanted: true},
		{name: "refused, and another has the lease", answer: invalid,
			run:  func(r *order.Order) { r.Lease.Token = "another" },
			want: ledger.Intent{Answer: ledger.Refused}},
		{name: "refused, of a sale that is not the order's any more", answer: invalid,
			run:  func(r *order.Order) { r.SaleID = "b" },
			want: ledger.Intent{Answer: ledger.Refused}},
		{name: "refused, once it is sold", answer: invalid, run: func(r *order.Order) { r.SoldAt = time.Now() },
			want: ledger.Intent{Answer: ledger.Refused}},
		{name: "done, and a reading said so before", saved: saved,
			run:  func(r *order.Order) { r.Intents[0].Answer = ledger.Done },
			want: ledger.Intent{Answer: ledger.Done}, asSent: true},
		{name: "refused, and a reading showed them", answer: throttled,
			run:  func(r *order.Order) { r.Intents[0].Answer = ledger.Done },
			want: ledger.Intent{Answer: ledger.Done}},
	} {
		r := attempted(order.StepLines, "a")
		if r.SaleID = "a"; c.run != nil {
			c.run(r)
		}
		came := linesAnswerOf(c.saved, c.answer, plan, decimal.New(2, -2))
		came.record(r, r.Intent(1, order.StepLines), ours, time.Now())
		c.want.Seq, c.want.Step, c.want.Target = 1, order.StepLines, "a"
		if diff := cmp.Diff(c.want, r.Intents[0]); diff != "" || came.asSent != c.asSent ||
			(r.Unwanted != nil) != c.unwanted {
			t.Errorf("%s: %+v, unwanted %v, the intent (-want +got):\n%s", c.name, came, r.Unwanted, diff)
		}
	}
}

// TestVoidAnswered: what a void answered is in its own intent, and what becomes of the order by it happens once.
func TestVoidAnswered(t *testing.T) {
	for _, c := range []struct {
		name   string
		was    ledger.Answer
		answer error
		want   ledger.Intent
		done   bool
		watch  bool
	}{
		{name: "done", want: ledger.Intent{Answer: ledger.Done}, done: true},
		{name: "no believable answer", answer: unbelievable, want: ledger.Intent{Unknown: true}, watch: true},
		{name: "refused", answer: invalid, want: ledger.Intent{Answer: ledger.Refused}},
		{name: "throttled", answer: throttled, want: ledger.Intent{Answer: ledger.Refused}},
		{name: "done, and a reading said so before", was: ledger.Done, want: ledger.Intent{Answer: ledger.Done}},
		{name: "no believable answer, and a reading said that it is done", was: ledger.Done, answer: unbelievable,
			want: ledger.Intent{Answer: ledger.Done}},
	} {
		r, done := attempted(order.StepVoid, "a"), false
		r.Intents[0].Answer = c.was
		w := &work{Pair: New(Deps{Times: DefaultTimes()})}
		a := w.voiding(cin7core.Sale{ID: "a"}, nil, func(*order.Order) { done = true })
		a.record(r, r.Intent(1, order.StepVoid), nil, c.answer)
		c.want.Seq, c.want.Step, c.want.Target = 1, order.StepVoid, "a"
		if diff := cmp.Diff(c.want, r.Intents[0]); diff != "" || done != c.done || (r.Watches != nil) != c.watch {
			t.Errorf("%s: done is %t, watches %v, the intent (-want +got):\n%s", c.name, done, r.Watches, diff)
		}
	}
}
