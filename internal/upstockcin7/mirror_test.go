package upstockcin7

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/match"
	"stockbridge/internal/mirror"
	"stockbridge/internal/rest"
	"stockbridge/internal/sim"
	simcin7core "stockbridge/internal/sim/cin7core"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
	"stockbridge/internal/vendor"
)

// mirrorTest is one tenant with its Cin7 Core account, simulated.
type mirrorTest struct {
	t      *testing.T
	sim    *sim.Sim
	acc    sim.Account
	file   *table.File
	table  *flakyTable
	pair   *Pair
	jobs   *job.Runner
	tenant string

	mu    sync.Mutex
	queue []time.Duration // delays of the mirror jobs sent
	limit rest.Limiter

	before func(*http.Request)                // of each call to Cin7 Core
	body   func(*http.Request) io.ReadCloser  // what is answered in place of the simulator; nil = nothing is
	answer func(*http.Request, string) string // what comes of an answer on its way
}

// RoundTrip implements http.RoundTripper.
func (m *mirrorTest) RoundTrip(r *http.Request) (*http.Response, error) {
	if m.before != nil {
		m.before(r)
	}
	resp, err := m.sim.Transport().RoundTrip(r)
	if m.body != nil && err == nil {
		if body := m.body(r); body != nil {
			resp.Body = body
		}
	}
	if err != nil || m.answer == nil {
		return resp, err
	}
	text, err := io.ReadAll(resp.Body)
	resp.Body = io.NopCloser(strings.NewReader(m.answer(r, string(text))))
	return resp, err
}

// flakyTable counts what is written into the mirror, and fails one write.
type flakyTable struct {
	table.Table
	mu     sync.Mutex
	gets   int
	writes int // calls
	mirror int // operations on rows, names and books
	look   func()
	fail   int // the number of the write that fails
	after  bool
}

var errTable = errors.New("the table gave no answer")

func (f *flakyTable) Get(ctx context.Context, keys ...table.Key) ([]table.Item, error) {
	f.mu.Lock()
	f.gets++
	f.mu.Unlock()
	return f.Table.Get(ctx, keys...)
}

func (f *flakyTable) Write(ctx context.Context, ops ...table.Op) error {
	f.mu.Lock()
	if f.writes++; f.look != nil {
		f.look()
	}
	now := f.writes >= f.fail && f.writes < f.fail+4 && f.fail > 0 // as often as the ledger repeats
	for _, o := range ops {
		if strings.Contains(o.Item.PK, "#product") || strings.Contains(o.Item.PK, "#customer") || o.Item.SK == "books" {
			f.mirror++
		}
	}
	f.mu.Unlock()
	if !now {
		return f.Table.Write(ctx, ops...)
	}
	if f.after {
		f.Table.Write(ctx, ops...)
	}
	return errTable
}

func newMirrorTest(t *testing.T, o sim.Options) *mirrorTest {
	t.Helper()
	if o.Seed == "" {
		o.Seed = "mirror"
	}
	s, err := sim.New(o, simcin7core.New(simcin7core.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	file, err := table.Open("", table.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close(); s.Close() })
	m := &mirrorTest{t: t, sim: s, acc: s.AddAccount("Bush Larder", "NZD"), file: file, table: &flakyTable{Table: file}}
	box, err := tenant.NewBox(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	l, tenants := ledger.New(m.table), tenant.NewStore(m.table, box)
	m.jobs = &job.Runner{
		Verdicts: &job.Verdicts{Tenants: tenants, Ledger: l, Now: time.Now, Times: job.DefaultTimes()},
		Send: func(_ context.Context, _ job.Queue, sent job.Message, delay time.Duration) error {
			if sent.Job != JobMirror {
				return nil
			}
			m.mu.Lock()
			defer m.mu.Unlock()
			m.queue = append(m.queue, delay)
			return nil
		},
	}
	m.pair = New(Deps{
		Ledger: l, Orders: order.NewBook(l), Tenants: tenants, Mirror: mirror.New(m.table), Times: DefaultTimes(),
		Vendors: vendor.New(vendor.Deps{Tenants: tenants, Ledger: l}), Runner: m.jobs,
		Cin7Core: func(c tenant.Connection, s tenant.Secrets, first bool) *cin7core.Client {
			return m.client(c.Account, string(s.Key))
		},
	})
	m.jobs.Kinds = (&job.Runner{Kinds: m.pair.Jobs()}).With(m.pair.CatalogWork()).Kinds
	ten, _, err := m.pair.Tenants.Create(t.Context(), "Bush Larder", "")
	if err != nil {
		t.Fatal(err)
	}
	m.tenant = ten.ID
	m.connect(m.acc.Cin7Core.ApplicationKey)
	if _, _, err := m.pair.Tenants.Connect(t.Context(), m.tenant, tenant.Upstock,
		func(c *tenant.Connection, _ *tenant.Secrets) error {
			c.Account = fmt.Sprint(m.acc.Upstock.Supplier)
			return nil
		}); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *mirrorTest) connect(key string) {
	m.t.Helper()
	if _, _, err := m.pair.Tenants.Connect(m.t.Context(), m.tenant, tenant.Cin7Core,
		func(c *tenant.Connection, s *tenant.Secrets) error {
			c.Account, s.Key = m.acc.Cin7Core.AccountID, tenant.Secret(key)
			return nil
		}); err != nil {
		m.t.Fatal(err)
	}
}

func (m *mirrorTest) client(account, key string) *cin7core.Client {
	return cin7core.New("http://sim.test"+sim.PrefixCin7Core, m, m.limit, account, key)
}

func (m *mirrorTest) bundle() tenant.Bundle {
	m.t.Helper()
	b, err := m.pair.Tenants.Load(m.t.Context(), m.tenant)
	if err != nil {
		m.t.Fatal(err)
	}
	return b
}

func (m *mirrorTest) state() mirror.State { return mirror.Progress.Of(m.conn()) }

func (m *mirrorTest) conn() tenant.Connection { return m.bundle().Connections[tenant.Cin7Core] }

// once runs one invocation as long as a function may take.
func (m *mirrorTest) once() error {
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Minute)
	defer cancel()
	return m.jobs.Do(ctx, job.Message{Job: JobMirror, Tenant: m.tenant})
}

// run runs the job and those it sends, as the queue does.
func (m *mirrorTest) run() {
	m.t.Helper()
	m.queue = append(m.queue, 0)
	for n := 0; len(m.queue) > 0; n++ {
		if n > 100 {
			m.t.Fatalf("the mirror comes to no end: %+v", m.state())
		}
		delay := m.queue[0]
		m.queue = m.queue[1:]
		time.Sleep(delay)
		if err := m.once(); err != nil {
			time.Sleep(6 * time.Minute)
			m.queue = append(m.queue, 0)
		}
	}
	if got := m.state(); got.State != mirror.Ready || got.Ready.IsZero() || got.Step != "" || got.Problem != "" {
		m.t.Fatalf("after the pass: %+v", got)
	}
}

func (m *mirrorTest) put(path, body string) {
	m.t.Helper()
	req, _ := http.NewRequestWithContext(m.t.Context(), http.MethodPut, "http://sim.test/sim/cin7core/"+path,
		strings.NewReader(body))
	resp, err := m.sim.Transport().RoundTrip(req)
	if err != nil {
		m.t.Fatal(err)
	}
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		m.t.Fatalf("PUT %s: %d %s", path, resp.StatusCode, text)
	}
}

func (m *mirrorTest) post(path, body string) []byte {
	m.t.Helper()
	req, _ := http.NewRequestWithContext(m.t.Context(), http.MethodPost, "http://sim.test"+sim.PrefixCin7Core+path,
		strings.NewReader(body))
	req.Header.Set("api-auth-accountid", m.acc.Cin7Core.AccountID)
	req.Header.Set("api-auth-applicationkey", m.acc.Cin7Core.ApplicationKey)
	resp, err := m.sim.Transport().RoundTrip(req)
	if err != nil {
		m.t.Fatal(err)
	}
	text, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		m.t.Fatalf("POST %s: %d %s", path, resp.StatusCode, text)
	}
	return text
}

// fields fill a new record with what the vendor requires.
func (m *mirrorTest) newProduct(sku string) {
	m.post("/product", fmt.Sprintf(`{"SKU":%q,"Name":%q,"Category":"Tea","CostingMethod":"FIFO","UOM":"Item","Status":"Active"}`, sku, "New "+sku))
}

func (m *mirrorTest) newCustomer(like cin7core.Customer, name, mail string) {
	m.post("/customer", fmt.Sprintf(`{"Name":%q,"Currency":"NZD","PaymentTerm":%q,"TaxRule":%q,"AccountReceivable":%q,"RevenueAccount":%q,"Status":"Active",
		"Contacts":[{"Name":"Somebody","Email":%q,"Default":true}]}`, name, like.PaymentTerm, like.TaxRule, like.AccountReceivable, like.RevenueAccount, mail))
}

// calls counts the account's calls to a path since n.
func (m *mirrorTest) calls(path string) int {
	n := 0
	for _, c := range m.sim.Calls(sim.Cin7Core, m.acc.Cin7Core.AccountID) {
		if c.Path == path || path == "" {
			n++
		}
	}
	return n
}

// vendors reads all records from the vendor.
func (m *mirrorTest) vendors() (customers []cin7core.Customer, products []cin7core.Product) {
	m.t.Helper()
	c := m.client(m.acc.Cin7Core.AccountID, m.acc.Cin7Core.ApplicationKey)
	for x, err := range c.Customers(m.t.Context(), cin7core.CustomersQuery{IncludeDeprecated: true}) {
		if err != nil {
			m.t.Fatal(err)
		}
		customers = append(customers, x)
	}
	for x, err := range c.Products(m.t.Context(), cin7core.ProductsQuery{IncludeDeprecated: true}) {
		if err != nil {
			m.t.Fatal(err)
		}
		products = append(products, x)
	}
	return customers, products
}

// dump is the whole mirror as it is stored.
func (m *mirrorTest) dump() map[table.Key]string {
	m.t.Helper()
	all := map[table.Key]string{}
	for _, kind := range []string{
		"customer", "customername", "customeremail", "product", "productsku", "productservice",
	} {
		for shard := range 16 {
			q := table.Query{PK: fmt.Sprintf("T#%s#%s#%d", m.tenant, kind, shard)}
			for {
				p, err := m.file.Query(m.t.Context(), q)
				if err != nil {
					m.t.Fatal(err)
				}
				for _, it := range p.Items {
					it.PK = strings.Replace(it.PK, m.tenant, "t", 1)
					all[it.Key] = string(it.Data)
				}
				if q.After = p.Next; p.Next == "" {
					break
				}
			}
		}
	}
	all[table.Key{SK: "books"}] = string(m.bundle().Books)
	return all
}

func (m *mirrorTest) reference(o upstock.Order) sale.Reference {
	m.t.Helper()
	ref, err := m.pair.records(m.bundle()).Order(m.t.Context(), o)
	if err != nil {
		m.t.Fatal(err)
	}
	return ref
}

func (m *mirrorTest) live(ref sale.Reference, wants ...sale.Want) sale.Reference {
	m.t.Helper()
	ref, err := m.pair.live(m.t.Context(), m.client(m.acc.Cin7Core.AccountID, m.acc.Cin7Core.ApplicationKey),
		m.bundle(), ref, wants)
	if err != nil {
		m.t.Fatal(err)
	}
	if !ref.Live {
		m.t.Error("the reference is not live")
	}
	return ref
}

// rowOf is a product's row, as far as it is looked for by SKU.
func rowOf(x cin7core.Product) mirror.Row {
	data, _ := json.Marshal(x)
	sku := mirror.Name{Key: mirror.Key{Kind: "productsku", ID: match.Fold(x.SKU)}, Whole: true}
	return mirror.Row{Key: mirror.Key{Kind: "product", ID: x.ID}, Data: data, Names: []mirror.Name{sku}}
}

func skus(products []cin7core.Product) (list []string) {
	for _, p := range products {
		list = append(list, p.SKU)
	}
	slices.Sort(list)
	return list
}

func cardNames(customers []cin7core.Customer) (list []string) {
	for _, c := range customers {
		list = append(list, c.Name)
	}
	slices.Sort(list)
	return list
}

func bySKU(t *testing.T, products []cin7core.Product, sku string) cin7core.Product {
	t.Helper()
	i := slices.IndexFunc(products, func(p cin7core.Product) bool { return p.SKU == sku })
	if i < 0 {
		t.Fatalf("no product %s among %v", sku, skus(products))
	}
	return products[i]
}

func byName(t *testing.T, customers []cin7core.Customer, name string) cin7core.Customer {
	t.Helper()
	i := slices.IndexFunc(customers, func(c cin7core.Customer) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("no customer %s among %v", name, cardNames(customers))
	}
	return customers[i]
}

func line(id, sku string) upstock.Line { return upstock.Line{ProductExternalID: id, SKU: sku} }

func TestMirrorPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMirrorTest(t, sim.Options{})
		m.run()
		if got := m.calls(""); got != 9 {
			t.Errorf("the first pass took %d calls, want 9", got)
		}
		conn := m.conn()
		if len(conn.Warnings) != 0 && !slices.ContainsFunc(conn.Warnings,
			func(s string) bool { return strings.HasPrefix(s, "Cin7 Core") }) {
			t.Errorf("warnings %q", conn.Warnings)
		}
		customers, products := m.vendors()
		harbour, tea := byName(t, customers, "Harbourside Grocers"), bySKU(t, products, "KWK-100")

		// By ids, in any case: one read of the table.
		before := m.table.gets
		b := m.bundle()
		ref, err := m.pair.records(b).Order(t.Context(), upstock.Order{
			Customer: upstock.Customer{ID: 7, ExternalID: strings.ToUpper(harbour.ID)},
			Lines:    []upstock.Line{line(strings.ToUpper(tea.ID), ""), line("no-such-id", "")},
		})
		if err != nil || m.table.gets != before+1 {
			t.Fatalf("%d reads of the table, %v", m.table.gets-before, err)
		}
		if got := cardNames(ref.Customers); !slices.Equal(got, []string{"Harbourside Grocers"}) ||
			!slices.Equal(skus(ref.Products), []string{"KWK-100"}) {
			t.Errorf("by id: %v %v", got, skus(ref.Products))
		}
		if ref.Supplier != int64(m.acc.Upstock.Supplier) || ref.Books.Me.Currency != "NZD" ||
			len(ref.Books.TaxRules) == 0 || len(ref.Books.PriceTiers) != 10 {
			t.Errorf("supplier %d, books %+v", ref.Supplier, ref.Books)
		}
		// What the planner reads is as the vendor says it.
		want := harbour
		want.Comments, want.Tags, want.TaxNumber, want.AttributeSet, want.AccountReceivable, want.RevenueAccount,
			want.LastModifiedOn = "", "", "", "", "", "", time.Time{}
		if diff := cmp.Diff(want, ref.Customers[0]); diff != "" {
			t.Errorf("customer (-vendor +mirror):\n%s", diff)
		}

		// By SKU in any case, by name and e-mail, by a link, and the freight product by name.
		freight := func(tenant.Bundle) ([]tenant.Section, error) {
			s := sale.DefaultSettings()
			s.FreightProduct = "freight"
			return []tenant.Section{&s}, nil
		}
		if _, err := m.pair.Tenants.ChangeSettings(t.Context(), m.tenant, "", freight); err != nil {
			t.Fatal(err)
		}
		kererū := byName(t, customers, "Kererū Organics")
		if err := m.table.Write(t.Context(),
			ledger.LinkOp(m.tenant, sale.CustomerLinks, "9", ledger.Link{ID: kererū.ID})); err != nil {
			t.Fatal(err)
		}
		before, b = m.table.gets, m.bundle()
		ref, err = m.pair.records(b).Order(t.Context(), upstock.Order{
			Customer: upstock.Customer{ID: 9, Name: " tōtara street café", Email: "Orders@Harbourside.example"},
			Lines:    []upstock.Line{line("", "rwr-A"), line("", "no such"), line(tea.ID, "")},
			Freight:  &upstock.Freight{Amount: tea.PriceTier1},
		})
		if err != nil || m.table.gets != before+2 {
			t.Fatalf("%d reads of the table, %v", m.table.gets-before, err)
		}
		if diff := cmp.Diff([]string{"Harbourside Grocers", "Kererū Organics", "Tōtara Street Café"},
			cardNames(ref.Customers)); diff != "" || ref.Link.ID != kererū.ID {
			t.Errorf("link %v, customers:\n%s", ref.Link, diff)
		}
		if diff := cmp.Diff([]string{"FREIGHT", "KWK-100", "RWR-A", "RWR-a"}, skus(ref.Products)); diff != "" {
			t.Errorf("products:\n%s", diff)
		}

		// A second pass writes nothing.
		clean, written := m.dump(), m.table.mirror
		m.run()
		if m.table.mirror != written {
			t.Errorf("the second pass wrote %d items", m.table.mirror-written)
		}
		// Third: changed, renamed, deprecated and gone.
		m.put("customers/"+harbour.ID, `{"Name":"Harbourside & Sons","Contacts":[{"Name":"Ngaire","Email":"a@harbourside.example; B@harbourside.example"}]}`)
		m.put("products/"+tea.ID, `{"SKU":"KWK-101","Status":"Deprecated"}`)
		ghost := cin7core.Product{ID: "00000000-0000-0000-0000-00000000dead", SKU: "KWK-500", Name: "Ghost"}
		if n, err := m.pair.Mirror.Save(t.Context(), m.tenant, []mirror.Row{rowOf(ghost)}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		m.run()
		ref = m.reference(upstock.Order{Customer: upstock.Customer{Name: "Harbourside Grocers",
			Email: "orders@harbourside.example"},
			Lines: []upstock.Line{line("", "KWK-100"), line("", "KWK-500")}})
		if len(ref.Customers) != 0 || !slices.Equal(skus(ref.Products), []string{"KWK-500"}) {
			t.Errorf("by the old names: %v %v", cardNames(ref.Customers), skus(ref.Products))
		}
		ref = m.reference(upstock.Order{Customer: upstock.Customer{Name: "harbourside & sons",
			Email: "b@harbourside.example"},
			Lines: []upstock.Line{line("", "KWK-101")}})
		if len(ref.Customers) != 1 || len(ref.Products) != 1 || !ref.Products[0].Status.Is(cin7core.Deprecated) {
			t.Errorf("by the new names: %v %+v", cardNames(ref.Customers), ref.Products)
		}
		// And back: nothing is left of it.
		m.put("customers/"+harbour.ID, `{"Name":"Harbourside Grocers","Contacts":null}`)
		m.put("customers/"+harbour.ID, fmt.Sprintf(`{"Contacts":[{"ID":%q,"Name":%q,"Email":%q,"Phone":%q,"Default":true,"IncludeInEmail":%v}]}`,
			harbour.Contacts[0].ID, harbour.Contacts[0].Name, harbour.Contacts[0].Email, harbour.Contacts[0].Phone,
			harbour.Contacts[0].IncludeInEmail))
		m.put("products/"+tea.ID, `{"SKU":"KWK-100","Status":"Active"}`)
		m.run()
		if diff := cmp.Diff(clean, m.dump()); diff != "" {
			t.Errorf("after all was undone:\n%s", diff)
		}
	})
}

// Whatever single call or write fails, the mirror is whole in the end.
func TestMirrorResumes(t *testing.T) {
	testsize.Large(t)
	t.Parallel()
	calls, writes := 0, 0
	var clean map[table.Key]string
	synctest.Test(t, func(t *testing.T) {
		m := newMirrorTest(t, sim.Options{TinyPages: 4})
		m.run()
		calls, writes, clean = m.calls(""), m.table.writes, m.dump()
		if calls < 15 {
			t.Errorf("%d calls: no pages to speak of", calls)
		}
	})
	finish := func(t *testing.T, m *mirrorTest) {
		t.Helper()
		m.run()
		if diff := cmp.Diff(clean, m.dump()); diff != "" {
			t.Errorf("the mirror differs from that of a run without faults:\n%s", diff)
		}
	}
	for n := range calls {
		for _, f := range []sim.Fault{{Kind: "before"}, {Kind: "before", How: "502", Times: 2}, {Kind: "html"},
			{Kind: "throttle", RetryAfter: "30"}, {Kind: "throttle", How: "200"}} {
			t.Run(fmt.Sprintf("call %d %s %s", n+1, f.Kind, f.How), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := newMirrorTest(t, sim.Options{TinyPages: 4})
					f.Match, f.Skip = "*", n
					if err := m.sim.Fault(sim.Cin7Core, f); err != nil {
						t.Fatal(err)
					}
					finish(t, m)
					if got := m.calls(""); got > calls+3 {
						t.Errorf("%d calls, %d without the fault: work was lost", got, calls)
					}
				})
			})
		}
	}
	for n := 4; n <= writes; n++ { // the first ones make the tenant and its connections
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("write %d after=%v", n, after), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := newMirrorTest(t, sim.Options{TinyPages: 4})
					m.table.fail, m.table.after = max(n, m.table.writes+1), after
					finish(t, m)
				})
			})
		}
	}
}

func TestMirrorWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMirrorTest(t, sim.Options{})
		for _, f := range []sim.Fault{
			{Match: "GET /ref/tax", Kind: "throttle", How: "429", RetryAfter: "60 Seconds"},
			{Match: "GET /product", Kind: "before", How: "500", Times: 3},
		} {
			if err := m.sim.Fault(sim.Cin7Core, f); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		if err := m.once(); err != nil {
			t.Fatal(err)
		}
		got := m.state()
		if len(m.queue) != 1 || m.queue[0] < time.Minute || m.queue[0] > 75*time.Second ||
			got.Step != sale.WantTaxRules || !strings.Contains(got.Problem, "too many calls") {
			t.Errorf("after a throttle: %v %+v", m.queue, got)
		}
		// Somebody else's job keeps out of the way meanwhile.
		n := m.calls("")
		if err := m.once(); err != nil || m.calls("") != n || len(m.queue) != 1 {
			t.Errorf("another job: %v, %d calls", err, m.calls("")-n)
		}
		time.Sleep(m.queue[0])
		m.queue = nil
		if err := m.once(); err != nil {
			t.Fatal(err)
		}
		if got := m.state(); got.Step != "products" || !strings.Contains(got.Problem, "status 500") ||
			got.State != mirror.Reading {
			t.Errorf("after an error: %+v", got)
		}
		time.Sleep(m.queue[0])
		m.queue = nil
		m.run()
		if took := time.Since(start); took > 5*time.Minute {
			t.Errorf("it took %s", took)
		}
	})
}

// waiting is a limiter that grants a few calls, then none for a while.
type waiting struct {
	grants int
	until  time.Time
}

func (w *waiting) Take(context.Context, int) (time.Time, error) {
	now := time.Now()
	if w.grants--; w.grants < 0 && now.Before(w.until) {
		return now, &rest.Wait{Until: w.until}
	}
	return now, nil
}

func (*waiting) Throttled(context.Context, time.Duration) {}

func TestMirrorBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMirrorTest(t, sim.Options{})
		m.limit = &waiting{3, time.Now().Add(3 * time.Second)} // worth a nap
		if err := m.once(); err != nil || len(m.queue) != 0 || m.state().State != mirror.Ready {
			t.Fatalf("a short wait: %v %v %+v", err, m.queue, m.state())
		}
		m.limit = &waiting{8, time.Now().Add(40 * time.Second)}
		if err := m.once(); err != nil {
			t.Fatal(err)
		}
		got := m.state()
		if len(m.queue) != 1 || m.queue[0] < 40*time.Second || m.queue[0] > 42*time.Second ||
			got.Step != "products" || got.State != mirror.Ready || !strings.Contains(got.Problem, "budget") {
			t.Errorf("a long wait: %v %+v", m.queue, got)
		}
		time.Sleep(m.queue[0])
		m.queue = nil
		m.run()
	})
}

// An invocation near its end leaves the rest to the next.
func TestMirrorEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMirrorTest(t, sim.Options{TinyPages: 4})
		if err := m.sim.Fault(sim.Cin7Core, sim.Fault{Match: "*", Kind: "slow", Seconds: 9, Times: -1}); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := m.once(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 50*time.Second || !slices.Equal(m.queue, []time.Duration{0}) {
			t.Errorf("it took %s; then %v", took, m.queue)
		}
		m.queue = nil
		m.run()
	})
}

func TestMirrorRefusedKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMirrorTest(t, sim.Options{})
		m.connect("00000000-0000-0000-0000-000000000000")
		if err := m.once(); err != nil {
			t.Fatal(err)
		}
		if c := m.conn(); c.State != tenant.NeedsReconnecting || len(m.queue) != 0 {
			t.Errorf("%s, %v", c.State, m.queue)
		}
		n := m.calls("")
		if err := m.once(); err != nil || m.calls("") != n {
			t.Errorf("a job without a key: %v, %d calls", err, m.calls("")-n)
		}
		m.connect(m.acc.Cin7Core.ApplicationKey)
		m.run()
		if err := m.pair.Tenants.Disconnect(t.Context(), m.tenant, tenant.Cin7Core); err != nil {
			t.Fatal(err)
		}
		if err := m.once(); err != nil {
			t.Error(err)
		}
		if err := m.jobs.Do(t.Context(), job.Message{Job: JobMirror, Tenant: "nobody"}); err != nil {
			t.Error(err)
		}
	})
}

// An answer that cannot be all there is removes nothing.
func TestMirrorKeepsWhatItCannotDisprove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMirrorTest(t, sim.Options{})
		m.run()
		clean := m.dump()
		for _, total := range []int{0, 500} {
			broken := m.pair.Cin7Core
			m.pair.Cin7Core = func(c tenant.Connection, s tenant.Secrets, first bool) *cin7core.Client {
				client := broken(c, s, first)
				client.HTTP = emptyList{client.HTTP, total}
				return client
			}
			m.run()
			m.pair.Cin7Core = broken
			if diff := cmp.Diff(clean, m.dump()); diff != "" {
				t.Errorf("total %d:\n%s", total, diff)
			}
		}
	})
}

type emptyList struct {
	http.RoundTripper
	total int
}

func (e emptyList) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, "/product") {
		return e.RoundTripper.RoundTrip(r)
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Request: r,
		Body:    io.NopCloser(strings.NewReader(fmt.Sprintf(`{"Total":%d,"Page":1,"Products":[]}`, e.total)))}, nil
}

func TestMirrorThousands(t *testing.T) {
	testsize.Unraced(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMirrorTest(t, sim.Options{NoLimits: true})
		customers, products := m.vendors()
		like := byName(t, customers, "Harbourside Grocers")
		for i := len(customers); i < 1000; i++ {
			m.newCustomer(like, fmt.Sprintf("Store %d", i), "office@chain.example")
		}
		for i := len(products); i < 1000; i++ {
			m.newProduct(fmt.Sprintf("N-%d", i))
		}
		c, p := m.calls("/customer"), m.calls("/product")
		m.run()
		if c, p = m.calls("/customer")-c, m.calls("/product")-p; c != 1 || p != 1 {
			t.Errorf("1,000 customers took %d calls, 1,000 products %d", c, p)
		}
		if got := m.state(); got.Total != 1000 || got.Read != 1000 {
			t.Errorf("%+v", got)
		}
		ref := m.reference(upstock.Order{Customer: upstock.Customer{Name: "Store 999", Email: "office@chain.example"}})
		if len(ref.Customers) < maxShared {
			t.Errorf("%d customers share the e-mail", len(ref.Customers))
		}
		written := m.table.mirror
		m.run()
		if m.table.mirror != written {
			t.Errorf("the second pass wrote %d items", m.table.mirror-written)
		}
	})
}

const maxShared = 100 // of the rows that a name holds

func TestLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMirrorTest(t, sim.Options{NoLimits: true})
		m.run()
		customers, products := m.vendors()
		milk, tea := bySKU(t, products, "CHC-55"), bySKU(t, products, "KWK-100")
		deli, harbour := byName(t, customers, "Ponsonby Deli Collective"), byName(t, customers, "Harbourside Grocers")

		o := upstock.Order{Customer: upstock.Customer{ExternalID: deli.ID},
			Lines: []upstock.Line{line(milk.ID, milk.SKU), line("", "LATE-1")}}
		ref := m.reference(o)
		if !bySKU(t, ref.Products, milk.SKU).Status.Is(cin7core.Deprecated) || !ref.Customers[0].IsOnCreditHold {
			t.Fatalf("in the mirror: %+v %+v", ref.Products, ref.Customers)
		}
		m.put("products/"+milk.ID, `{"Status":"Active"}`)
		m.put("customers/"+deli.ID, `{"IsOnCreditHold":false}`)
		m.put("me?account="+m.acc.Cin7Core.AccountID, `{"LockDate":"31/12/2099"}`)
		m.newProduct("LATE-1")
		m.newProduct("LATE-10")
		before := m.calls("")
		ref = m.live(ref, sale.Want{Kind: sale.WantMe}, sale.Want{Kind: sale.WantCustomer, ID: deli.ID},
			sale.Want{Kind: sale.WantProduct, ID: milk.ID}, sale.Want{Kind: sale.WantProduct, SKU: "late-1"})
		if got := m.calls("") - before; got != 4 {
			t.Errorf("%d calls, want one a want", got)
		}
		check := func(ref sale.Reference, goods ...string) {
			t.Helper()
			if !bySKU(t, ref.Products, milk.SKU).Status.Is(cin7core.Active) || ref.Customers[0].IsOnCreditHold ||
				len(ref.Customers) != 1 ||
				!slices.Equal(skus(ref.Products), goods) {
				t.Errorf("%v %v", cardNames(ref.Customers), skus(ref.Products))
			}
			if ref.Books.Me.LockDateText != "31/12/2099" {
				t.Errorf("me: %+v", ref.Books.Me)
			}
		}
		// what the vendor's filter finds besides is for a person to choose from
		check(ref, "CHC-55", "LATE-1", "LATE-10")
		check(m.reference(o), "CHC-55", "LATE-1") // it was written into the mirror
		written := m.table.mirror
		m.live(ref, sale.Want{Kind: sale.WantMe}, sale.Want{Kind: sale.WantProduct, SKU: "LATE-1"})
		if m.table.mirror != written {
			t.Errorf("a live read that learns nothing wrote %d items", m.table.mirror-written)
		}

		// What is nowhere is forgotten.
		ghost := cin7core.Product{ID: "00000000-0000-0000-0000-00000000dead", SKU: "GHOST"}
		if _, err := m.pair.Mirror.Save(t.Context(), m.tenant, []mirror.Row{rowOf(ghost)}); err != nil {
			t.Fatal(err)
		}
		o = upstock.Order{Lines: []upstock.Line{line("", "ghost"), line(ghost.ID, "")}}
		if ref = m.reference(o); len(ref.Products) != 1 {
			t.Fatal(skus(ref.Products))
		}
		if ref = m.live(ref, sale.Want{Kind: sale.WantProduct, ID: ghost.ID},
			sale.Want{Kind: sale.WantProduct, SKU: "GHOST"}); len(ref.Products) != 0 ||
			len(m.reference(o).Products) != 0 {
			t.Error("the ghost is still there")
		}

		// Customers by name and e-mail; one that is called otherwise by now is read by its id.
		o = upstock.Order{Customer: upstock.Customer{Name: harbour.Name, Email: "new@harbourside.example"}}
		ref = m.reference(o)
		m.put("customers/"+harbour.ID, `{"Name":"Quayside Grocers"}`)
		m.newCustomer(harbour, "HARBOURSIDE grocers", "New@harbourside.example")
		m.newCustomer(harbour, "Harbourside Grocers West", "x@harbourside.example")
		ref = m.live(ref, sale.Want{Kind: sale.WantCustomer, Name: harbour.Name},
			sale.Want{Kind: sale.WantCustomer, Email: "new@harbourside.example"})
		if diff := cmp.Diff([]string{"HARBOURSIDE grocers", "Harbourside Grocers West", "Quayside Grocers"},
			cardNames(ref.Customers)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"HARBOURSIDE grocers"}, cardNames(m.reference(o).Customers)); diff != "" {
			t.Error(diff)
		}

		// A season's new products take one call; unknown ones no more than the cap.
		var wants []sale.Want
		for i := range 60 {
			sku := fmt.Sprintf("SEASON-%d", i)
			m.newProduct(sku)
			wants = append(wants, sale.Want{Kind: sale.WantProduct, SKU: sku})
		}
		before = m.calls("/product")
		if ref = m.live(sale.Reference{}, wants...); len(ref.Products) < 60 || m.calls("/product") != before+1 {
			t.Errorf("%d products in %d calls", len(ref.Products), m.calls("/product")-before)
		}
		wants = nil
		for i := range 60 {
			wants = append(wants, sale.Want{Kind: sale.WantProduct,
				ID: fmt.Sprintf("00000000-0000-0000-0000-%012d", i)},
				sale.Want{Kind: sale.WantProduct, SKU: fmt.Sprintf("NEVER-%d", i)})
		}
		before = m.calls("")
		m.live(sale.Reference{}, wants...)
		if got := m.calls("") - before; got != 20 {
			t.Errorf("%d calls, want 20", got)
		}

		// A failure is the caller's to judge; what was learnt before it is kept.
		m.put("products/"+tea.ID, `{"Name":"Tea, renamed"}`)
		if err := m.sim.Fault(sim.Cin7Core, sim.Fault{Match: "GET /product", Skip: 1, Kind: "throttle"}); err != nil {
			t.Fatal(err)
		}
		_, err := m.pair.live(t.Context(), m.client(m.acc.Cin7Core.AccountID, m.acc.Cin7Core.ApplicationKey),
			m.bundle(), sale.Reference{},
			[]sale.Want{{Kind: sale.WantProduct, ID: tea.ID}, {Kind: sale.WantProduct, ID: milk.ID}})
		if rest.KindOf(err) != rest.Throttled {
			t.Errorf("error %v", err)
		}
		if got := m.reference(upstock.Order{Lines: []upstock.Line{line(tea.ID,
			"")}}).Products[0].Name; got != "Tea, renamed" {
			t.Errorf("the mirror has %q", got)
		}
	})
}

// during calls hook once, before the n-th call of every client goes out.
type during struct {
	http.RoundTripper
	n    *int
	hook func()
}

func (d during) RoundTrip(r *http.Request) (*http.Response, error) {
	if *d.n--; *d.n == 0 {
		d.hook()
	}
	return d.RoundTripper.RoundTrip(r)
}

// hooked makes hook happen before the n-th call from now.
func (m *mirrorTest) hooked(n int, hook func()) {
	plain := m.pair.Cin7Core
	m.pair.Cin7Core = func(c tenant.Connection, s tenant.Secrets, first bool) *cin7core.Client {
		client := plain(c, s, first)
		client.HTTP = during{client.HTTP, &n, hook}
		return client
	}
}

// A connection that is made anew, or unmade, under a running job ends the job.
func TestMirrorOfAnotherConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMirrorTest(t, sim.Options{TinyPages: 4})
		var before mirror.State
		m.hooked(9, func() {
			before = m.state()
			m.connect(m.acc.Cin7Core.ApplicationKey)
		})
		if err := m.once(); err != nil || len(m.queue) != 0 {
			t.Errorf("%v, then %v", err, m.queue)
		}
		if got := m.state(); got != before || before.Step == "" {
			t.Errorf("the old job wrote %+v", got)
		}
		m.run() // the new connection does not wait for the old one's turn
		m.hooked(3, func() {
			if err := m.pair.Tenants.Disconnect(t.Context(), m.tenant, tenant.Cin7Core); err != nil {
				t.Error(err)
			}
		})
		if err := m.once(); err != nil || len(m.queue) != 0 {
			t.Errorf("%v, then %v", err, m.queue)
		}
	})
}

// dropTurn takes away the turn of whoever reads now.
func (m *mirrorTest) dropTurn() {
	m.t.Helper()
	turn := table.Key{PK: tenant.Partition(m.tenant) + "#mirror", SK: fmt.Sprint("turn#cin7core#", m.conn().Generation)}
	it, err := table.Read(m.t.Context(), m.file, turn)
	if err != nil || it.Rev == "" {
		m.t.Fatalf("nobody's turn: %v", err)
	}
	if err := m.file.Write(m.t.Context(), table.Remove(it)); err != nil {
		m.t.Error(err)
	}
}

// Two jobs side by side, as when a turn ran out, do no harm.
func TestMirrorTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMirrorTest(t, sim.Options{TinyPages: 4})
		m.run()
		clean := m.dump()
		for n := 2; n < 14; n += 3 {
			m := newMirrorTest(t, sim.Options{TinyPages: 4, NoLimits: true})
			m.hooked(n, func() {
				m.dropTurn()
				if err := m.once(); err != nil {
					t.Error(err)
				}
			})
			m.run()
			if diff := cmp.Diff(clean, m.dump()); diff != "" {
				t.Errorf("second job at call %d:\n%s", n, diff)
			}
		}
	})
}
