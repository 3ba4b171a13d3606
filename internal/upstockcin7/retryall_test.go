package upstockcin7_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"stockbridge/internal/upstockcin7/order"
)

// TestRetryAllBreaksOff: where the table fails amid many retries, those that were made are told of in one event.
func TestRetryAllBreaksOff(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		const unknown = `{"lines":[{"sku":"NONE-1","name":"No such thing"}]}`
		for range 3 {
			w.settle(w.approve(unknown), horizon)
		}
		asked, hit := 0, map[string]bool{}
		n, err := w.pair().RetryAll(t.Context(), w.tenant, func(*order.Order) bool {
			if asked++; asked == 2 {
				synctest.Wait() // nobody works on the first any more
				w.arm(spoil{"write T#" + w.tenant + "#order", 1}, spell, hit)
			}
			return true
		})
		w.disarm()
		if n != 1 || err == nil || len(hit) != 1 {
			t.Fatalf("%d retried, error %v, %v", n, err, hit)
		}
		if said := w.eventTexts("retry"); !slices.Equal(said, []string{"1 order was retried."}) {
			t.Errorf("the events: %q", said)
		}
	})
}
