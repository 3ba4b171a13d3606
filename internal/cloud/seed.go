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

// Seed is a tenant whose id, webhook URLs and webhook secrets are known
// beforehand, so that events in files fit it. It is for demonstrations only:
// anyone who reads those files can sign for it.
type Seed struct {
	Tenant, Name, TimeZone string
	Supplier               string // its id in Upstock
	UpstockToken           string // to call Upstock
	URLToken               string // the end of its webhook URL for Upstock
	SigningSecret          string // whsec_…: Upstock signs deliveries with it
	CoreURLToken           string // the end of its webhook URL for Cin7 Core
	CoreBearer             string // the bearer token that Cin7 Core sends there
}

// Plant writes the tenant and its connections, which a person would do through
// the console. What exists already stays. The connection to Cin7 Core has no key
// yet.
func (s Seed) Plant(ctx context.Context, deps app.Deps) error {
	data, err := json.Marshal(tenant.Tenant{ID: s.Tenant, Name: s.Name, TimeZone: s.TimeZone,
		Created: time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	// The keys are in the comment of package tenant.
	listed := fmt.Sprintf("TENANTS#%d", tenant.Shard(s.Tenant, tenant.Shards))
	err = deps.Table.Write(ctx,
		table.Create(table.Item{Key: table.Key{PK: tenant.Partition(s.Tenant), SK: "tenant"}, Data: data}),
		table.Create(table.Item{Key: table.Key{PK: listed, SK: s.Tenant}, Data: data}))
	if err != nil && !errors.Is(err, table.ErrConflict) {
		return fmt.Errorf("plant tenant: %w", err)
	}
	store := tenant.NewStore(deps.Table, deps.Sealer)
	for sys, with := range map[tenant.System]tenant.Secrets{
		tenant.Upstock: {Key: tenant.Secret(s.UpstockToken), WebhookSecret: tenant.Secret(s.SigningSecret),
			URLToken: tenant.Secret(s.URLToken)},
		tenant.Cin7Core: {WebhookSecret: tenant.Secret(s.CoreBearer), URLToken: tenant.Secret(s.CoreURLToken)},
	} {
		if _, err := store.Connection(ctx, s.Tenant, sys); err == nil {
			continue
		} else if !errors.Is(err, tenant.ErrNotFound) {
			return err
		}
		_, _, err := store.Connect(ctx, s.Tenant, sys, func(c *tenant.Connection, sec *tenant.Secrets) error {
			if *sec = with; sys == tenant.Upstock {
				c.Account, c.Exclusive = s.Supplier, true
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("plant connection to %s: %w", sys, err)
		}
	}
	return nil
}
