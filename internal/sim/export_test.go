package sim

import "bytes"

// StateFile is the file of Options.Dir.
const StateFile = stateFile

// Whole is all that a Sim keeps, as it is saved.
func (s *Sim) Whole() (string, error) {
	var b bytes.Buffer
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &writer{w: &b}
	s.writeWhole(w)
	return b.String(), w.err
}

// Save writes the whole now.
func (s *Sim) Save() error { return s.save() }

// Appended is how many bytes are written behind the whole.
func (s *Sim) Appended() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.appended
}
