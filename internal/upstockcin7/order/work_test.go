package order_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/order"
)

// TestWork: what a run's due time is for.
func TestWork(t *testing.T) {
	now := time.Now()
	create := []ledger.Intent{{Seq: 1, Step: order.StepCreate}}
	refused := []ledger.Intent{{Seq: 1, Step: order.StepCreate, Answer: ledger.Refused}}
	for _, c := range []struct {
		name string
		run  order.Order
		want ledger.Work
	}{
		{"new", order.Order{Run: ledger.Run{State: ledger.Received}}, order.WorkSell},
		{"waits for the budget", order.Order{Run: ledger.Run{State: ledger.Waiting}}, order.WorkSell},
		{"refused, and put right", order.Order{Run: ledger.Run{State: ledger.Waiting, Intents: refused}},
			order.WorkSell},
		{"failed", order.Order{Run: ledger.Run{State: ledger.Waiting, Failures: 1}}, order.WorkRetry},
		{"broke off", order.Order{Run: ledger.Run{State: ledger.Working, Dead: 1}}, order.WorkRetry},
		{"a create is on record", order.Order{Run: ledger.Run{State: ledger.Working, Intents: create}},
			order.WorkRetry},
		{"sold, a reading asked for", order.Order{Run: ledger.Run{State: order.Sold, Next: now}, SoldAt: now, Asked: 1},
			order.WorkRead},
		{"to be voided", order.Order{Run: ledger.Run{State: order.Sold, Next: now}, SoldAt: now, Void: true},
			order.WorkRead},
		{"a watch", order.Order{Run: ledger.Run{State: order.Sold, Next: now}, SoldAt: now, Told: true,
			Watches: []time.Time{now}}, order.WorkRead},
		{"a watch of one never sold", order.Order{Run: ledger.Run{State: order.Cancelled, Next: now},
			Watches: []time.Time{now}}, order.WorkRead},
		{"to be told", order.Order{Run: ledger.Run{State: order.Sold, Next: now}, SoldAt: now}, order.WorkTell},
		{"to be told before a watch", order.Order{Run: ledger.Run{State: order.Sold, Next: now}, SoldAt: now,
			Watches: []time.Time{now.Add(time.Hour)}}, order.WorkTell},
		{"to be told once more", order.Order{Run: ledger.Run{State: order.Shipped, Next: now}, SoldAt: now, Told: true,
			Doubt: now}, order.WorkTell},
	} {
		if got := c.run.Work(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestDueOfAnyVersion: what is due is listed oldest first whatever its work, and
// entries of an earlier version, which do not say it, are listed among them.
func TestDueOfAnyVersion(t *testing.T) {
	store, err := table.Open("", table.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	l, now := order.NewBook(ledger.New(store)), time.Now().UTC().Truncate(time.Second)
	shard := int(tenant.Shard("t", ledger.Shards))
	var want []string
	for n := range 40 {
		at := now.Add(time.Duration(n-50) * time.Minute)
		r := &order.Order{Run: ledger.Run{Tenant: "t", ID: fmt.Sprint(100 + n), State: ledger.Waiting, Received: at,
			Next: at}}
		switch n % 4 {
		case 1:
			r.Failures = 1
		case 2:
			r.State, r.SoldAt, r.Asked = order.Sold, at, 1
		case 3:
			r.State, r.SoldAt = order.Sold, at
		}
		if _, err := l.Receive(t.Context(), r, []byte("{}")); err != nil {
			t.Fatal(err)
		}
		if n%5 == 0 { // as an earlier version left it
			items, err := store.Get(t.Context(), table.Key{PK: "T#t#order", SK: fmt.Sprintf("%020s", r.ID)})
			if err != nil || len(items) != 1 {
				t.Fatal(items, err)
			}
			items[0].Index = fmt.Sprintf("DUE#%d", shard)
			if err := store.Write(t.Context(), table.Replace(items[0])); err != nil {
				t.Fatal(err)
			}
		}
		want = append(want, r.ID)
	}
	var got []string
	if err := l.Due(t.Context(), shard, now,
		func(ref ledger.Ref) bool { got = append(got, ref.ID); return true }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %v", got)
	}
	some := 0
	if err := l.Due(t.Context(), shard, now, func(ref ledger.Ref) bool { some++; return some < 3 }); err != nil ||
		some != 3 {
		t.Errorf("%d listed: %v", some, err)
	}
	by := map[ledger.Work]int{}
	for _, w := range order.Works() {
		if err := l.DueWork(t.Context(), shard, w, now, func(refs []ledger.Ref) bool {
			for _, ref := range refs {
				if ref.Work != w || ref.Tenant != "t" || ref.Due.IsZero() {
					t.Errorf("%q: %+v", w, ref)
				}
			}
			by[w] += len(refs)
			return true
		}); err != nil {
			t.Fatal(err)
		}
	}
	if len(by) != 5 || by[""] != 8 || by[order.WorkTell] != 8 {
		t.Errorf("%v", by)
	}
	// The next write of an old run says it.
	r, err := l.Get(t.Context(), "t", "100")
	if err == nil {
		err = l.Update(t.Context(), r, func(*order.Order, *ledger.Extra) error { return nil })
	}
	old := 0
	if err == nil {
		err = l.DueWork(t.Context(), shard, "", now, func(refs []ledger.Ref) bool { old += len(refs); return true })
	}
	if err != nil || old != 7 {
		t.Errorf("%d old entries are left: %v", old, err)
	}
}

// TestParkedFor: a parked run says in the index whose key it waits for; one of an earlier version does not.
func TestParkedFor(t *testing.T) {
	store, err := table.Open("", table.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	l, now := order.NewBook(ledger.New(store)), time.Now().UTC()
	for id, needs := range map[string]tenant.System{"7": tenant.Upstock, "8": tenant.Cin7Core, "9": ""} {
		if _, err := l.Receive(t.Context(),
			&order.Order{Run: ledger.Run{Tenant: "t", ID: id, State: ledger.Waiting, Received: now, Parked: true,
				Needs: needs}}, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]tenant.System{}
	if err := l.Parked(t.Context(), "t",
		func(ref ledger.Ref) bool { got[ref.ID] = ref.Needs; return true }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got["7"] != tenant.Upstock || got["8"] != tenant.Cin7Core || got["9"] != "" {
		t.Errorf("%v", got)
	}
}
