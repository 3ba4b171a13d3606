package upstockcin7

import (
	"context"
	"errors"
	"fmt"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/limit"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// The names of the jobs that tell Upstock of Cin7 Core's catalogue. Each is the kind of the progress that people see.
const (
	JobProducts  = "products"
	JobCustomers = "customers"
	JobPrices    = "prices"
)

func catalogJobs() []string { return []string{JobProducts, JobCustomers, JobPrices} }

// catalogJob is a row of the table of jobs. Orders go first, and find calls free in the midst of an import.
func (p *Pair) catalogJob(name, help string) job.Kind {
	return job.Kind{Name: name, Help: help, Needs: []tenant.System{tenant.Upstock, tenant.Cin7Core},
		List: tenant.Cin7Core, Every: time.Hour, Queue: job.Catalog, Class: limit.Bulk, Sync: true}
}

// kickCatalog starts the runs that are under way: what held them up is over.
func (p *Pair) kickCatalog(ctx context.Context, tenantID string) error {
	for _, kind := range catalogJobs() {
		last, err := p.Ledger.LastProgress(ctx, tenantID, kind)
		if errors.Is(err, ledger.ErrNotFound) || err == nil && !last.IsOpen() {
			continue
		}
		if err == nil {
			err = p.Runner.Kick(ctx, tenantID, kind)
		}
		if err != nil {
			return fmt.Errorf("start job %s: %w", kind, err)
		}
	}
	return nil
}

// firstCatalog starts the jobs that learn what Upstock has of an account, once its records were read whole.
func (p *Pair) firstCatalog(ctx context.Context, b tenant.Bundle) error {
	if b.Ready(tenant.Upstock, tenant.Cin7Core) != "" {
		return nil
	}
	var l learned
	if _, err := p.Ledger.Doc(ctx, b.Tenant.ID, learnedDoc, &l); err != nil {
		return err
	}
	if l.Account == catalogAccount(b) && !l.Products.IsZero() && !l.Customers.IsZero() {
		return nil
	}
	for _, kind := range []string{JobProducts, JobCustomers} {
		if err := p.Runner.Kick(ctx, b.Tenant.ID, kind); err != nil {
			return fmt.Errorf("start job %s: %w", kind, err)
		}
	}
	return nil
}

// eraseCatalog removes what is chosen, and what Upstock was told, of all accounts.
func (p *Pair) eraseCatalog(ctx context.Context, tenantID string) error {
	if err := p.publisher.Erase(ctx, tenantID, catalogSets()...); err != nil {
		return err
	}
	for _, pk := range []string{chosenPartition(tenantID, JobProducts), chosenPartition(tenantID, JobCustomers),
		wishes(tenantID, JobProducts), wishes(tenantID, JobCustomers), pricePartition(tenantID)} {
		if err := table.Erase(ctx, p.table, pk, nil); err != nil {
			return fmt.Errorf("erase the catalogue: %w", err)
		}
	}
	return p.Mirror.Erase(ctx, tenantID, theirKind)
}
