package app

import (
	"context"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/upstockcin7/order"
)

// Ended is how the work on a run has ended for now, in words that hold for every kind of run: what a function counts.
type Ended struct {
	*ledger.Run
	Result   Result
	Made     string // what was made of it, as people call it: the number of an order's sale
	Finished bool   // nothing is left to do by itself
}

// Result is what one end of work adds to what is counted.
type Result string

// The results.
const (
	Done    Result = "done"      // what the run is for is done, just now
	Waits   Result = "waits"     // it goes on by itself
	Stopped Result = "stopped"   // a person must act
	Later   Result = "laterStep" // of one that was counted as done, or is called off: no result of its own
)

// orderEnded is how the work on an order has ended.
func orderEnded(o *order.Order, now time.Time) Ended {
	e := Ended{Run: &o.Run, Result: Waits, Made: o.SaleNumber, Finished: o.Finished()}
	switch {
	case o.State == ledger.Attention:
		e.Result = Stopped
	case !o.SoldAt.IsZero() && now.Sub(o.SoldAt) < time.Minute: // not in its later turns
		e.Result = Done
	case !o.SoldAt.IsZero() || o.State == order.Cancelled:
		e.Result = Later
	}
	return e
}

// onEnd is what hears of an order whose work has ended; nil = nobody does.
func (a *App) onEnd() func(context.Context, *order.Order) {
	if a.deps.OnEnd == nil {
		return nil
	}
	return func(ctx context.Context, o *order.Order) { a.deps.OnEnd(ctx, orderEnded(o, a.deps.Now())) }
}
