package upstockcin7

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/reference"
	"stockbridge/internal/vendor"
)

// How long the key is that a webhook secret holds, in bytes.
const leastWebhookKey, mostWebhookKey = 24, 64

// webhookKey is how many bytes the key has that a webhook secret of Upstock's holds; 0 where it holds none. The
// Standard Webhooks specification asks for 24 to 64; with an empty one anybody could sign.
func webhookKey(secret tenant.Secret) int {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(string(secret), "whsec_"))
	if err != nil {
		return 0
	}
	return len(key)
}

// WebhookSecretFault says what is wrong with a webhook secret of Upstock's that a person types in; "" = nothing.
func WebhookSecretFault(secret string) string {
	switch n := webhookKey(tenant.Secret(secret)); {
	case n == 0:
		return "This is not a webhook secret: it reads whsec_ and base64."
	case n < leastWebhookKey || n > mostWebhookKey:
		return fmt.Sprintf("A webhook secret holds %d to %d bytes, and this one %d. Let Upstock make a new one.",
			leastWebhookKey, mostWebhookKey, n)
	}
	return ""
}

// WebhookSecretWorks reports whether anything can be signed with a webhook secret of Upstock's: one that an earlier
// version took may be shorter than they are now.
func WebhookSecretWorks(secret string) bool { return webhookKey(tenant.Secret(secret)) > 0 }

// UpstockAccount asks Upstock whose a token is. connected is the supplier that is connected; "" = none.
func UpstockAccount(ctx context.Context, client *upstock.Client, connected string) (vendor.Account, error) {
	sup, err := client.Supplier(ctx)
	if err != nil {
		return vendor.Account{}, err
	}
	id := strconv.FormatInt(sup.ID, 10)
	if connected != "" && connected != id {
		return vendor.Account{}, &vendor.ConnectError{Problem: ledger.Problem{
			Code: "otherSupplier",
			Message: "This token is of the supplier " + prose.Short(client.Redact(sup.Name)) + " (" + id + "); " +
				"connected is supplier " + connected + ".",
			Fix: "Use a token of the connected supplier. To change to another one, disconnect first.",
		}}
	}
	return vendor.Account{
		ID: id, Name: sup.Name, Currency: sup.Currency, TimeZone: sup.TimeZone,
	}, nil
}

// CoreAccount asks Cin7 Core whose an application key is.
func CoreAccount(ctx context.Context, client *cin7core.Client) (vendor.Account, error) {
	me, err := client.Me(ctx)
	return vendor.Account{
		Name: me.Company, Currency: me.Currency, TimeZone: me.TimeZone,
		Warnings: reference.Warnings(me), // the other books are not read yet
	}, err
}

// Connecting implements vendor.Pair. A first supplier is noted, after which orders are named. Where people may have
// sold by hand meanwhile, the first orders are looked up again.
func (p *Pair) Connecting(ctx context.Context, change vendor.Change) error {
	up, core := change.System == tenant.Upstock, change.System == tenant.Cin7Core
	old := change.Old
	if up && old == nil {
		first, err := p.firstSupplier(ctx, change.Bundle, change.New.Account)
		if err != nil {
			return err
		}
		change.New.First = first
	}
	if up && old == nil || (up || core) && old != nil && old.LongRefused(p.Now()) {
		return p.uncheck(ctx, change.Bundle.Tenant.ID)
	}
	return nil
}

// Connected implements vendor.Pair: what was read of an account is read anew, and webhooks come and go with it.
func (p *Pair) Connected(ctx context.Context, change vendor.Change) error {
	id, old, c := change.Bundle.Tenant.ID, change.Old, change.New
	moved := c != nil && (old == nil || old.Account != c.Account)
	var start []string
	switch change.System {
	case tenant.Cin7Core:
		if old != nil && (c == nil || moved) {
			p.unhook(ctx, *old, change.OldSecrets)
		}
		if c != nil { // a job that reads with the old key ends by itself
			start = []string{JobMirror, JobWebhooks}
		}
	case tenant.Upstock:
		if c != nil && old == nil && change.Bundle.Connections[tenant.Cin7Core].State == tenant.Connected {
			start = []string{JobWebhooks} // it waited for both
		}
	default:
		return nil
	}
	for _, job := range start {
		if err := p.Runner.Start(ctx, id, job, 0); err != nil {
			return fmt.Errorf("start job %s: %w", job, err)
		}
	}
	if c != nil { // what of the catalogue waited for it goes on
		if err := p.kickCatalog(ctx, id); err != nil {
			return err
		}
	}
	if moved && !c.Begun.IsZero() { // what was missed meanwhile is looked for now
		return p.Runner.Kick(ctx, id, JobReconcile)
	}
	return nil
}

// Notes implements vendor.Pair: what is still to be done in Upstock, and what its webhook secret lacks.
func (p *Pair) Notes(b tenant.Bundle, c tenant.Connection, s tenant.Secrets) (notes []string) {
	if c.System != tenant.Upstock {
		return nil
	}
	if OwnIntegration(c).At.IsZero() {
		notes = append(notes, SwitchOffOwn)
	}
	return append(notes, secretNotes(b, c, s)...)
}

// secretNotes say what Upstock's webhook secret lacks.
func secretNotes(b tenant.Bundle, c tenant.Connection, s tenant.Secrets) []string {
	n := webhookKey(s.WebhookSecret)
	switch {
	case s.WebhookSecret == "":
		list := fmt.Sprintf("approved orders are found in its list only, up to %.0f minutes late",
			reconcileEvery.Minutes())
		if c.State != tenant.Connected || b.Ready(tenant.Cin7Core) != "" {
			list = "its list of approved orders is not read until both systems are connected"
		}
		return []string{"No webhook secret is saved, so what Upstock delivers is refused, and " + list + ". Paste " +
			"the webhook URL into Upstock (Settings › Webhooks), and save the secret that Upstock then shows."}
	case n == 0:
		return []string{"The webhook secret that is saved is empty, so what Upstock delivers is refused. Let Upstock " +
			"make a new one (Settings › Webhooks), and save it here."}
	case n < leastWebhookKey:
		return []string{fmt.Sprintf("The webhook secret that is saved is too short: %d bytes, where %d are the least. "+
			"Let Upstock make a new one (Settings › Webhooks), and save it here; until then it is good.",
			n, leastWebhookKey)}
	}
	return nil
}

// Hooks are the handlers of what systems deliver, each at the path that ends in {token}.
func (p *Pair) Hooks() map[tenant.System]http.Handler {
	return map[tenant.System]http.Handler{tenant.Upstock: p.Webhook(), tenant.Cin7Core: p.Cin7Webhook()}
}
