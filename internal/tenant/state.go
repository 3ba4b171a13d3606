package tenant

// KeyRefused is why a connection needs reconnecting whose key the vendor refused.
func (s System) KeyRefused() string { return s.Title() + " refused the key." }
