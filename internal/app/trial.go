package app

import (
	"context"
	"errors"
	"time"

	"stockbridge/internal/limit"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
)

// How many keys may be tried.
var (
	trialsOfTenant   = limit.Budget{Rates: []limit.Rate{{Calls: 10, Window: 10 * time.Minute}}}
	trialsOfStranger = limit.Budget{Rates: []limit.Rate{{Calls: 3, Window: time.Hour}}} // of an account that another tenant has connected
	trialsOfAll      = limit.Budget{Rates: []limit.Rate{{Calls: 60, Window: time.Minute}}}
)

// slowest is how long a trial waits at most where all tenants together try too many: they slow each other down, and stop nobody.
const slowest = 3 * time.Second

// trial takes one trial of a key from what a tenant has of them; *rest.Wait where none is left.
func (a *App) trial(ctx context.Context, tenantID string, sys tenant.System, account string, stranger bool) error {
	take := func(kind, name string, b limit.Budget) error {
		l := &limiter{limit.New(a.deps.Table, kind, name, b, limit.First, limit.Speed(a.deps.Speed), limit.Now(a.deps.Now))}
		_, err := l.Take(ctx)
		return err
	}
	if stranger {
		if err := take("trial of a stranger", tenantID+"|"+string(sys)+"|"+account, trialsOfStranger); err != nil {
			return err
		}
	}
	if err := take("trial", tenantID, trialsOfTenant); err != nil {
		return err
	}
	wait, ok := errors.AsType[*rest.Wait](take("trial", "", trialsOfAll))
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

// tried counts a call that was made to try a key among those of its account.
func (a *App) tried(ctx context.Context, c tenant.Connection) {
	if !a.deps.Unlimited {
		a.bucket(c, true).Note(ctx)
	}
}
