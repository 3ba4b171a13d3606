package upstockcin7

import (
	"context"
	"time"

	"stockbridge/internal/alert"
	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
)

// wrongRead is how many of the orders that need a person are read to tell what is wrong, the newest first.
const wrongRead = 500

// The kinds of what is wrong: keys begin with one. A job that does not get on is none of them: nobody has to do
// anything, and its row on home says why (console/health.go).
const (
	wrongOrder  = "order/"  // orders wait for it
	wrongChoice = "choice/" // it was chosen, and Cin7 Core does not have it any more
	wrongGap    = "gap/"    // orders of a time were not taken in

	wrongCatalog = "catalogue/" // prices, customers and records that wait for a person
)

// Wrong is what needs a person at a tenant's, as home shows it: what orders wait for, grouped by cause, what was chosen
// and Cin7 Core does not have any more, and times in which orders were not taken in. unsure is what the keys of those
// begin with of which some may be left out: there are more orders than were read, more links that lead nowhere than the
// last look kept, or nobody knows what Cin7 Core has.
func (p *Pair) Wrong(ctx context.Context, b tenant.Bundle) (list []alert.Matter, unsure []string, err error) {
	found, more, err := p.Drift(ctx, b)
	if err != nil {
		return nil, nil, err
	}
	for _, f := range found {
		list = append(list, alert.Matter{Key: wrongChoice + f.About + "/" + f.Name, Text: f.Text, Fix: f.Fix})
	}
	switch {
	case unread(b) != "":
		unsure = append(unsure, wrongChoice)
	case more > 0: // any of a look's findings may be beyond what it kept, and was within it before
		unsure = append(unsure, wrongChoice+sale.CustomerLinks+"/", wrongChoice+sale.ProductLinks+"/")
	}
	for _, g := range b.Connections[tenant.Upstock].Gaps {
		if g.Open() {
			list = append(list, alert.Matter{Key: wrongGap + g.From.UTC().Format(time.RFC3339),
				Text: order.GapText(b.Tenant, g)})
		}
	}
	catalog, err := p.wrongCatalog(ctx, b)
	if err != nil {
		return nil, nil, err
	}
	list = append(list, catalog...)
	waits, whole, err := p.wrongOrders(ctx, b.Tenant)
	if !whole {
		unsure = append(unsure, wrongOrder)
	}
	return append(list, waits...), unsure, err
}

// wrongCatalog says what of the catalogue needs a person.
func (p *Pair) wrongCatalog(ctx context.Context, b tenant.Bundle) (list []alert.Matter, err error) {
	needs, err := p.CatalogNeeds(ctx, b)
	for _, m := range []struct {
		n              int
		key, text, fix string
	}{
		{needs.Held, "held", "Changes of prices wait for your yes.", "Look at them under Price lists › Price changes."},
		{needs.ToLink, "toLink", "Customers of Cin7 Core may be in Upstock already.",
			"Say under Customers › To be linked which ones they are."},
		{needs.Refused, "refused", "Upstock refused products, customers or prices.",
			"Each is listed with the reason. Put it right in Cin7 Core: it is sent again by itself."},
	} {
		if m.n > 0 {
			list = append(list, alert.Matter{Key: wrongCatalog + m.key, Text: m.text, Fix: m.fix})
		}
	}
	return list, err
}

// wrongOrders groups what orders wait for. whole is false where there are more orders than were read.
func (p *Pair) wrongOrders(ctx context.Context, t tenant.Tenant) (list []alert.Matter, whole bool, err error) {
	const some = 100       // are read at once
	at := map[string]int{} // in the list, by key
	zone := t.Zone()
	for after, read := "", 0; read < wrongRead; {
		page, err := p.Orders.InState(ctx, t.ID, ledger.Attention, after, some)
		if err != nil {
			return nil, false, err
		}
		for _, o := range page.Runs {
			list = addWrong(list, at, o.Problems, zone)
		}
		read += len(page.Runs)
		if after = page.Next; after == "" {
			return list, true, nil
		}
	}
	return list, false, nil
}

// addWrong adds the problems of one order, which counts once where it has one several times.
func addWrong(
	list []alert.Matter, at map[string]int, problems []ledger.Problem, zone *time.Location,
) []alert.Matter {
	counted := map[string]bool{}
	for _, problem := range problems {
		key := wrongOrder + problem.Cause()
		if counted[key] {
			continue
		}
		counted[key] = true
		i, known := at[key]
		if !known {
			i, at[key] = len(list), len(list)
			list = append(list, alert.Matter{Key: key, Text: order.Local(problem.Headline(), zone), Fix: problem.Fix})
		}
		list[i].Orders++
	}
	return list
}
