package upstockcin7

import (
	"context"
	"fmt"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/upstockcin7/order"
)

// A write that must not be made twice, which is every one in Cin7 Core, goes
// one way:
//
//  1. A call is reserved from the account's budget, so that nothing has to be
//     waited for between the intent and the call.
//  2. The intent is put on record under the lease, if the order as it is by then
//     still wants the write (update).
//  3. The call is made, unless the intent's time to be sent is over (calling).
//  4. What it answered is put down in that intent, whoever holds the lease by
//     then (result).
//
// Work that ends anywhere in between leaves an intent without an answer: a
// doubt, which a look (a create) or a reading of the sale (lines, a void) ends.

// outsideWrite is such a write.
type outsideWrite struct {
	step ledger.Step
	sale string // the id of the sale that it is of; "" = it makes one

	// allow is nil where an order still wants the write, else how the work goes
	// on. It may change what has to be so before the intent.
	allow func(r *order.Order) error
	// with puts down what holds from the intent on; nil = nothing.
	with func(r *order.Order, i *ledger.Intent, x *ledger.Extra)
	// send makes the call.
	send func(ctx context.Context) error
	// record puts down the call's answer, nil or its error, and what follows from it.
	record func(r *order.Order, i *ledger.Intent, x *ledger.Extra, answer error)
}

// attempt makes a write once. answer is what the call came to, which is on
// record by then. err says why there was no call, or that what it came to could
// not be written down.
func (w *work) attempt(a outsideWrite) (answer, err error) {
	ctx, err := w.cin7.Reserve(w.calling("cin7core"))
	if err != nil {
		return nil, w.answered(err)
	}
	defer func() { w.sendBy = time.Time{} }()
	seq := 0
	err = w.update(func(r *order.Order, x *ledger.Extra) (err error) {
		if err = a.allow(r); err != nil {
			return err
		}
		if seq, err = w.intend(r, a.step, a.sale); err != nil {
			return err
		}
		if a.with != nil {
			a.with(r, r.Intent(seq, a.step), x)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	answer = a.send(ctx)
	return answer, w.result(func(r *order.Order, x *ledger.Extra) error {
		a.record(r, r.Intent(seq, a.step), x, answer)
		return nil
	})
}

// intend puts an outside write on record. It must be under way soon after, or
// it is not sent: by its deadline it has been answered or given up. After very
// many without a believable answer a person is asked instead.
func (w *work) intend(r *order.Order, step ledger.Step, saleID string) (seq int, err error) {
	if n := len(attempts(r, step)); n >= maxAttempts {
		return 0, w.tooOften(r, fmt.Sprintf("Cin7 Core gave no believable answer in %d attempts (%s).", n, step))
	}
	now := w.Now()
	w.sendBy = now.Add(w.Times.Soon)
	return r.Intend(step, now, w.sendBy.Add(w.Times.HTTP), saleID), nil
}

// put makes a call to Upstock that may be made twice. refused is a plain
// refusal, which is final; err is how the work goes on otherwise.
func (w *work) put(send func(ctx context.Context) error) (refused, err error) {
	ctx, err := w.upstock.Reserve(w.calling("upstock"))
	if err != nil {
		return nil, w.answered(err)
	}
	refused = send(ctx)
	return refused, w.refusedByUpstock(refused)
}
