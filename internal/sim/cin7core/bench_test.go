package cin7core

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"stockbridge/internal/sim"
	"stockbridge/internal/sim/simtest"
	"stockbridge/internal/sim/upstock"
)

// bench is a simtest.Bench with Cin7 Core and Upstock.
type bench struct {
	*simtest.Bench
	vendor  *Vendor
	upstock *upstock.Vendor
}

func newBench(t *testing.T, o sim.Options) *bench { return newBenchOf(t, o, Options{}) }

func newBenchOf(t *testing.T, o sim.Options, of Options) *bench {
	t.Helper()
	b := &bench{vendor: New(of), upstock: upstock.New()}
	b.Bench = simtest.New(t, o, b.upstock, b.vendor)
	return b
}

// books returns the records of the bench's account.
func (b *bench) books() *company { return b.vendor.company(b.Account.Cin7Core.AccountID) }

// into reads an answer. A sale is read by the decoder, as encoding/json does not
// set fields of an unexported embedded pointer.
func into(t testing.TB, text []byte, v any) {
	t.Helper()
	read := json.Unmarshal
	if _, ok := v.(*sale); ok {
		read = decoder{}.decode
	}
	if err := read(text, v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// exception returns the text of an error.
func exception(t testing.TB, a simtest.Answer) string {
	t.Helper()
	var es []apiError
	a.Into(t, &es)
	if len(es) != 1 {
		t.Fatalf("not an error: %s", a.Bytes)
	}
	return es[0].Exception
}

// core calls Cin7 Core, and expects 200.
func (b *bench) core(method, path string, body, answer any) {
	b.T.Helper()
	a := b.Call(method, sim.PrefixCin7Core+path, body)
	if a.StatusCode != http.StatusOK {
		b.T.Fatalf("%s %s: %d %s", method, path, a.StatusCode, a.Bytes)
	}
	if answer != nil {
		into(b.T, a.Bytes, answer)
	}
}

// refused calls Cin7 Core, and expects a validation error.
func (b *bench) refused(method, path string, body any, want string) {
	b.T.Helper()
	a := b.Call(method, sim.PrefixCin7Core+path, body)
	if a.StatusCode != http.StatusBadRequest {
		b.T.Fatalf("%s %s: %d %s", method, path, a.StatusCode, a.Bytes)
	}
	if got := exception(b.T, a); !strings.Contains(got, want) {
		b.T.Errorf("%s %s: %q, want %q", method, path, got, want)
	}
}

type obj = simtest.Obj

func header(c *customer) obj {
	return obj{"CustomerID": c.ID, "Location": sim.MainWarehouse, "SkipQuote": true, "ExternalID": "upstock:1:120001",
		"CustomerReference": "PO-1"}
}

func row(p *product, quantity, price, tax, total string) obj {
	return obj{"ProductID": p.ID, "Quantity": json.Number(quantity), "Price": json.Number(price), "Discount": 0,
		"Tax": json.Number(tax), "Total": json.Number(total), "TaxRule": "GST on Income"}
}

// sell makes a sale of two teas, with an order of a status, and returns its ID.
func (b *bench) sell(status string) string {
	b.T.Helper()
	var sale struct{ ID string }
	b.core("POST", "/sale", header(b.books().Customers[0]), &sale)
	lines := []obj{row(b.books().Products[0], "2", "8.90", "2.67", "17.80")}
	b.core("POST", "/sale/order", obj{"SaleID": sale.ID, "Status": status, "Lines": lines}, nil)
	return sale.ID
}

func (b *bench) list(query string) []listRow {
	b.T.Helper()
	var out struct{ SaleList []listRow }
	b.core("GET", "/saleList?"+query, nil, &out)
	return out.SaleList
}
