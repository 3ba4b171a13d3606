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

// Seed is a tenant whose id, webhook address and webhook secret are known
// beforehand, so that events written in files fit it. For demonstrations only:
// whoever reads those files can sign for it.
type Seed struct {
	Tenant, Name, TimeZone string
	Supplier               string // Upstock's id of it
	UpstockToken           string
	Hook                   string // what its webhook URL ends in
	WebhookSecret          string // whsec_…
}

// Plant writes the tenant and its Upstock connection, in place of what a
// person does through the console; what is there already stays.
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
	if c := (*table.Conflict)(nil); err != nil && !errors.As(err, &c) {
		return fmt.Errorf("plant tenant: %w", err)
	}
	store := tenant.NewStore(deps.Table, deps.Sealer)
	if _, err := store.Connection(ctx, s.Tenant, tenant.Upstock); !errors.Is(err, tenant.ErrNotFound) {
		return err
	}
	_, _, err = store.Connect(ctx, s.Tenant, tenant.Upstock, func(c *tenant.Connection, sec *tenant.Secrets) error {
		c.Account = s.Supplier
		sec.Key, sec.Webhook, sec.Hook = tenant.Secret(s.UpstockToken), tenant.Secret(s.WebhookSecret), tenant.Secret(s.Hook)
		return nil
	})
	if err != nil {
		return fmt.Errorf("plant connection: %w", err)
	}
	return nil
}
