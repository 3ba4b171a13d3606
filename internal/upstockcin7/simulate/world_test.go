package simulate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/mirror"
	"stockbridge/internal/sim"
	simcin7core "stockbridge/internal/sim/cin7core"
	simupstock "stockbridge/internal/sim/upstock"
	"stockbridge/internal/tenant"
	stored "stockbridge/internal/upstockcin7/order"
	selling "stockbridge/internal/upstockcin7/sale"
	"stockbridge/internal/vendor"
)

// A world is all there is in one seed: the simulated vendors, the table, the
// queues and schedules, our processes, and the people at both ends.
type world struct {
	t          testing.TB
	seed       uint64
	profile    profile
	stage      *stage
	sim        *sim.Sim
	simUpstock *simupstock.Vendor
	simCore    *simcin7core.Vendor
	store      *memory
	box        *tenant.Box
	shops      []*shop
	orders     []*order

	jobs      []string // that have a part for each tenant
	warm      map[string][]*process
	processes int
	busy      int // invocations that run
	flying    int // messages under way
	lag       int // effects still to come
	effects   int
	lived     int // of these, before the calm
	faults    int
	spells    []spell
	calm      bool // nothing goes wrong any more

	spare      sim.Account // another company's, and another account
	spareTaken bool
	tokens     map[int]string     // of Upstock that were replaced, by supplier
	keys       map[string]string  // of Cin7 Core, likewise, by account
	made       map[string]*sale   // that our calls made
	copied     map[string]*sale   // that people made, as copies of others
	tardy      map[time.Time]bool // when calls came that had been long under way
	wrong      []string           // what must never happen, and did
	restored   time.Time
	down       bool // nothing of ours runs
	refusals   int
	leaves     time.Time // when the warehouse ships what is ready
	dates      bool      // answers have a Date

	begin time.Time
	story io.Writer // nil = nobody wants it
}

// shop is a tenant: a supplier of Upstock with an account of Cin7 Core, which
// others may have too.
type shop struct {
	tenant  string
	account sim.Account // of Upstock; its Cin7 Core account may be a neighbour's
	shared  bool        // Cin7 Core does not know Upstock's ids
	hook    string      // where Upstock delivers
	away    bool        // something else is connected, or nothing
	voids   bool        // the sale of a cancelled order may be voided
	filled  bool        // somebody had the days before filled in

	paused map[stored.Flow]time.Time // the flows that people keep paused, and since when

	settings []selling.Settings // that people tried to save, whether it took effect or not
}

// order is one as its people know it.
type order struct {
	shop     *shop
	id       int
	supplier int
	account  string // Cin7 Core's, when it was placed
	approved time.Time
	shipped  int

	cancelled time.Time
	edits     []string  // what people did with its sale
	retried   bool      // a refusal that was heard of late was tried again
	codes     []string  // of attention that people met
	revived   time.Time // when it was approved again after it was cancelled
	wanted    time.Time // when a person last wanted it sold
	heard     time.Time // when we took its cancellation in
	silent    bool      // it was cancelled while Upstock was not connected
	shown     []string  // the goods that somebody was shown, and then wanted handled
	handled   time.Time // when the warehouse began with its goods

	run  *stored.Order // as read last
	seen int           // the table's writes until then

	writer *process // whose call that changes something about it is under way
}

// shape is what a world is built of: how many tenants, on how many accounts of Cin7 Core.
type shape struct{ tenants, accounts int }

// base is a table of connected tenants whose mirrors are ready, made once.
type base struct {
	store   *memory
	tenants []string
	hooks   []string // where Upstock delivers
	box     *tenant.Box
	ready   time.Time
}

var bases = struct {
	sync.Mutex
	of map[shape]*base
}{of: map[shape]*base{}}

// prepare makes the base of a shape, outside of any bubble.
func prepare(t *testing.T, s shape) *base {
	bases.Lock()
	defer bases.Unlock()
	if b := bases.of[s]; b != nil {
		return b
	}
	b := new(base)
	var err error
	if b.box, err = tenant.NewBox(bytes.Repeat([]byte{7}, 32)); err != nil {
		t.Fatal(err)
	}
	cryptotest.SetGlobalRandom(t, 1)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0, profile{shape: s}, b.box)
		defer w.sim.Close()
		w.calm, w.store = true, newMemory()
		for _, sh := range w.shops {
			w.console(func(ctx context.Context, p *process) error {
				tn, _, err := p.app.Tenants.Create(ctx, sh.account.Name, "Pacific/Auckland")
				if err != nil {
					return err
				}
				sh.tenant = tn.ID
				typed := vendor.Credentials{Key: tenant.Secret(sh.account.Upstock.Token)}
				_, url, err := p.app.Vendors.Connect(ctx, tn.ID, tenant.Upstock, typed)
				if err != nil {
					return err
				}
				secret, err := w.simUpstock.RegisterWebhook(sh.account.Upstock.Supplier, url)
				if err != nil {
					return err
				}
				b.tenants, b.hooks = append(b.tenants, tn.ID), append(b.hooks, url)
				typed = vendor.Credentials{WebhookSecret: tenant.Secret(secret)}
				_, _, err = p.app.Vendors.Connect(ctx, tn.ID, tenant.Upstock, typed)
				return err
			})
		}
		for _, sh := range w.shops {
			w.console(func(ctx context.Context, p *process) error {
				_, _, err := p.app.Vendors.Connect(ctx, sh.tenant, tenant.Cin7Core, sh.key())
				return err
			})
		}
		w.stage.run(time.Now().Add(15*time.Minute), nil)
		for _, sh := range w.shops {
			w.console(func(ctx context.Context, p *process) error {
				b, err := p.app.Tenants.Load(ctx, sh.tenant)
				if m := mirror.Progress.Of(b.Connections[tenant.Cin7Core]); err == nil && m.State != mirror.Ready {
					return fmt.Errorf("the mirror is not ready: %+v", m)
				}
				return err
			})
		}
		b.ready = time.Now().Add(10 * time.Minute).Truncate(time.Hour).Add(time.Hour)
		b.store = w.store.clone()
	})
	bases.of[s] = b
	return b
}

func (s *shop) key() vendor.Credentials {
	core := s.account.Cin7Core
	return vendor.Credentials{Account: core.AccountID, Key: tenant.Secret(core.ApplicationKey)}
}

// newWorld makes the vendors and their accounts, the same ones for a shape in every world.
func newWorld(t testing.TB, seed uint64, p profile, box *tenant.Box) *world {
	w := &world{t: t, seed: seed, dates: seed%2 == 0, profile: p, box: box, stage: newStage(seed),
		warm: map[string][]*process{}, begin: time.Now(),
		tokens: map[int]string{}, keys: map[string]string{}, made: map[string]*sale{}, copied: map[string]*sale{},
		tardy: map[time.Time]bool{}}
	o := p.sim
	o.Seed, o.Deliver = "simulate", deliverer{w}
	w.simUpstock, w.simCore = simupstock.New(), simcin7core.New(simcin7core.Options{NoAutomation: p.noAutomation})
	var err error
	if w.sim, err = sim.New(o, w.simUpstock, w.simCore); err != nil {
		t.Fatal(err)
	}
	names := []string{"Harbour Roasters", "Southern Lakes", "Kauri Provisions", "Tasman Pantry", "Cape Grocers",
		"Fern Hill"}
	for n := range p.shape.tenants {
		a := w.sim.AddAccount(names[n%len(names)], "")
		s := &shop{account: a, paused: map[stored.Flow]time.Time{}}
		if n >= p.shape.accounts {
			s.account.Cin7Core, s.shared = w.shops[n%p.shape.accounts].account.Cin7Core, true
		}
		w.shops = append(w.shops, s)
	}
	w.spare = w.sim.AddAccount("Long Beach Imports", "")
	return w
}

// on puts the world on its base. The vendors' books of webhooks start anew.
func (w *world) on(b *base) {
	w.store = b.store.clone()
	for i, s := range w.shops {
		s.tenant, s.hook = b.tenants[i], b.hooks[i]
		if _, err := w.simUpstock.RegisterWebhook(s.account.Upstock.Supplier, b.hooks[i]); err != nil {
			w.t.Fatal(err)
		}
	}
	w.calm = true
	w.stage.run(b.ready, nil)
	w.calm, w.begin = false, time.Now()
	if most := w.profile.indexLag; most > 0 {
		w.store.lag = func() time.Duration { return time.Duration(w.stage.rng.Int64N(int64(most))) }
	}
}

// console does something by hand, in a process where nothing goes wrong, and waits for it.
func (w *world) console(do func(ctx context.Context, p *process) error) {
	over := false
	var err error
	w.invoke("console", func(ctx context.Context, p *process) { err = do(ctx, p) }, func(*process) { over = true })
	w.stage.run(time.Now().Add(time.Hour), func() bool { return over })
	if err != nil {
		w.t.Fatal(err)
	}
}

// tell adds a line to the story.
func (w *world) tell(format string, args ...any) {
	if w.story != nil {
		fmt.Fprintf(w.story, "%s "+format+"\n", append([]any{w.clock()}, args...)...)
	}
}

func (w *world) clock() string {
	d := time.Since(w.begin)
	return fmt.Sprintf("%02d:%02d:%09.6f", int(d.Hours()), int(d.Minutes())%60, (d % time.Minute).Seconds())
}

// effect tells of one effect and how it went.
func (w *world) effect(p *process, name string, f fault, err error) {
	w.effects++
	if f != none {
		w.faults++
	}
	if w.story != nil {
		text := ""
		if err != nil {
			text = " → " + err.Error()
		}
		if f != none {
			text = " !! " + f.String() + text
		}
		w.tell("  %s %d: %s%s", p.name, p.id, name, text)
	}
}

// runID is what the order's run is called: a tenant's first supplier goes without saying.
func (w *world) runID(o *order) string {
	if o.supplier == w.spare.Upstock.Supplier {
		return fmt.Sprintf("%d:%d", o.supplier, o.id)
	}
	return strconv.Itoa(o.id)
}

// run is the order's run as it stands, nil if there is none. It is not to be changed.
func (w *world) run(o *order) *stored.Order {
	if o.seen == w.store.moves {
		return o.run
	}
	o.run, o.seen = w.read(o), w.store.moves
	return o.run
}

// read is run from the table, never as read last.
func (w *world) read(o *order) *stored.Order {
	r, err := stored.NewBook(ledger.New(w.store)).Get(context.Background(), o.shop.tenant, w.runID(o))
	if errors.Is(err, ledger.ErrNotFound) {
		return nil
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// live are the sales that carry the order's id and are not voided, voided those that are.
func (w *world) sales(o *order) (live, voided []simcin7core.SaleSummary) {
	ext := fmt.Sprintf("upstock:%d:%d", o.supplier, o.id)
	for _, account := range w.accounts() {
		for _, sale := range w.simCore.Sales(account) {
			switch {
			case sale.ExternalID != ext:
			case sale.Status == "VOIDED":
				voided = append(voided, sale)
			default:
				live = append(live, sale)
			}
		}
	}
	return live, voided
}

// accounts are those of Cin7 Core.
func (w *world) accounts() []string {
	var list []string
	for _, a := range w.sim.Accounts() {
		list = append(list, a.Cin7Core.AccountID)
	}
	return list
}

// place lets a customer order something.
func (w *world) place(s *shop) *order {
	body := ""
	if s.shared { // ids of Cin7 Core mean nothing to this one: names do
		goods := []string{"SLT-FLK", "GRN-TST", "KWK-100", "CHC-72", "OAT-RLD"}
		var lines []string
		for range 1 + w.stage.rng.IntN(3) {
			lines = append(lines, fmt.Sprintf(`{"sku":%q,"productExternalId":null,"quantity":"%d","unitPrice":"6.80"}`,
				pick(w, goods...), 1+w.stage.rng.IntN(9)))
		}
		body = `{"customer":{"name":"Harbourside Grocers","externalId":null},"lines":[` + strings.Join(lines, ",") +
			`]}`
	}
	summary, err := w.simUpstock.PlaceOrder(s.account.Upstock.Supplier, body)
	if err != nil {
		w.t.Fatal(err)
	}
	o := &order{shop: s, id: summary.ID, supplier: s.account.Upstock.Supplier, account: s.account.Cin7Core.AccountID}
	w.orders = append(w.orders, o)
	return o
}

// approve lets the supplier approve it.
func (w *world) approve(o *order) {
	w.tell("order %d is approved", o.id)
	if _, err := w.simUpstock.Approve(o.id); err != nil {
		w.t.Fatal(err)
	}
	o.approved = time.Now()
}

// standing is the order as Upstock has it.
func (w *world) standing(o *order) simupstock.OrderSummary {
	s, err := w.simUpstock.Order(o.id)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// ship lets the warehouse ship some or all of the order's sale, if there is one to ship.
func (w *world) ship(o *order) {
	live, _ := w.sales(o)
	if len(live) != 1 || live[0].Lines == 0 {
		return
	}
	o.shipped++
	if o.handled.IsZero() {
		o.handled = time.Now()
	}
	body := fmt.Sprintf(`{"of":["A","B"],"boxes":["A"],"carrier":"Parcel Post","trackingNumber":"T-%d-%d"}`, o.id,
		o.shipped)
	if o.shipped > 1 {
		body = fmt.Sprintf(`{"carrier":"Parcel Post","trackingNumber":"T-%d-%d"}`, o.id, o.shipped)
	} else if w.chance(128) {
		body = fmt.Sprintf(`{"carrier":"Parcel Post","trackingNumber":"T-%d-whole"}`, o.id)
	}
	_, err := w.simCore.Sale(live[0].ID, "ship", body)
	w.tell("the warehouse ships of order %d: %v", o.id, err)
}

// track lets the carrier change a tracking number.
func (w *world) track(o *order) {
	live, _ := w.sales(o)
	if len(live) != 1 || o.shipped == 0 {
		return
	}
	o.shipped++
	_, err := w.simCore.Sale(live[0].ID, "tracking", fmt.Sprintf(`{"trackingNumber":"T-%d-%d"}`, o.id, o.shipped))
	w.tell("the tracking of order %d changes: %v", o.id, err)
}

// soldOf are the parcels that left, by the sale.
func (w *world) parcels(id string) (tracking []string, whole bool) {
	raw, err := w.simCore.Sale(id, "", "")
	if err != nil {
		w.t.Fatal(err)
	}
	var s struct {
		CombinedShippingStatus string
		Fulfilments            []struct {
			Ship struct {
				Status string
				Lines  []struct {
					TrackingNumber, TrackingURL string
					IsShipped                   bool
				}
			}
		}
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		w.t.Fatal(err)
	}
	for _, f := range s.Fulfilments {
		for _, l := range f.Ship.Lines {
			if l.IsShipped && strings.Contains(f.Ship.Status, "AUTHORISED") {
				if l.TrackingURL == "" {
					l.TrackingURL = l.TrackingNumber
				}
				tracking = append(tracking, l.TrackingURL)
			}
		}
	}
	slices.Sort(tracking)
	return tracking, s.CombinedShippingStatus == "SHIPPED"
}
