package order

import (
	"fmt"
	"time"

	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
)

// GapText says what a gap means, in the tenant's days.
func GapText(t tenant.Tenant, g tenant.Gap) string {
	from, to := GapDays(t, g)
	days := "approved from " + from + " to " + to
	if from == to {
		days = "approved on " + from
	}
	switch {
	case !g.Known:
		return "Orders " + days + " that are not here are not taken in by themselves, as a connection was away then: " +
			"they may have been entered by hand. Backfill these days."
	case g.Orders == 0:
		return "A connection was away from " + from + " to " + to + ". No order was approved then that is not here."
	case g.Orders == 1:
		return "One order " + days + " is not here and is not taken in by itself, as a connection was away then: it " +
			"may have been entered by hand. Backfill these days."
	}
	return fmt.Sprintf("%s orders %s are not here and are not taken in by themselves, as a connection was away then: "+
		"they may have been entered by hand. Backfill these days.", prose.Count(g.Orders), days)
}

// GapDays are the first and the last day of a gap in the tenant's time zone, as a
// backfill takes them.
func GapDays(t tenant.Tenant, g tenant.Gap) (from, to string) {
	zone := t.Zone()
	return g.From.In(zone).Format(time.DateOnly), g.To.In(zone).Format(time.DateOnly)
}
