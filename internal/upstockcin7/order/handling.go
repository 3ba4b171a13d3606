package order

import (
	"slices"
	"time"

	"stockbridge/internal/ledger"
)

// HandlingSteps are what is done with the goods of a sale, in their order.
func HandlingSteps() []ledger.Step { return []ledger.Step{StepPick, StepPack, StepShip} }

// Handling is a person's wish that the goods of the order's sale are picked, packed or shipped in Cin7 Core, as it was
// shown to them what that does. It is never changed, only replaced.
type Handling struct {
	Sale     string            `json:"sale"`               // the id of the sale that was shown
	Steps    []ledger.Step     `json:"steps"`              // those that were left to do, in their order
	Goods    string            `json:"goods"`              // a digest of the goods and boxes that were shown
	Carrier  string            `json:"carrier,omitempty"`  // of the shipment
	Tracking map[string]string `json:"tracking,omitempty"` // the shipment's tracking numbers, by box
	Day      time.Time         `json:"day,omitzero"`       // the shipment's date
	By       string            `json:"by"`
	At       time.Time         `json:"at"`
	After    int               `json:"after"` // the number of the newest intent then
}

// To is the last of the steps, and what the wish is for.
func (h *Handling) To() ledger.Step { return h.Steps[len(h.Steps)-1] }

// tooOld is after how long a wish is not carried out any more: whoever sees it undone by then has done it otherwise.
const tooOld = 2 * time.Hour

// TooOld reports whether a wish is so old that nothing more is sent for it.
func (h *Handling) TooOld(now time.Time) bool { return now.Sub(h.At) > tooOld }

// Same reports whether two wishes ask for the same.
func (h *Handling) Same(other *Handling) bool {
	return h == other || h != nil && other != nil && h.After == other.After && h.At.Equal(other.At) &&
		h.Sale == other.Sale && h.Goods == other.Goods && slices.Equal(h.Steps, other.Steps)
}

// OpenHandling are the writes of a step of a sale's handling of which it is not known whether they took effect; of any
// step where none is named.
func (o *Order) OpenHandling(saleID string, steps ...ledger.Step) (list []ledger.Intent) {
	if len(steps) == 0 {
		steps = HandlingSteps()
	}
	for _, i := range o.Intents {
		if slices.Contains(steps, i.Step) && i.Target == saleID && i.Answer == ledger.Open && !i.Settled {
			list = append(list, i)
		}
	}
	return list
}

// The codes of a sold order whose goods were not picked, packed or shipped as a person wished.
const (
	NotPicked  = "notPicked"
	NotPacked  = "notPacked"
	NotShipped = "notShipped"
)

// NotHandled is the code of a step that was not done as a person wished.
func NotHandled(step ledger.Step) string {
	switch step {
	case StepPick:
		return NotPicked
	case StepPack:
		return NotPacked
	}
	return NotShipped
}

// IsNotHandled reports whether a code is of a step that was not done as a person wished.
func IsNotHandled(code string) bool {
	return code == NotPicked || code == NotPacked || code == NotShipped
}
