// Package tenant knows who is connected and how each one is set up: tenants, their connections to vendors, their
// settings, and the tokens that open the API for them.
//
// # Words
//
//	Tenant      one customer of Stockbridge
//	System      a vendor's system; the one list of them, with their titles, is systems
//	Connection  a tenant's access to one system: account, key, state. It is Connected, or NeedsReconnecting since the
//	            vendor refused its key. Its Generation changes with each key that is replaced
//	Secrets     what is sealed in a connection; Secret prints as [redacted]
//	Sealer      seals and opens secrets for a tenant: KMS, or a Box
//	Settings    the tenant's options, with a version
//	Bundle      all that is known of a tenant's set-up, as one query brings it
//	Former      an account that was connected and was taken away
//	hook        the random end of a webhook's address, by which the connection is found
//
// # How it is used
//
// Whoever works for a tenant loads its bundle once and works by that ([Store.Load]); a single connection is
// [Store.Connection], and [Store.Hooked] finds the one of a webhook's address with its secrets. [Store.Connect] makes
// or changes a connection, [Store.Disconnect] takes it away. What a job notes in a connection goes through
// [Store.Update], which repeats the change on what others wrote meanwhile. A vendor that refuses a key is noted by
// [Store.Broken], for the generation that was used: a key that was replaced meanwhile is not blamed.
//
// Several methods take With: what is to be written in the same transaction, an event above all, given what is made.
//
// # What it promises
//
// A key is stored sealed and is never shown. An Upstock supplier belongs to one tenant at a time, by a claim in the
// same write. The webhook's address stays while the connection does, unless the sealing key was lost. Settings that a
// person sends are read strictly and all faults are named ([ParseSettings]); those that were stored are always read:
// one that is unknown is kept, one that is not allowed any more has its default, and Bundle.Said says so.
//
// # Keys
//
// Everything of one tenant that an order needs stands in one partition, T#<tenant>, so that one query brings it:
//
//	tenant            Tenant
//	settings          Settings
//	conn#<system>     Connection; its credentials are sealed
//	first#upstock     the Upstock supplier that was connected first
//	was#<system>#<account>  Former: an account that was connected
//	books             the small reference books of Cin7 Core (written by package mirror)
//
// Beside it stand
//
//	HOOK#<sha256 of the webhook token>  hook   → tenant and system
//	CLAIM#<system>#<account>            claim  → the one tenant that may use an Upstock supplier
//	TOKEN#<sha256 of the token>         token  → the tenant whose API token it is; listed in T#<tenant>#tokens
//	ACCOUNT#<system>#<sha256 of the account>  <tenant>  who has an account connected: a hint
//	TENANTS#<shard>                     <id>   → the list of all tenants
//
// A connection that was repaired is listed in the sparse index RESUME until the sweep finds nothing parked any more
// that waits for it.
package tenant

import (
	"context"
	"errors"
	"time"
)

// Errors of this package, to be tested with errors.Is.
var (
	ErrNotFound = errors.New("not found")
	ErrClaimed  = errors.New("claimed by another tenant")
	ErrChanged  = errors.New("changed meanwhile")
)

// Tenant is one customer of Stockbridge: a supplier, or a brand.
type Tenant struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	TimeZone string    `json:"timeZone"` // IANA name
	Created  time.Time `json:"created"`
}

// System is a vendor's system that a tenant connects.
type System string

// The systems.
const (
	Upstock  System = "upstock"
	Cin7Core System = "cin7core"
	Cin7Omni System = "cin7omni"
	JOOR     System = "joor"
)

// systems lists all systems, in the order in which pages show them, with the
// names that people know them by: the one list of vendors.
var systems = []struct {
	System
	title string
}{
	{Upstock, "Upstock"},
	{Cin7Core, "Cin7 Core"},
	{Cin7Omni, "Cin7 Omni"},
	{JOOR, "JOOR"},
}

// Systems lists all systems in the order in which pages show them.
func Systems() []System {
	list := make([]System, len(systems))
	for i, s := range systems {
		list[i] = s.System
	}
	return list
}

// Title is the system's name for people. A system that is not in the list is
// called by its own text.
func (s System) Title() string {
	for _, known := range systems {
		if s == known.System {
			return known.title
		}
	}
	return string(s)
}

// ConnectionState says whether calls with the connection's key may be made.
type ConnectionState string

// The states of a connection.
const (
	Connected         ConnectionState = "connected"
	NeedsReconnecting ConnectionState = "needsReconnecting" // the vendor refused the key; a new one resumes the work
)

// Connection is a tenant's access to one system.
type Connection struct {
	Tenant  string          `json:"-"`
	System  System          `json:"system"`
	State   ConnectionState `json:"state"`
	Account string          `json:"account"` // Upstock supplier id, Cin7 Core account id, …
	Name    string          `json:"name,omitempty"`
	Since   time.Time       `json:"since"` // connected, whole seconds; see Begun
	Changed time.Time       `json:"changed"`
	Why     string          `json:"why,omitempty"`    // NeedsReconnecting: in the tenant's words
	Refused time.Time       `json:"refused,omitzero"` // NeedsReconnecting: since when

	Currency string   `json:"currency,omitempty"`
	TimeZone string   `json:"timeZone,omitempty"`
	Warnings []string `json:"warnings,omitempty"` // what was noticed when connecting

	Sealed     []byte    `json:"sealed"`            // Secrets, sealed
	Generation int       `json:"generation"`        // changes with every replaced key
	Checked    int       `json:"checked,omitempty"` // orders that were looked up before selling, see upstockcin7
	Mirror     Mirror    `json:"mirror,omitzero"`   // Cin7 Core
	Resume     time.Time `json:"resume,omitzero"`   // not zero: listed in the index RESUME, work that waited for it goes on
	Webhooks   Webhooks  `json:"webhooks,omitzero"` // Cin7 Core's to us

	// Begun is when this account was connected first of all, whatever was between;
	// zero = that is Since.
	Begun time.Time `json:"begun,omitzero"`
	// Back is when a key that had been refused for long was last replaced.
	Back time.Time `json:"back,omitzero"`
	// Gaps are the times since Begun in which nobody looked for approved orders of
	// this Upstock supplier, oldest first. What was approved then and is not here is
	// not taken in by itself.
	Gaps []Gap `json:"gaps,omitempty"`

	// First is the Upstock supplier that the tenant connected first, whose orders
	// go by Upstock's ids alone. "" = connected before this was noted, or not Upstock.
	First string `json:"first,omitempty"`

	Trial bool `json:"-"` // the key is being tried: its calls are nobody's budget yet

	rev string
}

// Gap is a time in which approved orders were not taken in.
type Gap struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`               // not of it any more
	Orders int       `json:"orders,omitempty"` // approved then, as Upstock lists them, and not here; 0 while not Known
	Known  bool      `json:"known,omitempty"`  // Orders is known
}

// LongRefused reports whether the key has been refused for so long, an hour, that
// people may have done by hand what waits for it.
func (c *Connection) LongRefused(now time.Time) bool {
	return c.State == NeedsReconnecting && now.Sub(c.Refused) >= time.Hour
}

// Beginning is when the account was connected first of all: earlier orders are
// not taken in by themselves.
func (c *Connection) Beginning() time.Time {
	if !c.Begun.IsZero() && c.Begun.Before(c.Since) {
		return c.Begun
	}
	return c.Since
}

// Takes reports whether an order that was approved at an instant is taken in by
// itself where it is found.
func (c *Connection) Takes(approved time.Time) bool {
	if approved.Before(c.Beginning()) {
		return false
	}
	for _, g := range c.Gaps {
		if !approved.Before(g.From) && approved.Before(g.To) {
			return false
		}
	}
	return true
}

// Former is an account that a tenant had connected and took away.
type Former struct {
	System  System    `json:"system"`
	Account string    `json:"account"`
	Name    string    `json:"name,omitempty"`
	Since   time.Time `json:"since"` // connected first of all
	Until   time.Time `json:"until"` // when it was taken away, last
	Gaps    []Gap     `json:"gaps,omitempty"`
}

// Webhooks is how far the vendor's webhooks to us are registered.
type Webhooks struct {
	State   string    `json:"state,omitempty"`  // "" = not looked at yet; on, off, unavailable
	Why     string    `json:"why,omitempty"`    // off, unavailable: in the tenant's words
	Checked time.Time `json:"checked,omitzero"` // when the vendor last listed them
	Renewed time.Time `json:"renewed,omitzero"` // when one was last found missing or inactive
	Heard   time.Time `json:"heard,omitzero"`   // when one last came, to the quarter of an hour
}

// The states of webhooks.
const (
	WebhooksOn          = "on"
	WebhooksOff         = "off"         // they could not be registered
	WebhooksUnavailable = "unavailable" // the account cannot have any: changes are polled
)

// Mirror is how far the copy of a connection's reference data is.
type Mirror struct {
	State   string    `json:"state"`             // reading, ready
	Step    string    `json:"step,omitempty"`    // what is being read
	Page    int       `json:"page,omitempty"`    // next page of Step
	Read    int       `json:"read,omitempty"`    // records so far
	Total   int       `json:"total,omitempty"`   // of the step, as the vendor says
	Ready   time.Time `json:"ready,omitzero"`    // last complete pass
	Started time.Time `json:"started,omitzero"`  // of the running pass
	Problem string    `json:"problem,omitempty"` // why it does not get on
	Fold    int       `json:"fold,omitempty"`    // by which way of folding names its rows are found; negative: the running pass brings them to it
}

// The states of a mirror.
const (
	MirrorReading = "reading"
	MirrorReady   = "ready"
)

// Secret prints as [redacted], in any format.
type Secret string

// String implements fmt.Stringer.
func (Secret) String() string { return "[redacted]" }

// GoString implements fmt.GoStringer.
func (Secret) GoString() string { return "[redacted]" }

// MarshalText keeps secrets out of JSON and logs.
func (Secret) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// Secrets are what a connection needs to call and to be called.
type Secrets struct {
	Key      Secret     // Upstock token, Cin7 Core application key, Cin7 Omni key, JOOR token
	User     string     // Cin7 Omni username
	Webhook  Secret     // Upstock's webhook secret, whsec_…; what Cin7 Core's webhooks bear
	Replaced []Replaced // webhook secrets before it, each valid for a day more
	Hook     Secret     // the token of our webhook URL
}

// Replaced is a webhook secret that was replaced, and until when it is valid.
type Replaced struct {
	Secret Secret
	Until  time.Time
}

// Webhooks are the webhook secrets that are valid at an instant.
func (s Secrets) Webhooks(at time.Time) []Secret {
	var list []Secret
	if s.Webhook != "" {
		list = append(list, s.Webhook)
	}
	for _, r := range s.Replaced {
		if at.Before(r.Until) {
			list = append(list, r.Secret)
		}
	}
	return list
}

// Sealer encrypts what must not be stored in the clear, bound to a tenant.
type Sealer interface {
	Seal(ctx context.Context, tenant string, plain []byte) ([]byte, error)
	Open(ctx context.Context, tenant string, sealed []byte) ([]byte, error)
}
