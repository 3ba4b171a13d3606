package upstockcin7_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/mirror"
	"stockbridge/internal/sim"
	simupstock "stockbridge/internal/sim/upstock"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/catalogue"
	"stockbridge/internal/upstockcin7/order"
)

const mailed = `{"Name":"Pier 9 Provisions","Contacts":[{"Name":"Ana","Email":"ana@pier9.test","Default":true}],` +
	`"Addresses":[{"Type":"Billing","Line1":"9 Pier Street","City":"Nelson","Postcode":"7010"}]}`

// Only what is chosen is told, and what becomes of it in Cin7 Core follows: a price, a name, a deprecation, once.
func TestCatalogTellsWhatIsChosen(t *testing.T) {
	t.Parallel()
	inShop(t, nil, func(s *shop) {
		a := s.newProduct(`{"SKU":"NEW-A","Name":"New A","PriceTier1":7.455,"PriceTier2":6}`)
		b := s.newProduct(`{"SKU":"NEW-B","Name":"New B","PriceTier1":3}`)
		old := s.newProduct(`{"SKU":"NEW-C","Name":"New C","Status":"Deprecated"}`)
		s.read()
		run, err := s.pair().ImportProducts(s.ctx(), s.bundle(), upstockcin7.Selection{IDs: []string{
			strings.ToUpper(a), old, "00000000-0000-0000-0000-00000000abcd"}})
		s.must(err)
		run = s.until(run)
		if run.Result["chosen"] != 1 || len(run.Left) != 2 || run.Result["new"] != 1 {
			t.Errorf("chosen and left: %v %+v", run.Result, run.Left)
		}
		s.rest()
		s.agree(s.unimported(a)...)
		up := s.inUpstock(a)
		if up == nil || up.Price == nil || same(up.Price) != "7.455" {
			t.Fatalf("%+v", up)
		}
		if s.inUpstock(b) != nil || s.inUpstock(old) != nil {
			t.Error("what nobody chose is in Upstock")
		}
		before := s.writes()
		s.edit("products", a, `{"PriceTier1":8.1}`)
		s.read()
		s.sync(upstockcin7.JobProducts)
		s.rest()
		s.agree(s.unimported(a)...)
		if n, want := s.writes()-before, 1+s.listsWith(a, "8.1"); n != want {
			t.Errorf("one changed price costs %d writes, want %d: the product and each list", n, want)
		}
		s.edit("products", a, `{"Status":"Deprecated"}`)
		s.read()
		s.sync(upstockcin7.JobProducts)
		s.rest()
		if up := s.inUpstock(a); up.Status != "discontinued" {
			t.Errorf("a deprecated product is %s", up.Status)
		}
		s.agree(s.unimported(a)...)
		before = s.writes()
		s.sync(upstockcin7.JobProducts)
		s.rest()
		if n := s.writes() - before; n > 0 {
			t.Errorf("it is discontinued again: %d writes", n)
		}
	})
}

// read has all records read anew, as the night does.
func (s *shop) read() {
	s.t.Helper()
	s.must(s.pair().Runner.Start(context.Background(), s.tenant, upstockcin7.JobMirror, 0))
	time.Sleep(3 * time.Minute)
	synctest.Wait()
}

func (s *shop) inUpstock(id string) *upProduct {
	for _, p := range s.upProducts() {
		if strings.EqualFold(p.ExternalID, id) {
			return &p
		}
	}
	return nil
}

func (s *shop) customerInUpstock(id string) *upCustomer {
	for _, c := range s.upCustomers() {
		if strings.EqualFold(c.ExternalID, id) {
			return &c
		}
	}
	return nil
}

// listsWith counts the lists that hold a product at a price.
func (s *shop) listsWith(id, price string) (n int) {
	for _, l := range s.upLists() {
		if text, ok := l.Prices[strings.ToLower(id)]; ok && same(&text) == price {
			n++
		}
	}
	return n
}

// theirs makes a customer in Upstock, and returns its id.
func (s *shop) theirs(doc string) int64 {
	s.t.Helper()
	var answer struct{ Items []struct{ ID int64 } }
	s.must(json.Unmarshal(s.control(http.MethodPost, "/sim/upstock/customers"+s.upAt(), doc), &answer))
	return answer.Items[0].ID
}

func (s *shop) importCustomers(ids ...string) *ledger.Progress {
	s.t.Helper()
	run, err := s.pair().ImportCustomers(s.ctx(), s.bundle(), upstockcin7.Selection{IDs: ids})
	s.must(err)
	run = s.until(run)
	s.rest()
	return run
}

func (s *shop) customer(id string) upstockcin7.CustomerView {
	s.t.Helper()
	v, err := s.pair().Customer(s.ctx(), s.bundle(), id)
	s.must(err)
	return v
}

// A customer that is in Upstock already is linked, not doubled: by the name that one alone has. An e-mail alone is for
// a person to decide, and so is a name that several have. What is like none is made.
func TestCatalogLinksCustomers(t *testing.T) {
	t.Parallel()
	inShop(t, nil, func(s *shop) {
		sure := s.newCustomer(mailed)
		other := s.newCustomer(`{"Name":"Quayside Foods Ltd","Contacts":[{"Name":"Bo","Email":"bo@quay.test"}]}`)
		torn := s.newCustomer(`{"Name":"Twin Peaks Deli"}`)
		fresh := s.newCustomer(`{"Name":"Zebra Pantry"}`)
		s.read()
		same := s.theirs(`{"name":"PIER 9 provisions"}`)
		mail := s.theirs(`{"name":"Bo's Corner","email":"bo@quay.test"}`)
		s.theirs(`[{"name":"Twin Peaks Deli"},{"name":"twin peaks deli"}]`)
		run := s.importCustomers(sure, other, torn, fresh)
		if run.Result["linked"] != 1 || run.Result["toLink"] != 2 {
			t.Errorf("%v %+v", run.Result, run.Left)
		}
		if c := s.customerInUpstock(sure); c == nil || int64(c.ID) != same || c.Name != "Pier 9 Provisions" {
			t.Errorf("the one of its name: %+v", c)
		}
		if s.customerInUpstock(other) != nil || s.customerInUpstock(torn) != nil || s.customerInUpstock(fresh) == nil {
			t.Error("one is linked or made that a person has to decide about, or a new one is not")
		}
		rows, _, err := s.pair().Customers(s.ctx(), s.bundle(), upstockcin7.CatalogQuery{List: upstockcin7.ToLink,
			Limit: 10})
		s.must(err)
		if len(rows) != 2 {
			t.Fatalf("to link: %+v", rows)
		}
		for _, r := range rows {
			t.Logf("%s: %+v", r.Name, r.Candidates)
		}
		s.must(s.pair().LinkCustomer(s.ctx(), s.bundle(), other, mail))
		for _, x := range s.customer(torn).Candidates {
			s.must(s.pair().RejectCustomer(s.ctx(), s.bundle(), torn, x.Theirs))
		}
		s.rest()
		if c := s.customerInUpstock(other); c == nil || int64(c.ID) != mail {
			t.Errorf("a person linked it: %+v", c)
		}
		if c := s.customerInUpstock(torn); c == nil {
			t.Error("it is none of those, and is not made")
		}
		s.agree(s.unimported(sure, other, torn, fresh)...)
		if v := s.customer(other); !strings.Contains(v.Linked, "Mary") || len(v.History) < 2 {
			t.Errorf("%q %+v", v.Linked, v.History)
		}
		events, _, err := s.pair().Ledger.Events(context.Background(), s.tenant, "", 50)
		s.must(err)
		if n := slices.IndexFunc(events, func(e ledger.Event) bool {
			return e.Actor == "Mary" && strings.Contains(e.Text, "Quayside Foods Ltd")
		}); n < 0 {
			t.Error("no event says who linked it")
		}
	})
}

// unimported are the customers and products of Cin7 Core that Upstock does not have, but for some.
func (s *shop) unimported(but ...string) (ids []string) {
	for _, c := range s.coreCustomers() {
		if s.customerInUpstock(c.ID) == nil && !slices.Contains(but, c.ID) {
			ids = append(ids, c.ID)
		}
	}
	for _, p := range s.coreProducts() {
		if s.inUpstock(p.ID) == nil && !slices.Contains(but, p.ID) {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

// A rejected pair stays rejected until one of the two changes, and says then why it is back.
func TestCatalogRejectedPairComesBack(t *testing.T) {
	t.Parallel()
	inShop(t, nil, func(s *shop) {
		torn := s.newCustomer(`{"Name":"Twin Peaks Deli"}`)
		s.read()
		one := s.theirs(`{"name":"Twin Peaks Deli"}`)
		two := s.theirs(`{"name":"twin peaks deli"}`)
		s.importCustomers(torn)
		s.must(s.pair().RejectCustomer(s.ctx(), s.bundle(), torn, one))
		s.rest()
		if c := s.customerInUpstock(torn); c == nil || int64(c.ID) != two {
			t.Fatalf("the other one alone is left, and is sure: %+v", c)
		}
		s.must(s.pair().UnlinkCustomer(s.ctx(), s.bundle(), torn))
		s.sync(upstockcin7.JobCustomers)
		s.rest()
		if v := s.customer(torn); v.Imported || !strings.Contains(v.Why, "linked to it still") || !s.active(two) {
			t.Fatalf("unlinked: %+v %v", v.CustomerRow, s.active(two))
		}
		s.control(http.MethodPut, fmt.Sprintf("/sim/upstock/customers/%d%s", two, s.upAt()), `{"externalId":""}`)
		s.sync(upstockcin7.JobCustomers)
		s.rest()
		if c := s.customerInUpstock(torn); c == nil || int64(c.ID) == one || int64(c.ID) == two {
			t.Fatalf("both were rejected: it is made anew: %+v", c)
		}
		if err := s.pair().UnlinkCustomer(s.ctx(), s.bundle(), torn); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("it is linked to none: %v", err)
		}
	})
	inShop(t, nil, func(s *shop) {
		torn := s.newCustomer(`{"Name":"Quayside Foods Ltd","Contacts":[{"Name":"Bo","Email":"bo@quay.test"}]}`)
		s.read()
		first := s.theirs(`{"name":"Bo's Corner","email":"bo@quay.test"}`)
		second := s.theirs(`{"name":"Bo's Bar","email":"bo@quay.test"}`)
		s.importCustomers(torn)
		s.must(s.pair().RejectCustomer(s.ctx(), s.bundle(), torn, first))
		s.rest()
		if v := s.customer(torn); len(v.Candidates) != 1 || v.Candidates[0].Theirs != second {
			t.Fatalf("%+v", v.Candidates)
		}
		s.control(http.MethodPut, fmt.Sprintf("/sim/upstock/customers/%d%s", first, s.upAt()),
			`{"name":"Quayside Foods Ltd"}`)
		s.sync(upstockcin7.JobCustomers)
		s.rest()
		v := s.customer(torn)
		if len(v.Candidates) != 2 || v.Candidates[0].Theirs != first ||
			!strings.Contains(v.Candidates[0].Back, "in Upstock since Mary said") || v.Imported {
			t.Fatalf("%+v", v.CustomerRow)
		}
	})
}

func (s *shop) active(their int64) bool {
	for _, c := range s.upCustomers() {
		if int64(c.ID) == their {
			return c.Active
		}
	}
	return false
}

// Changes of prices above the percentage wait for a yes, and what would be given away always does.
func TestCatalogHoldsPriceChanges(t *testing.T) {
	t.Parallel()
	inShop(t, nil, func(s *shop) {
		a := s.newProduct(`{"SKU":"NEW-A","Name":"New A","PriceTier1":10,"PriceTier2":10,"PriceTier3":10}`)
		free := s.newCustomer(`{"Name":"Zebra Pantry","PriceTier":"` + s.tier(1) + `",
			"ProductPrices":[{"ProductSKU":"NEW-A","Price":0}]}`)
		s.read()
		s.importAll()
		s.agree()
		held := s.changes(upstockcin7.ChangeHeld)
		if len(held) != 1 || held[0].Customer == nil || held[0].Customer.ID != strings.ToLower(free) {
			t.Fatalf("an own price of 0 is held: %+v", held)
		}
		s.settings(`{"priceHoldPercent":"20"}`)
		s.edit("products", a, `{"PriceTier1":13}`)
		s.read()
		p, err := s.pair().PreviewPrices(s.ctx(), s.bundle())
		s.must(err)
		run := s.sync(upstockcin7.JobPrices)
		held = s.changes(upstockcin7.ChangeHeld)
		n := len(held)
		if p.Counts["held"] != n || n < 2 || run.Result["held"] != n || s.listsWith(a, "13") > 0 {
			t.Fatalf("%v, %d held: %+v", p.Counts, len(held), run.Result)
		}
		change := held[slices.IndexFunc(held, func(c upstockcin7.PriceChange) bool { return c.Customer == nil })]
		if change.Old.String() != "10" || change.New.String() != "13" || change.Product.SKU != "NEW-A" ||
			!strings.Contains(change.Why, "30 % more") {
			t.Errorf("%+v", change)
		}
		decide := func(d upstockcin7.PriceDecision) {
			t.Helper()
			n, run, err := s.pair().DecidePrices(s.ctx(), s.bundle(), d)
			s.must(err)
			if n != 1 {
				t.Fatalf("decided about %d", n)
			}
			if run != nil {
				s.until(run)
			}
			s.rest()
		}
		if !slices.ContainsFunc(run.Left, func(l ledger.LeftOut) bool {
			return strings.HasSuffix(l.Name, ", in "+change.List.Name)
		}) {
			t.Errorf("no list is named: %+v", run.Left)
		}
		member := s.memberOf(change.List.ID)
		decide(upstockcin7.PriceDecision{Refuse: []string{change.ID}})
		refused := s.changes(upstockcin7.ChangeRefused)
		if len(refused) != 1 || refused[0].By != "Mary" || s.listsWith(a, "13") > 0 {
			t.Fatalf("%+v", refused)
		}
		if e, err := s.pair().ExplainPrice(s.ctx(), s.bundle(), member, a); err != nil || e.State != "declined" ||
			e.By != "Mary" || e.Held != "" {
			t.Errorf("%+v %v", e, err)
		}
		if p, err := s.pair().PreviewPrices(s.ctx(), s.bundle()); err != nil || p.Counts["declined"] != 1 ||
			!slices.ContainsFunc(p.Changes, func(c upstockcin7.PriceChange) bool {
				return c.State == "declined" && c.By == "Mary"
			}) {
			t.Errorf("%+v %v", p, err)
		}
		decide(upstockcin7.PriceDecision{Undo: []string{refused[0].ID}})
		if e, err := s.pair().ExplainPrice(s.ctx(), s.bundle(), member, a); err != nil || e.State != "held" ||
			e.Held == "" {
			t.Errorf("%+v %v", e, err)
		}
		_, sending, err := s.pair().DecidePrices(s.ctx(), s.bundle(),
			upstockcin7.PriceDecision{Approve: []string{s.heldOf(change.List.ID).ID}})
		s.must(err)
		if yes := s.heldOf(change.List.ID); !yes.Approved || yes.Why != "It is sent soon." || yes.By != "Mary" {
			t.Errorf("%+v", yes)
		}
		s.until(sending)
		s.rest()
		if s.listsWith(a, "13") != 1 {
			t.Errorf("approved, and in %d lists", s.listsWith(a, "13"))
		}
		applied := s.changes(upstockcin7.ChangeApplied)
		if len(applied) == 0 || applied[0].New.String() != "13" || applied[0].Product.SKU != "NEW-A" ||
			applied[0].By != "Mary" {
			t.Fatalf("%+v", applied)
		}
		if n, _, err := s.pair().DecidePrices(s.ctx(), s.bundle(), upstockcin7.PriceDecision{
			Approve: []string{change.ID, "nonsense"}}); n != 0 || err != nil {
			t.Errorf("decided about what is over: %d %v", n, err)
		}
		e, err := s.pair().ExplainPrice(s.ctx(), s.bundle(), free, a)
		s.must(err)
		if e.Held == "" || e.Price == nil || e.Upstock != nil || len(e.Steps) == 0 {
			t.Errorf("%+v", e)
		}
		for _, c := range s.coreCustomers() {
			if c.PriceTier == s.tier(1) && c.Discount.IsZero() && len(c.ProductPrices) == 0 && c.Status == "Active" {
				e, err := s.pair().ExplainPrice(s.ctx(), s.bundle(), c.ID, a)
				s.must(err)
				if e.Upstock == nil || e.Upstock.String() != "13" || e.Since.IsZero() {
					t.Errorf("%s: %+v", c.Name, e)
				}
			}
		}
	})
}

// memberOf is a customer who has a list.
func (s *shop) memberOf(list string) string {
	s.t.Helper()
	v, err := s.pair().PriceList(s.ctx(), s.bundle(), list, "", 1)
	s.must(err)
	if len(v.Members) == 0 {
		s.t.Fatalf("nobody has %s", list)
	}
	return v.Members[0].ID
}

// A price that Upstock refuses says so, and goes again at once when a person takes that back; and a customer's list has
// its name still when the customer is to have another one.
func TestCatalogPricesRefused(t *testing.T) {
	t.Parallel()
	inShop(t, nil, func(s *shop) {
		a := s.newProduct(`{"SKU":"NEW-A","Name":"New A","PriceTier1":10,"PriceTier2":10,"PriceTier3":10}`)
		moved := s.newCustomer(`{"Name":"Zebra Pantry","PriceTier":"` + s.tier(1) + `"}`)
		s.read()
		s.importAll()
		s.must(s.simUpstock.RefuseItems(s.acc.Upstock.Supplier, simupstock.Refusal{Records: "prices",
			ExternalID: strings.ToLower(a), Error: "no such price"}))
		s.edit("products", a, `{"PriceTier1":13}`)
		s.sync(upstockcin7.JobPrices)
		refused := s.changes(upstockcin7.ChangeRefused)
		if len(refused) == 0 || refused[0].Why != "Upstock did not take it: no such price" || refused[0].By != "" {
			t.Fatalf("%+v", refused)
		}
		e, err := s.pair().ExplainPrice(s.ctx(), s.bundle(), moved, a)
		s.must(err)
		if e.State != "refused" || e.Why != "no such price" {
			t.Errorf("%+v", e)
		}
		s.must(s.simUpstock.RefuseItems(s.acc.Upstock.Supplier))
		n, run, err := s.pair().DecidePrices(s.ctx(), s.bundle(),
			upstockcin7.PriceDecision{Undo: []string{refused[0].ID}})
		s.must(err)
		if n != 1 || run == nil {
			t.Fatalf("%d were sent again, in %v", n, run)
		}
		s.until(run)
		if s.listsWith(a, "13") == 0 {
			t.Error("it was not sent again")
		}
		was := s.customer(moved).PriceList
		s.edit("customers", moved, `{"PriceTier":"`+s.tier(2)+`"}`)
		s.read()
		if now := s.customer(moved).PriceList; was == nil || now == nil || *now != *was || now.Name == now.ID {
			t.Errorf("the list was %+v, and is %+v", was, now)
		}
	})
}

// A product's page has the lists of several customers, however many customers have one of their own.
func TestCatalogListsOfSeveralFirst(t *testing.T) {
	t.Parallel()
	inShop(t, nil, func(s *shop) {
		a := s.newProduct(`{"SKU":"NEW-A","Name":"New A","PriceTier1":10,"PriceTier2":10,"PriceTier3":10}`)
		for n := range 101 {
			s.newCustomer(fmt.Sprintf(`{"Name":"Buyer %03d","PriceTier":%q,"ProductPrices":[{"ProductSKU":"NEW-A",`+
				`"Price":0}]}`, n, s.tier(1)))
		}
		s.read()
		s.importAll()
		v, err := s.pair().Product(s.ctx(), s.bundle(), a)
		s.must(err)
		seen := map[string]int{}
		for _, l := range v.Prices {
			seen[l.List.ID]++
		}
		if len(seen) != 100 || !v.More || seen["tier:1"] != 1 {
			t.Errorf("%d lists, %v more: %v", len(seen), v.More, seen)
		}
		needs, err := s.pair().CatalogNeeds(s.ctx(), s.bundle())
		s.must(err)
		if needs.Held != 100 || needs.Refused != 0 {
			t.Errorf("%+v", needs)
		}
	})
}

func (s *shop) heldOf(list string) upstockcin7.PriceChange {
	for _, c := range s.changes(upstockcin7.ChangeHeld) {
		if c.List.ID == list {
			return c
		}
	}
	return upstockcin7.PriceChange{}
}

// changes are all changes of prices in a state, read two at a time.
func (s *shop) changes(state string) (all []upstockcin7.PriceChange) {
	s.t.Helper()
	for after := ""; ; {
		some, next, err := s.pair().PriceChanges(s.ctx(), s.bundle(), state, after, 2)
		s.must(err)
		all = append(all, some...)
		if after = next; next == "" {
			return all
		}
	}
}

// tier is the name of a price tier.
func (s *shop) tier(code int) string {
	for _, t := range items[struct {
		Code int
		Name string
	}](s, "/sim/cin7core/tiers"+s.coreAt()) {
		if t.Code == code {
			return t.Name
		}
	}
	return ""
}

// settings changes the tenant's settings.
// Where a customer's own prices are not as the customer's row says, and nobody writes them, all are read anew.
func TestCatalogReadsLostPricesAnew(t *testing.T) {
	t.Parallel()
	inShop(t, nil, func(s *shop) {
		x := s.coreProducts()[0].ID
		id := s.newCustomer(`{"Name":"Zebra Pantry","ProductPrices":[{"ProductID":"` + x + `","Price":4.2}]}`)
		s.read()
		s.importAll()
		time.Sleep(2 * time.Hour) // a reading of changes begins a while before the newest, and is not to find this one
		other := s.newCustomer(`{"Name":"Later Deli"}`)
		s.sync(upstockcin7.JobPrices)
		time.Sleep(time.Minute)
		lost, err := s.pair().Mirror.Remove(s.ctx(), s.tenant, catalogue.OwnKind,
			[]string{mirror.Numbered(catalogue.OwnKind, id, 0).ID})
		s.must(err)
		s.edit("products", x, `{"PriceTier1":77.1}`)
		began := time.Now()
		s.sync(upstockcin7.JobPrices)
		if d := time.Since(began); lost != 1 || d > time.Hour {
			t.Errorf("%d rows were lost; it took %v", lost, d)
		}
		s.rest()
		s.agree(other)
	})
}

// Who pauses the catalogue has it stand still with the call that is under way, and then it goes on where it was.
func TestCatalogPausesBetweenCalls(t *testing.T) {
	t.Parallel()
	inShop(t, nil, func(s *shop) {
		s.importAll()
		time.Sleep(time.Minute)
		s.edit("products", s.coreProducts()[0].ID, `{"PriceTier1":77.1}`)
		synctest.Wait()
		before, paused := s.writes(), false
		s.around = func(_ *process, q *http.Request, call func() (*http.Response, error)) (*http.Response, error) {
			answer, err := call()
			if q.Method != http.MethodGet && !paused {
				paused = true
				s.must(s.pair().PauseFlow(s.ctx(), s.tenant, order.CatalogueFlow))
			}
			return answer, err
		}
		run, err := s.pair().SyncCatalog(s.ctx(), s.bundle(), upstockcin7.JobPrices)
		s.must(err)
		time.Sleep(time.Hour)
		synctest.Wait()
		now, err := s.pair().CatalogProgress(s.ctx(), s.bundle(), run.ID)
		s.must(err)
		if n := s.writes() - before; n != 1 || !strings.Contains(now.Problem, "Mary") {
			t.Errorf("%d writes, and %q", n, now.Problem)
		}
		s.must(s.pair().ResumeFlow(s.ctx(), s.tenant, order.CatalogueFlow))
		s.until(run)
		s.agree()
	})
}

func (s *shop) settings(patch string) {
	s.t.Helper()
	p := s.process("console").app
	req, err := http.NewRequest(http.MethodPatch, "http://x/api/v1/tenants/"+s.tenant+"/settings",
		strings.NewReader(patch))
	s.must(err)
	req.Header.Set("Authorization", "Bearer operator")
	req.Header.Set("Content-Type", "application/merge-patch+json")
	rec := httptest.NewRecorder()
	p.Console(nil).ServeHTTP(rec, req)
	if rec.Code >= 300 {
		s.t.Fatalf("settings: %d %s", rec.Code, rec.Body)
	}
}

// What Upstock refuses is listed with its reason, holds up nothing, and is told again after a change.
func TestCatalogRefusals(t *testing.T) {
	t.Parallel()
	inShop(t, nil, func(s *shop) {
		bad := s.newProduct(`{"SKU":"NEW-BAD","Name":"New Bad","PriceTier1":1}`)
		good := s.newProduct(`{"SKU":"NEW-GOOD","Name":"New Good","PriceTier1":1}`)
		s.read()
		s.must(s.simUpstock.RefuseItems(s.acc.Upstock.Supplier, simupstock.Refusal{Records: "products",
			ExternalID: strings.ToLower(bad), Error: "we do not like it"}))
		run, err := s.pair().ImportProducts(s.ctx(), s.bundle(), upstockcin7.Selection{IDs: []string{bad, good}})
		s.must(err)
		run = s.until(run)
		if run.Result["refused"] != 1 || len(run.Left) != 1 || !strings.Contains(run.Left[0].Why, "do not like") ||
			s.inUpstock(good) == nil {
			t.Fatalf("%v %+v", run.Result, run.Left)
		}
		needs, err := s.pair().CatalogNeeds(s.ctx(), s.bundle())
		s.must(err)
		v, err := s.pair().Product(s.ctx(), s.bundle(), bad)
		s.must(err)
		if needs.Refused != 1 || needs.RefusedOf[upstockcin7.JobProducts] != 1 ||
			v.Standing.State != "refused" || len(needs.Runs) == 0 {
			t.Errorf("%+v %+v", needs, v.Standing)
		}
		s.must(s.simUpstock.RefuseItems(s.acc.Upstock.Supplier))
		s.edit("products", bad, `{"Name":"New and better"}`)
		s.read()
		s.sync(upstockcin7.JobProducts)
		s.rest()
		s.sync(upstockcin7.JobPrices)
		time.Sleep(time.Hour)
		s.sync(upstockcin7.JobPrices)
		s.rest()
		s.agree(s.unimported(bad, good)...)
	})
}

// A token that is refused half-way parks the run; with a new one it goes on by itself.
func TestCatalogTokenRevoked(t *testing.T) {
	t.Parallel()
	inShop(t, nil, func(s *shop) {
		for i := range 250 {
			s.newProduct(fmt.Sprintf(`{"SKU":"P-%03d","Name":"Product %03d","PriceTier1":%d}`, i, i, i+1))
		}
		s.read()
		batches := 0
		s.mu.Lock()
		s.instead = func(req *http.Request, _ []byte) *http.Response {
			if strings.HasSuffix(req.URL.Path, "/products/batch") {
				batches++
			}
			if batches < 2 || !strings.Contains(req.URL.Path, sim.PrefixUpstock) {
				return nil
			}
			return answerJSON(http.StatusUnauthorized, `{"error":{"code":"unauthorized","message":"Unknown token"}}`)
		}
		s.mu.Unlock()
		run, err := s.pair().ImportProducts(s.ctx(), s.bundle(), upstockcin7.Selection{All: true})
		s.must(err)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		now, err := s.pair().CatalogProgress(s.ctx(), s.bundle(), run.ID)
		s.must(err)
		parked := now.State == ledger.ProgressWaiting && strings.Contains(now.Problem, "reconnecting")
		if !parked || len(s.upProducts()) < 100 {
			t.Fatalf("%+v, %d products", now, len(s.upProducts()))
		}
		if _, err := s.pair().SyncCatalog(s.ctx(), s.bundle(), upstockcin7.JobPrices); err == nil {
			t.Error("a run is asked for that cannot begin")
		}
		t.Logf("%s; %d of %d", now.Problem, now.Done, now.Of)
		s.mu.Lock()
		s.instead = nil
		s.mu.Unlock()
		_, _, err = s.process("console").app.Vendors.Connect(s.ctx(), s.tenant, tenant.Upstock, s.upKey())
		s.must(err)
		if done := s.until(run); done.State != ledger.ProgressDone {
			t.Fatalf("%+v", done)
		}
		s.importAll()
		s.agree()
	})
}

// Two workers at once, and a message that comes twice, do what one does.
func TestCatalogTwoWorkers(t *testing.T) {
	t.Parallel()
	inAnyShop(t, nil, func(s *shop) {
		for i := range 150 {
			s.newProduct(fmt.Sprintf(`{"SKU":"P-%03d","Name":"Product %03d","PriceTier1":%d}`, i, i, i+1))
		}
		s.read()
		run, err := s.pair().ImportProducts(s.ctx(), s.bundle(), upstockcin7.Selection{All: true})
		s.must(err)
		other, err := s.pair().SyncCatalog(s.ctx(), s.bundle(), upstockcin7.JobProducts)
		s.must(err)
		if other.ID != run.ID {
			t.Errorf("a second request does not join the first: %s, %s", run.ID, other.ID)
		}
		for range 3 {
			s.must(s.pair().Runner.Start(s.ctx(), s.tenant, upstockcin7.JobProducts, 0))
			s.must(s.pair().Runner.Start(s.ctx(), s.tenant, upstockcin7.JobPrices, 0))
		}
		before := s.writes()
		s.until(run)
		s.rest()
		posts := 0
		for _, c := range s.sim.Calls(sim.Upstock, "") {
			if c.Method == http.MethodPost && strings.HasSuffix(c.Path, "/products/batch") {
				posts++
			}
		}
		if posts > 3 {
			t.Errorf("150 products take %d calls", posts)
		}
		t.Logf("%d writes", s.writes()-before)
		s.importAll()
		s.agree()
	})
}

// Where another Cin7 Core account is connected, nothing of the first one's catalogue is touched; connected again, it
// goes on as it was.
func TestCatalogOfAnotherAccount(t *testing.T) {
	t.Parallel()
	inShop(t, nil, func(s *shop) {
		s.importAll()
		s.agree()
		was, first := len(s.upProducts()), s.acc
		second := s.sim.AddAccount("Other Roasters", "")
		app := s.process("console").app
		s.must(app.Vendors.Disconnect(s.ctx(), s.tenant, tenant.Cin7Core))
		s.acc.Cin7Core = second.Cin7Core
		_, _, err := app.Vendors.Connect(s.ctx(), s.tenant, tenant.Cin7Core, s.coreKey())
		s.must(err)
		before := s.writes()
		for range 3 * 60 {
			time.Sleep(time.Minute)
			s.tick()
		}
		s.rest()
		if n := s.writes() - before; n > 0 || len(s.upProducts()) != was {
			t.Errorf("the first one's catalogue is written to %d times: %s", n, s.lastWrites(n))
		}
		rows, _, err := s.pair().Products(s.ctx(), s.bundle(), upstockcin7.CatalogQuery{List: upstockcin7.Imported,
			Limit: 100})
		s.must(err)
		if len(rows) > 0 {
			t.Errorf("%d of the other one's products count as imported", len(rows))
		}
		s.must(s.process("console").app.Vendors.Disconnect(s.ctx(), s.tenant, tenant.Cin7Core))
		s.acc = first
		_, _, err = s.process("console").app.Vendors.Connect(s.ctx(), s.tenant, tenant.Cin7Core, s.coreKey())
		s.must(err)
		for range 3 * 60 {
			time.Sleep(time.Minute)
			s.tick()
		}
		s.atRest("connected again")
	})
}

// Erased with the tenant is all that is kept of its catalogue.
func TestCatalogErased(t *testing.T) {
	t.Parallel()
	inShop(t, nil, func(s *shop) {
		s.importAll()
		left := func() (list []string) {
			for _, kind := range strings.Fields("chosen#products chosen#customers imports#products " +
				"imports#customers pricechanges told#upstockProducts told#upstockCustomers told#upstockLists " +
				"told#upstockPrices") {
				page, err := s.store.Query(s.ctx(), table.Query{PK: "T#" + s.tenant + "#" + kind})
				s.must(err)
				if len(page.Items) > 0 {
					list = append(list, kind)
				}
			}
			return list
		}
		if n := len(left()); n < 5 {
			t.Errorf("only %d kinds of items are kept", n)
		}
		s.must(s.pair().Erase(s.ctx(), s.tenant))
		if list := left(); len(list) > 0 {
			t.Errorf("left: %v", list)
		}
	})
}
