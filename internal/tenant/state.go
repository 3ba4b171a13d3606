package tenant

import "strings"

// Lack is why calls of a system cannot be made for a tenant, in words. Nobody
// else words the state of a connection: what becomes of work meanwhile is for
// the work to say, after or before these sentences.
type Lack struct {
	System System
	State  string // "Acme is not connected.", "Acme needs reconnecting."
	Why    string // why it needs reconnecting; "" = it is not connected
	Do     string // what helps, after a sentence that names the system: "Save a new key"
	Fix    string // the same where nothing names it: "Save a new key of Acme."
}

// String is the state with its reason.
func (l *Lack) String() string {
	if l.Why == "" {
		return l.State
	}
	return strings.TrimSuffix(l.State, ".") + ": " + l.Why
}

// Lacks lists what keeps the systems from being called, in their order; none =
// all are connected.
func (b Bundle) Lacks(systems ...System) []*Lack {
	var list []*Lack
	for _, s := range systems {
		c, known := b.Connections[s]
		title := s.Title()
		reconnect := title + " needs reconnecting."
		switch {
		case !known:
			list = append(list, &Lack{s, s.NotConnected(), "", "Connect it", "Connect " + title + "."})
		case c.State == Connected:
		case c.Unsealed():
			list = append(list, &Lack{s, reconnect, c.Why, "Save its keys again",
				"Save the keys of " + title + " again."})
		default:
			list = append(list, &Lack{s, reconnect, c.Why, "Save a new key", "Save a new key of " + title + "."})
		}
	}
	return list
}

// Lack is the first of them; nil = all are connected.
func (b Bundle) Lack(systems ...System) *Lack {
	if list := b.Lacks(systems...); len(list) > 0 {
		return list[0]
	}
	return nil
}

// Ready says what keeps work that calls all the systems from being done, and
// what helps; "" = all are connected.
func (b Bundle) Ready(systems ...System) (why string) {
	switch l := b.Lack(systems...); {
	case l == nil:
		return ""
	case l.Why == "":
		return l.State + " " + l.Do + " first."
	default:
		return l.State + " " + l.Do + "."
	}
}

// SaysLack reports whether a sentence that was noted earlier begins with what
// the system lacked then.
func (s System) SaysLack(sentence string) bool {
	for _, begins := range []string{s.NotConnected(), s.Title() + " needs reconnecting:", s.KeyRefused()} {
		if strings.HasPrefix(sentence, begins) {
			return true
		}
	}
	return false
}

// NotConnected is what is said of a system that is not connected.
func (s System) NotConnected() string { return s.Title() + " is not connected." }

// KeyRefused is why a connection needs reconnecting whose key the vendor refused.
func (s System) KeyRefused() string { return s.Title() + " refused the key." }

// KeyUnsealed is why a connection needs reconnecting whose stored secrets cannot
// be opened. What else a person should know may follow it.
func (s System) KeyUnsealed() string {
	return "The stored key of " + s.Title() + " cannot be opened any more: " +
		"the key that it was sealed with is lost or disabled. Save the keys of " + s.Title() + " again."
}

// Unsealed reports whether the connection needs its keys again only because the
// stored ones cannot be opened: those that there were are as good.
func (c *Connection) Unsealed() bool { return strings.HasPrefix(c.Why, c.System.KeyUnsealed()) }
