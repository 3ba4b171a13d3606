package upstockcin7

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
)

// markRefused marks a connection whose key the vendor refused, and tells the
// tenant. It returns the connection as it is now: still connected where the
// key was replaced meanwhile, not there where it was taken away.
func (p *Pair) markRefused(ctx context.Context, c tenant.Connection) (tenant.Connection, error) {
	now, err := p.Tenants.Broken(ctx, c.Tenant, c.System, c.Generation, whyRefused(c.System))
	if errors.Is(err, tenant.ErrNotFound) {
		return tenant.Connection{}, nil
	}
	if err != nil || now.State == tenant.Connected {
		return now, err
	}
	return now, p.Ledger.RecordOnce(ctx, c.Tenant, now.Refused, "keyRefused "+string(c.System), ledger.Event{Kind: "keyRefused", Text: whyRefused(c.System) + " Save a new key; what waits for it goes on by itself then."})
}

func whyRefused(sys tenant.System) string { return systemName(sys) + " refused the key." }

// Outdated reports whether a job's problem was that a key was refused which has been replaced since.
func Outdated(b tenant.Bundle, problem string) bool {
	for sys, c := range b.Connections {
		if problem == whyRefused(sys) && c.State == tenant.Connected {
			return true
		}
	}
	return false
}

// savedKeys is what a person changed of a connection.
type savedKeys struct{ first, key, account, secret, firstSecret bool }

// text says it as an event.
func (k savedKeys) text(sys tenant.System, name string) string {
	who := systemName(sys)
	var said []string
	switch {
	case k.first:
		said = append(said, who+" was connected ("+name+").")
	case k.account:
		said = append(said, who+" was connected to another account ("+name+"); waiting orders go on.")
	case k.key:
		said = append(said, "The key of "+who+" was replaced; waiting orders go on.")
	}
	switch {
	case k.firstSecret:
		said = append(said, "The webhook secret of "+who+" was saved.")
	case k.secret:
		said = append(said, "The webhook secret of "+who+" was replaced; the old one is good for a day more.")
	}
	if len(said) == 0 {
		said = append(said, "The key of "+who+" was tested again: it works.")
	}
	return strings.Join(said, " ")
}

// Notes are what a person should know of a connection as it is now, a sentence
// each: what was noticed when it was made or its account's books were read, and what its secrets lack.
//
// url is the webhook URL to paste into Upstock, "" for another system.
func (p *Pair) Notes(ctx context.Context, c tenant.Connection) (notes []string, url string, err error) {
	notes = append([]string{}, c.Warnings...)
	if c.System != tenant.Upstock {
		return notes, "", nil
	}
	s, err := p.secrets(ctx, c)
	if errors.Is(err, tenant.ErrSealed) {
		return append(notes, whyUnsealed(c.System)), "", nil
	}
	if err != nil {
		return notes, "", err
	}
	if n := webhookKey(s.Webhook); s.Webhook != "" && n < leastWebhookKey {
		notes = append(notes, fmt.Sprintf("The webhook secret that is saved is too short: %d bytes, where %d are the least. Let Upstock make a new one (Settings > Webhooks), and save it here; until then it is good.", n, leastWebhookKey))
		if n == 0 {
			notes[len(notes)-1] = "The webhook secret that is saved is empty, so what Upstock delivers is refused. Let Upstock make a new one (Settings > Webhooks), and save it here."
		}
	}
	if s.Webhook == "" {
		notes = append(notes, "No webhook secret is saved, so what Upstock delivers is refused, and approved orders are found in its list only, up to "+
			fmt.Sprintf("%.0f", Every()[JobReconcile].Minutes())+" minutes late. Paste the webhook URL into Upstock (Settings > Webhooks), and save the secret that Upstock then shows.")
	}
	return notes, p.webhookURL(c.System, s), nil
}

// clockText is an instant for people, in the tenant's zone, which it names.
func clockText(b tenant.Bundle, t time.Time) string {
	zone, err := time.LoadLocation(b.Tenant.TimeZone)
	if err != nil || b.Tenant.TimeZone == "" {
		zone = time.UTC
	}
	return t.In(zone).Format("2 January 15:04") + " (" + zone.String() + ")"
}

// previewProblem is why an order cannot be planned now, true of the connections as they are.
func previewProblem(b tenant.Bundle, err error) ledger.Problem {
	pr := ledger.Problem{Code: "notReady", Message: err.Error(), Fix: "Try again in a minute."}
	switch e := err.(type) {
	case *later:
		pr.Message = e.why
	case *park:
		pr.Message = e.why
	}
	for _, sys := range []tenant.System{tenant.Cin7Core, tenant.Upstock} {
		switch c, ok := b.Connections[sys]; {
		case !ok:
			pr.Message, pr.Fix = systemName(sys)+" is not connected.", "Connect "+systemName(sys)+"."
			return pr
		case c.State != tenant.Connected:
			pr.Message, pr.Fix = systemName(sys)+" needs reconnecting: "+c.Why, "Save a new key of "+systemName(sys)+"."
			return pr
		}
	}
	if b.Connections[tenant.Cin7Core].Mirror.Ready.IsZero() {
		pr.Fix = "Wait until they are read; health says how far that is."
	}
	return pr
}

// cardAddress is the address of that id on a customer's card, as the mirror has it.
func (p *Pair) cardAddress(ctx context.Context, tenantID, customer, id string) (*cin7core.CustomerAddress, error) {
	if id == "" {
		return nil, nil
	}
	rows, _, err := p.Ledger.Mirrored(ctx, tenantID, []ledger.MirrorKey{{Kind: customerRows, ID: rowID(customer)}}, ledger.MirrorLink{})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	cards, err := readRow([]cin7core.Customer(nil), rows[0])
	if err != nil {
		return nil, err
	}
	for i := range cards[0].Addresses {
		if a := &cards[0].Addresses[i]; strings.EqualFold(a.ID, id) {
			return a, nil
		}
	}
	return nil, nil
}
