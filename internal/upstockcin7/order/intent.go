package order

import (
	"slices"
	"time"

	"stockbridge/internal/ledger"
)

// Past counts what is left of intents that are kept no more: all of them, and
// of these the creates and voids that may have taken effect.
type Past struct {
	Intents int `json:"intents"`
	Creates int `json:"creates,omitempty"`
	Voids   int `json:"voids,omitempty"`
}

// spentAfter is when an intent without an answer has no effect any more, for
// certain, and no look for its effect is to come.
const spentAfter = 2 * time.Hour

// Intend puts an outside write on record and returns its number. Of very many
// intents, old ones that cannot matter any more are dropped and only counted.
func (o *Order) Intend(step ledger.Step, at, deadline time.Time, saleID string) int {
	for _, i := range o.DropSpent(func(i ledger.Intent) bool { return o.spent(i, at) }) {
		o.Past.Intents++
		switch {
		case i.Step == StepCreate && i.Answer != ledger.Refused:
			o.Past.Creates++
		case i.Step == StepVoid && i.Answer == ledger.Done:
			o.Past.Voids++
		}
	}
	return o.Run.Intend(step, at, deadline, saleID)
}

// Intent returns the intent with this number, see ledger.Run.Intent. One that was dropped is counted no more.
func (o *Order) Intent(seq int, step ledger.Step) *ledger.Intent {
	known := len(o.Intents)
	i := o.Run.Intent(seq, step)
	if len(o.Intents) > known {
		if o.Past.Intents--; step == StepCreate && o.Past.Creates > 0 {
			o.Past.Creates--
		}
	}
	return i
}

// spent reports whether nothing will be decided on an intent any more.
func (o *Order) spent(i ledger.Intent, now time.Time) bool {
	voided := slices.Contains(o.Voided, i.Target)
	over := now.Sub(i.Deadline) > spentAfter
	switch {
	case i.Answer == ledger.Refused:
		return true
	case i.Step == StepCreate && i.Answer == ledger.Done:
		return voided
	case i.Step == StepCreate:
		return i.Settled && over
	case i.Step == StepVoid && i.Answer == ledger.Open:
		return i.Settled && over
	case i.Step == StepLines:
		return voided || over
	case slices.Contains(HandlingSteps(), i.Step):
		return over && o.Handling == nil
	}
	return i.Answer == ledger.Done
}
