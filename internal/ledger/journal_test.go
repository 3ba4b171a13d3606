package ledger_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// A visit is a made-up business fact.
type visit struct {
	ledger.Run
	Host   string   `json:"host,omitempty"`
	Rooms  []string `json:"rooms,omitempty"`
	Guests int      `json:"guests,omitempty"`
}

const (
	over     ledger.State = "over"
	workMeet ledger.Work  = "meet"
)

func (v *visit) Copy() *visit {
	c := *v
	c.Rooms = slices.Clone(v.Rooms)
	return &c
}

func (v *visit) Resting() bool       { return v.State == over || v.State == ledger.Attention }
func (v *visit) Work() ledger.Work   { return workMeet }
func (v *visit) Names() ledger.Names { return ledger.Names{Party: v.Host} }

type visits = ledger.Journal[visit, *visit]

// visitsOf opens a journal of a kind of that name.
func visitsOf(l *ledger.Ledger, name string) *visits {
	return ledger.NewJournal[visit](l, ledger.Kind{
		Name:   name,
		States: []ledger.State{ledger.Received, ledger.Working, ledger.Waiting, ledger.Attention, over},
		Works:  []ledger.Work{workMeet},
		IsID:   func(id string) bool { return strings.HasPrefix(id, "v") },
	})
}

func openFile(t *testing.T) *table.File {
	t.Helper()
	store, err := table.Open("", table.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// seen is what a journal's lists show of one tenant, in short.
func seen(t *testing.T, j *visits, now time.Time) string {
	t.Helper()
	ctx := t.Context()
	var b strings.Builder
	refs := func(what string, list func(yield func(ledger.Ref) bool) error) {
		fmt.Fprintf(&b, "%s:", what)
		if err := list(func(r ledger.Ref) bool { fmt.Fprintf(&b, " %s", r.ID); return true }); err != nil {
			t.Error(err)
		}
		b.WriteString("\n")
	}
	refs("due", func(yield func(ledger.Ref) bool) error {
		for shard := range ledger.Shards {
			if err := j.Due(ctx, shard, now, yield); err != nil {
				return err
			}
		}
		return nil
	})
	refs("to meet", func(yield func(ledger.Ref) bool) error {
		return j.DueWork(ctx, int(tenant.Shard("t", ledger.Shards)), workMeet, now, func(refs []ledger.Ref) bool {
			return !slices.ContainsFunc(refs, func(r ledger.Ref) bool { return !yield(r) })
		})
	})
	refs("parked", func(yield func(ledger.Ref) bool) error { return j.Parked(ctx, "t", yield) })
	refs("awaiting", func(yield func(ledger.Ref) bool) error { return j.AwaitedRuns(ctx, "t", "acme:7", yield) })
	refs("attention", func(yield func(ledger.Ref) bool) error { return j.NeedAttention(ctx, "t", yield) })
	runs := func(what string, page ledger.Listing[*visit], err error) {
		fmt.Fprintf(&b, "%s:", what)
		for _, v := range page.Runs {
			fmt.Fprintf(&b, " %s", v.ID)
		}
		if b.WriteString("\n"); err != nil {
			t.Error(err)
		}
	}
	list, _, err := j.Runs(ctx, "t", "", 10)
	runs("all", ledger.Listing[*visit]{Runs: list}, err)
	page, err := j.InState(ctx, "t", ledger.Waiting, "", 10)
	runs("waiting", page, err)
	page, err = j.Find(ctx, "t", "ridge", "", 10, func(*visit) bool { return true })
	runs("found", page, err)
	n, err := j.CountIn(ctx, "t", over)
	all, derr := j.DueOf(ctx, "t", now, 10)
	if fmt.Fprintf(&b, "over: %d, due: %d, later: %d\n", n, all.Due, all.Waiting); err != nil || derr != nil {
		t.Error(err, derr)
	}
	return b.String()
}

// stages are visits in each place that a journal has for runs.
func stages(now time.Time) []*visit {
	at := func(id string, change func(*visit)) *visit {
		run := ledger.Run{Tenant: "t", ID: id, State: ledger.Waiting, Received: now.Add(-time.Hour)}
		v := &visit{Run: run, Host: "Ridge"}
		change(v)
		return v
	}
	return []*visit{
		at("v1", func(v *visit) { v.Next = now.Add(-time.Minute) }),
		at("v2", func(v *visit) { v.Next = now.Add(time.Minute) }),
		at("v3", func(v *visit) { v.Parked, v.Needs = true, tenant.Upstock }),
		at("v4", func(v *visit) { v.Parked, v.Awaits = true, "acme:7" }),
		at("v5", func(v *visit) { v.State = ledger.Attention }),
		at("v6", func(v *visit) { v.State = over }),
		at("v7", func(v *visit) { v.State, v.Host = ledger.Received, "Vale" }), // in sight without a due time
	}
}

const full = `due: v7 v1
to meet: v7 v1
parked: v3
awaiting: v4
attention: v5
all: v7 v6 v5 v4 v3 v2 v1
waiting: v1 v2 v4 v3
found: v6 v5 v4 v3 v2 v1
over: 1, due: 2, later: 1
`

// TestKindsDoNotMeet: whatever a journal lists, counts or finds is of its own kind, though another kind has runs of the
// same tenant and of the same ids. Orders stand where they stood when they were the only kind.
func TestKindsDoNotMeet(t *testing.T) {
	for _, names := range [][2]string{{"order", "visit"}, {"visit", "order"}, {"visit", "tour"}} {
		store := openFile(t)
		l, now := ledger.New(store), time.Now().UTC()
		one, other := visitsOf(l, names[0]), visitsOf(l, names[1])
		empty := seen(t, other, now)
		for _, v := range stages(now) {
			if _, err := one.Receive(t.Context(), v, []byte("the first of "+v.ID)); err != nil {
				t.Fatal(err)
			}
		}
		if got := seen(t, one, now); got != full {
			t.Errorf("%s: %s\nwant %s", names[0], got, full)
		}
		if got := seen(t, other, now); got != empty {
			t.Errorf("%s shows what is of %s: %s", names[1], names[0], got)
		}
		for _, v := range stages(now) {
			if _, err := other.Receive(t.Context(), v, []byte("the second of "+v.ID)); err != nil {
				t.Fatalf("of another kind, and the same id: %v", err)
			}
		}
		for i, j := range []*visits{one, other} {
			if got := seen(t, j, now); got != full {
				t.Errorf("%s beside %s: %s", names[i], names[1-i], got)
			}
			v, body, _, err := j.Load(t.Context(), "t", "v1")
			want := fmt.Sprintf("the %s of v1", [...]string{"first", "second"}[i])
			if err != nil || string(body) != want {
				t.Errorf("%s %s: %v", v.ID, body, err)
			}
		}
	}
}

// TestKindsPlaces: in which partitions the runs of a kind stand.
func TestKindsPlaces(t *testing.T) {
	now := time.Now().UTC()
	shard := tenant.Shard("t", ledger.Shards)
	for kind, scope := range map[string]string{"order": "", "visit": "visit#"} {
		store := openFile(t)
		j := visitsOf(ledger.New(store), kind)
		due := fmt.Sprintf("DUE#%s%d#meet", scope, shard)
		places := map[string]string{
			"v1": due, "v2": due, "v3": "PARKED#" + scope + "t", "v4": "PARKED#" + scope + "t#acme:7",
			"v5": "ATTENTION#" + scope + "t", "v6": "", "v7": due,
		}
		for _, v := range stages(now) {
			if _, err := j.Receive(t.Context(), v, nil); err != nil {
				t.Fatal(err)
			}
			items, err := store.Get(t.Context(), table.Key{PK: "T#t#" + kind, SK: fmt.Sprintf("%020s", v.ID)})
			if err != nil || len(items) != 1 {
				t.Fatal(items, err)
			}
			if it := items[0]; it.Index != places[v.ID] || it.Group != "T#t#list#"+scope+string(v.State) {
				t.Errorf("%s %s stands at %q and %q", kind, v.ID, it.Index, it.Group)
			}
		}
		words := "T#t#" + strings.TrimSuffix("find#"+scope, "#")
		if p, err := store.Query(t.Context(), table.Query{PK: words}); err != nil || len(p.Items) != 7 {
			t.Errorf("%d words at %s: %v", len(p.Items), words, err)
		}
	}
}

// TestChangedOnANewerCopy: a change that met another one is made again, on a copy of what that one left. The run that
// it began with shares nothing with the copy.
func TestChangedOnANewerCopy(t *testing.T) {
	j := visitsOf(ledger.New(openFile(t)), "visit")
	run := ledger.Run{Tenant: "t", ID: "v1", State: ledger.Waiting, Received: time.Now()}
	mine := &visit{Run: run, Rooms: []string{"hall"}}
	mine.Say("Come in.")
	if _, err := j.Receive(t.Context(), mine, nil); err != nil {
		t.Fatal(err)
	}
	theirs, err := j.Get(t.Context(), "t", "v1")
	if err == nil {
		err = j.Update(t.Context(), theirs, func(v *visit, _ *ledger.Extra) error { v.Guests = 2; return nil })
	}
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	err = j.Update(t.Context(), mine, func(v *visit, _ *ledger.Extra) error {
		calls++
		v.Rooms[0], v.Said[0] = "attic", "Go up."
		if v == mine || mine.Rooms[0] != "hall" || mine.Said[0] != "Come in." {
			t.Errorf("call %d writes to what it was given: %+v", calls, mine)
		}
		return nil
	})
	if err != nil || calls != 2 || mine.Guests != 2 || mine.Rooms[0] != "attic" || mine.Said[0] != "Go up." {
		t.Errorf("after %d calls: %+v, %v", calls, mine, err)
	}
	stopped := errors.New("no")
	err = j.Update(t.Context(), mine, func(v *visit, _ *ledger.Extra) error { v.Guests = 3; return stopped })
	again, gerr := j.Get(t.Context(), "t", "v1")
	if err != stopped || gerr != nil || again.Guests != 2 || mine.Guests != 2 {
		t.Errorf("%v: %+v", err, again)
	}
	if _, err := j.Receive(t.Context(), &visit{Run: ledger.Run{Tenant: "t", ID: "v1"}}, nil); err != ledger.ErrExists {
		t.Errorf("received once more: %v", err)
	}
	_, err = j.Get(t.Context(), "t", "v2")
	if !errors.Is(err, ledger.ErrNotFound) || err.Error() != `visit "v2": not found` {
		t.Errorf("%v", err)
	}
}

// TestContinuationsOfAKind: what no id of the kind could have ended a page with continues none.
func TestContinuationsOfAKind(t *testing.T) {
	k := visitsOf(ledger.New(openFile(t)), "visit").Kind()
	for after, want := range map[string]bool{
		fmt.Sprintf("%020s", "v1"): true, fmt.Sprintf("%020s", "7"): false, "v1": false, "": false,
	} {
		if got := k.IsRunsAfter(after); got != want {
			t.Errorf("%q: %t", after, got)
		}
	}
}
