package upstockcin7_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/ledger"
	"stockbridge/internal/mirror"
	"stockbridge/internal/sim"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/vendor"
)

// A shop is a world whose catalogue is told to Upstock. What Upstock should hold is computed here from the books of
// the simulated Cin7 Core alone, customer by customer, and compared with the books of the simulated Upstock.
type shop struct{ *world }

// inShop runs f in a world of its own with a tenant that has just been connected: the base's was told of the books of
// another one. before, if any, sees to the books before they are read.
func inShop(t *testing.T, before func(s *shop), f func(s *shop)) {
	t.Helper()
	testsize.Sampled(t)
	inAnyShop(t, before, f)
}

// inAnyShop is inShop for what works at once: no sample leaves it out.
func inAnyShop(t *testing.T, before func(s *shop), f func(s *shop)) {
	t.Helper()
	bubble(t, func() {
		box, err := tenant.NewBox(bytes.Repeat([]byte{7}, 32))
		if err != nil {
			t.Fatal(err)
		}
		w := &world{t: t, box: box, seen: map[string]int{}}
		w.open(sim.Options{Seed: "proof", Deliver: deliverer{w}})
		if w.store, err = table.Open(filepath.Join(t.TempDir(), "shop.db"), table.Options{NoSync: true}); err != nil {
			t.Fatal(err)
		}
		defer w.close()
		defer time.Sleep(10 * time.Minute) // let all work end, whatever the test came to
		s := &shop{world: w}
		if before != nil {
			before(s)
		}
		s.connect()
		f(s)
	})
}

// connect makes the tenant, connects both systems, and lets the records be read.
func (s *shop) connect() {
	s.t.Helper()
	p := s.process("console")
	made, _, err := p.app.Tenants.Create(s.ctx(), "Harbour Roasters", "Pacific/Auckland")
	s.must(err)
	s.tenant = made.ID
	_, _, err = p.app.Vendors.Connect(s.ctx(), made.ID, tenant.Upstock, s.upKey())
	s.must(err)
	_, _, err = p.app.Vendors.Connect(s.ctx(), made.ID, tenant.Cin7Core, s.coreKey())
	s.must(err)
	time.Sleep(5 * time.Minute)
	if m := s.mirrored(); m.State != mirror.Ready {
		s.t.Fatalf("the mirror is not ready: %+v", m)
	}
	s.rest()
}

func (s *shop) upKey() vendor.Credentials {
	return vendor.Credentials{Key: tenant.Secret(s.acc.Upstock.Token)}
}

func (s *shop) bundle() tenant.Bundle {
	s.t.Helper()
	b, err := s.process("console").app.Tenants.Load(context.Background(), s.tenant)
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

func (s *shop) pair() *upstockcin7.Pair { return s.process("console").app.Pair }

// ctx is that of a person.
func (s *shop) ctx() context.Context { return ledger.WithActor(context.Background(), "Mary") }

func (s *shop) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// until lets time pass, with schedules each hour, until a run has ended.
func (s *shop) until(run *ledger.Progress) *ledger.Progress {
	s.t.Helper()
	for range 12 * 60 {
		synctest.Wait()
		now, err := s.pair().CatalogProgress(context.Background(), s.bundle(), run.ID)
		s.must(err)
		if !now.IsOpen() {
			return now
		}
		time.Sleep(time.Minute)
		s.tick()
	}
	now, _ := s.pair().CatalogProgress(context.Background(), s.bundle(), run.ID)
	s.t.Fatalf("after 12 hours it is not done: %+v", now)
	return nil
}

// tick starts what schedules start in a minute.
func (s *shop) tick() {
	if time.Now().Minute() != 0 {
		return
	}
	for _, job := range []string{upstockcin7.JobProducts, upstockcin7.JobCustomers, upstockcin7.JobPrices} {
		s.process("schedule").app.Schedule(context.Background(), json.RawMessage(`{"job":"`+job+`"}`))
	}
}

// rest lets the jobs come to rest: none has a run that is under way.
func (s *shop) rest() {
	s.t.Helper()
	for range 24 * 60 {
		synctest.Wait()
		s.mu.Lock()
		busy := s.flying > 0 || s.late > 0
		s.mu.Unlock()
		l := ledger.New(s.store)
		for _, kind := range []string{upstockcin7.JobProducts, upstockcin7.JobCustomers, upstockcin7.JobPrices} {
			last, err := l.LastProgress(context.Background(), s.tenant, kind)
			busy = busy || err == nil && last.IsOpen()
		}
		if !busy {
			return
		}
		time.Sleep(time.Minute)
		s.tick()
	}
	s.t.Fatal("the jobs do not come to rest")
}

// sync has a job run, and returns what came of it.
func (s *shop) sync(kind string) *ledger.Progress {
	s.t.Helper()
	run, err := s.pair().SyncCatalog(s.ctx(), s.bundle(), kind)
	s.must(err)
	return s.until(run)
}

// importAll imports all products and customers, and has everything told.
func (s *shop) importAll() {
	s.t.Helper()
	run, err := s.pair().ImportProducts(s.ctx(), s.bundle(), upstockcin7.Selection{All: true})
	s.must(err)
	s.until(run)
	run, err = s.pair().ImportCustomers(s.ctx(), s.bundle(), upstockcin7.Selection{All: true})
	s.must(err)
	s.until(run)
	s.rest()
}

// coreProduct, coreCustomer, upProduct … are records of the simulators' books, as this test reads them.
type coreProduct struct {
	ID, SKU, Name, Description, ShortDescription, Category, Brand, UOM, Barcode, Type, Status string
	Sellable                                                                                  bool
	PriceTier1, PriceTier2, PriceTier3, PriceTier4, PriceTier5                                decimal.Decimal
	PriceTier6, PriceTier7, PriceTier8, PriceTier9, PriceTier10                               decimal.Decimal
}

func (p coreProduct) tiers() []decimal.Decimal {
	return []decimal.Decimal{p.PriceTier1, p.PriceTier2, p.PriceTier3, p.PriceTier4, p.PriceTier5, p.PriceTier6,
		p.PriceTier7, p.PriceTier8, p.PriceTier9, p.PriceTier10}
}

func (p coreProduct) sold() bool {
	return p.Type != "Service" && p.Status == "Active" && p.Sellable && strings.TrimSpace(p.SKU) != ""
}

type coreCustomer struct {
	ID, Name, Currency, PriceTier, Status string
	Discount                              decimal.Decimal
	ProductPrices                         []struct {
		ProductID string
		Price     decimal.Decimal
	}
}

type upProduct struct {
	ID                                      int
	ExternalID, SKU, Name, Category, Status string
	Price                                   *string
}

type upCustomer struct {
	ID                  int
	ExternalID, Name    string
	PriceListExternalID *string
	Active              bool
}

type upList struct {
	ExternalID, Name, Currency string
	Prices                     map[string]string
}

func items[T any](s *shop, path string) (list []T) {
	s.t.Helper()
	var answer struct{ Items []T }
	s.must(json.Unmarshal(s.control(http.MethodGet, path, ""), &answer))
	return answer.Items
}

func (s *shop) coreAt() string { return "?account=" + s.acc.Cin7Core.AccountID }
func (s *shop) upAt() string   { return "?supplier=" + strconv.Itoa(s.acc.Upstock.Supplier) }

func (s *shop) coreProducts() []coreProduct {
	return items[coreProduct](s, "/sim/cin7core/products"+s.coreAt())
}
func (s *shop) coreCustomers() []coreCustomer {
	return items[coreCustomer](s, "/sim/cin7core/customers"+s.coreAt())
}
func (s *shop) upProducts() []upProduct { return items[upProduct](s, "/sim/upstock/products"+s.upAt()) }
func (s *shop) upCustomers() []upCustomer {
	return items[upCustomer](s, "/sim/upstock/customers"+s.upAt())
}
func (s *shop) upLists() []upList { return items[upList](s, "/sim/upstock/price-lists"+s.upAt()) }

// newProduct and newCustomer make records in the simulated Cin7 Core, and return their ids.
func (s *shop) newProduct(doc string) string {
	s.t.Helper()
	return s.made("/sim/cin7core/products", doc)
}

func (s *shop) newCustomer(doc string) string {
	s.t.Helper()
	return s.made("/sim/cin7core/customers", doc)
}

func (s *shop) made(path, doc string) string {
	s.t.Helper()
	var answer struct{ Items []struct{ ID string } }
	s.must(json.Unmarshal(s.control(http.MethodPost, path+s.coreAt(), doc), &answer))
	return answer.Items[0].ID
}

func (s *shop) edit(what, id, doc string) {
	s.t.Helper()
	s.control(http.MethodPut, "/sim/cin7core/"+what+"/"+id, doc)
}

// writes counts the calls of Upstock's catalogue that wrote something, since the count before.
func (s *shop) writes() int {
	n := 0
	for _, c := range s.sim.Calls(sim.Upstock, "") {
		if c.Method != http.MethodGet {
			n++
		}
	}
	return n
}

// differences compares Upstock's books with what Cin7 Core's say it should hold, of what is imported: all but what
// keeps away. "" = they agree.
func (s *shop) differences(away ...string) string {
	s.t.Helper()
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	sold := s.compareProducts(away, say)
	s.compareCustomers(away, sold, say)
	return strings.Join(wrong[:min(len(wrong), 12)], "\n")
}

func (s *shop) compareProducts(away []string, say func(string, ...any)) (sold []coreProduct) {
	ups := map[string]upProduct{}
	for _, p := range s.upProducts() {
		if _, twice := ups[p.ExternalID]; twice && p.ExternalID != "" {
			say("product %s is in Upstock twice", p.SKU)
		}
		ups[p.ExternalID] = p
	}
	known := map[string]bool{}
	for _, p := range s.coreProducts() {
		id := strings.ToLower(p.ID)
		known[id] = true
		up, there := ups[id]
		price := "<nil>"
		if p.PriceTier1.IsPositive() {
			price = p.PriceTier1.Round(4).String()
		}
		switch {
		case slices.Contains(away, p.ID):
		case !p.sold():
			if there && up.Status != "discontinued" {
				say("product %s is %s, and in Upstock %s", p.SKU, p.Status, up.Status)
			}
		case !there:
			say("product %s is not in Upstock", p.SKU)
		case up.SKU != p.SKU || up.Name != p.Name || up.Status != "available" || same(up.Price) != price:
			say("product %s %q %s is %s %q %s %s in Upstock", p.SKU, p.Name, price, up.SKU, up.Name, same(up.Price),
				up.Status)
		}
		if p.sold() && !slices.Contains(away, p.ID) {
			sold = append(sold, p)
		}
	}
	for id, up := range ups {
		if id != "" && !known[id] && up.Status != "discontinued" {
			say("product %s is gone from Cin7 Core, and in Upstock %s", up.SKU, up.Status)
		}
	}
	return sold
}

// same is a price as a number.
func same(price *string) string {
	if price == nil {
		return "<nil>"
	}
	return decimal.RequireFromString(*price).String()
}

func (s *shop) compareCustomers(away []string, sold []coreProduct, say func(string, ...any)) {
	ups, used := map[string]upCustomer{}, map[string]bool{}
	for _, c := range s.upCustomers() {
		if _, twice := ups[c.ExternalID]; twice && c.ExternalID != "" {
			say("customer %s is in Upstock twice", c.Name)
		}
		ups[c.ExternalID] = c
	}
	lists := map[string]upList{}
	for _, l := range s.upLists() {
		lists[l.ExternalID] = l
	}
	tiers := items[struct {
		Code int
		Name string
	}](s, "/sim/cin7core/tiers"+s.coreAt())
	byName := map[string]int{}
	for _, t := range tiers {
		byName[t.Name] = cmp.Or(map[bool]int{true: -1}[byName[t.Name] != 0], t.Code)
	}
	for _, c := range s.coreCustomers() {
		up, there := ups[strings.ToLower(c.ID)]
		switch {
		case slices.Contains(away, c.ID):
			continue
		case c.Status != "Active":
			if there && up.Active {
				say("customer %s is %s, and active in Upstock", c.Name, c.Status)
			}
			continue
		case !there:
			say("customer %s is not in Upstock", c.Name)
			continue
		case !up.Active || up.Name != c.Name:
			say("customer %q is %q in Upstock, active %v", c.Name, up.Name, up.Active)
			continue
		case c.Currency != "NZD":
			if up.PriceListExternalID != nil {
				say("customer %s is in %s, and has the list %s", c.Name, c.Currency, *up.PriceListExternalID)
			}
			continue
		case up.PriceListExternalID == nil:
			say("customer %s has no price list", c.Name)
			continue
		}
		l, there := lists[*up.PriceListExternalID]
		if !there {
			say("customer %s has the list %s, which is not there", c.Name, *up.PriceListExternalID)
			continue
		}
		used[l.ExternalID] = true
		for _, p := range sold {
			want, has := priceOf(c, byName[c.PriceTier], p), "<nil>"
			if text, ok := l.Prices[strings.ToLower(p.ID)]; ok {
				has = decimal.RequireFromString(text).String()
			}
			if want != has {
				say("customer %s, product %s: %s in Upstock (%s), and should be %s", c.Name, p.SKU, has,
					l.ExternalID, want)
			}
		}
		for id := range l.Prices {
			if !slices.ContainsFunc(sold, func(p coreProduct) bool { return strings.EqualFold(p.ID, id) }) {
				say("list %s has a price of %s, which is not sold", l.ExternalID, id)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(lists)) {
		if !used[id] {
			say("nobody has the list %s", id)
		}
	}
}

// priceOf is what a customer pays for a product by Cin7 Core's books: the own price, else the tier's, less the
// discount, to four decimals.
func priceOf(c coreCustomer, tier int, p coreProduct) string {
	base := decimal.Zero
	if tier > 0 {
		base = p.tiers()[tier-1]
	}
	if tier <= 0 || !base.IsPositive() {
		base = decimal.NewFromInt(-1)
	}
	for _, own := range c.ProductPrices {
		if strings.EqualFold(own.ProductID, p.ID) {
			base = own.Price
		}
	}
	if base.IsNegative() {
		return "<nil>"
	}
	price := base.Mul(decimal.NewFromInt(100).Sub(c.Discount)).Div(decimal.NewFromInt(100)).Round(4)
	if !price.IsPositive() { // it would be given away, and is held
		return "<nil>"
	}
	return price.String()
}

func (s *shop) agree(away ...string) {
	s.t.Helper()
	if wrong := s.differences(away...); wrong != "" {
		s.t.Fatalf("the two sides do not agree:\n%s", wrong)
	}
}

func TestCatalogIsImportedAndFollows(t *testing.T) {
	t.Parallel()
	inShop(t, nil, func(s *shop) {
		s.importAll()
		t.Logf("%d products, %d customers, %d lists; %d writes", len(s.upProducts()), len(s.upCustomers()),
			len(s.upLists()), s.writes())
		s.agree()

		before := s.writes()
		for _, kind := range []string{upstockcin7.JobProducts, upstockcin7.JobCustomers, upstockcin7.JobPrices} {
			s.sync(kind)
		}
		if n := s.writes() - before; n > 0 {
			t.Fatalf("an unchanged catalogue costs %d writes", n)
		}

		x := s.coreProducts()[0]
		before = s.writes()
		s.edit("products", x.ID, `{"PriceTier1":77.1}`)
		s.sync(upstockcin7.JobPrices)
		s.agree()
		if n, want := s.writes()-before, 1+s.listsWith(x.ID, "77.1"); n != want {
			t.Errorf("one changed price costs %d writes, want %d: the product and each list", n, want)
		}
	})
}
