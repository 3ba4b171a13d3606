package order_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/table"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstockcin7/order"
)

// reads counts what is read of a table: requests, and the items and entries they answer.
type reads struct {
	table.Table
	requests, rows atomic.Int64
}

func (c *reads) read(rows int) {
	c.requests.Add(1)
	c.rows.Add(int64(rows))
}

func (c *reads) Get(ctx context.Context, keys ...table.Key) ([]table.Item, error) {
	items, err := c.Table.Get(ctx, keys...)
	c.read(len(items))
	return items, err
}

func (c *reads) Query(ctx context.Context, q table.Query) (table.Page, error) {
	p, err := c.Table.Query(ctx, q)
	c.read(len(p.Items))
	return p, err
}

func (c *reads) List(ctx context.Context, q table.Query) (table.Entries, error) {
	p, err := c.Table.List(ctx, q)
	c.read(len(p.Entries))
	return p, err
}

// cost is what f reads.
func (c *reads) cost(f func()) [2]int64 {
	requests, rows := c.requests.Load(), c.rows.Load()
	f()
	return [2]int64{c.requests.Load() - requests, c.rows.Load() - rows}
}

func openReads(t *testing.T) (*reads, *order.Book) {
	t.Helper()
	store, err := table.Open("", table.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	c := &reads{Table: store}
	return c, order.NewBook(ledger.New(c))
}

func receive(t *testing.T, l *order.Book, r order.Order) *order.Order {
	t.Helper()
	got, err := l.Receive(t.Context(), &r, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func keepAll(*order.Order) bool { return true }

// TestListsReadWhatTheyShow: lists, searches and what is due of one tenant cost
// the same reads with thirty times as many orders, of its own and of a neighbour's.
func TestListsReadWhatTheyShow(t *testing.T) {
	testsize.Unraced(t)
	costs := map[string][2]int64{}
	for _, many := range []int{100, 3000} {
		c, l := openReads(t)
		now := time.Now().UTC().Truncate(time.Millisecond)
		for i := range many {
			receive(t, l, order.Order{Run: ledger.Run{Tenant: "busy", ID: fmt.Sprint(i), State: ledger.Waiting,
				Next: now.Add(-time.Hour)}})
			r := order.Order{Run: ledger.Run{Tenant: "t", ID: fmt.Sprint(10_000 + i), State: order.Sold}, SoldAt: now,
				Told: true, Number: fmt.Sprintf("UP-%d", 10_000+i), Reference: fmt.Sprintf("PO-%d", 770_000+i),
				SaleNumber: fmt.Sprintf("SO-%05d", i), Customer: "Bay Bakery"}
			if i == many/2 {
				r.Customer = "Tōtara Street Café"
			}
			receive(t, l, r)
		}
		receive(t, l, order.Order{Run: ledger.Run{Tenant: "t", ID: "5", State: ledger.Attention}, Number: "UP-5",
			Reference: "Spring order 40566"})
		receive(t, l, order.Order{Run: ledger.Run{Tenant: "t", ID: "6", State: ledger.Waiting,
			Next: now.Add(time.Hour)}, Number: "UP-6"})
		for name, do := range map[string]func() (ledger.Listing[*order.Order], error){
			"attention": func() (ledger.Listing[*order.Order], error) {
				return l.InState(t.Context(), "t", ledger.Attention, "", 50)
			},
			"waiting": func() (ledger.Listing[*order.Order], error) {
				return l.InState(t.Context(), "t", ledger.Waiting, "", 50)
			},
			"sold": func() (ledger.Listing[*order.Order],
				error) {
				return l.InState(t.Context(), "t", order.Sold, "", 50)
			},
			"totara": func() (ledger.Listing[*order.Order], error) {
				return l.Find(t.Context(), "t", "totara", "", 50, keepAll)
			},
			"40566": func() (ledger.Listing[*order.Order], error) {
				return l.Find(t.Context(), "t", "40566", "", 50, keepAll)
			},
			"bay": func() (ledger.Listing[*order.Order],
				error) {
				return l.Find(t.Context(), "t", "bay", "", 50, keepAll)
			},
			"nothing": func() (ledger.Listing[*order.Order], error) {
				return l.Find(t.Context(), "t", "zebra", "", 50, keepAll)
			},
			"bakery nothing": func() (ledger.Listing[*order.Order], error) {
				return l.Find(t.Context(), "t", "bakery xx", "", 50, keepAll)
			},
			"due": func() (ledger.Listing[*order.Order], error) {
				all, err := l.DueOf(t.Context(), "t", now, 100)
				if all.Due != 0 || all.Waiting != 1 || len(all.First) != 1 || all.First[0].ID != "6" ||
					!all.First[0].Due.Equal(now.Add(time.Hour)) {
					t.Errorf("%+v", all)
				}
				return ledger.Listing[*order.Order]{}, err
			},
		} {
			var found int
			cost := c.cost(func() {
				page, err := do()
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				found = len(page.Runs)
			})
			if before, ok := costs[name]; ok && (cost[0] > before[0] || cost[1] > before[1]+200) || cost[0] > 20 ||
				cost[1] > 420 {
				t.Errorf("%s of %d: %v requests and rows, before %v", name, many, cost, before)
			}
			costs[name] = cost
			want := map[string]int{"attention": 1, "waiting": 1, "sold": 50, "totara": 1, "40566": 1, "bay": 50}[name]
			if found != want {
				t.Errorf("%s of %d: %d found, want %d", name, many, found, want)
			}
		}
		if n, err := l.CountIn(t.Context(), "t", order.Sold); n != many || err != nil {
			t.Errorf("%d sold, %v", n, err)
		}
	}
	t.Log(costs)
}

// TestFind: what a run is found by, and how its words are read.
func TestFind(t *testing.T) {
	_, l := openReads(t)
	now := time.Now().UTC()
	r := receive(t, l, order.Order{Run: ledger.Run{Tenant: "t", ID: "41", State: ledger.Received, Next: now},
		Number: "UP-1041", Reference: "PO-40566/B 7", Customer: "Tōtara Street Café & Sons"})
	receive(t, l, order.Order{Run: ledger.Run{Tenant: "t", ID: "42", State: ledger.Received, Next: now},
		Number: "UP-1042", Reference: "4056", Customer: "O'Neill Brothers"})
	receive(t, l, order.Order{Run: ledger.Run{Tenant: "t", ID: "43", State: ledger.Received, Next: now},
		Number: "UP-40566", Customer: "Totara Hill"})
	receive(t, l, order.Order{Run: ledger.Run{Tenant: "t", ID: "44", State: ledger.Received, Next: now}, Number: "#9",
		Reference: "Spring delivery, week 3", Customer: "Ngā Delivery"})
	find := func(q string) []string {
		t.Helper()
		var ids []string
		for after := ""; ; { // a page for each
			page, err := l.Find(t.Context(), "t", q, after, 1, keepAll)
			if err != nil {
				t.Fatalf("%s: %v", q, err)
			}
			for _, r := range page.Runs {
				ids = append(ids, r.ID)
			}
			if after = page.Next; after == "" {
				return ids
			}
		}
	}
	for _, c := range []struct {
		q    string
		want []string
	}{
		{"40566", []string{"43", "41"}}, {"4056", []string{"42", "43", "41"}}, {"po-405", []string{"41"}},
		{"PO", []string{"41"}}, {"566", nil},
		{"totara", []string{"43", "41"}}, {"TŌTARA cafe", []string{"41"}}, {"street tot", []string{"41"}},
		{"up-104", []string{"42", "41"}},
		{"o'neill", []string{"42"}}, {"oneill", []string{"42"}}, {"cafe & sons", []string{"41"}}, {"7", []string{"41"}},
		{"totara 40566", []string{"43", "41"}}, {"Totara   Street", []string{"41"}},
		{"hill 1042", nil}, {"so-0", nil}, {"up", []string{"43", "42", "41"}}, {"up-", []string{"43", "42", "41"}},
		{"up totara", []string{"43", "41"}}, {"40566/b", []string{"41"}}, {"x-40566", nil},
		{"spring del", []string{"44"}}, {"spring delivery, w", []string{"44"}}, {"delivery", []string{"44"}},
		{"3", []string{"44"}}, {"#9", []string{"44"}}, {"9", []string{"44"}}, {"nga delivery 3", []string{"44"}},
		{"\u200b", nil},
	} {
		if got := find(c.q); !slices.Equal(got, c.want) {
			t.Errorf("%q finds %v, want %v", c.q, got, c.want)
		}
	}
	for _, after := range []string{"x", "9#40566#", "6#", "0#other", "#"} {
		if _, err := l.Find(t.Context(), "t", "40566", after, 1, keepAll); err != ledger.ErrAfter {
			t.Errorf("after %q: %v", after, err)
		}
		if _, err := l.InState(t.Context(), "t", order.Sold, after, 1); err != ledger.ErrAfter {
			t.Errorf("after %q: %v", after, err)
		}
	}
	// What changes is found anew, and no more as it was.
	if err := l.Update(t.Context(), r, func(r *order.Order, _ *ledger.Extra) error {
		r.State, r.Next, r.SaleNumber, r.Reference = order.Sold, time.Time{}, "SO-00077", "PO-8"
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for q, want := range map[string][]string{"so-000": {"41"}, "00077": {"41"}, "40566": {"43"}, "po-8": {"41"}} {
		if got := find(q); !slices.Equal(got, want) {
			t.Errorf("%q finds %v, want %v", q, got, want)
		}
	}
}

// TestInStatePages: a list by state shows each run once, those with work left
// before the others, and those on which somebody works for the first time as such.
func TestInStatePages(t *testing.T) {
	_, l := openReads(t)
	now := time.Now().UTC().Truncate(time.Second)
	for i := range 9 {
		r := order.Order{Run: ledger.Run{Tenant: "t", ID: fmt.Sprint(100 + i), State: order.Sold}, SoldAt: now,
			Told: true}
		if i == 2 || i == 5 {
			r.Told, r.Next = false, now.Add(time.Duration(10-i)*time.Minute)
		}
		receive(t, l, r)
	}
	held := receive(t, l, order.Order{Run: ledger.Run{Tenant: "t", ID: "200", State: ledger.Received,
		Next: now.Add(90 * time.Second)}})
	if err := l.Update(t.Context(), held, func(r *order.Order, _ *ledger.Extra) error {
		r.State, r.Lease = ledger.Working, ledger.Lease{Token: "mine", Until: now.Add(time.Minute)}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	receive(t, l, order.Order{Run: ledger.Run{Tenant: "t", ID: "201", State: ledger.Working, Next: now.Add(time.Minute),
		Lease: ledger.Lease{Token: "his", Until: now.Add(time.Minute)}}})
	receive(t, l, order.Order{Run: ledger.Run{Tenant: "t", ID: "202", State: ledger.Received,
		Next: now.Add(time.Minute)}})
	for s, want := range map[ledger.State][]string{
		order.Sold:      {"105", "102", "108", "107", "106", "104", "103", "101", "100"},
		ledger.Working:  {"200", "201"},
		ledger.Received: {"202"},
		order.Shipped:   nil,
	} {
		for _, limit := range []int{1, 2, 50} {
			var got []string
			for after := ""; ; {
				page, err := l.InState(t.Context(), "t", s, after, limit)
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range page.Runs {
					got = append(got, r.ID)
				}
				if after = page.Next; after == "" {
					break
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s by %d: %v, want %v", s, limit, got, want)
			}
		}
	}
}

// TestRelist: runs that an earlier version wrote are in no list and found by no
// word until they are gone through, once, or written again.
func TestRelist(t *testing.T) {
	c, l := openReads(t)
	now := time.Now().UTC().Truncate(time.Second)
	var ops []table.Op
	for i := range 25 { // as they were stored: plain JSON, in the first index alone
		id := fmt.Sprint(100 + i)
		data, err := json.Marshal(order.Order{Run: ledger.Run{ID: id, State: ledger.Waiting, Why: "Because.", Next: now,
			Received: now, Parts: map[string]int{"body": 1}}, Number: "UP-" + id})
		if err != nil {
			t.Fatal(err)
		}
		ops = append(ops, table.Create(table.Item{Key: table.Key{PK: "T#t#order", SK: fmt.Sprintf("%020s", id)},
			Data:  data,
			Index: "DUE#1", Sort: now.Format("2006-01-02T15:04:05.000Z") + "#t#" + id}),
			table.Put(table.Item{Key: table.Key{PK: "T#t#order#" + id, SK: "body#0"},
				Data: []byte(`{"id":` + id + `}`)}))
	}
	if err := c.Write(t.Context(), ops...); err != nil {
		t.Fatal(err)
	}
	if r, body, _, err := l.Load(t.Context(), "t", "107"); err != nil || r.Number != "UP-107" ||
		string(body) != `{"id":107}` {
		t.Fatalf("%+v %s %v", r, body, err)
	}
	count := func() (found, listed int) {
		t.Helper()
		page, err := l.Find(t.Context(), "t", "up-107", "", 50, keepAll)
		if err != nil {
			t.Fatal(err)
		}
		n, err := l.CountIn(t.Context(), "t", ledger.Waiting)
		if err != nil {
			t.Fatal(err)
		}
		return len(page.Runs), n
	}
	if found, listed := count(); found != 0 || listed != 0 {
		t.Fatalf("%d found, %d listed before", found, listed)
	}
	calls, whole := 0, false
	for !whole {
		var err error
		if whole, err = l.Relist(t.Context(), "t", 10); err != nil {
			t.Fatal(err)
		}
		calls++
	}
	if found, listed := count(); calls > 4 || found != 1 || listed != 25 {
		t.Errorf("after %d calls: %d found, %d listed", calls, found, listed)
	}
	if cost := c.cost(func() { l.Relist(t.Context(), "t", 10) }); cost[0] != 0 {
		t.Errorf("what is whole is read again: %v", cost)
	}
	if again, err := order.NewBook(ledger.New(c)).Relist(t.Context(), "t", 10); !again || err != nil {
		t.Errorf("another process: %v %v", again, err)
	}
}

// TestCountsAreATenantsOwn: counts are exact to 10,000 beside a neighbour's longer
// backlog, and one more says that there are more.
func TestCountsAreATenantsOwn(t *testing.T) {
	testsize.Unraced(t)
	c, l := openReads(t)
	now := time.Now().UTC().Truncate(time.Second)
	due := func(id string, at time.Time) string {
		return "0#" + at.Format("2006-01-02T15:04:05.000Z") + "#" + id
	}
	var ops []table.Op
	add := func(tenant string, state ledger.State, i int, at time.Time) {
		it := table.Item{Key: table.Key{PK: "T#" + tenant + "#order", SK: fmt.Sprintf("%020d", i)},
			Group: "T#" + tenant + "#list#" + string(state), Order: due(fmt.Sprint(i), at)}
		it.Index, it.Sort = "DUE#0#sell", it.Order[2:]
		if ops = append(ops, table.Create(it)); len(ops) == table.MaxOps {
			if err := c.Write(t.Context(), ops...); err != nil {
				t.Fatal(err)
			}
			ops = nil
		}
	}
	for i := range 10_100 {
		add("busy", ledger.Waiting, i, now.Add(-2*time.Hour))
	}
	for i := range 4_000 {
		add("t", ledger.Waiting, i, now.Add(-time.Hour))
		add("t", ledger.Received, 10_000+i, now.Add(-time.Minute))
	}
	for i := range 100 {
		add("t", order.Sold, 20_000+i, now.Add(time.Minute))
	}
	all, err := l.DueOf(t.Context(), "t", now, 10)
	if err != nil || all.Due != 8_000 || all.Waiting != 100 || len(all.First) != 10 ||
		all.First[9].ID != "16" && !all.First[9].Due.Equal(now.Add(-time.Hour)) {
		t.Errorf("%+v %v", all, err)
	}
	busy, err := l.DueOf(t.Context(), "busy", now, 0)
	if err != nil || busy.Due != ledger.CountMost+1 || busy.Waiting != 0 {
		t.Errorf("%+v %v", busy, err)
	}
	if n, err := l.CountIn(t.Context(), "busy", ledger.Waiting); n != ledger.CountMost+1 || err != nil {
		t.Errorf("%d %v", n, err)
	}
}
