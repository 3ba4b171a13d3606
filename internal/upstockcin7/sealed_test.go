package upstockcin7_test

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/vendor"
)

// orderWithoutKey delivers an order, and loses the sealing key before anybody works on it: its pointer is lost too, so
// that the sweep wakes it.
func (s *sender) orderWithoutKey() (id int, doc string) {
	w := s.w
	w.t.Helper()
	id, doc = s.order(twoLines)
	w.mu.Lock()
	w.armed, w.on = true, map[string]map[int]fault{"send orders": {1: before}}
	w.mu.Unlock()
	s.must(http.StatusAccepted, s.request(s.event(upstock.OrderApproved, doc)))
	another, err := tenant.NewBox(bytes.Repeat([]byte{9}, 32))
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	w.box = another
	w.mu.Unlock()
	return id, doc
}

// TestSealingKeyLost: an order that meets a lost sealing key waits, says why, and is sold once when new keys were
// saved.
func TestSealingKeyLost(t *testing.T) {
	inWorld(t, prepare(t), func(t *testing.T, w *world, s *sender) {
		ctx := context.Background()
		id, doc := s.orderWithoutKey()
		w.turn(30 * time.Minute)
		r := w.run(id)
		if r.State == order.Sold || !r.Parked || !strings.Contains(r.Why, "sealed with is lost or disabled") {
			t.Errorf("%s, parked %v: %s", r.State, r.Parked, r.Why)
		}
		vendors := w.vendorTable()
		for sys, cred := range map[tenant.System]vendor.Credentials{
			tenant.Upstock:  {Key: tenant.Secret(w.acc.Upstock.Token), WebhookSecret: s.secret},
			tenant.Cin7Core: w.coreKey(),
		} {
			if _, _, err := vendors.Connect(ctx, w.tenant, sys, cred); err != nil {
				t.Fatalf("%s: %v", sys, err)
			}
		}
		w.settle(id, horizon)
		s.right(strconv.Itoa(id), doc)
	})
}

// TestParksForALostSealingKeyOnly: a worker that met a lost sealing key, and is
// slow, parks nothing once the keys are saved again: the resumption is over by
// then, and nobody would set it going any more.
func TestParksForALostSealingKeyOnly(t *testing.T) {
	inWorld(t, prepare(t), func(t *testing.T, w *world, s *sender) {
		id, doc := s.orderWithoutKey()
		var slow atomic.Bool
		w.afterQuery = func(p *process) { // it has read the connections
			if p.name == "orders" && slow.CompareAndSwap(false, true) {
				time.Sleep(8 * time.Second)
			}
		}
		for n := 0; !slow.Load(); n++ {
			if n%60 == 0 {
				_ = w.sweep()
			}
			time.Sleep(time.Second)
		}
		w.connect(tenant.Upstock, vendor.Credentials{Key: tenant.Secret(w.acc.Upstock.Token), WebhookSecret: s.secret})
		w.connect(tenant.Cin7Core, w.coreKey())
		for _, sys := range []tenant.System{tenant.Upstock, tenant.Cin7Core} {
			if _, err := w.process("console").app.Tenants.Update(t.Context(), w.tenant, sys,
				func(c *tenant.Connection) error { c.Resume = time.Time{}; return nil }); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(20 * time.Second)
		if r := w.run(id); r.Parked || r.Attempts == 0 {
			t.Errorf("parked %t, %d attempts\n%s", r.Parked, r.Attempts, timeline(r))
		}
		w.settle(id, horizon)
		s.right(strconv.Itoa(id), doc)
	})
}
