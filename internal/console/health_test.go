package console

import (
	"testing"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/upstockcin7/order"
)

// TestCountsAttention: health counts every order that needs a person, as home does: one that is looked at again later,
// and one that is parked, too.
func TestCountsAttention(t *testing.T) {
	h := open(t)
	id, path, token := h.tenant("Aroha Foods")
	for n, change := range []func(*order.Order){
		func(*order.Order) {},
		func(o *order.Order) {
			o.Next, o.Watches = time.Now().Add(time.Hour), []time.Time{time.Now().Add(time.Hour)}
		},
		func(o *order.Order) { o.Parked = true },
		func(o *order.Order) { o.State = ledger.Waiting },
	} {
		var o order.Order
		o.Tenant, o.ID, o.State = id, string(rune('1'+n)), ledger.Attention
		change(&o)
		h.run(o)
	}
	if a := h.do("GET", path+"/health", token, nil).is(200); a.get("orders.attention") != 3.0 ||
		a.get("orders.parked") != 1.0 {
		t.Errorf("%v", a.get("orders"))
	}
	a := h.do("GET", path+"/orders/counts", token, nil).is(200)
	if a.get("items.0.state") != "received" || len(a.get("items").([]any)) != len(order.States()) {
		t.Errorf("%s", a.raw)
	}
}
