package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"stockbridge/internal/app"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// Seed is a tenant whose id, webhook addresses and webhook secrets are known
// beforehand, so that events written in files fit it. For demonstrations only:
// whoever reads those files can sign for it.
type Seed struct {
	Tenant, Name, TimeZone string
	Supplier               string // Upstock's id of it
	UpstockToken           string
	Hook                   string // what its webhook URL ends in
	WebhookSecret          string // whsec_…
	CoreHook, CoreBearer   string // Cin7 Core's: what its webhook URL ends in, and the bearer token it sends
}

// Plant writes the tenant and its connections, in place of what a person does
// through the console; what is there already stays. The one to Cin7 Core has no
// key yet.
func (s Seed) Plant(ctx context.Context, deps app.Deps) error {
	data, err := json.Marshal(tenant.Tenant{ID: s.Tenant, Name: s.Name, TimeZone: s.TimeZone, Created: time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	// The keys are those of package tenant's comment.
	listed := fmt.Sprintf("TENANTS#%d", tenant.Shard(s.Tenant, tenant.Shards))
	err = deps.Table.Write(ctx,
		table.Create(table.Item{Key: table.Key{PK: tenant.Partition(s.Tenant), SK: "tenant"}, Data: data}),
		table.Create(table.Item{Key: table.Key{PK: listed, SK: s.Tenant}, Data: data}))
	if err != nil && !errors.Is(err, table.ErrConflict) {
		return fmt.Errorf("plant tenant: %w", err)
	}
	store := tenant.NewStore(deps.Table, deps.Sealer)
	for sys, with := range map[tenant.System]tenant.Secrets{
		tenant.Upstock:  {Key: tenant.Secret(s.UpstockToken), Webhook: tenant.Secret(s.WebhookSecret), Hook: tenant.Secret(s.Hook)},
		tenant.Cin7Core: {Webhook: tenant.Secret(s.CoreBearer), Hook: tenant.Secret(s.CoreHook)},
	} {
		if _, err := store.Connection(ctx, s.Tenant, sys); err == nil {
			continue
		} else if !errors.Is(err, tenant.ErrNotFound) {
			return err
		}
		_, _, err := store.Connect(ctx, s.Tenant, sys, func(c *tenant.Connection, sec *tenant.Secrets) error {
			if *sec = with; sys == tenant.Upstock {
				c.Account = s.Supplier
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("plant connection to %s: %w", sys, err)
		}
	}
	return nil
}
