package upstockcin7

import (
	"fmt"
	"io"
	"net/http"
	"path"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"stockbridge/internal/sim"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstockcin7/catalogue"
)

// TestCatalogMemory: 100,000 products and 20,000 customers with own prices are read by the real client, in no more
// memory than a function has to spare, whatever a page of them weighs. It says how much that was.
func TestCatalogMemory(t *testing.T) {
	const most = 96 << 20
	testsize.Large(t)
	if !testsize.Alone(t) {
		return
	}
	products, customers := testsize.Of(100_000, 4_000, 0), testsize.Of(20_000, 2_000, 0)
	readCatalog(t, sim.Options{NoLimits: true}, func(t *testing.T, r *catalogReading) {
		var peak uint64
		n := 0
		look := func() {
			if n++; n%50 > 0 {
				return
			}
			var mem runtime.MemStats
			runtime.ReadMemStats(&mem)
			peak = max(peak, mem.HeapAlloc)
		}
		calls := map[string]int{}
		r.table.look = look
		r.body = func(q *http.Request) io.ReadCloser {
			number := func(name string) int { n, _ := strconv.Atoi(q.URL.Query().Get(name)); return n }
			page, limit := number("Page"), number("Limit")
			switch calls[path.Base(q.URL.Path)]++; {
			case strings.HasSuffix(q.URL.Path, "/product"):
				return manyOf("Products", products, page, limit, look, manyProduct)
			case strings.HasSuffix(q.URL.Path, "/customer"):
				return manyOf("CustomerList", customers, page, limit, look, manyCustomer)
			}
			return nil
		}
		for _, pass := range []string{"first", "second"} {
			peak = 0
			clear(calls)
			r.run()
			t.Logf("%s pass: %d calls for products, %d for customers, at most %d KiB", pass,
				calls["product"], calls["customer"], peak>>10)
			if peak > most {
				t.Errorf("%s pass: %d KiB", pass, peak>>10)
			}
		}
		for kind, n := range r.counted() {
			want := map[string]int{"product": products, catalogue.ProductKind: products, "customer": customers,
				catalogue.CustomerKind: customers, catalogue.OwnKind: customers}[kind]
			if n != want {
				t.Errorf("%d rows of kind %s, want %d", n, kind, want)
			}
		}
	})
}

// counted counts the rows of each kind.
func (r *catalogReading) counted() map[string]int {
	r.t.Helper()
	all := map[string]int{}
	for _, kind := range []string{
		"product", "customer", catalogue.ProductKind, catalogue.CustomerKind, catalogue.OwnKind,
	} {
		for _, err := range r.pair.Mirror.Ordered(r.t.Context(), r.tenant, kind, "") {
			if err != nil {
				r.t.Fatal(err)
			}
			all[kind]++
		}
	}
	return all
}

// manyOf is a page of a list of so many records, of which no more is made than is read.
func manyOf(name string, records, page, limit int, each func(), record func(i int) string) io.ReadCloser {
	body, to := io.Pipe()
	go func() {
		_, err := fmt.Fprintf(to, `{"Total":%d,"Page":%d,%q:[`, records, page, name)
		for i := (page - 1) * limit; i < min(page*limit, records) && err == nil; i++ {
			if i > (page-1)*limit {
				io.WriteString(to, ",")
			}
			each()
			_, err = io.WriteString(to, record(i))
		}
		io.WriteString(to, "]}")
		to.Close()
	}()
	return body
}

func manyID(i int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", uint32(i)*2654435761, i) }

func manyProduct(i int) string {
	return fmt.Sprintf(`{"ID":%q,"SKU":"SKU-%06d","Name":"Product %d","Category":"Tea","Brand":"Kea","Type":"Stock","UOM":"Item",`+
		`"Status":"Active","PriceTier1":%d.55,"PriceTier2":%d.25,"PriceTier3":0,"Description":%q,"LastModifiedOn":`+
		`"2026-01-02T03:04:05","Sellable":true}`, manyID(i), i, i, i%90+1, i%80+1, strings.Repeat("Good tea. ", 80))
}

// manyCustomer is a customer with own prices; each thousandth has very many.
func manyCustomer(i int) string {
	var b strings.Builder
	own := 30
	if i%5000 == 4999 {
		own = 999
	}
	if i/1000 == 1 {
		own = 150 // a page that is too large
	}
	fmt.Fprintf(&b, `{"ID":%q,"Name":"Customer %d","Currency":"NZD","PaymentTerm":"30 days","TaxRule":"GST","PriceTier":`+
		`"Wholesale","Status":"Active","Discount":2.5,"ProductPrices":[`, manyID(i), i)
	for n := range own {
		if n > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"ProductID":%q,"ProductName":"Product %d, as it is called","ProductSKU":"SKU-%06d","Price":%d.45}`,
			manyID(n*7), n*7, n*7, n+1)
	}
	b.WriteString("]}")
	return b.String()
}
