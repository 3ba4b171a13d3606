package order

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"stockbridge/internal/ledger"
)

// Rejected reports whether the order needs a person for its plan alone, of which nothing was made.
func (o *Order) Rejected() bool {
	return o.State == ledger.Attention && o.OfPlan && len(o.Problems) > 0 && o.SoldAt.IsZero() &&
		o.Cancelled.IsZero() && o.NothingMade()
}

// PutRight has an order planned anew that needs a person, as what stood against its plan is put right. It does so only
// while the order is as it was read, and reports whether it was.
func (m *Marks) PutRight(ctx context.Context, o *Order) (bool, error) {
	read, now := o.Revision(), m.Now().UTC()
	err := m.Book.Update(ctx, o, func(r *Order, _ *ledger.Extra) error {
		if r.Revision() != read || !r.Rejected() {
			return errMarked
		}
		r.Note(now, "What stood against the order is put right. It goes on.")
		without := problemsHash(r.Problems)
		takeUp(r, now)
		r.Without = without
		return nil
	})
	if errors.Is(err, errMarked) || errors.Is(err, ledger.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// CameBack reports whether the order needs a person for what was put right when it last went on by itself.
func (o *Order) CameBack() bool { return o.Without != "" && o.Without == problemsHash(o.Problems) }

// StandsHere forgets what an order went on without, as the records that are kept here show again what stands against
// it: once they do not, it is put right anew.
func (m *Marks) StandsHere(ctx context.Context, o *Order) error {
	if o.Without == "" {
		return nil
	}
	err := m.Book.Update(ctx, o, func(r *Order, _ *ledger.Extra) error {
		r.Without = ""
		return nil
	})
	if errors.Is(err, ledger.ErrNotFound) {
		return nil
	}
	return err
}

// problemsHash stands for problems: two lists that say the same of the same have the same.
func problemsHash(list []ledger.Problem) string {
	h := sha256.New()
	for _, p := range list {
		fmt.Fprintf(h, "%q %q %q %d %q\n", p.Code, p.Message, p.Fix, p.Line, p.About)
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}
