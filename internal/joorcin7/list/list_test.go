package list

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"stockbridge/internal/table"
	"stockbridge/internal/testsize"
)

// counting counts what is read and written of a table.
type counting struct {
	table.Table
	reads, items, ops atomic.Int64
}

func (c *counting) Get(ctx context.Context, keys ...table.Key) ([]table.Item, error) {
	c.reads.Add(1)
	items, err := c.Table.Get(ctx, keys...)
	c.items.Add(int64(len(items)))
	return items, err
}

func (c *counting) Write(ctx context.Context, ops ...table.Op) error {
	c.ops.Add(int64(len(ops)))
	return c.Table.Write(ctx, ops...)
}

func open(t testing.TB) *counting {
	t.Helper()
	store, err := table.Open(filepath.Join(t.TempDir(), "s.db"), table.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return &counting{Table: store}
}

func customer(n int) Customer {
	words := []string{"Harbour", "Royal", "Tōtara", "Café", "North", "Silver", "Straße", "Kea"}
	kinds := []string{"Foods", "Bakery", "Apparel", "Traders", "Supply"}
	c := Customer{
		ID: fmt.Sprint(10_000 + n), Company: fmt.Sprintf("%s %s %d", words[n%len(words)], kinds[n%len(kinds)], n),
		Name: fmt.Sprintf("Ana Pohatu %d", n%97), Email: fmt.Sprintf("orders%d@example.com", n),
		AccountNumber: fmt.Sprintf("%05d", n), In: []List{Upload}, State: "new",
	}
	switch n % 10 {
	case 1:
		c.In, c.State, c.Due = []List{Review}, "review", time.Unix(int64(1_800_000_000+n), 0).UTC()
	case 2, 3, 4:
		c.In, c.State, c.Connection, c.Code = []List{Linked}, "linked", fmt.Sprint(900_000+n), c.ID
	case 5:
		c.In, c.State, c.Why = []List{Update, Linked}, "changed", "It waits for Update Customers."
	}
	return c.Fold()
}

func customers(n int) []Customer {
	list := make([]Customer, n)
	for i := range list {
		list[i] = customer(i)
	}
	return list
}

func these(rows ...Customer) Make[Customer] {
	return func(_ context.Context, ids []string) (made []Customer, err error) {
		for _, row := range rows {
			if slices.Contains(ids, row.ID) {
				made = append(made, row)
			}
		}
		return made, nil
	}
}

func all(rows []Customer) func(context.Context) ([]Customer, error) {
	return func(context.Context) ([]Customer, error) { return rows, nil }
}

func choose(t *testing.T, s *Sheet[Customer], q Query) Page {
	t.Helper()
	p, err := Choose(s, q)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestFind: words are found in each of the four texts, whatever their case, accents and macrons; lists are paged in
// every order without a customer twice or none, also where the last one of a page has left the list.
func TestFind(t *testing.T) {
	ctx := t.Context()
	b := NewBook(open(t), CustomerKind())
	rows := customers(300)
	if err := b.Rebuild(ctx, "t", "a", all(rows)); err != nil {
		t.Fatal(err)
	}
	sheet, err := b.Read(ctx, "t", "a")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		q    string
		list List
		want int
	}{
		{"", "", 300}, {"TOTARA", "", 38}, {"cafe bakery", "", 8}, {"strasse", "", 37}, {"orders7@EXAMPLE.com", "", 1},
		{"00042", "", 1}, {"ana pohatu 3 harbour", "", 7}, {"nobody", "", 0}, {"", Linked, 120}, {"", Update, 30},
		{"", Review, 30}, {"", Upload, 150},
	} {
		if got := choose(t, sheet, Query{Q: test.q, List: test.list}).Of; got != test.want {
			t.Errorf("%q in %q: %d, want %d", test.q, test.list, got, test.want)
		}
	}
	if sheet.Counts["update"] != 30 || sheet.Counts["linked"] != 120 || sheet.Counts["state review"] != 30 {
		t.Errorf("counts: %v", sheet.Counts)
	}
	for _, sort := range append(Sorts(), "-company", "-due", "") {
		whole := choose(t, sheet, Query{Sort: sort}).Items
		var paged []Customer
		for q := (Query{Sort: sort, Limit: 7}); ; {
			p := choose(t, sheet, q)
			paged = append(paged, p.Items...)
			if q.After = p.Next; p.Next == "" {
				break
			}
		}
		if diff := cmp.Diff(idsOf(whole), idsOf(paged)); diff != "" || len(whole) != 300 {
			t.Errorf("sorted by %q, pages (+) are not the whole (-):\n%s", sort, diff)
		}
	}
	first := choose(t, sheet, Query{List: Upload, Limit: 5})
	gone := first.Items[4]
	gone.In = []List{Review}
	if err := b.Restand(ctx, "t", "a", []string{gone.ID}, these(gone)); err != nil {
		t.Fatal(err)
	}
	if sheet, err = b.Read(ctx, "t", "a"); err != nil {
		t.Fatal(err)
	}
	next := choose(t, sheet, Query{List: Upload, Limit: 5, After: first.Next})
	if want := choose(t, sheet, Query{List: Upload}).Items[4]; next.Items[0].ID != want.ID {
		t.Errorf("after a customer that left the list comes %s, want %s", next.Items[0].ID, want.ID)
	}
	if _, err := Choose(sheet, Query{After: "nobody"}); err != ErrAfter {
		t.Errorf("after nobody: %v", err)
	}
}

func idsOf(list []Customer) (ids []string) {
	for _, c := range list {
		ids = append(ids, c.ID)
	}
	return ids
}

// TestBook: what is restood by many at once stands as it was made last, in the table and for each process; of another
// account nothing stands; it costs what changed.
func TestBook(t *testing.T) {
	ctx := t.Context()
	store := open(t)
	b, other := NewBook(store, CustomerKind()), NewBook(store, CustomerKind())
	var mu sync.Mutex
	truth := map[string]Customer{}
	make := func(_ context.Context, ids []string) (made []Customer, err error) {
		mu.Lock()
		defer mu.Unlock()
		for _, id := range ids {
			if c, ok := truth[id]; ok {
				made = append(made, c)
			}
		}
		return made, nil
	}
	everything := func(context.Context) (made []Customer, err error) {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range truth {
			made = append(made, c)
		}
		return made, nil
	}
	var wg sync.WaitGroup
	for worker := range 4 {
		book := []*Book[Customer]{b, other}[worker%2]
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(worker)))
			for range 40 {
				var ids []string
				mu.Lock()
				for range 1 + r.IntN(5) {
					c := customer(r.IntN(60))
					c.Why = fmt.Sprint("change ", r.IntN(1000))
					if ids = append(ids, c.ID); r.IntN(4) == 0 {
						delete(truth, c.ID)
					} else {
						truth[c.ID] = c
					}
				}
				mu.Unlock()
				var err error
				if r.IntN(10) == 0 {
					err = book.Rebuild(ctx, "t", "a", everything)
				} else {
					err = book.Restand(ctx, "t", "a", ids, make)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	want, _ := everything(ctx)
	slices.SortFunc(want, b.compare)
	for _, book := range []*Book[Customer]{b, other, NewBook(store, CustomerKind())} {
		sheet, err := book.Read(ctx, "t", "a")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, sheet.Rows, cmp.AllowUnexported(Customer{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("stands (+), should (-):\n%s", diff)
		}
	}
	before := store.ops.Load()
	if err := b.Rebuild(ctx, "t", "a", everything); err != nil || store.ops.Load() != before {
		t.Errorf("nothing differs, and %d are written; %v", store.ops.Load()-before, err)
	}
	if err := b.Restand(ctx, "t", "a", []string{want[0].ID}, these(customer(3))); err != nil {
		t.Fatal(err)
	}
	if n := store.ops.Load() - before; n > 3 {
		t.Errorf("one customer changed, and %d items are written", n)
	}
	if sheet, err := b.Read(ctx, "t", "another"); err != nil || len(sheet.Rows) != 0 {
		t.Errorf("of another account: %v, %v", sheet, err)
	}
	if err := b.Restand(ctx, "t", "another", []string{customer(1).ID}, these(customer(1))); err != nil {
		t.Fatal(err)
	}
	if sheet, err := other.Read(ctx, "t", "another"); err != nil || len(sheet.Rows) != 1 {
		t.Errorf("the other account's: %v, %v", sheet, err)
	}
	if err := b.Erase(ctx, "t"); err != nil {
		t.Fatal(err)
	}
	if sheet, err := other.Read(ctx, "t", "another"); err != nil || len(sheet.Rows) != 0 {
		t.Errorf("erased: %v, %v", sheet, err)
	}
}

// TestGrow: a book whose shards are full has more of them, whether one customer comes or all.
func TestGrow(t *testing.T) {
	ctx := t.Context()
	b := NewBook(open(t), CustomerKind())
	b.most = 10_000
	r := rand.New(rand.NewPCG(1, 2))
	large := func(n int) Customer {
		c := customer(n)
		var why strings.Builder
		for why.Len() < 1000 {
			fmt.Fprintf(&why, "%x", r.Uint64())
		}
		c.Why = why.String()
		return c
	}
	var rows []Customer
	for n := range 600 {
		rows = append(rows, large(n))
	}
	if err := b.Restand(ctx, "t", "a", []string{rows[0].ID}, these(rows[0])); err != nil {
		t.Fatal(err)
	}
	for some := range slices.Chunk(rows[1:], 200) {
		if err := b.Restand(ctx, "t", "a", idsOf(some), these(some...)); err != nil {
			t.Fatal(err)
		}
	}
	sheet, err := b.Read(ctx, "t", "a")
	if err != nil || len(sheet.Rows) != 600 {
		t.Fatalf("%d rows, %v", len(sheet.Rows), err)
	}
	if err := b.Rebuild(ctx, "u", "a", all(rows)); err != nil {
		t.Fatal(err)
	}
	if sheet, err = b.Read(ctx, "u", "a"); err != nil || len(sheet.Rows) != 600 {
		t.Fatalf("%d rows, %v", len(sheet.Rows), err)
	}
}

// TestFiftyThousand: a filter of 50,000 customers is answered in a moment, also by a process that reads them for the
// first time, by a few reads.
func TestFiftyThousand(t *testing.T) {
	testsize.Large(t)
	ctx := t.Context()
	store := open(t)
	rows := customers(50_000)
	if err := NewBook(store, CustomerKind()).Rebuild(ctx, "t", "a", all(rows)); err != nil {
		t.Fatal(err)
	}
	b := NewBook(store, CustomerKind())
	ask := func(q Query) time.Duration {
		began := time.Now()
		sheet, err := b.Read(ctx, "t", "a")
		if err != nil {
			t.Fatal(err)
		}
		if p := choose(t, sheet, q); p.Of == 0 || len(p.Items) != q.Limit {
			t.Fatalf("%+v: %d of %d", q, len(p.Items), p.Of)
		}
		return time.Since(began)
	}
	store.reads.Store(0)
	store.items.Store(0)
	cold := ask(Query{Q: "totara bakery", Limit: 50})
	if n := store.items.Load(); n > 80 || store.reads.Load() > 3 {
		t.Errorf("the first question reads %d items in %d reads", n, store.reads.Load())
	}
	store.items.Store(0)
	warm, sorted := ask(Query{Q: "totara bakery", Limit: 50}), ask(Query{List: Upload, Sort: "-email", Limit: 50})
	if n := store.items.Load(); n > 2 {
		t.Errorf("two more questions read %d items", n)
	}
	c := customer(7)
	c.State = "sending"
	if err := NewBook(store, CustomerKind()).Restand(ctx, "t", "a", []string{c.ID}, these(c)); err != nil {
		t.Fatal(err)
	}
	changed := ask(Query{Q: "totara bakery", Limit: 50})
	t.Logf("cold %v, warm %v, sorted %v, after a change %v", cold, warm, sorted, changed)
	most := 300 * time.Millisecond
	if !testsize.Whole() {
		most *= 10 // tests of other packages run beside it
	}
	for name, took := range map[string]time.Duration{
		"cold": cold, "warm": warm, "sorted": sorted, "after a change": changed,
	} {
		if took > most {
			t.Errorf("%s it took %v", name, took)
		}
	}
}
