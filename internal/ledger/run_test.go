package ledger_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/table"
)

// sold is a run that is sold, written down.
func sold(t *testing.T) (*ledger.Ledger, *ledger.Run) {
	t.Helper()
	store, err := table.Open("", table.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	l, now := ledger.New(store), time.Now().UTC()
	r := &ledger.Run{Tenant: "t", ID: "7", State: ledger.Sold, Received: now, SoldAt: now, Told: true}
	if _, err := l.Receive(t.Context(), r, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	return l, r
}

// TestMarkedWhileAPersonsMatter: a look that was asked for at the very end of
// the work on an order that needs attention is due all the same.
func TestMarkedWhileAPersonsMatter(t *testing.T) {
	l, r := sold(t)
	for _, asked := range []int{0, 1} {
		if err := l.Update(t.Context(), r, func(r *ledger.Run, _ *ledger.Extra) error {
			r.State, r.Asked, r.Next = ledger.Attention, asked, time.Time{}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		due, attention := 0, 0
		for shard := range ledger.Shards {
			if err := l.Due(t.Context(), shard, time.Now(), func(ledger.Ref) bool { due++; return true }); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.NeedAttention(t.Context(), "t", func(ledger.Ref) bool { attention++; return true }); err != nil {
			t.Fatal(err)
		}
		if due != asked || attention != 1-asked {
			t.Errorf("asked %d: %d due, %d a person's", asked, due, attention)
		}
	}
}

// TestLongNotes: what is noted of an order of very many lines, again and again,
// never outgrows an item of the table.
func TestLongNotes(t *testing.T) {
	l, r := sold(t)
	for n := range 12 {
		if err := l.Update(t.Context(), r, func(r *ledger.Run, _ *ledger.Extra) error {
			r.Note(time.Now(), "Look %d: %s", n, strings.Repeat("SLT-FLK: 0 of 3 picked. ", 2000))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if last := r.Timeline[len(r.Timeline)-1].Text; !strings.HasPrefix(last, fmt.Sprintf("Look %d: SLT-FLK", 11)) || !strings.HasSuffix(last, "…") {
		t.Errorf("%.60s", last)
	}
}
