package catalogue

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/publish"
	"stockbridge/internal/sim"
	simupstock "stockbridge/internal/sim/upstock"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstock"
)

// shop is a tenant whose catalogue is told to a simulated Upstock.
type shop struct {
	t      *testing.T
	sim    *sim.Sim
	up     *upstock.Client
	runner *job.Runner
	*publish.Publisher
	tenant string
	sent   []queued
	last   error // of the last part

	account account
	images  map[string]string
	refuse  func(record map[string]any) string // why Upstock refuses a record of a batch; "" = it does not
	mangle  func(results []any) []any          // what becomes of an answer to a batch; nil = nothing
	calls   []string                           // writes that arrived
}

type queued struct {
	job.Message
	at time.Time
}

// play runs a test in a bubble.
func play(t *testing.T, f func(t *testing.T, s *shop)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "table.db")
	synctest.Test(t, func(t *testing.T) {
		file, err := table.Open(path, table.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		world, err := sim.New(sim.Options{Seed: "catalogue"}, simupstock.New())
		if err != nil {
			t.Fatal(err)
		}
		defer world.Close()
		f(t, open(t, file, world))
	})
}

func open(t *testing.T, file table.Table, world *sim.Sim) *shop {
	t.Helper()
	box, err := tenant.NewBox(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{t: t, sim: world, images: map[string]string{}}
	acc := world.AddAccount("Kauri Wholesale", "NZD")
	s.up = upstock.New("http://sim"+sim.PrefixUpstock, s, nil, acc.Upstock.Token)
	s.up.Timeout = 20 * time.Second
	journal, tenants := ledger.New(file), tenant.NewStore(file, box)
	s.Publisher = publish.New(file, journal, publish.DefaultTimes())
	s.runner = &job.Runner{
		Verdicts: &job.Verdicts{Tenants: tenants, Ledger: journal, Now: time.Now, Times: job.DefaultTimes()},
		Kinds: []job.Kind{{Name: "prices", Needs: []tenant.System{tenant.Upstock}, List: tenant.Upstock,
			Every: time.Hour, Queue: job.Catalog, Run: s.run}},
		Send: func(_ context.Context, _ job.Queue, m job.Message, delay time.Duration) error {
			s.sent = append(s.sent, queued{m, time.Now().Add(delay)})
			return nil
		},
	}
	made, _, err := tenants.Create(t.Context(), "Kauri Wholesale", "")
	if err != nil {
		t.Fatal(err)
	}
	s.tenant = made.ID
	_, _, err = tenants.Connect(t.Context(), s.tenant, tenant.Upstock,
		func(c *tenant.Connection, keys *tenant.Secrets) error {
			c.Account, keys.Key = "1", "a-key"
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sets are the four sets, in the order in which they are told.
func (s *shop) sets() []publish.Set {
	src := s.account.source()
	return []publish.Set{
		{Name: "p", Account: "1", Title: "products", Want: src.WantProducts, Label: ProductLabel,
			To: ProductSide{Client: s.up, Images: func(context.Context, []string) (map[string]string, error) {
				return s.images, nil
			}}},
		{Name: "l", Account: "1", Title: "price lists", Want: src.WantLists, To: ListSide{s.up}, Label: ListLabel},
		{Name: "r", Account: "1", Title: "prices", Want: src.WantPrices, To: PriceSide{Client: s.up},
			Hold: src.Rules.Settings.Hold},
		{Name: "c", Account: "1", Title: "customers", Want: src.WantCustomers, To: CustomerSide{s.up},
			Label: CustomerLabel},
	}
}

func (s *shop) run(ctx context.Context, part *job.Part) error {
	for _, set := range s.sets() {
		if _, err := s.Sync(ctx, part, set); err != nil {
			s.last = err
			return err
		}
	}
	s.last = nil
	return nil
}

// sync starts a run an hour later, and lets it come to rest.
func (s *shop) sync() {
	s.t.Helper()
	time.Sleep(time.Hour)
	s.sent = append(s.sent, queued{job.Message{Job: "prices", Tenant: s.tenant, At: time.Now().UTC()}, time.Now()})
	for n := 0; len(s.sent) > 0; n++ {
		if n == 500 {
			s.t.Fatalf("it comes to no rest: %v", s.last)
		}
		slices.SortStableFunc(s.sent, func(a, b queued) int { return a.at.Compare(b.at) })
		m := s.sent[0]
		s.sent = s.sent[1:]
		time.Sleep(time.Until(m.at))
		if s.runner.Do(context.Background(), m.Message) != nil { // the queue repeats it
			s.sent = append(s.sent, queued{m.Message, time.Now().Add(6 * time.Minute)})
		}
	}
}

// RoundTrip carries calls to the simulated Upstock, which refuses some records of a batch, and mangles answers.
func (s *shop) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodGet {
		return s.sim.Transport().RoundTrip(req)
	}
	s.calls = append(s.calls, req.Method+" "+strings.TrimPrefix(req.URL.Path, sim.PrefixUpstock))
	if !strings.HasSuffix(req.URL.Path, "/batch") || s.refuse == nil && s.mangle == nil {
		return s.sim.Transport().RoundTrip(req)
	}
	var body map[string][]map[string]any
	if err := json.NewDecoder(req.Body).Decode(&body); err != nil {
		return nil, err
	}
	var said []any
	for name, records := range body {
		body[name] = slices.DeleteFunc(records, func(r map[string]any) bool {
			why := ""
			if s.refuse != nil {
				why = s.refuse(r)
			}
			if why != "" {
				id := cmp.Or(r["externalId"], r["productExternalId"])
				said = append(said, map[string]any{"externalId": id, "outcome": "failed", "error": why})
			}
			return why != ""
		})
		if len(body[name]) == 0 {
			return answer(req, map[string]any{"results": said}), nil
		}
	}
	data, _ := json.Marshal(body)
	req = req.Clone(req.Context())
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
	resp, err := s.sim.Transport().RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	var answered map[string][]any
	whole, _ := io.ReadAll(resp.Body)
	if json.Unmarshal(whole, &answered) != nil {
		resp.Body = io.NopCloser(bytes.NewReader(whole))
		return resp, nil
	}
	results := append(answered["results"], said...)
	if s.mangle != nil {
		results = s.mangle(results)
	}
	return answer(req, map[string]any{"results": results}), nil
}

func answer(req *http.Request, body any) *http.Response {
	data, _ := json.Marshal(body)
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader(data)), Request: req}
}

// holds is what Upstock holds of the catalogue.
func (s *shop) holds() told {
	s.t.Helper()
	s.sim.ClearFaults(sim.Upstock)
	w := told{products: map[string]upstock.Product{}, customers: map[string]upstock.CustomerRecord{},
		lists: map[string]upstock.PriceList{}, prices: map[string]map[string]string{}}
	fail := func(err error) {
		if err != nil {
			s.t.Fatal(err)
		}
	}
	for p, err := range s.up.Products(s.t.Context()) {
		fail(err)
		w.products[p.ExternalID] = p
	}
	for c, err := range s.up.Customers(s.t.Context()) {
		fail(err)
		w.customers[c.ExternalID] = c
	}
	for l, err := range s.up.PriceLists(s.t.Context()) {
		fail(err)
		w.lists[l.ExternalID], w.prices[l.ExternalID] = l, map[string]string{}
		for p, err := range s.up.Prices(s.t.Context(), l.ExternalID) {
			fail(err)
			w.prices[l.ExternalID][p.ProductExternalID] = upstock.PriceText(*p.Price)
		}
	}
	return w
}

// agree holds that Upstock has what is wanted, but for the prices that are held; those who went are marked.
func (s *shop) agree() {
	s.t.Helper()
	want, got := toldOf(s.t, s.account.source()), s.holds()
	for id, p := range want.products {
		mine := got.products[id]
		mine.ImageURL, p.ImageURL = "", ""
		if string(dataOf(mine)) != string(dataOf(p)) {
			s.t.Errorf("product %s is %s, want %s", id, dataOf(mine), dataOf(p))
		}
	}
	for _, p := range s.account.products {
		id := strings.ToLower(p.ID)
		if _, wanted := want.products[id]; !wanted && got.products[id].Status == upstock.Available {
			s.t.Errorf("product %s is available still", id)
		}
	}
	for id, c := range want.customers {
		if string(dataOf(got.customers[id])) != string(dataOf(c)) {
			s.t.Errorf("customer %s is %s, want %s", id, dataOf(got.customers[id]), dataOf(c))
		}
	}
	for _, c := range s.account.customers {
		id := strings.ToLower(c.ID)
		if _, wanted := want.customers[id]; !wanted && (got.customers[id].Active ||
			got.customers[id].PriceListExternalID != "") {
			s.t.Errorf("customer %s is there still: %s", id, dataOf(got.customers[id]))
		}
	}
	if len(got.lists) != len(want.lists) {
		s.t.Errorf("%d lists, want %d", len(got.lists), len(want.lists))
	}
	for id, l := range want.lists {
		if got.lists[id] != l {
			s.t.Errorf("list %s is %v, want %v", id, got.lists[id], l)
		}
		for product, price := range want.prices[id] {
			if held := givenAway(dec(price)) != ""; !held && got.prices[id][product] != price {
				s.t.Errorf("list %s has %q for %s, want %q", id, got.prices[id][product], product, price)
			}
		}
		for product, price := range got.prices[id] {
			if _, wanted := want.prices[id][product]; !wanted {
				s.t.Errorf("list %s has %q for %s, which has no price", id, price, product)
			}
		}
	}
}

// small is an account with a few of everything.
func small() account {
	a := account{rules: Rules{Currency: "NZD", Tiers: tiersOf("Retail", "Wholesale"), Settings: DefaultSettings()}}
	for n := range 3 {
		p := cin7core.Product{ID: guid(1, n), SKU: fmt.Sprint("SKU-", n), Name: fmt.Sprint("Product ", n),
			Type: "Stock", Status: "Active"}
		p.PriceTier1, p.PriceTier2 = dec("20"), dec("12.46")
		a.products = append(a.products, p)
	}
	for n, tier := range []string{"Retail", "Wholesale", "Wholesale"} {
		a.customers = append(a.customers, cin7core.Customer{ID: guid(2, n), Name: fmt.Sprint("Customer ", n),
			Currency: "NZD", PriceTier: tier, Status: "Active"})
	}
	a.customers[2].ProductPrices = []cin7core.ProductPrice{{ProductID: guid(1, 1), Price: dec("9.99")}}
	return a
}

// TestSides: a catalogue is told; what goes is marked once under its own name; an unchanged one makes no call.
func TestSides(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.account = small()
		s.account.customers[2].Name = strings.Repeat("語", 256)
		s.account.rules.Settings.ProductImages = true
		s.account.products[0].Attachments = []cin7core.Attachment{{ID: guid(3, 1), ContentType: "image/png",
			DownloadURL: "https://files.example.com/1?sig=a"}}
		first, gone := strings.ToLower(guid(1, 0)), strings.ToLower(guid(1, 2))
		s.images[first] = "https://files.example.com/1?sig=b"
		s.sync()
		s.agree()
		if got := s.holds().products[first].ImageURL; got != s.images[first] {
			t.Errorf("image %q", got)
		}
		s.calls = nil
		s.account.products[0].Attachments[0].DownloadURL = "https://files.example.com/1?sig=c"
		if s.sync(); len(s.calls) > 0 {
			t.Errorf("nothing changed: %q", s.calls)
		}

		// A changed price costs a write for each list that holds it; another for the default price.
		s.account.products[1].PriceTier2 = dec("13")
		s.sync()
		s.agree()
		if len(s.calls) != 1 || s.calls[0] != "POST /price-lists/tier:2/prices/batch" {
			t.Errorf("%q", s.calls)
		}
		s.calls = nil
		s.account.products[0].PriceTier1 = dec("21")
		s.sync()
		s.agree()
		if len(s.calls) != 2 {
			t.Errorf("%q", s.calls)
		}

		// A product that goes, and a customer; their prices and list go too.
		s.calls = nil
		s.account.products[2].Status = "Deprecated"
		s.account.products[2].Name = "(old) Product 2"
		s.account.customers[0].Status = "Deprecated"
		s.sync()
		s.sync() // the list can go when the customer has
		s.agree()
		if p := s.holds().products[gone]; p.Status != upstock.Discontinued || p.Name != "Product 2" {
			t.Errorf("%+v", p)
		}
		s.calls = nil
		s.account.products[2].Name = "(older) Product 2"
		if s.sync(); len(s.calls) > 0 {
			t.Errorf("what is gone is told: %q", s.calls)
		}

		// It comes back.
		s.account.products[2].Status = "ACTIVE"
		s.account.customers[0].Status = "Active"
		s.sync()
		s.agree()

		// A deprecated one that never was there is never told.
		p := s.account.products[0]
		p.ID, p.SKU, p.Status = guid(1, 9), "SKU-9", "Deprecated"
		s.account.products = append(s.account.products, p)
		if s.calls = nil; true {
			s.sync()
		}
		if _, there := s.holds().products[strings.ToLower(p.ID)]; there || len(s.calls) > 0 {
			t.Errorf("%q", s.calls)
		}

		// A tier is renamed: its list keeps its id.
		s.calls = nil
		s.account.rules.Tiers[1].Name = "Trade"
		s.account.customers[1].PriceTier, s.account.customers[2].PriceTier = "Trade", "Trade"
		s.sync()
		s.agree()
		if fmt.Sprint(s.calls) != "[PUT /price-lists/tier:2]" || s.holds().lists["tier:2"].Name != "Trade" {
			t.Errorf("%q", s.calls)
		}
	})
}

// TestSidesRefuse: what Upstock refuses of a batch is listed with its reason. A price whose product was refused follows
// when the product is there.
func TestSidesRefuse(t *testing.T) {
	play(t, func(t *testing.T, s *shop) {
		s.account = small()
		s.account.products[2].SKU = "sku-1 "
		const why = "another product has this sku"
		s.refuse = func(r map[string]any) string {
			if r["sku"] == "sku-1" {
				return why
			}
			return ""
		}
		s.sync()
		notable := func(n int) (said []string) {
			for e, err := range s.Notable(t.Context(), s.tenant, s.sets()[n], publish.Key{}) {
				if err != nil {
					t.Fatal(err)
				}
				said = append(said, string(e.State)+": "+e.Why)
			}
			return said
		}
		if got := notable(0); len(got) != 1 || got[0] != "refused: "+why {
			t.Errorf("%q", got)
		}
		if got := notable(2); len(got) != 3 || got[0] != "refused: no such product" {
			t.Errorf("%q", got)
		}
		s.account.products[2].SKU = "SKU-2"
		s.sync()
		s.agree()
		for n := range s.sets() {
			if got := notable(n); got != nil {
				t.Errorf("%d: %q", n, got)
			}
		}

		// A list that goes, and nobody hears that it is gone.
		s.account.customers[0].PriceTier = "Wholesale"
		s.sync()
		if err := s.sim.Fault(sim.Upstock, sim.Fault{Match: "DELETE /price-lists/*", Kind: "after"}); err != nil {
			t.Fatal(err)
		}
		s.sync()
		s.agree()
		if got := notable(1); got != nil {
			t.Errorf("%q", got)
		}

		// A list that somebody removed in Upstock.
		var missing []string
		if err := s.up.DeletePriceList(t.Context(), strings.ToLower("customer:"+guid(2, 2))); err == nil {
			t.Fatal("a list with a customer was removed")
		}
		side := PriceSide{Client: s.up, Missing: func(_ context.Context, list string) error {
			missing = append(missing, list)
			return nil
		}}
		batch := []publish.Telling{{Record: publish.Record{Key: publish.Key{Group: "gone", ID: "a"}}},
			{Record: publish.Record{Key: publish.Key{Group: "gone", ID: "b"}, Data: priceData("1.00")}}}
		a, err := side.Put(t.Context(), batch)
		if err != nil || len(a.Results) != 2 || a.Results[0] != (publish.Result{ID: "a"}) ||
			a.Results[1].Refused == "" || a.Results[1].Due.IsZero() || len(missing) != 1 {
			t.Errorf("%+v %v %q", a, err, missing)
		}
		a, err = side.Put(t.Context(), batch[:1])
		if err != nil || len(a.Results) != 1 || a.Results[0].Refused != "" || len(missing) != 1 {
			t.Errorf("%+v %v %q", a, err, missing)
		}
	})
}

// TestHold: what would be given away waits, on the first import too; and changes beyond the setting.
func TestHold(t *testing.T) {
	const beyond = " Changes of more than "
	for _, c := range []struct{ percent, was, price, want string }{
		{"", "10.00", "1000.00", ""},
		{"", "", "0.00", "The price would be 0.00: that would give the product away."},
		{"", "10.00", "-1.50", "The price would be -1.50: that would give the product away."},
		{"20", "", "5.00", ""},
		{"20", "10.00", "12.00", ""},
		{"20", "10.00", "8.00", ""},
		{"20", "10.00", "12.0001", "From 10.00 to 12.0001, which is 20 % more." + beyond + "20 % wait for a yes."},
		{"20", "10.00", "7.9999", "From 10.00 to 7.9999, which is 20 % less." + beyond + "20 % wait for a yes."},
		{"12.5", "8.00", "16.00", "From 8.00 to 16.00, which is 100 % more." + beyond + "12.5 % wait for a yes."},
		{"0", "8.00", "8.01", "From 8.00 to 8.01, which is 0.1 % more." + beyond + "0 % wait for a yes."},
		{"50", "0.00", "8.00", "From 0.00 to 8.00." + beyond + "50 % wait for a yes."},
		{"50", "8.00", "", ""},
	} {
		s := DefaultSettings()
		if c.percent != "" {
			s.PriceHoldPercent.Decimal, s.PriceHoldPercent.Valid = dec(c.percent), true
		}
		change := publish.Change{}
		if c.price != "" {
			change.Data = priceData(c.price)
		}
		if c.was != "" {
			change.Was = priceData(c.was)
		}
		if got := s.Hold(change); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// TestSidesMonth: an account is edited at random while answers are lost, come late or are nonsense. At rest Upstock
// holds what it should, and another run makes no call.
func TestSidesMonth(t *testing.T) {
	t.Parallel()
	for seed := range uint64(testsize.Of(60, 2, 1)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			play(t, func(t *testing.T, s *shop) { month(t, s, rand.New(rand.NewPCG(seed, 8))) })
		})
	}
}

func month(t *testing.T, s *shop, r *rand.Rand) {
	s.account = made(r, 20, 40)
	for n := range s.account.customers {
		if s.account.customers[n].Discount.GreaterThan(dec("100")) { // no price of Upstock's is below 0
			s.account.customers[n].Discount = dec("20")
		}
	}
	for range 12 {
		s.edit(r)
		for range r.IntN(4) {
			s.spoil(r)
		}
		s.mangle = nil
		if r.IntN(3) == 0 {
			s.mangle = nonsense(r)
		}
		s.sync()
		s.sim.ClearFaults(sim.Upstock)
		s.mangle = nil
		s.sync() // lists go when their customers have, and prices follow their products
		s.sync()
		if s.agree(); t.Failed() {
			return
		}
		s.calls = nil
		if s.sync(); len(s.calls) > 0 {
			t.Fatalf("at rest it calls %q", s.calls)
		}
	}
}

// edit changes something in Cin7 Core.
func (s *shop) edit(r *rand.Rand) {
	a := &s.account
	other := made(r, 20, 40)
	for range 1 + r.IntN(8) {
		i, j := r.IntN(len(a.products)), r.IntN(len(a.customers))
		switch r.IntN(6) {
		case 0:
			a.products[i].TierPrices = other.products[i].TierPrices
		case 1:
			a.products[i].Status, a.products[i].Type = other.products[i].Status, other.products[i].Type
		case 2:
			a.customers[j].PriceTier, a.customers[j].Status = other.customers[j].PriceTier, other.customers[j].Status
		case 3:
			a.customers[j].ProductPrices = other.customers[j].ProductPrices
		case 4:
			a.products[i].Name += "!"
			a.customers[j].Name += "!"
		case 5:
			a.rules.Tiers[r.IntN(3)].Name = []string{"Retail", "Wholesale", "Café", "Trade"}[r.IntN(4)]
		}
	}
}

// spoil has some of the next calls go wrong.
func (s *shop) spoil(r *rand.Rand) {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	f := sim.Fault{Match: pick("POST /products/batch", "POST /customers/batch", "POST /price-lists/*/prices/batch",
		"PUT /price-lists/*", "DELETE /price-lists/*", "*"),
		Kind:    pick("before", "after", "late", "slow", "throttle", "html"),
		Seconds: float64(r.IntN(60)), Times: 1 + r.IntN(3), Skip: r.IntN(4)}
	if f.Kind == "before" || f.Kind == "after" {
		f.How = pick("", "502")
	}
	if err := s.sim.Fault(sim.Upstock, f); err != nil {
		s.t.Fatal(err)
	}
}

// nonsense is what becomes of some answers to a batch.
func nonsense(r *rand.Rand) func([]any) []any {
	return func(results []any) []any {
		if r.IntN(2) == 0 || len(results) == 0 {
			return results
		}
		one := map[string]any{}
		for k, v := range results[r.IntN(len(results))].(map[string]any) {
			one[k] = v
		}
		switch r.IntN(5) {
		case 0:
			return nil
		case 1:
			return results[:r.IntN(len(results))]
		case 2:
			one["outcome"], one["error"] = "failed", "no"
		case 3:
			one["outcome"] = "queued"
		case 4:
			one["externalId"] = "nobody"
		}
		return append(slices.Clone(results), one, 7)
	}
}
