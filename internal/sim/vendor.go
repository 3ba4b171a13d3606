package sim

import (
	"encoding/json"
	"iter"
	"net/http"
	"time"
)

// Vendor is one simulated far side: its wire, its validation, its arithmetic.
// Open, Caller and Serve are called under the Sim's lock, the rest without it; the
// vendor's own exported methods take the lock themselves.
type Vendor interface {
	// Name is one of the vendors' names: Upstock, Cin7Core and so on.
	Name() string
	// Join is called once, before all else, with the Sim that the vendor is in.
	Join(*Sim)
	// Open makes an account's empty books. They are stocked next, or read from
	// the state's file, with the account's keys.
	Open(*Seat) Books
	// Caller returns what calls and faults call the account with whose
	// credentials a call is made; "" where they are nobody's.
	Caller(*http.Request) string
	// Serve answers a call: authentication, limits and all.
	Serve(*Request) *Response
	// Throttled is how the vendor refuses a call that is one too many, in one of
	// the forms in which it has been seen; how "" = the usual one.
	Throttled(how string) *Response
	// Control adds the vendor's routes to the control API, and its pages.
	Control(*Site)
}

// Books are what one account has at one vendor. They marshal as JSON, without
// the rows of their long list: these are saved one by one, so that a change
// costs no more than itself.
type Books interface {
	// Fill stocks the books of a fresh account.
	Fill(Catalogue)
	// Rows are the rows of the long list, oldest first, as pointers to JSON.
	Rows() iter.Seq[any]
	// ReadRow puts back a row that was saved: in the place of the one with its
	// id where it is a change, else behind all. PutRow does both.
	ReadRow(row json.RawMessage, change bool) error
	// Loaded is called when the books and all their rows were read from the file.
	Loaded()
}

// Sender is what Books are whose vendor sends webhooks.
type Sender interface {
	// Patience is how long the vendor waits for an answer, and then before the
	// second and each later attempt.
	Patience() (answer time.Duration, retries []time.Duration)
	// Envelope is where an event goes now and with which headers; or why it goes
	// nowhere. It may correct the event's URL.
	Envelope(e *Event, now time.Time) (header http.Header, problem string)
	// GivenUp is told of an event that no attempt delivered.
	GivenUp(e *Event)
}

// Seat is one account at one vendor, as the vendor's books hold on to it.
type Seat struct {
	Sim     *Sim
	Account *Account // its keys may change

	vendor     *side
	account    *account
	books      Books
	deliveries []*delivery
}

// Changed has the books saved soon, with the given rows of their long list: those
// that are new or other. The lock is held.
func (p *Seat) Changed(rows ...any) { p.Sim.touched(p.account, p, rows) }

// side is a vendor of this Sim.
type side struct {
	*listing
	Vendor
}

// account is a wholesaler with its books at all vendors.
type account struct {
	Account
	number int
	seats  []*Seat // in the order of Sim.sides
}

// open gives an account its empty books. s.mu is held.
func (s *Sim) open(of Account) *account {
	a := &account{Account: of, number: len(s.accounts) + 1}
	for _, v := range s.sides {
		p := &Seat{Sim: s, Account: &a.Account, vendor: v, account: a}
		p.books = v.Open(p)
		a.seats = append(a.seats, p)
	}
	s.accounts = append(s.accounts, a)
	return a
}

// stock fills books that are fresh: first those that keep their account's catalogue,
// which the others follow. s.mu is held.
func stock(seats []*Seat) {
	for _, keepers := range []bool{true, false} {
		for _, p := range seats {
			if _, keeper := p.books.(Catalogue); keeper == keepers {
				p.books.Fill(p.Catalogue())
			}
		}
	}
}

// Catalogue is the account's, kept by the books of another of its vendors where
// one keeps it. The lock is held.
func (p *Seat) Catalogue() Catalogue {
	for _, q := range p.account.seats {
		if keeper, ok := q.books.(Catalogue); ok {
			return keeper
		}
	}
	return shopWindow{}
}

// Lock takes the lock that guards all books. It is never held across a sleep or
// a call.
func (s *Sim) Lock() { s.mu.Lock() }

// Unlock gives the lock back.
func (s *Sim) Unlock() { s.mu.Unlock() }

// Fast is a duration as it lasts at the Sim's speed.
func (s *Sim) Fast(d time.Duration) time.Duration { return time.Duration(float64(d) / s.opts.Speed) }

func (s *Sim) seconds(n float64) time.Duration {
	return s.Fast(time.Duration(n * float64(time.Second)))
}

// GUID makes a random id. It and the other makers draw from Options.Seed; the
// lock is held.
func (s *Sim) GUID() string {
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

// Token makes a random text of 24 letters and digits.
func (s *Sim) Token() string {
	const letters = "abcdefghijkmnpqrstuvwxyz23456789"
	b := s.Random()
	for i := range b {
		b[i] = letters[b[i]&31]
	}
	return string(b[:])
}

// Random makes 24 random bytes.
func (s *Sim) Random() (b [24]byte) {
	s.rng.Read(b[:])
	return b
}

// Pick makes a random number from 0 to n-1.
func (s *Sim) Pick(n int) int { return int(s.rng.Uint64() % uint64(n)) }
