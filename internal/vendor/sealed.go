package vendor

import (
	"context"
	"errors"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
)

// Secrets opens what a connection keeps sealed. Where that cannot be opened any more (tenant.ErrSealed), the
// connection is marked at once, and a person is told what to do.
func (v *Vendors) Secrets(ctx context.Context, c tenant.Connection) (tenant.Secrets, error) {
	s, err := v.Tenants.Secrets(ctx, c)
	if errors.Is(err, tenant.ErrSealed) {
		if _, merr := v.MarkUnsealed(ctx, c); merr != nil {
			return s, merr
		}
	}
	return s, err
}

// WhyUnsealed tells a tenant of a lost sealing key.
func (v *Vendors) WhyUnsealed(sys tenant.System) string {
	row, _ := v.Of(sys)
	why := sys.KeyUnsealed()
	if row.Paste != "" {
		why += " " + sys.Title() + "'s webhook secret is among them, and the webhook URL is a new one then: " +
			"paste it into " + sys.Title() + "."
	}
	return why
}

// MarkUnsealed marks a connection whose secrets cannot be opened, and tells the tenant. It returns the connection as it
// is then.
func (v *Vendors) MarkUnsealed(ctx context.Context, c tenant.Connection) (tenant.Connection, error) {
	why := v.WhyUnsealed(c.System)
	now, err := v.Tenants.Broken(ctx, c.Tenant, c.System, c.Generation, why)
	if errors.Is(err, tenant.ErrNotFound) {
		return tenant.Connection{}, nil
	}
	if err != nil || now.State == tenant.Connected {
		return now, err
	}
	return now, v.Ledger.RecordOnce(ctx, c.Tenant, now.Refused, "unsealed "+string(c.System),
		ledger.Event{Kind: "unsealed", Text: why})
}

// Notes are what a person should know of a connection as it is now, a sentence each: what was noticed when it was made
// or its account was read, and what its secrets lack.
//
// url is the address of its webhooks where a person has to paste it, else "". now is the connection as it is then: it
// is marked where its secrets cannot be opened.
func (v *Vendors) Notes(
	ctx context.Context, b tenant.Bundle, c tenant.Connection,
) (now tenant.Connection, notes []string, url string, err error) {
	notes = append([]string{}, c.Warnings...)
	if row, _ := v.Of(c.System); row.Paste == "" {
		return c, notes, "", nil
	}
	s, err := v.Secrets(ctx, c)
	if errors.Is(err, tenant.ErrSealed) {
		if now, err = v.Tenants.Connection(ctx, c.Tenant, c.System); errors.Is(err, tenant.ErrNotFound) {
			now, err = c, nil
		}
		return now, append(notes, v.WhyUnsealed(c.System)), "", err
	}
	if err != nil {
		return c, notes, "", err
	}
	for _, p := range v.pairs {
		notes = append(notes, p.Notes(b, c, s)...)
	}
	return c, notes, v.URL(c.System, s), nil
}

// CheckSeals opens the secrets of every connection, and marks those that cannot be opened: a sealing key that is lost
// says so at once, and not with the work that needs it. A connection that was marked so and can be opened again is let
// go on. It returns how many cannot be opened.
func (v *Vendors) CheckSeals(ctx context.Context) (lost int, err error) {
	var ids []string
	for t, err := range v.Tenants.All(ctx) {
		if err != nil {
			return 0, err
		}
		ids = append(ids, t.ID)
	}
	for _, sys := range v.Systems() {
		n, err := v.checkSeals(ctx, ids, sys)
		if lost += n; err != nil {
			return lost, err
		}
	}
	return lost, nil
}

// checkSeals opens the secrets of some tenants' connections to a system.
func (v *Vendors) checkSeals(ctx context.Context, ids []string, sys tenant.System) (lost int, err error) {
	connections, err := v.Tenants.Connections(ctx, ids, sys)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		c, ok := connections[id]
		if !ok {
			continue
		}
		_, err := v.Secrets(ctx, c)
		switch {
		case errors.Is(err, tenant.ErrSealed):
			lost++
			err = nil
		case err == nil && c.State != tenant.Connected && c.Unsealed():
			err = v.unmark(ctx, c)
		}
		if err != nil {
			return lost, err
		}
	}
	return lost, nil
}

// unmark lets a connection go on whose secrets can be opened again.
func (v *Vendors) unmark(ctx context.Context, c tenant.Connection) error {
	asItIs := func(*tenant.Connection, *tenant.Secrets) error { return nil }
	_, _, err := v.Tenants.Connect(ctx, c.Tenant, c.System, asItIs, func(tenant.Connection) (tenant.Ops, error) {
		return event(ctx, c.Tenant,
			"The stored key of "+c.System.Title()+" can be opened again; what waited for it goes on.")
	})
	return err
}
