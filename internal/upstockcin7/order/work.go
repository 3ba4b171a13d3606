package order

import "stockbridge/internal/ledger"

// The kinds of work that an order's due time is for.
const (
	WorkSell  ledger.Work = "sell"  // to be sold, and nothing has gone wrong yet; also a sale that is begun
	WorkRetry ledger.Work = "retry" // to be sold, after a failure or with a create in doubt
	WorkRead  ledger.Work = "look"  // its sale is to be read, handled or voided, or a twin of it looked for
	WorkTell  ledger.Work = "tell"  // Upstock is to be told: nothing is asked of the inventory
)

// Works lists the kinds of work; the last, "", is that of entries which an
// earlier version wrote, which do not say it.
func Works() []ledger.Work { return []ledger.Work{WorkSell, WorkRetry, WorkRead, WorkTell, ""} }

// Work is what the order's due time is for.
func (o *Order) Work() ledger.Work {
	switch {
	case o.SoldAt.IsZero() && o.State != Cancelled && o.State != ledger.Attention:
		// Where Upstock is to be asked first, new orders do not wait behind that.
		if o.Failures > 0 || o.Dead > 0 || o.Reread || o.CancelOpen() {
			return WorkRetry
		}
		for _, i := range o.Intents {
			if i.Step == StepCreate && i.Answer != ledger.Refused && (o.SaleID == "" || i.Target != o.SaleID) {
				return WorkRetry
			}
		}
		return WorkSell
	case o.ReadingDue() || o.Handling != nil || len(o.Watches) > 0 && !o.Watches[0].After(o.Next):
		return WorkRead
	}
	return WorkTell
}
