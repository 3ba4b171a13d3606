package upstockcin7

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/job"
	"stockbridge/internal/limit"
	"stockbridge/internal/mirror"
	"stockbridge/internal/publish"
	"stockbridge/internal/sim"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/catalogue"
)

// catalogReading is a tenant whose catalogue is read by a job of its own.
type catalogReading struct {
	*mirrorTest
	work  func(context.Context, *job.Part) error
	ended bool
	time  time.Duration // of a part
	said  []string      // what held it up
}

const readingJob = "reading"

func readCatalog(t *testing.T, o sim.Options, f func(t *testing.T, r *catalogReading)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &catalogReading{mirrorTest: newMirrorTest(t, o), time: time.Minute}
		r.jobs.Kinds = append(r.jobs.Kinds, job.Kind{Name: readingJob, Needs: []tenant.System{tenant.Cin7Core},
			List: tenant.Cin7Core, Every: time.Hour, Queue: job.Catalog, Class: limit.Second,
			Run: func(ctx context.Context, part *job.Part) error {
				err := r.work(ctx, part)
				r.ended = err == nil
				return err
			}})
		f(t, r)
	})
}

// do has some work done, part by part, and the jobs that it starts.
func (r *catalogReading) do(work func(context.Context, *job.Part) error) {
	r.t.Helper()
	r.work, r.ended, r.said = work, false, nil
	for n := 0; !r.ended; n++ {
		if n > 200 {
			r.t.Fatalf("it comes to no end: %+v", r.cursor(readingJob))
		}
		r.part()
		if cur := r.cursor(readingJob); !r.ended && cur.Problem != "" {
			r.said = append(r.said, cur.Problem)
			time.Sleep(max(0, time.Until(cur.Again)))
		}
		for len(r.queue) > 0 {
			delay := r.queue[0]
			r.queue = r.queue[1:]
			time.Sleep(delay)
			if err := r.once(); err != nil {
				time.Sleep(6 * time.Minute)
				r.queue = append(r.queue, 0)
			}
		}
		time.Sleep(time.Minute)
	}
}

// part does a part, whatever comes of it.
func (r *catalogReading) part() {
	ctx, cancel := context.WithTimeout(r.t.Context(), r.time)
	defer cancel()
	_ = r.jobs.Do(ctx, job.Message{Job: readingJob, Tenant: r.tenant})
}

func (r *catalogReading) cursor(name string) (c struct {
	Problem string
	Again   time.Time
	Since   time.Time
}) {
	r.t.Helper()
	cur, err := r.pair.Ledger.Cursor(r.t.Context(), r.tenant, name)
	if err != nil {
		r.t.Fatal(err)
	}
	c.Problem, c.Again, c.Since = cur.Problem, cur.Again, cur.Since
	return c
}

// changes reads both lists.
func (r *catalogReading) changes() {
	r.t.Helper()
	asked := time.Now()
	r.do(func(ctx context.Context, part *job.Part) error {
		if err := r.pair.readChanges(ctx, part, changedProducts, asked); err != nil {
			return err
		}
		return r.pair.readChanges(ctx, part, changedCustomers, asked)
	})
}

// kept are the rows of the catalogue that the mirror holds; listed are those that the vendor's records make.
func (r *catalogReading) kept() map[mirror.Key]string { return r.rowsOf(r.pair.Mirror) }

func (r *catalogReading) rowsOf(m *mirror.Store) map[mirror.Key]string {
	r.t.Helper()
	all := map[mirror.Key]string{}
	for _, kind := range []string{
		"product", "customer", catalogue.ProductKind, catalogue.CustomerKind, catalogue.OwnKind,
	} {
		for row, err := range m.Ordered(r.t.Context(), r.tenant, kind, "") {
			if err != nil {
				r.t.Fatal(err)
			}
			all[row.Key] = string(row.Data)
		}
	}
	return all
}

func (r *catalogReading) listed() map[mirror.Key]string {
	r.t.Helper()
	c := r.client(r.acc.Cin7Core.AccountID, r.acc.Cin7Core.ApplicationKey)
	records := r.pair.records(r.bundle())
	file, err := table.Open("", table.Options{NoSync: true})
	if err != nil {
		r.t.Fatal(err)
	}
	defer file.Close()
	into := mirror.New(file)
	records.Mirror = into
	customers, err := collect(c.Customers(r.t.Context(), records.Catalog.Customers(cin7core.CustomersQuery{})))
	if err == nil {
		err = records.SaveCustomers(r.t.Context(), customers)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	products, err := collect(c.Products(r.t.Context(), records.Catalog.Products(cin7core.ProductsQuery{})))
	if err == nil {
		err = records.SaveProducts(r.t.Context(), products)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return r.rowsOf(into)
}

func collect[T any](items iter.Seq2[T, error]) (all []T, err error) {
	for x, err := range items {
		if err != nil {
			return nil, err
		}
		all = append(all, x)
	}
	return all, nil
}

// agree compares what is kept with what the vendor holds.
func (r *catalogReading) agree(when string) {
	r.t.Helper()
	if d := cmp.Diff(unsigned(r.listed()), unsigned(r.kept())); d != "" {
		r.t.Fatalf("%s (-vendor +mirror):\n%s", when, d)
	}
}

// ofReading is what differs in a product's row from one answer to the next: its image's link works for an hour.
var ofReading = regexp.MustCompile(`\?expires=[^"]*|"imageRead":"[^"]*"`)

// unsigned are rows without what differs from one answer to the next.
func unsigned(rows map[mirror.Key]string) map[mirror.Key]string {
	for k, row := range rows {
		rows[k] = ofReading.ReplaceAllString(row, "")
	}
	return rows
}

// control asks the simulator's control API.
func (r *catalogReading) control(method, path, body string) []byte {
	r.t.Helper()
	req, _ := http.NewRequestWithContext(r.t.Context(), method, "http://sim.test/sim/cin7core/"+path,
		strings.NewReader(body))
	resp, err := r.sim.Transport().RoundTrip(req)
	if err != nil {
		r.t.Fatal(err)
	}
	text, _ := io.ReadAll(resp.Body)
	if resp.StatusCode/100 != 2 {
		r.t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, text)
	}
	return text
}

// make makes records of a book, and returns their ids.
func (r *catalogReading) make(book string, docs ...map[string]any) (ids []string) {
	r.t.Helper()
	data, _ := json.Marshal(docs)
	var made struct{ Items []struct{ ID string } }
	text := r.control("POST", book+"?account="+r.acc.Cin7Core.AccountID, string(data))
	if err := json.Unmarshal(text, &made); err != nil {
		r.t.Fatal(err)
	}
	for _, x := range made.Items {
		ids = append(ids, strings.ToLower(x.ID))
	}
	return ids
}

func (r *catalogReading) edit(book, id string, fields map[string]any) {
	r.t.Helper()
	data, _ := json.Marshal(fields)
	r.control("PUT", book+"/"+id, string(data))
}

type doc = map[string]any

// TestCatalogRead: the pass that reads what orders need reads the catalogue with it, of as many calls. What changes
// after that is read as such: a call for a list, and none where it was just read.
func TestCatalogRead(t *testing.T) {
	readCatalog(t, sim.Options{}, func(t *testing.T, r *catalogReading) {
		products := r.make("products", doc{"SKU": "NEW-1", "PriceTier1": 9}, doc{"SKU": "NEW-2", "PriceTier1": 10})
		ids := r.make("customers", doc{"Name": "Kea Cafe",
			"ProductPrices": []doc{{"ProductID": products[0], "Price": 8}}})
		r.run()
		if got := r.calls(""); got != 9 {
			t.Errorf("the pass took %d calls, want 9", got)
		}
		r.agree("after the pass")
		row := r.kept()[mirror.Numbered(catalogue.OwnKind, ids[0], 0)]
		own, err := catalogue.ReadOwnPrices(mirror.Row{Data: []byte(row)})
		if err != nil || len(own) != 1 || !own[0].Price.Equal(decimal.NewFromInt(8)) {
			t.Errorf("own prices %v: %v", own, err)
		}
		r.changes()
		for _, price := range []any{7.455, 0} {
			time.Sleep(10 * time.Minute)
			r.edit("products", products[1], doc{"PriceTier1": price, "Status": "Deprecated"})
			r.edit("customers", ids[0], doc{"Discount": price, "ProductPrices": []doc{}})
			calls := r.calls("")
			r.changes()
			if got := r.calls("") - calls; got != 2 {
				t.Errorf("the changes took %d calls, want 2", got)
			}
			r.agree("after the changes")
		}
		calls, asked := r.calls(""), time.Now().Add(-time.Minute-time.Second)
		r.do(func(ctx context.Context, part *job.Part) error {
			return r.pair.readChanges(ctx, part, changedProducts, asked)
		})
		if got := r.calls("") - calls; got != 0 {
			t.Errorf("to ask again took %d calls", got)
		}
	})
}

// TestCatalogOfBefore: a mirror that the version before wrote reads the catalogue's rows with its next pass. Orders
// wait for nothing, the catalogue does, and says so. The same goes for images that were not wanted before.
func TestCatalogOfBefore(t *testing.T) {
	readCatalog(t, sim.Options{}, func(t *testing.T, r *catalogReading) {
		images := func(on bool) {
			t.Helper()
			set := func(tenant.Bundle) ([]tenant.Section, error) {
				s := catalogue.DefaultSettings()
				s.ProductImages = on
				return []tenant.Section{&s}, nil
			}
			if _, err := r.pair.Tenants.ChangeSettings(t.Context(), r.tenant, "", set); err != nil {
				t.Fatal(err)
			}
		}
		images(false)
		r.run()
		if _, err := mirror.Progress.Change(t.Context(), r.pair.Tenants, r.tenant, tenant.Cin7Core,
			func(_ tenant.Connection, s *mirror.State) error { s.Rows = 0; return nil }); err != nil {
			t.Fatal(err)
		}
		if err := r.pair.Mirror.Erase(t.Context(), r.tenant, catalogue.ProductKind, catalogue.CustomerKind,
			catalogue.OwnKind); err != nil {
			t.Fatal(err)
		}
		if m := r.state(); !m.IsReady() || m.Ready.IsZero() {
			t.Errorf("orders wait: %+v", m)
		}
		r.changes()
		if len(r.said) == 0 || r.said[0] != whyReadingCatalog {
			t.Errorf("it said %q", r.said)
		}
		r.agree("after the pass")
		images(true)
		r.changes()
		if len(r.said) == 0 || r.state().Rows != 2 {
			t.Errorf("it said %q: %+v", r.said, r.state())
		}
	})
}

// TestCatalogTiers: where a tier is renamed, all customers are read anew before anything goes by its new name.
func TestCatalogTiers(t *testing.T) {
	readCatalog(t, sim.Options{}, func(t *testing.T, r *catalogReading) {
		r.run()
		r.changes()
		tiers := func() {
			t.Helper()
			before := r.calls("/ref/priceTier")
			r.do(r.pair.readTiers)
			t.Logf("%d calls for the tiers, said %q", r.calls("/ref/priceTier")-before, r.said)
		}
		tiers()
		if len(r.said) > 0 {
			t.Errorf("nothing changed, and it said %q", r.said)
		}
		r.control("PUT", "tiers/2?account="+r.acc.Cin7Core.AccountID, `{"Name":"Cafés"}`)
		passes := r.calls("/customer")
		tiers()
		if len(r.said) == 0 || r.calls("/customer") != passes+1 {
			t.Errorf("it said %q, and customers were read %d times", r.said, r.calls("/customer")-passes)
		}
		r.agree("after the pass")
		ref := r.bundle()
		if !strings.Contains(string(mustBooks(t, ref)), "Cafés") {
			t.Error("the books have the old name")
		}
		tiers()
		if len(r.said) > 0 {
			t.Errorf("then it said %q", r.said)
		}

		// A pass finds it by itself: while it reads the customers, nobody goes by the new name.
		r.control("PUT", "tiers/3?account="+r.acc.Cin7Core.AccountID, `{"Name":"Bakeries"}`)
		meanwhile := ""
		r.before = func(q *http.Request) {
			if strings.HasSuffix(q.URL.Path, "/customer") && meanwhile == "" {
				r.work = r.pair.awaitRecords
				r.part()
				meanwhile = r.cursor(readingJob).Problem
			}
		}
		r.run()
		r.before = nil
		passes = r.calls("/customer")
		r.do(r.pair.awaitRecords)
		if meanwhile != whyReadingAnew || len(r.said) > 0 || r.calls("/customer") != passes {
			t.Errorf("while the pass reads customers: %q; then %q", meanwhile, r.said)
		}
	})
}

func mustBooks(t *testing.T, b tenant.Bundle) []byte {
	t.Helper()
	var books any
	if err := mirror.ReadBooks(b.Books, &books); err != nil {
		t.Fatal(err)
	}
	data, _ := json.Marshal(books)
	return data
}

// TestCatalogOwnPrices: a customer may have thousands of own prices, then fewer, then none, read as a change or by a
// pass.
func TestCatalogOwnPrices(t *testing.T) {
	testsize.Large(t)
	readCatalog(t, sim.Options{}, func(t *testing.T, r *catalogReading) {
		var docs []map[string]any
		for n := range testsize.Of(5000, 1002, 0) {
			docs = append(docs, doc{"SKU": fmt.Sprintf("OWN-%04d", n), "PriceTier1": 10})
		}
		var prices []doc
		for _, id := range r.make("products", docs...) {
			prices = append(prices, doc{"ProductID": id, "Price": 7.5})
		}
		kea := r.make("customers", doc{"Name": "Kea Cafe", "ProductPrices": prices})[0]
		rows := func() (n int) {
			for k := range r.kept() {
				if k.Kind == catalogue.OwnKind && strings.HasPrefix(k.ID, kea) {
					n++
				}
			}
			return n
		}
		r.run()
		for _, some := range [][]doc{prices[:1001], prices[:1], {}} {
			for _, pass := range []bool{false, true} {
				time.Sleep(10 * time.Minute)
				r.edit("customers", kea, doc{"ProductPrices": some})
				if pass {
					r.run()
				} else {
					r.changes()
				}
				r.agree(fmt.Sprint(len(some), " own prices"))
				if got, want := rows(), (len(some)+999)/1000; got != want {
					t.Errorf("%d own prices have %d rows, want %d", len(some), got, want)
				}
				if !pass { // the pass brings back all of them
					r.edit("customers", kea, doc{"ProductPrices": prices})
					r.changes()
				}
			}
		}
	})
}

// TestCatalogBroken: whatever call or write fails, before or after it took effect, and wherever the reading is cut off
// and records change meanwhile, it ends with what the vendor holds.
func TestCatalogBroken(t *testing.T) {
	faults := map[string]sim.Fault{
		"503": {Kind: "before", How: "503"}, "lost": {Kind: "after"}, "html": {Kind: "html"},
		"throttle": {Kind: "throttle"}, "refused": {Kind: "before", How: "refused"},
	}
	for _, at := range slices.Sorted(maps.Keys(faults)) {
		for skip := range testsize.Of(8, 3, 1) {
			t.Run(fmt.Sprint(at, " ", skip), func(t *testing.T) {
				t.Parallel()
				readCatalog(t, sim.Options{TinyPages: 3}, func(t *testing.T, r *catalogReading) {
					r.brokenTwice(func() {
						fault := faults[at]
						fault.Match, fault.Skip = "GET *", skip
						if err := r.sim.Fault(sim.Cin7Core, fault); err != nil {
							t.Fatal(err)
						}
					})
				})
			})
		}
	}
	for n := range testsize.Of(24, 5, 1) {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprint("write ", 3*n, " ", after), func(t *testing.T) {
				t.Parallel()
				readCatalog(t, sim.Options{TinyPages: 3}, func(t *testing.T, r *catalogReading) {
					r.brokenTwice(func() { r.table.fail, r.table.after = r.table.writes+1+3*n, after })
				})
			})
		}
	}
	t.Run("short of time", func(t *testing.T) {
		t.Parallel()
		readCatalog(t, sim.Options{TinyPages: 3}, func(t *testing.T, r *catalogReading) {
			r.brokenTwice(func() {
				r.time = 25 * time.Second
				r.before = func(*http.Request) { time.Sleep(2 * time.Second) }
			})
		})
	})
}

// brokenTwice reads changes that come while they are read, with something broken.
func (r *catalogReading) brokenTwice(breakIt func()) {
	r.t.Helper()
	r.run()
	r.changes()
	var docs, cards []map[string]any
	for n := range 8 {
		docs = append(docs, doc{"SKU": fmt.Sprintf("NEW-%d", n), "PriceTier1": n + 1})
		cards = append(cards, doc{"Name": fmt.Sprintf("Cafe %d", n), "Discount": n})
	}
	products, customers := r.make("products", docs...), r.make("customers", cards...)
	breakIt()
	meanwhile := r.before
	calls := 0
	r.before = func(q *http.Request) {
		if calls++; calls%2 == 0 && calls < 12 { // what was read moves and changes
			r.edit("products", products[calls/2], doc{"PriceTier1": calls + 100})
			prices := []doc{{"ProductID": products[0], "Price": calls}}
			r.edit("customers", customers[calls/2], doc{"ProductPrices": prices})
		}
		if meanwhile != nil {
			meanwhile(q)
		}
	}
	r.changes()
	r.before, r.time = nil, time.Minute
	time.Sleep(time.Minute)
	r.changes()
	r.agree("after the changes")
}

// TestCatalogAtOnce: where two workers read the same list, one is ahead, and the other comes back to find it read.
func TestCatalogAtOnce(t *testing.T) {
	readCatalog(t, sim.Options{TinyPages: 3}, func(t *testing.T, r *catalogReading) {
		r.run()
		r.changes()
		var docs []map[string]any
		for n := range 8 {
			docs = append(docs, doc{"SKU": fmt.Sprintf("NEW-%d", n), "PriceTier1": n + 1})
		}
		r.make("products", docs...)
		both := false
		r.before = func(q *http.Request) {
			if strings.HasSuffix(q.URL.Path, "/product") && !both {
				both = true
				r.part()
			}
		}
		asked, parts := time.Now(), 0
		r.do(func(ctx context.Context, part *job.Part) error {
			parts++
			return r.pair.readChanges(ctx, part, changedProducts, asked)
		})
		if r.before = nil; parts != 3 || len(r.said) > 0 {
			t.Errorf("%d parts, said %q", parts, r.said)
		}
		r.agree("after both")
	})
}

// TestCatalogMany: where very many records changed, or their answer is too large, all are read anew, once; then changes
// are read again.
func TestCatalogMany(t *testing.T) {
	for what, answer := range map[string]func(string) string{
		"many": func(s string) string {
			return regexp.MustCompile(`"Total":\d+`).ReplaceAllString(s, `"Total":20000`)
		},
		"large": func(s string) string { return s + strings.Repeat(" ", 13<<20) },
	} {
		t.Run(what, func(t *testing.T) {
			readCatalog(t, sim.Options{}, func(t *testing.T, r *catalogReading) {
				r.run()
				r.changes()
				product := r.make("products", doc{"SKU": "NEW-1"})[0]
				left := 1
				r.answer = func(q *http.Request, s string) string {
					if left == 0 || !strings.HasSuffix(q.URL.Path, "/product") || !q.URL.Query().Has("ModifiedSince") {
						return s
					}
					left--
					return answer(s)
				}
				passes := r.calls("/customer")
				r.changes()
				if len(r.said) == 0 || !strings.Contains(r.said[0], "Very many") {
					t.Errorf("it said %q", r.said)
				}
				if got := r.calls("/customer") - passes; got != 2 { // the pass, and what changed
					t.Errorf("customers were read %d times", got)
				}
				r.agree("after the pass")
				r.edit("products", product, doc{"PriceTier1": 12})
				r.changes()
				if len(r.said) > 0 {
					t.Errorf("then it said %q", r.said)
				}
				r.agree("after the changes")
			})
		})
	}
}

// available are the products of which the mirror says that something is available.
func (r *catalogReading) available() map[string]bool {
	r.t.Helper()
	all := map[string]bool{}
	for row, err := range r.pair.Mirror.Ordered(r.t.Context(), r.tenant, catalogue.StockKind, "") {
		if err != nil {
			r.t.Fatal(err)
		}
		if all[row.ID], err = catalogue.ReadStock(row); err != nil {
			r.t.Fatal(err)
		}
	}
	return all
}

// TestStock: what is available of a product is the sum of its rows, whichever pages they come on, once or twice.
// Nothing runs out by a reading that did not see all rows.
func TestStock(t *testing.T) {
	readCatalog(t, sim.Options{TinyPages: 3}, func(t *testing.T, r *catalogReading) {
		ids := r.make("products", doc{"SKU": "A", "OnHand": 5}, doc{"SKU": "B", "OnHand": 0},
			doc{"SKU": "C", "OnHand": 2}, doc{"SKU": "D"})
		read := func() {
			t.Helper()
			calls, asked := r.calls("/ref/productavailability"), time.Now()
			read := func(ctx context.Context, part *job.Part) error { return r.pair.readStock(ctx, part, asked) }
			r.do(read)
			first := r.calls("/ref/productavailability") - calls
			r.do(read)
			if again := r.calls("/ref/productavailability") - calls - first; first < 3 || again > 0 {
				t.Errorf("%d calls, then %d", first, again)
			}
		}
		want := func(when string, want ...bool) {
			t.Helper()
			all := r.available()
			for i, id := range ids[:len(want)] {
				if all[id] != want[i] {
					t.Errorf("%s: %d is %t", when, i, all[id])
				}
			}
		}
		read()
		want("at first", true, false, true, false)
		r.edit("products", ids[0], doc{"OnHand": 0})
		r.edit("products", ids[1], doc{"OnHand": 1})
		more := true
		r.answer = func(q *http.Request, s string) string {
			if more && strings.HasSuffix(q.URL.Path, "/ref/productavailability") {
				return regexp.MustCompile(`"Total":(\d+)`).ReplaceAllString(s, `"Total":${1}0`)
			}
			return s
		}
		asked := time.Now()
		r.do(func(ctx context.Context, part *job.Part) error { return r.pair.readStock(ctx, part, asked) })
		want("by a reading that proves nothing", true, true, true, false)
		more = false
		read()
		want("then", false, true, true, false)
		for _, kind := range []string{"before", "after", "html"} { // each page on record before the next
			r.edit("products", ids[2], doc{"OnHand": map[string]int{"before": 0, "after": 4, "html": 0}[kind]})
			if err := r.sim.Fault(sim.Cin7Core, sim.Fault{Match: "GET *", Kind: kind, Skip: 3}); err != nil {
				t.Fatal(err)
			}
			calls := r.calls("/ref/productavailability")
			read()
			want(kind, false, true, kind == "after", false)
			t.Logf("%s: %d calls", kind, r.calls("/ref/productavailability")-calls)
		}
	})
}

// TestStockProved: no product is out of stock by what a reading did not see, before one saw all rows there are: neither
// before the first one, nor after some that did not, unless two in a row saw the same: the vendor may count rows that
// cannot be told apart. What was seen once counts on.
func TestStockProved(t *testing.T) {
	readCatalog(t, sim.Options{TinyPages: 3}, func(t *testing.T, r *catalogReading) {
		ids := r.make("products", doc{"SKU": "A", "OnHand": 5}, doc{"SKU": "B", "OnHand": 0}, doc{"SKU": "C"})
		r.run()
		asks := func(tenant.Bundle) ([]tenant.Section, error) {
			s := catalogue.DefaultSettings()
			s.OutOfStock = true
			return []tenant.Section{&s}, nil
		}
		if _, err := r.pair.Tenants.ChangeSettings(t.Context(), r.tenant, "", asks); err != nil {
			t.Fatal(err)
		}
		out := func() (list string) {
			t.Helper()
			b, err := r.pair.Tenants.Load(t.Context(), r.tenant)
			if err != nil {
				t.Fatal(err)
			}
			source, err := r.pair.sourceOf(b)
			if err != nil {
				t.Fatal(err)
			}
			source.ChosenProducts = func(_ context.Context, after string) iter.Seq2[string, error] {
				return func(yield func(string, error) bool) {
					for _, id := range slices.Sorted(slices.Values(ids)) {
						if id > after && !yield(id, nil) {
							return
						}
					}
				}
			}
			status := map[string]string{}
			for x, err := range source.WantProducts(t.Context(), publish.Key{}) {
				var p upstock.Product
				if err != nil || json.Unmarshal(x.Data, &p) != nil {
					t.Fatal(err, x)
				}
				status[x.ID] = p.Status
			}
			for i, id := range ids {
				if status[id] == upstock.OutOfStock {
					list += string('A' + rune(i))
				}
			}
			return list
		}
		read := func(rows string) {
			r.answer = func(q *http.Request, s string) string {
				if strings.HasSuffix(q.URL.Path, "/ref/productavailability") {
					return regexp.MustCompile(`"Total":(\d+)`).ReplaceAllString(s, rows)
				}
				return s
			}
			time.Sleep(time.Minute)
			asked := time.Now()
			r.do(func(ctx context.Context, part *job.Part) error { return r.pair.readStock(ctx, part, asked) })
		}
		for _, x := range []struct{ when, rows, out string }{
			{when: "before any reading"},
			{"by a reading that proves nothing", `"Total":${1}0`, ""},
			{"by one of which the vendor counts otherwise", `"Total":${1}1`, ""},
			{"by one that saw the same as the one before", `"Total":${1}1`, "BC"},
			{"by all rows", `"Total":$1`, "BC"},
			{"by another one that proves nothing", `"Total":${1}0`, "BC"},
		} {
			if x.rows != "" {
				read(x.rows)
			}
			if got := out(); got != x.out {
				t.Errorf("%s: %q are out of stock, want %q", x.when, got, x.out)
			}
		}
	})
}

// TestBuyers: whoever has an order made since an instant has bought, page by page, and of the same instant it is asked
// once.
func TestBuyers(t *testing.T) {
	readCatalog(t, sim.Options{TinyPages: 2}, func(t *testing.T, r *catalogReading) {
		customers := r.make("customers", doc{"Name": "A"}, doc{"Name": "B"}, doc{"Name": "C"}, doc{"Name": "D"})
		early := time.Now()
		sell := func(customer string, orders bool) {
			t.Helper()
			text := r.post("/sale", fmt.Sprintf(
				`{"CustomerID":%q,"Location":"Main Warehouse","SkipQuote":true}`, customer))
			var made struct{ ID string }
			if err := json.Unmarshal(text, &made); err != nil || made.ID == "" {
				t.Fatalf("%s: %v", text, err)
			}
			if orders {
				r.post("/sale/order", fmt.Sprintf(`{"SaleID":%q,"Status":"DRAFT","Memo":"","Lines":[]}`, made.ID))
			}
			time.Sleep(time.Minute)
		}
		sell(customers[3], true)
		since := time.Now()
		for range 3 {
			sell(customers[0], true)
			sell(customers[1], true)
		}
		sell(customers[2], false)
		buyers := func(since time.Time) string {
			t.Helper()
			var ids map[string]bool
			r.do(func(ctx context.Context, part *job.Part) (err error) {
				ids, err = r.pair.readBuyers(ctx, part, since)
				return err
			})
			var got []string
			for i, id := range customers {
				if ids[id] {
					got = append(got, string('A'+rune(i)))
				}
			}
			return strings.Join(got, "")
		}
		fault := sim.Fault{Match: "GET *", Kind: "before", How: "503", Skip: 1}
		if err := r.sim.Fault(sim.Cin7Core, fault); err != nil {
			t.Fatal(err)
		}
		if got := buyers(since); got != "AB" {
			t.Errorf("since then %s bought", got)
		}
		calls := r.calls("/saleList")
		if got := buyers(since); got != "AB" || r.calls("/saleList") != calls {
			t.Errorf("again: %s, %d calls", got, r.calls("/saleList")-calls)
		}
		if got := buyers(early.Add(-time.Hour)); got != "ABD" {
			t.Errorf("since the beginning %s bought", got)
		}
	})
}

func TestIsBought(t *testing.T) {
	for status, want := range map[cin7core.Status]bool{
		"VOIDED": false, "DRAFT": false, "ESTIMATED": false, "Estimating": false, "ORDERING": true, "ORDERED": true,
		"COMPLETED": true, "SOMETHING NEW": true,
	} {
		if got := isBought(cin7core.SaleRow{Status: status}); got != want {
			t.Errorf("%s: %t", status, got)
		}
	}
}

// TestCatalogMoves: rows move between pages while they are read, so that one is missed, one comes twice, or both. No
// change is missed by that, and a pass takes nothing for gone.
func TestCatalogMoves(t *testing.T) {
	for _, how := range []string{"gone", "come", "moved"} {
		for _, list := range []string{"/product", "/customer"} {
			t.Run(how+list, func(t *testing.T) {
				t.Parallel()
				readCatalog(t, sim.Options{TinyPages: 3, NoLimits: true}, func(t *testing.T, r *catalogReading) {
					r.run()
					r.changes()
					var docs, cards []map[string]any
					for n := range 7 {
						docs = append(docs, doc{"SKU": fmt.Sprintf("NEW-%d", n), "PriceTier1": n + 1})
						cards = append(cards, doc{"Name": fmt.Sprintf("Cafe %d", n), "Discount": n})
					}
					r.make("products", docs...)
					r.make("customers", cards...)
					fault := sim.Fault{Match: "GET " + list, Kind: "drift", How: how, Skip: 1}
					if err := r.sim.Fault(sim.Cin7Core, fault); err != nil {
						t.Fatal(err)
					}
					r.changes()
					r.agree("after the changes")
					if err := r.sim.Fault(sim.Cin7Core, fault); err != nil {
						t.Fatal(err)
					}
					r.run()
					r.agree("after the pass")
				})
			})
		}
	}
}

// TestCatalogDrifts: where rows move all the time, no pass takes any for gone, and changes are read all the same.
func TestCatalogDrifts(t *testing.T) {
	for seed := range testsize.Of(20, 4, 1) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			o := sim.Options{TinyPages: 8, NoLimits: true, ListDrift: true, Seed: fmt.Sprint("drift ", seed)}
			readCatalog(t, o, func(t *testing.T, r *catalogReading) {
				r.run()
				want := map[string]int{}
				for range 6 { // until one has seen all
					r.run()
					counts := r.counted()
					for kind, n := range counts {
						if n < want[kind] {
							t.Fatalf("of %s %d rows are left of %d", kind, n, want[kind])
						}
					}
					want = counts
				}
			})
		})
	}
}
