// Package sim is the core of the simulated vendors: small, faithful simulators to
// build and test against.
//
// A [Sim] holds accounts and serves vendors. An account is one invented wholesaler
// with matching books at every vendor: an Upstock supplier and a Cin7 Core company
// whose customers and products are linked. A vendor is a value of a package of its
// own, so that a Sim has the vendors that it needs:
//
//	up, core := upstock.New(), cin7core.New(cin7core.Options{})
//	s, err := sim.New(sim.Options{Seed: "x"}, up, core)
//	acc := s.AddAccount("Kauri Wholesale", "NZD")
//	order, err := up.PlaceOrder(acc.Upstock.Supplier, "")
//	s.Fault(sim.Cin7Core, sim.Fault{Match: "POST /sale", Kind: "after"})
//
// Every account has keys for all four vendors, but the routes of a vendor that is
// not in the Sim answer 501. Go tests call through [Sim.Transport], which runs the
// handler in the same goroutine and works in a testing/synctest bubble. Others call
// through [Sim.Handler], which also has pages for people and a control API below
// /sim: accounts, faults ([Fault]), the calls so far, and what people do at each
// vendor.
//
// The core has what is the same for all vendors: accounts and their keys
// (account.go), what they sell and to whom (wholesaler.go), calls and limits
// (calls.go), faults (fault.go), webhook deliveries and their retries (delivery.go),
// lists that are paged, lag and drift (list.go), saving and loading (store.go), and
// the frame of the control API and of the pages (control.go, pages.go). A vendor's
// package has its wire structs, validation, arithmetic and routes, and its own
// exported actions. It implements [Vendor]; its records of one account are
// [Books], which reach the core through their [Seat]. Where a vendor's
// documentation is silent, the comment says "decided".
//
// The simulators import nothing of ours. They have their own wire structs and
// arithmetic, so that a wrong tag or formula of a client does not cancel out, and
// are compared with the vendors' samples.
//
// One mutex guards everything; it is never held during a sleep or a call. Waiting
// work (webhook retries, late effects) is timers, not goroutines. With a Seed, two
// Sims give the same answers to the same calls. With a Dir, the state is saved soon
// after each change, row by row, and read when the next Sim is made.
package sim

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Options of a Sim. The zero value is a simulator in memory at real speed.
type Options struct {
	// Speed divides limit windows, the seconds of faults and the delays of
	// webhook retries. 0 = 1.
	Speed float64
	// Deliver sends webhooks. nil = http.DefaultTransport.
	Deliver http.RoundTripper
	// Dir is where the state is saved, soon after a change and at Close.
	// "" = memory only.
	Dir string
	// Seed makes all ids and tokens reproducible: two Sims with one seed and
	// the same calls agree. "" = random.
	Seed string
	// UpdatedLag is how far lists lag behind that may, such as Cin7 Core's
	// saleList. 0 = not at all.
	UpdatedLag time.Duration
	// TinyPages caps the rows of a page of every list. The caller must then
	// page by Total or to an empty page. 0 = the vendors' own limits.
	TinyPages int
	// ListOrder is the order of lists whose order is undocumented, such as
	// saleList.
	ListOrder ListOrder
	// ListDrift lets rows of such lists move between pages, at random.
	ListDrift bool
	// NoLimits counts calls over the limit but lets them pass.
	NoLimits bool
}

// Sim is the simulated vendors. Safe for concurrent use.
type Sim struct {
	opts   Options
	site   func() http.Handler // pages and control API, built when first asked for
	ctx    context.Context
	cancel context.CancelFunc

	vendors []*simulated // the vendors, as they were given

	mu       sync.Mutex
	accounts []*account
	rng      *mathrand.ChaCha8
	faults   map[string][]*Fault // by vendor
	meters   map[string]*meter   // by vendor and account
	pending  int                 // webhook deliveries and late effects not settled yet
	quiet    []chan struct{}
	closed   bool
	saving   bool // a save is scheduled

	unsaved            map[*account]*unsaved
	log                *os.File // the file of the state, open to write behind; nil = the next save writes the whole
	snapshot, appended int64    // bytes of the whole, and of what was written behind it
}

// New makes a Sim of some vendors, without accounts or with the state in
// Options.Dir. A vendor belongs to one Sim. The routes of other vendors answer
// 501.
func New(o Options, vendors ...Vendor) (*Sim, error) {
	if o.Speed <= 0 {
		o.Speed = 1
	}
	if o.Deliver == nil {
		o.Deliver = http.DefaultTransport
	}
	seed := o.Seed
	if seed == "" {
		seed = rand.Text()
	}
	s := &Sim{
		opts: o, rng: mathrand.NewChaCha8(sha256.Sum256([]byte(seed))),
		faults: map[string][]*Fault{}, meters: map[string]*meter{}, unsaved: map[*account]*unsaved{},
	}
	for _, v := range vendors {
		i := slices.IndexFunc(knownVendors[:], func(l knownVendor) bool { return l.name == v.Name() })
		if i < 0 || s.vendor(v.Name()) != nil {
			return nil, fmt.Errorf("simulate %q: not a vendor that accounts have keys of, or twice", v.Name())
		}
		s.vendors = append(s.vendors, &simulated{&knownVendors[i], v})
		v.Join(s)
	}
	s.site = sync.OnceValue(s.routes)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if o.Dir != "" {
		if err := s.load(); err != nil {
			return nil, fmt.Errorf("simulators' state: %w", err)
		}
	}
	return s, nil
}

// Vendors returns the names of the vendors, in the order given to New.
func (s *Sim) Vendors() []string {
	out := make([]string, len(s.vendors))
	for i, v := range s.vendors {
		out[i] = v.name
	}
	return out
}

func (s *Sim) vendor(vendor string) *simulated {
	for _, v := range s.vendors {
		if v.name == vendor {
			return v
		}
	}
	return nil
}

// Close stops webhook retries and late effects, and saves the state.
func (s *Sim) Close() error {
	s.cancel()
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	if s.opts.Dir == "" {
		return nil
	}
	return s.save()
}

// AddAccount makes a new account with stock. currency "" = NZD.
func (s *Sim) AddAccount(name, currency string) Account { return s.addAccount(name, currency, false) }

// AddEmptyAccount is AddAccount without the contacts and connections of vendors that have such.
func (s *Sim) AddEmptyAccount(name, currency string) Account {
	return s.addAccount(name, currency, true)
}

func (s *Sim) addAccount(name, currency string, empty bool) Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	if currency == "" {
		currency = "NZD"
	}
	n := len(s.accounts) + 1
	if name == "" {
		name = "Supplier " + strconv.Itoa(n)
	}
	a := s.open(s.newAccount(n, name, currency))
	a.empty = empty
	stockBooks(a.seats)
	s.markChanged(a, nil, nil)
	for _, p := range a.seats {
		for row := range p.books.Rows() {
			p.Changed(row)
		}
	}
	return a.Account
}

// Accounts lists the accounts, oldest first.
func (s *Sim) Accounts() []Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Account, len(s.accounts))
	for i, a := range s.accounts {
		out[i] = a.Account
	}
	return out
}

// Quiet waits until every webhook is delivered or given up and every late
// effect has taken place. At real speed a failing webhook takes four hours.
func (s *Sim) Quiet() {
	s.mu.Lock()
	if s.pending == 0 {
		s.mu.Unlock()
		return
	}
	ch := make(chan struct{})
	s.quiet = append(s.quiet, ch)
	s.mu.Unlock()
	select {
	case <-ch:
	case <-s.ctx.Done():
	}
}

// endPending ends one piece of pending work. s.mu is held.
func (s *Sim) endPending() {
	s.pending--
	if s.pending > 0 {
		return
	}
	for _, ch := range s.quiet {
		close(ch)
	}
	s.quiet = nil
}

// after runs f once d has passed, unless the Sim is closed by then. f must end
// the pending work that the caller counted.
func (s *Sim) after(d time.Duration, f func()) {
	time.AfterFunc(d, func() {
		if s.ctx.Err() == nil {
			f()
		}
	})
}

// ZoneName is the time zone of all accounts.
const ZoneName = "Pacific/Auckland"

var zone = sync.OnceValue(func() *time.Location {
	loc, err := time.LoadLocation(ZoneName)
	if err != nil {
		return time.UTC
	}
	return loc
})

// Zone returns the time zone of all accounts.
func Zone() *time.Location { return zone() }

// Today returns the date in that zone.
func Today(now time.Time) string { return now.In(zone()).Format(time.DateOnly) }
