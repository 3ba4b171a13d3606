package upstockcin7_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/sim"
	simcin7core "stockbridge/internal/sim/cin7core"
	simupstock "stockbridge/internal/sim/upstock"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/vendor"
)

// An order of the table in testdata/earlier.db.gz, which the version before runs
// knew their supplier wrote, stopped in the middle of its work: 14 orders of one
// tenant, each at another point of the way.
type earlier struct {
	id    int
	stage string
	has   string // what its creates left in Cin7 Core: "", header, lines
	told  bool   // Upstock shows the sale's number
	lost  bool   // no envelope and no plan says whose it is
}

const (
	earlierTenant = "f4vqk5wmu7nizjct"
	earlierCore   = "8654c298-21e6-494c-a68c-35b1e55619f4"
)

var earlierOrders = []earlier{
	{id: 120001, stage: "sold", has: "lines", told: true},
	{id: 120002, stage: "shipped", has: "lines", told: true},
	{id: 120003, stage: "found by reconcile, sold", has: "lines", told: true},
	{id: 120004, stage: "found by reconcile", lost: true},
	{id: 120005, stage: "received"},
	{id: 120006, stage: "the sale refused by a 503"},
	{id: 120007, stage: "the sale unanswered, not made"},
	{id: 120008, stage: "the sale unanswered, made", has: "header"},
	{id: 120009, stage: "the lines unanswered, not made", has: "header"},
	{id: 120010, stage: "the lines unanswered, made", has: "lines"},
	{id: 120011, stage: "sold, not told", has: "lines"},
	{id: 120012, stage: "attention"},
	{id: 120013, stage: "cancelled"},
	{id: 120014, stage: "parked"},
}

// upgraded opens the earlier version's table, with the vendors as they were then.
func upgraded(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	testsize.Sampled(t)
	testsize.OneSize(t)
	alone(t)
	b, err := makeBase()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	packed, err := os.Open("testdata/earlier.db.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	plain, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(plain)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "earlier.db"), data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, &base{file: filepath.Join(dir, "earlier.db"), tenant: earlierTenant, box: b.box},
			filepath.Join(dir, "now.db"))
		defer w.close()
		defer time.Sleep(10 * time.Minute)
		if w.acc.Cin7Core.AccountID != earlierCore {
			t.Fatal("the simulators make other accounts of the same seed than when testdata/earlier.db.gz was written")
		}
		w.register()
		w.upstockFault(sim.Fault{Match: "WEBHOOK order.approved", Kind: "drop", Times: -1})
		w.upstockFault(sim.Fault{Match: "WEBHOOK order.cancelled", Kind: "drop", Times: -1})
		for _, o := range earlierOrders {
			time.Sleep(time.Until(w.run(o.id).Approved))
			w.before(o)
		}
		w.control(http.MethodDelete, "/sim/upstock/faults", "")
		f(t, w)
	})
}

// before has the vendors hold of an order what they held when the table was written.
func (w *world) before(o earlier) {
	w.t.Helper()
	text := groceries
	if o.stage == "attention" {
		text = `{"customer":{"name":"Harbourside Grocers"},"lines":[{"sku":"NO-SUCH","productExternalId":null,"quantity":"1","unitPrice":"1.00"}]}`
	}
	if id := must[simupstock.OrderSummary](w)(w.simUpstock.PlaceOrder(w.acc.Upstock.Supplier, text)).ID; id != o.id {
		w.t.Fatalf("order %d is %d now", o.id, id)
	}
	must[simupstock.OrderSummary](w)(w.simUpstock.Approve(o.id))
	if o.stage == "cancelled" {
		w.cancel(o.id)
	}
	if o.has == "" {
		return
	}
	_, _, frozen, err := order.NewBook(ledger.New(w.store)).Load(context.Background(), w.tenant, strconv.Itoa(o.id))
	var plan struct {
		Header json.RawMessage            `json:"header"`
		Order  map[string]json.RawMessage `json:"order"`
	}
	if err == nil {
		err = json.Unmarshal(frozen, &plan)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	var sale struct {
		ID    string
		Order struct{ SaleOrderNumber string }
	}
	if err := json.Unmarshal(w.core(http.MethodPost, "/sale", string(plan.Header)), &sale); err != nil {
		w.t.Fatal(err)
	}
	if o.has == "lines" {
		plan.Order["SaleID"], _ = json.Marshal(sale.ID)
		doc, _ := json.Marshal(plan.Order)
		w.core(http.MethodPost, "/sale/order", string(doc))
	}
	was := w.run(o.id)
	if was.SaleID != "" {
		if was.SaleNumber != sale.Order.SaleOrderNumber {
			w.t.Fatalf("order %d: sale %s is %s now", o.id, was.SaleNumber, sale.Order.SaleOrderNumber)
		}
		w.renameSale(was, sale.ID)
	}
	if o.told {
		w.putOrder(o.id, "external", `{"system":"cin7core","number":"`+was.SaleNumber+`"}`)
	}
}

// renameSale gives a run's sale the id that it has in these vendors, in the table itself.
func (w *world) renameSale(r *order.Order, id string) {
	w.t.Helper()
	key := table.Key{PK: "T#" + w.tenant + "#order", SK: fmt.Sprintf("%020s", r.ID)}
	items, err := w.store.Get(context.Background(), key)
	if err != nil || len(items) != 1 {
		w.t.Fatal(items, err)
	}
	items[0].Data = []byte(strings.ReplaceAll(string(items[0].Data), r.SaleID, id))
	link := ledger.LinkOp(w.tenant, "sale", id, ledger.Link{ID: r.ID})
	if err := w.store.Write(context.Background(), table.Replace(items[0]), link); err != nil {
		w.t.Fatal(err)
	}
}

// well checks that the orders of the earlier version have come to a good end.
func (w *world) well(decided bool) {
	w.t.Helper()
	for _, o := range earlierOrders {
		switch {
		case o.stage == "attention":
			w.attention(o.id, "unknownSku")
		case o.stage == "cancelled":
			if r := w.run(o.id); r.State != order.Cancelled || len(w.sales(o.id)) > 0 {
				w.t.Errorf("%s: %s, sales %+v", o.stage, r.State, w.sales(o.id))
			}
		case o.lost && !decided:
			w.attention(o.id, "supplierUnknown", "not on record")
		default:
			if v := w.verdict(o.id); v != "" {
				w.t.Errorf("%s: %s\n%s", o.stage, v, timeline(w.run(o.id)))
			}
		}
		if n := len(w.live(o.id)); n > 1 {
			w.t.Errorf("%s: %d live sales", o.stage, n)
		}
	}
}

// connectUpstock connects a supplier as a person does, and has Upstock deliver to it.
func (w *world) connectUpstock(acc sim.Account) {
	w.t.Helper()
	typed := vendor.Credentials{Key: tenant.Secret(acc.Upstock.Token)}
	_, url, err := w.vendorTable().Connect(context.Background(), w.tenant, tenant.Upstock, typed)
	if err != nil {
		w.t.Fatal(err)
	}
	secret := must[string](w)(w.simUpstock.RegisterWebhook(acc.Upstock.Supplier, url))
	typed = vendor.Credentials{WebhookSecret: tenant.Secret(secret)}
	if _, _, err := w.vendorTable().Connect(context.Background(), w.tenant, tenant.Upstock, typed); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) connectCore(acc sim.Account) {
	w.t.Helper()
	cred := vendor.Credentials{Account: acc.Cin7Core.AccountID, Key: tenant.Secret(acc.Cin7Core.ApplicationKey)}
	if _, _, err := w.vendorTable().Connect(context.Background(), w.tenant, tenant.Cin7Core, cred); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) disconnect(systems ...tenant.System) {
	w.t.Helper()
	for _, sys := range systems {
		if err := w.vendorTable().Disconnect(context.Background(), w.tenant, sys); err != nil {
			w.t.Fatal(err)
		}
	}
}

// named is a run by its id as pages show it; nil if there is none.
func (w *world) named(id string) *order.Order {
	w.t.Helper()
	r, err := order.NewBook(ledger.New(w.store)).Get(context.Background(), w.tenant, id)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil
	}
	return must[*order.Order](w)(r, err)
}

// TestUpgraded: a table of the earlier version, stopped in the middle of its
// deliveries, goes on: one sale for each order.
func TestUpgraded(t *testing.T) {
	upgraded(t, func(t *testing.T, w *world) {
		if c := must[tenant.Connection](w)(tenant.NewStore(w.store, w.box).Connection(t.Context(), w.tenant,
			tenant.Upstock)); c.First != "" {
			t.Fatalf("the table is of this version: %+v", c)
		}
		w.turn(20 * time.Minute)
		w.job("reconcile")
		w.turn(time.Hour)
		w.well(false)
		w.retry(120004, false) // a person says that it is this supplier's
		w.well(true)
		// The first supplier's orders keep their names.
		id := w.approve(groceries)
		w.settle(id, horizon)
		if r := w.sold(id); r.ID != strconv.Itoa(id) || r.Supplier != "1" {
			t.Errorf("%q of supplier %q", r.ID, r.Supplier)
		}
		// What was sold before is followed.
		w.person(w.sale(120011).ID, "ship", `{"trackingNumber":"T-11"}`)
		w.poll()
		w.is(120011, order.Shipped, "T-11! shipped")
	})
}

// TestUpgradedToAnotherCompany: after an upgrade the tenant connects another
// company. None of the old one's orders is sold in its books; connected again,
// they end as if nothing had been.
func TestUpgradedToAnotherCompany(t *testing.T) {
	upgraded(t, func(t *testing.T, w *world) {
		w.disconnect(tenant.Upstock, tenant.Cin7Core)
		acc := w.sim.AddAccount("Another company", "")
		w.connectUpstock(acc)
		w.connectCore(acc)
		w.turn(30 * time.Minute)
		w.job("reconcile")
		w.job("shipments")
		w.turn(30 * time.Minute)
		if list := w.simCore.Sales(acc.Cin7Core.AccountID); len(list) > 0 {
			t.Fatalf("sold in another company's books: %+v", list)
		}
		r := w.waits(120005, "Harbour Roasters (Upstock supplier 1)",
			"Another company (Upstock supplier 2) is connected", "connect Harbour Roasters")
		if !r.Parked || r.Supplier != "1" {
			t.Errorf("%+v", r)
		}
		for _, o := range []upstockcin7.RetryOptions{{}, {NewSale: true}} {
			err := w.pair().Retry(t.Context(), w.tenant, "120005", o)
			if other := (*upstockcin7.OtherCompany)(nil); !errors.As(err, &other) {
				t.Fatalf("retried while another company is connected: %v", err)
			}
			w.says(err.Error(), "connect Harbour Roasters (Upstock supplier 1)")
		}
		// The other company's own orders are sold, under names of their own.
		id := must[simupstock.OrderSummary](w)(w.simUpstock.PlaceOrder(acc.Upstock.Supplier, groceries)).ID
		must[simupstock.OrderSummary](w)(w.simUpstock.Approve(id))
		w.turn(5 * time.Minute)
		if r := w.named(fmt.Sprintf("2:%d", id)); r == nil || r.State != order.Sold || r.OrderID() != strconv.Itoa(id) {
			t.Fatalf("%+v", r)
		}
		if list := w.simCore.Sales(acc.Cin7Core.AccountID); len(list) != 1 ||
			list[0].ExternalID != fmt.Sprintf("upstock:2:%d", id) {
			t.Errorf("%+v", list)
		}
		w.disconnect(tenant.Upstock, tenant.Cin7Core)
		w.connectUpstock(w.acc)
		w.connectCore(w.acc)
		w.turn(90 * time.Minute)
		w.well(false)
	})
}

// TestSupplierOfEarlierRuns: the first supplier of an earlier version's table is
// the one that its orders say, not the one that happens to be connected next.
func TestSupplierOfEarlierRuns(t *testing.T) {
	upgraded(t, func(t *testing.T, w *world) {
		w.turn(time.Hour)
		w.disconnect(tenant.Upstock)
		acc := w.sim.AddAccount("Second brand", "")
		acc.Cin7Core = w.acc.Cin7Core
		w.connectUpstock(acc)
		b := must[tenant.Bundle](w)(tenant.NewStore(w.store, w.box).Load(t.Context(), w.tenant))
		if b.First[tenant.Upstock] != "1" || b.Connections[tenant.Upstock].First != "1" {
			t.Errorf("first supplier %q, %q", b.First, b.Connections[tenant.Upstock].First)
		}
	})
}

// changed is an order as Upstock has it, with something in it changed.
func (w *world) changed(id int, change func(order, customer map[string]any)) json.RawMessage {
	w.t.Helper()
	var o map[string]any
	if err := json.Unmarshal(must[simupstock.OrderSummary](w)(w.simUpstock.Order(id)).JSON, &o); err != nil {
		w.t.Fatal(err)
	}
	change(o, o["customer"].(map[string]any))
	raw, err := json.Marshal(o)
	if err != nil {
		w.t.Fatal(err)
	}
	return raw
}

// TestEqualIDs: two suppliers of one tenant have orders of equal ids. They are
// two runs with a sale each, whichever came first and whoever wrote it.
func TestEqualIDs(t *testing.T) {
	for _, earlierVersion := range []bool{false, true} {
		t.Run(fmt.Sprintf("earlier version %t", earlierVersion), func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				id, _ := w.sell(groceries)
				first := w.run(id)
				if earlierVersion {
					w.amend(id, func(r *order.Order) { r.Supplier = "" })
				}
				w.disconnect(tenant.Upstock)
				acc := w.sim.AddAccount("Second brand", "")
				w.connectUpstock(acc)
				// As its webhook brings it: an order of the second brand with the first one's id.
				raw := w.changed(id, func(o, _ map[string]any) { o["external"] = nil })
				for range 2 {
					if _, err := w.pair().Approved(t.Context(), w.tenant, "msg_equal", raw, raw); err != nil {
						t.Fatal(err)
					}
				}
				second := w.named(fmt.Sprintf("%d:%d", acc.Upstock.Supplier, id))
				if second == nil || second.Supplier != "2" {
					t.Fatalf("no run of its own: %+v", second)
				}
				w.turn(10 * time.Minute)
				second = w.named(second.ID)
				ext := fmt.Sprintf("upstock:2:%d", id)
				list := slices.DeleteFunc(w.simCore.Sales(w.acc.Cin7Core.AccountID),
					func(s simcin7core.SaleSummary) bool { return s.ExternalID != ext })
				if len(list) != 1 || second.SaleID != list[0].ID || second.SaleID == first.SaleID {
					t.Errorf("%+v, run %+v\n%s", list, second, timeline(second))
				}
				if r := w.run(id); r.SaleID != first.SaleID || r.Supplier != "1" || len(w.live(id)) != 1 {
					t.Errorf("the first supplier's run: %+v", r)
				}
			})
		})
	}
}

// TestEqualCustomers: a customer of the second supplier is not the first one's of the same id.
func TestEqualCustomers(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.sell(unlinked) // by its name, and remembered
		w.disconnect(tenant.Upstock)
		acc := w.sim.AddAccount("Second brand", "")
		w.connectUpstock(acc)
		id := w.place(unlinked)
		stranger := w.changed(id, func(order, customer map[string]any) {
			customer["name"], customer["email"], order["approvedAt"] = "Nobody We Know", nil,
				time.Now().UTC().Format(time.RFC3339)
		})
		if _, err := w.pair().Approved(t.Context(), w.tenant, "msg_customer", stranger, stranger); err != nil {
			t.Fatal(err)
		}
		w.turn(5 * time.Minute)
		r := w.named(fmt.Sprintf("2:%d", id))
		if r == nil || r.State != ledger.Attention || !strings.HasPrefix(r.Problems[0].Code, "customer") {
			t.Errorf("sold to the other supplier's customer: %+v\n%s", r, timeline(r))
		}
	})
}

// TestOtherCompanyWhileWorking: whatever of an order is left to do waits for its
// own company, and nothing of it is told to the other one's Upstock.
func TestOtherCompanyWhileWorking(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		shipped, sale := w.sell(groceries)
		untold := w.place(groceries)
		w.upstockFault(sim.Fault{Match: "*", Kind: "before", How: "503", Times: 1})
		must[simupstock.OrderSummary](w)(w.simUpstock.Approve(untold))
		synctest.Wait()
		if r := w.run(untold); r.SoldAt.IsZero() || r.Told {
			t.Fatalf("%+v", r)
		}
		w.disconnect(tenant.Upstock)
		acc := w.sim.AddAccount("Second brand", "")
		w.connectUpstock(acc)
		// the same Cin7 Core stays connected, and lists the change once
		w.person(sale, "ship", `{"trackingNumber":"T-1"}`)
		start := time.Now()
		w.poll()
		w.turn(30 * time.Minute)
		for _, c := range w.sim.Calls(sim.Upstock, strconv.Itoa(acc.Upstock.Supplier)) {
			if !c.At.Before(start) && c.Method != http.MethodGet {
				t.Errorf("the other company's Upstock was told: %s %s", c.Method, c.Path)
			}
		}
		for _, id := range []int{shipped, untold} {
			if r := w.run(id); !r.Parked || r.State != order.Sold || !strings.Contains(r.Why, "Harbour Roasters") {
				t.Errorf("order %d: %s %q", id, r.State, r.Why)
			}
		}
		if err := w.pair().Retry(t.Context(), w.tenant, strconv.Itoa(shipped),
			upstockcin7.RetryOptions{}); !errors.As(err, new(*upstockcin7.OtherCompany)) {
			t.Errorf("retried: %v", err)
		}
		w.disconnect(tenant.Upstock)
		w.connectUpstock(w.acc)
		w.turn(10 * time.Minute)
		w.is(shipped, order.Shipped, "T-1! shipped")
		w.sold(untold)
	})
}

// TestWatchOfAnotherCompany: an order that is to be looked at for a twin waits
// for its own company like any other, and is not woken in vain meanwhile.
func TestWatchOfAnotherCompany(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id, _ := w.sell(groceries)
		w.amend(id, func(r *order.Order) {
			r.Watches = []time.Time{time.Now().Add(10 * time.Minute).UTC(), time.Now().Add(time.Hour).UTC()}
			r.Next = r.Watches[0]
		})
		w.disconnect(tenant.Upstock)
		w.connectUpstock(w.sim.AddAccount("Second brand", ""))
		start := time.Now()
		w.turn(3 * time.Hour)
		r := w.run(id)
		if !r.Parked || len(r.Watches) != 2 || r.Attempts > 2 {
			t.Errorf("parked %t, %d watches, %d attempts\n%s", r.Parked, len(r.Watches), r.Attempts, timeline(r))
		}
		if calls := w.coreCalls(start); slices.ContainsFunc(calls,
			func(c string) bool { return strings.HasPrefix(c, "GET /sale") }) {
			t.Errorf("%v", calls)
		}
		w.disconnect(tenant.Upstock)
		w.connectUpstock(w.acc)
		w.turn(30 * time.Minute)
		if r := w.run(id); r.Parked || len(r.Watches) > 0 || !r.Finished() {
			t.Errorf("parked %t, %d watches, %s", r.Parked, len(r.Watches), r.Why)
		}
	})
}

// TestReadingInAnotherAccount: a reading that was asked for while another Cin7 Core
// account is connected is made when its own one is back.
func TestReadingInAnotherAccount(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id, sale := w.sell(groceries)
		w.person(sale, "ship", `{"trackingNumber":"T-1"}`)
		w.spoil("send orders", w.seenOf("send orders")+1, before) // marked, and nobody reads yet
		w.job("shipments")
		time.Sleep(time.Second)
		acc := w.sim.AddAccount("Another account", "")
		w.connectCore(acc)
		w.turn(10 * time.Minute)
		r := w.run(id)
		if !r.Parked || !r.ReadingDue() || r.State != order.Sold {
			t.Errorf("%s, reading due %t, %q", r.State, r.ReadingDue(), r.Why)
		}
		w.says(strings.Join(r.Said, " "), "until that account is connected again")
		w.connectCore(w.acc)
		w.turn(10 * time.Minute)
		r = w.is(id, order.Shipped, "T-1! shipped")
		if strings.Contains(strings.Join(r.Said, " "), "not followed") {
			t.Errorf("%q", r.Said)
		}
	})
}

func (w *world) seenOf(name string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen[name]
}
