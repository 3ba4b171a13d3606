// Package tenant knows who is connected and how each one is set up: tenants, their connections to vendors, their
// settings, and the tokens that open the API for them.
//
// # Words
//
//	Tenant      one customer of Stockbridge
//	System      a vendor's system; the one list of them, with their titles, is systems
//	Connection  a tenant's access to one system: account, key, state. It is Connected, or NeedsReconnecting since the
//	            vendor refused its key. Its Generation changes with each key that is replaced
//	Progress    what jobs note beside a connection and go on from, of its Epoch: how far a list is read, say
//	Secrets     what is sealed in a connection; Secret prints as [redacted]
//	Sealer      seals and opens secrets for a tenant: KMS, or a Box
//	Settings    the tenant's options, with a version: one flat JSON object
//	Section     one pair's part of the settings; a Field is one of them. The names of all sections are distinct
//	Bundle      all that is known of a tenant's set-up, as one query brings it
//	Pause       a flow that a person has stopped for a while: who, and since when
//	Former      an account that was connected and was taken away
//	URL token   the random end of a webhook's address, by which the connection is found
//
// # How it is used
//
// Whoever works for a tenant loads its bundle once and works by that ([Store.Load]); a single connection is
// [Store.Connection], and [Store.ConnectionByURLToken] finds the one of a webhook's address with its secrets.
// [Store.Connect] makes or changes a connection, [Store.Disconnect] takes it away. How far a job is, it notes by
// [Progress.Change]; what else is to be changed of a connection goes through [Store.Update]. Both repeat the change on
// what others wrote meanwhile.
// Progress comes with the connection in the same read, and [Progress.Of] tells it. A vendor that refuses a key is noted
// by [Store.Broken], for the generation that was used: a key that was replaced meanwhile is not blamed. A bundle holds
// the settings as they are stored: whoever works reads its own section of them.
//
// Several methods take With: what is to be written in the same transaction, an event above all, given what is made.
//
// # What it promises
//
// A key is stored sealed and is never shown. An account that is Exclusive belongs to one tenant at a time, by a claim
// in the same write. The webhook's address stays while the connection does, unless the sealing key was lost. Settings
// that a person sends are read strictly and all faults are named ([Parse]); those that were stored are always read
// ([Read]): one that is not allowed any more has its default, and that is said. One that no section knows is kept
// ([Write]).
//
// # Keys
//
// Everything of one tenant that an order needs stands in one partition, T#<tenant>, so that one query brings it:
//
//	tenant            Tenant
//	settings          the settings of all sections
//	conn#<system>     Connection; its credentials are sealed
//	progress#<system>#<name>  Progress of that name, beside the connection
//	first#<system>    the account that was connected first
//	was#<system>#<account>  Former: an account that was connected
//	pause#<flow>      Pause: a flow that is paused
//	books             small reference books (written by package mirror)
//
// Beside it stand
//
//	HOOK#<sha256 of the URL token>      hook   → tenant and system
//	CLAIM#<system>#<account>            claim  → the one tenant that may use the account
//	TOKEN#<sha256 of the token>         token  → the tenant whose API token it is, and when it was last used;
//	                                    listed in T#<tenant>#tokens
//	TOKEN#<sha256 of the token>         revoked  → that it was one
//	ACCOUNT#<system>#<sha256 of the account>  <tenant>  who has an account connected: a hint
//	TENANTS#<shard>                     <id>   → the list of all tenants. In the second index, by name: TENANTS
//	TENANTS#words                       <word>#<id>  a word of a tenant's name, see names.go
//
// A connection that was repaired is listed in the sparse index RESUME until the sweep finds nothing parked any more
// that waits for it. One that needs reconnecting is listed in the second index, BROKEN, by when its key was refused.
package tenant

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"stockbridge/internal/table"
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

// Zone is the tenant's time zone; UTC where there is none of that name.
func (t *Tenant) Zone() *time.Location {
	if zone, ok := zones.Load(t.TimeZone); ok {
		return zone.(*time.Location)
	}
	zone, err := time.LoadLocation(t.TimeZone)
	if err != nil {
		return time.UTC
	}
	zones.Store(t.TimeZone, zone)
	return zone
}

// zones are those that were asked for, by name. To load one reads files, and a schedule asks for each tenant's.
var zones sync.Map

// Clock is an instant for people, in the tenant's zone, which it names.
func (t *Tenant) Clock(at time.Time) string {
	return at.In(t.Zone()).Format("2 January 15:04") + " (" + t.Zone().String() + ")"
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

// ConnectionState tells whether calls with the connection's key may be made.
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
	Account string          `json:"account"` // the id that the vendor knows it by
	Name    string          `json:"name,omitempty"`
	Since   time.Time       `json:"since"` // connected, whole seconds; see Begun
	Changed time.Time       `json:"changed"`
	Why     string          `json:"why,omitempty"`    // NeedsReconnecting: in the tenant's words
	Refused time.Time       `json:"refused,omitzero"` // NeedsReconnecting: since when

	Currency string   `json:"currency,omitempty"`
	TimeZone string   `json:"timeZone,omitempty"`
	Warnings []string `json:"warnings,omitempty"` // what was noticed when connecting

	Exclusive bool `json:"exclusive,omitempty"` // no other tenant may connect the account

	Sealed     []byte `json:"sealed"`     // Secrets, sealed
	Generation int    `json:"generation"` // changes with every replaced key

	// Resume is not zero while the connection is listed in the index RESUME: work that waited for it goes on.
	Resume time.Time `json:"resume,omitzero"`

	// Begun is when this account was connected first of all, whatever was between;
	// zero = that is Since.
	Begun time.Time `json:"begun,omitzero"`
	// Back is when a key that had been refused for long was last replaced.
	Back time.Time `json:"back,omitzero"`
	// Gaps are the times since Begun in which nobody looked for approved orders of
	// this account, oldest first. What was approved then and is not here is not taken
	// in by itself.
	Gaps []Gap `json:"gaps,omitempty"`

	// First is the account that the tenant connected first, whose orders go by the
	// vendor's ids alone. "" = it is not noted.
	First string `json:"first,omitempty"`

	Trial bool `json:"-"` // the key is being tried: its calls are nobody's budget yet

	progress map[string]table.Item      // as it was read together with the connection, by its name
	earlier  map[string]json.RawMessage // see storedConnection
	rev      string
}

// Gap is a time in which approved orders were not taken in.
type Gap struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`               // not of it any more
	Orders int       `json:"orders,omitempty"` // approved then, as the vendor lists them, and not here
	Known  bool      `json:"known,omitempty"`  // Orders is known
	Noted  bool      `json:"noted,omitempty"`  // a person has taken note of it: it is shown no more
}

// Open reports whether there may be orders of a gap that are not here, and nobody has taken note of it.
func (g Gap) Open() bool { return !g.Noted && (!g.Known || g.Orders > 0) }

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
	Key           Secret     // a token, an application key
	User          string     // that belongs to the key
	WebhookSecret Secret     // with which the vendor signs its webhooks, or what they bear
	Replaced      []Replaced // webhook secrets before it, each valid for a day more
	URLToken      Secret     // the token of our webhook URL
}

// Replaced is a webhook secret that was replaced, and until when it is valid.
type Replaced struct {
	Secret Secret
	Until  time.Time
}

// WebhookSecrets are the webhook secrets that are valid at an instant.
func (s Secrets) WebhookSecrets(at time.Time) []Secret {
	var list []Secret
	if s.WebhookSecret != "" {
		list = append(list, s.WebhookSecret)
	}
	for _, r := range s.Replaced {
		if at.Before(r.Until) {
			list = append(list, r.Secret)
		}
	}
	return list
}

// Sealer encrypts what must not be stored in the clear, bound to a tenant and to what of the tenant's it is: the
// secrets of a system, or of alerts.
type Sealer interface {
	Seal(ctx context.Context, tenant, what string, plain []byte) ([]byte, error)
	Open(ctx context.Context, tenant, what string, sealed []byte) ([]byte, error)
}
