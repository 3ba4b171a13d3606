package upstockcin7

import (
	"context"
	"errors"
	"strings"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/ledger"
	"stockbridge/internal/match"
	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/sale"
	"stockbridge/internal/vendor"
)

// mostFound is how many records a search shows.
const mostFound = 20

// FindRecords looks in Cin7 Core for what a link of a kind may lead to: customers whose name has the text, or products
// whose name or SKU has it, at most 20. It reads one page of each, live, for a copy may be behind what a person has
// just added there. Errors: *vendor.ConnectError where Cin7 Core cannot be asked.
func (p *Pair) FindRecords(ctx context.Context, b tenant.Bundle, kind, text string) ([]ledger.Choice, error) {
	text = strings.TrimSpace(match.Visible(text))
	if text == "" {
		return nil, nil
	}
	if why := b.Ready(tenant.Cin7Core); why != "" {
		return nil, &vendor.ConnectError{Problem: ledger.Problem{Code: "notConnected", Message: why,
			Fix: "Then search again."}}
	}
	client, err := p.asking(ctx, b)
	if err != nil {
		return nil, err
	}
	search := findProducts
	if kind == sale.CustomerLinks {
		search = findCustomers
	}
	found, err := search(ctx, client, prose.Within(text, 100))
	if err != nil {
		return nil, p.unanswered(ctx, b, err, "nothing could be looked for")
	}
	return found[:min(len(found), mostFound)], nil
}

// asking is a client for what a person asks Cin7 Core.
func (p *Pair) asking(ctx context.Context, b tenant.Bundle) (*cin7core.Client, error) {
	c := b.Connections[tenant.Cin7Core]
	secrets, err := p.Vendors.Secrets(ctx, c)
	if errors.Is(err, tenant.ErrSealed) {
		return nil, unable(p.Vendors.WhyUnsealed(tenant.Cin7Core), false)
	}
	if err != nil {
		return nil, err
	}
	return p.Cin7Core(c, secrets, true), nil
}

// unanswered is what a person is told whose question a failed call did not answer; so says what comes of that.
func (p *Pair) unanswered(ctx context.Context, b tenant.Bundle, err error, so string) error {
	so = " So " + so + "."
	switch out := p.Runner.Of(ctx, b, err).(type) {
	case *ledger.Park:
		return unable(out.Why+so, false)
	case *ledger.Later:
		return unable(out.Why+so, true)
	case *ledger.Down:
		return unable(out.Why+so, true)
	}
	return err
}

// unable says why Cin7 Core could not be asked, and whether that may be over in a minute.
func unable(why string, again bool) error {
	fix := "Save a new key under Settings › Integrations."
	if again {
		fix = "Try again in a minute."
	}
	return &vendor.ConnectError{Retry: again, Problem: ledger.Problem{Code: "noAnswer", Message: why, Fix: fix}}
}

func findProducts(ctx context.Context, client *cin7core.Client, text string) (found []ledger.Choice, err error) {
	seen := map[string]bool{}
	for _, q := range []cin7core.ProductsQuery{{SKU: text}, {Name: text}} {
		page, err := client.ProductsPage(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, x := range page.Items {
			id := strings.ToLower(x.ID)
			if id == "" || seen[id] || !x.CanSell() || match.Same(x.Type, "Service") || !holds(text, x.SKU, x.Name) {
				continue
			}
			seen[id] = true
			found = append(found, ledger.Choice{ID: id, Label: productLabel(x)})
		}
	}
	return found, nil
}

func findCustomers(ctx context.Context, client *cin7core.Client, text string) (found []ledger.Choice, err error) {
	page, err := client.CustomersPage(ctx, cin7core.CustomersQuery{Name: text})
	if err != nil {
		return nil, err
	}
	for _, x := range page.Items {
		if x.ID != "" && holds(text, x.Name) {
			found = append(found, ledger.Choice{ID: strings.ToLower(x.ID), Label: prose.Short(x.Name)})
		}
	}
	return found, nil
}
