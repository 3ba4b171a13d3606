package vendor

import (
	"context"
	"net/http"
	"slices"

	"stockbridge/internal/ledger"
	"stockbridge/internal/limit"
	"stockbridge/internal/tenant"
)

// Vendor is one row of the table of vendors.
type Vendor struct {
	System tenant.System
	Base   string       // the address of its API
	Budget limit.Budget // how often an account may be called
	Fields []Field      // what a person types in
	Steps  []string     // where a person finds that, a sentence each

	CallsUs   bool   // it delivers webhooks, to an address that is the connection's own
	Paste     string // where in its pages a person pastes that address; "" = nobody has to
	Exclusive bool   // one tenant at a time may connect an account

	// Try asks the vendor whose key it is. The error is that of the call, or a *ConnectError.
	Try func(ctx context.Context, c tenant.Connection, s tenant.Secrets) (Account, error)
}

// Field is one thing that a person types in to connect a system.
type Field struct {
	Name     string // in the API
	Title    string // what people call it
	Is       Credential
	Optional bool // the system is connected without it
	Cased    bool // of an account's id: its letters' case counts

	// Check says what is wrong with a value that is typed in; "" = nothing. nil: nothing can be.
	Check func(value string) (fault string)
	// Works reports whether a value that was saved, perhaps by an earlier version, is good for anything. nil: any is.
	Works func(value string) bool
}

// Credential is which of a connection's credentials a field is.
type Credential int

// The credentials.
const (
	AccountID     Credential = iota // the vendor's id of the account
	Key                             // what calls are made with
	User                            // who belongs to the key
	WebhookSecret                   // what the vendor signs its webhooks with
)

// Credentials are what a person typed in; what is empty stays as it is stored.
type Credentials struct {
	Account       string
	Key           tenant.Secret
	User          string
	WebhookSecret tenant.Secret
}

// Set sets one of them.
func (c *Credentials) Set(what Credential, value string) {
	switch what {
	case AccountID:
		c.Account = value
	case Key:
		c.Key = tenant.Secret(value)
	case User:
		c.User = value
	case WebhookSecret:
		c.WebhookSecret = tenant.Secret(value)
	}
}

// Account is what a vendor says of the account that a key is of.
type Account struct {
	ID       string // "" = the one that was typed in
	Name     string
	Currency string
	TimeZone string   // IANA name
	Warnings []string // what a person should know of it, a sentence each
}

// Change is a connection that is made, changed, or taken away.
type Change struct {
	Bundle     tenant.Bundle // of the tenant, before
	System     tenant.System
	Old, New   *tenant.Connection // nil = there was none; there is none any more
	OldSecrets tenant.Secrets     // empty where there were none, or they cannot be opened
}

// Pair is the business between two vendors, as far as connections concern it. It is asked about every system, of
// which most may be none of its own.
type Pair interface {
	// Connecting adds to Change.New what is to stand in it when it is saved. What it writes elsewhere must be right
	// also if the connection is not saved after all.
	Connecting(context.Context, Change) error
	// Connected does what is to be done once a change is saved: it starts first readings, cleans up over there. What
	// did not work may be tried again by connecting again.
	Connected(context.Context, Change) error
	// Notes are what a person should know of a connection, as its secrets are, a sentence each. It is asked of systems
	// whose address a person pastes: of others nothing is typed in that could lack.
	Notes(tenant.Bundle, tenant.Connection, tenant.Secrets) []string
}

// Quiet is embedded by a pair that has less to say of connections: what the pair does not write is nothing.
type Quiet struct{}

func (Quiet) Connecting(context.Context, Change) error                        { return nil }
func (Quiet) Connected(context.Context, Change) error                         { return nil }
func (Quiet) Notes(tenant.Bundle, tenant.Connection, tenant.Secrets) []string { return nil }
func (Quiet) Hooks() map[tenant.System]http.Handler                           { return nil }

// Deps are what vendors stand on.
type Deps struct {
	Tenants *tenant.Store
	Ledger  *ledger.Ledger

	// WebhookURL is the address of a system's webhooks whose last part is the token.
	WebhookURL func(sys tenant.System, token string) string

	// Take takes a trial from a bucket of trials: *limit.Wait where none is left. Spend counts a call among those of a
	// connection's account. Where they are nil, nothing is bounded and nothing counted.
	Take  func(ctx context.Context, kind, name string, b limit.Budget) error
	Spend func(ctx context.Context, c tenant.Connection)
}

// Vendors is the table of vendors.
type Vendors struct {
	Deps
	rows  []Vendor
	pairs []Pair
}

// New returns the table with its rows.
func New(d Deps, rows ...Vendor) *Vendors { return &Vendors{Deps: d, rows: rows} }

// Join adds pairs, which hear of changes. It is called before anything is connected.
func (v *Vendors) Join(pairs ...Pair) { v.pairs = append(v.pairs, pairs...) }

// Systems lists the systems that can be connected, in the order of the rows.
func (v *Vendors) Systems() []tenant.System {
	list := make([]tenant.System, len(v.rows))
	for i, row := range v.rows {
		list[i] = row.System
	}
	return list
}

// Of is the row of a system; ok is false where it cannot be connected.
func (v *Vendors) Of(sys tenant.System) (row Vendor, ok bool) {
	i := slices.IndexFunc(v.rows, func(row Vendor) bool { return row.System == sys })
	if i < 0 {
		return Vendor{System: sys}, false
	}
	return v.rows[i], true
}

// asks reports whether a person types a credential in.
func (row *Vendor) asks(what Credential) bool {
	return slices.ContainsFunc(row.Fields, func(f Field) bool { return f.Is == what })
}

// works reports whether anything can be done with a saved credential.
func (row *Vendor) works(what Credential, value string) bool {
	for _, f := range row.Fields {
		if f.Is == what && f.Works != nil {
			return f.Works(value)
		}
	}
	return value != ""
}

// URL is the address of a connection's webhooks; "" = it has none.
func (v *Vendors) URL(sys tenant.System, s tenant.Secrets) string {
	if s.URLToken == "" {
		return ""
	}
	return v.WebhookURL(sys, string(s.URLToken))
}
