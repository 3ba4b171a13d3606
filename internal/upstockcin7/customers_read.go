package upstockcin7

import (
	"context"
	"slices"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/sale"
)

// customersRead notes that all customers of an account that changed since a
// pass of the mirror were read, and are in it: orders that came before need not read them again.
type customersRead struct {
	Account string    `json:"account"` // of Cin7 Core
	Pass    time.Time `json:"pass"`    // of the mirror
	Began   time.Time `json:"began"`   // by our clock
}

// customersDoc is where that is noted.
const customersDoc = "customersRead"

// skewed is how far the clocks of two workers may be from each other.
const skewed = 3 * time.Second

// noteCustomersRead is best effort: without it the next order reads them itself.
func (p *Pair) noteCustomersRead(ctx context.Context, core tenant.Connection, began time.Time) error {
	_, err := ledger.ChangeDoc(ctx, p.Ledger, core.Tenant, customersDoc, func(last *customersRead) (bool, error) {
		if last.Account == core.Account && last.Began.After(began) {
			return false, nil
		}
		*last = customersRead{core.Account, core.Mirror.Started, began.UTC()}
		return true, nil
	})
	return err
}

// customersKnown reports whether the mirror has all customers as they were
// after the order came. A person who retries has done something about them, perhaps.
func (w *work) customersKnown() (bool, error) {
	if w.preview || w.run.Reread || len(w.run.Problems) > 0 {
		return false, nil
	}
	var last customersRead
	if _, err := w.Ledger.Doc(w.ctx, w.core.Tenant, customersDoc, &last); err != nil {
		return false, err
	}
	return last.Account == w.core.Account && last.Pass.Equal(w.core.Mirror.Started) && w.core.Mirror.Fold == foldVersion &&
		last.Began.After(w.run.Received.Add(skewed)), nil
}

// withoutChangedCustomers are the wants but for the customers that changed; had reports whether they were wanted.
func withoutChangedCustomers(wants []sale.Want) (rest []sale.Want, had bool) {
	rest = slices.DeleteFunc(slices.Clone(wants), func(w sale.Want) bool { return w.Kind == sale.WantChangedCustomers })
	return rest, len(rest) < len(wants)
}
