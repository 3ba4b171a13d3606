package order

import (
	"context"
	"errors"
	"time"

	"stockbridge/internal/ledger"
)

// Edits are how Upstock shows a sold order now where that is not as it was sold. Nothing is sent for them.
type Edits struct {
	Hash string    `json:"hash"`           // of the order as it is shown
	At   time.Time `json:"at"`             // when it was first seen so
	List []Edit    `json:"list,omitempty"` // none = what it said when it was sold is not kept
	More int       `json:"more,omitempty"` // how many are not in List
}

// Edit is one difference.
type Edit struct {
	Line string `json:"line,omitempty"` // which line of the order it is of, for people; "" = of the order itself
	What string `json:"what"`
	Was  string `json:"was,omitempty"` // as it was sold; "" = it had none
	Now  string `json:"now,omitempty"` // in Upstock; "" = it has none
}

// Count is how many differences there are.
func (e *Edits) Count() int { return len(e.List) + e.More }

func (e *Edits) hash() string {
	if e == nil {
		return ""
	}
	return e.Hash
}

// EditsNews reports whether these edits (nil = none) are others than an order's own. Those of an order that is not
// sold, or is cancelled, are nobody's.
func (o *Order) EditsNews(e *Edits) bool {
	return !o.SoldAt.IsZero() && o.State != Cancelled && o.Edits.hash() != e.hash()
}

// EditedEvent is the kind of the events that tell of a sold order's change in Upstock.
const EditedEvent = "edited"

// Edited writes down how Upstock shows a sold order; nil = as it was sold. No work comes of it.
func (m *Marks) Edited(ctx context.Context, o *Order, e *Edits) error {
	err := m.Book.Update(ctx, o, func(r *Order, x *ledger.Extra) error {
		if !r.EditsNews(e) || r.SoldAs != o.SoldAs {
			return errMarked
		}
		r.Edits = e
		text := "Upstock shows the order as it was sold again."
		if e != nil {
			text = "The order was changed in Upstock after it was sold. Nothing was sent for it."
		}
		r.Note(m.Now(), "%s", text)
		op, err := ledger.RecordOp(ctx, r.Tenant, ledger.Event{Kind: EditedEvent, Order: r.ID, Text: text})
		x.Add(op)
		return err
	})
	if errors.Is(err, errMarked) {
		return nil
	}
	return err
}
