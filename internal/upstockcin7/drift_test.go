package upstockcin7_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/sim"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/sale"
)

// look reads the account's records again, as a person starts that, and lets what comes of it end.
func (w *world) look() {
	w.t.Helper()
	if err := w.do(w.t.Context(), "catalog", upstockcin7.JobMirror); err != nil {
		w.t.Fatal(err)
	}
	w.turn(4 * time.Minute)
}

// put changes a record of the Cin7 Core account.
func (w *world) put(path, body string) {
	w.t.Helper()
	w.control(http.MethodPut, "/sim/cin7core/"+path, body)
}

// taxes are the account's tax rules, by name.
func (w *world) taxes() map[string]string {
	w.t.Helper()
	var list struct{ TaxRuleList []struct{ ID, Name string } }
	if err := json.Unmarshal(w.core(http.MethodGet, "/ref/tax", ""), &list); err != nil {
		w.t.Fatal(err)
	}
	ids := map[string]string{}
	for _, r := range list.TaxRuleList {
		ids[r.Name] = r.ID
	}
	return ids
}

// drifted are the findings, as "<name>: <text>".
func (w *world) drifted() (list []string) {
	w.t.Helper()
	found, more, err := w.pair().Drift(w.t.Context(), w.bundle())
	if err != nil || more != 0 {
		w.t.Fatal(more, err)
	}
	for _, f := range found {
		if f.Fix == "" || f.Since.After(time.Now()) {
			w.t.Errorf("%+v", f)
		}
		list = append(list, f.Name+": "+f.Text)
	}
	return list
}

// revisions are those of some orders: an order that is written to has another one.
func revisions(w *world, ids []int) (list []string) {
	for _, id := range ids {
		list = append(list, w.run(id).Revision())
	}
	return list
}

// lateTea is an order of a product that Cin7 Core does not have yet; addLate adds it.
const lateTea = `{"customer":{"name":"Kererū Organics"},"lines":[{"sku":"LATE-1","name":"Late tea",
	"productExternalId":null,"quantity":"1","unitPrice":"6.80"}]}`

func (w *world) addLate() {
	w.t.Helper()
	w.core(http.MethodPost, "/product", `{"SKU":"LATE-1","Name":"Late tea","Category":"Tea","Type":"Stock",`+
		`"CostingMethod":"FIFO","UOM":"Item","Status":"Active"}`)
}

// TestHealed: orders that need a person for what is then put right in Cin7 Core go on by themselves once its records
// are read again. What is not put right, and what a person decides, stays, without a write or a call for it.
func TestHealed(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		const (
			deli  = `{"customer":{"name":"Harbourside Grocers"},"lines":[{"sku":"SLT-FLK","quantity":"1","unitPrice":"6.80"}]}`
			never = `{"customer":{"name":"Kererū Organics"},"lines":[{"sku":"NONE-1","name":"Nothing",` +
				`"productExternalId":null,"quantity":"1","unitPrice":"6.80"}]}`
		)
		card := w.cards()["Harbourside Grocers"]
		w.put("customers/"+card, `{"IsOnCreditHold":true}`)
		w.look()
		var heal, stay []int
		for range 3 {
			heal = append(heal, w.approve(deli), w.approve(lateTea))
			stay = append(stay, w.approve(never))
		}
		w.turn(5 * time.Minute)
		w.attention(heal[0], "creditHold")
		w.attention(heal[1], "unknownSku")
		w.attention(stay[0], "unknownSku")
		w.instead = func(req *http.Request, _ []byte) *http.Response { // no record heals that
			if !strings.HasSuffix(req.URL.Path, "/sale") {
				return nil
			}
			return answerJSON(http.StatusBadRequest, `[{"ErrorCode":400,"Exception":"The sale is not wanted."}]`)
		}
		refused := w.approve(toKereru)
		w.turn(5 * time.Minute)
		w.instead = nil
		w.attention(refused, "refused")
		stay = append(stay, refused)

		all := append(slices.Clone(heal), stay...)
		before := revisions(w, all)
		w.turn(time.Hour)
		since := time.Now()
		w.look()
		if now := revisions(w, all); !slices.Equal(now, before) {
			t.Errorf("nothing was put right, and orders changed:\n%s", timeline(w.run(heal[0])))
		}
		w.onlyRead(since)

		w.put("customers/"+card, `{"IsOnCreditHold":false}`)
		w.addLate()
		w.turn(10 * time.Minute)
		if now := revisions(w, all); !slices.Equal(now, before) {
			t.Error("orders went before anybody looked")
		}
		w.look()
		for _, id := range heal {
			w.sold(id)
			if len(w.live(id)) != 1 || !strings.Contains(timeline(w.run(id)), "is put right") {
				t.Errorf("%d\n%s", id, timeline(w.run(id)))
			}
		}
		if now := revisions(w, stay); !slices.Equal(now, before[len(heal):]) {
			t.Error("what is not put right was touched")
		}
		said := w.eventTexts("healed")
		if len(said) != 1 || !strings.HasSuffix(said[0], "is put right: 6.") {
			t.Errorf("the events: %q", said)
		}
	})
}

// TestHealSkips: an order whose plan cannot be made is passed over, and those after it go on in the same pass.
func TestHealSkips(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		lost, later := w.approve(lateTea), w.approve(lateTea)
		w.turn(5 * time.Minute)
		w.attention(lost, "unknownSku")
		w.attention(later, "unknownSku")
		// A restore of the table may leave an order without what it names.
		parts := table.Query{PK: "T#" + w.tenant + "#order#" + strconv.Itoa(lost), Limit: 100}
		for _, it := range must[table.Page](w)(w.store.Query(t.Context(), parts)).Items {
			if err := w.store.Write(t.Context(), table.Remove(it)); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, _, err := w.pair().Orders.Load(t.Context(), w.tenant, strconv.Itoa(lost)); err == nil {
			t.Fatal("its body is still there: this tests nothing")
		}
		w.addLate()
		w.look()
		w.sold(later)
		w.attention(lost, "unknownSku")
		if said := w.eventTexts("healed"); len(said) != 1 || !strings.HasSuffix(said[0], "is put right: 1.") {
			t.Errorf("the events: %q", said)
		}
	})
}

// TestHealedInVain: an order that comes back with what was put right for it does not go on again each night, nor is
// that told again; it does once the records have shown what stands against it, and then that it is put right.
func TestHealedInVain(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		card := w.cards()["Harbourside Grocers"]
		held := func(is bool) {
			t.Helper()
			w.put("customers/"+card, fmt.Sprintf(`{"IsOnCreditHold":%v}`, is))
			w.look()
		}
		held(true)
		id := w.approve(unlinked)
		w.turn(5 * time.Minute)
		w.attention(id, "creditHold")
		var whole map[string]any // the customer, as the list of all shows it
		w.altered = func(req *http.Request, doc map[string]any) {
			list, _ := doc["CustomerList"].([]any)
			changes := req.URL.Query().Get("ModifiedSince") != ""
			if changes && strings.HasSuffix(req.URL.Path, "/customer") && whole != nil {
				held := maps.Clone(whole)
				held["IsOnCreditHold"] = true
				doc["CustomerList"], doc["Total"] = []any{held}, 1
				return
			}
			for _, x := range list {
				if c := x.(map[string]any); c["ID"] == card {
					whole = c
				}
			}
		}
		told := func(times int) {
			t.Helper()
			n := strings.Count(timeline(w.run(id)), "is put right")
			if n != times || len(w.eventTexts("healed")) != times {
				t.Errorf("it went on %d times, told %q\n%s", n, w.eventTexts("healed"), timeline(w.run(id)))
			}
		}
		held(false)
		for range 3 {
			w.turn(time.Hour)
			w.attention(id, "creditHold")
			told(1)
			w.look()
		}
		held(true)
		w.unaltered()
		told(1)
		held(false)
		w.sold(id)
		told(2)
	})
}

// toKereru is an order of a customer whom nobody holds.
const toKereru = `{"customer":{"name":"Kererū Organics"},"lines":[{"sku":"SLT-FLK","quantity":"1","unitPrice":"6.80"}]}`

// onlyRead wants nothing but the account's records to have been read since an instant.
func (w *world) onlyRead(since time.Time) {
	w.t.Helper()
	for _, c := range w.coreCallsSince(since) {
		if !slices.Contains([]string{"GET /me", "GET /me/contacts", "GET /ref/location", "GET /ref/tax",
			"GET /ref/carrier", "GET /ref/paymentterm", "GET /ref/priceTier", "GET /customer", "GET /product"}, c) {
			w.t.Errorf("also called: %s", c)
		}
	}
	if calls := w.calls(sim.Upstock, fmt.Sprint(w.acc.Upstock.Supplier), "/orders", since); calls != 0 {
		w.t.Errorf("Upstock was called %d times", calls)
	}
}

// TestHealCrashes: wherever the job breaks off that has orders go on, each of them is sold once.
func TestHealCrashes(t *testing.T) {
	testsize.Unraced(t)
	testsize.OneSize(t)
	t.Parallel()
	hit := map[string]bool{}
	kinds := []fault{before, after, die}
	for n := range 12 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				var ids []int
				for range 3 {
					ids = append(ids, w.approve(lateTea))
				}
				w.turn(5 * time.Minute)
				w.attention(ids[0], "unknownSku")
				w.addLate()
				w.arm(w.spoils(0, "order", "doc", "event", "send catalog")[n%8], kinds[n%3], hit)
				_ = w.do(t.Context(), "catalog", upstockcin7.JobMirror)
				w.turnWhatever(30 * time.Minute)
				w.disarm()
				w.look()
				for _, id := range ids {
					w.sold(id)
					if len(w.sales(id)) != 1 {
						t.Errorf("%d: %v", id, w.sales(id))
					}
				}
			})
		})
	}
	wentWrong(t, hit, "#order", "send catalog")
}

// TestHealMany: a pass over more orders than its time suffices for goes on where it was.
func TestHealMany(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		var ids, stay []int
		for range 40 {
			stay = append(stay, w.approve(strings.ReplaceAll(lateTea, "LATE-1", "NONE-1")))
		}
		for range 40 {
			ids = append(ids, w.approve(lateTea))
		}
		w.turn(time.Hour)
		for _, id := range append(slices.Clone(ids), stay...) {
			w.attention(id, "unknownSku")
		}
		w.addLate()
		if err := w.do(t.Context(), "catalog", upstockcin7.JobMirror); err != nil {
			t.Fatal(err)
		}
		w.onGet(func(p *process, _ []table.Key) { // the table is slow, for this job alone
			if p.name == "catalog" {
				time.Sleep(time.Second / 2)
			}
		})
		w.turn(time.Minute)
		if w.docRevision("healing") == "" {
			t.Error("its time sufficed: this tests nothing")
		}
		w.turn(2 * time.Hour)
		for _, id := range ids {
			w.sold(id)
		}
		if n := w.sim.OverLimit(sim.Cin7Core, w.acc.Cin7Core.AccountID); n != 0 {
			t.Errorf("%d calls too many", n)
		}
		if said := w.eventTexts("healed"); len(said) < 2 {
			t.Errorf("events: %q", said)
		}
		for _, id := range stay {
			w.attention(id, "unknownSku")
		}
		rev := w.docRevision("healing")
		w.onGet(nil)
		w.look()
		if w.docRevision("healing") != rev {
			t.Error("a pass that finds nobody writes")
		}
	})
}

// TestDrift: what the settings and links name and Cin7 Core does not have any more is found once its records are read
// again, said with since when, told once as it comes and once as it goes, and not before. What did not change is not
// written.
func TestDrift(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.change(func(s *sale.Settings) {
			s.TaxRules = map[string]string{"15.00": "GST on Income"}
			s.Location = "Main Warehouse"
		})
		id := w.approve(unlinked)
		w.settle(id, horizon)
		w.sold(id)
		link := func(kind, from, to string) {
			t.Helper()
			if _, err := w.pair().SetLink(t.Context(), w.tenant, kind, from, to); err != nil {
				t.Fatal(err)
			}
		}
		card := w.cards()["Kererū Organics"]
		link("customer", "9001", card)
		_, products := w.ids(w.approve(groceries))
		link("product", "OLD-SKU", products[0])
		w.turn(time.Hour)
		w.look()
		if found := w.drifted(); len(found) != 0 || len(w.eventTexts("drift")) != 0 {
			t.Fatalf("all is there: %q %q", found, w.eventTexts("drift"))
		}

		w.put("taxes/"+w.taxes()["GST on Income"], `{"Name":"GST 15"}`)
		w.put("customers/"+card, `{"Status":"Deprecated"}`)
		w.put("products/"+products[0], `{"Sellable":false}`)
		w.turn(time.Hour)
		if found := w.drifted(); len(found) != 0 {
			t.Errorf("before anybody looked: %q", found)
		}
		since := time.Now()
		w.look()
		want := []string{"taxRules.15.00: The Cin7 Core account has no tax rule “GST on Income”, which the setting " +
			"taxRules names.",
			"9001: Upstock's customer “9001” is linked to “Kererū Organics”, which is deprecated in Cin7 Core.",
			"OLD-SKU: The SKU “OLD-SKU” is linked to “SLT-FLK Flaky Sea Salt 250 g”, which is not for sale in " +
				"Cin7 Core."}
		if found := w.drifted(); !slices.Equal(found, want) {
			t.Errorf("found %q", found)
		}
		list, _, _ := w.pair().Drift(t.Context(), w.bundle())
		for _, f := range list {
			if f.Since.Before(since.Truncate(time.Second)) || f.Since.After(since.Add(5*time.Minute)) {
				t.Errorf("%s since %s", f.Name, f.Since)
			}
		}
		said := w.eventTexts("drift")
		if len(said) != 1 || strings.Count(said[0], ".") < 3 {
			t.Errorf("events: %q", said)
		}
		w.turn(24 * time.Hour)
		w.look()
		if said := w.eventTexts("drift"); len(said) != 1 {
			t.Errorf("told although nothing changed: %q", said)
		}

		// What is mended is said no more at once; that it is, is told with the next look.
		w.put("customers/"+card, `{"Status":"Active"}`)
		if err := w.pair().RemoveLink(t.Context(), w.tenant, "product", "OLD-SKU"); err != nil {
			t.Fatal(err)
		}
		w.change(func(s *sale.Settings) { s.Location = "Main Warehouse" })
		if found := w.drifted(); !slices.Equal(found, want[1:2]) {
			t.Errorf("found %q", found)
		}
		w.look()
		if found := w.drifted(); len(found) != 0 {
			t.Errorf("found %q", found)
		}
		if said := w.eventTexts("drift"); len(said) != 2 || !slices.ContainsFunc(said, func(s string) bool {
			return strings.Contains(s, "fits Cin7 Core again") && strings.Contains(s, "Kererū Organics")
		}) {
			t.Errorf("events: %q", said)
		}
	})
}

// docRevision is that of a document of the tenant's.
func (w *world) docRevision(name string) string {
	w.t.Helper()
	var any map[string]any
	return must[string](w)(ledger.New(w.store).Doc(w.t.Context(), w.tenant, name, &any))
}

// TestDriftSaysNothing: a link that was made since the records were read may lead to a newer record; another supplier's
// links are none of the connected one's; and before the records are read, nothing is known.
func TestDriftSaysNothing(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		l := ledger.New(w.store)
		save := func(key string, at time.Time) {
			t.Helper()
			if err := l.SaveLink(t.Context(), w.tenant, "customer", key, ledger.Link{
				ID: "7c1f0000-0000-4000-8000-000000000000", At: at, By: ledger.ByPerson}, ledger.Event{}); err != nil {
				t.Fatal(err)
			}
		}
		old := time.Now().Add(-24 * time.Hour)
		save("9001", time.Now().Add(30*time.Minute))
		save("99:9002", old)
		w.look()
		if found := w.drifted(); len(found) != 0 {
			t.Errorf("found %q", found)
		}
		save("9003", old)
		w.look()
		want := []string{"9003: Upstock's customer “9003” is linked to a customer that Cin7 Core does not have any " +
			"more."}
		if found := w.drifted(); !slices.Equal(found, want) {
			t.Errorf("found %q", found)
		}
		w.disconnect(tenant.Cin7Core)
		if found := w.drifted(); len(found) != 0 {
			t.Errorf("nothing is known of the account: %q", found)
		}
	})
}

// TestDriftBeyondWhatIsKept: where more links lead nowhere than a look keeps, one that falls off the end is not known
// to be mended; a setting is.
func TestDriftBeyondWhatIsKept(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		l := ledger.New(w.store)
		save := func(from int) {
			t.Helper()
			if err := l.SaveLink(t.Context(), w.tenant, "customer", fmt.Sprint(from), ledger.Link{
				ID: "7c1f0000-0000-4000-8000-000000000000", At: time.Now().Add(-24 * time.Hour), By: ledger.ByPerson},
				ledger.Event{}); err != nil {
				t.Fatal(err)
			}
		}
		wrong := func() (found map[string]bool, last bool, unsure []string) {
			t.Helper()
			w.look()
			list, unsure, err := w.pair().Wrong(t.Context(), w.bundle())
			if err != nil {
				t.Fatal(err)
			}
			found = map[string]bool{}
			for _, m := range list {
				found[m.Key] = true
			}
			return found, found["choice/customer/9199"], unsure
		}
		for n := range 100 {
			save(9100 + n)
		}
		if found, last, unsure := wrong(); len(found) != 100 || !last || len(unsure) != 0 {
			t.Errorf("%d found, unsure of %q", len(found), unsure)
		}
		save(9000)
		found, last, unsure := wrong()
		if len(found) != 100 || last || !slices.Equal(unsure, []string{"choice/customer/", "choice/product/"}) {
			t.Errorf("%d found, the last one %t, unsure of %q", len(found), last, unsure)
		}
		if err := w.pair().RemoveLink(t.Context(), w.tenant, "customer", "9000"); err != nil {
			t.Fatal(err)
		}
		if found, last, unsure := wrong(); len(found) != 100 || !last || len(unsure) != 0 {
			t.Errorf("%d found, unsure of %q", len(found), unsure)
		}
	})
}

// TestNightlyMirror: the account's records are read once in each of the tenant's nights, whatever is delivered twice,
// and what follows is done though the message that starts it is lost.
func TestNightlyMirror(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		b := w.bundle()
		zone := b.Tenant.Zone()
		w.change(func(s *sale.Settings) { s.Location = "Main Warehouse" })
		w.place(groceries) // arms the gate
		var read []time.Time
		was := w.mirrored().Ready
		for hour := range 72 {
			w.job(upstockcin7.JobMirror)
			w.job(upstockcin7.JobMirror)
			w.turn(time.Hour)
			if now := w.mirrored().Ready; !now.Equal(was) {
				was = now
				read = append(read, now)
				if h := now.In(zone).Hour(); h > 6 {
					t.Errorf("hour %d: read at %s", hour, now.In(zone))
				}
			}
		}
		if len(read) != 3 {
			t.Errorf("read %v", read)
		}
		since := time.Now()
		for time.Until(job.NextNight(w.bundle().Tenant, time.Now())) > time.Minute {
			w.turn(time.Minute)
		}
		w.turn(2 * time.Minute)
		w.put("locations/"+w.location("Main Warehouse"), `{"IsDeprecated":true}`)
		w.spoil("send catalog", 2, before) // the second: the first starts the pass
		w.mu.Lock()
		w.seen = map[string]int{}
		w.mu.Unlock()
		w.job(upstockcin7.JobMirror)
		w.turn(time.Minute)
		if len(w.eventTexts("drift")) != 0 || !w.mirrored().Started.After(since) {
			t.Fatalf("compared already: %q", w.eventTexts("drift"))
		}
		w.turn(10 * time.Minute)
		if found := w.drifted(); len(found) != 1 || len(w.eventTexts("drift")) != 1 {
			t.Errorf("found %q, told %q", found, w.eventTexts("drift"))
		}
	})
}

// TestNightlyDriftOnce: where the second of a night's schedules finds the records read and compared, nothing is
// compared again: what is linked meanwhile is looked at in the next night.
func TestNightlyDriftOnce(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		w.place(groceries) // arms the gate
		schedule := func() {
			t.Helper()
			w.job(upstockcin7.JobMirror)
			w.turn(10 * time.Minute)
		}
		night := func() {
			t.Helper()
			time.Sleep(time.Until(job.NextNight(w.bundle().Tenant, time.Now())) + time.Minute)
			was := w.mirrored().Ready
			schedule()
			if w.mirrored().Ready.Equal(was) {
				t.Fatal("the records are not read")
			}
		}
		night()
		if err := ledger.New(w.store).SaveLink(t.Context(), w.tenant, "customer", "9003", ledger.Link{
			ID: "7c1f0000-0000-4000-8000-000000000000", At: time.Now().Add(-24 * time.Hour), By: ledger.ByPerson},
			ledger.Event{}); err != nil {
			t.Fatal(err)
		}
		read := w.mirrored().Ready
		schedule()
		if said := w.eventTexts("drift"); len(said) != 0 || !w.mirrored().Ready.Equal(read) {
			t.Errorf("compared again: %q", said)
		}
		night()
		if said := w.eventTexts("drift"); len(said) != 1 {
			t.Errorf("the next night: %q", said)
		}
	})
}

// TestDriftOfMany: of more findings than are kept, one that comes into the place of one that is mended is no news, and
// one that another pushes out is not mended.
func TestDriftOfMany(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		save := func(key int) {
			t.Helper()
			if err := ledger.New(w.store).SaveLink(t.Context(), w.tenant, "customer", strconv.Itoa(key),
				ledger.Link{ID: "7c1f0000-0000-4000-8000-000000000000", At: time.Now().Add(-24 * time.Hour),
					By: ledger.ByPerson}, ledger.Event{}); err != nil {
				t.Fatal(err)
			}
		}
		mend := func(key int) {
			t.Helper()
			if err := w.pair().RemoveLink(t.Context(), w.tenant, "customer", strconv.Itoa(key)); err != nil {
				t.Fatal(err)
			}
		}
		found := func(kept, more, told int) {
			t.Helper()
			w.turn(time.Hour)
			w.look()
			list, n, err := w.pair().Drift(t.Context(), w.bundle())
			if said := w.eventTexts("drift"); len(list) != kept || n != more || err != nil || len(said) != told {
				t.Errorf("%d findings and %d more, %v; told %q", len(list), n, err, said)
			}
		}
		for key := 9100; key < 9202; key++ {
			save(key)
		}
		found(100, 2, 1)
		mend(9100) // 9200 comes into its place
		found(100, 1, 1)
		save(9099) // it pushes 9200 out
		found(100, 2, 1)
		for key := 9099; key < 9110; key++ {
			if key != 9100 {
				mend(key)
			}
		}
		found(92, 0, 2)
		save(9300)
		found(93, 0, 3)
	})
}

// location is a location's id.
func (w *world) location(name string) string {
	w.t.Helper()
	var list struct{ LocationList []struct{ ID, Name string } }
	if err := json.Unmarshal(w.core(http.MethodGet, "/ref/location", ""), &list); err != nil {
		w.t.Fatal(err)
	}
	for _, l := range list.LocationList {
		if l.Name == name {
			return l.ID
		}
	}
	w.t.Fatalf("no location %s", name)
	return ""
}
