package joorcin7

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"stockbridge/internal/joorcin7/list"
	"stockbridge/internal/ledger"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/vendor"
)

// Connected implements vendor.Pair: with both systems connected, contacts and connections are read; what was under way
// goes on.
func (p *Pair) Connected(ctx context.Context, change vendor.Change) error {
	if change.New == nil || change.System != tenant.Cin7Omni && change.System != tenant.JOOR {
		return nil
	}
	b, err := p.Tenants.Load(ctx, change.Bundle.Tenant.ID)
	if err != nil || b.Ready(Systems()...) != "" {
		return err
	}
	start := []string{JobContacts, JobDownload, JobJOOR}
	for _, kind := range []string{JobUpload, JobUpdate, JobMatches, JobAllContacts} {
		last, err := p.Ledger.LastProgress(ctx, b.Tenant.ID, kind)
		if errors.Is(err, ledger.ErrNotFound) || err == nil && !last.IsOpen() {
			continue
		}
		if err != nil {
			return err
		}
		start = append(start, kind)
	}
	for _, kind := range start {
		if err := p.Runner.Kick(ctx, b.Tenant.ID, kind); err != nil {
			return fmt.Errorf("start job %s: %w", kind, err)
		}
	}
	return nil
}

// SettingsChanged has the lists show what follows of other settings, and what goes by itself go.
func (p *Pair) SettingsChanged(ctx context.Context, tenantID string) error {
	b, err := p.Tenants.Load(ctx, tenantID)
	if err != nil || b.Ready(Systems()...) != "" {
		return err
	}
	return p.Runner.Kick(ctx, tenantID, JobJOOR)
}

// Erase removes all that the pair keeps of a tenant. Broken off, it is begun again and does the rest. What the ledger
// keeps is not the pair's alone, and goes with it.
func (p *Pair) Erase(ctx context.Context, tenantID string) error {
	if err := p.publisher.Erase(ctx, tenantID, setName); err != nil {
		return err
	}
	if err := cmp.Or(p.customers.Erase(ctx, tenantID), p.matches.Erase(ctx, tenantID)); err != nil {
		return err
	}
	for _, pk := range []string{p.wishes(tenantID), p.keptPartition(tenantID), unsurePartition(tenantID),
		connectionsPartition(tenantID), claimedPartition(tenantID)} {
		if err := table.Erase(ctx, p.table, pk, nil); err != nil {
			return fmt.Errorf("erase what JOOR was told: %w", err)
		}
	}
	return p.Mirror.Erase(ctx, tenantID, contactRows)
}

// Needs is what of JOOR needs a person.
type Needs struct {
	Overdue  int // in review for longer than JOOR says it takes
	LeftOut  int // cannot be sent as they are
	Refused  int // by JOOR
	Proposed int // matches that nobody has decided about
}

// Needs counts what of JOOR needs a person.
func (p *Pair) Needs(ctx context.Context, b tenant.Bundle) (n Needs, err error) {
	if b.Connections[tenant.JOOR].Account == "" || b.Connections[tenant.Cin7Omni].Account == "" {
		return n, nil
	}
	sheet, err := p.customers.Read(ctx, b.Tenant.ID, accountOf(b))
	if err != nil {
		return n, err
	}
	now := p.Now()
	if sheet.Counts[string(list.Review)] > 0 {
		for _, c := range sheet.Rows {
			if c.Overdue(now) {
				n.Overdue++
			}
		}
	}
	n.LeftOut, n.Refused = sheet.Counts["state "+StateLeftOut], sheet.Counts["state "+StateRefused]
	matches, err := p.matches.Read(ctx, b.Tenant.ID, accountOf(b))
	if err == nil {
		n.Proposed = matches.Counts[MatchProposed]
	}
	return n, err
}
