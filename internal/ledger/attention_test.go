package ledger_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/table"
)

// TestInNeed: a tenant is marked by the write with which a run comes to need a person, however many there are, and a
// look takes the mark away once none does.
func TestInNeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, ctx := openFile(t), t.Context()
		j := visitsOf(ledger.New(store), "visit")
		check := func(when string, want ...string) {
			t.Helper()
			got, _, err := j.InNeed(ctx, "", 10)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v, %v", when, got, want, err)
			}
			marked, err := j.Marked(ctx, []string{"acme", "zenith"})
			if err != nil || len(marked) != len(want) {
				t.Errorf("%s: marked %v, %v", when, marked, err)
			}
		}
		set := func(tenant, id string, s ledger.State) {
			t.Helper()
			v, err := j.Get(ctx, tenant, id)
			if err != nil {
				t.Fatal(err)
			}
			if err := j.Update(ctx, v, func(v *visit, _ *ledger.Extra) error {
				v.State, v.Next = s, time.Time{}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		look := func(tenant string) {
			t.Helper()
			if err := j.Look(ctx, tenant); err != nil {
				t.Fatal(err)
			}
		}
		for _, of := range [][2]string{{"acme", "v1"}, {"acme", "v2"}, {"zenith", "v1"}} {
			v := &visit{Run: ledger.Run{Tenant: of[0], ID: of[1], State: ledger.Received, Received: time.Now()}}
			if _, err := j.Receive(ctx, v, nil); err != nil {
				t.Fatal(err)
			}
		}
		check("all go on")
		set("acme", "v1", ledger.Attention)
		check("one", "acme")
		set("acme", "v2", ledger.Attention)
		set("zenith", "v1", ledger.Attention)
		check("all", "acme", "zenith")
		if got, _, err := j.InNeed(ctx, "acme", 10); err != nil || !slices.Equal(got, []string{"zenith"}) {
			t.Errorf("after the first: %v, %v", got, err)
		}
		set("acme", "v1", over)
		time.Sleep(time.Hour)
		look("acme")
		check("one of two is through", "acme", "zenith")
		set("acme", "v2", over)
		set("acme", "v1", ledger.Attention)
		set("acme", "v1", over)
		look("acme") // at once: the index may not show yet who needs somebody
		check("not looked at too soon", "acme", "zenith")
		if n, err := j.CountAttention(ctx, "acme", 10); n != 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		time.Sleep(time.Hour)
		look("acme")
		check("through", "zenith")

		// A mark that an earlier version did not put down.
		if err := table.Erase(ctx, store, "T#zenith#doc", nil); err != nil {
			t.Fatal(err)
		}
		check("an earlier version")
		look("zenith")
		check("looked at", "zenith")
		if other, _, err := visitsOf(ledger.New(store), "stay").InNeed(ctx, "", 10); err != nil || len(other) != 0 {
			t.Errorf("of another kind: %v, %v", other, err)
		}
	})
}
