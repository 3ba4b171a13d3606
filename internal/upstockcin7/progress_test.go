package upstockcin7_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/mirror"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
)

// TestStoredConnection: a connection that the version before stored, with its progress in its own item, goes on: its
// mirror is not read again, its first orders and its webhooks are not looked at again.
func TestStoredConnection(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.checkHooks()
		begun := since()
		w.storeAsBefore()
		id, sale := w.sell(groceries)
		if calls := w.coreCalls(begun); slices.Contains(calls, "GET /me") || slices.Contains(calls, "GET /saleList") {
			t.Errorf("calls for an order: %q", calls)
		}
		w.person(sale, "ship", `{"trackingNumber":"T-1"}`)
		w.until(id, "T-1! shipped", 2*time.Minute)
		if items := w.progressItems(); len(items) != 1 || !strings.HasSuffix(items[0].SK, "#webhooks") {
			t.Errorf("a webhook came, and noted is %v", items)
		}
		h := hooksOf(w.connectionTo(tenant.Cin7Core))
		if h.State != upstockcin7.WebhooksOn || h.Heard.Before(begun.Add(-time.Hour)) {
			t.Errorf("webhooks: %+v", h)
		}
		c := w.connectionTo(tenant.Cin7Core)
		must[tenant.Connection](w)(w.pair().Tenants.Broken(t.Context(), w.tenant, c.System, c.Generation, "refused"))
		if _, _, err := w.vendorTable().Connect(t.Context(), w.tenant, tenant.Cin7Core, w.coreKey()); err != nil {
			t.Fatal(err)
		}
		if m := w.mirrored(); m.State != mirror.Ready || m.Ready.IsZero() {
			t.Errorf("after a new key: %+v", m)
		}
		w.turn(10 * time.Minute)
		if m := w.mirrored(); m.State != mirror.Ready || m.Ready.Before(begun) {
			t.Errorf("read again with a new key: %+v", m)
		}
	})
}

// progressItems are what is noted beside the tenant's connections.
func (w *world) progressItems() []table.Item {
	w.t.Helper()
	q := table.Query{PK: tenant.Partition(w.tenant), From: "progress#", Until: "progress$"}
	return must[table.Page](w)(w.store.Query(w.t.Context(), q)).Items
}

// storeAsBefore puts the connection to Cin7 Core as the version before stored it.
func (w *world) storeAsBefore() {
	w.t.Helper()
	key := table.Key{PK: tenant.Partition(w.tenant), SK: "conn#cin7core"}
	it := must[table.Item](w)(table.Read(w.t.Context(), w.store, key))
	var doc map[string]any
	if err := json.Unmarshal(it.Data, &doc); err != nil {
		w.t.Fatal(err)
	}
	c := w.connectionTo(tenant.Cin7Core)
	doc["mirror"], doc["webhooks"], doc["checked"] = w.mirrored(), hooksOf(c), upstockcin7.LookedUp.Of(c)
	it.Data = must[[]byte](w)(json.Marshal(doc))
	ops := []table.Op{table.Replace(it)}
	for _, it := range w.progressItems() {
		ops = append(ops, table.Remove(it))
	}
	if err := w.store.Write(w.t.Context(), ops...); err != nil {
		w.t.Fatal(err)
	}
}
