package sim

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// state is what is kept in Options.Dir. Faults and calls are not.
type state struct {
	Accounts []*account `json:"accounts,omitempty"`
	Orders   int        `json:"orders"` // placed so far, over all suppliers
	RNG      []byte     `json:"rng"`
}

const (
	stateFile = "sim.jsonl"
	saveDelay = 500 * time.Millisecond
)

// dirt is what of an account is to be saved: the account without its long lists,
// always, and these rows of them.
type dirt struct {
	sales  map[*saleRecord]bool
	orders map[*upOrder]bool
	events map[*delivery]bool
}

// touched has an account saved soon, with the given rows of its long lists:
// *saleRecord, *upOrder, *delivery. s.mu is held.
func (s *Sim) touched(a *account, rows ...any) {
	if s.opts.Dir == "" {
		return
	}
	d := s.dirty[a]
	if d == nil {
		d = &dirt{map[*saleRecord]bool{}, map[*upOrder]bool{}, map[*delivery]bool{}}
		s.dirty[a] = d
	}
	for _, row := range rows {
		switch row := row.(type) {
		case *saleRecord:
			d.sales[row] = true
		case *upOrder:
			d.orders[row] = true
		case *delivery:
			d.events[row] = true
		}
	}
	if s.saving || s.closed {
		return
	}
	s.saving = true
	time.AfterFunc(saveDelay, func() {
		s.mu.Lock()
		closed := s.closed
		s.saving = false
		s.mu.Unlock()
		if !closed {
			s.saveChanges() // a failure is met again, and told, at Close
		}
	})
}

// record is one line of the file. The file begins with the whole: the state
// without its accounts, then each account without its long lists, and behind it
// their rows, one a line, so that neither saving nor loading holds the whole in
// memory twice. What changed after that is written behind it, with the number
// of its account: the account again, and the rows that are new or other.
type record struct {
	Changes   int         `json:"changes,omitempty"` // so many lines follow that belong together: all count, or none
	In        int         `json:"in,omitempty"`      // an account's number, from 1; 0 = the last account's, in the whole
	State     *state      `json:"state,omitempty"`
	Account   *account    `json:"account,omitempty"`
	Sale      *saleRecord `json:"sale,omitempty"`
	CoreEvent *delivery   `json:"coreEvent,omitempty"`
	Order     *upOrder    `json:"order,omitempty"`
	UpEvent   *delivery   `json:"upEvent,omitempty"`
}

// writer puts records into a file and counts its bytes. The first error stays.
type writer struct {
	w    io.Writer
	json *json.Encoder
	n    int64
	rows int
	err  error
}

func newWriter(w io.Writer) *writer {
	out := &writer{w: w}
	out.json = json.NewEncoder(out)
	return out
}

func (w *writer) Write(b []byte) (int, error) {
	n, err := w.w.Write(b)
	w.n += int64(n)
	return n, err
}

func (w *writer) put(r record) {
	if w.err == nil {
		w.rows++
		w.err = w.json.Encode(r)
	}
}

// bare is an account without its long lists.
func (a *account) bare() *account {
	c, up := *a.Core, *a.Up
	c.Sales, c.Deliveries, up.Orders, up.Deliveries, up.Approved = nil, nil, nil, nil, nil
	return &account{Account: a.Account, Core: &c, Up: &up}
}

// writeState writes what belongs to no account. s.mu is held.
func (s *Sim) writeState(w *writer) {
	if s.state.RNG, w.err = s.rng.MarshalBinary(); w.err == nil {
		bare := s.state
		bare.Accounts = nil
		w.put(record{State: &bare})
	}
}

// writeWhole writes all records. s.mu is held.
func (s *Sim) writeWhole(w *writer) {
	s.writeState(w)
	for _, a := range s.state.Accounts {
		w.put(record{Account: a.bare()})
		for _, x := range a.Core.Sales {
			w.put(record{Sale: x})
		}
		for _, x := range a.Core.Deliveries {
			w.put(record{CoreEvent: x})
		}
		for _, x := range a.Up.Orders {
			w.put(record{Order: x})
		}
		for _, x := range a.Up.Deliveries {
			w.put(record{UpEvent: x})
		}
	}
}

// writeChanges writes what is dirty, in the order in which it stands. s.mu is held.
func (s *Sim) writeChanges(w *writer) {
	s.writeState(w)
	for i, a := range s.state.Accounts {
		d := s.dirty[a]
		if d == nil {
			continue
		}
		w.put(record{In: i + 1, Account: a.bare()})
		number := func(x *saleRecord) string { return x.Sale.Order.SaleOrderNumber }
		for _, x := range slices.SortedFunc(maps.Keys(d.sales), func(x, y *saleRecord) int {
			return cmp.Or(len(number(x))-len(number(y)), cmp.Compare(number(x), number(y)))
		}) {
			w.put(record{In: i + 1, Sale: x})
		}
		for _, x := range slices.SortedFunc(maps.Keys(d.orders), func(x, y *upOrder) int { return x.ID - y.ID }) {
			w.put(record{In: i + 1, Order: x})
		}
		for _, x := range a.Core.Deliveries {
			if d.events[x] {
				w.put(record{In: i + 1, CoreEvent: x})
			}
		}
		for _, x := range a.Up.Deliveries {
			if d.events[x] {
				w.put(record{In: i + 1, UpEvent: x})
			}
		}
	}
}

func (st *state) read(r io.Reader) error {
	in := bufio.NewReaderSize(r, 1<<16)
	left, batch := 0, []record(nil)
	for line := 1; ; line++ {
		text, err := in.ReadBytes('\n')
		if err == io.EOF { // a line without its end is what a stop broke off
			return nil
		}
		var x record
		if err == nil {
			err = json.Unmarshal(text, &x)
		}
		if err == nil && left > 0 {
			if left, batch = left-1, append(batch, x); left > 0 {
				continue
			}
		} else if err == nil {
			left, batch = x.Changes, []record{x}
			if left > 0 {
				continue
			}
		}
		for _, x := range batch {
			if err == nil {
				err = st.apply(x)
			}
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
}

func (st *state) apply(x record) error {
	n := x.In
	if n == 0 {
		n = len(st.Accounts)
	}
	switch {
	case x.Changes > 0:
		return nil
	case x.State != nil:
		accounts := st.Accounts
		*st = *x.State
		st.Accounts = accounts
		return nil
	case x.Account != nil && (x.In == 0 || x.In == len(st.Accounts)+1):
		st.Accounts = append(st.Accounts, x.Account)
		return nil
	case n < 1 || n > len(st.Accounts):
		return errors.New("rows of no account")
	}
	a := st.Accounts[n-1]
	switch {
	case x.Account != nil:
		x.Account.Core.Sales, x.Account.Core.Deliveries = a.Core.Sales, a.Core.Deliveries
		x.Account.Up.Orders, x.Account.Up.Deliveries = a.Up.Orders, a.Up.Deliveries
		st.Accounts[n-1] = x.Account
	case x.Sale != nil:
		a.Core.Sales = place(a.Core.Sales, x.Sale, x.In > 0, func(s *saleRecord) string { return s.Sale.ID })
	case x.Order != nil:
		a.Up.Orders = place(a.Up.Orders, x.Order, x.In > 0, func(o *upOrder) string { return strconv.Itoa(o.ID) })
	case x.CoreEvent != nil:
		a.Core.Deliveries = place(a.Core.Deliveries, x.CoreEvent, x.In > 0, func(d *delivery) string { return d.ID })
		trim(&a.Core.Deliveries)
	case x.UpEvent != nil:
		a.Up.Deliveries = place(a.Up.Deliveries, x.UpEvent, x.In > 0, func(d *delivery) string { return d.ID })
		trim(&a.Up.Deliveries)
	}
	return nil
}

// place puts a row in the place of the one with its id, which is among the
// newest as a rule, else behind all.
func place[T any](rows []T, row T, mayBe bool, id func(T) string) []T {
	if mayBe {
		for i := len(rows) - 1; i >= 0; i-- {
			if id(rows[i]) == id(row) {
				rows[i] = row
				return rows
			}
		}
	}
	return append(rows, row)
}

// saveChanges writes what changed behind what is there; the whole anew, where
// as much was written behind it as it has, so that on average a change costs
// no more than itself.
func (s *Sim) saveChanges() error {
	s.mu.Lock()
	if s.log == nil || s.appended > max(s.whole, leastWhole) {
		s.mu.Unlock()
		return s.save()
	}
	var b bytes.Buffer
	w := newWriter(&b)
	s.writeChanges(w)
	clear(s.dirty)
	s.appended += w.n
	err := w.err
	if err == nil {
		head, _ := json.Marshal(record{Changes: w.rows})
		_, err = s.log.Write(append(append(head, '\n'), b.Bytes()...))
	}
	if err != nil { // the next save writes the whole
		s.log.Close()
		s.log = nil
	}
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("save simulators' state: %w", err)
	}
	return nil
}

// leastWhole is what may be written behind the whole however small that is.
const leastWhole = 4 << 20

// save writes the whole state beside the old one and swaps them.
func (s *Sim) save() error {
	if err := os.MkdirAll(s.opts.Dir, 0o700); err != nil {
		return fmt.Errorf("save simulators' state: %w", err)
	}
	f, err := os.CreateTemp(s.opts.Dir, stateFile+".*")
	if err != nil {
		return fmt.Errorf("save simulators' state: %w", err)
	}
	out := bufio.NewWriterSize(f, 1<<16)
	w := newWriter(out)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writeWhole(w)
	if err = errors.Join(w.err, out.Flush()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(s.opts.Dir, stateFile))
	}
	if err != nil {
		f.Close()
		os.Remove(f.Name())
		return fmt.Errorf("save simulators' state: %w", err)
	}
	if s.log != nil {
		s.log.Close()
	}
	s.log, s.whole, s.appended = f, w.n, 0 // what changes from now on is written behind
	clear(s.dirty)
	if s.closed {
		err, s.log = f.Close(), nil
	}
	return err
}

// load reads the state and takes up the webhooks that were on their way.
func (s *Sim) load() error {
	f, err := os.Open(filepath.Join(s.opts.Dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := s.state.read(f); err != nil {
		return fmt.Errorf("%s: %w", stateFile, err)
	}
	if err := s.rng.UnmarshalBinary(s.state.RNG); err != nil {
		return fmt.Errorf("%s: %w", stateFile, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.state.Accounts {
		s.index(a)
		a.Up.Approved = a.Up.Approved[:0]
		for i, o := range a.Up.Orders {
			if o.ApprovedAt != nil {
				a.Up.Approved = append(a.Up.Approved, i)
			}
		}
		slices.SortStableFunc(a.Up.Approved, func(x, y int) int { return a.Up.Orders[x].ApprovedAt.Compare(*a.Up.Orders[y].ApprovedAt) })
		for _, d := range slices.Concat(a.Up.Deliveries, a.Core.Deliveries) {
			if d.State == "pending" {
				s.start(a, d, max(0, time.Until(d.Next)))
			}
		}
	}
	return nil
}
