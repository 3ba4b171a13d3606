package upstockcin7

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
)

// How long the key is that a webhook secret holds, in bytes.
const leastWebhookKey, mostWebhookKey = 24, 64

// webhookKey is how many bytes the key has that a webhook secret holds; 0 where it holds none. The Standard Webhooks
// specification asks for 24 to 64; with an empty one anybody could sign.
func webhookKey(secret tenant.Secret) int {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(string(secret), "whsec_"))
	if err != nil {
		return 0
	}
	return len(key)
}

// mayTry says whether a tenant may have one more key tried, with an account whose id it gives ("" = the key alone names it).
// To try keys is to ask the vendor whether they are right, so nobody does it without end: a tenant has its bound, and a much
// lower one for an account that another tenant has connected. Who has an account connected is not counted among its strangers.
func (p *Pair) mayTry(ctx context.Context, b tenant.Bundle, sys tenant.System, account string) error {
	if p.Trial == nil {
		return nil
	}
	stranger := false
	if account != "" && b.Connections[sys].Account != account {
		holders, err := p.Tenants.Holders(ctx, sys, account)
		if err != nil {
			return err
		}
		stranger = len(holders) > 0 && !slices.Contains(holders, b.Tenant.ID)
	}
	err := p.Trial(ctx, b.Tenant.ID, sys, account, stranger)
	wait, ok := errors.AsType[*rest.Wait](err)
	if !ok {
		return err
	}
	message := "Too many keys were tried in a short time."
	if stranger {
		message = "Too many keys were tried for this account in a short time."
	}
	return &ConnectError{After: max(time.Until(wait.Until), time.Second), Problem: ledger.Problem{Code: "tooManyTrials",
		Message: message + " This one was not tested and not saved.", Fix: "Try again after " + clockText(b, wait.Until) + "."}}
}

// tried counts a trial that succeeded among the calls of its account, whose budget it did use. One that was refused did not.
func (p *Pair) tried(ctx context.Context, c tenant.Connection) {
	if p.Tried != nil {
		p.Tried(ctx, c)
	}
}
