package upstockcin7

import (
	"context"
	"errors"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
)

// secrets opens what a connection keeps sealed. Where that cannot be opened any more (tenant.ErrSealed), the connection is
// marked at once, and a person is told what to do.
func (p *Pair) secrets(ctx context.Context, c tenant.Connection) (tenant.Secrets, error) {
	s, err := p.Tenants.Secrets(ctx, c)
	if errors.Is(err, tenant.ErrSealed) {
		if _, merr := p.markUnsealed(ctx, c); merr != nil {
			return s, merr
		}
	}
	return s, err
}

// whyUnsealed tells a tenant of a lost sealing key.
func whyUnsealed(sys tenant.System) string {
	why := sys.KeyUnsealed()
	if sys == tenant.Upstock {
		why += " Upstock's webhook secret is among them, and the webhook URL is a new one then: paste it into Upstock."
	}
	return why
}

// markUnsealed marks a connection whose secrets cannot be opened, and tells the tenant.
func (p *Pair) markUnsealed(ctx context.Context, c tenant.Connection) (tenant.Connection, error) {
	now, err := p.Tenants.Broken(ctx, c.Tenant, c.System, c.Generation, whyUnsealed(c.System))
	if errors.Is(err, tenant.ErrNotFound) {
		return tenant.Connection{}, nil
	}
	if err != nil || now.State == tenant.Connected {
		return now, err
	}
	return now, p.Ledger.RecordOnce(ctx, c.Tenant, now.Refused, "unsealed "+string(c.System), ledger.Event{Kind: "unsealed", Text: whyUnsealed(c.System)})
}

// CheckSeals opens the secrets of every connection, and marks those that cannot be opened: a sealing key that is lost says so
// at once, and not order by order. A connection that was marked so and can be opened again is let go on. It returns how many
// cannot be opened.
func (p *Pair) CheckSeals(ctx context.Context) (lost int, err error) {
	for shard := range tenant.Shards {
		for after := ""; ; {
			tenants, next, err := p.Tenants.List(ctx, shard, after)
			if err != nil {
				return lost, err
			}
			ids := make([]string, len(tenants))
			for i, t := range tenants {
				ids[i] = t.ID
			}
			for _, sys := range tenant.Systems() {
				connections, err := p.Tenants.Connections(ctx, ids, sys)
				if err != nil {
					return lost, err
				}
				for _, c := range connections {
					switch _, err := p.secrets(ctx, c); {
					case errors.Is(err, tenant.ErrSealed):
						lost++
					case err != nil:
						return lost, err
					case c.State != tenant.Connected && c.Unsealed():
						_, _, err = p.Tenants.Connect(ctx, c.Tenant, sys, func(*tenant.Connection, *tenant.Secrets) error { return nil },
							func(tenant.Connection) (tenant.Ops, error) {
								return connectionEvent(ctx, c.Tenant, "The stored key of "+sys.Title()+" can be opened again; what waited for it goes on.")
							})
						if err != nil {
							return lost, err
						}
					}
				}
			}
			if after = next; next == "" {
				break
			}
		}
	}
	return lost, nil
}
