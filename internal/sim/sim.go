// Package sim is the far side: small honest vendors to build and test against.
//
// A [Sim] holds accounts. Each account is one invented wholesaler with matching
// books at every vendor: an Upstock supplier and a Cin7 Core company whose
// customers and products are linked. Cin7 Omni and JOOR have credentials only;
// their routes answer 501.
//
// The vendors are served below fixed prefixes (see the Prefix constants), with
// their authentication, validation, limits and error texts. Where a vendor's
// documentation is silent, the code says what was decided. The package imports
// nothing of ours and has its own wire structs and arithmetic, so that a wrong
// tag or formula of a client cannot cancel out; it is held against the vendors'
// samples.
//
// Below /sim are pages for people and a control API (see control.go), which
// places and approves orders, ships sales, injects faults ([Fault]) and tells
// what was called. Go tests use [Sim.Transport], which calls the handler in the
// same goroutine and works in a testing/synctest bubble, and the methods of Sim.
//
// One mutex guards everything; it is never held across a sleep or a call.
// Waiting work (webhook retries, late effects) is timers, not goroutines.
package sim

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/shopspring/decimal"
)

// Where the vendors are mounted; the clients' base addresses end in these.
const (
	PrefixUpstock  = "/upstock/v1"
	PrefixCin7Core = "/cin7core/ExternalApi/v2"
	PrefixCin7Omni = "/cin7omni/api"
	PrefixJOOR     = "/joor"
)

// The vendors' names, as the control API spells them.
const (
	Upstock  = "upstock"
	Cin7Core = "cin7core"
	Cin7Omni = "cin7omni"
	JOOR     = "joor"
)

// Options of a Sim. The zero value is a simulator in memory at true speed.
type Options struct {
	// Speed divides limit windows, the seconds of faults and the delays of
	// webhook retries. 0 = 1.
	Speed float64
	// Deliver sends webhooks. nil = http.DefaultTransport.
	Deliver http.RoundTripper
	// Dir is where the state is kept, saved soon after a change and at Close.
	// "" = memory only.
	Dir string
	// Seed makes all ids and tokens reproducible: two Sims with one seed and
	// the same calls agree. "" = random.
	Seed string
	// UpdatedLag is how long Cin7 Core's saleList lags behind. 0 = not at all.
	UpdatedLag time.Duration
	// TinyPages caps the rows of a page of every list. The caller must then
	// page by Total or to an empty page. 0 = the vendors' own limits.
	TinyPages int
	// ListOrder is how saleList sorts, which the vendor does not say.
	ListOrder ListOrder
	// ListDrift lets rows of saleList move between its pages, at random.
	ListDrift bool
	// NoAutomation makes accounts without Cin7 Core's Automation module, which
	// its webhooks need. The control API changes it per account.
	NoAutomation bool
	// NoLimits counts calls over the limit but lets them pass.
	NoLimits bool
}

// ListOrder is an order of saleList.
type ListOrder int

const (
	NewestFirst ListOrder = iota // as in the vendor's example
	OldestFirst
	Shuffled // anew for every page
)

// Account is one wholesaler's credentials at every vendor.
type Account struct {
	Name     string          `json:"name"`
	Currency string          `json:"currency"`
	Upstock  UpstockAccount  `json:"upstock"`
	Cin7Core Cin7CoreAccount `json:"cin7core"`
	Cin7Omni Cin7OmniAccount `json:"cin7omni"`
	JOOR     JOORAccount     `json:"joor"`
}

// UpstockAccount is a supplier and its bearer token.
type UpstockAccount struct {
	Supplier int    `json:"supplier"`
	Token    string `json:"token"`
}

// Cin7CoreAccount is the pair of authentication headers.
type Cin7CoreAccount struct {
	AccountID      string `json:"accountId"`
	ApplicationKey string `json:"applicationKey"`
}

// Cin7OmniAccount is the pair of Basic authentication.
type Cin7OmniAccount struct {
	Username string `json:"username"`
	Key      string `json:"key"`
}

// JOORAccount is an account id and its static token.
type JOORAccount struct {
	Account string `json:"account"`
	Token   string `json:"token"`
}

// Sim is the simulated vendors. Safe for concurrent use.
type Sim struct {
	opts   Options
	site   func() http.Handler // pages and control API, built when first asked for
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	state   state
	rng     *mathrand.ChaCha8
	bySup   map[int]*account
	byCore  map[string]*account // by lower-case account id
	byToken map[string]*account
	faults  map[string][]*Fault // by vendor
	meters  map[string]*meter   // by vendor and account
	pending int                 // webhook deliveries and late effects not settled yet
	quiet   []chan struct{}
	closed  bool
	saving  bool // a save is scheduled

	dirty           map[*account]*dirt
	log             *os.File // the file of the state, open to write behind; nil = the next save writes the whole
	whole, appended int64    // bytes of the whole, and of what was written behind it
}

// account is everything one wholesaler has at the vendors.
type account struct {
	Account
	Core *core     `json:"core"`
	Up   *supplier `json:"up"`
}

// New makes a Sim without accounts, or loads the state that Options.Dir holds.
func New(o Options) (*Sim, error) {
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
		bySup: map[int]*account{}, byCore: map[string]*account{}, byToken: map[string]*account{},
		faults: map[string][]*Fault{}, meters: map[string]*meter{}, dirty: map[*account]*dirt{},
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

// AddAccount makes a fresh, stocked account. currency "" = NZD.
func (s *Sim) AddAccount(name, currency string) Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	if currency == "" {
		currency = "NZD"
	}
	n := len(s.state.Accounts) + 1
	if name == "" {
		name = "Supplier " + strconv.Itoa(n)
	}
	a := &account{Account: Account{Name: name, Currency: currency,
		Upstock:  UpstockAccount{n, "ups_" + s.token()},
		Cin7Core: Cin7CoreAccount{s.guid(), s.guid()},
		Cin7Omni: Cin7OmniAccount{"omni" + strconv.Itoa(n), s.token()},
		JOOR:     JOORAccount{strconv.Itoa(7000 + n), s.token()},
	}}
	s.stock(a)
	a.Core.NoAutomation = s.opts.NoAutomation
	s.state.Accounts = append(s.state.Accounts, a)
	s.index(a)
	s.touched(a)
	return a.Account
}

// Accounts lists the accounts, oldest first.
func (s *Sim) Accounts() []Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Account, len(s.state.Accounts))
	for i, a := range s.state.Accounts {
		out[i] = a.Account
	}
	return out
}

func (s *Sim) index(a *account) {
	s.bySup[a.Upstock.Supplier] = a
	s.byCore[strings.ToLower(a.Cin7Core.AccountID)] = a
	s.byToken[a.Upstock.Token] = a
}

// Quiet waits until every webhook is delivered or given up and every late
// effect has taken place. At true speed a failing webhook takes four hours.
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

// settle ends one piece of pending work. s.mu is held.
func (s *Sim) settle() {
	s.pending--
	if s.pending > 0 {
		return
	}
	for _, ch := range s.quiet {
		close(ch)
	}
	s.quiet = nil
}

// after runs f once d has passed, unless the Sim is closed by then; f settles
// the work that the caller made pending.
func (s *Sim) after(d time.Duration, f func()) {
	time.AfterFunc(d, func() {
		if s.ctx.Err() == nil {
			f()
		}
	})
}

// fast is a duration as it lasts at the Sim's speed.
func (s *Sim) fast(d time.Duration) time.Duration { return time.Duration(float64(d) / s.opts.Speed) }

func (s *Sim) seconds(n float64) time.Duration {
	return s.fast(time.Duration(n * float64(time.Second)))
}

// guid and the other makers of ids need s.mu.
func (s *Sim) guid() string {
	var b [16]byte
	s.rng.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	const hex = "0123456789abcdef"
	var out [36]byte
	j := 0
	for i, x := range b {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			out[j] = '-'
			j++
		}
		out[j], out[j+1] = hex[x>>4], hex[x&15]
		j += 2
	}
	return string(out[:])
}

func (s *Sim) token() string {
	const letters = "abcdefghijkmnpqrstuvwxyz23456789"
	var b [24]byte
	s.rng.Read(b[:])
	for i := range b {
		b[i] = letters[b[i]&31]
	}
	return string(b[:])
}

func (s *Sim) pick(n int) int { return int(s.rng.Uint64() % uint64(n)) }

// zone is where all accounts trade.
var zone = sync.OnceValue(func() *time.Location {
	loc, err := time.LoadLocation(zoneName)
	if err != nil {
		return time.UTC
	}
	return loc
})

const zoneName = "Pacific/Auckland"

func today(now time.Time) string { return now.In(zone()).Format(time.DateOnly) }

func dec(s string) decimal.Decimal { return decimal.RequireFromString(s) }
