package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// state is what is kept in Options.Dir. Faults and calls are not.
type state struct {
	Accounts []*account `json:"accounts"`
	Orders   int        `json:"orders"` // placed so far, over all suppliers
	RNG      []byte     `json:"rng"`
}

const (
	stateFile = "sim.json"
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

// save writes the state beside the old one and swaps them.
func (s *Sim) save() error {
	s.mu.Lock()
	s.state.RNG, _ = s.rng.MarshalBinary()
	data, err := json.Marshal(&s.state)
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("save simulators' state: %w", err)
	}
	if err := os.MkdirAll(s.opts.Dir, 0o700); err != nil {
		return fmt.Errorf("save simulators' state: %w", err)
	}
	f, err := os.CreateTemp(s.opts.Dir, stateFile+".*")
	if err != nil {
		return fmt.Errorf("save simulators' state: %w", err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
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
	data, err := os.ReadFile(filepath.Join(s.opts.Dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &s.state); err != nil {
		return fmt.Errorf("%s: %w", stateFile, err)
	}
	if err := s.rng.UnmarshalBinary(s.state.RNG); err != nil {
		return fmt.Errorf("%s: %w", stateFile, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.state.Accounts {
		s.index(a)
		for _, d := range a.Up.Deliveries {
			if d.State == "pending" {
				s.start(a, d, max(0, time.Until(d.Next)))
			}
		}
	}
	return nil
}
