package reference

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
func (r Reader) noteCustomersRead(ctx context.Context, began time.Time) error {
	core := r.Bundle.Connections[tenant.Cin7Core]
	_, err := ledger.ChangeDoc(ctx, r.Ledger, core.Tenant, customersDoc, func(last *customersRead) (bool, error) {
		if last.Account == core.Account && last.Began.After(began) {
			return false, nil
		}
		*last = customersRead{core.Account, r.state().Started, began.UTC()}
		return true, nil
	})
	return err
}

// CustomersKnown reports whether the mirror has all customers as they were after an order was received.
func (r Reader) CustomersKnown(ctx context.Context, received time.Time) (bool, error) {
	core := r.Bundle.Connections[tenant.Cin7Core]
	var last customersRead
	if _, err := r.Ledger.Doc(ctx, core.Tenant, customersDoc, &last); err != nil {
		return false, err
	}
	pass := r.state()
	return last.Account == core.Account && last.Pass.Equal(pass.Started) && pass.Fold == foldVersion &&
		last.Began.After(received.Add(skewed)), nil
}

// WithoutChangedCustomers are the wants but for the customers that changed; had reports whether they were wanted.
func WithoutChangedCustomers(wants []sale.Want) (rest []sale.Want, had bool) {
	rest = slices.DeleteFunc(slices.Clone(wants), func(w sale.Want) bool { return w.Kind == sale.WantChangedCustomers })
	return rest, len(rest) < len(wants)
}
