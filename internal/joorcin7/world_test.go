package joorcin7_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/app"
	"stockbridge/internal/joorcin7"
	"stockbridge/internal/ledger"
	"stockbridge/internal/sim"
	simomni "stockbridge/internal/sim/cin7omni"
	simjoor "stockbridge/internal/sim/joor"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/testsize"
	"stockbridge/internal/vendor"
)

// A world is the pair in a synctest bubble, as it is composed in the app: simulated vendors, one table, a queue with
// SQS's ways, schedules, and a process of its own for each message. Every outside effect of a process passes through
// one gate, which counts it and can make it go wrong.
type world struct {
	t      testing.TB
	sim    *sim.Sim
	joor   *simjoor.Vendor
	store  *table.File
	box    *tenant.Box
	acc    sim.Account
	tenant string

	mu      sync.Mutex
	armed   bool
	effects int
	names   []string
	faults  map[int]fault           // by number of the effect
	on      map[string]fault        // by its name, once
	odds    func(kind string) fault // by lot
	flying  int                     // messages under way, and effects still to come
	closed  bool                    // no message is delivered any more
	givenUp []string                // messages that were received too often
	parts   map[string]bool         // of the table, that were written to
}

// fault is what happens to one effect.
type fault int

const (
	none   fault = iota
	before       // it fails and does nothing
	after        // it takes effect and the answer is lost
	late         // the answer is lost at once, the effect comes later, within the settle time
	die          // it takes effect, and the process ends before the answer
)

func (f fault) String() string { return [...]string{"none", "before", "after", "late", "die"}[f] }

const lateBy = 100 * time.Second

var (
	errDead = errors.New("the process is dead")
	errLost = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
)

// inWorld runs f in a world with a tenant whose systems are connected and read.
func inWorld(t *testing.T, f func(w *world)) { inEmpty(t, func(w *world) { w.connect(); f(w) }) }

// inEmpty runs f in a world with a tenant that has nothing connected yet.
func inEmpty(t *testing.T, f func(w *world)) {
	t.Helper()
	testsize.Sampled(t)
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		box, err := tenant.NewBox(bytes.Repeat([]byte{7}, 32))
		if err != nil {
			t.Fatal(err)
		}
		w := &world{t: t, box: box, joor: simjoor.New(), parts: map[string]bool{}}
		if w.sim, err = sim.New(sim.Options{Seed: "proof"}, simomni.New(), w.joor); err != nil {
			t.Fatal(err)
		}
		w.acc = w.sim.AddEmptyAccount("Tōtara Apparel", "NZD")
		if w.store, err = table.Open(filepath.Join(dir, "joor.db"), table.Options{NoSync: true}); err != nil {
			t.Fatal(err)
		}
		defer w.close()
		made, _, err := w.process("console").app.Tenants.Create(w.ctx(), "Tōtara Apparel", "Pacific/Auckland")
		w.must(err)
		w.tenant = made.ID
		w.put("/sim/joor/accounts/"+w.acc.JOOR.Account, `{"priceLabels":[{"currency":"NZD","label":"Wholesale"},
			{"currency":"NZD","label":"Retail"}]}`)
		f(w)
	})
}

// close lets what is under way end, and nothing else begin, whatever the test came to.
func (w *world) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	time.Sleep(10 * time.Minute)
	w.sim.Close()
	w.store.Close()
}

// connect connects both systems, switches on what can be sent, and lets all be read.
func (w *world) connect() {
	w.t.Helper()
	w.connectTo(tenant.Cin7Omni)
	time.Sleep(5 * time.Second)
	w.connectTo(tenant.JOOR)
	w.settings(`{"joorUpload":true,"joorUpdate":true,"joorPrices":{
		"WholesalePrice":{"currency":"NZD","label":"Wholesale"},"RetailPrice":{"currency":"NZD","label":"Retail"}}}`)
	w.rest()
}

func (w *world) connectTo(sys tenant.System) {
	w.t.Helper()
	c := vendor.Credentials{Account: w.acc.Cin7Omni.Username, Key: tenant.Secret(w.acc.Cin7Omni.Key)}
	if sys == tenant.JOOR {
		c = vendor.Credentials{Account: w.acc.JOOR.Account, Key: tenant.Secret(w.acc.JOOR.Token)}
	}
	_, _, err := w.process("console").app.Vendors.Connect(w.ctx(), w.tenant, sys, c)
	w.must(err)
}

// settings changes settings.
func (w *world) settings(patch string) {
	w.t.Helper()
	p := w.process("console")
	_, err := p.app.Tenants.ChangeSettings(w.ctx(), w.tenant, "Mary",
		func(b tenant.Bundle) ([]tenant.Section, error) {
			sections := p.app.JOORs.Settings()
			tenant.Read(b.Settings, sections...)
			doc, err := tenant.Merge([]byte(patch), sections...)
			if err == nil {
				sections = p.app.JOORs.Settings()
				err = tenant.Parse(doc, sections...)
			}
			return sections, err
		}, func(int) (tenant.Ops, error) { return nil, nil })
	w.must(err)
	w.must(p.app.JOORs.SettingsChanged(w.ctx(), w.tenant))
}

func (w *world) pair() *joorcin7.Pair { return w.process("console").app.JOORs }

func (w *world) bundle() tenant.Bundle {
	w.t.Helper()
	b, err := w.process("console").app.Tenants.Load(w.ctx(), w.tenant)
	w.must(err)
	return b
}

// ctx is that of a person.
func (w *world) ctx() context.Context { return ledger.WithActor(context.Background(), "Mary") }

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// process is one invocation of one function.
type process struct {
	w    *world
	app  *app.App
	name string
	dead atomic.Bool
}

func (w *world) process(name string) *process {
	p := &process{w: w, name: name}
	p.app = app.New(app.Deps{
		Table: gateTable{p}, Sealer: w.box, HTTP: gateHTTP{p}, Send: p.send, PublicURL: "https://hooks.example.test",
		Operators: tenant.OperatorsOf("operator"),
		URLs: map[tenant.System]string{
			tenant.Cin7Omni: "http://sim.test" + sim.PrefixCin7Omni, tenant.JOOR: "http://sim.test" + sim.PrefixJOOR,
		},
	})
	return p
}

// effect lets one outside effect pass, or go wrong.
func (p *process) effect(name string, do func() error) error {
	if p.dead.Load() {
		return errDead
	}
	w := p.w
	w.mu.Lock()
	f := w.on[p.name+": "+name]
	delete(w.on, p.name+": "+name)
	if w.armed {
		w.effects++
		w.names = append(w.names, p.name+": "+name)
		if f = cmp.Or(f, w.faults[w.effects]); f == none && w.odds != nil && p.name != "console" {
			f = w.odds(w.kindOf(p.name + ": " + name))
		}
		if f != none && w.odds != nil {
			w.t.Logf("%s %s: %s", time.Now().Format("2 15:04:05.000"), f, p.name+": "+name)
		}
	}
	w.mu.Unlock()
	switch f {
	case before:
		return errLost
	case after:
		do()
		return errLost
	case late:
		w.mu.Lock()
		w.flying++
		w.mu.Unlock()
		time.AfterFunc(lateBy, func() {
			do()
			w.mu.Lock()
			w.flying--
			w.mu.Unlock()
		})
		return errLost
	case die:
		do()
		p.dead.Store(true)
		return errDead
	}
	return do()
}

// kindOf is what effects have in common whose names differ by what is drawn by lot.
func (w *world) kindOf(name string) string {
	at, sort, _ := strings.Cut(strings.ReplaceAll(name, w.tenant, "tenant"), "\t")
	at, _, _ = strings.Cut(at, "@")
	if begin, _, note := strings.Cut(at, "#unsure "); note {
		at = begin + "#unsure"
	}
	_, sort, _ = strings.Cut(sort, "\t")
	return at + sort[:min(len(sort), 4)]
}

type gateHTTP struct{ p *process }

func (g gateHTTP) RoundTrip(req *http.Request) (answer *http.Response, err error) {
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
	}
	err = g.p.effect(req.Method+" "+req.URL.Path, func() error {
		r := req.Clone(context.WithoutCancel(req.Context()))
		r.Body = io.NopCloser(bytes.NewReader(body))
		var err error
		answer, err = g.p.w.sim.Transport().RoundTrip(r)
		return err
	})
	if err == nil && req.Context().Err() != nil {
		err = req.Context().Err()
	}
	if err != nil {
		return nil, err
	}
	return answer, nil
}

type gateTable struct{ p *process }

func (g gateTable) Get(ctx context.Context, keys ...table.Key) ([]table.Item, error) {
	if g.p.dead.Load() {
		return nil, errDead
	}
	return g.p.w.store.Get(ctx, keys...)
}

func (g gateTable) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if g.p.dead.Load() {
		return table.Page{}, errDead
	}
	return g.p.w.store.Query(ctx, q)
}

func (g gateTable) List(ctx context.Context, q table.Query) (table.Entries, error) {
	if g.p.dead.Load() {
		return table.Entries{}, errDead
	}
	return g.p.w.store.List(ctx, q)
}

func (g gateTable) Write(ctx context.Context, ops ...table.Op) error {
	g.p.w.mu.Lock()
	for _, op := range ops {
		g.p.w.parts[op.Item.PK] = true
	}
	g.p.w.mu.Unlock()
	return g.p.effect("write "+ops[0].Item.PK+" "+ops[0].Item.SK, func() error {
		return g.p.w.store.Write(context.WithoutCancel(ctx), ops...)
	})
}

const visibility = 6 * time.Minute

func (p *process) send(_ context.Context, q app.Queue, body []byte, _ string, delay time.Duration) error {
	if q != app.JOORQueue {
		return nil // other pairs' work is not what is looked at here
	}
	return p.effect("send "+string(q), func() error {
		p.w.deliver(app.Message{ID: "m", Body: string(body), Sent: time.Now()}, delay)
		return nil
	})
}

func (w *world) deliver(m app.Message, delay time.Duration) {
	w.mu.Lock()
	w.flying++
	w.mu.Unlock()
	time.AfterFunc(delay, func() {
		defer func() { w.mu.Lock(); w.flying--; w.mu.Unlock() }()
		w.mu.Lock()
		closed := w.closed
		w.mu.Unlock()
		if closed {
			return
		}
		m.Receives++
		p := w.process("joor")
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if m.Receives > 5 {
			w.mu.Lock()
			w.givenUp = append(w.givenUp, m.Body)
			w.mu.Unlock()
			w.t.Logf("%s given up: %s", time.Now().Format("2 15:04:05.000"), m.Body)
			p.app.DeadLetters(ctx, []app.Message{m})
			return
		}
		if failed := p.app.JOOR(ctx, []app.Message{m}); p.dead.Load() || len(failed) > 0 {
			w.deliver(m, visibility)
		}
	})
}

// kinds are those of the pair's long work.
func kinds() []string {
	return []string{joorcin7.JobContacts, joorcin7.JobAllContacts, joorcin7.JobJOOR, joorcin7.JobUpload,
		joorcin7.JobUpdate, joorcin7.JobDownload, joorcin7.JobMatches}
}

// tick starts what schedules start in a minute.
func (w *world) tick() {
	for job, every := range map[string]int{joorcin7.JobContacts: 15, joorcin7.JobJOOR: 30} {
		if time.Now().Minute()%every == 0 {
			w.process("schedule").app.Schedule(context.Background(), json.RawMessage(`{"job":"`+job+`"}`))
		}
	}
}

// pass lets so much time pass, with schedules.
func (w *world) pass(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(min(time.Minute, time.Until(end)))
		w.tick()
	}
	synctest.Wait()
}

// rest lets the jobs come to rest: none has a run that is under way.
func (w *world) rest() {
	w.t.Helper()
	for range 48 * 60 {
		synctest.Wait()
		if !w.busy() {
			return
		}
		time.Sleep(time.Minute)
		w.tick()
	}
	for _, kind := range kinds() {
		if last, err := ledger.New(w.store).LastProgress(w.ctx(), w.tenant, kind); err == nil && last.IsOpen() {
			w.t.Logf("%s: %s %s %s", kind, last.State, last.Problem, last.Place)
		}
	}
	w.t.Fatal("the jobs do not come to rest")
}

func (w *world) busy() bool {
	w.mu.Lock()
	busy := w.flying > 0
	w.mu.Unlock()
	for _, kind := range kinds() {
		last, err := ledger.New(w.store).LastProgress(w.ctx(), w.tenant, kind)
		busy = busy || err == nil && last.IsOpen()
	}
	return busy
}

// until lets time pass, with schedules, until a piece of long work has ended.
func (w *world) until(run *joorcin7.Progress, err error) *joorcin7.Progress {
	w.t.Helper()
	w.must(err)
	for range 12 * 60 {
		synctest.Wait()
		now, err := ledger.New(w.store).Progress(w.ctx(), w.tenant, run.ID)
		w.must(err)
		if !now.IsOpen() {
			return now
		}
		time.Sleep(time.Minute)
		w.tick()
	}
	now, _ := ledger.New(w.store).Progress(w.ctx(), w.tenant, run.ID)
	w.t.Fatalf("after 12 hours it is not done: %+v %s", now, now.Place)
	return nil
}

// upload and update have customers sent, all of the list where none is named.
func (w *world) upload(ids ...string) *joorcin7.Progress {
	w.t.Helper()
	return w.until(w.pair().Upload(w.ctx(), w.tenant, joorcin7.Choice{IDs: ids, All: len(ids) == 0}, "Mary"))
}

func (w *world) update(ids ...string) *joorcin7.Progress {
	w.t.Helper()
	return w.until(w.pair().Update(w.ctx(), w.tenant, joorcin7.Choice{IDs: ids, All: len(ids) == 0}, "Mary"))
}

// pull has what changed in Cin7 Omni read.
func (w *world) pull() *joorcin7.Progress {
	w.t.Helper()
	time.Sleep(time.Minute)
	return w.until(w.pair().Sync(w.ctx(), w.bundle(), joorcin7.JobContacts))
}

// look has JOOR asked what became of what it was sent.
func (w *world) look() {
	w.t.Helper()
	w.until(w.pair().Sync(w.ctx(), w.bundle(), joorcin7.JobJOOR))
	w.rest()
}

// download has JOOR's connections read.
func (w *world) download() *joorcin7.Progress {
	w.t.Helper()
	return w.until(w.pair().DownloadConnections(w.ctx(), w.tenant, "Mary"))
}

// review is what JOOR's data team says, of all that is in review where no codes are named.
func (w *world) review(accept bool, codes ...string) {
	w.t.Helper()
	_, err := w.joor.Review(w.acc.JOOR.Account, codes, len(codes) == 0, accept)
	w.must(err)
}

// control calls the simulators' control API.
func (w *world) control(method, path, body string) []byte {
	w.t.Helper()
	rec := httptest.NewRecorder()
	r := httptest.NewRequest(method, "http://sim.test"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if w.sim.Handler().ServeHTTP(rec, r); rec.Code >= 300 {
		w.t.Fatalf("%s %s: %d %s", method, path, rec.Code, rec.Body)
	}
	return rec.Body.Bytes()
}

func (w *world) put(path, body string) { w.t.Helper(); w.control("PUT", path, body) }

// contact makes a contact in Cin7 Omni as change has it, and returns its id. It is a good one otherwise.
func (w *world) contact(company, change string) string {
	w.t.Helper()
	doc := map[string]any{"type": "Customer", "company": company, "firstName": "Ngaire", "lastName": "Pohatu",
		"email": strings.ToLower(strings.Join(strings.Fields(company), "")) + "@example.com", "phone": "+64 9 555 0101",
		"address1": "12 Quay Street", "city": "Auckland", "postCode": "1010", "country": "New Zealand",
		"priceColumn": "WholesalePrice"}
	if change != "" {
		w.must(json.Unmarshal([]byte(change), &doc))
	}
	body, _ := json.Marshal(doc)
	var made struct{ Items []struct{ ID int } }
	w.must(json.Unmarshal(w.control("POST", "/sim/cin7omni/contacts?account="+w.acc.Cin7Omni.Username, string(body)),
		&made))
	return fmt.Sprint(made.Items[0].ID)
}

func (w *world) edit(contact, change string) {
	w.t.Helper()
	time.Sleep(2 * time.Second) // Cin7 Omni's times of change are whole seconds
	w.put("/sim/cin7omni/contacts/"+contact, change)
}

// there is a connection as the simulated JOOR has it.
type there struct {
	ID      int    `json:"customer_account_id"`
	Code    any    `json:"customer_code"`
	Alias   string `json:"customer_alias"`
	Email   string `json:"customer_contact_email"`
	Buyer   string `json:"customer_buyer_name"`
	Review  bool   `json:"review"`
	Billing struct {
		Addresses []address `json:"billing_addresses"`
	} `json:"billing"`
	Shipping struct {
		Addresses []address `json:"shipping_addresses"`
	} `json:"shipping"`
	PriceTypes []struct {
		Currency string `json:"price_currency"`
		Label    string `json:"price_label"`
	} `json:"price_types"`
}

type address struct {
	Code     string `json:"shipping_code"`
	Line1    string `json:"address_1"`
	City     string `json:"city"`
	Postcode string `json:"postal_code"`
	Country  string `json:"country"`
	Phone    string `json:"phone"`
}

func (c there) code() string {
	if c.Code == nil {
		return ""
	}
	return fmt.Sprint(c.Code)
}

// connections are JOOR's, those in review too.
func (w *world) connections() []there {
	w.t.Helper()
	var all struct{ Items []there }
	w.must(json.Unmarshal(w.control("GET", "/sim/joor/connections?account="+w.acc.JOOR.Account, ""), &all))
	return all.Items
}

// of are the connections with a code.
func (w *world) of(code string) (found []there) {
	w.t.Helper()
	for _, c := range w.connections() {
		if c.code() == code {
			found = append(found, c)
		}
	}
	return found
}

// list is a list as people see it: ids and states.
func (w *world) list(l joorcin7.List) string {
	w.t.Helper()
	page, err := w.pair().Customers(w.ctx(), w.tenant, joorcin7.Query{List: l})
	w.must(err)
	var parts []string
	for _, c := range page.Items {
		parts = append(parts, c.ID+" "+c.State)
	}
	if page.Counts[l] != len(parts) {
		w.t.Errorf("%s counts %d, and lists %d", l, page.Counts[l], len(parts))
	}
	return strings.Join(parts, ", ")
}

// customer is a customer as people see it in any list.
func (w *world) customer(id string) joorcin7.Customer {
	w.t.Helper()
	page, err := w.pair().Customers(w.ctx(), w.tenant, joorcin7.Query{})
	w.must(err)
	for _, c := range page.Items {
		if c.ID == id {
			return c
		}
	}
	return joorcin7.Customer{}
}

// calls are those of a vendor that begin with a text.
func (w *world) calls(system, begin string) (n int) {
	for _, c := range w.sim.Calls(system, "") {
		if strings.HasPrefix(c.Method+" "+c.Path, begin) {
			n++
		}
	}
	return n
}

// book is a contact as the simulated Cin7 Omni has it.
type book struct {
	ID                                                   int
	Company, Email, Address1, City, Country, PriceColumn string
}

// contacts are Cin7 Omni's, by id.
func (w *world) contacts() map[string]book {
	w.t.Helper()
	var all struct{ Items []book }
	w.must(json.Unmarshal(w.control("GET", "/sim/cin7omni/contacts?account="+w.acc.Cin7Omni.Username, ""), &all))
	by := map[string]book{}
	for _, b := range all.Items {
		by[fmt.Sprint(b.ID)] = b
	}
	return by
}
