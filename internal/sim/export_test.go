package sim

import "bytes"

// StateFile is the file of Options.Dir.
const StateFile = stateFile

// Snapshot is the whole state of a Sim, as it is saved.
func (s *Sim) Snapshot() (string, error) {
	var b bytes.Buffer
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &writer{w: &b}
	s.writeAll(w)
	return b.String(), w.err
}

// Save writes a snapshot now.
func (s *Sim) Save() error { return s.save() }

// Appended returns how many bytes of changes follow the snapshot in the file.
func (s *Sim) Appended() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.appended
}
