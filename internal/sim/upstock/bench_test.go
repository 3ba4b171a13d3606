package upstock

import (
	"testing"

	"stockbridge/internal/sim"
	"stockbridge/internal/sim/cin7core"
	"stockbridge/internal/sim/simtest"
)

// bench is a simtest.Bench with Upstock, and Cin7 Core, which keeps the catalogue.
type bench struct {
	*simtest.Bench
	vendor *Vendor
}

func newBench(t *testing.T, o sim.Options) *bench {
	t.Helper()
	b := &bench{vendor: New()}
	b.Bench = simtest.New(t, o, b.vendor, cin7core.New(cin7core.Options{}))
	return b
}

func (b *bench) books() *supplier { return b.vendor.supplier(b.Account.Upstock.Supplier) }

func (b *bench) up(method, path string, body any, status int, into any) {
	b.T.Helper()
	b.Want(status, method, sim.PrefixUpstock+path, body, into)
}

func (b *bench) approved() OrderSummary {
	b.T.Helper()
	o, err := b.vendor.PlaceOrder(b.Account.Upstock.Supplier, "")
	if err == nil {
		o, err = b.vendor.Approve(o.ID)
	}
	if err != nil {
		b.T.Fatal(err)
	}
	return o
}

type obj = simtest.Obj
