package sim

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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

// changed has the state saved soon. s.mu is held.
func (s *Sim) changed() {
	if s.opts.Dir == "" || s.saving || s.closed {
		return
	}
	s.saving = true
	time.AfterFunc(saveDelay, func() {
		s.mu.Lock()
		closed := s.closed
		s.saving = false
		s.mu.Unlock()
		if !closed {
			s.save() // a failure is met again, and told, at Close
		}
	})
}

// record is one line of the file: the state without its accounts, then each
// account without its long lists, and behind it their rows, one a line, so that
// neither saving nor loading holds the whole in memory twice.
type record struct {
	State     *state      `json:"state,omitempty"`
	Account   *account    `json:"account,omitempty"`
	Sale      *saleRecord `json:"sale,omitempty"`
	CoreEvent *delivery   `json:"coreEvent,omitempty"`
	Order     *upOrder    `json:"order,omitempty"`
	UpEvent   *delivery   `json:"upEvent,omitempty"`
}

// write writes all records. s.mu is held.
func (s *Sim) write(w io.Writer) error {
	e := json.NewEncoder(w)
	var err error
	if s.state.RNG, err = s.rng.MarshalBinary(); err == nil {
		bare := s.state
		bare.Accounts = nil
		err = e.Encode(record{State: &bare})
	}
	put := func(r record) {
		if err == nil {
			err = e.Encode(r)
		}
	}
	for _, a := range s.state.Accounts {
		c, up := *a.Core, *a.Up
		c.Sales, c.Deliveries, up.Orders, up.Deliveries = nil, nil, nil, nil
		put(record{Account: &account{Account: a.Account, Core: &c, Up: &up}})
		for _, x := range a.Core.Sales {
			put(record{Sale: x})
		}
		for _, x := range a.Core.Deliveries {
			put(record{CoreEvent: x})
		}
		for _, x := range a.Up.Orders {
			put(record{Order: x})
		}
		for _, x := range a.Up.Deliveries {
			put(record{UpEvent: x})
		}
	}
	return err
}

func (st *state) read(r io.Reader) error {
	d := json.NewDecoder(r)
	for {
		var x record
		if err := d.Decode(&x); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		switch n := len(st.Accounts); {
		case x.State != nil:
			*st = *x.State
		case x.Account != nil:
			st.Accounts = append(st.Accounts, x.Account)
		case n == 0:
			return errors.New("rows of no account")
		case x.Sale != nil:
			c := st.Accounts[n-1].Core
			c.Sales = append(c.Sales, x.Sale)
		case x.CoreEvent != nil:
			c := st.Accounts[n-1].Core
			c.Deliveries = append(c.Deliveries, x.CoreEvent)
		case x.Order != nil:
			up := st.Accounts[n-1].Up
			up.Orders = append(up.Orders, x.Order)
		case x.UpEvent != nil:
			up := st.Accounts[n-1].Up
			up.Deliveries = append(up.Deliveries, x.UpEvent)
		}
	}
}

// save writes the state beside the old one and swaps them.
func (s *Sim) save() error {
	if err := os.MkdirAll(s.opts.Dir, 0o700); err != nil {
		return fmt.Errorf("save simulators' state: %w", err)
	}
	f, err := os.CreateTemp(s.opts.Dir, stateFile+".*")
	if err != nil {
		return fmt.Errorf("save simulators' state: %w", err)
	}
	w := bufio.NewWriterSize(f, 1<<16)
	s.mu.Lock()
	err = s.write(w)
	s.mu.Unlock()
	if err = errors.Join(err, w.Flush(), f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(s.opts.Dir, stateFile))
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("save simulators' state: %w", err)
	}
	return nil
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
	if err := s.state.read(bufio.NewReader(f)); err != nil {
		return fmt.Errorf("%s: %w", stateFile, err)
	}
	if err := s.rng.UnmarshalBinary(s.state.RNG); err != nil {
		return fmt.Errorf("%s: %w", stateFile, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.state.Accounts {
		s.index(a)
		for _, d := range slices.Concat(a.Up.Deliveries, a.Core.Deliveries) {
			if d.State == "pending" {
				s.start(a, d, max(0, time.Until(d.Next)))
			}
		}
	}
	return nil
}
