package vendor

import (
	"context"
	"errors"
	"slices"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/limit"
	"stockbridge/internal/tenant"
)

// How many keys may be tried.
var (
	trialsOfTenant   = limit.Budget{Rates: []limit.Rate{{Calls: 10, Window: 10 * time.Minute}}}
	trialsOfStranger = limit.Budget{Rates: []limit.Rate{{Calls: 3, Window: time.Hour}}}
	trialsOfAll      = limit.Budget{Rates: []limit.Rate{{Calls: 60, Window: time.Minute}}}
)

// slowest is how long a trial waits at most where all tenants together try too many.
const slowest = 3 * time.Second

// mayTry says what stands against trying one more key of a tenant, with an account whose id it gives ("" = the key
// alone names it).
func (v *Vendors) mayTry(ctx context.Context, b tenant.Bundle, sys tenant.System, account string) error {
	if v.Take == nil {
		return nil
	}
	stranger, err := v.stranger(ctx, b, sys, account)
	if err != nil {
		return err
	}
	err = v.trial(ctx, b.Tenant.ID, sys, account, stranger)
	wait, ok := errors.AsType[*limit.Wait](err)
	if !ok {
		return err
	}
	message := "Too many keys were tried in a short time."
	if stranger {
		message = "Too many keys were tried for this account in a short time."
	}
	return &ConnectError{After: max(time.Until(wait.Until), time.Second), Problem: ledger.Problem{
		Code: "tooManyTrials", Message: message + " This one was not tested and not saved.",
		Fix: "Try again after " + b.Tenant.Clock(wait.Until) + ".",
	}}
}

// stranger reports whether an account is connected by others, and not by this tenant.
func (v *Vendors) stranger(
	ctx context.Context, b tenant.Bundle, sys tenant.System, account string,
) (bool, error) {
	if account == "" || b.Connections[sys].Account == account {
		return false, nil
	}
	holders, err := v.Tenants.Holders(ctx, sys, account)
	return len(holders) > 0 && !slices.Contains(holders, b.Tenant.ID), err
}

// trial takes one trial of a key from what a tenant has of them; *limit.Wait where none is left.
func (v *Vendors) trial(
	ctx context.Context, tenantID string, sys tenant.System, account string, stranger bool,
) error {
	if stranger {
		name := tenantID + "|" + string(sys) + "|" + account
		if err := v.Take(ctx, "trial of a stranger", name, trialsOfStranger); err != nil {
			return err
		}
	}
	if err := v.Take(ctx, "trial", tenantID, trialsOfTenant); err != nil {
		return err
	}
	wait, ok := errors.AsType[*limit.Wait](v.Take(ctx, "trial", "", trialsOfAll))
	if !ok {
		return nil // whatever else went wrong with it: it would only slow down
	}
	t := time.NewTimer(min(max(0, time.Until(wait.Until)), slowest))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
