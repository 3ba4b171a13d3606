package order_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/table"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstockcin7/order"
)

// sold is a run that is sold, written down.
func sold(t *testing.T) (*order.Book, *order.Order) {
	t.Helper()
	store, err := table.Open("", table.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	l, now := order.NewBook(ledger.New(store)), time.Now().UTC()
	r := &order.Order{Run: ledger.Run{Tenant: "t", ID: "7", State: order.Sold, Received: now}, SoldAt: now, Told: true}
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
		if err := l.Update(t.Context(), r, func(r *order.Order, _ *ledger.Extra) error {
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

// TestThousandRetries: a run that made and voided a sale at each of a thousand
// retries is written in 100 KB, knows its newest intents, and counts the others.
func TestThousandRetries(t *testing.T) {
	testsize.Unraced(t)
	l, r := sold(t)
	now, largest, rounds := time.Now(), 0, 1000
	for n := range rounds {
		now = now.Add(time.Minute)
		id := fmt.Sprintf("%08d-5aeb-4dd8-baab-e246d121ff44", n)
		if err := l.Update(t.Context(), r, func(r *order.Order, _ *ledger.Extra) error {
			create := r.Intent(r.Intend(order.StepCreate, now, now.Add(20*time.Second), ""), order.StepCreate)
			create.Answer, create.Target, create.Label = ledger.Done, id, fmt.Sprint("SO-", n)
			r.Intent(r.Intend(order.StepLines, now, now.Add(20*time.Second), id),
				order.StepLines).Answer = ledger.Refused
			r.Intent(r.Intend(order.StepVoid, now, now.Add(20*time.Second), id), order.StepVoid).Answer = ledger.Done
			r.Voided = append(r.Voided, id)
			for _, what := range []string{"Cin7 Core made the sale SO-%d.",
				"The lines of SO-%d were refused: the empty sale was voided.",
				"Needs attention: Cin7 Core refused the lines of SO-%d.", "Retried by a person, %d."} {
				r.Note(now, what, n)
			}
			for _, path := range []string{"/sale", "/sale/order", "/saleList?ExternalID=upstock%3A1%3A7",
				"/sale?ID=" + id, "/sale?Void=true&ID=" + id} {
				r.Record(ledger.Exchange{At: now, System: "cin7core", Method: "POST", Path: path, Status: 200,
					Outcome: "done"})
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		largest = max(largest, len(data))
		if last := r.Intents[len(r.Intents)-1]; last.Seq != 3*(n+1) || len(r.Intents)+r.Past.Intents != last.Seq ||
			len(r.Intents) > 80 {
			t.Fatalf("round %d: %d intents are kept, %d gone, the newest is %d", n, len(r.Intents), r.Past.Intents,
				last.Seq)
		}
	}
	creates := r.Past.Creates + len(r.Of(order.StepCreate, ledger.Done))
	if voids := r.Past.Voids + len(r.Of(order.StepVoid, ledger.Done)); creates != rounds || voids != rounds {
		t.Errorf("%d creates and %d voids are counted", creates, voids)
	}
	if largest > 100_000 { // before they are packed
		t.Errorf("the run grew to %d bytes", largest)
	}
	t.Logf("%d bytes at most, before they are packed", largest)
	// A worker that learns only now what became of its create, long dropped, writes it down all the same.
	i := r.Intent(1, order.StepCreate)
	if i.Answer, i.Target = ledger.Done,
		"late"; r.Intents[0].Target != "late" || len(r.Intents)+r.Past.Intents != 3*rounds || r.Last() != 3*rounds {
		t.Errorf("%+v, %d and %d", r.Intents[0], len(r.Intents), r.Past.Intents)
	}
}

// TestLongNotes: what is noted of an order of very many lines, again and again,
// never outgrows an item of the table.
func TestLongNotes(t *testing.T) {
	testsize.Unraced(t)
	l, r := sold(t)
	for n := range 12 {
		if err := l.Update(t.Context(), r, func(r *order.Order, _ *ledger.Extra) error {
			r.Note(time.Now(), "Look %d: %s", n, strings.Repeat("SLT-FLK: 0 of 3 picked. ", 2000))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if last := r.Timeline[len(r.Timeline)-1].Text; !strings.HasPrefix(last, fmt.Sprintf("Look %d: SLT-FLK", 11)) ||
		!strings.HasSuffix(last, "…") {
		t.Errorf("%.60s", last)
	}
}
