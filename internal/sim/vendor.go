package sim

import (
	"encoding/json"
	"iter"
	"net/http"
	"time"
)

// Vendor is one simulated vendor: its wire format, validation and arithmetic.
// Open, Caller and Serve are called under the Sim's lock, the other methods
// without it; the vendor's own exported methods take the lock themselves.
type Vendor interface {
	// Name is one of the vendors' names: Upstock, Cin7Core and so on.
	Name() string
	// Join is called once, before everything else, with the vendor's Sim.
	Join(*Sim)
	// Open makes an account's empty books. They are then filled, or read from
	// the state's file, with the account's keys.
	Open(*Seat) Books
	// Caller returns the account whose credentials a call has, as calls and
	// faults name it; "" if they are nobody's.
	Caller(*http.Request) string
	// Serve answers a call, including authentication and limits.
	Serve(*Request) *Response
	// Throttled is the answer to a call over the limit, in one of the forms that
	// have been seen; how "" = the usual one.
	Throttled(how string) *Response
	// Control adds the vendor's routes to the control API, and its pages.
	Control(*Site)
}

// Pather is implemented by a Vendor that answers some calls at several paths.
type Pather interface {
	// Path returns the path by which calls and faults name one that is below the vendor's base.
	Path(below string) string
}

// Refuser is implemented by a Vendor that refuses calls in a way of its own.
type Refuser interface {
	// Refused is the answer to a call that a fault lets it refuse.
	Refused(*Request) *Response
}

// Books are the records of one account at one vendor. They marshal as JSON,
// without the rows of their long lists. These are saved one by one, so that the
// cost of saving a change does not grow with the lists.
type Books interface {
	// Fill stocks the books of a new account.
	Fill(Catalogue)
	// Rows returns the rows of the long lists, oldest first, as pointers that
	// marshal as JSON. A row that has a Kind is a Row.
	Rows() iter.Seq[any]
	// ReadRow reads a saved row of a kind, "" for one that is no Row: a change
	// replaces the row with its id; another row is appended. PutRow does both.
	ReadRow(kind string, row json.RawMessage, change bool) error
	// Loaded is called when the books and all their rows were read from the file.
	Loaded()
}

// Row is a row of another list than the vendor's longest one.
type Row interface {
	// Kind is the list's name: product, customer, …
	Kind() string
}

// Sender is implemented by the Books of a vendor that sends webhooks.
type Sender interface {
	// Timing returns how long the vendor waits for an answer, and how long before
	// the second and each later attempt.
	Timing() (answer time.Duration, retries []time.Duration)
	// Envelope returns the headers with which an event is sent now, or why it is
	// not sent. It may correct the event's URL.
	Envelope(e *Event, now time.Time) (header http.Header, problem string)
	// GivenUp is called with an event that no attempt delivered.
	GivenUp(e *Event)
}

// Seat is one account at one vendor. The vendor's books reach the Sim through it.
type Seat struct {
	Sim     *Sim
	Account *Account // its keys may change

	vendor     *simulated
	account    *account
	books      Books
	deliveries []*delivery
}

// Empty reports whether the books are to be filled without contacts and connections.
func (p *Seat) Empty() bool { return p.account.empty }

// Changed saves the books soon, with the given rows of their long lists, which are
// new or changed. The lock is held.
func (p *Seat) Changed(rows ...any) { p.Sim.markChanged(p.account, p, rows) }

// simulated is a vendor of this Sim.
type simulated struct {
	*knownVendor
	Vendor
}

// account is a wholesaler with its books at all vendors.
type account struct {
	Account
	number int
	seats  []*Seat // in the order of Sim.sides
	empty  bool    // its books are filled without contacts and connections
}

// open gives an account its empty books. s.mu is held.
func (s *Sim) open(of Account) *account {
	a := &account{Account: of, number: len(s.accounts) + 1}
	for _, v := range s.vendors {
		p := &Seat{Sim: s, Account: &a.Account, vendor: v, account: a}
		p.books = v.Open(p)
		a.seats = append(a.seats, p)
	}
	s.accounts = append(s.accounts, a)
	return a
}

// stockBooks fills new books: first those that keep their account's catalogue, as
// the others follow it. s.mu is held.
func stockBooks(seats []*Seat) {
	for _, keepers := range []bool{true, false} {
		for _, p := range seats {
			if _, keeper := p.books.(Catalogue); keeper == keepers {
				p.books.Fill(p.Catalogue())
			}
		}
	}
}

// Catalogue returns the account's catalogue, which the books of one of its vendors
// may keep. The lock is held.
func (p *Seat) Catalogue() Catalogue {
	for _, q := range p.account.seats {
		if keeper, ok := q.books.(Catalogue); ok {
			return keeper
		}
	}
	return plainCatalogue{}
}

// Lock takes the lock that guards all books. It must not be held during a sleep or
// a call.
func (s *Sim) Lock() { s.mu.Lock() }

// Unlock releases the lock.
func (s *Sim) Unlock() { s.mu.Unlock() }

// Scaled returns how long a duration takes at the Sim's speed.
func (s *Sim) Scaled(d time.Duration) time.Duration { return time.Duration(float64(d) / s.opts.Speed) }

func (s *Sim) seconds(n float64) time.Duration {
	return s.Scaled(time.Duration(n * float64(time.Second)))
}

// GUID makes a random id. It and the next functions draw from Options.Seed; the
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
