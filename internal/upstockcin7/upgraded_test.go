package upstockcin7_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/ledger"
	"stockbridge/internal/sim"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/vendor"
)

// The table in testdata/journal.db.gz and the vendors in testdata/journal.sim.gz are those of one instant. The last
// version whose orders were the ledger's own runs wrote them, and stopped there.
const journalTenant = "a3qyfacjftf2o27i"

// journalAt is that instant, reckoned from the beginning of a bubble.
const journalAt = 28*time.Minute + 32*time.Second

// journalOrders are the orders of the table: the stage at which each stood, and its end.
var journalOrders = []struct {
	id    int
	stage string
	end   func(w *world, id int)
}{
	{120001, "sold", isSold},
	{120002, "shipped", isShipped("T-2! shipped")},
	{120003, "partlyShipped", func(w *world, id int) {
		w.is(id, order.PartlyShipped, "T-3 processing")
		w.person(w.sale(id).ID, "ship", `{"boxes":["B"],"trackingNumber":"T-3B"}`)
		w.poll()
		w.is(id, order.Shipped, "T-3 T-3B! shipped")
	}},
	{120004, "attention", func(w *world, id int) { w.attention(id, "unknownSku", "NO-SUCH") }},
	{120005, "cancelled, its sale voided", isCancelled},
	{120006, "attention, its lines refused and its header voided", func(w *world, id int) {
		w.attention(id, "refused", "GRN-TST")
		w.retry(id, true)
		w.soldAnew(id, 1)
	}},
	{120007, "sold, its sale found by a look", isSold},
	{120008, "sold, not picked for want of stock", func(w *world, id int) {
		if r := w.run(id); r.State != order.Sold || len(r.Unpicked) == 0 || r.AutoPick == "" {
			w.t.Errorf("%+v", r)
		}
	}},
	{120009, "cancelled, never sold", isCancelled},
	{120016, "sold, a twin watched for", isSold},
	{120017, "received, its pointer lost", isSold},
	{120018, "create unanswered, made", isSold},
	{120019, "create unanswered, not made", isSold},
	{120020, "header without lines", isSold},
	{120021, "lines unanswered, made", isSold},
	{120022, "its worker died after the create", isSold},
	{120023, "sold, not told", isSold},
	{120010, "sold, a reading is due", isShipped("T-M! shipped")},
	{120011, "sold, its shipment not told", isShipped("T-K! shipped")},
	{120012, "sold, its shipment in doubt", isShipped("T-D! shipped")},
	{120013, "sold, cancelled, Upstock not asked yet", isCancelled},
	{120014, "sold, cancelled, its void unanswered", isCancelled},
	{120024, "sold, parked until a new key", isSold},
	{120025, "waiting for calls", isSold},
}

func isSold(w *world, id int) {
	w.t.Helper()
	if r := w.sold(id); r.State != order.Sold || !r.Finished() || len(w.sales(id)) != 1 {
		w.t.Errorf("%+v\n%s", r, timeline(r))
	}
}

func isShipped(tracks string) func(*world, int) {
	return func(w *world, id int) {
		w.t.Helper()
		if r := w.is(id, order.Shipped, tracks); !r.Finished() {
			w.t.Errorf("%+v\n%s", r, timeline(r))
		}
	}
}

func isCancelled(w *world, id int) {
	w.t.Helper()
	if r := w.run(id); r.State != order.Cancelled || !r.Finished() || len(w.live(id)) > 0 {
		w.t.Errorf("%+v, sales %+v\n%s", r, w.live(id), timeline(r))
	}
}

// unpacked writes a packed file of testdata where a test may change it.
func unpacked(t *testing.T, name, path string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := gzip.NewReader(bytes.NewReader(data))
	if err == nil {
		data, err = io.ReadAll(plain)
	}
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// journal opens the table and the vendors of before, at the instant at which they stopped.
func journal(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	testsize.Sampled(t)
	testsize.OneSize(t)
	alone(t)
	b, err := makeBase()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	unpacked(t, "journal.db.gz", filepath.Join(dir, "journal.db"))
	unpacked(t, "journal.sim.gz", filepath.Join(dir, "sim.jsonl"))
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(journalAt)
		was := &base{file: filepath.Join(dir, "journal.db"), tenant: journalTenant, box: b.box}
		w := newWorldOf(t, was, filepath.Join(dir, "now.db"), sim.Options{Dir: dir})
		w.acc = w.sim.Accounts()[0]
		defer w.close()
		defer time.Sleep(10 * time.Minute)
		f(t, w)
	})
}

// TestUpgradedJournal: orders that the version before wrote, each at another stage of its way, go on and end right.
func TestUpgradedJournal(t *testing.T) {
	journal(t, func(t *testing.T, w *world) {
		w.revokeUpstock(false)
		w.connect(tenant.Upstock, vendor.Credentials{Key: tenant.Secret(w.acc.Upstock.Token)})
		w.turn(20 * time.Minute)
		w.poll()
		w.turn(100 * time.Minute)
		for _, o := range journalOrders {
			t.Log(o.id, o.stage)
			o.end(w, o.id)
		}
	})
}

// TestJournalStaysAsItIs: an order that the version before wrote is written with the same fields, names and values, at
// the same places in the indexes.
func TestJournalStaysAsItIs(t *testing.T) {
	journal(t, func(t *testing.T, w *world) {
		ctx, book := t.Context(), order.NewBook(ledger.New(w.store))
		fields := map[string]bool{}
		for _, o := range journalOrders {
			was := w.item(o.id)
			r, err := book.Get(ctx, w.tenant, strconv.Itoa(o.id))
			if err == nil {
				err = book.Update(ctx, r, func(*order.Order, *ledger.Extra) error { return nil })
			}
			if err != nil {
				t.Fatal(err)
			}
			is := w.item(o.id)
			if is.Index != was.Index || is.Sort != was.Sort || is.Group != was.Group || is.Order != was.Order {
				t.Errorf("order %d, %s: stands at %s %s and %s %s, stood at %s %s and %s %s", o.id, o.stage,
					is.Index, is.Sort, is.Group, is.Order, was.Index, was.Sort, was.Group, was.Order)
			}
			before := stored(t, was)
			if diff := cmp.Diff(before, stored(t, is)); diff != "" {
				t.Errorf("order %d, %s: %s", o.id, o.stage, diff)
			}
			for name := range before {
				fields[name] = true
			}
		}
		if len(fields) < 50 {
			t.Errorf("the orders have only these fields: %v", slices.Sorted(maps.Keys(fields)))
		}
	})
}

// item is an order as it is stored.
func (w *world) item(id int) table.Item {
	w.t.Helper()
	items, err := w.store.Get(w.t.Context(), table.Key{PK: "T#" + w.tenant + "#order", SK: padded(id)})
	if err != nil || len(items) != 1 {
		w.t.Fatal(items, err)
	}
	return items[0]
}

func padded(id int) string {
	const zeros = "00000000000000000000"
	text := strconv.Itoa(id)
	return zeros[len(text):] + text
}

// stored are the fields of an item.
func stored(t *testing.T, it table.Item) (fields map[string]any) {
	t.Helper()
	var raw json.RawMessage
	err := table.Unmarshal(it.Data, &raw)
	if err == nil {
		err = json.Unmarshal(raw, &fields)
	}
	if err != nil {
		t.Fatal(err)
	}
	return fields
}
