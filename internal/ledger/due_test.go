package ledger_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// TestWork: what a run's due time is for.
func TestWork(t *testing.T) {
	now := time.Now()
	create := []ledger.Intent{{Seq: 1, Step: ledger.StepCreate}}
	refused := []ledger.Intent{{Seq: 1, Step: ledger.StepCreate, Answer: ledger.Refused}}
	for _, c := range []struct {
		name string
		run  ledger.Run
		want ledger.Work
	}{
		{"new", ledger.Run{State: ledger.Received}, ledger.WorkSell},
		{"waits for the budget", ledger.Run{State: ledger.Waiting}, ledger.WorkSell},
		{"refused, and put right", ledger.Run{State: ledger.Waiting, Intents: refused}, ledger.WorkSell},
		{"failed", ledger.Run{State: ledger.Waiting, Failures: 1}, ledger.WorkRetry},
		{"broke off", ledger.Run{State: ledger.Working, Dead: 1}, ledger.WorkRetry},
		{"a create is on record", ledger.Run{State: ledger.Working, Intents: create}, ledger.WorkRetry},
		{"sold, a look asked for", ledger.Run{State: ledger.Sold, SoldAt: now, Asked: 1, Next: now}, ledger.WorkLook},
		{"to be voided", ledger.Run{State: ledger.Sold, SoldAt: now, Void: true, Next: now}, ledger.WorkLook},
		{"a watch", ledger.Run{State: ledger.Sold, SoldAt: now, Told: true, Next: now, Watches: []time.Time{now}}, ledger.WorkLook},
		{"a watch of one never sold", ledger.Run{State: ledger.Cancelled, Next: now, Watches: []time.Time{now}}, ledger.WorkLook},
		{"to be told", ledger.Run{State: ledger.Sold, SoldAt: now, Next: now}, ledger.WorkTell},
		{"to be told before a watch", ledger.Run{State: ledger.Sold, SoldAt: now, Next: now, Watches: []time.Time{now.Add(time.Hour)}}, ledger.WorkTell},
		{"to be told once more", ledger.Run{State: ledger.Shipped, SoldAt: now, Told: true, Next: now, Doubt: now}, ledger.WorkTell},
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
	l, now := ledger.New(store), time.Now().UTC().Truncate(time.Second)
	shard := int(tenant.Shard("t", ledger.Shards))
	var want []string
	for n := range 40 {
		at := now.Add(time.Duration(n-50) * time.Minute)
		r := &ledger.Run{Tenant: "t", ID: fmt.Sprint(100 + n), State: ledger.Waiting, Received: at, Next: at}
		switch n % 4 {
		case 1:
			r.Failures = 1
		case 2:
			r.State, r.SoldAt, r.Asked = ledger.Sold, at, 1
		case 3:
			r.State, r.SoldAt = ledger.Sold, at
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
	if err := l.Due(t.Context(), shard, now, func(ref ledger.Ref) bool { got = append(got, ref.ID); return true }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %v", got)
	}
	some := 0
	if err := l.Due(t.Context(), shard, now, func(ref ledger.Ref) bool { some++; return some < 3 }); err != nil || some != 3 {
		t.Errorf("%d listed: %v", some, err)
	}
	by := map[ledger.Work]int{}
	for _, w := range ledger.Works() {
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
	if len(by) != 5 || by[""] != 8 || by[ledger.WorkTell] != 8 {
		t.Errorf("%v", by)
	}
	// The next write of an old run says it.
	r, err := l.Get(t.Context(), "t", "100")
	if err == nil {
		err = l.Update(t.Context(), r, func(*ledger.Run, *ledger.Extra) error { return nil })
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
	l, now := ledger.New(store), time.Now().UTC()
	for id, needs := range map[string]tenant.System{"7": tenant.Upstock, "8": tenant.Cin7Core, "9": ""} {
		if _, err := l.Receive(t.Context(), &ledger.Run{Tenant: "t", ID: id, State: ledger.Waiting, Received: now, Parked: true, Needs: needs}, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]tenant.System{}
	if err := l.Parked(t.Context(), "t", func(ref ledger.Ref) bool { got[ref.ID] = ref.Needs; return true }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got["7"] != tenant.Upstock || got["8"] != tenant.Cin7Core || got["9"] != "" {
		t.Errorf("%v", got)
	}
}
