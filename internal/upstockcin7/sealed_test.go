package upstockcin7_test

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7"
)

// TestSealingKeyLost: an order that meets a lost sealing key waits, says why, and is sold once when new keys were saved.
func TestSealingKeyLost(t *testing.T) {
	inWorld(t, prepare(t), func(t *testing.T, w *world, s *sender) {
		ctx := context.Background()
		id, doc := s.order(twoLines)
		w.mu.Lock() // its pointer is lost: the sweep wakes it when the key is gone
		w.armed, w.on = true, map[string]map[int]fault{"send orders": {1: before}}
		w.mu.Unlock()
		s.must(http.StatusAccepted, s.request(s.event(upstock.OrderApproved, doc)))
		box, err := tenant.NewBox(bytes.Repeat([]byte{9}, 32))
		if err != nil {
			t.Fatal(err)
		}
		w.mu.Lock()
		w.box = box
		w.mu.Unlock()
		w.turn(30 * time.Minute)
		r := w.run(id)
		if r.State == ledger.Sold || !r.Parked || !strings.Contains(r.Why, "sealed with is lost or disabled") {
			t.Errorf("%s, parked %v: %s", r.State, r.Parked, r.Why)
		}
		pair := w.process("console").app.Pair
		for sys, cred := range map[tenant.System]upstockcin7.Credentials{
			tenant.Upstock: {Key: tenant.Secret(w.acc.Upstock.Token), Webhook: s.secret}, tenant.Cin7Core: w.coreKey(),
		} {
			if _, _, err := pair.Connect(ctx, w.tenant, sys, cred); err != nil {
				t.Fatalf("%s: %v", sys, err)
			}
		}
		w.settle(id, horizon)
		s.right(strconv.Itoa(id), doc)
	})
}
